//! Agents of electricity meters, beside the contracts with them; and ledgers that never issue bills.

use std::sync::Arc;

use chrono::NaiveDate;

use super::{Need, TenantRule, listed};
use crate::assemble::view::{FieldId, Row, Schema};
use crate::rules::place::{Rows, cells_of, value_of};
use crate::rules::{Check, finding};
use crate::tenant::{List, ListKind, Tenant};

const AGENTS: &str = "supply_addresses.meter_points.agents";

pub(super) const RULES: &[TenantRule] = &[
    listed(
        "agent-contracts-known",
        &["agent_contract_reference_does_not_exist", "multiple_active_agent_contract_references"],
        "An agent's contract, service and service level are those of one active contract.",
        &[Need::List(ListKind::AgentContracts)],
        &[
            "supply_addresses.meter_points.agents.da_contract.contract_reference",
            "supply_addresses.meter_points.agents.dc_contract.contract_reference",
            "supply_addresses.meter_points.agents.mop_contract.contract_reference",
        ],
        contracts,
    ),
    listed(
        "ledger-unbillable-no-current",
        &["unbillable_ledger_transactions_in_current_statement_transactions"],
        "A ledger whose type never issues bills has no current transactions.",
        &[Need::Column(ListKind::LedgerTypes, "billable")],
        &["ledgers.ledger_code"],
        unbillable,
    ),
];

struct Contract {
    reference: FieldId,
    service: Option<FieldId>,
    level: Option<FieldId>,
}

fn contracts(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    // The agents are an object of the meter point's own, or entities with one row.
    let bind = |agent: &&str| {
        let path = format!("{AGENTS}.{agent}");
        let field = |name: &str| schema.field(&format!("{path}.{name}"));
        let reference = field("contract_reference")?;
        let rows = [&*path, AGENTS, "supply_addresses.meter_points"]
            .into_iter()
            .find_map(|at| Rows::bind(schema, at).filter(|_| schema.entity(at) == Some(reference.entity())))?;
        let contract =
            Contract { reference, service: field("service_reference"), level: field("service_level_reference") };
        Some((rows, contract))
    };
    let agents: Vec<_> = ["da_contract", "dc_contract", "mop_contract"].iter().filter_map(bind).collect();
    let list = Arc::clone(tenant.list(ListKind::AgentContracts)?);
    if agents.is_empty() {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        for (rows, contract) in &agents {
            rows.each(account, &mut |row| {
                let Some(reference) = row.value(contract.reference).text().filter(|text| !text.is_empty()) else {
                    return;
                };
                let text = |field| value_of(row, field).text().unwrap_or_default();
                let named = [reference, text(contract.service), text(contract.level)];
                let (code, message) = match active(&list, named, context.run_date) {
                    1 => return,
                    0 => (
                        "agent_contract_reference_does_not_exist",
                        "expected the references of a contract that `reference.agent_contracts` has as active",
                    ),
                    _ => (
                        "multiple_active_agent_contract_references",
                        "expected one active contract of these references; `reference.agent_contracts` has more",
                    ),
                };
                out.push(finding(code, row.path(Some(contract.reference)), message, cells(row, contract)));
            });
        }
    }))
}

fn cells(row: Row<'_>, contract: &Contract) -> Vec<crate::finding::Cell> {
    let fields = [Some(contract.reference), contract.service, contract.level];
    fields.into_iter().flatten().flat_map(|field| row.cell(field)).collect()
}

/// How many contracts of these references are active on `today`.
fn active(list: &List, named: [&str; 3], today: NaiveDate) -> usize {
    let of_name = list.rows_of(named[0]).filter(|row| (1..3).all(|part| row.name(part) == named[part]));
    of_name
        .filter(|row| row.name(3).parse::<NaiveDate>().map_or(true, |from| from <= today))
        .filter(|row| row.date("active_to").is_none_or(|to| today <= to))
        .count()
}

fn unbillable(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let ledgers = Rows::bind(schema, "ledgers")?;
    let code = schema.field("ledgers.ledger_code")?;
    let current = schema.entity("ledgers.current_statement_transactions")?;
    let list = Arc::clone(tenant.list(ListKind::LedgerTypes)?);
    Some(Box::new(move |account, _, out| {
        ledgers.each(account, &mut |ledger| {
            let known = ledger.value(code).text().and_then(|code| list.row(code));
            if known.and_then(|known| known.flag("billable")) == Some(false)
                && let Some(first) = ledger.children(current).next()
            {
                let mut cells = cells_of(ledger, Some(code));
                cells.push(first.record());
                let message = "expected no current transactions: ledgers of this type never issue bills";
                out.push(finding(
                    "unbillable_ledger_transactions_in_current_statement_transactions",
                    ledger.path(Some(code)),
                    message,
                    cells,
                ));
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_active_from_its_first_to_its_last_day() {
        let text = "contract,service,service_level,active_from,active_to\n\
                    C,S,L,2019-01-01,2019-06-30\nC,S,L,2019-06-30,\nC,T,,,\n";
        let tenant = Tenant::default().with(ListKind::AgentContracts, text).unwrap();
        let list = tenant.list(ListKind::AgentContracts).unwrap();
        let on = |day: &str| active(list, ["C", "S", "L"], day.parse().unwrap());
        assert_eq!(["2018-12-31", "2019-01-01", "2019-06-30", "2019-07-01"].map(on), [0, 1, 2, 1]);
        assert_eq!(active(list, ["C", "T", ""], "2019-01-01".parse().unwrap()), 1);
        assert_eq!(active(list, ["C", "", ""], "2019-01-01".parse().unwrap()), 0);
    }
}
