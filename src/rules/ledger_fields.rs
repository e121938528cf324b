//! What the fields of one ledger, transaction or line item say together.

use rust_decimal::Decimal;

use super::account_fields::rules;
use super::never::{
    Never,
    Test::{Absent, After, Given, NotBefore, Numbers},
    never,
};
use super::{Rule, error};

pub(super) const RULES: &[Rule] = rules! {
    "ledger-current-after-close": "No current transaction of a ledger is dated up to its last statement's closing." {
        "ledgers.current_statement_transactions" "current_statement_transaction_before_last_statement_closing_date" "expected a day after the ledger's last statement closed" [NotBefore("^last_statement_closing_date", "transaction_date")]
    }
    "ledger-historical-not-after-close": "No historical transaction of a ledger is dated after its last statement's closing." {
        "ledgers.historical_statement_transactions" "historical_statement_transaction_after_last_statement_closing_date" "expected a day up to the last statement's closing" [After("transaction_date", "^last_statement_closing_date")]
    }
    "ledger-issue-not-before-close": "A ledger's statement is not issued before it closes." {
        "ledgers" "last_statement_issued_before_closing_date" "expected the last statement to be issued on or after its closing" [After("last_statement_closing_date", "last_statement_issue_date"), Given("historical_statement_transactions")]
    }
    "ledger-historical-needs-close-date": "A ledger with historical transactions says when its last statement closed." {
        "ledgers" "historical_statement_transactions_require_last_statement_closing_date" "expected the closing of the ledger's last statement" [Absent("last_statement_closing_date"), Given("historical_statement_transactions")]
    }
    "ledger-close-date-for-balance": "A ledger with a balance brought forward and current transactions says when its last statement closed." {
        "ledgers" "historical_statement_without_last_statement_closing_date" "expected the closing of the ledger's last statement" [Absent("last_statement_closing_date"), Numbers(&["last_statement_balance"], |n| !n[0].is_zero()), Given("current_statement_transactions")]
    }
    "billing-document-id-not-current": "No current transaction names a billing document." {
        "current_statement_transactions" "billing_document_identifier_not_allowed_for_current_statement_transactions" "expected no billing document: the transaction is not on a statement yet" [Given("billing_document_identifier")]
        "ledgers.current_statement_transactions" "billing_document_identifier_not_allowed_for_current_statement_transactions" "expected no billing document: the transaction is not on a statement yet" [Given("billing_document_identifier")]
    }
    "supply-charge-needs-point": "A supply charge with a rate specification names its supply point." {
        "current_statement_transactions.line_items" "supply_point_identifier_required_for_rate_specification_code" "expected the supply point of the charge" [Given("rate_specification_code"), Absent("^supply_point_identifier")]
        "historical_statement_transactions.line_items" "supply_point_identifier_required_for_rate_specification_code" "expected the supply point of the charge" [Given("rate_specification_code"), Absent("^supply_point_identifier")]
        "ledgers.current_statement_transactions.line_items" "supply_point_identifier_required_for_rate_specification_code" "expected the supply point of the charge" [Given("rate_specification_code"), Absent("^supply_point_identifier")]
        "ledgers.historical_statement_transactions.line_items" "supply_point_identifier_required_for_rate_specification_code" "expected the supply point of the charge" [Given("rate_specification_code"), Absent("^supply_point_identifier")]
    }
    "line-item-one-rate-key": "A line of a supply charge names its rate in one way." {
        "current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a rate specification, found both" [Given("rate_band"), Given("rate_specification_code")]
        "historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a rate specification, found both" [Given("rate_band"), Given("rate_specification_code")]
        "ledgers.current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a rate specification, found both" [Given("rate_band"), Given("rate_specification_code")]
        "ledgers.historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a rate specification, found both" [Given("rate_band"), Given("rate_specification_code")]
        "current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a time series, found both" [Given("rate_band"), Given("time_series_specification_code")]
        "historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a time series, found both" [Given("rate_band"), Given("time_series_specification_code")]
        "ledgers.current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a time series, found both" [Given("rate_band"), Given("time_series_specification_code")]
        "ledgers.historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate band and a time series, found both" [Given("rate_band"), Given("time_series_specification_code")]
        "current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate specification and a time series, found both" [Given("rate_specification_code"), Given("time_series_specification_code")]
        "historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate specification and a time series, found both" [Given("rate_specification_code"), Given("time_series_specification_code")]
        "ledgers.current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate specification and a time series, found both" [Given("rate_specification_code"), Given("time_series_specification_code")]
        "ledgers.historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected one of a rate specification and a time series, found both" [Given("rate_specification_code"), Given("time_series_specification_code")]
        "current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected a rate band, a rate specification or a time series" [Absent("rate_band"), Absent("rate_specification_code"), Absent("time_series_specification_code")]
        "historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected a rate band, a rate specification or a time series" [Absent("rate_band"), Absent("rate_specification_code"), Absent("time_series_specification_code")]
        "ledgers.current_statement_transactions.line_items" "conflicting_rate_band_specification" "expected a rate band, a rate specification or a time series" [Absent("rate_band"), Absent("rate_specification_code"), Absent("time_series_specification_code")]
        "ledgers.historical_statement_transactions.line_items" "conflicting_rate_band_specification" "expected a rate band, a rate specification or a time series" [Absent("rate_band"), Absent("rate_specification_code"), Absent("time_series_specification_code")]
    }
    "line-item-net": "A line's net amount is its units at its price, to the penny." {
        "current_statement_transactions.line_items" "incorrect_line_item_net_amount" "expected the price per unit times the number of units, give or take a penny" [Numbers(&["net_amount", "price_per_unit", "number_of_units"], off_by_a_penny)]
        "historical_statement_transactions.line_items" "incorrect_line_item_net_amount" "expected the price per unit times the number of units, give or take a penny" [Numbers(&["net_amount", "price_per_unit", "number_of_units"], off_by_a_penny)]
        "ledgers.current_statement_transactions.line_items" "incorrect_line_item_net_amount" "expected the price per unit times the number of units, give or take a penny" [Numbers(&["net_amount", "price_per_unit", "number_of_units"], off_by_a_penny)]
        "ledgers.historical_statement_transactions.line_items" "incorrect_line_item_net_amount" "expected the price per unit times the number of units, give or take a penny" [Numbers(&["net_amount", "price_per_unit", "number_of_units"], off_by_a_penny)]
    }
};

/// Whether the net amount is not what the units cost, by more than rounding: the target's rounding is not published.
fn off_by_a_penny(n: &[Decimal]) -> bool {
    n[1].checked_mul(n[2]).is_some_and(|product| (n[0] - product).abs() > Decimal::new(1, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_forgiven_and_a_wrong_amount_is_not() {
        let pounds = |text: &str| text.parse::<Decimal>().unwrap();
        assert!(!off_by_a_penny(&[pounds("1.23"), pounds("0.1234"), pounds("10")]));
        assert!(off_by_a_penny(&[pounds("1.26"), pounds("0.1234"), pounds("10")]));
    }
}
