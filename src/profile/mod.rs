//! Profile: what is in an extract that nobody has told us anything about.
//!
//! ```text
//! encoding   bytes → what they are written in
//! dialect    the head of a file → delimiter, quote, header or positions, record types
//! reading    records of a file, on all threads, into whatever counts them
//! column     one column's counts: blanks, distinct values, lengths, kinds, shapes
//! keys       which columns name a record, which name a record of another file, and how many don't
//! text, html the profile for people
//! ```
//!
//! Every file is read in a stream; what is kept of a column is bounded, whatever the column holds. A count of distinct
//! values is exact up to [`column::FEW`] values and for every column that may be a key, and an estimate otherwise; the
//! profile says which. Values leave this module only where [`Options::show_values`] allows it: else there are shapes.
//!
//! Knows nothing of mappings or of the contract; drafting a mapping from a profile is [`crate::draft`]'s.

mod column;
mod dialect;
mod distinct;
mod encoding;
mod html;
mod keys;
mod kinds;
mod model;
mod reading;
mod shapes;
mod text;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::extract::ExtractError;

pub use column::FEW;
pub use model::{Column, ColumnType, Distinct, FileProfile, Key, Profile, RecordType, Reference, Share, Unreadable};

use reading::Source;

/// What to profile, and what to show.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the files.
    pub directory: PathBuf,
    /// Whether the profile may hold cells' values: extremes and codes. They may be personal data.
    pub show_values: bool,
}

/// Why a profile cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A file can't be read.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// There is nothing to profile.
    #[error("no file of records in {}: looked for names with .csv, .txt, .dat, .psv, .tsv or .tab, also .gz and .zst", directory.display())]
    NoFiles {
        /// Where it was looked.
        directory: PathBuf,
    },
}

/// How far a profile is: told while it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The files are read: columns are counted.
    Columns {
        /// Bytes of all files.
        bytes: u64,
    },
    /// Some of the files are read again: keys and references are counted.
    Keys {
        /// Bytes of these files, each as often as it is read.
        bytes: u64,
    },
}

/// Who is told how far a profile is.
pub trait Watch: Sync {
    /// A step begins.
    fn begin(&self, step: Step);
    /// So many bytes more of the step are done.
    fn advance(&self, bytes: u64);
}

/// Profiles the files that `options` name.
pub fn profile(options: &Options, watch: &impl Watch) -> Result<Profile, ProfileError> {
    let paths = files(&options.directory)?;
    let sources = paths.into_par_iter().map(|path| Source::open(&options.directory, path));
    let sources: Vec<Source> = sources.collect::<Result<_, ExtractError>>()?;
    watch.begin(Step::Columns { bytes: sources.iter().map(Source::bytes).sum() });
    let counted = sources.into_par_iter().map(|source| source.count(watch));
    let mut counted = counted.collect::<Result<Vec<_>, ExtractError>>()?;
    let found = keys::find(&mut counted, watch)?;
    Ok(model::finish(&options.directory, counted, &found, options.show_values))
}

/// The files of `directory` that may hold records, by name.
fn files(directory: &Path) -> Result<Vec<PathBuf>, ProfileError> {
    const ENDINGS: [&str; 6] = ["csv", "txt", "dat", "psv", "tsv", "tab"];
    let entries = std::fs::read_dir(directory).map_err(ExtractError::read(directory))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(ExtractError::read(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        let is_records = plain.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending));
        if is_records && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(ProfileError::NoFiles { directory: directory.to_owned() });
    }
    Ok(paths)
}
