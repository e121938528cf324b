//! The money of an extract, added up twice: from the text of its cells while they are read, by code of its own, and
//! from the columns that payloads are made of, wherever a record comes to be in none.
//!
//! | what is added up | from | by |
//! | --- | --- | --- |
//! | all cells that can be read as records | their text ([`SourceMoney::read`]) | [`crate::money`] |
//! | those of them that their column could not hold | their text | the same |
//! | records that are no account's, stand twice, were not selected | the columns | [`MoneyColumns`] |
//!
//! What is in a payload is added up from the payload: see `assemble`.

use serde::{Deserialize, Serialize};

use super::column::{
    CODE_ABSENT, CODE_FAULT, NUMBER_ABSENT, NUMBER_FAULT, Slice, TEXT_ABSENT, TEXT_FAULT, Texts, Values,
};
use super::piece::{Chunk, ChunkReader, Pick};
use crate::mapping::measure::{Measures, MoneyField, Variant};
use crate::mapping::plan::TablePlan;
use crate::mapping::value::{CODE_BASE, Convert};
use crate::money::{Amount, Total};

/// Totals by a table's own measures; empty where a table has no money, or nothing was added yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals(Vec<Total>);

impl Totals {
    /// Adds `amount` in `slot` of a table that has so many.
    pub fn add(&mut self, slots: usize, slot: usize, amount: Amount) {
        if self.0.is_empty() {
            self.0.resize(slots, Total::default());
        }
        self.0[slot].add(amount);
    }

    /// Adds what `other` has added up of the same table.
    pub fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += *theirs);
    }

    /// What there is, by the slots of the table's measures.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Total)> + '_ {
        self.0.iter().copied().enumerate().filter(|(_, total)| total.count > 0)
    }
}

/// The money of a table's cells, by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMoney {
    /// Every cell of every record that can be read as a record, but for blank ones.
    pub read: Totals,
    /// Those of them that their column could not hold. One that is no amount either counts as nought.
    pub unreadable: Totals,
}

impl SourceMoney {
    /// Adds what `other` has read of the same table.
    pub fn merge(&mut self, other: &Self) {
        self.read.merge(&other.read);
        self.unreadable.merge(&other.unreadable);
    }
}

/// What became of the money of a table, as far as it is known before payloads are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMoney {
    /// What its cells say.
    pub source: SourceMoney,
    /// Records without an account that an entity would take.
    pub orphaned: Totals,
    /// Records without an account that stand elsewhere too.
    pub duplicate: Totals,
    /// Records without an account that no entity takes.
    pub filtered: Totals,
}

/// Money of records that were not asked for.
#[derive(Clone, Debug, Default)]
pub struct PassedMoney {
    /// Of accounts that were not asked for.
    pub not_selected: Totals,
    /// Of those, records that stand elsewhere too.
    pub duplicate: Totals,
}

/// The columns of some records of a table, as far as its money needs them.
#[derive(Debug)]
pub struct MoneyColumns<'c> {
    fields: &'c [MoneyField],
    columns: Vec<Slice<'c>>,
    texts: &'c Texts,
}

impl<'c> MoneyColumns<'c> {
    /// The columns of `plan`'s records, one a leaf, with their long texts.
    #[must_use]
    pub fn new(plan: &'c TablePlan, columns: Vec<Slice<'c>>, texts: &'c Texts) -> Self {
        Self { fields: &plan.money, columns, texts }
    }

    /// The leaves that the money of `plan` needs.
    pub fn leaves(plan: &TablePlan) -> impl Iterator<Item = usize> + '_ {
        plan.money.iter().flat_map(|field| {
            let amounts = field.lines.iter().filter_map(|line| line.leaf.map(|(leaf, _)| leaf));
            let variants = field.variants.iter().filter_map(|line| match line.variant {
                Variant::Always(_) => None,
                Variant::Code(leaf, _) | Variant::Text(leaf, _) => Some(leaf),
            });
            amounts.chain(variants)
        })
    }

    /// How many measures the table has.
    #[must_use]
    pub fn slots(&self) -> usize {
        Measures::slots(self.fields)
    }

    /// Calls `each` with the field, the slot and the amount of everything that record `row` says of money.
    pub fn each(&self, mask: u32, row: usize, mut each: impl FnMut(&MoneyField, usize, Amount)) {
        for field in self.fields {
            if let Some((slot, amount)) = self.of_field(field, mask, row) {
                each(field, slot, amount);
            }
        }
    }

    /// The slot and the amount of what record `row` says of money for `field`.
    #[must_use]
    pub fn of_field(&self, field: &MoneyField, mask: u32, row: usize) -> Option<(usize, Amount)> {
        let (leaf, scale) = field.takes(self.fields, mask)?;
        let Slice::Number(values) = self.columns[leaf] else { return None };
        let stored = *values.get(row)?;
        if stored == NUMBER_ABSENT || stored == NUMBER_FAULT {
            return None;
        }
        let (unscaled, places) = scale.unpack(stored);
        let amount = Amount::decimal(unscaled, places);
        Some((self.slot(field, mask, row, amount), amount))
    }

    /// The slot of an amount that record `row` says for `field`.
    fn slot(&self, field: &MoneyField, mask: u32, row: usize, amount: Amount) -> usize {
        field.slot + 2 * self.variant(field, mask, row) + usize::from(amount.is_negative())
    }

    fn variant(&self, field: &MoneyField, mask: u32, row: usize) -> usize {
        let Some(line) = field.variants.iter().find(|line| mask & line.mask == line.mask) else { return 0 };
        match (&line.variant, |leaf: usize| self.columns[leaf]) {
            (Variant::Always(variant), _) => *variant,
            (Variant::Code(leaf, variants), column) => match column(*leaf) {
                Slice::Code(codes) => match codes[row] {
                    CODE_ABSENT | CODE_FAULT => 0,
                    code => variants.get(usize::from(code - CODE_BASE)).copied().unwrap_or(0),
                },
                _ => 0,
            },
            (Variant::Text(leaf, variants), column) => match column(*leaf) {
                Slice::Text(handles) => match handles[row] {
                    TEXT_ABSENT | TEXT_FAULT => 0,
                    _ => {
                        let text = self.texts.get(&handles[row]);
                        variants.iter().position(|variant| variant.as_bytes() == text).unwrap_or(0)
                    }
                },
                _ => 0,
            },
        }
    }

    /// Adds the cells of some records, from the one in row `first` of the columns on, to `source`; `text` gives the text
    /// that a leaf reads of the record at a place among them, if there is one.
    pub fn read<'t>(
        &self,
        plan: &TablePlan,
        masks: &[u32],
        rows: std::ops::Range<usize>,
        text: impl Fn(usize, usize) -> Option<&'t [u8]>,
        source: &mut SourceMoney,
    ) {
        let slots = self.slots();
        for field in self.fields {
            for row in rows.clone() {
                let mask = masks.get(row).copied().unwrap_or_default();
                let Some((leaf, scale)) = field.takes(self.fields, mask) else { continue };
                let text = match text(leaf, row - rows.start) {
                    Some(b"") => match &plan.leaves[leaf].default {
                        Some(default) => Some(default.as_bytes()),
                        None => continue,
                    },
                    text => text,
                };
                let amount = text.and_then(|text| match &plan.leaves[leaf].convert {
                    Convert::Styled(_, style) => Amount::read(style.rewrite(text)?.text(), scale.shift),
                    _ => Amount::read(text, scale.shift),
                });
                let slot = self.slot(field, mask, row, amount.unwrap_or_default());
                source.read.add(slots, slot, amount.unwrap_or_default());
                if matches!(self.columns[leaf], Slice::Number(values) if values[row] == NUMBER_FAULT) {
                    source.unreadable.add(slots, slot, amount.unwrap_or_default());
                }
            }
        }
    }
}

/// Adds the money of those records of a chunk that are not among `kept`, their places in it, to `passed`.
pub(super) fn pass_over(
    passed: &mut PassedMoney,
    plan: &TablePlan,
    (chunk, bytes): (&Chunk, &[u8]),
    kept: &[u32],
    is_dead: impl Fn(u32) -> bool,
) {
    let (mut reader, mut tail) = ChunkReader::new(bytes, chunk);
    let mut numbers = Vec::new();
    reader.numbers(Pick::All, &mut numbers);
    let records: Vec<u32> = numbers.iter().map(|record| *record as u32).collect();
    reader.skip_numbers();
    let mut masks: Vec<u32> = Vec::new();
    if !plan.tests.is_empty() {
        reader.numbers(Pick::All, &mut numbers);
        masks.extend(numbers.iter().map(|mask| *mask as u32));
    }
    plan.links.iter().for_each(|_| reader.skip_numbers());
    let needed: Vec<usize> = MoneyColumns::leaves(plan).collect();
    let mut columns: Vec<Values> = plan.leaves.iter().map(|leaf| Values::new(&leaf.convert)).collect();
    for (leaf, column) in columns.iter_mut().enumerate() {
        if !needed.contains(&leaf) {
            reader.skip_numbers();
            continue;
        }
        reader.numbers(Pick::All, &mut numbers);
        match column {
            Values::Text(all) => all.extend(&numbers),
            Values::Code(all) => all.extend(numbers.iter().map(|code| *code as u16)),
            Values::Date(all) => all.extend(numbers.iter().map(|days| (*days as u32).cast_signed())),
            Values::Number(all) => all.extend(numbers.iter().map(|number| number.cast_signed())),
        }
    }
    drop(tail.faults(chunk.faults));
    let mut texts = Texts::default();
    let long = needed.iter().any(|leaf| matches!(columns[*leaf], Values::Text(_)));
    if long && chunk.texts > 0 {
        // One chunk's texts are few enough for any arena.
        let _ = texts.append(tail.texts(chunk.texts).into_iter());
    }
    let money = MoneyColumns::new(plan, columns.iter().map(Values::slice).collect(), &texts);
    let slots = money.slots();
    let mut kept = kept.iter().copied().peekable();
    for (row, record) in (0_u32..).zip(records) {
        if kept.next_if_eq(&row).is_some() {
            continue;
        }
        let mask = masks.get(row as usize).copied().unwrap_or_default();
        money.each(mask, row as usize, |_, slot, amount| {
            let totals = if is_dead(record) { &mut passed.duplicate } else { &mut passed.not_selected };
            totals.add(slots, slot, amount);
        });
    }
}
