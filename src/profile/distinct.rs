//! How many different values there are, from the smallest hashes alone.
//!
//! A sketch keeps the [`KEPT`] smallest hashes of what it has seen. Below that many it is exact (but for two values of
//! one 64-bit hash); above, the largest hash kept tells how dense hashes lie, and so how many there must be, with a
//! standard error of some 2 %. Two sketches also tell how much of one column's values stand in another, because both
//! keep the same part of the hashes; no library does both, and this is all there is to it.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashSet;

/// How many hashes a sketch keeps. The relative error of an estimate is about one over the root of it.
const KEPT: usize = 2048;

/// The hash of a cell's text: the same in every run.
pub(super) fn hash(text: &[u8]) -> u64 {
    FixedState::with_seed(0x5117_3a70).hash_one(text)
}

/// Hashes are hashed already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole hashes are hashed");
    }
    fn write_u64(&mut self, hash: u64) {
        // Hashes below a threshold share their upper bits, which the table takes its tags from.
        self.0 = hash.rotate_left(32);
    }
}

/// A set of hashes.
pub(super) type Hashes = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// The smallest hashes of a column.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    /// All hashes seen up to `below`, at most twice [`KEPT`].
    kept: Hashes,
    /// No larger hash is kept.
    below: u64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { kept: Hashes::default(), below: u64::MAX }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, hash: u64) {
        if hash <= self.below && self.kept.insert(hash) && self.kept.len() >= 2 * KEPT {
            self.shrink();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.below = self.below.min(other.below);
        for hash in &other.kept {
            self.add(*hash);
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        let below = self.below;
        let mut hashes: Vec<u64> = self.kept.drain().filter(|hash| *hash <= below).collect();
        if hashes.len() > KEPT {
            hashes.select_nth_unstable(KEPT - 1);
            hashes.truncate(KEPT);
            self.below = hashes.iter().copied().max().unwrap_or(u64::MAX);
        }
        self.kept = hashes.into_iter().collect();
    }

    /// How many different hashes were seen, and whether that is exact.
    pub(super) fn distinct(&self) -> (u64, bool) {
        let mut sorted: Vec<u64> = self.kept.iter().copied().collect();
        if sorted.len() <= KEPT && self.below == u64::MAX {
            return (sorted.len() as u64, true);
        }
        sorted.sort_unstable();
        sorted.truncate(KEPT);
        let largest = sorted.last().copied().unwrap_or(u64::MAX).max(1);
        let density = (u128::from(u64::MAX) * (sorted.len() as u128 - 1)) / u128::from(largest);
        (u64::try_from(density).unwrap_or(u64::MAX), false)
    }

    /// Of the hashes that both sketches would have kept: how many this one has, and how many of those the other has.
    pub(super) fn within(&self, other: &Self) -> (usize, usize) {
        let below = self.below.min(other.below);
        let mine = self.kept.iter().filter(|hash| **hash <= below);
        mine.fold((0, 0), |(all, both), hash| (all + 1, both + usize::from(other.kept.contains(hash))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(numbers: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::default();
        for number in numbers {
            sketch.add(hash(number.to_string().as_bytes()));
        }
        sketch
    }

    #[test]
    fn few_are_counted_and_many_are_estimated() {
        assert_eq!(sketch(0..0).distinct(), (0, true));
        assert_eq!(sketch(0..2000).distinct(), (2000, true));
        for many in [10_000, 100_000, 1_000_000] {
            let (about, exact) = sketch(0..many).distinct();
            assert!(!exact && about.abs_diff(u64::from(many)) < u64::from(many) / 12, "{about} for {many}");
        }
    }

    #[test]
    fn halves_together_are_the_whole_in_either_order() {
        let whole = sketch(0..50_000).distinct();
        let (mut one, mut other) = (sketch(0..30_000), sketch(20_000..50_000));
        let first = one.clone();
        one.merge(&other);
        other.merge(&first);
        assert_eq!(one.distinct(), whole);
        assert_eq!(other.distinct(), whole);
    }

    #[test]
    fn containment_is_told_from_samples() {
        let (parents, children, strangers) = (sketch(0..100_000), sketch(0..40_000), sketch(90_000..190_000));
        let (all, both) = children.within(&parents);
        assert!(all > 500 && all == both);
        let (all, both) = strangers.within(&parents);
        assert!(both * 5 < all, "{both} of {all}");
    }
}
