//! Statements that were sent before the move.

use chrono::NaiveDate;

use super::{Check, Rule, finding};
use crate::assemble::view::{Row, Schema};
use crate::finding::Severity;

const CODE: &str = "overlapping_statements";

pub(super) const RULES: &[Rule] = &[Rule {
    id: "statements-disjoint",
    codes: &[CODE],
    severity: Severity::Warning,
    doc: "No statement's period starts before an earlier one's ends; it may start on the same day.",
    bind: disjoint,
}];

fn disjoint(schema: &Schema) -> Option<Check> {
    let statements = schema.entity("statements")?;
    let from = schema.field("statements.bill_period_from_date")?;
    let to = schema.field("statements.bill_period_to_date")?;
    Some(Box::new(move |account, _, out| {
        let mut periods: Vec<Period<Row<'_>>> = account
            .children(statements)
            .filter_map(|row| Some(Period { from: row.value(from).date()?, to: row.value(to).date()?, place: row }))
            .collect();
        for (later, earlier) in overlaps(&mut periods) {
            let mut cells = later.cell(from);
            cells.extend(earlier.cell(to));
            let message = "the statement's period starts before an earlier statement's ends";
            out.push(finding(CODE, later.path(Some(from)), message, cells));
        }
    }))
}

/// The period of a statement and where it stands.
#[derive(Clone, Copy)]
struct Period<Place> {
    from: NaiveDate,
    to: NaiveDate,
    place: Place,
}

/// The places of each period that starts before one that started no later has ended, and of the one that ends last.
fn overlaps<Place: Copy>(periods: &mut [Period<Place>]) -> Vec<(Place, Place)> {
    periods.sort_by_key(|period| (period.from, period.to));
    let mut overlaps = Vec::new();
    let mut last: Option<Period<Place>> = None;
    for period in periods {
        if let Some(last) = last
            && period.from < last.to
        {
            overlaps.push((period.place, last.place));
        }
        if last.is_none_or(|last| period.to >= last.to) {
            last = Some(*period);
        }
    }
    overlaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(of: &[(&str, &str)]) -> Vec<Period<usize>> {
        let day = |text: &str| text.parse().unwrap();
        of.iter().enumerate().map(|(place, (from, to))| Period { from: day(from), to: day(to), place }).collect()
    }

    #[test]
    fn a_period_may_start_on_the_day_the_previous_one_ends() {
        let mut fine =
            periods(&[("2019-07-01", "2019-08-01"), ("2019-06-01", "2019-07-01"), ("2019-09-01", "2019-10-01")]);
        assert_eq!(overlaps(&mut fine), []);
    }

    #[test]
    fn a_period_that_starts_earlier_overlaps() {
        let mut shifted = periods(&[("2019-06-21", "2019-08-01"), ("2019-06-01", "2019-07-01")]);
        assert_eq!(overlaps(&mut shifted), [(0, 1)]);
        let mut within =
            periods(&[("2019-01-01", "2019-12-31"), ("2019-02-01", "2019-03-01"), ("2019-04-01", "2019-05-01")]);
        assert_eq!(overlaps(&mut within), [(1, 0), (2, 0)]);
    }
}
