//! The views, row by row, for whoever writes them to files. What a row is, [`super::schema`] says.

use rusqlite::types::ValueRef;

use super::{Ledger, LedgerError};

/// A view that can be told row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `v_accounts`
    Accounts,
    /// `v_findings`
    Findings,
    /// `v_error_clusters`
    Causes,
    /// `v_extract_files`, of the newest build
    Files,
    /// `v_identities`
    Identities,
    /// `v_runs`
    Runs,
    /// `v_drift`
    Drift,
    /// `v_money`
    Money,
    /// `v_money_differences`
    MoneyDifferences,
    /// `v_account_money`
    AccountMoney,
    /// `v_entities`
    Entities,
    /// `v_supply_points`
    SupplyPoints,
    /// `v_control_totals`
    ControlTotals,
    /// `v_target_difference`
    TargetDifference,
}

impl View {
    /// Every view, in the order of a report.
    pub const ALL: [Self; 14] = [
        Self::Accounts,
        Self::Findings,
        Self::Causes,
        Self::Files,
        Self::Identities,
        Self::Money,
        Self::MoneyDifferences,
        Self::AccountMoney,
        Self::Entities,
        Self::SupplyPoints,
        Self::ControlTotals,
        Self::TargetDifference,
        Self::Drift,
        Self::Runs,
    ];

    /// The table's name in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Findings => "findings",
            Self::Causes => "error_clusters",
            Self::Files => "extract_files",
            Self::Identities => "identities",
            Self::Runs => "runs",
            Self::Drift => "drift",
            Self::Money => "money",
            Self::MoneyDifferences => "money_differences",
            Self::AccountMoney => "account_money",
            Self::Entities => "entities",
            Self::SupplyPoints => "supply_points",
            Self::ControlTotals => "control_totals",
            Self::TargetDifference => "target_difference",
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Accounts => "SELECT * FROM v_accounts ORDER BY import_supplier, external_account_number",
            Self::Findings => "SELECT * FROM v_findings ORDER BY finding",
            Self::Causes => "SELECT * FROM v_error_clusters",
            Self::Files => {
                "SELECT * FROM v_extract_files WHERE build = (SELECT max(id) FROM build) ORDER BY \"table\", file"
            }
            Self::Identities => "SELECT * FROM v_identities",
            Self::Runs => "SELECT * FROM v_runs ORDER BY run",
            Self::Drift => "SELECT * FROM v_drift",
            Self::Money => "SELECT * FROM v_money",
            Self::MoneyDifferences => "SELECT * FROM v_money_differences",
            Self::AccountMoney => "SELECT * FROM v_account_money",
            Self::Entities => "SELECT * FROM v_entities",
            Self::SupplyPoints => "SELECT * FROM v_supply_points",
            Self::ControlTotals => "SELECT * FROM v_control_totals",
            Self::TargetDifference => "SELECT * FROM v_target_difference",
        }
    }
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'r> {
    /// Nothing.
    Empty,
    /// A count, a number, pence, or a flag.
    Integer(i64),
    /// A text.
    Text(&'r str),
}

/// What takes the rows of a view.
pub trait RowSink<E> {
    /// The names of the columns; once, before any row.
    fn columns(&mut self, names: &[&str]) -> Result<(), E>;
    /// One row.
    fn row(&mut self, fields: &[Field<'_>]) -> Result<(), E>;
}

impl Ledger {
    /// Hands every row of `view` to `sink`; no more than one is in memory.
    pub fn each_row<E: From<LedgerError>>(&self, view: View, sink: &mut impl RowSink<E>) -> Result<(), E> {
        let failed = |e| self.sql("tell a view", e);
        let mut statement = self.connection.prepare(view.sql()).map_err(failed)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        sink.columns(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let fields: Vec<Field<'_>> = (0..names.len())
                .map(|at| {
                    Ok(match row.get_ref(at)? {
                        ValueRef::Integer(number) => Field::Integer(number),
                        ValueRef::Text(_) => Field::Text(row.get_ref(at)?.as_str()?),
                        _ => Field::Empty,
                    })
                })
                .collect::<rusqlite::Result<_>>()
                .map_err(failed)?;
            sink.row(&fields)?;
        }
        Ok(())
    }
}
