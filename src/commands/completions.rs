//! `slipway completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;

/// Prints the script for the shell that the arguments name.
pub(super) fn execute(args: &CompletionsArgs, console: &Console) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "slipway", &mut script);
    console.write(|out| out.write_all(&script))?;
    Ok(ExitCode::Complete)
}
