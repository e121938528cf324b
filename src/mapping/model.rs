//! What a mapping file says, as values: tables, entities and field lines, with names still unresolved.
//!
//! Made by [`super::read`]; resolved against the contract and the headers by [`super::plan`].

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::cut::Cut;
use super::document::Scalar;
use super::layout::Layout;
use super::lookup::Lookup;
use super::number::{NumberStyle, Sign};

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
    /// Which of the records are the table's, and what its rows are.
    pub layout: Layout,
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
    /// Which of several parents: the one that was valid on a day.
    pub valid: Option<Valid>,
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
    /// What is cut out of the text before anything else, one after the other.
    pub cuts: Vec<Cut>,
    /// How numbers are written.
    pub style: StyleKeys,
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
    /// A column for debits and one for credits, of which one is blank or zero.
    Sides {
        /// Counts as it stands.
        debit: String,
        /// Counts the other way.
        credit: String,
    },
    /// A column of another table's record.
    Joined(Box<Join>),
}

/// How a record finds a record of another table.
#[derive(Clone, Debug)]
pub struct Join {
    /// The other table.
    pub table: (String, Span),
    /// Columns of the other table, and the columns of this one that must say the same.
    pub by: Vec<(String, String)>,
    /// Which records of the other table.
    pub filter: Vec<Condition>,
    /// Which of several.
    pub valid: Option<Valid>,
    /// Whether a record that finds none has a blank cell; otherwise it is a fault.
    pub may_miss: bool,
    /// The column of the other table that is taken.
    pub take: (String, Span),
    pub(crate) span: Span,
}

/// Which of several records of one key: the one that was valid on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The column of this table with the day.
    pub on: (String, Span),
    /// The column of the other table with the first day; blank: since ever.
    pub from: (String, Span),
    /// The column of the other table with the last day; blank: for ever.
    pub to: (String, Span),
    /// Whether `to` is the first day that no longer counts, rather than the last that does.
    pub exclusive: bool,
}

impl PartialEq for Join {
    /// Whether two joins find the same records, wherever they are written and whatever they take of them.
    fn eq(&self, other: &Self) -> bool {
        let said = |condition: &Condition| (condition.column.clone(), condition.texts.clone(), condition.negated);
        let days = |valid: &Valid| (valid.on.0.clone(), valid.from.0.clone(), valid.to.0.clone(), valid.exclusive);
        self.table.0 == other.table.0
            && self.by == other.by
            && self.may_miss == other.may_miss
            && self.filter.iter().map(said).eq(other.filter.iter().map(said))
            && self.valid.as_ref().map(days) == other.valid.as_ref().map(days)
    }
}

impl Eq for Join {}

/// How numbers are written, as far as a line says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StyleKeys {
    /// What stands between pounds and pence.
    pub decimal: Option<u8>,
    /// What stands between thousands.
    pub thousands: Option<u8>,
    /// Where a minus stands.
    pub sign: Option<Sign>,
    /// Digits after a point that is not written.
    pub implied: Option<u32>,
    /// Whether the number counts the other way.
    pub negate: Option<bool>,
}

impl StyleKeys {
    /// These, and for what they leave open, `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            decimal: self.decimal.or(other.decimal),
            thousands: self.thousands.or(other.thousands),
            sign: self.sign.or(other.sign),
            implied: self.implied.or(other.implied),
            negate: self.negate.or(other.negate),
        }
    }

    /// The style that they make.
    #[must_use]
    pub fn style(self) -> NumberStyle {
        let plain = NumberStyle::default();
        NumberStyle {
            decimal: self.decimal.unwrap_or(plain.decimal),
            thousands: self.thousands,
            sign: self.sign.unwrap_or(plain.sign),
            implied: self.implied.unwrap_or(plain.implied),
            negate: self.negate.unwrap_or(plain.negate),
        }
    }
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
