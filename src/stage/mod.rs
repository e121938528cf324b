//! Stage: records become columns.
//!
//! Every file is read once, region by region on all threads, parents before their children: each cell is converted as
//! the mapping says, and each record finds its parent's record by key while it is read ([`rows`]). What comes out is a
//! [`StagedTable`] for each table: a polars frame of numbers ([`column`]), with what could not be read set aside by
//! record. Nothing is dropped: a record that is quarantined or a duplicate stays in its place, marked dead, so that
//! the number of a row is the number of its record.
//!
//! Looking up parents in an index while reading costs less than a join of frames afterwards: the keys of the children,
//! most of the text of an extract, are never stored.
//!
//! Knows nothing of payloads: that is for assemble.

pub mod column;
mod duplicates;
pub mod keys;
pub mod lines;
mod load;
mod reading;
pub mod rows;

use std::sync::Arc;

use polars::frame::DataFrame;
use polars::prelude::PolarsError;

use crate::extract::{ExtractError, SourceFile};
use crate::finding::Cell;
use crate::mapping::Problem;
use column::Texts;
use lines::LineIndex;
use rows::{CellFault, Quarantined};

pub use load::{MissingFiles, find_sources, load};

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
    /// The column engine refused an operation; always a defect.
    #[error("a column operation failed")]
    Columns(#[from] PolarsError),
}

/// What a record is before its account is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It can be used.
    Alive,
    /// It cannot be read as a record.
    Quarantined,
    /// The same record stands elsewhere.
    Duplicate,
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
    /// Where they start.
    pub lines: LineIndex,
}

/// Two records with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameKey {
    /// The later one.
    pub row: u32,
    /// The first one.
    pub first: u32,
}

/// A table whose files have been read.
#[derive(Debug)]
pub struct StagedTable {
    /// Its files, by name.
    pub files: Vec<StagedFile>,
    /// All records of all files.
    pub rows: u32,
    /// One column a leaf, named by its number.
    pub frame: DataFrame,
    /// The long texts of the frame.
    pub texts: Texts,
    /// Outcomes of the table's tests.
    pub masks: Vec<u32>,
    /// For each link, the row of the parent's table, or [`keys::NO_ROW`].
    pub parents: Vec<Vec<u32>>,
    /// What each record is.
    pub fates: Vec<Fate>,
    /// Unreadable cells, by row and leaf.
    pub faults: Vec<CellFault>,
    /// Unreadable records, by row.
    pub quarantined: Vec<Quarantined>,
    /// Records that stand twice, to the byte.
    pub duplicates: Vec<SameKey>,
    /// Different records with one key.
    pub conflicts: Vec<SameKey>,
}

impl StagedTable {
    /// The file of `row`.
    #[must_use]
    pub fn file(&self, row: u32) -> &StagedFile {
        let after = self.files.partition_point(|file| file.first_row <= row);
        &self.files[after.saturating_sub(1)]
    }

    /// Where record `row` stands.
    #[must_use]
    pub fn cell(&self, row: u32, column: Option<Arc<str>>) -> Cell {
        let file = self.file(row);
        let record = u64::from(row - file.first_row);
        Cell { file: file.source.name.clone(), record: record + 1, line: file.lines.line(record) + 1, column }
    }

    /// The fault of the cell of `row` for `leaf`.
    #[must_use]
    pub fn fault(&self, row: u32, leaf: usize) -> Option<&CellFault> {
        let at = self.faults.binary_search_by_key(&(row, leaf), |fault| (fault.row, usize::from(fault.leaf))).ok()?;
        Some(&self.faults[at])
    }
}
