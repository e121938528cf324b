//! The people of an account.

use super::place::{Rows, cells_of};
use super::{Check, Rule, finding};
use crate::assemble::view::{Schema, Value};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "customer-family-name",
    codes: &["customer_family_name_required"],
    severity: Severity::Error,
    doc: "Every customer of a domestic account has a family name.",
    bind: family_name,
}];

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
