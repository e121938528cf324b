//! `slipway build`: extracts to payloads and findings, and what became of every record. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::account::{AccountKey, Digest};
use crate::assemble::payloads::{self, Batch, Handed, PayloadError};
use crate::assemble::store::{self, PayloadReader, PayloadWriter};
use crate::assemble::{Books, Bucket, Buckets, Row, Schema, Selection};
use crate::cli::BuildArgs;
use crate::config::Project;
use crate::console::Console;
use crate::contract::Contract;
use crate::cut::{self, CutPoint};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::finding::{Finding, Severity};
use crate::interrupt::{self, Interrupt};
use crate::ledger::control::Waiver;
use crate::ledger::{BuildStart, BuildWriter, BuiltAccount, FileCount, Input, Ledger, PayloadPlace, RunId, Verdict};
use crate::mapping::{self, Plan};
use crate::rules::tenant::is_governed;
use crate::rules::{RuleContext, RuleSet};
use crate::stage::{Digests, Stage};
use crate::tenant::Tenant;

use super::ambiguous;
use super::book_check::{self, BookCheck, Facts};
use super::build_measures::BuildMeasures;
use super::build_outcome::{BuildOutcome, Tally, buckets};
use super::control_totals::{self, Promise};
use super::drift;
use super::extract_files::Extract;
use super::open_run::OpenRun;
use super::payload_output::PayloadOutput;
use super::quarantine;
use super::stage_extract::stage_extract;

/// What to build.
#[derive(Debug, Default)]
pub(super) struct BuildRequest {
    /// Which accounts.
    pub(super) selection: Selection,
    /// The wave's name, if one was given.
    pub(super) wave: Option<String>,
    /// Where the payloads go as NDJSON besides the payload store; `-` is standard output.
    pub(super) out: Option<PathBuf>,
    /// Control totals, each `FILE:TOTAL`, that need not agree.
    pub(super) waive: Vec<String>,
    /// Why.
    pub(super) reason: Option<String>,
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
    let interrupt = Interrupt::on_signals()?;
    let mut open_run = OpenRun::begin(project, "build")?;
    let built = open_run.select(&args.selection).and_then(|(wave, selection)| {
        open_run.compare_waves(wave.as_deref(), console)?;
        let waive = args.waive.waive.clone();
        let request = BuildRequest { selection, wave, out: args.out.clone(), waive, reason: args.reason.clone() };
        build(project, &mut open_run.ledger, open_run.run, &request, &interrupt, console)
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
///
/// An interrupt ends it at once: what is read goes into scratch files of the stage, which the next build does not take
/// for whole, and the ledger keeps a build in one transaction or not at all.
pub(super) fn build(
    project: &Project,
    ledger: &mut Ledger,
    run: RunId,
    request: &BuildRequest,
    interrupt: &Interrupt,
    console: &Console,
) -> Result<BuildOutcome, Error> {
    let contract = Contract::load(&project.target.contract)?;
    let plan = Arc::new(mapping::load(&project.source.mapping, &contract).map_err(Error::Mapping)?);
    let extract = Extract::open(project, &plan)?;
    let tenant = Tenant::load(&project.reference, &project.target.settings).map_err(Error::Reference)?;
    let mut inputs = inputs(project, &plan, &extract)?;
    inputs.extend(tenants_inputs(project, &tenant));
    let leave = || {
        let error = Error::Interrupted { doing: "read the extract" };
        // If the ledger can't be written to, the run is one without an end, as that of a killed process is.
        let _ = ledger.finish_run(run, i32::from(error.exit_code().number()));
        console.error(&error);
        interrupt::quit();
    };
    let (stage, digests) = interrupt.watch(leave, || stage_extract(project, &plan, &extract, &inputs, console))?;
    let mut promises = extract.promises(&stage);
    let reason = request.reason.as_deref().unwrap_or_default();
    let waivers = control_totals::waive(&mut promises, &ledger.waivers()?, &request.waive, reason)?;
    quarantine::write(&project.state.join("quarantine"), &stage)?;
    let (plan, tenant, extract, stage) = (&plan, &tenant, &extract, &stage);
    Build { project, plan, tenant, extract, stage, request, interrupt, console, inputs, digests }.record(
        (&promises, &waivers),
        ledger,
        run,
    )
}

/// What the build is made from besides the extract files.
fn inputs(project: &Project, plan: &Plan, extract: &Extract) -> Result<Vec<Input>, Error> {
    let input = |role: &str, path: &Path| -> Result<Input, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Input { role: role.to_owned(), name, digest: Digest::of(&bytes) })
    };
    let directory = &project.source.mapping;
    let mut inputs = vec![input("mapping", &directory.join("mapping.toml"))?];
    for name in &plan.lookups {
        inputs.push(input("lookup", &directory.join("lookups").join(format!("{name}.csv")))?);
    }
    if let Some(path) = extract.manifest_path() {
        inputs.push(input("manifest", path)?);
    }
    let edition = &plan.contract.edition;
    let name = format!("{} {}", edition.name, edition.version);
    inputs.push(Input { role: "contract".into(), digest: edition.digest, name });
    let run_date = extract.run_date.to_string();
    inputs.push(Input { role: "run_date".into(), digest: Digest::of(run_date.as_bytes()), name: run_date });
    Ok(inputs)
}

/// What the build is made from that is the tenant's, or the project's own judgement of rules: role, name and digest of
/// each list, setting and override. The name of an override is all there is to it, so that reports can tell it.
fn tenants_inputs(project: &Project, tenant: &Tenant) -> Vec<Input> {
    let input = |role: &str, name: String, digest| Input { role: role.into(), name, digest };
    let lists = tenant.digests().map(|(key, digest)| input("reference", key.to_owned(), digest));
    let set = tenant.settings.set().into_iter();
    let settings = set.map(|(shown, all)| input("setting", shown, Digest::of(all.as_bytes())));
    let overrides = project.overrides.0.iter().map(|(rule, is)| {
        let name = format!("{rule} = {}", is.as_str());
        input("rule", name.clone(), Digest::of(name.as_bytes()))
    });
    lists.chain(settings).chain(overrides).collect()
}

/// A build being written to the ledger.
struct Build<'b> {
    project: &'b Project,
    plan: &'b Arc<Plan>,
    tenant: &'b Tenant,
    extract: &'b Extract,
    stage: &'b Stage,
    request: &'b BuildRequest,
    interrupt: &'b Interrupt,
    console: &'b Console,
    inputs: Vec<Input>,
    digests: Digests,
}

impl Build<'_> {
    fn record(
        &self,
        (promises, waivers): (&[Promise], &[Waiver]),
        ledger: &mut Ledger,
        run: RunId,
    ) -> Result<BuildOutcome, Error> {
        let selection = &self.request.selection;
        let start = BuildStart {
            run_date: self.extract.run_date,
            wave: self.request.wave.clone(),
            selection_is_whole: selection.accounts.is_none() && selection.limit.is_none(),
            inputs: self.inputs.clone(),
        };
        let schema = Schema::new(self.plan.clone());
        let book_check = BookCheck::new(&schema, ledger.sent_points()?, self.project.overrides.clone());
        let mut writer = ledger.begin_build(run, &start)?;
        if selection.limit.is_some() {
            writer.limit();
        }
        let mut tally = Tally::default();
        let books = Books::open(self.stage, selection);
        let mut measures = BuildMeasures::new(&books);
        let made = self.make(&books, &book_check, &mut writer, (&mut tally, &mut measures))?;
        let late = self.reject_late(&book_check, &mut writer, &mut tally)?;
        measures.finish(&mut writer, &late.used)?;
        if self.is_out_of_date(&late) {
            self.write_out(&writer)?;
        }
        waivers.iter().try_for_each(|waiver| writer.waive(run, waiver))?;
        let totals = promises.iter().filter_map(|promise| promise.total.as_ref());
        totals.into_iter().try_for_each(|total| writer.control_total(total))?;
        let told_of_files: Vec<Finding> = promises.iter().filter_map(|promise| promise.finding.clone()).collect();
        let mut blocked: Vec<String> =
            told_of_files.iter().filter(|f| f.severity == Severity::Error).map(|f| f.message.clone()).collect();
        blocked.extend(
            books
                .stopped_by
                .iter()
                .map(|table| format!("a record of table `{table}` is lost, and the mapping says on_lost = \"stop\"")),
        );
        let without_account = told_of_files.into_iter().chain(made.findings).chain(self.unlisted(&tally));
        for finding in without_account {
            tally.count(None, &finding);
            writer.finding(None, &finding)?;
        }
        let mut records = BTreeMap::new();
        for file in self.file_counts(&made.buckets, &late.records) {
            for (bucket, count) in buckets(&file) {
                *records.entry(bucket).or_insert(0) += count;
            }
            writer.file(&file)?;
        }
        writer.block(&blocked)?;
        let wanted: Vec<String> = writer.wanted_payloads()?.iter().map(ToString::to_string).collect();
        cut::reached(CutPoint::MidBuild);
        let summary = writer.finish()?;
        // Only now that the ledger no longer names them.
        store::prune(&self.project.state.join("payloads"), &wanted)?;
        let drift = drift::record(self.project, ledger)?;
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
            rules: tally.rules,
            overrides: super::overrides::of(&self.project.overrides),
            summary: format!(
                "{} unchanged, {} rebuilt the same, {} changed before sending, {} changed after acceptance, {} withdrawn, \
                 {} held",
                summary.unchanged,
                summary.rebuilt_same,
                summary.changed_before_sending,
                summary.changed_after_acceptance,
                summary.withdrawn,
                summary.held
            ),
            drift,
        })
    }

    /// Rejects accounts for what shows only now that all are known; gives the records their payloads were made of.
    fn reject_late(
        &self,
        book_check: &BookCheck,
        writer: &mut BuildWriter<'_>,
        tally: &mut Tally,
    ) -> Result<Late, Error> {
        let found = book_check.findings(self.stage)?;
        let mut late = Vec::new();
        for (account, findings) in &found {
            for finding in findings {
                tally.count(Some(account), finding);
            }
            if findings.iter().any(|finding| finding.severity == Severity::Error) {
                if writer.reject_late(account, findings)? {
                    tally.ready -= 1;
                    tally.rejected += 1;
                    late.push(account);
                }
            } else {
                findings.iter().try_for_each(|finding| writer.finding(Some(account), finding))?;
            }
        }
        let (records, used) = book_check::records_of(&late, self.stage)?;
        Ok(Late { records, used, accounts: late.len() })
    }

    /// Whether `--out` has not got the payloads that stayed ready. A file was written while they were made, which
    /// holds unless an account was rejected late; what went to standard output could not be taken back, so none did.
    fn is_out_of_date(&self, late: &Late) -> bool {
        late.accounts > 0 || self.request.out.as_deref() == Some(Path::new("-"))
    }

    /// Writes the payloads that stayed ready to where `--out` says, from the store.
    fn write_out(&self, writer: &BuildWriter<'_>) -> Result<(), Error> {
        let Some(path) = &self.request.out else { return Ok(()) };
        let mut out = PayloadOutput::create(path)?;
        let store = PayloadReader::open(&self.project.payload_folder());
        let build = writer.id().to_string();
        writer.each_payload(|place, digest| {
            let mut payload = store.read(&place, &build, &digest)?;
            payload.push(b'\n');
            out.write(&payload)
        })?;
        out.finish()
    }

    /// Makes every payload.
    fn make(
        &self,
        books: &Books<'_>,
        book_check: &BookCheck,
        writer: &mut BuildWriter<'_>,
        (tally, measures): (&mut Tally, &mut BuildMeasures<'_>),
    ) -> Result<MadeBooks, Error> {
        let rules = RuleSet::bind_for(&Schema::new(self.plan.clone()), self.tenant, &self.project.overrides);
        let context = RuleContext { run_date: self.extract.run_date };
        let mut store = PayloadWriter::create(&self.project.state.join("payloads"), &writer.id().to_string())?;
        let mut made = MadeBooks { buckets: books.buckets.clone(), findings: books.findings.clone() };
        let progress = self.console.progress("check", "accounts", Some(books.accounts()));
        let ambiguous = ambiguous::numbers(&self.request.selection, &self.stage.accounts);
        let check = |account: Row<'_>, findings: &mut Vec<Finding>| {
            rules.check(account, &context, findings);
            findings.extend(self.foreign_supplier(account));
            findings.extend(ambiguous::finding(&ambiguous, account));
            book_check.see(account);
        };
        let file = self.request.out.as_deref().filter(|path| *path != Path::new("-"));
        let mut out = file.map(PayloadOutput::create).transpose()?;
        let mut last = None;
        let taken = payloads::make(books, self.batches_ahead(), &check, |handed| {
            match handed {
                Handed::Batch(_) if self.interrupt.is_raised() => {
                    return Err(Error::Interrupted { doing: "made payloads" });
                }
                Handed::Batch(batch) => {
                    progress.advance(batch.accounts.len() as u64);
                    if let Some(out) = &mut out {
                        out.write(&batch.bytes)?;
                    }
                    Self::take(batch, &mut last, book_check, writer, &mut store, (tally, measures))?;
                }
                Handed::End(end) => {
                    measures.records(&end.records);
                    measures.lost(writer, &end.lost)?;
                    made.buckets.merge(&end.buckets);
                    made.findings.append(&mut end.findings);
                }
            }
            Ok(())
        });
        taken.map_err(|error| match error {
            PayloadError::Stage(error) => Error::Stage(error),
            PayloadError::Store(error) => Error::Store(error),
            PayloadError::Taker(error) => error,
        })?;
        tracing::info!(accounts = books.accounts(), "made the payloads");
        store.finish()?;
        out.map_or(Ok(()), PayloadOutput::finish)?;
        tally.rules = rules.of_mapping();
        tally.rules_off = rules.off().iter().map(|rule| (*rule).to_owned()).collect();
        for notice in rules.notices().into_iter().chain(rules.unchecked().cloned()) {
            tally.count(None, &notice);
            writer.finding(None, &notice)?;
        }
        Ok(made)
    }

    /// How many batches of payloads may wait to be written, a thread: an eighth of the memory for all of them.
    fn batches_ahead(&self) -> usize {
        let bytes = self.project.limits.memory_bytes / 8 / rayon::current_num_threads() as u64;
        (bytes >> 20).clamp(2, 64) as usize
    }

    fn take(
        batch: &mut Batch,
        last: &mut Option<AccountKey>,
        book_check: &BookCheck,
        writer: &mut BuildWriter<'_>,
        store: &mut PayloadWriter,
        (tally, measures): (&mut Tally, &mut BuildMeasures<'_>),
    ) -> Result<(), Error> {
        measures.empty(&batch.empty);
        let (block_offset, block_bytes) = store.append(&batch.block)?;
        for made in &batch.accounts {
            for finding in &made.findings {
                tally.count(Some(&made.key), finding);
            }
            if last.as_ref() == Some(&made.key) {
                // The second record of one name: the account is rejected already, and counts once.
                for finding in &made.findings {
                    writer.finding(Some(&made.key), finding)?;
                }
                continue;
            }
            let verdict = if let Some((range, digest)) = &made.payload {
                tally.ready += 1;
                let place =
                    PayloadPlace { block_offset, block_bytes, start: range.start as u32, bytes: range.len() as u32 };
                Verdict::Ready { digest: *digest, payload: place }
            } else {
                tally.rejected += 1;
                Verdict::Rejected
            };
            *last = Some(made.key.clone());
            let Facts { points, pence } = book_check.take_facts(&made.key);
            let (key, findings) = (made.key.clone(), made.findings.as_slice());
            let came = measures.came(writer, &made.came)?;
            writer.account(&BuiltAccount { key, verdict, findings, supply_points: &points, pence, came: &came })?;
        }
        tally.unlisted.append(&mut batch.unlisted);
        cut::reached(CutPoint::MidBuild);
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

    /// One notice for each field with values that are not on a list the contract knows to be the tenant's own.
    fn unlisted(&self, tally: &Tally) -> Vec<Finding> {
        let fields = self.plan.unlisted.iter().chain(&tally.unlisted);
        let fields: BTreeSet<&String> = fields.filter(|path| !is_governed(self.tenant, path)).collect();
        let notice = |path: &String| Finding {
            code: "not_reference_value".into(),
            severity: Severity::Notice,
            path: path.clone(),
            message: "some values are not on the list the tenant has published; the tenant may know more".into(),
            cells: Vec::new(),
        };
        fields.into_iter().map(notice).collect()
    }

    /// What became of the records of each file; those of accounts rejected `late` were used before.
    fn file_counts(&self, buckets: &Buckets, late: &Buckets) -> Vec<FileCount> {
        let mut counts = Vec::new();
        for (number, table) in self.stage.tables.iter().enumerate() {
            for (at, file) in table.files.iter().enumerate() {
                let of = |bucket: Bucket| buckets.file(number, at).of(bucket);
                let moved = book_check::moved(late, number, at);
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
                    rejected: of(Bucket::Rejected) + moved,
                    used: of(Bucket::Used) - moved,
                });
            }
        }
        counts
    }
}

/// What was rejected when all accounts were known.
struct Late {
    accounts: usize,
    /// The records that its payloads were made of.
    records: Buckets,
    /// The same by entity.
    used: Vec<u64>,
}

/// What all books together came to.
struct MadeBooks {
    /// What became of the records.
    buckets: Buckets,
    /// Findings about records that no account can be told for.
    findings: Vec<Finding>,
}
