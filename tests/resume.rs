//! Whatever instant the process dies at, running it again finishes the job, and nothing is created twice.
//!
//! The binary runs as its own process against a sandbox in another, which counts how many creates took effect.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use slipway::sandbox::{AccountReport, Counts};

use crate::support::{Project, slipway, text};

/// What a test waits for must come within so many looks, with this pause between them: about a minute.
const LOOKS: u32 = 3000;
const PAUSE: Duration = Duration::from_millis(20);

/// Fast enough for a test, slow enough to be cut in the middle.
pub(crate) const FAST: [&str; 8] = [
    "--set",
    "limits.rate=500/s",
    "--set",
    "limits.settle=300ms",
    "--set",
    "follow.every=20ms",
    "--set",
    "limits.in_flight=8",
];

/// A sandbox in a process of its own, killed when the test is over.
pub(crate) struct Sandbox {
    process: Child,
    pub(crate) url: String,
}

impl Sandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(slipway(), arguments)
    }

    /// A sandbox that asks for the key `key`, which it finds in its variable `variable`.
    pub(crate) fn start_with_key(variable: &str, key: &str, arguments: &[&str]) -> Self {
        let mut command = slipway();
        command.env(variable, key);
        Self::spawn(command, &[arguments, &["--api-key-env", variable]].concat())
    }

    fn spawn(mut command: Command, arguments: &[&str]) -> Self {
        let mut process = command.args(["sandbox", "--quiet"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /_sandbox/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("content-length"), "{head}");
        serde_json::from_str(body).unwrap()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.ask("counts")
    }

    pub(crate) fn accounts(&self) -> Vec<AccountReport> {
        self.ask("accounts")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A project with `accounts` clean accounts that go to `sandbox`.
pub(crate) fn project(accounts: u32, sandbox: &Sandbox) -> Project {
    let project = Project::with_mapping("mappings/tentacle");
    project.run(0, &["generate", "--accounts", &accounts.to_string(), "--out", "extract", "--quiet"]);
    project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &sandbox.url);
    project
}

/// Waits until `what` happens, watching `process`; it must not end before.
fn wait_for(what: &str, process: &mut Child, mut happened: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if happened() {
            return;
        }
        if let Some(status) = process.try_wait().unwrap() {
            panic!("the run ended with {status} before {what}");
        }
        std::thread::park_timeout(PAUSE);
    }
    panic!("no {what}");
}

/// Nothing was created twice so far.
fn never_twice(sandbox: &Sandbox, when: &str) {
    for account in sandbox.accounts() {
        assert!(account.effects <= 1, "{when}: {account:?}");
    }
}

/// Runs to the end, and sees that every account is processed, here and at the target, by one create.
fn finish(project: &Project, sandbox: &Sandbox, accounts: u32) {
    project.run(0, &[&["run", "--quiet"], &FAST[..]].concat());
    let at_target = sandbox.accounts();
    assert_eq!(at_target.len(), accounts as usize);
    for account in at_target {
        assert_eq!((account.effects, account.status.as_deref()), (1, Some("PROCESSED")), "{account:?}");
    }
    let states = project.column("SELECT DISTINCT state || coalesce(origin, '') FROM v_accounts");
    assert_eq!(states, ["processedours"]);
    assert_eq!(project.column("SELECT count(*) || '' FROM v_accounts"), [accounts.to_string()]);
    assert_eq!(project.column("SELECT name FROM v_identities WHERE NOT balanced"), [""; 0]);
    // One more run has nothing left to do.
    let creates = sandbox.counts().creates;
    project.run(0, &[&["run", "--quiet"], &FAST[..]].concat());
    assert_eq!(sandbox.counts().creates, creates);
}

#[test]
fn cut_off_at_every_boundary_it_resumes_and_creates_nothing_twice() {
    const ACCOUNTS: u32 = 60;
    let sandbox = Sandbox::start(&[]);
    let project = project(ACCOUNTS, &sandbox);
    for cut in [
        "before-intent:1",
        "after-intent:1",
        "after-reply:1",
        "after-outcome:1",
        "after-status:1",
        "before-intent:4",
        "after-intent:5",
        "after-reply:6",
        "after-outcome:7",
        "after-status:8",
    ] {
        let mut command = project.command(&[&["run", "--quiet"], &FAST[..]].concat());
        let output = command.env("SLIPWAY_CUT", cut).output().unwrap();
        assert_eq!(output.status.code(), None, "{cut} did not cut: {}", text(&output.stderr));
        never_twice(&sandbox, cut);
    }
    finish(&project, &sandbox, ACCOUNTS);
}

#[test]
fn killed_while_it_builds_submits_and_follows_it_resumes_under_faults() {
    const ACCOUNTS: u32 = 120;
    // Imports that take their time: while one is on its way the run can't end, so what is waited for is there to see.
    let faults = ["--lost-reply-one-in", "6", "--unavailable-one-in", "8", "--latency", "5ms", "--import-time", "4s"];
    let sandbox = Sandbox::start(&faults);
    let project = project(ACCOUNTS, &sandbox);
    let spawn = || {
        let mut command = project.command(&[&["run", "--quiet"], &FAST[..]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let kill = |mut process: Child| {
        process.kill().unwrap();
        process.wait().unwrap();
        never_twice(&sandbox, "after a kill");
    };

    let mut building = spawn();
    wait_for("a payload file", &mut building, || project.path(".slipway/payloads").exists());
    kill(building);
    for creates in [20, 60, 100] {
        let mut submitting = spawn();
        wait_for("creates", &mut submitting, || sandbox.counts().creates >= creates);
        kill(submitting);
    }
    let reads = sandbox.counts().status_reads;
    let mut following = spawn();
    wait_for("status reads", &mut following, || sandbox.counts().status_reads > reads + 30);
    kill(following);
    finish(&project, &sandbox, ACCOUNTS);
}

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
