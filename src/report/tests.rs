use crate::ledger::State;
use crate::ledger::agreement::{Agreement, MissRow, OverrideRow};
use crate::ledger::read::{FileRow, IdentityRow, RunRow};
use crate::ledger::report::{AttentionRow, CauseRow, ExchangeCountRow};

use super::timeline::{self, Bucket};
use super::*;

/// A night of four accounts: one processed, one rejected here, one refused there, one still on its way.
#[expect(clippy::too_many_lines, reason = "one value, field by field")]
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
    let gates = gates(&Measures { states: &states, files: &files, identities: &identities, ..Measures::default() });
    RunReport {
        slipway: "0.0.0".into(),
        written_at: "2026-11-24T06:00:00Z".into(),
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
        verdict: Verdict::of(&states, &files, &identities, 0, gates),
        funnel: funnel(&files, &states, &tally),
        states,
        findings: FindingCounts { errors: 2, warnings: 1, notices: 3 },
        files,
        identities,
        clusters: Listed {
            total: 1,
            first: vec![Cause {
                code: "invalid_phone_number".into(),
                source: "local".into(),
                path: "customers.landline".into(),
                file: "phones.csv".into(),
                column: "LANDLINE".into(),
                unblocked: 1,
                accounts: 1,
                findings: 1,
                pence: Some(12_345),
                message: "a UK phone number is expected".into(),
                example_account: Some("A-1".into()),
                example_line: Some(9),
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
        rules: RulesPart {
            agreement: Agreement {
                accounts: 2,
                accounts_caught: 1,
                refusals: 3,
                caught: 2,
                misses: vec![MissRow {
                    code: "tpr_not_found".into(),
                    path: "supply_addresses.meter_points.tpr".into(),
                    refusals: 1,
                    accounts: 1,
                    example_supplier: "TENTACLE_ENERGY".into(),
                    example_account: "A-1".into(),
                    example_path: "supply_addresses.0.meter_points.3.tpr".into(),
                    message: "told <by> the target".into(),
                }],
            },
            overrides: vec![
                OverrideRow { rule: "supply-point-in-two-accounts".into(), severity: "warning".into(), accounts: 4 }
                    .into(),
            ],
        },
        exchanges: vec![ExchangeCountRow {
            kind: "create".into(),
            outcome: "scheduled".into(),
            exchanges: 2,
            longest_ms: 1234,
        }],
        control_totals: vec![ControlTotalRow {
            file: "accounts.csv".into(),
            origin: "manifest".into(),
            total: "records".into(),
            promised: "6".into(),
            counted: Some("5".into()),
            agrees: false,
            waived: Some("agreed by telephone".into()),
        }],
        money: vec![MoneyRow {
            entity: "ledgers.current_statement_transactions".into(),
            field: "amount".into(),
            variant: "CHARGE".into(),
            sign: 1,
            pence: [("source", 1000), ("orphaned", 50), ("rejected", 250), ("payload", 700), ("processed", 650)]
                .map(|(stage, pence)| (stage.to_owned(), pence))
                .into(),
        }],
        money_causes: vec![MoneyCauseRow { cause: "rejected".into(), accounts: 1, pence: 250 }],
        supply_points: vec![SupplyPointRow { supply_type: "GAS".into(), state: "processed".into(), points: 1 }],
        foreign: Listed {
            total: 1,
            first: vec![ForeignRow {
                import_supplier: "TENTACLE_ENERGY".into(),
                external_account_number: "A-3".into(),
                kraken_identifier: Some("A-KRAKEN".into()),
                found_at: "2026-11-24T02:05:00.000Z".into(),
            }],
        },
        drifted: Listed {
            total: 1,
            first: vec![DriftedRow {
                import_supplier: "TENTACLE_ENERGY".into(),
                external_account_number: "A-4".into(),
                change: "changed".into(),
                entities: "ledgers".into(),
                codes: String::new(),
                pence_before: 100,
                pence_after: 99,
            }],
        },
        target_differences: Listed { total: 0, first: Vec::new() },
        timeline: Some(timeline()),
        forecast: None,
        last_moved: Some("2026-11-24T02:09:00.000Z".into()),
        waves: vec![WaveReportRow {
            wave: "night-1".into(),
            listed: 4,
            accounts: [(State::Processed, 1), (State::Rejected, 1)].into(),
            foreign: 0,
            pence: Some(12_345),
            last_moved: Some("2026-11-24T02:09:00.000Z".into()),
        }],
        previous: None,
        runs: Vec::new(),
        against: None,
        together: None,
        rejects: None,
    }
}

fn timeline() -> Timeline {
    let bucket = Bucket {
        at: "2026-11-24T02:02:00.000Z".into(),
        creates: 2,
        statuses: 3,
        median_ms: Some(20),
        p95_ms: Some(1234),
        longest_ms: Some(1234),
        ..Bucket::default()
    };
    Timeline {
        from: bucket.at.clone(),
        to: "2026-11-24T02:02:00.900Z".into(),
        bucket_ms: 1_000,
        limit: Some(timeline::Limit { requests: 20, period_ms: 1_000 }),
        buckets: vec![bucket],
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
    IdentityRow {
        name: name.into(),
        left,
        right,
        difference: left - right,
        balanced: left == right,
        kind: "accounts".into(),
        unit: "accounts".into(),
    }
}

fn attention(number: &str, state: State, cause: CauseRow) -> AttentionRow {
    AttentionRow {
        import_supplier: "TENTACLE_ENERGY".into(),
        external_account_number: number.into(),
        state,
        origin: None,
        pence: Some(12_345),
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
        value: None,
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
    let page =
        written(RunReport::write_html).replace("https://target.example", "").replace("http://www.w3.org/2000/svg", "");
    for outside in ["http://", "https://", " src=", "url(", "@import", "=\"//", "<link", "<img", "<iframe"] {
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
    let now = "2026-11-24T06:00:00Z".parse().unwrap();
    let options = Options { now, until: None, against: None, with: &[] };
    let report = RunReport::read(&Ledger::open(&path, &target).unwrap(), &options).unwrap();
    assert_eq!(report.verdict.outcome, Outcome::Empty);
    assert_eq!(report.target.url, "https://target.example");
    let mut out = Vec::new();
    report.write_text(&mut out).unwrap();
    report.write_json(&mut out).unwrap();
    report.write_html(&mut out).unwrap();
}
