//! Tariffs and products: what an agreement promises, beside the meters it is about.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Need, TenantRule, listed};
use crate::assemble::view::{EntityId, FieldId, Row, Schema, Value};
use crate::finding::Finding;
use crate::rules::place::{Rows, value_of};
use crate::rules::{Check, RuleContext, finding};
use crate::tenant::{List, ListKind, Row as Known, Tenant};

const POINTS: &str = "supply_addresses.meter_points";
const TARIFF: &str = "supply_addresses.meter_points.agreements.tariff_code";
const PRODUCT: Need = Need::Column(ListKind::Tariffs, "product");

pub(super) const RULES: &[TenantRule] = &[
    listed(
        "tariff-type-vs-meter-point",
        &["tariff_type_does_not_match_meter_point_type"],
        "A tariff has as many rates as the meters of its point have settlement registers.",
        &[Need::Column(ListKind::Tariffs, "rates")],
        &[TARIFF],
        |schema, tenant| points(schema, tenant, rates_fit),
    ),
    listed(
        "prepay-tariff-vs-meter",
        &["tariff_type_does_not_match_meter_type"],
        "A prepay meter is on a prepay tariff, a credit meter on another.",
        &[Need::Column(ListKind::Tariffs, "prepay")],
        &[TARIFF],
        |schema, tenant| points(schema, tenant, prepay_fits),
    ),
    listed(
        "agreement-not-before-product",
        &["agreement_effective_from_before_product_available_from"],
        "An agreement that is still to be billed does not start before its variable product was available.",
        &[PRODUCT, Need::Column(ListKind::Products, "available_from"), Need::Column(ListKind::Products, "variable")],
        &[TARIFF],
        |schema, tenant| points(schema, tenant, |point, out| product_available(point, Which::ToBeBilled, out)),
    ),
    listed(
        "contract-variable-product-start",
        &["agreement_cannot_start_before_product_available"],
        "An agreement of a business contract does not start before its variable product was available.",
        &[PRODUCT, Need::Column(ListKind::Products, "available_from"), Need::Column(ListKind::Products, "variable")],
        &["supply_addresses.meter_points.agreements.business_contract_identifier"],
        |schema, tenant| points(schema, tenant, |point, out| product_available(point, Which::OfContract, out)),
    ),
    listed(
        "elec-agreement-end-for-fixed",
        &["open_ended_agreement_for_end_dated_product"],
        "An electricity agreement on a product that ends has an end.",
        &[PRODUCT, Need::Column(ListKind::Products, "end_dated")],
        &[TARIFF],
        |schema, tenant| points(schema, tenant, |point, out| fixed_ends(point, "ELECTRICITY", out)),
    ),
    listed(
        "gas-agreement-end-for-fixed",
        &["open_ended_agreement_for_end_dated_product"],
        "A gas agreement on a product that ends has an end.",
        &[PRODUCT, Need::Column(ListKind::Products, "end_dated")],
        &[TARIFF],
        |schema, tenant| points(schema, tenant, |point, out| fixed_ends(point, "GAS", out)),
    ),
];

/// What is read of a meter point, its agreements and its meters.
struct Fields {
    agreements: EntityId,
    tariff: FieldId,
    from: Option<FieldId>,
    to: Option<FieldId>,
    contract: Option<FieldId>,
    fuel: FieldId,
    supply_end: Option<FieldId>,
    meters: Option<EntityId>,
    removed: Option<FieldId>,
    prepay: Option<FieldId>,
    registers: Option<EntityId>,
    settles: Option<FieldId>,
    billed_to: Option<FieldId>,
}

/// A meter point with what is known of its account.
struct Point<'p, 'a> {
    row: Row<'a>,
    account: Row<'a>,
    fields: &'p Fields,
    tariffs: &'p List,
    products: Option<&'p List>,
    context: &'p RuleContext,
}

type Judge = fn(&Point<'_, '_>, &mut Vec<Finding>);

fn points(schema: &Schema, tenant: &Tenant, judge: Judge) -> Option<Check> {
    let below = |name: &str| schema.field(&format!("{POINTS}.{name}"));
    let fields = Fields {
        agreements: schema.entity("supply_addresses.meter_points.agreements")?,
        tariff: below("agreements.tariff_code")?,
        from: below("agreements.effective_from"),
        to: below("agreements.effective_to"),
        contract: below("agreements.business_contract_identifier"),
        fuel: below("supply_type")?,
        supply_end: below("supply_end_date"),
        meters: schema.entity("supply_addresses.meter_points.meters"),
        removed: below("meters.removed_on"),
        prepay: below("meters.is_prepay"),
        registers: schema.entity("supply_addresses.meter_points.meters.registers"),
        settles: below("meters.registers.is_settlement"),
        billed_to: schema.field("last_billed_to_date"),
    };
    let rows = Rows::bind(schema, POINTS)?;
    let tariffs = Arc::clone(tenant.list(ListKind::Tariffs)?);
    let products = tenant.list(ListKind::Products).map(Arc::clone);
    Some(Box::new(move |account, context, out| {
        rows.each(account, &mut |row| {
            let products = products.as_deref();
            judge(&Point { row, account, fields: &fields, tariffs: &tariffs, products, context }, out);
        });
    }))
}

impl<'p, 'a> Point<'p, 'a> {
    fn fuel(&self) -> Option<&'a str> {
        self.row.value(self.fields.fuel).text()
    }

    fn agreements(&self) -> impl Iterator<Item = Row<'a>> {
        self.row.children(self.fields.agreements)
    }

    /// Agreements that hold on the run date, if the point is supplied then.
    fn current(&self) -> impl Iterator<Item = Row<'a>> {
        let today = self.context.run_date;
        let supplied = value_of(self.row, self.fields.supply_end).date().is_none_or(|end| end > today);
        let (from, to) = (self.fields.from, self.fields.to);
        self.agreements().filter(move |agreement| {
            let starts = value_of(*agreement, from);
            let ends = value_of(*agreement, to);
            supplied
                && starts.date().is_none_or(|from| from <= today)
                && (ends.is_absent() || ends.date().is_some_and(|to| to > today))
        })
    }

    /// Meters that were not removed.
    fn meters(&self) -> impl Iterator<Item = Row<'a>> {
        let removed = self.fields.removed;
        let meters = self.fields.meters.map(|meters| self.row.children(meters));
        meters.into_iter().flatten().filter(move |meter| value_of(*meter, removed).is_absent())
    }

    fn tariff(&self, agreement: Row<'a>) -> Option<Known<'p>> {
        self.tariffs.row(agreement.value(self.fields.tariff).text()?)
    }

    fn product(&self, agreement: Row<'a>) -> Option<Known<'p>> {
        self.products?.row(self.tariff(agreement)?.text("product")?)
    }

    /// A finding on an agreement's tariff, with the cells of `also` behind it.
    fn found(
        &self,
        agreement: Row<'a>,
        code: &'static str,
        message: &str,
        also: &[(Row<'a>, Option<FieldId>)],
    ) -> Finding {
        let mut cells = agreement.cell(self.fields.tariff);
        for (row, field) in also {
            match field {
                Some(field) => cells.extend(row.cell(*field)),
                None => cells.push(row.record()),
            }
        }
        finding(code, agreement.path(Some(self.fields.tariff)), message, cells)
    }
}

/// The number of rates that a meter with so many settlement registers asks for: a meter without registers has one.
fn rates_of(settlement_registers: usize) -> Decimal {
    Decimal::from(settlement_registers.max(1))
}

fn rates_fit(point: &Point<'_, '_>, out: &mut Vec<Finding>) {
    for agreement in point.current() {
        let Some(rates) = point.tariff(agreement).and_then(|tariff| tariff.number("rates")) else { continue };
        let registers = |meter: Row<'_>| -> Option<usize> {
            let mut count = 0;
            for register in point.fields.registers.map(|registers| meter.children(registers)).into_iter().flatten() {
                match value_of(register, point.fields.settles) {
                    Value::Faulty => return None,
                    Value::Bool(false) => {}
                    _ => count += 1,
                }
            }
            Some(count)
        };
        for meter in point.meters() {
            let Some(count) = registers(meter) else { continue };
            if rates_of(count) != rates {
                let message = format!(
                    "expected a tariff of {} rates, as the meter has it; the list says {rates}",
                    rates_of(count)
                );
                let code = "tariff_type_does_not_match_meter_point_type";
                out.push(point.found(agreement, code, &message, &[(meter, None)]));
            }
        }
    }
}

fn prepay_fits(point: &Point<'_, '_>, out: &mut Vec<Finding>) {
    for agreement in point.current() {
        let Some(tariff) = point.tariff(agreement).and_then(|tariff| tariff.flag("prepay")) else { continue };
        for meter in point.meters() {
            let meter_is = match value_of(meter, point.fields.prepay) {
                Value::Faulty => continue,
                value => value.bool() == Some(true),
            };
            if meter_is != tariff {
                let message = if meter_is {
                    "expected a prepay tariff: the meter is a prepay meter"
                } else {
                    "expected a tariff that is not for prepay: the meter is a credit meter"
                };
                let code = "tariff_type_does_not_match_meter_type";
                out.push(point.found(agreement, code, message, &[(meter, point.fields.prepay)]));
            }
        }
    }
}

/// Which agreements must not start before their product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    ToBeBilled,
    OfContract,
}

/// Whether an agreement that ends, exclusively, on `to` is billed by the target: what was billed already is not.
fn is_to_be_billed(to: Option<NaiveDate>, billed_to: Option<NaiveDate>) -> bool {
    match (to, billed_to) {
        (Some(to), Some(billed_to)) => to > billed_to,
        _ => true,
    }
}

fn product_available(point: &Point<'_, '_>, which: Which, out: &mut Vec<Finding>) {
    let billed_to = value_of(point.account, point.fields.billed_to).date();
    for agreement in point.agreements() {
        let (Some(product), Some(from)) = (point.product(agreement), value_of(agreement, point.fields.from).date())
        else {
            continue;
        };
        let of_contract = value_of(agreement, point.fields.contract).text().is_some_and(|text| !text.is_empty());
        let concerned = match which {
            Which::OfContract => of_contract,
            Which::ToBeBilled => is_to_be_billed(value_of(agreement, point.fields.to).date(), billed_to),
        };
        let early = product.date("available_from").is_some_and(|available| from < available);
        if concerned && early && product.flag("variable") == Some(true) {
            let message = "expected an agreement that starts when its product was available, or later";
            let code = match which {
                Which::ToBeBilled => "agreement_effective_from_before_product_available_from",
                Which::OfContract => "agreement_cannot_start_before_product_available",
            };
            out.push(point.found(agreement, code, message, &[(agreement, point.fields.from)]));
        }
    }
}

fn fixed_ends(point: &Point<'_, '_>, fuel: &str, out: &mut Vec<Finding>) {
    if point.fuel() != Some(fuel) {
        return;
    }
    for agreement in point.agreements() {
        let ends = point.product(agreement).and_then(|product| product.flag("end_dated")) == Some(true);
        if ends && value_of(agreement, point.fields.to).is_absent() {
            let message = "expected the day on which the agreement ends: its product has an end";
            let code = "open_ended_agreement_for_end_dated_product";
            out.push(point.found(agreement, code, message, &[(agreement, point.fields.to)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_billed_before_the_move_is_not_billed_again() {
        let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
        assert!(is_to_be_billed(None, day("2019-08-01")) && is_to_be_billed(day("2019-08-01"), None));
        assert!(is_to_be_billed(day("2019-08-02"), day("2019-08-01")));
        assert!(!is_to_be_billed(day("2019-08-01"), day("2019-08-01")));
    }

    #[test]
    fn a_meter_without_registers_has_one_rate() {
        assert_eq!([0, 1, 2].map(rates_of), [Decimal::ONE, Decimal::ONE, Decimal::TWO]);
    }
}
