//! One file a command: parse → call the stages → print.
//!
//! Only here are stages wired to each other, and only here is the [`Project`](crate::config::Project) known.

mod ambiguous;
mod backup;
mod book_check;
mod build;
mod build_measures;
mod build_outcome;
mod completions;
mod control_totals;
mod demo;
mod drift;
mod errors;
mod extract_files;
mod follow;
mod gates;
mod generate;
mod hold;
mod init;
mod lint;
mod lint_codes;
mod lint_tests;
mod open_run;
mod overrides;
mod payload_output;
mod profile;
mod purge;
mod quarantine;
mod reconcile;
mod recover;
mod rejects;
mod remote_cells;
mod report;
mod retry;
mod run;
mod sandbox;
mod schema;
mod show;
mod stage_extract;
mod status;
mod submission;
mod submission_outcome;
mod submit;
mod trace;
mod validate;
mod values;
mod why;

use crate::cli::{Cli, Command};
use crate::clock;
use crate::config::{self, LogOptions, Project};
use crate::console::Console;
use crate::cut;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::{Ledger, LedgerError};
use crate::logging;
use crate::report::forecast::Forecast;

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
    if let Some(text) = config::cut() {
        let wrong = |problem| Error::Usage { problem: format!("{}: {problem}", config::CUT_VARIABLE), hint: None };
        cut::arm(&text).map_err(wrong)?;
    }
    let project = || Project::load(cli.common.project.as_deref(), &cli.common.set);
    match &cli.command {
        Command::Backup(args) => backup::execute(args, &project()?, console),
        Command::Build(args) => build::execute(args, &project()?, console),
        Command::Completions(args) => completions::execute(args, console),
        Command::Demo(args) => demo::execute(args, &cli.common.set, console),
        Command::Errors(args) => errors::execute(args, &project()?, console),
        Command::Follow(args) => follow::execute(args, &project()?, console),
        Command::Generate(args) => generate::execute(args, console),
        Command::Hold(args) => hold::hold(args, &project()?, console),
        Command::Init(args) => init::execute(args, console),
        Command::Lint(args) => lint::execute(args, &project()?, console),
        Command::Profile(args) => profile::execute(args, console),
        Command::Purge(args) => purge::execute(args, &project()?, console),
        Command::Reconcile(args) => reconcile::execute(args, &project()?, console),
        Command::Recover(args) => recover::execute(args, &project()?, console),
        Command::Release(args) => hold::release(args, &project()?, console),
        Command::Report(args) => report::execute(args, &project()?, console),
        Command::Retry(args) => retry::execute(args, &project()?, console),
        Command::Run(args) => run::execute(args, &project()?, console),
        Command::Sandbox(args) => sandbox::execute(args, console),
        Command::Schema(args) => schema::execute(args, &cli.common, console),
        Command::Show(args) => show::execute(args, &project()?, console),
        Command::Status(args) => status::execute(args, &project()?, console),
        Command::Submit(args) => submit::execute(args, &project()?, console),
        Command::Validate(args) => validate::execute(args, &project()?, console),
    }
}

/// When everything left will be done, for `wave` or for all accounts; none if nothing is left.
fn forecast(ledger: &Ledger, project: &Project, wave: Option<&str>) -> Result<Option<Forecast>, LedgerError> {
    let now = clock::now();
    Forecast::read(ledger, wave, now, project.stop.until.map(|time| clock::next_occurrence(time.0, now)))
}

/// Tells what a command came to: as the one JSON document, or as text.
fn tell<T: serde::Serialize + std::fmt::Display>(console: &Console, told: &T) -> Result<(), Error> {
    if console.wants_json() { console.document(told) } else { console.line(&told.to_string()) }
}
