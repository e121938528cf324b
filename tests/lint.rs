//! `slipway lint`: what a reviewer is told about a mapping.

use std::fs;

use crate::support::{Project, repository, text};

#[test]
fn the_bundled_mappings_have_no_problem() {
    for (mapping, sample) in [
        ("mappings/tentacle", "samples/tentacle"),
        ("mappings/guide", "samples/guide"),
        ("mappings/kestrel", "samples/kestrel"),
    ] {
        let project = Project::new(mapping, sample);
        project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
        let output = project.run(0, &["lint", "--headers-only"]);
        assert!(text(&output.stdout).ends_with("0 errors, 0 warnings, 0 tests failed\n"), "{}", text(&output.stdout));
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_the_nearest_name() {
    let project = Project::with_mapping("mappings/guide");
    fs::write(
        project.path("mapping/mapping.toml"),
        r#"
[defaults]
dat = "%d/%m/%Y"

[tables.accounts]
files = "accounts.csv"
key = ["NO"]
rest = "filterd"

[account]
table = "acounts"
[account.fields]
import_supplier = { value = "TENTACLE_ENERGY" }
external_account_number = { colum = "NO" }
account_type = { column = "TYPE", lookup = "acount_type" }

[entity.customer]
table = "accounts"
parent = ["NO"]
[entity.customer.fields]
given_name = { column = "NAME", as = "txt" }
"#,
    )
    .unwrap();
    let output = project.run(2, &["lint"]);
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn a_wrong_default_is_told_where_it_stands_and_once() {
    let project = Project::with_mapping("mappings/tentacle");
    project.edit("mapping/mapping.toml", |text| {
        text.replacen("date = \"%d/%m/%Y\"", "date = \"%d/%Q\"", 1).replacen(
            "zone = \"Europe/London\"",
            "zone = \"Europe/Lonon\"",
            1,
        )
    });
    let told = text(&project.run(2, &["lint"]).stdout);
    let at: Vec<_> =
        told.lines().filter(|line| line.contains("mapping.toml:11:8") || line.contains("mapping.toml:13:8")).collect();
    assert_eq!(at.len(), 2, "{told}");
    assert!(told.contains("2 errors"), "{told}");
}

#[test]
fn names_are_checked_against_the_contract_and_the_headers() {
    let project = Project::with_mapping("mappings/guide");
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    let mapping = |fields: &str| {
        format!(
            "[tables.accounts]\nfiles = \"accounts.csv\"\nkey = [\"NO\"]\n[account]\ntable = \"accounts\"\n\
             [account.fields]\nimport_supplier = {{ value = \"TENTACLE_ENERGY\" }}\nexternal_account_number = \"NO\"\n{fields}"
        )
    };
    fs::write(project.path("extract/accounts.csv"), "NO,BALANCE,SPARE\nA,1.00,x\n").unwrap();
    let fields = "transfer_balanc = \"BALANCE\"\nsmart_read_cycle_day = { column = \"BALANCE\", as = \"money\", unit = \"pounds\" }\n\
                  account_type = { value = \"HOUSEHOLD\" }\ncustomers = \"NO\"\n";
    fs::write(project.path("mapping/mapping.toml"), mapping(fields)).unwrap();
    let contract = text(&project.run(2, &["lint"]).stdout);
    fs::write(project.path("mapping/mapping.toml"), mapping("transfer_balance = \"BALENCE\"\n")).unwrap();
    let headers = text(&project.run(2, &["lint"]).stdout);
    fs::write(project.path("mapping/mapping.toml"), mapping("transfer_balance = \"BALANCE\"\n")).unwrap();
    let coverage = text(&project.run(1, &["lint"]).stdout);
    insta::assert_snapshot!(format!("{contract}---\n{headers}---\n{coverage}"));
}

#[test]
fn a_mapping_carries_its_own_tests() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    let test = project.path("mapping/tests/example");
    crate::support::copy(&project.path("extract"), &test);
    let expected = fs::read_to_string(repository().join("samples/guide/EXTERNAL-1234.json")).unwrap();
    fs::write(test.join("expect.json"), &expected).unwrap();
    assert!(text(&project.run(0, &["lint"]).stdout).contains("test example: ok"));
    fs::write(test.join("expect.json"), expected.replace("\"21.3\"", "\"21.30\"")).unwrap();
    let said = text(&project.run(2, &["lint"]).stdout);
    let path = "supply_addresses.0.meter_points.1.meters.0.prepay_details.debt_balance";
    assert!(said.contains(&format!("test example: failed: `{path}` is not as expected")), "{said}");
}

#[test]
fn what_can_only_fail_later_is_told_now() {
    let project = Project::with_mapping("mappings/guide");
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    fs::write(project.path("extract/accounts.csv"), "NO,NAME,BORN\nA,Bob,x\n").unwrap();
    let mapping = |columns: &str, field: &str| {
        format!(
            "[tables.accounts]\nfiles = \"accounts.csv\"\nkey = [\"NO\"]\n[tables.accounts.columns]\n{columns}\n\
             [account]\ntable = \"accounts\"\n[account.fields]\nimport_supplier = {{ value = \"TENTACLE_ENERGY\" }}\n\
             external_account_number = \"NO\"\n{field}\n"
        )
    };
    let cases = [
        ("A = { expr = \"{{ A }}\" }", "billing_name = \"A\""),
        ("A = { column = \"B\" }\nB = { column = \"A\" }", ""),
        ("NAMEE = { as = \"integer\" }", ""),
        ("", "billing_name = { expr = \"{{ NAME | frob }}\" }"),
        ("", "billing_name = []"),
        ("", "last_billed_to_date = { column = \"BORN\", format = \"yyyy\" }"),
        ("", "last_billed_to_date = { column = \"BORN\", format = \"%H\" }"),
        ("", "transfer_balance = { column = \"BORN\", places = 99 }"),
        (
            "",
            "[entity.custmers]\ntable = \"accounts\"\nparent = [\"NO\"]\n[entity.custmers.fields]\nfamily_name = \"NAME\"",
        ),
    ];
    let told = cases.map(|(columns, field)| {
        fs::write(project.path("mapping/mapping.toml"), mapping(columns, field)).unwrap();
        let said = text(&project.run(2, &["lint"]).stdout);
        said.lines().filter(|line| line.starts_with("error")).collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!(told.join("\n---\n"));
}

/// A mapping that can be used, and everything it leaves open.
#[test]
fn what_is_left_to_do_is_told_with_what_matters_most_first() {
    let project = Project::with_mapping("mappings/guide");
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    fs::remove_dir_all(project.path("mapping/tests")).ok();
    fs::write(
        project.path("extract/accounts.csv"),
        "NO,KIND,VACANT,SURNAME,SPARE\nA,D,Y,Smith,\nB,X,N,Jones,\nC,X,?,Brown,\n",
    )
    .unwrap();
    fs::write(project.path("mapping/lookups/kind.csv"), "code,value,note\nD,DOMESTIC,\nB,,TODO: ask\n").unwrap();
    fs::write(
        project.path("mapping/mapping.toml"),
        "[defaults]\nbool = { Y = true, N = false }\n\n[tables.accounts]\nfiles = \"accounts.csv\"\nkey = [\"NO\"]\n\n\
         [tables.notes]\nfiles = \"notes*.csv\"\n\n\
         [account]\ntable = \"accounts\"\n[account.fields]\nimport_supplier = { value = \"TODO\" }\n\
         external_account_number = \"NO\"\naccount_type = { column = \"KIND\", lookup = \"kind\" }\nunknown_occupier = \"VACANT\"\n\n\
         [entity.customers]\ntable = \"accounts\"\nparent = [\"NO\"]\n[entity.customers.fields]\ngiven_name = { value = \"A\" }\n\n\
         [entity.notes]\ntable = \"notes\"\nparent = [\"ACCOUNT\"]\n[entity.notes.fields]\nbody = \"TEXT\"\n",
    )
    .unwrap();
    let told = text(&project.run(1, &["lint"]).stdout);
    insta::assert_snapshot!(told);
    let json: serde_json::Value = serde_json::from_slice(&project.run(1, &["lint", "--json"]).stdout).unwrap();
    assert_eq!(json["codes"][0]["codes"][0], serde_json::json!(["X", 2]));
    let quick = text(&project.run(1, &["lint", "--headers-only"]).stdout);
    assert!(!quick.contains("does not have"), "{quick}");
}
