//! The payload store: every ready payload, compressed, in one file a build.
//!
//! A file is a row of zstd blocks of about a MiB of payloads; the ledger keeps each payload's place. A payload is
//! read back only if its digest is right.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use zstd::zstd_safe::CParameter;

use crate::account::Digest;
use crate::write_behind::WriteBehind;

/// Blocks are written once and read once: speed before size.
const ZSTD_LEVEL: i32 = 1;
/// A table of 32 KiB, which stays in the nearest cache: a fifth faster than the level's own, and as small a block.
const HASH_LOG: u32 = 13;
/// The largest block that is read back, in bytes.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system said no.
    #[error("failed to {doing} {path}", path = path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// A block could not be compressed.
    #[error("failed to compress payloads")]
    Compress(#[source] io::Error),
    /// A block is not what was written.
    #[error("the payload at byte {offset} of {path} is damaged; build again to replace it", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where its block starts.
        offset: u64,
    },
}

/// Some payloads, compressed.
#[derive(Debug, Default)]
pub struct Block {
    compressed: Vec<u8>,
}

/// Makes blocks, one after the other.
pub struct Compressor(zstd::bulk::Compressor<'static>);

impl Compressor {
    /// A compressor.
    pub fn new() -> Result<Self, StoreError> {
        let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(StoreError::Compress)?;
        compressor.set_parameter(CParameter::HashLog(HASH_LOG)).map_err(StoreError::Compress)?;
        Ok(Self(compressor))
    }

    /// Compresses `bytes` into a block, in the memory of `used`, a block that is done with.
    pub fn compress(&mut self, bytes: &[u8], used: Block) -> Result<Block, StoreError> {
        let mut compressed = used.compressed;
        compressed.clear();
        compressed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.0.compress_to_buffer(bytes, &mut compressed).map_err(StoreError::Compress)?;
        Ok(Block { compressed })
    }
}

/// Where a payload lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where its block starts.
    pub block_offset: u64,
    /// How long the block is.
    pub block_bytes: u32,
    /// Where the payload starts in the block, decompressed.
    pub start: u32,
    /// How long the payload is.
    pub bytes: u32,
}

/// Writes a store.
#[derive(Debug)]
pub struct PayloadWriter {
    file: WriteBehind,
    path: PathBuf,
    offset: u64,
}

impl PayloadWriter {
    /// Starts the store of `build` in `directory`.
    pub fn create(directory: &Path, build: &str) -> Result<Self, StoreError> {
        let path = path(directory, build);
        let error = |doing| {
            let path = path.clone();
            move |source| StoreError::File { doing, path, source }
        };
        std::fs::create_dir_all(directory).map_err(error("create"))?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        Ok(Self { file: WriteBehind::new(file.map_err(error("create"))?), path, offset: 0 })
    }

    /// Appends `block`; gives its place.
    pub fn append(&mut self, block: &Block) -> Result<(u64, u32), StoreError> {
        let offset = self.offset;
        self.file.write_all(&block.compressed).map_err(|source| self.error("write", source))?;
        self.offset += block.compressed.len() as u64;
        Ok((offset, block.compressed.len() as u32))
    }

    /// Makes sure that everything is on the disk.
    pub fn finish(self) -> Result<(), StoreError> {
        self.file.file().sync_all().map_err(|source| self.error("write", source))?;
        // The ledger is about to name the file: its name must be as durable as its bytes.
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| self.error("write", source))
    }

    fn error(&self, doing: &'static str, source: io::Error) -> StoreError {
        StoreError::File { doing, path: self.path.clone(), source }
    }
}

/// Removes the stores of all builds but those in `wanted`.
pub fn prune(directory: &Path, wanted: &[String]) -> Result<(), StoreError> {
    let error = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { doing, path, source }
    };
    for entry in std::fs::read_dir(directory).map_err(error("read", directory))? {
        let path = entry.map_err(error("read", directory))?.path();
        let build = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|extension| extension == "zst") && !wanted.iter().any(|known| *known == build) {
            std::fs::remove_file(&path).map_err(error("remove", &path))?;
        }
    }
    Ok(())
}

/// Reads payloads back. The block read last is kept: payloads are read in the order in which they were written.
#[derive(Debug)]
pub struct PayloadReader {
    directory: PathBuf,
    last: Mutex<Option<ReadBlock>>,
}

/// A block that has been read.
#[derive(Debug)]
struct ReadBlock {
    build: String,
    offset: u64,
    bytes: Arc<Vec<u8>>,
}

impl PayloadReader {
    /// A reader of the stores in `directory`.
    #[must_use]
    pub fn open(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), last: Mutex::new(None) }
    }

    /// The payload at `place` of the store of `build`, if its digest is `digest`.
    pub fn read(&self, place: &Place, build: &str, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let block = self.block(place, build)?;
        let range = place.start as usize..place.start as usize + place.bytes as usize;
        match block.get(range) {
            Some(payload) if Digest::of(payload) == *digest => Ok(payload.to_vec()),
            _ => Err(StoreError::Damaged { path: path(&self.directory, build), offset: place.block_offset }),
        }
    }

    fn block(&self, place: &Place, build: &str) -> Result<Arc<Vec<u8>>, StoreError> {
        // A poisoned lock holds a whole block all the same.
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = &*last
            && known.build == build
            && known.offset == place.block_offset
        {
            return Ok(known.bytes.clone());
        }
        let path = path(&self.directory, build);
        let file =
            File::open(&path).map_err(|source| StoreError::File { doing: "read", path: path.clone(), source })?;
        let damaged = || StoreError::Damaged { path: path.clone(), offset: place.block_offset };
        let mut compressed = vec![0; place.block_bytes as usize];
        file.read_exact_at(&mut compressed, place.block_offset).map_err(|_| damaged())?;
        let length = zstd::bulk::Decompressor::upper_bound(&compressed).unwrap_or(BLOCK_BYTES_MAX);
        let bytes = zstd::bulk::decompress(&compressed, length.min(BLOCK_BYTES_MAX)).map_err(|_| damaged())?;
        let bytes = Arc::new(bytes);
        *last = Some(ReadBlock { build: build.to_owned(), offset: place.block_offset, bytes: bytes.clone() });
        Ok(bytes)
    }
}

fn path(directory: &Path, build: &str) -> PathBuf {
    directory.join(format!("{build}.zst"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(payloads: &[&str]) -> (tempfile::TempDir, Vec<(Place, Digest)>) {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = PayloadWriter::create(directory.path(), "b1").unwrap();
        let mut compressor = Compressor::new().unwrap();
        let mut places = Vec::new();
        for payload in payloads {
            let (block_offset, block_bytes) =
                writer.append(&compressor.compress(payload.as_bytes(), Block::default()).unwrap()).unwrap();
            let place = Place { block_offset, block_bytes, start: 0, bytes: payload.len() as u32 };
            places.push((place, Digest::of(payload.as_bytes())));
        }
        writer.finish().unwrap();
        (directory, places)
    }

    #[test]
    fn payloads_come_back_as_they_were_written() {
        let payloads = ["{\"a\":1}", "{\"b\":2}"];
        let (directory, places) = stored(&payloads);
        let reader = PayloadReader::open(directory.path());
        for ((place, digest), payload) in places.iter().zip(payloads) {
            assert_eq!(reader.read(place, "b1", digest).unwrap(), payload.as_bytes());
        }
    }

    #[test]
    fn a_damaged_block_is_told_and_not_sent() {
        let (directory, places) = stored(&["{\"a\":1}", "{\"b\":2}"]);
        let file = directory.path().join("b1.zst");
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 0xff;
        std::fs::write(&file, bytes).unwrap();
        let reader = PayloadReader::open(directory.path());
        assert!(reader.read(&places[0].0, "b1", &places[0].1).is_ok());
        let error = reader.read(&places[1].0, "b1", &places[1].1).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
