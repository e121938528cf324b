//! Numbers and instants as people in Great Britain read them.

use chrono::{DateTime, Utc};
use chrono_tz::Europe::London;

/// A number with a comma between groups of three digits.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Pence in pounds: `£1,234.05`.
pub(super) fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "−" } else { "" };
    let pence = pence.unsigned_abs();
    format!("{sign}£{}.{:02}", count((pence / 100) as i64), pence % 100)
}

/// `part` of `whole` in percent, to one place; the last tenth is rounded towards the middle, so that neither nothing nor
/// everything is said of what is only nearly so.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    let tenths = if part > 0 { tenths.max(1) } else { 0 };
    if tenths.is_multiple_of(10) { format!("{}%", tenths / 10) } else { format!("{}.{}%", tenths / 10, tenths % 10) }
}

/// An instant as clocks in London show it: `Tue 24 Nov 2026, 02:10:05 GMT`; a text that is no instant stays as it is.
pub(super) fn when(instant: &str) -> String {
    match instant.parse::<DateTime<Utc>>() {
        Ok(at) => at.with_timezone(&London).format("%a %-d %b %Y, %H:%M:%S %Z").to_string(),
        Err(_) => instant.to_owned(),
    }
}

/// The same to the minute and without the year, where there is little room: `24 Nov 02:10`.
pub(super) fn shortly(instant: &str) -> String {
    match instant.parse::<DateTime<Utc>>() {
        Ok(at) => at.with_timezone(&London).format("%-d %b %H:%M").to_string(),
        Err(_) => instant.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_pennies_are_two() {
        assert_eq!((count(0), count(999), count(-1_234_567)), ("0".into(), "999".into(), "−1,234,567".into()));
        assert_eq!((pounds(5), pounds(-123_456)), ("£0.05".into(), "−£1,234.56".into()));
        assert_eq!(pounds(i64::MIN), "−£92,233,720,368,547,758.08");
    }

    #[test]
    fn nearly_nothing_and_nearly_everything_are_told_as_such() {
        let cases = [(0, 0, "–"), (0, 9, "0%"), (1, 1_000_000, "0.1%"), (999_999, 1_000_000, "99.9%"), (1, 8, "12.5%")];
        for (part, whole, expected) in cases {
            assert_eq!(percent(part, whole), expected);
        }
        assert_eq!(percent(7, 7), "100%");
    }

    #[test]
    fn instants_are_told_by_london_clocks() {
        assert_eq!(when("2026-11-24T02:10:05.123Z"), "Tue 24 Nov 2026, 02:10:05 GMT");
        assert_eq!(when("2026-07-01T23:10:05Z"), "Thu 2 Jul 2026, 00:10:05 BST");
        assert_eq!(shortly("2026-07-01T23:10:05Z"), "2 Jul 00:10");
        assert_eq!((when("never"), shortly("never")), ("never".into(), "never".into()));
    }
}
