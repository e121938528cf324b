use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use super::operate::{AccountName, RetrySelection, RetrySummary};
use super::submit::{Change, ExchangeKind, ExchangeRecord, Outcome, Prospects, RemoteStatus};
use super::*;
use crate::account::AccountKey;
use crate::finding::{Cell, Finding, Severity};

fn target() -> TargetIdentity {
    TargetIdentity { url: "https://target.example/".into(), suppliers: vec!["B".into(), "A".into()] }
}

fn run_start() -> RunStart {
    RunStart { command: "run".into(), arguments: "run".into(), user: "u".into(), host: "h".into(), version: "0".into() }
}

/// A ledger in a folder of its own, with a run begun.
struct House {
    /// Keeps the folder for as long as the ledger.
    folder: tempfile::TempDir,
    ledger: Ledger,
    run: RunId,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("state/ledger.sqlite"), &target()).unwrap();
        let run = ledger.begin_run(&run_start()).unwrap();
        Self { folder, ledger, run }
    }

    /// Builds the accounts `number → payload text`; an empty text is a rejected account.
    fn build(&mut self, whole: bool, accounts: &[(&str, &str)]) -> BuildSummary {
        self.build_as(&build_start(whole), accounts, |_| {})
    }

    /// Builds the accounts of a wave.
    fn build_wave(&mut self, wave: &str, accounts: &[(&str, &str)], with: fn(&mut BuildWriter<'_>)) -> BuildSummary {
        self.build_as(&BuildStart { wave: Some(wave.into()), ..build_start(false) }, accounts, with)
    }

    fn build_as(
        &mut self,
        start: &BuildStart,
        accounts: &[(&str, &str)],
        with: fn(&mut BuildWriter<'_>),
    ) -> BuildSummary {
        let mut writer = self.ledger.begin_build(self.run, start).unwrap();
        with(&mut writer);
        for (number, text) in accounts {
            let findings = if text.is_empty() { vec![finding("blank")] } else { vec![] };
            writer
                .account(&BuiltAccount {
                    key: key(number),
                    verdict: verdict(text),
                    findings: &findings,
                    supply_points: &[],
                    pence: None,
                    came: &[],
                })
                .unwrap();
        }
        writer.finish().unwrap()
    }

    /// The numbers of the accounts that may be sent.
    fn claimed(&self) -> Vec<String> {
        let claims = self.ledger.claims(None, None, 100).unwrap();
        claims.iter().map(|claim| claim.key.number.to_string()).collect()
    }

    fn state(&self, number: &str) -> State {
        self.account(number).state
    }

    fn account(&self, number: &str) -> read::AccountRow {
        self.ledger.find_accounts(Some("A"), number).unwrap().remove(0)
    }

    fn id(&self, number: &str) -> AccountId {
        self.account(number).id
    }

    fn intent(&mut self, number: &str) -> State {
        let claims = self.ledger.claims(None, None, 100).unwrap();
        let claim = claims.iter().find(|claim| &*claim.key.number == number).unwrap();
        let change = Change::Intent { account: claim.id, digest: claim.digest, baseline: None };
        self.ledger.record(self.run, &[change]).unwrap()[0]
    }

    fn outcome(&mut self, number: &str, kind: ExchangeKind, event: Event) -> State {
        let outcome = outcome(self.id(number), kind, Some(event));
        self.ledger.record(self.run, &[Change::Outcome(Box::new(outcome))]).unwrap()[0]
    }

    fn reopen(self) -> Self {
        let path = self.ledger.path().to_owned();
        let Self { folder, ledger, .. } = self;
        drop(ledger);
        let mut ledger = Ledger::open(&path, &target()).unwrap();
        let run = ledger.begin_run(&run_start()).unwrap();
        Self { folder, ledger, run }
    }
}

fn key(number: &str) -> AccountKey {
    AccountKey::new("A", number)
}

fn name(number: &str) -> AccountName {
    AccountName { supplier: None, number: number.into() }
}

fn build_start(whole: bool) -> BuildStart {
    BuildStart {
        run_date: chrono::NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
        wave: None,
        selection_is_whole: whole,
        inputs: vec![Input { role: "mapping".into(), name: "m.toml".into(), digest: Digest::of(b"m") }],
    }
}

fn verdict(text: &str) -> Verdict {
    match text {
        "" => Verdict::Rejected,
        _ => Verdict::Ready {
            digest: Digest::of(text.as_bytes()),
            payload: PayloadPlace { block_offset: 1, block_bytes: 2, start: 3, bytes: 4 },
        },
    }
}

fn finding(code: &str) -> Finding {
    Finding {
        code: code.into(),
        severity: Severity::Error,
        path: "customers.0.landline".into(),
        message: "a UK phone number is expected".into(),
        cells: vec![Cell { file: "customers.csv".into(), record: 7, line: 9, column: Some("LANDLINE".into()) }],
    }
}

fn outcome(account: AccountId, kind: ExchangeKind, event: Option<Event>) -> Outcome {
    Outcome {
        account,
        exchange: ExchangeRecord {
            kind,
            started_at: crate::clock::now(),
            duration_ms: 12,
            http_status: Some(201),
            outcome: "scheduled".into(),
            detail: None,
        },
        event,
        status: None,
        kraken_identifier: None,
        validation: None,
        rehearsal: None,
        findings: vec![],
    }
}

#[test]
fn the_views_have_the_columns_they_promise() {
    let house = House::new();
    for (view, promised) in [
        (
            "v_accounts",
            "import_supplier external_account_number state origin wave payload_digest kraken_identifier attempts updated_at",
        ),
        ("v_findings", "external_account_number severity code source path file record line column message"),
        ("v_attempts", "external_account_number kind started_at duration_ms http_status outcome"),
        ("v_runs", "started_at finished_at command exit_code counts"),
        (
            "v_extract_files",
            "file bytes digest records quarantined duplicate orphaned not_selected filtered rejected used",
        ),
        ("v_identities", "name left right difference balanced"),
        ("v_error_clusters", "code path file column accounts pence"),
    ] {
        let statement = house.ledger.connection.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let columns: Vec<_> = statement.column_names().collect();
        for column in promised.split(' ') {
            assert!(columns.contains(&column), "{view} has {columns:?}, not `{column}`");
        }
    }
}

#[test]
fn every_table_is_strict_and_the_settings_are_durable() {
    let house = House::new();
    let ask = |sql: &str| house.ledger.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        ask("SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict \
                    AND name NOT LIKE 'sqlite_%'"),
        0
    );
    assert_eq!(ask("PRAGMA synchronous"), 2);
    assert_eq!(ask("PRAGMA foreign_keys"), 1);
    let mode: String = house.ledger.connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn only_the_owner_can_read_the_ledger_and_its_journal() {
    let house = House::new();
    for suffix in ["", "-wal", ".lock"] {
        let path = format!("{}{suffix}", house.ledger.path().display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
    }
}

#[test]
fn a_second_writer_is_told_who_holds_the_ledger() {
    let house = House::new();
    let error = Ledger::open(house.ledger.path(), &target()).unwrap_err();
    assert!(error.is_refusal());
    let text = error.to_string();
    assert!(text.contains(&format!("process {} on ", std::process::id())), "{text}");
    // A reader is welcome.
    assert_eq!(Ledger::open_read_only(house.ledger.path()).unwrap().tally().unwrap().accounts, 0);
}

#[test]
fn a_ledger_belongs_to_its_target_for_life() {
    let house = House::new();
    let path = house.ledger.path().to_owned();
    drop(house.ledger);
    let same =
        TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into(), "B".into(), "A".into()] };
    drop(Ledger::open(&path, &same).unwrap());
    for other in [
        TargetIdentity { url: "https://other.example".into(), ..target() },
        TargetIdentity { suppliers: vec!["A".into()], ..target() },
    ] {
        let error = Ledger::open(&path, &other).unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert!(error.to_string().contains("https://target.example for A, B"), "{error}");
    }
}

#[test]
fn a_ledger_from_the_future_is_left_alone() {
    let house = House::new();
    let path = house.ledger.path().to_owned();
    house.ledger.connection.pragma_update(None, "user_version", schema::NEWEST + 1).unwrap();
    drop(house.ledger);
    for error in [Ledger::open(&path, &target()).unwrap_err(), Ledger::open_read_only(&path).unwrap_err()] {
        assert!(matches!(error, LedgerError::Newer { .. }), "{error}");
    }
}

#[test]
fn a_file_that_is_no_ledger_and_one_that_is_not_there_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    assert!(matches!(Ledger::open_read_only(&path).unwrap_err(), LedgerError::Missing { .. }));
    std::fs::write(&path, "not a database, and long enough to be taken for one if nobody looked at it closely")
        .unwrap();
    let error = Ledger::open(&path, &target()).unwrap_err();
    assert!(error.to_string().contains("ledger.sqlite can't be opened"), "{error}");
}

#[test]
fn a_rebuild_moves_what_was_not_sent_and_nothing_else() {
    let mut house = House::new();
    let built = house.build(true, &[("1", "one"), ("2", ""), ("3", "three"), ("4", "four"), ("5", "five")]);
    assert_eq!(built, BuildSummary { ready: 4, rejected: 1, ..BuildSummary::default() });
    house.intent("3");
    assert_eq!(house.outcome("3", ExchangeKind::Create, Event::Scheduled), State::Submitted);
    house.intent("4");
    assert_eq!(house.outcome("4", ExchangeKind::Create, Event::Refused), State::Refused);

    let built = house.build(true, &[("1", ""), ("2", "two"), ("3", "THREE"), ("4", "FOUR")]);
    assert_eq!(
        built,
        BuildSummary {
            ready: 3,
            rejected: 1,
            withdrawn: 1,
            changed_before_sending: 3,
            changed_after_acceptance: 1,
            ..BuildSummary::default()
        }
    );
    assert_eq!(house.state("1"), State::Rejected);
    assert_eq!(house.state("2"), State::Ready);
    assert_eq!(house.state("3"), State::Submitted);
    assert_eq!(house.state("4"), State::Refused);
    assert_eq!(house.state("5"), State::Withdrawn);
    let drifted = house.account("3");
    assert_eq!(drifted.accepted_digest, Some(Digest::of(b"three").to_string()));
    assert_eq!(drifted.payload_digest, Some(Digest::of(b"THREE").to_string()));
    assert_eq!(house.ledger.tally().unwrap().drifted, 1);

    let built = house.build(true, &[("1", ""), ("2", "two"), ("3", "THREE"), ("4", "FOUR"), ("5", "five")]);
    assert_eq!((built.unchanged, built.changed_after_acceptance), (2, 1));
    assert_eq!(house.state("5"), State::Ready);
}

#[test]
fn an_accepted_account_that_is_rejected_or_gone_has_changed_after_acceptance() {
    let mut house = House::new();
    let all = [("1", "one"), ("2", "two"), ("3", "three"), ("4", "four"), ("5", "five")];
    house.build(true, &all);
    for number in ["1", "2", "3", "4"] {
        house.intent(number);
        house.outcome(number, ExchangeKind::Create, Event::Scheduled);
    }
    // One is rejected at once, one only when all are known, one is gone, one is as it was; the fifth was never sent.
    let late = |writer: &mut BuildWriter<'_>| {
        for number in ["2", "5"] {
            assert!(writer.reject_late(&key(number), &[finding("supply_point_in_two_accounts")]).unwrap());
        }
    };
    let mut writer = house.ledger.begin_build(house.run, &build_start(true)).unwrap();
    for (number, text) in [("1", ""), ("2", "two"), ("4", "four"), ("5", "five")] {
        let findings = if text.is_empty() { vec![finding("blank"), finding("invalid_postcode")] } else { vec![] };
        let (key, verdict) = (key(number), verdict(text));
        writer
            .account(&BuiltAccount { key, verdict, findings: &findings, supply_points: &[], pence: None, came: &[] })
            .unwrap();
    }
    late(&mut writer);
    let built = writer.finish().unwrap();
    let expected = BuildSummary {
        ready: 1,
        rejected: 3,
        unchanged: 1,
        changed_before_sending: 1,
        changed_after_acceptance: 3,
        ..BuildSummary::default()
    };
    assert_eq!(built, expected);
    assert_eq!(house.ledger.newest_build().unwrap().unwrap().summary, expected);
    assert_eq!(house.ledger.tally().unwrap().drifted, 3);
    let told: Vec<_> = house.ledger.drifted().unwrap().into_iter().map(|d| (d.key.number.to_string(), d.now)).collect();
    assert!(matches!(&told[0], (number, drift::Now::Rejected) if number == "1"), "{told:?}");
    assert!(matches!(&told[1], (number, drift::Now::Rejected) if number == "2"), "{told:?}");
    assert!(matches!(&told[2], (number, drift::Now::Gone) if number == "3"), "{told:?}");
    // The second build finds the same: what was rejected before counts as changed after acceptance still, and as nothing else.
    let built = house.build(true, &[("1", ""), ("2", ""), ("4", "four"), ("5", "")]);
    assert_eq!((built.unchanged, built.changed_before_sending, built.changed_after_acceptance), (1, 0, 3));
    // Mended, they are what the target took.
    let built = house.build(true, &all);
    assert_eq!((built.unchanged, built.changed_before_sending, built.changed_after_acceptance), (4, 1, 0));
    assert_eq!(house.ledger.tally().unwrap().drifted, 0);
}

#[test]
fn a_build_of_some_accounts_withdraws_nobody() {
    let mut house = House::new();
    house.build(true, &[("1", ""), ("2", "")]);
    house.build(false, &[("1", "one")]);
    assert_eq!(house.state("2"), State::Rejected);
    let left: Vec<_> =
        house.ledger.findings(None, 10).unwrap().into_iter().filter_map(|f| f.external_account_number).collect();
    assert_eq!(left, ["2"], "the findings of account 1 went, those of account 2 stayed");
}

#[test]
fn a_build_that_does_not_end_leaves_no_trace() {
    let mut house = House::new();
    house.build(true, &[("1", "one")]);
    let mut writer = house.ledger.begin_build(house.run, &build_start(true)).unwrap();
    writer
        .account(&BuiltAccount {
            key: key("2"),
            verdict: Verdict::Rejected,
            findings: &[finding("blank")],
            supply_points: &[],
            pence: None,
            came: &[],
        })
        .unwrap();
    drop(writer);
    assert_eq!(house.ledger.tally().unwrap().accounts, 1);
    assert_eq!(house.ledger.count_findings().unwrap(), [0, 0, 0]);
}

#[test]
fn a_finding_may_come_before_its_account() {
    let mut house = House::new();
    let mut writer = house.ledger.begin_build(house.run, &build_start(true)).unwrap();
    writer.finding(Some(&key("1")), &finding("duplicate_key")).unwrap();
    writer.finding(None, &finding("quarantined")).unwrap();
    writer
        .account(&BuiltAccount {
            key: key("1"),
            verdict: Verdict::Rejected,
            findings: &[],
            supply_points: &[],
            pence: None,
            came: &[],
        })
        .unwrap();
    writer.finish().unwrap();
    let found = house.ledger.findings(Some(house.id("1")), 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code.as_str(), found[0].line, found[0].column.as_deref()),
        ("duplicate_key", Some(9), Some("LANDLINE"))
    );
    let clusters = house.ledger.causes(10).unwrap();
    assert_eq!(clusters[0].path, "customers.landline");
    assert_eq!((clusters[0].accounts, clusters[1].accounts), (1, 0));
}

#[test]
fn what_was_sending_when_the_process_died_is_unknown() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two")]);
    assert_eq!(house.intent("1"), State::Sending);
    let mut house = house.reopen();
    assert_eq!(house.state("1"), State::Unknown);
    assert_eq!(house.state("2"), State::Ready);
    let open = house.ledger.open_accounts(State::Unknown, None, None, 10).unwrap();
    assert_eq!(open[0].sent, Some(Digest::of(b"one")));
    // Gone from the extract while nobody knew: if it was not received, it is not sent either.
    house.build(true, &[("2", "two")]);
    assert_eq!(house.outcome("1", ExchangeKind::Status, Event::NotReceived), State::Withdrawn);
}

#[test]
fn one_bad_change_undoes_its_whole_batch() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two")]);
    let intent = |id, text: &[u8]| Change::Intent { account: id, digest: Digest::of(text), baseline: None };
    let bad = outcome(house.id("2"), ExchangeKind::Create, Some(Event::Scheduled));
    let changes = [intent(house.id("1"), b"one"), Change::Outcome(Box::new(bad))];
    let error = house.ledger.record(house.run, &changes).unwrap_err();
    assert!(error.to_string().contains("account A/2"), "{error}");
    assert_eq!(house.state("1"), State::Ready);
}

#[test]
fn an_account_found_imported_is_ours_only_after_a_create_of_ours() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two")]);
    for number in ["1", "2"] {
        house.intent(number);
    }
    house.outcome("1", ExchangeKind::Create, Event::Unclear);
    house.outcome("1", ExchangeKind::Status, Event::NotReceived);
    house.intent("1");
    for number in ["1", "2"] {
        let mut found = outcome(house.id(number), ExchangeKind::Create, Some(Event::AlreadyImported));
        found.kraken_identifier = Some(format!("A-{number}"));
        let states = house.ledger.record(house.run, &[Change::Outcome(Box::new(found))]).unwrap();
        assert_eq!(states, [State::Processed]);
    }
    let (ours, foreign) = (house.account("1"), house.account("2"));
    assert_eq!((ours.origin.as_deref(), ours.kraken_identifier.as_deref()), (Some("ours"), Some("A-1")));
    assert_eq!(ours.accepted_digest, Some(Digest::of(b"one").to_string()));
    assert_eq!((foreign.origin.as_deref(), foreign.accepted_digest), (Some("foreign"), None));
    assert_eq!(house.ledger.tally().unwrap().foreign, 1);
}

#[test]
fn the_baseline_comes_back_with_the_open_account() {
    let mut house = House::new();
    house.build(true, &[("1", "one")]);
    let baseline = RemoteStatus { status: "ERRORED".into(), modified: Some("2026-11-24T01:00:00Z".into()) };
    let intent =
        Change::Intent { account: house.id("1"), digest: Digest::of(b"one"), baseline: Some(baseline.clone()) };
    house.ledger.record(house.run, &[intent]).unwrap();
    let house = house.reopen();
    assert_eq!(house.ledger.open_accounts(State::Unknown, None, None, 1).unwrap()[0].baseline, Some(baseline));
}

#[test]
fn a_retry_wants_another_payload_or_the_word_same() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three")]);
    for number in ["1", "2", "3"] {
        house.intent(number);
        let mut refused = outcome(house.id(number), ExchangeKind::Create, Some(Event::Refused));
        refused.findings = vec![finding(if number == "3" { "other" } else { "invalid_phone_number" })];
        house.ledger.record(house.run, &[Change::Outcome(Box::new(refused))]).unwrap();
    }
    house.build(true, &[("1", "ONE"), ("2", "two"), ("3", "")]);
    let all = RetrySelection::default();
    let summary = house.ledger.retry(house.run, &all, "corrected").unwrap();
    assert_eq!(summary, RetrySummary { ready: 1, same_payload: 1, no_payload: 1, held: 0 });
    assert_eq!(house.state("1"), State::Ready);
    assert!(house.ledger.claims(None, None, 10).unwrap()[0].attempts == 1);
    let by_code = RetrySelection { codes: vec!["invalid_phone_number".into()], same: true, accounts: vec![] };
    assert_eq!(house.ledger.retry(house.run, &by_code, "the target was mended").unwrap().ready, 1);
    let unknown = RetrySelection { accounts: vec![name("9")], ..RetrySelection::default() };
    assert!(house.ledger.retry(house.run, &unknown, "").unwrap_err().to_string().contains("no account 9"));
}

#[test]
fn a_held_account_stays_held_until_it_is_released() {
    let mut house = House::new();
    house.ledger.hold(house.run, &[name("2")], "disputed").unwrap();
    let built = house.build(true, &[("1", "one"), ("2", "two")]);
    assert_eq!((built.ready, built.held), (2, 1));
    assert_eq!(house.ledger.hold(house.run, &[name("1")], "asked by letter").unwrap(), 1);
    house.build(true, &[("1", ""), ("2", "two")]);
    assert_eq!(house.state("1"), State::Held);
    assert!(house.ledger.claims(None, None, 10).unwrap().is_empty());
    assert_eq!(house.ledger.release(house.run, &[name("1"), name("2")], "settled").unwrap(), 2);
    assert_eq!((house.state("1"), house.state("2")), (State::Rejected, State::Ready));
}

#[test]
fn what_a_blocked_build_made_waits_until_another_build_makes_it_again() {
    let mut house = House::new();
    let block = |writer: &mut BuildWriter<'_>| writer.block(&["a file is short".into()]).unwrap();
    house.build_as(&build_start(true), &[("1", "one"), ("2", "two"), ("3", "")], block);
    assert_eq!(house.claimed(), [""; 0]);
    house.build(false, &[("1", "one")]);
    assert_eq!(house.claimed(), ["1"]);
    assert_eq!(house.ledger.claim(house.id("2")).unwrap(), None);
    let prospects = Prospects {
        sendable: 1,
        blocked: 1,
        reasons: vec!["a file is short".into()],
        built_ready: 2,
        built_rejected: 1,
    };
    assert_eq!(house.ledger.prospects(None).unwrap(), prospects);
    house.ledger.store_wave("night-1", &[name("1")]).unwrap();
    let of_wave = house.ledger.prospects(Some("night-1")).unwrap();
    assert_eq!(of_wave, Prospects { sendable: 1, built_ready: 1, ..Prospects::default() });
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three")]);
    assert_eq!(house.claimed(), ["1", "2", "3"]);
}

#[test]
fn a_build_of_a_wave_withdraws_whom_it_misses_of_the_wave_unless_it_has_a_limit() {
    let mut house = House::new();
    house.ledger.store_wave("night-1", &[name("1"), name("2"), name("4")]).unwrap();
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three"), ("4", "")]);
    let limited = |writer: &mut BuildWriter<'_>| {
        writer.limit();
    };
    assert_eq!(house.build_wave("night-1", &[("1", "one")], limited).withdrawn, 0);
    assert_eq!(house.claimed(), ["1", "2", "3"]);
    assert_eq!(house.build_wave("night-1", &[("1", "one")], |_| {}).withdrawn, 2);
    assert_eq!((house.state("2"), house.state("4")), (State::Withdrawn, State::Withdrawn));
    assert_eq!(house.claimed(), ["1", "3"]);
    assert_eq!(house.ledger.count_findings().unwrap(), [0, 0, 0]);
    house.build_wave("night-1", &[("1", "one"), ("2", "two"), ("4", "four")], |_| {});
    assert_eq!(house.claimed(), ["1", "2", "3", "4"]);
}

#[test]
fn whoever_is_held_while_away_is_held_on_the_way_back() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three")]);
    for number in ["1", "2", "3"] {
        house.intent(number);
    }
    house.outcome("1", ExchangeKind::Create, Event::Refused);
    house.outcome("2", ExchangeKind::Create, Event::Unclear);
    house.outcome("3", ExchangeKind::Create, Event::Unclear);
    let listed = ["1", "2", "3"].map(name);
    assert_eq!(house.ledger.hold(house.run, &listed, "disputed").unwrap(), 0, "none of them is here");

    let all = RetrySelection { same: true, ..RetrySelection::default() };
    assert_eq!(
        house.ledger.retry(house.run, &all, "mended").unwrap(),
        RetrySummary { held: 1, ..RetrySummary::default() }
    );
    assert_eq!(house.outcome("2", ExchangeKind::Status, Event::NotReceived), State::Held);
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "")]);
    assert_eq!(house.outcome("3", ExchangeKind::Status, Event::NotReceived), State::Rejected);
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three")]);
    assert_eq!(["1", "2", "3"].map(|number| house.state(number)), [State::Held; 3]);
    assert_eq!(house.claimed(), [""; 0]);
    assert_eq!(house.ledger.release(house.run, &listed, "settled").unwrap(), 3);
    assert_eq!(house.claimed(), ["1", "2", "3"]);
}

#[test]
fn a_release_with_a_supplier_leaves_the_bare_number_on_the_list() {
    let mut house = House::new();
    let of = |supplier: &str| AccountName { supplier: Some(supplier.into()), number: "1".into() };
    house.build(true, &[("1", "one")]);
    house.ledger.hold(house.run, &[name("1"), of("A")], "disputed").unwrap();
    assert_eq!(house.ledger.release(house.run, &[of("A")], "settled at A").unwrap(), 0);
    assert_eq!(house.state("1"), State::Held);
    assert_eq!(house.ledger.release(house.run, &[of("B")], "settled at B").unwrap(), 0);
    house.build(true, &[("1", "one")]);
    assert_eq!(house.state("1"), State::Held, "the bare number is on the list still");
    assert_eq!(house.ledger.release(house.run, &[name("1")], "settled").unwrap(), 1);
    assert_eq!(house.state("1"), State::Ready);
}

#[test]
fn a_wave_picks_its_accounts() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "two"), ("3", "three")]);
    let list = [name("2"), AccountName { supplier: Some("B".into()), number: "3".into() }];
    house.ledger.store_wave("night-1", &list).unwrap();
    let claims = house.ledger.claims(None, Some("night-1"), 10).unwrap();
    assert_eq!(claims.iter().map(|claim| &*claim.key.number).collect::<Vec<_>>(), ["2"], "3 is another supplier's");
    assert_eq!(house.ledger.wave("night-1").unwrap(), list);
    assert_eq!(house.ledger.count_by_state(Some("night-1")).unwrap()[0], (State::Ready, 1));
}

#[test]
fn a_run_keeps_its_end() {
    let mut house = House::new();
    house.build(true, &[("1", "one"), ("2", "")]);
    house.ledger.finish_run(house.run, 1).unwrap();
    let run = house.ledger.runs(1).unwrap().remove(0);
    assert_eq!((run.exit_code, run.counts.as_deref()), (Some(1), Some(r#"{"ready":1,"rejected":1}"#)));
}

#[test]
fn a_hundred_thousand_accounts_are_written_in_well_under_their_share_of_a_build() {
    let mut house = House::new();
    let place = PayloadPlace { block_offset: 0, block_bytes: 0, start: 0, bytes: 0 };
    // Twice: new accounts, then the same ones rebuilt.
    for round in 0..2_u8 {
        let started = Instant::now();
        let mut writer = house.ledger.begin_build(house.run, &build_start(true)).unwrap();
        for number in 0..100_000_u32 {
            let mut digest = [round; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            let verdict = Verdict::Ready { digest: Digest(digest), payload: place };
            writer
                .account(&BuiltAccount {
                    key: key(&format!("{number:09}")),
                    verdict,
                    findings: &[],
                    supply_points: &[],
                    pence: None,
                    came: &[],
                })
                .unwrap();
        }
        let summary = writer.finish().unwrap();
        assert_eq!(summary.ready, 100_000);
        // Generous: the machine that runs the tests is busy. Alone it takes about 0.6 s.
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}
