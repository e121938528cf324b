//! Customers, their priority needs, property administrators, and addresses.

use chrono::{Days, NaiveDate};

use super::account::{Book, date};
use super::draw::Draw;
use super::tables::{CustomerRow, PriorityNeedRow, PropertyAdminRow, Records};
use super::words;

/// Where somebody lives or is sent bills.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) lines: [String; 5],
    pub(super) postcode: String,
}

/// Somebody, with the ways to reach them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    title_cd: String,
    given_name: &'static str,
    family_name: &'static str,
    salutation: Option<String>,
    email: Option<String>,
    mobile: Option<String>,
    landline: Option<String>,
    dob: Option<NaiveDate>,
}

/// Draws an address.
pub(super) fn address(draw: &mut Draw) -> Address {
    let street = format!("{} {} {}", draw.between(1, 180), draw.pick(words::STREETS), draw.pick(words::STREET_KINDS));
    let (first, second) = if draw.chance(20) {
        (format!("Flat {}, {}", draw.between(1, 40), draw.pick(words::BUILDINGS)), street)
    } else {
        (street, String::new())
    };
    let (town, area) = words::TOWNS[draw.index(words::TOWNS.len())];
    let locality = if draw.chance(30) { draw.pick(words::LOCALITIES) } else { "" };
    let county = if draw.chance(40) { draw.pick(words::COUNTIES) } else { "" };
    let (district, sector) = (draw.between(1, 24), draw.between(1, 9));
    let (a, b) = (draw.pick(words::POSTCODE_LETTERS), draw.pick(words::POSTCODE_LETTERS));
    Address {
        lines: [first, second, locality.to_owned(), town.to_owned(), county.to_owned()],
        postcode: format!("{area}{district} {sector}{a}{b}"),
    }
}

fn person(book: &mut Book, draw: &mut Draw) -> Person {
    let (title_cd, title) = book.codes.titles[draw.index(book.codes.titles.len())];
    let family_name = draw.pick(words::FAMILY_NAMES);
    let salutation = match draw.between(0, 9) {
        0 => None,
        1..=5 => Some("Hello".to_owned()),
        _ => Some(format!("Dear {title} {family_name}")),
    };
    let mailbox = book.ids.mailbox.take();
    let mail_domain = draw.pick(words::MAIL_DOMAINS);
    Person {
        title_cd: title_cd.to_owned(),
        given_name: draw.pick(words::GIVEN_NAMES),
        family_name,
        salutation,
        email: draw.chance(85).then(|| format!("customer{mailbox}@{mail_domain}")),
        mobile: draw.chance(90).then(|| format!("07700900{}", draw.digits(3))),
        landline: draw.chance(50).then(|| format!("{}{}", draw.pick(words::LANDLINES), draw.digits(3))),
        dob: draw.chance(70).then(|| draw.day(date(1932, 1, 1), date(2006, 12, 31))),
    }
}

/// Adds the customers of an account and what they need; returns the name on the bill.
pub(super) fn customers(
    book: &mut Book,
    draw: &mut Draw,
    records: &mut Records,
    account: &str,
    business: bool,
    occupier: bool,
) -> String {
    if occupier {
        return "The Occupier".to_owned();
    }
    let count = if !business && draw.chance(21) { 2 } else { 1 };
    let mut billing_name = String::new();
    for cust_seq in 1..=count {
        let who = person(book, draw);
        if cust_seq == 1 {
            billing_name = format!("{} {}", who.given_name, who.family_name);
        }
        let customer_no = format!("C{}", book.ids.customer.take());
        let in_need = draw.chance(8);
        records.customers.push(CustomerRow {
            customer_no: customer_no.clone(),
            account_no: account.to_owned(),
            cust_seq,
            title_cd: who.title_cd,
            given_name: who.given_name,
            family_name: who.family_name,
            salutation: who.salutation,
            email: who.email,
            mobile: who.mobile,
            landline: who.landline,
            dob: who.dob,
            pref_sms: draw.chance(60),
            pref_recommended: draw.chance(80),
            pref_updates: draw.chance(70),
            pref_third_party: draw.chance(10),
            pref_offers: draw.chance(30),
            psr_consent: if in_need { Some(true) } else { draw.chance(30).then(|| draw.chance(50)) },
        });
        if in_need {
            needs(draw, records, &customer_no);
        }
    }
    if business { format!("{} Ltd", draw.pick(words::BUSINESSES)) } else { billing_name }
}

/// One need on the electricity register, and often the same on the gas register.
fn needs(draw: &mut Draw, records: &mut Records, customer_no: &str) {
    let industry_code = format!("{:02}", draw.between(1, 37));
    let effective_from = draw.day(date(2012, 1, 1), date(2025, 12, 31));
    let effective_to = draw.chance(10).then(|| effective_from + Days::new(90));
    let fuels: &[&'static str] = if draw.chance(60) { &["E", "G"] } else { &["E"] };
    for fuel in fuels {
        let (customer_no, industry_code) = (customer_no.to_owned(), industry_code.clone());
        records.psr.push(PriorityNeedRow { customer_no, fuel, industry_code, effective_from, effective_to });
    }
}

/// Adds the person who looks after a supply address.
pub(super) fn administrator(book: &mut Book, draw: &mut Draw, records: &mut Records, supply_addr_id: &str) {
    let who = person(book, draw);
    records.property_admins.push(PropertyAdminRow {
        admin_no: format!("PA{}", book.ids.admin.take()),
        supply_addr_id: supply_addr_id.to_owned(),
        title_cd: who.title_cd,
        given_name: who.given_name,
        family_name: who.family_name,
        salutation: who.salutation,
        email: who.email,
        mobile: who.mobile,
        landline: who.landline,
        dob: who.dob,
    });
}
