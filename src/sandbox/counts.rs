//! What the sandbox was asked, and how fast: the rate as the target sees it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The window of the rate promise.
const WINDOW: Duration = Duration::from_secs(1);

/// The course of the rate is kept for a day; the totals and the maximum go on.
const MAX_SECONDS: usize = 24 * 60 * 60;

/// The endpoints, as requests are counted by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Validate,
    Create,
    Status,
    List,
    Other,
}

/// What a sandbox was asked since it started. Its own `/_sandbox/` paths are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests, refused and throttled ones included.
    pub requests: u64,
    /// Of them, those to validate.
    pub validates: u64,
    /// Of them, those to create.
    pub creates: u64,
    /// Of them, those to read a status.
    pub status_reads: u64,
    /// Of them, those to read a v1 list of imports.
    #[serde(default)]
    pub lists: u64,
    /// Of them, those to no endpoint at all.
    pub others: u64,
    /// Replies by HTTP status.
    pub replies: BTreeMap<u16, u64>,
    /// Requests whose connection was cut instead of a reply.
    pub cut: u64,
    /// The most requests that arrived in any one-second window.
    pub max_per_second: u64,
    /// Requests in each second since the first one arrived, for a day.
    pub per_second: Vec<u32>,
}

/// [`Counts`] in the making.
#[derive(Debug, Default)]
pub(super) struct Counter {
    counts: Counts,
    first: Option<Instant>,
    /// The arrivals within the latest window.
    latest: VecDeque<Instant>,
}

impl Counter {
    /// Counts a request that arrived at `now`; the instants must not go backwards.
    pub(super) fn arrived(&mut self, endpoint: Endpoint, now: Instant) {
        let counts = &mut self.counts;
        counts.requests += 1;
        *match endpoint {
            Endpoint::Validate => &mut counts.validates,
            Endpoint::Create => &mut counts.creates,
            Endpoint::Status => &mut counts.status_reads,
            Endpoint::List => &mut counts.lists,
            Endpoint::Other => &mut counts.others,
        } += 1;

        self.latest.push_back(now);
        while self.latest.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.latest.pop_front();
        }
        counts.max_per_second = counts.max_per_second.max(self.latest.len() as u64);

        let second = now.duration_since(*self.first.get_or_insert(now)).as_secs() as usize;
        if second < MAX_SECONDS {
            if counts.per_second.len() <= second {
                counts.per_second.resize(second + 1, 0);
            }
            counts.per_second[second] += 1;
        }
    }

    /// Counts a reply.
    pub(super) fn replied(&mut self, status: u16) {
        *self.counts.replies.entry(status).or_default() += 1;
    }

    /// Counts a cut connection.
    pub(super) fn cut(&mut self) {
        self.counts.cut += 1;
    }

    /// The counts so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_window_is_found_wherever_it_starts() {
        let start = Instant::now();
        let mut counter = Counter::default();
        // Two in the first second, then four across a full second's border, then one exactly a second after another.
        for at_ms in [0, 100, 1_900, 1_950, 2_050, 2_100, 3_100] {
            counter.arrived(Endpoint::Create, start + Duration::from_millis(at_ms));
        }
        let counts = counter.counts();
        assert_eq!(counts.max_per_second, 4);
        assert_eq!(counts.per_second, [2, 2, 2, 1]);
        assert_eq!((counts.requests, counts.creates, counts.validates), (7, 7, 0));
    }
}
