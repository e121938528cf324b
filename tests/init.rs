//! `slipway init`: what a newcomer starts from, and how far it is from a mapping that somebody reviewed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use slipway::contract::Contract;
use slipway::mapping;

use crate::support::{copy, repository, slipway, text};

fn run(folder: &Path, code: i32, arguments: &[&str]) -> Output {
    let output = slipway().current_dir(folder).args(arguments).output().unwrap();
    let told = || format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "slipway {}: {}", arguments.join(" "), told());
    output
}

/// A folder with the extract of a sample and a project that was begun from it.
fn begun(sample: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&repository().join("samples").join(sample), &folder.path().join("extracts"));
    fs::remove_file(folder.path().join("extracts/slipway.toml")).unwrap();
    fs::remove_file(folder.path().join("extracts/TRUTH.csv")).ok();
    run(folder.path(), 0, &["init", "project", "--from", "extracts"]);
    folder
}

#[test]
fn a_draft_can_be_used_and_lint_says_what_is_left() {
    for sample in ["tentacle", "guide"] {
        let folder = begun(sample);
        let output = run(folder.path(), 1, &["lint", "--project", "project/slipway.toml", "--json"]);
        let lint: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(lint["errors"].as_array().unwrap().len(), 0, "{sample}: {}", lint["errors"]);
        let told: Vec<&str> =
            lint["warnings"].as_array().unwrap().iter().map(|warning| warning["message"].as_str().unwrap()).collect();
        assert!(told[0].contains("still to be decided"), "{sample}: {told:?}");
        let first = |part: &str| told.iter().position(|message| message.contains(part)).unwrap_or(usize::MAX);
        let last = |part: &str| told.iter().rposition(|message| message.contains(part)).unwrap_or(0);
        assert!(last("is required") < first("no line uses"), "{sample}: {told:?}");
        let text = fs::read_to_string(folder.path().join("project/slipway.toml")).unwrap();
        assert!(text.starts_with("#:schema ./schema/project.json\n"));
        assert!(folder.path().join("project/schema/mapping.json").is_file());
    }
}

/// The lines `path = column` of a mapping, through declared columns.
fn lines(directory: &Path) -> BTreeSet<(String, String)> {
    let contract = Contract::built_in().unwrap();
    let plan = mapping::load(directory, &contract).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut lines = BTreeSet::new();
    for entity in &plan.entities {
        for field in &entity.fields {
            for column in field.lines.iter().flat_map(|line| &line.columns) {
                let path = format!("{}.{}", entity.path, field.path);
                lines.insert((path.trim_start_matches('.').to_owned(), column.to_string()));
            }
        }
    }
    lines
}

#[test]
fn most_of_what_is_guessed_is_what_a_reviewer_wrote() {
    let folder = begun("tentacle");
    let guessed = lines(&folder.path().join("project/mappings/extracts"));
    let reviewed = lines(&repository().join("mappings/tentacle"));
    let right = guessed.intersection(&reviewed).count();
    let wrong: Vec<_> = guessed.difference(&reviewed).collect();
    assert!(right * 10 >= guessed.len() * 9, "{right} of {} are right, not {wrong:?}", guessed.len());
    assert!(right * 2 >= reviewed.len(), "{right} of {} are guessed", reviewed.len());
}

#[test]
fn a_first_payload_is_checked_as_soon_as_the_supplier_is_named() {
    let folder = begun("tentacle");
    for file in ["project/slipway.toml", "project/mappings/extracts/mapping.toml"] {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"TODO\"", "\"TENTACLE_ENERGY\"")).unwrap();
    }
    let built = run(folder.path(), 1, &["build", "--quiet", "--json", "--project", "project/slipway.toml"]);
    assert!(text(&built.stdout).contains("200"), "{}", text(&built.stdout));
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let folder = begun("guide");
    let settings = folder.path().join("project/slipway.toml");
    fs::write(&settings, "mine").unwrap();
    fs::remove_file(folder.path().join("project/.gitignore")).unwrap();
    let output = run(folder.path(), 2, &["init", "project", "--from", "extracts"]);
    assert!(text(&output.stderr).contains("slipway.toml is there already"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(settings).unwrap(), "mine");
    assert!(!folder.path().join("project/.gitignore").exists(), "nothing was written");
}

#[test]
fn a_project_can_be_begun_without_extracts() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 0, &["init", "empty"]);
    let output = run(folder.path(), 1, &["lint", "--project", "empty/slipway.toml"]);
    assert!(text(&output.stdout).contains("no file matches `accounts.csv`"), "{}", text(&output.stdout));
}

/// One file holds the customers and their homes, and nothing is called like the files.
#[test]
fn what_stands_side_by_side_in_one_record_is_found_and_the_other_files_are_described() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("extracts")).unwrap();
    let (mut members, mut visits) = (
        "MemberNo;Forename;Surname;EMail;SiteNo;SiteAddress1;SitePostcode;SiteStart;MPAN;SSC\n".to_owned(),
        "Visit;MemberNo;Seen;Kwh\n".to_owned(),
    );
    for n in 10..40 {
        let name = ["Alun", "Beth", "Carys"][n % 3];
        let home = format!("S{n};{n} High Street;SA44 4AA;01/02/20{n};10000031000{n};0393");
        writeln!(members, "M{n};{name};Parry{n};a{n}@example.org;{home}").unwrap();
        for visit in [n, n + 100] {
            writeln!(visits, "V{visit};M{n};2026-05-{};1{n},5", 10 + n % 20).unwrap();
        }
    }
    fs::write(folder.path().join("extracts/MEMBERS.csv"), members).unwrap();
    fs::write(folder.path().join("extracts/VISITS.csv"), visits).unwrap();
    run(folder.path(), 0, &["init", "project", "--from", "extracts"]);
    let mapping = fs::read_to_string(folder.path().join("project/mappings/extracts/mapping.toml")).unwrap();
    for line in [
        "[entity.\"customers\"]\ntable = \"members\"\nparent = [\"MemberNo\"]",
        "family_name = \"Surname\"",
        "[entity.\"supply_addresses\"]\ntable = \"members\"\nparent = [\"MemberNo\"]",
        "supply_postcode = \"SitePostcode\"",
        "identifier = \"MPAN\"",
        "# [tables.visits]\n# files = \"VISITS.csv\"\n# key = [\"Visit\"]\n# delimiter = \";\"",
        "# # MemberNo names a record of MEMBERS.csv by MemberNo",
    ] {
        assert!(mapping.contains(line), "{line} is not in\n{mapping}");
    }
    let output = run(folder.path(), 1, &["lint", "--project", "project/slipway.toml", "--json"]);
    let lint: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(lint["errors"].as_array().unwrap().len(), 0, "{}", lint["errors"]);
}
