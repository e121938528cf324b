//! What a command says: data on standard output, notes on standard error.
//!
//! With `--json`, standard output is exactly one JSON document. A reader that goes away (`| head`) is no error.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::cli::CommonArgs;
use crate::config::wants_no_colours;
use crate::error::Error;
use crate::progress::{Mode, Progress, Screen};

/// Where a command writes.
#[derive(Debug)]
pub struct Console {
    json: bool,
    quiet: bool,
    screen: Screen,
    has_written: AtomicBool,
}

impl Console {
    /// The console that the common flags ask for.
    #[must_use]
    pub fn new(common: &CommonArgs) -> Self {
        let mode = match (common.quiet, common.no_progress) {
            (true, _) | (_, true) => Mode::Silent,
            _ if io::stderr().is_terminal() => Mode::Bars,
            _ => Mode::Lines,
        };
        Self { json: common.json, quiet: common.quiet, screen: Screen::new(mode), has_written: AtomicBool::new(false) }
    }

    /// Whether `--json` was given: whether the one thing to write is a JSON document.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether what is written to standard output may have colours and drawn lines.
    #[must_use]
    pub fn wants_colours(&self) -> bool {
        self.is_terminal() && !wants_no_colours()
    }

    /// Standard error, for the log.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Starts to show how far `stage` is.
    #[must_use]
    pub fn progress(&self, stage: &'static str, unit: &'static str, total: Option<u64>) -> Progress {
        self.screen.start(stage, unit, total)
    }

    /// A note to the user; nothing with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.screen.print(format!("{text}\n").as_bytes());
        }
    }

    /// A warning to the user, also with `--quiet`.
    pub fn warn(&self, text: &str) {
        self.screen.print(format!("warning: {text}\n").as_bytes());
    }

    /// Writes `text` and a line break to standard output.
    pub fn line(&self, text: &str) -> Result<(), Error> {
        self.write(|out| writeln!(out, "{text}"))
    }

    /// Writes `document` to standard output as JSON, indented.
    pub fn document<T: Serialize>(&self, document: &T) -> Result<(), Error> {
        self.write(|out| {
            serde_json::to_writer_pretty(&mut *out, document)?;
            out.write_all(b"\n")
        })
    }

    /// Lets `write` write to standard output, which is buffered.
    pub fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        self.has_written.store(true, Ordering::Relaxed);
        let mut out = io::BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| Error::Output { place: "standard output".to_owned(), source }),
        }
    }

    /// Tells the user why a command stopped, and what to do next. With `--json`, the one document is the error's, if
    /// there is none yet.
    pub fn error(&self, error: &Error) {
        let message = with_causes(error);
        let hint = error.hint();
        let mut text = format!("error: {message}\n");
        if let Some(hint) = &hint {
            text.push_str("\nhint: ");
            text.push_str(hint);
            text.push('\n');
        }
        self.screen.print(text.as_bytes());
        if self.json && !self.has_written.load(Ordering::Relaxed) {
            let exit_code = error.exit_code().number();
            let document = serde_json::json!({"error": {"message": message, "hint": hint, "exit_code": exit_code}});
            // Standard error has it already; a second failure has nobody left to tell.
            let _ = self.document(&document);
        }
    }
}

/// The message of `error`, then those of its causes, each once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let source = io::Error::other("disk full");
        let error = Error::Output { place: "report.html".to_owned(), source };
        assert_eq!(with_causes(&error), "cannot write report.html: disk full");
    }
}
