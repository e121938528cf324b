//! Numbers on a wave's list that may mean either of two accounts.

use std::collections::{HashMap, HashSet};

use crate::assemble::{Row, Selection};
use crate::finding::{Finding, Severity};
use crate::stage::accounts::Accounts;

/// Numbers that `selection` gives without a supplier, and that `accounts` of several suppliers have.
pub(super) fn numbers(selection: &Selection, accounts: &Accounts) -> HashSet<String> {
    let Some(wanted) = &selection.accounts else { return HashSet::new() };
    let mut suppliers = HashMap::new();
    let mut ambiguous = HashSet::new();
    for (supplier, number) in (0..accounts.len()).filter_map(|rank| accounts.name(rank)) {
        let first = suppliers.entry(number).or_insert(supplier);
        if *first != supplier && wanted.contains(&(None, number.to_owned())) {
            ambiguous.insert(number.to_owned());
        }
    }
    ambiguous
}

/// An error if the list may mean another account: neither of them goes.
pub(super) fn finding(numbers: &HashSet<String>, account: Row<'_>) -> Option<Finding> {
    let number = &account.account_key()?.number;
    numbers.contains(&**number).then(|| Finding {
        code: "ambiguous_account".into(),
        severity: Severity::Error,
        path: "external_account_number".into(),
        message: format!("the list names account {number}, which several suppliers have: write `supplier,account`"),
        cells: vec![account.record()],
    })
}
