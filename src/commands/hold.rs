//! `slipway hold` and `slipway release`: the list of accounts that must not go.

use std::fmt;

use serde::Serialize;

use crate::cli::{HoldArgs, ReleaseArgs};
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;

use super::open_run::{OpenRun, read_accounts};

/// What became of a list.
#[derive(Debug, Serialize)]
struct Told {
    /// `hold` or `release`.
    act: &'static str,
    /// Accounts on the list.
    listed: u64,
    /// Of those, the ones whose state changed by it.
    changed: u64,
}

/// Runs `hold`.
pub(super) fn hold(args: &HoldArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let accounts = read_accounts(&args.file)?;
    let mut open_run = OpenRun::begin(project, "hold")?;
    let held = open_run.ledger.hold(open_run.run, &accounts, &args.reason);
    let result = held.map_err(Error::from).and_then(|changed| {
        super::tell(console, &Told { act: "hold", listed: accounts.len() as u64, changed })?;
        Ok(ExitCode::Complete)
    });
    open_run.end(result)
}

/// Runs `release`.
pub(super) fn release(args: &ReleaseArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let accounts = read_accounts(&args.file)?;
    let mut open_run = OpenRun::begin(project, "release")?;
    let released = open_run.ledger.release(open_run.run, &accounts, &args.reason);
    let result = released.map_err(Error::from).and_then(|changed| {
        super::tell(console, &Told { act: "release", listed: accounts.len() as u64, changed })?;
        Ok(ExitCode::Complete)
    });
    open_run.end(result)
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { act, listed, changed } = self;
        match *act {
            "hold" => write!(f, "{listed} accounts on the list; {changed} that were to be sent are held now")?,
            _ => write!(f, "{listed} accounts off the list; {changed} that were held are free now")?,
        }
        Ok(())
    }
}
