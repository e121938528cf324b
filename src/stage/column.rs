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
use crate::mapping::word::{word, word_needs_escape};

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
        if let Some(word) = word(text) {
            return word | SHORT | escape;
        }
        self.push_long(text, escape)
    }

    /// Stores again what `handle` stands for in `other`; gives its handle here.
    pub fn copy(&mut self, other: &Self, handle: u64) -> u64 {
        if is_short(handle) { handle } else { self.push_long(other.get(&handle), handle & ESCAPE) }
    }

    /// Forgets all texts.
    pub fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(Vec::clear);
    }

    fn push_long(&mut self, text: &[u8], escape: u64) -> u64 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + text.len() > TEXT_BYTES_MAX) {
            self.chunks.push(Vec::new());
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let offset = chunk.len() as u64;
        chunk.extend_from_slice(text);
        offset | (number as u64) << OFFSET_BITS | (text.len() as u64) << LENGTH_SHIFT | escape
    }

    /// Takes over `chunks`, those of other texts; gives what to add to a handle of theirs. None: too many chunks.
    pub fn append<'c>(&mut self, mut chunks: impl ExactSizeIterator<Item = &'c [u8]>) -> Option<u64> {
        if chunks.len() == 1
            && let Some(last) = self.chunks.last_mut()
            && let Some(chunk) = chunks.next()
        {
            if last.len() + chunk.len() <= TEXT_BYTES_MAX {
                let base = last.len() as u64;
                last.extend_from_slice(chunk);
                return Some(((self.chunks.len() - 1) as u64) << OFFSET_BITS | base);
            }
            self.chunks.push(chunk.to_vec());
            return (self.chunks.len() <= CHUNKS_MAX).then_some(((self.chunks.len() - 1) as u64) << OFFSET_BITS);
        }
        let first = self.chunks.len();
        self.chunks.extend(chunks.map(<[u8]>::to_vec));
        (self.chunks.len() <= CHUNKS_MAX).then_some((first as u64) << OFFSET_BITS)
    }

    /// The chunks in which the long texts lie.
    #[must_use]
    pub fn chunks(&self) -> &[Vec<u8>] {
        &self.chunks
    }

    /// How many bytes the long texts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// The text of a handle that is neither absent nor faulty.
    #[must_use]
    pub fn get<'a>(&'a self, handle: &'a u64) -> &'a [u8] {
        match self.place(*handle) {
            TextPlace::Word { length, .. } => &bytemuck::bytes_of(handle)[..length],
            TextPlace::Arena { arena, start, length } => &arena[start..start + length],
        }
    }

    /// Where the text of a handle lies that is neither absent nor faulty.
    #[must_use]
    pub fn place(&self, handle: u64) -> TextPlace<'_> {
        if handle & SHORT != 0 {
            return TextPlace::Word { word: handle, length: (handle >> 56) as usize & 7 };
        }
        let chunk = (handle >> OFFSET_BITS) as usize & (CHUNKS_MAX - 1);
        TextPlace::Arena {
            arena: &self.chunks[chunk],
            start: handle as usize & ((1 << OFFSET_BITS) - 1),
            length: (handle >> LENGTH_SHIFT) as usize & TEXT_BYTES_MAX,
        }
    }
}

/// The handle of a text that is a word.
#[must_use]
pub fn short_text(word: u64) -> u64 {
    word | SHORT | if word_needs_escape(word) { ESCAPE } else { 0 }
}

/// Where a text lies.
#[derive(Debug, Clone, Copy)]
pub enum TextPlace<'a> {
    /// In its handle: the lowest bytes of a number.
    Word {
        /// The number.
        word: u64,
        /// How many bytes are the text's.
        length: usize,
    },
    /// Among others.
    Arena {
        /// All of them.
        arena: &'a [u8],
        /// Where the text starts.
        start: usize,
        /// How many bytes are the text's.
        length: usize,
    },
}

/// Whether the text of `handle` needs escapes in JSON.
#[must_use]
pub fn is_escaped(handle: u64) -> bool {
    handle & ESCAPE != 0
}

/// Whether a handle is its own text.
#[must_use]
pub fn is_short_text(handle: u64) -> bool {
    handle & SHORT != 0
}

/// Whether a handle is absent, faulty, or its own text.
fn is_short(handle: u64) -> bool {
    handle & SHORT != 0 || handle <= TEXT_FAULT
}

/// Moves a handle by what [`Texts::append`] gave; absent, faulty and short ones stay.
#[must_use]
pub fn rebase(handle: u64, by: u64) -> u64 {
    if is_short(handle) { handle } else { handle + by }
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
            Convert::Integer | Convert::Decimal(_) | Convert::Styled(..) | Convert::DateTime(..) => {
                Self::Number(Vec::new())
            }
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

    /// Forgets all values.
    pub fn clear(&mut self) {
        match self {
            Self::Text(values) => values.clear(),
            Self::Code(values) => values.clear(),
            Self::Date(values) => values.clear(),
            Self::Number(values) => values.clear(),
        }
    }

    /// The values, borrowed.
    #[must_use]
    pub fn slice(&self) -> Slice<'_> {
        match self {
            Self::Text(values) => Slice::Text(values),
            Self::Code(values) => Slice::Code(values),
            Self::Date(values) => Slice::Date(values),
            Self::Number(values) => Slice::Number(values),
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

    /// Whether the cell of `row` is blank.
    #[must_use]
    pub fn is_absent(&self, row: usize) -> bool {
        match self {
            Self::Text(values) => values[row] == TEXT_ABSENT,
            Self::Code(values) => values[row] == CODE_ABSENT,
            Self::Date(values) => values[row] == DATE_ABSENT,
            Self::Number(values) => values[row] == NUMBER_ABSENT,
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
        let base = all.append(region.chunks().iter().map(Vec::as_slice)).unwrap();
        let moved = handles.map(|handle| rebase(handle, base));
        assert_eq!(all.get(&moved[0]), b"another long text");
        assert_eq!(all.get(&moved[1]), b"short");
        assert_eq!(moved[2], TEXT_ABSENT);
    }
}
