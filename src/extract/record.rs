//! Bytes to records, with what cannot be read set aside.
//!
//! Records are physical lines unless the table says which columns may hold line breaks. So a stray quote costs one
//! record: whatever it swallowed beyond its own line is read again.

use std::io::Cursor;
use std::ops::Range;

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::separators::Separators;
use crate::mapping::Dialect;

/// The longest record that is read; a longer one is quarantined, line by line. In bytes.
pub const RECORD_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why a record cannot be read as a record of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreadable {
    /// It has another number of cells than the header.
    FieldCount {
        /// How many it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A quote is opened and not closed, or closed in the middle of a cell.
    OpenQuote,
    /// A cell is not UTF-8.
    Encoding {
        /// The cell, counted from 0.
        cell: usize,
    },
    /// It is longer than [`RECORD_BYTES_MAX`].
    TooLong,
    /// It is of a type that no table takes.
    UnknownType,
}

impl Unreadable {
    /// The finding's code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FieldCount { .. } => "record_field_count",
            Self::OpenQuote => "record_open_quote",
            Self::Encoding { .. } => "record_encoding",
            Self::TooLong => "record_too_long",
            Self::UnknownType => "record_type",
        }
    }

    /// What to tell the user; `header` names the columns.
    #[must_use]
    pub fn message(self, header: &[String]) -> String {
        match self {
            Self::FieldCount { found, expected } => {
                format!("the record has {found} cells where the header has {expected}")
            }
            Self::OpenQuote => "a quote is opened and not closed on the same line, or closed inside a cell".into(),
            Self::Encoding { cell } => {
                let column = header.get(cell).map_or("?", String::as_str);
                format!("column {column} is not UTF-8")
            }
            Self::TooLong => format!("the record is longer than {} MiB", RECORD_BYTES_MAX >> 20),
            Self::UnknownType => "no table of the mapping takes records of this type".into(),
        }
    }
}

/// Where a cell's text lies among some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it starts.
    pub start: u32,
    /// How long it is.
    pub length: u32,
}

/// How many records are handed over together: few enough that they stay in the processor's nearest cache while one
/// column after another is read from them.
pub const RECORDS_MAX: usize = 64;

/// Some records side by side: at most [`RECORDS_MAX`], each with as many cells as the header, all of them UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Records<'b> {
    /// The bytes in which the cells lie.
    pub bytes: &'b [u8],
    /// The cells, record by record.
    pub spans: &'b [Span],
    /// How many cells a record has.
    pub cells: usize,
    /// The line each record starts on, counted from `first_line`.
    lines: &'b [u64],
    first_line: u64,
}

impl<'b> Records<'b> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines the records start on, counted from the first of the region.
    #[must_use]
    pub fn lines(&self) -> impl ExactSizeIterator<Item = u64> + use<'b> {
        let first = self.first_line;
        self.lines.iter().map(move |line| first + line)
    }

    /// The cells of record `record`.
    #[must_use]
    pub fn record(&self, record: usize) -> impl ExactSizeIterator<Item = &'b [u8]> + use<'b> {
        let bytes = self.bytes;
        let spans = &self.spans[record * self.cells..(record + 1) * self.cells];
        spans.iter().map(move |span| &bytes[span.start as usize..][..span.length as usize])
    }

    /// The same records with their cells elsewhere among the bytes.
    #[must_use]
    pub fn with_spans<'s>(&'s self, spans: &'s [Span]) -> Records<'s> {
        Records { spans, ..*self }
    }

    /// The same records, `lines` lines further down.
    pub(super) fn moved_down(self, lines: u64) -> Self {
        Self { first_line: self.first_line + lines, ..self }
    }
}

/// Records put side by side one by one.
#[derive(Debug, Default)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    cells: usize,
    lines: Vec<u64>,
}

impl RecordBuffer {
    /// Appends a record that starts on line `line`; all have as many cells.
    pub fn push(&mut self, line: u64, cells: &ByteRecord) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(cells.as_slice());
        let place = |cell| cells.range(cell).map_or(start..start, |place| start + place.start..start + place.end);
        self.spans.extend((0..cells.len()).map(|cell| span(place(cell).start, place(cell).end)));
        self.cells = cells.len();
        self.lines.push(line);
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records { bytes: &self.bytes, spans: &self.spans, cells: self.cells, lines: &self.lines, first_line: 0 }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.lines.clear();
    }
}

/// What takes the records of a region, in the order of the file.
pub trait RecordSink {
    /// A record with as many cells as the header, all of them UTF-8, which starts on line `line`. The sink may keep it
    /// and leave another in its place: what is there is overwritten.
    fn record(&mut self, line: u64, cells: &mut ByteRecord);
    /// Some records: unless the sink can do better, one after the other.
    fn records(&mut self, records: &Records<'_>) {
        let mut cells = ByteRecord::new();
        for (at, line) in records.lines().enumerate() {
            cells.clear();
            records.record(at).for_each(|cell| cells.push_field(cell));
            self.record(line, &mut cells);
        }
    }
    /// A record that cannot be read, with the line it starts on and its bytes.
    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]);
}

/// What the records of one file have in common.
#[derive(Clone, Debug)]
pub struct RecordShape<'a> {
    /// The dialect.
    pub dialect: &'a Dialect,
    /// How many cells a record has; [`RecordShape::ANY`]: the sink minds them.
    pub cells: usize,
    /// The cells that may hold line breaks.
    pub multiline: Vec<usize>,
}

impl RecordShape<'_> {
    /// Records have as many cells as they like.
    pub const ANY: usize = usize::MAX;
}

/// What was read of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Bytes of whole records.
    pub bytes: usize,
    /// Physical lines in them.
    pub lines: u64,
    /// Records handed to the sink, readable or not: counted here, apart from whatever the sink makes of them.
    pub records: u64,
}

/// A csv reader over `bytes` whose records end at `\n` alone.
pub(super) fn csv_reader<'b>(dialect: &Dialect, bytes: &'b [u8]) -> csv::Reader<Cursor<&'b [u8]>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        .quoting(dialect.quote.is_some())
        .quote(dialect.quote.unwrap_or(b'"'))
        .terminator(csv::Terminator::Any(b'\n'))
        .buffer_capacity(bytes.len().clamp(64, 64 * 1024))
        .from_reader(Cursor::new(bytes))
}

/// Reads the records of `bytes`, which start at the start of a record. Unless `complete`, a record that the end of
/// the bytes cuts in two is left for the next call.
///
/// A line without a quote is cut at its delimiters where it lies. Whatever else there is goes through the csv crate,
/// record by record, and what comes of it is put in the record's place.
pub fn read_records(shape: &RecordShape<'_>, bytes: &mut [u8], complete: bool, sink: &mut impl RecordSink) -> Consumed {
    // Cells are cut at ASCII, so those of a text are texts.
    let text = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let mut reading = Reading {
        shape,
        bytes,
        complete,
        sink,
        spans: Vec::with_capacity(shape.cells.min(CELLS_EXPECTED) * (RECORDS_MAX + 1)),
        lines: Vec::with_capacity(RECORDS_MAX),
        line: 0,
        records: 0,
        thorough: None,
    };
    let consumed = reading.read(text);
    reading.hand_over();
    Consumed { bytes: consumed, lines: reading.line, records: reading.records }
}

/// For how many cells a record room is made beforehand.
const CELLS_EXPECTED: usize = 256;

/// Some bytes being read.
struct Reading<'r, S> {
    shape: &'r RecordShape<'r>,
    bytes: &'r mut [u8],
    complete: bool,
    sink: &'r mut S,
    /// The cells of the records that wait to be handed over, and those of the line being read.
    spans: Vec<Span>,
    /// The lines of the records that wait.
    lines: Vec<u64>,
    /// Lines before the one being read.
    line: u64,
    records: u64,
    /// The csv crate's reader, once it is needed.
    thorough: Option<Thorough>,
}

impl<S: RecordSink> Reading<'_, S> {
    /// Reads all records, of which the first `text` bytes are UTF-8; gives how many bytes they have.
    fn read(&mut self, text: usize) -> usize {
        let dialect = self.shape.dialect;
        let mut separators = Separators::new(dialect.delimiter, dialect.quote, self.bytes);
        let (mut start, mut cell) = (0, 0);
        while let Some(at) = separators.next(self.bytes) {
            let separator = self.bytes[at];
            if separator == dialect.delimiter {
                self.spans.push(span(cell, at));
                cell = at + 1;
            } else if separator == b'\n' && at < text && at - start < RECORD_BYTES_MAX {
                self.end_line(start, cell, at);
                (start, cell) = (at + 1, at + 1);
            } else {
                let Some(next) = self.read_thoroughly(start) else { return start };
                (start, cell) = (next, next);
                separators.seek(self.bytes, next);
            }
        }
        // What the last line end leaves; unless it is whole, or a line that was swallowed in part, nothing follows it.
        while start < self.bytes.len() {
            let Some(next) = self.read_thoroughly(start) else { return start };
            start = next;
        }
        start
    }

    /// Ends a line without quotes, which starts at `start` and whose last cell is at `cell`, at its line end `at`.
    fn end_line(&mut self, start: usize, cell: usize, at: usize) {
        let end = if at > cell && self.bytes[at - 1] == b'\r' { at - 1 } else { at };
        self.spans.push(span(cell, end));
        let cells = self.spans.len() - self.kept();
        if cells == 1 && cell == end {
            self.forget_line();
        } else if cells == self.shape.cells || self.shape.cells == RecordShape::ANY {
            self.records += 1;
            self.keep();
        } else {
            self.records += 1;
            let why = Unreadable::FieldCount { found: cells, expected: self.shape.cells };
            self.quarantine(why, start..at + 1);
        }
        self.line += 1;
    }

    /// Keeps the record whose cells have been read, which starts on this line.
    fn keep(&mut self) {
        self.lines.push(self.line);
        // Records are side by side if they have as many cells.
        if self.lines.len() == RECORDS_MAX || self.shape.cells == RecordShape::ANY {
            self.hand_over();
        }
    }

    /// How many cells the records have that wait.
    fn kept(&self) -> usize {
        match self.shape.cells {
            RecordShape::ANY if self.lines.is_empty() => 0,
            RecordShape::ANY => self.spans.len(),
            cells => self.lines.len() * cells,
        }
    }

    fn hand_over(&mut self) {
        self.forget_line();
        if !self.lines.is_empty() {
            self.sink.records(&Records {
                bytes: self.bytes,
                spans: &self.spans,
                cells: self.spans.len() / self.lines.len(),
                lines: &self.lines,
                first_line: 0,
            });
        }
        self.spans.clear();
        self.lines.clear();
    }

    /// Forgets the cells of a line that is no record.
    fn forget_line(&mut self) {
        self.spans.truncate(self.kept());
    }

    fn quarantine(&mut self, why: Unreadable, record: Range<usize>) {
        self.hand_over();
        self.sink.quarantine(self.line, why, &self.bytes[record]);
    }

    /// Reads the record at `start`, whatever it holds; gives where the next starts. None: it is left for the next call.
    fn read_thoroughly(&mut self, start: usize) -> Option<usize> {
        self.forget_line();
        let shape = self.shape;
        let mut thorough = self.thorough.take().unwrap_or_else(|| Thorough::new(shape.dialect));
        let end = start + thorough.read(&self.bytes[start..]);
        let span = &self.bytes[start..end];
        let lines = lines_in(span);
        // Where records are lines, one whose line is there is whole, whatever its quotes swallowed.
        let may_go_on = !shape.multiline.is_empty() || lines == 0;
        let is_last = end == self.bytes.len() && !self.complete;
        if is_last && may_go_on && span.len() < RECORD_BYTES_MAX && !closes(shape.dialect, span) {
            return None;
        }
        let mut next = end;
        if thorough.ends.len() == 1 && matches!(thorough.text.as_slice(), b"" | b"\r") {
            self.line += lines;
        } else {
            self.records += 1;
            match judge(shape, &mut thorough, span) {
                Ok(()) => {
                    // Without quotes and delimiters it has room where it came from.
                    self.bytes[start..start + thorough.text.len()].copy_from_slice(&thorough.text);
                    let mut cell = start;
                    for end in &thorough.ends {
                        self.spans.push(self::span(cell, start + end));
                        cell = start + end;
                    }
                    self.keep();
                    self.line += lines;
                }
                Err((why, true)) => {
                    self.quarantine(why, start..end);
                    self.line += lines;
                }
                Err((why, false)) => {
                    next = start + memchr::memchr(b'\n', span).map_or(span.len(), |at| at + 1);
                    self.quarantine(why, start..next);
                    self.line += 1;
                }
            }
        }
        self.thorough = Some(thorough);
        Some(next)
    }
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, length: (end - start) as u32 }
}

/// Reads records of any kind, one at a time.
struct Thorough {
    reader: csv_core::Reader,
    /// The cells of the record that was read last, one after the other.
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Thorough {
    fn new(dialect: &Dialect) -> Self {
        let reader = csv_core::ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .quoting(dialect.quote.is_some())
            .quote(dialect.quote.unwrap_or(b'"'))
            .terminator(csv_core::Terminator::Any(b'\n'))
            .build();
        Self { reader, text: Vec::new(), ends: Vec::new() }
    }

    /// Reads the record at the start of `input`; gives how long it is there.
    fn read(&mut self, input: &[u8]) -> usize {
        let (mut read, mut written, mut ended) = (0, 0, 0);
        self.text.resize(self.text.capacity().max(512), 0);
        self.ends.resize(self.ends.capacity().max(32), 0);
        loop {
            let (result, bytes, text, ends) =
                self.reader.read_record(&input[read..], &mut self.text[written..], &mut self.ends[ended..]);
            (read, written, ended) = (read + bytes, written + text, ended + ends);
            match result {
                // The end of the input is told by asking again with none.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => {
                    self.text.truncate(written);
                    self.ends.truncate(ended);
                    return read;
                }
            }
        }
    }

    fn cells(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.text[std::mem::replace(&mut start, *end)..*end])
    }
}

/// Whether the cells can be read as a record; if not, why, and whether all of its lines are lost or only the first.
fn judge(shape: &RecordShape<'_>, record: &mut Thorough, span: &[u8]) -> Result<(), (Unreadable, bool)> {
    let is_line = memchr::memchr(b'\n', span).is_none_or(|at| at + 1 == span.len());
    if span.len() > RECORD_BYTES_MAX {
        return Err((Unreadable::TooLong, is_line));
    }
    let breaks_inside = memchr::memchr(b'\n', &record.text).is_some();
    if breaks_inside {
        let allowed = |(index, cell): (usize, &[u8])| !cell.contains(&b'\n') || shape.multiline.contains(&index);
        if shape.multiline.is_empty() || !closes(shape.dialect, span) {
            return Err((Unreadable::OpenQuote, is_line));
        }
        if !record.cells().enumerate().all(allowed) {
            return Err((Unreadable::OpenQuote, true));
        }
    }
    if record.text.last() == Some(&b'\r')
        && (span.ends_with(b"\r\n") || span.ends_with(b"\r"))
        && let Some(end) = record.ends.last_mut()
    {
        // Of a `\r\n`.
        *end -= 1;
        record.text.pop();
    }
    if record.ends.len() != shape.cells && shape.cells != RecordShape::ANY {
        return Err((Unreadable::FieldCount { found: record.ends.len(), expected: shape.cells }, true));
    }
    if !record.text.is_ascii()
        && let Some(cell) = record.cells().position(|cell| std::str::from_utf8(cell).is_err())
    {
        return Err((Unreadable::Encoding { cell }, true));
    }
    Ok(())
}

/// The first record of `bytes`, whether it can be read or not.
pub(crate) fn first_record(dialect: &Dialect, bytes: &[u8]) -> ByteRecord {
    let mut cells = ByteRecord::new();
    // Reading from memory into a flexible record cannot fail.
    let _ = csv_reader(dialect, bytes).read_byte_record(&mut cells);
    cells
}

/// `cells` as a line of their file.
pub(crate) fn written(dialect: &Dialect, cells: &ByteRecord) -> Vec<u8> {
    let mut line = csv::WriterBuilder::new();
    line.delimiter(dialect.delimiter).quote(dialect.quote.unwrap_or(b'"'));
    if dialect.quote.is_none() {
        line.quote_style(csv::QuoteStyle::Never);
    }
    let mut line = line.from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = line.write_byte_record(cells);
    line.into_inner().unwrap_or_default()
}

/// Whether `span` is one record by the letter of RFC 4180: every opened quote is closed just before a delimiter or
/// the end of the record, and the record ends with its last byte.
fn closes(dialect: &Dialect, span: &[u8]) -> bool {
    let Some(quote) = dialect.quote else { return span.ends_with(b"\n") };
    let mut at = 0;
    while at < span.len() {
        if span[at] == quote {
            at += 1;
            loop {
                match memchr::memchr(quote, &span[at..]) {
                    None => return false,
                    Some(found) if span.get(at + found + 1) == Some(&quote) => at += found + 2,
                    Some(found) => {
                        at += found + 1;
                        break;
                    }
                }
            }
            match span.get(at) {
                None => return true,
                Some(&byte) if byte == dialect.delimiter => at += 1,
                Some(b'\n') => return at + 1 == span.len(),
                Some(b'\r') if span.get(at + 1) == Some(&b'\n') => return at + 2 == span.len(),
                Some(_) => return false,
            }
        } else {
            match memchr::memchr2(dialect.delimiter, b'\n', &span[at..]) {
                None => return false,
                Some(found) if span[at + found] == b'\n' => return at + found + 1 == span.len(),
                Some(found) => at += found + 1,
            }
        }
    }
    false
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Seen {
        records: Vec<Vec<String>>,
        lost: Vec<(Unreadable, String)>,
        lines: Vec<u64>,
    }

    impl RecordSink for Seen {
        fn record(&mut self, line: u64, cells: &mut ByteRecord) {
            let mut buffer = RecordBuffer::default();
            buffer.push(line, cells);
            self.records(&buffer.records());
        }
        fn records(&mut self, records: &Records<'_>) {
            self.lines.extend(records.lines());
            let text = |cell: &[u8]| String::from_utf8(cell.to_vec()).unwrap();
            self.records.extend((0..records.len()).map(|at| records.record(at).map(text).collect::<Vec<_>>()));
        }
        fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
            self.lines.push(line);
            self.lost.push((why, String::from_utf8_lossy(bytes).into_owned()));
        }
    }

    fn dialect() -> Dialect {
        Dialect { delimiter: b',', quote: Some(b'"'), multiline: Vec::new(), trim: false, encoding: encoding_rs::UTF_8 }
    }

    fn read(text: &[u8], multiline: &[usize]) -> Seen {
        let dialect = dialect();
        let shape = RecordShape { dialect: &dialect, cells: 2, multiline: multiline.to_vec() };
        let mut seen = Seen::default();
        let consumed = read_records(&shape, &mut text.to_vec(), true, &mut seen);
        assert_eq!(consumed.bytes, text.len());
        seen
    }

    fn rows(rows: &[[&str; 2]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn plain_quoted_and_crlf_records_are_read() {
        assert_eq!(read(b"a,b\nc,\"d,\"\"e\"\n", &[]).records, rows(&[["a", "b"], ["c", "d,\"e"]]));
        assert_eq!(read(b"a,b\r\nc,\"d\"\r\ne,f", &[]).records, rows(&[["a", "b"], ["c", "d"], ["e", "f"]]));
        assert_eq!(read(b"", &[]), Seen::default());
    }

    #[test]
    fn a_stray_quote_costs_one_record() {
        let seen = read(b"a,b\nc,\"d\ne,f\ng,h\n", &[]);
        assert_eq!(seen.records, rows(&[["a", "b"], ["e", "f"], ["g", "h"]]));
        assert_eq!(seen.lost, [(Unreadable::OpenQuote, "c,\"d\n".to_owned())]);
        assert_eq!(seen.lines, [0, 1, 2, 3]);
        let seen = read(b"a,b\nc,\"d\n", &[]);
        assert_eq!(seen.lost, [(Unreadable::OpenQuote, "c,\"d\n".to_owned())]);
    }

    #[test]
    fn a_declared_column_may_hold_line_breaks_and_others_may_not() {
        let seen = read(b"a,\"b\nc\"\nd,e\n", &[1]);
        assert_eq!(seen.records, rows(&[["a", "b\nc"], ["d", "e"]]));
        assert_eq!(seen.lines, [0, 2]);
        let seen = read(b"\"a\nb\",c\nd,e\n", &[1]);
        assert_eq!(seen.records, rows(&[["d", "e"]]));
        assert_eq!(seen.lost, [(Unreadable::OpenQuote, "\"a\nb\",c\n".to_owned())]);
    }

    #[test]
    fn a_stray_quote_in_a_declared_column_costs_one_record() {
        let seen = read(b"a,\"b\nc,\"d\"\ne,f\n", &[1]);
        assert_eq!(seen.records, rows(&[["c", "d"], ["e", "f"]]));
        assert_eq!(seen.lost, [(Unreadable::OpenQuote, "a,\"b\n".to_owned())]);
    }

    #[test]
    fn ragged_and_undecodable_records_are_set_aside() {
        let seen = read(b"a\nb,c,d\ne,f\ng,\xff\n", &[]);
        assert_eq!(seen.records, rows(&[["e", "f"]]));
        let why: Vec<Unreadable> = seen.lost.iter().map(|(why, _)| *why).collect();
        assert_eq!(
            why,
            [
                Unreadable::FieldCount { found: 1, expected: 2 },
                Unreadable::FieldCount { found: 3, expected: 2 },
                Unreadable::Encoding { cell: 1 }
            ]
        );
    }

    #[test]
    fn blank_lines_are_no_records_and_keep_the_count_of_lines_right() {
        let seen = read(b"\n\na,b\n\r\nc,d\n", &[]);
        assert_eq!(seen.records, rows(&[["a", "b"], ["c", "d"]]));
        assert_eq!(seen.lines, [2, 4]);
    }

    proptest::proptest! {
        #[test]
        fn cells_come_back_as_they_were_written(
            written in proptest::collection::vec(("[a-zé,\"]{0,70}", "[a-zé,\"\n]{0,70}", proptest::bool::ANY), 0..150),
            crlf in proptest::bool::ANY,
        ) {
            let mut text = String::new();
            for (first, second, quoted) in &written {
                let cell = |cell: &str| {
                    let quoted = *quoted || cell.contains(['"', ',', '\n']);
                    if quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
                };
                text.extend([cell(first).as_str(), ",", cell(second).as_str(), if crlf { "\r\n" } else { "\n" }]);
            }
            let seen = read(text.as_bytes(), &[1]);
            let expected: Vec<_> = written.iter().map(|(first, second, _)| vec![first.clone(), second.clone()]).collect();
            proptest::prop_assert_eq!(seen.records, expected);
            proptest::prop_assert_eq!(seen.lost, []);
        }

        #[test]
        fn where_records_are_lines_a_cut_between_lines_changes_nothing(text in "[a-b,\"\r\n\\x00-\\xff]{0,200}") {
            let whole = read(text.as_bytes(), &[]);
            let mut pieces = Seen::default();
            for (number, line) in (0..).zip(text.split_inclusive('\n')) {
                let piece = read(line.as_bytes(), &[]);
                pieces.records.extend(piece.records);
                pieces.lost.extend(piece.lost);
                pieces.lines.extend(piece.lines.iter().map(|line| number + line));
            }
            proptest::prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn a_record_cut_in_two_is_left_for_the_next_call() {
        let dialect = dialect();
        let shape = RecordShape { dialect: &dialect, cells: 2, multiline: vec![1] };
        let mut seen = Seen::default();
        let consumed = read_records(&shape, &mut b"a,b\nc,\"d\ne".to_vec(), false, &mut seen);
        assert_eq!(consumed, Consumed { bytes: 4, lines: 1, records: 1 });
        assert_eq!(seen.records, rows(&[["a", "b"]]));
        let consumed = read_records(&shape, &mut b"c,\"d\ne\"\n".to_vec(), false, &mut seen);
        assert_eq!(consumed, Consumed { bytes: 8, lines: 2, records: 1 });
    }
}
