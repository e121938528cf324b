//! Numbers as legacy systems write them: a decimal comma, points between thousands, a sign behind the digits, a point
//! that is not written at all. They are rewritten as `-1234.56` and then read like any other.

/// How a number is written, where it is not written as `-1234.56`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberStyle {
    /// Between pounds and pence.
    pub decimal: u8,
    /// Between thousands, if anything stands there.
    pub thousands: Option<u8>,
    /// Where a minus stands.
    pub sign: Sign,
    /// Digits after a point that is not written.
    pub implied: u32,
    /// Whether the number counts the other way: a credit, say.
    pub negate: bool,
}

/// Where a number's sign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Sign {
    /// Before the digits.
    #[default]
    Leading,
    /// Behind them.
    Trailing,
}

/// The longest number that is rewritten, in bytes; no number of the payload is as long.
const NUMBER_BYTES_MAX: usize = 48;

/// A number rewritten.
#[derive(Debug)]
pub struct Rewritten {
    bytes: [u8; NUMBER_BYTES_MAX],
    length: usize,
}

impl Rewritten {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }
}

impl Default for NumberStyle {
    fn default() -> Self {
        Self { decimal: b'.', thousands: None, sign: Sign::Leading, implied: 0, negate: false }
    }
}

impl NumberStyle {
    /// `text` as `-1234.56`; none, if it is no number of this style.
    #[must_use]
    pub fn rewrite(&self, text: &[u8]) -> Option<Rewritten> {
        let (minus, digits) = match self.sign {
            Sign::Leading => text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits)),
            Sign::Trailing => match text.split_last() {
                Some((b'-', digits)) => (true, digits),
                Some((b'+', digits)) => (false, digits),
                _ => (false, text),
            },
        };
        let mut number = Rewritten { bytes: [0; NUMBER_BYTES_MAX], length: 0 };
        if minus != self.negate && digits.iter().any(|byte| (b'1'..=b'9').contains(byte)) {
            number.push(b'-')?;
        }
        let mut point = false;
        // Digits since the last mark between thousands, once there was one.
        let mut since = None;
        for (at, &byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    since = since.map(|count| count + 1);
                    number.push(byte)?;
                }
                _ if byte == self.decimal && !point && self.implied == 0 => {
                    (since.is_none_or(|count| count == 3)).then_some(())?;
                    (point, since) = (true, None);
                    number.push(b'.')?;
                }
                _ if Some(byte) == self.thousands && !point && at > 0 => {
                    (since.is_none_or(|count| count == 3)).then_some(())?;
                    since = Some(0);
                }
                _ => return None,
            }
        }
        (since.is_none_or(|count| count == 3) && number.length > 0).then_some(number)
    }

    /// The amount of two columns as `-1234.56`: debits as they stand, credits the other way; nothing, if both are blank.
    /// None, if both sides have an amount, or one has something else.
    #[must_use]
    pub fn one_side(&self, debit: &[u8], credit: &[u8]) -> Option<String> {
        let other_way = Self { negate: !self.negate, ..*self };
        let amount = |style: &Self, text: &[u8]| -> Option<Option<String>> {
            if text.is_empty() {
                return Some(None);
            }
            let number = style.rewrite(text)?;
            Some(Some(std::str::from_utf8(number.text()).ok()?.to_owned()))
        };
        let is_zero = |text: &String| !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
        match (amount(self, debit)?, amount(&other_way, credit)?) {
            (None, None) => Some(String::new()),
            (Some(amount), None) | (None, Some(amount)) => Some(amount),
            (Some(amount), Some(other)) if is_zero(&other) => Some(amount),
            (Some(other), Some(amount)) if is_zero(&other) => Some(amount),
            _ => None,
        }
    }

    /// An example, for messages.
    #[must_use]
    pub fn example(&self) -> String {
        let mut text = String::new();
        let minus = |text: &mut String, here| {
            if here {
                text.push('-');
            }
        };
        minus(&mut text, self.sign == Sign::Leading);
        text.push('1');
        text.extend(self.thousands.map(char::from));
        text.push_str("234");
        if self.implied == 0 {
            text.push(char::from(self.decimal));
        }
        text.push_str("56");
        minus(&mut text, self.sign == Sign::Trailing);
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMA: NumberStyle =
        NumberStyle { decimal: b',', thousands: Some(b'.'), sign: Sign::Trailing, implied: 0, negate: false };

    fn rewritten(style: &NumberStyle, text: &str) -> Option<String> {
        style.rewrite(text.as_bytes()).map(|number| String::from_utf8(number.text().to_vec()).unwrap())
    }

    #[test]
    fn commas_points_and_signs_stand_where_the_style_says() {
        let cases = [
            ("1.234,56-", Some("-1234.56")),
            ("1234,56", Some("1234.56")),
            ("000012,50+", Some("000012.50")),
            ("0,00-", Some("0.00")),
            ("1.234.567,00", Some("1234567.00")),
            ("1.23,4", None),
            ("1234.56", None),
            ("-1,00", None),
            ("1,2,3", None),
            ("12 ", None),
            ("-", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(rewritten(&COMMA, text).as_deref(), expected, "{text}");
        }
        assert_eq!(COMMA.example(), "1.234,56-");
    }

    #[test]
    fn a_credit_counts_the_other_way_and_nothing_is_minus_nothing() {
        let credit = NumberStyle { negate: true, ..COMMA };
        assert_eq!(rewritten(&credit, "5,00").as_deref(), Some("-5.00"));
        assert_eq!(rewritten(&credit, "5,00-").as_deref(), Some("5.00"));
        assert_eq!(rewritten(&credit, "0,00").as_deref(), Some("0.00"));
    }

    #[test]
    fn a_point_that_is_not_written_is_not_expected_either() {
        let implied = NumberStyle { implied: 3, ..NumberStyle::default() };
        assert_eq!(rewritten(&implied, "0001234").as_deref(), Some("0001234"));
        assert_eq!(rewritten(&implied, "1.2"), None);
    }

    #[test]
    fn an_amount_stands_on_one_side() {
        let side = |debit: &str, credit: &str| COMMA.one_side(debit.as_bytes(), credit.as_bytes());
        assert_eq!(side("12,50", "").as_deref(), Some("12.50"));
        assert_eq!(side("", "12,50").as_deref(), Some("-12.50"));
        assert_eq!(side("0,00", "12,50").as_deref(), Some("-12.50"));
        assert_eq!(side("12,50-", "0,00").as_deref(), Some("-12.50"));
        assert_eq!(side("", "").as_deref(), Some(""));
        assert_eq!((side("1,00", "2,00"), side("1,00", "x"), side("1.0", "")), (None, None, None));
    }

    proptest! {
        #[test]
        fn whatever_is_written_in_a_style_is_read_back(unscaled in -999_999_999_i64..999_999_999) {
            let (pounds, pence) = (unscaled.abs() / 100, unscaled.abs() % 100);
            let minus = if unscaled < 0 { "-" } else { "" };
            let number = rewritten(&COMMA, &format!("{pounds},{pence:02}{minus}"));
            prop_assert_eq!(number, Some(format!("{minus}{pounds}.{pence:02}")));
        }
    }
}
