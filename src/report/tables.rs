//! The report's tables: what a workbook has a sheet for, and a folder of CSV files a file.
//!
//! The counts of the report itself come first, then every view of the ledger, whole, row by row and with its own column
//! names. A form takes them through [`TableSink`]; a table never is in memory.

use std::io;

use crate::ledger::tables::{Field, RowSink, View};
use crate::ledger::{Ledger, LedgerError};

use super::RunReport;

/// Why a report's tables could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// They can't be written.
    #[error("the tables of the report can't be written")]
    Output(#[from] io::Error),
}

/// A form that tables are written in.
pub(super) trait TableSink {
    /// A table begins.
    fn begin(&mut self, name: &str, columns: &[&str]) -> io::Result<()>;
    /// A row of it.
    fn row(&mut self, fields: &[Field<'_>]) -> io::Result<()>;
    /// It ends.
    fn end(&mut self) -> io::Result<()>;
}

/// Hands the rows of a view to a form.
struct Rows<'s> {
    name: &'static str,
    sink: &'s mut dyn TableSink,
}

impl RowSink<TableError> for Rows<'_> {
    fn columns(&mut self, names: &[&str]) -> Result<(), TableError> {
        Ok(self.sink.begin(self.name, names)?)
    }

    fn row(&mut self, fields: &[Field<'_>]) -> Result<(), TableError> {
        Ok(self.sink.row(fields)?)
    }
}

impl RunReport {
    /// Hands every table to `sink`.
    pub(super) fn write_tables(&self, ledger: &Ledger, sink: &mut dyn TableSink) -> Result<(), TableError> {
        self.write_own(sink)?;
        for view in View::ALL {
            ledger.each_row(view, &mut Rows { name: view.name(), sink: &mut *sink })?;
            sink.end()?;
        }
        Ok(())
    }

    fn write_own(&self, sink: &mut dyn TableSink) -> io::Result<()> {
        let text = Field::Text;
        let number = |count: u64| Field::Integer(count as i64);
        table(
            sink,
            "thresholds",
            &["threshold", "found", "asked_for", "met"],
            self.verdict.gates.iter().map(|gate| {
                vec![text(gate.title), text(&gate.found), text(&gate.limit), Field::Integer(gate.met.into())]
            }),
        )?;
        table(
            sink,
            "funnel",
            &["step", "unit", "count"],
            self.funnel.iter().map(|step| vec![text(step.step), text(step.unit), number(step.count)]),
        )?;
        table(
            sink,
            "states",
            &["state", "accounts"],
            self.states.iter().map(|count| vec![text(count.state.as_str()), number(count.accounts)]),
        )?;
        table(
            sink,
            "waves",
            &["wave", "listed", "state", "accounts"],
            self.waves.iter().flat_map(|wave| {
                wave.accounts.iter().map(|(state, accounts)| {
                    vec![text(&wave.wave), number(wave.listed), text(state.as_str()), number(*accounts)]
                })
            }),
        )?;
        let buckets = self.timeline.iter().flat_map(|timeline| &timeline.buckets);
        let or_empty = |ms: Option<u64>| ms.map_or(Field::Empty, number);
        let columns = ["at", "creates", "statuses", "others", "faults", "median_ms", "p95_ms", "longest_ms"];
        table(
            sink,
            "timeline",
            &columns,
            buckets.map(|bucket| {
                let counts = [bucket.creates, bucket.statuses, bucket.others, bucket.faults].map(number);
                let durations = [bucket.median_ms, bucket.p95_ms, bucket.longest_ms].map(or_empty);
                [text(&bucket.at)].into_iter().chain(counts).chain(durations).collect()
            }),
        )?;
        table(
            sink,
            "requests",
            &["kind", "outcome", "exchanges", "longest_ms"],
            self.exchanges
                .iter()
                .map(|row| vec![text(&row.kind), text(&row.outcome), number(row.exchanges), number(row.longest_ms)]),
        )?;
        self.write_rule_tables(sink)
    }

    fn write_rule_tables(&self, sink: &mut dyn TableSink) -> io::Result<()> {
        let text = Field::Text;
        let number = |count: u64| Field::Integer(count as i64);
        let agreement = &self.rules.agreement;
        let of = [agreement.accounts, agreement.accounts_caught, agreement.refusals, agreement.caught];
        let columns = ["accounts_refused", "accounts_caught", "refusals", "refusals_caught"];
        table(sink, "rule_agreement", &columns, [of.map(number).to_vec()].into_iter())?;
        let columns =
            ["code", "path", "accounts", "refusals", "example_supplier", "example_account", "example_path", "message"];
        table(
            sink,
            "missed_refusals",
            &columns,
            agreement.misses.iter().map(|miss| {
                let example = [&miss.example_supplier, &miss.example_account, &miss.example_path, &miss.message];
                let counts = [number(miss.accounts), number(miss.refusals)];
                [text(&miss.code), text(&miss.path)]
                    .into_iter()
                    .chain(counts)
                    .chain(example.map(|cell| text(cell)))
                    .collect()
            }),
        )?;
        table(
            sink,
            "rule_overrides",
            &["rule", "severity", "accounts", "guard_is_down"],
            self.rules.overrides.iter().map(|overridden| {
                let row = &overridden.row;
                let down = Field::Integer(overridden.guard_is_down.into());
                vec![text(&row.rule), text(&row.severity), number(row.accounts), down]
            }),
        )
    }
}

fn table<'r>(
    sink: &mut dyn TableSink,
    name: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Field<'r>>>,
) -> io::Result<()> {
    sink.begin(name, columns)?;
    for row in rows {
        sink.row(&row)?;
    }
    sink.end()
}

/// Whether a spreadsheet would take `text` for a formula or a command.
pub(super) fn looks_like_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
