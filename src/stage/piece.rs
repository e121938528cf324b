//! Pieces: the rows of a stretch of a file, sorted into the partitions of their accounts and written away.
//!
//! A piece lies in its table's spill file as one block, a chunk for each partition that has any of its rows:
//!
//! | part of a chunk | bytes |
//! | --- | --- |
//! | record; account; mask, if the table has tests; place of the parent, for each link; value, for each leaf | packed |
//! | row, leaf and kind of each fault | 12 a fault |
//! | length of each chunk of long texts, then the texts | 4 a chunk, and as many as there are |
//!
//! All numbers are little-endian. Those of a column are much alike, so of each only the bytes are kept in which they are
//! not: which bytes these are (1 byte), the first number (8 bytes), then byte by byte those of all rows. Most columns take
//! one to three bytes a row, and what is not written need not be read. A chunk's rows are in the order of the file, and
//! the pieces of a table are known in that order, so a row's place in its partition is known before the partition is
//! read.

use serde::{Deserialize, Serialize};

use super::column::{Slice, Texts};
use super::keys::{NO_ROW, Place};
use super::rows::CellFault;

/// Where a chunk lies in its table's spill file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) rows: u32,
    pub(super) faults: u32,
    pub(super) texts: u32,
    pub(super) text_bytes: u32,
}

/// The rows of a piece, borrowed.
pub(super) struct PieceRows<'r> {
    pub(super) records: &'r [u32],
    /// The account of each; [`NO_ROW`] for one that is not written.
    pub(super) accounts: &'r [u32],
    /// Empty, if the table has no tests.
    pub(super) masks: &'r [u32],
    pub(super) parents: &'r [Vec<Place>],
    pub(super) columns: &'r [Slice<'r>],
    pub(super) texts: &'r Texts,
    /// By row.
    pub(super) faults: &'r [CellFault],
}

/// The rows of each partition: `rows[starts[p]..starts[p + 1]]`.
struct Partitioned {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

fn partition(accounts: &[u32], shift: u32, partitions: usize) -> Partitioned {
    let mut starts = vec![0_u32; partitions + 1];
    let of = |account: u32| (account >> shift) as usize;
    for account in accounts.iter().filter(|account| **account != NO_ROW) {
        starts[of(*account) + 1] += 1;
    }
    for at in 0..partitions {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; starts[partitions] as usize];
    for (row, account) in (0..).zip(accounts) {
        if *account != NO_ROW {
            let slot = &mut next[of(*account)];
            rows[*slot as usize] = row;
            *slot += 1;
        }
    }
    Partitioned { starts, rows }
}

/// Lays `piece` out in `block`, replacing what is there; gives the chunk of each partition, offsets counted from the
/// block's start. Partition `p` has the accounts from `p << shift` on.
pub(super) fn lay_out(piece: &PieceRows<'_>, shift: u32, partitions: usize, block: &mut Vec<u8>) -> Vec<Chunk> {
    block.clear();
    let parted = partition(piece.accounts, shift, partitions);
    let mut chunks = vec![Chunk::default(); partitions];
    let mut numbers = Vec::new();
    for (chunk, bounds) in chunks.iter_mut().zip(parted.starts.windows(2)) {
        let rows = &parted.rows[bounds[0] as usize..bounds[1] as usize];
        if rows.is_empty() {
            continue;
        }
        let start = block.len();
        chunk.rows = rows.len() as u32;
        let mut column = Column { block: &mut *block, rows, numbers: &mut numbers };
        column.put(|row| u64::from(piece.records[row]));
        column.put(|row| u64::from(piece.accounts[row]));
        if !piece.masks.is_empty() {
            column.put(|row| u64::from(piece.masks[row]));
        }
        for parents in piece.parents {
            column.put(|row| u64::from(parents[row].place));
        }
        let mut texts = Texts::default();
        for values in piece.columns {
            match values {
                Slice::Text(values) => column.put(|row| texts.copy(piece.texts, values[row])),
                Slice::Code(values) => column.put(|row| u64::from(values[row])),
                Slice::Date(values) => column.put(|row| u64::from(values[row].cast_unsigned())),
                Slice::Number(values) => column.put(|row| values[row].cast_unsigned()),
            }
        }
        if !piece.faults.is_empty() {
            chunk.faults = put_faults(block, rows, piece.faults);
        }
        for text in texts.chunks() {
            block.extend_from_slice(&(text.len() as u32).to_le_bytes());
        }
        for text in texts.chunks() {
            block.extend_from_slice(text);
        }
        chunk.texts = texts.chunks().len() as u32;
        chunk.text_bytes = texts.bytes() as u32;
        chunk.offset = start as u64;
        chunk.bytes = (block.len() - start) as u32;
    }
    chunks
}

/// Columns of some rows being written.
struct Column<'c> {
    block: &'c mut Vec<u8>,
    rows: &'c [u32],
    /// Scratch space.
    numbers: &'c mut Vec<u64>,
}

impl Column<'_> {
    /// Appends the number that `number` gives for each row.
    fn put(&mut self, mut number: impl FnMut(usize) -> u64) {
        self.numbers.clear();
        self.numbers.extend(self.rows.iter().map(|row| number(*row as usize)));
        pack(self.block, self.numbers);
    }
}

/// Appends `numbers`, of which there is one, to `block`.
fn pack(block: &mut Vec<u8>, numbers: &[u64]) {
    let base = numbers[0];
    let differing = numbers.iter().fold(0, |differing, number| differing | (number ^ base));
    let lanes = differing.to_le_bytes().iter().rev().fold(0, |lanes, byte| lanes << 1 | u8::from(*byte != 0));
    block.push(lanes);
    block.extend_from_slice(&base.to_le_bytes());
    for lane in lanes_of(lanes) {
        block.extend(numbers.iter().map(|number| (number >> (8 * lane)) as u8));
    }
}

/// The bytes that the bits of `lanes` stand for.
fn lanes_of(lanes: u8) -> impl Iterator<Item = u32> {
    (0..8).filter(move |lane| lanes >> lane & 1 == 1)
}

fn put_faults(block: &mut Vec<u8>, rows: &[u32], faults: &[CellFault]) -> u32 {
    let mut count = 0;
    for (at, row) in (0_u32..).zip(rows) {
        let first = faults.partition_point(|fault| fault.row < *row);
        for fault in faults[first..].iter().take_while(|fault| fault.row == *row) {
            for number in [at, fault.leaf, fault.kind] {
                block.extend_from_slice(&number.to_le_bytes());
            }
            count += 1;
        }
    }
    count
}

/// Which rows of a chunk are read.
#[derive(Clone, Copy)]
pub(super) enum Pick<'k> {
    All,
    /// Those, ascending.
    Some(&'k [u32]),
}

impl Pick<'_> {
    /// Where row `row` of the chunk goes among those that are read.
    pub(super) fn place(self, row: u32) -> Option<u32> {
        match self {
            Self::All => Some(row),
            Self::Some(kept) => kept.binary_search(&row).ok().map(|at| at as u32),
        }
    }
}

/// A chunk being read, part by part in the order of its layout.
#[derive(Clone)]
pub(super) struct ChunkReader<'b> {
    rest: &'b [u8],
    rows: usize,
}

impl<'b> ChunkReader<'b> {
    /// A reader of the numbers of `chunk`, and one of its faults and texts.
    pub(super) fn new(bytes: &'b [u8], chunk: &Chunk) -> (Self, Self) {
        let tail = 12 * chunk.faults as usize + 4 * chunk.texts as usize + chunk.text_bytes as usize;
        let (numbers, tail) = bytes.split_at(bytes.len() - tail);
        let reader = |rest| Self { rest, rows: chunk.rows as usize };
        (reader(numbers), reader(tail))
    }

    fn take(&mut self, bytes: usize) -> &'b [u8] {
        let (part, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        part
    }

    /// Passes over the numbers of the next column.
    pub(super) fn skip_numbers(&mut self) {
        let lanes = self.take(1)[0];
        self.take(8 + lanes.count_ones() as usize * self.rows);
    }

    /// The numbers of the next column, in the place of those in `numbers`.
    pub(super) fn numbers(&mut self, pick: Pick<'_>, numbers: &mut Vec<u64>) {
        let lanes = self.take(1)[0];
        let base = self.take(8).first_chunk().map_or(0, |base| u64::from_le_bytes(*base));
        let differing = lanes_of(lanes).fold(0, |differing, lane| differing | 0xff << (8 * lane));
        numbers.clear();
        let count = if let Pick::Some(kept) = pick { kept.len() } else { self.rows };
        numbers.resize(count, base & !differing);
        for lane in lanes_of(lanes) {
            let bytes = self.take(self.rows);
            match pick {
                Pick::All => {
                    for (number, byte) in numbers.iter_mut().zip(bytes) {
                        *number |= u64::from(*byte) << (8 * lane);
                    }
                }
                Pick::Some(kept) => {
                    for (number, row) in numbers.iter_mut().zip(kept) {
                        *number |= u64::from(bytes[*row as usize]) << (8 * lane);
                    }
                }
            }
        }
    }

    pub(super) fn faults(&mut self, count: u32) -> impl Iterator<Item = CellFault> + use<'b> {
        let (faults, _) = self.take(12 * count as usize).as_chunks::<12>();
        let number = |bytes: &[u8; 12], at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        faults.iter().map(move |fault| CellFault {
            row: number(fault, 0),
            leaf: number(fault, 4),
            kind: number(fault, 8),
        })
    }

    pub(super) fn texts(&mut self, count: u32) -> Vec<&'b [u8]> {
        let (lengths, _) = self.take(4 * count as usize).as_chunks::<4>();
        lengths.iter().map(|length| self.take(u32::from_le_bytes(*length) as usize)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back_as_they_were_packed(
            base in any::<u64>(), differing in any::<u64>(),
            others in proptest::collection::vec(any::<u64>(), 0..40), every in 1_usize..5,
        ) {
            let numbers: Vec<u64> =
                std::iter::once(base).chain(others.iter().map(|other| base ^ (other & differing & differing >> 9))).collect();
            let mut block = Vec::new();
            pack(&mut block, &numbers);
            pack(&mut block, &numbers);
            let reader = || ChunkReader { rest: &block, rows: numbers.len() };
            let (mut all, mut read) = (reader(), Vec::new());
            for _ in 0..2 {
                all.numbers(Pick::All, &mut read);
                prop_assert_eq!(&read, &numbers);
            }
            prop_assert!(all.rest.is_empty());
            let kept: Vec<u32> = (0..numbers.len() as u32).step_by(every).collect();
            reader().numbers(Pick::Some(&kept), &mut read);
            prop_assert_eq!(read, numbers.iter().copied().step_by(every).collect::<Vec<_>>());
        }
    }
}
