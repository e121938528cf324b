//! Short texts as numbers: up to seven bytes, and how many there are.
//!
//! Codes, flags and small numbers are most of what an extract says. As a number such a text is compared, hashed and
//! stored in one step, without a look at its bytes one by one.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// The longest text that is a word, in bytes.
pub const WORD_BYTES_MAX: usize = 7;

/// Where the number of bytes stands in a word.
pub const LENGTH_SHIFT: u32 = 56;

/// The word `text` is, if it is short enough. No two texts are one word.
#[must_use]
pub fn word(text: &[u8]) -> Option<u64> {
    if text.len() > WORD_BYTES_MAX {
        return None;
    }
    let mut bytes = [0; 8];
    for (byte, of_text) in bytes.iter_mut().zip(text) {
        *byte = *of_text;
    }
    Some(u64::from_le_bytes(bytes) | (text.len() as u64) << LENGTH_SHIFT)
}

/// Whether one of the bytes of `word` cannot stand in a JSON string as it is: a control character, `"` or `\`.
#[must_use]
pub fn word_needs_escape(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let bytes = word & (u64::MAX >> 8);
    let length = (word >> LENGTH_SHIFT) & 15;
    let within = (1_u64 << (8 * length)) - 1;
    // Whether a byte is zero, for each byte: Hacker's Delight, 6-1; exact where no byte above it is.
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGHS;
    let controls = bytes.wrapping_sub(ONES * 0x20) & !bytes & HIGHS;
    (controls | zeros(bytes ^ (ONES * u64::from(b'"'))) | zeros(bytes ^ (ONES * u64::from(b'\\')))) & within != 0
}

/// The texts of a list, and the number of each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Codes {
    words: HashMap<u64, u32, FixedState>,
    longer: HashMap<Box<[u8]>, u32, FixedState>,
    /// The words and their numbers again, each at its home or behind it: a look-up is a product and a comparison.
    slots: Vec<(u64, u32)>,
}

/// What no word is: it would have 255 bytes.
const FREE: u64 = u64::MAX;

impl Codes {
    /// The codes of `texts`, by their place; of equal ones, the first counts.
    pub fn new(texts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut codes = Self::default();
        for (number, text) in (0..).zip(texts) {
            codes.insert(text.as_ref(), number);
        }
        codes.close();
        codes
    }

    /// Gives `text` a number; tells whether it had none before.
    pub fn insert(&mut self, text: &[u8], number: u32) -> bool {
        let known = match word(text) {
            Some(word) => *self.words.entry(word).or_insert(number),
            None => *self.longer.entry(text.into()).or_insert(number),
        };
        known == number
    }

    /// Readies the list for look-ups; nothing is inserted afterwards.
    pub fn close(&mut self) {
        self.slots = vec![(FREE, 0); (2 * self.words.len()).next_power_of_two().max(2)];
        let mut words: Vec<(u64, u32)> = self.words.iter().map(|(word, number)| (*word, *number)).collect();
        words.sort_unstable();
        for (word, number) in words {
            let mut at = self.home(word);
            while self.slots[at].0 != FREE {
                at = (at + 1) % self.slots.len();
            }
            self.slots[at] = (word, number);
        }
    }

    /// Where the search for a word starts.
    #[inline]
    fn home(&self, word: u64) -> usize {
        // The golden ratio spreads words that differ in a byte alone.
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.slots.len() - 1)
    }

    /// The number of a text. The list is closed.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        word(text).map_or_else(|| self.longer.get(text).copied(), |word| self.find_word(word))
    }

    /// The number of a text that is a word. The list is closed.
    #[inline]
    #[must_use]
    pub fn find_word(&self, word: u64) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.home(word);
        loop {
            let (known, number) = self.slots[at];
            if known == word {
                return Some(number);
            }
            if known == FREE {
                return None;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::render::needs_escape;
    use proptest::prelude::*;

    #[test]
    fn no_two_texts_are_one_word() {
        let texts: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"abcdefg", b"gfedcba"];
        for (at, text) in texts.iter().enumerate() {
            assert!(texts[at + 1..].iter().all(|other| word(other) != word(text)));
        }
        assert_eq!(word(b"abcdefgh"), None);
    }

    #[test]
    fn codes_are_found_short_or_long_few_or_many() {
        for count in [3_u32, 50] {
            let texts: Vec<String> =
                (0..count).map(|number| "x".repeat(number as usize % 20) + &number.to_string()).collect();
            let codes = Codes::new(&texts);
            for (number, text) in (0..).zip(&texts) {
                assert_eq!(codes.find(text.as_bytes()), Some(number), "{text}");
            }
            assert_eq!((codes.find(b""), codes.find(b"y"), codes.find(b"a longer text")), (None, None, None));
        }
    }

    proptest! {
        #[test]
        fn a_word_needs_escapes_if_its_text_does(text in proptest::collection::vec(any::<u8>(), 0..8)) {
            prop_assert_eq!(word_needs_escape(word(&text).unwrap()), needs_escape(&text));
        }
    }
}
