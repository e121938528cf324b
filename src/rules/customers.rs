//! The people of an account.

use super::place::{Place, Rows, cells_of};
use super::{Check, Rule, error, finding, warning};
use crate::assemble::view::{FieldId, Row, Schema, Value};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "customer-family-name",
        codes: &["customer_family_name_required"],
        severity: Severity::Error,
        doc: "Every customer of a domestic account has a family name.",
        bind: family_name,
    },
    error(
        "external-user-id-unique",
        &["repeated_values_for_unique_customer_detail_namespace"],
        "No two customers of an account have one external user id.",
        external_ids,
    ),
    warning(
        "business-user-matches-customer",
        &["customer_details_and_user_details_both_provided"],
        "A user of the business and a customer with one e-mail address have one name and date of birth.",
        users_match,
    ),
];

fn family_name(schema: &Schema) -> Option<Check> {
    let account_type = schema.field("account_type")?;
    let customers = Rows::bind(schema, "customers")?;
    let name = schema.field("customers.family_name")?;
    Some(Box::new(move |account, _, out| {
        if !account.value(account_type).text().is_some_and(is_domestic) {
            return;
        }
        customers.each(account, &mut |customer| {
            if lacks(&customer.value(name)) {
                let message = "expected a family name: the target requires one of every customer of a domestic account";
                out.push(finding(
                    "customer_family_name_required",
                    customer.path(Some(name)),
                    message,
                    cells_of(customer, Some(name)),
                ));
            }
        });
    }))
}

/// The name under which a customer's details hold it.
const EXTERNAL_ID: &str = "external_user_id";

fn external_ids(schema: &Schema) -> Option<Check> {
    let customers = Rows::bind(schema, "customers")?;
    let list = schema.entity("customers.user_details")?;
    let namespace = schema.field("customers.user_details.namespace")?;
    let value = schema.field("customers.user_details.value")?;
    Some(Box::new(move |account, _, out| {
        let mut seen: Vec<(Value<'_>, Row<'_>)> = Vec::new();
        customers.each(account, &mut |customer| {
            let ids = customer.children(list).filter(|row| row.value(namespace).text() == Some(EXTERNAL_ID));
            let ids =
                ids.map(|row| (row.value(value), row)).filter(|(id, _)| !matches!(id, Value::Absent | Value::Faulty));
            let others = seen.len();
            for (id, row) in ids {
                if let Some((_, earlier)) = seen[..others].iter().find(|(other, _)| *other == id) {
                    let mut cells = row.cell(value);
                    cells.extend(earlier.cell(value));
                    let message = "expected an external user id that no other customer of the account has";
                    let code = "repeated_values_for_unique_customer_detail_namespace";
                    out.push(finding(code, row.path(Some(value)), message, cells));
                }
                seen.push((id, row));
            }
        });
    }))
}

fn users_match(schema: &Schema) -> Option<Check> {
    let users = Place::bind(schema, "business.users.email")?;
    let customers = Place::bind(schema, "customers.email")?;
    let basics: Vec<(FieldId, FieldId)> = ["given_name", "family_name", "date_of_birth"]
        .iter()
        .filter_map(|name| {
            Some((schema.field(&format!("business.users.{name}"))?, schema.field(&format!("customers.{name}"))?))
        })
        .collect();
    Some(Box::new(move |account, _, out| {
        users.each_text(account, &mut |user, _, address| {
            customers.each_text(account, &mut |customer, _, other| {
                if !address.eq_ignore_ascii_case(other) {
                    return;
                }
                for (field, of_customer) in basics.iter().filter(|(ours, theirs)| differ(user.value(*ours), customer.value(*theirs))) {
                    let mut cells = user.cell(*field);
                    cells.extend(customer.cell(*of_customer));
                    let message = "a customer with the same e-mail address is called or born otherwise; if it is the same \
                                   person, the target wants one set of details";
                    let code = "customer_details_and_user_details_both_provided";
                    out.push(finding(code, user.path(Some(*field)), message, cells));
                }
            });
        });
    }))
}

/// Whether both are given and not the same.
fn differ(one: Value<'_>, other: Value<'_>) -> bool {
    let given = |value: Value<'_>| !matches!(value, Value::Absent | Value::Faulty | Value::Text(""));
    given(one) && given(other) && one != other
}

fn is_domestic(account_type: &str) -> bool {
    account_type == "DOMESTIC" || account_type.starts_with("DOMESTIC_")
}

fn lacks(name: &Value<'_>) -> bool {
    match name {
        Value::Absent => true,
        Value::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domestic_accounts_of_every_kind() {
        assert!(is_domestic("DOMESTIC") && is_domestic("DOMESTIC_VACANT"));
        assert!(!is_domestic("BUSINESS") && !is_domestic("PORTFOLIO_LEAD"));
    }

    #[test]
    fn a_name_that_is_absent_or_blank_is_lacking_and_a_faulty_one_is_not() {
        assert!(lacks(&Value::Absent) && lacks(&Value::Text("")) && lacks(&Value::Text("  ")));
        assert!(!lacks(&Value::Text("Jabłoński")) && !lacks(&Value::Faulty));
    }
}
