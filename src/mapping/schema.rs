//! The JSON Schema of `mapping.toml`, by which editors complete and check it.
//!
//! The types below say what [`super::read`] reads, key by key, and are read by nothing else: a mapping is read as a tree
//! with places, not by serde, so that all of its problems can be told at once. A test holds both against each other.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::coverage::describe;
use crate::contract::{Contract, Field, Kind};

/// One column, or several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Names {
    One(String),
    Several(Vec<String>),
}

/// How the lines of a legacy extract become account payloads.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct MappingFile {
    /// How this extract writes things; any line or table may say otherwise.
    #[serde(default)]
    defaults: Defaults,
    /// The file roles of the extract.
    tables: BTreeMap<String, Table>,
    /// The account: one payload for each record of its table.
    account: Entity,
    /// Every other kind of object, by its path in the payload.
    #[serde(default)]
    entity: BTreeMap<String, Entity>,
}

#[derive(Default, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Defaults {
    /// How dates are written, in chrono's letters; %Y-%m-%d if not said.
    date: String,
    /// How dates with a time are written; %Y-%m-%dT%H:%M:%S if not said.
    datetime: String,
    /// Where local times are local; Europe/London if not said.
    zone: String,
    /// The texts of flags and what each means; any other text is a finding.
    bool: BTreeMap<String, bool>,
    /// What stands between cells: one ASCII character.
    delimiter: String,
    /// What stands around cells that need it, or false for nothing.
    quote: Quote,
    /// Whether blanks around a cell are cut off.
    trim: bool,
    /// What files are written in, such as windows-1252; UTF-8 if not said.
    encoding: String,
    /// Records before and after all others.
    control: Control,
    /// What stands between whole and fraction: one ASCII character.
    decimal: String,
    /// What stands between thousands: one ASCII character.
    thousands: String,
    /// Where the sign of a number stands.
    sign: Sign,
    /// Digits after a point that is not written.
    implied: u32,
    /// Whether numbers count the other way.
    negate: bool,
}

/// A quote character, or false.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Quote {
    Character(String),
    None(bool),
}

impl Default for Quote {
    fn default() -> Self {
        Self::Character("\"".into())
    }
}

#[derive(Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Sign {
    #[default]
    Leading,
    Trailing,
}

/// Records that frame the others.
#[derive(Default, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Control {
    /// What the first cell of the first record says.
    header: String,
    /// What the first cell of the last record says.
    trailer: String,
    /// The cell of the trailer with the number of records between, counted from 1.
    count: u32,
    /// Columns, and the cells of the trailer with their sums, counted from 1.
    sum: BTreeMap<String, u32>,
}

/// One file role.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Table {
    /// A file name or a glob, below the extract directory. Not where `of` says whose records these are.
    #[serde(default)]
    files: String,
    /// The table of whose records the rows are made.
    #[serde(default)]
    of: String,
    /// The names of the cells, of files without a header; a blank name: a cell that nobody reads.
    #[serde(default)]
    header: Vec<String>,
    /// Which type of records, where a file holds several: the column that tells, and what it says.
    #[serde(default)]
    records: BTreeMap<String, Names>,
    /// Records before and after all others.
    #[serde(default)]
    control: Control,
    /// With `of`: the rows that each record becomes; for each, its columns and what is in them.
    #[serde(default)]
    repeat: Vec<BTreeMap<String, Repeated>>,
    /// The columns that name a record.
    #[serde(default)]
    key: Option<Names>,
    /// Columns declared once, usable wherever a column name is.
    #[serde(default)]
    columns: BTreeMap<String, DeclaredLine>,
    /// Source columns that no line uses, on purpose.
    #[serde(default)]
    unused: Option<Names>,
    /// The columns whose quoted cells may hold line breaks.
    #[serde(default)]
    multiline: Option<Names>,
    /// What stands between cells: one ASCII character.
    #[serde(default)]
    delimiter: String,
    /// What stands around cells that need it, or false for nothing.
    #[serde(default)]
    quote: Option<Quote>,
    /// Whether blanks around a cell are cut off.
    #[serde(default)]
    trim: bool,
    /// What the files are written in, such as windows-1252.
    #[serde(default)]
    encoding: String,
    /// What a record is that no entity's `where` takes.
    #[serde(default)]
    rest: Rest,
    /// What a quarantined or orphaned record does.
    #[serde(default)]
    on_lost: OnLost,
}

/// A column of the record, or the same text in every record.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Repeated {
    Column(String),
    Constant(RepeatedConstant),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct RepeatedConstant {
    /// The text.
    value: String,
}

#[derive(Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Rest {
    #[default]
    Finding,
    Filtered,
}

#[derive(Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum OnLost {
    #[default]
    Report,
    Stop,
}

/// One kind of object in the payload.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Entity {
    /// The table whose records become these objects.
    #[serde(default)]
    table: String,
    /// The columns that hold the key of the enclosing entity's table, in the order of that key.
    #[serde(default)]
    parent: Option<Names>,
    /// Which of several parents: the one that was valid on a day.
    #[serde(default)]
    valid: Option<Valid>,
    /// Which records.
    #[serde(default, rename = "where")]
    filter: BTreeMap<String, Condition>,
    /// How they are ordered below one parent.
    #[serde(default)]
    order: Vec<OrderBy>,
    /// The entity above whose lines hold here too, but for what is said here.
    #[serde(default)]
    like: String,
    /// Target field = line.
    #[serde(default)]
    fields: BTreeMap<String, Lines>,
    /// The line of a list of texts, instead of `fields`.
    #[serde(default)]
    value: Option<Lines>,
}

/// The record that was valid on a day.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Valid {
    /// The column of this table with the day.
    on: String,
    /// The column of the other table with the first day; blank: since ever.
    from: String,
    /// The column of the other table with the last day; blank: for ever.
    to: String,
    /// Whether `to` is the last day that counts or the first that does not.
    #[serde(default)]
    end: End,
}

#[derive(Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum End {
    #[default]
    Inclusive,
    Exclusive,
}

/// A column, or a column largest first.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OrderBy {
    Column(String),
    Directed(Directed),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Directed {
    /// A source or declared column.
    column: String,
    /// Largest first.
    #[serde(default)]
    desc: bool,
}

/// What a column's text must be: one of these, or none of those.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Condition {
    Is(Names),
    IsNot(IsNot),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct IsNot {
    /// The text must be none of these.
    not: Names,
}

/// A line, or several of which the first whose `when` holds is taken.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Lines {
    Column(String),
    One(Box<Line>),
    Several(Vec<OneOfSeveral>),
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OneOfSeveral {
    Column(String),
    One(Box<Line>),
}

/// A declared column: a column name, or how one is read.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum DeclaredLine {
    Column(String),
    One(Box<Line>),
}

/// A constant.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Scalar {
    Text(String),
    Integer(i64),
    Flag(bool),
}

/// Where a value comes from, and how it is read.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Line {
    /// A source or declared column.
    column: Option<String>,
    /// A constant instead: text, whole number, true or false.
    value: Option<Scalar>,
    /// A template over columns instead, strings only.
    expr: Option<String>,
    /// The column of debits; goes with `credit`.
    debit: Option<String>,
    /// The column of credits; goes with `debit`.
    credit: Option<String>,
    /// In a declared column: another table, a column of whose record is taken.
    join: Option<String>,
    /// With `join`: columns of the other table, and the columns of this one that must say the same.
    by: Option<JoinBy>,
    /// With `join`: which records of the other table.
    #[serde(rename = "where")]
    filter: Option<BTreeMap<String, Condition>>,
    /// With `join`: which of several, the one that was valid on a day.
    valid: Option<Valid>,
    /// With `join`: what a record is that finds none.
    missing: Option<MissingJoin>,
    /// How the text is read.
    #[serde(rename = "as")]
    read_as: Option<ReadAs>,
    /// The lookup that turns the text into a value: lookups/NAME.csv.
    lookup: Option<String>,
    /// The column of the lookup, or of the joined table, that is taken.
    take: Option<String>,
    /// How this date or time is written, in chrono's letters.
    format: Option<String>,
    /// Where this time is local.
    zone: Option<String>,
    /// What a local time means that comes twice when clocks go back.
    ambiguous: Option<Ambiguous>,
    /// The unit of money.
    unit: Option<Unit>,
    /// Digits after the point: fewer are padded, more are a fault.
    places: Option<u32>,
    /// What is written for a blank cell.
    empty: Option<String>,
    /// What a blank cell is read as.
    default: Option<String>,
    /// What a cell that cannot be read does.
    on_fault: Option<OnFault>,
    /// Conditions under which this line holds.
    when: Option<BTreeMap<String, Condition>>,
    /// A piece of the text: what stands between pieces, and which one, counted from 1.
    split: Option<Split>,
    /// A part of the text by places, counted from 1.
    part: Option<Part>,
    /// A character that is cut off in front: one ASCII character.
    strip: Option<String>,
    /// What stands between whole and fraction: one ASCII character.
    decimal: Option<String>,
    /// What stands between thousands: one ASCII character.
    thousands: Option<String>,
    /// Where the sign of the number stands.
    sign: Option<Sign>,
    /// Digits after a point that is not written.
    implied: Option<u32>,
    /// Whether the number counts the other way.
    negate: Option<bool>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum JoinBy {
    Same(Names),
    Each(BTreeMap<String, String>),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum MissingJoin {
    Finding,
    Blank,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum ReadAs {
    Text,
    Integer,
    Decimal,
    Money,
    Date,
    DateTime,
    Bool,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Ambiguous {
    Fault,
    Earliest,
    Latest,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Unit {
    Pounds,
    Pence,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum OnFault {
    Reject,
    Omit,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Split {
    /// What stands between pieces.
    by: String,
    /// Which piece, counted from 1.
    take: u32,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Part {
    /// The first character, counted from 1.
    from: u32,
    /// The last character; the end if not said.
    to: Option<u32>,
}

/// The schema of `mapping.toml` for `contract`: entities and fields are named with what the target says of them.
#[must_use]
pub fn schema(contract: &Contract) -> Value {
    let settings = SchemaSettings::draft07().for_deserialize();
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<MappingFile>().to_value();
    schema["title"] = json!("slipway mapping.toml");
    crate::schema::tidy(&mut schema);
    let entity = |path: &str, description: String| {
        json!({
            "description": description,
            "allOf": [
                {"$ref": "#/definitions/Entity"},
                {"properties": {"fields": {
                    "properties": fields(contract, path),
                    "patternProperties": {"\\{.+\\}$": {"$ref": "#/definitions/Lines"}},
                    "additionalProperties": false
                }}}
            ]
        })
    };
    let nodes =
        contract.fields().filter(|field| matches!(field.kind, Kind::Object | Kind::ObjectList | Kind::TextList));
    let entities: serde_json::Map<String, Value> =
        nodes.map(|field| (field.path.clone(), entity(&field.path, describe(field)))).collect();
    schema["properties"]["entity"] = json!({
        "description": "Every other kind of object, by its path in the payload.",
        "type": "object",
        "properties": entities,
        "additionalProperties": false
    });
    schema["properties"]["account"] = entity("", "The account: one payload for each record of its table.".into());
    schema
}

/// The fields that lines below the object at `path` may write, with dots into objects.
fn fields(contract: &Contract, path: &str) -> serde_json::Map<String, Value> {
    let mut properties = serde_json::Map::new();
    gather(contract, path, path, &mut properties);
    properties
}

fn gather(contract: &Contract, root: &str, path: &str, properties: &mut serde_json::Map<String, Value>) {
    for field in contract.children(path) {
        match field.kind {
            Kind::Object => gather(contract, root, &field.path, properties),
            Kind::ObjectList | Kind::TextList => {}
            _ => {
                let below = field.path[root.len()..].trim_start_matches('.').to_owned();
                let line = json!({"description": told(field), "allOf": [{"$ref": "#/definitions/Lines"}]});
                properties.insert(below, line);
            }
        }
    }
}

fn told(field: &Field) -> String {
    let required = match field.variants.iter().filter(|variant| variant.constraint.required).count() {
        0 => "",
        some if some == field.variants.len() => ", required",
        _ => ", required in some variants",
    };
    format!("{}{required}", describe(field))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// What the reader knows where `text` has the key `zzz`, by its own word.
    fn known(text: &str, contract: &Contract) -> BTreeSet<String> {
        let path = Path::new("mapping.toml");
        let problems = crate::mapping::read::read_text(Path::new("."), path, text, contract).err().unwrap_or_default();
        let unknown = problems.iter().find(|problem| problem.message == "unknown key `zzz`");
        let help = unknown.and_then(|problem| problem.help.as_deref()).unwrap_or_default();
        let names = help.strip_prefix("known here: ").unwrap_or_default();
        names.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows() {
        let contract = Contract::built_in().unwrap();
        let schema = schema(&contract);
        let frame = |rest: &str| format!("[tables.t]\nfiles = \"t.csv\"\n{rest}");
        let line =
            |keys: &str| frame(&format!("[account]\ntable = \"t\"\n[account.fields]\nbilling_name = {{ {keys} }}"));
        let joined = frame("[tables.t.columns]\nA = { join = \"x\", by = \"B\", take = \"C\", zzz = 1 }");
        let cases = [
            ("Defaults", vec!["[defaults]\nzzz = 1\n".to_owned()]),
            ("Table", vec![frame("zzz = 1")]),
            ("Entity", vec![frame("[account]\ntable = \"t\"\nzzz = 1")]),
            ("Line", vec![line("column = \"A\", zzz = 1"), joined]),
            ("Control", vec![frame("control = { header = \"H\", zzz = 1 }")]),
            (
                "Valid",
                vec![frame("[account]\ntable = \"t\"\nvalid = { on = \"A\", from = \"B\", to = \"C\", zzz = 1 }")],
            ),
            ("Directed", vec![frame("[account]\ntable = \"t\"\norder = [{ column = \"A\", zzz = 1 }]")]),
            ("Split", vec![line("column = \"A\", split = { by = \"-\", take = 1, zzz = 1 }")]),
            ("Part", vec![line("column = \"A\", part = { from = 1, zzz = 1 }")]),
        ];
        for (name, texts) in cases {
            let read: BTreeSet<String> = texts.iter().flat_map(|text| known(text, &contract)).collect();
            let properties = schema["definitions"][name]["properties"].as_object();
            let told: BTreeSet<String> = properties.into_iter().flatten().map(|(key, _)| key.clone()).collect();
            assert_eq!(told, read, "{name}: keep the types of this file as the reader is");
        }
    }

    #[test]
    fn every_key_is_in_the_guide() {
        let guide = include_str!("../../mappings/README.md");
        let schema = schema(&Contract::built_in().unwrap());
        let definitions = schema["definitions"].as_object().unwrap();
        let keys = definitions.iter().flat_map(|(name, told)| {
            told["properties"].as_object().into_iter().flatten().map(move |(key, _)| (name, key))
        });
        let keys: Vec<_> = keys.collect();
        assert!(keys.len() > 60, "{}", keys.len());
        let is_told = |key: &str| {
            [format!("`{key}`"), format!("`{key} = "), format!(" {key} = "), format!("\n{key} = ")]
                .iter()
                .any(|form| guide.contains(form))
        };
        let untold: Vec<_> = keys.iter().filter(|(_, key)| !is_told(key)).collect();
        assert!(untold.is_empty(), "these are in no line of the guide: {untold:?}");
    }
}
