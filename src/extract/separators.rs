//! Where the delimiters, line ends and quotes of a text are, 64 bytes at a time.
//!
//! Most cells are a few bytes long, so a search that begins anew at every cell spends its time beginning. Here a block of
//! bytes is compared as a whole, in a loop that the compiler turns into a few wide instructions, and becomes a number
//! whose bits are the places found.

/// Finds separators from front to back.
#[derive(Debug)]
pub(super) struct Separators {
    delimiter: u8,
    /// The delimiter again, if the dialect has none.
    quote: u8,
    /// Where the block starts.
    block: usize,
    /// The places in the block that are not told yet: the lowest bit is its first byte.
    found: u64,
}

/// The bytes of a block.
const BLOCK: usize = u64::BITS as usize;

impl Separators {
    /// The separators of `text` from its start.
    pub(super) fn new(delimiter: u8, quote: Option<u8>, text: &[u8]) -> Self {
        let mut separators = Self { delimiter, quote: quote.unwrap_or(delimiter), block: 0, found: 0 };
        separators.seek(text, 0);
        separators
    }

    /// Goes on at `place` of `text`.
    pub(super) fn seek(&mut self, text: &[u8], place: usize) {
        self.block = place - place % BLOCK;
        self.found = self.look(text) & (u64::MAX << (place % BLOCK));
    }

    /// The next separator of `text`.
    #[inline]
    pub(super) fn next(&mut self, text: &[u8]) -> Option<usize> {
        while self.found == 0 {
            self.block += BLOCK;
            if self.block >= text.len() {
                return None;
            }
            self.found = self.look(text);
        }
        let place = self.block + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(place)
    }

    /// The places of the separators in the block.
    fn look(&self, text: &[u8]) -> u64 {
        let rest = text.get(self.block..).unwrap_or_default();
        if let Some(block) = rest.first_chunk() {
            return self.places(block);
        }
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        self.places(&block) & !(u64::MAX << rest.len())
    }

    #[inline]
    fn places(&self, block: &[u8; BLOCK]) -> u64 {
        // Gathers the lowest bits of eight bytes in the highest byte: no two products of them meet.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let (delimiter, quote) = (self.delimiter, self.quote);
        let is_separator =
            block.map(|byte| u8::from(byte == delimiter) | u8::from(byte == b'\n') | u8::from(byte == quote));
        let mut places = 0;
        for (at, bytes) in is_separator.as_chunks::<8>().0.iter().enumerate() {
            places |= (u64::from_le_bytes(*bytes).wrapping_mul(GATHER) >> 56) << (8 * at);
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_separator_is_found_once(text in "[a\"\n\r,;]{0,200}", from in 0_usize..200) {
            let text = text.as_bytes();
            let from = from.min(text.len());
            let mut separators = Separators::new(b',', Some(b'"'), text);
            separators.seek(text, from);
            let found: Vec<usize> = std::iter::from_fn(|| separators.next(text)).collect();
            let expected: Vec<usize> = (from..text.len()).filter(|at| matches!(text[*at], b',' | b'"' | b'\n')).collect();
            prop_assert_eq!(found, expected);
            let mut unquoted = Separators::new(b';', None, text);
            let found: Vec<usize> = std::iter::from_fn(|| unquoted.next(text)).collect();
            let expected: Vec<usize> = (0..text.len()).filter(|at| matches!(text[*at], b';' | b'\n')).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
