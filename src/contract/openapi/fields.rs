//! Schemas → fields of the catalogue, with the variants that a `oneOf` makes.
//!
//! | the document says | the catalogue holds |
//! | --- | --- |
//! | `oneOf` with a discriminator that is a text | a field for each path; what differs becomes a variant by its value |
//! | `oneOf` without one, or whose discriminator is no text or not a field | one field for each path, as loose as the loosest alternative |
//! | `type: number`, no `type`, or two types at one path | [`Kind::Any`] |
//! | `readOnly` | nothing: only replies hold it |
//! | a pattern that this program's expressions can't say | no pattern, and a note |

use std::collections::BTreeMap;
use std::sync::Arc;

use super::shape::{Alternative, Reader, Shape, Trail, Unread};
use super::tree::Node;
use super::{Fault, Notes};
use crate::contract::{Condition, Constraint, Discriminator, Field, Format, Kind, Pattern, ValueList, Variant};

/// Fields by path, not yet in a catalogue.
pub(super) type Fields = BTreeMap<String, Field>;

pub(super) struct FieldReader<'n> {
    pub reader: Reader,
    pub notes: &'n mut Notes,
}

impl FieldReader<'_> {
    /// The fields of the account whose schema is `account`.
    pub(super) fn account(&mut self, account: &Unread) -> Result<Fields, Fault> {
        let shape = self.reader.read(account, 0)?;
        if shape.properties.is_empty() && shape.alternatives.is_empty() {
            return Err(Fault::at(shape.line, "the account's schema has no `properties`"));
        }
        let (fields, _) = self.children("", &shape, 0)?;
        Ok(fields)
    }

    /// The fields below the object at `path`, and the discriminator if it has variants.
    fn children(&mut self, path: &str, shape: &Shape, depth: usize) -> Result<(Fields, Option<Discriminator>), Fault> {
        let mut fields = Fields::new();
        for property in &shape.properties {
            if property.name.is_empty() || property.name.contains('.') {
                let problem = format!("`{}` can't be part of a path, which has dots between its names", property.name);
                return Err(Fault::at(property.schema.node.line, problem));
            }
            let path = if path.is_empty() { property.name.clone() } else { format!("{path}.{}", property.name) };
            let required = shape.required.contains(&property.name);
            fields.extend(self.field(&path, &property.schema, required, depth + 1)?);
        }
        if shape.alternatives.is_empty() {
            return Ok((fields, None));
        }
        let mut sides = Vec::with_capacity(shape.alternatives.len());
        for alternative in &shape.alternatives {
            let mut inner = self.reader.read(&alternative.schema, depth + 1)?;
            inner.required.extend(shape.required.iter().cloned());
            let declared = shape.properties.iter().chain(&inner.properties);
            let picker = declared.into_iter().find(|property| Some(&property.name) == shape.discriminator.as_ref());
            let picker = picker.map(|property| self.reader.read(&property.schema, depth + 1)).transpose()?;
            let picks = picker.is_some_and(|picker| kind_of(&picker) == Some(Kind::Text));
            let (below, _) = self.children(path, &inner, depth + 1)?;
            sides.push((alternative, below, picks));
        }
        let by_text = !path.is_empty() && sides.iter().all(|(.., picks)| *picks);
        let discriminator = shape.discriminator.as_ref().filter(|_| by_text);
        let sides: Vec<(&Alternative, Fields)> = sides.into_iter().map(|(a, fields, _)| (a, fields)).collect();
        let Some(name) = discriminator else {
            fields.extend(union(sides.into_iter().map(|(_, fields)| fields).collect()));
            return Ok((fields, None));
        };
        let values: Vec<String> = sides.iter().flat_map(|(alternative, _)| alternative.values.clone()).collect();
        let picker = format!("{path}.{name}");
        fields.extend(by_variant(path, &picker, &sides));
        let lists = sides.iter().filter_map(|(_, fields)| fields.get(&picker));
        let mut picking = union(lists.map(|field| Fields::from([(picker.clone(), field.clone())])).collect());
        let mut field = picking.remove(&picker).unwrap_or_else(|| leaf(&picker, Kind::Text));
        for variant in &mut field.variants {
            let listed = variant.constraint.values.iter().flat_map(|list| list.values.iter().cloned());
            let missing = values.iter().cloned();
            let mut all: Vec<String> = Vec::new();
            for value in listed.chain(missing) {
                if !all.contains(&value) {
                    all.push(value);
                }
            }
            variant.constraint.values = Some(list_of(&picker, all));
        }
        fields.insert(picker, field);
        Ok((fields, Some(Discriminator { field: name.clone(), values })))
    }

    /// The field at `path` and all below it.
    fn field(&mut self, path: &str, schema: &Unread, required: bool, depth: usize) -> Result<Fields, Fault> {
        let shape = self.reader.read(schema, depth)?;
        if shape.read_only {
            return Ok(Fields::new());
        }
        let is_list = shape.kind.as_deref() == Some("array");
        let mut fields = match &shape.items {
            _ if !is_list => self.value(path, &shape, depth)?,
            Some(items) => {
                let item = self.reader.read(items, depth + 1)?;
                self.value(path, &item, depth + 1)?
            }
            None => {
                return Err(Fault::at(shape.line, format!("`{path}` is a list that does not say of what: no `items`")));
            }
        };
        if let Some(field) = fields.get_mut(path) {
            field.deprecated |= shape.deprecated;
            field.use_instead = shape.use_instead.or(field.use_instead.take());
            if is_list {
                field.kind = match field.kind {
                    Kind::Object => Kind::ObjectList,
                    Kind::Text => Kind::TextList,
                    _ => Kind::Any,
                };
            }
            for variant in &mut field.variants {
                let constraint = &mut variant.constraint;
                constraint.required = required;
                constraint.nullable = shape.nullable || constraint.nullable && !is_list;
                constraint.min_items = shape.min_items;
                constraint.default = shape.default.clone().or(constraint.default.take().filter(|_| !is_list));
            }
        }
        Ok(fields)
    }

    /// The field at `path` whose value, or each item of whose list, is as `shape` says, and all below it.
    fn value(&mut self, path: &str, shape: &Shape, depth: usize) -> Result<Fields, Fault> {
        let kind = kind_of(shape);
        if kind.is_none() && shape.discriminator.is_none() && !shape.alternatives.is_empty() {
            let (mut sides, mut nullable) = (Vec::new(), shape.nullable);
            for alternative in &shape.alternatives {
                // An alternative of null alone says no more than that null is taken.
                let side = self.reader.read(&alternative.schema, depth + 1)?;
                nullable |= side.nullable;
                if side.values.as_ref().is_none_or(|values| !values.is_empty()) {
                    sides.push(self.field(path, &alternative.schema, false, depth + 1)?);
                }
            }
            let mut fields = union(sides);
            let field = fields.entry(path.to_owned()).or_insert_with(|| leaf(path, Kind::Any));
            field.variants.iter_mut().for_each(|variant| variant.constraint.nullable |= nullable);
            return Ok(fields);
        }
        let kind = kind.unwrap_or(if shape.discriminator.is_some() { Kind::Object } else { Kind::Any });
        let (mut fields, discriminator) =
            if kind == Kind::Object { self.children(path, shape, depth)? } else { (Fields::new(), None) };
        let mut field = Field { discriminator, ..leaf(path, kind) };
        if kind == Kind::Text {
            field.format = match shape.format.as_deref() {
                Some("date") => Some(Format::Date),
                Some("date-time") => Some(Format::DateTime),
                Some("decimal") => Some(Format::Decimal),
                Some("email") => Some(Format::Email),
                Some("time") => Some(Format::Time),
                _ => None,
            };
        }
        let constraint = self.constraint(path, shape);
        field.variants = vec![Variant { name: None, conditions: Vec::new(), constraint }];
        fields.insert(path.to_owned(), field);
        Ok(fields)
    }

    /// What one value of `shape` must be like.
    fn constraint(&mut self, path: &str, shape: &Shape) -> Constraint {
        let text = kind_of(shape) == Some(Kind::Text);
        let mut constraint = Constraint {
            nullable: shape.nullable,
            min: shape.min,
            max: shape.max,
            default: shape.default.clone(),
            ..Constraint::default()
        };
        if text {
            constraint.min_length = shape.min_length;
            constraint.max_length = shape.max_length;
            constraint.pattern = shape.pattern.as_ref().and_then(|(line, text)| {
                let pattern = Pattern::compile(text);
                if pattern.is_err() {
                    self.notes.add(*line, format!("`{path}`: this pattern is not understood and so not checked"));
                }
                pattern.ok()
            });
            let values = shape.values.as_ref().filter(|values| !values.is_empty());
            constraint.values = values.map(|values| list_of(path, values.clone()));
        }
        constraint
    }
}

/// The kind of one value of `shape`; none if it does not say.
fn kind_of(shape: &Shape) -> Option<Kind> {
    match shape.kind.as_deref() {
        Some("object") => Some(Kind::Object),
        Some("string") => Some(Kind::Text),
        Some("integer") => Some(Kind::Integer),
        Some("boolean") => Some(Kind::Boolean),
        Some(_) => Some(Kind::Any),
        None if !shape.properties.is_empty() => Some(Kind::Object),
        None if shape.values.is_some() => Some(Kind::Text),
        None => None,
    }
}

/// The fields of the alternatives at `node`, apart from `picker`: each as it is if all have the same, else by variant.
fn by_variant(node: &str, picker: &str, sides: &[(&Alternative, Fields)]) -> Fields {
    let mut merged = Fields::new();
    for path in sides.iter().flat_map(|(_, fields)| fields.keys()).filter(|path| *path != picker) {
        if merged.contains_key(path) {
            continue;
        }
        let found: Vec<Option<&Field>> = sides.iter().map(|(_, fields)| fields.get(path)).collect();
        let Some(first) = found.iter().copied().flatten().next() else { continue };
        let mut field = common(first, found.iter().copied().flatten());
        let same = found.iter().all(|other| other.is_some_and(|other| same_variants(other, first)));
        if !same {
            field.variants = Vec::new();
            for ((alternative, _), found) in sides.iter().zip(&found) {
                for (value, variant) in alternative
                    .values
                    .iter()
                    .flat_map(|v| found.iter().flat_map(move |f| f.variants.iter().map(move |x| (v, x))))
                {
                    let outer = Condition { node: node.to_owned(), value: value.clone() };
                    let conditions: Vec<Condition> = [outer].into_iter().chain(variant.conditions.clone()).collect();
                    let name = conditions.last().map(|condition| condition.value.clone());
                    field.variants.push(Variant { name, conditions, constraint: variant.constraint.clone() });
                }
            }
        }
        merged.insert(path.clone(), field);
    }
    merged
}

/// The fields of alternatives that nothing tells apart: each as loose as the loosest that has it.
fn union(sides: Vec<Fields>) -> Fields {
    let count = sides.len();
    let mut merged: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    for (path, field) in sides.into_iter().flatten() {
        merged.entry(path).or_default().push(field);
    }
    merged
        .into_iter()
        .filter_map(|(path, found)| {
            let first = found.first()?;
            let mut field = common(first, found.iter());
            let everywhere = found.len() == count;
            if !found.iter().all(|other| same_variants(other, first)) {
                let constraints = found.iter().flat_map(|field| &field.variants).map(|variant| &variant.constraint);
                let constraint = loosest(&path, &constraints.collect::<Vec<_>>());
                field.variants = vec![Variant { name: None, conditions: Vec::new(), constraint }];
            }
            for variant in &mut field.variants {
                variant.constraint.required &= everywhere;
            }
            Some((path, field))
        })
        .collect()
}

/// `first` with what it has not in common with the `others` taken out.
fn common<'f>(first: &Field, others: impl Iterator<Item = &'f Field>) -> Field {
    let mut field = first.clone();
    for other in others {
        if other.kind != field.kind {
            field.kind = Kind::Any;
        }
        field.format = field.format.filter(|format| other.format == Some(*format));
        field.deprecated &= other.deprecated;
        field.discriminator = field.discriminator.filter(|own| other.discriminator.as_ref() == Some(own));
    }
    field
}

fn same_variants(a: &Field, b: &Field) -> bool {
    a.variants.len() == b.variants.len()
        && a.variants.iter().zip(&b.variants).all(|(a, b)| a.conditions == b.conditions && a.constraint == b.constraint)
}

/// What every one of `constraints` lets through.
fn loosest(path: &str, constraints: &[&Constraint]) -> Constraint {
    let most = |of: fn(&Constraint) -> Option<usize>| {
        constraints.iter().map(|c| of(c)).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max())
    };
    let lists: Option<Vec<_>> = constraints.iter().map(|c| c.values.as_ref()).collect();
    let mut values: Vec<String> = Vec::new();
    for value in lists.iter().flatten().flat_map(|list| &list.values) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    let pattern = constraints.first().and_then(|first| first.pattern.clone());
    Constraint {
        required: constraints.iter().all(|c| c.required),
        nullable: constraints.iter().any(|c| c.nullable),
        min_length: constraints.iter().map(|c| c.min_length).min().flatten(),
        max_length: most(|c| c.max_length),
        pattern: pattern.filter(|own| constraints.iter().all(|c| c.pattern.as_ref() == Some(own))),
        min: constraints.iter().map(|c| c.min).min().flatten(),
        max: constraints.iter().map(|c| c.max).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()),
        min_items: constraints.iter().map(|c| c.min_items).min().flatten(),
        values: lists.map(|_| list_of(path, values)),
        default: None,
    }
}

/// A field of which nothing is known but its kind.
fn leaf(path: &str, kind: Kind) -> Field {
    Field {
        path: path.to_owned(),
        kind,
        format: None,
        variants: vec![Variant { name: None, conditions: Vec::new(), constraint: Constraint::default() }],
        deprecated: false,
        use_instead: None,
        discriminator: None,
    }
}

/// The list of the values of the field at `path`, which is called as the field is.
fn list_of(path: &str, values: Vec<String>) -> Arc<ValueList> {
    let name = path.rsplit('.').next().unwrap_or(path).to_owned();
    Arc::new(ValueList::new(name, values, false))
}

/// The schema of the body of a request, unread.
pub(super) fn unread(node: &std::rc::Rc<Node>) -> Unread {
    Unread { node: std::rc::Rc::clone(node), trail: Trail::default() }
}
