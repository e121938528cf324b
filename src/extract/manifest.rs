//! The sender's manifest: what they promise about the files they sent.
//!
//! A CSV file with the columns `FILE_NAME` and `RECORD_COUNT` (data records the sender wrote) and, optionally,
//! `EXTRACT_DATE` (`YYYY-MM-DD` or `DD/MM/YYYY`, the same in every row).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::ExtractError;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it lies.
    pub path: PathBuf,
    /// File name → how many data records the sender wrote, and the manifest's own line.
    pub records: BTreeMap<String, (u64, u64)>,
    /// The day the extract was made.
    pub extract_date: Option<NaiveDate>,
}

impl Manifest {
    /// Reads the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self, ExtractError> {
        let bad = |line: u64, message: String| ExtractError::Manifest { path: path.to_owned(), line, message };
        let text = std::fs::read(path).map_err(ExtractError::read(path))?;
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers().map_err(|error| bad(1, error.to_string()))?.clone();
        let column = |name: &str| header.iter().position(|known| known.trim().eq_ignore_ascii_case(name));
        let need = |name: &str| column(name).ok_or_else(|| bad(1, format!("the manifest has no column {name}")));
        let (file, count, date) = (need("FILE_NAME")?, need("RECORD_COUNT")?, column("EXTRACT_DATE"));
        let mut manifest = Self { path: path.to_owned(), records: BTreeMap::new(), extract_date: None };
        for record in reader.records() {
            let record =
                record.map_err(|error| bad(error.position().map_or(1, csv::Position::line), error.to_string()))?;
            let line = record.position().map_or(1, csv::Position::line);
            let records =
                record[count].trim().parse().map_err(|_| bad(line, "RECORD_COUNT is not a whole number".to_owned()))?;
            if manifest.records.insert(record[file].trim().to_owned(), (records, line)).is_some() {
                return Err(bad(line, format!("file {} stands twice in the manifest", &record[file])));
            }
            if let Some(date) = date {
                let date = parse_date(record[date].trim())
                    .ok_or_else(|| bad(line, "EXTRACT_DATE is neither YYYY-MM-DD nor DD/MM/YYYY".to_owned()))?;
                if manifest.extract_date.replace(date).is_some_and(|before| before != date) {
                    return Err(bad(line, "EXTRACT_DATE is not the same in every row".to_owned()));
                }
            }
        }
        Ok(manifest)
    }
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    ["%Y-%m-%d", "%d/%m/%Y"].iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("MANIFEST.csv");
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "M"))
    }

    #[test]
    fn counts_and_the_day_are_read() {
        let manifest = read("FILE_NAME,RECORD_COUNT,EXTRACT_DATE\na.csv,3,01/02/2026\nb.csv,0,01/02/2026\n").unwrap();
        assert_eq!(manifest.records["a.csv"], (3, 2));
        assert_eq!(manifest.extract_date, NaiveDate::from_ymd_opt(2026, 2, 1));
    }

    #[test]
    fn a_manifest_that_cannot_be_used_says_where_and_why() {
        assert_eq!(read("FILE,RECORD_COUNT\n").unwrap_err(), "M:1: the manifest has no column FILE_NAME");
        assert_eq!(read("FILE_NAME,RECORD_COUNT\na.csv,x\n").unwrap_err(), "M:2: RECORD_COUNT is not a whole number");
        let twice = read("FILE_NAME,RECORD_COUNT\na.csv,1\na.csv,1\n").unwrap_err();
        assert_eq!(twice, "M:3: file a.csv stands twice in the manifest");
    }
}
