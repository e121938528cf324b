//! Lists of periods: which may overlap, which must follow each other, which may stay open.
//!
//! Ends are not of one kind: those of tax exemptions and contribution periods are exclusive, those of contribution
//! agreements inclusive. Of payment schedules and capacity values it is not published in one voice, so a next one may
//! start on the day the one before ends or on the day after.

use chrono::{Days, NaiveDate};

use super::place::{Rows, cells_of, value_of};
use super::{Check, Rule, days, error, finding, warning};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};
use crate::finding::{Cell, Finding};

const CONFIGURATIONS: &str = "supply_addresses.meter_points.configuration_periods";
const CAPACITIES: &str = "supply_addresses.meter_points.capacity_values";
const SCHEDULES: PeriodList = PeriodList {
    within: "",
    list: "payment_schedules",
    from: "start_date",
    to: "end_date",
    group: Some("ledger_code"),
    unless: Some("is_debt_repayment_plan"),
};

pub(super) const RULES: &[Rule] = &[
    error(
        "tax-exemptions-disjoint",
        &["overlapping_effective_dates_for_tax_exemptions"],
        "No tax exemption starts before another one of its list ends.",
        |schema| disjoint(schema, &EXEMPTIONS, Ends::Exclusive, "overlapping_effective_dates_for_tax_exemptions"),
    ),
    error(
        "one-open-tax-exemption",
        &["multiple_open_ended_tax_exemptions"],
        "At most one tax exemption of a list has no end.",
        one_open_exemption,
    ),
    error(
        "contribution-agreements-disjoint",
        &["overlapping_contribution_agreements"],
        "No two contribution agreements of one scheme are active on one day.",
        |schema| disjoint(schema, &[CONTRIBUTIONS], Ends::Inclusive, "overlapping_contribution_agreements"),
    ),
    error(
        "contribution-periods-inside",
        &[
            "invalid_contribution_period_start_date",
            "invalid_contribution_period_end_date",
            "overlapping_contribution_periods",
        ],
        "The periods of a contribution agreement lie within its active period and do not overlap.",
        contribution_periods,
    ),
    error(
        "schedules-disjoint",
        &["payment_schedule_date_overlaps"],
        "No payment schedule of a ledger starts before another one ends, debt repayment plans aside.",
        schedules_disjoint,
    ),
    error(
        "schedules-distinct-start",
        &["payment_schedule_date_overlaps"],
        "No two payment schedules of a ledger start on one day, debt repayment plans aside.",
        distinct_starts,
    ),
    error(
        "schedules-no-future-gap",
        &["payment_schedule_date_gaps"],
        "A payment schedule that is yet to start follows the current one without a gap, debt repayment plans aside.",
        future_gaps,
    ),
    warning(
        "periods-consecutive",
        &["gaps_or_overlaps_in_periods", "zero_length_periods"],
        "Configuration periods follow each other without a gap, and so do capacity values.",
        consecutive,
    ),
    error(
        "configuration-periods-past-and-open",
        &["configuration_period_starts_in_future", "latest_configuration_period_not_open_ended"],
        "Configuration periods have started by the run date, and the latest one has no end.",
        past_and_open,
    ),
];

/// Where periods stand.
struct PeriodList {
    within: &'static str,
    list: &'static str,
    from: &'static str,
    to: &'static str,
    /// Only periods that share this text, if any, are compared.
    group: Option<&'static str>,
    /// Periods with this flag raised are left alone.
    unless: Option<&'static str>,
}

const fn of_point(list: &'static str, from: &'static str, to: &'static str) -> PeriodList {
    PeriodList { within: "supply_addresses.meter_points", list, from, to, group: None, unless: None }
}

const EXEMPTIONS: [PeriodList; 2] = [
    of_point("supply_addresses.meter_points.ccl_exemptions", "effective_from", "effective_to"),
    of_point("supply_addresses.meter_points.vat_exemptions", "effective_from", "effective_to"),
];
const CONTRIBUTIONS: PeriodList = PeriodList {
    within: "",
    list: "contribution_agreements",
    from: "active_period_start_date",
    to: "active_period_end_date",
    group: Some("scheme"),
    unless: None,
};

#[derive(Clone, Copy)]
enum Ends {
    Inclusive,
    Exclusive,
}

/// A period and where it stands.
#[derive(Clone, Copy)]
struct Span<'a> {
    group: &'a str,
    from: NaiveDate,
    to: Option<NaiveDate>,
    row: Row<'a>,
}

/// A [`PeriodList`] bound to a schema.
struct Spans {
    owners: Rows,
    list: EntityId,
    from: FieldId,
    to: Option<FieldId>,
    group: Option<FieldId>,
    unless: Option<FieldId>,
}

impl Spans {
    fn bind(schema: &Schema, list: &PeriodList) -> Option<Self> {
        let field = |name: &str| schema.field(&format!("{}.{name}", list.list));
        Some(Self {
            owners: Rows::bind(schema, list.within)?,
            list: schema.entity(list.list)?,
            from: field(list.from)?,
            to: field(list.to),
            group: list.group.and_then(field),
            unless: list.unless.and_then(field),
        })
    }

    /// The periods of `owner` by group and start. Empty if fewer than `least`, or if one of them cannot be read.
    fn of<'a>(&self, owner: Row<'a>, least: usize) -> Vec<Span<'a>> {
        if owner.children(self.list).len() < least {
            return Vec::new();
        }
        let counts = |row: &Row<'_>| !matches!(value_of(*row, self.unless), Value::Bool(true) | Value::Faulty);
        let spans: Option<Vec<Span<'a>>> = owner.children(self.list).filter(counts).map(|row| self.span(row)).collect();
        let mut spans = spans.unwrap_or_default();
        spans.sort_by_key(|span| (span.group, span.from, span.to.unwrap_or(NaiveDate::MAX)));
        spans
    }

    fn span<'a>(&self, row: Row<'a>) -> Option<Span<'a>> {
        let to = match value_of(row, self.to) {
            Value::Absent => None,
            end => Some(end.date()?),
        };
        Some(Span {
            group: value_of(row, self.group).text().unwrap_or_default(),
            from: row.value(self.from).date()?,
            to,
            row,
        })
    }

    /// The later one's start and the earlier one's end.
    fn joint(&self, later: Span<'_>, earlier: Span<'_>) -> Vec<Cell> {
        let mut cells = later.row.cell(self.from);
        cells.extend(cells_of(earlier.row, self.to));
        cells
    }

    fn finding(&self, code: &'static str, message: &str, later: Span<'_>, earlier: Span<'_>) -> Finding {
        finding(code, later.row.path(Some(self.from)), message, self.joint(later, earlier))
    }
}

/// Each period that starts before an earlier one of its group has ended, with the one that goes furthest.
fn overlaps<'a>(spans: &[Span<'a>], ends: Ends) -> Vec<(Span<'a>, Span<'a>)> {
    let mut overlaps = Vec::new();
    let mut last: Option<Span<'a>> = None;
    for span in spans {
        let before = last.filter(|last| last.group == span.group);
        if let Some(before) = before.filter(|before| {
            before.to.is_none_or(|to| match ends {
                Ends::Inclusive => span.from <= to,
                Ends::Exclusive => span.from < to,
            })
        }) {
            overlaps.push((*span, before));
        }
        let reach = |span: &Span<'_>| span.to.unwrap_or(NaiveDate::MAX);
        if before.is_none_or(|before| reach(span) >= reach(&before)) {
            last = Some(*span);
        }
    }
    overlaps
}

fn disjoint(schema: &Schema, lists: &[PeriodList], ends: Ends, code: &'static str) -> Option<Check> {
    let lists: Vec<Spans> = lists.iter().filter_map(|list| Spans::bind(schema, list)).collect();
    if lists.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for list in &lists {
            list.owners.each(account, &mut |owner| {
                for (later, earlier) in overlaps(&list.of(owner, 2), ends) {
                    let message = match earlier.to {
                        Some(_) => "expected the period to start after the one before it has ended",
                        None => "expected no period after one that has no end",
                    };
                    out.push(list.finding(code, message, later, earlier));
                }
            });
        }
    }))
}

fn schedules_disjoint(schema: &Schema) -> Option<Check> {
    let schedules = Spans::bind(schema, &SCHEDULES)?;
    Some(Box::new(move |account, _, out| {
        for (later, earlier) in overlaps(&schedules.of(account, 2), Ends::Exclusive) {
            // Two open ones and two of one start have rules of their own.
            if (later.to.is_some() || earlier.to.is_some()) && later.from != earlier.from {
                let message = "expected the payment schedule to start after the one before it has ended";
                out.push(schedules.finding("payment_schedule_date_overlaps", message, later, earlier));
            }
        }
    }))
}

fn one_open_exemption(schema: &Schema) -> Option<Check> {
    let lists: Vec<Spans> = EXEMPTIONS.iter().filter_map(|list| Spans::bind(schema, list)).collect();
    if lists.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for list in &lists {
            list.owners.each(account, &mut |owner| {
                let mut open = owner.children(list.list).filter(|row| value_of(*row, list.to).is_absent());
                if let (Some(first), Some(second)) = (open.next(), open.next()) {
                    let mut cells = cells_of(second, list.to);
                    cells.extend(cells_of(first, list.to));
                    let message = "expected at most one exemption without an end, found more";
                    out.push(finding("multiple_open_ended_tax_exemptions", second.path(None), message, cells));
                }
            });
        }
    }))
}

fn contribution_periods(schema: &Schema) -> Option<Check> {
    let agreements = Spans::bind(schema, &CONTRIBUTIONS)?;
    let periods = Spans::bind(
        schema,
        &PeriodList {
            within: "contribution_agreements",
            list: "contribution_agreements.periods",
            from: "start_date",
            to: "end_date",
            group: None,
            unless: None,
        },
    )?;
    Some(Box::new(move |account, _, out| {
        for agreement in agreements.of(account, 1) {
            let spans = periods.of(agreement.row, 1);
            for span in &spans {
                if span.from < agreement.from {
                    let mut cells = span.row.cell(periods.from);
                    cells.extend(agreement.row.cell(agreements.from));
                    let message = "expected the period to start on or after its agreement does";
                    let path = span.row.path(Some(periods.from));
                    out.push(finding("invalid_contribution_period_start_date", path, message, cells));
                }
                if span.to.zip(agreement.to).is_some_and(|(to, end)| to > end) {
                    let mut cells = cells_of(span.row, periods.to);
                    cells.extend(cells_of(agreement.row, agreements.to));
                    let message = "expected the period to end on or before its agreement does";
                    out.push(finding(
                        "invalid_contribution_period_end_date",
                        span.row.path(periods.to),
                        message,
                        cells,
                    ));
                }
            }
            for (later, earlier) in overlaps(&spans, Ends::Exclusive) {
                let message = "expected the period to start on or after the end of the one before it";
                out.push(periods.finding("overlapping_contribution_periods", message, later, earlier));
            }
        }
    }))
}

fn distinct_starts(schema: &Schema) -> Option<Check> {
    let schedules = Spans::bind(schema, &SCHEDULES)?;
    Some(Box::new(move |account, _, out| {
        for pair in schedules.of(account, 2).windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            if earlier.group == later.group && earlier.from == later.from {
                let mut cells = later.row.cell(schedules.from);
                cells.extend(earlier.row.cell(schedules.from));
                let message = "expected payment schedules of one ledger to start on different days";
                out.push(finding(
                    "payment_schedule_date_overlaps",
                    later.row.path(Some(schedules.from)),
                    message,
                    cells,
                ));
            }
        }
    }))
}

fn future_gaps(schema: &Schema) -> Option<Check> {
    let schedules = Spans::bind(schema, &SCHEDULES)?;
    Some(Box::new(move |account, context, out| {
        for pair in schedules.of(account, 2).windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            // One that has ended already is not the current one, and gaps of the past are fine.
            let Some(to) = earlier.to.filter(|to| *to >= context.run_date) else { continue };
            if earlier.group == later.group
                && later.from > context.run_date
                && let Some(count) = gap(to, later.from)
            {
                let message = format!(
                    "expected no gap before a payment schedule that is yet to start; there are {}",
                    days(count)
                );
                out.push(schedules.finding("payment_schedule_date_gaps", &message, later, earlier));
            }
        }
    }))
}

/// The days between an end and a start, if there are any however the end is read.
fn gap(to: NaiveDate, from: NaiveDate) -> Option<i64> {
    (to.checked_add_days(Days::new(1))? < from).then(|| (from - to).num_days() - 1)
}

fn consecutive(schema: &Schema) -> Option<Check> {
    let lists: Vec<Spans> = [CONFIGURATIONS, CAPACITIES]
        .into_iter()
        .filter_map(|list| Spans::bind(schema, &of_point(list, "effective_from_date", "effective_to_date")))
        .collect();
    if lists.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for list in &lists {
            list.owners.each(account, &mut |owner| {
                let spans = list.of(owner, 1);
                for span in spans.iter().filter(|span| span.to == Some(span.from)) {
                    let mut cells = span.row.cell(list.from);
                    cells.extend(cells_of(span.row, list.to));
                    let message = "the period ends on the day it starts, and may have no length";
                    out.push(finding("zero_length_periods", span.row.path(Some(list.from)), message, cells));
                }
                for pair in spans.windows(2) {
                    let (earlier, later) = (pair[0], pair[1]);
                    let message = match earlier.to {
                        None => "expected no period after one that has no end".to_owned(),
                        Some(to) if later.from < to => "the period starts before the one before it ends".to_owned(),
                        Some(to) => match gap(to, later.from) {
                            Some(count) => format!("{} without a period lie before this one", days(count)),
                            None => continue,
                        },
                    };
                    out.push(list.finding("gaps_or_overlaps_in_periods", &message, later, earlier));
                }
            });
        }
    }))
}

fn past_and_open(schema: &Schema) -> Option<Check> {
    let periods = Spans::bind(schema, &of_point(CONFIGURATIONS, "effective_from_date", "effective_to_date"))?;
    Some(Box::new(move |account, context, out| {
        periods.owners.each(account, &mut |owner| {
            let spans = periods.of(owner, 1);
            for span in spans.iter().filter(|span| span.from > context.run_date) {
                let path = span.row.path(Some(periods.from));
                let message = "expected a day up to the run date";
                out.push(finding("configuration_period_starts_in_future", path, message, span.row.cell(periods.from)));
            }
            if let Some(latest) = spans.last().filter(|latest| latest.to.is_some()) {
                let mut cells = cells_of(latest.row, periods.to);
                cells.push(owner.record());
                let message = "expected the latest configuration period of the meter point to have no end";
                out.push(finding(
                    "latest_configuration_period_not_open_ended",
                    latest.row.path(periods.to),
                    message,
                    cells,
                ));
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_one_however_the_end_is_read() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(gap(day("2019-07-31"), day("2019-07-31")), None);
        assert_eq!(gap(day("2019-07-31"), day("2019-08-01")), None);
        assert_eq!(gap(day("2019-07-31"), day("2019-08-03")), Some(2));
    }
}
