//! The codes of an extract that no lookup and no list has, counted: one look through the files that hold such columns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use csv::ByteRecord;
use rayon::prelude::*;
use serde::Serialize;

use crate::console::Console;
use crate::error::Error;
use crate::extract::record::{RecordShape, RecordSink, Unreadable};
use crate::extract::{ExtractError, SourceFile, region};
use crate::finding::shape;
use crate::mapping::document::Place;
use crate::mapping::plan::{Input, TablePlan, Test, ValuePlan};
use crate::mapping::value::Convert;
use crate::mapping::{Plan, Problem};
use crate::stage::StageError;

/// Most unknown codes of a column that are counted one by one.
const CODES: usize = 200;
/// Most that are told.
const TOLD: usize = 8;

/// Codes of one column that its lookup or list does not have.
#[derive(Debug, Serialize)]
pub(super) struct UnknownCodes {
    file: String,
    column: String,
    /// The lookup; none where the contract's own list or the texts of flags are meant.
    lookup: Option<String>,
    /// What is expected, where there is no lookup.
    list: Option<String>,
    /// The codes and how many records have each, the most frequent first; shapes if they are too many to be codes.
    codes: Vec<(String, u64)>,
    /// How many records have an unknown code.
    records: u64,
    #[serde(skip)]
    table: usize,
}

/// A column whose cells are codes.
struct Coded<'p> {
    /// By number in [`TablePlan::reads`].
    column: usize,
    convert: &'p Convert,
    /// The tests that a record must pass to be read so: one of these masks, each a bit a test.
    masks: Vec<u32>,
}

/// Looks through `files`, by table.
pub(super) fn find(plan: &Plan, files: &[&[SourceFile]], console: &Console) -> Result<Vec<UnknownCodes>, Error> {
    let coded: Vec<Vec<Coded<'_>>> = (0..plan.tables.len()).map(|table| coded(plan, table)).collect();
    let of = |table: &usize| !coded[*table].is_empty();
    let bytes = (0..files.len()).filter(of).flat_map(|table| files[table]).map(|file| file.bytes).sum();
    let progress = console.progress("lint", "bytes", Some(bytes));
    let mut found = Vec::new();
    for table in (0..files.len()).filter(of) {
        for file in files[table] {
            let counts = count(&plan.tables[table], &coded[table], file, &|bytes| progress.advance(bytes));
            for (coded, counts) in coded[table].iter().zip(counts.map_err(StageError::from)?) {
                if !counts.is_empty() {
                    found.push(unknown(&plan.tables[table], table, coded, file, &counts));
                }
            }
        }
    }
    Ok(found)
}

/// The columns of table `number` that lines read by a lookup or a list, each with each once.
///
/// Rows that are made of the records of another table have no cells of their own to look at.
fn coded(plan: &Plan, number: usize) -> Vec<Coded<'_>> {
    let table = &plan.tables[number];
    let mut coded: Vec<Coded<'_>> = Vec::new();
    for entity in plan.entities.iter().filter(|entity| entity.table == number && table.of.is_none()) {
        for line in entity.fields.iter().flat_map(|field| &field.lines) {
            let ValuePlan::Code(leaf, _) = &line.value else { continue };
            let leaf = &table.leaves[entity.leaves[*leaf]];
            let (Input::Cell(column), Convert::Lookup(_) | Convert::Choice(_)) = (&leaf.input, &leaf.convert) else {
                continue;
            };
            let mask = entity.mask | line.mask;
            let same = |known: &&mut Coded<'_>| known.column == *column && known.convert == &leaf.convert;
            match coded.iter_mut().find(same) {
                Some(known) => known.masks.push(mask),
                None => coded.push(Coded { column: *column, convert: &leaf.convert, masks: vec![mask] }),
            }
        }
    }
    coded
}

type Counts = BTreeMap<Box<[u8]>, u64>;

fn count(
    table: &TablePlan,
    coded: &[Coded<'_>],
    file: &SourceFile,
    advanced: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Counts>, ExtractError> {
    if file.header.is_empty() {
        return Ok(coded.iter().map(|_| Counts::new()).collect());
    }
    let at = |name: &str| file.header.iter().position(|known| known == name);
    let reads: Vec<Option<usize>> = table.reads.iter().map(|read| at(&read.name)).collect();
    let types = table.reshape.as_ref().and_then(|reshape| reshape.types.as_ref());
    let own = types.and_then(|types| Some((at(&types.column)?, types.own.as_slice())));
    let multiline: Vec<usize> = table.dialect.multiline.iter().filter_map(|(name, _)| at(name)).collect();
    let regions = region::plan(file, !multiline.is_empty())?;
    let cells = if own.is_some() { RecordShape::ANY } else { file.header.len() };
    let shape = RecordShape { dialect: &table.dialect, cells, multiline };
    let whole: Mutex<Vec<Counts>> = Mutex::new(coded.iter().map(|_| Counts::new()).collect());
    regions.into_par_iter().try_for_each_init(Vec::new, |buffer, region| {
        let counts = coded.iter().map(|_| Counts::new()).collect();
        let mut sink = Sink { table, coded, reads: &reads, own, trim: table.dialect.trim, counts };
        region::read(file, region, &shape, buffer, &mut sink)?;
        advanced(region.end - region.start);
        let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
        for (all, part) in whole.iter_mut().zip(sink.counts) {
            for (code, records) in part {
                *all.entry(code).or_default() += records;
            }
        }
        Ok::<(), ExtractError>(())
    })?;
    Ok(whole.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct Sink<'s> {
    table: &'s TablePlan,
    coded: &'s [Coded<'s>],
    /// Where in a record each column stands that the table reads.
    reads: &'s [Option<usize>],
    /// Where files hold several types of records: the cell that tells, and what it says in this table's.
    own: Option<(usize, &'s [String])>,
    trim: bool,
    counts: Vec<Counts>,
}

impl RecordSink for Sink<'_> {
    fn record(&mut self, _: u64, cells: &mut ByteRecord) {
        let is = |at: usize, texts: &[String]| {
            cells.get(at).is_some_and(|cell| texts.iter().any(|text| text.as_bytes() == cell))
        };
        if self.own.is_some_and(|(at, texts)| !is(at, texts)) {
            return;
        }
        for (coded, counts) in self.coded.iter().zip(&mut self.counts) {
            let Some(cell) = cell(cells, self.reads, coded.column, self.trim) else { continue };
            if cell.is_empty()
                || coded.convert.read(cell).is_ok()
                || !is_read(self.table, self.reads, self.trim, cells, &coded.masks)
            {
                continue;
            }
            // Beyond so many it is no column of codes, and which ones they are says nothing.
            let is_known = counts.contains_key(cell);
            let counted: Box<[u8]> = if is_known || counts.len() <= CODES { cell.into() } else { Box::default() };
            *counts.entry(counted).or_default() += 1;
        }
    }

    fn quarantine(&mut self, _: u64, _: Unreadable, _: &[u8]) {}
}

/// Whether a line reads this record's cell: whether it passes the tests of one of `masks`. A test of a text that is not
/// simply there counts as failed: a code too few is told rather than one too many.
fn is_read(table: &TablePlan, reads: &[Option<usize>], trim: bool, cells: &ByteRecord, masks: &[u32]) -> bool {
    let passes = |test: &Test| {
        let text = text(cells, reads, &test.input, trim);
        text.is_some_and(|text| test.texts.find(text).is_some() != test.negated)
    };
    let bits = |mask: u32| (0..table.tests.len()).filter(move |bit| mask >> bit & 1 == 1);
    masks.iter().any(|mask| bits(*mask).all(|bit| passes(&table.tests[bit])))
}

/// The cell of column `read`.
fn cell<'c>(cells: &'c ByteRecord, reads: &[Option<usize>], read: usize, trim: bool) -> Option<&'c [u8]> {
    let cell = cells.get(reads[read]?)?;
    Some(if trim { cell.trim_ascii() } else { cell })
}

/// The text of `input`, if it is a cell or what a lookup says of one.
fn text<'c>(cells: &'c ByteRecord, reads: &[Option<usize>], input: &'c Input, trim: bool) -> Option<&'c [u8]> {
    match input {
        Input::Cell(read) => cell(cells, reads, *read, trim),
        Input::Lookup(inner, lookup, column) => {
            let row = lookup.row(text(cells, reads, inner, trim)?)?;
            Some(lookup.rows[row as usize][*column].as_bytes())
        }
        _ => None,
    }
}

fn unknown(table: &TablePlan, number: usize, coded: &Coded<'_>, file: &SourceFile, counts: &Counts) -> UnknownCodes {
    let records = counts.values().sum();
    let text = |code: &[u8]| String::from_utf8_lossy(code).into_owned();
    let mut told: Vec<(String, u64)> = if counts.len() > CODES {
        // Not codes then, perhaps names of people: their shapes alone are told.
        let mut shapes: BTreeMap<String, u64> = BTreeMap::new();
        for (code, records) in counts.iter().filter(|(code, _)| !code.is_empty()) {
            *shapes.entry(shape(&text(code))).or_default() += records;
        }
        shapes.into_iter().collect()
    } else {
        counts.iter().map(|(code, records)| (text(code), *records)).collect()
    };
    told.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let (lookup, list) = match coded.convert {
        Convert::Lookup(lookup) => (Some(lookup.name.clone()), None),
        Convert::Choice(choices) => (None, Some(choices.name.clone())),
        _ => (None, None),
    };
    UnknownCodes {
        file: file.name.to_string(),
        column: table.reads[coded.column].name.to_string(),
        lookup,
        list,
        codes: told,
        records,
        table: number,
    }
}

impl UnknownCodes {
    /// What is told of it, and where it is mended.
    pub(super) fn problem(&self, plan: &Plan) -> Problem {
        let codes: Vec<String> = self.codes.iter().take(TOLD).map(|(code, n)| format!("`{code}` ({n})")).collect();
        let more = if self.codes.len() > TOLD { ", …" } else { "" };
        let Self { file, column, records, .. } = self;
        let found = format!("{records} records of {file} have a {column} that");
        let codes = format!("{}{more}", codes.join(", "));
        match (&self.lookup, &self.list) {
            (Some(lookup), _) => {
                let place = Place { file: plan.lookup_file(lookup), line: 1, column: 1 };
                let message = format!("{found} lookup `{lookup}` does not have: {codes}");
                let help = "add a row for each, with a blank value if it has no counterpart";
                Problem { place, message, help: Some(help.to_owned()) }
            }
            (None, list) => {
                let list: Arc<str> = list.as_deref().unwrap_or("list").into();
                let message = format!("{found} is no {list}: {codes}");
                let help = if &*list == "flag" {
                    "say in [defaults] what it means: bool = { … }"
                } else {
                    "turn it into one of the target's values by a `lookup`"
                };
                plan.table_problem(self.table, message, Some(help.to_owned()))
            }
        }
    }
}
