//! What changed after acceptance: both payloads of each such account compared, kept in the ledger and written as CSV.
//!
//! The file tells accounts, entities, counts and pence, and no value of any cell.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::assemble::store::PayloadReader;
use crate::config::Project;
use crate::drift::{EntityDrift, compare};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::ledger::drift::{DriftRow, Drifted, Now, Stored};

/// The file under the reports' folder.
const FILE: &str = "drift.csv";

/// What changed after acceptance, in sum.
#[derive(Debug, Serialize)]
pub(super) struct Drift {
    /// Accounts that were accepted and would be built differently now.
    accounts: u64,
    /// By kind of change and entity.
    entities: Vec<EntityTotal>,
    /// Of those that would be rejected: the codes of their errors, and of how many accounts each is.
    rejected_for: Vec<CodeTotal>,
    /// Every account and entity, as CSV.
    file: PathBuf,
}

/// One code of an error over all accounts.
#[derive(Debug, Serialize)]
struct CodeTotal {
    code: String,
    accounts: u64,
}

/// One entity over all accounts.
#[derive(Debug, Default, Serialize)]
struct EntityTotal {
    change: String,
    entity: String,
    accounts: u64,
    rows_before: u64,
    rows_after: u64,
    rows_same: u64,
    pence_before: i64,
    pence_after: i64,
}

/// Compares, keeps and writes; none if nothing changed after acceptance.
pub(super) fn record(project: &Project, ledger: &mut Ledger) -> Result<Option<Drift>, Error> {
    // A reader keeps the block it read last: one for each side reads every block once.
    let readers = [(); 2].map(|()| PayloadReader::open(&project.payload_folder()));
    let drifted = ledger.drifted()?;
    let drifts: Vec<_> = drifted.iter().map(|account| difference(&readers, account)).collect();
    let kept: Vec<_> =
        drifted.iter().zip(drifts).map(|(account, (change, entities))| (account.id, change, entities)).collect();
    ledger.set_drift(&kept)?;
    let file = project.report_folder().join(FILE);
    if drifted.is_empty() {
        return match fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Output { place: file.display().to_string(), source })
            }
            _ => Ok(None),
        };
    }
    let rows = ledger.drift()?;
    write(&file, &rows).map_err(|source| Error::Output { place: file.display().to_string(), source })?;
    let codes = ledger.rejected_after_acceptance()?;
    let rejected_for = codes.into_iter().map(|(code, accounts)| CodeTotal { code, accounts }).collect();
    Ok(Some(Drift { accounts: drifted.len() as u64, entities: totals(&rows), rejected_for, file }))
}

/// The kind of change and the entities that differ.
fn difference([old, new]: &[PayloadReader; 2], account: &Drifted) -> (&'static str, Vec<EntityDrift>) {
    let read = |reader: &PayloadReader, (digest, place): &Stored| {
        let (build, place) = place.as_ref()?;
        reader.read(place, &build.to_string(), digest).ok()
    };
    match &account.now {
        Now::Gone => ("gone", vec![EntityDrift::whole_account(1, 0)]),
        Now::Rejected => ("rejected", vec![EntityDrift::whole_account(1, 0)]),
        Now::Changed(now) => {
            let payloads = read(old, &account.accepted).zip(read(new, now));
            let entities = payloads.and_then(|(before, after)| compare(&before, &after).ok());
            match entities {
                Some(entities) => ("changed", entities),
                // That it changed is known by its digest; what did, nobody can tell any more.
                None => ("purged", vec![EntityDrift::whole_account(1, 1)]),
            }
        }
    }
}

fn totals(rows: &[DriftRow]) -> Vec<EntityTotal> {
    let mut totals: BTreeMap<(&str, &str), EntityTotal> = BTreeMap::new();
    for DriftRow { change, drift, .. } in rows {
        let total = totals.entry((change, &drift.entity)).or_insert_with(|| EntityTotal {
            change: change.clone(),
            entity: drift.entity.clone(),
            ..EntityTotal::default()
        });
        total.accounts += 1;
        total.rows_before += drift.rows_before;
        total.rows_after += drift.rows_after;
        total.rows_same += drift.rows_same;
        total.pence_before += drift.pence_before;
        total.pence_after += drift.pence_after;
    }
    totals.into_values().collect()
}

fn write(file: &Path, rows: &[DriftRow]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "import_supplier",
        "external_account_number",
        "change",
        "entity",
        "rows_before",
        "rows_after",
        "rows_same",
        "pence_before",
        "pence_after",
    ])?;
    for row in rows {
        let drift = &row.drift;
        csv.write_record([
            &row.import_supplier,
            &row.external_account_number,
            &row.change,
            &drift.entity,
            &drift.rows_before.to_string(),
            &drift.rows_after.to_string(),
            &drift.rows_same.to_string(),
            &drift.pence_before.to_string(),
            &drift.pence_after.to_string(),
        ])?;
    }
    csv.flush()
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, entities, rejected_for, file } = self;
        write!(f, "drift      {accounts} accepted accounts would be built differently now: {}", file.display())?;
        for total in entities {
            let EntityTotal { change, entity, accounts, rows_before, rows_after, rows_same, .. } = total;
            write!(
                f,
                "\n  {change} {entity}: {accounts} accounts, rows {rows_before} → {rows_after} ({rows_same} the same)"
            )?;
            if (total.pence_before, total.pence_after) != (0, 0) {
                write!(f, ", pence {} → {}", total.pence_before, total.pence_after)?;
            }
        }
        for CodeTotal { code, accounts } in rejected_for {
            write!(f, "\n  rejected for {code}: {accounts} accounts")?;
        }
        Ok(())
    }
}
