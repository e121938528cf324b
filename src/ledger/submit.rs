//! What submission asks of the ledger and tells it: claims, intents, outcomes.
//!
//! Changes come in batches and each batch is one transaction, so that the cost of durability is shared by all the
//! accounts in it. Nothing here waits for the network.

use rusqlite::types::Null;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::account::{AccountKey, Digest};
use crate::cut::{self, CutPoint};
use crate::finding::{Finding, Severity};

use super::build::{Source, insert_finding};
pub use super::change::{
    Change, Claim, ExchangeKind, ExchangeRecord, Open, Outcome, Prospects, RemoteStatus, Validation,
};
use super::operate::wait_if_listed;
use super::recover::presume_intent;
use super::state::Event;
use super::{AccountId, BuildId, Ledger, LedgerError, PayloadPlace, RunId, State, WriteError, now, stamp};

impl Ledger {
    /// Up to `limit` accounts that are `ready` with a payload of a build that is not blocked, in the order of their
    /// rows, behind `after`, of `wave` if one is named.
    pub fn claims(
        &self,
        after: Option<AccountId>,
        wave: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Claim>, LedgerError> {
        let sql = format!("{CLAIM} WHERE {SENDABLE} AND account.id > ?1 AND {IN_WAVE} ORDER BY account.id LIMIT ?3");
        self.rows("tell what is ready", &sql, params![after.map_or(0, |id| id.0), wave, limit as i64], claim)
    }

    /// The account in row `id`, if it is `ready` with a payload of a build that is not blocked.
    pub fn claim(&self, id: AccountId) -> Result<Option<Claim>, LedgerError> {
        let sql = format!("{CLAIM} WHERE {SENDABLE} AND account.id = ?");
        Ok(self.rows("tell what is ready", &sql, [id.0], claim)?.pop())
    }

    /// What may be sent of `wave`, or of all accounts, and what speaks against it.
    pub fn prospects(&self, wave: Option<&str>) -> Result<Prospects, LedgerError> {
        let builds = self.rows(
            "tell what is ready",
            &format!(
                "SELECT build.blocked, count(*) FROM account \
                 JOIN payload ON payload.account = account.id AND payload.digest = account.digest \
                 JOIN build ON build.id = payload.build \
                 WHERE state = 'ready' AND {IN_WAVE} GROUP BY build.id ORDER BY build.id"
            ),
            params![Null, wave],
            |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)? as u64)),
        )?;
        let mut prospects = Prospects::default();
        for (blocked, accounts) in builds {
            match blocked {
                None => prospects.sendable += accounts,
                Some(reasons) => {
                    prospects.blocked += accounts;
                    for reason in reasons.lines() {
                        if !prospects.reasons.iter().any(|known| known == reason) {
                            prospects.reasons.push(reason.to_owned());
                        }
                    }
                }
            }
        }
        let verdicts = self.rows(
            "count verdicts",
            &format!("SELECT verdict, count(*) FROM account WHERE {IN_WAVE} GROUP BY verdict"),
            params![Null, wave],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64)),
        )?;
        for (verdict, accounts) in verdicts {
            match verdict.as_str() {
                "ready" => prospects.built_ready = accounts,
                "rejected" => prospects.built_rejected = accounts,
                _ => {}
            }
        }
        Ok(prospects)
    }

    /// Where a payload of the account lies that was built at some time: the one with this digest.
    pub fn payload_with(&self, id: AccountId, digest: Digest) -> Result<Option<(BuildId, PayloadPlace)>, LedgerError> {
        let rows = self.rows(
            "find a payload",
            "SELECT build, block_offset, block_bytes, start, bytes FROM payload WHERE account = ? AND digest = ?",
            params![id.0, digest],
            |row| Ok((BuildId(row.get(0)?), place(row, 1)?)),
        )?;
        Ok(rows.into_iter().next())
    }

    /// Up to `limit` accounts that are in `state` (`unknown` or `submitted`), in the order of their rows, behind
    /// `after`, of `wave` if one is named.
    pub fn open_accounts(
        &self,
        state: State,
        after: Option<AccountId>,
        wave: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Open>, LedgerError> {
        let sql = format!(
            "SELECT account.id, supplier, number, state, baseline_status, baseline_modified, intent.digest \
             FROM account LEFT JOIN intent ON intent.account = account.id AND intent.attempt = account.attempts \
             WHERE account.id > ?1 AND {IN_WAVE} AND state = ?4 ORDER BY account.id LIMIT ?3"
        );
        let parameters = params![after.map_or(0, |id| id.0), wave, limit as i64, state];
        self.rows("tell what is on its way", &sql, parameters, |row| {
            Ok(Open {
                id: AccountId(row.get(0)?),
                key: key(row, 1)?,
                state: row.get(3)?,
                baseline: remote_status(row, 4)?,
                sent: row.get(6)?,
            })
        })
    }

    /// Makes `changes` durable, all or none, and gives each account's state after its change.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Illegal`] if an account can't take its change; then none of them is made.
    pub fn record(&mut self, run: RunId, changes: &[Change]) -> Result<Vec<State>, LedgerError> {
        self.write("record what was sent", |transaction, _| {
            let states = changes
                .iter()
                .map(|change| match change {
                    Change::Intent { account, digest, baseline } => {
                        write_intent(transaction, run, *account, *digest, baseline.as_ref())
                    }
                    Change::Damaged { account, build, reason } => write_damage(transaction, *account, *build, reason),
                    Change::Unsent { account } => {
                        let current = current(transaction, *account)?;
                        take_event(transaction, run, *account, &current, Event::NotSent, &Told::default())
                    }
                    Change::Outcome(outcome) => write_outcome(transaction, run, outcome),
                })
                .collect();
            cut::reached(CutPoint::MidCommit);
            states
        })
    }
}

/// The code of the finding that a payload can't be read.
const DAMAGED: &str = "payload_damaged";

/// Ready, with a payload of a build that may be sent: what a blocked build made waits until a build that is not blocked
/// has made it again, whatever other builds came since.
const SENDABLE: &str = "state = 'ready' AND build.blocked IS NULL";

/// Of the wave in parameter 2, if there is one.
const IN_WAVE: &str = "(?2 IS NULL OR EXISTS (SELECT 1 FROM wave_account WHERE wave = ?2 \
    AND wave_account.number = account.number AND wave_account.supplier IN ('', account.supplier)))";

const CLAIM: &str = "SELECT account.id, supplier, number, account.digest, payload.build, block_offset, block_bytes, start, \
    bytes, attempts, doubted OR EXISTS (SELECT 1 FROM intent WHERE intent.account = account.id AND effective), \
    iif(validated_digest IS account.digest, validated_result, NULL), \
    iif(rehearsed_digest IS account.digest, rehearsed_status, NULL), rehearsed_at IS NOT NULL FROM account \
    JOIN payload ON payload.account = account.id AND payload.digest = account.digest \
    JOIN build ON build.id = payload.build";

fn claim(row: &Row<'_>) -> rusqlite::Result<Claim> {
    Ok(Claim {
        id: AccountId(row.get(0)?),
        key: key(row, 1)?,
        digest: row.get(3)?,
        build: BuildId(row.get(4)?),
        place: place(row, 5)?,
        attempts: row.get(9)?,
        may_be_there: row.get(10)?,
        validated: row.get::<_, Option<String>>(11)?.as_deref().and_then(Validation::parse),
        rehearsed: row.get(12)?,
        was_rehearsed: row.get(13)?,
    })
}

/// An account's row, as far as an outcome asks.
struct Current {
    state: State,
    verdict: String,
    attempts: i64,
}

fn write_intent(
    transaction: &Transaction<'_>,
    run: RunId,
    account: AccountId,
    digest: Digest,
    baseline: Option<&RemoteStatus>,
) -> Result<State, WriteError> {
    let current = current(transaction, account)?;
    let state = step(transaction, account, current.state, Event::Intent)?;
    let attempt = current.attempts + 1;
    let now = now();
    drop_damage(transaction, account)?;
    transaction
        .prepare_cached(
            "INSERT INTO intent (account, attempt, run, digest, baseline_status, baseline_modified, written_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account.0,
            attempt,
            run.0,
            digest,
            baseline.map(|b| &b.status),
            baseline.and_then(|b| b.modified.as_ref()),
            now
        ])?;
    transaction
        .prepare_cached("UPDATE account SET state = ?, attempts = ?, updated_at = ?, doubted = 0 WHERE id = ?")?
        .execute(params![state, attempt, now, account.0])?;
    Ok(state)
}

/// Says on the account that its payload can't be read. A build of the account drops it, and so does the next intent.
fn write_damage(
    transaction: &Transaction<'_>,
    account: AccountId,
    build: BuildId,
    reason: &str,
) -> Result<State, WriteError> {
    drop_damage(transaction, account)?;
    let finding = Finding {
        code: DAMAGED.into(),
        severity: Severity::Error,
        path: String::new(),
        message: format!("the payload can't be read back as it was built, so it is not sent; build it again: {reason}"),
        cells: Vec::new(),
    };
    insert_finding(transaction, Some(account.0), Source::Local(build), &finding)?;
    Ok(current(transaction, account)?.state)
}

fn drop_damage(transaction: &Transaction<'_>, account: AccountId) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM finding WHERE account = ? AND code = ?")?
        .execute(params![account.0, DAMAGED])?;
    Ok(())
}

fn write_outcome(transaction: &Transaction<'_>, run: RunId, outcome: &Outcome) -> Result<State, WriteError> {
    let account = outcome.account;
    let current = current(transaction, account)?;
    let attempt = (outcome.exchange.kind == ExchangeKind::Create).then_some(current.attempts);
    write_exchange(transaction, run, account, attempt, &outcome.exchange)?;
    if let Some((digest, validation)) = outcome.validation {
        transaction
            .prepare_cached(
                "UPDATE account SET validated_digest = ?, validated_at = ?, validated_result = ? WHERE id = ?",
            )?
            .execute(params![digest, stamp(outcome.exchange.started_at), validation.as_str(), account.0])?;
    }
    if let Some((digest, word)) = &outcome.rehearsal {
        transaction
            .prepare_cached(
                "UPDATE account SET rehearsed_digest = ?, rehearsed_at = ?, rehearsed_status = ? WHERE id = ?",
            )?
            .execute(params![digest, stamp(outcome.exchange.started_at), word, account.0])?;
    }
    let state = match outcome.event {
        Some(event) => {
            let told =
                Told { status: outcome.status.as_ref(), kraken_identifier: outcome.kraken_identifier.as_deref() };
            take_event(transaction, run, account, &current, event, &told)?
        }
        None => current.state,
    };
    let settled = state != current.state && matches!(state, State::Submitted | State::Processed);
    if settled || !outcome.findings.is_empty() || outcome.validation.is_some() || outcome.rehearsal.is_some() {
        transaction
            .prepare_cached("DELETE FROM finding WHERE account = ? AND source = 'remote'")?
            .execute([account.0])?;
    }
    for finding in &outcome.findings {
        insert_finding(transaction, Some(account.0), Source::Remote(attempt), finding)?;
    }
    Ok(state)
}

/// What the target told beside the event.
#[derive(Default)]
struct Told<'a> {
    status: Option<&'a RemoteStatus>,
    kraken_identifier: Option<&'a str>,
}

/// Moves the account on and writes down what the event says of its newest intent.
fn take_event(
    transaction: &Transaction<'_>,
    run: RunId,
    account: AccountId,
    current: &Current,
    event: Event,
    told: &Told<'_>,
) -> Result<State, WriteError> {
    let mut state = step(transaction, account, current.state, event)?;
    if state == State::Ready && current.verdict != "ready" {
        // While the account was away, a build made up its mind about it.
        let event = if current.verdict == "gone" { Event::Gone } else { Event::BuiltRejected };
        state = step(transaction, account, state, event)?;
    }
    let state = wait_if_listed(transaction, account, state)?;
    let origin = match state {
        State::Processed => Some(origin(transaction, account, current, event)?),
        _ => None,
    };
    if let Some(outcome) = outcome_of_intent(current.state, event) {
        // A status shows the newest create that may have arrived; any other outcome is the newest create's own.
        let newest = if outcome == "received" { "AND effective" } else { "" };
        let changed = transaction
            .prepare_cached(&format!(
                "UPDATE intent SET outcome = ?1 WHERE account = ?2 \
                 AND attempt = (SELECT max(attempt) FROM intent WHERE account = ?2 {newest})"
            ))?
            .execute(params![outcome, account.0])?;
        // A doubted account may turn out to be there without any create that this ledger knows.
        if changed == 0 {
            presume_intent(transaction, run, account, outcome)?;
        }
    }
    // The payload that the target took is the newest of ours that may have arrived.
    transaction
        .prepare_cached(
            "UPDATE account SET state = ?2, updated_at = iif(state = ?2, updated_at, ?3), \
             origin = coalesce(?4, origin), kraken_identifier = coalesce(?5, kraken_identifier), \
             remote_status = coalesce(?6, remote_status), remote_modified = iif(?6 IS NULL, remote_modified, ?7), \
             accepted_digest = iif(?2 IN ('submitted', 'processed') AND coalesce(?4, 'ours') = 'ours', \
                 (SELECT digest FROM intent WHERE account = ?1 \
                  AND effective AND NOT presumed \
                  ORDER BY attempt DESC LIMIT 1), NULL) WHERE id = ?1",
        )?
        .execute(params![
            account.0,
            state,
            now(),
            origin,
            told.kraken_identifier,
            told.status.map(|s| &s.status),
            told.status.and_then(|s| s.modified.as_ref())
        ])?;
    Ok(state)
}

/// What an event says of the newest intent, in the words of `intent.outcome`.
fn outcome_of_intent(from: State, event: Event) -> Option<&'static str> {
    match (from, event) {
        (State::Sending, Event::Scheduled) => Some("scheduled"),
        (State::Sending, Event::Refused) => Some("refused"),
        (State::Sending, Event::AlreadyImported) => Some("already_imported"),
        (State::Sending, Event::NotSent) => Some("not_sent"),
        (State::Sending, Event::Unclear) => Some("unknown"),
        (State::Unknown, Event::NotReceived) => Some("not_received"),
        (
            State::Unknown | State::Ready,
            Event::StatusPending | Event::StatusProcessed | Event::StatusErrored | Event::StatusCancelled,
        ) => Some("received"),
        _ => None,
    }
}

/// Whether a processed account is ours: some create of ours, other than one that was told "already imported", may
/// have taken effect. An intent whose status read found nothing counts, because the read may have come too early.
fn origin(
    transaction: &Transaction<'_>,
    account: AccountId,
    current: &Current,
    event: Event,
) -> Result<&'static str, WriteError> {
    let behind = if event == Event::AlreadyImported { current.attempts } else { current.attempts + 1 };
    let ours = transaction
        .prepare_cached("SELECT 1 FROM intent WHERE account = ? AND attempt < ? AND effective AND NOT presumed")?
        .exists(params![account.0, behind])?;
    Ok(if ours { "ours" } else { "foreign" })
}

fn write_exchange(
    transaction: &Transaction<'_>,
    run: RunId,
    account: AccountId,
    attempt: Option<i64>,
    exchange: &ExchangeRecord,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO exchange (run, account, attempt, kind, started_at, duration_ms, http_status, outcome, detail) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run.0,
            account.0,
            attempt,
            exchange.kind.as_str(),
            stamp(exchange.started_at),
            exchange.duration_ms as i64,
            exchange.http_status,
            exchange.outcome,
            exchange.detail
        ])?;
    Ok(())
}

fn current(transaction: &Transaction<'_>, account: AccountId) -> Result<Current, WriteError> {
    let row = transaction
        .prepare_cached("SELECT state, verdict, attempts FROM account WHERE id = ?")?
        .query_row([account.0], |row| Ok(Current { state: row.get(0)?, verdict: row.get(1)?, attempts: row.get(2)? }))
        .optional()?;
    row.ok_or_else(|| {
        LedgerError::NoSuchAccount { what: format!("the ledger has no account row {}", account.0) }.into()
    })
}

/// The state after `event`, or an error that names the account.
pub(super) fn step(
    transaction: &Transaction<'_>,
    account: AccountId,
    state: State,
    event: Event,
) -> Result<State, WriteError> {
    state.next(event).or_else(|source| {
        let account = transaction.query_row(
            "SELECT supplier || '/' || number FROM account WHERE id = ?",
            [account.0],
            |row| row.get(0),
        )?;
        Err(LedgerError::Illegal { account, source }.into())
    })
}

/// The account's name from two columns at `at`.
pub(super) fn key(row: &Row<'_>, at: usize) -> rusqlite::Result<AccountKey> {
    Ok(AccountKey::new(row.get::<_, String>(at)?, row.get::<_, String>(at + 1)?))
}

/// A remote status from two columns at `at`.
pub(super) fn remote_status(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<RemoteStatus>> {
    let status: Option<String> = row.get(at)?;
    let modified = row.get(at + 1)?;
    Ok(status.map(|status| RemoteStatus { status, modified }))
}

/// A payload's place from four columns at `at`.
pub(super) fn place(row: &Row<'_>, at: usize) -> rusqlite::Result<PayloadPlace> {
    Ok(PayloadPlace {
        block_offset: row.get::<_, i64>(at)? as u64,
        block_bytes: row.get(at + 1)?,
        start: row.get(at + 2)?,
        bytes: row.get(at + 3)?,
    })
}
