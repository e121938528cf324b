//! What kind of value a text may be: a number, a flag, a date in one of the ways that extracts write them.
//!
//! Numbers are decimals, never floats. A text may fit several ways of writing a date (`03/04/2019`); each is counted,
//! and the one that fits most cells is the column's.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use rust_decimal::Decimal;

/// The ways of writing dates and times that are looked for: chrono's format, and its picture, where each digit of the
/// text stands under a letter of its part. Of two that fit as well, the first is taken.
pub(super) const FORMATS: [(&str, &str); 21] = [
    ("%Y-%m-%d", "YYYY-MM-DD"),
    ("%d/%m/%Y", "DD/MM/YYYY"),
    ("%m/%d/%Y", "MM/DD/YYYY"),
    ("%d.%m.%Y", "DD.MM.YYYY"),
    ("%d-%m-%Y", "DD-MM-YYYY"),
    ("%Y/%m/%d", "YYYY/MM/DD"),
    ("%Y%m%d", "YYYYMMDD"),
    ("%d-%b-%Y", "DD-BBB-YYYY"),
    ("%d %b %Y", "DD BBB YYYY"),
    ("%d/%m/%y", "DD/MM/yy"),
    ("%d.%m.%y", "DD.MM.yy"),
    ("%Y-%m-%d %H:%M:%S", "YYYY-MM-DD hh:mm:ss"),
    ("%Y-%m-%dT%H:%M:%S", "YYYY-MM-DDThh:mm:ss"),
    ("%Y-%m-%dT%H:%M:%SZ", "YYYY-MM-DDThh:mm:ssZ"),
    ("%Y-%m-%d %H:%M", "YYYY-MM-DD hh:mm"),
    ("%d/%m/%Y %H:%M:%S", "DD/MM/YYYY hh:mm:ss"),
    ("%d/%m/%Y %H:%M", "DD/MM/YYYY hh:mm"),
    ("%d.%m.%Y %H:%M:%S", "DD.MM.YYYY hh:mm:ss"),
    ("%Y%m%d%H%M%S", "YYYYMMDDhhmmss"),
    ("%H:%M", "hh:mm"),
    ("%H:%M:%S", "hh:mm:ss"),
];

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Whether the format with this number has a day, and a time.
pub(super) fn parts(format: usize) -> (bool, bool) {
    let picture = FORMATS[format].1;
    (picture.contains("DD"), picture.contains("hh"))
}

/// The instant that `text` is in format number `format`, in seconds since the epoch as if it were UTC.
pub(super) fn instant(text: &[u8], format: usize) -> Option<i64> {
    let picture = FORMATS[format].1.as_bytes();
    if text.len() != picture.len() {
        return None;
    }
    let (mut year, mut month, mut day) = (0_i32, 0_u32, 0_u32);
    let (mut hour, mut minute, mut second) = (0_u32, 0_u32, 0_u32);
    let mut is_short = false;
    for (at, (byte, part)) in text.iter().zip(picture).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        let is_digit = digit < 10;
        let number = match part {
            b'B' => {
                if at < 2 || picture[at - 1] != b'B' {
                    let name = text.get(at..at + 3)?.to_ascii_lowercase();
                    month = MONTHS.iter().position(|known| known[..] == name[..])? as u32 + 1;
                }
                continue;
            }
            b'Y' | b'y' if is_digit => {
                is_short |= *part == b'y';
                year = year * 10 + i32::from(digit);
                continue;
            }
            b'M' => &mut month,
            b'D' => &mut day,
            b'h' => &mut hour,
            b'm' => &mut minute,
            b's' => &mut second,
            fixed if fixed == byte => continue,
            _ => return None,
        };
        if !is_digit {
            return None;
        }
        *number = *number * 10 + u32::from(digit);
    }
    if is_short {
        year += if year < 70 { 2000 } else { 1900 };
    }
    let (has_day, _) = parts(format);
    if has_day && !(1000..=9999).contains(&year) {
        return None;
    }
    // Eight or fourteen digits are a number as well: only years that customers live in make them a date.
    if !text.iter().any(|byte| !byte.is_ascii_digit()) && !(1900..=2100).contains(&year) {
        return None;
    }
    let date = if has_day { NaiveDate::from_ymd_opt(year, month, day)? } else { NaiveDate::default() };
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    Some(NaiveDateTime::new(date, time).and_utc().timestamp())
}

/// How a number is written.
#[expect(clippy::struct_excessive_bools, reason = "habits that have nothing to do with each other")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// With a decimal point.
    pub(super) point: bool,
    /// With a decimal comma.
    pub(super) comma: bool,
    /// With its sign behind it.
    pub(super) sign_behind: bool,
    /// With a sign.
    pub(super) negative: bool,
    /// With digits that a number would not need before it: `007`.
    pub(super) zeros: bool,
}

/// The number that `text` is, and how it is written.
pub(super) fn number(text: &[u8]) -> Option<(Decimal, Written)> {
    let mut written = Written::default();
    let mut rest = text;
    if let Some((sign @ (b'-' | b'+'), after)) = rest.split_first() {
        written.negative = *sign == b'-';
        rest = after;
    } else if let Some((b'-', before)) = rest.split_last() {
        (written.negative, written.sign_behind) = (true, true);
        rest = before;
    }
    let mut value: i128 = 0;
    let (mut digits, mut places) = (0_u32, None::<u32>);
    for byte in rest {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if digits > 27 {
                    return None;
                }
                value = value * 10 + i128::from(byte - b'0');
                places = places.map(|places| places + 1);
            }
            b'.' | b',' if places.is_none() && digits > 0 => {
                places = Some(0);
                (written.point, written.comma) = (*byte == b'.', *byte == b',');
            }
            _ => return None,
        }
    }
    if digits == 0 || places == Some(0) {
        return None;
    }
    written.zeros = rest.len() > 1 && rest[0] == b'0' && rest[1].is_ascii_digit();
    let value = if written.negative { -value } else { value };
    Some((Decimal::try_from_i128_with_scale(value, places.unwrap_or(0)).ok()?, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(text: &str) -> Vec<&'static str> {
        (0..FORMATS.len()).filter(|at| instant(text.as_bytes(), *at).is_some()).map(|at| FORMATS[at].0).collect()
    }

    #[test]
    fn dates_fit_the_formats_that_chrono_reads_them_by() {
        assert_eq!(formats("2026-02-28"), ["%Y-%m-%d"]);
        assert_eq!(formats("03/04/2019"), ["%d/%m/%Y", "%m/%d/%Y"]);
        assert_eq!(formats("31/12/2019"), ["%d/%m/%Y"]);
        assert_eq!(formats("28.02.2026"), ["%d.%m.%Y"]);
        assert_eq!(formats("20260701"), ["%Y%m%d"]);
        assert_eq!(formats("10000001"), Vec::<&str>::new(), "an account number");
        assert_eq!(formats("01-Mar-2020"), ["%d-%b-%Y"]);
        assert_eq!(formats("16/10/2020 09:54:40"), ["%d/%m/%Y %H:%M:%S"]);
        assert_eq!(formats("2026-02-30"), Vec::<&str>::new());
        for (format, _) in FORMATS {
            let day = NaiveDate::from_ymd_opt(2019, 11, 23).and_then(|day| day.and_hms_opt(21, 43, 0)).unwrap();
            let text = day.format(format).to_string();
            assert!(formats(&text).contains(&format), "{format}: {text}");
        }
    }

    #[test]
    fn numbers_are_exact_and_their_habits_are_seen() {
        let read = |text: &str| number(text.as_bytes()).map(|(value, written)| (value.to_string(), written));
        assert_eq!(read("0.10"), Some(("0.10".into(), Written { point: true, ..Written::default() })));
        let behind = Written { comma: true, sign_behind: true, negative: true, ..Written::default() };
        assert_eq!(read("145,20-"), Some(("-145.20".into(), behind)));
        assert!(read("007").unwrap().1.zeros && !read("0").unwrap().1.zeros && !read("0.5").unwrap().1.zeros);
        for text in ["", "-", "1.", ".5", "1.2.3", "1,234.5", "12a", "99999999999999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
