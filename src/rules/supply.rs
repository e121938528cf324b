//! Supply points: their identifiers, and whether they can be moved at all.

use chrono::NaiveDate;

use super::industry::supply_point::{Fault, check_mpan, check_mprn};
use super::place::{Place, Rows, Wrong, cells_of, check_texts, value_of};
use super::{Check, Rule, error, finding};
use crate::assemble::view::{Row, Schema, Value};
use crate::finding::Severity;

pub(super) const POINTS: &str = "supply_addresses.meter_points";
const IDENTIFIER: &str = "invalid_supply_point_identifier";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "supply-point-identifier",
        codes: &[IDENTIFIER],
        severity: Severity::Error,
        doc: "An electricity point is named by an MPAN core with a right check digit, a gas point by an MPRN of 6 to 10 digits.",
        bind: |schema| point_identifiers(schema, identifier),
    },
    Rule {
        id: "gas-check-digits",
        codes: &[IDENTIFIER],
        severity: Severity::Notice,
        doc: "The last two digits of an MPRN follow from the others.",
        bind: |schema| point_identifiers(schema, gas_check_digits),
    },
    Rule {
        id: "commission-supply-point-identifier",
        codes: &[IDENTIFIER],
        severity: Severity::Error,
        doc: "A commission contract names its supply point by an MPAN core or an MPRN.",
        bind: |schema| check_texts(schema, &["commission_contracts.mpxn"], either_identifier),
    },
    Rule {
        id: "no-erroneous-transfer",
        codes: &["erroneous_transfer_not_in_progress"],
        severity: Severity::Error,
        doc: "No supply point is in the middle of an erroneous transfer.",
        bind: |schema| not_in_progress(schema, &ERRONEOUS_TRANSFER),
    },
    Rule {
        id: "no-disputed-read",
        codes: &["disputed_read_in_progress"],
        severity: Severity::Error,
        doc: "No supply point has a disputed reading.",
        bind: |schema| not_in_progress(schema, &DISPUTED_READING),
    },
    Rule {
        id: "one-point-on-supply",
        codes: &["no_supply_point_on_supply"],
        severity: Severity::Error,
        doc: "An account that is supplied has a meter point whose supply has not ended.",
        bind: one_point_on_supply,
    },
    error(
        "meter-points-unique-across-addresses",
        &["duplicate_meter_points_on_different_supply_addresses_provided"],
        "No meter point is under two supply addresses.",
        one_address_each,
    ),
    error(
        "occupier-one-property",
        &["occupier_account_with_multiple_supply_addresses"],
        "An account of an unknown occupier has at most one supply address.",
        one_property,
    ),
    error(
        "aq-current",
        &["no_current_or_future_aq_entry_found"],
        "A gas point on supply has an annual quantity that has not ended.",
        current_quantity,
    ),
];

/// Judges an identifier by the fuel of its meter point.
fn point_identifiers(schema: &Schema, judge: fn(&str, &str) -> Option<Wrong>) -> Option<Check> {
    let points = Rows::bind(schema, POINTS)?;
    let identifier = schema.field("supply_addresses.meter_points.identifier")?;
    let fuel = schema.field("supply_addresses.meter_points.supply_type")?;
    Some(Box::new(move |account, _, out| {
        points.each(account, &mut |point| {
            if let (Some(fuel), Some(text)) = (point.value(fuel).text(), point.value(identifier).text())
                && let Some(wrong) = judge(fuel, text)
            {
                out.push(finding(wrong.code, point.path(Some(identifier)), wrong.message, point.cell(identifier)));
            }
        });
    }))
}

fn identifier(fuel: &str, text: &str) -> Option<Wrong> {
    let message = match fuel {
        "ELECTRICITY" => match check_mpan(text).err()? {
            Fault::Shape => "expected an MPAN core of 13 digits; of a full supply number it is the last 13",
            Fault::CheckDigits => "the check digit of the MPAN core is wrong: one of its 13 digits is not what it was",
        },
        "GAS" => match check_mprn(text).err()? {
            Fault::Shape => "expected an MPRN of 6 to 10 digits",
            Fault::CheckDigits => return None,
        },
        _ => return None,
    };
    Some(Wrong { code: IDENTIFIER, message })
}

fn gas_check_digits(fuel: &str, text: &str) -> Option<Wrong> {
    (fuel == "GAS" && check_mprn(text) == Err(Fault::CheckDigits)).then_some(Wrong {
        code: IDENTIFIER,
        message: "the last two digits of the MPRN do not follow from the others; some independent networks gave out such \
                  numbers, but compare it with the gas registration data",
    })
}

fn either_identifier(text: &str) -> Option<Wrong> {
    let good = check_mpan(text).is_ok() || check_mprn(text) != Err(Fault::Shape);
    (!good).then_some(Wrong {
        code: IDENTIFIER,
        message: "expected an MPAN core of 13 digits with a right check digit, or an MPRN of 6 to 10 digits",
    })
}

/// A flag of a meter point that must not be raised.
struct Flag {
    path: &'static str,
    code: &'static str,
    message: &'static str,
}

const ERRONEOUS_TRANSFER: Flag = Flag {
    path: "supply_addresses.meter_points.et_in_progress",
    code: "erroneous_transfer_not_in_progress",
    message: "the target takes no supply point in the middle of an erroneous transfer; wait until it has been settled",
};

const DISPUTED_READING: Flag = Flag {
    path: "supply_addresses.meter_points.dr_in_progress",
    code: "disputed_read_in_progress",
    message: "the target takes no supply point with a disputed reading; wait until the dispute has been settled",
};

fn not_in_progress(schema: &Schema, flag: &'static Flag) -> Option<Check> {
    let place = Place::bind(schema, flag.path)?;
    Some(Box::new(move |account, _, out| {
        place.each(account, &mut |point, field| {
            if point.value(field).bool() == Some(true) {
                out.push(finding(flag.code, point.path(Some(field)), flag.message, point.cell(field)));
            }
        });
    }))
}

fn one_point_on_supply(schema: &Schema) -> Option<Check> {
    let points = Rows::bind(schema, POINTS)?;
    let end = schema.field("supply_addresses.meter_points.supply_end_date");
    let account_type = schema.field("account_type");
    Some(Box::new(move |account, context, out| {
        if value_of(account, account_type).text().is_some_and(is_unsupplied) {
            return;
        }
        let (mut supplied, mut ended) = (false, Vec::new());
        points.each(account, &mut |point| {
            if on_supply(&value_of(point, end), context.run_date) {
                supplied = true;
            } else {
                ended.extend(end.map(|end| point.cell(end)).unwrap_or_default());
            }
        });
        if !supplied {
            let message = if ended.is_empty() {
                "expected at least one meter point; none is left of this account. Look for its address and meter point \
                 records among the quarantined and orphaned ones"
            } else {
                "expected at least one meter point whose supply has not ended; all of this account's have"
            };
            ended.insert(0, account.record());
            out.push(finding("no_supply_point_on_supply", "supply_addresses".to_owned(), message, ended));
        }
    }))
}

fn one_address_each(schema: &Schema) -> Option<Check> {
    let addresses = schema.entity("supply_addresses")?;
    let points = schema.entity(POINTS)?;
    let identifier = schema.field("supply_addresses.meter_points.identifier")?;
    Some(Box::new(move |account, _, out| {
        if account.children(addresses).len() < 2 {
            return;
        }
        for (at, address) in account.children(addresses).enumerate() {
            for point in address.children(points) {
                let Some(name) = point.value(identifier).text().filter(|name| !name.is_empty()) else { continue };
                let elsewhere = account
                    .children(addresses)
                    .take(at)
                    .flat_map(|other| other.children(points))
                    .find(|other| other.value(identifier).text() == Some(name));
                if let Some(other) = elsewhere {
                    let mut cells = point.cell(identifier);
                    cells.extend(other.cell(identifier));
                    let message = "expected each meter point under one supply address; another address has it too";
                    let code = "duplicate_meter_points_on_different_supply_addresses_provided";
                    out.push(finding(code, point.path(Some(identifier)), message, cells));
                }
            }
        }
    }))
}

fn one_property(schema: &Schema) -> Option<Check> {
    let unknown = schema.field("unknown_occupier")?;
    let addresses = schema.entity("supply_addresses")?;
    Some(Box::new(move |account, _, out| {
        if account.value(unknown).bool() == Some(true) && account.children(addresses).len() > 1 {
            let mut cells = account.cell(unknown);
            cells.extend(account.children(addresses).map(Row::record));
            let message = "expected one supply address at most: the occupier is unknown";
            let code = "occupier_account_with_multiple_supply_addresses";
            out.push(finding(code, "supply_addresses".to_owned(), message, cells));
        }
    }))
}

fn current_quantity(schema: &Schema) -> Option<Check> {
    const LIST: &str = "supply_addresses.meter_points.aq_history";
    let points = Rows::bind(schema, POINTS)?;
    let fuel = schema.field("supply_addresses.meter_points.supply_type")?;
    let end = schema.field("supply_addresses.meter_points.supply_end_date");
    let list = schema.entity(LIST);
    let to = schema.field("supply_addresses.meter_points.aq_history.effective_to");
    if list.is_none() && !schema.is_known(LIST) {
        return None;
    }
    Some(Box::new(move |account, context, out| {
        points.each(account, &mut |point| {
            if point.value(fuel).text() != Some("GAS") || !on_supply(&value_of(point, end), context.run_date) {
                return;
            }
            let entries = || list.into_iter().flat_map(|list| point.children(list));
            if entries().any(|entry| value_of(entry, to).date().is_none_or(|to| to >= context.run_date)) {
                return;
            }
            let latest = entries().max_by_key(|entry| value_of(*entry, to).date());
            let message = match latest {
                None => "expected an annual quantity in the history; there is none",
                Some(_) => "expected an annual quantity that has not ended by the run date; the latest one has",
            };
            let mut cells = vec![point.record()];
            cells.extend(latest.map(|latest| cells_of(latest, to)).unwrap_or_default());
            let path = format!("{}.aq_history", point.path(None));
            out.push(finding("no_current_or_future_aq_entry_found", path, message, cells));
        });
    }))
}

/// Accounts that must not have supply points.
fn is_unsupplied(account_type: &str) -> bool {
    matches!(account_type, "PORTFOLIO_LEAD" | "SYSTEM")
}

/// Whether supply that ends on `end` goes on after `today`; an end that could not be read has its own finding.
pub(super) fn on_supply(end: &Value<'_>, today: NaiveDate) -> bool {
    end.date().is_none_or(|end| end > today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuel_says_which_identifier_it_is() {
        assert!(identifier("ELECTRICITY", "1200060176720").is_none());
        assert!(identifier("ELECTRICITY", "1200060176721").is_some());
        assert!(identifier("ELECTRICITY", "9353824109").is_some());
        assert!(identifier("GAS", "9353824109").is_none());
        assert!(identifier("GAS", "93538").is_some());
        assert!(identifier("GAS", "9353824110").is_none());
        assert!(gas_check_digits("GAS", "9353824110").is_some());
        assert!(gas_check_digits("GAS", "9353824109").is_none());
        assert!(gas_check_digits("ELECTRICITY", "1200060176721").is_none());
    }

    #[test]
    fn a_commission_contract_names_either() {
        assert!(either_identifier("1200060176720").is_none() && either_identifier("9353824109").is_none());
        assert!(either_identifier("1200060176721").is_some() && either_identifier("12").is_some());
    }

    #[test]
    fn supply_goes_on_until_the_day_it_ends() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert!(on_supply(&Value::Absent, day("2019-09-01")));
        assert!(on_supply(&Value::Faulty, day("2019-09-01")));
        assert!(on_supply(&Value::Date(day("2019-09-02")), day("2019-09-01")));
        assert!(!on_supply(&Value::Date(day("2019-09-01")), day("2019-09-01")));
    }

    #[test]
    fn a_portfolio_lead_has_no_supply() {
        assert!(is_unsupplied("PORTFOLIO_LEAD") && is_unsupplied("SYSTEM") && !is_unsupplied("DOMESTIC"));
    }
}
