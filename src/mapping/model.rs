//! What a mapping file says, as values: tables, entities and field lines, with names still unresolved.
//!
//! Made by [`super::read`]; resolved against the contract and the headers by [`super::plan`].

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::document::Scalar;
use super::lookup::Lookup;

/// Where in the mapping file something stands, in bytes.
pub(crate) type Span = Range<usize>;

/// A whole mapping: `mapping.toml` and its lookups.
#[derive(Debug)]
pub struct Mapping {
    /// The directory that holds `mapping.toml` and `lookups/`.
    pub directory: PathBuf,
    /// The path of `mapping.toml`.
    pub file: PathBuf,
    /// Its text, for messages that point into it.
    pub(crate) text: Arc<str>,
    /// `[tables.*]` by name.
    pub tables: BTreeMap<String, Table>,
    /// `[account]` first, then every `[entity.*]` in the order of the file.
    pub entities: Vec<Entity>,
    /// `lookups/*.csv` by name, those that a line uses.
    pub lookups: BTreeMap<String, Arc<Lookup>>,
}

/// One file role of the extract: `[tables.NAME]`.
#[derive(Debug)]
pub struct Table {
    /// `NAME`.
    pub name: String,
    /// A file name or a glob, relative to the extract directory.
    pub files: String,
    /// How its text is cut into records and cells.
    pub dialect: Dialect,
    /// The columns that name a record; a second record with the same key is a finding. Empty: no key.
    pub key: Vec<(String, Span)>,
    /// Columns declared once, usable wherever a column name is.
    pub columns: BTreeMap<String, Line>,
    /// Source columns that no line uses, on purpose.
    pub unused: Vec<(String, Span)>,
    /// What a quarantined or orphaned record does to the sending.
    pub on_lost: OnLost,
    /// What a record that no entity takes is.
    pub rest: Rest,
    pub(crate) span: Span,
}

/// How a file's bytes become records and cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between cells; one ASCII character.
    pub delimiter: u8,
    /// Around cells that hold a delimiter or a line break; one ASCII character, or none.
    pub quote: Option<u8>,
    /// Columns whose quoted cells may hold line breaks. Empty: every physical line is a record.
    pub multiline: Vec<(String, Span)>,
    /// Whether blanks around a cell are cut off.
    pub trim: bool,
    /// What the text is in.
    pub encoding: &'static encoding_rs::Encoding,
}

/// What a lost record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnLost {
    /// It is reported; sending goes on.
    #[default]
    Report,
    /// Nothing is sent.
    Stop,
}

/// What a record is that no entity's `where` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rest {
    /// An error of its account.
    #[default]
    Finding,
    /// Left out on purpose.
    Filtered,
}

/// One kind of object in the payload: `[account]` or `[entity."PATH"]`.
#[derive(Clone, Debug)]
pub struct Entity {
    /// The payload path without list positions; empty for the account.
    pub path: String,
    /// The table whose records become its objects.
    pub table: (String, Span),
    /// The columns that hold the key of the nearest enclosing entity's table. Empty for the account.
    pub parent: Vec<(String, Span)>,
    /// Which records.
    pub filter: Vec<Condition>,
    /// In which order.
    pub order: Vec<OrderBy>,
    /// Target field (relative path) and the lines that may give its value, first fit wins.
    pub fields: Vec<Field>,
    /// The lines of a list of scalars, instead of `fields`.
    pub value: Option<Vec<Line>>,
    pub(crate) span: Span,
}

/// One target field of an entity.
#[derive(Clone, Debug)]
pub struct Field {
    /// Path below the entity; the last part may be `{COLUMN}`, a key from a cell.
    pub target: String,
    /// The lines, in the order of the file.
    pub lines: Vec<Line>,
    pub(crate) span: Span,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// A source or declared column.
    pub column: String,
    /// Largest first; blanks stay first.
    pub descending: bool,
    pub(crate) span: Span,
}

/// One column compared with texts; an empty text stands for a blank cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// A source or declared column.
    pub column: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Whether the cell must be none of them, rather than one of them.
    pub negated: bool,
    pub(crate) span: Span,
}

/// Where one value comes from and how it is read.
#[derive(Clone, Debug)]
pub struct Line {
    /// The cell, constant or template.
    pub source: Source,
    /// How the text is read; without it, as the contract says.
    pub read_as: Option<ReadAs>,
    /// Lookup file and the column of its value.
    pub lookup: Option<(String, Span)>,
    /// The lookup's value column; without it, the second.
    pub take: Option<(String, Span)>,
    /// chrono format of a date or a date and time; without it, the default's.
    pub format: Option<String>,
    /// Zone of a date and time without offset.
    pub zone: Option<String>,
    /// What a local time that occurs twice means.
    pub ambiguous: Option<Ambiguous>,
    /// The unit of money.
    pub unit: Option<Unit>,
    /// Digits after the point: fewer are padded, more are a fault.
    pub places: Option<u32>,
    /// What is written for a blank cell.
    pub empty: Option<(String, Span)>,
    /// What a blank cell is read as.
    pub default: Option<(String, Span)>,
    /// What a cell that cannot be read does to the account.
    pub on_fault: OnFault,
    /// When this line applies.
    pub when: Vec<Condition>,
    pub(crate) span: Span,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A source or declared column.
    Column(String),
    /// The mapping itself.
    Constant(Scalar),
    /// A template over columns.
    Template(String),
}

/// How a cell's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadAs {
    /// As it stands.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number, digits kept as written.
    Decimal,
    /// A decimal amount in pounds or pence, written in pounds.
    Money,
    /// A calendar date.
    Date,
    /// A date and time, written in UTC.
    DateTime,
    /// A flag.
    Bool,
}

impl fmt::Display for ReadAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Decimal => "a decimal",
            Self::Money => "money",
            Self::Date => "a date",
            Self::DateTime => "a date and time",
            Self::Bool => "a flag",
        })
    }
}

/// The unit of a money cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Pounds, with a decimal point.
    Pounds,
    /// Pence.
    Pence,
}

/// What a local time that occurs twice (when clocks go back) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Ambiguous {
    /// A fault of the cell.
    #[default]
    Fault,
    /// The first of the two.
    Earliest,
    /// The second of the two.
    Latest,
}

/// What a cell that cannot be read does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OnFault {
    /// The account is rejected.
    #[default]
    Reject,
    /// The field is left out, with a warning.
    Omit,
}
