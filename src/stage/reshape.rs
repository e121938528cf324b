//! From the records of a table's files to its rows, for tables whose records are not simply their rows: control records
//! and those of other types are set aside, repeated groups become rows, and cells of other tables' records are added.
//!
//! A row's number is its record's, times the rows a record may become, plus its place among them; so the record of a row
//! is known by its number, and so is its line, which is counted in rows too while records are read.

use std::sync::Arc;

use csv::ByteRecord;

use super::StageError;
use super::joined::{Day, Found, JoinMiss, Missed, Reference, day_of, push_key};
use super::keys::NO_ROW;
use super::promised::{ColumnSum, Counting, Summing};
use crate::extract::SourceFile;
use crate::extract::control::{ControlRecord, Sum, Totals};
use crate::extract::record::{self, RecordShape, RecordSink, Unreadable};
use crate::extract::region::{self, Region};
use crate::mapping::layout::Repeated;
use crate::mapping::plan::{Input, Origin, TablePlan};
use crate::mapping::reshape::Reshape;

/// What takes the rows of a region, in the order of the file.
pub(super) trait RowSink: RecordSink {
    /// A number that no row has: a record of another table, or a group that is blank.
    fn skip(&mut self, line: u64);
}

/// The text of `input` of a record whose columns that are read lie at `cells`; none for an unknown code, for a record
/// that was not found, and for texts that are made of others.
pub(super) fn text_of<'r>(record: &'r ByteRecord, cells: &[usize], input: &'r Input, trim: bool) -> Option<&'r [u8]> {
    match input {
        Input::Cell(column) => record.get(cells[*column]).map(|text| if trim { text.trim_ascii() } else { text }),
        Input::Joined(column) => record.get(cells[*column]).filter(|text| Missed::of_mark(text).is_none()),
        Input::Cut(input, cuts) => {
            let text = text_of(record, cells, input, trim)?;
            Some(cuts.iter().fold(text, |text, cut| cut.of(text)))
        }
        Input::Lookup(input, lookup, column) => {
            let text = text_of(record, cells, input, trim)?;
            if text.is_empty() {
                return Some(text);
            }
            lookup.row(text).map(|row| lookup.rows[row as usize][*column].as_bytes())
        }
        Input::Template(_) | Input::Sides(_) => None,
    }
}

/// The files of a table, read as rows.
pub(super) struct TableFiles<'p> {
    pub(super) plan: &'p TablePlan,
    pub(super) files: Vec<SourceFile>,
    /// (file, region), in order.
    pub(super) regions: Vec<(usize, Region)>,
    /// For each file, the cell of each column that is read.
    pub(super) cells: Vec<Vec<usize>>,
    /// For each file, what its sender promised of it.
    pub(super) counting: Vec<Counting>,
    /// The records that the table's joins find.
    references: Vec<Arc<Reference>>,
}

/// What was read of a region.
#[derive(Debug, Default)]
pub(super) struct ReadRecords {
    /// Physical lines.
    pub(super) lines: u64,
    /// The table's records, or the rows made of another's, as they were counted before anything was made of them.
    pub(super) records: u64,
    /// What control records are held against.
    pub(super) totals: Totals,
    /// Records that found none of another table; rows counted from the region's first.
    pub(super) misses: Vec<JoinMiss>,
    /// What the cells of promised columns come to.
    pub(super) promised: Vec<ColumnSum>,
}

impl<'p> TableFiles<'p> {
    pub(super) fn new(
        plan: &'p TablePlan,
        files: Vec<SourceFile>,
        references: Vec<Arc<Reference>>,
    ) -> Result<Self, StageError> {
        let mut regions = Vec::new();
        let mut cells = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let planned = region::plan(file, !plan.dialect.multiline.is_empty())?;
            regions.extend(planned.into_iter().map(|region| (number, region)));
            cells.push(cells_of(plan, &file.header));
        }
        let counting = files.iter().map(|_| Counting::default()).collect();
        Ok(Self { plan, files, regions, cells, counting, references })
    }

    /// Whether blanks around cells are cut off.
    pub(super) fn trims(&self) -> bool {
        self.plan.dialect.trim
    }

    /// Reads region `number` into `sink`. `buffer` is scratch space.
    pub(super) fn read(
        &self,
        number: usize,
        buffer: &mut Vec<u8>,
        sink: &mut impl RowSink,
    ) -> Result<ReadRecords, StageError> {
        let (file, region) = self.regions[number];
        let source = &self.files[file];
        let dialect = &self.plan.dialect;
        let place = |name: &str| source.header.iter().position(|known| known == name);
        let multiline = dialect.multiline.iter().filter_map(|(name, _)| place(name)).collect();
        let mut shape = RecordShape { dialect, cells: source.header.len(), multiline };
        let Some(reshape) = &self.plan.reshape else {
            let cells = self.counting[file].cells();
            if cells.is_empty() {
                let read = region::read(source, region, &shape, buffer, sink)?;
                return Ok(ReadRecords { lines: read.lines, records: read.records, ..ReadRecords::default() });
            }
            let mut sink = Summing { sink, cells, sums: vec![ColumnSum::default(); cells.len()] };
            let read = region::read(source, region, &shape, buffer, &mut sink)?;
            let (lines, records) = (read.lines, read.records);
            return Ok(ReadRecords { lines, records, promised: sink.sums, ..ReadRecords::default() });
        };
        // Control records, and those of other types, have as many cells as they like.
        shape.cells = RecordShape::ANY;
        let mut reshaping = Reshaping::new(self, (file, reshape), sink);
        let read = region::read(source, region, &shape, buffer, &mut reshaping)?;
        let Reshaping { set_aside, rows, totals, misses, promised, .. } = reshaping;
        let records = if self.plan.of.is_some() { rows } else { read.records - set_aside };
        Ok(ReadRecords { lines: read.lines, records, totals, misses, promised })
    }
}

/// Where the columns that are read lie in a record that has been reshaped.
fn cells_of(plan: &TablePlan, header: &[String]) -> Vec<usize> {
    let repeated = plan.reshape.as_ref().map_or(0, |reshape| reshape.repeated.len());
    let cell = |column: &crate::mapping::plan::ReadColumn| match (column.origin, &plan.reshape) {
        (Origin::Repeated(at), _) => header.len() + at,
        (Origin::Joined(join, take), Some(reshape)) => {
            let before: usize = reshape.joins[..join].iter().map(|join| join.takes.len()).sum();
            header.len() + repeated + before + take
        }
        _ => header.iter().position(|known| *known == *column.name).unwrap_or(0),
    };
    plan.reads.iter().map(cell).collect()
}

/// Whose a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This table's.
    Own,
    /// Another table's.
    Other,
    /// No table's, and counted with this one.
    Nobody,
}

/// Makes rows of the records of a region.
struct Reshaping<'s, S> {
    files: &'s TableFiles<'s>,
    reshape: &'s Reshape,
    /// How many cells a record has.
    length: usize,
    /// Where its columns lie.
    cells: &'s [usize],
    type_at: Option<usize>,
    sums_at: Vec<usize>,
    /// The cells of the rows that are made of a record; none for one that is the same in all.
    repeat: Vec<Vec<(Option<usize>, &'s [u8])>>,
    sink: &'s mut S,
    /// Rows so far, counting numbers that none has.
    row: u32,
    /// Records that are not the table's.
    set_aside: u64,
    /// Rows made.
    rows: u64,
    totals: Totals,
    misses: Vec<JoinMiss>,
    /// The cells that are promised a sum, and what they come to.
    promised_at: &'s [usize],
    promised: Vec<ColumnSum>,
    key: Vec<u8>,
}

impl<'s, S: RowSink> Reshaping<'s, S> {
    fn new(files: &'s TableFiles<'s>, (file, reshape): (usize, &'s Reshape), sink: &'s mut S) -> Self {
        let header = &files.files[file].header;
        let place = |name: &str| header.iter().position(|known| known == name);
        let repeated = |cell: &'s Repeated| match cell {
            Repeated::Column(name, _) => (Some(place(name).unwrap_or(0)), &b""[..]),
            Repeated::Constant(text) => (None, text.as_bytes()),
        };
        let sums = reshape.control.iter().flat_map(|control| &control.sums);
        let sums_at: Vec<usize> = sums.map(|sum| place(&sum.column).unwrap_or(0)).collect();
        Self {
            files,
            reshape,
            length: header.len(),
            cells: &files.cells[file],
            type_at: reshape.types.as_ref().map(|types| place(&types.column).unwrap_or(0)),
            repeat: reshape.repeat.iter().map(|group| group.iter().map(repeated).collect()).collect(),
            totals: Totals { sums: vec![Sum::default(); sums_at.len()], ..Totals::default() },
            sums_at,
            sink,
            row: 0,
            set_aside: 0,
            rows: 0,
            misses: Vec::new(),
            promised_at: files.counting[file].cells(),
            promised: vec![ColumnSum::default(); files.counting[file].cells().len()],
            key: Vec::new(),
        }
    }

    /// Whether the record is a control record; then it is noted and done with.
    fn control(&mut self, line: u64, cells: &ByteRecord) -> bool {
        let Some(control) = &self.reshape.control else { return false };
        let Some(is_trailer) = cells.get(0).and_then(|text| control.of(text.trim_ascii())) else { return false };
        let cells = cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        self.totals.controls.push(ControlRecord { line, is_trailer, cells });
        self.set_aside += 1;
        true
    }

    fn owner(&self, cells: &ByteRecord) -> Owner {
        let (Some(types), Some(at)) = (&self.reshape.types, self.type_at) else { return Owner::Own };
        let text = cells.get(at).unwrap_or_default().trim_ascii();
        let is = |known: &String| known.as_bytes() == text;
        if types.own.iter().any(is) {
            Owner::Own
        } else if types.takes_rest && !types.known.iter().any(is) {
            Owner::Nobody
        } else {
            Owner::Other
        }
    }

    /// Counts a record that is no control record.
    fn count(&mut self, line: u64) {
        self.totals.first_line.get_or_insert(line);
        self.totals.last_line = Some(line);
        self.totals.records += 1;
    }

    /// Leaves out all rows of a record.
    fn skip(&mut self, line: u64) {
        let rows = self.reshape.rows_per_record() as u64;
        for at in 0..rows {
            self.sink.skip(line * rows + at);
        }
        self.row += rows as u32;
    }

    /// Sets a record aside that is another table's.
    fn set_aside(&mut self, line: u64) {
        self.set_aside += 1;
        self.skip(line);
    }

    /// A record that cannot be read: its own table tells of it.
    fn lose(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        if self.files.plan.of.is_some() {
            return self.skip(line);
        }
        self.sink.quarantine(line, why, bytes);
        self.row += 1;
    }

    fn lose_cells(&mut self, line: u64, why: Unreadable, cells: &ByteRecord) {
        let bytes = record::written(&self.files.plan.dialect, cells);
        self.lose(line, why, &bytes);
    }

    /// Adds the cells of other tables' records.
    fn join(&mut self, row: &mut ByteRecord) {
        for (number, (join, reference)) in self.reshape.joins.iter().zip(&self.files.references).enumerate() {
            self.key.clear();
            let of = |input| text_of(row, self.cells, input, self.files.trims());
            let found = if join.own.iter().any(|input| of(input).is_none()) {
                // What it would be found by was not found itself.
                Found::Missed(Missed::Key, [NO_ROW; 2])
            } else if push_key(&mut self.key, join.own.iter().map(of)).is_none() {
                Found::Blank
            } else {
                let day = match &join.valid {
                    None => Day::Any,
                    Some(valid) => day_of(&valid.on.1, of(&valid.on.0)).map_or(Day::Unreadable, Day::On),
                };
                reference.find(&self.key, day)
            };
            match found {
                Found::Record(texts, ends) => {
                    let mut start = 0;
                    for end in ends {
                        row.push_field(&texts[start..*end as usize]);
                        start = *end as usize;
                    }
                }
                Found::Missed(why, near) if !join.may_miss || why != Missed::Key => {
                    self.misses.push(JoinMiss { row: self.row, join: number as u32, why, near });
                    (0..reference.takes()).for_each(|_| row.push_field(why.mark()));
                }
                Found::Blank | Found::Missed(..) => (0..reference.takes()).for_each(|_| row.push_field(b"")),
            }
        }
    }

    fn hand_on(&mut self, line: u64, row: &mut ByteRecord) {
        self.join(row);
        self.sink.record(line, row);
        self.row += 1;
        self.rows += 1;
    }
}

impl<S: RowSink> RecordSink for Reshaping<'_, S> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        if self.control(line, cells) {
            return;
        }
        self.count(line);
        match self.owner(cells) {
            Owner::Other => return self.set_aside(line),
            Owner::Nobody => return self.lose_cells(line, Unreadable::UnknownType, cells),
            Owner::Own => {}
        }
        if cells.len() != self.length {
            let why = Unreadable::FieldCount { found: cells.len(), expected: self.length };
            return self.lose_cells(line, why, cells);
        }
        for (sum, at) in self.totals.sums.iter_mut().zip(&self.sums_at) {
            sum.add(cells[*at].trim_ascii(), &self.reshape.style);
        }
        for (sum, at) in self.promised.iter_mut().zip(self.promised_at) {
            sum.add(&cells[*at]);
        }
        if self.repeat.is_empty() {
            return self.hand_on(line, cells);
        }
        for at in 0..self.repeat.len() {
            let line = line * self.repeat.len() as u64 + at as u64;
            let blank = |cell: &Option<usize>| cell.is_none_or(|cell| cells[cell].trim_ascii().is_empty());
            if self.repeat[at].iter().all(|(cell, _)| blank(cell)) {
                self.sink.skip(line);
                self.row += 1;
                continue;
            }
            let mut row = cells.clone();
            for (cell, text) in &self.repeat[at] {
                row.push_field(cell.map_or(*text, |cell| &cells[cell]));
            }
            self.hand_on(line, &mut row);
        }
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        let cells = record::first_record(&self.files.plan.dialect, bytes);
        if self.control(line, &cells) {
            return;
        }
        self.count(line);
        match self.owner(&cells) {
            Owner::Other => self.set_aside(line),
            Owner::Own | Owner::Nobody => self.lose(line, why, bytes),
        }
    }
}
