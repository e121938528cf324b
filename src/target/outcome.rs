//! From an exchange to its outcome. Pure: no clock, no socket.
//!
//! | create gets | outcome |
//! | --- | --- |
//! | no connection | `NotSent` |
//! | timeout, reset or broken connection after that | `Unknown` |
//! | 201, whatever its body | `Scheduled` |
//! | 400 | `AlreadyImported`, `RefusedOpaque` or `Refused`, by its body; broken off: `Unknown` |
//! | 409, 413, 414, 415, 422, 431 | `Refused`: this very request was turned down |
//! | 401, 403 | `Unauthorised` |
//! | 429 | `Throttled` |
//! | anything else (200, redirects, 404, 5xx, …) | `Unknown` |
//!
//! Validate and status create nothing, so what is doubtful for a create is merely `Unavailable` for them: ask again.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::reply::{self, Refusal, RemoteFinding};
use super::scrub::Scrubber;
use super::status::{self, ImportStatus};

/// What a create told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// Accepted; the creation is scheduled.
    Scheduled,
    /// The account exists already, created by us or by somebody else.
    AlreadyImported {
        /// The Kraken account number, if the reply names it.
        kraken_identifier: Option<String>,
    },
    /// Refused, and why.
    Refused(Vec<RemoteFinding>),
    /// Refused without saying why: a validate of the same payload tells.
    RefusedOpaque,
    /// Too many requests; nothing took effect.
    Throttled,
    /// The credentials were refused; nothing took effect.
    Unauthorised,
    /// Surely nothing arrived. Says why.
    NotSent(String),
    /// It may have taken effect. Says what happened.
    Unknown(String),
}

/// What a validate told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidateOutcome {
    /// The payload would be accepted.
    Valid,
    /// It would be refused, and why.
    Refused(Vec<RemoteFinding>),
    /// The account exists already.
    AlreadyImported {
        /// The Kraken account number, if the reply names it.
        kraken_identifier: Option<String>,
    },
    /// Too many requests.
    Throttled,
    /// The credentials were refused.
    Unauthorised,
    /// No usable answer. Says what happened.
    Unavailable(String),
}

/// What a status read told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusOutcome {
    /// The import exists and stands like this.
    Found(ImportStatus),
    /// The target says itself that it knows no such import (a proxy's 404 does not count).
    NotFound,
    /// Too many requests.
    Throttled,
    /// The credentials were refused.
    Unauthorised,
    /// No usable answer. Says what happened.
    Unavailable(String),
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// Not a byte of the request left this machine's hands.
    NotSent(String),
    /// The request, or a part of it, may have arrived.
    Doubtful(String),
}

/// An answer, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
    pub(super) end: BodyEnd,
}

/// How the reading of a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    Whole,
    /// Longer than the limit; the rest is unread.
    TooLong,
    /// It broke off.
    Broken(String),
}

impl Answer {
    /// The status and what is odd about the body, for outcomes that are no answers.
    pub(super) fn describe(&self) -> String {
        match &self.end {
            BodyEnd::Whole => format!("HTTP {}", self.status),
            BodyEnd::TooLong => format!("HTTP {} with a body longer than the limit", self.status),
            BodyEnd::Broken(reason) => format!("HTTP {} with a body that broke off: {reason}", self.status),
        }
    }
}

/// What a create's exchange told us; messages are scrubbed of the values of `payload`.
pub(super) fn classify_create(result: &Result<Answer, NoAnswer>, payload: &[u8]) -> CreateOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(reason)) => return CreateOutcome::NotSent(reason.clone()),
        Err(NoAnswer::Doubtful(reason)) => return CreateOutcome::Unknown(reason.clone()),
    };
    match (answer.status, &answer.end) {
        (201, _) => CreateOutcome::Scheduled,
        (401 | 403, _) => CreateOutcome::Unauthorised,
        (429, _) => CreateOutcome::Throttled,
        (400, BodyEnd::Whole | BodyEnd::TooLong) => match refusal(answer, payload) {
            Refusal::AlreadyImported { kraken_identifier } => CreateOutcome::AlreadyImported { kraken_identifier },
            Refusal::Opaque(_) => CreateOutcome::RefusedOpaque,
            Refusal::Findings(findings) => CreateOutcome::Refused(findings),
        },
        (409 | 413 | 414 | 415 | 422 | 431, _) => CreateOutcome::Refused(refusal(answer, payload).into_findings()),
        _ => CreateOutcome::Unknown(answer.describe()),
    }
}

/// What a validate's exchange told us; messages are scrubbed of the values of `payload`.
pub(super) fn classify_validate(result: &Result<Answer, NoAnswer>, payload: &[u8]) -> ValidateOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(reason) | NoAnswer::Doubtful(reason)) => {
            return ValidateOutcome::Unavailable(reason.clone());
        }
    };
    match (answer.status, &answer.end) {
        (200, _) => ValidateOutcome::Valid,
        (401 | 403, _) => ValidateOutcome::Unauthorised,
        (429, _) => ValidateOutcome::Throttled,
        (400, BodyEnd::Whole | BodyEnd::TooLong) => match refusal(answer, payload) {
            Refusal::AlreadyImported { kraken_identifier } => ValidateOutcome::AlreadyImported { kraken_identifier },
            other => ValidateOutcome::Refused(other.into_findings()),
        },
        (413 | 414 | 415 | 422 | 431, _) => ValidateOutcome::Refused(refusal(answer, payload).into_findings()),
        _ => ValidateOutcome::Unavailable(answer.describe()),
    }
}

/// What a status read's exchange told us.
pub(super) fn classify_status(result: &Result<Answer, NoAnswer>) -> StatusOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(reason) | NoAnswer::Doubtful(reason)) => {
            return StatusOutcome::Unavailable(reason.clone());
        }
    };
    match (answer.status, &answer.end) {
        (200, BodyEnd::Whole) => match status::parse(&answer.body) {
            Ok(found) => StatusOutcome::Found(found),
            Err(reason) => StatusOutcome::Unavailable(format!("HTTP 200, but {reason}")),
        },
        (404, BodyEnd::Whole) if reply::is_not_found(&answer.body) => StatusOutcome::NotFound,
        (404, BodyEnd::Whole) => {
            StatusOutcome::Unavailable("HTTP 404 without the target's own `not_found`: is the url right?".to_owned())
        }
        (401 | 403, _) => StatusOutcome::Unauthorised,
        (429, _) => StatusOutcome::Throttled,
        _ => StatusOutcome::Unavailable(answer.describe()),
    }
}

/// The refusal in an answer, scrubbed. A status other than 400 that says nothing of its own is named.
fn refusal(answer: &Answer, payload: &[u8]) -> Refusal {
    let mut refusal = reply::parse(&answer.body);
    if let Refusal::Findings(findings) | Refusal::Opaque(findings) = &mut refusal {
        let scrubber = Scrubber::of(payload);
        for finding in findings {
            finding.message = scrubber.scrub(&finding.message);
            if answer.status != 400 {
                finding.message = format!("HTTP {}: {}", answer.status, finding.message);
            }
        }
    }
    refusal
}

/// The wait that a `Retry-After` header asks for at `now`: seconds, or an HTTP date (past: no wait). None if it is
/// neither.
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::from(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    const PAYLOAD: &[u8] = br#"{"customers":[{"landline":"abcde","given_name":"Bob"}]}"#;

    #[expect(clippy::unnecessary_wraps, reason = "the tables mix answers and their absence")]
    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer { status, retry_after: None, body: body.as_bytes().to_vec(), end: BodyEnd::Whole })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the tables mix answers and their absence")]
    fn broken(status: u16) -> Result<Answer, NoAnswer> {
        let end = BodyEnd::Broken("connection reset".to_owned());
        Ok(Answer { status, retry_after: None, body: b"{\"custo".to_vec(), end })
    }

    fn kind(outcome: &CreateOutcome) -> &'static str {
        match outcome {
            CreateOutcome::Scheduled => "scheduled",
            CreateOutcome::AlreadyImported { .. } => "already imported",
            CreateOutcome::Refused(_) => "refused",
            CreateOutcome::RefusedOpaque => "opaque",
            CreateOutcome::Throttled => "throttled",
            CreateOutcome::Unauthorised => "unauthorised",
            CreateOutcome::NotSent(_) => "not sent",
            CreateOutcome::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn creates_are_classified_as_the_table_says() {
        let imported = r#"{"non_field_errors":{"detail":"x","code":"account_import_process_already_imported"},"account_id":"A-1"}"#;
        let opaque =
            r#"{"code":"import_process_failed_validation","detail":"call validate","domain":"import_process"}"#;
        let nested = r#"{"customers":{"0":{"landline":["abcde is not a valid phone number"]}}}"#;
        for (result, expected) in [
            (Err(NoAnswer::NotSent("refused".to_owned())), "not sent"),
            (Err(NoAnswer::Doubtful("timeout".to_owned())), "unknown"),
            (answer(201, ""), "scheduled"),
            (answer(201, "{}"), "scheduled"),
            (answer(201, "<html>"), "scheduled"),
            (broken(201), "scheduled"),
            (answer(200, "{}"), "unknown"),
            (answer(202, ""), "unknown"),
            (answer(204, ""), "unknown"),
            (answer(301, ""), "unknown"),
            (answer(400, nested), "refused"),
            (answer(400, imported), "already imported"),
            (answer(400, opaque), "opaque"),
            (answer(400, "<html>Bad Request</html>"), "refused"),
            (answer(400, ""), "refused"),
            (broken(400), "unknown"),
            (answer(401, "{}"), "unauthorised"),
            (broken(403), "unauthorised"),
            (answer(404, r#"{"code":"not_found","detail":"x"}"#), "unknown"),
            (answer(405, ""), "unknown"),
            (answer(408, ""), "unknown"),
            (answer(413, "<html>"), "refused"),
            (answer(422, nested), "refused"),
            (answer(429, ""), "throttled"),
            (answer(500, "{}"), "unknown"),
            (answer(502, "<html>"), "unknown"),
            (answer(503, "<html>"), "unknown"),
            (answer(504, ""), "unknown"),
        ] {
            assert_eq!(kind(&classify_create(&result, PAYLOAD)), expected, "{result:?}");
        }
    }

    #[test]
    fn an_answer_that_is_too_long_is_still_an_answer() {
        let long = Ok(Answer { status: 400, retry_after: None, body: b"{\"a\":[".to_vec(), end: BodyEnd::TooLong });
        assert_eq!(kind(&classify_create(&long, PAYLOAD)), "refused");
    }

    #[test]
    fn messages_leave_without_the_payload_values() {
        let nested = answer(400, r#"{"customers":{"0":{"landline":["abcde is not a valid phone number"]}}}"#);
        let expected = vec![RemoteFinding {
            path: "customers.0.landline".to_owned(),
            code: None,
            message: "‹…› is not a valid phone number".to_owned(),
        }];
        assert_eq!(classify_create(&nested, PAYLOAD), CreateOutcome::Refused(expected.clone()));
        assert_eq!(classify_validate(&nested, PAYLOAD), ValidateOutcome::Refused(expected));
    }

    #[test]
    fn validates_are_classified() {
        let opaque =
            r#"{"code":"import_process_failed_validation","detail":"call validate","domain":"import_process"}"#;
        for body in ["", "{}", "anything"] {
            assert_eq!(classify_validate(&answer(200, body), PAYLOAD), ValidateOutcome::Valid);
        }
        assert_eq!(classify_validate(&answer(429, ""), PAYLOAD), ValidateOutcome::Throttled);
        assert_eq!(classify_validate(&answer(401, ""), PAYLOAD), ValidateOutcome::Unauthorised);
        assert!(
            matches!(classify_validate(&answer(400, opaque), PAYLOAD), ValidateOutcome::Refused(f) if f.len() == 1)
        );
        for status in [201, 302, 404, 500, 503] {
            let outcome = classify_validate(&answer(status, ""), PAYLOAD);
            assert!(matches!(&outcome, ValidateOutcome::Unavailable(_)), "{status} {outcome:?}");
        }
        assert!(matches!(classify_validate(&broken(400), PAYLOAD), ValidateOutcome::Unavailable(_)));
        let nothing = Err(NoAnswer::NotSent("refused".to_owned()));
        assert_eq!(classify_validate(&nothing, PAYLOAD), ValidateOutcome::Unavailable("refused".to_owned()));
    }

    #[test]
    fn only_the_targets_own_404_means_not_found() {
        let own = r#"{"detail":"The requested resource was not found.","code":"not_found"}"#;
        assert_eq!(classify_status(&answer(404, own)), StatusOutcome::NotFound);
        for (status, body) in
            [(404, "<html>"), (404, "{}"), (404, ""), (200, "{}"), (200, "<html>"), (500, own), (302, "")]
        {
            let outcome = classify_status(&answer(status, body));
            assert!(matches!(&outcome, StatusOutcome::Unavailable(_)), "{status} {body} {outcome:?}");
        }
        assert!(matches!(classify_status(&broken(200)), StatusOutcome::Unavailable(_)));
        assert!(matches!(classify_status(&broken(404)), StatusOutcome::Unavailable(_)));
        assert_eq!(classify_status(&answer(403, "")), StatusOutcome::Unauthorised);
        assert_eq!(classify_status(&answer(429, "")), StatusOutcome::Throttled);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Utc.with_ymd_and_hms(2015, 10, 21, 7, 27, 30).unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
