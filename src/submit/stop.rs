//! When a run ends before its work does. Pure: the clock is the caller's.

use std::fmt;
use std::time::Instant;

use rust_decimal::Decimal;

use super::retry::Reply;

/// The share of failed accounts is looked at once so many were tried.
const TRIED_AT_LEAST: u64 = 100;

/// Why a run ended before its work did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked it to.
    Interrupted,
    /// It is too late for creates.
    Until,
    /// So many requests in a row got no usable answer.
    ConsecutiveFailures(u32),
    /// Too many accounts were refused or errored.
    FailedShare {
        /// Refused or errored.
        failed: u64,
        /// Of so many.
        tried: u64,
    },
    /// Imports did not end within the follow time.
    FollowTime {
        /// Accounts still on their way.
        left: u64,
    },
    /// Accounts that got no usable answer in all their attempts.
    AttemptsExhausted {
        /// How many.
        accounts: u64,
    },
    /// The target was never reached.
    Unreachable {
        /// What was tried last and what happened.
        last: String,
    },
    /// The target refuses the credentials.
    Unauthorised,
}

impl StopReason {
    /// Whether it is the target that can't be used, rather than the run that ended early.
    #[must_use]
    pub fn is_target(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unauthorised)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted; what was on its way has ended"),
            Self::Until => f.write_str("`[stop] until` reached: no creates after it"),
            Self::ConsecutiveFailures(n) => {
                write!(f, "`[stop] consecutive_failures` reached: {n} requests in a row got no usable answer")
            }
            Self::FailedShare { failed, tried } => {
                write!(f, "`[stop] failed` exceeded: {failed} of {tried} accounts were refused or errored")
            }
            Self::FollowTime { left } => write!(f, "`[follow] for` is over; {left} imports have not ended"),
            Self::AttemptsExhausted { accounts } => {
                write!(f, "{accounts} accounts got no usable answer in `[limits] attempts` attempts")
            }
            Self::Unreachable { last } => write!(f, "the target can't be reached: {last}"),
            Self::Unauthorised => {
                f.write_str("the target refuses the credentials (401 or 403): check `[target] auth` and the key")
            }
        }
    }
}

/// Counts what may end a run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) consecutive_failures: u32,
    /// Failures in a row after which a target that never answered is given up.
    pub(super) unreachable_after: u32,
    pub(super) failed_percent: Option<Decimal>,
    in_row: u32,
    last_failure: Option<Instant>,
    answered: bool,
    tried: u64,
    failed: u64,
}

impl Rules {
    pub(super) fn new(consecutive_failures: u32, unreachable_after: u32, failed_percent: Option<Decimal>) -> Self {
        Self {
            consecutive_failures,
            unreachable_after,
            failed_percent,
            in_row: 0,
            last_failure: None,
            answered: false,
            tried: 0,
            failed: 0,
        }
    }

    /// Takes note of a reply at `now` to a request begun at `began`; says whether it ends the run.
    ///
    /// Requests that were on their way together when an outage began fail together; they count as one failure.
    pub(super) fn replied(
        &mut self,
        reply: Reply,
        began: Instant,
        now: Instant,
        detail: Option<&str>,
    ) -> Option<StopReason> {
        match reply {
            Reply::Unauthorised => return Some(StopReason::Unauthorised),
            Reply::Answered | Reply::Throttled => {
                self.answered = true;
                self.in_row = 0;
            }
            Reply::Failed if self.last_failure.is_some_and(|known| began < known) => {}
            Reply::Failed => {
                self.last_failure = Some(now);
                self.in_row += 1;
                if !self.answered && self.in_row >= self.unreachable_after {
                    return Some(StopReason::Unreachable { last: detail.unwrap_or("no usable answer").to_owned() });
                }
                if self.in_row >= self.consecutive_failures {
                    return Some(StopReason::ConsecutiveFailures(self.in_row));
                }
            }
        }
        None
    }

    /// Failures in a row so far.
    pub(super) fn in_row(&self) -> u32 {
        self.in_row
    }

    /// Whether the target ever answered.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// Takes note of an account that was tried; says whether too many have failed.
    pub(super) fn tried(&mut self, failed: bool) -> Option<StopReason> {
        self.tried += 1;
        self.failed += u64::from(failed);
        self.too_many()
    }

    /// Takes note of an account that was tried before and has failed now.
    pub(super) fn failed_later(&mut self) -> Option<StopReason> {
        self.failed += 1;
        self.too_many()
    }

    fn too_many(&self) -> Option<StopReason> {
        let percent = self.failed_percent?;
        let exceeded = Decimal::from(self.failed) * Decimal::ONE_HUNDRED > percent * Decimal::from(self.tried);
        (self.tried >= TRIED_AT_LEAST && exceeded)
            .then_some(StopReason::FailedShare { failed: self.failed, tried: self.tried })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rules() -> (Rules, impl Fn(u64) -> Instant) {
        let zero = Instant::now();
        (Rules::new(3, 2, Some(Decimal::from(5))), move |seconds| zero + Duration::from_secs(seconds))
    }

    #[test]
    fn a_target_that_never_answered_is_unreachable() {
        let (mut rules, at) = rules();
        assert_eq!(rules.replied(Reply::Failed, at(0), at(1), None), None);
        assert_eq!(rules.replied(Reply::Failed, at(0), at(1), None), None, "they were on their way together");
        assert!(matches!(
            rules.replied(Reply::Failed, at(2), at(3), Some("refused")),
            Some(StopReason::Unreachable { .. })
        ));
    }

    #[test]
    fn failures_in_a_row_end_a_run_and_an_answer_begins_the_row_anew() {
        let (mut rules, at) = rules();
        rules.replied(Reply::Answered, at(0), at(1), None);
        for second in [2, 4, 6] {
            assert_eq!(rules.replied(Reply::Failed, at(second), at(second + 1), None).is_some(), second == 6);
        }
        rules.replied(Reply::Throttled, at(7), at(8), None);
        assert_eq!(rules.in_row(), 0);
    }

    #[test]
    fn refused_credentials_end_it_at_once() {
        let (mut rules, at) = rules();
        assert_eq!(rules.replied(Reply::Unauthorised, at(0), at(1), None), Some(StopReason::Unauthorised));
    }

    #[test]
    fn the_share_of_failures_counts_once_a_hundred_were_tried() {
        let (mut rules, _) = rules();
        for n in 1..100 {
            assert_eq!(rules.tried(n % 20 == 0), None, "{n}");
        }
        assert_eq!(rules.tried(true), None, "5 of 100 is not more than 5 %");
        assert_eq!(rules.failed_later(), Some(StopReason::FailedShare { failed: 6, tried: 100 }));
    }
}
