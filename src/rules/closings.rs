//! Statements that have closed: what came before, what comes after, and when.
//!
//! Where an account does not say when its last statement closed, the earliest day that it, its points, meters or
//! registers were last billed to stands for it.

use chrono::NaiveDate;

use super::billed_to::{BilledTo, Stated};
use super::place::{Place, value_of};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};
use crate::finding::{Cell, Finding};

const CURRENT: &str = "current_statement_transactions";
const HISTORICAL: &str = "historical_statement_transactions";
const AFTER_CURRENT: &str = "historical_statement_transaction_after_current_statement_transaction";

pub(super) const RULES: &[Rule] = &[
    error(
        "current-not-before-opening",
        &["current_statement_transaction_before_current_statement_opening_date"],
        "No current transaction of the account is dated up to its last statement's closing.",
        |schema| transactions(schema, CURRENT, &OPENING),
    ),
    error(
        "historical-not-after-close",
        &["historical_statement_transaction_after_last_statement_closing_date"],
        "No historical transaction of the account is dated after its last statement's closing.",
        |schema| transactions(schema, HISTORICAL, &CLOSING),
    ),
    error(
        "current-not-before-lbtd",
        &["current_statement_transaction_before_last_billed_to_date"],
        "No current transaction is dated before the earliest day that the account, its points, meters or registers were last billed to.",
        not_before_billed,
    ),
    error(
        "historical-needs-close-date",
        &["historical_statement_transactions_without_last_statement_closing_date_or_last_billed_to_date"],
        "An account with historical transactions says when its last statement closed, or to when it was billed.",
        needs_closing,
    ),
    error(
        "issue-not-before-close",
        &["last_statement_issued_before_closing_date"],
        "A statement is not issued before it closes.",
        issued_after,
    ),
    error(
        "historical-period-not-future",
        &["historical_statement_period_end_in_future"],
        "The last statement, or the last transaction on it, is not after the run date.",
        not_future,
    ),
    error(
        "historical-before-current",
        &[AFTER_CURRENT],
        "Every historical transaction of the account is dated before every current one.",
        |schema| in_order(schema, None),
    ),
    error(
        "ledger-historical-before-current",
        &[AFTER_CURRENT],
        "Every historical transaction of a ledger is dated before every current one.",
        |schema| in_order(schema, Some(schema.entity("ledgers")?)),
    ),
];

/// When the account's last statement closed.
struct Closing {
    closed: Option<FieldId>,
    billed_to: BilledTo,
}

impl Closing {
    /// None if no level that could say so is mapped.
    fn bind(schema: &Schema) -> Option<Self> {
        let closing = Self { closed: schema.field("last_statement_closing_date"), billed_to: BilledTo::bind(schema) };
        (closing.closed.is_some() || closing.billed_to.is_mapped()).then_some(closing)
    }

    /// The day, whether it is a closing's, and its cells; none if nothing says so, or it cannot be read.
    fn of<'a>(&self, account: Row<'a>, today: NaiveDate) -> Option<(NaiveDate, bool, Stated<'a>)> {
        if !value_of(account, self.closed).is_absent() {
            let stated = Stated::by(account, self.closed)?;
            return Some((stated.day, true, stated));
        }
        let stated = self.billed_to.earliest(account, today)?;
        Some((stated.day, false, stated))
    }
}

/// What a transaction of the account must not be dated.
struct Limit {
    code: &'static str,
    message: &'static str,
    /// Whether a transaction of this day is wrong, given the day of the closing and whether it is one.
    broken: fn(NaiveDate, NaiveDate, bool) -> bool,
    /// Whether transactions of a prepay meter are left alone.
    prepay_exempt: bool,
}

const OPENING: Limit = Limit {
    code: "current_statement_transaction_before_current_statement_opening_date",
    message: "expected a day after the last statement closed, or from the day it was last billed to",
    broken: |date, day, closed| if closed { date <= day } else { date < day },
    prepay_exempt: true,
};

const CLOSING: Limit = Limit {
    code: "historical_statement_transaction_after_last_statement_closing_date",
    message: "expected a day up to the last statement's closing, or up to the day it was last billed to",
    broken: |date, day, _| date > day,
    prepay_exempt: false,
};

fn transactions(schema: &Schema, list: &'static str, limit: &'static Limit) -> Option<Check> {
    let date = schema.field(&format!("{list}.transaction_date"))?;
    let prepay = schema.field(&format!("{list}.to_prepay_meter_serial_number")).filter(|_| limit.prepay_exempt);
    let list = schema.entity(list)?;
    let closing = Closing::bind(schema)?;
    Some(Box::new(move |account, context, out| {
        if account.children(list).len() == 0 {
            return;
        }
        let Some((day, is_closing, stated)) = closing.of(account, context.run_date) else { return };
        for row in account.children(list).filter(|row| value_of(*row, prepay).is_absent()) {
            if row.value(date).date().is_some_and(|date| (limit.broken)(date, day, is_closing)) {
                let mut cells = row.cell(date);
                cells.extend(stated.cells());
                out.push(finding(limit.code, row.path(Some(date)), limit.message, cells));
            }
        }
    }))
}

fn not_before_billed(schema: &Schema) -> Option<Check> {
    let lists =
        ["current_statement_transactions.transaction_date", "ledgers.current_statement_transactions.transaction_date"];
    let places: Vec<Place> = lists.iter().filter_map(|path| Place::bind(schema, path)).collect();
    let billed_to = BilledTo::bind(schema);
    if places.is_empty() || !billed_to.is_mapped() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        let Some(stated) = billed_to.earliest(account, context.run_date) else { return };
        for place in &places {
            place.each(account, &mut |row, date| {
                if row.value(date).date().is_some_and(|date| date < stated.day) {
                    let message = "expected the day it was last billed to, or a later one";
                    let mut cells = row.cell(date);
                    cells.extend(stated.cells());
                    let code = "current_statement_transaction_before_last_billed_to_date";
                    out.push(finding(code, row.path(Some(date)), message, cells));
                }
            });
        }
    }))
}

fn needs_closing(schema: &Schema) -> Option<Check> {
    let list = schema.entity(HISTORICAL)?;
    let closed = schema.field("last_statement_closing_date");
    let billed_to = BilledTo::bind(schema);
    Some(Box::new(move |account, context, out| {
        let mut historical = account.children(list);
        let Some(first) = historical.next() else { return };
        if !value_of(account, closed).is_absent()
            || !billed_to.account_says_nothing(account)
            || billed_to.earliest(account, context.run_date).is_some()
        {
            return;
        }
        let code = "historical_statement_transactions_without_last_statement_closing_date_or_last_billed_to_date";
        let path = closed.map_or_else(|| "last_statement_closing_date".to_owned(), |closed| account.path(Some(closed)));
        let message = "expected the closing of the last statement, or the day it was last billed to: there are \
                       historical transactions";
        out.push(finding(code, path, message, vec![account.record(), first.record()]));
    }))
}

fn issued_after(schema: &Schema) -> Option<Check> {
    let issued = schema.field("last_statement_issue_date")?;
    let closing = Closing::bind(schema)?;
    Some(Box::new(move |account, context, out| {
        let Some(date) = account.value(issued).date() else { return };
        let Some((day, _, stated)) = closing.of(account, context.run_date) else { return };
        if date < day {
            let message =
                "expected the last statement to be issued on or after its closing, or the day it was billed to";
            let mut cells = account.cell(issued);
            cells.extend(stated.cells());
            out.push(finding("last_statement_issued_before_closing_date", account.path(Some(issued)), message, cells));
        }
    }))
}

/// A list of statements' owner: when it closed, and what is on it.
struct Statement {
    owner: Option<EntityId>,
    closed: Option<FieldId>,
    historical: Option<(EntityId, FieldId)>,
}

impl Statement {
    fn bind(schema: &Schema, prefix: &str, owner: Option<EntityId>) -> Option<Self> {
        let closed = schema.field(&format!("{prefix}last_statement_closing_date"));
        let list = schema.entity(&format!("{prefix}{HISTORICAL}"));
        let date = schema.field(&format!("{prefix}{HISTORICAL}.transaction_date"));
        let historical = list.zip(date);
        (closed.is_some() || historical.is_some()).then_some(Self { owner, closed, historical })
    }

    fn check(&self, owner: Row<'_>, today: NaiveDate, out: &mut Vec<Finding>) {
        let code = "historical_statement_period_end_in_future";
        let message = "expected a day up to the run date";
        if let Some(closed) = self.closed.filter(|closed| !owner.value(*closed).is_absent()) {
            if owner.value(closed).date().is_some_and(|day| day > today) {
                out.push(finding(code, owner.path(Some(closed)), message, owner.cell(closed)));
            }
            return;
        }
        let Some((list, date)) = self.historical else { return };
        let latest =
            owner.children(list).filter_map(|row| Some((row.value(date).date()?, row))).max_by_key(|(day, _)| *day);
        if let Some((_, row)) = latest.filter(|(day, _)| *day > today) {
            let message = format!("{message} of the latest transaction: nothing says when the last statement closed");
            out.push(finding(code, row.path(Some(date)), message, row.cell(date)));
        }
    }
}

fn not_future(schema: &Schema) -> Option<Check> {
    let account = Statement::bind(schema, "", None);
    let ledger = schema.entity("ledgers").and_then(|ledgers| Statement::bind(schema, "ledgers.", Some(ledgers)));
    let statements: Vec<Statement> = account.into_iter().chain(ledger).collect();
    if statements.is_empty() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        for statement in &statements {
            match statement.owner {
                None => statement.check(account, context.run_date, out),
                Some(list) => {
                    account.children(list).for_each(|owner| statement.check(owner, context.run_date, out));
                }
            }
        }
    }))
}

fn in_order(schema: &Schema, ledgers: Option<EntityId>) -> Option<Check> {
    let prefix = if ledgers.is_some() { "ledgers." } else { "" };
    let list = |name: &str| {
        Some((schema.entity(&format!("{prefix}{name}"))?, schema.field(&format!("{prefix}{name}.transaction_date"))?))
    };
    let (current, historical) = (list(CURRENT)?, list(HISTORICAL)?);
    let check = move |owner: Row<'_>, out: &mut Vec<Finding>| {
        let dated = |(list, date): (EntityId, FieldId)| {
            owner.children(list).filter_map(move |row| Some((row.value(date).date()?, row)))
        };
        let Some((first, current_row)) = dated(current).min_by_key(|(day, _)| *day) else { return };
        for (_, row) in dated(historical).filter(|(day, _)| *day >= first) {
            let message = "expected a day before every current transaction; the earliest of them is beside it";
            let mut cells: Vec<Cell> = row.cell(historical.1);
            cells.extend(current_row.cell(current.1));
            out.push(finding(AFTER_CURRENT, row.path(Some(historical.1)), message, cells));
        }
    };
    Some(match ledgers {
        None => Box::new(move |account, _, out| check(account, out)),
        Some(ledgers) => {
            Box::new(move |account, _, out| account.children(ledgers).for_each(|ledger| check(ledger, out)))
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;

    #[test]
    fn a_closing_is_before_what_is_open_and_a_billed_day_is_the_first_of_it() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (close, next) = (day("2019-07-31"), day("2019-07-31") + Days::new(1));
        assert!((OPENING.broken)(close, close, true) && !(OPENING.broken)(next, close, true));
        assert!(!(OPENING.broken)(next, next, false) && (OPENING.broken)(close, next, false));
        assert!((CLOSING.broken)(next, close, true) && !(CLOSING.broken)(close, close, true));
    }
}
