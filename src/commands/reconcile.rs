//! `slipway reconcile`: work the identities out and show them.

use std::fmt;

use serde::Serialize;

use crate::cli::ReconcileArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::read::IdentityRow;
use crate::reconcile;

use super::open_run::OpenRun;

/// The identities, and whether they all balance.
#[derive(Debug, Serialize)]
struct Identities {
    balanced: bool,
    identities: Vec<IdentityRow>,
}

/// Runs the command.
pub(super) fn execute(_: &ReconcileArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let mut open_run = OpenRun::begin(project, "reconcile")?;
    let result = (|| {
        reconcile::reconcile(&mut open_run.ledger, open_run.run)?;
        let identities = open_run.ledger.identities()?;
        let balanced = identities.iter().all(|identity| identity.balanced);
        super::tell(console, &Identities { balanced, identities })?;
        Ok(if balanced { ExitCode::Complete } else { ExitCode::Incomplete })
    })();
    open_run.end(result)
}

impl fmt::Display for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for identity in &self.identities {
            let IdentityRow { name, left, right, difference, balanced, .. } = identity;
            match balanced {
                true => writeln!(f, "balanced   {left:>12}  {name}")?,
                false => writeln!(f, "OPEN       {left:>12} against {right}, {difference:+}  {name}")?,
            }
        }
        let open = self.identities.iter().filter(|identity| !identity.balanced).count();
        match open {
            0 => write!(f, "all {} identities balance", self.identities.len()),
            _ => write!(f, "{open} of {} identities are open", self.identities.len()),
        }
    }
}
