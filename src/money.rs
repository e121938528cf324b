//! Money, exactly: the digits of a cell or of a payload, and sums of them that cannot round.
//!
//! Amounts are counted in 10⁻¹⁵ pounds, so that whatever a number may say of a penny is kept; a sum of any book of
//! accounts is far below what 128 bits hold. Nothing here knows how columns are converted: what it says of a cell's
//! text can be held against what became of it.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// Digits after the point that are counted.
const PLACES: u32 = 15;
/// A penny.
const PENNY: i128 = 10_i128.pow(PLACES - 2);
/// Digits that a number may have: as many as a column keeps.
const DIGITS_MAX: usize = 17;

/// An amount of money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amount(i128);

impl Amount {
    /// Nought.
    pub const ZERO: Self = Self(0);

    /// So many pence.
    #[must_use]
    pub fn pence(pence: i64) -> Self {
        Self(i128::from(pence) * PENNY)
    }

    /// So many whole pence, and what lies beyond them, in 10⁻¹³ pence: from nought to one less than a penny.
    #[must_use]
    pub fn of_parts(pence: i64, rest: i64) -> Self {
        Self(i128::from(pence) * PENNY + i128::from(rest))
    }

    /// Whole pence, rounded down, and what lies beyond them: see [`Amount::of_parts`]. A sum beyond 64 bits of pence is
    /// told as the largest there is.
    #[must_use]
    pub fn parts(self) -> (i64, i64) {
        let pence = self.0.div_euclid(PENNY);
        let largest = if pence < 0 { i64::MIN } else { i64::MAX };
        (i64::try_from(pence).unwrap_or(largest), self.0.rem_euclid(PENNY) as i64)
    }

    /// `unscaled` with `places` of its digits after the point, in pounds; `places` is at most 15.
    #[must_use]
    pub fn decimal(unscaled: i64, places: u32) -> Self {
        Self(i128::from(unscaled) * 10_i128.pow(PLACES.saturating_sub(places)))
    }

    /// The amount that `text` says, whose unit is pounds, or pence if `shift` is 2; none if it says none.
    ///
    /// A number is an optional minus, digits, and at most one point between digits: 17 digits that count, and 15 places
    /// in pounds, at the most.
    #[must_use]
    pub fn read(text: &[u8], shift: u32) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let (whole, part) = match memchr::memchr(b'.', digits) {
            Some(point) => (&digits[..point], &digits[point + 1..]),
            None => (digits, &b"0"[..0]),
        };
        if whole.is_empty() || part.is_empty() && whole.len() < digits.len() {
            return None;
        }
        // Noughts at the end of many places say nothing.
        let spare = part.len().saturating_sub((PLACES - shift) as usize);
        let (part, spare) = part.split_at(part.len() - spare);
        if spare.iter().any(|byte| *byte != b'0') {
            return None;
        }
        let places = part.len() as u32 + shift;
        let mut unscaled = 0_i64;
        let mut counted = 0;
        for byte in whole.iter().chain(part) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            counted += usize::from(counted > 0 || digit > 0);
            if counted > DIGITS_MAX {
                return None;
            }
            unscaled = unscaled * 10 + i64::from(digit);
        }
        Some(Self::decimal(if negative { -unscaled } else { unscaled }, places))
    }

    /// Whether it is less than nought.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The number it is, in 10⁻¹⁵ pounds.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// What [`Amount::units`] says.
    #[must_use]
    pub fn of_units(units: i128) -> Self {
        Self(units)
    }
}

impl fmt::Display for Amount {
    /// As a decimal with as many places as it needs, two at the least.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pound = 10_u128.pow(PLACES);
        let (whole, part) = (self.0.unsigned_abs() / pound, self.0.unsigned_abs() % pound);
        let digits = format!("{part:015}");
        let places = digits.trim_end_matches('0').len().max(2);
        let sign = if self.is_negative() { "-" } else { "" };
        write!(f, "{sign}{whole}.{}", &digits[..places])
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.wrapping_neg())
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// How many amounts there are, and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: Amount,
}

impl Total {
    /// One amount.
    #[must_use]
    pub fn one(amount: Amount) -> Self {
        Self { count: 1, sum: amount }
    }

    /// Adds one amount.
    pub fn add(&mut self, amount: Amount) {
        self.count += 1;
        self.sum += amount;
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.count == 0 && self.sum == Amount::ZERO
    }
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

impl SubAssign for Total {
    fn sub_assign(&mut self, other: Self) {
        self.count = self.count.wrapping_sub(other.count);
        self.sum -= other.sum;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn pence(text: &str, shift: u32) -> Option<(i64, i64)> {
        Amount::read(text.as_bytes(), shift).map(Amount::parts)
    }

    #[test]
    fn amounts_are_read_by_hand_checked_digits() {
        for (text, shift, expected) in [
            ("12.34", 0, Some((1234, 0))),
            ("-0.05", 0, Some((-5, 0))),
            ("-5", 2, Some((-5, 0))),
            ("0", 2, Some((0, 0))),
            ("-0.00", 0, Some((0, 0))),
            ("007", 0, Some((700, 0))),
            ("1.005", 0, Some((100, 5_000_000_000_000))),
            ("-1.005", 0, Some((-101, 5_000_000_000_000))),
            ("0.000000000000001", 0, Some((0, 1))),
            ("0.0000000000000001", 0, None),
            ("0.0100000000000000000", 0, Some((1, 0))),
            ("12345678901234567", 0, Some((1_234_567_890_123_456_700, 0))),
            ("123456789012345678", 0, None),
            ("", 0, None),
            ("-", 0, None),
            (".5", 0, None),
            ("5.", 0, None),
            ("1.2.3", 0, None),
            ("1,5", 0, None),
            ("+5", 0, None),
            ("5 ", 0, None),
            ("--5", 0, None),
        ] {
            assert_eq!(pence(text, shift), expected, "{text}");
        }
    }

    #[test]
    fn an_amount_is_written_with_the_places_it_needs() {
        let written = |text: &str| Amount::read(text.as_bytes(), 0).unwrap().to_string();
        let texts = ["0", "-0.05", "12.3", "1.005", "-7.000000000000001", "100"];
        assert_eq!(texts.map(written), ["0.00", "-0.05", "12.30", "1.005", "-7.000000000000001", "100.00"]);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_decimal_reads(unscaled in -99_999_999_999_999_999_i64..=99_999_999_999_999_999, places in 0..=15_u32) {
            let text = Decimal::new(unscaled, places).to_string();
            let read = Amount::read(text.as_bytes(), 0).unwrap();
            prop_assert_eq!(read, Amount::decimal(unscaled, places));
            let (pence, rest) = read.parts();
            if pence != i64::MIN && pence != i64::MAX {
                prop_assert_eq!(Amount::of_parts(pence, rest), read);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..24), shift in prop_oneof![Just(0_u32), Just(2)]) {
            let digits = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<Decimal>().ok());
            if Amount::read(&text, shift).is_some() {
                prop_assert!(digits.is_some());
            }
        }

        #[test]
        fn sums_are_exact_in_any_order(amounts in proptest::collection::vec(any::<i32>(), 0..50)) {
            let forth: Amount = amounts.iter().map(|n| Amount::pence(i64::from(*n))).sum();
            let back: Amount = amounts.iter().rev().map(|n| Amount::pence(i64::from(*n))).sum();
            prop_assert_eq!(forth, back);
            prop_assert_eq!(forth.parts(), (amounts.iter().map(|n| i64::from(*n)).sum::<i64>(), 0));
        }
    }
}
