//! A record that is several objects, one within the other: customer, address and meter point in one line of a file.
//!
//! A record finds its parent by key among records that have been read before it, so a table cannot be its own parent.
//! Where an entity's table is that of an entity around it, the records are read once more for it, as a table of their
//! own, as a table with `of` would: `members`, then `members (2)` for what is within, `members (3)` for what is within
//! that.

use super::model::{Entity, Mapping, OnLost, Rest, Table};

/// Gives every entity whose table is that of an entity around it a table of its own.
pub(super) fn set_apart(mapping: &mut Mapping) {
    let within = |inner: &Entity, outer: &Entity| {
        inner.path != outer.path
            && (outer.path.is_empty() || inner.path.strip_prefix(&outer.path).is_some_and(|rest| rest.starts_with('.')))
    };
    let around = |entity: &Entity| {
        mapping.entities.iter().filter(|outer| within(entity, outer) && outer.table.0 == entity.table.0).count()
    };
    let depths: Vec<usize> = mapping.entities.iter().map(around).collect();
    for (entity, depth) in mapping.entities.iter_mut().zip(depths).filter(|(_, depth)| *depth > 0) {
        let Some(table) = mapping.tables.get(&entity.table.0) else { continue };
        let name = format!("{} ({})", table.name, depth + 1);
        let again = again(table, &name);
        mapping.tables.entry(name.clone()).or_insert(again);
        entity.table.0 = name;
    }
}

/// `table`, read once more as `name`.
fn again(table: &Table, name: &str) -> Table {
    let mut layout = table.layout.clone();
    if layout.of.is_none() {
        layout = super::layout::Layout { of: Some((table.name.clone(), table.span.clone())), ..Default::default() };
    }
    Table {
        name: name.to_owned(),
        files: String::new(),
        dialect: table.dialect.clone(),
        layout,
        key: table.key.clone(),
        columns: table.columns.clone(),
        // What is wrong with the records, and what no line uses, is told of the table itself.
        unused: Vec::new(),
        on_lost: OnLost::Report,
        rest: Rest::Filtered,
        span: table.span.clone(),
    }
}
