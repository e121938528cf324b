//! A batch of records, side by side: few enough that they stay in the processor's nearest cache while one column after
//! another is read from them.

use csv::ByteRecord;

use crate::mapping::word::LENGTH_SHIFT;

/// How many records are converted together.
pub(super) const BATCH: usize = 64;

/// How many bytes may be read beyond a cell's end.
pub(super) const PADDING: usize = 32;

/// Where a cell's text lies.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

/// Some records: the texts of the columns that are read.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Record by record, a span for each column that is read.
    spans: Vec<Span>,
    columns: usize,
    records: usize,
}

impl Batch {
    /// An empty batch of records of which `columns` columns are read.
    pub(super) fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Appends a record; `cells` are the places of the columns that are read.
    pub(super) fn push(&mut self, record: &ByteRecord, cells: &[usize], trim: bool) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(record.as_slice());
        for cell in cells {
            // A record has as many cells as its header.
            let mut range = record.range(*cell).unwrap_or_default();
            if trim {
                let text = &record[*cell];
                range.start += text.len() - text.trim_ascii_start().len();
                range.end -= text.len() - text.trim_ascii_end().len();
                range.end = range.end.max(range.start);
            }
            self.spans.push(Span { start: (base + range.start) as u32, length: range.len() as u32 });
        }
        self.records += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.records
    }

    /// Makes the records readable: after the last of them.
    pub(super) fn close(&mut self) {
        self.bytes.resize(self.bytes.len() + PADDING, 0);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.records = 0;
    }

    /// The texts of a column, record by record. The batch is closed.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = Text<'_>> {
        let records = self.spans.chunks_exact(self.columns.max(1));
        records.map(move |spans| Text {
            bytes: &self.bytes,
            start: spans[column].start as usize,
            length: spans[column].length as usize,
        })
    }

    /// The text of a cell. The batch is closed.
    pub(super) fn text(&self, record: usize, column: usize) -> Text<'_> {
        let span = self.spans[record * self.columns + column];
        Text { bytes: &self.bytes, start: span.start as usize, length: span.length as usize }
    }
}

/// The text of a cell, with bytes that are not its own behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'b> {
    bytes: &'b [u8],
    start: usize,
    length: usize,
}

impl<'b> Text<'b> {
    pub(super) fn len(self) -> usize {
        self.length
    }

    pub(super) fn bytes(self) -> &'b [u8] {
        &self.bytes[self.start..self.start + self.length]
    }

    /// The word the text is; it has seven bytes at the most.
    pub(super) fn word(self) -> u64 {
        // There is padding behind the last text, so eight bytes are always there.
        let padded = self.bytes[self.start..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let within = (1_u64 << (8 * self.length)) - 1;
        padded & within | (self.length as u64) << LENGTH_SHIFT
    }
}
