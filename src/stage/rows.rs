//! Records become columns: a batch of records at a time, column by column.
//!
//! A loop over one column of many records has one kind of work to do, so it runs without surprises for the processor;
//! and the parents of a whole batch are looked up together, so that their cache misses overlap.

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::StageError;
use super::batch::{Batch, Text, trimmed};
use super::column::{
    CODE_ABSENT, CODE_FAULT, DATE_ABSENT, DATE_FAULT, NUMBER_ABSENT, NUMBER_FAULT, TEXT_ABSENT, TEXT_BYTES_MAX,
    TEXT_FAULT, Texts as Arena, Values, short_text,
};
use super::faults::FaultKinds;
use super::joined::Missed;
use super::keys::{KeyBytes, KeyIndex, NO_ROW, Place};
use super::lines::LineIndex;
use super::money::{MoneyColumns, SourceMoney};
use super::reading::Piece;
use super::reshape::RowSink;
use super::seen::Seen;
use crate::extract::record::{RECORDS_MAX, RecordBuffer, RecordSink, Records, Unreadable};
use crate::mapping::plan::{Input, Leaf, TablePlan, Template};
use crate::mapping::value::{CODE_BASE, Cell, Convert, Misread, integer};
use crate::mapping::word::{Codes, WORD_BYTES_MAX};

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
#[derive(Debug, Clone, Serialize, Deserialize)]
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

/// The records of a stretch of a file that can be read, column by column.
#[derive(Debug, Default)]
pub struct Rows {
    /// The number of each record, counted from the start of the stretch; unreadable ones have numbers too.
    pub records: Vec<u32>,
    /// One column a leaf.
    pub columns: Vec<Values>,
    /// The long texts of the columns.
    pub texts: Arena,
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
    /// The money of its cells, by their text.
    pub money: SourceMoney,
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

/// What is used again from region to region of a table: memory that is warm is worth keeping.
#[derive(Default)]
pub(super) struct Workspace {
    rows: Rows,
    /// Records that came one by one and are not converted yet; they are numbered.
    waiting: RecordBuffer,
    rendered: Vec<Vec<Option<String>>>,
    keys: KeyBytes,
}

/// Converts the records of a region, stretch by stretch; `take` makes a piece of each.
pub(super) struct RowReader<'p, T> {
    reading: Reading<'p>,
    take: T,
    taken: Vec<Piece>,
    /// Why a stretch could not be taken; nothing is read after it.
    failed: Option<StageError>,
    stretch: Stretch,
    workspace: &'p mut Workspace,
}

impl<'p, T: FnMut(Stretch, &mut Rows) -> Result<Piece, StageError>> RowReader<'p, T> {
    /// A reader of records of the table.
    pub(super) fn new(reading: Reading<'p>, workspace: &'p mut Workspace, take: T) -> Self {
        workspace.rows.clear(reading.plan);
        workspace.waiting.clear();
        Self { reading, take, taken: Vec::new(), failed: None, stretch: Stretch::default(), workspace }
    }

    /// What was made of the records.
    pub(super) fn finish(mut self) -> Result<Vec<Piece>, StageError> {
        self.convert_waiting();
        self.hand_on();
        self.failed.map_or(Ok(self.taken), Err)
    }

    /// Hands on what has been read so far.
    fn hand_on(&mut self) {
        let rows = &mut self.workspace.rows;
        let stretch = std::mem::take(&mut self.stretch);
        rows.faults.sort_unstable();
        if self.failed.is_none() {
            match (self.take)(stretch, rows) {
                Ok(piece) => self.taken.push(piece),
                Err(error) => self.failed = Some(error),
            }
        }
        rows.clear(self.reading.plan);
    }

    /// Numbers a record that starts on line `line`.
    fn number(&mut self, line: u64) {
        self.stretch.lines.note(u64::from(self.stretch.records), line);
        self.workspace.rows.records.push(self.stretch.records);
        self.stretch.records += 1;
    }

    /// Converts the records that came one by one.
    fn convert_waiting(&mut self) {
        if !self.workspace.waiting.records().is_empty() {
            let mut waiting = std::mem::take(&mut self.workspace.waiting);
            self.convert(&waiting.records());
            waiting.clear();
            self.workspace.waiting = waiting;
        }
    }

    /// Converts records, which have been numbered.
    fn convert(&mut self, records: &Records<'_>) {
        if self.reading.plan.dialect.trim {
            let spans = trimmed(records);
            self.convert_batch(Batch::new(records.with_spans(&spans), self.reading.cells));
        } else {
            self.convert_batch(Batch::new(*records, self.reading.cells));
        }
        if self.workspace.rows.bytes() > STRETCH_BYTES {
            self.hand_on();
        }
    }

    fn convert_batch(&mut self, batch: Batch<'_>) {
        let Reading { plan, parents, seen, kinds, .. } = self.reading;
        let Workspace { rows, rendered, keys, .. } = &mut *self.workspace;
        rendered.clear();
        if !plan.templates.is_empty() {
            rendered.extend((0..batch.len()).map(|record| render(plan, batch, record)));
        }
        let texts = Texts { batch, rendered };
        let first = rows.records.len() - batch.len();
        for (number, leaf) in plan.leaves.iter().enumerate() {
            let Rows { columns, texts: arena, faults, .. } = &mut *rows;
            let mut column = LeafColumn { leaf, values: &mut columns[number], arena };
            column.fill(texts, |at, misread| {
                faults.push(CellFault { row: (first + at) as u32, leaf: number as u32, kind: kinds.number(misread) });
            });
        }
        if !plan.tests.is_empty() {
            rows.masks.resize(first + texts.batch.len(), 0);
            for (bit, test) in plan.tests.iter().enumerate() {
                for (at, mask) in rows.masks[first..].iter_mut().enumerate() {
                    let found = match test.input {
                        Input::Cell(column) => find(&test.texts, texts.batch.text(at, column)),
                        _ => texts.of(at, &test.input).and_then(|text| test.texts.find(text)),
                    };
                    *mask |= u32::from(found.is_some() != test.negated) << bit;
                }
            }
        }
        if !plan.money.is_empty() {
            let columns = rows.columns.iter().map(Values::slice).collect();
            let records = first..first + texts.batch.len();
            let text = |leaf: usize, at: usize| texts.of(at, &plan.leaves[leaf].input);
            MoneyColumns::new(plan, columns, &rows.texts).read(
                plan,
                &rows.masks,
                records,
                text,
                &mut self.stretch.money,
            );
        }
        for ((link, index), found) in plan.links.iter().zip(parents).zip(&mut rows.parents) {
            let Some(index) = index else {
                found.resize(first + texts.batch.len(), Place::NONE);
                continue;
            };
            texts.keys(&link.inputs, keys);
            index.find(keys, found);
        }
        if !plan.key.is_empty() {
            texts.keys(&plan.key, keys);
            rows.fingerprints.extend(keys.fingerprints());
            if plan.is_parent {
                rows.keys.append(keys);
            }
            if let Some(seen) = seen {
                seen.note(&rows.fingerprints[first..], &mut rows.repeated);
            }
        }
    }
}

/// The templates of a table, rendered for one record; none for one that failed.
fn render(plan: &TablePlan, batch: Batch<'_>, record: usize) -> Vec<Option<String>> {
    let mut rendered: Vec<Vec<Option<String>>> = vec![Vec::new(); record + 1];
    for template in &plan.templates {
        let texts = Texts { batch, rendered: &rendered };
        let text = match template {
            Template::Expression { environment, variables } => {
                let context: std::collections::BTreeMap<&str, String> = variables
                    .iter()
                    .map(|(name, input)| {
                        let text = texts.of(record, input).unwrap_or_default();
                        (name.as_str(), String::from_utf8_lossy(text).into_owned())
                    })
                    .collect();
                environment.get_template("expr").and_then(|found| found.render(context)).ok()
            }
            Template::Sides { debit, credit, style } => style
                .one_side(texts.of(record, debit).unwrap_or_default(), texts.of(record, credit).unwrap_or_default()),
        };
        rendered[record].push(text);
    }
    rendered.swap_remove(record)
}

/// The texts of a batch of records.
#[derive(Clone, Copy)]
struct Texts<'b> {
    batch: Batch<'b>,
    /// The templates, by record.
    rendered: &'b [Vec<Option<String>>],
}

impl<'b> Texts<'b> {
    /// The keys that `inputs` give, in the place of those in `keys`.
    fn keys(self, inputs: &[Input], keys: &mut KeyBytes) {
        keys.clear();
        let single = inputs.len() == 1;
        for at in 0..self.batch.len() {
            for input in inputs {
                if let Input::Cell(column) = input {
                    let text = self.batch.text(at, *column);
                    keys.push_part(single, text.len(), |bytes| text.append_to(bytes));
                } else {
                    let text = self.of(at, input).unwrap_or_default();
                    keys.push_part(single, text.len(), |bytes| bytes.extend_from_slice(text));
                }
            }
            keys.end();
        }
    }

    /// The text of `input` of a record; none for an unknown code or a template that failed.
    fn of<'t>(self, record: usize, input: &'t Input) -> Option<&'t [u8]>
    where
        'b: 't,
    {
        match input {
            Input::Cell(column) => Some(self.batch.text(record, *column).bytes()),
            Input::Template(number) | Input::Sides(number) => {
                self.rendered[record].get(*number)?.as_ref().map(String::as_bytes)
            }
            Input::Joined(column) => {
                Some(self.batch.text(record, *column).bytes()).filter(|text| Missed::of_mark(text).is_none())
            }
            Input::Cut(input, cuts) => {
                let text = self.of(record, input)?;
                Some(cuts.iter().fold(text, |text, cut| cut.of(text)))
            }
            Input::Lookup(input, lookup, column) => {
                let text = self.of(record, input)?;
                if text.is_empty() {
                    return Some(text);
                }
                lookup.row(text).map(|row| lookup.rows[row as usize][*column].as_bytes())
            }
        }
    }
}

impl Texts<'_> {
    /// Why the text of `input` is not there, if it is that of another table's record that was not found.
    fn missed(self, record: usize, input: &Input) -> Option<Misread> {
        match input {
            Input::Joined(column) => {
                let missed = Missed::of_mark(self.batch.text(record, *column).bytes())?;
                Some(Misread { code: "no_matching_record", message: missed.message().to_owned() })
            }
            Input::Cut(input, _) | Input::Lookup(input, ..) => self.missed(record, input),
            Input::Cell(_) | Input::Template(_) | Input::Sides(_) => None,
        }
    }
}

/// The number of `text` among `codes`.
fn find(codes: &Codes, text: Text<'_>) -> Option<u32> {
    if text.len() <= WORD_BYTES_MAX { codes.find_word(text.word()) } else { codes.find(text.bytes()) }
}

impl Rows {
    /// Empties the columns, or makes those that `plan` wants where they have been taken away.
    fn clear(&mut self, plan: &TablePlan) {
        if self.columns.len() == plan.leaves.len() {
            self.columns.iter_mut().for_each(Values::clear);
        } else {
            self.columns = plan.leaves.iter().map(|leaf| Values::new(&leaf.convert)).collect();
        }
        self.parents.resize(plan.links.len(), Vec::new());
        self.parents.iter_mut().for_each(Vec::clear);
        let Self { records, columns: _, texts, masks, parents: _, fingerprints, repeated, keys, faults } = self;
        records.clear();
        texts.clear();
        masks.clear();
        fingerprints.clear();
        repeated.clear();
        keys.clear();
        faults.clear();
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
    arena: &'c mut Arena,
}

/// What a cell is stored as.
enum Stored {
    Absent,
    Text(u64),
    Code(u16),
    Number(i64),
}

impl LeafColumn<'_> {
    /// Appends the values of a batch; `faulty` is told of those that cannot be read, by record.
    ///
    /// Nearly every leaf is a cell as it stands, and nearly every cell is of a common kind: those are read in loops of
    /// their own, one for each kind of column, and whatever is not so is read with more care by [`read`].
    fn fill(&mut self, texts: Texts<'_>, mut faulty: impl FnMut(usize, &Misread)) {
        let Self { leaf, values, arena } = self;
        let Input::Cell(column) = leaf.input else {
            for at in 0..texts.batch.len() {
                let missed = texts.missed(at, &leaf.input);
                let read = missed.map_or_else(|| read(leaf, arena, texts.of(at, &leaf.input)), Err);
                match read {
                    Ok(stored) => push(values, &stored),
                    Err(misread) => {
                        faulty(at, &misread);
                        values.push_fault();
                    }
                }
            }
            return;
        };
        let cells = texts.batch.column(column).enumerate();
        let mut with_care = |arena: &mut Arena, at: usize, text: Text<'_>| {
            read(leaf, arena, Some(text.bytes())).map_err(|misread| faulty(at, &misread))
        };
        match (&mut **values, &leaf.convert) {
            (Values::Text(values), _) => values.extend(cells.map(|(at, text)| match text.len() {
                1..=WORD_BYTES_MAX => short_text(text.word()),
                8..=TEXT_BYTES_MAX => arena.push(text.bytes()),
                _ => match with_care(arena, at, text) {
                    Ok(Stored::Text(handle)) => handle,
                    Ok(_) => TEXT_ABSENT,
                    Err(()) => TEXT_FAULT,
                },
            })),
            (Values::Code(values), convert) => {
                let none = Codes::default();
                let codes = match convert {
                    Convert::Lookup(lookup) => lookup.codes(),
                    Convert::Choice(choices) => choices.codes(),
                    _ => &none,
                };
                values.extend(cells.map(|(at, text)| match find(codes, text) {
                    Some(number) if text.len() > 0 => number as u16 + CODE_BASE,
                    _ => match with_care(arena, at, text) {
                        Ok(Stored::Code(code)) => code,
                        Ok(_) => CODE_ABSENT,
                        Err(()) => CODE_FAULT,
                    },
                }));
            }
            (Values::Date(values), convert) => values.extend(cells.map(|(at, text)| {
                let quick = if let Convert::Date(format) = convert { format.read_fixed(text.bytes()) } else { None };
                quick.unwrap_or_else(|| match with_care(arena, at, text) {
                    Ok(Stored::Number(days)) => days as i32,
                    Ok(_) => DATE_ABSENT,
                    Err(()) => DATE_FAULT,
                })
            })),
            (Values::Number(values), convert) => values.extend(cells.map(|(at, text)| {
                let quick = match convert {
                    Convert::Integer => integer(text.bytes()),
                    Convert::Decimal(scale) => scale.read_short(text.bytes()),
                    _ => None,
                };
                quick.unwrap_or_else(|| match with_care(arena, at, text) {
                    Ok(Stored::Number(number)) => number,
                    Ok(_) => NUMBER_ABSENT,
                    Err(()) => NUMBER_FAULT,
                })
            })),
        }
    }
}

/// Reads a cell of any kind for `leaf`; long texts go into `arena`.
fn read(leaf: &Leaf, arena: &mut Arena, text: Option<&[u8]>) -> Result<Stored, Misread> {
    let text = match text {
        Some(b"") => match (&leaf.empty, &leaf.default) {
            (Some(empty), _) => return Ok(blank(leaf, arena, empty)),
            (None, Some(default)) => default.as_bytes(),
            (None, None) => return Ok(Stored::Absent),
        },
        Some(text) => text,
        None => {
            let (code, message) = match leaf.input {
                Input::Template(_) => ("template_failed", "the template fails on this record"),
                Input::Sides(_) => (
                    "debit_and_credit",
                    "expected an amount on one side, debit or credit, and none or zero on the other",
                ),
                _ => ("unknown_code", "a code of its lookup was expected"),
            };
            return Err(Misread { code, message: message.to_owned() });
        }
    };
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the cell is longer than {} MiB", TEXT_BYTES_MAX >> 20);
        return Err(Misread { code: "cell_too_long", message });
    }
    Ok(match leaf.convert.read(text)? {
        Cell::Text(text) => Stored::Text(arena.push(text)),
        Cell::Code(code) => Stored::Code(code),
        Cell::Number(number) => Stored::Number(number),
    })
}

/// The value of a blank cell: a text, or the code after the last of the list.
fn blank(leaf: &Leaf, arena: &mut Arena, empty: &str) -> Stored {
    match &leaf.convert {
        Convert::Text => Stored::Text(arena.push(empty.as_bytes())),
        Convert::Lookup(lookup) => Stored::Code(lookup.rows.len() as u16 + CODE_BASE),
        Convert::Choice(choices) => Stored::Code(choices.texts.len() as u16 + CODE_BASE),
        _ => Stored::Absent,
    }
}

fn push(values: &mut Values, stored: &Stored) {
    match (values, stored) {
        (Values::Text(values), Stored::Text(handle)) => values.push(*handle),
        (Values::Code(values), Stored::Code(code)) => values.push(*code),
        (Values::Date(values), Stored::Number(days)) => values.push(*days as i32),
        (Values::Number(values), Stored::Number(number)) => values.push(*number),
        (values, _) => values.push_absent(),
    }
}

impl<T: FnMut(Stretch, &mut Rows) -> Result<Piece, StageError>> RecordSink for RowReader<'_, T> {
    fn record(&mut self, line: u64, cells: &mut ByteRecord) {
        self.number(line);
        self.workspace.waiting.push(line, cells);
        if self.workspace.waiting.records().len() == RECORDS_MAX {
            self.convert_waiting();
        }
    }

    fn records(&mut self, records: &Records<'_>) {
        self.convert_waiting();
        records.lines().for_each(|line| self.number(line));
        self.convert(records);
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        self.stretch.lines.note(u64::from(self.stretch.records), line);
        let bytes = bytes[..bytes.len().min(QUARANTINE_BYTES_MAX)].to_vec();
        self.stretch.quarantined.push(Quarantined { row: self.stretch.records, why, bytes });
        self.stretch.records += 1;
    }
}

impl<T: FnMut(Stretch, &mut Rows) -> Result<Piece, StageError>> RowSink for RowReader<'_, T> {
    fn skip(&mut self, line: u64) {
        self.stretch.lines.note(u64::from(self.stretch.records), line);
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
