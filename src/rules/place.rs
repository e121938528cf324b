//! Where a rule looks: rows of an entity, and a field of them.

use super::{Check, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};
use crate::finding::Cell;

/// The rows of one entity, by the entities on the way from the account to it.
pub(super) struct Rows {
    way: Vec<EntityId>,
}

/// A field of the rows of an entity.
pub(super) struct Place {
    rows: Rows,
    field: FieldId,
}

/// What is wrong with a text, and what was expected.
pub(super) struct Wrong {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

impl Rows {
    /// The rows of the entity at `path`; `""` is the account itself. None if it is not mapped.
    pub(super) fn bind(schema: &Schema, path: &str) -> Option<Self> {
        let mut rows = Self::above(schema, path);
        if !path.is_empty() {
            rows.way.push(schema.entity(path)?);
        }
        Some(rows)
    }

    /// The rows that the field or entity at `path` belongs to: objects on the way have no rows of their own.
    fn above(schema: &Schema, path: &str) -> Self {
        let ends = path.match_indices('.').map(|(end, _)| end);
        Self { way: ends.filter_map(|end| schema.entity(&path[..end])).collect() }
    }

    /// Visits each row in payload order.
    pub(super) fn each<'a>(&self, account: Row<'a>, visit: &mut dyn FnMut(Row<'a>)) {
        account.below(&self.way).for_each(visit);
    }
}

impl Place {
    /// The field at `path`, unless it is not mapped. Each item of a list of texts is a row of its own.
    pub(super) fn bind(schema: &Schema, path: &str) -> Option<Self> {
        let field = schema.field(path)?;
        let mut rows = Rows::above(schema, path);
        rows.way.extend(schema.entity(path));
        Some(Self { rows, field })
    }

    /// Visits each row that the field belongs to.
    pub(super) fn each<'a>(&self, account: Row<'a>, visit: &mut dyn FnMut(Row<'a>, FieldId)) {
        self.rows.each(account, &mut |row| visit(row, self.field));
    }
}

impl Place {
    /// Visits each text of the field that is not empty.
    pub(super) fn each_text<'a>(&self, account: Row<'a>, visit: &mut dyn FnMut(Row<'a>, FieldId, &'a str)) {
        self.each(account, &mut |row, field| {
            if let Some(text) = row.value(field).text().filter(|text| !text.is_empty()) {
                visit(row, field, text);
            }
        });
    }

    /// The same with the text of `above`, a field of rows that this field's rows lie in; both must be texts.
    pub(super) fn each_text_below<'a>(
        &self,
        account: Row<'a>,
        above: &Self,
        visit: &mut dyn FnMut(Row<'a>, FieldId, &'a str, &'a str),
    ) {
        let below = &self.rows.way[above.rows.way.len()..];
        above.each_text(account, &mut |upper, _, key| {
            upper.below(below).for_each(|row| {
                if let Some(text) = row.value(self.field).text().filter(|text| !text.is_empty()) {
                    visit(row, self.field, text, key);
                }
            });
        });
    }
}

/// A field of an object below a row: the object may have rows of its own, or lie in its owner's.
pub(super) struct Nested {
    object: Option<EntityId>,
    pub(super) field: FieldId,
}

impl Nested {
    /// The field `name` below the rows of `owner`, such as `prepay_details.debt_balance`; none if it is not mapped.
    pub(super) fn bind(schema: &Schema, owner: &str, name: &str) -> Option<Self> {
        let field = schema.field(&format!("{owner}.{name}"))?;
        let (owner, entity) = (schema.entity(owner)?, field.entity());
        let object = (entity != owner).then_some(entity);
        (object.is_none() || schema.parent(entity) == Some(owner)).then_some(Self { object, field })
    }

    /// The row that has the field, if `owner` has such an object.
    pub(super) fn of<'a>(&self, owner: Row<'a>) -> Option<Row<'a>> {
        self.object.map_or(Some(owner), |object| owner.children(object).next())
    }
}

/// The value of a field that may not be mapped.
pub(super) fn value_of(row: Row<'_>, field: Option<FieldId>) -> Value<'_> {
    field.map_or(Value::Absent, |field| row.value(field))
}

/// A check of each text at `paths` on its own; empty texts are left alone. None if no path is mapped.
pub(super) fn check_texts(schema: &Schema, paths: &[&str], judge: fn(&str) -> Option<Wrong>) -> Option<Check> {
    let places: Vec<Place> = paths.iter().filter_map(|path| Place::bind(schema, path)).collect();
    if places.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for place in &places {
            place.each(account, &mut |row, field| {
                if let Value::Text(text) = row.value(field)
                    && !text.is_empty()
                    && let Some(wrong) = judge(text)
                {
                    out.push(finding(wrong.code, row.path(Some(field)), wrong.message, row.cell(field)));
                }
            });
        }
    }))
}

/// Both checks, if there are two.
pub(super) fn both(one: Option<Check>, other: Option<Check>) -> Option<Check> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Box::new(move |account, context, out| {
            one(account, context, out);
            other(account, context, out);
        })),
        (one, other) => one.or(other),
    }
}

/// The cells of a value or, if it has none, its row's record.
pub(super) fn cells_of(row: Row<'_>, field: Option<FieldId>) -> Vec<Cell> {
    let mut cells = field.map(|field| row.cell(field)).unwrap_or_default();
    if cells.is_empty() {
        cells.push(row.record());
    }
    cells
}
