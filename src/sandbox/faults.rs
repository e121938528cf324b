//! Which request or account meets which fault.
//!
//! The draws depend on the seed, the account and how often it was asked for, never on time or the order in which
//! requests arrive: a run can be repeated, at any concurrency.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::account::{AccountKey, Digest};

/// What goes wrong. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// How long every reply takes at least.
    pub latency: Duration,
    /// More requests a second than this are answered 429 with `Retry-After`. A bucket of one second's worth.
    pub rate: Option<NonZeroU32>,
    /// One create in so many is answered 503, before it took effect.
    pub unavailable_one_in: Option<NonZeroU32>,
    /// One create in so many takes effect, and the connection is cut before the reply.
    pub lost_reply_one_in: Option<NonZeroU32>,
    /// Accounts that somebody else imported before.
    pub imported: Chosen,
    /// Accounts whose first import ends `ERRORED`; a second one succeeds.
    pub errored: Chosen,
}

/// Some accounts: those named, and one in so many of all, by the seed.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// One account in so many.
    pub one_in: Option<NonZeroU32>,
    /// External account numbers, of any supplier.
    pub numbers: BTreeSet<String>,
}

impl Chosen {
    /// Whether account `key` is among them. `purpose` keeps several choices of one seed apart.
    pub(super) fn contains(&self, seed: u64, purpose: &str, key: &AccountKey) -> bool {
        self.numbers.contains(&*key.number) || strikes(self.one_in, seed, purpose, key, 0)
    }
}

/// Whether the fault `purpose`, which strikes once in `one_in`, strikes the `nth` request for account `key`.
pub(super) fn strikes(one_in: Option<NonZeroU32>, seed: u64, purpose: &str, key: &AccountKey, nth: u32) -> bool {
    one_in.is_some_and(|n| draw(seed, purpose, key, nth).is_multiple_of(u64::from(n.get())))
}

/// A number that looks random and depends on nothing but the arguments.
pub(super) fn draw(seed: u64, purpose: &str, key: &AccountKey, nth: u32) -> u64 {
    let Digest(bytes) = Digest::of(format!("{seed}\0{purpose}\0{}\0{}\0{nth}", key.supplier, key.number).as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> AccountKey {
        AccountKey::new("S", number.to_string())
    }

    #[test]
    fn one_in_ten_is_about_a_tenth_and_the_same_again() {
        let ten = NonZeroU32::new(10);
        let struck: Vec<u32> = (0..10_000).filter(|n| strikes(ten, 7, "x", &key(*n), 1)).collect();
        assert!((850..1_150).contains(&struck.len()), "{}", struck.len());
        assert!(struck.iter().all(|n| strikes(ten, 7, "x", &key(*n), 1)));
        assert!(!struck.iter().all(|n| strikes(ten, 7, "x", &key(*n), 2)), "the next request draws again");
        assert!(!struck.iter().all(|n| strikes(ten, 8, "x", &key(*n), 1)), "another seed strikes others");
        assert!(!struck.iter().all(|n| strikes(ten, 7, "y", &key(*n), 1)), "so does another fault");
    }

    #[test]
    fn named_accounts_are_chosen_and_no_others() {
        let chosen = Chosen { one_in: None, numbers: BTreeSet::from(["7".to_owned()]) };
        assert!(chosen.contains(0, "x", &key(7)));
        assert!(!chosen.contains(0, "x", &key(8)));
    }
}
