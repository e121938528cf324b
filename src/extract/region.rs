//! Regions: stretches of a file that start and end with a record, read in parallel and in any order.
//!
//! A file whose records are physical lines is cut at line ends. A file whose cells may hold line breaks is one region:
//! where its records end is known only by reading it from the start, in chunks; so is one that is compressed or in
//! another encoding, whose region counts bytes as they lie on the disk.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use super::record::{Consumed, RECORD_BYTES_MAX, RecordShape, RecordSink, Records, read_records};
use super::{ExtractError, SourceFile, stream};

/// How much of a file is read at a time, in bytes: small enough that what is parsed stays in the processor's caches.
const REGION_BYTES: u64 = 1024 * 1024;

/// A stretch of a file, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
}

/// Cuts `file` into regions.
pub fn plan(file: &SourceFile, multiline: bool) -> Result<Vec<Region>, ExtractError> {
    if !file.form.is_plain() {
        return Ok(vec![Region { start: 0, end: file.bytes }]);
    }
    if multiline || file.bytes <= file.data_start + REGION_BYTES {
        return Ok(vec![Region { start: file.data_start, end: file.bytes }]);
    }
    let handle = File::open(&file.path).map_err(ExtractError::read(&file.path))?;
    let mut regions = Vec::new();
    let mut start = file.data_start;
    while start < file.bytes {
        let end = line_end(&handle, (start + REGION_BYTES).min(file.bytes), file.bytes)
            .map_err(ExtractError::read(&file.path))?;
        regions.push(Region { start, end });
        start = end;
    }
    Ok(regions)
}

/// The first line end at or after `from`.
fn line_end(file: &File, mut from: u64, length: u64) -> std::io::Result<u64> {
    let mut chunk = [0; 4096];
    // A region that ends just after a line end is whole already.
    from -= 1;
    while from < length {
        let read = file.read_at(&mut chunk, from)?;
        if read == 0 {
            break;
        }
        if let Some(at) = memchr::memchr(b'\n', &chunk[..read]) {
            return Ok(from + at as u64 + 1);
        }
        from += read as u64;
    }
    Ok(length)
}

/// Reads the records of a region into `sink`; tells what it consists of. `buffer` is scratch space.
pub fn read(
    file: &SourceFile,
    region: Region,
    shape: &RecordShape<'_>,
    buffer: &mut Vec<u8>,
    sink: &mut impl RecordSink,
) -> Result<Consumed, ExtractError> {
    if !file.form.is_plain() {
        return read_stream(file, shape, buffer, sink);
    }
    let mut handle = File::open(&file.path).map_err(ExtractError::read(&file.path))?;
    let length = region.end - region.start;
    if shape.multiline.is_empty() {
        buffer.resize(length as usize, 0);
        handle.read_exact_at(buffer, region.start).map_err(|error| shrunk(file, error))?;
        return Ok(read_records(shape, buffer, true, sink));
    }
    handle.seek(SeekFrom::Start(region.start)).map_err(ExtractError::read(&file.path))?;
    let error = ExtractError::read(&file.path);
    let total = read_in_chunks(&mut handle.take(length), shape, buffer, sink).map_err(error)?;
    if (total.bytes as u64) < length {
        return Err(ExtractError::Changed { path: file.path.clone() });
    }
    Ok(total)
}

/// Reads a file that is decoded from its start.
fn read_stream(
    file: &SourceFile,
    shape: &RecordShape<'_>,
    buffer: &mut Vec<u8>,
    sink: &mut impl RecordSink,
) -> Result<Consumed, ExtractError> {
    if file.bytes == 0 {
        return Ok(Consumed::default());
    }
    let mut text = stream::open(&file.path, file.form)?;
    let header = std::io::copy(&mut text.by_ref().take(file.data_start), &mut std::io::sink());
    header.map_err(stream::broken(&file.path, file.form))?;
    read_in_chunks(&mut text, shape, buffer, sink).map_err(stream::broken(&file.path, file.form))
}

/// Reads records to the end of `text` in chunks, carrying a record that a chunk's end cuts in two over to the next.
fn read_in_chunks(
    text: &mut impl Read,
    shape: &RecordShape<'_>,
    buffer: &mut Vec<u8>,
    sink: &mut impl RecordSink,
) -> std::io::Result<Consumed> {
    let mut total = Consumed::default();
    let mut chunk = REGION_BYTES;
    buffer.clear();
    loop {
        let read = text.take(chunk).read_to_end(buffer)?;
        let ended = (read as u64) < chunk;
        let read = read_records(shape, buffer, ended, &mut Offset { sink, lines: total.lines });
        total.bytes += read.bytes;
        total.lines += read.lines;
        total.records += read.records;
        if ended {
            return Ok(total);
        }
        // A record longer than the chunk: take bigger bites, so that it is not parsed over and over.
        chunk = if read.bytes == 0 { (chunk * 2).min(RECORD_BYTES_MAX as u64) } else { REGION_BYTES };
        buffer.drain(..read.bytes);
    }
}

/// Counts the lines of the chunks before.
struct Offset<'s, S> {
    sink: &'s mut S,
    lines: u64,
}

impl<S: RecordSink> RecordSink for Offset<'_, S> {
    fn record(&mut self, line: u64, cells: &mut csv::ByteRecord) {
        self.sink.record(self.lines + line, cells);
    }
    fn records(&mut self, records: &Records<'_>) {
        self.sink.records(&records.moved_down(self.lines));
    }
    fn quarantine(&mut self, line: u64, why: super::record::Unreadable, bytes: &[u8]) {
        self.sink.quarantine(self.lines + line, why, bytes);
    }
}

fn shrunk(file: &SourceFile, error: std::io::Error) -> ExtractError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        ExtractError::Changed { path: file.path.clone() }
    } else {
        ExtractError::Read { path: file.path.clone(), source: error }
    }
}
