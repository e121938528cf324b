//! Postcodes of billing and supply addresses.

use super::industry::postcode::{self, Postcode};
use super::place::{Place, Wrong, both, check_texts};
use super::{Check, Rule, finding};
use crate::assemble::view::Schema;
use crate::finding::Severity;

const POSTCODES: &[&str] =
    &["billing_postcode", "supply_addresses.supply_postcode", "fit.installations.address.postcode"];

const CODE: &str = "invalid_postcode";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "postcode-valid",
        codes: &[CODE],
        severity: Severity::Error,
        doc: "A postcode has the shape of a British one.",
        bind: |schema| both(check_texts(schema, POSTCODES, shaped), british_object(schema)),
    },
    Rule {
        id: "postcode-in-use",
        codes: &[CODE],
        severity: Severity::Warning,
        doc: "A postcode has letters that are in use where they stand.",
        bind: |schema| check_texts(schema, POSTCODES, in_use),
    },
    Rule {
        id: "supply-postcode-in-market",
        codes: &["postcode_outside_supply_market"],
        severity: Severity::Warning,
        doc: "A supply address lies in Great Britain.",
        bind: |schema| check_texts(schema, &["supply_addresses.supply_postcode"], in_market),
    },
];

/// The postcode of a billing address given as an object, if it is in Great Britain.
fn british_object(schema: &Schema) -> Option<Check> {
    let country = Place::bind(schema, "billing_address.country")?;
    let postcode = Place::bind(schema, "billing_address.postal_code")?;
    Some(Box::new(move |account, _, out| {
        country.each_text(account, &mut |_, _, country| {
            if !country.eq_ignore_ascii_case("GB") {
                return;
            }
            postcode.each_text(account, &mut |row, field, text| {
                if let Some(wrong) = shaped(text) {
                    out.push(finding(wrong.code, row.path(Some(field)), wrong.message, row.cell(field)));
                }
            });
        });
    }))
}

fn shaped(text: &str) -> Option<Wrong> {
    (postcode::judge(text) == Postcode::Bad).then_some(Wrong {
        code: CODE,
        message: "expected a British postcode: one or two letters, one or two digits or a digit and a letter, then a \
                  digit and two letters",
    })
}

fn in_use(text: &str) -> Option<Wrong> {
    (postcode::judge(text) == Postcode::Doubtful).then_some(Wrong {
        code: CODE,
        message: "the postcode has the right shape but letters that are not in use where they stand; look for O and 0, \
                  I and 1 mixed up",
    })
}

fn in_market(text: &str) -> Option<Wrong> {
    postcode::outside_market(text).then_some(Wrong {
        code: "postcode_outside_supply_market",
        message: "expected an address in Great Britain; Northern Ireland, Jersey, Guernsey and the Isle of Man are not \
                  part of its supply market",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_postcode_is_an_error_a_doubtful_one_a_warning() {
        assert!(shaped("W1F 9DE").is_none() && in_use("W1F 9DE").is_none());
        assert!(shaped("ZZ99").is_some() && in_use("ZZ99").is_none());
        assert!(shaped("W1F 9DC").is_none() && in_use("W1F 9DC").is_some());
    }

    #[test]
    fn a_supply_address_in_belfast_is_odd() {
        assert!(in_market("BT1 5GS").is_some());
        assert!(in_market("B1 1AA").is_none());
    }
}
