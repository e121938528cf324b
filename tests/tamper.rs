//! Forged ledgers that `reconcile` must see and name: money apart from accounts, and what the sender promised.

use std::fs;

use slipway::sandbox::Faults;

use crate::money::{Sent, number};
use crate::support::Project;
use crate::trace::give_an_extension;

const ACCOUNTS: &str = "refused = refused accounts + put back";

/// Lets the manifest promise `accounts` and the sum `pence` of the transactions beside the records.
pub(crate) fn promise(project: &Project, accounts: usize, pence: i64) {
    project.edit("extract/MANIFEST.csv", |text| {
        let lines = text.lines().map(|line| {
            let line = line.split(',').take(3).collect::<Vec<_>>().join(",");
            let more = match line.split(',').next().unwrap() {
                "FILE_NAME" => "ACCOUNT_COUNT,SUM_COLUMN,SUM".to_owned(),
                "accounts.csv" => format!("{accounts},,"),
                "transactions.csv" => format!(",AMOUNT_P,{pence}"),
                _ => ",,".to_owned(),
            };
            format!("{line},{more}\n")
        });
        lines.collect()
    });
}

/// The accounts and the pence of the transactions of a project's extract.
pub(crate) fn counted(project: &Project) -> (usize, i64) {
    let transactions = fs::read_to_string(project.path("extract/transactions.csv")).unwrap();
    let pence = |line: &str| line.split(',').nth(3).unwrap().parse::<i64>().unwrap();
    let accounts = fs::read_to_string(project.path("extract/accounts.csv")).unwrap().lines().count() - 1;
    (accounts, transactions.lines().skip(1).map(pence).sum())
}

#[test]
fn refused_money_is_told_apart_from_refused_accounts() {
    let sent = Sent::after(Faults::default(), give_an_extension);
    let ledger = sent.project.ledger();
    assert_eq!(number(&ledger, "SELECT count(*) FROM account WHERE state = 'refused'"), 1);
    assert_eq!(number(&ledger, "SELECT count(*) FROM v_identities WHERE NOT balanced"), 0);
    drop(ledger);
    let is_money = |name: &String| name.starts_with("account.transfer_balance ") && name.ends_with(ACCOUNTS);

    // Two accounts change places: as many are refused as before, and other money is.
    let (refused, processed) =
        ("(SELECT id FROM account WHERE state = 'refused')", "(SELECT min(id) FROM account WHERE state = 'processed')");
    let open = sent.tamper(&format!(
        "UPDATE account SET state = iif(state = 'refused', 'processed', 'refused') WHERE id IN ({refused}, {processed})"
    ));
    assert!(open.iter().any(is_money), "{open:?}");
    assert!(!open.iter().any(|name| name == ACCOUNTS), "{open:?}");
    // A refusal of an account that has no payload: one account more, and no penny.
    let rejected = "SELECT id FROM account WHERE state = 'rejected' AND id NOT IN (SELECT account FROM intent) LIMIT 1";
    let columns = sent.project.column("SELECT name FROM pragma_table_info('intent')");
    let values: Vec<&str> = columns
        .iter()
        .map(|column| match column.as_str() {
            "account" => "(SELECT id FROM forged)",
            "digest" => "zeroblob(32)",
            other => other,
        })
        .collect();
    let open = sent.tamper(&format!(
        "WITH forged AS ({rejected}) INSERT INTO intent ({}) SELECT {} FROM intent WHERE outcome = 'refused' LIMIT 1",
        columns.join(", "),
        values.join(", ")
    ));
    assert!(open.iter().any(|name| name == ACCOUNTS), "{open:?}");
    assert!(!open.iter().any(|name| name.contains("transfer_balance") || name.contains(".amount")), "{open:?}");
    sent.run(0, &["reconcile"]);
}

#[test]
fn each_promise_of_the_sender_is_an_identity_of_its_own() {
    let sent = Sent::after(Faults::default(), |project| {
        let (accounts, pence) = counted(project);
        promise(project, accounts, pence);
    });
    for (file, total) in [("notes.csv", "records"), ("accounts.csv", "accounts"), ("transactions.csv", "AMOUNT_P")] {
        let named = format!("{file}: {total} promised by the manifest = counted");
        for forged in ["promised = promised + 1", "counted = counted - 1", "counted = NULL", "agrees = 0"] {
            let sql = format!("UPDATE control_total SET {forged} WHERE file = '{file}' AND total = '{total}'");
            assert_eq!(sent.tamper(&sql), [&*named], "{sql}");
        }
    }
    sent.run(0, &["reconcile"]);
}
