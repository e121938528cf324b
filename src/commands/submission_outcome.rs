//! What a submission came to, and the exit code it asks for.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::config::Project;
use crate::cut::{self, CutPoint};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::State;
use crate::ledger::read::FileRow;
use crate::reconcile;
use crate::report::forecast::Forecast;
use crate::submit::{StopReason, Summary, Work};

use super::open_run::OpenRun;
use super::submission::Request;

/// What a submission came to.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Requests of every kind.
    requests: u64,
    /// Creates among them.
    creates: u64,
    /// Accounts whose import was scheduled.
    scheduled: u64,
    /// Accounts refused.
    refused: u64,
    /// Accounts that came to exist, or were found to.
    processed: u64,
    /// Imports that failed.
    errored: u64,
    /// Imports that were withdrawn.
    cancelled: u64,
    /// Payloads validated.
    validated: u64,
    /// Of those, found wanting.
    validated_refused: u64,
    /// Accounts whose dry run succeeded.
    rehearsed: u64,
    /// Accounts whose dry run was refused, or failed.
    rehearsed_badly: u64,
    /// Accounts left as they are because their payload can't be read.
    damaged: u64,
    /// Whether more accounts are ready than `--limit` allowed to take up.
    limited: bool,
    /// Why it ended before its work did.
    stopped: Option<String>,
    /// When what is left will be done; none: nothing is left.
    forecast: Option<Forecast>,
    /// Accounts by state at its end.
    states: BTreeMap<State, u64>,
    /// Processed accounts that somebody else imported.
    foreign: u64,
    /// Identities that do not balance.
    unbalanced: Vec<String>,
    #[serde(skip)]
    work: Work,
    #[serde(skip)]
    code: ExitCode,
}

impl Outcome {
    /// The exit code it asks for.
    pub(super) fn exit_code(&self) -> ExitCode {
        self.code
    }
}

/// Reconciles, and judges.
pub(super) fn outcome(
    open_run: &mut OpenRun,
    project: &Project,
    request: &Request<'_>,
    summary: Summary,
) -> Result<Outcome, Error> {
    cut::reached(CutPoint::MidReport);
    let identities = reconcile::reconcile(&mut open_run.ledger, open_run.run)?;
    let unbalanced: Vec<String> = identities
        .iter()
        .filter(|identity| identity.left != identity.right)
        .map(|identity| format!("{}: {} is not {}", identity.name, identity.left, identity.right))
        .collect();
    let states: BTreeMap<State, u64> = open_run.ledger.count_by_state(request.wave.as_deref())?.into_iter().collect();
    let foreign = open_run.ledger.tally()?.foreign;
    let ended = Ended {
        stopped: summary.stopped.as_ref(),
        states: &states,
        foreign,
        rejected_since: !open_run.ledger.rejected_after_acceptance()?.is_empty(),
        lost: lost(&open_run.ledger.files()?),
        balances: unbalanced.is_empty(),
        found_wanting: summary.validated_refused + summary.rehearsed_badly,
        damaged: summary.damaged,
        limited: summary.limited,
    };
    let code = exit_code(request.work, &ended);
    Ok(Outcome {
        requests: summary.requests,
        creates: summary.creates,
        scheduled: summary.scheduled,
        refused: summary.refused,
        processed: summary.processed,
        errored: summary.errored,
        cancelled: summary.cancelled,
        validated: summary.validated,
        validated_refused: summary.validated_refused,
        rehearsed: summary.rehearsed,
        rehearsed_badly: summary.rehearsed_badly,
        damaged: summary.damaged,
        limited: summary.limited,
        stopped: summary.stopped.map(|reason| reason.to_string()),
        states,
        forecast: super::forecast(&open_run.ledger, project, request.wave.as_deref())?,
        foreign,
        unbalanced,
        work: request.work,
        code,
    })
}

/// Records that no payload holds for want of being readable, or of a parent.
fn lost(files: &[FileRow]) -> u64 {
    files.iter().map(|file| file.quarantined + file.orphaned).sum()
}

/// How a submission ended, as far as its exit code goes.
struct Ended<'a> {
    stopped: Option<&'a StopReason>,
    states: &'a BTreeMap<State, u64>,
    foreign: u64,
    /// Whether the newest build rejects accounts that the target took.
    rejected_since: bool,
    lost: u64,
    balances: bool,
    found_wanting: u64,
    damaged: u64,
    limited: bool,
}

/// The exit code of a submission. The first line that holds decides.
///
/// | holds | code |
/// | --- | --- |
/// | the target can't be reached or refuses the credentials | 4 |
/// | it ended before its work did | 3 |
/// | a payload was found wanting, or can't be read | 1 |
/// | accounts are rejected, be it after the target took them, refused, errored, cancelled or foreign; records were lost; an identity is open | 1 |
/// | accounts that were to be created are ready or in doubt; ones that were to be followed are submitted or in doubt | 1 |
/// | nothing of these | 0 |
///
/// A limit is a selection: where it left ready accounts alone, `ready` says nothing.
fn exit_code(work: Work, ended: &Ended<'_>) -> ExitCode {
    let any = |states: &[State]| states.iter().any(|state| ended.states.get(state).is_some_and(|n| *n > 0));
    match ended.stopped {
        Some(reason) if reason.is_target() => return ExitCode::Unreachable,
        Some(_) => return ExitCode::Stopped,
        None => {}
    }
    if ended.found_wanting > 0 || ended.damaged > 0 {
        return ExitCode::Incomplete;
    }
    if work.only_asks() {
        return ExitCode::Complete;
    }
    let uncreated =
        work.creates() && (any(&[State::Sending, State::Unknown]) || !ended.limited && any(&[State::Ready]));
    let unfollowed = work.follows() && any(&[State::Submitted, State::Unknown]);
    let badly = any(&[State::Rejected, State::Refused, State::Errored, State::Cancelled]) || ended.rejected_since;
    if badly || uncreated || unfollowed || ended.foreign > 0 || ended.lost > 0 || !ended.balances {
        return ExitCode::Incomplete;
    }
    ExitCode::Complete
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.work, Work::Validate { .. }) {
            write!(f, "validated  {} payloads, {} found wanting", self.validated, self.validated_refused)?;
        } else if self.work == Work::Rehearse {
            write!(
                f,
                "rehearsed  {} accounts well, {} badly; nothing was created",
                self.rehearsed, self.rehearsed_badly
            )?;
        } else {
            write!(
                f,
                "sent       {} requests, {} creates: {} scheduled, {} refused",
                self.requests, self.creates, self.scheduled, self.refused
            )?;
            write!(
                f,
                "\nfollowed   {} processed, {} errored, {} cancelled",
                self.processed, self.errored, self.cancelled
            )?;
            if self.validated > 0 {
                write!(
                    f,
                    "\nvalidated  {} payloads, {} found wanting and not sent",
                    self.validated, self.validated_refused
                )?;
            }
        }
        if self.damaged > 0 {
            write!(f, "\ndamaged    {} payloads can't be read and were not sent; build again", self.damaged)?;
        }
        write!(f, "\naccounts   {}", states(&self.states))?;
        if self.limited {
            write!(f, "\nlimit      reached; more accounts are ready")?;
        }
        if self.foreign > 0 {
            write!(f, "\nforeign    {} of the processed were imported by somebody else", self.foreign)?;
        }
        if self.unbalanced.is_empty() {
            write!(f, "\nidentities all balance")?;
        }
        for identity in &self.unbalanced {
            write!(f, "\nunbalanced {identity}")?;
        }
        if let Some(forecast) = &self.forecast {
            write!(f, "\n{forecast}")?;
        }
        match &self.stopped {
            Some(reason) => write!(f, "\nstopped    {reason}"),
            None => Ok(()),
        }
    }
}

/// `12 ready, 3 rejected`: the states that have accounts.
pub(super) fn states(states: &BTreeMap<State, u64>) -> String {
    let named: Vec<_> = states.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{n} {state}")).collect();
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(work: Work, state: State, change: impl FnOnce(&mut Ended<'_>)) -> ExitCode {
        let states = BTreeMap::from([(state, 1)]);
        let mut ended = Ended {
            stopped: None,
            states: &states,
            foreign: 0,
            rejected_since: false,
            lost: 0,
            balances: true,
            found_wanting: 0,
            damaged: 0,
            limited: false,
        };
        change(&mut ended);
        exit_code(work, &ended)
    }

    #[test]
    fn only_what_was_asked_for_makes_a_run_complete() {
        use ExitCode::{Complete, Incomplete};
        for (state, create, follow, both) in [
            (State::Processed, Complete, Complete, Complete),
            (State::Held, Complete, Complete, Complete),
            (State::Withdrawn, Complete, Complete, Complete),
            (State::Ready, Incomplete, Complete, Incomplete),
            (State::Submitted, Complete, Incomplete, Incomplete),
            (State::Unknown, Incomplete, Incomplete, Incomplete),
            (State::Rejected, Incomplete, Incomplete, Incomplete),
            (State::Refused, Incomplete, Incomplete, Incomplete),
            (State::Errored, Incomplete, Incomplete, Incomplete),
            (State::Cancelled, Incomplete, Incomplete, Incomplete),
        ] {
            for (work, expected) in [(Work::Create, create), (Work::Follow, follow), (Work::CreateAndFollow, both)] {
                assert_eq!(code(work, state, |_| {}), expected, "{work:?} with {state}");
            }
        }
    }

    #[test]
    fn whatever_needs_a_human_is_incomplete_and_whatever_needs_another_run_is_stopped() {
        let changed = |change: fn(&mut Ended<'_>)| code(Work::CreateAndFollow, State::Processed, change);
        assert_eq!(changed(|ended| ended.foreign = 1), ExitCode::Incomplete);
        assert_eq!(changed(|ended| ended.lost = 1), ExitCode::Incomplete);
        assert_eq!(changed(|ended| ended.rejected_since = true), ExitCode::Incomplete);
        assert_eq!(changed(|ended| ended.balances = false), ExitCode::Incomplete);
        assert_eq!(changed(|ended| ended.stopped = Some(&StopReason::Interrupted)), ExitCode::Stopped);
        assert_eq!(changed(|ended| ended.stopped = Some(&StopReason::Unauthorised)), ExitCode::Unreachable);
        assert_eq!(changed(|ended| ended.damaged = 1), ExitCode::Incomplete);
        let limited = |state| code(Work::CreateAndFollow, state, |ended| ended.limited = true);
        assert_eq!((limited(State::Ready), limited(State::Refused)), (ExitCode::Complete, ExitCode::Incomplete));
        let validated = |n| code(Work::Validate { sample: None }, State::Ready, |ended| ended.found_wanting = n);
        assert_eq!((validated(0), validated(1)), (ExitCode::Complete, ExitCode::Incomplete));
    }
}
