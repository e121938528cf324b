//! Files that are not plain UTF-8: decompressed and decoded in a stream, from their start.
//!
//! `.gz` and `.zst` files are told by their names, encodings by the mapping. What comes out is UTF-8, but for a byte
//! that is no text in either encoding wherever the file has a sequence that its encoding does not know: the record it
//! stands in is set aside, like any other that is no text, and the rest goes on.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

use super::ExtractError;

/// How the bytes of a file become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    compression: Compression,
    encoding: &'static Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Form {
    /// The form of the file at `path`, whose text is in `encoding`.
    #[must_use]
    pub fn of(path: &Path, encoding: &'static Encoding) -> Self {
        let compression = match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") => Compression::Zstd,
            _ => Compression::None,
        };
        Self { compression, encoding }
    }

    /// What its text is written in.
    #[must_use]
    pub fn encoding(self) -> &'static Encoding {
        self.encoding
    }

    /// Whether the file's bytes are its text, so that it can be read from any line on.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.compression == Compression::None && self.encoding == UTF_8
    }
}

/// Opens the file at `path` as text.
pub(crate) fn open(path: &Path, form: Form) -> Result<Box<dyn Read>, ExtractError> {
    let bytes = open_undecoded(path, form)?;
    if form.encoding == UTF_8 {
        return Ok(bytes);
    }
    Ok(Box::new(Decoded::new(bytes, form.encoding)))
}

/// Opens the file at `path`, decompressed, in its own encoding.
pub(super) fn open_undecoded(path: &Path, form: Form) -> Result<Box<dyn Read>, ExtractError> {
    let file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(ExtractError::read(path))?);
    Ok(match form.compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(ExtractError::read(path))?)
        }
    })
}

/// Why a stream ended before its end.
pub(crate) fn broken(path: &Path, form: Form) -> impl FnOnce(io::Error) -> ExtractError {
    let (path, compression) = (path.to_owned(), form.compression);
    move |source| match compression {
        Compression::None => ExtractError::Read { path, source },
        _ => ExtractError::Compressed { path, message: source.to_string() },
    }
}

/// How many bytes are read from the disk, and how many decoded, at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Stands for a sequence that the encoding does not know: no byte of UTF-8.
const UNKNOWN: u8 = 0xff;

/// Text of another encoding, as UTF-8.
struct Decoded<R> {
    bytes: R,
    decoder: Decoder,
    encoding: &'static Encoding,
    /// Bytes not decoded yet.
    raw: Vec<u8>,
    /// Whether `bytes` has come to its end.
    ended: bool,
    /// Text not read yet, from `at` on.
    text: Vec<u8>,
    at: usize,
}

impl<R: Read> Decoded<R> {
    fn new(bytes: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { bytes, decoder, encoding, raw: Vec::new(), ended: false, text: Vec::new(), at: 0 }
    }

    /// Decodes some more.
    fn fill(&mut self) -> io::Result<()> {
        self.raw.resize(BUFFER_BYTES, 0);
        let mut length = 0;
        // As much as there is: a decoder is told of the end once.
        while length < BUFFER_BYTES && !self.ended {
            match self.bytes.read(&mut self.raw[length..]) {
                Ok(0) => self.ended = true,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.text.clear();
        self.at = 0;
        let mut raw = &self.raw[..length];
        while let Some(undefined) = self.undefined(raw) {
            let (before, after) = raw.split_at(undefined);
            decode(&mut self.decoder, before, false, &mut self.text);
            self.text.push(UNKNOWN);
            raw = &after[1..];
        }
        decode(&mut self.decoder, raw, self.ended, &mut self.text);
        Ok(())
    }

    /// The first byte that the encoding leaves undefined. Browsers take such bytes of Windows-1252 for control
    /// characters; in an extract they are damage.
    fn undefined(&self, raw: &[u8]) -> Option<usize> {
        let undefined = |byte: &u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
        if self.encoding == WINDOWS_1252 { raw.iter().position(undefined) } else { None }
    }
}

/// Decodes all of `raw` onto the end of `text`.
fn decode(decoder: &mut Decoder, mut raw: &[u8], last: bool, text: &mut Vec<u8>) {
    loop {
        let start = text.len();
        let room = decoder.max_utf8_buffer_length_without_replacement(raw.len()).unwrap_or(raw.len() * 3 + 16);
        text.resize(start + room, 0);
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, &mut text[start..], last);
        text.truncate(start + written);
        raw = &raw[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNKNOWN),
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let length = out.len().min(self.text.len() - self.at);
        out[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &'static Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        Decoded::new(bytes, encoding).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn windows_1252_is_read_and_its_undefined_bytes_are_no_text() {
        assert_eq!(decoded(WINDOWS_1252, b"Caf\xe9 \x80 5"), "Café € 5".as_bytes());
        assert_eq!(decoded(WINDOWS_1252, b"a\x81b\x9d"), b"a\xffb\xff");
        let long = [b'a', 0xe9].repeat(BUFFER_BYTES);
        assert_eq!(decoded(WINDOWS_1252, &long), "aé".repeat(BUFFER_BYTES).as_bytes());
    }

    #[test]
    fn utf_16_is_read_with_its_mark_and_half_a_pair_is_no_text() {
        let bytes = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(decoded(encoding_rs::UTF_16LE, &bytes("\u{feff}A,ü,𝄞\n")), "A,ü,𝄞\n".as_bytes());
        let half = [&bytes("a")[..], &[0x34, 0xd8], &bytes("b\n")].concat();
        assert_eq!(decoded(encoding_rs::UTF_16LE, &half), b"a\xffb\n");
        assert_eq!(decoded(encoding_rs::UTF_16LE, &bytes("ab")[..3]), b"a\xff");
    }
}
