//! Whether to ask again, and when. Pure: the clock and the dice are the caller's.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The first wait; each further one is twice as long.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);

/// No wait of our own is longer.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// No wait that the target asks for is obeyed beyond this, lest one header stop a night.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// What an exchange came to, as far as asking again goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The target said what it had to say, good or bad.
    Answered,
    /// It is there, but wants fewer requests.
    Throttled,
    /// No usable answer.
    Failed,
    /// It refuses the credentials.
    Unauthorised,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: there is an answer.
    Done,
    /// Ask again after this long.
    Again(Duration),
    /// Leave the account as it is; another run goes on with it.
    GiveUp,
    /// Stop the whole run: every account would fare the same.
    Stop,
}

/// How often and how fast to ask again.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Requests for one step of one account, the first included.
    pub attempts: u32,
    /// The first wait; [`FIRST_WAIT`] but in tests.
    pub first_wait: Duration,
    /// What the dice are thrown with: the same seed, account and attempt give the same wait.
    pub seed: u64,
}

/// Decides after attempt number `attempt` (from 1) of account `account`.
///
/// | reply | attempts left | then |
/// | --- | --- | --- |
/// | answered | – | done |
/// | throttled | – | again, after the wait: it is not the account that is too much |
/// | failed | yes | again, after the wait |
/// | failed | no | give up |
/// | unauthorised | – | stop |
///
/// The wait doubles from `first_wait` up to [`LONGEST_WAIT`], less up to half of it by the dice, so that accounts
/// that failed together do not come back together. A `retry_after` of the target is a floor under it.
#[must_use]
pub fn decide(policy: &Policy, account: u64, reply: Reply, attempt: u32, retry_after: Option<Duration>) -> Decision {
    match reply {
        Reply::Answered => Decision::Done,
        Reply::Unauthorised => Decision::Stop,
        Reply::Failed if attempt >= policy.attempts => Decision::GiveUp,
        Reply::Throttled | Reply::Failed => {
            let floor = retry_after.map_or(Duration::ZERO, capped);
            Decision::Again(wait(policy, account, attempt).max(floor))
        }
    }
}

/// What a `Retry-After` of the target comes to.
#[must_use]
pub fn capped(retry_after: Duration) -> Duration {
    retry_after.min(LONGEST_RETRY_AFTER)
}

/// The wait after attempt number `attempt` (from 1): between a half and the whole of the doubled first wait.
#[must_use]
pub fn wait(policy: &Policy, account: u64, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let whole = policy.first_wait.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let seed = policy.seed ^ account.rotate_left(32) ^ u64::from(attempt);
    whole.mul_f64(StdRng::seed_from_u64(seed).random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { attempts: 6, first_wait: FIRST_WAIT, seed: 1 };

    #[test]
    fn the_table_holds() {
        for (reply, attempt, again, other) in [
            (Reply::Answered, 1, false, Decision::Done),
            (Reply::Answered, 9, false, Decision::Done),
            (Reply::Unauthorised, 1, false, Decision::Stop),
            (Reply::Throttled, 5, true, Decision::Done),
            (Reply::Throttled, 6, true, Decision::Done),
            (Reply::Failed, 6, false, Decision::GiveUp),
            (Reply::Failed, 1, true, Decision::Done),
            (Reply::Failed, 7, false, Decision::GiveUp),
        ] {
            let decision = decide(&POLICY, 1, reply, attempt, None);
            assert!(decision == other || again && matches!(decision, Decision::Again(_)), "{reply:?} {attempt}");
        }
    }

    #[test]
    fn waits_double_within_their_dice_and_stay_under_their_cap() {
        for account in 0..100 {
            for attempt in 1..40 {
                let whole = FIRST_WAIT.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_WAIT);
                let wait = wait(&POLICY, account, attempt);
                assert!(wait >= whole / 2 && wait <= whole, "{attempt}: {wait:?} of {whole:?}");
            }
        }
        let waits: std::collections::HashSet<_> = (0..100).map(|account| wait(&POLICY, account, 3)).collect();
        assert!(waits.len() > 90, "accounts do not come back together");
        assert_eq!(wait(&POLICY, 7, 3), wait(&POLICY, 7, 3));
    }

    #[test]
    fn the_target_may_ask_for_longer_but_not_for_ever() {
        let after = |seconds| decide(&POLICY, 1, Reply::Throttled, 1, Some(Duration::from_secs(seconds)));
        assert_eq!(after(30), Decision::Again(Duration::from_secs(30)));
        assert_eq!(after(86_400), Decision::Again(LONGEST_RETRY_AFTER));
        assert!(matches!(after(0), Decision::Again(wait) if wait >= FIRST_WAIT / 2));
    }
}
