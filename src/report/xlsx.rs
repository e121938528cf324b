//! The report's tables as a workbook: a sheet a table, typed cells, a heading that stays, filters.
//!
//! Pence are shown as pounds: a spreadsheet's numbers hold fifteen digits, and so pence of sums far above any book's.
//! Instants are UTC. A text is never a formula: it is written as a text, and marked as one where it looks otherwise.

use std::io;
use std::path::Path;

use rust_xlsxwriter::{Color, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};

use crate::ledger::Ledger;
use crate::ledger::tables::Field;

use super::RunReport;
use super::tables::{TableError, TableSink, looks_like_a_formula};

/// Rows that a sheet can have; a longer table goes on in another.
const ROWS_MAX: u32 = 1_048_576;
/// Characters that a cell can have.
const CELL_MAX: usize = 32_767;
/// Whole numbers up to here are told exactly.
const EXACT_MAX: u64 = 1 << 53;

/// What a column's cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Pounds,
    Instant,
}

struct Book {
    workbook: Workbook,
    name: String,
    columns: Vec<(String, Kind)>,
    /// The row to be written next in the newest sheet.
    row: u32,
    /// Sheets of the table so far.
    sheets: u32,
    formats: Formats,
}

struct Formats {
    heading: Format,
    pounds: Format,
    instant: Format,
    text: Format,
}

impl RunReport {
    /// Writes every table into the workbook `file`.
    pub fn write_xlsx(&self, ledger: &Ledger, file: &Path) -> Result<(), TableError> {
        let heading =
            Format::new().set_bold().set_background_color(Color::RGB(0x00E8_EDF4)).set_align(FormatAlign::Top);
        let mut book = Book {
            workbook: Workbook::new(),
            name: String::new(),
            columns: Vec::new(),
            row: 0,
            sheets: 0,
            formats: Formats {
                heading,
                pounds: Format::new().set_num_format("£#,##0.00;[Red]-£#,##0.00"),
                instant: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
                text: Format::new().set_quote_prefix(),
            },
        };
        // Rows wait beside the workbook, where there is room for it.
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
            book.workbook.set_tempdir(folder).map_err(failed)?;
        }
        self.write_tables(ledger, &mut book)?;
        let mut partial = file.as_os_str().to_owned();
        partial.push(".partial");
        let out = io::BufWriter::new(std::fs::File::create(&partial)?);
        book.workbook.save_to_writer(out).map_err(failed)?;
        Ok(std::fs::rename(partial, file)?)
    }
}

impl Book {
    fn new_sheet(&mut self) -> Result<(), XlsxError> {
        self.sheets += 1;
        let sheet = self.workbook.add_worksheet_with_constant_memory();
        match self.sheets {
            1 => sheet.set_name(&self.name)?,
            number => sheet.set_name(format!("{} {number}", self.name))?,
        };
        sheet.set_freeze_panes(1, 0)?;
        for (column, (name, kind)) in (0..).zip(&self.columns) {
            let width = match kind {
                Kind::Plain => (name.len() as f64 + 4.0).clamp(12.0, 30.0),
                Kind::Pounds => 16.0,
                Kind::Instant => 20.0,
            };
            sheet.set_column_width(column, width)?;
        }
        for (column, (name, _)) in (0..).zip(&self.columns) {
            sheet.write_string_with_format(0, column, name, &self.formats.heading)?;
        }
        self.row = 1;
        Ok(())
    }

    fn sheet(&mut self) -> Result<&mut Worksheet, XlsxError> {
        let newest = self.workbook.worksheets().len().saturating_sub(1);
        self.workbook.worksheet_from_index(newest)
    }

    fn finish_sheet(&mut self) -> Result<(), XlsxError> {
        let (last_row, last_column) = (self.row.saturating_sub(1).max(1), self.columns.len().saturating_sub(1) as u16);
        self.sheet()?.autofilter(0, 0, last_row, last_column)?;
        Ok(())
    }

    fn write(&mut self, fields: &[Field<'_>]) -> Result<(), XlsxError> {
        if self.row == ROWS_MAX {
            self.finish_sheet()?;
            self.new_sheet()?;
        }
        let row = self.row;
        let newest = self.workbook.worksheets().len().saturating_sub(1);
        let sheet = self.workbook.worksheet_from_index(newest)?;
        for ((column, field), (_, kind)) in (0..).zip(fields).zip(&self.columns) {
            write_cell(sheet, row, column, field, *kind, &self.formats)?;
        }
        self.row += 1;
        Ok(())
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    field: &Field<'_>,
    kind: Kind,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match (field, kind) {
        (Field::Empty, _) => {}
        (Field::Integer(number), _) if number.unsigned_abs() > EXACT_MAX => {
            sheet.write_string(row, column, number.to_string())?;
        }
        (Field::Integer(pence), Kind::Pounds) => {
            sheet.write_number_with_format(row, column, *pence as f64 / 100.0, &formats.pounds)?;
        }
        (Field::Integer(number), _) => {
            sheet.write_number(row, column, *number as f64)?;
        }
        (Field::Text(text), Kind::Instant) => match ExcelDateTime::parse_from_str(text.trim_end_matches('Z')) {
            Ok(instant) => drop(sheet.write_datetime_with_format(row, column, instant, &formats.instant)?),
            Err(_) => drop(sheet.write_string(row, column, *text)?),
        },
        (Field::Text(text), _) => {
            let text = match text.char_indices().nth(CELL_MAX) {
                Some((end, _)) => &text[..end],
                None => text,
            };
            if looks_like_a_formula(text) {
                sheet.write_string_with_format(row, column, text, &formats.text)?;
            } else {
                sheet.write_string(row, column, text)?;
            }
        }
    }
    Ok(())
}

impl TableSink for Book {
    fn begin(&mut self, name: &str, columns: &[&str]) -> io::Result<()> {
        name.clone_into(&mut self.name);
        self.columns = columns
            .iter()
            .map(|column| match *column {
                column if column.contains("pence") => (column.replace("pence", "pounds"), Kind::Pounds),
                column if column == "at" || column.ends_with("_at") => (column.to_owned(), Kind::Instant),
                column => (column.to_owned(), Kind::Plain),
            })
            .collect();
        self.sheets = 0;
        self.new_sheet().map_err(failed)
    }

    fn row(&mut self, fields: &[Field<'_>]) -> io::Result<()> {
        self.write(fields).map_err(failed)
    }

    fn end(&mut self) -> io::Result<()> {
        self.finish_sheet().map_err(failed)
    }
}

fn failed(error: XlsxError) -> io::Error {
    io::Error::other(error)
}
