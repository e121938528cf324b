//! A book: some accounts of an extract, their objects side by side in the order of the payload.
//!
//! [`Books`] cuts an extract into books, one for each partition of the stage, and knows what no book can tell: what
//! became of records that belong to no account. A book knows its accounts, and what became of their records.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::frame::DataFrame;
use polars::prelude::{Column, IdxCa, NewChunkedArray as _};

use super::bucket::{Bucket, Buckets};
use super::lost::{Lost, LostMoney};
use super::measured::LedgerCodes;
use super::order::{self, Placed};
use super::records::{Records, finding};
use super::selection::{Selected, Selection};
use crate::account::AccountKey;
use crate::finding::{Finding, Severity};
use crate::mapping::plan::Plan;
use crate::stage::column::Slice;
use crate::stage::keys::{NO_ROW, inverse};
use crate::stage::{Part, Stage, StageError, StagedTable};

/// The objects of one entity, in payload order.
#[derive(Debug)]
pub struct EntityFrame {
    /// One column a leaf of the entity, named by its number.
    pub frame: DataFrame,
    /// The rows of the table.
    pub rows: Vec<u32>,
    /// Outcomes of the table's tests, if a line of the entity asks for them.
    pub masks: Vec<u32>,
    /// Where the objects below each parent start; for the account itself, unused.
    pub offsets: Vec<u32>,
}

/// Some accounts of an extract, in the order of their names.
#[derive(Debug)]
pub struct Book {
    /// The compiled mapping.
    pub plan: Arc<Plan>,
    /// The records of the accounts; their frames are spent.
    pub tables: Vec<StagedTable>,
    /// The entities' frames.
    pub entities: Vec<EntityFrame>,
    /// The accounts, in order; account `n` is object `n` of the first entity.
    pub accounts: Vec<AccountKey>,
    /// The rank of each account in the extract, ascending.
    pub ranks: Vec<u32>,
    /// What became of every record, by table and row; `Used` until its account is rejected.
    buckets: Vec<Vec<Bucket>>,
    /// Records passed over, by table and file.
    passed_over: Vec<Vec<u64>>,
    /// Findings about records that no account can be told for.
    pub findings: Vec<Finding>,
    /// Findings about accounts that are known before their payloads are made.
    pub account_findings: BTreeMap<u32, Vec<Finding>>,
    /// Money that is in no payload.
    lost: LostMoney,
    /// By entity: records below accounts that are not rejected.
    records: Vec<u64>,
}

/// The books of an extract.
#[derive(Debug)]
pub struct Books<'s> {
    pub(super) stage: &'s Stage,
    selected: Selected,
    /// Findings about records that belong to no account, and about accounts that are not there.
    pub findings: Vec<Finding>,
    /// Tables with a lost record that say `on_lost = "stop"`.
    pub stopped_by: Vec<Arc<str>>,
    /// What became of the records that belong to no account, and of those that stand twice.
    pub buckets: Buckets,
    /// The codes of billing ledgers that payloads have had so far.
    pub codes: LedgerCodes,
}

impl<'s> Books<'s> {
    /// The books of the accounts of `stage` that `selection` takes.
    #[must_use]
    pub fn open(stage: &'s Stage, selection: &Selection) -> Self {
        let (selected, unknown) = selection.select(&stage.accounts);
        let mut books = Self {
            stage,
            selected,
            findings: unknown,
            stopped_by: Vec::new(),
            buckets: Buckets::new(&stage.tables),
            codes: LedgerCodes::default(),
        };
        for (number, table) in stage.tables.iter().enumerate() {
            let records = Records { stage, number, table };
            books.findings.extend(records.lost_findings());
            books.findings.extend(records.strangers());
            records.count_lost(&mut books.buckets);
            if records.stops() {
                books.stopped_by.push(stage.plan.tables[number].name.clone());
            }
        }
        books
    }

    /// What the books are made from.
    #[must_use]
    pub fn stage(&self) -> &'s Stage {
        self.stage
    }

    /// How many accounts there are in all books, named or not.
    #[must_use]
    pub fn accounts(&self) -> u64 {
        self.selected.count()
    }

    /// How many books there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stage.partitions()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts book `number` together.
    pub fn book(&self, number: usize) -> Result<Book, StageError> {
        let ranks = self.stage.accounts_of(number);
        let wanted = self.selected.among(ranks);
        let part = self.stage.part(number, wanted.as_deref())?;
        Book::assemble(self.stage, part)
    }
}

impl Book {
    fn assemble(stage: &Stage, part: Part) -> Result<Self, StageError> {
        let plan = stage.plan.clone();
        let mut book = Self {
            buckets: part.tables.iter().map(|table| vec![Bucket::Filtered; table.rows() as usize]).collect(),
            entities: Vec::with_capacity(plan.entities.len()),
            lost: LostMoney::new(&plan, &part),
            records: Vec::with_capacity(plan.entities.len()),
            plan,
            tables: part.tables,
            accounts: Vec::new(),
            ranks: Vec::new(),
            passed_over: part.passed_over,
            findings: Vec::new(),
            account_findings: BTreeMap::new(),
        };
        let mut positions: Vec<Vec<u32>> = Vec::with_capacity(book.plan.entities.len());
        for number in 0..book.plan.entities.len() {
            let mut placed = if number == 0 { book.place_accounts(stage) } else { book.place(number, &positions) };
            let entity = &book.plan.entities[number];
            let table = &book.tables[entity.table];
            if number > 0 {
                let columns = table.slices()?;
                let columns: Vec<Slice<'_>> = entity.leaves.iter().map(|leaf| columns[*leaf]).collect();
                order::sort(&mut placed, entity, &columns, &table.texts);
            }
            positions.push(inverse(&placed.rows, table.rows()));
            book.records.push(placed.rows.len() as u64);
            let frame = book.gather(number, placed)?;
            book.entities.push(frame);
            let table = book.plan.entities[number].table;
            if book.plan.entities[number + 1..].iter().all(|later| later.table != table) {
                book.tables[table].frame = DataFrame::empty();
            }
        }
        book.fill_buckets(&positions);
        book.lose_money(&positions)?;
        book.tell_of_unclaimed(stage, &positions);
        book.tell_of_shared_keys(stage);
        for table in &mut book.tables {
            table.parents = Vec::new();
        }
        Ok(book)
    }

    /// Adds up the money of the records that are in no object.
    fn lose_money(&mut self, positions: &[Vec<u32>]) -> Result<(), StageError> {
        let plan = self.plan.clone();
        let mut lost = std::mem::take(&mut self.lost);
        for (number, table) in self.tables.iter().enumerate().filter(|(at, _)| !plan.tables[*at].money.is_empty()) {
            let columns = lost.columns(&plan, number, table)?;
            let mut found = Vec::new();
            for row in 0..table.rows() {
                let at = row as usize;
                columns.each(table.mask(row), at, |field, slot, amount| {
                    let placed = field.entity.is_some_and(|entity| positions[entity][at] != NO_ROW);
                    if placed {
                        return;
                    }
                    let whole = self.buckets[number][at];
                    let bucket = match field.entity {
                        _ if table.is_dead(row) => Bucket::Duplicate,
                        Some(entity) => self.bucket(&[entity], number, row, whole),
                        None => whole,
                    };
                    // Of a record that is used otherwise, whatever no object takes is left out.
                    let bucket = if bucket == Bucket::Used { Bucket::Filtered } else { bucket };
                    found.push((row, bucket, slot, amount));
                });
            }
            drop(columns);
            for (row, bucket, slot, amount) in found {
                lost.add(&plan, number, (bucket, Some(table.accounts[row as usize])), slot, amount);
            }
        }
        self.lost = lost;
        Ok(())
    }

    /// By entity: records below accounts that are not rejected.
    #[must_use]
    pub fn records(&self) -> &[u64] {
        &self.records
    }

    /// Money of the book's records that is in no payload.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        let ranks = &self.ranks;
        let name = |rank: u32| ranks.binary_search(&rank).ok().map(|account| self.accounts[account].clone());
        std::mem::take(&mut self.lost).into_list(name)
    }

    /// The accounts in the order of their names. One without a name that can be read is told of and left out.
    fn place_accounts(&mut self, stage: &Stage) -> Placed {
        let plan = &self.plan.entities[0];
        let table = &self.tables[plan.table];
        let mut ranked: Vec<(u32, u32)> = (0..table.rows())
            .filter(|row| table.mask(*row) & plan.mask == plan.mask)
            .map(|row| (table.accounts[row as usize], row))
            .collect();
        ranked.sort_unstable();
        let mut rows = Vec::with_capacity(ranked.len());
        for (rank, row) in ranked {
            let Some(key) = stage.accounts.key(rank) else {
                self.buckets[plan.table][row as usize] = Bucket::Rejected;
                let message = "the account has no import supplier or no account number that can be read";
                let mut nameless = finding(table.cell(row, None), "account_without_name", Severity::Error, message);
                nameless.path = "external_account_number".into();
                self.findings.push(nameless);
                continue;
            };
            for twin in stage.accounts.twins(rank) {
                let message = "two records name the same account of the same import supplier";
                let mut twins = finding(table.cell(row, None), "duplicate_account", Severity::Error, message);
                twins.path = "external_account_number".into();
                twins.cells.push(stage.tables[plan.table].cell(stage.accounts.row(twin), None));
                self.account_findings.entry(rows.len() as u32).or_default().push(twins);
            }
            rows.push(row);
            self.accounts.push(key);
            self.ranks.push(rank);
        }
        Placed { rows, offsets: Vec::new() }
    }

    /// The records of a child entity, below their parents.
    fn place(&self, entity: usize, positions: &[Vec<u32>]) -> Placed {
        let plan = &self.plan.entities[entity];
        let table = &self.tables[plan.table];
        let (Some(parent), Some(link)) = (plan.parent, plan.link) else { return Placed::default() };
        let above = &positions[parent];
        let mut parents: Vec<u32> =
            table.parents[link].iter().map(|row| above.get(*row as usize).copied().unwrap_or(NO_ROW)).collect();
        for (parent, mask) in parents.iter_mut().zip(&table.masks) {
            if mask & plan.mask != plan.mask {
                *parent = NO_ROW;
            }
        }
        for dead in &table.dead {
            parents[*dead as usize] = NO_ROW;
        }
        order::place(&parents, self.entities[parent].rows.len())
    }

    /// Copies the entity's columns into payload order, so that the walk reads them from front to back.
    fn gather(&self, entity: usize, placed: Placed) -> Result<EntityFrame, StageError> {
        let plan = &self.plan.entities[entity];
        let table = &self.tables[plan.table];
        let index = IdxCa::from_slice("row".into(), &placed.rows);
        let columns: Vec<Column> =
            plan.leaves.iter().map(|leaf| table.frame.columns()[*leaf].take(&index)).collect::<Result<_, _>>()?;
        let frame = DataFrame::new(placed.rows.len(), columns)?;
        let conditional = plan.fields.iter().any(|field| field.lines.iter().any(|line| line.mask != 0));
        let masks = if conditional { placed.rows.iter().map(|row| table.mask(*row)).collect() } else { Vec::new() };
        Ok(EntityFrame { frame, rows: placed.rows, masks, offsets: placed.offsets })
    }

    /// Puts every record into its bucket, tables in the order of their keys.
    fn fill_buckets(&mut self, positions: &[Vec<u32>]) {
        let plan = self.plan.clone();
        for number in 0..self.tables.len() {
            let entities: Vec<usize> =
                (0..plan.entities.len()).filter(|at| plan.entities[*at].table == number).collect();
            let known = std::mem::take(&mut self.buckets[number]);
            let buckets = (0_u32..)
                .zip(known)
                .map(|(row, known)| {
                    let used = entities.iter().any(|entity| positions[*entity][row as usize] != NO_ROW);
                    if used { Bucket::Used } else { self.bucket(&entities, number, row, known) }
                })
                .collect();
            self.buckets[number] = buckets;
        }
    }

    /// What became of a record that no object was made of.
    fn bucket(&self, entities: &[usize], number: usize, row: u32, known: Bucket) -> Bucket {
        let table = &self.tables[number];
        if table.is_dead(row) {
            return Bucket::Duplicate;
        }
        let wanted = entities.iter().map(|entity| &self.plan.entities[*entity]);
        let wanted = wanted.filter(|plan| table.mask(row) & plan.mask == plan.mask);
        let buckets = wanted.map(|plan| match plan.link {
            // An account that was set aside knows why.
            None => known,
            Some(link) => {
                let above = self.plan.tables[number].links[link].parent;
                match self.buckets[above].get(table.parents[link][row as usize] as usize) {
                    None => Bucket::Orphaned,
                    Some(Bucket::Used) => Bucket::Filtered,
                    Some(above) => *above,
                }
            }
        });
        buckets.min().unwrap_or(Bucket::Filtered)
    }

    /// Findings about records that no entity takes, in tables that want every record taken.
    fn tell_of_unclaimed(&mut self, stage: &Stage, positions: &[Vec<u32>]) {
        for (number, table) in self.tables.iter().enumerate() {
            let records = Records { stage, number, table: &stage.tables[number] };
            if !records.wants_all() {
                continue;
            }
            let links: Vec<(usize, usize)> =
                records.entities().filter_map(|entity| entity.parent.zip(entity.link)).collect();
            for row in 0..table.rows() {
                if self.buckets[number][row as usize] != Bucket::Filtered {
                    continue;
                }
                let account = links.iter().find_map(|(parent, link)| {
                    let position = *positions[*parent].get(table.parents[*link][row as usize] as usize)?;
                    (position != NO_ROW).then(|| self.account_of(*parent, position))
                });
                let unclaimed = records.unclaimed(table.records[row as usize]);
                match account {
                    Some(account) => self.account_findings.entry(account).or_default().push(unclaimed),
                    None => self.findings.push(unclaimed),
                }
            }
        }
    }

    /// Findings about records that share a key, or have parents in two accounts.
    fn tell_of_shared_keys(&mut self, stage: &Stage) {
        for (number, table) in stage.tables.iter().enumerate() {
            let records = Records { stage, number, table };
            for (rank, finding) in records.of_accounts() {
                let Ok(account) = self.ranks.binary_search(&rank) else { continue };
                let known = self.account_findings.entry(account as u32).or_default();
                if !known.contains(&finding) {
                    known.push(finding);
                }
            }
        }
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
        let rank = self.ranks[account as usize];
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
            self.records[number] -= u64::from(range.1 - range.0);
            let table = self.plan.entities[number].table;
            if self.plan.tables[table].money.iter().any(|field| field.entity == Some(number)) {
                let rows = &entity.rows[range.0 as usize..range.1 as usize];
                // A column that could be read before can be read again.
                let _ = self.lost.reject(&self.plan, (number, table), &self.tables[table], rows, rank);
            }
            for row in &entity.rows[range.0 as usize..range.1 as usize] {
                self.buckets[self.plan.entities[number].table][*row as usize] = Bucket::Rejected;
            }
        }
    }

    /// What became of the records, by table and row.
    #[must_use]
    pub fn buckets(&self) -> &[Vec<Bucket>] {
        &self.buckets
    }

    /// Counts what became of the records, but for those that stand twice: they are counted with their extract.
    pub fn count(&self, stage: &Stage, buckets: &mut Buckets) {
        for (number, table) in self.tables.iter().enumerate() {
            let whole = &stage.tables[number];
            let counted = buckets.of_table(number);
            for (row, bucket) in table.records.iter().zip(&self.buckets[number]) {
                if *bucket != Bucket::Duplicate {
                    counted[whole.file_number(*row)].add(*bucket, 1);
                }
            }
            for (file, passed_over) in self.passed_over[number].iter().enumerate() {
                counted[file].add(Bucket::NotSelected, *passed_over);
            }
        }
    }
}

/// The parent of the object at `position`.
pub(super) fn parent_of(offsets: &[u32], position: u32) -> u32 {
    offsets.partition_point(|start| *start <= position) as u32 - 1
}
