//! The quantities of `slipway.toml`, read once into ready values: `"20/s"`, `"1GiB"`, `"5%"`, `"30s"`, `"06:00"`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// How many requests may start in a period: `"20/s"`, `"600/min"`, `"1000/h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    /// Requests in a period.
    pub requests: NonZeroU32,
    /// The period: a second, a minute or an hour.
    pub per: Duration,
}

/// A length of time: `"30s"`, `"2h"`, `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// A number of bytes: `"1GiB"`, `"512MiB"`, `"64KiB"`, `"4096B"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

/// A share of a whole: `"5%"`, `"0.5%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share {
    /// The share in percent, from 0 to 100.
    pub percent: Decimal,
}

impl Share {
    /// Whether `part` of `whole` is more than this share; never of an empty whole.
    #[must_use]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        Decimal::from(part) * Decimal::ONE_HUNDRED > self.percent * Decimal::from(whole)
    }
}

/// A time of day in Great Britain: `"06:00"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeOfDay(pub NaiveTime);

/// What "today" means to the rules that compare with it; fixed for a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum RunDate {
    /// The date the sender's manifest states.
    Manifest,
    /// The date in Great Britain when the build starts.
    Today,
    /// This date.
    On(NaiveDate),
}

/// A text that is not a quantity of the wanted kind; says which kind is wanted, with an example.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAQuantity(&'static str);

impl fmt::Display for NotAQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for NotAQuantity {}

/// Splits `"20 MiB"` into its leading digits (and point) and the rest, both trimmed.
fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (text[..end].trim(), text[end..].trim())
}

impl FromStr for Rate {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let wrong = NotAQuantity("a rate such as \"20/s\", \"600/min\" or \"1000/h\", of at least one request");
        let Some((requests, unit)) = text.split_once('/') else { return Err(wrong) };
        let seconds = match unit.trim() {
            "s" => 1,
            "min" | "m" => 60,
            "h" => 3600,
            _ => return Err(wrong),
        };
        let requests = requests.trim().parse().map_err(|_| wrong)?;
        Ok(Self { requests, per: Duration::from_secs(seconds) })
    }
}

impl FromStr for Span {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| NotAQuantity("a length of time such as \"30s\", \"500ms\" or \"1h 30m\""))
    }
}

impl FromStr for Bytes {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let wrong = NotAQuantity("a size such as \"1GiB\", \"512MiB\", \"64KiB\" or \"4096B\"");
        let (number, unit) = number_and_unit(text);
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(wrong),
        };
        let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
        bytes.map(Self).ok_or(wrong)
    }
}

impl FromStr for Share {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let wrong = NotAQuantity("a share such as \"5%\" or \"0.5%\", from 0% to 100%");
        match number_and_unit(text) {
            (number, "%") => match number.parse::<Decimal>() {
                Ok(percent) if percent <= Decimal::ONE_HUNDRED => Ok(Self { percent }),
                _ => Err(wrong),
            },
            _ => Err(wrong),
        }
    }
}

impl FromStr for TimeOfDay {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        NaiveTime::parse_from_str(text, "%H:%M")
            .map(Self)
            .map_err(|_| NotAQuantity("a time of day such as \"06:00\" (Europe/London)"))
    }
}

impl FromStr for RunDate {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        match text {
            "manifest" => Ok(Self::Manifest),
            "today" => Ok(Self::Today),
            date => date
                .parse()
                .map(Self::On)
                .map_err(|_| NotAQuantity("\"manifest\", \"today\" or a date such as \"2026-01-31\", in quotes")),
        }
    }
}

/// Lets serde read a quantity from its text through [`FromStr`].
macro_rules! from_text {
    ($($quantity:ty),*) => {$(
        impl TryFrom<String> for $quantity {
            type Error = NotAQuantity;

            fn try_from(text: String) -> Result<Self, NotAQuantity> {
                text.parse()
            }
        }
    )*};
}

from_text!(Rate, Span, Bytes, Share, TimeOfDay, RunDate);

/// Says to editors what a text of the type looks like.
macro_rules! schema_of_text {
    ($($quantity:ident: $example:literal),*) => {$(
        impl JsonSchema for $quantity {
            fn schema_name() -> Cow<'static, str> {
                stringify!($quantity).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "examples": [$example]})
            }
        }
    )*};
}

schema_of_text!(Rate: "20/s", Span: "30s", Bytes: "1GiB", Share: "5%", TimeOfDay: "06:00", RunDate: "2026-07-01");

/// When the target may create accounts: `START/END`, two instants with offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not before.
    pub start: DateTime<Utc>,
    /// Not after; behind the start.
    pub end: DateTime<Utc>,
}

impl Window {
    /// How far ahead the target lets a window end.
    const AHEAD: TimeDelta = TimeDelta::days(4);

    /// Whether the target takes such a window at `now`; else why not.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), String> {
        if self.start < now {
            return Err("its start is in the past".to_owned());
        }
        if self.end > now + Self::AHEAD {
            return Err("its end is more than four days ahead".to_owned());
        }
        Ok(())
    }
}

impl FromStr for Window {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let instant = |text: &str| DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| at.with_timezone(&Utc));
        text.split_once('/')
            .and_then(|(start, end)| Some(Self { start: instant(start)?, end: instant(end)? }))
            .filter(|window| window.start < window.end)
            .ok_or(NotAQuantity("a window such as \"2026-11-24T22:00:00Z/2026-11-25T06:00:00Z\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!("20/s".parse(), Ok(Rate { requests: NonZeroU32::new(20).unwrap(), per: Duration::from_secs(1) }));
        assert_eq!(
            "600 / min".parse(),
            Ok(Rate { requests: NonZeroU32::new(600).unwrap(), per: Duration::from_mins(1) })
        );
        assert_eq!("1h 30m".parse(), Ok(Span(Duration::from_mins(90))));
        assert_eq!("1GiB".parse(), Ok(Bytes(1 << 30)));
        assert_eq!("64 KiB".parse(), Ok(Bytes(65_536)));
        assert_eq!("0.5%".parse(), Ok(Share { percent: Decimal::new(5, 1) }));
        assert_eq!("06:00".parse(), Ok(TimeOfDay(NaiveTime::from_hms_opt(6, 0, 0).unwrap())));
        assert_eq!("today".parse(), Ok(RunDate::Today));
        assert_eq!("2026-01-31".parse(), Ok(RunDate::On(NaiveDate::from_ymd_opt(2026, 1, 31).unwrap())));
    }

    #[test]
    fn a_quantity_without_its_unit_or_out_of_range_is_none() {
        for text in ["20", "0/s", "-1/s", "20/week", "/s", ""] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in ["1", "1GB", "GiB", "99999999999TiB", "1.5GiB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        for text in ["5", "101%", "-1%", "%", "five%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert!("30".parse::<Span>().is_err());
        assert!("25:00".parse::<TimeOfDay>().is_err());
        assert!("31/01/2026".parse::<RunDate>().is_err());
    }

    #[test]
    fn a_share_is_exceeded_only_beyond_itself() {
        let five = "5%".parse::<Share>().unwrap();
        assert!(!five.is_exceeded_by(5, 100));
        assert!(five.is_exceeded_by(6, 100));
        assert!(!five.is_exceeded_by(0, 0));
    }
}
