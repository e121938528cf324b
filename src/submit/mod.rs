//! Submission and following: the only part of the program that is asynchronous.
//!
//! ```text
//! claim → intent (durable) → limiter → POST → outcome (durable)      a create
//!                            limiter → GET  → outcome (durable)      a status read
//! ```
//!
//! One task a request, at most `in_flight` of them; a dispatcher (`dispatch`) gives out the work, and every request
//! of whatever kind waits for the one `limiter`. The ledger's only writing connection lives on a thread of its own
//! (`writer`) that commits what waits together in one transaction; nothing holds a transaction while it waits for
//! the network.
//!
//! A create takes its place at the limiter after its intent is durable, so that the moment it may start is the moment
//! it does: the time a commit takes never bunches requests together. Few creates are prepared ahead, so that few are
//! in doubt if the process dies.
//!
//! Before all that, [`lists`] may ask what the target has already.
//!
//! What to do is decided by pure functions, each with a table in its documentation:
//!
//! | module | decides |
//! | --- | --- |
//! | `pace` | when the next request may start, and how the rate falls and rises |
//! | `breaker` | whether the target is there at all: pause, probe, go on, give up |
//! | `credentials` | what a 401 or 403 means |
//! | [`retry`] | whether a request is tried again, and when |
//! | [`resume`] | what a status read means for an account |
//! | `stop` | which refusals end the run |

mod account;
mod breaker;
mod credentials;
mod dispatch;
mod exchange;
mod key;
mod limiter;
pub mod lists;
mod pace;
mod queue;
mod record;
mod rehearse;
mod replies;
pub mod resume;
pub mod retry;
mod stop;
mod told;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::account::Digest;
use crate::interrupt::Interrupt;
use crate::ledger::{BuildId, Ledger, LedgerError, PayloadPlace, RunId};
use crate::progress::Progress;
use crate::target::{Client, TaskParams};

pub use key::FreshKey;
pub use replies::Replies;
pub use stop::StopReason;

/// Threads that work on requests; they mostly wait.
const THREADS: usize = 2;

/// Reads a payload and verifies it by its digest. The error says what is wrong and what to do.
pub type Payloads = Arc<dyn Fn(BuildId, &PayloadPlace, &Digest) -> Result<Vec<u8>, String> + Send + Sync>;

/// What a run is to do with the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Create what is ready.
    Create,
    /// Follow what is submitted to its end.
    Follow,
    /// Both, side by side.
    CreateAndFollow,
    /// Ask what the target thinks of what is ready, and create nothing.
    Validate {
        /// Only so many, spread over what is ready.
        sample: Option<u64>,
    },
    /// Let the target go through the motions of creating what is ready, and create nothing.
    Rehearse,
}

impl Work {
    pub(crate) fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateAndFollow)
    }

    pub(crate) fn follows(self) -> bool {
        matches!(self, Self::Follow | Self::CreateAndFollow)
    }

    /// Whether it leaves every account's state alone.
    pub(crate) fn only_asks(self) -> bool {
        matches!(self, Self::Validate { .. } | Self::Rehearse)
    }
}

/// Which payloads are validated before they are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validate {
    /// None: a create validates again anyhow.
    Never,
    /// A few in a hundred, the same ones every time.
    Sample,
    /// All. One that is found wanting is not created.
    Always,
}

/// How to submit.
#[derive(Debug)]
pub struct SubmitOptions {
    /// What to do.
    pub work: Work,
    /// Only the accounts of this wave.
    pub wave: Option<String>,
    /// Take up at most so many accounts.
    pub limit: Option<u64>,
    /// The time between two requests: one over the rate. None: no limit.
    pub interval: Option<Duration>,
    /// Requests on their way at once, at most.
    pub in_flight: usize,
    /// Requests for one step of one account, and creates of one account in one run, at most.
    pub attempts: u32,
    /// How long a create may take to show in the status.
    pub settle: Duration,
    /// What to validate first.
    pub validate: Validate,
    /// What creates ask for beside their payloads.
    pub task: TaskParams,
    /// Where replies are kept, if they are.
    pub replies: Option<Arc<Replies>>,
    /// The first wait between two reads of one status.
    pub poll_every: Duration,
    /// How long to follow after the last create.
    pub follow_for: Duration,
    /// Requests in a row without a usable answer that end the run.
    pub consecutive_failures: u32,
    /// How long a run waits for an answer before it gives the target up.
    pub give_up_after: Duration,
    /// Accounts in a row refused for the same causes that end the run.
    pub identical_refusals: u32,
    /// How to read the key anew when the target refuses it; none: it would be the same.
    pub fresh_key: Option<FreshKey>,
    /// The share of accounts refused or errored beyond which the run ends.
    pub failed_percent: Option<Decimal>,
    /// No creates after this.
    pub until: Option<DateTime<Utc>>,
    /// The first wait before another attempt; [`retry::FIRST_WAIT`] but in tests.
    pub first_wait: Duration,
    /// What the dice for waits are thrown with.
    pub seed: u64,
}

/// Where progress is shown.
#[derive(Clone, Debug)]
pub struct Meters {
    /// Accounts created, or validated.
    pub submit: Progress,
    /// Accounts followed to their end.
    pub follow: Progress,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests of every kind.
    pub requests: u64,
    /// Creates among them.
    pub creates: u64,
    /// Accounts whose import was scheduled.
    pub scheduled: u64,
    /// Accounts refused.
    pub refused: u64,
    /// Accounts that came to exist, or were found to.
    pub processed: u64,
    /// Imports that failed.
    pub errored: u64,
    /// Imports that were withdrawn.
    pub cancelled: u64,
    /// Payloads validated.
    pub validated: u64,
    /// Of those, found wanting.
    pub validated_refused: u64,
    /// Accounts whose dry run succeeded.
    pub rehearsed: u64,
    /// Accounts whose dry run was refused, or failed.
    pub rehearsed_badly: u64,
    /// Accounts whose dry run did not end in time.
    pub unrehearsed: u64,
    /// Accounts left as they are for want of a usable answer.
    pub given_up: u64,
    /// Accounts left as they are because their payload can't be read.
    pub damaged: u64,
    /// Whether more accounts were ready than the limit allows to take up.
    pub limited: bool,
    /// Why the run ended before its work did, if it did.
    pub stopped: Option<StopReason>,
}

/// Why submission could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The machine refuses what submission needs to run.
    #[error("can't start the threads that send requests")]
    Runtime(#[source] std::io::Error),
    /// The ledger's thread has ended; what it says is the error to show.
    #[error("the ledger's writer has ended")]
    WriterGone,
    /// A defect: a task did not end as tasks do.
    #[error("a request's task ended abnormally: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Does the work of `options` on the accounts of `ledger` until it is done or the run has to end.
///
/// # Errors
///
/// See [`SubmitError`]; outages and refusals are no errors but part of the [`Summary`]. After an error the ledger is
/// as a killed process leaves it: the next run resumes.
pub fn drive(
    ledger: &mut Ledger,
    run: RunId,
    client: &Client,
    payloads: Payloads,
    options: SubmitOptions,
    interrupt: &Interrupt,
    meters: &Meters,
) -> Result<Summary, SubmitError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(SubmitError::Runtime)?;
    let (writer, requests) = writer::channel();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| writer::serve(ledger, run, requests));
        let dispatcher = dispatch::Dispatcher::new(client.clone(), writer, payloads, options, meters.clone());
        let summary = runtime.block_on(dispatcher.run(interrupt.clone()));
        // Tasks that were on their way when an error came hold the writer's other ends.
        drop(runtime);
        match serving.join() {
            Ok(served) => served?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        summary
    })
}
