//! Which accounts of an extract are built.

use std::collections::HashSet;
use std::ops::Range;

use crate::finding::{Finding, Severity};
use crate::stage::accounts::Accounts;

/// Which accounts to build.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Account numbers, with or without their supplier; none: all.
    pub accounts: Option<HashSet<(Option<String>, String)>>,
    /// At most so many, in the order of their numbers.
    pub limit: Option<usize>,
}

/// The accounts of an extract that a selection takes, by rank.
#[derive(Debug)]
pub(super) struct Selected {
    /// None: all.
    ranks: Option<Vec<bool>>,
    count: u64,
}

impl Selection {
    /// What the selection takes of `accounts`; findings about selected names that no account has.
    ///
    /// An account without a name is taken, whatever was asked for: it may be one that was.
    pub(super) fn select(&self, accounts: &Accounts) -> (Selected, Vec<Finding>) {
        if self.accounts.is_none() && self.limit.is_none() {
            return (Selected { ranks: None, count: accounts.len().into() }, Vec::new());
        }
        let mut found: HashSet<(Option<&str>, &str)> = HashSet::new();
        let mut left = self.limit.unwrap_or(usize::MAX);
        let ranks: Vec<bool> = (0..accounts.len())
            .map(|rank| {
                let Some((supplier, number)) = accounts.name(rank) else { return true };
                let takes = match &self.accounts {
                    None => true,
                    Some(wanted) => {
                        let named = [(Some(supplier.to_string()), number.to_owned()), (None, number.to_owned())];
                        let known = named.iter().filter_map(|name| wanted.get(name));
                        let known: Vec<_> = known.map(|(supplier, number)| (supplier.as_deref(), &**number)).collect();
                        found.extend(&known);
                        !known.is_empty()
                    }
                };
                let takes = takes && left > 0;
                left -= usize::from(takes);
                takes
            })
            .collect();
        let count = ranks.iter().filter(|taken| **taken).count() as u64;
        (Selected { ranks: Some(ranks), count }, self.unknown(&found))
    }

    fn unknown(&self, found: &HashSet<(Option<&str>, &str)>) -> Vec<Finding> {
        let wanted = self.accounts.iter().flatten();
        let mut unknown: Vec<&(Option<String>, String)> =
            wanted.filter(|(supplier, number)| !found.contains(&(supplier.as_deref(), number.as_str()))).collect();
        unknown.sort();
        let finding = |(supplier, number): &(Option<String>, String)| {
            let name = supplier.as_ref().map_or_else(|| number.clone(), |supplier| format!("{supplier},{number}"));
            Finding {
                code: "unknown_account".into(),
                severity: Severity::Error,
                path: "external_account_number".into(),
                message: format!("the list names account {name}, and the extract has no such account"),
                cells: Vec::new(),
            }
        };
        unknown.into_iter().map(finding).collect()
    }
}

impl Selected {
    /// How many accounts are taken.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Which of the accounts `ranks` are taken; none: all of them.
    pub(super) fn among(&self, ranks: Range<u32>) -> Option<Vec<bool>> {
        let taken = self.ranks.as_ref()?.get(ranks.start as usize..ranks.end as usize)?;
        taken.contains(&false).then(|| taken.to_vec())
    }
}
