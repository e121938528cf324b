//! One writer at a time, across processes and machines.
//!
//! | the lock file | then |
//! | --- | --- |
//! | is locked | refused: that process lives |
//! | is empty, or names this machine | taken: nobody holds it, or a process that died here |
//! | names another machine | refused, but by `recover`: the ledger was moved or copied while that process held it, and what it may have sent since is not in here |
//!
//! The system lets go of the lock when its process ends, however it ends; the name is wiped only by one that ends as it
//! should.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{LedgerError, now};

/// The lock of a ledger.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Whose abandoned lock may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takeover {
    /// Of a dead process of this machine.
    SameHost,
    /// Of any process that is not alive on this machine.
    AnyHost,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whether it is wiped or not, the lock is let go; a name that stays is this machine's own.
        let _ = self.file.set_len(0);
    }
}

impl Lock {
    /// Takes the lock of the ledger at `ledger`, and writes into it who holds it.
    pub(super) fn take(ledger: &Path, takeover: Takeover) -> Result<Self, LedgerError> {
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
        let host = gethostname::gethostname().display().to_string();
        let left = contents(&mut file);
        if takeover == Takeover::SameHost && host_of(&left).is_some_and(|other| other != host) {
            return Err(LedgerError::Abandoned { path: ledger.to_owned(), holder: left });
        }
        let holder = format!("process {} on {host} since {}\n", std::process::id(), now());
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        write(&mut file).map_err(failed("write to"))?;
        Ok(Self { file })
    }
}

/// Who holds the lock, as the holder wrote it. It may be writing it just now.
fn holder(file: &mut File) -> String {
    let text = contents(file);
    if text.is_empty() { "a process that has not said its name yet".to_owned() } else { text }
}

/// What stands in the lock file; nothing if it can't be read.
fn contents(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text.trim().to_owned())
}

/// The machine that a holder names: `process N on MACHINE since TIME`.
fn host_of(holder: &str) -> Option<&str> {
    Some(holder.split_once(" on ")?.1.rsplit_once(" since ")?.0)
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_process_of_this_machine_is_taken_over_and_one_of_another_only_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.sqlite");
        let host = gethostname::gethostname().display().to_string();
        let leave = |host: &str| std::fs::write(lock_path(&ledger), format!("process 1 on {host} since then\n"));
        leave(&host).unwrap();
        drop(Lock::take(&ledger, Takeover::SameHost).unwrap());
        assert_eq!(std::fs::read_to_string(lock_path(&ledger)).unwrap(), "", "one that ends as it should is wiped");
        leave("another on earth").unwrap();
        let error = Lock::take(&ledger, Takeover::SameHost).unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains("process 1 on another on earth"), "{error}");
        let held = Lock::take(&ledger, Takeover::AnyHost).unwrap();
        let error = Lock::take(&ledger, Takeover::AnyHost).unwrap_err();
        assert!(matches!(&error, LedgerError::Held { holder, .. } if holder.contains(&host)), "{error}");
        drop(held);
    }
}
