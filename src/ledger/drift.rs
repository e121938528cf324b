//! Accepted accounts that would be built differently now: where both payloads lie, and what differs.

use rusqlite::params;
use serde::Serialize;

use crate::account::{AccountKey, Digest};
use crate::drift::EntityDrift;

use super::submit::{key, place};
use super::{AccountId, BuildId, Ledger, LedgerError, PayloadPlace};

/// A payload's digest, and where it lies; none: it is purged.
pub type Stored = (Digest, Option<(BuildId, PayloadPlace)>);

/// An accepted account that the newest build sees differently.
#[derive(Clone, Debug)]
pub struct Drifted {
    /// Its row.
    pub id: AccountId,
    /// Its name.
    pub key: AccountKey,
    /// What the target took.
    pub accepted: Stored,
    /// What its newest build says.
    pub now: Now,
}

/// What the newest build says of an accepted account.
#[derive(Clone, Debug)]
pub enum Now {
    /// Another payload.
    Changed(Stored),
    /// It found an error.
    Rejected,
    /// The extract no longer has it.
    Gone,
}

/// What differs, as it is kept: an entity of an accepted account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// `changed`; of whole accounts `gone`, `rejected`, or `purged`: the accepted payload can't be read any more.
    pub change: String,
    /// What of it.
    #[serde(flatten)]
    pub drift: EntityDrift,
}

impl Ledger {
    /// The accepted accounts that their newest builds see differently, in the order of their rows.
    pub fn drifted(&self) -> Result<Vec<Drifted>, LedgerError> {
        self.rows(
            "tell what changed after acceptance",
            "SELECT account.id, supplier, number, accepted_digest, account.digest, verdict, \
                 old.build, old.block_offset, old.block_bytes, old.start, old.bytes, \
                 new.build, new.block_offset, new.block_bytes, new.start, new.bytes \
             FROM account LEFT JOIN payload AS old ON old.account = account.id AND old.digest = accepted_digest \
             LEFT JOIN payload AS new ON new.account = account.id AND new.digest = account.digest \
             WHERE accepted_digest IS NOT NULL AND accepted_digest IS NOT account.digest ORDER BY account.id",
            [],
            |row| {
                let stored = |at| -> rusqlite::Result<Option<(BuildId, PayloadPlace)>> {
                    let build: Option<i64> = row.get(at)?;
                    build.map(|build| Ok((BuildId(build), place(row, at + 1)?))).transpose()
                };
                let now = match (row.get::<_, Option<Digest>>(4)?, row.get::<_, String>(5)?.as_str()) {
                    (Some(digest), _) => Now::Changed((digest, stored(11)?)),
                    (None, "rejected") => Now::Rejected,
                    (None, _) => Now::Gone,
                };
                Ok(Drifted { id: AccountId(row.get(0)?), key: key(row, 1)?, accepted: (row.get(3)?, stored(6)?), now })
            },
        )
    }

    /// Keeps what differs, in place of what was kept before: an account's row, the kind of change, and its entities.
    pub fn set_drift(&mut self, drifts: &[(AccountId, &str, Vec<EntityDrift>)]) -> Result<(), LedgerError> {
        self.write("keep what changed after acceptance", |transaction, _| {
            transaction.execute("DELETE FROM drift", [])?;
            let mut insert = transaction.prepare_cached("INSERT INTO drift VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
            for (id, change, entities) in drifts {
                for drift in entities {
                    insert.execute(params![
                        id.0,
                        drift.entity,
                        change,
                        drift.rows_before as i64,
                        drift.rows_after as i64,
                        drift.rows_same as i64,
                        drift.pence_before,
                        drift.pence_after
                    ])?;
                }
            }
            Ok(())
        })
    }

    /// The errors by which accepted accounts are rejected now, by code: of how many accounts, most first.
    pub fn rejected_after_acceptance(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.rows(
            "tell why accepted accounts are rejected now",
            "SELECT code, count(DISTINCT finding.account) FROM drift JOIN finding ON finding.account = drift.account \
             WHERE change = 'rejected' AND source = 'local' AND severity = 'error' GROUP BY code ORDER BY 2 DESC, 1",
            [],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)),
        )
    }

    /// What changed after acceptance, by account and entity.
    pub fn drift(&self) -> Result<Vec<DriftRow>, LedgerError> {
        self.rows(
            "list what changed after acceptance",
            "SELECT import_supplier, external_account_number, change, entity, rows_before, rows_after, rows_same, \
             pence_before, pence_after FROM v_drift",
            [],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(|n| n as u64);
                Ok(DriftRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    change: row.get(2)?,
                    drift: EntityDrift {
                        entity: row.get(3)?,
                        rows_before: count(4)?,
                        rows_after: count(5)?,
                        rows_same: count(6)?,
                        pence_before: row.get(7)?,
                        pence_after: row.get(8)?,
                    },
                })
            },
        )
    }
}
