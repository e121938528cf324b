//! The register of rules: every rule the target publishes and slipway's own, and what becomes of each.
//!
//! The target's ids, codes and classes are facts of its own and lie in `data/edf-gb-rules.csv`; what is checked follows
//! from [`super::all`], so that a rule nobody wrote shows as missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::overrides::{Override, Overrides};
use super::tenant::{Standing, TenantRule};
use super::{Rule, Schema, all, book, tenant};
use crate::finding::Severity;
use crate::tenant::Tenant;

const PUBLISHED: &str = include_str!("data/edf-gb-rules.csv");

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is checked, where the mapping maps what it reads.
    On,
    /// It is checked in part: some of its cases are left to the target.
    Partial,
    /// It could be checked and is not yet: the target alone finds it.
    Missing,
    /// It needs a list of the tenant's, and is not checked.
    Reference,
    /// It depends on the tenant's settings, and is not checked.
    Config,
    /// Only the target can know.
    Server,
    /// The target changes a value, and refuses nothing.
    Normalise,
    /// It reads fields that this contract does not have.
    Unreachable,
    /// It is about the request around the payload.
    Wrapper,
    /// The tenant's settings are such that it demands nothing.
    Idle,
    /// The project says that it is not checked.
    Off,
    /// The mapping maps none of what it reads: there is nothing to check.
    Unmapped,
}

/// Rules that are checked for some of what they say, with what is left out.
const PARTIAL: &[(&str, &str)] = &[
    ("address-object-shape", "the two forms of the street; what a country asks beyond them is not published"),
    (
        "business-contract-id-present",
        "where an agreement names a contract; else only the tenant knows that there is one",
    ),
    ("business-user-matches-customer", "pairs with one e-mail address; how the target pairs them is not published"),
    ("exchange-lbtd", "exchanges after the day that was last billed to; those before it are billed"),
    ("exchange-readings", "exchanges after the day that was last billed to; those before it are billed"),
    (
        "gas-transfer-reading-single",
        "meters that were installed by the day last billed to; later ones cannot have been read then",
    ),
    ("lbtd-present", "active meters with a billed reading; what else makes a meter billed is not published"),
    ("plan-or-schedule-per-ledger", "schedules that name no ledger, or all of an account with one: plans name none"),
    (
        "twin-element-only-duplicates",
        "a serial number at several points; what makes a twin-element meter is not published",
    ),
    ("user-detail-valid", "the list of details, not the older object of them"),
    ("mpid-known", "by the fuel, not the part that a participant plays"),
    ("business-info-needed", "the business's name beside its contracts"),
    ("rate-override-band-known", "the rate, not a period"),
];

/// A rule as the register tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The rule's name.
    pub id: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// The severity of its findings; none if it is not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether the target publishes it; else it is slipway's own.
    pub published: bool,
    /// The codes its findings can have.
    pub codes: Vec<&'static str>,
    /// What it demands; empty if it is not checked.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub doc: &'static str,
    /// What is left to the target of a rule that is checked in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<&'static str>,
    /// The key of the list or the setting for want of which it is not checked, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What the project says of its severity.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<&'static str>,
}

/// All rules, by name.
#[derive(Clone, Debug, Serialize)]
pub struct Register {
    /// How many there are of each status.
    pub statuses: BTreeMap<Status, usize>,
    /// The rules.
    pub rules: Vec<Entry>,
}

impl Register {
    /// The register of this program, for a tenant of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&Tenant::default(), &Overrides::default())
    }

    /// The register for `tenant`, as a project says it.
    #[must_use]
    pub fn of(tenant: &Tenant, overrides: &Overrides) -> Self {
        let own = all().into_iter().map(|rule| checked(&rule));
        let tenants = tenant::all().into_iter().map(|rule| of_tenant(&rule, tenant));
        let across = book::RULES.iter().map(of_book);
        let mut written: BTreeMap<&str, Entry> =
            own.chain(tenants).chain(across).map(|entry| (entry.id, entry)).collect();
        let mut rules: Vec<Entry> = published()
            .map(|(id, class, codes)| match written.remove(id) {
                Some(rule) => Entry { published: true, ..rule },
                None => Entry {
                    id,
                    status: unchecked(class),
                    severity: None,
                    published: true,
                    codes: codes.split_whitespace().collect(),
                    doc: "",
                    left: None,
                    needs: None,
                    overridden: None,
                },
            })
            .collect();
        rules.extend(written.into_values());
        rules.sort_by_key(|rule| rule.id);
        for rule in &mut rules {
            if let Some(is) = overrides.0.get(rule.id) {
                rule.overridden = Some(is.as_str());
                rule.severity = is.severity();
                rule.status = if *is == Override::Off { Status::Off } else { rule.status };
            }
        }
        let statuses = by_status(&rules);
        Self { statuses, rules }
    }

    /// The same for a mapping: rules that cannot be bound to its `schema` are told as such.
    #[must_use]
    pub fn for_mapping(mut self, schema: &Schema, tenant: &Tenant) -> Self {
        let own = all().into_iter().filter(|rule| (rule.bind)(schema).is_none()).map(|rule| rule.id);
        let tenants = tenant::all().into_iter().filter(|rule| (rule.bind)(schema, tenant).is_none());
        let unmapped: BTreeSet<&str> = own.chain(tenants.map(|rule| rule.id)).collect();
        let checked = |rule: &&mut Entry| matches!(rule.status, Status::On | Status::Partial);
        for rule in self.rules.iter_mut().filter(checked).filter(|rule| unmapped.contains(rule.id)) {
            (rule.status, rule.severity, rule.left) = (Status::Unmapped, None, None);
        }
        self.statuses = by_status(&self.rules);
        self
    }

    /// What is known of the rules whose findings have `code`: `tpr-known needs reference.tprs`.
    #[must_use]
    pub fn rules_of(&self, code: &str) -> Vec<String> {
        let of_code = self.rules.iter().filter(|rule| rule.codes.contains(&code));
        of_code
            .map(|rule| match &rule.needs {
                Some(needs) => format!("{} needs {needs}", rule.id),
                None => format!("{} is {}", rule.id, rule.status),
            })
            .collect()
    }
}

fn by_status(rules: &[Entry]) -> BTreeMap<Status, usize> {
    let mut statuses = BTreeMap::new();
    for rule in rules {
        *statuses.entry(rule.status).or_default() += 1;
    }
    statuses
}

impl Default for Register {
    fn default() -> Self {
        Self::new()
    }
}

/// The id, class and codes of each rule that the target publishes.
fn published() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    PUBLISHED.lines().filter(|line| !line.starts_with('#')).skip(1).filter_map(|line| {
        let mut cells = line.splitn(3, ',');
        Some((cells.next()?, cells.next()?, cells.next()?))
    })
}

fn checked(rule: &Rule) -> Entry {
    let left = PARTIAL.iter().find(|(id, _)| *id == rule.id).map(|(_, left)| *left);
    Entry {
        id: rule.id,
        status: if left.is_some() { Status::Partial } else { Status::On },
        severity: Some(rule.severity),
        published: false,
        codes: rule.codes.to_vec(),
        doc: rule.doc,
        left,
        needs: None,
        overridden: None,
    }
}

fn of_tenant(rule: &TenantRule, tenant: &Tenant) -> Entry {
    let left = PARTIAL.iter().find(|(id, _)| *id == rule.id).map(|(_, left)| *left);
    let (status, needs) = match rule.standing(tenant) {
        Standing::On if left.is_some() => (Status::Partial, None),
        Standing::On => (Status::On, None),
        Standing::Partial(need) => (Status::Partial, Some(need)),
        Standing::Needs(need) => (if need.is_setting() { Status::Config } else { Status::Reference }, Some(need)),
        Standing::Idle => (Status::Idle, None),
    };
    let is_checked = matches!(status, Status::On | Status::Partial);
    Entry {
        id: rule.id,
        status,
        severity: is_checked.then_some(Severity::Error),
        published: false,
        codes: rule.codes.to_vec(),
        doc: rule.doc,
        left: left.filter(|_| status == Status::Partial),
        needs: needs.map(tenant::Need::key),
        overridden: None,
    }
}

fn of_book(rule: &book::BookRule) -> Entry {
    Entry {
        id: rule.id,
        status: Status::On,
        severity: Some(rule.severity),
        published: false,
        codes: vec![rule.code],
        doc: rule.doc,
        left: None,
        needs: None,
        overridden: None,
    }
}

fn unchecked(class: &str) -> Status {
    match class {
        "reference" => Status::Reference,
        "config" => Status::Config,
        "server" => Status::Server,
        "normalise" => Status::Normalise,
        "unreachable" => Status::Unreachable,
        "wrapper" => Status::Wrapper,
        _ => Status::Missing,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Reference => "reference",
            Self::Config => "config",
            Self::Server => "server",
            Self::Normalise => "normalise",
            Self::Unreachable => "unreachable",
            Self::Wrapper => "wrapper",
            Self::Idle => "idle",
            Self::Off => "off",
            Self::Unmapped => "unmapped",
        })
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        write!(f, "{} rules: {}", self.rules.len(), counts.join(", "))?;
        let width = self.rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in &self.rules {
            let severity = rule.severity.map_or("", Severity::as_str);
            let said = if rule.doc.is_empty() { rule.codes.join(" ") } else { rule.doc.to_owned() };
            let left = rule.left.map_or_else(String::new, |left| format!(" Checked: {left}."));
            let needs = rule.needs.as_ref().map_or_else(String::new, |needs| format!(" Needs {needs}."));
            write!(f, "\n{:width$}  {:11}  {severity:7}  {said}{left}{needs}", rule.id, rule.status.to_string())?;
            if rule.overridden.is_some() {
                f.write_str(" As the project says.")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_rule_is_in_the_register_once() {
        let register = Register::new();
        let ids: BTreeSet<&str> = register.rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), register.rules.len());
        assert_eq!(published().count(), 270);
        assert!(published().all(|(id, _, _)| ids.contains(id)));
    }

    #[test]
    fn a_rule_has_the_codes_that_the_target_publishes() {
        for (id, _, codes) in published() {
            let own = all().iter().find(|rule| rule.id == id).map(|rule| rule.codes);
            let tenants = tenant::all().iter().find(|rule| rule.id == id).map(|rule| rule.codes);
            for code in own.or(tenants).unwrap_or_default() {
                // Of a few rules the target publishes no code.
                assert!(codes.is_empty() || codes.split(' ').any(|published| published == *code), "{id}: {code}");
            }
        }
    }

    #[test]
    fn what_is_checked_in_part_is_checked() {
        for (id, _) in PARTIAL {
            let is_tenants = || tenant::all().iter().any(|rule| rule.id == *id);
            assert!(all().iter().any(|rule| rule.id == *id) || is_tenants(), "{id}");
        }
    }

    #[test]
    fn every_rule_of_lists_and_settings_is_written() {
        let everything = Register::new();
        let of = |id: &str| everything.rules.iter().find(|rule| rule.id == id).unwrap();
        let unwritten: Vec<&str> = published()
            .filter(|(id, class, _)| matches!(*class, "reference" | "config") && of(id).doc.is_empty())
            .map(|(id, ..)| id)
            .collect();
        assert_eq!(unwritten, [""; 0]);
    }

    #[test]
    fn what_is_loaded_set_and_overridden_is_told() {
        use crate::tenant::{ListKind, Settings};
        let mut tenant = Tenant::default().with(ListKind::Tprs, "code\n00001\n").unwrap();
        tenant.settings = Settings { consents: Some(true), managed_accounts: Some(false), ..Settings::default() };
        let overrides = Overrides([("phone-valid", Override::Off), ("tpr-known", Override::Warning)].into());
        let register = Register::of(&tenant, &overrides);
        let told = |id: &str| {
            let rule = register.rules.iter().find(|rule| rule.id == id).unwrap();
            (rule.status, rule.severity, rule.needs.as_deref(), rule.overridden)
        };
        assert_eq!(told("tpr-known"), (Status::On, Some(Severity::Warning), None, Some("warning")));
        assert_eq!(told("phone-valid"), (Status::Off, None, None, Some("off")));
        assert_eq!(told("ssc-known"), (Status::Reference, None, Some("reference.sscs"), None));
        assert_eq!(told("consents-enabled"), (Status::Idle, None, None, None));
        assert_eq!(told("managed-account-allowed"), (Status::On, Some(Severity::Error), None, None));
        let needs = Some("target.settings.automatic_teams");
        assert_eq!(told("operations-team-allocation"), (Status::Config, None, needs, None));
        let needs = Some("reference.debt_agencies");
        assert_eq!(told("debt-agency"), (Status::Partial, Some(Severity::Error), needs, None));
        assert_eq!(register.rules_of("ssc_not_found"), ["ssc-known needs reference.sscs"]);
        assert!(register.to_string().contains("Needs reference.sscs."), "{register}");
    }

    #[test]
    fn what_nobody_wrote_is_told() {
        let missing: Vec<&str> =
            Register::new().rules.iter().filter(|rule| rule.status == Status::Missing).map(|rule| rule.id).collect();
        assert_eq!(missing, MISSING);
    }

    /// The rules still to be written: one that is lost must be added here.
    const MISSING: &[&str] = &[];
}
