//! What one value must be like: presence, length, pattern, range, list of values.

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use rust_decimal::Decimal;

use super::ValueList;
use crate::finding::Severity;

/// What the contract says about the values of a field in one variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraint {
    /// The key must be there.
    pub required: bool,
    /// The target takes `null`; slipway never sends it.
    pub nullable: bool,
    /// The fewest characters.
    pub min_length: Option<usize>,
    /// The most characters.
    pub max_length: Option<usize>,
    /// What the whole text must match.
    pub pattern: Option<Pattern>,
    /// The least number.
    pub min: Option<Decimal>,
    /// The greatest number.
    pub max: Option<Decimal>,
    /// The fewest items of a list.
    pub min_items: Option<usize>,
    /// The values that are allowed.
    pub values: Option<Arc<ValueList>>,
    /// What the target assumes if the key is absent, as JSON.
    pub default: Option<String>,
}

/// A pattern that a whole text must match.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `^-?\d{0,whole}(?:\.\d{0,fraction})?$`, with at least one digit before the point and, if there is a point,
    /// one after it: what the target publishes also matches `""`, `-` and `.`, which it can hardly mean.
    Digits {
        /// The most digits before the point.
        whole: usize,
        /// The most digits after the point.
        fraction: usize,
    },
    /// Any other regular expression.
    Regex(Regex),
}

/// Why a value breaks its constraint. It holds no part of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The code of the finding.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was expected, to stand after "expected": `at most 20 characters, not 23`.
    pub expected: String,
}

impl Violation {
    fn error(code: &'static str, expected: String) -> Self {
        Self { code, severity: Severity::Error, expected }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// As a regular expression.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits { whole, fraction } => write!(f, r"^-?\d{{0,{whole}}}(?:\.\d{{0,{fraction}}})?$"),
            Self::Regex(regex) => regex.fmt(f),
        }
    }
}

impl Pattern {
    /// The pattern that the regular expression `source` means.
    pub fn compile(source: &str) -> Result<Self, regex::Error> {
        if let Some((whole, fraction)) = digit_counts(source) {
            return Ok(Self::Digits { whole, fraction });
        }
        Regex::new(source).map(Self::Regex)
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Digits { whole, fraction } => {
                let unsigned = text.strip_prefix('-').unwrap_or(text);
                let (before, after) = match unsigned.split_once('.') {
                    Some((before, after)) => (before, Some(after)),
                    None => (unsigned, None),
                };
                let fits = |digits: &str, most: usize| {
                    !digits.is_empty() && digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit())
                };
                fits(before, *whole) && after.is_none_or(|after| fits(after, *fraction))
            }
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Digits { whole, fraction: 0 } => format!("a number of at most {whole} digits without a fraction"),
            Self::Digits { whole, fraction } => {
                format!("a decimal of at most {whole} digits before and {fraction} after the point")
            }
            Self::Regex(regex) => format!("a text that matches {regex}"),
        }
    }
}

/// The two counts of `^-?\d{0,a}(?:\.\d{0,b})?$`.
fn digit_counts(source: &str) -> Option<(usize, usize)> {
    let rest = source.strip_prefix(r"^-?\d{0,")?.strip_suffix("})?$")?;
    let (whole, fraction) = rest.split_once(r"}(?:\.\d{0,")?;
    Some((whole.parse().ok()?, fraction.parse().ok()?))
}

impl Constraint {
    /// Checks that the field may be absent.
    pub fn check_absent(&self) -> Result<(), Violation> {
        if self.required {
            return Err(Violation::error("required", "a value: the target requires this field".to_owned()));
        }
        Ok(())
    }

    /// Checks that the field may be `null`.
    pub fn check_null(&self) -> Result<(), Violation> {
        if self.nullable {
            return Ok(());
        }
        Err(Violation::error("null", "a value: the target takes no null here".to_owned()))
    }

    /// Checks the number of items of a list.
    pub fn check_items(&self, count: usize) -> Result<(), Violation> {
        match self.min_items {
            Some(least) if count < least => {
                Err(Violation::error("min_length", format!("at least {least} items, not {count}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks lengths (in characters), pattern and list of values of a text, whatever its format.
    ///
    /// The empty text is a text like any other unless a least length, a pattern or a list says no. The first
    /// violation is the one that is told.
    pub fn check_text(&self, text: &str) -> Result<(), Violation> {
        self.check_length(text)?;
        if let Some(pattern) = &self.pattern
            && !pattern.matches(text)
        {
            return Err(Violation::error("invalid_pattern", pattern.expected()));
        }
        match &self.values {
            Some(list) if !list.contains(text) => Err(not_on(list, text)),
            _ => Ok(()),
        }
    }

    /// Whether every text of `bytes` bytes in UTF-8 passes [`Constraint::check_text`]: true of most fields, and cheap.
    #[must_use]
    pub fn takes_any_text(&self, bytes: usize) -> bool {
        self.pattern.is_none()
            && self.values.is_none()
            && self.min_length.is_none()
            && self.max_length.is_none_or(|most| bytes <= most)
    }

    fn check_length(&self, text: &str) -> Result<(), Violation> {
        if self.min_length.is_none() && self.max_length.is_none_or(|most| text.len() <= most) {
            return Ok(());
        }
        let length = text.chars().count();
        match (self.min_length, self.max_length) {
            (Some(least), _) if length == 0 && least > 0 => {
                Err(Violation::error("blank", format!("a text of at least {least} characters, not an empty one")))
            }
            (Some(least), _) if length < least => {
                Err(Violation::error("min_length", format!("at least {least} characters, not {length}")))
            }
            (_, Some(most)) if length > most => {
                Err(Violation::error("max_length", format!("at most {most} characters, not {length}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks the digits and the range of the decimal `unscaled` / 10^`scale`, as it is written with just those
    /// `scale` digits after the point.
    pub fn check_decimal(&self, unscaled: i64, scale: u32) -> Result<(), Violation> {
        match &self.pattern {
            Some(pattern @ Pattern::Digits { whole, fraction }) => {
                let before = 10_u64.checked_pow(scale).map_or(0, |power| unscaled.unsigned_abs() / power);
                let digits = before.checked_ilog10().map_or(1, |log| log as usize + 1);
                if digits > *whole || scale as usize > *fraction {
                    return Err(Violation::error("invalid_pattern", pattern.expected()));
                }
            }
            Some(pattern @ Pattern::Regex(_)) => {
                let text = Decimal::try_new(unscaled, scale).map(|decimal| decimal.to_string());
                if !text.is_ok_and(|text| pattern.matches(&text)) {
                    return Err(Violation::error("invalid_pattern", pattern.expected()));
                }
            }
            None => {}
        }
        if self.min.is_none() && self.max.is_none() {
            return Ok(());
        }
        // A scale past what a decimal can hold is a number as good as nought.
        self.check_range(Decimal::try_new(unscaled, scale).unwrap_or_default())
    }

    /// Checks the range of a number without a fraction.
    pub fn check_integer(&self, value: i64) -> Result<(), Violation> {
        self.check_range(Decimal::from(value))
    }

    fn check_range(&self, value: Decimal) -> Result<(), Violation> {
        match (self.min, self.max) {
            (Some(min), _) if value < min => Err(Violation::error("min_value", format!("a number of at least {min}"))),
            (_, Some(max)) if value > max => Err(Violation::error("max_value", format!("a number of at most {max}"))),
            _ => Ok(()),
        }
    }
}

fn not_on(list: &ValueList, text: &str) -> Violation {
    const FEW: usize = 6;
    if list.tenant_list {
        return Violation {
            code: "not_reference_value",
            severity: Severity::Notice,
            expected: format!("a value that the tenant has set up; its published list {} lacks this one", list.name),
        };
    }
    if text.is_empty() {
        return Violation::error("blank", format!("a value of {}, not an empty text", list.name));
    }
    let mut expected = if list.values.len() <= FEW {
        let named: Vec<&str> = list.values.iter().map(String::as_str).filter(|value| !value.is_empty()).collect();
        format!("one of {}", named.join(", "))
    } else {
        format!("one of the {} values of {}", list.values.len(), list.name)
    };
    if let Some(nearest) = list.nearest(text) {
        expected.push_str("; the nearest is ");
        expected.push_str(nearest);
    }
    Violation::error("invalid_choice", expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Violation>) -> Option<&'static str> {
        result.err().map(|violation| violation.code)
    }

    fn digits(source: &str) -> Constraint {
        Constraint { pattern: Some(Pattern::compile(source).unwrap()), ..Constraint::default() }
    }

    #[test]
    fn the_decimal_pattern_becomes_digit_counts_and_asks_for_a_digit() {
        let money = digits(r"^-?\d{0,8}(?:\.\d{0,2})?$");
        assert!(matches!(money.pattern, Some(Pattern::Digits { whole: 8, fraction: 2 })));
        for good in ["0", "30.00", "-0.05", "12345678", "1.5"] {
            assert_eq!(code(money.check_text(good)), None, "{good}");
        }
        for bad in ["", "-", ".", "1.", ".5", "1,000.00", "30.00-", "+1", "123456789", "1.234", "1e3", "1.2.3", "١"] {
            assert_eq!(code(money.check_text(bad)), Some("invalid_pattern"), "{bad}");
        }
    }

    #[test]
    fn a_decimal_is_judged_by_the_digits_it_is_written_with() {
        let money = digits(r"^-?\d{0,3}(?:\.\d{0,2})?$");
        for good in [(0, 0), (999, 0), (-99_999, 2), (5, 2), (-5, 1)] {
            assert_eq!(code(money.check_decimal(good.0, good.1)), None, "{good:?}");
        }
        for bad in [(1000, 0), (100_000, 2), (-100_000, 2), (1000, 3), (i64::MIN, 0), (i64::MAX, 2), (1, 40)] {
            assert_eq!(code(money.check_decimal(bad.0, bad.1)), Some("invalid_pattern"), "{bad:?}");
        }
    }

    #[test]
    fn any_other_pattern_is_a_regular_expression() {
        let number = digits(r"^P-[0-9A-Z]{8}$");
        assert_eq!(code(number.check_text("P-0A1B2C3D")), None);
        let violation = number.check_text("0A1B2C3D").unwrap_err();
        assert_eq!(violation.code, "invalid_pattern");
        assert!(violation.expected.contains("P-[0-9A-Z]{8}") && !violation.expected.contains("0A1B2C3D"));
        let whole = digits(r"^\d+$");
        assert_eq!(code(whole.check_decimal(12, 0)), None);
        assert_eq!(code(whole.check_decimal(12, 1)), Some("invalid_pattern"));
        assert!(Pattern::compile("(").is_err());
    }

    #[test]
    fn lengths_count_characters() {
        let name = Constraint { max_length: Some(9), ..Constraint::default() };
        assert_eq!(code(name.check_text("Jabłoński")), None);
        assert_eq!(code(name.check_text("Jabłońskis")), Some("max_length"));
        assert_eq!(code(name.check_text("")), None);
        let mpid = Constraint { min_length: Some(4), max_length: Some(4), ..Constraint::default() };
        assert_eq!(code(mpid.check_text("TENT")), None);
        assert_eq!(code(mpid.check_text("TEN")), Some("min_length"));
        assert_eq!(code(mpid.check_text("")), Some("blank"));
        assert_eq!(code(mpid.check_text("TENTA")), Some("max_length"));
    }

    #[test]
    fn a_value_is_on_the_list_or_the_finding_names_the_nearest() {
        let list = |tenant| Arc::new(ValueList::new("means".into(), vec!["DD".into(), "MANUAL".into()], tenant));
        let means = Constraint { values: Some(list(false)), ..Constraint::default() };
        assert_eq!(code(means.check_text("DD")), None);
        assert_eq!(code(means.check_text("")), Some("blank"));
        let violation = means.check_text("MANUEL").unwrap_err();
        assert_eq!(violation.code, "invalid_choice");
        assert_eq!(violation.severity, Severity::Error);
        assert_eq!(violation.expected, "one of DD, MANUAL; the nearest is MANUAL");
        let tenants = Constraint { values: Some(list(true)), ..Constraint::default() };
        let notice = tenants.check_text("TENTACLE_ENERGY").unwrap_err();
        assert_eq!((notice.code, notice.severity), ("not_reference_value", Severity::Notice));
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let day = Constraint { min: Some(Decimal::ONE), max: Some(Decimal::from(28)), ..Constraint::default() };
        assert_eq!(code(day.check_integer(1)), None);
        assert_eq!(code(day.check_integer(28)), None);
        assert_eq!(code(day.check_integer(0)), Some("min_value"));
        assert_eq!(code(day.check_integer(29)), Some("max_value"));
        assert_eq!(code(day.check_decimal(285, 1)), Some("max_value"));
        assert_eq!(code(day.check_decimal(10, 1)), None);
    }

    #[test]
    fn absence_null_and_too_few_items() {
        let loose = Constraint { nullable: true, ..Constraint::default() };
        assert!(loose.check_absent().is_ok() && loose.check_null().is_ok() && loose.check_items(0).is_ok());
        let strict = Constraint { required: true, min_items: Some(1), ..Constraint::default() };
        assert_eq!(code(strict.check_absent()), Some("required"));
        assert_eq!(code(strict.check_null()), Some("null"));
        assert_eq!(code(strict.check_items(0)), Some("min_length"));
        assert_eq!(code(strict.check_items(1)), None);
    }
}
