//! The identities: numbers from different places that must be the same, or something was lost.
//!
//! Every identity is a pure comparison of counts that were made independently: what a build counted while it ran
//! against what the ledger holds; what the intents say against what the accounts' states say. The ledger keeps the
//! result (`v_identities`); [`identities`] works it out, [`measures`] for money and objects.

pub mod measures;

use crate::ledger::control::ControlTotal;
use crate::ledger::read::{BuildRow, FileRow, Tally};
use crate::ledger::{Identity, IdentityKind, Ledger, LedgerError, RunId, State};

use crate::money::Amount;
use measures::MeasureCounts;

/// The counts that identities compare.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The newest build, if there is one.
    pub build: Option<BuildRow>,
    /// Its extract files.
    pub files: Vec<FileRow>,
    /// Accounts by state.
    pub states: Vec<(State, u64)>,
    /// Counts that do not come from the states.
    pub tally: Tally,
    /// What the sender promised.
    pub control_totals: Vec<ControlTotal>,
    /// What was counted and summed of payloads.
    pub measures: MeasureCounts,
}

impl Counts {
    /// Asks the ledger.
    pub fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        let build = ledger.newest_build()?;
        let measures = MeasureCounts {
            measures: ledger.measures()?,
            build: build.as_ref().map(|build| ledger.build_measures(build.id)).transpose()?.unwrap_or_default(),
            standing: ledger.standing()?,
        };
        Ok(Self {
            build,
            files: ledger.files()?,
            states: ledger.count_by_state(None)?,
            tally: ledger.tally()?,
            control_totals: ledger.promises()?,
            measures,
        })
    }
}

/// Works the identities out, keeps them in the ledger under `run`, and gives them.
pub fn reconcile(ledger: &mut Ledger, run: RunId) -> Result<Vec<Identity>, LedgerError> {
    reconcile_with(ledger, run, Vec::new())
}

/// The same with `further` identities, for which more was read than the ledger.
pub fn reconcile_with(ledger: &mut Ledger, run: RunId, further: Vec<Identity>) -> Result<Vec<Identity>, LedgerError> {
    let counts = Counts::read(ledger)?;
    let mut identities = identities(&counts);
    identities.extend(further);
    ledger.set_state_measures(&counts.measures.standing)?;
    ledger.set_identities(run, &identities)?;
    Ok(identities)
}

/// The identities of `counts`.
///
/// | left | right |
/// | --- | --- |
/// | records read from a file | the sum of its buckets |
/// | what the sender promised of a file, and was not waived | what was counted |
/// | accounts with, and without, a payload, as the build counted them | as the ledger holds them |
/// | accounts sent, by their intents | accepted + refused + in doubt + not received, by the intents' outcomes |
/// | accepted, by the intents | submitted + processed + errored + cancelled, by state, + put back by `retry` |
/// | refused, by the intents | refused, by state, + put back by `retry` |
/// | in doubt, by the intents | sending + unknown, by state |
///
/// An account counts once, by its newest create that may have reached the target.
#[must_use]
pub fn identities(counts: &Counts) -> Vec<Identity> {
    let state = |state: State| counts.states.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n);
    let tally = &counts.tally;
    let shared = FileRow::shared(&counts.files);
    let mut identities: Vec<_> = counts
        .files
        .iter()
        .map(|file| Identity {
            kind: IdentityKind::Records,
            unit: "records",
            ..identity(
                format!("{}: records read = all buckets", file.name(&shared)),
                file.records,
                sum_of_buckets(file),
            )
        })
        .collect();
    identities.extend(counts.control_totals.iter().filter(|total| total.waived.is_none()).map(promise));
    if let Some(build) = &counts.build {
        let built = &build.summary;
        identities.push(identity("accounts built = ready + rejected", built.ready + built.rejected, tally.built));
        identities.push(identity("accounts built ready = accounts with a payload", built.ready, tally.built_ready));
        identities.push(identity("accounts built rejected = accounts without", built.rejected, tally.built_rejected));
    }
    let outcomes = tally.sent_accepted + tally.sent_refused + tally.sent_unknown + tally.sent_not_received;
    identities.push(identity("sent = accepted + refused + in doubt + not received", tally.sent, outcomes));
    let accepted = state(State::Submitted)
        + state(State::Processed)
        + state(State::Errored)
        + state(State::Cancelled)
        + tally.accepted_put_back;
    identities.push(identity(
        "accepted = submitted + processed + errored + cancelled + put back",
        tally.sent_accepted,
        accepted,
    ));
    let refused = state(State::Refused) + tally.refused_put_back;
    identities.push(identity("refused = refused accounts + put back", tally.sent_refused, refused));
    let in_doubt = state(State::Sending) + state(State::Unknown);
    identities.push(identity("in doubt = sending + unknown", tally.sent_unknown, in_doubt));
    identities.extend(measures::identities(&counts.measures));
    identities
}

/// Whether every identity holds.
#[must_use]
pub fn balances(identities: &[Identity]) -> bool {
    identities.iter().all(|identity| identity.left == identity.right)
}

/// A promise of the sender against what was counted, in hundredths where it is a sum. What could not be counted is told
/// as none of one.
fn promise(total: &ControlTotal) -> Identity {
    let number = |text: &str| match total.total.as_str() {
        "records" | "accounts" => text.parse().ok(),
        _ => Amount::read(text.as_bytes(), 0).map(|amount| amount.parts().0),
    };
    let both = number(&total.promised).zip(total.counted.as_deref().and_then(number));
    // Numbers that differ, and be it beyond hundredths, are never told as the same.
    let (left, right) = both.filter(|(left, right)| (left == right) == total.agrees).unwrap_or((1, 0));
    let unit = match total.total.as_str() {
        "records" => "records",
        "accounts" => "accounts",
        _ => "hundredths",
    };
    let name = format!("{}: {} promised by the {} = counted", total.file, total.total, total.origin);
    Identity { name, kind: IdentityKind::ControlTotals, unit, left, right }
}

fn sum_of_buckets(file: &FileRow) -> u64 {
    file.quarantined + file.duplicate + file.orphaned + file.not_selected + file.filtered + file.rejected + file.used
}

fn identity(name: impl Into<String>, left: u64, right: u64) -> Identity {
    let (kind, unit) = (IdentityKind::Accounts, "accounts");
    Identity { name: name.into(), kind, unit, left: left as i64, right: right as i64 }
}

#[cfg(test)]
mod tests;
