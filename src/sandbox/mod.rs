//! The embedded target: the three v2 endpoints and the v1 lists of imports over loopback HTTP, with faults on request and a memory for tests.
//!
//! It behaves like a tenant as far as the tenant's published facts go, and where they are silent like the most
//! awkward target they allow: a second create of an account that is still under way is accepted and counted, so that
//! a client that sends twice is found out. It checks little of a payload (the account's key, phone numbers): what a
//! valid account is, is the contract's business.
//!
//! ```text
//! connection  TCP connections that a fault can cut or refuse
//! admit       who may ask, and how fast
//! routes      what is answered
//! body        replies that break off or take their time
//! token       a key that runs out
//! check       a payload's key and problems, in the target's error shapes
//! state       accounts, and what was done to them
//! walk        an import's way from PENDING to an end
//! faults      which request or account meets which fault
//! schedule    storms and outages
//! counts      what was asked, and how fast
//! ```
//!
//! Beside the target's paths there are two of its own, which need no key and are not counted:
//! `GET /_sandbox/accounts` ([`AccountReport`]) and `GET /_sandbox/counts` ([`Counts`]).

mod admit;
mod body;
mod check;
mod connection;
mod counts;
mod faults;
mod routes;
mod schedule;
mod state;
mod token;
mod walk;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve;
use secrecy::SecretString;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

pub use check::RefusalShape;
pub use counts::Counts;
pub use faults::{Chosen, Faults, TokenFault};
pub use schedule::{How, Outage, RetryAfter, Storm};
pub use state::AccountReport;

use crate::target::Envelope;

/// The sandbox's worker threads: enough for 5,000 requests a second, and a core left to the one who asks.
const WORKERS: usize = 2;

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The key that requests must carry, as `Token KEY` or as it is; none: requests need no credentials.
    pub api_key: Option<SecretString>,
    /// The request bodies it understands.
    pub envelope: Envelope,
    /// The shape of its refusals.
    pub refusals: RefusalShape,
    /// Whether it serves the v1 lists of imports.
    pub lists: bool,
    /// How long an import takes.
    pub pace: Pace,
    /// Fixes every choice that looks like chance: the same seed meets the same accounts with the same faults.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for SandboxOptions {
    /// Any free loopback port, no key, bare bodies, lists, imports done at the second poll, no faults.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            api_key: None,
            envelope: Envelope::Bare,
            refusals: RefusalShape::Nested,
            lists: true,
            pace: Pace::Polls(2),
            seed: 0,
            faults: Faults::default(),
        }
    }
}

/// How long an import takes from `PENDING` over `IN_PROGRESS` to its end; half of it is spent in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many status reads: the last of them sees the end.
    Polls(u32),
    /// So much time; each account takes between half and one and a half of it, by the seed.
    Elapsed(Duration),
}

/// Why a sandbox can't start.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The address is taken or not ours.
    #[error("the sandbox can't listen on {address}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The file of a key that runs out can't be written.
    #[error("the sandbox can't write the key to {}: {source}", file.display())]
    Token {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No threads to run on.
    #[error("the sandbox can't start its threads: {0}")]
    Threads(io::Error),
}

/// A sandbox that runs until it is dropped; open connections break off then.
#[derive(Debug)]
pub struct RunningSandbox {
    /// Its base URL, without a slash at the end.
    pub url: String,
    state: Arc<admit::Sandbox>,
    runtime: Option<Runtime>,
}

/// Starts a sandbox on threads of its own. It answers from the moment this returns.
pub fn start(options: SandboxOptions) -> Result<RunningSandbox, SandboxError> {
    let address = options.listen;
    let refused = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let url = format!("http://{}", listener.local_addr().map_err(refused)?);

    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("sandbox")
        .enable_all()
        .build()
        .map_err(SandboxError::Threads)?;
    let state = Arc::new(admit::Sandbox::new(options)?);
    let service = routes::router(Arc::clone(&state)).into_make_service_with_connect_info::<connection::Cut>();
    let listener = {
        let _inside = runtime.enter();
        connection::Listener::new(listener, Arc::clone(&state)).map_err(refused)?
    };
    runtime.spawn(async move { serve(listener, service).await });
    Ok(RunningSandbox { url, state, runtime: Some(runtime) })
}

impl RunningSandbox {
    /// What it was asked so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// The accounts it has heard of, in the order of their keys.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountReport> {
        self.state.accounts()
    }
}

impl Drop for RunningSandbox {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the threads would be a panic where the owner is async itself.
            runtime.shutdown_background();
        }
    }
}
