//! No secret leaves the places where it belongs, and production is never met by accident.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::night::{FAST, Sandbox, project};
use crate::support::{Project, text};

/// The API key of these tests. It opens nothing but the sandbox.
const CANARY: &str = "canary-7f3a9c51e0";

/// Every file below `folder`.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Fails if `needle` stands anywhere in the bytes.
fn without(needle: &str, place: &str, bytes: &[u8]) {
    assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()), "{place} holds `{needle}`");
}

#[test]
fn the_key_stands_in_no_log_error_ledger_report_or_payload() {
    let sandbox = Sandbox::start_with_key("KEY", CANARY, &["--errored-one-in", "5", "--lost-reply-one-in", "5"]);
    let project = project(12, &sandbox);
    let mut said = Vec::new();
    let mut run = |arguments: &[&str], key: &str| {
        let mut command = project.command(&[arguments, &FAST[..]].concat());
        let output = command.env("SLIPWAY_API_KEY", key).env("SLIPWAY_LOG", "trace").output().unwrap();
        said.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
        output.status.code()
    };
    assert_eq!(run(&["build"], CANARY), Some(0));
    assert_eq!(run(&["validate", "--sample", "3"], CANARY), Some(0));
    let wrong = format!("{CANARY}-wrong");
    assert_eq!(run(&["submit"], &wrong), Some(4), "a refused key");
    assert_eq!(run(&["submit"], &format!("{CANARY}\nx")), Some(2), "a key that no header can hold");
    assert_eq!(run(&["run"], CANARY), Some(1));
    assert_eq!(run(&["run", "--json"], CANARY), Some(1));
    for arguments in [&["status"][..], &["report", "--json"], &["report", "--html", "page.html"], &["reconcile"]] {
        run(arguments, CANARY);
    }
    assert_eq!(run(&["run", "--set", &format!("target.auth.command=printf {CANARY}")], ""), Some(1));
    for (command, bytes) in &said {
        without(CANARY, command, bytes);
    }
    let mut kept = Vec::new();
    files(&project.path("."), &mut kept);
    assert!(kept.len() > 30 && kept.iter().any(|file| file.ends_with("ledger.sqlite")), "{kept:?}");
    for file in kept {
        without(CANARY, &file.display().to_string(), &fs::read(&file).unwrap());
    }
}

#[test]
fn customers_stand_in_no_log_whatever_its_level() {
    let sandbox = Sandbox::start(&["--errored-one-in", "3", "--imported-one-in", "4"]);
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &sandbox.url);
    let details = customer_details();
    assert!(details.len() > 200);
    for format in ["text", "json"] {
        let mut command =
            project.command(&[&["run", "--set", "stop.rejected=50%", "--set", "stop.failed=100%"], &FAST[..]].concat());
        let output = command.env("SLIPWAY_LOG", "trace").env("SLIPWAY_LOG_FORMAT", format).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let log = text(&output.stderr) + &text(&output.stdout);
        assert!(log.len() > 1_000, "there is a log");
        for detail in &details {
            assert!(!log.contains(detail.as_str()), "the log tells `{detail}`");
        }
    }
    for event in text(
        &project
            .command(&["status"])
            .env("SLIPWAY_LOG", "trace")
            .env("SLIPWAY_LOG_FORMAT", "json")
            .output()
            .unwrap()
            .stderr,
    )
    .lines()
    {
        assert!(serde_json::from_str::<serde_json::Value>(event).is_ok(), "{event}");
    }
}

/// E-mail addresses and telephone numbers of the sample's customers.
fn customer_details() -> Vec<String> {
    crate::demo::customer_details()
}

#[test]
fn production_is_named_and_tells_what_would_go_where() {
    let sandbox = Sandbox::start(&[]);
    let project = project(3, &sandbox);
    let production = [&["run", "--quiet", "--set", "target.environment=production"], &FAST[..]].concat();
    let told = text(&project.run(5, &production).stderr);
    assert!(
        told.contains("3 accounts of TENTACLE_ENERGY") && told.contains(&sandbox.url) && told.contains("--yes"),
        "{told}"
    );
    assert_eq!(sandbox.counts().requests, 0);
    let told = text(&project.run(0, &[&production[..], &["--yes", "--reason", "night 1"]].concat()).stderr);
    assert!(told.contains("sending 3 accounts of TENTACLE_ENERGY"), "{told}");
    assert_eq!(project.column("SELECT act || ': ' || reason FROM intervention"), ["yes: night 1"]);
}

#[test]
fn a_missing_key_is_told_before_anything_is_built() {
    let sandbox = Sandbox::start(&[]);
    let project = project(3, &sandbox);
    let told = text(&project.run(2, &["run", "--set", "target.auth.env=NO_SUCH_VARIABLE_HERE"]).stderr);
    assert!(told.contains("NO_SUCH_VARIABLE_HERE"), "{told}");
    assert!(!project.path(".slipway").exists());
}
