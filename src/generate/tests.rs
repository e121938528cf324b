//! What the layout promises, read back from the files.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use tempfile::TempDir;

use super::*;
use crate::rules::industry::{email, phone, postcode, supply_point};

type Row = HashMap<String, String>;

fn extract(accounts: u64, seed: u64, dirty: f64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { out: directory.path().to_owned(), accounts, seed, dirty };
    generate(&options, || {}).unwrap();
    directory
}

fn rows(directory: &TempDir, file: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(directory.path().join(format!("{file}.csv"))).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [directory.to_owned(), directory.join("lookups")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                found.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

fn day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%d/%m/%Y").unwrap()
}

fn amount(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The rows by the text of a column.
fn by<'r>(rows: &'r [Row], column: &str) -> HashMap<&'r str, Vec<&'r Row>> {
    let mut groups: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in rows {
        groups.entry(&row[column]).or_default().push(row);
    }
    groups
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (one, same, other) = (extract(40, 7, 0.2), extract(40, 7, 0.2), extract(40, 8, 0.2));
    assert_eq!(files(one.path()), files(same.path()));
    assert_ne!(files(one.path())["customers.csv"], files(other.path())["customers.csv"]);
    assert_eq!(files(one.path()).len(), 25 + 22 + 2);
}

#[test]
fn nothing_is_overwritten() {
    let directory = extract(1, 1, 0.0);
    let options = Options { out: directory.path().to_owned(), accounts: 1, seed: 1, dirty: 0.0 };
    let error = generate(&options, || {}).unwrap_err();
    assert!(error.hint().unwrap().contains("nothing is overwritten"));
    assert!(matches!(generate(&Options { dirty: 1.5, ..options }, || {}), Err(GenerateError::Share(_))));
}

#[test]
fn the_manifest_counts_the_records() {
    let directory = extract(120, 3, 0.0);
    for promise in rows(&directory, "MANIFEST") {
        let name = promise["FILE_NAME"].strip_suffix(".csv").unwrap();
        assert_eq!(promise["RECORD_COUNT"], rows(&directory, name).len().to_string(), "{name}");
        assert_eq!(promise["EXTRACT_DATE"], "01/07/2026");
    }
    assert_eq!(rows(&directory, "MANIFEST").len(), 25);
    assert_eq!(rows(&directory, "TRUTH"), []);
}

#[test]
fn balances_add_up_to_the_penny() {
    let directory = extract(400, 5, 0.0);
    let raises: HashMap<_, _> =
        codes::rows("transaction").map(|(code, kind)| (code, matches!(kind, "PAYMENT" | "CREDIT"))).collect();
    let (ledgers, transactions) = (rows(&directory, "ledgers"), rows(&directory, "transactions"));
    let of_ledger = by(&transactions, "LEDGER_ID");
    for ledger in &ledgers {
        let sum = |flags: &[&str]| -> Decimal {
            let chosen =
                of_ledger[ledger["LEDGER_ID"].as_str()].iter().filter(|row| flags.contains(&&*row["STMT_FLAG"]));
            chosen
                .map(|row| {
                    let amount = Decimal::new(row["AMOUNT_P"].parse().unwrap(), 2);
                    if raises[row["TXN_CODE"].as_str()] { amount } else { -amount }
                })
                .sum()
        };
        assert_eq!(sum(&["H"]), amount(&ledger["LAST_STMT_BALANCE"]));
        assert_eq!(sum(&["H", "C"]), amount(&ledger["LEDGER_BALANCE"]));
    }
    let of_account = by(&ledgers, "ACCOUNT_NO");
    for account in rows(&directory, "accounts") {
        let balances = of_account[account["ACCOUNT_NO"].as_str()].iter().map(|row| amount(&row["LEDGER_BALANCE"]));
        assert_eq!(balances.sum::<Decimal>(), amount(&account["TRANSFER_BALANCE"]));
    }
    assert!(ledgers.iter().any(|row| !row["LEDGER_CODE"].is_empty()), "some accounts have two ledgers");
    assert!(transactions.iter().any(|row| row["AMOUNT_P"].starts_with('-')), "some bills are reversed");
}

#[test]
fn identifiers_and_contacts_are_valid() {
    let directory = extract(300, 11, 0.0);
    for point in rows(&directory, "meter_points") {
        let number = &point["MPXN"];
        let checked =
            if point["FUEL"] == "E" { supply_point::check_mpan(number) } else { supply_point::check_mprn(number) };
        assert_eq!(checked, Ok(()), "{number}");
    }
    for customer in rows(&directory, "customers") {
        for number in ["MOBILE", "LANDLINE"].map(|column| &customer[column]).into_iter().filter(|text| !text.is_empty())
        {
            let judged = phone::judge(number);
            assert!(matches!(judged, phone::Phone::Good | phone::Phone::Drama), "{number}: {judged:?}");
        }
        assert!(customer["EMAIL"].is_empty() || email::is_address(&customer["EMAIL"]));
    }
    for account in rows(&directory, "accounts") {
        let code = &account["BILL_POSTCODE"];
        assert!(matches!(postcode::judge(code), postcode::Postcode::Good), "{code}");
    }
}

#[test]
fn every_active_stream_has_one_transfer_reading_and_none_falls() {
    let directory = extract(300, 13, 0.0);
    let billed_to: HashMap<String, String> = rows(&directory, "accounts")
        .into_iter()
        .map(|row| (row["ACCOUNT_NO"].clone(), row["LAST_BILLED_TO"].clone()))
        .collect();
    let account_of: HashMap<String, String> = rows(&directory, "supply_addresses")
        .into_iter()
        .map(|row| (row["SUPPLY_ADDR_ID"].clone(), row["ACCOUNT_NO"].clone()))
        .collect();
    let address_of: HashMap<String, String> = rows(&directory, "meter_points")
        .into_iter()
        .map(|row| (row["MPXN"].clone(), row["SUPPLY_ADDR_ID"].clone()))
        .collect();
    let active: HashMap<(String, String), bool> = rows(&directory, "meters")
        .into_iter()
        .map(|row| ((row["MPXN"].clone(), row["METER_SERIAL"].clone()), row["REMOVED_ON"].is_empty()))
        .collect();
    let mut streams: HashMap<[String; 3], Vec<Row>> = HashMap::new();
    for reading in rows(&directory, "readings") {
        let stream = ["MPXN", "METER_SERIAL", "REGISTER_ID"].map(|column| reading[column].clone());
        streams.entry(stream).or_default().push(reading);
    }
    assert!(streams.len() > 500 && active.values().any(|active| !active));
    for ([mpxn, serial, register], mut readings) in streams {
        readings.sort_by_key(|row| day(&row["READ_DATE"]));
        assert!(readings.is_sorted_by_key(|row| amount(&row["READ_VALUE"])), "{mpxn} {serial} {register}");
        let transfers: Vec<&str> =
            readings.iter().filter(|row| row["TRANSFER_FLAG"] == "Y").map(|row| row["READ_DATE"].as_str()).collect();
        let expected: &[&str] =
            if active[&(mpxn.clone(), serial)] { &[&billed_to[&account_of[&address_of[&mpxn]]]] } else { &[] };
        assert_eq!(transfers, expected);
    }
}

#[test]
fn agreements_are_back_to_back() {
    let directory = extract(300, 17, 0.0);
    let agreements = rows(&directory, "agreements");
    let of_point = by(&agreements, "MPXN");
    for point in rows(&directory, "meter_points") {
        let mut chain = of_point[point["MPXN"].as_str()].clone();
        chain.sort_by_key(|row| day(&row["EFFECTIVE_FROM"]));
        assert_eq!(chain[0]["EFFECTIVE_FROM"], point["SUPPLY_START"]);
        for pair in chain.windows(2) {
            assert_eq!(pair[0]["EFFECTIVE_TO"], pair[1]["EFFECTIVE_FROM"]);
            assert!(day(&pair[0]["EFFECTIVE_FROM"]) < day(&pair[1]["EFFECTIVE_FROM"]));
        }
    }
    let tariffs: Vec<_> = codes::rows("tariff").map(|(code, _)| code).collect();
    assert!(agreements.iter().all(|row| tariffs.contains(&row["TARIFF_CD"].as_str())));
}

#[test]
fn defects_stand_where_the_truth_says_and_nowhere_else() {
    let (clean, dirty) = (extract(170, 19, 0.0), extract(170, 19, 0.2));
    let truth = rows(&dirty, "TRUTH");
    let kinds: std::collections::BTreeSet<&str> = truth.iter().map(|row| row["DEFECT"].as_str()).collect();
    assert_eq!(truth.len(), 34);
    assert!(kinds.len() > 30, "{kinds:?}");
    let (clean, dirty) = (files(clean.path()), files(dirty.path()));
    for row in &truth {
        let before = lines(&clean[&row["FILE"]]);
        let line: usize = row["LINE_NO"].parse().unwrap();
        let damaged = &lines(&dirty[&row["FILE"]])[line - 1];
        let record: usize = row["RECORD_NO"].parse().unwrap();
        assert!(record < line);
        let is_copy = row["DEFECT"] == "duplicate_exact";
        assert_eq!(before.contains(damaged), is_copy, "{row:?}");
    }
    let numbers =
        |name: &str| truth.iter().filter(|row| row["FILE"] == name && row["DEFECT"] != "bad_mpan_check_digit").count();
    for (name, bytes) in &clean {
        let with_lines = ["TRUTH.csv", "MANIFEST.csv", "notes.csv"].contains(&name.as_str());
        let broken_number = [
            "meter_points",
            "agreements",
            "smart_refusals",
            "consumption",
            "meters",
            "prepay_details",
            "registers",
            "readings",
        ];
        if with_lines || broken_number.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        let sound = lines(bytes);
        let others = lines(&dirty[name]).into_iter().filter(|line| !sound.contains(line)).count();
        assert!(others <= numbers(name), "{name}");
    }
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
