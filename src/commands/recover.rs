//! `slipway recover`: take the ledger over after a move, or from a backup.

use std::fmt;

use serde::Serialize;

use crate::cli::RecoverArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::recover::Recovered;

use super::open_run::OpenRun;

/// What was put in doubt.
#[derive(Debug, Serialize)]
struct Told {
    unknown: u64,
    doubted: u64,
}

/// Runs the command.
pub(super) fn execute(args: &RecoverArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let mut open_run = OpenRun::begin_moved(project, "recover")?;
    let recovered = open_run.ledger.recover(open_run.run, &args.reason);
    let result = recovered.map_err(Error::from).and_then(|Recovered { unknown, doubted }| {
        super::tell(console, &Told { unknown, doubted })?;
        Ok(ExitCode::Complete)
    });
    open_run.end(result)
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unknown, doubted } = self;
        write!(f, "{unknown} accounts are unknown now: their status is read at the target before anything is sent")?;
        write!(f, "\n{doubted} accounts that came to another end are looked up before a further create")?;
        write!(f, "\nhint: `slipway run` goes on")
    }
}
