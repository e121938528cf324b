//! What can go wrong with the ledger itself.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::state::IllegalTransition;

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file beside or under the ledger can't be made or opened.
    #[error("can't {action} {}: is the folder on a local disk and writable?", path.display())]
    File {
        /// What was tried: `create`, `open`, `lock`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no ledger to read.
    #[error("there is no ledger at {}: nothing has been built yet; run `slipway build` or `slipway run` first", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The ledger was made by an earlier version, and nobody has written to it since.
    #[error(
        "the ledger {} has schema {found}, and this slipway reads schema {known}: `slipway reconcile` brings the \
         project's ledger up to date", path.display()
    )]
    Older {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema this program reads.
        known: i64,
    },
    /// Another process writes to this ledger.
    #[error(
        "the ledger {} is held by another run ({holder}): wait for it to end, or stop it; running again afterwards \
         resumes", path.display()
    )]
    Held {
        /// The ledger.
        path: PathBuf,
        /// Who holds it: process, host and since when, as that process wrote it.
        holder: String,
    },
    /// A process of another machine held the ledger, and did not end as it should.
    #[error(
        "the ledger {} was left by a run that did not end ({holder}): if that process is gone for good, `slipway \
         recover` takes the ledger over; what it may have sent is read from the target then", path.display()
    )]
    Abandoned {
        /// The ledger.
        path: PathBuf,
        /// Who held it: process, host and since when, as that process wrote it.
        holder: String,
    },
    /// The ledger was made for another target.
    #[error(
        "the ledger {} belongs to {ledger} for life, and the project now says {asked}: use another [project] state \
         folder for another target", path.display()
    )]
    OtherTarget {
        /// The ledger.
        path: PathBuf,
        /// The target it belongs to.
        ledger: String,
        /// The target that was asked for.
        asked: String,
    },
    /// A newer slipway has written this ledger.
    #[error(
        "the ledger {} has schema version {found}, this slipway knows up to {known}: use the newer slipway that \
         wrote it", path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The database refused.
    #[error("the ledger {} can't {action}", path.display())]
    Sql {
        /// The ledger.
        path: PathBuf,
        /// What was tried: `be opened`, `record a build`.
        action: &'static str,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// An account can't take what happened to it.
    #[error("account {account} in the ledger: {source}")]
    Illegal {
        /// `supplier/number`.
        account: String,
        /// State and event.
        #[source]
        source: IllegalTransition,
    },
    /// A row holds what no slipway writes.
    #[error("the ledger {} has been changed by other hands: {what}; restore a backup", path.display())]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// Table, row and value.
        what: String,
    },
    /// An account number without a supplier names several accounts, or none.
    #[error("{what}")]
    NoSuchAccount {
        /// What was looked for and what there is.
        what: String,
    },
}

impl LedgerError {
    /// Whether the run was refused for safety: another run holds the ledger, or it belongs to another target.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Abandoned { .. } | Self::OtherTarget { .. })
    }

    /// What to do next, where the message alone does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self::Sql { source, .. } = self else { return None };
        let hint = match source.sqlite_error_code()? {
            ErrorCode::DiskFull | ErrorCode::SystemIoFailure => {
                "is the disk full, or a quota reached? What was committed before is safe; with room again, running again \
                 resumes"
            }
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                "is the folder on a local disk, and writable for this user?"
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                "restore a backup in its place and run `slipway recover`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
