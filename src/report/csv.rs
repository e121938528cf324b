//! The report's tables as CSV files in a folder, for programs and spreadsheets.
//!
//! A text that a spreadsheet would take for a formula has an apostrophe before it; numbers are as they are.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::ledger::Ledger;
use crate::ledger::tables::Field;

use super::RunReport;
use super::tables::{TableError, TableSink, looks_like_a_formula};

/// The folder, and the file that is being written.
struct Folder<'p> {
    path: &'p Path,
    file: Option<(PathBuf, csv::Writer<File>)>,
}

impl RunReport {
    /// Writes every table into `folder`, which is made if need be: a file each, `NAME.csv`.
    pub fn write_csv(&self, ledger: &Ledger, folder: &Path) -> Result<(), TableError> {
        fs::create_dir_all(folder)?;
        self.write_tables(ledger, &mut Folder { path: folder, file: None })
    }
}

impl TableSink for Folder<'_> {
    fn begin(&mut self, name: &str, columns: &[&str]) -> io::Result<()> {
        let path = self.path.join(format!("{name}.csv"));
        let mut writer = csv::Writer::from_writer(File::create(path.with_extension("csv.partial"))?);
        writer.write_record(columns)?;
        self.file = Some((path, writer));
        Ok(())
    }

    fn row(&mut self, fields: &[Field<'_>]) -> io::Result<()> {
        let Some((_, writer)) = &mut self.file else { return Ok(()) };
        for field in fields {
            match field {
                Field::Empty => writer.write_field("")?,
                Field::Integer(number) => writer.write_field(number.to_string())?,
                Field::Text(text) => writer.write_field(&*defused(text))?,
            }
        }
        Ok(writer.write_record(None::<&[u8]>)?)
    }

    fn end(&mut self) -> io::Result<()> {
        let Some((path, mut writer)) = self.file.take() else { return Ok(()) };
        writer.flush()?;
        fs::rename(path.with_extension("csv.partial"), path)
    }
}

/// `text`, so that no spreadsheet works out what it says.
#[must_use]
pub fn defused(text: &str) -> std::borrow::Cow<'_, str> {
    if looks_like_a_formula(text) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_a_text() {
        for formula in ["=1+1", "+44", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(defused(formula), format!("'{formula}"));
        }
        for text in ["", "A-1", "1-2", "O'Hara"] {
            assert_eq!(defused(text), text);
        }
    }
}
