//! Ledgers of earlier schemas, one file each under `tests/ledgers`: each is brought up to date, and balances.
//!
//! `4`: eleven accounts of the sample in wave `night-1`, eight of them processed, and four built in `night-2`.

use std::process::Command;

use crate::support::{Project, repository, text};

/// What the files' ledgers belong to.
const URL: &str = "http://127.0.0.1:18099";

/// The oldest schema of which a ledger is kept.
const OLDEST: i64 = 4;

/// A project without a ledger.
fn project() -> Project {
    let project = Project::with_mapping("mappings/tentacle");
    project.settings("run_date = \"today\"", URL);
    project
}

/// A project whose ledger is that of schema `version`.
fn project_of(version: i64) -> Project {
    let project = project();
    let packed = std::fs::read(repository().join(format!("tests/ledgers/{version}.sqlite.zst"))).unwrap();
    std::fs::create_dir(project.path(".slipway")).unwrap();
    std::fs::write(project.path(".slipway/ledger.sqlite"), zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    project
}

/// The schemas of which a ledger is kept.
fn kept() -> Vec<i64> {
    let files = std::fs::read_dir(repository().join("tests/ledgers")).unwrap().map(|file| file.unwrap().file_name());
    let kept: Vec<i64> = files.map(|name| name.to_str().unwrap().split('.').next().unwrap().parse().unwrap()).collect();
    assert!(kept.contains(&OLDEST) && kept.len() > 1);
    kept
}

fn version(project: &Project) -> i64 {
    project.ledger().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_ledger_of_every_earlier_schema_is_brought_up_to_date_and_balances() {
    let fresh = project();
    fresh.run(0, &["reconcile"]);
    let newest = version(&fresh);
    for old in kept() {
        let project = project_of(old);
        assert_eq!(version(&project), old);
        project.run(0, &["reconcile"]);
        assert_eq!(version(&project), newest);
        let states = project.column("SELECT state || ' ' || count(*) FROM v_accounts GROUP BY state ORDER BY state");
        assert_eq!(states, ["processed 8", "ready 3", "rejected 4"]);
    }
}

#[test]
fn every_view_opens_in_the_sqlite3_shell() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        return;
    }
    let project = project_of(OLDEST);
    project.run(0, &["reconcile"]);
    let ledger = project.path(".slipway/ledger.sqlite");
    let shell = |sql: &str| {
        let output = Command::new("sqlite3").arg("-readonly").arg(&ledger).arg(sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        text(&output.stdout)
    };
    let views = shell("SELECT name FROM sqlite_master WHERE type = 'view'");
    assert!(views.lines().count() >= 15, "{views}");
    for view in views.lines() {
        shell(&format!("SELECT * FROM {view} LIMIT 3"));
    }
    assert_eq!(shell("SELECT count(*) FROM v_accounts WHERE wave = 'night-1' AND state = 'processed'").trim(), "8");
}
