//! Rules: what no field of the contract can say about itself.
//!
//! A [`Rule`] looks at one account through [`crate::assemble::view`] and tells what is wrong as findings. Rules lie in
//! one file for each part of the account; what is the British industry's and not this target's is in [`industry`].
//! Where a rule is the target's, its id and its codes are too.
//!
//! A rule is bound once to what the mapping maps. If a field that it cannot do without is not mapped, the rule is
//! off, and [`RuleSet::off`] says so. What needs a list or a setting of the tenant's is in [`tenant`]; a project may
//! say otherwise how bad a rule's findings are ([`overrides`]). A value that has a finding already ([`Value::Faulty`]) makes a rule stay quiet
//! about whatever depends on it.

mod account_fields;
mod addresses;
mod agreement_cover;
mod agreement_terms;
mod agreements;
mod billed_to;
mod billing_ledgers;
pub mod book;
mod closings;
mod contacts;
mod customers;
mod exchanges;
pub mod industry;
mod ledger_fields;
mod links;
mod lists;
mod metadata;
mod metering;
mod never;
pub mod notices;
pub mod overrides;
mod payments;
mod people;
mod periods;
mod place;
mod point_fields;
mod reading_order;
pub mod register;
mod registers;
mod schedules;
mod serials;
mod shared_meters;
mod statements;
mod supply;
mod supply_charges;
pub mod tenant;
mod transfer_readings;

use std::collections::HashSet;

use chrono::NaiveDate;

use crate::assemble::view::{Row, Schema};
use crate::finding::{Cell, Finding, Severity};
use crate::tenant::Tenant;
use notices::Notices;
use overrides::Overrides;

/// What a rule needs to know beside the account.
#[derive(Clone, Copy, Debug)]
pub struct RuleContext {
    /// What "today" means to rules about the past and the future.
    pub run_date: NaiveDate,
}

/// A rule bound to a schema: it gets the account's own row and pushes what it finds.
pub type Check = Box<dyn Fn(Row<'_>, &RuleContext, &mut Vec<Finding>) + Send + Sync>;

/// One cross-field rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The rule's name, unique among all rules.
    pub id: &'static str,
    /// The codes its findings can have.
    pub codes: &'static [&'static str],
    /// The severity of its findings.
    pub severity: Severity,
    /// What it demands, in one sentence.
    pub doc: &'static str,
    /// Binds the rule to what the mapping maps; none if a field that it needs is not mapped.
    pub bind: fn(&Schema) -> Option<Check>,
}

/// A rule whose findings are errors.
const fn error(
    id: &'static str,
    codes: &'static [&'static str],
    doc: &'static str,
    bind: fn(&Schema) -> Option<Check>,
) -> Rule {
    Rule { id, codes, severity: Severity::Error, doc, bind }
}

/// A rule whose findings are warnings: what the target publishes about it can be read in two ways, or in part only.
const fn warning(
    id: &'static str,
    codes: &'static [&'static str],
    doc: &'static str,
    bind: fn(&Schema) -> Option<Check>,
) -> Rule {
    Rule { id, codes, severity: Severity::Warning, doc, bind }
}

/// All rules, in the order in which they are checked.
#[must_use]
pub fn all() -> Vec<Rule> {
    [
        contacts::RULES,
        addresses::RULES,
        customers::RULES,
        metadata::RULES,
        supply::RULES,
        agreements::RULES,
        agreement_cover::RULES,
        agreement_terms::RULES,
        registers::RULES,
        transfer_readings::RULES,
        billed_to::RULES,
        exchanges::RULES,
        shared_meters::RULES,
        serials::RULES,
        reading_order::RULES,
        billing_ledgers::RULES,
        closings::RULES,
        supply_charges::RULES,
        links::RULES,
        payments::RULES,
        periods::RULES,
        statements::RULES,
        account_fields::RULES,
        people::RULES,
        schedules::RULES,
        point_fields::RULES,
        ledger_fields::RULES,
        lists::UNIQUE,
        lists::RULES,
    ]
    .concat()
}

/// The rules that a mapping, and what is known of the tenant, make checkable.
pub struct RuleSet {
    on: Vec<(Severity, Check)>,
    off: Vec<&'static str>,
    of_mapping: usize,
    unchecked: Option<Finding>,
    notices: Notices,
}

impl RuleSet {
    /// All rules bound to `schema`, for a tenant of whom nothing is known.
    #[must_use]
    pub fn bind(schema: &Schema) -> Self {
        Self::bind_for(schema, &Tenant::default(), &Overrides::default())
    }

    /// All rules bound to `schema` for `tenant`, but those that `overrides` say are off.
    #[must_use]
    pub fn bind_for(schema: &Schema, tenant: &Tenant, overrides: &Overrides) -> Self {
        let (mut on, mut off) = (Vec::new(), Vec::new());
        for rule in all() {
            let Some(severity) = overrides.severity(rule.id, rule.severity) else { continue };
            match (rule.bind)(schema) {
                Some(check) => on.push((severity, check)),
                None => off.push(rule.id),
            }
        }
        let of_mapping = on.len() + off.len();
        for rule in tenant::all() {
            let Some(severity) = overrides.severity(rule.id, Severity::Error) else { continue };
            if rule.is_on(tenant)
                && let Some(check) = (rule.bind)(schema, tenant)
            {
                on.push((severity, check));
            }
        }
        let unchecked = tenant::unchecked(schema, tenant, overrides);
        Self { on, off, of_mapping, unchecked, notices: Notices::default() }
    }

    /// Checks one account and pushes errors and warnings to `out`. Notices are kept back, see [`RuleSet::notices`].
    pub fn check(&self, account: Row<'_>, context: &RuleContext, out: &mut Vec<Finding>) {
        for (severity, check) in &self.on {
            let before = out.len();
            check(account, context, out);
            for finding in &mut out[before..] {
                finding.severity = *severity;
            }
            if *severity == Severity::Notice {
                self.notices.extend(out.drain(before..));
            }
        }
        drop_less_specific(out);
    }

    /// The rules that are off, because the mapping lacks a field they need.
    #[must_use]
    pub fn off(&self) -> &[&'static str] {
        &self.off
    }

    /// How many rules depend on the mapping alone, on or off.
    #[must_use]
    pub fn of_mapping(&self) -> usize {
        self.of_mapping
    }

    /// A notice that names what is not checked for want of the tenant's lists and settings; none: all is.
    #[must_use]
    pub fn unchecked(&self) -> Option<&Finding> {
        self.unchecked.as_ref()
    }

    /// What all accounts checked so far gave cause to notice: one finding for each code and path, with the number of
    /// values and the first cell.
    #[must_use]
    pub fn notices(&self) -> Vec<Finding> {
        self.notices.findings()
    }
}

/// What the contract says of any field that must be there and is not.
const REQUIRED: &str = "required";

/// Drops what is told twice: that a required value is absent says less than an error at the same path, which can only be
/// about its absence too, and has the code that the target would answer with.
fn drop_less_specific(findings: &mut Vec<Finding>) {
    if !findings.iter().any(|finding| &*finding.code == REQUIRED) {
        return;
    }
    let is_told = |finding: &Finding| &*finding.code != REQUIRED && finding.severity == Severity::Error;
    let told: HashSet<String> =
        findings.iter().filter(|finding| is_told(finding)).map(|finding| finding.path.clone()).collect();
    findings.retain(|finding| &*finding.code != REQUIRED || !told.contains(&finding.path));
}

/// A finding whose severity is its rule's: [`RuleSet::check`] sets it.
fn finding(code: &'static str, path: String, message: impl Into<String>, cells: Vec<Cell>) -> Finding {
    Finding { code: code.into(), severity: Severity::Error, path, message: message.into(), cells }
}

/// `1 day`, `2 days`.
fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_and_more() {
        assert_eq!((days(1).as_str(), days(7).as_str()), ("1 day", "7 days"));
    }

    #[test]
    fn of_two_findings_about_one_absent_value_the_more_specific_stays() {
        let found = |code: &str, path: &str, severity| Finding {
            code: code.into(),
            severity,
            path: path.to_owned(),
            message: String::new(),
            cells: Vec::new(),
        };
        let left = |mut findings: Vec<Finding>| {
            drop_less_specific(&mut findings);
            findings.iter().map(|finding| format!("{} {}", finding.path, finding.code)).collect::<Vec<_>>()
        };
        let required = |path| found(REQUIRED, path, Severity::Error);
        assert_eq!(
            left(vec![required("a.0.id"), found("missing_id", "a.0.id", Severity::Error)]),
            ["a.0.id missing_id"]
        );
        // Elsewhere, or no reason to reject: both stay, or the account would go without its value.
        let elsewhere = vec![required("a.0.id"), found("missing_id", "a.1.id", Severity::Error)];
        assert_eq!(left(elsewhere), ["a.0.id required", "a.1.id missing_id"]);
        let odd = vec![required("a.0.id"), found("odd", "a.0.id", Severity::Warning)];
        assert_eq!(left(odd), ["a.0.id required", "a.0.id odd"]);
        assert_eq!(left(vec![required("a"), required("b")]), ["a required", "b required"]);
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_a_code_and_one_sentence() {
        let mut ids = HashSet::new();
        for rule in all() {
            assert!(ids.insert(rule.id), "{} twice", rule.id);
            assert!(!rule.codes.is_empty(), "{} has no code", rule.id);
            let snake = |code: &str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(rule.codes.iter().all(|code| snake(code)), "{}", rule.id);
            assert!(rule.doc.ends_with('.') && !rule.doc.contains('\n'), "{}", rule.id);
        }
    }
}
