//! The lines of an entity: for each field of the target the column whose name says most that it is meant, if its values
//! can be what the field takes; lookups for codes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::{MAYBE, MEANT, likeness, nearest};
use super::tables::{Entity, Table};
use crate::contract::{Contract, Field, Format, Kind, ValueList};
use crate::mapping::coverage::{PLACEHOLDER, describe};
use crate::profile::{Column, ColumnType};

/// The lines of one entity.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// `field = …`, in the order of the contract; some with a note behind.
    pub(super) lines: Vec<String>,
    /// What a person has to look at: required fields without a column, and columns that may fit.
    pub(super) todo: Vec<String>,
    /// Columns that a line uses.
    pub(super) used: Vec<String>,
}

/// Lookups, by name.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    files: BTreeMap<String, String>,
}

impl Lookups {
    pub(super) fn files(self) -> Vec<(String, String)> {
        self.files.into_iter().collect()
    }

    /// A lookup of the codes of `column` to `list`; gives its name.
    fn add(&mut self, table: &Table<'_>, column: &Column, list: &ValueList) -> String {
        let plain: String =
            column.name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let name = if self.files.contains_key(&plain) { format!("{}_{plain}", table.name) } else { plain };
        let mut text = "code,value,note\n".to_owned();
        for (code, cells) in column.codes.iter().flatten() {
            let value = value_for(code, list);
            let note = match &value {
                Some(_) => format!("guessed; in {cells} records"),
                None => format!("{PLACEHOLDER}: in {cells} records"),
            };
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{},{},{}", cell(code), cell(&value.unwrap_or_default()), cell(&note));
        }
        self.files.insert(name.clone(), text);
        name
    }
}

/// A cell of a lookup file.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The value of `list` that `code` says in so many words.
fn value_for(code: &str, list: &ValueList) -> Option<String> {
    let folded =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect::<String>();
    let same = list.values.iter().find(|value| !value.is_empty() && folded(value) == folded(code));
    let starts = || {
        let mut begin = list.values.iter().filter(|value| folded(value).starts_with(&folded(code)));
        begin.next().filter(|_| begin.next().is_none())
    };
    let near = || if code.len() > 3 { list.nearest(code) } else { None };
    same.or_else(starts).map(String::as_str).or_else(near).map(str::to_owned)
}

/// The fields of the objects at `path` that a cell can be written to, objects within them included.
pub(super) fn fields<'c>(contract: &'c Contract, path: &str) -> Vec<&'c Field> {
    let mut fields = Vec::new();
    for field in contract.children(path).filter(|field| !field.deprecated) {
        match field.kind {
            Kind::Object => fields.extend(self::fields(contract, &field.path)),
            Kind::ObjectList | Kind::TextList | Kind::Any => {}
            _ => fields.push(field),
        }
    }
    fields
}

/// Whether what `column` holds can be what `field` takes.
fn can_be(column: &Column, field: &Field) -> bool {
    use ColumnType::{Code, Date, DateTime, Decimal, Digits, Empty, Flag, Integer, Text, Time};
    match (field.kind, field.format) {
        (Kind::Boolean, _) => column.kind == Flag,
        (Kind::Integer, _) => matches!(column.kind, Integer | Digits),
        (_, Some(Format::Date)) => column.kind == Date,
        (_, Some(Format::DateTime)) => matches!(column.kind, Date | DateTime),
        (_, Some(Format::Decimal)) => matches!(column.kind, Decimal | Integer),
        (_, Some(Format::Time)) => column.kind == Time,
        _ if closed_list(field).is_some() => {
            column.codes.is_some() && !matches!(column.kind, Empty | Date | DateTime | Decimal)
        }
        _ => matches!(column.kind, Integer | Digits | Code | Text | Flag),
    }
}

/// The list of values of the contract's own that `field` is closed by, in some variant.
fn closed_list(field: &Field) -> Option<&ValueList> {
    let mut lists = field.variants.iter().filter_map(|variant| variant.constraint.values.as_deref());
    lists.find(|list| !list.tenant_list)
}

/// The lines of `entity`.
pub(super) fn body(entity: &Entity, table: &Table<'_>, contract: &Contract, lookups: &mut Lookups) -> Body {
    let fields = fields(contract, &entity.path);
    let below = |field: &Field| field.path[entity.path.len()..].trim_start_matches('.').to_owned();
    let free = |column: &&Column| entity.parent.as_ref() != Some(&column.name) && !entity.taken.contains(&column.name);
    let mut pairs: Vec<(f64, usize, &Column)> = Vec::new();
    for (number, field) in fields.iter().enumerate() {
        for column in table.records.columns.iter().filter(free).filter(|column| can_be(column, field)) {
            let near = likeness(&column.name, &below(field)).max(likeness(&column.name, field.leaf()) * 0.98);
            if near >= MAYBE {
                pairs.push((near, number, column));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, &a.2.name).cmp(&(b.1, &b.2.name))));
    let mut chosen: BTreeMap<usize, &Column> = BTreeMap::new();
    let mut body = Body::default();
    for (near, number, column) in &pairs {
        if *near >= MEANT && !chosen.contains_key(number) && !body.used.contains(&column.name) {
            chosen.insert(*number, column);
            body.used.push(column.name.clone());
        }
    }
    if entity.path.is_empty() {
        name_the_account(table, &fields, &mut chosen, &mut body);
    }
    for (number, field) in fields.iter().enumerate() {
        let target = below(field);
        if let Some(column) = chosen.get(&number) {
            body.lines.push(format!("{} = {}", key(&target), line(column, field, table, lookups)));
            continue;
        }
        let is_required = field.variants.iter().any(|variant| variant.constraint.required);
        let left = table.records.columns.iter().filter(free).filter(|column| !body.used.contains(&column.name));
        let near =
            nearest(field.leaf(), left.filter(|column| can_be(column, field)).map(|column| column.name.as_str()));
        let may_be = if near.is_empty() { String::new() } else { format!("; perhaps {}", near.join(" or ")) };
        if is_required && !is_constant(&target, entity) && !target.contains('.') {
            body.todo.push(format!("{PLACEHOLDER} {target} is required: {}{may_be}", describe(field)));
        } else if !near.is_empty() {
            body.todo.push(format!("perhaps {} = {}", key(&target), quoted(near[0])));
        }
    }
    body
}

fn is_constant(target: &str, entity: &Entity) -> bool {
    entity.path.is_empty() && target == "import_supplier"
}

/// An account is known by its supplier, which somebody must say, and by its number, the key of its table.
fn name_the_account<'t>(
    table: &'t Table<'_>,
    fields: &[&Field],
    chosen: &mut BTreeMap<usize, &'t Column>,
    body: &mut Body,
) {
    let at = |path: &str| fields.iter().position(|field| field.path == path);
    if let Some(number) = at("import_supplier") {
        chosen.remove(&number);
        body.lines.push(format!("import_supplier = {{ value = {} }}", quoted(PLACEHOLDER)));
    }
    let key = table.key.first().or_else(|| table.records.columns.first().map(|column| &column.name));
    let column = table.records.columns.iter().find(|column| Some(&column.name) == key);
    if let (Some(number), Some(column)) = (at("external_account_number"), column) {
        chosen.entry(number).or_insert(column);
        body.used.push(column.name.clone());
    }
}

/// What stands behind `field =`.
fn line(column: &Column, field: &Field, table: &Table<'_>, lookups: &mut Lookups) -> String {
    let name = quoted(&column.name);
    let format = column.format.map_or_else(String::new, |format| format!(", format = {}", quoted(format)));
    match (field.kind, field.format) {
        (Kind::Boolean | Kind::Integer, _) => name,
        (_, Some(Format::Date)) => format!("{{ column = {name}, as = \"date\"{format} }}"),
        (_, Some(Format::DateTime)) if column.kind == ColumnType::Date => {
            format!("{{ column = {name}, as = \"date\"{format} }}")
        }
        (_, Some(Format::DateTime)) => format!("{{ column = {name}, as = \"datetime\"{format} }}"),
        (_, Some(Format::Decimal)) if is_money(field) => {
            let (unit, note) = match column.kind {
                ColumnType::Integer => ("pence", " # whole numbers: are they pence?"),
                _ => ("pounds", ""),
            };
            format!("{{ column = {name}, as = \"money\", unit = \"{unit}\"{} }}{note}", number_style(column))
        }
        (_, Some(Format::Decimal)) if !number_style(column).is_empty() => {
            format!("{{ column = {name}, as = \"decimal\"{} }}", number_style(column))
        }
        (_, Some(Format::Decimal)) => name,
        _ => match closed_list(field) {
            Some(list) if !column.codes.iter().flatten().all(|(code, _)| list.contains(code)) => {
                format!("{{ column = {name}, lookup = {} }}", quoted(&lookups.add(table, column, list)))
            }
            _ => name,
        },
    }
}

/// What a line says about a number that is not written as `-1.50`.
fn number_style(column: &Column) -> String {
    let mut style = String::new();
    if column.habits.contains(&"decimal comma") {
        style.push_str(", decimal = \",\"");
    }
    if column.habits.contains(&"minus behind") {
        style.push_str(", sign = \"trailing\"");
    }
    style
}

fn is_money(field: &Field) -> bool {
    ["amount", "balance", "debt", "credit", "price", "charge"].iter().any(|word| field.leaf().contains(word))
}

/// `text` as a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key of TOML: quoted where it must be.
pub(super) fn key(text: &str) -> String {
    let is_bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { text.to_owned() } else { quoted(text) }
}
