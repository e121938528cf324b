//! Meters that were taken away: exchanged ones, and those of points that left supply.
//!
//! An exchange counts while it is to be billed, which is when the old meter was removed after the day it was last
//! billed to; what came before is another supplier's past.

use chrono::{Days, NaiveDate};

use super::billed_to::{BilledTo, Stated};
use super::metering::{Fuel, METERS, Meter, Meters, Readings, Registers};
use super::place::{Rows, cells_of, value_of};
use super::supply::{POINTS, on_supply};
use super::{Check, Rule, error, finding, warning};
use crate::assemble::view::{FieldId, Row, Schema};
use crate::finding::{Cell, Finding};

pub(super) const RULES: &[Rule] = &[
    error(
        "exchange-readings",
        &["no_reading_on_removed_on", "no_transfer_reading_on_exchanged_meter"],
        "A meter that was exchanged after it was last billed to has a transfer reading, and one of the day it was removed.",
        exchange_readings,
    ),
    warning(
        "exchange-lbtd",
        &["no_last_billed_to_date_on_exchanged_meter", "last_billed_to_date_on_new_meter"],
        "A meter that was exchanged after it was last billed to says to which day, and the meter after it does not.",
        exchange_days,
    ),
    error(
        "dummy-exchange-valid",
        &["multiple_non_dmex_meters_with_serial_number"],
        "Two meters of a point have one serial number only if the later one was installed on the day after the earlier one was removed.",
        dummy_exchanges,
    ),
    error(
        "final-reading-off-supply",
        &["no_reading_on_supply_end_date"],
        "The meters of a point that has left supply have a reading of the day it did, each settlement register one.",
        final_readings,
    ),
];

/// Both lists of a meter's readings.
struct AllReadings {
    transfer: Option<Readings>,
    history: Option<Readings>,
    registers: Option<Registers>,
}

impl AllReadings {
    fn bind(schema: &Schema) -> Option<Self> {
        let (transfer, history) = (Readings::transfer(schema), Readings::history(schema));
        let registers = Registers::bind(schema);
        (transfer.is_some() || history.is_some()).then_some(Self { transfer, history, registers })
    }

    /// The readings of a meter, of one register if its name is given: their days and cells.
    fn of<'a>(
        &'a self,
        meter: Row<'a>,
        register: Option<&'a str>,
    ) -> impl Iterator<Item = (Option<NaiveDate>, Row<'a>, FieldId)> {
        self.transfer.iter().chain(&self.history).flat_map(move |list| {
            meter
                .children(list.list)
                .filter(move |row| register.is_none() || value_of(*row, list.register).text() == register)
                .map(move |row| (row.value(list.date).date(), row, list.date))
        })
    }

    /// What must be read of a meter: its settlement registers, or the meter itself. Rows with their names.
    fn streams<'a>(&self, meter: Meter<'a>) -> Vec<(Row<'a>, Option<&'a str>)> {
        match (&self.registers, meter.fuel) {
            (Some(registers), Fuel::Electricity) => meter
                .row
                .children(registers.list)
                .filter(|row| registers.is_settlement(*row))
                .filter_map(|row| Some((row, Some(row.value(registers.id).text()?))))
                .collect(),
            _ => vec![(meter.row, None)],
        }
    }

    /// The stream has no reading of `day`, as far as can be read: the days nearest to it, one on each side.
    fn lacks<'a>(&'a self, meter: Row<'a>, register: Option<&'a str>, day: NaiveDate) -> Option<Vec<Cell>> {
        let readings = || self.of(meter, register);
        if readings().any(|(date, ..)| date.is_none_or(|date| date == day)) {
            return None;
        }
        let before = readings().filter(|(date, ..)| *date < Some(day)).max_by_key(|(date, ..)| *date);
        let after = readings().filter(|(date, ..)| *date > Some(day)).min_by_key(|(date, ..)| *date);
        Some([before, after].into_iter().flatten().flat_map(|(_, row, field)| row.cell(field)).collect())
    }
}

/// A meter that was removed after it was last billed to: the day, and what it was billed to.
fn unbilled_exchange<'a>(
    billed_to: &BilledTo,
    account: Row<'a>,
    meter: Meter<'a>,
    removed: FieldId,
) -> Option<(NaiveDate, Stated<'a>)> {
    let day = meter.row.value(removed).date()?;
    let stated = billed_to.own(meter.row).or_else(|| billed_to.day_of(account, meter, None))?;
    (day > stated.day).then_some((day, stated))
}

fn exchange_readings(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let removed = meters.removed?;
    let readings = AllReadings::bind(schema)?;
    let billed_to = BilledTo::bind(schema);
    if !billed_to.is_mapped() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            let Some((day, stated)) = unbilled_exchange(&billed_to, account, meter, removed) else { return };
            for (row, register) in readings.streams(meter) {
                if let Some(near) = readings.lacks(meter.row, register, day) {
                    let message = "expected a reading of the day the meter was removed, found none; the nearest ones before and after it follow";
                    out.push(lacking("no_reading_on_removed_on", row, meter.row.cell(removed), near, message));
                }
            }
            let transferred = readings.transfer.is_some_and(|list| meter.row.children(list.list).len() > 0);
            if !transferred {
                let near = readings.of(meter.row, None).filter(|(date, ..)| *date == Some(stated.day));
                let near = near.flat_map(|(_, row, field)| row.cell(field)).collect();
                let message = "expected a transfer reading of the exchanged meter: it was removed after the day it was last billed to";
                let code = "no_transfer_reading_on_exchanged_meter";
                out.push(lacking(code, meter.row, stated.cells(), near, message));
            }
        });
    }))
}

/// A reading that is not there: names what should have had it, why, and the near misses.
fn lacking(code: &'static str, owner: Row<'_>, why: Vec<Cell>, near: Vec<Cell>, message: &str) -> Finding {
    let mut cells = vec![owner.record()];
    cells.extend(why);
    cells.extend(near);
    finding(code, owner.path(None), message, cells)
}

fn exchange_days(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let removed = meters.removed?;
    let installed = schema.field("supply_addresses.meter_points.meters.installed_on");
    let billed_to = BilledTo::bind(schema);
    if !billed_to.is_mapped() {
        return None;
    }
    let list = schema.entity(METERS)?;
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            let Some((day, stated)) = unbilled_exchange(&billed_to, account, meter, removed) else { return };
            if billed_to.own(meter.row).is_none() {
                let mut cells = vec![meter.row.record()];
                cells.extend(meter.row.cell(removed));
                cells.extend(stated.cells());
                let message = "the meter was exchanged after the day it was last billed to, which stands at its point or \
                               the account; the target may want it at the meter or its registers";
                out.push(finding("no_last_billed_to_date_on_exchanged_meter", meter.row.path(None), message, cells));
            }
            for other in meter.point.children(list) {
                let follows = value_of(other, installed).date().is_some_and(|from| from >= day);
                if let Some(own) = billed_to.own(other).filter(|_| follows) {
                    let mut cells = own.cells();
                    cells.extend(meter.row.cell(removed));
                    let message = "expected no day of its own to which this meter was billed: the one before it was \
                                   removed after it was last billed to";
                    out.push(finding("last_billed_to_date_on_new_meter", other.path(None), message, cells));
                }
            }
        });
    }))
}

fn dummy_exchanges(schema: &Schema) -> Option<Check> {
    let points = Rows::bind(schema, POINTS)?;
    let list = schema.entity(METERS)?;
    let serial = schema.field("supply_addresses.meter_points.meters.meter_serial_number")?;
    let installed = schema.field("supply_addresses.meter_points.meters.installed_on");
    let removed = schema.field("supply_addresses.meter_points.meters.removed_on");
    let follows = move |earlier: Row<'_>, later: Row<'_>| {
        let gone = value_of(earlier, removed).date().and_then(|day| day.checked_add_days(Days::new(1)));
        gone.is_some() && gone == value_of(later, installed).date()
    };
    let unsure = move |meter: Row<'_>| value_of(meter, installed).is_faulty() || value_of(meter, removed).is_faulty();
    Some(Box::new(move |account, _, out| {
        points.each(account, &mut |point| {
            for (at, meter) in point.children(list).enumerate() {
                let Some(name) = meter.value(serial).text() else { continue };
                for other in point.children(list).take(at).filter(|other| other.value(serial).text() == Some(name)) {
                    if follows(other, meter) || follows(meter, other) || unsure(other) || unsure(meter) {
                        continue;
                    }
                    let mut cells = meter.cell(serial);
                    cells.extend(cells_of(meter, installed));
                    cells.extend(cells_of(other, removed));
                    let message = "expected another serial number, or a meter installed on the day after the other one \
                                   of this number was removed";
                    let code = "multiple_non_dmex_meters_with_serial_number";
                    out.push(finding(code, meter.path(Some(serial)), message, cells));
                }
            }
        });
    }))
}

fn final_readings(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let end = meters.supply_end?;
    let readings = AllReadings::bind(schema)?;
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            let ended = meter.point.value(end);
            let Some(day) = ended.date().filter(|_| !on_supply(&ended, context.run_date)) else { return };
            // A meter that was removed before has had its own end.
            if !value_of(meter.row, meters.removed).is_absent() {
                return;
            }
            for (row, register) in readings.streams(meter) {
                if let Some(near) = readings.lacks(meter.row, register, day) {
                    let message = "expected a reading of the day on which supply ended, found none; the nearest ones before and after it follow";
                    out.push(lacking("no_reading_on_supply_end_date", row, meter.point.cell(end), near, message));
                }
            }
        });
    }))
}
