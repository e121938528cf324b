//! The compiled mapping: every name resolved to a number, every conversion chosen, every constant rendered.
//!
//! Made by [`super::compile`]; followed by the stage (tables, leaves, links) and by assemble (entities, fields, layout).

use std::sync::Arc;

use super::cut::Cut;
use super::document::{Problem, Problems};
use super::layout::Repeated;
use super::lookup::Lookup;
use super::model::{Dialect, OnFault, OnLost, Rest, Span};
use super::number::NumberStyle;
use super::render::Literal;
use super::reshape::Reshape;
use super::value::{Convert, Scale};
use super::word::Codes;
use crate::contract::{Constraint, Contract, Format, Kind, Violation};

/// Most tests a table may have: each is a bit of a record's mask.
pub const TESTS_MAX: usize = 32;

/// A mapping resolved against a contract.
#[derive(Debug)]
pub struct Plan {
    /// Every table that an entity uses, parents before children.
    pub tables: Vec<TablePlan>,
    /// The account first, parents before children.
    pub entities: Vec<EntityPlan>,
    /// Where variants are decided: see [`Discriminator`].
    pub discriminators: Vec<Discriminator>,
    /// What it was resolved against.
    pub contract: Arc<Contract>,
    /// Fields whose values are not all on a list of the tenant's that the contract knows.
    pub unlisted: Vec<String>,
    /// The names of the lookups that lines use.
    pub lookups: Vec<String>,
    /// What its payloads are added up by.
    pub measures: super::measure::Measures,
    pub(crate) file: std::path::PathBuf,
    pub(crate) text: Arc<str>,
}

/// What to read of a table's files, and how.
#[derive(Debug)]
pub struct TablePlan {
    /// Its name in the mapping.
    pub name: Arc<str>,
    /// File name or glob.
    pub files: String,
    /// How text is cut.
    pub dialect: Dialect,
    /// The names of the cells, where the files have no header.
    pub header: Vec<String>,
    /// The table of whose records the rows are made, by number; none: the records are the table's own.
    pub of: Option<usize>,
    /// What is done to the records before their cells are read.
    pub reshape: Option<Reshape>,
    /// Whether entities are made of the rows; if not, other tables read them.
    pub has_entities: bool,
    /// Whether records of other tables take cells from these.
    pub is_joined: bool,
    /// What a lost record does.
    pub on_lost: OnLost,
    /// What a record is that no entity takes.
    pub rest: Rest,
    /// The source columns that are read.
    pub reads: Vec<ReadColumn>,
    /// Source columns waived by name.
    pub unused: Vec<(String, Span)>,
    /// The names of the declared columns.
    pub declared: Vec<String>,
    /// Templates rendered for every record, before anything else.
    pub templates: Vec<Template>,
    /// The columns that are made.
    pub leaves: Vec<Leaf>,
    /// The tests whose outcomes make up a record's mask.
    pub tests: Vec<Test>,
    /// What names a record; empty: nothing does.
    pub key: Vec<Input>,
    /// The source columns of `key`, by number in `reads`.
    pub key_columns: Vec<usize>,
    /// The parents that a record may have.
    pub links: Vec<Link>,
    /// Whether other tables link to this one.
    pub is_parent: bool,
    /// The money in its records.
    pub money: Vec<super::measure::MoneyField>,
    pub(crate) span: Span,
}

/// A source column that is read.
#[derive(Debug, Clone)]
pub struct ReadColumn {
    /// Its name in the header.
    pub name: Arc<str>,
    /// Where its cells come from.
    pub origin: Origin,
    /// Where the mapping first names it.
    pub(crate) span: Span,
}

/// Where the cells of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the file, by the column's name in the header.
    Header,
    /// From the record that the row is made of, by number in [`Reshape::repeated`].
    Repeated(usize),
    /// From a record of another table: which join, and which of what it takes.
    Joined(usize, usize),
}

/// A text that is made of others.
#[derive(Debug)]
pub enum Template {
    /// By a template over columns, strings only.
    Expression {
        /// The compiled template, alone in its environment.
        environment: Box<minijinja::Environment<'static>>,
        /// Variable names and the inputs that give their values.
        variables: Vec<(String, Input)>,
    },
    /// The amount of two columns, of which one is blank or zero.
    Sides {
        /// Counts as it stands.
        debit: Input,
        /// Counts the other way.
        credit: Input,
        /// How both are written.
        style: NumberStyle,
    },
}

/// Where a text of a record comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A cell, by number in [`TablePlan::reads`].
    Cell(usize),
    /// A template, by number in [`TablePlan::templates`].
    Template(usize),
    /// The amount of two columns, by number in [`TablePlan::templates`]; no text where both sides have one.
    Sides(usize),
    /// A cell of another table's record, by number in [`TablePlan::reads`]; no text where none was found.
    Joined(usize),
    /// What is cut out of the text of another input.
    Cut(Box<Input>, Arc<[Cut]>),
    /// The value of a lookup for the text of another input; no text for an unknown code.
    Lookup(Box<Input>, Arc<Lookup>, usize),
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cell(a), Self::Cell(b))
            | (Self::Template(a), Self::Template(b))
            | (Self::Sides(a), Self::Sides(b))
            | (Self::Joined(a), Self::Joined(b)) => a == b,
            (Self::Cut(a, cuts), Self::Cut(b, others)) => a == b && cuts == others,
            (Self::Lookup(a, la, ca), Self::Lookup(b, lb, cb)) => a == b && Arc::ptr_eq(la, lb) && ca == cb,
            _ => false,
        }
    }
}

impl Input {
    /// Whether the text is made of others, rather than being a cell, a piece of one or what a lookup says of it.
    #[must_use]
    pub fn is_made(&self) -> bool {
        match self {
            Self::Cell(_) | Self::Joined(_) => false,
            Self::Template(_) | Self::Sides(_) => true,
            Self::Lookup(input, ..) | Self::Cut(input, _) => input.is_made(),
        }
    }
}

/// A column that is made from a table: one value a record.
#[derive(Debug)]
pub struct Leaf {
    /// Where the text comes from.
    pub input: Input,
    /// How it is read.
    pub convert: Convert,
    /// What a blank cell becomes, as it is written.
    pub empty: Option<Box<str>>,
    /// What a blank cell is read as.
    pub default: Option<Box<str>>,
    /// The source columns it reads, by number in [`TablePlan::reads`].
    pub columns: Vec<usize>,
}

/// One bit of a record's mask: whether an input's text is among some texts.
#[derive(Debug, PartialEq)]
pub struct Test {
    /// The text.
    pub input: Input,
    /// The texts; an empty one stands for a blank cell.
    pub texts: Codes,
    /// Whether the text must be none of them.
    pub negated: bool,
}

/// How a record of a table finds its parent record.
#[derive(Debug, PartialEq)]
pub struct Link {
    /// The parent's table, by number.
    pub parent: usize,
    /// What is compared with the parent's key.
    pub inputs: Vec<Input>,
    /// The source columns of `inputs`, by number in [`TablePlan::reads`].
    pub columns: Vec<usize>,
}

/// A node of the contract whose objects come in variants.
#[derive(Debug)]
pub struct Discriminator {
    /// The node's path.
    pub node: String,
    /// The values, one a variant.
    pub values: Vec<String>,
}

/// One kind of object, and how its objects are made.
#[derive(Debug)]
pub struct EntityPlan {
    /// Its path; empty for the account.
    pub path: String,
    /// The entity whose objects hold these; none for the account.
    pub parent: Option<usize>,
    /// The entities directly below.
    pub children: Vec<usize>,
    /// Its table.
    pub table: usize,
    /// How its records find their parents, by number in [`TablePlan::links`].
    pub link: Option<usize>,
    /// Bits that must be set in a record's mask.
    pub mask: u32,
    /// Whether a parent may have several.
    pub is_list: bool,
    /// The leaves it uses, by number in [`TablePlan::leaves`].
    pub leaves: Vec<usize>,
    /// How its objects are ordered below one parent, by number in `leaves`; true: largest first.
    pub order: Vec<(usize, bool)>,
    /// Leaves that only the order reads, by number in `leaves`, with the source column of each.
    pub only_ordered: Vec<(usize, Arc<str>)>,
    /// Its fields.
    pub fields: Vec<FieldPlan>,
    /// What is written, keys in byte order.
    pub layout: Vec<Item>,
    /// For a list of scalars, the field that is the scalar.
    pub scalar: Option<usize>,
    /// If its own objects have variants: the discriminator and the field that decides.
    pub decides: Option<(usize, usize)>,
    /// The discriminators that its fields depend on; together they give the case number.
    pub depends: Vec<usize>,
    /// By case: required fields that no line maps, with the path below the entity.
    pub unmapped: Vec<Vec<Unmapped>>,
}

/// A required field that the mapping does not map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// Path below the entity of the object that lacks it; empty for the entity's own.
    pub object: String,
    /// The field's name.
    pub name: String,
}

/// One field of an entity.
#[derive(Debug)]
pub struct FieldPlan {
    /// Path below the entity.
    pub path: String,
    /// Its type.
    pub kind: Kind,
    /// How its text is to be read.
    pub format: Option<Format>,
    /// The lines that may give its value: the first whose `when` holds.
    pub lines: Vec<LinePlan>,
    /// For a key from a cell: the leaf with the key, by number in [`EntityPlan::leaves`].
    pub key: Option<usize>,
    /// What its values must be like, one a variant that differs.
    pub constraints: Vec<Constraint>,
    /// By case: what holds for it.
    pub cases: Vec<Case>,
}

/// What holds for a field in one case of the variants above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Nothing is known: the variant is not decided.
    Open,
    /// The variant has no such field.
    Foreign,
    /// The constraint of that number in [`FieldPlan::constraints`].
    Held {
        /// Which.
        constraint: usize,
        /// Whether the value must be there.
        required: bool,
    },
}

/// One line: where a field's value comes from, ready to be written.
#[derive(Debug)]
pub struct LinePlan {
    /// Bits that must be set in the record's mask.
    pub mask: u32,
    /// Where the value comes from.
    pub value: ValuePlan,
    /// What a fault does.
    pub on_fault: OnFault,
    /// Whether it is read as money.
    pub money: bool,
    /// The names of the source columns it reads.
    pub columns: Vec<Arc<str>>,
}

/// How a value is written.
#[derive(Debug)]
pub enum ValuePlan {
    /// The same for every record.
    Constant(Entry),
    /// Text; a JSON string.
    Text(usize),
    /// A code; the entries from [`super::value::CODE_BASE`] on.
    Code(usize, Vec<Entry>),
    /// A date; a JSON string.
    Date(usize),
    /// An instant; a JSON string in UTC.
    DateTime(usize),
    /// A packed whole number; true: as a JSON string, zeros kept.
    Integer(usize, bool),
    /// A decimal; a JSON string.
    Decimal(usize, Scale),
}

/// A value known before a record is read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value; none: nothing is written.
    pub value: Option<Known>,
    /// As JSON.
    pub json: Literal,
    /// By constraint number: how it breaks that one.
    pub verdicts: Vec<Option<Violation>>,
}

/// A value known before a record is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// A string that is read as nothing else.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
    /// A decimal in a string.
    Decimal(rust_decimal::Decimal),
    /// A date in a string.
    Date(chrono::NaiveDate),
    /// An instant in a string.
    DateTime(chrono::DateTime<chrono::Utc>),
    /// A flag.
    Bool(bool),
}

/// A part of an object as it is written.
#[derive(Debug)]
pub enum Item {
    /// `"key":value`.
    Field {
        /// `"key":`, escaped.
        key: Literal,
        /// The field's number.
        field: usize,
    },
    /// `"key":{…}`, left out without content.
    Object {
        /// `"key":`, escaped.
        key: Literal,
        /// Path below the entity.
        path: String,
        /// Its parts.
        items: Vec<Item>,
        /// Fields whose keys come from cells; then `items` is empty.
        keyed: Vec<usize>,
    },
    /// `"key":[…]` or `"key":{…}` of another entity, left out without content.
    Children {
        /// `"key":`, escaped.
        key: Literal,
        /// The entity's number.
        entity: usize,
        /// By case: whether it must be there.
        required: Vec<bool>,
    },
}

/// The path `below` an entity's.
fn join(entity: &str, below: &str) -> String {
    if entity.is_empty() { below.to_owned() } else { format!("{entity}.{below}") }
}

impl Plan {
    /// Whether a line writes the field at `path`.
    #[must_use]
    pub fn writes(&self, path: &str) -> bool {
        self.entities.iter().any(|entity| {
            entity.scalar.is_some() && entity.path == path
                || entity.fields.iter().any(|field| join(&entity.path, &field.path) == path)
        })
    }

    /// Whether objects are written at `path`; `""` is the account.
    #[must_use]
    pub fn writes_object(&self, path: &str) -> bool {
        let below = |written: &str| written.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.entities.iter().any(|entity| {
            entity.path == path
                || below(&entity.path)
                || entity.fields.iter().any(|field| below(&join(&entity.path, &field.path)))
        })
    }

    /// Checks the columns of the mapping against the `header` of one file of table `table`.
    #[must_use]
    pub fn check_header(&self, table: usize, file: &str, header: &[String]) -> Vec<Problem> {
        let plan = &self.tables[table];
        let mut problems = Problems::new(&self.file, &self.text);
        let known = || header.iter().chain(&plan.declared).map(String::as_str);
        let sources = plan.reads.iter().filter(|column| column.origin == Origin::Header);
        for (name, span) in sources.map(|column| (&*column.name, &column.span)).chain(plan.named()) {
            match header.iter().filter(|known| **known == *name).count() {
                1 => {}
                0 => {
                    let help = super::document::did_you_mean(name, known().filter(|known| **known != *name));
                    problems.add(span, format!("{file} has no column `{name}`"), help);
                }
                _ => problems.add(span, format!("{file} has more than one column `{name}`"), None),
            }
        }
        for (name, span) in &plan.unused {
            if !header.contains(name) {
                let help = super::document::did_you_mean(name, known());
                problems.add(span, format!("{file} has no column `{name}`"), help);
            }
        }
        problems.into_sorted()
    }

    /// The columns of one file of table `table` that no line uses and none waives.
    #[must_use]
    pub fn unused_columns(&self, table: usize, file: &str, header: &[String]) -> Vec<Problem> {
        let plan = &self.tables[table];
        let mut problems = Problems::new(&self.file, &self.text);
        let of = |other: &&TablePlan| other.of == Some(table);
        let reads = |plan: &TablePlan, name: &str| {
            plan.reads.iter().any(|column| column.origin == Origin::Header && *column.name == *name)
                || plan.named().any(|(known, _)| known == name)
        };
        for name in header.iter().filter(|name| !name.is_empty() && plan.of.is_none()) {
            let read = reads(plan, name) || self.tables.iter().filter(of).any(|other| reads(other, name));
            if !read && !plan.unused.iter().any(|(waived, _)| waived == name) {
                let help = format!("map it, or waive it: [tables.{}] unused = [\"{name}\"]", plan.name);
                problems.add(&plan.span, format!("no line uses column `{name}` of {file}"), Some(help));
            }
        }
        problems.into_sorted()
    }
}

impl TablePlan {
    /// The columns that the layout names.
    fn named(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.reshape.iter().flat_map(|reshape| {
            let types = reshape.types.iter().map(|types| (types.column.as_str(), &types.span));
            let sums = reshape.control.iter().flat_map(|control| &control.sums);
            let repeated = reshape.repeat.iter().flatten().filter_map(|cell| match cell {
                Repeated::Column(name, span) => Some((name.as_str(), span)),
                Repeated::Constant(_) => None,
            });
            types.chain(sums.map(|sum| (sum.column.as_str(), &sum.span))).chain(repeated)
        })
    }

    /// How many rows a record may become.
    #[must_use]
    pub fn rows_per_record(&self) -> usize {
        self.reshape.as_ref().map_or(1, Reshape::rows_per_record)
    }

    /// The tables whose records this one's need to be read; they come before it.
    pub fn needs(&self) -> impl Iterator<Item = usize> {
        let joined = self.reshape.iter().flat_map(|reshape| &reshape.joins).map(|join| join.table);
        self.links.iter().map(|link| link.parent).chain(joined)
    }
}

impl EntityPlan {
    /// The case number for the variants `chosen`, by discriminator: 0 where one is not decided.
    #[must_use]
    pub fn case(&self, chosen: &[u8], discriminators: &[Discriminator]) -> usize {
        self.depends.iter().fold(0, |case, at| case * (discriminators[*at].values.len() + 1) + usize::from(chosen[*at]))
    }
}
