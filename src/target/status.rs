//! The body of a status read.

use std::fmt;

use serde_json::{Map, Value};

/// Where an import stands, in the target's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Scheduled, not started.
    Pending,
    /// Being executed.
    InProgress,
    /// The account exists.
    Processed,
    /// The attempt failed.
    Errored,
    /// Withdrawn.
    Cancelled,
    /// A dry run passed; nothing was created.
    DryRunSucceeded,
    /// A dry run failed.
    DryRunErrored,
    /// A word we do not know, as it came: shown, and not taken for an end.
    Other(String),
}

impl Status {
    /// The status spelt `text`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "PENDING" => Self::Pending,
            "IN_PROGRESS" => Self::InProgress,
            "PROCESSED" => Self::Processed,
            "ERRORED" => Self::Errored,
            "CANCELLED" => Self::Cancelled,
            "DRY_RUN_SUCCEEDED" => Self::DryRunSucceeded,
            "DRY_RUN_ERRORED" => Self::DryRunErrored,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The status as the target spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Processed => "PROCESSED",
            Self::Errored => "ERRORED",
            Self::Cancelled => "CANCELLED",
            Self::DryRunSucceeded => "DRY_RUN_SUCCEEDED",
            Self::DryRunErrored => "DRY_RUN_ERRORED",
            Self::Other(text) => text,
        }
    }

    /// Whether it is the end of an attempt: polling on will not change it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Pending | Self::InProgress | Self::Other(_) => false,
            Self::Processed | Self::Errored | Self::Cancelled | Self::DryRunSucceeded | Self::DryRunErrored => true,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an import stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportStatus {
    /// Where it stands.
    pub status: Status,
    /// The Kraken account number, once the account exists.
    pub kraken_identifier: Option<String>,
    /// ISO 8601 with an offset, as it came.
    pub created_at: Option<String>,
    /// ISO 8601 with an offset, as it came.
    pub modified_at: Option<String>,
    /// What went wrong in the latest attempt.
    pub latest_error: Option<RemoteError>,
}

/// What went wrong in an attempt. All texts are the target's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// Its code, where it has one.
    pub code: Option<String>,
    /// Its text. It may quote the account's data: scrub it before it is stored.
    pub detail: String,
    /// Which part of the target it comes from; opaque.
    pub domain: Option<String>,
}

/// Reads the body of a status read that was answered 200. Only `status` must be there; the error says what is wrong
/// in a clause.
pub(super) fn parse(body: &[u8]) -> Result<ImportStatus, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("its body is not JSON ({})", kind(&error)))?;
    let object = value.as_object().ok_or("its body is no JSON object")?;
    let status = object.get("status").and_then(Value::as_str).ok_or("its body has no text `status`")?;
    Ok(ImportStatus {
        status: Status::parse(status),
        kraken_identifier: text(object, "kraken_identifier"),
        created_at: text(object, "created_at"),
        modified_at: text(object, "modified_at"),
        latest_error: object.get("latest_error").and_then(latest_error),
    })
}

fn latest_error(value: &Value) -> Option<RemoteError> {
    match value {
        Value::Null => None,
        Value::Object(object) => Some(RemoteError {
            code: text(object, "code"),
            detail: text(object, "detail").unwrap_or_else(|| "no detail given".to_owned()),
            domain: text(object, "domain"),
        }),
        Value::String(detail) => Some(RemoteError { code: None, detail: detail.clone(), domain: None }),
        other => Some(RemoteError { code: None, detail: other.to_string(), domain: None }),
    }
}

/// A text field; blank, null and absent are the same to us.
fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What kind of JSON error it is; its own text could quote the body.
fn kind(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it breaks off" } else { "it is malformed" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_processed_import() {
        let body = r#"{"status":"PROCESSED","kraken_identifier":"A-1","created_at":"2025-10-07T09:00:21.179194+02:00",
            "modified_at":"2025-10-07T09:06:38.078396+02:00","latest_error":null,"latest_event":{"event":"x"}}"#;
        assert_eq!(
            parse(body.as_bytes()),
            Ok(ImportStatus {
                status: Status::Processed,
                kraken_identifier: Some("A-1".to_owned()),
                created_at: Some("2025-10-07T09:00:21.179194+02:00".to_owned()),
                modified_at: Some("2025-10-07T09:06:38.078396+02:00".to_owned()),
                latest_error: None,
            })
        );
    }

    #[test]
    fn an_errored_import_tells_why() {
        let body = r#"{"status":"ERRORED","latest_error":{"code":"c","detail":"d","domain":"account_import"}}"#;
        let expected = RemoteError {
            code: Some("c".to_owned()),
            detail: "d".to_owned(),
            domain: Some("account_import".to_owned()),
        };
        assert_eq!(parse(body.as_bytes()).unwrap().latest_error, Some(expected));
        let text = parse(br#"{"status":"ERRORED","latest_error":"d"}"#).unwrap().latest_error.unwrap();
        assert_eq!((text.code, text.detail.as_str()), (None, "d"));
    }

    #[test]
    fn every_status_survives_its_own_spelling_and_only_ends_are_terminal() {
        for (text, terminal) in [
            ("PENDING", false),
            ("IN_PROGRESS", false),
            ("PROCESSED", true),
            ("ERRORED", true),
            ("CANCELLED", true),
            ("DRY_RUN_SUCCEEDED", true),
            ("DRY_RUN_ERRORED", true),
            ("SOMETHING_NEW", false),
        ] {
            let status = Status::parse(text);
            assert_eq!((status.as_str(), status.is_terminal()), (text, terminal));
        }
        assert_eq!(Status::parse("SOMETHING_NEW"), Status::Other("SOMETHING_NEW".to_owned()));
    }

    #[test]
    fn what_is_no_status_says_so_without_quoting_it() {
        for body in ["", "{", "[]", "{}", r#"{"status":null}"#, r#"{"status":"Bob""#, "<html>Bob"] {
            let error = parse(body.as_bytes()).expect_err(body);
            assert!(!error.contains("Bob"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
