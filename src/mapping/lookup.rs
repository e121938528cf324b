//! Lookups: CSV files that turn a legacy code into one or more values.
//!
//! The first column is the code; a line's `take` names the value column, by default the second; the others are notes.
//! A code stands once. A blank value is legal and means that the code has no counterpart: the field is left out.

use std::path::Path;

use super::document::{Place, Problem};
use super::word::Codes;

/// One lookup file.
#[derive(Debug)]
pub struct Lookup {
    /// Its name in the mapping: the file's name without `.csv`.
    pub name: String,
    /// The header.
    pub columns: Vec<String>,
    /// Every row, in the order of the file; as many cells as `columns`.
    pub rows: Vec<Vec<String>>,
    codes: Codes,
}

impl Lookup {
    /// Reads `path`; whatever is wrong with it goes into `problems`.
    pub fn read(name: &str, path: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let file: std::sync::Arc<str> = path.display().to_string().into();
        let mut problem = |line: u64, message: String| {
            let place = Place { file: file.clone(), line: line as usize, column: 1 };
            problems.push(Problem { place, message, help: None });
        };
        let mut reader = match csv::ReaderBuilder::new().has_headers(false).from_path(path) {
            Ok(reader) => reader,
            Err(error) => {
                problem(1, format!("lookup `{name}` cannot be read: {error}"));
                return None;
            }
        };
        let mut lookup = Self { name: name.to_owned(), columns: Vec::new(), rows: Vec::new(), codes: Codes::default() };
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    problem(error.position().map_or(1, csv::Position::line), format!("not a lookup row: {error}"));
                    return None;
                }
            };
            let line = record.position().map_or(1, csv::Position::line);
            let cells: Vec<String> = record.iter().map(|cell| cell.trim_start_matches('\u{feff}').to_owned()).collect();
            if lookup.columns.is_empty() {
                lookup.columns = cells;
            } else if !lookup.codes.insert(cells[0].as_bytes(), lookup.rows.len() as u32) {
                problem(line, format!("code `{}` stands twice in lookup `{name}`", cells[0]));
            } else {
                lookup.rows.push(cells);
            }
        }
        lookup.codes.close();
        if lookup.columns.len() < 2 {
            problem(1, format!("lookup `{name}` needs a header of two columns or more: the code and its value"));
            return None;
        }
        Some(lookup)
    }

    /// The row of `code`.
    #[must_use]
    pub fn row(&self, code: &[u8]) -> Option<u32> {
        self.codes.find(code)
    }

    /// The codes, by the numbers of their rows.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The place of the column that `take` names (the second without it).
    #[must_use]
    pub fn value_column(&self, take: Option<&str>) -> Option<usize> {
        match take {
            None => Some(1),
            Some(name) => self.columns.iter().position(|column| column == name),
        }
    }
}
