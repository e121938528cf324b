//! What a 401 or a 403 means. Pure: the clock is the caller's.
//!
//! | the key | the refused request began | then |
//! | --- | --- | --- |
//! | comes from the environment or a file | – | stop: every account would fare the same |
//! | is printed by a command | before the key was read anew | ask again, with the new key |
//! | is printed by a command | after, and the key was good for an answer | read it anew, once, and ask again |
//! | is printed by a command | after, and it was good for nothing | stop |

use std::time::Instant;

/// What to do about refused credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The request was refused for an older key.
    AskAgain,
    /// The key may have run out.
    Refresh,
    /// The key is no good.
    Stop,
}

/// What is known of the key.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    can_refresh: bool,
    refreshed: Option<Instant>,
    /// Whether it was good for an answer, or was not tried yet.
    is_good: bool,
}

impl Credentials {
    /// A key that can be read anew, or can't.
    pub(super) fn new(can_refresh: bool) -> Self {
        // The first key may have been read long before the first request.
        Self { can_refresh, refreshed: None, is_good: true }
    }

    /// A request that began at `began` was answered.
    pub(super) fn accepted(&mut self, began: Instant) {
        self.is_good |= !self.is_older(began);
    }

    /// A request that began at `began` was refused for its key.
    pub(super) fn refused(&self, began: Instant) -> Verdict {
        match () {
            () if !self.can_refresh => Verdict::Stop,
            () if self.is_older(began) => Verdict::AskAgain,
            () if self.is_good => Verdict::Refresh,
            () => Verdict::Stop,
        }
    }

    /// The key was read anew at `now`.
    pub(super) fn refreshed(&mut self, now: Instant) {
        self.refreshed = Some(now);
        self.is_good = false;
    }

    fn is_older(&self, began: Instant) -> bool {
        self.refreshed.is_some_and(|at| began < at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_is_read_anew_once_and_only_where_it_can_be() {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        assert_eq!(Credentials::new(false).refused(at(1)), Verdict::Stop);
        let mut key = Credentials::new(true);
        assert_eq!(key.refused(at(1)), Verdict::Refresh);
        key.refreshed(at(2));
        assert_eq!(key.refused(at(1)), Verdict::AskAgain, "it began with the old key");
        assert_eq!(key.refused(at(3)), Verdict::Stop, "the new one is no better");
        key.accepted(at(1));
        assert_eq!(key.refused(at(3)), Verdict::Stop, "what the old key was good for says nothing of the new one");
        key.accepted(at(4));
        assert_eq!(key.refused(at(5)), Verdict::Refresh, "it was good, and has run out");
    }
}
