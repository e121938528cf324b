//! What depends on settings with a value: addresses of the tenant's own, days of a month, names that must be there.

use super::{Need, TenantRule, switched};
use crate::assemble::view::{Row, Schema};
use crate::rules::place::{Place, Rows, cells_of, value_of};
use crate::rules::{Check, finding};
use crate::tenant::{PaymentDays, Setting, Tenant};

pub(super) const RULES: &[TenantRule] = &[
    switched(
        "schedule-day-range",
        &["invalid_payment_day_for_payment_schedule"],
        "The day of a payment schedule is one on which the tenant takes payments.",
        &[Need::Setting(Setting::PaymentDays)],
        &["payment_schedules.day_of_month"],
        |_| true,
        payment_days,
    ),
    switched(
        "email-not-internal",
        &["internal_email_address"],
        "No customer's e-mail address is one of the tenant's own.",
        &[Need::Setting(Setting::InternalEmails)],
        EMAILS,
        |settings| settings.internal_emails.as_ref().is_some_and(|list| !list.is_empty()),
        internal,
    ),
    switched(
        "required-detail-namespaces",
        &["required_customer_details_namespace_missing"],
        "A customer has the details that the tenant demands of everyone.",
        &[Need::Setting(Setting::RequiredDetails)],
        &["customers", "business.users"],
        |settings| settings.required_details.as_ref().is_some_and(|list| !list.is_empty()),
        required,
    ),
    switched(
        "former-address-fully-billed",
        &["unbilled_former_supply_address"],
        "An address that the customer has left is billed up to the day of leaving, where former addresses are imported.",
        &[Need::Setting(Setting::AddressHistory)],
        &["supply_addresses.customer_at_supply_address_to_date"],
        |settings| settings.address_history == Some(true),
        former,
    ),
];

const EMAILS: &[&str] = &["billing_email", "customers.email", "business.users.email"];

fn payment_days(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let place = Place::bind(schema, "payment_schedules.day_of_month")?;
    let PaymentDays { first, last } = tenant.settings.payment_days.unwrap_or_default();
    Some(Box::new(move |account, _, out| {
        place.each(account, &mut |row, field| {
            if let Some(day) = row.value(field).integer()
                && !(i64::from(first)..=i64::from(last)).contains(&day)
            {
                let message = format!("expected a day from {first} to {last}, as the tenant takes payments");
                let code = "invalid_payment_day_for_payment_schedule";
                out.push(finding(code, row.path(Some(field)), message, row.cell(field)));
            }
        });
    }))
}

/// Whether `address` is on the list, or of a domain on it.
fn is_internal(list: &[String], address: &str) -> bool {
    let address = address.trim().to_lowercase();
    let domain = address.rfind('@').map(|at| &address[at..]);
    list.iter().map(|own| own.to_lowercase()).any(|own| own == address || Some(own.as_str()) == domain)
}

fn internal(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let places: Vec<Place> = EMAILS.iter().filter_map(|path| Place::bind(schema, path)).collect();
    let list = tenant.settings.internal_emails.clone()?;
    if places.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for place in &places {
            place.each_text(account, &mut |row, field, text| {
                if is_internal(&list, text) {
                    let message = "expected a customer's address: this one is among `target.settings.internal_emails`";
                    out.push(finding("internal_email_address", row.path(Some(field)), message, row.cell(field)));
                }
            });
        }
    }))
}

fn required(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let list = tenant.settings.required_details.clone()?;
    let bind = |path: &str| {
        let details = format!("{path}.user_details");
        let owners = Rows::bind(schema, path)?;
        Some((owners, schema.entity(&details).zip(schema.field(&format!("{details}.namespace")))))
    };
    let owners: Vec<_> = ["customers", "business.users"].into_iter().filter_map(bind).collect();
    if owners.is_empty() {
        return None;
    }
    Some(Box::new(move |account, _, out| {
        for (owners, details) in &owners {
            owners.each(account, &mut |owner| {
                let has = |namespace: &str| {
                    details.is_some_and(|(entity, field)| {
                        owner.children(entity).any(|detail| {
                            let value = detail.value(field);
                            value.is_faulty() || value.text() == Some(namespace)
                        })
                    })
                };
                if let Some(missing) = list.iter().find(|namespace| !has(namespace)) {
                    let code = "required_customer_details_namespace_missing";
                    let message = format!("expected a detail `{missing}`, which the tenant demands of every customer");
                    let path = format!("{}.user_details", owner.path(None));
                    out.push(finding(code, path, message, vec![owner.record()]));
                }
            });
        }
    }))
}

fn former(schema: &Schema, _: &Tenant) -> Option<Check> {
    let addresses = Rows::bind(schema, "supply_addresses")?;
    let left = schema.field("supply_addresses.customer_at_supply_address_to_date")?;
    let points = schema.entity("supply_addresses.meter_points");
    let of_point = schema.field("supply_addresses.meter_points.last_billed_to_date");
    let of_account = schema.field("last_billed_to_date");
    Some(Box::new(move |account, context, out| {
        addresses.each(account, &mut |address| {
            let Some(to) = address.value(left).date().filter(|to| *to < context.run_date) else { return };
            let own = value_of(account, of_account);
            // Each point is billed up to its own day or, if it has none, the account's.
            let unbilled = |row: Row<'_>, field| {
                let value = value_of(row, field);
                let value = if value.is_absent() { own } else { value };
                !value.is_faulty() && value.date().is_none_or(|billed| billed < to)
            };
            let points = points.map(|points| address.children(points)).into_iter().flatten();
            let late: Vec<Row<'_>> = points.filter(|point| unbilled(*point, of_point)).collect();
            if !late.is_empty() {
                let code = "unbilled_former_supply_address";
                let message = "expected an address that was billed up to the day on which the customer left it";
                let mut cells = address.cell(left);
                cells.extend(late.iter().flat_map(|point| cells_of(*point, of_point)));
                cells.extend(of_account.map(|field| account.cell(field)).unwrap_or_default());
                out.push(finding(code, address.path(Some(left)), message, cells));
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_internal_by_itself_or_by_its_domain() {
        let list = ["desk@example.com".to_owned(), "@tenant.example".to_owned()];
        assert!(is_internal(&list, "Desk@Example.com ") && is_internal(&list, "anyone@TENANT.example"));
        assert!(!is_internal(&list, "me@example.com") && !is_internal(&list, "me@sub.tenant.example"));
    }
}
