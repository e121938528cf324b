//! The accounts of the sandbox and their walk from `PENDING` to an end.
//!
//! | create of an account that | does |
//! | --- | --- |
//! | is new, or was only rehearsed | schedules an import |
//! | is under way | schedules all the same and counts one more effect: a client must not do this |
//! | ended `ERRORED` | schedules a new attempt in place of the failed one |
//! | is processed, by us or by somebody else | is refused as already imported |
//!
//! Dry runs walk beside: they never count as an effect and never block a create; a status read shows them as long as
//! there is no import proper.

use std::collections::HashMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::faults::{self, Faults};
use super::walk::Walk;
use super::{Pace, check};
use crate::account::{AccountKey, Digest};
use crate::clock;
use crate::target::Status;

/// All accounts the sandbox has heard of.
#[derive(Debug)]
pub(super) struct Accounts {
    by_key: HashMap<AccountKey, Account>,
    /// Status reads, whatever became of them.
    reads: HashMap<AccountKey, u32>,
    pace: Pace,
    seed: u64,
    /// The same moment on both clocks: replies name times of day, the walk counts on the steady one.
    epoch: (Instant, DateTime<Utc>),
}

/// One account as the sandbox knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// The import supplier's code.
    pub import_supplier: String,
    /// The losing supplier's account number.
    pub external_account_number: String,
    /// Creates answered with 201, or cut after they had taken effect.
    pub accepted: u32,
    /// Creates in force: those since the last attempt that ended `ERRORED`. Two are an account created twice.
    pub effects: u32,
    /// Dry runs accepted.
    pub dry_runs: u32,
    /// Whether somebody else imported it.
    pub foreign: bool,
    /// Where its import, or else its dry run, stands; none if every create was refused.
    pub status: Option<String>,
    /// The Kraken account number, once it is processed.
    pub kraken_identifier: Option<String>,
    /// SHA-256 of the account's canonical JSON as last accepted, in hexadecimal.
    pub digest: Option<String>,
}

/// One import as the v1 lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Listed {
    external_account_number: String,
    /// None while there is no account yet.
    kraken_account_number: Option<String>,
    account_created_at: Option<DateTime<Utc>>,
}

impl Listed {
    /// Whether the account exists, rather than being staged.
    pub(super) fn is_imported(&self) -> bool {
        self.kraken_account_number.is_some()
    }
}

/// What a create did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Created {
    Scheduled,
    AlreadyImported { kraken_identifier: String },
}

/// What a status read shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) status: Status,
    pub(super) kraken_identifier: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
}

impl View {
    /// Shows where it stood before.
    pub(super) fn go_back(&mut self) {
        self.status = match self.status {
            Status::Pending | Status::InProgress => Status::Pending,
            _ => Status::InProgress,
        };
        self.kraken_identifier = None;
    }
}

#[derive(Debug, Default)]
struct Account {
    /// Creates asked for, whatever became of them.
    asked: u32,
    accepted: u32,
    effects: u32,
    dry_runs: u32,
    foreign: bool,
    digest: Option<Digest>,
    import: Option<Walk>,
    rehearsal: Option<Walk>,
}

impl Accounts {
    pub(super) fn new(pace: Pace, seed: u64) -> Self {
        Self { by_key: HashMap::new(), reads: HashMap::new(), pace, seed, epoch: (Instant::now(), clock::now()) }
    }

    /// Notes that a create of account `key` was asked for; tells for the how-manieth time, from 1.
    pub(super) fn asked(&mut self, key: &AccountKey) -> u32 {
        let account = self.by_key.entry(key.clone()).or_default();
        account.asked += 1;
        account.asked
    }

    /// Notes that the status of account `key` is read; tells for the how-manieth time, from 1.
    pub(super) fn read(&mut self, key: &AccountKey) -> u32 {
        let reads = self.reads.entry(key.clone()).or_default();
        *reads += 1;
        *reads
    }

    /// A create takes effect at `now`, or the account exists already.
    pub(super) fn create(&mut self, submission: &check::Submission, faults: &Faults, now: Instant) -> Created {
        let check::Submission { key, digest, is_dry_run } = submission;
        let slowness = 500 + (faults::draw(self.seed, "slowness", key, 0) % 1_001) as u32;
        let errs = faults.errored.contains(self.seed, "errored", key);
        let foreign = faults.imported.contains(self.seed, "imported", key);
        let pace = self.pace;
        let account = self.by_key.entry(key.clone()).or_default();
        account.foreign = foreign;
        if let Some(import) = &mut account.import {
            import.advance(now, pace);
        }
        let status = account.import.as_ref().map(|import| &import.status);
        if foreign || status == Some(&Status::Processed) {
            return Created::AlreadyImported { kraken_identifier: kraken_identifier(self.seed, key) };
        }
        account.digest = Some(*digest);
        if *is_dry_run {
            account.dry_runs += 1;
            let end = if errs { Status::DryRunErrored } else { Status::DryRunSucceeded };
            account.rehearsal = Some(Walk::new(end, now, slowness));
        } else {
            if status == Some(&Status::Errored) {
                account.effects = 0;
            }
            account.accepted += 1;
            account.effects += 1;
            let end = if errs && account.accepted == 1 { Status::Errored } else { Status::Processed };
            account.import = Some(Walk::new(end, now, slowness));
        }
        Created::Scheduled
    }

    /// Reads where the import of account `key` stands at `now`, which counts as a poll.
    pub(super) fn poll(&mut self, key: &AccountKey, faults: &Faults, now: Instant) -> Option<View> {
        let (pace, seed) = (self.pace, self.seed);
        if faults.imported.contains(seed, "imported", key) {
            let (_, long_ago) = self.epoch;
            let kraken_identifier = Some(kraken_identifier(seed, key));
            return Some(View {
                status: Status::Processed,
                kraken_identifier,
                created_at: long_ago,
                modified_at: long_ago,
            });
        }
        let account = self.by_key.get_mut(key)?;
        let walk = account.import.as_mut().or(account.rehearsal.as_mut())?;
        if now.duration_since(walk.started) < faults.lag {
            return None;
        }
        walk.polls += 1;
        walk.advance(now, pace);
        let walk = walk.clone();
        Some(View {
            kraken_identifier: (walk.status == Status::Processed).then(|| kraken_identifier(seed, key)),
            status: walk.status,
            created_at: self.time_of(walk.started),
            modified_at: self.time_of(walk.changed),
        })
    }

    /// All accounts at `now`, in the order of their keys.
    pub(super) fn report(&mut self, now: Instant) -> Vec<AccountReport> {
        let (pace, seed) = (self.pace, self.seed);
        let mut reports: Vec<AccountReport> =
            self.by_key.iter_mut().map(|(key, account)| account.report(key, seed, pace, now)).collect();
        reports.sort_by(|a, b| {
            (&a.import_supplier, &a.external_account_number).cmp(&(&b.import_supplier, &b.external_account_number))
        });
        reports
    }

    /// The imports of `supplier` at `now`, in the order of their numbers: those staged and those that exist, ours and
    /// others', the ones that others imported and nobody has asked for yet as well. A rehearsal is none.
    pub(super) fn listed(&mut self, supplier: &str, faults: &Faults, now: Instant) -> Vec<Listed> {
        let (pace, seed, epoch) = (self.pace, self.seed, self.epoch);
        let listed = |key: &AccountKey, created: Option<Instant>| Listed {
            external_account_number: key.number.to_string(),
            kraken_account_number: created.map(|_| kraken_identifier(seed, key)),
            account_created_at: created.map(|at| time_of(epoch, at)),
        };
        let others = faults.imported.numbers.iter().map(|number| AccountKey::new(supplier, number.as_str()));
        let others: Vec<_> = others.filter(|key| !self.by_key.contains_key(key)).collect();
        let mut imports: Vec<Listed> = others.iter().map(|key| listed(key, Some(epoch.0))).collect();
        for (key, account) in self.by_key.iter_mut().filter(|(key, _)| *key.supplier == *supplier) {
            if faults.imported.contains(seed, "imported", key) {
                imports.push(listed(key, Some(epoch.0)));
            } else if let Some(import) = &mut account.import {
                import.advance(now, pace);
                imports.push(listed(key, (import.status == Status::Processed).then_some(import.changed)));
            }
        }
        imports.sort_by(|a, b| a.external_account_number.cmp(&b.external_account_number));
        imports
    }

    fn time_of(&self, instant: Instant) -> DateTime<Utc> {
        time_of(self.epoch, instant)
    }
}

/// The time of day of `instant`, by a moment known on both clocks.
fn time_of((steady, day): (Instant, DateTime<Utc>), instant: Instant) -> DateTime<Utc> {
    day + TimeDelta::from_std(instant.duration_since(steady)).unwrap_or_default()
}

impl Account {
    fn report(&mut self, key: &AccountKey, seed: u64, pace: Pace, now: Instant) -> AccountReport {
        let walk = self.import.as_mut().or(self.rehearsal.as_mut());
        let status = match walk {
            _ if self.foreign => Some(Status::Processed),
            Some(walk) => {
                walk.advance(now, pace);
                Some(walk.status.clone())
            }
            None => None,
        };
        AccountReport {
            import_supplier: key.supplier.to_string(),
            external_account_number: key.number.to_string(),
            accepted: self.accepted,
            effects: self.effects,
            dry_runs: self.dry_runs,
            foreign: self.foreign,
            kraken_identifier: (status == Some(Status::Processed)).then(|| kraken_identifier(seed, key)),
            status: status.map(|status| status.to_string()),
            digest: self.digest.map(|digest| digest.to_string()),
        }
    }
}

/// The account's number at the target: the same whenever and by whomever it is imported.
fn kraken_identifier(seed: u64, key: &AccountKey) -> String {
    format!("A-{:012X}", faults::draw(seed, "kraken_identifier", key, 0) >> 16)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::faults::Chosen;
    use super::*;

    fn submission(number: &str, is_dry_run: bool) -> check::Submission {
        check::Submission { key: AccountKey::new("S", number), digest: Digest::of(number.as_bytes()), is_dry_run }
    }

    fn status(accounts: &mut Accounts, number: &str, faults: &Faults, now: Instant) -> Option<Status> {
        accounts.poll(&AccountKey::new("S", number), faults, now).map(|view| view.status)
    }

    fn errored(number: &str) -> Faults {
        let numbers = BTreeSet::from([number.to_owned()]);
        Faults { errored: Chosen { one_in: None, numbers }, ..Faults::default() }
    }

    #[test]
    fn an_import_walks_by_polls() {
        let (now, faults) = (Instant::now(), Faults::default());
        let mut accounts = Accounts::new(Pace::Polls(3), 0);
        assert_eq!(status(&mut accounts, "1", &faults, now), None);
        assert_eq!(accounts.create(&submission("1", false), &faults, now), Created::Scheduled);
        for expected in [Status::Pending, Status::InProgress, Status::Processed, Status::Processed] {
            assert_eq!(status(&mut accounts, "1", &faults, now), Some(expected));
        }
        assert!(matches!(
            accounts.create(&submission("1", false), &faults, now),
            Created::AlreadyImported { kraken_identifier } if kraken_identifier.starts_with("A-")
        ));
        let report = &accounts.report(now)[0];
        assert_eq!((report.accepted, report.effects, report.status.as_deref()), (1, 1, Some("PROCESSED")));
    }

    #[test]
    fn an_import_walks_by_time_at_its_own_pace() {
        let whole = Duration::from_secs(100);
        let mut accounts = Accounts::new(Pace::Elapsed(whole), 1);
        let (start, faults) = (Instant::now(), Faults::default());
        accounts.create(&submission("1", false), &faults, start);
        assert_eq!(status(&mut accounts, "1", &faults, start + whole / 5), Some(Status::Pending));
        assert_eq!(status(&mut accounts, "1", &faults, start + whole * 3 / 2), Some(Status::Processed));
        let view = accounts.poll(&AccountKey::new("S", "1"), &faults, start + whole * 2).unwrap();
        assert_eq!(view.modified_at - view.created_at, TimeDelta::seconds(150), "later reads change nothing");
    }

    #[test]
    fn a_second_create_on_the_way_is_a_second_effect() {
        let (now, faults) = (Instant::now(), Faults::default());
        let mut accounts = Accounts::new(Pace::Polls(9), 0);
        accounts.create(&submission("1", false), &faults, now);
        accounts.create(&submission("1", false), &faults, now);
        assert_eq!(accounts.report(now)[0].effects, 2);
    }

    #[test]
    fn a_failed_attempt_gives_way_to_the_next() {
        let (now, faults) = (Instant::now(), errored("1"));
        let mut accounts = Accounts::new(Pace::Polls(1), 0);
        accounts.create(&submission("1", false), &faults, now);
        assert_eq!(status(&mut accounts, "1", &faults, now), Some(Status::Errored));
        assert_eq!(accounts.create(&submission("1", false), &faults, now), Created::Scheduled);
        assert_eq!(status(&mut accounts, "1", &faults, now), Some(Status::Processed));
        let report = &accounts.report(now)[0];
        assert_eq!((report.accepted, report.effects), (2, 1));
    }

    #[test]
    fn a_rehearsal_neither_counts_nor_blocks() {
        let (now, faults) = (Instant::now(), Faults::default());
        let mut accounts = Accounts::new(Pace::Polls(1), 0);
        accounts.create(&submission("1", true), &faults, now);
        assert_eq!(status(&mut accounts, "1", &faults, now), Some(Status::DryRunSucceeded));
        assert_eq!(accounts.report(now)[0].effects, 0);
        assert_eq!(accounts.create(&submission("1", false), &faults, now), Created::Scheduled);
        assert_eq!(status(&mut accounts, "1", &faults, now), Some(Status::Processed));
        let report = &accounts.report(now)[0];
        assert_eq!((report.effects, report.dry_runs), (1, 1));
        let rehearsed_badly = errored("2");
        accounts.create(&submission("2", true), &rehearsed_badly, now);
        assert_eq!(status(&mut accounts, "2", &rehearsed_badly, now), Some(Status::DryRunErrored));
    }

    #[test]
    fn lists_show_what_is_staged_and_what_exists_whoever_sent_it() {
        let numbers = BTreeSet::from(["9".to_owned()]);
        let faults = Faults { imported: Chosen { one_in: None, numbers }, ..Faults::default() };
        let (now, mut accounts) = (Instant::now(), Accounts::new(Pace::Polls(1), 0));
        for number in ["2", "1"] {
            accounts.create(&submission(number, false), &faults, now);
        }
        accounts.create(&submission("3", true), &faults, now);
        status(&mut accounts, "2", &faults, now);
        let listed = accounts.listed("S", &faults, now);
        let told: Vec<_> = listed.iter().map(|l| (&*l.external_account_number, l.is_imported())).collect();
        assert_eq!(told, [("1", false), ("2", true), ("9", true)], "a rehearsal is no import");
        assert!(accounts.listed("T", &Faults::default(), now).is_empty());
    }

    #[test]
    fn somebody_elses_account_is_imported_before_we_ask() {
        let numbers = BTreeSet::from(["1".to_owned()]);
        let faults = Faults { imported: Chosen { one_in: None, numbers }, ..Faults::default() };
        let (now, mut accounts) = (Instant::now(), Accounts::new(Pace::Polls(1), 0));
        assert_eq!(status(&mut accounts, "1", &faults, now), Some(Status::Processed));
        assert!(matches!(accounts.create(&submission("1", false), &faults, now), Created::AlreadyImported { .. }));
        let report = &accounts.report(now)[0];
        assert_eq!((report.effects, report.foreign), (0, true));
    }
}
