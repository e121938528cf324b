//! `slipway sandbox`: the embedded target on a port of this machine, until Ctrl-C or SIGTERM.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use serde_json::json;

use crate::cli::SandboxArgs;
use crate::config::{AuthSource, KeySource, Scheme, Span};
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::sandbox::{self, Chosen, Faults, Pace, SandboxOptions};

/// Serves until it is told to stop, which is its only end: exit 0.
pub(super) fn execute(args: &SandboxArgs, console: &Console) -> Result<ExitCode, Error> {
    let mut interrupt = Interrupt::on_signals()?;
    let waiting = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|source| Error::System { attempt: "wait for signals", source })?;
    let sandbox = sandbox::start(options(args)?)?;
    if console.wants_json() {
        console.document(&json!({ "url": sandbox.url }))?;
    } else {
        console.line(&sandbox.url)?;
    }
    console.note("Ctrl-C stops it; what it was asked is at /_sandbox/counts, what it accepted at /_sandbox/accounts");
    waiting.block_on(interrupt.raised());
    let counts = sandbox.counts();
    console
        .note(&format!("stopped after {} requests, at most {} in any second", counts.requests, counts.max_per_second));
    Ok(ExitCode::Complete)
}

fn options(args: &SandboxArgs) -> Result<SandboxOptions, Error> {
    let read_key =
        |variable: &String| AuthSource { scheme: Scheme::Token, key: KeySource::Env(variable.clone()) }.read_key();
    let pace = match args.import_time {
        Some(Span(whole)) => Pace::Elapsed(whole),
        None => Pace::Polls(args.import_polls),
    };
    Ok(SandboxOptions {
        listen: (Ipv4Addr::LOCALHOST, args.port).into(),
        api_key: args.api_key_env.as_ref().map(read_key).transpose()?.flatten(),
        envelope: args.envelope,
        refusals: args.refusals,
        lists: !args.no_lists,
        pace,
        seed: args.seed,
        faults: faults(args)?,
    })
}

/// The file's faults, and what flags say over it.
fn faults(args: &SandboxArgs) -> Result<Faults, Error> {
    let file = match &args.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Input { path: path.clone(), source })?;
            Faults::parse(&text).map_err(|problem| Error::Usage {
                problem: format!("{} is no file of faults: {problem}", path.display()),
                hint: None,
            })?
        }
        None => Faults::default(),
    };
    let chosen = |of_file: Chosen, one_in: Option<NonZeroU32>, numbers: &[String]| Chosen {
        one_in: one_in.or(of_file.one_in),
        numbers: of_file.numbers.into_iter().chain(numbers.iter().cloned()).collect(),
    };
    Ok(Faults {
        latency: args.latency.map_or(file.latency, |Span(latency)| latency),
        rate: args.rate.or(file.rate),
        unavailable_one_in: args.unavailable_one_in.or(file.unavailable_one_in),
        lost_reply_one_in: args.lost_reply_one_in.or(file.lost_reply_one_in),
        imported: chosen(file.imported, args.imported_one_in, &args.imported),
        errored: chosen(file.errored, args.errored_one_in, &args.errored),
        ..file
    })
}
