//! `slipway demo`: the whole job on the bundled sample, against the embedded sandbox in this process.
//!
//! It is the job of `slipway run` on `samples/tentacle` (or on a synthetic extract of the same layout), then the report, then a look into the sandbox: the one target
//! that tells how often it created each account. The sample has accounts with defects, which are rejected as they must
//! be, so the demo is judged by [`flaws`]: everything that could be sent has arrived, once, and nothing is unaccounted
//! for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::cli::{DemoArgs, RunArgs};
use crate::config::{KeySource, Project};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::generate::{self, Options};
use crate::interrupt::Interrupt;
use crate::ledger::State;
use crate::report::RunReport;
use crate::sandbox::{self, AccountReport, RunningSandbox, SandboxOptions};
use crate::target::TaskParams;

use super::open_run::OpenRun;
use super::{report, run, submission};

/// The sample's project file, in the folder that slipway was checked out to.
const SAMPLE: &str = "samples/tentacle/slipway.toml";
/// Where the demo leaves what it made, under the working directory.
const STATE: &str = ".slipway/demo";
/// The key the sandbox asks for, so that the demo shows authentication too. It opens nothing else.
const SANDBOX_KEY: &str = "demo";
/// The demo's own settings: a sandbox in the same process needs no patience.
const PACE: [&str; 3] = ["limits.rate=2000/s", "limits.settle=1s", "follow.every=50ms"];

/// Of a synthetic extract: the seed, and the share of accounts with a defect, which are the sample's.
const SEED: u64 = 1;
const DIRTY: f64 = 0.06;

/// Runs the demo. Complete if [`flaws`] finds none.
pub(super) fn execute(args: &DemoArgs, overrides: &[String], console: &Console) -> Result<ExitCode, Error> {
    let sample = find_sample()?;
    let state = fresh_folder(args.keep.as_deref())?;
    let sandbox =
        sandbox::start(SandboxOptions { api_key: Some(SecretString::from(SANDBOX_KEY)), ..SandboxOptions::default() })?;
    let made = args.accounts.map(|accounts| generate_extract(&state, accounts, console)).transpose()?;
    let overrides = [made.unwrap_or_default(), overrides.to_vec()].concat();
    let project = project(&sample, &state, &sandbox, &overrides)?;
    console.note(&format!(
        "demo: {} to a sandbox at {}; the ledger is {}",
        sample.display(),
        sandbox.url,
        project.ledger_file().display()
    ));

    let interrupt = Interrupt::on_signals()?;
    let mut open_run = OpenRun::begin(&project, "demo")?;
    let result = job(&mut open_run, &project, &sandbox, &interrupt, console);
    open_run.end(result)
}

/// Runs the job, then shows it and judges it.
fn job(
    open_run: &mut OpenRun,
    project: &Project,
    sandbox: &RunningSandbox,
    interrupt: &Interrupt,
    console: &Console,
) -> Result<ExitCode, Error> {
    let client = submission::client(project)?;
    let job = run::job(open_run, &RunArgs::default(), TaskParams::default(), project, &client, interrupt, console)?;
    let report = RunReport::read(&open_run.ledger, &report::options(project))?;
    let page = project.report_folder().join("report.html");
    report::write_page(&report, &page)?;

    let created = sandbox.accounts();
    let flaws = flaws(&report, &created);
    if console.wants_json() {
        console.write(|out| report.write_json(out))?;
    } else {
        console.line(&format!("{job}\n"))?;
        console.write(|out| report.write_identities(out))?;
        console.line(&format!("\nsandbox    {}", held(&created)))?;
        console.line(&format!("report     {}", page.display()))?;
    }
    for flaw in &flaws {
        console.warn(flaw);
    }
    // A job with rejected accounts is incomplete; here they are the sample's point. Anything worse stays what it is.
    Ok(match (flaws.is_empty(), job.exit_code()) {
        (true, ExitCode::Complete | ExitCode::Incomplete) => ExitCode::Complete,
        (_, code) => code.and(ExitCode::Incomplete),
    })
}

/// The sample's project file: under the working directory, else where this program was built.
fn find_sample() -> Result<PathBuf, Error> {
    let tried = [PathBuf::from(SAMPLE), Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE)];
    tried.iter().find(|file| file.is_file()).cloned().ok_or_else(|| Error::Usage {
        problem: format!("no sample: tried {} and {}", tried[0].display(), tried[1].display()),
        hint: Some("run the demo in the folder slipway was checked out to".to_owned()),
    })
}

/// An empty folder for the ledger: `keep`, which must not hold anything yet, else [`STATE`], emptied.
fn fresh_folder(keep: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = keep.unwrap_or(Path::new(STATE));
    let failed = |source| Error::Output { place: folder.display().to_string(), source };
    let is_used = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    match keep {
        Some(_) if is_used => {
            return Err(Error::Usage {
                problem: format!("{} is not empty: a demo begins with a new ledger", folder.display()),
                hint: Some("name a folder that does not exist yet".to_owned()),
            });
        }
        None if is_used => fs::remove_dir_all(folder).map_err(failed)?,
        _ => {}
    }
    fs::create_dir_all(folder).map_err(failed)?;
    // Settings take paths from the project file's folder; this one is meant from here.
    fs::canonicalize(folder).map_err(failed)
}

/// Makes an extract of `accounts` accounts, damaged as often as the sample; gives the settings that read it instead.
fn generate_extract(state: &Path, accounts: u64, console: &Console) -> Result<Vec<String>, Error> {
    let out = state.join("extract");
    let progress = console.progress("generate", "accounts", Some(accounts));
    let options = Options { out: out.clone(), accounts, seed: SEED, dirty: DIRTY };
    generate::generate(&options, || progress.advance(1))?;
    let extracts = toml::Value::Array(vec![toml::Value::String(out.display().to_string())]);
    // Of a handful of accounts, one that is damaged is more than a real book may have.
    Ok(vec![format!("source.extracts={extracts}"), "stop.rejected=50%".to_owned()])
}

fn project(sample: &Path, state: &Path, sandbox: &RunningSandbox, overrides: &[String]) -> Result<Project, Error> {
    let own = [format!("target.url={}", sandbox.url), format!("project.state={}", state.display())];
    let settings: Vec<_> = PACE.map(str::to_owned).into_iter().chain(overrides.iter().cloned()).chain(own).collect();
    let mut project = Project::load_without_environment(sample, &settings)?;
    project.target.auth.key = KeySource::Given(SecretString::from(SANDBOX_KEY));
    Ok(project)
}

/// What the sandbox holds, in words.
fn held(created: &[AccountReport]) -> String {
    let held = created.iter().filter(|account| account.effects > 0).count();
    let twice = created.iter().filter(|account| account.effects > 1).count();
    format!("holds {held} accounts; {twice} of them were created more than once")
}

/// What is wrong with a demo, in words: nothing, if
///
/// - every account that the build made a payload for is processed, by us;
/// - every record is in one bucket of its file, and every identity balances;
/// - the sandbox created each processed account once, and no other.
fn flaws(report: &RunReport, created: &[AccountReport]) -> Vec<String> {
    let mut flaws = Vec::new();
    let (ready, processed) = (report.accounts_built_ready(), report.accounts_in(State::Processed));
    if ready != processed || processed == 0 {
        flaws.push(format!("{ready} accounts could be sent, {processed} are processed"));
    }
    if report.identities.is_empty() {
        flaws.push("no identity was worked out".to_owned());
    }
    let open = report.identities.iter().filter(|identity| !identity.balanced);
    flaws.extend(open.map(|identity| format!("{}: {} is not {}", identity.name, identity.left, identity.right)));
    let lost = report.files.iter().filter(|file| file.records != file.in_buckets());
    flaws.extend(lost.map(|file| format!("{}: not every record is in a bucket", file.file)));
    let by_effects = created.iter().fold(BTreeMap::<u32, u64>::new(), |mut counts, account| {
        *counts.entry(account.effects).or_default() += 1;
        counts
    });
    let effects: u64 = by_effects.iter().map(|(effects, accounts)| u64::from(*effects) * accounts).sum();
    if effects != processed || by_effects.keys().any(|effects| *effects > 1) {
        flaws.push(format!("{processed} accounts are processed, the sandbox created {effects}"));
    }
    flaws
}
