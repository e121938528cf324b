//! Agreements against supply: whether what is billed is covered by one.

use chrono::NaiveDate;

use super::agreements::{AGREEMENTS, Period, period};
use super::billed_to::{BilledTo, Stated};
use super::place::{Rows, cells_of, value_of};
use super::supply::{POINTS, on_supply};
use super::{Check, Rule, error, finding, warning};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};
use crate::finding::{Cell, Finding};

pub(super) const RULES: &[Rule] = &[
    error(
        "agreements-cover-billable-points",
        &["meter_point_with_no_agreement", "meterpoint_with_agreement_not_on_supply"],
        "A meter point on supply has an agreement from the day it was last billed to, and one that left supply before has none.",
        billable_points,
    ),
    error(
        "agreement-covers-lbtd",
        &["no_agreement_covering_last_billed_to_date"],
        "Some agreement of a meter point on supply covers the day it was last billed to.",
        covers_billed_to,
    ),
    warning(
        "agreement-not-before-supply",
        &["agreement_start_date_before_supply_start_date"],
        "No agreement starts before supply does; another published rule lets old ones be.",
        not_before_supply,
    ),
];

/// The agreements of meter points.
struct Agreements {
    points: Rows,
    list: Option<EntityId>,
    from: Option<FieldId>,
    to: Option<FieldId>,
    supply_start: Option<FieldId>,
    supply_end: Option<FieldId>,
    billed_to: BilledTo,
}

impl Agreements {
    fn bind(schema: &Schema) -> Option<Self> {
        Some(Self {
            points: Rows::bind(schema, POINTS)?,
            list: schema.entity(AGREEMENTS),
            from: schema.field("supply_addresses.meter_points.agreements.effective_from"),
            to: schema.field("supply_addresses.meter_points.agreements.effective_to"),
            supply_start: schema.field("supply_addresses.meter_points.supply_start_date"),
            supply_end: schema.field("supply_addresses.meter_points.supply_end_date"),
            billed_to: BilledTo::bind(schema),
        })
    }

    fn rows<'a>(&self, point: Row<'a>) -> impl Iterator<Item = Row<'a>> {
        self.list.into_iter().flat_map(move |list| point.children(list))
    }

    /// The agreement's period, unless one of its dates is faulty or absent.
    fn period(&self, agreement: Row<'_>) -> Option<Period> {
        period(agreement, self.from?, self.to)
    }

    fn end(&self, agreement: Row<'_>) -> Vec<Cell> {
        cells_of(agreement, self.to)
    }
}

fn billable_points(schema: &Schema) -> Option<Check> {
    let agreements = Agreements::bind(schema)?;
    Some(Box::new(move |account, context, out| {
        agreements.points.each(account, &mut |point| {
            if on_supply(&value_of(point, agreements.supply_end), context.run_date) {
                covered(&agreements, account, point, out);
            } else {
                not_covered(&agreements, account, point, out);
            }
        });
    }))
}

fn covered(agreements: &Agreements, account: Row<'_>, point: Row<'_>, out: &mut Vec<Finding>) {
    const CODE: &str = "meter_point_with_no_agreement";
    let path = || format!("{}.agreements", point.path(None));
    let Some(first) = agreements.rows(point).next() else {
        let message = "expected an agreement of the meter point; none is left of it";
        out.push(finding(CODE, path(), message, vec![point.record()]));
        return;
    };
    let Some(stated) = agreements.billed_to.of_point(account, point) else { return };
    let ended =
        |row: Row<'_>| agreements.period(row).is_some_and(|period| period.to.is_some_and(|to| to <= stated.day));
    if agreements.rows(point).all(ended) {
        let latest = agreements.rows(point).max_by_key(|row| agreements.period(*row).and_then(|period| period.to));
        let message = "expected an agreement for what is still to be billed; the last one ends, exclusively, on the \
                       day it was last billed to or before";
        let mut cells = vec![point.record()];
        cells.extend(agreements.end(latest.unwrap_or(first)));
        cells.extend(stated.cells());
        out.push(finding(CODE, path(), message, cells));
    }
}

/// A point that left supply before the day it was last billed to has nothing left to bill.
fn not_covered(agreements: &Agreements, account: Row<'_>, point: Row<'_>, out: &mut Vec<Finding>) {
    let Some(ended) = value_of(point, agreements.supply_end).date() else { return };
    let Some(stated) = agreements.billed_to.of_point(account, point).filter(|stated| ended <= stated.day) else {
        return;
    };
    let goes_on = |period: Period| period.to.is_none_or(|to| to > stated.day);
    for row in agreements.rows(point).filter(|row| agreements.period(*row).is_some_and(goes_on)) {
        let message = "expected no agreement after the day it was last billed to: the point had left supply by then";
        let mut cells = agreements.end(row);
        cells.extend(cells_of(point, agreements.supply_end));
        cells.extend(stated.cells());
        out.push(finding("meterpoint_with_agreement_not_on_supply", row.path(None), message, cells));
    }
}

fn covers_billed_to(schema: &Schema) -> Option<Check> {
    let agreements = Agreements::bind(schema)?;
    if agreements.list.is_none() || agreements.from.is_none() || !agreements.billed_to.is_mapped() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        agreements.points.each(account, &mut |point| {
            if !on_supply(&value_of(point, agreements.supply_end), context.run_date) {
                return;
            }
            let Some(stated) = agreements.billed_to.of_point(account, point) else { return };
            // What was not supplied yet was not billed.
            if value_of(point, agreements.supply_start).date().is_some_and(|start| start > stated.day) {
                return;
            }
            // Where all have ended by then, another rule says so.
            let (mut goes_on, mut covered) = (false, false);
            for row in agreements.rows(point) {
                let period = agreements.period(row);
                goes_on |= period.is_none_or(|period| period.to.is_none_or(|to| to > stated.day));
                covered |= period.is_none_or(|period| period.covers(stated.day));
            }
            if goes_on && !covered {
                out.push(uncovered(&agreements, point, stated));
            }
        });
    }))
}

/// Names the point, the day, and the agreements nearest to it: the last before and the first after.
fn uncovered(agreements: &Agreements, point: Row<'_>, stated: Stated<'_>) -> Finding {
    let periods = || agreements.rows(point).filter_map(|row| Some((agreements.period(row)?, row)));
    let before = periods().filter(|(period, _)| period.from <= stated.day).max_by_key(|(period, _)| period.to);
    let after = periods().filter(|(period, _)| period.from > stated.day).min_by_key(|(period, _)| period.from);
    let mut cells = vec![point.record()];
    cells.extend(stated.cells());
    cells.extend(before.map(|(_, row)| agreements.end(row)).unwrap_or_default());
    cells.extend(after.map(|(_, row)| cells_of(row, agreements.from)).unwrap_or_default());
    let what = match (before, after) {
        (Some(_), Some(_)) => "one ends on or before it and the next starts after it",
        (None, _) => "the first one starts after it",
        (_, None) => "the last one ends on or before it",
    };
    let message = format!("expected an agreement that covers the day it was last billed to; {what}");
    finding("no_agreement_covering_last_billed_to_date", format!("{}.agreements", point.path(None)), message, cells)
}

fn not_before_supply(schema: &Schema) -> Option<Check> {
    let agreements = Agreements::bind(schema)?;
    let (list, from, start) = (agreements.list?, agreements.from?, agreements.supply_start?);
    Some(Box::new(move |account, _, out| {
        agreements.points.each(account, &mut |point| {
            let Some(day) = point.value(start).date() else { return };
            for row in point.children(list).filter(|row| row.value(from).date().is_some_and(|from| from < day)) {
                let message = "the agreement starts before supply does; the target may refuse the account";
                let mut cells = row.cell(from);
                cells.extend(point.cell(start));
                let code = "agreement_start_date_before_supply_start_date";
                out.push(finding(code, row.path(Some(from)), message, cells));
            }
        });
    }))
}

impl Period {
    fn covers(self, day: NaiveDate) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_covers_its_first_day_and_not_its_end() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let period = Period { from: day("2019-01-01"), to: Some(day("2019-08-01")) };
        assert!(period.covers(day("2019-01-01")) && period.covers(day("2019-07-31")));
        assert!(!period.covers(day("2019-08-01")) && !period.covers(day("2018-12-31")));
        assert!(Period { to: None, ..period }.covers(day("2030-01-01")));
    }
}
