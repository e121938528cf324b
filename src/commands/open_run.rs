//! What every command that may change the ledger starts with: the ledger opened, the run recorded, the accounts chosen.

use std::collections::HashSet;
use std::path::Path;

use crate::assemble::Selection;
use crate::cli::SelectionArgs;
use crate::config::{self, Project};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::night::RunLimits;
use crate::ledger::operate::AccountName;
use crate::ledger::{Ledger, LedgerError, RunId, RunStart, TargetIdentity};

/// An open ledger with a run begun in it.
#[derive(Debug)]
pub(super) struct OpenRun {
    /// The ledger.
    pub(super) ledger: Ledger,
    /// The run.
    pub(super) run: RunId,
}

impl OpenRun {
    /// Opens the project's ledger and begins a run of `command`.
    pub(super) fn begin(project: &Project, command: &str) -> Result<Self, Error> {
        Self::begin_with(project, command, Ledger::open)
    }

    fn begin_with(
        project: &Project,
        command: &str,
        open: impl FnOnce(&Path, &TargetIdentity) -> Result<Ledger, LedgerError>,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(&project.state)
            .map_err(|source| Error::Output { place: project.state.display().to_string(), source })?;
        let target = TargetIdentity { url: project.target.url.clone(), suppliers: project.target.suppliers.clone() };
        let mut ledger = open(&project.ledger_file(), &target)?;
        let who = config::invocation();
        let run = ledger.begin_run(&RunStart {
            command: command.to_owned(),
            arguments: who.arguments,
            user: who.user,
            host: who.host,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })?;
        let (limits, stop) = (&project.limits, &project.stop);
        ledger.record_limits(
            run,
            &RunLimits {
                requests: limits.rate.requests.get(),
                period_ms: limits.rate.per.as_millis() as u64,
                rejected_percent: stop.rejected.percent,
                failed_percent: stop.failed.percent,
            },
        )?;
        Ok(Self { ledger, run })
    }

    /// As [`OpenRun::begin`], after a move or from a backup: whoever held the ledger on another machine is gone.
    pub(super) fn begin_moved(project: &Project, command: &str) -> Result<Self, Error> {
        Self::begin_with(project, command, Ledger::open_moved)
    }

    /// Ends the run with `result`'s exit code, and gives `result` back.
    pub(super) fn end(mut self, result: Result<ExitCode, Error>) -> Result<ExitCode, Error> {
        let code = result.as_ref().map_or_else(Error::exit_code, |code| *code);
        let finished = self.ledger.finish_run(self.run, i32::from(code.number()));
        let code = result?;
        finished?;
        Ok(code)
    }

    /// The wave's name and the accounts that `args` chooses.
    pub(super) fn select(&mut self, args: &SelectionArgs) -> Result<(Option<String>, Selection), Error> {
        let mut selection = Selection { accounts: None, limit: args.limit.map(|limit| limit as usize) };
        let Some(wave) = &args.wave else { return Ok((None, selection)) };
        let name = match wave.split_once('=') {
            Some((name, file)) => {
                let accounts = read_accounts(Path::new(file))?;
                if accounts.is_empty() {
                    return Err(Error::Usage {
                        problem: format!("{file} lists no account for wave `{name}`"),
                        hint: Some("write an account number, or `supplier,account`, on each line".into()),
                    });
                }
                self.ledger.store_wave(name, &accounts)?;
                name
            }
            None => wave,
        };
        let accounts = self.ledger.wave(name)?;
        if accounts.is_empty() {
            return Err(Error::Usage {
                problem: format!("the ledger has no wave `{name}`"),
                hint: Some(format!("list its accounts once: --wave {name}=FILE")),
            });
        }
        let pairs: HashSet<_> = accounts.into_iter().map(|name| (name.supplier, name.number)).collect();
        selection.accounts = Some(pairs);
        Ok((Some(name.to_owned()), selection))
    }

    /// Compares the list of `wave` with the other waves: what an earlier one has processed counts as reached, what
    /// another has not finished must not be touched.
    pub(super) fn compare_waves(&self, wave: Option<&str>, console: &Console) -> Result<(), Error> {
        let Some(wave) = wave else { return Ok(()) };
        let unfinished = self.ledger.unfinished_in_other_waves(wave)?;
        if !unfinished.is_empty() {
            let told: Vec<_> = unfinished
                .iter()
                .map(|(other, accounts, number)| format!("{accounts} in wave `{other}` (such as {number})"))
                .collect();
            return Err(Error::Refused {
                problem: format!("accounts of wave `{wave}` are unfinished elsewhere: {}", told.join(", ")),
                hint: Some("finish the other wave, or list it again without them: --wave NAME=FILE".into()),
            });
        }
        let processed = self.ledger.processed_in_other_waves(wave)?;
        if processed > 0 {
            console.note(&format!("{processed} accounts of wave `{wave}` were processed in an earlier wave"));
        }
        Ok(())
    }
}

/// Reads account numbers, or `supplier,account`, one a line; blank lines and lines that start with `#` are skipped.
pub(super) fn read_accounts(path: &Path) -> Result<Vec<AccountName>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
    let lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(account_name).collect())
}

/// `number`, or `supplier,number`.
pub(super) fn account_name(text: &str) -> AccountName {
    match text.split_once(',') {
        Some((supplier, number)) => {
            AccountName { supplier: Some(supplier.trim().to_owned()), number: number.trim().to_owned() }
        }
        None => AccountName { supplier: None, number: text.to_owned() },
    }
}
