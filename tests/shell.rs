//! What holds for the program as a whole: exit codes, streams, help.

use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{self, repository, text};

/// The program, in `folder`.
fn slipway(folder: &Path) -> Command {
    let mut command = support::slipway();
    command.current_dir(folder);
    Command::from_std(command)
}

#[test]
fn what_cannot_be_used_ends_2_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["fly"][..], "unrecognized subcommand"),
        (&["build"], "`source.mapping` is not set"),
        (&["build", "--project", "no.toml"], "cannot read the project file no.toml: No such file"),
        (&["build", "--set", "limits.rates=5/s"], "hint: a setting with a similar name is `limits.rate`"),
    ] {
        let output = slipway(folder.path()).args(arguments).assert().code(2).get_output().clone();
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn with_json_even_a_failure_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let output = slipway(folder.path()).args(["report", "--json"]).assert().code(2).get_output().clone();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["exit_code"], 2);
    assert!(document["error"]["message"].as_str().unwrap().starts_with("`source.mapping` is not set"));
}

#[test]
fn a_setting_in_the_environment_counts() {
    let folder = tempfile::tempdir().unwrap();
    let output = slipway(folder.path())
        .env("SLIPWAY_STOP__UNTIL", "6 o'clock")
        .arg("report")
        .assert()
        .code(2)
        .get_output()
        .clone();
    assert!(text(&output.stderr).contains("SLIPWAY_STOP__UNTIL"), "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = support::slipway()
        .args(["lint", "--project"])
        .arg(repository().join("samples/guide/slipway.toml"))
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn every_command_has_help() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&slipway(folder.path()).arg("--help").assert().success().get_output().stdout);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A command's description goes on in lines that are further in.
    let commands: Vec<_> = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(commands.contains(&"report"), "{commands:?}");
    for command in commands.iter().filter(|command| !["", "help"].contains(command)) {
        let help = text(&slipway(folder.path()).args([command, "--help"]).assert().success().get_output().stdout);
        assert!(help.contains(&format!("Example:\n  slipway {command}")), "{command}: {help}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&slipway(folder.path()).args(["completions", shell]).assert().success().get_output().stdout);
        for word in ["slipway", "profile", "reconcile", "dry-run"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn a_long_wait_is_never_silent() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = support::slipway()
        .args(["sandbox", "--import-time", "12s"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(target.stdout.take().unwrap()), &mut url).unwrap();
    let output = slipway(folder.path())
        .args(["run", "--set", "follow.every=1s", "--set"])
        .arg(format!("target.url={}", url.trim()))
        .arg("--set")
        .arg(format!("project.state={}", folder.path().join("state").display()))
        .arg("--project")
        .arg(repository().join("samples/guide/slipway.toml"))
        .assert()
        .get_output()
        .clone();
    target.kill().unwrap();
    target.wait().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.lines().any(|line| line.starts_with("follow: 0 of 1 accounts, 0/s")), "{told}");
}
