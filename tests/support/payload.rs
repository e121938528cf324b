//! Payloads turned back into an extract and a mapping, so that a test can say what an account must look like.
//!
//! Each list of objects becomes a file, each field a column; objects of their own lie in their owner's columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};
use slipway::assemble::{Books, Row, Schema, Selection, View, name_accounts};
use slipway::contract::{Contract, Format};
use slipway::mapping;
use slipway::stage::{self, MissingFiles, Staging};

/// One file to be: the records of one entity.
#[derive(Default)]
struct File {
    name: String,
    is_list_of_texts: bool,
    columns: Vec<String>,
    /// Id, parent's id, and the cells by column.
    records: Vec<(usize, usize, BTreeMap<String, String>)>,
}

/// An extract by the paths of its entities.
#[derive(Default)]
struct Files(BTreeMap<String, File>);

impl Files {
    fn of(payload: &Value) -> Self {
        let mut files = Self::default();
        files.object("", payload.as_object().unwrap(), 0);
        let mut taken: Vec<String> = Vec::new();
        for (path, file) in &mut files.0 {
            let short = path.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or("account").to_owned();
            file.name = if taken.contains(&short) { path.replace('.', "_") } else { short };
            taken.push(file.name.clone());
        }
        files
    }

    /// Adds a record, and gives its id.
    fn record(&mut self, path: &str, parent: usize) -> usize {
        let file = self.0.entry(path.to_owned()).or_default();
        let id = file.records.len() + 1;
        file.records.push((id, parent, BTreeMap::new()));
        id
    }

    fn cell(&mut self, path: &str, column: &str, text: String) {
        let file = self.0.get_mut(path).unwrap();
        if !file.columns.iter().any(|known| known == column) {
            file.columns.push(column.to_owned());
        }
        file.records.last_mut().unwrap().2.insert(column.to_owned(), text);
    }

    fn object(&mut self, path: &str, object: &Map<String, Value>, parent: usize) {
        let id = self.record(path, parent);
        // Cells first: a record is the last one of its file only until there are more.
        self.cells(path, "", object);
        self.lists(path, "", object, id);
    }

    fn cells(&mut self, path: &str, prefix: &str, object: &Map<String, Value>) {
        for (key, value) in object {
            match value {
                Value::Object(below) => self.cells(path, &format!("{prefix}{key}."), below),
                Value::String(text) => self.cell(path, &format!("{prefix}{key}"), text.clone()),
                Value::Bool(_) | Value::Number(_) => self.cell(path, &format!("{prefix}{key}"), value.to_string()),
                Value::Array(_) | Value::Null => {}
            }
        }
    }

    fn lists(&mut self, path: &str, prefix: &str, object: &Map<String, Value>, id: usize) {
        for (key, value) in object {
            let below = format!("{path}.{prefix}{key}").trim_start_matches('.').to_owned();
            match value {
                Value::Object(object) => self.lists(path, &format!("{prefix}{key}."), object, id),
                Value::Array(items) => {
                    for item in items {
                        if let Value::Object(object) = item {
                            self.object(&below, object, id);
                        } else {
                            self.record(&below, id);
                            self.cell(&below, "value", item.as_str().unwrap().to_owned());
                            self.0.get_mut(&below).unwrap().is_list_of_texts = true;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn write(&self, folder: &Path) {
        for file in self.0.values() {
            let mut writer = csv::Writer::from_path(folder.join(format!("{}.csv", file.name))).unwrap();
            let columns: Vec<String> = file.columns.iter().map(|column| column.replace('.', "_")).collect();
            writer.write_record(["id", "parent"].into_iter().chain(columns.iter().map(String::as_str))).unwrap();
            for (id, parent, cells) in &file.records {
                let ids = [id.to_string(), parent.to_string()];
                let cells = file.columns.iter().map(|column| cells.get(column).map_or("", String::as_str));
                writer.write_record(ids.iter().map(String::as_str).chain(cells)).unwrap();
            }
        }
    }

    fn mapping(&self, contract: &Contract) -> String {
        let (mut tables, mut entities) = (String::new(), String::new());
        for (path, file) in &self.0 {
            let name = &file.name;
            writeln!(tables, "[tables.{name}]\nfiles = \"{name}.csv\"\nkey = [\"id\"]").unwrap();
            writeln!(tables, "[tables.{name}.columns]\nid = {{ as = \"integer\" }}").unwrap();
            let head = if path.is_empty() { "account".to_owned() } else { format!("entity.\"{path}\"") };
            writeln!(entities, "[{head}]\ntable = \"{name}\"").unwrap();
            if !path.is_empty() {
                writeln!(entities, "parent = [\"parent\"]\norder = [\"id\"]").unwrap();
            }
            if file.is_list_of_texts {
                writeln!(entities, "value = \"value\"").unwrap();
                continue;
            }
            writeln!(entities, "[{head}.fields]").unwrap();
            for column in &file.columns {
                let below = format!("{path}.{column}");
                let format = contract.field(below.trim_start_matches('.')).and_then(|field| field.format);
                let how = if format == Some(Format::DateTime) {
                    ", as = \"datetime\", format = \"%Y-%m-%dT%H:%M:%SZ\", zone = \"UTC\""
                } else {
                    ""
                };
                writeln!(entities, "\"{column}\" = {{ column = \"{}\"{how} }}", column.replace('.', "_")).unwrap();
            }
        }
        format!("{tables}{entities}")
    }
}

/// Looks at the account that `payload` is: its row, and what its mapping maps.
pub(crate) fn look<R>(payload: &Value, see: impl FnOnce(Row<'_>, &Schema) -> R) -> R {
    static CONTRACT: OnceLock<Arc<Contract>> = OnceLock::new();
    let contract = CONTRACT.get_or_init(|| Contract::built_in().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of(payload);
    files.write(folder.path());
    let text = files.mapping(contract);
    let plan = mapping::load_text(folder.path(), &text, contract).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let sources = stage::find_sources(&plan, folder.path(), MissingFiles::AreErrors).unwrap();
    let plan = Arc::new(plan);
    let stage = stage::load(&plan, sources, &Staging::in_memory(&|table| name_accounts(&plan, table)), None).unwrap();
    let book = Books::open(&stage, &Selection::default()).book(0).unwrap();
    let view = View::new(&book).unwrap();
    see(view.account(0), &Schema::new(plan))
}

/// Sets the value at `pointer`, which may add an item to a list or a key to an object; `null` takes it away.
pub(crate) fn set(payload: &mut Value, pointer: &str, value: Value) {
    let (above, last) = pointer.rsplit_once('/').unwrap();
    let mut at = payload;
    for part in above.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
            _ => at.as_object_mut().unwrap().entry(part).or_insert_with(|| json!({})),
        };
    }
    if let Value::Array(items) = at {
        let place: usize = last.parse().unwrap();
        if value.is_null() {
            items.remove(place);
        } else if place == items.len() {
            items.push(value);
        } else {
            items[place] = value;
        }
        return;
    }
    let object = at.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(last);
    } else {
        object.insert(last.to_owned(), value);
    }
}
