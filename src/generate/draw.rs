//! Seeded chance: the same seed, the same data, on any machine.

use chrono::{Days, NaiveDate};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// A stream of random choices of its own.
#[derive(Debug)]
pub(super) struct Draw {
    rng: StdRng,
}

impl Draw {
    /// The stream number `stream` of the kind `purpose`, for `seed`.
    pub(super) fn new(seed: u64, purpose: [u8; 8], stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&purpose);
        key[16..24].copy_from_slice(&stream.to_le_bytes());
        Self { rng: StdRng::from_seed(key) }
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.per_mille(percent * 10)
    }

    /// Whether something happens that happens `share` times in a thousand.
    pub(super) fn per_mille(&mut self, share: u32) -> bool {
        self.rng.random_range(0..1000) < share
    }

    /// A number from `low` to `high`, both included; `low` if there is none.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low { low } else { self.rng.random_range(low..=high) }
    }

    /// A position in a list of `count` things; 0 if there are none.
    pub(super) fn index(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { self.rng.random_range(0..count) }
    }

    /// One of `choices`, which are not empty.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.index(choices.len())]
    }

    /// One of `choices`, each as often as its weight says.
    pub(super) fn weighted<'a>(&mut self, choices: &[(&'a str, u32)]) -> &'a str {
        let total: u32 = choices.iter().map(|(_, weight)| weight).sum();
        let mut ticket = self.rng.random_range(0..total.max(1));
        for (choice, weight) in choices {
            if ticket < *weight {
                return choice;
            }
            ticket -= weight;
        }
        ""
    }

    /// A day from `first` to `last`, both included.
    pub(super) fn day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        first + Days::new(self.between(0, (last - first).num_days()) as u64)
    }

    /// `count` random digits.
    pub(super) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.rng.random_range(0..10_u8))).collect()
    }
}
