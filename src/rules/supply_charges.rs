//! Supply charges and the lines they are made of.

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use super::place::{Rows, value_of};
use super::{Check, Rule, days, error, finding};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};
use crate::finding::Finding;

const LISTS: [(&str, &str); 4] = [
    ("ledgers", "ledgers.current_statement_transactions"),
    ("ledgers", "ledgers.historical_statement_transactions"),
    ("", "current_statement_transactions"),
    ("", "historical_statement_transactions"),
];

pub(super) const RULES: &[Rule] = &[
    error(
        "supply-charge-total",
        &["ledger_transaction_amount_does_not_match_with_line_item_net_amount_and_tax_amount"],
        "A supply charge is the sum of its lines and taxes, to the penny.",
        totals,
    ),
    error(
        "line-item-units-pair",
        &["line_item_units_must_be_two_values"],
        "The units of a line, if given, are two.",
        pairs_of_units,
    ),
    error(
        "ledger-line-item-periods",
        &["gaps_or_overlaps_in_periods"],
        "The lines of a ledger's supply charges leave no gap at a supply point and overlap for no rate of it.",
        line_periods,
    ),
    error(
        "billing-document-id-uniform",
        &["historical_statement_billing_document_identifier_mismatch"],
        "All historical transactions that name a billing document name the same one.",
        one_document,
    ),
];

/// The lists that have a binding.
fn bound<B>(bind: impl Fn(&str, &str) -> Option<B>) -> Option<Vec<B>> {
    let bound: Vec<B> = LISTS.iter().filter_map(|(owner, list)| bind(owner, list)).collect();
    (!bound.is_empty()).then_some(bound)
}

/// Supply charges with what makes up their amounts.
struct Charges {
    rows: Rows,
    kind: FieldId,
    amount: FieldId,
    lines: (EntityId, FieldId),
    taxes: Option<(EntityId, FieldId)>,
}

fn totals(schema: &Schema) -> Option<Check> {
    let parts = |list: &str, name: &str, amount: &str| {
        Some((schema.entity(&format!("{list}.{name}"))?, schema.field(&format!("{list}.{name}.{amount}"))?))
    };
    let lists = bound(|_, list| {
        Some(Charges {
            rows: Rows::bind(schema, list)?,
            kind: schema.field(&format!("{list}.type"))?,
            amount: schema.field(&format!("{list}.amount"))?,
            lines: parts(list, "line_items", "net_amount")?,
            taxes: parts(list, "tax_items", "amount"),
        })
    })?;
    Some(Box::new(move |account, _, out| {
        for charges in &lists {
            charges.rows.each(account, &mut |row| {
                if row.value(charges.kind).text() == Some("SUPPLY_CHARGE") {
                    out.extend(charges.off(row));
                }
            });
        }
    }))
}

impl Charges {
    /// The finding about a charge that is not the sum of its parts.
    fn off(&self, charge: Row<'_>) -> Option<Finding> {
        let stated = charge.value(self.amount).decimal()?;
        let parts = || [Some(self.lines), self.taxes].into_iter().flatten();
        if charge.children(self.lines.0).len() == 0 {
            return None;
        }
        let amounts =
            parts().flat_map(|(list, amount)| charge.children(list).map(move |row| row.value(amount).decimal()));
        let sum: Decimal = amounts.sum::<Option<Decimal>>()?;
        // How the target rounds is not published: less than a penny is forgiven.
        if (sum - stated).abs() < Decimal::new(1, 2) {
            return None;
        }
        let message = format!("the lines and taxes come to £{sum:.2}, but the charge says £{stated:.2}");
        let mut cells = charge.cell(self.amount);
        cells.extend(parts().flat_map(|(list, amount)| charge.children(list).flat_map(move |row| row.cell(amount))));
        let code = "ledger_transaction_amount_does_not_match_with_line_item_net_amount_and_tax_amount";
        Some(finding(code, charge.path(Some(self.amount)), message, cells))
    }
}

fn pairs_of_units(schema: &Schema) -> Option<Check> {
    let lists = bound(|_, list| {
        let lines = format!("{list}.line_items");
        Some((Rows::bind(schema, &lines)?, schema.entity(&lines)?, schema.entity(&format!("{lines}.units"))?))
    })?;
    Some(Box::new(move |account, _, out| {
        for (rows, _, units) in &lists {
            rows.each(account, &mut |line| {
                let count = line.children(*units).len();
                if count != 0 && count != 2 {
                    let mut cells = vec![line.record()];
                    cells.extend(line.children(*units).map(Row::record));
                    cells.dedup();
                    let message = format!("expected two values or none, found {count}");
                    out.push(finding(
                        "line_item_units_must_be_two_values",
                        format!("{}.units", line.path(None)),
                        message,
                        cells,
                    ));
                }
            });
        }
    }))
}

/// What a line's rate is called by.
const RATES: [&str; 3] = ["rate_band", "rate_specification_code", "time_series_specification_code"];

/// The lines of the supply charges of a ledger.
struct Lines {
    charges: EntityId,
    point: Option<FieldId>,
    product: Option<FieldId>,
    items: EntityId,
    from: FieldId,
    to: FieldId,
    rates: Vec<FieldId>,
}

/// A line, from a day to another inclusively.
#[derive(Clone, Copy)]
struct Line<'a> {
    point: &'a str,
    /// Product, rate band, rate specification, time series.
    rate: [&'a str; 4],
    from: NaiveDate,
    to: NaiveDate,
    row: Row<'a>,
}

impl Lines {
    fn bind(schema: &Schema, list: &str) -> Option<Self> {
        let field = |name: &str| schema.field(&format!("{list}.{name}"));
        Some(Self {
            charges: schema.entity(list)?,
            point: field("supply_point_identifier"),
            product: field("product_code"),
            items: schema.entity(&format!("{list}.line_items"))?,
            from: field("line_items.start_date")?,
            to: field("line_items.end_date")?,
            rates: RATES.iter().filter_map(|rate| field(&format!("line_items.{rate}"))).collect(),
        })
    }

    /// All lines of `ledger` that can be read.
    fn of<'a>(&self, ledger: Row<'a>) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        for charge in ledger.children(self.charges) {
            let text = |field: Option<FieldId>| value_of(charge, field).text().unwrap_or_default();
            for row in charge.children(self.items) {
                let mut rate = [text(self.product), "", "", ""];
                for (place, field) in rate[1..].iter_mut().zip(&self.rates) {
                    *place = row.value(*field).text().unwrap_or_default();
                }
                if let (Some(from), Some(to)) = (row.value(self.from).date(), row.value(self.to).date()) {
                    lines.push(Line { point: text(self.point), rate, from, to, row });
                }
            }
        }
        lines
    }

    fn overlaps(&self, lines: &mut [Line<'_>], out: &mut Vec<Finding>) {
        lines.sort_by_key(|line| (line.point, line.rate, line.from, line.to));
        for of_rate in lines.chunk_by(|one, other| (one.point, one.rate) == (other.point, other.rate)) {
            let mut last = of_rate[0];
            for line in &of_rate[1..] {
                if line.from <= last.to {
                    let message = "expected the line to start after an earlier line of the same rate has ended, which it includes";
                    out.push(self.finding(*line, last, message));
                }
                if line.to > last.to {
                    last = *line;
                }
            }
        }
    }

    fn gaps(&self, lines: &mut [Line<'_>], out: &mut Vec<Finding>) {
        lines.sort_by_key(|line| (line.point, line.from, line.to));
        for of_point in lines.chunk_by(|one, other| one.point == other.point) {
            let mut last = of_point[0];
            for line in &of_point[1..] {
                if last.to.checked_add_days(Days::new(1)).is_some_and(|next| next < line.from) {
                    let count = days((line.from - last.to).num_days() - 1);
                    let message =
                        format!("expected a line for every day of the supply point; {count} before this one have none");
                    out.push(self.finding(*line, last, &message));
                }
                if line.to > last.to {
                    last = *line;
                }
            }
        }
    }

    fn finding(&self, later: Line<'_>, earlier: Line<'_>, message: &str) -> Finding {
        let mut cells = later.row.cell(self.from);
        cells.extend(earlier.row.cell(self.to));
        finding("gaps_or_overlaps_in_periods", later.row.path(Some(self.from)), message, cells)
    }
}

fn line_periods(schema: &Schema) -> Option<Check> {
    let ledgers = schema.entity("ledgers")?;
    let lists = bound(|owner, list| if owner.is_empty() { None } else { Lines::bind(schema, list) })?;
    Some(Box::new(move |account, _, out| {
        for ledger in account.children(ledgers) {
            for list in &lists {
                let mut lines = list.of(ledger);
                list.overlaps(&mut lines, out);
                list.gaps(&mut lines, out);
            }
        }
    }))
}

fn one_document(schema: &Schema) -> Option<Check> {
    let lists = bound(|owner, path| {
        let document = schema.field(&format!("{path}.billing_document_identifier"))?;
        let historical = path.ends_with("historical_statement_transactions");
        Some((Rows::bind(schema, owner)?, schema.entity(path)?, document)).filter(|_| historical)
    })?;
    Some(Box::new(move |account, _, out| {
        for (owners, list, document) in &lists {
            owners.each(account, &mut |owner| {
                let mut named = owner
                    .children(*list)
                    .filter_map(|row| Some((row.value(*document).text().filter(|name| !name.is_empty())?, row)));
                let Some((document_name, first)) = named.next() else { return };
                for (_, row) in named.filter(|(name, _)| *name != document_name) {
                    let mut cells = row.cell(*document);
                    cells.extend(first.cell(*document));
                    let message = "expected the same billing document in all historical transactions that name one";
                    let code = "historical_statement_billing_document_identifier_mismatch";
                    out.push(finding(code, row.path(Some(*document)), message, cells));
                }
            });
        }
    }))
}
