//! An account on its way through a run: its steps, and what is known of it from one to the next.

use std::time::{Duration, Instant};

use crate::account::{AccountKey, Digest};
use crate::ledger::submit::{Claim, Open, RemoteStatus, Validation};
use crate::ledger::{AccountId, BuildId, PayloadPlace, State};

use super::Validate;
use super::retry::Reply;

/// One digest byte under this is in the sample: about three accounts in a hundred, the same ones every time.
const SAMPLE_UNDER: u8 = 8;

/// An account that is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) key: AccountKey,
    pub(super) state: State,
    /// The payload to send; none for accounts that are followed.
    pub(super) payload: Option<(Digest, BuildId, PayloadPlace)>,
    /// Whether that payload is validated before its create.
    pub(super) validate_first: bool,
    /// Whether `[stop] failed` has counted the account as tried.
    pub(super) counted: bool,
    /// Of the payload in the newest create.
    pub(super) sent: Option<Digest>,
    pub(super) baseline: Option<RemoteStatus>,
    /// When the last read that found no trace of the newest create began.
    pub(super) missing_at: Option<Instant>,
    /// For how long it had been looked for in vain then.
    pub(super) missing_for: Duration,
    pub(super) processed_without_number: bool,
    /// Requests of the present step so far.
    pub(super) tries: u32,
    /// How often the target was too busy for it.
    pub(super) throttled: u32,
    /// Creates of this run so far.
    pub(super) creates: u32,
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
    pub(super) fn step_to_create(&self) -> Step {
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
            missing_at: None,
            missing_for: Duration::ZERO,
            processed_without_number: false,
            tries: 0,
            throttled: 0,
            creates: 0,
            polls: 0,
            rehearsed_since: None,
        }
    }
}

/// Whether a payload is validated before its create: if the options say so and nothing is known of it, and always if it
/// was found wanting before, because only another answer opens the way to its create.
pub(super) fn is_validated_first(claim: &Claim, validate: Validate) -> bool {
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
    /// The target wants fewer requests: 429 or 503.
    pub(super) slow_down: bool,
    /// Of refusals: codes and paths.
    pub(super) causes: Option<String>,
}
