//! Causes: errors clustered, and findings of the target on their way to cells.

use rusqlite::params;
use serde::Serialize;

use super::{Ledger, LedgerError};
use crate::account::AccountKey;
use crate::finding::Cell;

/// Errors with one cause: the same code, path and column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseRow {
    /// The code.
    pub code: String,
    /// `local` or `remote`.
    pub source: String,
    /// Payload path without list positions.
    pub path: String,
    /// Extract file of the most telling cell; empty if there is none.
    pub file: String,
    /// Its column; empty if there is none.
    pub column: String,
    /// Accounts that have no other cause: mending this one lets them go.
    pub unblocked: u64,
    /// Accounts that have it.
    pub accounts: u64,
    /// How often it was found.
    pub findings: u64,
    /// What those accounts' balances come to, debts and credits alike, in pence.
    pub pence: Option<i64>,
    /// The message of one of them.
    pub message: String,
    /// The account of the first finding.
    pub example_account: Option<String>,
    /// The line of its most telling cell.
    pub example_line: Option<u64>,
}

/// A finding of the target that names no cell yet.
#[derive(Clone, Debug)]
pub struct Unplaced {
    /// The finding's number.
    pub id: i64,
    /// Whose it is.
    pub account: AccountKey,
    /// The payload path with list positions.
    pub path: String,
}

impl Ledger {
    /// Up to `limit` causes, the one that holds back most accounts alone first.
    pub fn causes(&self, limit: usize) -> Result<Vec<CauseRow>, LedgerError> {
        self.rows(
            "cluster errors",
            "SELECT cluster.code, cluster.source, cluster.path, cluster.file, cluster.\"column\", unblocked, accounts, \
             findings, cluster.pence, cluster.message, number, line FROM v_error_clusters AS cluster \
             JOIN finding ON finding.id = example LEFT JOIN account ON account.id = finding.account \
             LEFT JOIN finding_cell AS cell ON cell.finding = finding.id AND cell.position = 0 \
             ORDER BY unblocked DESC, accounts DESC, findings DESC, 1, 3, 4, 5 LIMIT ?",
            [limit as i64],
            |row| {
                Ok(CauseRow {
                    code: row.get(0)?,
                    source: row.get(1)?,
                    path: row.get(2)?,
                    file: row.get(3)?,
                    column: row.get(4)?,
                    unblocked: row.get::<_, i64>(5)? as u64,
                    accounts: row.get::<_, i64>(6)? as u64,
                    findings: row.get::<_, i64>(7)? as u64,
                    pence: row.get(8)?,
                    message: row.get(9)?,
                    example_account: row.get(10)?,
                    example_line: row.get::<_, Option<i64>>(11)?.map(|line| line as u64),
                })
            },
        )
    }

    /// The target's findings that name no cell.
    pub fn unplaced_findings(&self) -> Result<Vec<Unplaced>, LedgerError> {
        self.rows(
            "list findings without cells",
            "SELECT finding.id, supplier, number, path FROM finding JOIN account ON account.id = finding.account \
             WHERE source = 'remote' AND NOT EXISTS (SELECT 1 FROM finding_cell WHERE finding = finding.id)",
            [],
            |row| {
                let account = AccountKey::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
                Ok(Unplaced { id: row.get(0)?, account, path: row.get(3)? })
            },
        )
    }

    /// Gives findings their cells.
    pub fn place_findings(&mut self, placed: &[(i64, Vec<Cell>)]) -> Result<(), LedgerError> {
        self.write("give findings their cells", |transaction, _| {
            let mut insert = transaction.prepare_cached("INSERT INTO finding_cell VALUES (?, ?, ?, ?, ?, ?)")?;
            for (id, cells) in placed {
                for (position, cell) in cells.iter().enumerate() {
                    insert.execute(params![
                        id,
                        position as i64,
                        cell.file,
                        cell.record as i64,
                        cell.line as i64,
                        cell.column
                    ])?;
                }
            }
            Ok(())
        })
    }
}
