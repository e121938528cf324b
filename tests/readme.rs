//! The README's queries and tables are kept.

use std::collections::BTreeSet;
use std::path::Path;

use slipway::ledger::{Ledger, TargetIdentity};

use crate::support::repository;

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).unwrap()
}

/// A new ledger, opened the way a user would.
fn ledger(folder: &Path) -> rusqlite::Connection {
    let path = folder.join("ledger.sqlite");
    let target = TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into()] };
    drop(Ledger::open(&path, &target).unwrap());
    rusqlite::Connection::open(path).unwrap()
}

#[test]
fn every_query_runs() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let readme = readme();
    let queries = readme.split("```sql").nth(1).unwrap().split("```").next().unwrap();
    let mut run = 0;
    for query in queries.split(';').filter(|query| !query.trim().is_empty()) {
        let mut statement = ledger.prepare(query).unwrap();
        assert!(statement.query([]).unwrap().next().unwrap().is_none(), "a new ledger has rows: {query}");
        run += 1;
    }
    assert_eq!(run, 15);
}

#[test]
fn every_view_is_listed_with_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let readme = readme();
    let listed: BTreeSet<_> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let view = cells.get(1)?.strip_prefix("`v_")?.strip_suffix('`')?;
            let columns = cells.get(3)?.split(", ").map(|column| column.split(' ').next().unwrap().to_owned());
            Some((format!("v_{view}"), columns.collect::<Vec<_>>()))
        })
        .collect();
    let mut views = ledger.prepare("SELECT name FROM sqlite_master WHERE type = 'view'").unwrap();
    let there: BTreeSet<_> = views
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|view| {
            let view = view.unwrap();
            let statement = ledger.prepare(&format!("SELECT * FROM {view}")).unwrap();
            (view, statement.column_names().map(str::to_owned).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn every_command_is_listed() {
    let readme = readme();
    let listed: BTreeSet<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `slipway "))
        .flat_map(|line| line.split('|').nth(1).unwrap().split("`slipway ").skip(1))
        .map(|command| command.split(['`', ' ']).next().unwrap().to_owned())
        .collect();
    let command = <slipway::cli::Cli as clap::CommandFactory>::command();
    let there: BTreeSet<_> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(listed, there);
}
