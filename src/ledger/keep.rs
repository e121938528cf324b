//! What is kept of the ledger elsewhere, and what is let go: backups and purges.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::NaiveDate;
use rusqlite::params;

use super::{BuildId, Ledger, LedgerError, RunId, now};

/// Accounts whose newest payload is still to be sent, or may have to be sent again.
const NEEDED: &str = "account.digest = payload.digest AND state <> 'processed' AND state <> 'withdrawn'";

/// What became of the payloads of old builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Builds whose payload files nobody names any more.
    pub gone: Vec<BuildId>,
    /// Builds whose payload files are kept, with the accounts that may still have to be sent from them.
    pub needed: Vec<(BuildId, u64)>,
}

impl Ledger {
    /// Copies the ledger as it stands into the new file `file`, readable by its owner alone; gives its size.
    ///
    /// Others may write meanwhile: the copy is of one moment. A file that is there already is left alone, and a copy
    /// that fails leaves none.
    pub fn backup(&self, file: &Path) -> Result<u64, LedgerError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| LedgerError::File { action, path, source }
        };
        let mut partial = file.as_os_str().to_owned();
        partial.push(".partial");
        let partial = Path::new(&partial);
        if file.exists() {
            let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(failed("create", file)(source));
        }
        let create = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(partial);
        create.map_err(failed("create", partial))?;
        let name =
            partial.to_str().ok_or_else(|| failed("create", partial)(std::io::ErrorKind::InvalidFilename.into()))?;
        if let Err(source) = self.connection.execute("VACUUM INTO ?", [name]) {
            // What was copied so far is of no use; that it can't be removed is the lesser trouble.
            let _ = std::fs::remove_file(partial);
            return Err(self.sql("be copied", source));
        }
        let copy = std::fs::File::open(partial).map_err(failed("open", partial))?;
        copy.sync_all().map_err(failed("write to", partial))?;
        std::fs::rename(partial, file).map_err(failed("create", file))?;
        Ok(copy.metadata().map_err(failed("open", file))?.len())
    }

    /// Lets go of the payloads of builds that ended before `before`, but for those that accounts may still have to be sent
    /// from.
    pub fn purge_payloads(&mut self, run: RunId, before: NaiveDate, reason: &str) -> Result<Purged, LedgerError> {
        self.write("let go of payloads", |transaction, _| {
            let old = transaction
                .prepare(&format!(
                    "SELECT build.id, (SELECT count(*) FROM payload JOIN account ON account.id = payload.account \
                     WHERE payload.build = build.id AND {NEEDED}) FROM build WHERE substr(finished_at, 1, 10) < ? \
                     AND EXISTS (SELECT 1 FROM payload WHERE payload.build = build.id) ORDER BY build.id"
                ))?
                .query_map([before.to_string()], |row| Ok((BuildId(row.get(0)?), row.get::<_, i64>(1)? as u64)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let (gone, needed): (Vec<_>, Vec<_>) = old.into_iter().partition(|(_, accounts)| *accounts == 0);
            let gone: Vec<_> = gone.into_iter().map(|(build, _)| build).collect();
            for build in &gone {
                transaction.execute("DELETE FROM payload WHERE build = ?", [build.0])?;
            }
            transaction.execute(
                "INSERT INTO intervention (run, act, reason, at) VALUES (?, 'purge', ?, ?)",
                params![run.0, reason, now()],
            )?;
            Ok(Purged { gone, needed })
        })
    }
}
