//! A list's file → the list.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::path::Path;

use chrono::NaiveDate;
use regex::Regex;
use rust_decimal::Decimal;

use super::list::{Cell, Column, Entry, List, ListKind, Shape};
use crate::account::Digest;
use crate::mapping::{Place, Problem};

/// The most files a folder of documents may hold.
const FILES_MAX: usize = 10_000_000;

/// Reads the list `kind` from `path`; whatever is wrong goes into `problems`.
pub(super) fn read(kind: ListKind, path: &Path, problems: &mut Vec<Problem>) -> Option<List> {
    let bytes = if kind == ListKind::DocumentPaths && path.is_dir() { listing(path) } else { std::fs::read(path) };
    match bytes {
        Ok(bytes) => parse(kind, path, &bytes, problems),
        Err(error) => {
            let message = format!("the list `reference.{}` cannot be read: {error}", kind.key());
            problems.push(Problem { place: place(path, 1), message, help: None });
            None
        }
    }
}

fn place(path: &Path, line: u64) -> Place {
    Place { file: path.display().to_string().into(), line: line as usize, column: 1 }
}

/// The files below a folder as a list would name them, in byte order; links are not followed.
fn listing(folder: &Path) -> std::io::Result<Vec<u8>> {
    let (mut folders, mut files) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            files.push(name);
            if files.len() > FILES_MAX {
                return Err(std::io::Error::other(format!(
                    "it holds more than {FILES_MAX} files: name a list instead"
                )));
            }
        }
    }
    files.sort_unstable();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["path"])?;
    files.iter().try_for_each(|file| writer.write_record([file]))?;
    writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))
}

/// Reads the bytes of a list's file.
pub(super) fn parse(kind: ListKind, path: &Path, bytes: &[u8], problems: &mut Vec<Problem>) -> Option<List> {
    let before = problems.len();
    let mut problem = |line: u64, message: String| {
        let message = format!("list `reference.{}`: {message}", kind.key());
        problems.push(Problem { place: place(path, line), message, help: None });
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(text);
    let mut records = reader.records();
    let named_by = kind.named_by();
    let header = match records.next() {
        Some(Ok(header)) if header.len() >= named_by.len() => header,
        Some(Err(error)) => {
            problem(error.position().map_or(1, csv::Position::line), format!("not a row of CSV: {error}"));
            return None;
        }
        _ => {
            problem(1, format!("expected a header, its first columns being {}", named_by.join(", ")));
            return None;
        }
    };
    let at = |column: &Column| header.iter().skip(named_by.len()).position(|name| name == column.name);
    let places: Vec<Option<usize>> =
        kind.columns().iter().map(|column| at(column).map(|at| at + named_by.len())).collect();
    let mut list = List {
        digest: Digest::of(bytes),
        has: places.iter().map(Option::is_some).collect(),
        kind,
        rows: Vec::new(),
        by_code: HashMap::new(),
    };
    let mut lines: HashMap<Vec<String>, u64> = HashMap::new();
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problem(error.position().map_or(1, csv::Position::line), format!("not a row of this list: {error}"));
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let name: Vec<String> =
            record.iter().take(named_by.len()).map(|part| canonical(kind, part).to_owned()).collect();
        let blank = (0..name.len()).find(|part| name[*part].is_empty() && !kind.may_be_blank(*part));
        if let Some(part) = blank {
            problem(line, format!("the {} is blank", named_by[part]));
            continue;
        }
        match lines.entry(name.clone()) {
            Slot::Occupied(first) => {
                let first = first.get();
                problem(line, format!("{} `{}` is on line {first} already", named_by.join(" and "), name.join(", ")));
                continue;
            }
            Slot::Vacant(slot) => slot.insert(line),
        };
        let mut cells = Vec::with_capacity(places.len());
        for (column, place) in kind.columns().iter().zip(&places) {
            let text = place.and_then(|place| record.get(place)).unwrap_or_default();
            cells.push(cell(column.shape, text).unwrap_or_else(|expected| {
                problem(line, format!("column `{}`: expected {expected}, found `{text}`", column.name));
                Cell::Blank
            }));
        }
        list.by_code.entry(name[0].clone()).or_default().push(list.rows.len());
        list.rows.push(Entry { name, cells });
    }
    (problems.len() == before).then_some(list)
}

/// A path is named with or without a slash before it.
fn canonical(kind: ListKind, part: &str) -> &str {
    if kind == ListKind::DocumentPaths { part.trim_start_matches("./").trim_start_matches('/') } else { part }
}

fn cell(shape: Shape, text: &str) -> Result<Cell, &'static str> {
    if text.is_empty() {
        return Ok(Cell::Blank);
    }
    match shape {
        Shape::Text => Ok(Cell::Text(text.to_owned())),
        Shape::Flag => match text.to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Ok(Cell::Flag(true)),
            "false" | "no" | "n" | "0" => Ok(Cell::Flag(false)),
            _ => Err("yes or no"),
        },
        Shape::Date => {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Cell::Date).map_err(|_| "a day such as 2019-08-01")
        }
        Shape::Number => text.parse::<Decimal>().map(Cell::Number).map_err(|_| "a number such as 21.5"),
        Shape::Pattern => Regex::new(&format!("^(?:{text})$")).map(Cell::Pattern).map_err(|_| "a regular expression"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A list is read, or what is wrong with it is told at a line that its file has.
        #[test]
        fn any_bytes_are_a_list_or_told_with_file_and_line(
            kind in prop::sample::select(ListKind::ALL),
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                // What looks like one: few different cells, so that keys are blank, repeated and short of a column.
                prop::collection::vec(
                    prop::sample::select(&b"a1,,,\"\n\n\r;- (\\yes\xff"[..]), 0..300,
                ).prop_map(move |text| [&b"code,prepay,price,active_from,pattern\n"[..], &text].concat()),
            ],
        ) {
            let mut problems = Vec::new();
            let list = parse(kind, Path::new("list.csv"), &bytes, &mut problems);
            prop_assert_eq!(list.is_none(), !problems.is_empty());
            let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
            for problem in &problems {
                prop_assert_eq!(&*problem.place.file, "list.csv");
                prop_assert!((1..=lines).contains(&problem.place.line), "{} of {}", problem.place.line, lines);
                prop_assert!(problem.message.contains(kind.key()));
            }
            if let Some(list) = list {
                // Every key once, and none blank.
                let names: std::collections::HashSet<_> = list.rows.iter().map(|row| &row.name).collect();
                prop_assert_eq!(names.len(), list.rows.len());
                prop_assert!(list.rows.iter().all(|row| !row.name[0].is_empty() || kind.may_be_blank(0)));
            }
        }
    }

    fn told(kind: ListKind, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let list = parse(kind, Path::new("list.csv"), text.as_bytes(), &mut problems);
        assert_eq!(list.is_none(), !problems.is_empty());
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn columns_are_found_by_name_and_notes_are_left_alone() {
        let text = "\u{feff}tariff,remark,prepay,supply_type,rates\nA,x, Yes ,GAS,1\n\"B\",,,,\n";
        let list = parse(ListKind::Tariffs, Path::new("t.csv"), text.as_bytes(), &mut Vec::new()).unwrap();
        let row = list.row("A").unwrap();
        assert_eq!((row.flag("prepay"), row.text("supply_type")), (Some(true), Some("GAS")));
        assert_eq!((row.number("rates"), row.text("product")), (Some(Decimal::ONE), None));
        assert!(list.has("prepay") && !list.has("product") && !list.has("remark"));
        assert!(list.contains("B") && list.row("B").unwrap().flag("prepay").is_none() && !list.contains("C"));
    }

    #[test]
    fn duplicate_and_blank_keys_and_cells_of_another_kind_are_told_with_their_lines() {
        assert_eq!(
            told(ListKind::Tariffs, "code,prepay\nA,\n,\nB,perhaps\nA,yes\n"),
            [
                "list.csv:3:1: list `reference.tariffs`: the code is blank",
                "list.csv:4:1: list `reference.tariffs`: column `prepay`: expected yes or no, found `perhaps`",
                "list.csv:5:1: list `reference.tariffs`: code `A` is on line 2 already",
            ]
        );
        assert!(told(ListKind::Rates, "product,rate_band,price\nP,DAY,1\nP,NIGHT,2\n").is_empty());
        assert!(
            told(ListKind::Rates, "product,rate_band\nP,DAY\nP,DAY\n")[0].contains("product and rate_band `P, DAY`")
        );
        assert!(told(ListKind::Rates, "product,rate_band\nP,\n")[0].contains("the rate_band is blank"));
        assert!(told(ListKind::Rates, "product\nP\n")[0].contains("expected a header"));
        assert!(told(ListKind::Products, "code,available_from\nP,01/02/2019\n")[0].contains("a day such as"));
        assert!(told(ListKind::Tprs, "code\nA,B\n")[0].starts_with("list.csv:2:1: "));
        assert!(told(ListKind::Tprs, "")[0].contains("expected a header"));
    }

    #[test]
    fn a_folder_of_documents_is_the_list_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("notes/15")).unwrap();
        std::fs::write(folder.path().join("notes/15/a, b.jpg"), "x").unwrap();
        std::fs::write(folder.path().join("z.pdf"), "x").unwrap();
        let list = read(ListKind::DocumentPaths, folder.path(), &mut Vec::new()).unwrap();
        assert!(list.contains("notes/15/a, b.jpg") && list.contains("z.pdf") && !list.contains("notes"));
        let same = read(ListKind::DocumentPaths, folder.path(), &mut Vec::new()).unwrap();
        assert_eq!(list.digest, same.digest);
        std::fs::write(folder.path().join("y.pdf"), "x").unwrap();
        assert_ne!(read(ListKind::DocumentPaths, folder.path(), &mut Vec::new()).unwrap().digest, same.digest);
        let mut problems = Vec::new();
        assert!(read(ListKind::Tprs, &folder.path().join("none.csv"), &mut problems).is_none());
        assert!(problems[0].to_string().contains("`reference.tprs` cannot be read"), "{problems:?}");
    }
}
