//! The files of a project's extract: found, digested, and held against what their sender promised.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::clock;
use crate::config::{Project, RunDate};
use crate::error::Error;
use crate::extract::manifest::Manifest;
use crate::extract::{self, SourceFile};
use crate::finding::{Cell, Finding, Severity};
use crate::mapping::Plan;
use crate::stage::promised::Wanted;
use crate::stage::{self, Digests, MissingFiles, Stage};

use super::control_totals::{self, Promise};

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

    /// What its sender promises beside records, and is to be counted.
    pub(super) fn wanted(&self) -> Wanted {
        self.manifest.as_ref().map(control_totals::wanted).unwrap_or_default()
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

    /// What the sender promised of the files, and what became of it.
    pub(super) fn promises(&self, stage: &Stage) -> Vec<Promise> {
        let promises = self.manifest.as_ref().map(|manifest| control_totals::compare(manifest, stage));
        let control = Self::compare_control(stage);
        let empty = self.empty_files().into_iter().map(|finding| Promise { total: None, finding: Some(finding) });
        promises.into_iter().flatten().chain(control).chain(empty).collect()
    }

    /// What the files say of themselves in control records, held against what was read.
    fn compare_control(stage: &Stage) -> Vec<Promise> {
        let mut promises = Vec::new();
        let mut names = BTreeMap::new();
        // Tables with records of their own, rather than rows made of another's.
        let tables = stage.plan.tables.iter().zip(&stage.tables).filter(|(plan, _)| plan.of.is_none());
        for (plan, files) in tables.map(|(plan, table)| (plan, &table.files)) {
            let Some(reshape) = &plan.reshape else { continue };
            let Some(control) = &reshape.control else { continue };
            let counts = reshape.types.as_ref().is_none_or(|types| types.takes_rest);
            for file in files {
                let told = file.totals.compare(control, &reshape.style, counts).into_iter();
                promises.extend(told.map(|told| control_totals::of_control(&file.source.name, told, &mut names)));
            }
        }
        promises
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
