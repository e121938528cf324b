//! The report: where a migration stands, from the ledger alone, as one [`RunReport`] value.
//!
//! [`RunReport::read`] asks the ledger; `text`, `json` and `html` write the value, each in its form, and decide
//! nothing. Account numbers, codes and locators are told; what stands in a cell is not, because the ledger does not
//! know it.

mod agreement;
mod chart;
pub mod compare;
mod csv;
pub mod forecast;
mod gates;
mod html;
mod json;
mod previous;
pub mod rejects;
mod tables;
mod text;
mod timeline;
mod verdict;
mod words;
mod xlsx;

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::ledger::causes::CauseRow as Cause;
use crate::ledger::night::{
    ControlTotalRow, DriftedRow, ForeignRow, MoneyCauseRow, MoneyRow, SupplyPointRow, TargetDifferenceRow,
    WaveReportRow,
};
use crate::ledger::read::{FileRow, IdentityRow, RunRow, Tally};
use crate::ledger::report::{AttentionRow, CauseRow, ExchangeCountRow};
use crate::ledger::{Ledger, LedgerError, State};

pub use agreement::{Overridden, RulesPart};
use compare::{Against, Together};
pub use csv::defused;
use forecast::Forecast;
pub use gates::Gate;
use gates::{Measures, gates};
pub use previous::Previous;
pub use rejects::without_compression;
pub use tables::TableError;
pub use timeline::Timeline;
pub use verdict::{Decision, Outcome, Verdict};

/// How many accounts a report lists; it always counts them all.
const LISTED: usize = 1000;
/// How many causes, and how many findings without an account, it lists.
const CAUSES_LISTED: usize = 500;
/// How many errors of one account it lists.
const ERRORS_LISTED: usize = 3;
/// How many runs it lists.
const RUNS_LISTED: usize = 20;

/// What a report is told beside the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// When it is written.
    pub now: DateTime<Utc>,
    /// When creates must have ended, for the forecast.
    pub until: Option<DateTime<Utc>>,
    /// Another ledger to hold this one against.
    pub against: Option<&'a Path>,
    /// Other ledgers of the same migration.
    pub with: &'a [PathBuf],
}

/// Where a migration stands.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The version of slipway that writes it.
    pub slipway: String,
    /// When it was written.
    pub written_at: String,
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
    /// What the sender promised of the files.
    pub control_totals: Vec<ControlTotalRow>,
    /// Money by field, variant and sign, and what became of it.
    pub money: Vec<MoneyRow>,
    /// Why money that was read is not processed.
    pub money_causes: Vec<MoneyCauseRow>,
    /// Supply points by type and state.
    pub supply_points: Vec<SupplyPointRow>,
    /// Errors by cause, the one that holds back most accounts alone first.
    pub clusters: Listed<Cause>,
    /// Accounts that need a human.
    pub attention: Listed<AttentionRow>,
    /// Findings about records and files that belong to no account that is known.
    pub homeless: Listed<CauseRow>,
    /// Accounts that were imported by somebody else.
    pub foreign: Listed<ForeignRow>,
    /// Accepted accounts that would be built differently now.
    pub drifted: Listed<DriftedRow>,
    /// Accounts on which the ledger and the target's lists of imports disagree.
    pub target_differences: Listed<TargetDifferenceRow>,
    /// What the rules are worth, and what the project says of them.
    pub rules: RulesPart,
    /// What the target was asked, and what it said.
    pub exchanges: Vec<ExchangeCountRow>,
    /// Requests over time; none before the first.
    pub timeline: Option<Timeline>,
    /// When what is left will be done; none: nothing is left.
    pub forecast: Option<Forecast>,
    /// When the last account moved.
    pub last_moved: Option<String>,
    /// Every wave beside the others.
    pub waves: Vec<WaveReportRow>,
    /// What changed since the previous run; none before the second.
    pub previous: Option<Previous>,
    /// The newest runs, newest first.
    pub runs: Vec<RunRow>,
    /// What moved since another ledger, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// Several ledgers of one migration, if others were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
    /// The records that were written for the losing supplier, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejects: Option<rejects::Rejects>,
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

impl BuildPart {
    fn read(ledger: &Ledger, tally: &Tally) -> Result<Option<Self>, LedgerError> {
        Ok(ledger.newest_build()?.map(|build| Self {
            build: build.id.to_string(),
            finished_at: build.finished_at,
            run_date: build.run_date,
            wave: build.wave,
            drifted: tally.drifted,
        }))
    }
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
    pub fn read(ledger: &Ledger, options: &Options<'_>) -> Result<Self, LedgerError> {
        let tally = ledger.tally()?;
        let states: Vec<_> =
            ledger.count_by_state(None)?.into_iter().map(|(state, accounts)| StateCount { state, accounts }).collect();
        let [notices, warnings, errors] = ledger.count_findings()?;
        let files = ledger.files()?;
        let identities = ledger.identities()?;
        let target = ledger.target()?;
        let target_differences = ledger.count_target_differences()?;
        let gates = gates(&Measures {
            states: &states,
            files: &files,
            identities: &identities,
            foreign: tally.foreign,
            drifted: tally.drifted,
            target_differences,
            limits: ledger.limits(false)?,
        });
        let mut report = Self {
            slipway: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: options.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            target: TargetPart {
                url: target.as_ref().map(|target| target.url.clone()).unwrap_or_default(),
                suppliers: target.map(|target| target.suppliers).unwrap_or_default(),
            },
            run: ledger.runs(1)?.pop(),
            build: BuildPart::read(ledger, &tally)?,
            verdict: Verdict::of(&states, &files, &identities, tally.foreign, gates),
            funnel: funnel(&files, &states, &tally),
            states,
            findings: FindingCounts { errors, warnings, notices },
            files,
            identities,
            control_totals: ledger.control_totals()?,
            money: ledger.money()?,
            money_causes: ledger.money_causes()?,
            supply_points: ledger.supply_points_by_state()?,
            clusters: Listed { total: ledger.count_clusters()?, first: ledger.causes(CAUSES_LISTED)? },
            attention: Listed { total: ledger.count_attention()?, first: ledger.attention(LISTED, ERRORS_LISTED)? },
            homeless: Listed {
                total: ledger.count_homeless_findings()?,
                first: ledger.homeless_findings(CAUSES_LISTED)?,
            },
            foreign: Listed { total: tally.foreign, first: ledger.foreign(LISTED)? },
            drifted: Listed { total: tally.drifted, first: ledger.drifted_accounts(LISTED)? },
            target_differences: Listed { total: target_differences, first: ledger.target_differences(LISTED)? },
            rules: RulesPart::read(ledger)?,
            exchanges: ledger.count_exchanges()?,
            timeline: Timeline::read(ledger)?,
            forecast: Forecast::read(ledger, None, options.now, options.until)?,
            last_moved: ledger.last_moved()?,
            waves: ledger.waves_side_by_side()?,
            previous: Previous::read(ledger)?,
            runs: ledger.runs(RUNS_LISTED)?,
            against: options.against.map(|other| Against::read(ledger, other)).transpose()?,
            together: None,
            rejects: None,
        };
        if !options.with.is_empty() {
            report.together = Some(Together::read(&report, ledger, options.with, options)?);
        }
        Ok(report)
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
