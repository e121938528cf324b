//! The steps that wait: what was claimed and not begun, and what is due at some time.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use crate::ledger::State;

use super::account::{Account, Step};

/// A step that is due at some time. Ordered so that the earliest is the greatest.
struct Later {
    due: Instant,
    /// Keeps steps that are due together in the order in which they came.
    serial: u64,
    account: Account,
    step: Step,
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.serial).cmp(&(self.due, self.serial))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}

/// The waiting steps of a run.
#[derive(Default)]
pub(super) struct Queue {
    /// Accounts claimed and not begun.
    fresh: VecDeque<(Account, Step)>,
    /// Steps that lead to creates, later.
    later: BinaryHeap<Later>,
    /// Polls of submitted accounts, later.
    polls: BinaryHeap<Later>,
    serial: u64,
    /// Whether the last step given out was a poll.
    polled: bool,
}

impl Queue {
    /// An account was claimed: its first step.
    pub(super) fn claimed(&mut self, first: (Account, Step)) {
        self.fresh.push_back(first);
    }

    /// Accounts claimed and not begun.
    pub(super) fn unbegun(&self) -> usize {
        self.fresh.len()
    }

    /// Polls that wait.
    pub(super) fn polls(&self) -> usize {
        self.polls.len()
    }

    /// Whether nothing waits that leads to a create.
    pub(super) fn has_no_creates(&self) -> bool {
        self.fresh.is_empty() && self.later.is_empty()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.has_no_creates() && self.polls.is_empty()
    }

    /// Puts a step off for `wait` from `now`.
    pub(super) fn put_off(&mut self, account: Account, step: Step, now: Instant, wait: Duration) {
        self.serial += 1;
        let is_poll = account.state == State::Submitted;
        let later = Later { due: now + wait, serial: self.serial, account, step };
        if is_poll { self.polls.push(later) } else { self.later.push(later) }
    }

    /// Drops every create that has not begun; tells whether there was one.
    pub(super) fn drop_creates(&mut self) -> bool {
        let before = self.later.len() + self.fresh.len();
        self.fresh.clear();
        self.later.retain(|later| later.account.state != State::Ready);
        self.later.len() < before
    }

    /// The next step that is due. While creates and polls are both due they take turns, so that polls take at most
    /// half of the rate.
    pub(super) fn pick(&mut self, now: Instant) -> Option<(Account, Step)> {
        let is_due = |heap: &BinaryHeap<Later>| heap.peek().is_some_and(|later| later.due <= now);
        let creates = is_due(&self.later) || !self.fresh.is_empty();
        let polls = is_due(&self.polls);
        self.polled = polls && !(creates && self.polled);
        if self.polled {
            return self.polls.pop().map(|later| (later.account, later.step));
        }
        if is_due(&self.later) {
            return self.later.pop().map(|later| (later.account, later.step));
        }
        self.fresh.pop_front()
    }

    /// When something will be due that is not due at `now`.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = [self.later.peek(), self.polls.peek()].into_iter().flatten().map(|later| later.due);
        due.filter(|due| *due > now).min()
    }
}
