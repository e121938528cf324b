//! Electricity readings name a register of their meter.

use super::metering::{Fuel, METERS, Meters, Readings, Registers};
use super::place::{Rows, cells_of, value_of};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{FieldId, Row, Schema, Value};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "transfer-reading-register-known",
        codes: &["reading_register_id_not_recognised", "reading_without_register_id"],
        severity: Severity::Error,
        doc: "Each transfer reading of an electricity meter names one of the meter's registers.",
        bind: |schema| known(schema, Readings::transfer(schema)?, TRANSFER),
    },
    Rule {
        id: "history-reading-register-known",
        codes: &["historical_reading_register_id_not_recognised", "no_register_id_for_reading"],
        severity: Severity::Error,
        doc: "Each historical reading of an electricity meter names one of the meter's registers.",
        bind: |schema| known(schema, Readings::history(schema)?, HISTORY),
    },
    error(
        "register-tprs-unique",
        &["registers_have_duplicate_tprs"],
        "No two registers of a meter have one time pattern regime; an odd one from 01201 to 01229 may have two.",
        regimes_unique,
    ),
    error(
        "eac-per-active-tpr",
        &["missing_eacs_for_active_register_tpr"],
        "The regime of each settlement register of an active electricity meter has an annual consumption, half-hourly points aside.",
        consumption_known,
    ),
];

/// A finding names so many consumptions of other regimes at most.
const OTHERS: usize = 5;

#[derive(Clone, Copy)]
struct Codes {
    unknown: &'static str,
    absent: &'static str,
}

const TRANSFER: Codes = Codes { unknown: "reading_register_id_not_recognised", absent: "reading_without_register_id" };
const HISTORY: Codes =
    Codes { unknown: "historical_reading_register_id_not_recognised", absent: "no_register_id_for_reading" };

fn known(schema: &Schema, readings: Readings, codes: Codes) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let registers = Registers::bind(schema)?;
    let named = readings.register?;
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if meter.fuel != Fuel::Electricity {
                return;
            }
            let ids: Option<Vec<&str>> =
                meter.row.children(registers.list).map(|register| register.value(registers.id).text()).collect();
            // A register without a readable id has a finding of its own and may be the one that is meant.
            let Some(ids) = ids else { return };
            for reading in meter.row.children(readings.list) {
                let (code, message) = match judge(&reading.value(named), &ids) {
                    Named::Well => continue,
                    Named::Absent => (codes.absent, "expected the register that was read".to_owned()),
                    Named::Unknown => (
                        codes.unknown,
                        format!("expected one of the {} registers of the meter; it has none of this name", ids.len()),
                    ),
                };
                let mut cells = cells_of(reading, Some(named));
                cells.extend(records(meter.row.children(registers.list), registers.id));
                out.push(finding(code, reading.path(Some(named)), message, cells));
            }
        });
    }))
}

fn records<'a>(registers: impl Iterator<Item = Row<'a>>, id: FieldId) -> impl Iterator<Item = crate::finding::Cell> {
    registers.flat_map(move |register| register.cell(id))
}

#[derive(Debug, PartialEq, Eq)]
enum Named {
    Well,
    Absent,
    Unknown,
}

fn judge(named: &Value<'_>, ids: &[&str]) -> Named {
    match named {
        Value::Absent | Value::Text("") => Named::Absent,
        Value::Text(id) if !ids.contains(id) => Named::Unknown,
        _ => Named::Well,
    }
}

fn regimes_unique(schema: &Schema) -> Option<Check> {
    let meters = Rows::bind(schema, METERS)?;
    let list = schema.entity("supply_addresses.meter_points.meters.registers")?;
    let regime = schema.field("supply_addresses.meter_points.meters.registers.tpr")?;
    Some(Box::new(move |account, _, out| {
        meters.each(account, &mut |meter| {
            for (at, register) in meter.children(list).enumerate() {
                let Some(name) = register.value(regime).text().filter(|name| !name.is_empty()) else { continue };
                let mut same = meter.children(list).take(at).filter(|other| other.value(regime).text() == Some(name));
                let (Some(earlier), another) = (same.next(), same.next()) else { continue };
                if may_be_twice(name) && another.is_none() {
                    continue;
                }
                let mut cells = register.cell(regime);
                cells.extend(earlier.cell(regime));
                let message =
                    "expected each time pattern regime once in a meter; only odd ones from 01201 to 01229 may be twice";
                out.push(finding("registers_have_duplicate_tprs", register.path(Some(regime)), message, cells));
            }
        });
    }))
}

/// Whether two registers of a meter may have this regime.
fn may_be_twice(regime: &str) -> bool {
    regime.parse::<u32>().is_ok_and(|number| (1201..=1229).contains(&number) && number % 2 == 1)
}

fn consumption_known(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let registers = Registers::bind(schema)?;
    let regime = schema.field("supply_addresses.meter_points.meters.registers.tpr")?;
    let profile = schema.field("supply_addresses.meter_points.profile_class");
    let list = schema.entity("supply_addresses.meter_points.eac_history");
    let of = schema.field("supply_addresses.meter_points.eac_history.tpr");
    if list.is_none() && !schema.is_known("supply_addresses.meter_points.eac_history") {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if meter.fuel != Fuel::Electricity || !meter.active || value_of(meter.point, profile).integer() == Some(0) {
                return;
            }
            let consumptions = || list.into_iter().flat_map(|list| meter.point.children(list));
            for register in meter.row.children(registers.list).filter(|row| registers.is_settlement(*row)) {
                let Some(name) = register.value(regime).text().filter(|name| !name.is_empty()) else { continue };
                let may_be = |row: Row<'_>| matches!(value_of(row, of), Value::Text(text) if text == name) || value_of(row, of).is_faulty();
                if consumptions().any(may_be) {
                    continue;
                }
                let mut cells = register.cell(regime);
                cells.push(meter.point.record());
                cells.extend(consumptions().flat_map(|row| cells_of(row, of)).take(OTHERS));
                let message = "expected an annual consumption of the register's time pattern regime; its point has none, those it has follow";
                out.push(finding("missing_eacs_for_active_register_tpr", register.path(Some(regime)), message, cells));
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_regimes_of_a_range_may_be_twice() {
        assert!(may_be_twice("01201") && may_be_twice("01229"));
        assert!(!may_be_twice("01202") && !may_be_twice("01231") && !may_be_twice("00001") && !may_be_twice("x"));
    }

    #[test]
    fn a_reading_names_a_register_of_the_meter() {
        assert_eq!(judge(&Value::Text("1"), &["1", "X"]), Named::Well);
        assert_eq!(judge(&Value::Text("9Z"), &["1", "X"]), Named::Unknown);
        assert_eq!(judge(&Value::Text("1"), &[]), Named::Unknown);
        assert_eq!(judge(&Value::Text("01"), &["1"]), Named::Unknown);
        assert_eq!(judge(&Value::Absent, &["1"]), Named::Absent);
        assert_eq!(judge(&Value::Faulty, &["1"]), Named::Well);
    }
}
