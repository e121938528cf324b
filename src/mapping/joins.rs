//! Joins, resolved: which record of another table a record finds, and what it takes of it.

use super::columns::{TableCompiler, column_line};
use super::document::{Problems, did_you_mean};
use super::model::{Join, Source, Span, Valid};
use super::plan::{Input, Origin, Test};
use super::reshape::{JoinPlan, ValidPlan};
use super::value::DateFormat;
use super::word::Codes;

impl TableCompiler<'_> {
    /// The cell that `join` takes.
    pub(super) fn joined(&self, join: &Join) -> Option<(Input, Vec<usize>)> {
        let joins = &self.plan.reshape.as_ref()?.joins;
        let number = joins.iter().position(|known| known.spec == *join)?;
        let take = joins[number].names.iter().position(|name| *name == join.take.0)?;
        let read = self.plan.reads.iter().position(|column| column.origin == Origin::Joined(number, take))?;
        Some((Input::Joined(read), joins[number].columns.clone()))
    }

    /// Resolves the joins of the declared columns; `above` are the tables before this one.
    pub(super) fn compile_joins(&mut self, above: &mut [Self], problems: &mut Problems) {
        // A join may compare what another has found: as many rounds as there are columns settle all.
        let joins = self.table.columns.values().filter_map(|line| match &line.source {
            Source::Joined(join) => Some(&**join),
            _ => None,
        });
        let mut waiting: Vec<&Join> = joins.collect();
        while !waiting.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|join| self.is_ready(join));
            if ready.is_empty() {
                problems.add(&later[0].span, "these joins compare what each other finds, in a circle", None);
                return;
            }
            for join in ready {
                self.join(join, above, problems);
            }
            waiting = later;
        }
    }

    /// Whether everything that `join` compares is known.
    fn is_ready(&self, join: &Join) -> bool {
        let own = join.by.iter().map(|(_, own)| own).chain(join.valid.iter().map(|valid| &valid.on.0));
        own.filter_map(|name| self.table.columns.get(name)).all(|line| match &line.source {
            Source::Joined(join) => self.joined(join).is_some(),
            _ => true,
        })
    }

    /// Resolves `join`.
    pub(super) fn join(&mut self, join: &Join, above: &mut [Self], problems: &mut Problems) -> Option<()> {
        let (take, span) = &join.take;
        let Some(number) = above.iter().position(|table| table.name() == join.table.0) else {
            let help = did_you_mean(&join.table.0, self.mapping.tables.keys().map(String::as_str));
            let message = format!("no table `{}` that could be joined here", join.table.0);
            problems.add(&join.table.1, message, help);
            return None;
        };
        let theirs = &mut above[number];
        theirs.plan.is_joined = true;
        let take_input = theirs.plain_input(take, span, problems)?;
        let joins = self.plan.reshape.get_or_insert_default();
        let known = joins.joins.iter().position(|known| known.spec == *join);
        let at = match known {
            Some(at) => at,
            None => self.new_join(join, number, theirs, problems)?,
        };
        let plan = &mut self.plan.reshape.get_or_insert_default().joins[at];
        let place = plan.names.iter().position(|name| name == take).unwrap_or_else(|| {
            plan.names.push(take.clone());
            plan.takes.push(take_input);
            plan.names.len() - 1
        });
        self.read_from(&format!("{}.{take}", join.table.0), Origin::Joined(at, place), span);
        Some(())
    }

    fn new_join(&mut self, join: &Join, table: usize, theirs: &mut Self, problems: &mut Problems) -> Option<usize> {
        let (mut own, mut others, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for (their_name, own_name) in &join.by {
            others.push(theirs.plain_input(their_name, &join.span, problems)?);
            let (input, behind) = self.input(own_name, &join.span, problems)?;
            own.push(Self::without_template(input, own_name, &join.span, problems)?);
            columns.extend(behind);
        }
        let mut filter = Vec::new();
        for condition in &join.filter {
            let input = theirs.plain_input(&condition.column, &condition.span, problems)?;
            filter.push(Test { input, texts: Codes::new(&condition.texts), negated: condition.negated });
        }
        let valid = match &join.valid {
            Some(valid) => Some(self.valid(valid, theirs, &mut columns, problems)?),
            None => None,
        };
        columns.sort_unstable();
        columns.dedup();
        let joins = &mut self.plan.reshape.get_or_insert_default().joins;
        joins.push(JoinPlan {
            table,
            own,
            theirs: others,
            filter,
            valid,
            takes: Vec::new(),
            may_miss: join.may_miss,
            spec: join.clone(),
            names: Vec::new(),
            columns,
        });
        Some(joins.len() - 1)
    }

    fn valid(
        &mut self,
        valid: &Valid,
        theirs: &mut Self,
        columns: &mut Vec<usize>,
        problems: &mut Problems,
    ) -> Option<ValidPlan> {
        let (on, behind) = self.input(&valid.on.0, &valid.on.1, problems)?;
        columns.extend(behind);
        let on = Self::without_template(on, &valid.on.0, &valid.on.1, problems)?;
        let their_day = |theirs: &mut Self, (name, span): &(String, Span), problems: &mut Problems| {
            Some((theirs.plain_input(name, span, problems)?, theirs.date_format(name, span, problems)?))
        };
        Some(ValidPlan {
            on: (on, self.date_format(&valid.on.0, &valid.on.1, problems)?),
            from: their_day(theirs, &valid.from, problems)?,
            to: their_day(theirs, &valid.to, problems)?,
            exclusive: valid.exclusive,
        })
    }

    /// How the dates in column `name` are written.
    fn date_format(&self, name: &str, span: &Span, problems: &mut Problems) -> Option<DateFormat> {
        let line = self.merged(&column_line(name, span), problems)?;
        let pattern = line.format.as_deref().unwrap_or(&self.defaults.date);
        DateFormat::new(pattern, false).map_err(|message| problems.add(span, message, None)).ok()
    }

    /// The text of a column that can be had from a record alone.
    fn plain_input(&mut self, name: &str, span: &Span, problems: &mut Problems) -> Option<Input> {
        let (input, _) = self.input(name, span, problems)?;
        Self::without_template(input, name, span, problems)
    }

    /// `input`, unless it takes more than a record to have it.
    fn without_template(input: Input, name: &str, span: &Span, problems: &mut Problems) -> Option<Input> {
        if input.is_made() {
            let message = format!("a join compares and takes columns and pieces of them, and `{name}` is an `expr`");
            problems.add(span, message, None);
            return None;
        }
        Some(input)
    }
}
