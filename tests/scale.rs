//! A book of any size, in any order, on any number of threads and in any memory: the same payloads to the byte; and
//! what no sane extract holds, with what is said of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use slipway::assemble::payloads::{self, Handed};
use slipway::assemble::{Books, Bucket, Selection, name_accounts};
use slipway::contract::Contract;
use slipway::mapping;
use slipway::stage::{self, MissingFiles, Staging, Storage};

use crate::support::{Project, repository};

/// What a build says of accounts, apart from the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
struct Built {
    /// The payloads, a line each.
    payloads: Vec<u8>,
    digests: Vec<String>,
    /// How often each code was found.
    codes: BTreeMap<String, usize>,
    /// Records used, of every file.
    used: u64,
    rejected: usize,
    partitions: usize,
}

/// Builds `extract` by the mapping `text` in `mapping`, on `threads` threads and in `memory` bytes.
fn build((mapping, text): (&Path, &str), extract: &Path, threads: usize, memory: u64) -> Built {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let plan = Arc::new(mapping::load_text(mapping, text, &Contract::built_in().unwrap()).unwrap());
        let sources = stage::find_sources(&plan, extract, MissingFiles::AreEmpty).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let staging = Staging {
            storage: Storage::Directory(scratch.path().to_owned()),
            memory,
            name: &|table| name_accounts(&plan, table),
            wanted: slipway::stage::promised::Wanted::default(),
            advanced: &|_| {},
        };
        let stage = stage::load(&plan, sources, &staging, None).unwrap();
        let books = Books::open(&stage, &Selection::default());
        let mut built = Built { partitions: books.len(), ..Built::default() };
        let mut findings = books.findings.clone();
        let mut buckets = books.buckets.clone();
        let taken = payloads::make(&books, 2, &|_, _| {}, |handed| {
            match handed {
                Handed::Batch(batch) => {
                    built.payloads.extend_from_slice(&batch.bytes);
                    for account in &mut batch.accounts {
                        match &account.payload {
                            Some((_, digest)) => built.digests.push(digest.to_string()),
                            None => built.rejected += 1,
                        }
                        findings.append(&mut account.findings);
                    }
                }
                Handed::End(end) => {
                    findings.append(&mut end.findings);
                    buckets.merge(&end.buckets);
                }
            }
            Ok::<_, std::convert::Infallible>(())
        });
        taken.unwrap();
        for finding in findings {
            *built.codes.entry(finding.code.to_string()).or_default() += 1;
        }
        for (number, table) in stage.tables.iter().enumerate() {
            built.used += (0..table.files.len()).map(|file| buckets.file(number, file).of(Bucket::Used)).sum::<u64>();
        }
        built
    })
}

/// Builds by the bundled mapping.
fn build_tentacle(extract: &Path, threads: usize, memory: u64) -> Built {
    let mapping = repository().join("mappings/tentacle");
    let text = fs::read_to_string(mapping.join("mapping.toml")).unwrap();
    build((&mapping, &text), extract, threads, memory)
}

/// Shuffles the records of every file of `from` into `to`.
fn shuffle(from: &Path, to: &Path, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let mut records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        records.shuffle(&mut random);
        let mut writer = csv::Writer::from_path(target).unwrap();
        writer.write_record(reader.headers().unwrap()).unwrap();
        for record in records {
            writer.write_record(&record).unwrap();
        }
        writer.flush().unwrap();
    }
}

/// A generated extract of `accounts` accounts.
fn generated(accounts: u32) -> Project {
    let project = Project::with_mapping("mappings/tentacle");
    fs::remove_dir(project.path("extract")).unwrap();
    let accounts = accounts.to_string();
    project.run(0, &["generate", "--quiet", "--accounts", &accounts, "--seed", "5", "--out", "extract"]);
    project
}

const MEMORY: u64 = 1 << 30;

#[test]
fn payloads_are_the_same_whatever_the_order_the_threads_and_the_memory() {
    let project = generated(150);
    let expected = build_tentacle(&project.path("extract"), 1, MEMORY);
    assert_eq!((expected.digests.len(), expected.rejected, expected.partitions), (150, 0, 1));
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(seed: u64, threads in prop::sample::select(vec![1_usize, 2, 8]), memory in 16_u64..31)| {
        let shuffled = tempfile::tempdir().unwrap();
        shuffle(&project.path("extract"), shuffled.path(), seed);
        let mut built = build_tentacle(shuffled.path(), threads, 1 << memory);
        built.partitions = 1;
        prop_assert!(built == expected, "seed {seed}, {threads} threads, 2^{memory} bytes");
    });
}

#[test]
fn damaged_records_change_nothing_of_that() {
    let sample = repository().join("samples/tentacle");
    let expected = build_tentacle(&sample, 1, MEMORY);
    assert!(expected.rejected > 0 && expected.codes.len() > 5);
    let mut most = 0;
    for threads in [1, 2, 8] {
        for memory in [1 << 16, 1 << 20, MEMORY] {
            let built = build_tentacle(&sample, threads, memory);
            most = most.max(built.partitions);
            assert_eq!(Built { partitions: 1, ..built }, expected, "{threads} threads, {memory} bytes");
        }
    }
    assert!(most > 20, "little memory makes many partitions: {most}");
}

/// A mapping of accounts with references, and their extract.
fn references(accounts: &str, references: &str) -> (String, tempfile::TempDir) {
    let mapping = "[tables.accounts]\nfiles = \"accounts.csv\"\nkey = [\"NO\"]\n\
         [tables.references]\nfiles = \"references.csv\"\nkey = [\"ID\"]\n[tables.references.columns]\nID = { as = \"integer\" }\n\
         [account]\ntable = \"accounts\"\n[account.fields]\nimport_supplier = { value = \"TENTACLE_ENERGY\" }\n\
         external_account_number = \"NO\"\n\
         [entity.references]\ntable = \"references\"\nparent = [\"NO\"]\norder = [\"ID\"]\n\
         [entity.references.fields]\nnamespace = { value = \"n\" }\nvalue = \"TEXT\"\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("accounts.csv"), accounts).unwrap();
    fs::write(folder.path().join("references.csv"), references).unwrap();
    (mapping.to_owned(), folder)
}

fn build_references(accounts: &str, records: &str) -> Built {
    let (mapping, folder) = references(accounts, records);
    build((folder.path(), &mapping), folder.path(), 2, MEMORY)
}

#[test]
fn an_account_with_a_million_records_is_one_payload_and_one_too_large_is_a_finding() {
    let records = |text: &str| {
        let mut records = String::from("ID,NO,TEXT\n");
        for id in 0..1_000_000 {
            let _ = writeln!(records, "{id},A,{text}{id}");
        }
        records + "1000000,B,b\n"
    };
    let built = build_references("NO\nA\nB\n", &records(""));
    assert_eq!((built.digests.len(), built.rejected, built.used), (2, 0, 1_000_003));
    let built = build_references("NO\nA\nB\n", &records(&"x".repeat(60)));
    assert_eq!((built.digests.len(), built.rejected), (1, 1));
    assert_eq!(built.codes, BTreeMap::from([("payload_too_large".to_owned(), 1)]));
}

#[test]
fn a_million_accounts_with_one_record_each_are_built() {
    let (mut accounts, mut records) = (String::from("NO\n"), String::from("ID,NO,TEXT\n"));
    for number in 0..1_000_000 {
        let _ = writeln!(accounts, "A{number:07}");
        let _ = writeln!(records, "{number},A{number:07},t");
    }
    let built = build_references(&accounts, &records);
    assert_eq!((built.digests.len(), built.rejected, built.used), (1_000_000, 0, 2_000_000));
    assert_eq!(built.codes, BTreeMap::new());
}

#[test]
fn a_text_of_a_hundred_megabytes_costs_its_account_and_no_other() {
    let huge = "x".repeat(100 << 20);
    let built = build_references("NO\nA\nB\n", &format!("ID,NO,TEXT\n1,A,{huge}\n2,B,b\n"));
    assert_eq!((built.digests.len(), built.rejected), (1, 1));
    assert_eq!(built.codes, BTreeMap::from([("cell_too_long".to_owned(), 1)]));
}

#[test]
fn an_extract_of_blank_lines_or_of_nothing_has_no_accounts() {
    for accounts in ["", "\n\n\n", "NO\n", "NO\n\n\r\n\n"] {
        let built = build_references(accounts, "ID,NO,TEXT\n1,A,a\n");
        assert_eq!((built.payloads.len(), built.used), (0, 0), "{accounts:?}");
        assert_eq!(built.codes, BTreeMap::from([("orphaned_record".to_owned(), 1)]), "{accounts:?}");
    }
    let built = build_references("NO\nA\n", "");
    assert_eq!((built.digests.len(), built.used), (1, 1));
}

#[test]
fn a_record_of_two_accounts_rejects_both() {
    let mapping = "[tables.accounts]\nfiles = \"accounts.csv\"\nkey = [\"NO\"]\n\
         [tables.places]\nfiles = \"places.csv\"\nkey = [\"P\"]\n[tables.notes]\nfiles = \"notes.csv\"\n\
         [account]\ntable = \"accounts\"\n[account.fields]\nimport_supplier = { value = \"S\" }\n\
         external_account_number = \"NO\"\n\
         [entity.supply_addresses]\ntable = \"places\"\nparent = [\"NO\"]\n[entity.supply_addresses.fields]\nsupply_postcode = \"PC\"\n\
         [entity.\"supply_addresses.property_administrators\"]\ntable = \"notes\"\nparent = [\"P\"]\n\
         [entity.\"supply_addresses.property_administrators\".fields]\nfamily_name = \"T\"\n\
         [entity.notes]\ntable = \"notes\"\nparent = [\"NO\"]\n[entity.notes.fields]\nbody = \"T\"\n";
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("accounts.csv", "NO\nA\nB\nC\n"),
        ("places.csv", "P,NO,PC\n1,A,W1F 9DE\n2,B,W1F 9DE\n3,C,W1F 9DE\n"),
        ("notes.csv", "P,NO,T\n1,B,torn\n3,C,whole\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let built = build((folder.path(), mapping), folder.path(), 2, MEMORY);
    assert_eq!(built.codes.get("record_in_two_accounts"), Some(&2), "{:?}", built.codes);
}

/// What the build says of tables it did not read again.
fn used_again(project: &Project, arguments: &[&str]) -> Option<String> {
    let output = project.run(0, &[&["build", "--out", "payloads.ndjson"], arguments].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    told.lines()
        .find(|line| line.contains("not read again"))
        .map(|line| line.split(" tables").next().unwrap().to_owned())
}

#[test]
fn a_second_build_reads_only_what_has_changed() {
    let project = generated(120);
    let read = |project: &Project| fs::read(project.path("payloads.ndjson")).unwrap();
    assert_eq!(used_again(&project, &[]), None);
    let whole = read(&project);
    assert_eq!(used_again(&project, &[]).as_deref(), Some("25 of 25"));
    assert!(read(&project) == whole);

    let accounts = fs::read_to_string(project.path("extract/accounts.csv")).unwrap();
    let few: Vec<&str> = accounts.lines().skip(1).step_by(20).map(|line| line.split(',').next().unwrap()).collect();
    fs::write(project.path("few.txt"), few.join("\n")).unwrap();
    assert_eq!(used_again(&project, &["--wave", "few=few.txt"]).as_deref(), Some("25 of 25"));
    let wave = String::from_utf8(read(&project)).unwrap();
    assert_eq!(wave.lines().count(), few.len());
    let whole_text = String::from_utf8(whole.clone()).unwrap();
    assert!(wave.lines().all(|line| whole_text.lines().any(|known| known == line)));

    // The same bytes at another time are the same; other bytes of a table without children cost that table alone.
    let path = project.path("extract/statements.csv");
    let statements = fs::read(&path).unwrap();
    fs::write(&path, &statements).unwrap();
    assert_eq!(used_again(&project, &[]).as_deref(), Some("25 of 25"));
    let (text, header) = (String::from_utf8(statements).unwrap(), 1);
    let lines: Vec<&str> = text.lines().collect();
    let mut reversed: Vec<&str> = lines[..header].to_vec();
    reversed.extend(lines[header..].iter().rev());
    fs::write(&path, reversed.join("\n") + "\n").unwrap();
    assert_eq!(used_again(&project, &[]).as_deref(), Some("24 of 25"));
    assert!(read(&project) == whole, "the order of a file's records is nothing to its payloads");

    // A changed parent costs its children too.
    project.edit("extract/ledgers.csv", |text| text + "\n");
    let again = used_again(&project, &[]);
    assert_eq!(again.as_deref(), Some("23 of 25"), "ledgers and transactions");
    assert!(read(&project) == whole);
}

#[test]
fn a_stage_that_is_damaged_or_not_whole_is_made_again() {
    let project = generated(40);
    assert_eq!(used_again(&project, &[]), None);
    let whole = fs::read(project.path("payloads.ndjson")).unwrap();
    let description = project.path(".slipway/stage/stage.description");
    let bytes = fs::read(&description).unwrap();
    for damage in [bytes[..bytes.len() / 2].to_vec(), [&bytes[..], b"x"].concat(), Vec::new()] {
        fs::write(&description, damage).unwrap();
        assert_eq!(used_again(&project, &[]), None);
        assert!(fs::read(project.path("payloads.ndjson")).unwrap() == whole);
    }
}
