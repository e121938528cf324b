//! Rules on whole accounts that are written as payloads: each passes one account and finds what one change breaks.

mod of_accounts;
mod of_billing;
mod of_supply;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;
use slipway::finding::Finding;
use slipway::rules::{self, RuleContext, RuleSet};

use crate::support::payload::{look, set};

/// What must be changed: pointers into the payload, and JSON; `null` takes away.
pub(crate) type Changes = &'static [(&'static str, &'static str)];

/// An account that passes a rule, and one that does not.
///
/// `@E` is the account's electricity point, `@EM` its meter, `@G` the gas point, `@GM` its meter, `@L` the ledger.
pub(crate) struct Tried {
    rule: &'static str,
    /// What makes the sound account one that the rule has something to say about; it breaks no rule.
    fine: &'static [Changes],
    /// What breaks the rule then.
    wrong: Changes,
    code: &'static str,
    path: &'static str,
    /// The cells as `file:line:column`, at least these first ones.
    cells: &'static [&'static str],
}

const fn tried(
    rule: &'static str,
    fine: &'static [Changes],
    wrong: Changes,
    code: &'static str,
    path: &'static str,
    cells: &'static [&'static str],
) -> Tried {
    Tried { rule, fine, wrong, code, path, cells }
}

/// Every account of the tables.
pub(crate) fn all() -> impl Iterator<Item = &'static Tried> {
    [of_accounts::TRIED, of_billing::TRIED, of_supply::TRIED].into_iter().flatten()
}

/// The rules that have an account here.
pub(crate) fn ids() -> BTreeSet<&'static str> {
    all().map(|tried| tried.rule).collect()
}

const PLACES: [(&str, &str); 5] = [
    ("@EM", "/supply_addresses/0/meter_points/0/meters/0"),
    ("@GM", "/supply_addresses/0/meter_points/1/meters/0"),
    ("@E", "/supply_addresses/0/meter_points/0"),
    ("@G", "/supply_addresses/0/meter_points/1"),
    ("@L", "/ledgers/0"),
];

/// The pointer with its place spelt out.
fn spelt(pointer: &str) -> String {
    PLACES.iter().fold(pointer.to_owned(), |pointer, (short, long)| pointer.replace(short, long))
}

fn sound() -> Value {
    serde_json::from_str(include_str!("base.json")).unwrap()
}

fn change(payload: &mut Value, changes: Changes) {
    for (pointer, value) in changes {
        let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{pointer}: {error}: {value}"));
        set(payload, &spelt(pointer), value);
    }
}

fn context() -> RuleContext {
    RuleContext { run_date: "2019-09-01".parse().unwrap() }
}

/// All findings about `payload`, and the rules that are on.
fn judged(payload: &Value) -> (Vec<Finding>, BTreeSet<&'static str>) {
    look(payload, |account, schema| {
        let set = RuleSet::bind(schema);
        let mut findings = Vec::new();
        set.check(account, &context(), &mut findings);
        findings.extend(set.notices());
        let off: BTreeSet<&str> = set.off().iter().copied().collect();
        (findings, rules::all().iter().map(|rule| rule.id).filter(|id| !off.contains(id)).collect())
    })
}

/// The findings of one rule about `payload`; none if it is off.
fn judged_by(rule: &str, payload: &Value) -> Option<Vec<Finding>> {
    let rule = rules::all().into_iter().find(|other| other.id == rule).unwrap_or_else(|| panic!("no rule {rule}"));
    look(payload, |account, schema| {
        let check = (rule.bind)(schema)?;
        let mut findings = Vec::new();
        check(account, &context(), &mut findings);
        Some(findings)
    })
}

fn passing(tried: &Tried) -> Value {
    let mut payload = sound();
    tried.fine.iter().for_each(|changes| change(&mut payload, changes));
    payload
}

/// What is said about the passing accounts, in the order of the tables.
fn verdicts() -> &'static [(Vec<Finding>, BTreeSet<&'static str>)] {
    static VERDICTS: OnceLock<Vec<(Vec<Finding>, BTreeSet<&str>)>> = OnceLock::new();
    VERDICTS.get_or_init(|| all().map(|tried| judged(&passing(tried))).collect())
}

/// The rules that are on for some account that breaks none.
pub(crate) fn passed() -> BTreeSet<&'static str> {
    verdicts().iter().filter(|(findings, _)| findings.is_empty()).flat_map(|(_, on)| on).copied().collect()
}

#[test]
fn a_sound_account_breaks_no_rule_while_the_rule_is_on() {
    let mut wrong = Vec::new();
    for (tried, (findings, on)) in all().zip(verdicts()) {
        if !findings.is_empty() || !on.contains(tried.rule) {
            wrong.push((tried.rule, tried.code, on.contains(tried.rule), findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_change_breaks_the_rule_and_is_found_in_its_cells() {
    let mut wrong = Vec::new();
    for tried in all() {
        let mut payload = passing(tried);
        change(&mut payload, tried.wrong);
        let path = spelt(tried.path).trim_start_matches('/').replace('/', ".");
        let findings = judged_by(tried.rule, &payload);
        let found = findings.iter().flatten().find(|found| &*found.code == tried.code && found.path == path);
        let Some(found) = found else {
            wrong.push((tried.rule, path, format!("{findings:#?}")));
            continue;
        };
        let cells: Vec<String> = found.cells.iter().map(ToString::to_string).collect();
        if found.cells.is_empty()
            || !cells.iter().map(String::as_str).take(tried.cells.len()).eq(tried.cells.iter().copied())
        {
            wrong.push((tried.rule, path, format!("{cells:?}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
