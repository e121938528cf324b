//! A batch of records as its table reads them: the texts of one column after another.

use crate::extract::record::{Records, Span};
use crate::mapping::word::{LENGTH_SHIFT, word};

/// Some records, of which some cells are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'b> {
    records: Records<'b>,
    /// For each column that is read, its cell in a record.
    cells: &'b [usize],
}

impl<'b> Batch<'b> {
    /// The cells `cells` of `records`.
    pub(super) fn new(records: Records<'b>, cells: &'b [usize]) -> Self {
        Self { records, cells }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The texts of a column, record by record.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = Text<'b>> + use<'b> {
        let Records { bytes, spans, cells, .. } = self.records;
        spans[self.cells[column]..].iter().step_by(cells).map(|span| Text::new(bytes, *span))
    }

    /// The text of a cell.
    pub(super) fn text(&self, record: usize, column: usize) -> Text<'b> {
        Text::new(self.records.bytes, self.records.spans[record * self.records.cells + self.cells[column]])
    }
}

/// The cells of `records` without the white space around them.
pub(super) fn trimmed(records: &Records<'_>) -> Vec<Span> {
    let trim = |span: &Span| {
        let text = Text::new(records.bytes, *span).bytes();
        let start = text.len() - text.trim_ascii_start().len();
        Span { start: span.start + start as u32, length: text.trim_ascii().len() as u32 }
    };
    records.spans.iter().map(trim).collect()
}

/// The text of a cell among other bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'b> {
    bytes: &'b [u8],
    start: usize,
    length: usize,
}

impl<'b> Text<'b> {
    fn new(bytes: &'b [u8], span: Span) -> Self {
        Self { bytes, start: span.start as usize, length: span.length as usize }
    }

    pub(super) fn len(self) -> usize {
        self.length
    }

    pub(super) fn bytes(self) -> &'b [u8] {
        &self.bytes[self.start..self.start + self.length]
    }

    /// Appends the text to `out`, with a copy of a fixed length if it is short.
    #[inline]
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        const SHORT: usize = 16;
        match self.bytes[self.start..].first_chunk::<SHORT>() {
            Some(chunk) if self.length <= SHORT => {
                let end = out.len() + self.length;
                out.extend_from_slice(chunk);
                out.truncate(end);
            }
            _ => out.extend_from_slice(self.bytes()),
        }
    }

    /// The word the text is; it has seven bytes at the most.
    #[inline]
    pub(super) fn word(self) -> u64 {
        // Eight bytes at once and those beyond the text masked, unless all ends here.
        match self.bytes[self.start..].first_chunk() {
            Some(bytes) => {
                let within = (1_u64 << (8 * self.length)) - 1;
                u64::from_le_bytes(*bytes) & within | (self.length as u64) << LENGTH_SHIFT
            }
            None => word(self.bytes()).unwrap_or_default(),
        }
    }
}
