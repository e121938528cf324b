//! What was typed, the environment and `slipway.toml`, resolved once into a [`Project`] of ready values.
//!
//! This is the only place that reads the environment. Later code takes a [`Project`] as it is and checks nothing
//! again. Stages do not know it: `commands` hands each the few values it needs.

mod settings;
mod units;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use secrecy::SecretString;
use serde::Deserialize;

use crate::contract::{self, ContractSource};
use crate::rules::overrides::{self, Overrides};
use crate::tenant;
use settings::{AuthSettings, Layers, Settings, TargetSettings};
pub use units::{Bytes, NotAQuantity, Rate, RunDate, Share, Span, TimeOfDay, Window};

/// The project file's name where `--project` does not say another.
pub const PROJECT_FILE: &str = "slipway.toml";
/// The variable the API key is read from where `[target] auth` does not say otherwise.
pub const API_KEY_VARIABLE: &str = "SLIPWAY_API_KEY";
/// The variable with the log filter, such as `info` or `slipway=debug`.
pub const LOG_VARIABLE: &str = "SLIPWAY_LOG";
/// The variable with the log's form: `text` (the default) or `json`.
pub const LOG_FORMAT_VARIABLE: &str = "SLIPWAY_LOG_FORMAT";

/// The variable by which a test ends the process at a boundary of durability, such as `after-intent:3`.
pub const CUT_VARIABLE: &str = "SLIPWAY_CUT";

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The project file can't be read.
    #[error("cannot read the project file {}", file.display())]
    Unreadable {
        /// The file that was tried.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A place in the project file is wrong.
    #[error("{}:{line}:{column}: {problem}", file.display())]
    File {
        /// The project file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What is wrong.
        problem: String,
        /// The setting that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A flag or a variable is wrong.
    #[error("{origin}: {problem}")]
    Override {
        /// The flag or variable.
        origin: String,
        /// What is wrong.
        problem: String,
        /// The setting that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A setting without a default is not given.
    #[error("`{key}` is not set: neither {} nor the environment nor a flag says it", file.display())]
    Missing {
        /// The setting.
        key: &'static str,
        /// The project file that was looked at.
        file: PathBuf,
        /// A line that would set it.
        example: &'static str,
    },
    /// A setting's value is not possible.
    #[error("`{key}`: {problem}")]
    Invalid {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The API key is not where the settings say.
    #[error("no API key: {tried}")]
    NoKey {
        /// What was tried, never what was found.
        tried: String,
    },
}

impl ConfigError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => {
                Some(format!("name the project file with `--project FILE` (default {PROJECT_FILE})"))
            }
            Self::File { nearest, .. } | Self::Override { nearest, .. } => {
                nearest.map(|nearest| format!("a setting with a similar name is `{nearest}`"))
            }
            Self::Missing { key, example, .. } => Some(format!("write `{example}` in it, or pass `--set {key}=…`")),
            Self::Invalid { .. } => None,
            Self::NoKey { .. } => {
                Some("say where it is by `[target] auth`: { env = … }, { file = … } or { command = … }".to_owned())
            }
        }
    }
}

/// A migration project, ready to use. Paths are absolute or relative to the working directory.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project file, whether or not it exists.
    pub file: PathBuf,
    /// The folder of the ledger and of everything that belongs to it.
    pub state: PathBuf,
    /// Where accounts come from.
    pub source: Source,
    /// Where accounts go.
    pub target: Target,
    /// Bounds on requests and memory.
    pub limits: Limits,
    /// When payloads are validated before they are created.
    pub validate: Validate,
    /// How imports are followed.
    pub follow: Follow,
    /// What ends a run early.
    pub stop: Stop,
    /// The files of the tenant's lists.
    pub reference: tenant::Sources,
    /// What the project says of rules' severities.
    pub overrides: Overrides,
}

/// `[source]`: where accounts come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The mapping's folder.
    pub mapping: PathBuf,
    /// The extract folders; a later one replaces whole accounts of earlier ones.
    pub extracts: Vec<PathBuf>,
    /// What "today" means to date rules.
    pub run_date: RunDate,
    /// The name of the sender's manifest in an extract folder, if the sender promises one.
    pub manifest: Option<String>,
}

/// `[target]`: where accounts go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The base URL, without a slash at its end.
    pub url: String,
    /// What stands behind the URL.
    pub environment: Environment,
    /// The import suppliers whose payloads may be sent.
    pub suppliers: Vec<String>,
    /// How requests show who sends them.
    pub auth: AuthSource,
    /// What the body of a request is.
    pub envelope: Envelope,
    /// What it accepts.
    pub contract: ContractSource,
    /// How the tenant has set up the import.
    pub settings: tenant::Settings,
}

/// What stands behind a target's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// This machine: the sandbox or a test.
    Loopback,
    /// A tenant without real customers.
    Rehearsal,
    /// A tenant with real customers; sending asks for `--yes`.
    Production,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// The payload itself.
    Bare,
    /// `{"payload": …, "task_params": …}`.
    Wrapped,
}

/// The form of the `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `Token KEY`.
    Token,
    /// The key as it is.
    Raw,
}

/// Which payloads the target validates before they are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validate {
    /// None: a create validates again anyhow.
    Never,
    /// A sample.
    Sample,
    /// All.
    Always,
}

/// How the API key is found, once it is needed.
#[derive(Clone, Debug)]
pub struct AuthSource {
    /// The form of the header.
    pub scheme: Scheme,
    /// Where the key is.
    pub key: KeySource,
}

/// Where the API key is.
#[derive(Clone)]
pub enum KeySource {
    /// In this variable.
    Env(String),
    /// In this variable if it is set; else there is none, which only a target on this machine accepts.
    EnvIfSet(String),
    /// In this file, white space around it left out.
    File(PathBuf),
    /// On the standard output of this shell command.
    Command(String),
    /// In memory already.
    Given(SecretString),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource(…)")
    }
}

/// `[limits]`: bounds on requests and memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many requests of any kind may start in a period.
    pub rate: Rate,
    /// How many requests may be on their way at once.
    pub in_flight: NonZeroUsize,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is tried.
    pub attempts: u32,
    /// How long a status of "not found" must last before an unknown create counts as not received.
    pub settle: Duration,
    /// How much memory a build may use, in bytes.
    pub memory_bytes: u64,
}

/// `[follow]`: how imports are followed.
#[derive(Clone, Copy, Debug)]
pub struct Follow {
    /// The first wait between two reads of one status.
    pub every: Duration,
    /// How long a run follows before it leaves the rest to the next.
    pub patience: Duration,
}

/// `[stop]`: what ends a run early.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// More than this share rejected offline: nothing is sent.
    pub rejected: Share,
    /// More than this share refused or errored, of those tried, once 100 were tried.
    pub failed: Share,
    /// This many failures in a row.
    pub consecutive_failures: u32,
    /// How long a run waits for a target that has gone away.
    pub give_up_after: Duration,
    /// This many accounts in a row refused for the same causes.
    pub identical_refusals: u32,
    /// No creates after this time of day in Great Britain.
    pub until: Option<TimeOfDay>,
}

impl Project {
    /// The ledger's file.
    #[must_use]
    pub fn ledger_file(&self) -> PathBuf {
        self.state.join("ledger.sqlite")
    }

    /// The folder of the payload files.
    #[must_use]
    pub fn payload_folder(&self) -> PathBuf {
        self.state.join("payloads")
    }

    /// The folder of the target's replies.
    #[must_use]
    pub fn reply_folder(&self) -> PathBuf {
        self.state.join("replies")
    }

    /// The folder of the reports.
    #[must_use]
    pub fn report_folder(&self) -> PathBuf {
        self.state.join("reports")
    }

    /// Resolves the project file (`file`, or `slipway.toml` here if there is one), the environment and the
    /// `KEY=VALUE` texts of `--set`.
    pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::resolve(file, &setting_variables(), overrides)
    }

    /// Resolves the project file `file` and `overrides` alone, whatever the environment says.
    pub fn load_without_environment(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::resolve(Some(file), &[], overrides)
    }

    fn resolve(file: Option<&Path>, variables: &[(String, String)], overrides: &[String]) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        let path = file.unwrap_or(Path::new(PROJECT_FILE));
        if file.is_some() || path.exists() {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { file: path.to_path_buf(), source })?;
            layers.add_file(path, &text)?;
        }
        for (variable, value) in variables {
            if !variable.contains("__") {
                return Err(ConfigError::Override {
                    origin: format!("the variable {variable}"),
                    problem: "it sets nothing; a key is spelt SECTION__KEY, as in SLIPWAY_LIMITS__RATE".to_owned(),
                    nearest: settings::nearest_variable(variable),
                });
            }
            let key = variable.trim_start_matches("SLIPWAY_").replace("__", ".").to_lowercase();
            layers.add_one(&format!("the variable {variable}"), &key, value)?;
        }
        for text in overrides {
            let origin = "the flag `--set`";
            let (key, value) = text.split_once('=').ok_or_else(|| ConfigError::Override {
                origin: origin.to_owned(),
                problem: "expected KEY=VALUE, such as limits.rate=5/s".to_owned(),
                nearest: None,
            })?;
            layers.add_one(origin, key.trim(), value.trim())?;
        }
        Self::from_settings(path, layers.into_settings()?)
    }

    fn from_settings(file: &Path, settings: Settings) -> Result<Self, ConfigError> {
        let directory = file.parent().unwrap_or(Path::new(""));
        let within = |path: PathBuf| directory.join(path);
        let missing = |key, example| ConfigError::Missing { key, file: file.to_path_buf(), example };
        let Settings { source, project, target, limits, submit, follow, stop, reference, rules } = settings;
        let extracts = source.extracts.filter(|extracts| !extracts.is_empty());
        let project = Self {
            file: file.to_path_buf(),
            state: within(project.state.unwrap_or_else(|| ".slipway".into())),
            source: Source {
                mapping: within(
                    source.mapping.ok_or_else(|| missing("source.mapping", "mapping = \"mappings/NAME\""))?,
                ),
                extracts: extracts
                    .ok_or_else(|| missing("source.extracts", "extracts = [\"DIRECTORY\"]"))?
                    .into_iter()
                    .map(within)
                    .collect(),
                run_date: source.run_date.ok_or_else(|| missing("source.run_date", "run_date = \"manifest\""))?,
                manifest: source.manifest,
            },
            target: Target::from_settings(target, directory, &missing)?,
            limits: Limits {
                rate: limits.rate.unwrap_or(default("20/s")?),
                in_flight: at_least_one("limits.in_flight", limits.in_flight.unwrap_or(64))?,
                timeout: limits.timeout.map_or(Duration::from_secs(30), |span| span.0),
                attempts: at_least_one("limits.attempts", limits.attempts.unwrap_or(6))?.get() as u32,
                settle: limits.settle.map_or(Duration::from_mins(1), |span| span.0),
                memory_bytes: limits.memory.map_or(1 << 30, |bytes| bytes.0),
            },
            validate: submit.validate.unwrap_or(Validate::Never),
            follow: Follow {
                every: follow.every.map_or(Duration::from_secs(5), |span| span.0),
                patience: follow.patience.map_or(Duration::from_hours(2), |span| span.0),
            },
            stop: Stop {
                rejected: stop.rejected.unwrap_or(default("5%")?),
                failed: stop.failed.unwrap_or(default("5%")?),
                consecutive_failures: stop.consecutive_failures.unwrap_or(20),
                give_up_after: stop.give_up_after.map_or(Duration::from_mins(5), |span| span.0),
                identical_refusals: at_least_one("stop.identical_refusals", stop.identical_refusals.unwrap_or(20))?
                    .get() as u32,
                until: stop.until,
            },
            // Other keys than these were refused when their layer was added.
            reference: reference
                .into_iter()
                .filter_map(|(key, path)| Some((tenant::ListKind::of_key(&key)?, within(path))))
                .collect(),
            overrides: Overrides(
                rules.into_iter().filter_map(|(rule, is)| Some((overrides::id(&rule)?, is))).collect(),
            ),
        };
        check_settle(project.limits.settle, project.limits.timeout, check_url(&project.target.url)?)?;
        Ok(project)
    }
}

/// The JSON Schema of `slipway.toml`, by which editors complete and check it.
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft07().for_deserialize();
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<Settings>().to_value();
    schema["title"] = "slipway.toml".into();
    crate::schema::tidy(&mut schema);
    schema
}

/// Whether the user wants no colours (`NO_COLOR`), or has a terminal that knows none.
#[must_use]
pub fn wants_no_colours() -> bool {
    #[expect(clippy::disallowed_methods, reason = "config reads the environment")]
    let set = |name| std::env::var_os(name).unwrap_or_default();
    !set("NO_COLOR").is_empty() || set("TERM") == "dumb"
}

/// The value of a default that is written as a user would write it.
fn default<T: std::str::FromStr<Err = NotAQuantity>>(text: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|e: NotAQuantity| ConfigError::Invalid { key: "a default", problem: e.to_string() })
}

fn at_least_one(key: &'static str, number: u32) -> Result<NonZeroUsize, ConfigError> {
    NonZeroUsize::new(number as usize)
        .ok_or_else(|| ConfigError::Invalid { key, problem: "expected at least 1".to_owned() })
}

/// A target that may take as long as the time-out to answer may take as long again to do what it was asked, when nobody
/// waits any more: a create that is sent again before that could be one too many.
fn check_settle(settle: Duration, timeout: Duration, is_loopback: bool) -> Result<(), ConfigError> {
    // On this machine it is a sandbox, whose creates take effect at once or never.
    if is_loopback || settle >= timeout {
        return Ok(());
    }
    let shown = humantime::format_duration;
    let problem = format!(
        "{} is shorter than `limits.timeout` ({}): a create that was given up could still take effect after it was sent \
         again; expected {} or more, or a shorter time-out",
        shown(settle),
        shown(timeout),
        shown(timeout)
    );
    Err(ConfigError::Invalid { key: "limits.settle", problem })
}

impl Target {
    fn from_settings(
        settings: TargetSettings,
        directory: &Path,
        missing: &dyn Fn(&'static str, &'static str) -> ConfigError,
    ) -> Result<Self, ConfigError> {
        let url = settings.url.ok_or_else(|| missing("target.url", "url = \"https://api.TENANT.example\""))?;
        let loopback = check_url(&url)?;
        let environment = match (settings.environment, loopback) {
            (Some(Environment::Loopback) | None, true) => Environment::Loopback,
            (Some(Environment::Loopback), false) => {
                let problem = "the URL is not on this machine: expected \"rehearsal\" or \"production\"".to_owned();
                return Err(ConfigError::Invalid { key: "target.environment", problem });
            }
            (Some(environment), _) => environment,
            (None, false) => return Err(missing("target.environment", "environment = \"rehearsal\"")),
        };
        let suppliers = settings.suppliers.filter(|suppliers| !suppliers.is_empty());
        let contract = match settings.contract {
            Some(path) if path != contract::BUILT_IN => ContractSource::Document(directory.join(path)),
            _ => ContractSource::BuiltIn,
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            environment,
            suppliers: suppliers.ok_or_else(|| missing("target.suppliers", "suppliers = [\"SUPPLIER_CODE\"]"))?,
            auth: AuthSource::from_settings(settings.auth, directory, loopback)?,
            envelope: settings.envelope.unwrap_or(Envelope::Bare),
            contract,
            settings: settings.settings,
        })
    }
}

/// Checks that `url` is one that accounts may go to; whether its host is this machine.
fn check_url(url: &str) -> Result<bool, ConfigError> {
    let wrong = |problem: &str| ConfigError::Invalid { key: "target.url", problem: problem.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("expected a URL such as https://host"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong("a URL with a user or a password in it is refused: the API key goes into `auth`"));
    }
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback_address = || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let loopback = host == "localhost" || is_loopback_address();
    match scheme {
        _ if host.is_empty() => Err(wrong("the URL has no host")),
        _ if rest.contains(['?', '#']) => Err(wrong("a base URL has no query and no fragment")),
        "https" => Ok(loopback),
        "http" if loopback => Ok(true),
        "http" => Err(wrong("http is for this machine alone: expected https")),
        _ => Err(wrong("expected an https URL")),
    }
}

impl AuthSource {
    fn from_settings(settings: AuthSettings, directory: &Path, loopback: bool) -> Result<Self, ConfigError> {
        let key = match (settings.env, settings.file, settings.command) {
            (None, None, None) if loopback => KeySource::EnvIfSet(API_KEY_VARIABLE.to_owned()),
            (None, None, None) => KeySource::Env(API_KEY_VARIABLE.to_owned()),
            (Some(variable), None, None) => KeySource::Env(variable),
            (None, Some(file), None) => KeySource::File(directory.join(file)),
            (None, None, Some(command)) => KeySource::Command(command),
            _ => {
                let problem = "expected one of `env`, `file` and `command`, found several".to_owned();
                return Err(ConfigError::Invalid { key: "target.auth", problem });
            }
        };
        Ok(Self { scheme: settings.scheme.unwrap_or(Scheme::Token), key })
    }

    /// Reads the API key. None: requests carry no credentials.
    #[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
    pub fn read_key(&self) -> Result<Option<SecretString>, ConfigError> {
        let (found, tried) = match &self.key {
            KeySource::Given(key) => return Ok(Some(key.clone())),
            KeySource::EnvIfSet(variable) => {
                return Ok(std::env::var(variable).ok().as_deref().and_then(non_empty));
            }
            KeySource::Env(variable) => {
                (std::env::var(variable).ok(), format!("the variable {variable} is not set, or is empty"))
            }
            KeySource::File(file) => {
                (std::fs::read_to_string(file).ok(), format!("the file {} can't be read, or is empty", file.display()))
            }
            KeySource::Command(command) => {
                let output = Command::new("sh").arg("-c").arg(command).output().ok();
                let text = output.filter(|o| o.status.success()).and_then(|o| String::from_utf8(o.stdout).ok());
                (text, "the command of `target.auth.command` fails, or prints nothing".to_owned())
            }
        };
        found.as_deref().and_then(non_empty).map(Some).ok_or(ConfigError::NoKey { tried })
    }
}

fn non_empty(key: &str) -> Option<SecretString> {
    Some(key.trim()).filter(|key| !key.is_empty()).map(SecretString::from)
}

/// The variables that set a key of `slipway.toml` (`SLIPWAY_LIMITS__RATE`), in the order of their names.
#[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
fn setting_variables() -> Vec<(String, String)> {
    let mut variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("SLIPWAY_"))
        .filter(|(name, _)| name.contains("__") || settings::nearest_variable(name).is_some())
        .collect();
    variables.sort();
    variables
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The filter, in the form of `tracing_subscriber::EnvFilter`; none: warnings and errors.
    pub filter: Option<String>,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl LogOptions {
    /// What the environment says about the log.
    #[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
    #[must_use]
    pub fn load() -> Self {
        let json = std::env::var(LOG_FORMAT_VARIABLE).is_ok_and(|format| format.eq_ignore_ascii_case("json"));
        Self { filter: std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty()), json }
    }
}

/// Who called the program, and how: for the record of runs.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The arguments, values that may be secret masked.
    pub arguments: String,
    /// The user's name.
    pub user: String,
    /// The machine's name.
    pub host: String,
}

/// Where a test cuts this process off, if one does: the text of [`CUT_VARIABLE`].
#[must_use]
pub fn cut() -> Option<String> {
    variable(CUT_VARIABLE)
}

/// Who called this process.
#[must_use]
pub fn invocation() -> Invocation {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    Invocation {
        arguments: masked(&arguments),
        user: variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown".to_owned()),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Arguments as they may be kept: whatever says how to find the key is masked, for a command may hold one.
fn masked(arguments: &[String]) -> String {
    let mask = |argument: &String| match argument.split_once("target.auth") {
        Some((before, _)) => format!("{before}target.auth=…"),
        None => argument.clone(),
    };
    arguments.iter().map(mask).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
