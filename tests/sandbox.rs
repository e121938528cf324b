//! The client against the sandbox: what each of the two promises, the other keeps.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::num::NonZeroU32;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use slipway::account::{AccountKey, Digest};
use slipway::sandbox::{
    self, AccountReport, Chosen, Counts, Faults, Pace, RefusalShape, RunningSandbox, SandboxOptions,
};
use slipway::target::{
    Auth, Client, ClientOptions, CreateOutcome, Envelope, ImportList, ImportStatus, ListOutcome, RemoteFinding, Status,
    StatusOutcome, TaskParams, ValidateOutcome,
};

const SUPPLIER: &str = "EDF _DEENERGISED";

fn start(options: SandboxOptions) -> RunningSandbox {
    sandbox::start(options).unwrap()
}

fn client(url: &str, auth: Auth, envelope: Envelope) -> Client {
    Client::new(&ClientOptions {
        url: url.to_owned(),
        auth,
        envelope,
        timeout: Duration::from_secs(20),
        max_body_bytes: ClientOptions::DEFAULT_MAX_BODY_BYTES,
    })
    .unwrap()
}

fn plain_client(sandbox: &RunningSandbox) -> Client {
    client(&sandbox.url, Auth::None, Envelope::Bare)
}

fn payload(number: &str) -> Vec<u8> {
    format!(r#"{{"external_account_number":"{number}","import_supplier":"{SUPPLIER}","transfer_balance":"1.50"}}"#)
        .into_bytes()
}

const BAD_PHONE: &[u8] = br#"{"customers":[{"landline":"abcde"}],"external_account_number":"1","import_supplier":"S"}"#;

fn key(number: &str) -> AccountKey {
    AccountKey::new(SUPPLIER, number)
}

async fn create(client: &Client, number: &str) -> CreateOutcome {
    client.create(&payload(number), &TaskParams::default()).await.outcome
}

async fn found(client: &Client, number: &str) -> ImportStatus {
    match client.status(&key(number)).await.outcome {
        StatusOutcome::Found(status) => status,
        other => panic!("{number} is not found but {other:?}"),
    }
}

fn chosen(number: &str) -> Chosen {
    Chosen { one_in: None, numbers: BTreeSet::from([number.to_owned()]) }
}

const ALWAYS: Option<NonZeroU32> = NonZeroU32::new(1);

#[tokio::test]
async fn an_account_is_created_once_and_followed_to_its_end() {
    let sandbox = start(SandboxOptions { pace: Pace::Polls(3), ..SandboxOptions::default() });
    let client = plain_client(&sandbox);
    // A number that needs encoding in the status path.
    let number = "E/1 ü";
    assert_eq!(client.status(&key(number)).await.outcome, StatusOutcome::NotFound);
    assert_eq!(client.validate(&payload(number)).await.outcome, ValidateOutcome::Valid);
    assert_eq!(create(&client, number).await, CreateOutcome::Scheduled);
    assert_eq!(found(&client, number).await.status, Status::Pending);
    assert_eq!(found(&client, number).await.status, Status::InProgress);
    let end = found(&client, number).await;
    assert_eq!(end.status, Status::Processed);
    assert!(end.modified_at > end.created_at);
    let again = create(&client, number).await;
    assert_eq!(again, CreateOutcome::AlreadyImported { kraken_identifier: end.kraken_identifier.clone() });

    let accounts = sandbox.accounts();
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (accounts[0].import_supplier.as_str(), accounts[0].external_account_number.as_str()),
        (SUPPLIER, number)
    );
    assert_eq!((accounts[0].accepted, accounts[0].effects), (1, 1));
    assert_eq!(accounts[0].digest, Some(Digest::of(&payload(number)).to_string()));
    assert_eq!(accounts[0].kraken_identifier, end.kraken_identifier);
    let counts = sandbox.counts();
    assert_eq!((counts.requests, counts.validates, counts.creates, counts.status_reads), (7, 1, 2, 4));
    assert_eq!(counts.replies.into_iter().collect::<Vec<_>>(), [(200, 4), (201, 1), (400, 1), (404, 1)]);
}

#[tokio::test]
async fn the_lists_tell_who_is_staged_and_who_exists() {
    let faults = Faults { imported: chosen("9"), ..Faults::default() };
    let sandbox = start(SandboxOptions { pace: Pace::Polls(1), faults, ..SandboxOptions::default() });
    let client = plain_client(&sandbox);
    for number in ["1", "2"] {
        assert_eq!(create(&client, number).await, CreateOutcome::Scheduled);
    }
    let end = found(&client, "2").await;
    for (list, expected) in
        [(ImportList::Pending, &["1"][..]), (ImportList::Imported, &["2", "9"]), (ImportList::All, &["1", "2", "9"])]
    {
        let ListOutcome::Found(imports) = client.imports(list, SUPPLIER).await.outcome else { panic!("{list:?}") };
        let numbers: Vec<_> = imports.iter().map(|import| import.external_account_number.as_str()).collect();
        assert_eq!(numbers, expected);
        let own = imports.iter().find(|import| import.external_account_number == "2");
        assert!(own.is_none_or(|own| own.kraken_account_number == end.kraken_identifier), "{own:?}");
    }
    assert_eq!((sandbox.counts().lists, sandbox.counts().others), (3, 0));
    let without = start(SandboxOptions { lists: false, ..SandboxOptions::default() });
    let outcome = plain_client(&without).imports(ImportList::All, SUPPLIER).await.outcome;
    assert_eq!(outcome, ListOutcome::NotServed("HTTP 404".to_owned()));
}

#[tokio::test]
async fn each_envelope_is_understood_and_the_other_refused() {
    for (envelope, other) in [(Envelope::Bare, Envelope::Wrapped), (Envelope::Wrapped, Envelope::Bare)] {
        let sandbox = start(SandboxOptions { envelope, ..SandboxOptions::default() });
        let matching = client(&sandbox.url, Auth::None, envelope);
        assert_eq!(matching.validate(&payload("1")).await.outcome, ValidateOutcome::Valid);
        assert_eq!(create(&matching, "1").await, CreateOutcome::Scheduled);
        let refused = create(&client(&sandbox.url, Auth::None, other), "2").await;
        let CreateOutcome::Refused(findings) = refused else { panic!("{envelope}: {refused:?}") };
        assert!(findings.iter().any(|finding| finding.path == "payload"), "{envelope}: {findings:?}");
        assert_eq!(sandbox.accounts().len(), 1);
    }
}

#[tokio::test]
async fn only_the_right_key_gets_in_in_either_scheme() {
    let sandbox = start(SandboxOptions { api_key: Some("right".into()), ..SandboxOptions::default() });
    for auth in [Auth::Token("right".into()), Auth::Raw("right".into())] {
        assert_eq!(create(&client(&sandbox.url, auth, Envelope::Bare), "1").await, CreateOutcome::Scheduled);
    }
    for auth in [Auth::Token("wrong".into()), Auth::Raw("wrong".into()), Auth::None] {
        let client = client(&sandbox.url, auth, Envelope::Bare);
        assert_eq!(create(&client, "2").await, CreateOutcome::Unauthorised);
        assert_eq!(client.status(&key("1")).await.outcome, StatusOutcome::Unauthorised);
        assert_eq!(client.validate(&payload("2")).await.outcome, ValidateOutcome::Unauthorised);
    }
    assert_eq!(sandbox.accounts().len(), 1);
}

#[tokio::test]
async fn refusals_arrive_in_every_shape() {
    let finding = |code: Option<&str>| {
        vec![RemoteFinding {
            path: "customers.0.landline".to_owned(),
            code: code.map(str::to_owned),
            message: "‹…› is not a valid phone number".to_owned(),
        }]
    };
    let coded = finding(Some("invalid_phone_number"));
    for (refusals, on_create, on_validate) in [
        (RefusalShape::Nested, CreateOutcome::Refused(finding(None)), finding(None)),
        (RefusalShape::Standard, CreateOutcome::Refused(coded.clone()), coded.clone()),
        (RefusalShape::Opaque, CreateOutcome::RefusedOpaque, coded),
    ] {
        let sandbox = start(SandboxOptions { refusals, ..SandboxOptions::default() });
        let client = plain_client(&sandbox);
        assert_eq!(client.create(BAD_PHONE, &TaskParams::default()).await.outcome, on_create);
        assert_eq!(client.validate(BAD_PHONE).await.outcome, ValidateOutcome::Refused(on_validate));
        assert_eq!(sandbox.accounts(), []);
    }
}

#[tokio::test]
async fn a_dry_run_creates_nothing_and_blocks_nothing() {
    let options = SandboxOptions { envelope: Envelope::Wrapped, pace: Pace::Polls(1), ..SandboxOptions::default() };
    let sandbox = start(options);
    let client = client(&sandbox.url, Auth::None, Envelope::Wrapped);
    let rehearsal = TaskParams { is_dry_run: true, ..TaskParams::default() };
    assert_eq!(client.create(&payload("1"), &rehearsal).await.outcome, CreateOutcome::Scheduled);
    assert_eq!(found(&client, "1").await.status, Status::DryRunSucceeded);
    assert_eq!((sandbox.accounts()[0].effects, sandbox.accounts()[0].dry_runs), (0, 1));
    assert_eq!(create(&client, "1").await, CreateOutcome::Scheduled);
    assert_eq!(found(&client, "1").await.status, Status::Processed);
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_its_effect_is_found() {
    let faults = Faults { lost_reply_one_in: ALWAYS, ..Faults::default() };
    let sandbox = start(SandboxOptions { faults, ..SandboxOptions::default() });
    let client = plain_client(&sandbox);
    let outcome = create(&client, "1").await;
    assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(found(&client, "1").await.kraken_identifier, None);
    assert_eq!(sandbox.accounts()[0].effects, 1);
    assert_eq!((sandbox.counts().creates, sandbox.counts().cut), (1, 1), "nothing is sent twice on its own");
}

#[tokio::test]
async fn an_unavailable_target_is_unknown_and_without_effect() {
    let faults = Faults { unavailable_one_in: ALWAYS, ..Faults::default() };
    let sandbox = start(SandboxOptions { faults, ..SandboxOptions::default() });
    let client = plain_client(&sandbox);
    assert_eq!(create(&client, "1").await, CreateOutcome::Unknown("HTTP 503".to_owned()));
    assert_eq!(client.status(&key("1")).await.outcome, StatusOutcome::NotFound);
    assert_eq!(sandbox.accounts()[0].effects, 0);
}

#[tokio::test]
async fn somebody_elses_account_and_a_failed_import() {
    let faults = Faults { imported: chosen("theirs"), errored: chosen("bad"), ..Faults::default() };
    let sandbox = start(SandboxOptions { faults, pace: Pace::Polls(1), ..SandboxOptions::default() });
    let client = plain_client(&sandbox);

    let theirs = create(&client, "theirs").await;
    let status = found(&client, "theirs").await;
    assert_eq!(status.status, Status::Processed);
    assert_eq!(theirs, CreateOutcome::AlreadyImported { kraken_identifier: status.kraken_identifier });

    assert_eq!(create(&client, "bad").await, CreateOutcome::Scheduled);
    let status = found(&client, "bad").await;
    assert_eq!(status.status, Status::Errored);
    assert!(status.latest_error.is_some_and(|error| error.code.is_some()));
    assert_eq!(create(&client, "bad").await, CreateOutcome::Scheduled);
    assert_eq!(found(&client, "bad").await.status, Status::Processed);
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let faults = Faults { rate: NonZeroU32::new(1), ..Faults::default() };
    let sandbox = start(SandboxOptions { faults, ..SandboxOptions::default() });
    let client = plain_client(&sandbox);
    let mut throttled = None;
    // One of these comes within the second of another, however slow the machine.
    for _ in 0..10_000 {
        let exchange = client.status(&key("1")).await;
        if exchange.outcome == StatusOutcome::Throttled {
            throttled = Some(exchange);
            break;
        }
    }
    let throttled = throttled.expect("a throttled request");
    assert_eq!(throttled.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(sandbox.counts().replies[&429], 1);
    assert!(sandbox.counts().max_per_second >= 2);
}

#[tokio::test]
async fn a_wrong_base_url_never_reads_as_not_found() {
    let sandbox = start(SandboxOptions::default());
    let client = client(&format!("{}/elsewhere", sandbox.url), Auth::None, Envelope::Bare);
    let outcome = client.status(&key("1")).await.outcome;
    assert!(matches!(outcome, StatusOutcome::Unavailable(_)), "{outcome:?}");
    assert_eq!(sandbox.counts().others, 1);
}

/// `slipway sandbox` in a process of its own, killed when it goes out of scope.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Process {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slipway"))
            .arg("sandbox")
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        Self { child, stdout, url: url.trim_end().to_owned() }
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only(std::iter::empty()).build().unwrap();
        http.get(format!("{}{path}", self.url)).send().await.unwrap().bytes().await.unwrap().to_vec()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_command_serves_with_its_flags_and_tells_what_it_was_asked() {
    let process = Process::start(
        &[
            "--port",
            "0",
            "--envelope",
            "wrapped",
            "--api-key-env",
            "SANDBOX_KEY",
            "--import-polls",
            "1",
            "--errored",
            "2",
        ],
        &[("SANDBOX_KEY", "canary")],
    );
    assert!(process.url.starts_with("http://127.0.0.1:"), "{}", process.url);
    let client = client(&process.url, Auth::Token("canary".into()), Envelope::Wrapped);
    assert_eq!(create(&client, "1").await, CreateOutcome::Scheduled);
    assert_eq!(create(&client, "2").await, CreateOutcome::Scheduled);
    assert_eq!(found(&client, "1").await.status, Status::Processed);
    assert_eq!(found(&client, "2").await.status, Status::Errored);

    let accounts: Vec<AccountReport> = serde_json::from_slice(&process.get("/_sandbox/accounts").await).unwrap();
    let ends = accounts.iter().map(|a| (a.external_account_number.as_str(), a.effects, a.status.as_deref()));
    assert_eq!(ends.collect::<Vec<_>>(), [("1", 1, Some("PROCESSED")), ("2", 1, Some("ERRORED"))]);
    let counts: Counts = serde_json::from_slice(&process.get("/_sandbox/counts").await).unwrap();
    assert_eq!((counts.requests, counts.creates, counts.status_reads), (4, 2, 2));
}

#[cfg(unix)]
#[test]
fn the_command_ends_cleanly_when_told_to() {
    let mut process = Process::start(&[], &[]);
    let told = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
    assert_eq!(process.stdout.by_ref().lines().count(), 0, "the URL is all there is on standard output");
}

#[test]
fn a_key_that_is_not_there_starts_no_open_sandbox() {
    let process = Process::start(&["--api-key-env", "NO_SUCH_VARIABLE"], &[]);
    assert_eq!(process.url, "");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let sandbox = start(SandboxOptions::default());
    let port = sandbox.url.rsplit(':').next().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_slipway")).args(["sandbox", "--port", port]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("127.0.0.1:{port}")) && stderr.contains("another port"), "{stderr}");
}
