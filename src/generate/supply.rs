//! Supply addresses, meter points, agreements, refusals, meters, prepayment and registers.

use chrono::NaiveDate;

use super::account::{Basics, Book, EXTRACT_DATE, date, shifted};
use super::cell::Pounds;
use super::draw::Draw;
use super::people::{self, Address};
use super::readings::{self, Stream};
use super::tables::{
    AgreementRow, MeterPointRow, MeterRow, PrepayDetailRow, Records, RegisterRow, SmartRefusalRow, SupplyAddressRow,
};

/// Distributor of an electricity region, and the letter of its grid supply point group in a tariff code.
const REGIONS: [(u64, char); 14] = [
    (10, 'A'),
    (11, 'B'),
    (12, 'C'),
    (13, 'D'),
    (14, 'E'),
    (15, 'F'),
    (16, 'G'),
    (17, 'P'),
    (18, 'N'),
    (19, 'J'),
    (20, 'H'),
    (21, 'K'),
    (22, 'L'),
    (23, 'M'),
];

/// Products as tariff codes name them, between the family and the region.
const PRODUCTS: [&str; 6] = ["F12", "F24", "VAR", "TRK", "1234", "GRN"];

/// A meter point while its parts are made.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) mpxn: String,
    pub(super) gas: bool,
    pub(super) economy7: bool,
    pub(super) supply_start: NaiveDate,
    pub(super) billed_to: NaiveDate,
    /// Whether register ids are written `01` rather than `1`.
    padded: bool,
    region: char,
}

/// Adds the supply addresses with all that hangs below them; returns the first.
pub(super) fn addresses(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) -> Address {
    let home = address(book, draw, records, basics);
    if basics.business && draw.chance(30) {
        address(book, draw, records, basics);
    }
    home
}

fn address(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) -> Address {
    let place = people::address(draw);
    let supply_addr_id = format!("SA{}", book.ids.address.take());
    let occupied_from = draw.day(date(2012, 1, 1), date(2022, 8, 31));
    let is_landlord = draw.chance(3);
    let [addr_1, addr_2, addr_3, addr_4, addr_5] = place.lines.clone();
    records.supply_addresses.push(SupplyAddressRow {
        supply_addr_id: supply_addr_id.clone(),
        account_no: basics.number.clone(),
        addr_1,
        addr_2,
        addr_3,
        addr_4,
        addr_5,
        postcode: place.postcode.clone(),
        is_landlord,
        occupied_from,
    });
    if !is_landlord && draw.chance(4) {
        people::administrator(book, draw, records, &supply_addr_id);
    }
    let (distributor, region) = REGIONS[draw.index(REGIONS.len())];
    let has_gas = draw.chance(70);
    for gas in [false, true] {
        if if gas { has_gas } else { !has_gas || draw.chance(98) } {
            let number = if gas { mprn(book.ids.gas.take()) } else { mpan(distributor, book.ids.electricity.take()) };
            let late = if draw.chance(30) { draw.between(1, 119) } else { 0 };
            let point = Point {
                mpxn: number,
                gas,
                economy7: !gas && draw.chance(25),
                supply_start: shifted(occupied_from, late),
                billed_to: basics.billed_to,
                padded: draw.chance(30),
                region,
            };
            meter_point(book, draw, records, &point, &supply_addr_id, basics.business);
        }
    }
    place
}

/// A meter point number of electricity: distributor, ten digits, check digit.
fn mpan(distributor: u64, number: u64) -> String {
    let body = format!("{distributor:02}{number:010}");
    let weights = [3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43];
    let sum: u32 = body.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{body}{}", sum % 11 % 10)
}

/// A meter point number of gas: eight digits, two check digits.
fn mprn(number: u64) -> String {
    let body = format!("{number:08}");
    let sum: u32 = body.bytes().rev().zip(1..).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{body}{:02}", sum % 11)
}

fn meter_point(
    book: &mut Book,
    draw: &mut Draw,
    records: &mut Records,
    point: &Point,
    supply_addr_id: &str,
    business: bool,
) {
    let profile_class = match (business, point.economy7) {
        (false, false) => "01",
        (false, true) => "02",
        (true, false) => "03",
        (true, true) => "04",
    };
    records.meter_points.push(MeterPointRow {
        mpxn: point.mpxn.clone(),
        fuel: if point.gas { "G" } else { "E" },
        supply_addr_id: supply_addr_id.to_owned(),
        mpid: if point.gas { "TEN" } else { "TENT" },
        shipper_mpid: if point.gas { "TCL" } else { "" },
        supply_start: point.supply_start,
        profile_class: (!point.gas).then_some(profile_class),
        ssc: (!point.gas).then_some(if point.economy7 { "0151" } else { "0393" }),
        et_flag: false,
        dr_flag: false,
    });
    agreements(draw, records, point);
    if draw.chance(6) {
        refusal(book, draw, records, point);
    }
    let exchanged = draw.chance(3).then(|| shifted(point.billed_to, -draw.between(200, 899)));
    let first_installed = shifted(point.supply_start, -draw.between(0, 3999));
    if let Some(day) = exchanged {
        meter(book, draw, records, point, first_installed, Some(day));
    }
    meter(book, draw, records, point, exchanged.unwrap_or(first_installed), None);
    if point.gas {
        readings::annual_quantities(draw, records, point);
    }
}

/// Agreements back to back from the start of supply; one covers the day billed to, and only the last may be open.
fn agreements(draw: &mut Draw, records: &mut Records, point: &Point) {
    let count = match draw.between(1, 100) {
        1..=62 => 1,
        63..=92 => 2,
        _ => 3,
    };
    let family = match (point.gas, point.economy7) {
        (true, _) => 'G',
        (false, true) => '7',
        (false, false) => 'E',
    };
    let part = (point.billed_to - point.supply_start).num_days() / count;
    let mut from = point.supply_start;
    for number in 1..=count {
        let until = shifted(point.supply_start, part * number - draw.between(10, part * 3 / 10));
        let effective_to = if number < count {
            Some(until)
        } else {
            draw.chance(30).then(|| shifted(point.billed_to, draw.between(60, 399)))
        };
        records.agreements.push(AgreementRow {
            mpxn: point.mpxn.clone(),
            tariff_cd: format!("{family}{}{}", draw.pick(&PRODUCTS), point.region),
            effective_from: from,
            effective_to,
        });
        from = until;
    }
}

fn refusal(book: &Book, draw: &mut Draw, records: &mut Records, point: &Point) {
    let interest_cd = draw.weighted(&[("N", 6), ("I", 2), ("L", 2)]);
    let reasons = &book.codes.refusal_reasons;
    records.smart_refusals.push(SmartRefusalRow {
        mpxn: point.mpxn.clone(),
        interest_cd,
        contact_date: draw.day(date(2018, 1, 1), shifted(EXTRACT_DATE, -1)),
        reason_cd: (interest_cd != "I").then(|| draw.pick(reasons).to_owned()),
        channel_cd: draw.weighted(&[("W", 30), ("E", 40), ("O", 20), ("", 10)]),
    });
}

/// Adds a meter, its registers and its readings; `removed_on` is that of an exchanged one.
fn meter(
    book: &mut Book,
    draw: &mut Draw,
    records: &mut Records,
    point: &Point,
    installed_on: NaiveDate,
    removed_on: Option<NaiveDate>,
) {
    let active = removed_on.is_none();
    let smart = active && draw.chance(55);
    let prepay = active && draw.chance(8);
    let number = book.ids.serial.take();
    let meter_serial = if point.gas {
        format!("G4{}{number:06}", draw.pick(&["A", "K", "R"]))
    } else {
        format!(
            "{}{}{}{number:06}",
            draw.pick(&["E", "L", "S", "Z"]),
            draw.between(10, 23),
            draw.pick(&["B", "M", "P"])
        )
    };
    let gas_digits = point.gas.then(|| if draw.chance(80) { 5 } else { 4 });
    records.meters.push(MeterRow {
        mpxn: point.mpxn.clone(),
        meter_serial: meter_serial.clone(),
        installed_on,
        removed_on,
        smart_type_cd: smart.then(|| draw.weighted(&[("S2", 7), ("S1E", 2), ("S1", 1)])),
        smart_commissioned: (smart && draw.chance(50)).then_some(installed_on),
        gas_digits,
        gas_units_cd: point.gas.then(|| draw.weighted(&[("M", 60), ("I", 15), ("", 25)])),
        // Electricity meters often have the flag left blank.
        is_prepay: (prepay || point.gas || draw.chance(60)).then_some(prepay),
        prepay_cust_ref: (prepay && !point.gas).then(|| format!("9{}", draw.digits(9))),
    });
    if prepay {
        prepayment(draw, records, point, &meter_serial);
    }
    let stream = |register_id, tpr, digits| Stream {
        meter_serial: meter_serial.clone(),
        register_id,
        tpr,
        digits,
        smart,
        installed_on,
        removed_on,
    };
    if let Some(digits) = gas_digits {
        readings::history(book, draw, records, point, &stream("", "", digits));
        return;
    }
    for (register_id, tpr, digits) in registers(draw, records, point, &meter_serial) {
        let stream = stream(register_id, tpr, digits);
        readings::history(book, draw, records, point, &stream);
        if active {
            readings::estimates(draw, records, point, &stream);
        }
    }
}

fn prepayment(draw: &mut Draw, records: &mut Records, point: &Point, meter_serial: &str) {
    let weekly = (point.gas && draw.chance(70)).then(|| draw.between(100, 799));
    records.prepay_details.push(PrepayDetailRow {
        mpxn: point.mpxn.clone(),
        meter_serial: meter_serial.to_owned(),
        debt_balance: Pounds(if draw.chance(40) { draw.between(1, 39_999) } else { 0 }),
        credit_balance: Pounds(draw.between(0, 5_999)),
        vend_read_date: shifted(point.billed_to, -1),
        weekly_min: weekly.map(Pounds),
        weekly_max: weekly.map(|least| Pounds(least + draw.between(0, 499))),
    });
}

/// Adds the registers of an electricity meter; returns the settlement ones: id, TPR and digits.
fn registers(
    draw: &mut Draw,
    records: &mut Records,
    point: &Point,
    meter_serial: &str,
) -> Vec<(&'static str, &'static str, i64)> {
    let (first, second) = if point.padded { ("01", "02") } else { ("1", "2") };
    let mut rows = if point.economy7 {
        vec![(first, "00210", true), (second, "00206", true)]
    } else {
        vec![(first, "00001", true)]
    };
    if draw.chance(80) {
        rows.push(("X", "00043", false)); // the cumulative register, not settled on
    }
    let mut settled = Vec::new();
    for (register_id, tpr, settlement) in rows {
        let digits = match draw.between(1, 20) {
            1..=14 => 5,
            15..=19 => 6,
            _ => 7,
        };
        records.registers.push(RegisterRow {
            mpxn: point.mpxn.clone(),
            meter_serial: meter_serial.to_owned(),
            register_id,
            tpr,
            digits,
            settlement_flag: if settlement { draw.chance(50).then_some(true) } else { Some(false) },
        });
        if settlement {
            settled.push((register_id, tpr, digits));
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_have_these_check_digits() {
        assert_eq!(mpan(12, 6_017_672), "1200060176720");
        assert_eq!(mpan(12, 3), "1200000000030");
        assert_eq!(mprn(93_538_241), "9353824109");
        assert_eq!(mprn(70_000_009), "7000000910");
    }
}
