//! The report: where a migration stands, from the ledger alone, as one [`RunReport`] value.
//!
//! [`RunReport::read`] asks the ledger; `text`, `json` and `html` write the value, each in its form, and decide
//! nothing. Account numbers, codes and locators are told; what stands in a cell is not, because the ledger does not
//! know it.

mod html;
mod json;
mod text;
mod verdict;

use serde::Serialize;

use crate::ledger::read::{ClusterRow, FileRow, IdentityRow, RunRow, Tally};
use crate::ledger::report::{AttentionRow, CauseRow, ExchangeCountRow};
use crate::ledger::{Ledger, LedgerError, State};

pub use verdict::{Outcome, Verdict};

/// How many accounts, clusters and findings a report lists; it always counts them all.
const LISTED: usize = 500;
/// How many errors of one account a report lists.
const CAUSES_LISTED: usize = 5;

/// Where a migration stands.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The version of slipway that writes it.
    pub slipway: String,
    /// The target's base URL and its import suppliers.
    pub target: TargetPart,
    /// The newest run; none before the first.
    pub run: Option<RunRow>,
    /// The newest build; none before the first.
    pub build: Option<BuildPart>,
    /// What it comes to.
    pub verdict: Verdict,
    /// From records to processed accounts.
    pub funnel: Vec<Step>,
    /// Accounts by state, every state listed.
    pub states: Vec<StateCount>,
    /// Findings by severity.
    pub findings: FindingCounts,
    /// The extract files of the newest build, with the bucket of every record.
    pub files: Vec<FileRow>,
    /// What must balance, as it was last worked out.
    pub identities: Vec<IdentityRow>,
    /// Errors by cause, the one that stops most accounts first.
    pub clusters: Listed<ClusterRow>,
    /// Accounts that need a human.
    pub attention: Listed<AttentionRow>,
    /// Findings about records and files that belong to no account that is known.
    pub homeless: Listed<CauseRow>,
    /// What the target was asked, and what it said.
    pub exchanges: Vec<ExchangeCountRow>,
}

/// The target of a ledger.
#[derive(Clone, Debug, Serialize)]
pub struct TargetPart {
    /// Base URL.
    pub url: String,
    /// Import suppliers.
    pub suppliers: Vec<String>,
}

/// The newest build.
#[derive(Clone, Debug, Serialize)]
pub struct BuildPart {
    /// Its number, as it names the payload file.
    pub build: String,
    /// When it ended.
    pub finished_at: String,
    /// The day date rules called today.
    pub run_date: String,
    /// The wave it was for.
    pub wave: Option<String>,
    /// Accounts with a payload that differs from the one the target took.
    pub drifted: u64,
}

/// One step of the funnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What happened: `read`, `used`, `built`, `ready`, `sent`, `accepted`, `processed`.
    pub step: &'static str,
    /// `records` or `accounts`.
    pub unit: &'static str,
    /// How many got this far.
    pub count: u64,
}

/// How many accounts are in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// How many.
    pub accounts: u64,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FindingCounts {
    /// They keep an account from being sent.
    pub errors: u64,
    /// Odd; the account goes all the same.
    pub warnings: u64,
    /// Nothing to mend.
    pub notices: u64,
}

/// The first of many, and how many there are.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<T> {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl RunReport {
    /// Reads from `ledger` where the migration stands.
    pub fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        let tally = ledger.tally()?;
        let states: Vec<_> =
            ledger.count_by_state(None)?.into_iter().map(|(state, accounts)| StateCount { state, accounts }).collect();
        let [notices, warnings, errors] = ledger.count_findings()?;
        let files = ledger.files()?;
        let identities = ledger.identities()?;
        let clusters = ledger.clusters(LISTED)?;
        let target = ledger.target()?;
        let build = ledger.newest_build()?.map(|build| BuildPart {
            build: build.id.to_string(),
            finished_at: build.finished_at,
            run_date: build.run_date,
            wave: build.wave,
            drifted: tally.drifted,
        });
        Ok(Self {
            slipway: env!("CARGO_PKG_VERSION").to_owned(),
            target: TargetPart {
                url: target.as_ref().map(|target| target.url.clone()).unwrap_or_default(),
                suppliers: target.map(|target| target.suppliers).unwrap_or_default(),
            },
            run: ledger.runs(1)?.pop(),
            build,
            verdict: Verdict::of(&states, &files, &identities, tally.foreign),
            funnel: funnel(&files, &states, &tally),
            states,
            findings: FindingCounts { errors, warnings, notices },
            files,
            identities,
            clusters: Listed { total: ledger.count_clusters()?, first: clusters },
            attention: Listed { total: ledger.count_attention()?, first: ledger.attention(LISTED, CAUSES_LISTED)? },
            homeless: Listed { total: ledger.count_homeless_findings()?, first: ledger.homeless_findings(LISTED)? },
            exchanges: ledger.count_exchanges()?,
        })
    }

    /// How many accounts the newest build made a payload for.
    #[must_use]
    pub fn accounts_built_ready(&self) -> u64 {
        self.funnel.iter().find(|step| step.step == "ready").map_or(0, |step| step.count)
    }

    /// How many accounts are in `state`.
    #[must_use]
    pub fn accounts_in(&self, state: State) -> u64 {
        self.states.iter().find(|count| count.state == state).map_or(0, |count| count.accounts)
    }

    /// Records by bucket, over all files: read, quarantined, duplicate, orphaned, not selected, filtered, rejected, used.
    #[must_use]
    pub fn records(&self) -> RecordCounts {
        self.files.iter().fold(RecordCounts::default(), |sum, file| RecordCounts {
            read: sum.read + file.records,
            quarantined: sum.quarantined + file.quarantined,
            duplicate: sum.duplicate + file.duplicate,
            orphaned: sum.orphaned + file.orphaned,
            not_selected: sum.not_selected + file.not_selected,
            filtered: sum.filtered + file.filtered,
            rejected: sum.rejected + file.rejected,
            used: sum.used + file.used,
        })
    }
}

/// Records by bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the buckets of `ledger::FileCount`")]
pub struct RecordCounts {
    pub read: u64,
    pub quarantined: u64,
    pub duplicate: u64,
    pub orphaned: u64,
    pub not_selected: u64,
    pub filtered: u64,
    pub rejected: u64,
    pub used: u64,
}

fn funnel(files: &[FileRow], states: &[StateCount], tally: &Tally) -> Vec<Step> {
    let processed = states.iter().find(|count| count.state == State::Processed).map_or(0, |count| count.accounts);
    let step = |step, unit, count| Step { step, unit, count };
    vec![
        step("read", "records", files.iter().map(|file| file.records).sum()),
        step("used", "records", files.iter().map(|file| file.used).sum()),
        step("built", "accounts", tally.built),
        step("ready", "accounts", tally.built_ready),
        step("sent", "accounts", tally.sent),
        step("accepted", "accounts", tally.sent_accepted),
        step("processed", "accounts", processed),
    ]
}

#[cfg(test)]
mod tests;
