//! Agreement: which refusals of the target a check here would have caught; and what projects said of rules' severities.

use rusqlite::Row;
use serde::Serialize;

use super::{Ledger, LedgerError};

/// How far what is found here agrees with what the target refuses.
///
/// Counted are the errors that stand against accounts whose create or validation the target refused. One is caught if
/// something was found here, whatever its severity, with the same code or at the same place of the account. The newest
/// build speaks, so a list that was loaded since counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Accounts that the target refuses.
    pub accounts: u64,
    /// Those of them with at least one refusal caught: they would have been held back.
    pub accounts_caught: u64,
    /// Refusals, one for each error.
    pub refusals: u64,
    /// Those of them that are caught.
    pub caught: u64,
    /// The others by code and path, the most frequent first.
    pub misses: Vec<MissRow>,
}

/// Refusals of one kind that nothing here foresaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissRow {
    /// The target's code, or ours where it gave none.
    pub code: String,
    /// Payload path without list positions; empty for the whole account.
    pub path: String,
    /// How often.
    pub refusals: u64,
    /// Of how many accounts.
    pub accounts: u64,
    /// The supplier of the first of them.
    pub example_supplier: String,
    /// Its number.
    pub example_account: String,
    /// Where in its payload, with list positions.
    pub example_path: String,
    /// What the target said, as it is kept.
    pub message: String,
}

/// A rule whose severity a project said, in builds whose verdicts stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverrideRow {
    /// The rule.
    pub rule: String,
    /// `error`, `warning`, `notice` or `off`.
    pub severity: String,
    /// Accounts last built so.
    pub accounts: u64,
}

/// Refusals of the target, each with whether it was caught here.
const JUDGED: &str = "WITH refusal AS (
    SELECT finding.id, finding.account, finding.code, finding.path, finding.field, finding.message
    FROM finding JOIN account ON account.id = finding.account
    WHERE finding.source = 'remote' AND finding.severity = 'error'
      AND (account.state = 'refused' OR account.validated_result = 'refused')),
judged AS (
    SELECT refusal.*, EXISTS (
        SELECT 1 FROM finding AS own WHERE own.account = refusal.account AND own.source = 'local'
        AND (own.code = refusal.code OR (own.path = refusal.path AND refusal.path <> ''))) AS caught
    FROM refusal) ";

impl Ledger {
    /// How far what is found here agrees with what the target refuses, with up to `limit` kinds of misses.
    pub fn agreement(&self, limit: usize) -> Result<Agreement, LedgerError> {
        let count = |row: &Row<'_>, at: usize| row.get::<_, i64>(at).map(|count| count as u64);
        let mut totals = self.rows(
            "count what was caught",
            &format!(
                "{JUDGED}SELECT count(DISTINCT account), count(DISTINCT CASE WHEN caught THEN account END), count(*), \
                 coalesce(sum(caught), 0) FROM judged"
            ),
            [],
            |row| {
                Ok(Agreement {
                    accounts: count(row, 0)?,
                    accounts_caught: count(row, 1)?,
                    refusals: count(row, 2)?,
                    caught: count(row, 3)?,
                    misses: Vec::new(),
                })
            },
        )?;
        let mut agreement = totals.pop().unwrap_or_default();
        agreement.misses = self.rows(
            "list what was not caught",
            &format!(
                "{JUDGED}, missed AS (SELECT code, field, count(*) AS refusals, count(DISTINCT account) AS accounts, \
                 min(id) AS example FROM judged WHERE NOT caught GROUP BY code, field) \
                 SELECT missed.code, missed.field, missed.refusals, missed.accounts, account.supplier, account.number, \
                 finding.path, finding.message FROM missed JOIN finding ON finding.id = missed.example \
                 JOIN account ON account.id = finding.account \
                 ORDER BY missed.accounts DESC, missed.refusals DESC, missed.code, missed.field LIMIT ?"
            ),
            [limit as i64],
            |row| {
                Ok(MissRow {
                    code: row.get(0)?,
                    path: row.get(1)?,
                    refusals: count(row, 2)?,
                    accounts: count(row, 3)?,
                    example_supplier: row.get(4)?,
                    example_account: row.get(5)?,
                    example_path: row.get(6)?,
                    message: row.get(7)?,
                })
            },
        )?;
        Ok(agreement)
    }

    /// The rules whose severities projects said, in the builds that accounts were last built by, and in the newest.
    pub fn overrides(&self) -> Result<Vec<OverrideRow>, LedgerError> {
        self.rows(
            "list overrides",
            "WITH standing AS (SELECT build, count(*) AS accounts FROM account GROUP BY build \
                 UNION ALL SELECT max(id), 0 FROM build) \
             SELECT input.name, sum(standing.accounts) FROM input JOIN standing ON standing.build = input.build \
             WHERE input.role = 'rule' GROUP BY input.name ORDER BY input.name",
            [],
            |row| {
                let name: String = row.get(0)?;
                let (rule, severity) = name.split_once(" = ").unwrap_or((&name, ""));
                let accounts = row.get::<_, i64>(1)? as u64;
                Ok(OverrideRow { rule: rule.to_owned(), severity: severity.to_owned(), accounts })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::super::{BuildStart, BuiltAccount, Input, Ledger, RunStart, TargetIdentity, Verdict};
    use super::*;
    use crate::account::{AccountKey, Digest};
    use crate::finding::{Finding, Severity};

    fn ledger(folder: &std::path::Path, findings: &[(&str, Finding)]) -> Ledger {
        let target = TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into()] };
        let mut ledger = Ledger::open(&folder.join("ledger.sqlite"), &target).unwrap();
        let text = || "test".to_owned();
        let start = RunStart { command: text(), arguments: text(), user: text(), host: text(), version: text() };
        let run = ledger.begin_run(&start).unwrap();
        let input = |name: &str| Input { role: "rule".into(), name: name.into(), digest: Digest::of(b"") };
        let start = BuildStart {
            run_date: chrono::NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
            wave: None,
            selection_is_whole: true,
            inputs: vec![input("phone-valid = off"), input("supply-point-in-two-accounts = warning")],
        };
        let mut build = ledger.begin_build(run, &start).unwrap();
        for number in ["1", "2", "3"] {
            let own: Vec<Finding> =
                findings.iter().filter(|(of, _)| *of == number).map(|(_, finding)| finding.clone()).collect();
            let key = AccountKey::new("A", number);
            let account = BuiltAccount {
                key,
                verdict: Verdict::Rejected,
                findings: &own,
                supply_points: &[],
                pence: None,
                came: &[],
            };
            build.account(&account).unwrap();
        }
        build.finish().unwrap();
        ledger
    }

    fn local(code: &str, path: &str) -> Finding {
        let (path, message) = (path.into(), "m".into());
        Finding { code: code.to_owned().into(), severity: Severity::Warning, path, message, cells: Vec::new() }
    }

    /// What the target says of an account, which it refuses.
    fn refuse(ledger: &Ledger, number: &str, code: &str, path: &str) {
        let connection = &ledger.connection;
        connection.execute("UPDATE account SET state = 'refused' WHERE number = ?", [number]).unwrap();
        let field = super::super::build::without_positions(path);
        connection
            .execute(
                "INSERT INTO finding (account, source, severity, code, path, field, message) \
                 SELECT id, 'remote', 'error', ?2, ?3, ?4, 'told' FROM account WHERE number = ?1",
                params![number, code, path, field],
            )
            .unwrap();
    }

    #[test]
    fn what_was_found_by_code_or_place_is_caught_and_the_rest_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let found = [("1", local("invalid_phone_number", "customers.0.mobile")), ("2", local("other", "ledgers.1"))];
        let ledger = ledger(folder.path(), &found);
        assert_eq!(ledger.agreement(9).unwrap(), Agreement::default());
        refuse(&ledger, "1", "invalid_phone_number", "customers.0.landline");
        refuse(&ledger, "1", "tpr_not_found", "supply_addresses.0.meter_points.3.tpr");
        refuse(&ledger, "2", "refused", "ledgers.1");
        refuse(&ledger, "3", "tpr_not_found", "supply_addresses.1.meter_points.0.tpr");
        refuse(&ledger, "3", "refused", "");
        let agreement = ledger.agreement(9).unwrap();
        let Agreement { accounts, accounts_caught, refusals, caught, misses } = &agreement;
        assert_eq!((accounts, accounts_caught, refusals, caught), (&3, &2, &5, &2));
        let told: Vec<_> =
            misses.iter().map(|m| (&*m.code, m.accounts, &*m.example_account, &*m.example_path)).collect();
        let path = "supply_addresses.0.meter_points.3.tpr";
        assert_eq!(told, [("tpr_not_found", 2, "1", path), ("refused", 1, "3", "")]);
        assert_eq!(misses[0].path, "supply_addresses.meter_points.tpr");
        assert_eq!(ledger.agreement(1).unwrap().misses.len(), 1);
    }

    #[test]
    fn overrides_are_kept_with_the_builds_they_stand_in() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), &[]);
        let told: Vec<_> =
            ledger.overrides().unwrap().into_iter().map(|row| (row.rule, row.severity, row.accounts)).collect();
        let row = |rule: &str, severity: &str| (rule.to_owned(), severity.to_owned(), 3);
        assert_eq!(told, [row("phone-valid", "off"), row("supply-point-in-two-accounts", "warning")]);
    }
}
