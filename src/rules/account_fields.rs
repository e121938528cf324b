//! What the fields of the account itself say together.

use super::never::{
    Never,
    Test::{Absent, After, Future, Given, In, NotIn, NotTrue, Numbers, Past, Text, True},
    never,
};
use super::{Rule, error};

pub(super) const DOMESTIC: &[&str] =
    &["DOMESTIC", "DOMESTIC_VACANT", "DOMESTIC_OCCUPIER", "DOMESTIC_THIRD_PARTY_BILLED"];
pub(super) const BUSINESS: &[&str] =
    &["BUSINESS", "BUSINESS_VACANT", "BUSINESS_OCCUPIER", "BUSINESS_THIRD_PARTY_BILLED"];
const OCCUPIER: &[&str] = &["DOMESTIC_OCCUPIER", "BUSINESS_OCCUPIER"];

macro_rules! rules {
    ($($id:literal: $doc:literal { $($at:literal $code:literal $message:literal [$($test:expr),+ $(,)?])+ })+) => {
        &[$(error($id, &[$($code),+], $doc, |schema| {
            const TABLE: &[Never] = &[$(Never { at: $at, code: $code, message: $message, when: &[$($test),+] }),+];
            never(schema, TABLE)
        })),+]
    };
}
pub(super) use rules;

pub(super) const RULES: &[Rule] = rules! {
    "account-type-single": "The account type and the older flags that tell it do not name different types." {
        "" "multiple_account_types_selected" "expected one account type; the flag says managed, the account type something else"
            [True("is_managed"), NotIn("account_type", &["MANAGED"])]
        "" "multiple_account_types_selected" "expected one account type; the flag says portfolio lead, the account type something else"
            [True("is_portfolio_lead"), NotIn("account_type", &["PORTFOLIO_LEAD"])]
        "" "multiple_account_types_selected" "expected one of the flags for managed and portfolio lead, found both"
            [True("is_managed"), True("is_portfolio_lead")]
    }
    "billing-address-legacy-shape": "A billing address in single lines has a first line and a postcode." {
        "" "invalid_address" "expected a first line of the billing address beside the others" [Absent("billing_address1"), Given("billing_postcode"), Absent("billing_address")]
        "" "invalid_address" "expected a first line that is not blank" [Text("billing_address1", blank)]
        "" "invalid_address" "expected a postcode beside the lines of the billing address" [Absent("billing_postcode"), Given("billing_address1"), Absent("billing_address")]
        "" "invalid_address" "expected a postcode that is not blank" [Text("billing_postcode", blank)]
    }
    "billing-address-required": "An account that is not an occupier's has a billing address." {
        "" "billing_address_not_provided" "expected a billing address: its first line, or the address as an object"
            [Absent("billing_address1"), Absent("billing_address"), NotTrue("unknown_occupier"), NotIn("account_type", OCCUPIER)]
        "" "billing_address_not_provided" "expected a postcode with the billing address"
            [Absent("billing_postcode"), Absent("billing_address"), NotTrue("unknown_occupier"), NotIn("account_type", OCCUPIER)]
    }
    "billing-address-one-style": "The billing address is given as an object or as single lines, not both." {
        "" "billing_address_new_style_and_legacy" "expected the billing address once, as an object or as lines" [Given("billing_address"), Given("billing_address1")]
        "" "billing_address_new_style_and_legacy" "expected the billing address once, as an object or as lines" [Given("billing_address"), Given("billing_postcode")]
    }
    "address-object-shape": "A billing address object has a street as a text or in parts, not both." {
        "" "invalid_address" "expected one of the street's two forms, found both" [Given("billing_address.street_address"), Given("billing_address.structured_street_address")]
    }
    "portfolio-settings-lead-only": "Portfolio settings are for portfolio leads." {
        "" "portfolio_settings_included_when_not_lead" "expected no portfolio settings: the account is no portfolio lead"
            [Given("portfolio.portfolio_settings"), NotIn("account_type", &["PORTFOLIO_LEAD"]), NotTrue("is_portfolio_lead")]
    }
    "portfolio-lead-no-supply": "A portfolio lead has no supply addresses." {
        "" "portfolio_lead_has_a_supply_address" "expected no supply address on a portfolio lead" [Given("supply_addresses"), In("account_type", &["PORTFOLIO_LEAD"])]
    }
    "system-account-no-supply": "A system account has no supply addresses." {
        "" "system_account_has_a_supply_address" "expected no supply address on a system account" [Given("supply_addresses"), In("account_type", &["SYSTEM"])]
    }
    "business-type-number-not-domestic": "A domestic account has no business type and no company number." {
        "" "business_fields_provided_for_domestic_accounts" "expected no business type on a domestic account" [Given("business_type"), In("account_type", DOMESTIC)]
        "" "business_fields_provided_for_domestic_accounts" "expected no company number on a domestic account" [Given("company_number"), In("account_type", DOMESTIC)]
    }
    "bespoke-rates-business-only": "Bespoke tariff rates are for business accounts." {
        "supply_addresses.meter_points.agreements" "business_fields_provided_for_domestic_accounts" "expected no bespoke rates on a domestic account" [Given("bespoke_tariff_rates"), In("/account_type", DOMESTIC)]
    }
    "tax-exemptions-business-only": "Tax exemptions are for business accounts." {
        "supply_addresses.meter_points" "tax_exemptions_provided_for_domestic_account" "expected no levy exemptions on a domestic account" [Given("ccl_exemptions"), In("/account_type", DOMESTIC)]
        "supply_addresses.meter_points" "tax_exemptions_provided_for_domestic_account" "expected no VAT exemptions on a domestic account" [Given("vat_exemptions"), In("/account_type", DOMESTIC)]
    }
    "business-has-customer": "A business account has a customer." {
        "" "business_account_missing_customers" "expected a customer on a business account; none is left of it" [Absent("customers"), In("account_type", BUSINESS), NotTrue("unknown_occupier")]
    }
    "business-contract-id-present": "A business that has contracts says which, by its list of identifiers or the older single one." {
        "supply_addresses.meter_points.agreements" "missing_contract_identifier" "the agreement names a business contract, the business none"
            [Given("business_contract_identifier"), Absent("/business.business_contract_identifiers"), Absent("/business.business_contract_identifier")]
    }
    "billing-options-business-only": "Billing options are for business accounts." {
        "" "account_billing_options_provided_for_domestic_accounts" "expected no billing options on a domestic account" [Given("account_billing_options"), In("account_type", DOMESTIC)]
    }
    "business-billing-options-complete": "Billing options of a business account say the length of the period and its first day." {
        "" "business_account_missing_billing_options" "expected the day on which a billing period starts" [Absent("account_billing_options.period_start_day"), Given("account_billing_options"), NotTrue("account_billing_options.use_industry_billing"), In("account_type", BUSINESS)]
        "" "business_account_missing_billing_options" "expected the length of a billing period" [Absent("account_billing_options.period_length"), Given("account_billing_options"), NotTrue("account_billing_options.use_industry_billing"), In("account_type", BUSINESS)]
    }
    "billing-options-one-mode": "Billing options name the industry's periods or periods of their own." {
        "" "account_billing_options_industry_billing_with_period_data" "expected no period beside the industry's" [Given("account_billing_options.period_length"), True("account_billing_options.use_industry_billing")]
        "" "account_billing_options_industry_billing_with_period_data" "expected no first day beside the industry's periods" [Given("account_billing_options.period_start_day"), True("account_billing_options.use_industry_billing")]
        "" "account_billing_options_period_data_required" "expected the length of a period, or the industry's" [Absent("account_billing_options.period_length"), Given("account_billing_options"), NotTrue("account_billing_options.use_industry_billing")]
        "" "account_billing_options_period_data_required" "expected the first day of a period, or the industry's" [Absent("account_billing_options.period_start_day"), Given("account_billing_options"), NotTrue("account_billing_options.use_industry_billing")]
    }
    "quarterly-needs-next-bill": "An account billed by the quarter says when its next bill is due." {
        "" "next_bill_to_date_not_provided_for_quarterly_billing" "expected the date of the next bill of an account billed by the quarter"
            [Absent("next_bill_due_date"), In("account_billing_options.period_length", &["QUARTERLY"]), NotTrue("account_billing_options.use_industry_billing")]
    }
    "no-customers-unknown-occupier": "An account of an unknown occupier has no customers." {
        "" "customer_with_unknown_occupier" "expected no customer: the occupier is unknown" [Given("customers"), True("unknown_occupier")]
    }
    "occupier-no-dd-reference": "An occupier's account has no direct debit." {
        "" "dd_reference_for_occupier_account" "expected no direct debit reference: the occupier is unknown" [Given("dd_reference"), True("unknown_occupier")]
        "" "dd_reference_for_occupier_account" "expected no direct debit reference on an occupier's account" [Given("dd_reference"), In("account_type", OCCUPIER)]
    }
    "adequacy-or-review-date": "Payment reviews are given as changes or as the last one's date, not both." {
        "" "payment_adequacy_changes_and_last_payment_review_date_provided" "expected the reviews or the last one's date, found both" [Given("last_payment_review_date"), Given("payment_adequacy_changes")]
    }
    "debt-or-debts": "Debts are given as one or as a list, not both." {
        "" "debt_and_debts_are_defined" "expected one debt or a list of them, found both" [Given("debt"), Given("debts")]
    }
    "review-date-not-future": "The last payment review is not after the run date." {
        "" "last_payment_review_date_is_future_dated" "expected a day up to the run date" [Future("last_payment_review_date")]
    }
    "dunning-start-not-past": "A dunning path does not start before the run date." {
        "" "date_in_past" "expected the run date or a later day" [Past("dunning_path.start_date")]
    }
    "smart-read-day": "The day of the smart reading cycle is from 1 to 28." {
        "" "invalid_day_of_month" "expected a day from 1 to 28" [Numbers(&["smart_read_cycle_day"], |n| n[0] < 1.into() || n[0] > 28.into())]
    }
    "delivery-point-chars": "A delivery point identifier is of capital letters and digits, at most 11." {
        "" "invalid_delivery_point_identifier" "expected up to 11 capital letters and digits" [Text("billing_delivery_point_identifier", bad_delivery_point)]
        "" "invalid_delivery_point_identifier" "expected up to 11 capital letters and digits" [Text("billing_address.delivery_point_identifier", bad_delivery_point)]
        "supply_addresses" "invalid_delivery_point_identifier" "expected up to 11 capital letters and digits" [Text("supply_delivery_point_identifier", bad_delivery_point)]
    }
    "company-number-valid": "A company number has eight digits, or two letters and six; the target adds leading noughts." {
        "" "invalid_company_number" "expected up to 8 digits, or two letters and up to 6 digits" [Text("company_number", bad_company_number)]
        "" "invalid_company_number" "expected up to 8 digits, or two letters and up to 6 digits" [Text("business.company_number", bad_company_number)]
    }
    "fit-bacs-details": "Feed-in payments by bank transfer name the vendor and the instruction." {
        "" "payment_instruction_details_incomplete" "expected the vendor of the payment instruction" [Absent("fit.vendor_name"), In("fit.payment_method", &["BACS"])]
        "" "payment_instruction_details_incomplete" "expected the reference of the payment instruction" [Absent("fit.instruction_reference"), In("fit.payment_method", &["BACS"])]
    }
    "campaign-name-xor-slug": "A campaign is named by its name or by its slug." {
        "account_campaigns" "campaign_name_and_slug_provided" "expected the campaign's name or its slug, found both" [Given("slug"), Given("campaign_name")]
        "account_campaigns" "campaign_name_or_slug_not_provided" "expected the campaign's slug or its name" [Absent("slug"), Absent("campaign_name")]
    }
    "campaign-dates": "A campaign ends after the day it starts." {
        "account_campaigns" "start_date_same_as_end_date" "expected the campaign to end after the day it starts" [super::never::Test::NotBefore("start_date", "expiry_date")]
    }
    "note-has-content": "A note has a text or a document." {
        "notes" "note_body_or_document_path_not_found" "expected a text or a document" [Absent("body"), Absent("document_paths")]
        "portfolio.notes" "note_body_or_document_path_not_found" "expected a text or a document" [Absent("body"), Absent("document_paths")]
        "business.portfolios.notes" "note_body_or_document_path_not_found" "expected a text or a document" [Absent("body"), Absent("document_paths")]
    }
    "note-unpin-after-created": "A note is not unpinned before it is written." {
        "notes" "note_unpin_at_earlier_than_creation_date" "expected the note to be unpinned after it was written" [After("created_at", "unpin_at")]
        "portfolio.notes" "note_unpin_at_earlier_than_creation_date" "expected the note to be unpinned after it was written" [After("created_at", "unpin_at")]
        "business.portfolios.notes" "note_unpin_at_earlier_than_creation_date" "expected the note to be unpinned after it was written" [After("created_at", "unpin_at")]
    }
    "statement-path-or-context": "A statement has a document." {
        "statements" "missing_statement_path_or_pdf_context" "expected the path of the statement's document" [Absent("statement_path")]
    }
    "tax-year-shape": "A tax year is written as 2018/19." {
        "warm_home_discount" "incorrect_format_for_tax_year" "expected a tax year such as 2018/19" [Text("tax_year", bad_tax_year)]
    }
    "partner-valid-period": "A partner organisation is valid until the day it starts to be, or later." {
        "partner_organisations" "start_date_later_than_end_date" "expected the end on or after the start" [After("valid_from", "valid_to")]
    }
    "deposit-interest-date": "Interest is paid on a deposit after it has been fulfilled." {
        "deposit_agreements" "last_interest_date_not_allowed" "expected the day the deposit was fulfilled with a day of interest" [Given("last_interest_date"), Absent("fulfilled_at")]
        "deposit_agreements" "fulfilled_at_greater_than_last_interest_date" "expected interest on or after the day the deposit was fulfilled" [After("fulfilled_at", "last_interest_date")]
    }
    "complaint-official-complete": "An official complaint has its body, its status and its reference number." {
        "complaints" "official_complaint_field_missing" "expected the reference number too" [Absent("official_reference_number"), Given("official_entity")]
        "complaints" "official_complaint_field_missing" "expected the reference number too" [Absent("official_reference_number"), Given("official_status"), Absent("official_entity")]
        "complaints" "official_complaint_field_missing" "expected the official body too" [Absent("official_entity"), Given("official_reference_number")]
        "complaints" "official_complaint_field_missing" "expected the official status too" [Absent("official_status"), Given("official_reference_number"), Given("official_entity")]
    }
    "complaint-chsr-before-eight-week": "No eight-week letter is sent before the first letter." {
        "complaints" "chsr_letter_not_sent" "expected the complaint's first letter to have been sent before the eight-week letter" [True("has_eight_week_letter_been_sent"), NotTrue("has_chsr_letter_been_sent")]
    }
    "commission-uplift-consistent": "A commission has a value with its type, or uplifts." {
        "commission_contracts" "commission_type_requires_value" "expected a value with the commission's type" [Absent("value"), Given("commission_type")]
        "commission_contracts" "uplift_and_value_conflict" "expected a value or an uplift of the unit rate, found both" [Given("unit_rate_uplift"), Given("value")]
        "commission_contracts" "uplift_and_value_conflict" "expected a value or an uplift of the standing charge, found both" [Given("standing_charge_uplift"), Given("value")]
    }
    "effective-to-not-before-from": "What is in effect ends on or after the day it starts." {
        "commission_contracts" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from", "effective_to")]
        "supply_addresses.meter_points.agreements" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from", "effective_to")]
        "supply_addresses.meter_points.aq_history" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from", "effective_to")]
        "supply_addresses.property_administrators" "start_date_later_than_end_date" "expected the end on or after the start" [After("effective_from", "effective_to")]
    }
    "consent-signed-not-future": "No consent is signed after the run date." {
        "consents" "date_in_future" "expected a day up to the run date" [Future("signed_at")]
        "customers.consents" "date_in_future" "expected a day up to the run date" [Future("signed_at")]
    }
    "contribution-active-period": "A contribution agreement ends on or after the day it starts." {
        "contribution_agreements" "start_date_later_than_end_date" "expected the end on or after the start" [After("active_period_start_date", "active_period_end_date")]
    }
};

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn bad_delivery_point(text: &str) -> bool {
    text.len() > 11 || !text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn bad_company_number(text: &str) -> bool {
    let mut letters = 0_usize;
    let mut digits = 0_usize;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            'a'..='z' | 'A'..='Z' if digits == 0 => letters += 1,
            '0'..='9' => digits += 1,
            _ => return true,
        }
    }
    !matches!(letters, 0 | 2) || digits == 0 || letters + digits > 8
}

fn bad_tax_year(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() != 7 || bytes[4] != b'/' || bytes.iter().enumerate().any(|(at, byte)| at != 4 && !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn company_numbers() {
        for good in ["1234567", "SC123456", "sc 1234"] {
            assert!(!bad_company_number(good), "{good}");
        }
        for bad in ["123456789", "ABC12345", "12A45678", "SC"] {
            assert!(bad_company_number(bad), "{bad}");
        }
    }

    #[test]
    fn delivery_points_and_tax_years() {
        assert!(!bad_delivery_point("W1F9DE1A") && bad_delivery_point("w1f 9de"));
        assert!(!bad_tax_year("2017/18") && bad_tax_year("2017-18") && bad_tax_year("17/18"));
    }
}
