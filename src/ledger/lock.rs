//! One writer at a time, across processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{LedgerError, now};

/// The lock of a ledger. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the ledger at `ledger`, and writes into it who holds it.
    pub(super) fn take(ledger: &Path) -> Result<Self, LedgerError> {
        let path = lock_path(ledger);
        let failed = |action| {
            let path = path.clone();
            move |source| LedgerError::File { action, path, source }
        };
        if let Some(folder) = ledger.parent() {
            std::fs::create_dir_all(folder).map_err(|source| LedgerError::File {
                action: "create",
                path: folder.to_owned(),
                source,
            })?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Held { path: ledger.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let host = gethostname::gethostname();
        let holder = format!("process {} on {} since {}\n", std::process::id(), host.display(), now());
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        write(&mut file).map_err(failed("write to"))?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock, as the holder wrote it. It may be writing it just now.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "a process that has not said its name yet".to_owned(),
    }
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
