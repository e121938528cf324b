//! Electricity readings name a register of their meter.

use super::metering::{Fuel, Meters, Readings, Registers};
use super::place::cells_of;
use super::{Check, Rule, finding};
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
];

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

#[cfg(test)]
mod tests {
    use super::*;

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
