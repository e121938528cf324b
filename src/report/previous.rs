//! What changed since the previous run.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::night::MovedRow;
use crate::ledger::read::RunRow;
use crate::ledger::{Ledger, LedgerError, State};

/// The newest run that may have moved accounts, beside the one before it.
#[derive(Clone, Debug, Serialize)]
pub struct Previous {
    /// The newest.
    pub run: RunRow,
    /// The one before it.
    pub previous: RunRow,
    /// Accounts by state at the end of either; states without any in both are left out.
    pub states: Vec<StateChange>,
    /// Accounts that have moved since the newest began, by where they stand now.
    pub moved: Vec<MovedRow>,
}

/// A state at the end of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StateChange {
    /// The state.
    pub state: State,
    /// Accounts in it at the end of the previous run.
    pub before: u64,
    /// At the end of the newest run; now, if that has not ended.
    pub after: u64,
}

impl Previous {
    /// Reads it from `ledger`; none before the second run.
    pub(super) fn read(ledger: &Ledger) -> Result<Option<Self>, LedgerError> {
        let Ok([run, previous]) = <[RunRow; 2]>::try_from(ledger.moving_runs(2)?) else { return Ok(None) };
        let after = match &run.counts {
            Some(counts) => states_of(counts),
            None => ledger.count_by_state(None)?.into_iter().collect(),
        };
        let before = previous.counts.as_deref().map(states_of).unwrap_or_default();
        let moved = ledger.moved_since(&run.started_at)?;
        Ok(Some(Self { states: changes(&before, &after), moved, run, previous }))
    }
}

/// The counts that a run has kept; what it has not is nought.
fn states_of(counts: &str) -> BTreeMap<State, u64> {
    let counts: BTreeMap<String, u64> = serde_json::from_str(counts).unwrap_or_default();
    counts.into_iter().filter_map(|(state, accounts)| Some((State::parse(&state)?, accounts))).collect()
}

fn changes(before: &BTreeMap<State, u64>, after: &BTreeMap<State, u64>) -> Vec<StateChange> {
    let of = |counts: &BTreeMap<State, u64>, state| counts.get(&state).copied().unwrap_or_default();
    State::ALL
        .into_iter()
        .map(|state| StateChange { state, before: of(before, state), after: of(after, state) })
        .filter(|change| change.before + change.after > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_came_and_went_are_both_told() {
        let before = states_of(r#"{"ready": 5, "rejected": 1, "of a later version": 3}"#);
        let after = states_of(r#"{"processed": 5, "rejected": 1}"#);
        let told: Vec<_> =
            changes(&before, &after).into_iter().map(|change| (change.state, change.before, change.after)).collect();
        let expected = [(State::Ready, 5, 0), (State::Rejected, 1, 1), (State::Processed, 0, 5)];
        let mut sorted = expected.to_vec();
        sorted.sort_by_key(|(state, ..)| State::ALL.iter().position(|one| one == state));
        assert_eq!(told, sorted);
    }
}
