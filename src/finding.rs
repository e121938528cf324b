//! Findings: what is wrong or odd with a cell, a record or an account.
//!
//! A finding is a value. It never carries the text of a cell: a message says what was expected and, at most, the
//! shape of what was there ([`shape`]), so that findings can be logged, stored and reported as they are.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// How bad a finding is. Only an error keeps an account from being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to mend.
    Notice,
    /// Odd; the account goes all the same.
    Warning,
    /// The account is rejected.
    Error,
}

impl Severity {
    /// The severity as it is spelt in reports and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cell or, without a column, a record of an extract file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Cell {
    /// The file's name relative to its extract directory.
    pub file: Arc<str>,
    /// The record's number in the file, counted from 1; a header is no record.
    pub record: u64,
    /// The physical line on which the record starts, counted from 1; a header line counts.
    pub line: u64,
    /// The column's name, if one column is meant.
    pub column: Option<Arc<str>>,
}

impl fmt::Display for Cell {
    /// `file:line:column`, the form in which editors jump to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match &self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}

/// Something wrong or odd, with the cells it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The target's own error code where it has one, else slipway's; in `snake_case`.
    pub code: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// The payload path with list positions, such as `customers.0.landline`; empty for a whole record or account.
    pub path: String,
    /// What was expected and what to do, as a sentence without a full stop and without any cell's text.
    pub message: String,
    /// Where it comes from, the most telling cell first.
    pub cells: Vec<Cell>,
}

/// The shape of a text: digits as `9`, letters as `A` or `a`, everything else as it is, cut at 24 characters.
///
/// It tells a reader what kind of text stands in a cell without telling the text.
#[must_use]
pub fn shape(text: &str) -> String {
    const LIMIT: usize = 24;
    let mut shape: String = text
        .chars()
        .take(LIMIT)
        .map(|c| match c {
            _ if c.is_numeric() => '9',
            _ if c.is_uppercase() => 'A',
            _ if c.is_alphabetic() => 'a',
            _ if c.is_control() => '·',
            _ => c,
        })
        .collect();
    if text.chars().nth(LIMIT).is_some() {
        shape.push('…');
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_tells_the_kind_and_not_the_text() {
        assert_eq!(shape("31/O2/2019"), "99/A9/9999");
        assert_eq!(shape("Jabłoński"), "Aaaaaaaaa");
        assert_eq!(shape(&"x".repeat(30)), format!("{}…", "a".repeat(24)));
    }
}
