//! What the report asks of the ledger beyond [`read`](super::read): who needs a human, and why.

use std::collections::HashSet;

use rusqlite::Row;
use serde::Serialize;

use super::read::FileRow;
use super::{Ledger, LedgerError, State};

/// Accounts that do not come to a good end by running again: somebody must mend or decide something. An account that the
/// target took is one of them if the newest build rejects it: what the target has is not what the extract says.
const NEEDS_A_HUMAN: &str = "(state = 'rejected' OR state = 'refused' OR state = 'errored' OR state = 'cancelled' \
    OR state = 'unknown' OR origin = 'foreign' OR (accepted_digest IS NOT NULL AND verdict = 'rejected'))";

/// Whom to look at first.
const URGENCY: &str = "CASE WHEN state = 'unknown' THEN 0 WHEN origin = 'foreign' THEN 1 WHEN state = 'errored' THEN 2 \
    WHEN state = 'cancelled' THEN 3 WHEN state = 'refused' THEN 4 WHEN state = 'rejected' THEN 6 ELSE 5 END, \
    pence DESC, supplier, number";

/// An account that needs a human, with what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttentionRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// Where it stands.
    pub state: State,
    /// `ours` or `foreign`, once processed.
    pub origin: Option<String>,
    /// Its balance, its sign left out, in pence; none: not known.
    pub pence: Option<i64>,
    /// How many errors stand against it.
    pub errors: u64,
    /// The first of them.
    pub causes: Vec<CauseRow>,
}

/// An error and the most telling cell it comes from; `file` to `column` are none where there is no such cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseRow {
    /// The code.
    pub code: String,
    /// `local` or `remote`.
    pub source: String,
    /// Payload path with list positions.
    pub path: String,
    /// What was expected.
    pub message: String,
    /// Extract file.
    pub file: Option<String>,
    /// Physical line on which the record starts, from 1.
    pub line: Option<u64>,
    /// Column, if one is meant.
    pub column: Option<String>,
    /// The text of the cell; only where it was asked for, and read from the extract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How often the target was asked something, and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExchangeCountRow {
    /// `validate`, `create` or `status`.
    pub kind: String,
    /// What it told us.
    pub outcome: String,
    /// How often.
    pub exchanges: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

impl FileRow {
    /// The records in its buckets: as many as it has records, or some are lost.
    #[must_use]
    pub fn in_buckets(&self) -> u64 {
        self.quarantined
            + self.duplicate
            + self.orphaned
            + self.not_selected
            + self.filtered
            + self.rejected
            + self.used
    }

    /// The files of `files` that several tables read, so that a file's name alone does not say which row is meant.
    #[must_use]
    pub fn shared(files: &[Self]) -> HashSet<&str> {
        let mut seen = HashSet::new();
        files.iter().map(|file| &*file.file).filter(|name| !seen.insert(*name)).collect()
    }

    /// What to call it: with its table, if it is one of `shared`.
    #[must_use]
    pub fn name(&self, shared: &HashSet<&str>) -> String {
        let Self { file, table, .. } = self;
        if shared.contains(&**file) { format!("{file} ({table})") } else { file.clone() }
    }
}

impl Ledger {
    /// How many accounts need a human.
    pub fn count_attention(&self) -> Result<u64, LedgerError> {
        self.one("count accounts that need a human", &format!("SELECT count(*) FROM account WHERE {NEEDS_A_HUMAN}"))
    }

    /// Up to `accounts` accounts that need a human, with up to `causes` errors each: those first that may exist twice, or
    /// not at all, then those with the largest balances.
    pub fn attention(&self, accounts: usize, causes: usize) -> Result<Vec<AttentionRow>, LedgerError> {
        let rows = self.rows(
            "list accounts that need a human",
            &format!(
                "WITH needing AS (SELECT id, supplier, number, state, origin, pence, row_number() OVER (ORDER BY {URGENCY}) AS turn \
                     FROM account WHERE {NEEDS_A_HUMAN} ORDER BY turn LIMIT ?1), \
                 ranked AS (SELECT finding.*, count(*) OVER (PARTITION BY account) AS errors, \
                     row_number() OVER (PARTITION BY account ORDER BY finding.id) AS place \
                     FROM finding WHERE severity = 'error' AND account IN (SELECT id FROM needing)) \
                 SELECT needing.supplier, needing.number, needing.state, needing.origin, coalesce(ranked.errors, 0), \
                     needing.pence, ranked.code, ranked.source, ranked.path, ranked.message, cell.file, cell.line, cell.\"column\" \
                 FROM needing LEFT JOIN ranked ON ranked.account = needing.id AND ranked.place <= ?2 \
                 LEFT JOIN finding_cell AS cell ON cell.finding = ranked.id AND cell.position = 0 \
                 ORDER BY needing.turn, ranked.place"
            ),
            [accounts as i64, causes as i64],
            attention_row,
        )?;
        let mut grouped: Vec<AttentionRow> = Vec::new();
        for row in rows {
            match grouped.last_mut() {
                Some(last)
                    if last.external_account_number == row.external_account_number
                        && last.import_supplier == row.import_supplier =>
                {
                    last.causes.extend(row.causes);
                }
                _ => grouped.push(row),
            }
        }
        Ok(grouped)
    }

    /// How many findings belong to no account that is known: records quarantined or orphaned, files.
    pub fn count_homeless_findings(&self) -> Result<u64, LedgerError> {
        self.one("count findings without an account", "SELECT count(*) FROM finding WHERE account IS NULL")
    }

    /// Up to `limit` findings that belong to no account that is known, errors first, in the order of file and line.
    pub fn homeless_findings(&self, limit: usize) -> Result<Vec<CauseRow>, LedgerError> {
        self.rows(
            "list findings without an account",
            "SELECT code, source, path, message, cell.file, cell.line, cell.\"column\" FROM finding \
             LEFT JOIN finding_cell AS cell ON cell.finding = finding.id AND cell.position = 0 WHERE account IS NULL \
             ORDER BY severity = 'error' DESC, severity = 'warning' DESC, file, line, finding.id LIMIT ?",
            [limit as i64],
            |row| cause_row(row, 0),
        )
    }

    /// How many causes of errors there are.
    pub fn count_clusters(&self) -> Result<u64, LedgerError> {
        self.one("count the causes of errors", "SELECT count(*) FROM v_error_clusters")
    }

    /// The exchanges with the target by kind and outcome.
    pub fn count_exchanges(&self) -> Result<Vec<ExchangeCountRow>, LedgerError> {
        self.rows(
            "count exchanges",
            "SELECT kind, outcome, count(*), max(duration_ms) FROM exchange GROUP BY kind, outcome ORDER BY kind, outcome",
            [],
            |row| {
                Ok(ExchangeCountRow {
                    kind: row.get(0)?,
                    outcome: row.get(1)?,
                    exchanges: row.get::<_, i64>(2)? as u64,
                    longest_ms: row.get::<_, i64>(3)? as u64,
                })
            },
        )
    }

    pub(super) fn one(&self, action: &'static str, sql: &str) -> Result<u64, LedgerError> {
        let count = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        count.map(|n| n as u64).map_err(|e| self.sql(action, e))
    }
}

/// One error of an account: a row of the account with at most one cause.
fn attention_row(row: &Row<'_>) -> rusqlite::Result<AttentionRow> {
    let has_cause = row.get::<_, Option<String>>(6)?.is_some();
    Ok(AttentionRow {
        import_supplier: row.get(0)?,
        external_account_number: row.get(1)?,
        state: row.get(2)?,
        origin: row.get(3)?,
        errors: row.get::<_, i64>(4)? as u64,
        pence: row.get(5)?,
        causes: if has_cause { vec![cause_row(row, 6)?] } else { Vec::new() },
    })
}

/// The cause whose columns start at column `at`.
fn cause_row(row: &Row<'_>, at: usize) -> rusqlite::Result<CauseRow> {
    Ok(CauseRow {
        code: row.get(at)?,
        source: row.get(at + 1)?,
        path: row.get(at + 2)?,
        message: row.get(at + 3)?,
        file: row.get(at + 4)?,
        line: row.get::<_, Option<i64>>(at + 5)?.map(|line| line as u64),
        column: row.get(at + 6)?,
        value: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{BuildStart, BuiltAccount, Ledger, RunStart, TargetIdentity, Verdict};
    use crate::account::AccountKey;
    use crate::finding::{Cell, Finding, Severity};

    fn finding(code: &str, line: u64) -> Finding {
        Finding {
            code: code.into(),
            severity: Severity::Error,
            path: "customers.0.landline".into(),
            message: "a UK phone number is expected".into(),
            cells: vec![Cell { file: "c.csv".into(), record: line - 1, line, column: Some("LANDLINE".into()) }],
        }
    }

    #[test]
    fn those_who_need_a_human_are_listed_with_their_first_errors() {
        let folder = tempfile::tempdir().unwrap();
        let target = TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into()] };
        let mut ledger = Ledger::open(&folder.path().join("ledger.sqlite"), &target).unwrap();
        let start = RunStart {
            command: "build".into(),
            arguments: String::new(),
            user: "u".into(),
            host: "h".into(),
            version: "0".into(),
        };
        let run = ledger.begin_run(&start).unwrap();
        let start = BuildStart {
            run_date: chrono::NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
            wave: None,
            selection_is_whole: true,
            inputs: vec![],
        };
        let mut build = ledger.begin_build(run, &start).unwrap();
        for number in ["2", "1"] {
            let findings = [finding("blank", 4), finding("null", 5), finding("required", 6)];
            let account = BuiltAccount {
                key: AccountKey::new("A", number),
                verdict: Verdict::Rejected,
                findings: &findings,
                supply_points: &[],
                pence: None,
                came: &[],
            };
            build.account(&account).unwrap();
        }
        build.finding(None, &finding("field_count", 9)).unwrap();
        build.finish().unwrap();

        assert_eq!(ledger.count_attention().unwrap(), 2);
        let rows = ledger.attention(10, 2).unwrap();
        let told: Vec<_> =
            rows.iter().map(|row| (&*row.external_account_number, row.errors, row.causes.len())).collect();
        assert_eq!(told, [("1", 3, 2), ("2", 3, 2)]);
        assert_eq!((rows[0].causes[1].line, rows[0].causes[1].column.as_deref()), (Some(5), Some("LANDLINE")));
        assert_eq!(ledger.attention(1, 2).unwrap().len(), 1);

        assert_eq!(ledger.count_homeless_findings().unwrap(), 1);
        assert_eq!(ledger.homeless_findings(5).unwrap()[0].code, "field_count");
        assert_eq!(ledger.count_exchanges().unwrap(), []);
    }
}
