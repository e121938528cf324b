//! Every rule of the tenant's lists and settings: the guide's account passes by one list or setting and fails by another,
//! and without either it is not judged.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use slipway::finding::{Finding, Severity};
use slipway::rules::overrides::Overrides;
use slipway::rules::{RuleSet, tenant};
use slipway::tenant::{ListKind, Settings, Tenant};

use crate::rules::check_by;
use crate::support::repository;

/// What is known of a tenant: lists, and lines of `[target.settings]`.
type Known = (&'static [(ListKind, &'static str)], &'static str);
/// An entity and constants that the mapping says of it.
type Said = (&'static str, &'static [(&'static str, &'static str)]);

struct Case {
    rule: &'static str,
    /// Further fields of the guide's account.
    said: &'static [Said],
    /// Edits of the guide's files.
    edits: &'static [(&'static str, &'static str, &'static str)],
    wrong: Known,
    right: Known,
    code: &'static str,
    path: &'static str,
}

const NONE: Known = (&[], "");
const PLAIN: Case = Case { rule: "", said: &[], edits: &[], wrong: NONE, right: NONE, code: "", path: "" };

const MAPPING: &str = "mapping.toml";
const POINT: &str = "supply_addresses.meter_points";
const AGREEMENT: &str = "supply_addresses.meter_points.agreements";
const ELECTRICITY_TARIFF: &str = "supply_addresses.0.meter_points.0.agreements.0.tariff_code";
const GAS_TARIFF: &str = "supply_addresses.0.meter_points.1.agreements.0.tariff_code";
/// The current transactions as supply charges with one line each.
const CHARGE: &[(&str, &str, &str)] = &[
    ("extra.csv", "15;attachment", "3001;line;1;;\n3001;line;2;;\n15;attachment"),
    (MAPPING, "type = \"type\"", "type = { value = \"SUPPLY_CHARGE\" }\nproduct_code = { value = \"P\" }"),
    (
        MAPPING,
        "[entity.payment_schedules]",
        "[entity.\"ledgers.current_statement_transactions.line_items\"]\ntable = \"extra\"\n\
         parent = [\"belongs_to\", \"name\"]\nwhere = { what = \"line\" }\norder = [\"name\"]\n\
         [entity.\"ledgers.current_statement_transactions.line_items\".fields]\nrate_band = { value = \"DAY\" }\n\
         price_per_unit = { value = \"1.50\" }\nnumber_of_units = { value = \"30\" }\nnet_amount = { value = \"45\" }\n\
         start_date = { value = \"2019-08-01\" }\nend_date = { value = \"2019-08-31\" }\n\n[entity.payment_schedules]",
    ),
];

/// A case of one list, one that lacks the guide's value and one that has it.
macro_rules! listed {
    ($rule:literal $kind:ident $wrong:literal $right:literal $code:literal $path:expr $(, $field:ident: $value:expr)*) => {
        Case {
            rule: $rule,
            wrong: (&[(ListKind::$kind, $wrong)], ""),
            right: (&[(ListKind::$kind, $right)], ""),
            code: $code,
            path: $path,
            $($field: $value,)*
            ..PLAIN
        }
    };
}

/// A case of a setting, that fails by one and passes by another.
macro_rules! switched {
    ($rule:literal $wrong:literal $right:literal $code:literal $path:expr $(, $field:ident: $value:expr)*) => {
        Case { rule: $rule, wrong: (&[], $wrong), right: (&[], $right), code: $code, path: $path, $($field: $value,)* ..PLAIN }
    };
}

const TARIFFS_OF_PRODUCT: (ListKind, &str) =
    (ListKind::Tariffs, "code,product,supply_type\nELEC-1234-J,P,ELECTRICITY\nGAS-1234-J,G,GAS\n");

const CASES: &[Case] = &[
    listed!("import-supplier-known" ImportSuppliers "code\nEDF\n" "code\nTENTACLE_ENERGY\n" "import_supplier_not_found" "import_supplier"),
    listed!("dunning-path-known" DunningPaths "name\nother\n" "name\nstandard_domestic\n" "dunning_path_not_found" "dunning_path.path_name"),
    listed!("operations-team-known" OperationsTeams "name\nother\n" "name\nBlue\n" "operations_team_name_does_not_exist" "operations_team_name", said: &[("", &[("operations_team_name", "\"Blue\"")])]),
    listed!("affiliate-known" Affiliates "name\nother\n" "name\nBroker\n" "affiliate_organisation_does_not_exist" "commission_contracts.0.affiliate_organisation_name", said: &[("commission_contracts", &[("affiliate_organisation_name", "\"Broker\"")])]),
    listed!("complaint-source-known" ComplaintSources "source\nother\n" "source\nphone\n" "invalid_complaint_source" "complaints.0.complaint_contacts.0.communication_source", edits: &[(
        MAPPING,
        "[entity.metadata]",
        "[entity.complaints]\ntable = \"debt\"\nparent = [\"household_id\"]\norder = [\"debt_id\"]\n[entity.complaints.fields]\ncreated_at = { value = \"2019-01-01T00:00:00Z\" }\n\
         [entity.\"complaints.complaint_contacts\"]\ntable = \"debt_part\"\nparent = [\"debt_id\"]\norder = [\"due\"]\n\
         [entity.\"complaints.complaint_contacts\".fields]\ncommunication_source = { value = \"phone\" }\n\n[entity.metadata]",
    )]),
    listed!("contribution-scheme-known" ContributionSchemes "code\nother\n" "code\nCARE\n" "invalid_contribution_scheme" "contribution_agreements.0.scheme", said: &[("contribution_agreements", &[("scheme", "\"CARE\"")])]),
    listed!("product-known" Products "code\nOTHER\n" "code\nP\n" "product_code_does_not_exist" "ledgers.0.current_statement_transactions.0.product_code", edits: CHARGE),
    listed!("partner-known" Partners "number\n1\n" "number\n7\n" "partner_organisation_does_not_exist" "partner_organisations.0.organisation_number", said: &[("partner_organisations", &[("organisation_number", "\"7\"")])]),
    listed!("ledger-code-known" LedgerTypes "code\nOTHER\n" "code\nMAIN\n" "ledger_code_does_not_exist" "payment_schedules.0.ledger_code", said: &[("payment_schedules", &[("ledger_code", "\"MAIN\"")])]),
    listed!("ledger-record-code-known" LedgerTypes "code\nOTHER\n" "code\nMAIN\n" "ledger_code_does_not_exist" "ledgers.0.ledger_code", said: &[("ledgers", &[("ledger_code", "\"MAIN\"")])]),
    listed!("plan-strategy-known" PlanStrategies "name\nother\n" "name\nSlow\n" "payment_plan_strategy_does_not_exist" "payment_plans.0.strategy_name", said: &[("payment_plans", &[("strategy_name", "\"Slow\"")])]),
    listed!("account-reference-namespace-known" ReferenceNamespaces "namespace\nother\n" "namespace\ntentacle-energy.allpay-client-reference-number\n" "invalid_reference_namespace" "references.0.namespace"),
    listed!("tpr-known" Tprs "code\n00001\n" "code\n00001\n00043\n" "tpr_not_found" "supply_addresses.0.meter_points.0.meters.0.registers.1.tpr"),
    listed!("ssc-known" Sscs "code\n0001\n" "code\n0393\n" "ssc_not_found" "supply_addresses.0.meter_points.0.ssc"),
    listed!("elec-tariff-known" Tariffs "code,supply_type\nELEC-1234-J,GAS\nGAS-1234-J,GAS\n" "code,supply_type\nELEC-1234-J,ELECTRICITY\nGAS-1234-J,GAS\n" "tariff_code_not_found" ELECTRICITY_TARIFF),
    listed!("gas-tariff-known" Tariffs "code\nELEC-1234-J\n" "code\nELEC-1234-J\nGAS-1234-J\n" "tariff_code_not_found" GAS_TARIFF),
    listed!("mpid-known" MarketParticipants "code,supply_type\nTENT,\nTEN,ELECTRICITY\nTCL,GAS\n" "code,supply_type\nTENT,\nTEN,GAS\nTCL,GAS\n" "market_participant_not_found" "supply_addresses.0.meter_points.1.mpid"),
    listed!("campaign-known" Campaigns "slug\nother\n" "slug\nsuper_account\n" "campaign_not_found" "account_campaigns.0.slug"),
    listed!("campaign-known" Campaigns "slug,name\nsuper_account,\n" "slug,name\nsuper_account,Super\n" "campaign_not_found" "account_campaigns.0.campaign_name", said: &[("account_campaigns", &[("campaign_name", "\"Super\"")])]),
    listed!("document-path-exists" DocumentPaths "path\nother.pdf\nEXTERNAL-1234/2019-07-01-to-2019-08-01.pdf\n" "path\n/notes/1234/attachment.jpg\nEXTERNAL-1234/2019-06-01-to-2019-07-01.pdf\n/EXTERNAL-1234/2019-07-01-to-2019-08-01.pdf\n" "path_does_not_exist_in_file_store" "notes.0.document_paths.0.document_path"),
    listed!("psr-elec-code-known" PsrCodes "code,electricity\n01,no\n" "code,electricity\n01,yes\n" "electricity_psr_record_not_found" "customers.0.psr.0.elec_industry_code"),
    listed!("psr-gas-code-known" PsrCodes "code\n02\n" "code\n01\n" "gas_psr_record_not_found" "customers.0.psr.1.gas_industry_code"),
    listed!("psr-temporary-end" PsrCodes "code,temporary\n01,yes\n" "code,temporary\n01,no\n" "temporary_psr_does_not_have_end_date" "customers.0.psr.0.elec_industry_code"),
    listed!("psr-description-known" PsrCodes "code,description\n01,Deaf\n" "code,description\n01,Oxygen\n" "psr_record_description_not_found" "customers.0.psr.0.description", said: &[("customers.psr", &[("description", "\"Oxygen\"")])]),
    listed!("debt-agency" DebtAgencies "name\nOther\n" "name\nDebt R Us\n" "debt_collection_agency_does_not_exist" "debts.0.agency_name"),
    listed!("complaint-type-known" ComplaintTypes "type,subtype\nBILL,\nSERVICE,late\n" "type,subtype\nBILL,\nBILL,late\n" "invalid_complaint_type_or_subtype" "complaints.0.subtype_of_complaint", said: &[("complaints", &[("type_of_complaint", "\"BILL\""), ("subtype_of_complaint", "\"late\"")])]),
    listed!("complaint-official-known" ComplaintOfficials "entity,status\nOther,\n" "entity,status\nOmbudsman,open\n" "invalid_official_organization_or_status" "complaints.0.official_entity", said: &[("complaints", &[("official_entity", "\"Ombudsman\""), ("official_status", "\"open\"")])]),
    listed!("business-detail-type" BusinessDetails "key,type\nvat_number,integer\n" "key,type\nvat_number,string\n" "business_detail_incorrect_value_type" "business.details.0.value", edits: BUSINESS_DETAIL),
    listed!("business-detail-value" BusinessDetails "key,pattern\nvat_number,[0-9]+\n" "key,pattern\nvat_number,GB[0-9]+\n" "business_detail_failed_validation" "business.details.0.value", edits: BUSINESS_DETAIL),
    listed!("user-detail-valid" UserDetails "namespace\nother\n" "namespace\nexternal_user_id\n" "customer_detail_not_registered" "customers.0.user_details.0.namespace", edits: USER_DETAIL),
    listed!("user-detail-valid" UserDetails "namespace,type\nexternal_user_id,integer\n" "namespace,type\nexternal_user_id,string\n" "customer_detail_incorrect_value_type" "customers.0.user_details.0.value", edits: USER_DETAIL),
    listed!("user-detail-valid" UserDetails "namespace,pattern\nexternal_user_id,[0-9]+\n" "namespace,pattern\nexternal_user_id,U[0-9]+\n" "customer_detail_failed_validation" "customers.0.user_details.0.value", edits: USER_DETAIL),
    listed!("tariff-type-vs-meter-point" Tariffs "code,rates\nELEC-1234-J,2\n" "code,rates\nELEC-1234-J,1\nGAS-1234-J,1\n" "tariff_type_does_not_match_meter_point_type" ELECTRICITY_TARIFF),
    listed!("prepay-tariff-vs-meter" Tariffs "code,prepay\nGAS-1234-J,no\n" "code,prepay\nELEC-1234-J,no\nGAS-1234-J,yes\n" "tariff_type_does_not_match_meter_type" GAS_TARIFF),
    listed!("prepay-tariff-vs-meter" Tariffs "code,prepay\nELEC-1234-J,yes\n" "code,prepay\nELEC-1234-J,no\nGAS-1234-J,yes\n" "tariff_type_does_not_match_meter_type" ELECTRICITY_TARIFF),
    Case {
        rule: "agreement-not-before-product",
        wrong: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,available_from,variable\nP,2019-08-02,yes\n")], ""),
        right: (
            &[
                TARIFFS_OF_PRODUCT,
                (ListKind::Products, "code,available_from,variable\nP,2019-08-01,yes\nG,2020-01-01,no\n"),
            ],
            "",
        ),
        code: "agreement_effective_from_before_product_available_from",
        path: ELECTRICITY_TARIFF,
        ..PLAIN
    },
    Case {
        rule: "contract-variable-product-start",
        said: &[(AGREEMENT, &[("business_contract_identifier", "\"C-1\"")])],
        wrong: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,available_from,variable\nG,2019-08-02,yes\n")], ""),
        right: (
            &[
                TARIFFS_OF_PRODUCT,
                (ListKind::Products, "code,available_from,variable\nG,2019-08-02,no\nP,2019-08-01,yes\n"),
            ],
            "",
        ),
        code: "agreement_cannot_start_before_product_available",
        path: GAS_TARIFF,
        ..PLAIN
    },
    Case {
        rule: "elec-agreement-end-for-fixed",
        wrong: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,end_dated\nP,yes\n")], ""),
        right: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,end_dated\nP,no\n")], ""),
        code: "open_ended_agreement_for_end_dated_product",
        path: ELECTRICITY_TARIFF,
        ..PLAIN
    },
    Case {
        rule: "gas-agreement-end-for-fixed",
        wrong: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,end_dated\nG,yes\n")], ""),
        right: (&[TARIFFS_OF_PRODUCT, (ListKind::Products, "code,end_dated\nG,no\n")], ""),
        code: "open_ended_agreement_for_end_dated_product",
        path: GAS_TARIFF,
        ..PLAIN
    },
    listed!("supply-charge-rates-known" Rates "product,rate_band\nP,NIGHT\n" "product,rate_band\nP,DAY\n" "rate_band_not_of_product" "ledgers.0.current_statement_transactions.0.line_items.0.rate_band", edits: CHARGE),
    listed!("supply-charge-unit-price" Rates "product,rate_band,price\nP,DAY,1.51\n" "product,rate_band,price\nP,DAY,1.5\n" "unit_price_not_of_product" "ledgers.0.current_statement_transactions.0.line_items.0.price_per_unit", edits: CHARGE),
    listed!("supply-charge-standing-units" Rates "product,rate_band,standing\nP,DAY,yes\n" "product,rate_band,standing\nP,DAY,no\n" "standing_charge_units_not_days" "ledgers.0.current_statement_transactions.0.line_items.0.number_of_units", edits: CHARGE),
    listed!("supply-charge-single-agreement" Tariffs "code,product\nELEC-1234-J,OTHER\nGAS-1234-J,OTHER\n" "code,product\nELEC-1234-J,P\nGAS-1234-J,OTHER\n" "supply_charge_line_items_not_covered_by_single_agreement" "ledgers.0.current_statement_transactions.0.product_code", edits: CHARGE),
    Case {
        rule: "rate-override-band-known",
        edits: &[
            ("extra.csv", "15;attachment", "82;override;2019-08-01;;\n15;attachment"),
            (
                MAPPING,
                "[entity.metadata]",
                "[entity.\"supply_addresses.meter_points.agreements.rate_overrides\"]\ntable = \"extra\"\nparent = [\"belongs_to\", \"name\"]\nwhere = { what = \"override\" }\norder = [\"name\"]\n\
             [entity.\"supply_addresses.meter_points.agreements.rate_overrides\".fields]\nrate_band = { value = \"DAY\" }\n\n[entity.metadata]",
            ),
        ],
        wrong: (&[TARIFFS_OF_PRODUCT, (ListKind::Rates, "product,rate_band\nP,DAY\n")], ""),
        right: (&[TARIFFS_OF_PRODUCT, (ListKind::Rates, "product,rate_band\nP,DAY\nG,DAY\n")], ""),
        code: "rate_band_does_not_exist",
        path: "supply_addresses.0.meter_points.1.agreements.0.rate_overrides.0.rate_band",
        ..PLAIN
    },
    listed!("agent-contracts-known" AgentContracts "contract,service,service_level,active_from,active_to\nC-1,S,,2018-01-01,2019-08-31\n" "contract,service,service_level,active_from,active_to\nC-1,S,,2018-01-01,\n" "agent_contract_reference_does_not_exist" "supply_addresses.0.meter_points.0.agents.dc_contract.contract_reference", said: AGENT),
    listed!("agent-contracts-known" AgentContracts "contract,service,service_level,active_from\nC-1,S,,2018-01-01\nC-1,S,,2018-02-01\n" "contract,service,service_level,active_from\nC-1,S,,\n" "multiple_active_agent_contract_references" "supply_addresses.0.meter_points.0.agents.dc_contract.contract_reference", said: AGENT),
    listed!("ledger-unbillable-no-current" LedgerTypes "code,billable\nMAIN,no\n" "code,billable\nMAIN,yes\n" "unbillable_ledger_transactions_in_current_statement_transactions" "ledgers.0.ledger_code", said: &[("ledgers", &[("ledger_code", "\"MAIN\"")])]),
    switched!("managed-account-allowed" "managed_accounts = false" "managed_accounts = true" "managed_accounts_are_not_allowed" "is_managed", said: &[("", &[("is_managed", "true")])]),
    switched!("customer-given-name-business" "send_registration_flows = true" "send_registration_flows = false" "customer_given_name_required" "customers.0.given_name", edits: &[("person.csv", "Mr;Bob", "Mr;"), (MAPPING, "account_type = { column = \"segment\", lookup = \"segment\" }", "account_type = { value = \"BUSINESS\" }")]),
    switched!("agents-only-with-flows" "send_registration_flows = false" "send_registration_flows = true" "agents_supplied_for_non_on_market_switch" "supply_addresses.0.meter_points.0.mop_to_appoint", said: &[(POINT, &[("mop_to_appoint", "\"TENT\"")])]),
    switched!("portfolio-reference-presence" "new_portfolios = false" "new_portfolios = true" "portfolio_references_missing" "portfolio.portfolio_references", said: &[("", &[("portfolio.portfolio_settings.collective_billing", "true")])]),
    switched!("portfolio-reference-presence" "new_portfolios = true" "new_portfolios = false" "portfolio_references_provided" "portfolio.portfolio_references", said: &[("portfolio.portfolio_references", &[("value", "\"X\"")])]),
    switched!("billing-document-id-presence" "billing_document_ids = \"required\"" "billing_document_ids = \"optional\"" "historical_statement_billing_document_identifier_missing" "ledgers.0.historical_statement_transactions.0.billing_document_identifier"),
    switched!("billing-document-id-presence" "billing_document_ids = \"forbidden\"" "billing_document_ids = \"required\"" "historical_statement_billing_document_identifier_not_allowed_when_feature_flag_disabled" "ledgers.0.historical_statement_transactions.0.billing_document_identifier", edits: &[(MAPPING, "[entity.\"ledgers.historical_statement_transactions\"]\nlike = \"ledgers.current_statement_transactions\"\nwhere = { open = \"no\" }\n", "[entity.\"ledgers.historical_statement_transactions\"]\nlike = \"ledgers.current_statement_transactions\"\nwhere = { open = \"no\" }\n[entity.\"ledgers.historical_statement_transactions\".fields]\nbilling_document_identifier = { value = \"7\" }\n")]),
    switched!("business-required-if-enforced" "enforce_business_contracts = true" "enforce_business_contracts = false" "business_field_required" "business", edits: &[(MAPPING, "account_type = { column = \"segment\", lookup = \"segment\" }", "account_type = { value = \"BUSINESS\" }")]),
    switched!("business-info-needed" "link_through_contract = false" "link_through_contract = true" "business_information_required_if_not_linking_via_contract" "business.company_name", said: &[("", &[("business.business_contract_identifier", "\"C-1\"")])]),
    switched!("business-info-forbidden" "link_through_contract = true" "link_through_contract = false" "business_information_not_required_if_linking_via_contract" "business.company_name", said: &[("", &[("business.business_contract_identifier", "\"C-1\""), ("business.company_name", "\"Co\"")])]),
    switched!("operations-team-allocation" "automatic_teams = true" "automatic_teams = false" "operations_team_provided_when_using_auto_allocation" "operations_team_name", said: &[("", &[("operations_team_name", "\"Blue\"")])]),
    switched!("operations-team-allocation" "automatic_teams = false" "automatic_teams = true" "operations_team_should_be_provided" "operations_team_name"),
    switched!("consents-enabled" "consents = false" "consents = true" "field_not_enabled" "consents", said: &[("consents", &[("value", "\"ACCEPTED\"")])]),
    switched!("supply-points-vs-skip-setting" "skip_supply_points = true" "skip_supply_points = false" "supply_points_provided_while_skip_supply_point_creation_enabled" "supply_addresses.0.meter_points"),
    switched!("supply-points-vs-skip-setting" "skip_supply_points = false" "skip_supply_points = true" "supply_points_not_provided_while_skip_supply_point_creation_disabled" "supply_addresses.0.meter_points", edits: &[("point.csv", ";7001;", ";7009;")]),
    switched!("addresses-vs-skip-setting" "skip_properties = true" "skip_properties = false" "supply_addresses_provided_while_skip_property_creation_enabled" "supply_addresses"),
    switched!("user-role-present" "default_role = false" "" "required_user_role" "customers.0.account_roles"),
    switched!("incomplete-instructions-enabled" "incomplete_instructions = false" "incomplete_instructions = true" "incomplete_payments_not_enabled" "payment_instructions.0.reference", said: &[("payment_instructions", &[("instruction_identifier", "\"I\"")])]),
    switched!("schedule-day-range" "payment_days = [1, 9]" "" "invalid_payment_day_for_payment_schedule" "payment_schedules.0.day_of_month"),
    switched!("email-not-internal" "internal_emails = [\"@jablonski.com\"]" "internal_emails = [\"@tenant.example\"]" "internal_email_address" "customers.0.email"),
    switched!("required-detail-namespaces" "required_details = [\"external_user_id\"]" "" "required_customer_details_namespace_missing" "customers.0.user_details"),
    switched!("required-detail-namespaces" "required_details = [\"external_user_id\", \"other\"]" "required_details = [\"external_user_id\"]" "required_customer_details_namespace_missing" "customers.0.user_details", edits: USER_DETAIL),
    switched!("former-address-fully-billed" "address_history = true" "address_history = false" "unbilled_former_supply_address" "supply_addresses.0.customer_at_supply_address_to_date", said: &[("supply_addresses", &[("customer_at_supply_address_to_date", "\"2019-08-02\"")])]),
];

const AGENT: &[Said] = &[(
    POINT,
    &[("agents.dc_contract.contract_reference", "\"C-1\""), ("agents.dc_contract.service_reference", "\"S\"")],
)];
const USER_DETAIL: &[(&str, &str, &str)] = &[
    ("extra.csv", "15;attachment", "500;detail;x;;\n15;attachment"),
    (
        MAPPING,
        "[entity.metadata]",
        "[entity.\"customers.user_details\"]\ntable = \"extra\"\nparent = [\"belongs_to\"]\nwhere = { what = \"detail\" }\norder = [\"name\"]\n\
     [entity.\"customers.user_details\".fields]\nnamespace = { value = \"external_user_id\" }\nvalue = { value = \"U1\" }\n\n\
     [entity.metadata]",
    ),
];
const BUSINESS_DETAIL: &[(&str, &str, &str)] = &[(
    MAPPING,
    "[entity.metadata]",
    "[entity.\"business.details\"]\ntable = \"extra\"\nparent = [\"belongs_to\"]\nwhere = { what = \"tag\" }\norder = [\"name\"]\n\
     [entity.\"business.details\".fields]\nkey = { value = \"vat_number\" }\nvalue = { value = \"GB1\" }\n\n[entity.metadata]",
)];

/// The edit of the mapping that makes it say `fields`.
fn saying(at: &str, fields: &[(&str, &str)]) -> (&'static str, String, String) {
    let mut lines = String::new();
    for (field, value) in fields {
        writeln!(lines, "\"{field}\" = {{ value = {value} }}").unwrap();
    }
    let mapping = std::fs::read_to_string(repository().join("mappings/guide/mapping.toml")).unwrap();
    let heads =
        [format!("[entity.\"{at}\".fields]\n"), format!("[entity.{at}.fields]\n"), "[account.fields]\n".to_owned()];
    let head = heads
        .into_iter()
        .find(|head| mapping.contains(head.as_str()) && (at.is_empty() || !head.contains("account.f")));
    if let Some(head) = head {
        let after = format!("{head}{lines}");
        (MAPPING, head, after)
    } else {
        let entity = format!(
            "[entity.\"{at}\"]\ntable = \"extra\"\nparent = [\"belongs_to\"]\nwhere = {{ what = \"tag\" }}\n\
                 order = [\"name\"]\n[entity.\"{at}\".fields]\n{lines}\n[entity.metadata]"
        );
        (MAPPING, "[entity.metadata]".to_owned(), entity)
    }
}

fn tenant_of((lists, settings): Known) -> Tenant {
    let mut tenant = lists.iter().fold(Tenant::default(), |tenant, (kind, text)| tenant.with(*kind, text).unwrap());
    tenant.settings = toml::from_str::<Settings>(settings).unwrap();
    tenant
}

/// What a tenant's rules say of the case's account.
fn findings(case: &Case, known: Known) -> Vec<Finding> {
    let said: Vec<_> = case.said.iter().map(|(at, fields)| saying(at, fields)).collect();
    let said = said.iter().map(|(file, from, to)| (*file, from.as_str(), to.as_str()));
    let edits: Vec<_> = case.edits.iter().copied().chain(said).collect();
    check_by(&edits, |schema| RuleSet::bind_for(schema, &tenant_of(known), &Overrides::default())).0
}

#[test]
fn every_rule_fails_by_one_list_or_setting_and_passes_by_another() {
    let mut wrong = Vec::new();
    for case in CASES {
        let rule = tenant::all().into_iter().find(|rule| rule.id == case.rule).expect(case.rule);
        assert!(rule.codes.contains(&case.code), "{} does not know {}", case.rule, case.code);
        let of_rule = |known: Known| -> Vec<Finding> {
            findings(case, known).into_iter().filter(|finding| *finding.code == *case.code).collect()
        };
        let found = of_rule(case.wrong);
        let is_told = found.iter().any(|finding| {
            finding.path == case.path && finding.severity == Severity::Error && !finding.cells.is_empty()
        });
        let (passed, unknown) = (of_rule(case.right), of_rule(NONE));
        if !is_told || !passed.is_empty() || !unknown.is_empty() {
            wrong.push((case.rule, case.path, found, passed, unknown));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_of_the_tenants_has_a_case() {
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.rule).collect();
    let rules: BTreeSet<&str> = tenant::all().iter().map(|rule| rule.id).collect();
    assert_eq!(cases, rules);
}

#[test]
fn a_debt_names_its_agency_even_without_a_list() {
    let case = Case { edits: &[("debt.csv", "Debt R Us", "")], ..PLAIN };
    let found = findings(&case, NONE);
    let found: Vec<_> = found.iter().map(|finding| (&*finding.code, finding.path.as_str())).collect();
    assert_eq!(found, [("debt_collection_agency_name_required", "debts.0.agency_name")]);
    assert!(findings(&PLAIN, NONE).is_empty());
}

#[test]
fn what_is_not_known_of_the_tenant_is_told_once_by_its_keys() {
    let mut told = Vec::new();
    let (_, _) = check_by(&[], |schema| {
        for known in [NONE, (&[(ListKind::Tariffs, "code\nA\n")], "consents = false")] {
            let rules = RuleSet::bind_for(schema, &tenant_of(known), &Overrides::default());
            told.push(rules.unchecked().cloned().unwrap());
        }
        RuleSet::bind(schema)
    });
    assert!(told.iter().all(|notice| notice.severity == Severity::Notice && notice.cells.is_empty()));
    let all = &told[0].message;
    assert!(all.starts_with("25 rules about mapped fields are not checked for want of column prepay of"), "{all}");
    assert!(all.contains(" reference.tariffs, reference.tprs, target.settings.billing_document_ids, "), "{all}");
    assert!(!all.contains("payment_days") && !all.contains("partners"), "what has a default, or is not mapped: {all}");
    assert!(told[1].message.contains("column prepay of reference.tariffs"), "{}", told[1].message);
    assert!(!told[1].message.contains(", reference.tariffs,"), "{}", told[1].message);
}
