//! The mapping: reviewed files that say how tables become the payload.
//!
//! | file | job |
//! | --- | --- |
//! | [`document`] | TOML with the place of every key; problems, gathered |
//! | [`model`], [`read`] | what the file says, shapes checked |
//! | [`layout`], [`reshape`] | how files are laid out, and how records become a table's rows |
//! | [`lines`] | which lines write a field |
//! | [`lookup`] | `lookups/*.csv` |
//! | [`cut`], [`number`] | pieces of a cell; numbers as legacy systems write them |
//! | [`value`], [`render`] | the text of a cell to a value, a value to JSON text |
//! | [`measure`] | what payloads are added up by: objects, and money |
//! | [`word`] | short texts as numbers, and codes found by them |
//! | [`plan`], [`compile`] | names resolved against the contract, conversions chosen |
//!
//! What is still open ([`coverage`]) and what editors are told ([`schema`]) is told from the plan and the contract.
//!
//! Everything that can be known before a record is read is checked here, all problems at once, each with its place.
//! Reads no extract: headers are handed in.

mod columns;
mod compile;
pub mod coverage;
pub mod cut;
pub mod document;
mod fields;
mod joins;
pub mod layout;
pub mod lines;
pub mod lookup;
pub mod measure;
pub mod model;
mod nested;
pub mod number;
pub mod plan;
pub mod read;
mod read_line;
pub mod render;
pub mod reshape;
pub mod schema;
pub mod value;
pub mod word;

use std::path::Path;
use std::sync::Arc;

pub use document::{Place, Problem};
pub use model::{Dialect, OnFault, OnLost, Rest};
pub use plan::Plan;

use crate::contract::Contract;

/// Reads the mapping in `directory` and resolves it against `contract`; every problem found, at once.
pub fn load(directory: &Path, contract: &Arc<Contract>) -> Result<Plan, Vec<Problem>> {
    let (mut mapping, defaults) = read::read(directory, contract)?;
    nested::set_apart(&mut mapping);
    compile::compile(&mapping, &defaults, contract)
}

/// The same for the mapping `text`, with lookups in `directory/lookups`.
pub fn load_text(directory: &Path, text: &str, contract: &Arc<Contract>) -> Result<Plan, Vec<Problem>> {
    let (mut mapping, defaults) = read::read_text(directory, &directory.join("mapping.toml"), text, contract)?;
    nested::set_apart(&mut mapping);
    compile::compile(&mapping, &defaults, contract)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bundled mapping with some of its text cut out or written over.
    fn damaged() -> impl Strategy<Value = String> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/tentacle/mapping.toml");
        let text = std::fs::read_to_string(directory).unwrap();
        let wound = (0..text.len(), "[\\PC\n]{0,8}|\\[\\[|\"\"\"|= \\{|like|\\{a\\}", 0..16_usize);
        proptest::collection::vec(wound, 1..6).prop_map(move |wounds| {
            let mut text = text.clone();
            for (at, put, length) in wounds {
                let (at, end) = (at.min(text.len()), (at + length).min(text.len()));
                if text.is_char_boundary(at) && text.is_char_boundary(end) {
                    text.replace_range(at..end, &put);
                }
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_damage_to_a_mapping_makes_the_reader_panic(text in damaged()) {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/tentacle");
            let contract = Contract::built_in().unwrap();
            if let Err(problems) = load_text(&directory, &text, &contract) {
                prop_assert!(!problems.is_empty(), "a mapping is refused for a reason");
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\PC\n]{0,300}") {
            let contract = Contract::built_in().unwrap();
            let _ = load_text(Path::new("nowhere"), &text, &contract);
        }
    }
}
