//! The rows that [`super::read`] gives: plain values, as the ledger has them.

use serde::Serialize;

use super::{AccountId, BuildId, BuildSummary, State};

/// An account and where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct AccountRow {
    /// Its row.
    #[serde(skip)]
    pub id: AccountId,
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// Where it stands.
    pub state: State,
    /// `ours` or `foreign`, once processed.
    pub origin: Option<String>,
    /// The wave it was last built for before it was accepted.
    pub wave: Option<String>,
    /// What the newest build says: `ready`, `rejected` or `gone`.
    pub verdict: String,
    /// Of the newest build's payload.
    pub payload_digest: Option<String>,
    /// Of the payload the target took.
    pub accepted_digest: Option<String>,
    /// The account number at the target.
    pub kraken_identifier: Option<String>,
    /// Creates so far.
    pub attempts: u32,
    /// The status last read at the target.
    pub remote_status: Option<String>,
    /// When the payload was last validated at the target.
    pub validated_at: Option<String>,
    /// With what result.
    pub validated_result: Option<String>,
    /// When its state changed last.
    pub updated_at: String,
}

/// A finding at one of its cells; `file` to `column` are empty if it has none.
#[derive(Clone, Debug, Serialize)]
pub struct FindingRow {
    /// Import supplier, if the account is known.
    pub import_supplier: Option<String>,
    /// External account number, if the account is known.
    pub external_account_number: Option<String>,
    /// `notice`, `warning` or `error`.
    pub severity: String,
    /// The code.
    pub code: String,
    /// `local` or `remote`.
    pub source: String,
    /// Payload path with list positions.
    pub path: String,
    /// Extract file.
    pub file: Option<String>,
    /// Record in the file, from 1.
    pub record: Option<u64>,
    /// Physical line on which the record starts, from 1.
    pub line: Option<u64>,
    /// Column, if one is meant.
    pub column: Option<String>,
    /// What was expected.
    pub message: String,
}

/// One HTTP exchange.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRow {
    /// `validate`, `create` or `status`.
    pub kind: String,
    /// Of creates: the account's how-manieth.
    pub attempt: Option<u32>,
    /// When the request began.
    pub started_at: String,
    /// Until the reply was whole.
    pub duration_ms: u64,
    /// None: there was no reply.
    pub http_status: Option<u16>,
    /// What it told us.
    pub outcome: String,
    /// Of exchanges without a usable answer: what happened.
    pub detail: Option<String>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    /// Its number.
    pub run: i64,
    /// When it began.
    pub started_at: String,
    /// When it ended; none if it runs still, or died.
    pub finished_at: Option<String>,
    /// The subcommand.
    pub command: String,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// Accounts by state at its end, as a JSON object.
    pub counts: Option<String>,
}

/// An extract file of the newest build, with its buckets.
#[derive(Clone, Debug, Serialize)]
pub struct FileRow {
    /// Name relative to its extract directory.
    pub file: String,
    /// The mapping's name of the table.
    pub table: String,
    /// Size on the disk.
    pub bytes: u64,
    /// Of the bytes on the disk.
    pub digest: String,
    /// Records read.
    pub records: u64,
    /// The buckets, each record in one.
    pub quarantined: u64,
    /// See [`super::FileCount`].
    pub duplicate: u64,
    /// See [`super::FileCount`].
    pub orphaned: u64,
    /// See [`super::FileCount`].
    pub not_selected: u64,
    /// See [`super::FileCount`].
    pub filtered: u64,
    /// See [`super::FileCount`].
    pub rejected: u64,
    /// See [`super::FileCount`].
    pub used: u64,
}

/// A build that came to its end.
#[derive(Clone, Debug)]
pub struct BuildRow {
    /// Its number.
    pub id: BuildId,
    /// When it ended.
    pub finished_at: String,
    /// The day date rules called today.
    pub run_date: String,
    /// The wave it was for.
    pub wave: Option<String>,
    /// Whether nothing but the extract chose the accounts.
    pub whole: bool,
    /// What it did.
    pub summary: BuildSummary,
    /// Why nothing of it may be sent; empty: it may.
    pub blocked: Vec<String>,
}

/// How fast the newest run that created accounts went.
#[derive(Clone, Debug, Serialize)]
pub struct Pace {
    /// The run.
    pub run: i64,
    /// Its creates.
    pub creates: u64,
    /// Of those, scheduled by the target.
    pub scheduled: u64,
    /// Of those, refused by it.
    pub refused: u64,
    /// When the first of them began.
    pub first: String,
    /// When the last of them began.
    pub last: String,
    /// Between the two, in seconds.
    pub seconds: f64,
}

/// Something that must balance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdentityRow {
    /// What is compared with what.
    pub name: String,
    /// The one side.
    pub left: i64,
    /// The other.
    pub right: i64,
    /// `left - right`.
    pub difference: i64,
    /// Whether they are the same.
    pub balanced: bool,
    /// What it is about: `records`, `control_totals`, `accounts`, `entities`, `money` or `supply_points`.
    pub kind: String,
    /// What both sides are numbers of, such as `records` or `pence`.
    pub unit: String,
}

/// What is counted of accounts, apart from their states, to be held against them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accounts in the ledger.
    pub accounts: u64,
    /// Accounts whose newest build is the ledger's newest.
    pub built: u64,
    /// Of those, the ones that it made a payload for.
    pub built_ready: u64,
    /// Of those, the ones that it did not.
    pub built_rejected: u64,
    /// Accounts with an intent that may have reached the target, or with an answer that refused it.
    pub sent: u64,
    /// Of those, by their newest such intent: scheduled, received later, or found imported.
    pub sent_accepted: u64,
    /// Of those: refused.
    pub sent_refused: u64,
    /// Of those: nobody knows yet.
    pub sent_unknown: u64,
    /// Of those: a status read found nothing of it.
    pub sent_not_received: u64,
    /// Of the accepted: put back by an operator since, and not sent again yet.
    pub accepted_put_back: u64,
    /// Of the refused: put back by an operator since, and not sent again yet.
    pub refused_put_back: u64,
    /// Processed accounts whose origin is `foreign`.
    pub foreign: u64,
    /// Accounts that the target took, and of which the newest build has another payload, an error, or nothing.
    pub drifted: u64,
}
