//! Known defects, and what a correct program makes of them.
//!
//! A dirty account gets exactly one. The kinds take turns in the order of [`KINDS`], in which the first dozen shows
//! something of everything; an account without a record of the right sort gets the next kind that it has one for.
//! All but one kind change the text of one record; the wrong check digit is the same wrong number in every file.

use std::collections::VecDeque;

use chrono::NaiveDate;
use csv::StringRecord;

use super::account::{EXTRACT_DATE, shifted};
use super::draw::Draw;
use super::tables::{FILES, Records};

/// What a correct program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Does not send the account.
    RejectAccount,
    /// Leaves the record out, with what hangs below it, and sends the rest.
    QuarantineRow,
    /// Sends the account, and reports the record.
    Warn,
}

impl Action {
    /// As `TRUTH.csv` spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RejectAccount => "REJECT_ACCOUNT",
            Self::QuarantineRow => "QUARANTINE_ROW",
            Self::Warn => "WARN",
        }
    }
}

use Action::{QuarantineRow, RejectAccount, Warn};

/// One kind of defect.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The file, without `.csv`.
    pub(super) file: &'static str,
    pub(super) column: &'static str,
    pub(super) action: Action,
    /// The position of a record that it can be put on.
    find: fn(&Records) -> Option<usize>,
    edit: Edit,
}

/// A new text for a cell, from its old one.
type NewText = fn(&str, &mut Draw) -> String;

/// How a record is changed.
#[derive(Debug)]
enum Edit {
    /// The meter point's number gets a wrong check digit, wherever it stands.
    CheckDigit,
    /// The cell of the kind's column gets another text.
    Set(NewText),
    /// A copy follows, with other texts in these columns; the copy is the damaged record.
    Copy(&'static [(&'static str, NewText)]),
    /// The last cell is missing.
    DropLast,
    /// The cell becomes these bytes, without the quotes that they need.
    Raw(&'static [u8]),
    /// A quote opens before the cell and never closes.
    OpenQuote,
}

/// A defect put on a record of an account.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) kind: &'static Kind,
    /// The file's number in [`FILES`].
    pub(super) file: usize,
    /// The record's position in [`Records`].
    pub(super) position: usize,
}

/// A damaged record as it is written.
#[derive(Debug)]
pub(super) struct Damaged {
    /// The bytes, line breaks included.
    pub(super) bytes: Vec<u8>,
    /// How many of them belong to a sound record before the damaged one.
    pub(super) sound: usize,
    /// What was done, for `TRUTH.csv`.
    pub(super) detail: String,
}

/// Whose turn it is: the kinds, the next one first.
#[derive(Debug)]
pub(super) struct Turns(VecDeque<&'static Kind>);

impl Turns {
    /// Every kind, in the order of [`KINDS`].
    pub(super) fn new() -> Self {
        Self(KINDS.iter().collect())
    }

    /// The first kind that the account has a record for, and where it goes. It moves to the end of the queue; those
    /// that were passed over keep their places.
    pub(super) fn choose(&mut self, records: &mut Records) -> Option<Damage> {
        let (turn, position) =
            self.0.iter().enumerate().find_map(|(turn, kind)| Some((turn, (kind.find)(records)?)))?;
        let kind = self.0.remove(turn)?;
        self.0.push_back(kind);
        if matches!(kind.edit, Edit::CheckDigit) {
            break_check_digit(records, position);
        }
        let file = FILES.iter().position(|(name, _)| *name == kind.file)?;
        Some(Damage { kind, file, position })
    }
}

fn break_check_digit(records: &mut Records, position: usize) {
    let right = records.meter_points[position].mpxn.clone();
    let (body, digit) = right.split_at(right.len() - 1);
    let wrong = format!("{body}{}", (digit.parse::<u32>().unwrap_or(0) + 1) % 10);
    let numbers = (records.meter_points.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.agreements.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.smart_refusals.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.consumption.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.meters.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.prepay_details.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.registers.iter_mut().map(|row| &mut row.mpxn))
        .chain(records.readings.iter_mut().map(|row| &mut row.mpxn));
    for number in numbers.filter(|number| **number == right) {
        number.clone_from(&wrong);
    }
}

impl Damage {
    /// The damaged record, from the sound `cells`.
    pub(super) fn apply(&self, cells: &StringRecord, draw: &mut Draw) -> Damaged {
        let column = |name: &str| FILES[self.file].1.iter().position(|field| field.eq_ignore_ascii_case(name));
        let at = column(self.kind.column).unwrap_or(0);
        let with = |at: usize, text: &str| -> StringRecord {
            cells.iter().enumerate().map(|(place, cell)| if place == at { text } else { cell }).collect()
        };
        let raw = |text: &[u8]| {
            let encoded = encode(&with(at, "\u{1}"));
            let place = encoded.iter().position(|byte| *byte == 1).unwrap_or(0);
            [&encoded[..place], text, &encoded[place + 1..]].concat()
        };
        let mut sound = 0;
        let (bytes, detail) = match &self.kind.edit {
            Edit::CheckDigit => (encode(cells), "the check digit is one too high, in every file".to_owned()),
            Edit::Set(change) => {
                let new = change(&cells[at], draw);
                (encode(&with(at, &new)), format!("'{}' -> '{new}'", &cells[at]))
            }
            Edit::Copy(changes) => {
                let mut copy: Vec<String> = cells.iter().map(str::to_owned).collect();
                for (name, change) in *changes {
                    let place = column(name).unwrap_or(0);
                    copy[place] = change(&cells[place], draw);
                }
                let mut bytes = encode(cells);
                sound = bytes.len();
                bytes.extend(encode(&copy.into_iter().collect()));
                let detail = match changes {
                    [] => "exact copy".to_owned(),
                    changes => {
                        let names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
                        format!("copy with another {}", names.join(" and "))
                    }
                };
                (bytes, detail)
            }
            Edit::DropLast => {
                let short: StringRecord = cells.iter().take(cells.len() - 1).collect();
                (encode(&short), format!("{} columns instead of {}", short.len(), cells.len()))
            }
            Edit::Raw(text) if text.is_ascii() => {
                (raw(text), format!("{} columns instead of {}", cells.len() + 1, cells.len()))
            }
            Edit::Raw(text) => (raw(text), "not UTF-8".to_owned()),
            Edit::OpenQuote => {
                (raw(format!("\"{}", &cells[at]).as_bytes()), "a quote opens and never closes".to_owned())
            }
        };
        Damaged { bytes, sound, detail }
    }
}

/// A record as the extract writes it, with its line break.
pub(super) fn encode(cells: &StringRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cells.as_slice().len() + cells.len() + 8);
    let mut writer = csv::WriterBuilder::new().buffer_capacity(256).from_writer(&mut bytes);
    // Writing into memory cannot fail, nor does the length of the one record vary.
    let written = writer.write_record(cells).is_ok() && writer.flush().is_ok();
    drop(writer);
    debug_assert!(written, "a record is written into memory");
    bytes
}

fn move_day(text: &str, days: i64) -> String {
    NaiveDate::parse_from_str(text, "%d/%m/%Y")
        .map_or_else(|_| text.to_owned(), |day| shifted(day, days).format("%d/%m/%Y").to_string())
}

/// Adds pence to an amount in pounds with two places.
fn add_pence(text: &str, pence: i64) -> String {
    use super::cell::{Cell as _, Pounds};
    let digits: String = text.chars().filter(|letter| *letter != '.').collect();
    digits.parse().map_or_else(|_| text.to_owned(), |amount: i64| Pounds(amount + pence).text().into_owned())
}

/// A reading before the transfer reading, with one before and one after it in its stream.
fn middle_reading(records: &Records) -> Option<usize> {
    records.readings.iter().position(|reading| {
        let stream = records.readings.iter().filter(|other| {
            (&other.mpxn, &other.meter_serial, other.register_id)
                == (&reading.mpxn, &reading.meter_serial, reading.register_id)
        });
        let days: Vec<NaiveDate> = stream.map(|other| other.read_date).collect();
        let (before, after) =
            (days.iter().min() < Some(&reading.read_date), days.iter().max() > Some(&reading.read_date));
        !reading.transfer_flag && before && after
    })
}

fn middle_electricity_reading(records: &Records) -> Option<usize> {
    middle_reading(records).filter(|at| !records.readings[*at].register_id.is_empty())
}

fn transfer_reading(records: &Records) -> Option<usize> {
    records.readings.iter().position(|reading| reading.transfer_flag)
}

fn earlier_agreement(records: &Records) -> Option<usize> {
    let all = &records.agreements;
    all.iter()
        .position(|one| all.iter().any(|other| other.mpxn == one.mpxn && other.effective_from > one.effective_from))
}

fn domestic_customer(records: &Records) -> Option<usize> {
    (records.accounts.first()?.acct_type_cd == "D").then_some(())?;
    first(&records.customers)
}

fn point_with_a_neighbour(records: &Records) -> Option<usize> {
    let all = &records.meter_points;
    all.iter().position(|one| all.iter().filter(|other| other.supply_addr_id == one.supply_addr_id).count() > 1)
}

fn only_address(records: &Records) -> Option<usize> {
    (records.supply_addresses.len() == 1).then_some(0)
}

fn main_schedule(records: &Records) -> Option<usize> {
    records.payment_schedules.iter().position(|one| one.end_date.is_none() && one.debt_plan_flag.is_none())
}

fn current_transaction(records: &Records) -> Option<usize> {
    records.transactions.iter().position(|one| one.stmt_flag == "C")
}

fn electricity_point(records: &Records) -> Option<usize> {
    records.meter_points.iter().position(|point| point.fuel == "E")
}

fn first<T>(list: &[T]) -> Option<usize> {
    (!list.is_empty()).then_some(0)
}

macro_rules! kind {
    ($name:ident: $file:ident.$column:ident, $action:ident, $find:expr, $edit:expr) => {
        Kind {
            name: stringify!($name),
            file: stringify!($file),
            column: stringify!($column),
            action: $action,
            find: $find,
            edit: $edit,
        }
    };
}

/// Every kind, in the order in which dirty accounts get them.
#[rustfmt::skip]
pub(super) const KINDS: &[Kind] = &[
    kind!(bad_mpan_check_digit: meter_points.MPXN, RejectAccount, electricity_point, Edit::CheckDigit),
    kind!(orphan_reading: readings.METER_SERIAL, QuarantineRow, middle_reading, Edit::Set(|_, _| "Z99Z999999".into())),
    kind!(bad_phone: customers.LANDLINE, RejectAccount, |r| first(&r.customers), Edit::Set(|_, _| "unknown".into())),
    kind!(unbalanced_quote: references.REF_VALUE, QuarantineRow, |r| first(&r.references), Edit::OpenQuote),
    kind!(ledger_off_by_penny: ledgers.LEDGER_BALANCE, RejectAccount, |r| first(&r.ledgers), Edit::Set(|old, _| add_pence(old, 1))),
    kind!(duplicate_exact: transactions.TXN_ID, Warn, |r| first(&r.transactions), Edit::Copy(&[])),
    kind!(unknown_tariff: agreements.TARIFF_CD, RejectAccount, |r| first(&r.agreements), Edit::Set(|_, _| "EXXXJ".into())),
    kind!(bad_encoding: notes.BODY, QuarantineRow, |r| first(&r.notes), Edit::Raw(b"The customer\x92s meter is outside")),
    kind!(malformed_date: statements.PERIOD_FROM, RejectAccount, |r| first(&r.statements), Edit::Set(|_, draw| draw.pick(BAD_DATES).to_owned())),
    kind!(agreement_gap: agreements.EFFECTIVE_TO, RejectAccount, earlier_agreement, Edit::Set(|old, _| move_day(old, -7))),
    kind!(missing_surname: customers.FAMILY_NAME, RejectAccount, domestic_customer, Edit::Set(|_, _| String::new())),
    kind!(duplicate_conflicting: meters.INSTALLED_ON, RejectAccount, |r| first(&r.meters), Edit::Copy(&[("INSTALLED_ON", |_, _| "02/02/1998".into())])),
    kind!(bad_email: customers.EMAIL, RejectAccount, |r| first(&r.customers), Edit::Set(|_, _| "someone(at)example.com".into())),
    kind!(orphan_meter_point: meter_points.SUPPLY_ADDR_ID, QuarantineRow, point_with_a_neighbour, Edit::Set(|_, _| "SA000000000".into())),
    kind!(bad_flag: customers.PREF_SMS, RejectAccount, |r| first(&r.customers), Edit::Set(|_, _| "X".into())),
    kind!(bad_postcode: accounts.BILL_POSTCODE, RejectAccount, |r| first(&r.accounts), Edit::Set(|_, _| "ZZ99".into())),
    kind!(ragged_short: readings.TRANSFER_FLAG, QuarantineRow, middle_reading, Edit::DropLast),
    kind!(unknown_read_type: readings.READ_TYPE_CD, RejectAccount, middle_reading, Edit::Set(|_, _| "Z".into())),
    kind!(unknown_txn_code: transactions.TXN_CODE, RejectAccount, |r| first(&r.transactions), Edit::Set(|_, _| "ZZZ".into())),
    kind!(malformed_amount: transactions.AMOUNT_P, RejectAccount, |r| first(&r.transactions), Edit::Set(|old, _| format!("{}O", &old[..old.len() - 1]))),
    kind!(decreasing_reading: readings.READ_VALUE, Warn, middle_reading, Edit::Set(|_, _| "0".into())),
    kind!(orphan_transaction: transactions.LEDGER_ID, RejectAccount, |r| first(&r.transactions), Edit::Set(|_, _| "L000000000".into())),
    kind!(ragged_long: supply_addresses.ADDR_1, RejectAccount, only_address, Edit::Raw(b"Unit 9, Harbour Way")),
    kind!(agreement_overlap: agreements.EFFECTIVE_TO, RejectAccount, earlier_agreement, Edit::Set(|old, _| move_day(old, 7))),
    kind!(transfer_off_by_penny: accounts.TRANSFER_BALANCE, RejectAccount, |r| first(&r.accounts), Edit::Set(|old, _| add_pence(old, -1))),
    kind!(unknown_register: readings.REGISTER_ID, RejectAccount, middle_electricity_reading, Edit::Set(|_, _| "9Z".into())),
    kind!(future_transaction: transactions.TXN_DATE, RejectAccount, current_transaction, Edit::Set(|_, draw| shifted(EXTRACT_DATE, draw.between(2, 400)).format("%d/%m/%Y").to_string())),
    kind!(overlapping_statements: statements.PERIOD_FROM, Warn, |r| first(&r.statements), Edit::Set(|old, _| move_day(old, -10))),
    kind!(two_open_schedules: payment_schedules.END_DATE, RejectAccount, main_schedule, Edit::Copy(&[("SCHEDULE_ID", |old, _| format!("9{old}")), ("START_DATE", |_, _| "01/06/2026".into())])),
    kind!(duplicate_metadata_key: metadata.META_KEY, RejectAccount, |r| first(&r.metadata), Edit::Copy(&[("META_VALUE", |_, _| "another value".into())])),
    kind!(transfer_reading_wrong_date: readings.READ_DATE, RejectAccount, transfer_reading, Edit::Set(|old, _| move_day(old, -1))),
    kind!(missing_transfer_reading: readings.TRANSFER_FLAG, RejectAccount, transfer_reading, Edit::Set(|_, _| "N".into())),
    kind!(erroneous_transfer: meter_points.ET_FLAG, RejectAccount, |r| first(&r.meter_points), Edit::Set(|_, _| "Y".into())),
    kind!(malformed_timestamp: notes.CREATED_AT, RejectAccount, |r| first(&r.notes), Edit::Set(|_, _| "31/04/2024 25:61:00".into())),
];

/// Texts that are no date as this extract writes them.
const BAD_DATES: &[&str] = &["31/02/2025", "2025-03-12", "12/25/2024", "00/00/0000", "3/Mar/25"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_names_a_file_and_a_column_of_it() {
        assert_eq!(KINDS.len(), 34);
        for kind in KINDS {
            let (_, columns) = FILES.iter().find(|(name, _)| *name == kind.file).unwrap();
            assert!(columns.iter().any(|column| column.eq_ignore_ascii_case(kind.column)), "{}", kind.name);
        }
    }

    #[test]
    fn pence_are_added_across_pounds_and_signs() {
        assert_eq!(add_pence("-0.01", 1), "0.00");
        assert_eq!(add_pence("9.99", 1), "10.00");
        assert_eq!(add_pence("0.00", -1), "-0.01");
    }
}
