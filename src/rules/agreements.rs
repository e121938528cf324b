//! Agreements: what a supply point is billed by, from day to day.

use chrono::NaiveDate;

use super::place::{Rows, cells_of, value_of};
use super::supply::POINTS;
use super::{Check, Rule, days, finding};
use crate::assemble::view::{FieldId, Row, Schema, Value};
use crate::finding::{Finding, Severity};

/// The path of agreements.
pub(super) const AGREEMENTS: &str = "supply_addresses.meter_points.agreements";

const CODE: &str = "gaps_or_overlaps_in_agreement_dates";

pub(super) const RULES: &[Rule] = &[Rule {
    id: "agreements-consecutive",
    codes: &[CODE],
    severity: Severity::Error,
    doc: "Each agreement of a meter point ends, exclusively, on the day the next one starts; gaps before supply started are fine.",
    bind: consecutive,
}];

/// From a day on, until another one exclusively.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) from: NaiveDate,
    pub(super) to: Option<NaiveDate>,
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Gap {
        days: i64,
    },
    Overlap {
        days: i64,
    },
    /// The earlier one has no end.
    Open,
}

/// What is wrong between an agreement and the next, given the day on which supply started.
fn joint(earlier: Period, later: Period, supply_start: Option<NaiveDate>) -> Option<Fault> {
    let Some(to) = earlier.to else { return Some(Fault::Open) };
    let days = (later.from - to).num_days();
    if days < 0 {
        return Some(Fault::Overlap { days: -days });
    }
    let before_supply = supply_start.is_some_and(|start| to <= start);
    (days > 0 && !before_supply).then_some(Fault::Gap { days })
}

fn consecutive(schema: &Schema) -> Option<Check> {
    let points = Rows::bind(schema, POINTS)?;
    let agreements = schema.entity(AGREEMENTS)?;
    let from = schema.field("supply_addresses.meter_points.agreements.effective_from")?;
    let to = schema.field("supply_addresses.meter_points.agreements.effective_to");
    let start = schema.field("supply_addresses.meter_points.supply_start_date");
    Some(Box::new(move |account, _, out| {
        points.each(account, &mut |point| {
            let periods: Option<Vec<(Period, Row<'_>)>> =
                point.children(agreements).map(|row| Some((period(row, from, to)?, row))).collect();
            let Some(mut periods) = periods else { return };
            periods.sort_by_key(|(period, _)| (period.from, period.to.unwrap_or(NaiveDate::MAX)));
            let start = value_of(point, start).date();
            for pair in periods.windows(2) {
                let [(earlier, earlier_row), (later, later_row)] = pair else { continue };
                if let Some(fault) = joint(*earlier, *later, start) {
                    out.push(told(&fault, *earlier_row, *later_row, from, to));
                }
            }
        });
    }))
}

/// The period of an agreement, unless one of its dates is faulty.
pub(super) fn period(row: Row<'_>, from: FieldId, to: Option<FieldId>) -> Option<Period> {
    let to = match value_of(row, to) {
        Value::Absent => None,
        end => Some(end.date()?),
    };
    Some(Period { from: row.value(from).date()?, to })
}

fn told(fault: &Fault, earlier: Row<'_>, later: Row<'_>, from: FieldId, to: Option<FieldId>) -> Finding {
    let what = match fault {
        Fault::Gap { days: count } => format!("{} without an agreement follow this one's end", days(*count)),
        Fault::Overlap { days: count } => format!("this agreement ends {} after the next one starts", days(*count)),
        Fault::Open => "this agreement has no end, but another one follows".to_owned(),
    };
    let message = format!("expected each agreement to end (exclusively) on the day the next one starts; {what}");
    let mut cells = cells_of(earlier, to);
    cells.extend(later.cell(from));
    finding(CODE, earlier.path(to), message, cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn between(from: &str, to: Option<&str>) -> Period {
        Period { from: day(from), to: to.map(day) }
    }

    #[test]
    fn an_agreement_ends_on_the_day_the_next_one_starts() {
        let first = between("2019-01-01", Some("2019-08-01"));
        assert_eq!(joint(first, between("2019-08-01", None), None), None);
        assert_eq!(joint(first, between("2019-08-08", None), None), Some(Fault::Gap { days: 7 }));
        assert_eq!(joint(first, between("2019-07-25", None), None), Some(Fault::Overlap { days: 7 }));
        assert_eq!(joint(between("2019-01-01", None), between("2019-08-01", None), None), Some(Fault::Open));
    }

    #[test]
    fn gaps_before_supply_started_are_fine_and_overlaps_are_not() {
        let first = between("2018-01-01", Some("2018-06-01"));
        let second = between("2019-01-01", None);
        assert_eq!(joint(first, second, Some(day("2019-01-01"))), None);
        assert_eq!(joint(first, second, Some(day("2018-05-31"))), Some(Fault::Gap { days: 214 }));
        let early = between("2018-05-01", None);
        assert_eq!(joint(first, early, Some(day("2019-01-01"))), Some(Fault::Overlap { days: 31 }));
    }
}
