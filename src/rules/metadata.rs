//! Metadata of the account and of its customers.

use std::collections::HashMap;

use super::place::Rows;
use super::{Check, Rule, finding};
use crate::assemble::view::{FieldId, Row, Schema};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "metadata-keys-unique",
    codes: &["metadata_has_duplicate_keys"],
    severity: Severity::Error,
    doc: "No key occurs twice in one list of metadata.",
    bind: keys_unique,
}];

fn keys_unique(schema: &Schema) -> Option<Check> {
    let lists: Vec<_> = [("", "metadata"), ("customers", "customers.metadata")]
        .iter()
        .filter_map(|(owner, list)| {
            let key = schema.field(&format!("{list}.key"))?;
            Some((Rows::bind(schema, owner)?, schema.entity(list)?, key))
        })
        .collect();
    if lists.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for (owners, list, key) in &lists {
            owners.each(account, &mut |owner| {
                let rows: Vec<(&str, Row<'_>)> =
                    owner.children(*list).filter_map(|row| Some((row.value(*key).text()?, row))).collect();
                let keys: Vec<&str> = rows.iter().map(|(text, _)| *text).collect();
                for (later, earlier) in repeats(&keys) {
                    out.push(repeated(rows[later].1, rows[earlier].1, *key));
                }
            });
        }
    }))
}

fn repeated(later: Row<'_>, earlier: Row<'_>, key: FieldId) -> crate::finding::Finding {
    let mut cells = later.cell(key);
    cells.extend(earlier.cell(key));
    let message = "expected each metadata key once; another entry of this list has the same key. Keep one of them";
    finding("metadata_has_duplicate_keys", later.path(Some(key)), message, cells)
}

/// The place of each key that occurred before, with the place of its first occurrence.
fn repeats(keys: &[&str]) -> Vec<(usize, usize)> {
    if keys.len() < 2 {
        return Vec::new();
    }
    let mut first = HashMap::with_capacity(keys.len());
    let mut repeats = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        match first.get(key) {
            Some(&earlier) => repeats.push((place, earlier)),
            None => {
                first.insert(key, place);
            }
        }
    }
    repeats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_occur_once() {
        assert_eq!(repeats(&["a", "b", "c"]), []);
        assert_eq!(repeats(&[]), []);
    }

    #[test]
    fn each_repeat_points_to_the_first() {
        assert_eq!(repeats(&["a", "b", "a", "a"]), [(2, 0), (3, 0)]);
    }
}
