//! Rules of one row: what must never be true of it together.
//!
//! Most rules between the fields of one object have one shape: some tests that must not all hold. Required-if,
//! forbidden-if, mutually exclusive and "this date not after that one" are all of it, so they are written as tables.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Check, finding};
use crate::assemble::view::{EntityId, FieldId, Presence, Row, Schema, Value};
use crate::finding::{Cell, Finding};

/// What must never be true of a row of `at`: all of `when`.
pub(super) struct Never {
    /// The entity; `""` is the account.
    pub(super) at: &'static str,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) when: &'static [Test],
}

/// A test of a row. A path is relative to the row's entity, or to the account if it starts with `/`, or to the object
/// above if it starts with `^`. An empty text counts as absent, and no test holds of a value that has a finding already.
#[derive(Clone, Copy)]
pub(super) enum Test {
    /// The field, object or list is there and not empty.
    Given(&'static str),
    /// It isn't.
    Absent(&'static str),
    /// The flag is raised.
    True(&'static str),
    /// The flag is absent or not raised.
    NotTrue(&'static str),
    /// The text is one of these.
    In(&'static str, &'static [&'static str]),
    /// The text is there and none of these.
    NotIn(&'static str, &'static [&'static str]),
    /// The first day or instant is after the second.
    After(&'static str, &'static str),
    /// The first day or instant is on or after the second.
    NotBefore(&'static str, &'static str),
    /// The day is after the run date.
    Future(&'static str),
    /// The day is before the run date.
    Past(&'static str),
    /// The text is there and the function is true of it.
    Text(&'static str, fn(&str) -> bool),
    /// The numbers are all there and the function is true of them; at most five.
    Numbers(&'static [&'static str], fn(&[Decimal]) -> bool),
}

/// Where a test finds its value: in which row above (0 is the account), and how.
struct Source {
    depth: usize,
    kind: Kind,
}

enum Kind {
    Field(FieldId),
    Children(EntityId),
    Object(Vec<FieldId>),
}

/// A row with the rows above it.
#[derive(Clone, Copy)]
struct Link<'l, 'a> {
    row: Row<'a>,
    depth: usize,
    above: Option<&'l Link<'l, 'a>>,
}

impl<'a> Link<'_, 'a> {
    fn at(&self, depth: usize) -> Row<'a> {
        let mut link = self;
        while let Some(above) = link.above
            && link.depth > depth
        {
            link = above;
        }
        link.row
    }
}

impl Source {
    fn presence(&self, link: &Link<'_, '_>) -> Presence {
        let row = link.at(self.depth);
        match &self.kind {
            Kind::Field(field) => row.presence(*field),
            Kind::Children(entity) if row.children(*entity).len() > 0 => Presence::Given,
            Kind::Children(_) => Presence::Absent,
            Kind::Object(fields) => {
                fields.iter().map(|field| row.presence(*field)).fold(Presence::Absent, |object, field| {
                    match (object, field) {
                        (Presence::Given, _) | (_, Presence::Given) => Presence::Given,
                        (Presence::Faulty, _) | (_, Presence::Faulty) => Presence::Faulty,
                        _ => Presence::Absent,
                    }
                })
            }
        }
    }

    fn value<'a>(&self, link: &Link<'_, 'a>) -> Value<'a> {
        match self.kind {
            Kind::Field(field) => link.at(self.depth).value(field),
            _ => Value::Absent,
        }
    }

    fn cells(&self, link: &Link<'_, '_>, cells: &mut Vec<Cell>) {
        let row = link.at(self.depth);
        match &self.kind {
            Kind::Field(field) => cells.extend(row.cell(*field)),
            Kind::Children(entity) => cells.extend(row.children(*entity).map(Row::record)),
            Kind::Object(fields) => {
                cells.extend(fields.iter().filter(|field| !row.value(**field).is_absent()).flat_map(|f| row.cell(*f)));
            }
        }
    }
}

/// The day of a date or of an instant, and the second within it.
fn moment(value: &Value<'_>) -> Option<(NaiveDate, i64)> {
    match value {
        Value::Date(date) => Some((*date, 0)),
        Value::DateTime(instant) => Some((instant.date_naive(), instant.timestamp())),
        _ => None,
    }
}

/// Whether `a` is after `b`, or not before it; a day and an instant compare as days.
fn later(a: &Value<'_>, b: &Value<'_>, or_same: bool) -> bool {
    let (Some(mut a), Some(mut b)) = (moment(a), moment(b)) else { return false };
    if a.1 == 0 || b.1 == 0 {
        (a.1, b.1) = (0, 0);
    }
    a > b || (or_same && a == b)
}

/// A test bound to a schema, with the sources of what it reads.
struct Bound {
    test: Test,
    sources: Vec<Source>,
}

impl Bound {
    fn holds(&self, link: &Link<'_, '_>, today: NaiveDate) -> bool {
        let Some(first) = self.sources.first() else { return true };
        match self.test {
            Test::Given(_) => first.presence(link) == Presence::Given,
            Test::Absent(_) => first.presence(link) == Presence::Absent,
            Test::True(_) => first.value(link).bool() == Some(true),
            Test::NotTrue(_) => matches!(first.value(link), Value::Absent | Value::Bool(false)),
            Test::In(_, list) => first.value(link).text().is_some_and(|text| list.contains(&text)),
            Test::NotIn(_, list) => {
                first.value(link).text().is_some_and(|text| !text.is_empty() && !list.contains(&text))
            }
            Test::After(..) => later(&first.value(link), &self.sources[1].value(link), false),
            Test::NotBefore(..) => later(&first.value(link), &self.sources[1].value(link), true),
            Test::Future(_) => moment(&first.value(link)).is_some_and(|(day, _)| day > today),
            Test::Past(_) => moment(&first.value(link)).is_some_and(|(day, _)| day < today),
            Test::Text(_, judge) => first.value(link).text().is_some_and(|text| !text.is_empty() && judge(text)),
            Test::Numbers(_, judge) => {
                let mut numbers = [Decimal::ZERO; 5];
                for (number, source) in numbers.iter_mut().zip(&self.sources) {
                    match source.value(link).decimal() {
                        Some(value) => *number = value,
                        None => return false,
                    }
                }
                judge(&numbers[..self.sources.len().min(5)])
            }
        }
    }

    /// Whether the test holds of what no mapping line writes.
    fn holds_unmapped(test: Test) -> bool {
        matches!(test, Test::Absent(_) | Test::NotTrue(_))
    }
}

impl Test {
    fn paths(&self) -> Vec<&'static str> {
        match *self {
            Self::Given(path)
            | Self::Absent(path)
            | Self::True(path)
            | Self::NotTrue(path)
            | Self::In(path, _)
            | Self::NotIn(path, _)
            | Self::Future(path)
            | Self::Past(path)
            | Self::Text(path, _) => vec![path],
            Self::After(a, b) | Self::NotBefore(a, b) => vec![a, b],
            Self::Numbers(paths, _) => paths.to_vec(),
        }
    }
}

/// A row of the table bound to a schema.
struct BoundNever {
    never: &'static Never,
    way: Vec<EntityId>,
    tests: Vec<Bound>,
    /// Those that look at the row itself alone, the ones that hold of few rows first.
    own: Vec<usize>,
    /// What is wrong is that something is absent that has no cell to point to: the row is named instead.
    names_row: bool,
}

impl BoundNever {
    /// None if a test can never hold of what is mapped.
    fn bind(schema: &Schema, never: &'static Never) -> Option<Self> {
        let way = way(schema, never.at)?;
        let chain: Vec<EntityId> = schema.entity("").into_iter().chain(way.iter().copied()).collect();
        let mut tests = Vec::with_capacity(never.when.len());
        for test in never.when {
            let paths = test.paths();
            let sources: Vec<Source> =
                paths.iter().filter_map(|path| source(schema, &chain, &absolute(never.at, path))).collect();
            if sources.len() < paths.len() {
                // What the target's contract does not know, nobody can be asked for.
                let known = paths.iter().any(|path| schema.is_known(&absolute(never.at, path)));
                if Bound::holds_unmapped(*test) && known {
                    continue;
                }
                return None;
            }
            tests.push(Bound { test: *test, sources });
        }
        let names_row = match (never.when.first(), tests.first()) {
            (Some(Test::Absent(path)), Some(first)) => {
                let bound = matches!(first.test, Test::Absent(other) if other == *path);
                !bound || !matches!(first.sources.first().map(|source| &source.kind), Some(Kind::Field(_)))
            }
            _ => false,
        };
        let is_own = |bound: &Bound| bound.sources.iter().all(|source| source.depth == way.len());
        let mut own: Vec<usize> = (0..tests.len()).filter(|number| is_own(&tests[*number])).collect();
        own.sort_by_key(|number| Bound::holds_unmapped(tests[*number].test));
        (!tests.is_empty()).then_some(Self { never, way, tests, own, names_row })
    }

    /// Checks the rows of an account. Hardly any row is what it must not be by itself, so these tests come first: only
    /// if one is, all rows are walked from the account down, each with those above it.
    fn check(&self, account: Row<'_>, today: NaiveDate, out: &mut Vec<Finding>) {
        let alone = |row| Link { row, depth: self.way.len(), above: None };
        if account.below(&self.way).any(|row| self.own.iter().all(|test| self.tests[*test].holds(&alone(row), today))) {
            self.walk(&Link { row: account, depth: 0, above: None }, today, out);
        }
    }

    fn walk(&self, link: &Link<'_, '_>, today: NaiveDate, out: &mut Vec<Finding>) {
        match self.way.get(link.depth) {
            Some(entity) => {
                for row in link.row.children(*entity) {
                    self.walk(&Link { row, depth: link.depth + 1, above: Some(link) }, today, out);
                }
            }
            None if self.tests.iter().all(|test| test.holds(link, today)) => out.push(self.finding(link)),
            None => {}
        }
    }

    fn finding(&self, link: &Link<'_, '_>) -> Finding {
        let mut cells = Vec::new();
        if self.names_row {
            cells.push(link.row.record());
        }
        for source in self.tests.iter().flat_map(|test| &test.sources) {
            source.cells(link, &mut cells);
        }
        if cells.is_empty() {
            cells.push(link.row.record());
        }
        cells.dedup();
        let own = self.never.when.iter().flat_map(Test::paths).find(|path| !path.starts_with(['/', '^']));
        let row = link.row.path(None);
        let path = match (row.as_str(), own) {
            (_, None) => row,
            ("", Some(name)) => name.to_owned(),
            (_, Some(name)) => format!("{row}.{name}"),
        };
        finding(self.never.code, path, self.never.message, cells)
    }
}

/// The entities on the way from the account to the rows of `at`; none if `at` is not mapped.
pub(super) fn way(schema: &Schema, at: &str) -> Option<Vec<EntityId>> {
    if at.is_empty() {
        return Some(Vec::new());
    }
    let mut way: Vec<EntityId> = at.match_indices('.').filter_map(|(end, _)| schema.entity(&at[..end])).collect();
    way.push(schema.entity(at)?);
    Some(way)
}

/// `path` as seen from the rows of `at`, from the account's point of view.
fn absolute(at: &str, path: &str) -> String {
    if let Some(path) = path.strip_prefix('/') {
        return path.to_owned();
    }
    let (mut at, mut path) = (at, path);
    while let Some(rest) = path.strip_prefix('^') {
        (at, path) = (at.rsplit_once('.').map_or("", |(above, _)| above), rest);
    }
    if at.is_empty() { path.to_owned() } else { format!("{at}.{path}") }
}

fn source(schema: &Schema, chain: &[EntityId], path: &str) -> Option<Source> {
    let depth_of = |entity: EntityId| chain.iter().position(|link| *link == entity);
    if let Some(entity) = schema.entity(path).filter(|entity| !chain.contains(entity)) {
        let above = path.match_indices('.').rev().find_map(|(end, _)| schema.entity(&path[..end]));
        return Some(Source { depth: above.map_or(Some(0), depth_of)?, kind: Kind::Children(entity) });
    }
    if let Some(field) = schema.field(path) {
        return Some(Source { depth: depth_of(field.entity())?, kind: Kind::Field(field) });
    }
    let mut fields = schema.fields_below(path);
    let depth = fields.iter().find_map(|field| depth_of(field.entity()))?;
    fields.retain(|field| depth_of(field.entity()) == Some(depth));
    Some(Source { depth, kind: Kind::Object(fields) })
}

/// Checks the rows of a table; none if nothing of it can be true of what is mapped.
pub(super) fn never(schema: &Schema, table: &'static [Never]) -> Option<Check> {
    let bound: Vec<BoundNever> = table.iter().filter_map(|never| BoundNever::bind(schema, never)).collect();
    if bound.is_empty() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        for never in &bound {
            never.check(account, context.run_date, out);
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_row() {
        assert_eq!(absolute("a.b", "c"), "a.b.c");
        assert_eq!(absolute("a.b", "^c"), "a.c");
        assert_eq!(absolute("a", "^c"), "c");
        assert_eq!(absolute("a.b", "/c"), "c");
        assert_eq!(absolute("", "c.d"), "c.d");
    }

    #[test]
    fn days_compare_with_instants_as_days() {
        let day = Value::Date("2019-08-01".parse().unwrap());
        let noon = Value::DateTime("2019-08-01T12:00:00Z".parse().unwrap());
        let night = Value::DateTime("2019-08-01T23:00:00Z".parse().unwrap());
        assert!(!later(&noon, &day, false) && later(&noon, &day, true));
        assert!(later(&night, &noon, false) && !later(&noon, &night, true));
        assert!(!later(&Value::Faulty, &day, true));
    }
}
