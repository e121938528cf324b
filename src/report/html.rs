//! The report as one page that opens offline: no script, font, style or image from elsewhere.
//!
//! The template, cut by section, lies in `page/`. It escapes every value it writes. The page carries a content security
//! policy that forbids it to load or send anything, so even a value that got through could not.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::ledger::night::MoneyRow;
use crate::ledger::read::FileRow;

use super::{RecordCounts, RunReport, chart, words};

/// The page and its sections; the ending `.html` is what turns escaping on.
const TEMPLATES: [(&str, &str); 15] = [
    ("page.html", include_str!("page/page.html.jinja")),
    ("macros.html", include_str!("page/macros.html.jinja")),
    ("style.html", include_str!("page/style.css")),
    ("script.html", include_str!("page/script.js")),
    ("verdict.html", include_str!("page/verdict.html.jinja")),
    ("funnel.html", include_str!("page/funnel.html.jinja")),
    ("changes.html", include_str!("page/changes.html.jinja")),
    ("money.html", include_str!("page/money.html.jinja")),
    ("identities.html", include_str!("page/identities.html.jinja")),
    ("causes.html", include_str!("page/causes.html.jinja")),
    ("rules.html", include_str!("page/rules.html.jinja")),
    ("requests.html", include_str!("page/requests.html.jinja")),
    ("waves.html", include_str!("page/waves.html.jinja")),
    ("accounts.html", include_str!("page/accounts.html.jinja")),
    ("files.html", include_str!("page/files.html.jinja")),
];

/// Characters of a message that the page shows, so that its size has a bound; the other forms have all of it.
const MESSAGE_MAX: usize = 280;

/// What the template knows.
#[derive(Serialize)]
struct Page<'a> {
    report: &'a RunReport,
    records: RecordCounts,
    /// The largest count of records and of accounts in the funnel, at least 1: what bars are drawn against.
    most_records: u64,
    most_accounts: u64,
    /// For each listed account, for each of its errors: the number of its cause in the list, from 1.
    causes: Vec<Vec<Option<usize>>>,
    /// `supplier/account` → its place among the listed accounts, from 1.
    listed: BTreeMap<String, usize>,
    money: Vec<MoneyLine<'a>>,
    /// For each file, its table, if several tables read the file.
    tables: Vec<Option<&'a str>>,
    /// Whether texts of cells are told.
    values: bool,
    /// Requests and latency, each for a wide and for a narrow screen.
    charts: Option<[[String; 2]; 2]>,
}

/// A line of the money table, in pence.
#[derive(Serialize)]
struct MoneyLine<'a> {
    row: &'a MoneyRow,
    source: i64,
    /// Quarantined, duplicate, orphaned, not selected, filtered.
    left_out: i64,
    rejected: i64,
    payload: i64,
    processed: i64,
    /// What of the source is in none of these.
    unexplained: i64,
}

impl RunReport {
    /// Writes the report as an HTML page.
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let most = |unit| {
            let counts = self.funnel.iter().filter(|step| step.unit == unit).map(|step| step.count);
            counts.max().unwrap_or(0).max(1)
        };
        let listed = self.attention.first.iter().zip(1..);
        let listed = listed.map(|(account, place)| {
            (format!("{}/{}", account.import_supplier, account.external_account_number), place)
        });
        let shared = FileRow::shared(&self.files);
        let page = Page {
            report: self,
            records: self.records(),
            most_records: most("records"),
            most_accounts: most("accounts"),
            causes: self.cause_numbers(),
            listed: listed.collect(),
            money: self.money.iter().map(money_line).collect(),
            tables: self.files.iter().map(|file| shared.contains(&*file.file).then_some(&*file.table)).collect(),
            values: self.attention.first.iter().flat_map(|account| &account.causes).any(|cause| cause.value.is_some()),
            charts: self.timeline.as_ref().map(|timeline| [chart::throughput(timeline), chart::latency(timeline)]),
        };
        let render = || {
            let mut templates = Environment::new();
            templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
            templates.add_filter("n", words::count);
            templates.add_filter("gbp", words::pounds);
            templates.add_filter("when", words::when);
            templates.add_filter("shortly", words::shortly);
            templates.add_filter("cut", cut);
            templates.add_filter("breaks", breaks);
            templates.add_filter("fixed", |number: f64, places: usize| format!("{number:.places$}"));
            templates.add_function("percent", words::percent);
            for (name, template) in TEMPLATES {
                templates.add_template(name, template)?;
            }
            templates.get_template("page.html")?.render(Serde(page))
        };
        out.write_all(render().map_err(io::Error::other)?.as_bytes())
    }

    /// Which of the listed causes each error of each listed account is.
    fn cause_numbers(&self) -> Vec<Vec<Option<usize>>> {
        let listed = self.clusters.first.iter().zip(1..);
        let numbers: HashMap<_, usize> = listed
            .map(|(cause, number)| ((&*cause.code, &*cause.source, &*cause.path, &*cause.file, &*cause.column), number))
            .collect();
        let number = |error: &super::CauseRow| {
            let path = without_positions(&error.path);
            let (file, column) = (error.file.as_deref(), error.column.as_deref());
            let key = (&*error.code, &*error.source, &*path, file.unwrap_or_default(), column.unwrap_or_default());
            numbers.get(&key).copied()
        };
        self.attention.first.iter().map(|account| account.causes.iter().map(number).collect()).collect()
    }
}

fn money_line(row: &MoneyRow) -> MoneyLine<'_> {
    let of = |stages: &[&str]| stages.iter().filter_map(|stage| row.pence.get(*stage)).sum::<i64>();
    let (source, rejected, payload) = (of(&["source"]), of(&["rejected"]), of(&["payload"]));
    let left_out = of(&["unreadable", "duplicate", "orphaned", "not_selected", "filtered"]);
    MoneyLine {
        row,
        source,
        left_out,
        rejected,
        payload,
        processed: of(&["processed"]),
        unexplained: source - left_out - rejected - payload,
    }
}

/// `customers.0.landline` → `customers.landline`.
fn without_positions(path: &str) -> String {
    path.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// A text, or as much of it as the page shows.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name of code, escaped, that a line may break behind each of its parts, and nowhere else.
fn breaks(name: &str) -> Value {
    let mut broken = String::with_capacity(name.len() + 16);
    for part in name.split_inclusive(['.', '_', ':']) {
        if !broken.is_empty() {
            broken.push_str("<wbr>");
        }
        for letter in part.chars() {
            match letter {
                '&' => broken.push_str("&amp;"),
                '<' => broken.push_str("&lt;"),
                '>' => broken.push_str("&gt;"),
                '"' => broken.push_str("&quot;"),
                letter => broken.push(letter),
            }
        }
    }
    Value::from_safe_string(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_break_behind_their_parts_and_are_escaped() {
        assert_eq!(breaks("a_b.<c>&").to_string(), "a_<wbr>b.<wbr>&lt;c&gt;&amp;");
        assert!(breaks("x").is_safe());
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ü".repeat(MESSAGE_MAX + 1)), format!("{}…", "ü".repeat(MESSAGE_MAX)));
    }

    /// The shades of one `:root` block of the style.
    fn shades(block: &str) -> HashMap<&str, [f64; 3]> {
        let pairs = block.split("--").skip(1).filter_map(|part| {
            let (name, value) = part.split_once(':')?;
            let hex = value.trim().strip_prefix('#')?.get(..6)?;
            let channel = |at| u8::from_str_radix(&hex[at..at + 2], 16).ok().map(f64::from);
            Some((name.trim(), [channel(0)?, channel(2)?, channel(4)?]))
        });
        pairs.collect()
    }

    /// The contrast of two shades as WCAG 2 defines it.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |shade: [f64; 3]| {
            let linear = shade.map(|channel| {
                let share = channel / 255.0;
                if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_text_stands_out_from_what_is_behind_it_in_light_and_dark() {
        let style = include_str!("page/style.css");
        let blocks = style.split(":root").skip(1).map(|rest| rest.split('}').next().unwrap());
        let blocks: Vec<_> = blocks.filter(|block| block.contains("--ink")).collect();
        assert_eq!(blocks.len(), 2, "light and dark");
        for block in blocks {
            let shades = shades(block);
            for text in ["ink", "soft", "accent", "good", "fair", "bad"] {
                for behind in ["page", "panel"] {
                    let ratio = contrast(shades[text], shades[behind]);
                    assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
                }
            }
            for line in ["accent", "limit"] {
                assert!(contrast(shades[line], shades["page"]) >= 3.0, "{line} in pictures");
            }
        }
    }
}
