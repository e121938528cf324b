//! `slipway profile`: what a newcomer is told of files that nobody has described.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{repository, slipway, text};

fn profile(directory: &Path, arguments: &[&str]) -> Output {
    let output = slipway().current_dir(directory).args(["profile", "."]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

/// Files of a system unlike any sample.
fn strange(folder: &Path) {
    let mut records = "HDR|20260701|NORTHERN\r\n".to_owned();
    for n in 0..200 {
        write!(records, "CU|{n:08}|M\u{fc}ller{n}|0{}.03.1970|{},20-\r\n", n % 9 + 1, n * 7).unwrap();
        write!(records, "AD|{n:08}|{n} High Street|YO1 {}AB\r\n", n % 9 + 1).unwrap();
    }
    records.push_str("TRL|402\r\n");
    let bytes: Vec<u8> = records.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    fs::write(folder.join("master.dat"), bytes).unwrap();
    let mut readings = "device;read_on;value;note\n".to_owned();
    for n in 0..300 {
        writeln!(
            readings,
            "{:08};2026{:02}{:02};{}.5;{}",
            n % 190,
            n % 12 + 1,
            n % 28 + 1,
            n * 3,
            if n == 7 { "\"two\nlines\"" } else { "" }
        )
        .unwrap();
    }
    readings.push_str("00000001;20260101\n");
    fs::write(folder.join("readings.csv"), readings).unwrap();
    fs::write(folder.join("readme.md"), "not a file of records").unwrap();
}

#[test]
fn dialects_types_keys_and_references_are_found() {
    let folder = tempfile::tempdir().unwrap();
    strange(folder.path());
    insta::assert_snapshot!(text(&profile(folder.path(), &[]).stdout));
    let shown: Value = serde_json::from_slice(&profile(folder.path(), &["--json", "--show-values"]).stdout).unwrap();
    let customers = &shown["files"][0]["record_types"][1];
    assert_eq!(customers["name"], "CU");
    assert_eq!(customers["columns"][4]["least"], "-1393.20");
    assert_eq!(customers["columns"][4]["greatest"], "-0.20");
    assert_eq!(customers["columns"][3]["greatest"], "09.03.1970");
}

#[test]
fn values_are_told_only_when_asked_for() {
    let sample = repository().join("samples/tentacle");
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("profile.html");
    let output = profile(&sample, &["--html", page.to_str().unwrap()]);
    let json = profile(&sample, &["--json"]);
    let page = fs::read_to_string(page).unwrap();
    for secret in crate::demo::customer_details() {
        for told in [&text(&output.stdout), &text(&output.stderr), &text(&json.stdout), &page] {
            assert!(!told.contains(&secret), "the profile tells `{secret}`");
        }
    }
    assert!(page.contains("<meter") && page.contains("prefers-color-scheme: dark") && !page.contains("http://"));
    let shown = text(&profile(&sample, &["--show-values"]).stdout);
    assert!(shown.contains(" from 0"), "extremes are told:\n{shown}");
}

#[test]
fn the_sample_is_known_as_its_mapping_knows_it() {
    let sample = repository().join("samples/tentacle");
    let told: Value = serde_json::from_slice(&profile(&sample, &["--json"]).stdout).unwrap();
    let files = told["files"].as_array().unwrap();
    let table = |name: &str| {
        let file = files.iter().find(|file| file["file"] == format!("{name}.csv")).unwrap();
        file["record_types"][0].clone()
    };
    let contract = slipway::contract::Contract::built_in().unwrap();
    let plan = slipway::mapping::load(&repository().join("mappings/tentacle"), &contract).unwrap();
    let mut known = 0;
    for planned in &plan.tables {
        let found = table(&planned.name);
        let key: Vec<Value> =
            planned.key_columns.iter().map(|column| planned.reads[*column].name.to_string().into()).collect();
        let guessed = found["keys"].as_array().unwrap();
        known += usize::from(guessed.iter().any(|guess| guess["columns"].as_array() == Some(&key)));
        for link in &planned.links {
            let parent = &plan.tables[link.parent];
            let ([column], [_]) = (link.columns.as_slice(), parent.key_columns.as_slice()) else { continue };
            let references = found["references"].as_array().unwrap();
            let names = |reference: &&Value| {
                reference["column"] == *planned.reads[*column].name
                    && reference["file"] == format!("{}.csv", parent.name)
            };
            assert!(references.iter().any(|r| names(&r)), "{}.{}", planned.name, planned.reads[*column].name);
        }
    }
    assert!(known >= 17, "{known} of {} keys are guessed", plan.tables.len());
    // The defects that stand in the truth are told by count.
    let readings = table("readings");
    let orphans: u64 = readings["references"].as_array().unwrap().iter().map(|r| r["orphans"].as_u64().unwrap()).sum();
    assert_eq!(orphans, 1);
    let lost: Vec<&str> = files
        .iter()
        .filter(|file| !file["unreadable"].as_array().unwrap().is_empty())
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(lost, ["notes.csv", "references.csv"]);
}

#[test]
fn a_folder_without_records_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = slipway().arg("profile").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no file of records in"), "{}", text(&output.stderr));
}
