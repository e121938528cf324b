//! A ledger with built accounts in this process, and a sandbox to send them to.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use slipway::account::{AccountKey, Digest};
use slipway::interrupt::Interrupt;
use slipway::ledger::{
    BuildStart, BuiltAccount, Ledger, PayloadPlace, RunId, RunStart, State, TargetIdentity, Verdict,
};
use slipway::progress::Progress;
use slipway::reconcile;
use slipway::sandbox::{self, Faults, RunningSandbox, SandboxOptions};
use slipway::submit::{Meters, Payloads, SubmitOptions, Summary, Validate, Work, drive};
use slipway::target::{Auth, Client, ClientOptions, Envelope, TaskParams};

/// No test runs longer against its sandbox than this before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A ledger with built accounts, and a sandbox to send them to.
pub(crate) struct House {
    _folder: tempfile::TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) run: RunId,
    pub(crate) sandbox: RunningSandbox,
    /// How long one exchange may take.
    pub(crate) timeout: Duration,
    /// What requests show.
    pub(crate) auth: Auth,
    pub(crate) payloads: HashMap<Digest, Vec<u8>>,
}

impl House {
    pub(crate) fn new(accounts: usize, faults: Faults) -> Self {
        Self::with(accounts, SandboxOptions { faults, ..SandboxOptions::default() })
    }

    pub(crate) fn with(accounts: usize, options: SandboxOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = sandbox::start(options).unwrap();
        let target = TargetIdentity { url: sandbox.url.clone(), suppliers: vec!["S".into()] };
        let mut ledger = Ledger::open(&folder.path().join("ledger.sqlite"), &target).unwrap();
        let text = || "test".to_owned();
        let start = RunStart { command: text(), arguments: text(), user: text(), host: text(), version: text() };
        let run = ledger.begin_run(&start).unwrap();
        let (timeout, auth, payloads) = (Duration::from_secs(10), Auth::None, HashMap::new());
        let mut house = Self { _folder: folder, ledger, run, sandbox, timeout, auth, payloads };
        let numbers: Vec<_> = (0..accounts).map(|n| (format!("A{n:03}"), payload(&format!("A{n:03}")))).collect();
        house.build(&numbers);
        house
    }

    pub(crate) fn build(&mut self, accounts: &[(String, String)]) {
        let start = BuildStart {
            run_date: NaiveDate::from_ymd_opt(2026, 11, 24).unwrap(),
            wave: None,
            selection_is_whole: true,
            inputs: vec![],
        };
        let mut writer = self.ledger.begin_build(self.run, &start).unwrap();
        for (number, payload) in accounts {
            let digest = Digest::of(payload.as_bytes());
            self.payloads.insert(digest, payload.clone().into_bytes());
            let place = PayloadPlace { block_offset: 0, block_bytes: 0, start: 0, bytes: payload.len() as u32 };
            let verdict = Verdict::Ready { digest, payload: place };
            let key = AccountKey::new("S", number.as_str());
            writer
                .account(&BuiltAccount { key, verdict, findings: &[], supply_points: &[], pence: None, came: &[] })
                .unwrap();
        }
        writer.finish().unwrap();
    }

    pub(crate) fn drive(&mut self, options: SubmitOptions) -> Summary {
        self.drive_until(options, &Interrupt::never())
    }

    pub(crate) fn drive_until(&mut self, options: SubmitOptions, interrupt: &Interrupt) -> Summary {
        let url = self.sandbox.url.clone();
        self.drive_at(&url, options, interrupt)
    }

    pub(crate) fn drive_at(&mut self, url: &str, options: SubmitOptions, interrupt: &Interrupt) -> Summary {
        let client = Client::new(&ClientOptions {
            url: url.to_owned(),
            auth: self.auth.clone(),
            envelope: Envelope::Bare,
            timeout: self.timeout,
            max_body_bytes: ClientOptions::DEFAULT_MAX_BODY_BYTES,
        })
        .unwrap();
        let payloads = self.payloads.clone();
        let payloads: Payloads =
            Arc::new(move |_, _, digest| payloads.get(digest).cloned().ok_or("no such payload".into()));
        let meters = Meters { submit: Progress::hidden(), follow: Progress::hidden() };
        let begun = Instant::now();
        let summary = drive(&mut self.ledger, self.run, &client, payloads, options, interrupt, &meters).unwrap();
        assert!(begun.elapsed() < PATIENCE, "{summary:?} after {:?}", begun.elapsed());
        summary
    }

    pub(crate) fn count(&self, state: State) -> u64 {
        self.ledger.count_by_state(None).unwrap().into_iter().find(|(s, _)| *s == state).unwrap().1
    }

    /// Exchanges that brought no usable answer.
    pub(crate) fn failures(&self) -> usize {
        let ids = self.sandbox.accounts().into_iter().filter_map(|account| {
            let found = self.ledger.find_accounts(None, &account.external_account_number).unwrap();
            found.first().map(|account| account.id)
        });
        let attempts = ids.flat_map(|id| self.ledger.attempts(id).unwrap());
        attempts.filter(|attempt| attempt.detail.is_some()).count()
    }

    /// The identities balance, and nothing took effect twice.
    pub(crate) fn is_sound(&mut self) {
        let identities = reconcile::reconcile(&mut self.ledger, self.run).unwrap();
        assert!(reconcile::balances(&identities), "{identities:#?}");
        for account in self.sandbox.accounts() {
            assert!(account.effects <= 1, "{account:?}");
        }
    }

    /// Every account was processed, by one create that took effect.
    pub(crate) fn all_processed_once(&mut self, accounts: u64) {
        assert_eq!(self.count(State::Processed), accounts);
        self.is_sound();
        let ours = self.sandbox.accounts();
        assert_eq!(ours.len() as u64, accounts);
        for account in ours {
            assert_eq!((account.effects, account.status.as_deref()), (1, Some("PROCESSED")), "{account:?}");
            let name = &account.external_account_number;
            let row = self.ledger.find_accounts(None, name).unwrap().remove(0);
            assert_eq!(row.kraken_identifier, account.kraken_identifier, "{name}");
            assert_eq!(row.accepted_digest, account.digest, "{name}");
        }
    }
}

pub(crate) fn payload(number: &str) -> String {
    format!(r#"{{"external_account_number":"{number}","import_supplier":"S"}}"#)
}

pub(crate) fn options(work: Work) -> SubmitOptions {
    SubmitOptions {
        work,
        wave: None,
        limit: None,
        interval: None,
        in_flight: 16,
        attempts: 6,
        settle: Duration::from_millis(200),
        task: TaskParams::default(),
        replies: None,
        validate: Validate::Never,
        poll_every: Duration::from_millis(10),
        follow_for: Duration::from_secs(30),
        consecutive_failures: 20,
        give_up_after: Duration::from_secs(30),
        identical_refusals: 1000,
        fresh_key: None,
        failed_percent: None,
        until: None,
        first_wait: Duration::from_millis(5),
        seed: 7,
    }
}

pub(crate) fn one_in(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}
