//! The files of a project's extract: found, digested, and held against what their sender promised.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::clock;
use crate::config::{Project, RunDate};
use crate::error::Error;
use crate::extract::manifest::Manifest;
use crate::extract::{self, SourceFile};
use crate::finding::{Cell, Finding, Severity};
use crate::mapping::Plan;
use crate::mapping::plan::TablePlan;
use crate::stage::{self, Digests, MissingFiles, Stage, StagedFile};

/// The tables of `stage` that have records of their own, rather than rows made of another's, with their files.
fn own_files(stage: &Stage) -> impl Iterator<Item = (&TablePlan, &[StagedFile])> {
    let tables = stage.plan.tables.iter().zip(&stage.tables).filter(|(plan, _)| plan.of.is_none());
    tables.map(|(plan, table)| (plan, table.files.as_slice()))
}

/// The files of an extract, found and checked against the mapping.
pub(super) struct Extract {
    /// By table.
    pub(super) sources: Vec<Vec<SourceFile>>,
    manifest: Option<Manifest>,
    /// What "today" means.
    pub(super) run_date: NaiveDate,
}

impl Extract {
    pub(super) fn open(project: &Project, plan: &Plan) -> Result<Self, Error> {
        let source = &project.source;
        let [directory] = source.extracts.as_slice() else {
            return Err(Error::Usage {
                problem: format!("`source.extracts` names {} directories", source.extracts.len()),
                hint: Some("build from one extract directory".into()),
            });
        };
        let manifest = source.manifest.as_ref().map(|name| Manifest::read(&directory.join(name)));
        let manifest = manifest.transpose().map_err(stage::StageError::from)?;
        let run_date = match (source.run_date, &manifest) {
            (RunDate::On(date), _) => date,
            (RunDate::Today, _) => clock::london_date(clock::now()),
            (RunDate::Manifest, Some(Manifest { extract_date: Some(date), .. })) => *date,
            (RunDate::Manifest, _) => {
                return Err(Error::Usage {
                    problem: "`source.run_date` is \"manifest\", and no manifest tells an EXTRACT_DATE".into(),
                    hint: Some("name the manifest by `source.manifest`, or set `source.run_date` to a date".into()),
                });
            }
        };
        let sources = stage::find_sources(plan, directory, MissingFiles::AreErrors)?;
        Ok(Self { sources, manifest, run_date })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.sources.iter().flatten()
    }

    /// The digests of all files, of which `known` are known already.
    pub(super) fn digests(&self, mut known: Digests) -> Result<Digests, Error> {
        let mut unknown: Vec<&Path> = self.files().map(|file| &*file.path).collect();
        unknown.retain(|path| !known.contains_key(*path));
        // Tables that take records by their types share a file.
        unknown.sort_unstable();
        unknown.dedup();
        let digests = unknown.into_par_iter().map(|path| Ok((path.to_owned(), extract::digest(path)?)));
        let digests: Result<Digests, extract::ExtractError> = digests.collect();
        known.append(&mut digests.map_err(stage::StageError::from)?);
        Ok(known)
    }

    /// Where the sender's manifest lies, if there is one.
    pub(super) fn manifest_path(&self) -> Option<&Path> {
        self.manifest.as_ref().map(|manifest| manifest.path.as_path())
    }

    /// Nobody wrote to a file while it was read.
    pub(super) fn check_unchanged(&self) -> Result<(), Error> {
        for file in self.files() {
            file.check_unchanged().map_err(stage::StageError::from)?;
        }
        Ok(())
    }

    /// What the sender promised and did not send.
    pub(super) fn check_manifest(&self, stage: &Stage) -> Vec<Finding> {
        let Some(manifest) = &self.manifest else { return self.empty_files() };
        let name: Arc<str> = manifest.path.file_name().unwrap_or_default().to_string_lossy().into();
        let mut read: BTreeMap<&str, u64> = BTreeMap::new();
        for file in own_files(stage).flat_map(|(_, files)| files) {
            // Tables that take records by their types share a file.
            *read.entry(&file.source.name).or_default() += file.records_read;
        }
        let finding = |line: u64, severity, message| Finding {
            code: "control_total_mismatch".into(),
            severity,
            path: String::new(),
            message,
            cells: vec![Cell { file: name.clone(), record: line - 1, line, column: Some("RECORD_COUNT".into()) }],
        };
        let promised = manifest.records.iter().filter_map(|(file, (records, line))| match read.get(file.as_str()) {
            Some(found) if found == records => None,
            Some(found) => {
                let message = format!("the sender wrote {records} records into {file}, and {found} were read");
                Some(finding(*line, Severity::Error, message))
            }
            None if !manifest.path.with_file_name(file).exists() => {
                Some(finding(*line, Severity::Error, format!("the manifest names {file}, which is not there")))
            }
            None => {
                let message = format!("the manifest names {file}, which no table of the mapping reads");
                Some(finding(*line, Severity::Warning, message))
            }
        });
        let unpromised = read.keys().filter(|file| !manifest.records.contains_key(**file)).map(|file| Finding {
            cells: vec![Cell { file: (*file).into(), record: 0, line: 1, column: None }],
            ..finding(1, Severity::Warning, format!("{file} is read, and the manifest does not name it"))
        });
        promised.chain(unpromised).chain(self.empty_files()).collect()
    }

    /// What the files say of themselves in control records, and is not so.
    pub(super) fn check_control(stage: &Stage) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (plan, files) in own_files(stage) {
            let Some(reshape) = &plan.reshape else { continue };
            let Some(control) = &reshape.control else { continue };
            let counts = reshape.types.as_ref().is_none_or(|types| types.takes_rest);
            for file in files {
                let told = file.totals.disagreements(control, &reshape.style, counts);
                findings.extend(told.into_iter().map(|told| {
                    let name = &file.source.name;
                    let cell = Cell { file: name.clone(), record: 0, line: told.line + 1, column: None };
                    Finding {
                        code: "control_total_mismatch".into(),
                        severity: Severity::Error,
                        path: String::new(),
                        message: format!("{name}: {}", told.message),
                        cells: vec![cell],
                    }
                }));
            }
        }
        findings
    }

    /// Files without a single byte: more often a copy that failed than a table without records.
    fn empty_files(&self) -> Vec<Finding> {
        let empty = self.files().filter(|file| file.header.is_empty());
        let finding = |file: &SourceFile| Finding {
            code: "empty_file".into(),
            severity: Severity::Warning,
            path: String::new(),
            message: "the file is empty and has no header, so its table has no records".into(),
            cells: vec![Cell { file: file.name.clone(), record: 0, line: 1, column: None }],
        };
        empty.map(finding).collect()
    }
}
