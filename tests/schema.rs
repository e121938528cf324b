//! `slipway schema`: the contract as a table, and what a tenant's own document changes.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use slipway::contract::{Contract, Kind};
use slipway::mapping;

use crate::support::{Project, text};

/// A tenant that wants a date of birth, knows no landlines and pays by direct debit alone.
const TENANT: &str = "openapi: 3.0.3
info: {title: tenant, version: '2'}
paths:
  /v2/data-import/accounts/:
    post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Account'}}}}}
components:
  schemas:
    Account:
      type: object
      required: [import_supplier, account_type]
      properties:
        import_supplier: {type: string}
        external_account_number: {type: string, maxLength: 4}
        account_type: {type: string, enum: [DOMESTIC, BUSINESS]}
        transfer_balance: {type: string, format: decimal}
";

const MAPPING: &str = "[tables.accounts]
files = \"accounts.csv\"
key = [\"NO\"]
[account]
table = \"accounts\"
[account.fields]
import_supplier = { value = \"TENTACLE_ENERGY\" }
external_account_number = \"NO\"
";

/// A project with a mapping of two fields and the tenant's document.
fn project(mapping: &str) -> Project {
    let project = Project::with_mapping("mappings/guide");
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    project.edit("slipway.toml", |text| text + "contract = \"tenant.yml\"\n");
    fs::write(project.path("tenant.yml"), TENANT).unwrap();
    fs::write(project.path("mapping/mapping.toml"), mapping).unwrap();
    fs::remove_dir_all(project.path("mapping/tests")).ok();
    project
}

#[test]
fn the_contract_is_printed_with_or_without_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = crate::support::slipway().current_dir(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let table = run(&["schema", "contract"]);
    assert!(table.starts_with("contract edf-gb 1, 2026-07-27: 715 fields\n"), "{}", &table[..200]);
    let json: Value = serde_json::from_str(&run(&["schema", "contract", "--json"])).unwrap();
    assert_eq!(json["fields"].as_array().unwrap().len(), 715);
    let project = project(MAPPING);
    let table = text(&project.run(0, &["schema", "contract"]).stdout);
    insta::assert_snapshot!(table.lines().take(12).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_a_tenants_document_changes_is_told_with_what_it_means_to_the_mapping() {
    let project = project(MAPPING);
    let output = project.run(1, &["schema", "diff"]);
    let told = text(&output.stdout);
    assert!(told.contains("\n! account_type: required now\n"), "{told}");
    assert!(told.contains("\n! external_account_number: tighter: greatest length 4"), "{told}");
    assert!(told.contains("\n  account_type: 9 values dropped: "), "{told}");
    assert!(told.contains("\n  customers: gone\n"), "{told}");
    let built_in = project.run(0, &["schema", "diff", "--set", "target.contract=edf-gb"]);
    assert!(text(&built_in.stdout).starts_with("contract edf-gb 1: 0 changes"));
    // A field that is gone makes the mapping unusable, and so does a value that is not taken any more.
    fs::write(project.path("mapping/mapping.toml"), format!("{MAPPING}billing_name = \"NAME\"\n")).unwrap();
    let told = text(&project.run(2, &["schema", "diff"]).stdout);
    assert!(told.contains("mapping.toml:9:1: the contract has no `billing_name`"), "{told}");
}

#[test]
fn every_command_checks_against_the_tenants_document() {
    let mapping = format!("{MAPPING}account_type = {{ value = \"MANAGED\" }}\n");
    let project = project(&mapping);
    fs::write(project.path("extract/accounts.csv"), "NO\nA-1\nA-23456\n").unwrap();
    let told = text(&project.run(2, &["lint"]).stdout);
    assert!(told.contains("`account_type` does not take this value"), "{told}");
    project.run(2, &["build"]);
    project.edit("mapping/mapping.toml", |text| text.replace("MANAGED", "DOMESTIC"));
    let payloads = project.build(1);
    assert_eq!(text(&payloads).lines().count(), 1, "the other account's number is too long for this tenant");
    let codes = project.column("SELECT code FROM v_findings WHERE severity = 'error'");
    assert_eq!(codes, ["max_length"]);
}

#[test]
fn a_document_that_is_none_ends_2_with_its_line() {
    let project = project(MAPPING);
    project.edit("tenant.yml", |text| text.replace("schemas/Account'", "schemas/Acount'"));
    let output = project.run(2, &["lint"]);
    let told = text(&output.stderr);
    assert!(told.contains("tenant.yml:5: there is no schema Acount"), "{told}");
    assert!(told.contains("did you mean `Account`?"), "{told}");
    let output = project.run(2, &["build", "--set", "target.contract=edf-gbb"]);
    assert!(text(&output.stderr).contains("cannot read the contract edf-gbb"), "{}", text(&output.stderr));
}

/// Every field of the catalogue, each of its own column, in a table for each list of objects.
#[test]
fn every_field_of_the_catalogue_can_be_mapped() {
    let contract = Contract::built_in().unwrap();
    let (mut tables, mut entities) = (String::new(), String::new());
    let mut lines = 0;
    let lists: Vec<&str> = contract.fields().filter(|f| f.kind == Kind::ObjectList).map(|f| f.path.as_str()).collect();
    let list_of = |path: &str| {
        let above = |list: &&&str| path.strip_prefix(**list).is_some_and(|rest| rest.starts_with('.'));
        lists.iter().filter(above).max_by_key(|list| list.len()).copied().unwrap_or("")
    };
    for list in [""].iter().chain(&lists) {
        let (name, entity) = match *list {
            "" => ("account".to_owned(), "account".to_owned()),
            path => (path.replace('.', "_"), format!("entity.\"{path}\"")),
        };
        write!(tables, "[tables.{name}]\nfiles = \"{name}.csv\"\nkey = [\"ID\"]\n").unwrap();
        let parent = if list.is_empty() { "" } else { "parent = [\"PARENT\"]\n" };
        write!(entities, "[{entity}]\ntable = \"{name}\"\n{parent}[{entity}.fields]\n").unwrap();
        for field in contract.fields().filter(|field| list_of(&field.path) == *list) {
            let below = field.path[list.len()..].trim_start_matches('.');
            match field.kind {
                Kind::Object if contract.children(&field.path).next().is_some() => continue,
                Kind::ObjectList => continue,
                Kind::TextList => {
                    let path = &field.path;
                    let table = path.replace('.', "_");
                    write!(tables, "[tables.{table}]\nfiles = \"{table}.csv\"\n").unwrap();
                    // Entities with values stand after this one's fields.
                    write!(tables, "[entity.\"{path}\"]\ntable = \"{table}\"\nparent = [\"PARENT\"]\nvalue = \"V\"\n")
                        .unwrap();
                }
                Kind::Object => writeln!(entities, "\"{below}.{{KEY}}\" = \"VALUE\"").unwrap(),
                _ => writeln!(entities, "\"{below}\" = \"C_{below}\"").unwrap(),
            }
            lines += 1;
        }
    }
    let text = format!("[defaults]\ndate = \"%Y-%m-%d\"\nbool = {{ Y = true, N = false }}\n{tables}{entities}");
    let folder = tempfile::tempdir().unwrap();
    let plan = mapping::load_text(folder.path(), &text, &contract).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().take(10).map(|p| format!("{p}\n")).collect::<Vec<_>>().concat())
    });
    let mapped: usize = plan.entities.iter().map(|entity| entity.fields.len().max(1)).sum();
    assert!(lines > 600 && mapped >= lines, "{mapped} of {lines}");
}

/// What editors would say of a TOML file by a schema that slipway prints.
fn judged(schema: &Value, file: &str) -> Result<(), String> {
    let instance: Value = toml::from_str(file).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    schemas.validate(&instance, index).map_err(|error| format!("{error:#}"))
}

fn printed(topic: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = crate::support::slipway().current_dir(folder.path()).args(["schema", topic]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn editors_know_what_may_stand_in_a_projects_files() {
    let (project, mapping) = (printed("project"), printed("mapping"));
    let samples = crate::support::repository();
    let files = |folder: &str, name: &str| {
        let folders = fs::read_dir(samples.join(folder)).unwrap().map(|entry| entry.unwrap().path().join(name));
        folders.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    for (schema, files) in [(&project, files("samples", "slipway.toml")), (&mapping, files("mappings", "mapping.toml"))]
    {
        assert!(files.len() > 1);
        for path in files {
            judged(schema, &fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }
    // What no sample says.
    let more = "[reference]\nimport_suppliers = \"lists/suppliers.csv\"\n[rules]\n\"postcode-in-use\" = \"off\"\n\
                [target]\nauth = { scheme = \"raw\", file = \"key\" }\n[target.settings]\nconsents = true";
    judged(&project, more).unwrap();
    for wrong in [
        "[rules]\n\"postcode-in-use\" = \"of\"",
        "[target.settings]\nconsent = true",
        "[limits]\nrates = \"5/s\"",
        "[limit]",
        "[target]\nenvironment = \"staging\"",
        "[limits]\nin_flight = \"many\"",
    ] {
        assert!(judged(&project, wrong).is_err(), "{wrong}");
    }
    for (right, wrong) in [
        ("billing_name", "billing_nam"),
        ("column = \"B\"", "colum = \"B\""),
        ("files", "file"),
        ("as = \"text\"", "as = \"txt\""),
    ] {
        let sound = format!("{MAPPING}billing_name = {{ column = \"B\", as = \"text\" }}\n");
        judged(&mapping, &sound).unwrap();
        assert!(judged(&mapping, &sound.replacen(right, wrong, 1)).is_err(), "{wrong}");
    }
    assert!(project["properties"]["limits"].to_string().contains("Bounds on requests"), "keys are described");
    let line = &mapping["definitions"]["Line"]["properties"];
    assert!(line["format"]["description"].is_string() && line["default"]["description"].is_string());
}
