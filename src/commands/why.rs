//! `slipway show ACCOUNT --why PATH`: one value of a payload, back to its cell.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::Serialize;

use crate::account::AccountKey;
use crate::assemble::Value;
use crate::config::Project;
use crate::contract::Contract;
use crate::error::Error;
use crate::extract;
use crate::finding::{Cell, shape};
use crate::ledger::Ledger;
use crate::mapping::lines::FieldLine;
use crate::mapping::{self, model::Mapping};
use crate::stage::Storage;

use super::trace::{follow, visit_accounts};

/// A record that goes on for more lines than this is not read to its end.
const LINES_MAX: usize = 1000;

/// Where a value comes from. Values are shapes unless asked for.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    path: String,
    /// The value in the payload; none: there is none.
    value: Option<String>,
    mapping: Vec<Step>,
    cells: Vec<Step>,
    lookup: Option<Step>,
}

/// One place on the way, and what stands there.
#[derive(Debug, Serialize)]
struct Step {
    place: String,
    text: String,
}

impl Why {
    /// Traces the value at `path` of the account `key`.
    pub(super) fn of(
        project: &Project,
        ledger: &Ledger,
        key: &AccountKey,
        path: &str,
        show_values: bool,
    ) -> Result<Self, Error> {
        let contract = Contract::load(&project.target.contract)?;
        let mapping = mapping::read::read(&project.source.mapping, &contract).map_err(Error::Mapping)?.0;
        let masked = |text: &str| if show_values { text.to_owned() } else { shape(text) };
        let mut why = None;
        visit_accounts(project, ledger, std::iter::once(key.clone()), Storage::Memory, &mut |_, account, schema| {
            let found = follow(account, schema, path);
            let value = found.field.and_then(|field| text_of(found.row.value(field)));
            why = Some((found.cells(), found.row.path(found.field), value, found.beyond));
        })?;
        let (cells, full, value, beyond) = why.ok_or_else(|| Error::Usage {
            problem: format!("the extract has no account {key}"),
            hint: Some("the ledger knows it from an earlier build".to_owned()),
        })?;
        let lines = mapping.lines_of(&without_positions(path));
        if lines.is_empty() {
            return Err(nothing_written(&contract, path));
        }
        if let Some((list, rows)) = beyond {
            return Err(Error::Usage {
                problem: format!("account {} has {rows} of `{list}`, and nothing at `{path}`", key.number),
                hint: (rows > 0).then(|| "positions are counted from 0".to_owned()),
            });
        }
        // Of several lines, the one that reads the very cell.
        let column = cells.first().and_then(|cell| cell.column.as_deref());
        let column = column.map(|column| column.rsplit_once(" [").map_or(column, |(name, _)| name));
        let line = lines.iter().find(|line| line.column.is_some() && line.column == column).or(lines.first());
        let directory = project.source.extracts.first();
        let raw = |cell: &Cell| directory.and_then(|directory| raw_text(&mapping, directory, cell));
        let code = cells.first().and_then(&raw);
        Ok(Self {
            value: value.as_deref().map(masked),
            mapping: line
                .iter()
                .map(|line| Step { place: line.place.to_string(), text: mapping.text_at(&line.place).to_owned() })
                .collect(),
            lookup: line.and_then(|line| looked_up(&mapping, line, &line.cut(code.as_deref()?)?)),
            cells: cells
                .iter()
                .map(|cell| Step {
                    place: cell.to_string(),
                    text: raw(cell).as_deref().map(masked).unwrap_or_default(),
                })
                .collect(),
            path: full,
        })
    }
}

/// Why a path that no line of the mapping writes leads to no value.
fn nothing_written(contract: &Contract, path: &str) -> Error {
    let plain = without_positions(path);
    let hint = match contract.children(&plain).next() {
        Some(field) => Some(format!("it is no value itself: name one of it, such as `{path}.{}`", field.leaf())),
        None => contract.nearest(&plain).filter(|near| *near != plain).map(|near| format!("did you mean `{near}`?")),
    };
    Error::Usage { problem: format!("the mapping writes nothing at `{path}`"), hint }
}

/// `customers.0.landline` → `customers.landline`.
fn without_positions(path: &str) -> String {
    path.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// The value as the payload has it; a fault or nothing: none.
fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Absent | Value::Faulty => None,
        Value::Text(text) => Some(text.to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Decimal(decimal) => Some(decimal.to_string()),
        Value::Date(date) => Some(date.to_string()),
        Value::DateTime(instant) => Some(instant.to_rfc3339()),
        Value::Bool(flag) => Some(flag.to_string()),
    }
}

/// The row of the lookup that `code` finds.
fn looked_up(mapping: &Mapping, line: &FieldLine<'_>, code: &str) -> Option<Step> {
    let (name, take) = line.lookup?;
    let lookup = mapping.lookups.get(name)?;
    let place = format!("lookups/{name}.csv");
    let text = match lookup.row(code.as_bytes()) {
        Some(row) => {
            let column = lookup.value_column(take)?;
            format!("{code} -> {}", lookup.rows.get(row as usize)?.get(column)?)
        }
        None => "no row has this code".to_owned(),
    };
    Some(Step { place, text })
}

/// The text of a cell as its file has it; none if the file can't be read as the mapping says.
fn raw_text(mapping: &Mapping, directory: &Path, cell: &Cell) -> Option<String> {
    let column = cell.column.as_deref()?;
    let table = mapping
        .tables
        .values()
        .find(|table| glob::Pattern::new(&table.files).is_ok_and(|pattern| pattern.matches(&cell.file)))?;
    let text = extract::open_text(&directory.join(&*cell.file), &table.dialect).ok()?;
    let mut lines = BufReader::new(text).split(b'\n');
    let place = column.strip_suffix(']').and_then(|column| column.rsplit_once(" [")?.1.parse::<usize>().ok());
    let by_position = place.filter(|_| !table.layout.header.is_empty());
    let mut record = Vec::new();
    if by_position.is_none() {
        record.extend(lines.next()?.ok()?);
        record.push(b'\n');
    }
    let before = if by_position.is_none() { 2 } else { 1 };
    // A quoted cell may go on in further lines.
    for line in lines.skip(cell.line.checked_sub(before)? as usize).take(LINES_MAX) {
        record.extend(line.ok()?);
        record.push(b'\n');
        if table.dialect.multiline.is_empty() {
            break;
        }
    }
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(table.dialect.delimiter).flexible(true).has_headers(by_position.is_none());
    match table.dialect.quote {
        Some(quote) => reader.quote(quote),
        None => reader.quoting(false),
    };
    let mut reader = reader.from_reader(record.as_slice());
    let at = if let Some(place) = by_position {
        place.checked_sub(1)?
    } else {
        let is_column = |name: &[u8]| name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name) == column.as_bytes();
        reader.byte_headers().ok()?.iter().position(is_column)?
    };
    let first = reader.byte_records().next()?.ok()?;
    Some(String::from_utf8_lossy(first.get(at)?).into_owned())
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path, self.value.as_deref().unwrap_or("(none)"))?;
        let steps = self.mapping.iter().map(|step| ("mapping", step));
        let steps = steps.chain(self.lookup.iter().map(|step| ("lookup", step)));
        for (name, Step { place, text }) in steps.chain(self.cells.iter().map(|step| ("cell", step))) {
            write!(f, "\n{name:<8} {place}  {text}")?;
        }
        Ok(())
    }
}
