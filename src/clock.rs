//! The wall clock, and what a time of day means where the accounts live.
//!
//! Only this file asks the system for the time; everything that decides something takes the time as a parameter.
//! The monotonic clock for waits and rates is `std::time::Instant`, used where it is needed.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Europe::London;

/// The time now, for records.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The date in Great Britain at `now`: what `run_date = "today"` means.
#[must_use]
pub fn london_date(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&London).date_naive()
}

/// The first instant after `now` at which clocks in Great Britain show `time`.
///
/// A time that is skipped when the clocks go forward is taken an hour later by the old offset, so a deadline is never
/// a day late; of a time that comes twice the earlier is taken.
#[must_use]
pub fn next_occurrence(time: NaiveTime, now: DateTime<Utc>) -> DateTime<Utc> {
    let today = london_date(now);
    (0..3)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .filter_map(|date| {
            let local = date.and_time(time);
            let skipped = || London.from_local_datetime(&(local + chrono::Duration::hours(1))).earliest();
            London.from_local_datetime(&local).earliest().or_else(skipped)
        })
        .map(|local| local.with_timezone(&Utc))
        .find(|instant| *instant > now)
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_next_time_london_clocks_show_it() {
        let cases = [
            // (time of day, now, expected)
            ("06:00", "2026-01-10T05:59:59Z", "2026-01-10T06:00:00Z"),
            ("06:00", "2026-01-10T06:00:00Z", "2026-01-11T06:00:00Z"),
            ("06:00", "2026-07-10T04:30:00Z", "2026-07-10T05:00:00Z"),
            ("06:00", "2026-07-09T23:30:00Z", "2026-07-10T05:00:00Z"),
            // 01:30 does not exist on 29 March 2026 and comes twice on 25 October 2026.
            ("01:30", "2026-03-29T00:10:00Z", "2026-03-29T01:30:00Z"),
            ("01:30", "2026-10-24T23:10:00Z", "2026-10-25T00:30:00Z"),
        ];
        for (time, now, expected) in cases {
            let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
            let now = now.parse::<DateTime<Utc>>().unwrap();
            assert_eq!(next_occurrence(time, now), expected.parse::<DateTime<Utc>>().unwrap(), "{time} after {now}");
        }
    }

    #[test]
    fn a_date_is_a_date_in_london() {
        assert_eq!(london_date("2026-07-09T23:30:00Z".parse().unwrap()).to_string(), "2026-07-10");
        assert_eq!(london_date("2026-01-09T23:30:00Z".parse().unwrap()).to_string(), "2026-01-09");
    }
}
