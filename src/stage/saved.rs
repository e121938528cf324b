//! A stage kept from an earlier build: what has not changed since is not read again.
//!
//! What was staged lies in the stage's directory already ([`super::spill`]); what a build keeps in memory beside it is
//! written there at its end. A later build uses a table again if
//!
//! | | |
//! | --- | --- |
//! | it was staged by the same | mapping, lookups, contract and version of slipway |
//! | its files are | as many, of the same names and the same bytes |
//! | the tables its records find their parents in | are used again |
//!
//! A file whose size, times and number on its disk are what they were has the bytes it had: it is not read even for its
//! digest. The description of a stage is removed before anything of the stage is written over, and written when all of
//! it is there, so that a build that was killed leaves no stage rather than a false one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::faults::FaultKind;
use super::keys::{KeyBytes, KeyIndex, Place};
use super::lines::LineIndex;
use super::money::TableMoney;
use super::piece::Chunk;
use super::promised::Counted;
use super::reading::Partitions;
use super::rows::Quarantined;
use super::spill::Storage;
use super::{JoinMiss, Naming, SameKey, Stage, StageError, StagedFile, Stray, TableStage, Torn};
use crate::account::Digest;
use crate::cut::{self, CutPoint};
use crate::extract::control::Totals;
use crate::extract::{self, SourceFile};
use crate::mapping::plan::{Plan, TablePlan};

/// The name of a stage's description.
const NAME: &str = "stage.description";
/// Says what the file is, and by which version of slipway it was written: nothing else can read it.
const MAGIC: &str = concat!("slipway stage ", env!("CARGO_PKG_VERSION"), " 3\n");

/// A stage as an earlier build left it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedStage {
    /// What it was staged by.
    plan: [u8; 32],
    pub(super) partitions: Partitions,
    pub(super) accounts: Accounts,
    pub(super) kinds: Vec<FaultKind>,
    tables: Vec<SavedTable>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedTable {
    files: Vec<SavedFile>,
    rows: u32,
    quarantined: Vec<Quarantined>,
    strays: Vec<Stray>,
    torn: Vec<Torn>,
    duplicates: Vec<SameKey>,
    conflicts: Vec<SameKey>,
    misses: Vec<JoinMiss>,
    firsts: Vec<u32>,
    chunks: Vec<Vec<Chunk>>,
    money: TableMoney,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedFile {
    name: Arc<str>,
    stamp: Stamp,
    digest: [u8; 32],
    first_row: u32,
    rows: u32,
    records_read: u64,
    lines: LineIndex,
    totals: Totals,
    counted: Counted,
}

/// What tells without reading it that a file is the one it was: no program can set the time of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    number: (u64, u64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            number: (metadata.dev(), metadata.ino()),
        })
    }
}

/// The digests of an extract's files that are known so far.
pub type Digests = BTreeMap<PathBuf, Digest>;

impl SavedStage {
    /// The stage that was saved in `directory`, if it was staged by `plan`; none too if it cannot be read, since all
    /// of it can be made again.
    #[must_use]
    pub fn open(directory: &Path, plan: &Digest) -> Option<Self> {
        let bytes = std::fs::read(directory.join(NAME)).ok()?;
        let (digest, rest) = bytes.strip_prefix(MAGIC.as_bytes())?.split_first_chunk::<32>()?;
        let saved: Self = (Digest::of(rest).0 == *digest).then(|| postcard::from_bytes(rest).ok()).flatten()?;
        (saved.plan == plan.0).then_some(saved)
    }

    /// Which of the tables of `plan`, whose files are now `sources`, can be used again; and the digests of files found on
    /// the way.
    pub fn usable(&self, sources: &[Vec<SourceFile>], plan: &Plan) -> Result<(Vec<bool>, Digests), StageError> {
        let mut digests = Digests::new();
        let mut usable: Vec<bool> = Vec::with_capacity(sources.len());
        for (table, files) in self.tables.iter().zip(sources) {
            let mut same = table.files.len() == files.len();
            for (saved, file) in table.files.iter().zip(files) {
                let digest = if Stamp::of(&file.path) == Some(saved.stamp) {
                    Digest(saved.digest)
                } else {
                    extract::digest(&file.path)?
                };
                same &= saved.name == file.name && digest.0 == saved.digest;
                digests.insert(file.path.clone(), digest);
            }
            usable.push(same);
        }
        usable.resize(sources.len(), false);
        drop_dependent(&mut usable, plan);
        Ok((usable, digests))
    }

    /// Takes table `number` out, whose files are now `sources`.
    pub(super) fn table(
        &mut self,
        (number, plan): (usize, &TablePlan),
        sources: &[SourceFile],
        storage: &Storage,
    ) -> Result<TableStage, StageError> {
        let saved = &mut self.tables[number];
        let files = std::mem::take(&mut saved.files).into_iter().zip(sources).map(|(file, source)| StagedFile {
            source: source.clone(),
            first_row: file.first_row,
            rows: file.rows,
            records_read: file.records_read,
            lines: file.lines,
            totals: file.totals,
            counted: file.counted,
        });
        Ok(TableStage {
            files: files.collect(),
            rows: saved.rows,
            quarantined: std::mem::take(&mut saved.quarantined),
            strays: std::mem::take(&mut saved.strays),
            torn: std::mem::take(&mut saved.torn),
            duplicates: std::mem::take(&mut saved.duplicates),
            conflicts: std::mem::take(&mut saved.conflicts),
            misses: std::mem::take(&mut saved.misses),
            joined: Vec::new(),
            naming: Naming::new(plan),
            firsts: std::mem::take(&mut saved.firsts),
            chunks: std::mem::take(&mut saved.chunks),
            spill: storage.open(&super::rows_name(number))?,
            money: std::mem::take(&mut saved.money),
        })
    }
}

/// Of the tables that are the same, drops those that need one that is not; and those that are there to be joined, if one
/// that joins them is read again, since which of their records are found is known from that.
fn drop_dependent(usable: &mut [bool], plan: &Plan) {
    let mut changed = true;
    while changed {
        changed = false;
        for number in 0..usable.len() {
            let needed = plan.tables[number].needs().all(|needed| usable[needed]);
            let joined = !plan.tables[number].has_entities
                && plan
                    .tables
                    .iter()
                    .zip(usable.iter())
                    .any(|(other, usable)| !usable && other.needs().any(|needed| needed == number));
            if usable[number] && (!needed || joined) {
                usable[number] = false;
                changed = true;
            }
        }
    }
}

/// Forgets what is saved in `storage`, before anything of it is written over.
pub(super) fn forget(storage: &Storage) -> Result<(), StageError> {
    match storage {
        Storage::Directory(directory) => SavedStage::forget(directory),
        Storage::Memory => Ok(()),
    }
}

impl SavedStage {
    /// Forgets what is saved in `directory`: the next build reads everything.
    pub fn forget(directory: &Path) -> Result<(), StageError> {
        let path = directory.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StageError::Storage { doing: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }
}

impl Stage {
    /// Saves the stage in `directory`, where its rows are, for builds by `plan`; `digests` are those of its files.
    pub fn save(&self, directory: &Path, plan: &Digest, digests: &Digests) -> Result<(), StageError> {
        let mut tables = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            let mut files = Vec::with_capacity(table.files.len());
            for file in &table.files {
                let known = Stamp::of(&file.source.path).zip(digests.get(&file.source.path));
                // A file that is gone by now is not worth remembering, nor is a stage without it.
                let Some((stamp, digest)) = known else { return Ok(()) };
                files.push(SavedFile {
                    name: file.source.name.clone(),
                    stamp,
                    digest: digest.0,
                    first_row: file.first_row,
                    rows: file.rows,
                    records_read: file.records_read,
                    lines: file.lines.clone(),
                    totals: file.totals.clone(),
                    counted: file.counted.clone(),
                });
            }
            tables.push(SavedTable {
                files,
                rows: table.rows,
                quarantined: table.quarantined.clone(),
                strays: table.strays.clone(),
                torn: table.torn.clone(),
                duplicates: table.duplicates.clone(),
                conflicts: table.conflicts.clone(),
                misses: table.misses.clone(),
                firsts: table.firsts.clone(),
                chunks: table.chunks.clone(),
                money: table.money.clone(),
            });
        }
        let saved = SavedStageRef {
            plan: plan.0,
            partitions: self.partitions,
            accounts: &self.accounts,
            kinds: &self.kinds,
            tables,
        };
        let path = directory.join(NAME);
        let error = |doing| {
            let path = path.clone();
            move |source| StageError::Storage { doing, path, source }
        };
        let bytes = postcard::to_stdvec(&saved).map_err(std::io::Error::other).map_err(error("write"))?;
        let new = directory.join("stage.new");
        let mut file = private(&new).map_err(error("write"))?;
        let written = file
            .write_all(MAGIC.as_bytes())
            .and_then(|()| file.write_all(&Digest::of(&bytes).0))
            .and_then(|()| file.write_all(&bytes));
        written.map_err(error("write"))?;
        cut::reached(CutPoint::MidStage);
        std::fs::rename(&new, &path).map_err(error("write"))
    }
}

/// [`SavedStage`], borrowed.
#[derive(Serialize)]
struct SavedStageRef<'s> {
    plan: [u8; 32],
    partitions: Partitions,
    accounts: &'s Accounts,
    kinds: &'s [FaultKind],
    tables: Vec<SavedTable>,
}

/// The keys of a parent table, kept so that its children can be read again without it.
#[derive(Deserialize)]
struct SavedKeys {
    keys: KeyBytes,
    places: Vec<Option<Place>>,
}

/// [`SavedKeys`], borrowed.
#[derive(Serialize)]
struct SavedKeysRef<'k> {
    keys: &'k KeyBytes,
    places: &'k [Option<Place>],
}

/// Saves the keys of table `number`.
pub(super) fn save_keys(
    storage: &Storage,
    number: usize,
    keys: &KeyBytes,
    places: &[Option<Place>],
) -> Result<(), StageError> {
    let Storage::Directory(directory) = storage else { return Ok(()) };
    let path = directory.join(super::index_name(number));
    let error = |source| StageError::Storage { doing: "write", path: path.clone(), source };
    let mut file = BufWriter::new(private(&path).map_err(error)?);
    postcard::to_io(&SavedKeysRef { keys, places }, &mut file).map_err(std::io::Error::other).map_err(error)?;
    file.flush().map_err(error)
}

/// The index of the keys of table `number`, as an earlier build saved them.
pub(super) fn open_keys(storage: &Storage, number: usize) -> Result<KeyIndex, StageError> {
    let Storage::Directory(directory) = storage else { return Ok(KeyIndex::new(&KeyBytes::default(), &[])) };
    let path = directory.join(super::index_name(number));
    let error = |source| StageError::Storage { doing: "read", path: path.clone(), source };
    let bytes = std::fs::read(&path).map_err(error)?;
    let saved: SavedKeys = postcard::from_bytes(&bytes).map_err(std::io::Error::other).map_err(error)?;
    Ok(KeyIndex::new(&saved.keys, &saved.places))
}

/// A new file for its owner's eyes alone.
fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
