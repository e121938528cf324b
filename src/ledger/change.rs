//! What submission takes from the ledger and what it tells it: plain values.

use chrono::{DateTime, Utc};

use crate::account::{AccountKey, Digest};
use crate::finding::Finding;

use super::state::Event;
use super::{AccountId, BuildId, PayloadPlace, State};

/// An account that may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its row.
    pub id: AccountId,
    /// Its name.
    pub key: AccountKey,
    /// Of the payload to send.
    pub digest: Digest,
    /// The build whose payload file holds it.
    pub build: BuildId,
    /// Where in that file.
    pub place: PayloadPlace,
    /// Intents so far, of any run.
    pub attempts: u32,
    /// Whether an earlier create of ours may have taken effect, so that the target's status is read first.
    pub may_be_there: bool,
    /// What the target said of this very payload when it was last validated; none: it never was.
    pub validated: Option<Validation>,
    /// What a dry run of this very payload came to, in the ledger's word; none: there was none.
    pub rehearsed: Option<String>,
    /// Whether any payload of the account was rehearsed.
    pub was_rehearsed: bool,
}

/// What may be sent, and what speaks against it, in accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prospects {
    /// Ready, with a payload of a build that is not blocked.
    pub sendable: u64,
    /// Ready, with a payload of a blocked build.
    pub blocked: u64,
    /// Why those builds are blocked, each reason once.
    pub reasons: Vec<String>,
    /// Whose newest build made a payload.
    pub built_ready: u64,
    /// Whose newest build found an error.
    pub built_rejected: u64,
}

/// An account whose import is on its way, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its row.
    pub id: AccountId,
    /// Its name.
    pub key: AccountKey,
    /// `unknown` or `submitted`.
    pub state: State,
    /// What was read of the target before the newest create.
    pub baseline: Option<RemoteStatus>,
    /// Of the payload in that create.
    pub sent: Option<Digest>,
}

/// The status of an import as the target gave it; what tells one attempt's end from an older one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStatus {
    /// The status word.
    pub status: String,
    /// When it was last modified, in the target's own spelling.
    pub modified: Option<String>,
}

/// Which endpoint an exchange was with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// The validate endpoint.
    Validate,
    /// The create endpoint.
    Create,
    /// The status endpoint.
    Status,
    /// The create endpoint, for a dry run.
    DryRun,
}

impl ExchangeKind {
    /// As it is spelt in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Create => "create",
            Self::Status => "status",
            Self::DryRun => "dry_run",
        }
    }
}

/// One HTTP exchange, as it is kept.
#[derive(Clone, Debug)]
pub struct ExchangeRecord {
    /// With which endpoint.
    pub kind: ExchangeKind,
    /// When the request began.
    pub started_at: DateTime<Utc>,
    /// Until the reply was whole, in milliseconds.
    pub duration_ms: u64,
    /// None: there was no reply.
    pub http_status: Option<u16>,
    /// What it told us, in one word.
    pub outcome: String,
    /// Of exchanges without a usable answer: what happened. Never holds a text of the target.
    pub detail: Option<String>,
}

/// What a validation said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Nothing to complain of.
    Valid,
    /// There are findings.
    Refused,
    /// The target has the account already.
    AlreadyImported,
}

impl Validation {
    /// As it is spelt in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Refused => "refused",
            Self::AlreadyImported => "already_imported",
        }
    }

    /// The validation spelt `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Valid, Self::Refused, Self::AlreadyImported].into_iter().find(|known| known.as_str() == text)
    }
}

/// Something to make durable.
#[derive(Clone, Debug)]
pub enum Change {
    /// A create is about to be sent.
    Intent {
        /// Of which account.
        account: AccountId,
        /// With which payload.
        digest: Digest,
        /// What was read of the target before, if anything was asked and found.
        baseline: Option<RemoteStatus>,
    },
    /// The payload can't be read back as it was built, so nothing can be sent.
    Damaged {
        /// Of which account.
        account: AccountId,
        /// The build whose payload it is.
        build: BuildId,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The create of the newest intent was never begun.
    Unsent {
        /// Of which account.
        account: AccountId,
    },
    /// An exchange has ended.
    Outcome(Box<Outcome>),
}

/// What an exchange told of an account.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The account.
    pub account: AccountId,
    /// The exchange.
    pub exchange: ExchangeRecord,
    /// What it means for the account; none for validations and for reads that mean nothing.
    pub event: Option<Event>,
    /// The status, if one was read.
    pub status: Option<RemoteStatus>,
    /// The Kraken account number, if it was told.
    pub kraken_identifier: Option<String>,
    /// Of validations: which payload, with what result.
    pub validation: Option<(Digest, Validation)>,
    /// Of dry runs: of which payload, and what it has come to.
    pub rehearsal: Option<(Digest, String)>,
    /// What the target complains of.
    pub findings: Vec<Finding>,
}
