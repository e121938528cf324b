//! The report as one page that opens offline: no script, font, style or image from elsewhere.
//!
//! The template escapes every value it writes. The page carries a content security policy that forbids it to load or
//! send anything, so even a value that got through could not.

use std::io::{self, Write};

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde::Serialize;

use super::{RecordCounts, RunReport};

/// The template's name; its ending is what turns escaping on.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("report.html.jinja");

/// What the template knows.
#[derive(Serialize)]
struct Page<'a> {
    report: &'a RunReport,
    records: RecordCounts,
    /// The largest count of records and of accounts in the funnel, at least 1: what bars are drawn against.
    most_records: u64,
    most_accounts: u64,
}

impl RunReport {
    /// Writes the report as an HTML page.
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let most = |unit| {
            let counts = self.funnel.iter().filter(|step| step.unit == unit).map(|step| step.count);
            counts.max().unwrap_or(0).max(1)
        };
        let page = Page {
            report: self,
            records: self.records(),
            most_records: most("records"),
            most_accounts: most("accounts"),
        };
        let render = || {
            let mut templates = Environment::new();
            templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
            templates.add_filter("n", grouped);
            templates.add_template(NAME, TEMPLATE)?;
            templates.get_template(NAME)?.render(Serde(page))
        };
        out.write_all(render().map_err(io::Error::other)?.as_bytes())
    }
}

/// A count with a thin space between groups of three digits.
fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::from(if count < 0 { "−" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "−1\u{202f}234\u{202f}567");
    }
}
