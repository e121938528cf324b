//! Money that is not a cell of its object's own record: taken from another table by a join, or one of several groups of
//! columns in a record. It is the same money to the penny, and in the same payloads byte for byte.

use std::collections::BTreeMap;
use std::fs;

use slipway::sandbox::Faults;

use crate::money::{Sent, cells_of_the_sample, number};
use crate::support::Project;

/// The file of the sample's transactions.
const FILE: &str = "extract/transactions.csv";
/// The columns of a transaction in the order of the file.
const COLUMNS: [&str; 7] = ["TXN_ID", "LEDGER_ID", "TXN_DATE", "AMOUNT_P", "TXN_CODE", "PAY_CODE", "STMT_FLAG"];

/// The transactions, as cells; the one that stands in the sample twice, once.
fn transactions(text: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.remove(0).split(',').collect::<Vec<_>>(), COLUMNS);
    lines.sort_unstable();
    lines.dedup();
    lines.iter().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Puts the amounts into a table of their own, where transactions find theirs by a join; the amount of `damaged` is none.
fn join(project: &Project, damaged: &str) {
    project.settings_without_manifest();
    let mut amounts = String::from("TXN,PENCE\n");
    project.edit(FILE, |text| {
        let mut lines = String::from("TXN_ID,LEDGER_ID,TXN_DATE,TXN_CODE,PAY_CODE,STMT_FLAG\n");
        for mut cells in transactions(&text) {
            let amount = cells.remove(3);
            let mark = if cells[0] == damaged { "x" } else { "" };
            amounts.push_str(&[&cells[0], ",", &amount, mark, "\n"].concat());
            lines.push_str(&(cells.join(",") + "\n"));
        }
        lines
    });
    fs::write(project.path("extract/amounts.csv"), amounts).unwrap();
    project.edit("mapping/mapping.toml", |text| {
        let text = text.replacen(
            "[tables.transactions.columns]\n",
            "[tables.transactions.columns]\n\
             AMOUNT_P = { join = \"amounts\", by = { TXN = \"TXN_ID\" }, take = \"PENCE\" }\n",
            1,
        );
        text.replacen(
            "[tables.transactions]\n",
            "[tables.amounts]\nfiles = \"amounts.csv\"\nkey = [\"TXN\"]\n\n[tables.transactions]\n",
            1,
        )
    });
}

/// Puts two transactions of a billing ledger side by side in one record; the amount of `damaged` is none.
fn group(project: &Project, damaged: &str) {
    project.settings_without_manifest();
    project.edit(FILE, |text| {
        let names = |group| COLUMNS.map(|name| format!("{name}_{group}")).join(",");
        let mut lines = format!("{},{}\n", names(1), names(2));
        let mut by_ledger: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for mut cells in transactions(&text) {
            if cells[0] == damaged {
                cells[3].push('x');
            }
            by_ledger.entry(cells[1].clone()).or_default().push(cells);
        }
        for pair in by_ledger.values().flat_map(|rows| rows.chunks(2)) {
            let blank = vec![String::new(); COLUMNS.len()];
            let second = pair.get(1).unwrap_or(&blank);
            lines.push_str(&[&pair[0].join(","), ",", &second.join(","), "\n"].concat());
        }
        lines
    });
    let groups = [1, 2].map(|group| {
        let columns = COLUMNS.map(|name| format!("{name} = \"{name}_{group}\"")).join(", ");
        format!("  {{ {columns} }},\n")
    });
    project.edit("mapping/mapping.toml", |text| {
        text.replacen(
            "[tables.transactions]\nfiles = \"transactions.csv\"\n",
            &format!(
                "[tables.bookings]\nfiles = \"transactions.csv\"\n\n\
                 [tables.transactions]\nof = \"bookings\"\nrepeat = [\n{}]\n",
                groups.concat()
            ),
            1,
        )
    });
}

/// The payloads of the sample as it is by account, and a transaction of one that has a payload: account, transaction.
fn plain() -> (BTreeMap<String, String>, (String, String)) {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.settings_without_manifest();
    let payloads = by_account(&project.build(1));
    let owner: BTreeMap<String, String> = fs::read_to_string(project.path("extract/ledgers.csv"))
        .unwrap()
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>())
        .map(|cells| (cells[0].clone(), cells[1].clone()))
        .collect();
    let transactions = transactions(&fs::read_to_string(project.path(FILE)).unwrap());
    let of_payload = transactions.iter().find(|cells| payloads.contains_key(&owner[&cells[1]])).unwrap();
    (payloads, (owner[&of_payload[1]].clone(), of_payload[0].clone()))
}

fn by_account(payloads: &[u8]) -> BTreeMap<String, String> {
    let lines = std::str::from_utf8(payloads).unwrap().lines();
    lines
        .map(|line| {
            let payload: serde_json::Value = serde_json::from_str(line).unwrap();
            (payload["external_account_number"].as_str().unwrap().to_owned(), line.to_owned())
        })
        .collect()
}

/// Source = payloads + listed, payloads = accepted = processed, by list, type and sign; whatever is left is listed by
/// account with its cause, and nothing is unexplained.
fn exact(sent: &Sent, (account, transaction): (&str, &str)) {
    let ledger = sent.project.ledger();
    let cells = cells_of_the_sample(&[transaction]);
    assert!(cells.len() >= 9, "{cells:?}");
    let mut rest = 0;
    for ((list, variant, sign), (_, pence)) in cells {
        let entity = format!("ledgers.{list}_statement_transactions");
        let of = |stages: &str| {
            number(
                &ledger,
                &format!(
                    "SELECT sum(pence) FROM v_money WHERE entity = '{entity}' AND field = 'amount' AND variant = \
                     '{variant}' AND sign = {sign} AND stage IN ({stages})"
                ),
            )
        };
        let name = format!("{entity} {variant} {sign}");
        // A record that stands there twice was taken out of the extract, and is in the sample's cells.
        let duplicate = cells_of_the_duplicate(&list, &variant, sign);
        assert_eq!(of("'source'"), pence - duplicate, "{name}");
        assert_eq!(of("'source'"), of("'payload', 'rejected', 'unreadable'"), "{name}");
        assert_eq!(of("'payload'"), of("'processed'"), "{name}");
        let mark = if sign < 0 { '−' } else { '+' };
        let accepted = format!(
            "SELECT sum(\"left\") FROM v_identities WHERE unit = 'pence' AND name LIKE '{entity}.amount {variant}% {mark}: \
             accepted = %'"
        );
        assert_eq!(number(&ledger, &accepted), of("'processed'"), "{name}");
        rest += of("'source'") - of("'processed'");
    }
    let listed = "FROM v_money_differences WHERE field = 'amount' AND entity LIKE 'ledgers.%'";
    assert!(rest != 0);
    assert_eq!(number(&ledger, &format!("SELECT sum(pence) {listed}")), rest);
    assert_eq!(number(&ledger, &format!("SELECT count(*) {listed} AND cause NOT IN ('rejected', 'unreadable')")), 0);
    let of_account = format!("{listed} AND external_account_number = '{account}' AND cause = 'rejected'");
    assert_ne!(number(&ledger, &format!("SELECT count(*) {of_account}")), 0, "{account} is listed");
    assert_eq!(number(&ledger, "SELECT count(*) FROM v_identities WHERE NOT balanced"), 0);
    let unexplained = "SELECT sum(abs(difference)) FROM v_identities WHERE kind = 'money'";
    assert_eq!(number(&ledger, unexplained), 0);
}

/// The pence of the transaction that stands in the sample twice, if it is of this kind.
fn cells_of_the_duplicate(list: &str, variant: &str, sign: i64) -> i64 {
    let text = fs::read_to_string(crate::support::repository().join("samples/tentacle/transactions.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.sort_unstable();
    let twice: Vec<&str> = lines.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let [twice] = twice[..] else { panic!("one transaction stands there twice: {twice:?}") };
    let number = twice.split(',').next().unwrap();
    let kind = (list.to_owned(), variant.to_owned(), sign);
    let with = cells_of_the_sample(&[]).get(&kind).map_or(0, |(_, pence)| *pence);
    let without = cells_of_the_sample(&[number]).get(&kind).map_or(0, |(_, pence)| *pence);
    (with - without) / 2
}

/// A penny more or less, at either end, is seen and named.
fn tampered(sent: &Sent) {
    let charge = "(SELECT min(id) FROM measure WHERE entity = 'ledgers.current_statement_transactions' AND field = \
                  'amount' AND variant = 'CHARGE' AND ledger = '' AND sign > 0)";
    let amount = "ledgers.current_statement_transactions.amount CHARGE +";
    for (stage, change, named) in [
        ("source", "pence = pence + 1", "cells = payloads + listed"),
        ("source", "count = count - 1", "cells = payloads + listed, amounts"),
        ("rejected", "pence = pence - 1", "cells = payloads + listed"),
        ("payload", "pence = pence + 1", "made = kept"),
    ] {
        let open =
            sent.tamper(&format!("UPDATE build_measure SET {change} WHERE stage = '{stage}' AND measure = {charge}"));
        assert!(open.contains(&format!("{amount}: {named}")), "{stage} {change}: {open:?}");
    }
}

#[test]
fn money_that_a_join_takes_is_the_same_to_the_penny() {
    let (mut payloads, (account, transaction)) = plain();
    let sent = Sent::after(Faults::default(), |project| join(project, &transaction));
    assert!(payloads.remove(&account).is_some());
    assert_eq!(by_account(&sent.project.build(1)), payloads);
    exact(&sent, (&account, &transaction));
    let codes = format!(
        "SELECT DISTINCT code FROM v_findings WHERE severity = 'error' AND external_account_number = '{account}'"
    );
    assert_eq!(sent.project.column(&codes), ["malformed_number"]);
    tampered(&sent);
}

#[test]
fn money_in_groups_of_columns_that_repeat_is_the_same_to_the_penny() {
    let (mut payloads, (account, transaction)) = plain();
    let sent = Sent::after(Faults::default(), |project| group(project, &transaction));
    assert!(payloads.remove(&account).is_some());
    assert_eq!(by_account(&sent.project.build(1)), payloads);
    exact(&sent, (&account, &transaction));
    let found = format!(
        "SELECT code || ' ' || \"column\" FROM v_findings WHERE severity = 'error' AND external_account_number = '{account}'"
    );
    let found = sent.project.column(&found);
    assert!(found.len() == 1 && found[0].starts_with("malformed_number AMOUNT_P_"), "{found:?}");
    tampered(&sent);
}
