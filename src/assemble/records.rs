//! What is to be told of single records of a table: lost ones, strangers, and those that share a key.

use std::sync::Arc;

use super::bucket::{Bucket, Buckets};
use crate::extract::record::Unreadable;
use crate::finding::{Cell, Finding, Severity};
use crate::mapping::plan::{EntityPlan, Plan};
use crate::mapping::{OnLost, Rest};
use crate::stage::keys::NO_ROW;
use crate::stage::{SameKey, TableStage};

/// The records of a table.
#[derive(Clone, Copy)]
pub(super) struct Records<'t> {
    pub(super) plan: &'t Plan,
    pub(super) number: usize,
    pub(super) table: &'t TableStage,
}

impl<'t> Records<'t> {
    /// The entities that are made of the table.
    pub(super) fn entities(self) -> impl Iterator<Item = &'t EntityPlan> {
        self.plan.entities.iter().filter(move |entity| entity.table == self.number)
    }

    /// Whether a record that no entity takes is to be told of.
    pub(super) fn wants_all(self) -> bool {
        self.plan.tables[self.number].rest == Rest::Finding
    }

    /// Whether a lost record of the table stops the sending, and one is lost.
    pub(super) fn stops(self) -> bool {
        let lost = !self.table.quarantined.is_empty() || self.table.strays.iter().any(|stray| stray.wanted);
        lost && self.plan.tables[self.number].on_lost == OnLost::Stop
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
                unreadable.cells[0].column = header.get(cell).map(|name| name.as_str().into());
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
        let plan = &self.plan.tables[self.number];
        plan.key_columns.iter().map(|column| &*plan.reads[*column].name).collect::<Vec<_>>().join(", ")
    }

    /// A finding about a record that no entity takes.
    pub(super) fn unclaimed(self, row: u32) -> Finding {
        let name = &self.plan.tables[self.number].name;
        let message = format!("no entity of the mapping takes this record of table `{name}`");
        finding(self.table.cell(row, None), "unclaimed_record", Severity::Error, message)
    }

    fn orphan(self, row: u32) -> Finding {
        let plan = &self.plan.tables[self.number];
        let Some(link) = self.entities().find_map(|entity| entity.link).map(|link| &plan.links[link]) else {
            let cell = self.table.cell(row, None);
            return finding(cell, "orphaned_record", Severity::Warning, "the record has no account");
        };
        let names: Vec<Arc<str>> = link.columns.iter().map(|column| plan.reads[*column].name.clone()).collect();
        let message = format!(
            "no usable record of table `{}` has the key that {} names here, so the record belongs to no account",
            self.plan.tables[link.parent].name,
            names.join(", ")
        );
        let mut orphan = finding(self.table.cell(row, None), "orphaned_record", Severity::Warning, message);
        orphan.cells = names.into_iter().map(|name| self.table.cell(row, Some(name))).collect();
        orphan
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
    }
}

/// A finding about the record that `cell` names.
pub(super) fn finding(cell: Cell, code: &str, severity: Severity, message: impl Into<String>) -> Finding {
    Finding { code: code.into(), severity, path: String::new(), message: message.into(), cells: vec![cell] }
}
