//! What `run`, `submit`, `follow` and `validate` share: the settings of the submission. What its end comes to is for `submission_outcome`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::assemble::store::PayloadReader;
use crate::cli::{ConsentArgs, SendArgs};
use crate::clock;
use crate::config::{self, AuthSource, ConfigError, KeySource, Project, Scheme};
use crate::console::Console;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::ledger::{Ledger, RunId, State};
use crate::progress::Progress;
use crate::submit::{FreshKey, Meters, Payloads, Replies, SubmitOptions, Validate, Work, drive, retry};
use crate::target::{Auth, Client, ClientOptions, Envelope, TaskParams};

use super::gates;
use super::open_run::OpenRun;
use super::remote_cells;
use super::submission_outcome::{Outcome, outcome};

/// A submission to make.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// What to do.
    pub(super) work: Work,
    /// The wave's name.
    pub(super) wave: Option<String>,
    /// Take up at most so many accounts.
    pub(super) limit: Option<u64>,
    /// What creates ask for beside their payloads.
    pub(super) task: TaskParams,
    /// Consent to send, where sending asks for it.
    pub(super) consent: Option<&'a ConsentArgs>,
}

/// Passes the gates, does the work and reconciles.
pub(super) fn submit(
    open_run: &mut OpenRun,
    project: &Project,
    client: &Client,
    request: &Request<'_>,
    interrupt: &Interrupt,
    console: &Console,
) -> Result<Outcome, Error> {
    let options = options(open_run.run, project, request);
    // Who was told to stop while it built asks nobody for anything any more.
    if !interrupt.is_raised() {
        gates::pass(open_run, project, client, request, &options, console)?;
    }
    let reader = PayloadReader::open(&project.payload_folder());
    let payloads: Payloads = Arc::new(move |build, place, digest| {
        reader.read(place, &build.to_string(), digest).map_err(|error| with_cause(&error))
    });
    let meters = meters(&open_run.ledger, request, console)?;
    let summary = drive(&mut open_run.ledger, open_run.run, client, payloads, options, interrupt, &meters)?;
    drop(meters);
    remote_cells::place(project, &mut open_run.ledger, console);
    if let Some(reason) = summary.stopped.as_ref().filter(|reason| reason.is_target()) {
        console.warn(&reason.to_string());
    }
    outcome(open_run, project, request, summary)
}

/// The connection to the target, with the key read. Nothing is sent yet.
///
/// A command that prints the key may have asked the target for it: it takes a place among the requests, here as later.
#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but the time itself")]
pub(super) fn client(project: &Project) -> Result<Client, Error> {
    let auth = auth(&project.target.auth)?;
    if matches!(project.target.auth.key, KeySource::Command(_)) {
        std::thread::sleep(interval(&project.limits));
    }
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

/// The credentials, read from where they come from.
fn auth(source: &AuthSource) -> Result<Auth, ConfigError> {
    Ok(match (source.read_key()?, source.scheme) {
        (None, _) => Auth::None,
        (Some(key), Scheme::Token) => Auth::Token(key),
        (Some(key), Scheme::Raw) => Auth::Raw(key),
    })
}

/// How the key is read anew: only a command may give another one than before.
fn fresh_key(source: &AuthSource) -> Option<FreshKey> {
    let source = source.clone();
    matches!(source.key, KeySource::Command(_))
        .then(|| FreshKey::new(move || auth(&source).map_err(|error| error.to_string())))
}

/// What creates ask for beside their payloads, as `send` says; an error if the target's envelope has no place for it.
pub(super) fn task(project: &Project, send: &SendArgs) -> Result<TaskParams, Error> {
    let wrong = |problem: String, hint: &str| Error::Usage { problem, hint: Some(hint.to_owned()) };
    if project.target.envelope == config::Envelope::Bare && (send.dry_run || send.window.is_some()) {
        let flag = if send.dry_run { "--dry-run" } else { "--window" };
        return Err(wrong(
            format!("`{flag}` has no place in a bare body"),
            "set `[target] envelope = \"wrapped\"` if the target understands it",
        ));
    }
    if let Some(Err(problem)) = send.window.map(|window| window.check(clock::now())) {
        return Err(wrong(
            format!("`--window`: {problem}"),
            "write START/END with offsets, such as 2026-11-24T22:00:00Z/2026-11-25T06:00:00Z",
        ));
    }
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(TaskParams {
        is_dry_run: send.dry_run,
        schedule_window_start: send.window.map(|window| text(window.start)),
        schedule_window_end: send.window.map(|window| text(window.end)),
    })
}

/// The time between two requests.
fn interval(limits: &config::Limits) -> Duration {
    limits.rate.per / limits.rate.requests.get()
}

fn options(run: RunId, project: &Project, request: &Request<'_>) -> SubmitOptions {
    let limits = &project.limits;
    let now = clock::now();
    SubmitOptions {
        work: request.work,
        wave: request.wave.clone(),
        limit: request.limit,
        interval: Some(interval(limits)),
        in_flight: limits.in_flight.get(),
        attempts: limits.attempts,
        settle: limits.settle,
        validate: match project.validate {
            config::Validate::Never => Validate::Never,
            config::Validate::Sample => Validate::Sample,
            config::Validate::Always => Validate::Always,
        },
        task: request.task.clone(),
        replies: Some(Arc::new(Replies::new(project.reply_folder().join(format!("{run}.ndjson"))))),
        poll_every: project.follow.every,
        follow_for: project.follow.patience,
        consecutive_failures: project.stop.consecutive_failures,
        give_up_after: project.stop.give_up_after,
        identical_refusals: project.stop.identical_refusals,
        fresh_key: fresh_key(&project.target.auth),
        failed_percent: Some(project.stop.failed.percent),
        // A rehearsal is no create.
        until: project.stop.until.filter(|_| request.work.creates()).map(|time| clock::next_occurrence(time.0, now)),
        first_wait: retry::FIRST_WAIT,
        seed: now.timestamp_micros().unsigned_abs(),
    }
}

fn meters(ledger: &Ledger, request: &Request<'_>, console: &Console) -> Result<Meters, Error> {
    let states = ledger.count_by_state(request.wave.as_deref())?;
    let of = |wanted: &[State]| states.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, n)| n).sum::<u64>();
    let ready = of(&[State::Ready]).min(request.limit.unwrap_or(u64::MAX));
    let (submit, follow) = match request.work {
        Work::Create => (Some("submit"), false),
        Work::CreateAndFollow => (Some("submit"), true),
        Work::Validate { .. } => (Some("validate"), false),
        Work::Rehearse => (Some("rehearse"), false),
        Work::Follow => (None, true),
    };
    let submit = submit.map(|stage| console.progress(stage, "accounts", Some(ready)));
    let followed = of(&[State::Submitted]) + if request.work == Work::CreateAndFollow { ready } else { 0 };
    let follow = follow.then(|| console.progress("follow", "accounts", Some(followed)));
    Ok(Meters { submit: submit.unwrap_or_else(Progress::hidden), follow: follow.unwrap_or_else(Progress::hidden) })
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
