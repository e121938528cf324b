//! Every fault that the sandbox has: the submission survives it, with one effect an account.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use slipway::ledger::State;
use slipway::sandbox::{Chosen, Faults, How, Outage, Pace, RetryAfter, SandboxOptions, Storm, TokenFault};
use slipway::submit::{FreshKey, StopReason, SubmitOptions, Summary, Work};
use slipway::target::Auth;

use crate::support::house::{House, one_in, options, payload};
use crate::support::night::{FAST, Sandbox, finish, project};
use crate::support::text;

const ACCOUNTS: u64 = 40;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn house(faults: Faults) -> House {
    // Of several reads, so that those have something to meet.
    House::with(
        ACCOUNTS as usize,
        SandboxOptions { faults, pace: Pace::Polls(3), seed: 5, ..SandboxOptions::default() },
    )
}

/// Sends everything through `faults`; no account may be created twice or be missing.
fn survives(faults: Faults) -> (House, Summary) {
    let mut house = house(faults);
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!(summary.stopped, None, "{:?}", house.sandbox.counts());
    house.all_processed_once(ACCOUNTS);
    (house, summary)
}

fn replies(house: &House, status: u16) -> u64 {
    house.sandbox.counts().replies.get(&status).copied().unwrap_or_default()
}

#[test]
fn latency() {
    survives(Faults { latency: ms(30), ..Faults::default() });
}

#[test]
fn connections_cut_before_and_after_acceptance() {
    let (house, summary) =
        survives(Faults { reset_one_in: one_in(5), lost_reply_one_in: one_in(5), ..Faults::default() });
    assert!(house.sandbox.counts().cut > 4 && summary.creates > ACCOUNTS, "{summary:?}");
}

#[test]
fn pages_of_html_before_and_after_acceptance() {
    let faults = Faults {
        unavailable_one_in: one_in(6),
        error_one_in: one_in(6),
        gateway_one_in: one_in(5),
        read_error_one_in: one_in(6),
        ..Faults::default()
    };
    let (house, _) = survives(faults);
    for status in [500, 502, 503, 504] {
        assert!(replies(&house, status) > 0, "{:?}", house.sandbox.counts());
    }
}

#[test]
fn status_reads_that_are_cut_and_bodies_that_break_off() {
    let faults = Faults { read_reset_one_in: one_in(6), truncated_one_in: one_in(4), ..Faults::default() };
    let (house, summary) = survives(faults);
    assert_eq!(summary.creates, ACCOUNTS, "a read that fails is no reason to create again");
    assert!(house.sandbox.counts().cut > 4);
}

#[test]
fn bodies_that_take_their_time_and_bodies_that_take_too_long() {
    let slow = |slow_body| Faults { slow_one_in: one_in(8), slow_body, ..Faults::default() };
    survives(slow(ms(60)));
    let mut house = house(slow(ms(1_500)));
    house.timeout = ms(400);
    let patient = SubmitOptions { settle: Duration::from_secs(5), ..options(Work::CreateAndFollow) };
    assert_eq!(house.drive(patient).stopped, None);
    house.all_processed_once(ACCOUNTS);
}

#[test]
fn creates_that_take_effect_when_nobody_waits_for_them_any_more() {
    // Given up after 2 s, in effect after 2.5 s. Settle is shorter than that, and counts from the giving up: counted from
    // the sending, it would be over at the first read, and all would be created twice.
    let mut house = house(Faults { late_one_in: one_in(2), late: ms(2_500), ..Faults::default() });
    house.timeout = ms(2_000);
    let summary = house.drive(SubmitOptions { settle: ms(1_600), in_flight: 40, ..options(Work::CreateAndFollow) });
    assert_eq!((summary.stopped, summary.creates), (None, ACCOUNTS));
    assert!(summary.requests > ACCOUNTS * 4, "they were looked for in vain");
    house.all_processed_once(ACCOUNTS);
}

#[test]
fn creates_that_are_never_answered() {
    let mut house = house(Faults { silent_one_in: one_in(4), ..Faults::default() });
    house.timeout = ms(300);
    // Longer than a busy machine may need to look at a request that was given up.
    let patient = SubmitOptions { settle: Duration::from_secs(5), ..options(Work::CreateAndFollow) };
    let summary = house.drive(patient);
    assert_eq!((summary.stopped, summary.creates), (None, ACCOUNTS));
    house.all_processed_once(ACCOUNTS);
}

#[test]
fn a_status_that_lags_behind_the_acceptance() {
    // What was created and whose reply was lost shows late, but within settle.
    survives(Faults { lag: ms(120), lost_reply_one_in: one_in(3), gateway_one_in: one_in(4), ..Faults::default() });
}

#[test]
fn a_status_that_flaps_goes_backwards_and_is_a_word_nobody_knows() {
    let faults = Faults {
        flap_one_in: one_in(4),
        backwards_one_in: one_in(4),
        odd_word_one_in: one_in(4),
        lost_reply_one_in: one_in(4),
        ..Faults::default()
    };
    survives(faults);
}

#[test]
fn accounts_that_somebody_else_imported_between_ours() {
    let imported = Chosen { one_in: one_in(5), ..Chosen::default() };
    let mut house = house(Faults { imported, lost_reply_one_in: one_in(5), ..Faults::default() });
    let summary = house.drive(options(Work::CreateAndFollow));
    assert_eq!((summary.processed, summary.stopped), (ACCOUNTS, None));
    house.is_sound();
    let theirs = house.sandbox.accounts().iter().filter(|account| account.foreign).count() as u64;
    assert!(theirs > 0 && house.ledger.tally().unwrap().foreign == theirs, "{theirs}");
    assert!(house.sandbox.accounts().iter().all(|account| account.effects == u32::from(!account.foreign)));
}

#[test]
fn a_storm_of_429_is_sat_out_by_everybody_for_as_long_as_it_says() {
    for retry_after in [RetryAfter::Seconds, RetryAfter::Date, RetryAfter::None] {
        let storm = Storm { at: ms(0), lasts: ms(700), every: None, retry_after };
        let begun = Instant::now();
        let (house, _) = survives(Faults { storms: vec![storm], ..Faults::default() });
        let (took, throttled) = (begun.elapsed(), replies(&house, 429));
        assert!(throttled > 0, "{:?}", house.sandbox.counts());
        if retry_after != RetryAfter::None {
            // Nothing but what was on its way together was refused: everybody waited.
            assert!(throttled <= 16, "{retry_after:?}: {throttled}");
        }
        match retry_after {
            RetryAfter::Seconds => assert!(took >= ms(1_000), "{took:?}"),
            // A date has whole seconds, and some of the first had passed.
            RetryAfter::Date | RetryAfter::None => assert!(took >= ms(600), "{retry_after:?}: {took:?}"),
        }
    }
}

#[test]
fn an_outage_is_paused_probed_and_survived_however_it_shows() {
    for how in [How::Unavailable, How::Reset, How::Refuse] {
        let outage = Outage { at: ms(40), lasts: ms(800), every: None, how };
        let mut house = house(Faults { outages: vec![outage], latency: ms(15), ..Faults::default() });
        let summary = house.drive(SubmitOptions { in_flight: 4, ..options(Work::CreateAndFollow) });
        assert_eq!(summary.stopped, None, "{how:?}: {:?}", house.sandbox.counts());
        house.all_processed_once(ACCOUNTS);
        // Pauses that double from 5 ms reach 800 ms after eight probes; each may ask once, and some were on their way.
        let failed = house.failures();
        assert!((3..=24).contains(&failed), "{how:?}: {failed} requests failed");
    }
}

#[test]
fn an_outage_that_lasts_is_given_up_and_the_next_run_goes_on() {
    let outage = Outage { at: ms(60), lasts: ms(2_500), every: None, how: How::Unavailable };
    let mut house = house(Faults { outages: vec![outage], latency: ms(10), ..Faults::default() });
    let begun = Instant::now();
    let impatient = SubmitOptions { give_up_after: ms(300), in_flight: 4, ..options(Work::CreateAndFollow) };
    let summary = house.drive(impatient);
    assert!(matches!(summary.stopped, Some(StopReason::Outage { .. })), "{summary:?}");
    assert!(begun.elapsed() < ms(2_500), "given up while it lasted");
    assert_eq!(house.count(State::Sending), 0);
    while house.count(State::Processed) < ACCOUNTS && begun.elapsed() < Duration::from_secs(30) {
        house.drive(options(Work::CreateAndFollow));
    }
    house.all_processed_once(ACCOUNTS);
}

#[test]
fn a_key_that_runs_out_is_read_anew_and_one_that_is_no_better_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = |requests| Some(TokenFault { file: file.clone(), requests: NonZeroU32::new(requests).unwrap() });
    let read = {
        let file = file.clone();
        move || std::fs::read_to_string(&file).map(|key| Auth::Token(key.into())).map_err(|error| error.to_string())
    };
    let mut house = house(Faults { token: token(30), ..Faults::default() });
    house.auth = read().unwrap();
    let fresh_key = Some(FreshKey::new(read.clone()));
    let summary = house.drive(SubmitOptions { fresh_key, ..options(Work::CreateAndFollow) });
    assert_eq!(summary.stopped, None, "{:?}", house.sandbox.counts());
    house.all_processed_once(ACCOUNTS);
    assert!(replies(&house, 401) >= 4, "{:?}", house.sandbox.counts());

    // A command that prints the old key again: one more try each for what was on its way, and no loop.
    let mut house = self::house(Faults { token: token(10), ..Faults::default() });
    let old = read().unwrap();
    house.auth = old.clone();
    let fresh_key = Some(FreshKey::new(move || Ok(old.clone())));
    let summary = house.drive(SubmitOptions { fresh_key, in_flight: 1, ..options(Work::CreateAndFollow) });
    assert_eq!(summary.stopped, Some(StopReason::Unauthorised));
    assert_eq!(replies(&house, 401), 2, "{:?}", house.sandbox.counts());
    house.is_sound();
    let fresh_key = Some(FreshKey::new(|| Err("the command fails".to_owned())));
    let summary = house.drive(SubmitOptions { fresh_key, in_flight: 1, ..options(Work::CreateAndFollow) });
    assert_eq!(summary.stopped, Some(StopReason::NoKey("the command fails".to_owned())));
    house.is_sound();
}

#[test]
fn refusals_that_are_all_the_same_end_the_run_and_tell_their_cause() {
    let mut house = House::with(0, SandboxOptions::default());
    let bad = |n: u32| {
        format!(r#"{{"customers":[{{"landline":"abc"}}],"external_account_number":"B{n}","import_supplier":"S"}}"#)
    };
    let mut accounts: Vec<_> = (0..30).map(|n| (format!("B{n:02}"), bad(n))).collect();
    accounts.insert(3, ("A1".to_owned(), payload("A1")));
    house.build(&accounts);
    let strict = SubmitOptions { identical_refusals: 5, in_flight: 1, ..options(Work::CreateAndFollow) };
    let summary = house.drive(strict);
    let Some(StopReason::IdenticalRefusals { accounts: 5, causes }) = &summary.stopped else { panic!("{summary:?}") };
    assert!(causes.contains("customers.landline") && !causes.contains("abc"), "{causes}");
    assert_eq!((summary.refused, summary.scheduled), (8, 1), "three before the good one, five after it");
    house.is_sound();
}

#[test]
fn all_faults_at_once() {
    for seed in [1, 2, 3] {
        let faults = Faults {
            latency: ms(2),
            unavailable_one_in: one_in(20),
            error_one_in: one_in(25),
            reset_one_in: one_in(25),
            lost_reply_one_in: one_in(12),
            gateway_one_in: one_in(15),
            read_error_one_in: one_in(20),
            read_reset_one_in: one_in(25),
            flap_one_in: one_in(15),
            odd_word_one_in: one_in(15),
            backwards_one_in: one_in(15),
            lag: ms(50),
            truncated_one_in: one_in(20),
            slow_one_in: one_in(20),
            slow_body: ms(30),
            storms: vec![Storm { at: ms(100), lasts: ms(200), every: None, retry_after: RetryAfter::Date }],
            outages: vec![Outage { at: ms(1_200), lasts: ms(200), every: None, how: How::Reset }],
            ..Faults::default()
        };
        let pace = Pace::Polls(3);
        let accounts = 120;
        let mut house = House::with(accounts, SandboxOptions { faults, pace, seed, ..SandboxOptions::default() });
        // Some accounts may have bad luck in all their attempts; the next run goes on with them.
        for _ in 0..5 {
            if house.drive(options(Work::CreateAndFollow)).stopped.is_none() {
                break;
            }
        }
        house.all_processed_once(accounts as u64);
    }
}

#[test]
fn the_binary_reads_a_file_of_faults_and_a_key_that_runs_out() {
    let folder = tempfile::tempdir().unwrap();
    let (file, token) = (folder.path().join("faults.toml"), folder.path().join("token"));
    let faults = format!(
        "reset_one_in = 9\nlag = \"20ms\"\n[[storms]]\nat = \"100ms\"\nlasts = \"100ms\"\n\
         [token]\nfile = \"{}\"\nrequests = 40\n",
        token.display()
    );
    std::fs::write(&file, faults).unwrap();
    let sandbox = Sandbox::start(&["--faults", file.to_str().unwrap(), "--lost-reply-one-in", "9"]);
    let project = project(30, &sandbox);
    project.edit("slipway.toml", |toml| format!("{toml}auth = {{ command = \"cat {}\" }}\n", token.display()));
    finish(&project, &sandbox, 30);
    let counts = sandbox.counts();
    assert!(counts.replies[&401] > 0 && counts.replies[&429] > 0 && counts.cut > 0, "{counts:?}");

    std::fs::write(&file, "reset = 9").unwrap();
    let output = crate::support::slipway().args(["sandbox", "--faults", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("reset"), "{}", text(&output.stderr));
}

#[test]
fn a_target_that_never_answers_is_exit_4_with_nothing_lost_or_in_doubt() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::start(&[]);
    let project = project(30, &sandbox);
    let url = format!("target.url=http://{}", silent.local_addr().unwrap());
    let slow = ["--set", &url, "--set", "limits.timeout=200ms", "--set", "limits.attempts=3"];
    let begun = Instant::now();
    let output = project.run(4, &[&["run", "--quiet"], &FAST[..], &slow].concat());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(text(&output.stderr).contains("nothing was sent"), "{}", text(&output.stderr));
    assert_eq!(project.column("SELECT DISTINCT state FROM account"), ["ready"]);
    assert_eq!(project.column("SELECT name FROM v_identities WHERE NOT balanced"), [""; 0]);
    project.run(0, &["reconcile", "--quiet", "--set", &url]);
}

#[test]
fn a_target_that_falls_silent_is_given_up_after_its_time_with_a_ledger_that_balances() {
    let mut house = house(Faults { outages: vec![forever(How::Reset)], latency: ms(5), ..Faults::default() });
    let begun = Instant::now();
    let patience = ms(600);
    let summary = house.drive(SubmitOptions { give_up_after: patience, ..options(Work::CreateAndFollow) });
    assert!(matches!(summary.stopped, Some(StopReason::Outage { .. })), "{summary:?}");
    assert!(summary.stopped.as_ref().is_some_and(StopReason::is_target), "exit 4");
    assert!(begun.elapsed() >= patience && begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    house.is_sound();
    let counted: u64 = house.ledger.count_by_state(None).unwrap().iter().map(|(_, accounts)| accounts).sum();
    assert_eq!((counted, house.count(State::Sending)), (ACCOUNTS, 0));
}

/// An outage that begins when some accounts are on their way, and does not end.
fn forever(how: How) -> Outage {
    Outage { at: ms(60), lasts: Duration::from_hours(1), every: None, how }
}

#[test]
fn the_first_read_of_a_key_takes_a_place_among_the_requests() {
    let sandbox = Sandbox::start(&[]);
    let project = project(4, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let auth = "target.auth.command=touch asked; echo key";
    let slow = ["--set", auth, "--set", "limits.rate=2/s", "--set", "follow.every=100ms"];
    project.run(0, &[&["validate", "--sample", "2", "--quiet"], &slow[..]].concat());
    let asked: chrono::DateTime<chrono::Utc> =
        std::fs::metadata(project.path("asked")).and_then(|file| file.modified()).map(SystemTime::into).unwrap();
    let first = project.column("SELECT min(started_at) FROM v_attempts").remove(0);
    let first: chrono::DateTime<chrono::Utc> = first.parse().unwrap();
    // Times of files are kept to a tick of the system's clock, some milliseconds; those of exchanges to one.
    let apart = (first - asked).num_milliseconds();
    assert!(apart >= 480, "{apart} ms");
}

#[test]
fn an_outage_that_is_given_up_is_exit_4_and_the_next_run_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.toml");
    std::fs::write(&file, "latency = \"20ms\"\n[[outages]]\nat = \"300ms\"\nlasts = \"4s\"\nhow = \"reset\"\n")
        .unwrap();
    let sandbox = Sandbox::start(&["--faults", file.to_str().unwrap()]);
    let project = project(60, &sandbox);
    let slow = ["--set", "limits.rate=60/s", "--set", "stop.give_up_after=500ms"];
    let output = project.run(4, &[&["run", "--quiet"], &FAST[..], &slow[..]].concat());
    assert!(text(&output.stdout).contains("stop.give_up_after") || text(&output.stderr).contains("give_up_after"));
    // Until the outage is over.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        std::thread::park_timeout(ms(200));
    }
    finish(&project, &sandbox, 60);
}
