//! Ledgers side by side: what moved between two nights or two builds, and several ledgers of one migration together.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::ledger::causes::CauseRow;
use crate::ledger::compare::{AccountMoveRow, SharedRow, StateMoveRow};
use crate::ledger::{Ledger, LedgerError};

use super::{LISTED, Listed, Options, RunReport, StateCount, Step, TargetPart, Verdict};

/// What moved since another ledger: an earlier copy of this one, or that of another rehearsal.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    /// The other ledger's file.
    pub ledger: String,
    /// When its newest run began.
    pub run_at: Option<String>,
    /// Its newest build's day that date rules called today.
    pub run_date: Option<String>,
    /// Accounts by where they stand there and here; those that moved first.
    pub states: Vec<StateMoveRow>,
    /// Causes of errors that hold back another number of accounts, or of pence, than there.
    pub causes: Vec<CauseMove>,
    /// Money of which another sum is in payloads, or processed.
    pub money: Vec<MoneyMove>,
    /// Accounts that differ in state, payload or balance.
    pub accounts: Listed<AccountMoveRow>,
}

/// A cause of errors, there and here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseMove {
    /// The code.
    pub code: String,
    /// `local` or `remote`.
    pub source: String,
    /// Payload path without list positions.
    pub path: String,
    /// Extract file.
    pub file: String,
    /// Column.
    pub column: String,
    /// Accounts that have it, there.
    pub accounts_before: u64,
    /// And here.
    pub accounts_after: u64,
    /// What their balances come to in pence, there.
    pub pence_before: i64,
    /// And here.
    pub pence_after: i64,
}

/// Money of one kind, there and here, in pence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoneyMove {
    /// The entity's path.
    pub entity: String,
    /// The field.
    pub field: String,
    /// The variant.
    pub variant: String,
    /// Of the amounts: 1 or -1.
    pub sign: i64,
    /// In payloads, there and here.
    pub payload: [i64; 2],
    /// Processed, there and here.
    pub processed: [i64; 2],
}

/// Several ledgers of one migration.
#[derive(Clone, Debug, Serialize)]
pub struct Together {
    /// Each of them, this one first.
    pub ledgers: Vec<LedgerPart>,
    /// Accounts by state, over all of them.
    pub states: Vec<StateCount>,
    /// Pairs of ledgers that have accounts in common: such an account may be created twice.
    pub shared: Vec<Shared>,
}

/// One of several ledgers.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerPart {
    /// Its file.
    pub ledger: String,
    /// Its target.
    pub target: TargetPart,
    /// What it comes to.
    pub verdict: Verdict,
    /// From records to processed accounts.
    pub funnel: Vec<Step>,
    /// Accounts by state.
    pub states: Vec<StateCount>,
}

/// Accounts in two ledgers.
#[derive(Clone, Debug, Serialize)]
pub struct Shared {
    /// The one.
    pub ledger: String,
    /// The other.
    pub other: String,
    /// The accounts.
    pub accounts: Listed<SharedRow>,
}

impl Against {
    /// Holds `ledger` against the one at `other`.
    pub(super) fn read(ledger: &Ledger, other: &Path) -> Result<Self, LedgerError> {
        let there = Ledger::open_read_only(other)?;
        let (before, after) = (there.causes(usize::MAX >> 1)?, ledger.causes(usize::MAX >> 1)?);
        let pair = ledger.beside(other)?;
        Ok(Self {
            ledger: other.display().to_string(),
            run_at: there.runs(1)?.pop().map(|run| run.started_at),
            run_date: there.newest_build()?.map(|build| build.run_date),
            states: pair.state_moves()?,
            causes: cause_moves(before, after),
            money: money_moves(&there, ledger)?,
            accounts: Listed { total: pair.count_account_moves()?, first: pair.account_moves(LISTED)? },
        })
    }
}

/// The causes that differ, those that moved most accounts first.
fn cause_moves(before: Vec<CauseRow>, after: Vec<CauseRow>) -> Vec<CauseMove> {
    let mut moves = BTreeMap::new();
    let sides = before.into_iter().map(|row| (0, row)).chain(after.into_iter().map(|row| (1, row)));
    for (side, row) in sides {
        let key = (row.code, row.source, row.path, row.file, row.column);
        let counts: &mut [(u64, i64); 2] = moves.entry(key).or_default();
        counts[side] = (row.accounts, row.pence.unwrap_or_default());
    }
    let mut moves: Vec<_> = moves
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|((code, source, path, file, column), [before, after])| CauseMove {
            code,
            source,
            path,
            file,
            column,
            accounts_before: before.0,
            accounts_after: after.0,
            pence_before: before.1,
            pence_after: after.1,
        })
        .collect();
    moves.sort_by_key(|cause| std::cmp::Reverse(cause.accounts_before.abs_diff(cause.accounts_after)));
    moves
}

/// The money that differs.
fn money_moves(there: &Ledger, here: &Ledger) -> Result<Vec<MoneyMove>, LedgerError> {
    let mut moves = BTreeMap::new();
    for (side, ledger) in [there, here].into_iter().enumerate() {
        for row in ledger.money()? {
            let of = |stage| row.pence.get(stage).copied().unwrap_or_default();
            let (payload, processed) = (of("payload"), of("processed"));
            let sums: &mut ([i64; 2], [i64; 2]) =
                moves.entry((row.entity, row.field, row.variant, row.sign)).or_default();
            sums.0[side] = payload;
            sums.1[side] = processed;
        }
    }
    let differs = |([a, b], [c, d]): &([i64; 2], [i64; 2])| a != b || c != d;
    Ok(moves
        .into_iter()
        .filter(|(_, sums)| differs(sums))
        .map(|((entity, field, variant, sign), (payload, processed))| MoneyMove {
            entity,
            field,
            variant,
            sign,
            payload,
            processed,
        })
        .collect())
}

impl Together {
    /// The ledger of `report`, which lies at `path`, and those at `others`.
    pub(super) fn read(
        report: &RunReport,
        ledger: &Ledger,
        others: &[std::path::PathBuf],
        options: &Options<'_>,
    ) -> Result<Self, LedgerError> {
        let mut opened = Vec::new();
        let mut ledgers = vec![LedgerPart::of(report, ledger.path())];
        for path in others {
            let other = Ledger::open_read_only(path)?;
            let alone = Options { against: None, with: &[], ..*options };
            ledgers.push(LedgerPart::of(&RunReport::read(&other, &alone)?, path));
            opened.push((path, other));
        }
        let mut shared = Vec::new();
        let all =
            std::iter::once((ledger.path(), ledger)).chain(opened.iter().map(|(path, other)| (path.as_path(), other)));
        for (at, (path, one)) in all.enumerate() {
            for other in others.iter().skip(at) {
                let pair = one.beside(other)?;
                let total = pair.count_shared()?;
                if total > 0 {
                    let accounts = Listed { total, first: pair.shared(LISTED)? };
                    shared.push(Shared {
                        ledger: path.display().to_string(),
                        other: other.display().to_string(),
                        accounts,
                    });
                }
            }
        }
        let sum = |of: &StateCount| {
            let counts = ledgers.iter().flat_map(|part| &part.states).filter(|count| count.state == of.state);
            StateCount { state: of.state, accounts: counts.map(|count| count.accounts).sum() }
        };
        Ok(Self { states: report.states.iter().map(sum).collect(), shared, ledgers })
    }
}

impl LedgerPart {
    fn of(report: &RunReport, path: &Path) -> Self {
        Self {
            ledger: path.display().to_string(),
            target: report.target.clone(),
            verdict: report.verdict.clone(),
            funnel: report.funnel.clone(),
            states: report.states.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(code: &str, accounts: u64, pence: i64) -> CauseRow {
        CauseRow {
            code: code.into(),
            source: "local".into(),
            path: "customers.landline".into(),
            file: "c.csv".into(),
            column: "LANDLINE".into(),
            unblocked: accounts,
            accounts,
            findings: accounts,
            pence: Some(pence),
            message: String::new(),
            example_account: None,
            example_line: None,
        }
    }

    #[test]
    fn causes_that_moved_are_told_and_the_largest_move_comes_first() {
        let before = vec![cause("same", 3, 10), cause("mended", 9, 900), cause("dearer", 2, 10)];
        let after = vec![cause("same", 3, 10), cause("new", 4, 40), cause("dearer", 2, 15)];
        let told: Vec<_> = cause_moves(before, after)
            .into_iter()
            .map(|cause| {
                (cause.code, cause.accounts_before, cause.accounts_after, cause.pence_after - cause.pence_before)
            })
            .collect();
        let expected = [("mended", 9, 0, -900), ("new", 0, 4, 40), ("dearer", 2, 2, 5)];
        assert_eq!(told, expected.map(|(code, before, after, pence)| (code.to_owned(), before, after, pence)));
    }
}
