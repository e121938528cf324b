//! The life of an account as one pure function: [`State::next`].

use std::fmt;

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Built, checked, to be sent.
    Ready,
    /// Built with at least one finding that is an error; not sent.
    Rejected,
    /// On the list of accounts that must not go.
    Held,
    /// No longer in the extract, and never accepted.
    Withdrawn,
    /// A create may be on its way: its intent is durable, its outcome is not.
    Sending,
    /// A create was sent and nobody knows whether it took effect; a status read must tell.
    Unknown,
    /// The target scheduled the import.
    Submitted,
    /// The account exists at the target.
    Processed,
    /// The target refused the payload.
    Refused,
    /// The import failed at the target.
    Errored,
    /// The import was withdrawn at the target.
    Cancelled,
}

/// What can happen to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A build made a payload that passed every check.
    BuiltReady,
    /// A build found an error.
    BuiltRejected,
    /// A build of the whole extract no longer has the account.
    Gone,
    /// The account was put on the hold list.
    Hold,
    /// It left the hold list, and its newest build made a payload.
    ReleaseReady,
    /// It left the hold list, and its newest build found an error.
    ReleaseRejected,
    /// It left the hold list, and its extract no longer has it.
    ReleaseGone,
    /// An operator put the account back.
    Retry,
    /// The intent of a create is durable.
    Intent,
    /// Create: 201.
    Scheduled,
    /// Create: 400 with findings.
    Refused,
    /// Create: 400, the account was imported before.
    AlreadyImported,
    /// Create: surely without effect, and worth another try (connect refused, 429, 401).
    NotSent,
    /// Create: anything else.
    Unclear,
    /// The ledger was opened by a process that did not write the intent.
    Reopened,
    /// A create may be on its way that this ledger does not know of: it was moved or restored, or the target has the
    /// account already.
    Doubted,
    /// Status: PENDING or `IN_PROGRESS`.
    StatusPending,
    /// Status: PROCESSED.
    StatusProcessed,
    /// Status: ERRORED.
    StatusErrored,
    /// Status: CANCELLED.
    StatusCancelled,
    /// Status: no trace of the create for as long as it may take to show.
    NotReceived,
    /// Status: the read failed, or says nothing about this create yet.
    Inconclusive,
}

/// An event that can't happen in a state: a defect, or a ledger changed by other hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account that is `{state}` can't take the event {event:?}")]
pub struct IllegalTransition {
    /// The state the account was in.
    pub state: State,
    /// The event that does not fit it.
    pub event: Event,
}

impl State {
    /// Every state, in the order in which reports list them.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::Rejected,
        Self::Held,
        Self::Withdrawn,
        Self::Sending,
        Self::Unknown,
        Self::Submitted,
        Self::Processed,
        Self::Refused,
        Self::Errored,
        Self::Cancelled,
    ];

    /// The state after `event`.
    ///
    /// | from | to, on |
    /// | --- | --- |
    /// | `ready` | `ready` (built) · `rejected` (rebuilt) · `withdrawn` (gone) · `held` (hold) · `sending` (intent) · `submitted`, `processed` (a status read before a further create finds the earlier one alive) · `unknown` (doubted) |
    /// | `rejected` | `ready` (rebuilt) · `rejected` (built) · `withdrawn` (gone) · `held` (hold) |
    /// | `withdrawn` | `ready` · `rejected` (back in the extract) · `withdrawn` (gone) · `held` (hold) |
    /// | `held` | `held` (built, gone, hold) · by release, as its newest build says: `ready` · `rejected` · `withdrawn` |
    /// | `sending` | `submitted` (scheduled) · `refused` · `processed` (already imported) · `ready` (not sent) · `unknown` (unclear, reopened) |
    /// | `unknown` | by status read: `submitted` (pending) · `processed` · `errored` · `cancelled` · `ready` (not received) · `unknown` (inconclusive) |
    /// | `submitted` | by status read: `submitted` (pending, inconclusive) · `processed` · `errored` · `cancelled`; `unknown` (doubted) |
    /// | `refused`, `errored`, `cancelled` | `ready` (retry) |
    ///
    /// From `sending` on, a build changes nothing: what it made is kept beside what was sent. Everything not listed
    /// is an [`IllegalTransition`]. Whoever comes to `ready` while the hold list has it goes on to `held` by hold.
    #[expect(clippy::match_same_arms, reason = "the arms follow the table, a group a stage")]
    pub fn next(self, event: Event) -> Result<Self, IllegalTransition> {
        use Event as E;
        use State as S;
        Ok(match (self, event) {
            (S::Held, E::BuiltReady | E::BuiltRejected | E::Gone) => S::Held,
            (S::Ready | S::Rejected | S::Withdrawn, E::BuiltReady) => S::Ready,
            (S::Ready | S::Rejected | S::Withdrawn, E::BuiltRejected) => S::Rejected,
            (S::Ready | S::Rejected | S::Withdrawn, E::Gone) => S::Withdrawn,
            (_, E::BuiltReady | E::BuiltRejected | E::Gone) => self,

            (S::Ready | S::Rejected | S::Withdrawn | S::Held, E::Hold) => S::Held,
            (S::Held, E::ReleaseReady) => S::Ready,
            (S::Held, E::ReleaseRejected) => S::Rejected,
            (S::Held, E::ReleaseGone) => S::Withdrawn,
            (S::Refused | S::Errored | S::Cancelled, E::Retry) => S::Ready,

            (S::Ready, E::Intent) => S::Sending,
            (S::Sending, E::Scheduled) => S::Submitted,
            (S::Sending, E::Refused) => S::Refused,
            (S::Sending, E::AlreadyImported) => S::Processed,
            (S::Sending, E::NotSent) | (S::Unknown, E::NotReceived) => S::Ready,
            (S::Sending, E::Unclear | E::Reopened) | (S::Unknown, E::Inconclusive) => S::Unknown,
            (S::Ready | S::Submitted, E::Doubted) => S::Unknown,

            (S::Ready | S::Unknown | S::Submitted, E::StatusPending) | (S::Submitted, E::Inconclusive) => S::Submitted,
            (S::Ready | S::Unknown | S::Submitted, E::StatusProcessed) => S::Processed,
            (S::Unknown | S::Submitted, E::StatusErrored) => S::Errored,
            (S::Unknown | S::Submitted, E::StatusCancelled) => S::Cancelled,

            (state, event) => return Err(IllegalTransition { state, event }),
        })
    }

    /// The state as it is spelt in the ledger, in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Withdrawn => "withdrawn",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Submitted => "submitted",
            Self::Processed => "processed",
            Self::Refused => "refused",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state spelt `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 22] = [
        Event::BuiltReady,
        Event::BuiltRejected,
        Event::Gone,
        Event::Hold,
        Event::ReleaseReady,
        Event::ReleaseRejected,
        Event::ReleaseGone,
        Event::Retry,
        Event::Intent,
        Event::Scheduled,
        Event::Refused,
        Event::AlreadyImported,
        Event::NotSent,
        Event::Unclear,
        Event::Reopened,
        Event::Doubted,
        Event::StatusPending,
        Event::StatusProcessed,
        Event::StatusErrored,
        Event::StatusCancelled,
        Event::NotReceived,
        Event::Inconclusive,
    ];

    /// The same life written down a second time, as a table: a row a state, a column an event in the order of
    /// [`EVENTS`]; `.` is illegal. y ready, j rejected, h held, w withdrawn, s sending, u unknown, b submitted,
    /// p processed, f refused, e errored, c cancelled.
    const TABLE: [(State, &str); 11] = [
        //                  build hold  re in  create  d status
        (State::Ready, /*  */ "yjw h... . s ...... u bp.. .."),
        (State::Rejected, /**/ "yjw h... . . ...... . .... .."),
        (State::Held, /*    */ "hhh hyjw . . ...... . .... .."),
        (State::Withdrawn, /**/ "yjw h... . . ...... . .... .."),
        (State::Sending, /* */ "sss .... . . bfpyuu . .... .."),
        (State::Unknown, /* */ "uuu .... . . ...... . bpec yu"),
        (State::Submitted, /**/ "bbb .... . . ...... u bpec .b"),
        (State::Processed, /**/ "ppp .... . . ...... . .... .."),
        (State::Refused, /* */ "fff .... y . ...... . .... .."),
        (State::Errored, /* */ "eee .... y . ...... . .... .."),
        (State::Cancelled, /**/ "ccc .... y . ...... . .... .."),
    ];

    fn state_of(letter: char) -> Option<State> {
        Some(match letter {
            'y' => State::Ready,
            'j' => State::Rejected,
            'h' => State::Held,
            'w' => State::Withdrawn,
            's' => State::Sending,
            'u' => State::Unknown,
            'b' => State::Submitted,
            'p' => State::Processed,
            'f' => State::Refused,
            'e' => State::Errored,
            'c' => State::Cancelled,
            _ => return None,
        })
    }

    #[test]
    fn every_pair_of_state_and_event_agrees_with_the_table() {
        assert_eq!(TABLE.map(|(state, _)| state), State::ALL, "a row a state");
        for (state, row) in TABLE {
            let cells: Vec<char> = row.chars().filter(|c| *c != ' ').collect();
            assert_eq!(cells.len(), EVENTS.len(), "a column an event: {row}");
            for (event, cell) in EVENTS.into_iter().zip(cells) {
                assert_eq!(state.next(event).ok(), state_of(cell), "{state} on {event:?}");
            }
        }
    }

    #[test]
    fn nothing_leads_back_to_a_create_without_a_read_or_an_operator() {
        // From the moment a create may have taken effect, only a conclusive status read, a sure failure to send or
        // an operator's retry opens the way to another create.
        let doors = [Event::NotSent, Event::NotReceived, Event::Retry];
        for state in [
            State::Sending,
            State::Unknown,
            State::Submitted,
            State::Processed,
            State::Refused,
            State::Errored,
            State::Cancelled,
        ] {
            for event in EVENTS {
                if state.next(event) == Ok(State::Ready) {
                    assert!(doors.contains(&event), "{state} on {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_state_survives_its_own_spelling() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("lost"), None);
    }
}
