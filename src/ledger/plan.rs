//! Waves: their lists, and what each is sent from.
//!
//! A wave is sent from the inputs of one build. They are remembered from its first create on, and forgotten by the
//! next build of the wave that finds no account of it unfinished. Until then, payloads made from other inputs wait for
//! an operator's word. Where no wave is named, all accounts together are one.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use crate::account::Digest;

use super::operate::AccountName;
use super::{BuildId, Ledger, LedgerError, RunId, State, now};

/// Ready, or on its way: whatever the wave still has to bring to an end by itself.
const UNFINISHED: &str = "(state = 'ready' OR state = 'sending' OR state = 'unknown' OR state = 'submitted')";

/// Of the wave in parameter 1, or of any if that is empty.
const IN_WAVE: &str = "(?1 = '' OR EXISTS (SELECT 1 FROM wave_account WHERE wave = ?1 \
    AND wave_account.number = account.number AND wave_account.supplier IN ('', account.supplier)))";

/// A wave and where its accounts stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaveRow {
    /// Its name.
    pub wave: String,
    /// Names on its list.
    pub listed: u64,
    /// Accounts of the ledger that are on the list, by state; states without any are left out.
    pub accounts: BTreeMap<State, u64>,
}

/// The inputs of a build: (role, name) → digest.
type Inputs = BTreeMap<(String, String), Digest>;

impl Ledger {
    /// Stores the list of a wave, in place of an earlier list of that name.
    pub fn store_wave(&mut self, wave: &str, accounts: &[AccountName]) -> Result<(), LedgerError> {
        self.write("store a wave", |transaction, _| {
            transaction.execute("DELETE FROM wave_account WHERE wave = ?", [wave])?;
            let mut insert = transaction
                .prepare_cached("INSERT OR IGNORE INTO wave_account (wave, number, supplier) VALUES (?, ?, ?)")?;
            for account in accounts {
                insert.execute(params![wave, account.number, account.supplier()])?;
            }
            Ok(())
        })
    }

    /// The list of a wave; empty if there is no such wave.
    pub fn wave(&self, wave: &str) -> Result<Vec<AccountName>, LedgerError> {
        self.rows(
            "read a wave",
            "SELECT supplier, number FROM wave_account WHERE wave = ? ORDER BY number, supplier",
            [wave],
            |row| {
                let supplier: String = row.get(0)?;
                Ok(AccountName { supplier: (!supplier.is_empty()).then_some(supplier), number: row.get(1)? })
            },
        )
    }

    /// Every wave and where its accounts stand, in the order of their names.
    pub fn waves(&self) -> Result<Vec<WaveRow>, LedgerError> {
        let listed = self.rows(
            "list waves",
            "SELECT wave, count(*) FROM wave_account GROUP BY wave ORDER BY wave",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64)),
        )?;
        listed
            .into_iter()
            .map(|(wave, listed)| {
                let states = self.count_by_state(Some(&wave))?;
                let accounts = states.into_iter().filter(|(_, accounts)| *accounts > 0).collect();
                Ok(WaveRow { wave, listed, accounts })
            })
            .collect()
    }

    /// Accounts on the list of `wave` that an earlier wave has brought to their end.
    pub fn processed_in_other_waves(&self, wave: &str) -> Result<u64, LedgerError> {
        let count = self.connection.query_row(
            &format!("SELECT count(*) FROM account WHERE state = 'processed' AND wave <> ?1 AND {IN_WAVE}"),
            [wave],
            |row| row.get::<_, i64>(0),
        );
        count.map(|n| n as u64).map_err(|e| self.sql("compare waves", e))
    }

    /// Accounts on the list of `wave` that another wave, whose list they are on as well, has not finished: by that
    /// other wave, how many and one of their numbers.
    pub fn unfinished_in_other_waves(&self, wave: &str) -> Result<Vec<(String, u64, String)>, LedgerError> {
        self.rows(
            "compare waves",
            &format!(
                "SELECT account.wave, count(*), min(number) FROM account WHERE {UNFINISHED} AND account.wave <> ?1 \
                 AND {IN_WAVE} AND EXISTS (SELECT 1 FROM wave_account AS other WHERE other.wave = account.wave \
                 AND other.number = account.number AND other.supplier IN ('', account.supplier)) \
                 GROUP BY account.wave ORDER BY account.wave"
            ),
            [wave],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get(2)?)),
        )
    }

    /// How the inputs of the payloads that would be sent differ from those the wave is sent from, a clause each; empty
    /// if they do not, or if nothing of the wave was sent yet.
    pub fn changed_inputs(&self, wave: Option<&str>) -> Result<Vec<String>, LedgerError> {
        let query = || -> rusqlite::Result<Vec<String>> {
            let Some(plan) = planned(&self.connection, wave)? else { return Ok(Vec::new()) };
            let before = inputs(&self.connection, plan)?;
            let mut changes = Vec::new();
            for build in sendable_builds(&self.connection, wave)? {
                for change in differences(&before, &inputs(&self.connection, build)?) {
                    if !changes.contains(&change) {
                        changes.push(change);
                    }
                }
            }
            Ok(changes)
        };
        query().map_err(|e| self.sql("compare inputs", e))
    }

    /// Remembers that the wave is sent from the newest inputs of its payloads: for the first time, or with `anew`
    /// in place of others.
    pub fn remember_inputs(&mut self, run: RunId, wave: Option<&str>, anew: bool) -> Result<(), LedgerError> {
        self.write("remember inputs", |transaction, _| {
            if planned(transaction, wave)?.is_some() && !anew {
                return Ok(());
            }
            if let Some(build) = sendable_builds(transaction, wave)?.last() {
                transaction.execute(
                    "INSERT OR REPLACE INTO wave_plan (wave, build, run, at) VALUES (?, ?, ?, ?)",
                    params![wave.unwrap_or_default(), build.0, run.0, now()],
                )?;
            }
            Ok(())
        })
    }
}

/// The build that the wave is sent from, if something of it was sent.
fn planned(connection: &Connection, wave: Option<&str>) -> rusqlite::Result<Option<BuildId>> {
    connection
        .prepare_cached("SELECT build FROM wave_plan WHERE wave = ?")?
        .query_row([wave.unwrap_or_default()], |row| row.get(0).map(BuildId))
        .optional()
}

/// The builds that made the payloads of the wave that would be sent, oldest first.
fn sendable_builds(connection: &Connection, wave: Option<&str>) -> rusqlite::Result<Vec<BuildId>> {
    connection
        .prepare_cached(&format!(
            "SELECT DISTINCT payload.build FROM account \
             JOIN payload ON payload.account = account.id AND payload.digest = account.digest \
             WHERE state = 'ready' AND {IN_WAVE} ORDER BY payload.build"
        ))?
        .query_map([wave.unwrap_or_default()], |row| row.get(0).map(BuildId))?
        .collect()
}

/// Whether an account of the wave, or of any if none is named, is ready or on its way.
pub(super) fn is_unfinished(transaction: &Transaction<'_>, wave: Option<&str>) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(&format!("SELECT 1 FROM account WHERE {UNFINISHED} AND {IN_WAVE}"))?
        .exists([wave.unwrap_or_default()])
}

/// Whether two builds were made from the same inputs.
pub(super) fn is_from_the_same(transaction: &Transaction<'_>, one: BuildId, other: BuildId) -> rusqlite::Result<bool> {
    Ok(inputs(transaction, one)? == inputs(transaction, other)?)
}

/// Forgets what a finished wave was sent from, if `build` has brought it other inputs.
pub(super) fn close(transaction: &Transaction<'_>, wave: Option<&str>, build: BuildId) -> rusqlite::Result<()> {
    if let Some(plan) = planned(transaction, wave)?
        && !is_from_the_same(transaction, plan, build)?
    {
        transaction.execute("DELETE FROM wave_plan WHERE wave = ?", [wave.unwrap_or_default()])?;
    }
    Ok(())
}

fn inputs(connection: &Connection, build: BuildId) -> rusqlite::Result<Inputs> {
    connection
        .prepare_cached(
            "SELECT role, name, digest FROM input WHERE build = ?1 \
             UNION SELECT 'extract file', name, digest FROM extract_file WHERE build = ?1",
        )?
        .query_map([build.0], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
        .collect()
}

/// How `after` differs from `before`, a clause each: `run_date was A, is B` for a role with one input, else
/// `lookup x.csv has changed`, `is new`, `is gone`.
fn differences(before: &Inputs, after: &Inputs) -> Vec<String> {
    let only = |inputs: &Inputs, role: &str| {
        let mut names = inputs.keys().filter(|(r, _)| r == role).map(|(_, name)| name.clone());
        names.next().filter(|_| names.next().is_none())
    };
    let mut changes = Vec::new();
    for key @ (role, name) in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let change = match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => format!("{role} {name} has changed"),
            (old, _) => match (only(before, role), only(after, role)) {
                (Some(was), Some(is)) if was != is => format!("{role} was {was}, is {is}"),
                _ => format!("{role} {name} is {}", if old.is_some() { "gone" } else { "new" }),
            },
        };
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs_of(rows: &[(&str, &str, &str)]) -> Inputs {
        rows.iter().map(|(role, name, text)| (((*role).into(), (*name).into()), Digest::of(text.as_bytes()))).collect()
    }

    #[test]
    fn what_has_changed_is_named() {
        let before = inputs_of(&[
            ("extract file", "a.csv", "1"),
            ("extract file", "b.csv", "1"),
            ("lookup", "x.csv", "1"),
            ("mapping", "mapping.toml", "1"),
            ("run_date", "2026-11-24", "2026-11-24"),
        ]);
        assert_eq!(differences(&before, &before), [""; 0]);
        let after = inputs_of(&[
            ("extract file", "a.csv", "2"),
            ("extract file", "c.csv", "1"),
            ("lookup", "x.csv", "1"),
            ("mapping", "mapping.toml", "2"),
            ("run_date", "2026-11-25", "2026-11-25"),
        ]);
        assert_eq!(
            differences(&before, &after),
            [
                "extract file a.csv has changed",
                "extract file b.csv is gone",
                "mapping mapping.toml has changed",
                "run_date was 2026-11-24, is 2026-11-25",
                "extract file c.csv is new",
            ]
        );
    }
}
