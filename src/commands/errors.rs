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
use crate::ledger::causes::CauseRow;
use crate::mapping::{self, model::Mapping};

/// The causes.
#[derive(Debug, Serialize)]
struct Causes {
    total: u64,
    causes: Vec<Cause>,
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
    let causes = Causes { total: ledger.count_clusters()?, causes: rows.into_iter().map(cause).collect() };
    super::tell(console, &causes)?;
    Ok(ExitCode::Complete)
}

/// The line that writes the field from the cause's column; the first of the field if none names it.
fn line(mapping: &Mapping, row: &CauseRow) -> Option<String> {
    let lines = mapping.lines_of(&row.path);
    let own = lines.iter().find(|line| line.column == Some(row.column.as_str())).or(lines.first())?;
    Some(own.place.to_string())
}

impl fmt::Display for Causes {
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
        Ok(())
    }
}
