//! Steps: an object's layout in one case of the variants above it, resolved as far as it can be beforehand.
//!
//! Most fields have lines whose values need no thought: a date that was read, a text that is short enough, a code of
//! which is known how it is written and that its constraint takes it. Such a value is written by its step in two or
//! three copies of a fixed length. Whatever is not so plain (a fault, an escape, a text that must be looked at, a
//! required value that is absent) the step leaves to the walk, which takes the thorough way and tells what is wrong.

use std::sync::LazyLock;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::view::EntityView;
use crate::contract::{Constraint, Pattern};
use crate::mapping::plan::{Case, EntityPlan, Entry, FieldPlan, Item, Known, LinePlan, Plan, ValuePlan};
use crate::mapping::render::{
    DAYS_WRITTEN, Literal, date_text, push_datetime, push_decimal, push_end_of_text, push_end_of_word, push_integer,
};
use crate::mapping::value::{CODE_BASE, unpack_integer};
use crate::stage::column::{
    CODE_ABSENT, DATE_ABSENT, NUMBER_ABSENT, Slice, TEXT_ABSENT, TEXT_FAULT, TextPlace, is_escaped,
};

/// The steps of a plan.
#[derive(Debug)]
pub struct Steps<'p>(Vec<EntitySteps<'p>>);

#[derive(Debug)]
struct EntitySteps<'p> {
    cases: Vec<Vec<Step<'p>>>,
    /// If a code decides the variant of the objects: its leaf, and the variant of each code, counted from 1; 0: none.
    variants: Option<(usize, Vec<u8>)>,
}

impl<'p> Steps<'p> {
    /// The steps of `plan`.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        let entities = plan.entities.iter().map(|entity| {
            let steps = |case: usize| {
                let step = |item| Step::new(&entity.fields, item, case);
                entity.layout.iter().map(step).collect()
            };
            EntitySteps { cases: (0..entity.unmapped.len()).map(steps).collect(), variants: variants(plan, entity) }
        });
        Self(entities.collect())
    }

    /// What is written of an object of `entity` in `case`.
    pub(super) fn of(&self, entity: usize, case: usize) -> &[Step<'p>] {
        &self.0[entity].cases[case]
    }

    /// The variant of object `at` of entity `entity`, whose columns are `columns`, if a code that can be read decides.
    pub(super) fn variant(&self, entity: usize, columns: &EntityView<'_>, at: usize) -> Option<u8> {
        let (leaf, variants) = self.0[entity].variants.as_ref()?;
        let Slice::Code(codes) = columns.slices[*leaf] else { return None };
        variants.get(usize::from(codes[at].wrapping_sub(CODE_BASE))).copied()
    }
}

fn variants(plan: &Plan, entity: &EntityPlan) -> Option<(usize, Vec<u8>)> {
    let (discriminator, field) = entity.decides?;
    let [LinePlan { mask: 0, value: ValuePlan::Code(leaf, entries), .. }] = entity.fields[field].lines.as_slice()
    else {
        return None;
    };
    let values = &plan.discriminators[discriminator].values;
    let variant = |entry: &Entry| match &entry.value {
        Some(Known::Text(text)) => values.iter().position(|value| **value == **text).map_or(0, |at| at as u8 + 1),
        _ => 0,
    };
    Some((*leaf, entries.iter().map(variant).collect()))
}

/// A part of an object.
#[derive(Debug)]
pub(super) struct Step<'p> {
    /// The part itself, for the thorough way.
    pub(super) item: &'p Item,
    /// The lines that may give its value, and the bits that must be set in the record's mask; none: it is no field, or
    /// one that always needs thought.
    lines: Vec<(u32, Quick)>,
    may_be_absent: bool,
}

/// How the plain values of a line are written.
#[derive(Debug)]
struct Quick {
    /// `"key":"`, or `"key":` where no string follows.
    key: Literal,
    leaf: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// `"key":value,`.
    Constant(Literal),
    /// Texts of up to so many bytes.
    Text(usize),
    /// `"key":value,` of each code.
    Code(Vec<Option<Literal>>),
    Date,
    DateTime,
    /// Numbers within the range; as strings, if they have no zeros before them.
    Integer {
        least: i64,
        most: i64,
        quoted: bool,
    },
    /// Numbers nearer to nought than `below`, unscaled.
    Decimal {
        places: u32,
        below: u64,
    },
}

impl<'p> Step<'p> {
    fn new(fields: &'p [FieldPlan], item: &'p Item, case: usize) -> Self {
        let thorough = Self { item, lines: Vec::new(), may_be_absent: false };
        let Item::Field { key, field } = item else { return thorough };
        let field = &fields[*field];
        // Money is added up by the walk, from the bytes it writes.
        if field.lines.iter().any(|line| line.money) {
            return thorough;
        }
        let (constraint, required) = match field.cases[case] {
            Case::Open => (None, false),
            Case::Held { constraint, required } => (Some(constraint), required),
            Case::Foreign => return thorough,
        };
        let quick = |value: &ValuePlan| Quick::new(key, value, constraint.map(|at| (at, &field.constraints[at])));
        let lines = field.lines.iter().map(|line| Some((line.mask, quick(&line.value)?))).collect();
        Self { lines: Option::unwrap_or_default(lines), may_be_absent: !required, item }
    }

    /// Writes the field of object `at`, and a comma after it, or nothing if it is absent and may be. Tells whether that
    /// was all; if not, nothing has been written.
    #[inline]
    pub(super) fn write(&self, entity: &EntityView<'_>, at: usize, out: &mut Vec<u8>) -> bool {
        match self.lines.as_slice() {
            [] => false,
            [(0, line)] => self.write_line(line, entity, at, out),
            lines => {
                let mask = entity.masks.get(at).copied().unwrap_or_default();
                match lines.iter().find(|(wanted, _)| mask & wanted == *wanted) {
                    Some((_, line)) => self.write_line(line, entity, at, out),
                    None => self.may_be_absent,
                }
            }
        }
    }

    #[inline]
    fn write_line(&self, line: &Quick, entity: &EntityView<'_>, at: usize, out: &mut Vec<u8>) -> bool {
        if let Kind::Constant(literal) = &line.kind {
            literal.push(out);
            return true;
        }
        let absent = match (entity.slices[line.leaf], &line.kind) {
            (Slice::Text(handles), Kind::Text(longest)) => {
                let handle = handles[at];
                if handle > TEXT_FAULT && !is_escaped(handle) {
                    match entity.texts.place(handle) {
                        TextPlace::Word { word, length } if length <= *longest => {
                            line.key.push(out);
                            push_end_of_word(out, word, length);
                            return true;
                        }
                        TextPlace::Arena { arena, start, length } if length <= *longest => {
                            line.key.push(out);
                            push_end_of_text(out, arena, start, length);
                            return true;
                        }
                        _ => {}
                    }
                }
                handle == TEXT_ABSENT
            }
            (Slice::Code(codes), Kind::Code(literals)) => {
                let code = codes[at];
                if let Some(Some(literal)) = literals.get(usize::from(code.wrapping_sub(CODE_BASE))) {
                    literal.push(out);
                    return true;
                }
                code == CODE_ABSENT
            }
            (Slice::Date(dates), Kind::Date) => {
                let days = dates[at];
                if let Some(text) = date_end(days) {
                    line.key.push(out);
                    out.extend_from_slice(text);
                    return true;
                }
                days == DATE_ABSENT
            }
            (Slice::Number(numbers), kind) => {
                let number = numbers[at];
                if number != NUMBER_ABSENT {
                    return line.write_number(kind, number, out);
                }
                true
            }
            _ => false,
        };
        absent && self.may_be_absent
    }
}

impl Quick {
    /// None if the line's values need thought.
    fn new(key: &Literal, value: &ValuePlan, constraint: Option<(usize, &Constraint)>) -> Option<Self> {
        let (number, held) = constraint.unzip();
        let whole = |entry: &Entry| {
            let fine = entry.value.is_some() && number.is_none_or(|number| entry.verdicts[number].is_none());
            fine.then(|| Literal::from([key.bytes(), entry.json.bytes(), b","].concat()))
        };
        let (leaf, kind) = match value {
            ValuePlan::Constant(entry) => (0, Kind::Constant(whole(entry)?)),
            ValuePlan::Text(leaf) => (*leaf, Kind::Text(longest(held)?)),
            ValuePlan::Code(leaf, entries) => (*leaf, Kind::Code(entries.iter().map(whole).collect())),
            ValuePlan::Date(leaf) => (*leaf, Kind::Date),
            ValuePlan::DateTime(leaf) => (*leaf, Kind::DateTime),
            ValuePlan::Integer(leaf, quoted) => {
                let (least, most) = if *quoted { (i64::MIN, i64::MAX) } else { range(held)? };
                (*leaf, Kind::Integer { least, most, quoted: *quoted })
            }
            ValuePlan::Decimal(leaf, scale) => {
                let places = scale.places.filter(|places| (1..=18).contains(places))?;
                (*leaf, Kind::Decimal { places, below: below(held, places)? })
            }
        };
        let quoted = !matches!(kind, Kind::DateTime | Kind::Integer { quoted: false, .. });
        let key = if quoted { Literal::from([key.bytes(), b"\""].concat()) } else { key.clone() };
        Some(Self { key, leaf, kind })
    }

    /// Writes a number that is not absent, if it is plain.
    #[inline]
    fn write_number(&self, kind: &Kind, number: i64, out: &mut Vec<u8>) -> bool {
        match kind {
            Kind::Decimal { places, below } if number.unsigned_abs() < *below => {
                self.key.push(out);
                push_decimal(out, number, *places);
                out.extend_from_slice(b"\",");
            }
            // A fault is less than any number that was read.
            Kind::Integer { least, most, quoted } if number > NUMBER_ABSENT + 1 => {
                let (value, zeros) = unpack_integer(number);
                if value < *least || value > *most || *quoted && zeros > 0 {
                    return false;
                }
                self.key.push(out);
                push_integer(out, value);
                out.extend_from_slice(if *quoted { b"\"," } else { b"," });
            }
            Kind::DateTime if i32::try_from(number.div_euclid(86_400)).is_ok_and(|day| DAYS_WRITTEN.contains(&day)) => {
                self.key.push(out);
                push_datetime(out, number);
                out.push(b',');
            }
            _ => return false,
        }
        true
    }
}

/// The longest text, in bytes, that the constraint takes without a look; none if it looks at every text.
fn longest(constraint: Option<&Constraint>) -> Option<usize> {
    let Some(held) = constraint else { return Some(usize::MAX) };
    let longest = held.max_length.unwrap_or(usize::MAX);
    held.takes_any_text(longest.min(1)).then_some(longest)
}

/// The least and the greatest number that the constraint takes; none if they are no whole numbers.
fn range(constraint: Option<&Constraint>) -> Option<(i64, i64)> {
    let whole = |bound: Option<Decimal>, open: i64| match bound {
        Some(bound) if bound.is_integer() => bound.to_i64(),
        Some(_) => None,
        None => Some(open),
    };
    let held = constraint.map(|constraint| (constraint.min, constraint.max)).unwrap_or_default();
    Some((whole(held.0, i64::MIN)?, whole(held.1, i64::MAX)?))
}

/// What a decimal of `places` places must be less than, unscaled and whatever its sign, for the constraint to take it;
/// none if it must be looked at.
fn below(constraint: Option<&Constraint>, places: u32) -> Option<u64> {
    const MOST: u64 = i64::MAX as u64;
    let Some(held) = constraint else { return Some(MOST) };
    if held.min.is_some() || held.max.is_some() {
        return None;
    }
    match held.pattern {
        None => Some(MOST),
        Some(Pattern::Digits { whole, fraction }) if places as usize <= fraction && whole > 0 => Some(
            u32::try_from(whole).ok().and_then(|whole| 10_u64.checked_pow(whole + places)).unwrap_or(MOST).min(MOST),
        ),
        Some(_) => None,
    }
}

/// The days whose texts are kept: those of the 20th and the 21st century.
const DAYS_KEPT: std::ops::Range<i32> = -25_567..47_482;

/// `YYYY-MM-DD",` of each of [`DAYS_KEPT`].
static DATE_ENDS: LazyLock<Vec<[u8; 12]>> = LazyLock::new(|| {
    let end = |days| {
        let text = date_text(days);
        std::array::from_fn(|at| text.get(at + 1).copied().unwrap_or(b','))
    };
    DAYS_KEPT.map(end).collect()
});

#[inline]
fn date_end(days: i32) -> Option<&'static [u8; 12]> {
    DATE_ENDS.get(days.wrapping_sub(DAYS_KEPT.start) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_days_are_theirs() {
        let text = |days| date_end(days).map(|text| String::from_utf8(text.to_vec()).unwrap());
        assert_eq!(text(0).as_deref(), Some("1970-01-01\","));
        assert_eq!(text(DAYS_KEPT.start).as_deref(), Some("1900-01-01\","));
        assert_eq!(text(DAYS_KEPT.end - 1).as_deref(), Some("2099-12-31\","));
        assert_eq!([DAYS_KEPT.start - 1, DAYS_KEPT.end, DATE_ABSENT].map(text), [None, None, None]);
    }

    #[test]
    fn a_constraint_is_known_by_what_it_takes_without_a_look() {
        let of =
            |pattern: &str| Constraint { pattern: Some(Pattern::compile(pattern).unwrap()), ..Constraint::default() };
        let money = of(r"^-?\d{0,8}(?:\.\d{0,2})?$");
        assert_eq!((below(Some(&money), 2), below(Some(&money), 3)), (Some(10_000_000_000), None));
        assert_eq!((below(Some(&of("^1$")), 2), below(None, 2)), (None, Some(i64::MAX as u64)));
        for unscaled in [9_999_999_999, -9_999_999_999] {
            assert!(money.check_decimal(unscaled, 2).is_ok() && money.check_decimal(unscaled * 10, 2).is_err());
        }
        let name = Constraint { max_length: Some(9), ..Constraint::default() };
        let code = Constraint { min_length: Some(1), ..Constraint::default() };
        assert_eq!([longest(Some(&name)), longest(Some(&code)), longest(None)], [Some(9), None, Some(usize::MAX)]);
        let day = Constraint { min: Some(Decimal::ONE), max: Some(Decimal::from(28)), ..Constraint::default() };
        let half = Constraint { min: Some(Decimal::new(5, 1)), ..Constraint::default() };
        assert_eq!((range(Some(&day)), range(Some(&half))), (Some((1, 28)), None));
    }
}
