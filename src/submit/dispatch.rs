//! Gives out the work: which account takes which step when, and when to stop.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock;
use crate::interrupt::Interrupt;
use crate::ledger::submit::{Claim, Validation};
use crate::ledger::{AccountId, Ledger, State};
use crate::target::Client;

use super::exchange::{Account, Done, Next, Shared, Step};
use super::limiter::Limiter;
use super::retry::{self, Policy, Reply};
use super::stop::{Rules, StopReason};
use super::writer::Writer;
use super::{Meters, Payloads, SubmitError, SubmitOptions, Summary, Work};

/// The end of a dry run that found no fault.
const REHEARSED: &str = "DRY_RUN_SUCCEEDED";

/// Accounts claimed at a time.
const PAGE: usize = 256;

/// Claims are fetched when fewer than this are left.
const LOW: usize = 64;

/// Requests are prepared for this long ahead of their place at the limiter: long enough to hide a commit, short enough
/// to leave few creates in doubt when the process dies.
const AHEAD: Duration = Duration::from_millis(200);

/// So many failures in a row are no longer the accounts' own: everybody slows down.
const TROUBLE: u32 = 3;

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

/// Gives out the work of one run.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    meters: Meters,
    tasks: JoinSet<Result<Done, SubmitError>>,
    /// Steps on their way that lead to creates: everything but the polls of submitted accounts.
    creating: usize,
    /// Accounts claimed and not begun.
    fresh: VecDeque<(Account, Step)>,
    /// Steps that lead to creates, later.
    later: BinaryHeap<Later>,
    /// Polls of submitted accounts, later.
    polls: BinaryHeap<Later>,
    serial: u64,
    /// Whether the last step given out was a poll.
    polled: bool,
    /// The last account claimed.
    cursor: Option<AccountId>,
    claimed: u64,
    /// Accounts taken up in doubt: one that turns out ready is in hand already, and not claimed.
    taken_up: HashSet<AccountId>,
    /// No more claims: there are none, or there shall be none.
    exhausted: bool,
    /// Of a sample: every how-manieth claim is taken, and how many were looked at.
    stride: u64,
    looked_at: u64,
    /// When following ends; set when the last create is through.
    follow_until: Option<Instant>,
    rules: Rules,
    summary: Summary,
}

impl Dispatcher {
    pub(super) fn new(
        client: Client,
        writer: Writer,
        payloads: Payloads,
        options: SubmitOptions,
        meters: Meters,
    ) -> Self {
        let policy = Policy { attempts: options.attempts, first_wait: options.first_wait, seed: options.seed };
        let rules = Rules::new(options.consecutive_failures, options.attempts, options.failed_percent);
        let limiter = Arc::new(Limiter::new(options.interval));
        Self {
            shared: Arc::new(Shared { client, limiter, writer, payloads, options, policy }),
            meters,
            tasks: JoinSet::new(),
            creating: 0,
            fresh: VecDeque::new(),
            later: BinaryHeap::new(),
            polls: BinaryHeap::new(),
            serial: 0,
            polled: false,
            cursor: None,
            claimed: 0,
            taken_up: HashSet::new(),
            exhausted: false,
            stride: 1,
            looked_at: 0,
            follow_until: None,
            rules,
            summary: Summary::default(),
        }
    }

    /// Works until there is nothing left to do, or a reason to stop.
    pub(super) async fn run(mut self, mut interrupt: Interrupt) -> Result<Summary, SubmitError> {
        self.take_up_open_accounts().await?;
        let stopped = loop {
            if interrupt.is_raised() {
                break Some(StopReason::Interrupted);
            }
            self.claim_more().await?;
            let now = Instant::now();
            if let Some(reason) = self.follow_time_is_over(now) {
                break Some(reason);
            }
            if self.has_room()
                && let Some((account, step)) = self.pick(now)
            {
                self.start(account, step);
                continue;
            }
            if self.tasks.is_empty() && self.later.is_empty() && self.polls.is_empty() && self.fresh.is_empty() {
                break None;
            }
            let wake = self.wake(now);
            tokio::select! {
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Some(reason) = self.ended(done??) {
                        break Some(reason);
                    }
                }
                () = self.shared.limiter.moved(), if !self.has_room() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
                () = interrupt.raised() => {}
            }
        };
        self.drain().await?;
        Ok(self.finish(stopped))
    }

    /// Lets what is on its way end, and begins nothing new.
    async fn drain(&mut self) -> Result<(), SubmitError> {
        self.shared.limiter.close();
        while let Some(done) = self.tasks.join_next().await {
            // The run is ending already; whatever else would end it changes nothing.
            let _ = self.ended(done??);
        }
        Ok(())
    }

    fn finish(mut self, stopped: Option<StopReason>) -> Summary {
        self.summary.stopped = stopped.or(self.summary.stopped.take()).or_else(|| {
            let accounts = self.summary.given_up;
            match accounts {
                0 if self.summary.unrehearsed > 0 => Some(StopReason::FollowTime { left: self.summary.unrehearsed }),
                0 => None,
                _ if !self.rules.answered() => {
                    Some(StopReason::Unreachable { last: "no request got an answer".into() })
                }
                _ => Some(StopReason::AttemptsExhausted { accounts }),
            }
        });
        self.summary
    }

    /// Accounts that an earlier run left on their way: in doubt, or submitted.
    async fn take_up_open_accounts(&mut self) -> Result<(), SubmitError> {
        match self.shared.options.work {
            Work::Validate { sample } => return self.spread(sample).await,
            Work::Rehearse => return Ok(()),
            Work::Create | Work::Follow | Work::CreateAndFollow => {}
        }
        for state in [State::Unknown, State::Submitted] {
            if state == State::Submitted && !self.shared.options.work.follows() {
                continue;
            }
            let mut after = None;
            loop {
                let wave = self.shared.options.wave.clone();
                let ask = move |ledger: &Ledger| ledger.open_accounts(state, after, wave.as_deref(), PAGE);
                let page = self.shared.writer.ask(ask).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                for open in page {
                    if state == State::Unknown {
                        self.taken_up.insert(open.id);
                    }
                    self.put_off(Account::open(open), Step::Read, Duration::ZERO);
                }
            }
        }
        Ok(())
    }

    /// Finds the stride that spreads a sample over all that is ready.
    async fn spread(&mut self, sample: Option<u64>) -> Result<(), SubmitError> {
        let Some(sample) = sample else { return Ok(()) };
        let wave = self.shared.options.wave.clone();
        let prospects = self.shared.writer.ask(move |ledger| ledger.prospects(wave.as_deref())).await?;
        self.stride = prospects.sendable.checked_div(sample).unwrap_or(u64::MAX).max(1);
        Ok(())
    }

    /// Fetches claims when they run low.
    async fn claim_more(&mut self) -> Result<(), SubmitError> {
        let options = &self.shared.options;
        if !options.work.creates() && !options.work.only_asks() {
            self.exhausted = true;
        }
        if options.until.is_some_and(|until| clock::now() >= until) {
            self.no_more_creates(StopReason::Until);
        }
        let options = &self.shared.options;
        if self.exhausted || self.fresh.len() >= LOW {
            return Ok(());
        }
        let (after, wave) = (self.cursor, options.wave.clone());
        let page = self.shared.writer.ask(move |ledger| ledger.claims(after, wave.as_deref(), PAGE)).await?;
        self.exhausted = page.len() < PAGE;
        for claim in page {
            if self.taken_up.contains(&claim.id) {
                continue;
            }
            if let Some(limit) = self.shared.options.limit
                && self.claimed >= limit
            {
                self.exhausted = true;
                self.summary.limited = true;
                break;
            }
            self.cursor = Some(claim.id);
            self.take_up(claim);
        }
        Ok(())
    }

    fn take_up(&mut self, claim: Claim) {
        let options = &self.shared.options;
        if let Work::Validate { sample } = options.work {
            self.looked_at += 1;
            let taken = (self.looked_at - 1).is_multiple_of(self.stride) && sample.is_none_or(|n| self.claimed < n);
            // One that was found wanting is asked about again: the target may have been mended.
            let is_open = claim.validated.is_none_or(|validation| validation == Validation::Refused);
            if taken && is_open {
                self.claimed += 1;
                let (account, _) = Account::claimed(claim, options.validate);
                self.fresh.push_back((account, Step::Validate));
            }
            return;
        }
        if options.work == Work::Rehearse {
            // What has ended well with this very payload is not asked for again.
            if claim.rehearsed.as_deref() != Some(REHEARSED) {
                self.claimed += 1;
                self.fresh.push_back(Account::to_rehearse(claim));
            }
            return;
        }
        self.claimed += 1;
        self.fresh.push_back(Account::claimed(claim, options.validate));
    }

    /// Gives up every create that has not begun; what is on its way goes on.
    fn no_more_creates(&mut self, reason: StopReason) {
        let had_some = !self.exhausted || !self.fresh.is_empty();
        self.exhausted = true;
        self.fresh.clear();
        let before = self.later.len();
        self.later.retain(|later| later.account.state != State::Ready);
        if had_some || self.later.len() < before {
            self.summary.stopped.get_or_insert(reason);
        }
    }

    /// Whether another request may be prepared.
    fn has_room(&self) -> bool {
        let options = &self.shared.options;
        let ahead = options.interval.map_or(options.in_flight, |interval| {
            (AHEAD.as_nanos() / interval.as_nanos().max(1)).clamp(1, 1 << 20) as usize
        });
        self.tasks.len() < options.in_flight && self.shared.limiter.prepared() < ahead
    }

    /// The next step that is due. While creates and polls are both due they take turns, so that polls take at most
    /// half of the rate.
    fn pick(&mut self, now: Instant) -> Option<(Account, Step)> {
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

    fn start(&mut self, account: Account, step: Step) {
        if account.state != State::Submitted {
            self.creating += 1;
        }
        let shared = self.shared.clone();
        let prepared = shared.limiter.prepare();
        self.tasks.spawn(async move { shared.take(account, step, prepared).await });
    }

    /// When something will be due that is not due yet.
    fn wake(&self, now: Instant) -> Instant {
        /// Nothing due: look again after this long, for the time of day.
        const IDLE: Duration = Duration::from_secs(1);
        let due = [self.later.peek(), self.polls.peek()].into_iter().flatten().map(|later| later.due);
        due.filter(|due| *due > now).chain([now + IDLE]).min().unwrap_or(now + IDLE)
    }

    fn put_off(&mut self, account: Account, step: Step, wait: Duration) {
        self.serial += 1;
        let is_poll = account.state == State::Submitted;
        let later = Later { due: Instant::now() + wait, serial: self.serial, account, step };
        if is_poll { self.polls.push(later) } else { self.later.push(later) }
    }

    /// Whether the imports still on their way have had their time.
    fn follow_time_is_over(&mut self, now: Instant) -> Option<StopReason> {
        let creates_remain = !self.exhausted || !self.fresh.is_empty() || !self.later.is_empty() || self.creating > 0;
        if creates_remain {
            self.follow_until = None;
            return None;
        }
        let until = *self.follow_until.get_or_insert(now + self.shared.options.follow_for);
        let left = self.polls.len() + self.tasks.len();
        (now >= until && left > 0).then_some(StopReason::FollowTime { left: left as u64 })
    }

    /// Takes note of a step that has ended; says whether it ends the run.
    fn ended(&mut self, mut done: Done) -> Option<StopReason> {
        if done.before != State::Submitted {
            self.creating -= 1;
        }
        match done.next {
            Next::Damaged => self.summary.damaged += 1,
            Next::TooLate => {
                self.no_more_creates(StopReason::Until);
                self.summary.stopped.get_or_insert(StopReason::Until);
            }
            Next::TooLong => self.summary.unrehearsed += 1,
            Next::Step(..) | Next::Finished | Next::GivenUp => {}
        }
        let reply = done.reply?;
        let stop = self.rules.replied(reply, done.began, Instant::now(), done.detail.as_deref());
        if reply == Reply::Failed && self.rules.in_row() >= TROUBLE {
            self.shared.limiter.pause(retry::wait(&self.shared.policy, 0, self.rules.in_row() - TROUBLE + 1));
        } else if reply == Reply::Throttled {
            self.shared.limiter.pause(self.shared.policy.first_wait);
        }
        let stop = stop.or(self.count(&mut done));
        match done.next {
            Next::Step(_, _) if done.account.state == State::Submitted && !self.shared.options.work.follows() => {}
            Next::Step(next, wait) => self.put_off(done.account, next, wait),
            Next::Finished | Next::Damaged | Next::TooLate | Next::TooLong => {}
            Next::GivenUp => self.summary.given_up += 1,
        }
        stop
    }

    /// Counts what a step came to; says whether too many accounts have failed.
    fn count(&mut self, done: &mut Done) -> Option<StopReason> {
        let summary = &mut self.summary;
        summary.requests += 1;
        if done.step == Step::Create {
            summary.creates += 1;
        }
        if let (Step::Validate, Some(validation)) = (done.step, done.validation) {
            summary.validated += 1;
            summary.validated_refused += u64::from(validation == Validation::Refused);
            if self.shared.options.work.only_asks() {
                self.meters.submit.advance(1);
            }
        }
        if let (Some(word), Next::Finished) = (&done.rehearsal, done.next) {
            *(if word == REHEARSED { &mut summary.rehearsed } else { &mut summary.rehearsed_badly }) += 1;
            self.meters.submit.advance(1);
            // A rehearsal that fails in bulk ends early, as the night would.
            return self.rules.tried(word != REHEARSED);
        }
        let state = done.account.state;
        if state == done.before {
            return None;
        }
        match state {
            State::Submitted => summary.scheduled += 1,
            State::Processed => summary.processed += 1,
            State::Refused => summary.refused += 1,
            State::Errored => summary.errored += 1,
            State::Cancelled => summary.cancelled += 1,
            _ => return None,
        }
        let was_followed = done.before == State::Submitted;
        let meter = if was_followed { &self.meters.follow } else { &self.meters.submit };
        meter.advance(1);
        // An account that an earlier run submitted is first counted when its import ends.
        let was_counted = std::mem::replace(&mut done.account.counted, true);
        match (was_counted, matches!(state, State::Refused | State::Errored)) {
            (false, failed) => self.rules.tried(failed),
            (true, true) => self.rules.failed_later(),
            (true, false) => None,
        }
    }
}

#[cfg(test)]
mod tests;
