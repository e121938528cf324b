//! What commands and reports ask of the ledger: plain rows, no decisions.

use rusqlite::{OptionalExtension as _, Row, params};

use crate::account::Digest;

pub use super::rows::{AccountRow, AttemptRow, BuildRow, FileRow, FindingRow, IdentityRow, Pace, RunRow, Tally};
use super::submit::place;
use super::{AccountId, BuildId, BuildSummary, Ledger, LedgerError, PayloadPlace, State};

const ACCOUNT: &str = "SELECT id, supplier, number, state, origin, wave, verdict, lower(hex(digest)), \
    lower(hex(accepted_digest)), kraken_identifier, attempts, remote_status, validated_at, validated_result, updated_at, \
    digest IS NULL, accepted_digest IS NULL FROM account";

fn account_row(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    let hex = |at, absent: bool| if absent { Ok(None) } else { row.get(at).map(Some) };
    Ok(AccountRow {
        id: AccountId(row.get(0)?),
        import_supplier: row.get(1)?,
        external_account_number: row.get(2)?,
        state: row.get(3)?,
        origin: row.get(4)?,
        wave: row.get(5)?,
        verdict: row.get(6)?,
        payload_digest: hex(7, row.get(15)?)?,
        accepted_digest: hex(8, row.get(16)?)?,
        kraken_identifier: row.get(9)?,
        attempts: row.get(10)?,
        remote_status: row.get(11)?,
        validated_at: row.get(12)?,
        validated_result: row.get(13)?,
        updated_at: row.get(14)?,
    })
}

impl Ledger {
    /// Accounts by state, every state listed, of one wave or of all.
    pub fn count_by_state(&self, wave: Option<&str>) -> Result<Vec<(State, u64)>, LedgerError> {
        let found: Vec<(State, u64)> = self.rows(
            "count accounts",
            "SELECT state, count(*) FROM account WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM wave_account \
             WHERE wave = ?1 AND wave_account.number = account.number AND wave_account.supplier IN ('', account.supplier)) \
             GROUP BY state",
            [wave],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)),
        )?;
        let count = |state| found.iter().find(|(s, _)| *s == state).map_or(0, |(_, accounts)| *accounts);
        Ok(State::ALL.into_iter().map(|state| (state, count(state))).collect())
    }

    /// Accounts with this number, of `supplier` or of any.
    pub fn find_accounts(&self, supplier: Option<&str>, number: &str) -> Result<Vec<AccountRow>, LedgerError> {
        self.rows(
            "find an account",
            &format!("{ACCOUNT} WHERE number = ?1 AND (?2 IS NULL OR supplier = ?2) ORDER BY supplier"),
            params![number, supplier],
            account_row,
        )
    }

    /// Where the account's newest payload lies, if it has one.
    pub fn payload(&self, account: AccountId) -> Result<Option<(Digest, BuildId, PayloadPlace)>, LedgerError> {
        let query = || {
            self.connection
                .prepare_cached(
                    "SELECT payload.digest, payload.build, block_offset, block_bytes, start, bytes FROM account \
                     JOIN payload ON payload.account = account.id AND payload.digest = account.digest WHERE id = ?",
                )?
                .query_row([account.0], |row| Ok((row.get(0)?, BuildId(row.get(1)?), place(row, 2)?)))
                .optional()
        };
        query().map_err(|e| self.sql("find a payload", e))
    }

    /// The exchanges about an account, oldest first.
    pub fn attempts(&self, account: AccountId) -> Result<Vec<AttemptRow>, LedgerError> {
        self.rows(
            "list exchanges",
            "SELECT kind, attempt, started_at, duration_ms, http_status, outcome, detail FROM exchange WHERE account = ? ORDER BY id",
            [account.0],
            |row| {
                Ok(AttemptRow {
                    kind: row.get(0)?,
                    attempt: row.get(1)?,
                    started_at: row.get(2)?,
                    duration_ms: row.get::<_, i64>(3)? as u64,
                    http_status: row.get(4)?,
                    outcome: row.get(5)?,
                    detail: row.get(6)?,
                })
            },
        )
    }

    /// Up to `limit` findings, one row a cell, errors first; of one account or of all.
    pub fn findings(&self, account: Option<AccountId>, limit: usize) -> Result<Vec<FindingRow>, LedgerError> {
        self.rows(
            "list findings",
            "SELECT account.supplier, account.number, severity, code, source, path, file, record, line, \"column\", message \
             FROM finding LEFT JOIN account ON account.id = finding.account \
             LEFT JOIN finding_cell ON finding_cell.finding = finding.id \
             WHERE ?1 IS NULL OR finding.account = ?1 \
             ORDER BY severity = 'error' DESC, severity = 'warning' DESC, account.supplier, account.number, finding.id, \
                 finding_cell.position LIMIT ?2",
            params![account.map(|id| id.0), limit as i64],
            |row| {
                Ok(FindingRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    severity: row.get(2)?,
                    code: row.get(3)?,
                    source: row.get(4)?,
                    path: row.get(5)?,
                    file: row.get(6)?,
                    record: row.get::<_, Option<i64>>(7)?.map(|n| n as u64),
                    line: row.get::<_, Option<i64>>(8)?.map(|n| n as u64),
                    column: row.get(9)?,
                    message: row.get(10)?,
                })
            },
        )
    }

    /// Findings by severity: notices, warnings, errors.
    pub fn count_findings(&self) -> Result<[u64; 3], LedgerError> {
        let count = || {
            self.connection.query_row(
                "SELECT count(*) FILTER (WHERE severity = 'notice'), count(*) FILTER (WHERE severity = 'warning'), \
                 count(*) FILTER (WHERE severity = 'error') FROM finding",
                [],
                |row| Ok([row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64]),
            )
        };
        count().map_err(|e| self.sql("count findings", e))
    }

    /// Up to `limit` runs, newest first.
    pub fn runs(&self, limit: usize) -> Result<Vec<RunRow>, LedgerError> {
        self.rows(
            "list runs",
            "SELECT run, started_at, finished_at, command, exit_code, counts FROM v_runs ORDER BY run DESC LIMIT ?",
            [limit as i64],
            |row| {
                Ok(RunRow {
                    run: row.get(0)?,
                    started_at: row.get(1)?,
                    finished_at: row.get(2)?,
                    command: row.get(3)?,
                    exit_code: row.get(4)?,
                    counts: row.get(5)?,
                })
            },
        )
    }

    /// The newest build that came to its end.
    pub fn newest_build(&self) -> Result<Option<BuildRow>, LedgerError> {
        let query = || {
            self.connection
                .query_row(
                    "SELECT id, finished_at, run_date, wave, whole, ready, rejected, held, withdrawn, unchanged, \
                     changed_before_sending, changed_after_acceptance, blocked, rebuilt_same FROM build ORDER BY id DESC LIMIT 1",
                    [],
                    |row| {
                        let count = |at| row.get::<_, i64>(at).map(|n| n as u64);
                        Ok(BuildRow {
                            id: BuildId(row.get(0)?),
                            finished_at: row.get(1)?,
                            run_date: row.get(2)?,
                            wave: row.get(3)?,
                            whole: row.get(4)?,
                            summary: BuildSummary {
                                ready: count(5)?,
                                rejected: count(6)?,
                                held: count(7)?,
                                withdrawn: count(8)?,
                                unchanged: count(9)?,
                                rebuilt_same: count(13)?,
                                changed_before_sending: count(10)?,
                                changed_after_acceptance: count(11)?,
                            },
                            blocked: row
                                .get::<_, Option<String>>(12)?
                                .map(|reasons| reasons.lines().map(str::to_owned).collect())
                                .unwrap_or_default(),
                        })
                    },
                )
                .optional()
        };
        query().map_err(|e| self.sql("tell its newest build", e))
    }

    /// The extract files of the newest build, with their buckets.
    pub fn files(&self) -> Result<Vec<FileRow>, LedgerError> {
        self.rows(
            "list extract files",
            "SELECT file, \"table\", bytes, digest, records, quarantined, duplicate, orphaned, not_selected, filtered, \
             rejected, used FROM v_extract_files WHERE build = (SELECT max(id) FROM build) ORDER BY \"table\", file",
            [],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(|n| n as u64);
                Ok(FileRow {
                    file: row.get(0)?,
                    table: row.get(1)?,
                    bytes: count(2)?,
                    digest: row.get(3)?,
                    records: count(4)?,
                    quarantined: count(5)?,
                    duplicate: count(6)?,
                    orphaned: count(7)?,
                    not_selected: count(8)?,
                    filtered: count(9)?,
                    rejected: count(10)?,
                    used: count(11)?,
                })
            },
        )
    }

    /// The identities as they were last worked out.
    pub fn identities(&self) -> Result<Vec<IdentityRow>, LedgerError> {
        self.rows(
            "list identities",
            "SELECT name, \"left\", \"right\", difference, balanced, kind, unit FROM v_identities",
            [],
            |row| {
                Ok(IdentityRow {
                    name: row.get(0)?,
                    left: row.get(1)?,
                    right: row.get(2)?,
                    difference: row.get(3)?,
                    balanced: row.get(4)?,
                    kind: row.get(5)?,
                    unit: row.get(6)?,
                })
            },
        )
    }

    /// Counts that do not come from the accounts' states: from builds, intents and digests.
    pub fn tally(&self) -> Result<Tally, LedgerError> {
        let query = || {
            // A refused or surely unsent create is no trace of the account at the target; of the others the newest
            // tells. `not_sent` and a foreign import are not sendings of ours that came to anything.
            self.connection.query_row(
                "WITH newest AS (SELECT account, max(attempt) AS attempt FROM intent \
                     WHERE coalesce(outcome, 'unknown') <> 'not_sent' GROUP BY account), \
                 sent AS (SELECT account, coalesce(outcome, 'unknown') AS outcome, \
                         outcome IN ('scheduled', 'received', 'already_imported') AS accepted, \
                         state IN ('ready', 'rejected', 'withdrawn', 'held') \
                             AND EXISTS (SELECT 1 FROM intervention WHERE intervention.account = intent.account \
                                 AND act = 'retry' AND at >= written_at) AS put_back \
                     FROM newest JOIN intent USING (account, attempt) JOIN account ON account.id = intent.account), \
                 last AS (SELECT max(id) AS id FROM build) \
                 SELECT (SELECT count(*) FROM account), \
                     (SELECT count(*) FROM account, last WHERE build = last.id), \
                     (SELECT count(*) FROM account, last WHERE build = last.id AND verdict = 'ready'), \
                     (SELECT count(*) FROM account, last WHERE build = last.id AND verdict = 'rejected'), \
                     (SELECT count(*) FROM sent), \
                     (SELECT count(*) FROM sent WHERE accepted), \
                     (SELECT count(*) FROM sent WHERE outcome = 'refused'), \
                     (SELECT count(*) FROM sent WHERE outcome = 'unknown'), \
                     (SELECT count(*) FROM sent WHERE outcome = 'not_received'), \
                     (SELECT count(*) FROM sent WHERE accepted AND put_back), \
                     (SELECT count(*) FROM sent WHERE outcome = 'refused' AND put_back), \
                     (SELECT count(*) FROM account WHERE origin = 'foreign'), \
                     (SELECT count(*) FROM account WHERE accepted_digest IS NOT NULL AND accepted_digest IS NOT digest)",
                [],
                |row| {
                    let count = |at| row.get::<_, i64>(at).map(|n| n as u64);
                    Ok(Tally {
                        accounts: count(0)?,
                        built: count(1)?,
                        built_ready: count(2)?,
                        built_rejected: count(3)?,
                        sent: count(4)?,
                        sent_accepted: count(5)?,
                        sent_refused: count(6)?,
                        sent_unknown: count(7)?,
                        sent_not_received: count(8)?,
                        accepted_put_back: count(9)?,
                        refused_put_back: count(10)?,
                        foreign: count(11)?,
                        drifted: count(12)?,
                    })
                },
            )
        };
        query().map_err(|e| self.sql("count what was sent", e))
    }

    /// From a create to the read that found the account processed, on average over the newest run that created
    /// accounts, in seconds; none if none was found yet.
    pub fn poll_lag(&self) -> Result<Option<f64>, LedgerError> {
        let lag = self.connection.query_row(
            "SELECT avg((julianday(account.updated_at) - julianday(exchange.started_at)) * 86400.0) FROM exchange \
             JOIN account ON account.id = exchange.account WHERE kind = 'create' AND outcome = 'scheduled' \
             AND account.state = 'processed' AND run = (SELECT max(run) FROM exchange WHERE kind = 'create')",
            [],
            |row| row.get(0),
        );
        lag.map_err(|e| self.sql("tell how long imports take", e))
    }

    /// How fast the newest run that created accounts went.
    pub fn pace(&self) -> Result<Option<Pace>, LedgerError> {
        let rows = self.rows(
            "tell how fast it went",
            "SELECT run, count(*), min(started_at), max(started_at), \
             (julianday(max(started_at)) - julianday(min(started_at))) * 86400.0, \
             count(*) FILTER (WHERE outcome = 'scheduled'), \
             count(*) FILTER (WHERE outcome = 'refused' OR outcome = 'refused_opaque') FROM exchange \
             WHERE kind = 'create' AND run = (SELECT max(run) FROM exchange WHERE kind = 'create') GROUP BY run",
            [],
            |row| {
                Ok(Pace {
                    run: row.get(0)?,
                    creates: row.get::<_, i64>(1)? as u64,
                    first: row.get(2)?,
                    last: row.get(3)?,
                    seconds: row.get(4)?,
                    scheduled: row.get::<_, i64>(5)? as u64,
                    refused: row.get::<_, i64>(6)? as u64,
                })
            },
        )?;
        Ok(rows.into_iter().next())
    }
}
