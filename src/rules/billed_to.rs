//! The day up to which somebody else has billed: where it stands, and what follows from it.
//!
//! It may stand at the account, a meter point, a gas meter or an electricity register; the lowest level that says it
//! counts.

use chrono::{Days, NaiveDate};

use super::metering::{Fuel, METERS, Meter, Meters, Readings, Registers};
use super::place::{Nested, Rows, value_of};
use super::supply::POINTS;
use super::{Check, Rule, days, error, finding};
use crate::assemble::view::{FieldId, Row, Schema};
use crate::finding::Cell;

pub(super) const RULES: &[Rule] = &[
    error(
        "lbtd-present",
        &["last_billed_to_date_not_found"],
        "A meter with billed readings says to which day it was billed, or its register, point or account does.",
        billed_says_so,
    ),
    error(
        "billing-start-derivable",
        &["cannot_determine_responsible_for_billing_from_date"],
        "An account says from when it is to be billed, by the day it was last billed to, a statement's closing or an agreement.",
        start_derivable,
    ),
    error(
        "billed-reading-not-after-lbtd",
        &["billed_reading_after_last_billed_to_date"],
        "No reading after the day a register was last billed to has been billed.",
        billed_readings,
    ),
    error(
        "prepay-vend-read-date",
        &["transfer_vend_read_date_must_match_last_billed_to_date", "prepay_details_on_fully_billed_meter"],
        "A prepay meter was last read for vending on the day before the day it was last billed to, and has details unless it is fully billed.",
        vend_read,
    ),
];

/// A day and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    pub(super) day: NaiveDate,
    row: Row<'a>,
    field: FieldId,
}

impl<'a> Stated<'a> {
    pub(super) fn by(row: Row<'a>, field: Option<FieldId>) -> Option<Self> {
        let field = field?;
        Some(Self { day: row.value(field).date()?, row, field })
    }

    /// The cells that say it.
    pub(super) fn cells(&self) -> Vec<Cell> {
        self.row.cell(self.field)
    }
}

/// The days an account was last billed to, from the register up to the account.
pub(super) struct BilledTo {
    account: Option<FieldId>,
    point: Option<FieldId>,
    meter: Option<FieldId>,
    register: Option<FieldId>,
    registers: Option<Registers>,
    points: Option<Rows>,
    meters: Option<Meters>,
}

impl BilledTo {
    pub(super) fn bind(schema: &Schema) -> Self {
        Self {
            account: schema.field("last_billed_to_date"),
            point: schema.field("supply_addresses.meter_points.last_billed_to_date"),
            meter: schema.field("supply_addresses.meter_points.meters.last_billed_to_date"),
            register: schema.field("supply_addresses.meter_points.meters.registers.last_billed_to_date"),
            registers: Registers::bind(schema),
            points: Rows::bind(schema, POINTS),
            meters: Meters::bind(schema),
        }
    }

    /// Whether any level is mapped.
    pub(super) fn is_mapped(&self) -> bool {
        [self.account, self.point, self.meter, self.register].iter().any(Option::is_some)
    }

    /// The row and field that say to which day `register` of `meter` was last billed: the lowest level that says so.
    pub(super) fn of<'a>(
        &self,
        account: Row<'a>,
        meter: Meter<'a>,
        register: Option<&str>,
    ) -> Option<(Row<'a>, FieldId)> {
        let row = self.register.and_then(|_| self.register_called(meter.row, register?));
        [
            (row, self.register),
            (Some(meter.row), self.meter),
            (Some(meter.point), self.point),
            (Some(account), self.account),
        ]
        .into_iter()
        .filter_map(|(row, field)| Some((row?, field?)))
        .find(|(row, field)| !row.value(*field).is_absent())
    }

    /// The same as a day, if it can be read.
    pub(super) fn day_of<'a>(&self, account: Row<'a>, meter: Meter<'a>, register: Option<&str>) -> Option<Stated<'a>> {
        let (row, field) = self.of(account, meter, register)?;
        Stated::by(row, Some(field))
    }

    fn register_called<'a>(&self, meter: Row<'a>, id: &str) -> Option<Row<'a>> {
        let registers = self.registers.as_ref()?;
        meter.children(registers.list).find(|row| row.value(registers.id).text() == Some(id))
    }

    /// Whether a meter, or one of its registers, says a day of its own; the first such day.
    pub(super) fn own<'a>(&self, meter: Row<'a>) -> Option<Stated<'a>> {
        Stated::by(meter, self.meter).or_else(|| {
            let (registers, field) = (self.registers.as_ref()?, self.register?);
            meter.children(registers.list).find_map(|row| Stated::by(row, Some(field)))
        })
    }

    /// The day a meter point was last billed to: its own, or the account's. Where only its meters or registers say
    /// so, they may differ, and none does.
    pub(super) fn of_point<'a>(&self, account: Row<'a>, point: Row<'a>) -> Option<Stated<'a>> {
        Stated::by(point, self.point).or_else(|| Stated::by(account, self.account))
    }

    /// Whether the account itself says nothing, readable or not.
    pub(super) fn account_says_nothing(&self, account: Row<'_>) -> bool {
        value_of(account, self.account).is_absent()
    }

    /// The earliest day that any level says.
    pub(super) fn earliest<'a>(&self, account: Row<'a>, today: NaiveDate) -> Option<Stated<'a>> {
        let mut first = Stated::by(account, self.account);
        let mut take = |stated: Option<Stated<'a>>| {
            if let Some(stated) = stated
                && first.is_none_or(|first| stated.day < first.day)
            {
                first = Some(stated);
            }
        };
        if let (Some(points), Some(_)) = (&self.points, self.point) {
            points.each(account, &mut |point| take(Stated::by(point, self.point)));
        }
        if let Some(meters) = self.meters.as_ref().filter(|_| self.meter.is_some() || self.register.is_some()) {
            meters.each(account, today, &mut |meter| {
                take(Stated::by(meter.row, self.meter));
                if let (Some(registers), Some(_)) = (&self.registers, self.register) {
                    meter.row.children(registers.list).for_each(|row| take(Stated::by(row, self.register)));
                }
            });
        }
        first
    }
}

fn billed_says_so(schema: &Schema) -> Option<Check> {
    let (meters, history) = (Meters::bind(schema)?, Readings::history(schema)?);
    let billed = schema.field("supply_addresses.meter_points.meters.reading_history.billed")?;
    let profile = schema.field("supply_addresses.meter_points.profile_class");
    let billed_to = BilledTo::bind(schema);
    Some(Box::new(move |account, context, out| {
        if !value_of(account, billed_to.account).is_absent() {
            return;
        }
        meters.each(account, context.run_date, &mut |meter| {
            // Half-hourly meters are exempt, and so are those whose successors have been billed.
            if !meter.active || value_of(meter.point, profile).integer() == Some(0) {
                return;
            }
            let was_billed = |reading: &Row<'_>| reading.value(billed).bool() == Some(true);
            let unsaid =
                meter.row.children(history.list).filter(was_billed).find(|reading| {
                    billed_to.of(account, meter, value_of(*reading, history.register).text()).is_none()
                });
            if let Some(reading) = unsaid {
                let message = "expected the day up to which the meter was billed, at it, its registers, its point or \
                               the account: it has a reading that was billed";
                let mut cells = vec![meter.row.record()];
                cells.extend(reading.cell(billed));
                out.push(finding("last_billed_to_date_not_found", meter.row.path(None), message, cells));
            }
        });
    }))
}

fn start_derivable(schema: &Schema) -> Option<Check> {
    let points = Rows::bind(schema, POINTS)?;
    let billed_to = BilledTo::bind(schema);
    let closed = schema.field("last_statement_closing_date");
    let (ledgers, ledger_closed) = (schema.entity("ledgers"), schema.field("ledgers.last_statement_closing_date"));
    let agreements = schema.entity("supply_addresses.meter_points.agreements");
    let from = schema.field("supply_addresses.meter_points.agreements.effective_from");
    Some(Box::new(move |account, context, out| {
        if !value_of(account, billed_to.account).is_absent() || !value_of(account, closed).is_absent() {
            return;
        }
        let closed = |ledger: Row<'_>| !value_of(ledger, ledger_closed).is_absent();
        if ledgers.is_some_and(|ledgers| account.children(ledgers).any(closed))
            || billed_to.earliest(account, context.run_date).is_some()
        {
            return;
        }
        let (mut known, mut rows) = (false, Vec::new());
        points.each(account, &mut |point| {
            rows.push(point.record());
            known |= agreements
                .is_some_and(|list| point.children(list).any(|agreement| !value_of(agreement, from).is_absent()));
        });
        if !known && !rows.is_empty() {
            let message = "expected a day from which to bill: the day it was last billed to, the closing of a \
                           statement, or the start of an agreement";
            rows.insert(0, account.record());
            out.push(finding("cannot_determine_responsible_for_billing_from_date", String::new(), message, rows));
        }
    }))
}

fn billed_readings(schema: &Schema) -> Option<Check> {
    let (meters, history) = (Meters::bind(schema)?, Readings::history(schema)?);
    let billed = schema.field("supply_addresses.meter_points.meters.reading_history.billed")?;
    let billed_to = BilledTo::bind(schema);
    if !billed_to.is_mapped() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            let of_meter = billed_to.day_of(account, meter, None);
            for reading in meter.row.children(history.list) {
                let Some(date) = reading.value(history.date).date() else { continue };
                let stated = match billed_to.register {
                    None => of_meter,
                    Some(_) => billed_to.day_of(account, meter, value_of(reading, history.register).text()),
                };
                let Some(stated) = stated.filter(|stated| date > stated.day) else { continue };
                if reading.value(billed).bool() == Some(true) {
                    let late = days((date - stated.day).num_days());
                    let message =
                        format!("a billed reading is of the day it was last billed to or before; this is {late} later");
                    let mut cells = reading.cell(history.date);
                    cells.extend(reading.cell(billed));
                    cells.extend(stated.cells());
                    let code = "billed_reading_after_last_billed_to_date";
                    out.push(finding(code, reading.path(Some(history.date)), message, cells));
                }
            }
        });
    }))
}

fn vend_read(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let read = Nested::bind(schema, METERS, "prepay_details.transfer_vend_read_date")?;
    let removed = meters.removed;
    let registers = Registers::bind(schema);
    let billed_to = BilledTo::bind(schema);
    if !billed_to.is_mapped() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            let Some(details) = read.of(meter.row) else { return };
            let Some(date) = details.value(read.field).date() else { return };
            // Registers may differ: the day before that of any of them will do.
            let of_register =
                |row: Row<'_>| billed_to.register.is_some_and(|_| before(Stated::by(row, billed_to.register), date));
            let Some(stated) = billed_to.own(meter.row).or_else(|| billed_to.day_of(account, meter, None)) else {
                return;
            };
            if let Some(day) = value_of(meter.row, removed).date().filter(|day| *day <= stated.day) {
                let message =
                    format!("expected no prepay details: the meter was removed on {day} and is billed to its end");
                let mut cells = details.cell(read.field);
                cells.extend(removed.map(|removed| meter.row.cell(removed)).unwrap_or_default());
                cells.extend(stated.cells());
                out.push(finding(
                    "prepay_details_on_fully_billed_meter",
                    details.path(Some(read.field)),
                    message,
                    cells,
                ));
                return;
            }
            let by_register = meter.fuel == Fuel::Electricity
                && registers.as_ref().is_some_and(|registers| meter.row.children(registers.list).any(of_register));
            if !before(Some(stated), date) && !by_register {
                let message = "expected the day before the day it was last billed to";
                let mut cells = details.cell(read.field);
                cells.extend(stated.cells());
                let code = "transfer_vend_read_date_must_match_last_billed_to_date";
                out.push(finding(code, details.path(Some(read.field)), message, cells));
            }
        });
    }))
}

/// Whether `date` is the day before the stated one.
fn before(stated: Option<Stated<'_>>, date: NaiveDate) -> bool {
    stated.is_some_and(|stated| date.checked_add_days(Days::new(1)) == Some(stated.day))
}
