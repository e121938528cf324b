//! Telephone numbers, read as a caller in Britain would dial them.
//!
//! Ranges come from the copy of the carriers' published metadata in the `phonenumber` crate; a newer range may be
//! unknown to it. Nearly all numbers of an extract are plain British ones, so these are matched against Britain's part of
//! the same metadata alone: the crate's parser takes a hundred times as long, and a fifth of a second to read the ranges of
//! the whole world before its first number.

use std::borrow::Cow;
use std::sync::LazyLock;

use phonenumber::country;
use regex::Regex;

/// What a text is as a telephone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phone {
    /// A number of a range that is in use.
    Good,
    /// A number kept for drama, which nobody has and the metadata does not know. Extracts made for rehearsals are
    /// full of them.
    Drama,
    /// A number of a range that is not in use, or with too few digits for its range.
    Unused,
    /// No telephone number.
    Unreadable,
}

/// The ranges kept for drama that the metadata does not know, as the first digits of a national number and the
/// number of its digits. It takes the other drama ranges for good.
const DRAMA: [(&str, usize); 2] = [("7700900", 10), ("1632960", 10)];

const RANGES: &str = include_str!("../data/gb-telephone-ranges.txt");

/// The landlines and mobiles of Britain.
static BRITISH: LazyLock<Vec<Range>> = LazyLock::new(|| ranges().filter_map(Range::new).collect());

/// How many digits the numbers of each kind have, with commas between them, and their pattern.
fn ranges() -> impl Iterator<Item = (&'static str, &'static str)> {
    RANGES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

/// National numbers of one kind.
struct Range {
    lengths: Vec<usize>,
    pattern: Regex,
}

/// Judges `text` as a telephone number with Britain as the region it is dialled from.
#[must_use]
pub fn judge(text: &str) -> Phone {
    if let Some(national) = plain_british(text) {
        if is_drama(&national) {
            return Phone::Drama;
        }
        if BRITISH.iter().any(|range| range.contains(&national)) {
            return Phone::Good;
        }
    }
    judge_by_parser(text)
}

/// Whether [`judge`] could find `text` to be kept for drama: a quick no for nearly every other number.
#[must_use]
pub fn may_be_drama(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    DRAMA.iter().any(|(start, _)| digits.contains(start))
}

fn judge_by_parser(text: &str) -> Phone {
    const LONGEST: usize = 250;
    if text.len() > LONGEST {
        return Phone::Unreadable;
    }
    let Ok(number) = phonenumber::parse(Some(country::GB), text) else { return Phone::Unreadable };
    if phonenumber::is_valid(&number) {
        return Phone::Good;
    }
    if number.code().value() == 44 && is_drama(&number.national().to_string()) { Phone::Drama } else { Phone::Unused }
}

/// The national number of a text that is `0` or `+44` and digits, with single spaces between them; the first of them
/// is not another `0`, which would change what the prefix means.
fn plain_british(text: &str) -> Option<Cow<'_, str>> {
    let rest = text.strip_prefix("+44").or_else(|| text.strip_prefix('0'))?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if rest.starts_with('0') || !rest.split(' ').all(digits) {
        return None;
    }
    Some(if rest.contains(' ') { rest.replace(' ', "").into() } else { rest.into() })
}

fn is_drama(national: &str) -> bool {
    DRAMA.iter().any(|&(start, digits)| national.len() == digits && national.starts_with(start))
}

impl Range {
    fn new((lengths, pattern): (&str, &str)) -> Option<Self> {
        let pattern = Regex::new(&format!("^(?:{pattern})$")).ok()?;
        Some(Self { lengths: lengths.split(',').filter_map(|length| length.parse().ok()).collect(), pattern })
    }

    fn contains(&self, national: &str) -> bool {
        self.lengths.contains(&national.len()) && self.pattern.is_match(national)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for good in [
            "07123456789",
            "02072343456",
            "07712354321",
            "+442076543210",
            "+44 (0)20 7946 0018",
            "2072343456",
            "020 7234 3456",
            "+49 30 123456",
        ] {
            assert_eq!(judge(good), Phone::Good, "{good}");
        }
        for drama in
            ["07700 900123", "07700900123", "+447700900123", "+44 (0)7700 900-123", "01632 960001", "01632960001"]
        {
            assert_eq!(judge(drama), Phone::Drama, "{drama}");
            assert!(may_be_drama(drama), "{drama}");
        }
        for unused in ["0712345678", "0770090012", "00700900123"] {
            assert_eq!(judge(unused), Phone::Unused, "{unused}");
        }
        for unreadable in ["abcde", "", "-", "0", "+44", "07123456789012345678901"] {
            assert_eq!(judge(unreadable), Phone::Unreadable, "{unreadable}");
        }
    }

    #[test]
    fn the_ranges_are_those_of_the_crate() {
        let metadata = phonenumber::metadata::DATABASE.by_id("GB").unwrap();
        let kinds = [metadata.descriptors().fixed_line(), metadata.descriptors().mobile()];
        let expected = kinds.into_iter().flatten().map(|kind| {
            let lengths: Vec<String> = kind.possible_length().iter().map(u16::to_string).collect();
            let pattern = kind.national_number().as_str().split_whitespace().collect::<String>();
            (lengths.join(","), pattern)
        });
        let known = ranges().map(|(lengths, pattern)| (lengths.to_owned(), pattern.to_owned()));
        assert_eq!(known.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn the_short_way_comes_to_the_parsers_verdict() {
        assert_eq!(BRITISH.len(), 2);
        let mut plain = 0;
        for step in 0..2_000_u64 {
            // Spread over all national numbers of 9 and 10 digits.
            let national = 1_000_000_000 + step * 4_499_999 % 9_000_000_000;
            let spaced = format!("0{} {}", national / 1_000_000, 1_000_000 + national % 1_000_000);
            for text in [format!("0{national}"), format!("+44 {national}"), format!("0{}", national / 10), spaced] {
                plain += u32::from(plain_british(&text).is_some());
                assert_eq!(judge(&text), judge_by_parser(&text), "{text}");
            }
        }
        assert_eq!(plain, 8_000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_gets_the_parsers_verdict(text in "\\PC{0,40}|[0-9+() .;=a-z-]{0,40}|tel:[0-9+;=a-z-]{0,20}") {
            proptest::prop_assert_eq!(judge(&text), judge_by_parser(&text));
        }
    }
}
