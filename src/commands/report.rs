//! `slipway report`: the ledger → the report, as text, as JSON or as a page.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

use crate::cli::ReportArgs;
use crate::config::Project;
use crate::console::Console;
use crate::cut::{self, CutPoint};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::Ledger;
use crate::report::RunReport;

/// Writes the report. Its exit code tells only whether it was written; `reconcile` judges.
pub(super) fn execute(args: &ReportArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    let report = RunReport::read(&ledger)?;
    if let Some(file) = &args.html {
        write_page(&report, file)?;
        console.note(&format!("report: {}", file.display()));
    }
    if console.wants_json() {
        console.write(|out| report.write_json(out))?;
    } else if args.html.is_none() {
        console.write(|out| report.write_text(out))?;
    }
    Ok(ExitCode::Complete)
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
