//! A mapping file as a tree whose every key and value knows its place, and the problems found in it.
//!
//! All problems of a file are gathered before any is shown, so that a reviewer mends them in one go.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in the mapping file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something in the mapping, or in a file it names, that a person must mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What was found and what was expected.
    pub message: String,
    /// What to do, if there is one thing to do.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.help {
            Some(help) => write!(f, " (help: {help})"),
            None => Ok(()),
        }
    }
}

/// The name in `known` nearest to `name`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, if a name is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// Gathers the problems of one file.
#[derive(Debug)]
pub struct Problems {
    file: Arc<str>,
    /// Byte offset of the start of every line.
    lines: Vec<usize>,
    text: Arc<str>,
    found: Vec<Problem>,
}

impl Problems {
    /// An empty list for the file `path`, whose text is `text`.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Self { file: path.display().to_string().into(), lines: starts.collect(), text: text.into(), found: Vec::new() }
    }

    /// The place of the byte range `span`.
    #[must_use]
    pub fn place(&self, span: &Range<usize>) -> Place {
        let line = self.lines.partition_point(|start| *start <= span.start).max(1);
        let start = self.lines[line - 1];
        let column = self.text.get(start..span.start).map_or(1, |before| before.chars().count() + 1);
        Place { file: self.file.clone(), line, column }
    }

    /// Adds a problem at `span`.
    pub fn add(&mut self, span: &Range<usize>, message: impl Into<String>, help: Option<String>) {
        let place = self.place(span);
        self.found.push(Problem { place, message: message.into(), help });
    }

    /// Adds a problem that lies in another file.
    pub fn push(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Everything found, in the order of the file, each once.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}

/// A value with its place.
#[derive(Clone, Copy)]
pub(super) struct Node<'d> {
    value: &'d Spanned<DeValue<'d>>,
}

/// A table being read: every key must be asked for, or it is a problem.
pub(super) struct Fields<'d> {
    table: &'d DeTable<'d>,
    span: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'d> Node<'d> {
    pub(super) fn new(value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { value }
    }

    pub(super) fn span(self) -> Range<usize> {
        self.value.span()
    }

    fn expected(self, what: &str, problems: &mut Problems) {
        let found = self.value.get_ref().type_str();
        problems.add(&self.span(), format!("expected {what}, found {} {found}", article(found)), None);
    }

    pub(super) fn is_str(self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_array(self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn str(self, problems: &mut Problems) -> Option<&'d str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            self.expected("a string", problems);
        }
        text
    }

    pub(super) fn bool(self, problems: &mut Problems) -> Option<bool> {
        let value = self.value.get_ref().as_bool();
        if value.is_none() {
            self.expected("true or false", problems);
        }
        value
    }

    pub(super) fn count(self, problems: &mut Problems) -> Option<u32> {
        let value = self.value.get_ref().as_integer().and_then(|i| i.as_str().parse().ok());
        if value.is_none() {
            self.expected("a whole number, 0 or more", problems);
        }
        value
    }

    /// A constant of the payload: its text, and whether it was written as a string.
    pub(super) fn scalar(self, problems: &mut Problems) -> Option<Scalar> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(Scalar::Text(text.to_string())),
            DeValue::Boolean(value) => Some(Scalar::Bool(*value)),
            DeValue::Integer(value) if value.radix() == 10 => {
                if let Ok(value) = value.as_str().parse() {
                    Some(Scalar::Integer(value))
                } else {
                    self.expected("a whole number of at most 18 digits", problems);
                    None
                }
            }
            _ => {
                self.expected("a string, a whole number, true or false (decimals are written as strings)", problems);
                None
            }
        }
    }

    pub(super) fn list(self, problems: &mut Problems) -> Vec<Node<'d>> {
        if let Some(items) = self.value.get_ref().as_array() {
            items.iter().map(Node::new).collect()
        } else {
            self.expected("a list", problems);
            Vec::new()
        }
    }

    /// A list of strings; a single string is a list of one.
    pub(super) fn strings(self, problems: &mut Problems) -> Vec<&'d str> {
        if let Some(text) = self.value.get_ref().as_str() {
            return vec![text];
        }
        self.list(problems).into_iter().filter_map(|item| item.str(problems)).collect()
    }

    pub(super) fn table(self, problems: &mut Problems) -> Option<Fields<'d>> {
        if let Some(table) = self.value.get_ref().as_table() {
            Some(Fields::new(table, self.span()))
        } else {
            self.expected("a table", problems);
            None
        }
    }

    /// The entries of a table with free keys, in the order of the file.
    pub(super) fn entries(self, problems: &mut Problems) -> Vec<(&'d str, Range<usize>, Node<'d>)> {
        let Some(table) = self.value.get_ref().as_table() else {
            self.expected("a table", problems);
            return Vec::new();
        };
        entries(table)
    }
}

fn entries<'d>(table: &'d DeTable<'d>) -> Vec<(&'d str, Range<usize>, Node<'d>)> {
    let mut entries: Vec<_> =
        table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), Node::new(value))).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

impl<'d> Fields<'d> {
    pub(super) fn new(table: &'d DeTable<'d>, span: Range<usize>) -> Self {
        Self { table, span, asked: Vec::new() }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value of `key`, if the file gives one.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Node<'d>> {
        self.asked.push(key);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| Node::new(value))
    }

    /// The value of `key`, whose absence is a problem.
    pub(super) fn require(&mut self, key: &'static str, problems: &mut Problems) -> Option<Node<'d>> {
        let found = self.get(key);
        if found.is_none() {
            problems.add(&self.span, format!("`{key}` is missing here"), None);
        }
        found
    }

    /// Every key that nobody asked for is a problem.
    pub(super) fn finish(self, problems: &mut Problems) {
        for (name, span, _) in entries(self.table) {
            if !self.asked.contains(&name) {
                let help = did_you_mean(name, self.asked.iter().copied())
                    .or_else(|| Some(format!("known here: {}", self.asked.join(", "))));
                problems.add(&span, format!("unknown key `{name}`"), help);
            }
        }
    }
}

/// A constant written in the mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
