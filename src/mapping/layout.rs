//! How files are laid out: how their text is cut, the names of cells without a header, the records that frame the
//! others, records of several types in one file, and rows that are made of the records of another table.

use super::document::{Fields, Node, Problems, did_you_mean};
use super::model::{Dialect, Span};
use super::read::names;

/// Which records of its files are a table's, and what its rows are, where the files do not say so themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The names of the cells by position, of files without a header; a blank name: a cell that nobody reads. Empty:
    /// the files have a header.
    pub header: Vec<String>,
    /// The records that frame the others.
    pub control: Option<Control>,
    /// Which types of records.
    pub types: Option<Types>,
    /// The table of whose records the rows are made.
    pub of: Option<(String, Span)>,
    /// The rows that are made of a record: for each, the names of its columns and what is in them.
    pub repeat: Vec<Vec<(String, Repeated)>>,
}

/// Records before and after all others, which say what a file is and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// What the first cell of the first record says.
    pub header: Option<String>,
    /// What the first cell of the last record says.
    pub trailer: Option<String>,
    /// The cell of the trailer with the number of records between, counted from 1.
    pub count: Option<usize>,
    /// The cells of the trailer with the sum of a column.
    pub sums: Vec<ControlSum>,
}

/// A sum in a trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSum {
    /// The column that is summed.
    pub column: String,
    /// The cell of the trailer, counted from 1.
    pub at: usize,
    pub(crate) span: Span,
}

/// Which records of a file are a table's, where it holds several types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types {
    /// The column that tells them apart.
    pub column: String,
    /// What it says in records of this table.
    pub texts: Vec<String>,
    pub(crate) span: Span,
}

/// What is in a column of a row that is made of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// The cell of a column of the record.
    Column(String, Span),
    /// The same text in every record.
    Constant(String),
}

impl Control {
    /// Whether a record whose first cell is `text` is the header or the trailer: true for the trailer.
    #[must_use]
    pub fn of(&self, text: &[u8]) -> Option<bool> {
        let is = |name: &Option<String>| name.as_ref().is_some_and(|name| name.as_bytes() == text);
        if is(&self.trailer) { Some(true) } else { is(&self.header).then_some(false) }
    }
}

impl Default for Dialect {
    /// Commas, quotes, UTF-8, lines.
    fn default() -> Self {
        Self { delimiter: b',', quote: Some(b'"'), multiline: Vec::new(), trim: false, encoding: encoding_rs::UTF_8 }
    }
}

/// How a table's text is cut, as far as its `fields` say otherwise than `defaults`.
pub(super) fn read_dialect(fields: &mut Fields<'_>, defaults: &Dialect, problems: &mut Problems) -> Dialect {
    let delimiter = fields.get("delimiter").and_then(|node| ascii(node, problems)).unwrap_or(defaults.delimiter);
    let quote = match fields.get("quote") {
        Some(node) if node.is_str() => ascii(node, problems),
        Some(node) => {
            if node.bool(problems) == Some(true) {
                problems.add(&node.span(), "expected the quote character, or false for none", None);
            }
            None
        }
        None => defaults.quote,
    };
    let trim = fields.get("trim").and_then(|node| node.bool(problems)).unwrap_or(defaults.trim);
    let encoding = fields.get("encoding").and_then(|node| encoding(node, problems)).unwrap_or(defaults.encoding);
    Dialect { delimiter, quote, multiline: Vec::new(), trim, encoding }
}

/// A table's layout; `control` is what `[defaults]` says of it.
pub(super) fn read_layout(fields: &mut Fields<'_>, control: Option<&Control>, problems: &mut Problems) -> Layout {
    let mut layout = Layout { control: control.cloned(), ..Layout::default() };
    layout.of = fields.get("of").and_then(|node| Some((node.str(problems)?.to_owned(), node.span())));
    if let Some(node) = fields.get("header") {
        let header = names(node, problems);
        for (at, (name, span)) in header.iter().enumerate() {
            if !name.is_empty() && header[..at].iter().any(|(known, _)| known == name) {
                problems.add(span, format!("column `{name}` stands twice"), None);
            }
        }
        layout.header = header.into_iter().map(|(name, _)| name).collect();
    }
    if let Some(node) = fields.get("control") {
        layout.control = read_control(node, problems);
    }
    if let Some(node) = fields.get("records") {
        layout.types = read_types(node, problems);
    }
    if let Some(node) = fields.get("repeat") {
        if layout.of.is_none() {
            let help = "declare the file as a table of its own, and name it here: of = \"…\"";
            problems.add(
                &node.span(),
                "`repeat` needs `of`: the table of whose records the rows are made",
                Some(help.into()),
            );
        }
        layout.repeat = read_repeat(node, problems);
    }
    layout
}

pub(super) fn read_control(node: Node<'_>, problems: &mut Problems) -> Option<Control> {
    let mut fields = node.table(problems)?;
    let mut text = |key| fields.get(key).and_then(|node| node.str(problems)).map(str::to_owned);
    let mut control = Control { header: text("header"), trailer: text("trailer"), ..Control::default() };
    control.count = fields.get("count").and_then(|node| position(node, problems));
    if let Some(node) = fields.get("sum") {
        for (column, span, node) in node.entries(problems) {
            if let Some(at) = position(node, problems) {
                control.sums.push(ControlSum { column: column.to_owned(), at, span });
            }
        }
    }
    if control.trailer.is_none() && (control.count.is_some() || !control.sums.is_empty()) {
        let help = "name it: trailer = \"TRL\"";
        problems.add(&node.span(), "`count` and `sum` stand in a trailer", Some(help.into()));
    }
    fields.finish(problems);
    Some(control)
}

fn read_types(node: Node<'_>, problems: &mut Problems) -> Option<Types> {
    let entries = node.entries(problems);
    let [(column, span, node)] = entries.as_slice() else {
        let help = "an example: records = { REC_TYPE = \"20\" }";
        problems.add(&node.span(), "`records` names one column, and what it says", Some(help.into()));
        return None;
    };
    let texts = node.strings(problems).into_iter().map(str::to_owned).collect();
    Some(Types { column: (*column).to_owned(), texts, span: span.clone() })
}

fn read_repeat(node: Node<'_>, problems: &mut Problems) -> Vec<Vec<(String, Repeated)>> {
    let mut groups: Vec<Vec<(String, Repeated)>> = Vec::new();
    for item in node.list(problems) {
        let mut group = Vec::new();
        for (name, _, node) in item.entries(problems) {
            if node.is_str() {
                let column = node.str(problems).unwrap_or_default().to_owned();
                group.push((name.to_owned(), Repeated::Column(column, node.span())));
            } else if let Some(mut fields) = node.table(problems) {
                let value = fields.require("value", problems).and_then(|node| node.str(problems));
                group.push((name.to_owned(), Repeated::Constant(value.unwrap_or_default().to_owned())));
                fields.finish(problems);
            }
        }
        group.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(first) = groups.first()
            && !first.iter().map(|(name, _)| name).eq(group.iter().map(|(name, _)| name))
        {
            let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("every row has the columns of the first: {}", names.join(", "));
            problems.add(&item.span(), message, None);
        }
        if !group.iter().any(|(_, cell)| matches!(cell, Repeated::Column(..))) {
            problems.add(&item.span(), "a row needs a column of the record at least", None);
        }
        groups.push(group);
    }
    groups
}

/// A place counted from 1.
pub(super) fn position(node: Node<'_>, problems: &mut Problems) -> Option<usize> {
    let at = node.count(problems)?;
    if at == 0 {
        problems.add(&node.span(), "places are counted from 1", None);
        return None;
    }
    Some(at as usize)
}

/// Encodings that extracts come in; others are known by their names on the web.
const ENCODINGS: [&str; 5] = ["utf-8", "windows-1252", "iso-8859-1", "utf-16le", "utf-16be"];

fn encoding(node: Node<'_>, problems: &mut Problems) -> Option<&'static encoding_rs::Encoding> {
    let name = node.str(problems)?;
    let known = encoding_rs::Encoding::for_label(name.as_bytes());
    if known.is_none() {
        let help = did_you_mean(name, ENCODINGS).or_else(|| Some(format!("known are {}", ENCODINGS.join(", "))));
        problems.add(&node.span(), format!("`{name}` is no encoding"), help);
    }
    known
}

pub(super) fn ascii(node: Node<'_>, problems: &mut Problems) -> Option<u8> {
    match node.str(problems)?.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Some(*byte),
        _ => {
            problems.add(&node.span(), "expected one ASCII character, not a line break", None);
            None
        }
    }
}
