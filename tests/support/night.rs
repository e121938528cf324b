//! The binary as one process, the target as another: what a test of a night needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use slipway::sandbox::{AccountReport, Counts};

use super::{Project, slipway};

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
pub(crate) fn wait_for(what: &str, process: &mut Child, mut happened: impl FnMut() -> bool) {
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
pub(crate) fn never_twice(sandbox: &Sandbox, when: &str) {
    for account in sandbox.accounts() {
        assert!(account.effects <= 1, "{when}: {account:?}");
    }
}

/// Runs to the end, and sees that every account is processed, here and at the target, by one create.
pub(crate) fn finish(project: &Project, sandbox: &Sandbox, accounts: u32) {
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
