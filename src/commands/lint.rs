//! `slipway lint`: the mapping against the contract, the extract's headers and its codes; and the mapping's own tests.
//!
//! All that is wrong or left open is told at once, what matters most first: errors, then values that nobody has decided,
//! required fields without a line, codes that lookups do not have, columns that no line uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::lint_codes::{self, UnknownCodes};
use super::lint_tests;
use crate::cli::LintArgs;
use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::draft;
use crate::error::Error;
use crate::excerpt::Excerpts;
use crate::exit_code::ExitCode;
use crate::extract::{self, SourceFile};
use crate::finding::Severity;
use crate::mapping::{self, Plan, Problem};
use crate::tenant::Tenant;

/// What a lint found.
#[derive(Debug, Default, Serialize)]
struct Lint {
    /// The mapping can't be used until these are mended.
    errors: Vec<Problem>,
    /// What is left to do, what matters most first.
    warnings: Vec<Problem>,
    /// What is worth knowing, and may be as it should be.
    notices: Vec<Problem>,
    /// Codes in the extract that a lookup or a list does not have.
    codes: Vec<UnknownCodes>,
    coverage: Coverage,
    /// The mapping's own tests, by name: what is wrong, if anything.
    tests: BTreeMap<String, Option<String>>,
}

/// How much of both sides the mapping covers.
#[derive(Debug, Default, Serialize)]
struct Coverage {
    /// Fields of the contract that a line writes.
    fields_written: usize,
    /// Fields of the contract.
    fields: usize,
    /// Required fields of objects that are made, without a line.
    required_missing: usize,
    /// Columns of the files that a line uses or the mapping waives.
    columns_used: usize,
    /// Columns of the files.
    columns: usize,
}

/// Runs the command.
pub(super) fn execute(args: &LintArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let contract = Contract::load(&project.target.contract)?;
    let mut lint = Lint::default();
    match mapping::load(&project.source.mapping, &contract) {
        Err(problems) => lint.errors = problems,
        Ok(plan) => {
            let plan = Arc::new(plan);
            lint.check(&plan, &project.source.extracts, args.headers_only, console)?;
            lint.tests = lint_tests::run(&plan, &project.source.mapping.join("tests"))?;
        }
    }
    let lists = Tenant::load(&project.reference, &project.target.settings);
    lint.errors.extend(lists.err().unwrap_or_default());
    if console.wants_json() {
        console.document(&lint)?;
    } else {
        lint.tell(console)?;
    }
    Ok(lint.exit_code())
}

/// The files of one table, and the columns of them that no line uses.
struct TableFiles {
    files: Vec<SourceFile>,
    unused: Vec<String>,
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

    /// Everything that needs the extract in `directories`.
    fn check(
        &mut self,
        plan: &Arc<Plan>,
        directories: &[std::path::PathBuf],
        headers_only: bool,
        console: &Console,
    ) -> Result<(), Error> {
        (self.coverage.fields_written, self.coverage.fields) = plan.written();
        self.warnings.extend(plan.placeholders());
        self.warnings.extend(plan.undecided_codes());
        let mut unused = Vec::new();
        for directory in directories {
            let tables: Vec<TableFiles> =
                (0..plan.tables.len()).map(|number| self.check_headers(plan, number, directory, &mut unused)).collect();
            self.check_required(plan, &tables);
            if self.errors.is_empty() && !headers_only {
                let files: Vec<&[SourceFile]> = tables.iter().map(|table| table.files.as_slice()).collect();
                let codes = lint_codes::find(plan, &files, console)?;
                self.warnings.extend(codes.iter().map(|codes| codes.problem(plan)));
                self.codes.extend(codes);
            }
        }
        self.warnings.append(&mut unused);
        Ok(())
    }

    fn check_headers(&mut self, plan: &Plan, number: usize, directory: &Path, unused: &mut Vec<Problem>) -> TableFiles {
        let table = &plan.tables[number];
        let files = extract::find_files(directory, &table.name, &table.files, &table.dialect, &table.header)
            .unwrap_or_else(|error| {
                self.warnings.push(plan.table_problem(number, error.to_string(), None));
                Vec::new()
            });
        let mut names = Vec::new();
        for file in files.iter().filter(|file| !file.header.is_empty()) {
            // Tables that are made of the same records miss the same columns.
            let found = plan.check_header(number, &file.name, &file.header).into_iter();
            let new: Vec<Problem> = found.filter(|problem| !self.errors.contains(problem)).collect();
            self.errors.extend(new);
            let left = plan.unused_columns(number, &file.name, &file.header);
            if table.of.is_none() {
                // The columns of rows that are made of records are those of the records.
                self.coverage.columns += file.header.len();
                self.coverage.columns_used += file.header.len() - left.len();
            }
            names.extend(
                file.header
                    .iter()
                    .filter(|name| left.iter().any(|p| p.message.contains(&format!("`{name}`"))))
                    .cloned(),
            );
            unused.extend(left);
        }
        TableFiles { files, unused: names }
    }

    /// Required fields without a line, with the columns that may be meant for them.
    fn check_required(&mut self, plan: &Plan, tables: &[TableFiles]) {
        for mut missing in plan.missing() {
            self.coverage.required_missing += usize::from(missing.always);
            let leaf = missing.path.rsplit('.').next().unwrap_or_default();
            let near = draft::nearest_columns(leaf, tables[missing.table].unused.iter().map(String::as_str));
            if !near.is_empty() {
                let columns: Vec<String> = near.iter().map(|column| format!("`{column}`")).collect();
                let may_be = format!("perhaps column {} is meant for it", columns.join(" or "));
                missing.problem.help =
                    Some(missing.problem.help.map_or(may_be.clone(), |help| format!("{help}; {may_be}")));
            }
            let told = if missing.always { &mut self.warnings } else { &mut self.notices };
            told.push(missing.problem);
        }
    }

    fn tell(&self, console: &Console) -> Result<(), Error> {
        // For people, at the line of the file; for a file or another program, a line each, to be searched and jumped to.
        let mut excerpts = console.is_terminal().then(|| Excerpts::new(console.wants_colours()));
        console.write(|out| {
            let all = [
                (&self.errors, Severity::Error),
                (&self.warnings, Severity::Warning),
                (&self.notices, Severity::Notice),
            ];
            for (problems, severity) in all {
                for problem in problems {
                    match &mut excerpts {
                        Some(excerpts) => writeln!(out, "{}", excerpts.show(problem, severity))?,
                        None => writeln!(out, "{severity}: {problem}")?,
                    }
                }
            }
            for (name, wrong) in &self.tests {
                match wrong {
                    None => writeln!(out, "test {name}: ok")?,
                    Some(wrong) => writeln!(out, "test {name}: failed: {wrong}")?,
                }
            }
            let Coverage { fields_written, fields, required_missing, columns_used, columns } = self.coverage;
            if fields > 0 {
                writeln!(out, "{fields_written} of {fields} fields of the target have a line, {required_missing} required ones have none")?;
                writeln!(out, "{columns_used} of {columns} columns of the extract are used or waived")?;
            }
            let failed = self.tests.values().flatten().count();
            writeln!(out, "{} errors, {} warnings, {failed} tests failed", self.errors.len(), self.warnings.len())
        })
    }
}
