//! The bundled samples, as they stand in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use slipway::generate::{Options, generate};

use crate::support::{Project, repository, slipway, text};

/// `slipway` with `arguments` on the sample project `name`, its state kept out of the repository.
fn on_sample(name: &str, arguments: &[&str]) -> Output {
    let state = tempfile::tempdir().unwrap();
    let project = repository().join("samples").join(name).join("slipway.toml");
    let mut command = slipway();
    command.args(arguments).arg("--project").arg(project);
    command.arg("--set").arg(format!("project.state={}", state.path().display())).output().unwrap()
}

#[test]
fn the_sample_projects_and_their_mappings_are_sound() {
    for (name, tests) in [("guide", 0), ("tentacle", 5), ("kestrel", 3)] {
        let output = on_sample(name, &["lint", "--headers-only"]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        assert!(said.ends_with("0 errors, 0 warnings, 0 tests failed\n"), "{name}: {said}");
        assert_eq!(said.matches(": ok\n").count(), tests, "{name}: {said}");
    }
    assert_eq!(on_sample("guide", &["build", "--quiet"]).status.code(), Some(0));
    assert_eq!(on_sample("tentacle", &["build", "--quiet"]).status.code(), Some(1));
    assert_eq!(on_sample("kestrel", &["build", "--quiet"]).status.code(), Some(1));
}

/// Whether the sample in `project` is rejected and reported as its truth says.
fn check_truth(project: &Project, accounts: usize, defects: usize) {
    project.build(1);
    let states: BTreeMap<String, String> = project
        .column("SELECT external_account_number || ' ' || state FROM v_accounts")
        .iter()
        .map(|line| line.split_once(' ').map(|(account, state)| (account.to_owned(), state.to_owned())).unwrap())
        .collect();
    assert_eq!(states.len(), accounts);
    let found = project.column("SELECT DISTINCT file || ':' || line FROM v_findings WHERE line IS NOT NULL");
    let mut truth = csv::Reader::from_path(project.path("extract/TRUTH.csv")).unwrap();
    let truth: Vec<BTreeMap<String, String>> = truth.deserialize().map(Result::unwrap).collect();
    assert_eq!(truth.len(), defects);
    let mut rejected = 0;
    for defect in &truth {
        let expected = if defect["ACTION"] == "REJECT_ACCOUNT" { "rejected" } else { "ready" };
        rejected += usize::from(expected == "rejected");
        if !defect["ACCOUNT_NO"].is_empty() {
            assert_eq!(states[&defect["ACCOUNT_NO"]], expected, "{}", defect["DEFECT"]);
        }
        let place = format!("{}:{}", defect["FILE"], defect["LINE_NO"]);
        assert!(found.contains(&place), "{} at {place} is not reported", defect["DEFECT"]);
    }
    assert_eq!(states.values().filter(|state| *state == "rejected").count(), rejected);
}

#[test]
fn the_samples_are_rejected_and_reported_as_their_truth_says() {
    check_truth(&Project::new("mappings/tentacle", "samples/tentacle"), 200, 12);
    let kestrel = Project::new("mappings/kestrel", "samples/kestrel");
    kestrel.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    kestrel.edit("slipway.toml", |text| text.replace("TENTACLE_ENERGY", "KESTREL"));
    check_truth(&kestrel, 40, 12);
}

#[test]
fn a_code_that_no_lookup_has_is_counted_before_anything_is_built() {
    let output = on_sample("tentacle", &["lint"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 records of agreements.csv have a TARIFF_CD that lookup `tariff` does not have"), "{said}");
    assert!(said.ends_with("0 errors, 1 warnings, 0 tests failed\n"), "{said}");
}

#[test]
fn the_tentacle_sample_is_what_the_generator_makes() {
    let made = tempfile::tempdir().unwrap();
    let options = Options { out: made.path().to_owned(), accounts: 200, seed: 1, dirty: 0.06 };
    generate(&options, || {}).unwrap();
    let bundled = repository().join("samples/tentacle");
    for entry in fs::read_dir(made.path()).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let same = fs::read(entry.path()).unwrap() == fs::read(bundled.join(entry.file_name())).unwrap();
            assert!(same, "{} differs: generate the sample again", entry.file_name().display());
        }
    }
}
