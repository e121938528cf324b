//! What a setting of the tenant's forbids or demands, as tables of what must never be true.

use super::{Need, TenantRule, switched};
use crate::rules::account_fields::{BUSINESS, DOMESTIC};
use crate::rules::never::{
    Never,
    Test::{self, Absent, Given, In, NotIn, True},
    never,
};
use crate::tenant::{DocumentIds, Setting};

/// Account types that have no supply of their own.
const UNSUPPLIED: &[&str] = &["PORTFOLIO_LEAD", "SYSTEM"];

/// True of every row: what must be there is missed too where no line of the mapping writes it.
const ALWAYS: Test = Given("/external_account_number");

macro_rules! switches {
    ($($id:literal $setting:ident: $doc:literal reads [$($read:literal),+] {
        $($when:expr => { $($at:literal $code:literal $message:literal [$($test:expr),+ $(,)?])+ })+
    })+) => {
        &[$(switched(
            $id,
            &[$($($code),+),+],
            $doc,
            &[Need::Setting(Setting::$setting)],
            &[$($read),+],
            |settings| false $(|| ($when)(settings))+,
            |schema, tenant| {
                $(if ($when)(&tenant.settings) {
                    const TABLE: &[Never] =
                        &[$(Never { at: $at, code: $code, message: $message, when: &[$($test),+] }),+];
                    return never(schema, TABLE);
                })+
                None
            },
        )),+]
    };
}

type S = crate::tenant::Settings;

pub(super) const RULES: &[TenantRule] = switches! {
    "managed-account-allowed" ManagedAccounts: "An account is managed only where the tenant takes managed accounts." reads ["account_type", "is_managed"] {
        |s: &S| s.managed_accounts == Some(false) => {
            "" "managed_accounts_are_not_allowed" "expected no managed account: the tenant takes none" [In("account_type", &["MANAGED"])]
            "" "managed_accounts_are_not_allowed" "expected no managed account: the tenant takes none" [True("is_managed")]
        }
    }
    "customer-given-name-business" SendRegistrationFlows: "A customer of a business account has a given name where supply points are registered with the industry." reads ["customers.given_name"] {
        |s: &S| s.send_registration_flows == Some(true) => {
            "customers" "customer_given_name_required" "expected a given name: the industry is told it" [Absent("given_name"), In("/account_type", BUSINESS)]
        }
    }
    "agents-only-with-flows" SendRegistrationFlows: "Agents are to be appointed only where supply points are registered with the industry." reads [
        "supply_addresses.meter_points.dc_to_appoint", "supply_addresses.meter_points.mop_to_appoint", "supply_addresses.meter_points.mam_to_appoint"
    ] {
        |s: &S| s.send_registration_flows == Some(false) => {
            "supply_addresses.meter_points" "agents_supplied_for_non_on_market_switch" "expected no data collector to appoint: the import registers nothing" [Given("dc_to_appoint")]
            "supply_addresses.meter_points" "agents_supplied_for_non_on_market_switch" "expected no meter operator to appoint: the import registers nothing" [Given("mop_to_appoint")]
            "supply_addresses.meter_points" "agents_supplied_for_non_on_market_switch" "expected no asset manager to appoint: the import registers nothing" [Given("mam_to_appoint")]
        }
    }
    "portfolio-reference-presence" NewPortfolios: "A portfolio with settings has a reference, unless the import makes a new portfolio: then it has none." reads [
        "portfolio.portfolio_settings", "portfolio.portfolio_references", "business.portfolios.portfolio_references"
    ] {
        |s: &S| s.new_portfolios == Some(false) => {
            "" "portfolio_references_missing" "expected a reference of the portfolio that has settings" [Absent("portfolio.portfolio_references"), Given("portfolio.portfolio_settings")]
            "business.portfolios" "portfolio_references_missing" "expected a reference of the portfolio that has settings" [Absent("portfolio_references"), Given("portfolio_settings")]
        }
        |s: &S| s.new_portfolios == Some(true) => {
            "" "portfolio_references_provided" "expected no reference of a portfolio: the import makes a new one" [Given("portfolio.portfolio_references")]
            "business.portfolios" "portfolio_references_provided" "expected no reference of a portfolio: the import makes a new one" [Given("portfolio_references")]
        }
    }
    "billing-document-id-presence" BillingDocumentIds: "Historical transactions name their billing document, or do not, as the tenant has it." reads [
        "historical_statement_transactions", "ledgers.historical_statement_transactions"
    ] {
        |s: &S| s.billing_document_ids == Some(DocumentIds::Required) => {
            "historical_statement_transactions" "historical_statement_billing_document_identifier_missing" "expected the identifier of the billing document" [Absent("billing_document_identifier"), ALWAYS]
            "ledgers.historical_statement_transactions" "historical_statement_billing_document_identifier_missing" "expected the identifier of the billing document" [Absent("billing_document_identifier"), ALWAYS]
        }
        |s: &S| s.billing_document_ids == Some(DocumentIds::Forbidden) => {
            "historical_statement_transactions" "historical_statement_billing_document_identifier_not_allowed_when_feature_flag_disabled" "expected no identifier of a billing document" [Given("billing_document_identifier")]
            "ledgers.historical_statement_transactions" "historical_statement_billing_document_identifier_not_allowed_when_feature_flag_disabled" "expected no identifier of a billing document" [Given("billing_document_identifier")]
        }
    }
    "business-required-if-enforced" EnforceBusinessContracts: "An account that is not domestic has a business where the tenant enforces business contracts." reads ["account_type"] {
        |s: &S| s.enforce_business_contracts == Some(true) => {
            "" "business_field_required" "expected the business that the account belongs to" [Absent("business"), NotIn("account_type", DOMESTIC)]
        }
    }
    "business-info-needed" LinkThroughContract: "A business with contracts is described, unless accounts are linked through the contract." reads [
        "business.business_contract_identifiers", "business.business_contract_identifier"
    ] {
        |s: &S| s.link_through_contract == Some(false) => {
            "" "business_information_required_if_not_linking_via_contract" "expected the business's name beside its contracts" [Absent("business.company_name"), Given("business.business_contract_identifiers")]
            "" "business_information_required_if_not_linking_via_contract" "expected the business's name beside its contract" [Absent("business.company_name"), Given("business.business_contract_identifier")]
        }
    }
    "business-info-forbidden" LinkThroughContract: "A business with contracts is not described where accounts are linked through the contract." reads [
        "business.business_contract_identifiers", "business.business_contract_identifier"
    ] {
        |s: &S| s.link_through_contract == Some(true) => {
            "" "business_information_not_required_if_linking_via_contract" "expected no name of the business beside its contracts" [Given("business.company_name"), Given("business.business_contract_identifiers")]
            "" "business_information_not_required_if_linking_via_contract" "expected no number of the business beside its contracts" [Given("business.company_number"), Given("business.business_contract_identifiers")]
            "" "business_information_not_required_if_linking_via_contract" "expected no type of the business beside its contracts" [Given("business.business_type"), Given("business.business_contract_identifiers")]
            "" "business_information_not_required_if_linking_via_contract" "expected no name of the business beside its contract" [Given("business.company_name"), Given("business.business_contract_identifier")]
        }
    }
    "operations-team-allocation" AutomaticTeams: "An account names an operations team, unless the tenant gives it one." reads ["operations_team_name"] {
        |s: &S| s.automatic_teams == Some(true) => {
            "" "operations_team_provided_when_using_auto_allocation" "expected no operations team: the tenant gives the account one" [Given("operations_team_name")]
        }
        |s: &S| s.automatic_teams == Some(false) => {
            "" "operations_team_should_be_provided" "expected an operations team: the tenant gives the account none" [Absent("operations_team_name"), ALWAYS]
        }
    }
    "consents-enabled" Consents: "Consents are given only where the tenant takes them." reads ["consents", "customers.consents"] {
        |s: &S| s.consents == Some(false) => {
            "" "field_not_enabled" "expected no consents: the tenant takes none" [Given("consents")]
            "customers" "field_not_enabled" "expected no consents: the tenant takes none" [Given("consents")]
        }
    }
    "supply-points-vs-skip-setting" SkipSupplyPoints: "A supply address has meter points, unless they are left out of the import: then it has none." reads ["supply_addresses"] {
        |s: &S| s.skip_supply_points == Some(true) => {
            "supply_addresses" "supply_points_provided_while_skip_supply_point_creation_enabled" "expected no meter points: the import leaves them out" [Given("meter_points")]
        }
        |s: &S| s.skip_supply_points == Some(false) => {
            "supply_addresses" "supply_points_not_provided_while_skip_supply_point_creation_disabled" "expected the meter points of the supply address; none is left of it" [Absent("meter_points"), NotIn("/account_type", UNSUPPLIED)]
        }
    }
    "addresses-vs-skip-setting" SkipProperties: "An account has no supply addresses where they are left out of the import." reads ["supply_addresses"] {
        |s: &S| s.skip_properties == Some(true) => {
            "" "supply_addresses_provided_while_skip_property_creation_enabled" "expected no supply addresses: the import leaves them out" [Given("supply_addresses")]
        }
    }
    "user-role-present" DefaultRole: "A customer has a role, unless the tenant gives one to those who have none." reads ["customers"] {
        |s: &S| s.default_role == Some(false) => {
            "customers" "required_user_role" "expected a role of the customer: the tenant has none for those without" [Absent("account_roles"), Absent("portfolio_roles"), ALWAYS]
        }
    }
    "incomplete-instructions-enabled" IncompleteInstructions: "A payment instruction has a reference, unless the tenant takes incomplete ones." reads ["payment_instructions"] {
        |s: &S| s.incomplete_instructions == Some(false) => {
            "payment_instructions" "incomplete_payments_not_enabled" "expected the reference of the payment instruction" [Absent("reference"), ALWAYS]
        }
    }
};
