//! What payloads, and the records they are made of, are added up by: the objects of each entity, and the money in its
//! fields, by the object's variant and the sign of the amount.
//!
//! Money is whatever a line of the mapping reads `as = "money"`. An entity's variants are those of the contract's own
//! discriminator, such as a transaction's `type`, where the mapping maps it.

use super::plan::{Discriminator, EntityPlan, FieldPlan, Known, Plan, TablePlan, ValuePlan};
use super::value::Scale;

/// The entity whose objects are billing ledgers, and the field that names their kind.
const LEDGERS: &str = "ledgers";
const LEDGER_CODE: &str = "ledger_code";

/// What money is under that no entity takes.
pub const UNCLAIMED: &str = "unclaimed";

/// The name of a measure, but for its billing ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasureName {
    /// The entity's path; empty for the account; [`UNCLAIMED`] for money in records that no entity takes.
    pub entity: String,
    /// The field's path below the entity, for money; `TABLE.COLUMN`, if no entity takes it; empty for objects.
    pub field: String,
    /// The object's variant; empty: none, or none that is known.
    pub variant: String,
    /// 1 or -1 for money, by the sign of the amount; 0 for objects.
    pub sign: i8,
}

/// What the payloads of a mapping are added up by.
#[derive(Debug, Default)]
pub struct Measures {
    /// The measures, by number.
    pub names: Vec<MeasureName>,
    /// By entity.
    pub entities: Vec<EntityMeasures>,
    /// The entity whose objects are billing ledgers, and its field with the code, if both are mapped.
    pub ledgers: Option<(usize, usize)>,
}

/// The numbers of an entity's measures.
#[derive(Debug)]
pub struct EntityMeasures {
    /// Of its objects, without a variant; those with the discriminator's first value, second, … follow.
    pub objects: usize,
    /// By field, for money: of amounts from nought on, without a variant. The next is that of amounts below nought; two
    /// for each variant follow.
    pub money: Vec<Option<usize>>,
}

/// A money field of an entity, as the records of a table give it; or a money column, for the records that none takes.
#[derive(Debug)]
pub struct MoneyField {
    /// The entity, by number; none: for the records that no other money field with this leaf takes.
    pub entity: Option<usize>,
    /// Bits that must be set in a record's mask.
    pub mask: u32,
    /// The number of the first of its measures: see [`EntityMeasures::money`].
    pub measure: usize,
    /// Where its measures begin among the table's own.
    pub slot: usize,
    /// How many there are.
    pub slots: usize,
    /// The lines that may give the amount: the first whose mask holds.
    pub lines: Vec<MoneyLine>,
    /// What decides about the variant: the first whose mask holds.
    pub variants: Vec<VariantLine>,
}

/// A line that may give an amount.
#[derive(Debug, Clone, Copy)]
pub struct MoneyLine {
    /// Bits that must be set in the record's mask.
    pub mask: u32,
    /// The table's leaf with the amount, and its scale; none: what the line gives is not money read from a cell.
    pub leaf: Option<(usize, Scale)>,
}

/// A line that may tell an object's variant.
#[derive(Debug)]
pub struct VariantLine {
    /// Bits that must be set in the record's mask.
    pub mask: u32,
    /// What tells it.
    pub variant: Variant,
}

/// What tells an object's variant, counted from 1; 0: none.
#[derive(Debug)]
pub enum Variant {
    /// It is always this one.
    Always(usize),
    /// By the code in a leaf of the table, from [`super::value::CODE_BASE`] on.
    Code(usize, Vec<usize>),
    /// By the text in a leaf of the table.
    Text(usize, Vec<String>),
}

impl MoneyField {
    /// The leaf with the amount of a record with `mask`, and its scale; none: the record is not the field's.
    fn chosen(&self, mask: u32) -> Option<(usize, Scale)> {
        if mask & self.mask != self.mask {
            return None;
        }
        self.lines.iter().find(|line| mask & line.mask == line.mask)?.leaf
    }

    /// The same for one of a table's `fields`, the last of which take what no other does.
    #[must_use]
    pub fn takes(&self, fields: &[Self], mask: u32) -> Option<(usize, Scale)> {
        let taken = self.chosen(mask)?;
        let is_claimed =
            |other: &Self| other.entity.is_some() && other.chosen(mask).is_some_and(|(leaf, _)| leaf == taken.0);
        (self.entity.is_some() || !fields.iter().any(is_claimed)).then_some(taken)
    }
}

impl Measures {
    /// Gives `plan`, of which everything else is there, its measures.
    pub(super) fn add_to(plan: &mut Plan) {
        let mut tables: Vec<Vec<MoneyField>> = plan.tables.iter().map(|_| Vec::new()).collect();
        let mut measures = Self {
            ledgers: plan.entities.iter().position(|entity| entity.path == LEDGERS).and_then(|at| {
                let code = plan.entities[at].fields.iter().position(|field| field.path == LEDGER_CODE);
                Some((at, code?))
            }),
            ..Self::default()
        };
        for (number, entity) in plan.entities.iter().enumerate() {
            measures.add_entity(plan, (number, entity), &mut tables[entity.table]);
        }
        for (table, fields) in plan.tables.iter_mut().zip(tables) {
            table.money = fields;
            measures.add_unclaimed(table);
        }
        plan.measures = measures;
    }

    /// Whether the objects of entity `at` are billing ledgers, or below one.
    #[must_use]
    pub fn is_of_ledger(plan: &Plan, at: usize) -> bool {
        let path = &plan.entities[at].path;
        path == LEDGERS || path.strip_prefix(LEDGERS).is_some_and(|rest| rest.starts_with('.'))
    }

    fn add_entity(&mut self, plan: &Plan, (number, entity): (usize, &EntityPlan), table: &mut Vec<MoneyField>) {
        let variants = variants(entity, &plan.discriminators);
        let objects = self.names.len();
        let name = |field: &str, variant: &str, sign| MeasureName {
            entity: entity.path.clone(),
            field: field.to_owned(),
            variant: variant.to_owned(),
            sign,
        };
        self.names.extend(variants.iter().map(|variant| name("", variant, 0)));
        let mut money = vec![None; entity.fields.len()];
        for (at, field) in entity.fields.iter().enumerate().filter(|(_, field)| is_money(field)) {
            let measure = self.names.len();
            money[at] = Some(measure);
            for variant in &variants {
                self.names.extend([1, -1].map(|sign| name(&field.path, variant, sign)));
            }
            let slot = Self::slots(table);
            let lines = field.lines.iter().map(|line| MoneyLine {
                mask: line.mask,
                leaf: match line.value {
                    ValuePlan::Decimal(leaf, scale) if line.money => Some((entity.leaves[leaf], scale)),
                    _ => None,
                },
            });
            table.push(MoneyField {
                entity: Some(number),
                mask: entity.mask,
                measure,
                slot,
                slots: 2 * variants.len(),
                lines: lines.collect(),
                variants: entity.decides.map_or_else(Vec::new, |(_, field)| {
                    entity.fields[field].lines.iter().map(|line| variant_line(entity, &variants, line)).collect()
                }),
            });
        }
        self.entities.push(EntityMeasures { objects, money });
    }

    /// The money of records that no entity takes, for each column that has money for one that does.
    fn add_unclaimed(&mut self, table: &mut TablePlan) {
        let mut leaves: Vec<(usize, Scale)> =
            table.money.iter().flat_map(|field| &field.lines).filter_map(|line| line.leaf).collect();
        leaves.sort_unstable_by_key(|(leaf, _)| *leaf);
        leaves.dedup_by_key(|(leaf, _)| *leaf);
        for (leaf, scale) in leaves {
            let columns: Vec<&str> = table.leaves[leaf].columns.iter().map(|read| &*table.reads[*read].name).collect();
            let measure = self.names.len();
            let field = format!("{}.{}", table.name, columns.join("+"));
            self.names.extend([1, -1].map(|sign| MeasureName {
                entity: UNCLAIMED.to_owned(),
                field: field.clone(),
                variant: String::new(),
                sign,
            }));
            let slot = Self::slots(&table.money);
            let lines = vec![MoneyLine { mask: 0, leaf: Some((leaf, scale)) }];
            table.money.push(MoneyField {
                entity: None,
                mask: 0,
                measure,
                slot,
                slots: 2,
                lines,
                variants: Vec::new(),
            });
        }
    }

    /// How many measures a table's money fields have together.
    #[must_use]
    pub fn slots(fields: &[MoneyField]) -> usize {
        fields.last().map_or(0, |last| last.slot + last.slots)
    }

    /// The money field that `slot` of a table is of.
    #[must_use]
    pub fn field_of_slot(fields: &[MoneyField], slot: usize) -> &MoneyField {
        &fields[fields.partition_point(|field| field.slot <= slot).saturating_sub(1)]
    }

    /// The number of the measure in `slot` of a table.
    #[must_use]
    pub fn of_slot(fields: &[MoneyField], slot: usize) -> usize {
        let field = Self::field_of_slot(fields, slot);
        field.measure + slot - field.slot
    }
}

fn is_money(field: &FieldPlan) -> bool {
    field.lines.iter().any(|line| line.money && matches!(line.value, ValuePlan::Decimal(..)))
}

/// The variants of an entity's objects: none, then the discriminator's values.
fn variants(entity: &EntityPlan, discriminators: &[Discriminator]) -> Vec<String> {
    let mut variants = vec![String::new()];
    if let Some((discriminator, _)) = entity.decides {
        variants.extend(discriminators[discriminator].values.iter().cloned());
    }
    variants
}

fn variant_line(entity: &EntityPlan, variants: &[String], line: &super::plan::LinePlan) -> VariantLine {
    let number = |known: Option<&Known>| match known {
        Some(Known::Text(text)) => variants.iter().position(|variant| **variant == **text).unwrap_or(0),
        _ => 0,
    };
    let variant = match &line.value {
        ValuePlan::Constant(entry) => Variant::Always(number(entry.value.as_ref())),
        ValuePlan::Code(leaf, entries) => {
            Variant::Code(entity.leaves[*leaf], entries.iter().map(|entry| number(entry.value.as_ref())).collect())
        }
        ValuePlan::Text(leaf) => Variant::Text(entity.leaves[*leaf], variants.to_vec()),
        _ => Variant::Always(0),
    };
    VariantLine { mask: line.mask, variant }
}
