//! `slipway backup`: a consistent copy of the ledger, also while a run writes to it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::BackupArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::Ledger;

/// The copy.
#[derive(Debug, Serialize)]
struct Told {
    file: PathBuf,
    bytes: u64,
}

/// Runs the command. It changes nothing, so it is no run and takes no lock.
pub(super) fn execute(args: &BackupArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    let bytes = ledger.backup(&args.file)?;
    super::tell(console, &Told { file: args.file.clone(), bytes })?;
    Ok(ExitCode::Complete)
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, bytes } = self;
        write!(f, "{} holds the ledger, {bytes} bytes; after restoring it, run `slipway recover` first", file.display())
    }
}
