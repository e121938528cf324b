//! One ledger held against another: two nights, two rehearsals, or two ledgers of one migration.

use std::path::Path;

use rusqlite::params;
use serde::Serialize;

use super::{Ledger, LedgerError, schema, sql_error};

/// Accounts that stand in one state there and in one state here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateMoveRow {
    /// Where they stand in the other ledger; none: they are not in it.
    pub before: Option<String>,
    /// Where they stand in this one; none: they are not in it.
    pub after: Option<String>,
    /// How many.
    pub accounts: u64,
    /// What their balances come to there, debts and credits alike, in pence.
    pub pence_before: i64,
    /// And here.
    pub pence_after: i64,
}

/// An account that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountMoveRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// Where it stands in the other ledger; none: it is not in it.
    pub before: Option<String>,
    /// Where it stands in this one; none: it is not in it.
    pub after: Option<String>,
    /// Whether both have a payload, and not the same.
    pub payload_changed: bool,
    /// Its balance there, its sign left out, in pence.
    pub pence_before: Option<i64>,
    /// And here.
    pub pence_after: Option<i64>,
}

/// An account in two ledgers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedRow {
    /// Import supplier.
    pub import_supplier: String,
    /// External account number.
    pub external_account_number: String,
    /// Where it stands in the one.
    pub state: String,
    /// Where it stands in the other.
    pub other_state: String,
}

/// Accounts of either ledger, side by side, where they differ.
const DIFFERENT: &str = "SELECT here.supplier, here.number, there.state AS before, here.state AS after, \
        coalesce(there.digest <> here.digest, 0) AS changed, there.pence AS pence_before, here.pence AS pence_after \
    FROM main.account AS here LEFT JOIN other.account AS there USING (supplier, number) \
    WHERE there.state IS NOT here.state OR there.digest IS NOT here.digest OR there.pence IS NOT here.pence \
    UNION ALL SELECT there.supplier, there.number, there.state, NULL, 0, there.pence, NULL FROM other.account AS there \
    WHERE NOT EXISTS (SELECT 1 FROM main.account AS here WHERE here.supplier = there.supplier AND here.number = there.number)";

/// Accounts that may have been sent from both.
const SHARED: &str = "FROM main.account AS here JOIN other.account AS there USING (supplier, number) \
    WHERE here.state NOT IN ('withdrawn', 'held') AND there.state NOT IN ('withdrawn', 'held')";

/// A ledger with another beside it, for reading.
#[derive(Debug)]
pub struct Pair<'l> {
    ledger: &'l Ledger,
}

impl Ledger {
    /// Puts the ledger at `other` beside this one, for as long as the pair is there.
    pub fn beside(&self, other: &Path) -> Result<Pair<'_>, LedgerError> {
        if !other.is_file() {
            return Err(LedgerError::Missing { path: other.to_owned() });
        }
        let attach = || -> rusqlite::Result<i64> {
            self.connection.execute("ATTACH DATABASE ? AS other", [other.to_string_lossy()])?;
            self.connection.query_row("PRAGMA other.user_version", [], |row| row.get(0))
        };
        let found = attach().map_err(|source| sql_error(other, "be opened", source))?;
        let pair = Pair { ledger: self };
        schema::check(other, found)?;
        Ok(pair)
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        // The other ledger was only read; if it stays attached, the connection's end lets it go.
        let _ = self.ledger.connection.execute("DETACH DATABASE other", []);
    }
}

impl Pair<'_> {
    /// Accounts by where they stand there and here, those that differ first.
    pub fn state_moves(&self) -> Result<Vec<StateMoveRow>, LedgerError> {
        self.ledger.rows(
            "compare states",
            "SELECT before, after, count(*), sum(coalesce(pence_before, 0)), sum(coalesce(pence_after, 0)) FROM ( \
                 SELECT there.state AS before, here.state AS after, there.pence AS pence_before, here.pence AS pence_after \
                 FROM main.account AS here LEFT JOIN other.account AS there USING (supplier, number) \
                 UNION ALL SELECT there.state, NULL, there.pence, NULL FROM other.account AS there WHERE NOT EXISTS \
                     (SELECT 1 FROM main.account AS here WHERE here.supplier = there.supplier AND here.number = there.number)) \
             GROUP BY before, after ORDER BY before IS after, count(*) DESC, before, after",
            [],
            |row| {
                Ok(StateMoveRow {
                    before: row.get(0)?,
                    after: row.get(1)?,
                    accounts: row.get::<_, i64>(2)? as u64,
                    pence_before: row.get(3)?,
                    pence_after: row.get(4)?,
                })
            },
        )
    }

    /// How many accounts differ in their state, payload or balance.
    pub fn count_account_moves(&self) -> Result<u64, LedgerError> {
        self.ledger.one("compare accounts", &format!("SELECT count(*) FROM ({DIFFERENT})"))
    }

    /// Up to `limit` of them: those that moved first, then by how far their balances are apart.
    pub fn account_moves(&self, limit: usize) -> Result<Vec<AccountMoveRow>, LedgerError> {
        self.ledger.rows(
            "compare accounts",
            &format!(
                "SELECT * FROM ({DIFFERENT}) ORDER BY before IS after, \
                 abs(coalesce(pence_after, 0) - coalesce(pence_before, 0)) DESC, supplier, number LIMIT ?"
            ),
            params![limit as i64],
            |row| {
                Ok(AccountMoveRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    before: row.get(2)?,
                    after: row.get(3)?,
                    payload_changed: row.get(4)?,
                    pence_before: row.get(5)?,
                    pence_after: row.get(6)?,
                })
            },
        )
    }

    /// How many accounts are in both.
    pub fn count_shared(&self) -> Result<u64, LedgerError> {
        self.ledger.one("compare ledgers", &format!("SELECT count(*) {SHARED}"))
    }

    /// Up to `limit` of them, in the order of their names.
    pub fn shared(&self, limit: usize) -> Result<Vec<SharedRow>, LedgerError> {
        self.ledger.rows(
            "compare ledgers",
            &format!(
                "SELECT here.supplier, here.number, here.state, there.state {SHARED} ORDER BY here.supplier, here.number LIMIT ?"
            ),
            params![limit as i64],
            |row| {
                Ok(SharedRow {
                    import_supplier: row.get(0)?,
                    external_account_number: row.get(1)?,
                    state: row.get(2)?,
                    other_state: row.get(3)?,
                })
            },
        )
    }
}
