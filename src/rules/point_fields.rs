//! What the fields of one supply address, meter point or meter say together.

use super::account_fields::rules;
use super::never::{
    Never,
    Test::{self, Absent, After, Future, Given, In, NotBefore, NotTrue, Text, True},
    never,
};
use super::{Rule, error};

const ELECTRICITY: Test = In("^supply_type", &["ELECTRICITY"]);

pub(super) const RULES: &[Rule] = rules! {
    "supply-address-shape": "A supply address has a first line and a postcode." {
        "supply_addresses" "invalid_address" "expected the first line of the address" [Absent("supply_address1"), Given("supply_postcode")]
        "supply_addresses" "invalid_address" "expected a first line that is not blank" [Text("supply_address1", |text| text.trim().is_empty())]
    }
    "supply-period-order": "Supply ends on or after the day it starts." {
        "supply_addresses.meter_points" "start_date_later_than_end_date" "expected supply to end on or after the day it starts" [After("supply_start_date", "supply_end_date")]
    }
    "no-future-supply-end": "Supply does not end after the run date." {
        "supply_addresses.meter_points" "future_supply_end_date" "expected a day up to the run date, or none" [Future("supply_end_date")]
    }
    "no-loss-in-progress": "No supply point is being lost to another supplier." {
        "supply_addresses.meter_points" "loss_in_progress" "expected a supply point that is not being lost; move the account after the loss" [Future("supply_end_date")]
    }
    "no-future-supply-start": "Supply that has not ended has started by the run date." {
        "supply_addresses.meter_points" "future_supply_start_date" "expected a day up to the run date" [Future("supply_start_date"), Absent("supply_end_date")]
    }
    "agents-or-to-appoint": "Agents are given, or are to be appointed, not both." {
        "supply_addresses.meter_points" "agents_and_mpids_to_appoint_provided" "expected the agents or whom to appoint as data collector, found both" [Given("dc_to_appoint"), Given("agents")]
        "supply_addresses.meter_points" "agents_and_mpids_to_appoint_provided" "expected the agents or whom to appoint as meter operator, found both" [Given("mop_to_appoint"), Given("agents")]
    }
    "smart-refusal-reason": "A customer who wants a smart meter has no reason against it." {
        "supply_addresses.meter_points" "smart_refusal_reason_given_for_interest" "expected no reason against a smart meter: the customer is interested" [Given("smart_refusal_interest.refusal_reason"), In("smart_refusal_interest.type", &["INTERESTED"])]
    }
    "portfolio-number-shape": "A portfolio number is P- and eight capital letters or digits." {
        "supply_addresses.meter_points.agreements" "invalid_portfolio_number" "expected P- and eight capital letters or digits" [Text("intermediary.portfolio_number", bad_portfolio)]
    }
    "bespoke-register-key": "A bespoke rate of an electricity register names the register or the type of the rate." {
        "supply_addresses.meter_points.agreements.bespoke_tariff_rates.registers" "no_register_id_or_rate_type_provided_for_bespoke_elec_rate" "expected the register or the type of the rate" [Absent("register_id"), Absent("rate_type")]
    }
    "effective-to-date-order": "A period ends on or after the day it starts." {
        "supply_addresses.meter_points.capacity_values" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from_date", "effective_to_date")]
        "supply_addresses.meter_points.configuration_periods" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from_date", "effective_to_date")]
    }
    "tax-exemption-dates": "A tax exemption ends after the day it starts." {
        "supply_addresses.meter_points.ccl_exemptions" "start_date_same_as_end_date" "expected the end after the start" [NotBefore("effective_from", "effective_to")]
        "supply_addresses.meter_points.vat_exemptions" "start_date_same_as_end_date" "expected the end after the start" [NotBefore("effective_from", "effective_to")]
    }
    "active-meter-has-register": "An active electricity meter has a register." {
        "supply_addresses.meter_points.meters" "registers_missing_for_active_electricity_meter" "expected a register of the meter; none is left of it" [Absent("registers"), Absent("removed_on"), Absent("^supply_end_date"), ELECTRICITY]
    }
    "smart-fields-only-smart": "Only a smart meter has a device and a day of commission." {
        "supply_addresses.meter_points.meters" "smart_details_provided_for_non_smart_meter" "expected no smart device: the meter is not smart" [Given("smart_device_id"), In("smart_type", &["NONE"])]
        "supply_addresses.meter_points.meters" "smart_details_provided_for_non_smart_meter" "expected no day of commission: the meter is not smart" [Given("smart_commissioned_on"), In("smart_type", &["NONE"])]
    }
    "prepay-fields-only-prepay": "Only a prepay meter has prepay details and a customer reference number." {
        "supply_addresses.meter_points.meters" "prepay_details_on_non_prepay_meter" "expected no prepay details: the meter is a credit meter" [Given("prepay_details"), NotTrue("is_prepay")]
        "supply_addresses.meter_points.meters" "prepay_details_on_non_prepay_meter" "expected no prepay reference: the meter is a credit meter" [Given("prepay_customer_reference_number"), NotTrue("is_prepay")]
    }
    "elec-prepay-reference-required": "An active electricity prepay meter has a customer reference number." {
        "supply_addresses.meter_points.meters" "electricity_prepay_meter_without_customer_reference_number" "expected the prepay customer's reference number" [Absent("prepay_customer_reference_number"), True("is_prepay"), Absent("removed_on"), ELECTRICITY]
    }
    "prepay-reference-integer": "The reference number of an electricity prepay customer is of digits." {
        "supply_addresses.meter_points.meters" "invalid_prepay_customer_reference_number" "expected digits only, spaces aside" [Text("prepay_customer_reference_number", not_digits), ELECTRICITY]
    }
    "meter-serial-shape": "A meter has a serial number." {
        "supply_addresses.meter_points.meters" "blank" "expected the meter's serial number" [Absent("meter_serial_number")]
        "supply_addresses.meter_points.meters" "invalid_meter_serial_number" "expected a serial number of at most 32 characters that is not blank" [Text("meter_serial_number", bad_serial)]
    }
    "smart-commissioned-not-future": "No smart meter is commissioned after the run date." {
        "supply_addresses.meter_points.meters" "future_smart_meter_commission_date" "expected a day up to the run date" [Future("smart_commissioned_on")]
    }
    "smart-device-id-shape": "A smart device is named by eight pairs of hexadecimal digits." {
        "supply_addresses.meter_points.meters" "invalid_smart_device_id" "expected eight pairs of hexadecimal digits joined by hyphens" [Text("smart_device_id", bad_device)]
    }
    "billable-point-has-meter": "A meter point on supply has a meter, unless it is unmetered." {
        "supply_addresses.meter_points" "meter_point_with_no_meters" "expected a meter; none is left of the meter point" [Absent("meters"), Absent("supply_end_date"), Absent("measurement_class")]
        "supply_addresses.meter_points" "meter_point_with_no_meters" "expected a meter; none is left of the meter point" [Absent("meters"), Absent("supply_end_date"), In("measurement_class", &["A", "C", "E", "F", "G"])]
    }
    "nhh-registers-have-tpr": "A register of a meter that is not read by the half-hour has a time pattern regime." {
        "supply_addresses.meter_points.meters.registers" "registers_missing_for_active_electricity_meter" "expected the register's time pattern regime" [Absent("tpr"), Test::Numbers(&["^^profile_class"], |n| !n[0].is_zero()), In("^^supply_type", &["ELECTRICITY"])]
    }
    "end-not-before-start": "A period ends on or after the day it starts." {
        "contribution_agreements.periods" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
        "payment_schedules" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
        "current_statement_transactions.line_items" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
        "historical_statement_transactions.line_items" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
        "ledgers.current_statement_transactions.line_items" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
        "ledgers.historical_statement_transactions.line_items" "start_date_later_than_end_date" "expected the end on or after the start" [After("start_date", "end_date")]
    }
};

fn bad_portfolio(text: &str) -> bool {
    text.strip_prefix("P-").is_none_or(|rest| {
        rest.len() != 8 || !rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    })
}

fn not_digits(text: &str) -> bool {
    !text.chars().filter(|c| !c.is_whitespace()).all(|c| c.is_ascii_digit()) || text.trim().is_empty()
}

fn bad_serial(text: &str) -> bool {
    text.trim().is_empty() || text.chars().count() > 32
}

fn bad_device(text: &str) -> bool {
    let digits = text.chars().filter(|c| !matches!(c, '-' | ':'));
    digits.clone().count() != 16 || !digits.into_iter().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_names_and_numbers() {
        assert!(!bad_portfolio("P-12AB34CD") && bad_portfolio("P-12ab34cd") && bad_portfolio("12AB34CD"));
        assert!(!not_digits("0012 3456 78") && not_digits("A1234567") && not_digits("12_34") && not_digits("+1234"));
        assert!(!bad_serial("Z16N389556") && bad_serial("  "));
        assert!(!bad_device("01:23:45:67:89:ab:cd:ef") && bad_device("01-23-45-67-89-AB-CD-EG") && bad_device("0123"));
    }
}
