//! `slipway report --rejects DIR`: the records that were not taken, as they came, for the losing supplier to correct.
//!
//! A file's header and records are copied byte by byte; behind each stand four cells more: file, line, code, message. They
//! are customers' records, so the files are for their owner alone. A file that is not the one that was built is left
//! alone and told.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;

use crate::config::Project;
use crate::contract::Contract;
use crate::error::Error;
use crate::extract::original::{self, OriginalError, OriginalSink, encoded};
use crate::extract::record::RecordShape;
use crate::extract::{self, SourceFile};
use crate::ledger::Ledger;
use crate::ledger::rejects::RejectRow;
use crate::mapping::{self, Dialect, model::Mapping};
use crate::report::rejects::{RejectFile, Rejects};
use crate::report::{defused, without_compression};

/// The columns that are added.
const COLUMNS: [&str; 4] = ["slipway_file", "slipway_line", "slipway_code", "slipway_message"];
/// Codes of records that can't be read: an open quote may swallow what stands behind it, so they stand last.
const UNREADABLE: &str = "record_";

/// Writes the rejects of the newest builds into `folder`, which must be new or empty.
pub(super) fn write(project: &Project, ledger: &Ledger, folder: &Path) -> Result<Rejects, Error> {
    let output = |source| Error::Output { place: folder.display().to_string(), source };
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Usage {
            problem: format!("{} is not empty: rejects of another time would stay among these", folder.display()),
            hint: Some("name a folder that does not exist yet".to_owned()),
        });
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(output)?;
    let contract = Contract::load(&project.target.contract)?;
    let mapping = mapping::read::read(&project.source.mapping, &contract).map_err(Error::Mapping)?.0;
    let rows = ledger.rejects()?;
    let mut rejects = Rejects { folder: folder.to_owned(), files: Vec::new() };
    for of_file in rows.chunk_by(|one, next| one.file == next.file) {
        let name = &of_file[0].file;
        let mut written = unique_name(&rejects, name);
        let source = project.source.extracts.iter().map(|directory| (directory, directory.join(name)));
        let source = source.into_iter().find(|(_, path)| path.is_file());
        let records = records(of_file);
        let result = match source {
            None => Err("the file is not there any more".to_owned()),
            Some((directory, path)) => write_file(&mapping, directory, &path, &records, &folder.join(&written))?,
        };
        let (count, problem) = match result {
            Ok(count) => (count, None),
            Err(problem) => {
                written.clear();
                (0, Some(problem))
            }
        };
        rejects.files.push(RejectFile {
            file: name.clone(),
            records: records.len() as u64,
            written: count,
            output: (!written.is_empty()).then_some(written),
            problem,
        });
    }
    Ok(rejects)
}

/// One record, with all that is wrong with it.
struct Reject<'r> {
    line: u64,
    rows: Vec<&'r RejectRow>,
}

impl Reject<'_> {
    fn is_unreadable(&self) -> bool {
        self.rows.iter().any(|row| row.code.starts_with(UNREADABLE) && row.code != "record_in_two_accounts")
    }

    /// What is added behind it.
    fn cells(&self) -> [String; 4] {
        let mut codes: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !codes.contains(&row.code.as_str()) {
                codes.push(&row.code);
            }
        }
        let message = |row: &&RejectRow| match &row.column {
            Some(column) => format!("{column}: {}", row.message),
            None => row.message.clone(),
        };
        let messages: Vec<_> = self.rows.iter().map(message).collect();
        let file = defused(&self.rows[0].file).into_owned();
        [file, self.line.to_string(), codes.join("; "), messages.join("; ")]
    }
}

/// The records of one file, in the order of their lines.
fn records(rows: &[RejectRow]) -> Vec<Reject<'_>> {
    rows.chunk_by(|one, next| one.record == next.record)
        .map(|rows| Reject { line: rows[0].line, rows: rows.iter().collect() })
        .collect()
}

/// Copies the records of one file; says why, if they can't be.
fn write_file(
    mapping: &Mapping,
    directory: &Path,
    path: &Path,
    records: &[Reject<'_>],
    output: &Path,
) -> Result<Result<u64, String>, Error> {
    let first = records[0].rows[0];
    let Some(table) = mapping.tables.get(&first.table) else {
        return Ok(Err(format!("the mapping has no table `{}` any more", first.table)));
    };
    let digest = match extract::digest(path) {
        Ok(digest) => digest.to_string(),
        Err(error) => return Ok(Err(error.to_string())),
    };
    if records.iter().flat_map(|record| &record.rows).any(|row| row.digest != digest) {
        return Ok(Err("the file is not as it was when it was built: build again, or put it back".to_owned()));
    }
    let copied = extract::open(directory, path.to_owned(), &table.dialect, &table.layout.header)
        .map_err(OriginalError::from)
        .and_then(|file| copy(&file, &table.dialect, records, output));
    match copied {
        Ok(written) => Ok(Ok(written)),
        Err(OriginalError::Extract(error)) => Ok(Err(error.to_string())),
        Err(OriginalError::Output(source)) => Err(Error::Output { place: output.display().to_string(), source }),
    }
}

fn copy(file: &SourceFile, dialect: &Dialect, records: &[Reject<'_>], output: &Path) -> Result<u64, OriginalError> {
    let multiline = dialect.multiline.iter().filter_map(|(name, _)| file.header.iter().position(|known| known == name));
    let shape = RecordShape { dialect, cells: RecordShape::ANY, multiline: multiline.collect() };
    let lines: Vec<u64> = records.iter().map(|record| record.line).collect();
    let out =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(output).map_err(OriginalError::Output)?;
    let mut writer = Writer {
        out: BufWriter::new(out),
        dialect,
        encoding: file.form.encoding(),
        records,
        last: Vec::new(),
        written: 0,
    };
    original::copy(file, &shape, &lines, &mut writer)?;
    file.check_unchanged()?;
    writer.finish().map_err(OriginalError::Output)
}

/// Writes records with what is added behind them.
struct Writer<'r> {
    out: BufWriter<fs::File>,
    dialect: &'r Dialect,
    encoding: &'static Encoding,
    records: &'r [Reject<'r>],
    /// Records that can't be read wait for the end.
    last: Vec<u8>,
    written: u64,
}

impl Writer<'_> {
    /// `bytes` with `cells` before the end of its last line.
    fn extended(&self, bytes: &[u8], cells: &[String; 4]) -> Vec<u8> {
        let ends = ["\r\n", "\n"].map(|end| encoded(end, self.encoding));
        let end = ends.iter().find(|end| bytes.ends_with(end)).unwrap_or(&ends[1]);
        let mut line = bytes.strip_suffix(end.as_slice()).unwrap_or(bytes).to_vec();
        for cell in cells {
            line.extend(encoded(&self.quoted(cell), self.encoding));
        }
        line.extend(end);
        line
    }

    /// The delimiter, and the cell behind it as the file's dialect writes one.
    fn quoted(&self, cell: &str) -> String {
        let delimiter = char::from(self.dialect.delimiter);
        match self.dialect.quote.map(char::from) {
            Some(quote) if cell.contains([delimiter, quote, '\n', '\r']) => {
                format!("{delimiter}{quote}{}{quote}", cell.replace(quote, &format!("{quote}{quote}")))
            }
            Some(_) => format!("{delimiter}{cell}"),
            None => format!("{delimiter}{}", cell.replace([delimiter, '\n', '\r'], " ")),
        }
    }

    fn finish(mut self) -> io::Result<u64> {
        self.out.write_all(&self.last)?;
        self.out.flush()?;
        Ok(self.written)
    }
}

impl OriginalSink for Writer<'_> {
    fn header(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let header = self.extended(bytes, &COLUMNS.map(str::to_owned));
        self.out.write_all(&header)
    }

    fn record(&mut self, line: u64, bytes: &[u8]) -> io::Result<()> {
        let Ok(at) = self.records.binary_search_by_key(&line, |record| record.line) else { return Ok(()) };
        let record = &self.records[at];
        let extended = self.extended(bytes, &record.cells());
        self.written += 1;
        if record.is_unreadable() {
            self.last.extend(extended);
            return Ok(());
        }
        self.out.write_all(&extended)
    }
}

/// The name of the file that takes the rejects of `name`.
fn unique_name(rejects: &Rejects, name: &str) -> String {
    let plain = without_compression(name).replace('/', "_");
    let is_taken = rejects.files.iter().any(|file| file.output.as_deref() == Some(plain.as_str()));
    if is_taken { format!("{}.csv", name.replace('/', "_")) } else { plain }
}

/// Where to look for what could not be written.
pub(super) fn problems(rejects: &Rejects) -> impl Iterator<Item = String> {
    rejects.files.iter().filter_map(|file| {
        let problem = file.problem.as_ref()?;
        let path: PathBuf = file.file.clone().into();
        Some(format!("{}: {} records to send back were not written: {problem}", path.display(), file.records))
    })
}
