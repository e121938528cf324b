use std::fmt::Write as _;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::changes::changes;
use super::super::{Field, Kind, Pick};
use super::*;

/// A tenant that has one fuel more, its own payment types and no billing ledgers.
const SMALL: &str = r"openapi: 3.0.3
info: {title: A small tenant, version: '7'}
paths:
  /base/v2/data-import/accounts/:
    post:
      requestBody:
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Envelope'}
components:
  schemas:
    Envelope:
      type: object
      properties:
        payload: {allOf: [{$ref: '#/components/schemas/Account'}], description: the account}
        task_params: {type: object}
    Account:
      type: object
      properties:
        external_account_number: {type: string, maxLength: 20, pattern: '^[A-Z]-\d+$'}
        import_supplier: {type: string, enum: [OURS, THEIRS]}
        kraken_number: {type: string, readOnly: true}
        opened_on: {type: string, format: date, nullable: true}
        balance: {type: string, format: decimal, pattern: '^-?\d{0,8}(?:\.\d{0,2})?$'}
        day: {type: integer, minimum: 1, maximum: 28, default: 1}
        tags: {type: array, minItems: 1, items: {type: string, maxLength: 5}}
        pronouns:
          oneOf:
          - {enum: [SHE, HE], type: string}
          - {enum: [''], type: string}
          - {enum: [null]}
        points:
          type: array
          items: {$ref: '#/components/schemas/Point'}
        business:
          allOf:
          - $ref: '#/components/schemas/Business'
          nullable: true
        current_statement_transactions:
          type: array
          items: {type: object, required: [amount], properties: {amount: {type: string, maxLength: 9}}}
      required: [import_supplier]
    Point:
      oneOf:
      - $ref: '#/components/schemas/Water'
      - $ref: '#/components/schemas/Gas'
      discriminator:
        propertyName: fuel
        mapping:
          WATER: '#/components/schemas/Water'
          GAS: '#/components/schemas/Gas'
    Common:
      type: object
      required: [identifier]
      properties:
        fuel: {type: string}
        identifier: {type: string, minLength: 2}
    Water:
      allOf:
      - $ref: '#/components/schemas/Common'
      - type: object
        required: [pressure]
        properties:
          pressure: {type: integer}
          band: {type: string, enum: [A, B]}
    Gas:
      allOf: [{$ref: '#/components/schemas/Common'}]
      properties:
        identifier: {type: string, maxLength: 10}
        band: {type: string, enum: [B, C]}
    Business:
      oneOf:
      - {type: object, properties: {name: {type: string, maxLength: 3}}, required: [name]}
      - {type: object, properties: {name: {type: string, maxLength: 5}, number: {type: number}}, required: [name, number]}
";

fn built_in() -> Arc<Contract> {
    Contract::built_in().unwrap()
}

fn small() -> Contract {
    read("small", SMALL, &built_in()).unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// The fault of the small document once `from` is `to`.
fn fault(from: &str, to: &str) -> (usize, String, Option<String>) {
    assert!(SMALL.contains(from), "{from}");
    let fault = read("small", &SMALL.replacen(from, to, 1), &built_in()).unwrap_err();
    (fault.line, fault.problem, fault.nearest)
}

/// The line of the small document on which `text` stands first.
fn line_of(text: &str) -> usize {
    SMALL[..SMALL.find(text).unwrap()].matches('\n').count() + 1
}

fn only<'f>(contract: &'f Contract, path: &str) -> (&'f Field, &'f super::super::Constraint) {
    let field = contract.field(path).unwrap_or_else(|| panic!("no {path}"));
    let [variant] = field.variants.as_slice() else { panic!("{path} has variants") };
    assert!(variant.conditions.is_empty(), "{path}");
    (field, &variant.constraint)
}

#[test]
fn every_keyword_becomes_the_constraint_it_means() {
    let contract = small();
    assert_eq!((contract.edition.name.as_str(), contract.edition.version.as_str()), ("small", "7"));
    let (number, constraint) = only(&contract, "external_account_number");
    assert_eq!((number.kind, constraint.required, constraint.max_length), (Kind::Text, true, Some(20)));
    assert!(constraint.check_text("A-1").is_ok() && constraint.check_text("1").is_err());
    let (opened, constraint) = only(&contract, "opened_on");
    assert!(opened.format == Some(super::super::Format::Date) && constraint.nullable && !constraint.required);
    let (_, constraint) = only(&contract, "balance");
    assert!(constraint.check_text("1.05").is_ok() && constraint.check_text("1.055").is_err());
    let (_, constraint) = only(&contract, "day");
    assert!(constraint.check_integer(28).is_ok() && constraint.check_integer(29).is_err());
    assert_eq!(constraint.default.as_deref(), Some("1"));
    let (tags, constraint) = only(&contract, "tags");
    assert_eq!((tags.kind, constraint.min_items, constraint.max_length), (Kind::TextList, Some(1), Some(5)));
    let (_, constraint) = only(&contract, "pronouns");
    assert!(constraint.nullable && constraint.check_text("").is_ok() && constraint.check_text("IT").is_err());
    assert!(contract.field("kraken_number").is_none(), "only replies hold it");
}

#[test]
fn a_discriminator_makes_variants_of_what_differs_alone() {
    let contract = small();
    let points = contract.field("points").unwrap();
    assert_eq!(points.kind, Kind::ObjectList);
    assert_eq!(points.discriminator.as_ref().unwrap().values, ["WATER", "GAS"]);
    let (_, fuel) = only(&contract, "points.fuel");
    assert!(fuel.check_text("GAS").is_ok() && fuel.check_text("COAL").is_err());
    let constraint = |path: &str, fuel: &'static str| match contract.field(path).unwrap().pick(|_| Some(fuel)) {
        Pick::Constraint(constraint) => Some(constraint.clone()),
        Pick::Foreign | Pick::Undecided => None,
    };
    assert!(constraint("points.pressure", "WATER").unwrap().required);
    assert_eq!(constraint("points.pressure", "GAS"), None);
    assert!(constraint("points.band", "GAS").unwrap().check_text("C").is_ok());
    assert!(constraint("points.band", "WATER").unwrap().check_text("C").is_err());
    // The outer schema's own property wins over the one it is laid over.
    let identifier = constraint("points.identifier", "GAS").unwrap();
    assert_eq!((identifier.required, identifier.min_length, identifier.max_length), (true, None, Some(10)));
}

#[test]
fn alternatives_that_nothing_tells_apart_are_as_loose_as_the_loosest() {
    let contract = small();
    let (business, constraint) = only(&contract, "business");
    assert!(business.kind == Kind::Object && constraint.nullable && business.discriminator.is_none());
    let (_, name) = only(&contract, "business.name");
    assert_eq!((name.required, name.max_length), (true, Some(5)));
    let (number, constraint) = only(&contract, "business.number");
    assert_eq!((number.kind, constraint.required), (Kind::Any, false));
}

#[test]
fn what_no_document_says_comes_from_the_contract_that_is_built_in() {
    let contract = small();
    assert!(contract.field("ledgers.ledger_balance").is_some());
    let (_, amount) = only(&contract, "ledgers.current_statement_transactions.amount");
    assert_eq!((amount.required, amount.max_length), (true, Some(9)), "as the account's own transactions");
    assert!(contract.field("ledgers.current_statement_transactions.line_items").is_none());
    assert!(contract.field("ledgers.historical_statement_transactions.line_items").is_some());
    assert_eq!(contract.edition.notes.len(), 1);
    assert!(contract.edition.notes[0].contains("`ledgers`"));
    let (_, supplier) = only(&contract, "import_supplier");
    assert!(supplier.required && supplier.values.as_ref().unwrap().tenant_list);
}

#[test]
fn a_pattern_that_is_not_understood_is_a_note_and_no_error() {
    let text = SMALL.replace(r"'^[A-Z]-\d+$'", "'^(?!X)A'");
    let contract = read("small", &text, &built_in()).unwrap();
    assert!(only(&contract, "external_account_number").1.pattern.is_none());
    let note_at = format!("line {}: `external_account_number`", line_of("^[A-Z]"));
    assert!(contract.edition.notes.iter().any(|note| note.starts_with(&note_at)));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_nearest_name() {
    let missing = fault("schemas/Point'}", "schemas/Piont'}");
    assert_eq!(missing, (line_of("schemas/Point'}"), "there is no schema Piont".to_owned(), Some("Point".to_owned())));
    let typo = fault("day: {type: integer", "day: {type: intger");
    assert_eq!((typo.0, typo.2.as_deref()), (line_of("day:"), Some("integer")));
    assert!(fault("schemas/Point'}", "other.yml#/Point'}").1.contains("into this document"));
    assert!(
        fault("WATER: '#/components/schemas/Water'", "WATER: '#/components/schemas/Business'").1.contains("not among")
    );
    assert!(fault("nullable: true}", "nullable: maybe}").1.contains("true or false"));
    assert!(fault("maxLength: 20", "maxLength: many").1.contains("expected a number"));
    assert!(fault("openapi: 3.0.3", "openapi: 3.1.0").1.contains("3.1.0"));
    assert_eq!(fault("external_account_number", "external_acount_number").2.as_deref(), Some("external_acount_number"));
    let path = fault("v2/data-import/accounts/", "v2/data-import/account/");
    assert_eq!((path.0, path.2.as_deref()), (4, Some("/base/v2/data-import/account/")));
    assert!(fault("items: {type: string, maxLength: 5}", "uniqueItems: true").1.contains("no `items`"));
}

#[test]
fn a_schema_without_an_end_is_refused() {
    let (line, problem, _) = fault("pressure: {type: integer}", "pressure: {$ref: '#/components/schemas/Point'}");
    assert_eq!(line, line_of("pressure: {"));
    assert!(problem.contains("Point → Water → Point"), "{problem}");
    let (_, problem, _) = fault("Common:\n", "Common:\n      allOf: [{$ref: '#/components/schemas/Common'}]\n");
    assert!(problem.contains("Common → Common"), "{problem}");
}

#[test]
fn few_lines_that_stand_for_too_many_fields_are_refused() {
    let mut text = SMALL.replace(
        "tags: {type: array, minItems: 1, items: {type: string, maxLength: 5}}",
        "tags: {$ref: '#/components/schemas/S0'}",
    );
    for level in 0..40 {
        let next = format!("{{$ref: '#/components/schemas/S{}'}}", level + 1);
        writeln!(text, "    S{level}: {{type: object, properties: {{a: {next}, b: {next}}}}}").unwrap();
    }
    text.push_str("    S40: {type: string}\n");
    let fault = read("small", &text, &built_in()).unwrap_err();
    assert!(fault.problem.contains("more than"), "{}", fault.problem);
    // A long chain is refused too, before it can exhaust the stack.
    let mut text =
        SMALL.replace("day: {type: integer, minimum: 1", "day: {$ref: '#/components/schemas/S0', minimum: 1");
    for level in 0..10_000 {
        writeln!(text, "    S{level}: {{$ref: '#/components/schemas/S{}'}}", level + 1).unwrap();
    }
    text.push_str("    S10000: {type: string}\n");
    let fault = read("small", &text, &built_in()).unwrap_err();
    assert!(fault.problem.contains("nest deeper"), "{}", fault.problem);
}

#[test]
fn a_document_is_told_apart_from_another() {
    let before = small();
    let text = SMALL
        .replace("band: {type: string, enum: [B, C]}", "band: {type: string, enum: [B]}")
        .replace("opened_on: {type: string, format: date, nullable: true}", "closed_on: {type: string}")
        .replace("required: [import_supplier]", "required: [import_supplier, day]")
        .replace("maxLength: 20", "maxLength: 12");
    let after = read("small", &text, &built_in()).unwrap();
    let told: Vec<String> = changes(&before, &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "closed_on: new",
            "day: required now",
            "external_account_number: tighter: greatest length 12, was 20",
            "opened_on: gone",
            "points.band [points=GAS]: 1 value dropped: C",
        ]
    );
    assert!(changes(&after, &after).is_empty());
}

/// The published document of the tenant whose facts are built in, if it lies beside the checkout.
#[test]
fn the_tenants_published_document_says_what_is_built_in() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/contract/edf-gb.openapi.yml");
    let contract = if path.exists() { load(&path, &built_in()).unwrap() } else { small() };
    let told = changes(&built_in(), &contract);
    assert_eq!(told.is_empty(), path.exists(), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = read("any", &text, &built_in());
    }

    #[test]
    fn no_damage_to_a_document_makes_the_reader_panic(
        cuts in proptest::collection::vec((0..SMALL.len(), "[\\PC\n]{0,6}", 0..12_usize), 1..6),
    ) {
        let mut text = SMALL.to_owned();
        for (at, put, length) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &put);
            }
        }
        let _ = read("any", &text, &built_in());
    }
}
