//! What the mapping language says, seen in the payload: one test a feature.

use std::path::Path;

use super::testing::{payloads, stage, stage_in};
use super::view::{EntityId, Presence};
use super::{Books, Bucket, Row, Schema, Selection, Value, View};
use crate::finding::Finding;

/// A mapping of one table of accounts, with `tables`, `fields` of the account and `entities` added.
fn mapping(tables: &str, fields: &str, entities: &str) -> String {
    format!(
        "[defaults]\ndate = \"%d/%m/%Y\"\ndatetime = \"%d/%m/%Y %H:%M\"\nbool = {{ Y = true, N = false }}\n\
         [tables.accounts]\nfiles = \"accounts*.csv\"\nkey = [\"NO\"]\n{tables}\n\
         [account]\ntable = \"accounts\"\n[account.fields]\nimport_supplier = {{ value = \"S\" }}\n\
         external_account_number = \"NO\"\n{fields}\n{entities}\n"
    )
}

/// The payload of account `A` without its name, and what was found.
fn made(mapping: &str, files: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    let (payloads, findings, _) = payloads(&stage(mapping, files));
    let payload = payloads.lines().next().unwrap_or_default();
    let payload = payload.replace(r#""external_account_number":"A","import_supplier":"S""#, "");
    (payload.replace("{,", "{").replace(",,", ",").replace(",}", "}"), told(&findings))
}

fn told(findings: &[Finding]) -> Vec<(String, String)> {
    let cell = |finding: &Finding| finding.cells.first().map(ToString::to_string).unwrap_or_default();
    findings.iter().map(|finding| (finding.code.to_string(), cell(finding))).collect()
}

fn owned(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(code, cell)| ((*code).to_owned(), (*cell).to_owned())).collect()
}

#[test]
fn values_are_read_as_the_contract_says_and_written_as_it_says() {
    let fields = "unknown_occupier = \"FLAG\"\nsmart_read_cycle_day = \"DAY\"\nlast_billed_to_date = \"BILLED\"\n\
                  transfer_balance = { column = \"PENCE\", as = \"money\", unit = \"pence\" }\n\
                  billing_address2 = { column = \"LINE\", empty = \"\" }\nbilling_name = \"NAME\"";
    let (payload, found) = made(
        &mapping("", fields, ""),
        &[("accounts.csv", "NO,FLAG,DAY,BILLED,PENCE,LINE,NAME\nA,N,07,02/01/2020,-5,,\n")],
    );
    assert_eq!(
        payload,
        r#"{"billing_address2":"","last_billed_to_date":"2020-01-02","smart_read_cycle_day":7,"transfer_balance":"-0.05","unknown_occupier":false}"#
    );
    assert_eq!(found, []);
}

#[test]
fn a_lookup_gives_its_second_column_or_the_one_that_take_names() {
    let fields = "account_type = { column = \"T\", lookup = \"type\" }\n\
                  billing_name = { column = \"T\", lookup = \"type\", take = \"NOTE\" }";
    let lookup = ("lookups/type.csv", "CODE,TYPE,NOTE\nD,DOMESTIC,home\nB,BUSINESS,\n");
    let mapping = mapping("", fields, "");
    let (payload, _) = made(&mapping, &[lookup, ("accounts.csv", "NO,T\nA,D\n")]);
    assert_eq!(payload, r#"{"account_type":"DOMESTIC","billing_name":"home"}"#);
    let (payload, _) = made(&mapping, &[lookup, ("accounts.csv", "NO,T\nA,B\n")]);
    assert_eq!(payload, r#"{"account_type":"BUSINESS"}"#, "a blank value leaves the field out");
    let (_, found) = made(&mapping, &[lookup, ("accounts.csv", "NO,T\nA,X\n")]);
    assert_eq!(found, owned(&[("unknown_code", "accounts.csv:2:T"), ("unknown_code", "accounts.csv:2:T")]));
}

const LEDGERS: &str = "[tables.ledgers]\nfiles = \"ledgers.csv\"\nkey = [\"ID\"]\n\
                       [tables.txns]\nfiles = \"txns.csv\"\nkey = [\"T\"]\nrest = \"filtered\"\n\
                       [tables.txns.columns]\nT = { as = \"integer\" }\nON = { as = \"date\" }\n\
                       TYPE = { column = \"CODE\", lookup = \"txn\", take = \"TYPE\" }\n\
                       REASON = { column = \"CODE\", lookup = \"txn\", take = \"REASON\" }";
const TRANSACTIONS: &str = r#"
[entity.ledgers]
table = "ledgers"
parent = ["NO"]
order = ["ID"]
[entity.ledgers.fields]
ledger_balance = "BALANCE"
[entity."ledgers.current_statement_transactions"]
table = "txns"
parent = ["LEDGER"]
where = { FLAG = "C" }
order = [{ column = "ON", desc = true }, "T"]
[entity."ledgers.current_statement_transactions".fields]
transaction_id = "T"
transaction_date = "ON"
amount = "AMOUNT"
type = "TYPE"
reason = "REASON"
payment_type = [
  { column = "PAY", when = { TYPE = "REPAYMENT" }, empty = "" },
  { column = "PAY", when = { TYPE = "PAYMENT" } } ]
[entity."ledgers.historical_statement_transactions"]
like = "ledgers.current_statement_transactions"
where = { FLAG = ["H", "h"] }
"#;
const TXN_LOOKUP: (&str, &str) = (
    "lookups/txn.csv",
    "CODE,TYPE,REASON\nP,PAYMENT,ACCOUNT_CHARGE_PAYMENT\nR,REPAYMENT,FULL_CREDIT_REFUND\nC,CHARGE,LATE_PAYMENT_FEE\n",
);

#[test]
fn rows_are_split_ordered_and_given_the_first_line_that_holds() {
    let (payload, found) = made(
        &mapping(LEDGERS, "", TRANSACTIONS),
        &[
            TXN_LOOKUP,
            ("accounts.csv", "NO\nA\n"),
            ("ledgers.csv", "ID,NO,BALANCE\nL,A,1.00\n"),
            (
                "txns.csv",
                "T,LEDGER,ON,AMOUNT,CODE,PAY,FLAG\n010,L,01/01/2020,1.00,R,,C\n9,L,01/01/2020,1.00,P,,C\n\
                 8,L,02/01/2020,1.00,P,CHEQUE,C\n7,L,03/01/2020,1.00,C,CHEQUE,h\n6,L,03/01/2020,1.00,C,,X\n",
            ),
        ],
    );
    let transaction = |id: &str, date: &str, rest: &str| {
        format!(r#"{{"amount":"1.00",{rest},"transaction_date":"2020-01-0{date}","transaction_id":"{id}",{}"#, "")
    };
    let payment = |id, date, pay: &str| {
        let rest = format!(r#"{pay}"reason":"ACCOUNT_CHARGE_PAYMENT""#);
        transaction(id, date, &rest) + r#""type":"PAYMENT"}"#
    };
    let refund =
        transaction("010", "1", r#""payment_type":"","reason":"FULL_CREDIT_REFUND""#) + r#""type":"REPAYMENT"}"#;
    let charge = transaction("7", "3", r#""reason":"LATE_PAYMENT_FEE""#) + r#""type":"CHARGE"}"#;
    let current = [payment("8", "2", r#""payment_type":"CHEQUE","#), payment("9", "1", ""), refund].join(",");
    let expected = format!(
        r#"{{"ledgers":[{{"current_statement_transactions":[{current}],"historical_statement_transactions":[{charge}],"ledger_balance":"1.00"}}]}}"#
    );
    assert_eq!(payload, expected);
    assert_eq!(found, [], "the row that no block takes is filtered, as the table says");
}

#[test]
fn a_row_that_no_block_takes_is_an_error_unless_the_table_says_otherwise() {
    let tables = LEDGERS.replace("rest = \"filtered\"\n", "");
    let (payload, found) = made(
        &mapping(&tables, "", TRANSACTIONS),
        &[
            TXN_LOOKUP,
            ("accounts.csv", "NO\nA\n"),
            ("ledgers.csv", "ID,NO,BALANCE\nL,A,1.00\n"),
            ("txns.csv", "T,LEDGER,ON,AMOUNT,CODE,PAY,FLAG\n1,L,01/01/2020,1.00,P,,X\n"),
        ],
    );
    assert_eq!(payload, "");
    assert_eq!(found, owned(&[("unclaimed_record", "txns.csv:2")]));
}

#[test]
fn a_value_that_its_variant_does_not_take_is_a_finding_on_the_row() {
    let (_, found) = made(
        &mapping(LEDGERS, "", &TRANSACTIONS.replace(", when = { TYPE = \"PAYMENT\" }", "")),
        &[
            TXN_LOOKUP,
            ("accounts.csv", "NO\nA\n"),
            ("ledgers.csv", "ID,NO,BALANCE\nL,A,1.00\n"),
            (
                "txns.csv",
                "T,LEDGER,ON,AMOUNT,CODE,PAY,FLAG\n1,L,01/01/2020,1.00,C,CHEQUE,C\n2,L,01/01/2020,1.00,R,CREDIT_CARD,C\n",
            ),
        ],
    );
    assert_eq!(found, owned(&[("invalid_choice", "txns.csv:3:PAY"), ("unexpected_field", "txns.csv:2:PAY")]));
}

#[test]
fn keys_may_come_from_cells_and_lists_may_hold_texts() {
    let tables = "[tables.meta]\nfiles = \"meta.csv\"\n[tables.people]\nfiles = \"people.csv\"\nkey = [\"P\"]\n\
                  [tables.mails]\nfiles = \"mails.csv\"";
    let entities = "[entity.metadata]\ntable = \"meta\"\nparent = [\"NO\"]\norder = [\"K\"]\n[entity.metadata.fields]\n\
                    key = \"K\"\n\"value.{F}\" = \"V\"\n\
                    [entity.customers]\ntable = \"people\"\nparent = [\"NO\"]\n[entity.customers.fields]\nfamily_name = \"N\"\n\
                    [entity.\"customers.contact_emails\"]\ntable = \"mails\"\nparent = [\"P\"]\norder = [\"M\"]\nvalue = \"M\"";
    let (payload, found) = made(
        &mapping(tables, "", entities),
        &[
            ("accounts.csv", "NO\nA\n"),
            ("meta.csv", "NO,K,F,V\nA,k,\"a \"\"b\"\"\",v\n"),
            ("people.csv", "P,NO,N\n1,A,Jabłoński\n"),
            ("mails.csv", "P,M\n1,z@example.com\n1,a@example.com\n"),
        ],
    );
    assert_eq!(
        payload,
        concat!(
            r#"{"customers":[{"contact_emails":["a@example.com","z@example.com"],"family_name":"Jabłoński"}],"#,
            r#""metadata":[{"key":"k","value":{"a \"b\"":"v"}}]}"#
        )
    );
    assert_eq!(found, []);
}

#[test]
fn local_times_are_written_in_utc() {
    let tables = "[tables.notes]\nfiles = \"notes.csv\"\nmultiline = [\"BODY\"]";
    let entities = "[entity.notes]\ntable = \"notes\"\nparent = [\"NO\"]\n[entity.notes.fields]\nbody = \"BODY\"\n\
                    created_at = { column = \"AT\", zone = \"Europe/London\", ambiguous = \"latest\" }";
    let (payload, found) = made(
        &mapping(tables, "", entities),
        &[
            ("accounts.csv", "NO\nA\n"),
            ("notes.csv", "NO,AT,BODY\nA,01/07/2020 10:00,\"two\nlines\"\nA,25/10/2020 01:30,winter\n"),
        ],
    );
    assert_eq!(
        payload,
        r#"{"notes":[{"body":"two\nlines","created_at":"2020-07-01T09:00:00Z"},{"body":"winter","created_at":"2020-10-25T01:30:00Z"}]}"#
    );
    assert_eq!(found, []);
}

#[test]
fn a_faulty_cell_may_be_left_out_with_a_warning() {
    let fields = "last_billed_to_date = { column = \"D\", on_fault = \"omit\" }\nbilling_name = \"N\"";
    let (payload, found) = made(&mapping("", fields, ""), &[("accounts.csv", "NO,D,N\nA,31/02/2020,Bob\n")]);
    assert_eq!(payload, r#"{"billing_name":"Bob"}"#);
    assert_eq!(found, owned(&[("malformed_date", "accounts.csv:2:D")]));
}

#[test]
fn a_template_joins_texts_and_names_every_cell_it_reads() {
    let fields = "billing_name = { expr = \"{{ FIRST }} {{ LAST|upper }}\" }\nlast_billed_to_date = { expr = \"{{ D }}/{{ Y }}\" }";
    let mapping = mapping("", fields, "");
    let (payload, _) = made(&mapping, &[("accounts.csv", "NO,FIRST,LAST,D,Y\nA,Bob,Fish,01/02,2020\n")]);
    assert_eq!(payload, r#"{"billing_name":"Bob FISH","last_billed_to_date":"2020-02-01"}"#);
    let stage = stage(&mapping, &[("accounts.csv", "NO,FIRST,LAST,D,Y\nA,Bob,Fish,01-02,2020\n")]);
    let (_, findings, _) = payloads(&stage);
    let cells: Vec<String> = findings[0].cells.iter().map(ToString::to_string).collect();
    assert_eq!(cells, ["accounts.csv:2:D", "accounts.csv:2:Y"]);
}

#[test]
fn an_object_takes_one_record_a_parent() {
    let tables = "[tables.holds]\nfiles = \"holds.csv\"";
    let entities = "[entity.dunning_path]\ntable = \"holds\"\nparent = [\"NO\"]\norder = [\"P\"]\n\
                    [entity.dunning_path.fields]\npath_name = \"P\"\nstart_date = \"D\"";
    let mapping = mapping(tables, "", entities);
    let accounts = ("accounts.csv", "NO\nA\n");
    let (payload, _) = made(&mapping, &[accounts, ("holds.csv", "NO,P,D\nA,p,01/01/2020\n")]);
    assert_eq!(payload, r#"{"dunning_path":{"path_name":"p","start_date":"2020-01-01"}}"#);
    let (payload, found) = made(&mapping, &[accounts, ("holds.csv", "NO,P,D\nA,q,01/01/2020\nA,p,01/01/2020\n")]);
    assert_eq!((payload.as_str(), found), ("", owned(&[("more_than_one_record", "holds.csv:3")])));
}

#[test]
fn one_record_twice_is_used_once_and_two_records_of_one_key_reject_their_account() {
    let fields = "billing_name = \"N\"";
    let (payload, found) = made(&mapping("", fields, ""), &[("accounts.csv", "NO,N\nA,Bob\nB,Ann\nA,Bob\n")]);
    assert_eq!(payload, r#"{"billing_name":"Bob"}"#);
    assert_eq!(found, owned(&[("duplicate_record", "accounts.csv:4")]));
    let (payloads, findings, _) =
        payloads(&stage(&mapping("", fields, ""), &[("accounts.csv", "NO,N\nA,Bob\nB,Ann\nA,Bert\n")]));
    assert_eq!(payloads.lines().count(), 1);
    assert!(findings.iter().any(|finding| &*finding.code == "conflicting_records"));
}

#[test]
fn several_files_are_one_table_and_a_lost_record_can_stop_everything() {
    let tables = "on_lost = \"stop\"\ndelimiter = \";\"\ntrim = true";
    let mapping = mapping(tables, "billing_name = \"N\"", "");
    let stage = stage(&mapping, &[("accounts-2.csv", "N;NO\n Bob ;A\n"), ("accounts-1.csv", "NO;N\nB;Ann\nC;x;y\n")]);
    let (payloads, findings, buckets) = payloads(&stage);
    assert_eq!(payloads.lines().count(), 2);
    assert!(payloads.starts_with(r#"{"billing_name":"Bob","external_account_number":"A""#), "{payloads}");
    assert_eq!(told(&findings), owned(&[("record_field_count", "accounts-1.csv:3")]));
    assert_eq!(Books::open(&stage, &Selection::default()).stopped_by, ["accounts".into()]);
    let counted = |file| [Bucket::Used, Bucket::Quarantined].map(|bucket| buckets.file(0, file).of(bucket));
    assert_eq!([counted(0), counted(1)], [[1, 1], [1, 0]]);
}

#[test]
fn what_the_contract_requires_must_be_there() {
    let tables = "[tables.points]\nfiles = \"points.csv\"\nkey = [\"M\"]\n[tables.places]\nfiles = \"places.csv\"\nkey = [\"P\"]";
    let entities = "[entity.supply_addresses]\ntable = \"places\"\nparent = [\"NO\"]\n[entity.supply_addresses.fields]\n\
                    supply_postcode = \"PC\"\n\
                    [entity.\"supply_addresses.meter_points\"]\ntable = \"points\"\nparent = [\"P\"]\n\
                    [entity.\"supply_addresses.meter_points\".fields]\nidentifier = \"M\"\nsupply_type = \"F\"\nssc = \"SSC\"";
    let files = |ssc| {
        let points = format!("M,P,F,SSC\n9353824109,1,GAS,{ssc}\n");
        let stage = stage(
            &mapping(tables, "", entities),
            &[("accounts.csv", "NO\nA\n"), ("places.csv", "P,NO,PC\n1,A,W1F 9DE\n"), ("points.csv", &points)],
        );
        payloads(&stage).1
    };
    let codes = |findings: Vec<Finding>| -> Vec<(String, String)> {
        findings.into_iter().map(|finding| (finding.code.to_string(), finding.path)).collect()
    };
    let required: Vec<_> = codes(files("")).into_iter().filter(|(code, _)| code == "required").collect();
    assert!(!required.is_empty(), "a meter point needs more than its identifier and type");
    let foreign: Vec<_> = codes(files("0393")).into_iter().filter(|(code, _)| code == "unexpected_field").collect();
    assert_eq!(foreign, owned(&[("unexpected_field", "supply_addresses.0.meter_points.0.ssc")]));
}

#[test]
fn fields_are_checked_against_their_constraints() {
    let fields = "billing_address1 = \"L\"\naccount_type = \"T\"\ntransfer_balance = \"B\"";
    let line = "x".repeat(513);
    let files = format!("NO,L,T,B\nA,{line},HOUSEHOLD,12345678901.00\n");
    let (payload, found) = made(&mapping("", fields, ""), &[("accounts.csv", &files)]);
    assert_eq!(payload, "");
    assert_eq!(
        found,
        owned(&[
            ("invalid_choice", "accounts.csv:2:T"),
            ("invalid_pattern", "accounts.csv:2:B"),
            ("max_length", "accounts.csv:2:L")
        ])
    );
}

#[test]
fn a_key_that_cannot_be_read_and_a_control_character_are_told() {
    let tables =
        "[tables.people]\nfiles = \"people.csv\"\nkey = [\"P\"]\n[tables.people.columns]\nP = { as = \"integer\" }";
    let entities = "[entity.customers]\ntable = \"people\"\nparent = [\"NO\"]\norder = [\"P\"]\n[entity.customers.fields]\nfamily_name = \"N\"";
    let people = "P,NO,N\n1,A,A\u{1b}b\n";
    let (payload, found) = made(&mapping(tables, "", entities), &[("accounts.csv", "NO\nA\n"), ("people.csv", people)]);
    assert_eq!(payload, r#"{"customers":[{"family_name":"A\u001bb"}]}"#);
    assert_eq!(found, owned(&[("control_character", "people.csv:2:N")]));
    let people = people.replace("1,A", "0x1,A");
    let (payload, found) =
        made(&mapping(tables, "", entities), &[("accounts.csv", "NO\nA\n"), ("people.csv", &people)]);
    assert_eq!(payload, "");
    assert!(found.contains(&("malformed_integer".to_owned(), "people.csv:2:P".to_owned())), "{found:?}");
}

#[test]
fn an_empty_text_is_no_value_and_one_that_cannot_be_read_is_neither() {
    let fields = "billing_address2 = { column = \"LINE\", empty = \"\" }\nsmart_read_cycle_day = \"DAY\"\n\
                  billing_name = \"NAME\"";
    let extract = "NO,LINE,DAY,NAME\nA,,x,\nB,1 High Street Upper,0,A. N. Other of Somewhere\n";
    let stage = stage(&mapping("", fields, ""), &[("accounts.csv", extract)]);
    let schema = Schema::new(stage.plan.clone());
    let books = Books::open(&stage, &Selection::default());
    let book = books.book(0).unwrap();
    let view = View::new(&book).unwrap();
    let fields = ["billing_address2", "smart_read_cycle_day", "billing_name"];
    let fields = fields.map(|path| schema.field(path).unwrap());
    assert_eq!(view.account(0).value(fields[0]), Value::Text(""));
    let of = |account| fields.map(|field| view.account(account).presence(field));
    assert_eq!(of(0), [Presence::Absent, Presence::Faulty, Presence::Absent]);
    assert_eq!(of(1), [Presence::Given; 3]);
}

/// What lies below `row` by `way`, child by child.
fn walked<'a>(row: Row<'a>, way: &[EntityId]) -> Vec<Row<'a>> {
    match way.split_first() {
        None => vec![row],
        Some((first, rest)) => row.children(*first).flat_map(|child| walked(child, rest)).collect(),
    }
}

#[test]
fn what_lies_below_an_account_is_what_lies_below_its_children_and_is_there_if_its_value_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mapping = std::fs::read_to_string(root.join("mappings/tentacle/mapping.toml")).unwrap();
    let stage = stage_in(&root.join("samples/tentacle"), &mapping);
    let schema = Schema::new(stage.plan.clone());
    let books = Books::open(&stage, &Selection::default());
    let mut seen = (0, [0; 3]);
    for number in 0..books.len() {
        let book = books.book(number).unwrap();
        let view = View::new(&book).unwrap();
        for account in (0..book.accounts.len() as u32).map(|account| view.account(account)) {
            for (entity, plan) in stage.plan.entities.iter().enumerate() {
                let mut way = vec![EntityId(entity)];
                while let Some(above) = schema.parent(way[0]) {
                    way.insert(0, above);
                }
                way.remove(0);
                let rows: Vec<Row<'_>> = account.below(&way).collect();
                let paths = |rows: &[Row<'_>]| rows.iter().map(|row| row.path(None)).collect::<Vec<_>>();
                assert_eq!(paths(&rows), paths(&walked(account, &way)));
                seen.0 += rows.len();
                for field in plan.fields.iter().filter(|field| field.key.is_none()) {
                    let path = [plan.path.as_str(), &field.path].join(".");
                    let field = schema.field(path.trim_matches('.')).unwrap();
                    for row in rows.iter().filter(|_| field.entity() == EntityId(entity)) {
                        let (is, number) = match row.value(field) {
                            Value::Absent | Value::Text("") => (Presence::Absent, 0),
                            Value::Faulty => (Presence::Faulty, 1),
                            _ => (Presence::Given, 2),
                        };
                        assert_eq!(row.presence(field), is, "{}", row.path(Some(field)));
                        seen.1[number] += 1;
                    }
                }
            }
        }
    }
    assert!(seen.0 > 1000 && seen.1.iter().all(|count| *count > 0), "{seen:?}");
}
