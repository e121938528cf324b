//! `slipway purge`: erase customers' data that was made before a day; the ledger stays, and balances.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::cli::PurgeArgs;
use crate::clock;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::Purged;
use crate::reconcile;

use super::open_run::OpenRun;

/// Folders of the state whose files hold customers' data and are nobody's once they are old.
const FOLDERS: [&str; 3] = ["quarantine", "replies", "stage"];

/// What was erased, and what was not.
#[derive(Debug, Serialize)]
struct Told {
    before: NaiveDate,
    /// Files erased, by folder.
    erased: BTreeMap<&'static str, u64>,
    /// Payload files kept, by file: accounts that may still have to be sent from it.
    kept: Vec<(PathBuf, u64)>,
    /// Identities that do not balance.
    unbalanced: Vec<String>,
}

/// Runs the command: complete if nothing had to be kept.
pub(super) fn execute(args: &PurgeArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let mut open_run = OpenRun::begin(project, "purge")?;
    let result = purge(&mut open_run, args, project).and_then(|told| {
        super::tell(console, &told)?;
        Ok(if told.kept.is_empty() && told.unbalanced.is_empty() { ExitCode::Complete } else { ExitCode::Incomplete })
    });
    open_run.end(result)
}

fn purge(open_run: &mut OpenRun, args: &PurgeArgs, project: &Project) -> Result<Told, Error> {
    let before = args.before;
    let mut told = Told { before, erased: BTreeMap::new(), kept: Vec::new(), unbalanced: Vec::new() };
    // The ledger lets go of the payloads first: a place that names no file any more would look like damage.
    let reason = args.reason.as_deref().unwrap_or_default();
    let Purged { gone, needed } = open_run.ledger.purge_payloads(open_run.run, before, reason)?;
    let folder = project.payload_folder();
    let file = |build: &dyn fmt::Display| folder.join(format!("{build}.zst"));
    told.kept = needed.iter().map(|(build, accounts)| (file(build), *accounts)).collect();
    for build in &gone {
        *told.erased.entry("payloads").or_default() += u64::from(erase(&file(build))?);
    }
    for name in FOLDERS {
        let erased = erase_older(&project.state.join(name), before)?;
        if erased > 0 {
            told.erased.insert(name, erased);
        }
    }
    let identities = reconcile::reconcile(&mut open_run.ledger, open_run.run)?;
    told.unbalanced = identities.iter().filter(|i| i.left != i.right).map(|i| i.name.clone()).collect();
    Ok(told)
}

/// Erases the files below `folder` that were last written before the day, and then the folders that are empty.
fn erase_older(folder: &Path, before: NaiveDate) -> Result<u64, Error> {
    let entries = match fs::read_dir(folder) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(|source| Error::Input { path: folder.to_owned(), source })?,
    };
    let mut erased = 0;
    for entry in entries {
        let entry = entry.map_err(|source| Error::Input { path: folder.to_owned(), source })?;
        let path = entry.path();
        let known = entry.metadata().map_err(|source| Error::Input { path: path.clone(), source })?;
        if known.is_dir() {
            erased += erase_older(&path, before)?;
            // One that still holds something stays.
            let _ = fs::remove_dir(&path);
            continue;
        }
        let written = known.modified().map_err(|source| Error::Input { path: path.clone(), source })?;
        if clock::london_date(DateTime::<Utc>::from(written)) < before {
            erased += u64::from(erase(&path)?);
        }
    }
    Ok(erased)
}

/// Erases a file; whether it was there.
fn erase(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Output { place: path.display().to_string(), source }),
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let erased: Vec<_> = self.erased.iter().map(|(folder, files)| format!("{files} of {folder}")).collect();
        let erased = if erased.is_empty() { "none".to_owned() } else { erased.join(", ") };
        write!(f, "erased     files from before {}: {erased}", self.before)?;
        for (file, accounts) in &self.kept {
            write!(f, "\nkept       {}: {accounts} accounts may still have to be sent from it", file.display())?;
        }
        match self.unbalanced.as_slice() {
            [] => write!(f, "\nidentities all balance"),
            names => write!(f, "\nunbalanced {}", names.join(", ")),
        }
    }
}
