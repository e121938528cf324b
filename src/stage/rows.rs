//! The records of one region, converted cell by cell as they are read.

use std::sync::Arc;

use csv::ByteRecord;

use super::column::{TEXT_BYTES_MAX, Texts, Values};
use super::keys::{KeyBytes, KeyIndex, NO_ROW, fingerprint, write_key};
use super::lines::LineIndex;
use crate::extract::record::{RecordSink, Unreadable};
use crate::mapping::plan::{Input, Leaf, TablePlan};
use crate::mapping::value::{CODE_BASE, Cell, Convert, Misread};

/// A cell that could not be read.
#[derive(Debug, Clone)]
pub struct CellFault {
    /// The record, counted from 0.
    pub row: u32,
    /// The leaf it was read for.
    pub leaf: u16,
    /// The finding's code.
    pub code: &'static str,
    /// What was expected, and the shape of what was there.
    pub message: Arc<str>,
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

/// What a region became.
#[derive(Debug, Default)]
pub struct RegionRows {
    /// Records, whether readable or not.
    pub rows: u32,
    /// One column a leaf.
    pub columns: Vec<Values>,
    /// The long texts of the columns.
    pub texts: Texts,
    /// Outcomes of the table's tests.
    pub masks: Vec<u32>,
    /// One column a link: the parent's record.
    pub parents: Vec<Vec<u32>>,
    /// Fingerprints of the keys, if the table has one; 0 for a record without.
    pub fingerprints: Vec<u64>,
    /// The keys, if other tables look them up.
    pub keys: KeyBytes,
    /// Unreadable cells, in order.
    pub faults: Vec<CellFault>,
    /// Unreadable records, in order.
    pub quarantined: Vec<Quarantined>,
    /// Where the records start, counted from the region's first line.
    pub lines: LineIndex,
    /// Physical lines.
    pub line_count: u64,
    /// Records as the reader of records counted them.
    pub records_read: u64,
}

/// Converts the records of one region.
pub struct RowReader<'p> {
    plan: &'p TablePlan,
    /// For each column that is read, its cell in a record.
    cells: &'p [usize],
    /// For each link, the parents' index.
    parents: &'p [Option<&'p KeyIndex>],
    rows: RegionRows,
    rendered: Vec<Option<String>>,
    key: Vec<u8>,
}

impl<'p> RowReader<'p> {
    /// A reader of records whose column `n` of [`TablePlan::reads`] is cell `cells[n]`.
    #[must_use]
    pub fn new(plan: &'p TablePlan, cells: &'p [usize], parents: &'p [Option<&'p KeyIndex>]) -> Self {
        let rows = RegionRows {
            columns: plan.leaves.iter().map(|leaf| Values::new(&leaf.convert)).collect(),
            parents: vec![Vec::new(); plan.links.len()],
            ..RegionRows::default()
        };
        Self { plan, cells, parents, rows, rendered: Vec::new(), key: Vec::new() }
    }

    /// What was read.
    #[must_use]
    pub fn finish(self) -> RegionRows {
        self.rows
    }

    fn render_templates(&mut self, record: &ByteRecord) {
        self.rendered.clear();
        for template in &self.plan.templates {
            let texts = RecordTexts {
                places: self.cells,
                cells: record,
                rendered: &self.rendered,
                trim: self.plan.dialect.trim,
            };
            let context: std::collections::BTreeMap<&str, String> = template
                .variables
                .iter()
                .map(|(name, input)| {
                    let text = texts.text(input).unwrap_or_default();
                    (name.as_str(), String::from_utf8_lossy(text).into_owned())
                })
                .collect();
            let text = template.environment.get_template("expr").and_then(|found| found.render(context)).ok();
            self.rendered.push(text);
        }
    }
}

/// The texts of one record.
struct RecordTexts<'r> {
    places: &'r [usize],
    cells: &'r ByteRecord,
    rendered: &'r [Option<String>],
    trim: bool,
}

impl<'r> RecordTexts<'r> {
    /// The text of `input`; none for an unknown code or a template that failed.
    fn text<'t>(&'t self, input: &'t Input) -> Option<&'t [u8]>
    where
        'r: 't,
    {
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

impl RegionRows {
    fn fault(&mut self, leaf: usize, misread: &Misread) {
        let same = |known: &&CellFault| *known.message == *misread.message;
        // Faults come in runs: a column in a wrong format has the same message all over.
        let message =
            self.faults.last().filter(same).map_or_else(|| misread.message.as_str().into(), |f| f.message.clone());
        self.faults.push(CellFault { row: self.rows, leaf: leaf as u16, code: misread.code, message });
        self.columns[leaf].push_fault();
    }

    fn push(&mut self, number: usize, leaf: &Leaf, text: Option<&[u8]>) {
        let text = match text {
            Some(b"") => match (&leaf.empty, &leaf.default) {
                (Some(empty), _) => return self.push_empty(number, leaf, empty),
                (None, Some(default)) => default.as_bytes(),
                (None, None) => return self.columns[number].push_absent(),
            },
            Some(text) => text,
            None => {
                let (code, message) = match leaf.input {
                    Input::Template(_) => ("template_failed", "the template fails on this record".to_owned()),
                    _ => ("unknown_code", "a code of its lookup was expected".to_owned()),
                };
                return self.fault(number, &Misread { code, message });
            }
        };
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("the cell is longer than {} MiB", TEXT_BYTES_MAX >> 20);
            return self.fault(number, &Misread { code: "cell_too_long", message });
        }
        match (leaf.convert.read(text), &mut self.columns[number]) {
            (Ok(Cell::Text(text)), Values::Text(values)) => values.push(self.texts.push(text)),
            (Ok(Cell::Code(code)), Values::Code(values)) => values.push(code),
            (Ok(Cell::Number(number)), Values::Number(values)) => values.push(number),
            (Ok(Cell::Number(days)), Values::Date(values)) => values.push(days as i32),
            (Err(misread), _) => self.fault(number, &misread),
            _ => unreachable!("a column is made for what its conversion gives"),
        }
    }

    /// The value of a blank cell: a text, or the code after the last of the list.
    fn push_empty(&mut self, number: usize, leaf: &Leaf, empty: &str) {
        match (&mut self.columns[number], &leaf.convert) {
            (Values::Text(values), _) => values.push(self.texts.push(empty.as_bytes())),
            (Values::Code(values), Convert::Lookup(lookup)) => values.push(lookup.rows.len() as u16 + CODE_BASE),
            (Values::Code(values), Convert::Choice(choices)) => values.push(choices.texts.len() as u16 + CODE_BASE),
            (values, _) => values.push_absent(),
        }
    }
}

impl RecordSink for RowReader<'_> {
    fn record(&mut self, line: u64, cells: &ByteRecord) {
        if !self.plan.templates.is_empty() {
            self.render_templates(cells);
        }
        let rows = &mut self.rows;
        rows.lines.note(u64::from(rows.rows), line);
        let texts = RecordTexts { places: self.cells, cells, rendered: &self.rendered, trim: self.plan.dialect.trim };
        for (number, leaf) in self.plan.leaves.iter().enumerate() {
            rows.push(number, leaf, texts.text(&leaf.input));
        }
        let mut mask = 0;
        for (bit, test) in self.plan.tests.iter().enumerate() {
            let found =
                texts.text(&test.input).is_some_and(|text| test.texts.iter().any(|known| known.as_bytes() == text));
            mask |= u32::from(found != test.negated) << bit;
        }
        rows.masks.push(mask);
        for ((link, index), parents) in self.plan.links.iter().zip(self.parents).zip(&mut rows.parents) {
            let parts = link.inputs.iter().map(|input| texts.text(input).unwrap_or_default());
            write_key(parts, &mut self.key);
            parents.push(index.map_or(NO_ROW, |index| index.row(&self.key)));
        }
        if !self.plan.key.is_empty() {
            let parts = self.plan.key.iter().map(|input| texts.text(input).unwrap_or_default());
            write_key(parts, &mut self.key);
            rows.fingerprints.push(fingerprint(&self.key).max(1));
            if self.plan.is_parent {
                rows.keys.push(&self.key);
            }
        }
        rows.rows += 1;
    }

    fn quarantine(&mut self, line: u64, why: Unreadable, bytes: &[u8]) {
        let rows = &mut self.rows;
        rows.lines.note(u64::from(rows.rows), line);
        let bytes = bytes[..bytes.len().min(QUARANTINE_BYTES_MAX)].to_vec();
        rows.quarantined.push(Quarantined { row: rows.rows, why, bytes });
        rows.columns.iter_mut().for_each(Values::push_absent);
        rows.masks.push(0);
        rows.parents.iter_mut().for_each(|parents| parents.push(NO_ROW));
        if !self.plan.key.is_empty() {
            rows.fingerprints.push(0);
            if self.plan.is_parent {
                rows.keys.push(b"");
            }
        }
        rows.rows += 1;
    }
}
