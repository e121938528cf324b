//! The tenant's lists and settings and a project's overrides, from `slipway.toml` to the reports.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::night::{FAST, Sandbox, project as sandboxed};
use crate::support::{Project, text};
use crate::trace::give_an_extension;

fn project(lines: &str) -> Project {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.edit("slipway.toml", |text| text + lines);
    project
}

/// The tariffs of all payloads, each once.
fn tariffs(payloads: &[u8]) -> BTreeSet<String> {
    let payloads = text(payloads);
    let parts = payloads.split("\"tariff_code\":\"").skip(1);
    parts.filter_map(|part| Some(part.split_once('"')?.0.to_owned())).collect()
}

/// A list of one column as the text of its file.
fn list<'a>(codes: impl IntoIterator<Item = &'a String>) -> String {
    codes.into_iter().fold("code\n".to_owned(), |list, code| list + code + "\n")
}

#[test]
fn a_value_on_no_loaded_list_is_an_error_on_its_cell_and_one_on_no_list_a_notice() {
    let project = project("");
    let tariffs = tariffs(&project.build(1));
    let notice = "SELECT message FROM v_findings WHERE code = 'tenant_not_known'";
    let told = project.column(notice);
    assert!(told.len() == 1 && told[0].contains(", reference.tariffs, "), "{told:?}");
    let rejected = "SELECT CAST(count(*) AS TEXT) FROM v_accounts WHERE state = 'rejected'";
    let before = project.column(rejected);

    fs::write(project.path("tariffs.csv"), list(&tariffs)).unwrap();
    project.edit("slipway.toml", |text| text + "[reference]\ntariffs = \"tariffs.csv\"\n");
    project.run(1, &["build", "--quiet"]);
    assert_eq!(project.column(rejected), before, "every tariff is on the list");
    let told = project.column(notice);
    assert!(!told[0].contains(", reference.tariffs, ") && told[0].contains("reference.tprs"), "{told:?}");

    fs::write(project.path("tariffs.csv"), list(tariffs.iter().skip(1))).unwrap();
    project.run(1, &["build", "--quiet"]);
    let told = project.column(
        "SELECT DISTINCT severity || ' ' || file || ' ' || \"column\" FROM v_findings WHERE code = 'tariff_code_not_found'",
    );
    assert_eq!(told, ["error agreements.csv TARIFF_CD"]);
    assert_ne!(project.column(rejected), before);
    let inputs = project.column("SELECT role || ' ' || name FROM input WHERE role = 'reference'");
    assert_eq!(inputs, ["reference tariffs", "reference tariffs"]);
}

#[test]
fn a_list_that_is_loaded_judges_in_place_of_what_the_contract_has_published() {
    let project = project("");
    project.run(1, &["build", "--quiet"]);
    let notices = "SELECT path FROM v_findings WHERE code = 'not_reference_value' AND path = 'import_supplier'";
    assert_eq!(project.column(notices), ["import_supplier"]);
    fs::write(project.path("suppliers.csv"), "code,remark\nTENTACLE_ENERGY,ours\n").unwrap();
    project.edit("slipway.toml", |text| text + "[reference]\nimport_suppliers = \"suppliers.csv\"\n");
    project.run(1, &["build", "--quiet"]);
    assert!(project.column(notices).is_empty());
    fs::write(project.path("suppliers.csv"), "code\nOTHER\n").unwrap();
    project.run(1, &["build", "--quiet"]);
    let told = "SELECT DISTINCT code FROM v_findings WHERE path = 'import_supplier' AND severity = 'error'";
    assert_eq!(project.column(told), ["import_supplier_not_found"]);
}

#[test]
fn a_list_that_cannot_be_used_ends_a_build_with_file_and_line() {
    let project = project("[reference]\ntariffs = \"tariffs.csv\"\n");
    let told = |code: i32, arguments: &[&str]| {
        let output = project.run(code, arguments);
        text(&output.stderr) + &text(&output.stdout)
    };
    assert!(told(2, &["build"]).contains("`reference.tariffs` cannot be read"));
    fs::write(project.path("tariffs.csv"), "code\nA\n\"\"\nA\n").unwrap();
    for arguments in [&["build"][..], &["lint"], &["schema", "rules"]] {
        let told = told(2, arguments);
        assert!(told.contains("tariffs.csv:3:1: list `reference.tariffs`: the code is blank"), "{told}");
        assert!(told.contains("tariffs.csv:4:1: list `reference.tariffs`: code `A` is on line 2 already"), "{told}");
    }
    let output = project.run(2, &["build", "--set", "reference.tarif=x"]);
    assert!(text(&output.stderr).contains("`reference.tariffs`"), "{}", text(&output.stderr));
    assert!(!project.path(".slipway/stage").exists(), "nothing was read");
}

#[test]
fn an_override_is_an_input_and_every_report_tells_it() {
    let project = project("[rules]\nledger-balance-sum = \"warning\"\nsupply-point-in-two-accounts = \"warning\"\n");
    let output = project.run(1, &["build"]);
    let told = text(&output.stdout);
    assert!(told.contains("\noverride   ledger-balance-sum = warning\n"), "{told}");
    let guard = "supply-point-in-two-accounts = warning: a household may be billed twice";
    assert!(told.contains(guard), "{told}");
    let severities = "SELECT DISTINCT severity FROM v_findings WHERE code = 'balance_mismatch_on_ledger_balance'";
    assert!(project.column(severities).iter().all(|severity| severity == "warning"));
    let report = text(&project.run(0, &["report"]).stdout);
    assert!(report.contains(guard) && report.contains("ledger-balance-sum = warning"), "{report}");
    let json: Value = serde_json::from_slice(&project.run(0, &["report", "--json"]).stdout).unwrap();
    assert_eq!(json["rules"]["overrides"][1]["rule"], "supply-point-in-two-accounts");
    assert_eq!(json["rules"]["overrides"][1]["guard_is_down"], true);
    project.run(0, &["report", "--html", "report.html"]);
    let page = fs::read_to_string(project.path("report.html")).unwrap();
    assert!(page.contains("supply-point-in-two-accounts") && page.contains("a household may be billed twice"));
    let rules = text(&project.run(0, &["schema", "rules"]).stdout);
    let line = rules.lines().find(|line| line.starts_with("ledger-balance-sum ")).unwrap();
    assert!(line.contains(" warning ") && line.ends_with("As the project says."), "{line}");
    let output = project.run(2, &["build", "--set", "rules.ledger-balance-sums=off"]);
    assert!(text(&output.stderr).contains("did you mean `ledger-balance-sum`?"), "{}", text(&output.stderr));
}

#[test]
fn a_build_counts_the_rules_without_a_field_in_the_mapping_and_the_register_names_them() {
    let project = project("[rules]\n");
    let told = text(&project.run(1, &["build"]).stdout);
    let built: Value = serde_json::from_slice(&project.run(1, &["build", "--json"]).stdout).unwrap();
    let off = built["rules_off"].as_array().unwrap();
    assert!(!off.is_empty() && (off.len() as u64) < built["rules"].as_u64().unwrap());
    let line = told.lines().find(|line| line.starts_with("rules ")).unwrap();
    let counts = format!("{} of {} not checked", off.len(), built["rules"]);
    assert!(line.contains(&counts) && line.contains("`slipway schema rules`") && line.len() < 100, "{line}");
    let register: Value = serde_json::from_slice(&project.run(0, &["schema", "rules", "--json"]).stdout).unwrap();
    let rules = register["rules"].as_array().unwrap();
    let named: Vec<&Value> = rules.iter().filter(|rule| rule["status"] == "unmapped").map(|rule| &rule["id"]).collect();
    assert!(off.iter().all(|id| named.contains(&id)), "{off:?} are not all in {named:?}");
}

#[test]
fn a_list_setting_or_override_that_changes_under_a_wave_is_noticed() {
    let sandbox = Sandbox::start(&[]);
    let project = sandboxed(4, &sandbox);
    fs::write(project.path("tprs.csv"), "code\n00001\n").unwrap();
    project.run(0, &["build", "--quiet"]);
    project.run(0, &[&["submit", "--quiet", "--limit", "2"], &FAST[..]].concat());
    let later = ["reference.tprs=tprs.csv", "rules.tpr-known=warning", "target.settings.consents=true"];
    let set: Vec<&str> = later.iter().flat_map(|set| ["--set", set]).collect();
    project.run(0, &[&["build", "--quiet"], &set[..]].concat());
    let output = project.run(5, &[&["submit", "--quiet"], &set[..], &FAST[..]].concat());
    let told = text(&output.stderr);
    for what in ["reference tprs is new", "rule tpr-known = warning is new", "setting consents = true is new"] {
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn what_the_target_refuses_is_scored_against_what_was_found_here() {
    let sandbox = Sandbox::start(&["--refusals", "standard"]);
    let project = sandboxed(3, &sandbox);
    give_an_extension(&project);
    project.run(1, &[&["run", "--quiet"], &FAST[..]].concat());
    let told = text(&project.run(0, &["errors"]).stdout);
    assert!(told.contains("agreement: 0 of 1 refusals of the target were caught here, 0 of 1 accounts"), "{told}");
    assert!(
        told.contains("missed invalid_phone_number in 1 accounts, such as customers.0.landline of account"),
        "{told}"
    );
    assert!(told.contains("phone-valid is on"), "{told}");
    let report = text(&project.run(0, &["report"]).stdout);
    assert!(
        report.contains("agreement   0 of 1 refusals") && report.contains("missed invalid_phone_number"),
        "{report}"
    );
    let json: Value = serde_json::from_slice(&project.run(0, &["report", "--json"]).stdout).unwrap();
    assert_eq!(json["rules"]["agreement"]["misses"][0]["example_path"], "customers.0.landline");
    // The rule would have caught it: a build that finds it here now raises the score.
    project.edit("extract/customers.csv", |text| text.replace("020 7946 0958 x12", "12"));
    project.run(1, &["build", "--quiet"]);
    let told = text(&project.run(0, &["errors"]).stdout);
    assert!(told.contains("agreement: 1 of 1 refusals of the target were caught here, 1 of 1 accounts"), "{told}");
}
