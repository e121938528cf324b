//! The program's log: events on standard error, as text or as one JSON object a line.
//!
//! The log is for finding out what went on inside; what a user must know is a note of the
//! [`Console`](crate::console::Console). It holds codes, paths, counts and account numbers, never the text of a cell.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogOptions;
use crate::progress::Screen;

/// What is logged when nobody says otherwise.
const DEFAULT_FILTER: &str = "warn";

/// Starts the log on `screen`, so that events and bars do not overwrite each other.
///
/// A second call changes nothing. A filter that can't be read is the default one, and the log says so.
pub fn start(options: &LogOptions, screen: &Screen) {
    let wanted = options.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let (filter, problem) = match EnvFilter::try_new(wanted) {
        Ok(filter) => (filter, None),
        Err(problem) => (EnvFilter::new(DEFAULT_FILTER), Some(problem)),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(ScreenWriter(screen.clone()));
    let started = if options.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    if let (Ok(()), Some(problem)) = (started, problem) {
        tracing::warn!(%problem, "the log filter can't be read; it is `{DEFAULT_FILTER}` instead");
    }
}

/// Writes each event in one go, between two drawings of the bars.
struct ScreenWriter(Screen);

impl<'a> MakeWriter<'a> for ScreenWriter {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event { screen: self.0.clone(), text: Vec::new() }
    }
}

struct Event {
    screen: Screen,
    text: Vec<u8>,
}

impl io::Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.screen.print(&self.text);
        }
    }
}
