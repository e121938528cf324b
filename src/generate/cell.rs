//! How the legacy system writes values.

use std::borrow::Cow;

use chrono::{NaiveDate, NaiveDateTime};

/// A value that stands in one cell.
pub(super) trait Cell {
    /// The text of the cell; blank for an absent value.
    fn text(&self) -> Cow<'_, str>;
}

/// An amount, written in pounds with two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pounds(pub(super) i64);

/// An amount, written in pence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pence(pub(super) i64);

/// What a register showed, in hundredths; written with two places, or without if it was read by eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dial {
    /// Hundredths of a unit.
    pub(super) hundredths: i64,
    /// Whether only the whole units are written.
    pub(super) whole: bool,
}

impl Cell for String {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Cell for &'static str {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Cell for bool {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "Y" } else { "N" })
    }
}

impl Cell for i64 {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

impl Cell for NaiveDate {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.format("%d/%m/%Y").to_string())
    }
}

impl Cell for NaiveDateTime {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.format("%d/%m/%Y %H:%M:%S").to_string())
    }
}

impl Cell for Pounds {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(two_places(self.0))
    }
}

impl Cell for Pence {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

impl Cell for Dial {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(if self.whole { (self.hundredths / 100).to_string() } else { two_places(self.hundredths) })
    }
}

impl<T: Cell> Cell for Option<T> {
    fn text(&self) -> Cow<'_, str> {
        self.as_ref().map_or(Cow::Borrowed(""), Cell::text)
    }
}

/// A number of hundredths with its two places: `-5` is `-0.05`.
fn two_places(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_legacy_system_does() {
        assert_eq!(Pounds(-5).text(), "-0.05");
        assert_eq!(Pounds(123_456).text(), "1234.56");
        assert_eq!(Pence(-5).text(), "-5");
        assert_eq!(Dial { hundredths: 98_099, whole: true }.text(), "980");
        assert_eq!(Dial { hundredths: 98_009, whole: false }.text(), "980.09");
        assert_eq!(NaiveDate::from_ymd_opt(2026, 7, 1).text(), "01/07/2026");
        assert_eq!(None::<bool>.text(), "");
    }
}
