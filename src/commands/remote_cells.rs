//! Findings of the target: from their payload paths to the cells of the extract, as local findings have them.

use std::collections::BTreeMap;

use crate::account::AccountKey;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::ledger::causes::Unplaced;
use crate::stage::Storage;

use super::trace::{follow, visit_accounts};

/// Gives every finding of the target that names no cell yet the cells its path comes from. A finding on the whole
/// account gets the account's record. That it can't be done now is worth a warning: what was sent stays sent.
pub(super) fn place(project: &Project, ledger: &mut Ledger, console: &Console) {
    if let Err(error) = try_place(project, ledger) {
        console.warn(&format!("what the target found is not traced to cells: {error}"));
    }
}

fn try_place(project: &Project, ledger: &mut Ledger) -> Result<(), Error> {
    let mut unplaced: BTreeMap<AccountKey, Vec<Unplaced>> = BTreeMap::new();
    for finding in ledger.unplaced_findings()? {
        unplaced.entry(finding.account.clone()).or_default().push(finding);
    }
    if unplaced.is_empty() {
        return Ok(());
    }
    let mut placed = Vec::new();
    // Not where builds stage: what they left there is used again by the next.
    let directory = project.state.join("trace");
    let cannot = |source| Error::Output { place: directory.display().to_string(), source };
    std::fs::create_dir_all(&directory).map_err(cannot)?;
    let storage = Storage::Directory(directory.clone());
    let visited = visit_accounts(project, ledger, unplaced.keys().cloned(), storage, &mut |key, account, schema| {
        for finding in unplaced.get(key).into_iter().flatten() {
            placed.push((finding.id, follow(account, schema, &finding.path).cells()));
        }
    });
    std::fs::remove_dir_all(&directory).map_err(cannot)?;
    visited?;
    ledger.place_findings(&placed)?;
    Ok(())
}
