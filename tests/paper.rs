//! The report's page on paper, as a real browser lays it out for print.

use crate::page::{browser, page_of_a_bad_night};
use crate::support::browser::Browser;

/// What the page is on paper: looked at while the browser lays it out for print.
const ON_PAPER: &str = r#"(() => {
  const style = element => getComputedStyle(element);
  const shown = name => [...document.querySelectorAll(name)].filter(element => element.getClientRects().length).length;
  const seen = [...document.querySelectorAll("main *")].filter(element => element.getClientRects().length);
  return {
    behind: [style(document.documentElement).backgroundColor, style(document.body).backgroundColor],
    ink: style(document.body).color,
    dark: seen.filter(element => !element.matches(".bar i, .key i") && /^rgb\(([0-9]|[1-4][0-9]), /.test(style(element).backgroundColor)).map(element => element.outerHTML.slice(0, 80)),
    nav: shown("nav"), search: shown(".search"), skip: shown(".skip"), summaries: shown("summary"),
    heads: [...new Set([...document.querySelectorAll("thead")].map(head => style(head).display))],
    rows: style(document.querySelector("tbody tr")).breakInside,
    arrow: getComputedStyle(document.querySelector("button.sort"), "::after").content,
    folded: [...document.querySelectorAll("details:not(.reference) table")].filter(table => !table.checkVisibility({ contentVisibilityAuto: true })).length,
    unfolded: document.querySelectorAll("details:not(.reference) table").length,
    cut: seen.filter(element => element.closest("table") && element.getBoundingClientRect().right > innerWidth + 1).map(element => element.outerHTML.slice(0, 120)),
    scrolls: seen.filter(element => element.matches(".wide") && style(element).overflowX !== "visible").length,
  };
})()"#;

#[test]
fn on_paper_the_page_is_white_whole_and_without_what_paper_cannot_do() {
    let Some(program) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(&program, folder.path());
    let paper = |media: &str| serde_json::json!({ "media": media, "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    // As wide as A4 between its margins, on a machine that is set to dark.
    let narrow = serde_json::json!({ "width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
    browser.ask("Emulation.setDeviceMetricsOverride", &narrow);
    browser.ask("Emulation.setEmulatedMedia", &paper("screen"));
    browser.open(folder.path(), &page_of_a_bad_night());
    let screen = browser.run(ON_PAPER);
    assert_eq!(screen["behind"][1], "rgb(17, 22, 29)", "the screen is dark: {screen:#}");
    assert!(screen["nav"] == 1 && screen["search"] == 1 && screen["folded"].as_u64() > Some(0), "{screen:#}");

    browser.ask("Emulation.setEmulatedMedia", &paper("print"));
    let print = browser.run(ON_PAPER);
    assert_eq!((&print["behind"][1], &print["ink"]), (&"rgb(255, 255, 255)".into(), &"rgb(26, 35, 48)".into()));
    for nothing in ["dark", "cut"] {
        assert_eq!(print[nothing], serde_json::json!([]), "{nothing}");
    }
    for none in ["nav", "search", "skip", "summaries", "folded", "scrolls"] {
        assert_eq!(print[none], 0, "{none}");
    }
    assert!(print["unfolded"].as_u64() > Some(0));
    assert_eq!((&print["heads"], &print["rows"]), (&serde_json::json!(["table-header-group"]), &"avoid".into()));
    assert_eq!(print["arrow"], "none", "the arrows that sort");
    // What is folded away is opened for the printer, and closed again behind it.
    let open = "document.querySelectorAll('details[open]').length";
    browser.run(
        "addEventListener('beforeprint', () => { window.opened = document.querySelectorAll('details[open]').length })",
    );
    let pdf = browser.ask("Page.printToPDF", &serde_json::json!({ "printBackground": false }));
    assert!(pdf["data"].as_str().unwrap().starts_with("JVBERi0"), "a PDF, in base 64");
    assert_eq!((browser.run("window.opened"), browser.run(open)), (1.into(), 0.into()));
}
