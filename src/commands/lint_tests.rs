//! A mapping's own tests: given these records, expect this payload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::assemble::payloads::{self, Handed};
use crate::assemble::{Books, Selection, name_accounts};
use crate::error::Error;
use crate::finding::{Finding, Severity};
use crate::mapping::Plan;
use crate::stage::{self, MissingFiles, StageError, Staging};

/// Runs the tests in `directory`: each a folder with extract files and `expect.json`, the payload or payloads.
pub(super) fn run(plan: &Arc<Plan>, directory: &Path) -> Result<BTreeMap<String, Option<String>>, Error> {
    let mut tests = BTreeMap::new();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let expected = folder.join("expect.json");
        let text = std::fs::read(&expected).map_err(|source| Error::Input { path: expected.clone(), source })?;
        let wrong = match serde_json::from_slice::<Value>(&text) {
            Err(error) => Some(format!("{} is no JSON: {error}", expected.display())),
            Ok(expected) => match payloads_of(plan, &folder) {
                Err(error) => Some(Error::from(error).to_string()),
                Ok((made, findings)) => difference(&expected, &made, &findings),
            },
        };
        tests.insert(name, wrong);
    }
    Ok(tests)
}

/// The payloads of the extract in `directory`, and what was found on the way.
fn payloads_of(plan: &Arc<Plan>, directory: &Path) -> Result<(Vec<Value>, Vec<Finding>), StageError> {
    let sources = stage::find_sources(plan, directory, MissingFiles::AreEmpty)?;
    let stage = stage::load(plan, sources, &Staging::in_memory(&|table| name_accounts(plan, table)), None)?;
    let books = Books::open(&stage, &Selection::default());
    let (mut made, mut findings) = (Vec::new(), books.findings.clone());
    let taken = payloads::make(&books, 1, &|_, _| {}, |handed| {
        match handed {
            Handed::Batch(batch) => {
                for account in &mut batch.accounts {
                    if let Some((range, _)) = account.payload.clone() {
                        made.extend(serde_json::from_slice::<Value>(&batch.bytes[range]).ok());
                    }
                    findings.append(&mut account.findings);
                }
            }
            Handed::End(end) => findings.append(&mut end.findings),
        }
        Ok::<_, std::convert::Infallible>(())
    });
    match taken {
        Err(payloads::PayloadError::Stage(error)) => Err(error),
        _ => Ok((made, findings)),
    }
}

/// How the payloads differ from what a test expects: an object for one, a list for several.
fn difference(expected: &Value, made: &[Value], findings: &[Finding]) -> Option<String> {
    let expected = match expected {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let told = || {
        let worst = findings.iter().find(|finding| finding.severity == Severity::Error);
        worst.map_or_else(String::new, |finding| {
            let cell = finding.cells.first().map(ToString::to_string).unwrap_or_default();
            format!("; {cell}: {}", finding.message)
        })
    };
    if expected.len() != made.len() {
        return Some(format!("expected {} payloads, got {}{}", expected.len(), made.len(), told()));
    }
    let different = expected.iter().zip(made).find_map(|(expected, made)| first_difference("", expected, made));
    different.map(|path| format!("`{path}` is not as expected{}", told()))
}

/// The path of the first difference between two JSON values.
fn first_difference(path: &str, expected: &Value, made: &Value) -> Option<String> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (expected, made) {
        (Value::Object(expected), Value::Object(made)) => {
            let names: std::collections::BTreeSet<&String> = expected.keys().chain(made.keys()).collect();
            names.into_iter().find_map(|name| match (expected.get(name), made.get(name)) {
                (Some(expected), Some(made)) => first_difference(&below(name), expected, made),
                _ => Some(below(name)),
            })
        }
        (Value::Array(expected), Value::Array(made)) if expected.len() == made.len() => {
            let pairs = expected.iter().zip(made).enumerate();
            pairs
                .into_iter()
                .find_map(|(at, (expected, made))| first_difference(&below(&at.to_string()), expected, made))
        }
        (expected, made) => (expected != made).then(|| path.to_owned()),
    }
}
