//! Billing ledgers with their transactions, payment schedules and debts. All sums are whole pence.

use super::account::{Basics, Book, date, shifted};
use super::cell::{Pence, Pounds};
use super::draw::Draw;
use super::tables::{AgedDebtRow, DebtRow, LedgerRow, PaymentScheduleRow, Records, TransactionRow};
use super::words;

/// How a kind of transaction is drawn.
struct Kind {
    code: &'static str,
    /// In a thousand.
    share: u32,
    /// Whether it raises the balance (a payment or a credit) or lowers it (a charge or a repayment).
    raises: bool,
    /// The least amount in pence; the largest is four times that.
    least: i64,
    /// Pay codes it may carry; none: it never has one.
    pay_codes: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind { code: "DDP", share: 580, raises: true, least: 4_000, pay_codes: &["DD", "DD", "DD", "D1"] },
    Kind { code: "CSP", share: 70, raises: true, least: 1_000, pay_codes: &["CC", "DC", "CQ", "BT", "PP", "AP", ""] },
    Kind { code: "DBP", share: 10, raises: true, least: 500, pay_codes: &["DC", "PP", ""] },
    Kind { code: "EBL", share: 220, raises: false, least: 12_000, pay_codes: &[] },
    Kind { code: "LPF", share: 20, raises: false, least: 1_200, pay_codes: &[] },
    Kind { code: "PBF", share: 10, raises: false, least: 150, pay_codes: &[] },
    Kind { code: "DDD", share: 40, raises: true, least: 200, pay_codes: &[] },
    Kind { code: "GWL", share: 10, raises: true, least: 1_000, pay_codes: &[] },
    Kind { code: "RFR", share: 10, raises: true, least: 5_000, pay_codes: &[] },
    Kind { code: "RFF", share: 15, raises: false, least: 2_000, pay_codes: &["RB", "RC", "RD", ""] },
    Kind { code: "RFP", share: 15, raises: false, least: 1_000, pay_codes: &["RB", "CQ", ""] },
];

/// Adds the ledgers and their transactions; returns the sum of the ledger balances.
pub(super) fn ledgers(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) -> Pounds {
    let codes: &[Option<&'static str>] = if draw.chance(3) { &[Some("ENERGY"), Some("SUNDRY")] } else { &[None] };
    let mut transfer_balance = 0;
    for ledger_code in codes {
        let ledger_id = format!("L{}", book.ids.ledger.take());
        let mut statement_balance = 0;
        for _ in 0..draw.between(22, 42) {
            let txn_date = shifted(basics.billed_to, -draw.between(1, 1000));
            statement_balance += transaction(book, draw, records, &ledger_id, txn_date, "H");
        }
        let mut balance = statement_balance;
        for _ in 0..draw.between(0, 6) {
            let txn_date = shifted(basics.billed_to, draw.between(0, 10));
            balance += transaction(book, draw, records, &ledger_id, txn_date, "C");
        }
        records.ledgers.push(LedgerRow {
            ledger_id,
            account_no: basics.number.clone(),
            ledger_code: *ledger_code,
            last_stmt_close: shifted(basics.billed_to, -1),
            last_stmt_issue: basics.billed_to,
            last_stmt_balance: Pounds(statement_balance),
            ledger_balance: Pounds(balance),
        });
        transfer_balance += balance;
    }
    Pounds(transfer_balance)
}

/// Adds a transaction; returns what it adds to the balance, in pence.
fn transaction(
    book: &mut Book,
    draw: &mut Draw,
    records: &mut Records,
    ledger_id: &str,
    txn_date: chrono::NaiveDate,
    stmt_flag: &'static str,
) -> i64 {
    let mut ticket = draw.between(0, 999) as u32;
    let kind = KINDS.iter().find(|kind| {
        let found = ticket < kind.share;
        ticket = ticket.saturating_sub(kind.share);
        found
    });
    let kind = kind.unwrap_or(&KINDS[0]);
    let size = draw.between(kind.least, kind.least * 4);
    // One bill in a hundred is reversed: a charge that raises the balance.
    let amount = if kind.code == "EBL" && draw.chance(1) { -size } else { size };
    records.transactions.push(TransactionRow {
        txn_id: book.ids.transaction.take().to_string(),
        ledger_id: ledger_id.to_owned(),
        txn_date,
        amount_p: Pence(amount),
        txn_code: kind.code,
        pay_code: if kind.pay_codes.is_empty() { "" } else { draw.pick(kind.pay_codes) },
        stmt_flag,
    });
    if kind.raises { amount } else { -amount }
}

/// Adds payment schedules: at most one open-ended one that is no debt plan, and none of these overlap.
pub(super) fn schedules(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) {
    if !draw.chance(80) {
        return;
    }
    let start = draw.day(date(2018, 1, 1), date(2025, 11, 30));
    let mut add = |draw: &mut Draw, start_date, end_date, plan: bool| {
        records.payment_schedules.push(PaymentScheduleRow {
            schedule_id: book.ids.schedule.take().to_string(),
            account_no: basics.number.clone(),
            amount: Pounds(draw.between(1_000, 29_999)),
            day_of_month: draw.between(1, 28),
            freq_cd: draw.weighted(&[("M", 88), ("Q", 6), ("4", 2), ("W", 1), ("F", 1), ("S", 1), ("A", 1)]),
            means_cd: draw.weighted(&[("D", 85), ("C", 6), ("M", 5), ("S", 4)]),
            start_date,
            end_date,
            debt_plan_flag: plan.then_some(true),
            debt_element: plan.then(|| Pounds(draw.between(100, 999))),
            debt_end_date: plan.then(|| shifted(basics.billed_to, draw.between(30, 699))),
        });
    };
    add(draw, start, None, false);
    if draw.chance(12) {
        add(draw, shifted(start, -700), Some(shifted(start, -1)), false);
    }
    if draw.chance(8) {
        add(draw, start, None, true);
    }
}

/// Adds a debt that an agency holds, in one to three parts.
pub(super) fn debts(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) {
    if !draw.chance(3) {
        return;
    }
    let debt_id = format!("D{}", book.ids.debt.take());
    let start_date = draw.day(date(2019, 1, 1), date(2025, 12, 31));
    for part in 1..=draw.between(1, 3) {
        records.aged_debts.push(AgedDebtRow {
            debt_id: debt_id.clone(),
            amount: Pounds(draw.between(1_000, 89_999)),
            due_date: shifted(start_date, 30 * part),
        });
    }
    records.debts.push(DebtRow {
        debt_id,
        account_no: basics.number.clone(),
        agency_name: draw.pick(words::AGENCIES),
        start_date,
        insolvent_flag: draw.chance(5),
    });
}
