//! Reads every table of an extract: regions in parallel, tables in the order of their keys.

use std::path::Path;

use rayon::prelude::*;

use super::keys::KeyIndex;
use super::reading::TableReading;
use super::rows::RegionRows;
use super::{Fate, StageError, StagedTable};
use crate::extract::{self, ExtractError, SourceFile};
use crate::mapping::Problem;
use crate::mapping::plan::Plan;

/// What a table without a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingFiles {
    /// An error: the extract is not whole.
    AreErrors,
    /// A table without records, as in a mapping's own tests.
    AreEmpty,
}

/// The files of every table of `plan` in `directory`, their headers checked against the mapping.
pub fn find_sources(plan: &Plan, directory: &Path, missing: MissingFiles) -> Result<Vec<Vec<SourceFile>>, StageError> {
    let mut sources = Vec::with_capacity(plan.tables.len());
    let mut problems: Vec<Problem> = Vec::new();
    for (number, table) in plan.tables.iter().enumerate() {
        let files = match extract::find_files(directory, &table.name, &table.files, &table.dialect) {
            Err(ExtractError::NoFile { .. }) if missing == MissingFiles::AreEmpty => Vec::new(),
            found => found?,
        };
        for file in files.iter().filter(|file| !file.header.is_empty()) {
            problems.extend(plan.check_header(number, &file.name, &file.header));
        }
        sources.push(files);
    }
    if problems.is_empty() { Ok(sources) } else { Err(StageError::Headers(problems)) }
}

/// Reads `sources`, the files of every table of `plan`. `advanced` is told how many bytes have been read.
pub fn load(
    plan: &Plan,
    sources: Vec<Vec<SourceFile>>,
    advanced: &(dyn Fn(u64) + Sync),
) -> Result<Vec<StagedTable>, StageError> {
    let levels = levels(plan);
    let mut staged: Vec<Option<StagedTable>> = plan.tables.iter().map(|_| None).collect();
    let mut indexes: Vec<Option<KeyIndex>> = plan.tables.iter().map(|_| None).collect();
    let mut sources: Vec<Option<Vec<SourceFile>>> = sources.into_iter().map(Some).collect();
    for level in 0..=levels.iter().copied().max().unwrap_or(0) {
        let tables: Vec<usize> = (0..plan.tables.len()).filter(|table| levels[*table] == level).collect();
        let readings: Vec<TableReading<'_>> = tables
            .iter()
            .map(|&table| TableReading::new(&plan.tables[table], sources[table].take().unwrap_or_default(), &indexes))
            .collect::<Result<_, _>>()?;
        let jobs: Vec<(usize, usize)> = readings
            .iter()
            .enumerate()
            .flat_map(|(table, reading)| (0..reading.regions.len()).map(move |region| (table, region)))
            .collect();
        let read: Vec<RegionRows> = jobs
            .par_iter()
            .map(|&(table, region)| {
                let (file, region) = readings[table].regions[region];
                let rows = readings[table].read(file, region)?;
                advanced(region.end - region.start);
                Ok(rows)
            })
            .collect::<Result<_, StageError>>()?;
        let mut read = read.into_iter();
        let mut made: Vec<(usize, KeyIndex)> = Vec::new();
        for (&table, reading) in tables.iter().zip(&readings) {
            let regions: Vec<RegionRows> = read.by_ref().take(reading.regions.len()).collect();
            let (done, keys) = reading.join(regions)?;
            if plan.tables[table].is_parent {
                let alive = done.fates.iter().map(|fate| *fate == Fate::Alive);
                made.push((table, KeyIndex::new(keys, alive)));
            }
            staged[table] = Some(done);
        }
        drop(readings);
        for (table, index) in made {
            indexes[table] = Some(index);
        }
    }
    Ok(staged.into_iter().flatten().collect())
}

/// How far each table is from one without parents.
fn levels(plan: &Plan) -> Vec<usize> {
    let mut levels = vec![0; plan.tables.len()];
    for (number, table) in plan.tables.iter().enumerate() {
        // Parents have lower numbers: see `Plan::tables`.
        levels[number] = table.links.iter().map(|link| levels[link.parent] + 1).max().unwrap_or(0);
    }
    levels
}
