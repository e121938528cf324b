//! What differs between two payloads of one account, by entity, in rows and pence. Pure.
//!
//! A row is one object with its own fields; the objects below it are rows of their own entities. Rows have no names
//! across payloads, so they are compared as they are: a row that is the same in both, wherever it stands, is the same
//! row.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use serde_json::{Map, Value};

/// The account's own fields, as an entity.
pub const ACCOUNT: &str = "account";

/// One entity that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityDrift {
    /// Its path, such as `ledgers.current_statement_transactions`; [`ACCOUNT`] for the account's own fields.
    pub entity: String,
    /// Rows in the one payload.
    pub rows_before: u64,
    /// Rows in the other.
    pub rows_after: u64,
    /// Rows that are the same in both.
    pub rows_same: u64,
    /// The sum of the money in its own fields (amounts and balances), in the one payload, to the nearest penny.
    pub pence_before: i64,
    /// In the other.
    pub pence_after: i64,
}

impl EntityDrift {
    /// A whole account of which no more is to be said.
    #[must_use]
    pub fn whole_account(rows_before: u64, rows_after: u64) -> Self {
        Self { entity: ACCOUNT.into(), rows_before, rows_after, rows_same: 0, pence_before: 0, pence_after: 0 }
    }
}

/// The rows of one entity: their text → how often in the one and in the other payload, and the money on either side.
#[derive(Debug, Default)]
struct Entity {
    rows: BTreeMap<String, [u64; 2]>,
    pounds: [Decimal; 2],
}

/// The entities that differ between the payloads `before` and `after`, in the order of their paths.
///
/// # Errors
///
/// What `serde_json` says of a payload that is no JSON.
pub fn compare(before: &[u8], after: &[u8]) -> Result<Vec<EntityDrift>, serde_json::Error> {
    let mut entities = BTreeMap::new();
    for (side, payload) in [before, after].into_iter().enumerate() {
        let account: Map<String, Value> = serde_json::from_slice(payload)?;
        collect(&account, ACCOUNT, "", side, &mut entities);
    }
    let drifts = entities.into_iter().map(|(entity, Entity { rows, pounds })| {
        let count = |of: fn(&[u64; 2]) -> u64| rows.values().map(of).sum();
        EntityDrift {
            entity,
            rows_before: count(|[before, _]| *before),
            rows_after: count(|[_, after]| *after),
            rows_same: count(|[before, after]| *before.min(after)),
            pence_before: pence(pounds[0]),
            pence_after: pence(pounds[1]),
        }
    });
    Ok(drifts.filter(|drift| drift.rows_same < drift.rows_before.max(drift.rows_after)).collect())
}

/// Puts `object` among the rows of `entity` of one side, and what is below it, whose paths begin with `prefix`, among
/// theirs.
fn collect(
    object: &Map<String, Value>,
    entity: &str,
    prefix: &str,
    side: usize,
    entities: &mut BTreeMap<String, Entity>,
) {
    let mut own = Map::new();
    let mut pounds = Decimal::ZERO;
    for (name, value) in object {
        let path = || format!("{prefix}{name}");
        match value {
            Value::Object(child) => collect(child, &path(), &format!("{prefix}{name}."), side, entities),
            Value::Array(items) if items.first().is_some_and(Value::is_object) => {
                let path = path();
                for child in items.iter().filter_map(Value::as_object) {
                    collect(child, &path, &format!("{path}."), side, entities);
                }
            }
            _ => {
                if is_money(name) {
                    pounds += in_pounds(value);
                }
                own.insert(name.clone(), value.clone());
            }
        }
    }
    let entry = entities.entry(entity.to_owned()).or_default();
    // Keys are in byte order: the payload's, and the map's.
    entry.rows.entry(Value::Object(own).to_string()).or_default()[side] += 1;
    entry.pounds[side] += pounds;
}

/// Whether a field of this name is money, as the contract names it: `amount`, `net_amount`, `ledger_balance`, …
fn is_money(name: &str) -> bool {
    name.ends_with("amount") || name.contains("balance")
}

/// Money as the contract writes it: texts are pounds, integers are pence.
fn in_pounds(value: &Value) -> Decimal {
    match value {
        Value::String(text) => text.parse().unwrap_or_default(),
        Value::Number(number) => number.to_string().parse::<Decimal>().unwrap_or_default() / Decimal::ONE_HUNDRED,
        _ => Decimal::ZERO,
    }
}

fn pence(pounds: Decimal) -> i64 {
    (pounds * Decimal::ONE_HUNDRED).round().to_i64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(before: &str, after: &str) -> Vec<String> {
        compare(before.as_bytes(), after.as_bytes())
            .unwrap()
            .into_iter()
            .map(|d| {
                format!(
                    "{} {}→{} ({} same) {}→{}",
                    d.entity, d.rows_before, d.rows_after, d.rows_same, d.pence_before, d.pence_after
                )
            })
            .collect()
    }

    #[test]
    fn what_differs_is_told_by_entity_in_rows_and_pence() {
        let before = r#"{"external_account_number":"1","ledgers":[{"ledger_balance":"10.00","transactions":[
            {"amount":"1.10","id":"a"},{"amount":"2.20","id":"b"}]}],"notes":[{"body":"x"}],
            "statements":[{"gross_amount":1234}],"name":"Ann"}"#;
        let after = r#"{"external_account_number":"1","ledgers":[{"ledger_balance":"12.50","transactions":[
            {"amount":"2.20","id":"b"},{"amount":"1.15","id":"a"},{"amount":"0.01","id":"c"}]}],
            "statements":[{"gross_amount":1234}],"name":"Ann"}"#;
        assert_eq!(
            told(before, after),
            ["ledgers 1→1 (0 same) 1000→1250", "ledgers.transactions 2→3 (1 same) 330→336", "notes 1→0 (0 same) 0→0",]
        );
        assert_eq!(told(before, before), [""; 0]);
        assert_eq!(told(r#"{"name":"Ann"}"#, r#"{"name":"Bob"}"#), ["account 1→1 (0 same) 0→0"]);
    }

    #[test]
    fn a_place_in_a_list_is_no_difference_and_a_repeated_row_counts_as_often_as_it_stands() {
        assert_eq!(told(r#"{"a":[{"n":1},{"n":2}]}"#, r#"{"a":[{"n":2},{"n":1}]}"#), [""; 0]);
        assert_eq!(told(r#"{"a":[{"n":1},{"n":1}]}"#, r#"{"a":[{"n":1}]}"#), ["a 2→1 (1 same) 0→0"]);
    }

    proptest! {
        #[test]
        fn the_same_from_either_side(before in prop::collection::vec(0..5u8, 0..8), after in prop::collection::vec(0..5u8, 0..8)) {
            let payload = |rows: &[u8]| {
                let rows: Vec<_> = rows.iter().map(|n| serde_json::json!({"amount": format!("{n}.05")})).collect();
                serde_json::json!({"rows": rows}).to_string()
            };
            let (one, other) = (payload(&before), payload(&after));
            let forth = compare(one.as_bytes(), other.as_bytes()).unwrap();
            let mut back = compare(other.as_bytes(), one.as_bytes()).unwrap();
            for drift in &mut back {
                std::mem::swap(&mut drift.rows_before, &mut drift.rows_after);
                std::mem::swap(&mut drift.pence_before, &mut drift.pence_after);
            }
            prop_assert_eq!(&forth, &back);
            let same = |drift: &EntityDrift| drift.rows_same <= drift.rows_before.min(drift.rows_after);
            prop_assert!(forth.iter().all(same));
        }
    }
}
