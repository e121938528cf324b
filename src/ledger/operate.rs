//! What operators do to accounts: holds, retries, consents. Each is recorded with its run and its reason.

use rusqlite::{Transaction, params};

use super::state::Event;
use super::submit::step;
use super::{AccountId, Ledger, LedgerError, RunId, State, WriteError, now};

/// An account as an operator names it: by its number, and by its supplier where that is not clear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    /// The import supplier; none: whichever has the number.
    pub supplier: Option<String>,
    /// The account number.
    pub number: String,
}

impl AccountName {
    /// The supplier as a list keeps it: empty where the name is a bare number.
    pub(super) fn supplier(&self) -> &str {
        self.supplier.as_deref().unwrap_or_default()
    }
}

/// Which accounts to put back.
#[derive(Clone, Debug, Default)]
pub struct RetrySelection {
    /// These; empty: any.
    pub accounts: Vec<AccountName>,
    /// Those with an error of one of these codes; empty: whatever the error.
    pub codes: Vec<String>,
    /// Also those whose newest payload is the one that failed.
    pub same: bool,
}

/// What became of a retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetrySummary {
    /// Put back.
    pub ready: u64,
    /// Put back, and held because they are on the hold list.
    pub held: u64,
    /// Left alone because their payload is the one that failed.
    pub same_payload: u64,
    /// Left alone because their newest build made no payload.
    pub no_payload: u64,
}

impl Ledger {
    /// Records a consent that an operator gave to a run, such as `yes`.
    pub fn consent(&mut self, run: RunId, act: &str, reason: &str) -> Result<(), LedgerError> {
        self.write("record a consent", |transaction, _| {
            transaction.execute(
                "INSERT INTO intervention (run, act, reason, at) VALUES (?, ?, ?, ?)",
                params![run.0, act, reason, now()],
            )?;
            Ok(())
        })
    }

    /// Puts refused, errored and cancelled accounts back: those with another payload than the one that failed, or all
    /// of the selection with `same`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NoSuchAccount`] for a name the ledger does not have; then nothing is put back.
    pub fn retry(&mut self, run: RunId, selection: &RetrySelection, reason: &str) -> Result<RetrySummary, LedgerError> {
        self.write("put accounts back", |transaction, _| {
            let named =
                selection.accounts.iter().map(|name| resolve(transaction, name)).collect::<Result<Vec<_>, _>>()?;
            let mut summary = RetrySummary::default();
            for (id, state, verdict, same) in failed(transaction)? {
                let wanted = (named.is_empty() || named.contains(&id))
                    && (selection.codes.is_empty() || has_error(transaction, id, &selection.codes)?);
                if !wanted {
                    continue;
                }
                if verdict != "ready" {
                    summary.no_payload += 1;
                } else if same && !selection.same {
                    summary.same_payload += 1;
                } else {
                    let back = step(transaction, id, state, Event::Retry)?;
                    let back = wait_if_listed(transaction, id, back)?;
                    set_state(transaction, id, back)?;
                    intervene(transaction, run, id, "retry", reason)?;
                    match back {
                        State::Held => summary.held += 1,
                        _ => summary.ready += 1,
                    }
                }
            }
            Ok(summary)
        })
    }

    /// Puts accounts on the hold list, those not built yet as well; gives how many stand `held` because of it.
    pub fn hold(&mut self, run: RunId, accounts: &[AccountName], reason: &str) -> Result<u64, LedgerError> {
        self.write("hold accounts", |transaction, _| {
            let mut held = 0;
            for name in accounts {
                transaction.execute(
                    "INSERT OR REPLACE INTO hold (number, supplier, reason, run, since) VALUES (?, ?, ?, ?, ?)",
                    params![name.number, name.supplier(), reason, run.0, now()],
                )?;
                for (id, state, _) in matching(transaction, name)? {
                    // An account that has been sent can't be held back any more; the list says so if it comes again.
                    if let Ok(next) = state.next(Event::Hold) {
                        set_state(transaction, id, next)?;
                        intervene(transaction, run, id, "hold", reason)?;
                        held += 1;
                    }
                }
            }
            Ok(held)
        })
    }

    /// Takes accounts off the hold list; gives how many are no longer `held` because of it.
    ///
    /// A bare number takes off every entry of that number, a supplier with a number that one entry alone: where an
    /// entry of the bare number is left, the account stays `held`.
    pub fn release(&mut self, run: RunId, accounts: &[AccountName], reason: &str) -> Result<u64, LedgerError> {
        self.write("release accounts", |transaction, _| {
            let mut released = 0;
            for name in accounts {
                transaction.execute(
                    "DELETE FROM hold WHERE number = ?1 AND (?2 = '' OR supplier = ?2)",
                    params![name.number, name.supplier()],
                )?;
                for (id, state, verdict) in matching(transaction, name)? {
                    if state != State::Held || is_listed(transaction, id)? {
                        continue;
                    }
                    let event = match verdict.as_str() {
                        "ready" => Event::ReleaseReady,
                        "rejected" => Event::ReleaseRejected,
                        _ => Event::ReleaseGone,
                    };
                    set_state(transaction, id, step(transaction, id, state, event)?)?;
                    intervene(transaction, run, id, "release", reason)?;
                    released += 1;
                }
            }
            Ok(released)
        })
    }
}

/// Every account that a retry may put back: row, state, verdict, and whether its newest payload is the one that failed.
fn failed(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<(AccountId, State, String, bool)>> {
    transaction
        .prepare_cached(
            "SELECT account.id, state, verdict, account.digest IS intent.digest FROM account \
             LEFT JOIN intent ON intent.account = account.id AND intent.attempt = account.attempts \
             WHERE state IN ('refused', 'errored', 'cancelled') ORDER BY account.id",
        )?
        .query_map([], |row| Ok((AccountId(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}

/// Whether the hold list has this account, with its supplier or by its bare number.
pub(super) fn is_on_hold(transaction: &Transaction<'_>, supplier: &str, number: &str) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached("SELECT 1 FROM hold WHERE number = ?1 AND supplier IN ('', ?2)")?
        .exists(params![number, supplier])
}

/// Whether the hold list has the account in this row.
fn is_listed(transaction: &Transaction<'_>, account: AccountId) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            "SELECT 1 FROM account JOIN hold ON hold.number = account.number AND hold.supplier IN ('', account.supplier) \
             WHERE account.id = ?",
        )?
        .exists([account.0])
}

/// The state an account takes that has just come to `state`: one that would be sent goes on to `held` if the hold list
/// has it, which may have got it while the account was away.
pub(super) fn wait_if_listed(
    transaction: &Transaction<'_>,
    account: AccountId,
    state: State,
) -> Result<State, WriteError> {
    if state == State::Ready && is_listed(transaction, account)? {
        return step(transaction, account, state, Event::Hold);
    }
    Ok(state)
}

fn has_error(transaction: &Transaction<'_>, account: AccountId, codes: &[String]) -> rusqlite::Result<bool> {
    let mut statement =
        transaction.prepare_cached("SELECT 1 FROM finding WHERE account = ? AND severity = 'error' AND code = ?")?;
    for code in codes {
        if statement.exists(params![account.0, code])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matching(transaction: &Transaction<'_>, name: &AccountName) -> rusqlite::Result<Vec<(AccountId, State, String)>> {
    transaction
        .prepare_cached("SELECT id, state, verdict FROM account WHERE number = ?1 AND (?2 = '' OR supplier = ?2)")?
        .query_map(params![name.number, name.supplier()], |row| Ok((AccountId(row.get(0)?), row.get(1)?, row.get(2)?)))?
        .collect()
}

/// The one account that `name` means.
fn resolve(transaction: &Transaction<'_>, name: &AccountName) -> Result<AccountId, WriteError> {
    let found = matching(transaction, name)?;
    match found.as_slice() {
        [(id, _, _)] => Ok(*id),
        [] => Err(LedgerError::NoSuchAccount { what: format!("the ledger has no account {}", name.number) }.into()),
        _ => Err(LedgerError::NoSuchAccount {
            what: format!("account {} exists under {} suppliers: write `supplier,account`", name.number, found.len()),
        }
        .into()),
    }
}

fn set_state(transaction: &Transaction<'_>, account: AccountId, state: State) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE account SET state = ?, updated_at = ? WHERE id = ?")?.execute(params![
        state,
        now(),
        account.0
    ])?;
    Ok(())
}

pub(super) fn intervene(
    transaction: &Transaction<'_>,
    run: RunId,
    account: AccountId,
    act: &str,
    reason: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO intervention (run, account, act, reason, at) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![run.0, account.0, act, reason, now()])?;
    Ok(())
}
