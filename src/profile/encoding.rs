//! What a file is written in: a mark at its start, UTF-8 that reads as such, else the likeliest legacy encoding.
//!
//! The whole file is looked at, since the first name with an accent may stand in its last line. A file with more lines
//! that read as UTF-8 beyond ASCII than lines that don't is UTF-8 with damage; one with more that don't is something
//! else, which `chardetng` guesses from just these lines.

use std::io::Read;
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::extract::ExtractError;
use crate::extract::stream::{self, Form};

/// How much is looked at at once, in bytes.
const CHUNK: usize = 1 << 20;
/// How much of what is no UTF-8 the guess is made from, in bytes.
const EVIDENCE: usize = 1 << 20;

/// The encoding of the file at `path`, once decompressed.
pub(super) fn detect(path: &Path) -> Result<&'static Encoding, ExtractError> {
    let form = Form::of(path, UTF_8);
    let mut bytes = stream::open(path, form)?;
    let mut evidence = Evidence::default();
    let mut buffer = Vec::with_capacity(CHUNK * 2);
    let mut is_first = true;
    loop {
        let carried = buffer.len();
        let read = bytes.by_ref().take(CHUNK as u64).read_to_end(&mut buffer).map_err(stream::broken(path, form))?;
        if std::mem::take(&mut is_first)
            && let Some(encoding) = by_its_start(&buffer)
        {
            return Ok(encoding);
        }
        let ended = read < CHUNK;
        if buffer[carried..].is_ascii() && carried == 0 && !ended {
            // Cut anywhere: what is ASCII tells nothing.
            buffer.clear();
            continue;
        }
        let whole = if ended { buffer.len() } else { memchr::memrchr(b'\n', &buffer).map_or(0, |at| at + 1) };
        if whole == 0 && buffer.len() >= CHUNK * 2 {
            evidence.line(&buffer);
            buffer.clear();
            continue;
        }
        for line in buffer[..whole].split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
            evidence.line(line);
        }
        buffer.drain(..whole);
        if ended {
            return Ok(evidence.encoding());
        }
    }
}

/// A mark at the start, or every second byte of it NUL.
fn by_its_start(start: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(start) {
        return Some(encoding);
    }
    let start = &start[..start.len().min(4096)];
    let nul = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (nul(0), nul(1));
    match start.len() / 2 {
        0 => None,
        half if odd > half * 3 / 5 && even < half / 10 => Some(UTF_16LE),
        half if even > half * 3 / 5 && odd < half / 10 => Some(UTF_16BE),
        _ => None,
    }
}

/// What the lines beyond ASCII say.
struct Evidence {
    utf_8: u64,
    other: u64,
    detector: EncodingDetector,
    fed: usize,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { utf_8: 0, other: 0, detector: EncodingDetector::new(Iso2022JpDetection::Deny), fed: 0 }
    }
}

impl Evidence {
    fn line(&mut self, line: &[u8]) {
        if std::str::from_utf8(line).is_ok() {
            self.utf_8 += 1;
            return;
        }
        self.other += 1;
        if self.fed < EVIDENCE {
            self.fed += line.len();
            self.detector.feed(line, false);
        }
    }

    fn encoding(mut self) -> &'static Encoding {
        if self.other <= self.utf_8 {
            return UTF_8;
        }
        self.detector.feed(b"", true);
        self.detector.guess(Some(b"uk"), Utf8Detection::Deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(bytes: &[u8]) -> &'static str {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, bytes).unwrap();
        detect(&path).unwrap().name()
    }

    #[test]
    fn the_encoding_is_found_wherever_it_shows() {
        assert_eq!(detected(b""), "UTF-8");
        assert_eq!(detected(b"A,B\n1,2\n"), "UTF-8");
        let late = |end: &[u8]| [&b"NAME\nSmith\n".repeat(300_000)[..], end].concat();
        assert_eq!(detected(&late("Zoë\n".as_bytes())), "UTF-8");
        assert_eq!(detected(&late(b"Zo\xeb\nCaf\xe9\n")), "windows-1252");
        let wide: Vec<u8> = "NAME;TOWN\nZoë;Köln\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(detected(&wide), "UTF-16LE");
        assert_eq!(detected(&[b"\xff\xfe".as_slice(), &wide].concat()), "UTF-16LE");
    }

    #[test]
    fn one_damaged_line_does_not_make_another_encoding() {
        assert_eq!(detected("Zoë\nChloë\nbroken \u{fffd}\n".replace('\u{fffd}', "?").as_bytes()), "UTF-8");
        assert_eq!(detected(&["Zoë\nChloë\n".as_bytes(), b"Zo\xeb\n"].concat()), "UTF-8");
    }
}
