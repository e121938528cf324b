//! What a status read means for an account. Pure: this is where "at most once" is decided.
//!
//! # What is assumed of the target
//!
//! A create that got no usable answer may be anywhere: on the wire, in a queue, half done. It is sent again only after
//! reads have found nothing of it for so long that it can come to nothing any more. So "at most once" holds as long as
//!
//! 1. a create takes effect, and shows in the status, no later than `settle` after slipway has stopped waiting for its
//!    answer (and the target answers reads), or never. The time counts from the first read that finds nothing, which begins after the attempt has ended
//!    (or after the process that made it is gone), so what the request itself took, up to `limits.timeout`, does not
//!    count. Nor can the request leave this machine later than that: the connection's retransmissions end with the
//!    time-out (`target::Client`). A `settle` shorter than the time-out is refused where the project is read, unless the
//!    target is on this machine: a target that may take so long to answer may take as long to do what it was asked;
//! 2. of five reads that find nothing, spread over all of `settle`, one tells the truth: one alone may be a slip, of a
//!    replica that lags or a node that has not heard yet. What passes between two reads that find nothing counts for a
//!    quarter of `settle` at most ([`watched`]), so that neither an outage of the target, during which its queues may stand
//!    still, nor a pause of this machine passes for having looked;
//! 3. what was answered 400, 401, 403 or 429, or got no connection, has no effect;
//! 4. nobody in between (a proxy, a gateway) sends a request a second time on its own.
//!
//! Where that fails, the target's own refusal of accounts that are imported already is the second guard.

use std::time::Duration;

use crate::ledger::State;
use crate::ledger::state::Event;
use crate::ledger::submit::RemoteStatus;
use crate::target::{ImportStatus, Status};

/// What a status read told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// The import is there.
    Found(&'a ImportStatus),
    /// The target knows no such import.
    NotFound,
    /// No usable answer.
    NoAnswer,
}

/// What is known of the account beside the read.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// `ready`, `unknown` or `submitted`.
    pub state: State,
    /// The status read before the newest create, if one was there.
    pub baseline: Option<&'a RemoteStatus>,
    /// For how long, this read included, reads of this process have found no trace of the newest create, as [`watched`]
    /// adds it up; zero at the first of them.
    pub missing_for: Duration,
    /// Whether the last read said PROCESSED without an account number.
    pub processed_without_number: bool,
    /// How long a create may take to show.
    pub settle: Duration,
}

/// How long a create has been looked for in vain, when it was `before` at a read `gap` ago: the time between two reads
/// counts, but no more of it than [`longest_gap`].
#[must_use]
pub fn watched(before: Duration, gap: Duration, settle: Duration) -> Duration {
    before + gap.min(longest_gap(settle))
}

/// Two reads may be so far apart for all of the time between them to count: a quarter of `settle`.
#[must_use]
pub fn longest_gap(settle: Duration) -> Duration {
    settle / 4
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The account moves on by this event.
    Take(Event),
    /// Nothing is known yet: read again later. `missing` says whether this read found no trace of the newest create.
    Wait {
        /// Whether the clock of [`Known::missing_for`] runs.
        missing: bool,
    },
    /// A create may be sent; what was read is its baseline.
    Create,
}

/// Decides what a status read means.
///
/// A *trace* is a status that is not the baseline and not a dry run's. Words that slipway does not know count as
/// pending: something is there, and its end is not known.
///
/// | state | read | then |
/// | --- | --- | --- |
/// | `ready`, sent before | not found, ERRORED, CANCELLED, a dry run's end | create |
/// | `ready`, sent before | PENDING, `IN_PROGRESS`, unknown word | take pending: an earlier create is alive after all |
/// | `ready`, sent before | PROCESSED | take processed |
/// | `unknown` | no trace, for less than `settle` | wait, missing |
/// | `unknown` | no trace, for all of `settle` | take not received |
/// | `unknown` | PENDING, `IN_PROGRESS`, unknown word, PROCESSED without a number | take pending |
/// | `unknown` | PROCESSED, ERRORED, CANCELLED | take it |
/// | `submitted` | no trace | wait: it is not visible yet |
/// | `submitted` | PENDING, `IN_PROGRESS`, unknown word | take pending |
/// | `submitted` | PROCESSED without a number, the first time | wait |
/// | `submitted` | PROCESSED, ERRORED, CANCELLED | take it |
/// | any | no answer | wait |
#[must_use]
#[expect(clippy::match_same_arms, reason = "the arms follow the table, a group a state")]
pub fn resolve(known: &Known<'_>, read: Read<'_>) -> Action {
    const WAIT: Action = Action::Wait { missing: false };
    if read == Read::NoAnswer {
        return WAIT;
    }
    match (known.state, trace(known, read)) {
        (State::Ready, Some(Trace::Pending)) => Action::Take(Event::StatusPending),
        (State::Ready, Some(Trace::Processed { .. })) => Action::Take(Event::StatusProcessed),
        (State::Ready, Some(Trace::Errored | Trace::Cancelled) | None) => Action::Create,

        (State::Unknown, None) if known.missing_for < known.settle => Action::Wait { missing: true },
        (State::Unknown, None) => Action::Take(Event::NotReceived),
        (State::Unknown, Some(Trace::Pending | Trace::Processed { numbered: false })) => {
            Action::Take(Event::StatusPending)
        }
        (State::Submitted, Some(Trace::Pending)) => Action::Take(Event::StatusPending),
        (State::Submitted, Some(Trace::Processed { numbered: false })) if !known.processed_without_number => WAIT,
        (State::Unknown | State::Submitted, Some(Trace::Processed { .. })) => Action::Take(Event::StatusProcessed),
        (State::Unknown | State::Submitted, Some(Trace::Errored)) => Action::Take(Event::StatusErrored),
        (State::Unknown | State::Submitted, Some(Trace::Cancelled)) => Action::Take(Event::StatusCancelled),

        // Nothing is read of any other state; if it is, it changes nothing.
        _ => WAIT,
    }
}

/// What a read shows of the newest create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    Pending,
    Processed { numbered: bool },
    Errored,
    Cancelled,
}

fn trace(known: &Known<'_>, read: Read<'_>) -> Option<Trace> {
    let Read::Found(found) = read else { return None };
    if known.baseline == Some(&remote_status(found)) {
        return None;
    }
    match &found.status {
        Status::Pending | Status::InProgress | Status::Other(_) => Some(Trace::Pending),
        Status::Processed => Some(Trace::Processed { numbered: found.kraken_identifier.is_some() }),
        Status::Errored => Some(Trace::Errored),
        Status::Cancelled => Some(Trace::Cancelled),
        Status::DryRunSucceeded | Status::DryRunErrored => None,
    }
}

/// The status as the ledger keeps it.
#[must_use]
pub fn remote_status(found: &ImportStatus) -> RemoteStatus {
    RemoteStatus { status: found.status.as_str().to_owned(), modified: found.modified_at.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_mins(1);

    fn found(word: &str, modified: &str) -> ImportStatus {
        let (word, number) = match word.strip_suffix('#') {
            Some(word) => (word, Some("A-1".to_owned())),
            None => (word, None),
        };
        ImportStatus {
            status: Status::parse(word),
            kraken_identifier: number,
            created_at: None,
            modified_at: Some(modified.to_owned()),
            latest_error: None,
        }
    }

    fn ask(state: State, baseline: Option<&RemoteStatus>, word: &str, missing_for: u64, again: bool) -> Action {
        let known = Known {
            state,
            baseline,
            missing_for: Duration::from_secs(missing_for),
            processed_without_number: again,
            settle: SETTLE,
        };
        match word {
            "404" => resolve(&known, Read::NotFound),
            "-" => resolve(&known, Read::NoAnswer),
            word => resolve(&known, Read::Found(&found(word, "now"))),
        }
    }

    /// The table of [`resolve`], written out: what each state makes of each read, without a baseline. A # is a number.
    #[test]
    fn every_read_means_what_the_table_says() {
        use Event as E;
        let take = Action::Take;
        let (wait, missing) = (Action::Wait { missing: false }, Action::Wait { missing: true });
        for (word, ready, unknown, submitted) in [
            ("404", Action::Create, missing, wait),
            ("-", wait, wait, wait),
            ("PENDING", take(E::StatusPending), take(E::StatusPending), take(E::StatusPending)),
            ("IN_PROGRESS", take(E::StatusPending), take(E::StatusPending), take(E::StatusPending)),
            ("PAUSED", take(E::StatusPending), take(E::StatusPending), take(E::StatusPending)),
            ("PROCESSED#", take(E::StatusProcessed), take(E::StatusProcessed), take(E::StatusProcessed)),
            ("PROCESSED", take(E::StatusProcessed), take(E::StatusPending), wait),
            ("ERRORED", Action::Create, take(E::StatusErrored), take(E::StatusErrored)),
            ("CANCELLED", Action::Create, take(E::StatusCancelled), take(E::StatusCancelled)),
            ("DRY_RUN_SUCCEEDED", Action::Create, missing, wait),
            ("DRY_RUN_ERRORED", Action::Create, missing, wait),
        ] {
            assert_eq!(ask(State::Ready, None, word, 0, false), ready, "ready, {word}");
            assert_eq!(ask(State::Unknown, None, word, 0, false), unknown, "unknown, {word}");
            assert_eq!(ask(State::Submitted, None, word, 0, false), submitted, "submitted, {word}");
        }
    }

    /// The second writing of [`resolve`], as rows that are tried from the top: what is known, what is read, what follows.
    /// `*` is anything; a read is a word, `#` with a number, `=` the baseline, `~` a dry run's end.
    const ROWS: &[(&str, &str, &str, &str)] = &[
        // state, read, beside it, then
        ("*", "silence", "*", "wait"),
        ("ready", "= ~ 404 ERRORED CANCELLED", "*", "create"),
        ("ready", "PENDING IN_PROGRESS NEW", "*", "pending"),
        ("ready", "PROCESSED PROCESSED#", "*", "processed"),
        ("unknown", "= ~ 404", "short", "missing"),
        ("unknown", "= ~ 404", "settled", "not received"),
        ("unknown", "PENDING IN_PROGRESS NEW PROCESSED", "*", "pending"),
        ("unknown submitted", "PROCESSED#", "*", "processed"),
        ("unknown submitted", "ERRORED", "*", "errored"),
        ("unknown submitted", "CANCELLED", "*", "cancelled"),
        ("submitted", "PENDING IN_PROGRESS NEW", "*", "pending"),
        ("submitted", "PROCESSED", "first", "wait"),
        ("submitted", "PROCESSED", "again", "processed"),
        ("*", "*", "*", "wait"),
    ];

    fn said(action: Action) -> &'static str {
        match action {
            Action::Wait { missing: false } => "wait",
            Action::Wait { missing: true } => "missing",
            Action::Create => "create",
            Action::Take(Event::StatusPending) => "pending",
            Action::Take(Event::StatusProcessed) => "processed",
            Action::Take(Event::StatusErrored) => "errored",
            Action::Take(Event::StatusCancelled) => "cancelled",
            Action::Take(Event::NotReceived) => "not received",
            Action::Take(_) => "something else",
        }
    }

    #[test]
    fn every_state_read_and_circumstance_agrees_with_the_rows() {
        let words = ["404", "-", "PENDING", "IN_PROGRESS", "NEW", "PROCESSED#", "PROCESSED", "ERRORED", "CANCELLED"];
        let words = words.into_iter().chain(["DRY_RUN_SUCCEEDED", "DRY_RUN_ERRORED"]);
        let mut tried = 0;
        for (state, word) in State::ALL.into_iter().flat_map(|state| words.clone().map(move |word| (state, word))) {
            let same = RemoteStatus { status: word.trim_end_matches('#').into(), modified: Some("now".into()) };
            let older = RemoteStatus { modified: Some("then".into()), ..same.clone() };
            for baseline in [None, Some(&same), Some(&older)] {
                let read = match word {
                    "-" => "silence",
                    word if word.starts_with("DRY_RUN") => "~",
                    "404" => "404",
                    _ if baseline == Some(&same) => "=",
                    word => word,
                };
                for (missing_for, time) in [(0, "short"), (59, "short"), (60, "settled"), (600, "settled")] {
                    for (again, seen) in [(false, "first"), (true, "again")] {
                        let is = |cell: &str, value: &str| cell == "*" || cell.split(' ').any(|one| one == value);
                        let row = ROWS.iter().find(|(of, reads, beside, _)| {
                            is(of, state.as_str()) && is(reads, read) && (is(beside, time) || is(beside, seen))
                        });
                        let then = said(ask(state, baseline, word, missing_for, again));
                        assert_eq!(then, row.unwrap().3, "{state}, {word}, {baseline:?}, {missing_for}, {again}");
                        tried += 1;
                    }
                }
            }
        }
        assert_eq!(tried, 11 * 11 * 3 * 4 * 2);
    }

    #[test]
    fn nothing_must_be_found_for_all_of_settle_before_a_create_counts_as_lost() {
        for word in ["404", "DRY_RUN_ERRORED"] {
            assert_eq!(ask(State::Unknown, None, word, 59, false), Action::Wait { missing: true });
            assert_eq!(ask(State::Unknown, None, word, 60, false), Action::Take(Event::NotReceived));
        }
        assert_eq!(ask(State::Unknown, None, "-", 600, false), Action::Wait { missing: false }, "silence is no 404");
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let after = |gaps: &[u64]| {
            gaps.iter().fold(Duration::ZERO, |before, gap| watched(before, Duration::from_secs(*gap), SETTLE))
        };
        assert_eq!(after(&[5, 5, 5]), Duration::from_secs(15));
        assert_eq!(after(&[3_600]), SETTLE / 4, "an outage of an hour");
        assert!(after(&[5, 5, 3_600, 5, 5]) < SETTLE && after(&[3_600, 3_600, 3_600]) < SETTLE);
        // However slow this machine is, a create counts as lost after five reads at the earliest.
        assert_eq!(after(&[3_600; 4]), SETTLE);
        assert_eq!(
            ask(State::Unknown, None, "404", after(&[3_600; 3]).as_secs(), false),
            Action::Wait { missing: true }
        );
    }

    #[test]
    fn an_older_attempts_end_is_not_taken_for_the_new_ones() {
        let old = RemoteStatus { status: "ERRORED".into(), modified: Some("now".into()) };
        assert_eq!(ask(State::Unknown, Some(&old), "ERRORED", 0, false), Action::Wait { missing: true });
        assert_eq!(ask(State::Unknown, Some(&old), "ERRORED", 60, false), Action::Take(Event::NotReceived));
        assert_eq!(ask(State::Submitted, Some(&old), "ERRORED", 0, false), Action::Wait { missing: false });
        let older = RemoteStatus { modified: Some("then".into()), ..old };
        assert_eq!(ask(State::Unknown, Some(&older), "ERRORED", 0, false), Action::Take(Event::StatusErrored));
    }

    #[test]
    fn processed_without_a_number_waits_one_more_poll() {
        assert_eq!(ask(State::Submitted, None, "PROCESSED", 0, false), Action::Wait { missing: false });
        assert_eq!(ask(State::Submitted, None, "PROCESSED", 0, true), Action::Take(Event::StatusProcessed));
    }

    #[test]
    fn whatever_is_taken_the_state_machine_allows() {
        let words = ["404", "-", "PENDING", "PROCESSED#", "PROCESSED", "ERRORED", "CANCELLED", "DRY_RUN_ERRORED", "X"];
        for state in State::ALL {
            for word in words {
                for missing_for in [0, 60] {
                    for again in [false, true] {
                        if let Action::Take(event) = ask(state, None, word, missing_for, again) {
                            assert!(state.next(event).is_ok(), "{state} on {event:?}");
                        }
                    }
                }
            }
        }
    }
}
