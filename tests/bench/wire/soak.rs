//! Thousands of accounts at the full mix of faults, with random kills.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::Project;
use crate::support::night::{Sandbox, project};

/// Everything that the sandbox can do, at rates that leave some work to be done.
const FAULTS: &str = r#"
latency = "2ms"
unavailable_one_in = 2000
error_one_in = 40
reset_one_in = 60
lost_reply_one_in = 25
gateway_one_in = 40
read_error_one_in = 50
read_reset_one_in = 80
flap_one_in = 40
odd_word_one_in = 40
backwards_one_in = 40
lag = "150ms"
silent_one_in = 1000
truncated_one_in = 50
slow_one_in = 100
slow_body = "300ms"
imported = { one_in = 200 }
errored = { one_in = 150 }
[[storms]]
at = "3s"
lasts = "400ms"
every = "17s"
retry_after = "seconds"
[[storms]]
at = "9s"
lasts = "400ms"
every = "23s"
retry_after = "date"
[[outages]]
at = "6s"
lasts = "800ms"
every = "29s"
how = "refuse"
[[outages]]
at = "14s"
lasts = "800ms"
every = "31s"
how = "reset"
[[outages]]
at = "21s"
lasts = "800ms"
every = "37s"
how = "unavailable"
"#;

const SETTINGS: [&str; 14] = [
    "--set",
    "limits.rate=1500/s",
    "--set",
    "limits.settle=2s",
    "--set",
    "limits.timeout=2s",
    "--set",
    "limits.attempts=12",
    "--set",
    "follow.every=100ms",
    "--set",
    "stop.failed=100%",
    "--set",
    "target.auth.command=cat token",
];

/// A night without an end is no night.
const MOST_RUNS: u32 = 30;

/// Sends `accounts` while the process is killed `kills` times, then runs until all is done; tells whether each was
/// created once.
pub(crate) fn run(accounts: u32, kills: u32, seed: u32) -> bool {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let (faults, token) = (folder.path().join("faults.toml"), folder.path().join("token"));
    fs::write(&faults, format!("{FAULTS}[token]\nfile = \"{}\"\nrequests = 4000\n", token.display())).unwrap();
    let seed_text = seed.to_string();
    let sandbox = Sandbox::start(&["--faults", faults.to_str().unwrap(), "--seed", &seed_text, "--import-polls", "3"]);
    let project = project(accounts, &sandbox);
    std::os::unix::fs::symlink(&token, project.path("token")).unwrap();
    project.run(0, &["build", "--quiet"]);

    let mut dice = StdRng::seed_from_u64(u64::from(seed));
    // Kills come while there is work: the time it takes without any, about, shared between them.
    let longest = (u64::from(accounts) * 4 / u64::from(kills.max(1))).clamp(800, 8_000);
    let mut killed = 0;
    for _ in 0..kills {
        let mut process = command(&project, &["run", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::park_timeout(Duration::from_millis(dice.random_range(400..longest)));
        if process.try_wait().unwrap().is_none() {
            process.kill().unwrap();
            killed += 1;
        }
        process.wait().unwrap();
        let twice = sandbox.accounts().iter().filter(|account| account.effects > 1).count();
        if twice > 0 {
            println!("{twice} accounts created twice after {killed} kills");
            return false;
        }
    }
    let mut ends = BTreeMap::new();
    let mut retried = 0;
    for _ in 0..MOST_RUNS {
        let code = command(&project, &["run", "--quiet"]).stdout(Stdio::null()).status().unwrap().code();
        *ends.entry(code.unwrap_or(-1)).or_insert(0) += 1;
        let unended = project.column("SELECT number FROM account WHERE state NOT IN ('processed', 'errored') LIMIT 1");
        if !unended.is_empty() {
            continue;
        }
        let errored = project.column("SELECT number FROM account WHERE state = 'errored'");
        if errored.is_empty() {
            break;
        }
        retried += errored.len();
        for chunk in errored.chunks(500) {
            let numbers: Vec<&str> = chunk.iter().map(String::as_str).collect();
            command(&project, &[&["retry", "--same", "--reason", "mended", "--quiet"], &numbers[..]].concat())
                .stdout(Stdio::null())
                .status()
                .unwrap();
        }
    }
    tell(
        &project,
        &sandbox,
        accounts,
        &format!("{killed} kills, runs by exit code {ends:?}, {retried} put back"),
        begun,
    )
}

fn command(project: &Project, arguments: &[&str]) -> std::process::Command {
    let mut command = project.command(&[arguments, &SETTINGS[..]].concat());
    command.stderr(Stdio::null());
    command
}

/// Prints the end state; tells whether it is as it must be.
fn tell(project: &Project, sandbox: &Sandbox, accounts: u32, runs: &str, begun: Instant) -> bool {
    println!("{accounts} accounts in {:.0} s: {runs}", begun.elapsed().as_secs_f64());
    let counts = sandbox.counts();
    println!(
        "there: {} requests, {} creates, {} status reads, {} cut, at most {} in a second; replies {:?}",
        counts.requests, counts.creates, counts.status_reads, counts.cut, counts.max_per_second, counts.replies
    );
    let states = project.column(
        "SELECT count(*) || ' ' || state || coalesce(', ' || origin, '') FROM v_accounts GROUP BY state, origin",
    );
    println!("here: {}", states.join("; "));
    let open = project.column("SELECT name FROM v_identities WHERE NOT balanced");
    println!("identities open: {}", open.len());
    let mut by_effects = BTreeMap::new();
    let mut unprocessed = 0;
    for account in sandbox.accounts() {
        *by_effects.entry((account.effects, account.foreign)).or_insert(0_u32) += 1;
        unprocessed += u32::from(account.status.as_deref() != Some("PROCESSED"));
    }
    let of = |effects, foreign| by_effects.get(&(effects, foreign)).copied().unwrap_or_default();
    let (once, theirs) = (of(1, false), of(0, true));
    println!(
        "effects: {once} accounts created once, {theirs} somebody else's and never by us, {} other; {unprocessed} not \
         processed",
        by_effects.values().sum::<u32>() - once - theirs
    );
    let is_well = once + theirs == accounts && unprocessed == 0 && open.is_empty();
    println!("{}", if is_well { "every account once, none missing" } else { "NOT AS IT MUST BE" });
    is_well
}
