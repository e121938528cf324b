//! From the text of a cell to a value, exactly.
//!
//! | kind | stored as |
//! | --- | --- |
//! | text | a handle: see [`crate::stage::column`] |
//! | code | number of a lookup row, flag or choice, from [`CODE_BASE`] |
//! | date | days since 1970-01-01 |
//! | date and time | seconds since 1970-01-01T00:00:00Z |
//! | integer | `value << 5 \| leading zeros`, so that an id keeps its zeros and still orders by value |
//! | decimal | unscaled at a scale fixed by the line, or `unscaled << 4 \| scale` where digits stay as written |

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::lookup::Lookup;
use super::model::Ambiguous;
use super::number::NumberStyle;
use super::word::Codes;
use crate::finding::shape;

/// The code of the first lookup row, flag or choice; the numbers below say absent and faulty.
pub const CODE_BASE: u16 = 2;

/// Digits a number may have, so that it is exact in its column.
const DIGITS_MAX: u32 = 17;

/// How the text of a cell becomes a value.
#[derive(Clone, Debug)]
pub enum Convert {
    /// As it stands.
    Text,
    /// The code of a lookup: the number of its row.
    Lookup(Arc<Lookup>),
    /// One of some texts: its number. Used for flags and for the contract's own closed lists.
    Choice(Arc<Choices>),
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal(Scale),
    /// A decimal number of another style than `-1234.56`.
    Styled(Scale, NumberStyle),
    /// A calendar date.
    Date(DateFormat),
    /// A date and time.
    DateTime(DateFormat, Tz, Ambiguous),
}

/// The texts of a closed list.
#[derive(Debug, PartialEq, Eq)]
pub struct Choices {
    /// What the list is, for messages: `flag`, or the contract's name for it.
    pub name: String,
    /// The texts.
    pub texts: Vec<String>,
    /// The texts, by their places.
    codes: Codes,
}

/// How the digits after the point are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scale {
    /// Digits to add for the unit: 2 for pence.
    pub shift: u32,
    /// Digits that are written: more are a fault. `None`: as many as there are.
    pub places: Option<u32>,
}

/// What a cell became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Text, unchanged.
    Text(&'a [u8]),
    /// A code.
    Code(u16),
    /// A date, or a number in its packed form.
    Number(i64),
}

/// Why a cell could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The finding's code.
    pub code: &'static str,
    /// What was expected, and the shape of what was there.
    pub message: String,
}

impl Misread {
    fn new(code: &'static str, expected: &str, text: &[u8]) -> Self {
        let found = shape(&String::from_utf8_lossy(text));
        Self { code, message: format!("expected {expected}, found text of the shape `{found}`") }
    }
}

impl PartialEq for Convert {
    /// Whether two conversions give the same column.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text, Self::Text) | (Self::Integer, Self::Integer) => true,
            (Self::Lookup(a), Self::Lookup(b)) => Arc::ptr_eq(a, b),
            (Self::Choice(a), Self::Choice(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Styled(a, style), Self::Styled(b, other)) => a == b && style == other,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::DateTime(a, za, ma), Self::DateTime(b, zb, mb)) => a == b && za == zb && ma == mb,
            _ => false,
        }
    }
}

impl Convert {
    /// Reads the text of one cell that is not blank.
    pub fn read<'a>(&self, text: &'a [u8]) -> Result<Cell<'a>, Misread> {
        match self {
            Self::Text => Ok(Cell::Text(text)),
            Self::Lookup(lookup) => {
                if let Some(row) = lookup.row(text) {
                    Ok(Cell::Code(row as u16 + CODE_BASE))
                } else {
                    let expected = format!("a code of lookup `{}`", lookup.name);
                    Err(Misread::new("unknown_code", &expected, text))
                }
            }
            Self::Choice(choices) => match choices.codes.find(text) {
                Some(number) => Ok(Cell::Code(number as u16 + CODE_BASE)),
                None => Err(choices.misread(text)),
            },
            Self::Integer => integer(text).map(Cell::Number).ok_or_else(|| {
                Misread::new("malformed_integer", &format!("a whole number of at most {DIGITS_MAX} digits"), text)
            }),
            Self::Decimal(scale) => scale.read(text).map(Cell::Number),
            Self::Styled(scale, style) => {
                let misread = || Misread::new("malformed_number", &format!("a number as {}", style.example()), text);
                let number = style.rewrite(text).ok_or_else(misread)?;
                match scale.read(number.text()) {
                    // Of the text as it stands, not as it was rewritten.
                    Err(error) if error.code == "malformed_number" => Err(misread()),
                    read => read.map(Cell::Number),
                }
            }
            Self::Date(format) => match format.date(text) {
                Some(date) => Ok(Cell::Number(i64::from(days(date)))),
                None => Err(Misread::new("malformed_date", &format!("a date as {}", format.pattern), text)),
            },
            Self::DateTime(format, zone, ambiguous) => datetime(format, *zone, *ambiguous, text).map(Cell::Number),
        }
    }
}

impl Choices {
    /// The list `texts`, called `name` in messages.
    #[must_use]
    pub fn new(name: String, texts: Vec<String>) -> Self {
        let codes = Codes::new(&texts);
        Self { name, texts, codes }
    }

    /// The texts, by their places.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    fn misread(&self, text: &[u8]) -> Misread {
        let mut expected = self.texts.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
        if self.texts.len() > 8 {
            expected.push_str(", …");
        }
        let code = if self.name == "flag" { "malformed_flag" } else { "invalid_choice" };
        Misread::new(code, &format!("one of {expected}"), text)
    }
}

/// Days from 1970-01-01 to `date`.
#[must_use]
pub fn days(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// The days whose dates are kept: those of the 20th and the 21st century.
const DATES_KEPT: std::ops::Range<i32> = -25_567..47_482;

static DATES: LazyLock<Vec<NaiveDate>> = LazyLock::new(|| DATES_KEPT.filter_map(NaiveDate::from_epoch_days).collect());

/// The date `days` after 1970-01-01.
#[must_use]
pub fn date(days: i32) -> Option<NaiveDate> {
    // Rules ask for dates by the million, and looking one up costs less than dividing for it.
    let kept = DATES.get(days.wrapping_sub(DATES_KEPT.start) as usize);
    kept.copied().or_else(|| NaiveDate::from_epoch_days(days))
}

/// A whole number, packed.
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX as usize || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count().min(digits.len() - 1) as i64;
    Some(((if negative { -value } else { value }) << 5) | zeros)
}

/// The value of a packed integer, and how many zeros stood before it.
#[must_use]
pub fn unpack_integer(packed: i64) -> (i64, u32) {
    (packed >> 5, (packed & 31) as u32)
}

impl Scale {
    /// Reads a decimal number of few digits; none for one that is not so simple, or is none.
    #[must_use]
    pub fn read_short(self, text: &[u8]) -> Option<i64> {
        if text.len() > 15 {
            return None;
        }
        let (negative, digits) = match text.split_first()? {
            (b'-', digits) => (true, digits),
            _ => (false, text),
        };
        let (mut unscaled, mut point) = (0_i64, None);
        for (at, byte) in digits.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                unscaled = unscaled * 10 + i64::from(digit);
            } else if *byte == b'.' && point.is_none() && at > 0 {
                point = Some(at);
            } else {
                return None;
            }
        }
        let places = point.map_or(0, |at| digits.len() - 1 - at) as u32;
        if digits.is_empty() || (point.is_some() && places == 0) {
            return None;
        }
        let unscaled = if negative { -unscaled } else { unscaled };
        let places = places + self.shift;
        match self.places {
            None => (places <= 15).then_some((unscaled << 4) | i64::from(places)),
            Some(wanted) => Some(unscaled * 10_i64.checked_pow(wanted.checked_sub(places)?).filter(|by| *by <= 1000)?),
        }
    }

    /// Reads a decimal number.
    pub(crate) fn read(self, text: &[u8]) -> Result<i64, Misread> {
        let misread = || {
            let expected = if self.shift == 0 { "a decimal number" } else { "an amount in pence" };
            Misread::new("malformed_number", expected, text)
        };
        let (negative, digits) = match text.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (mut unscaled, mut count, mut places, mut point) = (0_i64, 0, 0, false);
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    count += u32::from(unscaled != 0 || byte != b'0');
                    if count > DIGITS_MAX {
                        return Err(Misread::new("number_too_long", "at most 17 digits", text));
                    }
                    unscaled = unscaled * 10 + i64::from(byte - b'0');
                    places += u32::from(point);
                }
                b'.' if !point => point = true,
                _ => return Err(misread()),
            }
        }
        if !digits.first().is_some_and(u8::is_ascii_digit) || digits.last() == Some(&b'.') {
            return Err(misread());
        }
        if negative {
            unscaled = -unscaled;
        }
        places += self.shift;
        let Some(wanted) = self.places else {
            if places > 15 {
                return Err(Misread::new("number_too_long", "at most 15 digits after the point", text));
            }
            return Ok((unscaled << 4) | i64::from(places));
        };
        while places > wanted {
            if unscaled % 10 != 0 {
                let expected = format!("at most {} digits after the point", wanted.saturating_sub(self.shift));
                return Err(Misread::new("too_many_places", &expected, text));
            }
            unscaled /= 10;
            places -= 1;
        }
        10_i64
            .checked_pow(wanted - places)
            .and_then(|factor| unscaled.checked_mul(factor))
            .ok_or_else(|| Misread::new("number_too_long", "at most 17 digits", text))
    }

    /// The unscaled value and the scale of a stored number.
    #[must_use]
    pub fn unpack(self, stored: i64) -> (i64, u32) {
        match self.places {
            Some(places) => (stored, places),
            None => (stored >> 4, (stored & 15) as u32),
        }
    }
}

/// A chrono format; those made of fixed-width numbers are read without chrono, and strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat {
    /// As the mapping says it.
    pub pattern: String,
    parts: Option<Vec<Part>>,
    fixed: Option<FixedDate>,
}

/// A date of ten bytes: where its numbers start, and the two bytes between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FixedDate {
    year: usize,
    month: usize,
    day: usize,
    literals: [(usize, u8); 2],
}

/// How long such a date is, in bytes.
const FIXED_DATE_BYTES: usize = 10;

impl FixedDate {
    fn new(parts: &[Part]) -> Option<Self> {
        let mut fixed = Self { year: usize::MAX, month: usize::MAX, day: usize::MAX, literals: [(usize::MAX, 0); 2] };
        let mut literals = fixed.literals.iter_mut();
        let mut at = 0;
        for part in parts {
            let width = match part {
                Part::Year => (std::mem::replace(&mut fixed.year, at) == usize::MAX).then_some(4)?,
                Part::Month => (std::mem::replace(&mut fixed.month, at) == usize::MAX).then_some(2)?,
                Part::Day => (std::mem::replace(&mut fixed.day, at) == usize::MAX).then_some(2)?,
                Part::Literal(byte) => {
                    *literals.next()? = (at, *byte);
                    1
                }
                _ => return None,
            };
            at += width;
        }
        (at == FIXED_DATE_BYTES && literals.next().is_none()).then_some(fixed)
    }

    /// The days since 1970-01-01 that `text` tells.
    fn days(self, text: &[u8]) -> Option<i32> {
        let text: &[u8; FIXED_DATE_BYTES] = text.try_into().ok()?;
        let mut wrong = 0;
        let mut digit = |at: usize| {
            let digit = text[at].wrapping_sub(b'0');
            wrong |= u8::from(digit > 9);
            u32::from(digit)
        };
        let mut pair = |at: usize| digit(at) * 10 + digit(at + 1);
        let (year, month, day) = (pair(self.year) * 100 + pair(self.year + 2), pair(self.month), pair(self.day));
        let odd = self.literals.iter().any(|(at, byte)| text[*at] != *byte);
        if wrong != 0 || odd || year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }
}

/// How many days a month has.
fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date that exists, by counting years from March.
fn days_from_civil(year: u32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year } as i32;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year as i32 - 719_468
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Literal(u8),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl DateFormat {
    /// The format `pattern`, of a date or, `with_time`, of a date and time; an error says what is wrong with it.
    pub fn new(pattern: &str, with_time: bool) -> Result<Self, String> {
        let unknown = chrono::format::StrftimeItems::new(pattern).any(|item| item == chrono::format::Item::Error);
        let parts = fixed_parts(pattern);
        let fixed = parts.as_deref().and_then(FixedDate::new);
        let format = Self { pattern: pattern.to_owned(), parts, fixed };
        let what = if with_time { "date and time" } else { "date" };
        let example = if with_time { "%d/%m/%Y %H:%M:%S" } else { "%d/%m/%Y" };
        if unknown || !format.tells(with_time) {
            return Err(format!("`{pattern}` is no format of a {what} (an example: {example})"));
        }
        Ok(format)
    }

    /// Whether a date written in the format can be read back.
    fn tells(&self, with_time: bool) -> bool {
        let Some(example) = NaiveDate::from_ymd_opt(2021, 11, 23).and_then(|date| date.and_hms_opt(13, 45, 0)) else {
            return false;
        };
        let written = example.and_utc().format(&self.pattern).to_string();
        if with_time {
            return self.datetime(written.as_bytes()).is_some();
        }
        self.date(written.as_bytes()) == Some(example.date())
    }

    /// The days since 1970-01-01 that `text` tells, if the format is of the common kind and the date exists.
    #[must_use]
    pub fn read_fixed(&self, text: &[u8]) -> Option<i32> {
        self.fixed?.days(text)
    }

    pub(crate) fn date(&self, text: &[u8]) -> Option<NaiveDate> {
        match &self.parts {
            Some(parts) => Some(read_parts(parts, text)?.0),
            None => NaiveDate::parse_from_str(std::str::from_utf8(text).ok()?, &self.pattern).ok(),
        }
    }

    /// The local time `text` tells, or the instant if the format has an offset.
    fn datetime(&self, text: &[u8]) -> Option<Result<NaiveDateTime, DateTime<Utc>>> {
        if let Some(parts) = &self.parts {
            let (date, time) = read_parts(parts, text)?;
            return Some(Ok(date.and_time(time)));
        }
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(instant) = DateTime::parse_from_str(text, &self.pattern) {
            return Some(Err(instant.with_timezone(&Utc)));
        }
        NaiveDateTime::parse_from_str(text, &self.pattern).ok().map(Ok)
    }
}

fn fixed_parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut bytes = pattern.bytes();
    while let Some(byte) = bytes.next() {
        parts.push(match byte {
            b'%' => match bytes.next()? {
                b'Y' => Part::Year,
                b'm' => Part::Month,
                b'd' => Part::Day,
                b'H' => Part::Hour,
                b'M' => Part::Minute,
                b'S' => Part::Second,
                _ => return None,
            },
            literal => Part::Literal(literal),
        });
    }
    Some(parts)
}

fn read_parts(parts: &[Part], text: &[u8]) -> Option<(NaiveDate, NaiveTime)> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut hour, mut minute, mut second) = (0, 0, 0, 0, 0, 0);
    for part in parts {
        let (field, width) = match part {
            Part::Literal(byte) => {
                rest = rest.strip_prefix(&[*byte])?;
                continue;
            }
            Part::Year => (&mut year, 4),
            Part::Month => (&mut month, 2),
            Part::Day => (&mut day, 2),
            Part::Hour => (&mut hour, 2),
            Part::Minute => (&mut minute, 2),
            Part::Second => (&mut second, 2),
        };
        let (digits, after) = rest.split_at_checked(width)?;
        rest = after;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            *field = *field * 10 + u32::from(digit - b'0');
        }
    }
    if !rest.is_empty() {
        return None;
    }
    Some((NaiveDate::from_ymd_opt(year as i32, month, day)?, NaiveTime::from_hms_opt(hour, minute, second)?))
}

fn datetime(format: &DateFormat, zone: Tz, ambiguous: Ambiguous, text: &[u8]) -> Result<i64, Misread> {
    let local = match format.datetime(text) {
        None => {
            let expected = format!("a date and time as {}", format.pattern);
            return Err(Misread::new("malformed_datetime", &expected, text));
        }
        Some(Err(instant)) => return Ok(instant.timestamp()),
        Some(Ok(local)) => local,
    };
    match (zone.from_local_datetime(&local), ambiguous) {
        (LocalResult::Single(instant), _)
        | (LocalResult::Ambiguous(instant, _), Ambiguous::Earliest)
        | (LocalResult::Ambiguous(_, instant), Ambiguous::Latest) => Ok(instant.timestamp()),
        (LocalResult::Ambiguous(..), Ambiguous::Fault) => Err(Misread {
            code: "ambiguous_datetime",
            message: format!("this local time occurs twice in {zone}, when clocks go back; say which with `ambiguous`"),
        }),
        (LocalResult::None, _) => Err(Misread {
            code: "nonexistent_datetime",
            message: format!("this local time does not occur in {zone}: clocks skip it when they go forward"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(convert: &Convert, text: &str) -> Result<i64, &'static str> {
        match convert.read(text.as_bytes()) {
            Ok(Cell::Number(number)) => Ok(number),
            Ok(other) => panic!("not a number: {other:?}"),
            Err(misread) => Err(misread.code),
        }
    }

    #[test]
    fn an_integer_keeps_its_zeros_and_orders_by_value() {
        let number = |text| read(&Convert::Integer, text).unwrap();
        assert_eq!(unpack_integer(number("007")), (7, 2));
        assert_eq!(unpack_integer(number("0")), (0, 0));
        assert_eq!(unpack_integer(number("-12")), (-12, 0));
        assert!(number("-3") < number("2") && number("2") < number("010"));
        for text in ["", "-", "1.0", "1a", "123456789012345678", "+1"] {
            assert_eq!(read(&Convert::Integer, text), Err("malformed_integer"), "{text}");
        }
    }

    #[test]
    fn a_decimal_keeps_or_pads_its_digits_and_never_rounds() {
        let written = Scale { shift: 0, places: None };
        let cases = [("21.3", (213, 1)), ("-0.05", (-5, 2)), ("1000", (1000, 0)), ("0007.10", (710, 2))];
        for (text, expected) in cases {
            assert_eq!(written.unpack(read(&Convert::Decimal(written), text).unwrap()), expected, "{text}");
        }
        let two = Convert::Decimal(Scale { shift: 0, places: Some(2) });
        assert_eq!(read(&two, "980"), Ok(98_000));
        assert_eq!(read(&two, "1.500"), Ok(150));
        assert_eq!(read(&two, "1.505"), Err("too_many_places"));
        let pence = Convert::Decimal(Scale { shift: 2, places: Some(2) });
        assert_eq!(read(&pence, "-5"), Ok(-5));
        assert_eq!(read(&pence, "1.5"), Err("too_many_places"));
        for text in ["", "-", ".", "1.", ".5", "1,000", "1e3", "--1", "1.2.3", "£1"] {
            assert_eq!(read(&two, text), Err("malformed_number"), "{text}");
        }
        assert_eq!(read(&two, "123456789012345678"), Err("number_too_long"));
    }

    #[test]
    fn a_date_is_the_same_whether_kept_or_not() {
        for days in [i32::MIN, -25_568, -25_567, -1, 0, 20_000, 47_481, 47_482, i32::MAX] {
            assert_eq!(super::date(days), NaiveDate::from_epoch_days(days), "{days}");
        }
    }

    #[test]
    fn a_date_is_read_strictly() {
        let date = Convert::Date(DateFormat::new("%d/%m/%Y", false).unwrap());
        assert_eq!(read(&date, "02/01/1970"), Ok(1));
        for text in ["31/02/2019", "1/1/2019", "01/01/19", "01/01/2019 ", "2019-01-01", ""] {
            assert_eq!(read(&date, text), Err("malformed_date"), "{text}");
        }
        let named = Convert::Date(DateFormat::new("%d-%b-%Y", false).unwrap());
        assert_eq!(read(&named, "02-Jan-1970"), Ok(1));
        for pattern in ["%Q", "", "yyyy", "%H", "%d/%m"] {
            assert!(DateFormat::new(pattern, false).is_err(), "{pattern}");
        }
    }

    proptest! {
        /// The quick ways say nothing else than the thorough ones.
        #[test]
        fn what_is_read_quickly_is_read_right(
            year in 0_u32..10_000, month in 0_u32..14, day in 0_u32..33,
            number in "-?[0-9]{0,7}\\.?[0-9]{0,7}", shift in 0_u32..3, places in proptest::option::of(0_u32..5),
        ) {
            for (pattern, text) in [
                ("%d/%m/%Y", format!("{day:02}/{month:02}/{year:04}")),
                ("%Y-%m-%d", format!("{year:04}-{month:02}-{day:02}")),
            ] {
                let format = DateFormat::new(pattern, false).unwrap();
                let thorough = format.date(text.as_bytes()).map(days);
                prop_assert!(year == 0 || format.read_fixed(text.as_bytes()) == thorough, "{text}");
            }
            let scale = Scale { shift, places };
            if let Some(quick) = scale.read_short(number.as_bytes()) {
                prop_assert_eq!(Ok(quick), scale.read(number.as_bytes()), "{}", number);
            }
        }
    }

    #[test]
    fn a_local_time_knows_its_zone() {
        let convert = |ambiguous| {
            let format = DateFormat::new("%d/%m/%Y %H:%M:%S", true).unwrap();
            Convert::DateTime(format, chrono_tz::Europe::London, ambiguous)
        };
        assert_eq!(read(&convert(Ambiguous::Fault), "01/07/1970 01:00:00"), Ok(181 * 86_400));
        assert_eq!(read(&convert(Ambiguous::Fault), "25/10/2026 01:30:00"), Err("ambiguous_datetime"));
        let [first, second] = [Ambiguous::Earliest, Ambiguous::Latest]
            .map(|ambiguous| read(&convert(ambiguous), "25/10/2026 01:30:00").unwrap());
        assert_eq!(second - first, 3600);
        assert_eq!(read(&convert(Ambiguous::Fault), "29/03/2026 01:30:00"), Err("nonexistent_datetime"));
    }
}
