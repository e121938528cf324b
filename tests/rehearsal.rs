//! Dry runs: the target goes through the motions, and everything stays as it was.

use std::fs;

use crate::support::night::{FAST, Sandbox, project};
use crate::support::text;

const WRAPPED: [&str; 2] = ["--set", "target.envelope=wrapped"];

#[test]
fn a_rehearsal_counts_as_nothing_and_blocks_nothing() {
    let sandbox = Sandbox::start(&["--envelope", "wrapped", "--errored-one-in", "3"]);
    let project = project(12, &sandbox);
    let run = |code, arguments: &[&str]| {
        let output = project.run(code, &[arguments, &["--quiet"], &WRAPPED, &FAST[..]].concat());
        text(&output.stdout) + &text(&output.stderr)
    };
    let told = run(1, &["run", "--dry-run"]);
    assert!(told.contains("nothing was created"), "{told}");
    let at_target = sandbox.accounts();
    assert!(at_target.len() == 12 && at_target.iter().all(|a| (a.effects, a.dry_runs) == (0, 1)), "{at_target:?}");
    assert_eq!(project.column("SELECT DISTINCT state || attempts FROM v_accounts"), ["ready0"]);
    let statuses = "SELECT rehearsed_status || count(*) FROM v_accounts GROUP BY rehearsed_status ORDER BY 1";
    let words = project.column(statuses);
    let bad = at_target.iter().filter(|a| a.status.as_deref() == Some("DRY_RUN_ERRORED")).count();
    assert!(bad > 0);
    assert_eq!(words, [format!("DRY_RUN_ERRORED{bad}"), format!("DRY_RUN_SUCCEEDED{}", 12 - bad)]);
    assert_eq!(project.column("SELECT DISTINCT kind FROM v_attempts ORDER BY kind"), ["dry_run", "status"]);
    assert_eq!(project.column("SELECT name FROM v_identities WHERE NOT balanced"), [""; 0]);
    let findings = project.column("SELECT DISTINCT code FROM v_findings WHERE source = 'remote'");
    assert_eq!(findings, ["account_creation_failed"]);

    // What went well is not asked for again; what went badly is, and its old end is not taken for the new one.
    run(1, &["submit", "--dry-run"]);
    let again = sandbox.accounts().iter().filter(|a| a.dry_runs == 2).count();
    assert_eq!(again, bad);

    // The night itself: creates as if nothing had been rehearsed.
    run(1, &["run"]);
    let at_target = sandbox.accounts();
    assert!(at_target.iter().all(|a| a.effects <= 1 && a.accepted == 1), "{at_target:?}");
    assert_eq!(project.column("SELECT count(*) || '' FROM v_accounts WHERE accepted_digest IS NOT NULL"), ["12"]);
}

#[test]
fn a_bare_body_has_no_place_for_a_dry_run_or_a_window() {
    let sandbox = Sandbox::start(&[]);
    let project = project(2, &sandbox);
    for flags in [&["--dry-run"][..], &["--window", "2999-01-01T00:00:00Z/2999-01-02T00:00:00Z"]] {
        let told = text(&project.run(2, &[&["run"], flags].concat()).stderr);
        assert!(told.contains("no place in a bare body") && told.contains("wrapped"), "{told}");
    }
    assert_eq!(sandbox.counts().requests, 0);
    assert!(!project.path(".slipway").exists(), "it is said before anything is built");
    let far = [&["run", "--window", "2999-01-01T00:00:00Z/2999-01-02T00:00:00Z"], &WRAPPED[..]].concat();
    assert!(text(&project.run(2, &far).stderr).contains("more than four days ahead"));
}

#[test]
fn replies_that_say_more_are_kept_for_the_owner_alone_and_purged() {
    let sandbox = Sandbox::start(&["--imported-one-in", "2"]);
    let project = project(8, &sandbox);
    // The list is not read, so that creates find out.
    project.run(1, &[&["run", "--quiet"], &FAST[..]].concat());
    let folder = project.path(".slipway/replies");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert!(fs::read_to_string(&files[0]).unwrap().contains("already been imported"));
    project.run(0, &["purge", "--before", "2999-01-01"]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
