//! `[rules]`: what a project says of a rule's severity, in place of the rule itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{all, book, tenant};
use crate::finding::Severity;

/// What a project makes of a rule's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// They reject the account.
    Error,
    /// They are told.
    Warning,
    /// They are told once a run.
    Notice,
    /// There are none: the rule is not checked.
    Off,
}

impl Override {
    /// The severity; none: off.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Notice => Some(Severity::Notice),
            Self::Off => None,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.severity().map_or("off", Severity::as_str)
    }
}

/// The overrides of a project, by the rule's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(pub BTreeMap<&'static str, Override>);

impl Overrides {
    /// The severity that the findings of `rule` have; none: it is off.
    #[must_use]
    pub fn severity(&self, rule: &str, own: Severity) -> Option<Severity> {
        self.0.get(rule).map_or(Some(own), |is| is.severity())
    }
}

/// The ids of all rules that are checked here and can be overridden.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let own = all().into_iter().map(|rule| rule.id);
    let tenants = tenant::all().into_iter().map(|rule| rule.id);
    own.chain(tenants).chain(book::RULES.iter().map(|rule| rule.id))
}

/// The id that `name` spells, if it is one.
#[must_use]
pub fn id(name: &str) -> Option<&'static str> {
    ids().find(|id| *id == name)
}

/// Whether `rule` guards against billing a household twice: an override of it is told wherever results are.
#[must_use]
pub fn is_guard(rule: &str) -> bool {
    matches!(rule, "supply-point-in-two-accounts" | "supply-point-sent-before" | "meter-points-unique")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_one_id_of_its_own_that_an_override_can_name() {
        let all: Vec<&str> = ids().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
        assert_eq!(id("supply-point-in-two-accounts"), Some("supply-point-in-two-accounts"));
        assert_eq!(id("supply-point-in-two-account"), None);
        assert!(ids().filter(|id| is_guard(id)).count() == 3);
    }

    #[test]
    fn an_override_takes_the_place_of_the_rules_own_severity() {
        let overrides = Overrides([("a", Override::Off), ("b", Override::Warning)].into());
        assert_eq!(overrides.severity("a", Severity::Error), None);
        assert_eq!(overrides.severity("b", Severity::Error), Some(Severity::Warning));
        assert_eq!(overrides.severity("c", Severity::Notice), Some(Severity::Notice));
    }
}
