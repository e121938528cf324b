//! From the text of `mapping.toml` to [`Mapping`]: keys and shapes. Names are resolved later, in [`super::plan`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::document::{Fields, Node, Problem, Problems, did_you_mean};
use super::layout::{Control, read_control, read_dialect, read_layout};
use super::lookup::Lookup;
use super::model::{Dialect, Entity, Field, Line, Mapping, OnLost, OrderBy, Rest, Span, StyleKeys, Table};
use super::read_line::{conditions, read_line, read_style, read_valid};
use super::value::DateFormat;
use crate::contract::Contract;

/// What `[defaults]` says; every line may override it.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// chrono format of dates.
    pub date: String,
    /// chrono format of dates with a time.
    pub datetime: String,
    /// Zone of local times.
    pub zone: String,
    /// Texts of flags.
    pub bool: Vec<(String, bool)>,
    /// How numbers are written.
    pub style: StyleKeys,
    /// How text is cut into records and cells.
    pub dialect: Dialect,
    /// The records that frame the others.
    pub control: Option<Control>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            date: "%Y-%m-%d".into(),
            datetime: "%Y-%m-%dT%H:%M:%S".into(),
            zone: "Europe/London".into(),
            bool: vec![("true".into(), true), ("false".into(), false)],
            style: StyleKeys::default(),
            dialect: Dialect::default(),
            control: None,
        }
    }
}

/// Reads `directory/mapping.toml` and the lookups it names.
pub fn read(directory: &Path, contract: &Contract) -> Result<(Mapping, Defaults), Vec<Problem>> {
    let file = directory.join("mapping.toml");
    let text = std::fs::read_to_string(&file).map_err(|error| {
        let mut problems = Problems::new(&file, "");
        problems.add(
            &(0..0),
            format!("the mapping cannot be read: {error}"),
            Some("name the directory that holds mapping.toml".into()),
        );
        problems.into_sorted()
    })?;
    read_text(directory, &file, &text, contract)
}

/// Reads the mapping `text` as if it stood in `file`; lookups are looked for in `directory/lookups`.
pub fn read_text(
    directory: &Path,
    file: &Path,
    text: &str,
    contract: &Contract,
) -> Result<(Mapping, Defaults), Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            problems.add(&error.span().unwrap_or(0..0), error.message().to_owned(), None);
            return Err(problems.into_sorted());
        }
    };
    let mut root = Fields::new(document.get_ref(), 0..0);
    let defaults = root.get("defaults").map_or_else(Defaults::default, |node| read_defaults(node, &mut problems));
    let mut mapping = Mapping {
        directory: directory.to_owned(),
        file: file.to_owned(),
        text: text.into(),
        tables: BTreeMap::new(),
        entities: Vec::new(),
        lookups: BTreeMap::new(),
    };
    if let Some(node) = root.require("tables", &mut problems) {
        for (name, span, node) in node.entries(&mut problems) {
            if let Some(table) = read_table(name, span, node, &defaults, &mut problems) {
                mapping.tables.insert(name.to_owned(), table);
            }
        }
    }
    if let Some(node) = root.require("account", &mut problems) {
        mapping.entities.extend(read_entity("", node, &[], &mut problems));
    }
    if let Some(node) = root.get("entity") {
        for (path, span, node) in node.entries(&mut problems) {
            if contract.field(path).is_none() {
                let help = contract.nearest(path).map(|near| format!("did you mean `{near}`?"));
                problems.add(&span, format!("the contract has no `{path}`"), help);
                continue;
            }
            match read_entity(path, node, &mapping.entities, &mut problems) {
                Some(entity) if mapping.entities.iter().any(|known| known.path == entity.path) => {
                    problems.add(&span, format!("entity `{path}` stands twice"), None);
                }
                entity => mapping.entities.extend(entity),
            }
        }
    }
    root.finish(&mut problems);
    read_lookups(&mut mapping, &mut problems);
    if problems.is_empty() { Ok((mapping, defaults)) } else { Err(problems.into_sorted()) }
}

fn read_defaults(node: Node<'_>, problems: &mut Problems) -> Defaults {
    let mut defaults = Defaults::default();
    let Some(mut fields) = node.table(problems) else { return defaults };
    // What is wrong here is told here, once, and not at every line that falls back on it.
    let mut text = |key, into: &mut String, check: &dyn Fn(&str) -> Result<(), String>| {
        let Some(node) = fields.get(key) else { return };
        let span = node.span();
        let Some(value) = node.str(problems) else { return };
        match check(value) {
            Ok(()) => value.clone_into(into),
            Err(message) => problems.add(&span, message, None),
        }
    };
    text("date", &mut defaults.date, &|text| DateFormat::new(text, false).map(drop));
    text("datetime", &mut defaults.datetime, &|text| DateFormat::new(text, true).map(drop));
    text("zone", &mut defaults.zone, &|text| {
        let zone = text.parse::<chrono_tz::Tz>();
        zone.map(drop).map_err(|_| format!("`{text}` is no time zone (an example: Europe/London)"))
    });
    if let Some(node) = fields.get("bool") {
        defaults.bool = node
            .entries(problems)
            .into_iter()
            .filter_map(|(text, _, value)| Some((text.to_owned(), value.bool(problems)?)))
            .collect();
    }
    defaults.style = read_style(&mut fields, problems);
    defaults.dialect = read_dialect(&mut fields, &defaults.dialect, problems);
    defaults.control = fields.get("control").and_then(|node| read_control(node, problems));
    fields.finish(problems);
    defaults
}

fn read_table(name: &str, span: Span, node: Node<'_>, defaults: &Defaults, problems: &mut Problems) -> Option<Table> {
    let mut fields = node.table(problems)?;
    let layout = read_layout(&mut fields, defaults.control.as_ref(), problems);
    let files = match &layout.of {
        Some(_) => String::new(),
        None => fields.require("files", problems)?.str(problems)?.to_owned(),
    };
    let key = fields.get("key").map_or_else(Vec::new, |node| names(node, problems));
    let mut columns = BTreeMap::new();
    if let Some(node) = fields.get("columns") {
        for (column, span, node) in node.entries(problems) {
            if let Some(mut line) = read_line(node, Some(column), problems) {
                if !line.when.is_empty() {
                    problems.add(
                        &span,
                        "a declared column has no `when`",
                        Some("put `when` on the field's line".into()),
                    );
                }
                line.span = span;
                columns.insert(column.to_owned(), line);
            }
        }
    }
    let on_lost = choice(fields.get("on_lost"), &[("report", OnLost::Report), ("stop", OnLost::Stop)], problems);
    let rest = choice(fields.get("rest"), &[("finding", Rest::Finding), ("filtered", Rest::Filtered)], problems);
    let unused = fields.get("unused").map_or_else(Vec::new, |node| names(node, problems));
    let mut dialect = read_dialect(&mut fields, &defaults.dialect, problems);
    dialect.multiline = fields.get("multiline").map_or_else(Vec::new, |node| names(node, problems));
    fields.finish(problems);
    Some(Table {
        name: name.to_owned(),
        files,
        dialect,
        layout,
        key,
        columns,
        unused,
        on_lost: on_lost.unwrap_or_default(),
        rest: rest.unwrap_or_default(),
        span,
    })
}

fn read_entity(path: &str, node: Node<'_>, known: &[Entity], problems: &mut Problems) -> Option<Entity> {
    let mut fields = node.table(problems)?;
    let base = match fields.get("like") {
        Some(node) => {
            let name = node.str(problems)?;
            let found = known.iter().find(|entity| entity.path == name && !name.is_empty());
            if found.is_none() {
                let help = did_you_mean(name, known.iter().map(|entity| entity.path.as_str()))
                    .or_else(|| Some("`like` names an entity that stands above".into()));
                problems.add(&node.span(), format!("no entity `{name}` stands above this one"), help);
                return None;
            }
            found
        }
        None => None,
    };
    let table = match (fields.get("table"), base) {
        (Some(node), _) => (node.str(problems)?.to_owned(), node.span()),
        (None, Some(base)) => base.table.clone(),
        (None, None) => {
            problems.add(
                &fields.span(),
                "`table` is missing here",
                Some("name the table whose records become this entity".into()),
            );
            return None;
        }
    };
    let parent = inherit(fields.get("parent").map(|node| names(node, problems)), base.map(|b| &b.parent));
    let valid = fields
        .get("valid")
        .and_then(|node| read_valid(node, problems))
        .or_else(|| base.and_then(|base| base.valid.clone()));
    let filter = inherit(fields.get("where").map(|node| conditions(node, problems)), base.map(|b| &b.filter));
    let order = inherit(fields.get("order").map(|node| read_order(node, problems)), base.map(|b| &b.order));
    let mut lines = base.map_or_else(Vec::new, |base| base.fields.clone());
    if let Some(node) = fields.get("fields") {
        for (target, span, node) in node.entries(problems) {
            let field = Field { target: target.to_owned(), lines: read_lines(node, problems), span };
            match lines.iter_mut().find(|known| known.target == field.target) {
                Some(known) => *known = field,
                None => lines.push(field),
            }
        }
    }
    let value = match fields.get("value") {
        Some(node) => Some(read_lines(node, problems)),
        None => base.and_then(|base| base.value.clone()),
    };
    if value.is_some() != lines.is_empty() {
        problems.add(&fields.span(), "an entity has either `fields` or, for a list of scalars, `value`", None);
    }
    let span = fields.span();
    fields.finish(problems);
    Some(Entity { path: path.to_owned(), table, parent, valid, filter, order, fields: lines, value, span })
}

fn inherit<T: Clone>(own: Option<Vec<T>>, base: Option<&Vec<T>>) -> Vec<T> {
    own.or_else(|| base.cloned()).unwrap_or_default()
}

fn read_order(node: Node<'_>, problems: &mut Problems) -> Vec<OrderBy> {
    let mut order = Vec::new();
    for item in node.list(problems) {
        if item.is_str() {
            let column = item.str(problems).unwrap_or_default().to_owned();
            order.push(OrderBy { column, descending: false, span: item.span() });
        } else if let Some(mut fields) = item.table(problems) {
            let column = fields.require("column", problems).and_then(|node| node.str(problems));
            let descending = fields.get("desc").and_then(|node| node.bool(problems)).unwrap_or(false);
            if let Some(column) = column {
                order.push(OrderBy { column: column.to_owned(), descending, span: item.span() });
            }
            fields.finish(problems);
        }
    }
    order
}

fn read_lines(node: Node<'_>, problems: &mut Problems) -> Vec<Line> {
    if node.is_array() {
        if node.list(problems).is_empty() {
            problems.add(&node.span(), "a field needs one line at least", None);
        }
        node.list(problems).into_iter().filter_map(|item| read_line(item, None, problems)).collect()
    } else {
        read_line(node, None, problems).into_iter().collect()
    }
}

pub(super) fn names(node: Node<'_>, problems: &mut Problems) -> Vec<(String, Span)> {
    if node.is_str() {
        return spanned(Some(node), problems).into_iter().collect();
    }
    node.list(problems).into_iter().filter_map(|item| spanned(Some(item), problems)).collect()
}

pub(super) fn spanned(node: Option<Node<'_>>, problems: &mut Problems) -> Option<(String, Span)> {
    let node = node?;
    Some((node.str(problems)?.to_owned(), node.span()))
}

pub(super) fn choice<T: Copy>(node: Option<Node<'_>>, known: &[(&str, T)], problems: &mut Problems) -> Option<T> {
    let node = node?;
    let text = node.str(problems)?;
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let help = did_you_mean(text, names.iter().copied());
        problems.add(&node.span(), format!("expected one of {}, found `{text}`", names.join(", ")), help);
    }
    found
}

fn read_lookups(mapping: &mut Mapping, problems: &mut Problems) {
    let columns = mapping.tables.values().flat_map(|table| table.columns.values());
    let fields = mapping
        .entities
        .iter()
        .flat_map(|entity| entity.fields.iter().flat_map(|field| &field.lines).chain(entity.value.iter().flatten()));
    let mut wanted: BTreeMap<String, Span> = BTreeMap::new();
    for (name, span) in columns.chain(fields).filter_map(|line| line.lookup.clone()) {
        wanted.entry(name).or_insert(span);
    }
    let folder: PathBuf = mapping.directory.join("lookups");
    for (name, span) in wanted {
        let path = folder.join(format!("{name}.csv"));
        if !path.is_file() {
            let known: Vec<String> = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
                .collect();
            let help = did_you_mean(&name, known.iter().map(String::as_str));
            problems.add(&span, format!("no lookup `{name}`: there is no file {}", path.display()), help);
            continue;
        }
        let mut found = Vec::new();
        if let Some(lookup) = Lookup::read(&name, &path, &mut found) {
            mapping.lookups.insert(name, Arc::new(lookup));
        }
        for problem in found {
            problems.push(problem);
        }
    }
}
