//! Whether the target is there at all. Pure: the clock is the caller's.
//!
//! A *failure* is a request without a usable answer: no connection, a timeout, a reset, a 5xx, a page that is none of
//! the target's. A refusal is an answer; a 429 is a sign of life. Requests that were on their way together when an outage
//! began fail together: what began before the last failure was known is no further one.
//!
//! | the breaker is | reply | then |
//! | --- | --- | --- |
//! | closed | an answer, a 429 | go on; the row begins anew |
//! | closed | a failure, fewer than [`TRIP`] in a row | go on |
//! | closed | the [`TRIP`]th failure in a row | open: everybody pauses, then one request goes as a probe |
//! | open | an answer, a 429 | closed: everybody goes on |
//! | open | a failure | pause again, twice as long, and probe |
//! | any | the `consecutive_failures`th failure in a row | stop (exit 3) |
//! | any | a failure or a 429, and no answer for `give_up_after` | give up (exit 4) |
//! | any | the `attempts`th failure in a row, and there never was an answer | give up (exit 4): the target can't be reached |
//!
//! A pause ends no later than `give_up_after` does, so that the last probe says which of the two it was.

use std::time::{Duration, Instant};

use super::stop::StopReason;

/// So many failures in a row are no longer the accounts' own.
pub(super) const TRIP: u32 = 3;

/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What an outage is measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Failures in a row that end the run.
    pub(super) consecutive_failures: u32,
    /// Failures in a row after which a target that never answered is given up.
    pub(super) unreachable_after: u32,
    /// How long a run waits for an answer.
    pub(super) give_up_after: Duration,
    /// The first pause; each further one is twice as long.
    pub(super) first_pause: Duration,
}

/// What to do after a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As before.
    GoOn,
    /// Nothing starts for so long, then one request alone.
    Probe(Duration),
    /// The target is back.
    Resume,
    /// The run ends.
    Stop(StopReason),
}

/// Counts failures in a row.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    limits: Limits,
    in_row: u32,
    last_failure: Option<Instant>,
    /// When the first request began that has had no answer since; none: the last reply was an answer.
    silent_since: Option<Instant>,
    answered: bool,
    is_open: bool,
}

impl Breaker {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, in_row: 0, last_failure: None, silent_since: None, answered: false, is_open: false }
    }

    /// Whether the target seems to be away.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the target ever answered.
    pub(super) fn answered_ever(&self) -> bool {
        self.answered
    }

    /// The target said what it had to say, good or bad.
    pub(super) fn answered(&mut self) -> Verdict {
        self.answered = true;
        self.silent_since = None;
        self.alive()
    }

    /// The target wants fewer requests, as it said at `now` to one that began at `began`.
    pub(super) fn throttled(&mut self, began: Instant, now: Instant) -> Verdict {
        self.answered = true;
        if let Some(given_up) = self.given_up(began, now, "HTTP 429") {
            return given_up;
        }
        self.alive()
    }

    /// A request that began at `began` has failed by `now`.
    pub(super) fn failed(&mut self, began: Instant, now: Instant, detail: Option<&str>) -> Verdict {
        if self.last_failure.is_some_and(|known| began < known) {
            return Verdict::GoOn;
        }
        let detail = detail.unwrap_or("no usable answer");
        self.last_failure = Some(now);
        self.in_row += 1;
        if !self.answered && self.in_row >= self.limits.unreachable_after {
            return Verdict::Stop(StopReason::Unreachable { last: detail.to_owned() });
        }
        if let Some(given_up) = self.given_up(began, now, detail) {
            return given_up;
        }
        if self.in_row >= self.limits.consecutive_failures {
            return Verdict::Stop(StopReason::ConsecutiveFailures(self.in_row));
        }
        if self.in_row < TRIP {
            return Verdict::GoOn;
        }
        self.is_open = true;
        Verdict::Probe(self.pause(now))
    }

    fn alive(&mut self) -> Verdict {
        self.in_row = 0;
        if std::mem::take(&mut self.is_open) { Verdict::Resume } else { Verdict::GoOn }
    }

    fn given_up(&mut self, began: Instant, now: Instant, detail: &str) -> Option<Verdict> {
        let since = *self.silent_since.get_or_insert(began);
        let silent_for = now.saturating_duration_since(since);
        (silent_for >= self.limits.give_up_after)
            .then(|| Verdict::Stop(StopReason::Outage { lasted: silent_for, last: detail.to_owned() }))
    }

    fn pause(&self, now: Instant) -> Duration {
        let whole = self.limits.first_pause.saturating_mul(1 << (self.in_row - TRIP).min(16)).min(LONGEST_PAUSE);
        let left =
            self.silent_since.map_or(whole, |since| (since + self.limits.give_up_after).saturating_duration_since(now));
        whole.min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> (Breaker, impl Fn(u64) -> Instant) {
        let zero = Instant::now();
        let limits = Limits {
            consecutive_failures: 9,
            unreachable_after: 4,
            give_up_after: Duration::from_secs(100),
            first_pause: Duration::from_secs(1),
        };
        (Breaker::new(limits), move |seconds| zero + Duration::from_secs(seconds))
    }

    fn probe(seconds: u64) -> Verdict {
        Verdict::Probe(Duration::from_secs(seconds))
    }

    #[test]
    fn an_outage_is_paused_probed_and_survived() {
        let (mut breaker, at) = breaker();
        assert_eq!(breaker.answered(), Verdict::GoOn);
        assert_eq!(breaker.failed(at(1), at(2), None), Verdict::GoOn);
        assert_eq!(breaker.failed(at(1), at(3), None), Verdict::GoOn, "they were on their way together");
        assert_eq!(breaker.failed(at(3), at(4), None), Verdict::GoOn);
        assert_eq!(breaker.failed(at(5), at(6), None), probe(1));
        assert!(breaker.is_open());
        assert_eq!(breaker.failed(at(5), at(6), None), Verdict::GoOn, "no probe, but an older one");
        assert_eq!(breaker.failed(at(7), at(8), None), probe(2));
        assert_eq!(breaker.failed(at(10), at(11), None), probe(4));
        assert_eq!(breaker.answered(), Verdict::Resume);
        assert!(!breaker.is_open());
        assert_eq!(breaker.answered(), Verdict::GoOn);
        assert_eq!(breaker.failed(at(20), at(21), None), Verdict::GoOn, "the row begins anew");
    }

    #[test]
    fn an_outage_that_lasts_is_given_up_and_not_before() {
        let (mut breaker, at) = breaker();
        breaker.answered();
        for second in [1, 2, 3] {
            breaker.failed(at(second), at(second), None);
        }
        // The last pause is cut to what is left.
        assert_eq!(breaker.failed(at(99), at(99), None), probe(2));
        assert_eq!(
            breaker.failed(at(101), at(101), Some("HTTP 502")),
            Verdict::Stop(StopReason::Outage { lasted: Duration::from_secs(100), last: "HTTP 502".to_owned() })
        );
    }

    #[test]
    fn throttling_is_a_sign_of_life_but_not_for_ever() {
        let (mut breaker, at) = breaker();
        breaker.answered();
        for second in 1..100 {
            assert_eq!(breaker.throttled(at(second), at(second)), Verdict::GoOn);
        }
        assert!(matches!(breaker.throttled(at(101), at(101)), Verdict::Stop(StopReason::Outage { .. })));
        let (mut breaker, at) = self::breaker();
        for second in [1, 2, 3] {
            breaker.failed(at(second), at(second), None);
        }
        assert_eq!(breaker.throttled(at(4), at(4)), Verdict::Resume);
    }

    #[test]
    fn failures_in_a_row_stop_the_run_and_a_target_that_never_answered_is_unreachable() {
        let (mut breaker, at) = breaker();
        breaker.answered();
        let verdicts: Vec<_> = (1..=9).map(|second| breaker.failed(at(second), at(second), None)).collect();
        assert_eq!(verdicts[8], Verdict::Stop(StopReason::ConsecutiveFailures(9)));
        assert!(verdicts[2..8].iter().all(|verdict| matches!(verdict, Verdict::Probe(_))), "{verdicts:?}");
        let (mut breaker, at) = self::breaker();
        let verdicts: Vec<_> = (1..=4).map(|second| breaker.failed(at(second), at(second), Some("refused"))).collect();
        assert_eq!(verdicts[3], Verdict::Stop(StopReason::Unreachable { last: "refused".to_owned() }));
    }
}
