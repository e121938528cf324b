//! Pieces: the rows of a stretch of a file, sorted into the partitions of their accounts and written away.
//!
//! A piece lies in its table's spill file as one block, a chunk for each partition that has any of its rows:
//!
//! | part of a chunk | bytes |
//! | --- | --- |
//! | record, account | 4 + 4 a row |
//! | mask, if the table has tests | 4 a row |
//! | place of the parent, for each link | 4 a row |
//! | values, leaf by leaf | 8 (text, number), 4 (date) or 2 (code) a row |
//! | row, leaf and kind of each fault | 12 a fault |
//! | length of each chunk of long texts, then the texts | 4 a chunk, and as many as there are |
//!
//! All numbers are little-endian. A chunk's rows are in the order of the file, and the pieces of a table are known in
//! that order, so a row's place in its partition is known before the partition is read.

use serde::{Deserialize, Serialize};

use super::column::{Slice, Texts};
use super::keys::{NO_ROW, Place};
use super::rows::CellFault;

/// Where a chunk lies in its table's spill file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) offset: u64,
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
    for (chunk, bounds) in chunks.iter_mut().zip(parted.starts.windows(2)) {
        let rows = &parted.rows[bounds[0] as usize..bounds[1] as usize];
        if rows.is_empty() {
            continue;
        }
        chunk.offset = block.len() as u64;
        chunk.rows = rows.len() as u32;
        put4(block, rows, piece.records);
        put4(block, rows, piece.accounts);
        if !piece.masks.is_empty() {
            put4(block, rows, piece.masks);
        }
        for parents in piece.parents {
            put(block, rows, |row| parents[row].place.to_le_bytes());
        }
        let mut texts = Texts::default();
        for column in piece.columns {
            match column {
                Slice::Text(values) => put(block, rows, |row| texts.copy(piece.texts, values[row]).to_le_bytes()),
                Slice::Code(values) => put(block, rows, |row| values[row].to_le_bytes()),
                Slice::Date(values) => put(block, rows, |row| values[row].to_le_bytes()),
                Slice::Number(values) => put(block, rows, |row| values[row].to_le_bytes()),
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
    }
    chunks
}

fn put<const N: usize>(block: &mut Vec<u8>, rows: &[u32], mut value: impl FnMut(usize) -> [u8; N]) {
    let start = block.len();
    block.resize(start + N * rows.len(), 0);
    for (slot, row) in block[start..].chunks_exact_mut(N).zip(rows) {
        slot.copy_from_slice(&value(*row as usize));
    }
}

fn put4(block: &mut Vec<u8>, rows: &[u32], values: &[u32]) {
    put(block, rows, |row| values[row].to_le_bytes());
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

/// A chunk being read, part by part in the order of its layout.
#[derive(Clone, Copy)]
pub(super) struct ChunkReader<'b> {
    rest: &'b [u8],
    rows: usize,
}

impl<'b> ChunkReader<'b> {
    pub(super) fn new(bytes: &'b [u8], chunk: &Chunk) -> Self {
        Self { rest: bytes, rows: chunk.rows as usize }
    }

    fn take(&mut self, bytes: usize) -> &'b [u8] {
        let (part, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        part
    }

    /// The parts after the next so many bytes a row.
    pub(super) fn after(mut self, row_bytes: usize) -> Self {
        self.take(row_bytes * self.rows);
        self
    }

    pub(super) fn numbers<const N: usize>(&mut self) -> impl ExactSizeIterator<Item = [u8; N]> + Clone + use<'b, N> {
        let (values, _) = self.take(N * self.rows).as_chunks::<N>();
        values.iter().copied()
    }

    pub(super) fn u32s(&mut self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'b> {
        self.numbers().map(u32::from_le_bytes)
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

impl Chunk {
    /// How many bytes it has, in a table with a mask or not, so many links, and values of so many bytes a row.
    pub(super) fn bytes(&self, masked: bool, links: usize, value_bytes: usize) -> usize {
        let row = 8 + if masked { 4 } else { 0 } + 4 * links + value_bytes;
        row * self.rows as usize + 12 * self.faults as usize + 4 * self.texts as usize + self.text_bytes as usize
    }
}
