//! The ledger: one database file that knows where every account stands.
//!
//! It is opened by one writer at a time (a lock file beside it says which) and by any number of readers. It holds
//! keys, locators, digests and counts, and no value of any cell: payloads, quarantined bytes and stage files lie in
//! files of their own.
//!
//! - [`state`]: the life of an account, as one pure function
//! - [`build`]: what a build writes
//! - [`submit`]: intents, outcomes and status reads
//! - [`read`], [`report`], [`night`], [`causes`] and [`rejects`]: what commands and reports ask
//! - [`tables`]: the views, row by row; [`compare`]: two ledgers side by side
//! - [`operate`]: holds, retries
//! - [`plan`]: waves, and what each is sent from
//! - [`recover`]: moves, backups and what the target had before us
//! - [`measure`]: what builds count and sum, and what payloads come to
//! - [`standing`]: what payloads come to, by where their accounts stand
//! - [`target_lists`]: the target's lists against the ledger
//! - [`control`]: what the sender promised, and what is waived
//! - [`drift`]: accepted accounts that would be built differently now
//! - `keep`: backups and purges
//! - `schema`: tables, views and migrations
//!
//! Every commit is on the disk when it returns (`synchronous = FULL`): a create is sent only after its intent is.
//! All SQL of the program is in this folder; decisions about what to send, and when, are not.

mod change;
mod error;
mod keep;
mod lock;
mod rows;
mod schema;
mod schema_money;

pub mod agreement;
pub mod build;
pub mod causes;
pub mod compare;
pub mod control;
pub mod drift;
pub mod measure;
pub mod night;
pub mod operate;
pub mod plan;
pub mod read;
pub mod recover;
pub mod rejects;
pub mod report;
pub mod standing;
pub mod state;
pub mod submit;
pub mod tables;
pub mod target_lists;

use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::account::Digest;

pub use build::{BuildStart, BuildSummary, BuildWriter, BuiltAccount, FileCount, Input, PayloadPlace, Verdict};
pub use error::LedgerError;
pub use keep::Purged;
pub use state::State;

use lock::{Lock, Takeover};
use state::Event;

/// How long a reader or the writer waits for the database's own short locks, in milliseconds.
const BUSY_TIMEOUT_MS: u64 = 10_000;

/// Prepared statements kept: more than the program has.
const STATEMENTS: usize = 96;

/// The target a ledger belongs to for life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdentity {
    /// Base URL; a slash at its end means nothing.
    pub url: String,
    /// The import suppliers, in any order.
    pub suppliers: Vec<String>,
}

impl TargetIdentity {
    fn normalised(&self) -> Self {
        let mut suppliers = self.suppliers.clone();
        suppliers.sort();
        suppliers.dedup();
        Self { url: self.url.trim_end_matches('/').to_owned(), suppliers }
    }
}

impl fmt::Display for TargetIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.url, self.suppliers.join(", "))
    }
}

/// A run's number in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A build's number in its ledger; as text it names the build's payload file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildId(i64);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// An account's number in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(i64);

impl AccountId {
    /// The number itself, to tell accounts apart.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// Two numbers that must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What is compared with what.
    pub name: String,
    /// What it is about.
    pub kind: IdentityKind,
    /// What both sides are numbers of: `records`, `accounts`, `objects`, `points`, `pence`, …
    pub unit: &'static str,
    /// The one side.
    pub left: i64,
    /// The other side, from another source.
    pub right: i64,
}

/// What an identity is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityKind {
    /// The records of a file.
    Records,
    /// What the sender promised of a file.
    ControlTotals,
    /// Accounts by state.
    Accounts,
    /// The records that an entity's objects are made of.
    Entities,
    /// Pence.
    Money,
    /// Supply points by type.
    SupplyPoints,
}

impl IdentityKind {
    /// As the ledger spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::ControlTotals => "control_totals",
            Self::Accounts => "accounts",
            Self::Entities => "entities",
            Self::Money => "money",
            Self::SupplyPoints => "supply_points",
        }
    }
}

/// What is recorded of a run when it begins.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// The subcommand.
    pub command: String,
    /// The command line, with secrets masked.
    pub arguments: String,
    /// Who runs it.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// slipway's version.
    pub version: String,
}

/// The open ledger. A writer holds the lock until it is dropped.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    /// Held for as long as this process may write.
    _lock: Option<Lock>,
}

impl Ledger {
    /// Opens the ledger at `path` for writing, or makes it, for `target` and no other.
    ///
    /// An account that was `sending` when its process died becomes `unknown`: only a status read can tell now.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Held`] and [`LedgerError::OtherTarget`] are refusals for safety; see [`LedgerError`] for the rest.
    pub fn open(path: &Path, target: &TargetIdentity) -> Result<Self, LedgerError> {
        Self::open_with(path, target, Takeover::SameHost)
    }

    fn open_with(path: &Path, target: &TargetIdentity, takeover: Takeover) -> Result<Self, LedgerError> {
        let lock = Lock::take(path, takeover)?;
        create_private(path)?;
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(|source| sql_error(path, "be opened", source))?;
        let mut ledger = Self { connection, path: path.to_owned(), _lock: Some(lock) };
        ledger.prepare().map_err(|source| sql_error(path, "be opened", source))?;
        let version = ledger.known_version()?;
        schema::migrate(&mut ledger.connection, version)
            .map_err(|source| sql_error(path, "be brought up to date", source))?;
        ledger.claim_target(&target.normalised())?;
        ledger.reopen_sending()?;
        Ok(ledger)
    }

    /// Opens the ledger at `path` for reading, while another process may be writing to it.
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        let connection = open_for_reading(path).map_err(|source| sql_error(path, "be opened", source))?;
        let ledger = Self { connection, path: path.to_owned(), _lock: None };
        ledger.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        ledger
            .connection
            .busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))
            .map_err(|e| ledger.sql("be opened", e))?;
        schema::check(path, ledger.known_version()?)?;
        Ok(ledger)
    }

    /// Records that a run begins.
    pub fn begin_run(&mut self, run: &RunStart) -> Result<RunId, LedgerError> {
        self.connection
            .execute(
                "INSERT INTO run (started_at, command, arguments, user, host, version) VALUES (?, ?, ?, ?, ?, ?)",
                params![now(), run.command, run.arguments, run.user, run.host, run.version],
            )
            .map_err(|e| self.sql("record a run", e))?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// Records that a run ends, with its exit code and the accounts by state.
    pub fn finish_run(&mut self, run: RunId, exit_code: i32) -> Result<(), LedgerError> {
        let counts: serde_json::Map<_, _> = self
            .count_by_state(None)?
            .into_iter()
            .filter(|(_, accounts)| *accounts > 0)
            .map(|(state, accounts)| (state.as_str().to_owned(), accounts.into()))
            .collect();
        self.connection
            .execute(
                "UPDATE run SET finished_at = ?, exit_code = ?, counts = ? WHERE id = ?",
                params![now(), exit_code, serde_json::Value::Object(counts).to_string(), run.0],
            )
            .map_err(|e| self.sql("record the end of a run", e))?;
        Ok(())
    }

    /// Keeps what must balance, as it was just worked out, in place of what was kept before.
    pub fn set_identities(&mut self, run: RunId, identities: &[Identity]) -> Result<(), LedgerError> {
        self.write("keep the identities", |transaction, _| {
            transaction.execute("DELETE FROM identity", [])?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO identity (position, name, \"left\", \"right\", run, kind, unit) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?;
            let mut names = HashMap::new();
            for (position, identity) in identities.iter().enumerate() {
                let Identity { name, kind, unit, left, right } = identity;
                // Files of two tables may have one name.
                let repeated = names.entry(name).and_modify(|times| *times += 1).or_insert(1);
                let name = if *repeated == 1 { name.clone() } else { format!("{name} ({repeated})") };
                insert.execute(params![position as i64, name, left, right, run.0, kind.as_str(), unit])?;
            }
            Ok(())
        })
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets what holds for every connection that writes.
    fn prepare(&self) -> rusqlite::Result<()> {
        self.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        self.connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL, not NORMAL: in WAL mode NORMAL may lose the last commits when the power fails, and an intent that is
        // lost after its create was sent is the one thing that must not happen.
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "foreign_keys", true)?;
        // Negative: kibibytes. Keeps the pages that a build touches again and again.
        self.connection.pragma_update(None, "cache_size", -65_536)
    }

    /// The schema version, if this program knows it.
    fn known_version(&self) -> Result<i64, LedgerError> {
        let found: i64 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|e| self.sql("be opened", e))?;
        if found > schema::NEWEST {
            return Err(LedgerError::Newer { path: self.path.clone(), found, known: schema::NEWEST });
        }
        Ok(found)
    }

    /// Makes the ledger this target's, or sees that it is.
    fn claim_target(&mut self, asked: &TargetIdentity) -> Result<(), LedgerError> {
        match self.target()? {
            Some(ledger) if ledger == *asked => Ok(()),
            Some(ledger) => Err(LedgerError::OtherTarget {
                path: self.path.clone(),
                ledger: ledger.to_string(),
                asked: asked.to_string(),
            }),
            None => self.write("record its target", |transaction, _| {
                transaction.execute("INSERT INTO target (url) VALUES (?)", [&asked.url])?;
                for supplier in &asked.suppliers {
                    transaction.execute("INSERT INTO supplier (name) VALUES (?)", [supplier])?;
                }
                Ok(())
            }),
        }
    }

    /// The target this ledger belongs to; none while it is being made.
    pub fn target(&self) -> Result<Option<TargetIdentity>, LedgerError> {
        let url = self
            .connection
            .query_row("SELECT url FROM target", [], |row| row.get(0))
            .optional()
            .map_err(|e| self.sql("tell its target", e))?;
        let Some(url) = url else { return Ok(None) };
        let suppliers =
            self.rows("tell its suppliers", "SELECT name FROM supplier ORDER BY name", [], |row| row.get(0))?;
        Ok(Some(TargetIdentity { url, suppliers }))
    }

    /// Whoever was `sending` under an earlier process is `unknown` under this one.
    fn reopen_sending(&mut self) -> Result<(), LedgerError> {
        let next = State::Sending
            .next(Event::Reopened)
            .map_err(|source| LedgerError::Illegal { account: "(all that are sending)".into(), source })?;
        self.connection
            .execute(
                "UPDATE account SET state = ?, updated_at = ? WHERE state = ?",
                params![next, now(), State::Sending],
            )
            .map_err(|e| self.sql("take over from a run that died", e))?;
        Ok(())
    }

    /// Runs `work` in one transaction and commits it; nothing of it stays if it fails.
    fn write<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&rusqlite::Transaction<'_>, &Path) -> Result<T, WriteError>,
    ) -> Result<T, LedgerError> {
        let path = &self.path;
        let finish = || {
            // Immediate: the write lock is taken at once, so that nothing fails half way for want of it.
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = work(&transaction, path)?;
            transaction.commit()?;
            Ok(value)
        };
        let result: Result<T, WriteError> = finish();
        result.map_err(|error| error.at(path, action))
    }

    /// All rows of a query.
    fn rows<T>(
        &self,
        action: &'static str,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let query =
            || self.connection.prepare_cached(sql)?.query_map(parameters, read)?.collect::<rusqlite::Result<_>>();
        query().map_err(|e| self.sql(action, e))
    }

    fn sql(&self, action: &'static str, source: rusqlite::Error) -> LedgerError {
        sql_error(&self.path, action, source)
    }
}

/// Opens the database at `path` for reading. Where its folder can't be written, its journal's index can't be made; but
/// without a journal nobody is writing, and the file alone is all there is.
fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let can_read = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)).map(drop)
    };
    let connection = Connection::open_with_flags(path, flags)?;
    let Err(error) = can_read(&connection) else { return Ok(connection) };
    let mut journal = path.as_os_str().to_owned();
    journal.push("-wal");
    if std::fs::metadata(&journal).is_ok_and(|journal| journal.len() > 0) {
        return Err(error);
    }
    let alone = format!("file:{}?immutable=1", uri_path(path));
    Connection::open_with_flags(alone, flags | OpenFlags::SQLITE_OPEN_URI)
}

/// A path as it stands in a URI of the database.
fn uri_path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn sql_error(path: &Path, action: &'static str, source: rusqlite::Error) -> LedgerError {
    LedgerError::Sql { path: path.to_owned(), action, source }
}

/// What may stop a transaction: the database, or a finished error of our own.
enum WriteError {
    Sql(rusqlite::Error),
    Ours(LedgerError),
}

impl WriteError {
    fn at(self, path: &Path, action: &'static str) -> LedgerError {
        match self {
            Self::Sql(source) => sql_error(path, action, source),
            Self::Ours(error) => error,
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LedgerError> for WriteError {
    fn from(error: LedgerError) -> Self {
        Self::Ours(error)
    }
}

/// Makes the file, readable by its owner alone; the journal gets the same mode.
fn create_private(path: &Path) -> Result<(), LedgerError> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop).map_err(|source| LedgerError::File {
        action: "create",
        path: path.to_owned(),
        source,
    })
}

/// A moment as the ledger writes it.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn now() -> String {
    stamp(crate::clock::now())
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Self::parse(text).ok_or_else(|| rusqlite::types::FromSqlError::Other(format!("no such state: `{text}`").into()))
    }
}

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests;
