//! The contract's data files in the binary, and how they are read.
//!
//! Both are CSV and open with `# key: value` lines that name the contract, its version and its date and say how much
//! follows, so that a file cut short is noticed. The columns of the fields file:
//!
//! | column | holds |
//! | --- | --- |
//! | path | the field, without list marks and variants |
//! | variant | when the row holds: `node=VALUE` joined by `;`, alternatives joined by `\|`; blank: always |
//! | type, format | see [`Kind`] and [`Format`] |
//! | required, nullable, deprecated | `y` or blank |
//! | `min_length`, `max_length`, pattern, min, max, `min_items`, enum, default | see [`Constraint`]; enum names a list of the other file |
//! | `use_instead` | the path that takes a deprecated field's place |
//! | discriminator | the child field whose value picks the variant of this node |
//!
//! The enums file has a row for each value: the list's name, its owner (`platform` or `tenant`) and the value.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    Condition, Constraint, Contract, Discriminator, Edition, Field, Format, Kind, Pattern, ValueList, Variant,
};
use crate::account::Digest;

/// The name of the contract in the binary.
pub const BUILT_IN: &str = "edf-gb";

const FIELDS: Source = Source { file: "edf-gb-fields.csv", text: include_str!("data/edf-gb-fields.csv") };
const ENUMS: Source = Source { file: "edf-gb-enums.csv", text: include_str!("data/edf-gb-enums.csv") };

/// Why a contract can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// A row that can't be read.
    #[error("contract data {file}, line {line}: {problem}")]
    Row {
        /// The data file.
        file: String,
        /// The physical line, counted from 1.
        line: u64,
        /// What is wrong with it and what was expected.
        problem: String,
    },
    /// A document that can't be read.
    #[error("cannot read the contract {}", path.display())]
    Unreadable {
        /// The document.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A document that is no contract.
    #[error("{}:{line}: {problem}", path.display())]
    Document {
        /// The document.
        path: PathBuf,
        /// The physical line, counted from 1.
        line: usize,
        /// What is wrong there and what was expected.
        problem: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// A file that is not whole.
    #[error("contract data {file}: {problem}")]
    File {
        /// The data file.
        file: String,
        /// What is wrong with it and what was expected.
        problem: String,
    },
}

impl ContractError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Document { nearest, .. } => nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?")),
            Self::Unreadable { .. } => Some(format!(
                "`target.contract` is {BUILT_IN}, which is built in, or the path of the tenant's OpenAPI document"
            )),
            Self::Row { .. } | Self::File { .. } => None,
        }
    }
}

/// A data file: its name for messages and its text.
#[derive(Clone, Copy)]
struct Source {
    file: &'static str,
    text: &'static str,
}

#[derive(Deserialize)]
struct EnumRow {
    #[serde(rename = "enum")]
    list: String,
    owner: Owner,
    value: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Owner {
    Platform,
    Tenant,
}

#[derive(Deserialize)]
struct FieldRow {
    path: String,
    variant: String,
    #[serde(rename = "type")]
    kind: KindName,
    format: Option<FormatName>,
    required: Mark,
    nullable: Mark,
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: String,
    min: Option<i64>,
    max: Option<i64>,
    min_items: Option<usize>,
    #[serde(rename = "enum")]
    list: String,
    default: String,
    deprecated: Mark,
    use_instead: String,
    discriminator: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
enum Mark {
    #[serde(rename = "y")]
    Yes,
    #[serde(rename = "")]
    No,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindName {
    Object,
    List,
    TextList,
    Text,
    Integer,
    Boolean,
    Any,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Date,
    DateTime,
    Decimal,
    Email,
    Time,
}

pub(super) fn load() -> Result<Contract, ContractError> {
    let lists = read_lists(ENUMS)?;
    read_fields(FIELDS, &lists)
}

fn read_lists(source: Source) -> Result<HashMap<String, Arc<ValueList>>, ContractError> {
    let head = source.head();
    let mut owners: HashMap<String, (Owner, Vec<String>)> = HashMap::new();
    let rows: Vec<(u64, EnumRow)> = source.rows()?;
    source.count(&head, "values", rows.len())?;
    for (line, row) in rows {
        let (owner, values) = owners.entry(row.list).or_insert_with(|| (row.owner, Vec::new()));
        if *owner != row.owner {
            return Err(source.row(line, "a list has one owner: platform or tenant"));
        }
        values.push(row.value);
    }
    source.count(&head, "lists", owners.len())?;
    Ok(owners
        .into_iter()
        .map(|(name, (owner, values))| (name.clone(), Arc::new(ValueList::new(name, values, owner == Owner::Tenant))))
        .collect())
}

fn read_fields(source: Source, lists: &HashMap<String, Arc<ValueList>>) -> Result<Contract, ContractError> {
    let head = source.head();
    let rows: Vec<(u64, FieldRow)> = source.rows()?;
    source.count(&head, "rows", rows.len())?;
    let mut fields: Vec<Field> = Vec::new();
    for (line, row) in rows {
        let variants = variants(source, line, &row, &constraint(source, line, &row, lists)?)?;
        match fields.last_mut() {
            Some(field) if field.path == row.path => {
                if field.kind != row.kind.into() || field.format != row.format.map(Format::from) {
                    return Err(source.row(line, "a field has the same type and format in every variant"));
                }
                field.deprecated |= row.deprecated == Mark::Yes;
                field.variants.extend(variants);
            }
            _ => fields.push(Field {
                path: row.path,
                kind: row.kind.into(),
                format: row.format.map(Format::from),
                variants,
                deprecated: row.deprecated == Mark::Yes,
                use_instead: some(row.use_instead),
                discriminator: some(row.discriminator).map(|field| Discriminator { field, values: Vec::new() }),
            }),
        }
    }
    source.count(&head, "paths", fields.len())?;
    name_variants(source, &mut fields)?;
    let text = |key: &str| head.get(key).map(|value| (*value).to_owned()).ok_or_else(|| source.lacks(key));
    let date = text("date")?;
    let date = date.parse::<NaiveDate>().map_err(|_| source.lacks("date"))?;
    let digest = Digest::of([FIELDS.text, ENUMS.text].concat().as_bytes());
    let edition =
        Edition { name: text("contract")?, version: text("version")?, date: Some(date), digest, notes: Vec::new() };
    Ok(Contract::new(edition, fields))
}

/// Gives each discriminator the values of its field.
fn name_variants(source: Source, fields: &mut [Field]) -> Result<(), ContractError> {
    let values: HashMap<String, Vec<String>> = fields
        .iter()
        .filter_map(|field| {
            let list = field.variants.first()?.constraint.values.as_ref()?;
            Some((field.path.clone(), list.values.clone()))
        })
        .collect();
    for field in fields {
        if let Some(discriminator) = &mut field.discriminator {
            let path = format!("{}.{}", field.path, discriminator.field);
            discriminator.values = values.get(&path).cloned().ok_or_else(|| ContractError::File {
                file: source.file.to_owned(),
                problem: format!("{path} picks a variant and so needs a list of values"),
            })?;
        }
    }
    Ok(())
}

fn constraint(
    source: Source,
    line: u64,
    row: &FieldRow,
    lists: &HashMap<String, Arc<ValueList>>,
) -> Result<Constraint, ContractError> {
    let pattern = match row.pattern.as_str() {
        "" => None,
        text => Some(Pattern::compile(text).map_err(|error| source.row(line, error))?),
    };
    let values = match row.list.as_str() {
        "" => None,
        name => Some(lists.get(name).ok_or_else(|| source.row(line, format!("no enum is called {name}")))?.clone()),
    };
    Ok(Constraint {
        required: row.required == Mark::Yes,
        nullable: row.nullable == Mark::Yes,
        min_length: row.min_length,
        max_length: row.max_length,
        pattern,
        min: row.min.map(Decimal::from),
        max: row.max.map(Decimal::from),
        min_items: row.min_items,
        values,
        default: some(row.default.clone()),
    })
}

/// One variant for each alternative of the row's `variant` column.
fn variants(source: Source, line: u64, row: &FieldRow, constraint: &Constraint) -> Result<Vec<Variant>, ContractError> {
    let mut alternatives: Vec<Vec<Condition>> = vec![Vec::new()];
    for part in row.variant.split(';').filter(|part| !part.is_empty()) {
        let (node, values) = part.split_once('=').ok_or_else(|| source.row(line, "a variant is written node=VALUE"))?;
        alternatives = alternatives
            .iter()
            .flat_map(|before| {
                values.split('|').map(|value| {
                    let condition = Condition { node: node.to_owned(), value: value.to_owned() };
                    before.iter().cloned().chain([condition]).collect()
                })
            })
            .collect();
    }
    Ok(alternatives
        .into_iter()
        .map(|conditions| Variant {
            name: conditions.last().map(|condition: &Condition| condition.value.clone()),
            conditions,
            constraint: constraint.clone(),
        })
        .collect())
}

impl Source {
    /// The `# key: value` lines the file opens with.
    fn head(self) -> HashMap<&'static str, &'static str> {
        self.text.lines().map_while(|line| line.strip_prefix("# ")).filter_map(|line| line.split_once(": ")).collect()
    }

    /// The rows after the header, each with its line.
    fn rows<Row: DeserializeOwned>(self) -> Result<Vec<(u64, Row)>, ContractError> {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(self.text.as_bytes());
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        let headers = reader.headers().map_err(|error| self.row(1, error))?.clone();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(rows),
                Ok(true) => {}
                Err(error) => return Err(self.row(line, error)),
            }
            let line = record.position().map_or(line, csv::Position::line);
            rows.push((line, record.deserialize(Some(&headers)).map_err(|error| self.row(line, error))?));
        }
    }

    fn count(self, head: &HashMap<&str, &str>, key: &str, found: usize) -> Result<(), ContractError> {
        let promised: usize = head.get(key).and_then(|text| text.parse().ok()).ok_or_else(|| self.lacks(key))?;
        if promised == found {
            return Ok(());
        }
        let problem = format!("its head promises {promised} {key}, but it holds {found}");
        Err(ContractError::File { file: self.file.to_owned(), problem })
    }

    fn lacks(self, key: &str) -> ContractError {
        let problem = format!("it must open with a line \"# {key}: …\"");
        ContractError::File { file: self.file.to_owned(), problem }
    }

    fn row(self, line: u64, problem: impl std::fmt::Display) -> ContractError {
        ContractError::Row { file: self.file.to_owned(), line, problem: problem.to_string() }
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Object => Self::Object,
            KindName::List => Self::ObjectList,
            KindName::TextList => Self::TextList,
            KindName::Text => Self::Text,
            KindName::Integer => Self::Integer,
            KindName::Boolean => Self::Boolean,
            KindName::Any => Self::Any,
        }
    }
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Date => Self::Date,
            FormatName::DateTime => Self::DateTime,
            FormatName::Decimal => Self::Decimal,
            FormatName::Email => Self::Email,
            FormatName::Time => Self::Time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# contract: small\n# version: 1\n# date: 2026-01-31\n";
    const COLUMNS: &str = "path,variant,type,format,required,nullable,min_length,max_length,pattern,min,max,min_items,\
                           enum,default,deprecated,use_instead,discriminator\n";

    fn fields(counts: &str, rows: &str) -> Result<Contract, ContractError> {
        let text = format!("{HEAD}{counts}{COLUMNS}{rows}").leak();
        read_fields(Source { file: "small.csv", text }, &HashMap::new())
    }

    #[test]
    fn the_data_in_the_binary_is_whole() {
        let contract = load().unwrap();
        let edition = &contract.edition;
        assert_eq!((edition.name.as_str(), edition.version.as_str()), (BUILT_IN, "1"));
        assert_eq!(edition.date.unwrap().to_string(), "2026-07-27");
        let paths = FIELDS.head()["paths"].parse::<usize>().unwrap();
        assert_eq!(contract.fields().count(), paths);
        assert_eq!(ENUMS.head()["date"], FIELDS.head()["date"]);
        assert_eq!(ENUMS.head()["version"], FIELDS.head()["version"]);
    }

    #[test]
    fn every_list_is_used_and_has_no_value_twice() {
        let lists = read_lists(ENUMS).unwrap();
        let contract = load().unwrap();
        let constraints = || contract.fields().flat_map(|field| &field.variants).map(|variant| &variant.constraint);
        for list in lists.values() {
            let values: std::collections::HashSet<&String> = list.values.iter().collect();
            assert_eq!(values.len(), list.values.len(), "{} repeats a value", list.name);
            let used = constraints().filter_map(|c| c.values.as_ref()).any(|used| used.name == list.name);
            assert!(used, "{} is not used", list.name);
        }
    }

    #[test]
    fn alternatives_become_variants_of_their_own() {
        let contract = fields("# rows: 1\n# paths: 1\n", "a.b,a=X|Y;a.c=Z,text,,,,,,,,,,,,,,\n").unwrap();
        let names: Vec<String> =
            contract.field("a.b").unwrap().variants.iter().map(|v| format!("{:?}", v.conditions)).collect();
        assert_eq!(names.len(), 2);
        assert!(names[0].contains("\"X\"") && names[1].contains("\"Y\""));
        assert!(names.iter().all(|conditions| conditions.contains("\"Z\"")));
    }

    #[test]
    fn broken_data_is_refused_with_its_line() {
        let problem = |counts: &str, rows: &str| fields(counts, rows).unwrap_err().to_string();
        assert!(problem("# rows: 2\n# paths: 1\n", "a,,text,,,,,,,,,,,,,,\n").contains("promises 2 rows"));
        assert!(problem("", "a,,text,,,,,,,,,,,,,,\n").contains("# rows"));
        assert!(problem("# rows: 1\n# paths: 1\n", "a,,txt,,,,,,,,,,,,,,\n").contains("small.csv, line 7"));
        assert!(problem("# rows: 1\n# paths: 1\n", "a,,text,,,,,,,,,,colours,,,,\n").contains("colours"));
        assert!(problem("# rows: 1\n# paths: 1\n", "a,X,text,,,,,,,,,,,,,,\n").contains("node=VALUE"));
        assert!(problem("# rows: 1\n# paths: 1\n", "a,,list,,,,,,,,,,,,,,kind\n").contains("a.kind"));
        let mixed = "a,b=X,text,,,,,,,,,,,,,,\na,b=Y,integer,,,,,,,,,,,,,,\n";
        assert!(problem("# rows: 2\n# paths: 1\n", mixed).contains("same type"));
    }
}
