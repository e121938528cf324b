//! The fields of an entity, resolved: what the contract says of each, and how each of its lines is read and written.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::columns::convert;
use super::compile::{Compiler, kind_name, no_such_field, use_leaf};
use super::document::{Problems, Scalar};
use super::lookup::Lookup;
use super::model::{Entity, Field, Line, ReadAs, Source};
use super::plan::{Case, EntityPlan, Entry, FieldPlan, Known, Leaf, LinePlan, ValuePlan};
use super::render;
use super::value::{self, Cell, Choices, Convert};
use crate::contract::{Constraint, Field as ContractField, Format, Kind, Violation};
use crate::finding::Severity;

/// Resolves the fields of `entity` into `plan`.
pub(super) fn compile<'m>(compiler: &mut Compiler<'m>, entity: &'m Entity, plan: &mut EntityPlan) {
    if let Some(lines) = &entity.value {
        let Some(contract) = compiler.contract.clone().field(&entity.path).cloned() else { return };
        let item = ContractField { kind: Kind::Text, ..contract };
        let field = target(compiler, plan, String::new(), &item, None);
        plan.scalar = Some(0);
        plan.fields.push(field);
        compile_lines(compiler, plan, 0, lines);
        return;
    }
    for field in &entity.fields {
        compile_field(compiler, entity, plan, field);
    }
}

fn compile_field<'m>(compiler: &mut Compiler<'m>, entity: &'m Entity, plan: &mut EntityPlan, field: &'m Field) {
    let full = if entity.path.is_empty() { field.target.clone() } else { format!("{}.{}", entity.path, field.target) };
    let contract = compiler.contract.clone();
    if let Some((node, key)) = keyed(&full) {
        match contract.field(node) {
            Some(found)
                if matches!(found.kind, Kind::Object | Kind::Any) && contract.children(node).next().is_none() =>
            {
                let span = field.span.clone();
                let table = &mut compiler.tables[plan.table];
                let Some(leaf) = table.order_leaf(key, &span, compiler.defaults, &mut compiler.problems) else {
                    return;
                };
                let key = use_leaf(&mut plan.leaves, leaf);
                let any = ContractField { kind: Kind::Any, format: None, ..found.clone() };
                let made = target(compiler, plan, field.target.clone(), &any, Some(key));
                plan.fields.push(made);
                compile_lines(compiler, plan, plan.fields.len() - 1, &field.lines);
            }
            Some(_) => {
                let message = format!("`{node}` takes no keys from cells: the contract says which keys it has");
                compiler.problems.add(&field.span, message, None);
            }
            None => no_such_field(&contract, node, &field.span, &mut compiler.problems),
        }
        return;
    }
    let Some(found) = contract.field(&full) else {
        return no_such_field(&contract, &full, &field.span, &mut compiler.problems);
    };
    if matches!(found.kind, Kind::Object | Kind::ObjectList | Kind::TextList) {
        let help = format!("give it a block of its own: [entity.\"{full}\"]");
        let message = format!("`{full}` is {} in the contract", kind_name(found.kind));
        return compiler.problems.add(&field.span, message, Some(help));
    }
    let between = full.rsplit_once('.').map_or("", |(above, _)| above);
    if between.len() > entity.path.len() && !contract.field(between).is_some_and(|node| node.kind == Kind::Object) {
        let help = format!("give it a block of its own: [entity.\"{between}\"]");
        return compiler.problems.add(&field.span, format!("`{between}` is a list in the contract"), Some(help));
    }
    let made = target(compiler, plan, field.target.clone(), found, None);
    plan.fields.push(made);
    compile_lines(compiler, plan, plan.fields.len() - 1, &field.lines);
}

/// `a.b.{C}` as (`a.b`, `C`).
fn keyed(path: &str) -> Option<(&str, &str)> {
    let (node, last) = path.rsplit_once('.')?;
    Some((node, last.strip_prefix('{')?.strip_suffix('}')?))
}

/// A field of `plan` without its lines.
fn target(
    compiler: &Compiler<'_>,
    plan: &EntityPlan,
    path: String,
    field: &ContractField,
    key: Option<usize>,
) -> FieldPlan {
    let mut constraints = Vec::new();
    let cases = if key.is_some() {
        compiler.cases(&plan.depends, field, &mut constraints).iter().map(|_| Case::Open).collect()
    } else {
        compiler.cases(&plan.depends, field, &mut constraints)
    };
    FieldPlan { path, kind: field.kind, format: field.format, lines: Vec::new(), key, constraints, cases }
}

fn compile_lines<'m>(compiler: &mut Compiler<'m>, plan: &mut EntityPlan, field: usize, lines: &'m [Line]) {
    let entity_path = plan.path.clone();
    for line in lines {
        let target = &plan.fields[field];
        let full = [entity_path.as_str(), target.path.as_str()]
            .iter()
            .filter(|p| !p.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(".");
        let made =
            LineCompiler { target, full: &full, compiler: &mut *compiler, table: plan.table, leaves: &mut plan.leaves }
                .compile(line);
        plan.fields[field].lines.extend(made);
    }
}

struct LineCompiler<'c, 'm> {
    target: &'c FieldPlan,
    full: &'c str,
    compiler: &'c mut Compiler<'m>,
    table: usize,
    leaves: &'c mut Vec<usize>,
}

impl LineCompiler<'_, '_> {
    fn compile(mut self, line: &Line) -> Option<LinePlan> {
        let mut mask = 0;
        for condition in &line.when {
            mask |= self.compiler.tables[self.table].test(condition, &mut self.compiler.problems);
        }
        let (value, columns, read_as) = match &line.source {
            Source::Constant(scalar) => (ValuePlan::Constant(self.constant(scalar, line)?), Vec::new(), None),
            _ => self.column(line)?,
        };
        let money = read_as == Some(ReadAs::Money);
        Some(LinePlan { mask, value, on_fault: line.on_fault, money, columns })
    }

    fn column(&mut self, line: &Line) -> Option<(ValuePlan, Vec<Arc<str>>, Option<ReadAs>)> {
        let line = self.compiler.tables[self.table].merged(line, &mut self.compiler.problems)?;
        let (input, columns) = self.compiler.tables[self.table].source(&line, &mut self.compiler.problems)?;
        let lookup = self.compiler.tables[self.table].lookup(&line, &mut self.compiler.problems).ok()?;
        let (convert, mut entries) = match lookup {
            Some((lookup, column)) => {
                let entries = self.lookup_entries(&lookup, column, &line)?;
                (Convert::Lookup(lookup), Some(entries))
            }
            None => self.plain(&line)?,
        };
        let empty = self.empty(&line, &convert, &mut entries).ok()?;
        let default = line.default.as_ref().map(|(text, _)| text.as_str().into());
        if let Some((text, span)) = &line.default
            && let Err(misread) = convert.read(text.as_bytes())
        {
            self.problem(span, format!("`default` cannot be read: {}", misread.message));
            return None;
        }
        let is_text = self.target.kind != Kind::Integer;
        let names = self.compiler.tables[self.table].column_names(&columns);
        let kept = convert.clone();
        let leaf = self.compiler.tables[self.table].leaf(Leaf { input, convert, empty, default, columns });
        let leaf = use_leaf(self.leaves, leaf);
        let value = match (kept, entries) {
            (_, Some(entries)) => ValuePlan::Code(leaf, entries),
            (Convert::Integer, _) => ValuePlan::Integer(leaf, is_text),
            (Convert::Decimal(scale) | Convert::Styled(scale, _), _) => ValuePlan::Decimal(leaf, scale),
            (Convert::Date(_), _) => ValuePlan::Date(leaf),
            (Convert::DateTime(..), _) => ValuePlan::DateTime(leaf),
            _ => ValuePlan::Text(leaf),
        };
        Some((value, names, line.read_as))
    }

    /// The conversion of a line without a lookup, and the entries of its codes if it makes codes.
    fn plain(&mut self, line: &Line) -> Option<(Convert, Option<Vec<Entry>>)> {
        let read_as = line.read_as.unwrap_or(match (self.target.kind, self.target.format) {
            (Kind::Integer, _) => ReadAs::Integer,
            (Kind::Boolean, _) => ReadAs::Bool,
            (Kind::Text, Some(Format::Date)) => ReadAs::Date,
            (Kind::Text, Some(Format::DateTime)) => ReadAs::DateTime,
            (Kind::Text, Some(Format::Decimal)) => ReadAs::Decimal,
            _ => ReadAs::Text,
        });
        let fits = match self.target.kind {
            Kind::Integer => read_as == ReadAs::Integer,
            Kind::Boolean => read_as == ReadAs::Bool,
            Kind::Text => read_as != ReadAs::Bool,
            _ => true,
        };
        let fits = fits
            && match self.target.format {
                Some(Format::Decimal) => matches!(read_as, ReadAs::Decimal | ReadAs::Money | ReadAs::Integer),
                Some(Format::Date) => read_as == ReadAs::Date,
                Some(Format::DateTime) => matches!(read_as, ReadAs::DateTime | ReadAs::Date),
                _ => true,
            };
        if !fits {
            let what = kind_name(self.target.kind);
            let message = format!("`{}` is {what} in the contract, and cannot be written from {read_as}", self.full);
            self.problem(&line.span, message);
            return None;
        }
        if read_as == ReadAs::Bool {
            let flags = self.compiler.defaults.bool.clone();
            let convert = convert(ReadAs::Bool, line, self.compiler.defaults, &mut self.compiler.problems)?;
            let entries = flags.into_iter().map(|(_, value)| self.entry(Known::Bool(value))).collect();
            return Some((convert, Some(entries)));
        }
        if read_as == ReadAs::Text
            && let Some(choices) = self.closed_list()
        {
            let entries = choices.texts.iter().map(|text| self.entry(Known::Text(text.as_str().into()))).collect();
            return Some((Convert::Choice(Arc::new(choices)), Some(entries)));
        }
        Some((convert(read_as, line, self.compiler.defaults, &mut self.compiler.problems)?, None))
    }

    /// The texts that the field may have in any of its variants, if each has a closed list of the contract's own.
    fn closed_list(&self) -> Option<Choices> {
        let mut texts: Vec<String> = Vec::new();
        let mut name = String::new();
        for constraint in &self.target.constraints {
            let list = constraint.values.as_ref().filter(|list| !list.tenant_list)?;
            name.clone_from(&list.name);
            texts.extend(list.values.iter().filter(|value| !texts.contains(value)).cloned().collect::<Vec<_>>());
        }
        (!texts.is_empty()).then(|| Choices::new(name, texts))
    }

    fn lookup_entries(&mut self, lookup: &Lookup, column: usize, line: &Line) -> Option<Vec<Entry>> {
        if lookup.rows.len() > usize::from(u16::MAX) - 8 {
            self.problem(&line.span, format!("lookup `{}` has more than 65,000 rows", lookup.name));
            return None;
        }
        let mut entries = Vec::with_capacity(lookup.rows.len());
        for row in &lookup.rows {
            let text = &row[column];
            if text.is_empty() {
                entries.push(Entry {
                    value: None,
                    json: Vec::new().into(),
                    verdicts: vec![None; self.target.constraints.len()],
                });
                continue;
            }
            match self.known(text) {
                Ok(value) => entries.push(self.entry(value)),
                Err(expected) => {
                    let span = line.lookup.as_ref().map_or(&line.span, |(_, span)| span);
                    let message = format!(
                        "code `{}` of lookup `{}` gives `{text}` for `{}`: expected {expected}",
                        row[0], lookup.name, self.full
                    );
                    self.problem(span, message);
                    return None;
                }
            }
        }
        Some(entries)
    }

    /// What a blank cell becomes, as it is stored; where codes are stored, it is one more of `entries`.
    fn empty(
        &mut self,
        line: &Line,
        convert: &Convert,
        entries: &mut Option<Vec<Entry>>,
    ) -> Result<Option<Box<str>>, ()> {
        let Some((text, span)) = &line.empty else { return Ok(None) };
        let written = match (entries, convert) {
            (Some(entries), _) => match self.known(text) {
                Ok(value) => {
                    entries.push(self.entry(value));
                    Ok(())
                }
                Err(expected) => Err(format!("`empty` does not fit `{}`: expected {expected}", self.full)),
            },
            (None, Convert::Text) => Ok(()),
            (None, _) => Err("`empty` is for texts and codes; `default` is what a blank cell is read as".to_owned()),
        };
        written.map(|()| Some(text.as_str().into())).map_err(|message| self.problem(span, message))
    }

    fn constant(&mut self, scalar: &Scalar, line: &Line) -> Option<Entry> {
        let text = match scalar {
            Scalar::Text(text) => text.clone(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Bool(value) => value.to_string(),
        };
        let written = match scalar {
            Scalar::Text(_) => matches!(self.target.kind, Kind::Text | Kind::Any),
            Scalar::Integer(_) => matches!(self.target.kind, Kind::Integer | Kind::Any),
            Scalar::Bool(_) => matches!(self.target.kind, Kind::Boolean | Kind::Any),
        };
        let value = match (self.target.kind, scalar) {
            (Kind::Any, Scalar::Integer(value)) => Ok(Known::Integer(*value)),
            (Kind::Any, Scalar::Bool(value)) => Ok(Known::Bool(*value)),
            _ if !written => Err(kind_name(self.target.kind).to_owned()),
            _ => self.known(&text),
        };
        match value {
            Ok(value) => {
                let entry = self.entry(value);
                // What one variant takes may be meant for it alone; whether each record is of it shows in the build.
                let is_refused = |violation: &&Violation| violation.severity == Severity::Error;
                let refused: Vec<&Violation> = entry.verdicts.iter().flatten().filter(is_refused).collect();
                if let Some(violation) = refused.first().filter(|_| refused.len() == entry.verdicts.len()) {
                    let message = format!("`{}` does not take this value: expected {}", self.full, violation.expected);
                    self.problem(&line.span, message);
                }
                Some(entry)
            }
            Err(expected) => {
                self.problem(&line.span, format!("`{}` does not take this value: expected {expected}", self.full));
                None
            }
        }
    }

    /// The value that `text`, written as in the payload, is for the target field; else what was expected.
    fn known(&self, text: &str) -> Result<Known, String> {
        let date = || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
        match (self.target.kind, self.target.format) {
            (Kind::Integer, _) => text.parse().map(Known::Integer).map_err(|_| "a whole number".into()),
            (Kind::Boolean, _) => text.parse().map(Known::Bool).map_err(|_| "true or false".into()),
            (_, _) if text.is_empty() => Ok(Known::Text(Box::default())),
            (Kind::Text, Some(Format::Decimal)) => {
                let plain = value::Scale { shift: 0, places: None };
                match Convert::Decimal(plain).read(text.as_bytes()) {
                    Ok(Cell::Number(packed)) => {
                        let (unscaled, scale) = plain.unpack(packed);
                        Ok(Known::Decimal(Decimal::new(unscaled, scale)))
                    }
                    _ => Err("a decimal number".into()),
                }
            }
            (Kind::Text, Some(Format::Date)) => date().map(Known::Date).map_err(|_| "a date as YYYY-MM-DD".into()),
            (Kind::Text, Some(Format::DateTime)) => match (chrono::DateTime::parse_from_rfc3339(text), date()) {
                (Ok(instant), _) => Ok(Known::DateTime(instant.to_utc())),
                (_, Ok(date)) => Ok(Known::Date(date)),
                _ => Err("a date and time as YYYY-MM-DDTHH:MM:SSZ".into()),
            },
            _ => Ok(Known::Text(text.into())),
        }
    }

    /// `value` rendered, and judged by each of the field's constraints.
    fn entry(&mut self, value: Known) -> Entry {
        let mut json = Vec::new();
        match &value {
            Known::Text(text) => render::push_string(&mut json, text.as_bytes()),
            Known::Integer(number) => render::push_integer(&mut json, *number),
            Known::Bool(flag) => json.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Known::Date(date) => render::push_date(&mut json, value::days(*date)),
            Known::DateTime(instant) => render::push_datetime(&mut json, instant.timestamp()),
            Known::Decimal(decimal) => render::push_string(&mut json, decimal.to_string().as_bytes()),
        }
        let judge = |constraint: &Constraint| match &value {
            Known::Text(text) => constraint.check_text(text),
            Known::Integer(number) => constraint.check_integer(*number),
            Known::Decimal(decimal) => i64::try_from(decimal.mantissa())
                .map_or(Ok(()), |unscaled| constraint.check_decimal(unscaled, decimal.scale())),
            _ => Ok(()),
        };
        let verdicts: Vec<_> = self.target.constraints.iter().map(|constraint| judge(constraint).err()).collect();
        if verdicts.iter().flatten().any(|violation| violation.severity == Severity::Notice) {
            self.compiler.unlisted.push(self.full.to_owned());
        }
        Entry { value: Some(value), json: json.into(), verdicts }
    }

    fn problem(&mut self, span: &super::model::Span, message: String) {
        let problems: &mut Problems = &mut self.compiler.problems;
        problems.add(span, message, None);
    }
}
