//! A profile as values: what a program reads of it as JSON, and what text and page are written from.

use std::fmt;
use std::path::Path;

use chrono::DateTime;
use serde::Serialize;

use super::column::{Counts, Many};
use super::keys::{At, Found};
use super::kinds::{self, FORMATS};
use super::reading::{Counted, Loss, Table, Why};

/// Shapes, codes and date formats that are told of one column.
const TOLD: usize = 8;
/// A column is of a kind if so many of twenty filled cells are.
const MOST_OF_TWENTY: u64 = 19;
/// Columns of texts with no more different values than this are codes, if each comes often.
const CODES: u64 = 200;

/// What is in the files of a folder.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The folder.
    pub directory: String,
    /// Whether extremes and codes are told as they stand; else as shapes.
    pub shows_values: bool,
    /// The files by name.
    pub files: Vec<FileProfile>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileProfile {
    /// Its name in the folder.
    pub file: String,
    /// Its size, compressed if it is.
    pub bytes: u64,
    /// What it is written in, by its name on the web, such as `UTF-8` or `windows-1252`.
    pub encoding: &'static str,
    /// Between cells.
    pub delimiter: char,
    /// Around cells that need it; none if quotes are text.
    pub quote: Option<char>,
    /// Whether its first record names the columns; else they have positions: `column_1`.
    pub header: bool,
    /// Whether cells in quotes go on over line ends.
    pub line_breaks: bool,
    /// First cells of records about the file, such as `HDR`.
    pub controls: Vec<String>,
    /// Records that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Its records: of one kind, or of several that their first cell tells apart.
    pub record_types: Vec<RecordType>,
}

/// Records that cannot be read, for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    /// `cells` (another number than usual), `quote`, `encoding` or `length`.
    pub why: &'static str,
    /// How many.
    pub records: u64,
    /// The physical line of the first, counted from 1.
    pub first_line: u64,
}

/// Records of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct RecordType {
    /// What their first cell says; none where a file has one kind.
    pub name: Option<String>,
    /// How many.
    pub records: u64,
    /// Their columns, in the order of the file.
    pub columns: Vec<Column>,
    /// Columns that name a record, the likeliest first.
    pub keys: Vec<Key>,
    /// Columns that name a record of another file.
    pub references: Vec<Reference>,
}

/// Columns that name a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Their names.
    pub columns: Vec<String>,
    /// Records whose key an earlier one had.
    pub duplicates: u64,
    /// Whether `duplicates` is a count; else it is an estimate.
    pub exact: bool,
}

/// A column that names a record of another file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// The column.
    pub column: String,
    /// The other file.
    pub file: String,
    /// Its kind of records, where it has several.
    pub record_type: Option<String>,
    /// Its key.
    pub key: String,
    /// Records whose cell is filled.
    pub filled: u64,
    /// Those of them whose record there is none of.
    pub orphans: u64,
    /// Whether `orphans` is a count; else it is an estimate.
    pub exact: bool,
}

/// A number of different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Distinct {
    /// How many.
    pub count: u64,
    /// Whether that is a count; else it is an estimate, within some 5 %.
    pub exact: bool,
}

/// One column.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Its name in the header, or its position: `column_1`.
    pub name: String,
    /// What it seems to hold.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// How most of its dates are written, in chrono's letters.
    pub format: Option<&'static str>,
    /// Filled cells that are not of the type.
    pub misfits: u64,
    /// Cells without text.
    pub blank: u64,
    /// Filled cells.
    pub filled: u64,
    /// Cells with blanks around their text.
    pub padded: u64,
    /// Different values.
    pub distinct: Distinct,
    /// The shortest and the longest, in characters.
    pub lengths: Option<(usize, usize)>,
    /// How its values look, the most frequent first, at most eight; none for free text.
    pub shapes: Vec<Share>,
    /// How many cells have other shapes than those told.
    pub other_shapes: u64,
    /// Every way of writing dates that fits some of the cells, at most eight.
    pub date_formats: Vec<Share>,
    /// How its numbers are written, where it is not as `-1.50`.
    pub habits: Vec<&'static str>,
    /// The least and the greatest value by its type: as they stand if values are shown, else their shapes.
    pub least: Option<String>,
    /// See `least`.
    pub greatest: Option<String>,
    /// Its values where they are few, the most frequent first, at most eight; only if values are shown.
    pub values: Vec<Share>,
    /// All its values where they are few, for who drafts lookups; never written out.
    #[serde(skip)]
    pub codes: Option<Vec<(String, u64)>>,
}

/// A text and how many cells have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The text.
    pub text: String,
    /// How many cells.
    pub cells: u64,
}

/// What a column seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Nothing.
    Empty,
    /// One of two texts that say yes or no.
    Flag,
    /// Whole numbers.
    Integer,
    /// Digits that are a name rather than a number: they begin with zeros.
    Digits,
    /// Decimal numbers.
    Decimal,
    /// Dates.
    Date,
    /// Dates with a time.
    DateTime,
    /// Times of day.
    Time,
    /// Few texts, each often.
    Code,
    /// Anything else.
    Text,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Flag => "flag",
            Self::Integer => "integer",
            Self::Digits => "digits",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Time => "time",
            Self::Code => "code",
            Self::Text => "text",
        })
    }
}

impl FileProfile {
    /// All readable records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.record_types.iter().map(|records| records.records).sum()
    }
}

/// Puts together what was counted and found.
pub(super) fn finish(directory: &Path, counted: Vec<Counted>, found: &Found, shows_values: bool) -> Profile {
    let names: Vec<Names> = counted.iter().map(Names::of).collect();
    let mut files = Vec::with_capacity(counted.len());
    for (number, file) in counted.into_iter().enumerate() {
        let Counted { source, tables, losses, controls } = file;
        let record_types = tables.into_iter().enumerate().map(|(table, of)| {
            let at = At { file: number, table, column: 0 };
            record_type(at, of, &names, found, shows_values)
        });
        files.push(FileProfile {
            file: source.file.name.to_string(),
            bytes: source.file.bytes,
            encoding: source.encoding,
            delimiter: char::from(source.sniffed.delimiter),
            quote: source.sniffed.quote.map(char::from),
            header: source.sniffed.header.is_some(),
            line_breaks: source.sniffed.breaks,
            record_types: record_types.collect(),
            controls: controls.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            unreadable: losses.iter().map(unreadable).collect(),
        });
    }
    Profile { directory: directory.display().to_string(), shows_values, files }
}

/// What the columns and kinds of records of a file are called.
struct Names {
    file: String,
    tables: Vec<(Option<String>, Vec<String>)>,
}

impl Names {
    fn of(counted: &Counted) -> Self {
        let kind = |table: &Table| (!table.kind.is_empty()).then(|| String::from_utf8_lossy(&table.kind).into_owned());
        let tables = counted.tables.iter().map(|table| (kind(table), counted.source.names(table.columns.len())));
        Self { file: counted.source.file.name.to_string(), tables: tables.collect() }
    }
}

fn unreadable(loss: &Loss) -> Unreadable {
    let why = match loss.why {
        Why::FieldCount => "cells",
        Why::OpenQuote => "quote",
        Why::Encoding => "encoding",
        Why::TooLong => "length",
    };
    Unreadable { why, records: loss.records, first_line: loss.line }
}

fn record_type(at: At, table: Table, names: &[Names], found: &Found, shows_values: bool) -> RecordType {
    let (name, columns) = &names[at.file].tables[at.table];
    let keys = found.keys.iter().filter(|key| (key.file, key.table) == (at.file, at.table)).map(|key| Key {
        columns: key.columns.iter().map(|column| columns[*column].clone()).collect(),
        duplicates: key.duplicates,
        exact: !found.sampled,
    });
    let own = found
        .references
        .iter()
        .filter(|reference| (reference.child.file, reference.child.table) == (at.file, at.table));
    let references = own.map(|reference| {
        let (parent, others) = (reference.parent, &names[reference.parent.file]);
        let (record_type, keys) = &others.tables[parent.table];
        Reference {
            column: columns[reference.child.column].clone(),
            file: others.file.clone(),
            record_type: record_type.clone(),
            key: keys[parent.column].clone(),
            filled: reference.filled,
            orphans: reference.orphans,
            exact: !found.sampled,
        }
    });
    RecordType {
        name: name.clone(),
        records: table.records,
        keys: keys.collect(),
        references: references.collect(),
        columns: table
            .columns
            .into_iter()
            .enumerate()
            .map(|(number, counts)| {
                let exact = found.distinct.get(&At { column: number, ..at }).copied();
                column(columns[number].clone(), counts, exact, shows_values)
            })
            .collect(),
    }
}

fn column(name: String, counts: Counts, exact: Option<u64>, shows_values: bool) -> Column {
    let (blank, padded, many, few) = counts.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let codes: Option<Vec<(String, u64)>> = few.map(|few| few.iter().map(|(value, n)| (text(value), *n)).collect());
    let (count, is_exact) = exact.map_or_else(|| many.sketch.distinct(), |exact| (exact, true));
    let count = codes.as_ref().map_or(count, |codes| codes.len() as u64);
    let distinct = Distinct { count, exact: is_exact || codes.is_some() };
    let (kind, format, fitting) = kind_of(&many, codes.as_deref(), distinct.count);
    let (least, greatest) = extremes(&many, kind, format);
    let shown = |value: String| if shows_values { value } else { super::shapes::fine(&value) };
    let mut date_formats: Vec<Share> = FORMATS
        .iter()
        .zip(&many.fits)
        .filter(|(_, fit)| fit.count > 0)
        .map(|((format, _), fit)| Share { text: (*format).to_owned(), cells: fit.count })
        .collect();
    date_formats.sort_by_key(|share| std::cmp::Reverse(share.cells));
    date_formats.truncate(TOLD);
    let habits = habits(&many);
    let (filled, lengths) = (many.filled, many.lengths);
    let shapes = many.shapes.most();
    let other_shapes = shapes.iter().skip(TOLD).map(|(_, cells)| cells).sum();
    let told = |list: &[(String, u64)]| {
        list.iter().take(TOLD).map(|(text, cells)| Share { text: text.clone(), cells: *cells }).collect::<Vec<_>>()
    };
    Column {
        name,
        kind,
        format: format.map(|format| FORMATS[format].0),
        misfits: filled - fitting,
        blank,
        filled,
        padded,
        distinct,
        lengths,
        shapes: told(&shapes),
        other_shapes,
        date_formats,
        habits,
        least: least.map(shown),
        greatest: greatest.map(shown),
        values: if shows_values { told(codes.as_deref().unwrap_or_default()) } else { Vec::new() },
        codes,
    }
}

/// What a column seems to hold, by which format if dates, and how many cells fit that.
fn kind_of(many: &Many, codes: Option<&[(String, u64)]>, distinct: u64) -> (ColumnType, Option<usize>, u64) {
    const YES_OR_NO: [[&str; 2]; 7] =
        [["Y", "N"], ["YES", "NO"], ["TRUE", "FALSE"], ["T", "F"], ["1", "0"], ["J", "N"], ["ON", "OFF"]];
    if many.filled == 0 {
        return (ColumnType::Empty, None, 0);
    }
    let most = |count: u64| count * 20 >= many.filled * MOST_OF_TWENTY;
    if let Some(codes) = codes {
        let said: Vec<String> = codes.iter().map(|(code, _)| code.to_uppercase()).collect();
        let is_flag = |pair: &[&str; 2]| said.iter().all(|code| pair.contains(&code.as_str()));
        // A single figure is a number that happens to be the same everywhere.
        let says_enough = said.len() == 2 || !said[0].starts_with(|c: char| c.is_ascii_digit());
        if said.len() <= 2 && says_enough && YES_OR_NO.iter().any(is_flag) {
            return (ColumnType::Flag, None, many.filled);
        }
    }
    if let Some((format, fit)) = many.best_format()
        && most(fit.count)
    {
        let kind = match kinds::parts(format) {
            (true, false) => ColumnType::Date,
            (true, true) => ColumnType::DateTime,
            (false, _) => ColumnType::Time,
        };
        return (kind, Some(format), fit.count);
    }
    if most(many.numbers) {
        let kind = match (many.with_point + many.with_comma, many.zeros) {
            (1.., _) => ColumnType::Decimal,
            (0, 1..) => ColumnType::Digits,
            (0, 0) => ColumnType::Integer,
        };
        return (kind, None, many.numbers);
    }
    let is_short = many.lengths.is_some_and(|(_, longest)| longest <= 40);
    let is_code = codes.is_some() && distinct <= CODES && distinct * 3 <= many.filled.max(6) && is_short;
    (if is_code { ColumnType::Code } else { ColumnType::Text }, None, many.filled)
}

/// The least and the greatest value, by the type.
fn extremes(many: &Many, kind: ColumnType, format: Option<usize>) -> (Option<String>, Option<String>) {
    let both = |least: String, greatest: String| (Some(least), Some(greatest));
    match (kind, format) {
        (ColumnType::Integer | ColumnType::Decimal, _) => {
            many.range.map_or((None, None), |(least, greatest)| both(least.to_string(), greatest.to_string()))
        }
        (_, Some(format)) => {
            let fit = many.fits[format];
            let told = |instant: i64| {
                DateTime::from_timestamp(instant, 0)
                    .map(|instant| instant.naive_utc().format(FORMATS[format].0).to_string())
            };
            (told(fit.first), told(fit.last))
        }
        _ => many.texts.as_ref().map_or((None, None), |(least, greatest)| {
            both(String::from_utf8_lossy(least).into_owned(), String::from_utf8_lossy(greatest).into_owned())
        }),
    }
}

fn habits(many: &Many) -> Vec<&'static str> {
    let mut habits = Vec::new();
    let mut say = |holds: bool, habit| habits.extend(holds.then_some(habit));
    let is_number = many.numbers * 20 >= many.filled * MOST_OF_TWENTY && many.filled > 0;
    say(is_number && many.with_comma > 0, "decimal comma");
    say(is_number && many.sign_behind > 0, "minus behind");
    say(is_number && many.negative > many.sign_behind, "negative");
    say(is_number && many.zeros > 0, "leading zeros");
    say(many.line_breaks > 0, "line breaks");
    habits
}
