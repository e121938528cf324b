//! The demo, as a newcomer runs it, and what it leaves behind.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{self, repository};

/// The program, in `folder`.
fn slipway(folder: &Path) -> Command {
    let mut command = support::slipway();
    command.current_dir(folder);
    Command::from_std(command)
}

#[test]
fn everything_that_can_be_sent_is_processed_once_and_the_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    // The second demo begins anew in the same folder.
    for _ in 0..2 {
        let output = slipway(folder.path()).args(["demo", "--json"]).assert().code(0).get_output().clone();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["verdict"]["outcome"], "exceptions", "the sample has accounts with defects");
        let accounts = |state: &str| {
            let states = report["states"].as_array().unwrap();
            states.iter().find(|count| count["state"] == state).unwrap()["accounts"].as_u64().unwrap()
        };
        let step = |name: &str| {
            let steps = report["funnel"].as_array().unwrap();
            steps.iter().find(|step| step["step"] == name).unwrap()["count"].as_u64().unwrap()
        };
        assert!(accounts("processed") > 100);
        assert_eq!(accounts("processed"), step("ready"));
        assert_eq!(accounts("processed") + accounts("rejected"), step("built"));
        let identities = report["identities"].as_array().unwrap();
        assert!(identities.len() > 25 && identities.iter().all(|identity| identity["balanced"] == true));
        let attention = report["attention"]["first"].as_array().unwrap();
        assert!(
            attention.iter().all(|account| account["causes"][0]["line"].is_u64()),
            "a rejected account has no place"
        );
    }
}

#[test]
fn what_it_tells_names_places_and_no_customers() {
    let folder = tempfile::tempdir().unwrap();
    let output = slipway(folder.path()).arg("demo").assert().code(0).get_output().clone();
    let told = String::from_utf8(output.stdout).unwrap();
    for expected in ["processed", "identities", ".csv:", "created more than once", "reports/report.html"] {
        assert!(told.contains(expected), "`{expected}` is missing:\n{told}");
    }
    let state = folder.path().join(".slipway/demo");
    let page = std::fs::read_to_string(state.join("reports/report.html")).unwrap();
    let ledger = String::from_utf8_lossy(&std::fs::read(state.join("ledger.sqlite")).unwrap()).into_owned();
    let log = String::from_utf8(output.stderr).unwrap();
    let secrets = customer_details();
    assert!(secrets.len() > 200, "the sample has customers");
    for secret in &secrets {
        for (place, text) in [("the output", &told), ("the page", &page), ("the ledger", &ledger), ("the log", &log)] {
            assert!(!text.contains(secret.as_str()), "{place} tells `{secret}`");
        }
    }
}

#[test]
fn a_demo_may_be_of_synthetic_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        slipway(folder.path()).args(["demo", "--accounts", "40", "--json"]).assert().code(0).get_output().clone();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built = report["funnel"].as_array().unwrap().iter().find(|step| step["step"] == "built").unwrap();
    assert_eq!(built["count"], 40);
    assert!(folder.path().join(".slipway/demo/extract/TRUTH.csv").is_file(), "the truth lies beside the extract");
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    slipway(folder.path()).args(["demo", "--keep", "."]).assert().code(2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// E-mail addresses and telephone numbers of the sample's customers.
pub(crate) fn customer_details() -> Vec<String> {
    let file = repository().join("samples/tentacle/customers.csv");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(file).unwrap();
    let columns: Vec<_> = reader
        .headers()
        .unwrap()
        .iter()
        .enumerate()
        .filter(|(_, name)| ["EMAIL", "MOBILE", "LANDLINE"].contains(name))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(columns.len(), 3);
    let mut record = csv::ByteRecord::new();
    let mut details = Vec::new();
    while reader.read_byte_record(&mut record).unwrap() {
        let cells = columns.iter().filter_map(|at| String::from_utf8(record.get(*at)?.to_vec()).ok());
        // A damaged cell may be too short to mean anybody.
        details.extend(cells.filter(|cell| cell.len() > 8));
    }
    details
}
