//! The layers that settings come from, and how each says where a wrong one stands.
//!
//! A layer is a partial `slipway.toml`: the file, then the environment (`SLIPWAY_TARGET__URL`), then `--set
//! target.url=…`; a later one wins, key by key. Each layer is checked by itself, so that a message names the line of
//! the file, the variable or the flag that is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::units::{Bytes, Rate, RunDate, Share, Span, TimeOfDay};
use crate::mapping::document;
use crate::rules::overrides::{self, Override};
use crate::tenant;

/// Every key of `slipway.toml`, but those of `[rules]`, which are the ids of rules.
pub(super) const KEYS: &[&str] = &[
    "source.mapping",
    "source.extracts",
    "source.run_date",
    "source.manifest",
    "project.state",
    "target.url",
    "target.environment",
    "target.suppliers",
    "target.auth.scheme",
    "target.auth.env",
    "target.auth.file",
    "target.auth.command",
    "target.envelope",
    "target.contract",
    "target.settings.managed_accounts",
    "target.settings.send_registration_flows",
    "target.settings.new_portfolios",
    "target.settings.billing_document_ids",
    "target.settings.enforce_business_contracts",
    "target.settings.link_through_contract",
    "target.settings.automatic_teams",
    "target.settings.address_history",
    "target.settings.consents",
    "target.settings.skip_supply_points",
    "target.settings.skip_properties",
    "target.settings.incomplete_instructions",
    "target.settings.default_role",
    "target.settings.required_details",
    "target.settings.internal_emails",
    "target.settings.payment_days",
    "limits.rate",
    "limits.in_flight",
    "limits.timeout",
    "limits.attempts",
    "limits.settle",
    "limits.memory",
    "submit.validate",
    "follow.every",
    "follow.for",
    "stop.rejected",
    "stop.failed",
    "stop.consecutive_failures",
    "stop.give_up_after",
    "stop.identical_refusals",
    "stop.until",
    "reference.import_suppliers",
    "reference.campaigns",
    "reference.tariffs",
    "reference.products",
    "reference.rates",
    "reference.market_participants",
    "reference.tprs",
    "reference.sscs",
    "reference.psr_codes",
    "reference.dunning_paths",
    "reference.operations_teams",
    "reference.document_paths",
    "reference.ledger_types",
    "reference.debt_agencies",
    "reference.plan_strategies",
    "reference.reference_namespaces",
    "reference.affiliates",
    "reference.partners",
    "reference.contribution_schemes",
    "reference.complaint_types",
    "reference.complaint_officials",
    "reference.complaint_sources",
    "reference.business_details",
    "reference.user_details",
    "reference.agent_contracts",
];

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// Where accounts come from.
    pub source: SourceSettings,
    /// Where the project keeps what it makes.
    pub project: ProjectSettings,
    /// Where accounts go.
    pub target: TargetSettings,
    /// Bounds on requests and memory.
    pub limits: LimitSettings,
    /// How payloads are sent.
    pub submit: SubmitSettings,
    /// How imports are followed.
    pub follow: FollowSettings,
    /// What ends a run early, cleanly, to be resumed.
    pub stop: StopSettings,
    pub reference: BTreeMap<String, PathBuf>,
    pub rules: BTreeMap<String, Override>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SourceSettings {
    /// The mapping's folder, relative to this file.
    pub mapping: Option<PathBuf>,
    /// The extract folders, relative to this file.
    pub extracts: Option<Vec<PathBuf>>,
    /// What "today" means to date rules: manifest, today, or a date.
    pub run_date: Option<RunDate>,
    /// The sender's list of files and record counts, a file name in the extract folder.
    pub manifest: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProjectSettings {
    /// The folder of the ledger and of everything that belongs to it; .slipway if not said.
    pub state: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TargetSettings {
    /// The target's base URL; http only on this machine.
    pub url: Option<String>,
    /// What stands behind the URL; not needed on this machine. Production asks for --yes.
    pub environment: Option<super::Environment>,
    /// The import suppliers whose payloads may be sent.
    pub suppliers: Option<Vec<String>>,
    /// How requests show who sends them.
    pub auth: AuthSettings,
    /// What the body of a request is; bare if not said.
    pub envelope: Option<super::Envelope>,
    /// edf-gb, the one that is built in, or the path of the tenant's OpenAPI document.
    pub contract: Option<String>,
    pub settings: tenant::Settings,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuthSettings {
    /// The form of the Authorization header; token if not said.
    pub scheme: Option<super::Scheme>,
    /// The variable that holds the API key; `SLIPWAY_API_KEY` if nothing is said.
    pub env: Option<String>,
    /// The file that holds the API key.
    pub file: Option<PathBuf>,
    /// The command that prints the API key.
    pub command: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitSettings {
    /// How many requests of any kind may start: 20/s, 600/min. 20/s if not said.
    pub rate: Option<Rate>,
    /// How many requests may be on their way at once; 64 if not said.
    pub in_flight: Option<u32>,
    /// How long one request may take; 30s if not said.
    pub timeout: Option<Span>,
    /// How often a request is tried; 6 if not said.
    pub attempts: Option<u32>,
    /// How long a status of not found must last before a doubtful create counts as not received; 60s if not said.
    pub settle: Option<Span>,
    /// How much memory a build may use; 1GiB if not said.
    pub memory: Option<Bytes>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SubmitSettings {
    /// Which payloads are validated before they are created: never, sample or always; never if not said.
    pub validate: Option<super::Validate>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FollowSettings {
    /// The first wait between two reads of one status; 5s if not said.
    pub every: Option<Span>,
    /// How long a run follows before it leaves the rest to the next; 2h if not said.
    #[serde(rename = "for")]
    pub patience: Option<Span>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StopSettings {
    /// More than this share rejected offline: nothing is sent; 5% if not said.
    pub rejected: Option<Share>,
    /// More than this share refused or errored of 100 or more tried; 5% if not said.
    pub failed: Option<Share>,
    /// So many outages in a row; 20 if not said.
    pub consecutive_failures: Option<u32>,
    /// How long a run waits for a target that has gone away; 5m if not said.
    pub give_up_after: Option<Span>,
    /// So many accounts in a row that are refused for the same codes and paths; 20 if not said.
    pub identical_refusals: Option<u32>,
    /// No creates after this time of day in Great Britain: 06:00.
    pub until: Option<TimeOfDay>,
}

/// The layers, merged key by key as they are added.
#[derive(Debug, Default)]
pub(super) struct Layers {
    merged: toml::Table,
}

impl Layers {
    /// Adds the text of the project file at `path`.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let at = |span: Option<std::ops::Range<usize>>, problem: String, nearest: Option<&'static str>| {
            let (line, column) = line_and_column(text, span.map_or(0, |span| span.start));
            ConfigError::File { file: path.to_path_buf(), line, column, problem, nearest }
        };
        let table = DeTable::parse(text).map_err(|e| at(e.span(), first_line(e.message()), None))?;
        if let Some((span, key)) = first_unknown(table.get_ref(), "") {
            return Err(at(Some(span), unknown(&key), nearest(&key)));
        }
        toml::from_str::<Settings>(text).map_err(|e| at(e.span(), first_line(e.message()), None))?;
        let layer = toml::from_str(text).map_err(|e| at(e.span(), first_line(e.message()), None))?;
        merge(&mut self.merged, layer);
        Ok(())
    }

    /// Adds one setting from outside the file; `origin` says where it stands, such as ``the flag `--set` ``.
    ///
    /// The value is read as TOML if it fits so (`8`, `["A", "B"]`), else as the text it is (`20/s`).
    pub(super) fn add_one(&mut self, origin: &str, key: &str, value: &str) -> Result<(), ConfigError> {
        let wrong = |problem: String, nearest| ConfigError::Override { origin: origin.to_owned(), problem, nearest };
        // A variable cannot spell the hyphens of a rule's id.
        let key = if key.starts_with(RULES) { &key.replace('_', "-") } else { key };
        if !is_key(key) {
            return Err(wrong(unknown(key), nearest(key)));
        }
        let text = toml::Value::String(value.to_owned());
        let as_toml = value.parse::<toml::Value>().map(|value| nested(key, value));
        let layer = match as_toml {
            Ok(layer) if Settings::deserialize(layer.clone()).is_ok() => layer,
            _ => {
                let layer = nested(key, text);
                Settings::deserialize(layer.clone())
                    .map_err(|e| wrong(format!("`{key}`: {}", first_line(e.message())), None))?;
                layer
            }
        };
        merge(&mut self.merged, layer);
        Ok(())
    }

    /// The settings all layers together say.
    pub(super) fn into_settings(self) -> Result<Settings, ConfigError> {
        Settings::deserialize(self.merged).map_err(|e| ConfigError::Override {
            origin: "the settings together".to_owned(),
            problem: first_line(e.message()),
            nearest: None,
        })
    }
}

/// What the keys of `[rules]` start with.
const RULES: &str = "rules.";

/// Whether `key` is a setting.
fn is_key(key: &str) -> bool {
    KEYS.contains(&key) || key.strip_prefix(RULES).is_some_and(|rule| overrides::id(rule).is_some())
}

/// What is wrong with a key that is none.
fn unknown(key: &str) -> String {
    let Some(rule) = key.strip_prefix(RULES) else { return format!("there is no setting `{key}`") };
    match document::did_you_mean(rule, overrides::ids()) {
        Some(help) => format!("no rule `{rule}` is checked here: {help}"),
        None => format!("no rule `{rule}` is checked here: `slipway schema rules` lists those that are"),
    }
}

/// The known key nearest to `key`, if one is near; of a rule, the message names it.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    /// Below this likeness (0 to 1) a suggestion would mislead.
    const LIKE: f64 = 0.75;
    if key.starts_with(RULES) {
        return None;
    }
    KEYS.iter()
        .map(|known| {
            (strsim::jaro_winkler(known, key).max(strsim::jaro_winkler(leaf(known), leaf(key)) * 0.98), *known)
        })
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The key that the variable `name`, which has no double underscore, seems to mean: `SLIPWAY_LIMITS` names a section,
/// `SLIPWAY_LIMITS_RATE` a key. None: it is some other variable, such as one that holds the API key.
pub(super) fn nearest_variable(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("SLIPWAY_")?.to_lowercase();
    KEYS.iter().copied().find(|key| key.replace('.', "_") == name || key.split('.').next() == Some(name.as_str()))
}

fn leaf(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The first key under `table`, whose own dotted key is `prefix`, that is neither a setting nor a section of some.
fn first_unknown(table: &DeTable<'_>, prefix: &str) -> Option<(std::ops::Range<usize>, String)> {
    table.iter().find_map(|(name, value): (_, &Spanned<DeValue<'_>>)| {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        let section = format!("{key}.");
        let is_section = section == RULES || KEYS.iter().any(|known| known.starts_with(&section));
        match value.get_ref() {
            DeValue::Table(inner) if is_section => first_unknown(inner, &key),
            _ if is_section || is_key(&key) => None,
            _ => Some((name.span(), key)),
        }
    })
}

/// `value` under the dotted `key`.
fn nested(key: &str, value: toml::Value) -> toml::Table {
    let mut parts = key.rsplit('.');
    let mut table = toml::Table::new();
    if let Some(last) = parts.next() {
        table.insert(last.to_owned(), value);
    }
    for part in parts {
        table = toml::Table::from_iter([(part.to_owned(), toml::Value::Table(table))]);
    }
    table
}

/// Lays `over` over `under`, table by table.
fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Line and column, both counted from 1, of the byte at `offset` of `text`.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The first line of a parser's message, without the value it quotes: that may be a key pasted into the wrong place.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = match line.split_once("string \"").and_then(|(before, rest)| Some((before, rest.rsplit_once('"')?.1))) {
        Some((before, after)) => format!("{before}a text{after}"),
        None => line.to_owned(),
    };
    in_plain_words(&line).unwrap_or(line)
}

/// `invalid type: X, expected a string` → `expected a text in quotes, found X`; none if the message is of another kind.
fn in_plain_words(message: &str) -> Option<String> {
    let (found, expected) = ["invalid type: ", "invalid value: ", "unknown variant "]
        .into_iter()
        .find_map(|prefix| message.strip_prefix(prefix))?
        .split_once(", expected ")?;
    let expected = match expected {
        "a string" | "string" | "path string" | "a borrowed string" => "a text in quotes",
        "a sequence" => "a list such as [\"A\", \"B\"]",
        "struct AuthSettings" => "a table such as { env = \"VARIABLE\" }",
        text if text.starts_with("struct ") || text == "a map" => "a table",
        text if text.len() <= 3 && text.starts_with(['u', 'i']) => "a whole number",
        text => text,
    };
    Some(format!("expected {expected}, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_key_is_a_field_and_every_field_is_listed() {
        for key in KEYS {
            let table = nested(key, toml::Value::Array(vec![toml::Value::Array(vec![])]));
            let error = Settings::deserialize(table).unwrap_err();
            assert!(!error.message().contains("unknown field"), "{key}: {error}");
        }
        // A misspelt leaf makes serde name the fields it knows: each of them must be listed.
        let sections =
            ["source", "project", "target", "target.auth", "target.settings", "limits", "submit", "follow", "stop"];
        for section in sections {
            let table = nested(&format!("{section}.zzz"), toml::Value::Boolean(true));
            let message = Settings::deserialize(table).unwrap_err().message().to_owned();
            let names =
                message.split('`').skip(1).step_by(2).filter(|name| !["zzz", "auth", "settings"].contains(name));
            for name in names {
                assert!(KEYS.contains(&format!("{section}.{name}").as_str()), "{section}.{name} is not listed");
            }
        }
    }

    #[test]
    fn every_list_of_the_tenants_is_a_setting() {
        let listed: Vec<&str> = KEYS.iter().filter_map(|key| key.strip_prefix("reference.")).collect();
        let there: Vec<&str> = tenant::ListKind::ALL.iter().map(|kind| kind.key()).collect();
        assert_eq!(listed, there);
    }

    #[test]
    fn the_nearest_key_is_found_by_its_last_part_too() {
        assert_eq!(nearest("limits.rates"), Some("limits.rate"));
        assert_eq!(nearest("target.supplier"), Some("target.suppliers"));
        assert_eq!(nearest("limit.in_flight"), Some("limits.in_flight"));
        assert_eq!(nearest("xyzzy"), None);
    }
}
