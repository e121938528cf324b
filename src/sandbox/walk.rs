//! The walk of an import from `PENDING` over `IN_PROGRESS` to its end.

use std::time::Instant;

use super::Pace;
use crate::target::Status;

/// The walk of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    end: Status,
    pub(super) started: Instant,
    pub(super) changed: Instant,
    pub(super) polls: u32,
    /// Of one thousand: how long this walk takes beside the others.
    slowness: u32,
    pub(super) status: Status,
}

impl Walk {
    pub(super) fn new(end: Status, now: Instant, slowness: u32) -> Self {
        Self { end, started: now, changed: now, polls: 0, slowness, status: Status::Pending }
    }

    /// Brings the status up to `now`.
    pub(super) fn advance(&mut self, now: Instant, pace: Pace) {
        let share = match pace {
            Pace::Polls(polls) => f64::from(self.polls) / f64::from(polls.max(1)),
            Pace::Elapsed(whole) => {
                let whole = whole.as_secs_f64() * f64::from(self.slowness) / 1_000.0;
                let gone = now.duration_since(self.started).as_secs_f64();
                if whole > 0.0 { gone / whole } else { 1.0 }
            }
        };
        let status = match share {
            share if share >= 1.0 => &self.end,
            share if share >= 0.5 => &Status::InProgress,
            _ => &Status::Pending,
        };
        if self.status != *status {
            self.status = status.clone();
            self.changed = now;
        }
    }
}
