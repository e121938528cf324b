//! When a run ends before its work does. Pure: the clock is the caller's.

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;

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
    /// The target was there, and then gave no usable answer for too long.
    Outage {
        /// For how long.
        lasted: Duration,
        /// What happened last.
        last: String,
    },
    /// Accounts in a row were refused for the very same causes.
    IdenticalRefusals {
        /// How many.
        accounts: u32,
        /// Codes and paths.
        causes: String,
    },
    /// The target refuses the credentials.
    Unauthorised,
    /// The target refuses the key, and the command that prints it gives no other.
    NoKey(String),
}

impl StopReason {
    /// Whether it is the target that can't be used, rather than the run that ended early.
    #[must_use]
    pub fn is_target(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Outage { .. } | Self::Unauthorised | Self::NoKey(_))
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
            Self::Outage { lasted, last } => {
                let lasted = humantime::format_duration(Duration::from_secs(lasted.as_secs()));
                write!(f, "`[stop] give_up_after` reached: the target gave no usable answer for {lasted} ({last})")
            }
            Self::IdenticalRefusals { accounts, causes } => write!(
                f,
                "`[stop] identical_refusals` reached: {accounts} accounts in a row were refused for the same cause: \
                 {causes}; `slipway errors` shows an example"
            ),
            Self::NoKey(problem) => {
                write!(f, "the target refuses the key (401 or 403), and there is no other: {problem}")
            }
            Self::Unauthorised => {
                f.write_str("the target refuses the credentials (401 or 403): check `[target] auth` and the key")
            }
        }
    }
}

/// Counts what may end a run.
///
/// | rule | counts | ends the run |
/// | --- | --- | --- |
/// | `[stop] failed` | accounts refused or errored, of those tried | when their share is exceeded and a hundred were tried |
/// | `[stop] identical_refusals` | accounts in a row that were refused for the very same causes: codes and paths | when there are so many, and none was accepted between them |
#[derive(Clone, Debug)]
pub(super) struct Rules {
    failed_percent: Option<Decimal>,
    identical_refusals: u32,
    tried: u64,
    failed: u64,
    /// The causes of the last refusal, and how many had them in a row.
    refused_for: Option<(String, u32)>,
}

impl Rules {
    pub(super) fn new(failed_percent: Option<Decimal>, identical_refusals: u32) -> Self {
        Self { failed_percent, identical_refusals, tried: 0, failed: 0, refused_for: None }
    }

    /// Takes note of an account that was refused for `causes`; says whether it is one too many of the same.
    pub(super) fn refused(&mut self, causes: &str) -> Option<StopReason> {
        let accounts = match &self.refused_for {
            Some((known, accounts)) if known == causes => accounts + 1,
            _ => 1,
        };
        self.refused_for = Some((causes.to_owned(), accounts));
        (accounts >= self.identical_refusals)
            .then(|| StopReason::IdenticalRefusals { accounts, causes: causes.to_owned() })
    }

    /// Takes note of an account that was accepted.
    pub(super) fn accepted(&mut self) {
        self.refused_for = None;
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
    use super::*;

    fn rules() -> Rules {
        Rules::new(Some(Decimal::from(5)), 3)
    }

    #[test]
    fn the_share_of_failures_counts_once_a_hundred_were_tried() {
        let mut rules = rules();
        for n in 1..100 {
            assert_eq!(rules.tried(n % 20 == 0), None, "{n}");
        }
        assert_eq!(rules.tried(true), None, "5 of 100 is not more than 5 %");
        assert_eq!(rules.failed_later(), Some(StopReason::FailedShare { failed: 6, tried: 100 }));
    }

    #[test]
    fn refusals_end_a_run_when_they_are_all_the_same_and_nothing_is_accepted_between_them() {
        let mut rules = rules();
        assert_eq!((rules.refused("a at b"), rules.refused("a at b")), (None, None));
        assert_eq!(rules.refused("c at d"), None, "another cause");
        assert_eq!((rules.refused("a at b"), rules.refused("a at b")), (None, None));
        rules.accepted();
        assert_eq!((rules.refused("a at b"), rules.refused("a at b")), (None, None));
        let stop = rules.refused("a at b").unwrap();
        assert_eq!(stop, StopReason::IdenticalRefusals { accounts: 3, causes: "a at b".to_owned() });
        assert!(stop.to_string().contains("a at b") && !stop.is_target());
    }

    #[test]
    fn a_target_that_can_not_be_used_is_told_apart_from_a_run_that_ended_early() {
        let lasted = Duration::from_millis(301_250);
        let outage = StopReason::Outage { lasted, last: "HTTP 502".into() };
        assert_eq!(
            outage.to_string(),
            "`[stop] give_up_after` reached: the target gave no usable answer for 5m 1s (HTTP 502)"
        );
        assert!(outage.is_target() && StopReason::Unauthorised.is_target());
        assert!(!StopReason::ConsecutiveFailures(20).is_target() && !StopReason::Until.is_target());
    }
}
