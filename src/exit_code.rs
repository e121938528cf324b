//! What a run tells its caller when it ends.

use std::process::Termination;

/// The exit code of the program: a public interface that cron jobs and runbooks branch on.
///
/// A defect in slipway itself ends as a panic, which Rust turns into 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: every selected account reached the end that was asked for, and no record was lost on the way.
    Complete,
    /// 1: finished, but some accounts were rejected, refused, errored or foreign, some records quarantined or
    /// orphaned, or an identity is open.
    Incomplete,
    /// 2: the usage, configuration, mapping or extract can't be used; nothing was sent.
    Unusable,
    /// 3: stopped early and cleanly by a signal, a deadline, the follow time or a stop rule. Run again to resume.
    Stopped,
    /// 4: the target can't be reached or refuses the credentials.
    Unreachable,
    /// 5: refused for safety: another run holds the ledger, it is another target's, or the build is blocked.
    Unsafe,
}

impl ExitCode {
    /// The number the operating system sees.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Incomplete => 1,
            Self::Unusable => 2,
            Self::Stopped => 3,
            Self::Unreachable => 4,
            Self::Unsafe => 5,
        }
    }

    /// The code of a command that is made of several stages: that of the stage a caller must act on first.
    ///
    /// What forbids going on outranks what a second run mends by itself, which outranks what a human looks at later:
    /// unsafe, unusable, unreachable, stopped, incomplete, complete.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.urgency() > self.urgency() { other } else { self }
    }

    fn urgency(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Incomplete => 1,
            Self::Stopped => 2,
            Self::Unreachable => 3,
            Self::Unusable => 4,
            Self::Unsafe => 5,
        }
    }
}

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        self.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{Complete, Incomplete, Stopped, Unreachable, Unsafe, Unusable};

    #[test]
    fn the_most_urgent_stage_decides() {
        let by_urgency = [Complete, Incomplete, Stopped, Unreachable, Unusable, Unsafe];
        for (i, a) in by_urgency.into_iter().enumerate() {
            for (j, b) in by_urgency.into_iter().enumerate() {
                assert_eq!(a.and(b), by_urgency[i.max(j)], "{a:?} and {b:?}");
            }
        }
    }
}
