//! Files become tables; one of them holds the accounts, and the others hang below it as their references say.

use super::names::{MAYBE, likeness};
use crate::contract::{Contract, Field, Kind};
use crate::profile::{Column, FileProfile, Profile, RecordType};

/// A table of the mapping.
#[derive(Debug)]
pub(super) struct Table<'p> {
    /// Its name in the mapping.
    pub(super) name: String,
    /// A file name, or a pattern for several files of one header.
    pub(super) files: String,
    pub(super) file: &'p FileProfile,
    pub(super) records: &'p RecordType,
    /// The columns that name a record; empty if none was found.
    pub(super) key: Vec<String>,
}

/// A kind of object, and the table whose records become it.
#[derive(Debug)]
pub(super) struct Entity {
    /// Its path; empty for the account.
    pub(super) path: String,
    pub(super) table: usize,
    /// The column that holds the key of the enclosing entity's table.
    pub(super) parent: Option<String>,
    /// Columns that lines of other entities of this table use.
    pub(super) taken: Vec<String>,
}

/// The tables of `profile`, and the files that can be none yet, with the reason.
pub(super) fn tables(profile: &Profile) -> (Vec<Table<'_>>, Vec<String>) {
    let (mut tables, mut left): (Vec<Table<'_>>, Vec<String>) = (Vec::new(), Vec::new());
    for file in &profile.files {
        let name = stem(&file.file);
        if name == "manifest" {
            continue;
        }
        let [records] = file.record_types.as_slice() else {
            let of_types = file.record_types.iter().filter(|records| records.name.is_some());
            tables.extend(of_types.map(|records| {
                let name = format!("{name}_{}", stem(records.name.as_deref().unwrap_or_default()));
                Table { name, files: file.file.clone(), file, records, key: Vec::new() }
            }));
            continue;
        };
        if records.records == 0 {
            left.push(format!("{}: it has no records", file.file));
            continue;
        }
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned();
        let names = |records: &RecordType| records.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let of_same =
            |table: &&mut Table<'_>| table.name == base && base != name && names(table.records) == names(records);
        if let Some(table) = tables.iter_mut().find(of_same) {
            // `readings_1.csv` and `readings_2.csv` are one table.
            let ending = file.file.split_once('.').map_or("", |(_, ending)| ending);
            table.files = format!("{}*.{ending}", &file.file[..base.len()]);
            continue;
        }
        let name = if tables.iter().any(|table| table.name == base) || base.is_empty() { name } else { base };
        tables.push(Table { name, files: file.file.clone(), file, records, key: Vec::new() });
    }
    let keys: Vec<Vec<String>> = tables.iter().map(|table| key(table, &tables)).collect();
    for (table, key) in tables.iter_mut().zip(keys) {
        table.key = key;
    }
    (tables, left)
}

/// `customers` of `Customers.csv.gz`.
fn stem(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or(file).to_lowercase();
    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The key that other tables name this one's records by, else the likeliest.
fn key(table: &Table<'_>, tables: &[Table<'_>]) -> Vec<String> {
    let refers = |column: &String| {
        let references = tables.iter().flat_map(|other| &other.records.references);
        references
            .filter(|reference| {
                reference.file == table.file.file
                    && reference.record_type == table.records.name
                    && reference.key == *column
            })
            .count()
    };
    let by = table.records.keys.iter().max_by_key(|key| match key.columns.as_slice() {
        [column] => refers(column),
        _ => 0,
    });
    let best = by.filter(|key| key.columns.len() == 1 && refers(&key.columns[0]) > 0);
    best.or_else(|| table.records.keys.first()).map(|key| key.columns.clone()).unwrap_or_default()
}

/// The columns of `table` that name records of other tables, as a reader is told of them.
pub(super) fn references(table: &Table<'_>) -> Vec<String> {
    let told = |reference: &crate::profile::Reference| {
        format!("{} names a record of {} by {}", reference.column, reference.file, reference.key)
    };
    table.records.references.iter().map(told).collect()
}

/// The column of `child` that names records of `parent` by its key.
fn link(child: &Table<'_>, parent: &Table<'_>) -> Option<String> {
    let names = |reference: &&crate::profile::Reference| {
        reference.file == parent.file.file
            && reference.record_type == parent.records.name
            && parent.key.len() == 1
            && reference.key == parent.key[0]
    };
    child.records.references.iter().find(names).map(|reference| reference.column.clone())
}

/// Which table becomes which kind of object: the accounts first, then what hangs below.
pub(super) fn place(tables: &[Table<'_>], contract: &Contract) -> Vec<Entity> {
    let Some(root) = root(tables) else { return Vec::new() };
    let mut entities = vec![Entity { path: String::new(), table: root, parent: None, taken: Vec::new() }];
    let mut at = 0;
    while at < entities.len() {
        let (path, parent) = (entities[at].path.clone(), entities[at].table);
        let mut options: Vec<(f64, &str, usize, String)> = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            let is_placed = entities.iter().any(|entity| entity.table == number);
            let Some(column) = link(table, &tables[parent]).filter(|_| !is_placed) else { continue };
            for node in nodes(contract, &path) {
                options.push((fitness(table, node, contract), &node.path, number, column.clone()));
            }
        }
        options.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        for (fitness, path, table, column) in options {
            let is_taken = entities.iter().any(|entity| entity.table == table || entity.path == path);
            if fitness >= MAYBE && !is_taken {
                entities.push(Entity { path: path.to_owned(), table, parent: Some(column), taken: Vec::new() });
            }
        }
        at += 1;
    }
    entities
}

/// The kinds of objects that may be within those of `outer` in the same record: lists that `placed` does not have yet.
/// None, where the records have no key of one column.
pub(super) fn within(outer: &Entity, table: &Table<'_>, contract: &Contract, placed: &[&str]) -> Vec<Entity> {
    let [key] = table.key.as_slice() else { return Vec::new() };
    let lists = nodes(contract, &outer.path).into_iter().filter(|node| node.kind == Kind::ObjectList);
    let free = lists.filter(|node| !placed.contains(&node.path.as_str()));
    free.map(|node| Entity {
        path: node.path.clone(),
        table: outer.table,
        parent: Some(key.clone()),
        taken: Vec::new(),
    })
    .collect()
}

/// The table that most others hang below, directly or not; of two, the one called like accounts.
fn root(tables: &[Table<'_>]) -> Option<usize> {
    let below = |root: usize| {
        let mut reached = vec![root];
        let mut at = 0;
        while at < reached.len() {
            let parent = reached[at];
            let children = (0..tables.len()).filter(|child| link(&tables[*child], &tables[parent]).is_some());
            let new: Vec<usize> = children.filter(|child| !reached.contains(child)).collect();
            reached.extend(new);
            at += 1;
        }
        reached.len()
    };
    let called = |number: usize| (likeness(&tables[number].name, "accounts") * 1000.0) as u64;
    (0..tables.len()).max_by_key(|number| (below(*number), called(*number), std::cmp::Reverse(*number)))
}

/// The kinds of objects directly below `path`, objects within objects included.
fn nodes<'c>(contract: &'c Contract, path: &str) -> Vec<&'c Field> {
    let mut nodes = Vec::new();
    for field in contract.children(path).filter(|field| !field.deprecated) {
        match field.kind {
            Kind::ObjectList => nodes.push(field),
            Kind::Object => {
                nodes.push(field);
                nodes.extend(self::nodes(contract, &field.path));
            }
            _ => {}
        }
    }
    nodes
}

/// How much `table` seems to hold what the contract has at `node`, from 0 to 1: by its name, and by its columns' names.
fn fitness(table: &Table<'_>, node: &Field, contract: &Contract) -> f64 {
    let named = likeness(&table.name, node.leaf());
    let fields = super::lines::fields(contract, &node.path);
    let refers = |column: &&Column| table.records.references.iter().any(|reference| reference.column == column.name);
    let columns: Vec<&Column> = table.records.columns.iter().filter(|column| !refers(column)).collect();
    let likeliest = |column: &&Column| {
        let below = |field: &&Field| field.path[node.path.len()..].trim_start_matches('.').to_owned();
        fields.iter().map(|field| likeness(&column.name, &below(field))).fold(0.0, f64::max)
    };
    let shared = columns.iter().map(likeliest).filter(|near| *near >= super::names::MEANT).count();
    let share = if columns.is_empty() { 0.0 } else { shared as f64 / columns.len() as f64 };
    // A name that is right outweighs columns that are called otherwise, and the other way round.
    (0.75 * named + 0.25 * share).max(0.35 * named + 0.65 * share)
}
