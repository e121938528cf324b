//! Extracts without headers, with control records and several types of records in a file, repeated groups, joins and
//! days of validity: the sample `kestrel`, whole and damaged.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use slipway::sandbox::{self, SandboxOptions};

use crate::support::{Project, repository, text};

/// The sample as a project that sends to `url`.
pub(crate) fn kestrel(url: &str) -> Project {
    let project = Project::new("mappings/kestrel", "samples/kestrel");
    project.settings("run_date = \"2026-07-01\"", url);
    project.edit("slipway.toml", |text| text.replace("TENTACLE_ENERGY", "KESTREL"));
    project
}

/// Changes the records of a file of the extract; its control records stay.
fn edit(project: &Project, name: &str, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let path = project.path("extract").join(name);
    let bytes = fs::read(&path).unwrap();
    let mut lines: Vec<String> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.iter().map(|byte| char::from(*byte)).collect())
        .collect();
    let (header, trailer) = (lines.remove(0), lines.pop().unwrap());
    let lines = [vec![header], change(lines), vec![trailer]].concat().concat();
    fs::write(path, lines.chars().map(|letter| u8::try_from(letter).unwrap()).collect::<Vec<u8>>()).unwrap();
}

/// Changes the text of a file of the extract, byte by byte.
fn edit_text(project: &Project, name: &str, change: impl FnOnce(String) -> String) {
    let path = project.path("extract").join(name);
    let text: String = fs::read(&path).unwrap().iter().map(|byte| char::from(*byte)).collect();
    fs::write(path, change(text).chars().map(|letter| u8::try_from(letter).unwrap()).collect::<Vec<u8>>()).unwrap();
}

fn unzip(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn zip(path: &Path, text: &str) {
    let mut file = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

#[test]
fn the_payloads_are_the_same_on_any_threads_in_any_memory_and_any_order() {
    let built = |project: &Project, threads: &str, memory: &str| {
        fs::remove_dir_all(project.path(".slipway")).ok();
        let memory = format!("limits.memory={memory}");
        let arguments = ["build", "--quiet", "--out", "payloads.ndjson", "--set", &memory];
        let output = project.command(&arguments).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let findings = "SELECT coalesce(external_account_number, '') || code || coalesce(file, '') || coalesce(line, 0) || \
                        coalesce(\"column\", '') || message FROM v_findings ORDER BY 1";
        (fs::read(project.path("payloads.ndjson")).unwrap(), project.column(findings))
    };
    let project = kestrel("http://127.0.0.1:9");
    let first = built(&project, "1", "1GiB");
    for (threads, memory) in [("2", "1GiB"), ("8", "1GiB"), ("1", "64MiB"), ("8", "64MiB")] {
        assert!(built(&project, threads, memory) == first, "{threads} threads, {memory}");
    }
    for name in ["KPART.txt", "KSITE.txt", "KCONT.txt", "KDEV.txt", "KFICA.txt", "KNOTE.txt"] {
        edit(&project, name, |lines| lines.into_iter().rev().collect());
    }
    assert!(built(&project, "2", "1GiB").0 == first.0, "the order of records matters");
}

#[test]
fn every_record_of_a_file_is_in_one_bucket_of_one_table() {
    let project = kestrel("http://127.0.0.1:9");
    project.build(1);
    for name in ["KPART.txt", "KSITE.txt", "KCONT.txt", "KDEV.txt", "KFICA.txt", "KNOTE.txt"] {
        let lines = fs::read(project.path("extract").join(name)).unwrap().split(|byte| *byte == b'\n').count() - 1;
        // Rows that are made of another table's records are counted by themselves.
        let query = format!(
            "SELECT sum(records) || '=' || sum(quarantined + duplicate + orphaned + not_selected + filtered + rejected + \
             used) FROM v_extract_files WHERE file = '{name}' AND \"table\" NOT IN ('contacts', 'registers', 'readings')"
        );
        let records = lines - 2;
        assert_eq!(project.column(&query), [format!("{records}={records}")], "{name}");
    }
    let open = "SELECT file || ' ' || \"table\" FROM v_extract_files WHERE records <> quarantined + duplicate + orphaned \
                + not_selected + filtered + rejected + used";
    assert_eq!(project.column(open), Vec::<String>::new());
}

#[test]
fn a_file_that_is_not_as_its_trailer_says_stops_everything() {
    let project = kestrel("http://127.0.0.1:9");
    let blocked = |project: &Project| {
        let output = text(&project.run(1, &["build", "--quiet"]).stdout);
        output.lines().filter(|line| line.starts_with("blocked")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(blocked(&project), Vec::<String>::new());
    edit_text(&project, "KFICA.txt", |text| {
        // A booking and its trailer's count go, its amounts stay promised.
        let lines: Vec<&str> = text.lines().collect();
        let gone = lines.iter().position(|line| line.starts_with("85|")).unwrap();
        let rest: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect();
        rest.join("\r\n") + "\r\n"
    });
    edit_text(&project, "KNOTE.txt", |text| {
        text.lines().filter(|line| !line.starts_with("TRL")).collect::<Vec<_>>().join("\r\n")
    });
    let readings = project.path("extract/readings_2025.csv.gz");
    zip(&readings, &(unzip(&readings) + &unzip(&project.path("extract/readings_2026.csv.gz"))));
    let told = blocked(&project);
    assert_eq!(told.len(), 6, "{told:#?}");
    let all = told.join("\n");
    for part in [
        "KFICA.txt: the trailer promises 1",
        "as the sum of ",
        "KNOTE.txt: the file does not end with its trailer",
        "readings_2025.csv.gz: the file does not begin with its header",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    project.run(5, &["submit", "--quiet"]);
}

#[test]
fn a_trailers_totals_stand_beside_what_was_counted_and_are_waived_by_name() {
    let project = kestrel("http://127.0.0.1:9");
    let build = |more: &[&str]| text(&project.run(1, &[&["build", "--quiet"], more].concat()).stdout);
    build(&[]);
    let totals = "SELECT file || ' ' || total || ' ' || promised || ' ' || counted || ' ' || agrees \
                  FROM v_control_totals WHERE origin = 'trailer' AND file = 'KFICA.txt' ORDER BY total";
    assert_eq!(
        project.column(totals),
        [
            "KFICA.txt CREDIT 73074.93 73074.93 1",
            "KFICA.txt DEBIT 73032.33 73032.33 1",
            "KFICA.txt records 1240 1240 1"
        ]
    );
    let files = "SELECT count(DISTINCT file) || '' FROM v_control_totals WHERE agrees AND total = 'records'";
    assert_eq!(project.column(files), ["8"]);
    project.run(0, &["reconcile", "--quiet"]);

    edit_text(&project, "KFICA.txt", |text| text.replace("|73.032,33|", "|73.032,34|"));
    assert!(build(&[]).contains("blocked"), "a penny is missing");
    assert_eq!(project.column(totals)[1], "KFICA.txt DEBIT 73032.34 73032.33 0");
    let told = text(&project.run(1, &["reconcile"]).stdout);
    assert!(told.contains("KFICA.txt: DEBIT promised by the trailer = counted"), "{told}");
    let told = build(&["--waive", "KFICA.txt:DEBIT", "--reason", "told by the sender"]);
    assert!(!told.contains("blocked"), "{told}");
    assert!(!build(&[]).contains("blocked"), "a waiver holds as long as the numbers do");
    project.run(0, &["reconcile", "--quiet"]);
    // The manifest's way of naming a total that both promise waives both.
    let manifest = "FILE_NAME,RECORD_COUNT\nKNOTE.txt,999999\n";
    fs::write(project.path("extract/MANIFEST.csv"), manifest).unwrap();
    project.edit("slipway.toml", |text| text.replace("[target]", "manifest = \"MANIFEST.csv\"\n[target]"));
    edit_text(&project, "KNOTE.txt", |text| {
        let trailer = text.lines().last().unwrap().to_owned();
        text.replace(&trailer, "TRL|00999999")
    });
    let told = build(&[]);
    assert_eq!(told.lines().filter(|line| line.starts_with("blocked") && line.contains("KNOTE")).count(), 2, "{told}");
    let told = build(&["--waive", "KNOTE.txt:records", "--reason", "told by the sender"]);
    assert!(!told.lines().any(|line| line.starts_with("blocked") && line.contains("KNOTE")), "{told}");
}

/// A number as the sample writes it, `1.234,56-`, in pence.
fn pence(text: &str) -> Option<i64> {
    let (digits, sign) = text.strip_suffix('-').map_or((text, 1), |digits| (digits, -1));
    let (pounds, rest) = digits.split_once(',')?;
    Some(sign * (pounds.replace('.', "").parse::<i64>().ok()? * 100 + rest.parse::<i64>().ok()?))
}

#[test]
fn debits_and_credits_balance_to_the_penny_however_they_are_written() {
    let project = kestrel("http://127.0.0.1:9");
    project.run(1, &["build", "--quiet"]);
    project.run(0, &["reconcile", "--quiet"]);
    let lookup = fs::read_to_string(project.path("mapping/lookups/transaction.csv")).unwrap();
    let types: std::collections::BTreeMap<&str, &str> = lookup
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(code, rest)| (code, rest.split(',').next().unwrap()))
        .collect();
    // (list, type, sign) → pence, as the file has them: one column takes, the other gives.
    let mut sums = std::collections::BTreeMap::<(&str, &str, i64), i64>::new();
    let bookings = fs::read(project.path("extract/KFICA.txt")).unwrap();
    let bookings = String::from_utf8_lossy(&bookings).into_owned();
    for line in bookings.lines().filter(|line| line.starts_with("85|")) {
        let cells: Vec<&str> = line.split('|').collect();
        let amount = |text: &str| if text.is_empty() { Some(0) } else { pence(text) };
        let (Some(debit), Some(credit)) = (amount(cells[7]), amount(cells[8])) else { continue };
        // Both at once is a defect, and no amount.
        if debit != 0 && credit != 0 {
            continue;
        }
        let variant = types.get(cells[4]).copied().unwrap_or_default();
        let given = if ["PAYMENT", "CREDIT"].contains(&variant) { credit - debit } else { debit - credit };
        let list = if cells[6] == "C" { "current" } else { "historical" };
        *sums.entry((list, variant, given.signum())).or_default() += given;
    }
    sums.retain(|(_, _, sign), _| *sign != 0);
    assert!(sums.len() >= 9, "{sums:?}");
    for ((list, variant, sign), pence) in sums {
        let told = project.column(&format!(
            "SELECT sum(pence) || '' FROM v_money WHERE stage = 'source' AND field = 'amount' \
             AND entity = 'ledgers.{list}_statement_transactions' AND variant = '{variant}' AND sign = {sign}"
        ));
        assert_eq!(told, [pence.to_string()], "{list} {variant} {sign}");
    }
    // Balances, whose sign stands behind them.
    let accounts = String::from_utf8_lossy(&fs::read(project.path("extract/KPART.txt")).unwrap()).into_owned();
    let accounts = accounts.lines().filter(|line| line.starts_with("10|"));
    let balances: i64 = accounts.filter_map(|line| pence(line.split('|').nth(10).unwrap())).sum();
    let told = "SELECT sum(pence) || '' FROM v_money WHERE stage = 'source' AND field = 'transfer_balance'";
    assert_eq!(project.column(told), [balances.to_string()]);
}

#[test]
fn a_reading_between_two_installations_is_told_with_both() {
    let project = kestrel("http://127.0.0.1:9");
    project.build(1);
    let query = "SELECT file || ':' || coalesce(\"column\", '-') FROM v_findings WHERE code = 'orphaned_record' AND message \
                 LIKE '%was valid on the day%'";
    let cells = project.column(query);
    assert_eq!(cells.len(), 4, "the reading's device and day, and the two installations: {cells:#?}");
    assert!(cells.iter().any(|cell| cell == "readings_2026.csv.gz:DEVICE [2]"), "{cells:#?}");
    assert!(cells.iter().any(|cell| cell == "readings_2026.csv.gz:READ_ON [3]"), "{cells:#?}");
    assert_eq!(cells.iter().filter(|cell| *cell == "KDEV.txt:-").count(), 2, "{cells:#?}");
}

#[test]
fn a_cell_of_a_repeated_group_is_named_as_the_file_names_it() {
    let project = kestrel("http://127.0.0.1:9");
    let path = project.path("extract/readings_2026.csv.gz");
    let text = unzip(&path);
    let line =
        text.lines().position(|line| line.split('|').nth(8).is_some_and(|register| !register.is_empty())).unwrap();
    let damaged: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(at, text)| {
            let mut cells: Vec<&str> = text.split('|').collect();
            if at == line {
                cells[9] = "12A4";
            }
            cells.join("|")
        })
        .collect();
    zip(&path, &(damaged.join("\r\n") + "\r\n"));
    project.build(1);
    let found = project.column("SELECT file || ':' || line || ':' || \"column\" FROM v_findings WHERE code = 'malformed_number' AND file LIKE 'read%'");
    assert_eq!(found, [format!("readings_2026.csv.gz:{}:READ_2 [10]", line + 1)]);
}

#[test]
fn a_changed_file_restages_what_it_is_joined_to_and_gives_what_a_new_build_gives() {
    let project = kestrel("http://127.0.0.1:9");
    project.build(1);
    let again = text(&project.run(1, &["build"]).stderr);
    assert!(again.contains(" tables are as an earlier build read them"), "{again}");
    edit_text(&project, "KDEV.txt", |text| text.replacen("|S2", "|S1", 1));
    let reused = project.build(1);
    let files = "SELECT file || \"table\" || records || used || orphaned || filtered FROM v_extract_files WHERE build = \
                 (SELECT max(build) FROM v_extract_files) ORDER BY 1";
    let counted = project.column(files);
    fs::remove_dir_all(project.path(".slipway")).unwrap();
    assert!(project.build(1) == reused);
    assert_eq!(project.column(files), counted);
}

#[test]
fn the_sample_is_migrated_into_the_sandbox() {
    let sandbox = sandbox::start(SandboxOptions::default()).unwrap();
    let project = kestrel(&sandbox.url);
    let settings = ["limits.rate=500/s", "follow.every=50ms", "stop.rejected=20%"];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    project.run(1, &["run", "--quiet"].into_iter().chain(settings).collect::<Vec<_>>());
    let states = project.column("SELECT state || ' ' || count(*) FROM v_accounts GROUP BY state ORDER BY state");
    assert_eq!(states, ["processed 34", "rejected 6"]);
    assert_eq!(project.column("SELECT name FROM v_identities WHERE NOT balanced"), Vec::<String>::new());
    let accounts = sandbox.accounts();
    assert_eq!(accounts.len(), 34);
    assert!(accounts.iter().all(|account| account.effects == 1), "{accounts:?}");
}

#[test]
fn a_value_is_traced_to_its_cell_in_a_file_without_a_header() {
    let project = kestrel("http://127.0.0.1:9");
    project.build(1);
    let account = &project.column("SELECT external_account_number FROM v_accounts WHERE state = 'ready' ORDER BY 1")[0];
    let told = |path: &str| text(&project.run(0, &["show", account, "--why", path, "--show-values"]).stdout);
    let kind = told("account_type");
    assert!(kind.contains("D -> DOMESTIC") && kind.contains(":OPTIONS [3]  D-"), "{kind}");
    let reading = told("supply_addresses.0.meter_points.0.meters.0.reading_history.0.reading_value");
    assert!(reading.contains("cell     readings_202") && reading.contains(":READ_1 [8]  000"), "{reading}");
}

#[test]
fn groups_types_and_days_are_for_files_with_a_header_too() {
    let project = Project::with_mapping("mappings/guide");
    let mapping = r#"
[defaults]
date = "%d/%m/%Y"
control = { trailer = "END" }
[tables.accounts]
files = "all.csv"
records = { TYPE = "A" }
key = ["NO"]
[tables.accounts.columns]
ON = { as = "date" }
NAME = { join = "names", by = { HOLDER = "NO" }, take = "TEXT", valid = { on = "ON", from = "FROM", to = "TO", end = "exclusive" } }
[tables.names]
files = "names.csv"
key = ["HOLDER", "FROM"]
[tables.pages]
files = "all.csv"
records = { TYPE = ["P", "Q"] }
key = ["NO", "ON"]
[tables.notes]
of = "pages"
repeat = [{ TEXT = "ONE", PLACE = { value = "1" } }, { TEXT = "TWO", PLACE = { value = "2" } }]
key = ["NO", "ON", "PLACE"]
[account]
table = "accounts"
[account.fields]
import_supplier = { value = "TENTACLE_ENERGY" }
external_account_number = "NO"
billing_name = "NAME"
transfer_balance = { column = "ONE", as = "money", unit = "pounds", implied = 2, negate = true, places = 2 }
[entity.notes]
table = "notes"
parent = ["NO"]
order = ["ON", "PLACE"]
[entity.notes.fields]
created_at = { column = "ON", as = "date" }
body = { expr = "{{ PLACE }}: {{ TEXT }}" }
"#;
    fs::write(project.path("mapping/mapping.toml"), mapping).unwrap();
    let case = project.path("mapping/tests/groups");
    fs::create_dir_all(&case).unwrap();
    let all = "TYPE,NO,ON,ONE,TWO\nP,1,02/01/2026,,b\nA,1,01/02/2026,0001250,\nX,1,,,\nQ,1,01/01/2026,c,d\nP,1,03/01/2026,,\nEND,5\n";
    fs::write(case.join("all.csv"), all).unwrap();
    fs::write(case.join("names.csv"), "HOLDER,FROM,TO,TEXT\n1,,01/02/2026,before\n1,01/02/2026,,after\nEND\n").unwrap();
    let note = |day: &str, body: &str| format!("{{\"created_at\":\"2026-01-{day}\",\"body\":\"{body}\"}}");
    let expected = format!(
        "{{\"import_supplier\":\"TENTACLE_ENERGY\",\"external_account_number\":\"1\",\"billing_name\":\"after\",\
         \"transfer_balance\":\"-12.50\",\"notes\":[{},{},{}]}}",
        note("01", "1: c"),
        note("01", "2: d"),
        note("02", "2: b")
    );
    fs::write(case.join("expect.json"), expected).unwrap();
    let output = project.command(&["lint"]).output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("test groups: ok"), "{said}");
    assert!(said.contains("0 errors"), "{said}");
}

/// What `lint` says of the mapping of the sample after `change`.
fn linted(change: impl FnOnce(String) -> String) -> String {
    let project = Project::with_mapping("mappings/kestrel");
    project.edit("mapping/mapping.toml", change);
    let said = text(&project.run(2, &["lint"]).stdout);
    said.lines()
        .filter(|line| !["test ", "warning: ", "notice: "].iter().any(|start| line.starts_with(start)))
        .filter(|line| !line.contains(" fields of the target ") && !line.contains(" columns of the extract "))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn what_is_wrong_with_a_layout_is_told_where_it_stands() {
    let read = linted(|text| {
        text.replacen("sum = { DEBIT = 3, CREDIT = 4 }", "sum = { DEBIT = 3, CREDIT = 0 }", 1)
            .replacen("records = { REC = \"15\" }", "records = { REC = \"15\", ACCOUNT = \"1\" }", 1)
            .replacen("\"PREMISES\", \"LINE_1\", \"LINE_2\"", "\"PREMISES\", \"LINE_1\", \"LINE_1\"", 1)
            .replacen("{ KIND = \"KIND_2\", CONTACT", "{ KEND = \"KIND_2\", CONTACT", 1)
            .replacen("of = \"visits\"\n", "files = \"readings.csv\"\n", 1)
            .replacen("sign = \"trailing\"", "sign = \"behind\"", 1)
    });
    let layouts = linted(|text| {
        text.replacen("records = { REC = \"15\" }", "records = { RECC = \"10\" }", 1)
            .replacen("of = \"partners\"", "of = \"partner\"", 1)
            .replacen("records = { REC = \"80\" }", "", 1)
            .replacen("sum = { DEBIT = 3, CREDIT = 4 }", "sum = { DEBT = 3, CREDIT = 4 }", 1)
            .replacen("header = [\"\", \"NOTE\", \"ACCOUNT\", \"WRITTEN\", \"TEXT\"]", "", 1)
            .replacen("files = \"KCONT.txt\"", "files = \"KCONT.txt\"\ndelimiter = \";\"", 1)
    });
    let lines = linted(|text| {
        text.replacen("part = { from = 2, to = 3 }", "part = { from = 3, to = 2 }", 1)
            .replacen("split = { by = \"-\", take = 2 }", "split = { by = \"\", take = 0 }", 1)
            .replacen("join = \"devices\"", "join = \"device\"", 1)
            .replacen("take = \"SERIAL\" }", "take = \"SERIAL\", missing = \"blanc\" }", 1)
            .replacen(
                "valid = { on = \"READ_ON\", from = \"FROM\", to = \"TO\" }",
                "valid = { on = \"READ_ON\", form = \"FROM\", to = \"TO\" }",
                1,
            )
            .replacen("{ debit = \"DEBIT\", credit = \"CREDIT\", as", "{ debit = \"DEBIT\", as", 1)
    });
    let joins = linted(|text| {
        text.replacen("join = \"devices\"", "join = \"device\"", 1)
            .replacen("parent = [\"NUMBER\"]\nvalid", "parent = [\"NUMBER\", \"NO\"]\nvalid", 1)
            .replacen(
                "NUMBER = { column = \"DEVICE\", strip = \"0\" }\nDIALS",
                "NUMBER = { expr = \"{{ DEVICE }}\" }\nDIALS",
                1,
            )
    });
    insta::assert_snapshot!(format!("{read}---\n{layouts}---\n{lines}---\n{joins}"));
}

#[test]
fn a_misspelt_column_of_a_file_without_a_header_is_told_with_the_nearest() {
    let project = kestrel("http://127.0.0.1:9");
    project.edit("mapping/mapping.toml", |text| text.replacen("given_name = \"GIVEN\"", "given_name = \"GIVN\"", 1));
    let said = text(&project.run(2, &["lint"]).stdout);
    assert!(said.contains("KPART.txt has no column `GIVN` (help: did you mean `GIVEN`?)"), "{said}");
}

#[test]
fn the_examples_of_the_guide_are_lines_of_mappings_that_are_tested() {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let comment = |line: &str| line.split(" #").next().unwrap().trim_end().to_owned();
    let mappings: Vec<String> = ["tentacle", "guide", "kestrel"]
        .iter()
        .map(|name| fs::read_to_string(repository().join("mappings").join(name).join("mapping.toml")).unwrap())
        .map(|text| squeeze(&text.lines().map(comment).collect::<Vec<_>>().join("\n")))
        .collect();
    let guide = fs::read_to_string(repository().join("mappings/README.md")).unwrap();
    let (mut lines, mut strangers) = (0, Vec::new());
    for block in guide.split("```toml\n").skip(1) {
        for line in block.split("```").next().unwrap().lines().map(comment).filter(|line| !line.is_empty()) {
            lines += 1;
            if !mappings.iter().any(|mapping| mapping.contains(&squeeze(&line))) {
                strangers.push(line);
            }
        }
    }
    assert!(lines > 25, "{lines}");
    assert!(strangers.is_empty(), "these stand in no mapping: {strangers:#?}");
}
