//! What `run`, `submit`, `follow` and `validate` share: the gates before the first request, the settings of the
//! submission, and what its end comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::assemble::store::PayloadReader;
use crate::cli::ConsentArgs;
use crate::clock;
use crate::config::{self, Environment, Project, Scheme};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::ledger::read::FileRow;
use crate::ledger::{Ledger, State};
use crate::progress::Progress;
use crate::reconcile;
use crate::submit::{Meters, Payloads, StopReason, SubmitOptions, Summary, Validate, Work, drive, retry};
use crate::target::{Auth, Client, ClientOptions, Envelope};

use super::open_run::OpenRun;

/// A submission to make.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// What to do.
    pub(super) work: Work,
    /// The wave's name.
    pub(super) wave: Option<String>,
    /// Take up at most so many accounts.
    pub(super) limit: Option<u64>,
    /// Consent to send, where sending asks for it.
    pub(super) consent: Option<&'a ConsentArgs>,
}

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
    /// Accounts left as they are because their payload can't be read.
    damaged: u64,
    /// Whether more accounts are ready than `--limit` allowed to take up.
    limited: bool,
    /// Why it ended before its work did.
    stopped: Option<String>,
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

/// Passes the gates, does the work and reconciles.
pub(super) fn submit(
    open_run: &mut OpenRun,
    project: &Project,
    request: &Request<'_>,
    interrupt: &Interrupt,
    console: &Console,
) -> Result<Outcome, Error> {
    if request.work != Work::Follow {
        pass_build_gates(&open_run.ledger, project, request.wave.as_deref())?;
    }
    if let Some(consent) = request.consent {
        pass_consent_gate(open_run, project, consent)?;
    }
    let client = client(project)?;
    let reader = PayloadReader::open(&project.payload_folder());
    let payloads: Payloads = Arc::new(move |build, place, digest| {
        reader.read(place, &build.to_string(), digest).map_err(|error| with_cause(&error))
    });
    let meters = meters(&open_run.ledger, request, console)?;
    let summary =
        drive(&mut open_run.ledger, open_run.run, &client, payloads, options(project, request)?, interrupt, &meters)?;
    drop(meters);
    if let Some(reason) = summary.stopped.as_ref().filter(|reason| reason.is_target()) {
        console.warn(&reason.to_string());
    }
    outcome(open_run, request, summary)
}

/// What the builds say against sending: the newest one, and those that made the payloads that would be sent.
fn pass_build_gates(ledger: &Ledger, project: &Project, wave: Option<&str>) -> Result<(), Error> {
    let Some(build) = ledger.newest_build()? else {
        return Err(Error::Usage {
            problem: "there is nothing to send: nothing was built".into(),
            hint: Some("run `slipway build` first, or `slipway run`".into()),
        });
    };
    if !build.blocked.is_empty() {
        return Err(Error::Refused {
            problem: format!("the newest build is blocked: {}", build.blocked.join("; ")),
            hint: Some("mend the extract and build again".into()),
        });
    }
    let prospects = ledger.prospects(wave)?;
    if prospects.sendable == 0 && prospects.blocked > 0 {
        return Err(Error::Refused {
            problem: format!(
                "all {} accounts that are ready were last built by a build that is blocked: {}",
                prospects.blocked,
                prospects.reasons.join("; ")
            ),
            hint: Some("mend the extract and build these accounts again".into()),
        });
    }
    let rejected = prospects.built_rejected;
    let all = prospects.built_ready + rejected;
    if project.stop.rejected.is_exceeded_by(rejected, all) {
        return Err(Error::Gate {
            problem: format!(
                "{rejected} of {all} accounts were rejected, more than `[stop] rejected` ({}%) allows",
                project.stop.rejected.percent
            ),
            hint: Some(
                "see `slipway report`; raise the share with `--set stop.rejected=…` if that is meant to be".into(),
            ),
        });
    }
    Ok(())
}

/// Production wants to be named.
fn pass_consent_gate(open_run: &mut OpenRun, project: &Project, consent: &ConsentArgs) -> Result<(), Error> {
    if project.target.environment != Environment::Production {
        return Ok(());
    }
    if !consent.yes {
        let ready = count(&open_run.ledger, State::Ready)?;
        return Err(Error::Refused {
            problem: format!(
                "{} is production, and {ready} accounts of {} would go there",
                project.target.url,
                project.target.suppliers.join(", ")
            ),
            hint: Some("say `--yes` to send them".into()),
        });
    }
    open_run.ledger.consent(open_run.run, "yes", consent.reason.as_deref().unwrap_or_default())?;
    Ok(())
}

fn client(project: &Project) -> Result<Client, Error> {
    let auth = match (project.target.auth.read_key()?, project.target.auth.scheme) {
        (None, _) => Auth::None,
        (Some(key), Scheme::Token) => Auth::Token(key),
        (Some(key), Scheme::Raw) => Auth::Raw(key),
    };
    let envelope = match project.target.envelope {
        config::Envelope::Bare => Envelope::Bare,
        config::Envelope::Wrapped => Envelope::Wrapped,
    };
    Ok(Client::new(&ClientOptions {
        url: project.target.url.clone(),
        auth,
        envelope,
        timeout: project.limits.timeout,
        max_body_bytes: ClientOptions::DEFAULT_MAX_BODY_BYTES,
    })?)
}

fn options(project: &Project, request: &Request<'_>) -> Result<SubmitOptions, Error> {
    let limits = &project.limits;
    let cut = config::cut().map(|text| text.parse()).transpose();
    let cut =
        cut.map_err(|problem| Error::Usage { problem: format!("{}: {problem}", config::CUT_VARIABLE), hint: None })?;
    let now = clock::now();
    Ok(SubmitOptions {
        work: request.work,
        wave: request.wave.clone(),
        limit: request.limit,
        interval: Some(limits.rate.per / limits.rate.requests.get()),
        in_flight: limits.in_flight.get(),
        attempts: limits.attempts,
        settle: limits.settle,
        validate: match project.validate {
            config::Validate::Never => Validate::Never,
            config::Validate::Sample => Validate::Sample,
            config::Validate::Always => Validate::Always,
        },
        poll_every: project.follow.every,
        follow_for: project.follow.patience,
        consecutive_failures: project.stop.consecutive_failures,
        failed_percent: Some(project.stop.failed.percent),
        until: project.stop.until.map(|time| clock::next_occurrence(time.0, now)),
        first_wait: retry::FIRST_WAIT,
        seed: now.timestamp_micros().unsigned_abs(),
        cut,
    })
}

fn meters(ledger: &Ledger, request: &Request<'_>, console: &Console) -> Result<Meters, Error> {
    let states = ledger.count_by_state(request.wave.as_deref())?;
    let of = |wanted: &[State]| states.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, n)| n).sum::<u64>();
    let ready = of(&[State::Ready]).min(request.limit.unwrap_or(u64::MAX));
    let (submit, follow) = match request.work {
        Work::Create => (Some("submit"), false),
        Work::CreateAndFollow => (Some("submit"), true),
        Work::Validate { .. } => (Some("validate"), false),
        Work::Follow => (None, true),
    };
    let submit = submit.map(|stage| console.progress(stage, "accounts", Some(ready)));
    let followed = of(&[State::Submitted]) + if request.work == Work::CreateAndFollow { ready } else { 0 };
    let follow = follow.then(|| console.progress("follow", "accounts", Some(followed)));
    Ok(Meters { submit: submit.unwrap_or_else(Progress::hidden), follow: follow.unwrap_or_else(Progress::hidden) })
}

/// Reconciles, and judges.
fn outcome(open_run: &mut OpenRun, request: &Request<'_>, summary: Summary) -> Result<Outcome, Error> {
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
        lost: lost(&open_run.ledger.files()?),
        balances: unbalanced.is_empty(),
        validated_refused: summary.validated_refused,
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
        damaged: summary.damaged,
        limited: summary.limited,
        stopped: summary.stopped.map(|reason| reason.to_string()),
        states,
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
    lost: u64,
    balances: bool,
    validated_refused: u64,
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
/// | accounts are rejected, refused, errored, cancelled or foreign; records were lost; an identity is open | 1 |
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
    if ended.validated_refused > 0 || ended.damaged > 0 {
        return ExitCode::Incomplete;
    }
    if work.only_validates() {
        return ExitCode::Complete;
    }
    let uncreated =
        work.creates() && (any(&[State::Sending, State::Unknown]) || !ended.limited && any(&[State::Ready]));
    let unfollowed = work.follows() && any(&[State::Submitted, State::Unknown]);
    let badly = any(&[State::Rejected, State::Refused, State::Errored, State::Cancelled]);
    if badly || uncreated || unfollowed || ended.foreign > 0 || ended.lost > 0 || !ended.balances {
        return ExitCode::Incomplete;
    }
    ExitCode::Complete
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.work, Work::Validate { .. }) {
            write!(f, "validated  {} payloads, {} found wanting", self.validated, self.validated_refused)?;
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

fn count(ledger: &Ledger, state: State) -> Result<u64, Error> {
    Ok(ledger.count_by_state(None)?.into_iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| n))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
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
            lost: 0,
            balances: true,
            validated_refused: 0,
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
        assert_eq!(changed(|ended| ended.balances = false), ExitCode::Incomplete);
        assert_eq!(changed(|ended| ended.stopped = Some(&StopReason::Interrupted)), ExitCode::Stopped);
        assert_eq!(changed(|ended| ended.stopped = Some(&StopReason::Unauthorised)), ExitCode::Unreachable);
        assert_eq!(changed(|ended| ended.damaged = 1), ExitCode::Incomplete);
        let limited = |state| code(Work::CreateAndFollow, state, |ended| ended.limited = true);
        assert_eq!((limited(State::Ready), limited(State::Refused)), (ExitCode::Complete, ExitCode::Incomplete));
        let validated = |n| code(Work::Validate { sample: None }, State::Ready, |ended| ended.validated_refused = n);
        assert_eq!((validated(0), validated(1)), (ExitCode::Complete, ExitCode::Incomplete));
    }
}
