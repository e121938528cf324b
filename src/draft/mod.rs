//! Draft: a mapping to start from, out of a profile and the contract.
//!
//! ```text
//! names    how much a column's name says that it is meant for a field
//! tables   files → tables of the mapping; which table the accounts are, and what hangs below it
//! lines    columns of a table → lines of an entity, and lookups with the codes that were found
//! write    all of it as mapping.toml
//! ```
//!
//! A draft can be used as it is, so that `lint` and `build` say what is left; but it is guessed from names and shapes,
//! and whoever sends by it answers for it. What cannot be guessed is marked `TODO`.

mod lines;
mod names;
mod tables;
mod write;

use crate::contract::Contract;
use crate::profile::Profile;

/// A mapping to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The text of `mapping.toml`.
    pub mapping: String,
    /// Lookups: their names and their texts.
    pub lookups: Vec<(String, String)>,
    /// How many tables became entities.
    pub placed: usize,
    /// Files that the draft does not use, and why.
    pub left: Vec<String>,
}

/// Drafts a mapping of the files of `profile` for `contract`.
#[must_use]
pub fn draft(profile: &Profile, contract: &Contract) -> Draft {
    let (tables, mut left) = tables::tables(profile);
    let mut lookups = lines::Lookups::default();
    let placed = tables::place(&tables, contract).into_iter().map(|entity| {
        let body = lines::body(&entity, &tables[entity.table], contract, &mut lookups);
        (entity, body)
    });
    let mut placed: Vec<(tables::Entity, lines::Body)> = placed.collect();
    // A kind of object without a single line is none; nor is what would hang below it.
    while let Some(bare) = placed.iter().position(|(_, body)| body.lines.is_empty()) {
        let path = placed[bare].0.path.clone();
        let below = format!("{path}.");
        placed.retain(|(entity, _)| entity.path != path && !entity.path.starts_with(&below));
    }
    let (entities, bodies): (Vec<tables::Entity>, Vec<lines::Body>) = placed.into_iter().unzip();
    let is_placed = |number: usize| entities.iter().any(|entity| entity.table == number);
    let unplaced = tables.iter().enumerate().filter(|(number, _)| !is_placed(*number));
    let why = "no kind of object below a table that it refers to is called like it";
    left.extend(unplaced.map(|(_, table)| format!("{}: {why}", table.files)));
    let mapping = write::mapping(profile, &tables, &entities, &bodies, &left);
    Draft { mapping, lookups: lookups.files(), placed: entities.len(), left }
}

/// Of `columns`, those whose names say most that they are meant for the field called `leaf`.
#[must_use]
pub fn nearest_columns<'c>(leaf: &str, columns: impl Iterator<Item = &'c str>) -> Vec<&'c str> {
    names::nearest(leaf, columns)
}
