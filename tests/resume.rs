//! Running it again goes on where it was: after an interrupt, beside another run, with accounts held back or sent in waves.
//!
//! The binary runs as its own process against a sandbox in another.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::night::{FAST, Sandbox, finish, project, wait_for};
use crate::support::text;

#[test]
fn sigterm_lets_what_is_on_its_way_end() {
    const ACCOUNTS: u32 = 40;
    let sandbox = Sandbox::start(&["--latency", "20ms"]);
    let project = project(ACCOUNTS, &sandbox);
    let mut command = project.command(&["run", "--quiet", "--set", "limits.rate=50/s"]);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_for("creates", &mut process, || sandbox.counts().creates >= 5);
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("interrupted"), "{}", text(&output.stdout));
    let in_doubt = project.column("SELECT number FROM account WHERE state IN ('sending', 'unknown')");
    assert_eq!(in_doubt, [""; 0]);
    finish(&project, &sandbox, ACCOUNTS);
}

/// Sends SIGTERM to a build as soon as `path` is there; it must end at once, and say that it was interrupted while it
/// `doing`; nothing of it is kept, and the next run finishes.
fn interrupted_when(path: &str, doing: &str) {
    /// So many that it is still at it when the signal comes.
    const ACCOUNTS: u32 = 20_000;
    let sandbox = Sandbox::start(&[]);
    let project = project(ACCOUNTS, &sandbox);
    let mut command = project.command(&["run", "--json", "--quiet", "--set", "limits.rate=1/s"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(path, &mut process, || project.path(path).exists());
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(&format!("interrupted while it {doing}: nothing of this build is kept")), "{told}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["exit_code"], 3);
    assert_eq!(project.column("SELECT exit_code || '' FROM v_runs"), ["3"]);
    assert_eq!(project.column("SELECT count(*) || '' FROM account"), ["0"]);
    assert_eq!(sandbox.counts().requests, 0);

    project.run(0, &["build", "--quiet"]);
    assert_eq!(project.column("SELECT count(*) || '' FROM v_accounts WHERE state = 'ready'"), [ACCOUNTS.to_string()]);
}

#[test]
fn a_signal_while_it_reads_the_extract_ends_it_at_once() {
    interrupted_when(".slipway/stage", "read the extract");
}

#[test]
fn a_signal_while_it_makes_payloads_ends_it_at_once() {
    interrupted_when(".slipway/payloads", "made payloads");
}

#[test]
fn a_second_run_is_refused_and_says_who_holds_the_ledger() {
    let sandbox = Sandbox::start(&["--latency", "50ms"]);
    let project = project(20, &sandbox);
    let mut command = project.command(&["run", "--quiet", "--set", "limits.rate=10/s"]);
    let mut first = command.stdout(Stdio::null()).spawn().unwrap();
    wait_for("creates", &mut first, || sandbox.counts().creates >= 1);
    let second = project.run(5, &["run", "--quiet"]);
    assert!(text(&second.stderr).contains(&format!("process {}", first.id())), "{}", text(&second.stderr));
    // Looking is allowed.
    assert!(text(&project.run(0, &["status"]).stdout).contains("accounts"));
    first.kill().unwrap();
    first.wait().unwrap();
    finish(&project, &sandbox, 20);
}

#[test]
fn a_ledger_refuses_another_target() {
    let sandbox = Sandbox::start(&[]);
    let project = project(3, &sandbox);
    finish(&project, &sandbox, 3);
    let refused = project.run(5, &["run", "--quiet", "--set", "target.url=http://127.0.0.1:9"]);
    assert!(text(&refused.stderr).contains(&sandbox.url), "{}", text(&refused.stderr));
}

#[test]
fn every_command_tells_what_it_did_in_one_json_document() {
    let sandbox = Sandbox::start(&["--errored-one-in", "4"]);
    let project = project(12, &sandbox);
    let json = |code, arguments: &[&str]| -> serde_json::Value {
        let output = project.run(code, &[arguments, &["--json", "--quiet"], &FAST[..]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    json(0, &["build"]);
    assert_eq!(json(0, &["validate", "--sample", "5"])["validated"], 5);
    assert_eq!(json(0, &["submit", "--limit", "2"])["scheduled"], 2);
    assert_eq!(json(0, &["submit"])["scheduled"], 10);
    let followed = json(1, &["follow"]);
    let errored = followed["errored"].as_u64().unwrap();
    assert!(errored > 0, "{followed}");
    assert_eq!(followed["processed"].as_u64().unwrap() + errored, 12);
    let status = json(0, &["status"]);
    assert_eq!(status["accounts"]["errored"], errored);
    let account = project.column("SELECT number FROM account WHERE state = 'errored' ORDER BY number").remove(0);
    let shown = json(0, &["show", &account]);
    assert_eq!(shown["account"]["state"], "errored");
    assert_eq!(shown["payload"]["external_account_number"], account.as_str());
    assert_eq!(json(1, &["retry", &account])["same_payload"], 1);
    assert_eq!(json(0, &["retry", &account, "--same", "--reason", "mended there"])["ready"], 1);
    let code = i32::from(errored > 1);
    let run = json(code, &["run"]);
    assert_eq!((&run["submission"]["creates"], &run["submission"]["processed"]), (&1.into(), &1.into()));
    assert_eq!(json(0, &["reconcile"])["balanced"], true);
    assert_eq!(json(2, &["show", "nobody"])["error"]["exit_code"], 2);
    project.run(2, &["retry"]);
}

#[test]
fn an_account_on_the_hold_list_stays_at_home_until_it_is_released() {
    let sandbox = Sandbox::start(&[]);
    let project = project(6, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let held = project.column("SELECT number FROM account ORDER BY number").remove(0);
    std::fs::write(project.path("disputed.txt"), format!("# bills in dispute\n{held}\n")).unwrap();
    project.run(0, &["hold", "disputed.txt", "--reason", "bills in dispute", "--quiet"]);
    project.run(0, &[&["run", "--quiet"], &FAST[..]].concat());
    assert_eq!(project.column("SELECT number FROM account WHERE state = 'held'"), [held.as_str()]);
    assert_eq!(sandbox.accounts().len(), 5);
    project.run(0, &["release", "disputed.txt", "--reason", "settled", "--quiet"]);
    assert_eq!(
        project.column("SELECT act || ' ' || reason FROM intervention"),
        ["hold bills in dispute", "release settled"]
    );
    finish(&project, &sandbox, 6);
}

#[test]
fn a_wave_is_sent_alone() {
    let sandbox = Sandbox::start(&[]);
    let project = project(9, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let wave = project.column("SELECT number FROM account ORDER BY number LIMIT 4");
    std::fs::write(project.path("night-1.txt"), wave.join("\n")).unwrap();
    project.run(0, &[&["run", "--quiet", "--wave", "night-1=night-1.txt"], &FAST[..]].concat());
    let sent =
        project.column("SELECT number FROM account WHERE state = 'processed' AND wave = 'night-1' ORDER BY number");
    assert_eq!(sent, wave);
    assert_eq!(sandbox.accounts().len(), 4);
    project.run(2, &["run", "--quiet", "--wave", "night-2"]);
    finish(&project, &sandbox, 9);
}

#[test]
fn a_build_that_is_blocked_or_mostly_rejected_sends_nothing() {
    let sandbox = Sandbox::start(&[]);
    let project = project(20, &sandbox);
    project.edit("extract/MANIFEST.csv", |text| text.replacen("accounts.csv,20", "accounts.csv,21", 1));
    let refused = project.run(5, &["run", "--quiet"]);
    assert!(text(&refused.stderr).contains("accounts.csv"), "{}", text(&refused.stderr));
    project.run(5, &["submit", "--quiet"]);
    // A build of a few frees those few and no others.
    project.edit("extract/MANIFEST.csv", |text| text.replacen("accounts.csv,21", "accounts.csv,20", 1));
    project.run(0, &["build", "--limit", "1", "--quiet"]);
    project.run(1, &[&["submit", "--quiet"], &FAST[..]].concat());
    assert_eq!(sandbox.accounts().len(), 1);
    let refused = project.run(5, &["submit", "--quiet"]);
    assert!(text(&refused.stderr).contains("19 accounts"), "{}", text(&refused.stderr));
    let requests = sandbox.counts().requests;

    project.run(0, &["generate", "--accounts", "60", "--dirty", "0.5", "--out", "dirty", "--quiet"]);
    let dirty = ["--set", "source.extracts=[\"dirty\"]", "--set", "stop.rejected=1%", "--quiet"];
    let refused = project.run(3, &[&["run"], &dirty[..]].concat());
    assert!(text(&refused.stderr).contains("stop.rejected"), "{}", text(&refused.stderr));
    // A build of those that are well does not hide the others.
    let well = project.column("SELECT number FROM account WHERE state = 'ready' LIMIT 3");
    std::fs::write(project.path("well.txt"), well.join("\n")).unwrap();
    project.command(&[&["build", "--wave", "well=well.txt"], &dirty[..]].concat()).output().unwrap();
    assert_eq!(project.column("SELECT CAST(rejected AS TEXT) FROM build ORDER BY id DESC LIMIT 1"), ["0"]);
    let refused = project.run(3, &[&["submit"], &dirty[..]].concat());
    assert!(text(&refused.stderr).contains("stop.rejected"), "{}", text(&refused.stderr));
    assert_eq!(sandbox.counts().requests, requests);
}

#[test]
fn ctrl_c_waits_no_longer_than_the_timeout_for_a_target_that_does_not_answer() {
    const ACCOUNTS: u32 = 12;
    let folder = tempfile::tempdir().unwrap();
    let faults = folder.path().join("faults.toml");
    std::fs::write(&faults, "silent_one_in = 1\n").unwrap();
    let sandbox = Sandbox::start(&["--faults", faults.to_str().unwrap()]);
    let project = project(ACCOUNTS, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let settings = ["--set", "limits.timeout=2s", "--set", "limits.rate=50/s", "--set", "limits.attempts=100"];
    let mut command = project.command(&[&["submit", "--quiet"], &settings[..]].concat());
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_for("creates", &mut process, || sandbox.counts().creates >= 2);
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert!(text(&output.stdout).contains("interrupted"), "{}", text(&output.stdout));
    assert_eq!(project.column("SELECT number FROM account WHERE state = 'sending'"), [""; 0]);
    assert!(!project.column("SELECT number FROM account WHERE state = 'unknown'").is_empty());
}

#[test]
fn a_backup_of_a_ledger_that_is_written_to_is_whole() {
    let sandbox = Sandbox::start(&[]);
    let project = project(60, &sandbox);
    let mut command = project.command(&[&["run", "--quiet"], &FAST[..], &["--set", "limits.rate=40/s"]].concat());
    let mut process = command.stdout(Stdio::null()).spawn().unwrap();
    for (nth, creates) in [3, 12, 20].into_iter().enumerate() {
        wait_for("creates", &mut process, || sandbox.counts().creates >= creates);
        let file = format!("backup-{nth}.sqlite");
        project.run(0, &["backup", &file, "--quiet"]);
        let copy = rusqlite::Connection::open(project.path(&file)).unwrap();
        let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let sent: i64 = copy.query_row("SELECT count(*) FROM intent", [], |row| row.get(0)).unwrap();
        assert_eq!((check.as_str(), sent >= creates as i64), ("ok", true), "{sent} of {creates}");
    }
    assert!(process.wait().unwrap().success());
    finish(&project, &sandbox, 60);
}
