//! Every rule on a whole account: the guide's account breaks none of them, and one changed cell breaks each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slipway::assemble::{Books, Schema, Selection, View, name_accounts};
use slipway::contract::Contract;
use slipway::finding::Finding;
use slipway::mapping;
use slipway::rules::{self, RuleContext, RuleSet};
use slipway::stage::{self, MissingFiles, Staging};

use crate::rules_tried;

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
        cells: &["person_need.csv:3", "person_need.csv:3:gas_code"],
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
    check_by(edits, RuleSet::bind)
}

/// What the rules that `bind` binds say of the guide's account after `edits`, and which of them are off.
pub(crate) fn check_by(
    edits: &[(&str, &str, &str)],
    bind: impl FnOnce(&Schema) -> RuleSet,
) -> (Vec<Finding>, Vec<&'static str>) {
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
    let rules = bind(&Schema::new(plan));
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

#[test]
fn every_rule_has_an_account_that_breaks_it_and_one_that_passes_it() {
    let rules: BTreeSet<&str> = rules::all().iter().map(|rule| rule.id).collect();
    let mut broken: BTreeSet<&str> = CASES.iter().map(|case| case.rule).collect();
    broken.extend(rules_tried::ids());
    broken.extend(UNBREAKABLE.iter().map(|(rule, _)| *rule));
    assert_eq!(broken, rules);
    // A rule that is off passes nothing.
    let mut passed = rules_tried::passed();
    for account in [&[][..], &LEDGERLESS[..]] {
        let (_, off) = check(account);
        passed.extend(rules.iter().copied().filter(|rule| !off.contains(rule)));
    }
    passed.extend(UNBREAKABLE.iter().map(|(rule, _)| *rule));
    assert_eq!(passed, rules);
}

/// Rules that no account can break under the built-in contract, with the field they need, which it has no way to map:
/// it is an object of which nothing is published.
const UNBREAKABLE: &[(&str, &str)] = &[("address-object-shape", "billing_address.structured_street_address")];

#[test]
fn what_no_account_can_break_cannot_be_mapped() {
    let contract = Contract::built_in().unwrap();
    for (rule, field) in UNBREAKABLE {
        let text = std::fs::read_to_string(root("mappings/guide/mapping.toml")).unwrap();
        for line in [format!("\"{field}\" = \"bill_line1\"\n"), format!("\"{field}.any\" = \"bill_line1\"\n")] {
            let text = text.replace("[account.fields]\n", &format!("[account.fields]\n{line}"));
            let problems = mapping::load_text(&root("mappings/guide"), &text, &contract).unwrap_err();
            assert!(problems.iter().any(|problem| problem.message.contains(field)), "{rule}: {problems:#?}");
        }
    }
}
