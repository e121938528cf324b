//! Notices are told once a run, not once an account.
//!
//! What is worth a notice is often true of a whole extract: a list of the tenant's that has not been loaded, numbers
//! made up for a rehearsal. A finding for each value would bury the ones that matter.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::finding::{Cell, Finding};

/// Notices of a run by code and path, each with how often it was met and the first place.
///
/// What comes out does not depend on the order in which accounts are checked.
#[derive(Debug, Default)]
pub struct Notices {
    by_cause: Mutex<BTreeMap<(String, String), Notice>>,
}

#[derive(Debug)]
struct Notice {
    count: u64,
    first: Finding,
}

impl Notices {
    /// Adds `findings`; those of one code and path, list positions aside, become one.
    pub fn extend(&self, findings: impl IntoIterator<Item = Finding>) {
        let mut findings = findings.into_iter().peekable();
        if findings.peek().is_none() {
            return;
        }
        let mut by_cause = self.by_cause.lock().unwrap_or_else(PoisonError::into_inner);
        for finding in findings {
            let cause = (finding.code.to_string(), without_positions(&finding.path));
            match by_cause.get_mut(&cause) {
                None => {
                    by_cause.insert(cause, Notice { count: 1, first: finding });
                }
                Some(notice) => {
                    notice.count += 1;
                    if place(&finding.cells) < place(&notice.first.cells) {
                        notice.first = finding;
                    }
                }
            }
        }
    }

    /// One finding for each cause, in the order of code and path.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let by_cause = self.by_cause.lock().unwrap_or_else(PoisonError::into_inner);
        by_cause
            .iter()
            .map(|((_, path), notice)| {
                let mut finding = notice.first.clone();
                finding.path.clone_from(path);
                finding.message = match notice.count {
                    1 => finding.message,
                    count => format!("{}; {count} values are like this, here is the first", finding.message),
                };
                finding
            })
            .collect()
    }
}

/// The first cell; a finding with a cell comes before one without.
fn place(cells: &[Cell]) -> (bool, Option<&Cell>) {
    (cells.is_empty(), cells.first())
}

fn without_positions(path: &str) -> String {
    let names: Vec<&str> = path.split('.').filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit())).collect();
    names.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn notice(path: &str, record: u64) -> Finding {
        let cell = Cell { file: "customers.csv".into(), record, line: record + 1, column: Some("MOBILE".into()) };
        Finding {
            code: "invalid_phone_number".into(),
            severity: Severity::Notice,
            path: path.to_owned(),
            message: "kept for drama".to_owned(),
            cells: vec![cell],
        }
    }

    #[test]
    fn many_of_one_cause_become_one_with_the_first_cell() {
        let (one, other) = (Notices::default(), Notices::default());
        one.extend([
            notice("customers.0.mobile", 7),
            notice("customers.1.mobile", 3),
            notice("customers.0.landline", 9),
        ]);
        other.extend([notice("customers.1.mobile", 3)]);
        other.extend([notice("customers.0.landline", 9), notice("customers.0.mobile", 7)]);
        assert_eq!(one.findings(), other.findings());
        let [landline, mobile] = &one.findings()[..] else { panic!("two causes") };
        assert_eq!((landline.path.as_str(), landline.message.as_str()), ("customers.landline", "kept for drama"));
        assert_eq!((mobile.path.as_str(), mobile.cells[0].record), ("customers.mobile", 3));
        assert!(mobile.message.contains("2 values"));
    }
}
