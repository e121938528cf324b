//! The target's replies as they came, for as long as somebody may want to look at them.
//!
//! They may hold customers' data: one file a run, readable by its owner alone, that `purge` erases. What a reply means
//! is in the ledger, scrubbed; here are those that were no plain success, an object a line. Both a reply and a file
//! have a limit; what is beyond it is not kept, and the log says so once.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::account::AccountKey;

/// The largest part of a reply that is kept, in bytes.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// The largest file of a run, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Where the replies of a run are kept.
#[derive(Debug)]
pub struct Replies {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    file: Option<File>,
    bytes: u64,
    /// The file can't be written, or is full.
    is_closed: bool,
}

/// A reply, as a line of the file.
#[derive(Debug, Serialize)]
pub(super) struct Reply<'a> {
    pub(super) at: String,
    pub(super) import_supplier: &'a str,
    pub(super) external_account_number: &'a str,
    pub(super) kind: &'a str,
    pub(super) http_status: Option<u16>,
    /// As text; bytes that are none are replaced.
    pub(super) body: String,
}

impl Replies {
    /// Replies kept in the file `path`, which is made when there is one to keep.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, kept: Mutex::default() }
    }

    /// Keeps a reply that says more than a success does. A reply that can't be kept stops nothing.
    pub(super) fn keep(&self, key: &AccountKey, kind: &str, at: String, http_status: Option<u16>, raw: &[u8]) {
        if raw.is_empty() {
            return;
        }
        let body = String::from_utf8_lossy(&raw[..raw.len().min(REPLY_BYTES_MAX)]).into_owned();
        let (import_supplier, external_account_number) = (&*key.supplier, &*key.number);
        let reply = Reply { at, import_supplier, external_account_number, kind, http_status, body };
        let Ok(mut line) = serde_json::to_vec(&reply) else { return };
        line.push(b'\n');
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_closed {
            return;
        }
        if kept.bytes + line.len() as u64 > FILE_BYTES_MAX {
            kept.is_closed = true;
            tracing::warn!(file = %self.path.display(), "the file of replies is full; no more are kept of this run");
            return;
        }
        match self.write(&mut kept, &line) {
            Ok(()) => kept.bytes += line.len() as u64,
            Err(error) => {
                kept.is_closed = true;
                tracing::warn!(file = %self.path.display(), %error, "replies can't be kept");
            }
        }
    }

    fn write(&self, kept: &mut Kept, line: &[u8]) -> std::io::Result<()> {
        if kept.file.is_none() {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            kept.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?);
        }
        kept.file.as_mut().map_or(Ok(()), |file| file.write_all(line))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn replies_are_kept_for_their_owner_alone_and_within_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies/1.ndjson");
        let replies = Replies::new(path.clone());
        let key = AccountKey::new("S", "1");
        replies.keep(&key, "create", "now".into(), Some(201), b"");
        assert!(!path.exists(), "nothing was said");
        replies.keep(&key, "create", "now".into(), Some(400), &vec![b'x'; REPLY_BYTES_MAX + 5]);
        replies.keep(&key, "status", "now".into(), Some(200), b"\xff{}");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["body"].as_str().unwrap().len(), REPLY_BYTES_MAX);
        assert_eq!((&lines[1]["kind"], &lines[1]["body"]), (&"status".into(), &"\u{fffd}{}".into()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
