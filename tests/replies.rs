//! Every shape in which a target refuses an account ends at a payload path and, through the mapping, at a cell.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::support::Project;
use crate::support::night::FAST;

/// A target that refuses every create with one body, and answers a validation with another.
fn target(create: &'static str, validate: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The thread ends with the process: it waits for a client that does not come any more.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), create, validate);
        }
    });
    url
}

fn answer(mut stream: TcpStream, create: &str, validate: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    reader.read_line(&mut head)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, body) = match head.split(' ').nth(1).unwrap_or_default() {
        "/v2/data-import/accounts/" => ("400 Bad Request", create),
        "/v2/data-import/accounts/validate/" => ("400 Bad Request", validate),
        _ => ("404 Not Found", r#"{"detail":"none","code":"not_found"}"#),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

const LANDLINE: &str = "customers.0.landline customers.csv:2:LANDLINE";
const ACCOUNT: &str = " accounts.csv:2:";

/// Name, create's body, validate's body, and what is told: path, file, line and column.
const SHAPES: &[(&str, &str, &str, &[&str])] = &[
    ("nested by field", r#"{"customers":{"0":{"landline":["bad"]}}}"#, "", &[LANDLINE]),
    (
        "a list with good entries",
        r#"{"ledgers":[{"ledger_balance":["bad"]},{}],"customers":[{"landline":["bad"]}]}"#,
        "",
        &[LANDLINE, "ledgers.0.ledger_balance ledgers.csv:2:LEDGER_BALANCE"],
    ),
    ("leaf objects", r#"{"customers":{"0":{"landline":{"detail":"bad","code":"c"}}}}"#, "", &[LANDLINE]),
    ("lists of leaf objects", r#"{"customers":{"0":{"landline":[{"detail":"bad","code":"c"}]}}}"#, "", &[LANDLINE]),
    (
        "an error of a level",
        r#"{"customers":{"0":{"non_field_errors":["bad"]}}}"#,
        "",
        &["customers.0 customers.csv:2:"],
    ),
    ("an error of the account", r#"{"non_field_errors":["bad"]}"#, "", &[ACCOUNT]),
    (
        "standard",
        r#"{"detail":"d","code":"account_failed_validation","errors":[{"attr":"customers.0.landline","code":"c","detail":"bad"}]}"#,
        "",
        &[LANDLINE],
    ),
    (
        "standard, about the account",
        r#"{"detail":"d","code":"account_failed_validation","errors":[{"attr":null,"code":"c","detail":"bad"}]}"#,
        "",
        &[ACCOUNT],
    ),
    (
        "opaque, then nested",
        r#"{"code":"import_process_failed_validation","detail":"ask","domain":"import_process"}"#,
        r#"{"customers":{"0":{"landline":["bad"]}}}"#,
        &[LANDLINE],
    ),
    ("a domain's", r#"{"code":"c","detail":"bad","domain":"account_import"}"#, "", &[ACCOUNT]),
    ("plain", r#"{"detail":"bad","code":"c"}"#, "", &[ACCOUNT]),
    ("an error alone", r#"{"error":"bad"}"#, "", &[ACCOUNT]),
    ("the framework's", r#"{"transfer_balance":["bad"]}"#, "", &["transfer_balance accounts.csv:2:TRANSFER_BALANCE"]),
    (
        "a field that is not mapped",
        r#"{"portfolio":{"billing_name":["bad"]}}"#,
        "",
        &["portfolio.billing_name accounts.csv:2:"],
    ),
    ("a proxy's page", "<html><h1>Bad Request</h1></html>", "", &[ACCOUNT]),
];

#[test]
fn whatever_the_shape_of_a_refusal_it_is_told_at_its_path_and_cell() {
    let project = Project::with_mapping("mappings/tentacle");
    project.run(0, &["generate", "--accounts", "1", "--out", "extract", "--quiet"]);
    for (name, create, validate, expected) in SHAPES {
        std::fs::remove_dir_all(project.path(".slipway")).ok();
        project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &target(create, validate));
        project.run(1, &[&["run", "--quiet"], &FAST[..]].concat());
        let told = project.column(
            "SELECT path || ' ' || file || ':' || line || ':' || coalesce(\"column\", '') FROM v_findings \
             WHERE source = 'remote' AND severity = 'error' ORDER BY path",
        );
        assert_eq!(told, *expected, "{name}");
        let states = project.column("SELECT state FROM v_accounts");
        assert_eq!(states, ["refused"], "{name}");
    }
}
