//! `slipway reconcile`: work the identities out and show them; on request, compare with the target's own lists.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::assemble::store::PayloadReader;
use crate::cli::ReconcileArgs;
use crate::clock;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::read::IdentityRow;
use crate::ledger::target_lists::{DifferenceRow, TargetImport};
use crate::ledger::{Identity, IdentityKind};
use crate::reconcile;
use crate::submit::lists::{ListOptions, Listing, read_imports};
use crate::submit::retry::{self, Policy};
use crate::target::{Client, ImportList};

use super::open_run::OpenRun;
use super::submission;

/// How many differences from the target are shown; all are in `v_target_difference`.
const DIFFERENCES_SHOWN: usize = 20;

/// The identities, and whether they all balance.
#[derive(Debug, Serialize)]
struct Reconciliation {
    balanced: bool,
    identities: Vec<IdentityRow>,
    /// None: the target was not asked.
    target: Option<TargetComparison>,
}

/// The ledger against the target's lists.
#[derive(Debug, Serialize)]
struct TargetComparison {
    /// Imports that the target lists, by supplier.
    listed: BTreeMap<String, u64>,
    /// Accounts that differ, by difference.
    differences: BTreeMap<String, u64>,
    /// Some of them.
    examples: Vec<DifferenceRow>,
}

/// Runs the command.
pub(super) fn execute(args: &ReconcileArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let client = args.target.then(|| submission::client(project)).transpose()?;
    let mut open_run = OpenRun::begin(project, "reconcile")?;
    let result = (|| {
        let target = client.map(|client| compare(&mut open_run, project, &client)).transpose()?;
        let further = if args.payloads { vec![read_back(&open_run, project)?] } else { Vec::new() };
        reconcile::reconcile_with(&mut open_run.ledger, open_run.run, further)?;
        let identities = open_run.ledger.identities()?;
        let balanced = identities.iter().all(|identity| identity.balanced);
        let agrees = target.as_ref().is_none_or(|target| target.differences.is_empty());
        super::tell(console, &Reconciliation { balanced, identities, target })?;
        Ok(if balanced && agrees { ExitCode::Complete } else { ExitCode::Incomplete })
    })();
    open_run.end(result)
}

/// Reads every payload of the store that the ledger knows, and checks it by its digest.
fn read_back(open_run: &OpenRun, project: &Project) -> Result<Identity, Error> {
    let store = PayloadReader::open(&project.payload_folder());
    let (mut known, mut whole) = (0, 0);
    open_run.ledger.each_payload(|build, place, digest| {
        known += 1;
        match store.read(&place, &build.to_string(), &digest) {
            Ok(_) => whole += 1,
            Err(error) => tracing::warn!(error = %error, digest = %digest, "a payload cannot be read back"),
        }
    })?;
    Ok(Identity {
        name: "payloads kept = payloads that read back as they were built".into(),
        kind: IdentityKind::Accounts,
        unit: "payloads",
        left: known,
        right: whole,
    })
}

/// Reads the target's lists of every supplier and compares them with the ledger.
fn compare(open_run: &mut OpenRun, project: &Project, client: &Client) -> Result<TargetComparison, Error> {
    let limits = &project.limits;
    let policy = Policy {
        attempts: limits.attempts,
        first_wait: retry::FIRST_WAIT,
        seed: clock::now().timestamp_micros().unsigned_abs(),
    };
    let options = ListOptions { interval: Some(limits.rate.per / limits.rate.requests.get()), policy };
    let suppliers = &project.target.suppliers;
    let mut imports: BTreeMap<String, Vec<TargetImport>> = BTreeMap::new();
    let mut not_served = BTreeMap::new();
    // What is in one list and not in another is there all the same: a list of all may lag behind.
    for list in [ImportList::All, ImportList::Imported, ImportList::Pending] {
        for (supplier, listing) in read_imports(client, list, suppliers, &options)? {
            match listing {
                Listing::Found(found) => imports.entry(supplier).or_default().extend(found.into_iter().map(|import| {
                    let identifier = import.kraken_account_number.filter(|number| !number.is_empty());
                    TargetImport { number: import.external_account_number, identifier }
                })),
                Listing::NotServed(status) => {
                    not_served.insert(supplier, status);
                }
                Listing::Unavailable(last) => {
                    let problem = format!("the list of the target's imports of {supplier} can't be read: {last}");
                    return Err(Error::Unreachable { problem });
                }
                Listing::Unauthorised => {
                    let problem = "the target refuses the credentials (401): check `[target] auth` and the key".into();
                    return Err(Error::Unreachable { problem });
                }
            }
        }
    }
    if let Some((supplier, status)) = not_served.into_iter().find(|(supplier, _)| !imports.contains_key(supplier)) {
        let problem = format!("the target does not serve the lists of its imports of {supplier}: {status}");
        return Err(Error::Unreachable { problem });
    }
    let mut comparison =
        TargetComparison { listed: BTreeMap::new(), differences: BTreeMap::new(), examples: Vec::new() };
    for (supplier, mut imports) in imports {
        open_run.ledger.compare_target(open_run.run, &supplier, &imports)?;
        imports.sort_unstable_by(|a, b| a.number.cmp(&b.number));
        imports.dedup_by(|a, b| a.number == b.number);
        comparison.listed.insert(supplier, imports.len() as u64);
    }
    comparison.differences = open_run.ledger.count_differing_accounts()?.into_iter().collect();
    comparison.examples = open_run.ledger.differing_accounts(DIFFERENCES_SHOWN)?;
    Ok(comparison)
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Money and objects have an identity for every field and variant: those that balance are told as one.
        let mut many: BTreeMap<&str, u64> = BTreeMap::new();
        for identity in &self.identities {
            let IdentityRow { name, left, right, difference, balanced, kind, unit } = identity;
            match (balanced, kind.as_str()) {
                (false, _) => writeln!(f, "OPEN       {left:>12} against {right}, {difference:+} {unit}  {name}")?,
                (true, "money" | "entities" | "supply_points") => *many.entry(kind).or_default() += 1,
                (true, _) => writeln!(f, "balanced   {left:>12}  {name}")?,
            }
        }
        for (kind, balanced) in many {
            writeln!(f, "balanced   {balanced:>12} identities of {}", kind.replace('_', " "))?;
        }
        if let Some(target) = &self.target {
            for (supplier, listed) in &target.listed {
                writeln!(f, "target     {listed:>12} imports of {supplier} listed")?;
            }
            for (difference, accounts) in &target.differences {
                writeln!(f, "DIFFERS    {accounts:>12} accounts: {}", difference.replace('_', " "))?;
            }
            for row in &target.examples {
                let DifferenceRow { external_account_number, difference, .. } = row;
                writeln!(f, "             {external_account_number}: {}", difference.replace('_', " "))?;
            }
        }
        let open = self.identities.iter().filter(|identity| !identity.balanced).count();
        match open {
            0 => write!(f, "all {} identities balance", self.identities.len()),
            _ => write!(f, "{open} of {} identities are open", self.identities.len()),
        }
    }
}
