//! The target's own lists of imports against the ledger: who is where, and under which number.

use std::collections::HashMap;

use rusqlite::params;
use serde::Serialize;

use super::build::{Source, insert_finding};
use super::{Ledger, LedgerError, RunId, State};
use crate::finding::{Finding, Severity};

/// One import as the target lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetImport {
    /// The external account number.
    pub number: String,
    /// The account number at the target; none while there is no account yet.
    pub identifier: Option<String>,
}

/// How the ledger and the target's lists may disagree about an account. Their names are the findings' codes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The ledger says that the target took it, and the target does not list it.
    NotAtTarget,
    /// The target lists it, and the ledger has no such account.
    NotInLedger,
    /// It has another account number at the target than the ledger knows.
    OtherIdentifier,
    /// The ledger says that it is processed, and the target has not imported it yet.
    NotImported,
    /// The target has imported it, and the ledger does not say so.
    ImportedUnnoticed,
    /// The target has it staged, and the ledger never sent it.
    StagedUnsent,
}

impl Difference {
    /// As the ledger spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAtTarget => "not_at_target",
            Self::NotInLedger => "not_in_ledger",
            Self::OtherIdentifier => "other_identifier",
            Self::NotImported => "not_imported",
            Self::ImportedUnnoticed => "imported_unnoticed",
            Self::StagedUnsent => "staged_unsent",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::NotAtTarget => "the target took it, and does not list it: ask the target what became of it",
            Self::NotInLedger => "the target lists it, and this ledger has no such account",
            Self::OtherIdentifier => "the target lists it under another account number than it told before",
            Self::NotImported => "the ledger says that it is processed, and the target lists it as not imported yet",
            Self::ImportedUnnoticed => {
                "the target has imported it, and the ledger does not say so: `slipway follow`, or `slipway recover`"
            }
            Self::StagedUnsent => "the target has an import of it staged that this ledger never sent",
        }
    }
}

/// What the ledger says and what the target's lists say of one account.
///
/// | the ledger says | the target lists | difference |
/// | --- | --- | --- |
/// | no such account | anything | `not_in_ledger` |
/// | submitted, processed | nothing | `not_at_target` |
/// | processed | staged | `not_imported` |
/// | processed, with a number | imported, with another | `other_identifier` |
/// | anything but processed | imported | `imported_unnoticed` |
/// | ready, rejected, held, withdrawn | staged | `staged_unsent` |
/// | anything else | anything else | none: in doubt or refused, or both say the same |
#[must_use]
pub fn difference(ledger: Option<(State, Option<&str>)>, target: Option<&TargetImport>) -> Option<Difference> {
    use State::{Held, Processed, Ready, Rejected, Submitted, Withdrawn};
    let identifier = target.map(|import| import.identifier.as_deref());
    match (ledger, identifier) {
        (None, Some(_)) => Some(Difference::NotInLedger),
        (Some((Submitted | Processed, _)), None) => Some(Difference::NotAtTarget),
        (Some((Processed, _)), Some(None)) => Some(Difference::NotImported),
        (Some((Processed, Some(ours))), Some(Some(theirs))) if ours != theirs => Some(Difference::OtherIdentifier),
        (Some((Processed, _)), Some(Some(_))) => None,
        (Some(_), Some(Some(_))) => Some(Difference::ImportedUnnoticed),
        (Some((Ready | Rejected | Held | Withdrawn, _)), Some(None)) => Some(Difference::StagedUnsent),
        _ => None,
    }
}

/// A difference as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferenceRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// See [`Difference`].
    pub difference: String,
    /// In the ledger; none: it is not there.
    pub state: Option<String>,
    /// The number at the target, as the ledger knows it.
    pub ours: Option<String>,
    /// As the target's list tells it.
    pub theirs: Option<String>,
}

/// Accounts at the target that the ledger does not know are findings up to this many; all are in `v_target_difference`.
const STRANGERS_NAMED: usize = 100;

impl Ledger {
    /// Compares the accounts of `supplier` with the target's list of its imports, and keeps what differs in place of what
    /// was kept before, as rows and as findings. Gives how many differ.
    pub fn compare_target(&mut self, run: RunId, supplier: &str, imports: &[TargetImport]) -> Result<u64, LedgerError> {
        self.write("compare itself with the target", |transaction, _| {
            transaction.execute("DELETE FROM target_difference WHERE supplier = ?", [supplier])?;
            transaction.execute(
                "DELETE FROM finding WHERE source = 'remote' AND code IN ('not_at_target', 'not_in_ledger', 'other_identifier', \
                 'not_imported', 'imported_unnoticed', 'staged_unsent') AND (account IN (SELECT id FROM account WHERE \
                 supplier = ?1) OR account IS NULL AND message LIKE ?1 || '/%')",
                [supplier],
            )?;
            let mut listed: HashMap<&str, &TargetImport> = HashMap::with_capacity(imports.len());
            for import in imports {
                // Of two entries, the one that knows more.
                let known = listed.entry(&import.number).or_insert(import);
                if known.identifier.is_none() {
                    *known = import;
                }
            }
            let mut found: Vec<(Option<i64>, DifferenceRow, Difference)> = Vec::new();
            let mut statement =
                transaction.prepare("SELECT id, number, state, kraken_identifier FROM account WHERE supplier = ?")?;
            let mut rows = statement.query([supplier])?;
            while let Some(row) = rows.next()? {
                let number: String = row.get(1)?;
                let (state, ours): (State, Option<String>) = (row.get(2)?, row.get(3)?);
                let import = listed.remove(number.as_str());
                if let Some(difference) = difference(Some((state, ours.as_deref())), import) {
                    let row_of = DifferenceRow {
                        import_supplier: supplier.to_owned(),
                        external_account_number: number,
                        difference: difference.as_str().to_owned(),
                        state: Some(state.as_str().to_owned()),
                        ours,
                        theirs: import.and_then(|import| import.identifier.clone()),
                    };
                    found.push((Some(row.get(0)?), row_of, difference));
                }
            }
            let mut strangers: Vec<&TargetImport> = listed.into_values().collect();
            strangers.sort_unstable_by(|a, b| a.number.cmp(&b.number));
            for import in strangers {
                let row = DifferenceRow {
                    import_supplier: supplier.to_owned(),
                    external_account_number: import.number.clone(),
                    difference: Difference::NotInLedger.as_str().to_owned(),
                    state: None,
                    ours: None,
                    theirs: import.identifier.clone(),
                };
                found.push((None, row, Difference::NotInLedger));
            }
            let mut insert = transaction.prepare("INSERT INTO target_difference VALUES (?, ?, ?, ?, ?, ?, ?)")?;
            let mut named = 0;
            for (account, row, difference) in &found {
                insert.execute(params![
                    row.import_supplier,
                    row.external_account_number,
                    row.difference,
                    row.state,
                    row.ours,
                    row.theirs,
                    run.0
                ])?;
                named += usize::from(account.is_none());
                if named <= STRANGERS_NAMED {
                    let of = account.is_none().then(|| format!("{supplier}/{}: ", row.external_account_number));
                    let finding = Finding {
                        code: difference.as_str().into(),
                        severity: Severity::Error,
                        path: "external_account_number".into(),
                        message: format!("{}{}", of.unwrap_or_default(), difference.message()),
                        cells: Vec::new(),
                    };
                    insert_finding(transaction, *account, Source::Remote(None), &finding)?;
                }
            }
            Ok(found.len() as u64)
        })
    }

    /// Up to `limit` accounts on which the ledger and the target's lists disagree.
    pub fn differing_accounts(&self, limit: usize) -> Result<Vec<DifferenceRow>, LedgerError> {
        self.rows(
            "list what differs from the target",
            "SELECT import_supplier, external_account_number, difference, state, ours, theirs FROM v_target_difference \
             LIMIT ?",
            [limit as i64],
            |row| {
                Ok(DifferenceRow {
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

    /// How many accounts differ, by difference.
    pub fn count_differing_accounts(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.rows(
            "count what differs from the target",
            "SELECT difference, count(*) FROM target_difference GROUP BY difference ORDER BY difference",
            [],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states_has_one_answer() {
        let import =
            |identifier: Option<&str>| TargetImport { number: "1".into(), identifier: identifier.map(str::to_owned) };
        let (staged, imported) = (import(None), import(Some("A-1")));
        for state in State::ALL {
            let ours = (state == State::Processed).then_some("A-1");
            let of = |target| difference(Some((state, ours)), target).map(Difference::as_str);
            let expected = match state {
                State::Processed => [Some("not_at_target"), Some("not_imported"), None],
                State::Submitted => [Some("not_at_target"), None, Some("imported_unnoticed")],
                State::Ready | State::Rejected | State::Held | State::Withdrawn => {
                    [None, Some("staged_unsent"), Some("imported_unnoticed")]
                }
                State::Sending | State::Unknown | State::Refused | State::Errored | State::Cancelled => {
                    [None, None, Some("imported_unnoticed")]
                }
            };
            assert_eq!([of(None), of(Some(&staged)), of(Some(&imported))], expected, "{state}");
        }
        let other = difference(Some((State::Processed, Some("A-2"))), Some(&imported));
        assert_eq!(other, Some(Difference::OtherIdentifier));
        assert_eq!(difference(Some((State::Processed, None)), Some(&imported)), None);
        assert_eq!(difference(None, Some(&staged)), Some(Difference::NotInLedger));
        assert_eq!(difference(None, None), None);
    }
}
