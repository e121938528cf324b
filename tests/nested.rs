//! A record that is several objects, one within the other.

use std::fs;

use serde_json::{Value, json};

use crate::support::Project;

const MEMBERS: &str = "\
NO;NAME;STREET;CODE;FROM;MPAN
M1;Parry;1 High Street;SA44 4AA;01/02/2020;1000003100002
M2;Price;2 High Street;SA44 4AB;02/02/2020;1000003100011
M2;Price;2 High Street;SA44 4AB;02/02/2020;1000003100011
M3;Lloyd;a street too few
";

const METERS: &str = "MPAN;SERIAL;DIGITS\n1000003100002;L1;5\n1000003100011;L2;6\n";

const MAPPING: &str = r#"
[defaults]
delimiter = ";"
date = "%d/%m/%Y"
[tables.members]
files = "members.csv"
key = ["NO"]
[tables.meters]
files = "meters.csv"
key = ["SERIAL"]
[tables.meters.columns]
MEMBER = { join = "members", by = ["MPAN"], take = "NO" }
[account]
table = "members"
[account.fields]
import_supplier = { value = "TENTACLE_ENERGY" }
external_account_number = "NO"
[entity.customers]
table = "members"
parent = ["NO"]
[entity.customers.fields]
family_name = "NAME"
[entity.supply_addresses]
table = "members"
parent = ["NO"]
[entity.supply_addresses.fields]
supply_address1 = "STREET"
supply_postcode = "CODE"
customer_at_supply_address_from_date = "FROM"
[entity."supply_addresses.meter_points"]
table = "members"
parent = ["NO"]
[entity."supply_addresses.meter_points".fields]
supply_type = { value = "ELECTRICITY" }
identifier = "MPAN"
mpid = { value = "LDN" }
supply_start_date = "FROM"
[entity."supply_addresses.meter_points.meters"]
table = "meters"
parent = ["MEMBER"]
[entity."supply_addresses.meter_points.meters".fields]
meter_serial_number = "SERIAL"
[entity."supply_addresses.meter_points.meters.registers"]
table = "meters"
parent = ["SERIAL"]
[entity."supply_addresses.meter_points.meters.registers".fields]
register_id = { value = "1" }
number_of_digits = "DIGITS"
[entity."supply_addresses.meter_points.agreements"]
table = "members"
parent = ["NO"]
[entity."supply_addresses.meter_points.agreements".fields]
tariff_code = { value = "E-1R-GREEN" }
effective_from = "FROM"
"#;

fn project() -> Project {
    let project = Project::with_mapping("mappings/guide");
    project.settings("run_date = \"2026-07-01\"", "http://127.0.0.1:9");
    fs::remove_dir_all(project.path("mapping/tests")).ok();
    fs::write(project.path("mapping/mapping.toml"), MAPPING).unwrap();
    fs::write(project.path("extract/members.csv"), MEMBERS).unwrap();
    fs::write(project.path("extract/meters.csv"), METERS).unwrap();
    project
}

#[test]
fn customer_address_point_and_agreement_are_made_of_one_record() {
    let project = project();
    let built = project.build(1);
    let payloads: Vec<Value> = built
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(payloads.len(), 2, "{payloads:?}");
    assert_eq!(
        payloads[1],
        json!({
            "customers": [{ "family_name": "Price" }],
            "external_account_number": "M2",
            "import_supplier": "TENTACLE_ENERGY",
            "supply_addresses": [{
                "customer_at_supply_address_from_date": "2020-02-02",
                "meter_points": [{
                    "agreements": [{ "effective_from": "2020-02-02", "tariff_code": "E-1R-GREEN" }],
                    "identifier": "1000003100011",
                    "meters": [{
                        "meter_serial_number": "L2",
                        "registers": [{ "number_of_digits": 6, "register_id": "1" }],
                    }],
                    "mpid": "LDN",
                    "supply_start_date": "2020-02-02",
                    "supply_type": "ELECTRICITY",
                }],
                "supply_address1": "2 High Street",
                "supply_postcode": "SA44 4AB",
            }],
        })
    );
    // The same from what the first build staged, and every record in one bucket.
    assert!(project.build(1) == built);
    let files = "SELECT \"table\" || ' ' || records || ' ' || quarantined || ' ' || duplicate || ' ' || used \
                 FROM v_extract_files WHERE build = 2 ORDER BY \"table\"";
    assert_eq!(
        project.column(files),
        [
            "members 4 1 1 2",
            "members (2) 3 0 1 2",
            "members (3) 3 0 1 2",
            "members (4) 3 0 1 2",
            "meters 2 0 0 2",
            "meters (2) 2 0 0 2"
        ]
    );
    let open: Vec<String> = project.column("SELECT name FROM v_identities WHERE NOT balanced");
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn what_is_wrong_with_the_table_is_told_once() {
    let project = project();
    project.edit("mapping/mapping.toml", |text| {
        text.replace("family_name = \"NAME\"", "family_name = \"NAM\"").replace("key = [\"NO\"]", "key = [\"NUMBER\"]")
    });
    let said = crate::support::text(&project.run(2, &["lint"]).stdout);
    assert_eq!(said.matches("has no column `NUMBER`").count(), 1, "{said}");
    assert_eq!(said.matches("has no column `NAM`").count(), 1, "{said}");
    let said = crate::support::text(&project.run(2, &["build"]).stderr);
    assert_eq!(said.matches("has no column `NUMBER`").count(), 1, "{said}");
}
