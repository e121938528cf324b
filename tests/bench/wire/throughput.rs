//! Accounts a second without a limit, beside a load tool.

use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::process::Command;

use crate::support::Project;
use crate::support::night::{Sandbox, project};

/// Payloads that the load tool posts, over and over.
const BODIES: usize = 2_000;

/// Accounts a second that the ledger's durability must not stand in the way of.
const ENOUGH: f64 = 1_000.0;

/// No limit that matters. More accounts are on their way than requests: some wait for their commit.
const UNLIMITED: [&str; 6] =
    ["--set", "limits.rate=1000000/s", "--set", "limits.in_flight=256", "--set", "follow.every=200ms"];

/// Submits `accounts`, follows them, then lets `wrk` post the same bodies; tells whether every account was created once,
/// and fast enough.
pub(crate) fn measure(accounts: u32) -> bool {
    let sandbox = Sandbox::start(&["--import-polls", "1"]);
    let project = project(accounts, &sandbox);
    project.run(0, &["build", "--quiet", "--out", "payloads.ndjson"]);
    project.run(0, &[&["submit", "--quiet"], &UNLIMITED[..]].concat());
    let created = a_second(&project, "create");
    println!("{created:>8.0} accounts a second created: intent, request, outcome");
    project.run(0, &[&["follow", "--quiet"], &UNLIMITED[..]].concat());
    println!("{:>8.0} status reads a second", a_second(&project, "status"));
    let is_once = sandbox.accounts().iter().filter(|account| account.effects == 1).count() == accounts as usize;

    let other = Sandbox::start(&["--import-polls", "1"]);
    match wrk(&project, &other) {
        Some(reached) => {
            println!("{reached:>8.0} creates a second by wrk, 64 connections, the same bodies, nothing kept");
            println!("{:>8.2} of that is what slipway reaches", created / reached);
        }
        None => println!("no wrk here to compare with"),
    }

    let sandbox = Sandbox::start(&["--import-polls", "1"]);
    let whole = crate::support::night::project(accounts, &sandbox);
    whole.run(0, &["build", "--quiet"]);
    whole.run(0, &[&["run", "--quiet"], &UNLIMITED[..]].concat());
    let both = a_second(&whole, "create");
    println!("{both:>8.0} accounts a second created and followed to their end at once");
    let is_kept = is_once && created >= ENOUGH;
    let once = if is_once { "every account once" } else { "NOT EVERY ACCOUNT ONCE" };
    println!("{once}; {ENOUGH} a second are asked for: {}", if is_kept { "kept" } else { "NOT KEPT" });
    is_kept
}

/// Exchanges of `kind` a second, from the first to the last.
fn a_second(project: &Project, kind: &str) -> f64 {
    let query = format!(
        "SELECT CAST((count(*) - 1) / ((julianday(max(started_at)) - julianday(min(started_at))) * 86400) AS TEXT) \
         FROM v_attempts WHERE kind = '{kind}'"
    );
    project.column(&query)[0].parse().unwrap()
}

/// Requests a second that wrk reaches; none: there is no wrk.
fn wrk(project: &Project, sandbox: &Sandbox) -> Option<f64> {
    let lines = BufReader::new(fs::File::open(project.path("payloads.ndjson")).unwrap()).lines().take(BODIES);
    let mut some = BufWriter::new(fs::File::create(project.path("bodies.ndjson")).unwrap());
    lines.for_each(|line| writeln!(some, "{}", line.unwrap()).unwrap());
    some.flush().unwrap();
    let script = format!(
        "local bodies, n = {{}}, 0\nfor line in io.lines(\"{}\") do bodies[#bodies + 1] = line end\n\
         local headers = {{ [\"Content-Type\"] = \"application/json\" }}\n\
         request = function()\n  n = n % #bodies + 1\n  return wrk.format(\"POST\", nil, headers, bodies[n])\nend\n",
        project.path("bodies.ndjson").display()
    );
    fs::write(project.path("post.lua"), script).unwrap();
    let url = format!("{}/v2/data-import/accounts/", sandbox.url);
    let script = project.path("post.lua");
    let output = Command::new("wrk").args(["-t1", "-c64", "-d10s", "-s"]).arg(script).arg(url).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"))?;
    rate.trim().parse().ok()
}
