//! `slipway run`: build, submit, follow and reconcile. Running it again is resuming.

use std::fmt;

use serde::Serialize;

use crate::assemble::Selection;
use crate::cli::{RunArgs, SelectionArgs};
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::submit::Work;
use crate::target::{Client, TaskParams};

use super::build::{self, BuildRequest};
use super::build_outcome::BuildOutcome;
use super::open_run::OpenRun;
use super::submission::{self, Request};
use super::submission_outcome::Outcome;

/// What a run came to.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    /// Its build.
    build: BuildOutcome,
    /// What was sent and followed.
    submission: Outcome,
    /// The code the program ends with.
    exit_code: u8,
}

impl Job {
    /// The exit code it asks for.
    pub(super) fn exit_code(&self) -> ExitCode {
        // Whatever no account can be named for, the ledger's accounts do not tell.
        match self.submission.exit_code() {
            ExitCode::Complete if self.build.errors_without_account > 0 => ExitCode::Incomplete,
            code => code,
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.build, self.submission)
    }
}

/// Runs the command.
pub(super) fn execute(args: &RunArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::on_signals()?;
    let task = submission::task(project, &args.send)?;
    let client = submission::client(project)?;
    let mut open_run = OpenRun::begin(project, "run")?;
    let result = job(&mut open_run, args, task, project, &client, &interrupt, console).and_then(|job| {
        super::tell(console, &job)?;
        Ok(job.exit_code())
    });
    open_run.end(result)
}

/// Builds, submits, follows and reconciles.
pub(super) fn job(
    open_run: &mut OpenRun,
    args: &RunArgs,
    task: TaskParams,
    project: &Project,
    client: &Client,
    interrupt: &Interrupt,
    console: &Console,
) -> Result<Job, Error> {
    // The limit is on what is sent: a build of the first few accounts would never come to the others.
    let chosen = SelectionArgs { limit: None, ..args.selection.clone() };
    let (wave, selection): (_, Selection) = open_run.select(&chosen)?;
    open_run.compare_waves(wave.as_deref(), console)?;
    let request = BuildRequest {
        selection,
        wave: wave.clone(),
        out: None,
        waive: args.waive.waive.clone(),
        reason: args.consent.reason.clone(),
    };
    let build = build::build(project, &mut open_run.ledger, open_run.run, &request, interrupt, console)?;
    let limit = args.selection.limit;
    let work = if task.is_dry_run { Work::Rehearse } else { Work::CreateAndFollow };
    let request = Request { work, wave, limit, task, consent: Some(&args.consent) };
    let submission = submission::submit(open_run, project, client, &request, interrupt, console).inspect_err(|_| {
        // What the build found is why nothing was sent.
        console.note(&build.to_string());
    })?;
    let mut job = Job { build, exit_code: 0, submission };
    job.exit_code = job.exit_code().number();
    Ok(job)
}
