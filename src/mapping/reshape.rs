//! How the records of a table's files become its rows, resolved: which are its own, which rows are made of them, and
//! what other tables' records add to them.

use super::document::{Problems, did_you_mean};
use super::layout::{Control, Repeated};
use super::model::{Join, Mapping, Span, Table};
use super::plan::{Input, Test};
use super::value::DateFormat;

/// What is done to the records of a table before their cells are read. Most tables need none.
#[derive(Debug, Default)]
pub struct Reshape {
    /// The records that frame the others.
    pub control: Option<Control>,
    /// How the sums of the trailer are written, and the columns they are of.
    pub style: super::number::NumberStyle,
    /// Which types of records are the table's.
    pub types: Option<TypesPlan>,
    /// The rows made of a record: what is in each of their columns. Empty: the record is the row.
    pub repeat: Vec<Vec<Repeated>>,
    /// The names of those columns.
    pub repeated: Vec<String>,
    /// The records of other tables that add cells, in this order.
    pub joins: Vec<JoinPlan>,
}

/// The types of records in a file.
#[derive(Debug, Default)]
pub struct TypesPlan {
    /// The column that tells them apart.
    pub column: String,
    /// What it says in records of this table.
    pub own: Vec<String>,
    /// What it says in records of any table that reads the same files.
    pub known: Vec<String>,
    /// Whether records of no table count as this one's: one of the tables must count them.
    pub takes_rest: bool,
    pub(crate) span: Span,
}

/// How a record finds a record of another table, and what it takes from it.
#[derive(Debug)]
pub struct JoinPlan {
    /// The other table, by number.
    pub table: usize,
    /// What is compared, of this table.
    pub own: Vec<Input>,
    /// What is compared, of the other.
    pub theirs: Vec<Input>,
    /// Which records of the other.
    pub filter: Vec<Test>,
    /// Which of several.
    pub valid: Option<ValidPlan>,
    /// What is taken of the other.
    pub takes: Vec<Input>,
    /// Whether a record that finds none has blank cells.
    pub may_miss: bool,
    /// What the mapping says.
    pub(super) spec: Join,
    /// The columns that are taken.
    pub(super) names: Vec<String>,
    /// The source columns behind `own` and the day, by number in the table's reads.
    pub columns: Vec<usize>,
}

/// Which of several records is meant: the one that was valid on a day.
#[derive(Debug)]
pub struct ValidPlan {
    /// The day, of this table, and how it is written.
    pub on: (Input, DateFormat),
    /// The first day, of the other table.
    pub from: (Input, DateFormat),
    /// The last day, of the other table.
    pub to: (Input, DateFormat),
    /// Whether `to` is the first day that no longer counts.
    pub exclusive: bool,
}

impl Reshape {
    /// How many rows a record may become.
    #[must_use]
    pub fn rows_per_record(&self) -> usize {
        self.repeat.len().max(1)
    }

    /// What the layout of `table` asks for, apart from joins; none for a table whose records are its rows.
    pub(super) fn of(table: &Table, mapping: &Mapping, style: super::number::NumberStyle) -> Option<Self> {
        let base = base_of(table, mapping);
        let mut reshape = Self { style, ..Self::default() };
        reshape.control.clone_from(&base.layout.control);
        reshape.types = types_of(base, mapping);
        if table.layout.of.is_some() {
            // The base counts and checks; here are rows made of its records.
            if let Some(control) = &mut reshape.control {
                (control.count, control.sums) = (None, Vec::new());
            }
            if let Some(types) = &mut reshape.types {
                types.takes_rest = false;
            }
        }
        for group in &table.layout.repeat {
            reshape.repeated = group.iter().map(|(name, _)| name.clone()).collect();
            reshape.repeat.push(group.iter().map(|(_, cell)| cell.clone()).collect());
        }
        let plain = reshape.control.is_none() && reshape.types.is_none() && table.layout.of.is_none();
        (!plain).then_some(reshape)
    }
}

/// The table whose files `table` reads.
pub(super) fn base_of<'m>(table: &'m Table, mapping: &'m Mapping) -> &'m Table {
    table.layout.of.as_ref().and_then(|(name, _)| mapping.tables.get(name)).unwrap_or(table)
}

/// The tables that read the files of `table` by their types, `table` among them, by name.
fn sharing<'m>(table: &'m Table, mapping: &'m Mapping) -> impl Iterator<Item = &'m Table> {
    mapping.tables.values().filter(|other| other.layout.of.is_none() && other.files == table.files)
}

fn types_of(base: &Table, mapping: &Mapping) -> Option<TypesPlan> {
    let types = base.layout.types.as_ref()?;
    let known = sharing(base, mapping).filter_map(|other| other.layout.types.as_ref()).flat_map(|types| &types.texts);
    Some(TypesPlan {
        column: types.column.clone(),
        own: types.texts.clone(),
        known: known.cloned().collect(),
        takes_rest: sharing(base, mapping).next().is_some_and(|first| first.name == base.name),
        span: types.span.clone(),
    })
}

/// Tells what is wrong with the layouts of the tables, each and beside each other.
pub(super) fn check(mapping: &Mapping, problems: &mut Problems) {
    for table in mapping.tables.values() {
        let layout = &table.layout;
        if let Some((name, span)) = &layout.of {
            match mapping.tables.get(name) {
                None => {
                    let help = did_you_mean(name, mapping.tables.keys().map(String::as_str));
                    problems.add(span, format!("no table `{name}` in this mapping"), help);
                }
                Some(base) if base.layout.of.is_some() => {
                    let message = format!("the rows of `{name}` are made of another table's records themselves");
                    problems.add(span, message, Some("name the table with the files".into()));
                }
                Some(_) => {}
            }
            if !layout.header.is_empty() || layout.types.is_some() {
                let message = format!("`header` and `records` are those of table `{name}`");
                problems.add(&table.span, message, None);
            }
            continue;
        }
        check_names(table, problems);
        if layout.header.is_empty() && layout.control.as_ref().is_some_and(|control| control.header.is_some()) {
            let message = "a header record stands where the files would name their columns";
            let help = format!("name the cells by position: [tables.{}] header = [\"…\"]", table.name);
            problems.add(&table.span, message, Some(help));
        }
        if let Some(types) = &layout.types {
            for other in sharing(table, mapping).filter(|other| other.name != table.name) {
                check_beside(table, types, other, problems);
            }
        }
    }
}

/// The names that a table's layout uses are names of its header, where the mapping says which there are.
fn check_names(table: &Table, problems: &mut Problems) {
    let header = &table.layout.header;
    if header.is_empty() {
        return;
    }
    let types = table.layout.types.iter().map(|types| (&types.column, &types.span));
    let sums = table.layout.control.iter().flat_map(|control| &control.sums).map(|sum| (&sum.column, &sum.span));
    for (name, span) in types.chain(sums).filter(|(name, _)| !header.contains(name)) {
        let help = did_you_mean(name, header.iter().map(String::as_str));
        problems.add(span, format!("`header` has no column `{name}`"), help);
    }
}

/// Two tables that read the same files cut them alike, and no record is both's.
fn check_beside(table: &Table, types: &super::layout::Types, other: &Table, problems: &mut Problems) {
    let Some(others) = &other.layout.types else {
        let message = format!("table `{}` reads the same files, and takes records of every type", other.name);
        let help = format!("say which: [tables.{}] records = {{ {} = \"…\" }}", other.name, types.column);
        return problems.add(&types.span, message, Some(help));
    };
    let place = |table: &Table, column: &str| table.layout.header.iter().position(|name| name == column);
    // A name that is not in the header is told of where it stands.
    let places = place(table, &types.column).zip(place(other, &others.column));
    if places.is_some_and(|(own, others)| own != others) {
        let message = format!("table `{}` looks for the type of the same records in another cell", other.name);
        problems.add(&types.span, message, None);
    }
    if table.dialect != other.dialect || table.layout.control.is_some() != other.layout.control.is_some() {
        let message = format!("table `{}` reads the same files, and cuts them in another way", other.name);
        let help = "say how files are cut in [defaults], once";
        problems.add(&types.span, message, Some(help.into()));
    }
    if let Some(both) = types.texts.iter().find(|text| others.texts.contains(text)) {
        let message = format!("records of type `{both}` are taken by table `{}` as well", other.name);
        let help = "a table with `of` makes further rows of the same records";
        problems.add(&types.span, message, Some(help.into()));
    }
}
