//! What is to be told of single records of a table: lost ones, strangers, and those that share a key.

use std::sync::Arc;

use super::bucket::{Bucket, Buckets};
use crate::extract::record::Unreadable;
use crate::finding::{Cell, Finding, Severity};
use crate::mapping::plan::{EntityPlan, Input, Origin, TablePlan};
use crate::mapping::{OnLost, Rest};
use crate::stage::keys::NO_ROW;
use crate::stage::{JoinMiss, Missed, SameKey, Stage, TableStage};

/// The records of a table.
#[derive(Clone, Copy)]
pub(super) struct Records<'t> {
    pub(super) stage: &'t Stage,
    pub(super) number: usize,
    pub(super) table: &'t TableStage,
}

impl<'t> Records<'t> {
    fn plan(self) -> &'t TablePlan {
        &self.stage.plan.tables[self.number]
    }

    /// The entities that are made of the table.
    pub(super) fn entities(self) -> impl Iterator<Item = &'t EntityPlan> {
        self.stage.plan.entities.iter().filter(move |entity| entity.table == self.number)
    }

    /// Whether a record that no entity takes is to be told of.
    pub(super) fn wants_all(self) -> bool {
        self.plan().rest == Rest::Finding
    }

    /// Whether a lost record of the table stops the sending, and one is lost.
    pub(super) fn stops(self) -> bool {
        let lost = !self.table.quarantined.is_empty() || self.table.strays.iter().any(|stray| stray.wanted);
        lost && self.plan().on_lost == OnLost::Stop
    }

    /// Findings about the records that cannot be read or have no parent.
    pub(super) fn lost_findings(self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for record in &self.table.quarantined {
            let header = &self.table.file(record.row).source.header;
            let message = record.why.message(header);
            let cell = self.table.cell(record.row, None);
            let mut unreadable = finding(cell, record.why.code(), Severity::Warning, message);
            if let Unreadable::Encoding { cell } = record.why {
                let column = header.get(cell).map(|name| name.as_str().into());
                unreadable.cells[0] = self.table.cell(record.row, column);
            }
            findings.push(unreadable);
        }
        for stray in &self.table.strays {
            if stray.wanted {
                findings.push(self.orphan(stray.row));
            } else if self.wants_all() {
                findings.push(self.unclaimed(stray.row));
            }
        }
        findings
    }

    /// Findings about records of no account that share a key.
    pub(super) fn strangers(self) -> Vec<Finding> {
        self.shared_keys().filter(|(account, _)| *account == NO_ROW).map(|(_, finding)| finding).collect()
    }

    /// Findings about records of accounts that share a key, or have parents in two accounts; by the rank of the account.
    pub(super) fn of_accounts(self) -> impl Iterator<Item = (u32, Finding)> {
        let torn = self.table.torn.iter().flat_map(move |torn| {
            let message = "the record names parents in two accounts, and can belong to one only";
            let finding = finding(self.table.cell(torn.row, None), "record_in_two_accounts", Severity::Error, message);
            [(torn.account, finding.clone()), (torn.other, finding)]
        });
        self.shared_keys().filter(|(account, _)| *account != NO_ROW).chain(torn)
    }

    fn shared_keys(self) -> impl Iterator<Item = (u32, Finding)> {
        let duplicates = self.table.duplicates.iter().map(move |same| {
            let message = format!("the record stands twice, to the byte; one is used (key: {})", self.key());
            let mut duplicate =
                finding(self.table.cell(same.row, None), "duplicate_record", Severity::Warning, message);
            duplicate.cells.push(self.table.cell(same.first, None));
            (same.first_account, duplicate)
        });
        let conflicts = self.table.conflicts.iter().flat_map(move |same| {
            let SameKey { row, account, first, first_account } = *same;
            [(account, row, first), (first_account, first, row)].map(|(account, one, other)| {
                let message = format!("two different records have one key ({})", self.key());
                let cell = self.table.cell(one, None);
                let mut conflict = finding(cell, "conflicting_records", Severity::Error, message);
                conflict.cells.push(self.table.cell(other, None));
                (account, conflict)
            })
        });
        duplicates.chain(conflicts)
    }

    /// The names of the key's columns.
    fn key(self) -> String {
        let plan = self.plan();
        plan.key_columns.iter().map(|column| &*plan.reads[*column].name).collect::<Vec<_>>().join(", ")
    }

    /// A finding about a record that no entity takes.
    pub(super) fn unclaimed(self, row: u32) -> Finding {
        let name = &self.plan().name;
        let what = if self.plan().has_entities { "no entity" } else { "no join" };
        let message = format!("{what} of the mapping takes this record of table `{name}`");
        finding(self.table.cell(row, None), "unclaimed_record", Severity::Error, message)
    }

    fn orphan(self, row: u32) -> Finding {
        let plan = self.plan();
        let cell = |name| self.table.cell(row, name);
        let code = "orphaned_record";
        if !plan.has_entities {
            return finding(cell(None), code, Severity::Warning, "no record of any table that joins this one names it");
        }
        if let Some(missed) = self.missed_parent(row) {
            return missed;
        }
        let Some(link) = self.entities().find_map(|entity| entity.link).map(|link| &plan.links[link]) else {
            return finding(cell(None), code, Severity::Warning, "the record has no account");
        };
        let names: Vec<Arc<str>> = link.columns.iter().map(|column| plan.reads[*column].name.clone()).collect();
        let message = format!(
            "no usable record of table `{}` has the key that {} names here, so the record belongs to no account",
            self.stage.plan.tables[link.parent].name,
            names.join(", ")
        );
        let mut orphan = finding(cell(None), code, Severity::Warning, message);
        orphan.cells = names.into_iter().map(|name| cell(Some(name))).collect();
        orphan
    }

    /// Of a record whose parent is found by a join, why it was not found, with the records that nearly fit.
    fn missed_parent(self, row: u32) -> Option<Finding> {
        let plan = self.plan();
        let joins = &plan.reshape.as_ref()?.joins;
        let is_link = |join: u32| {
            plan.links.iter().flat_map(|link| &link.inputs).any(|input| match input {
                Input::Joined(read) => matches!(plan.reads[*read].origin, Origin::Joined(at, _) if at == join as usize),
                _ => false,
            })
        };
        let miss = self.table.missed(row).find(|miss| is_link(miss.join))?;
        let join = &joins[miss.join as usize];
        let names: Vec<Arc<str>> = join.columns.iter().map(|column| plan.reads[*column].name.clone()).collect();
        let message = missed(*miss, &names.join(", "), &self.stage.plan.tables[join.table].name);
        let message = format!("{message}, so the record belongs to no account");
        let mut orphan = finding(self.table.cell(row, None), "orphaned_record", Severity::Warning, message);
        orphan.cells = names.into_iter().map(|name| self.table.cell(row, Some(name))).collect();
        orphan.cells.extend(self.table.near(miss));
        Some(orphan)
    }

    /// Counts the records that are in no book.
    pub(super) fn count_lost(self, buckets: &mut Buckets) {
        let files = buckets.of_table(self.number);
        let mut count = |row: u32, bucket: Bucket| files[self.table.file_number(row)].add(bucket, 1);
        self.table.quarantined.iter().for_each(|record| count(record.row, Bucket::Quarantined));
        self.table.duplicates.iter().for_each(|same| count(same.row, Bucket::Duplicate));
        for stray in &self.table.strays {
            count(stray.row, if stray.wanted { Bucket::Orphaned } else { Bucket::Filtered });
        }
        if !self.plan().has_entities {
            // Of a table that is there for others, what is not lost is used.
            for (file, counted) in self.table.files.iter().zip(files) {
                counted.add(Bucket::Used, file.records_read.saturating_sub(counted.sum()));
            }
        }
    }
}

/// Why a record found none of `table` through the columns `names`.
fn missed(miss: JoinMiss, names: &str, table: &str) -> String {
    match miss.why {
        Missed::Key => format!("no record of table `{table}` has the key that {names} names here"),
        Missed::NoDay => format!("no day can be read in {names}, so no record of table `{table}` was valid then"),
        Missed::Several => {
            format!("more than one record of table `{table}` fits {names} here, and they do not say the same")
        }
        Missed::Day if miss.near == [NO_ROW; 2] => {
            format!("no record of table `{table}` with the key that {names} names here has days that can be read")
        }
        Missed::Day => format!("no record of table `{table}` that {names} names here was valid on the day"),
    }
}

/// A finding about the record that `cell` names.
pub(super) fn finding(cell: Cell, code: &str, severity: Severity, message: impl Into<String>) -> Finding {
    Finding { code: code.into(), severity, path: String::new(), message: message.into(), cells: vec![cell] }
}
