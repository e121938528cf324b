//! Submission against the sandbox: what ends up at the target, whatever goes wrong on the way.

use std::time::{Duration, Instant};

use slipway::account::Digest;
use slipway::interrupt::Interrupt;
use slipway::ledger::State;
use slipway::ledger::operate::RetrySelection;
use slipway::sandbox::{self, Chosen, Faults, Pace, RefusalShape, SandboxOptions};
use slipway::submit::{StopReason, SubmitOptions, Summary, Validate, Work};

use crate::support::house::{House, one_in, options, payload};

#[test]
fn everything_ready_is_created_and_followed_to_its_end() {
    let mut house = House::new(50, Faults::default());
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!((summary.creates, summary.scheduled, summary.processed, summary.stopped), (50, 50, 50, None));
    house.all_processed_once(50);
    // Running again finds nothing to do.
    let again = house.drive(options(Work::CreateAndFollow));
    assert_eq!(again, Summary::default());
}

#[test]
fn submit_and_follow_each_do_their_half() {
    let mut house = House::new(20, Faults::default());
    let summary = house.drive(options(Work::Create));
    assert_eq!((summary.scheduled, summary.processed), (20, 0));
    assert_eq!(house.sandbox.counts().status_reads, 0);
    assert_eq!(house.count(State::Submitted), 20);
    let summary = house.drive(options(Work::Follow));
    assert_eq!((summary.creates, summary.processed, summary.stopped), (0, 20, None));
    house.all_processed_once(20);
}

#[test]
fn lost_replies_and_outages_of_moments_never_create_twice() {
    let faults = Faults {
        unavailable_one_in: one_in(4),
        lost_reply_one_in: one_in(4),
        latency: Duration::from_millis(1),
        ..Faults::default()
    };
    let mut house = House::new(60, faults);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!(summary.stopped, None);
    assert!(summary.creates > 60, "some were sent again: {summary:?}");
    house.all_processed_once(60);
}

#[test]
fn throttling_slows_everybody_down_and_loses_nothing() {
    let faults = Faults { rate: one_in(30), ..Faults::default() };
    let mut house = House::new(20, faults);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!(summary.stopped, None, "{:?}", house.sandbox.counts());
    house.all_processed_once(20);
}

#[test]
fn no_request_starts_before_the_rate_allows_it() {
    const INTERVAL: Duration = Duration::from_millis(20);
    let mut house = House::new(40, Faults::default());
    let (begun, begun_at) = (Instant::now(), slipway::clock::now());
    house.drive(SubmitOptions { interval: Some(INTERVAL), ..options(Work::CreateAndFollow) });
    let (elapsed, counts) = (begun.elapsed(), house.sandbox.counts());
    // All from the start of the run: a busy machine can only make these times longer.
    assert!(elapsed >= INTERVAL * (counts.requests as u32 - 1), "{elapsed:?} {counts:?}");
    let accounts = (0..40).map(|n| house.ledger.find_accounts(None, &format!("A{n:03}")).unwrap()[0].id);
    let attempts = accounts.flat_map(|id| house.ledger.attempts(id).unwrap());
    let mut starts: Vec<chrono::DateTime<chrono::Utc>> =
        attempts.map(|attempt| attempt.started_at.parse().unwrap()).collect();
    starts.sort();
    assert_eq!(starts.len() as u64, counts.requests);
    // The ledger keeps milliseconds.
    let rounding = chrono::TimeDelta::milliseconds(1);
    for (n, start) in (0..).zip(starts) {
        let since = (start - begun_at + rounding).to_std().unwrap_or_default();
        assert!(since >= INTERVAL * n, "request {n} after {since:?}");
    }
    house.all_processed_once(40);
}

#[test]
fn the_rate_comes_close_to_its_limit_and_never_exceeds_it() {
    const LIMIT: u32 = 200;
    const ACCOUNTS: usize = 450;
    let mut house = House::new(ACCOUNTS, Faults::default());
    let interval = Some(Duration::from_secs(1) / LIMIT);
    let summary = house.drive(SubmitOptions { interval, in_flight: 64, ..options(Work::CreateAndFollow) });
    assert_eq!(summary.stopped, None);
    house.all_processed_once(ACCOUNTS as u64);
    // By the sender's own starts the ceiling holds without tolerance. The ledger keeps milliseconds, rounded down: what
    // lies within 999 of them lies within a second.
    let accounts = house.sandbox.accounts();
    let ids = accounts.iter().map(|a| house.ledger.find_accounts(None, &a.external_account_number).unwrap()[0].id);
    let mut starts: Vec<i64> = ids
        .flat_map(|id| house.ledger.attempts(id).unwrap())
        .map(|attempt| attempt.started_at.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis())
        .collect();
    starts.sort_unstable();
    let within = |first: &i64| starts.iter().filter(|start| (*first..first + 999).contains(start)).count();
    let most = starts.iter().map(within).max().unwrap();
    assert!(most <= LIMIT as usize, "{most} started within a second");
    // At the target they may bunch by what a busy machine delays one request and not another: a tenth.
    let counts = house.sandbox.counts();
    assert!(counts.max_per_second <= u64::from(LIMIT + LIMIT / 10), "{counts:?}");
    // Of the whole seconds, the one in the middle: a machine that stalls for a while does not move it.
    let mut seconds = counts.per_second[1..counts.per_second.len() - 1].to_vec();
    seconds.sort_unstable();
    let middle = seconds[seconds.len() / 2];
    assert!(seconds.len() >= 4 && middle * 100 >= LIMIT * 98, "{middle} in a second, of {:?}", counts.per_second);
}

#[test]
fn an_account_that_somebody_else_imported_is_foreign() {
    let faults = Faults { imported: chosen("A003"), ..Faults::default() };
    let mut house = House::new(5, faults);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!((summary.processed, summary.refused), (5, 0));
    let foreign = house.ledger.find_accounts(None, "A003").unwrap().remove(0);
    assert_eq!(foreign.origin.as_deref(), Some("foreign"));
    assert!(foreign.kraken_identifier.is_some());
    assert_eq!(foreign.accepted_digest, None);
    assert_eq!(house.ledger.tally().unwrap().foreign, 1);
    house.is_sound();
}

#[test]
fn an_import_that_failed_can_be_put_back_and_its_old_end_is_not_the_new_ones() {
    let faults = Faults { errored: chosen("A002"), ..Faults::default() };
    let mut house = House::new(4, faults);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!((summary.processed, summary.errored), (3, 1));
    let id = house.ledger.find_accounts(None, "A002").unwrap()[0].id;
    assert!(!house.ledger.findings(Some(id), 9).unwrap().is_empty());
    house.is_sound();

    let again = RetrySelection { same: true, ..RetrySelection::default() };
    assert_eq!(house.ledger.retry(house.run, &again, "mended").unwrap().ready, 1);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!((summary.creates, summary.processed, summary.errored), (1, 1, 0));
    assert!(house.ledger.findings(Some(id), 9).unwrap().is_empty(), "what the first attempt said is settled");
    house.all_processed_once(4);
}

#[test]
fn every_shape_of_refusal_becomes_a_finding_at_its_path() {
    for refusals in [RefusalShape::Nested, RefusalShape::Standard, RefusalShape::Opaque] {
        let mut house = House::with(0, SandboxOptions { refusals, ..SandboxOptions::default() });
        let bad = r#"{"customers":[{"landline":"abcde"}],"external_account_number":"B1","import_supplier":"S"}"#;
        house.build(&[("A1".into(), payload("A1")), ("B1".into(), bad.into())]);
        let summary = house.drive(options(Work::CreateAndFollow));
        assert_eq!((summary.processed, summary.refused, summary.stopped), (1, 1, None), "{refusals}");
        let id = house.ledger.find_accounts(None, "B1").unwrap()[0].id;
        let findings = house.ledger.findings(Some(id), 9).unwrap();
        assert_eq!(findings.len(), 1, "{refusals}: {findings:?}");
        assert_eq!((findings[0].path.as_str(), findings[0].source.as_str()), ("customers.0.landline", "remote"));
        assert!(!findings[0].message.contains("abcde"), "{findings:?}");
        assert_eq!(house.sandbox.counts().validates, u64::from(refusals == RefusalShape::Opaque));
        house.is_sound();
    }
}

#[test]
fn validation_creates_nothing_and_is_remembered() {
    let mut house = House::new(10, Faults::default());
    assert_eq!(house.drive(options(Work::Validate { sample: Some(3) })).validated, 3);
    let summary = house.drive(options(Work::Validate { sample: None }));
    assert_eq!((summary.validated, summary.validated_refused, summary.creates), (7, 0, 0));
    assert_eq!(house.count(State::Ready), 10);
    assert_eq!(
        house.drive(options(Work::Validate { sample: None })).validated,
        0,
        "the same payloads are not asked about again"
    );
    house.drive(SubmitOptions { validate: Validate::Always, ..options(Work::CreateAndFollow) });
    let counts = house.sandbox.counts();
    assert_eq!((counts.validates, counts.creates), (10, 10));
}

#[test]
fn an_account_that_validation_finds_wanting_is_not_created() {
    let mut house = House::with(0, SandboxOptions::default());
    let bad = r#"{"customers":[{"landline":"abcde"}],"external_account_number":"B1","import_supplier":"S"}"#;
    house.build(&[("A1".into(), payload("A1")), ("B1".into(), bad.into())]);
    let summary = house.drive(SubmitOptions { validate: Validate::Always, ..options(Work::CreateAndFollow) });
    assert_eq!((summary.validated, summary.validated_refused, summary.creates), (2, 1, 1));
    assert_eq!(house.count(State::Ready), 1);
    // Not in another run either, whatever is validated: it is asked about again, and only then created.
    for validate in [Validate::Always, Validate::Never] {
        let summary = house.drive(SubmitOptions { validate, ..options(Work::CreateAndFollow) });
        assert_eq!((summary.validated_refused, summary.creates), (1, 0));
    }
    let summary = house.drive(options(Work::Validate { sample: None }));
    assert_eq!((summary.validated, summary.validated_refused), (1, 1));
    house.build(&[("A1".into(), payload("A1")), ("B1".into(), payload("B1"))]);
    house.drive(SubmitOptions { validate: Validate::Always, ..options(Work::CreateAndFollow) });
    house.all_processed_once(2);
}

#[test]
fn a_payload_that_can_not_be_read_is_left_and_said_and_the_others_go() {
    let mut house = House::new(4, Faults::default());
    let damaged = house.payloads.remove(&Digest::of(payload("A002").as_bytes())).unwrap();
    for _ in 0..2 {
        let summary = house.drive(options(Work::CreateAndFollow));
        assert_eq!((summary.damaged, summary.given_up, summary.stopped), (1, 0, None));
        let id = house.ledger.find_accounts(None, "A002").unwrap()[0].id;
        let findings = house.ledger.findings(Some(id), 9).unwrap();
        assert_eq!(findings.iter().map(|finding| &*finding.code).collect::<Vec<_>>(), ["payload_damaged"]);
    }
    assert_eq!((house.count(State::Processed), house.count(State::Ready)), (3, 1));
    house.is_sound();
    house.payloads.insert(Digest::of(&damaged), damaged);
    house.drive(options(Work::CreateAndFollow));
    assert_eq!(house.ledger.count_findings().unwrap(), [0, 0, 0]);
    house.all_processed_once(4);
}

#[test]
fn no_create_starts_after_the_time_for_creates() {
    let mut house = House::new(6, Faults::default());
    // The second create waits for its place when the time is over.
    let until = slipway::clock::now() + Duration::from_millis(700);
    let slow = SubmitOptions { interval: Some(Duration::from_secs(2)), until: Some(until), ..options(Work::Create) };
    let summary = house.drive(slow);
    assert_eq!(summary.stopped, Some(StopReason::Until));
    assert!(summary.creates <= 1, "{summary:?}");
    assert_eq!(house.count(State::Ready), 6 - summary.creates);
    house.is_sound();
    house.drive(options(Work::CreateAndFollow));
    house.all_processed_once(6);
}

#[test]
fn imports_of_an_earlier_run_count_in_the_share_that_failed() {
    let errored = Chosen { one_in: one_in(4), numbers: [].into() };
    let mut house = House::new(140, Faults { errored, ..Faults::default() });
    house.drive(options(Work::Create));
    let strict = SubmitOptions { failed_percent: Some(1.into()), ..options(Work::Follow) };
    let summary = house.drive(strict);
    assert!(matches!(summary.stopped, Some(StopReason::FailedShare { tried: 100.., .. })), "{summary:?}");
}

#[test]
fn a_limit_is_kept_and_told() {
    let mut house = House::new(10, Faults::default());
    let limited = || SubmitOptions { limit: Some(4), ..options(Work::CreateAndFollow) };
    let summary = house.drive(limited());
    assert_eq!((summary.creates, summary.limited, summary.stopped), (4, true, None));
    assert_eq!((house.count(State::Processed), house.count(State::Ready)), (4, 6));
    house.drive(limited());
    assert!(!house.drive(limited()).limited, "two were left");
    house.all_processed_once(10);
}

#[test]
fn a_target_that_nobody_serves_is_unreachable_and_nothing_is_in_doubt() {
    let mut house = House::new(5, Faults::default());
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let summary = house.drive_at(&url, options(Work::CreateAndFollow), &Interrupt::never());
    assert!(matches!(summary.stopped, Some(StopReason::Unreachable { .. })), "{summary:?}");
    assert_eq!(house.count(State::Ready), 5);
    house.is_sound();
}

#[test]
fn refused_credentials_stop_the_run_at_once() {
    let options_of_sandbox = SandboxOptions { api_key: Some("key".to_owned().into()), ..SandboxOptions::default() };
    let mut house = House::with(30, options_of_sandbox);
    let summary = house.drive(SubmitOptions { in_flight: 1, ..options(Work::CreateAndFollow) });
    assert_eq!((summary.stopped, summary.requests), (Some(StopReason::Unauthorised), 1));
    assert_eq!(house.count(State::Ready), 30);
    house.is_sound();
}

#[test]
fn an_interrupt_lets_what_is_on_its_way_end_and_the_next_run_goes_on() {
    let mut house = House::new(30, Faults::default());
    let (raise, interrupt) = Interrupt::by_hand();
    raise.raise();
    let summary = house.drive_until(options(Work::CreateAndFollow), &interrupt);
    assert_eq!((summary.requests, summary.stopped), (0, Some(StopReason::Interrupted)));

    // In the middle: a limiter so slow that creates wait for it when the interrupt comes.
    let (raise, interrupt) = Interrupt::by_hand();
    let url = house.sandbox.url.clone();
    let watcher = std::thread::spawn(move || {
        // Until the first create has arrived at the target; the run is over long before the tries are.
        for _ in 0..3000 {
            if ask_counts(&url).creates > 0 {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        raise.raise();
    });
    let slow = SubmitOptions { interval: Some(Duration::from_millis(500)), ..options(Work::CreateAndFollow) };
    let summary = house.drive_until(slow, &interrupt);
    watcher.join().unwrap();
    assert_eq!(summary.stopped, Some(StopReason::Interrupted));
    assert_eq!(house.count(State::Sending) + house.count(State::Unknown), 0, "what was not begun is ready again");
    house.is_sound();
    house.drive(options(Work::CreateAndFollow));
    house.all_processed_once(30);
}

#[test]
fn imports_that_do_not_end_stay_submitted() {
    let pace = Pace::Elapsed(Duration::from_hours(1));
    let mut house = House::with(3, SandboxOptions { pace, ..SandboxOptions::default() });
    let brief = SubmitOptions { follow_for: Duration::from_millis(100), ..options(Work::CreateAndFollow) };
    let summary = house.drive(brief);
    assert_eq!(summary.stopped, Some(StopReason::FollowTime { left: 3 }));
    assert_eq!(house.count(State::Submitted), 3);
    house.is_sound();
}

fn chosen(number: &str) -> Chosen {
    Chosen { one_in: None, numbers: [number.to_owned()].into() }
}

/// Asks a sandbox what it was asked.
fn ask_counts(url: &str) -> sandbox::Counts {
    use std::io::{Read as _, Write as _};
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET /_sandbox/counts HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
}
