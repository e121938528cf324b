//! What a build made, counted on the way and told at the end.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use crate::account::AccountKey;
use crate::finding::{Finding, Severity};
use crate::ledger::FileCount;

use super::drift::Drift;
use super::overrides::Overridden;

/// How many findings of rejected accounts a summary shows.
const EXAMPLES_SHOWN: usize = 12;

/// What a build made.
#[derive(Debug, Serialize)]
pub(super) struct BuildOutcome {
    /// What "today" meant.
    pub(super) run_date: NaiveDate,
    /// Records by bucket.
    pub(super) records: BTreeMap<&'static str, u64>,
    /// Accounts with a payload.
    pub(super) ready: u64,
    /// Accounts without one.
    pub(super) rejected: u64,
    /// Errors that belong to no account that can be named.
    pub(super) errors_without_account: u64,
    /// Findings by severity and code.
    pub(super) findings: BTreeMap<Severity, BTreeMap<Arc<str>, u64>>,
    /// Some of the errors, with their cells.
    pub(super) examples: Vec<Example>,
    /// Why nothing of this build may be sent; empty: it may.
    pub(super) blocked: Vec<String>,
    /// Rules that are off because the mapping lacks a field they need.
    pub(super) rules_off: Vec<String>,
    /// How many rules there are that ask for no list or setting of the tenant's, but those the project says are off.
    pub(super) rules: usize,
    /// Rules whose severity the project says.
    pub(super) overrides: Vec<Overridden>,
    /// What the ledger says of the change since the build before.
    pub(super) summary: String,
    /// What changed after acceptance; none: nothing.
    pub(super) drift: Option<Drift>,
}

/// One error and the account it rejects.
#[derive(Debug, Serialize)]
pub(super) struct Example {
    /// The account, if one is known.
    pub(super) account: Option<String>,
    /// The error.
    pub(super) finding: Finding,
}

impl BuildOutcome {
    /// Whether every account has a payload and no record was lost.
    #[must_use]
    pub(super) fn is_complete(&self) -> bool {
        let lost = ["quarantined", "orphaned"].iter().any(|bucket| self.records.get(bucket).is_some_and(|n| *n > 0));
        self.rejected == 0 && self.errors_without_account == 0 && !lost && self.blocked.is_empty()
    }
}

impl fmt::Display for BuildOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |bucket: &str| self.records.get(bucket).copied().unwrap_or_default();
        writeln!(f, "read       {} records, run date {}", of("read"), self.run_date)?;
        let buckets = ["quarantined", "duplicate", "orphaned", "not_selected", "filtered", "rejected", "used"];
        let buckets: Vec<String> =
            buckets.iter().map(|name| format!("{} {}", of(name), name.replace('_', " "))).collect();
        writeln!(f, "           {}", buckets.join(", "))?;
        writeln!(f, "built      {} accounts ready, {} rejected", self.ready, self.rejected)?;
        write!(f, "           {}", self.summary)?;
        if let Some(drift) = &self.drift {
            write!(f, "\n{drift}")?;
        }
        for (severity, codes) in self.findings.iter().rev() {
            let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
            write!(f, "\n{:<10} {}", format!("{severity}s"), codes.join(", "))?;
        }
        for Example { account, finding } in &self.examples {
            let cell = finding.cells.first().map(|cell| format!("{cell}: ")).unwrap_or_default();
            let account = account.as_ref().map(|number| format!(" (account {number})")).unwrap_or_default();
            // Where no column says what it is about, the field does.
            let is_told = finding.path.is_empty() || finding.cells.first().is_some_and(|cell| cell.column.is_some());
            let path = if is_told { String::new() } else { format!(" at {}", finding.path) };
            write!(f, "\n  {cell}{}{path}: {}{account}", finding.code, finding.message)?;
        }
        if !self.rules_off.is_empty() {
            let (off, all) = (self.rules_off.len(), self.rules);
            write!(
                f,
                "\nrules      {off} of {all} not checked: the mapping has no field they need (`slipway schema rules`)"
            )?;
        }
        for overridden in &self.overrides {
            write!(f, "\noverride   {overridden}")?;
        }
        for reason in &self.blocked {
            write!(f, "\nblocked    {reason}")?;
        }
        Ok(())
    }
}

/// What a build counts on its way.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) ready: u64,
    pub(super) rejected: u64,
    pub(super) errors_without_account: u64,
    pub(super) findings: BTreeMap<Severity, BTreeMap<Arc<str>, u64>>,
    pub(super) examples: Vec<Example>,
    exemplified: HashSet<Arc<str>>,
    pub(super) unlisted: BTreeSet<String>,
    pub(super) rules_off: Vec<String>,
    pub(super) rules: usize,
}

impl Tally {
    /// Counts a finding of an account, or of a record that no account is known for.
    pub(super) fn count(&mut self, account: Option<&AccountKey>, finding: &Finding) {
        *self.findings.entry(finding.severity).or_default().entry(finding.code.clone()).or_insert(0) += 1;
        self.errors_without_account += u64::from(account.is_none() && finding.severity == Severity::Error);
        // One of each kind tells more than many of one.
        let wanted = finding.severity == Severity::Error || account.is_none() && finding.severity == Severity::Warning;
        if wanted && self.examples.len() < EXAMPLES_SHOWN && self.exemplified.insert(finding.code.clone()) {
            let account = account.map(|key| key.number.to_string());
            self.examples.push(Example { account, finding: finding.clone() });
        }
    }
}

/// What became of the records of a file, by name.
pub(super) fn buckets(file: &FileCount) -> [(&'static str, u64); 8] {
    [
        ("read", file.records),
        ("quarantined", file.quarantined),
        ("duplicate", file.duplicate),
        ("orphaned", file.orphaned),
        ("not_selected", file.not_selected),
        ("filtered", file.filtered),
        ("rejected", file.rejected),
        ("used", file.used),
    ]
}
