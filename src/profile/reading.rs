//! Files whose records are read on all threads, into whatever counts them.
//!
//! Cutting bytes into records is extract's; here it is told what a file seems to be, and what it should do with a
//! record that does not fit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use csv::ByteRecord;
use rayon::prelude::*;

use super::Watch;
use super::column::Counts;
use super::dialect::{self, Sniffed};
use super::encoding;
use crate::extract::record::{RecordShape, RecordSink, Unreadable};
use crate::extract::region::{self, Region};
use crate::extract::stream::{self, Form};
use crate::extract::{ExtractError, SourceFile};
use crate::mapping::Dialect;

/// How much of a file its dialect is told from, in bytes of text.
const HEAD: u64 = 1 << 20;
/// What a file's cells are called where it has no header.
const POSITION: &str = "column_";

/// A file and how it is cut.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) file: SourceFile,
    pub(super) sniffed: Sniffed,
    pub(super) encoding: &'static str,
    dialect: Dialect,
}

/// What takes the records of a part of a file.
pub(super) trait Take: Send {
    /// A record, and its kind where its file has several.
    fn record(&mut self, kind: &[u8], cells: &ByteRecord);
    /// What can't be read as a record: where it stands in which region.
    fn lost(&mut self, region: usize, line: u64, why: Unreadable);
    /// A record about the file.
    fn control(&mut self, name: &[u8]);
}

impl Source {
    pub(super) fn open(directory: &Path, path: PathBuf) -> Result<Self, ExtractError> {
        let encoding = encoding::detect(&path)?;
        let form = Form::of(&path, encoding);
        let metadata = std::fs::metadata(&path).map_err(ExtractError::read(&path))?;
        let modified = metadata.modified().map_err(ExtractError::read(&path))?;
        let mut head = Vec::new();
        if metadata.len() > 0 {
            use std::io::Read as _;
            let text = stream::open(&path, form)?;
            text.take(HEAD).read_to_end(&mut head).map_err(stream::broken(&path, form))?;
        }
        let sniffed = dialect::sniff(&head, (head.len() as u64) < HEAD);
        let skipped = usize::from(sniffed.preamble) + usize::from(sniffed.header.is_some());
        let (data_start, header_lines) = after_lines(&head, skipped);
        let file = SourceFile {
            name: path.strip_prefix(directory).unwrap_or(&path).display().to_string().into(),
            path,
            bytes: metadata.len(),
            modified,
            header: sniffed.header.clone().unwrap_or_default(),
            header_lines,
            data_start,
            form,
        };
        let mut source = Self { dialect: plain(&sniffed, encoding), file, encoding: encoding.name(), sniffed };
        source.let_cells_break(source.sniffed.breaks);
        Ok(source)
    }

    fn let_cells_break(&mut self, breaks: bool) {
        self.sniffed.breaks = breaks;
        let any = (POSITION.to_owned(), 0..0);
        self.dialect.multiline = if breaks { vec![any] } else { Vec::new() };
    }

    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// The names of `cells` columns.
    pub(super) fn names(&self, cells: usize) -> Vec<String> {
        let header = self.sniffed.header.as_deref().unwrap_or_default();
        (0..cells).map(|at| header.get(at).cloned().unwrap_or_else(|| format!("{POSITION}{}", at + 1))).collect()
    }

    /// Reads all records, each part of the file into a `make` of its own; tells how many lines each region has too.
    pub(super) fn read<T: Take>(
        &self,
        make: impl Fn() -> T + Sync,
        watch: &impl Watch,
    ) -> Result<(Vec<T>, Vec<u64>), ExtractError> {
        let regions = region::plan(&self.file, self.sniffed.breaks)?;
        let cells = if self.sniffed.typed { RecordShape::ANY } else { self.sniffed.cells };
        let multiline = if self.sniffed.breaks { (0..self.sniffed.cells.max(256)).collect() } else { Vec::new() };
        let shape = RecordShape { dialect: &self.dialect, cells, multiline };
        let lines: Vec<AtomicU64> = regions.iter().map(|_| AtomicU64::new(0)).collect();
        let next = AtomicUsize::new(0);
        let work = |_| {
            let mut sink = Sink { take: make(), source: self, region: 0 };
            let mut buffer = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(Region { start, end }) = regions.get(at).copied() else { return Ok(sink.take) };
                sink.region = at;
                let read = region::read(&self.file, Region { start, end }, &shape, &mut buffer, &mut sink)?;
                lines[at].store(read.lines, Ordering::Relaxed);
                watch.advance(end - start);
            }
        };
        let workers = rayon::current_num_threads().min(regions.len()).max(1);
        let taken = (0..workers).into_par_iter().map(work).collect::<Result<Vec<T>, ExtractError>>()?;
        Ok((taken, lines.into_iter().map(AtomicU64::into_inner).collect()))
    }

    /// Counts all columns.
    pub(super) fn count(mut self, watch: &impl Watch) -> Result<Counted, ExtractError> {
        let mut counted = self.count_once(watch)?;
        let open = |counting: &Counting| {
            counting.losses.iter().find(|loss| loss.why == Why::OpenQuote).map_or(0, |l| l.records)
        };
        // Line breaks in cells may come after the head that was looked at.
        if open(&counted) > 2 && !self.sniffed.breaks {
            self.let_cells_break(true);
            let again = self.count_once(watch)?;
            if open(&again) < open(&counted) {
                counted = again;
            } else {
                self.let_cells_break(false);
            }
        }
        let Counting { tables, losses, controls } = counted;
        Ok(Counted { source: self, tables, losses, controls })
    }

    fn count_once(&self, watch: &impl Watch) -> Result<Counting, ExtractError> {
        let (parts, lines) = self.read(Counting::default, watch)?;
        let before: Vec<u64> = lines
            .iter()
            .scan(self.file.header_lines, |line, lines| Some(std::mem::replace(line, *line + lines)))
            .collect();
        let mut whole = Counting::default();
        for mut part in parts {
            for loss in &mut part.losses {
                loss.line += before.get(loss.region).copied().unwrap_or(0) + 1;
            }
            whole.merge(part);
        }
        if whole.tables.is_empty() {
            whole.tables.push(Table::new(b"", self.sniffed.cells));
        }
        whole.tables.sort_by(|a, b| a.kind.cmp(&b.kind));
        whole.controls.sort();
        whole.losses.sort_by_key(|loss| loss.why);
        Ok(whole)
    }
}

fn plain(sniffed: &Sniffed, encoding: &'static encoding_rs::Encoding) -> Dialect {
    Dialect { delimiter: sniffed.delimiter, quote: sniffed.quote, multiline: Vec::new(), trim: false, encoding }
}

/// The offset after the first `records` lines of `text` that are not blank, and how many lines that is.
fn after_lines(text: &[u8], records: usize) -> (u64, u64) {
    let (mut at, mut lines, mut left) = (0, 0, records);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if left == 0 {
            break;
        }
        at += line.len();
        lines += 1;
        left -= usize::from(!line.trim_ascii().is_empty());
    }
    (at as u64, lines)
}

/// Hands records on, those of several kinds by their kind.
struct Sink<'s, T> {
    take: T,
    source: &'s Source,
    region: usize,
}

impl<T: Take> RecordSink for Sink<'_, T> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        if !self.source.sniffed.typed {
            return self.take.record(b"", cells);
        }
        let first = cells.get(0).unwrap_or_default().trim_ascii();
        if dialect::is_control(first) {
            self.take.control(first);
        } else if dialect::may_be_type(first) {
            self.take.record(first, cells);
        } else {
            self.take.lost(self.region, line, Unreadable::UnknownType);
        }
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        let Sniffed { delimiter, .. } = self.source.sniffed;
        let first = bytes.split(|byte| *byte == delimiter || *byte == b'\n').next().unwrap_or_default().trim_ascii();
        match why {
            Unreadable::FieldCount { .. } if dialect::is_control(first) => self.take.control(first),
            why => self.take.lost(self.region, line, why),
        }
    }
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    FieldCount,
    OpenQuote,
    Encoding,
    TooLong,
}

/// Records that cannot be read for one reason.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    pub(super) why: Why,
    pub(super) records: u64,
    /// The line of the first, in its region until the regions are put together.
    pub(super) line: u64,
    region: usize,
}

/// The columns of one kind of records.
#[derive(Debug)]
pub(super) struct Table {
    /// Empty where the file has one kind.
    pub(super) kind: Box<[u8]>,
    pub(super) records: u64,
    pub(super) columns: Vec<Counts>,
}

impl Table {
    fn new(kind: &[u8], cells: usize) -> Self {
        Self { kind: kind.into(), records: 0, columns: (0..cells).map(|_| Counts::default()).collect() }
    }

    /// Makes room for `cells` columns; records before had no such cells.
    fn widen(&mut self, cells: usize) {
        while self.columns.len() < cells {
            let mut counts = Counts::default();
            counts.blank = self.records;
            self.columns.push(counts);
        }
    }
}

/// A file, counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) source: Source,
    pub(super) tables: Vec<Table>,
    pub(super) losses: Vec<Loss>,
    /// First cells of records about the file.
    pub(super) controls: Vec<Box<[u8]>>,
}

#[derive(Debug, Default)]
struct Counting {
    tables: Vec<Table>,
    losses: Vec<Loss>,
    controls: Vec<Box<[u8]>>,
}

impl Counting {
    fn table(&mut self, kind: &[u8], cells: usize) -> Option<&mut Table> {
        let at = match self.tables.iter().position(|table| *table.kind == *kind) {
            Some(at) => at,
            None if self.tables.len() == dialect::TYPES => return None,
            None => {
                self.tables.push(Table::new(kind, cells));
                self.tables.len() - 1
            }
        };
        self.tables[at].widen(cells);
        Some(&mut self.tables[at])
    }

    fn merge(&mut self, other: Self) {
        for theirs in other.tables {
            let Some(ours) = self.table(&theirs.kind, theirs.columns.len()) else { continue };
            // Records of the narrower part have no cells in the columns that it lacks.
            for counts in ours.columns.iter_mut().skip(theirs.columns.len()) {
                counts.blank += theirs.records;
            }
            for (counts, more) in ours.columns.iter_mut().zip(theirs.columns) {
                counts.merge(more);
            }
            ours.records += theirs.records;
        }
        for loss in other.losses {
            self.lose(loss);
        }
        for name in other.controls {
            if !self.controls.contains(&name) {
                self.controls.push(name);
            }
        }
    }

    fn lose(&mut self, loss: Loss) {
        match self.losses.iter_mut().find(|known| known.why == loss.why) {
            Some(known) => {
                known.records += loss.records;
                if (loss.region, loss.line) < (known.region, known.line) {
                    (known.region, known.line) = (loss.region, loss.line);
                }
            }
            None => self.losses.push(loss),
        }
    }
}

impl Take for Counting {
    fn record(&mut self, kind: &[u8], cells: &ByteRecord) {
        let Some(table) = self.table(kind, cells.len()) else { return };
        table.records += 1;
        for (counts, cell) in table.columns.iter_mut().zip(cells) {
            counts.add(cell);
        }
        for counts in table.columns.iter_mut().skip(cells.len()) {
            counts.blank += 1;
        }
    }

    fn lost(&mut self, region: usize, line: u64, why: Unreadable) {
        let why = match why {
            Unreadable::FieldCount { .. } | Unreadable::UnknownType => Why::FieldCount,
            Unreadable::OpenQuote => Why::OpenQuote,
            Unreadable::Encoding { .. } => Why::Encoding,
            Unreadable::TooLong => Why::TooLong,
        };
        self.lose(Loss { why, records: 1, line, region });
    }

    fn control(&mut self, name: &[u8]) {
        if !self.controls.iter().any(|known| **known == *name) {
            self.controls.push(name.into());
        }
    }
}

/// A file's name without its endings: `readings_1` of `readings_1.csv.gz`.
pub(super) fn stem(name: &Arc<str>) -> &str {
    name.split('.').next().unwrap_or(name)
}
