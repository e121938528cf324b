//! The profile as one page that opens offline, with small charts; light or dark as the reader has it.

use std::io::{self, Write};

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde::Serialize;

use super::model::{Column, FileProfile, Key, Profile, Reference};
use super::text::{grouped, unreadable};

/// The template's name; its ending is what turns escaping on.
const NAME: &str = "profile.html";
const TEMPLATE: &str = include_str!("profile.html.jinja");

#[derive(Serialize)]
struct Page<'p> {
    profile: &'p Profile,
    records: u64,
    files: Vec<FileView<'p>>,
}

#[derive(Serialize)]
struct FileView<'p> {
    file: &'p str,
    bytes: u64,
    form: String,
    controls: String,
    unreadable: Vec<String>,
    types: Vec<TypeView<'p>>,
}

#[derive(Serialize)]
struct TypeView<'p> {
    name: Option<&'p str>,
    records: u64,
    keys: Vec<String>,
    references: Vec<String>,
    columns: Vec<ColumnView<'p>>,
}

#[derive(Serialize)]
struct ColumnView<'p> {
    column: &'p Column,
    kind: String,
    distinct: String,
    /// In tenths of a percent of the records.
    filled_permille: u64,
    distinct_permille: u64,
    bars: Vec<Bar<'p>>,
}

/// A shape or value, and its share of the filled cells in tenths of a percent.
#[derive(Serialize)]
struct Bar<'p> {
    text: &'p str,
    permille: u64,
}

impl Profile {
    /// Writes the profile as an HTML page.
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let files: Vec<FileView<'_>> = self.files.iter().map(FileView::of).collect();
        let page = Page { profile: self, records: self.files.iter().map(FileProfile::records).sum(), files };
        let render = || {
            let mut templates = Environment::new();
            templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
            templates.add_filter("n", |count: u64| grouped(count));
            templates.add_template(NAME, TEMPLATE)?;
            templates.get_template(NAME)?.render(Serde(page))
        };
        out.write_all(render().map_err(io::Error::other)?.as_bytes())
    }
}

impl<'p> FileView<'p> {
    fn of(file: &'p FileProfile) -> Self {
        let types = file.record_types.iter().map(|of| TypeView {
            name: of.name.as_deref(),
            records: of.records,
            keys: of.keys.iter().map(Key::in_words).collect(),
            references: of.references.iter().map(Reference::in_words).collect(),
            columns: of.columns.iter().map(ColumnView::of).collect(),
        });
        let lost = file.unreadable.iter().map(|lost| {
            format!(
                "{} records: {}, the first in line {}",
                grouped(lost.records),
                unreadable(lost.why),
                lost.first_line
            )
        });
        Self {
            file: &file.file,
            bytes: file.bytes,
            form: file.form(),
            controls: file.controls.join(", "),
            unreadable: lost.collect(),
            types: types.collect(),
        }
    }
}

impl<'p> ColumnView<'p> {
    fn of(column: &'p Column) -> Self {
        let cells = (column.blank + column.filled).max(1);
        let shares = if column.values.is_empty() { &column.shapes } else { &column.values };
        let permille = |part: u64, whole: u64| part.saturating_mul(1000) / whole.max(1);
        Self {
            column,
            kind: column.kind_in_words(),
            distinct: column.distinct_in_words(),
            filled_permille: permille(column.filled, cells),
            distinct_permille: permille(column.distinct.count, column.filled).min(1000),
            bars: shares
                .iter()
                .take(5)
                .map(|share| Bar { text: &share.text, permille: permille(share.cells, column.filled) })
                .collect(),
        }
    }
}
