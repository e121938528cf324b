//! Meters count upwards.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::metering::{Meters, Readings};
use super::place::value_of;
use super::{Check, Rule, finding};
use crate::assemble::view::{FieldId, Row, Schema};
use crate::finding::Severity;

const CODE: &str = "decreasing_reading";

pub(super) const RULES: &[Rule] = &[Rule {
    id: "readings-increase",
    codes: &[CODE],
    severity: Severity::Warning,
    doc: "No reading of a register is lower than an earlier day's.",
    bind: increasing,
}];

fn increasing(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let lists: Vec<(Readings, FieldId)> = [Readings::history(schema), Readings::transfer(schema)]
        .into_iter()
        .flatten()
        .filter_map(|readings| readings.value.map(|value| (readings, value)))
        .collect();
    if lists.is_empty() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if falls_backwards(meter.row, &lists) {
                return;
            }
            let mut by_register: BTreeMap<&str, Vec<Reading<(Row<'_>, FieldId)>>> = BTreeMap::new();
            for (readings, value) in &lists {
                for row in meter.row.children(readings.list) {
                    let register = value_of(row, readings.register).text().unwrap_or_default();
                    if let (Some(date), Some(amount)) = (row.value(readings.date).date(), row.value(*value).decimal()) {
                        let reading = Reading { date, amount, place: (row, *value) };
                        by_register.entry(register).or_default().push(reading);
                    }
                }
            }
            for readings in by_register.values_mut() {
                for (lower, higher) in decreases(readings) {
                    let (row, value) = lower;
                    let mut cells = row.cell(value);
                    cells.extend(higher.0.cell(higher.1));
                    let message =
                        "the reading is lower than an earlier day's; it is a typing error unless the dial went round";
                    out.push(finding(CODE, row.path(Some(value)), message, cells));
                }
            }
        });
    }))
}

/// Whether each register's readings go from day to earlier day and never rise on the way, the last list first: so they
/// nearly always stand, and then nothing is wrong with them. Long names of registers are left to the thorough look.
fn falls_backwards(meter: Row<'_>, lists: &[(Readings, FieldId)]) -> bool {
    let mut registers: Vec<(u64, NaiveDate, Decimal)> = Vec::new();
    lists.iter().rev().all(|(readings, value)| {
        meter.children(readings.list).all(|row| {
            let (Some(date), Some(amount)) = (row.value(readings.date).date(), row.value(*value).decimal()) else {
                return true;
            };
            let register = match readings.register {
                Some(field) if !row.value(field).is_absent() => row.short_text(field),
                _ => Some(0),
            };
            let Some(register) = register else { return false };
            if let Some((_, day, last)) = registers.iter_mut().find(|(known, ..)| *known == register) {
                let falls = date < *day && amount <= *last || date == *day && amount == *last;
                (*day, *last) = (date, amount);
                return falls;
            }
            registers.push((register, date, amount));
            true
        })
    })
}

/// A reading and where it stands.
#[derive(Clone, Copy)]
struct Reading<Place> {
    date: NaiveDate,
    amount: Decimal,
    place: Place,
}

/// The places of each reading that is lower than the last one of an earlier day, and of that one.
fn decreases<Place: Copy>(readings: &mut [Reading<Place>]) -> Vec<(Place, Place)> {
    readings.sort_by_key(|reading| (reading.date, reading.amount));
    let mut decreases = Vec::new();
    let mut earlier: Option<Reading<Place>> = None;
    for day in readings.chunk_by(|a, b| a.date == b.date) {
        if let Some(earlier) = earlier {
            let lower = day.iter().filter(|reading| reading.amount < earlier.amount);
            decreases.extend(lower.map(|reading| (reading.place, earlier.place)));
        }
        earlier = day.last().copied();
    }
    decreases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(of: &[(&str, i64)]) -> Vec<Reading<usize>> {
        let reading = |(place, (date, amount)): (usize, &(&str, i64))| Reading {
            date: date.parse().unwrap(),
            amount: Decimal::new(*amount, 2),
            place,
        };
        of.iter().enumerate().map(reading).collect()
    }

    #[test]
    fn readings_that_stay_or_rise_are_fine_in_any_order() {
        let mut rising = readings(&[("2019-08-01", 100_000), ("2019-05-20", 96_000), ("2019-06-20", 96_000)]);
        assert_eq!(decreases(&mut rising), []);
        assert_eq!(decreases::<usize>(&mut []), []);
    }

    #[test]
    fn a_low_reading_is_told_once_with_the_one_before() {
        let mut slump = readings(&[("2019-08-01", 100_000), ("2019-06-20", 0), ("2019-05-20", 96_000)]);
        assert_eq!(decreases(&mut slump), [(1, 2)]);
    }

    #[test]
    fn readings_of_one_day_are_in_no_order() {
        let mut day = readings(&[("2019-06-20", 98_100), ("2019-06-20", 98_000), ("2019-08-01", 98_050)]);
        assert_eq!(decreases(&mut day), [(2, 0)]);
    }
}
