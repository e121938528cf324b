//! Assemble: columns become payloads.
//!
//! | file | job |
//! | --- | --- |
//! | [`order`] | which records become which objects, and in which order |
//! | [`book`] | every account, its objects side by side; what became of every record |
//! | [`view`] | one account's values, typed, with the cells they come from |
//! | [`walk`] | one account's payload, canonical to the byte, its fields checked |
//! | [`payloads`] | all payloads, in parallel, in order |
//! | [`store`] | payloads on disk and back |
//!
//! polars gathers the columns into payload order; from there on the walk reads plain slices from front to back. What
//! no single field can tell is judged by the rules, which see an account through its view.

pub mod book;
pub mod order;
pub mod payloads;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod view;
pub mod walk;

pub use book::{Book, Bucket, Selection, assemble};
pub use view::{EntityId, FieldId, Row, Schema, Value, View};
