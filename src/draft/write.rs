//! The draft as a file that a reviewer reads from top to bottom.

use std::fmt::Write as _;

use super::lines::{Body, key, quoted};
use super::tables::{Entity, Table};
use crate::profile::{Column, ColumnType, Profile};

/// The text of `mapping.toml`.
pub(super) fn mapping(
    profile: &Profile,
    tables: &[Table<'_>],
    entities: &[Entity],
    bodies: &[Body],
    left: &[String],
) -> String {
    let mut text = "#:schema ../../schema/mapping.json\n\
        # Drafted from the names, shapes and keys of the extract: every line is a guess until somebody has read it.\n\
        # `slipway lint` says what is left to do, what matters most first.\n"
        .to_owned();
    for file in left {
        put(&mut text, &format!("# TODO not used yet: {file}"));
    }
    put(&mut text, "");
    defaults(&mut text, profile);
    let used = |number: usize| entities.iter().any(|entity| entity.table == number);
    for (number, table) in tables.iter().enumerate().filter(|(number, _)| used(*number)) {
        let own = entities.iter().zip(bodies).filter(|(entity, _)| entity.table == number);
        let lines: Vec<&String> = own.flat_map(|(entity, body)| body.used.iter().chain(&entity.parent)).collect();
        write_table(&mut text, table, &lines);
    }
    for (_, table) in tables.iter().enumerate().filter(|(number, _)| !used(*number)) {
        put(&mut text, "");
        write_unused(&mut text, table);
    }
    for (entity, body) in entities.iter().zip(bodies) {
        write_entity(&mut text, entity, &tables[entity.table], body);
    }
    text
}

/// Writing into a text cannot fail.
fn put(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}

fn columns(profile: &Profile) -> impl Iterator<Item = &Column> {
    profile.files.iter().flat_map(|file| &file.record_types).flat_map(|records| &records.columns)
}

/// `[defaults]`: the commonest way of writing dates, and the texts of flags.
fn defaults(text: &mut String, profile: &Profile) {
    let mut formats: Vec<(&str, usize)> = Vec::new();
    for format in columns(profile).filter(|column| column.kind == ColumnType::Date).filter_map(|column| column.format) {
        match formats.iter_mut().find(|(known, _)| *known == format) {
            Some((_, count)) => *count += 1,
            None => formats.push((format, 1)),
        }
    }
    let commonest = formats.iter().max_by_key(|(format, count)| (*count, std::cmp::Reverse(*format)));
    let mut flags: Vec<&str> = columns(profile)
        .filter(|column| column.kind == ColumnType::Flag)
        .flat_map(|column| column.codes.iter().flatten().map(|(code, _)| code.as_str()))
        .collect();
    flags.sort_unstable();
    flags.dedup();
    put(text, "[defaults]");
    if let Some((format, _)) = commonest {
        put(text, &format!("date = {}", quoted(format)));
    }
    if !flags.is_empty() {
        let is_yes = |flag: &str| ["Y", "YES", "TRUE", "T", "1", "J", "ON"].contains(&flag.to_uppercase().as_str());
        let told: Vec<String> = flags.iter().map(|flag| format!("{} = {}", key(flag), is_yes(flag))).collect();
        put(text, &format!("bool = {{ {} }}", told.join(", ")));
    }
}

/// A table that no entity is made of yet, to be uncommented: what is known of it is not to be found out twice.
fn write_unused(text: &mut String, table: &Table<'_>) {
    let mut told = String::new();
    write_table(&mut told, table, &[]);
    for reference in super::tables::references(table) {
        put(&mut told, &format!("# {reference}"));
    }
    for line in told.lines().filter(|line| !line.is_empty()) {
        put(text, &format!("# {line}"));
    }
}

fn write_table(text: &mut String, table: &Table<'_>, used: &[&String]) {
    put(text, &format!("\n[tables.{}]", key(&table.name)));
    put(text, &format!("files = {}", quoted(&table.files)));
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if !table.file.header {
        let names: Vec<String> = table.records.columns.iter().map(|column| column.name.clone()).collect();
        put(text, &format!("header = [{}] # TODO the file has none: name them", list(&names)));
    }
    if let (Some(kind), Some(first)) = (&table.records.name, table.records.columns.first()) {
        put(text, &format!("records = {{ {} = {} }}", key(&first.name), quoted(kind)));
    }
    let closed = table.file.controls.iter().find(|name| name.starts_with(['T', 'E']));
    let header = table.file.controls.iter().find(|name| name.starts_with('H'));
    let frame: Vec<String> = [("header", header), ("trailer", closed)]
        .into_iter()
        .filter_map(|(what, name)| Some(format!("{what} = {}", quoted(name?))))
        .collect();
    if !frame.is_empty() {
        put(text, &format!("control = {{ {} }}", frame.join(", ")));
    }
    if table.key.is_empty() {
        put(text, "# TODO no columns were found that name a record: key = [\"…\"]");
    } else {
        put(text, &format!("key = [{}]", list(&table.key)));
    }
    let file = table.file;
    if file.delimiter != ',' {
        put(text, &format!("delimiter = {}", quoted(&file.delimiter.to_string())));
    }
    if file.quote.is_none() {
        put(text, "quote = false");
    }
    if file.encoding != "UTF-8" {
        put(text, &format!("encoding = {}", quoted(&file.encoding.to_lowercase())));
    }
    let of = |holds: &dyn Fn(&Column) -> bool| {
        table
            .records
            .columns
            .iter()
            .filter(|column| holds(column))
            .map(|column| column.name.clone())
            .collect::<Vec<_>>()
    };
    let breaks = of(&|column| column.habits.contains(&"line breaks"));
    if !breaks.is_empty() {
        put(text, &format!("multiline = [{}]", list(&breaks)));
    }
    if !of(&|column| column.padded > 0).is_empty() {
        put(text, "trim = true");
    }
    let is_used = |column: &Column| used.contains(&&column.name) || table.key.contains(&column.name);
    let empty = of(&|column| column.kind == ColumnType::Empty && !is_used(column));
    if !empty.is_empty() {
        put(text, &format!("unused = [{}] # no record has anything there", list(&empty)));
    }
    let idle = of(&|column| column.kind != ColumnType::Empty && !is_used(column));
    if !idle.is_empty() {
        put(text, &format!("# no line uses {} yet", idle.join(", ")));
    }
    let numbers = table
        .records
        .columns
        .iter()
        .filter(|column| column.kind == ColumnType::Integer && table.key.contains(&column.name));
    let numbers: Vec<&Column> = numbers.collect();
    if !numbers.is_empty() {
        put(text, &format!("[tables.{}.columns]", key(&table.name)));
        for column in numbers {
            put(text, &format!("{} = {{ as = \"integer\" }}", key(&column.name)));
        }
    }
}

fn write_entity(text: &mut String, entity: &Entity, table: &Table<'_>, body: &Body) {
    let block = if entity.path.is_empty() { "account".to_owned() } else { format!("entity.{}", quoted(&entity.path)) };
    put(text, &format!("\n[{block}]"));
    put(text, &format!("table = {}", quoted(&table.name)));
    if let Some(parent) = &entity.parent {
        put(text, &format!("parent = [{}]", quoted(parent)));
    }
    put(text, &format!("[{block}.fields]"));
    for line in &body.lines {
        put(text, line);
    }
    for todo in &body.todo {
        put(text, &format!("# {todo}"));
    }
}
