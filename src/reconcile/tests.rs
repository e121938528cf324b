use chrono::NaiveDate;

use super::*;
use crate::account::{AccountKey, Digest};
use crate::ledger::operate::RetrySelection;
use crate::ledger::state::Event;
use crate::ledger::submit::{Change, ExchangeKind, ExchangeRecord, Outcome};
use crate::ledger::{BuildStart, BuiltAccount, FileCount, PayloadPlace, RunStart, TargetIdentity, Verdict};

/// A ledger in which everything has happened: accounts in every state that a create leads to.
struct House {
    folder: tempfile::TempDir,
    ledger: Ledger,
    run: RunId,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = TargetIdentity { url: "http://127.0.0.1:1".into(), suppliers: vec!["S".into()] };
        let mut ledger = Ledger::open(&folder.path().join("ledger.sqlite"), &target).unwrap();
        let text = || "test".to_owned();
        let start = RunStart { command: text(), arguments: text(), user: text(), host: text(), version: text() };
        let run = ledger.begin_run(&start).unwrap();
        let mut house = Self { folder, ledger, run };
        house.build();
        for (number, events) in [
            ("processed", vec![Event::Scheduled, Event::StatusPending, Event::StatusProcessed]),
            ("submitted", vec![Event::Scheduled]),
            ("errored", vec![Event::Scheduled, Event::StatusErrored]),
            ("retried", vec![Event::Scheduled, Event::StatusErrored]),
            ("foreign", vec![Event::AlreadyImported]),
            ("refused", vec![Event::Refused]),
            ("doubtful", vec![Event::Unclear, Event::Inconclusive]),
            ("lost", vec![Event::Unclear, Event::NotReceived]),
            ("throttled", vec![Event::NotSent]),
        ] {
            house.create(number, &events);
        }
        let retried = RetrySelection {
            accounts: vec![crate::ledger::operate::AccountName { supplier: None, number: "retried".into() }],
            same: true,
            ..RetrySelection::default()
        };
        assert_eq!(house.ledger.retry(run, &retried, "mended at the target").unwrap().ready, 1);
        house
    }

    fn build(&mut self) {
        let start = BuildStart {
            run_date: NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
            wave: None,
            selection_is_whole: true,
            inputs: vec![],
        };
        let mut writer = self.ledger.begin_build(self.run, &start).unwrap();
        let place = PayloadPlace { block_offset: 0, block_bytes: 0, start: 0, bytes: 0 };
        let sent =
            ["processed", "submitted", "errored", "retried", "foreign", "refused", "doubtful", "lost", "throttled"];
        for number in sent.into_iter().chain(["ready"]) {
            let verdict = Verdict::Ready { digest: Digest::of(number.as_bytes()), payload: place };
            writer
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
        let rejected = AccountKey::new("S", "rejected");
        writer
            .account(&BuiltAccount {
                key: rejected,
                verdict: Verdict::Rejected,
                findings: &[],
                supply_points: &[],
                pence: None,
                came: &[],
            })
            .unwrap();
        let file = FileCount {
            file: "accounts.csv".into(),
            table: "accounts".into(),
            bytes: 1,
            digest: Digest::of(b""),
            records: 21,
            quarantined: 1,
            duplicate: 2,
            orphaned: 3,
            not_selected: 1,
            filtered: 3,
            rejected: 1,
            used: 10,
        };
        writer.file(&file).unwrap();
        writer.finish().unwrap();
    }

    fn create(&mut self, number: &str, events: &[Event]) {
        let claims = self.ledger.claims(None, None, 100).unwrap();
        let claim = claims.iter().find(|claim| &*claim.key.number == number).unwrap();
        let intent = Change::Intent { account: claim.id, digest: claim.digest, baseline: None };
        self.ledger.record(self.run, &[intent]).unwrap();
        for event in events {
            let outcome = Outcome {
                account: claim.id,
                exchange: ExchangeRecord {
                    kind: ExchangeKind::Create,
                    started_at: crate::clock::now(),
                    duration_ms: 1,
                    http_status: None,
                    outcome: "x".into(),
                    detail: None,
                },
                event: Some(*event),
                status: None,
                kraken_identifier: None,
                validation: None,
                rehearsal: None,
                findings: vec![],
            };
            self.ledger.record(self.run, &[Change::Outcome(Box::new(outcome))]).unwrap();
        }
    }

    /// Changes the ledger behind its back and gives the names of the identities that notice.
    fn tamper(&mut self, sql: &str) -> Vec<String> {
        let other = rusqlite::Connection::open(self.folder.path().join("ledger.sqlite")).unwrap();
        // Whoever tampers does not heed what the columns say of themselves.
        other.pragma_update(None, "ignore_check_constraints", true).unwrap();
        assert!(other.execute(sql, []).unwrap() > 0, "{sql}");
        let identities = reconcile(&mut self.ledger, self.run).unwrap();
        identities
            .into_iter()
            .filter(|identity| identity.left != identity.right)
            .map(|identity| identity.name)
            .collect()
    }
}

#[test]
fn everything_that_happened_balances() {
    let mut house = House::new();
    let identities = reconcile(&mut house.ledger, house.run).unwrap();
    assert!(balances(&identities), "{identities:#?}");
    let kept = house.ledger.identities().unwrap();
    assert_eq!(kept.len(), 8);
    assert!(kept.iter().all(|row| row.balanced && row.difference == 0));
    assert_eq!((kept[4].left, kept[5].left), (8, 5), "sent and accepted");
}

#[test]
fn whatever_is_tampered_with_is_noticed_and_named() {
    for (sql, noticed) in [
        ("UPDATE extract_file SET used = used - 1", "accounts.csv: records read = all buckets"),
        ("DELETE FROM account WHERE number = 'rejected'", "accounts built = ready + rejected"),
        (
            "UPDATE account SET verdict = 'rejected' WHERE number = 'ready'",
            "accounts built ready = accounts with a payload",
        ),
        (
            "UPDATE account SET verdict = 'ready' WHERE number = 'rejected'",
            "accounts built rejected = accounts without",
        ),
        (
            "UPDATE intent SET outcome = 'forgotten' WHERE outcome = 'scheduled'",
            "sent = accepted + refused + in doubt + not received",
        ),
        (
            "UPDATE account SET state = 'ready' WHERE number = 'submitted'",
            "accepted = submitted + processed + errored + cancelled + put back",
        ),
        (
            "UPDATE account SET state = 'processed' WHERE number = 'ready'",
            "accepted = submitted + processed + errored + cancelled + put back",
        ),
        ("UPDATE account SET state = 'ready' WHERE number = 'refused'", "refused = refused accounts + put back"),
        ("UPDATE account SET state = 'ready' WHERE number = 'doubtful'", "in doubt = sending + unknown"),
        ("DELETE FROM intent", "accepted = submitted + processed + errored + cancelled + put back"),
        ("DELETE FROM intervention", "accepted = submitted + processed + errored + cancelled + put back"),
    ] {
        let broken = House::new().tamper(sql);
        assert!(broken.iter().any(|name| name == noticed), "{sql}: {broken:?}");
    }
}

#[test]
fn an_empty_ledger_balances() {
    let counts = Counts {
        build: None,
        files: vec![],
        states: vec![],
        tally: Tally::default(),
        measures: MeasureCounts::default(),
        control_totals: vec![],
    };
    assert!(balances(&identities(&counts)));
}
