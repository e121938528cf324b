//! What a build counts and sums, on its way into the ledger: measures of the mapping become measures of the ledger.

use crate::assemble::lost::of_nobody;
use crate::assemble::{Books, Bucket, Came, Lost};
use crate::error::Error;
use crate::ledger::measure::{MeasureId, MeasureName, Stage};
use crate::ledger::{BuildWriter, LedgerError};
use crate::mapping::measure::Measures;
use crate::money::{Amount, Total};

/// The measures of a build.
pub(super) struct BuildMeasures<'b> {
    books: &'b Books<'b>,
    /// The ledger's row of a measure, by the number of its billing ledger's code and its own.
    known: Vec<Option<MeasureId>>,
    /// By entity: records used, and those of them without an object.
    records: Vec<(u64, u64)>,
}

impl<'b> BuildMeasures<'b> {
    pub(super) fn new(books: &'b Books<'b>) -> Self {
        let entities = books.stage().plan.entities.len();
        Self { books, known: Vec::new(), records: vec![(0, 0); entities] }
    }

    fn id(&mut self, writer: &mut BuildWriter<'_>, measure: usize, ledger: usize) -> Result<MeasureId, LedgerError> {
        let names = &self.books.stage().plan.measures.names;
        let at = ledger * names.len() + measure;
        if let Some(Some(known)) = self.known.get(at) {
            return Ok(*known);
        }
        let name = &names[measure];
        let code = self.books.codes.code(ledger);
        let id = writer.measure(&MeasureName {
            entity: &name.entity,
            field: &name.field,
            ledger: &code,
            variant: &name.variant,
            sign: name.sign,
        })?;
        self.known.resize(self.known.len().max(at + 1), None);
        self.known[at] = Some(id);
        Ok(id)
    }

    /// What a payload comes to, in the ledger's measures.
    pub(super) fn came(
        &mut self,
        writer: &mut BuildWriter<'_>,
        came: &[Came],
    ) -> Result<Vec<(MeasureId, Total)>, LedgerError> {
        came.iter().map(|came| Ok((self.id(writer, came.measure, came.ledger)?, came.total))).collect()
    }

    /// Counts records without an object, by entity.
    pub(super) fn empty(&mut self, empty: &[u64]) {
        self.records.iter_mut().zip(empty).for_each(|((_, mine), theirs)| *mine += theirs);
    }

    /// Counts the records that entities used.
    pub(super) fn records(&mut self, records: &[u64]) {
        self.records.iter_mut().zip(records).for_each(|((mine, _), theirs)| *mine += theirs);
    }

    /// Money that is in no payload.
    pub(super) fn lost(&mut self, writer: &mut BuildWriter<'_>, lost: &[Lost]) -> Result<(), LedgerError> {
        for Lost { account, cause, measure, total } in lost {
            let id = self.id(writer, *measure, 0)?;
            let stage = match cause {
                // What was not asked for is no difference that anybody looks for by account.
                Bucket::NotSelected => {
                    writer.came(Stage::NotSelected, id, *total);
                    continue;
                }
                Bucket::Duplicate => Stage::Duplicate,
                Bucket::Orphaned => Stage::Orphaned,
                Bucket::Rejected => Stage::Rejected,
                Bucket::Quarantined | Bucket::Filtered | Bucket::Used => Stage::Filtered,
            };
            writer.lost(account.as_ref(), stage, id, *total)?;
        }
        Ok(())
    }

    /// What the cells of the extract say, and what is known without any book. `late` are the records that entities had
    /// used of accounts that were rejected when all were known.
    pub(super) fn finish(mut self, writer: &mut BuildWriter<'_>, late: &[u64]) -> Result<(), Error> {
        self.lost(writer, &of_nobody(self.books.stage()))?;
        let stage = self.books.stage();
        for (plan, table) in stage.plan.tables.iter().zip(&stage.tables) {
            let source = &table.money.source;
            for (stage, totals) in [(Stage::Source, &source.read), (Stage::Unreadable, &source.unreadable)] {
                for (slot, total) in totals.iter() {
                    let id = self.id(writer, Measures::of_slot(&plan.money, slot), 0)?;
                    writer.came(stage, id, total);
                }
            }
        }
        let gone = writer.late_objects().clone();
        for (number, (entity, (records, empty))) in
            stage.plan.entities.iter().zip(std::mem::take(&mut self.records)).enumerate()
        {
            // Of accounts rejected late, whatever has no object is known by what has one.
            let used = late.get(number).copied().unwrap_or_default();
            let objects = gone.get(&entity.path).copied().unwrap_or_default();
            let id = self.id(writer, stage.plan.measures.entities[number].objects, 0)?;
            let count = |count: u64| Total { count, sum: Amount::ZERO };
            writer.came(Stage::Records, id, count(records - used));
            writer.came(Stage::Empty, id, count(empty - (used - objects)));
        }
        Ok(())
    }
}
