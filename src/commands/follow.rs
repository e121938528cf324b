//! `slipway follow`: read the status of what is submitted until its import ends.

use crate::cli::{FollowArgs, SelectionArgs};
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::submit::Work;
use crate::target::TaskParams;

use super::open_run::OpenRun;
use super::submission::{self, Request};

/// Runs the command.
pub(super) fn execute(args: &FollowArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::on_signals()?;
    let client = submission::client(project)?;
    let mut open_run = OpenRun::begin(project, "follow")?;
    let selection = SelectionArgs { wave: args.wave.clone(), limit: None };
    let result = open_run.select(&selection).and_then(|(wave, _)| {
        let request = Request { work: Work::Follow, wave, limit: None, task: TaskParams::default(), consent: None };
        let outcome = submission::submit(&mut open_run, project, &client, &request, &interrupt, console)?;
        super::tell(console, &outcome)?;
        Ok(outcome.exit_code())
    });
    open_run.end(result)
}
