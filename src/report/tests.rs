use crate::ledger::State;
use crate::ledger::read::{ClusterRow, FileRow, IdentityRow, RunRow};
use crate::ledger::report::{AttentionRow, CauseRow, ExchangeCountRow};

use super::*;

/// A night of four accounts: one processed, one rejected here, one refused there, one still on its way.
fn report() -> RunReport {
    let states: Vec<_> = State::ALL
        .into_iter()
        .map(|state| StateCount {
            state,
            accounts: u64::from(matches!(
                state,
                State::Processed | State::Rejected | State::Refused | State::Submitted
            )),
        })
        .collect();
    let files = vec![file("accounts.csv", 5, [4, 0, 0, 1]), file("phones <&> \"old\".csv", 7, [5, 2, 0, 0])];
    let identities = vec![
        identity("records read = records in buckets", 12, 12),
        identity("accounts built = ready + rejected", 4, 4),
    ];
    let tally = Tally { built: 4, built_ready: 3, built_rejected: 1, sent: 3, sent_accepted: 2, ..Tally::default() };
    RunReport {
        slipway: "0.0.0".into(),
        target: TargetPart { url: "https://target.example".into(), suppliers: vec!["TENTACLE_ENERGY".into()] },
        run: Some(RunRow {
            run: 2,
            started_at: "2026-11-24T02:00:00.000Z".into(),
            finished_at: Some("2026-11-24T02:10:00.000Z".into()),
            command: "run".into(),
            exit_code: Some(3),
            counts: None,
        }),
        build: Some(BuildPart {
            build: "000001".into(),
            finished_at: "2026-11-24T02:01:00.000Z".into(),
            run_date: "2026-11-23".into(),
            wave: Some("night-1".into()),
            drifted: 0,
        }),
        verdict: Verdict::of(&states, &files, &identities, 0),
        funnel: funnel(&files, &states, &tally),
        states,
        findings: FindingCounts { errors: 2, warnings: 1, notices: 3 },
        files,
        identities,
        clusters: Listed {
            total: 1,
            first: vec![ClusterRow {
                code: "invalid_phone_number".into(),
                source: "local".into(),
                path: "customers.landline".into(),
                file: "phones.csv".into(),
                column: "LANDLINE".into(),
                accounts: 1,
                findings: 1,
                message: "a UK phone number is expected".into(),
            }],
        },
        attention: Listed {
            total: 2,
            first: vec![
                attention("A-1", State::Rejected, cause("local", Some(("phones.csv", 9, "LANDLINE")))),
                attention("A-2 <script>alert(1)</script>", State::Refused, cause("remote", None)),
            ],
        },
        homeless: Listed { total: 1, first: vec![cause("local", Some(("accounts.csv", 4, "ACCOUNT_NO")))] },
        exchanges: vec![ExchangeCountRow {
            kind: "create".into(),
            outcome: "scheduled".into(),
            exchanges: 2,
            longest_ms: 1234,
        }],
    }
}

fn file(name: &str, records: u64, [used, rejected, orphaned, quarantined]: [u64; 4]) -> FileRow {
    FileRow {
        file: name.into(),
        table: name.trim_end_matches(".csv").into(),
        bytes: 100,
        digest: "00".into(),
        records,
        quarantined,
        duplicate: 0,
        orphaned,
        not_selected: 0,
        filtered: 0,
        rejected,
        used,
    }
}

fn identity(name: &str, left: i64, right: i64) -> IdentityRow {
    IdentityRow { name: name.into(), left, right, difference: left - right, balanced: left == right }
}

fn attention(number: &str, state: State, cause: CauseRow) -> AttentionRow {
    AttentionRow {
        import_supplier: "TENTACLE_ENERGY".into(),
        external_account_number: number.into(),
        state,
        origin: None,
        errors: 2,
        causes: vec![cause],
    }
}

fn cause(source: &str, cell: Option<(&str, u64, &str)>) -> CauseRow {
    CauseRow {
        code: "invalid_phone_number".into(),
        source: source.into(),
        path: "customers.0.landline".into(),
        message: "a UK phone number is expected".into(),
        file: cell.map(|(file, _, _)| file.into()),
        line: cell.map(|(_, line, _)| line),
        column: cell.map(|(_, _, column)| column.into()),
    }
}

fn written(write: impl Fn(&RunReport, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&report(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_text_tells_it_on_a_terminal() {
    insta::assert_snapshot!(written(RunReport::write_text));
}

#[test]
fn the_json_is_a_contract() {
    insta::assert_snapshot!(written(RunReport::write_json));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = written(RunReport::write_html).replace("https://target.example", "");
    for outside in ["http://", "https://", "src=", "url(", "@import", "=\"//", "<link", "<img", "<iframe"] {
        assert!(!page.contains(outside), "the page holds `{outside}`");
    }
}

#[test]
fn the_page_escapes_what_it_is_told() {
    let page = written(RunReport::write_html);
    assert_eq!(page.matches("<script").count(), 1, "one script, the page's own");
    assert!(page.contains("A-2 &lt;script&gt;"));
    assert!(page.contains("phones &lt;&amp;&gt; &quot;old&quot;.csv"));
}

#[test]
fn the_page_tells_verdict_places_and_links_that_lead_somewhere() {
    let page = written(RunReport::write_html);
    assert!(page.contains("unfinished: 1 of 4 accounts processed; run again to resume"));
    assert!(page.contains("phones.csv:9:LANDLINE"));
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "nothing has the id `{id}`");
    }
}

#[test]
fn an_empty_ledger_makes_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let target = crate::ledger::TargetIdentity { url: "https://target.example".into(), suppliers: vec!["A".into()] };
    let report = RunReport::read(&Ledger::open(&path, &target).unwrap()).unwrap();
    assert_eq!(report.verdict.outcome, Outcome::Empty);
    assert_eq!(report.target.url, "https://target.example");
    let mut out = Vec::new();
    report.write_text(&mut out).unwrap();
    report.write_json(&mut out).unwrap();
    report.write_html(&mut out).unwrap();
}
