//! Supply charges and rate overrides, beside the rates of their products.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Need, TenantRule, listed};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};
use crate::finding::Finding;
use crate::rules::place::{Rows, cells_of, value_of};
use crate::rules::{Check, finding};
use crate::tenant::{List, ListKind, Row as Known, Tenant};

const PRODUCT: Need = Need::Column(ListKind::Tariffs, "product");
const RATES: Need = Need::List(ListKind::Rates);
/// The lists that supply charges may be on.
const TRANSACTIONS: &[&str] = &[
    "current_statement_transactions",
    "historical_statement_transactions",
    "ledgers.current_statement_transactions",
    "ledgers.historical_statement_transactions",
];
const PRODUCT_CODES: &[&str] = &[
    "current_statement_transactions.product_code",
    "historical_statement_transactions.product_code",
    "ledgers.current_statement_transactions.product_code",
    "ledgers.historical_statement_transactions.product_code",
];

pub(super) const RULES: &[TenantRule] = &[
    listed(
        "supply-charge-rates-known",
        &["rate_band_not_of_product"],
        "The rate of each line of a supply charge is one of its product's.",
        &[RATES],
        PRODUCT_CODES,
        |schema, tenant| lines(schema, tenant, band_known),
    ),
    listed(
        "supply-charge-unit-price",
        &["unit_price_not_of_product"],
        "The unit price of a line is that of its product's rate; of a dynamic rate it is given.",
        &[Need::Column(ListKind::Rates, "price")],
        PRODUCT_CODES,
        |schema, tenant| lines(schema, tenant, price_fits),
    ),
    listed(
        "supply-charge-standing-units",
        &["standing_charge_units_not_days"],
        "A standing charge has one unit for each of its days, the first and the last included.",
        &[Need::Column(ListKind::Rates, "standing")],
        PRODUCT_CODES,
        |schema, tenant| lines(schema, tenant, units_fit),
    ),
    listed(
        "supply-charge-single-agreement",
        &["supply_charge_line_items_not_covered_by_single_agreement"],
        "The days of a supply charge lie in one agreement whose tariff is of the charge's product.",
        &[PRODUCT],
        PRODUCT_CODES,
        single_agreement,
    ),
    listed(
        "rate-override-band-known",
        &["rate_band_does_not_exist"],
        "A rate that an agreement overrides is one of its product's.",
        &[PRODUCT, RATES],
        &["supply_addresses.meter_points.agreements.rate_overrides.rate_band"],
        overrides,
    ),
];

/// Supply charges of one list of transactions, with their lines.
struct Charges {
    transactions: Rows,
    kind: FieldId,
    product: FieldId,
    point: Option<FieldId>,
    lines: EntityId,
    band: Option<FieldId>,
    price: Option<FieldId>,
    units: Option<FieldId>,
    start: Option<FieldId>,
    end: Option<FieldId>,
}

impl Charges {
    fn bind(schema: &Schema, path: &str) -> Option<Self> {
        let field = |name: &str| schema.field(&format!("{path}.{name}"));
        Some(Self {
            transactions: Rows::bind(schema, path)?,
            kind: field("type")?,
            product: field("product_code")?,
            point: field("supply_point_identifier"),
            lines: schema.entity(&format!("{path}.line_items"))?,
            band: field("line_items.rate_band"),
            price: field("line_items.price_per_unit"),
            units: field("line_items.number_of_units"),
            start: field("line_items.start_date"),
            end: field("line_items.end_date"),
        })
    }

    /// Visits each supply charge and its product.
    fn each<'a>(&self, account: Row<'a>, visit: &mut dyn FnMut(Row<'a>, &'a str)) {
        self.transactions.each(account, &mut |charge| {
            if charge.value(self.kind).text() == Some("SUPPLY_CHARGE")
                && let Some(product) = charge.value(self.product).text()
            {
                visit(charge, product);
            }
        });
    }
}

fn charges(schema: &Schema) -> Option<Vec<Charges>> {
    let charges: Vec<Charges> = TRANSACTIONS.iter().filter_map(|path| Charges::bind(schema, path)).collect();
    (!charges.is_empty()).then_some(charges)
}

/// A line of a supply charge and what the list says of its rate.
struct Line<'l, 'a> {
    row: Row<'a>,
    charge: Row<'a>,
    fields: &'l Charges,
    rate: Option<Known<'l>>,
}

fn rate<'l>(list: &'l List, product: &str, band: &str) -> Option<Known<'l>> {
    list.rows_of(product).find(|rate| rate.name(1) == band)
}

fn lines(schema: &Schema, tenant: &Tenant, judge: fn(&Line<'_, '_>) -> Option<Finding>) -> Option<Check> {
    let (charges, rates) = (charges(schema)?, Arc::clone(tenant.list(ListKind::Rates)?));
    Some(Box::new(move |account, _, out| {
        for fields in &charges {
            fields.each(account, &mut |charge, product| {
                // A product that is not on the list is another rule's; a line may name its rate in another way.
                if !rates.contains(product) {
                    return;
                }
                for row in charge.children(fields.lines) {
                    if let Some(band) = value_of(row, fields.band).text().filter(|band| !band.is_empty()) {
                        out.extend(judge(&Line { row, charge, fields, rate: rate(&rates, product, band) }));
                    }
                }
            });
        }
    }))
}

fn band_known(line: &Line<'_, '_>) -> Option<Finding> {
    if line.rate.is_some() {
        return None;
    }
    let mut cells = cells_of(line.row, line.fields.band);
    cells.extend(line.charge.cell(line.fields.product));
    let message = "expected a rate that `reference.rates` has of the charge's product";
    Some(finding("rate_band_not_of_product", line.row.path(line.fields.band), message, cells))
}

fn price_fits(line: &Line<'_, '_>) -> Option<Finding> {
    let (rate, own) = (line.rate?, value_of(line.row, line.fields.price));
    let message = match (rate.number("price"), own.decimal()) {
        (Some(price), Some(own)) if price != own => {
            format!("expected the price that `reference.rates` has, {}; it is {}", price.normalize(), own.normalize())
        }
        (None, None) if own.is_absent() => "expected a price: the rate is dynamic".to_owned(),
        _ => return None,
    };
    let cells = cells_of(line.row, line.fields.price);
    Some(finding("unit_price_not_of_product", line.row.path(line.fields.price), message, cells))
}

/// The days of a period, its first and its last included.
fn days_of(start: NaiveDate, end: NaiveDate) -> Decimal {
    Decimal::from((end - start).num_days() + 1)
}

fn units_fit(line: &Line<'_, '_>) -> Option<Finding> {
    let Line { row, fields, .. } = line;
    if line.rate?.flag("standing") != Some(true) {
        return None;
    }
    let days = days_of(value_of(*row, fields.start).date()?, value_of(*row, fields.end).date()?);
    let units = value_of(*row, fields.units).decimal()?;
    if units == days {
        return None;
    }
    let mut cells = cells_of(*row, fields.units);
    cells.extend([fields.start, fields.end].into_iter().flatten().flat_map(|field| row.cell(field)));
    let message = format!("expected {days} units, one a day; there are {}", units.normalize());
    Some(finding("standing_charge_units_not_days", row.path(fields.units), message, cells))
}

/// Whether days `first` to `last`, both included, lie in an agreement that ends exclusively on `to`.
fn covers(from: NaiveDate, to: Option<NaiveDate>, first: NaiveDate, last: NaiveDate) -> bool {
    from <= first && to.is_none_or(|to| last < to)
}

fn single_agreement(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let (charges, tariffs) = (charges(schema)?, Arc::clone(tenant.list(ListKind::Tariffs)?));
    let points = Rows::bind(schema, "supply_addresses.meter_points")?;
    let of_point = |name: &str| schema.field(&format!("supply_addresses.meter_points.{name}"));
    let identifier = of_point("identifier")?;
    let agreements = schema.entity("supply_addresses.meter_points.agreements")?;
    let (tariff, from) = (of_point("agreements.tariff_code")?, of_point("agreements.effective_from")?);
    let to = of_point("agreements.effective_to");
    Some(Box::new(move |account, _, out| {
        for fields in &charges {
            fields.each(account, &mut |charge, product| {
                let day = |row, field| value_of(row, field).date();
                let lines = charge.children(fields.lines);
                let first = lines.clone().map(|line| day(line, fields.start)).collect::<Option<Vec<_>>>();
                let last = lines.map(|line| day(line, fields.end)).collect::<Option<Vec<_>>>();
                let (Some(first), Some(last)) =
                    (first.and_then(|days| days.into_iter().min()), last.and_then(|days| days.into_iter().max()))
                else {
                    return;
                };
                let named = value_of(charge, fields.point).text().filter(|point| !point.is_empty());
                let (mut covered, mut near) = (false, Vec::new());
                points.each(account, &mut |point| {
                    if named.is_some_and(|named| point.value(identifier).text() != Some(named)) {
                        return;
                    }
                    for agreement in point.children(agreements) {
                        let code = agreement.value(tariff).text().and_then(|code| tariffs.row(code));
                        // An agreement that can't be read, or of a tariff nobody knows, may be the one.
                        let Some(start) = agreement.value(from).date().filter(|_| code.is_some()) else {
                            covered = true;
                            continue;
                        };
                        if code.and_then(|code| code.text("product")) == Some(product) {
                            covered |= covers(start, value_of(agreement, to).date(), first, last);
                            near.extend(agreement.cell(from));
                        }
                    }
                });
                if !covered {
                    let code = "supply_charge_line_items_not_covered_by_single_agreement";
                    let message =
                        "expected one agreement, on a tariff of the charge's product, that holds on all its days";
                    let mut cells = charge.cell(fields.product);
                    cells.append(&mut near);
                    out.push(finding(code, charge.path(Some(fields.product)), message, cells));
                }
            });
        }
    }))
}

fn overrides(schema: &Schema, tenant: &Tenant) -> Option<Check> {
    let agreements = Rows::bind(schema, "supply_addresses.meter_points.agreements")?;
    let tariff = schema.field("supply_addresses.meter_points.agreements.tariff_code")?;
    let overrides = schema.entity("supply_addresses.meter_points.agreements.rate_overrides")?;
    let band = schema.field("supply_addresses.meter_points.agreements.rate_overrides.rate_band")?;
    let (tariffs, rates) = (Arc::clone(tenant.list(ListKind::Tariffs)?), Arc::clone(tenant.list(ListKind::Rates)?));
    Some(Box::new(move |account, _, out| {
        agreements.each(account, &mut |agreement| {
            let code = agreement.value(tariff).text().and_then(|code| tariffs.row(code));
            let Some(product) = code.and_then(|code| code.text("product")) else { return };
            for row in agreement.children(overrides) {
                if row.value(band).text().is_some_and(|band| rate(&rates, product, band).is_none()) {
                    let message = "expected a rate that `reference.rates` has of the agreement's product";
                    let mut cells = row.cell(band);
                    cells.extend(agreement.cell(tariff));
                    out.push(finding("rate_band_does_not_exist", row.path(Some(band)), message, cells));
                }
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_includes_its_last_day_and_an_agreement_does_not() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(days_of(day("2019-07-01"), day("2019-07-31")), Decimal::from(31));
        let july = (day("2019-07-01"), day("2019-07-31"));
        assert!(covers(july.0, Some(day("2019-08-01")), july.0, july.1) && covers(july.0, None, july.0, july.1));
        assert!(!covers(july.0, Some(july.1), july.0, july.1) && !covers(day("2019-07-02"), None, july.0, july.1));
    }
}
