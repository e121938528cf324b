//! From an outcome on the wire to what the ledger is told of it.

use crate::finding::{Finding, Severity};
use crate::ledger::state::Event;
use crate::ledger::submit::{RemoteStatus, Validation};
use crate::target::{CreateOutcome, RemoteFinding, StatusOutcome, ValidateOutcome};

use super::resume::remote_status;
use super::retry::Reply;

/// What an exchange came to, before it is written down.
pub(super) struct Told {
    pub(super) word: String,
    pub(super) reply: Reply,
    pub(super) event: Option<Event>,
    pub(super) status: Option<RemoteStatus>,
    pub(super) kraken_identifier: Option<String>,
    pub(super) validation: Option<Validation>,
    pub(super) findings: Vec<Finding>,
    pub(super) detail: Option<String>,
}

impl Told {
    fn new(word: &str, reply: Reply) -> Self {
        Self {
            word: word.to_owned(),
            reply,
            event: None,
            status: None,
            kraken_identifier: None,
            validation: None,
            findings: Vec::new(),
            detail: None,
        }
    }

    fn event(self, event: Event) -> Self {
        Self { event: Some(event), ..self }
    }

    fn findings(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    fn number(self, kraken_identifier: Option<String>) -> Self {
        Self { kraken_identifier, ..self }
    }

    fn detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    fn validation(self, validation: Validation) -> Self {
        Self { validation: Some(validation), ..self }
    }
}

/// What a create's outcome means.
pub(super) fn of_create(outcome: &CreateOutcome) -> Told {
    match outcome {
        CreateOutcome::Scheduled => Told::new("scheduled", Reply::Answered).event(Event::Scheduled),
        CreateOutcome::AlreadyImported { kraken_identifier } => Told::new("already_imported", Reply::Answered)
            .event(Event::AlreadyImported)
            .number(kraken_identifier.clone()),
        CreateOutcome::Refused(found) => {
            Told::new("refused", Reply::Answered).event(Event::Refused).findings(remote(found))
        }
        CreateOutcome::RefusedOpaque => {
            Told::new("refused_opaque", Reply::Answered).event(Event::Refused).findings(vec![unexplained()])
        }
        CreateOutcome::Throttled => Told::new("throttled", Reply::Throttled).event(Event::NotSent),
        CreateOutcome::Unauthorised => Told::new("unauthorised", Reply::Unauthorised).event(Event::NotSent),
        CreateOutcome::NotSent(why) => Told::new("not_sent", Reply::Failed).event(Event::NotSent).detail(why.clone()),
        CreateOutcome::Unknown(why) => Told::new("unknown", Reply::Failed).event(Event::Unclear).detail(why.clone()),
    }
}

/// What a validation's outcome means; `explains` says that it follows a create that was refused without a word.
pub(super) fn of_validate(outcome: &ValidateOutcome, explains: bool) -> Told {
    match outcome {
        // The create was refused all the same: the finding that says so stays.
        ValidateOutcome::Valid if explains => {
            Told::new("valid", Reply::Answered).validation(Validation::Valid).findings(vec![unexplained()])
        }
        ValidateOutcome::Valid => Told::new("valid", Reply::Answered).validation(Validation::Valid),
        ValidateOutcome::Refused(found) => {
            Told::new("refused", Reply::Answered).validation(Validation::Refused).findings(remote(found))
        }
        ValidateOutcome::AlreadyImported { .. } if explains => Told::new("already_imported", Reply::Answered)
            .validation(Validation::AlreadyImported)
            .findings(vec![imported_before()]),
        ValidateOutcome::AlreadyImported { .. } => {
            Told::new("already_imported", Reply::Answered).validation(Validation::AlreadyImported)
        }
        ValidateOutcome::Throttled => Told::new("throttled", Reply::Throttled),
        ValidateOutcome::Unauthorised => Told::new("unauthorised", Reply::Unauthorised),
        ValidateOutcome::Unavailable(why) => Told::new("unavailable", Reply::Failed).detail(why.clone()),
    }
}

/// What a status read shows; what it means for the account is for [`super::resume`] to say.
pub(super) fn of_status(outcome: &StatusOutcome) -> Told {
    match outcome {
        StatusOutcome::Found(found) => Told {
            status: Some(remote_status(found)),
            kraken_identifier: found.kraken_identifier.clone(),
            ..Told::new(found.status.as_str(), Reply::Answered)
        },
        StatusOutcome::NotFound => Told::new("not_found", Reply::Answered),
        StatusOutcome::Throttled => Told::new("throttled", Reply::Throttled),
        StatusOutcome::Unauthorised => Told::new("unauthorised", Reply::Unauthorised),
        StatusOutcome::Unavailable(why) => Told::new("unavailable", Reply::Failed).detail(why.clone()),
    }
}

/// The causes of a refusal, in short: codes, and paths without list positions; none if it is no refusal.
pub(super) fn causes(told: &Told) -> Option<String> {
    /// More are counted, not named.
    const NAMED: usize = 3;
    if told.event != Some(Event::Refused) && told.validation != Some(Validation::Refused) {
        return None;
    }
    let field = |path: &str| {
        path.split('.').filter(|part| part.is_empty() || part.parse::<u32>().is_err()).collect::<Vec<_>>().join(".")
    };
    let mut causes: Vec<String> = told
        .findings
        .iter()
        .map(|finding| match field(&finding.path).as_str() {
            "" => format!("`{}`", finding.code),
            path => format!("`{}` at {path}", finding.code),
        })
        .collect();
    causes.sort();
    causes.dedup();
    let more = causes.len().saturating_sub(NAMED);
    causes.truncate(NAMED);
    let causes = causes.join(", ");
    Some(if more > 0 { format!("{causes} and {more} more") } else { causes })
}

fn remote(found: &[RemoteFinding]) -> Vec<Finding> {
    found.iter().map(|f| finding(&f.path, f.code.as_deref(), f.message.clone())).collect()
}

/// A create refused without a word of why.
fn unexplained() -> Finding {
    finding("", Some("refused"), "the target refused the account without saying why".to_owned())
}

/// A create refused without a word, of an account that the target has already.
fn imported_before() -> Finding {
    finding(
        "",
        Some("account_import_process_already_imported"),
        "the target refused the create without saying why, and says now that the account was imported already"
            .to_owned(),
    )
}

/// A finding of the target's.
pub(super) fn finding(path: &str, code: Option<&str>, message: String) -> Finding {
    Finding {
        code: code.unwrap_or("refused").into(),
        severity: Severity::Error,
        path: path.to_owned(),
        message,
        cells: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_of_a_refusal_are_told_without_positions_and_messages() {
        let found = |path: &str, code: &str| RemoteFinding {
            path: path.to_owned(),
            code: Some(code.to_owned()),
            message: "some words".to_owned(),
        };
        let refused = CreateOutcome::Refused(vec![
            found("customers.1.landline", "invalid"),
            found("customers.0.landline", "invalid"),
            found("", "odd"),
        ]);
        assert_eq!(causes(&of_create(&refused)).as_deref(), Some("`invalid` at customers.landline, `odd`"));
        assert_eq!(causes(&of_create(&CreateOutcome::Scheduled)), None);
    }

    #[test]
    fn a_create_refused_without_a_word_is_never_left_without_a_reason() {
        let imported = || ValidateOutcome::AlreadyImported { kraken_identifier: None };
        for (outcome, code) in
            [(ValidateOutcome::Valid, "refused"), (imported(), "account_import_process_already_imported")]
        {
            let told = of_validate(&outcome, true);
            assert_eq!(told.findings.iter().map(|finding| &*finding.code).collect::<Vec<_>>(), [code]);
            assert!(of_validate(&outcome, false).findings.is_empty(), "before its create, nothing is wrong yet");
        }
    }
}
