//! Records that share a key: the same record twice, or different records.
//!
//! Keys are compared by fingerprint first, in one sort of numbers. Those few that agree are read again from their
//! files, and their keys and bytes compared in full.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use csv::ByteRecord;
use polars::prelude::{ChunkSort as _, NewChunkedArray as _, UInt64Chunked};
use rayon::prelude::*;

use super::reading::TableReading;
use super::{SameKey, StageError};
use crate::extract::record::{RecordSink, Unreadable};
use crate::extract::region;

/// Finds records again: the rows of every region of a table.
pub(super) struct RowsAt<'r, 'p> {
    pub(super) reading: &'r TableReading<'p>,
    pub(super) spans: &'r [Range<u32>],
}

/// The records that share a key with an earlier one.
#[derive(Default)]
pub(super) struct Same {
    pub(super) duplicates: Vec<SameKey>,
    pub(super) conflicts: Vec<SameKey>,
}

/// Finds them by the fingerprints of their keys; 0 is no key.
pub(super) fn find(at: &RowsAt<'_, '_>, fingerprints: Vec<u64>) -> Result<Same, StageError> {
    let shared = shared(&fingerprints)?;
    if shared.is_empty() {
        return Ok(Same::default());
    }
    let rows: Vec<u32> = (0_u32..)
        .zip(&fingerprints)
        .filter(|(_, fingerprint)| shared.contains(fingerprint))
        .map(|(row, _)| row)
        .collect();
    drop(fingerprints);
    let mut by_key: BTreeMap<Vec<Vec<u8>>, Vec<(u32, ByteRecord)>> = BTreeMap::new();
    for Found { row, key, record } in at.fetch(&rows)? {
        by_key.entry(key).or_default().push((row, record));
    }
    let mut same = Same::default();
    for mut records in by_key.into_values() {
        records.sort_by_key(|(row, _)| *row);
        let first = records[0].0;
        let mut kept: HashMap<&[u8], Vec<(&ByteRecord, u32)>> = HashMap::new();
        for (row, record) in &records {
            let alike = kept.entry(record.as_slice()).or_default();
            if let Some((_, original)) = alike.iter().find(|(known, _)| *known == record) {
                same.duplicates.push(SameKey { row: *row, first: *original });
            } else {
                if *row != first {
                    same.conflicts.push(SameKey { row: *row, first });
                }
                alike.push((record, *row));
            }
        }
    }
    same.duplicates.sort_by_key(|same| same.row);
    same.conflicts.sort_by_key(|same| same.row);
    Ok(same)
}

/// The fingerprints that stand more than once.
fn shared(fingerprints: &[u64]) -> Result<HashSet<u64>, StageError> {
    let sorted = UInt64Chunked::from_slice("fingerprint".into(), fingerprints).sort(false).rechunk().into_owned();
    let sorted = sorted.cont_slice()?;
    Ok(sorted.windows(2).filter(|pair| pair[0] == pair[1] && pair[0] != 0).map(|pair| pair[0]).collect())
}

impl RowsAt<'_, '_> {
    /// Reads the records `rows` (ascending) again: row, key and cells of each.
    fn fetch(&self, rows: &[u32]) -> Result<Vec<Found>, StageError> {
        let wanted: Vec<(usize, &[u32])> = self
            .spans
            .iter()
            .enumerate()
            .map(|(region, span)| {
                let start = rows.partition_point(|row| *row < span.start);
                let end = rows.partition_point(|row| *row < span.end);
                (region, &rows[start..end])
            })
            .filter(|(_, rows)| !rows.is_empty())
            .collect();
        let found: Vec<Vec<_>> = wanted
            .into_par_iter()
            .map(|(number, rows)| {
                let (file, region) = self.reading.regions[number];
                let header = &self.reading.files[file].header;
                let plan = self.reading.plan;
                let names = plan.key_columns.iter().map(|column| &*plan.reads[*column].name);
                let key = names.filter_map(|name| header.iter().position(|known| known == name)).collect();
                let mut fetch = Fetch { next: self.spans[number].start, rows, key, found: Vec::new() };
                let shape = self.reading.shape(file);
                region::read(&self.reading.files[file], region, &shape, &mut Vec::new(), &mut fetch)?;
                Ok(fetch.found)
            })
            .collect::<Result<_, StageError>>()?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// A record read again.
struct Found {
    row: u32,
    key: Vec<Vec<u8>>,
    record: ByteRecord,
}

/// Keeps some records of a region.
struct Fetch<'r> {
    next: u32,
    rows: &'r [u32],
    key: Vec<usize>,
    found: Vec<Found>,
}

impl RecordSink for Fetch<'_> {
    fn record(&mut self, _line: u64, cells: &ByteRecord) {
        if self.rows.first() == Some(&self.next) {
            self.rows = &self.rows[1..];
            let key = self.key.iter().map(|cell| cells[*cell].to_vec()).collect();
            self.found.push(Found { row: self.next, key, record: cells.clone() });
        }
        self.next += 1;
    }

    fn quarantine(&mut self, _line: u64, _why: Unreadable, _bytes: &[u8]) {
        self.next += 1;
    }
}
