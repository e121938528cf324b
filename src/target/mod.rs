//! The target: what goes over the wire and what comes back, as closed enums.
//!
//! A [`Client`] sends one HTTP request a call and classifies what happened: [`CreateOutcome`], [`ValidateOutcome`],
//! [`StatusOutcome`]. It never retries, waits or remembers; pacing, retries and resuming belong to `submit`, storing
//! to `ledger`. The one question it must never get wrong is whether a create may have taken effect: only where it
//! surely did not does it say so ([`CreateOutcome::NotSent`], or an answer that is a refusal), everything doubtful is
//! [`CreateOutcome::Unknown`].
//!
//! ```text
//! client   one request → (transport error | answer)        the only async part, the only user of reqwest
//! outcome  (transport error | answer) → outcome            pure
//! reply    the body of a refusal → findings                pure
//! status   the body of a status read → ImportStatus        pure
//! lists    the body of a v1 list → its imports             pure
//! scrub    message + payload → message without its values  pure
//! ```

mod client;
mod lists;
mod outcome;
mod reply;
mod scrub;
mod status;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use thiserror::Error;

pub use client::{Client, Exchange};
pub use lists::{ImportList, ListOutcome, ListedImport};
pub use outcome::{CreateOutcome, StatusOutcome, ValidateOutcome};
pub use reply::{MAX_FINDINGS, Refusal, RemoteFinding};
pub use scrub::{MASK, Scrubber, scrub};
pub use status::{ImportStatus, RemoteError, Status};

/// How to reach the target.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The base URL, without `/v2/…`: https, or http to a loopback host.
    pub url: String,
    /// What the `Authorization` header says.
    pub auth: Auth,
    /// How a payload is wrapped.
    pub envelope: Envelope,
    /// How long one exchange may take, from connecting to the last byte of the reply.
    pub timeout: Duration,
    /// How much of a reply is read; what comes after is left unread.
    pub max_body_bytes: usize,
}

impl ClientOptions {
    /// How much of a reply is read unless told otherwise: far more than the findings of the largest account.
    pub const DEFAULT_MAX_BODY_BYTES: usize = 1 << 20;
}

/// The credentials, in the two forms of the `Authorization` header that tenants ask for.
#[derive(Clone, Debug)]
pub enum Auth {
    /// `Token KEY`: a data-import API key.
    Token(SecretString),
    /// The secret as it is: a Kraken token.
    Raw(SecretString),
    /// No header: a sandbox without a key.
    None,
}

/// The two forms of a request body that tenants ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// The account itself.
    #[default]
    Bare,
    /// `{"payload": account, "task_params": {…}}`.
    Wrapped,
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "bare",
            Self::Wrapped => "wrapped",
        })
    }
}

impl FromStr for Envelope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "bare" => Ok(Self::Bare),
            "wrapped" => Ok(Self::Wrapped),
            _ => Err(format!("`{text}` is no envelope; use `bare` or `wrapped`")),
        }
    }
}

/// What a create asks for beside its payload. Only [`Envelope::Wrapped`] has a place for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskParams {
    /// Go through the motions and create nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_dry_run: bool,
    /// The earliest instant of the creation, ISO 8601 with an offset; not in the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_window_start: Option<String>,
    /// The latest instant of the creation, ISO 8601 with an offset; after the start, at most four days ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_window_end: Option<String>,
}

/// Why no client can be made from the options.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The URL is no base URL of a target, or would send credentials in the clear.
    #[error("can't use `{url}` as the target's url: {reason}")]
    Url {
        /// The URL, without any user name and password.
        url: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The key holds a character that no header may hold.
    #[error(
        "the API key can't stand in an HTTP header: it holds a line break or another control character; check where it is read from"
    )]
    Key,
    /// TLS or the connector can't be set up, for instance because the machine has no CA certificates.
    #[error("can't set up the connection to `{url}`: {source}")]
    SetUp {
        /// The target's base URL.
        url: String,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
}
