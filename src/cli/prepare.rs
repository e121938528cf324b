//! What can be typed before there is anything to send: a look at the extracts, a project, a mapping, practice.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

/// Tell what is in a folder of extracts that nobody has described yet.
///
/// For each file: encoding and dialect, records, columns with a type guess, blanks, distinct values, shapes, ways of
/// writing dates; columns that may be keys, and columns that name records of other files, with how many do not. Needs
/// no project. Values may be personal data, so shapes stand for them unless `--show-values` is given.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway profile extracts --html profile.html")]
pub struct ProfileArgs {
    /// The folder of the extracts
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Write a page with small charts that opens offline in any browser
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Show extremes and codes as they stand
    #[arg(long)]
    pub show_values: bool,
}

/// Begin a migration project in a folder: settings, and a mapping drafted from the extracts.
///
/// With `--from`, the extracts are profiled, and the draft has their tables, keys and parents, the target's fields that
/// columns seem to be meant for, and lookups with the codes that were found. What it cannot know is marked TODO. Nothing
/// that is there is overwritten. `slipway lint` then says what is left to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway init migration --from extracts")]
pub struct InitArgs {
    /// The project's folder
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// The folder of the extracts
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// Print a script that lets a shell complete slipway's commands and flags.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway completions bash > ~/.local/share/bash-completion/completions/slipway")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Do the whole job on the bundled sample, against the embedded sandbox.
///
/// Reads the extracts of `samples/tentacle` with `mappings/tentacle`, sends what can be sent to a sandbox inside this
/// process, follows it to its end and proves what became of every record. With `--accounts`, reads a synthetic extract
/// of that many accounts instead, which is made first.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway demo\n  slipway demo --accounts 5000")]
pub struct DemoArgs {
    /// Keep the ledger, the payloads and the report in this new folder [default: .slipway/demo, emptied first]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Of this many synthetic accounts instead of the bundled sample
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub accounts: Option<u64>,
}

/// Check the mapping against the contract and the extracts, and run its tests: what is wrong, and what is left to do.
///
/// Names are checked against the contract, the lookups and the headers; codes that no lookup has are counted in the
/// extracts, unless `--headers-only` is given.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway lint --set source.mapping=mappings/tentacle")]
pub struct LintArgs {
    /// Read no records: count no codes
    #[arg(long)]
    pub headers_only: bool,
}

/// Make synthetic extracts of any size.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway generate --accounts 10000 --seed 1 --out extracts")]
pub struct GenerateArgs {
    /// How many accounts
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub accounts: u64,
    /// The same seed makes the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The share of accounts that get a defect, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub dirty: f64,
    /// The folder to write into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Print what is known of the target, as tables, and what editors must know of a project's files.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  slipway schema diff --set target.contract=tenant.yml")]
pub struct SchemaArgs {
    /// Which table.
    #[command(subcommand)]
    pub topic: SchemaTopic,
}

/// What `slipway schema` prints.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum SchemaTopic {
    /// The JSON Schema of slipway.toml, for editors
    #[command(after_help = "Example:\n  slipway schema project > schema/project.json")]
    Project,
    /// The JSON Schema of mapping.toml, for editors
    #[command(after_help = "Example:\n  slipway schema mapping > schema/mapping.json")]
    Mapping,
    /// Every field that the target takes: type, presence, lengths, patterns, lists
    #[command(after_help = "Example:\n  slipway schema contract | grep ^customers")]
    Contract,
    /// What the project's contract says otherwise than the one that is built in, and what it means to the mapping
    #[command(after_help = "Example:\n  slipway schema diff --set target.contract=tenant.yml")]
    Diff,
    /// Every rule that the target publishes, and whether it is checked here
    #[command(after_help = "Example:\n  slipway schema rules --json")]
    Rules,
}
