//! `slipway submit`: create the ready accounts at the target.

use crate::cli::SubmitArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::submit::Work;

use super::open_run::OpenRun;
use super::submission::{self, Request};

/// Runs the command.
pub(super) fn execute(args: &SubmitArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::on_signals()?;
    let task = submission::task(project, &args.send)?;
    let client = submission::client(project)?;
    let mut open_run = OpenRun::begin(project, "submit")?;
    let result = open_run.select(&args.selection).and_then(|(wave, _)| {
        open_run.compare_waves(wave.as_deref(), console)?;
        let work = if task.is_dry_run { Work::Rehearse } else { Work::Create };
        let request = Request { work, wave, limit: args.selection.limit, task, consent: Some(&args.consent) };
        let outcome = submission::submit(&mut open_run, project, &client, &request, &interrupt, console)?;
        super::tell(console, &outcome)?;
        Ok(outcome.exit_code())
    });
    open_run.end(result)
}
