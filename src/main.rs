//! The `slipway` program: parses what was typed and runs it.

use clap::Parser as _;
use slipway::cli::Cli;
use slipway::commands;
use slipway::exit_code::ExitCode;

fn main() -> ExitCode {
    commands::run(&Cli::parse())
}
