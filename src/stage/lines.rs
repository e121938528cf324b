//! Which physical line a record starts on: a sparse index, one entry wherever records and lines fall out of step.

use serde::{Deserialize, Serialize};

/// The lines of one file's records.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct LineIndex {
    /// (record counted from 0, its line counted from 0), ascending.
    steps: Vec<(u64, u64)>,
}

impl LineIndex {
    /// Notes that record `record` starts on line `line`, both counted from 0; records come in order.
    pub fn note(&mut self, record: u64, line: u64) {
        let expected = self.steps.last().map(|(known, line)| line + (record - known));
        if expected != Some(line) {
            self.steps.push((record, line));
        }
    }

    /// The line of record `record`, both counted from 0.
    #[must_use]
    pub fn line(&self, record: u64) -> u64 {
        let after = self.steps.partition_point(|(known, _)| *known <= record);
        match after.checked_sub(1).map(|at| self.steps[at]) {
            Some((known, line)) => line + (record - known),
            None => record,
        }
    }

    /// The entries of `later`, moved by `records` and `lines`, after these.
    pub fn append(&mut self, later: &Self, records: u64, lines: u64) {
        for (record, line) in &later.steps {
            self.note(records + record, lines + line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_out_of_line_are_kept() {
        let mut index = LineIndex::default();
        for (record, line) in [(0, 1), (1, 2), (2, 5), (3, 6)] {
            index.note(record, line);
        }
        assert_eq!(index.steps, [(0, 1), (2, 5)]);
        let mut all = LineIndex::default();
        all.append(&index, 0, 0);
        all.append(&index, 4, 7);
        assert_eq!([all.line(0), all.line(3), all.line(4), all.line(7)], [1, 6, 8, 13]);
    }
}
