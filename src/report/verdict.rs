//! What a migration's counts come to, as a pure function.

use serde::Serialize;

use crate::ledger::State;
use crate::ledger::read::{FileRow, IdentityRow};

use super::{Gate, StateCount};

/// What it comes to, from the most to the least urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was built yet.
    Empty,
    /// Two numbers that must be the same are not: no go until that is explained.
    Unbalanced,
    /// Some accounts are still on their way: run again.
    Unfinished,
    /// Everything ended, some accounts or records not well: a human must look.
    Exceptions,
    /// Every account was processed and every record used, or left out on purpose.
    Complete,
}

/// Whether the night counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Every threshold is met, and nothing is on its way.
    Go,
    /// Nothing speaks against it, and something is still on its way, or in doubt.
    NotYet,
    /// A threshold is not met.
    NoGo,
}

/// The outcome, with its reasons in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the night counts.
    pub decision: Decision,
    /// What it comes to.
    pub outcome: Outcome,
    /// One sentence for the top of the page.
    pub summary: String,
    /// Why it is not better than that; empty if it is complete.
    pub reasons: Vec<String>,
    /// The thresholds, and whether each is met.
    pub gates: Vec<Gate>,
}

impl Verdict {
    /// The verdict on these counts. The first line that holds decides; the reasons of all that hold are told:
    ///
    /// | holds | outcome |
    /// | --- | --- |
    /// | no account and no file | `empty` |
    /// | an identity does not balance, or a file's records are not the sum of its buckets | `unbalanced` |
    /// | accounts are ready, sending, unknown or submitted | `unfinished` |
    /// | accounts are rejected, refused, errored, cancelled or foreign, changed after acceptance, or at odds with the target's lists; records are quarantined or orphaned | `exceptions` |
    /// | nothing of these | `complete` |
    ///
    /// The decision is no go if a gate is not met; accounts in doubt alone are not yet a reason, as they may be on their way.
    pub(super) fn of(
        states: &[StateCount],
        files: &[FileRow],
        identities: &[IdentityRow],
        foreign: u64,
        gates: Vec<Gate>,
    ) -> Self {
        let count = |state: State| states.iter().find(|c| c.state == state).map_or(0, |c| c.accounts);
        let accounts: u64 = states.iter().map(|count| count.accounts).sum();
        if accounts == 0 && files.is_empty() {
            return Self {
                decision: Decision::NotYet,
                outcome: Outcome::Empty,
                summary: "nothing was built yet".to_owned(),
                reasons: Vec::new(),
                gates,
            };
        }

        let mut unbalanced: Vec<_> = identities
            .iter()
            .filter(|identity| !identity.balanced)
            .map(|identity| format!("{}: {} is not {}", identity.name, identity.left, identity.right))
            .collect();
        let shared = FileRow::shared(files);
        unbalanced.extend(files.iter().filter(|file| file.in_buckets() != file.records).map(|file| {
            let name = file.name(&shared);
            format!("{name}: {} records were read, the buckets hold {}", file.records, file.in_buckets())
        }));

        let in_states = |states: &[State]| {
            let named = states.iter().map(|state| (count(*state), state.as_str()));
            named.filter(|(n, _)| *n > 0).map(|(n, name)| format!("{} {name}", accounts_of(n))).collect::<Vec<_>>()
        };
        let unfinished = in_states(&[State::Ready, State::Sending, State::Unknown, State::Submitted]);
        let mut exceptions = in_states(&[State::Rejected, State::Refused, State::Errored, State::Cancelled]);
        if foreign > 0 {
            exceptions.push(format!("{} imported by somebody else", accounts_of(foreign)));
        }
        let lost = |name: &str, records: u64| (records > 0).then(|| format!("{} {name}", records_of(records)));
        exceptions.extend(lost("quarantined", files.iter().map(|file| file.quarantined).sum()));
        exceptions.extend(lost("orphaned", files.iter().map(|file| file.orphaned).sum()));
        let of_ends = gates.iter().filter(|gate| !gate.met && gate.is_of_ends());
        exceptions.extend(of_ends.map(|gate| format!("{}: {}", gate.title.to_lowercase(), gate.found)));

        let outcome = match (unbalanced.is_empty(), unfinished.is_empty(), exceptions.is_empty()) {
            (false, _, _) => Outcome::Unbalanced,
            (true, false, _) => Outcome::Unfinished,
            (true, true, false) => Outcome::Exceptions,
            (true, true, true) => Outcome::Complete,
        };
        let processed = count(State::Processed);
        let summary = match outcome {
            Outcome::Unbalanced => "numbers that must be the same are not".to_owned(),
            Outcome::Unfinished => {
                format!("unfinished: {processed} of {accounts} accounts processed; run again to resume")
            }
            Outcome::Exceptions if processed == accounts => {
                format!("finished with exceptions: all {accounts} accounts processed, some need a human all the same")
            }
            Outcome::Exceptions => {
                format!(
                    "finished with exceptions: {processed} of {accounts} accounts processed, the rest needs a human"
                )
            }
            Outcome::Empty | Outcome::Complete => format!("complete: all {accounts} accounts are accounted for"),
        };
        let fails = gates.iter().any(|gate| !gate.met && gate.gate != "in_doubt");
        let decision = match (fails, unfinished.is_empty()) {
            (true, _) => Decision::NoGo,
            (false, false) => Decision::NotYet,
            (false, true) => Decision::Go,
        };
        Self { decision, outcome, summary, reasons: [unbalanced, unfinished, exceptions].concat(), gates }
    }
}

fn accounts_of(n: u64) -> String {
    if n == 1 { "1 account".to_owned() } else { format!("{n} accounts") }
}

fn records_of(n: u64) -> String {
    if n == 1 { "1 record".to_owned() } else { format!("{n} records") }
}

#[cfg(test)]
mod tests {
    use super::super::gates::{Measures, gates};
    use super::*;

    fn file(records: u64, used: u64, orphaned: u64) -> FileRow {
        FileRow {
            file: "a.csv".into(),
            table: "a".into(),
            bytes: 1,
            digest: String::new(),
            records,
            quarantined: 0,
            duplicate: 0,
            orphaned,
            not_selected: 0,
            filtered: 0,
            rejected: 0,
            used,
        }
    }

    fn identity(left: i64, right: i64) -> IdentityRow {
        IdentityRow {
            name: "accounts".into(),
            left,
            right,
            difference: left - right,
            balanced: left == right,
            kind: "accounts".into(),
            unit: "accounts".into(),
        }
    }

    #[test]
    fn the_most_urgent_reason_decides() {
        let states = |list: &[(State, u64)]| -> Vec<_> {
            list.iter().map(|&(state, accounts)| StateCount { state, accounts }).collect()
        };
        let processed = [(State::Processed, 3)];
        let mixed = [(State::Processed, 3), (State::Rejected, 1)];
        let under_way = [(State::Processed, 3), (State::Rejected, 1), (State::Submitted, 2)];
        let (whole, orphan, leak) = ([file(9, 9, 0)], [file(9, 8, 1)], [file(9, 8, 0)]);
        let (even, odd) = ([identity(3, 3)], [identity(3, 2)]);
        let of = |list: &[(State, u64)], files: &[FileRow], identities: &[IdentityRow], foreign| {
            Verdict::of(&states(list), files, identities, foreign, Vec::new()).outcome
        };
        assert_eq!(of(&[], &[], &[], 0), Outcome::Empty);
        assert_eq!(of(&processed, &whole, &even, 0), Outcome::Complete);
        assert_eq!(of(&processed, &whole, &even, 1), Outcome::Exceptions);
        assert_eq!(of(&processed, &orphan, &even, 0), Outcome::Exceptions);
        assert_eq!(of(&mixed, &whole, &even, 0), Outcome::Exceptions);
        assert_eq!(of(&under_way, &whole, &even, 0), Outcome::Unfinished);
        assert_eq!(of(&processed, &leak, &even, 0), Outcome::Unbalanced);
        assert_eq!(of(&under_way, &whole, &odd, 0), Outcome::Unbalanced);
        let verdict = Verdict::of(&states(&under_way), &leak, &odd, 0, Vec::new());
        assert_eq!(
            verdict.reasons,
            [
                "accounts: 3 is not 2",
                "a.csv: 9 records were read, the buckets hold 8",
                "2 accounts submitted",
                "1 account rejected"
            ]
        );
    }

    #[test]
    fn what_the_target_has_otherwise_than_the_extract_says_is_an_exception_though_all_is_processed() {
        let states = [StateCount { state: State::Processed, accounts: 3 }];
        let found = |drifted| gates(&Measures { states: &states, drifted, ..Measures::default() });
        let of = |drifted| Verdict::of(&states, &[file(9, 9, 0)], &[identity(3, 3)], 0, found(drifted));
        assert_eq!((of(0).outcome, of(0).decision), (Outcome::Complete, Decision::Go));
        let verdict = of(1);
        assert_eq!((verdict.outcome, verdict.decision), (Outcome::Exceptions, Decision::NoGo));
        assert_eq!(verdict.reasons, ["accounts changed after acceptance: 1"]);
        assert!(verdict.summary.contains("all 3 accounts processed"), "{}", verdict.summary);
    }

    #[test]
    fn a_gate_that_is_not_met_is_no_go_unless_accounts_are_only_on_their_way() {
        let gate = |gate, met| Gate { gate, title: "", found: String::new(), limit: String::new(), met };
        let decide = |state, gates| {
            let states = [StateCount { state, accounts: 1 }];
            Verdict::of(&states, &[file(9, 9, 0)], &[identity(1, 1)], 0, gates).decision
        };
        assert_eq!(decide(State::Processed, vec![gate("foreign", true)]), Decision::Go);
        assert_eq!(decide(State::Processed, vec![gate("foreign", false)]), Decision::NoGo);
        assert_eq!(decide(State::Processed, vec![gate("changed_after_acceptance", false)]), Decision::NoGo);
        assert_eq!(decide(State::Submitted, vec![gate("in_doubt", false)]), Decision::NotYet);
        assert_eq!(decide(State::Submitted, vec![gate("rejected_share", false)]), Decision::NoGo);
    }
}
