//! One table being read: its regions on all threads, each as pieces that are written away as soon as they are read.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::column::Slice;
use super::duplicates::KeyBlock;
use super::faults::FaultKinds;
use super::joined::JoinMiss;
use super::keys::{KeyBytes, KeyIndex, NO_ROW};
use super::lines::LineIndex;
use super::money::MoneyColumns;
use super::piece::{Chunk, PieceRows, lay_out};
use super::promised::{ColumnSum, Counted, Counting, Wanted};
use super::reshape::{ReadRecords, TableFiles};
use super::rows::{Quarantined, Reading, RowReader, Rows, Stretch, Workspace, accounts};
use super::seen::Seen;
use super::spill::{Spill, Storage};
use super::{StageError, StagedFile, Torn};
use crate::extract::control::Totals;
use crate::mapping::plan::TablePlan;
use crate::money::Amount;

/// How accounts are put into partitions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Partitions {
    /// Partition `p` has the accounts from rank `p << shift` on.
    pub(super) shift: u32,
    /// How many there are.
    pub(super) count: usize,
}

/// A table being read.
pub(super) struct TableReading<'p> {
    number: usize,
    pub(super) plan: &'p TablePlan,
    pub(super) files: TableFiles<'p>,
    parents: Vec<Option<&'p KeyIndex>>,
    pub(super) spill: Spill,
    /// The fingerprints of the keys, if the table has one.
    keys: Option<(Seen, Spill)>,
    kinds: &'p FaultKinds,
}

/// What a thread reads into, region after region.
#[derive(Default)]
pub(super) struct Buffers {
    /// The table that `workspace` has been used for.
    table: Option<usize>,
    workspace: Workspace,
    /// The bytes of a region.
    bytes: Vec<u8>,
}

/// What is kept in memory of some consecutive records of a region.
#[derive(Default)]
pub(super) struct Piece {
    /// The number of the table's records before it; known once all regions are read.
    pub(super) first_row: u32,
    pub(super) stretch: Stretch,
    pub(super) chunks: Vec<Chunk>,
    pub(super) key_block: Option<KeyBlock>,
    /// Fingerprints that may stand elsewhere too.
    pub(super) repeated: Vec<u64>,
    /// Records that have no account, and their masks.
    pub(super) strays: Vec<(u32, u32)>,
    /// Their money: record, the slot of the table's measure, amount.
    pub(super) stray_money: Vec<(u32, usize, Amount)>,
    /// Records whose parents are of two accounts.
    pub(super) torn: Vec<Torn>,
    /// Of a table that others look up: the key and the account of each readable record.
    pub(super) keys: KeyBytes,
    pub(super) accounts: Vec<u32>,
    pub(super) records: Vec<u32>,
}

/// A region, read.
pub(super) struct ReadRegion {
    pub(super) pieces: Vec<Piece>,
    /// What there was to read.
    pub(super) read: ReadRecords,
}

/// Where a table's records are, put together from its regions.
pub(super) struct Joined {
    pub(super) files: Vec<StagedFile>,
    pub(super) rows: u32,
    /// The rows of every region.
    pub(super) spans: Vec<Range<u32>>,
    /// Rows that found no record of another table.
    pub(super) misses: Vec<JoinMiss>,
}

impl<'p> TableReading<'p> {
    pub(super) fn new(
        (number, plan): (usize, &'p TablePlan),
        files: TableFiles<'p>,
        indexes: &'p [Option<KeyIndex>],
        storage: &Storage,
        (wanted, accounts): (&Wanted, u32),
        kinds: &'p FaultKinds,
    ) -> Result<Self, StageError> {
        let mut files = files;
        files.counting = files.files.iter().map(|file| Counting::of(wanted, file, accounts)).collect();
        let parents = plan.links.iter().map(|link| indexes[link.parent].as_ref()).collect();
        let keys = if plan.key.is_empty() {
            None
        } else {
            let bytes: u64 = files.files.iter().map(|file| file.bytes).sum();
            Some((Seen::new(bytes / RECORD_BYTES), storage.scratch(&format!("{number}.keys"))?))
        };
        let spill = storage.create(&super::rows_name(number))?;
        Ok(Self { number, plan, files, parents, spill, keys, kinds })
    }

    /// Reads region `number`; `take` makes a piece of each stretch of it.
    pub(super) fn read(
        &self,
        number: usize,
        buffers: &mut Buffers,
        take: impl FnMut(Stretch, &mut Rows) -> Result<Piece, StageError>,
    ) -> Result<ReadRegion, StageError> {
        let reading = Reading {
            plan: self.plan,
            cells: &self.files.cells[self.files.regions[number].0],
            parents: &self.parents,
            seen: self.keys.as_ref().map(|(seen, _)| seen),
            kinds: self.kinds,
        };
        if buffers.table != Some(self.number) {
            buffers.workspace = Workspace::default();
            buffers.table = Some(self.number);
        }
        let mut reader = RowReader::new(reading, &mut buffers.workspace, take);
        let read = self.files.read(number, &mut buffers.bytes, &mut reader)?;
        Ok(ReadRegion { pieces: reader.finish()?, read })
    }

    /// Writes the rows of a stretch away, each into the partition of its account.
    pub(super) fn write(
        &self,
        file: usize,
        stretch: Stretch,
        rows: &mut Rows,
        partitions: Partitions,
        block: &mut Vec<u8>,
    ) -> Result<Piece, StageError> {
        let accounts = accounts(rows);
        self.files.counting[file].note(&accounts);
        let columns: Vec<Slice<'_>> = rows.columns.iter().map(super::column::Values::slice).collect();
        let mut piece = self.write_rows(
            &PieceRows {
                records: &rows.records,
                accounts: &accounts,
                masks: &rows.masks,
                parents: &rows.parents,
                columns: &columns,
                texts: &rows.texts,
                faults: &rows.faults,
            },
            0,
            partitions,
            block,
        )?;
        piece.key_block = self.key_block(&rows.fingerprints, &rows.records, &accounts)?;
        piece.stretch = stretch;
        piece.repeated = std::mem::take(&mut rows.repeated);
        if self.plan.is_parent {
            piece.keys = std::mem::take(&mut rows.keys);
            piece.accounts = accounts;
            piece.records = std::mem::take(&mut rows.records);
        }
        Ok(piece)
    }

    /// Writes rows away; `first` is the number of the record before the first of their stretch, `block` scratch space.
    pub(super) fn write_rows(
        &self,
        rows: &PieceRows<'_>,
        first: u32,
        partitions: Partitions,
        block: &mut Vec<u8>,
    ) -> Result<Piece, StageError> {
        let mut chunks = lay_out(rows, partitions.shift, partitions.count, block);
        let offset = self.spill.append(block)?;
        for chunk in &mut chunks {
            chunk.offset += offset;
        }
        let mut piece = Piece { chunks, ..Piece::default() };
        for (at, account) in rows.accounts.iter().enumerate() {
            if *account == NO_ROW {
                piece.strays.push((first + rows.records[at], rows.masks.get(at).copied().unwrap_or_default()));
            }
        }
        if !piece.strays.is_empty() && !self.plan.money.is_empty() {
            let columns = MoneyColumns::new(self.plan, rows.columns.to_vec(), rows.texts);
            for (at, _) in rows.accounts.iter().enumerate().filter(|(_, account)| **account == NO_ROW) {
                let mask = rows.masks.get(at).copied().unwrap_or_default();
                columns.each(mask, at, |_, slot, amount| {
                    piece.stray_money.push((first + rows.records[at], slot, amount));
                });
            }
        }
        if rows.parents.len() > 1 {
            for (at, account) in rows.accounts.iter().enumerate() {
                let mut others = rows.parents.iter().map(|parents| parents[at].account);
                if let Some(other) = others.find(|other| *other != NO_ROW && other != account) {
                    piece.torn.push(Torn { row: rows.records[at], account: *account, other });
                }
            }
        }
        Ok(piece)
    }

    /// Writes the fingerprints of some records away, if the table has a key.
    pub(super) fn key_block(
        &self,
        fingerprints: &[u64],
        records: &[u32],
        accounts: &[u32],
    ) -> Result<Option<KeyBlock>, StageError> {
        let written = |(_, spill): &(Seen, Spill)| KeyBlock::write(spill, fingerprints, records, accounts);
        self.keys.as_ref().map(written).transpose()
    }

    /// The key blocks' file, if the table has a key.
    pub(super) fn key_spill(&self) -> Option<&Spill> {
        self.keys.as_ref().map(|(_, spill)| spill)
    }

    /// Numbers the records of all regions; what is kept of them counts from the table's first record afterwards.
    pub(super) fn join(&self, regions: &mut [ReadRegion]) -> Result<Joined, StageError> {
        let mut files: Vec<StagedFile> = Vec::with_capacity(self.files.files.len());
        let mut spans = Vec::with_capacity(regions.len());
        let mut misses = Vec::new();
        let (mut row, mut lines) = (0_u64, 0);
        let mut sums: Vec<Vec<ColumnSum>> = vec![Vec::new(); self.files.files.len()];
        let rows_per_record = self.plan.rows_per_record() as u64;
        for (&(file, _), region) in self.files.regions.iter().zip(regions) {
            if file == files.len() {
                let source = self.files.files[file].clone();
                lines = source.header_lines;
                let first_row = row as u32;
                files.push(StagedFile {
                    source,
                    first_row,
                    rows: 0,
                    records_read: 0,
                    lines: LineIndex::default(),
                    totals: Totals::default(),
                    counted: Counted::default(),
                });
            }
            let staged = &mut files[file];
            staged.records_read += region.read.records;
            staged.totals.append(std::mem::take(&mut region.read.totals), lines);
            let found = std::mem::take(&mut region.read.misses).into_iter();
            misses.extend(found.map(|miss| JoinMiss { row: row as u32 + miss.row, ..miss }));
            let promised = &region.read.promised;
            sums[file].resize(promised.len(), ColumnSum::default());
            sums[file].iter_mut().zip(promised).for_each(|(sum, of_region)| sum.merge(of_region));
            let first = row;
            for piece in &mut region.pieces {
                let base = row as u32;
                staged.lines.append(&piece.stretch.lines, row - u64::from(staged.first_row), lines * rows_per_record);
                staged.rows += piece.stretch.records;
                row += u64::from(piece.stretch.records);
                if row >= u64::from(NO_ROW) {
                    let limit = u64::from(NO_ROW) - 1;
                    return Err(StageError::TooLarge { table: self.plan.name.clone(), what: "records", limit });
                }
                piece.first_row = base;
                piece.stretch.quarantined.iter_mut().for_each(|record: &mut Quarantined| record.row += base);
                piece.strays.iter_mut().for_each(|(record, _)| *record += base);
                piece.stray_money.iter_mut().for_each(|(record, ..)| *record += base);
                piece.torn.iter_mut().for_each(|torn| torn.row += base);
                if let Some(block) = &mut piece.key_block {
                    block.first_row = base;
                }
            }
            spans.push(first as u32..row as u32);
            lines += region.read.lines;
        }
        for ((staged, counting), sums) in files.iter_mut().zip(&self.files.counting).zip(&sums) {
            staged.counted = counting.counted(sums);
        }
        Ok(Joined { files, rows: row as u32, spans, misses })
    }
}

/// About how long a record is at the least, in bytes: for the size of a filter.
const RECORD_BYTES: u64 = 48;
