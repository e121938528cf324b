//! What the project says of rules' severities, as every summary tells it.

use std::fmt;

use serde::Serialize;

use crate::rules::overrides::{Overrides, is_guard};

/// A rule whose severity the project says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Overridden {
    rule: String,
    /// `error`, `warning`, `notice` or `off`.
    severity: &'static str,
    /// The rule guards against billing a household twice.
    is_guard: bool,
}

/// The overrides of a project, in the order of their rules.
pub(super) fn of(overrides: &Overrides) -> Vec<Overridden> {
    let told = |(rule, is): (&&'static str, &crate::rules::overrides::Override)| Overridden {
        rule: (*rule).to_owned(),
        severity: is.as_str(),
        is_guard: is_guard(rule),
    };
    overrides.0.iter().map(told).collect()
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.rule, self.severity)?;
        if self.is_guard && self.severity != "error" {
            f.write_str(": a household may be billed twice")?;
        }
        Ok(())
    }
}
