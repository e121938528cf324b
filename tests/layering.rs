//! Each thing has one place: who may know what, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// A word, and the places under `src/` that may use it.
const PLACES: [(&str, &[&str]); 13] = [
    ("polars", &["stage/", "assemble/"]),
    ("rusqlite", &["ledger/"]),
    ("reqwest", &["target/"]),
    ("governor::", &["submit/", "sandbox/"]),
    ("axum", &["sandbox/"]),
    ("indicatif", &["progress.rs"]),
    ("minijinja", &["mapping/", "report/html.rs", "profile/html.rs"]),
    ("plotters", &["report/chart.rs"]),
    ("rust_xlsxwriter", &["report/xlsx.rs"]),
    ("tokio", &["target/", "submit/", "sandbox/", "interrupt.rs", "commands/sandbox.rs"]),
    ("miette", &["excerpt.rs"]),
    ("rustix", &["write_behind.rs"]),
    ("crate::config", &["config", "commands/", "cli.rs", "cli/", "console.rs", "error.rs", "logging.rs"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_library_and_the_settings_are_known_where_they_belong() {
    let root = repository().join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50);
    let mut strays = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
        if name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // What stands below a test module is a test's, and a comment may speak of anything.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (word, places) in PLACES {
                let is_at_home = places.iter().any(|place| name.starts_with(place));
                if !is_at_home && line.contains(word) {
                    strays.push(format!("{name}:{}: `{word}` belongs in {places:?}", at + 1));
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}
