//! JSON text, as the canonical payload spells it: UTF-8, short escapes, no white space.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};

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
pub fn json_key(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    push_string(&mut key, name.as_bytes());
    key.push(b':');
    key.into()
}

/// Appends a whole number.
pub fn push_integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a decimal with all of its `scale` digits after the point.
pub fn push_decimal(out: &mut Vec<u8>, unscaled: i64, scale: u32) {
    if scale == 0 {
        return push_integer(out, unscaled);
    }
    let mut digits = [b'0'; 40];
    let mut at = digits.len();
    let mut rest = unscaled.unsigned_abs();
    let mut written = 0;
    while rest > 0 || written <= scale {
        if written == scale {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if unscaled < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `YYYY-MM-DD`.
pub fn push_date(out: &mut Vec<u8>, date: NaiveDate) {
    let (year, month, day) = (date.year() as u32, date.month(), date.day());
    let digit = |number: u32| b'0' + (number % 10) as u8;
    out.extend_from_slice(&[
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
    ]);
}

/// Appends `YYYY-MM-DDTHH:MM:SSZ`.
pub fn push_datetime(out: &mut Vec<u8>, instant: DateTime<Utc>) {
    push_date(out, instant.date_naive());
    let digit = |number: u32| b'0' + (number % 10) as u8;
    let two = |number: u32| [digit(number / 10), digit(number)];
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(instant.hour()), two(instant.minute()), two(instant.second()));
    out.extend_from_slice(&[b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z']);
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
        let date = NaiveDate::from_ymd_opt(2019, 8, 1).unwrap();
        assert_eq!(written(|out| push_date(out, date)), "2019-08-01");
        let instant = date.and_hms_opt(10, 20, 5).unwrap().and_utc();
        assert_eq!(written(|out| push_datetime(out, instant)), "2019-08-01T10:20:05Z");
    }

    proptest! {
        #[test]
        fn strings_are_spelt_as_serde_json_spells_them(text in ".*") {
            prop_assert_eq!(written(|out| push_string(out, text.as_bytes())), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn decimals_are_spelt_as_rust_decimal_spells_them(unscaled in -10_i64.pow(17)..10_i64.pow(17), scale in 0..16_u32) {
            let expected = rust_decimal::Decimal::new(unscaled, scale).to_string();
            prop_assert_eq!(written(|out| push_decimal(out, unscaled, scale)), expected);
        }
    }
}
