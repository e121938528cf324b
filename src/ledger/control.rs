//! Control totals: what the sender promised of the files, and which promises need not be kept.

use rusqlite::params;
use serde::Serialize;

use super::build::BuildWriter;
use super::{Ledger, LedgerError, RunId, now};

/// A promise of the sender, and what was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlTotal {
    /// The file.
    pub file: String,
    /// `manifest`, or `trailer`: a record of the file itself.
    pub origin: String,
    /// `records`, `accounts`, or the name of a column that is added up.
    pub total: String,
    /// What was promised, a number as it is written.
    pub promised: String,
    /// What was counted, written alike; none: it could not be counted.
    pub counted: Option<String>,
    /// Whether they are the same.
    pub agrees: bool,
    /// Why it does not matter that they are not; none: it does.
    pub waived: Option<String>,
}

/// A promise that need not be kept, as long as both numbers stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The file.
    pub file: String,
    /// See [`ControlTotal::total`].
    pub total: String,
    /// What was promised.
    pub promised: String,
    /// What was counted; empty: nothing could be.
    pub counted: String,
    /// Why.
    pub reason: String,
}

impl Ledger {
    /// The control totals of the newest build.
    pub fn promises(&self) -> Result<Vec<ControlTotal>, LedgerError> {
        self.rows(
            "list control totals",
            "SELECT file, origin, total, promised, counted, agrees, waived FROM v_control_totals",
            [],
            |row| {
                Ok(ControlTotal {
                    file: row.get(0)?,
                    origin: row.get(1)?,
                    total: row.get(2)?,
                    promised: row.get(3)?,
                    counted: row.get(4)?,
                    agrees: row.get(5)?,
                    waived: row.get(6)?,
                })
            },
        )
    }

    /// What was waived so far.
    pub fn waivers(&self) -> Result<Vec<Waiver>, LedgerError> {
        self.rows("list what is waived", "SELECT file, total, promised, counted, reason FROM waiver", [], |row| {
            Ok(Waiver {
                file: row.get(0)?,
                total: row.get(1)?,
                promised: row.get(2)?,
                counted: row.get(3)?,
                reason: row.get(4)?,
            })
        })
    }
}

impl BuildWriter<'_> {
    /// Records a promise of the sender and what was counted.
    pub fn control_total(&mut self, total: &ControlTotal) -> Result<(), LedgerError> {
        let ControlTotal { file, origin, total, promised, counted, agrees, waived } = total;
        let insert = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO control_total VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![self.id.0, file, origin, total, promised, counted, agrees, waived])
            });
        insert.map(drop).map_err(|e| self.sql("record a control total", e))
    }

    /// Records that a promise need not be kept.
    pub fn waive(&mut self, run: RunId, waiver: &Waiver) -> Result<(), LedgerError> {
        let Waiver { file, total, promised, counted, reason } = waiver;
        let insert = || {
            self.transaction.execute(
                "INSERT OR REPLACE INTO waiver VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![file, total, promised, counted, reason, run.0, now()],
            )?;
            self.transaction.execute(
                "INSERT INTO intervention (run, act, reason, at) VALUES (?, 'waive', ?, ?)",
                params![run.0, format!("{file}:{total}: {reason}"), now()],
            )
        };
        insert().map(drop).map_err(|e| self.sql("record what is waived", e))
    }
}
