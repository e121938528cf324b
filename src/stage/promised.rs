//! What the sender promises of a file beside its records, counted while it is read: the sums of columns, whatever the
//! mapping makes of them, and the accounts that its records belong to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::keys::NO_ROW;
use crate::extract::SourceFile;
use crate::extract::record::{RecordSink, Unreadable};
use crate::money::{Amount, Total};

/// What is to be counted, by file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(pub BTreeMap<String, WantedOfFile>);

/// What is to be counted of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedOfFile {
    /// The columns whose cells are added up.
    pub sums: Vec<String>,
    /// Whether accounts are counted.
    pub accounts: bool,
}

/// What was counted of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// By column, as it was wanted; one that the file has not is left out.
    pub sums: BTreeMap<String, ColumnSum>,
    /// Accounts that its records belong to; none: they were not counted.
    pub accounts: Option<u64>,
}

impl Counted {
    /// Adds what was counted of the same file by another table. Accounts of both are not told apart: the larger number
    /// stands.
    pub fn merge(&mut self, other: &Self) {
        for (column, sum) in &other.sums {
            self.sums.entry(column.clone()).or_default().merge(sum);
        }
        self.accounts = self.accounts.max(other.accounts);
    }
}

/// What the cells of a column come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSum {
    /// Of cells that are numbers.
    pub total: Total,
    /// Cells that are neither blank nor numbers.
    pub unreadable: u64,
}

/// Adds up cells on their way to `sink`.
pub(super) struct Summing<'s, S> {
    pub(super) sink: &'s mut S,
    /// Which cells.
    pub(super) cells: &'s [usize],
    /// What they come to.
    pub(super) sums: Vec<ColumnSum>,
}

impl<S: RecordSink> RecordSink for Summing<'_, S> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        for (sum, at) in self.sums.iter_mut().zip(self.cells) {
            sum.add(cells.get(*at).unwrap_or_default());
        }
        self.sink.record(line, cells);
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        self.sink.quarantine(line, why, bytes);
    }
}

/// A file of a table being read, as far as something was promised of it.
#[derive(Debug, Default)]
pub(super) struct Counting {
    columns: Vec<String>,
    cells: Vec<usize>,
    /// A bit an account.
    accounts: Option<Vec<AtomicU64>>,
}

impl Counting {
    /// What `wanted` asks of `file`, of an extract with so many accounts.
    pub(super) fn of(wanted: &Wanted, file: &SourceFile, accounts: u32) -> Self {
        let Some(wanted) = wanted.0.get(&*file.name) else { return Self::default() };
        let place = |column: &String| Some((column.clone(), file.header.iter().position(|name| name == column)?));
        let (columns, cells) = wanted.sums.iter().filter_map(place).unzip();
        let bits = || (0..accounts.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { columns, cells, accounts: wanted.accounts.then(bits) }
    }

    /// The cells to add up.
    pub(super) fn cells(&self) -> &[usize] {
        &self.cells
    }

    /// Whether accounts are counted.
    pub(super) fn wants_accounts(&self) -> bool {
        self.accounts.is_some()
    }

    /// Notes the accounts of some records.
    pub(super) fn note(&self, ranks: &[u32]) {
        let Some(bits) = &self.accounts else { return };
        for rank in ranks.iter().filter(|rank| **rank != NO_ROW) {
            if let Some(word) = bits.get(*rank as usize / 64) {
                word.fetch_or(1 << (rank % 64), Ordering::Relaxed);
            }
        }
    }

    /// What was counted; `sums` are those of all regions.
    pub(super) fn counted(&self, sums: &[ColumnSum]) -> Counted {
        let ones =
            |bits: &Vec<AtomicU64>| bits.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum();
        Counted {
            sums: self.columns.iter().cloned().zip(sums.iter().copied()).collect(),
            accounts: self.accounts.as_ref().map(ones),
        }
    }
}

impl ColumnSum {
    /// Adds a cell; a blank one is nothing.
    pub(super) fn add(&mut self, cell: &[u8]) {
        match cell.trim_ascii() {
            b"" => {}
            text => match Amount::read(text, 0) {
                Some(amount) => self.total.add(amount),
                None => self.unreadable += 1,
            },
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.unreadable += other.unreadable;
    }
}
