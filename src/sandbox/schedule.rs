//! Faults that go by the clock: storms of 429 and outages, counted from the first request.

use std::time::Duration;

use serde::Deserialize;

use super::faults::{optional_span, span};

/// When everybody is answered 429.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Its beginning, counted from the first request.
    #[serde(deserialize_with = "span")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(deserialize_with = "span")]
    pub lasts: Duration,
    /// It comes again, so long after its last beginning; none: it comes once.
    #[serde(default, deserialize_with = "optional_span")]
    pub every: Option<Duration>,
    /// The form of `Retry-After`.
    #[serde(default)]
    pub retry_after: RetryAfter,
}

/// The forms of `Retry-After`: until the storm is over, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryAfter {
    /// `Retry-After: 1`.
    #[default]
    Seconds,
    /// `Retry-After: Wed, 21 Oct 2015 07:28:00 GMT`.
    Date,
    /// No such header.
    None,
}

/// When nobody is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Its beginning, counted from the first request.
    #[serde(deserialize_with = "span")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(deserialize_with = "span")]
    pub lasts: Duration,
    /// It comes again, so long after its last beginning; none: it comes once.
    #[serde(default, deserialize_with = "optional_span")]
    pub every: Option<Duration>,
    /// What a request meets.
    #[serde(default)]
    pub how: How,
}

/// What a request meets in an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// 503 with HTML.
    #[default]
    Unavailable,
    /// Its connection is cut.
    Reset,
    /// Nobody listens on the port.
    Refuse,
}

/// How much of the time is left at `elapsed`, in the span that begins `at`, `lasts` so long and comes again `every` so
/// often; none: it is not in it.
fn left(at: Duration, lasts: Duration, every: Option<Duration>, elapsed: Duration) -> Option<Duration> {
    let since = elapsed.checked_sub(at)?;
    let since = match every {
        Some(every) if !every.is_zero() => Duration::from_nanos((since.as_nanos() % every.as_nanos()) as u64),
        _ => since,
    };
    lasts.checked_sub(since).filter(|left| !left.is_zero())
}

impl Storm {
    /// How much of it is left at `elapsed`.
    pub(super) fn left(&self, elapsed: Duration) -> Option<Duration> {
        left(self.at, self.lasts, self.every, elapsed)
    }
}

impl Outage {
    /// How much of it is left at `elapsed`.
    pub(super) fn left(&self, elapsed: Duration) -> Option<Duration> {
        left(self.at, self.lasts, self.every, elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_ends_and_comes_again() {
        let ms = Duration::from_millis;
        for (elapsed, once, again) in [
            (0, None, None),
            (99, None, None),
            (100, Some(50), Some(50)),
            (149, Some(1), Some(1)),
            (150, None, None),
            (310, None, Some(40)),
        ] {
            assert_eq!(left(ms(100), ms(50), None, ms(elapsed)), once.map(ms), "{elapsed}");
            assert_eq!(left(ms(100), ms(50), Some(ms(200)), ms(elapsed)), again.map(ms), "{elapsed}");
        }
    }
}
