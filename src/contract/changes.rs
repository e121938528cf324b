//! What one contract says otherwise than another: what a mapping that was written for the one must be read again for.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{Condition, Constraint, Contract, Field, Format, Kind};

/// One difference, at one path and in one variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field.
    pub path: String,
    /// The variant it is about, as `node=VALUE`; none: all.
    pub variant: Option<String>,
    /// What is otherwise.
    #[serde(flatten)]
    pub what: What,
    /// Payloads that the one contract takes may be refused by the other.
    pub breaking: bool,
}

/// What is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", content = "detail", rename_all = "snake_case")]
pub enum What {
    /// There is no such field any more.
    Gone,
    /// There is a field of that name now.
    New,
    /// It must be there now.
    Required,
    /// It may be absent now.
    Optional,
    /// Another type.
    Type(String),
    /// Values that are no longer taken.
    ValuesDropped(Vec<String>),
    /// Values that are taken now.
    ValuesAdded(Vec<String>),
    /// A bound, a pattern or a list that lets less through.
    Tighter(String),
    /// One that lets more through, or something else.
    Looser(String),
    /// The target wants it gone.
    Deprecated(Option<String>),
}

impl What {
    fn is_breaking(&self) -> bool {
        matches!(self, Self::Gone | Self::Required | Self::Type(_) | Self::ValuesDropped(_) | Self::Tighter(_))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("gone"),
            Self::New => f.write_str("new"),
            Self::Required => f.write_str("required now"),
            Self::Optional => f.write_str("no longer required"),
            Self::Type(text) => f.write_str(text),
            Self::ValuesDropped(values) => write!(f, "{} dropped: {}", count(values.len()), few(values)),
            Self::ValuesAdded(values) => write!(f, "{} added: {}", count(values.len()), few(values)),
            Self::Tighter(text) => write!(f, "tighter: {text}"),
            Self::Looser(text) => write!(f, "looser: {text}"),
            Self::Deprecated(None) => f.write_str("deprecated now"),
            Self::Deprecated(Some(instead)) => write!(f, "deprecated now; use {instead} instead"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(variant) = &self.variant {
            write!(f, " [{variant}]")?;
        }
        write!(f, ": {}", self.what)
    }
}

fn count(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

fn few(values: &[String]) -> String {
    const FEW: usize = 8;
    let named = values.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if values.len() > FEW { format!("{named}, …") } else { named }
}

/// What is otherwise in `new` than in `old`, in the order of the paths. Below a field that is gone or new, nothing more
/// is told, but for fields that are required there.
#[must_use]
pub fn changes(old: &Contract, new: &Contract) -> Vec<Change> {
    let paths: BTreeSet<Vec<&str>> =
        old.fields().chain(new.fields()).map(|field| field.path.split('.').collect()).collect();
    let mut found = Vec::new();
    for path in paths {
        let path = path.join(".");
        match (old.field(&path), new.field(&path)) {
            (Some(old_field), Some(new_field)) => compare(old_field, new_field, &mut found),
            (Some(field), None) if new.field(field.parent()).is_some() || field.parent().is_empty() => {
                found.push(change(field, None, What::Gone));
            }
            (None, Some(field)) => {
                let parent_is_new = !field.parent().is_empty() && old.field(field.parent()).is_none();
                if !parent_is_new {
                    found.push(change(field, None, What::New));
                }
                for variant in field.variants.iter().filter(|variant| variant.constraint.required) {
                    found.push(change(field, name(&variant.conditions), What::Required));
                }
            }
            _ => {}
        }
    }
    found
}

fn change(field: &Field, variant: Option<String>, what: What) -> Change {
    Change { path: field.path.clone(), variant, breaking: what.is_breaking(), what }
}

/// How a variant is written: `supply_type=GAS` at the end of its node's path.
fn name(conditions: &[Condition]) -> Option<String> {
    let named: Vec<String> =
        conditions.iter().map(|condition| format!("{}={}", condition.node, condition.value)).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn compare(old: &Field, new: &Field, found: &mut Vec<Change>) {
    if (old.kind, old.format) != (new.kind, new.format) {
        let text = format!("{} where it was {}", type_name(new.kind, new.format), type_name(old.kind, old.format));
        found.push(change(new, None, What::Type(text)));
    }
    if new.deprecated && !old.deprecated {
        found.push(change(new, None, What::Deprecated(new.use_instead.clone())));
    }
    let held = |field: &'_ Field, conditions: &[Condition]| -> Option<Constraint> {
        let own = field.variants.iter().find(|variant| variant.conditions == conditions);
        let any = field.variants.iter().find(|variant| variant.conditions.is_empty());
        own.or(any).map(|variant| variant.constraint.clone())
    };
    let mut seen: Vec<&[Condition]> = Vec::new();
    let unconditional = [old, new].iter().all(|field| field.variants.iter().all(|v| v.conditions.is_empty()));
    for variant in old.variants.iter().chain(&new.variants) {
        let conditions = variant.conditions.as_slice();
        if seen.contains(&conditions) || conditions.is_empty() && !unconditional {
            continue;
        }
        seen.push(conditions);
        match (held(old, conditions), held(new, conditions)) {
            (Some(was), Some(now)) => {
                found.extend(differences(&was, &now).into_iter().map(|what| change(new, name(conditions), what)));
            }
            (Some(_), None) => found.push(change(new, name(conditions), What::Gone)),
            (None, Some(now)) => {
                found.push(change(new, name(conditions), What::New));
                if now.required {
                    found.push(change(new, name(conditions), What::Required));
                }
            }
            (None, None) => {}
        }
    }
}

fn differences(was: &Constraint, now: &Constraint) -> Vec<What> {
    let mut found = Vec::new();
    match (was.required, now.required) {
        (false, true) => found.push(What::Required),
        (true, false) => found.push(What::Optional),
        _ => {}
    }
    let least = [
        bound("least length", was.min_length, now.min_length, |a, b| b > a),
        bound("least number", was.min, now.min, |a, b| b > a),
        bound("fewest items", was.min_items, now.min_items, |a, b| b > a),
        bound("greatest length", was.max_length, now.max_length, |a, b| b < a),
        bound("greatest number", was.max, now.max, |a, b| b < a),
    ];
    found.extend(least.into_iter().flatten());
    if was.pattern != now.pattern {
        found.push(match (&was.pattern, &now.pattern) {
            (_, Some(pattern)) => What::Tighter(format!("it must match {pattern}")),
            (_, None) => What::Looser("no pattern".to_owned()),
        });
    }
    match (&was.values, &now.values) {
        (None, Some(list)) => {
            found.push(What::Tighter(format!("one of {}: {}", count(list.values.len()), few(&list.values))));
        }
        (Some(_), None) => found.push(What::Looser("any text, no longer a list of values".to_owned())),
        (Some(was), Some(now)) => {
            let beyond = |a: &[String], b: &super::ValueList| -> Vec<String> {
                a.iter().filter(|value| !b.contains(value)).cloned().collect()
            };
            let (dropped, added) = (beyond(&was.values, now), beyond(&now.values, was));
            found.extend((!dropped.is_empty()).then_some(What::ValuesDropped(dropped)));
            found.extend((!added.is_empty()).then_some(What::ValuesAdded(added)));
        }
        (None, None) => {}
    }
    found
}

fn bound<T: PartialOrd + fmt::Display>(
    name: &str,
    was: Option<T>,
    now: Option<T>,
    is_tighter: fn(&T, &T) -> bool,
) -> Option<What> {
    match (was, now) {
        (Some(was), Some(now)) if was == now => None,
        (Some(was), Some(now)) => {
            let text = format!("{name} {now}, was {was}");
            Some(if is_tighter(&was, &now) { What::Tighter(text) } else { What::Looser(text) })
        }
        (None, Some(now)) => Some(What::Tighter(format!("{name} {now}"))),
        (Some(was), None) => Some(What::Looser(format!("no {name}, was {was}"))),
        (None, None) => None,
    }
}

/// How a type is named.
#[must_use]
pub fn type_name(kind: Kind, format: Option<Format>) -> &'static str {
    match (kind, format) {
        (Kind::Object, _) => "object",
        (Kind::ObjectList, _) => "list",
        (Kind::TextList, _) => "list of texts",
        (Kind::Text, None) => "text",
        (Kind::Text, Some(Format::Date)) => "date",
        (Kind::Text, Some(Format::DateTime)) => "date and time",
        (Kind::Text, Some(Format::Decimal)) => "decimal",
        (Kind::Text, Some(Format::Email)) => "e-mail address",
        (Kind::Text, Some(Format::Time)) => "time",
        (Kind::Integer, _) => "integer",
        (Kind::Boolean, _) => "flag",
        (Kind::Any, _) => "any value",
    }
}
