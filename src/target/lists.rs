//! The v1 lists of a supplier's imports: what the target has, whoever sent it.
//!
//! A list comes whole, without pages or filters. The published examples nest the array once more than the schema
//! says; both forms are read.

use serde::Deserialize;

use super::outcome::{Answer, BodyEnd, NoAnswer};

/// How much of a list is read: some two million accounts. A longer one is told as unavailable, never as whole.
pub(super) const MAX_LIST_BYTES: usize = 256 << 20;

/// Which imports a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportList {
    /// Staged; there is no account yet.
    Pending,
    /// The account exists.
    Imported,
    /// Both.
    All,
}

impl ImportList {
    /// The path below the API's v1, without the supplier.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Pending => "/v1/data-import/pending-account-import-processes/",
            Self::Imported => "/v1/data-import/imported-account-import-processes/",
            Self::All => "/v1/data-import/all-account-import-processes/",
        }
    }
}

/// One import of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedImport {
    /// The losing supplier's account number.
    pub external_account_number: String,
    /// The number at the target; none while there is no account yet.
    #[serde(default)]
    pub kraken_account_number: Option<String>,
    /// ISO 8601 with an offset, as it came; none while there is no account yet.
    #[serde(default)]
    pub account_created_at: Option<String>,
}

/// What the reading of a list told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListOutcome {
    /// The whole list.
    Found(Vec<ListedImport>),
    /// The target does not serve this list, or not to this key. Says with which status.
    NotServed(String),
    /// Too many requests.
    Throttled,
    /// The credentials were refused.
    Unauthorised,
    /// No usable answer. Says what happened.
    Unavailable(String),
}

/// What a list's exchange told us.
///
/// | the list gets | outcome |
/// | --- | --- |
/// | 200 with a whole list | `Found` |
/// | 403, 404, 405, 410, 501 | `NotServed`: v1 is gone here, or not for this key |
/// | 401 | `Unauthorised` |
/// | 429 | `Throttled` |
/// | anything else | `Unavailable` |
pub(super) fn classify(result: &Result<Answer, NoAnswer>) -> ListOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(reason) | NoAnswer::Doubtful(reason)) => {
            return ListOutcome::Unavailable(reason.clone());
        }
    };
    match (answer.status, &answer.end) {
        (200, BodyEnd::Whole) => match parse(&answer.body) {
            Some(list) => ListOutcome::Found(list),
            None => ListOutcome::Unavailable("HTTP 200, but its body is no list of imports".to_owned()),
        },
        (403 | 404 | 405 | 410 | 501, _) => ListOutcome::NotServed(answer.describe()),
        (401, _) => ListOutcome::Unauthorised,
        (429, _) => ListOutcome::Throttled,
        _ => ListOutcome::Unavailable(answer.describe()),
    }
}

fn parse(body: &[u8]) -> Option<Vec<ListedImport>> {
    if let Ok(flat) = serde_json::from_slice(body) {
        return Some(flat);
    }
    let nested: Vec<Vec<ListedImport>> = serde_json::from_slice(body).ok()?;
    Some(nested.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        let answer = Answer { status, retry_after: None, body: body.as_bytes().to_vec(), end: BodyEnd::Whole };
        if status == 0 { Err(NoAnswer::NotSent("refused".into())) } else { Ok(answer) }
    }

    #[test]
    fn a_list_is_read_in_both_published_forms() {
        let one = r#"{"external_account_number":"1","kraken_account_number":"A-1","account_created_at":"2026-01-01T00:00:00+00:00"}"#;
        let other = r#"{"external_account_number":"2","kraken_account_number":null}"#;
        for body in [format!("[{one},{other}]"), format!("[[{one},{other}]]")] {
            let ListOutcome::Found(list) = classify(&answer(200, &body)) else { panic!("{body}") };
            let told: Vec<_> =
                list.iter().map(|i| (&*i.external_account_number, i.kraken_account_number.as_deref())).collect();
            assert_eq!(told, [("1", Some("A-1")), ("2", None)]);
        }
        assert_eq!(classify(&answer(200, "[]")), ListOutcome::Found(Vec::new()));
    }

    #[test]
    fn what_is_no_list_is_never_taken_for_an_empty_one() {
        for body in ["", "{}", "[1]", "[{\"external_account_number\":\"Bob\"", "<html>"] {
            let outcome = classify(&answer(200, body));
            assert!(matches!(&outcome, ListOutcome::Unavailable(why) if !why.contains("Bob")), "{outcome:?}");
        }
        for status in [403, 404, 405, 410, 501] {
            assert!(matches!(classify(&answer(status, "")), ListOutcome::NotServed(_)), "{status}");
        }
        assert_eq!(classify(&answer(401, "")), ListOutcome::Unauthorised);
        assert_eq!(classify(&answer(429, "")), ListOutcome::Throttled);
        for status in [0, 302, 500, 503] {
            assert!(matches!(classify(&answer(status, "[]")), ListOutcome::Unavailable(_)), "{status}");
        }
        let long = Answer { status: 200, retry_after: None, body: b"[]".to_vec(), end: BodyEnd::TooLong };
        assert!(matches!(classify(&Ok(long)), ListOutcome::Unavailable(_)));
    }
}
