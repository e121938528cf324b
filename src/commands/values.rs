//! `--show-values`: the texts of the cells that listed accounts fail by, read from the extract as it was built.

use std::collections::BTreeMap;
use std::io;

use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::error::Error;
use crate::extract::original::{self, OriginalSink};
use crate::extract::record::RecordShape;
use crate::extract::{self, SourceFile};
use crate::ledger::report::CauseRow;
use crate::mapping::{self, Dialect};
use crate::report::RunReport;

/// Fills in the value of each listed error that names a cell. What can't be read is left out, and told.
pub(super) fn fill(report: &mut RunReport, project: &Project, console: &Console) -> Result<(), Error> {
    let contract = Contract::load(&project.target.contract)?;
    let mapping = mapping::read::read(&project.source.mapping, &contract).map_err(Error::Mapping)?.0;
    let built: BTreeMap<String, (String, String)> =
        report.files.iter().map(|file| (file.file.clone(), (file.table.clone(), file.digest.clone()))).collect();
    let mut wanted: BTreeMap<String, Vec<&mut CauseRow>> = BTreeMap::new();
    for cause in report.attention.first.iter_mut().flat_map(|account| &mut account.causes) {
        if let (Some(file), Some(_), Some(_)) = (&cause.file, cause.line, &cause.column) {
            wanted.entry(file.clone()).or_default().push(cause);
        }
    }
    for (name, mut causes) in wanted {
        let read = || {
            let (table, digest) = built.get(&name)?;
            let table = mapping.tables.get(table)?;
            let directory = project.source.extracts.iter().find(|directory| directory.join(&name).is_file())?;
            let path = directory.join(&name);
            (extract::digest(&path).ok()?.to_string() == *digest).then_some(())?;
            let file = extract::open(directory, path, &table.dialect, &table.layout.header).ok()?;
            let mut lines: Vec<u64> = causes.iter().filter_map(|cause| cause.line).collect();
            lines.sort_unstable();
            lines.dedup();
            cells(&file, &table.dialect, &lines)
        };
        let Some(records) = read() else {
            console.warn(&format!("{name} is not as it was when it was built; its values are not told"));
            continue;
        };
        for cause in &mut causes {
            let cells = cause.line.and_then(|line| records.get(&line));
            let cell = cells.zip(cause.column.as_ref()).and_then(|(cells, column)| cells.get(column));
            cause.value = cell.cloned();
        }
    }
    Ok(())
}

/// The cells of the records that start on `lines`, by column.
fn cells(file: &SourceFile, dialect: &Dialect, lines: &[u64]) -> Option<BTreeMap<u64, BTreeMap<String, String>>> {
    let multiline = dialect.multiline.iter().filter_map(|(name, _)| file.header.iter().position(|known| known == name));
    let shape = RecordShape { dialect, cells: RecordShape::ANY, multiline: multiline.collect() };
    let mut cells = Cells { file, dialect, records: BTreeMap::new() };
    original::copy(file, &shape, lines, &mut cells).ok()?;
    Some(cells.records)
}

struct Cells<'f> {
    file: &'f SourceFile,
    dialect: &'f Dialect,
    records: BTreeMap<u64, BTreeMap<String, String>>,
}

impl OriginalSink for Cells<'_> {
    fn header(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, line: u64, bytes: &[u8]) -> io::Result<()> {
        let text = self.file.form.encoding().decode(bytes).0;
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(self.dialect.delimiter);
        match self.dialect.quote {
            Some(quote) => reader.quote(quote),
            None => reader.quoting(false),
        };
        let Some(Ok(record)) = reader.from_reader(text.as_bytes()).into_records().next() else { return Ok(()) };
        let cells = self.file.header.iter().cloned().zip(record.iter().map(str::to_owned));
        self.records.insert(line, cells.collect());
        Ok(())
    }
}
