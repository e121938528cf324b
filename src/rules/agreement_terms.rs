//! The terms of agreements: characteristics and bespoke rates.

use std::collections::{HashMap, HashSet};

use super::agreements::AGREEMENTS;
use super::place::Rows;
use super::{Check, Rule, error, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};

const CHARACTERISTICS: &str = "supply_addresses.meter_points.agreements.characteristics";
const RATES: &str = "supply_addresses.meter_points.agreements.bespoke_tariff_rates";

pub(super) const RULES: &[Rule] = &[
    error(
        "characteristic-valid",
        &["characteristic_code_not_found", "invalid_characteristic_value"],
        "A characteristic has a code and a value that are published.",
        characteristics,
    ),
    error(
        "bespoke-rates-unique",
        &["duplicate_bespoke_rates"],
        "No two bespoke rates of an agreement are the same in everything.",
        bespoke_rates,
    ),
];

/// The published values of each published code.
type Published = HashMap<String, HashSet<String>>;

/// What the contract publishes; none if it has no closed list of codes.
fn published(schema: &Schema) -> Option<Published> {
    let codes = schema.in_contract(&format!("{CHARACTERISTICS}.code"))?;
    let codes = codes.variants.iter().find_map(|variant| variant.constraint.values.as_ref())?;
    let mut published: Published = codes.values.iter().map(|code| (code.clone(), HashSet::new())).collect();
    let values = schema.in_contract(&format!("{CHARACTERISTICS}.value"));
    for variant in values.iter().flat_map(|values| &values.variants) {
        let Some(list) = &variant.constraint.values else { continue };
        for condition in variant.conditions.iter().filter(|condition| condition.node == CHARACTERISTICS) {
            published.entry(condition.value.clone()).or_default().extend(list.values.iter().cloned());
        }
    }
    Some(published)
}

fn characteristics(schema: &Schema) -> Option<Check> {
    let rows = Rows::bind(schema, CHARACTERISTICS)?;
    let code = schema.field(&format!("{CHARACTERISTICS}.code"))?;
    let value = schema.field(&format!("{CHARACTERISTICS}.value"));
    schema.entity(CHARACTERISTICS)?;
    let published = published(schema)?;
    Some(Box::new(move |account, _, out| {
        rows.each(account, &mut |row| {
            let Some(text) = row.value(code).text() else { return };
            let Some(values) = published.get(text) else {
                let message = format!("expected one of the {} published codes", published.len());
                out.push(finding("characteristic_code_not_found", row.path(Some(code)), message, row.cell(code)));
                return;
            };
            let Some(value) = value else { return };
            if row.value(value).text().is_some_and(|text| !values.is_empty() && !values.contains(text)) {
                let message = format!("expected one of the {} values that are published for this code", values.len());
                let mut cells = row.cell(value);
                cells.extend(row.cell(code));
                out.push(finding("invalid_characteristic_value", row.path(Some(value)), message, cells));
            }
        });
    }))
}

/// What a bespoke rate says, in itself and in its registers.
struct Terms {
    own: Vec<FieldId>,
    registers: Option<(EntityId, Vec<FieldId>)>,
}

impl Terms {
    fn bind(schema: &Schema) -> Option<Self> {
        const OWN: [&str; 4] = ["meter_serial_number", "payment_method", "standing_charge", "unit_rate"];
        const OF_REGISTER: [&str; 4] = ["register_id", "rate_type", "start_time", "unit_rate"];
        let fields = |path: &str, names: &[&str]| -> Vec<FieldId> {
            names.iter().filter_map(|name| schema.field(&format!("{path}.{name}"))).collect()
        };
        let registers = format!("{RATES}.registers");
        let terms = Self {
            own: fields(RATES, &OWN),
            registers: schema.entity(&registers).map(|list| (list, fields(&registers, &OF_REGISTER))),
        };
        (!terms.own.is_empty() || terms.registers.is_some()).then_some(terms)
    }

    fn same(&self, one: Row<'_>, other: Row<'_>) -> bool {
        let equal = |one: Row<'_>, other: Row<'_>, fields: &[FieldId]| {
            fields.iter().all(|field| {
                let value = one.value(*field);
                value == other.value(*field) && value != Value::Faulty
            })
        };
        equal(one, other, &self.own)
            && self.registers.as_ref().is_none_or(|(list, fields)| {
                let (ours, theirs) = (one.children(*list), other.children(*list));
                ours.len() == theirs.len() && ours.zip(theirs).all(|(one, other)| equal(one, other, fields))
            })
    }
}

fn bespoke_rates(schema: &Schema) -> Option<Check> {
    let agreements = Rows::bind(schema, AGREEMENTS)?;
    let rates = schema.entity(RATES)?;
    let terms = Terms::bind(schema)?;
    Some(Box::new(move |account, _, out| {
        agreements.each(account, &mut |agreement| {
            for (at, row) in agreement.children(rates).enumerate() {
                if let Some(earlier) = agreement.children(rates).take(at).find(|earlier| terms.same(*earlier, row)) {
                    let message = "expected each bespoke rate of the agreement once; an earlier one says the same";
                    let cells = vec![row.record(), earlier.record()];
                    out.push(finding("duplicate_bespoke_rates", row.path(None), message, cells));
                }
            }
        });
    }))
}
