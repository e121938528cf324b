//! The walk: one account's objects, side by side in every entity, become its payload, byte by byte.
//!
//! The payload is canonical: keys in byte order, no white space, nothing without content. While a value is written it
//! is checked against its field's constraint; what is wrong becomes a finding, and the account is rejected if one of
//! them is an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::measured::{LedgerCodes, Measured};
use super::steps::Steps;
use super::view::{Row, View};
use crate::contract::{Constraint, Violation};
use crate::finding::{Finding, Severity};
use crate::mapping::OnFault;
use crate::mapping::plan::{Case, Entry, FieldPlan, Item, LinePlan, Plan, ValuePlan};
use crate::mapping::render::{
    DAYS_WRITTEN, Literal, push_date, push_datetime, push_decimal, push_escaped, push_integer, push_plain, push_word,
};
use crate::mapping::value::{CODE_BASE, unpack_integer};
use crate::stage::column::{
    CODE_ABSENT, CODE_FAULT, DATE_ABSENT, DATE_FAULT, NUMBER_ABSENT, NUMBER_FAULT, Slice, TEXT_ABSENT, TEXT_FAULT,
    TextPlace, is_escaped,
};

/// Writes the payloads of some accounts, one after the other.
#[derive(Debug)]
pub struct Walk<'a> {
    view: &'a View<'a>,
    plan: &'a Plan,
    steps: &'a Steps<'a>,
    /// What has been written.
    pub out: Vec<u8>,
    /// Findings about the account being written.
    pub findings: Vec<Finding>,
    /// Fields with a value that is not on the tenant's own list.
    pub unlisted: BTreeSet<String>,
    /// The variant chosen by each discriminator, counted from 1; 0: none.
    chosen: Vec<u8>,
    /// Required fields that turned out absent in the objects being written: (field of its entity).
    missing: Vec<usize>,
    /// What the account being written comes to.
    pub(super) measured: Measured<'a>,
}

/// What a value is, before it is written.
enum Written {
    Yes,
    Absent,
    Faulty,
}

impl<'a> Walk<'a> {
    /// A walk over the accounts of `view` that writes into `out`; `steps` are those of its plan.
    #[must_use]
    pub fn new(view: &'a View<'a>, steps: &'a Steps<'a>, codes: &'a LedgerCodes, out: Vec<u8>) -> Self {
        let plan: &Plan = &view.book.plan;
        Self {
            view,
            plan,
            steps,
            out,
            findings: Vec::new(),
            unlisted: BTreeSet::new(),
            chosen: vec![0; plan.discriminators.len()],
            missing: Vec::new(),
            measured: Measured::new(&plan.measures, codes),
        }
    }

    /// Appends the payload of account `number` to [`Walk::out`].
    pub fn account(&mut self, number: u32) {
        self.object(0, number as usize);
    }

    /// Writes an object; tells whether it has content.
    fn object(&mut self, entity: usize, at: usize) -> bool {
        let plan = &self.plan.entities[entity];
        if let Some((discriminator, field)) = plan.decides {
            let columns = &self.view.entities[entity];
            self.chosen[discriminator] = self.steps.variant(entity, columns, at).unwrap_or_else(|| {
                let value = columns.value(at, field).text();
                let values = &self.plan.discriminators[discriminator].values;
                let found = value.and_then(|value| values.iter().position(|known| known == value));
                found.map_or(0, |found| found as u8 + 1)
            });
        }
        let case = plan.case(&self.chosen, &self.plan.discriminators);
        self.check_order(entity, at);
        let start = self.out.len();
        let missing = self.missing.len();
        let above = self.measured.enter(entity, |code| self.view.entities[entity].value(at, code).text());
        self.out.push(b'{');
        let (steps, columns) = (self.steps, &self.view.entities[entity]);
        for step in steps.of(entity, case) {
            if !step.write(columns, at, &mut self.out) {
                self.item(entity, at, case, step.item);
            }
        }
        let is_written = self.close(start);
        self.measured.leave(entity, self.variant(entity), is_written, above);
        if !is_written {
            self.missing.truncate(missing);
            return false;
        }
        self.report_missing(entity, at, missing);
        for unmapped in plan.unmapped[case].iter().filter(|unmapped| unmapped.object.is_empty()) {
            self.required(entity, at, &unmapped.name, None);
        }
        true
    }

    /// The variant of the object of `entity` being written, counted from 1; 0: none.
    fn variant(&self, entity: usize) -> usize {
        self.plan.entities[entity].decides.map_or(0, |(discriminator, _)| usize::from(self.chosen[discriminator]))
    }

    /// A cell that only gives the object its place must be readable too: a misread key is a wrong place.
    fn check_order(&mut self, entity: usize, at: usize) {
        let plan = &self.plan.entities[entity];
        for (leaf, column) in &plan.only_ordered {
            if self.view.entities[entity].slices[*leaf].is_fault(at) {
                let row = Row::new(self.view, entity, at as u32);
                let (table, source) = row.source();
                let fault = table.fault(source, plan.leaves[*leaf]);
                self.findings.push(Finding {
                    code: fault.map_or_else(|| "unreadable_cell".into(), |fault| fault.code.clone()),
                    severity: Severity::Error,
                    path: row.path(None),
                    message: fault
                        .map_or_else(|| "the cell cannot be read".to_owned(), |fault| fault.message.to_string()),
                    cells: vec![table.cell(source, Some(column.clone()))],
                });
            }
        }
    }

    /// Ends an object that starts at `start` of the output, or takes it back if nothing came.
    fn close(&mut self, start: usize) -> bool {
        if self.out.len() == start + 1 {
            self.out.truncate(start);
            return false;
        }
        if let Some(comma) = self.out.last_mut() {
            *comma = b'}';
        }
        true
    }

    /// Writes a part of an object, whatever its value.
    fn item(&mut self, entity: usize, at: usize, case: usize, item: &'a Item) {
        match item {
            Item::Field { key, field } => {
                let start = self.out.len();
                key.push(&mut self.out);
                let plan = &self.plan.entities[entity].fields[*field];
                match self.field(entity, at, case, *field) {
                    Written::Yes => self.out.push(b','),
                    Written::Faulty => self.out.truncate(start),
                    Written::Absent => {
                        self.out.truncate(start);
                        if matches!(plan.cases[case], Case::Held { required: true, .. }) {
                            self.missing.push(*field);
                        }
                    }
                }
            }
            Item::Object { key, path, items, keyed } => {
                self.inner_object(entity, at, case, (key, path, items, keyed));
            }
            Item::Children { key, entity: child, required } => {
                let start = self.out.len();
                key.push(&mut self.out);
                if self.children(*child, at) {
                    self.out.push(b',');
                } else {
                    self.out.truncate(start);
                    if required.get(case) == Some(&true) {
                        let name = self.plan.entities[*child].path.rsplit('.').next().unwrap_or_default();
                        self.required(entity, at, name, None);
                    }
                }
            }
        }
    }

    /// Writes an object that has no table of its own.
    fn inner_object(
        &mut self,
        entity: usize,
        at: usize,
        case: usize,
        (key, path, items, keyed): (&Literal, &'a str, &'a [Item], &'a [usize]),
    ) {
        let start = self.out.len();
        key.push(&mut self.out);
        let open = self.out.len();
        let missing = self.missing.len();
        self.out.push(b'{');
        if keyed.is_empty() {
            for item in items {
                self.item(entity, at, case, item);
            }
        } else {
            self.keyed(entity, at, case, keyed);
        }
        if !self.close(open) {
            self.out.truncate(start);
            self.missing.truncate(missing);
            return;
        }
        self.out.push(b',');
        self.report_missing(entity, at, missing);
        for unmapped in self.plan.entities[entity].unmapped[case].iter().filter(|unmapped| unmapped.object == path) {
            self.required(entity, at, &format!("{path}.{}", unmapped.name), None);
        }
    }

    /// Writes fields whose keys come from cells, keys in byte order.
    fn keyed(&mut self, entity: usize, at: usize, case: usize, fields: &[usize]) {
        let mut keys: Vec<(&[u8], usize)> = Vec::with_capacity(fields.len());
        let texts = self.view.entities[entity].texts;
        for &field in fields {
            let Some(leaf) = self.plan.entities[entity].fields[field].key else { continue };
            let Slice::Text(handles) = self.view.entities[entity].slices[leaf] else { continue };
            if handles[at] > TEXT_FAULT {
                keys.push((texts.get(&handles[at]), field));
            }
        }
        keys.sort_unstable();
        for (key, field) in keys {
            let start = self.out.len();
            crate::mapping::render::push_string(&mut self.out, key);
            self.out.push(b':');
            match self.field(entity, at, case, field) {
                Written::Yes => self.out.push(b','),
                Written::Absent | Written::Faulty => self.out.truncate(start),
            }
        }
    }

    /// Writes the objects of entity `child` below object `at` of its parent; tells whether there are any.
    fn children(&mut self, child: usize, at: usize) -> bool {
        let plan = &self.plan.entities[child];
        let offsets = &self.view.book.entities[child].offsets;
        let (first, end) = (offsets[at] as usize, offsets[at + 1] as usize);
        if first == end {
            return false;
        }
        if !plan.is_list {
            if end - first > 1 {
                let row = Row::new(self.view, child, first as u32);
                let cells = (first..end).map(|at| Row::new(self.view, child, at as u32).record()).collect();
                self.findings.push(Finding {
                    code: "more_than_one_record".into(),
                    severity: Severity::Error,
                    path: row.path(None),
                    message: format!("one record was expected here, found {}", end - first),
                    cells,
                });
            }
            return self.object(child, first);
        }
        let start = self.out.len();
        self.out.push(b'[');
        for at in first..end {
            let written = match plan.scalar {
                Some(field) => {
                    let case = plan.case(&self.chosen, &self.plan.discriminators);
                    let written = matches!(self.field(child, at, case, field), Written::Yes);
                    self.measured.scalar(child, written);
                    written
                }
                None => self.object(child, at),
            };
            if written {
                self.out.push(b',');
            }
        }
        if self.out.len() == start + 1 {
            self.out.truncate(start);
            return false;
        }
        if let Some(comma) = self.out.last_mut() {
            *comma = b']';
        }
        true
    }

    /// Writes the value of a field.
    fn field(&mut self, entity: usize, at: usize, case: usize, number: usize) -> Written {
        let field = &self.plan.entities[entity].fields[number];
        let Some(line) = self.view.entities[entity].line(at, field) else { return Written::Absent };
        let before = self.out.len();
        let (written, violation) = self.value(entity, at, case, field, line);
        if let Some(violation) = violation {
            self.violated(entity, at, field, &violation);
        }
        match written {
            Written::Faulty => {
                self.out.truncate(before);
                self.fault(entity, at, field, line);
            }
            Written::Yes if field.cases[case] == Case::Foreign => {
                let message = "this variant of the object has no such field in the contract".to_owned();
                self.add(entity, at, field, "unexpected_field", Severity::Error, message);
            }
            _ => {}
        }
        if line.money && matches!(written, Written::Yes) {
            // By the bytes that are sent, quotes left out.
            let text = self.out.get(before + 1..self.out.len() - 1).unwrap_or_default();
            self.measured.money((entity, number), self.variant(entity), text);
        }
        written
    }

    fn value(
        &mut self,
        entity: usize,
        at: usize,
        case: usize,
        field: &'a FieldPlan,
        line: &'a LinePlan,
    ) -> (Written, Option<Violation>) {
        let number = match field.cases[case] {
            Case::Held { constraint, .. } => Some(constraint),
            Case::Open | Case::Foreign => None,
        };
        let constraint: Option<&Constraint> = number.map(|number| &field.constraints[number]);
        let slices = &self.view.entities[entity].slices;
        match &line.value {
            ValuePlan::Constant(entry) => self.entry(entry, number),
            ValuePlan::Code(leaf, entries) => match slices[*leaf] {
                Slice::Code(codes) => match codes[at] {
                    CODE_ABSENT => (Written::Absent, None),
                    CODE_FAULT => (Written::Faulty, None),
                    code => self.entry(&entries[usize::from(code - CODE_BASE)], number),
                },
                _ => (Written::Absent, None),
            },
            ValuePlan::Text(leaf) => match slices[*leaf] {
                Slice::Text(handles) => match handles[at] {
                    TEXT_ABSENT => (Written::Absent, None),
                    TEXT_FAULT => (Written::Faulty, None),
                    handle => {
                        if is_escaped(handle) {
                            self.check_controls(entity, at, field, &handles[at]);
                        }
                        self.text(entity, &handles[at], constraint)
                    }
                },
                _ => (Written::Absent, None),
            },
            ValuePlan::Date(leaf) => match slices[*leaf] {
                Slice::Date(days) => match days[at] {
                    DATE_ABSENT => (Written::Absent, None),
                    DATE_FAULT => (Written::Faulty, None),
                    days if DAYS_WRITTEN.contains(&days) => {
                        push_date(&mut self.out, days);
                        (Written::Yes, None)
                    }
                    _ => (Written::Faulty, None),
                },
                _ => (Written::Absent, None),
            },
            ValuePlan::DateTime(leaf) | ValuePlan::Integer(leaf, _) | ValuePlan::Decimal(leaf, _) => {
                match slices[*leaf] {
                    Slice::Number(numbers) => match numbers[at] {
                        NUMBER_ABSENT => (Written::Absent, None),
                        NUMBER_FAULT => (Written::Faulty, None),
                        stored => self.number(&line.value, stored, constraint),
                    },
                    _ => (Written::Absent, None),
                }
            }
        }
    }

    fn entry(&mut self, entry: &'a Entry, constraint: Option<usize>) -> (Written, Option<Violation>) {
        if entry.value.is_none() {
            return (Written::Absent, None);
        }
        entry.json.push(&mut self.out);
        (Written::Yes, constraint.and_then(|number| entry.verdicts[number].clone()))
    }

    fn text(
        &mut self,
        entity: usize,
        handle: &'a u64,
        constraint: Option<&Constraint>,
    ) -> (Written, Option<Violation>) {
        let texts = self.view.entities[entity].texts;
        let text = texts.get(handle);
        if is_escaped(*handle) {
            self.quoted(|out| push_escaped(out, text));
        } else {
            match texts.place(*handle) {
                TextPlace::Word { word, length } => push_word(&mut self.out, word, length),
                TextPlace::Arena { arena, start, length } => push_plain(&mut self.out, arena, start, length),
            }
        }
        let checked = constraint.filter(|constraint| !constraint.takes_any_text(text.len()));
        (
            Written::Yes,
            checked.and_then(|constraint| constraint.check_text(self.view.entities[entity].text(handle)).err()),
        )
    }

    /// A warning about control characters that are no white space: they are sent as they are.
    fn check_controls(&mut self, entity: usize, at: usize, field: &'a FieldPlan, handle: &'a u64) {
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if self.view.entities[entity].text(handle).chars().any(odd) {
            let message = "the text holds a control character, which is sent as it is".to_owned();
            self.add(entity, at, field, "control_character", Severity::Warning, message);
        }
    }

    fn number(
        &mut self,
        plan: &ValuePlan,
        stored: i64,
        constraint: Option<&Constraint>,
    ) -> (Written, Option<Violation>) {
        match plan {
            ValuePlan::DateTime(_) => {
                let day = i32::try_from(stored.div_euclid(86_400));
                if !day.is_ok_and(|day| DAYS_WRITTEN.contains(&day)) {
                    return (Written::Faulty, None);
                }
                push_datetime(&mut self.out, stored);
                (Written::Yes, None)
            }
            ValuePlan::Integer(_, true) => {
                let (value, zeros) = unpack_integer(stored);
                self.quoted(|out| {
                    if value < 0 {
                        out.push(b'-');
                    }
                    out.extend(std::iter::repeat_n(b'0', zeros as usize));
                    push_integer(out, value.abs());
                });
                (Written::Yes, None)
            }
            ValuePlan::Decimal(_, scale) => {
                let (unscaled, places) = scale.unpack(stored);
                self.quoted(|out| push_decimal(out, unscaled, places));
                (Written::Yes, constraint.and_then(|constraint| constraint.check_decimal(unscaled, places).err()))
            }
            _ => {
                let (value, _) = unpack_integer(stored);
                push_integer(&mut self.out, value);
                (Written::Yes, constraint.and_then(|constraint| constraint.check_integer(value).err()))
            }
        }
    }

    fn quoted(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> Written {
        self.out.push(b'"');
        push(&mut self.out);
        self.out.push(b'"');
        Written::Yes
    }

    /// A value that breaks its constraint.
    fn violated(&mut self, entity: usize, at: usize, field: &'a FieldPlan, violation: &Violation) {
        if violation.severity == Severity::Notice {
            let entity = &self.plan.entities[entity].path;
            let path = if entity.is_empty() { field.path.clone() } else { format!("{entity}.{}", field.path) };
            self.unlisted.insert(path);
            return;
        }
        let message = format!("expected {}", violation.expected);
        self.add(entity, at, field, violation.code, violation.severity, message);
    }

    /// A cell that could not be read.
    fn fault(&mut self, entity: usize, at: usize, field: &'a FieldPlan, line: &'a LinePlan) {
        let (table, row) = Row::new(self.view, entity, at as u32).source();
        let leaf = match &line.value {
            ValuePlan::Constant(_) => return,
            ValuePlan::Text(leaf)
            | ValuePlan::Code(leaf, _)
            | ValuePlan::Date(leaf)
            | ValuePlan::DateTime(leaf)
            | ValuePlan::Integer(leaf, _)
            | ValuePlan::Decimal(leaf, _) => self.plan.entities[entity].leaves[*leaf],
        };
        let severity = match line.on_fault {
            OnFault::Reject => Severity::Error,
            OnFault::Omit => Severity::Warning,
        };
        let (code, message) = match table.fault(row, leaf) {
            Some(fault) => (&*fault.code, fault.message.to_string()),
            None => ("unreadable_cell", "the cell cannot be read".to_owned()),
        };
        self.add(entity, at, field, code, severity, message);
        if code == "no_matching_record"
            && let Some(finding) = self.findings.last_mut()
        {
            finding.cells.extend(table.near(row));
        }
    }

    fn add(&mut self, entity: usize, at: usize, field: &'a FieldPlan, code: &str, severity: Severity, message: String) {
        let row = Row::new(self.view, entity, at as u32);
        let (path, cells) = (row.path_of(&field.path), row.cells(field));
        self.findings.push(Finding { code: code.into(), severity, path, message, cells });
    }

    /// Findings about the required fields that are absent from an object with content.
    fn report_missing(&mut self, entity: usize, at: usize, from: usize) {
        while self.missing.len() > from {
            if let Some(field) = self.missing.pop() {
                let plan = &self.plan.entities[entity].fields[field];
                self.required(entity, at, &plan.path, Some(plan));
            }
        }
    }

    fn required(&mut self, entity: usize, at: usize, name: &str, field: Option<&'a FieldPlan>) {
        let row = Row::new(self.view, entity, at as u32);
        let cells = field.map_or_else(|| vec![row.record()], |field| row.cells(field));
        let message = if field.is_some() {
            "the contract requires a value, and the cell is blank".to_owned()
        } else {
            "the contract requires this, and no line of the mapping or no record gives it".to_owned()
        };
        let code: Arc<str> = "required".into();
        self.findings.push(Finding { code, severity: Severity::Error, path: row.path_of(name), message, cells });
    }
}
