//! Rules of one list: what no two of its items may share, what they come to, and how their periods join.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use chrono::{Days, NaiveDate};
use foldhash::fast::FixedState;
use rust_decimal::Decimal;

use super::never::{Never, Test, never, way};
use super::place::{Rows, both, cells_of, value_of};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};
use crate::finding::Finding;

/// No two items that `within` has below it share all of `keys`. A key that is absent is no key, except as a further one.
struct Unique {
    within: &'static str,
    lists: &'static [&'static str],
    keys: &'static [&'static str],
    code: &'static str,
    message: &'static str,
}

macro_rules! unique {
    ($($id:literal $code:literal $doc:literal $message:literal [$($within:literal: $($list:literal),+ => $($key:literal),+);+])+) => {
        &[$(error($id, &[$code], $doc, |schema| {
            const TABLE: &[Unique] = &[$(Unique {
                within: $within, lists: &[$($list),+], keys: &[$($key),+], code: $code, message: $message,
            }),+];
            unique(schema, TABLE)
        })),+]
    };
}

pub(super) const UNIQUE: &[Rule] = unique! {
    "property-ext-id-unique" "duplicate_property_external_identifiers" "No two supply addresses have one external identifier." "expected each external identifier once" ["": "supply_addresses" => "property_external_identifier"]
    "supply-addresses-unique" "duplicate_supply_addresses_found" "No two supply addresses are the same." "expected each supply address once" ["": "supply_addresses" => "supply_address1", "supply_address2", "supply_postcode"]
    "meter-points-unique" "duplicate_meter_points_provided" "No meter point is twice under one supply address." "expected each meter point once" ["supply_addresses": "supply_addresses.meter_points" => "identifier"]
    "ledger-codes-unique" "duplicate_ledger_entries_found" "No two ledgers have one code." "expected each ledger code once" ["": "ledgers" => "ledger_code"]
    "payment-preference-ledger-unique" "duplicate_ledger_in_payment_preferences" "No ledger has two payment preferences." "expected each ledger once" ["": "payment_preferences" => "ledger_identifier"]
    "campaigns-unique" "duplicate_account_campaigns" "No campaign is listed twice." "expected each campaign once" ["": "account_campaigns" => "slug"; "": "account_campaigns" => "campaign_name"]
    "consent-types-unique" "children_with_duplicate_values" "No two consents of one list have one type." "expected each type of consent once" ["": "consents" => "type"; "customers": "customers.consents" => "type"]
    "portfolio-reference-namespaces-unique" "duplicate_portfolio_references" "No two references of a portfolio have one namespace." "expected each namespace once" ["": "portfolio.portfolio_references" => "namespace"; "business.portfolios": "business.portfolios.portfolio_references" => "namespace"]
    "business-detail-keys-unique" "children_with_duplicate_values" "No two details of a business have one key." "expected each key once" ["": "business.details" => "key"]
    "instalments-unique" "children_with_duplicate_values" "No two instalments of a schedule have one day and type." "expected each day and type once" ["payment_schedules": "payment_schedules.instalments" => "payment_date", "payment_type"]
    "eac-unique" "repeated_eac_for_tpr" "No two annual consumptions of a regime start on one day." "expected each regime and day once" ["supply_addresses.meter_points": "supply_addresses.meter_points.eac_history" => "tpr", "effective_from"]
    "register-ids-unique" "meter_with_duplicate_register_ids" "No two registers of a meter have one name." "expected each register of the meter once" ["supply_addresses.meter_points.meters": "supply_addresses.meter_points.meters.registers" => "register_id"]
    "characteristic-codes-unique" "children_with_duplicate_values" "No two characteristics of an agreement have one code." "expected each code once" ["supply_addresses.meter_points.agreements": "supply_addresses.meter_points.agreements.characteristics" => "code"]
};

struct BoundUnique {
    table: &'static Unique,
    within: Rows,
    lists: Vec<(Vec<EntityId>, Vec<FieldId>)>,
}

fn unique(schema: &Schema, tables: &'static [Unique]) -> Option<Check> {
    let mut bound = Vec::new();
    for table in tables {
        let Some(within) = Rows::bind(schema, table.within) else { continue };
        let depth = way(schema, table.within)?.len();
        let lists: Vec<_> = table
            .lists
            .iter()
            .filter_map(|list| {
                // The first key names the item; the others may be unmapped.
                schema.field(&format!("{list}.{}", table.keys[0]))?;
                let keys = table.keys.iter().filter_map(|key| schema.field(&format!("{list}.{key}"))).collect();
                Some((way(schema, list)?.split_off(depth), keys))
            })
            .collect();
        if !lists.is_empty() {
            bound.push(BoundUnique { table, within, lists });
        }
    }
    if bound.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for bound in &bound {
            bound.within.each(account, &mut |owner| bound.check(owner, out));
        }
    }))
}

impl BoundUnique {
    fn check(&self, owner: Row<'_>, out: &mut Vec<Finding>) {
        if let [(way, _)] = self.lists.as_slice()
            && let [list] = way.as_slice()
            && owner.children(*list).len() < 2
        {
            return;
        }
        // Nearly every list is as it should be, which its hashes tell alone.
        let mut hashes: Vec<u64> = Vec::with_capacity(64);
        self.each(owner, |row, first, keys| hashes.push(hash(&first, row, &keys[1..])));
        hashes.sort_unstable();
        if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
            return;
        }
        let mut items: Vec<(u64, usize, Row<'_>, &[FieldId])> = Vec::new();
        self.each(owner, |row, first, keys| items.push((hash(&first, row, &keys[1..]), items.len(), row, keys)));
        items.sort_unstable_by_key(|(hash, place, ..)| (*hash, *place));
        for pair in items.windows(2) {
            let ((one, _, earlier, theirs), (other, _, row, keys)) = (pair[0], pair[1]);
            let same = || keys.iter().zip(theirs).all(|(key, their)| row.value(*key) == earlier.value(*their));
            if one == other && same() {
                let mut cells = row.cell(keys[0]);
                cells.extend(earlier.cell(theirs[0]));
                let message = format!("{}; another item has the same", self.table.message);
                out.push(finding(self.table.code, row.path(Some(keys[0])), message, cells));
            }
        }
    }
}

impl BoundUnique {
    /// Visits the items that have a key, with the first of its values.
    fn each<'a, 'b>(&'b self, owner: Row<'a>, mut visit: impl FnMut(Row<'a>, Value<'a>, &'b [FieldId])) {
        for (way, keys) in &self.lists {
            owner.below(way).for_each(|row| {
                let first = row.value(keys[0]);
                if !matches!(first, Value::Absent | Value::Faulty | Value::Text("")) {
                    visit(row, first, keys);
                }
            });
        }
    }
}

/// A hash of the first value of a key and of those of `further` fields.
fn hash(first: &Value<'_>, row: Row<'_>, further: &[FieldId]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    let mut add = |value: &Value<'_>| match value {
        Value::Text(text) => text.hash(&mut hasher),
        Value::Date(date) => date.hash(&mut hasher),
        Value::Integer(number) => number.hash(&mut hasher),
        _ => 0.hash(&mut hasher),
    };
    add(first);
    for field in further {
        add(&row.value(*field));
    }
    hasher.finish()
}

const REPEATED: &str = "duplicate_transaction_ids";
const NAMELESS: &str = "missing_transaction_id";
const OF_LEDGERS: [&str; 2] = ["ledgers.current_statement_transactions", "ledgers.historical_statement_transactions"];

const fn nameless(at: &'static str) -> Never {
    let message = "expected the transaction's identifier";
    Never { at, code: NAMELESS, message, when: &[Test::Absent("transaction_id")] }
}

pub(super) const RULES: &[Rule] = &[
    error(
        "transaction-ids-unique",
        &[REPEATED, NAMELESS],
        "Every transaction of an account has an identifier of its own.",
        |schema| {
            const LISTS: &[&str] =
                &["current_statement_transactions", "historical_statement_transactions", OF_LEDGERS[0], OF_LEDGERS[1]];
            const TABLE: &[Unique] = &[Unique {
                within: "",
                lists: LISTS,
                keys: &["transaction_id"],
                code: REPEATED,
                message: "expected each transaction's identifier once",
            }];
            const NEVER: &[Never] = &[nameless(LISTS[0]), nameless(LISTS[1])];
            both(unique(schema, TABLE), never(schema, NEVER))
        },
    ),
    error(
        "ledger-transaction-ids-unique",
        &[REPEATED, NAMELESS],
        "Every transaction of a ledger has an identifier of its own.",
        |schema| {
            const TABLE: &[Unique] = &[Unique {
                within: "ledgers",
                lists: &OF_LEDGERS,
                keys: &["transaction_id"],
                code: REPEATED,
                message: "expected each transaction's identifier once in its ledger",
            }];
            const NEVER: &[Never] = &[nameless(OF_LEDGERS[0]), nameless(OF_LEDGERS[1])];
            both(unique(schema, TABLE), never(schema, NEVER))
        },
    ),
    error(
        "instructions-ledger-uniform",
        &["payment_instructions_ledger_code_uniformity_failed"],
        "All payment instructions name a ledger, or none does.",
        |schema| {
            uniform(schema, "payment_instructions", "ledger_code", "payment_instructions_ledger_code_uniformity_failed")
        },
    ),
    error(
        "schedules-ledger-uniform",
        &["payment_schedules_ledger_code_uniformity_failed"],
        "All payment schedules name a ledger, or none does.",
        |schema| uniform(schema, "payment_schedules", "ledger_code", "payment_schedules_ledger_code_uniformity_failed"),
    ),
    error(
        "campaign-identifier-style",
        &["inconsistent_campaign_identifiers"],
        "All campaigns are named by their slugs, or none is.",
        |schema| uniform(schema, "account_campaigns", "slug", "inconsistent_campaign_identifiers"),
    ),
    error(
        "one-deposit-agreement",
        &["multiple_active_deposits_not_allowed"],
        "An account has at most one deposit agreement.",
        |schema| at_most_one(schema, "", "deposit_agreements", None, "multiple_active_deposits_not_allowed"),
    ),
    error(
        "one-property-administrator",
        &["multiple_property_administrators"],
        "A supply address has at most one administrator.",
        |schema| {
            at_most_one(
                schema,
                "supply_addresses",
                "supply_addresses.property_administrators",
                None,
                "multiple_property_administrators",
            )
        },
    ),
    error(
        "one-open-aq",
        &["multiple_open_ended_aqs_in_meterpoint_aq_history"],
        "At most one annual quantity of a gas point has no end.",
        |schema| {
            at_most_one(
                schema,
                "supply_addresses.meter_points",
                "supply_addresses.meter_points.aq_history",
                Some("effective_to"),
                "multiple_open_ended_aqs_in_meterpoint_aq_history",
            )
        },
    ),
    error(
        "schedule-instalments-sum",
        &["payment_instalments_do_not_sum_to_total"],
        "The instalments of a schedule come to its amount.",
        |schema| {
            sum(
                schema,
                "payment_schedules",
                "amount",
                "payment_schedules.instalments",
                "amount",
                "payment_instalments_do_not_sum_to_total",
            )
        },
    ),
    error(
        "plan-components-sum",
        &["payment_plan_payment_components_do_not_sum_to_total"],
        "The components of a plan's payment come to its total.",
        |schema| {
            sum(
                schema,
                "payment_plans.payments",
                "total_amount",
                "payment_plans.payments.amount_components",
                "amount",
                "payment_plan_payment_components_do_not_sum_to_total",
            )
        },
    ),
    error(
        "aq-consecutive",
        &["gaps_or_overlaps_in_aq_history"],
        "Each annual quantity starts on the day after the one before ends.",
        |schema| {
            consecutive_days(
                schema,
                "supply_addresses.meter_points",
                "supply_addresses.meter_points.aq_history",
                "gaps_or_overlaps_in_aq_history",
            )
        },
    ),
];

fn uniform(schema: &Schema, list: &str, key: &str, code: &'static str) -> Option<Check> {
    let field = schema.field(&format!("{list}.{key}"))?;
    let list = schema.entity(list)?;
    Some(Box::new(move |account, _, out| {
        let empty = |row: &Row<'_>| matches!(row.value(field), Value::Absent | Value::Text(""));
        let mut rows = account.children(list);
        let Some(first) = rows.next() else { return };
        if let Some(other) = rows.find(|row| empty(row) != empty(&first)) {
            let mut cells = other.cell(field);
            cells.extend(first.cell(field));
            out.push(finding(
                code,
                other.path(Some(field)),
                "expected all items of the list to say it, or none",
                cells,
            ));
        }
    }))
}

/// At most one item; of those without `end`, if there is one.
fn at_most_one(schema: &Schema, within: &str, list: &str, end: Option<&str>, code: &'static str) -> Option<Check> {
    let owners = Rows::bind(schema, within)?;
    let end = end.and_then(|end| schema.field(&format!("{list}.{end}")));
    let list = schema.entity(list)?;
    Some(Box::new(move |account, _, out| {
        owners.each(account, &mut |owner| {
            let mut open = owner.children(list).filter(|row| value_of(*row, end).is_absent());
            if let (Some(first), Some(second)) = (open.next(), open.next()) {
                let mut cells = cells_of(second, end);
                cells.extend(cells_of(first, end));
                out.push(finding(code, second.path(None), "expected at most one item of this kind, found more", cells));
            }
        });
    }))
}

fn sum(schema: &Schema, owner: &str, total: &str, list: &str, amount: &str, code: &'static str) -> Option<Check> {
    let owners = Rows::bind(schema, owner)?;
    let total = schema.field(&format!("{owner}.{total}"))?;
    let amount = schema.field(&format!("{list}.{amount}"))?;
    let list = schema.entity(list)?;
    Some(Box::new(move |account, _, out| {
        owners.each(account, &mut |owner| {
            let items = owner.children(list);
            let Some(stated) = owner.value(total).decimal() else { return };
            if items.len() == 0 {
                return;
            }
            let Some(sum) = items.clone().map(|row| row.value(amount).decimal()).sum::<Option<Decimal>>() else {
                return;
            };
            if sum != stated {
                let mut cells = owner.cell(total);
                cells.extend(items.flat_map(|row| row.cell(amount)));
                let message = format!("expected the items to come to {stated}; they come to {sum}");
                out.push(finding(code, owner.path(Some(total)), message, cells));
            }
        });
    }))
}

/// The day an inclusive period ends and the next one's start, if the next does not follow the day after.
fn broken(earlier_to: Option<NaiveDate>, later_from: NaiveDate) -> bool {
    earlier_to.and_then(|to| to.checked_add_days(Days::new(1))) != Some(later_from)
}

fn consecutive_days(schema: &Schema, within: &str, list: &str, code: &'static str) -> Option<Check> {
    let owners = Rows::bind(schema, within)?;
    let from = schema.field(&format!("{list}.effective_from"))?;
    let to = schema.field(&format!("{list}.effective_to"));
    let list = schema.entity(list)?;
    Some(Box::new(move |account, _, out| {
        owners.each(account, &mut |owner| {
            let items = owner.children(list);
            if items.len() < 2 || items.clone().any(|row| value_of(row, to).is_faulty()) {
                return;
            }
            let Some(mut rows) = items.map(|row| Some((row.value(from).date()?, row))).collect::<Option<Vec<_>>>()
            else {
                return;
            };
            rows.sort_by_key(|(from, _)| *from);
            for pair in rows.windows(2) {
                let ((_, earlier), (start, later)) = (pair[0], pair[1]);
                if broken(value_of(earlier, to).date(), start) {
                    let mut cells = later.cell(from);
                    cells.extend(cells_of(earlier, to));
                    let message =
                        "expected the period to start on the day after the one before ends, which it includes";
                    out.push(finding(code, later.path(Some(from)), message, cells));
                }
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inclusive_period_is_followed_by_the_next_day() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert!(!broken(Some(day("2018-12-31")), day("2019-01-01")));
        assert!(broken(Some(day("2018-12-31")), day("2019-01-02")));
        assert!(broken(Some(day("2018-12-31")), day("2018-12-31")) && broken(None, day("2019-01-01")));
    }
}
