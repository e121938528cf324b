use chrono::NaiveDate;

use crate::account::{AccountKey, Digest};
use crate::ledger::state::Event;
use crate::ledger::submit::{Change, ExchangeKind, ExchangeRecord, Outcome};
use crate::ledger::{BuildStart, BuiltAccount, PayloadPlace, RunId, RunStart, TargetIdentity, Verdict};
use crate::progress::Progress;
use crate::submit::{Validate, writer};
use crate::target::{Auth, ClientOptions, Envelope, TaskParams};

use super::*;

/// A ledger with two ready accounts.
fn ledger(folder: &std::path::Path) -> (Ledger, RunId) {
    let target = TargetIdentity { url: "http://127.0.0.1:9".into(), suppliers: vec!["S".into()] };
    let mut ledger = Ledger::open(&folder.join("ledger.sqlite"), &target).unwrap();
    let text = || "test".to_owned();
    let start = RunStart { command: text(), arguments: text(), user: text(), host: text(), version: text() };
    let run = ledger.begin_run(&start).unwrap();
    let start = BuildStart {
        run_date: NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
        wave: None,
        selection_is_whole: true,
        inputs: vec![],
    };
    let mut build = ledger.begin_build(run, &start).unwrap();
    for number in ["1", "2"] {
        let payload = PayloadPlace { block_offset: 0, block_bytes: 0, start: 0, bytes: 0 };
        let verdict = Verdict::Ready { digest: Digest::of(number.as_bytes()), payload };
        build
            .account(&BuiltAccount {
                key: AccountKey::new("S", number),
                verdict,
                findings: &[],
                supply_points: &[],
                pence: None,
                came: &[],
            })
            .unwrap();
    }
    build.finish().unwrap();
    (ledger, run)
}

fn options() -> SubmitOptions {
    SubmitOptions {
        work: Work::CreateAndFollow,
        wave: None,
        limit: None,
        interval: None,
        in_flight: 1,
        attempts: 1,
        settle: Duration::ZERO,
        validate: Validate::Never,
        task: TaskParams::default(),
        replies: None,
        poll_every: Duration::ZERO,
        follow_for: Duration::ZERO,
        consecutive_failures: 1,
        give_up_after: Duration::from_secs(30),
        identical_refusals: 1000,
        fresh_key: None,
        failed_percent: None,
        until: None,
        first_wait: Duration::ZERO,
        seed: 0,
    }
}

fn told(account: AccountId, kind: ExchangeKind, event: Event) -> Change {
    let exchange = ExchangeRecord {
        kind,
        started_at: clock::now(),
        duration_ms: 0,
        http_status: None,
        outcome: "test".into(),
        detail: None,
    };
    Change::Outcome(Box::new(Outcome {
        account,
        exchange,
        event: Some(event),
        status: None,
        kraken_identifier: None,
        validation: None,
        rehearsal: None,
        findings: vec![],
    }))
}

#[tokio::test]
async fn an_account_taken_up_in_doubt_is_not_claimed_when_it_turns_out_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, run) = ledger(folder.path());
    let doubtful = ledger.claims(None, None, 1).unwrap().remove(0);
    let intent = Change::Intent { account: doubtful.id, digest: doubtful.digest, baseline: None };
    ledger.record(run, &[intent, told(doubtful.id, ExchangeKind::Create, Event::Unclear)]).unwrap();

    let client = Client::new(&ClientOptions {
        url: "http://127.0.0.1:9".into(),
        auth: Auth::None,
        envelope: Envelope::Bare,
        timeout: Duration::from_secs(1),
        max_body_bytes: ClientOptions::DEFAULT_MAX_BODY_BYTES,
    })
    .unwrap();
    let (writer, requests) = writer::channel();
    let serving = std::thread::spawn(move || writer::serve(&mut ledger, run, requests));
    let meters = Meters { submit: Progress::hidden(), follow: Progress::hidden() };
    let payloads: Payloads = Arc::new(|_, _, _| Err("not read here".into()));
    let mut dispatcher = Dispatcher::new(client, writer.clone(), payloads, options(), meters);
    dispatcher.take_up_open_accounts().await.unwrap();
    // Its status read finds nothing before the accounts behind the first page are claimed.
    let state = writer.record(told(doubtful.id, ExchangeKind::Status, Event::NotReceived)).await.unwrap();
    assert_eq!(state, State::Ready);
    dispatcher.claim_more().await.unwrap();
    let mut steps = Vec::new();
    while let Some((account, step)) = dispatcher.queue.pick(Instant::now()) {
        steps.push((account.key.number.to_string(), step));
    }
    // The other one is in hand already.
    assert_eq!(steps, [("1".to_owned(), Step::Read), ("2".to_owned(), Step::Create)]);

    drop((dispatcher, writer));
    serving.join().unwrap().unwrap();
}
