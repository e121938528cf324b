//! What a build writes: files, findings and accounts, in one transaction.
//!
//! A build that does not come to its end leaves no trace. One that does replaces what earlier builds said, as far as
//! it speaks: a build of the whole extract about everything, a build of some accounts about those. What it can't do
//! is move an account that has been sent: there the newest payload's digest is kept beside the accepted one, and the
//! difference is the drift.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::NaiveDate;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::account::{AccountKey, Digest};
pub use crate::assemble::store::Place as PayloadPlace;
use crate::finding::Finding;
use crate::money::Total;

use super::measure::{MeasureId, StageTotals};
use super::operate::is_on_hold;
use super::plan;
use super::state::Event;
use super::{BuildId, Ledger, LedgerError, RunId, State, now};

/// What is known of a build when it begins.
#[derive(Clone, Debug)]
pub struct BuildStart {
    /// The day that date rules call today.
    pub run_date: NaiveDate,
    /// The wave whose accounts are built, if one was named.
    pub wave: Option<String>,
    /// Whether nothing but the extract chose the accounts: no wave, no limit. Then an account that does not turn up is
    /// gone; of a wave's build, one of the wave's list is.
    pub selection_is_whole: bool,
    /// What it is made from besides the extract files.
    pub inputs: Vec<Input>,
}

/// Something a build is made from.
#[derive(Clone, Debug)]
pub struct Input {
    /// `mapping`, `lookup`, `contract`, …
    pub role: String,
    /// Its name, unique in its role.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// An extract file and what became of its records. Each is in exactly one bucket.
#[derive(Clone, Debug)]
pub struct FileCount {
    /// The file's name relative to its extract directory.
    pub file: String,
    /// The mapping's name of the table.
    pub table: String,
    /// Its size as it lies on the disk.
    pub bytes: u64,
    /// Of its bytes as they lie on the disk.
    pub digest: Digest,
    /// Records read.
    pub records: u64,
    /// Could not be read as a record of this file.
    pub quarantined: u64,
    /// The same record was there already.
    pub duplicate: u64,
    /// The parent is lost or missing.
    pub orphaned: u64,
    /// Of an account that was not asked for.
    pub not_selected: u64,
    /// The mapping leaves it out.
    pub filtered: u64,
    /// Of an account that was rejected.
    pub rejected: u64,
    /// In a payload.
    pub used: u64,
}

/// What a build says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It made a payload that passed every check.
    Ready {
        /// Of the payload.
        digest: Digest,
        /// Where the payload lies.
        payload: PayloadPlace,
    },
    /// It found an error.
    Rejected,
}

/// An account as a build leaves it.
#[derive(Clone, Debug)]
pub struct BuiltAccount<'a> {
    /// Its name.
    pub key: AccountKey,
    /// What the build says.
    pub verdict: Verdict,
    /// Everything found on the way, errors or not.
    pub findings: &'a [Finding],
    /// The fingerprints of its supply points.
    pub supply_points: &'a [u64],
    /// What its transfer balance comes to, its sign left out.
    pub pence: Option<i64>,
    /// What its payload comes to.
    pub came: &'a [(MeasureId, Total)],
}

/// What a build did to the ledger, in accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildSummary {
    /// With a payload; held ones and those sent before included.
    pub ready: u64,
    /// Without one.
    pub rejected: u64,
    /// On the hold list.
    pub held: u64,
    /// No longer in the extract, and never accepted.
    pub withdrawn: u64,
    /// Built before from the same inputs, with the same payload.
    pub unchanged: u64,
    /// Built before from other inputs, with the same payload.
    pub rebuilt_same: u64,
    /// Built before with another payload, which was never accepted.
    pub changed_before_sending: u64,
    /// The target has accepted, or may have accepted, another payload than this build's; or this build has none: it
    /// rejects the account, or the extract no longer has it.
    pub changed_after_acceptance: u64,
}

/// Writes one build. Dropped without [`BuildWriter::finish`], nothing of the build stays.
pub struct BuildWriter<'a> {
    pub(super) transaction: Transaction<'a>,
    path: &'a Path,
    pub(super) id: BuildId,
    wave: Option<String>,
    whole: bool,
    limited: bool,
    before: Before,
    now: String,
    summary: BuildSummary,
    /// Accounts with the payload of an earlier build, by that build.
    same_payload: HashMap<i64, u64>,
    /// Whether the wave had unfinished accounts before this build.
    was_unfinished: bool,
    /// Findings that came before their accounts.
    early: HashMap<AccountKey, Vec<i64>>,
    /// What it has counted and summed.
    pub(super) totals: StageTotals,
    /// What its payloads come to, by the measure's row.
    pub(super) made: Vec<Total>,
    /// The measures of accounts' transfer balances.
    pub(super) transfers: Vec<MeasureId>,
    /// The measures of objects, and their entities.
    pub(super) objects: HashMap<MeasureId, String>,
    /// By entity: objects of accounts that it has rejected late.
    pub(super) late_objects: BTreeMap<String, u64>,
    /// Reads the ledger as it was before the build; none: nobody has asked yet.
    earlier: Option<Connection>,
}

/// What there was before a build: of what there was none, none needs to be looked for.
struct Before {
    accounts: bool,
    holds: bool,
}

/// An account's row, as far as a build asks.
pub(super) struct Known {
    pub(super) id: i64,
    state: State,
    /// Its newest build so far.
    build: i64,
    digest: Option<Digest>,
    /// Of the payload that was sent last and may have taken effect.
    sent: Option<Digest>,
}

impl Ledger {
    /// The supply points of accounts that exist at the target or may, by fingerprint.
    pub fn sent_points(&self) -> Result<HashMap<u64, Vec<AccountKey>>, LedgerError> {
        let read = || -> rusqlite::Result<HashMap<u64, Vec<AccountKey>>> {
            let mut statement = self.connection.prepare(
                "SELECT supplier, number, supply_points FROM account WHERE supply_points IS NOT NULL AND \
                 (state = 'sending' OR state = 'unknown' OR state = 'submitted' OR state = 'processed')",
            )?;
            let mut rows = statement.query([])?;
            let mut known: HashMap<u64, Vec<AccountKey>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let key = AccountKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                let points: Vec<u8> = row.get(2)?;
                for point in points.as_chunks().0 {
                    known.entry(u64::from_be_bytes(*point)).or_default().push(key.clone());
                }
            }
            Ok(known)
        };
        read().map_err(|source| super::sql_error(&self.path, "read which supply points were sent", source))
    }

    /// Begins to write a build.
    pub fn begin_build(&mut self, run: RunId, build: &BuildStart) -> Result<BuildWriter<'_>, LedgerError> {
        let path = self.path.as_path();
        begin(&mut self.connection, path, run, build)
            .map_err(|source| super::sql_error(path, "begin to record a build", source))
    }
}

fn begin<'a>(
    connection: &'a mut Connection,
    path: &'a Path,
    run: RunId,
    build: &BuildStart,
) -> rusqlite::Result<BuildWriter<'a>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = now();
    transaction.execute(
        "INSERT INTO build (run, finished_at, run_date, wave, whole) VALUES (?, ?, ?, ?, ?)",
        params![run.0, now, build.run_date.to_string(), build.wave, build.selection_is_whole],
    )?;
    let id = BuildId(transaction.last_insert_rowid());
    let was_unfinished = plan::is_unfinished(&transaction, build.wave.as_deref())?;
    let before = Before {
        accounts: transaction.prepare("SELECT 1 FROM account")?.exists([])?,
        holds: transaction.prepare("SELECT 1 FROM hold")?.exists([])?,
    };
    for input in &build.inputs {
        transaction.execute(
            "INSERT INTO input (build, role, name, digest) VALUES (?, ?, ?, ?)",
            params![id.0, input.role, input.name, input.digest],
        )?;
    }
    // A build reads every file, so what earlier ones said of records without an account is out of date.
    let stale = if build.selection_is_whole { "" } else { " AND account IS NULL" };
    transaction.execute(&format!("DELETE FROM finding WHERE source = 'local'{stale}"), [])?;
    Ok(BuildWriter {
        transaction,
        path,
        id,
        wave: build.wave.clone(),
        whole: build.selection_is_whole,
        limited: false,
        before,
        now,
        summary: BuildSummary::default(),
        same_payload: HashMap::new(),
        was_unfinished,
        early: HashMap::new(),
        totals: StageTotals::new(),
        made: Vec::new(),
        transfers: Vec::new(),
        objects: HashMap::new(),
        late_objects: BTreeMap::new(),
        earlier: None,
    })
}

impl BuildWriter<'_> {
    /// The build's number, which names its payload file.
    #[must_use]
    pub fn id(&self) -> BuildId {
        self.id
    }

    /// Says that a limit chose among the accounts: one that does not turn up may be beyond it, and is not gone.
    pub fn limit(&mut self) {
        self.limited = true;
    }

    /// Forbids, for these reasons, that anything of the build is sent; none: it may be.
    pub fn block(&mut self, reasons: &[String]) -> Result<(), LedgerError> {
        let blocked = (!reasons.is_empty()).then(|| reasons.join("\n"));
        self.transaction
            .execute("UPDATE build SET blocked = ? WHERE id = ?", params![blocked, self.id.0])
            .map_err(|e| self.sql("record why a build is blocked", e))?;
        Ok(())
    }

    /// Records an extract file and its buckets.
    pub fn file(&mut self, file: &FileCount) -> Result<(), LedgerError> {
        let insert = || {
            self.transaction
                .prepare_cached("INSERT INTO extract_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    self.id.0,
                    file.file,
                    file.table,
                    file.bytes as i64,
                    file.digest,
                    file.records as i64,
                    file.quarantined as i64,
                    file.duplicate as i64,
                    file.orphaned as i64,
                    file.not_selected as i64,
                    file.filtered as i64,
                    file.rejected as i64,
                    file.used as i64,
                ])
        };
        insert().map_err(|e| self.sql("record an extract file", e))?;
        Ok(())
    }

    /// Records a finding of `account`, or of a record or file that no account is known for.
    pub fn finding(&mut self, account: Option<&AccountKey>, finding: &Finding) -> Result<(), LedgerError> {
        let mut insert = || {
            let known = account.map(|key| self.known(key)).transpose()?.flatten();
            let id = insert_finding(
                &self.transaction,
                known.as_ref().map(|known| known.id),
                Source::Local(self.id),
                finding,
            )?;
            if let (Some(key), None) = (account, known) {
                self.early.entry(key.clone()).or_default().push(id);
            }
            Ok(())
        };
        insert().map_err(|e| super::sql_error(self.path, "record a finding", e))
    }

    /// Records an account and what the build says of it.
    ///
    /// | the account is | then |
    /// | --- | --- |
    /// | new | `ready`, `rejected`, or `held` if it is on the hold list |
    /// | `ready`, `rejected`, `withdrawn` | `ready` or `rejected`, as this build says; `held` for `ready` if it is on the hold list |
    /// | `held` | `held` |
    /// | anything else | as it was; the new digest stands beside the accepted one |
    pub fn account(&mut self, account: &BuiltAccount<'_>) -> Result<(), LedgerError> {
        let (event, verdict, digest) = match account.verdict {
            Verdict::Ready { digest, .. } => (Event::BuiltReady, "ready", Some(digest)),
            Verdict::Rejected => (Event::BuiltRejected, "rejected", None),
        };
        let sql = |e| super::sql_error(self.path, "record an account", e);
        let known = if self.before.accounts { self.known(&account.key).map_err(sql)? } else { None };
        let illegal = |source| LedgerError::Illegal { account: account.key.to_string(), source };
        let first = known.as_ref().map_or(State::Withdrawn, |known| known.state);
        let mut state = first.next(event).map_err(illegal)?;
        let is_to_wait = self.before.holds && (state == State::Ready || known.is_none());
        if is_to_wait && is_on_hold(&self.transaction, &account.key.supplier, &account.key.number).map_err(sql)? {
            state = state.next(Event::Hold).map_err(illegal)?;
        }
        self.count(state, known.as_ref(), digest);
        let points: Vec<u8> = account.supply_points.iter().flat_map(|point| point.to_be_bytes()).collect();
        let mut write = || {
            let id = match &known {
                Some(known) => self.update(known.id, state, verdict, digest, (&points, account.pence))?,
                None => self.insert(&account.key, state, verdict, digest, (&points, account.pence))?,
            };
            if let Verdict::Ready { digest, payload } = account.verdict {
                self.payload(id, digest, payload)?;
                self.keep_measures(id, digest, account.came)?;
            }
            for finding in account.findings {
                insert_finding(&self.transaction, Some(id), Source::Local(self.id), finding)?;
            }
            if !self.early.is_empty() {
                for finding in self.early.remove(&account.key).unwrap_or_default() {
                    self.transaction.execute("UPDATE finding SET account = ? WHERE id = ?", params![id, finding])?;
                }
            }
            Ok(())
        };
        write().map_err(|e| super::sql_error(self.path, "record an account", e))
    }

    /// Rejects an account of this build after all, for what showed only when every account was known. Its payload is
    /// not sent; one that an earlier create may have sent stays. Tells whether the account had passed before.
    pub fn reject_late(&mut self, key: &AccountKey, findings: &[Finding]) -> Result<bool, LedgerError> {
        let sql = |e| super::sql_error(self.path, "reject an account", e);
        let Some(known) = self.known(key).map_err(sql)? else { return Ok(false) };
        let illegal = |source| LedgerError::Illegal { account: key.to_string(), source };
        let state = known.state.next(Event::BuiltRejected).map_err(illegal)?;
        let mut write = || -> rusqlite::Result<()> {
            if let Some(digest) = known.digest {
                self.reject_measures(known.id, digest)?;
            }
            self.transaction.execute(
                "UPDATE account SET state = ?2, verdict = 'rejected', digest = NULL WHERE id = ?1",
                params![known.id, state],
            )?;
            self.transaction.execute(
                "DELETE FROM payload WHERE account = ?1 AND build = ?2 AND NOT EXISTS (SELECT 1 FROM account WHERE \
                 id = ?1 AND accepted_digest IS payload.digest) AND NOT EXISTS (SELECT 1 FROM intent WHERE \
                 intent.account = ?1 AND intent.digest = payload.digest)",
                params![known.id, self.id.0],
            )?;
            for finding in findings {
                insert_finding(&self.transaction, Some(known.id), Source::Local(self.id), finding)?;
            }
            Ok(())
        };
        write().map_err(sql)?;
        if known.digest.is_some() {
            self.summary.ready -= 1;
            self.summary.rejected += 1;
            self.recount(key, known.digest).map_err(|e| super::sql_error(self.path, "reject an account", e))?;
        }
        Ok(known.digest.is_some())
    }

    /// Counts an account as rejected that was counted with its payload.
    fn recount(&mut self, key: &AccountKey, digest: Option<Digest>) -> rusqlite::Result<()> {
        if !self.before.accounts {
            return Ok(());
        }
        // What the account was before is overwritten in this transaction, and in no other.
        let earlier = match self.earlier.take() {
            Some(earlier) => earlier,
            None => Connection::open_with_flags(self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        if let Some(known) = known(&earlier, key)? {
            match change(&known, digest) {
                Some(Change::AfterAcceptance) => self.summary.changed_after_acceptance -= 1,
                Some(Change::Same) => *self.same_payload.entry(known.build).or_default() -= 1,
                Some(Change::BeforeSending) => self.summary.changed_before_sending -= 1,
                None => {}
            }
            self.count_change(&known, None);
        }
        self.earlier = Some(earlier);
        Ok(())
    }

    /// Hands over the place and the digest of every payload of this build, in the order in which they were made.
    pub fn each_payload<E: From<LedgerError>>(
        &self,
        mut visit: impl FnMut(PayloadPlace, Digest) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = |e| E::from(self.sql("read the places of the payloads", e));
        let mut statement = self
            .transaction
            .prepare(
                "SELECT payload.digest, block_offset, block_bytes, start, bytes FROM payload JOIN account \
                 ON account.id = payload.account AND account.digest = payload.digest WHERE payload.build = ? \
                 ORDER BY block_offset, start",
            )
            .map_err(sql)?;
        let mut rows = statement.query([self.id.0]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let read = || -> rusqlite::Result<(PayloadPlace, Digest)> {
                let place = PayloadPlace {
                    block_offset: row.get::<_, i64>(1)? as u64,
                    block_bytes: row.get(2)?,
                    start: row.get(3)?,
                    bytes: row.get(4)?,
                };
                Ok((place, row.get(0)?))
            };
            let (place, digest) = read().map_err(sql)?;
            visit(place, digest)?;
        }
        Ok(())
    }

    /// The builds whose payload files are still wanted, after dropping the places of payloads that were built again
    /// before anything was sent of them.
    pub fn wanted_payloads(&self) -> Result<Vec<BuildId>, LedgerError> {
        let wanted = || -> rusqlite::Result<Vec<BuildId>> {
            self.transaction.execute(
                &format!(
                    "DELETE FROM payload WHERE {} AND NOT EXISTS (SELECT 1 FROM account WHERE id = payload.account \
                     AND (digest IS payload.digest OR accepted_digest IS payload.digest)) AND NOT EXISTS (SELECT 1 FROM \
                     intent WHERE intent.account = payload.account AND intent.digest = payload.digest)",
                    self.may_be_stale()
                ),
                [self.id.0],
            )?;
            self.transaction
                .prepare("SELECT DISTINCT build FROM payload")?
                .query_map([], |row| Ok(BuildId(row.get(0)?)))?
                .collect()
        };
        wanted().map_err(|source| self.sql("drop the places of old payloads", source))
    }

    /// Ends the build: whoever it should have seen and did not is withdrawn, and everything becomes durable. A whole
    /// build should have seen everybody, a wave's build the wave's list, one with a limit nobody in particular.
    pub fn finish(mut self) -> Result<BuildSummary, LedgerError> {
        if !self.limited && (self.whole || self.wave.is_some()) {
            self.withdraw_the_gone()?;
        }
        let path = self.path;
        self.keep_totals().map_err(|source| self.sql("record what a build came to", source))?;
        let Self { transaction, id, mut summary, same_payload, was_unfinished, wave, .. } = self;
        let commit = || {
            for (build, accounts) in same_payload {
                let is_unchanged = plan::is_from_the_same(&transaction, BuildId(build), id)?;
                *(if is_unchanged { &mut summary.unchanged } else { &mut summary.rebuilt_same }) += accounts;
            }
            if !was_unfinished {
                plan::close(&transaction, wave.as_deref(), id)?;
            }
            transaction.execute(
                "UPDATE build SET finished_at = ?, ready = ?, rejected = ?, held = ?, withdrawn = ?, unchanged = ?, \
                 changed_before_sending = ?, changed_after_acceptance = ?, rebuilt_same = ? WHERE id = ?",
                params![
                    now(),
                    summary.ready as i64,
                    summary.rejected as i64,
                    summary.held as i64,
                    summary.withdrawn as i64,
                    summary.unchanged as i64,
                    summary.changed_before_sending as i64,
                    summary.changed_after_acceptance as i64,
                    summary.rebuilt_same as i64,
                    id.0
                ],
            )?;
            transaction.commit()
        };
        commit().map_err(|source| super::sql_error(path, "commit a build", source))?;
        Ok(summary)
    }

    /// Of rows of an account's payloads, those that this build `?1` may have replaced. A wave's few accounts are looked
    /// up, rather than all others gone through.
    pub(super) fn may_be_stale(&self) -> &'static str {
        if self.whole {
            "build <> ?1"
        } else {
            "account IN (SELECT id FROM account WHERE build = ?1 OR digest IS NULL) AND build <> ?1"
        }
    }

    pub(super) fn known(&self, key: &AccountKey) -> rusqlite::Result<Option<Known>> {
        known(&self.transaction, key)
    }

    fn count(&mut self, state: State, known: Option<&Known>, digest: Option<Digest>) {
        let summary = &mut self.summary;
        match digest {
            Some(_) => summary.ready += 1,
            None => summary.rejected += 1,
        }
        if state == State::Held {
            summary.held += 1;
        }
        if let Some(known) = known {
            self.count_change(known, digest);
        }
    }

    fn count_change(&mut self, known: &Known, digest: Option<Digest>) {
        match change(known, digest) {
            Some(Change::AfterAcceptance) => self.summary.changed_after_acceptance += 1,
            Some(Change::Same) => *self.same_payload.entry(known.build).or_default() += 1,
            Some(Change::BeforeSending) => self.summary.changed_before_sending += 1,
            None => {}
        }
    }

    fn insert(
        &self,
        key: &AccountKey,
        state: State,
        verdict: &str,
        digest: Option<Digest>,
        (points, pence): (&[u8], Option<i64>),
    ) -> rusqlite::Result<i64> {
        self.transaction
            .prepare_cached(
                "INSERT INTO account (supplier, number, state, wave, build, verdict, digest, updated_at, supply_points, \
                 pence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                key.supplier,
                key.number,
                state,
                self.wave,
                self.id.0,
                verdict,
                digest,
                self.now,
                points,
                pence
            ])?;
        Ok(self.transaction.last_insert_rowid())
    }

    fn update(
        &self,
        id: i64,
        state: State,
        verdict: &str,
        digest: Option<Digest>,
        (points, pence): (&[u8], Option<i64>),
    ) -> rusqlite::Result<i64> {
        // An accepted account stays in the wave it was accepted in, and what was sent keeps its supply points.
        self.transaction
            .prepare_cached(
                "UPDATE account SET state = ?2, verdict = ?3, digest = ?4, build = ?5, \
                 wave = iif(accepted_digest IS NULL, coalesce(?6, wave), wave), \
                 supply_points = iif(accepted_digest IS NULL AND state NOT IN ('sending', 'unknown'), ?8, supply_points), \
                 updated_at = iif(state = ?2, updated_at, ?7), pence = coalesce(?9, pence) WHERE id = ?1",
            )?
            .execute(params![id, state, verdict, digest, self.id.0, self.wave, self.now, points, pence])?;
        if !self.whole {
            // Of a whole build, everything earlier builds found is gone already.
            self.transaction
                .prepare_cached("DELETE FROM finding WHERE account = ? AND source = 'local' AND build <> ?")?
                .execute(params![id, self.id.0])?;
        }
        Ok(id)
    }

    fn payload(&self, account: i64, digest: Digest, place: PayloadPlace) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "INSERT INTO payload VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET build = excluded.build, \
                 block_offset = excluded.block_offset, block_bytes = excluded.block_bytes, start = excluded.start, \
                 bytes = excluded.bytes",
            )?
            .execute(params![
                account,
                digest,
                self.id.0,
                place.block_offset as i64,
                place.block_bytes,
                place.start,
                place.bytes
            ])?;
        Ok(())
    }

    fn withdraw_the_gone(&mut self) -> Result<(), LedgerError> {
        let sql = |e| super::sql_error(self.path, "withdraw accounts", e);
        let gone = || -> rusqlite::Result<Vec<(i64, State, bool)>> {
            // Of a wave, its list is gone through, not all accounts: there may be twenty times as many.
            let of_wave = "SELECT DISTINCT account.id, account.state, accepted_digest IS NOT NULL FROM wave_account JOIN account \
                 ON account.number = wave_account.number AND wave_account.supplier IN ('', account.supplier) \
                 WHERE account.build <> ?1 AND wave_account.wave = ?2";
            let of_all = "SELECT id, state, accepted_digest IS NOT NULL FROM account WHERE build <> ?1 AND ?2 IS ?2";
            self.transaction
                .prepare(if self.whole { of_all } else { of_wave })?
                .query_map(params![self.id.0, self.wave], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        };
        for (id, state, is_accepted) in gone().map_err(sql)? {
            self.summary.changed_after_acceptance += u64::from(is_accepted);
            let next = state
                .next(Event::Gone)
                .map_err(|source| LedgerError::Illegal { account: format!("(row {id})"), source })?;
            if next == State::Withdrawn && state != State::Withdrawn {
                self.summary.withdrawn += 1;
            }
            self.transaction
                .execute(
                    "UPDATE account SET state = ?2, verdict = 'gone', digest = NULL, \
                     updated_at = iif(state = ?2, updated_at, ?3) WHERE id = ?1",
                    params![id, next, self.now],
                )
                .map_err(sql)?;
            self.transaction
                .execute("DELETE FROM finding WHERE account = ? AND source = 'local'", [id])
                .map_err(sql)?;
        }
        Ok(())
    }

    pub(super) fn sql(&self, action: &'static str, source: rusqlite::Error) -> LedgerError {
        super::sql_error(self.path, action, source)
    }
}

/// What a build makes of an account that was built before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The target took, or may have taken, another payload.
    AfterAcceptance,
    /// The same payload.
    Same,
    /// Another one, or one instead of none, and none was sent.
    BeforeSending,
}

/// What a build makes of an account by making `digest` of it, or nothing at all; none: it was rejected before, too.
fn change(known: &Known, digest: Option<Digest>) -> Option<Change> {
    match (known.sent, known.digest) {
        (Some(sent), _) if Some(sent) != digest => Some(Change::AfterAcceptance),
        (Some(_), _) => Some(Change::Same),
        (None, before) if before != digest => Some(Change::BeforeSending),
        (None, before) => before.map(|_| Change::Same),
    }
}

/// What the ledger knows of an account.
fn known(connection: &Connection, key: &AccountKey) -> rusqlite::Result<Option<Known>> {
    connection
        .prepare_cached(
            "SELECT id, state, build, digest, coalesce(accepted_digest, CASE WHEN state IN ('sending', 'unknown') THEN \
             (SELECT digest FROM intent WHERE account = account.id ORDER BY attempt DESC LIMIT 1) END) \
             FROM account WHERE supplier = ? AND number = ?",
        )?
        .query_row(params![key.supplier, key.number], |row| {
            Ok(Known {
                id: row.get(0)?,
                state: row.get(1)?,
                build: row.get(2)?,
                digest: row.get(3)?,
                sent: row.get(4)?,
            })
        })
        .optional()
}

/// Who found it.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// A build.
    Local(BuildId),
    /// The target, in answer to the attempt if it was a create.
    Remote(Option<i64>),
}

/// Writes a finding and its cells; gives its number.
pub(super) fn insert_finding(
    transaction: &Transaction<'_>,
    account: Option<i64>,
    source: Source,
    finding: &Finding,
) -> rusqlite::Result<i64> {
    let (name, build, attempt) = match source {
        Source::Local(build) => ("local", Some(build.0), None),
        Source::Remote(attempt) => ("remote", None, attempt),
    };
    transaction
        .prepare_cached(
            "INSERT INTO finding (account, build, attempt, source, severity, code, path, field, message) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account,
            build,
            attempt,
            name,
            finding.severity.as_str(),
            finding.code,
            finding.path,
            without_positions(&finding.path),
            finding.message
        ])?;
    let id = transaction.last_insert_rowid();
    for (position, cell) in finding.cells.iter().enumerate() {
        transaction.prepare_cached("INSERT INTO finding_cell VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
            id,
            position as i64,
            cell.file,
            cell.record as i64,
            cell.line as i64,
            cell.column
        ])?;
    }
    Ok(id)
}

/// `customers.0.landline` → `customers.landline`.
pub(super) fn without_positions(path: &str) -> String {
    let mut field = String::with_capacity(path.len());
    for part in path.split('.').filter(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit())) {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(part);
    }
    field
}
