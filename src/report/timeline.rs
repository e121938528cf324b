//! Requests over time: what was asked of the target, how long it took, and how much was allowed.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::night::{MomentRow, RunLimits};
use crate::ledger::{Ledger, LedgerError};

/// How long before the newest request a night began at the earliest, in hours.
const NIGHT_HOURS: u32 = 24;
/// Stretches of time that a timeline may have.
const BUCKETS_MAX: u64 = 120;
/// The widths that a stretch may have, in milliseconds; beyond the last, multiples of it.
const WIDTHS_MS: [u64; 14] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000];

/// The requests of the newest night: of the 24 hours before the newest request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When its first request began.
    pub from: String,
    /// When its last request began.
    pub to: String,
    /// How long a bucket is, in milliseconds.
    pub bucket_ms: u64,
    /// What the newest run was allowed; none: not kept.
    pub limit: Option<Limit>,
    /// Every stretch of time from the first to the last request, those without any too.
    pub buckets: Vec<Bucket>,
}

/// How many requests may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// In a period.
    pub requests: u32,
    /// The period, in milliseconds.
    pub period_ms: u64,
}

/// One stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    pub at: String,
    /// Requests that create accounts.
    pub creates: u64,
    /// Requests that read a status.
    pub statuses: u64,
    /// All others: validations, dry runs.
    pub others: u64,
    /// Of all: throttled, unanswered, or answered with a fault of the server.
    pub faults: u64,
    /// The time that half of the requests took at the most, in milliseconds; none without requests.
    pub median_ms: Option<u64>,
    /// The time that 95 of 100 took at the most.
    pub p95_ms: Option<u64>,
    /// The longest.
    pub longest_ms: Option<u64>,
}

impl Bucket {
    /// All requests in it.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.creates + self.statuses + self.others
    }
}

impl Timeline {
    /// Reads it from `ledger`; none before the first request.
    pub fn read(ledger: &Ledger) -> Result<Option<Self>, LedgerError> {
        let Some((first, last)) = ledger.newest_night(NIGHT_HOURS)? else { return Ok(None) };
        let (Ok(from), Ok(to)) = (first.parse::<DateTime<Utc>>(), last.parse::<DateTime<Utc>>()) else {
            return Ok(None);
        };
        let bucket_ms = width((to - from).num_milliseconds() as u64);
        let moments = ledger.moments(&first, bucket_ms)?;
        let limit = ledger.limits(true)?.map(|RunLimits { requests, period_ms, .. }| Limit { requests, period_ms });
        Ok(Some(Self { buckets: buckets(from, to, bucket_ms, &moments), from: first, to: last, bucket_ms, limit }))
    }
}

/// The smallest width that cuts `span_ms` into few enough stretches.
fn width(span_ms: u64) -> u64 {
    let fits = |width: &u64| span_ms / width < BUCKETS_MAX;
    let widest = WIDTHS_MS[WIDTHS_MS.len() - 1];
    WIDTHS_MS.into_iter().find(fits).unwrap_or_else(|| (span_ms / widest / BUCKETS_MAX + 1) * widest)
}

/// Puts the moments, which are in order of bucket, into their stretches of time.
fn buckets(from: DateTime<Utc>, to: DateTime<Utc>, width_ms: u64, moments: &[MomentRow]) -> Vec<Bucket> {
    let count = (to - from).num_milliseconds() as u64 / width_ms + 1;
    (0..count)
        .map(|number| {
            let start = moments.partition_point(|moment| moment.bucket < number);
            let end = moments.partition_point(|moment| moment.bucket <= number);
            let within = &moments[start..end];
            let of = |kinds: &[&str]| {
                within
                    .iter()
                    .filter(|moment| kinds.contains(&moment.kind.as_str()))
                    .map(|moment| moment.exchanges)
                    .sum()
            };
            let mut bucket = Bucket {
                at: (from + TimeDelta::milliseconds((number * width_ms) as i64))
                    .to_rfc3339_opts(SecondsFormat::Millis, true),
                creates: of(&["create"]),
                statuses: of(&["status"]),
                faults: within.iter().map(|moment| moment.faults).sum(),
                ..Bucket::default()
            };
            bucket.others =
                within.iter().map(|moment| moment.exchanges).sum::<u64>() - bucket.creates - bucket.statuses;
            let mut durations: Vec<_> = within.iter().map(|moment| (moment.duration_ms, moment.exchanges)).collect();
            durations.sort_unstable();
            bucket.median_ms = quantile(&durations, 50);
            bucket.p95_ms = quantile(&durations, 95);
            bucket.longest_ms = durations.last().map(|(duration, _)| *duration);
            bucket
        })
        .collect()
}

/// The smallest duration that `percent` of all are no longer than; `durations` is sorted, each with how often it was.
fn quantile(durations: &[(u64, u64)], percent: u64) -> Option<u64> {
    let total: u64 = durations.iter().map(|(_, times)| times).sum();
    let mut below = 0;
    durations.iter().find_map(|(duration, times)| {
        below += times;
        (below * 100 >= total * percent).then_some(*duration)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(bucket: u64, kind: &str, duration_ms: u64, exchanges: u64, faults: u64) -> MomentRow {
        MomentRow { bucket, kind: kind.into(), duration_ms, exchanges, faults }
    }

    #[test]
    fn stretches_without_requests_are_there_and_percentiles_are_of_all_kinds() {
        let from = "2026-11-24T02:00:00Z".parse().unwrap();
        let to = "2026-11-24T02:00:02.500Z".parse().unwrap();
        let moments = [
            moment(0, "create", 10, 90, 0),
            moment(0, "create", 200, 4, 1),
            moment(0, "status", 5, 6, 0),
            moment(2, "dry_run", 7, 1, 0),
        ];
        let made = buckets(from, to, 1_000, &moments);
        assert_eq!(made.len(), 3);
        let first = &made[0];
        assert_eq!((first.creates, first.statuses, first.others, first.faults, first.requests()), (94, 6, 0, 1, 100));
        assert_eq!((first.median_ms, first.p95_ms, first.longest_ms), (Some(10), Some(10), Some(200)));
        assert_eq!((made[1].requests(), made[1].median_ms), (0, None));
        assert_eq!((made[2].others, made[2].at.as_str()), (1, "2026-11-24T02:00:02.000Z"));
        assert_eq!(quantile(&[(1, 94), (9, 6)], 95), Some(9));
    }

    #[test]
    fn a_night_is_cut_into_few_stretches() {
        assert_eq!(width(0), 100);
        assert_eq!(width(8 * 3_600_000), 300_000);
        for span in [1, 59_999, 3_600_000, 24 * 3_600_000, 90 * 24 * 3_600_000_u64] {
            assert!(span / width(span) < BUCKETS_MAX);
        }
    }
}
