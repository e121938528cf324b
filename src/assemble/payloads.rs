//! All payloads of a book: made in parallel, handed over in the order of the accounts.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::book::Book;
use super::store::{Block, StoreError};
use super::view::{Row, View};
use super::walk::Walk;
use crate::account::Digest;
use crate::finding::{Finding, Severity};
use crate::stage::StageError;

/// How many accounts are made by one task; about a MiB of payloads.
const ACCOUNTS_A_BATCH: u32 = 64;
/// How many batches may wait to be handed over.
const BATCHES_WAITING: usize = 16;
/// The largest payload that is sent; in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One account, made.
#[derive(Debug)]
pub struct Made {
    /// Its number in the book.
    pub account: u32,
    /// Its payload in the batch's bytes and its digest; none: it is rejected.
    pub payload: Option<(Range<usize>, Digest)>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Some accounts, made.
#[derive(Debug)]
pub struct Batch {
    /// The payloads, a line feed after each.
    pub bytes: Vec<u8>,
    /// The payloads as the store keeps them.
    pub block: Block,
    /// The accounts, in order.
    pub accounts: Vec<Made>,
    /// Fields with a value that is not on the tenant's own list.
    pub unlisted: BTreeSet<String>,
}

/// Looks at one whole account and adds what it finds.
pub type AccountCheck<'c> = dyn Fn(Row<'_>, &mut Vec<Finding>) + Sync + 'c;

/// Why payloads could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError<E> {
    /// The columns could not be read.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A block could not be compressed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever takes the batches failed.
    #[error(transparent)]
    Taker(E),
}

/// Makes the payloads of every account of `book` and hands them to `take`, batch by batch, in order.
pub fn make<E>(
    book: &Book,
    check: &AccountCheck<'_>,
    mut take: impl FnMut(Batch) -> Result<(), E>,
) -> Result<(), PayloadError<E>> {
    let view = View::new(book).map_err(StageError::from)?;
    let view = &view;
    let starts: Vec<u32> = (0..book.accounts.len() as u32).step_by(ACCOUNTS_A_BATCH as usize).collect();
    let window = rayon::current_num_threads() * 2;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Result<Batch, StoreError>>(BATCHES_WAITING);
        scope.spawn(move || {
            for starts in starts.chunks(window) {
                let batches: Vec<_> = starts.par_iter().map(|start| make_batch(view, *start, check)).collect();
                for batch in batches {
                    // The taker has gone: nothing more is wanted.
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            }
        });
        for batch in receiver {
            take(batch?).map_err(PayloadError::Taker)?;
        }
        Ok(())
    })
}

fn make_batch(view: &View<'_>, start: u32, check: &AccountCheck<'_>) -> Result<Batch, StoreError> {
    let book = view.book;
    let end = (start + ACCOUNTS_A_BATCH).min(book.accounts.len() as u32);
    let mut walk = Walk::new(view);
    let mut accounts = Vec::with_capacity((end - start) as usize);
    for account in start..end {
        let from = walk.out.len();
        walk.account(account);
        let mut findings = std::mem::take(&mut walk.findings);
        check(view.account(account), &mut findings);
        findings.extend(book.account_findings.get(&account).into_iter().flatten().cloned());
        if walk.out.len() - from > PAYLOAD_BYTES_MAX {
            findings.push(too_large(view.account(account), walk.out.len() - from));
        }
        findings.sort();
        findings.dedup();
        let rejected = findings.iter().any(|finding| finding.severity == Severity::Error);
        let payload = if rejected {
            walk.out.truncate(from);
            None
        } else {
            let range = from..walk.out.len();
            let digest = Digest::of(&walk.out[range.clone()]);
            walk.out.push(b'\n');
            Some((range, digest))
        };
        accounts.push(Made { account, payload, findings });
    }
    let bytes = std::mem::take(&mut walk.out);
    Ok(Batch { block: Block::compress(&bytes)?, bytes, accounts, unlisted: walk.unlisted })
}

fn too_large(account: Row<'_>, bytes: usize) -> Finding {
    Finding {
        code: "payload_too_large".into(),
        severity: Severity::Error,
        path: String::new(),
        message: format!(
            "the payload has {} MiB, more than the {} that are sent",
            bytes >> 20,
            PAYLOAD_BYTES_MAX >> 20
        ),
        cells: vec![account.record()],
    }
}
