//! JSON text, as the canonical payload spells it: UTF-8, short escapes, no white space.

/// Whether `byte` cannot stand in a JSON string as it is.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether `text` needs an escape in a JSON string.
#[must_use]
pub fn needs_escape(text: &[u8]) -> bool {
    // Without an early exit, so that the compiler can look at many bytes at once.
    text.iter().fold(false, |found, byte| found | is_special(*byte))
}

/// Appends `text` as a JSON string; `text` is UTF-8.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if needs_escape(text) {
        push_escaped(out, text);
    } else {
        out.extend_from_slice(text);
    }
    out.push(b'"');
}

/// Appends `text` with whatever needs it escaped.
pub fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                let [high, low] = [byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            _ => out.push(byte),
        }
    }
}

/// `"name":`
#[must_use]
pub fn json_key(name: &str) -> Literal {
    let mut key = Vec::with_capacity(name.len() + 3);
    push_string(&mut key, name.as_bytes());
    key.push(b':');
    Literal::from(key)
}

/// Bytes that are written again and again: a key, a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The first of them, padded: a copy of a fixed length needs no call.
    padded: [u8; PADDED],
    all: Box<[u8]>,
}

const PADDED: usize = 32;

impl Literal {
    /// Appends the bytes to `out`.
    #[inline]
    pub fn push(&self, out: &mut Vec<u8>) {
        if self.all.len() <= PADDED {
            let end = out.len() + self.all.len();
            out.extend_from_slice(&self.padded);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.all);
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.all
    }
}

impl From<Vec<u8>> for Literal {
    fn from(bytes: Vec<u8>) -> Self {
        let mut padded = [0; PADDED];
        for (slot, byte) in padded.iter_mut().zip(&bytes) {
            *slot = *byte;
        }
        Self { padded, all: bytes.into() }
    }
}

/// Appends the first `length` bytes of `bytes` with a copy of a fixed length.
#[inline]
fn push_first<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], length: usize) {
    let end = out.len() + length.min(N);
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Appends `text`, which needs no escapes and lies at `start` of `arena`, as a JSON string.
#[inline]
pub fn push_plain(out: &mut Vec<u8>, arena: &[u8], start: usize, length: usize) {
    out.push(b'"');
    match arena[start..].first_chunk::<PADDED>() {
        Some(chunk) if length <= PADDED => push_first(out, chunk, length),
        _ => out.extend_from_slice(&arena[start..start + length]),
    }
    out.push(b'"');
}

/// Appends a text of at most seven bytes, the lowest of `word`, as a JSON string; it needs no escapes.
#[inline]
pub fn push_word(out: &mut Vec<u8>, word: u64, length: usize) {
    let mut bytes = [0; 16];
    bytes[0] = b'"';
    bytes[1..9].copy_from_slice(&word.to_le_bytes());
    bytes[1 + length.min(7)] = b'"';
    push_first(out, &bytes, length.min(7) + 2);
}

/// Appends the rest of a JSON string and a comma: a text of at most seven bytes, as [`push_word`] does.
#[inline]
pub fn push_end_of_word(out: &mut Vec<u8>, word: u64, length: usize) {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes[length.min(7)] = b'"';
    bytes[length.min(7) + 1] = b',';
    push_first(out, &bytes, length.min(7) + 2);
}

/// Appends the rest of a JSON string and a comma: a text, as [`push_plain`] does.
#[inline]
pub fn push_end_of_text(out: &mut Vec<u8>, arena: &[u8], start: usize, length: usize) {
    let rest = &arena[start..];
    match (rest.first_chunk::<PADDED>(), rest.first_chunk::<{ 2 * PADDED }>()) {
        (Some(chunk), _) if length <= PADDED => push_first(out, chunk, length),
        (_, Some(chunk)) if length <= 2 * PADDED => push_first(out, chunk, length),
        _ => out.extend_from_slice(&rest[..length]),
    }
    out.extend_from_slice(b"\",");
}

/// The numbers below 100 in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// A number being spelt from its last digit to its first.
struct Spelling {
    /// The text ends in the middle, so that as many bytes as it may have can be copied from wherever it starts.
    bytes: [u8; 2 * SPELLING_BYTES],
    start: usize,
}

/// The most bytes a number may have: a sign, a point and 20 digits.
const SPELLING_BYTES: usize = 24;

impl Spelling {
    fn new() -> Self {
        Self { bytes: [b'0'; 2 * SPELLING_BYTES], start: SPELLING_BYTES }
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    #[inline]
    fn pair(&mut self, number: u64) {
        self.start -= 2;
        self.bytes[self.start..self.start + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
    }

    /// All digits of `rest`.
    #[inline]
    fn digits(&mut self, mut rest: u64) {
        while rest >= 100 {
            self.pair(rest);
            rest /= 100;
        }
        if rest >= 10 {
            self.pair(rest);
        } else {
            self.byte(b'0' + rest as u8);
        }
    }

    #[inline]
    fn push(self, out: &mut Vec<u8>) {
        if let Some(text) = self.bytes[self.start..].first_chunk::<SPELLING_BYTES>() {
            push_first(out, text, SPELLING_BYTES - self.start);
        }
    }
}

/// Appends a whole number.
pub fn push_integer(out: &mut Vec<u8>, value: i64) {
    let mut spelling = Spelling::new();
    spelling.digits(value.unsigned_abs());
    if value < 0 {
        spelling.byte(b'-');
    }
    spelling.push(out);
}

/// Appends a decimal with all of its `scale` digits after the point.
pub fn push_decimal(out: &mut Vec<u8>, unscaled: i64, scale: u32) {
    let mut rest = unscaled.unsigned_abs();
    let mut spelling = Spelling::new();
    if (1..=18).contains(&scale) {
        let mut places = scale;
        while places >= 2 {
            spelling.pair(rest);
            rest /= 100;
            places -= 2;
        }
        if places == 1 {
            spelling.byte(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        spelling.byte(b'.');
    }
    spelling.digits(rest);
    if unscaled < 0 {
        spelling.byte(b'-');
    }
    spelling.push(out);
}

/// The days of dates whose years have four digits.
pub const DAYS_WRITTEN: std::ops::RangeInclusive<i32> = -719_528..=2_932_896;

/// The date `days` after 1970-01-01 as a JSON string; see [`DAYS_WRITTEN`].
#[must_use]
pub fn date_text(days: i32) -> [u8; 12] {
    // Counting years from March, so that the day that comes and goes is the last: Hinnant, "chrono-Compatible
    // Low-Level Date Algorithms".
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097) as u32);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = (era * 400 + year_of_era as i32 + i32::from(month <= 2)) as u32;
    let digit = |number: u32| b'0' + (number % 10) as u8;
    [
        b'"',
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b'"',
    ]
}

/// Appends the date `days` after 1970-01-01, of [`DAYS_WRITTEN`], as a JSON string.
pub fn push_date(out: &mut Vec<u8>, days: i32) {
    out.extend_from_slice(&date_text(days));
}

/// Appends `"YYYY-MM-DDTHH:MM:SSZ"`, a JSON string, for an instant in seconds since 1970-01-01; its day is of
/// [`DAYS_WRITTEN`].
pub fn push_datetime(out: &mut Vec<u8>, seconds: i64) {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    let digit = |number: u32| b'0' + (number % 10) as u8;
    let two = |number: u32| [digit(number / 10), digit(number)];
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(time / 3600), two(time / 60 % 60), two(time % 60));
    out.extend_from_slice(&date_text(days as i32)[..11]);
    out.extend_from_slice(&[b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z', b'"']);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_and_dates_are_spelt_in_full() {
        assert_eq!(written(|out| push_decimal(out, -5, 2)), "-0.05");
        assert_eq!(written(|out| push_decimal(out, 98_000, 2)), "980.00");
        assert_eq!(written(|out| push_decimal(out, 0, 2)), "0.00");
        assert_eq!(written(|out| push_integer(out, i64::MIN)), i64::MIN.to_string());
        let instant = "2019-08-01T10:20:05Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
        assert_eq!(written(|out| push_datetime(out, instant)), r#""2019-08-01T10:20:05Z""#);
    }

    proptest! {
        #[test]
        fn dates_are_spelt_as_chrono_spells_them(days in DAYS_WRITTEN) {
            let expected = chrono::NaiveDate::from_epoch_days(days).unwrap();
            prop_assert_eq!(written(|out| push_date(out, days)), format!("\"{expected}\""));
        }

        #[test]
        fn texts_beside_others_are_spelt_alone(text in "[a-z]{0,80}", before in "[a-z]{0,9}", after in "[a-z]{0,40}") {
            let arena = format!("{before}{text}{after}");
            let expected = format!("\"{text}\"");
            prop_assert_eq!(&written(|out| push_plain(out, arena.as_bytes(), before.len(), text.len())), &expected);
            let end = written(|out| push_end_of_text(out, arena.as_bytes(), before.len(), text.len()));
            prop_assert_eq!(end, format!("{text}\","));
            let literal = Literal::from(text.clone().into_bytes());
            prop_assert_eq!(&written(|out| literal.push(out)), &text);
            if let Some(word) = crate::mapping::word::word(text.as_bytes()) {
                prop_assert_eq!(&written(|out| push_word(out, word, text.len())), &expected);
                prop_assert_eq!(written(|out| push_end_of_word(out, word, text.len())), format!("{text}\","));
            }
        }

        #[test]
        fn strings_are_spelt_as_serde_json_spells_them(text in ".*") {
            prop_assert_eq!(written(|out| push_string(out, text.as_bytes())), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn decimals_are_spelt_as_rust_decimal_spells_them(
            digits in 0..18_u32, unscaled in -10_i64.pow(17)..10_i64.pow(17), scale in 0..16_u32,
        ) {
            let unscaled = unscaled % 10_i64.pow(digits);
            prop_assert_eq!(written(|out| push_integer(out, unscaled)), unscaled.to_string());
            let expected = rust_decimal::Decimal::new(unscaled, scale).to_string();
            prop_assert_eq!(written(|out| push_decimal(out, unscaled, scale)), expected);
        }
    }
}
