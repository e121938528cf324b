//! Billing ledgers: balances that their transactions must explain, to the penny.
//!
//! Credit is positive. Payments and credits add to a balance; charges, supply charges and repayments take from it.
//! Transactions that went to a prepay meter do not count.

use rust_decimal::Decimal;

use super::place::{Place, Rows, cells_of, value_of};
use super::{Check, Rule, days, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "ledger-balance-sum",
        codes: &["balance_mismatch_on_ledger_balance"],
        severity: Severity::Error,
        doc: "The last statement's balance and the current transactions of a ledger come to its balance.",
        bind: |schema| explained(schema, &LEDGER_BALANCE),
    },
    Rule {
        id: "ledger-historical-balance-sum",
        codes: &["historical_statement_transactions_balance_mismatch"],
        severity: Severity::Error,
        doc: "The historical transactions of a ledger come to the last statement's balance, or to nothing if there is none.",
        bind: |schema| explained(schema, &LEDGER_LAST_STATEMENT),
    },
    Rule {
        id: "transfer-balance-sum",
        codes: &["balance_mismatch_on_transfer_balance"],
        severity: Severity::Error,
        doc: "The last statement's balance and the current transactions of an account without ledgers come to the transfer balance.",
        bind: |schema| explained(schema, &TRANSFER_BALANCE),
    },
    Rule {
        id: "historical-balance-sum",
        codes: &["historical_statement_transactions_balance_mismatch"],
        severity: Severity::Error,
        doc: "The historical transactions of an account without ledgers come to the last statement's balance.",
        bind: |schema| explained(schema, &LAST_STATEMENT),
    },
    Rule {
        id: "ledger-balances-sum",
        codes: &["ledger_balances_not_equal_to_transfer_balance"],
        severity: Severity::Error,
        doc: "The balances of the ledgers come to the transfer balance.",
        bind: ledgers_sum,
    },
    Rule {
        id: "transaction-not-future",
        codes: &["transaction_in_future"],
        severity: Severity::Error,
        doc: "No transaction is dated after the run date.",
        bind: not_future,
    },
];

/// A balance that must equal an earlier one plus some transactions.
struct Balance {
    /// The entity that states the balance; `""` is the account, where it only counts without ledgers.
    owner: &'static str,
    stated: &'static str,
    /// Whether an absent balance means nought; else it means that nothing is claimed.
    absent_is_nought: bool,
    before: Option<&'static str>,
    transactions: &'static str,
    code: &'static str,
    what: &'static str,
}

const LEDGER_BALANCE: Balance = Balance {
    owner: "ledgers",
    stated: "ledgers.ledger_balance",
    absent_is_nought: false,
    before: Some("ledgers.last_statement_balance"),
    transactions: "ledgers.current_statement_transactions",
    code: "balance_mismatch_on_ledger_balance",
    what: "the last statement's balance and the current transactions come to",
};

const LEDGER_LAST_STATEMENT: Balance = Balance {
    owner: "ledgers",
    stated: "ledgers.last_statement_balance",
    absent_is_nought: true,
    before: None,
    transactions: "ledgers.historical_statement_transactions",
    code: "historical_statement_transactions_balance_mismatch",
    what: "the historical transactions come to",
};

const TRANSFER_BALANCE: Balance = Balance {
    owner: "",
    stated: "transfer_balance",
    absent_is_nought: false,
    before: Some("last_statement_balance"),
    transactions: "current_statement_transactions",
    code: "balance_mismatch_on_transfer_balance",
    what: "the last statement's balance and the current transactions come to",
};

const LAST_STATEMENT: Balance = Balance {
    owner: "",
    stated: "last_statement_balance",
    absent_is_nought: true,
    before: None,
    transactions: "historical_statement_transactions",
    code: "historical_statement_transactions_balance_mismatch",
    what: "the historical transactions come to",
};

/// A list of transactions with the fields that make up a sum.
struct Transactions {
    list: EntityId,
    kind: FieldId,
    amount: FieldId,
    to_prepay_meter: Option<FieldId>,
}

impl Transactions {
    fn bind(schema: &Schema, path: &str) -> Option<Self> {
        Some(Self {
            list: schema.entity(path)?,
            kind: schema.field(&format!("{path}.type"))?,
            amount: schema.field(&format!("{path}.amount"))?,
            to_prepay_meter: schema.field(&format!("{path}.to_prepay_meter_serial_number")),
        })
    }

    fn of<'a>(&self, owner: Row<'a>) -> impl Iterator<Item = Row<'a>> {
        owner.children(self.list).filter(|row| value_of(*row, self.to_prepay_meter).is_absent())
    }

    /// The signed sum, unless something in it has a finding of its own.
    fn sum(&self, owner: Row<'_>) -> Option<Decimal> {
        let amounts = self.of(owner).map(|row| signed(row.value(self.kind).text()?, row.value(self.amount).decimal()?));
        amounts.sum()
    }
}

/// What a transaction of type `kind` adds to a balance.
fn signed(kind: &str, amount: Decimal) -> Option<Decimal> {
    match kind {
        "PAYMENT" | "CREDIT" => Some(amount),
        "CHARGE" | "SUPPLY_CHARGE" | "REPAYMENT" => Some(-amount),
        _ => None,
    }
}

fn explained(schema: &Schema, rule: &'static Balance) -> Option<Check> {
    let owners = Rows::bind(schema, rule.owner)?;
    let balance = schema.field(rule.stated)?;
    let before = rule.before.and_then(|path| schema.field(path));
    let transactions = Transactions::bind(schema, rule.transactions)?;
    let ledgers = schema.entity("ledgers").filter(|_| rule.owner.is_empty());
    Some(Box::new(move |account, _, out| {
        if ledgers.is_some_and(|ledgers| account.children(ledgers).next().is_some()) {
            return;
        }
        owners.each(account, &mut |owner| {
            let stated = match owner.value(balance) {
                Value::Absent if rule.absent_is_nought => Decimal::ZERO,
                value => match value.decimal() {
                    Some(stated) => stated,
                    None => return,
                },
            };
            let (Some(opening), Some(sum)) = (or_nought(&value_of(owner, before)), transactions.sum(owner)) else {
                return;
            };
            if let Some(message) = difference(rule.what, opening + sum, stated) {
                let mut cells = cells_of(owner, Some(balance));
                cells.extend(before.map(|before| owner.cell(before)).unwrap_or_default());
                cells.extend(transactions.of(owner).flat_map(|row| row.cell(transactions.amount)));
                out.push(finding(rule.code, owner.path(Some(balance)), message, cells));
            }
        });
    }))
}

fn ledgers_sum(schema: &Schema) -> Option<Check> {
    let transfer = schema.field("transfer_balance")?;
    let ledgers = schema.entity("ledgers")?;
    let balance = schema.field("ledgers.ledger_balance")?;
    // Where transactions may stand in the account itself, an account without ledgers is for `transfer-balance-sum`.
    let ledgerless = schema.entity(TRANSFER_BALANCE.transactions).is_some();
    Some(Box::new(move |account, _, out| {
        let Some(stated) = account.value(transfer).decimal() else { return };
        if ledgerless && account.children(ledgers).next().is_none() {
            return;
        }
        let sum: Option<Decimal> = account.children(ledgers).map(|ledger| ledger.value(balance).decimal()).sum();
        let Some(sum) = sum else { return };
        if let Some(message) = difference("the balances of the ledgers come to", sum, stated) {
            let mut cells = account.cell(transfer);
            cells.extend(account.children(ledgers).flat_map(|ledger| ledger.cell(balance)));
            let code = "ledger_balances_not_equal_to_transfer_balance";
            out.push(finding(code, account.path(Some(transfer)), message, cells));
        }
    }))
}

fn or_nought(value: &Value<'_>) -> Option<Decimal> {
    if value.is_absent() { Some(Decimal::ZERO) } else { value.decimal() }
}

/// The message about `sum` if it is not what is `stated`.
fn difference(what: &str, sum: Decimal, stated: Decimal) -> Option<String> {
    (sum != stated).then(|| {
        let difference = (sum - stated).abs();
        format!("{what} £{sum:.2}, but this balance says £{stated:.2}: the difference is £{difference}")
    })
}

fn not_future(schema: &Schema) -> Option<Check> {
    const LISTS: [&str; 4] = [
        "ledgers.current_statement_transactions.transaction_date",
        "ledgers.historical_statement_transactions.transaction_date",
        "current_statement_transactions.transaction_date",
        "historical_statement_transactions.transaction_date",
    ];
    let places: Vec<Place> = LISTS.iter().filter_map(|path| Place::bind(schema, path)).collect();
    if places.is_empty() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        for place in &places {
            place.each(account, &mut |row, field| {
                if let Some(date) = row.value(field).date()
                    && date > context.run_date
                {
                    let late = days((date - context.run_date).num_days());
                    let message =
                        format!("expected a day up to the run date, {}; this is {late} later", context.run_date);
                    out.push(finding("transaction_in_future", row.path(Some(field)), message, row.cell(field)));
                }
            });
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pounds(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn payments_and_credits_add_charges_and_repayments_take() {
        let ten = pounds("10.00");
        assert_eq!(signed("PAYMENT", ten), Some(ten));
        assert_eq!(signed("CREDIT", ten), Some(ten));
        assert_eq!(signed("CHARGE", ten), Some(-ten));
        assert_eq!(signed("SUPPLY_CHARGE", ten), Some(-ten));
        assert_eq!(signed("REPAYMENT", ten), Some(-ten));
        assert_eq!(signed("CHARGE", pounds("-5.00")), Some(pounds("5.00")));
        assert_eq!(signed("REFUND", ten), None);
    }

    #[test]
    fn a_penny_is_a_difference_and_spelling_is_not() {
        assert_eq!(difference("they come to", pounds("30.00"), pounds("30")), None);
        let message = difference("they come to", pounds("30.00"), pounds("30.01")).unwrap();
        assert_eq!(message, "they come to £30.00, but this balance says £30.01: the difference is £0.01");
        let fine = difference("they come to", pounds("0"), pounds("0.001")).unwrap();
        assert!(fine.ends_with("£0.001"), "{fine}");
    }

    #[test]
    fn an_absent_balance_is_nought_and_a_faulty_one_is_unknown() {
        assert_eq!(or_nought(&Value::Absent), Some(Decimal::ZERO));
        assert_eq!(or_nought(&Value::Faulty), None);
        assert_eq!(or_nought(&Value::Decimal(pounds("1"))), Some(pounds("1")));
    }
}
