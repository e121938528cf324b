//! The records that stand against an account or belong to none, by file: what goes back to the losing supplier.

use super::{Ledger, LedgerError};

/// A record and one thing that is wrong with it. A finding counts under its first cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectRow {
    /// The extract file.
    pub file: String,
    /// The mapping's name of the table.
    pub table: String,
    /// Of the bytes that the finding was made from, in hexadecimal.
    pub digest: String,
    /// Record in the file, from 1.
    pub record: u64,
    /// Physical line on which it starts, from 1.
    pub line: u64,
    /// The code.
    pub code: String,
    /// Column, if one is meant.
    pub column: Option<String>,
    /// What was expected.
    pub message: String,
}

/// Errors, and whatever is told of records without an account: quarantined, orphaned. Only what names a record of an
/// extract file; a manifest is none.
const REJECTED: &str = "FROM finding JOIN finding_cell AS cell ON cell.finding = finding.id AND cell.position = 0 \
    LEFT JOIN account ON account.id = finding.account \
    JOIN (SELECT build, name, min(role) AS role, digest FROM extract_file GROUP BY build, name) AS extract_file \
        ON extract_file.build = coalesce(finding.build, account.build) AND extract_file.name = cell.file \
    WHERE (finding.severity = 'error' OR finding.account IS NULL AND finding.severity = 'warning') AND cell.record > 0";

impl Ledger {
    /// Every record to send back, by file, record and finding; a record stands once for each thing that is wrong with it.
    pub fn rejects(&self) -> Result<Vec<RejectRow>, LedgerError> {
        self.rows(
            "list the records to send back",
            &format!(
                "SELECT cell.file, extract_file.role, lower(hex(extract_file.digest)), cell.record, cell.line, finding.code, \
                 cell.\"column\", finding.message {REJECTED} ORDER BY cell.file, cell.record, finding.id"
            ),
            [],
            |row| {
                Ok(RejectRow {
                    file: row.get(0)?,
                    table: row.get(1)?,
                    digest: row.get(2)?,
                    record: row.get::<_, i64>(3)? as u64,
                    line: row.get::<_, i64>(4)? as u64,
                    code: row.get(5)?,
                    column: row.get(6)?,
                    message: row.get(7)?,
                })
            },
        )
    }

    /// How many records there are to send back, by file.
    pub fn count_rejects(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.rows(
            "count the records to send back",
            &format!("SELECT cell.file, count(DISTINCT cell.record) {REJECTED} GROUP BY cell.file ORDER BY cell.file"),
            [],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)),
        )
    }
}
