//! What a payload comes to: its objects counted, the money in it added up from the bytes that are sent.

use std::sync::{Arc, Mutex, PoisonError};

use crate::mapping::measure::Measures;
use crate::money::{Amount, Total};

/// The most codes of billing ledgers that are told apart; what is beyond counts as having none.
const CODES_MAX: usize = 64;

/// The codes of billing ledgers, numbered as they come; number 0 is no code.
#[derive(Debug)]
pub struct LedgerCodes(Mutex<Vec<Arc<str>>>);

impl Default for LedgerCodes {
    fn default() -> Self {
        Self(Mutex::new(vec!["".into()]))
    }
}

impl LedgerCodes {
    fn number(&self, code: &str) -> usize {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = codes.iter().position(|known| **known == *code);
        known.unwrap_or_else(|| {
            if codes.len() > CODES_MAX {
                return 0;
            }
            codes.push(code.into());
            codes.len() - 1
        })
    }

    /// The code of that number.
    #[must_use]
    pub fn code(&self, number: usize) -> Arc<str> {
        let codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.get(number).cloned().unwrap_or_else(|| "".into())
    }
}

/// A measure of a payload, and what it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// The measure's number in the mapping's plan.
    pub measure: usize,
    /// The number of the billing ledger's code.
    pub ledger: usize,
    /// Objects, or amounts.
    pub total: Total,
}

/// Adds one payload up while it is written.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    plan: &'a Measures,
    codes: &'a LedgerCodes,
    /// Codes met so far, by number.
    met: Vec<(Box<str>, usize)>,
    /// The code of the billing ledger being written.
    ledger: usize,
    /// By ledger code and measure.
    totals: Vec<Total>,
    /// Which of them are not nought.
    touched: Vec<usize>,
    /// Entities of objects that turned out to have no content.
    empty: Vec<usize>,
}

impl<'a> Measured<'a> {
    pub(super) fn new(plan: &'a Measures, codes: &'a LedgerCodes) -> Self {
        let totals = vec![Total::default(); plan.names.len()];
        Self { plan, codes, met: Vec::new(), ledger: 0, totals, touched: Vec::new(), empty: Vec::new() }
    }

    /// An object of `entity` begins; `code` tells the text of a field of it. Gives what [`Measured::leave`] wants back.
    pub(super) fn enter<'t>(&mut self, entity: usize, code: impl FnOnce(usize) -> Option<&'t str>) -> usize {
        let above = self.ledger;
        if let Some((ledgers, field)) = self.plan.ledgers
            && ledgers == entity
        {
            self.ledger = code(field).map_or(0, |code| self.number(code));
        }
        above
    }

    fn number(&mut self, code: &str) -> usize {
        let known = self.met.iter().find(|(known, _)| **known == *code).map(|(_, number)| *number);
        known.unwrap_or_else(|| {
            let number = self.codes.number(code);
            self.met.push((code.into(), number));
            let wanted = self.plan.names.len() * (number + 1);
            if self.totals.len() < wanted {
                self.totals.resize(wanted, Total::default());
            }
            number
        })
    }

    /// The object ends, written or not.
    pub(super) fn leave(&mut self, entity: usize, variant: usize, is_written: bool, above: usize) {
        if is_written {
            self.add(self.plan.entities[entity].objects + variant, Amount::ZERO);
        } else {
            self.empty.push(entity);
        }
        self.ledger = above;
    }

    /// A scalar of `entity`, a list of scalars, was written or not.
    pub(super) fn scalar(&mut self, entity: usize, is_written: bool) {
        self.leave(entity, 0, is_written, self.ledger);
    }

    /// Money was written: these bytes, in pounds.
    pub(super) fn money(&mut self, (entity, field): (usize, usize), variant: usize, text: &[u8]) {
        // What cannot be read counts as nought, and shows as a difference.
        let amount = Amount::read(text, 0).unwrap_or_default();
        if let Some(measure) = self.plan.entities[entity].money[field] {
            self.add(measure + 2 * variant + usize::from(amount.is_negative()), amount);
        }
    }

    fn add(&mut self, measure: usize, amount: Amount) {
        let at = self.ledger * self.plan.names.len() + measure;
        if self.totals[at].count == 0 {
            self.touched.push(at);
        }
        self.totals[at].add(amount);
    }

    /// What the account comes to, in the order of the measures' numbers; the next account begins. `empty` counts the
    /// records without an object, by entity.
    pub(super) fn take(&mut self, empty: &mut [u64]) -> Vec<Came> {
        self.touched.sort_unstable();
        let measures = self.plan.names.len();
        let came = self.touched.drain(..).map(|at| Came {
            measure: at % measures,
            ledger: at / measures,
            total: std::mem::take(&mut self.totals[at]),
        });
        let came = came.collect();
        for entity in self.empty.drain(..) {
            empty[entity] += 1;
        }
        came
    }

    /// Forgets the account: it is rejected.
    pub(super) fn forget(&mut self) {
        for at in self.touched.drain(..) {
            self.totals[at] = Total::default();
        }
        self.empty.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_numbers_and_too_many_are_one() {
        let codes = LedgerCodes::default();
        assert_eq!(codes.number(""), 0);
        let numbers: Vec<usize> = (0..CODES_MAX).map(|n| codes.number(&format!("L{n}"))).collect();
        assert_eq!(numbers, (1..=CODES_MAX).collect::<Vec<_>>());
        assert_eq!(codes.number("one more"), 0);
        assert_eq!((codes.number("L0"), &*codes.code(1), &*codes.code(0)), (1, "L0", ""));
    }
}
