//! Transfer readings: one for each register that is billed, on the day the account was last billed to.

use super::billed_to::{BilledTo, Stated};
use super::metering::{Fuel, Meter, Meters, Readings, Registers};
use super::place::{cells_of, value_of};
use super::{Check, Rule, days, finding};
use crate::assemble::view::{FieldId, Row, Schema, Value};
use crate::finding::{Cell, Finding, Severity};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "register-transfer-reading-single",
        codes: &["missing_transfer_reading_for_register", "multiple_transfer_readings_for_register"],
        severity: Severity::Error,
        doc: "Each settlement register of an active electricity meter has exactly one transfer reading.",
        bind: one_for_each_register,
    },
    Rule {
        id: "gas-transfer-reading-single",
        codes: &[
            "active_gas_meter_without_transfer_reading",
            "active_gas_meter_with_multiple_transfer_readings",
            "reading_meter_fully_billed",
        ],
        severity: Severity::Error,
        doc: "Each active gas meter has exactly one transfer reading, and one that was removed and is billed to its end has none.",
        bind: one_for_each_gas_meter,
    },
    Rule {
        id: "transfer-reading-date",
        codes: &["transfer_reading_dates_must_match_last_billed_to_date"],
        severity: Severity::Error,
        doc: "Each transfer reading is of the day the register was last billed to, which the meter, the point or the account says if it does not.",
        bind: on_the_day,
    },
];

const INSTALLED: &str = "supply_addresses.meter_points.meters.installed_on";

fn one_for_each_register(schema: &Schema) -> Option<Check> {
    let (meters, registers) = (Meters::bind(schema)?, Registers::bind(schema)?);
    let (transfer, history) = (Readings::transfer(schema)?, Readings::history(schema));
    let named = transfer.register?;
    let installed = schema.field(INSTALLED);
    let billed_to = BilledTo::bind(schema);
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if meter.fuel != Fuel::Electricity || !meter.active {
                return;
            }
            let read: Vec<(Value<'_>, Row<'_>)> =
                meter.row.children(transfer.list).map(|row| (row.value(named), row)).collect();
            if read.iter().any(|(register, _)| register.is_faulty()) {
                return;
            }
            for register in meter.row.children(registers.list).filter(|row| registers.is_settlement(*row)) {
                let Some(id) = register.value(registers.id).text() else { continue };
                let of_it: Vec<Row<'_>> =
                    read.iter().filter(|(register, _)| register.text() == Some(id)).map(|(_, row)| *row).collect();
                match of_it.len() {
                    0 => {
                        let stated = billed_to.day_of(account, meter, Some(id));
                        if !came_later(meter, installed, stated) {
                            let near = near_misses(history.as_ref(), meter, Some(id), stated);
                            out.push(missing("missing_transfer_reading_for_register", register, near));
                        }
                    }
                    1 => {}
                    _ => out.push(several("multiple_transfer_readings_for_register", register, &of_it, transfer.date)),
                }
            }
        });
    }))
}

fn one_for_each_gas_meter(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let (transfer, history) = (Readings::transfer(schema)?, Readings::history(schema));
    let installed = schema.field(INSTALLED);
    let billed_to = BilledTo::bind(schema);
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if meter.fuel != Fuel::Gas {
                return;
            }
            if !meter.active {
                out.extend(fully_billed(&billed_to, account, meter, meters.removed, &transfer));
                return;
            }
            let readings: Vec<Row<'_>> = meter.row.children(transfer.list).collect();
            match readings.len() {
                0 => {
                    let stated = billed_to.day_of(account, meter, None);
                    if !came_later(meter, installed, stated) {
                        let near = near_misses(history.as_ref(), meter, None, stated);
                        out.push(missing("active_gas_meter_without_transfer_reading", meter.row, near));
                    }
                }
                1 => {}
                _ => {
                    let code = "active_gas_meter_with_multiple_transfer_readings";
                    out.push(several(code, meter.row, &readings, transfer.date));
                }
            }
        });
    }))
}

/// Whether a meter was installed after the day last billed to: nobody can have read it then.
fn came_later(meter: Meter<'_>, installed: Option<FieldId>, stated: Option<Stated<'_>>) -> bool {
    let installed = value_of(meter.row, installed).date();
    installed.zip(stated).is_some_and(|(installed, stated)| installed > stated.day)
}

/// The finding about a meter that was removed by the day it was billed to, and has transfer readings all the same.
fn fully_billed(
    billed_to: &BilledTo,
    account: Row<'_>,
    meter: Meter<'_>,
    removed: Option<FieldId>,
    transfer: &Readings,
) -> Option<Finding> {
    let first = meter.row.children(transfer.list).next()?;
    let day = value_of(meter.row, removed).date()?;
    let stated = billed_to.day_of(account, meter, None).filter(|stated| day <= stated.day)?;
    let message = "expected no transfer reading: the meter was removed by the day it was last billed to";
    let mut cells = first.cell(transfer.date);
    cells.extend(removed.map(|removed| meter.row.cell(removed)).unwrap_or_default());
    cells.extend(stated.cells());
    Some(finding("reading_meter_fully_billed", first.path(Some(transfer.date)), message, cells))
}

/// The historical readings of `register` on the day that a transfer reading is missing for.
fn near_misses(
    history: Option<&Readings>,
    meter: Meter<'_>,
    register: Option<&str>,
    stated: Option<Stated<'_>>,
) -> Vec<Cell> {
    let (Some(history), Some(stated)) = (history, stated) else { return Vec::new() };
    meter
        .row
        .children(history.list)
        .filter(|reading| reading.value(history.date).date() == Some(stated.day))
        .filter(|reading| register.is_none() || value_of(*reading, history.register).text() == register)
        .flat_map(|reading| reading.cell(history.date))
        .collect()
}

fn missing(code: &'static str, owner: Row<'_>, near: Vec<Cell>) -> Finding {
    let hint =
        if near.is_empty() { "" } else { "; there is a reading of that day in its history, which may be the one" };
    let message = format!("expected one transfer reading of the day it was last billed to, found none{hint}");
    let mut cells = vec![owner.record()];
    cells.extend(near);
    finding(code, owner.path(None), message, cells)
}

fn several(code: &'static str, owner: Row<'_>, readings: &[Row<'_>], date: FieldId) -> Finding {
    let message = format!("expected one transfer reading, found {}. Keep the one it was billed by", readings.len());
    let mut cells = vec![owner.record()];
    cells.extend(readings.iter().flat_map(|reading| cells_of(*reading, Some(date))));
    finding(code, owner.path(None), message, cells)
}

fn on_the_day(schema: &Schema) -> Option<Check> {
    let (meters, transfer) = (Meters::bind(schema)?, Readings::transfer(schema)?);
    let billed_to = BilledTo::bind(schema);
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            for reading in meter.row.children(transfer.list) {
                let Some(date) = reading.value(transfer.date).date() else { continue };
                let register = value_of(reading, transfer.register).text();
                let Some(stated) = billed_to.day_of(account, meter, register) else { continue };
                let day = stated.day;
                if date != day {
                    let off = (date - day).num_days();
                    let side = if off < 0 { "before" } else { "after" };
                    let message = format!(
                        "expected the transfer reading to be of the day it was last billed to; it is {} {side}",
                        days(off.abs())
                    );
                    let mut cells = reading.cell(transfer.date);
                    cells.extend(stated.cells());
                    let code = "transfer_reading_dates_must_match_last_billed_to_date";
                    out.push(finding(code, reading.path(Some(transfer.date)), message, cells));
                }
            }
        });
    }))
}
