//! What the fields of one person say together.

use super::account_fields::rules;
use super::never::{
    Never,
    Test::{Absent, Given, Text},
    never,
};
use super::{Rule, error};

pub(super) const RULES: &[Rule] = rules! {
    "details-or-user-details": "A person's details are given in one of their two forms." {
        "customers" "customer_details_and_user_details_both_provided" "expected one of the two forms of details, found both" [Given("user_details"), Given("details")]
        "business.users" "customer_details_and_user_details_both_provided" "expected one of the two forms of details, found both" [Given("user_details"), Given("details")]
    }
    "occupier-no-contact-details": "A person who is called the occupier has no contact details." {
        "customers" "contact_details_for_occupier" "expected no e-mail address: the person is called the occupier" [Given("email"), Text("given_name", the), Text("family_name", occupier)]
        "customers" "contact_details_for_occupier" "expected no mobile number: the person is called the occupier" [Given("mobile"), Text("given_name", the), Text("family_name", occupier)]
        "customers" "contact_details_for_occupier" "expected no landline number: the person is called the occupier" [Given("landline"), Text("given_name", the), Text("family_name", occupier)]
        "business.users" "contact_details_for_occupier" "expected no e-mail address: the person is called the occupier" [Given("email"), Text("given_name", the), Text("family_name", occupier)]
        "business.users" "contact_details_for_occupier" "expected no mobile number: the person is called the occupier" [Given("mobile"), Text("given_name", the), Text("family_name", occupier)]
        "business.users" "contact_details_for_occupier" "expected no landline number: the person is called the occupier" [Given("landline"), Text("given_name", the), Text("family_name", occupier)]
    }
    "not-named-the-occupier": "No person is called the occupier." {
        "customers" "customer_may_not_be_named_the_occupier" "expected a name; raise the account's flag for an unknown occupier instead" [Text("given_name", the), Text("family_name", occupier)]
        "business.users" "customer_may_not_be_named_the_occupier" "expected a name; raise the account's flag for an unknown occupier instead" [Text("given_name", the), Text("family_name", occupier)]
        "customers" "customer_may_not_be_named_the_occupier" "expected a name; raise the account's flag for an unknown occupier instead" [Text("family_name", the_occupier), Absent("given_name")]
    }
    "preferences-or-consents": "A customer has preferences or consents, not both." {
        "customers" "fields_are_mutually_exclusive" "expected preferences or consents, found both" [Given("consents"), Given("customer_preferences")]
    }
    "psr-code-present": "An entry of the priority services register has a code." {
        "customers.psr" "psr_industry_code_not_provided" "expected an electricity or a gas code" [Absent("elec_industry_code"), Absent("gas_industry_code")]
    }
};

fn the(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("the")
}

fn occupier(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("occupier")
}

fn the_occupier(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("the occupier")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_occupier_in_any_case() {
        assert!(the(" THE ") && occupier("Occupier") && the_occupier("the occupier"));
        assert!(!the("Theo") && !occupier("Occupiers"));
    }
}
