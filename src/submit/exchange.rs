//! One step of one account: what is made durable before a request, the request, and what it means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::cut::{self, CutPoint};
use crate::ledger::State;
use crate::ledger::state::Event;
use crate::ledger::submit::{Change, ExchangeKind, RemoteStatus, Validation};
use crate::target::{Client, CreateOutcome, StatusOutcome};

use super::account::{Account, Done, Next, Step, is_validated_first};
use super::limiter::{Closed, Limiter, Prepared};
use super::resume::{self, Action, Known, Read};
use super::retry::{self, Decision, Policy, Reply};
use super::told;
use super::writer::{Writer, WriterGone};
use super::{Payloads, SubmitError, SubmitOptions};

/// The wait between status reads grows by this for each read, and not beyond [`SLOWEST_POLL`] times the first.
const POLL_GROWTH: f64 = 1.5;
const SLOWEST_POLL: f64 = 12.0;

/// No wait between two reads is shorter, however little of settle is left.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// What every step needs.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) limiter: Arc<Limiter>,
    pub(super) writer: Writer,
    pub(super) payloads: Payloads,
    pub(super) options: SubmitOptions,
    pub(super) policy: Policy,
}

impl Shared {
    /// Takes one step of one account: one request, and what belongs to it.
    pub(super) async fn take(&self, account: Account, step: Step, prepared: Prepared) -> Result<Done, SubmitError> {
        let mut done = Done {
            before: account.state,
            account,
            step,
            next: Next::Finished,
            reply: None,
            began: Instant::now(),
            detail: None,
            validation: None,
            rehearsal: None,
            slow_down: false,
            causes: None,
        };
        match step {
            Step::Create => self.create(&mut done, prepared).await?,
            Step::Validate | Step::Explain => self.validate(&mut done, prepared).await?,
            Step::Read => self.read(&mut done, prepared).await?,
            Step::Rehearse => self.rehearse(&mut done, prepared).await?,
            Step::ReadRehearsal => self.read_rehearsal(&mut done, prepared).await?,
        }
        Ok(done)
    }

    /// Intent → limiter → POST → outcome.
    async fn create(&self, done: &mut Done, prepared: Prepared) -> Result<(), SubmitError> {
        let Some(payload) = self.payload(done).await? else { return Ok(()) };
        let account = &mut done.account;
        let Some((digest, ..)) = account.payload else { return Ok(()) };
        cut::reached(CutPoint::BeforeIntent);
        let baseline = account.baseline.clone();
        account.state = self.writer.record(Change::Intent { account: account.id, digest, baseline }).await?;
        cut::reached(CutPoint::AfterIntent);
        if self.limiter.acquire().await == Err(Closed) {
            account.state = self.writer.record(Change::Unsent { account: account.id }).await?;
            return Ok(());
        }
        // The place may have come long after it was asked for.
        if self.options.until.is_some_and(|until| clock::now() >= until) {
            account.state = self.writer.record(Change::Unsent { account: account.id }).await?;
            done.next = Next::TooLate;
            return Ok(());
        }
        done.began = Instant::now();
        drop(prepared);
        account.sent = Some(digest);
        account.creates += 1;
        account.tries += 1;
        account.missing_at = None;
        account.missing_for = Duration::ZERO;
        let creating = self.client.create(&payload, &self.options.task);
        let exchange = if cut::is_due(CutPoint::AfterSend) { cut_off_while(creating).await } else { creating.await };
        cut::reached(CutPoint::AfterReply);
        let opaque = exchange.outcome == CreateOutcome::RefusedOpaque;
        let told = told::of_create(&exchange.outcome);
        let reply = self.write(done, ExchangeKind::Create, &exchange, told, None).await?;
        cut::reached(CutPoint::AfterOutcome);
        done.next = match done.account.state {
            State::Refused if opaque => again(done, Step::Explain, Duration::ZERO),
            State::Submitted => {
                let wait = self.poll_wait(&done.account);
                again(done, Step::Read, wait)
            }
            State::Unknown => {
                let wait = retry::wait(&self.policy, done.account.id.number(), done.account.creates);
                again(done, Step::Read, wait)
            }
            State::Ready => self.retry(done, reply, exchange.retry_after),
            _ => Next::Finished,
        };
        Ok(())
    }

    /// Asks what the target thinks of the payload: before a create, or after one that was refused without a word.
    async fn validate(&self, done: &mut Done, prepared: Prepared) -> Result<(), SubmitError> {
        let Some(payload) = self.payload(done).await? else { return Ok(()) };
        let Some((digest, ..)) = done.account.payload else { return Ok(()) };
        if self.limiter.acquire().await == Err(Closed) {
            return Ok(());
        }
        done.began = Instant::now();
        drop(prepared);
        done.account.tries += 1;
        let exchange = self.client.validate(&payload).await;
        let told = told::of_validate(&exchange.outcome, done.step == Step::Explain);
        done.validation = told.validation;
        let reply = self.write(done, ExchangeKind::Validate, &exchange, told, Some(digest)).await?;
        done.next = match (done.step, done.validation) {
            (_, None) => self.retry(done, reply, exchange.retry_after),
            (Step::Validate, Some(Validation::Valid | Validation::AlreadyImported))
                if !self.options.work.only_asks() =>
            {
                done.account.validate_first = false;
                again(done, Step::Create, Duration::ZERO)
            }
            _ => Next::Finished,
        };
        Ok(())
    }

    /// Reads the status and decides what it means.
    async fn read(&self, done: &mut Done, prepared: Prepared) -> Result<(), SubmitError> {
        if self.limiter.acquire().await == Err(Closed) {
            return Ok(());
        }
        done.began = Instant::now();
        drop(prepared);
        done.account.tries += 1;
        let exchange = self.client.status(&done.account.key).await;
        cut::reached(CutPoint::AfterStatus);
        let action = self.resolve(done, &exchange.outcome);
        let mut told = told::of_status(&exchange.outcome);
        told.event = match action {
            Action::Take(event) => Some(event),
            Action::Wait { .. } if done.account.state != State::Ready => Some(Event::Inconclusive),
            Action::Wait { .. } | Action::Create => None,
        };
        if let (Some(Event::StatusErrored), StatusOutcome::Found(found)) = (told.event, &exchange.outcome) {
            told.findings = self.latest_error(&done.account, found).await?;
        }
        let seen = told.status.clone();
        let reply = self.write(done, ExchangeKind::Status, &exchange, told, None).await?;
        done.next = match (done.account.state, action) {
            (State::Ready, Action::Create) => self.create_next(done, seen),
            (State::Ready, Action::Take(Event::NotReceived)) => {
                let id = done.account.id;
                // A build may have made another payload since the one that got lost.
                let claim = self.writer.ask(move |ledger| ledger.claim(id)).await?;
                done.account.validate_first =
                    claim.as_ref().is_some_and(|claim| is_validated_first(claim, self.options.validate));
                done.account.payload = claim.map(|claim| (claim.digest, claim.build, claim.place));
                self.create_next(done, seen)
            }
            (State::Unknown, _) if reply == Reply::Answered => {
                let wait = self.settle_wait(&done.account);
                again(done, Step::Read, wait)
            }
            (State::Ready | State::Unknown, _) => self.retry(done, reply, exchange.retry_after),
            (State::Submitted, _) => {
                done.account.polls += 1;
                let wait =
                    self.poll_wait(&done.account).max(exchange.retry_after.map_or(Duration::ZERO, retry::capped));
                again(done, Step::Read, wait)
            }
            _ => Next::Finished,
        };
        Ok(())
    }

    fn resolve(&self, done: &mut Done, outcome: &StatusOutcome) -> Action {
        let account = &mut done.account;
        let read = match outcome {
            StatusOutcome::Found(found) => Read::Found(found),
            StatusOutcome::NotFound => Read::NotFound,
            _ => Read::NoAnswer,
        };
        let gap = account.missing_at.map_or(Duration::ZERO, |at| done.began.duration_since(at));
        let missing_for = resume::watched(account.missing_for, gap, self.options.settle);
        let action = resume::resolve(
            &Known {
                state: account.state,
                baseline: account.baseline.as_ref(),
                missing_for,
                processed_without_number: account.processed_without_number,
                settle: self.options.settle,
            },
            read,
        );
        if action == (Action::Wait { missing: true }) {
            account.missing_at = Some(done.began);
            account.missing_for = missing_for;
        }
        if let Read::Found(found) = read {
            account.processed_without_number =
                found.status == crate::target::Status::Processed && found.kraken_identifier.is_none();
        }
        action
    }

    /// The account may be created, with what was read as its baseline, if that is this run's work.
    fn create_next(&self, done: &mut Done, seen: Option<RemoteStatus>) -> Next {
        done.account.baseline = seen;
        if !self.options.work.creates() || done.account.payload.is_none() {
            return Next::Finished;
        }
        if done.account.creates >= self.options.attempts {
            return Next::GivenUp;
        }
        let step = done.account.step_to_create();
        again(done, step, Duration::ZERO)
    }

    /// The same step once more, if its attempts allow. What the target was too busy for was no attempt.
    pub(super) fn retry(&self, done: &mut Done, reply: Reply, retry_after: Option<Duration>) -> Next {
        let account = &mut done.account;
        let attempt = if reply == Reply::Throttled {
            account.tries = account.tries.saturating_sub(1);
            account.throttled += 1;
            account.throttled
        } else {
            account.tries
        };
        match retry::decide(&self.policy, account.id.number(), reply, attempt, retry_after) {
            Decision::Again(wait) => Next::Step(done.step, wait),
            Decision::GiveUp | Decision::Stop => Next::GivenUp,
            Decision::Done => Next::Finished,
        }
    }

    pub(super) fn poll_wait(&self, account: &Account) -> Duration {
        let growth = POLL_GROWTH.powi(account.polls.min(32) as i32).min(SLOWEST_POLL);
        self.options.poll_every.mul_f64(growth)
    }

    /// As long as between polls, but not longer than settle asks for, nor so long that some of it would not count.
    fn settle_wait(&self, account: &Account) -> Duration {
        let settle = self.options.settle;
        let left = settle.saturating_sub(account.missing_for);
        self.options.poll_every.min(resume::longest_gap(settle)).min(left).max(SHORTEST_WAIT)
    }
}

/// Ends the process once the request has had the time to arrive: for a test whose target is slower to answer than that.
async fn cut_off_while<T>(request: impl Future<Output = T>) -> T {
    const ARRIVES_WITHIN: Duration = Duration::from_millis(60);
    tokio::select! {
        reply = request => reply,
        () = tokio::time::sleep(ARRIVES_WITHIN) => std::process::abort(),
    }
}

/// Another step, with its attempts before it; the same step keeps what it has used, until there is an answer.
pub(super) fn again(done: &mut Done, step: Step, wait: Duration) -> Next {
    if step != done.step || done.reply == Some(Reply::Answered) {
        done.account.tries = 0;
    }
    Next::Step(step, wait)
}

impl From<WriterGone> for SubmitError {
    fn from(_: WriterGone) -> Self {
        Self::WriterGone
    }
}
