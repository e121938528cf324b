//! Payloads as NDJSON: into a file, compressed if its name ends in `.zst`, or to standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::Error;
use crate::write_behind::WriteBehind;

/// Compression of an exported file: it is read by other programs, often over a network.
const ZSTD_LEVEL: i32 = 3;

/// Where `--out` goes.
pub(super) struct PayloadOutput {
    place: String,
    to: To,
}

enum To {
    File(WriteBehind),
    Compressed(Box<zstd::stream::write::Encoder<'static, WriteBehind>>),
    Standard(io::Stdout),
}

impl PayloadOutput {
    /// Opens `path`; `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let place = if path == Path::new("-") { "standard output".into() } else { path.display().to_string() };
        let error = |source| Error::Output { place: place.clone(), source };
        let to = if path == Path::new("-") {
            To::Standard(io::stdout())
        } else {
            // Payloads are personal data: theirs alone who made them.
            let file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(error)?;
            let file = WriteBehind::new(file);
            if path.extension().is_some_and(|extension| extension == "zst") {
                To::Compressed(Box::new(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(error)?))
            } else {
                To::File(file)
            }
        };
        Ok(Self { place, to })
    }

    /// Writes some payloads, a line feed after each.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match &mut self.to {
            To::File(file) => file.write_all(bytes),
            To::Compressed(encoder) => encoder.write_all(bytes),
            To::Standard(stdout) => match stdout.write_all(bytes) {
                // Whoever read has had enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            },
        };
        written.map_err(|source| Error::Output { place: self.place.clone(), source })
    }

    /// Makes sure that everything is written.
    pub(super) fn finish(self) -> Result<(), Error> {
        let finished = match self.to {
            To::File(mut file) => file.flush(),
            To::Compressed(encoder) => encoder.finish().map(|_| ()),
            To::Standard(mut stdout) => stdout.flush(),
        };
        finished.map_err(|source| Error::Output { place: self.place, source })
    }
}
