//! The body of a refusal, whatever its shape, as findings.
//!
//! The target, its framework and the proxies before it speak many dialects; all reduce to (path, code or none,
//! message), where the path is dotted with list positions and empty for the whole account.
//!
//! | shape | for instance |
//! | --- | --- |
//! | nested by field | `{"customers":{"0":{"landline":["…"]}}}`, lists with `{}` for the good entries, leaves `{detail, code}`, `non_field_errors` at any level |
//! | standard | `{"detail":…,"code":"account_failed_validation","errors":[{"attr":"customers.0.landline","code":…,"detail":…}]}` |
//! | domain | `{"code":…,"detail":…,"domain":…}`; `import_process_failed_validation` means: ask validate |
//! | already imported | `{"non_field_errors":{"detail":…,"code":"account_import_process_already_imported"},"account_id":…}`, or `{"external_account_number":…,"kraken_account_number":…,"non_field_errors":[…]}` |
//! | plain | `{"detail":…,"code":…}`, `{"error":…}`, `{"error_detail":…}` |
//! | field lists | `{"import_supplier":["…"]}` |
//! | not JSON | a proxy's page: its first characters |

use serde_json::{Map, Value};

/// No reply yields more findings than this; an account with more is as refused as one with these.
pub const MAX_FINDINGS: usize = 1_000;

/// So much of a reply that is not JSON goes into its finding, in characters.
const EXCERPT: usize = 200;

const ALREADY_IMPORTED: &str = "account_import_process_already_imported";
const ASK_VALIDATE: &str = "import_process_failed_validation";
const WHOLE: &str = "non_field_errors";

/// One thing the target finds wrong with an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteFinding {
    /// The payload path with list positions, such as `customers.0.landline`; empty for the whole account.
    pub path: String,
    /// The target's code, where it gives one.
    pub code: Option<String>,
    /// The target's text. Not a contract: only for people.
    pub message: String,
}

/// What the body of a refusal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account exists already.
    AlreadyImported {
        /// The Kraken account number, if the reply names it.
        kraken_identifier: Option<String>,
    },
    /// The account is invalid, and only validate says why. Holds what was said, one finding.
    Opaque(Vec<RemoteFinding>),
    /// What is wrong; never empty.
    Findings(Vec<RemoteFinding>),
}

impl Refusal {
    /// What is wrong, as findings in any case.
    #[must_use]
    pub fn into_findings(self) -> Vec<RemoteFinding> {
        match self {
            Self::Opaque(findings) | Self::Findings(findings) => findings,
            Self::AlreadyImported { .. } => {
                vec![finding("", Some(ALREADY_IMPORTED), "the account was imported already")]
            }
        }
    }
}

/// Reads the body of a refusal.
pub(super) fn parse(body: &[u8]) -> Refusal {
    let Ok(value) = serde_json::from_slice(body) else {
        return Refusal::Findings(vec![not_json(body)]);
    };
    let mut findings = Vec::new();
    if let Value::Object(object) = &value {
        if let Some(kraken_identifier) = already_imported(object) {
            return Refusal::AlreadyImported { kraken_identifier };
        }
        if let Some(Value::Array(errors)) = object.get("errors")
            && !errors.is_empty()
            && errors.iter().all(is_standard_entry)
        {
            for error in errors {
                standard_entry(error, &mut findings);
            }
        } else if let Some((code, detail)) = leaf(object) {
            let only = vec![finding("", code, detail)];
            return if code == Some(ASK_VALIDATE) { Refusal::Opaque(only) } else { Refusal::Findings(only) };
        } else {
            for (key, value) in object {
                // Two plain forms that name no field.
                let path = if matches!(key.as_str(), "error" | "error_detail") { "" } else { key };
                walk(&clean(path), value, &mut findings);
            }
        }
    } else {
        walk("", &value, &mut findings);
    }
    if findings.is_empty() {
        findings.push(finding("", None, "refused without a reason"));
    }
    Refusal::Findings(findings)
}

/// Whether a 404's body is the target's own word that there is no such import, not a page of something between.
pub(super) fn is_not_found(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|value| value.get("code").and_then(Value::as_str) == Some("not_found"))
}

/// The account number, if the reply says in one of its forms that the account was imported already.
#[expect(clippy::option_option, reason = "the reply may say that it was imported without naming the number")]
fn already_imported(object: &Map<String, Value>) -> Option<Option<String>> {
    let says_so = |value: &Value| value.get("code").and_then(Value::as_str) == Some(ALREADY_IMPORTED);
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let entries = |key: &str| object.get(key).and_then(Value::as_array).is_some_and(|list| list.iter().any(says_so));
    let number = text("account_id").or_else(|| text("kraken_account_number"));
    let said = object.get(WHOLE).is_some_and(says_so)
        || object.get("code").and_then(Value::as_str) == Some(ALREADY_IMPORTED)
        || entries(WHOLE)
        || entries("errors");
    // The older form has no code: the Kraken number beside a general error says it.
    let older = object.contains_key(WHOLE) && text("kraken_account_number").is_some();
    (said || older).then_some(number)
}

fn is_standard_entry(value: &Value) -> bool {
    value.is_object() && (value.get("detail").is_some() || value.get("attr").is_some())
}

fn standard_entry(entry: &Value, findings: &mut Vec<RemoteFinding>) {
    let path = clean(entry.get("attr").and_then(Value::as_str).unwrap_or(""));
    let code = entry.get("code").and_then(Value::as_str);
    match entry.get("detail") {
        Some(Value::String(detail)) => push(findings, finding(&path, code, detail)),
        Some(Value::Null) | None => push(findings, finding(&path, code, "refused without a reason")),
        Some(other) => push(findings, finding(&path, code, &other.to_string())),
    }
}

/// The code and text of an object that is an error itself, not a level of fields: its `detail` is a text.
fn leaf(object: &Map<String, Value>) -> Option<(Option<&str>, &str)> {
    let detail = object.get("detail")?.as_str()?;
    Some((object.get("code").and_then(Value::as_str), detail))
}

/// Collects the findings of `value`, which stands at `path`. The depth is bounded by the JSON parser's own limit.
fn walk(path: &str, value: &Value, findings: &mut Vec<RemoteFinding>) {
    match value {
        Value::Null => {}
        Value::String(text) => push(findings, finding(path, None, text)),
        Value::Bool(_) | Value::Number(_) => push(findings, finding(path, None, &value.to_string())),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                match item {
                    // An error among the errors of this path, or the errors of the entry at this position.
                    Value::Object(object) if leaf(object).is_none() => {
                        walk(&join(path, &position.to_string()), item, findings);
                    }
                    Value::Array(_) => walk(&join(path, &position.to_string()), item, findings),
                    _ => walk(path, item, findings),
                }
            }
        }
        Value::Object(object) => {
            if let Some((code, detail)) = leaf(object) {
                return push(findings, finding(path, code, detail));
            }
            for (key, value) in object {
                walk(&clean(&join(path, key)), value, findings);
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A path of the account: without the envelope's `payload.` and without the name for errors of a whole level.
fn clean(path: &str) -> String {
    let path = path.strip_prefix("payload.").unwrap_or(path);
    if path.split('.').any(|segment| segment == WHOLE) {
        path.split('.').filter(|segment| *segment != WHOLE).collect::<Vec<_>>().join(".")
    } else {
        path.to_owned()
    }
}

fn not_json(body: &[u8]) -> RemoteFinding {
    let text = String::from_utf8_lossy(body);
    let mut excerpt = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if excerpt.is_empty() {
        return finding("", None, "refused without a reason");
    }
    if let Some((cut, _)) = excerpt.char_indices().nth(EXCERPT) {
        excerpt.truncate(cut);
        excerpt.push('…');
    }
    finding("", None, &format!("the reply is not JSON; it begins: {excerpt}"))
}

fn finding(path: &str, code: Option<&str>, message: &str) -> RemoteFinding {
    RemoteFinding { path: path.to_owned(), code: code.map(str::to_owned), message: message.to_owned() }
}

fn push(findings: &mut Vec<RemoteFinding>, finding: RemoteFinding) {
    if findings.len() < MAX_FINDINGS {
        findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// (path, code, message) of each finding of a body.
    fn findings(body: &str) -> Vec<(String, Option<String>, String)> {
        match parse(body.as_bytes()) {
            Refusal::Findings(findings) => findings.into_iter().map(|f| (f.path, f.code, f.message)).collect(),
            other => panic!("no findings but {other:?}"),
        }
    }

    fn one(path: &str, code: Option<&str>, message: &str) -> (String, Option<String>, String) {
        (path.to_owned(), code.map(str::to_owned), message.to_owned())
    }

    #[test]
    fn errors_nested_by_field() {
        for (body, expected) in [
            (
                r#"{"customers":{"0":{"landline":["not a phone"]}}}"#,
                vec![one("customers.0.landline", None, "not a phone")],
            ),
            (
                r#"{"customers":[{},{"email":["bad","worse"]}]}"#,
                vec![one("customers.1.email", None, "bad"), one("customers.1.email", None, "worse")],
            ),
            (
                r#"{"ledgers":{"0":{"ledger_balance":{"detail":"sum","code":"balance_mismatch"}}}}"#,
                vec![one("ledgers.0.ledger_balance", Some("balance_mismatch"), "sum")],
            ),
            (
                r#"{"transfer_balance":[{"detail":"sum","code":"mismatch"}]}"#,
                vec![one("transfer_balance", Some("mismatch"), "sum")],
            ),
            (
                r#"{"customers":{"0":{"non_field_errors":["either mobile or landline"]}}}"#,
                vec![one("customers.0", None, "either mobile or landline")],
            ),
            (
                r#"{"non_field_errors":[{"detail":"no","code":"c"}],"payload":{"billing_name":["long"]}}"#,
                vec![one("", Some("c"), "no"), one("billing_name", None, "long")],
            ),
            (r#"{"payload":["This field is required."]}"#, vec![one("payload", None, "This field is required.")]),
            (r#"{"notes":{"0":{"detail":["required"]}}}"#, vec![one("notes.0.detail", None, "required")]),
        ] {
            assert_eq!(findings(body), expected, "{body}");
        }
    }

    #[test]
    fn standard_errors() {
        let body = r#"{"detail":"failed","code":"account_failed_validation","errors":[
            {"attr":"customers.0.landline","code":"invalid_phone_number","detail":"bad"},
            {"attr":null,"code":"x","detail":"whole"},
            {"attr":"non_field_errors","code":"y","detail":"whole too"},
            {"attr":"payload.meter_points.1.non_field_errors","code":"z","detail":"level"},
            {"attr":"billing_name","detail":null}]}"#;
        assert_eq!(
            findings(body),
            [
                one("customers.0.landline", Some("invalid_phone_number"), "bad"),
                one("", Some("x"), "whole"),
                one("", Some("y"), "whole too"),
                one("meter_points.1", Some("z"), "level"),
                one("billing_name", None, "refused without a reason"),
            ]
        );
        let without = r#"{"detail":"failed","code":"account_failed_validation","errors":[]}"#;
        assert_eq!(findings(without), [one("", Some("account_failed_validation"), "failed")]);
    }

    #[test]
    fn plain_and_domain_errors() {
        for (body, expected) in [
            (r#"{"detail":"d","code":"c","domain":"import_process"}"#, one("", Some("c"), "d")),
            (r#"{"detail":"d"}"#, one("", None, "d")),
            (r#"{"error":"e"}"#, one("", None, "e")),
            (r#"{"error_detail":"e"}"#, one("", None, "e")),
            (
                r#"{"import_supplier":["This field is required."]}"#,
                one("import_supplier", None, "This field is required."),
            ),
            (r#"["text"]"#, one("", None, "text")),
            (r#""text""#, one("", None, "text")),
            ("{}", one("", None, "refused without a reason")),
            ("[]", one("", None, "refused without a reason")),
            ("null", one("", None, "refused without a reason")),
            ("", one("", None, "refused without a reason")),
            (
                "<html>\n <h1>400 Bad\tRequest</h1>",
                one("", None, "the reply is not JSON; it begins: <html> <h1>400 Bad Request</h1>"),
            ),
        ] {
            assert_eq!(findings(body), [expected], "{body}");
        }
        let opaque = r#"{"code":"import_process_failed_validation","detail":"ask","domain":"import_process"}"#;
        assert!(matches!(parse(opaque.as_bytes()), Refusal::Opaque(f) if f.len() == 1));
    }

    #[test]
    fn already_imported_in_all_its_forms() {
        for (body, number) in [
            (
                r#"{"non_field_errors":{"detail":"x","code":"account_import_process_already_imported"},"account_id":"A-12345678"}"#,
                Some("A-12345678"),
            ),
            (r#"{"non_field_errors":[{"detail":"x","code":"account_import_process_already_imported"}]}"#, None),
            (r#"{"detail":"x","code":"account_import_process_already_imported","account_id":""}"#, None),
            (r#"{"errors":[{"attr":null,"detail":"x","code":"account_import_process_already_imported"}]}"#, None),
            (
                r#"{"external_account_number":"E-1","kraken_account_number":"A-2","non_field_errors":["imported"]}"#,
                Some("A-2"),
            ),
        ] {
            let expected = Refusal::AlreadyImported { kraken_identifier: number.map(str::to_owned) };
            assert_eq!(parse(body.as_bytes()), expected, "{body}");
        }
        // A complaint about the field itself is not the older form.
        assert!(matches!(parse(br#"{"kraken_account_number":["bad"]}"#), Refusal::Findings(_)));
    }

    #[test]
    fn a_reply_with_very_many_findings_is_cut() {
        let body = serde_json::to_vec(&vec!["bad"; MAX_FINDINGS + 1]).unwrap();
        assert_eq!(parse(&body).into_findings().len(), MAX_FINDINGS);
    }

    #[test]
    fn deep_nesting_is_no_stack_overflow() {
        let body = "[".repeat(100_000);
        assert_eq!(parse(body.as_bytes()).into_findings().len(), 1);
    }

    /// Objects made of the words that mean something here, so that the shapes mix.
    fn reply() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec![
            "detail",
            "code",
            "errors",
            "attr",
            WHOLE,
            "customers",
            "0",
            "payload",
            "account_id",
            "domain",
            "error",
            ALREADY_IMPORTED,
            ASK_VALIDATE,
            "",
            "a.b",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_refusal(body in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(!parse(&body).into_findings().is_empty());
        }

        #[test]
        fn any_json_is_a_refusal_with_clean_paths(value in reply()) {
            let findings = parse(value.to_string().as_bytes()).into_findings();
            prop_assert!(!findings.is_empty());
            for finding in findings {
                prop_assert!(!finding.path.split('.').any(|segment| segment == WHOLE), "{finding:?}");
            }
        }
    }
}
