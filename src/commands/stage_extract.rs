//! The extract staged: read, as far as it has changed since an earlier build read it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::extract_files::Extract;
use crate::account::Digest;
use crate::assemble::name_accounts;
use crate::config::Project;
use crate::console::Console;
use crate::cut::{self, CutPoint};
use crate::error::Error;
use crate::ledger::Input;
use crate::mapping::Plan;
use crate::stage::promised::{Wanted, WantedOfFile};
use crate::stage::{self, Digests, Reuse, SavedStage, Stage, Staging, Storage};

/// Stages `extract` by `plan`, which was made from `inputs`; gives the digests of its files too.
pub(super) fn stage_extract(
    project: &Project,
    plan: &Arc<Plan>,
    extract: &Extract,
    inputs: &[Input],
    console: &Console,
) -> Result<(Stage, Digests), Error> {
    let directory = project.state.join("stage");
    std::fs::create_dir_all(&directory)
        .map_err(|source| Error::Output { place: directory.display().to_string(), source })?;
    let made_by = made_by(inputs, &extract.wanted());
    let (reuse, known) = reusable(&directory, &made_by, plan, extract)?;
    let used_again = reuse.as_ref().map_or(0, |reuse| reuse.usable.iter().filter(|usable| **usable).count());
    if used_again > 0 {
        let tables = plan.tables.len();
        console.note(&format!("{used_again} of {tables} tables are as an earlier build read them: not read again"));
    }
    let bytes = extract.files().map(|file| file.bytes).sum();
    let progress = console.progress("build", "bytes", Some(bytes));
    let staging = Staging {
        storage: Storage::Directory(directory.clone()),
        memory: project.limits.memory_bytes,
        name: &|table| name_accounts(plan, table),
        wanted: extract.wanted(),
        advanced: &|bytes| progress.advance(bytes),
    };
    let (stage, digests) =
        rayon::join(|| stage::load(plan, extract.sources.clone(), &staging, reuse), || extract.digests(known));
    let (stage, digests) = (stage?, digests?);
    tracing::info!(records = stage.tables.iter().map(|table| u64::from(table.rows)).sum::<u64>(), "read the extract");
    extract.check_unchanged()?;
    cut::reached(CutPoint::MidStage);
    if used_again < plan.tables.len() {
        stage.save(&directory, &made_by, &digests)?;
        // A file written to just now may be saved with the times of its new bytes, of which nothing was read.
        if let Err(error) = extract.check_unchanged() {
            SavedStage::forget(&directory)?;
            return Err(error);
        }
    }
    Ok((stage, digests))
}

/// What an earlier build of the same mapping left that can be used again, and the digests of files that are known.
fn reusable(
    directory: &Path,
    made_by: &Digest,
    plan: &Plan,
    extract: &Extract,
) -> Result<(Option<Reuse>, Digests), Error> {
    let Some(saved) = SavedStage::open(directory, made_by) else { return Ok((None, Digests::new())) };
    let (usable, digests) = saved.usable(&extract.sources, plan)?;
    Ok((Some(Reuse { saved, usable }), digests))
}

/// A digest of what decides how records are read: the mapping, its lookups and the contract; and of what is counted.
fn made_by(inputs: &[Input], wanted: &Wanted) -> Digest {
    let mut text = String::new();
    for input in inputs.iter().filter(|input| matches!(&*input.role, "mapping" | "lookup" | "contract")) {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{} {} {}", input.role, input.name, input.digest);
    }
    for (file, WantedOfFile { sums, accounts }) in &wanted.0 {
        let _ = writeln!(text, "counted {file} {sums:?} {accounts}");
    }
    Digest::of(text.as_bytes())
}
