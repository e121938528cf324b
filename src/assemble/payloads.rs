//! All payloads of an extract: made book by book in parallel, handed over in the order of the accounts.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::book::Books;
use super::bucket::Buckets;
use super::lost::Lost;
use super::measured::Came;
use super::steps::Steps;
use super::store::{Block, Compressor, StoreError};
use super::view::{Row, View};
use super::walk::Walk;
use crate::account::{AccountKey, Digest};
use crate::finding::{Finding, Severity};
use crate::stage::StageError;

/// How many accounts are made into one block of the store; about a MiB of payloads.
const ACCOUNTS_A_BATCH: u32 = 64;
/// The largest payload that is sent; in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One account, made.
#[derive(Debug)]
pub struct Made {
    /// Its name.
    pub key: AccountKey,
    /// Its payload in the batch's bytes and its digest; none: it is rejected.
    pub payload: Option<(Range<usize>, Digest)>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What its payload comes to.
    pub came: Vec<Came>,
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
    /// By entity: records of theirs without an object.
    pub empty: Vec<u64>,
}

/// What a book comes to when all of its accounts are made.
#[derive(Debug)]
pub struct BookEnd {
    /// What became of its records.
    pub buckets: Buckets,
    /// Findings about records that no account can be told for.
    pub findings: Vec<Finding>,
    /// By entity: records below accounts that were not rejected.
    pub records: Vec<u64>,
    /// Money of the book's records that is in no payload.
    pub lost: Vec<Lost>,
}

/// What is handed over, in order: the batches of a book, then its end, then those of the next.
#[derive(Debug)]
pub enum Handed {
    /// Some accounts.
    Batch(Batch),
    /// The end of a book.
    End(BookEnd),
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

/// Makes the payloads of every account of `books` and hands them to `take`, in order.
///
/// Every thread makes books of its own, in turn with the others. One that is ahead may have `ahead` batches waiting.
pub fn make<E>(
    books: &Books<'_>,
    ahead: usize,
    check: &AccountCheck<'_>,
    mut take: impl FnMut(&mut Handed) -> Result<(), E>,
) -> Result<(), PayloadError<E>> {
    let buffers = &Buffers::default();
    let steps = &Steps::new(&books.stage.plan);
    let threads = rayon::current_num_threads();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| sync_channel(ahead)).unzip();
    std::thread::scope(|scope| {
        // Dropped when this ends, however it ends, so that nobody waits to hand over what nobody wants.
        let receivers: Vec<Receiver<Result<Handed, BookError>>> = receivers;
        // Threads of their own: they wait for each other, which a pool's tasks must not.
        for (thread, sender) in senders.into_iter().enumerate() {
            scope.spawn(move || {
                for number in (thread..books.len()).step_by(threads) {
                    let wanted = match make_book(books, number, (steps, check), buffers, &sender) {
                        Ok(wanted) => wanted,
                        Err(error) => sender.send(Err(error)).is_ok(),
                    };
                    if !wanted {
                        return;
                    }
                }
            });
        }
        for number in 0..books.len() {
            // A thread that has ended before its time has panicked, and the scope will tell.
            while let Ok(handed) = receivers[number % threads].recv() {
                let mut handed = handed.map_err(|error| match error {
                    BookError::Stage(error) => PayloadError::Stage(error),
                    BookError::Store(error) => PayloadError::Store(error),
                })?;
                take(&mut handed).map_err(PayloadError::Taker)?;
                match handed {
                    Handed::Batch(batch) => buffers.give_back((batch.bytes, batch.block)),
                    Handed::End(_) => break,
                }
            }
        }
        Ok(())
    })
}

/// Payloads and blocks that have been handed over: memory that is warm is worth keeping.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<(Vec<u8>, Block)>>);

impl Buffers {
    fn take(&self) -> (Vec<u8>, Block) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, buffers: (Vec<u8>, Block)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }
}

/// Why a book could not be made.
enum BookError {
    Stage(StageError),
    Store(StoreError),
}

/// Makes book `number`; tells whether more is wanted.
fn make_book(
    books: &Books<'_>,
    number: usize,
    (steps, check): (&Steps<'_>, &AccountCheck<'_>),
    buffers: &Buffers,
    sender: &SyncSender<Result<Handed, BookError>>,
) -> Result<bool, BookError> {
    let mut book = books.book(number).map_err(BookError::Stage)?;
    let mut rejected = Vec::new();
    let mut compressor = Compressor::new().map_err(BookError::Store)?;
    {
        let view = View::new(&book).map_err(|error| BookError::Stage(error.into()))?;
        for start in (0..book.accounts.len() as u32).step_by(ACCOUNTS_A_BATCH as usize) {
            let batch = make_batch((&view, steps, books), start, check, buffers.take(), &mut compressor);
            let batch = batch.map_err(BookError::Store)?;
            let of_batch = (start..).zip(&batch.accounts);
            rejected.extend(of_batch.filter(|(_, made)| made.payload.is_none()).map(|(account, _)| account));
            if sender.send(Ok(Handed::Batch(batch))).is_err() {
                return Ok(false);
            }
        }
    }
    for account in rejected {
        book.reject(account);
    }
    let mut buckets = Buckets::new(&books.stage.tables);
    book.count(books.stage, &mut buckets);
    let end = BookEnd {
        buckets,
        findings: std::mem::take(&mut book.findings),
        records: book.records().to_vec(),
        lost: book.take_lost(),
    };
    Ok(sender.send(Ok(Handed::End(end))).is_ok())
}

fn make_batch(
    (view, steps, books): (&View<'_>, &Steps<'_>, &Books<'_>),
    start: u32,
    check: &AccountCheck<'_>,
    (mut bytes, used): (Vec<u8>, Block),
    compressor: &mut Compressor,
) -> Result<Batch, StoreError> {
    bytes.clear();
    let book = view.book;
    let end = (start + ACCOUNTS_A_BATCH).min(book.accounts.len() as u32);
    let mut walk = Walk::new(view, steps, &books.codes, bytes);
    let mut empty = vec![0; book.plan.entities.len()];
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
            walk.measured.forget();
            None
        } else {
            let range = from..walk.out.len();
            let digest = Digest::of(&walk.out[range.clone()]);
            walk.out.push(b'\n');
            Some((range, digest))
        };
        let came = walk.measured.take(&mut empty);
        accounts.push(Made { key: book.accounts[account as usize].clone(), payload, findings, came });
    }
    let bytes = std::mem::take(&mut walk.out);
    Ok(Batch { block: compressor.compress(&bytes, used)?, bytes, accounts, unlisted: walk.unlisted, empty })
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
