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
    if !placed.is_empty() {
        add_within(0, &tables, contract, &mut placed, &mut lookups);
        placed[1..].sort_by(|(a, _), (b, _)| a.path.split('.').cmp(b.path.split('.')));
    }
    let (entities, bodies): (Vec<tables::Entity>, Vec<lines::Body>) = placed.into_iter().unzip();
    let is_placed = |number: usize| entities.iter().any(|entity| entity.table == number);
    let unplaced = tables.iter().enumerate().filter(|(number, _)| !is_placed(*number));
    let why = "no kind of object below a table that it refers to is called like it";
    left.extend(unplaced.map(|(_, table)| format!("{}: {why}", table.files)));
    let mapping = write::mapping(profile, &tables, &entities, &bodies, &left);
    Draft { mapping, lookups: lookups.files(), placed: entities.len(), left }
}

/// So many columns make a kind of object of the records that are an account or another object already; fewer may be
/// called alike by chance.
const COLUMNS_WITHIN: usize = 2;

/// Adds what seems to be within the objects of `placed[outer]` in the same records: customer, address and meter point in
/// one line of a file. What most columns speak for comes first, and takes its columns.
fn add_within(
    outer: usize,
    tables: &[tables::Table<'_>],
    contract: &Contract,
    placed: &mut Vec<(tables::Entity, lines::Body)>,
    lookups: &mut lines::Lookups,
) {
    let table = &tables[placed[outer].0.table];
    loop {
        let paths: Vec<&str> = placed.iter().map(|(entity, _)| entity.path.as_str()).collect();
        let of_table = placed.iter().filter(|(entity, _)| entity.table == placed[outer].0.table);
        let taken: Vec<String> = of_table.flat_map(|(_, body)| body.used.clone()).collect();
        let within = tables::within(&placed[outer].0, table, contract, &paths).into_iter();
        let tried = within.map(|entity| {
            let entity = tables::Entity { taken: taken.clone(), ..entity };
            let columns = lines::body(&entity, table, contract, &mut lines::Lookups::default()).used.len();
            (columns, std::cmp::Reverse(entity.path.len()), entity)
        });
        let best = tried
            .filter(|(columns, ..)| *columns >= COLUMNS_WITHIN)
            .max_by_key(|(columns, short, _)| (*columns, *short));
        let Some((.., entity)) = best else { return };
        let body = lines::body(&entity, table, contract, lookups);
        placed.push((entity, body));
        add_within(placed.len() - 1, tables, contract, placed, lookups);
    }
}

/// Of `columns`, those whose names say most that they are meant for the field called `leaf`.
#[must_use]
pub fn nearest_columns<'c>(leaf: &str, columns: impl Iterator<Item = &'c str>) -> Vec<&'c str> {
    names::nearest(leaf, columns)
}
