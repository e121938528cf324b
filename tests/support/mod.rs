//! A migration project in a folder of its own, and the real binary to run in it.

pub(crate) mod browser;
pub(crate) mod house;
pub(crate) mod night;

pub(crate) mod payload;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use tempfile::TempDir;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Copies the files of `from` (and of its folders) to `to`.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// A project folder: `mapping/`, `extract/` and `slipway.toml`.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A project with the mapping `mapping` and the extract `extract` of the repository, their files copied.
    pub(crate) fn new(mapping: &str, extract: &str) -> Self {
        let project = Self::with_mapping(mapping);
        copy(&repository().join(extract), &project.path("extract"));
        project
    }

    /// A project with the mapping `mapping` of the repository and an empty extract.
    pub(crate) fn with_mapping(mapping: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        copy(&repository().join(mapping), &project.path("mapping"));
        fs::create_dir(project.path("extract")).unwrap();
        project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", "http://127.0.0.1:9");
        project
    }

    /// Writes `slipway.toml`: further lines of `[source]`, and the target's URL.
    pub(crate) fn settings(&self, source: &str, url: &str) {
        let text = format!(
            "[source]\nmapping = \"mapping\"\nextracts = [\"extract\"]\n{source}\n\
             [target]\nurl = \"{url}\"\nsuppliers = [\"TENTACLE_ENERGY\"]\n"
        );
        fs::write(self.path("slipway.toml"), text).unwrap();
    }

    /// Takes the manifest, with its promised counts, out of the settings; the run date stays.
    pub(crate) fn settings_without_manifest(&self) {
        let manifest = fs::read_to_string(self.path("extract/MANIFEST.csv")).unwrap();
        let cell = manifest.lines().nth(1).and_then(|line| line.rsplit(',').next()).unwrap();
        let parts: Vec<&str> = cell.trim().split('/').collect();
        let date = format!("{}-{}-{}", parts[2], parts[1], parts[0]);
        self.edit("slipway.toml", |text| {
            text.replace("run_date = \"manifest\"", &format!("run_date = \"{date}\""))
                .replace("manifest = \"MANIFEST.csv\"\n", "")
        });
    }

    /// A path in the project folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes a file of the project by `change`.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// The binary, in the project folder, with `arguments`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = slipway();
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    /// Runs the binary with `arguments`; the test fails if it does not exit with `code`.
    pub(crate) fn run(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "slipway {}\n--- stdout\n{}\n--- stderr\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Builds, and gives the payloads.
    pub(crate) fn build(&self, code: i32) -> Vec<u8> {
        self.run(code, &["build", "--quiet", "--out", "payloads.ndjson"]);
        fs::read(self.path("payloads.ndjson")).unwrap()
    }

    /// The project's ledger, for reading.
    pub(crate) fn ledger(&self) -> Connection {
        Connection::open(self.path(".slipway/ledger.sqlite")).unwrap()
    }

    /// The single column of `query` as texts.
    pub(crate) fn column(&self, query: &str) -> Vec<String> {
        let ledger = self.ledger();
        let mut statement = ledger.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment of whoever runs the tests is not the program's")]
/// The binary, untouched by the environment of whoever runs the tests.
pub(crate) fn slipway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLIPWAY_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a command said, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
