//! Waves, and what is sent of them when inputs change, ledgers move, or somebody else was there before.

use std::fs;

use crate::support::night::{FAST, Sandbox, project};
use crate::support::{Project, text};

/// The numbers of the project's accounts in the order of the extract.
fn numbers(project: &Project) -> Vec<String> {
    let file = project.path("extract/accounts.csv");
    let mut reader = csv::Reader::from_path(file).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "ACCOUNT_NO").unwrap();
    reader.records().map(|record| record.unwrap()[column].to_owned()).collect()
}

fn list(project: &Project, file: &str, numbers: &[String]) {
    fs::write(project.path(file), numbers.join("\n")).unwrap();
}

/// Runs `arguments` quietly and fast, and gives what it said on both streams.
fn run(project: &Project, code: i32, arguments: &[&str]) -> String {
    let output = project.run(code, &[arguments, &["--quiet"], &FAST[..]].concat());
    text(&output.stdout) + &text(&output.stderr)
}

/// Changes a cell of every account, and takes out the manifest, whose promises are the old ones.
fn change_the_extract(project: &Project) {
    change_cells(project, "SALES_SUBCHANNEL", None, "CHANGED");
}

/// Says `to` in `column` of one account, or of every one, and takes out the manifest, whose promises are the old ones.
fn change_cells(project: &Project, column: &str, account: Option<&str>, to: &str) {
    project.settings_without_manifest();
    project.edit("extract/accounts.csv", |text| {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let column = headers.iter().position(|name| name == column).unwrap();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&headers).unwrap();
        for record in reader.records() {
            let record = record.unwrap();
            let is_meant = account.is_none() || account == record.iter().next();
            let cell = |(at, cell)| if is_meant && at == column { to } else { cell };
            writer.write_record(record.iter().enumerate().map(cell)).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    });
}

#[test]
fn a_wave_sends_its_list_and_a_later_one_counts_what_was_reached() {
    let sandbox = Sandbox::start(&[]);
    let project = project(12, &sandbox);
    let numbers = numbers(&project);
    list(&project, "one.txt", &numbers[..4]);
    list(&project, "two.txt", &[&numbers[2..8], &["no-such-account".to_owned()]].concat());
    run(&project, 0, &["run", "--wave", "one=one.txt"]);
    assert_eq!(sandbox.accounts().len(), 4);

    // An account that the extract does not have is a finding, the others go; those of the first wave are there.
    let output = project.run(1, &[&["run", "--wave", "two=two.txt"], &FAST[..]].concat());
    let told = text(&output.stderr) + &text(&output.stdout);
    assert!(told.contains("2 accounts of wave `two` were processed in an earlier wave"), "{told}");
    assert!(told.contains("no-such-account"), "{told}");
    assert_eq!(sandbox.accounts().len(), 8);
    assert!(sandbox.accounts().iter().all(|account| account.effects == 1));
    let waves =
        project.column("SELECT coalesce(wave, '-') || ' ' || count(*) FROM v_accounts GROUP BY wave ORDER BY wave");
    assert_eq!(waves, ["one 4", "two 4"]);
    let status = text(&project.run(0, &["status"]).stdout);
    assert!(status.contains("wave one   4 listed: 4 processed"), "{status}");
    assert!(status.contains("wave two   7 listed: 6 processed"), "{status}");
}

#[test]
fn an_account_unfinished_in_another_wave_is_not_touched() {
    let sandbox = Sandbox::start(&[]);
    let project = project(6, &sandbox);
    let numbers = numbers(&project);
    list(&project, "one.txt", &numbers[..3]);
    list(&project, "two.txt", &numbers[2..]);
    run(&project, 0, &["build", "--wave", "one=one.txt"]);
    for command in ["build", "run"] {
        let told = run(&project, 5, &[command, "--wave", "two=two.txt"]);
        assert!(told.contains("1 in wave `one`") && told.contains(&numbers[2]), "{told}");
    }
    assert_eq!(sandbox.counts().creates, 0);
    list(&project, "one.txt", &numbers[..2]);
    run(&project, 0, &["run", "--wave", "one=one.txt"]);
    run(&project, 0, &["run", "--wave", "two"]);
    assert_eq!(sandbox.accounts().len(), 6);
}

#[test]
fn inputs_that_change_under_an_unfinished_wave_wait_for_a_word() {
    let sandbox = Sandbox::start(&[]);
    let project = project(8, &sandbox);
    run(&project, 0, &["build"]);
    run(&project, 0, &["submit", "--limit", "3"]);
    run(&project, 0, &["follow"]);
    change_the_extract(&project);

    let told = run(&project, 5, &["run"]);
    assert!(told.contains("extract file accounts.csv has changed"), "{told}");
    assert!(told.contains("--replan"), "{told}");
    assert_eq!(sandbox.counts().creates, 3);
    assert_eq!(run(&project, 2, &["run", "--replan"]).matches("--reason").count(), 2, "a word needs a reason");

    // What was accepted is told and never sent again; the others go as they are now.
    let told = run(&project, 0, &["run", "--replan", "--reason", "the sender has mended it"]);
    assert!(told.contains("5 unchanged") && told.contains("3 changed after acceptance"), "{told}");
    assert!(told.contains("changed account: 3 accounts, rows 3 → 3 (0 the same)"), "{told}");
    assert_eq!(sandbox.counts().creates, 8);
    assert!(sandbox.accounts().iter().all(|account| account.effects == 1));
    let reasons = project.column("SELECT reason FROM intervention WHERE act = 'replan'");
    assert!(reasons.len() == 1 && reasons[0].contains("mended") && reasons[0].contains("accounts.csv"), "{reasons:?}");
    let drift = fs::read_to_string(project.path(".slipway/reports/drift.csv")).unwrap();
    assert_eq!(drift.lines().count(), 4, "{drift}");
    assert_eq!(project.column("SELECT count(*) || '' FROM v_drift WHERE change = 'changed'"), ["3"]);

    // Once everything has come to its end, another night's extract is nobody's surprise.
    project.edit("extract/accounts.csv", |text| text.replace("CHANGED", "CHANGED AGAIN"));
    let told = run(&project, 0, &["run"]);
    assert!(told.contains("8 changed after acceptance"), "{told}");
    assert_eq!(sandbox.counts().creates, 8);
}

#[test]
fn an_accepted_account_that_would_be_rejected_now_is_told_as_drift_with_what_was_found() {
    let sandbox = Sandbox::start(&[]);
    let project = project(5, &sandbox);
    run(&project, 0, &["run"]);
    let number = &numbers(&project)[2];
    let line = 4;
    change_cells(&project, "BILL_POSTCODE", Some(number), "NO POSTCODE");
    let told = run(&project, 1, &["build"]);
    assert!(told.contains("1 changed after acceptance"), "{told}");
    assert!(told.contains("1 accepted accounts would be built differently now"), "{told}");
    assert!(
        told.contains("rejected account: 1 accounts") && told.contains("rejected for invalid_postcode: 1"),
        "{told}"
    );
    let status = text(&project.run(0, &["status"]).stdout);
    assert!(status.contains("drifted    1 accepted accounts"), "{status}");
    run(&project, 0, &["reconcile"]);

    // The report of a night in which everything was processed says no go, who it is, and why.
    let report = text(&project.run(0, &["report"]).stdout);
    assert!(report.contains("verdict   no go, finished with exceptions: all 5 accounts processed"), "{report}");
    assert!(report.contains("- accounts changed after acceptance: 1"), "{report}");
    assert!(report.contains(&format!("TENTACLE_ENERGY/{number} rejected: invalid_postcode")), "{report}");
    assert!(report.contains(&format!("accounts.csv:{line}:BILL_POSTCODE  invalid_postcode")), "{report}");
    let report: serde_json::Value = serde_json::from_str(&text(&project.run(0, &["report", "--json"]).stdout)).unwrap();
    assert_eq!((&report["drifted"]["total"], &report["build"]["drifted"]), (&1.into(), &1.into()));
    assert_eq!(report["drifted"]["first"][0]["codes"], "invalid_postcode");
    assert_eq!(report["attention"]["first"][0]["external_account_number"], **number);
    assert_eq!(report["verdict"]["decision"], "no_go");
    project.run(0, &["report", "--html", "r.html", "--quiet"]);
    let page = fs::read_to_string(project.path("r.html")).unwrap();
    assert!(page.contains("rejected since") && page.contains("1 accounts changed in the extract"), "the page tells it");
    // It is not sent again, neither as it is nor once it is mended.
    run(&project, 1, &["run", "--set", "stop.rejected=50%"]);
    assert_eq!(sandbox.counts().creates, 5);
    project.edit("extract/accounts.csv", |text| text.replace("NO POSTCODE", "SW1A 1AA"));
    let told = run(&project, 0, &["run"]);
    assert!(told.contains("changed account: 1 accounts") && told.contains("1 changed after acceptance"), "{told}");
    assert_eq!(sandbox.counts().creates, 5);
}

#[test]
fn the_same_inputs_build_the_same_and_other_ones_may() {
    let sandbox = Sandbox::start(&[]);
    let project = project(5, &sandbox);
    run(&project, 0, &["build"]);
    assert!(run(&project, 0, &["build"]).contains("5 unchanged, 0 rebuilt the same"));
    project.edit("mapping/mapping.toml", |text| text + "\n# a comment\n");
    assert!(run(&project, 0, &["build"]).contains("0 unchanged, 5 rebuilt the same"));
}

#[test]
fn an_account_gone_from_the_extract_is_withdrawn_or_told_if_it_was_accepted() {
    let sandbox = Sandbox::start(&[]);
    let project = project(4, &sandbox);
    run(&project, 0, &["build"]);
    run(&project, 0, &["submit", "--limit", "1"]);
    run(&project, 0, &["follow"]);
    project.settings_without_manifest();
    project.edit("extract/accounts.csv", |text| {
        let lines: Vec<&str> = text.lines().collect();
        [lines[0], lines[3], lines[4]].join("\n") + "\n"
    });
    let told = run(&project, 1, &["build"]);
    assert!(told.contains("1 withdrawn") && told.contains("1 changed after acceptance"), "{told}");
    assert!(told.contains("gone account: 1 accounts, rows 1 → 0"), "{told}");
}

#[test]
fn a_restored_backup_creates_nothing_twice() {
    const ACCOUNTS: u32 = 20;
    let sandbox = Sandbox::start(&[]);
    let project = project(ACCOUNTS, &sandbox);
    run(&project, 0, &["build"]);
    run(&project, 0, &["submit", "--limit", "5"]);
    run(&project, 0, &["backup", "backup.sqlite"]);
    assert!(run(&project, 2, &["backup", "backup.sqlite"]).contains("backup.sqlite"), "a copy is not overwritten");
    // What the backup does not know of.
    run(&project, 0, &["submit", "--limit", "9"]);
    assert_eq!(sandbox.counts().creates, 14);
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = fs::remove_file(project.path(".slipway").join(file));
    }
    fs::copy(project.path("backup.sqlite"), project.path(".slipway/ledger.sqlite")).unwrap();

    let told = run(&project, 0, &["recover", "--reason", "the disk was lost"]);
    assert!(told.contains("20 accounts are unknown"), "{told}");
    // Nine are there without a create that this ledger knows: as far as it can tell they are somebody else's.
    let told = run(&project, 1, &["run"]);
    assert!(told.contains("identities all balance"), "{told}");
    let accounts = sandbox.accounts();
    assert_eq!(accounts.len(), ACCOUNTS as usize);
    assert!(accounts.iter().all(|account| account.effects == 1), "{accounts:?}");
    let origins = project.column("SELECT origin || count(*) FROM v_accounts GROUP BY origin ORDER BY origin");
    assert_eq!(origins, ["foreign9", "ours11"]);
}

#[test]
fn a_moved_ledger_is_taken_over_by_recover_alone() {
    let sandbox = Sandbox::start(&[]);
    let project = project(6, &sandbox);
    run(&project, 0, &["build"]);
    run(&project, 0, &["submit", "--limit", "2"]);
    // The machine it was copied from died in the middle of a run.
    fs::write(project.path(".slipway/ledger.sqlite.lock"), "process 7 on elsewhere since 2026-11-24T01:00:00Z\n")
        .unwrap();
    let told = run(&project, 5, &["run"]);
    assert!(told.contains("process 7 on elsewhere") && told.contains("slipway recover"), "{told}");
    run(&project, 0, &["recover", "--reason", "moved"]);
    run(&project, 0, &["run"]);
    assert!(sandbox.accounts().iter().all(|account| account.effects == 1));
    assert_eq!(project.column("SELECT DISTINCT state || origin FROM v_accounts"), ["processedours"]);
}

#[test]
fn a_dead_process_of_this_machine_is_taken_over() {
    let sandbox = Sandbox::start(&[]);
    let project = project(3, &sandbox);
    let host = gethostname::gethostname().display().to_string();
    fs::create_dir_all(project.path(".slipway")).unwrap();
    fs::write(project.path(".slipway/ledger.sqlite.lock"), format!("process 7 on {host} since then\n")).unwrap();
    run(&project, 0, &["run"]);
}

#[test]
fn what_somebody_else_has_sent_is_found_before_the_first_create() {
    let sandbox = Sandbox::start(&[]);
    let project = project(6, &sandbox);
    let other = Project::with_mapping("mappings/tentacle");
    let numbers = numbers(&project);
    // Somebody else's ledger sends three of ours, and one that we do not have.
    other.run(0, &["generate", "--accounts", "6", "--out", "extract", "--quiet"]);
    other.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &sandbox.url);
    list(&other, "theirs.txt", &numbers[..3]);
    run(&other, 0, &["build", "--wave", "theirs=theirs.txt"]);
    run(&other, 0, &["submit", "--wave", "theirs"]);

    let told = run(&project, 1, &["run"]);
    assert!(told.contains("of the 3 imports of TENTACLE_ENERGY"), "{told}");
    assert!(sandbox.accounts().iter().all(|account| account.effects == 1), "their creates were on their way");
    assert_eq!(sandbox.counts().creates, 6);
    assert_eq!(project.column("SELECT count(*) || '' FROM v_accounts WHERE origin = 'foreign'"), ["3"]);
    let lists = sandbox.counts().lists;
    run(&project, 1, &["run"]);
    assert_eq!(sandbox.counts().lists, lists, "a wave's list is read once");
}

#[test]
fn a_target_without_lists_gets_a_notice() {
    let sandbox = Sandbox::start(&["--no-lists"]);
    let project = project(2, &sandbox);
    let output = project.run(0, &[&["run"], &FAST[..]].concat());
    assert!(text(&output.stderr).contains("does not serve the list"), "{}", text(&output.stderr));
}

#[test]
fn held_accounts_stay_until_they_are_released_and_both_are_recorded() {
    let sandbox = Sandbox::start(&[]);
    let project = project(4, &sandbox);
    list(&project, "disputed.txt", &numbers(&project)[..1]);
    run(&project, 0, &["hold", "disputed.txt", "--reason", "bills in dispute"]);
    run(&project, 0, &["run"]);
    assert_eq!(sandbox.counts().creates, 3);
    run(&project, 0, &["release", "disputed.txt", "--reason", "settled"]);
    run(&project, 0, &["run"]);
    assert_eq!(sandbox.counts().creates, 4);
    let acts = project.column("SELECT act || ': ' || reason FROM intervention ORDER BY id");
    assert_eq!(acts, ["release: settled"]);
    assert_eq!(project.column("SELECT reason FROM hold"), [""; 0]);
}

#[test]
fn a_purge_erases_customers_data_and_the_books_still_balance() {
    let sandbox = Sandbox::start(&[]);
    let project = project(5, &sandbox);
    run(&project, 0, &["run", "--limit", "3"]);
    let payloads = || fs::read_dir(project.path(".slipway/payloads")).unwrap().count();
    let told = run(&project, 1, &["purge", "--before", "2999-01-01"]);
    assert!(told.contains("2 accounts may still have to be sent"), "{told}");
    assert_eq!(payloads(), 1);
    run(&project, 0, &["run"]);
    assert!(run(&project, 0, &["purge", "--before", "2000-01-01"]).contains("none"), "nothing is that old");
    let told = run(&project, 0, &["purge", "--before", "2999-01-01", "--reason", "done"]);
    assert!(told.contains("1 of payloads") && told.contains("identities all balance"), "{told}");
    assert_eq!(payloads(), 0);
    run(&project, 0, &["reconcile"]);
    run(&project, 0, &["show", &numbers(&project)[0]]);
    assert_eq!(project.column("SELECT act FROM intervention WHERE act = 'purge'").len(), 3);
}
