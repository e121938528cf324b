//! From what is wrong, or only asked about, back to the cell it comes from.

use serde_json::Value;

use crate::support::night::{FAST, Sandbox, project};
use crate::support::{Project, text};

fn built() -> Project {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.run(1, &["build", "--quiet"]);
    project
}

#[test]
fn causes_come_with_what_their_mending_is_worth() {
    let project = built();
    let told = text(&project.run(0, &["errors", "--limit", "4"]).stdout);
    insta::assert_snapshot!(told);
    let json: Value = serde_json::from_slice(&project.run(0, &["errors", "--json"]).stdout).unwrap();
    let causes = json["causes"].as_array().unwrap();
    assert_eq!(json["total"], causes.len());
    let numbers = |key: &str| causes.iter().map(|cause| cause[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert!(numbers("unblocked").is_sorted_by(|a, b| a >= b), "{causes:?}");
    assert!(numbers("unblocked").iter().zip(numbers("accounts")).all(|(alone, all)| *alone <= all));
    // A rejected account is counted as unblocked exactly where it has one cause.
    let alone = project.column(
        "SELECT CAST(count(*) AS TEXT) FROM (SELECT account FROM finding LEFT JOIN finding_cell AS cell ON \
         cell.finding = finding.id AND position = 0 WHERE severity = 'error' AND account IS NOT NULL GROUP BY account \
         HAVING count(DISTINCT code || source || field || coalesce(file, '') || coalesce(\"column\", '')) = 1)",
    );
    assert_eq!(alone[0], numbers("unblocked").iter().sum::<u64>().to_string());
    assert!(
        project.column("SELECT CAST(pence AS TEXT) FROM v_error_clusters WHERE accounts > 0").iter().all(|p| p != "0")
    );
}

#[test]
fn a_value_is_traced_to_its_cell_and_shown_as_a_shape_unless_asked() {
    let project = built();
    let account = &project.column("SELECT external_account_number FROM v_accounts WHERE state = 'ready' ORDER BY 1")[0];
    let told = |path: &str, more: &[&str]| {
        let arguments = [&["show", account, "--why", path], more].concat();
        text(&project.run(0, &arguments).stdout)
    };
    insta::assert_snapshot!("masked", told("customers.0.family_name", &[]));
    let shown = told("customers.0.family_name", &["--show-values"]);
    let name = shown.lines().next().unwrap().rsplit(" = ").next().unwrap().to_owned();
    assert!(shown.lines().last().unwrap().ends_with(&name), "the cell says what the payload says: {shown}");
    assert!(!told("customers.0.family_name", &[]).contains(&name));
    // Through a lookup, and of a constant.
    insta::assert_snapshot!("lookup", told("supply_addresses.0.meter_points.0.supply_type", &["--show-values"]));
    insta::assert_snapshot!("constant", told("import_supplier", &["--show-values"]));
    let output = project.run(2, &["show", account, "--why", "customers.0.famly_name"]);
    assert!(text(&output.stderr).contains("did you mean `customers.family_name`?"), "{}", text(&output.stderr));
    for (path, told) in [
        ("customers.7.landline", "has 1 of `customers`, and nothing at `customers.7.landline`"),
        ("customers.0", "such as `customers.0.account_roles`"),
    ] {
        let output = project.run(2, &["show", account, "--why", path]);
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
    // Of another extract, nothing is said.
    project.edit("extract/customers.csv", |text| text + "\n");
    let output = project.run(2, &["show", account, "--why", "customers.0.family_name"]);
    assert!(text(&output.stderr).contains("not as it was"), "{}", text(&output.stderr));
}

/// Gives the first customer a landline with an extension: a telephone number to us, and none to the sandbox.
pub(crate) fn give_an_extension(project: &Project) {
    project.edit("extract/customers.csv", |text| {
        let line = |(number, line): (usize, &str)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if number == 1 {
                cells[9] = "020 7946 0958 x12";
            }
            cells.join(",") + "\n"
        };
        text.lines().enumerate().map(line).collect()
    });
}

#[test]
fn what_the_target_refuses_is_told_at_the_cell_whatever_the_shape_of_its_reply() {
    for shape in ["nested", "standard", "opaque"] {
        let sandbox = Sandbox::start(&["--refusals", shape]);
        let project = project(3, &sandbox);
        give_an_extension(&project);
        project.run(1, &[&["run", "--quiet"], FAST.as_slice()].concat());
        let told = project.column(
            "SELECT source || ' ' || path || ' ' || file || ':' || line || ':' || \"column\" FROM v_findings \
             WHERE severity = 'error'",
        );
        assert_eq!(told, ["remote customers.0.landline customers.csv:2:LANDLINE"], "{shape}");
        let causes = text(&project.run(0, &["errors"]).stdout);
        assert!(causes.contains("customers.csv:2:LANDLINE of account"), "{shape}: {causes}");
        assert!(causes.contains("mapping.toml:"), "{shape}: {causes}");
        assert!(!causes.contains("x12"), "{shape}: {causes}");
    }
}
