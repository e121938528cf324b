//! The serial numbers of meters, as the industry's data flows carry them.

use super::metering::{Fuel, METERS, Meters};
use super::{Check, Rule, finding, warning};
use crate::assemble::view::Schema;

const CODE: &str = "invalid_meter_serial_number";

pub(super) const RULES: &[Rule] = &[warning(
    "meter-serial-industry-shape",
    &[CODE],
    "A serial number is of capital letters and digits, at most 10 of electricity and 14 of gas; the target's own pattern is not published.",
    shaped,
)];

fn shaped(schema: &Schema) -> Option<Check> {
    let meters = Meters::bind(schema)?;
    let serial = schema.field(&format!("{METERS}.meter_serial_number"))?;
    Some(Box::new(move |account, context, out| {
        meters.each(account, context.run_date, &mut |meter| {
            if meter.row.value(serial).text().is_some_and(|text| is_odd(text, meter.fuel)) {
                let message = format!(
                    "expected at most {} capital letters and digits, as the industry writes the serial numbers of this fuel",
                    longest(meter.fuel)
                );
                out.push(finding(CODE, meter.row.path(Some(serial)), message, meter.row.cell(serial)));
            }
        });
    }))
}

fn longest(fuel: Fuel) -> usize {
    match fuel {
        Fuel::Electricity => 10,
        Fuel::Gas => 14,
    }
}

/// Whether the industry would not write it so; one that is blank or far too long is an error of another rule.
fn is_odd(text: &str, fuel: Fuel) -> bool {
    let text = text.trim();
    let industrial = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (text.len() > longest(fuel) || !text.bytes().all(industrial)) && !text.is_empty() && text.chars().count() <= 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_of_both_fuels() {
        for good in ["Z16N389556", "54BV", " 54BV "] {
            assert!(!is_odd(good, Fuel::Electricity), "{good}");
        }
        assert!(!is_odd("E6S12345678901", Fuel::Gas) && is_odd("E6S12345678901", Fuel::Electricity));
        assert!(is_odd("Z16N389556 X", Fuel::Gas) && is_odd("z16n", Fuel::Gas));
        assert!(!is_odd("", Fuel::Gas) && !is_odd(&"9".repeat(33), Fuel::Gas));
    }
}
