//! What shows only where the accounts of a build meet: fingerprints while accounts are made, the truth afterwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::account::AccountKey;
use crate::assemble::{Books, Bucket, Buckets, FieldId, Row, Schema, Selection, View};
use crate::error::Error;
use crate::finding::Finding;
use crate::rules::book::{BookRules, Keys, KnownPoints, tell};
use crate::rules::overrides::Overrides;
use crate::stage::{Stage, StageError};

/// The book rules at work.
pub(super) struct BookCheck {
    rules: BookRules,
    balance: Option<FieldId>,
    known: KnownPoints,
    overrides: Overrides,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    keys: Keys,
    /// What the ledger keeps of accounts that are on their way to it.
    facts: HashMap<AccountKey, Facts, foldhash::fast::RandomState>,
}

/// What the ledger keeps of an account beside its verdict.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The fingerprints of its supply points.
    pub(super) points: Vec<u64>,
    /// What its transfer balance comes to, its sign left out.
    pub(super) pence: Option<i64>,
}

impl BookCheck {
    /// Binds the rules; `known` are the supply points that were sent before.
    pub(super) fn new(schema: &Schema, known: KnownPoints, overrides: Overrides) -> Self {
        let balance = schema.field("transfer_balance").filter(|field| Some(field.entity()) == schema.entity(""));
        Self { rules: BookRules::bind(schema), balance, known, overrides, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Whoever panicked had added whole keys.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the keys of `account`.
    pub(super) fn see(&self, account: Row<'_>) {
        let mut keys = Keys::default();
        let points = self.rules.collect(account, &mut keys);
        let balance = self.balance.and_then(|field| account.value(field).decimal());
        let pence = balance.and_then(|pounds| (pounds.abs() * Decimal::ONE_HUNDRED).round().to_i64());
        let mut seen = self.seen();
        seen.keys.append(keys);
        if let Some(key) = account.account_key() {
            seen.facts.insert(key.clone(), Facts { points, pence });
        }
    }

    /// What the ledger keeps of `account`, once.
    pub(super) fn take_facts(&self, account: &AccountKey) -> Facts {
        self.seen().facts.remove(account).unwrap_or_default()
    }

    /// What accounts share, account by account, once all were seen.
    pub(super) fn findings(&self, stage: &Stage) -> Result<BTreeMap<AccountKey, Vec<Finding>>, Error> {
        let keys = std::mem::take(&mut self.seen().keys);
        let suspects = keys.suspects(&self.known);
        if suspects.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = (0..stage.accounts.len()).filter_map(|rank| stage.accounts.key(rank));
        let books = Books::open(stage, &selection(names.filter(|key| suspects.contains(key))));
        let mut holdings = Vec::new();
        for number in 0..books.len() {
            let book = books.book(number)?;
            let view = View::new(&book).map_err(StageError::from)?;
            for account in 0..book.accounts.len() as u32 {
                self.rules.gather(view.account(account), &mut holdings);
            }
        }
        Ok(tell(holdings, &self.known, &self.overrides))
    }
}

/// How many records of each file, and of each entity, the payloads of `accounts` were made of.
pub(super) fn records_of(accounts: &[&AccountKey], stage: &Stage) -> Result<(Buckets, Vec<u64>), Error> {
    let mut records = Buckets::new(&stage.tables);
    let mut used = vec![0; stage.plan.entities.len()];
    if !accounts.is_empty() {
        let books = Books::open(stage, &selection(accounts.iter().map(|key| (*key).clone())));
        for number in 0..books.len() {
            let book = books.book(number)?;
            book.count(stage, &mut records);
            used.iter_mut().zip(book.records()).for_each(|(used, records)| *used += records);
        }
    }
    Ok((records, used))
}

/// How many records of a file move from used to rejected.
pub(super) fn moved(late: &Buckets, table: usize, file: usize) -> u64 {
    late.file(table, file).of(Bucket::Used)
}

fn selection(accounts: impl Iterator<Item = AccountKey>) -> Selection {
    let accounts = accounts.map(|key| (Some(key.supplier.to_string()), key.number.to_string())).collect();
    Selection { accounts: Some(accounts), limit: None }
}
