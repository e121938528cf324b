//! `slipway generate`: synthetic extracts of any size, clean or dirty, with the truth beside them.

use crate::cli::GenerateArgs;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::generate::{self, Options};

/// Writes an extract as the arguments say.
pub(super) fn execute(args: &GenerateArgs, console: &Console) -> Result<ExitCode, Error> {
    let options = Options { out: args.out.clone(), accounts: args.accounts, seed: args.seed, dirty: args.dirty };
    let progress = console.progress("generate", "accounts", Some(args.accounts));
    let summary = generate::generate(&options, || progress.advance(1))?;
    drop(progress);
    if console.wants_json() {
        console.document(&summary)?;
    } else {
        let place = args.out.display();
        console.line(&format!(
            "{place}: {} accounts, {} records in {} files",
            args.accounts, summary.records, summary.files
        ))?;
        if summary.defects > 0 {
            console.line(&format!(
                "{} of them with a defect: see {}",
                summary.defects,
                args.out.join("TRUTH.csv").display()
            ))?;
        }
    }
    Ok(ExitCode::Complete)
}
