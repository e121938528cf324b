//! Meter readings and estimated consumption.

use chrono::NaiveDate;

use super::account::{Book, date, shifted};
use super::cell::Dial;
use super::draw::Draw;
use super::supply::Point;
use super::tables::{ConsumptionRow, ReadingRow, Records};

/// What is read: a settlement register of electricity, or a gas meter.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) meter_serial: String,
    /// Blank for gas.
    pub(super) register_id: &'static str,
    pub(super) tpr: &'static str,
    /// How many digits it shows.
    pub(super) digits: i64,
    pub(super) smart: bool,
    pub(super) installed_on: NaiveDate,
    pub(super) removed_on: Option<NaiveDate>,
}

/// Adds the readings of a stream, which never fall. The newest of an active meter is its transfer reading, taken on the
/// day billed to; one in twenty was read once more since, which no bill has used.
pub(super) fn history(book: &mut Book, draw: &mut Draw, records: &mut Records, point: &Point, stream: &Stream) {
    let step = if stream.smart { 30 } else { 56 };
    let newest = stream.removed_on.unwrap_or(point.billed_to);
    let first_day = point.supply_start.max(stream.installed_on);
    let wanted = match (stream.removed_on, stream.smart) {
        (Some(_), _) => draw.between(4, 12),
        (None, true) => draw.between(22, 36),
        (None, false) => draw.between(11, 20),
    };
    let count = wanted.clamp(1, ((newest - first_day).num_days() / step).max(1));

    // From a start in the lower tenth of what the dial can show, at a daily rate that keeps below its top.
    let top = 10_i64.pow(stream.digits as u32) * 100;
    let start = draw.between(top / 1000, top / 10);
    let days = (newest - point.supply_start).num_days() + 10;
    let rate = draw.between(150, 1499).min((top - start - 1) / days.max(1));
    let mut add = |draw: &mut Draw, read_date: NaiveDate, billed_flag: bool, transfer_flag: bool| {
        let since = (read_date - point.supply_start).num_days();
        records.readings.push(ReadingRow {
            reading_id: book.ids.reading.take().to_string(),
            mpxn: point.mpxn.clone(),
            meter_serial: stream.meter_serial.clone(),
            register_id: stream.register_id,
            read_date,
            read_value: Dial { hundredths: start + rate * since, whole: !stream.smart },
            read_type_cd: if stream.smart {
                draw.weighted(&[("S", 93), ("E", 7)])
            } else {
                draw.weighted(&[("C", 45), ("R", 35), ("E", 20)])
            },
            billed_flag,
            transfer_flag,
        });
    };
    if stream.removed_on.is_none() && draw.chance(5) {
        let later = shifted(point.billed_to, draw.between(1, 9));
        add(draw, later, false, false);
    }
    for back in 0..count {
        let jitter = if back == 0 { 0 } else { draw.between(0, 14) };
        let transfer = back == 0 && stream.removed_on.is_none();
        let billed = transfer || draw.chance(97);
        add(draw, shifted(newest, -(back * step) - jitter), billed, transfer);
    }
}

/// Adds estimated annual consumption for an active settlement register, newest first.
pub(super) fn estimates(draw: &mut Draw, records: &mut Records, point: &Point, stream: &Stream) {
    for back in 0..draw.between(1, 3) {
        records.consumption.push(ConsumptionRow {
            mpxn: point.mpxn.clone(),
            cons_type: "EAC",
            tpr: stream.tpr,
            effective_from: shifted(point.billed_to, -180 * back - draw.between(0, 89)),
            effective_to: None,
            kwh: draw.between(200, 8_999),
            source_flow: draw.weighted(&[("D0019", 85), ("D0052", 10), ("", 5)]),
        });
    }
}

/// Adds annual quantities of a gas meter point: gas years back to back, the newest open.
pub(super) fn annual_quantities(draw: &mut Draw, records: &mut Records, point: &Point) {
    for back in 0..draw.between(2, 4) {
        let year = 2026 - back as i32;
        records.consumption.push(ConsumptionRow {
            mpxn: point.mpxn.clone(),
            cons_type: "AQ",
            tpr: "",
            effective_from: date(year, 4, 1),
            effective_to: (back > 0).then(|| date(year + 1, 3, 31)),
            kwh: draw.between(2_000, 29_999),
            source_flow: draw.weighted(&[("", 60), ("NRL", 40)]),
        });
    }
}
