//! When the work will be done: what is left, at the pace that was measured.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::read::Pace;
use crate::ledger::{Ledger, LedgerError};

/// What is left and when it will be done. Only accounts count that a run brings to their end by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Accounts still to be created.
    pub ready: u64,
    /// Accounts whose import is on its way, or may be.
    pub on_their_way: u64,
    /// Creates a second in the newest run that made some; none: too few to tell.
    pub creates_per_second: Option<f64>,
    /// From the create of an account to the read that finds it processed, on average, in seconds.
    pub poll_lag_seconds: Option<f64>,
    /// Of the accounts that run tried, the share the target refused, in percent.
    pub refused_percent: Option<f64>,
    /// When everything left will have come to its end; none: nobody can tell.
    pub done_at: Option<String>,
    /// The deadline for creates, if there is one.
    pub until: Option<String>,
    /// Creates a second that would make the deadline.
    pub needed_per_second: Option<f64>,
}

/// What a forecast is made from.
#[derive(Clone, Copy, Debug)]
struct Known {
    now: DateTime<Utc>,
    ready: u64,
    on_their_way: u64,
    creates_per_second: Option<f64>,
    poll_lag_seconds: Option<f64>,
    refused_percent: Option<f64>,
    until: Option<DateTime<Utc>>,
}

impl Forecast {
    /// The forecast at `now` for `wave`, or for all accounts, with no creates after `until`; none if nothing is left.
    pub fn read(
        ledger: &Ledger,
        wave: Option<&str>,
        now: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Self>, LedgerError> {
        use crate::ledger::State::{Ready, Sending, Submitted, Unknown};
        let states = ledger.count_by_state(wave)?;
        let of = |wanted: &[_]| states.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, n)| n).sum();
        let pace = ledger.pace()?;
        Ok(forecast(&Known {
            now,
            ready: of(&[Ready]),
            on_their_way: of(&[Sending, Unknown, Submitted]),
            creates_per_second: pace.as_ref().and_then(creates_per_second),
            poll_lag_seconds: ledger.poll_lag()?,
            refused_percent: pace.as_ref().and_then(|pace| {
                let tried = pace.scheduled + pace.refused;
                (tried > 0).then(|| pace.refused as f64 * 100.0 / tried as f64)
            }),
            until,
        }))
    }
}

/// One create has no pace; the first of several opens the interval and does not fill it.
fn creates_per_second(pace: &Pace) -> Option<f64> {
    (pace.creates > 1 && pace.seconds > 0.0).then(|| (pace.creates - 1) as f64 / pace.seconds)
}

/// Pure: the clock is the caller's. The last create is followed for as long as imports took so far.
fn forecast(known: &Known) -> Option<Forecast> {
    if known.ready + known.on_their_way == 0 {
        return None;
    }
    let creating = match (known.ready, known.creates_per_second) {
        (0, _) => Some(0.0),
        (ready, rate) => rate.map(|rate| ready as f64 / rate),
    };
    let seconds = creating.map(|seconds| seconds + known.poll_lag_seconds.unwrap_or_default());
    let at = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
    let left = known.until.map(|until| (until - known.now).as_seconds_f64());
    Some(Forecast {
        ready: known.ready,
        on_their_way: known.on_their_way,
        creates_per_second: known.creates_per_second,
        poll_lag_seconds: known.poll_lag_seconds,
        refused_percent: known.refused_percent,
        done_at: seconds.map(|seconds| at(known.now + TimeDelta::milliseconds((seconds * 1000.0) as i64))),
        until: known.until.map(at),
        needed_per_second: left.filter(|left| known.ready > 0 && *left > 0.0).map(|left| known.ready as f64 / left),
    })
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "left       {} accounts to create, {} on their way", self.ready, self.on_their_way)?;
        if let Some(rate) = self.creates_per_second {
            write!(f, "\npace       {rate:.1} creates a second")?;
            if let Some(lag) = self.poll_lag_seconds {
                write!(f, ", {lag:.0} s from a create to its end")?;
            }
            if let Some(refused) = self.refused_percent {
                write!(f, ", {refused:.1}% refused")?;
            }
        }
        if let Some(done) = &self.done_at {
            write!(f, "\nforecast   done about {done}")?;
        }
        if let (Some(until), Some(needed)) = (&self.until, self.needed_per_second) {
            let verdict = match self.creates_per_second {
                Some(rate) if rate >= needed => "the pace makes it",
                Some(_) => "the pace does not make it",
                None => "no pace is known yet",
            };
            write!(f, "\ndeadline   {until}: {needed:.2} creates a second are needed; {verdict}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            now: "2026-11-24T02:00:00Z".parse().unwrap(),
            ready: 3_600,
            on_their_way: 40,
            creates_per_second: Some(2.0),
            poll_lag_seconds: Some(60.0),
            refused_percent: Some(1.25),
            until: Some("2026-11-24T06:00:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn what_is_left_takes_its_time_at_the_pace_and_the_last_is_followed() {
        let made = forecast(&known()).unwrap();
        assert_eq!(made.done_at.as_deref(), Some("2026-11-24T02:31:00Z"));
        assert_eq!(made.needed_per_second, Some(0.25));
        insta::assert_snapshot!(made, @r"
        left       3600 accounts to create, 40 on their way
        pace       2.0 creates a second, 60 s from a create to its end, 1.2% refused
        forecast   done about 2026-11-24T02:31:00Z
        deadline   2026-11-24T06:00:00Z: 0.25 creates a second are needed; the pace makes it
        ");
    }

    #[test]
    fn without_a_pace_nothing_is_promised_and_without_work_nothing_is_said() {
        let unmeasured = Known { creates_per_second: None, ..known() };
        assert_eq!(forecast(&unmeasured).unwrap().done_at, None);
        let following = Known { ready: 0, ..unmeasured };
        assert_eq!(forecast(&following).unwrap().done_at.as_deref(), Some("2026-11-24T02:01:00Z"));
        assert_eq!(forecast(&Known { ready: 0, on_their_way: 0, ..known() }), None);
        let slow = Known { creates_per_second: Some(0.1), ..known() };
        assert!(forecast(&slow).unwrap().to_string().contains("does not make it"));
    }
}
