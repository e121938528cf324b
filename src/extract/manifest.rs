//! The sender's manifest: what they promise about the files they sent.
//!
//! A CSV file with a row for each file:
//!
//! | column | says |
//! | --- | --- |
//! | `FILE_NAME` | which file |
//! | `RECORD_COUNT` | how many data records the sender wrote |
//! | `EXTRACT_DATE`, optional | the day, `YYYY-MM-DD` or `DD/MM/YYYY`, the same in every row |
//! | `ACCOUNT_COUNT`, optional | to how many different accounts the records belong |
//! | `SUM_COLUMN`, `SUM`, optional | a column of the file, and what its cells come to, as they are written there |
//!
//! Further sums stand in pairs of columns that end alike: `SUM_COLUMN_2`, `SUM_2`. A blank cell promises nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::ExtractError;
use crate::money::Amount;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it lies.
    pub path: PathBuf,
    /// File name → how many data records the sender wrote, and the manifest's own line.
    pub records: BTreeMap<String, (u64, u64)>,
    /// File name → to how many accounts its records belong.
    pub accounts: BTreeMap<String, u64>,
    /// File name → what columns of it come to.
    pub sums: BTreeMap<String, Vec<PromisedSum>>,
    /// The day the extract was made.
    pub extract_date: Option<NaiveDate>,
}

/// What the cells of a column come to, as the sender says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromisedSum {
    /// The column of the file.
    pub column: String,
    /// The sum, in the unit of the cells.
    pub sum: Amount,
    /// As the manifest writes it.
    pub text: String,
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
        let (accounts, sums) = (column("ACCOUNT_COUNT"), sum_columns(&header).map_err(|message| bad(1, message))?);
        let mut manifest = Self {
            path: path.to_owned(),
            records: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sums: BTreeMap::new(),
            extract_date: None,
        };
        for record in reader.records() {
            let record =
                record.map_err(|error| bad(error.position().map_or(1, csv::Position::line), error.to_string()))?;
            let line = record.position().map_or(1, csv::Position::line);
            let name = record[file].trim().to_owned();
            let number = |at: usize, what: &str| {
                record[at].trim().parse::<u64>().map_err(|_| bad(line, format!("{what} is not a whole number")))
            };
            let records = number(count, "RECORD_COUNT")?;
            if let Some(at) = accounts.filter(|at| !record[*at].trim().is_empty()) {
                manifest.accounts.insert(name.clone(), number(at, "ACCOUNT_COUNT")?);
            }
            for (column, sum) in &sums {
                let sum = promised_sum(&record, *column, *sum, &header).map_err(|message| bad(line, message))?;
                if let Some(sum) = sum {
                    manifest.sums.entry(name.clone()).or_default().push(sum);
                }
            }
            if manifest.records.insert(name, (records, line)).is_some() {
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

/// The pairs of columns that promise sums: the one with the name of a file's column, and the one with the sum.
fn sum_columns(header: &csv::StringRecord) -> Result<Vec<(usize, usize)>, String> {
    let name = |at: usize| header.get(at).unwrap_or_default().trim().to_ascii_uppercase();
    let place = |wanted: &str| (0..header.len()).find(|at| name(*at) == wanted);
    let mut pairs = Vec::new();
    for at in 0..header.len() {
        let name = name(at);
        if let Some(end) = name.strip_prefix("SUM_COLUMN") {
            let sum = format!("SUM{end}");
            pairs.push((at, place(&sum).ok_or_else(|| format!("the manifest has a column {name} and no {sum}"))?));
        }
    }
    Ok(pairs)
}

fn promised_sum(
    record: &csv::StringRecord,
    column: usize,
    sum: usize,
    header: &csv::StringRecord,
) -> Result<Option<PromisedSum>, String> {
    let (name, text) = (record[column].trim(), record[sum].trim());
    match (name.is_empty(), text.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => match Amount::read(text.as_bytes(), 0) {
            Some(sum) => Ok(Some(PromisedSum { column: name.to_owned(), sum, text: text.to_owned() })),
            None => Err(format!("{} is no decimal number such as -1234.56", &header[sum])),
        },
        _ => Err(format!("{} and {} are filled together, or not at all", &header[column], &header[sum])),
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
        assert!(manifest.accounts.is_empty() && manifest.sums.is_empty());
    }

    #[test]
    fn accounts_and_sums_are_read_where_they_are_promised() {
        let manifest = read(
            "FILE_NAME,RECORD_COUNT,ACCOUNT_COUNT,SUM_COLUMN,SUM,sum_column_2,sum_2\n\
             a.csv,3,2,AMOUNT,-12.50,FEE,0.01\nb.csv,1,,,,,\n",
        )
        .unwrap();
        assert_eq!(manifest.accounts, BTreeMap::from([("a.csv".to_owned(), 2)]));
        let sums: Vec<(&str, (i64, i64))> =
            manifest.sums["a.csv"].iter().map(|sum| (sum.column.as_str(), sum.sum.parts())).collect();
        assert_eq!(sums, [("AMOUNT", (-1250, 0)), ("FEE", (1, 0))]);
        assert!(!manifest.sums.contains_key("b.csv"));
    }

    #[test]
    fn a_manifest_that_cannot_be_used_says_where_and_why() {
        assert_eq!(read("FILE,RECORD_COUNT\n").unwrap_err(), "M:1: the manifest has no column FILE_NAME");
        assert_eq!(read("FILE_NAME,RECORD_COUNT\na.csv,x\n").unwrap_err(), "M:2: RECORD_COUNT is not a whole number");
        let twice = read("FILE_NAME,RECORD_COUNT\na.csv,1\na.csv,1\n").unwrap_err();
        assert_eq!(twice, "M:3: file a.csv stands twice in the manifest");
        let with = |header: &str, cells: &str| {
            read(&format!("FILE_NAME,RECORD_COUNT,{header}\na.csv,1,{cells}\n")).unwrap_err()
        };
        assert_eq!(with("SUM_COLUMN", "A"), "M:1: the manifest has a column SUM_COLUMN and no SUM");
        assert_eq!(with("SUM_COLUMN,SUM", "A,1.2.3"), "M:2: SUM is no decimal number such as -1234.56");
        assert_eq!(with("SUM_COLUMN,SUM", "A,"), "M:2: SUM_COLUMN and SUM are filled together, or not at all");
        assert_eq!(with("ACCOUNT_COUNT", "many"), "M:2: ACCOUNT_COUNT is not a whole number");
    }
}
