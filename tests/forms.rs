//! Extracts as they come: compressed, in parts, in other encodings, damaged.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::Project;

fn generated() -> Project {
    let project = Project::with_mapping("mappings/tentacle");
    fs::remove_dir(project.path("extract")).unwrap();
    project.run(0, &["generate", "--quiet", "--accounts", "80", "--seed", "3", "--out", "extract"]);
    project.settings_without_manifest();
    project
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Replaces a file of the extract by another, and says so in the mapping.
fn replace(project: &Project, name: &str, files: &str, setting: &str, write: impl FnOnce(Vec<u8>)) {
    let path = project.path("extract").join(name);
    let text = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    write(text);
    project.edit("mapping/mapping.toml", |mapping| {
        let before = format!("files = \"{name}\"\n");
        assert!(mapping.contains(&before), "{name}");
        mapping.replace(&before, &format!("files = \"{files}\"\n{setting}"))
    });
}

#[test]
fn compressed_files_parts_and_other_encodings_give_the_same_payloads() {
    let project = generated();
    let expected = project.build(0);
    let extract = project.path("extract");
    replace(&project, "readings.csv", "readings_*.csv*", "", |text| {
        // A part compressed in two members, and one as it is with its columns the other way round.
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let (first, second) = lines[1..].split_at(lines.len() / 2);
        let (start, end) = first.split_at(first.len() / 3);
        let compressed = [gzip(&[lines[0], &start.concat()].concat()), gzip(&end.concat())].concat();
        fs::write(extract.join("readings_1.csv.gz"), compressed).unwrap();
        let mut writer = csv::Writer::from_path(extract.join("readings_2.csv")).unwrap();
        for line in [&lines[..1], second].concat() {
            let record = csv::ReaderBuilder::new().has_headers(false).from_reader(line).into_byte_records().next();
            let cells: Vec<Vec<u8>> = record.unwrap().unwrap().iter().rev().map(<[u8]>::to_vec).collect();
            writer.write_record(cells).unwrap();
        }
        writer.flush().unwrap();
    });
    replace(&project, "notes.csv", "notes.csv.zst", "", |text| {
        fs::write(extract.join("notes.csv.zst"), zstd::encode_all(&text[..], 1).unwrap()).unwrap();
    });
    replace(&project, "statements.csv", "statements.csv", "encoding = \"utf-16le\"\n", |text| {
        let text = String::from_utf8(text).unwrap();
        let bytes: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        fs::write(extract.join("statements.csv"), bytes).unwrap();
    });
    replace(&project, "supply_addresses.csv", "supply_addresses.csv.gz", "encoding = \"windows-1252\"\n", |text| {
        let text = String::from_utf8(text).unwrap();
        let (bytes, _, unknown) = encoding_rs::WINDOWS_1252.encode(&text);
        assert!(!unknown, "the addresses fit the encoding");
        fs::write(extract.join("supply_addresses.csv.gz"), gzip(&bytes)).unwrap();
    });
    replace(&project, "customers.csv", "customers.csv.gz", "encoding = \"utf-16be\"\n", |text| {
        let text = String::from_utf8(text).unwrap();
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        fs::write(extract.join("customers.csv.gz"), gzip(&bytes)).unwrap();
    });
    let made = project.build(0);
    assert!(made == expected, "the same records in other forms give the same payloads");
}

#[test]
fn a_byte_its_encoding_does_not_know_costs_one_record() {
    let project = generated();
    project.build(0);
    let extract = project.path("extract");
    replace(&project, "references.csv", "references.csv.gz", "encoding = \"windows-1252\"\n", |mut text| {
        let second = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
        text[second - 1] = 0x81;
        fs::write(extract.join("references.csv.gz"), gzip(&text)).unwrap();
    });
    project.build(1);
    let found = project.column("SELECT code || ' ' || file || ' ' || line FROM v_findings WHERE severity = 'warning'");
    assert_eq!(found, ["record_encoding references.csv.gz 2"]);
    let counted = project.column("SELECT quarantined || '' FROM v_extract_files WHERE file = 'references.csv.gz'");
    assert_eq!(counted, ["1"]);
}

#[test]
fn a_compressed_file_that_is_damaged_or_not_compressed_stops_the_build_with_its_name() {
    for damage in [|bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec(), |_| b"READING_ID,MPXN\n1,2\n".to_vec()] {
        let project = generated();
        let extract = project.path("extract");
        replace(&project, "readings.csv", "readings.csv.gz", "", |text| {
            fs::write(extract.join("readings.csv.gz"), damage(gzip(&text))).unwrap();
        });
        let output = project.run(2, &["build"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("readings.csv.gz cannot be decompressed"), "{told}");
    }
}

#[test]
fn an_encoding_nobody_knows_is_told_with_the_nearest() {
    let project = generated();
    project.edit("mapping/mapping.toml", |mapping| {
        mapping.replace("files = \"notes.csv\"\n", "files = \"notes.csv\"\nencoding = \"windows-125\"\n")
    });
    let output = project.run(2, &["lint"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("`windows-125` is no encoding") && told.contains("windows-1252"), "{told}");
}

#[test]
fn ten_thousand_columns_are_read_as_ten_are() {
    let project = generated();
    let expected = project.build(0);
    let path = project.path("extract/debts.csv");
    let text = fs::read_to_string(&path).unwrap();
    let wide = |line: &str, cell: &dyn Fn(usize) -> String| {
        let more: Vec<String> = (0..10_000).map(cell).collect();
        format!("{line},{}\n", more.join(","))
    };
    let mut lines = text.lines();
    let mut widened = wide(lines.next().unwrap(), &|number| format!("MORE_{number}"));
    widened.extend(lines.map(|line| wide(line, &|_| "x".to_owned())));
    fs::write(&path, widened).unwrap();
    assert!(project.build(0) == expected);
}

#[test]
fn a_table_without_a_file_is_named_and_one_without_a_byte_has_no_records() {
    let project = generated();
    fs::write(project.path("extract/psr.csv"), "").unwrap();
    project.build(0);
    let found = project.column("SELECT code || ' ' || file FROM v_findings WHERE code = 'empty_file'");
    assert_eq!(found, ["empty_file psr.csv"]);
    fs::remove_file(project.path("extract/psr.csv")).unwrap();
    let told = String::from_utf8(project.run(2, &["build"]).stderr).unwrap();
    assert!(told.contains("table `psr`: no file matches `psr.csv`"), "{told}");
}
