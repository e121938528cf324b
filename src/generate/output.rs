//! The files as they are written: shuffled, counted, with the places of the damaged records.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::account::EXTRACT_DATE;
use super::defects::{Damage, Kind, encode};
use super::draw::Draw;
use super::tables::{FILES, Records};
use super::{GenerateError, Summary};

/// Records of one file that wait for their turn. A record leaves this window at random, so the order of the file
/// tells nothing, and what waits is bounded.
const WINDOW: usize = 4096;

/// The extract while it is written.
#[derive(Debug)]
pub(super) struct Extract {
    out: PathBuf,
    files: Vec<FileWriter>,
    truth: Vec<Truth>,
}

#[derive(Debug)]
struct FileWriter {
    path: PathBuf,
    file: BufWriter<File>,
    draw: Draw,
    window: Vec<Waiting>,
    records: u64,
    lines: u64,
}

/// One record, or a sound record and its damaged copy.
#[derive(Debug)]
struct Waiting {
    bytes: Box<[u8]>,
    defect: Option<Box<Defect>>,
}

#[derive(Debug)]
struct Defect {
    account: String,
    kind: &'static Kind,
    /// Bytes before the damaged record.
    sound: usize,
    detail: String,
}

/// A row of `TRUTH.csv`.
#[derive(Debug)]
struct Truth {
    defect: Box<Defect>,
    record: u64,
    line: u64,
}

impl Extract {
    /// Makes the files in `out`, with their headers. No file may be there yet.
    pub(super) fn create(out: &Path, seed: u64) -> Result<Self, GenerateError> {
        std::fs::create_dir_all(out).map_err(GenerateError::write(out))?;
        let files = FILES.iter().enumerate().map(|(number, (name, columns))| {
            let path = out.join(format!("{name}.csv"));
            let mut file = create(&path)?;
            let header: StringRecord = columns.iter().map(|column| column.to_uppercase()).collect();
            file.write_all(&encode(&header)).map_err(GenerateError::write(&path))?;
            let draw = Draw::new(seed, *b"shuffle ", number as u64);
            Ok(FileWriter { path, file, draw, window: Vec::new(), records: 0, lines: 1 })
        });
        Ok(Self { out: out.to_owned(), files: files.collect::<Result<_, GenerateError>>()?, truth: Vec::new() })
    }

    /// Takes the records of an account, one of which may be damaged.
    pub(super) fn put(
        &mut self,
        records: &Records,
        damage: Option<&Damage>,
        draw: &mut Draw,
    ) -> Result<(), GenerateError> {
        records.visit(|file, position, cells| {
            let waiting = match damage {
                Some(damage) if (damage.file, damage.position) == (file, position) => {
                    let damaged = damage.apply(cells, draw);
                    let account = records.accounts.first().map_or_else(String::new, |one| one.account_no.clone());
                    let (sound, detail) = (damaged.sound, damaged.detail);
                    let defect = Defect { account, kind: damage.kind, sound, detail };
                    Waiting { bytes: damaged.bytes.into(), defect: Some(Box::new(defect)) }
                }
                _ => Waiting { bytes: encode(cells).into(), defect: None },
            };
            let truth = self.files[file].put(waiting)?;
            self.truth.extend(truth);
            Ok(())
        })
    }

    /// Writes what still waits, `TRUTH.csv` and `MANIFEST.csv`.
    pub(super) fn finish(mut self) -> Result<Summary, GenerateError> {
        let mut manifest = Vec::new();
        for (writer, (name, _)) in self.files.iter_mut().zip(FILES) {
            while !writer.window.is_empty() {
                let next = writer.draw.index(writer.window.len());
                let waiting = writer.window.swap_remove(next);
                self.truth.extend(writer.write(waiting)?);
            }
            writer.file.flush().map_err(GenerateError::write(&writer.path))?;
            let date = EXTRACT_DATE.format("%d/%m/%Y").to_string();
            manifest.push([format!("{name}.csv"), writer.records.to_string(), date]);
        }
        manifest.sort();
        self.truth.sort_by_key(|truth| (truth.defect.kind.file, truth.record));
        let header = ["ACCOUNT_NO", "DEFECT", "FILE", "RECORD_NO", "LINE_NO", "COLUMN", "ACTION", "DETAIL"];
        let rows = self.truth.iter().map(|Truth { defect, record, line }| {
            let Defect { account, kind, detail, .. } = &**defect;
            [
                account.clone(),
                kind.name.to_owned(),
                format!("{}.csv", kind.file),
                record.to_string(),
                line.to_string(),
                kind.column.to_owned(),
                kind.action.as_str().to_owned(),
                detail.clone(),
            ]
        });
        write_rows(&self.out.join("TRUTH.csv"), header, rows)?;
        write_rows(&self.out.join("MANIFEST.csv"), ["FILE_NAME", "RECORD_COUNT", "EXTRACT_DATE"], manifest)?;
        Ok(Summary {
            files: self.files.len(),
            records: self.files.iter().map(|writer| writer.records).sum(),
            defects: self.truth.len(),
        })
    }
}

impl FileWriter {
    fn put(&mut self, waiting: Waiting) -> Result<Option<Truth>, GenerateError> {
        if self.window.len() < WINDOW {
            self.window.push(waiting);
            return Ok(None);
        }
        let next = self.draw.index(self.window.len());
        let leaving = std::mem::replace(&mut self.window[next], waiting);
        self.write(leaving)
    }

    /// Writes a record; if it is a damaged one, returns where it went.
    fn write(&mut self, waiting: Waiting) -> Result<Option<Truth>, GenerateError> {
        let Waiting { bytes, defect } = waiting;
        self.file.write_all(&bytes).map_err(GenerateError::write(&self.path))?;
        let breaks = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        let line = self.lines + 1;
        self.lines += breaks(&bytes);
        self.records += 1;
        Ok(defect.map(|defect| {
            self.records += u64::from(defect.sound > 0);
            let line = line + breaks(&bytes[..defect.sound]);
            Truth { record: self.records, line, defect }
        }))
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, GenerateError> {
    File::create_new(path).map(BufWriter::new).map_err(GenerateError::write(path))
}

fn write_rows<const N: usize>(
    path: &Path,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), GenerateError> {
    let mut file = create(path)?;
    let header = header.map(str::to_owned);
    for row in std::iter::once(header).chain(rows) {
        file.write_all(&encode(&row.into_iter().collect())).map_err(GenerateError::write(path))?;
    }
    file.flush().map_err(GenerateError::write(path))
}
