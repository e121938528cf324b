//! Every rule on a whole account: the guide's account breaks none of them, and one changed cell breaks each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slipway::assemble::{Books, Schema, Selection, View, name_accounts};
use slipway::contract::Contract;
use slipway::finding::Finding;
use slipway::mapping;
use slipway::rules::{self, RuleContext, RuleSet};
use slipway::stage::{self, MissingFiles, Staging};

/// A change to the guide's extract (and mapping) and what the rule says to it.
struct Case {
    rule: &'static str,
    /// File, text, and what it becomes.
    edits: &'static [(&'static str, &'static str, &'static str)],
    code: &'static str,
    path: &'static str,
    /// The cells as `file:line:column`, at least these first ones.
    cells: &'static [&'static str],
}

const MAPPING: &str = "mapping.toml";

const CASES: &[Case] = &[
    Case {
        rule: "phone-valid",
        edits: &[("person.csv", "02072343456", "abcde")],
        code: "invalid_phone_number",
        path: "customers.0.landline",
        cells: &["person.csv:3:phone"],
    },
    Case {
        rule: "phone-not-drama",
        edits: &[("person.csv", "07123456789", "07700900123")],
        code: "invalid_phone_number",
        path: "customers.mobile",
        cells: &["person.csv:3:cell"],
    },
    Case {
        rule: "email-valid",
        edits: &[("person.csv", "bob@jablonski.com", "bob(at)jablonski.com")],
        code: "invalid",
        path: "customers.0.email",
        cells: &["person.csv:3:mail"],
    },
    Case {
        rule: "email-valid",
        edits: &[(
            MAPPING,
            "[entity.metadata]",
            "[entity.\"customers.contact_emails\"]\ntable = \"need\"\nparent = [\"person_id\"]\n\
             where = { line = \"2\" }\norder = [\"line\"]\nvalue = \"gas_code\"\n\n[entity.metadata]",
        )],
        code: "invalid",
        path: "customers.0.contact_emails.0",
        cells: &["person_need.csv:2:gas_code"],
    },
    Case {
        rule: "email-not-test",
        edits: &[("person.csv", "bob@jablonski.com", "test@jablonski.com")],
        code: "possible_test_email_address",
        path: "customers.0.email",
        cells: &["person.csv:3:mail"],
    },
    Case {
        rule: "billing-email-no-blackhole",
        edits: &[
            (MAPPING, "billing_name = ", "billing_email = \"sold_by_team\"\nbilling_name = "),
            ("household.csv", ";own web;;", ";own web;blackhole+1@example.org;"),
        ],
        code: "billing_email_not_valid",
        path: "billing_email",
        cells: &["household.csv:2:sold_by_team"],
    },
    Case {
        rule: "postcode-valid",
        edits: &[("household.csv", "W1F 9DE", "ZZ99")],
        code: "invalid_postcode",
        path: "billing_postcode",
        cells: &["household.csv:2:bill_postcode"],
    },
    Case {
        rule: "postcode-in-use",
        edits: &[("premises.csv", "W1F 9DE", "W1F 9DC")],
        code: "invalid_postcode",
        path: "supply_addresses.0.supply_postcode",
        cells: &["premises.csv:2:postcode"],
    },
    Case {
        rule: "supply-postcode-in-market",
        edits: &[("premises.csv", "W1F 9DE", "BT1 5GS")],
        code: "postcode_outside_supply_market",
        path: "supply_addresses.0.supply_postcode",
        cells: &["premises.csv:2:postcode"],
    },
    Case {
        rule: "customer-family-name",
        edits: &[("person.csv", "Jabłoński;Hi", ";Hi")],
        code: "customer_family_name_required",
        path: "customers.0.family_name",
        cells: &["person.csv:3:surname"],
    },
    Case {
        rule: "metadata-keys-unique",
        edits: &[("extra.csv", "15;attachment", "100001;tag;metadata_key;other;other_data\n15;attachment")],
        code: "metadata_has_duplicate_keys",
        path: "metadata.1.key",
        cells: &["extra.csv:5:name", "extra.csv:6:name"],
    },
    Case {
        rule: "supply-point-identifier",
        edits: &[("point.csv", "1200060176720", "1200060176721")],
        code: "invalid_supply_point_identifier",
        path: "supply_addresses.0.meter_points.0.identifier",
        cells: &["point.csv:3:number"],
    },
    Case {
        rule: "gas-check-digits",
        edits: &[("point.csv", "9353824109", "9353824110")],
        code: "invalid_supply_point_identifier",
        path: "supply_addresses.meter_points.identifier",
        cells: &["point.csv:2:number"],
    },
    Case {
        rule: "commission-supply-point-identifier",
        edits: &[
            (
                MAPPING,
                "[entity.metadata]",
                "[entity.commission_contracts]\ntable = \"extra\"\nparent = [\"belongs_to\"]\n\
                 where = { what = \"commission\" }\norder = [\"name\"]\n\
                 [entity.commission_contracts.fields]\nmpxn = \"name\"\n\n[entity.metadata]",
            ),
            ("extra.csv", "15;attachment", "100001;commission;12000;;\n15;attachment"),
        ],
        code: "invalid_supply_point_identifier",
        path: "commission_contracts.0.mpxn",
        cells: &["extra.csv:6:name"],
    },
    Case {
        rule: "no-erroneous-transfer",
        edits: &[("point.csv", "1;0393;no;no", "1;0393;yes;no")],
        code: "erroneous_transfer_not_in_progress",
        path: "supply_addresses.0.meter_points.0.et_in_progress",
        cells: &["point.csv:3:switch_disputed"],
    },
    Case {
        rule: "no-disputed-read",
        edits: &[("point.csv", "1;0393;no;no", "1;0393;no;yes")],
        code: "disputed_read_in_progress",
        path: "supply_addresses.0.meter_points.0.dr_in_progress",
        cells: &["point.csv:3:debt_objection"],
    },
    Case {
        rule: "one-point-on-supply",
        edits: &[("point.csv", ";7001;", ";7009;")],
        code: "no_supply_point_on_supply",
        path: "supply_addresses",
        cells: &["household.csv:2"],
    },
    Case {
        rule: "agreements-consecutive",
        edits: &[("contract.csv", "81;", "81;ELEC-1234-J;2019-01-01;2019-07-25\n81;")],
        code: "gaps_or_overlaps_in_agreement_dates",
        path: "supply_addresses.0.meter_points.0.agreements.0.effective_to",
        cells: &["contract.csv:2:until", "contract.csv:3:from"],
    },
    Case {
        rule: "transfer-reading-register-known",
        edits: &[("dial_read.csv", "9001;1;20190801", "9001;9Z;20190801")],
        code: "reading_register_id_not_recognised",
        path: "supply_addresses.0.meter_points.0.meters.0.transfer_readings.0.register_id",
        cells: &["dial_read.csv:4:dial", "dial.csv:3:dial", "dial.csv:2:dial"],
    },
    Case {
        rule: "history-reading-register-known",
        edits: &[("dial_read.csv", "9001;1;20190620", "9001;9Z;20190620")],
        code: "historical_reading_register_id_not_recognised",
        path: "supply_addresses.0.meter_points.0.meters.0.reading_history.0.register_id",
        cells: &["dial_read.csv:5:dial"],
    },
    Case {
        rule: "register-transfer-reading-single",
        edits: &[("dial_read.csv", "1000;customer;yes;", "1000;customer;no;yes")],
        code: "missing_transfer_reading_for_register",
        path: "supply_addresses.0.meter_points.0.meters.0.registers.0",
        cells: &["dial.csv:3", "dial_read.csv:4:read_on"],
    },
    Case {
        rule: "register-transfer-reading-single",
        edits: &[("dial_read.csv", "9001;1;20190620;980;customer;no", "9001;1;20190620;980;customer;yes")],
        code: "multiple_transfer_readings_for_register",
        path: "supply_addresses.0.meter_points.0.meters.0.registers.0",
        cells: &["dial.csv:3", "dial_read.csv:4:read_on", "dial_read.csv:5:read_on"],
    },
    Case {
        rule: "gas-transfer-reading-single",
        edits: &[("dial_read.csv", "500;customer;yes", "500;customer;no")],
        code: "active_gas_meter_without_transfer_reading",
        path: "supply_addresses.0.meter_points.1.meters.0",
        cells: &["device.csv:3", "dial_read.csv:3:read_on"],
    },
    Case {
        rule: "transfer-reading-date",
        edits: &[("dial_read.csv", "9001;1;20190801", "9001;1;20190731")],
        code: "transfer_reading_dates_must_match_last_billed_to_date",
        path: "supply_addresses.0.meter_points.0.meters.0.transfer_readings.0.reading_date",
        cells: &["dial_read.csv:4:read_on", "household.csv:2:billed_until"],
    },
    Case {
        rule: "readings-increase",
        edits: &[("dial_read.csv", "20190620;980", "20190620;0")],
        code: "decreasing_reading",
        path: "supply_addresses.0.meter_points.0.meters.0.reading_history.0.reading_value",
        cells: &["dial_read.csv:5:value", "dial_read.csv:2:value"],
    },
    Case {
        rule: "ledger-balance-sum",
        edits: &[("purse.csv", ";3000", ";3001")],
        code: "balance_mismatch_on_ledger_balance",
        path: "ledgers.0.ledger_balance",
        cells: &[
            "purse.csv:2:stands_at",
            "purse.csv:2:closed_at",
            "purse_entry.csv:3:pence",
            "purse_entry.csv:5:pence",
        ],
    },
    Case {
        rule: "ledger-historical-balance-sum",
        edits: &[("purse.csv", ";2000;3000", ";2001;3001"), ("household.csv", ";30.00;", ";30.01;")],
        code: "historical_statement_transactions_balance_mismatch",
        path: "ledgers.0.last_statement_balance",
        cells: &["purse.csv:2:closed_at", "purse_entry.csv:2:pence", "purse_entry.csv:4:pence"],
    },
    Case {
        rule: "transfer-balance-sum",
        edits: &[("household.csv", ";30.00;", ";29.99;")],
        code: "balance_mismatch_on_transfer_balance",
        path: "transfer_balance",
        cells: &["household.csv:2:balance", "household.csv:2:bill_line5", "purse_entry.csv:3:pence"],
    },
    Case {
        rule: "historical-balance-sum",
        edits: &[("household.csv", "20.00", "20.01"), ("household.csv", ";30.00;", ";30.01;")],
        code: "historical_statement_transactions_balance_mismatch",
        path: "last_statement_balance",
        cells: &["household.csv:2:bill_line5", "purse_entry.csv:2:pence", "purse_entry.csv:4:pence"],
    },
    Case {
        rule: "ledger-balances-sum",
        edits: &[("household.csv", ";30.00;", ";29.99;")],
        code: "ledger_balances_not_equal_to_transfer_balance",
        path: "transfer_balance",
        cells: &["household.csv:2:balance", "purse.csv:2:stands_at"],
    },
    Case {
        rule: "transaction-not-future",
        edits: &[("purse_entry.csv", "2;2019-08-05", "2;2019-09-02")],
        code: "transaction_in_future",
        path: "ledgers.0.current_statement_transactions.1.transaction_date",
        cells: &["purse_entry.csv:5:booked"],
    },
    Case {
        rule: "one-open-schedule",
        edits: &[("instalment.csv", "2018-01-01;yes", "2018-02-01;no")],
        code: "multiple_open_ended_payment_schedules",
        path: "payment_schedules.0",
        cells: &["instalment.csv:3", "instalment.csv:2"],
    },
    Case {
        rule: "statements-disjoint",
        edits: &[("bill.csv", "2019-07-01;2019-08-01", "2019-06-21;2019-08-01")],
        code: "overlapping_statements",
        path: "statements.1.bill_period_from_date",
        cells: &["bill.csv:2:from", "bill.csv:3:to"],
    },
    Case {
        rule: "no-customers-unknown-occupier",
        edits: &[("household.csv", ";no;home", ";yes;home")],
        code: "customer_with_unknown_occupier",
        path: "customers",
        cells: &["person.csv:3"],
    },
    Case {
        rule: "dunning-start-not-past",
        edits: &[("household.csv", "2020-03-26;2019-06-01", "2019-08-31;2019-06-01")],
        code: "date_in_past",
        path: "dunning_path.start_date",
        cells: &["household.csv:2:collections_from"],
    },
    Case {
        rule: "review-date-not-future",
        edits: &[("household.csv", "2019-06-01", "2019-09-02")],
        code: "last_payment_review_date_is_future_dated",
        path: "last_payment_review_date",
        cells: &["household.csv:2:last_review"],
    },
    Case {
        rule: "billing-address-required",
        edits: &[("household.csv", "123 Fake Street", "")],
        code: "billing_address_not_provided",
        path: "billing_address1",
        cells: &["household.csv:2:bill_line1"],
    },
    Case {
        rule: "billing-address-legacy-shape",
        edits: &[("household.csv", "123 Fake Street", "")],
        code: "invalid_address",
        path: "billing_address1",
        cells: &["household.csv:2:bill_line1"],
    },
    Case {
        rule: "schedule-amount-nonzero",
        edits: &[("instalment.csv", ";600;10", ";0;10")],
        code: "zero_payment_schedule_amount",
        path: "payment_schedules.0.amount",
        cells: &["instalment.csv:3:pence"],
    },
    Case {
        rule: "debt-element-end-date",
        edits: &[("instalment.csv", ";200;2020-03-26", ";200;")],
        code: "debt_repayment_missing_end_date",
        path: "payment_schedules.0.debt_repayment_end_date",
        cells: &["instalment.csv:3:debt_until"],
    },
    Case {
        rule: "aq-current",
        edits: &[(MAPPING, "measure = \"annual\"", "measure = \"none\"")],
        code: "no_current_or_future_aq_entry_found",
        path: "supply_addresses.0.meter_points.1.aq_history",
        cells: &["point.csv:2"],
    },
    Case {
        rule: "billable-point-has-meter",
        edits: &[("device.csv", "9001;81", "9001;99")],
        code: "meter_point_with_no_meters",
        path: "supply_addresses.0.meter_points.0.meters",
        cells: &["point.csv:3"],
    },
    Case {
        rule: "ledger-current-after-close",
        edits: &[("purse_entry.csv", "1;2019-08-04", "1;2019-07-31")],
        code: "current_statement_transaction_before_last_statement_closing_date",
        path: "ledgers.0.current_statement_transactions.0.transaction_date",
        cells: &["purse.csv:2:closed_on", "purse_entry.csv:3:booked"],
    },
    Case {
        rule: "current-not-before-lbtd",
        edits: &[("purse_entry.csv", "1;2019-08-04", "1;2019-07-31")],
        code: "current_statement_transaction_before_last_billed_to_date",
        path: "ledgers.0.current_statement_transactions.0.transaction_date",
        cells: &["purse_entry.csv:3:booked", "household.csv:2:billed_until"],
    },
    Case {
        rule: "ledger-historical-not-after-close",
        edits: &[("purse_entry.csv", "3;2018-08-05", "3;2019-08-01")],
        code: "historical_statement_transaction_after_last_statement_closing_date",
        path: "ledgers.0.historical_statement_transactions.0.transaction_date",
        cells: &["purse_entry.csv:2:booked", "purse.csv:2:closed_on"],
    },
    Case {
        rule: "ledger-issue-not-before-close",
        edits: &[("purse.csv", "2019-08-01", "2019-07-30")],
        code: "last_statement_issued_before_closing_date",
        path: "ledgers.0.last_statement_closing_date",
        cells: &["purse.csv:2:closed_on", "purse.csv:2:issued_on"],
    },
    Case {
        rule: "ledger-historical-needs-close-date",
        edits: &[("purse.csv", "2019-07-31", "")],
        code: "historical_statement_transactions_require_last_statement_closing_date",
        path: "ledgers.0.last_statement_closing_date",
        cells: &["purse.csv:2:closed_on"],
    },
    Case {
        rule: "ledger-close-date-for-balance",
        edits: &[("purse.csv", "2019-07-31", "")],
        code: "historical_statement_without_last_statement_closing_date",
        path: "ledgers.0.last_statement_closing_date",
        cells: &["purse.csv:2:closed_on"],
    },
    Case {
        rule: "historical-period-not-future",
        edits: &[("purse.csv", "2019-07-31", "2019-09-02")],
        code: "historical_statement_period_end_in_future",
        path: "ledgers.0.last_statement_closing_date",
        cells: &["purse.csv:2:closed_on"],
    },
    Case {
        rule: "transaction-ids-unique",
        edits: &[(MAPPING, "transaction_id = \"entry\"", "transaction_id = { value = \"1\" }")],
        code: "duplicate_transaction_ids",
        path: "ledgers.0.current_statement_transactions.1.transaction_id",
        cells: &["purse_entry.csv:5", "purse_entry.csv:3"],
    },
    Case {
        rule: "ledger-transaction-ids-unique",
        edits: &[(MAPPING, "transaction_id = \"entry\"", "transaction_id = { value = \"1\" }")],
        code: "duplicate_transaction_ids",
        path: "ledgers.0.current_statement_transactions.1.transaction_id",
        cells: &["purse_entry.csv:5", "purse_entry.csv:3"],
    },
    Case {
        rule: "meter-points-unique",
        edits: &[(MAPPING, "identifier = \"number\"", "identifier = { value = \"1200060176720\" }")],
        code: "duplicate_meter_points_provided",
        path: "supply_addresses.0.meter_points.1.identifier",
        cells: &["point.csv:2", "point.csv:3"],
    },
    Case {
        rule: "aq-consecutive",
        edits: &[("usage.csv", "2018-12-31", "2018-12-30")],
        code: "gaps_or_overlaps_in_aq_history",
        path: "supply_addresses.0.meter_points.1.aq_history.0.effective_from",
        cells: &[],
    },
    Case {
        rule: "one-open-aq",
        edits: &[("usage.csv", "2018-12-31", "")],
        code: "multiple_open_ended_aqs_in_meterpoint_aq_history",
        path: "supply_addresses.0.meter_points.1.aq_history.1",
        cells: &[],
    },
    Case {
        rule: "not-named-the-occupier",
        edits: &[(
            MAPPING,
            "given_name = \"forename\"\nfamily_name = \"surname\"",
            "given_name = { value = \"The\" }\nfamily_name = { value = \"Occupier\" }",
        )],
        code: "customer_may_not_be_named_the_occupier",
        path: "customers.0.given_name",
        cells: &["person.csv:3"],
    },
    Case {
        rule: "occupier-no-contact-details",
        edits: &[(
            MAPPING,
            "given_name = \"forename\"\nfamily_name = \"surname\"",
            "given_name = { value = \"The\" }\nfamily_name = { value = \"Occupier\" }",
        )],
        code: "contact_details_for_occupier",
        path: "customers.0.email",
        cells: &["person.csv:3:mail"],
    },
    Case {
        rule: "psr-code-present",
        edits: &[(MAPPING, "elec_industry_code = \"electricity_code\"\n", "")],
        code: "psr_industry_code_not_provided",
        path: "customers.0.psr.0.elec_industry_code",
        cells: &["person_need.csv:3:gas_code"],
    },
];

/// The account without ledgers: transactions and the last statement's balance lie in the account itself.
const LEDGERLESS: [(&str, &str, &str); 6] = [
    (MAPPING, "ledgers.current_statement_transactions", "current_statement_transactions"),
    (MAPPING, "ledgers.historical_statement_transactions", "historical_statement_transactions"),
    (
        MAPPING,
        "transfer_balance = ",
        "last_statement_balance = { column = \"bill_line5\", as = \"money\", unit = \"pounds\" }\ntransfer_balance = ",
    ),
    ("household.csv", ";;;;;W1F 9DE", ";;;;20.00;W1F 9DE"),
    ("purse_entry.csv", "3001;", "100001;"),
    ("purse.csv", ";100001;", ";999;"),
];

/// The rules that only look at such an account.
const OF_LEDGERLESS: [&str; 2] = ["transfer-balance-sum", "historical-balance-sum"];

/// What stands in the cells and must not stand in a message.
const PRIVATE: &[&str] =
    &["Jabłoński", "jablonski", "abcde", "07700900123", "ZZ99", "W1F", "BT1", "1200060176", "9353824", "blackhole+1"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What the rules say to the guide's account with `edits`, notices last, and which rules are off.
fn check(edits: &[(&str, &str, &str)]) -> (Vec<Finding>, Vec<&'static str>) {
    let extract = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root("samples/guide")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), extract.path().join(entry.file_name())).unwrap();
    }
    let mut text = std::fs::read_to_string(root("mappings/guide/mapping.toml")).unwrap();
    for (file, from, to) in edits {
        let path = extract.path().join(file);
        let before = if *file == MAPPING { text.clone() } else { std::fs::read_to_string(&path).unwrap() };
        assert!(before.contains(from), "{file} has no {from}");
        let after = before.replace(from, to);
        if *file == MAPPING { text = after } else { std::fs::write(&path, after).unwrap() }
    }
    let contract = Contract::built_in().unwrap();
    let plan = mapping::load_text(&root("mappings/guide"), &text, &contract).unwrap();
    let sources = stage::find_sources(&plan, extract.path(), MissingFiles::AreErrors).unwrap();
    let plan = Arc::new(plan);
    let stage = stage::load(&plan, sources, &Staging::in_memory(&|table| name_accounts(&plan, table)), None).unwrap();
    let book = Books::open(&stage, &Selection::default()).book(0).unwrap();
    let view = View::new(&book).unwrap();
    let rules = RuleSet::bind(&Schema::new(plan));
    let mut findings = Vec::new();
    let context = RuleContext { run_date: "2019-09-01".parse().unwrap() };
    rules.check(view.account(0), &context, &mut findings);
    findings.extend(rules.notices());
    (findings, rules.off().to_vec())
}

#[test]
fn the_guides_account_breaks_no_rule() {
    let (findings, off) = check(&[]);
    assert_eq!(findings, []);
    let unmapped = [
        "billing-email-no-blackhole",
        "commission-supply-point-identifier",
        "transfer-balance-sum",
        "historical-balance-sum",
    ];
    assert!(unmapped.iter().all(|rule| off.contains(rule)), "{off:?}");
    let (findings, off) = check(&LEDGERLESS);
    assert_eq!(findings, []);
    assert!(off.contains(&"ledger-balance-sum") && !off.contains(&"transfer-balance-sum"));
}

#[test]
fn every_rule_finds_what_it_is_for_in_its_cells() {
    let mut wrong = Vec::new();
    for case in CASES {
        let rule = rules::all().into_iter().find(|rule| rule.id == case.rule).unwrap();
        assert!(rule.codes.contains(&case.code), "{} does not know {}", case.rule, case.code);
        let base = if OF_LEDGERLESS.contains(&case.rule) { &LEDGERLESS[..] } else { &[] };
        let (findings, _) = check(&[base, case.edits].concat());
        let found = findings.iter().find(|finding| &*finding.code == case.code && finding.path == case.path);
        let Some(found) = found else {
            wrong.push((case.rule, format!("{findings:#?}")));
            continue;
        };
        assert_eq!(found.severity, rule.severity, "{}", case.rule);
        for finding in &findings {
            let told = PRIVATE.iter().find(|text| finding.message.contains(*text));
            assert_eq!(told, None, "{}: {}", case.rule, finding.message);
        }
        let cells: Vec<String> = found.cells.iter().map(ToString::to_string).collect();
        if !cells.iter().map(String::as_str).take(case.cells.len()).eq(case.cells.iter().copied()) {
            wrong.push((case.rule, format!("{cells:?}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The rules of tables whose shape is tried by others here, and which have no whole account of their own yet.
const UNTRIED: &[&str] = &[
    "active-meter-has-register",
    "address-object-shape",
    "adequacy-adjustment",
    "adequacy-applied-not-future",
    "adequacy-applied-xor-reason",
    "adequacy-created-before-applied",
    "adequacy-created-not-future",
    "adequacy-new-dd",
    "agreement-contract-id-declared",
    "agreement-covers-lbtd",
    "agreement-not-before-supply",
    "agreements-cover-billable-points",
    "bespoke-rates-business-only",
    "bespoke-rates-unique",
    "bespoke-register-key",
    "billed-reading-not-after-lbtd",
    "billing-document-id-uniform",
    "billing-start-derivable",
    "business-billing-options-complete",
    "business-contract-id-present",
    "business-detail-keys-unique",
    "business-has-customer",
    "business-user-matches-customer",
    "campaign-identifier-style",
    "campaign-name-xor-slug",
    "campaigns-unique",
    "characteristic-codes-unique",
    "characteristic-valid",
    "commission-uplift-consistent",
    "configuration-periods-past-and-open",
    "consent-signed-not-future",
    "consent-types-unique",
    "contribution-agreements-disjoint",
    "contribution-periods-inside",
    "current-not-before-opening",
    "details-or-user-details",
    "dummy-exchange-valid",
    "eac-per-active-tpr",
    "eac-unique",
    "effective-to-date-order",
    "effective-to-not-before-from",
    "elec-prepay-reference-required",
    "exchange-lbtd",
    "exchange-readings",
    "external-user-id-unique",
    "final-reading-off-supply",
    "fit-bacs-details",
    "historical-before-current",
    "historical-needs-close-date",
    "historical-not-after-close",
    "import-export-pair",
    "instalments-unique",
    "instructions-ledger-uniform",
    "issue-not-before-close",
    "lbtd-present",
    "ledger-codes-unique",
    "ledger-historical-before-current",
    "ledger-identifiers-known",
    "ledger-identifiers-unique",
    "ledger-line-item-periods",
    "line-item-net",
    "line-item-one-rate-key",
    "line-item-units-pair",
    "meter-points-unique-across-addresses",
    "meter-serial-industry-shape",
    "meter-serial-shape",
    "nhh-registers-have-tpr",
    "no-future-supply-start",
    "note-has-content",
    "note-unpin-after-created",
    "occupier-no-dd-reference",
    "occupier-one-property",
    "one-deposit-agreement",
    "one-open-tax-exemption",
    "one-property-administrator",
    "payment-preference-instruction-known",
    "payment-preference-ledger-known",
    "payment-preference-ledger-unique",
    "periods-consecutive",
    "plan-components-sum",
    "plan-components-unique",
    "portfolio-lead-no-supply",
    "portfolio-reference-namespaces-unique",
    "portfolio-settings-lead-only",
    "preferences-or-consents",
    "prepay-transaction-target",
    "prepay-vend-read-date",
    "property-ext-id-unique",
    "quarterly-needs-next-bill",
    "register-ids-unique",
    "register-tprs-unique",
    "schedule-amount-range",
    "schedule-day-of-month",
    "schedule-frequency",
    "schedule-instalments-inside",
    "schedule-instalments-sum",
    "schedules-disjoint",
    "schedules-distinct-start",
    "schedules-ledger-uniform",
    "schedules-no-future-gap",
    "smart-fields-only-smart",
    "smart-read-day",
    "smart-refusal-reason",
    "statement-path-or-context",
    "supply-address-shape",
    "supply-addresses-unique",
    "supply-charge-needs-point",
    "supply-charge-total",
    "system-account-no-supply",
    "tax-exemption-dates",
    "tax-exemptions-business-only",
    "tax-exemptions-disjoint",
    "tax-year-shape",
    "twin-element-only-duplicates",
];

/// What literals in the mapping make an account say, and the rule that it breaks.
struct Said {
    rule: &'static str,
    /// The entity that gets the fields; `""` is the account. One that is not mapped has one object.
    at: &'static str,
    fields: &'static [(&'static str, &'static str)],
    code: &'static str,
    path: &'static str,
}

const POINT: &str = "supply_addresses.meter_points";
const METER: &str = "supply_addresses.meter_points.meters";

const SAID: &[Said] = &[
    Said {
        rule: "account-type-single",
        at: "",
        fields: &[("is_managed", "true")],
        code: "multiple_account_types_selected",
        path: "is_managed",
    },
    Said {
        rule: "business-type-number-not-domestic",
        at: "",
        fields: &[("company_number", "\"12345678\"")],
        code: "business_fields_provided_for_domestic_accounts",
        path: "company_number",
    },
    Said {
        rule: "company-number-valid",
        at: "",
        fields: &[("company_number", "\"ABC12345\"")],
        code: "invalid_company_number",
        path: "company_number",
    },
    Said {
        rule: "billing-options-business-only",
        at: "",
        fields: &[("account_billing_options.period_length", "\"MONTHLY\"")],
        code: "account_billing_options_provided_for_domestic_accounts",
        path: "account_billing_options",
    },
    Said {
        rule: "billing-options-one-mode",
        at: "",
        fields: &[("account_billing_options.period_length", "\"MONTHLY\"")],
        code: "account_billing_options_period_data_required",
        path: "account_billing_options.period_start_day",
    },
    Said {
        rule: "delivery-point-chars",
        at: "",
        fields: &[("billing_delivery_point_identifier", "\"w1f\"")],
        code: "invalid_delivery_point_identifier",
        path: "billing_delivery_point_identifier",
    },
    Said {
        rule: "debt-or-debts",
        at: "",
        fields: &[("debt.agency_name", "\"Some\"")],
        code: "debt_and_debts_are_defined",
        path: "debt",
    },
    Said {
        rule: "billing-address-one-style",
        at: "",
        fields: &[("billing_address.country", "\"GB\"")],
        code: "billing_address_new_style_and_legacy",
        path: "billing_address",
    },
    Said {
        rule: "schedule-threshold",
        at: "payment_schedules",
        fields: &[("trigger", "\"BALANCE\"")],
        code: "balance_triggered_schedule_missing_threshold",
        path: "payment_schedules.0.balance_threshold",
    },
    Said {
        rule: "schedule-plan-instalments",
        at: "payment_schedules",
        fields: &[("trigger", "\"PLAN\"")],
        code: "payment_instalments_not_provided",
        path: "payment_schedules.0.instalments",
    },
    Said {
        rule: "schedule-exempt-regular-only",
        at: "payment_schedules",
        fields: &[("trigger", "\"BALANCE\""), ("exempt_from_payment_adequacy", "true")],
        code: "invalid_payment_schedule_to_exempt_from_payment_adequacy",
        path: "payment_schedules.0.exempt_from_payment_adequacy",
    },
    Said {
        rule: "schedule-delay",
        at: "payment_schedules",
        fields: &[("trigger", "\"BALANCE\""), ("delay_days", "3")],
        code: "payment_schedule_delay_must_have_bill_trigger",
        path: "payment_schedules.0.delay_days",
    },
    Said {
        rule: "end-not-before-start",
        at: "payment_schedules",
        fields: &[("end_date", "\"2017-01-01\"")],
        code: "start_date_later_than_end_date",
        path: "payment_schedules.0.start_date",
    },
    Said {
        rule: "debt-end-not-after-schedule",
        at: "payment_schedules",
        fields: &[("end_date", "\"2019-01-01\"")],
        code: "debt_repayment_end_date_after_schedule_end_date",
        path: "payment_schedules.0.debt_repayment_end_date",
    },
    Said {
        rule: "supply-period-order",
        at: POINT,
        fields: &[("supply_end_date", "\"2000-01-01\"")],
        code: "start_date_later_than_end_date",
        path: "supply_addresses.0.meter_points.0.supply_start_date",
    },
    Said {
        rule: "no-future-supply-end",
        at: POINT,
        fields: &[("supply_end_date", "\"2019-10-01\"")],
        code: "future_supply_end_date",
        path: "supply_addresses.0.meter_points.0.supply_end_date",
    },
    Said {
        rule: "no-loss-in-progress",
        at: POINT,
        fields: &[("supply_end_date", "\"2019-10-01\"")],
        code: "loss_in_progress",
        path: "supply_addresses.0.meter_points.0.supply_end_date",
    },
    Said {
        rule: "agents-or-to-appoint",
        at: POINT,
        fields: &[("dc_to_appoint", "\"TENT\""), ("agents.dc_contract.agent_mpid", "\"TENT\"")],
        code: "agents_and_mpids_to_appoint_provided",
        path: "supply_addresses.0.meter_points.0.dc_to_appoint",
    },
    Said {
        rule: "smart-device-id-shape",
        at: METER,
        fields: &[("smart_device_id", "\"0123\"")],
        code: "invalid_smart_device_id",
        path: "supply_addresses.0.meter_points.0.meters.0.smart_device_id",
    },
    Said {
        rule: "smart-commissioned-not-future",
        at: METER,
        fields: &[("smart_commissioned_on", "\"2019-09-02\"")],
        code: "future_smart_meter_commission_date",
        path: "supply_addresses.0.meter_points.0.meters.0.smart_commissioned_on",
    },
    Said {
        rule: "prepay-fields-only-prepay",
        at: METER,
        fields: &[("prepay_customer_reference_number", "\"12\"")],
        code: "prepay_details_on_non_prepay_meter",
        path: "supply_addresses.0.meter_points.0.meters.0.prepay_customer_reference_number",
    },
    Said {
        rule: "prepay-reference-integer",
        at: METER,
        fields: &[("prepay_customer_reference_number", "\"A12\"")],
        code: "invalid_prepay_customer_reference_number",
        path: "supply_addresses.0.meter_points.0.meters.0.prepay_customer_reference_number",
    },
    Said {
        rule: "billing-document-id-not-current",
        at: "ledgers.current_statement_transactions",
        fields: &[("billing_document_identifier", "\"7\"")],
        code: "billing_document_identifier_not_allowed_for_current_statement_transactions",
        path: "ledgers.0.current_statement_transactions.0.billing_document_identifier",
    },
    Said {
        rule: "portfolio-number-shape",
        at: "supply_addresses.meter_points.agreements",
        fields: &[("intermediary.portfolio_number", "\"P-1\"")],
        code: "invalid_portfolio_number",
        path: "supply_addresses.0.meter_points.0.agreements.0.intermediary.portfolio_number",
    },
    Said {
        rule: "campaign-dates",
        at: "account_campaigns",
        fields: &[("start_date", "\"2019-01-01\""), ("expiry_date", "\"2019-01-01\"")],
        code: "start_date_same_as_end_date",
        path: "account_campaigns.0.start_date",
    },
    Said {
        rule: "complaint-official-complete",
        at: "complaints",
        fields: &[("official_entity", "\"Some\"")],
        code: "official_complaint_field_missing",
        path: "complaints.0.official_reference_number",
    },
    Said {
        rule: "complaint-chsr-before-eight-week",
        at: "complaints",
        fields: &[("has_eight_week_letter_been_sent", "true")],
        code: "chsr_letter_not_sent",
        path: "complaints.0.has_eight_week_letter_been_sent",
    },
    Said {
        rule: "deposit-interest-date",
        at: "deposit_agreements",
        fields: &[("last_interest_date", "\"2019-01-01\"")],
        code: "last_interest_date_not_allowed",
        path: "deposit_agreements.0.last_interest_date",
    },
    Said {
        rule: "partner-valid-period",
        at: "partner_organisations",
        fields: &[("valid_from", "\"2019-01-02\""), ("valid_to", "\"2019-01-01\"")],
        code: "start_date_later_than_end_date",
        path: "partner_organisations.0.valid_from",
    },
    Said {
        rule: "adequacy-monthly-sum",
        at: "payment_adequacy_changes",
        fields: &[
            ("average_monthly_charge", "9"),
            ("average_monthly_elec_charge", "5"),
            ("average_monthly_gas_charge", "5"),
        ],
        code: "payment_adequacy_monthly_charges_unequal",
        path: "payment_adequacy_changes.0.average_monthly_charge",
    },
    Said {
        rule: "adequacy-or-review-date",
        at: "payment_adequacy_changes",
        fields: &[("average_monthly_charge", "9")],
        code: "payment_adequacy_changes_and_last_payment_review_date_provided",
        path: "last_payment_review_date",
    },
    Said {
        rule: "plan-or-schedule-per-ledger",
        at: "payment_plans",
        fields: &[("strategy_name", "\"Some\"")],
        code: "payment_plan_and_payment_schedule_not_allowed_on_same_ledger",
        path: "payment_plans",
    },
    Said {
        rule: "contribution-active-period",
        at: "contribution_agreements",
        fields: &[("active_period_start_date", "\"2019-01-02\""), ("active_period_end_date", "\"2019-01-01\"")],
        code: "start_date_later_than_end_date",
        path: "contribution_agreements.0.active_period_start_date",
    },
];

/// The edit of the mapping that makes it say `fields`.
fn saying(at: &str, fields: &[(&str, &str)]) -> (&'static str, String, String) {
    let mut lines = String::new();
    for (field, value) in fields {
        writeln!(lines, "\"{field}\" = {{ value = {value} }}").unwrap();
    }
    let mapping = std::fs::read_to_string(root("mappings/guide/mapping.toml")).unwrap();
    let heads =
        [format!("[entity.\"{at}\".fields]\n"), format!("[entity.{at}.fields]\n"), "[account.fields]\n".to_owned()];
    let head = heads
        .into_iter()
        .find(|head| mapping.contains(head.as_str()) && (at.is_empty() || !head.contains("account.f")));
    if let Some(head) = head {
        let after = format!("{head}{lines}");
        (MAPPING, head, after)
    } else {
        let entity = format!(
            "[entity.{at}]\ntable = \"extra\"\nparent = [\"belongs_to\"]\nwhere = {{ what = \"tag\" }}\n\
                 order = [\"name\"]\n[entity.{at}.fields]\n{lines}\n[entity.metadata]"
        );
        (MAPPING, "[entity.metadata]".to_owned(), entity)
    }
}

#[test]
fn what_an_object_must_not_say_is_found() {
    let mut quiet = Vec::new();
    for said in SAID {
        let (file, from, to) = saying(said.at, said.fields);
        let (findings, _) = check(&[(file, &from, &to)]);
        let found = findings.iter().find(|finding| &*finding.code == said.code && finding.path == said.path);
        if found.is_none_or(|found| found.cells.is_empty()) {
            quiet.push((said.rule, findings));
        }
    }
    assert!(quiet.is_empty(), "{quiet:#?}");
}

#[test]
fn every_rule_has_a_case() {
    let cases = CASES.iter().map(|case| case.rule).chain(SAID.iter().map(|said| said.rule));
    let cases: BTreeSet<&str> = cases.chain(UNTRIED.iter().copied()).collect();
    let rules: BTreeSet<&str> = rules::all().iter().map(|rule| rule.id).collect();
    assert_eq!(cases, rules);
}
