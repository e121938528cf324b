//! `slipway retry`: put refused, errored or cancelled accounts back.

use std::fmt;

use serde::Serialize;

use crate::cli::RetryArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::operate::{RetrySelection, RetrySummary};

use super::open_run::{OpenRun, account_name};

/// What was put back and what was not.
#[derive(Debug, Serialize)]
struct Told {
    ready: u64,
    held: u64,
    same_payload: u64,
    no_payload: u64,
}

/// Runs the command.
pub(super) fn execute(args: &RetryArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    if args.accounts.is_empty() && args.code.is_none() {
        return Err(Error::Usage {
            problem: "which accounts shall be put back?".into(),
            hint: Some("name them, or give `--code CODE`; `slipway report` lists the codes".into()),
        });
    }
    let selection = RetrySelection {
        accounts: args.accounts.iter().map(|text| account_name(text)).collect(),
        codes: args.code.iter().cloned().collect(),
        same: args.same,
    };
    let mut open_run = OpenRun::begin(project, "retry")?;
    let retried = open_run.ledger.retry(open_run.run, &selection, args.reason.as_deref().unwrap_or_default());
    let result = retried.map_err(Error::from).and_then(|RetrySummary { ready, held, same_payload, no_payload }| {
        super::tell(console, &Told { ready, held, same_payload, no_payload })?;
        Ok(if same_payload + no_payload == 0 { ExitCode::Complete } else { ExitCode::Incomplete })
    });
    open_run.end(result)
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} accounts put back", self.ready)?;
        if self.held > 0 {
            write!(f, "\n{} put back and held: they are on the hold list", self.held)?;
        }
        if self.same_payload > 0 {
            write!(
                f,
                "\n{} left: their payload is the one that failed; build a corrected one, or say `--same`",
                self.same_payload
            )?;
        }
        if self.no_payload > 0 {
            write!(f, "\n{} left: their newest build made no payload", self.no_payload)?;
        }
        Ok(())
    }
}
