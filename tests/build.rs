//! From extract files to payloads, through the real binary: what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Project, repository, text};

const SAMPLE: (&str, &str) = ("mappings/tentacle", "samples/tentacle");

fn payloads(ndjson: &[u8]) -> BTreeMap<String, Value> {
    text(ndjson)
        .lines()
        .map(|line| {
            let payload: Value = serde_json::from_str(line).unwrap();
            (payload["external_account_number"].as_str().unwrap().to_owned(), payload)
        })
        .collect()
}

#[test]
fn the_guides_account_comes_out_of_its_cells_to_the_digit() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    let made = payloads(&project.build(0));
    let expected = fs::read(repository().join("samples/guide/EXTERNAL-1234.json")).unwrap();
    // Numbers keep their spelling: `21.3` is not `21.30`, and 1 is not 1.0.
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    assert_eq!(made["EXTERNAL-1234"], expected);
}

/// One line of a generated extract's `TRUTH.csv`.
#[derive(Debug, serde::Deserialize)]
struct Truth {
    #[serde(rename = "ACCOUNT_NO")]
    account: String,
    #[serde(rename = "DEFECT")]
    defect: String,
    #[serde(rename = "FILE")]
    file: String,
    #[serde(rename = "RECORD_NO")]
    record: i64,
    #[serde(rename = "LINE_NO")]
    line: i64,
    #[serde(rename = "ACTION")]
    action: String,
}

/// A project with a generated extract, a share of its accounts damaged.
fn generated(accounts: &str, seed: &str, dirty: &str) -> Project {
    let project = Project::with_mapping("mappings/tentacle");
    let arguments =
        ["generate", "--quiet", "--accounts", accounts, "--seed", seed, "--dirty", dirty, "--out", "extract"];
    fs::remove_dir(project.path("extract")).unwrap();
    project.run(0, &arguments);
    project
}

/// What was damaged.
fn truth(project: &Project) -> Vec<Truth> {
    let mut truth = csv::Reader::from_path(project.path("extract/TRUTH.csv")).unwrap();
    truth.deserialize().map(Result::unwrap).collect()
}

fn assert_located(project: &Project, truth: &[Truth]) {
    let located = project.column(
        "SELECT DISTINCT file || ' ' || record || ' ' || line FROM v_findings WHERE source = 'local' AND record IS NOT NULL",
    );
    let located: BTreeSet<String> = located.into_iter().collect();
    let missed: Vec<&Truth> = truth
        .iter()
        .filter(|truth| !located.contains(&format!("{} {} {}", truth.file, truth.record, truth.line)))
        .collect();
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

#[test]
fn whatever_the_seed_the_damaged_accounts_are_rejected_and_no_others() {
    for seed in ["2", "3", "5", "8"] {
        let project = generated("400", seed, "0.2");
        project.run(1, &["build", "--quiet"]);
        let truth = truth(&project);
        assert_eq!(truth.len(), 80, "seed {seed}");
        let rejected = project.column("SELECT external_account_number FROM v_accounts WHERE state = 'rejected'");
        let rejected: BTreeSet<&str> = rejected.iter().map(String::as_str).collect();
        let damaged = truth.iter().filter(|truth| truth.action == "REJECT_ACCOUNT");
        assert_eq!(rejected, damaged.map(|truth| truth.account.as_str()).collect(), "seed {seed}");
        assert_located(&project, &truth);
    }
}

#[test]
fn every_defect_is_found_at_its_record_and_no_clean_account_is_touched() {
    let (clean, dirty) = (generated("1500", "11", "0"), generated("1500", "11", "0.12"));
    let (whole, left) = (payloads(&clean.build(0)), payloads(&dirty.build(1)));
    assert_eq!(whole.len(), 1500);
    let truth = truth(&dirty);
    let kinds: BTreeSet<&str> = truth.iter().map(|truth| truth.defect.as_str()).collect();
    assert_eq!(kinds.len(), 34, "every kind of defect is there");

    let rejected: BTreeSet<&str> =
        truth.iter().filter(|truth| truth.action == "REJECT_ACCOUNT").map(|truth| truth.account.as_str()).collect();
    let absent: BTreeSet<&str> =
        whole.keys().map(String::as_str).filter(|account| !left.contains_key(*account)).collect();
    assert_eq!(absent, rejected);

    assert_located(&dirty, &truth);

    let named: BTreeSet<&str> = truth.iter().map(|truth| truth.account.as_str()).collect();
    for (account, payload) in left.iter().filter(|(account, _)| !named.contains(account.as_str())) {
        assert_eq!(payload, &whole[account], "a clean account changed");
    }
    assert_every_record_is_in_one_bucket(&dirty);
}

fn assert_every_record_is_in_one_bucket(project: &Project) {
    let open = project.column(
        "SELECT file FROM v_extract_files WHERE records <> quarantined + duplicate + orphaned + not_selected + filtered \
         + rejected + used",
    );
    assert!(open.is_empty(), "records of {open:?} are lost");
}

/// The records of a file, each with its line feed, after its header; quoted line breaks kept inside.
fn records(text: &str) -> (String, Vec<String>) {
    let (header, rest) = text.split_once('\n').unwrap();
    let mut records = vec![String::new()];
    let mut quoted = false;
    for c in rest.chars() {
        quoted ^= c == '"';
        records.last_mut().unwrap().push(c);
        if c == '\n' && !quoted {
            records.push(String::new());
        }
    }
    records.pop();
    (format!("{header}\n"), records)
}

fn for_each_file(extract: &Path, change: impl Fn(&str) -> String) {
    for entry in fs::read_dir(extract).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Damaged records may hold stray quotes and bytes that are no text: the clean extract is shuffled.
        if path.extension().is_some_and(|extension| extension == "csv") && name != "MANIFEST.csv" && name != "TRUTH.csv"
        {
            let changed = change(&fs::read_to_string(&path).unwrap());
            fs::write(&path, changed).unwrap();
        }
    }
}

#[test]
fn the_order_of_the_records_does_not_matter() {
    let project = generated("1500", "11", "0");
    let expected = project.build(0);
    for_each_file(&project.path("extract"), |text| {
        let (header, mut records) = records(text);
        records.reverse();
        let middle = records.len() / 3;
        records.rotate_left(middle);
        header + &records.concat()
    });
    assert!(project.build(0) == expected, "payloads changed with the order of the records");
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let project = generated("1500", "11", "0.05");
    let expected = project.build(1);
    for threads in ["1", "2", "8"] {
        let mut build = project.command(&["build", "--quiet", "--out", "again.ndjson"]);
        assert_eq!(build.env("RAYON_NUM_THREADS", threads).output().unwrap().status.code(), Some(1));
        assert!(fs::read(project.path("again.ndjson")).unwrap() == expected, "payloads changed with {threads} threads");
    }
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    let project = generated("1500", "11", "0");
    let expected = project.build(0);
    for_each_file(&project.path("extract"), |text| {
        let (header, records) = records(text);
        let crlf = |record: &String| record.strip_suffix('\n').unwrap().to_owned() + "\r\n";
        format!("\u{feff}{}\r\n\r\n{}", header.trim_end(), records.iter().map(crlf).collect::<String>())
    });
    assert!(project.build(0) == expected, "payloads changed with the line ends");
}

#[test]
fn a_record_missing_from_what_the_sender_promised_blocks_the_build() {
    let project = Project::new(SAMPLE.0, SAMPLE.1);
    project.edit("extract/MANIFEST.csv", |text| text.replacen("accounts.csv,", "accounts.csv,1", 1));
    let output = project.run(1, &["build"]);
    let said = text(&output.stdout);
    assert!(said.contains("blocked") && said.contains("records into accounts.csv"), "{said}");
    let cells = project
        .column("SELECT file || ':' || line || ':' || column FROM v_findings WHERE code = 'control_total_mismatch'");
    assert_eq!(cells, ["MANIFEST.csv:2:RECORD_COUNT"]);
}

#[test]
fn an_empty_file_is_a_table_without_records_and_a_missing_one_is_told() {
    let project = Project::new(SAMPLE.0, SAMPLE.1);
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    fs::write(project.path("extract/campaigns.csv"), "").unwrap();
    project.build(1);
    assert_eq!(project.column("SELECT CAST(records AS TEXT) FROM v_extract_files WHERE file = 'campaigns.csv'"), ["0"]);
    assert_every_record_is_in_one_bucket(&project);
    fs::remove_file(project.path("extract/campaigns.csv")).unwrap();
    let output = project.run(2, &["build"]);
    assert!(
        text(&output.stderr).contains("table `campaigns`: no file matches `campaigns.csv`"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_wave_and_a_limit_choose_accounts_and_lose_no_record() {
    let project = Project::new(SAMPLE.0, SAMPLE.1);
    let all: Vec<String> = payloads(&project.build(1)).into_keys().collect();
    fs::write(project.path("wave.txt"), format!("# the first night\n{}\nTENTACLE_ENERGY,{}\n", all[3], all[7]))
        .unwrap();
    project.run(1, &["build", "--quiet", "--wave", "night-1=wave.txt", "--out", "wave.ndjson"]);
    let chosen: Vec<String> = payloads(&fs::read(project.path("wave.ndjson")).unwrap()).into_keys().collect();
    assert_eq!(chosen, [all[3].clone(), all[7].clone()]);
    assert_every_record_is_in_one_bucket(&project);
    project.run(1, &["build", "--quiet", "--limit", "5", "--out", "limit.ndjson"]);
    let count = text(&fs::read(project.path("limit.ndjson")).unwrap()).lines().count();
    assert!((3..=5).contains(&count), "{count} of at most 5 accounts");
}

#[test]
fn payloads_of_a_supplier_that_is_not_listed_go_nowhere() {
    let project = Project::new(SAMPLE.0, SAMPLE.1);
    project.edit("slipway.toml", |text| text.replace("TENTACLE_ENERGY", "SOMEBODY_ELSE"));
    assert!(project.build(1).is_empty(), "not even into a file");
    assert_eq!(project.column("SELECT DISTINCT state FROM v_accounts"), ["rejected"]);
    assert!(project.column("SELECT DISTINCT code FROM v_findings").contains(&"supplier_not_listed".to_owned()));
}

#[test]
fn a_name_on_a_list_that_no_account_has_is_told() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    fs::write(project.path("wave.txt"), "\u{feff}EXTERNAL-1234\nOTHER,EXTERNAL-1234\nEXTERNAL-9\n").unwrap();
    project.run(1, &["build", "--wave", "w=wave.txt"]);
    assert_eq!(project.column("SELECT state FROM v_accounts"), ["ready"]);
    let told = project.column("SELECT message FROM v_findings WHERE code = 'unknown_account' ORDER BY message");
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("EXTERNAL-9,") && told[1].contains("OTHER,EXTERNAL-1234,"), "{told:?}");
    fs::write(project.path("empty.txt"), "\n").unwrap();
    let output = project.run(2, &["build", "--wave", "w=empty.txt"]);
    assert!(text(&output.stderr).contains("lists no account for wave `w`"), "{}", text(&output.stderr));
    project.run(1, &["build", "--wave", "w"]);
}

#[test]
fn an_account_without_a_name_and_one_with_two_records_are_not_passed_over() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    let record = |text: &str, number: &str, key: &str| {
        let first = text.lines().nth(1).unwrap();
        let surrogate = first.split(';').next().unwrap();
        let keyed = first.replacen(surrogate, key, 1);
        format!("{}\n", keyed.replace("EXTERNAL-1234", number))
    };
    let original = fs::read_to_string(project.path("extract/household.csv")).unwrap();
    fs::write(project.path("extract/household.csv"), format!("{original}{}", record(&original, "", "9001"))).unwrap();
    project.run(1, &["build"]);
    assert_eq!(project.column("SELECT code FROM v_findings WHERE code = 'account_without_name'").len(), 1);
    assert_every_record_is_in_one_bucket(&project);
    let twin = record(&original, "EXTERNAL-1234", "9001");
    fs::write(project.path("extract/household.csv"), format!("{original}{twin}")).unwrap();
    project.run(1, &["build"]);
    assert_eq!(project.column("SELECT state FROM v_accounts"), ["rejected"]);
    assert_eq!(project.column("SELECT DISTINCT code FROM v_findings WHERE code = 'duplicate_account'").len(), 1);
    project.run(0, &["reconcile"]);
}

#[test]
fn a_value_that_is_absent_is_told_once_by_its_most_specific_code() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    project.edit("mapping/mapping.toml", |text| {
        text.replace("transaction_id = \"entry\"", "transaction_id = \"paid_by\"")
    });
    project.run(1, &["build", "--quiet"]);
    let told = "SELECT path || ' ' || code FROM v_findings WHERE path LIKE '%.transaction_id' AND severity = 'error' \
                AND code <> 'duplicate_transaction_ids' ORDER BY path";
    let told = project.column(told);
    assert!(told.len() >= 2 && told.iter().all(|told| told.ends_with(" missing_transaction_id")), "{told:?}");
}

#[test]
fn blank_lines_before_a_header_are_no_header() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    let expected = project.build(0);
    project.edit("extract/person.csv", |text| format!("\r\n\n{text}"));
    assert!(project.build(0) == expected);
    project.edit("extract/person.csv", |text| text.replace("02072343456", "abcde"));
    project.build(1);
    let cells = project
        .column("SELECT file || ':' || record || ':' || line FROM v_findings WHERE code = 'invalid_phone_number'");
    assert_eq!(cells, ["person.csv:2:5"], "lines are counted from the top of the file");
    fs::write(project.path("extract/person.csv"), "").unwrap();
    project.build(1);
    assert_eq!(project.column("SELECT file FROM v_findings WHERE code = 'empty_file'"), ["person.csv"]);
}

#[test]
fn two_documents_do_not_fit_on_standard_output() {
    let project = Project::new("mappings/guide", "samples/guide");
    project.settings("run_date = \"2019-09-01\"", "http://127.0.0.1:9");
    let output = project.run(2, &["build", "--json", "--out", "-"]);
    assert!(text(&output.stderr).contains("both want standard output"));
}
