//! Rules that need to know the tenant: its lists, or how it has set up the import.
//!
//! Without the list or the setting a rule is not checked, and a build says once what is not ([`unchecked`]): a value
//! that is on no list anybody has loaded is no error. With it, a finding is an error like any other.

mod agents;
mod details;
mod known;
mod people;
mod periods;
mod rates;
mod switches;
mod tariffs;

use std::collections::BTreeSet;

use super::overrides::Overrides;
use super::{Check, finding};
use crate::assemble::view::Schema;
use crate::finding::{Finding, Severity};
use crate::tenant::{ListKind, Setting, Settings, Tenant};

/// What a rule cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The list.
    List(ListKind),
    /// This column of the list.
    Column(ListKind, &'static str),
    /// The setting.
    Setting(Setting),
}

impl Need {
    /// Whether `tenant` has it.
    #[must_use]
    pub fn is_met(self, tenant: &Tenant) -> bool {
        match self {
            Self::List(kind) => tenant.list(kind).is_some(),
            Self::Column(kind, column) => tenant.list(kind).is_some_and(|list| list.has(column)),
            Self::Setting(setting) => setting.has_default() || tenant.settings.is_set(setting),
        }
    }

    /// Whether it is a setting.
    #[must_use]
    pub fn is_setting(self) -> bool {
        matches!(self, Self::Setting(_))
    }

    /// The key that would bring it.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::List(kind) => format!("reference.{}", kind.key()),
            Self::Column(kind, column) => format!("column {column} of reference.{}", kind.key()),
            Self::Setting(setting) => format!("target.settings.{}", setting.key()),
        }
    }
}

/// A rule that needs to know the tenant. Its findings are errors.
#[derive(Clone, Copy, Debug)]
pub struct TenantRule {
    /// The rule's name, unique among all rules.
    pub id: &'static str,
    /// The codes its findings can have.
    pub codes: &'static [&'static str],
    /// What it demands, in one sentence.
    pub doc: &'static str,
    /// What it needs to know; nothing of what it can do without.
    pub needs: &'static [Need],
    /// The fields or entities it judges: if none of them is mapped, nobody misses the rule.
    pub reads: &'static [&'static str],
    /// Whether it demands anything of a tenant with these settings.
    applies: fn(&Settings) -> bool,
    /// Whether it checks something even without what it needs.
    pub is_partial_without: bool,
    /// Binds the rule to what the mapping maps and the tenant has; none if a field that it needs is not mapped.
    pub(super) bind: fn(&Schema, &Tenant) -> Option<Check>,
}

/// What becomes of a rule for a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is checked.
    On,
    /// It is checked for what it can do without this.
    Partial(Need),
    /// It is not checked for want of this.
    Needs(Need),
    /// The tenant's settings are such that it demands nothing.
    Idle,
}

impl TenantRule {
    /// What becomes of it for `tenant`.
    #[must_use]
    pub fn standing(&self, tenant: &Tenant) -> Standing {
        match self.needs.iter().find(|need| !need.is_met(tenant)) {
            Some(need) if self.is_partial_without => Standing::Partial(*need),
            Some(need) => Standing::Needs(*need),
            None if (self.applies)(&tenant.settings) => Standing::On,
            None => Standing::Idle,
        }
    }

    /// Whether it is checked for `tenant`, in part at least.
    pub(super) fn is_on(&self, tenant: &Tenant) -> bool {
        matches!(self.standing(tenant), Standing::On | Standing::Partial(_))
    }
}

/// A rule that needs lists.
const fn listed(
    id: &'static str,
    codes: &'static [&'static str],
    doc: &'static str,
    needs: &'static [Need],
    reads: &'static [&'static str],
    bind: fn(&Schema, &Tenant) -> Option<Check>,
) -> TenantRule {
    TenantRule { id, codes, doc, needs, reads, applies: |_| true, is_partial_without: false, bind }
}

/// A rule that a setting switches on.
const fn switched(
    id: &'static str,
    codes: &'static [&'static str],
    doc: &'static str,
    needs: &'static [Need],
    reads: &'static [&'static str],
    applies: fn(&Settings) -> bool,
    bind: fn(&Schema, &Tenant) -> Option<Check>,
) -> TenantRule {
    TenantRule { id, codes, doc, needs, reads, applies, is_partial_without: false, bind }
}

/// All rules that need to know the tenant, in the order in which they are checked.
#[must_use]
pub fn all() -> Vec<TenantRule> {
    [
        known::RULES,
        people::RULES,
        tariffs::RULES,
        rates::RULES,
        details::RULES,
        agents::RULES,
        switches::RULES,
        periods::RULES,
    ]
    .concat()
}

/// The paths whose values the contract only compares with what the tenant published, and the list that knows better.
const GOVERNED: &[(&str, ListKind)] = &[
    ("account_campaigns.campaign_name", ListKind::Campaigns),
    ("account_campaigns.slug", ListKind::Campaigns),
    ("import_supplier", ListKind::ImportSuppliers),
];

/// Whether a loaded list judges the values at `path`, so that what the contract has published of it is out of date.
#[must_use]
pub fn is_governed(tenant: &Tenant, path: &str) -> bool {
    GOVERNED.iter().any(|(governed, kind)| *governed == path && tenant.list(*kind).is_some())
}

/// A notice that names what is not checked of what is mapped; none: everything is.
pub(super) fn unchecked(schema: &Schema, tenant: &Tenant, overrides: &Overrides) -> Option<Finding> {
    let is_mapped = |path: &&str| schema.field(path).is_some() || schema.entity(path).is_some();
    let (mut keys, mut rules) = (BTreeSet::new(), 0);
    for rule in all() {
        let missing = match rule.standing(tenant) {
            Standing::Needs(need) | Standing::Partial(need) => need,
            Standing::On | Standing::Idle => continue,
        };
        if overrides.severity(rule.id, Severity::Error).is_some() && rule.reads.iter().any(is_mapped) {
            keys.insert(missing.key());
            rules += 1;
        }
    }
    (rules > 0).then(|| Finding {
        severity: Severity::Notice,
        ..finding(
            "tenant_not_known",
            String::new(),
            format!(
                "{rules} rules about mapped fields are not checked for want of {}; `slipway schema rules` tells which",
                keys.into_iter().collect::<Vec<_>>().join(", ")
            ),
            Vec::new(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_says_what_it_needs_and_reads() {
        for rule in all() {
            assert!(!rule.needs.is_empty() && !rule.reads.is_empty(), "{}", rule.id);
            assert!(!rule.codes.is_empty() && rule.doc.ends_with('.') && !rule.doc.contains('\n'), "{}", rule.id);
            for need in rule.needs {
                if let Need::Column(kind, column) = need {
                    assert!(kind.columns().iter().any(|known| known.name == *column), "{}: {column}", rule.id);
                }
            }
        }
    }

    #[test]
    fn every_list_and_setting_switches_something_on() {
        let needs: Vec<Need> = all().iter().flat_map(|rule| rule.needs).copied().collect();
        for kind in ListKind::ALL {
            let is_needed = |need: &Need| matches!(need, Need::List(k) | Need::Column(k, _) if k == kind);
            assert!(needs.iter().any(is_needed), "{}", kind.key());
        }
        for setting in Setting::ALL {
            assert!(needs.contains(&Need::Setting(*setting)), "{}", setting.key());
        }
    }

    #[test]
    fn what_a_rule_reads_is_in_the_contract() {
        let contract = crate::contract::Contract::built_in().unwrap();
        for rule in all() {
            for path in rule.reads {
                assert!(contract.field(path).is_some(), "{}: {path}", rule.id);
            }
        }
    }

    #[test]
    fn without_a_list_a_rule_stands_by_and_with_it_it_is_on() {
        let rule = all().into_iter().find(|rule| rule.id == "tpr-known").unwrap();
        let need = Need::List(ListKind::Tprs);
        assert_eq!(rule.standing(&Tenant::default()), Standing::Needs(need));
        let tenant = Tenant::default().with(ListKind::Tprs, "code\n00001\n").unwrap();
        assert_eq!(rule.standing(&tenant), Standing::On);
        assert_eq!(need.key(), "reference.tprs");
    }
}
