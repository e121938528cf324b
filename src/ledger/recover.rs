//! Moves, restored backups, and what the target had before this ledger sent it: accounts of which a create may be on
//! its way that this ledger knows nothing of.
//!
//! They become `unknown`, behind a presumed intent, so that a status read that lasts for all of `settle` precedes any
//! create. What is found then without a create of this ledger's own counts as somebody else's: loudly rather than
//! wrongly ours.

use std::path::Path;

use rusqlite::{Transaction, params};

use crate::account::AccountKey;
use crate::finding::{Finding, Severity};

use super::build::{Source, insert_finding};
use super::operate::intervene;
use super::state::Event;
use super::submit::step;
use super::{AccountId, Ledger, LedgerError, RunId, State, TargetIdentity, WriteError, now};

/// The code of the finding that the target has an account which this ledger never sent.
pub const LISTED: &str = "already_at_target";

/// Accounts at the target that the ledger does not know are named one by one up to this many; the rest are counted.
const STRANGERS_NAMED: usize = 100;

/// What a recovery did, in accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whose status is read before anything else.
    pub unknown: u64,
    /// Whose status is read before a further create, should an operator or a build put them back.
    pub doubted: u64,
}

/// What a list of the target's imports told, in accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// On the list.
    pub imports: u64,
    /// Of those, ready here and never sent: their status is read before anything else.
    pub unknown: u64,
    /// Of those, here, and neither sent nor to be sent.
    pub waiting: u64,
    /// Of those, not in this ledger at all.
    pub strangers: u64,
}

impl Ledger {
    /// Opens the ledger at `path` after a move or from a backup: whoever held it on another machine is taken to be
    /// gone for good.
    pub fn open_moved(path: &Path, target: &TargetIdentity) -> Result<Self, LedgerError> {
        Self::open_with(path, target, super::lock::Takeover::AnyHost)
    }

    /// Puts every account that has not come to an end in doubt, and forgets what the target was found to have.
    pub fn recover(&mut self, run: RunId, reason: &str) -> Result<Recovered, LedgerError> {
        self.write("recover", |transaction, _| {
            transaction.execute("DELETE FROM listing", [])?;
            let mut recovered = Recovered::default();
            for (id, state) in accounts(transaction, "state <> 'processed'")? {
                match state {
                    State::Ready | State::Submitted => {
                        doubt(transaction, run, id, state)?;
                        recovered.unknown += 1;
                    }
                    State::Sending | State::Unknown => recovered.unknown += 1,
                    _ => recovered.doubted += 1,
                }
                transaction.prepare_cached("UPDATE account SET doubted = 1 WHERE id = ?")?.execute([id.0])?;
            }
            transaction.execute(
                "INSERT INTO intervention (run, act, reason, at) VALUES (?, 'recover', ?, ?)",
                params![run.0, reason, now()],
            )?;
            Ok(recovered)
        })
    }

    /// Whether the list of the target's imports of `supplier` is still to be read before the first create of the wave.
    pub fn is_listing_wanted(&self, wave: Option<&str>, supplier: &str) -> Result<bool, LedgerError> {
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM listing WHERE wave = ? AND supplier = ?")
            .and_then(|mut query| query.exists(params![wave.unwrap_or_default(), supplier]));
        known.map(|known| !known).map_err(|e| self.sql("tell what the target has", e))
    }

    /// Records that the target does not serve the list of its imports of `supplier`.
    pub fn record_no_listing(&mut self, run: RunId, wave: Option<&str>, supplier: &str) -> Result<(), LedgerError> {
        self.write("record what the target has", |transaction, _| {
            record_listing(transaction, run, wave, supplier, None)?;
            Ok(())
        })
    }

    /// Records the numbers of the imports of `supplier` that the target has, and what that means for accounts that this
    /// ledger never sent: each is a finding, and one that is ready becomes `unknown`.
    pub fn record_listing<'n>(
        &mut self,
        run: RunId,
        wave: Option<&str>,
        supplier: &str,
        numbers: impl Iterator<Item = &'n str>,
    ) -> Result<Listed, LedgerError> {
        self.write("record what the target has", |transaction, _| {
            transaction.execute(
                "DELETE FROM finding WHERE code = ?1 AND path = 'external_account_number' AND (account IS NULL \
                 AND message LIKE ?2 || '/%' OR account IN (SELECT id FROM account WHERE supplier = ?2))",
                params![LISTED, supplier],
            )?;
            let mut listed = Listed::default();
            for number in numbers {
                listed.imports += 1;
                compare(transaction, run, &AccountKey::new(supplier, number), &mut listed)?;
            }
            let unnamed = listed.strangers.saturating_sub(STRANGERS_NAMED as u64);
            if unnamed > 0 {
                let message = format!("{supplier}/…: {unnamed} more accounts that this ledger does not have");
                insert_finding(transaction, None, Source::Remote(None), &at_target(message))?;
            }
            record_listing(transaction, run, wave, supplier, Some(listed.imports))?;
            Ok(listed)
        })
    }
}

/// Compares one import of the target with what this ledger knows of it.
fn compare(transaction: &Transaction<'_>, run: RunId, key: &AccountKey, listed: &mut Listed) -> Result<(), WriteError> {
    let known = transaction
        .prepare_cached(
            "SELECT id, state, EXISTS (SELECT 1 FROM intent WHERE intent.account = account.id AND effective) \
             FROM account WHERE supplier = ? AND number = ?",
        )?
        .query_map(params![key.supplier, key.number], |row| {
            Ok((AccountId(row.get(0)?), row.get::<_, State>(1)?, row.get::<_, bool>(2)?))
        })?
        .next()
        .transpose()?;
    match known {
        Some((_, State::Processed, _) | (_, _, true)) => {}
        Some((id, state, false)) => {
            let then = if state == State::Ready {
                listed.unknown += 1;
                doubt(transaction, run, id, state)?;
                intervene(transaction, run, id, "listed", "the target has it already")?;
                "its status is read before anything is sent"
            } else {
                listed.waiting += 1;
                "it is not to be sent as it stands"
            };
            transaction.prepare_cached("UPDATE account SET doubted = 1 WHERE id = ?")?.execute([id.0])?;
            let message = format!("the target has an import of this account that this ledger never sent; {then}");
            insert_finding(transaction, Some(id.0), Source::Remote(None), &at_target(message))?;
        }
        None => {
            listed.strangers += 1;
            if listed.strangers <= STRANGERS_NAMED as u64 {
                let message = format!("{key}: the target has an import of it, and this ledger has no such account");
                insert_finding(transaction, None, Source::Remote(None), &at_target(message))?;
            }
        }
    }
    Ok(())
}

fn at_target(message: String) -> Finding {
    Finding {
        code: LISTED.into(),
        severity: Severity::Warning,
        path: "external_account_number".into(),
        message,
        cells: Vec::new(),
    }
}

fn accounts(transaction: &Transaction<'_>, which: &str) -> rusqlite::Result<Vec<(AccountId, State)>> {
    transaction
        .prepare(&format!("SELECT id, state FROM account WHERE {which} ORDER BY id"))?
        .query_map([], |row| Ok((AccountId(row.get(0)?), row.get(1)?)))?
        .collect()
}

/// Puts an account in doubt: its newest create, or one that only a lost copy of this ledger knows of, may have taken
/// effect.
fn doubt(transaction: &Transaction<'_>, run: RunId, id: AccountId, state: State) -> Result<(), WriteError> {
    let next = step(transaction, id, state, Event::Doubted)?;
    if state == State::Submitted {
        transaction
            .prepare_cached(
                "UPDATE intent SET outcome = 'unknown' WHERE account = ?1 \
                 AND attempt = (SELECT max(attempt) FROM intent WHERE account = ?1 AND effective)",
            )?
            .execute([id.0])?;
    } else {
        presume_intent(transaction, run, id, "unknown")?;
    }
    transaction.prepare_cached("UPDATE account SET state = ?, updated_at = ? WHERE id = ?")?.execute(params![
        next,
        now(),
        id.0
    ])?;
    Ok(())
}

/// Writes the intent of a create that this ledger knows nothing of, with its outcome.
pub(super) fn presume_intent(
    transaction: &Transaction<'_>,
    run: RunId,
    id: AccountId,
    outcome: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO intent (account, attempt, run, digest, written_at, outcome, presumed) \
             SELECT id, attempts + 1, ?2, coalesce(digest, zeroblob(32)), ?3, ?4, 1 FROM account WHERE id = ?1",
        )?
        .execute(params![id.0, run.0, now(), outcome])?;
    transaction.prepare_cached("UPDATE account SET attempts = attempts + 1 WHERE id = ?")?.execute([id.0])?;
    Ok(())
}

fn record_listing(
    transaction: &Transaction<'_>,
    run: RunId,
    wave: Option<&str>,
    supplier: &str,
    imports: Option<u64>,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO listing (wave, supplier, run, at, imports) VALUES (?, ?, ?, ?, ?)",
        params![wave.unwrap_or_default(), supplier, run.0, now(), imports.map(|n| n as i64)],
    )?;
    Ok(())
}
