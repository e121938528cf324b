//! Synthetic extracts of any size in the layout of Tentacle Energy, clean or with known defects.
//!
//! Nobody in them exists. Clean data keeps every promise of the layout: balances add up to the penny, check digits are
//! right, agreements and statements meet, readings never fall, every active meter has its transfer reading. A dirty
//! extract differs from the clean one of the same seed in one record an account, and `TRUTH.csv` says which.
//!
//! Accounts are drawn one after the other, each with a random stream of its own, and leave through a window a file; so
//! memory is bounded, and the same numbers give the same bytes. Only the truth about damaged records waits for the end.
//!
//! ```text
//! account   one account's records in all 25 files: people, supply, readings, billing, trimmings
//! defects   what is broken on purpose, and what a correct program makes of it
//! output    the files, shuffled; MANIFEST.csv, TRUTH.csv; codes: the lookups beside them
//! ```

mod account;
mod billing;
mod cell;
mod codes;
mod defects;
mod draw;
mod ids;
mod output;
mod people;
mod readings;
mod supply;
mod tables;
#[cfg(test)]
mod tests;
mod trimmings;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use account::Book;
use draw::Draw;

/// Most accounts an extract may have: legacy ids have a fixed number of digits.
pub const ACCOUNTS_MAX: u64 = 50_000_000;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to write; no file that is written may be there yet.
    pub out: PathBuf,
    /// How many accounts, at most [`ACCOUNTS_MAX`].
    pub accounts: u64,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// The share of accounts with a defect, from 0 to 1.
    pub dirty: f64,
}

/// What was generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Extract files, lookups and lists not counted.
    pub files: usize,
    /// Data records in them.
    pub records: u64,
    /// Damaged records.
    pub defects: usize,
}

/// Why nothing, or not all, was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The share of dirty accounts is none.
    #[error("a share of {0} accounts cannot be dirty: expected a number from 0 to 1")]
    Share(f64),
    /// Too many accounts.
    #[error("{0} accounts are too many: legacy ids last for {ACCOUNTS_MAX}")]
    Accounts(u64),
    /// A file is in the way, or cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl GenerateError {
    fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// What to do next, where the message alone does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("name a folder without extract files: nothing is overwritten".to_owned())
            }
            _ => None,
        }
    }
}

/// Writes the extract that `options` asks for; `each` is called after every account.
pub fn generate(options: &Options, mut each: impl FnMut()) -> Result<Summary, GenerateError> {
    if !(0.0..=1.0).contains(&options.dirty) {
        return Err(GenerateError::Share(options.dirty));
    }
    if options.accounts > ACCOUNTS_MAX {
        return Err(GenerateError::Accounts(options.accounts));
    }
    let mut extract = output::Extract::create(&options.out, options.seed)?;
    codes::write(&options.out)?;
    let mut book = Book { ids: ids::Numbering::new(options.seed), codes: codes::Codes::new() };
    let mut turns = defects::Turns::new();
    for number in 0..options.accounts {
        let mut records = account::next(&mut book, &mut Draw::new(options.seed, *b"account ", number));
        let damage = is_dirty(number, options.dirty).then(|| turns.choose(&mut records)).flatten();
        extract.put(&records, damage.as_ref(), &mut Draw::new(options.seed, *b"defect  ", number))?;
        each();
    }
    extract.finish()
}

/// Whether account `number` is one of the dirty ones, which are spread evenly: of the first `n`, `n` times `share` are.
fn is_dirty(number: u64, share: f64) -> bool {
    let millionths = (share * 1_000_000.0).round() as u64;
    (number + 1) * millionths / 1_000_000 > number * millionths / 1_000_000
}
