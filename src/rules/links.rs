//! Names that stand for something else in the same payload: what they name must be there.

use super::metering::{METERS, Meters};
use super::place::{Nested, Place};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{Row, Schema, Value};
use crate::finding::Cell;

/// A finding names so many of those that could have been meant, at most.
const NAMED: usize = 5;

pub(super) const RULES: &[Rule] = &[
    error(
        "payment-preference-ledger-known",
        &["invalid_payment_preference_ledger_identifier"],
        "The ledger of a payment preference is one of the account's.",
        |schema| known(schema, &PREFERENCE_LEDGER),
    ),
    error(
        "payment-preference-instruction-known",
        &["active_new_payment_preference_invalid_instruction_identifier"],
        "The new instruction of a payment preference is one of the account's.",
        |schema| known(schema, &PREFERENCE_INSTRUCTION),
    ),
    error(
        "ledger-identifiers-known",
        &["unknown_ledger_identifiers"],
        "The supply points of a ledger are among the account's.",
        |schema| known(schema, &LEDGER_POINTS),
    ),
    error(
        "agreement-contract-id-declared",
        &["agreement_business_contract_identifier_not_declared"],
        "The business contract of an agreement is one of those that the business declares.",
        |schema| known(schema, &CONTRACT),
    ),
    error(
        "ledger-identifiers-unique",
        &["duplicate_identifiers_entries_found"],
        "No supply point belongs to two ledgers.",
        points_of_one_ledger,
    ),
    error(
        "prepay-transaction-target",
        &["transactions_target_non_initialised_prepay_meter"],
        "A transaction to a prepay meter names a meter of the account that has prepay details.",
        prepay_targets,
    ),
];

/// A field that names what another field is the name of.
struct Link {
    from: &'static str,
    to: &'static [&'static str],
    /// Whether it is another rule's business that there is nothing to name at all.
    quiet_without: bool,
    code: &'static str,
    message: &'static str,
}

const PREFERENCE_LEDGER: Link = Link {
    from: "payment_preferences.ledger_identifier",
    to: &["ledgers.ledger_identifier"],
    quiet_without: false,
    code: "invalid_payment_preference_ledger_identifier",
    message: "expected the identifier of one of the account's ledgers",
};

const PREFERENCE_INSTRUCTION: Link = Link {
    from: "payment_preferences.instruction_reference_params.instruction_identifier",
    to: &["payment_instructions.instruction_identifier"],
    quiet_without: false,
    code: "active_new_payment_preference_invalid_instruction_identifier",
    message: "expected the identifier of one of the account's payment instructions",
};

const LEDGER_POINTS: Link = Link {
    from: "ledgers.identifiers",
    to: &["supply_addresses.meter_points.identifier"],
    quiet_without: false,
    code: "unknown_ledger_identifiers",
    message: "expected the identifier of one of the account's meter points",
};

const CONTRACT: Link = Link {
    from: "supply_addresses.meter_points.agreements.business_contract_identifier",
    to: &["business.business_contract_identifiers", "business.business_contract_identifier"],
    quiet_without: true,
    code: "agreement_business_contract_identifier_not_declared",
    message: "expected one of the contracts that the business declares",
};

/// Names and what they may name; none if `from` is not mapped or the contract has nothing to name.
fn known(schema: &Schema, link: &'static Link) -> Option<Check> {
    let from = Place::bind(schema, link.from)?;
    if !link.to.iter().any(|path| schema.is_known(path)) {
        return None;
    }
    let to: Vec<Place> = link.to.iter().filter_map(|path| Place::bind(schema, path)).collect();
    Some(Box::new(move |account, _, out| {
        from.each_text(account, &mut |row, field, name| {
            let target = look_up(&to, account, name);
            if target.found || target.unsure || (link.quiet_without && target.near.is_empty()) {
                return;
            }
            let mut cells = row.cell(field);
            cells.extend(target.near);
            out.push(finding(link.code, row.path(Some(field)), link.message, cells));
        });
    }))
}

/// What became of looking a name up.
#[derive(Default)]
struct Target {
    found: bool,
    /// One of those that could be meant cannot be read.
    unsure: bool,
    /// Some of those that were not meant.
    near: Vec<Cell>,
}

fn look_up(to: &[Place], account: Row<'_>, name: &str) -> Target {
    let mut target = Target::default();
    for place in to {
        place.each(account, &mut |row, field| match row.value(field) {
            Value::Text(text) if text == name => target.found = true,
            Value::Faulty => target.unsure = true,
            Value::Text(text) if !text.is_empty() && target.near.len() < NAMED => target.near.extend(row.cell(field)),
            _ => {}
        });
    }
    target
}

fn points_of_one_ledger(schema: &Schema) -> Option<Check> {
    let ledgers = schema.entity("ledgers")?;
    let list = schema.entity("ledgers.identifiers")?;
    let field = schema.field("ledgers.identifiers")?;
    Some(Box::new(move |account, _, out| {
        for (at, ledger) in account.children(ledgers).enumerate() {
            for row in ledger.children(list) {
                let Some(name) = row.value(field).text() else { continue };
                let earlier = account
                    .children(ledgers)
                    .take(at)
                    .flat_map(|other| other.children(list))
                    .find(|other| other.value(field).text() == Some(name));
                if let Some(earlier) = earlier {
                    let mut cells = row.cell(field);
                    cells.extend(earlier.cell(field));
                    let message = "expected a supply point that no other ledger of the account has";
                    out.push(finding("duplicate_identifiers_entries_found", row.path(Some(field)), message, cells));
                }
            }
        }
    }))
}

fn prepay_targets(schema: &Schema) -> Option<Check> {
    const LISTS: [&str; 4] = [
        "ledgers.current_statement_transactions",
        "ledgers.historical_statement_transactions",
        "current_statement_transactions",
        "historical_statement_transactions",
    ];
    let targets: Vec<Place> =
        LISTS.iter().filter_map(|list| Place::bind(schema, &format!("{list}.to_prepay_meter_serial_number"))).collect();
    if targets.is_empty() {
        return None;
    }
    let meters = Meters::bind(schema);
    let serial = schema.field(&format!("{METERS}.meter_serial_number"));
    let details: Vec<Nested> = ["transfer_vend_read_date", "credit_balance", "debt_balance"]
        .iter()
        .filter_map(|name| Nested::bind(schema, METERS, &format!("prepay_details.{name}")))
        .collect();
    let has_details = move |meter: Row<'_>| {
        details.iter().any(|detail| detail.of(meter).is_some_and(|row| !row.value(detail.field).is_absent()))
    };
    Some(Box::new(move |account, context, out| {
        for place in &targets {
            place.each_text(account, &mut |row, field, name| {
                let (mut found, mut near) = (false, Vec::new());
                if let (Some(meters), Some(serial)) = (&meters, serial) {
                    meters.each(account, context.run_date, &mut |meter| match meter.row.value(serial) {
                        Value::Text(text) if text != name => {}
                        Value::Absent => {}
                        _ if has_details(meter.row) => found = true,
                        _ => near.push(meter.row.record()),
                    });
                }
                if !found {
                    let message = if near.is_empty() {
                        "expected the serial number of a prepay meter of the account; no meter has this one"
                    } else {
                        "expected the serial number of a prepay meter of the account; this meter has no prepay details"
                    };
                    let mut cells = row.cell(field);
                    cells.append(&mut near);
                    let code = "transactions_target_non_initialised_prepay_meter";
                    out.push(finding(code, row.path(Some(field)), message, cells));
                }
            });
        }
    }))
}
