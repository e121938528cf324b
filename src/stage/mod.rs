//! Stage: records become columns, account by account.
//!
//! Every file is read once, region by region on all threads, parents before their children. Each cell is converted as
//! the mapping says, and each record finds its parent's record by key while it is read ([`rows`], [`keys`]); with the
//! parent comes the account, and accounts are numbered by the order of their names before anything else is read
//! ([`accounts`]). So a record's account, and its partition, a range of accounts, are known at once, and the rows are
//! written away by partition as soon as a stretch of a file is read ([`piece`], [`spill`]). What stays in memory is an
//! index of the keys of tables that have children, and little else; how large the extract is does not matter.
//!
//! What an earlier build staged is used again as far as nothing has changed since ([`saved`]).
//!
//! A partition is read back as a [`StagedTable`] for each table: a polars frame of numbers ([`column`]). Nothing is
//! dropped: a record that is quarantined, a duplicate or without an account is told by number, so that every record of
//! a file is accounted for.
//!
//! Looking up parents in an index while reading costs less than a join of frames afterwards: the keys of the children,
//! most of the text of an extract, are never stored.
//!
//! Knows nothing of payloads: that is for assemble.

pub mod accounts;
mod batch;
pub mod column;
mod duplicates;
pub mod faults;
mod joined;
pub mod keys;
pub mod lines;
mod load;
pub mod money;
mod partition;
mod piece;
pub mod promised;
mod reading;
mod reshape;
pub mod rows;
mod saved;
mod seen;
mod spill;

use std::path::PathBuf;
use std::sync::Arc;

use polars::prelude::PolarsError;
use serde::{Deserialize, Serialize};

use crate::extract::control::Totals;
use crate::extract::{ExtractError, SourceFile};
use crate::finding::Cell;
use crate::mapping::Problem;
use crate::mapping::layout::Repeated;
use crate::mapping::plan::{Plan, TablePlan};
use accounts::Accounts;
use faults::FaultKind;
use lines::LineIndex;
use money::TableMoney;
use piece::Chunk;
use promised::Counted;
use reading::Partitions;
use rows::Quarantined;
use spill::Spill;

pub use joined::{JoinMiss, Missed};
pub use load::{MissingFiles, NameAccounts, Reuse, Staging, find_sources, load};
pub use partition::{Part, StagedTable};
pub use saved::{Digests, SavedStage};
pub use spill::Storage;

/// Why the extract cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A file cannot be read.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The headers do not fit the mapping.
    #[error("the extract does not fit the mapping: {} problem(s)", .0.len())]
    Headers(Vec<Problem>),
    /// A table is larger than slipway can number.
    #[error("table `{table}` has more than {limit} {what}")]
    TooLarge {
        /// The table.
        table: Arc<str>,
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// The stage's own files cannot be used.
    #[error("failed to {doing} {path}", path = path.display())]
    Storage {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The column engine refused an operation; always a defect.
    #[error("a column operation failed")]
    Columns(#[from] PolarsError),
}

/// One file of a table.
#[derive(Debug)]
pub struct StagedFile {
    /// The file.
    pub source: SourceFile,
    /// The number of its first record among the table's rows.
    pub first_row: u32,
    /// Its records, unreadable ones included.
    pub rows: u32,
    /// The same, as the reader of records counted them before anything was made of them.
    pub records_read: u64,
    /// Where they start; counted in rows, where a record may become several.
    pub lines: LineIndex,
    /// What its control records are held against.
    pub totals: Totals,
    /// What its sender had promised, counted.
    pub counted: Counted,
}

/// Two records with one key, and the ranks of their accounts; [`keys::NO_ROW`] for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameKey {
    /// The later one.
    pub row: u32,
    /// Its account.
    pub account: u32,
    /// The first one.
    pub first: u32,
    /// Its account.
    pub first_account: u32,
}

/// A record without an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// The record.
    pub row: u32,
    /// Whether an entity would take it, if its parent were there.
    pub wanted: bool,
}

/// A record that names parents in two accounts; it is read as the first one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torn {
    /// The record.
    pub row: u32,
    /// Whose it is.
    pub account: u32,
    /// Whose it would be as well.
    pub other: u32,
}

/// An extract, read.
#[derive(Debug)]
pub struct Stage {
    /// What it was read by.
    pub plan: Arc<Plan>,
    /// The tables.
    pub tables: Vec<Arc<TableStage>>,
    /// The accounts, by rank.
    pub accounts: Accounts,
    partitions: Partitions,
    kinds: Arc<[FaultKind]>,
}

/// A table whose files have been read.
#[derive(Debug)]
pub struct TableStage {
    /// Its files, by name.
    pub files: Vec<StagedFile>,
    /// All records of all files.
    pub rows: u32,
    /// Unreadable records, by row.
    pub quarantined: Vec<Quarantined>,
    /// Records without an account, by row.
    pub strays: Vec<Stray>,
    /// Records of two accounts, by row.
    pub torn: Vec<Torn>,
    /// Records that stand twice, to the byte.
    pub duplicates: Vec<SameKey>,
    /// Different records with one key.
    pub conflicts: Vec<SameKey>,
    /// Records that found none of another table, by row.
    pub misses: Vec<JoinMiss>,
    /// The tables that its records join, by join.
    joined: Vec<Arc<TableStage>>,
    /// What the columns of its rows are called in its files.
    naming: Naming,
    /// The pieces: the number of the record before the first of each.
    firsts: Vec<u32>,
    /// The pieces: the chunk of each partition.
    chunks: Vec<Vec<Chunk>>,
    spill: Spill,
    /// Its money.
    pub money: TableMoney,
}

impl TableStage {
    /// The file of `row`.
    #[must_use]
    pub fn file(&self, row: u32) -> &StagedFile {
        &self.files[self.file_number(row)]
    }

    /// The number of the file of `row`.
    #[must_use]
    pub fn file_number(&self, row: u32) -> usize {
        self.files.partition_point(|file| file.first_row <= row).saturating_sub(1)
    }

    /// The joins that found no record for `row`.
    pub fn missed(&self, row: u32) -> impl Iterator<Item = &JoinMiss> {
        let first = self.misses.partition_point(|miss| miss.row < row);
        self.misses[first..].iter().take_while(move |miss| miss.row == row)
    }

    /// The records that `miss` nearly found, or could not choose between.
    pub fn near(&self, miss: &JoinMiss) -> impl Iterator<Item = Cell> {
        let table = self.joined.get(miss.join as usize);
        miss.near.into_iter().filter(|row| *row != keys::NO_ROW).filter_map(move |row| Some(table?.cell(row, None)))
    }

    /// Where record `row` stands.
    #[must_use]
    pub fn cell(&self, row: u32, column: Option<Arc<str>>) -> Cell {
        let file = self.file(row);
        let row = u64::from(row - file.first_row);
        let (record, line) = (row / self.naming.rows, file.lines.line(row) / self.naming.rows);
        let column = column.map(|column| self.naming.name(column, row, &file.source.header));
        Cell { file: file.source.name.clone(), record: record + 1, line: line + 1, column }
    }
}

/// What the columns of a table's rows are called in its files.
#[derive(Debug)]
struct Naming {
    /// How many rows a record may become.
    rows: u64,
    /// For each of them, the columns that are its own, and what they are called in the file.
    repeated: Vec<Vec<(Arc<str>, Arc<str>)>>,
    /// Whether the names are the mapping's, because the files have no header.
    by_position: bool,
}

impl Naming {
    fn new(plan: &TablePlan) -> Self {
        let mut repeated = Vec::new();
        if let Some(reshape) = &plan.reshape {
            for group in &reshape.repeat {
                let named = reshape.repeated.iter().zip(group).filter_map(|(name, cell)| match cell {
                    Repeated::Column(column, _) => Some((name.as_str().into(), column.as_str().into())),
                    Repeated::Constant(_) => None,
                });
                repeated.push(named.collect());
            }
        }
        Self { rows: plan.rows_per_record() as u64, repeated, by_position: !plan.header.is_empty() }
    }

    /// What column `name` of `row`, counted from the first of its file, is called there: with its place, where the file
    /// does not say its name.
    fn name(&self, name: Arc<str>, row: u64, header: &[String]) -> Arc<str> {
        let group = self.repeated.get((row % self.rows) as usize).into_iter().flatten();
        let own = group.clone().find(|(known, _)| *known == name).map(|(_, column)| column.clone());
        let name = own.unwrap_or(name);
        match header.iter().position(|known| **known == *name) {
            Some(at) if self.by_position => format!("{name} [{}]", at + 1).into(),
            _ => name,
        }
    }
}

/// The name of the file of table `number`'s rows.
fn rows_name(number: usize) -> String {
    format!("{number}.rows")
}

/// The name of the file of table `number`'s keys.
fn index_name(number: usize) -> String {
    format!("{number}.index")
}
