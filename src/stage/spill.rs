//! Where the stage keeps what it has read: a file of blocks, or memory for the few records of a test.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::StageError;

/// Where the stage of an extract is kept.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In files below a directory: what does not fit into memory, and what later builds use again.
    Directory(PathBuf),
    /// In memory.
    Memory,
}

/// Blocks of bytes, written from all threads at once, read back from all threads at once.
#[derive(Debug)]
pub(super) struct Spill {
    blocks: Blocks,
    /// Where the next block goes.
    end: AtomicU64,
}

#[derive(Debug)]
enum Blocks {
    File { file: File, path: PathBuf },
    Memory(Mutex<Vec<u8>>),
}

impl Storage {
    /// A new file called `name`, or memory.
    pub(super) fn create(&self, name: &str) -> Result<Spill, StageError> {
        let blocks = match self {
            Self::Directory(directory) => {
                let path = directory.join(name);
                let mut options = OpenOptions::new();
                // The extract is personal data: theirs alone who stage it.
                let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
                let file = options.open(&path).map_err(|source| error("create", &path, source))?;
                Blocks::File { file, path }
            }
            Self::Memory => Blocks::Memory(Mutex::default()),
        };
        Ok(Spill { blocks, end: AtomicU64::new(0) })
    }

    /// The file called `name`, written earlier.
    pub(super) fn open(&self, name: &str) -> Result<Spill, StageError> {
        let Self::Directory(directory) = self else { return self.create(name) };
        let path = directory.join(name);
        let file = File::open(&path).map_err(|source| error("open", &path, source))?;
        Ok(Spill { blocks: Blocks::File { file, path }, end: AtomicU64::new(0) })
    }

    /// A file without a name, gone with its last user, or memory.
    pub(super) fn scratch(&self, name: &str) -> Result<Spill, StageError> {
        let spill = self.create(name)?;
        if let Blocks::File { path, .. } = &spill.blocks {
            std::fs::remove_file(path).map_err(|source| error("remove", path, source))?;
        }
        Ok(spill)
    }
}

impl Spill {
    /// Writes a block; gives its place.
    pub(super) fn append(&self, block: &[u8]) -> Result<u64, StageError> {
        let offset = self.end.fetch_add(block.len() as u64, Ordering::Relaxed);
        match &self.blocks {
            Blocks::File { file, path } => {
                file.write_all_at(block, offset).map_err(|source| error("write", path, source))?;
                Ok(offset)
            }
            Blocks::Memory(bytes) => {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                let offset = bytes.len() as u64;
                bytes.extend_from_slice(block);
                Ok(offset)
            }
        }
    }

    /// Fills `block` with what lies at `offset`.
    pub(super) fn read(&self, offset: u64, block: &mut [u8]) -> Result<(), StageError> {
        match &self.blocks {
            Blocks::File { file, path } => {
                file.read_exact_at(block, offset).map_err(|source| error("read", path, source))
            }
            Blocks::Memory(bytes) => {
                let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                let start = offset as usize;
                block.copy_from_slice(&bytes[start..start + block.len()]);
                Ok(())
            }
        }
    }
}

fn error(doing: &'static str, path: &Path, source: io::Error) -> StageError {
    StageError::Storage { doing, path: path.to_owned(), source }
}
