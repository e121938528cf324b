//! `slipway build`: extracts to payloads and findings, and what became of every record. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::account::Digest;
use crate::assemble::payloads::{self, Batch, PayloadError};
use crate::assemble::store::{self, PayloadWriter};
use crate::assemble::{Book, Bucket, Row, Schema, Selection, assemble};
use crate::cli::BuildArgs;
use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::finding::{Finding, Severity};
use crate::ledger::{BuildStart, BuildWriter, BuiltAccount, FileCount, Input, Ledger, PayloadPlace, RunId, Verdict};
use crate::mapping::{self, Plan};
use crate::rules::{RuleContext, RuleSet};
use crate::stage;

use super::build_outcome::{BuildOutcome, Tally, buckets};
use super::extract_files::Extract;
use super::open_run::OpenRun;
use super::payload_output::PayloadOutput;
use super::quarantine;

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

/// Runs the command.
pub(super) fn execute(args: &BuildArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    if to_stdout && console.wants_json() {
        return Err(Error::Usage {
            problem: "`--json` and `--out -` both want standard output".into(),
            hint: Some("write the payloads to a file".into()),
        });
    }
    let mut open_run = OpenRun::begin(project, "build")?;
    let built = open_run.select(&args.selection).and_then(|(wave, selection)| {
        let request = BuildRequest { selection, wave, out: args.out.clone() };
        build(project, &mut open_run.ledger, open_run.run, &request, console)
    });
    let result = built.and_then(|outcome| {
        if console.wants_json() {
            console.document(&outcome)?;
        } else if to_stdout {
            console.note(&outcome.to_string());
        } else {
            console.line(&outcome.to_string())?;
        }
        Ok(if outcome.is_complete() { ExitCode::Complete } else { ExitCode::Incomplete })
    });
    open_run.end(result)
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
        if selection.limit.is_some() {
            writer.limit();
        }
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
            errors_without_account: tally.errors_without_account,
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
        let check = |account: Row<'_>, findings: &mut Vec<Finding>| {
            rules.check(account, &context, findings);
            findings.extend(self.foreign_supplier(account));
        };
        let taken = payloads::make(book, &check, |batch| {
            progress.advance(batch.accounts.len() as u64);
            if let Some(out) = &mut out {
                out.write(&batch.bytes)?;
            }
            Self::take(book, batch, writer, &mut store, tally, &mut rejected)
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
            for finding in &made.findings {
                tally.count(Some(key), finding);
            }
            if made.account > 0 && book.accounts[made.account as usize - 1] == *key {
                // The second record of one name: the account is rejected already, and counts once.
                rejected.push(made.account);
                for finding in &made.findings {
                    writer.finding(Some(key), finding)?;
                }
                continue;
            }
            let verdict = if let Some((range, digest)) = made.payload {
                tally.ready += 1;
                let place =
                    PayloadPlace { block_offset, block_bytes, start: range.start as u32, bytes: range.len() as u32 };
                Verdict::Ready { digest, payload: place }
            } else {
                tally.rejected += 1;
                rejected.push(made.account);
                Verdict::Rejected
            };
            writer.account(&BuiltAccount { key: key.clone(), verdict, findings: &made.findings })?;
        }
        tally.unlisted.extend(batch.unlisted);
        Ok(())
    }

    /// An error if the account is of a supplier whose accounts this project does not send.
    fn foreign_supplier(&self, account: Row<'_>) -> Option<Finding> {
        let supplier = &account.account_key()?.supplier;
        if self.project.target.suppliers.iter().any(|listed| **listed == **supplier) {
            return None;
        }
        Some(Finding {
            code: "supplier_not_listed".into(),
            severity: Severity::Error,
            path: "import_supplier".into(),
            message: format!("`{supplier}` is not one of `target.suppliers`, so nothing of it is sent"),
            cells: vec![account.record()],
        })
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
        for name in &self.plan.lookups {
            inputs.push(input("lookup", &directory.join("lookups").join(format!("{name}.csv")))?);
        }
        if let Some(path) = self.extract.manifest_path() {
            inputs.push(input("manifest", path)?);
        }
        let contract = &self.plan.contract;
        let edition = format!("{} {}", contract.name, contract.version);
        inputs.push(Input { role: "contract".into(), digest: contract.digest, name: edition });
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
                    digest: self.digests[&file.source.path],
                    records: file.records_read,
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
