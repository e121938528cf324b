//! The go / no-go thresholds, as a pure function of counts.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::ledger::State;
use crate::ledger::night::RunLimits;
use crate::ledger::read::{FileRow, IdentityRow};

use super::StateCount;
use super::words::{count, percent, pounds};

/// Accounts tried below which their share of failures says nothing.
const TRIED_MIN: u64 = 100;

/// One threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its name, for programs.
    pub gate: &'static str,
    /// Its name, for people.
    pub title: &'static str,
    /// What was found, in words.
    pub found: String,
    /// What is asked for, in words.
    pub limit: String,
    /// Whether it is met.
    pub met: bool,
}

impl Gate {
    /// Whether it is about accounts that have come to their end, as their state says, and need a human all the same.
    pub(super) fn is_of_ends(&self) -> bool {
        matches!(self.gate, "changed_after_acceptance" | "target_lists")
    }
}

/// What the gates are held against.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measures<'a> {
    pub(super) states: &'a [StateCount],
    pub(super) files: &'a [FileRow],
    pub(super) identities: &'a [IdentityRow],
    pub(super) foreign: u64,
    pub(super) drifted: u64,
    pub(super) target_differences: u64,
    pub(super) limits: Option<RunLimits>,
}

/// The gates. Those on shares are there once a run has recorded its limits, the one on money once money is reconciled.
///
/// | gate | is met if |
/// | --- | --- |
/// | `identities` | every identity balances, and the buckets of every file hold its records |
/// | `money` | no penny is unexplained: the identities of money balance |
/// | `in_doubt` | no account is `sending` or `unknown` |
/// | `foreign` | no account was imported by somebody else |
/// | `changed_after_acceptance` | no accepted account would be built differently now |
/// | `target_lists` | the ledger and the target's lists of imports agree on every account |
/// | `rejected_share` | no more accounts were rejected offline than `stop.rejected` says |
/// | `failed_share` | no more were refused, errored or cancelled of those tried than `stop.failed` says, once 100 were tried |
pub(super) fn gates(measures: &Measures<'_>) -> Vec<Gate> {
    let Measures { states, files, identities, foreign, drifted, target_differences, limits } = *measures;
    let of = |wanted: &[State]| -> u64 {
        states.iter().filter(|count| wanted.contains(&count.state)).map(|count| count.accounts).sum()
    };
    let open = identities.iter().filter(|identity| !identity.balanced).count()
        + files.iter().filter(|file| file.in_buckets() != file.records).count();
    let mut gates = vec![Gate {
        gate: "identities",
        title: "Numbers that must be the same",
        found: match open {
            0 => format!("all {} balance", count(identities.len() as i64)),
            open => format!("{} of {} open", count(open as i64), count(identities.len() as i64)),
        },
        limit: "none open".into(),
        met: open == 0,
    }];
    let money: Vec<_> = identities.iter().filter(|identity| identity.kind == "money").collect();
    if !money.is_empty() {
        let unexplained: i64 = money.iter().map(|identity| identity.difference.abs()).sum();
        gates.push(Gate {
            gate: "money",
            title: "Unexplained pennies",
            found: pounds(unexplained),
            limit: pounds(0),
            met: unexplained == 0,
        });
    }
    let mut none = |gate, title, found: u64| {
        gates.push(Gate { gate, title, found: count(found as i64), limit: "0".into(), met: found == 0 });
    };
    none("in_doubt", "Accounts in doubt", of(&[State::Sending, State::Unknown]));
    none("foreign", "Accounts imported by somebody else", foreign);
    none("changed_after_acceptance", "Accounts changed after acceptance", drifted);
    none("target_lists", "Accounts on which the target's lists disagree", target_differences);
    let Some(limits) = limits else { return gates };
    let mut share = |gate, title, part: u64, whole: u64, at_most: Decimal, counts: bool| {
        let exceeds = Decimal::from(part) * Decimal::ONE_HUNDRED > at_most * Decimal::from(whole);
        gates.push(Gate {
            gate,
            title,
            found: format!("{} of {} ({})", count(part as i64), count(whole as i64), percent(part, whole)),
            limit: format!("at most {}%", at_most.normalize()),
            met: !exceeds || !counts,
        });
    };
    let rejected = of(&[State::Rejected]);
    let all: u64 = states.iter().map(|count| count.accounts).sum::<u64>() - of(&[State::Withdrawn]);
    share("rejected_share", "Accounts rejected before sending", rejected, all, limits.rejected_percent, true);
    let failed = of(&[State::Refused, State::Errored, State::Cancelled]);
    let tried = failed + of(&[State::Submitted, State::Processed, State::Unknown]);
    let enough = tried >= TRIED_MIN;
    share("failed_share", "Accounts that failed at the target", failed, tried, limits.failed_percent, enough);
    gates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(list: &[(State, u64)]) -> Vec<StateCount> {
        list.iter().map(|&(state, accounts)| StateCount { state, accounts }).collect()
    }

    fn unmet(measures: &Measures<'_>) -> Vec<&'static str> {
        gates(measures).into_iter().filter(|gate| !gate.met).map(|gate| gate.gate).collect()
    }

    #[test]
    fn each_threshold_is_held_against_its_own_count() {
        let limits = RunLimits {
            requests: 20,
            period_ms: 1_000,
            rejected_percent: Decimal::from(5),
            failed_percent: Decimal::from(5),
        };
        let fine = states(&[(State::Processed, 95), (State::Rejected, 5), (State::Refused, 5)]);
        let fine = Measures { states: &fine, limits: Some(limits), ..Measures::default() };
        assert_eq!(unmet(&fine), [] as [&str; 0], "five of a hundred are five per cent, and no more");
        let bad = states(&[(State::Processed, 94), (State::Rejected, 6), (State::Refused, 6), (State::Unknown, 1)]);
        let money = IdentityRow {
            name: "source = payload".into(),
            left: 1,
            right: 2,
            difference: -1,
            balanced: false,
            kind: "money".into(),
            unit: "pence".into(),
        };
        let identities = [money];
        let bad = Measures {
            states: &bad,
            identities: &identities,
            foreign: 1,
            drifted: 1,
            target_differences: 1,
            limits: Some(limits),
            ..Measures::default()
        };
        let told = gates(&bad);
        assert!(told.iter().all(|gate| !gate.met), "{told:?}");
        assert_eq!(told.len(), 8);
        assert_eq!(told[1].found, "£0.01");
        assert_eq!(told[7].found, "6 of 101 (5.9%)");
    }

    #[test]
    fn few_tried_accounts_and_runs_without_limits_are_not_judged_by_shares() {
        let few = states(&[(State::Processed, 9), (State::Errored, 9)]);
        let limits =
            RunLimits { requests: 1, period_ms: 1, rejected_percent: Decimal::ONE, failed_percent: Decimal::ONE };
        assert_eq!(unmet(&Measures { states: &few, limits: Some(limits), ..Measures::default() }), [] as [&str; 0]);
        assert_eq!(unmet(&Measures { states: &few, ..Measures::default() }), [] as [&str; 0]);
    }
}
