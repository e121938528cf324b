//! The report as one JSON document, for programs.
//!
//! Its fields are those of [`RunReport`]. They are a public interface: a field may be added, none changes its meaning.

use std::io::{self, Write};

use super::RunReport;

impl RunReport {
    /// Writes the report as JSON, indented, with a line break at its end.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }
}
