//! Control records: what a file says of itself in a record before all others and one after them, held against what was
//! read. A disagreement means that the file is not the one its sender wrote.

use serde::{Deserialize, Serialize};

use crate::mapping::layout::Control;
use crate::mapping::number::NumberStyle;
use crate::mapping::value::Scale;

/// What was read of a file that has control records, counted while its records were made into rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The control records: their lines, counted from 0.
    pub controls: Vec<ControlRecord>,
    /// The line of the first other record, counted from 0.
    pub first_line: Option<u64>,
    /// The line of the last.
    pub last_line: Option<u64>,
    /// How many others there are, readable or not.
    pub records: u64,
    /// The columns that are summed.
    pub sums: Vec<Sum>,
}

/// A control record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Its line, counted from 0.
    pub line: u64,
    /// Whether it is the trailer.
    pub is_trailer: bool,
    /// Its cells.
    pub cells: Vec<String>,
}

/// A sum, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// In units of 10^-[`PLACES`].
    unscaled: i128,
    /// Cells that are no number.
    unreadable: u64,
}

/// Digits after the point of a sum: as many as a number may have.
const PLACES: u32 = 15;

/// What a control record says, held against what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The line of the control record, or of what stands where one should, counted from 0.
    pub line: u64,
    /// The total that was compared; none: there is no control record in its place, or it holds no number.
    pub total: Option<Total>,
    /// What was promised and what was found; none: it agrees.
    pub disagreement: Option<String>,
}

/// A total as it was promised, and as it was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// `records`, or the column that is summed.
    pub name: String,
    /// A decimal.
    pub promised: String,
    /// A decimal; none: the column has cells that are no numbers.
    pub counted: Option<String>,
}

impl Comparison {
    /// Something that is not as it should be and can't be counted.
    fn not_so(line: u64, message: String) -> Self {
        Self { line, total: None, disagreement: Some(message) }
    }
}

impl Sum {
    /// Adds a cell; a blank one is nothing.
    pub fn add(&mut self, text: &[u8], style: &NumberStyle) {
        if text.is_empty() {
            return;
        }
        match exact(text, style) {
            Some(unscaled) => self.unscaled += unscaled,
            None => self.unreadable += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.unscaled += other.unscaled;
        self.unreadable += other.unreadable;
    }
}

/// A number in units of 10^-[`PLACES`].
fn exact(text: &[u8], style: &NumberStyle) -> Option<i128> {
    let scale = Scale { shift: style.implied, places: None };
    let stored = scale.read(style.rewrite(text)?.text()).ok()?;
    let (unscaled, places) = scale.unpack(stored);
    Some(i128::from(unscaled) * 10_i128.pow(PLACES.checked_sub(places)?))
}

/// A sum as a reader writes it.
fn written(unscaled: i128) -> String {
    let one = 10_i128.pow(PLACES);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>15}", (unscaled.abs() % one).to_string());
    let places = digits.trim_end_matches('0');
    format!("{sign}{}.{places:0<2}", unscaled.abs() / one)
}

impl Totals {
    /// Adds what was read of the stretch after this, which starts on `line`.
    pub fn append(&mut self, mut later: Self, line: u64) {
        later.controls.iter_mut().for_each(|control| control.line += line);
        self.controls.append(&mut later.controls);
        self.first_line = self.first_line.or(later.first_line.map(|first| first + line));
        self.last_line = later.last_line.map(|last| last + line).or(self.last_line);
        self.records += later.records;
        self.sums.resize(self.sums.len().max(later.sums.len()), Sum::default());
        for (sum, other) in self.sums.iter_mut().zip(later.sums) {
            sum.merge(other);
        }
    }

    /// The totals that `control` promises, and where the file is not what it says; `counts`: whether its records are
    /// counted here, and not elsewhere.
    #[must_use]
    pub fn compare(&self, control: &Control, style: &NumberStyle, counts: bool) -> Vec<Comparison> {
        let mut found = Vec::new();
        let last_line = self.controls.iter().map(|control| control.line).chain(self.last_line).max().unwrap_or(0);
        let of = |wanted: bool| self.controls.iter().filter(move |control| control.is_trailer == wanted);
        for (name, is_trailer) in [(&control.header, false), (&control.trailer, true)] {
            let Some(name) = name.as_ref().filter(|_| counts) else { continue };
            let (what, line) =
                if is_trailer { ("end with its trailer", last_line) } else { ("begin with its header", 0) };
            let place = match of(is_trailer).collect::<Vec<_>>()[..] {
                [one] => Some(one.line),
                _ => None,
            };
            let in_place = place.is_some_and(|place| {
                if is_trailer {
                    self.last_line.is_none_or(|last| last < place)
                } else {
                    self.first_line.is_none_or(|first| place < first)
                }
            });
            if !in_place {
                let message = format!(
                    "the file does not {what}, one record that begins with {name}: it is cut short, or two files in one"
                );
                found.push(Comparison::not_so(place.unwrap_or(line), message));
            }
        }
        if let Some(trailer) = of(true).next_back() {
            if counts && let Some(at) = control.count {
                found.push(self.compare_count(trailer, at));
            }
            for (sum, told) in self.sums.iter().zip(&control.sums) {
                found.push(compare_sum(trailer, (told.at, &told.column), sum, style));
            }
        }
        found
    }

    fn compare_count(&self, trailer: &ControlRecord, at: usize) -> Comparison {
        let text = trailer.cells.get(at - 1).map_or("", |cell| cell.trim());
        let Ok(promised) = text.parse::<u64>() else { return unreadable(trailer, at, "a number of records") };
        let read = self.records;
        let total = Total { name: "records".into(), promised: promised.to_string(), counted: Some(read.to_string()) };
        let disagreement =
            (promised != read).then(|| format!("the trailer promises {promised} records, and {read} were read"));
        Comparison { line: trailer.line, total: Some(total), disagreement }
    }
}

fn compare_sum(trailer: &ControlRecord, (at, column): (usize, &str), sum: &Sum, style: &NumberStyle) -> Comparison {
    let text = trailer.cells.get(at - 1).map_or("", |cell| cell.trim());
    let Some(promised) = exact(text.as_bytes(), style) else { return unreadable(trailer, at, "a sum") };
    let what = format!("the sum of {column}");
    let counted = (sum.unreadable == 0).then_some(sum.unscaled);
    let disagreement = match counted {
        None => Some(format!("{what} cannot be told: {} cells of the column are no numbers", sum.unreadable)),
        Some(counted) if counted == promised => None,
        Some(counted) => Some(format!(
            "the trailer promises {} as {what}, and {} was read: {} is missing or too much",
            written(promised),
            written(counted),
            written((promised - counted).abs())
        )),
    };
    let total = Total { name: column.to_owned(), promised: written(promised), counted: counted.map(written) };
    Comparison { line: trailer.line, total: Some(total), disagreement }
}

fn unreadable(trailer: &ControlRecord, at: usize, what: &str) -> Comparison {
    Comparison::not_so(trailer.line, format!("cell {at} of the trailer is not {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::layout::ControlSum;

    fn control() -> Control {
        let sum = ControlSum { column: "AMOUNT".into(), at: 3, span: 0..0 };
        Control { header: Some("HDR".into()), trailer: Some("TRL".into()), count: Some(2), sums: vec![sum] }
    }

    fn totals(amounts: &[&str], trailer: &[&str]) -> Totals {
        let record = |line, is_trailer, cells: &[&str]| ControlRecord {
            line,
            is_trailer,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let mut sum = Sum::default();
        for amount in amounts {
            sum.add(amount.as_bytes(), &NumberStyle::default());
        }
        let last = amounts.len() as u64;
        Totals {
            controls: vec![record(0, false, &["HDR"]), record(last + 1, true, trailer)],
            first_line: Some(1),
            last_line: Some(last),
            records: last,
            sums: vec![sum],
        }
    }

    fn told(totals: &Totals) -> Vec<(u64, String)> {
        let told = totals.compare(&control(), &NumberStyle::default(), true);
        told.into_iter().filter_map(|told| Some((told.line + 1, told.disagreement?))).collect()
    }

    #[test]
    fn a_file_that_is_as_its_trailer_says_is_left_alone() {
        let totals = totals(&["1.10", "-0.1", ""], &["TRL", "3", "1"]);
        assert_eq!(told(&totals), []);
        let compared = totals.compare(&control(), &NumberStyle::default(), true);
        let compared: Vec<_> = compared.into_iter().filter_map(|compared| compared.total).collect();
        let total = |name: &str, promised: &str, counted: &str| Total {
            name: name.into(),
            promised: promised.into(),
            counted: Some(counted.into()),
        };
        assert_eq!(compared, [total("records", "3", "3"), total("AMOUNT", "1.00", "1.00")]);
    }

    #[test]
    fn a_count_or_a_sum_that_is_off_is_told_with_both_numbers() {
        let counted = told(&totals(&["1.10", "2"], &["TRL", "0003", "3.10"]));
        assert_eq!(counted, [(4, "the trailer promises 3 records, and 2 were read".into())]);
        let summed = told(&totals(&["1.10", "2"], &["TRL", "2", "3.11"]));
        let message = "the trailer promises 3.11 as the sum of AMOUNT, and 3.10 was read: 0.01 is missing or too much";
        assert_eq!(summed, [(4, message.into())]);
        let unread = told(&totals(&["1.10", "x"], &["TRL", "2", "3"]));
        assert_eq!(unread, [(4, "the sum of AMOUNT cannot be told: 1 cells of the column are no numbers".into())]);
        assert_eq!(told(&totals(&["1"], &["TRL", "?"])).len(), 2);
    }

    #[test]
    fn a_file_without_an_end_is_cut_short() {
        let mut cut = totals(&["1"], &["TRL", "1", "1"]);
        cut.controls.pop();
        assert!(told(&cut)[0].1.starts_with("the file does not end with its trailer"));
        let mut twice = Totals::default();
        twice.append(totals(&["1"], &["TRL", "1", "1"]), 0);
        twice.append(totals(&["1"], &["TRL", "1", "1"]), 3);
        assert_eq!(told(&twice).len(), 4, "two files in one: header, trailer, count and sum");
    }
}
