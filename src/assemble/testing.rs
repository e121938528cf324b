//! Books from text, for tests of whatever looks at accounts.

use std::path::Path;
use std::sync::Arc;

use super::payloads::Handed;
use super::{Books, Buckets, Selection, name_accounts};
use crate::contract::Contract;
use crate::finding::Finding;
use crate::mapping;
use crate::stage::{self, MissingFiles, Stage, Staging};

/// The extract that `mapping` reads from `files` (name and text). Lookups are files named `lookups/NAME.csv`.
pub(crate) fn stage(mapping: &str, files: &[(&str, &str)]) -> Stage {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lookups")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    stage_in(directory.path(), mapping)
}

/// The extract that `mapping` reads from the files in `directory`.
pub(crate) fn stage_in(directory: &Path, mapping: &str) -> Stage {
    let contract = Contract::built_in().unwrap();
    let plan = match mapping::load_text(directory, mapping, &contract) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => panic!("the mapping has problems: {problems:#?}"),
    };
    let sources = stage::find_sources(&plan, directory, MissingFiles::AreEmpty).unwrap();
    stage::load(&plan, sources, &Staging::in_memory(&|table| name_accounts(&plan, table)), None).unwrap()
}

/// The payloads of `stage` that are not rejected, one a line, all findings, and what became of the records.
pub(crate) fn payloads(stage: &Stage) -> (String, Vec<Finding>, Buckets) {
    let books = Books::open(stage, &Selection::default());
    let (mut text, mut findings, mut buckets) = (String::new(), books.findings.clone(), books.buckets.clone());
    let taken = super::payloads::make(&books, 1, &|_, _| {}, |handed| {
        match handed {
            Handed::Batch(batch) => {
                text.push_str(std::str::from_utf8(&batch.bytes).unwrap());
                findings.extend(batch.accounts.iter().flat_map(|account| account.findings.iter().cloned()));
            }
            Handed::End(end) => {
                findings.append(&mut end.findings);
                buckets.merge(&end.buckets);
            }
        }
        Ok::<_, std::convert::Infallible>(())
    });
    taken.unwrap();
    (text, findings, buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
[defaults]
date = "%d/%m/%Y"
bool = { Y = true, N = false }
[tables.accounts]
files = "accounts.csv"
key = ["NO"]
[tables.customers]
files = "customers.csv"
key = ["ID"]
[tables.customers.columns]
SEQ = { as = "integer" }
[account]
table = "accounts"
[account.fields]
import_supplier = { value = "TENTACLE_ENERGY" }
external_account_number = "NO"
transfer_balance = "BALANCE"
"dunning_path.path_name" = "PATH"
"dunning_path.start_date" = "START"
[entity.customers]
table = "customers"
parent = ["NO"]
order = ["SEQ"]
[entity.customers.fields]
family_name = "NAME"
date_of_birth = "BORN"
"#;

    #[test]
    fn an_account_is_put_together_from_its_records_in_any_order() {
        let stage = stage(
            MAPPING,
            &[
                ("accounts.csv", "NO,BALANCE,PATH,START\nB,2.5,,\nA,1.00,\"p\"\"q\",01/02/2020\n"),
                ("customers.csv", "ID,NO,SEQ,NAME,BORN\n1,A,10,Ten,\n2,B,1,One,03/04/1990\n3,A,9,Nine,\n4,C,1,Lost,\n"),
            ],
        );
        let (payloads, findings, _) = payloads(&stage);
        let expected = concat!(
            r#"{"customers":[{"family_name":"Nine"},{"family_name":"Ten"}],"#,
            r#""dunning_path":{"path_name":"p\"q","start_date":"2020-02-01"},"#,
            r#""external_account_number":"A","import_supplier":"TENTACLE_ENERGY","transfer_balance":"1.00"}"#,
            "\n",
            r#"{"customers":[{"date_of_birth":"1990-04-03","family_name":"One"}],"#,
            r#""external_account_number":"B","import_supplier":"TENTACLE_ENERGY","transfer_balance":"2.5"}"#,
            "\n",
        );
        assert_eq!(payloads, expected);
        let told: Vec<(&str, String)> = findings.iter().map(|f| (&*f.code, f.cells[0].to_string())).collect();
        assert_eq!(told, [("orphaned_record", "customers.csv:5:NO".to_owned())]);
    }

    #[test]
    fn a_cell_that_cannot_be_read_rejects_its_account_and_no_other() {
        let stage = stage(
            MAPPING,
            &[
                ("accounts.csv", "NO,BALANCE,PATH,START\nA,1.00,p,2020-02-01\nB,2.50,,\n"),
                ("customers.csv", "ID,NO,SEQ,NAME,BORN\n"),
            ],
        );
        let (payloads, findings, _) = payloads(&stage);
        assert!(payloads.starts_with(r#"{"external_account_number":"B""#), "{payloads}");
        assert_eq!(payloads.lines().count(), 1);
        let [finding] = findings.as_slice() else { panic!("one finding: {findings:#?}") };
        assert_eq!((&*finding.code, finding.path.as_str()), ("malformed_date", "dunning_path.start_date"));
        assert_eq!(finding.cells[0].to_string(), "accounts.csv:2:START");
        assert!(!finding.message.contains("2020-02"), "a message tells the shape, not the text: {}", finding.message);
    }
}
