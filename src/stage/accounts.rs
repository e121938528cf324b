//! The accounts of an extract, by rank: the order of their names.
//!
//! A rank is what everything else calls an account by. Accounts without a name that can be read come last: they have
//! records, and never a payload.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::AccountKey;

/// The accounts of an extract.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Accounts {
    suppliers: Vec<Arc<str>>,
    /// The supplier of each account that has a name.
    supplier: Vec<u32>,
    /// The numbers of the accounts, one after the other.
    numbers: String,
    /// Where each number ends.
    ends: Vec<u64>,
    /// The record of each account in the root's table.
    rows: Vec<u32>,
}

impl Accounts {
    /// Ranks the accounts `named`: the names, where they can be read, and the records. Two of one name are next to each
    /// other, in the order of their records.
    pub(super) fn rank(mut named: Vec<(Option<AccountKey>, u32)>) -> Self {
        named.sort_unstable_by(|(a, a_row), (b, b_row)| match (a, b) {
            (Some(a), Some(b)) => a.cmp(b).then(a_row.cmp(b_row)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a_row.cmp(b_row),
        });
        let mut accounts = Self { rows: named.iter().map(|(_, row)| *row).collect(), ..Self::default() };
        for (key, _) in named {
            let Some(key) = key else { break };
            if accounts.suppliers.last() != Some(&key.supplier) {
                accounts.suppliers.push(key.supplier);
            }
            accounts.supplier.push(accounts.suppliers.len() as u32 - 1);
            accounts.numbers.push_str(&key.number);
            accounts.ends.push(accounts.numbers.len() as u64);
        }
        accounts
    }

    /// How many accounts there are, with a name or without.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many have a name; their ranks come first.
    #[must_use]
    pub fn named(&self) -> u32 {
        self.supplier.len() as u32
    }

    /// The supplier and the number of the account of rank `rank`, if it has a name.
    #[must_use]
    pub fn name(&self, rank: u32) -> Option<(&Arc<str>, &str)> {
        let rank = rank as usize;
        let supplier = *self.supplier.get(rank)? as usize;
        let start = rank.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        Some((&self.suppliers[supplier], &self.numbers[start..self.ends[rank] as usize]))
    }

    /// The name of the account of rank `rank`, if it has one.
    #[must_use]
    pub fn key(&self, rank: u32) -> Option<AccountKey> {
        self.name(rank).map(|(supplier, number)| AccountKey::new(supplier.clone(), number))
    }

    /// The record of the account in the root's table.
    #[must_use]
    pub fn row(&self, rank: u32) -> u32 {
        self.rows[rank as usize]
    }

    /// The other accounts of the same name.
    pub fn twins(&self, rank: u32) -> impl Iterator<Item = u32> + '_ {
        let name = self.name(rank);
        let same = move |other: &u32| name.is_some() && self.name(*other) == name;
        (0..rank).rev().take_while(same).chain((rank + 1..self.named()).take_while(same))
    }

    /// The rank of each record of the root's table.
    pub(super) fn ranks(&self, rows: u32) -> Vec<u32> {
        super::keys::inverse(&self.rows, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::keys::NO_ROW;

    #[test]
    fn accounts_are_ranked_by_name_and_the_nameless_come_last() {
        let key = |supplier: &str, number: &str| Some(AccountKey::new(supplier, number));
        let named = vec![(key("B", "1"), 0), (None, 1), (key("A", "2"), 2), (key("A", "10"), 3), (key("A", "2"), 4)];
        let accounts = Accounts::rank(named);
        let keys: Vec<String> = (0..5).filter_map(|rank| Some(accounts.key(rank)?.to_string())).collect();
        assert_eq!(keys, ["A/10", "A/2", "A/2", "B/1"]);
        assert_eq!((0..5).map(|rank| accounts.row(rank)).collect::<Vec<_>>(), [3, 2, 4, 0, 1]);
        assert_eq!(accounts.twins(1).collect::<Vec<_>>(), [2]);
        assert_eq!(accounts.twins(0).count() + accounts.twins(3).count() + accounts.twins(4).count(), 0);
        assert_eq!((accounts.len(), accounts.named()), (5, 4));
        assert_eq!(accounts.ranks(6), [3, 4, 1, 0, 2, NO_ROW]);
    }
}
