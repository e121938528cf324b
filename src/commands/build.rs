//! `slipway build`: extracts to payloads and findings, and what became of every record. Sends nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use rayon::prelude::*;
use serde::Serialize;

use crate::account::{AccountKey, Digest};
use crate::assemble::payloads::{self, Batch, PayloadError};
use crate::assemble::store::{self, PayloadWriter};
use crate::assemble::{Book, Bucket, Schema, Selection, assemble};
use crate::cli::BuildArgs;
use crate::clock;
use crate::config::{Project, RunDate};
use crate::console::Console;
use crate::contract::Contract;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::extract::manifest::Manifest;
use crate::extract::{self, SourceFile};
use crate::finding::{Cell, Finding, Severity};
use crate::ledger::{BuildStart, BuildWriter, BuiltAccount, FileCount, Input, Ledger, PayloadPlace, RunId, Verdict};
use crate::mapping::{self, Plan};
use crate::rules::{RuleContext, RuleSet};
use crate::stage::{self, MissingFiles, StagedTable};

use super::payload_output::PayloadOutput;
use super::quarantine;
use super::session::Session;

/// How many findings of rejected accounts a summary shows.
const EXAMPLES_SHOWN: usize = 12;

/// What to build.
#[derive(Debug, Default)]
pub(super) struct BuildRequest {
    /// Which accounts.
    pub(super) selection: Selection,
    /// The wave's name, if one was given.
    pub(super) wave: Option<String>,
    /// Where the payloads go as NDJSON besides the payload store; `-` is standard output.
    pub(super) out: Option<PathBuf>,
}

/// What a build made.
#[derive(Debug, Serialize)]
pub(super) struct BuildOutcome {
    /// What "today" meant.
    pub(super) run_date: NaiveDate,
    /// Records by bucket.
    pub(super) records: BTreeMap<&'static str, u64>,
    /// Accounts with a payload.
    pub(super) ready: u64,
    /// Accounts without one.
    pub(super) rejected: u64,
    /// Findings by severity and code.
    pub(super) findings: BTreeMap<Severity, BTreeMap<Arc<str>, u64>>,
    /// Some of the errors, with their cells.
    pub(super) examples: Vec<Example>,
    /// Why nothing of this build may be sent; empty: it may.
    pub(super) blocked: Vec<String>,
    /// Rules that are off because the mapping lacks a field they need.
    pub(super) rules_off: Vec<String>,
    /// What the ledger says of the change since the build before.
    pub(super) summary: String,
}

/// One error and the account it rejects.
#[derive(Debug, Serialize)]
pub(super) struct Example {
    /// The account, if one is known.
    pub(super) account: Option<String>,
    /// The error.
    pub(super) finding: Finding,
}

impl BuildOutcome {
    /// Whether every account has a payload and no record was lost.
    #[must_use]
    pub(super) fn is_complete(&self) -> bool {
        let lost = ["quarantined", "orphaned"].iter().any(|bucket| self.records.get(bucket).is_some_and(|n| *n > 0));
        self.rejected == 0 && !lost && self.blocked.is_empty()
    }
}

/// Runs the command.
pub(super) fn execute(args: &BuildArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let mut session = Session::begin(project, "build")?;
    let built = session.select(&args.selection).and_then(|(wave, selection)| {
        let request = BuildRequest { selection, wave, out: args.out.clone() };
        build(project, &mut session.ledger, session.run, &request, console)
    });
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    let result = built.and_then(|outcome| {
        if console.wants_json() && !to_stdout {
            console.document(&outcome)?;
        } else if to_stdout {
            console.note(&outcome.to_string());
        } else {
            console.line(&outcome.to_string())?;
        }
        Ok(if outcome.is_complete() { ExitCode::Complete } else { ExitCode::Incomplete })
    });
    session.end(result)
}

/// Builds what `request` asks for, and records it in `ledger` under `run`.
pub(super) fn build(
    project: &Project,
    ledger: &mut Ledger,
    run: RunId,
    request: &BuildRequest,
    console: &Console,
) -> Result<BuildOutcome, Error> {
    let contract = Contract::built_in()?;
    let plan = Arc::new(mapping::load(&project.source.mapping, &contract).map_err(Error::Mapping)?);
    let extract = Extract::open(project, &plan)?;
    let bytes = extract.files().map(|file| file.bytes).sum();
    let progress = console.progress("build", "bytes", Some(bytes));
    let (staged, digests) = rayon::join(
        || stage::load(&plan, extract.sources.clone(), &|bytes| progress.advance(bytes)),
        || extract.digests(),
    );
    drop(progress);
    let (staged, digests) = (staged?, digests?);
    extract.check_unchanged()?;
    let promised = extract.check_manifest(&staged);
    quarantine::write(&project.state.join("quarantine"), &staged)?;
    let book = assemble(&plan, staged, &request.selection)?;
    Build { project, plan: &plan, extract: &extract, request, console, digests }.record(book, promised, ledger, run)
}

impl fmt::Display for BuildOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |bucket: &str| self.records.get(bucket).copied().unwrap_or_default();
        writeln!(f, "read       {} records, run date {}", of("read"), self.run_date)?;
        let buckets = ["quarantined", "duplicate", "orphaned", "not_selected", "filtered", "rejected", "used"];
        let buckets: Vec<String> =
            buckets.iter().map(|name| format!("{} {}", of(name), name.replace('_', " "))).collect();
        writeln!(f, "           {}", buckets.join(", "))?;
        writeln!(f, "built      {} accounts ready, {} rejected", self.ready, self.rejected)?;
        write!(f, "           {}", self.summary)?;
        for (severity, codes) in self.findings.iter().rev() {
            let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
            write!(f, "\n{:<10} {}", format!("{severity}s"), codes.join(", "))?;
        }
        for Example { account, finding } in &self.examples {
            let cell = finding.cells.first().map(|cell| format!("{cell}: ")).unwrap_or_default();
            let account = account.as_ref().map(|number| format!(" (account {number})")).unwrap_or_default();
            write!(f, "\n  {cell}{}: {}{account}", finding.code, finding.message)?;
        }
        if !self.rules_off.is_empty() {
            write!(f, "\nrules off  {}", self.rules_off.join(", "))?;
        }
        for reason in &self.blocked {
            write!(f, "\nblocked    {reason}")?;
        }
        Ok(())
    }
}

/// The files of an extract, found and checked against the mapping.
struct Extract {
    sources: Vec<Vec<SourceFile>>,
    manifest: Option<Manifest>,
    run_date: NaiveDate,
}

impl Extract {
    fn open(project: &Project, plan: &Plan) -> Result<Self, Error> {
        let source = &project.source;
        let [directory] = source.extracts.as_slice() else {
            return Err(Error::Usage {
                problem: format!("`source.extracts` names {} directories", source.extracts.len()),
                hint: Some("build from one extract directory".into()),
            });
        };
        let manifest = source.manifest.as_ref().map(|name| Manifest::read(&directory.join(name)));
        let manifest = manifest.transpose().map_err(stage::StageError::from)?;
        let run_date = match (source.run_date, &manifest) {
            (RunDate::On(date), _) => date,
            (RunDate::Today, _) => clock::london_date(clock::now()),
            (RunDate::Manifest, Some(Manifest { extract_date: Some(date), .. })) => *date,
            (RunDate::Manifest, _) => {
                return Err(Error::Usage {
                    problem: "`source.run_date` is \"manifest\", and no manifest tells an EXTRACT_DATE".into(),
                    hint: Some("name the manifest by `source.manifest`, or set `source.run_date` to a date".into()),
                });
            }
        };
        let sources = stage::find_sources(plan, directory, MissingFiles::AreErrors)?;
        Ok(Self { sources, manifest, run_date })
    }

    fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.sources.iter().flatten()
    }

    fn digests(&self) -> Result<BTreeMap<PathBuf, Digest>, Error> {
        let files: Vec<&SourceFile> = self.files().collect();
        let digests = files.into_par_iter().map(|file| Ok((file.path.clone(), extract::digest(&file.path)?)));
        digests.collect::<Result<_, extract::ExtractError>>().map_err(|error| stage::StageError::from(error).into())
    }

    /// Nobody wrote to a file while it was read.
    fn check_unchanged(&self) -> Result<(), Error> {
        for file in self.files() {
            file.check_unchanged().map_err(stage::StageError::from)?;
        }
        Ok(())
    }

    /// What the sender promised and did not send.
    fn check_manifest(&self, staged: &[StagedTable]) -> Vec<Finding> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let name: Arc<str> = manifest.path.file_name().unwrap_or_default().to_string_lossy().into();
        let read: BTreeMap<&str, u64> = staged
            .iter()
            .flat_map(|table| &table.files)
            .map(|file| (&*file.source.name, u64::from(file.rows)))
            .collect();
        let finding = |line: u64, severity, message| Finding {
            code: "control_total_mismatch".into(),
            severity,
            path: String::new(),
            message,
            cells: vec![Cell { file: name.clone(), record: line - 1, line, column: Some("RECORD_COUNT".into()) }],
        };
        let promised = manifest.records.iter().filter_map(|(file, (records, line))| match read.get(file.as_str()) {
            Some(found) if found == records => None,
            Some(found) => {
                let message = format!("the sender wrote {records} records into {file}, and {found} were read");
                Some(finding(*line, Severity::Error, message))
            }
            None => {
                let message = format!("the manifest names {file}, which no table of the mapping reads");
                Some(finding(*line, Severity::Warning, message))
            }
        });
        promised.collect()
    }
}

/// A book being written to the ledger.
struct Build<'b> {
    project: &'b Project,
    plan: &'b Arc<Plan>,
    extract: &'b Extract,
    request: &'b BuildRequest,
    console: &'b Console,
    digests: BTreeMap<PathBuf, Digest>,
}

impl Build<'_> {
    fn record(
        &self,
        mut book: Book,
        promised: Vec<Finding>,
        ledger: &mut Ledger,
        run: RunId,
    ) -> Result<BuildOutcome, Error> {
        let selection = &self.request.selection;
        let start = BuildStart {
            run_date: self.extract.run_date,
            wave: self.request.wave.clone(),
            selection_is_whole: selection.accounts.is_none() && selection.limit.is_none(),
            inputs: self.inputs()?,
        };
        let mut writer = ledger.begin_build(run, &start)?;
        let mut tally = Tally::default();
        let rejected = self.make(&book, &mut writer, &mut tally)?;
        for account in rejected {
            book.reject(account);
        }
        let mut blocked: Vec<String> =
            promised.iter().filter(|f| f.severity == Severity::Error).map(|f| f.message.clone()).collect();
        blocked.extend(
            book.stopped_by
                .iter()
                .map(|table| format!("a record of table `{table}` is lost, and the mapping says on_lost = \"stop\"")),
        );
        let without_account =
            promised.into_iter().chain(std::mem::take(&mut book.findings)).chain(self.unlisted(&tally));
        for finding in without_account {
            tally.count(None, &finding);
            writer.finding(None, &finding)?;
        }
        let mut records = BTreeMap::new();
        for file in self.file_counts(&book) {
            for (bucket, count) in buckets(&file) {
                *records.entry(bucket).or_insert(0) += count;
            }
            writer.file(&file)?;
        }
        writer.block(&blocked)?;
        let wanted: Vec<String> = writer.wanted_payloads()?.iter().map(ToString::to_string).collect();
        let summary = writer.finish()?;
        // Only now that the ledger no longer names them.
        store::prune(&self.project.state.join("payloads"), &wanted)?;
        Ok(BuildOutcome {
            run_date: self.extract.run_date,
            records,
            ready: tally.ready,
            rejected: tally.rejected,
            findings: tally.findings,
            examples: tally.examples,
            blocked,
            rules_off: tally.rules_off,
            summary: format!(
                "{} unchanged, {} changed before sending, {} changed after acceptance, {} withdrawn, {} held",
                summary.unchanged,
                summary.changed_before_sending,
                summary.changed_after_acceptance,
                summary.withdrawn,
                summary.held
            ),
        })
    }

    /// Makes every payload; gives the accounts that have none.
    fn make(&self, book: &Book, writer: &mut BuildWriter<'_>, tally: &mut Tally) -> Result<Vec<u32>, Error> {
        let rules = RuleSet::bind(&Schema::new(self.plan.clone()));
        let context = RuleContext { run_date: self.extract.run_date };
        let mut store = PayloadWriter::create(&self.project.state.join("payloads"), &writer.id().to_string())?;
        let mut out = self.request.out.as_deref().map(PayloadOutput::create).transpose()?;
        let mut rejected = Vec::new();
        let progress = self.console.progress("check", "accounts", Some(book.accounts.len() as u64));
        let taken = payloads::make(book, &|account, findings| rules.check(account, &context, findings), |batch| {
            progress.advance(batch.accounts.len() as u64);
            if let Some(out) = &mut out {
                out.write(&batch.bytes)?;
            }
            self.take(book, batch, writer, &mut store, tally, &mut rejected)
        });
        taken.map_err(|error| match error {
            PayloadError::Stage(error) => Error::Stage(error),
            PayloadError::Store(error) => Error::Store(error),
            PayloadError::Taker(error) => error,
        })?;
        store.finish()?;
        if let Some(out) = out {
            out.finish()?;
        }
        tally.rules_off = rules.off().iter().map(|rule| (*rule).to_owned()).collect();
        for notice in rules.notices() {
            tally.count(None, &notice);
            writer.finding(None, &notice)?;
        }
        Ok(rejected)
    }

    fn take(
        &self,
        book: &Book,
        batch: Batch,
        writer: &mut BuildWriter<'_>,
        store: &mut PayloadWriter,
        tally: &mut Tally,
        rejected: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let (block_offset, block_bytes) = store.append(&batch.block)?;
        for made in batch.accounts {
            let key = &book.accounts[made.account as usize];
            let sendable = self.project.target.suppliers.iter().any(|supplier| **supplier == *key.supplier);
            let mut findings = made.findings;
            if !sendable {
                findings.push(foreign_supplier(key, book, made.account));
            }
            for finding in &findings {
                tally.count(Some(key), finding);
            }
            let verdict = if let Some((range, digest)) = made.payload.filter(|_| sendable) {
                tally.ready += 1;
                let place =
                    PayloadPlace { block_offset, block_bytes, start: range.start as u32, bytes: range.len() as u32 };
                Verdict::Ready { digest, payload: place }
            } else {
                tally.rejected += 1;
                rejected.push(made.account);
                Verdict::Rejected
            };
            writer.account(&BuiltAccount { key: key.clone(), verdict, findings: &findings })?;
        }
        tally.unlisted.extend(batch.unlisted);
        Ok(())
    }

    /// What the build is made from besides the extract files.
    fn inputs(&self) -> Result<Vec<Input>, Error> {
        let input = |role: &str, path: &Path| -> Result<Input, Error> {
            let bytes = std::fs::read(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Input { role: role.to_owned(), name, digest: Digest::of(&bytes) })
        };
        let directory = &self.project.source.mapping;
        let mut inputs = vec![input("mapping", &directory.join("mapping.toml"))?];
        let mut lookups: Vec<PathBuf> = std::fs::read_dir(directory.join("lookups"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
            .collect();
        lookups.sort();
        for path in lookups {
            inputs.push(input("lookup", &path)?);
        }
        let contract = &self.plan.contract;
        let edition = format!("{} {}", contract.name, contract.version);
        inputs.push(Input { role: "contract".into(), digest: Digest::of(edition.as_bytes()), name: edition });
        let run_date = self.extract.run_date.to_string();
        inputs.push(Input { role: "run_date".into(), digest: Digest::of(run_date.as_bytes()), name: run_date });
        Ok(inputs)
    }

    /// One notice for each field with values that are not on a list the contract knows to be the tenant's own.
    fn unlisted(&self, tally: &Tally) -> Vec<Finding> {
        let fields: BTreeSet<&String> = self.plan.unlisted.iter().chain(&tally.unlisted).collect();
        let notice = |path: &String| Finding {
            code: "not_reference_value".into(),
            severity: Severity::Notice,
            path: path.clone(),
            message: "some values are not on the list the tenant has published; the tenant may know more".into(),
            cells: Vec::new(),
        };
        fields.into_iter().map(notice).collect()
    }

    fn file_counts(&self, book: &Book) -> Vec<FileCount> {
        let mut counts = Vec::new();
        for (number, table) in book.tables.iter().enumerate() {
            for file in &table.files {
                let rows = file.first_row as usize..(file.first_row + file.rows) as usize;
                let mut by_bucket = [0_u64; 7];
                for bucket in &book.buckets[number][rows] {
                    by_bucket[*bucket as usize] += 1;
                }
                let of = |bucket: Bucket| by_bucket[bucket as usize];
                counts.push(FileCount {
                    file: file.source.name.to_string(),
                    table: self.plan.tables[number].name.to_string(),
                    bytes: file.source.bytes,
                    digest: self.digests.get(&file.source.path).copied().unwrap_or(Digest([0; 32])),
                    records: u64::from(file.rows),
                    quarantined: of(Bucket::Quarantined),
                    duplicate: of(Bucket::Duplicate),
                    orphaned: of(Bucket::Orphaned),
                    not_selected: of(Bucket::NotSelected),
                    filtered: of(Bucket::Filtered),
                    rejected: of(Bucket::Rejected),
                    used: of(Bucket::Used),
                });
            }
        }
        counts
    }
}

fn buckets(file: &FileCount) -> [(&'static str, u64); 8] {
    [
        ("read", file.records),
        ("quarantined", file.quarantined),
        ("duplicate", file.duplicate),
        ("orphaned", file.orphaned),
        ("not_selected", file.not_selected),
        ("filtered", file.filtered),
        ("rejected", file.rejected),
        ("used", file.used),
    ]
}

fn foreign_supplier(key: &AccountKey, book: &Book, account: u32) -> Finding {
    let table = book.plan.entities[0].table;
    let row = book.entities[0].rows[account as usize];
    Finding {
        code: "supplier_not_listed".into(),
        severity: Severity::Error,
        path: "import_supplier".into(),
        message: format!("`{}` is not one of `target.suppliers`, so nothing of it is sent", key.supplier),
        cells: vec![book.tables[table].cell(row, None)],
    }
}

/// What a build counts on its way.
#[derive(Default)]
struct Tally {
    ready: u64,
    rejected: u64,
    findings: BTreeMap<Severity, BTreeMap<Arc<str>, u64>>,
    examples: Vec<Example>,
    exemplified: HashSet<Arc<str>>,
    unlisted: BTreeSet<String>,
    rules_off: Vec<String>,
}

impl Tally {
    fn count(&mut self, account: Option<&AccountKey>, finding: &Finding) {
        *self.findings.entry(finding.severity).or_default().entry(finding.code.clone()).or_insert(0) += 1;
        // One of each kind tells more than many of one.
        let wanted = finding.severity == Severity::Error || account.is_none() && finding.severity == Severity::Warning;
        if wanted && self.examples.len() < EXAMPLES_SHOWN && self.exemplified.insert(finding.code.clone()) {
            let account = account.map(|key| key.number.to_string());
            self.examples.push(Example { account, finding: finding.clone() });
        }
    }
}
