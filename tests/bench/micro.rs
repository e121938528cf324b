//! The hot loops of a build, one by one: records, conversions, keys, the walk and the JSON writer.
//!
//! `just bench-micro`; `just bench` times whole builds.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't set up its world has nothing to measure")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use slipway::assemble::payloads::{self, Handed};
use slipway::assemble::{Books, Selection, name_accounts};
use slipway::contract::Contract;
use slipway::extract::record::{RecordShape, RecordSink, Records, Unreadable, read_records};
use slipway::mapping::value::{Convert, DateFormat, Scale};
use slipway::mapping::word::Codes;
use slipway::mapping::{self, Dialect, render};
use slipway::stage::keys::{KeyBytes, KeyIndex, Place};
use slipway::stage::{self, MissingFiles, Stage, Staging};

fn main() {
    divan::main();
}

/// A mebibyte of meter readings.
fn readings() -> String {
    let mut text = String::new();
    for number in 0_u32.. {
        if text.len() > 1 << 20 {
            break;
        }
        let (meter, day) = (number.wrapping_mul(2_654_435_761), number % 28 + 1);
        let _ = writeln!(text, "10{number:08},21{meter:011},R21A{number:06},1,{day:02}/09/2024,{meter}.50,S,Y,N");
    }
    text
}

struct Counted(usize);

impl RecordSink for Counted {
    fn record(&mut self, _line: u64, cells: &mut csv::ByteRecord) {
        self.0 += cells.len();
    }

    fn records(&mut self, records: &Records<'_>) {
        self.0 += records.spans.len();
    }

    fn quarantine(&mut self, _line: u64, _why: Unreadable, _bytes: &[u8]) {}
}

#[divan::bench]
fn records(bencher: Bencher<'_, '_>) {
    let mut text = readings().into_bytes();
    let dialect = Dialect {
        delimiter: b',',
        quote: Some(b'"'),
        multiline: Vec::new(),
        trim: false,
        encoding: encoding_rs::UTF_8,
    };
    let shape = RecordShape { dialect: &dialect, cells: 9, multiline: Vec::new() };
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        let mut counted = Counted(0);
        read_records(&shape, black_box(&mut text), true, &mut counted);
        counted.0
    });
}

/// Texts of one kind, and how they are read.
fn conversion(kind: &str) -> (Convert, Vec<String>) {
    let texts = |text: &dyn Fn(u32) -> String| (0..4096).map(text).collect();
    let scale = Scale { shift: 0, places: Some(2) };
    match kind {
        "date" => {
            let format = DateFormat::new("%d/%m/%Y", false).unwrap();
            (Convert::Date(format), texts(&|n| format!("{:02}/{:02}/{}", n % 28 + 1, n % 12 + 1, 1990 + n % 40)))
        }
        "decimal" => (Convert::Decimal(scale), texts(&|n| format!("{n}.{:02}", n % 100))),
        "integer" => (Convert::Integer, texts(&|n| format!("{:07}", n * 31))),
        _ => (Convert::Text, texts(&|n| format!("{n} High Street"))),
    }
}

#[divan::bench(args = ["date", "decimal", "integer", "text"])]
fn conversions(bencher: Bencher<'_, '_>, kind: &str) {
    let (convert, texts) = conversion(kind);
    bencher
        .counter(ItemsCount::new(texts.len()))
        .bench_local(|| texts.iter().filter(|text| convert.read(black_box(text.as_bytes())).is_ok()).count());
}

#[divan::bench]
fn quick_dates(bencher: Bencher<'_, '_>) {
    let (convert, texts) = conversion("date");
    let Convert::Date(format) = convert else { return };
    bencher
        .counter(ItemsCount::new(texts.len()))
        .bench_local(|| texts.iter().filter_map(|text| format.read_fixed(black_box(text.as_bytes()))).count());
}

#[divan::bench(args = [4, 40])]
fn codes(bencher: Bencher<'_, '_>, count: usize) {
    let texts: Vec<String> = (0..count).map(|number| format!("C{number}")).collect();
    let codes = Codes::new(&texts);
    bencher
        .counter(ItemsCount::new(texts.len()))
        .bench_local(|| texts.iter().filter_map(|text| codes.find(black_box(text.as_bytes()))).count());
}

/// Keys in an order that no cache foresees.
fn keys(count: u32, step: u32) -> KeyBytes {
    let mut keys = KeyBytes::default();
    for number in 0..count {
        let text = format!("21{:011}", number.wrapping_mul(step) % count);
        keys.push(std::iter::once(text.as_bytes()));
    }
    keys
}

#[divan::bench(args = [10_000, 1_000_000])]
fn parents(bencher: Bencher<'_, '_>, count: u32) {
    let places: Vec<Option<Place>> = (0..count).map(|place| Some(Place { account: place, place })).collect();
    let index = KeyIndex::new(&keys(count, 1), &places);
    let wanted = keys(count, 7919);
    bencher.counter(ItemsCount::new(count as usize)).bench_local(|| {
        let mut found = Vec::with_capacity(count as usize);
        index.find(black_box(&wanted), &mut found);
        found.len()
    });
}

#[divan::bench(args = ["literal", "text", "date", "decimal"])]
fn json(bencher: Bencher<'_, '_>, kind: &str) {
    let literal = render::json_key("reading_date");
    let mut out = Vec::with_capacity(1 << 20);
    bencher.counter(ItemsCount::new(4096_usize)).bench_local(|| {
        out.clear();
        for number in 0..4096 {
            match kind {
                "literal" => literal.push(&mut out),
                "text" => {
                    render::push_plain(&mut out, black_box(b"a meter's serial number, and more behind it"), 2, 21);
                }
                "date" => render::push_date(&mut out, black_box(number + 15_000)),
                _ => render::push_decimal(&mut out, black_box(i64::from(number) * 31), 2),
            }
        }
        out.len()
    });
}

/// The bundled sample, staged in memory.
fn sample() -> Stage {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plan = mapping::load(&root.join("mappings/tentacle"), &Contract::built_in().unwrap()).unwrap();
    let plan = Arc::new(plan);
    let sources = stage::find_sources(&plan, &root.join("samples/tentacle"), MissingFiles::AreErrors).unwrap();
    stage::load(&plan, sources, &Staging::in_memory(&|table| name_accounts(&plan, table)), None).unwrap()
}

#[divan::bench]
fn walk(bencher: Bencher<'_, '_>) {
    let stage = sample();
    let make = || {
        let mut bytes = 0_usize;
        let books = Books::open(&stage, &Selection::default());
        let taken = payloads::make(&books, 4, &|_, _| {}, |handed| {
            if let Handed::Batch(batch) = handed {
                bytes += batch.bytes.len();
            }
            Ok::<_, std::convert::Infallible>(())
        });
        taken.unwrap();
        bytes
    };
    bencher.counter(BytesCount::new(make())).bench_local(make);
}
