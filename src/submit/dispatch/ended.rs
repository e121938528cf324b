//! What a step that has ended means: for the pace and the breaker, for the key, for the stop rules, and what comes next.

use std::time::{Duration, Instant};

use crate::ledger::State;
use crate::ledger::submit::Validation;
use crate::submit::account::{Done, Next, Step};
use crate::submit::retry::Reply;
use crate::submit::stop::StopReason;
use crate::submit::{SubmitError, breaker, credentials};

use super::{Dispatcher, REHEARSED};

/// What a step that has ended means for the run.
#[derive(Debug)]
pub(super) enum Then {
    GoOn,
    Stop(StopReason),
    /// The key is to be read anew.
    Refresh,
}

impl Dispatcher {
    /// Takes note of a step that has ended.
    pub(super) fn ended(&mut self, mut done: Done) -> Then {
        if done.before != State::Submitted {
            self.creating -= 1;
        }
        match done.next {
            Next::Damaged => self.summary.damaged += 1,
            Next::TooLate => {
                self.no_more_creates(StopReason::Until);
                self.summary.stopped.get_or_insert(StopReason::Until);
            }
            Next::TooLong => self.summary.unrehearsed += 1,
            Next::Step(..) | Next::Finished | Next::GivenUp => {}
        }
        let Some(reply) = done.reply else {
            // If it was to be the probe, another one is.
            self.shared.limiter.probe_again();
            return Then::GoOn;
        };
        let then = self.replied(reply, &mut done);
        let stop = self.count(&mut done);
        match done.next {
            Next::Step(_, _) if done.account.state == State::Submitted && !self.shared.options.work.follows() => {}
            Next::Step(next, wait) => self.queue.put_off(done.account, next, Instant::now(), wait),
            Next::Finished | Next::Damaged | Next::TooLate | Next::TooLong => {}
            Next::GivenUp => self.summary.given_up += 1,
        }
        match (then, stop) {
            (Then::GoOn, Some(reason)) => Then::Stop(reason),
            (then, _) => then,
        }
    }

    /// What a reply means for everybody: the pace, the breaker, the key.
    fn replied(&mut self, reply: Reply, done: &mut Done) -> Then {
        let now = Instant::now();
        let limiter = self.shared.limiter.clone();
        if done.slow_down
            && let Some(share) = limiter.slow_down(done.began)
        {
            tracing::info!(share, "the target asks for fewer requests: slower");
        }
        let verdict = match reply {
            Reply::Answered => {
                self.credentials.accepted(done.began);
                limiter.answered();
                self.breaker.answered()
            }
            Reply::Throttled => self.breaker.throttled(done.began, now),
            Reply::Failed => self.breaker.failed(done.began, now, done.detail.as_deref()),
            Reply::Unauthorised => return self.unauthorised(done),
        };
        // While the target is away, no account is at fault.
        if reply == Reply::Failed && done.next == Next::GivenUp && self.breaker.is_open() {
            done.account.tries = 0;
            done.next = Next::Step(done.step, self.shared.options.first_wait);
        }
        match verdict {
            breaker::Verdict::GoOn => {}
            breaker::Verdict::Resume => {
                tracing::info!("the target answers again");
                limiter.resume();
            }
            breaker::Verdict::Probe(wait) => {
                tracing::warn!(pause_ms = wait.as_millis() as u64, detail = done.detail, "no usable answer: pausing");
                limiter.probe_after(wait);
            }
            breaker::Verdict::Stop(reason) => return Then::Stop(reason),
        }
        Then::GoOn
    }

    fn unauthorised(&mut self, done: &mut Done) -> Then {
        // Whether it is there was the probe's question, and it is.
        self.shared.limiter.probe_again();
        let verdict = self.credentials.refused(done.began);
        if verdict == credentials::Verdict::Stop {
            return Then::Stop(StopReason::Unauthorised);
        }
        done.account.tries = done.account.tries.saturating_sub(1);
        done.next = Next::Step(done.step, Duration::ZERO);
        if verdict == credentials::Verdict::Refresh { Then::Refresh } else { Then::GoOn }
    }

    /// Reads the key anew, which takes a place among the requests: it may ask the target for a token.
    pub(super) async fn refresh_key(&mut self) -> Result<Option<StopReason>, SubmitError> {
        let Some(key) = self.shared.options.fresh_key.clone() else { return Ok(Some(StopReason::Unauthorised)) };
        tracing::info!("the target refuses the key: reading it anew");
        if self.shared.limiter.acquire().await.is_err() {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || key.read()).await?;
        let set = read.and_then(|auth| self.shared.client.set_auth(&auth).map_err(|error| error.to_string()));
        self.credentials.refreshed(Instant::now());
        // The place may have been a probe's.
        self.shared.limiter.probe_again();
        Ok(set.err().map(StopReason::NoKey))
    }

    /// Counts what a step came to; says whether too many accounts have failed.
    fn count(&mut self, done: &mut Done) -> Option<StopReason> {
        let summary = &mut self.summary;
        summary.requests += 1;
        if done.step == Step::Create {
            summary.creates += 1;
        }
        if let (Step::Validate, Some(validation)) = (done.step, done.validation) {
            summary.validated += 1;
            summary.validated_refused += u64::from(validation == Validation::Refused);
            if self.shared.options.work.only_asks() {
                self.meters.submit.advance(1);
            }
        }
        if let (Some(word), Next::Finished) = (&done.rehearsal, done.next) {
            *(if word == REHEARSED { &mut summary.rehearsed } else { &mut summary.rehearsed_badly }) += 1;
            self.meters.submit.advance(1);
            // A rehearsal that fails in bulk ends early, as the night would.
            return self.rules.tried(word != REHEARSED);
        }
        let identical = done.causes.as_deref().and_then(|causes| self.rules.refused(causes));
        if done.reply == Some(Reply::Answered) && done.step == Step::Create && done.causes.is_none() {
            self.rules.accepted();
        }
        identical.or(self.count_state(done))
    }

    fn count_state(&mut self, done: &mut Done) -> Option<StopReason> {
        let summary = &mut self.summary;
        let state = done.account.state;
        if state == done.before {
            return None;
        }
        match state {
            State::Submitted => summary.scheduled += 1,
            State::Processed => summary.processed += 1,
            State::Refused => summary.refused += 1,
            State::Errored => summary.errored += 1,
            State::Cancelled => summary.cancelled += 1,
            _ => return None,
        }
        let was_followed = done.before == State::Submitted;
        let meter = if was_followed { &self.meters.follow } else { &self.meters.submit };
        meter.advance(1);
        // An account that an earlier run submitted is first counted when its import ends.
        let was_counted = std::mem::replace(&mut done.account.counted, true);
        match (was_counted, matches!(state, State::Refused | State::Errored)) {
            (false, failed) => self.rules.tried(failed),
            (true, true) => self.rules.failed_later(),
            (true, false) => None,
        }
    }
}
