//! Extract: the bytes of flat files become records.
//!
//! A file is cut into regions of whole lines that are read in parallel ([`region`]); a region's bytes are cut into
//! records where they lie, lines with quotes with the help of the csv crate ([`record`]). One record that cannot be read is
//! quarantined and the rest goes on. Files that are compressed, or in another encoding than UTF-8, are read from their
//! start in a stream ([`stream`]). What the sender promised about the files is checked in [`manifest`], what the files
//! say of themselves in [`control`]. Records can be copied as they came: [`original`].
//!
//! Knows nothing of types, keys or accounts: that is the stage's.

pub mod control;
pub mod manifest;
pub mod original;
pub mod record;
pub mod region;
mod separators;
pub mod stream;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::account::Digest;
use crate::mapping::Dialect;
use stream::Form;

/// A file of the extract that plays a table's part, its header read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its name relative to the extract directory, as findings tell it.
    pub name: Arc<str>,
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: SystemTime,
    /// The names in its header; empty when the file is.
    pub header: Vec<String>,
    /// Physical lines up to the end of the header: 1, unless blank lines stand before it; 0 for an empty file.
    pub header_lines: u64,
    /// Offset of the first byte after the header, in the file's text.
    pub data_start: u64,
    /// How its bytes become text.
    pub form: Form,
}

/// Why a file cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The operating system said no.
    #[error("failed to read {path}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The pattern of a table is no glob.
    #[error("table `{table}`: `{pattern}` is no file pattern: {message}")]
    Pattern {
        /// The table.
        table: String,
        /// What the mapping says.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// No file plays a table's part.
    #[error("table `{table}`: no file matches `{pattern}` in {directory}", directory = directory.display())]
    NoFile {
        /// The table.
        table: String,
        /// What the mapping says.
        pattern: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The first line is no header.
    #[error("{path}:1: the header cannot be read: {message}", path = path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A compressed file is damaged, or not what its name says.
    #[error(
        "{path} cannot be decompressed: {message}; get it again from its sender, or rename it if it is not compressed",
        path = path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// What the decompressor said.
        message: String,
    },
    /// The manifest cannot be used.
    #[error("{path}:{line}: {message}", path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What was found and what was expected.
        message: String,
    },
    /// A file was written to while it was read.
    #[error("{path} changed while it was read; run again when it is complete", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl ExtractError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

/// The files in `directory` that match `pattern`, by name, their headers read; with `names`, they have none, and their
/// cells are called so.
pub fn find_files(
    directory: &Path,
    table: &str,
    pattern: &str,
    dialect: &Dialect,
    names: &[String],
) -> Result<Vec<SourceFile>, ExtractError> {
    let full = directory.join(pattern);
    let bad_pattern = |message: String| ExtractError::Pattern { table: table.into(), pattern: pattern.into(), message };
    let escaped = glob::Pattern::escape(&directory.display().to_string());
    let paths = glob::glob(&format!("{escaped}/{pattern}")).map_err(|error| bad_pattern(error.to_string()))?;
    let mut found: Vec<PathBuf> = paths
        .map(|path| path.map_err(|error| ExtractError::Read { path: full.clone(), source: error.into() }))
        .collect::<Result<_, _>>()?;
    found.retain(|path| path.is_file());
    found.sort();
    if found.is_empty() {
        return Err(ExtractError::NoFile { table: table.into(), pattern: pattern.into(), directory: directory.into() });
    }
    found.into_iter().map(|path| open(directory, path, dialect, names)).collect()
}

/// The text of the file at `path`, decompressed and decoded.
pub fn open_text(path: &Path, dialect: &Dialect) -> Result<impl io::Read + use<>, ExtractError> {
    stream::open(path, Form::of(path, dialect.encoding))
}

/// The file at `path`, which lies in `directory`, its header read, unless its cells are called by `names`.
pub fn open(directory: &Path, path: PathBuf, dialect: &Dialect, names: &[String]) -> Result<SourceFile, ExtractError> {
    let form = Form::of(&path, dialect.encoding);
    let metadata = std::fs::metadata(&path).map_err(ExtractError::read(&path))?;
    let (bytes, modified) = (metadata.len(), metadata.modified().map_err(ExtractError::read(&path))?);
    let mut text = stream::open(&path, form)?;
    let mut head = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let end = loop {
        // A file without a byte is an empty table, compressed or not.
        let read = if bytes == 0 { 0 } else { text.read(&mut chunk).map_err(stream::broken(&path, form))? };
        head.extend_from_slice(&chunk[..read]);
        if let Some(end) = header_end(&head) {
            head.truncate(end);
            break end;
        }
        if read == 0 || head.len() > record::RECORD_BYTES_MAX {
            break head.len();
        }
    };
    let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string().into();
    if !names.is_empty() {
        let data_start = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let header = if head.is_empty() { Vec::new() } else { names.to_vec() };
        return Ok(SourceFile { name, path, bytes, modified, header, header_lines: 0, data_start, form });
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let mut cells = csv::ByteRecord::new();
    record::csv_reader(dialect, text)
        .read_byte_record(&mut cells)
        .map_err(|error| ExtractError::Header { path: path.clone(), message: error.to_string() })?;
    let header = cells
        .iter()
        .map(|cell| String::from_utf8(cell.trim_ascii().to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ExtractError::Header { path: path.clone(), message: "it is not UTF-8".into() })?;
    let header_lines = memchr::memchr_iter(b'\n', &head).count() as u64;
    Ok(SourceFile { name, path, bytes, modified, header, header_lines, data_start: end as u64, form })
}

/// The end of the first line of `head` that is not blank, if it is there.
fn header_end(head: &[u8]) -> Option<usize> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', head).map(|at| at + 1) {
        if !head[start..end].trim_ascii().is_empty() {
            return Some(end);
        }
        start = end;
    }
    None
}

impl SourceFile {
    /// An error if somebody has written to the file since it was opened first.
    pub fn check_unchanged(&self) -> Result<(), ExtractError> {
        let metadata = std::fs::metadata(&self.path).map_err(ExtractError::read(&self.path))?;
        let modified = metadata.modified().map_err(ExtractError::read(&self.path))?;
        if (metadata.len(), modified) == (self.bytes, self.modified) {
            return Ok(());
        }
        Err(ExtractError::Changed { path: self.path.clone() })
    }
}

/// SHA-256 of the whole file, as `sha256sum` would print it.
pub fn digest(path: &Path) -> Result<Digest, ExtractError> {
    let mut file = File::open(path).map_err(ExtractError::read(path))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut chunk).map_err(ExtractError::read(path))?;
        if read == 0 {
            return Ok(Digest(hasher.finalize().into()));
        }
        hasher.update(&chunk[..read]);
    }
}
