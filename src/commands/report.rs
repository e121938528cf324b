//! `slipway report`: the ledger → the report, as text, JSON, a page, a workbook or CSV files.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

use crate::cli::ReportArgs;
use crate::clock;
use crate::config::Project;
use crate::console::Console;
use crate::cut::{self, CutPoint};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::Ledger;
use crate::report::{Options, RunReport, TableError};

use super::{rejects, values};

/// Writes the report. Its exit code tells only whether all of it was written; `reconcile` judges.
pub(super) fn execute(args: &ReportArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    let options = Options { against: args.against.as_deref(), with: &args.with, ..options(project) };
    let mut report = RunReport::read(&ledger, &options)?;
    if args.show_values {
        values::fill(&mut report, project, console)?;
    }
    let mut code = ExitCode::Complete;
    if let Some(folder) = &args.rejects {
        let written = rejects::write(project, &ledger, folder)?;
        rejects::problems(&written).for_each(|problem| console.warn(&problem));
        if !written.is_complete() {
            code = ExitCode::Incomplete;
        }
        let records: u64 = written.files.iter().map(|file| file.written).sum();
        console.note(&format!("rejects: {records} records of {} files in {}", written.files.len(), folder.display()));
        report.rejects = Some(written);
    }
    if let Some(file) = &args.html {
        write_page(&report, file)?;
        console.note(&format!("report: {}", file.display()));
    }
    let failed = |place: &Path| {
        let place = place.display().to_string();
        move |error| match error {
            TableError::Ledger(error) => Error::Ledger(error),
            TableError::Output(source) => Error::Output { place, source },
        }
    };
    if let Some(file) = &args.xlsx {
        report.write_xlsx(&ledger, file).map_err(failed(file))?;
        console.note(&format!("workbook: {}", file.display()));
    }
    if let Some(folder) = &args.csv {
        report.write_csv(&ledger, folder).map_err(failed(folder))?;
        console.note(&format!("tables: {}", folder.display()));
    }
    if console.wants_json() {
        console.write(|out| report.write_json(out))?;
    } else if args.html.is_none() && args.xlsx.is_none() && args.csv.is_none() && args.rejects.is_none() {
        console.write(|out| report.write_text(out))?;
    }
    Ok(code)
}

/// What a report is told of the project.
pub(super) fn options(project: &Project) -> Options<'static> {
    let now = clock::now();
    let until = project.stop.until.map(|time| clock::next_occurrence(time.0, now));
    Options { now, until, against: None, with: &[] }
}

/// Writes `report` as a page to `file`, whose folder is made if need be. A page that is there already is replaced as
/// a whole or not at all.
pub(super) fn write_page(report: &RunReport, file: &Path) -> Result<(), Error> {
    let failed = |source| Error::Output { place: file.display().to_string(), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let mut out = BufWriter::new(fs::File::create(&partial).map_err(failed)?);
    report.write_html(&mut out).map_err(failed)?;
    out.into_inner().map_err(|e| failed(e.into_error()))?;
    cut::reached(CutPoint::MidReport);
    fs::rename(&partial, file).map_err(failed)
}
