//! Buckets: every record of a file is in exactly one, the first that fits.

use std::sync::Arc;

use crate::stage::TableStage;

/// What became of a record: the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// It cannot be read as a record.
    Quarantined,
    /// It stands elsewhere, to the byte.
    Duplicate,
    /// Its parent is lost or missing.
    Orphaned,
    /// Its account is not of this wave.
    NotSelected,
    /// The mapping leaves it out.
    Filtered,
    /// Its account is rejected.
    Rejected,
    /// It is in a payload, as far as it says anything that a payload holds.
    Used,
}

/// The records of a file, counted by bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileBuckets([u64; 7]);

impl FileBuckets {
    /// How many are in `bucket`.
    #[must_use]
    pub fn of(&self, bucket: Bucket) -> u64 {
        self.0[bucket as usize]
    }

    /// How many are in any.
    pub(super) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, bucket: Bucket, records: u64) {
        self.0[bucket as usize] += records;
    }
}

/// The records of an extract, counted by table, file and bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets(Vec<Vec<FileBuckets>>);

impl Buckets {
    /// Nothing counted, of the files of `tables`.
    #[must_use]
    pub fn new(tables: &[Arc<TableStage>]) -> Self {
        Self(tables.iter().map(|table| vec![FileBuckets::default(); table.files.len()]).collect())
    }

    /// The files of a table.
    pub(super) fn of_table(&mut self, table: usize) -> &mut [FileBuckets] {
        &mut self.0[table]
    }

    /// File `file` of table `table`.
    #[must_use]
    pub fn file(&self, table: usize, file: usize) -> &FileBuckets {
        &self.0[table][file]
    }

    /// Adds what `other` counted of the same files.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            mine.0.iter_mut().zip(theirs.0).for_each(|(mine, theirs)| *mine += theirs);
        }
    }
}
