//! Payment schedules.

use std::collections::BTreeMap;

use super::place::{cells_of, value_of};
use super::{Check, Rule, finding};
use crate::assemble::view::{Row, Schema, Value};
use crate::finding::Severity;

const CODE: &str = "multiple_open_ended_payment_schedules";

pub(super) const RULES: &[Rule] = &[Rule {
    id: "one-open-schedule",
    codes: &[CODE],
    severity: Severity::Error,
    doc: "Each ledger has at most one payment schedule without an end that is not a debt repayment plan.",
    bind: one_open,
}];

fn one_open(schema: &Schema) -> Option<Check> {
    let schedules = schema.entity("payment_schedules")?;
    let end = schema.field("payment_schedules.end_date");
    let start = schema.field("payment_schedules.start_date");
    let plan = schema.field("payment_schedules.is_debt_repayment_plan");
    let ledger = schema.field("payment_schedules.ledger_code");
    Some(Box::new(move |account, _, out| {
        let mut open: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
        for row in account.children(schedules).filter(|row| is_open(&value_of(*row, end), &value_of(*row, plan))) {
            open.entry(value_of(row, ledger).text().unwrap_or_default()).or_default().push(row);
        }
        for rows in open.values_mut().filter(|rows| rows.len() > 1) {
            rows.sort_by_key(|row| std::cmp::Reverse(value_of(*row, start).date()));
            let message = format!(
                "expected at most one payment schedule without an end, debt repayment plans aside, found {}. End all but one",
                rows.len()
            );
            let cells = rows.iter().flat_map(|row| cells_of(*row, end)).collect();
            out.push(finding(CODE, rows[0].path(end), message, cells));
        }
    }))
}

/// Whether a schedule with this end and this mark of a plan is open; a faulty value gives the benefit of the doubt.
fn is_open(end: &Value<'_>, plan: &Value<'_>) -> bool {
    end.is_absent() && !plan.is_faulty() && plan.bool() != Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_open_without_an_end_unless_it_is_a_plan() {
        let day = Value::Date("2020-03-26".parse().unwrap());
        assert!(is_open(&Value::Absent, &Value::Absent));
        assert!(is_open(&Value::Absent, &Value::Bool(false)));
        assert!(!is_open(&Value::Absent, &Value::Bool(true)));
        assert!(!is_open(&Value::Absent, &Value::Faulty));
        assert!(!is_open(&day, &Value::Absent));
        assert!(!is_open(&Value::Faulty, &Value::Absent));
    }
}
