//! Which lines of the mapping file write a field, for messages that send a reader there.

use super::cut::Cut;
use super::document::{Place, Problems};
use super::model::{Line, Mapping, Source};

/// A line of the mapping and the declared columns it goes through.
#[derive(Debug)]
pub struct FieldLine<'m> {
    /// The line as it was read.
    pub line: &'m Line,
    /// Where it stands.
    pub place: Place,
    /// The source column, through declared ones; none of a constant or a template.
    pub column: Option<&'m str>,
    /// What is cut out of the column's text.
    cuts: Vec<&'m Cut>,
    /// Whether the value is that of another table's record.
    is_joined: bool,
    /// The lookup's name and its value column, on the line itself or on a declared column.
    pub lookup: Option<(&'m str, Option<&'m str>)>,
}

impl Mapping {
    /// The lines that may write the field at `path`, list positions left out, in the order of the file.
    #[must_use]
    pub fn lines_of(&self, path: &str) -> Vec<FieldLine<'_>> {
        let mut found = Vec::new();
        for entity in &self.entities {
            let values = entity.value.iter().filter(|_| entity.path == path).flatten();
            let below =
                if entity.path.is_empty() { Some(path) } else { path.strip_prefix(&format!("{}.", entity.path)) };
            let fields = entity.fields.iter().filter(|field| Some(field.target.as_str()) == below);
            for line in values.chain(fields.flat_map(|field| &field.lines)) {
                found.push(self.field_line(&entity.table.0, line));
            }
        }
        found
    }

    /// The text of the physical line at `place`.
    #[must_use]
    pub fn text_at(&self, place: &Place) -> &str {
        self.text.lines().nth(place.line - 1).unwrap_or_default().trim()
    }

    fn field_line<'m>(&'m self, table: &str, line: &'m Line) -> FieldLine<'m> {
        let lookup_of = |line: &'m Line| {
            line.lookup.as_ref().map(|(name, _)| (name.as_str(), line.take.as_ref().map(|(take, _)| take.as_str())))
        };
        let mut lookup = lookup_of(line);
        let mut column = column_of(line);
        let mut cuts: Vec<&Cut> = line.cuts.iter().collect();
        let mut is_joined = false;
        let declared = column.and_then(|name| self.tables.get(table)?.columns.get(name));
        if let Some(declared) = declared {
            lookup = lookup.or_else(|| lookup_of(declared));
            column = column_of(declared).or(column);
            cuts.splice(0..0, &declared.cuts);
            is_joined = matches!(declared.source, Source::Joined(_));
        }
        let place = Problems::new(&self.file, &self.text).place(&line.span);
        FieldLine { line, place, column, cuts, is_joined, lookup }
    }
}

impl FieldLine<'_> {
    /// What the lookup is asked for where the column says `text`; none, if that is not what it is asked for.
    #[must_use]
    pub fn cut(&self, text: &str) -> Option<String> {
        let cut = self.cuts.iter().fold(text.as_bytes(), |text, cut| cut.of(text));
        if self.is_joined { None } else { String::from_utf8(cut.to_vec()).ok() }
    }
}

fn column_of(line: &Line) -> Option<&str> {
    match &line.source {
        Source::Column(name) => Some(name),
        Source::Constant(_) | Source::Template(_) | Source::Sides { .. } | Source::Joined(_) => None,
    }
}
