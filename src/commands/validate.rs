//! `slipway validate`: ask the target what it thinks of ready payloads. Creates nothing.

use crate::cli::ValidateArgs;
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
pub(super) fn execute(args: &ValidateArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::on_signals()?;
    let client = submission::client(project)?;
    let mut open_run = OpenRun::begin(project, "validate")?;
    let result = open_run.select(&args.selection).and_then(|(wave, _)| {
        let limit = args.selection.limit;
        let request = Request {
            work: Work::Validate { sample: args.sample },
            wave,
            limit,
            task: TaskParams::default(),
            consent: None,
        };
        let outcome = submission::submit(&mut open_run, project, &client, &request, &interrupt, console)?;
        super::tell(console, &outcome)?;
        Ok(outcome.exit_code())
    });
    open_run.end(result)
}
