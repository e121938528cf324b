//! The records of another table that a record takes cells from, found by key and, where several share one, by a day.
//!
//! They are kept in memory: some hundred bytes for each record of the other table. Which of them was found is noted, so
//! that a record that nothing asked for is told of like any other that is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use csv::ByteRecord;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::StageError;
use super::keys::NO_ROW;
use super::reshape::{RowSink, TableFiles, text_of};
use crate::extract::record::{RecordSink, Unreadable};
use crate::mapping::plan::Test;
use crate::mapping::reshape::JoinPlan;
use crate::mapping::value::{DateFormat, days};

/// The records of a table that a join may find.
#[derive(Debug)]
pub(super) struct Reference {
    /// The records of each key: `records[start..end]`.
    keys: HashMap<Box<[u8]>, (u32, u32), RandomState>,
    /// By key, first day and row.
    records: Vec<Record>,
    found: Vec<AtomicBool>,
    takes: usize,
}

/// A record that may be found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    key: Vec<u8>,
    /// The first day on which it counts.
    from: i32,
    /// The last.
    to: i32,
    row: u32,
    /// What is taken of it, and where each text ends.
    texts: Vec<u8>,
    ends: Vec<u32>,
}

/// Why a record found none of another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missed {
    /// No record has the key.
    Key,
    /// None of those with the key was valid on the day.
    Day,
    /// The day cannot be read.
    NoDay,
    /// More than one fits, and they do not say the same.
    Several,
}

impl Missed {
    /// What stands in a cell for a record that was not found for this reason: no text is like it.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Self::Key => b"\xff0",
            Self::Day => b"\xff1",
            Self::NoDay => b"\xff2",
            Self::Several => b"\xff3",
        }
    }

    /// The reason that a cell says, if it says one.
    pub(super) fn of_mark(text: &[u8]) -> Option<Self> {
        // Nearly every cell is a text, and no text has this byte.
        if text.first() != Some(&0xff) {
            return None;
        }
        [Self::Key, Self::Day, Self::NoDay, Self::Several].into_iter().find(|missed| missed.mark() == text)
    }

    /// What to tell of a cell that would have come from the record.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Key => "no record that is joined here has the key",
            Self::Day => "no record that is joined here and has the key was valid on the day",
            Self::NoDay => "the day on which a record is to be joined here cannot be read",
            Self::Several => "more than one record fits that is joined here, and they do not say the same",
        }
    }
}

/// A record that found none of another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinMiss {
    /// The record.
    pub row: u32,
    /// The join, by number.
    pub join: u32,
    /// Why.
    pub why: Missed,
    /// Rows of the other table that nearly fit, or that both fit; [`NO_ROW`] for none.
    pub near: [u32; 2],
}

/// The day on which a record must have been valid.
#[derive(Clone, Copy)]
pub(super) enum Day {
    /// Days do not matter.
    Any,
    On(i32),
    /// They do, and the record's own cannot be read.
    Unreadable,
}

/// What a join found.
pub(super) enum Found<'r> {
    Record(&'r [u8], &'r [u32]),
    /// Nothing was looked for: the key is blank.
    Blank,
    Missed(Missed, [u32; 2]),
}

impl Reference {
    /// Reads the records that `join` may find from the files of its table.
    pub(super) fn read(join: &JoinPlan, files: &TableFiles<'_>) -> Result<Self, StageError> {
        let read: Vec<(Vec<Record>, u32)> = (0..files.regions.len())
            .into_par_iter()
            .map(|region| {
                let mut collect = Collect { join, files, file: files.regions[region].0, row: 0, records: Vec::new() };
                files.read(region, &mut Vec::new(), &mut collect)?;
                Ok((collect.records, collect.row))
            })
            .collect::<Result<_, StageError>>()?;
        let mut first = 0;
        let mut records = Vec::with_capacity(read.iter().map(|(records, _)| records.len()).sum());
        for (of_region, count) in read {
            records.extend(of_region.into_iter().map(|record| Record { row: record.row + first, ..record }));
            first += count;
        }
        records.par_sort_unstable();
        let mut keys: HashMap<Box<[u8]>, (u32, u32), RandomState> = HashMap::default();
        for (at, record) in (0_u32..).zip(&records) {
            keys.entry(record.key.as_slice().into()).or_insert((at, at)).1 = at + 1;
        }
        let found = std::iter::repeat_with(AtomicBool::default).take(records.len()).collect();
        Ok(Self { keys, records, found, takes: join.takes.len() })
    }

    /// Finds the record of the key `key` that was valid on `day`; the day is nothing to records without days.
    pub(super) fn find(&self, key: &[u8], day: Day) -> Found<'_> {
        let Some((start, end)) = self.keys.get(key) else { return Found::Missed(Missed::Key, [NO_ROW; 2]) };
        let (start, end) = (*start as usize, *end as usize);
        let of_key = &self.records[start..end];
        let day = match day {
            Day::Unreadable => return Found::Missed(Missed::NoDay, [NO_ROW; 2]),
            Day::On(day) => day,
            Day::Any => 0,
        };
        let fits = |record: &Record| record.from <= day && day <= record.to;
        let mut fitting = (start..end).filter(|at| fits(&self.records[*at]));
        let Some(first) = fitting.next() else {
            let before = of_key.iter().filter(|record| record.to < day).max_by_key(|record| (record.to, record.row));
            let after = of_key.iter().find(|record| record.from > day);
            return Found::Missed(Missed::Day, [before, after].map(|near| near.map_or(NO_ROW, |record| record.row)));
        };
        let record = &self.records[first];
        self.found[first].store(true, Ordering::Relaxed);
        for other in fitting {
            let also = &self.records[other];
            self.found[other].store(true, Ordering::Relaxed);
            if (&also.texts, &also.ends) != (&record.texts, &record.ends) {
                return Found::Missed(Missed::Several, [record.row, also.row]);
            }
        }
        Found::Record(&record.texts, &record.ends)
    }

    /// The rows that may be found, and whether each was.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, bool)> {
        self.records.iter().zip(&self.found).map(|(record, found)| (record.row, found.load(Ordering::Relaxed)))
    }

    /// How many cells it gives.
    pub(super) fn takes(&self) -> usize {
        self.takes
    }
}

/// Appends what is compared to `key`: none, if all of it is blank.
pub(super) fn push_key<'r>(key: &mut Vec<u8>, parts: impl Iterator<Item = Option<&'r [u8]>>) -> Option<()> {
    let mut blank = true;
    for part in parts {
        let part = part.unwrap_or_default();
        blank &= part.is_empty();
        key.extend_from_slice(&(part.len() as u32).to_le_bytes());
        key.extend_from_slice(part);
    }
    (!blank).then_some(())
}

/// Whether a text passes `test`; an unknown code passes none but a negated one.
pub(super) fn passes(test: &Test, cell: Option<&[u8]>) -> bool {
    cell.and_then(|text| test.texts.find(text)).is_some() != test.negated
}

/// The day that `text` says.
pub(super) fn day_of(format: &DateFormat, text: Option<&[u8]>) -> Option<i32> {
    format.date(text?).map(days)
}

/// Collects the records of a region that a join may find.
struct Collect<'c> {
    join: &'c JoinPlan,
    files: &'c TableFiles<'c>,
    file: usize,
    row: u32,
    records: Vec<Record>,
}

impl Collect<'_> {
    fn collect(&self, cells: &ByteRecord) -> Option<Record> {
        let columns = &self.files.cells[self.file];
        let of = |input| text_of(cells, columns, input, self.files.trims());
        let wanted = self.join.filter.iter().all(|test| passes(test, of(&test.input)));
        let mut record = Record {
            key: Vec::new(),
            from: i32::MIN,
            to: i32::MAX,
            row: self.row,
            texts: Vec::new(),
            ends: Vec::new(),
        };
        push_key(&mut record.key, self.join.theirs.iter().map(of)).filter(|()| wanted)?;
        if let Some(valid) = &self.join.valid {
            // A day that cannot be read makes a record that is valid on none.
            let day = |text: Option<&[u8]>, format, open: i32| match text {
                Some(b"") => Some(open),
                text => day_of(format, text),
            };
            record.from = day(of(&valid.from.0), &valid.from.1, i32::MIN)?;
            record.to = day(of(&valid.to.0), &valid.to.1, i32::MAX)?;
            if valid.exclusive && record.to != i32::MAX {
                record.to -= 1;
            }
        }
        for take in &self.join.takes {
            record.texts.extend_from_slice(of(take).unwrap_or_default());
            record.ends.push(record.texts.len() as u32);
        }
        Some(record)
    }
}

impl RecordSink for Collect<'_> {
    fn record(&mut self, _line: u64, cells: &mut ByteRecord) {
        let record = self.collect(cells);
        self.records.extend(record);
        self.row += 1;
    }

    fn quarantine(&mut self, _line: u64, _why: Unreadable, _bytes: &[u8]) {
        self.row += 1;
    }
}

impl RowSink for Collect<'_> {
    fn skip(&mut self, _line: u64) {
        self.row += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(records: &[(&str, i32, i32, &str)]) -> Reference {
        let record = |(row, (key, from, to, text)): (u32, &(&str, i32, i32, &str))| Record {
            key: key.as_bytes().to_vec(),
            from: *from,
            to: *to,
            row,
            texts: text.as_bytes().to_vec(),
            ends: vec![text.len() as u32],
        };
        let mut records: Vec<Record> = (0..).zip(records).map(record).collect();
        records.sort_unstable();
        let mut keys: HashMap<Box<[u8]>, (u32, u32), RandomState> = HashMap::default();
        for (at, record) in (0_u32..).zip(&records) {
            keys.entry(record.key.as_slice().into()).or_insert((at, at)).1 = at + 1;
        }
        let found = records.iter().map(|_| AtomicBool::default()).collect();
        Reference { keys, records, found, takes: 1 }
    }

    fn found(reference: &Reference, key: &str, day: i32) -> Result<String, (Missed, [u32; 2])> {
        match reference.find(key.as_bytes(), Day::On(day)) {
            Found::Record(texts, _) => Ok(String::from_utf8(texts.to_vec()).unwrap()),
            Found::Missed(why, near) => Err((why, near)),
            Found::Blank => unreachable!("the key is not blank"),
        }
    }

    #[test]
    fn the_record_that_was_valid_on_the_day_is_found_and_the_nearest_are_told() {
        let reference = reference(&[("D", 10, 19, "x"), ("D", 30, i32::MAX, "y"), ("E", i32::MIN, 5, "z")]);
        for (day, expected) in [(10, "x"), (19, "x"), (30, "y"), (99, "y")] {
            assert_eq!(found(&reference, "D", day).as_deref(), Ok(expected), "{day}");
        }
        assert_eq!(found(&reference, "D", 20), Err((Missed::Day, [0, 1])));
        assert_eq!(found(&reference, "D", 9), Err((Missed::Day, [NO_ROW, 0])));
        assert_eq!(found(&reference, "E", 6), Err((Missed::Day, [2, NO_ROW])));
        assert_eq!(found(&reference, "F", 6), Err((Missed::Key, [NO_ROW; 2])));
        let asked: Vec<(u32, bool)> = reference.rows().collect();
        assert_eq!(asked, [(0, true), (1, true), (2, false)]);
    }

    #[test]
    fn two_that_fit_are_one_if_they_say_the_same() {
        let overlap = reference(&[("D", 0, 9, "x"), ("D", 5, 20, "x"), ("D", 20, 30, "y")]);
        assert_eq!(found(&overlap, "D", 7).as_deref(), Ok("x"));
        assert_eq!(found(&overlap, "D", 20), Err((Missed::Several, [1, 2])));
    }
}
