//! A dry run of one account: the target goes through the motions and creates nothing.
//!
//! A rehearsal has no effect, so it needs no intent and may be repeated. It leaves the account's state alone; what it
//! came to stands beside it. The status path shows rehearsals and imports alike, so an account that was rehearsed
//! before is read first: its old end is not taken for the new one's.
//!
//! | read | then |
//! | --- | --- |
//! | not found, PENDING, `IN_PROGRESS`, an unknown word, the old end | read again, for as long as following lasts |
//! | `DRY_RUN_SUCCEEDED`, `DRY_RUN_ERRORED` | that is its end |
//! | PROCESSED, ERRORED, CANCELLED | an import proper stands there: the rehearsal's end can't be told |

use std::time::{Duration, Instant};

use crate::finding::Finding;
use crate::ledger::submit::ExchangeKind;
use crate::target::{CreateOutcome, Status, StatusOutcome, TaskParams};

use super::SubmitError;
use super::account::{Done, Next, Step};
use super::exchange::{Shared, again};
use super::limiter::{Closed, Prepared};
use super::retry::Reply;
use super::told::{self, Told};

impl Shared {
    /// Asks for the dry run.
    pub(super) async fn rehearse(&self, done: &mut Done, prepared: Prepared) -> Result<(), SubmitError> {
        let Some(payload) = self.payload(done).await? else { return Ok(()) };
        if self.limiter.acquire().await == Err(Closed) {
            return Ok(());
        }
        done.began = Instant::now();
        drop(prepared);
        done.account.tries += 1;
        let task = TaskParams { is_dry_run: true, ..self.options.task.clone() };
        let exchange = self.client.create(&payload, &task).await;
        let told = told::of_create(&exchange.outcome);
        let told = Told { event: None, ..told };
        let word = match &exchange.outcome {
            CreateOutcome::Scheduled => Some("SCHEDULED"),
            CreateOutcome::AlreadyImported { .. } => Some("ALREADY_IMPORTED"),
            CreateOutcome::Refused(_) | CreateOutcome::RefusedOpaque => Some("REFUSED"),
            // Whatever became of it, nothing was created.
            CreateOutcome::Throttled
            | CreateOutcome::Unauthorised
            | CreateOutcome::NotSent(_)
            | CreateOutcome::Unknown(_) => None,
        };
        let reply = self.write_rehearsal(done, ExchangeKind::DryRun, &exchange, told, word).await?;
        done.next = match word {
            Some("SCHEDULED") => {
                done.account.rehearsed_since = Some(done.began);
                let wait = self.poll_wait(&done.account);
                again(done, Step::ReadRehearsal, wait)
            }
            Some(_) => Next::Finished,
            None => self.retry(done, reply, exchange.retry_after),
        };
        Ok(())
    }

    /// Reads how the dry run goes; or, before it, how an older one went.
    pub(super) async fn read_rehearsal(&self, done: &mut Done, prepared: Prepared) -> Result<(), SubmitError> {
        if self.limiter.acquire().await == Err(Closed) {
            return Ok(());
        }
        done.began = Instant::now();
        drop(prepared);
        done.account.tries += 1;
        let exchange = self.client.status(&done.account.key).await;
        let told = Told { status: None, ..told::of_status(&exchange.outcome) };
        let found = match &exchange.outcome {
            StatusOutcome::Found(found) => Some(super::resume::remote_status(found)),
            _ => None,
        };
        let is_old = found.is_some() && found == done.account.baseline;
        let end = match &exchange.outcome {
            StatusOutcome::Found(found) if done.account.rehearsed_since.is_some() && !is_old => match found.status {
                Status::Pending | Status::InProgress | Status::Other(_) => None,
                _ => Some(found.status.as_str().to_owned()),
            },
            _ => None,
        };
        let told = match end.as_deref() {
            Some("DRY_RUN_ERRORED") => Told { findings: self.rehearsal_errors(done, &exchange.outcome).await?, ..told },
            _ => told,
        };
        let reply = self.write_rehearsal(done, ExchangeKind::Status, &exchange, told, end.as_deref()).await?;
        done.next = if reply != Reply::Answered {
            self.retry(done, reply, exchange.retry_after)
        } else if end.is_some() {
            Next::Finished
        } else if let Some(since) = done.account.rehearsed_since {
            done.account.polls += 1;
            let wait = self.poll_wait(&done.account);
            if since.elapsed() > self.options.follow_for {
                Next::TooLong
            } else {
                again(done, Step::ReadRehearsal, wait)
            }
        } else {
            done.account.baseline = found;
            again(done, Step::Rehearse, Duration::ZERO)
        };
        Ok(())
    }

    async fn rehearsal_errors(&self, done: &mut Done, outcome: &StatusOutcome) -> Result<Vec<Finding>, SubmitError> {
        let StatusOutcome::Found(found) = outcome else { return Ok(Vec::new()) };
        done.account.sent = done.account.digest();
        self.latest_error(&done.account, found).await
    }
}
