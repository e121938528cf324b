//! Assemble: columns become payloads.
//!
//! | file | job |
//! | --- | --- |
//! | [`selection`] | which accounts are built |
//! | [`book`] | some accounts, their objects side by side; what became of every record |
//! | [`order`] | which records become which objects, and in which order |
//! | [`records`] | what is to be told of single records |
//! | [`bucket`] | records counted by what became of them |
//! | [`view`] | one account's values, typed, with the cells they come from |
//! | [`steps`] | how an object is written, resolved beforehand |
//! | [`lost`] | money of records that are in no payload |
//! | [`measured`] | what a payload comes to |
//! | [`walk`] | one account's payload, canonical to the byte, its fields checked |
//! | [`payloads`] | all payloads, book by book in parallel, in order |
//! | [`store`] | payloads on disk and back |
//!
//! polars gathers the columns into payload order; from there on the walk reads plain slices from front to back. What
//! no single field can tell is judged by the rules, which see an account through its view.

pub mod book;
pub mod bucket;
pub mod lost;
pub mod measured;
pub mod order;
pub mod payloads;
mod records;
pub mod selection;
pub mod steps;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod view;
pub mod walk;

pub use book::{Book, Books};
pub use bucket::{Bucket, Buckets};
pub use lost::Lost;
pub use measured::{Came, LedgerCodes};
pub use selection::Selection;
pub use view::{EntityId, FieldId, Row, Schema, Value, View, name_accounts};
