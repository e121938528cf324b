//! What shows only where accounts meet: the same supply point in two of them.

use std::fs;

use serde_json::Value;

use crate::support::{Project, text};

/// The sample, with the supply points' identifiers in a column of their own beside the key of the table.
fn project() -> Project {
    let project = Project::new("mappings/tentacle", "samples/tentacle");
    project.edit("mapping/mapping.toml", |text| text.replace("identifier = \"MPXN\"", "identifier = \"MPAN\""));
    project.edit("extract/meter_points.csv", |text| {
        let line = |(number, line): (usize, &str)| {
            let key = line.split(',').next().unwrap();
            format!("{line},{}\n", if number == 0 { "MPAN" } else { key })
        };
        text.lines().enumerate().map(line).collect()
    });
    project
}

/// Account number and first supply point of each payload.
fn accounts(payloads: &[u8]) -> Vec<(String, String)> {
    let payloads = text(payloads);
    let payloads = payloads.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = payloads.filter_map(|payload| {
        let point = payload.pointer("/supply_addresses/0/meter_points/0/identifier")?.as_str()?.to_owned();
        Some((payload["external_account_number"].as_str()?.to_owned(), point))
    });
    named.collect()
}

/// Gives the supply point `own` the identifier of `other` as well.
fn share(project: &Project, own: &str, other: &str) {
    project.edit("extract/meter_points.csv", |text| text.replace(&format!(",{own}\n"), &format!(",{other}\n")));
}

#[test]
fn a_supply_point_in_two_accounts_rejects_both_and_their_payloads_go_nowhere() {
    let project = project();
    let before = accounts(&project.build(1));
    let ((first, own), (second, other)) = (&before[0], &before[5]);
    share(&project, own, other);
    let payloads = project.build(1);
    let after = accounts(&payloads);
    assert_eq!(after.len(), before.len() - 2);
    assert!(after.iter().all(|(number, _)| number != first && number != second));
    let query = "SELECT external_account_number || ' ' || path || ' ' || file || ' ' || \"column\" FROM v_findings \
                 WHERE code = 'supply_point_in_two_accounts' ORDER BY 1";
    let told = project.column(query);
    assert_eq!(told.len(), 4, "two findings, each with the cells of both: {told:?}");
    assert!(told.iter().all(|line| line.ends_with(" meter_points.csv MPAN")), "{told:?}");
    let states = format!(
        "SELECT state || ' ' || payload_digest FROM v_accounts WHERE external_account_number IN \
         ('{first}', '{second}')"
    );
    assert_eq!(project.column(&states), ["rejected ", "rejected "]);
    let open = "SELECT file FROM v_extract_files WHERE records <> quarantined + duplicate + orphaned + not_selected + \
                filtered + rejected + used OR used < 0";
    assert!(project.column(open).is_empty(), "every record is in one bucket still");
    let rejected = "SELECT CAST(rejected AS TEXT) FROM v_extract_files WHERE file = 'accounts.csv' ORDER BY build";
    let rejected: Vec<u64> = project.column(rejected).iter().map(|count| count.parse().unwrap()).collect();
    assert_eq!(rejected[1], rejected[0] + 2);
    // The same on any number of threads.
    for threads in ["1", "3"] {
        let mut command = project.command(&["build", "--quiet", "--out", "again.ndjson"]);
        assert_eq!(command.env("RAYON_NUM_THREADS", threads).status().unwrap().code(), Some(1));
        assert_eq!(fs::read(project.path("again.ndjson")).unwrap(), payloads, "{threads} threads");
        assert_eq!(project.column(query), told, "{threads} threads");
    }
}

#[test]
fn a_supply_point_that_went_under_another_account_number_is_not_sent_again() {
    let project = project();
    let before = accounts(&project.build(1));
    let ((first, own), (second, other)) = (&before[0], &before[5]);
    let sent = "UPDATE account SET state = 'processed', origin = 'ours', accepted_digest = digest WHERE number = ?";
    assert_eq!(project.ledger().execute(sent, [second]).unwrap(), 1);
    share(&project, own, other);
    fs::write(project.path("wave.txt"), format!("{first}\n")).unwrap();
    project.run(1, &["build", "--quiet", "--wave", "late=wave.txt"]);
    let told = project.column(
        "SELECT external_account_number || ' ' || message FROM v_findings WHERE code = 'supply_point_sent_before'",
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(first.as_str()) && told[0].contains(second.as_str()), "{told:?}");
    let state = format!("SELECT state FROM v_accounts WHERE external_account_number = '{first}'");
    assert_eq!(project.column(&state), ["rejected"]);
}
