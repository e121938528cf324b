//! Telephone numbers and e-mail addresses, wherever they stand.

use super::Rule;
use super::industry::email;
use super::industry::phone::{self, Phone};
use super::place::{Wrong, check_texts};
use crate::finding::Severity;

const PHONES: &[&str] = &[
    "customers.landline",
    "customers.mobile",
    "customers.alternative_phone_numbers.phone_number",
    "supply_addresses.property_administrators.landline",
    "supply_addresses.property_administrators.mobile",
    "business.users.landline",
    "business.users.mobile",
    "business.users.alternative_phone_numbers.phone_number",
];

const EMAILS: &[&str] = &[
    "billing_email",
    "customers.email",
    "customers.contact_emails",
    "supply_addresses.property_administrators.email",
    "business.users.email",
    "business.users.contact_emails",
    "complaints.complainant_email",
];

const EMAILS_OF_PEOPLE: &[&str] = &["customers.email", "business.users.email", "complaints.complainant_email"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "phone-valid",
        codes: &["invalid_phone_number"],
        severity: Severity::Error,
        doc: "A telephone number is one that can be dialled in Britain.",
        bind: |schema| check_texts(schema, PHONES, phone_valid),
    },
    Rule {
        id: "phone-not-drama",
        codes: &["invalid_phone_number"],
        severity: Severity::Notice,
        doc: "A telephone number is not one of those kept for drama, which nobody has.",
        bind: |schema| check_texts(schema, PHONES, phone_not_drama),
    },
    Rule {
        id: "email-valid",
        codes: &["invalid"],
        severity: Severity::Error,
        doc: "An e-mail address has the form of one.",
        bind: |schema| check_texts(schema, EMAILS, email_valid),
    },
    Rule {
        id: "email-not-test",
        codes: &["possible_test_email_address"],
        severity: Severity::Error,
        doc: "An e-mail address of a person is not a test's.",
        bind: |schema| check_texts(schema, EMAILS_OF_PEOPLE, email_not_test),
    },
    Rule {
        id: "billing-email-no-blackhole",
        codes: &["billing_email_not_valid"],
        severity: Severity::Error,
        doc: "The billing e-mail address does not lead to a black hole.",
        bind: |schema| check_texts(schema, &["billing_email"], no_black_hole),
    },
];

fn phone_valid(text: &str) -> Option<Wrong> {
    let message = match phone::judge(text) {
        Phone::Good | Phone::Drama => return None,
        Phone::Unreadable => "expected a telephone number; this is none. Mend it or leave it out",
        Phone::Unused => {
            "expected a telephone number of a range that is in use; the numbering data known here has no such number. \
             Count its digits, mend it or leave it out"
        }
    };
    Some(Wrong { code: "invalid_phone_number", message })
}

fn phone_not_drama(text: &str) -> Option<Wrong> {
    (phone::may_be_drama(text) && phone::judge(text) == Phone::Drama).then_some(Wrong {
        code: "invalid_phone_number",
        message: "the telephone number is one of those kept for drama; nobody has it, and the target's numbering data \
                  does not know it, so the target may refuse the account",
    })
}

fn email_valid(text: &str) -> Option<Wrong> {
    (!email::is_address(text)).then_some(Wrong {
        code: "invalid",
        message: "expected an e-mail address such as name@example.org. Mend it or leave it out",
    })
}

fn email_not_test(text: &str) -> Option<Wrong> {
    email::is_test(text).then_some(Wrong {
        code: "possible_test_email_address",
        message: "expected a person's e-mail address, not one that begins with test@ or xxx@ or ends with @test.com, \
                  @test.co.uk, .xxx or .xx",
    })
}

fn no_black_hole(text: &str) -> Option<Wrong> {
    text.contains("blackhole+").then_some(Wrong {
        code: "billing_email_not_valid",
        message: "expected an address that is read; the target refuses those with blackhole+ in them",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(judge: fn(&str) -> Option<Wrong>, text: &str) -> Option<&'static str> {
        judge(text).map(|wrong| wrong.code)
    }

    #[test]
    fn telephone_numbers() {
        assert_eq!(code(phone_valid, "02072343456"), None);
        assert_eq!(code(phone_valid, "07700900123"), None);
        assert_eq!(code(phone_valid, "abcde"), Some("invalid_phone_number"));
        assert_eq!(code(phone_valid, "0712345678"), Some("invalid_phone_number"));
        assert_eq!(code(phone_not_drama, "07700900123"), Some("invalid_phone_number"));
        assert_eq!(code(phone_not_drama, "07123456789"), None);
    }

    #[test]
    fn email_addresses() {
        assert_eq!(code(email_valid, "bob@jablonski.com"), None);
        assert_eq!(code(email_valid, "bob(at)example.com"), Some("invalid"));
        assert_eq!(code(email_not_test, "bob@jablonski.com"), None);
        assert_eq!(code(email_not_test, "Test@x.org"), Some("possible_test_email_address"));
        assert_eq!(code(no_black_hole, "bills@example.org"), None);
        assert_eq!(code(no_black_hole, "blackhole+1@example.org"), Some("billing_email_not_valid"));
    }
}
