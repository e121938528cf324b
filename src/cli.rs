//! What the user can type. No logic and no I/O.
//!
//! A command's flags are one struct; its documentation is the command's help. The [`Command`] enum lists the commands
//! there are.

mod prepare;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Span, Window};
use crate::sandbox::RefusalShape;
use crate::target::Envelope;
pub use prepare::{CompletionsArgs, DemoArgs, GenerateArgs, InitArgs, LintArgs, ProfileArgs, SchemaArgs, SchemaTopic};

/// Moves an energy supplier's customer accounts from legacy CSV extracts into a Kraken tenant, and proves it.
#[derive(Debug, Parser)]
#[command(name = "slipway", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The flags every command has.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags every command has.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArgs {
    /// The project file [default: slipway.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub project: Option<PathBuf>,
    /// Set a key of the project file, such as `limits.rate=5/s`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Common options")]
    pub set: Vec<String>,
    /// Write exactly one JSON document to standard output
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// Write no notes and show no progress
    #[arg(long, global = true, help_heading = "Common options")]
    pub quiet: bool,
    /// Show no progress
    #[arg(long, global = true, help_heading = "Common options")]
    pub no_progress: bool,
}

/// Which accounts a command is about.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectionArgs {
    /// Only the accounts of this wave; `=FILE` lists them first: account numbers, or `supplier,account`, one a line
    #[arg(long, value_name = "NAME[=FILE]")]
    pub wave: Option<String>,
    /// At most this many accounts
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// Consent that is asked for once, and kept in the ledger.
#[derive(Clone, Debug, Default, Args)]
pub struct ConsentArgs {
    /// Send to a production target
    #[arg(long)]
    pub yes: bool,
    /// Send what was built now, although the inputs have changed under an unfinished wave; asks for `--reason`
    #[arg(long, requires = "reason")]
    pub replan: bool,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Promises of the sender that need not be kept.
#[derive(Clone, Debug, Default, Args)]
pub struct WaiveArgs {
    /// A control total that need not agree, such as `notes.csv:records`, as long as it stays as it is; asks for `--reason`
    #[arg(long, value_name = "FILE:TOTAL", requires = "reason")]
    pub waive: Vec<String>,
}

/// How accounts are sent, where the target's envelope has a place to say so.
#[derive(Clone, Debug, Default, Args)]
pub struct SendArgs {
    /// Let the target go through the motions and create nothing; accounts stay as ready as they are
    #[arg(long)]
    pub dry_run: bool,
    /// When the target may create them: two instants with offsets, at most four days ahead
    #[arg(long, value_name = "START/END")]
    pub window: Option<Window>,
}

/// Build, submit, follow and reconcile. Running it again resumes.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "Example:\n  slipway run --wave night-1=wave-1.txt --set stop.until=06:00")]
pub struct RunArgs {
    /// Which accounts.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How.
    #[command(flatten)]
    pub send: SendArgs,
    /// Consent.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Control totals.
    #[command(flatten)]
    pub waive: WaiveArgs,
}

/// Turn the extracts into payloads and findings. Sends nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway build --out payloads.ndjson.zst")]
pub struct BuildArgs {
    /// Which accounts.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Write the payloads as NDJSON to this file (`-`: standard output; compressed if it ends in `.zst`)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Control totals.
    #[command(flatten)]
    pub waive: WaiveArgs,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Ask the target to check ready payloads. Creates nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway validate --sample 100")]
pub struct ValidateArgs {
    /// Which accounts.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Only this many of them, spread over the book
    #[arg(long, value_name = "N")]
    pub sample: Option<u64>,
}

/// Create the ready accounts at the target.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway submit --limit 10 --set limits.rate=2/s")]
pub struct SubmitArgs {
    /// Which accounts.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How.
    #[command(flatten)]
    pub send: SendArgs,
    /// Consent.
    #[command(flatten)]
    pub consent: ConsentArgs,
}

/// Read the status of submitted accounts until their imports end.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway follow --set follow.for=30min")]
pub struct FollowArgs {
    /// Only the accounts of this wave; `=FILE` lists them first: account numbers, or `supplier,account`, one a line
    #[arg(long, value_name = "NAME[=FILE]")]
    pub wave: Option<String>,
}

/// Put accounts on the list of those that must not go.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway hold disputed.txt --reason 'bills in dispute'")]
pub struct HoldArgs {
    /// Account numbers, or `supplier,account`, one a line
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Take accounts off the list of those that must not go.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway release settled.txt --reason 'disputes settled'")]
pub struct ReleaseArgs {
    /// Account numbers, or `supplier,account`, one a line
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Take the ledger over after a move, or from a backup. Sends nothing.
///
/// Whatever has not come to its end is in doubt then: its status is read at the target before any create.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway recover --reason 'restored the backup of 02:00'")]
pub struct RecoverArgs {
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Copy the ledger, also while a run writes to it.
///
/// The copy is consistent and holds no payloads: those are in the state folder, and can be built again.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway backup /backup/ledger-$(date +%F).sqlite")]
pub struct BackupArgs {
    /// The new file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Erase customers' data: payloads, quarantine, replies and the stage. The ledger stays, and balances.
///
/// Payloads that are still to be sent, or may have to be sent again, are kept and told.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway purge --before 2026-11-24 --reason 'thirty days after the last wave'")]
pub struct PurgeArgs {
    /// Erase what was made before this day
    #[arg(long, value_name = "DATE")]
    pub before: chrono::NaiveDate,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Tell where everything stands, from the ledger alone.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway status --json")]
pub struct StatusArgs {}

/// Show one account: its state, history and findings; or where one value of its payload comes from.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway show A-1001 --why customers.0.landline")]
pub struct ShowArgs {
    /// The account number, or `supplier,account`
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Trace the value at this payload path: mapping line, source cell, lookup row. Reads the extract again
    #[arg(long, value_name = "PATH")]
    pub why: Option<String>,
    /// With `--why`: show values as they are, not their shapes
    #[arg(long, requires = "why")]
    pub show_values: bool,
}

/// List the causes of errors, the one whose mending lets most accounts go first.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway errors --limit 10")]
pub struct ErrorsArgs {
    /// At most this many causes
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// Put refused, errored or cancelled accounts back.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway retry --code invalid_phone_number --reason 'numbers corrected'")]
pub struct RetryArgs {
    /// Account numbers, or `supplier,account`
    #[arg(value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
    /// All whose last failure has this code
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// Send the same payload again
    #[arg(long)]
    pub same: bool,
    /// Why, for the record of runs
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Write the report of where the migration stands, from the ledger alone.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway report --html report.html --xlsx report.xlsx --rejects rejects")]
pub struct ReportArgs {
    /// Write a page that opens offline in any browser
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a workbook: every table, and every view of the ledger, a sheet each
    #[arg(long, value_name = "FILE")]
    pub xlsx: Option<PathBuf>,
    /// Write the same tables as CSV files into this folder
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
    /// Write the records that were not taken, as they came, with what is wrong with them, into this new folder
    #[arg(long, value_name = "DIR")]
    pub rejects: Option<PathBuf>,
    /// Tell what moved since this ledger: an earlier copy of the project's, or that of another rehearsal
    #[arg(long, value_name = "LEDGER")]
    pub against: Option<PathBuf>,
    /// Tell of this ledger of the same migration too; may be repeated
    #[arg(long, value_name = "LEDGER")]
    pub with: Vec<PathBuf>,
    /// Tell the texts of the cells that accounts fail by, read from the extract: customers' data
    #[arg(long)]
    pub show_values: bool,
}

/// Check the identities that must balance; exit 1 if one does not.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway reconcile && echo balanced")]
pub struct ReconcileArgs {
    /// Compare with the target's own lists of imports too
    #[arg(long)]
    pub target: bool,
    /// Read every payload back too, and check that it is what was built
    #[arg(long)]
    pub payloads: bool,
}

/// Serve the embedded target on a port of this machine, for rehearsals and tests.
///
/// The first line on standard output is its URL. It serves until Ctrl-C or SIGTERM. What it was asked is at
/// /_sandbox/counts, what it accepted at /_sandbox/accounts. Faults strike by seed, account and number of requests,
/// so a run can be repeated.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway sandbox --port 8080 --rate 20 --lost-reply-one-in 50")]
pub struct SandboxArgs {
    /// The port on 127.0.0.1 (0: any free one, which is printed)
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Ask for the API key that stands in this variable [default: ask for none]
    #[arg(long, value_name = "VARIABLE")]
    pub api_key_env: Option<String>,
    /// The request bodies it understands: bare or wrapped
    #[arg(long, value_name = "FORM", default_value_t)]
    pub envelope: Envelope,
    /// How it refuses a payload: nested, standard or opaque
    #[arg(long, value_name = "SHAPE", default_value_t)]
    pub refusals: RefusalShape,
    /// Serve no v1 lists of imports, as a tenant may
    #[arg(long)]
    pub no_lists: bool,
    /// The same seed meets the same accounts with the same faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// An import ends at this many reads of its status
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub import_polls: u32,
    /// An import ends about this long after it was accepted, however often it is read
    #[arg(long, value_name = "TIME", conflicts_with = "import_polls")]
    pub import_time: Option<Span>,
    /// A file of faults (TOML): resets, HTML pages, storms of 429, broken and slow bodies, outages, odd statuses; the flags
    /// below go over it
    #[arg(long, value_name = "FILE", help_heading = "Faults")]
    pub faults: Option<PathBuf>,
    /// Every reply takes at least this long
    #[arg(long, value_name = "TIME", help_heading = "Faults")]
    pub latency: Option<Span>,
    /// More requests a second than this are answered 429 with Retry-After
    #[arg(long, value_name = "N", help_heading = "Faults")]
    pub rate: Option<NonZeroU32>,
    /// One create in N is answered 503 and has no effect
    #[arg(long, value_name = "N", help_heading = "Faults")]
    pub unavailable_one_in: Option<NonZeroU32>,
    /// One create in N takes effect, but its reply is lost
    #[arg(long, value_name = "N", help_heading = "Faults")]
    pub lost_reply_one_in: Option<NonZeroU32>,
    /// One account in N was imported by somebody else before
    #[arg(long, value_name = "N", help_heading = "Faults")]
    pub imported_one_in: Option<NonZeroU32>,
    /// This account was imported by somebody else before; may be repeated
    #[arg(long, value_name = "ACCOUNT", help_heading = "Faults")]
    pub imported: Vec<String>,
    /// The first import of one account in N ends ERRORED
    #[arg(long, value_name = "N", help_heading = "Faults")]
    pub errored_one_in: Option<NonZeroU32>,
    /// The first import of this account ends ERRORED; may be repeated
    #[arg(long, value_name = "ACCOUNT", help_heading = "Faults")]
    pub errored: Vec<String>,
}

/// The commands there are.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a command's documentation, which is its help, stands at its flags")]
pub enum Command {
    Backup(BackupArgs),
    Build(BuildArgs),
    Completions(CompletionsArgs),
    Demo(DemoArgs),
    Errors(ErrorsArgs),
    Follow(FollowArgs),
    Generate(GenerateArgs),
    Hold(HoldArgs),
    Init(InitArgs),
    Lint(LintArgs),
    Profile(ProfileArgs),
    Purge(PurgeArgs),
    Reconcile(ReconcileArgs),
    Recover(RecoverArgs),
    Release(ReleaseArgs),
    Report(ReportArgs),
    Retry(RetryArgs),
    Run(RunArgs),
    Sandbox(SandboxArgs),
    Schema(SchemaArgs),
    Show(ShowArgs),
    Status(StatusArgs),
    Submit(SubmitArgs),
    Validate(ValidateArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command, above: &str) {
            for command in command.get_subcommands() {
                let name = format!("{above} {}", command.get_name());
                assert!(command.get_about().is_some(), "{name} has no help");
                let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(example.contains(&name), "{name} shows no example");
                check(command, &name);
            }
        }
        check(&Cli::command(), "slipway");
    }
}
