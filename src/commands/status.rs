//! `slipway status`: where everything stands, from the ledger alone, also while a run is going on.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::cli::StatusArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::plan::WaveRow;
use crate::ledger::read::{Pace, RunRow};
use crate::ledger::{Ledger, State};
use crate::report::forecast::Forecast;

use super::submission_outcome::states;

/// Runs that are listed.
const RUNS: usize = 5;

/// Where everything stands.
#[derive(Debug, Serialize)]
struct Status {
    target: String,
    built_at: Option<String>,
    run_date: Option<String>,
    blocked: Vec<String>,
    accounts: BTreeMap<State, u64>,
    /// Every wave, and where the accounts on its list stand.
    waves: Vec<WaveRow>,
    errors: u64,
    warnings: u64,
    /// Accounts whose newest payload is not the one the target took.
    drifted: u64,
    pace: Option<Pace>,
    /// When what is left will be done; none: nothing is left.
    forecast: Option<Forecast>,
    runs: Vec<RunRow>,
}

/// Runs the command.
pub(super) fn execute(_: &StatusArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    super::tell(console, &Status::read(&ledger, project)?)?;
    Ok(ExitCode::Complete)
}

impl Status {
    fn read(ledger: &Ledger, project: &Project) -> Result<Self, Error> {
        let accounts: BTreeMap<State, u64> = ledger.count_by_state(None)?.into_iter().collect();
        let build = ledger.newest_build()?;
        let [_, warnings, errors] = ledger.count_findings()?;
        Ok(Self {
            target: ledger.target()?.map(|target| target.to_string()).unwrap_or_default(),
            built_at: build.as_ref().map(|build| build.finished_at.clone()),
            run_date: build.as_ref().map(|build| build.run_date.clone()),
            blocked: build.map(|build| build.blocked).unwrap_or_default(),
            errors,
            warnings,
            drifted: ledger.tally()?.drifted,
            forecast: super::forecast(ledger, project, None)?,
            pace: ledger.pace()?,
            runs: ledger.runs(RUNS)?,
            waves: ledger.waves()?,
            accounts,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "target     {}", self.target)?;
        match (&self.built_at, &self.run_date) {
            (Some(at), Some(date)) => writeln!(f, "built      {at}, run date {date}")?,
            _ => writeln!(f, "built      nothing yet")?,
        }
        for reason in &self.blocked {
            writeln!(f, "blocked    {reason}")?;
        }
        writeln!(f, "accounts   {}", states(&self.accounts))?;
        for WaveRow { wave, listed, accounts } in &self.waves {
            writeln!(f, "wave {wave:<5} {listed} listed: {}", states(accounts))?;
        }
        writeln!(f, "findings   {} errors, {} warnings", self.errors, self.warnings)?;
        if self.drifted > 0 {
            writeln!(f, "drifted    {} accepted accounts would be built differently now", self.drifted)?;
        }
        if let Some(forecast) = &self.forecast {
            writeln!(f, "{forecast}")?;
        }
        write!(f, "runs")?;
        for run in &self.runs {
            let end = match (&run.finished_at, run.exit_code) {
                (Some(at), Some(code)) => format!("ended {at} with exit code {code}"),
                _ => "did not end, or runs still".to_owned(),
            };
            write!(f, "\n  {:>6}  {:<9} began {}, {end}", run.run, run.command, run.started_at)?;
        }
        Ok(())
    }
}
