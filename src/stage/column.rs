//! Columns of values that every stage after this one reads.
//!
//! A column is numbers alone, whatever it means: polars gathers, sorts and sums numbers without looking at a string.
//! Texts are handles: up to seven bytes stand in the handle itself, longer ones in an arena of the table.
//!
//! | handle of | bits 0–23 | 24–37 | 38–55 | 56–61 | 62 | 63 |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | a short text | its bytes | its bytes | its bytes | length | needs escapes in JSON | 1 |
//! | a long text | offset in its chunk | chunk | length | length | needs escapes in JSON | 0 |
//!
//! Two values of every kind are set aside: absent, and faulty (the cell could not be read; the fault tells why).

use std::cmp::Ordering;

use polars::prelude::{
    Column as PolarsColumn, DataType, Int32Chunked, Int64Chunked, IntoColumn as _, PolarsResult, UInt16Chunked,
    UInt64Chunked,
};

use crate::mapping::render::needs_escape;
use crate::mapping::value::Convert;

/// A blank cell, in a column of handles.
pub const TEXT_ABSENT: u64 = 0;
/// An unreadable cell, in a column of handles.
pub const TEXT_FAULT: u64 = 1;
/// A blank cell, in a column of codes.
pub const CODE_ABSENT: u16 = 0;
/// An unreadable cell, in a column of codes.
pub const CODE_FAULT: u16 = 1;
/// A blank cell, in a column of days.
pub const DATE_ABSENT: i32 = i32::MIN;
/// An unreadable cell, in a column of days.
pub const DATE_FAULT: i32 = i32::MIN + 1;
/// A blank cell, in a column of numbers.
pub const NUMBER_ABSENT: i64 = i64::MIN;
/// An unreadable cell, in a column of numbers.
pub const NUMBER_FAULT: i64 = i64::MIN + 1;

const SHORT: u64 = 1 << 63;
const ESCAPE: u64 = 1 << 62;
const SHORT_BYTES_MAX: usize = 7;
const OFFSET_BITS: u32 = 24;
const CHUNK_BITS: u32 = 14;
const LENGTH_SHIFT: u32 = OFFSET_BITS + CHUNK_BITS;

/// The longest text a cell may hold, in bytes; a longer one is a fault.
pub const TEXT_BYTES_MAX: usize = (1 << OFFSET_BITS) - 1;
/// The most chunks a table's texts may have.
const CHUNKS_MAX: usize = 1 << CHUNK_BITS;

#[cfg(target_endian = "big")]
compile_error!("short texts are read where their handles lie, which needs a little-endian machine");

/// The long texts of a table.
#[derive(Debug, Default)]
pub struct Texts {
    chunks: Vec<Vec<u8>>,
}

impl Texts {
    /// Stores `text` and gives its handle. `text` is at most [`TEXT_BYTES_MAX`] long.
    pub fn push(&mut self, text: &[u8]) -> u64 {
        let escape = if needs_escape(text) { ESCAPE } else { 0 };
        if text.len() <= SHORT_BYTES_MAX {
            let mut bytes = [0; 8];
            bytes[..text.len()].copy_from_slice(text);
            return u64::from_le_bytes(bytes) | (text.len() as u64) << 56 | SHORT | escape;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() + text.len() > TEXT_BYTES_MAX) {
            self.chunks.push(Vec::new());
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let offset = chunk.len() as u64;
        chunk.extend_from_slice(text);
        offset | (number as u64) << OFFSET_BITS | (text.len() as u64) << LENGTH_SHIFT | escape
    }

    /// Takes over the chunks of `other`; gives what to add to a handle of its long texts. None: too many chunks.
    pub fn append(&mut self, mut other: Self) -> Option<u64> {
        let first = self.chunks.len();
        for chunk in &mut other.chunks {
            chunk.shrink_to_fit();
        }
        self.chunks.append(&mut other.chunks);
        (self.chunks.len() <= CHUNKS_MAX).then_some((first as u64) << OFFSET_BITS)
    }

    /// The text of a handle that is neither absent nor faulty.
    #[must_use]
    pub fn get<'a>(&'a self, handle: &'a u64) -> &'a [u8] {
        if handle & SHORT != 0 {
            let length = (handle >> 56) as usize & 15;
            return &bytemuck::bytes_of(handle)[..length];
        }
        let offset = *handle as usize & ((1 << OFFSET_BITS) - 1);
        let chunk = (handle >> OFFSET_BITS) as usize & (CHUNKS_MAX - 1);
        let length = (handle >> LENGTH_SHIFT) as usize & TEXT_BYTES_MAX;
        &self.chunks[chunk][offset..offset + length]
    }
}

/// Whether the text of `handle` needs escapes in JSON.
#[must_use]
pub fn is_escaped(handle: u64) -> bool {
    handle & ESCAPE != 0
}

/// Moves a handle by what [`Texts::append`] gave; absent, faulty and short ones stay.
fn rebase(handle: u64, by: u64) -> u64 {
    if handle & SHORT != 0 || handle <= TEXT_FAULT { handle } else { handle + by }
}

/// The values of one leaf, being made.
#[derive(Debug)]
pub enum Values {
    /// Handles.
    Text(Vec<u64>),
    /// Codes.
    Code(Vec<u16>),
    /// Days since 1970-01-01.
    Date(Vec<i32>),
    /// Packed integers, decimals, seconds.
    Number(Vec<i64>),
}

impl Values {
    /// An empty column for what `convert` makes.
    #[must_use]
    pub fn new(convert: &Convert) -> Self {
        match convert {
            Convert::Text => Self::Text(Vec::new()),
            Convert::Lookup(_) | Convert::Choice(_) => Self::Code(Vec::new()),
            Convert::Date(_) => Self::Date(Vec::new()),
            Convert::Integer | Convert::Decimal(_) | Convert::DateTime(..) => Self::Number(Vec::new()),
        }
    }

    /// Appends a blank cell.
    pub fn push_absent(&mut self) {
        match self {
            Self::Text(values) => values.push(TEXT_ABSENT),
            Self::Code(values) => values.push(CODE_ABSENT),
            Self::Date(values) => values.push(DATE_ABSENT),
            Self::Number(values) => values.push(NUMBER_ABSENT),
        }
    }

    /// Appends an unreadable cell.
    pub fn push_fault(&mut self) {
        match self {
            Self::Text(values) => values.push(TEXT_FAULT),
            Self::Code(values) => values.push(CODE_FAULT),
            Self::Date(values) => values.push(DATE_FAULT),
            Self::Number(values) => values.push(NUMBER_FAULT),
        }
    }

    /// Appends `other`, whose long texts moved by `text_base`.
    pub fn append(&mut self, other: Self, text_base: u64) {
        match (self, other) {
            (Self::Text(all), Self::Text(values)) => {
                all.extend(values.into_iter().map(|handle| rebase(handle, text_base)));
            }
            (Self::Code(all), Self::Code(values)) => all.extend(values),
            (Self::Date(all), Self::Date(values)) => all.extend(values),
            (Self::Number(all), Self::Number(values)) => all.extend(values),
            _ => unreachable!("the regions of a table are read by one plan"),
        }
    }

    /// Makes room for `rows` more.
    pub fn reserve(&mut self, rows: usize) {
        match self {
            Self::Text(values) => values.reserve_exact(rows),
            Self::Code(values) => values.reserve_exact(rows),
            Self::Date(values) => values.reserve_exact(rows),
            Self::Number(values) => values.reserve_exact(rows),
        }
    }

    /// The values as a polars column, without a copy.
    #[must_use]
    pub fn into_polars(self, name: String) -> PolarsColumn {
        let name = name.into();
        match self {
            Self::Text(values) => UInt64Chunked::from_vec(name, values).into_column(),
            Self::Code(values) => UInt16Chunked::from_vec(name, values).into_column(),
            Self::Date(values) => Int32Chunked::from_vec(name, values).into_column(),
            Self::Number(values) => Int64Chunked::from_vec(name, values).into_column(),
        }
    }
}

/// The values of a column, borrowed.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'a> {
    /// Handles.
    Text(&'a [u64]),
    /// Codes.
    Code(&'a [u16]),
    /// Days since 1970-01-01.
    Date(&'a [i32]),
    /// Packed integers, decimals, seconds.
    Number(&'a [i64]),
}

impl<'a> Slice<'a> {
    /// The values of a polars column that is one chunk.
    pub fn of(column: &'a PolarsColumn) -> PolarsResult<Self> {
        let series = column.as_materialized_series();
        Ok(match series.dtype() {
            DataType::UInt64 => Self::Text(series.u64()?.cont_slice()?),
            DataType::UInt16 => Self::Code(series.u16()?.cont_slice()?),
            DataType::Int32 => Self::Date(series.i32()?.cont_slice()?),
            _ => Self::Number(series.i64()?.cont_slice()?),
        })
    }

    /// The first 64 bits of a value's rank, and whether they tell all of it. Absent ranks first.
    #[must_use]
    pub fn rank(&self, row: usize, texts: &Texts) -> (u64, bool) {
        match self {
            Self::Text(values) => {
                if values[row] == TEXT_ABSENT {
                    (0, true)
                } else {
                    let text = texts.get(&values[row]);
                    let mut bytes = [0; 8];
                    let length = text.len().min(7);
                    bytes[..length].copy_from_slice(&text[..length]);
                    // One byte says how much of the text there is, so that "a" ranks before "a\0".
                    bytes[7] = text.len().min(8) as u8 + 1;
                    (u64::from_be_bytes(bytes), text.len() <= 7)
                }
            }
            Self::Code(values) => (u64::from(values[row]), true),
            Self::Date(values) => (u64::from(values[row].cast_unsigned() ^ (1 << 31)), true),
            Self::Number(values) => (values[row].cast_unsigned() ^ (1 << 63), true),
        }
    }

    /// How the values of two rows compare. Absent is least; texts go by their bytes.
    #[must_use]
    pub fn compare(&self, a: usize, b: usize, texts: &Texts) -> Ordering {
        match self {
            Self::Text(values) => match (values[a], values[b]) {
                (x, y) if x == y => Ordering::Equal,
                (TEXT_ABSENT | TEXT_FAULT, TEXT_ABSENT | TEXT_FAULT) => values[a].cmp(&values[b]),
                (TEXT_ABSENT | TEXT_FAULT, _) => Ordering::Less,
                (_, TEXT_ABSENT | TEXT_FAULT) => Ordering::Greater,
                _ => texts.get(&values[a]).cmp(texts.get(&values[b])),
            },
            Self::Code(values) => values[a].cmp(&values[b]),
            Self::Date(values) => values[a].cmp(&values[b]),
            Self::Number(values) => values[a].cmp(&values[b]),
        }
    }

    /// Whether the cell of `row` could not be read.
    #[must_use]
    pub fn is_fault(&self, row: usize) -> bool {
        match self {
            Self::Text(values) => values[row] == TEXT_FAULT,
            Self::Code(values) => values[row] == CODE_FAULT,
            Self::Date(values) => values[row] == DATE_FAULT,
            Self::Number(values) => values[row] == NUMBER_FAULT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_whether_short_or_long() {
        let mut texts = Texts::default();
        for text in ["", "a", "1234567", "12345678", "Jabłoński", "a \"quote\""] {
            let handle = texts.push(text.as_bytes());
            assert!(handle > TEXT_FAULT);
            assert_eq!(texts.get(&handle), text.as_bytes());
            assert_eq!(is_escaped(handle), text.contains('"'));
        }
    }

    #[test]
    fn the_texts_of_a_region_move_with_its_chunks() {
        let (mut all, mut region) = (Texts::default(), Texts::default());
        all.push(b"some longer text");
        let handles = [region.push(b"another long text"), region.push(b"short"), TEXT_ABSENT];
        let base = all.append(region).unwrap();
        let moved = handles.map(|handle| rebase(handle, base));
        assert_eq!(all.get(&moved[0]), b"another long text");
        assert_eq!(all.get(&moved[1]), b"short");
        assert_eq!(moved[2], TEXT_ABSENT);
    }

    #[test]
    fn ranks_follow_the_order_of_bytes() {
        let mut texts = Texts::default();
        let sorted = ["", "a", "a\0", "ab", "abcdefg", "abcdefgh", "b"];
        let handles: Vec<u64> =
            std::iter::once(TEXT_ABSENT).chain(sorted.iter().map(|text| texts.push(text.as_bytes()))).collect();
        let slice = Slice::Text(&handles);
        for row in 1..handles.len() {
            let (before, after) = (slice.rank(row - 1, &texts), slice.rank(row, &texts));
            assert!(before.0 < after.0 || before.0 == after.0 && !(before.1 && after.1), "{row}");
            assert_eq!(slice.compare(row - 1, row, &texts), Ordering::Less);
        }
    }
}
