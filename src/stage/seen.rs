//! Which fingerprints came before: a filter that forgets none and takes a few for others.
//!
//! Every record of a table with a key is asked about, from all threads; a byte a record is all there is room for. What
//! it says was seen is looked at again in [`super::duplicates`].

use std::sync::atomic::{AtomicU64, Ordering};

/// Fingerprints seen so far.
#[derive(Debug)]
pub(super) struct Seen {
    words: Vec<AtomicU64>,
}

/// The most words a filter may have: 512 MiB of them.
const WORDS_MAX: usize = 1 << 26;

impl Seen {
    /// A filter for about `records` fingerprints: eight bits each, of which each sets three.
    pub(super) fn new(records: u64) -> Self {
        let words = usize::try_from(records / 8).unwrap_or(WORDS_MAX).clamp(1, WORDS_MAX).next_power_of_two();
        Self { words: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }

    /// Notes `fingerprints`; those that may have been noted before go to `repeated` too.
    pub(super) fn note(&self, fingerprints: &[u64], repeated: &mut Vec<u64>) {
        // Asks for all words before the first is changed, so that the processor waits for many cache lines at once.
        let touched = fingerprints.iter().map(|fingerprint| self.word(*fingerprint).load(Ordering::Relaxed));
        std::hint::black_box(touched.fold(0, |all, word| all ^ word));
        for &fingerprint in fingerprints {
            let bits = 1 << (fingerprint & 63) | 1 << (fingerprint >> 6 & 63) | 1 << (fingerprint >> 12 & 63);
            if self.word(fingerprint).fetch_or(bits, Ordering::Relaxed) & bits == bits {
                repeated.push(fingerprint);
            }
        }
    }

    fn word(&self, fingerprint: u64) -> &AtomicU64 {
        &self.words[(fingerprint >> 20) as usize & (self.words.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::keys::KeyBytes;

    #[test]
    fn none_is_forgotten_and_few_are_mistaken() {
        let seen = Seen::new(100_000);
        let mut keys = KeyBytes::default();
        for number in 0..100_000_u32 {
            keys.push(std::iter::once(&number.to_le_bytes()[..]));
        }
        let fingerprints: Vec<u64> = keys.fingerprints().collect();
        let mut mistaken = Vec::new();
        seen.note(&fingerprints, &mut mistaken);
        assert!(mistaken.len() < 5_000, "{}", mistaken.len());
        let mut all = Vec::new();
        seen.note(&fingerprints, &mut all);
        assert_eq!(all, fingerprints);
    }
}
