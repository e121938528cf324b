//! Money, objects and supply points from the cells to the target: the sums are right, and whatever is tampered with is
//! seen and named.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;

use rusqlite::Connection;
use serde_json::Value;

use slipway::sandbox::{self, Chosen, Faults, RunningSandbox, SandboxOptions};

use crate::support::{Project, repository, text};
use crate::tamper::{counted, promise};

/// A project whose sample has been sent to a sandbox, all of it.
pub(crate) struct Sent {
    pub(crate) project: Project,
    sandbox: RunningSandbox,
}

impl Sent {
    fn new() -> Self {
        Self::with(Faults::default())
    }

    fn with(faults: Faults) -> Self {
        Self::after(faults, |_| {})
    }

    /// The sample after `change`.
    pub(crate) fn after(faults: Faults, change: impl FnOnce(&Project)) -> Self {
        let sandbox = sandbox::start(SandboxOptions { faults, ..SandboxOptions::default() }).unwrap();
        let project = Project::new("mappings/tentacle", "samples/tentacle");
        project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &sandbox.url);
        change(&project);
        let sent = Self { project, sandbox };
        sent.run(1, &["run"]);
        sent
    }

    pub(crate) fn run(&self, code: i32, arguments: &[&str]) -> String {
        let settings = [
            "--quiet",
            "--set",
            "limits.rate=5000/s",
            "--set",
            "follow.every=20ms",
            "--set",
            "stop.rejected=90%",
            "--set",
            "stop.failed=90%",
        ];
        let output = self.project.run(code, &[arguments, &settings].concat());
        text(&output.stdout)
    }

    /// The ledger as it is now.
    fn backup(&self) -> Vec<u8> {
        let ledger = self.project.ledger();
        ledger.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
        drop(ledger);
        fs::read(self.project.path(".slipway/ledger.sqlite")).unwrap()
    }

    /// Changes the ledger behind its back, and gives what `reconcile` says is open; then puts it back.
    pub(crate) fn tamper(&self, sql: &str) -> Vec<String> {
        let before = self.backup();
        let ledger = self.project.ledger();
        ledger.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(ledger.execute(sql, []).unwrap() > 0, "{sql}");
        drop(ledger);
        let told = self.run(1, &["reconcile", "--json"]);
        let document: Value = serde_json::from_str(&told).unwrap();
        let identities = document["identities"].as_array().unwrap().iter();
        let open = identities.filter(|identity| identity["balanced"] == false);
        let open = open.map(|identity| identity["name"].as_str().unwrap().to_owned()).collect();
        for file in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
            let _ = fs::remove_file(self.project.path(&format!(".slipway/{file}")));
        }
        fs::write(self.project.path(".slipway/ledger.sqlite"), before).unwrap();
        open
    }
}

/// The pence of the query's single number.
pub(crate) fn number(ledger: &Connection, sql: &str) -> i64 {
    ledger.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).unwrap().unwrap_or_default()
}

/// What the cells of the sample's transactions say, read by another program's own means: list, type and sign → how many
/// amounts, and their pence. The transactions `but` are left out, and what is no amount.
pub(crate) fn cells_of_the_sample(but: &[&str]) -> BTreeMap<(String, String, i64), (i64, i64)> {
    let lookup = fs::read_to_string(repository().join("mappings/tentacle/lookups/transaction.csv")).unwrap();
    let types: BTreeMap<&str, &str> = lookup
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let mut cells: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    let transactions = fs::read_to_string(repository().join("samples/tentacle/transactions.csv")).unwrap();
    for line in transactions.lines().skip(1) {
        let row: Vec<&str> = line.split(',').collect();
        let Ok(pence) = row[3].parse::<i64>() else { continue };
        if but.contains(&row[0]) {
            continue;
        }
        let list = if row[6] == "C" { "current" } else { "historical" };
        let variant = types.get(row[4]).copied().unwrap_or_default();
        let sign = if pence < 0 { -1 } else { 1 };
        let entry = cells.entry((list.to_owned(), variant.to_owned(), sign)).or_default();
        *entry = (entry.0 + 1, entry.1 + pence);
    }
    cells
}

#[test]
fn every_penny_of_the_sample_is_processed_or_listed() {
    let sent = Sent::new();
    let ledger = sent.project.ledger();
    let cells = cells_of_the_sample(&[]);
    assert!(cells.len() >= 9, "{cells:?}");
    for ((list, variant, sign), (count, pence)) in cells {
        let told: (i64, i64) = ledger
            .query_row(
                "SELECT sum(cells), sum(pence) FROM v_money WHERE stage = 'source' AND variant = ?2 AND sign = ?3 \
                 AND entity = 'ledgers.' || ?1 || '_statement_transactions' AND field = 'amount'",
                (list.as_str(), variant.as_str(), sign),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(told, (count, pence), "{list} {variant} {sign}");
    }
    let balances = "FROM v_money WHERE field = 'transfer_balance' AND stage";
    let processed = number(&ledger, &format!("SELECT sum(pence) {balances} = 'processed'"));
    let source = number(&ledger, &format!("SELECT sum(pence) {balances} = 'source'"));
    let rejected = number(&ledger, &format!("SELECT sum(pence) {balances} = 'rejected'"));
    assert!(processed != 0 && rejected != 0 && source == processed + rejected, "{source} {processed} {rejected}");
    // The rejected accounts are named with their pence, and nobody else is.
    let listed = "FROM v_money_differences WHERE field = 'transfer_balance'";
    assert_eq!(number(&ledger, &format!("SELECT sum(pence) {listed}")), rejected);
    let named = number(&ledger, &format!("SELECT count(DISTINCT external_account_number) {listed}"));
    assert_eq!(named, number(&ledger, "SELECT count(*) FROM v_accounts WHERE state = 'rejected'"));
    assert_eq!(number(&ledger, "SELECT count(*) FROM v_identities WHERE NOT balanced"), 0);
    let points = sent.project.column(
        "SELECT supply_type || ' ' || sum(points > 0) FROM v_supply_points WHERE state = 'processed' GROUP BY supply_type",
    );
    assert_eq!(points, ["ELECTRICITY 1", "GAS 1"]);
}

#[test]
fn whatever_is_tampered_with_is_seen_and_named() {
    let sent = Sent::new();
    let some = "(SELECT account FROM payload_measure ORDER BY account LIMIT 1)";
    let measure = |entity: &str, field: &str, variant: &str| {
        format!(
            "(SELECT min(id) FROM measure WHERE entity = '{entity}' AND field = '{field}' AND variant = '{variant}' \
             AND ledger = '' AND sign >= 0)"
        )
    };
    let charges = "ledgers.current_statement_transactions";
    let charge = measure(charges, "amount", "CHARGE");
    let notes = measure("notes", "", "");
    let gas = measure("supply_addresses.meter_points", "", "GAS");
    let stage = |stage: &str, change: &str, measure: &str| {
        format!("UPDATE build_measure SET {change} WHERE stage = '{stage}' AND measure = {measure}")
    };
    let source = "ledgers.current_statement_transactions.amount CHARGE +: cells = payloads + listed";
    let kept = "ledgers.current_statement_transactions.amount CHARGE +: made = kept";
    let accepted = "account.transfer_balance +: accepted = submitted + processed + errored + cancelled + put back";
    for (sql, named) in [
        // A record is dropped.
        (
            "UPDATE extract_file SET used = used - 1 WHERE name = 'notes.csv'".into(),
            "notes.csv: records read = all buckets",
        ),
        (
            "UPDATE extract_file SET records = records - 1 WHERE name = 'readings.csv'".into(),
            "readings.csv: records read = all buckets",
        ),
        (stage("records", "count = count - 1", &notes), "notes: records used = objects + empty"),
        (stage("payload", "count = count - 1", &notes), "notes: made = kept"),
        (format!("DELETE FROM account WHERE id = {some}"), "accounts built = ready + rejected"),
        (format!("DELETE FROM payload_measure WHERE account = {some}"), "payloads = payloads whose money is kept"),
        (format!("DELETE FROM payload_measure WHERE account = {some}"), "account: made = kept"),
        // A penny is changed.
        (stage("source", "pence = pence + 1", &charge), source),
        (stage("payload", "pence = pence - 1", &charge), source),
        (stage("payload", "pence = pence - 1", &charge), kept),
        (stage("rejected", "pence = pence + 1", &charge), source),
        (
            stage("source", "rest = rest + 1", &charge),
            "ledgers.current_statement_transactions.amount CHARGE +: cells = payloads + listed, beyond pence",
        ),
        (
            stage("source", "count = count + 1", &charge),
            "ledgers.current_statement_transactions.amount CHARGE +: cells = payloads + listed, amounts",
        ),
        (
            format!("UPDATE payload_measure SET pence = pence + 1 WHERE account = {some}"),
            "all money of all payloads = by field",
        ),
        (
            format!(
                "UPDATE payload_measure SET measures = (SELECT measures FROM payload_measure WHERE account <> {some} AND length(measures) > 40 LIMIT 1) WHERE account = {some}"
            ),
            "all money of all payloads = by field",
        ),
        (format!("UPDATE payload_measure SET measures = x'' WHERE account = {some}"), "account: made = kept"),
        (
            format!(
                "UPDATE payload_measure SET measures = x'' WHERE account = (SELECT id FROM account WHERE verdict = 'ready' AND id <> {some} LIMIT 1)"
            ),
            "ledgers: made = kept",
        ),
        // A state is forged.
        (
            format!("UPDATE account SET state = 'ready' WHERE id = {some}"),
            "accepted = submitted + processed + errored + cancelled + put back",
        ),
        ("UPDATE account SET state = 'ready' WHERE state = 'processed'".into(), accepted),
        (
            "UPDATE account SET state = 'refused' WHERE state = 'processed'".into(),
            "refused = refused accounts + put back",
        ),
        (
            "UPDATE account SET state = 'unknown' WHERE state = 'processed'".into(),
            "account.transfer_balance +: in doubt = sending + unknown",
        ),
        ("UPDATE account SET accepted_digest = zeroblob(32) WHERE state = 'processed'".into(), accepted),
        ("UPDATE intent SET outcome = 'refused'".into(), accepted),
        ("DELETE FROM intent".into(), accepted),
        // Supply points.
        (stage("payload", "count = count + 1", &gas), "supply_addresses.meter_points GAS: made = kept"),
    ] {
        let open = sent.tamper(&sql);
        assert!(open.iter().any(|name| name == named), "{sql}: {open:?}");
    }
    // Untouched, everything balances.
    sent.run(0, &["reconcile"]);
    // A penny in the store of payloads.
    let folder = sent.project.path(".slipway/payloads");
    let store = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    sent.run(0, &["reconcile", "--payloads"]);
    let bytes = fs::read(&store).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&store, damaged).unwrap();
    let told = sent.run(1, &["reconcile", "--payloads"]);
    assert!(told.contains("payloads kept = payloads that read back as they were built"), "{told}");
    fs::write(&store, bytes).unwrap();
    sent.run(0, &["reconcile", "--payloads"]);
}

#[test]
fn a_wave_from_a_stage_that_is_used_again_has_the_same_sums() {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    let sources = "SELECT entity || field || variant || sign || ' ' || cells || ' ' || pence FROM v_money \
                   WHERE stage = 'source' ORDER BY 1";
    project.run(1, &["build", "--quiet"]);
    let first = project.column(sources);
    assert!(first.len() > 20);
    let accounts: Vec<String> = project.column("SELECT external_account_number FROM v_accounts ORDER BY 1 LIMIT 40");
    fs::write(project.path("wave.txt"), accounts.join("\n")).unwrap();
    let told = project.run(1, &["build", "--wave", "night=wave.txt", "--no-progress"]);
    assert!(text(&told.stderr).contains("not read again"), "{}", text(&told.stderr));
    assert_eq!(project.column(sources), first);
    project.run(0, &["reconcile"]);
    let not_selected = project.column("SELECT sum(pence) || '' FROM v_money WHERE stage = 'not_selected'");
    assert_ne!(not_selected, ["0"]);
}

#[test]
fn what_somebody_else_imported_is_outside_and_what_is_left_over_is_named() {
    let one_in = |n| Chosen { one_in: NonZeroU32::new(n), numbers: [].into() };
    let sent = Sent::with(Faults { imported: one_in(10), errored: one_in(10), ..Faults::default() });
    let ledger = sent.project.ledger();
    assert_eq!(number(&ledger, "SELECT count(*) FROM v_identities WHERE NOT balanced"), 0);
    let foreign = number(&ledger, "SELECT count(*) FROM v_accounts WHERE origin = 'foreign'");
    let errored = number(&ledger, "SELECT count(*) FROM v_accounts WHERE state = 'errored'");
    assert!(foreign > 0 && errored > 0);
    for (cause, accounts) in [("foreign", foreign), ("errored", errored)] {
        let sql = format!("SELECT count(*) FROM v_money_differences WHERE cause = '{cause}'");
        assert_eq!(number(&ledger, &sql), accounts, "{cause}");
    }
    let total = |stages: &str| {
        number(
            &ledger,
            &format!("SELECT sum(pence) FROM v_money WHERE field = 'transfer_balance' AND stage IN ({stages})"),
        )
    };
    assert_eq!(total("'source'"), total("'rejected', 'processed', 'errored', 'foreign'"));
}

#[test]
fn the_ledger_and_the_targets_lists_are_compared_both_ways() {
    let errored = Chosen { one_in: NonZeroU32::new(20), numbers: [].into() };
    let sent = Sent::with(Faults { errored, ..Faults::default() });
    sent.run(0, &["reconcile", "--target"]);
    let ledger = sent.project.ledger();
    let differences = || {
        sent.project
            .column("SELECT difference || ' ' || count(*) FROM v_target_difference GROUP BY difference ORDER BY 1")
    };
    assert!(differences().is_empty());
    let processed = "(SELECT min(id) FROM account WHERE state = 'processed')";
    ledger.execute(&format!("UPDATE account SET kraken_identifier = 'A-OTHER' WHERE id = {processed}"), []).unwrap();
    ledger.execute(&format!("UPDATE account SET number = 'GONE' WHERE id = 1 + {processed}"), []).unwrap();
    ledger.execute(&format!("UPDATE account SET state = 'submitted' WHERE id = 2 + {processed}"), []).unwrap();
    drop(ledger);
    let told = sent.run(1, &["reconcile", "--target"]);
    assert_eq!(differences(), ["imported_unnoticed 1", "not_at_target 1", "not_in_ledger 1", "other_identifier 1"]);
    assert!(told.contains("other identifier") && told.contains("not in ledger"), "{told}");
    let codes = sent.project.column(
        "SELECT DISTINCT code FROM v_findings WHERE source = 'remote' AND code <> 'account_creation_failed' ORDER BY 1",
    );
    assert_eq!(codes, ["imported_unnoticed", "not_at_target", "not_in_ledger", "other_identifier"]);
    // Without the flag, the target is not asked.
    let Sent { project, sandbox } = sent;
    drop(sandbox);
    project.run(4, &["reconcile", "--target", "--quiet", "--set", "limits.attempts=1"]);
    project.run(0, &["reconcile", "--quiet"]);
}

#[test]
fn control_totals_are_counted_and_a_disagreement_stops_the_sending_until_it_is_waived() {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    let (accounts, sum) = counted(&project);
    let with = |accounts: usize, sum: i64| promise(&project, accounts, sum);
    let blocked = || project.column("SELECT coalesce(blocked, '') FROM build ORDER BY id DESC LIMIT 1").remove(0);
    let totals = || {
        project.column("SELECT file || ' ' || total || ' ' || agrees FROM v_control_totals WHERE total <> 'records'")
    };
    with(accounts, sum);
    project.run(1, &["build", "--quiet"]);
    assert_eq!(totals(), ["accounts.csv accounts 1", "transactions.csv AMOUNT_P 1"]);
    assert_eq!(blocked(), "");
    project.run(0, &["reconcile"]);
    // A penny, and an account.
    with(accounts + 1, sum - 1);
    project.run(1, &["build", "--quiet"]);
    assert_eq!(totals(), ["accounts.csv accounts 0", "transactions.csv AMOUNT_P 0"]);
    assert!(blocked().contains("the difference is 1.00") && blocked().contains("belong to 200"), "{}", blocked());
    let told = text(&project.run(1, &["reconcile"]).stdout);
    assert!(told.contains("transactions.csv: AMOUNT_P promised by the manifest = counted"), "{told}");
    // Waived by name, with a reason, for as long as the numbers are these.
    project.run(2, &["build", "--quiet", "--waive", "accounts.csv:accounts"]);
    let wrong = project.run(2, &["build", "--quiet", "--waive", "notes.csv:records", "--reason", "typo"]);
    assert!(
        text(&wrong.stderr).contains("accounts.csv:accounts, transactions.csv:AMOUNT_P"),
        "{}",
        text(&wrong.stderr)
    );
    let both =
        ["--waive", "accounts.csv:accounts", "--waive", "transactions.csv:AMOUNT_P", "--reason", "told by the sender"];
    project.run(1, &[&["build", "--quiet"], &both[..]].concat());
    assert_eq!(blocked(), "");
    project.run(1, &["build", "--quiet"]);
    assert_eq!(blocked(), "");
    project.run(0, &["reconcile"]);
    let waived = project.column("SELECT waived FROM v_control_totals WHERE NOT agrees");
    assert_eq!(waived, ["told by the sender", "told by the sender"]);
    with(accounts + 2, sum - 1);
    project.run(1, &["build", "--quiet"]);
    assert!(blocked().contains("accounts"), "{}", blocked());
}
