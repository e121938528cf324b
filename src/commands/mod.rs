//! One file a command: parse → call the stages → print.
//!
//! Only here are stages wired to each other, and only here is the [`Project`](crate::config::Project) known.

mod build;
mod generate;
mod lint;
mod payload_output;
mod quarantine;
mod report;
mod session;
mod sandbox;

use crate::cli::{Cli, Command};
use crate::config::{LogOptions, Project};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::logging;

/// Runs what was typed, and tells how it ended.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    let console = Console::new(&cli.common);
    logging::start(&LogOptions::load(), console.screen());
    dispatch(cli, &console).unwrap_or_else(|error| {
        console.error(&error);
        error.exit_code()
    })
}

fn dispatch(cli: &Cli, console: &Console) -> Result<ExitCode, Error> {
    let project = || Project::load(cli.common.project.as_deref(), &cli.common.set);
    match &cli.command {
        Command::Build(args) => build::execute(args, &project()?, console),
        Command::Generate(args) => generate::execute(args, console),
        Command::Lint(args) => lint::execute(args, &project()?, console),
        Command::Report(args) => report::execute(args, &project()?, console),
        Command::Sandbox(args) => sandbox::execute(args, console),
    }
}
