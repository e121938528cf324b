//! The one connection that writes, on a thread of its own, with commits shared by whoever waits for one.

use tokio::sync::{mpsc, oneshot};

use crate::ledger::submit::Change;
use crate::ledger::{Ledger, LedgerError, RunId, State};

/// Changes in one commit, at most.
const LARGEST_COMMIT: usize = 256;

/// Requests that may wait for the writer; more make their senders wait.
const QUEUE: usize = 1024;

/// The writer has stopped because the ledger failed; why is what [`serve`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger has failed")]
pub(super) struct WriterGone;

type Question = Box<dyn FnOnce(&Ledger) -> Result<(), LedgerError> + Send>;

enum Request {
    Record(Change, oneshot::Sender<State>),
    Ask(Question),
}

/// The asking end. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Request>);

/// The serving end.
pub(super) struct Requests(mpsc::Receiver<Request>);

/// A pair of ends. The writer stops when the last asking end is gone.
pub(super) fn channel() -> (Writer, Requests) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Writer(sender), Requests(receiver))
}

impl Writer {
    /// Makes `change` durable and gives the account's state after it.
    pub(super) async fn record(&self, change: Change) -> Result<State, WriterGone> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Request::Record(change, reply)).await.map_err(|_| WriterGone)?;
        answer.await.map_err(|_| WriterGone)
    }

    /// Asks the ledger something, behind the changes sent before.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, WriterGone> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(|ledger| {
            // Whoever asked may have gone; then nobody minds.
            let _ = reply.send(question(ledger)?);
            Ok(())
        });
        self.0.send(Request::Ask(question)).await.map_err(|_| WriterGone)?;
        answer.await.map_err(|_| WriterGone)
    }
}

/// Serves requests until the last asking end is gone or the ledger fails. Changes that wait together are committed
/// together: while one commit waits for the disk, the next one gathers.
pub(super) fn serve(ledger: &mut Ledger, run: RunId, mut requests: Requests) -> Result<(), LedgerError> {
    let mut changes = Vec::new();
    let mut replies = Vec::new();
    while let Some(first) = requests.0.blocking_recv() {
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Record(change, reply) => {
                    changes.push(change);
                    replies.push(reply);
                }
                Request::Ask(question) => {
                    commit(ledger, run, &mut changes, &mut replies)?;
                    question(ledger)?;
                }
            }
            next = if changes.len() < LARGEST_COMMIT { requests.0.try_recv().ok() } else { None };
        }
        commit(ledger, run, &mut changes, &mut replies)?;
    }
    Ok(())
}

fn commit(
    ledger: &mut Ledger,
    run: RunId,
    changes: &mut Vec<Change>,
    replies: &mut Vec<oneshot::Sender<State>>,
) -> Result<(), LedgerError> {
    if changes.is_empty() {
        return Ok(());
    }
    let states = ledger.record(run, changes)?;
    changes.clear();
    for (reply, state) in replies.drain(..).zip(states) {
        // Whoever waited may have gone; the change is durable all the same.
        let _ = reply.send(state);
    }
    Ok(())
}
