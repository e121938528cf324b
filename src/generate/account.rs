//! One account, whole: every record of it in every file, with the sums right.

use chrono::{Days, NaiveDate};

use super::codes::Codes;
use super::draw::Draw;
use super::ids::Numbering;
use super::tables::{AccountRow, Records};
use super::{billing, people, supply, trimmings};

/// The day of the extract: what is past in clean data is not after it.
pub(super) const EXTRACT_DATE: NaiveDate = date(2026, 7, 1);

/// What the accounts of one extract share.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) ids: Numbering,
    pub(super) codes: Codes,
}

/// What every part of an account knows of it.
#[derive(Debug)]
pub(super) struct Basics {
    /// `ACCOUNT_NO`.
    pub(super) number: String,
    pub(super) business: bool,
    /// `LAST_BILLED_TO`.
    pub(super) billed_to: NaiveDate,
}

/// A day that exists.
pub(super) const fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// `date` moved by `days`, which may be negative.
pub(super) fn shifted(date: NaiveDate, days: i64) -> NaiveDate {
    let moved = if days < 0 { date - Days::new(days.unsigned_abs()) } else { date + Days::new(days as u64) };
    debug_assert!(moved.signed_duration_since(date).num_days() == days);
    moved
}

/// Draws the next account.
pub(super) fn next(book: &mut Book, draw: &mut Draw) -> Records {
    let mut records = Records::default();
    let number = format!("TE-{}", book.ids.account.take());
    let business = draw.chance(6);
    let occupier = !business && draw.per_mille(5);
    let billed_to = shifted(EXTRACT_DATE, -draw.between(11, 79));
    let basics = Basics { number, business, billed_to };

    let billing_name = people::customers(book, draw, &mut records, &basics.number, business, occupier);
    let home = supply::addresses(book, draw, &mut records, &basics);
    let transfer_balance = billing::ledgers(book, draw, &mut records, &basics);
    billing::schedules(book, draw, &mut records, &basics);
    billing::debts(book, draw, &mut records, &basics);
    trimmings::add(book, draw, &mut records, &basics);

    let bill_to = if draw.chance(8) { people::address(draw) } else { home };
    let [bill_addr_1, bill_addr_2, bill_addr_3, bill_addr_4, bill_addr_5] = bill_to.lines;
    let dunned = draw.chance(5);
    let smart_reads = draw.chance(55);
    records.accounts.push(AccountRow {
        account_no: basics.number,
        acct_type_cd: if business { "B" } else { "D" },
        occupier_flag: occupier,
        billing_name,
        bill_addr_1,
        bill_addr_2,
        bill_addr_3,
        bill_addr_4,
        bill_addr_5,
        bill_postcode: bill_to.postcode,
        sales_channel_cd: draw.weighted(&[
            ("W", 40),
            ("P", 30),
            ("T", 5),
            ("F", 5),
            ("B", 5),
            ("M", 10),
            ("S", 3),
            ("A", 2),
        ]),
        sales_subchannel: draw.weighted(&[("", 70), ("bargain-bulb", 20), ("stall, market 7", 10)]),
        transfer_balance,
        last_billed_to: billed_to,
        dunning_path: dunned.then(|| draw.pick(super::words::DUNNING_PATHS)),
        dunning_start: dunned.then(|| shifted(EXTRACT_DATE, draw.between(1, 29))),
        last_pay_review: draw.chance(70).then(|| shifted(EXTRACT_DATE, -draw.between(20, 359))),
        next_bill_due: draw.chance(90).then(|| shifted(billed_to, draw.between(85, 97))),
        smart_read_freq_cd: smart_reads.then(|| draw.weighted(&[("H", 50), ("D", 30), ("M", 15), ("X", 5)])),
        smart_read_day: smart_reads.then(|| draw.between(1, 28)),
        comm_pref_cd: draw.weighted(&[("E", 75), ("P", 25)]),
        doc_access_cd: draw.weighted(&[("", 94), ("L", 3), ("B", 2), ("S", 1)]),
    });
    records
}
