//! Book rules: what shows only where accounts meet.
//!
//! | code | severity | meaning |
//! | --- | --- | --- |
//! | `supply_point_in_two_accounts` | error | a household would be billed twice |
//! | `supply_point_sent_before` | error | the same under another account number, which went in an earlier build |
//! | `meter_serial_at_two_points` | warning | one of the two points has another's meter |
//! | `email_on_many_accounts` | notice | an agent's or a landlord's address, or a placeholder |
//!
//! A book may have a million accounts, so no account is kept. While accounts are checked, each leaves fingerprints of
//! its keys ([`BookRules::collect`]); once all have, the fingerprints that meet name the few accounts that are looked
//! at again ([`Keys::suspects`], [`BookRules::gather`]), and only what they really share is told ([`tell`]). The order
//! in which accounts are seen, and so the number of threads, makes no difference.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::overrides::{Override, Overrides};
use super::place::Place;
use crate::account::AccountKey;
use crate::assemble::view::{FieldId, Row, Schema};
use crate::finding::{Cell, Finding, Severity};

/// So many accounts of one e-mail address are worth a notice; fewer are a family.
const MANY: usize = 5;
/// A finding names the cells of so many others at most.
const OTHERS_NAMED: usize = 5;

/// A rule about what accounts must not share.
#[derive(Clone, Copy, Debug)]
pub struct BookRule {
    /// The rule's name, unique among all rules.
    pub id: &'static str,
    /// The code of its findings.
    pub code: &'static str,
    /// Their severity.
    pub severity: Severity,
    /// What it demands, in one sentence.
    pub doc: &'static str,
}

/// All book rules.
pub const RULES: &[BookRule] = &[
    BookRule {
        id: "supply-point-in-two-accounts",
        code: "supply_point_in_two_accounts",
        severity: Severity::Error,
        doc: "No supply point is in two accounts of a build.",
    },
    BookRule {
        id: "supply-point-sent-before",
        code: "supply_point_sent_before",
        severity: Severity::Error,
        doc: "No supply point was sent before under another account number.",
    },
    BookRule {
        id: "meter-serial-at-two-points",
        code: "meter_serial_at_two_points",
        severity: Severity::Warning,
        doc: "No two supply points have a meter of one serial number.",
    },
    BookRule {
        id: "email-on-many-accounts",
        code: "email_on_many_accounts",
        severity: Severity::Notice,
        doc: "Few accounts have one e-mail address.",
    },
];

/// What is compared across accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// An MPAN or MPRN.
    SupplyPoint,
    /// A meter's serial number.
    Meter,
    /// A customer's e-mail address.
    Email,
}

/// A fingerprint of a key, the same on every machine and in every version: it is kept in the ledger.
#[must_use]
pub fn fingerprint(kind: KeyKind, text: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update([kind as u8]);
    hash.update(text.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

/// A fingerprint of an account's name.
fn name_of(account: &AccountKey) -> u64 {
    let digest = crate::account::Digest::of(account.to_string().as_bytes());
    u64::from_be_bytes(std::array::from_fn(|at| digest.0[at]))
}

/// The keys of some accounts, as fingerprints: 16 bytes for a supply point or an address, 24 for a meter. Those of
/// several books are appended to each other.
#[derive(Debug, Default)]
pub struct Keys {
    /// Supply point, account.
    points: Vec<(u64, u64)>,
    /// Serial number, supply point, account.
    meters: Vec<(u64, u64, u64)>,
    /// Address, account.
    emails: Vec<(u64, u64)>,
}

/// The supply points of accounts that may exist at the target, by fingerprint.
pub type KnownPoints = HashMap<u64, Vec<AccountKey>>;

/// The book rules bound to what a mapping maps.
pub struct BookRules {
    points: Option<Place>,
    meters: Option<(Place, Place)>,
    emails: Vec<Place>,
}

/// A key being visited.
struct Found<'a> {
    kind: KeyKind,
    key: &'a str,
    /// Of a meter: its supply point.
    point: &'a str,
    row: Row<'a>,
    field: FieldId,
}

/// A key where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    kind: KeyKind,
    key: String,
    account: AccountKey,
    /// Of a meter: its supply point.
    point: String,
    path: String,
    cells: Vec<Cell>,
}

impl BookRules {
    /// Binds the rules to `schema`; a key that is not mapped is not compared.
    #[must_use]
    pub fn bind(schema: &Schema) -> Self {
        let place = |path: &str| Place::bind(schema, path);
        let point = "supply_addresses.meter_points.identifier";
        Self {
            points: place(point),
            meters: place(point).zip(place("supply_addresses.meter_points.meters.meter_serial_number")),
            emails: ["customers.email", "customers.contact_emails"].into_iter().filter_map(place).collect(),
        }
    }

    /// Visits every key of `account`.
    fn each<'a>(&self, account: Row<'a>, visit: &mut dyn FnMut(Found<'a>)) {
        if let Some(points) = &self.points {
            points.each_text(account, &mut |row, field, key| {
                visit(Found { kind: KeyKind::SupplyPoint, key, point: "", row, field });
            });
        }
        if let Some((points, meters)) = &self.meters {
            meters.each_text_below(account, points, &mut |row, field, key, point| {
                visit(Found { kind: KeyKind::Meter, key, point, row, field });
            });
        }
        for emails in &self.emails {
            emails.each_text(account, &mut |row, field, key| {
                visit(Found { kind: KeyKind::Email, key, point: "", row, field });
            });
        }
    }

    /// Adds the keys of `account` to `keys`; gives the fingerprints of its supply points.
    pub fn collect(&self, account: Row<'_>, keys: &mut Keys) -> Vec<u64> {
        let Some(name) = account.account_key().map(name_of) else { return Vec::new() };
        let mut own = Vec::new();
        self.each(account, &mut |Found { kind, key: text, point, .. }| match kind {
            KeyKind::SupplyPoint => own.push(fingerprint(kind, text)),
            KeyKind::Meter => {
                keys.meters.push((fingerprint(kind, text), fingerprint(KeyKind::SupplyPoint, point), name));
            }
            KeyKind::Email => keys.emails.push((fingerprint(kind, &folded(text)), name)),
        });
        own.sort_unstable();
        own.dedup();
        keys.points.extend(own.iter().map(|point| (*point, name)));
        own
    }

    /// Adds every key of `account` as it stands there.
    pub fn gather(&self, account: Row<'_>, holdings: &mut Vec<Holding>) {
        let Some(key) = account.account_key() else { return };
        self.each(account, &mut |Found { kind, key: text, point, row, field }| {
            let (path, cells) = (row.path(Some(field)), row.cell(field));
            let text = if kind == KeyKind::Email { folded(text) } else { text.to_owned() };
            holdings.push(Holding { kind, key: text, account: key.clone(), point: point.to_owned(), path, cells });
        });
    }
}

fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Keys {
    /// Adds the keys of other accounts.
    pub fn append(&mut self, mut other: Self) {
        self.points.append(&mut other.points);
        self.meters.append(&mut other.meters);
        self.emails.append(&mut other.emails);
    }

    /// The accounts, by the fingerprint of the name, that seem to share a key with another.
    #[must_use]
    pub fn suspects(mut self, known: &KnownPoints) -> Suspects {
        let mut suspects = HashSet::new();
        let sent: HashMap<u64, Vec<u64>> =
            known.iter().map(|(point, accounts)| (*point, accounts.iter().map(name_of).collect())).collect();
        self.points.sort_unstable();
        for group in self.points.chunk_by(|a, b| a.0 == b.0) {
            let elsewhere =
                |name: u64| sent.get(&group[0].0).is_some_and(|sent| sent.iter().any(|other| *other != name));
            let shared = group.iter().any(|(_, name)| *name != group[0].1);
            suspects.extend(group.iter().map(|(_, name)| *name).filter(|name| shared || elsewhere(*name)));
        }
        self.meters.sort_unstable();
        for group in self.meters.chunk_by(|a, b| a.0 == b.0) {
            if group.iter().any(|(_, point, _)| *point != group[0].1) {
                suspects.extend(group.iter().map(|(_, _, name)| *name));
            }
        }
        self.emails.sort_unstable();
        self.emails.dedup();
        for group in self.emails.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= MANY) {
            suspects.extend(group.iter().map(|(_, name)| *name));
        }
        Suspects(suspects)
    }
}

/// Accounts to be looked at again, by the fingerprints of their names.
#[derive(Debug)]
pub struct Suspects(HashSet<u64>);

impl Suspects {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `account` is one.
    #[must_use]
    pub fn contains(&self, account: &AccountKey) -> bool {
        self.0.contains(&name_of(account))
    }
}

/// What the accounts of `holdings` share, account by account; a supply point may be shared with one of `known` too. How
/// bad it is, is the rule's to say, or the project's.
#[must_use]
pub fn tell(holdings: Vec<Holding>, known: &KnownPoints, overrides: &Overrides) -> BTreeMap<AccountKey, Vec<Finding>> {
    let rejects = overrides.0.get("email-on-many-accounts") == Some(&Override::Error);
    let mut told = tell_all(holdings, known, rejects);
    for findings in told.values_mut() {
        findings.retain_mut(|finding| {
            let rule = RULES.iter().find(|rule| *rule.code == *finding.code);
            let severity = rule.and_then(|rule| overrides.severity(rule.id, rule.severity));
            severity.inspect(|severity| finding.severity = *severity).is_some()
        });
    }
    told
}

fn tell_all(
    mut holdings: Vec<Holding>,
    known: &KnownPoints,
    each_of_email: bool,
) -> BTreeMap<AccountKey, Vec<Finding>> {
    holdings.sort();
    let mut told: BTreeMap<AccountKey, Vec<Finding>> = BTreeMap::new();
    for group in holdings.chunk_by(|a, b| (a.kind, &a.key) == (b.kind, &b.key)) {
        match group[0].kind {
            KeyKind::SupplyPoint => tell_points(group, known, &mut told),
            KeyKind::Meter => tell_meters(group, &mut told),
            KeyKind::Email => tell_emails(group, each_of_email, &mut told),
        }
    }
    told
}

fn tell_points(group: &[Holding], known: &KnownPoints, told: &mut BTreeMap<AccountKey, Vec<Finding>>) {
    let sent = known.get(&fingerprint(KeyKind::SupplyPoint, &group[0].key));
    for own in group {
        let others: Vec<&Holding> = group.iter().filter(|other| other.account != own.account).collect();
        if let Some(other) = others.first() {
            let message = format!(
                "account {} has the same supply point: expected one account, or the household would be billed twice",
                other.account.number
            );
            add(told, own, &others, "supply_point_in_two_accounts", message);
        }
        let here: BTreeSet<&AccountKey> = group.iter().map(|holding| &holding.account).collect();
        if let Some(sent) = sent.into_iter().flatten().find(|sent| !here.contains(sent)) {
            let message = format!(
                "the supply point was sent before, in account {sent}: expected it once, or the household would be \
                 billed twice"
            );
            add(told, own, &[], "supply_point_sent_before", message);
        }
    }
}

fn tell_meters(group: &[Holding], told: &mut BTreeMap<AccountKey, Vec<Finding>>) {
    for own in group {
        let others: Vec<&Holding> = group.iter().filter(|other| other.point != own.point).collect();
        if let Some(other) = others.first() {
            let at = if other.account == own.account {
                "another supply point of the account".to_owned()
            } else {
                format!("a supply point of account {}", other.account.number)
            };
            let message = format!("{at} has a meter of the same serial number");
            add(told, own, &others, "meter_serial_at_two_points", message);
        }
    }
}

/// One finding for all, because each account would tell the same; or one for each account, if it is to be rejected.
fn tell_emails(group: &[Holding], each: bool, told: &mut BTreeMap<AccountKey, Vec<Finding>>) {
    let accounts: BTreeSet<&AccountKey> = group.iter().map(|holding| &holding.account).collect();
    if accounts.len() < MANY {
        return;
    }
    let message = format!("{} accounts have this e-mail address", accounts.len());
    let own = if each { group } else { &group[..1] };
    for holding in own {
        let others: Vec<&Holding> = group.iter().filter(|other| *other != holding).collect();
        add(told, holding, &others, "email_on_many_accounts", message.clone());
    }
}

fn add(
    told: &mut BTreeMap<AccountKey, Vec<Finding>>,
    own: &Holding,
    others: &[&Holding],
    code: &'static str,
    message: String,
) {
    let beyond = others.iter().take(OTHERS_NAMED).flat_map(|other| other.cells.iter().cloned());
    let cells = own.cells.iter().cloned().chain(beyond).collect();
    let finding = super::finding(code, own.path.clone(), message, cells);
    told.entry(own.account.clone()).or_default().push(finding);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holding(kind: KeyKind, key: &str, account: &str, point: &str) -> Holding {
        let cell = Cell { file: "points.csv".into(), record: 1, line: account.len() as u64, column: Some("P".into()) };
        let (key, point, path) = (key.to_owned(), point.to_owned(), "p".to_owned());
        Holding { kind, key, account: AccountKey::new("S", account), point, path, cells: vec![cell] }
    }

    fn codes(told: &BTreeMap<AccountKey, Vec<Finding>>) -> Vec<(&str, &str)> {
        told.iter().flat_map(|(key, found)| found.iter().map(|finding| (&*key.number, &*finding.code))).collect()
    }

    #[test]
    fn a_supply_point_of_two_accounts_is_an_error_of_both_with_the_cells_of_both() {
        let point = |account| holding(KeyKind::SupplyPoint, "1200023305967", account, "");
        let told = tell(vec![point("B"), point("AAA"), point("B")], &KnownPoints::new(), &Overrides::default());
        assert_eq!(
            codes(&told),
            [
                ("AAA", "supply_point_in_two_accounts"),
                ("B", "supply_point_in_two_accounts"),
                ("B", "supply_point_in_two_accounts"),
            ]
        );
        let first = &told[&AccountKey::new("S", "AAA")][0];
        let lines: Vec<u64> = first.cells.iter().map(|cell| cell.line).collect();
        assert_eq!((first.severity, lines), (Severity::Error, vec![3, 1, 1]));
        assert!(!first.message.contains("1200023305967"));
        // Twice in one account is another rule's.
        assert!(tell(vec![point("B"), point("B")], &KnownPoints::new(), &Overrides::default()).is_empty());
    }

    #[test]
    fn a_supply_point_that_went_under_another_number_is_an_error() {
        let fingerprint = fingerprint(KeyKind::SupplyPoint, "P");
        let known = |account: &str| KnownPoints::from([(fingerprint, vec![AccountKey::new("S", account)])]);
        let told = tell(vec![holding(KeyKind::SupplyPoint, "P", "NEW", "")], &known("OLD"), &Overrides::default());
        assert_eq!(codes(&told), [("NEW", "supply_point_sent_before")]);
        assert!(
            tell(vec![holding(KeyKind::SupplyPoint, "P", "OLD", "")], &known("OLD"), &Overrides::default()).is_empty()
        );
    }

    #[test]
    fn meters_and_addresses_are_told_and_reject_nobody() {
        let meter = |account, point| holding(KeyKind::Meter, "M1", account, point);
        let told =
            tell(vec![meter("A", "1"), meter("B", "2"), meter("B", "2")], &KnownPoints::new(), &Overrides::default());
        assert!(told.values().flatten().all(|finding| finding.severity == Severity::Warning));
        assert_eq!(told.len(), 2);
        assert!(tell(vec![meter("A", "1"), meter("B", "1")], &KnownPoints::new(), &Overrides::default()).is_empty());
        let names = ["A", "B", "C", "D", "E"];
        let emails: Vec<Holding> =
            names.iter().map(|name| holding(KeyKind::Email, "x@example.com", name, "")).collect();
        assert!(tell(emails[1..].to_vec(), &KnownPoints::new(), &Overrides::default()).is_empty());
        let told = tell(emails, &KnownPoints::new(), &Overrides::default());
        assert_eq!(codes(&told), [("A", "email_on_many_accounts")]);
        assert_eq!(told[&AccountKey::new("S", "A")][0].severity, Severity::Notice);
    }

    #[test]
    fn a_project_may_say_otherwise_how_bad_it_is() {
        let point = |account| holding(KeyKind::SupplyPoint, "P", account, "");
        let overridden = |is| Overrides([("supply-point-in-two-accounts", is)].into());
        let told = tell(vec![point("A"), point("B")], &KnownPoints::new(), &overridden(Override::Warning));
        assert!(told.len() == 2 && told.values().flatten().all(|finding| finding.severity == Severity::Warning));
        let told = tell(vec![point("A"), point("B")], &KnownPoints::new(), &overridden(Override::Off));
        assert!(told.values().all(Vec::is_empty));
        let email = |account| holding(KeyKind::Email, "x@example.com", account, "");
        let emails: Vec<Holding> = ["A", "B", "C", "D", "E"].map(email).into();
        let reject = Overrides([("email-on-many-accounts", Override::Error)].into());
        let told = tell(emails, &KnownPoints::new(), &reject);
        assert!(told.len() == 5 && told.values().all(|found| found[0].severity == Severity::Error));
    }

    #[test]
    fn fingerprints_are_the_same_for_ever() {
        assert_eq!(fingerprint(KeyKind::SupplyPoint, "1200023305967"), FIXED);
        assert_ne!(fingerprint(KeyKind::Meter, "1200023305967"), FIXED);
    }

    /// It stands in ledgers.
    const FIXED: u64 = 0x2a13_526a_4c26_324f;

    proptest! {
        /// Whoever shares a supply point is suspected, in whatever order and in however many parts accounts are seen.
        #[test]
        fn suspects_are_those_who_share(pairs in proptest::collection::vec((0..20_u8, 0..30_u8), 0..40), cut in 0..40_usize) {
            let account = |number: u8| AccountKey::new("S", number.to_string());
            let keys = |pairs: &[(u8, u8)]| Keys {
                points: pairs.iter().map(|(number, point)| {
                    (fingerprint(KeyKind::SupplyPoint, &point.to_string()), name_of(&account(*number)))
                }).collect(),
                ..Keys::default()
            };
            let cut = cut.min(pairs.len());
            let mut later = keys(&pairs[cut..]);
            later.append(keys(&pairs[..cut]));
            let suspects = later.suspects(&KnownPoints::new());
            for number in 0..20 {
                let shares = pairs.iter().any(|(a, point)| *a == number && pairs.iter().any(|(b, p)| b != a && p == point));
                prop_assert_eq!(suspects.contains(&account(number)), shares);
            }
        }
    }
}
