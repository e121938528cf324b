//! What a list says about customers: their needs, their debts, their complaints.

use std::sync::Arc;

use super::{Need, TenantRule, listed};
use crate::assemble::view::Schema;
use crate::rules::place::{Place, Rows, cells_of, value_of};
use crate::rules::{Check, finding};
use crate::tenant::{List, ListKind, Tenant};

const ELECTRICITY: &str = "customers.psr.elec_industry_code";
const GAS: &str = "customers.psr.gas_industry_code";
const PSR: Need = Need::List(ListKind::PsrCodes);

pub(super) const RULES: &[TenantRule] = &[
    listed(
        "psr-elec-code-known",
        &["electricity_psr_record_not_found"],
        "A customer's need is coded as electricity's list has it.",
        &[PSR],
        &[ELECTRICITY],
        |schema, tenant| psr_code(schema, tenant, ELECTRICITY, "electricity", "electricity_psr_record_not_found"),
    ),
    listed(
        "psr-gas-code-known",
        &["gas_psr_record_not_found"],
        "A customer's need is coded as gas's list has it.",
        &[PSR],
        &[GAS],
        |schema, tenant| psr_code(schema, tenant, GAS, "gas", "gas_psr_record_not_found"),
    ),
    listed(
        "psr-temporary-end",
        &["temporary_psr_does_not_have_end_date"],
        "A need that passes says when.",
        &[Need::Column(ListKind::PsrCodes, "temporary")],
        &[ELECTRICITY, GAS],
        temporary,
    ),
    listed(
        "psr-description-known",
        &["psr_record_description_not_found"],
        "A need is described as the list has it.",
        &[Need::Column(ListKind::PsrCodes, "description")],
        &["customers.psr.description"],
        described,
    ),
    TenantRule {
        is_partial_without: true,
        ..listed(
            "debt-agency",
            &["debt_collection_agency_name_required", "debt_collection_agency_does_not_exist"],
            "A debt that was placed with an agency names it, and the agency is one of the tenant's.",
            &[Need::List(ListKind::DebtAgencies)],
            &["debt.start_date", "debt.agency_name", "debts.start_date", "debts.agency_name"],
            agency,
        )
    },
    listed(
        "complaint-type-known",
        &["invalid_complaint_type_or_subtype"],
        "The type of a complaint is one of the tenant's, and its subtype one of that type.",
        &[Need::List(ListKind::ComplaintTypes)],
        &["complaints.type_of_complaint"],
        |schema, tenant| {
            pair(
                schema,
                tenant.list(ListKind::ComplaintTypes)?,
                "complaints.type_of_complaint",
                "complaints.subtype_of_complaint",
                "invalid_complaint_type_or_subtype",
            )
        },
    ),
    listed(
        "complaint-official-known",
        &["invalid_official_organization_or_status"],
        "The official body of a complaint is one of the tenant's, and its status one of that body's.",
        &[Need::List(ListKind::ComplaintOfficials)],
        &["complaints.official_entity"],
        |schema, tenant| {
            pair(
                schema,
                tenant.list(ListKind::ComplaintOfficials)?,
                "complaints.official_entity",
                "complaints.official_status",
                "invalid_official_organization_or_status",
            )
        },
    ),
];

fn psr_code(schema: &Schema, tenant: &Tenant, path: &str, fuel: &'static str, code: &'static str) -> Option<Check> {
    let (place, list) = (Place::bind(schema, path)?, Arc::clone(tenant.list(ListKind::PsrCodes)?));
    Some(Box::new(move |account, _, out| {
        place.each_text(account, &mut |row, field, text| {
            if list.row(text).is_none_or(|known| known.flag(fuel) == Some(false)) {
                let message = format!("expected a code that `reference.psr_codes` has for {fuel}");
                out.push(finding(code, row.path(Some(field)), message, row.cell(field)));
            }
        });
    }))
}

fn temporary(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let needs = Rows::bind(schema, "customers.psr")?;
    let codes = [schema.field(ELECTRICITY), schema.field(GAS)];
    let end = schema.field("customers.psr.effective_to");
    let list = Arc::clone(tenant.list(ListKind::PsrCodes)?);
    Some(Box::new(move |account, _, out| {
        needs.each(account, &mut |need| {
            let passes = |code: &&_| {
                let text = value_of(need, Some(**code)).text();
                text.and_then(|text| list.row(text)).and_then(|row| row.flag("temporary")) == Some(true)
            };
            if value_of(need, end).is_absent()
                && let Some(code) = codes.iter().flatten().find(passes)
            {
                let message = "expected the day on which the need ends: the list says that it is temporary";
                let mut cells = need.cell(*code);
                cells.extend(end.map(|end| need.cell(end)).unwrap_or_default());
                out.push(finding("temporary_psr_does_not_have_end_date", need.path(Some(*code)), message, cells));
            }
        });
    }))
}

fn described(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let place = Place::bind(schema, "customers.psr.description")?;
    let list = tenant.list(ListKind::PsrCodes)?;
    let known: std::collections::HashSet<String> =
        list.rows().filter_map(|row| row.text("description")).map(str::to_owned).collect();
    Some(Box::new(move |account, _, out| {
        place.each_text(account, &mut |row, field, text| {
            if !known.contains(text) {
                let message = "expected a description that `reference.psr_codes` has";
                out.push(finding("psr_record_description_not_found", row.path(Some(field)), message, row.cell(field)));
            }
        });
    }))
}

fn agency(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let bind = |path: &str| {
        let start = schema.field(&format!("{path}.start_date"));
        let name = schema.field(&format!("{path}.agency_name"));
        // A debt alone is an object of the account's own, or an entity with one row.
        let rows = Rows::bind(schema, path).or_else(|| Rows::bind(schema, ""))?;
        (start.is_some() || name.is_some()).then_some((rows, start, name))
    };
    let debts: Vec<_> = ["debt", "debts"].into_iter().filter_map(bind).collect();
    let list = tenant.list(ListKind::DebtAgencies).map(Arc::clone);
    if debts.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for (rows, start, name) in &debts {
            rows.each(account, &mut |debt| {
                let agency = value_of(debt, *name);
                match agency.text().filter(|text| !text.is_empty()) {
                    None if !agency.is_faulty() && value_of(debt, *start).date().is_some() => {
                        let message = "expected the agency that the debt was placed with on its start date";
                        let code = "debt_collection_agency_name_required";
                        let mut cells = cells_of(debt, *name);
                        cells.extend(start.map(|start| debt.cell(start)).unwrap_or_default());
                        out.push(finding(code, debt.path(name.or(*start)), message, cells));
                    }
                    Some(text) if list.as_ref().is_some_and(|list| !list.contains(text)) => {
                        let message = "expected an agency of the list `reference.debt_agencies`";
                        let code = "debt_collection_agency_does_not_exist";
                        out.push(finding(code, debt.path(*name), message, cells_of(debt, *name)));
                    }
                    _ => {}
                }
            });
        }
    }))
}

/// The text of `first` must be on the list and, if there is one, that of `second` with it.
fn pair(schema: &Schema, list: &Arc<List>, first: &str, second: &str, code: &'static str) -> Option<Check> {
    let (place, second, list) = (Place::bind(schema, first)?, schema.field(second), Arc::clone(list));
    Some(Box::new(move |account, _, out| {
        place.each_text(account, &mut |row, field, text| {
            if !list.contains(text) {
                let message = "expected a value of the tenant's list";
                out.push(finding(code, row.path(Some(field)), message, row.cell(field)));
                return;
            }
            let Some(second) = second else { return };
            if let Some(own) = row.value(second).text().filter(|own| !own.is_empty())
                && list.rows_of(text).all(|known| known.name(1) != own)
            {
                let message = "expected a value that the tenant's list has beside the other";
                let mut cells = row.cell(second);
                cells.extend(row.cell(field));
                out.push(finding(code, row.path(Some(second)), message, cells));
            }
        });
    }))
}
