//! Gives out the work: which account takes which step when, and when to stop.

mod ended;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock;
use crate::interrupt::Interrupt;
use crate::ledger::submit::{Claim, Validation};
use crate::ledger::{AccountId, Ledger, State};
use crate::target::Client;

use super::account::{Account, Done, Step};
use super::breaker::{self, Breaker};
use super::credentials::Credentials;
use super::exchange::Shared;
use super::limiter::Limiter;
use super::queue::Queue;
use super::retry::Policy;
use super::stop::{Rules, StopReason};
use super::writer::Writer;
use super::{Meters, Payloads, SubmitError, SubmitOptions, Summary, Work};
use ended::Then;

/// The end of a dry run that found no fault.
const REHEARSED: &str = "DRY_RUN_SUCCEEDED";

/// Accounts claimed at a time.
const PAGE: usize = 256;

/// Claims are fetched when fewer than this are left.
const LOW: usize = 64;

/// Requests are prepared for this long ahead of their place at the limiter: long enough to hide a commit, short enough
/// to leave few creates in doubt when the process dies.
const AHEAD: Duration = Duration::from_millis(200);

/// Gives out the work of one run.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    meters: Meters,
    tasks: JoinSet<Result<Done, SubmitError>>,
    /// Steps on their way that lead to creates: everything but the polls of submitted accounts.
    creating: usize,
    queue: Queue,
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
    breaker: Breaker,
    credentials: Credentials,
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
        let breaker = Breaker::new(breaker::Limits {
            consecutive_failures: options.consecutive_failures,
            unreachable_after: options.attempts,
            give_up_after: options.give_up_after,
            first_pause: options.first_wait,
        });
        let credentials = Credentials::new(options.fresh_key.is_some());
        let rules = Rules::new(options.failed_percent, options.identical_refusals);
        let limiter = Arc::new(Limiter::new(options.interval));
        Self {
            shared: Arc::new(Shared { client, limiter, writer, payloads, options, policy }),
            meters,
            tasks: JoinSet::new(),
            creating: 0,
            queue: Queue::default(),
            cursor: None,
            claimed: 0,
            taken_up: HashSet::new(),
            exhausted: false,
            stride: 1,
            looked_at: 0,
            follow_until: None,
            breaker,
            credentials,
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
                && let Some((account, step)) = self.queue.pick(now)
            {
                self.start(account, step);
                continue;
            }
            if self.tasks.is_empty() && self.queue.is_empty() {
                break None;
            }
            let wake = self.wake(now);
            tokio::select! {
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    match self.ended(done??) {
                        Then::GoOn => {}
                        Then::Stop(reason) => break Some(reason),
                        Then::Refresh => if let Some(reason) = self.refresh_key().await? {
                            break Some(reason);
                        },
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
                _ if !self.breaker.answered_ever() => {
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
                    self.queue.put_off(Account::open(open), Step::Read, Instant::now(), Duration::ZERO);
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
        if self.exhausted || self.queue.unbegun() >= LOW {
            return Ok(());
        }
        let (after, wave) = (self.cursor, options.wave.clone());
        let page = self.shared.writer.ask(move |ledger| ledger.claims(after, wave.as_deref(), PAGE)).await?;
        self.exhausted = page.len() < PAGE;
        for claim in page {
            if self.taken_up.contains(&claim.id) {
                self.cursor = Some(claim.id);
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
                self.queue.claimed((account, Step::Validate));
            }
            return;
        }
        if options.work == Work::Rehearse {
            // What has ended well with this very payload is not asked for again.
            if claim.rehearsed.as_deref() != Some(REHEARSED) {
                self.claimed += 1;
                self.queue.claimed(Account::to_rehearse(claim));
            }
            return;
        }
        self.claimed += 1;
        self.queue.claimed(Account::claimed(claim, options.validate));
    }

    /// Gives up every create that has not begun; what is on its way goes on.
    fn no_more_creates(&mut self, reason: StopReason) {
        let had_some = !std::mem::replace(&mut self.exhausted, true);
        if self.queue.drop_creates() || had_some {
            self.summary.stopped.get_or_insert(reason);
        }
    }

    /// Whether another request may be prepared.
    fn has_room(&self) -> bool {
        let in_flight = self.shared.options.in_flight;
        let ahead = self.shared.limiter.starts_within(AHEAD).unwrap_or(in_flight);
        // What is prepared while the target is away may be in doubt for as long as that lasts.
        let ahead = if self.breaker.is_open() { 1 } else { ahead };
        self.tasks.len() < in_flight && self.shared.limiter.prepared() < ahead
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
        self.queue.next_due(now).into_iter().chain([now + IDLE]).min().unwrap_or(now + IDLE)
    }

    /// Whether the imports still on their way have had their time.
    fn follow_time_is_over(&mut self, now: Instant) -> Option<StopReason> {
        let creates_remain = !self.exhausted || !self.queue.has_no_creates() || self.creating > 0;
        if creates_remain {
            self.follow_until = None;
            return None;
        }
        let until = *self.follow_until.get_or_insert(now + self.shared.options.follow_for);
        let left = self.queue.polls() + self.tasks.len();
        (now >= until && left > 0).then_some(StopReason::FollowTime { left: left as u64 })
    }
}

#[cfg(test)]
mod tests;
