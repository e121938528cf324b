//! What rules are worth: how far they agree with the target, and where a project says otherwise than they do.

use std::io::{self, Write};

use serde::Serialize;

use super::RunReport;
use crate::ledger::agreement::{Agreement, OverrideRow};
use crate::ledger::{Ledger, LedgerError};
use crate::rules::overrides::is_guard;

/// How many kinds of misses a report lists; a kind is a code at a path, so there are not many.
const MISSES_LISTED: usize = 1000;

/// The rules' part of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RulesPart {
    /// What the target refused, and what of it was caught here.
    pub agreement: Agreement,
    /// Rules whose severity a project said.
    pub overrides: Vec<Overridden>,
}

/// A rule whose severity a project said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overridden {
    #[serde(flatten)]
    pub(super) row: OverrideRow,
    /// The rule guards against billing a household twice, and is not an error any more.
    pub guard_is_down: bool,
}

impl RulesPart {
    /// Reads the part from `ledger`.
    pub(super) fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        let overrides = ledger.overrides()?.into_iter().map(Overridden::from).collect();
        Ok(Self { agreement: ledger.agreement(MISSES_LISTED)?, overrides })
    }
}

impl From<OverrideRow> for Overridden {
    fn from(row: OverrideRow) -> Self {
        let guard_is_down = is_guard(&row.rule) && row.severity != "error";
        Self { row, guard_is_down }
    }
}

impl RunReport {
    /// Writes what the rules are worth as text; nothing, if nothing was refused and nothing overridden.
    pub(super) fn write_rules(&self, out: &mut dyn Write) -> io::Result<()> {
        let RulesPart { agreement, overrides } = &self.rules;
        if !overrides.is_empty() {
            writeln!(out, "\nrules as the project says (accounts built so)")?;
        }
        for Overridden { row, guard_is_down } in overrides {
            let warning = if *guard_is_down { ": a household may be billed twice" } else { "" };
            writeln!(out, "  {:>6}  {} = {}{warning}", row.accounts, row.rule, row.severity)?;
        }
        if agreement.refusals > 0 {
            writeln!(
                out,
                "\nagreement   {} of {} refusals of the target were caught here, {} of {} accounts",
                agreement.caught, agreement.refusals, agreement.accounts_caught, agreement.accounts
            )?;
        }
        for miss in &agreement.misses {
            let path = if miss.example_path.is_empty() { "the whole account" } else { &miss.example_path };
            writeln!(out, "  {:>6}  missed {}  {path} of {}", miss.accounts, miss.code, miss.example_account)?;
        }
        Ok(())
    }
}
