//! Details of businesses and customers, whose keys the tenant has registered with a type and a pattern.

use std::sync::Arc;

use super::{Need, TenantRule, listed};
use crate::assemble::view::{FieldId, Schema, Value};
use crate::rules::place::Rows;
use crate::rules::{Check, finding};
use crate::tenant::{ListKind, Row as Known, Tenant};

const USERS: &[&str] = &["customers.user_details.namespace", "business.users.user_details.namespace"];

pub(super) const RULES: &[TenantRule] = &[
    listed(
        "business-detail-type",
        &["business_detail_incorrect_value_type"],
        "A detail of a business has a value of the type registered for its key.",
        &[Need::Column(ListKind::BusinessDetails, "type")],
        &["business.details.key"],
        |schema, tenant| {
            let faults = &[Fault::Type("business_detail_incorrect_value_type")];
            each(schema, tenant, ListKind::BusinessDetails, &["business.details"], "key", faults)
        },
    ),
    listed(
        "business-detail-value",
        &["business_detail_failed_validation"],
        "A detail of a business has a value that matches the pattern registered for its key.",
        &[Need::Column(ListKind::BusinessDetails, "pattern")],
        &["business.details.key"],
        |schema, tenant| {
            let faults = &[Fault::Pattern("business_detail_failed_validation")];
            each(schema, tenant, ListKind::BusinessDetails, &["business.details"], "key", faults)
        },
    ),
    listed(
        "user-detail-valid",
        &[
            "customer_detail_not_registered",
            "customer_detail_incorrect_value_type",
            "customer_detail_failed_validation",
        ],
        "A detail of a customer has a registered namespace, and a value of its type that matches its pattern.",
        &[Need::List(ListKind::UserDetails)],
        USERS,
        |schema, tenant| {
            let owners = &["customers.user_details", "business.users.user_details"];
            let faults = &[
                Fault::Unknown("customer_detail_not_registered"),
                Fault::Type("customer_detail_incorrect_value_type"),
                Fault::Pattern("customer_detail_failed_validation"),
            ];
            each(schema, tenant, ListKind::UserDetails, owners, "namespace", faults)
        },
    ),
];

/// What can be wrong with a detail, with its code.
#[derive(Clone, Copy)]
enum Fault {
    Unknown(&'static str),
    Type(&'static str),
    Pattern(&'static str),
}

struct Details {
    rows: Rows,
    key: FieldId,
    value: FieldId,
}

fn each(
    schema: &Schema,
    tenant: &Tenant,
    kind: ListKind,
    owners: &[&str],
    key: &str,
    faults: &'static [Fault],
) -> Option<Check> {
    let bind = |path: &&str| {
        Some(Details {
            rows: Rows::bind(schema, path)?,
            key: schema.field(&format!("{path}.{key}"))?,
            value: schema.field(&format!("{path}.value"))?,
        })
    };
    let places: Vec<Details> = owners.iter().filter_map(bind).collect();
    let list = Arc::clone(tenant.list(kind)?);
    if places.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for Details { rows, key, value } in &places {
            rows.each(account, &mut |row| {
                let Some(name) = row.value(*key).text().filter(|name| !name.is_empty()) else { return };
                let (known, own) = (list.row(name), row.value(*value));
                for fault in faults {
                    let (code, message, field) = match (*fault, known) {
                        (Fault::Unknown(code), None) => (code, "expected a name that the tenant has registered", key),
                        (Fault::Type(code), Some(known)) if !is_of_type(known, own) => {
                            (code, "expected a value of the type that the tenant has registered for it", value)
                        }
                        (Fault::Pattern(code), Some(known)) if !matches(known, own) => {
                            (code, "expected a value that matches the pattern the tenant has registered for it", value)
                        }
                        _ => continue,
                    };
                    out.push(finding(code, row.path(Some(*field)), message, row.cell(*field)));
                }
            });
        }
    }))
}

/// Whether a value is written as the registered type: `string`, `integer`, `number` or `boolean`; any other is not judged.
fn is_of_type(known: Known<'_>, value: Value<'_>) -> bool {
    match (known.text("type"), value) {
        (_, Value::Absent | Value::Faulty) | (None, _) => true,
        (Some("string"), value) => !matches!(value, Value::Integer(_) | Value::Bool(_)),
        (Some("integer" | "number"), value) => matches!(value, Value::Integer(_)),
        (Some("boolean"), value) => matches!(value, Value::Bool(_)),
        _ => true,
    }
}

fn matches(known: Known<'_>, value: Value<'_>) -> bool {
    match (known.pattern("pattern"), value) {
        (Some(pattern), Value::Text(text)) => pattern.is_match(text),
        (Some(pattern), Value::Integer(number)) => pattern.is_match(&number.to_string()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_patterns_are_judged_where_they_are_registered() {
        let list = "key,type,pattern\nvat,string,GB[0-9]{9}\nstaff,integer,\nfree,,\n";
        let tenant = Tenant::default().with(ListKind::BusinessDetails, list).unwrap();
        let list = tenant.list(ListKind::BusinessDetails).unwrap();
        let known = |key| list.row(key).unwrap();
        assert!(is_of_type(known("vat"), Value::Text("x")) && !is_of_type(known("vat"), Value::Integer(1)));
        assert!(is_of_type(known("staff"), Value::Integer(1)) && !is_of_type(known("staff"), Value::Text("1")));
        assert!(is_of_type(known("free"), Value::Bool(true)) && is_of_type(known("vat"), Value::Faulty));
        assert!(
            matches(known("vat"), Value::Text("GB123456789")) && !matches(known("vat"), Value::Text("GB12345678X"))
        );
        assert!(!matches(known("vat"), Value::Text("xGB123456789")) && matches(known("free"), Value::Text("x")));
    }
}
