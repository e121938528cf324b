//! The submission at the target's side of the wire, the binary as one process and the sandbox as another.
//!
//! | | |
//! | --- | --- |
//! | `rate` | how close to the limit, and never above it, for a minute at each of several limits |
//! | `throughput` | accounts a second without a limit, beside what `wrk` reaches with the same bodies at the same sandbox |
//! | `soak` | thousands of accounts at the full mix of faults, with random kills; what became of each |

#![expect(clippy::unwrap_used, reason = "a benchmark that can't set up its world has nothing to measure")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod rate;
mod soak;
#[path = "../../support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod support;
mod throughput;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str, default: u32| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let is_well = match arguments.first().map(String::as_str) {
        Some("rate") => rate::measure(number("--seconds", 60)),
        Some("throughput") => throughput::measure(number("--accounts", 20_000)),
        Some("soak") => soak::run(number("--accounts", 20_000), number("--kills", 40), number("--seed", 1)),
        _ => {
            println!("rate [--seconds N] | throughput [--accounts N] | soak [--accounts N] [--kills N] [--seed N]");
            false
        }
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
