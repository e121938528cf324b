//! Asks, before anything is sent, what the target has of a supplier, whoever sent it.
//!
//! One request a supplier, and again as [`retry`] says if there is no usable answer. After each the interval of the
//! rate passes, so that whatever follows keeps to the rate too.

use std::time::Duration;

use crate::target::{Client, ImportList, ListOutcome, ListedImport};

use super::SubmitError;
use super::retry::{self, Decision, Policy, Reply};

/// How to ask.
#[derive(Clone, Copy, Debug)]
pub struct ListOptions {
    /// The time between two requests. None: no limit.
    pub interval: Option<Duration>,
    /// How often and how fast to ask again.
    pub policy: Policy,
}

/// What the target has of a supplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// These imports.
    Found(Vec<ListedImport>),
    /// It does not serve the list. Says with which status.
    NotServed(String),
    /// The list can't be had now. Says what happened last.
    Unavailable(String),
    /// It refuses the credentials.
    Unauthorised,
}

/// Reads `list` of each of `suppliers`, in their order; ends early if the credentials are refused.
pub fn read_imports(
    client: &Client,
    list: ImportList,
    suppliers: &[String],
    options: &ListOptions,
) -> Result<Vec<(String, Listing)>, SubmitError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SubmitError::Runtime)?;
    runtime.block_on(async {
        let mut listings = Vec::new();
        for supplier in suppliers {
            let listing = read_one(client, list, supplier, options).await;
            let is_end = listing == Listing::Unauthorised;
            listings.push((supplier.clone(), listing));
            if is_end {
                break;
            }
        }
        Ok(listings)
    })
}

async fn read_one(client: &Client, which: ImportList, supplier: &str, options: &ListOptions) -> Listing {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let exchange = client.imports(which, supplier).await;
        let interval = options.interval.unwrap_or_default();
        let (reply, last) = match exchange.outcome {
            ListOutcome::Found(imports) => {
                tokio::time::sleep(interval).await;
                return Listing::Found(imports);
            }
            ListOutcome::NotServed(status) => {
                tokio::time::sleep(interval).await;
                return Listing::NotServed(status);
            }
            ListOutcome::Unauthorised => return Listing::Unauthorised,
            ListOutcome::Throttled => (Reply::Throttled, "HTTP 429".to_owned()),
            ListOutcome::Unavailable(reason) => (Reply::Failed, reason),
        };
        match retry::decide(&options.policy, 0, reply, attempt, exchange.retry_after) {
            Decision::Again(wait) if attempt < options.policy.attempts => tokio::time::sleep(wait.max(interval)).await,
            _ => return Listing::Unavailable(last),
        }
    }
}
