//! What a mapping that can be used still leaves open: required fields that no line writes, placeholders, codes that are
//! to be decided.
//!
//! A place in the file is found again by its text here, since a plan keeps no places of entities.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Place, Problem, Problems};
use super::lookup::Lookup;
use super::plan::{EntityPlan, Plan};
use super::value::Convert;
use crate::contract::{Constraint, Field, Format, Kind};

/// What stands where somebody has to decide.
pub const PLACEHOLDER: &str = "TODO";

/// A required field that no line of the mapping writes.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Its path in the payload.
    pub path: String,
    /// The entity whose block should have the line; empty for the account.
    pub entity: String,
    /// The table of that entity, by number.
    pub table: usize,
    /// Whether every object of the entity must have it, and not only some variants, or only where there is content.
    pub always: bool,
    /// As it is told; the help can be made better by who knows the files.
    pub problem: Problem,
}

impl Plan {
    /// How many fields of the contract have a line, and how many there are.
    #[must_use]
    pub fn written(&self) -> (usize, usize) {
        let leaves = || self.contract.fields().filter(|field| !matches!(field.kind, Kind::Object | Kind::ObjectList));
        (leaves().filter(|field| self.writes(&field.path)).count(), leaves().count())
    }

    /// The required fields of the objects that the mapping makes which no line writes, in the order of the entities.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.entities.iter().flat_map(|entity| self.missing_of(entity)).collect()
    }

    fn missing_of(&self, entity: &EntityPlan) -> Vec<Missing> {
        let mut cases: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (case, missing) in entity.unmapped.iter().enumerate() {
            for field in missing {
                cases.entry((&field.object, &field.name)).or_default().push(case);
            }
        }
        let problems = Problems::new(&self.file, &self.text);
        let place = problems.place(&self.find_entity(&entity.path));
        let told = cases.into_iter().filter_map(|((object, name), cases)| {
            let path = [entity.path.as_str(), object, name]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(".");
            let when = self.when(entity, &cases)?;
            let inside = if object.is_empty() { String::new() } else { format!(" where `{object}` has content") };
            let help = self.contract.field(&path).map(|field| format!("it is {}", describe(field)));
            let message = format!("`{path}` is required{when}{inside}, and no line writes it");
            let problem = Problem { place: place.clone(), message, help };
            let always = when.is_empty() && object.is_empty();
            Some(Missing { path, entity: entity.path.clone(), table: entity.table, always, problem })
        });
        told.collect()
    }

    /// In which variants `cases` are, in words; none if they are none that a record can have.
    fn when(&self, entity: &EntityPlan, cases: &[usize]) -> Option<String> {
        let radix = |at: &usize| self.discriminators[*at].values.len() + 1;
        // A case is decided if every digit of its number is 1 or more.
        let digits = |mut case: usize| {
            let mut digits: Vec<usize> = entity
                .depends
                .iter()
                .rev()
                .map(|at| {
                    let digit = case % radix(at);
                    case /= radix(at);
                    digit
                })
                .collect();
            digits.reverse();
            digits
        };
        let decided = |case: &usize| digits(*case).iter().all(|digit| *digit > 0);
        let all = (0..entity.unmapped.len()).filter(decided).count();
        let here: Vec<usize> = cases.iter().copied().filter(decided).collect();
        match (here.len(), entity.depends.as_slice()) {
            (0, _) => None,
            (some, _) if some == all => Some(String::new()),
            (_, [only]) => {
                let values = here.iter().map(|case| self.discriminators[*only].values[case - 1].as_str());
                Some(format!(" of {}", values.collect::<Vec<_>>().join(", ")))
            }
            _ => Some(" in some variants".to_owned()),
        }
    }

    /// Where the block of the entity at `path` begins, in bytes.
    fn find_entity(&self, path: &str) -> std::ops::Range<usize> {
        let headers = if path.is_empty() {
            vec!["[account]".to_owned()]
        } else {
            vec![format!("[entity.\"{path}\"]"), format!("[entity.{path}]")]
        };
        let found = headers.iter().find_map(|header| Some((self.text.find(header.as_str())?, header.len())));
        found.map_or(0..0, |(at, length)| at..at + length)
    }

    /// A problem of table `number` as a whole.
    #[must_use]
    pub fn table_problem(&self, number: usize, message: String, help: Option<String>) -> Problem {
        let place = Problems::new(&self.file, &self.text).place(&self.tables[number].span);
        Problem { place, message, help }
    }

    /// Constants that say that somebody has to decide.
    #[must_use]
    pub fn placeholders(&self) -> Vec<Problem> {
        let quoted = format!("\"{PLACEHOLDER}\"");
        let file: Arc<str> = self.file.display().to_string().into();
        let lines = self.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
        let found = lines.filter_map(|(number, line)| {
            let at = line.find(&quoted)?;
            let place = Place { file: file.clone(), line: number + 1, column: line[..at].chars().count() + 1 };
            let message = "a value is still to be decided".to_owned();
            Some(Problem { place, message, help: Some(format!("write it in place of {quoted}")) })
        });
        found.collect()
    }

    /// Lookups with rows that say that somebody has to decide: by a note, or by a value.
    #[must_use]
    pub fn undecided_codes(&self) -> Vec<Problem> {
        let mut told = Vec::new();
        for lookup in self.used_lookups() {
            let open: Vec<(usize, &str)> = lookup
                .rows
                .iter()
                .enumerate()
                .filter(|(_, row)| row[1..].iter().any(|cell| cell.starts_with(PLACEHOLDER)))
                .map(|(number, row)| (number, row[0].as_str()))
                .collect();
            let Some((first, _)) = open.first() else { continue };
            let codes: Vec<String> = open.iter().take(8).map(|(_, code)| format!("`{code}`")).collect();
            let more = if open.len() > codes.len() { ", …" } else { "" };
            let message = format!(
                "lookup `{}`: {} codes are still to be decided: {}{more}",
                lookup.name,
                open.len(),
                codes.join(", ")
            );
            let place = Place { file: self.lookup_file(&lookup.name), line: first + 2, column: 1 };
            let help = format!("give each its value, and take `{PLACEHOLDER}` out of its row");
            told.push(Problem { place, message, help: Some(help) });
        }
        told
    }

    /// Where the lookup `name` lies.
    #[must_use]
    pub fn lookup_file(&self, name: &str) -> Arc<str> {
        self.file.with_file_name("lookups").join(format!("{name}.csv")).display().to_string().into()
    }

    fn used_lookups(&self) -> Vec<&Arc<Lookup>> {
        let mut lookups: Vec<&Arc<Lookup>> = Vec::new();
        for leaf in self.tables.iter().flat_map(|table| &table.leaves) {
            if let Convert::Lookup(lookup) = &leaf.convert
                && !lookups.iter().any(|known| known.name == lookup.name)
            {
                lookups.push(lookup);
            }
        }
        lookups.sort_by(|a, b| a.name.cmp(&b.name));
        lookups
    }
}

/// What a field takes, in words: `a date`, `one of DOMESTIC, BUSINESS`.
#[must_use]
pub fn describe(field: &Field) -> String {
    let lists = field.variants.iter().filter_map(|variant| variant.constraint.values.as_ref());
    let values: Option<&[String]> = lists.map(|list| list.values.as_slice()).next();
    if let Some(values) = values.filter(|values| !values.is_empty()) {
        const TOLD: usize = 6;
        let named: Vec<&str> = values.iter().filter(|value| !value.is_empty()).take(TOLD).map(String::as_str).collect();
        let more = if values.len() > TOLD { ", …" } else { "" };
        return format!("one of {}{more}", named.join(", "));
    }
    let longest = |constraint: &Constraint| constraint.max_length;
    match (field.kind, field.format) {
        (Kind::Object, _) => "an object: give it a block of its own or fields with dots".into(),
        (Kind::ObjectList, _) => format!("a list of objects: give it a block of its own, [entity.\"{}\"]", field.path),
        (Kind::TextList, _) => "a list of texts".into(),
        (Kind::Integer, _) => "a whole number".into(),
        (Kind::Boolean, _) => "a flag".into(),
        (Kind::Any, _) => "any value".into(),
        (Kind::Text, Some(Format::Date)) => "a date".into(),
        (Kind::Text, Some(Format::DateTime)) => "a date and time".into(),
        (Kind::Text, Some(Format::Decimal)) => "a decimal number".into(),
        (Kind::Text, _) => match field.variants.iter().filter_map(|variant| longest(&variant.constraint)).max() {
            Some(most) => format!("a text of at most {most} characters"),
            None => "a text".into(),
        },
    }
}
