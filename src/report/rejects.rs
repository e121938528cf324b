//! What went back to the losing supplier, by file.

use std::path::PathBuf;

use serde::Serialize;

/// The files of records to send back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejects {
    /// Where they lie.
    pub folder: PathBuf,
    /// Each extract file that has some.
    pub files: Vec<RejectFile>,
}

/// The records of one extract file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectFile {
    /// The extract file.
    pub file: String,
    /// Records that the ledger has something against.
    pub records: u64,
    /// Records that were written.
    pub written: u64,
    /// The file they were written to; none: they were not.
    pub output: Option<String>,
    /// Why not.
    pub problem: Option<String>,
}

impl Rejects {
    /// Whether every record was written.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(|file| file.written == file.records)
    }
}

/// `a.csv.gz` → `a.csv`.
#[must_use]
pub fn without_compression(name: &str) -> &str {
    let ending = [".gz", ".zst"].iter().find(|ending| name.to_ascii_lowercase().ends_with(**ending));
    ending.map_or(name, |ending| &name[..name.len() - ending.len()])
}
