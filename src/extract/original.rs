//! Records as they lie in their files, byte by byte: for whoever sent them.
//!
//! Bytes are those of the file, decompressed where it is compressed and in the file's own encoding. Lines are counted as
//! everywhere: from 1, the header's among them.

use std::io::{self, BufRead, BufReader};
use std::ops::Range;

use csv::ByteRecord;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use super::record::{RecordShape, RecordSink, Unreadable};
use super::{ExtractError, SourceFile, region, stream};

/// What takes the bytes.
pub trait OriginalSink {
    /// The header, its line end included; once, before any record. Empty: the file has none.
    fn header(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The record that starts on `line`, the end of its last line included unless the file ends there.
    fn record(&mut self, line: u64, bytes: &[u8]) -> io::Result<()>;
}

/// Why records can't be copied.
#[derive(Debug, thiserror::Error)]
pub enum OriginalError {
    /// The file can't be read.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Whoever takes the bytes can't write them.
    #[error("the records can't be written")]
    Output(#[source] io::Error),
}

/// Hands the header of `file`, then the records that start on `lines` (ascending, each once), to `sink`. Gives the lines
/// on which no record starts.
pub fn copy(
    file: &SourceFile,
    shape: &RecordShape<'_>,
    lines: &[u64],
    sink: &mut impl OriginalSink,
) -> Result<Vec<u64>, OriginalError> {
    let spans = spans(file, shape, lines)?;
    let mut text = BufReader::new(stream::open_undecoded(&file.path, file.form)?);
    let encoding = file.form.encoding();
    let broken = || stream::broken(&file.path, file.form);
    let mut bytes = Vec::new();
    let mut line = 0;
    while line < file.header_lines && read_line(&mut text, encoding, &mut bytes).map_err(broken())? {
        line += 1;
    }
    sink.header(&bytes).map_err(OriginalError::Output)?;
    let mut missing: Vec<u64> =
        lines.iter().copied().filter(|line| spans.iter().all(|span| span.start != *line)).collect();
    for span in spans {
        bytes.clear();
        // `line` is the last line that was read.
        while line + 1 < span.end && read_line(&mut text, encoding, &mut bytes).map_err(broken())? {
            line += 1;
            if line < span.start {
                bytes.clear();
            }
        }
        if bytes.is_empty() {
            missing.push(span.start);
        } else {
            sink.record(span.start, &bytes).map_err(OriginalError::Output)?;
        }
    }
    Ok(missing)
}

/// The lines of each record: one, unless cells of the table may hold line breaks.
fn spans(file: &SourceFile, shape: &RecordShape<'_>, lines: &[u64]) -> Result<Vec<Range<u64>>, ExtractError> {
    if shape.multiline.is_empty() {
        return Ok(lines.iter().map(|line| *line..line + 1).collect());
    }
    let mut starts = Starts { header_lines: file.header_lines, wanted: lines, found: Vec::new() };
    for region in region::plan(file, true)? {
        region::read(file, region, shape, &mut Vec::new(), &mut starts)?;
    }
    Ok(starts.found)
}

/// Notes where the wanted records start, and how many lines they have.
struct Starts<'w> {
    header_lines: u64,
    wanted: &'w [u64],
    found: Vec<Range<u64>>,
}

impl Starts<'_> {
    fn note(&mut self, line: u64, lines: u64) {
        let line = self.header_lines + line + 1;
        while self.wanted.first().is_some_and(|wanted| *wanted < line) {
            self.wanted = &self.wanted[1..];
        }
        if self.wanted.first() == Some(&line) {
            self.wanted = &self.wanted[1..];
            self.found.push(line..line + lines);
        }
    }
}

impl RecordSink for Starts<'_> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        // A line break inside a cell is the only one that a record has before its end.
        let breaks = memchr::memchr_iter(b'\n', cells.as_slice()).count() as u64;
        self.note(line, breaks + 1);
    }

    fn quarantine(&mut self, line: u64, _why: Unreadable, bytes: &[u8]) {
        let ends = memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.note(line, ends.max(1));
    }
}

/// Appends one line, its end included, to `bytes`; false at the end of the text.
fn read_line(text: &mut impl BufRead, encoding: &'static Encoding, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let start = bytes.len();
    loop {
        if text.read_until(b'\n', bytes)? == 0 {
            return Ok(bytes.len() > start);
        }
        if bytes.last() != Some(&b'\n') {
            return Ok(true);
        }
        let length = bytes.len() - start;
        if encoding == UTF_16LE {
            // The byte may be either half of a unit; a line feed is its low half, and a zero follows.
            if length.is_multiple_of(2) {
                continue;
            }
            let mut high = [0];
            if text.read(&mut high)? == 0 {
                return Ok(true);
            }
            bytes.push(high[0]);
            if high[0] == 0 {
                return Ok(true);
            }
        } else if encoding == UTF_16BE {
            if length.is_multiple_of(2) && bytes[bytes.len() - 2] == 0 {
                return Ok(true);
            }
        } else {
            return Ok(true);
        }
    }
}

/// `text` in the encoding of a file; a character that the encoding has not is told by its number.
#[must_use]
pub fn encoded(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    if encoding == UTF_16LE {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    } else if encoding == UTF_16BE {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    } else {
        encoding.encode(text).0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_two_byte_units_end_at_line_feeds_alone() {
        // U+0A0A and U+0A00 hold the byte of a line feed without being one.
        let text = "a\u{0a0a}\u{0a00}b\nc\n\u{010a}d";
        for encoding in [UTF_16LE, UTF_16BE] {
            let bytes = encoded(text, encoding);
            let mut reader = BufReader::new(bytes.as_slice());
            let mut lines = Vec::new();
            let mut line = Vec::new();
            while read_line(&mut reader, encoding, &mut line).unwrap() {
                lines.push(encoding.decode_without_bom_handling(&line).0.into_owned());
                line.clear();
            }
            assert_eq!(lines, ["a\u{0a0a}\u{0a00}b\n", "c\n", "\u{010a}d"], "{}", encoding.name());
        }
    }
}
