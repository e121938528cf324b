//! The report's page, opened in a real browser: no error, no request to anywhere, search and sort work, nothing is cut off.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use slipway::sandbox::{self, Chosen, Faults, SandboxOptions};

use crate::support::night::{FAST, Sandbox, project};
use crate::support::{self, Project};
use crate::trace::give_an_extension;

/// Runs before the page: notes what goes wrong.
const WATCH: &str = r#"<script>
window.wrong = [];
addEventListener("error", event => wrong.push("error: " + event.message));
addEventListener("unhandledrejection", event => wrong.push("rejection: " + event.reason));
document.addEventListener("securitypolicyviolation", event => wrong.push("policy: " + event.violatedDirective + " " + event.blockedURI));
</script>"#;

/// Runs behind the page: uses it, and writes down what it saw.
const USE: &str = r##"<script>
const shown = () => [...document.querySelectorAll("#needing tbody tr")].filter(row => !row.hidden);
const type = text => { find.value = text; find.dispatchEvent(new Event("input")); };
const find = document.getElementById("find");
window.report = {};
report.rows = shown().length;
const first = shown()[0].cells[0].textContent.trim();
type(first);
report.searched = shown().map(row => row.cells[0].textContent.trim());
report.told = document.getElementById("found").textContent;
report.first = first;
type("no account has this");
report.none = shown().length;
type("");
const state = document.getElementById("find-state");
state.value = "processed"; state.dispatchEvent(new Event("change"));
report.processed = shown().length;
state.value = ""; state.dispatchEvent(new Event("change"));
const head = [...document.querySelectorAll("#needing thead th")].find(head => head.textContent.startsWith("Balance"));
const balances = () => shown().map(row => Number(row.cells[2].dataset.v));
head.querySelector("button").click();
report.up = [head.getAttribute("aria-sort"), balances()];
head.querySelector("button").click();
report.down = [head.getAttribute("aria-sort"), balances()];
const cause = document.querySelector("a[data-find]");
cause.click();
report.of_cause = [cause.dataset.find, find.value, shown().length];
type("");
document.querySelector("#needing a[href^='#cause-']").click();
report.hash = location.hash;
report.target = document.querySelector(":target")?.id ?? "";
</script>"##;

/// Runs last: looks at the page as it is, and writes down what was seen.
const LOOK: &str = r#"<script>
window.report ??= {};
report.links = [...document.querySelectorAll("a")].filter(link => !document.getElementById(link.hash.slice(1))).map(link => link.outerHTML);
const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
report.twice = ids.filter((id, at) => ids.indexOf(id) !== at);
report.tables = [...document.querySelectorAll("table")].filter(table => !table.caption?.textContent.trim()).length;
report.unlabelled = [...document.querySelectorAll("input, select")].filter(field => !field.labels.length).length;
report.charts = document.querySelectorAll("figure[role=img][aria-label] svg").length;
report.skip = document.querySelector("a").hash;
report.resources = performance.getEntriesByType("resource").map(entry => entry.name);
report.width = [document.documentElement.scrollWidth, innerWidth];
report.wrong = window.wrong;
const told = document.createElement("pre");
told.id = "told";
told.textContent = JSON.stringify(report);
document.body.append(told);
</script>"#;

/// A frame as wide as a telephone, with the page in it: headless windows are never that narrow.
const PHONE: &str = r#"<!doctype html><meta charset="utf-8"><iframe id="phone" width="360" height="800" style="border:0"></iframe>
<script>
const phone = document.getElementById("phone");
phone.addEventListener("load", () => {
  const page = phone.contentDocument.documentElement;
  const wide = [...phone.contentDocument.querySelectorAll("body *")].filter(element =>
    !element.closest(".wide") && !element.closest(".skip") && element.getBoundingClientRect().right > 360.5);
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({ width: [page.scrollWidth, phone.contentWindow.innerWidth], wide: wide.map(element => element.outerHTML.slice(0, 120)) });
  document.body.append(told);
});
phone.srcdoc = PAGE;
</script>"#;

/// A browser, if this machine has one. Where the environment says that there must be one, its absence is a failure.
#[expect(clippy::disallowed_methods, reason = "which browser there is, is no setting of the program's")]
pub(crate) fn browser() -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let required = std::env::var_os("CI_BROWSER_REQUIRED").is_some();
    assert!(found.is_some() || !required, "CI_BROWSER_REQUIRED is set, and there is no browser: tried {names:?}");
    if found.is_none() {
        // Not `eprintln`, which a passing test keeps to itself.
        let warning = "\n!!! NO BROWSER: the report's page was NOT opened. Install chromium, and test again.\n";
        std::io::stderr().write_all(warning.as_bytes()).unwrap();
    }
    found.map(str::to_owned)
}

/// Opens `page` and gives what the document's `#told` says, and what the browser said on its console.
fn open(browser: &str, folder: &Path, page: &str) -> (Value, Vec<String>) {
    let file = folder.join("page.html");
    fs::write(&file, page).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--enable-logging=stderr", "--window-size=1280,900", "--virtual-time-budget=20000", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let document = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = document.split("<pre id=\"told\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let told =
        told.unwrap_or_else(|| panic!("the page told nothing:\n{log}")).replace("&lt;", "<").replace("&gt;", ">");
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (serde_json::from_str(&told.replace("&amp;", "&")).unwrap(), console)
}

/// The page of a demo.
fn page(folder: &Path) -> String {
    let mut demo = support::slipway();
    let output = demo.current_dir(folder).args(["demo", "--quiet", "--keep", "kept"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(folder.join("kept/reports/report.html")).unwrap()
}

/// Opens `page`, runs `using` in it, looks whether it is as every page must be, also on a telephone, and gives what was seen.
fn sound(browser: &str, folder: &Path, page: &str, using: &str) -> Value {
    let behind = format!("{using}{LOOK}</body>");
    let probed = page.replacen("</title>", &format!("</title>{WATCH}"), 1).replacen("</body>", &behind, 1);
    let (told, console) = open(browser, folder, &probed);
    assert_eq!(console, [] as [&str; 0]);
    for nothing in ["wrong", "resources", "links", "twice"] {
        assert_eq!(told[nothing], serde_json::json!([]), "{nothing}");
    }
    assert_eq!((&told["tables"], &told["unlabelled"], &told["charts"]), (&0.into(), &0.into(), &4.into()));
    assert_eq!(told["skip"], "#content");
    assert!(told["width"][0].as_u64() <= told["width"][1].as_u64(), "wider than its window: {}", told["width"]);

    let narrow = PHONE.replace("PAGE", &serde_json::to_string(&page).unwrap().replace("</script", "<\\/script"));
    let (phone, console) = open(browser, folder, &narrow);
    assert_eq!(console, [] as [&str; 0]);
    assert!(phone["width"][0].as_u64().is_some_and(|width| width <= 360), "{phone:#}");
    assert_eq!(phone["width"][1], 360);
    assert_eq!(phone["wide"], serde_json::json!([]), "these are cut off on a telephone");
    told
}

/// The page of a bad night: a wave with accounts that failed, that were refused and that somebody else had imported, the
/// project's own word on rules, a changed extract after it, held against the night before, and with another ledger.
pub(crate) fn page_of_a_bad_night() -> String {
    let one_in = |n| Chosen { one_in: NonZeroU32::new(n), numbers: [].into() };
    let faults = Faults { errored: one_in(10), imported: one_in(20), ..Faults::default() };
    let sandbox = sandbox::start(SandboxOptions { faults, ..SandboxOptions::default() }).unwrap();
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.settings("run_date = \"manifest\"\nmanifest = \"MANIFEST.csv\"", &sandbox.url);
    let rules = "[rules]\nphone-valid = \"off\"\nsupply-point-in-two-accounts = \"warning\"\n";
    project.edit("slipway.toml", |text| text + rules);
    give_an_extension(&project);
    let accounts = fs::read_to_string(project.path("extract/accounts.csv")).unwrap();
    let numbers: String =
        accounts.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned() + "\n").collect();
    fs::write(project.path("wave.txt"), numbers).unwrap();
    let fast = ["--quiet", "--set", "limits.rate=5000/s", "--set", "follow.every=20ms", "--set", "stop.rejected=90%"];
    let run = [&["run", "--wave", "night-1=wave.txt", "--set", "stop.failed=90%"], &fast[..]].concat();
    project.run(1, &run);
    project.run(0, &["backup", "before.sqlite"]);
    // A night later, the extract says less of its accounts.
    project.edit("extract/metadata.csv", |text| {
        text.lines().enumerate().filter(|(at, _)| at % 2 == 0).map(|(_, line)| line.to_owned() + "\n").collect()
    });
    project.settings_without_manifest();
    project.run(1, &["build", "--quiet", "--wave", "night-1"]);
    project.run(0, &["reconcile", "--quiet", "--target"]);
    project.run(0, &["report", "--html", "r.html", "--against", "before.sqlite", "--with", "before.sqlite"]);
    fs::read_to_string(project.path("r.html")).unwrap()
}

#[test]
fn the_page_of_a_bad_night_has_every_part_and_works_too() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = page_of_a_bad_night();
    sound(&browser, folder.path(), &page, "");
    for part in [
        "thresholds",
        "funnel",
        "changes",
        "against",
        "together",
        "money",
        "identities",
        "causes",
        "rules",
        "requests",
        "waves",
        "foreign",
        "accounts",
        "records",
        "files",
        "runs",
    ] {
        assert!(page.contains(&format!("id=\"{part}\"")), "no part `{part}`");
    }
    for told in [
        "No go",
        "guard is down",
        "errors for which the target refused accounts",
        "were imported by somebody else; they are outside",
        "accounts changed in the extract after the target took them",
        ">night-1<",
        "are in both",
    ] {
        assert!(page.contains(told), "the page does not tell: {told}");
    }
}

#[test]
fn the_page_works_in_a_browser_and_asks_nobody_for_anything() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let told = sound(&browser, folder.path(), &page, USE);
    let rows = told["rows"].as_u64().unwrap();
    assert!(rows > 5, "{told:#}");
    assert_eq!(told["searched"], serde_json::json!([told["first"]]));
    assert_eq!(told["told"], format!("1 of {rows} shown"));
    assert_eq!((&told["none"], &told["processed"]), (&0.into(), &0.into()));
    for (name, up) in [("up", true), ("down", false)] {
        assert_eq!(told[name][0], if up { "ascending" } else { "descending" });
        let balances: Vec<f64> =
            told[name][1].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(balances.is_sorted_by(|a, b| if up { a <= b } else { a >= b }), "{balances:?}");
        assert_eq!(balances.len() as u64, rows);
    }
    assert_eq!(told["of_cause"][0], told["of_cause"][1]);
    assert!((1..rows).contains(&told["of_cause"][2].as_u64().unwrap()), "{told:#}");
    assert_eq!(told["hash"], format!("#{}", told["target"].as_str().unwrap()));
}

#[test]
fn what_goes_wrong_in_a_page_is_seen() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = format!(
        "<!doctype html><title>bad</title>{WATCH}<meta http-equiv=\"Content-Security-Policy\" content=\"img-src 'none'\">\
         <img src=\"http://127.0.0.1:9/x.png\"><script>setTimeout(() => missing.call())</script><script>setTimeout(() => {{ \
         const told = document.createElement('pre'); told.id = 'told'; told.textContent = JSON.stringify(wrong); \
         document.body.append(told) }}, 500)</script>"
    );
    let (told, console) = open(&browser, folder.path(), &page);
    let told: Vec<_> = told.as_array().unwrap().iter().map(|wrong| wrong.as_str().unwrap().to_owned()).collect();
    assert!(told.iter().any(|wrong| wrong.starts_with("policy: img-src")), "{told:?}");
    assert!(told.iter().any(|wrong| wrong.starts_with("error: ") && wrong.contains("missing")), "{told:?}");
    assert!(!console.is_empty());
}

#[test]
fn the_page_of_an_unfinished_night_forecasts_its_end_and_a_finished_one_tells_it() {
    let Some(browser) = browser() else { return };
    let sandbox = Sandbox::start(&[]);
    let project = project(12, &sandbox);
    let folder = tempfile::tempdir().unwrap();
    project.run(0, &["build", "--quiet"]);
    project.run(0, &[&["submit", "--quiet", "--limit", "5"], &FAST[..]].concat());
    let page = |until: &[&str]| {
        project.run(0, &[&["report", "--quiet", "--html", "r.html"], until].concat());
        fs::read_to_string(project.path("r.html")).unwrap()
    };
    let using = r##"<script>
window.report = {};
const words = name => document.querySelector(name)?.textContent.replace(/\s+/g, " ").trim() ?? "";
report.verdict = words(".verdict");
report.tile = words(".tiles li:last-child");
report.at = document.querySelector(".tiles li:last-child time")?.dateTime ?? "";
report.part = words("#forecast + p");
report.finish = words("#finish + p");
report.lines = document.querySelector(".tiles li:last-child b").getClientRects().length;
report.height = document.querySelector(".tiles li:last-child b").getBoundingClientRect().height;
document.querySelector("a[href='#forecast']")?.click();
report.hash = location.hash;
</script>"##;
    let told = sound(&browser, folder.path(), &page(&["--set", "stop.until=23:59"]), using);
    let says = |part: &str| told[part].as_str().unwrap().to_owned();
    assert!(says("verdict").starts_with("Not yet unfinished: 0 of 12 accounts processed"), "{told:#}");
    assert!(
        says("part").starts_with("7 accounts are to be created, 5 are on their way. The newest run made "),
        "{told:#}"
    );
    assert!(says("part").contains(" creates a second. At that pace everything will have ended about "), "{told:#}");
    assert!(says("part").contains(" To be created by ") && says("tile").contains("forecast end; until "), "{told:#}");
    assert!(says("at").parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{told:#}");
    assert!(told["height"].as_f64() < Some(40.0), "the instant is one line: {told:#}");
    assert_eq!((says("hash"), says("finish")), ("#forecast".into(), String::new()));

    project.run(0, &[&["run", "--quiet"], &FAST[..]].concat());
    let told = sound(&browser, folder.path(), &page(&[]), using);
    assert!(told["verdict"].as_str().unwrap().starts_with("Go complete: all 12 accounts"), "{told:#}");
    assert!(told["tile"].as_str().unwrap().ends_with("last account moved; nothing is left to do"), "{told:#}");
    assert!(told["finish"].as_str().unwrap().starts_with("The last account moved at "), "{told:#}");
    assert_eq!((&told["part"], &told["hash"]), (&"".into(), &"".into()));
}
