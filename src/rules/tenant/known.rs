//! Values that must be on a list of the tenant's.

use std::sync::Arc;

use super::{Need, TenantRule, listed};
use crate::assemble::view::Schema;
use crate::rules::place::Place;
use crate::rules::{Check, finding};
use crate::tenant::{List, ListKind, Tenant};

const FUEL: &str = "supply_addresses.meter_points.supply_type";
const TARIFF: &str = "supply_addresses.meter_points.agreements.tariff_code";

macro_rules! known {
    ($($id:literal $code:literal $list:ident $doc:literal [$($path:literal),+ $(,)?])+) => {
        &[
            $(listed($id, &[$code], $doc, &[Need::List(ListKind::$list)], &[$($path),+], |schema, tenant| {
                on_list(schema, tenant, ListKind::$list, &[$($path),+], $code)
            }),)+
            listed(
                "elec-tariff-known",
                &["tariff_code_not_found"],
                "The tariff of an electricity agreement is one of the tenant's for electricity.",
                &[Need::List(ListKind::Tariffs)],
                &[TARIFF],
                |schema, tenant| of_fuel(schema, tenant, ListKind::Tariffs, "ELECTRICITY", &[TARIFF], "tariff_code_not_found"),
            ),
            listed(
                "gas-tariff-known",
                &["tariff_code_not_found"],
                "The tariff of a gas agreement is one of the tenant's for gas.",
                &[Need::List(ListKind::Tariffs)],
                &[TARIFF],
                |schema, tenant| of_fuel(schema, tenant, ListKind::Tariffs, "GAS", &[TARIFF], "tariff_code_not_found"),
            ),
            listed(
                "mpid-known",
                &["market_participant_not_found"],
                "A market participant is known, for the fuel of its meter point.",
                &[Need::List(ListKind::MarketParticipants)],
                PARTICIPANTS,
                participants,
            ),
            listed(
                "campaign-known",
                &["campaign_not_found"],
                "A campaign is one of the tenant's, by its slug or its name.",
                &[Need::List(ListKind::Campaigns)],
                &["account_campaigns.slug", "account_campaigns.campaign_name"],
                campaigns,
            ),
            listed(
                "document-path-exists",
                &["path_does_not_exist_in_file_store"],
                "A document is in the migration's file store.",
                &[Need::List(ListKind::DocumentPaths)],
                DOCUMENTS,
                documents,
            ),
        ]
    };
}

pub(super) const RULES: &[TenantRule] = known! {
    "import-supplier-known" "import_supplier_not_found" ImportSuppliers "The import supplier is one of the tenant's." ["import_supplier"]
    "dunning-path-known" "dunning_path_not_found" DunningPaths "A dunning path is one of the tenant's." ["dunning_path.path_name"]
    "operations-team-known" "operations_team_name_does_not_exist" OperationsTeams "An operations team is one of the tenant's." ["operations_team_name"]
    "affiliate-known" "affiliate_organisation_does_not_exist" Affiliates "Commission is earned by an organisation of the tenant's." ["commission_contracts.affiliate_organisation_name"]
    "complaint-source-known" "invalid_complaint_source" ComplaintSources "A complaint comes from a source that the tenant has configured." ["complaints.complaint_contacts.communication_source"]
    "contribution-scheme-known" "invalid_contribution_scheme" ContributionSchemes "A contribution scheme is one of the tenant's." ["contribution_agreements.scheme"]
    "product-known" "product_code_does_not_exist" Products "The product of a supply charge is one of the tenant's." [
        "current_statement_transactions.product_code",
        "historical_statement_transactions.product_code",
        "ledgers.current_statement_transactions.product_code",
        "ledgers.historical_statement_transactions.product_code",
    ]
    "partner-known" "partner_organisation_does_not_exist" Partners "A partner organisation is one of the tenant's." ["partner_organisations.organisation_number"]
    "ledger-code-known" "ledger_code_does_not_exist" LedgerTypes "A payment's ledger is of a type of the tenant's." [
        "payment_adequacy_changes.ledger.ledger_code",
        "payment_instructions.ledger_code",
        "payment_schedules.ledger_code",
    ]
    "ledger-record-code-known" "ledger_code_does_not_exist" LedgerTypes "A ledger is of a type of the tenant's." ["ledgers.ledger_code"]
    "plan-strategy-known" "payment_plan_strategy_does_not_exist" PlanStrategies "The strategy of a payment plan is one of the tenant's." ["payment_plans.strategy_name"]
    "account-reference-namespace-known" "invalid_reference_namespace" ReferenceNamespaces "The namespace of a reference is one of the tenant's." ["references.namespace"]
    "tpr-known" "tpr_not_found" Tprs "The time pattern regime of a register is in market domain data." ["supply_addresses.meter_points.meters.registers.tpr"]
    "ssc-known" "ssc_not_found" Sscs "The standard settlement configuration of a meter point is in market domain data." ["supply_addresses.meter_points.ssc"]
};

const PARTICIPANTS: &[&str] = &[
    "supply_addresses.meter_points.mpid",
    "supply_addresses.meter_points.shipper_mpid",
    "supply_addresses.meter_points.dc_to_appoint",
    "supply_addresses.meter_points.mop_to_appoint",
    "supply_addresses.meter_points.mam_to_appoint",
    "supply_addresses.meter_points.agents.da_contract.agent_mpid",
    "supply_addresses.meter_points.agents.dc_contract.agent_mpid",
    "supply_addresses.meter_points.agents.mop_contract.agent_mpid",
];

const DOCUMENTS: &[&str] = &[
    "notes.document_paths.document_path",
    "portfolio.notes.document_paths.document_path",
    "business.portfolios.notes.document_paths.document_path",
    "statements.statement_path",
];

fn expected(kind: ListKind) -> String {
    format!(
        "expected a value of the list `reference.{}`; either the value is wrong or the list is out of date",
        kind.key()
    )
}

fn places(schema: &Schema, paths: &[&str]) -> Option<Vec<Place>> {
    let places: Vec<Place> = paths.iter().filter_map(|path| Place::bind(schema, path)).collect();
    (!places.is_empty()).then_some(places)
}

/// Each text at `paths` must be one that `is_known`.
fn each_known(
    schema: &Schema,
    tenant: &Tenant,
    kind: ListKind,
    paths: &[&str],
    code: &'static str,
    is_known: fn(&List, &str) -> bool,
) -> Option<Check> {
    let (places, list) = (places(schema, paths)?, Arc::clone(tenant.list(kind)?));
    Some(Box::new(move |account, _, out| {
        for place in &places {
            place.each_text(account, &mut |row, field, text| {
                if !is_known(&list, text) {
                    out.push(finding(code, row.path(Some(field)), expected(kind), row.cell(field)));
                }
            });
        }
    }))
}

fn on_list(schema: &Schema, tenant: &Tenant, kind: ListKind, paths: &[&str], code: &'static str) -> Option<Check> {
    each_known(schema, tenant, kind, paths, code, List::contains)
}

fn documents(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let code = "path_does_not_exist_in_file_store";
    // Paths are relative to the store, with a slash before them or not.
    each_known(schema, tenant, ListKind::DocumentPaths, DOCUMENTS, code, |list, path| {
        list.contains(path.trim_start_matches('/'))
    })
}

fn campaigns(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let list = Arc::clone(tenant.list(ListKind::Campaigns)?);
    let slugs = on_list(schema, tenant, ListKind::Campaigns, &["account_campaigns.slug"], "campaign_not_found");
    // A list of slugs alone says nothing about names.
    let names = Place::bind(schema, "account_campaigns.campaign_name").filter(|_| list.has("name"));
    if slugs.is_none() && names.is_none() {
        return None;
    }
    let known: std::collections::HashSet<String> =
        list.rows().filter_map(|row| row.text("name")).map(str::to_owned).collect();
    Some(Box::new(move |account, context, out| {
        if let Some(slugs) = &slugs {
            slugs(account, context, out);
        }
        if let Some(names) = &names {
            names.each_text(account, &mut |row, field, text| {
                if !known.contains(text) {
                    let message = expected(ListKind::Campaigns);
                    out.push(finding("campaign_not_found", row.path(Some(field)), message, row.cell(field)));
                }
            });
        }
    }))
}

/// Whether `list` has `text` for `fuel`; an entry of no fuel is of both.
pub(super) fn is_of_fuel(list: &List, text: &str, fuel: &str) -> bool {
    list.row(text).is_some_and(|row| row.text("supply_type").is_none_or(|of| of.eq_ignore_ascii_case(fuel)))
}

/// Each text at `paths`, below meter points of `fuel`, must be on the list for that fuel.
fn of_fuel(
    schema: &Schema,
    tenant: &Tenant,
    kind: ListKind,
    fuel: &'static str,
    paths: &[&str],
    code: &'static str,
) -> Option<Check> {
    let (places, list) = (places(schema, paths)?, Arc::clone(tenant.list(kind)?));
    let fuels = Place::bind(schema, FUEL)?;
    Some(Box::new(move |account, _, out| {
        for place in &places {
            place.each_text_below(account, &fuels, &mut |row, field, text, own| {
                if own == fuel && !is_of_fuel(&list, text, fuel) {
                    let message = format!("{} ({})", expected(kind), fuel.to_lowercase());
                    out.push(finding(code, row.path(Some(field)), message, row.cell(field)));
                }
            });
        }
    }))
}

fn participants(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let of = |fuel| {
        of_fuel(schema, tenant, ListKind::MarketParticipants, fuel, PARTICIPANTS, "market_participant_not_found")
    };
    let (electricity, gas) = (of("ELECTRICITY")?, of("GAS")?);
    Some(Box::new(move |account, context, out| {
        electricity(account, context, out);
        gas(account, context, out);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_fuel_is_of_both() {
        let tenant = Tenant::default().with(ListKind::Tariffs, "code,supply_type\nE,ELECTRICITY\nB,\n").unwrap();
        let list = tenant.list(ListKind::Tariffs).unwrap();
        assert!(is_of_fuel(list, "E", "ELECTRICITY") && !is_of_fuel(list, "E", "GAS"));
        assert!(is_of_fuel(list, "B", "GAS") && !is_of_fuel(list, "X", "GAS"));
    }
}
