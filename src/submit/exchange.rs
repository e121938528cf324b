//! One step of one account: what is made durable before a request, the request, and what it means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::account::{AccountKey, Digest};
use crate::clock;
use crate::finding::Finding;
use crate::ledger::state::Event;
use crate::ledger::submit::{Change, Claim, ExchangeKind, ExchangeRecord, Open, Outcome, RemoteStatus, Validation};
use crate::ledger::{AccountId, BuildId, PayloadPlace, State};
use crate::target::{Client, CreateOutcome, Exchange, ImportStatus, StatusOutcome, scrub};

use super::cut::CutPoint;
use super::limiter::{Closed, Limiter, Prepared};
use super::resume::{self, Action, Known, Read};
use super::retry::{self, Decision, Policy, Reply};
use super::told::{self, Told};
use super::writer::{Writer, WriterGone};
use super::{Payloads, SubmitError, SubmitOptions, Validate};

/// One digest byte under this is in the sample: about three accounts in a hundred, the same ones every time.
const SAMPLE_UNDER: u8 = 8;

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

/// An account that is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) key: AccountKey,
    pub(super) state: State,
    /// The payload to send; none for accounts that are followed.
    payload: Option<(Digest, BuildId, PayloadPlace)>,
    /// Whether that payload is validated before its create.
    validate_first: bool,
    /// Whether `[stop] failed` has counted the account as tried.
    pub(super) counted: bool,
    /// Of the payload in the newest create.
    pub(super) sent: Option<Digest>,
    pub(super) baseline: Option<RemoteStatus>,
    /// When this process first found no trace of the newest create.
    missing_since: Option<Instant>,
    processed_without_number: bool,
    /// Requests of the present step so far.
    pub(super) tries: u32,
    /// Creates of this run so far.
    creates: u32,
    /// Status reads since it was submitted.
    pub(super) polls: u32,
    /// When its dry run was scheduled.
    pub(super) rehearsed_since: Option<Instant>,
}

impl Account {
    /// An account to be created, and its first step.
    pub(super) fn claimed(claim: Claim, validate: Validate) -> (Self, Step) {
        let account = Self {
            validate_first: is_validated_first(&claim, validate),
            payload: Some((claim.digest, claim.build, claim.place)),
            ..Self::blank(claim.id, claim.key, State::Ready)
        };
        let step = if claim.may_be_there { Step::Read } else { account.step_to_create() };
        (account, step)
    }

    /// An account to be rehearsed, and its first step.
    pub(super) fn to_rehearse(claim: Claim) -> (Self, Step) {
        let step = if claim.was_rehearsed { Step::ReadRehearsal } else { Step::Rehearse };
        let payload = Some((claim.digest, claim.build, claim.place));
        (Self { payload, ..Self::blank(claim.id, claim.key, State::Ready) }, step)
    }

    /// Of the payload to send.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.payload.map(|(digest, ..)| digest)
    }

    /// The step that leads to a create.
    fn step_to_create(&self) -> Step {
        if self.validate_first { Step::Validate } else { Step::Create }
    }

    /// An account whose status is to be read.
    pub(super) fn open(open: Open) -> Self {
        Self { sent: open.sent, baseline: open.baseline, ..Self::blank(open.id, open.key, open.state) }
    }

    fn blank(id: AccountId, key: AccountKey, state: State) -> Self {
        Self {
            id,
            key,
            state,
            payload: None,
            validate_first: false,
            counted: false,
            sent: None,
            baseline: None,
            missing_since: None,
            processed_without_number: false,
            tries: 0,
            creates: 0,
            polls: 0,
            rehearsed_since: None,
        }
    }
}

/// Whether a payload is validated before its create: if the options say so and nothing is known of it, and always if it
/// was found wanting before, because only another answer opens the way to its create.
fn is_validated_first(claim: &Claim, validate: Validate) -> bool {
    match (claim.validated, validate) {
        (Some(Validation::Refused), _) | (None, Validate::Always) => true,
        (None, Validate::Sample) => claim.digest.0[0] < SAMPLE_UNDER,
        (Some(Validation::Valid | Validation::AlreadyImported), _) | (None, Validate::Never) => false,
    }
}

/// What is to be asked for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Would it be accepted? Before its create, or instead of it.
    Validate,
    /// Create it.
    Create,
    /// Why was it refused?
    Explain,
    /// Where does its import stand?
    Read,
    /// Go through the motions of creating it.
    Rehearse,
    /// How does its dry run go?
    ReadRehearsal,
}

/// What comes after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another step, after a while.
    Step(Step, Duration),
    /// Nothing: the account is where this run can bring it.
    Finished,
    /// Nothing: there was no usable answer in all the attempts.
    GivenUp,
    /// Nothing: its payload can't be read.
    Damaged,
    /// Nothing: it is too late for its create.
    TooLate,
    /// Nothing: its dry run takes too long.
    TooLong,
}

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) account: Account,
    pub(super) step: Step,
    pub(super) next: Next,
    /// None: no request was begun, because the run was ending, or for want of time or a payload.
    pub(super) reply: Option<Reply>,
    pub(super) began: Instant,
    /// What happened, if there was no usable answer.
    pub(super) detail: Option<String>,
    /// The state before the step.
    pub(super) before: State,
    /// A validation found fault.
    pub(super) validation: Option<Validation>,
    /// What a dry run has come to.
    pub(super) rehearsal: Option<String>,
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
        self.cut(CutPoint::BeforeIntent);
        let baseline = account.baseline.clone();
        account.state = self.writer.record(Change::Intent { account: account.id, digest, baseline }).await?;
        self.cut(CutPoint::AfterIntent);
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
        account.missing_since = None;
        let exchange = self.client.create(&payload, &self.options.task).await;
        self.cut(CutPoint::AfterReply);
        let opaque = exchange.outcome == CreateOutcome::RefusedOpaque;
        let told = told::of_create(&exchange.outcome);
        let reply = self.write(done, ExchangeKind::Create, &exchange, told, None).await?;
        self.cut(CutPoint::AfterOutcome);
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
        self.cut(CutPoint::AfterStatus);
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
        let missing_for = account.missing_since.map_or(Duration::ZERO, |since| done.began.duration_since(since));
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
            account.missing_since.get_or_insert(done.began);
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

    /// The same step once more, if its attempts allow.
    pub(super) fn retry(&self, done: &Done, reply: Reply, retry_after: Option<Duration>) -> Next {
        let account = &done.account;
        match retry::decide(&self.policy, account.id.number(), reply, account.tries, retry_after) {
            Decision::Again(wait) => Next::Step(done.step, wait),
            Decision::GiveUp | Decision::Stop => Next::GivenUp,
            Decision::Done => Next::Finished,
        }
    }

    pub(super) fn poll_wait(&self, account: &Account) -> Duration {
        let growth = POLL_GROWTH.powi(account.polls.min(32) as i32).min(SLOWEST_POLL);
        self.options.poll_every.mul_f64(growth)
    }

    /// As long as between polls, but not longer than settle asks for.
    fn settle_wait(&self, account: &Account) -> Duration {
        let passed = account.missing_since.map_or(Duration::ZERO, |since| since.elapsed());
        self.options.poll_every.min(self.options.settle.saturating_sub(passed)).max(SHORTEST_WAIT)
    }

    /// Writes an exchange of a dry run; `word` is what the dry run has come to by it.
    pub(super) async fn write_rehearsal<T>(
        &self,
        done: &mut Done,
        kind: ExchangeKind,
        exchange: &Exchange<T>,
        told: Told,
        word: Option<&str>,
    ) -> Result<Reply, SubmitError> {
        done.rehearsal = word.map(str::to_owned);
        self.write(done, kind, exchange, told, None).await
    }

    /// Writes an exchange and what it means; gives what it is for the run.
    async fn write<T>(
        &self,
        done: &mut Done,
        kind: ExchangeKind,
        exchange: &Exchange<T>,
        told: Told,
        validated: Option<Digest>,
    ) -> Result<Reply, SubmitError> {
        let is_success = exchange.http_status.is_some_and(|status| (200..300).contains(&status));
        if let Some(replies) = self.options.replies.as_ref().filter(|_| !is_success || !told.findings.is_empty()) {
            let at = exchange.started_at.to_rfc3339();
            replies.keep(&done.account.key, kind.as_str(), at, exchange.http_status, &exchange.raw);
        }
        if let (Reply::Throttled | Reply::Failed, Some(wait)) = (told.reply, exchange.retry_after) {
            self.limiter.pause(retry::capped(wait));
        }
        done.reply = Some(told.reply);
        done.detail.clone_from(&told.detail);
        let record = ExchangeRecord {
            kind,
            started_at: exchange.started_at,
            duration_ms: exchange.duration.as_millis() as u64,
            http_status: exchange.http_status,
            outcome: told.word,
            detail: told.detail,
        };
        let outcome = Outcome {
            account: done.account.id,
            exchange: record,
            event: told.event,
            status: told.status,
            kraken_identifier: told.kraken_identifier,
            validation: validated.zip(told.validation),
            rehearsal: done.account.digest().zip(done.rehearsal.clone()),
            findings: told.findings,
        };
        done.account.state = self.writer.record(Change::Outcome(Box::new(outcome))).await?;
        Ok(told.reply)
    }

    /// The payload to send; none if there is none, or none that can be read, which the ledger is told then.
    pub(super) async fn payload(&self, done: &mut Done) -> Result<Option<Vec<u8>>, SubmitError> {
        let Some((digest, build, place)) = done.account.payload else { return Ok(None) };
        match self.payload_at(build, place, digest).await? {
            Ok(payload) => Ok(Some(payload)),
            Err(reason) => {
                self.writer.record(Change::Damaged { account: done.account.id, build, reason }).await?;
                done.next = Next::Damaged;
                Ok(None)
            }
        }
    }

    async fn payload_at(
        &self,
        build: BuildId,
        place: PayloadPlace,
        digest: Digest,
    ) -> Result<Result<Vec<u8>, String>, SubmitError> {
        let payloads = self.payloads.clone();
        Ok(tokio::task::spawn_blocking(move || payloads(build, &place, &digest)).await?)
    }

    /// What the target says went wrong with an import, scrubbed of the values it may quote.
    pub(super) async fn latest_error(
        &self,
        account: &Account,
        found: &ImportStatus,
    ) -> Result<Vec<Finding>, SubmitError> {
        let Some(error) = &found.latest_error else {
            return Ok(vec![told::finding(
                "",
                Some("errored"),
                "the import failed; the target does not say why".to_owned(),
            )]);
        };
        let place = match account.sent {
            Some(digest) => {
                let id = account.id;
                self.writer.ask(move |ledger| ledger.payload_with(id, digest)).await?.map(|place| (digest, place))
            }
            None => None,
        };
        let payload = match place {
            Some((digest, (build, place))) => self.payload_at(build, place, digest).await?.ok(),
            None => None,
        };
        let message = payload.map_or_else(
            || "the import failed; the target's text is left out, because the payload it may quote is gone".to_owned(),
            |payload| scrub(&error.detail, &payload),
        );
        Ok(vec![told::finding("", Some(error.code.as_deref().unwrap_or("errored")), message)])
    }

    fn cut(&self, point: CutPoint) {
        if let Some(cut) = &self.options.cut {
            cut.reached(point);
        }
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
