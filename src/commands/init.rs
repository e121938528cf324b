//! `slipway init`: a project to start from, its mapping drafted from the extracts.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::profile::Shown;
use crate::cli::InitArgs;
use crate::config;
use crate::console::Console;
use crate::contract::Contract;
use crate::draft::{self, Draft};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::mapping;
use crate::profile::{self, FileProfile, Options};

/// Where the schemas of a project lie: `#:schema` lines name them.
const SCHEMAS: [&str; 2] = ["schema/project.json", "schema/mapping.json"];

/// Writes a project as the arguments say.
pub(super) fn execute(args: &InitArgs, console: &Console) -> Result<ExitCode, Error> {
    let contract = Contract::built_in()?;
    let name = args.from.as_deref().map_or_else(|| "legacy".to_owned(), folder_name);
    let (draft, run_date) = match &args.from {
        Some(from) => {
            let options = Options { directory: from.clone(), show_values: false };
            let profile = profile::profile(&options, &Shown::on(console))?;
            let has_manifest = profile.files.iter().any(is_dated_manifest);
            (Some(draft::draft(&profile, &contract)), if has_manifest { "manifest" } else { "today" })
        }
        None => (None, "today"),
    };
    let extracts = match &args.from {
        Some(from) => relative(&args.directory, from)?,
        None => "extracts".to_owned(),
    };
    let mut files = vec![
        (PathBuf::from("slipway.toml"), settings(&name, &extracts, run_date)),
        (PathBuf::from(".gitignore"), ".slipway/\n".to_owned()),
        (PathBuf::from(SCHEMAS[0]), pretty(&config::schema())),
        (PathBuf::from(SCHEMAS[1]), pretty(&mapping::schema::schema(&contract))),
    ];
    let folder = Path::new("mappings").join(&name);
    let text = draft.as_ref().map_or_else(|| EMPTY.to_owned(), |draft| draft.mapping.clone());
    files.push((folder.join("mapping.toml"), text));
    for (lookup, text) in draft.iter().flat_map(|draft| &draft.lookups) {
        files.push((folder.join("lookups").join(format!("{lookup}.csv")), text.clone()));
    }
    write(&args.directory, &files)?;
    tell(&args.directory, draft.as_ref(), &files, console)?;
    Ok(ExitCode::Complete)
}

/// What a mapping without a draft begins with.
const EMPTY: &str = "#:schema ../../schema/mapping.json
# One file a reviewer can read from top to bottom: mappings/README.md of slipway says what it may hold.
# `slipway profile extracts` tells what is in the extracts; `slipway lint` says what is left to do.

[tables.accounts]
files = \"accounts.csv\"
key = [\"ACCOUNT_NO\"]

[account]
table = \"accounts\"
[account.fields]
import_supplier = { value = \"TODO\" }
external_account_number = \"ACCOUNT_NO\"
";

fn settings(name: &str, extracts: &str, run_date: &str) -> String {
    let manifest = if run_date == "manifest" { "manifest = \"MANIFEST.csv\"\n" } else { "" };
    let quoted = |text: &str| toml::Value::String(text.to_owned());
    format!(
        "#:schema ./{}\n\
         # Paths are relative to this file. `slipway sandbox --port 8080` is a target to practise with.\n\n\
         [source]\n\
         mapping = {}\n\
         extracts = [{}]\n\
         run_date = \"{run_date}\"\n{manifest}\n\
         [target]\n\
         url = \"http://127.0.0.1:8080\"\n\
         suppliers = [\"TODO\"] # the import supplier that the target knows these accounts by\n",
        SCHEMAS[0],
        quoted(&format!("mappings/{name}")),
        quoted(extracts),
    )
}

/// Whether a file is a manifest that slipway can read, with the day of the extract.
fn is_dated_manifest(file: &FileProfile) -> bool {
    let has = |name: &str| {
        file.record_types
            .iter()
            .flat_map(|records| &records.columns)
            .any(|column| column.name.eq_ignore_ascii_case(name))
    };
    file.file == "MANIFEST.csv" && ["FILE_NAME", "RECORD_COUNT", "EXTRACT_DATE"].iter().all(|name| has(name))
}

/// A name for the mapping: that of the extracts' folder.
fn folder_name(from: &Path) -> String {
    let whole = fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.trim_matches('-').is_empty() { "legacy".to_owned() } else { name }
}

/// `from` as seen from `directory`, which need not be there yet.
fn relative(directory: &Path, from: &Path) -> Result<String, Error> {
    let whole =
        |path: &Path| std::path::absolute(path).map_err(|source| Error::Input { path: path.to_owned(), source });
    let (directory, from) = (whole(directory)?, whole(from)?);
    let parts = |path: &Path| {
        let mut parts: Vec<String> = Vec::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(parts.pop()),
                Component::CurDir => {}
                part => parts.push(part.as_os_str().to_string_lossy().into_owned()),
            }
        }
        parts
    };
    let (here, there) = (parts(&directory), parts(&from));
    let shared = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), here.len() - shared);
    let way: Vec<String> = up.chain(there[shared..].iter().cloned()).collect();
    Ok(if way.is_empty() { ".".to_owned() } else { way.join("/") })
}

fn pretty(schema: &serde_json::Value) -> String {
    format!("{schema:#}\n")
}

/// Writes `files` below `directory`; nothing at all if one of them is there already.
fn write(directory: &Path, files: &[(PathBuf, String)]) -> Result<(), Error> {
    if let Some((there, _)) = files.iter().find(|(path, _)| directory.join(path).exists()) {
        return Err(Error::Usage {
            problem: format!("{} is there already, and nothing is overwritten", directory.join(there).display()),
            hint: Some("name a new folder".to_owned()),
        });
    }
    for (path, text) in files {
        let path = directory.join(path);
        let failed = |source| Error::Output { place: path.display().to_string(), source };
        fs::create_dir_all(path.parent().unwrap_or(directory)).map_err(failed)?;
        File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    }
    Ok(())
}

/// Tells what was written, and what to do next.
fn tell(directory: &Path, draft: Option<&Draft>, files: &[(PathBuf, String)], console: &Console) -> Result<(), Error> {
    let names: Vec<String> = files.iter().map(|(path, _)| directory.join(path).display().to_string()).collect();
    let (placed, left) = draft.map_or((0, &[][..]), |draft| (draft.placed, draft.left.as_slice()));
    if console.wants_json() {
        return console.document(&serde_json::json!({"written": names, "tables": placed, "left": left}));
    }
    for name in &names {
        console.line(&format!("wrote {name}"))?;
    }
    if draft.is_some() {
        console
            .line(&format!("{placed} kinds of objects are mapped by guess; read every line before you send by it"))?;
    }
    for file in left {
        console.line(&format!("not used yet: {file}"))?;
    }
    console.line(&format!("next: slipway lint --project {}", directory.join("slipway.toml").display()))
}
