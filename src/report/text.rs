//! The report as text, for a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::ledger::night::DriftedRow;
use crate::ledger::read::{FileRow, IdentityRow};
use crate::ledger::report::CauseRow;

use super::{Decision, RunReport};

/// How much of the long lists a terminal shows; the page and the JSON show more.
const SHOWN: usize = 20;

impl RunReport {
    /// Writes the report as text.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_head(out)?;
        self.write_files(out)?;
        self.write_accounts(out)?;
        writeln!(out)?;
        self.write_identities(out)?;
        self.write_rules(out)?;
        self.write_clusters(out)?;
        self.write_attention(out)
    }

    fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "target    {} ({})", self.target.url, self.target.suppliers.join(", "))?;
        if let Some(build) = &self.build {
            let wave = build.wave.as_deref().map(|wave| format!(", wave {wave}")).unwrap_or_default();
            writeln!(out, "build     {} of {}, run date {}{wave}", build.build, build.finished_at, build.run_date)?;
        }
        let decision = match self.verdict.decision {
            Decision::Go => "go",
            Decision::NotYet => "not yet",
            Decision::NoGo => "no go",
        };
        writeln!(out, "verdict   {decision}, {}", self.verdict.summary)?;
        for gate in self.verdict.gates.iter().filter(|gate| !gate.met) {
            writeln!(out, "not met   {}: {}, asked for {}", gate.title.to_lowercase(), gate.found, gate.limit)?;
        }
        for reason in &self.verdict.reasons {
            writeln!(out, "          - {reason}")?;
        }
        Ok(())
    }

    fn write_files(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        let shared = FileRow::shared(&self.files);
        let names: Vec<String> = self.files.iter().map(|file| file.name(&shared)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("file".len());
        let heads = ["records", "used", "rejected", "orphaned", "quarant.", "duplic.", "filtered", "not sel."];
        write!(out, "\n{:width$}", "file")?;
        heads.iter().try_for_each(|head| write!(out, " {head:>9}"))?;
        writeln!(out)?;
        let mut row = |name: &str, counts: [u64; 8]| {
            write!(out, "{name:width$}")?;
            counts.iter().try_for_each(|count| write!(out, " {count:>9}"))?;
            writeln!(out)
        };
        for (f, name) in self.files.iter().zip(&names) {
            let counts =
                [f.records, f.used, f.rejected, f.orphaned, f.quarantined, f.duplicate, f.filtered, f.not_selected];
            row(name, counts)?;
        }
        let r = self.records();
        row("all", [r.read, r.used, r.rejected, r.orphaned, r.quarantined, r.duplicate, r.filtered, r.not_selected])
    }

    fn write_accounts(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\naccounts")?;
        for step in self.funnel.iter().filter(|step| step.unit == "accounts") {
            writeln!(out, "  {:<12} {:>9}", step.step, step.count)?;
        }
        writeln!(out, "\nstates")?;
        for count in self.states.iter().filter(|count| count.accounts > 0) {
            writeln!(out, "  {:<12} {:>9}", count.state.as_str(), count.accounts)?;
        }
        let found = self.findings;
        writeln!(
            out,
            "\nfindings    {} error(s), {} warning(s), {} notice(s)",
            found.errors, found.warnings, found.notices
        )
    }

    /// Writes the identities as text.
    pub fn write_identities(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.identities.is_empty() {
            return writeln!(out, "identities  not worked out yet: run `slipway reconcile`");
        }
        writeln!(out, "identities")?;
        // Money and objects have an identity for every field and variant: those that balance are told as one.
        let is_one_of_many = |identity: &IdentityRow| {
            identity.balanced && ["money", "entities", "supply_points"].contains(&&*identity.kind)
        };
        let mut many: BTreeMap<&str, usize> = BTreeMap::new();
        for identity in self.identities.iter().filter(|identity| is_one_of_many(identity)) {
            *many.entry(&identity.kind).or_default() += 1;
        }
        for identity in self.identities.iter().filter(|identity| !is_one_of_many(identity)) {
            let sign = if identity.balanced { "=" } else { "≠" };
            let note = if identity.balanced { "ok".to_owned() } else { format!("OPEN by {}", identity.difference) };
            writeln!(out, "  {:>12} {sign} {:<12} {note:<8} {}", identity.left, identity.right, identity.name)?;
        }
        for (kind, identities) in many {
            writeln!(out, "  {identities:>12} identities of {} balance", kind.replace('_', " "))?;
        }
        Ok(())
    }

    fn write_clusters(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.clusters.total == 0 {
            return Ok(());
        }
        writeln!(out, "\ncauses of errors (accounts, code, payload path, column)")?;
        for cluster in self.clusters.first.iter().take(SHOWN) {
            let place = match (cluster.file.as_str(), cluster.column.as_str()) {
                ("", _) => cluster.source.clone(),
                (file, "") => file.to_owned(),
                (file, column) => format!("{file}:{column}"),
            };
            writeln!(out, "  {:>6}  {}  {}  {place}", cluster.accounts, cluster.code, or_dash(&cluster.path))?;
        }
        write_rest(out, self.clusters.total, self.clusters.first.len().min(SHOWN))
    }

    fn write_attention(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.attention.total > 0 {
            writeln!(out, "\naccounts that need a human")?;
        }
        for account in self.attention.first.iter().take(SHOWN) {
            let origin = account.origin.as_deref().map(|origin| format!(" ({origin})")).unwrap_or_default();
            writeln!(
                out,
                "  {}/{} {}{origin}",
                account.import_supplier,
                account.external_account_number,
                account.state.as_str()
            )?;
            for cause in &account.causes {
                write_cause(out, cause)?;
            }
            let more = account.errors.saturating_sub(account.causes.len() as u64);
            if more > 0 {
                writeln!(out, "    and {more} more")?;
            }
        }
        write_rest(out, self.attention.total, self.attention.first.len().min(SHOWN))?;
        if self.drifted.total > 0 {
            writeln!(out, "\naccounts that changed after the target took them")?;
        }
        for row in self.drifted.first.iter().take(SHOWN) {
            let DriftedRow { import_supplier, external_account_number, change, entities, codes, .. } = row;
            let what = if codes.is_empty() { entities } else { codes };
            writeln!(out, "  {import_supplier}/{external_account_number} {change}: {what}")?;
        }
        write_rest(out, self.drifted.total, self.drifted.first.len().min(SHOWN))?;
        if self.homeless.total > 0 {
            writeln!(out, "\nrecords and files without an account")?;
        }
        for cause in self.homeless.first.iter().take(SHOWN) {
            write_cause(out, cause)?;
        }
        write_rest(out, self.homeless.total, self.homeless.first.len().min(SHOWN))
    }
}

fn write_cause(out: &mut dyn Write, cause: &CauseRow) -> io::Result<()> {
    let mut place = cause.file.clone().unwrap_or_else(|| cause.source.clone());
    if let Some(line) = cause.line {
        place = format!("{place}:{line}");
    }
    if let Some(column) = &cause.column {
        place = format!("{place}:{column}");
    }
    writeln!(out, "    {place}  {}  {}  {}", cause.code, or_dash(&cause.path), cause.message)
}

fn write_rest(out: &mut dyn Write, total: u64, shown: usize) -> io::Result<()> {
    match total.saturating_sub(shown as u64) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more: see the page (`--html`) or the ledger's views"),
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
