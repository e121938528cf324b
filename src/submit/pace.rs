//! When the next request may start. Pure: the clock is the caller's.
//!
//! The limit is a ceiling at the target's side of the wire, and the rate comes close to it. Three clocks together see to
//! both; a request starts when all three allow it.
//!
//! | clock | allows | so that |
//! | --- | --- | --- |
//! | places | one start each interval, at [`AIM`] of the limit; a place that comes late keeps its successors where they were, up to [`LATE`] | a late timer costs nothing |
//! | gap | one start each half interval, give or take [`TICK`] | places that come late do not come together |
//! | window | as many starts a second as the limit says, counted back from now, and [`GUARD`] between two seconds | the ceiling holds however late anything is |
//!
//! Nothing is saved up: a request that asks after its place has passed takes a new one. What the rate loses by [`AIM`] is
//! what a connection may add to the way of one request and not to another's before the target sees more than the limit
//! in a second: 6 ms.
//!
//! The rate itself falls and rises (AIMD), for all requests together:
//!
//! | reply | then |
//! | --- | --- |
//! | 429, 503 to a request begun after the last fall | half the rate, not under [`LEAST`] of the limit |
//! | 429, 503 to one begun before | as it was: that is the same news |
//! | any answer | rises with time, from nothing to the limit in [`RISE`] |

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The share of the limit that is aimed at.
const AIM: f64 = 0.994;

/// How late a place may come and still keep its successors where they were.
const LATE: Duration = Duration::from_millis(250);

/// What a timer may be late without anybody's fault.
const TICK: Duration = Duration::from_millis(5);

/// Between the end of a full window and the next start.
const GUARD: Duration = Duration::from_millis(3);

/// The least share of the limit that the rate falls to.
const LEAST: f64 = 1.0 / 32.0;

/// How long the rate takes to rise from nothing to the limit.
const RISE: Duration = Duration::from_secs(30);

/// The pace of a run's requests, of whatever kind.
#[derive(Debug)]
pub(super) struct Pace {
    /// One over the limit.
    limit: Duration,
    /// The rate as a share of the limit.
    share: f64,
    /// The next place; none: no request has started.
    place: Option<Instant>,
    /// The next start that leaves a gap to the last.
    gap: Option<Instant>,
    /// So many starts fill a window.
    window_starts: usize,
    window: Duration,
    /// The starts within the last window.
    starts: VecDeque<Instant>,
    fell: Option<Instant>,
    rose: Option<Instant>,
}

impl Pace {
    /// A pace of one request each `limit`, at most.
    pub(super) fn new(limit: Duration) -> Self {
        let limit = limit.max(Duration::from_nanos(1));
        // A limit of less than one a second has a window of its own, of one request.
        let window_starts = (1.0 / limit.as_secs_f64()).round().max(1.0);
        Self {
            limit,
            share: 1.0,
            place: None,
            gap: None,
            window_starts: window_starts as usize,
            window: limit.mul_f64(window_starts),
            starts: VecDeque::new(),
            fell: None,
            rose: None,
        }
    }

    /// The time between two places.
    pub(super) fn interval(&self) -> Duration {
        self.limit.div_f64(AIM * self.share)
    }

    /// When a request that asked at `asked` may start.
    pub(super) fn earliest(&self, asked: Instant) -> Instant {
        let full = self.starts.len().checked_sub(self.window_starts).map(|at| self.starts[at] + self.window + GUARD);
        [self.place, self.gap, full].into_iter().flatten().fold(asked, Instant::max)
    }

    /// A request that asked at `asked` starts `now`, which is not before its [`Pace::earliest`].
    pub(super) fn started(&mut self, asked: Instant, now: Instant) {
        let back = |wait: Duration| now.checked_sub(wait).unwrap_or(now);
        let place = self.place.map_or(asked, |place| place.max(asked)).max(back(LATE));
        self.place = Some(place + self.interval());
        let gap = self.gap.unwrap_or(now).max(back(TICK));
        self.gap = Some(gap + self.interval() / 2);
        while self.starts.len() >= self.window_starts {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }

    /// Nothing starts before `until`; what waited meanwhile has no claim to the places that passed.
    pub(super) fn skip_to(&mut self, until: Instant) {
        self.place = Some(self.place.map_or(until, |place| place.max(until)));
    }

    /// The target answered, at `now`.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.share < 1.0 {
            let since = self.rose.max(self.fell).map_or(Duration::ZERO, |since| now.duration_since(since));
            self.share = (self.share + since.as_secs_f64() / RISE.as_secs_f64()).min(1.0);
            self.rose = Some(now);
        }
    }

    /// The target wants fewer requests: it said so at `now` to one that began at `began`. Tells whether that is news.
    pub(super) fn slow_down(&mut self, began: Instant, now: Instant) -> bool {
        let is_news = self.fell.is_none_or(|fell| began >= fell);
        if is_news {
            self.share = (self.share / 2.0).max(LEAST);
            self.fell = Some(now);
            self.rose = Some(now);
        }
        is_news
    }

    /// The rate as a share of the limit.
    pub(super) fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The starts of `count` requests that all asked at once, where each that waits comes `late(n)` after it may.
    fn starts(pace: &mut Pace, zero: Instant, count: u32, late: impl Fn(u32) -> Duration) -> Vec<Duration> {
        let mut now = zero;
        (0..count)
            .map(|n| {
                let may = pace.earliest(zero);
                // A timer is late; who need not wait is not.
                now = if may > now { may + late(n) } else { now };
                pace.started(zero, now);
                now - zero
            })
            .collect()
    }

    fn most_in_a_second(starts: &[Duration]) -> usize {
        let within = |first: &Duration| starts.iter().filter(|s| **s >= *first && **s < *first + SECOND).count();
        starts.iter().map(within).max().unwrap_or_default()
    }

    #[test]
    fn timers_that_are_late_cost_less_than_a_hundredth_and_never_break_the_ceiling() {
        for (rate, late_ms) in [(1, 2), (20, 2), (20, 6), (100, 2), (100, 6), (500, 2), (500, 4), (1000, 2)] {
            let mut pace = Pace::new(SECOND / rate);
            let count = rate * 60;
            let late = |n: u32| Duration::from_micros(u64::from(n * 7919 % (late_ms * 1000)));
            let starts = starts(&mut pace, Instant::now(), count, late);
            let most = most_in_a_second(&starts[..starts.len().min(3000)]);
            assert!(most <= rate as usize, "{rate}/s, late by {late_ms} ms: {most} in a second");
            let took = starts[starts.len() - 1].as_secs_f64();
            let reached = f64::from(count - 1) / took / f64::from(rate);
            assert!(reached >= 0.99, "{rate}/s, late by {late_ms} ms: {reached}");
        }
    }

    #[test]
    fn nothing_is_saved_up_and_what_comes_late_does_not_come_together() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let mut pace = Pace::new(Duration::from_millis(100));
        pace.started(zero, zero);
        // After a lull: the first goes at once, the second waits its interval.
        assert_eq!(pace.earliest(at(700)), at(700));
        pace.started(at(700), at(700));
        assert!(pace.earliest(at(700)) >= at(800));
        // One that waited and came late keeps its successor's place, but not on its heels.
        let third = pace.earliest(at(700)) + Duration::from_millis(90);
        pace.started(at(700), third);
        let next = pace.earliest(at(700));
        assert!(next < third + Duration::from_millis(60) && next > third + Duration::from_millis(30), "{next:?}");
    }

    #[test]
    fn a_pause_gives_no_claim_to_what_passed_meanwhile() {
        let zero = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(100));
        pace.started(zero, zero);
        pace.skip_to(zero + SECOND);
        pace.started(zero, zero + SECOND);
        assert!(pace.earliest(zero) >= zero + SECOND + Duration::from_millis(100));
    }

    #[test]
    fn the_rate_halves_once_for_what_is_said_together_and_climbs_back_to_the_limit() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let mut pace = Pace::new(Duration::from_millis(10));
        assert!(pace.slow_down(zero, at(10)));
        assert!(!pace.slow_down(at(5), at(11)), "begun before the fall");
        assert!((pace.share() - 0.5).abs() < 1e-9);
        for _ in 0..20 {
            pace.slow_down(at(12), at(12));
        }
        assert!((pace.share() - LEAST).abs() < 1e-9, "never to nothing");
        let mut last = pace.share();
        for second in 1..=60 {
            pace.answered(at(12) + SECOND * second);
            assert!(pace.share() >= last);
            last = pace.share();
        }
        assert!((last - 1.0).abs() < 1e-9, "and never beyond the limit");
    }

    proptest! {
        #[test]
        fn the_ceiling_holds_whatever_is_late_and_whoever_asks_when(
            rate in 1_u32..60,
            lates in prop::collection::vec(0_u64..300, 120),
            lulls in prop::collection::vec(prop::option::weighted(0.05, 0_u64..3000), 120),
        ) {
            let zero = Instant::now();
            let mut pace = Pace::new(SECOND / rate);
            let (mut now, mut asked, mut starts) = (zero, zero, Vec::new());
            for (late, lull) in lates.into_iter().zip(lulls) {
                if let Some(lull) = lull {
                    asked = now + Duration::from_millis(lull);
                }
                now = now.max(pace.earliest(asked)) + Duration::from_millis(late);
                pace.started(asked, now);
                starts.push(now - zero);
            }
            prop_assert!(most_in_a_second(&starts) <= rate as usize);
        }
    }
}
