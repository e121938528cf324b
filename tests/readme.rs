//! The README's queries and tables are kept.

use std::collections::BTreeSet;
use std::path::Path;

use slipway::ledger::{Ledger, TargetIdentity};

use crate::support::repository;

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).unwrap()
}

/// A new ledger, opened the way a user would.
fn ledger(folder: &Path) -> rusqlite::Connection {
    let path = folder.join("ledger.sqlite");
    let target = TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into()] };
    drop(Ledger::open(&path, &target).unwrap());
    rusqlite::Connection::open(path).unwrap()
}

#[test]
fn every_query_runs() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let readme = readme();
    let queries = readme.split("```sql").nth(1).unwrap().split("```").next().unwrap();
    let mut queries_of: BTreeSet<String> = BTreeSet::new();
    for query in queries.split(';').filter(|query| !query.trim().is_empty()) {
        let mut statement = ledger.prepare(query).unwrap();
        assert!(statement.query([]).unwrap().next().unwrap().is_none(), "a new ledger has rows: {query}");
        queries_of.extend(query.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
    }
    let mut views = ledger.prepare("SELECT name FROM sqlite_master WHERE type = 'view'").unwrap();
    let views: Vec<String> = views.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let without: Vec<_> = views.iter().filter(|view| !queries_of.contains(*view)).collect();
    assert!(views.len() > 14 && without.is_empty(), "no query shows {without:?}");
    for title in ["-- errors by column this week\n", "-- pence by wave\n"] {
        assert!(queries.contains(title), "{title}");
    }
}

#[test]
fn every_view_is_listed_with_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let readme = readme();
    let listed: BTreeSet<_> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let view = cells.get(1)?.strip_prefix("`v_")?.strip_suffix('`')?;
            let columns = cells.get(3)?.split(", ").map(|column| column.split(' ').next().unwrap().to_owned());
            Some((format!("v_{view}"), columns.collect::<Vec<_>>()))
        })
        .collect();
    let mut views = ledger.prepare("SELECT name FROM sqlite_master WHERE type = 'view'").unwrap();
    let there: BTreeSet<_> = views
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|view| {
            let view = view.unwrap();
            let statement = ledger.prepare(&format!("SELECT * FROM {view}")).unwrap();
            (view, statement.column_names().map(str::to_owned).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(listed, there);
}

/// The blocks of the README that are written in `language`.
fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let fence = format!("```{language}\n");
    let begun = readme.split(&fence).skip(1);
    begun.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A scratch copy of what the README speaks of: the samples, and an extract that nobody has described.
fn scratch() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["samples", "mappings"] {
        crate::support::copy(&repository().join(name), &folder.path().join(name));
    }
    crate::support::copy(&repository().join("samples/guide"), &folder.path().join("extracts"));
    std::fs::remove_file(folder.path().join("extracts/slipway.toml")).unwrap();
    folder
}

#[test]
fn every_shell_block_runs() {
    let folder = scratch();
    let mut run = Vec::new();
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let command = line.split('#').next().unwrap().trim();
        // Building and testing slipway is what is going on; its own commands are run as they stand.
        let command = command
            .strip_prefix("cargo run --release -- ")
            .map_or(command.to_owned(), |rest| format!("slipway {rest}"));
        let Some(arguments) = command.strip_prefix("slipway ") else {
            assert!(command.is_empty() || command.starts_with("cargo "), "what is this? {line}");
            continue;
        };
        let ends = line.split("exit ").nth(1).and_then(|code| code.chars().next()?.to_digit(10)).unwrap_or(0);
        let output = crate::support::slipway().current_dir(folder.path()).args(arguments.split(' ')).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(ends as i32), "{line}: {told}");
        run.push(arguments.split(' ').next().unwrap().to_owned());
    }
    for command in ["demo", "profile", "init", "lint"] {
        assert!(run.iter().any(|known| known == command), "{command} is not shown");
    }
}

#[test]
fn the_project_file_can_be_used() {
    let folder = scratch();
    let settings = blocks("toml").into_iter().find(|block| block.starts_with("[source]")).unwrap();
    std::fs::write(folder.path().join("slipway.toml"), settings).unwrap();
    let output =
        crate::support::slipway().current_dir(folder.path()).args(["lint", "--headers-only"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_command_is_listed() {
    let readme = readme();
    let listed: BTreeSet<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `slipway "))
        .flat_map(|line| line.split('|').nth(1).unwrap().split("`slipway ").skip(1))
        .map(|command| command.split(['`', ' ']).next().unwrap().to_owned())
        .collect();
    let command = <slipway::cli::Cli as clap::CommandFactory>::command();
    let there: BTreeSet<_> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(listed, there);
}

/// A project with accounts and a wave of some of them, whose target asks for the key that lies in `api-key`.
fn night() -> (crate::support::night::Sandbox, crate::support::Project) {
    let sandbox = crate::support::night::Sandbox::start_with_key("NIGHT_KEY", "s3cret", &[]);
    let project = crate::support::night::project(6, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let wave = project.column("SELECT number FROM account ORDER BY number LIMIT 3");
    std::fs::write(project.path("wave"), "night-1").unwrap();
    std::fs::write(project.path("api-key"), "s3cret\n").unwrap();
    std::fs::write(project.path("night-1.txt"), wave.join("\n")).unwrap();
    project.run(0, &["build", "--quiet", "--wave", "night-1=night-1.txt"]);
    (sandbox, project)
}

/// Runs `command` of an example as a scheduler does, in the project's place, and sees that the wave was sent.
fn runs_as_written(command: &str, environment: &[(&str, &str)]) {
    let (sandbox, project) = night();
    let here = project.path("").display().to_string();
    let command = command.replace("/srv/migration", here.trim_end_matches('/'));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_slipway"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", command.as_str()]).env_clear().env("PATH", path).envs(environment.iter().copied());
    let credentials = here.clone();
    let status =
        shell.env("CREDENTIALS_DIRECTORY", credentials.trim_end_matches('/')).current_dir(here).status().unwrap();
    assert_eq!(status.code(), Some(0), "{command}");
    assert_eq!(sandbox.accounts().len(), 3);
    let sent = project.column("SELECT count(*) || '' FROM v_accounts WHERE state = 'processed' AND wave = 'night-1'");
    assert_eq!(sent, ["3"]);
}

#[test]
fn the_example_for_cron_runs_as_cron_would() {
    let line = blocks("cron").remove(0).trim().to_owned();
    let fields: Vec<&str> = line.splitn(6, ' ').collect();
    let [minute, hour, .., command] = fields[..] else { panic!("{line}") };
    assert_eq!((minute, hour), ("*/30", "22-23,0-5"));
    assert!(!command.contains('%') && !line.contains('\n'), "cron takes % for the end of a line");
    runs_as_written(command, &[]);
}

#[test]
fn the_examples_for_systemd_are_units_whose_command_runs() {
    let units = blocks("ini");
    let value = |unit: &str, key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_else(|| panic!("no {key} in {unit}")).to_owned()
    };
    let service = &units[0];
    let command = value(service, "ExecStart").replace("/usr/local/bin/slipway", "slipway");
    let environment = value(service, "Environment");
    let environment: Vec<_> = environment.split(' ').filter_map(|pair| pair.split_once('=')).collect();
    assert_eq!(value(service, "SuccessExitStatus"), "3");
    runs_as_written(&command, &environment);

    // What systemd itself says, where there is one; the program need not be installed for that.
    let folder = tempfile::tempdir().unwrap();
    for unit in &units {
        let name = unit.lines().next().unwrap().trim_start_matches("# ");
        let unit = unit.replace("/usr/local/bin/slipway", env!("CARGO_BIN_EXE_slipway"));
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    let mut verify = std::process::Command::new("systemd-analyze");
    verify.args(["verify", "slipway.service", "slipway.timer"]).current_dir(folder.path());
    if let Ok(output) = verify.output() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains("slipway.service:") && !told.contains("slipway.timer:"), "{told}");
    }
}
