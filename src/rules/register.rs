//! The register of rules: every rule the target publishes and slipway's own, and what becomes of each.
//!
//! The target's ids, codes and classes are facts of its own and lie in `data/edf-gb-rules.csv`; what is checked follows
//! from [`super::all`], so that a rule nobody wrote shows as missing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Rule, all};
use crate::finding::Severity;

const PUBLISHED: &str = include_str!("data/edf-gb-rules.csv");

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is checked, where the mapping maps what it reads.
    On,
    /// It is checked in part: some of its cases are left to the target.
    Partial,
    /// It could be checked and is not yet: the target alone finds it.
    Missing,
    /// It needs a list of the tenant's, and is not checked.
    Reference,
    /// It depends on the tenant's settings, and is not checked.
    Config,
    /// Only the target can know.
    Server,
    /// The target changes a value, and refuses nothing.
    Normalise,
    /// It reads fields that this contract does not have.
    Unreachable,
    /// It is about the request around the payload.
    Wrapper,
}

/// Rules that are checked for some of what they say, with what is left out.
const PARTIAL: &[(&str, &str)] = &[
    ("address-object-shape", "the two forms of the street; what a country asks beyond them is not published"),
    (
        "business-contract-id-present",
        "where an agreement names a contract; else only the tenant knows that there is one",
    ),
    ("business-user-matches-customer", "pairs with one e-mail address; how the target pairs them is not published"),
    ("exchange-lbtd", "exchanges after the day that was last billed to; those before it are billed"),
    ("exchange-readings", "exchanges after the day that was last billed to; those before it are billed"),
    (
        "gas-transfer-reading-single",
        "meters that were installed by the day last billed to; later ones cannot have been read then",
    ),
    ("lbtd-present", "active meters with a billed reading; what else makes a meter billed is not published"),
    ("plan-or-schedule-per-ledger", "schedules that name no ledger, or all of an account with one: plans name none"),
    (
        "twin-element-only-duplicates",
        "a serial number at several points; what makes a twin-element meter is not published",
    ),
];

/// A rule as the register tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The rule's name.
    pub id: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// The severity of its findings; none if it is not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether the target publishes it; else it is slipway's own.
    pub published: bool,
    /// The codes its findings can have.
    pub codes: Vec<&'static str>,
    /// What it demands; empty if it is not checked.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub doc: &'static str,
    /// What is left to the target of a rule that is checked in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<&'static str>,
}

/// All rules, by name.
#[derive(Clone, Debug, Serialize)]
pub struct Register {
    /// How many there are of each status.
    pub statuses: BTreeMap<Status, usize>,
    /// The rules.
    pub rules: Vec<Entry>,
}

impl Register {
    /// The register of this program.
    #[must_use]
    pub fn new() -> Self {
        let mut written: BTreeMap<&str, Rule> = all().into_iter().map(|rule| (rule.id, rule)).collect();
        let mut rules: Vec<Entry> = published()
            .map(|(id, class, codes)| match written.remove(id) {
                Some(rule) => checked(&rule, true),
                None => Entry {
                    id,
                    status: unchecked(class),
                    severity: None,
                    published: true,
                    codes: codes.split_whitespace().collect(),
                    doc: "",
                    left: None,
                },
            })
            .collect();
        rules.extend(written.values().map(|rule| checked(rule, false)));
        rules.sort_by_key(|rule| rule.id);
        let mut statuses = BTreeMap::new();
        for rule in &rules {
            *statuses.entry(rule.status).or_default() += 1;
        }
        Self { statuses, rules }
    }
}

impl Default for Register {
    fn default() -> Self {
        Self::new()
    }
}

/// The id, class and codes of each rule that the target publishes.
fn published() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    PUBLISHED.lines().filter(|line| !line.starts_with('#')).skip(1).filter_map(|line| {
        let mut cells = line.splitn(3, ',');
        Some((cells.next()?, cells.next()?, cells.next()?))
    })
}

fn checked(rule: &Rule, published: bool) -> Entry {
    let left = PARTIAL.iter().find(|(id, _)| *id == rule.id).map(|(_, left)| *left);
    Entry {
        id: rule.id,
        status: if left.is_some() { Status::Partial } else { Status::On },
        severity: Some(rule.severity),
        published,
        codes: rule.codes.to_vec(),
        doc: rule.doc,
        left,
    }
}

fn unchecked(class: &str) -> Status {
    match class {
        "reference" => Status::Reference,
        "config" => Status::Config,
        "server" => Status::Server,
        "normalise" => Status::Normalise,
        "unreachable" => Status::Unreachable,
        "wrapper" => Status::Wrapper,
        _ => Status::Missing,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Reference => "reference",
            Self::Config => "config",
            Self::Server => "server",
            Self::Normalise => "normalise",
            Self::Unreachable => "unreachable",
            Self::Wrapper => "wrapper",
        })
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        write!(f, "{} rules: {}", self.rules.len(), counts.join(", "))?;
        let width = self.rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in &self.rules {
            let severity = rule.severity.map_or("", Severity::as_str);
            let said = if rule.doc.is_empty() { rule.codes.join(" ") } else { rule.doc.to_owned() };
            let left = rule.left.map_or_else(String::new, |left| format!(" Checked: {left}."));
            write!(f, "\n{:width$}  {:11}  {severity:7}  {said}{left}", rule.id, rule.status.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_published_rule_is_in_the_register_once() {
        let register = Register::new();
        let ids: BTreeSet<&str> = register.rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), register.rules.len());
        assert_eq!(published().count(), 270);
        assert!(published().all(|(id, _, _)| ids.contains(id)));
    }

    #[test]
    fn a_rule_has_the_codes_that_the_target_publishes() {
        for (id, _, codes) in published() {
            if let Some(rule) = all().iter().find(|rule| rule.id == id) {
                for code in rule.codes {
                    assert!(codes.split(' ').any(|published| published == *code), "{id}: {code}");
                }
            }
        }
    }

    #[test]
    fn what_is_checked_in_part_is_checked() {
        for (id, _) in PARTIAL {
            assert!(all().iter().any(|rule| rule.id == *id), "{id}");
        }
    }

    #[test]
    fn what_nobody_wrote_is_told() {
        let missing: Vec<&str> =
            Register::new().rules.iter().filter(|rule| rule.status == Status::Missing).map(|rule| rule.id).collect();
        assert_eq!(missing, MISSING);
    }

    /// The rules still to be written: one that is lost must be added here.
    const MISSING: &[&str] = &[];
}
