//! The account view: typed values of an account's objects, each with the cells it came from.
//!
//! Names are resolved once ([`Schema`]); a [`Row`] is then two numbers and a borrow, and reading a value is an index
//! into a column.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use polars::prelude::PolarsResult;
use rust_decimal::Decimal;

use super::book::{Book, parent_of};
use crate::account::AccountKey;
use crate::contract::Field;
use crate::finding::Cell;
use crate::mapping::plan::{EntityPlan, Entry, FieldPlan, Known, LinePlan, Plan, ValuePlan};
use crate::mapping::value::{self, CODE_BASE, Scale, unpack_integer};
use crate::stage::column::{
    CODE_ABSENT, CODE_FAULT, DATE_ABSENT, DATE_FAULT, NUMBER_ABSENT, NUMBER_FAULT, Slice, TEXT_ABSENT, TEXT_FAULT,
    Texts, is_short_text,
};
use crate::stage::{StageError, StagedTable};

/// The number of an entity that the mapping maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub(crate) usize);

/// The number of a field that the mapping maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId {
    entity: usize,
    field: usize,
}

impl FieldId {
    /// The entity whose objects have the field.
    #[must_use]
    pub fn entity(self) -> EntityId {
        EntityId(self.entity)
    }
}

/// What a mapping maps: paths to numbers.
#[derive(Clone, Debug)]
pub struct Schema {
    plan: Arc<Plan>,
}

impl Schema {
    /// The schema of `plan`.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan }
    }

    /// The entity at `path`; `""` is the account.
    #[must_use]
    pub fn entity(&self, path: &str) -> Option<EntityId> {
        self.plan.entities.iter().position(|entity| entity.path == path).map(EntityId)
    }

    /// The field at `path`, such as `supply_addresses.meter_points.identifier` or `dunning_path.path_name`.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<FieldId> {
        for (entity, plan) in self.plan.entities.iter().enumerate().rev() {
            let below = match path.strip_prefix(plan.path.as_str()) {
                Some(rest) if plan.path.is_empty() || rest.is_empty() => rest,
                Some(rest) => match rest.strip_prefix('.') {
                    Some(rest) => rest,
                    None => continue,
                },
                None => continue,
            };
            if let Some(field) = plan.fields.iter().position(|field| field.path == below && field.key.is_none()) {
                return Some(FieldId { entity, field });
            }
        }
        None
    }

    /// The entity whose objects hold those of `entity`; none for the account.
    #[must_use]
    pub fn parent(&self, entity: EntityId) -> Option<EntityId> {
        self.plan.entities[entity.0].parent.map(EntityId)
    }

    /// Whether `path` is that of an entity of which a parent may have several.
    #[must_use]
    pub fn is_list(&self, path: &str) -> bool {
        self.entity(path).is_some_and(|entity| self.plan.entities[entity.0].is_list)
    }

    /// The fields of the object at `path`, which has no rows of its own, such as `billing_address`.
    #[must_use]
    pub fn fields_below(&self, path: &str) -> Vec<FieldId> {
        let below = format!("{path}.");
        let entities = self.plan.entities.iter().enumerate();
        entities
            .flat_map(|(entity, plan)| {
                plan.fields.iter().enumerate().map(move |(field, name)| (entity, plan, field, name))
            })
            .filter(|(_, plan, _, field)| match plan.path.as_str() {
                "" => field.path.starts_with(&below),
                owner => below
                    .strip_prefix(owner)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(|rest| field.path.starts_with(rest)),
            })
            .map(|(entity, _, field, _)| FieldId { entity, field })
            .collect()
    }

    /// Whether the contract has a field or an object at `path`, mapped or not.
    #[must_use]
    pub fn is_known(&self, path: &str) -> bool {
        let contract = &self.plan.contract;
        path.is_empty() || contract.field(path).is_some() || contract.children(path).next().is_some()
    }

    /// What the contract says about the field at `path`, mapped or not.
    #[must_use]
    pub fn in_contract(&self, path: &str) -> Option<&Field> {
        self.plan.contract.field(path)
    }

    /// The path of an entity without list positions.
    #[must_use]
    pub fn path(&self, entity: EntityId) -> &str {
        &self.plan.entities[entity.0].path
    }
}

/// A value of the payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Absent,
    /// The cell could not be read; there is a finding already.
    Faulty,
    /// A string that is read as nothing else.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A decimal.
    Decimal(Decimal),
    /// A date.
    Date(NaiveDate),
    /// An instant.
    DateTime(DateTime<Utc>),
    /// A flag.
    Bool(bool),
}

impl<'a> Value<'a> {
    /// The text, if it is one.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The date, if it is one.
    #[must_use]
    pub fn date(self) -> Option<NaiveDate> {
        if let Self::Date(date) = self { Some(date) } else { None }
    }

    /// The instant, if it is one.
    #[must_use]
    pub fn datetime(self) -> Option<DateTime<Utc>> {
        if let Self::DateTime(instant) = self { Some(instant) } else { None }
    }

    /// The decimal, if it is one; a whole number is one too.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Decimal(decimal) => Some(decimal),
            Self::Integer(number) => Some(number.into()),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }

    /// The flag, if it is one.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(flag) } else { None }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_absent(self) -> bool {
        self == Self::Absent
    }

    /// Whether the cell could not be read.
    #[must_use]
    pub fn is_faulty(self) -> bool {
        self == Self::Faulty
    }
}

/// Whether there is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is none, or an empty text.
    Absent,
    /// The cell could not be read: nobody knows.
    Faulty,
    /// There is one.
    Given,
}

impl Presence {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Absent | Value::Text("") => Self::Absent,
            Value::Faulty => Self::Faulty,
            _ => Self::Given,
        }
    }
}

/// The columns of one entity, borrowed once.
#[derive(Debug)]
pub(super) struct EntityView<'a> {
    plan: &'a EntityPlan,
    pub(super) slices: Vec<Slice<'a>>,
    pub(super) texts: &'a Texts,
    pub(super) masks: &'a [u32],
    /// By field: how it is read, if it is so in every object.
    readers: Vec<Option<Reader<'a>>>,
}

/// How the values of a line are read.
#[derive(Clone, Copy, Debug)]
enum Reader<'a> {
    Constant(&'a Entry),
    Text(&'a [u64]),
    Code(&'a [u16], &'a [Entry]),
    Date(&'a [i32]),
    DateTime(&'a [i64]),
    Integer(&'a [i64]),
    Decimal(&'a [i64], Scale),
}

impl<'a> Reader<'a> {
    fn new(value: &'a ValuePlan, slices: &[Slice<'a>]) -> Option<Self> {
        let slice = |leaf: &usize| slices[*leaf];
        Some(match value {
            ValuePlan::Constant(entry) => Self::Constant(entry),
            ValuePlan::Text(leaf) => match slice(leaf) {
                Slice::Text(values) => Self::Text(values),
                _ => return None,
            },
            ValuePlan::Code(leaf, entries) => match slice(leaf) {
                Slice::Code(values) => Self::Code(values, entries),
                _ => return None,
            },
            ValuePlan::Date(leaf) => match slice(leaf) {
                Slice::Date(values) => Self::Date(values),
                _ => return None,
            },
            ValuePlan::DateTime(leaf) | ValuePlan::Integer(leaf, _) | ValuePlan::Decimal(leaf, _) => {
                match slice(leaf) {
                    Slice::Number(values) => match value {
                        ValuePlan::DateTime(_) => Self::DateTime(values),
                        ValuePlan::Decimal(_, scale) => Self::Decimal(values, *scale),
                        _ => Self::Integer(values),
                    },
                    _ => return None,
                }
            }
        })
    }
}

impl<'a> EntityView<'a> {
    fn new(plan: &'a EntityPlan, slices: Vec<Slice<'a>>, texts: &'a Texts, masks: &'a [u32]) -> Self {
        let reader = |field: &'a FieldPlan| match field.lines.as_slice() {
            [line] if line.mask == 0 => Reader::new(&line.value, &slices),
            _ => None,
        };
        Self { plan, readers: plan.fields.iter().map(reader).collect(), slices, texts, masks }
    }

    /// The line that gives the field of an object its value.
    pub(super) fn line(&self, at: usize, field: &'a FieldPlan) -> Option<&'a LinePlan> {
        match field.lines.as_slice() {
            [line] if line.mask == 0 => Some(line),
            lines => {
                let mask = self.masks.get(at).copied().unwrap_or_default();
                lines.iter().find(|line| mask & line.mask == line.mask)
            }
        }
    }

    #[inline]
    pub(super) fn value(&'a self, at: usize, field: usize) -> Value<'a> {
        if let Some(reader) = &self.readers[field] {
            return self.read(at, reader);
        }
        let line = self.line(at, &self.plan.fields[field]);
        let reader = line.and_then(|line| Reader::new(&line.value, &self.slices));
        reader.map_or(Value::Absent, |reader| self.read(at, &reader))
    }

    #[inline]
    fn presence(&'a self, at: usize, field: usize) -> Presence {
        let of = |absent: bool, faulty: bool| match (absent, faulty) {
            (true, _) => Presence::Absent,
            (_, true) => Presence::Faulty,
            _ => Presence::Given,
        };
        match self.readers[field] {
            Some(Reader::Text(values)) => match values[at] {
                TEXT_FAULT => Presence::Faulty,
                TEXT_ABSENT => Presence::Absent,
                _ if self.texts.get(&values[at]).is_empty() => Presence::Absent,
                _ => Presence::Given,
            },
            Some(Reader::Date(values)) => of(values[at] == DATE_ABSENT, values[at] == DATE_FAULT),
            Some(Reader::DateTime(values) | Reader::Integer(values) | Reader::Decimal(values, _)) => {
                of(values[at] == NUMBER_ABSENT, values[at] == NUMBER_FAULT)
            }
            Some(Reader::Constant(_) | Reader::Code(..)) | None => Presence::of(&self.value(at, field)),
        }
    }

    #[inline]
    fn read(&'a self, at: usize, reader: &Reader<'a>) -> Value<'a> {
        let number = |values: &[i64]| match values[at] {
            NUMBER_ABSENT => Err(Value::Absent),
            NUMBER_FAULT => Err(Value::Faulty),
            number => Ok(number),
        };
        match *reader {
            Reader::Constant(entry) => known(entry),
            Reader::Text(values) => match values[at] {
                TEXT_ABSENT => Value::Absent,
                TEXT_FAULT => Value::Faulty,
                _ => Value::Text(self.text(&values[at])),
            },
            Reader::Code(values, entries) => match values[at] {
                CODE_ABSENT => Value::Absent,
                CODE_FAULT => Value::Faulty,
                code => known(&entries[usize::from(code - CODE_BASE)]),
            },
            Reader::Date(values) => match values[at] {
                DATE_ABSENT => Value::Absent,
                DATE_FAULT => Value::Faulty,
                days => value::date(days).map_or(Value::Faulty, Value::Date),
            },
            Reader::DateTime(values) => match number(values) {
                Ok(seconds) => DateTime::from_timestamp(seconds, 0).map_or(Value::Faulty, Value::DateTime),
                Err(value) => value,
            },
            Reader::Integer(values) => match number(values) {
                Ok(packed) => Value::Integer(unpack_integer(packed).0),
                Err(value) => value,
            },
            Reader::Decimal(values, scale) => match number(values) {
                Ok(stored) => {
                    let (unscaled, scale) = scale.unpack(stored);
                    Value::Decimal(Decimal::new(unscaled, scale))
                }
                Err(value) => value,
            },
        }
    }

    /// The text of a handle.
    pub(super) fn text(&self, handle: &'a u64) -> &'a str {
        // Records that are not UTF-8 are in quarantine.
        std::str::from_utf8(self.texts.get(handle)).unwrap_or_default()
    }

    /// The name of the account at `at`, if it can be read; the entity is the root.
    fn account_key(&'a self, at: usize) -> Option<AccountKey> {
        let part = |name: &str| {
            let field = self.plan.fields.iter().position(|field| field.path == name)?;
            self.value(at, field).text().filter(|text| !text.is_empty())
        };
        Some(AccountKey::new(part("import_supplier")?, part("external_account_number")?))
    }
}

/// Names the accounts of `table`, some records of the root's table; none for one that has no name that can be read.
pub fn name_accounts(plan: &Plan, table: &StagedTable) -> Result<Vec<Option<AccountKey>>, StageError> {
    let root = &plan.entities[0];
    let columns = table.slices()?;
    let slices = root.leaves.iter().map(|leaf| columns[*leaf]).collect();
    let view = EntityView::new(root, slices, &table.texts, &table.masks);
    let is_account = |row: &u32| table.mask(*row) & root.mask == root.mask;
    Ok((0..table.rows()).map(|row| is_account(&row).then(|| view.account_key(row as usize)).flatten()).collect())
}

/// The columns of a book, borrowed once.
#[derive(Debug)]
pub struct View<'a> {
    pub(super) book: &'a Book,
    pub(super) entities: Vec<EntityView<'a>>,
}

impl<'a> View<'a> {
    /// Borrows the columns of `book`.
    pub fn new(book: &'a Book) -> PolarsResult<Self> {
        let entities = book.entities.iter().zip(&book.plan.entities).map(|(entity, plan)| {
            let slices = entity.frame.columns().iter().map(Slice::of).collect::<PolarsResult<_>>()?;
            Ok(EntityView::new(plan, slices, &book.tables[plan.table].texts, &entity.masks))
        });
        Ok(Self { book, entities: entities.collect::<PolarsResult<_>>()? })
    }

    /// Account `number` of the book.
    #[must_use]
    pub fn account(&'a self, number: u32) -> Row<'a> {
        Row { view: self, entity: 0, at: number }
    }
}

fn known(entry: &Entry) -> Value<'_> {
    match &entry.value {
        None => Value::Absent,
        Some(Known::Text(text)) => Value::Text(text),
        Some(Known::Integer(number)) => Value::Integer(*number),
        Some(Known::Decimal(decimal)) => Value::Decimal(*decimal),
        Some(Known::Date(date)) => Value::Date(*date),
        Some(Known::DateTime(instant)) => Value::DateTime(*instant),
        Some(Known::Bool(flag)) => Value::Bool(*flag),
    }
}

/// One object of an account.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    view: &'a View<'a>,
    entity: usize,
    at: u32,
}

impl<'a> Row<'a> {
    /// The row of the view's object `at` of `entity`.
    pub(super) fn new(view: &'a View<'a>, entity: usize, at: u32) -> Self {
        Self { view, entity, at }
    }

    /// The objects of `entity`, an entity directly below this row's, in payload order.
    #[must_use]
    pub fn children(self, entity: EntityId) -> impl ExactSizeIterator<Item = Row<'a>> + DoubleEndedIterator + Clone {
        debug_assert_eq!(self.view.book.plan.entities[entity.0].parent, Some(self.entity));
        let offsets = &self.view.book.entities[entity.0].offsets;
        let (start, end) = (offsets[self.at as usize], offsets[self.at as usize + 1]);
        (start..end).map(move |at| Row { view: self.view, entity: entity.0, at })
    }

    /// The objects that lie below this row by `way`: its first entity is directly below this row's, each further one
    /// directly below the one before. In payload order, in which all that lie below one row are side by side.
    #[must_use]
    pub fn below(self, way: &[EntityId]) -> impl ExactSizeIterator<Item = Row<'a>> + DoubleEndedIterator + Clone {
        let (mut above, mut start, mut end) = (self.entity, self.at, self.at + 1);
        for entity in way {
            debug_assert_eq!(self.view.book.plan.entities[entity.0].parent, Some(above));
            let offsets = &self.view.book.entities[entity.0].offsets;
            (above, start, end) = (entity.0, offsets[start as usize], offsets[end as usize]);
        }
        (start..end).map(move |at| Row { view: self.view, entity: above, at })
    }

    /// Whether `field` of this row's entity has a value, without a look at what it is.
    #[must_use]
    pub fn presence(self, field: FieldId) -> Presence {
        debug_assert_eq!(field.entity, self.entity);
        self.view.entities[self.entity].presence(self.at as usize, field.field)
    }

    /// The value of `field`, a field of this row's entity.
    #[must_use]
    pub fn value(self, field: FieldId) -> Value<'a> {
        debug_assert_eq!(field.entity, self.entity);
        self.view.entities[self.entity].value(self.at as usize, field.field)
    }

    /// A number for the text of `field` that no other short text has; none for a longer one, and for what is no text.
    /// Comparing numbers costs less than comparing texts.
    #[must_use]
    pub fn short_text(self, field: FieldId) -> Option<u64> {
        match self.view.entities[self.entity].readers[field.field] {
            Some(Reader::Text(handles)) => Some(handles[self.at as usize]).filter(|handle| is_short_text(*handle)),
            _ => None,
        }
    }

    /// The payload path of the row or of one of its fields, with list positions: `customers.0.landline`.
    #[must_use]
    pub fn path(self, field: Option<FieldId>) -> String {
        let name = field.map_or("", |field| &self.view.book.plan.entities[self.entity].fields[field.field].path);
        self.path_of(name)
    }

    /// The payload path of what is called `name` in the row.
    pub(super) fn path_of(self, name: &str) -> String {
        let book = self.view.book;
        let plan = &book.plan.entities[self.entity];
        let Some(parent) = plan.parent else { return name.to_owned() };
        let offsets = &book.entities[self.entity].offsets;
        let above = parent_of(offsets, self.at);
        let below = plan.path[book.plan.entities[parent].path.len()..].trim_start_matches('.');
        let mut path = Row { view: self.view, entity: parent, at: above }.path_of(below);
        if plan.is_list {
            path.push('.');
            path.push_str(&(self.at - offsets[above as usize]).to_string());
        }
        if !name.is_empty() {
            path.push('.');
            path.push_str(name);
        }
        path
    }

    /// The cells that the value of `field` comes from; the record itself, if none does.
    #[must_use]
    pub fn cell(self, field: FieldId) -> Vec<Cell> {
        let plan = &self.view.book.plan.entities[self.entity];
        self.cells(&plan.fields[field.field])
    }

    pub(super) fn cells(self, field: &'a FieldPlan) -> Vec<Cell> {
        let line = self.view.entities[self.entity].line(self.at as usize, field).or(field.lines.first());
        let columns = line.map_or(&[][..], |line| &line.columns);
        if columns.is_empty() {
            return vec![self.record()];
        }
        let (table, row) = self.source();
        columns.iter().map(|column| table.cell(row, Some(column.clone()))).collect()
    }

    /// The account's name, if the row is the account itself.
    #[must_use]
    pub fn account_key(self) -> Option<&'a AccountKey> {
        (self.entity == 0).then(|| self.view.book.accounts.get(self.at as usize)).flatten()
    }

    /// The record the row comes from.
    #[must_use]
    pub fn record(self) -> Cell {
        let (table, row) = self.source();
        table.cell(row, None)
    }

    pub(super) fn source(self) -> (&'a crate::stage::StagedTable, u32) {
        let book = self.view.book;
        let table = &book.tables[book.plan.entities[self.entity].table];
        (table, book.entities[self.entity].rows[self.at as usize])
    }
}
