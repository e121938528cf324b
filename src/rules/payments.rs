//! Payment schedules.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::place::{Rows, cells_of, value_of};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{Row, Schema, Value};
use crate::finding::Severity;

const CODE: &str = "multiple_open_ended_payment_schedules";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "one-open-schedule",
        codes: &[CODE],
        severity: Severity::Error,
        doc: "Each ledger has at most one payment schedule without an end that is not a debt repayment plan.",
        bind: one_open,
    },
    error(
        "plan-or-schedule-per-ledger",
        &["payment_plan_and_payment_schedule_not_allowed_on_same_ledger"],
        "An account with payment plans has no payment schedules of the same ledger.",
        plan_or_schedule,
    ),
    error(
        "plan-components-unique",
        &["duplicate_payment_component_combinations"],
        "No two components of a payment plan have one day and type.",
        components_unique,
    ),
];

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

fn plan_or_schedule(schema: &Schema) -> Option<Check> {
    let (plans, schedules) = (schema.entity("payment_plans")?, schema.entity("payment_schedules")?);
    let ledgers = schema.entity("ledgers");
    let ledger = schema.field("payment_schedules.ledger_code");
    Some(Box::new(move |account, _, out| {
        let Some(plan) = account.children(plans).next() else { return };
        // A plan does not say its ledger: among several, only a schedule that says none either is surely of the same.
        let several = ledgers.is_some_and(|ledgers| account.children(ledgers).len() > 1);
        let named = |row: &Row<'_>| !matches!(value_of(*row, ledger), Value::Absent | Value::Text(""));
        let mut same = account.children(schedules).filter(|row| !(several && named(row)));
        if let Some(first) = same.next() {
            let mut cells = vec![plan.record(), first.record()];
            cells.extend(same.map(Row::record));
            let message = "expected payment plans or payment schedules of a ledger, found both";
            let code = "payment_plan_and_payment_schedule_not_allowed_on_same_ledger";
            out.push(finding(code, "payment_plans".to_owned(), message, cells));
        }
    }))
}

fn components_unique(schema: &Schema) -> Option<Check> {
    let plans = Rows::bind(schema, "payment_plans")?;
    let payments = schema.entity("payment_plans.payments")?;
    let date = schema.field("payment_plans.payments.payment_date")?;
    let components = schema.entity("payment_plans.payments.amount_components")?;
    let kind = schema.field("payment_plans.payments.amount_components.component_type")?;
    Some(Box::new(move |account, _, out| {
        plans.each(account, &mut |plan| {
            let mut seen: BTreeMap<(NaiveDate, &str), Row<'_>> = BTreeMap::new();
            for payment in plan.children(payments) {
                let Some(day) = payment.value(date).date() else { continue };
                for row in payment.children(components) {
                    let Some(name) = row.value(kind).text() else { continue };
                    let Some(earlier) = seen.insert((day, name), row) else { continue };
                    let mut cells = row.cell(kind);
                    cells.extend(earlier.cell(kind));
                    cells.extend(payment.cell(date));
                    let message =
                        "expected each type of component once for a day of the plan; an earlier one has the same";
                    out.push(finding("duplicate_payment_component_combinations", row.path(Some(kind)), message, cells));
                }
            }
        });
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
