use secrecy::ExposeSecret as _;

use super::*;

const WHOLE: &str = r#"
[source]
mapping  = "mappings/tentacle"
extracts = ["samples/tentacle", "fixes"]
run_date = "manifest"
manifest = "MANIFEST.csv"
[project]
state = ".slipway"
[target]
url = "https://api.tenant.example/"
environment = "rehearsal"
suppliers = ["TENTACLE_ENERGY"]
auth = { scheme = "raw", file = "key.txt" }
envelope = "wrapped"
contract = "edf-gb"
[limits]
rate = "20/s"
in_flight = 64
timeout = "30s"
attempts = 6
settle = "60s"
memory = "1GiB"
[submit]
validate = "sample"
[follow]
every = "5s"
for = "2h"
[target.settings]
consents = false
payment_days = [1, 25]
[reference]
tariffs = "lists/tariffs.csv"
[rules]
postcode-in-use = "off"
supply-point-in-two-accounts = "warning"
[stop]
rejected = "5%"
failed = "5%"
consecutive_failures = 20
until = "06:00"
"#;

const LEAST: &str = "source = { mapping = 'm', extracts = ['x'], run_date = 'today' }\n\
                     target = { url = 'http://127.0.0.1:8080', suppliers = ['S'] }\n";

fn resolve(text: &str, variables: &[(&str, &str)], overrides: &[&str]) -> Result<Project, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(PROJECT_FILE);
    std::fs::write(&file, text).unwrap();
    let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let overrides: Vec<_> = overrides.iter().map(|o| (*o).to_owned()).collect();
    Project::resolve(Some(&file), &variables, &overrides)
}

/// The message and the hint, the temporary directory left out.
fn refusal(text: &str, variables: &[(&str, &str)], overrides: &[&str]) -> String {
    let error = resolve(text, variables, overrides).unwrap_err();
    let place = error.to_string();
    let name = place.find(PROJECT_FILE).filter(|_| place.starts_with('/')).unwrap_or(0);
    format!("{} | {}", &place[name..], error.hint().unwrap_or_default())
}

#[test]
fn every_setting_is_read_and_paths_start_at_the_project_file() {
    let project = resolve(WHOLE, &[], &[]).unwrap();
    let directory = project.file.parent().unwrap();
    assert_eq!(project.source.mapping, directory.join("mappings/tentacle"));
    assert_eq!(project.source.extracts, [directory.join("samples/tentacle"), directory.join("fixes")]);
    assert_eq!(project.state, directory.join(".slipway"));
    assert_eq!(project.target.url, "https://api.tenant.example");
    assert_eq!(project.target.environment, Environment::Rehearsal);
    assert_eq!(project.target.envelope, Envelope::Wrapped);
    assert_eq!(project.validate, Validate::Sample);
    assert!(matches!(&project.target.auth, AuthSource { scheme: Scheme::Raw, key: KeySource::File(_) }));
    assert_eq!(project.follow.patience, Duration::from_hours(2));
    assert!(project.stop.until.is_some());
}

#[test]
fn defaults_stand_in_for_what_is_not_said() {
    let project = resolve(LEAST, &[], &[]).unwrap();
    assert_eq!(project.target.environment, Environment::Loopback);
    assert_eq!((project.limits.rate.requests.get(), project.limits.rate.per), (20, Duration::from_secs(1)));
    assert_eq!(project.limits.in_flight.get(), 64);
    assert_eq!(project.limits.memory_bytes, 1 << 30);
    assert_eq!(project.validate, Validate::Never);
    assert!(matches!(&project.target.auth.key, KeySource::EnvIfSet(name) if name == API_KEY_VARIABLE));
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let variables = [("SLIPWAY_LIMITS__IN_FLIGHT", "7"), ("SLIPWAY_LIMITS__RATE", "7/s")];
    let overrides = ["limits.rate=9/min", "target.suppliers=[\"A\", \"B\"]", "source.run_date=2026-01-31"];
    let project = resolve(LEAST, &variables, &overrides).unwrap();
    assert_eq!(project.limits.in_flight.get(), 7);
    assert_eq!(project.limits.rate, "9/min".parse().unwrap());
    assert_eq!(project.target.suppliers, ["A", "B"]);
    assert_eq!(project.source.run_date, "2026-01-31".parse().unwrap());
}

#[test]
fn a_wrong_setting_is_named_with_its_place_and_its_nearest_name() {
    let wrong = format!("{LEAST}[limits]\n  rates = '20/s'\n");
    assert_eq!(
        refusal(&wrong, &[], &[]),
        "slipway.toml:4:3: there is no setting `limits.rates` | a setting with a similar name is `limits.rate`"
    );
    let wrong = format!("{LEAST}[limits]\nrate = '20'\n");
    assert!(refusal(&wrong, &[], &[]).starts_with("slipway.toml:4:8: expected a rate such as \"20/s\""));
    assert!(refusal("[source]\nmapping = \n", &[], &[]).starts_with("slipway.toml:2:11: "));
    assert_eq!(
        refusal(LEAST, &[("SLIPWAY_TARGET__ULR", "x")], &[]),
        "the variable SLIPWAY_TARGET__ULR: there is no setting `target.ulr` | a setting with a similar name is `target.url`"
    );
    assert!(
        refusal(LEAST, &[], &["limits.in_flight=many"])
            .starts_with("the flag `--set`: `limits.in_flight`: expected a whole number, found a text")
    );
    for (line, told) in [
        ("[limits]\nrate = 3", "expected a text in quotes, found integer `3`"),
        ("[submit]\nvalidate = 'often'", "expected one of `never`, `sample`, `always`, found `often`"),
        ("limits = 3", "expected a table, found integer `3`"),
    ] {
        let message = refusal(&format!("{LEAST}{line}\n"), &[], &[]);
        assert!(message.contains(told), "{message}");
    }
    assert!(refusal(LEAST, &[], &["limits.in_flight"]).contains("expected KEY=VALUE"));
    for (variable, nearest) in [("SLIPWAY_LIMITS", "limits.rate"), ("SLIPWAY_LIMITS_RATE", "limits.rate")] {
        let told = refusal(LEAST, &[(variable, "3")], &[]);
        assert!(
            told.starts_with(&format!("the variable {variable}: it sets nothing")) && told.contains(nearest),
            "{told}"
        );
    }
    assert!(refusal(LEAST, &[], &["limits.in_flight=0"]).starts_with("`limits.in_flight`: expected at least 1"));
}

#[test]
fn what_has_no_default_is_asked_for() {
    let text = "source = { mapping = 'm', extracts = ['x'], run_date = 'today' }\n";
    assert!(refusal(text, &[], &[]).starts_with("`target.url` is not set"));
    let text = format!("{text}target = {{ url = 'https://api.tenant.example' }}\n");
    assert!(refusal(&text, &[], &[]).starts_with("`target.environment` is not set"));
    assert!(refusal(&text, &[], &["target.environment=rehearsal"]).starts_with("`target.suppliers` is not set"));
    assert!(refusal("", &[], &["source.mapping=m", "source.extracts=[]"]).starts_with("`source.extracts` is not set"));
}

#[test]
fn only_this_machine_is_spoken_to_without_encryption() {
    let with_url = |url: &str| refusal(LEAST, &[], &[&format!("target.url={url}"), "target.environment=rehearsal"]);
    assert!(with_url("http://api.tenant.example").contains("expected https"));
    assert!(with_url("ftp://127.0.0.1").contains("expected an https URL"));
    assert!(with_url("https://user:secret@api.tenant.example").contains("is refused"));
    assert!(with_url("api.tenant.example").contains("expected a URL"));
    for url in ["http://localhost:1", "http://127.0.0.1:8080", "http://[::1]:8080/base"] {
        assert!(resolve(LEAST, &[], &[&format!("target.url={url}")]).is_ok(), "{url}");
    }
    let elsewhere = ["target.url=https://api.tenant.example", "target.environment=loopback"];
    assert!(refusal(LEAST, &[], &elsewhere).contains("not on this machine"));
}

#[test]
fn a_create_is_not_taken_for_lost_sooner_than_a_request_may_take() {
    let elsewhere = ["target.url=https://api.tenant.example", "target.environment=rehearsal", "limits.timeout=90s"];
    let refused = refusal(LEAST, &[], &elsewhere);
    assert!(refused.contains("limits.settle") && refused.contains("1m is shorter"), "{refused}");
    assert!(refused.contains("(1m 30s)"), "{refused}");
    for settle in ["limits.settle=90s", "limits.settle=2m"] {
        assert!(resolve(LEAST, &[], &[&elsewhere[..], &[settle]].concat()).is_ok(), "{settle}");
    }
    for environment in ["loopback", "production"] {
        let environment = format!("target.environment={environment}");
        let here = ["target.url=http://127.0.0.1:1", "limits.settle=1s", environment.as_str()];
        assert!(resolve(LEAST, &[], &here).is_ok(), "a sandbox, whatever it stands for");
    }
}

#[test]
fn the_key_is_read_where_the_settings_say_and_shown_nowhere() {
    let read = |source| AuthSource { scheme: Scheme::Token, key: source }.read_key();
    let key = |source| read(source).map(Option::unwrap);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, " s3cret\n").unwrap();
    assert_eq!(key(KeySource::File(file.clone())).unwrap().expose_secret(), "s3cret");
    assert_eq!(key(KeySource::Command("printf s3cret".to_owned())).unwrap().expose_secret(), "s3cret");
    assert!(key(KeySource::Command("false".to_owned())).is_err());
    assert!(key(KeySource::Env("SLIPWAY_NO_SUCH_VARIABLE".to_owned())).is_err());
    assert!(read(KeySource::EnvIfSet("SLIPWAY_NO_SUCH_VARIABLE".to_owned())).unwrap().is_none());
    assert!(!format!("{:?}", KeySource::Given("s3cret".into())).contains("s3cret"));
    assert!(refusal(LEAST, &[], &["target.auth={ env = 'A', file = 'B' }"]).contains("there is no setting"));
    let two = ["target.auth.env=A", "target.auth.file=B"];
    assert!(refusal(LEAST, &[], &two).starts_with("`target.auth`: expected one of"));
}

#[test]
fn lists_and_switches_and_overrides_are_read() {
    let project = resolve(WHOLE, &[], &[]).unwrap();
    let tariffs = &project.reference[&crate::tenant::ListKind::Tariffs];
    assert!(tariffs.is_absolute() && tariffs.ends_with("lists/tariffs.csv"));
    assert_eq!(
        (project.target.settings.consents, project.target.settings.payment_days.map(|days| days.last)),
        (Some(false), Some(25))
    );
    let is = |rule: &str| project.overrides.0[rule].as_str();
    assert_eq!((is("postcode-in-use"), is("supply-point-in-two-accounts")), ("off", "warning"));
    let variables = [("SLIPWAY_RULES__POSTCODE_IN_USE", "error"), ("SLIPWAY_TARGET__SETTINGS__CONSENTS", "true")];
    let project = resolve(WHOLE, &variables, &["rules.phone-valid=notice", "reference.tprs=t.csv"]).unwrap();
    assert_eq!(project.overrides.0["postcode-in-use"].as_str(), "error");
    assert_eq!(project.overrides.0["phone-valid"].as_str(), "notice");
    assert_eq!((project.target.settings.consents, project.reference.len()), (Some(true), 2));
}

#[test]
fn what_names_no_list_rule_or_switch_is_refused_with_its_place_and_the_nearest_name() {
    for (lines, told) in [
        (
            "[rules]\n\"postcode-in-uze\" = 'off'",
            "slipway.toml:4:1: no rule `postcode-in-uze` is checked here: did you mean `postcode-in-use`? | ",
        ),
        (
            "[reference]\n  tarifs = 't.csv'",
            "slipway.toml:4:3: there is no setting `reference.tarifs` | a setting with a similar name is `reference.tariffs`",
        ),
        (
            "[target.settings]\nconsent = true",
            "slipway.toml:4:1: there is no setting `target.settings.consent` | a setting with a similar name is \
             `target.settings.consents`",
        ),
        (
            "[rules]\nphone-valid = 'fatal'",
            "slipway.toml:4:15: expected one of `error`, `warning`, `notice`, `off`, found `fatal` | ",
        ),
        ("[target.settings]\nconsents = 'yes'", "slipway.toml:4:12: expected a boolean, found a text | "),
    ] {
        // An inline table cannot be added to.
        let text = if lines.starts_with("[target") {
            LEAST.replace(
                "target = { url = 'http://127.0.0.1:8080', suppliers = ['S'] }",
                "[target]\nurl='http://[::1]'\nsuppliers=['S']",
            )
        } else {
            LEAST.to_owned()
        };
        let message = refusal(&format!("{text}{lines}\n"), &[], &[]);
        let expected = if lines.starts_with("[target") { told.replace(":4:", ":6:") } else { told.to_owned() };
        assert_eq!(message, expected);
    }
    let told = refusal(LEAST, &[], &["rules.zzz=off"]);
    assert!(told.starts_with("the flag `--set`: no rule `zzz` is checked here: `slipway schema rules`"), "{told}");
}
