//! A problem shown where it stands: the line of the file, a caret below it, and what to do. The only user of miette.

use std::collections::HashMap;
use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::finding::Severity;
use crate::mapping::Problem;

/// Shows problems; remembers the files that they stand in.
#[derive(Debug)]
pub struct Excerpts {
    handler: GraphicalReportHandler,
    texts: HashMap<String, Option<String>>,
}

impl Excerpts {
    /// In colours and with drawn lines, or in plain ASCII for files, pipes and whoever wants no colours.
    #[must_use]
    pub fn new(colours: bool) -> Self {
        let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_links(false).with_wrap_lines(false).with_context_lines(1);
        Self { handler, texts: HashMap::new() }
    }

    /// `problem` as a few lines of text, its file read for the line that it stands in.
    pub fn show(&mut self, problem: &Problem, severity: Severity) -> String {
        let place = &problem.place;
        let read = |file: &str| std::fs::read_to_string(file).ok();
        let text = self.texts.entry(place.file.to_string()).or_insert_with_key(|file| read(file)).as_deref();
        let span = text.and_then(|text| span(text, place.line, place.column));
        let shown = Shown {
            message: match span {
                Some(_) => format!("{severity}: {}", problem.message),
                None => format!("{severity}: {place}: {}", problem.message),
            },
            help: problem.help.as_deref(),
            severity,
            source: span.map(|_| NamedSource::new(&*place.file, text.unwrap_or_default().to_owned())),
            span,
        };
        let mut out = String::new();
        match self.handler.render_report(&mut out, &shown) {
            Ok(()) => out,
            // Writing to a text cannot fail; the message alone says what matters.
            Err(fmt::Error) => format!("{severity}: {problem}\n"),
        }
    }
}

/// Where the word, the quoted text or the bracket at `line` and `column` (both counted from 1) begins, in bytes, and how
/// long it is.
fn span(text: &str, line: usize, column: usize) -> Option<(usize, usize)> {
    let start = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).nth(line.checked_sub(1)?)?;
    let rest = text[start..].lines().next().unwrap_or_default();
    let at = rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at);
    Some((start + at, token(&rest[at..]).max(usize::from(at < rest.len()))))
}

fn token(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let whole = text.trim_end().len();
    match first {
        '"' | '\'' => text[1..].find(first).map_or(whole, |end| end + 2),
        '[' | '{' => {
            let mut depth = 0;
            let closes = text.char_indices().find(|(_, c)| {
                depth += match c {
                    '[' | '{' => 1,
                    ']' | '}' => -1,
                    _ => 0,
                };
                depth == 0
            });
            closes.map_or(whole, |(end, _)| end + 1)
        }
        _ => text.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).unwrap_or(text.len()),
    }
}

/// A problem as miette knows one.
#[derive(Debug)]
struct Shown<'p> {
    message: String,
    help: Option<&'p str>,
    severity: Severity,
    source: Option<NamedSource<String>>,
    span: Option<(usize, usize)>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Notice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.span.map(|(at, length)| {
            let label = LabeledSpan::new(None, at, length);
            Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_at_its_line_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mapping.toml");
        std::fs::write(&file, "[account]\ntable = \"acounts\"\n\n[account.fields]\n").unwrap();
        let name = file.display().to_string();
        let place = crate::mapping::document::Place { file: name.as_str().into(), line: 2, column: 9 };
        let help = Some("did you mean `accounts`?".to_owned());
        let problem = Problem { place, message: "no table `acounts` in this mapping".into(), help };
        let told = Excerpts::new(false).show(&problem, Severity::Error);
        for part in
            ["error: no table `acounts`", ":2:9]", "table = \"acounts\"", "^^^", "help: did you mean `accounts`?"]
        {
            assert!(told.contains(part), "{part} is missing in\n{told}");
        }
        assert!(told.is_ascii(), "plain: {told}");
        assert!(Excerpts::new(true).show(&problem, Severity::Error).contains('\u{1b}'), "coloured");
    }

    #[test]
    fn a_caret_stands_below_what_is_meant() {
        let text = "a = 1\nname = { column = \"X\", as = [\"é\", 2] }\n";
        let at = |line, column| span(text, line, column).map(|(at, length)| &text[at..at + length]);
        assert_eq!(at(1, 1), Some("a"));
        assert_eq!(at(2, 1), Some("name"));
        assert_eq!(at(2, 8), Some("{ column = \"X\", as = [\"é\", 2] }"));
        assert_eq!(at(2, 19), Some("\"X\""));
        assert_eq!(at(2, 29), Some("[\"é\", 2]"));
        assert_eq!(at(2, 99), Some(""));
        assert_eq!(at(9, 1), None);
    }
}
