//! Records that share a key: the same record twice, or different records.
//!
//! Keys are compared by fingerprint first. While records are read, a filter says which fingerprints may have come
//! before ([`super::seen`]); then all fingerprints are looked through for those. The few that do agree are read again
//! from their files, and their keys and bytes compared in full.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use csv::ByteRecord;
use hashbrown::HashSet;
use rayon::prelude::*;

use super::reading::{ReadRegion, TableReading};
use super::reshape::{RowSink, text_of};
use super::spill::Spill;
use super::{SameKey, StageError};
use crate::extract::record::{RecordSink, Unreadable};
use crate::mapping::plan::{Input, TablePlan};

/// The fingerprints of a piece, written away.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyBlock {
    offset: u64,
    rows: usize,
    /// The number of the record before the piece's first.
    pub(super) first_row: u32,
}

/// How many bytes of a block a record has: fingerprint, record, account.
const RECORD_BYTES: usize = 16;

impl KeyBlock {
    /// Writes a block.
    pub(super) fn write(
        spill: &Spill,
        fingerprints: &[u64],
        records: &[u32],
        accounts: &[u32],
    ) -> Result<Self, StageError> {
        let mut block = Vec::with_capacity(fingerprints.len() * RECORD_BYTES);
        for ((fingerprint, record), account) in fingerprints.iter().zip(records).zip(accounts) {
            block.extend_from_slice(&fingerprint.to_le_bytes());
            block.extend_from_slice(&record.to_le_bytes());
            block.extend_from_slice(&account.to_le_bytes());
        }
        Ok(Self { offset: spill.append(&block)?, rows: fingerprints.len(), first_row: 0 })
    }

    /// The records whose fingerprint is one of `wanted`.
    fn among(&self, spill: &Spill, wanted: &Wanted) -> Result<Vec<Named>, StageError> {
        let mut block = vec![0; self.rows * RECORD_BYTES];
        spill.read(self.offset, &mut block)?;
        let mut found = Vec::new();
        for record in block.as_chunks::<RECORD_BYTES>().0 {
            let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| record[at + byte]));
            let fingerprint = u64::from(number(0)) | u64::from(number(4)) << 32;
            if wanted.contains(&fingerprint) {
                found.push(Named { fingerprint, row: self.first_row + number(8), account: number(12) });
            }
        }
        Ok(found)
    }
}

/// Fingerprints are hashes already.
type Wanted = HashSet<u64, foldhash::fast::FixedState>;

/// A record and the fingerprint of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    fingerprint: u64,
    row: u32,
    account: u32,
}

/// The records that share a key with an earlier one.
#[derive(Default)]
pub(super) struct Same {
    pub(super) duplicates: Vec<SameKey>,
    pub(super) conflicts: Vec<SameKey>,
}

/// Finds them among the records of `regions`, whose rows are `spans`.
pub(super) fn find(
    reading: &TableReading<'_>,
    regions: &[ReadRegion],
    spans: &[Range<u32>],
) -> Result<Same, StageError> {
    let Some(spill) = reading.key_spill() else { return Ok(Same::default()) };
    let pieces = || regions.iter().flat_map(|region| &region.pieces);
    let wanted: Wanted = pieces().flat_map(|piece| piece.repeated.iter().copied()).collect();
    if wanted.is_empty() {
        return Ok(Same::default());
    }
    let blocks: Vec<KeyBlock> = pieces().filter_map(|piece| piece.key_block).collect();
    let found: Vec<Vec<Named>> =
        blocks.par_iter().map(|block| block.among(spill, &wanted)).collect::<Result<_, _>>()?;
    let mut named: Vec<Named> = found.into_iter().flatten().collect();
    named.par_sort_unstable();
    let mut rows: Vec<(u32, u32)> = named
        .chunk_by(|a, b| a.fingerprint == b.fingerprint)
        .filter(|group| group.len() > 1)
        .flatten()
        .map(|named| (named.row, named.account))
        .collect();
    if rows.is_empty() {
        return Ok(Same::default());
    }
    rows.sort_unstable();
    Ok(compare(fetch(reading, spans, &rows)?))
}

/// Tells duplicates and conflicts among records that may share keys.
fn compare(found: Vec<Found>) -> Same {
    let mut by_key: BTreeMap<Vec<Vec<u8>>, Vec<Found>> = BTreeMap::new();
    for mut record in found {
        by_key.entry(std::mem::take(&mut record.key)).or_default().push(record);
    }
    let mut same = Same::default();
    for mut records in by_key.into_values() {
        records.sort_by_key(|record| record.row);
        let first = &records[0];
        let pair = |one: &Found, other: &Found| SameKey {
            row: one.row,
            account: one.account,
            first: other.row,
            first_account: other.account,
        };
        let mut kept: HashMap<&[u8], Vec<&Found>> = HashMap::new();
        for record in &records {
            let alike = kept.entry(record.record.as_slice()).or_default();
            if let Some(original) = alike.iter().find(|known| known.record == record.record) {
                same.duplicates.push(pair(record, original));
            } else {
                if record.row != first.row {
                    same.conflicts.push(pair(record, first));
                }
                alike.push(record);
            }
        }
    }
    same.duplicates.sort_by_key(|same| same.row);
    same.conflicts.sort_by_key(|same| same.row);
    same
}

/// Reads the records `rows` (ascending, with their accounts) again.
fn fetch(reading: &TableReading<'_>, spans: &[Range<u32>], rows: &[(u32, u32)]) -> Result<Vec<Found>, StageError> {
    let wanted: Vec<(usize, &[(u32, u32)])> = spans
        .iter()
        .enumerate()
        .map(|(region, span)| {
            let start = rows.partition_point(|(row, _)| *row < span.start);
            let end = rows.partition_point(|(row, _)| *row < span.end);
            (region, &rows[start..end])
        })
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let found: Vec<Vec<_>> = wanted
        .into_par_iter()
        .map(|(number, rows)| {
            let cells = &reading.files.cells[reading.files.regions[number].0];
            let mut fetch = Fetch { next: spans[number].start, rows, plan: reading.plan, cells, found: Vec::new() };
            reading.files.read(number, &mut Vec::new(), &mut fetch)?;
            Ok(fetch.found)
        })
        .collect::<Result<_, StageError>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// A record read again.
struct Found {
    row: u32,
    account: u32,
    key: Vec<Vec<u8>>,
    record: ByteRecord,
}

/// Keeps some records of a region.
struct Fetch<'r> {
    next: u32,
    rows: &'r [(u32, u32)],
    plan: &'r TablePlan,
    /// Where the columns that are read lie.
    cells: &'r [usize],
    found: Vec<Found>,
}

impl Fetch<'_> {
    /// The key of a record; where a part of it is made of other texts, the cells that it is made of.
    fn key(&self, record: &ByteRecord) -> Vec<Vec<u8>> {
        if self.plan.key.iter().any(Input::is_made) {
            return self.plan.key_columns.iter().map(|column| record[self.cells[*column]].to_vec()).collect();
        }
        let trim = self.plan.dialect.trim;
        self.plan
            .key
            .iter()
            .map(|input| text_of(record, self.cells, input, trim).unwrap_or_default().to_vec())
            .collect()
    }
}

impl RecordSink for Fetch<'_> {
    fn record(&mut self, _line: u64, cells: &mut ByteRecord) {
        if let Some((row, account)) = self.rows.first().copied()
            && row == self.next
        {
            self.rows = &self.rows[1..];
            let key = self.key(cells);
            self.found.push(Found { row, account, key, record: cells.clone() });
        }
        self.next += 1;
    }

    fn quarantine(&mut self, _line: u64, _why: Unreadable, _bytes: &[u8]) {
        self.next += 1;
    }
}

impl RowSink for Fetch<'_> {
    fn skip(&mut self, _line: u64) {
        self.next += 1;
    }
}
