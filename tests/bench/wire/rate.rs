//! How close to the limit.

use crate::support::night::{Sandbox, project};

/// Limits, in requests a second.
const LIMITS: [u32; 3] = [20, 100, 500];

/// Measures `seconds` at each limit, creates and status reads together; tells whether the promise was kept.
pub(crate) fn measure(seconds: u32) -> bool {
    println!("{:>8} {:>9} {:>18} {:>18}", "limit/s", "reached", "most in 1 s there", "most in 1 s here");
    let mut is_kept = true;
    for limit in LIMITS {
        // Three requests an account, and a few seconds more of them than are looked at.
        let accounts = limit * (seconds + 4) / 3 + 1;
        let sandbox = Sandbox::start(&["--import-polls", "2"]);
        let project = project(accounts, &sandbox);
        project.run(0, &["build", "--quiet"]);
        let rate = format!("limits.rate={limit}/s");
        let follow = ["--set", "follow.every=100ms", "--set", rate.as_str()];
        project.run(0, &[&["run", "--quiet"], &follow[..]].concat());
        let counts = sandbox.counts();
        // The first second begins with the list of imports, the last ones with the waits between the last reads.
        let looked_at = &counts.per_second[1..=seconds as usize];
        let reached = f64::from(looked_at.iter().sum::<u32>()) / f64::from(limit * seconds);
        let here = most_in_a_second(&starts(&project));
        println!("{limit:>8} {:>8.2}% {:>18} {here:>18}", reached * 100.0, counts.max_per_second);
        is_kept &= reached >= 0.99 && counts.max_per_second <= u64::from(limit) && here <= limit as usize;
    }
    println!("never above the limit in any second, at least 99 % of it: {}", if is_kept { "kept" } else { "NOT KEPT" });
    is_kept
}

/// When requests started, in milliseconds, by the ledger.
fn starts(project: &crate::support::Project) -> Vec<i64> {
    let times = project.column("SELECT started_at FROM v_attempts ORDER BY started_at");
    times.iter().map(|time| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis()).collect()
}

/// The most of `starts` in any window of a second. They are rounded down to milliseconds, so that a window of 999 is
/// surely within a second.
fn most_in_a_second(starts: &[i64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (at, start) in starts.iter().enumerate() {
        while start - starts[first] >= 999 {
            first += 1;
        }
        most = most.max(at - first + 1);
    }
    most
}
