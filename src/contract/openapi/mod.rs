//! A tenant's own OpenAPI 3.0 document as a contract, in place of the one that is built in.
//!
//! | file | job |
//! | --- | --- |
//! | [`tree`] | YAML or JSON → a tree that knows its lines |
//! | [`shape`] | one schema: references, `allOf`, `oneOf`, bounded |
//! | [`fields`] | schemas → fields and variants |
//!
//! The account's schema is the body of the request that creates an account; where that body is an envelope, its
//! `payload`. Three things a document does not say are taken from the contract that is built in: the `ledgers` record
//! of the import guide, if the document lacks it; that `external_account_number` is required, because every status read
//! names it; and which lists are the tenant's own to extend, so that an unknown value is worth no more than a notice.

mod fields;
mod shape;
mod tree;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use fields::{FieldReader, Fields};
use shape::Reader;
use tree::Node;

use super::{Contract, ContractError, Edition, ValueList};
use crate::account::Digest;

/// The most bytes of a document; the largest known one has 0.6 MB.
const BYTES_MAX: u64 = 32 << 20;
/// Where a payload is sent to, the most telling first; the base of the paths is the tenant's.
const REQUESTS: [&str; 4] = [
    "/v2/data-import/accounts/",
    "/v2/data-import/accounts/validate/",
    "/v1/data-import/validate-account/",
    "/v1/data-import/account-import-process/create-or-update/",
];
/// The guide's record of a billing ledger, and the lists of it that are the account's in a document without it.
const LEDGERS: &str = "ledgers";
const TRANSACTIONS: [&str; 2] = ["current_statement_transactions", "historical_statement_transactions"];
/// Every status read names an account by it.
const ACCOUNT_NUMBER: &str = "external_account_number";

/// What is wrong with a document, and where.
#[derive(Debug)]
struct Fault {
    line: usize,
    problem: String,
    nearest: Option<String>,
}

impl Fault {
    fn at(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into(), nearest: None }
    }
}

/// What a reader of the contract should know, line by line.
#[derive(Debug, Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, line: usize, note: impl std::fmt::Display) {
        let note = format!("line {line}: {note}");
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }
}

/// Reads the document at `path`.
pub(super) fn load(path: &Path, built_in: &Contract) -> Result<Contract, ContractError> {
    let unreadable = |source| ContractError::Unreadable { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > BYTES_MAX {
        let problem = format!("the document has {bytes} bytes; at most {BYTES_MAX} are read");
        return Err(ContractError::Document { path: path.to_path_buf(), line: 1, problem, nearest: None });
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&text);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    read(&name, &text, built_in).map_err(|Fault { line, problem, nearest }| ContractError::Document {
        path: path.to_path_buf(),
        line,
        problem,
        nearest,
    })
}

/// Reads the document `text` as the contract `name`.
fn read(name: &str, text: &str, built_in: &Contract) -> Result<Contract, Fault> {
    let document = tree::parse(text)?;
    let edition = document.get("openapi").and_then(|edition| edition.text());
    if !edition.is_some_and(|edition| edition.starts_with("3.0")) {
        let found = edition.map_or("it does not say".to_owned(), |edition| format!("it says {edition}"));
        let line = document.get("openapi").map_or(document.line, |node| node.line);
        return Err(Fault::at(line, format!("expected an OpenAPI document that says `openapi: 3.0.…`; {found}")));
    }
    let mut notes = Notes::default();
    let account = account_schema(&document)?;
    let mut reader = Reader::new(&document);
    let account = envelope(&account, &mut reader)?;
    let mut fields = FieldReader { reader, notes: &mut notes }.account(&account)?;
    complete(&mut fields, built_in, account.node.line, &mut notes)?;
    let version = document.get("info").and_then(|info| info.get("version")).and_then(|version| version.text());
    let edition = Edition {
        name: name.to_owned(),
        version: version.unwrap_or("without a version").to_owned(),
        date: None,
        digest: Digest::of(text.as_bytes()),
        notes: notes.0,
    };
    Ok(Contract::new(edition, fields.into_values().collect()))
}

/// The schema of the body by which accounts are created.
fn account_schema(document: &Node) -> Result<Rc<Node>, Fault> {
    let paths = document.get("paths");
    let paths =
        paths.ok_or_else(|| Fault::at(document.line, "the document has no `paths`, so none accepts accounts"))?;
    for request in REQUESTS {
        let Some((_, path)) = paths.members().iter().find(|(path, _)| path.ends_with(request)) else { continue };
        let body = path.get("post").and_then(|post| post.get("requestBody")).and_then(|body| body.get("content"));
        let content = body.and_then(|content| {
            content.get("application/json").or_else(|| content.members().first().map(|(_, content)| content))
        });
        if let Some(schema) = content.and_then(|content| content.get("schema")) {
            return Ok(Rc::clone(schema));
        }
    }
    let known = paths.members().iter().map(|(path, _)| path);
    let problem = format!("no path takes accounts; expected a POST to {} with a body", REQUESTS[0]);
    Err(Fault { nearest: nearest(REQUESTS[0], known), ..Fault::at(paths.line, problem) })
}

/// The schema of the account itself, if `schema` is that of `{"payload": …}`.
fn envelope(schema: &Rc<Node>, reader: &mut Reader) -> Result<shape::Unread, Fault> {
    let body = fields::unread(schema);
    let shape = reader.read(&body, 0)?;
    let payload = shape.properties.iter().find(|property| property.name == "payload");
    Ok(payload.map_or(body, |payload| payload.schema.clone()))
}

/// Adds what no document says.
fn complete(fields: &mut Fields, built_in: &Contract, line: usize, notes: &mut Notes) -> Result<(), Fault> {
    let Some(number) = fields.get_mut(ACCOUNT_NUMBER) else {
        let nearest = nearest(ACCOUNT_NUMBER, fields.keys());
        return Err(Fault { nearest, ..Fault::at(line, format!("the account has no `{ACCOUNT_NUMBER}`")) });
    };
    number.variants.iter_mut().for_each(|variant| variant.constraint.required = true);
    if !fields.contains_key(LEDGERS) {
        notes.add(
            line,
            format!("the account has no `{LEDGERS}`; the record of the import guide is accepted all the same"),
        );
        add_ledgers(fields, built_in);
    }
    for field in fields.values_mut() {
        let tenants = built_in.field(&field.path).is_some_and(|known| {
            known.variants.iter().filter_map(|v| v.constraint.values.as_ref()).any(|list| list.tenant_list)
        });
        for variant in field.variants.iter_mut().filter(|_| tenants) {
            let list = variant.constraint.values.as_ref();
            let list = list.map(|list| Arc::new(ValueList::new(list.name.clone(), list.values.clone(), true)));
            variant.constraint.values = list;
        }
    }
    Ok(())
}

/// Adds the guide's record of a billing ledger; its transactions are as the document has the account's own.
fn add_ledgers(fields: &mut Fields, built_in: &Contract) {
    let below = |path: &str, node: &str| path == node || path.starts_with(&format!("{node}."));
    let mut added: Vec<super::Field> = built_in.fields().filter(|field| below(&field.path, LEDGERS)).cloned().collect();
    for list in TRANSACTIONS.into_iter().filter(|list| fields.contains_key(*list)) {
        let moved = format!("{LEDGERS}.{list}");
        added.retain(|field| !below(&field.path, &moved));
        added.extend(fields.values().filter(|field| below(&field.path, list)).cloned().map(|mut field| {
            field.path = format!("{LEDGERS}.{}", field.path);
            for condition in field.variants.iter_mut().flat_map(|variant| &mut variant.conditions) {
                condition.node = format!("{LEDGERS}.{}", condition.node);
            }
            field
        }));
    }
    fields.extend(added.into_iter().map(|field| (field.path.clone(), field)));
}

/// The name among `known` that is most like `name`.
fn nearest<'k, S: AsRef<str> + ?Sized + 'k>(name: &str, known: impl IntoIterator<Item = &'k S>) -> Option<String> {
    /// Below this likeness (0 to 1) a suggestion would mislead.
    const LIKE: f64 = 0.8;
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known.as_ref()), known.as_ref()))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests;
