//! Whatever instant the process dies at, a plain run finishes the job, and nothing is created twice.
//!
//! The binary runs as its own process against a sandbox in another, which counts how many creates took effect.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use slipway::cut::CutPoint;

use crate::support::night::{FAST, Sandbox, finish, never_twice, project, wait_for};
use crate::support::{Project, text};

/// What the system tells of a process that `abort` ended.
const ABORTED: Option<i32> = Some(6);

/// Runs a new project until it comes to each of `cuts`; a plain run then finishes it.
fn cut_off_at(cuts: &[&str], faults: &[&str]) {
    const ACCOUNTS: u32 = 40;
    for cut in cuts {
        let sandbox = Sandbox::start(faults);
        let project = project(ACCOUNTS, &sandbox);
        cut_off(&project, &sandbox, cut);
        finish(&project, &sandbox, ACCOUNTS);
    }
}

fn cut_off(project: &Project, sandbox: &Sandbox, cut: &str) {
    let mut command = project.command(&[&["run", "--quiet"], &FAST[..]].concat());
    let output = command.env("SLIPWAY_CUT", cut).output().unwrap();
    assert_eq!(output.status.signal(), ABORTED, "{cut} did not cut: {}", text(&output.stderr));
    never_twice(sandbox, cut);
}

#[test]
fn cut_off_while_it_stages_and_builds() {
    cut_off_at(&["mid-stage:1", "mid-stage:2", "mid-build:1", "mid-build:2"], &[]);
}

#[test]
fn cut_off_before_a_create_is_sent() {
    cut_off_at(&["before-intent:1", "before-intent:17", "after-intent:1", "after-intent:23"], &[]);
}

#[test]
fn cut_off_after_a_create_was_sent() {
    cut_off_at(&["after-reply:1", "after-reply:19", "after-outcome:1", "after-outcome:31"], &[]);
}

#[test]
fn cut_off_while_changes_are_committed_together() {
    cut_off_at(&["mid-commit:1", "mid-commit:2", "mid-commit:7", "mid-commit:15"], &[]);
}

#[test]
fn cut_off_while_it_follows_and_reconciles() {
    cut_off_at(&["after-status:1", "after-status:33", "mid-report:1"], &[]);
}

#[test]
fn cut_off_while_the_target_works_on_a_create() {
    const ACCOUNTS: u32 = 24;
    // Slower to answer than it takes to arrive.
    let sandbox = Sandbox::start(&["--latency", "400ms"]);
    let project = project(ACCOUNTS, &sandbox);
    for (nth, cut) in ["after-send:1", "after-send:5"].into_iter().enumerate() {
        let asked = sandbox.counts().creates;
        cut_off(&project, &sandbox, cut);
        assert!(sandbox.counts().creates > asked, "{cut}: nothing had arrived");
        let in_doubt = project.column("SELECT number FROM account WHERE state = 'sending'");
        assert!(!in_doubt.is_empty(), "{cut}, cut number {nth}");
    }
    finish(&project, &sandbox, ACCOUNTS);
}

#[test]
fn cut_off_again_and_again_it_still_comes_to_its_end() {
    const ACCOUNTS: u32 = 60;
    let sandbox = Sandbox::start(&["--lost-reply-one-in", "9"]);
    let project = project(ACCOUNTS, &sandbox);
    for cut in ["before-intent:4", "after-intent:5", "after-reply:6", "after-outcome:7", "after-status:8"] {
        cut_off(&project, &sandbox, cut);
    }
    for (name, point) in CutPoint::ALL {
        if point != CutPoint::AfterSend {
            cut_off(&project, &sandbox, name);
        }
    }
    finish(&project, &sandbox, ACCOUNTS);
}

#[test]
fn a_page_that_was_being_written_leaves_the_old_one_whole() {
    let sandbox = Sandbox::start(&[]);
    let project = project(3, &sandbox);
    finish(&project, &sandbox, 3);
    project.run(0, &["report", "--html", "page.html", "--quiet"]);
    let old = std::fs::read(project.path("page.html")).unwrap();
    let mut command = project.command(&["report", "--html", "page.html", "--quiet"]);
    let output = command.env("SLIPWAY_CUT", "mid-report").output().unwrap();
    assert_eq!(output.status.signal(), ABORTED);
    assert_eq!(std::fs::read(project.path("page.html")).unwrap(), old);
    project.run(0, &["report", "--html", "page.html", "--quiet"]);
}

/// A run that is slow enough to be killed in the middle: each of the waits below is over long before its work is.
fn spawn(project: &Project, rate: &str) -> Child {
    let rate = format!("limits.rate={rate}");
    let mut command = project.command(&[&["run", "--quiet"], &FAST[..], &["--set", rate.as_str()]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut process: Child, sandbox: &Sandbox, when: &str) {
    process.kill().unwrap();
    process.wait().unwrap();
    never_twice(sandbox, when);
}

#[test]
fn killed_while_it_builds_submits_and_follows_it_resumes_under_faults() {
    const ACCOUNTS: u32 = 120;
    // An import ends when it was read so often, however slow this machine is: what is waited for is there to see.
    let faults = ["--lost-reply-one-in", "6", "--unavailable-one-in", "8", "--latency", "5ms", "--import-polls", "6"];
    let sandbox = Sandbox::start(&faults);
    let project = project(ACCOUNTS, &sandbox);
    let mut building = spawn(&project, "40/s");
    wait_for("a payload file", &mut building, || project.path(".slipway/payloads").exists());
    kill(building, &sandbox, "while it built");
    for creates in [10, 20, 30] {
        let mut submitting = spawn(&project, "40/s");
        wait_for("creates", &mut submitting, || sandbox.counts().creates >= creates);
        kill(submitting, &sandbox, "while it submitted");
    }
    let reads = sandbox.counts().status_reads;
    let mut following = spawn(&project, "40/s");
    wait_for("status reads", &mut following, || sandbox.counts().status_reads > reads + 30);
    kill(following, &sandbox, "while it followed");
    finish(&project, &sandbox, ACCOUNTS);
}

#[test]
fn killed_at_random_it_resumes_under_faults() {
    const ACCOUNTS: u32 = 150;
    const KILLS: u32 = 12;
    for seed in [1, 2] {
        let text = seed.to_string();
        let faults =
            ["--lost-reply-one-in", "7", "--unavailable-one-in", "9", "--latency", "3ms", "--seed", text.as_str()];
        let sandbox = Sandbox::start(&faults);
        let project = project(ACCOUNTS, &sandbox);
        let mut dice = StdRng::seed_from_u64(seed);
        for nth in 0..KILLS {
            let mut process = spawn(&project, "60/s");
            // However far it comes in that time: before its build, in the middle, or at its end.
            let wait = Duration::from_millis(dice.random_range(20..1_200));
            std::thread::park_timeout(wait);
            if process.try_wait().unwrap().is_none() {
                kill(process, &sandbox, &format!("seed {seed}, kill {nth} after {wait:?}"));
            }
        }
        finish(&project, &sandbox, ACCOUNTS);
    }
}
