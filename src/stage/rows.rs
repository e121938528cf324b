//! Records become columns: a batch of records at a time, column by column.
//!
//! A loop over one column of many records has one kind of work to do, so it runs without surprises for the processor;
//! and the parents of a whole batch are looked up together, so that their cache misses overlap.

use csv::ByteRecord;

use super::StageError;
use super::column::{TEXT_BYTES_MAX, Texts, Values};
use super::faults::FaultKinds;
use super::keys::{KeyBytes, KeyIndex, NO_ROW, Place, fingerprint, write_key};
use super::lines::LineIndex;
use super::reading::Piece;
use super::seen::Seen;
use crate::extract::record::{RecordSink, Unreadable};
use crate::mapping::plan::{Input, Leaf, TablePlan};
use crate::mapping::value::{CODE_BASE, Cell, Convert, Misread};

/// A cell that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellFault {
    /// The record, counted from 0 in whatever holds the fault.
    pub row: u32,
    /// The leaf it was read for.
    pub leaf: u32,
    /// What is wrong with it: see [`FaultKinds`].
    pub kind: u32,
}

/// A record that could not be read.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// The record, counted from 0.
    pub row: u32,
    /// Why.
    pub why: Unreadable,
    /// Its bytes, cut at [`QUARANTINE_BYTES_MAX`].
    pub bytes: Vec<u8>,
}

/// How many bytes of a quarantined record are kept for the quarantine file.
pub const QUARANTINE_BYTES_MAX: usize = 1024 * 1024;

/// How many records are converted together.
const BATCH: usize = 256;

/// The records of a stretch of a file that can be read, column by column.
#[derive(Debug, Default)]
pub struct Rows {
    /// The number of each record, counted from the start of the stretch; unreadable ones have numbers too.
    pub records: Vec<u32>,
    /// One column a leaf.
    pub columns: Vec<Values>,
    /// The long texts of the columns.
    pub texts: Texts,
    /// Outcomes of the table's tests.
    pub masks: Vec<u32>,
    /// One column a link: where the parent is.
    pub parents: Vec<Vec<Place>>,
    /// Fingerprints of the keys, if the table has one.
    pub fingerprints: Vec<u64>,
    /// Fingerprints that may stand elsewhere too.
    pub repeated: Vec<u64>,
    /// The keys, if other tables look them up.
    pub keys: KeyBytes,
    /// Unreadable cells, by row and leaf once the stretch is read.
    pub faults: Vec<CellFault>,
}

/// What a stretch of a file holds beside its rows.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Records, whether readable or not.
    pub records: u32,
    /// Unreadable records, in order.
    pub quarantined: Vec<Quarantined>,
    /// Where the records start, counted from the stretch's first line.
    pub lines: LineIndex,
}

/// What reading a table's records needs to know.
#[derive(Clone, Copy)]
pub struct Reading<'p> {
    /// The table.
    pub plan: &'p TablePlan,
    /// For each column that is read, its cell in a record.
    pub cells: &'p [usize],
    /// For each link, the parents' index.
    pub parents: &'p [Option<&'p KeyIndex>],
    /// The fingerprints of the table's records, if keys that stand twice are found by them.
    pub(super) seen: Option<&'p Seen>,
    /// What was wrong with cells so far.
    pub kinds: &'p FaultKinds,
}

/// How many bytes of rows are collected before they are handed on.
const STRETCH_BYTES: usize = 4 * 1024 * 1024;

/// Converts the records of a region, stretch by stretch; `take` makes a piece of each.
pub(super) struct RowReader<'p, T> {
    reading: Reading<'p>,
    take: T,
    taken: Vec<Piece>,
    /// Why a stretch could not be taken; nothing is read after it.
    failed: Option<StageError>,
    stretch: Stretch,
    rows: Rows,
    batch: Vec<ByteRecord>,
    /// How many of the batch are waiting.
    waiting: usize,
    rendered: Vec<Vec<Option<String>>>,
    keys: KeyBytes,
    key: Vec<u8>,
}

impl<'p, T: FnMut(Stretch, Rows) -> Result<Piece, StageError>> RowReader<'p, T> {
    /// A reader of records of the table.
    pub(super) fn new(reading: Reading<'p>, take: T) -> Self {
        Self {
            reading,
            take,
            taken: Vec::new(),
            failed: None,
            stretch: Stretch::default(),
            rows: Rows::new(reading.plan),
            batch: std::iter::repeat_with(ByteRecord::new).take(BATCH).collect(),
            waiting: 0,
            rendered: Vec::new(),
            keys: KeyBytes::default(),
            key: Vec::new(),
        }
    }

    /// What was made of the records.
    pub(super) fn finish(mut self) -> Result<Vec<Piece>, StageError> {
        self.convert();
        self.hand_on();
        self.failed.map_or(Ok(self.taken), Err)
    }

    /// Hands on what has been read so far.
    fn hand_on(&mut self) {
        let mut rows = std::mem::replace(&mut self.rows, Rows::new(self.reading.plan));
        let stretch = std::mem::take(&mut self.stretch);
        rows.faults.sort_unstable();
        if self.failed.is_none() {
            match (self.take)(stretch, rows) {
                Ok(piece) => self.taken.push(piece),
                Err(error) => self.failed = Some(error),
            }
        }
    }

    /// Converts the batch.
    fn convert(&mut self) {
        let records = &self.batch[..self.waiting];
        self.waiting = 0;
        if records.is_empty() {
            return;
        }
        let Reading { plan, cells, parents, seen, kinds } = self.reading;
        self.rendered.clear();
        if !plan.templates.is_empty() {
            self.rendered.extend(records.iter().map(|record| render(plan, cells, record)));
        }
        let rendered = &self.rendered;
        let text_of = |at: usize| RecordTexts {
            places: cells,
            cells: &records[at],
            rendered: rendered.get(at).map_or(&[], Vec::as_slice),
            trim: plan.dialect.trim,
        };
        let rows = &mut self.rows;
        let first = rows.records.len() - records.len();
        for (number, leaf) in plan.leaves.iter().enumerate() {
            let Rows { columns, texts, faults, .. } = &mut *rows;
            let mut column = LeafColumn { leaf, values: &mut columns[number], texts };
            let mut faulty = |at: usize, misread: &Misread| {
                faults.push(CellFault { row: (first + at) as u32, leaf: number as u32, kind: kinds.number(misread) });
            };
            match leaf.input {
                // Nearly every leaf is a cell as it stands.
                Input::Cell(input) if !plan.dialect.trim => {
                    let cell = cells[input];
                    for (at, record) in records.iter().enumerate() {
                        column.push(Some(&record[cell]), |misread| faulty(at, misread));
                    }
                }
                _ => {
                    for at in 0..records.len() {
                        column.push(text_of(at).text(&leaf.input), |misread| faulty(at, misread));
                    }
                }
            }
        }
        if !plan.tests.is_empty() {
            rows.masks.resize(first + records.len(), 0);
            for (bit, test) in plan.tests.iter().enumerate() {
                for (at, mask) in rows.masks[first..].iter_mut().enumerate() {
                    let found = text_of(at)
                        .text(&test.input)
                        .is_some_and(|text| test.texts.iter().any(|known| known.as_bytes() == text));
                    *mask |= u32::from(found != test.negated) << bit;
                }
            }
        }
        for ((link, index), found) in plan.links.iter().zip(parents).zip(&mut rows.parents) {
            let Some(index) = index else {
                found.resize(first + records.len(), Place::NONE);
                continue;
            };
            self.keys.clear();
            for at in 0..records.len() {
                let texts = text_of(at);
                self.key.clear();
                write_key(link.inputs.iter().map(|input| texts.text(input).unwrap_or_default()), &mut self.key);
                self.keys.push(&self.key);
            }
            index.find(&self.keys, found);
        }
        if !plan.key.is_empty() {
            for at in 0..records.len() {
                let texts = text_of(at);
                self.key.clear();
                write_key(plan.key.iter().map(|input| texts.text(input).unwrap_or_default()), &mut self.key);
                rows.fingerprints.push(fingerprint(&self.key));
                if plan.is_parent {
                    rows.keys.push(&self.key);
                }
            }
            if let Some(seen) = seen {
                let repeated = rows.fingerprints[first..].iter().copied().filter(|fingerprint| seen.note(*fingerprint));
                rows.repeated.extend(repeated);
            }
        }
    }
}

/// The templates of a table, rendered for one record; none for one that failed.
fn render(plan: &TablePlan, cells: &[usize], record: &ByteRecord) -> Vec<Option<String>> {
    let mut rendered = Vec::with_capacity(plan.templates.len());
    for template in &plan.templates {
        let texts = RecordTexts { places: cells, cells: record, rendered: &rendered, trim: plan.dialect.trim };
        let context: std::collections::BTreeMap<&str, String> = template
            .variables
            .iter()
            .map(|(name, input)| {
                let text = texts.text(input).unwrap_or_default();
                (name.as_str(), String::from_utf8_lossy(text).into_owned())
            })
            .collect();
        let text = template.environment.get_template("expr").and_then(|found| found.render(context)).ok();
        rendered.push(text);
    }
    rendered
}

/// The texts of one record.
#[derive(Clone, Copy)]
struct RecordTexts<'r> {
    places: &'r [usize],
    cells: &'r ByteRecord,
    rendered: &'r [Option<String>],
    trim: bool,
}

impl<'r> RecordTexts<'r> {
    /// The text of `input`; none for an unknown code or a template that failed.
    fn text(self, input: &'r Input) -> Option<&'r [u8]> {
        match input {
            Input::Cell(column) => {
                let cell = &self.cells[self.places[*column]];
                Some(if self.trim { cell.trim_ascii() } else { cell })
            }
            Input::Template(number) => self.rendered.get(*number)?.as_ref().map(String::as_bytes),
            Input::Lookup(input, lookup, column) => {
                let text = self.text(input)?;
                if text.is_empty() {
                    return Some(text);
                }
                lookup.row(text).map(|row| lookup.rows[row as usize][*column].as_bytes())
            }
        }
    }
}

impl Rows {
    fn new(plan: &TablePlan) -> Self {
        Self {
            columns: plan.leaves.iter().map(|leaf| Values::new(&leaf.convert)).collect(),
            parents: vec![Vec::new(); plan.links.len()],
            ..Self::default()
        }
    }

    /// About how many bytes the rows take.
    fn bytes(&self) -> usize {
        let links = size_of::<Place>() * self.parents.len();
        self.records.len() * (size_of::<u64>() * (self.columns.len() + 2) + links) + self.texts.bytes()
    }
}

/// A column being filled.
struct LeafColumn<'c> {
    leaf: &'c Leaf,
    values: &'c mut Values,
    texts: &'c mut Texts,
}

impl LeafColumn<'_> {
    /// Appends what `text` is read as; `faulty` is told what is wrong with it.
    fn push(&mut self, text: Option<&[u8]>, faulty: impl FnOnce(&Misread)) {
        if let Err(misread) = self.read(text) {
            faulty(&misread);
            self.values.push_fault();
        }
    }

    fn read(&mut self, text: Option<&[u8]>) -> Result<(), Misread> {
        let leaf = self.leaf;
        let text = match text {
            Some(b"") => match (&leaf.empty, &leaf.default) {
                (Some(empty), _) => {
                    self.push_empty(empty);
                    return Ok(());
                }
                (None, Some(default)) => default.as_bytes(),
                (None, None) => {
                    self.values.push_absent();
                    return Ok(());
                }
            },
            Some(text) => text,
            None => {
                let (code, message) = match leaf.input {
                    Input::Template(_) => ("template_failed", "the template fails on this record"),
                    _ => ("unknown_code", "a code of its lookup was expected"),
                };
                return Err(Misread { code, message: message.to_owned() });
            }
        };
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("the cell is longer than {} MiB", TEXT_BYTES_MAX >> 20);
            return Err(Misread { code: "cell_too_long", message });
        }
        match (leaf.convert.read(text)?, &mut *self.values) {
            (Cell::Text(text), Values::Text(values)) => values.push(self.texts.push(text)),
            (Cell::Code(code), Values::Code(values)) => values.push(code),
            (Cell::Number(number), Values::Number(values)) => values.push(number),
            (Cell::Number(days), Values::Date(values)) => values.push(days as i32),
            _ => unreachable!("a column is made for what its conversion gives"),
        }
        Ok(())
    }

    /// The value of a blank cell: a text, or the code after the last of the list.
    fn push_empty(&mut self, empty: &str) {
        match (&mut *self.values, &self.leaf.convert) {
            (Values::Text(values), _) => values.push(self.texts.push(empty.as_bytes())),
            (Values::Code(values), Convert::Lookup(lookup)) => values.push(lookup.rows.len() as u16 + CODE_BASE),
            (Values::Code(values), Convert::Choice(choices)) => values.push(choices.texts.len() as u16 + CODE_BASE),
            (values, _) => values.push_absent(),
        }
    }
}

impl<T: FnMut(Stretch, Rows) -> Result<Piece, StageError>> RecordSink for RowReader<'_, T> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        self.stretch.lines.note(u64::from(self.stretch.records), line);
        self.rows.records.push(self.stretch.records);
        self.stretch.records += 1;
        std::mem::swap(cells, &mut self.batch[self.waiting]);
        self.waiting += 1;
        if self.waiting == BATCH {
            self.convert();
            if self.rows.bytes() > STRETCH_BYTES {
                self.hand_on();
            }
        }
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        self.stretch.lines.note(u64::from(self.stretch.records), line);
        let bytes = bytes[..bytes.len().min(QUARANTINE_BYTES_MAX)].to_vec();
        self.stretch.quarantined.push(Quarantined { row: self.stretch.records, why, bytes });
        self.stretch.records += 1;
    }
}

/// The account of each row: that of the first parent that has one.
pub(super) fn accounts(rows: &Rows) -> Vec<u32> {
    let mut accounts = vec![NO_ROW; rows.records.len()];
    for parents in &rows.parents {
        for (account, parent) in accounts.iter_mut().zip(parents) {
            if *account == NO_ROW {
                *account = parent.account;
            }
        }
    }
    accounts
}
