//! What the sender promised of the files, held against what was read; and promises that need not be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::Error;
use crate::extract::control::Comparison;
use crate::extract::manifest::Manifest;
use crate::finding::{Cell, Finding, Severity};
use crate::ledger::control::{ControlTotal, Waiver};
use crate::stage::Stage;
use crate::stage::promised::{Counted, Wanted};

/// A promise, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    /// As the ledger keeps it; none: it is no number, or nobody promised anything.
    pub(super) total: Option<ControlTotal>,
    /// What is to be told of it; none: it is kept.
    pub(super) finding: Option<Finding>,
}

/// What `manifest` promises beside records, and is to be counted.
pub(super) fn wanted(manifest: &Manifest) -> Wanted {
    let mut wanted = Wanted::default();
    for (file, sums) in &manifest.sums {
        wanted.0.entry(file.clone()).or_default().sums = sums.iter().map(|sum| sum.column.clone()).collect();
    }
    for file in manifest.accounts.keys() {
        wanted.0.entry(file.clone()).or_default().accounts = true;
    }
    wanted
}

/// What became of the promises of `manifest`.
pub(super) fn compare(manifest: &Manifest, stage: &Stage) -> Vec<Promise> {
    // Tables that take records by their types share a file; rows that are made of another table's records are none.
    let mut read: BTreeMap<&str, (u64, Counted)> = BTreeMap::new();
    let tables = stage.plan.tables.iter().zip(&stage.tables).filter(|(plan, _)| plan.of.is_none());
    for file in tables.flat_map(|(_, table)| &table.files) {
        let (records, counted) = read.entry(&file.source.name).or_default();
        *records += file.records_read;
        counted.merge(&file.counted);
    }
    let mut promises = Vec::new();
    for (name, (promised, line)) in &manifest.records {
        let place = Place { manifest, line: *line };
        let Some((found, counted)) = read.get(name.as_str()) else {
            promises.push(Promise { total: None, finding: Some(place.without_file(name)) });
            continue;
        };
        let message = format!("the sender wrote {promised} records into {name}, and {found} were read");
        promises.push(place.promise(
            (name, "records"),
            promised.to_string(),
            Some(found.to_string()),
            "RECORD_COUNT",
            message,
        ));
        promises.extend(place.accounts(name, counted));
        promises.extend(place.sums(name, counted));
    }
    let unpromised: BTreeSet<&&str> = read.keys().filter(|file| !manifest.records.contains_key(**file)).collect();
    promises.extend(unpromised.into_iter().map(|file| Promise {
        total: None,
        finding: Some(Finding {
            cells: vec![Cell { file: (**file).into(), record: 0, line: 1, column: None }],
            ..finding(Severity::Warning, format!("{file} is read, and the manifest does not name it"))
        }),
    }));
    promises
}

/// What a control record of `file` promises: `records` or a column as with a manifest, or `trailer` where there is
/// nothing to count. `names` are those given so far: several of one name are told apart as `trailer 2`.
pub(super) fn of_control(file: &Arc<str>, told: Comparison, names: &mut BTreeMap<(Arc<str>, String), u32>) -> Promise {
    let Comparison { line, total, disagreement } = told;
    let agrees = disagreement.is_none();
    let finding = disagreement.map(|message| Finding {
        cells: vec![Cell { file: file.clone(), record: 0, line: line + 1, column: None }],
        ..finding(Severity::Error, format!("{file}: {message}"))
    });
    let (name, promised, counted) = match total {
        Some(total) => (total.name, total.promised, total.counted),
        None => ("trailer".into(), finding.as_ref().map_or_else(String::new, |told| told.message.clone()), None),
    };
    let times = names.entry((file.clone(), name.clone())).or_default();
    *times += 1;
    let total = if *times == 1 { name } else { format!("{name} {times}") };
    let (file, origin) = (file.to_string(), "trailer".to_owned());
    let total = ControlTotal { file, origin, total, promised, counted, agrees, waived: None };
    Promise { total: Some(total), finding }
}

/// A line of the manifest.
struct Place<'m> {
    manifest: &'m Manifest,
    line: u64,
}

impl Place<'_> {
    fn cell(&self, column: &str) -> Cell {
        let file: Arc<str> = self.manifest.path.file_name().unwrap_or_default().to_string_lossy().into();
        Cell { file, record: self.line - 1, line: self.line, column: Some(column.into()) }
    }

    fn promise(
        &self,
        (file, total): (&str, &str),
        promised: String,
        counted: Option<String>,
        column: &str,
        message: String,
    ) -> Promise {
        let agrees = counted.as_ref() == Some(&promised);
        let told = || Finding { cells: vec![self.cell(column)], ..finding(Severity::Error, message) };
        Promise {
            finding: (!agrees).then(told),
            total: Some(ControlTotal {
                file: file.to_owned(),
                origin: "manifest".into(),
                total: total.to_owned(),
                promised,
                counted,
                agrees,
                waived: None,
            }),
        }
    }

    fn without_file(&self, name: &str) -> Finding {
        let cells = vec![self.cell("RECORD_COUNT")];
        if self.manifest.path.with_file_name(name).exists() {
            let message = format!("the manifest names {name}, which no table of the mapping reads");
            return Finding { cells, ..finding(Severity::Warning, message) };
        }
        Finding { cells, ..finding(Severity::Error, format!("the manifest names {name}, which is not there")) }
    }

    fn accounts(&self, name: &str, counted: &Counted) -> Option<Promise> {
        let promised = self.manifest.accounts.get(name)?;
        let found = counted.accounts.unwrap_or_default();
        let message = format!("the sender wrote of {promised} accounts into {name}, and its records belong to {found}");
        let total = (name, "accounts");
        Some(self.promise(total, promised.to_string(), Some(found.to_string()), "ACCOUNT_COUNT", message))
    }

    fn sums<'p>(&'p self, name: &'p str, counted: &'p Counted) -> impl Iterator<Item = Promise> + 'p {
        let promised = self.manifest.sums.get(name).into_iter().flatten();
        promised.map(move |promised| {
            let column = &promised.column;
            let (found, message) = match counted.sums.get(column) {
                None => (None, format!("the manifest promises a sum of column {column} of {name}, which has no such column")),
                Some(sum) if sum.unreadable > 0 => {
                    let cells = sum.unreadable;
                    (None, format!("column {column} of {name} cannot be added up: {cells} of its cells are no numbers"))
                }
                Some(sum) => {
                    let found = sum.total.sum.to_string();
                    let text = promised.sum.to_string();
                    let message = format!(
                        "the sender says that column {column} of {name} comes to {text}, and its cells come to {found}: \
                         the difference is {}",
                        sum.total.sum - promised.sum
                    );
                    (Some(found), message)
                }
            };
            self.promise((name, column), promised.sum.to_string(), found, "SUM", message)
        })
    }
}

fn finding(severity: Severity, message: String) -> Finding {
    Finding { code: "control_total_mismatch".into(), severity, path: String::new(), message, cells: Vec::new() }
}

/// Waives what `names` name, each `FILE:TOTAL`, and whatever was waived before with the same numbers; gives what is
/// waived anew. A waived disagreement is a warning.
pub(super) fn waive(
    promises: &mut [Promise],
    known: &[Waiver],
    names: &[String],
    reason: &str,
) -> Result<Vec<Waiver>, Error> {
    let mut anew = Vec::new();
    let mut unused: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut open = Vec::new();
    for Promise { total, finding } in promises.iter_mut() {
        let Some((total, finding)) = total.as_mut().zip(finding.as_mut()).filter(|(total, _)| !total.agrees) else {
            continue;
        };
        let name = format!("{}:{}", total.file, total.total);
        let waiver = Waiver {
            file: total.file.clone(),
            total: total.total.clone(),
            promised: total.promised.clone(),
            counted: total.counted.clone().unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let before = known.iter().find(|known| Waiver { reason: reason.to_owned(), ..(*known).clone() } == waiver);
        // A manifest and a trailer may promise the same, and are waived alike.
        let reason = if names.contains(&name) {
            unused.remove(name.as_str());
            if !anew.contains(&waiver) {
                anew.push(waiver.clone());
            }
            waiver.reason
        } else if let Some(before) = before {
            before.reason.clone()
        } else {
            open.push(name);
            continue;
        };
        finding.severity = Severity::Warning;
        finding.message = format!("{}; waived: {reason}", finding.message);
        total.waived = Some(reason);
    }
    if let Some(name) = unused.first() {
        let hint = if open.is_empty() {
            "there is none that disagrees".to_owned()
        } else {
            format!("these disagree: {}", open.join(", "))
        };
        return Err(Error::Usage {
            problem: format!("`--waive {name}` names no control total that disagrees"),
            hint: Some(hint),
        });
    }
    Ok(anew)
}
