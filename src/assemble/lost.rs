//! Money that was read and is in no payload, by what became of its record, measure by measure and account by account.
//!
//! It is added up from the columns that payloads are made of; what the cells say, from their text. So the two and the
//! payloads make an identity, and not one number three times.

use std::collections::BTreeMap;

use polars::prelude::{Column, PolarsResult};

use super::bucket::Bucket;
use crate::account::AccountKey;
use crate::mapping::measure::Measures;
use crate::mapping::plan::Plan;
use crate::money::{Amount, Total};
use crate::stage::column::Slice;
use crate::stage::money::{MoneyColumns, PassedMoney, Totals};
use crate::stage::{Part, Stage, StagedTable};

/// Money that is in no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Whose it is; none: nobody knows, or it was not asked for.
    pub account: Option<AccountKey>,
    /// What became of its records.
    pub cause: Bucket,
    /// The measure's number in the mapping's plan.
    pub measure: usize,
    /// How many cells, and what they come to.
    pub total: Total,
}

/// The money of a book that is in no payload, and the columns it is told by.
#[derive(Debug, Default)]
pub(super) struct LostMoney {
    /// By table: the columns of the leaves that money needs.
    columns: Vec<BTreeMap<usize, Column>>,
    /// By what became of it, the rank of the account, and the measure.
    totals: BTreeMap<(Bucket, Option<u32>, usize), Total>,
}

impl LostMoney {
    pub(super) fn new(plan: &Plan, part: &Part) -> Self {
        let mut lost = Self::default();
        for (plan, table) in plan.tables.iter().zip(&part.tables) {
            // The same columns once more, not a copy of them.
            let kept = MoneyColumns::leaves(plan).map(|leaf| (leaf, table.frame.columns()[leaf].clone()));
            lost.columns.push(kept.collect());
        }
        for (table, PassedMoney { not_selected, duplicate }) in plan.tables.iter().zip(&part.passed_money) {
            for (bucket, totals) in [(Bucket::NotSelected, not_selected), (Bucket::Duplicate, duplicate)] {
                for (slot, total) in totals.iter() {
                    *lost.totals.entry((bucket, None, Measures::of_slot(&table.money, slot))).or_default() += total;
                }
            }
        }
        lost
    }

    /// What `table`, that of number `number`, says of money.
    pub(super) fn columns<'c>(
        &'c self,
        plan: &'c Plan,
        number: usize,
        table: &'c StagedTable,
    ) -> PolarsResult<MoneyColumns<'c>> {
        let plan = &plan.tables[number];
        let column = |leaf: usize| self.columns[number].get(&leaf).map_or(Ok(Slice::Number(&[])), Slice::of);
        let columns = (0..plan.leaves.len()).map(column).collect::<PolarsResult<_>>()?;
        Ok(MoneyColumns::new(plan, columns, &table.texts))
    }

    /// Adds an amount in `slot` of table `number`.
    pub(super) fn add(
        &mut self,
        plan: &Plan,
        number: usize,
        (bucket, rank): (Bucket, Option<u32>),
        slot: usize,
        amount: Amount,
    ) {
        let measure = Measures::of_slot(&plan.tables[number].money, slot);
        self.totals.entry((bucket, rank, measure)).or_default().add(amount);
    }

    /// Adds the money that `rows` of `table` give to entity `entity`, whose account of rank `rank` is rejected.
    pub(super) fn reject(
        &mut self,
        plan: &Plan,
        (entity, number): (usize, usize),
        table: &StagedTable,
        rows: &[u32],
        rank: u32,
    ) -> PolarsResult<()> {
        let columns = self.columns(plan, number, table)?;
        let mut found = Vec::new();
        for field in plan.tables[number].money.iter().filter(|field| field.entity == Some(entity)) {
            for row in rows {
                found.extend(columns.of_field(field, table.mask(*row), *row as usize));
            }
        }
        drop(columns);
        for (slot, amount) in found {
            self.add(plan, number, (Bucket::Rejected, Some(rank)), slot, amount);
        }
        Ok(())
    }

    /// All of it; `name` names the account of a rank.
    pub(super) fn into_list(self, name: impl Fn(u32) -> Option<AccountKey>) -> Vec<Lost> {
        let lost = |((cause, rank, measure), total): ((Bucket, Option<u32>, usize), Total)| Lost {
            account: rank.and_then(&name),
            cause,
            measure,
            total,
        };
        self.totals.into_iter().map(lost).collect()
    }
}

/// The money of an extract's records that belong to no account.
#[must_use]
pub fn of_nobody(stage: &Stage) -> Vec<Lost> {
    let mut lost = Vec::new();
    for (plan, table) in stage.plan.tables.iter().zip(&stage.tables) {
        let money = &table.money;
        let causes: [(Bucket, &Totals); 3] = [
            (Bucket::Orphaned, &money.orphaned),
            (Bucket::Duplicate, &money.duplicate),
            (Bucket::Filtered, &money.filtered),
        ];
        for (cause, totals) in causes {
            let of_slot = |(slot, total)| {
                let measure = Measures::of_slot(&plan.money, slot);
                Lost { account: None, cause, measure, total }
            };
            lost.extend(totals.iter().map(of_slot));
        }
    }
    lost
}
