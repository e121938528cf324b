//! The mapping: reviewed files that say how tables become the payload.
//!
//! | file | job |
//! | --- | --- |
//! | [`document`] | TOML with the place of every key; problems, gathered |
//! | [`model`], [`read`] | what the file says, shapes checked |
//! | [`lookup`] | `lookups/*.csv` |
//! | [`value`], [`render`] | the text of a cell to a value, a value to JSON text |
//! | [`word`] | short texts as numbers, and codes found by them |
//! | [`plan`], [`compile`] | names resolved against the contract, conversions chosen |
//!
//! Everything that can be known before a record is read is checked here, all problems at once, each with its place.
//! Reads no extract: headers are handed in.

mod columns;
mod compile;
pub mod document;
mod fields;
pub mod lookup;
pub mod model;
pub mod plan;
pub mod read;
pub mod render;
pub mod value;
pub mod word;

use std::path::Path;
use std::sync::Arc;

pub use document::Problem;
pub use model::{Dialect, OnFault, OnLost, Rest};
pub use plan::Plan;

use crate::contract::Contract;

/// Reads the mapping in `directory` and resolves it against `contract`; every problem found, at once.
pub fn load(directory: &Path, contract: &Arc<Contract>) -> Result<Plan, Vec<Problem>> {
    let (mapping, defaults) = read::read(directory, contract)?;
    compile::compile(&mapping, &defaults, contract)
}

/// The same for the mapping `text`, with lookups in `directory/lookups`.
pub fn load_text(directory: &Path, text: &str, contract: &Arc<Contract>) -> Result<Plan, Vec<Problem>> {
    let (mapping, defaults) = read::read_text(directory, &directory.join("mapping.toml"), text, contract)?;
    compile::compile(&mapping, &defaults, contract)
}
