//! What an exchange leaves behind: the ledger's record of it, the kept reply, the pace of the others; and the payloads.

use crate::account::Digest;
use crate::finding::Finding;
use crate::ledger::submit::{Change, ExchangeKind, ExchangeRecord, Outcome};
use crate::ledger::{BuildId, PayloadPlace};
use crate::target::{Exchange, ImportStatus, scrub};

use super::SubmitError;
use super::account::{Account, Done, Next};
use super::exchange::Shared;
use super::retry::{self, Reply};
use super::told::{self, Told};

impl Shared {
    /// Writes an exchange of a dry run; `word` is what the dry run has come to by it.
    pub(super) async fn write_rehearsal<T>(
        &self,
        done: &mut Done,
        kind: ExchangeKind,
        exchange: &Exchange<T>,
        told: Told,
        word: Option<&str>,
    ) -> Result<Reply, SubmitError> {
        done.rehearsal = word.map(str::to_owned);
        self.write(done, kind, exchange, told, None).await
    }

    /// Writes an exchange and what it means; gives what it is for the run.
    pub(super) async fn write<T>(
        &self,
        done: &mut Done,
        kind: ExchangeKind,
        exchange: &Exchange<T>,
        told: Told,
        validated: Option<Digest>,
    ) -> Result<Reply, SubmitError> {
        let is_success = exchange.http_status.is_some_and(|status| (200..300).contains(&status));
        if let Some(replies) = self.options.replies.as_ref().filter(|_| !is_success || !told.findings.is_empty()) {
            let at = exchange.started_at.to_rfc3339();
            replies.keep(&done.account.key, kind.as_str(), at, exchange.http_status, &exchange.raw);
        }
        if let (Reply::Throttled | Reply::Failed, Some(wait)) = (told.reply, exchange.retry_after) {
            self.limiter.pause(retry::capped(wait));
        }
        done.reply = Some(told.reply);
        done.detail.clone_from(&told.detail);
        done.slow_down = matches!(exchange.http_status, Some(429 | 503));
        done.causes = told::causes(&told);
        let record = ExchangeRecord {
            kind,
            started_at: exchange.started_at,
            duration_ms: exchange.duration.as_millis() as u64,
            http_status: exchange.http_status,
            outcome: told.word,
            detail: told.detail,
        };
        let outcome = Outcome {
            account: done.account.id,
            exchange: record,
            event: told.event,
            status: told.status,
            kraken_identifier: told.kraken_identifier,
            validation: validated.zip(told.validation),
            rehearsal: done.account.digest().zip(done.rehearsal.clone()),
            findings: told.findings,
        };
        done.account.state = self.writer.record(Change::Outcome(Box::new(outcome))).await?;
        Ok(told.reply)
    }

    /// The payload to send; none if there is none, or none that can be read, which the ledger is told then.
    pub(super) async fn payload(&self, done: &mut Done) -> Result<Option<Vec<u8>>, SubmitError> {
        let Some((digest, build, place)) = done.account.payload else { return Ok(None) };
        match self.payload_at(build, place, digest).await? {
            Ok(payload) => Ok(Some(payload)),
            Err(reason) => {
                self.writer.record(Change::Damaged { account: done.account.id, build, reason }).await?;
                done.next = Next::Damaged;
                Ok(None)
            }
        }
    }

    async fn payload_at(
        &self,
        build: BuildId,
        place: PayloadPlace,
        digest: Digest,
    ) -> Result<Result<Vec<u8>, String>, SubmitError> {
        let payloads = self.payloads.clone();
        Ok(tokio::task::spawn_blocking(move || payloads(build, &place, &digest)).await?)
    }

    /// What the target says went wrong with an import, scrubbed of the values it may quote.
    pub(super) async fn latest_error(
        &self,
        account: &Account,
        found: &ImportStatus,
    ) -> Result<Vec<Finding>, SubmitError> {
        let Some(error) = &found.latest_error else {
            return Ok(vec![told::finding(
                "",
                Some("errored"),
                "the import failed; the target does not say why".to_owned(),
            )]);
        };
        let place = match account.sent {
            Some(digest) => {
                let id = account.id;
                self.writer.ask(move |ledger| ledger.payload_with(id, digest)).await?.map(|place| (digest, place))
            }
            None => None,
        };
        let payload = match place {
            Some((digest, (build, place))) => self.payload_at(build, place, digest).await?.ok(),
            None => None,
        };
        let message = payload.map_or_else(
            || "the import failed; the target's text is left out, because the payload it may quote is gone".to_owned(),
            |payload| scrub(&error.detail, &payload),
        );
        Ok(vec![told::finding("", Some(error.code.as_deref().unwrap_or("errored")), message)])
    }
}
