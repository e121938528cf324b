//! `slipway profile`: what is in extracts that nobody has described yet.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::cli::ProfileArgs;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::profile::{self, Options, Profile, Step, Watch};
use crate::progress::Progress;

/// Profiles the folder and tells what it found.
pub(super) fn execute(args: &ProfileArgs, console: &Console) -> Result<ExitCode, Error> {
    let options = Options { directory: args.directory.clone(), show_values: args.show_values };
    let profile = profile::profile(&options, &Shown::on(console))?;
    if let Some(path) = &args.html {
        let written = File::create(path).map(BufWriter::new).and_then(|mut file| write_page(&profile, &mut file));
        written.map_err(|source| Error::Output { place: path.display().to_string(), source })?;
        console.note(&format!("the page is {}", path.display()));
    }
    super::tell(console, &profile)?;
    Ok(ExitCode::Complete)
}

fn write_page(profile: &Profile, file: &mut BufWriter<File>) -> io::Result<()> {
    profile.write_html(file)?;
    file.flush()
}

/// Shows how far a profile is.
pub(super) struct Shown<'c> {
    console: &'c Console,
    progress: Mutex<Option<Progress>>,
}

impl<'c> Shown<'c> {
    pub(super) fn on(console: &'c Console) -> Self {
        Self { console, progress: Mutex::new(None) }
    }
}

impl Watch for Shown<'_> {
    fn begin(&self, step: Step) {
        let (stage, bytes) = match step {
            Step::Columns { bytes } => ("profile", bytes),
            Step::Keys { bytes } => ("keys", bytes),
        };
        let mut shown = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        // The bar of the step before ends first.
        *shown = None;
        *shown = Some(self.console.progress(stage, "bytes", Some(bytes)));
    }

    fn advance(&self, bytes: u64) {
        if let Some(progress) = &*self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            progress.advance(bytes);
        }
    }
}
