//! A request body's account and its problems, in the target's error shapes.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::account::{AccountKey, Digest};
use crate::target::Envelope;

const REQUIRED: &str = "This field is required.";

/// The shapes in which a target refuses a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusalShape {
    /// Nested by field, list positions as keys.
    #[default]
    Nested,
    /// `{detail, code, errors: [{attr, code, detail}]}`.
    Standard,
    /// Create only says that validation failed; validate answers in the standard shape.
    Opaque,
}

impl fmt::Display for RefusalShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nested => "nested",
            Self::Standard => "standard",
            Self::Opaque => "opaque",
        })
    }
}

impl FromStr for RefusalShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nested" => Ok(Self::Nested),
            "standard" => Ok(Self::Standard),
            "opaque" => Ok(Self::Opaque),
            _ => Err(format!("`{text}` is no shape of refusals; use `nested`, `standard` or `opaque`")),
        }
    }
}

/// What a body asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) key: AccountKey,
    /// Of the account's canonical JSON: without its envelope, keys in byte order, no whitespace.
    pub(super) digest: Digest,
    pub(super) is_dry_run: bool,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problems {
    NotJson,
    /// Of the envelope or of the account; never empty.
    Fields(Vec<Problem>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// From the root down; list positions as texts.
    path: Vec<String>,
    code: &'static str,
    message: String,
}

fn problem(path: &[&str], code: &'static str, message: &str) -> Problem {
    Problem { path: path.iter().map(|&segment| segment.to_owned()).collect(), code, message: message.to_owned() }
}

/// Reads the body of a validate (`needs_task` false) or of a create.
pub(super) fn submission(body: &[u8], envelope: Envelope, needs_task: bool) -> Result<Submission, Problems> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Problems::NotJson)?;
    let Value::Object(mut body) = body else {
        return Err(Problems::Fields(vec![problem(&["non_field_errors"], "invalid", "Expected an object.")]));
    };
    match envelope {
        Envelope::Bare => account(&body, false),
        Envelope::Wrapped => {
            let mut problems = Vec::new();
            if needs_task && !body.contains_key("task_params") {
                problems.push(problem(&["task_params"], "required", REQUIRED));
            }
            let is_dry_run = match body.get("task_params").and_then(|task| task.get("is_dry_run")) {
                None => false,
                Some(Value::Bool(flag)) => *flag,
                Some(_) => {
                    problems.push(problem(&["task_params", "is_dry_run"], "invalid", "Must be a valid boolean."));
                    false
                }
            };
            match body.remove("payload") {
                Some(Value::Object(payload)) if problems.is_empty() => account(&payload, is_dry_run),
                Some(Value::Object(_)) => Err(Problems::Fields(problems)),
                Some(_) => Err(Problems::Fields(vec![problem(&["payload"], "invalid", "Expected an object.")])),
                None => {
                    problems.push(problem(&["payload"], "required", REQUIRED));
                    Err(Problems::Fields(problems))
                }
            }
        }
    }
}

fn account(payload: &Map<String, Value>, is_dry_run: bool) -> Result<Submission, Problems> {
    let mut problems = Vec::new();
    let mut key = |field: &str| match payload.get(field) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        None => {
            problems.push(problem(&[field], "required", REQUIRED));
            String::new()
        }
        Some(_) => {
            problems.push(problem(&[field], "invalid", "Not a valid string."));
            String::new()
        }
    };
    let key = AccountKey::new(key("import_supplier"), key("external_account_number"));
    if payload.contains_key("payload") {
        problems.push(problem(&["payload"], "unexpected", "Unexpected field."));
    }
    phones(payload, &mut problems);
    if !problems.is_empty() {
        return Err(Problems::Fields(problems));
    }
    let canonical = serde_json::to_vec(payload).expect("parsed JSON can be written again");
    Ok(Submission { key, digest: Digest::of(&canonical), is_dry_run })
}

fn phones(payload: &Map<String, Value>, problems: &mut Vec<Problem>) {
    let customers = match payload.get("customers") {
        Some(Value::Array(customers)) => customers,
        Some(_) => return problems.push(problem(&["customers"], "not_a_list", "Expected a list of items.")),
        None => return,
    };
    for (position, customer) in customers.iter().enumerate() {
        for field in ["mobile", "landline"] {
            let Some(Value::String(text)) = customer.get(field) else { continue };
            if !text.is_empty() && !is_phone(text) {
                let path = ["customers", &position.to_string(), field];
                problems.push(problem(&path, "invalid_phone_number", &format!("{text} is not a valid phone number")));
            }
        }
    }
}

fn is_phone(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " +()-".contains(c)) && text.chars().any(|c| c.is_ascii_digit())
}

impl Problems {
    /// The body of the 400.
    pub(super) fn body(&self, shape: RefusalShape, is_create: bool) -> Value {
        match self {
            Self::NotJson => json!({ "detail": "JSON parse error", "code": "parse_error" }),
            Self::Fields(_) if shape == RefusalShape::Opaque && is_create => json!({
                "code": "import_process_failed_validation",
                "detail": "The payload is invalid: use the validate endpoint for the details.",
                "domain": "import_process",
            }),
            Self::Fields(problems) if shape == RefusalShape::Nested => nested(problems),
            Self::Fields(problems) => standard(problems),
        }
    }
}

fn standard(problems: &[Problem]) -> Value {
    let errors: Vec<Value> = problems
        .iter()
        .map(|problem| json!({ "attr": problem.path.join("."), "code": problem.code, "detail": problem.message }))
        .collect();
    json!({ "detail": "The account is invalid.", "code": "account_failed_validation", "errors": errors })
}

fn nested(problems: &[Problem]) -> Value {
    let mut root = json!({});
    for problem in problems {
        let mut at = &mut root;
        for segment in &problem.path {
            at = &mut at[segment.as_str()];
        }
        match at {
            Value::Array(messages) => messages.push(problem.message.clone().into()),
            _ => *at = json!([problem.message]),
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"import_supplier":"S","external_account_number":"E-1","customers":[{"mobile":"+44 7"}]}"#;

    fn problems(body: &str, envelope: Envelope, needs_task: bool) -> Value {
        submission(body.as_bytes(), envelope, needs_task).expect_err(body).body(RefusalShape::Nested, needs_task)
    }

    #[test]
    fn both_envelopes_find_the_same_account_however_it_is_spelt() {
        let bare = submission(GOOD.as_bytes(), Envelope::Bare, true).unwrap();
        assert_eq!(bare.key, AccountKey::new("S", "E-1"));
        assert!(!bare.is_dry_run);
        let spaced = GOOD.replace(':', " : ");
        let wrapped = format!(r#"{{"task_params":{{"is_dry_run":true}},"payload":{spaced}}}"#);
        let wrapped = submission(wrapped.as_bytes(), Envelope::Wrapped, true).unwrap();
        assert_eq!(wrapped, Submission { is_dry_run: true, ..bare.clone() });
        let canonical = r#"{"customers":[{"mobile":"+44 7"}],"external_account_number":"E-1","import_supplier":"S"}"#;
        assert_eq!(bare.digest, Digest::of(canonical.as_bytes()));
    }

    #[test]
    fn numbers_keep_their_spelling_in_the_digest() {
        let with = |n: &str| {
            let body = format!(r#"{{"external_account_number":"E","import_supplier":"S","n":{n}}}"#);
            (submission(body.as_bytes(), Envelope::Bare, true).unwrap().digest, Digest::of(body.as_bytes()))
        };
        for number in ["1.50", "-0.0", "100000000000000000000"] {
            let (digest, expected) = with(number);
            assert_eq!(digest, expected, "{number}");
        }
    }

    #[test]
    fn the_other_envelope_is_named_by_its_errors() {
        let wrapped = format!(r#"{{"payload":{GOOD},"task_params":{{}}}}"#);
        assert_eq!(
            problems(&wrapped, Envelope::Bare, true),
            json!({"import_supplier": [REQUIRED], "external_account_number": [REQUIRED], "payload": ["Unexpected field."]})
        );
        assert_eq!(problems(GOOD, Envelope::Wrapped, true), json!({"payload": [REQUIRED], "task_params": [REQUIRED]}));
        assert_eq!(problems(GOOD, Envelope::Wrapped, false), json!({"payload": [REQUIRED]}));
    }

    #[test]
    fn a_bad_phone_number_is_refused_in_every_shape() {
        let bad = r#"{"import_supplier":"S","external_account_number":"E","customers":[{"landline":"1"},{"landline":"abcde"}]}"#;
        let problems = submission(bad.as_bytes(), Envelope::Bare, true).expect_err("abcde");
        let message = "abcde is not a valid phone number";
        assert_eq!(problems.body(RefusalShape::Nested, true), json!({"customers": {"1": {"landline": [message]}}}));
        let error = json!({"attr": "customers.1.landline", "code": "invalid_phone_number", "detail": message});
        assert_eq!(problems.body(RefusalShape::Standard, true)["errors"], json!([error]));
        assert_eq!(problems.body(RefusalShape::Opaque, false)["errors"], json!([error]));
        assert_eq!(problems.body(RefusalShape::Opaque, true)["code"], "import_process_failed_validation");
    }

    #[test]
    fn what_is_no_account_is_refused() {
        for body in ["", "[]", "1", "{", r#"{"import_supplier":1}"#, r#"{"customers":{}}"#] {
            assert!(submission(body.as_bytes(), Envelope::Bare, true).is_err(), "{body}");
            assert!(submission(body.as_bytes(), Envelope::Wrapped, true).is_err(), "{body}");
        }
        let two =
            r#"{"external_account_number":"E","import_supplier":"S","customers":[{"mobile":"x","landline":"y"}]}"#;
        assert_eq!(problems(two, Envelope::Bare, true)["customers"]["0"].as_object().map(Map::len), Some(2));
    }
}
