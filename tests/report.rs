//! The report's forms: what each holds, what none may tell, and the records that go back to their sender.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::demo::customer_details;
use crate::layouts::kestrel;
use crate::support::{Project, text};

/// The sample, built.
fn built() -> Project {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.run(1, &["build", "--quiet"]);
    project
}

fn json(project: &Project, code: i32, arguments: &[&str]) -> Value {
    let output = project.run(code, &[&["report", "--json", "--quiet"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The parts of a workbook, by name.
fn workbook(file: &Path) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(fs::File::open(file).unwrap()).unwrap();
    (0..archive.len())
        .map(|part| {
            let mut part = archive.by_index(part).unwrap();
            let mut text = String::new();
            part.read_to_string(&mut text).unwrap();
            (part.name().to_owned(), text)
        })
        .collect()
}

fn csv_table(file: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn no_form_tells_what_stands_in_a_customers_record_unless_asked() {
    let project = built();
    project.run(0, &["report", "--html", "r.html", "--xlsx", "r.xlsx", "--csv", "tables"]);
    let mut forms = vec![
        ("html".to_owned(), fs::read_to_string(project.path("r.html")).unwrap()),
        ("json".to_owned(), text(&project.run(0, &["report", "--json"]).stdout)),
        ("text".to_owned(), text(&project.run(0, &["report"]).stdout)),
    ];
    forms.extend(workbook(&project.path("r.xlsx")));
    for table in fs::read_dir(project.path("tables")).unwrap() {
        let path = table.unwrap().path();
        forms.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    assert!(forms.len() > 40, "a form is missing");
    let secrets = customer_details();
    for (form, told) in &forms {
        assert!(!told.is_empty(), "{form}");
        for secret in &secrets {
            assert!(!told.contains(secret.as_str()), "{form} tells `{secret}`");
        }
    }

    project.run(0, &["report", "--html", "r.html", "--show-values"]);
    let page = fs::read_to_string(project.path("r.html")).unwrap();
    assert!(page.contains("<q>") && page.contains("keep it to yourself"));
    let told = json(&project, 0, &["--show-values"]);
    let accounts = told["attention"]["first"].as_array().unwrap();
    let causes: Vec<&Value> = accounts.iter().flat_map(|account| account["causes"].as_array().unwrap()).collect();
    let told = causes.iter().filter(|cause| cause["value"].is_string()).count();
    assert!(told > 5, "{causes:#?}");
    // The value is the cell that the finding names.
    let cause = causes.iter().find(|cause| cause["value"].as_str().is_some_and(|value| !value.is_empty())).unwrap();
    let name = cause["file"].as_str().unwrap();
    let file = fs::read_to_string(project.path("extract").join(name)).unwrap();
    let line = file.lines().nth(cause["line"].as_u64().unwrap() as usize - 1).unwrap();
    assert!(line.contains(cause["value"].as_str().unwrap()), "{cause} is not in `{line}`");
}

#[test]
fn tables_are_whole_typed_and_no_formulas() {
    let project = built();
    let ledger = project.ledger();
    ledger
        .execute("UPDATE account SET kraken_identifier = '=HYPERLINK(\"http://127.0.0.1\")' WHERE id = 1", [])
        .unwrap();
    project.run(0, &["report", "--xlsx", "r.xlsx", "--csv", "tables"]);
    let accounts = csv_table(&project.path("tables/accounts.csv"));
    let count: i64 = ledger.query_row("SELECT count(*) FROM v_accounts", [], |row| row.get(0)).unwrap();
    assert_eq!(accounts.len() as i64, count);
    let formulas: Vec<_> =
        accounts.iter().map(|row| &row["kraken_identifier"]).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(formulas, ["'=HYPERLINK(\"http://127.0.0.1\")"]);
    let findings: i64 = ledger.query_row("SELECT count(*) FROM v_findings", [], |row| row.get(0)).unwrap();
    assert_eq!(csv_table(&project.path("tables/findings.csv")).len() as i64, findings);

    let parts = workbook(&project.path("r.xlsx"));
    let names = &parts["xl/workbook.xml"];
    for name in [
        "thresholds",
        "funnel",
        "accounts",
        "findings",
        "error_clusters",
        "identities",
        "money",
        "runs",
        "rule_agreement",
        "missed_refusals",
        "rule_overrides",
    ] {
        assert!(names.contains(&format!("name=\"{name}\"")), "no sheet `{name}`");
    }
    let sheets: Vec<_> = parts.iter().filter(|(name, _)| name.starts_with("xl/worksheets/sheet")).collect();
    assert!(sheets.len() > 15);
    for (name, sheet) in sheets {
        assert!(!sheet.contains("<f>"), "{name} has a formula");
        assert!(sheet.contains("state=\"frozen\"") && sheet.contains("<autoFilter"), "{name}");
    }
    let (_, accounts) = parts.iter().find(|(_, sheet)| sheet.contains("=HYPERLINK")).unwrap();
    assert!(accounts.contains("t=\"inlineStr\"") && accounts.contains("<v>"), "texts are texts, numbers are numbers");
}

#[test]
fn a_file_that_several_tables_read_is_named_with_its_table_in_every_form() {
    let project = kestrel("http://127.0.0.1:9");
    project.run(1, &["build", "--quiet"]);
    project.run(0, &["report", "--quiet", "--html", "r.html", "--xlsx", "r.xlsx", "--csv", "tables"]);
    let told = text(&project.run(0, &["report"]).stdout);
    let page = fs::read_to_string(project.path("r.html")).unwrap();
    let page = page.split("id=\"files\"").nth(1).unwrap().split("id=\"runs\"").next().unwrap().replace("<wbr>", "");
    let sheets = workbook(&project.path("r.xlsx"));
    let sheet = sheets.values().find(|sheet| sheet.contains("KPART.txt<") && sheet.contains(">quarantined<")).unwrap();
    let rows = csv_table(&project.path("tables/extract_files.csv"));
    let files = json(&project, 0, &[])["files"].as_array().unwrap().clone();
    assert_eq!(files.len(), rows.len());
    let mut names: Vec<(String, String)> = Vec::new();
    for (file, row) in files.iter().zip(&rows) {
        let (name, table) = (file["file"].as_str().unwrap(), file["table"].as_str().unwrap());
        assert_eq!((name, table), (&*row["file"], &*row["table"]));
        names.push((name.to_owned(), table.to_owned()));
    }
    assert!(names.iter().filter(|(name, _)| name == "KPART.txt").count() >= 4, "{names:?}");
    for (name, table) in &names {
        let is_shared = names.iter().filter(|(other, _)| other == name).count() > 1;
        assert!(sheet.contains(&format!(">{table}<")), "{table}");
        assert_eq!(told.contains(&format!("\n{name} ({table}) ")), is_shared, "{name} {table}");
        let line = format!("<code>{name}</code> <span class=\"soft\">{table}</span>");
        assert_eq!(page.contains(&line), is_shared, "{name} {table}");
    }
    let (first, rest) = (&names[0], &names[1..]);
    assert!(!rest.contains(first), "each row is one of its own");
    // One file, one table: the name alone.
    let plain = built();
    let told = text(&plain.run(0, &["report"]).stdout);
    assert!(told.contains("\naccounts.csv ") && !told.contains("(accounts)"), "{told}");
}

#[test]
fn what_the_target_or_a_name_says_is_no_formula_in_any_table() {
    let project = built();
    project.edit("slipway.toml", |text| text + "[rules]\nphone-valid = \"notice\"\n");
    fs::write(project.path("wave.txt"), project.column("SELECT external_account_number FROM v_accounts").join("\n"))
        .unwrap();
    project.run(1, &["build", "--quiet", "--wave", "@night=wave.txt"]);
    let ledger = project.ledger();
    let account = "(SELECT min(id) FROM account)";
    for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
        ledger
            .execute(
                &format!(
                    "INSERT INTO finding (account, source, severity, code, path, field, message) \
                     VALUES ({account}, 'remote', 'error', ?1, ?1, ?1, ?1)"
                ),
                [formula],
            )
            .unwrap();
    }
    ledger.execute(&format!("UPDATE account SET state = 'refused', number = '=2' WHERE id = {account}"), []).unwrap();
    project.run(0, &["report", "--xlsx", "r.xlsx", "--csv", "tables"]);
    let mut defused = 0;
    for table in fs::read_dir(project.path("tables")).unwrap() {
        let path = table.unwrap().path();
        for row in csv_table(&path) {
            for (column, cell) in row {
                let is_number = cell.parse::<i64>().is_ok();
                let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(is_number || !is_formula, "{}: {column}: {cell}", path.display());
                defused += usize::from(cell.starts_with('\''));
            }
        }
    }
    assert!(defused > 40, "{defused}");
    let missed = csv_table(&project.path("tables/missed_refusals.csv"));
    assert_eq!(missed.len(), 6);
    assert!(missed.iter().all(|row| row["code"].starts_with('\'') && row["example_account"] == "'=2"), "{missed:?}");
    let overrides = csv_table(&project.path("tables/rule_overrides.csv"));
    assert_eq!((&*overrides[0]["rule"], &*overrides[0]["severity"]), ("phone-valid", "notice"));
    assert_eq!(overrides[0]["guard_is_down"], "0");
    let agreement = csv_table(&project.path("tables/rule_agreement.csv"));
    assert_eq!((&*agreement[0]["accounts_refused"], &*agreement[0]["refusals"]), ("1", "6"));
    for (name, part) in workbook(&project.path("r.xlsx")) {
        assert!(!part.contains("<f>"), "{name} has a formula");
    }
}

#[test]
fn rejects_are_the_bytes_that_came_and_as_many_as_the_ledger_says() {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.settings_without_manifest();
    // One file compressed: what goes back is not.
    let plain = fs::read(project.path("extract/customers.csv")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&plain).unwrap();
    fs::write(project.path("extract/customers.csv.gz"), packed.finish().unwrap()).unwrap();
    fs::remove_file(project.path("extract/customers.csv")).unwrap();
    project.edit("mapping/mapping.toml", |text| text.replace("\"customers.csv\"", "\"customers.csv.gz\""));
    project.run(1, &["build", "--quiet"]);

    let told = json(&project, 0, &["--rejects", "back"]);
    let files = told["rejects"]["files"].as_array().unwrap();
    assert!(files.len() > 5 && files.iter().any(|file| file["output"] == "customers.csv"), "{files:#?}");
    let ledger = project.ledger();
    for file in files {
        let name = file["file"].as_str().unwrap();
        let expected: i64 = ledger
            .query_row(
                "SELECT count(DISTINCT record) FROM finding JOIN finding_cell ON finding = id AND position = 0 \
                 WHERE file = ? AND (severity = 'error' OR account IS NULL AND severity = 'warning')",
                [name],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!((&file["records"], &file["written"]), (&expected.into(), &expected.into()), "{name}");
        let original = match name.strip_suffix(".gz") {
            Some(_) => plain.clone(),
            None => fs::read(project.path("extract").join(name)).unwrap(),
        };
        let original: Vec<&[u8]> = original.split(|byte| *byte == b'\n').collect();
        let back = fs::read(project.path("back").join(file["output"].as_str().unwrap())).unwrap();
        let back: Vec<&[u8]> = back.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').collect();
        assert_eq!(back.len() as i64, expected + 1, "{name}");
        let bare = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        assert!(back[0].starts_with(&bare(original[0])), "{name}: the header is kept");
        assert!(text(back[0]).contains("slipway_file,slipway_line,slipway_code,slipway_message"));
        for line in &back[1..] {
            let marker = format!(",{name},");
            let at = line.windows(marker.len()).rposition(|window| window == marker.as_bytes()).unwrap();
            let rest = String::from_utf8_lossy(&line[at + marker.len()..]).into_owned();
            let number: usize = rest.split(',').next().unwrap().parse().unwrap();
            assert_eq!(line[..at], bare(original[number - 1]), "{name}:{number}");
        }
    }
    let in_files: i64 = files.iter().map(|file| file["written"].as_i64().unwrap()).sum();
    let lost: i64 =
        ledger.query_row("SELECT sum(quarantined + orphaned) FROM v_extract_files", [], |row| row.get(0)).unwrap();
    assert!(in_files > lost && lost > 0, "{in_files} records go back, {lost} of them belong to no account");
    project.run(2, &["report", "--rejects", "back"]);
}

#[test]
fn rejects_of_a_file_that_changed_or_is_gone_are_told_and_not_made_up() {
    let project = built();
    project.edit("extract/customers.csv", |text| text.replacen('1', "2", 1));
    fs::remove_file(project.path("extract/accounts.csv")).unwrap();
    let output = project.run(1, &["report", "--rejects", "back", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = told["rejects"]["files"].as_array().unwrap();
    let of = |name: &str| files.iter().find(|file| file["file"] == name).unwrap();
    assert!(of("customers.csv")["problem"].as_str().unwrap().contains("not as it was"), "{files:#?}");
    assert!(of("accounts.csv")["problem"].as_str().unwrap().contains("not there any more"));
    for name in ["customers.csv", "accounts.csv"] {
        assert_eq!((&of(name)["written"], &of(name)["output"]), (&0.into(), &Value::Null));
        assert!(!project.path("back").join(name).exists());
        assert!(text(&output.stderr).contains(name), "a warning names {name}");
    }
    assert!(files.iter().any(|file| file["written"] == file["records"]), "the others are written");
}

#[test]
fn two_rehearsals_are_compared_by_cause_account_and_pence() {
    let project = built();
    project.run(0, &["backup", "before.sqlite"]);
    let before = json(&project, 0, &["--against", "before.sqlite"]);
    assert_eq!(before["against"]["accounts"]["total"], 0, "nothing has moved yet");
    assert_eq!(before["against"]["causes"], serde_json::json!([]));

    // Mend one account, and spoil another.
    let causes = before["attention"]["first"].as_array().unwrap();
    let mended = causes
        .iter()
        .find(|account| account["errors"] == 1 && account["causes"][0]["code"] == "invalid_phone_number")
        .or_else(|| {
            causes.iter().find(|account| account["errors"] == 1 && account["causes"][0]["file"] == "customers.csv")
        })
        .unwrap_or(&causes[0]);
    let number = mended["external_account_number"].as_str().unwrap().to_owned();
    let ready: String = project.column("SELECT number FROM account WHERE state = 'ready' ORDER BY number").remove(0);
    fs::write(project.path("hold.txt"), &ready).unwrap();
    project.run(0, &["hold", "hold.txt", "--reason", "a test"]);
    project
        .ledger()
        .execute("UPDATE account SET pence = coalesce(pence, 0) + 500 WHERE number = ?", [&number])
        .unwrap();

    let against = &json(&project, 0, &["--against", "before.sqlite"])["against"];
    let accounts = against["accounts"]["first"].as_array().unwrap();
    assert_eq!(against["accounts"]["total"], 2, "{against:#}");
    assert_eq!((&accounts[0]["external_account_number"], &accounts[0]["before"]), (&ready.into(), &"ready".into()));
    assert_eq!(accounts[0]["after"], "held");
    assert_eq!(accounts[1]["external_account_number"], number);
    let pence = |side: &str| accounts[1][side].as_i64().unwrap_or_default();
    assert_eq!(pence("pence_after") - pence("pence_before"), 500);
    let moved: i64 = against["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["pence_after"].as_i64().unwrap() - cause["pence_before"].as_i64().unwrap())
        .sum();
    assert!(moved >= 500, "{against:#}");
    assert!(against["states"].as_array().unwrap().iter().any(|row| row["before"] == "ready" && row["after"] == "held"));

    project.run(0, &["report", "--html", "r.html", "--against", "before.sqlite"]);
    assert!(fs::read_to_string(project.path("r.html")).unwrap().contains("id=\"against\""));
    fs::write(project.path("no.sqlite"), "no ledger").unwrap();
    project.run(2, &["report", "--against", "no.sqlite"]);
}

#[test]
fn ledgers_of_one_migration_are_told_together_and_accounts_in_two_of_them_are_named() {
    let project = built();
    project.run(0, &["backup", "other.sqlite"]);
    let other = rusqlite::Connection::open(project.path("other.sqlite")).unwrap();
    // The other ledger has other accounts, but for one.
    other.execute("UPDATE account SET number = 'X' || number WHERE id > 1", []).unwrap();
    drop(other);
    let told = json(&project, 0, &["--with", "other.sqlite"]);
    let together = &told["together"];
    assert_eq!(together["ledgers"].as_array().unwrap().len(), 2);
    for (alone, both) in told["states"].as_array().unwrap().iter().zip(together["states"].as_array().unwrap()) {
        assert_eq!(both["accounts"].as_u64(), alone["accounts"].as_u64().map(|accounts| accounts * 2));
    }
    let shared = &together["shared"][0]["accounts"];
    assert_eq!(shared["total"], 1);
    let first: String = project.column("SELECT number FROM account WHERE id = 1").remove(0);
    assert_eq!(shared["first"][0]["external_account_number"], first);
}
