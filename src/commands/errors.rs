//! `slipway errors`: what stands in the way, cause by cause, from the ledger and the mapping alone.

use std::fmt;

use serde::Serialize;

use crate::cli::ErrorsArgs;
use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::Ledger;
use crate::ledger::agreement::Agreement;
use crate::ledger::causes::CauseRow;
use crate::mapping::{self, model::Mapping};
use crate::rules::register::Register;
use crate::tenant::Tenant;

/// The causes, and how far what is found here agrees with the target.
#[derive(Debug, Serialize)]
struct Told {
    total: u64,
    causes: Vec<Cause>,
    agreement: Agreement,
    /// What is known of the rules whose findings have the code of a miss, in the order of the misses.
    known_of_misses: Vec<Vec<String>>,
}

/// One cause, and the line of the mapping that writes the field.
#[derive(Debug, Serialize)]
struct Cause {
    #[serde(flatten)]
    row: CauseRow,
    mapping_line: Option<String>,
}

/// Runs the command.
pub(super) fn execute(args: &ErrorsArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    // What the ledger says can be told without the mapping; only the lines are missing then.
    let contract = Contract::load(&project.target.contract)?;
    let mapping = mapping::read::read(&project.source.mapping, &contract).ok().map(|(mapping, _)| mapping);
    let rows = ledger.causes(args.limit)?;
    let cause = |row: CauseRow| Cause { mapping_line: mapping.as_ref().and_then(|mapping| line(mapping, &row)), row };
    // The score is what the ledger says; why something was missed is better told with the project's own lists.
    let tenant = Tenant::load(&project.reference, &project.target.settings).unwrap_or_default();
    let register = Register::of(&tenant, &project.overrides);
    let agreement = ledger.agreement(args.limit)?;
    let told = Told {
        total: ledger.count_clusters()?,
        causes: rows.into_iter().map(cause).collect(),
        known_of_misses: agreement.misses.iter().map(|miss| register.rules_of(&miss.code)).collect(),
        agreement,
    };
    super::tell(console, &told)?;
    Ok(ExitCode::Complete)
}

/// The line that writes the field from the cause's column; the first of the field if none names it.
fn line(mapping: &Mapping, row: &CauseRow) -> Option<String> {
    let lines = mapping.lines_of(&row.path);
    let own = lines.iter().find(|line| line.column == Some(row.column.as_str())).or(lines.first())?;
    Some(own.place.to_string())
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} causes of errors", self.total)?;
        for Cause { row, mapping_line } in &self.causes {
            write!(f, "\n\n{} of {} accounts unblocked: {}", row.unblocked, row.accounts, row.code)?;
            if let Some(pence) = row.pence {
                write!(f, ", £{}.{:02} at stake", pence / 100, pence % 100)?;
            }
            let path = if row.path.is_empty() { "the whole account" } else { &row.path };
            write!(f, "\n  {path} ({}): {}", row.source, row.message)?;
            if !row.file.is_empty() {
                let line = row.example_line.map(|line| format!(":{line}")).unwrap_or_default();
                let column = if row.column.is_empty() { String::new() } else { format!(":{}", row.column) };
                write!(f, "\n  {}{line}{column}", row.file)?;
                if let Some(account) = &row.example_account {
                    write!(f, " of account {account}")?;
                }
            }
            if let Some(line) = mapping_line {
                write!(f, "\n  {line}")?;
            }
        }
        self.tell_agreement(f)
    }
}

impl Told {
    fn tell_agreement(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement { accounts, accounts_caught, refusals, caught, misses } = &self.agreement;
        if *refusals == 0 {
            return Ok(());
        }
        write!(
            f,
            "\n\nagreement: {caught} of {refusals} refusals of the target were caught here, {accounts_caught} of {accounts} \
             accounts"
        )?;
        for (miss, rules) in misses.iter().zip(&self.known_of_misses) {
            let path = if miss.example_path.is_empty() { "the whole account" } else { &miss.example_path };
            write!(
                f,
                "\n  missed {} in {} accounts, such as {path} of account {}",
                miss.code, miss.accounts, miss.example_account
            )?;
            match rules.as_slice() {
                [] => f.write_str(": no rule knows the code")?,
                rules => write!(f, ": {}", rules.join(", "))?,
            }
        }
        Ok(())
    }
}
