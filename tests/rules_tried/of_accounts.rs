//! The account itself, its people, and what hangs beside supply and money.

use super::{Changes, Tried, tried};

const BUSINESS: Changes = &[("/account_type", r#""BUSINESS""#)];
const OPTIONS: Changes = &[
    ("/account_billing_options", r#"{"period_length": "QUARTERLY", "period_start_day": 1}"#),
    ("/next_bill_due_date", r#""2019-10-01""#),
];
const CONTRACTS: Changes = &[
    ("/business/business_contract_identifiers", r#"["C1"]"#),
    ("@E/agreements/0/business_contract_identifier", r#""C1""#),
];
const DETAILS: Changes =
    &[("/business/details", r#"[{"key": "sic_codes", "value": "1"}, {"key": "vat_number", "value": "1"}]"#)];
const CAMPAIGNS: Changes = &[("/account_campaigns", r#"[{"slug": "a"}, {"slug": "b"}]"#)];
const ADDRESS_OBJECT: Changes = &[
    ("/billing_address1", "null"),
    ("/billing_postcode", "null"),
    ("/billing_address", r#"{"country": "GB", "street_address": "1 High Street", "postal_code": "W1F 9DE"}"#),
];
const CONSENTS: Changes = &[(
    "/consents",
    r#"[{"type": "A", "value": "ACCEPTED", "signed_at": "2019-05-01T10:00:00Z"}, {"type": "B", "value": "ACCEPTED"}]"#,
)];
const LEAD: Changes = &[
    ("/account_type", r#""PORTFOLIO_LEAD""#),
    ("/supply_addresses", "null"),
    (
        "/portfolio",
        r#"{"portfolio_settings": {"collective_billing": true},
            "portfolio_references": [{"namespace": "portfolio-label", "value": "1"}, {"namespace": "external-portfolio-reference-id", "value": "2"}]}"#,
    ),
];
const TWO_CUSTOMERS: Changes = &[
    ("/customers/0/user_details", r#"[{"namespace": "external_user_id", "value": "7"}]"#),
    ("/customers/1", r#"{"family_name": "King", "user_details": [{"namespace": "external_user_id", "value": "8"}]}"#),
];
const NOTES: Changes = &[(
    "/notes",
    r#"[{"created_at": "2018-10-10T10:00:00Z", "body": "A note", "unpin_at": "2019-01-01T10:00:00Z"},
        {"created_at": "2018-10-10T10:00:00Z", "document_paths": [{"document_path": "/a"}]}]"#,
)];
const COMMISSION: Changes = &[(
    "/commission_contracts",
    r#"[{"mpxn": "1200060176720", "commission_type": "UNIT_RATE_UPLIFT", "value": "1.0"}, {"mpxn": "9353824109", "unit_rate_uplift": "1.0"}]"#,
)];
const COMPLAINT: Changes = &[(
    "/complaints",
    r#"[{"official_entity": "O", "official_status": "S", "official_reference_number": "1",
         "has_eight_week_letter_been_sent": true, "has_chsr_letter_been_sent": true}]"#,
)];
const DEPOSIT: Changes = &[(
    "/deposit_agreements",
    r#"[{"deposit_amount": "1.00", "fulfilled_at": "2019-01-01T10:00:00Z", "last_interest_date": "2019-02-01"}]"#,
)];

#[rustfmt::skip]
pub(super) const TRIED: &[Tried] = &[
    tried("account-type-single", &[&[("/is_managed", "false"), ("/is_portfolio_lead", "false")]], &[("/is_managed", "true")],
        "multiple_account_types_selected", "/is_managed", &["account.csv:2:is_managed", "account.csv:2:account_type"]),
    tried("postcode-valid", &[ADDRESS_OBJECT], &[("/billing_address/postal_code", r#""ZZ99""#)],
        "invalid_postcode", "/billing_address/postal_code", &["account.csv:2:billing_address_postal_code"]),
    tried("billing-address-one-style", &[ADDRESS_OBJECT, &[("/billing_postcode", r#""""#)]], &[("/billing_postcode", r#""W1F 9DE""#)],
        "billing_address_new_style_and_legacy", "/billing_address", &["account.csv:2:billing_address_country"]),
    tried("billing-address-legacy-shape", &[], &[("/billing_postcode", "null")],
        "invalid_address", "/billing_postcode", &["account.csv:2"]),
    tried("delivery-point-chars", &[&[("/billing_delivery_point_identifier", r#""W1F9DE1A""#)]], &[("/billing_delivery_point_identifier", r#""w1f 9de""#)],
        "invalid_delivery_point_identifier", "/billing_delivery_point_identifier", &["account.csv:2:billing_delivery_point_identifier"]),
    tried("business-type-number-not-domestic", &[BUSINESS, &[("/company_number", r#""1234567""#)]], &[("/account_type", r#""DOMESTIC""#)],
        "business_fields_provided_for_domestic_accounts", "/company_number", &["account.csv:2:company_number", "account.csv:2:account_type"]),
    tried("company-number-valid", &[BUSINESS, &[("/company_number", r#""sc 1234""#)]], &[("/company_number", r#""ABC12345""#)],
        "invalid_company_number", "/company_number", &["account.csv:2:company_number"]),
    tried("billing-options-business-only", &[BUSINESS, OPTIONS], &[("/account_type", r#""DOMESTIC""#)],
        "account_billing_options_provided_for_domestic_accounts", "/account_billing_options", &["account.csv:2:account_billing_options_period_length"]),
    tried("billing-options-one-mode", &[BUSINESS, OPTIONS], &[("/account_billing_options/use_industry_billing", "true")],
        "account_billing_options_industry_billing_with_period_data", "/account_billing_options/period_length", &["account.csv:2:account_billing_options_period_length"]),
    tried("business-billing-options-complete", &[BUSINESS, OPTIONS], &[("/account_billing_options/period_start_day", "null")],
        "business_account_missing_billing_options", "/account_billing_options/period_start_day", &["account.csv:2"]),
    tried("quarterly-needs-next-bill", &[BUSINESS, OPTIONS], &[("/next_bill_due_date", "null")],
        "next_bill_to_date_not_provided_for_quarterly_billing", "/next_bill_due_date", &["account.csv:2"]),
    tried("business-contract-id-present", &[BUSINESS, CONTRACTS], &[("/business", "null")],
        "missing_contract_identifier", "@E/agreements/0/business_contract_identifier", &["agreements.csv:2:business_contract_identifier"]),
    tried("agreement-contract-id-declared", &[BUSINESS, CONTRACTS], &[("@E/agreements/0/business_contract_identifier", r#""C2""#)],
        "agreement_business_contract_identifier_not_declared", "@E/agreements/0/business_contract_identifier",
        &["agreements.csv:2:business_contract_identifier", "business_contract_identifiers.csv:2:value"]),
    tried("business-detail-keys-unique", &[BUSINESS, DETAILS], &[("/business/details/1/key", r#""sic_codes""#)],
        "children_with_duplicate_values", "/business/details/1/key", &["details.csv:3:key", "details.csv:2:key"]),
    tried("business-has-customer", &[BUSINESS], &[("/customers", "null")],
        "business_account_missing_customers", "/customers", &["account.csv:2"]),
    tried("portfolio-lead-no-supply", &[], &[("/account_type", r#""PORTFOLIO_LEAD""#)],
        "portfolio_lead_has_a_supply_address", "/supply_addresses", &["supply_addresses.csv:2", "account.csv:2:account_type"]),
    tried("system-account-no-supply", &[], &[("/account_type", r#""SYSTEM""#)],
        "system_account_has_a_supply_address", "/supply_addresses", &["supply_addresses.csv:2", "account.csv:2:account_type"]),
    tried("portfolio-settings-lead-only", &[LEAD], &[("/account_type", r#""DOMESTIC""#)],
        "portfolio_settings_included_when_not_lead", "/portfolio/portfolio_settings", &["account.csv:2:portfolio_portfolio_settings_collective_billing"]),
    tried("portfolio-reference-namespaces-unique", &[LEAD], &[("/portfolio/portfolio_references/1/namespace", r#""portfolio-label""#)],
        "duplicate_portfolio_references", "/portfolio/portfolio_references/1/namespace", &["portfolio_references.csv:3:namespace", "portfolio_references.csv:2:namespace"]),
    tried("campaign-identifier-style", &[CAMPAIGNS, &[("/account_campaigns/1/campaign_note", r#""N""#)]], &[("/account_campaigns/1/slug", "null")],
        "inconsistent_campaign_identifiers", "/account_campaigns/1/slug", &["account_campaigns.csv:3:slug", "account_campaigns.csv:2:slug"]),
    tried("campaign-name-xor-slug", &[CAMPAIGNS, &[("/account_campaigns/1/campaign_note", r#""N""#)]], &[("/account_campaigns/1/slug", "null")],
        "campaign_name_or_slug_not_provided", "/account_campaigns/1/slug", &["account_campaigns.csv:3:slug"]),
    tried("campaigns-unique", &[CAMPAIGNS], &[("/account_campaigns/1/slug", r#""a""#)],
        "duplicate_account_campaigns", "/account_campaigns/1/slug", &["account_campaigns.csv:3:slug", "account_campaigns.csv:2:slug"]),
    tried("campaign-dates", &[CAMPAIGNS, &[("/account_campaigns/0/start_date", r#""2019-01-01""#), ("/account_campaigns/0/expiry_date", r#""2019-02-01""#)]],
        &[("/account_campaigns/0/expiry_date", r#""2019-01-01""#)],
        "start_date_same_as_end_date", "/account_campaigns/0/start_date", &["account_campaigns.csv:2:start_date", "account_campaigns.csv:2:expiry_date"]),
    tried("occupier-no-dd-reference", &[&[("/dd_reference", r#""D""#)]], &[("/unknown_occupier", "true")],
        "dd_reference_for_occupier_account", "/dd_reference", &["account.csv:2:dd_reference", "account.csv:2:unknown_occupier"]),
    tried("debt-or-debts", &[&[("/debts", r#"[{"agency_name": "A"}]"#), ("/debt/agency_name", r#""""#)]], &[("/debt/agency_name", r#""A""#)],
        "debt_and_debts_are_defined", "/debt", &["account.csv:2:debt_agency_name", "debts.csv:2"]),
    tried("smart-read-day", &[&[("/smart_read_cycle_day", "10")]], &[("/smart_read_cycle_day", "29")],
        "invalid_day_of_month", "/smart_read_cycle_day", &["account.csv:2:smart_read_cycle_day"]),
    tried("fit-bacs-details", &[&[("/fit", r#"{"payment_method": "BACS", "vendor_name": "STRIPE", "instruction_reference": "R"}"#)]], &[("/fit/vendor_name", "null")],
        "payment_instruction_details_incomplete", "/fit/vendor_name", &["account.csv:2"]),
    tried("tax-year-shape", &[&[("/warm_home_discount", r#"[{"tax_year": "2017/18"}]"#)]], &[("/warm_home_discount/0/tax_year", r#""2017-18""#)],
        "incorrect_format_for_tax_year", "/warm_home_discount/0/tax_year", &["warm_home_discount.csv:2:tax_year"]),
    tried("partner-valid-period", &[&[("/partner_organisations", r#"[{"valid_from": "2019-01-01T00:00:00Z", "valid_to": "2019-02-01T00:00:00Z"}]"#)]], &[("/partner_organisations/0/valid_to", r#""2018-01-01T00:00:00Z""#)],
        "start_date_later_than_end_date", "/partner_organisations/0/valid_from", &["partner_organisations.csv:2:valid_from", "partner_organisations.csv:2:valid_to"]),
    tried("one-deposit-agreement", &[DEPOSIT], &[("/deposit_agreements/1", r#"{"deposit_amount": "2.00"}"#)],
        "multiple_active_deposits_not_allowed", "/deposit_agreements/1", &["deposit_agreements.csv:3", "deposit_agreements.csv:2"]),
    tried("deposit-interest-date", &[DEPOSIT], &[("/deposit_agreements/0/last_interest_date", r#""2018-01-01""#)],
        "fulfilled_at_greater_than_last_interest_date", "/deposit_agreements/0/fulfilled_at",
        &["deposit_agreements.csv:2:fulfilled_at", "deposit_agreements.csv:2:last_interest_date"]),
    tried("complaint-official-complete", &[COMPLAINT], &[("/complaints/0/official_reference_number", "null")],
        "official_complaint_field_missing", "/complaints/0/official_reference_number", &["complaints.csv:2"]),
    tried("complaint-chsr-before-eight-week", &[COMPLAINT], &[("/complaints/0/has_chsr_letter_been_sent", "false")],
        "chsr_letter_not_sent", "/complaints/0/has_eight_week_letter_been_sent",
        &["complaints.csv:2:has_eight_week_letter_been_sent", "complaints.csv:2:has_chsr_letter_been_sent"]),
    tried("commission-supply-point-identifier", &[COMMISSION], &[("/commission_contracts/0/mpxn", r#""1200060176721""#)],
        "invalid_supply_point_identifier", "/commission_contracts/0/mpxn", &["commission_contracts.csv:2:mpxn"]),
    tried("commission-uplift-consistent", &[COMMISSION], &[("/commission_contracts/0/unit_rate_uplift", r#""1.0""#)],
        "uplift_and_value_conflict", "/commission_contracts/0/unit_rate_uplift", &["commission_contracts.csv:2:unit_rate_uplift", "commission_contracts.csv:2:value"]),
    tried("note-has-content", &[NOTES], &[("/notes/1/document_paths", "null")],
        "note_body_or_document_path_not_found", "/notes/1/body", &["notes.csv:3:body"]),
    tried("note-unpin-after-created", &[NOTES], &[("/notes/0/unpin_at", r#""2018-01-01T10:00:00Z""#)],
        "note_unpin_at_earlier_than_creation_date", "/notes/0/created_at", &["notes.csv:2:created_at", "notes.csv:2:unpin_at"]),
    // People.
    tried("billing-email-no-blackhole", &[&[("/billing_email", r#""bills@example.org""#)]], &[("/billing_email", r#""blackhole+1@example.org""#)],
        "billing_email_not_valid", "/billing_email", &["account.csv:2:billing_email"]),
    tried("consent-signed-not-future", &[CONSENTS], &[("/consents/0/signed_at", r#""2019-10-01T10:00:00Z""#)],
        "date_in_future", "/consents/0/signed_at", &["consents.csv:2:signed_at"]),
    tried("consent-types-unique", &[CONSENTS], &[("/consents/1/type", r#""A""#)],
        "children_with_duplicate_values", "/consents/1/type", &["consents.csv:3:type", "consents.csv:2:type"]),
    tried("details-or-user-details", &[TWO_CUSTOMERS, &[("/customers/0/details", r#""""#)]], &[("/customers/0/details", r#""tall""#)],
        "customer_details_and_user_details_both_provided", "/customers/0/user_details", &["user_details.csv:2", "customers.csv:2:details"]),
    tried("external-user-id-unique", &[TWO_CUSTOMERS], &[("/customers/1/user_details/0/value", r#""7""#)],
        "repeated_values_for_unique_customer_detail_namespace", "/customers/1/user_details/0/value", &["user_details.csv:3:value", "user_details.csv:2:value"]),
    tried("preferences-or-consents", &[&[("/customers/0/customer_preferences", r#"{"opted_into_sms": true}"#), ("/customers/1", r#"{"family_name": "King", "consents": [{"type": "A", "value": "ACCEPTED"}]}"#)]],
        &[("/customers/0/consents", r#"[{"type": "A", "value": "ACCEPTED"}]"#)],
        "fields_are_mutually_exclusive", "/customers/0/consents", &["consents.csv:2", "customers.csv:2:customer_preferences_opted_into_sms"]),
    tried("occupier-no-contact-details", &[BUSINESS, &[("/business/users", r#"[{"email": "ada@example.org", "given_name": "Ada", "family_name": "Byron"}]"#)]],
        &[("/business/users/0/given_name", r#""The""#), ("/business/users/0/family_name", r#""Occupier""#)],
        "contact_details_for_occupier", "/business/users/0/email", &["users.csv:2:email", "users.csv:2:given_name", "users.csv:2:family_name"]),
    tried("business-user-matches-customer", &[BUSINESS, &[("/business/users", r#"[{"email": "Ada@example.org", "given_name": "Ada", "family_name": "Byron"}]"#)]],
        &[("/business/users/0/family_name", r#""King""#)],
        "customer_details_and_user_details_both_provided", "/business/users/0/family_name", &["users.csv:2:family_name", "customers.csv:2:family_name"]),
];
