//! What the report asks about a night: its requests over time, its limits, its waves, what moved, what its money came to.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};
use rust_decimal::Decimal;
use serde::Serialize;

use super::read::RunRow;
use super::{Ledger, LedgerError, RunId, State};

/// Commands whose runs bring accounts from one state to another.
const MOVES: &str = "command NOT IN ('reconcile', 'backup', 'purge', 'validate')";

/// The limits that a run was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Requests that may start in a period.
    pub requests: u32,
    /// The period, in milliseconds.
    pub period_ms: u64,
    /// The share of accounts that may be rejected offline, in percent.
    pub rejected_percent: Decimal,
    /// The share of tried accounts that may be refused or errored, in percent.
    pub failed_percent: Decimal,
}

/// Exchanges of one kind that began in one stretch of time and took equally long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentRow {
    /// Which stretch, counted from nought.
    pub bucket: u64,
    /// `validate`, `create`, `status` or `dry_run`.
    pub kind: String,
    /// How long each took, in milliseconds.
    pub duration_ms: u64,
    /// How many.
    pub exchanges: u64,
    /// Of those: throttled, unanswered, or answered with a fault of the server.
    pub faults: u64,
}

/// A wave beside the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaveReportRow {
    /// Its name.
    pub wave: String,
    /// Names on its list.
    pub listed: u64,
    /// Accounts of the ledger that are on the list, by state.
    pub accounts: BTreeMap<State, u64>,
    /// Of the processed: imported by somebody else.
    pub foreign: u64,
    /// What the balances of its accounts come to, debts and credits alike, in pence; none: not known.
    pub pence: Option<i64>,
    /// When the newest of its accounts moved.
    pub last_moved: Option<String>,
}

/// Accounts that a run brought into a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedRow {
    /// Where they stand now.
    pub state: State,
    /// How many.
    pub accounts: u64,
}

/// An account that was imported by somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// The account number at the target.
    pub kraken_identifier: Option<String>,
    /// When it was found.
    pub found_at: String,
}

/// An accepted account that would be built differently now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftedRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// `changed`, `gone`, `rejected` or `purged`.
    pub change: String,
    /// What of it, as paths.
    pub entities: String,
    /// The codes of the errors by which it is rejected; empty: it is not.
    pub codes: String,
    /// Its money as it was accepted, in pence.
    pub pence_before: i64,
    /// As it would be built now.
    pub pence_after: i64,
}

/// Money of one kind, by what became of it: summed over billing ledgers, in whole pence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoneyRow {
    /// The entity's path; empty: the account's own.
    pub entity: String,
    /// The field.
    pub field: String,
    /// The variant, such as `CHARGE`; empty: none.
    pub variant: String,
    /// `1`, `-1` or `0`: of the amounts.
    pub sign: i64,
    /// Pence by stage of the newest build (`source`, `rejected`, `payload`, …) and state of account (`processed`, …).
    pub pence: BTreeMap<String, i64>,
}

/// Money that was read and is not processed, by its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoneyCauseRow {
    /// A stage of the build, or the state of the account.
    pub cause: String,
    /// Accounts it is of; records without an account count as none.
    pub accounts: u64,
    /// How much, signed.
    pub pence: i64,
}

/// Accounts on which the ledger and the target's lists disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetDifferenceRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// `not_at_target`, `not_in_ledger`, `other_identifier`, `not_imported` or `imported_unnoticed`.
    pub difference: String,
    /// In the ledger; none: it is not there.
    pub state: Option<String>,
    /// The account number at the target, as the ledger knows it.
    pub ours: Option<String>,
    /// As the target's list tells it.
    pub theirs: Option<String>,
}

/// Supply points of one type, by state of their accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SupplyPointRow {
    /// `ELECTRICITY` or `GAS`.
    pub supply_type: String,
    /// Of the accounts.
    pub state: String,
    /// Supply points.
    pub points: u64,
}

/// A promise of the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlTotalRow {
    /// The file it is about.
    pub file: String,
    /// `manifest` or `trailer`.
    pub origin: String,
    /// `records`, `accounts`, or the sum of a column.
    pub total: String,
    /// What was promised.
    pub promised: String,
    /// What was counted; none: it could not be.
    pub counted: Option<String>,
    /// Whether both are the same.
    pub agrees: bool,
    /// Why a disagreement does not matter; none: it does.
    pub waived: Option<String>,
}

impl Ledger {
    /// Keeps the limits that a run was given.
    pub fn record_limits(&mut self, run: RunId, limits: &RunLimits) -> Result<(), LedgerError> {
        let RunLimits { requests, period_ms, rejected_percent, failed_percent } = limits;
        self.connection
            .execute(
                "UPDATE run SET rate_requests = ?, rate_period_ms = ?, stop_rejected = ?, stop_failed = ? WHERE id = ?",
                params![requests, *period_ms as i64, rejected_percent.to_string(), failed_percent.to_string(), run.0],
            )
            .map_err(|e| self.sql("record the limits of a run", e))?;
        Ok(())
    }

    /// The limits of the newest run that was given some; with `asking`, of the newest that asked the target something.
    pub fn limits(&self, asking: bool) -> Result<Option<RunLimits>, LedgerError> {
        let query = || {
            self.connection
                .prepare_cached(
                    "SELECT rate_requests, rate_period_ms, stop_rejected, stop_failed FROM run \
                     WHERE rate_requests IS NOT NULL AND (NOT ?1 OR id = (SELECT run FROM exchange ORDER BY id DESC LIMIT 1)) \
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row([asking], |row| {
                    let percent = |at| row.get::<_, String>(at).map(|text| text.parse().unwrap_or_default());
                    Ok(RunLimits {
                        requests: row.get(0)?,
                        period_ms: row.get::<_, i64>(1)? as u64,
                        rejected_percent: percent(2)?,
                        failed_percent: percent(3)?,
                    })
                })
                .optional()
        };
        query().map_err(|e| self.sql("tell the limits of a run", e))
    }

    /// When the first and the last exchange of the newest night began: of the `hours` before the newest exchange.
    pub fn newest_night(&self, hours: u32) -> Result<Option<(String, String)>, LedgerError> {
        let query = || {
            // Exchanges are kept about in the order in which they began: the last of them is among the newest rows.
            self.connection.query_row(
                "WITH last AS (SELECT max(started_at) AS at FROM (SELECT started_at FROM exchange ORDER BY id DESC LIMIT 1000)) \
                 SELECT min(started_at), max(started_at) FROM exchange, last \
                 WHERE started_at >= strftime('%Y-%m-%dT%H:%M:%fZ', last.at, ?)",
                [format!("-{hours} hours")],
                |row| Ok(row.get::<_, Option<String>>(0)?.zip(row.get(1)?)),
            )
        };
        query().map_err(|e| self.sql("tell when the night was", e))
    }

    /// The exchanges from `from` on, by stretches of `width_ms` milliseconds.
    pub fn moments(&self, from: &str, width_ms: u64) -> Result<Vec<MomentRow>, LedgerError> {
        self.rows(
            "tell the requests over time",
            "SELECT CAST(round((unixepoch(started_at, 'subsec') - unixepoch(?1, 'subsec')) * 1000) AS INTEGER) / ?2 AS bucket, \
                 kind, duration_ms, count(*), count(*) FILTER (WHERE http_status IS NULL OR http_status = 429 \
                 OR http_status >= 500) \
             FROM exchange WHERE started_at >= ?1 GROUP BY bucket, kind, duration_ms ORDER BY bucket, kind, duration_ms",
            params![from, width_ms as i64],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(|n| n as u64);
                Ok(MomentRow {
                    bucket: count(0)?,
                    kind: row.get(1)?,
                    duration_ms: count(2)?,
                    exchanges: count(3)?,
                    faults: count(4)?,
                })
            },
        )
    }

    /// Every wave beside the others, in the order of their names.
    pub fn waves_side_by_side(&self) -> Result<Vec<WaveReportRow>, LedgerError> {
        let mut waves: BTreeMap<String, WaveReportRow> = self
            .rows("list waves", "SELECT wave, count(*) FROM wave_account GROUP BY wave", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64))
            })?
            .into_iter()
            .map(|(wave, listed)| (wave.clone(), WaveReportRow { wave, listed, ..WaveReportRow::default() }))
            .collect();
        let rows = self.rows(
            "compare waves",
            "WITH member AS (SELECT DISTINCT wave_account.wave, account.id FROM wave_account JOIN account \
                 ON account.number = wave_account.number AND wave_account.supplier IN ('', account.supplier)) \
             SELECT member.wave, state, count(*), count(*) FILTER (WHERE origin = 'foreign'), sum(pence), max(updated_at) \
             FROM member JOIN account USING (id) GROUP BY member.wave, state",
            [],
            |row| {
                let wave: String = row.get(0)?;
                let (accounts, foreign): (i64, i64) = (row.get(2)?, row.get(3)?);
                Ok((wave, row.get::<_, State>(1)?, accounts as u64, foreign as u64, row.get(4)?, row.get(5)?))
            },
        )?;
        for (wave, state, accounts, foreign, pence, moved) in rows {
            let pence: Option<i64> = pence;
            let row = waves.entry(wave).or_default();
            row.accounts.insert(state, accounts);
            row.foreign += foreign;
            row.pence = row.pence.map_or(pence, |sum| Some(sum + pence.unwrap_or_default()));
            row.last_moved = row.last_moved.take().max(moved);
        }
        Ok(waves.into_values().collect())
    }

    /// The newest runs that may have moved accounts, newest first.
    pub fn moving_runs(&self, limit: usize) -> Result<Vec<RunRow>, LedgerError> {
        self.rows(
            "list runs",
            &format!(
                "SELECT id, started_at, finished_at, command, exit_code, counts FROM run WHERE {MOVES} \
                 ORDER BY id DESC LIMIT ?"
            ),
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

    /// Accounts that have moved since `at`, by where they stand now.
    pub fn moved_since(&self, at: &str) -> Result<Vec<MovedRow>, LedgerError> {
        self.rows(
            "tell who has moved",
            "SELECT state, count(*) FROM account WHERE updated_at >= ? GROUP BY state ORDER BY count(*) DESC, state",
            [at],
            |row| Ok(MovedRow { state: row.get(0)?, accounts: row.get::<_, i64>(1)? as u64 }),
        )
    }

    /// When the newest account moved.
    pub fn last_moved(&self) -> Result<Option<String>, LedgerError> {
        let last = self.connection.query_row("SELECT max(updated_at) FROM account", [], |row| row.get(0));
        last.map_err(|e| self.sql("tell when accounts moved", e))
    }

    /// Up to `limit` accounts that were imported by somebody else, in the order of their names.
    pub fn foreign(&self, limit: usize) -> Result<Vec<ForeignRow>, LedgerError> {
        self.rows(
            "list accounts imported by somebody else",
            "SELECT supplier, number, kraken_identifier, updated_at FROM account WHERE origin = 'foreign' \
             ORDER BY supplier, number LIMIT ?",
            [limit as i64],
            |row| {
                Ok(ForeignRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    kraken_identifier: row.get(2)?,
                    found_at: row.get(3)?,
                })
            },
        )
    }

    /// Up to `limit` accounts that changed after they were accepted: those first that have no payload any more, then
    /// those whose money changed most.
    pub fn drifted_accounts(&self, limit: usize) -> Result<Vec<DriftedRow>, LedgerError> {
        self.rows(
            "list what changed after acceptance",
            "WITH drifted AS (SELECT account.id, supplier, number, min(change) AS change, \
                     group_concat(entity, ', ' ORDER BY entity) AS entities, sum(pence_before) AS pence_before, \
                     sum(pence_after) AS pence_after \
                 FROM drift JOIN account ON account.id = drift.account GROUP BY account.id \
                 ORDER BY min(change) = 'changed', abs(sum(pence_after) - sum(pence_before)) DESC, supplier, number \
                 LIMIT ?) \
             SELECT supplier, number, change, entities, coalesce(CASE change WHEN 'rejected' THEN \
                 (SELECT group_concat(code, ', ' ORDER BY code) FROM (SELECT DISTINCT code FROM finding \
                  WHERE account = drifted.id AND source = 'local' AND severity = 'error')) END, ''), \
                 pence_before, pence_after \
             FROM drifted \
             ORDER BY change = 'changed', abs(pence_after - pence_before) DESC, supplier, number",
            [limit as i64],
            |row| {
                Ok(DriftedRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    change: row.get(2)?,
                    entities: row.get(3)?,
                    codes: row.get(4)?,
                    pence_before: row.get(5)?,
                    pence_after: row.get(6)?,
                })
            },
        )
    }

    /// Money by field, variant and sign, and what became of it.
    pub fn money(&self) -> Result<Vec<MoneyRow>, LedgerError> {
        let rows = self.rows(
            "tell what became of the money",
            "SELECT entity, field, variant, sign, stage, sum(pence) FROM v_money GROUP BY entity, field, variant, sign, stage \
             ORDER BY entity, field, variant, sign DESC, stage",
            [],
            |row| {
                let pence = BTreeMap::from([(row.get(4)?, row.get(5)?)]);
                Ok(MoneyRow { entity: row.get(0)?, field: row.get(1)?, variant: row.get(2)?, sign: row.get(3)?, pence })
            },
        )?;
        let mut money: Vec<MoneyRow> = Vec::new();
        for row in rows {
            let same = |last: &&mut MoneyRow| {
                (&last.entity, &last.field, &last.variant, last.sign)
                    == (&row.entity, &row.field, &row.variant, row.sign)
            };
            match money.last_mut().filter(same) {
                Some(last) => last.pence.extend(row.pence),
                None => money.push(row),
            }
        }
        Ok(money)
    }

    /// Why money that was read is not processed.
    pub fn money_causes(&self) -> Result<Vec<MoneyCauseRow>, LedgerError> {
        self.rows(
            "tell why money is not processed",
            "SELECT cause, count(DISTINCT import_supplier || char(31) || external_account_number), sum(pence) \
             FROM v_money_differences GROUP BY cause ORDER BY abs(sum(pence)) DESC, cause",
            [],
            |row| Ok(MoneyCauseRow { cause: row.get(0)?, accounts: row.get::<_, i64>(1)? as u64, pence: row.get(2)? }),
        )
    }

    /// How many accounts the ledger and the target's lists disagree on.
    pub fn count_target_differences(&self) -> Result<u64, LedgerError> {
        self.one("compare with the target's lists", "SELECT count(*) FROM target_difference")
    }

    /// Up to `limit` of them.
    pub fn target_differences(&self, limit: usize) -> Result<Vec<TargetDifferenceRow>, LedgerError> {
        self.rows(
            "compare with the target's lists",
            "SELECT import_supplier, external_account_number, difference, state, ours, theirs FROM v_target_difference LIMIT ?",
            [limit as i64],
            |row| {
                Ok(TargetDifferenceRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    difference: row.get(2)?,
                    state: row.get(3)?,
                    ours: row.get(4)?,
                    theirs: row.get(5)?,
                })
            },
        )
    }

    /// Supply points by type and state.
    pub fn supply_points_by_state(&self) -> Result<Vec<SupplyPointRow>, LedgerError> {
        self.rows(
            "count supply points",
            "SELECT supply_type, state, sum(points) FROM v_supply_points GROUP BY supply_type, state ORDER BY 1, 2",
            [],
            |row| {
                Ok(SupplyPointRow {
                    supply_type: row.get(0)?,
                    state: row.get(1)?,
                    points: row.get::<_, i64>(2)? as u64,
                })
            },
        )
    }

    /// What the sender promised of the newest build's files.
    pub fn control_totals(&self) -> Result<Vec<ControlTotalRow>, LedgerError> {
        self.rows(
            "list control totals",
            "SELECT file, origin, total, promised, counted, agrees, waived FROM v_control_totals",
            [],
            |row| {
                Ok(ControlTotalRow {
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
}
