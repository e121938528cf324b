//! Bytes to records, with what cannot be read set aside.
//!
//! Records are physical lines unless the table says which columns may hold line breaks. So a stray quote costs one
//! record: whatever it swallowed beyond its own line is read again.

use std::io::Cursor;

use csv::{ByteRecord, Position};
use serde::{Deserialize, Serialize};

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

/// What takes the records of a region, in the order of the file; each starts `line` lines after the region does.
pub trait RecordSink {
    /// A record with as many cells as the header, all of them UTF-8. The sink may keep it and leave another in its
    /// place: what is there is overwritten.
    fn record(&mut self, line: u64, cells: &mut ByteRecord);
    /// A record that cannot be read, with its bytes.
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

/// A csv reader over `bytes` whose records end at `\n` alone; `\r` before it is cut off by [`last_cell`].
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
pub fn read_records(shape: &RecordShape<'_>, bytes: &[u8], complete: bool, sink: &mut impl RecordSink) -> Consumed {
    let mut reader = csv_reader(shape.dialect, bytes);
    let mut cells = ByteRecord::new();
    let mut records = 0;
    loop {
        let before = reader.position().clone();
        // Reading from memory into a flexible record cannot fail; an end of file is the only other answer.
        if !reader.read_byte_record(&mut cells).unwrap_or(false) {
            return Consumed { bytes: bytes.len(), lines: lines_in(bytes), records };
        }
        let after = reader.position().clone();
        let mut start = before.byte() as usize;
        let end = after.byte() as usize;
        let mut line = before.line() - 1;
        let mut lines = after.line() - before.line();
        if lines != 1 {
            let blank = blank_lines(&bytes[start..end]);
            start += blank.bytes;
            line += blank.lines;
            lines -= blank.lines;
        }
        let span = &bytes[start..end];
        if cells.len() == 1 && matches!(&cells[0], b"" | b"\r") {
            continue;
        }
        // Where records are lines, one whose line is there is whole, whatever its quotes swallowed.
        let may_go_on = !shape.multiline.is_empty() || !span.contains(&b'\n');
        if end == bytes.len() && !complete && may_go_on && span.len() < RECORD_BYTES_MAX && !closes(shape.dialect, span)
        {
            return Consumed { bytes: start, lines: line, records };
        }
        records += 1;
        match judge(shape, &mut cells, span, lines) {
            Ok(()) => sink.record(line, &mut cells),
            Err((why, true)) => sink.quarantine(line, why, span),
            Err((why, false)) => {
                let first = memchr::memchr(b'\n', span).map_or(span.len(), |at| at + 1);
                sink.quarantine(line, why, &span[..first]);
                let mut next = Position::new();
                next.set_byte((start + first) as u64).set_line(line + 2);
                // Seeking in memory cannot fail; if it did, the rest of the region would be read from here.
                let _ = reader.seek(next);
            }
        }
    }
}

/// Whether the cells can be read as a record; if not, why, and whether all of its lines are lost or only the first.
fn judge(shape: &RecordShape<'_>, cells: &mut ByteRecord, span: &[u8], lines: u64) -> Result<(), (Unreadable, bool)> {
    if span.len() > RECORD_BYTES_MAX {
        return Err((Unreadable::TooLong, lines <= 1));
    }
    let text = cells.as_slice();
    let breaks_inside = lines > 1 || text.last() == Some(&b'\n');
    if breaks_inside {
        let allowed = |(index, cell): (usize, &[u8])| !cell.contains(&b'\n') || shape.multiline.contains(&index);
        if shape.multiline.is_empty() || !closes(shape.dialect, span) {
            return Err((Unreadable::OpenQuote, lines <= 1));
        }
        if !cells.iter().enumerate().all(allowed) {
            return Err((Unreadable::OpenQuote, true));
        }
    }
    if cells.as_slice().last() == Some(&b'\r') && (span.ends_with(b"\r\n") || span.ends_with(b"\r")) {
        cut_carriage_return(cells);
    }
    if cells.len() != shape.cells && shape.cells != RecordShape::ANY {
        return Err((Unreadable::FieldCount { found: cells.len(), expected: shape.cells }, true));
    }
    if !cells.as_slice().is_ascii()
        && let Some(cell) = cells.iter().position(|cell| std::str::from_utf8(cell).is_err())
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

/// Cuts the `\r` of a `\r\n` off the last cell.
fn cut_carriage_return(cells: &mut ByteRecord) {
    let last = cells.len() - 1;
    let mut cut = ByteRecord::with_capacity(cells.as_slice().len(), cells.len());
    for (index, cell) in cells.iter().enumerate() {
        cut.push_field(if index == last { &cell[..cell.len() - 1] } else { cell });
    }
    std::mem::swap(cells, &mut cut);
}

/// Blank lines at the start of `span`.
fn blank_lines(span: &[u8]) -> Consumed {
    let mut blank = Consumed::default();
    loop {
        let rest = &span[blank.bytes..];
        let length = if rest.starts_with(b"\n") {
            1
        } else if rest.starts_with(b"\r\n") {
            2
        } else {
            return blank;
        };
        blank.bytes += length;
        blank.lines += 1;
    }
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
            self.lines.push(line);
            self.records.push(cells.iter().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect());
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
        let consumed = read_records(&shape, text, true, &mut seen);
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

    #[test]
    fn a_record_cut_in_two_is_left_for_the_next_call() {
        let dialect = dialect();
        let shape = RecordShape { dialect: &dialect, cells: 2, multiline: vec![1] };
        let mut seen = Seen::default();
        let consumed = read_records(&shape, b"a,b\nc,\"d\ne", false, &mut seen);
        assert_eq!(consumed, Consumed { bytes: 4, lines: 1, records: 1 });
        assert_eq!(seen.records, rows(&[["a", "b"]]));
        let consumed = read_records(&shape, b"c,\"d\ne\"\n", false, &mut seen);
        assert_eq!(consumed, Consumed { bytes: 8, lines: 2, records: 1 });
    }
}
