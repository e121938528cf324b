//! The book: every account of an extract, its objects side by side in the order of the payload.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use polars::frame::DataFrame;
use polars::prelude::{Column, IdxCa, NewChunkedArray as _, PolarsResult};
use rayon::prelude::*;

use super::order::{self, Placed};
use super::view::View;
use crate::account::AccountKey;
use crate::extract::record::Unreadable;
use crate::finding::{Finding, Severity};
use crate::mapping::plan::Plan;
use crate::mapping::{OnLost, Rest};
use crate::stage::column::Slice;
use crate::stage::keys::NO_ROW;
use crate::stage::{Fate, StageError, StagedTable};

/// What became of a record: the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// It cannot be read as a record.
    Quarantined,
    /// It stands elsewhere, to the byte.
    Duplicate,
    /// Its parent is lost or missing.
    Orphaned,
    /// Its account is not of this wave.
    NotSelected,
    /// The mapping leaves it out.
    Filtered,
    /// Its account is rejected.
    Rejected,
    /// It is in a payload, as far as it says anything that a payload holds.
    Used,
}

/// Which accounts to build.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Account numbers, with or without their supplier; none: all.
    pub accounts: Option<HashSet<(Option<String>, String)>>,
    /// At most so many, in the order of their numbers.
    pub limit: Option<usize>,
}

impl Selection {
    fn takes(&self, key: &AccountKey) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| {
            let number = key.number.to_string();
            accounts.contains(&(Some(key.supplier.to_string()), number.clone())) || accounts.contains(&(None, number))
        })
    }
}

/// The objects of one entity, in payload order.
#[derive(Debug)]
pub struct EntityFrame {
    /// One column a leaf of the entity, named by its number.
    pub frame: DataFrame,
    /// The rows of the table.
    pub rows: Vec<u32>,
    /// Outcomes of the table's tests.
    pub masks: Vec<u32>,
    /// Where the objects below each parent start; for the account itself, unused.
    pub offsets: Vec<u32>,
}

/// Every account of an extract.
#[derive(Debug)]
pub struct Book {
    /// The compiled mapping.
    pub plan: Arc<Plan>,
    /// The tables; their frames are spent.
    pub tables: Vec<StagedTable>,
    /// The entities' frames.
    pub entities: Vec<EntityFrame>,
    /// The accounts, in order; account `n` is object `n` of the first entity.
    pub accounts: Vec<AccountKey>,
    /// What became of every record, by table and row; `Used` until its account is rejected.
    pub buckets: Vec<Vec<Bucket>>,
    /// Findings about records that no account can be told for.
    pub findings: Vec<Finding>,
    /// Findings about accounts that are known before their payloads are made.
    pub account_findings: BTreeMap<u32, Vec<Finding>>,
    /// Tables with a lost record that say `on_lost = "stop"`.
    pub stopped_by: Vec<Arc<str>>,
}

/// Puts staged tables together.
pub fn assemble(plan: &Arc<Plan>, tables: Vec<StagedTable>, selection: &Selection) -> Result<Book, StageError> {
    let mut book = Book {
        plan: plan.clone(),
        buckets: tables.iter().map(|table| vec![Bucket::Filtered; table.rows as usize]).collect(),
        tables,
        entities: Vec::with_capacity(plan.entities.len()),
        accounts: Vec::new(),
        findings: Vec::new(),
        account_findings: BTreeMap::new(),
        stopped_by: Vec::new(),
    };
    let mut positions: Vec<Vec<u32>> = Vec::with_capacity(plan.entities.len());
    for entity in 0..plan.entities.len() {
        let placed = if entity == 0 { book.place_accounts() } else { book.place(entity, &positions) };
        let frame = book.gather(entity, placed)?;
        let frame = book.sort(entity, frame)?;
        let table = plan.entities[entity].table;
        positions.push(order::positions(&frame.rows, book.tables[table].rows));
        book.entities.push(frame);
        if entity == 0 {
            book.name_accounts(selection, &mut positions)?;
        }
        if plan.entities[entity + 1..].iter().all(|later| later.table != table) {
            book.tables[table].frame = DataFrame::empty();
        }
    }
    book.fill_buckets(&positions);
    book.find_shared_keys(&positions);
    for table in &mut book.tables {
        table.parents = Vec::new();
        table.masks = Vec::new();
    }
    Ok(book)
}

impl Book {
    /// The account's records, in any order; [`Book::name_accounts`] sorts them.
    fn place_accounts(&self) -> Placed {
        let entity = &self.plan.entities[0];
        let table = &self.tables[entity.table];
        let of_entity = |row: &u32| {
            let row = *row as usize;
            table.fates[row] == Fate::Alive && table.masks[row] & entity.mask == entity.mask
        };
        Placed { rows: (0..table.rows).filter(of_entity).collect(), offsets: Vec::new() }
    }

    /// Sorts the accounts by their names and keeps those that are selected.
    fn name_accounts(&mut self, selection: &Selection, positions: &mut [Vec<u32>]) -> Result<(), StageError> {
        let named: Vec<Option<AccountKey>> = {
            let view = View::new(self)?;
            (0..self.entities[0].rows.len()).map(|at| view.account_key(at)).collect()
        };
        let rows = self.entities[0].rows.clone();
        let mut order: Vec<(AccountKey, u32)> = Vec::with_capacity(rows.len());
        let table = self.plan.entities[0].table;
        for (key, row) in named.into_iter().zip(rows) {
            match key {
                Some(key) if selection.takes(&key) => order.push((key, row)),
                Some(_) => self.buckets[table][row as usize] = Bucket::NotSelected,
                None => {
                    self.buckets[table][row as usize] = Bucket::Rejected;
                    self.findings.push(Finding {
                        code: "account_without_name".into(),
                        severity: Severity::Error,
                        path: "external_account_number".into(),
                        message: "the account has no import supplier or no account number that can be read".into(),
                        cells: vec![self.tables[table].cell(row, None)],
                    });
                }
            }
        }
        self.find_unknown(selection, &order);
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, row) in order.drain(selection.limit.unwrap_or(usize::MAX).min(order.len())..) {
            self.buckets[table][row as usize] = Bucket::NotSelected;
        }
        let placed = Placed { rows: order.iter().map(|(_, row)| *row).collect(), offsets: Vec::new() };
        positions[0] = order::positions(&placed.rows, self.tables[table].rows);
        self.entities[0] = self.gather(0, placed)?;
        self.accounts = order.into_iter().map(|(key, _)| key).collect();
        for at in 1..self.accounts.len() {
            if self.accounts[at] == self.accounts[at - 1] {
                for twin in [at - 1, at] {
                    let cells =
                        [twin, 2 * at - 1 - twin].map(|at| self.tables[table].cell(self.entities[0].rows[at], None));
                    self.account_findings.entry(twin as u32).or_default().push(Finding {
                        code: "duplicate_account".into(),
                        severity: Severity::Error,
                        path: "external_account_number".into(),
                        message: "two records name the same account of the same import supplier".into(),
                        cells: cells.to_vec(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Findings about selected names that no account has.
    fn find_unknown(&mut self, selection: &Selection, found: &[(AccountKey, u32)]) {
        let Some(wanted) = &selection.accounts else { return };
        let known: HashSet<(&str, &str)> = found.iter().map(|(key, _)| (&*key.supplier, &*key.number)).collect();
        let numbers: HashSet<&str> = found.iter().map(|(key, _)| &*key.number).collect();
        let mut unknown: Vec<&(Option<String>, String)> = wanted
            .iter()
            .filter(|(supplier, number)| match supplier {
                Some(supplier) => !known.contains(&(supplier.as_str(), number.as_str())),
                None => !numbers.contains(number.as_str()),
            })
            .collect();
        unknown.sort();
        self.findings.extend(unknown.into_iter().map(|(supplier, number)| {
            let name = supplier.as_ref().map_or_else(|| number.clone(), |supplier| format!("{supplier},{number}"));
            Finding {
                code: "unknown_account".into(),
                severity: Severity::Error,
                path: "external_account_number".into(),
                message: format!("the list names account {name}, and the extract has no such account"),
                cells: Vec::new(),
            }
        }));
    }

    /// The records of a child entity, below their parents.
    fn place(&self, entity: usize, positions: &[Vec<u32>]) -> Placed {
        let plan = &self.plan.entities[entity];
        let table = &self.tables[plan.table];
        let (Some(parent), Some(link)) = (plan.parent, plan.link) else { return Placed::default() };
        let above = &positions[parent];
        let parents: Vec<u32> = table.parents[link]
            .par_iter()
            .zip(&table.masks)
            .zip(&table.fates)
            .map(|((&row, &mask), &fate)| {
                let of_entity = row != NO_ROW && fate == Fate::Alive && mask & plan.mask == plan.mask;
                if of_entity { above[row as usize] } else { NO_ROW }
            })
            .collect();
        order::place(&parents, self.entities[parent].rows.len())
    }

    /// Puts the objects below each parent in order.
    fn sort(&self, entity: usize, frame: EntityFrame) -> Result<EntityFrame, StageError> {
        let plan = &self.plan.entities[entity];
        let columns: Vec<Slice<'_>> = frame.frame.columns().iter().map(Slice::of).collect::<PolarsResult<_>>()?;
        let Some(places) = order::sort(&frame.offsets, plan, &columns, &self.tables[plan.table].texts) else {
            return Ok(frame);
        };
        let pick = |values: &[u32]| places.iter().map(|place| values[*place as usize]).collect::<Vec<u32>>();
        let masks = if frame.masks.is_empty() { Vec::new() } else { pick(&frame.masks) };
        let index = IdxCa::from_slice("place".into(), &places);
        Ok(EntityFrame { frame: frame.frame.take(&index)?, rows: pick(&frame.rows), masks, offsets: frame.offsets })
    }

    /// Copies the entity's columns into payload order, so that the walk reads them from front to back.
    fn gather(&self, entity: usize, placed: Placed) -> Result<EntityFrame, StageError> {
        let plan = &self.plan.entities[entity];
        let table = &self.tables[plan.table];
        let picked: Vec<Column> = plan.leaves.iter().map(|leaf| table.frame.columns()[*leaf].clone()).collect();
        let index = IdxCa::from_slice("row".into(), &placed.rows);
        let frame = if picked.is_empty() {
            DataFrame::empty()
        } else {
            DataFrame::new(table.rows as usize, picked)?.take(&index)?
        };
        let conditional = plan.fields.iter().any(|field| field.lines.iter().any(|line| line.mask != 0));
        let masks =
            if conditional { placed.rows.iter().map(|row| table.masks[*row as usize]).collect() } else { Vec::new() };
        Ok(EntityFrame { frame, rows: placed.rows, masks, offsets: placed.offsets })
    }

    /// Puts every record into its bucket, tables in the order of their keys.
    fn fill_buckets(&mut self, positions: &[Vec<u32>]) {
        let plan = self.plan.clone();
        for number in 0..self.tables.len() {
            let entities: Vec<usize> =
                (0..plan.entities.len()).filter(|at| plan.entities[*at].table == number).collect();
            let table = &self.tables[number];
            let known = std::mem::take(&mut self.buckets[number]);
            let buckets: Vec<Bucket> = (0..table.rows)
                .into_par_iter()
                .map(|row| self.bucket(&plan, &entities, positions, table, row, known[row as usize]))
                .collect();
            self.buckets[number] = buckets;
            self.report_lost(number, &entities, positions);
        }
    }

    fn bucket(
        &self,
        plan: &Plan,
        entities: &[usize],
        positions: &[Vec<u32>],
        table: &StagedTable,
        row: u32,
        known: Bucket,
    ) -> Bucket {
        match table.fates[row as usize] {
            Fate::Quarantined => return Bucket::Quarantined,
            Fate::Duplicate => return Bucket::Duplicate,
            Fate::Alive => {}
        }
        let mut bucket = Bucket::Filtered;
        for &entity in entities {
            if positions[entity][row as usize] != NO_ROW {
                return Bucket::Used;
            }
            let entity_plan = &plan.entities[entity];
            if table.masks[row as usize] & entity_plan.mask != entity_plan.mask {
                continue;
            }
            bucket = bucket.min(match entity_plan.link {
                // An account that was set aside knows why.
                None => known,
                Some(link) => match (table.parents[link][row as usize], &plan.tables[entity_plan.table].links[link]) {
                    (NO_ROW, _) => Bucket::Orphaned,
                    (parent, link) => match self.buckets[link.parent][parent as usize] {
                        Bucket::Used => Bucket::Filtered,
                        above => above,
                    },
                },
            });
        }
        bucket
    }

    /// Findings about the lost records of table `number`, and about those that no entity takes.
    fn report_lost(&mut self, number: usize, entities: &[usize], positions: &[Vec<u32>]) {
        let plan = self.plan.clone();
        let table = &self.tables[number];
        let mut lost = 0;
        for record in &table.quarantined {
            lost += 1;
            let header = &table.file(record.row).source.header;
            let message = record.why.message(header);
            let mut unreadable = finding(table, record.row, record.why.code(), Severity::Warning, message);
            if let Unreadable::Encoding { cell } = record.why {
                unreadable.cells[0].column = header.get(cell).map(|name| name.as_str().into());
            }
            self.findings.push(unreadable);
        }
        for row in 0..table.rows {
            match self.buckets[number][row as usize] {
                Bucket::Orphaned => {
                    lost += 1;
                    let link = entities.iter().find_map(|entity| plan.entities[*entity].link);
                    self.findings.push(orphan(&plan, number, table, row, link));
                }
                Bucket::Filtered if plan.tables[number].rest == Rest::Finding => {
                    let at = entities.iter().find_map(|&entity| {
                        let (parent, link) = plan.entities[entity].parent.zip(plan.entities[entity].link)?;
                        let row = *table.parents[link].get(row as usize)?;
                        let position = *positions[parent].get(row as usize)?;
                        (position != NO_ROW).then(|| self.account_of(parent, position))
                    });
                    let message =
                        format!("no entity of the mapping takes this record of table `{}`", plan.tables[number].name);
                    let unclaimed = finding(table, row, "unclaimed_record", Severity::Error, message);
                    match at {
                        Some(account) => self.account_findings.entry(account).or_default().push(unclaimed),
                        None => self.findings.push(unclaimed),
                    }
                }
                _ => {}
            }
        }
        if lost > 0 && plan.tables[number].on_lost == OnLost::Stop {
            self.stopped_by.push(plan.tables[number].name.clone());
        }
    }

    /// Findings about records that share a key.
    fn find_shared_keys(&mut self, positions: &[Vec<u32>]) {
        let plan = self.plan.clone();
        for (number, table) in self.tables.iter().enumerate() {
            let names: Vec<&str> =
                plan.tables[number].key_columns.iter().map(|c| &*plan.tables[number].reads[*c].name).collect();
            let names = names.join(", ");
            let accounts = |row: u32| {
                let of_table = plan.entities.iter().enumerate().filter(|(_, entity)| entity.table == number);
                of_table
                    .map(|(entity, _)| (entity, positions[entity][row as usize]))
                    .find(|(_, position)| *position != NO_ROW)
                    .map(|(entity, position)| self.account_of(entity, position))
            };
            let mut found = Vec::new();
            for same in &table.duplicates {
                let message = format!("the record stands twice, to the byte; one is used (key: {names})");
                let mut duplicate = finding(table, same.row, "duplicate_record", Severity::Warning, message);
                duplicate.cells.push(table.cell(same.first, None));
                found.push((accounts(same.first), duplicate));
            }
            for same in &table.conflicts {
                for (one, other) in [(same.row, same.first), (same.first, same.row)] {
                    let message = format!("two different records have one key ({names})");
                    let mut conflict = finding(table, one, "conflicting_records", Severity::Error, message);
                    conflict.cells.push(table.cell(other, None));
                    found.push((accounts(one), conflict));
                }
            }
            for (account, finding) in found {
                match account {
                    // Another wave's accounts are another wave's matter.
                    None if self.not_selected(number, &finding) => {}
                    Some(account) => {
                        let known = self.account_findings.entry(account).or_default();
                        if !known.contains(&finding) {
                            known.push(finding);
                        }
                    }
                    None => self.findings.push(finding),
                }
            }
        }
    }

    /// Whether a finding's first cell is in a record of an account that was not selected.
    fn not_selected(&self, table: usize, finding: &Finding) -> bool {
        let Some(cell) = finding.cells.first() else { return false };
        let file = self.tables[table].files.iter().find(|file| file.source.name == cell.file);
        let row = file.map(|file| u64::from(file.first_row) + cell.record - 1);
        row.is_some_and(|row| self.buckets[table][row as usize] == Bucket::NotSelected)
    }

    /// The account of the object at `position` of `entity`.
    #[must_use]
    pub fn account_of(&self, mut entity: usize, mut position: u32) -> u32 {
        while let Some(parent) = self.plan.entities[entity].parent {
            position = parent_of(&self.entities[entity].offsets, position);
            entity = parent;
        }
        position
    }

    /// Marks every record of account `account` as one of a rejected account.
    pub fn reject(&mut self, account: u32) {
        let mut ranges = vec![(0, 0); self.entities.len()];
        for number in 0..self.entities.len() {
            let entity = &self.entities[number];
            let range = match self.plan.entities[number].parent {
                None => (account, account + 1),
                Some(parent) => {
                    let (start, end) = ranges[parent];
                    (entity.offsets[start as usize], entity.offsets[end as usize])
                }
            };
            ranges[number] = range;
            for row in &entity.rows[range.0 as usize..range.1 as usize] {
                self.buckets[self.plan.entities[number].table][*row as usize] = Bucket::Rejected;
            }
        }
    }
}

/// The parent of the object at `position`.
pub(super) fn parent_of(offsets: &[u32], position: u32) -> u32 {
    offsets.partition_point(|start| *start <= position) as u32 - 1
}

fn finding(table: &StagedTable, row: u32, code: &str, severity: Severity, message: String) -> Finding {
    Finding { code: code.into(), severity, path: String::new(), message, cells: vec![table.cell(row, None)] }
}

fn orphan(plan: &Plan, number: usize, table: &StagedTable, row: u32, link: Option<usize>) -> Finding {
    let Some(link) = link.map(|link| &plan.tables[number].links[link]) else {
        return finding(table, row, "orphaned_record", Severity::Warning, "the record has no account".into());
    };
    let parent = &plan.tables[link.parent];
    let names: Vec<Arc<str>> = link.columns.iter().map(|c| plan.tables[number].reads[*c].name.clone()).collect();
    let message = format!(
        "no usable record of table `{}` has the key that {} names here, so the record belongs to no account",
        parent.name,
        names.join(", ")
    );
    let mut orphan = finding(table, row, "orphaned_record", Severity::Warning, message);
    orphan.cells = names.into_iter().map(|name| table.cell(row, Some(name))).collect();
    orphan
}
