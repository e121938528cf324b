//! `slipway lint`: the mapping against the contract and the extract's headers, and its own tests. Reads no extract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::assemble::payloads::{self, Handed};
use crate::assemble::{Books, Selection, name_accounts};
use crate::cli::LintArgs;
use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::extract;
use crate::finding::{Finding, Severity};
use crate::mapping::{self, Plan, Problem};
use crate::stage::{self, MissingFiles, StageError, Staging};

/// What a lint found.
#[derive(Debug, Default, Serialize)]
struct Lint {
    /// The mapping can't be used until these are mended.
    errors: Vec<Problem>,
    /// Columns that no line uses, and files that are not there.
    warnings: Vec<String>,
    /// The mapping's own tests, by name: what is wrong, if anything.
    tests: BTreeMap<String, Option<String>>,
}

/// Runs the command.
pub(super) fn execute(_args: &LintArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let contract = Contract::load(&project.target.contract)?;
    let mut lint = Lint::default();
    match mapping::load(&project.source.mapping, &contract) {
        Err(problems) => lint.errors = problems,
        Ok(plan) => {
            let plan = Arc::new(plan);
            for directory in &project.source.extracts {
                lint.check_headers(&plan, directory);
            }
            lint.run_tests(&plan, &project.source.mapping.join("tests"))?;
        }
    }
    if console.wants_json() {
        console.document(&lint)?;
    } else {
        console.write(|out| {
            lint.errors.iter().try_for_each(|problem| writeln!(out, "error: {problem}"))?;
            lint.warnings.iter().try_for_each(|problem| writeln!(out, "warning: {problem}"))?;
            for (name, wrong) in &lint.tests {
                match wrong {
                    None => writeln!(out, "test {name}: ok")?,
                    Some(wrong) => writeln!(out, "test {name}: failed: {wrong}")?,
                }
            }
            let failed = lint.tests.values().flatten().count();
            writeln!(out, "{} errors, {} warnings, {failed} tests failed", lint.errors.len(), lint.warnings.len())
        })?;
    }
    Ok(lint.exit_code())
}

impl Lint {
    fn exit_code(&self) -> ExitCode {
        if !self.errors.is_empty() || self.tests.values().any(Option::is_some) {
            ExitCode::Unusable
        } else if self.warnings.is_empty() {
            ExitCode::Complete
        } else {
            ExitCode::Incomplete
        }
    }

    fn check_headers(&mut self, plan: &Plan, directory: &Path) {
        for (number, table) in plan.tables.iter().enumerate() {
            let files = match extract::find_files(directory, &table.name, &table.files, &table.dialect, &table.header) {
                Ok(files) => files,
                Err(error) => {
                    self.warnings.push(error.to_string());
                    continue;
                }
            };
            for file in files.iter().filter(|file| !file.header.is_empty()) {
                self.errors.extend(plan.check_header(number, &file.name, &file.header));
                let unused = plan.unused_columns(number, &file.name, &file.header);
                self.warnings.extend(unused.iter().map(Problem::to_string));
            }
        }
    }

    /// Runs the tests in `directory`: each a folder with extract files and `expect.json`, the payload or payloads.
    fn run_tests(&mut self, plan: &Arc<Plan>, directory: &Path) -> Result<(), Error> {
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
            self.tests.insert(name, wrong);
        }
        Ok(())
    }
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
