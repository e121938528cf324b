//! One table being read: its regions on all threads, then put together in order.

use std::ops::Range;

use polars::frame::DataFrame;
use rayon::prelude::*;

use super::column::{Texts, Values};
use super::duplicates::{self, RowsAt};
use super::keys::{KeyBytes, KeyIndex, NO_ROW};
use super::lines::LineIndex;
use super::rows::{RegionRows, RowReader};
use super::{Fate, StageError, StagedFile, StagedTable};
use crate::extract::SourceFile;
use crate::extract::record::RecordShape;
use crate::extract::region::{self, Region};
use crate::mapping::plan::TablePlan;

/// A table being read.
pub(super) struct TableReading<'p> {
    pub(super) plan: &'p TablePlan,
    pub(super) files: Vec<SourceFile>,
    /// (file, region), in order.
    pub(super) regions: Vec<(usize, Region)>,
    /// For each file, the cell of each column that is read.
    cells: Vec<Vec<usize>>,
    parents: Vec<Option<&'p KeyIndex>>,
}

impl<'p> TableReading<'p> {
    pub(super) fn new(
        plan: &'p TablePlan,
        files: Vec<SourceFile>,
        indexes: &'p [Option<KeyIndex>],
    ) -> Result<Self, StageError> {
        let mut regions = Vec::new();
        let mut cells = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let planned = region::plan(file, !plan.dialect.multiline.is_empty())?;
            regions.extend(planned.into_iter().map(|region| (number, region)));
            let cell = |name: &str| file.header.iter().position(|known| known == name).unwrap_or(0);
            cells.push(plan.reads.iter().map(|column| cell(&column.name)).collect());
        }
        let parents = plan.links.iter().map(|link| indexes[link.parent].as_ref()).collect();
        Ok(Self { plan, files, regions, cells, parents })
    }

    pub(super) fn shape(&self, file: usize) -> RecordShape<'_> {
        let header = &self.files[file].header;
        let dialect = &self.plan.dialect;
        let multiline =
            dialect.multiline.iter().filter_map(|(name, _)| header.iter().position(|known| known == name)).collect();
        RecordShape { dialect, cells: header.len(), multiline }
    }

    pub(super) fn read(&self, file: usize, region: Region) -> Result<RegionRows, StageError> {
        let mut reader = RowReader::new(self.plan, &self.cells[file], &self.parents);
        let mut buffer = Vec::new();
        let read = region::read(&self.files[file], region, &self.shape(file), &mut buffer, &mut reader)?;
        let mut rows = reader.finish();
        rows.line_count = read.lines;
        rows.records_read = read.records;
        Ok(rows)
    }

    /// Puts the regions of the table together.
    pub(super) fn join(&self, mut regions: Vec<RegionRows>) -> Result<(StagedTable, KeyBytes), StageError> {
        let rows: u64 = regions.iter().map(|region| u64::from(region.rows)).sum();
        let limit = u64::from(NO_ROW) - 1;
        if rows > limit {
            return Err(StageError::TooLarge { table: self.plan.name.clone(), what: "records", limit });
        }
        let (files, spans) = self.place(&regions);
        let mut texts = Texts::default();
        let mut bases = Vec::with_capacity(regions.len());
        for region in &mut regions {
            let base = texts.append(std::mem::take(&mut region.texts));
            let too_large =
                || StageError::TooLarge { table: self.plan.name.clone(), what: "MiB of text", limit: 16 * 1024 };
            bases.push(base.ok_or_else(too_large)?);
        }
        let mut staged = StagedTable {
            files,
            rows: rows as u32,
            frame: DataFrame::empty(),
            texts,
            masks: gather(&mut regions, |region| std::mem::take(&mut region.masks)),
            parents: (0..self.plan.links.len())
                .map(|link| gather(&mut regions, |region| std::mem::take(&mut region.parents[link])))
                .collect(),
            fates: vec![Fate::Alive; rows as usize],
            faults: Vec::new(),
            quarantined: Vec::new(),
            duplicates: Vec::new(),
            conflicts: Vec::new(),
        };
        let mut keys = KeyBytes::default();
        for (region, span) in regions.iter_mut().zip(&spans) {
            staged.faults.extend(region.faults.drain(..).map(|mut fault| {
                fault.row += span.start;
                fault
            }));
            staged.quarantined.extend(region.quarantined.drain(..).map(|mut record| {
                record.row += span.start;
                record
            }));
            keys.append(&std::mem::take(&mut region.keys));
        }
        for record in &staged.quarantined {
            staged.fates[record.row as usize] = Fate::Quarantined;
        }
        staged.frame = self.frame(&mut regions, &bases, rows as usize)?;
        let fingerprints = gather(&mut regions, |region| std::mem::take(&mut region.fingerprints));
        let at = RowsAt { reading: self, spans: &spans };
        let same = duplicates::find(&at, fingerprints)?;
        for duplicate in &same.duplicates {
            staged.fates[duplicate.row as usize] = Fate::Duplicate;
        }
        (staged.duplicates, staged.conflicts) = (same.duplicates, same.conflicts);
        Ok((staged, keys))
    }

    /// The files with their rows and lines, and the rows of every region.
    fn place(&self, regions: &[RegionRows]) -> (Vec<StagedFile>, Vec<Range<u32>>) {
        let mut files: Vec<StagedFile> = Vec::with_capacity(self.files.len());
        let mut spans = Vec::with_capacity(regions.len());
        let (mut row, mut lines) = (0, 0);
        for (&(file, _), region) in self.regions.iter().zip(regions) {
            if file == files.len() {
                let source = self.files[file].clone();
                lines = source.header_lines;
                files.push(StagedFile {
                    source,
                    first_row: row,
                    rows: 0,
                    records_read: 0,
                    lines: LineIndex::default(),
                });
            }
            let staged = &mut files[file];
            staged.lines.append(&region.lines, u64::from(row - staged.first_row), lines);
            staged.rows += region.rows;
            staged.records_read += region.records_read;
            spans.push(row..row + region.rows);
            row += region.rows;
            lines += region.line_count;
        }
        (files, spans)
    }

    fn frame(&self, regions: &mut [RegionRows], bases: &[u64], rows: usize) -> Result<DataFrame, StageError> {
        let mut parts: Vec<Vec<Values>> = self.plan.leaves.iter().map(|_| Vec::with_capacity(regions.len())).collect();
        for region in regions {
            for (column, values) in parts.iter_mut().zip(std::mem::take(&mut region.columns)) {
                column.push(values);
            }
        }
        let columns = parts
            .into_par_iter()
            .zip(self.plan.leaves.par_iter())
            .enumerate()
            .map(|(number, (parts, leaf))| {
                let mut all = Values::new(&leaf.convert);
                all.reserve(rows);
                for (values, base) in parts.into_iter().zip(bases) {
                    all.append(values, *base);
                }
                all.into_polars(number.to_string())
            })
            .collect();
        Ok(DataFrame::new(rows, columns)?)
    }
}

fn gather<T: Copy>(regions: &mut [RegionRows], mut take: impl FnMut(&mut RegionRows) -> Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(regions.iter().map(|region| region.rows as usize).sum());
    for region in regions {
        all.extend(take(region));
    }
    all
}
