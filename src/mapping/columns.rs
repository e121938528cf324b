//! The columns of one table, resolved: what is read of its files, and which columns are made from that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Problems, did_you_mean};
use super::lookup::Lookup;
use super::model::{Condition, Join, Line, Mapping, ReadAs, Source, Span, Table, Unit};
use super::number::NumberStyle;
use super::plan::{Input, Leaf, Link, Origin, ReadColumn, TESTS_MAX, TablePlan, Template, Test};
use super::read::Defaults;
use super::reshape::{Reshape, base_of};
use super::value::{Choices, Convert, DateFormat, Scale};
use super::word::Codes;

/// Gathers what the mapping asks of one table.
pub(super) struct TableCompiler<'m> {
    pub(super) table: &'m Table,
    pub(super) mapping: &'m Mapping,
    pub(super) defaults: &'m Defaults,
    pub(super) plan: TablePlan,
    /// How many declared columns are being resolved, one within the other.
    depth: usize,
}

/// The most digits after the point; the rest of a number's 17 stand before it.
const PLACES_MAX: u32 = 12;

/// Declared columns may name declared columns; this deep, and no deeper.
const DECLARED_DEPTH_MAX: usize = 8;

impl<'m> TableCompiler<'m> {
    /// A table; `of` is the number of the one of whose records its rows are made.
    pub(super) fn new(table: &'m Table, of: Option<usize>, mapping: &'m Mapping, defaults: &'m Defaults) -> Self {
        let base = base_of(table, mapping);
        let plan = TablePlan {
            name: table.name.as_str().into(),
            files: base.files.clone(),
            dialect: base.dialect.clone(),
            header: base.layout.header.clone(),
            of,
            reshape: Reshape::of(table, mapping, defaults.style.style()),
            has_entities: mapping.entities.iter().any(|entity| entity.table.0 == table.name),
            is_joined: false,
            on_lost: table.on_lost,
            rest: table.rest,
            reads: Vec::new(),
            unused: table.unused.clone(),
            declared: table.columns.keys().cloned().collect(),
            templates: Vec::new(),
            leaves: Vec::new(),
            tests: Vec::new(),
            key: Vec::new(),
            key_columns: Vec::new(),
            links: Vec::new(),
            is_parent: false,
            money: Vec::new(),
            span: table.span.clone(),
        };
        Self { table, mapping, defaults, plan, depth: 0 }
    }

    pub(super) fn name(&self) -> &str {
        &self.table.name
    }

    pub(super) fn finish(self) -> TablePlan {
        self.plan
    }

    pub(super) fn mark_parent(&mut self) {
        self.plan.is_parent = true;
    }

    /// Resolves the key, the declared columns and those that may hold line breaks, so that none is wrong unseen.
    pub(super) fn compile_key(&mut self, defaults: &Defaults, problems: &mut Problems) {
        for (name, span) in &self.table.dialect.multiline {
            self.read(name, span);
        }
        for (name, line) in &self.table.columns {
            if self.input(name, &line.span, problems).is_some()
                && let Some(read_as) = line.read_as
            {
                convert(read_as, line, defaults, problems);
            }
        }
        for (name, span) in &self.table.key {
            if let Some((input, columns)) = self.input(name, span, problems) {
                self.plan.key.push(input);
                self.plan.key_columns.extend(columns);
            }
        }
    }

    /// The names of the source columns `numbers`.
    pub(super) fn column_names(&self, numbers: &[usize]) -> Vec<Arc<str>> {
        numbers.iter().map(|number| self.plan.reads[*number].name.clone()).collect()
    }

    /// The names of the source columns that a leaf reads.
    pub(super) fn leaf_columns(&self, leaf: usize) -> Vec<Arc<str>> {
        self.column_names(&self.plan.leaves[leaf].columns)
    }

    fn read(&mut self, name: &str, span: &Span) -> usize {
        let repeated =
            self.plan.reshape.as_ref().and_then(|shape| shape.repeated.iter().position(|known| known == name));
        self.read_from(name, repeated.map_or(Origin::Header, Origin::Repeated), span)
    }

    pub(super) fn read_from(&mut self, name: &str, origin: Origin, span: &Span) -> usize {
        let known = self.plan.reads.iter().position(|column| column.origin == origin && *column.name == *name);
        known.unwrap_or_else(|| {
            self.plan.reads.push(ReadColumn { name: name.into(), origin, span: span.clone() });
            self.plan.reads.len() - 1
        })
    }

    /// The text of a source or declared column, and the source columns behind it.
    pub(super) fn input(&mut self, name: &str, span: &Span, problems: &mut Problems) -> Option<(Input, Vec<usize>)> {
        if !self.table.columns.contains_key(name) {
            return Some(self.cell(name, span));
        }
        if self.depth == DECLARED_DEPTH_MAX {
            problems.add(span, format!("declared columns name each other in a circle, `{name}` among them"), None);
            return None;
        }
        self.depth += 1;
        let found = self.declared(name, span, problems);
        self.depth -= 1;
        found
    }

    fn declared(&mut self, name: &str, span: &Span, problems: &mut Problems) -> Option<(Input, Vec<usize>)> {
        let line = self.merged(&column_line(name, span), problems)?;
        let (input, columns) = self.source(&line, problems)?;
        match self.lookup(&line, problems).ok()? {
            None => Some((input, columns)),
            Some((lookup, column)) => Some((Input::Lookup(Box::new(input), lookup, column), columns)),
        }
    }

    fn cell(&mut self, name: &str, span: &Span) -> (Input, Vec<usize>) {
        let number = self.read(name, span);
        (Input::Cell(number), vec![number])
    }

    /// `line` with whatever the declared column that it names says and it does not.
    pub(super) fn merged(&self, line: &Line, problems: &mut Problems) -> Option<Line> {
        let mut merged = line.clone();
        for _ in 0..DECLARED_DEPTH_MAX {
            let Source::Column(name) = &merged.source else { return Some(merged) };
            let Some(declared) = self.table.columns.get(name) else { return Some(merged) };
            let own_name = declared.source == Source::Column(name.clone());
            if merged.lookup.is_some() && declared.lookup.is_some() {
                problems.add(&line.span, format!("`{name}` is declared with a lookup already"), None);
                return None;
            }
            merged.source = declared.source.clone();
            merged.cuts = declared.cuts.iter().chain(&merged.cuts).cloned().collect();
            merged.style = merged.style.or(declared.style);
            // Whatever is wrong with a declared column is wrong where it is declared.
            merged.span = declared.span.clone();
            merged.read_as = merged.read_as.or(declared.read_as);
            if merged.lookup.is_none() {
                merged.lookup.clone_from(&declared.lookup);
                merged.take.clone_from(&declared.take);
            }
            merged.format = merged.format.or_else(|| declared.format.clone());
            merged.zone = merged.zone.or_else(|| declared.zone.clone());
            merged.ambiguous = merged.ambiguous.or(declared.ambiguous);
            merged.unit = merged.unit.or(declared.unit);
            merged.places = merged.places.or(declared.places);
            merged.empty = merged.empty.or_else(|| declared.empty.clone());
            merged.default = merged.default.or_else(|| declared.default.clone());
            if own_name {
                return Some(merged);
            }
        }
        problems.add(&line.span, "declared columns name each other in a circle", None);
        None
    }

    /// The text that `line` reads, before its lookup.
    pub(super) fn source(&mut self, line: &Line, problems: &mut Problems) -> Option<(Input, Vec<usize>)> {
        let (input, columns) = match &line.source {
            Source::Column(name) => self.cell(name, &line.span),
            Source::Template(text) => self.template(text, &line.span, problems)?,
            Source::Sides { debit, credit } => self.sides((debit, credit), line, problems)?,
            // A join that is not there was told when the table's joins were resolved.
            Source::Joined(join) => self.joined(join)?,
            Source::Constant(_) => {
                problems.add(&line.span, "a declared column reads a column, not a constant", None);
                return None;
            }
        };
        if line.cuts.is_empty() {
            return Some((input, columns));
        }
        Some((Input::Cut(Box::new(input), line.cuts.clone().into()), columns))
    }

    /// The amount of a column for debits and one for credits.
    fn sides(
        &mut self,
        (debit, credit): (&str, &str),
        line: &Line,
        problems: &mut Problems,
    ) -> Option<(Input, Vec<usize>)> {
        let (debit, mut columns) = self.input(debit, &line.span, problems)?;
        let (credit, others) = self.input(credit, &line.span, problems)?;
        columns.extend(others);
        let style = line.style.or(self.defaults.style).style();
        self.plan.templates.push(Template::Sides { debit, credit, style });
        Some((Input::Sides(self.plan.templates.len() - 1), columns))
    }

    fn template(&mut self, text: &str, span: &Span, problems: &mut Problems) -> Option<(Input, Vec<usize>)> {
        let mut environment = minijinja::Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        if let Err(error) = environment.add_template_owned("expr", text.to_owned()) {
            problems.add(span, format!("`expr` is no template: {error}"), None);
            return None;
        }
        let names = environment.get_template("expr").map(|template| template.undeclared_variables(false));
        let mut names: Vec<String> = names.into_iter().flatten().collect();
        names.sort();
        let (mut variables, mut columns) = (Vec::new(), Vec::new());
        for name in names {
            let (input, behind) = self.input(&name, span, problems)?;
            columns.extend(behind);
            variables.push((name, input));
        }
        let blank: BTreeMap<&str, &str> =
            variables.iter().map(|(name, _): &(String, Input)| (name.as_str(), "")).collect();
        if let Err(error) = environment.get_template("expr").and_then(|template| template.render(blank)) {
            problems.add(span, format!("`expr` cannot be rendered: {error}"), None);
            return None;
        }
        self.plan.templates.push(Template::Expression { environment: Box::new(environment), variables });
        Some((Input::Template(self.plan.templates.len() - 1), columns))
    }

    /// The lookup of `line`, if it has one, and the number of its value column. An error is told already.
    pub(super) fn lookup(&self, line: &Line, problems: &mut Problems) -> Result<Option<(Arc<Lookup>, usize)>, ()> {
        let Some((name, _)) = &line.lookup else { return Ok(None) };
        // A lookup that is not there has been told when the mapping was read.
        let lookup = self.mapping.lookups.get(name).ok_or(())?;
        let take = line.take.as_ref();
        if let Some(column) = lookup.value_column(take.map(|(name, _)| name.as_str())) {
            return Ok(Some((lookup.clone(), column)));
        }
        if let Some((take, span)) = take {
            let help = did_you_mean(take, lookup.columns.iter().map(String::as_str));
            problems.add(span, format!("lookup `{name}` has no column `{take}`"), help);
        }
        Err(())
    }

    /// The number of the leaf that is made in this way.
    pub(super) fn leaf(&mut self, leaf: Leaf) -> usize {
        let same = |known: &Leaf| {
            known.input == leaf.input
                && known.convert == leaf.convert
                && known.empty == leaf.empty
                && known.default == leaf.default
        };
        self.plan.leaves.iter().position(same).unwrap_or_else(|| {
            self.plan.leaves.push(leaf);
            self.plan.leaves.len() - 1
        })
    }

    /// The leaf by which `column` orders: dates and numbers by value, everything else by its bytes.
    pub(super) fn order_leaf(
        &mut self,
        column: &str,
        span: &Span,
        defaults: &Defaults,
        problems: &mut Problems,
    ) -> Option<usize> {
        let (input, columns) = self.input(column, span, problems)?;
        let declared = self.table.columns.contains_key(column);
        let line =
            if declared { self.merged(&column_line(column, span), problems)? } else { column_line(column, span) };
        let convert = match line.read_as {
            Some(read_as) if line.lookup.is_none() && read_as != ReadAs::Bool => {
                convert(read_as, &line, defaults, problems)?
            }
            _ => Convert::Text,
        };
        Some(self.leaf(Leaf { input, convert, empty: None, default: None, columns }))
    }

    /// The bit of `condition` in a record's mask.
    pub(super) fn test(&mut self, condition: &Condition, problems: &mut Problems) -> u32 {
        let Some((input, _)) = self.input(&condition.column, &condition.span, problems) else { return 0 };
        let test = Test { input, texts: Codes::new(&condition.texts), negated: condition.negated };
        let bit = self.plan.tests.iter().position(|known| *known == test).unwrap_or_else(|| {
            self.plan.tests.push(test);
            self.plan.tests.len() - 1
        });
        if bit >= TESTS_MAX {
            let message = format!("table `{}` has more than {TESTS_MAX} different conditions", self.plan.name);
            problems.add(&condition.span, message, None);
            return 0;
        }
        1 << bit
    }

    /// The number of the link to table `parent` through the columns `names`.
    pub(super) fn link(&mut self, parent: usize, names: &[(String, Span)], problems: &mut Problems) -> usize {
        let (mut inputs, mut columns) = (Vec::new(), Vec::new());
        for (name, span) in names {
            if let Some((input, behind)) = self.input(name, span, problems) {
                inputs.push(input);
                columns.extend(behind);
            }
        }
        self.add_link(Link { parent, inputs, columns })
    }

    /// The number of the link to the record of table `parent` whose key begins with the columns `names` and goes on with
    /// what `joins` take of it.
    pub(super) fn valid_link(
        &mut self,
        parent: usize,
        names: &[(String, Span)],
        joins: &[Join],
        problems: &mut Problems,
    ) -> usize {
        let (mut inputs, mut columns) = (Vec::new(), Vec::new());
        for (name, span) in names {
            inputs.extend(self.input(name, span, problems).map(|(input, _)| input));
        }
        for (input, behind) in joins.iter().filter_map(|join| self.joined(join)) {
            inputs.push(input);
            columns.extend(behind);
        }
        columns.sort_unstable();
        columns.dedup();
        self.add_link(Link { parent, inputs, columns })
    }

    fn add_link(&mut self, link: Link) -> usize {
        self.plan.links.iter().position(|known| *known == link).unwrap_or_else(|| {
            self.plan.links.push(link);
            self.plan.links.len() - 1
        })
    }
}

pub(super) fn column_line(name: &str, span: &Span) -> Line {
    super::read_line::plain_line(Source::Column(name.to_owned()), span.clone())
}

/// The conversion that `read_as` and the rest of `line` ask for.
pub(super) fn convert(read_as: ReadAs, line: &Line, defaults: &Defaults, problems: &mut Problems) -> Option<Convert> {
    let format = |default: &str, of: ReadAs, problems: &mut Problems| {
        let pattern = line.format.as_deref().unwrap_or(default);
        DateFormat::new(pattern, of == ReadAs::DateTime).map_err(|message| problems.add(&line.span, message, None)).ok()
    };
    let style = line.style.or(defaults.style).style();
    let written = |scale: Scale| {
        let scale = Scale { shift: scale.shift + style.implied, ..scale };
        // The two sides of an amount are rewritten before they are put together.
        let plain = style == NumberStyle::default() || matches!(line.source, Source::Sides { .. });
        if plain { Convert::Decimal(scale) } else { Convert::Styled(scale, style) }
    };
    if style.implied > PLACES_MAX {
        problems.add(&line.span, format!("`implied` is at most {PLACES_MAX}"), None);
        return None;
    }
    if line.places.is_some_and(|places| places > PLACES_MAX) {
        problems.add(&line.span, format!("`places` is at most {PLACES_MAX}"), None);
        return None;
    }
    Some(match read_as {
        ReadAs::Text => Convert::Text,
        ReadAs::Integer => Convert::Integer,
        ReadAs::Money if line.unit == Some(Unit::Pence) => {
            written(Scale { shift: 2, places: Some(line.places.unwrap_or(2)) })
        }
        ReadAs::Decimal | ReadAs::Money => written(Scale { shift: 0, places: line.places }),
        ReadAs::Date => Convert::Date(format(&defaults.date, ReadAs::Date, problems)?),
        ReadAs::DateTime => {
            let name = line.zone.as_deref().unwrap_or(&defaults.zone);
            let Ok(zone) = name.parse() else {
                problems.add(&line.span, format!("`{name}` is no time zone (an example: Europe/London)"), None);
                return None;
            };
            Convert::DateTime(
                format(&defaults.datetime, ReadAs::DateTime, problems)?,
                zone,
                line.ambiguous.unwrap_or_default(),
            )
        }
        ReadAs::Bool => {
            let texts = defaults.bool.iter().map(|(text, _)| text.clone()).collect();
            Convert::Choice(Arc::new(Choices::new("flag".into(), texts)))
        }
    })
}
