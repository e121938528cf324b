//! From [`Mapping`] to [`Plan`]: names resolved against the contract, conversions chosen, constants rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::columns::TableCompiler;
use super::document::{Problem, Problems, did_you_mean};
use super::fields;
use super::measure::Measures;
use super::model::{Entity, Join, Mapping, Source, Span, Table};
use super::plan::{Case, Discriminator, EntityPlan, Item, Plan, TablePlan, Unmapped};
use super::read::Defaults;
use super::render::json_key;
use super::reshape;
use crate::contract::{Contract, Field as ContractField, Kind, Pick};

/// Resolves `mapping` against `contract`.
pub(super) fn compile(mapping: &Mapping, defaults: &Defaults, contract: &Arc<Contract>) -> Result<Plan, Vec<Problem>> {
    let mut compiler = Compiler {
        mapping,
        defaults,
        contract,
        problems: Problems::new(&mapping.file, &mapping.text),
        tables: Vec::new(),
        discriminators: Vec::new(),
        unlisted: Vec::new(),
    };
    compiler.check_paths();
    reshape::check(mapping, &mut compiler.problems);
    if !compiler.problems.is_empty() {
        return Err(compiler.problems.into_sorted());
    }
    let order = compiler.entity_order();
    compiler.order_tables(&order);
    compiler.find_discriminators(&order);
    let entities = compiler.compile_entities(&order);
    if !compiler.problems.is_empty() {
        return Err(compiler.problems.into_sorted());
    }
    let mut unlisted = compiler.unlisted;
    unlisted.sort();
    unlisted.dedup();
    let mut plan = Plan {
        tables: compiler.tables.into_iter().map(TableCompiler::finish).collect::<Vec<TablePlan>>(),
        entities,
        discriminators: compiler.discriminators,
        contract: contract.clone(),
        unlisted,
        lookups: mapping.lookups.keys().cloned().collect(),
        measures: Measures::default(),
        file: mapping.file.clone(),
        text: mapping.text.clone(),
    };
    Measures::add_to(&mut plan);
    Ok(plan)
}

pub(super) struct Compiler<'m> {
    pub(super) mapping: &'m Mapping,
    pub(super) defaults: &'m Defaults,
    pub(super) contract: &'m Arc<Contract>,
    pub(super) problems: Problems,
    pub(super) tables: Vec<TableCompiler<'m>>,
    pub(super) discriminators: Vec<Discriminator>,
    pub(super) unlisted: Vec<String>,
}

impl<'m> Compiler<'m> {
    /// Every entity is a node of the contract, every table is there, the account has its name.
    fn check_paths(&mut self) {
        for entity in &self.mapping.entities {
            if !self.mapping.tables.contains_key(&entity.table.0) {
                let help = did_you_mean(&entity.table.0, self.mapping.tables.keys().map(String::as_str));
                self.problems.add(&entity.table.1, format!("no table `{}` in this mapping", entity.table.0), help);
            }
            if entity.path.is_empty() {
                self.check_account(entity);
                continue;
            }
            match self.contract.field(&entity.path) {
                None => {
                    no_such_field(self.contract, &entity.path, &entity.span, &mut self.problems);
                }
                Some(field) => {
                    let fits = match field.kind {
                        Kind::Object | Kind::ObjectList => entity.value.is_none(),
                        Kind::TextList => entity.value.is_some(),
                        _ => false,
                    };
                    if !fits {
                        let message = format!("`{}` is {} in the contract", entity.path, kind_name(field.kind));
                        let help = "an entity is an object, a list of objects (`fields`) or a list of texts (`value`)";
                        self.problems.add(&entity.span, message, Some(help.into()));
                    }
                }
            }
            if entity.parent.is_empty() {
                let help = "name the columns that hold the key of the enclosing entity's table";
                self.problems.add(&entity.span, "`parent` is missing here", Some(help.into()));
            }
        }
        let used = self.used_tables();
        for table in self.mapping.tables.values().filter(|table| !used.contains(table.name.as_str())) {
            self.problems.add(
                &table.span,
                format!("no entity uses table `{}`, and no table joins it", table.name),
                None,
            );
        }
    }

    fn check_account(&mut self, account: &Entity) {
        for name in ["import_supplier", "external_account_number"] {
            if !account.fields.iter().any(|field| field.target == name) {
                let help = "the target knows an account by its import_supplier and external_account_number";
                self.problems.add(&account.span, format!("[account.fields] has no `{name}`"), Some(help.into()));
            }
        }
    }

    /// The entities, each after the one that encloses it; siblings by path.
    fn entity_order(&self) -> Vec<&'m Entity> {
        let mut order: Vec<&Entity> = self.mapping.entities.iter().collect();
        order.sort_by(|a, b| a.path.split('.').cmp(b.path.split('.')));
        if let Some(root) = order.iter().position(|entity| entity.path.is_empty()) {
            order.swap(0, root);
            order[1..].sort_by(|a, b| a.path.split('.').cmp(b.path.split('.')));
        }
        order
    }

    /// Numbers the tables so that a parent's table comes before its children's.
    fn order_tables(&mut self, order: &[&'m Entity]) {
        let mut depth: BTreeMap<&str, usize> = self.used_tables().into_iter().map(|name| (name, 0)).collect();
        // As many rounds as there are tables settle every depth; one more would mean a circle.
        for round in 0..=self.mapping.tables.len() {
            let mut changed = false;
            for entity in order {
                let above = enclosing(order, &entity.path).map_or(0, |at| {
                    let parent = order[at].table.0.as_str();
                    if parent == entity.table.0 { 0 } else { depth.get(parent).copied().unwrap_or(0) + 1 }
                });
                let own = depth.entry(&entity.table.0).or_insert(0);
                if above > *own {
                    *own = above;
                    changed = true;
                }
            }
            let names: Vec<&str> = depth.keys().copied().collect();
            for table in names.iter().filter_map(|name| self.mapping.tables.get(*name)) {
                let below = joined(table).filter_map(|name| depth.get(name)).max().map_or(0, |deepest| deepest + 1);
                if below > depth[table.name.as_str()] {
                    depth.insert(&table.name, below);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
            if round == self.mapping.tables.len() {
                let message = "the tables are each other's parents, or join each other, in a circle";
                self.problems.add(&(0..0), message, None);
            }
        }
        let mut names: Vec<(usize, &str)> = depth.into_iter().map(|(name, depth)| (depth, name)).collect();
        names.sort_unstable();
        for (_, name) in &names {
            let table = &self.mapping.tables[*name];
            let of = table.layout.of.as_ref().and_then(|(of, _)| names.iter().position(|(_, name)| name == of));
            let mut table = TableCompiler::new(table, of, self.mapping, self.defaults);
            table.compile_joins(&mut self.tables, &mut self.problems);
            table.compile_key(self.defaults, &mut self.problems);
            self.tables.push(table);
        }
    }

    /// Finds the nodes whose variants the mapping decides, and numbers them.
    fn find_discriminators(&mut self, order: &[&'m Entity]) {
        for entity in order {
            let Some(node) = self.contract.field(&entity.path) else { continue };
            let Some(discriminator) = &node.discriminator else { continue };
            if entity.fields.iter().any(|field| field.target == discriminator.field) {
                let values = discriminator.values.clone();
                self.discriminators.push(Discriminator { node: node.path.clone(), values });
            }
        }
    }

    fn compile_entities(&mut self, order: &[&'m Entity]) -> Vec<EntityPlan> {
        let mut plans: Vec<EntityPlan> = Vec::with_capacity(order.len());
        for (number, entity) in order.iter().enumerate() {
            let parent = (number > 0).then(|| enclosing(order, &entity.path).unwrap_or(0));
            let plan = self.compile_entity(entity, parent.map(|parent| (parent, order[parent])));
            if let Some(parent) = parent {
                plans[parent].children.push(number);
            }
            plans.push(plan);
        }
        for number in 0..plans.len() {
            self.lay_out(&mut plans, number);
        }
        plans
    }

    fn compile_entity(&mut self, entity: &'m Entity, parent: Option<(usize, &'m Entity)>) -> EntityPlan {
        let table = self.table_number(&entity.table.0);
        let link = parent.map(|(_, parent)| self.compile_link(entity, parent, table));
        let mut mask = 0;
        for condition in &entity.filter {
            mask |= self.tables[table].test(condition, &mut self.problems);
        }
        let node = self.contract.field(&entity.path);
        let mut plan = EntityPlan {
            path: entity.path.clone(),
            parent: parent.map(|(number, _)| number),
            children: Vec::new(),
            table,
            link,
            mask,
            is_list: node.is_none_or(|node| node.kind != Kind::Object),
            leaves: Vec::new(),
            order: Vec::new(),
            only_ordered: Vec::new(),
            fields: Vec::new(),
            layout: Vec::new(),
            scalar: None,
            decides: None,
            depends: self.depends(&entity.path),
            unmapped: Vec::new(),
        };
        fields::compile(self, entity, &mut plan);
        self.compile_order(entity, parent.map(|(_, parent)| parent), &mut plan);
        if let Some(discriminator) = node.and_then(|node| node.discriminator.as_ref()) {
            let field = plan.fields.iter().position(|field| field.path == discriminator.field);
            let number = self.discriminators.iter().position(|known| known.node == entity.path);
            plan.decides = number.zip(field);
        }
        plan
    }

    fn compile_link(&mut self, entity: &'m Entity, parent: &'m Entity, table: usize) -> usize {
        let parent_table = self.table_number(&parent.table.0);
        let key = &self.mapping.tables[&parent.table.0].key;
        if entity.valid.is_some() {
            return self.compile_valid_link(entity, (parent_table, key), table);
        }
        if key.is_empty() {
            let message = format!("table `{}` has no key, so `{}` cannot find its parent", parent.table.0, entity.path);
            let help = format!("give [tables.{}] a `key`", parent.table.0);
            self.problems.add(&entity.span, message, Some(help));
        } else if key.len() != entity.parent.len() {
            let names: Vec<&str> = key.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!(
                "`parent` names {} columns where the key of table `{}` has {} ({})",
                entity.parent.len(),
                parent.table.0,
                key.len(),
                names.join(", ")
            );
            let span = entity.parent.first().map_or(&entity.span, |(_, span)| span);
            self.problems.add(span, message, None);
        }
        self.tables[parent_table].mark_parent();
        self.tables[table].link(parent_table, &entity.parent, &mut self.problems)
    }

    /// The link to the parent that was valid on a day: the rest of its key is taken from the record that was.
    fn compile_valid_link(
        &mut self,
        entity: &'m Entity,
        (parent_table, key): (usize, &[(String, Span)]),
        table: usize,
    ) -> usize {
        let Some(valid) = entity.valid.clone() else { return 0 };
        let span = entity.parent.first().map_or(&entity.span, |(_, span)| span).clone();
        if entity.parent.len() >= key.len() || parent_table >= table {
            let message = format!(
                "with `valid`, `parent` names the first columns of the key of table `{}`, and not all {} of them",
                self.tables[parent_table].name(),
                key.len()
            );
            let help = "the rest of the key is that of the record that was valid";
            self.problems.add(&span, message, Some(help.into()));
            return 0;
        }
        let (first, rest) = key.split_at(entity.parent.len());
        let by: Vec<(String, String)> =
            first.iter().zip(&entity.parent).map(|((theirs, _), (own, _))| (theirs.clone(), own.clone())).collect();
        let name = (self.tables[parent_table].name().to_owned(), span.clone());
        let join = |take: &(String, Span)| Join {
            table: name.clone(),
            by: Vec::clone(&by),
            filter: Vec::new(),
            valid: Some(valid.clone()),
            may_miss: false,
            take: take.clone(),
            span: span.clone(),
        };
        let joins: Vec<Join> = rest.iter().map(join).collect();
        let (above, own) = self.tables.split_at_mut(table);
        for join in &joins {
            own[0].join(join, above, &mut self.problems);
        }
        above[parent_table].mark_parent();
        own[0].valid_link(parent_table, &entity.parent, &joins, &mut self.problems)
    }

    fn compile_order(&mut self, entity: &'m Entity, parent: Option<&Entity>, plan: &mut EntityPlan) {
        let written = plan.leaves.len();
        let table = &mut self.tables[plan.table];
        for by in &entity.order {
            if let Some(leaf) = table.order_leaf(&by.column, &by.span, self.defaults, &mut self.problems) {
                plan.order.push((use_leaf(&mut plan.leaves, leaf), by.descending));
            }
        }
        // Ties go by key; a key column that is the same for all children of a parent decides nothing.
        let key = &self.mapping.tables[&entity.table.0].key;
        let fixed = |name: &str| {
            let one = |c: &super::model::Condition| c.column == name && !c.negated && c.texts.len() == 1;
            entity.order.iter().any(|by| by.column == name)
                || parent.is_some() && entity.parent.iter().any(|(column, _)| column == name)
                || entity.filter.iter().any(one)
        };
        for (name, span) in key.iter().filter(|(name, _)| !fixed(name)) {
            if let Some(leaf) = table.order_leaf(name, span, self.defaults, &mut self.problems) {
                plan.order.push((use_leaf(&mut plan.leaves, leaf), false));
            }
        }
        plan.only_ordered = (written..plan.leaves.len())
            .filter_map(|at| Some((at, table.leaf_columns(plan.leaves[at]).into_iter().next()?)))
            .collect();
    }

    /// The tables that entities are made of, and those that these need.
    fn used_tables(&self) -> BTreeSet<&'m str> {
        let mut used = BTreeSet::new();
        let mut waiting: Vec<&str> = self.mapping.entities.iter().map(|entity| entity.table.0.as_str()).collect();
        while let Some(name) = waiting.pop() {
            if let Some(table) = self.mapping.tables.get(name)
                && used.insert(table.name.as_str())
            {
                waiting.extend(sources(table));
            }
        }
        used
    }

    pub(super) fn table_number(&self, name: &str) -> usize {
        self.tables.iter().position(|table| table.name() == name).unwrap_or(0)
    }

    /// The discriminators that decide about fields of the entity at `path`, by number.
    fn depends(&self, path: &str) -> Vec<usize> {
        let within = |node: &str| node == path || path.strip_prefix(node).is_some_and(|rest| rest.starts_with('.'));
        (0..self.discriminators.len()).filter(|at| within(&self.discriminators[*at].node)).collect()
    }

    /// Calls `each` for every case of the entity's variants, in the order of [`EntityPlan::case`].
    fn pick_cases<'f>(&self, depends: &[usize], field: &'f ContractField) -> Vec<Pick<'f>> {
        let radix = |at: &usize| self.discriminators[*at].values.len() + 1;
        let total: usize = depends.iter().map(radix).product();
        (0..total)
            .map(|mut case| {
                let mut chosen = vec![0; depends.len()];
                for (slot, at) in chosen.iter_mut().zip(depends).rev() {
                    *slot = case % radix(at);
                    case /= radix(at);
                }
                field.pick(|node| {
                    let slot = depends.iter().position(|at| self.discriminators[*at].node == node)?;
                    let value = chosen[slot].checked_sub(1)?;
                    Some(self.discriminators[depends[slot]].values[value].as_str())
                })
            })
            .collect()
    }

    /// What holds for `field` in every case; its different constraints are gathered in `constraints`.
    pub(super) fn cases(
        &self,
        depends: &[usize],
        field: &ContractField,
        constraints: &mut Vec<crate::contract::Constraint>,
    ) -> Vec<Case> {
        let mut seen: Vec<*const crate::contract::Constraint> = Vec::new();
        self.pick_cases(depends, field)
            .into_iter()
            .map(|pick| match pick {
                Pick::Foreign => Case::Foreign,
                Pick::Undecided => Case::Open,
                Pick::Constraint(constraint) => {
                    let number = seen.iter().position(|known| std::ptr::eq(*known, constraint)).unwrap_or_else(|| {
                        seen.push(constraint);
                        constraints.push(constraint.clone());
                        seen.len() - 1
                    });
                    Case::Held { constraint: number, required: constraint.required }
                }
            })
            .collect()
    }

    /// Writes the layout of entity `number`: its fields and child entities as one tree, keys in byte order.
    fn lay_out(&self, plans: &mut [EntityPlan], number: usize) {
        let mut tree = Branch::default();
        for (at, field) in plans[number].fields.iter().enumerate() {
            if plans[number].scalar.is_none() {
                tree.put(&field.path, Twig::Field(at));
            }
        }
        for &child in &plans[number].children {
            let below = plans[child].path[plans[number].path.len()..].trim_start_matches('.');
            tree.put(below, Twig::Entity(child));
        }
        let depends = plans[number].depends.clone();
        let mut unmapped = Vec::new();
        let layout = self.items(&tree, "", plans, number, &mut unmapped);
        let cases: usize = depends.iter().map(|at| self.discriminators[*at].values.len() + 1).product();
        plans[number].unmapped = vec![Vec::new(); cases];
        for (case, missing) in unmapped {
            plans[number].unmapped[case].push(missing);
        }
        plans[number].layout = layout;
    }

    fn items(
        &self,
        branch: &Branch,
        object: &str,
        plans: &[EntityPlan],
        number: usize,
        unmapped: &mut Vec<(usize, Unmapped)>,
    ) -> Vec<Item> {
        let plan = &plans[number];
        let join = |name: &str| {
            [plan.path.as_str(), object, name]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(".")
        };
        if plan.scalar.is_none() {
            for field in self.contract.children(&join("")) {
                if !branch.twigs.contains_key(field.leaf()) {
                    for (case, pick) in self.pick_cases(&plan.depends, field).into_iter().enumerate() {
                        if matches!(pick, Pick::Constraint(constraint) if constraint.required) {
                            unmapped.push((case, Unmapped { object: object.into(), name: field.leaf().into() }));
                        }
                    }
                }
            }
        }
        let mut items = Vec::new();
        for (name, twig) in &branch.twigs {
            let key = json_key(name);
            items.push(match twig {
                Twig::Field(field) => Item::Field { key, field: *field },
                Twig::Entity(entity) => {
                    let required = self.contract.field(&join(name)).map_or_else(Vec::new, |field| {
                        let required = |pick| matches!(pick, Pick::Constraint(c) if c.required);
                        self.pick_cases(&plan.depends, field).into_iter().map(required).collect()
                    });
                    Item::Children { key, entity: *entity, required }
                }
                Twig::Branch(inner) => {
                    let path = if object.is_empty() { name.clone() } else { format!("{object}.{name}") };
                    let items = self.items(inner, &path, plans, number, unmapped);
                    Item::Object { key, path, items, keyed: inner.keyed.clone() }
                }
            });
        }
        items
    }
}

/// An object being laid out.
#[derive(Default)]
struct Branch {
    twigs: BTreeMap<String, Twig>,
    keyed: Vec<usize>,
}

enum Twig {
    Field(usize),
    Entity(usize),
    Branch(Branch),
}

impl Branch {
    fn put(&mut self, path: &str, twig: Twig) {
        match path.split_once('.') {
            Some((name, rest)) => {
                let inner = self.twigs.entry(name.to_owned()).or_insert_with(|| Twig::Branch(Self::default()));
                if let Twig::Branch(inner) = inner {
                    inner.put(rest, twig);
                }
            }
            None => match twig {
                Twig::Field(field) if path.starts_with('{') => self.keyed.push(field),
                twig => {
                    self.twigs.insert(path.to_owned(), twig);
                }
            },
        }
    }
}

/// The tables whose records `table` needs: those it is made of, and those it joins.
fn sources(table: &Table) -> impl Iterator<Item = &str> {
    joined(table).chain(table.layout.of.iter().map(|(name, _)| name.as_str()))
}

/// The tables that `table` joins.
fn joined(table: &Table) -> impl Iterator<Item = &str> {
    table.columns.values().filter_map(|line| match &line.source {
        Source::Joined(join) => Some(join.table.0.as_str()),
        _ => None,
    })
}

/// The nearest entity in `order` that encloses `path`, by number.
fn enclosing(order: &[&Entity], path: &str) -> Option<usize> {
    let mut above = path;
    while !above.is_empty() {
        above = above.rsplit_once('.').map_or("", |(above, _)| above);
        if let Some(at) = order.iter().position(|entity| entity.path == above) {
            return Some(at);
        }
    }
    None
}

/// The number of table leaf `leaf` among an entity's.
pub(super) fn use_leaf(leaves: &mut Vec<usize>, leaf: usize) -> usize {
    leaves.iter().position(|known| *known == leaf).unwrap_or_else(|| {
        leaves.push(leaf);
        leaves.len() - 1
    })
}

pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::ObjectList => "a list of objects",
        Kind::TextList => "a list of texts",
        Kind::Text => "a text",
        Kind::Integer => "a whole number",
        Kind::Boolean => "a flag",
        Kind::Any => "any value",
    }
}

pub(super) fn no_such_field(contract: &Contract, path: &str, span: &Span, problems: &mut Problems) {
    problems.add(span, format!("the contract has no `{path}`"), Some(meant(contract, path)));
}

/// The path that may have been meant instead of `path`, or where all of them are told.
fn meant(contract: &Contract, path: &str) -> String {
    let near = contract.nearest(path).map(|near| format!("did you mean `{near}`?"));
    near.unwrap_or_else(|| "`slipway schema contract` lists every field".to_owned())
}
