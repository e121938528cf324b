//! The lines of a mapping: where a value comes from, how it is read, and when.

use super::cut::Cut;
use super::document::{Fields, Node, Problems};
use super::layout::{ascii, position};
use super::model::{Ambiguous, Condition, Join, Line, OnFault, ReadAs, Source, Span, StyleKeys, Unit, Valid};
use super::number::Sign;
use super::read::{choice, names, spanned};

/// What a line may say besides where its value comes from.
const LINE_KEYS: [&str; 20] = [
    "as",
    "lookup",
    "take",
    "format",
    "zone",
    "ambiguous",
    "unit",
    "places",
    "empty",
    "default",
    "on_fault",
    "when",
    "split",
    "part",
    "strip",
    "decimal",
    "thousands",
    "sign",
    "implied",
    "negate",
];

/// Reads one line; `own_name` is the column's own name where a declared column may leave it out.
pub(super) fn read_line(node: Node<'_>, own_name: Option<&str>, problems: &mut Problems) -> Option<Line> {
    if node.is_str() {
        return Some(plain_line(Source::Column(node.str(problems)?.to_owned()), node.span()));
    }
    let mut fields = node.table(problems)?;
    let mut sources = read_sources(&mut fields, own_name.is_some(), problems);
    if sources.is_empty()
        && let Some(name) = own_name
    {
        sources.push(Source::Column(name.to_owned()));
    }
    let Ok([source]) = <[Source; 1]>::try_from(sources) else {
        let message = "expected one of `column`, `value`, `expr`, and `debit` with `credit`";
        problems.add(&node.span(), message, None);
        // The other keys are known all the same: only a misspelt one is told beside this.
        for key in LINE_KEYS {
            fields.get(key);
        }
        fields.finish(problems);
        return None;
    };
    let mut line = plain_line(source, node.span());
    let kinds = [
        ("text", ReadAs::Text),
        ("integer", ReadAs::Integer),
        ("decimal", ReadAs::Decimal),
        ("money", ReadAs::Money),
        ("date", ReadAs::Date),
        ("datetime", ReadAs::DateTime),
        ("bool", ReadAs::Bool),
    ];
    line.read_as = choice(fields.get("as"), &kinds, problems);
    line.cuts = read_cuts(&mut fields, problems);
    line.style = read_style(&mut fields, problems);
    line.lookup = spanned(fields.get("lookup"), problems);
    line.take = spanned(fields.get("take"), problems);
    line.format = spanned(fields.get("format"), problems).map(|(text, _)| text);
    line.zone = spanned(fields.get("zone"), problems).map(|(text, _)| text);
    let ambiguous = [("fault", Ambiguous::Fault), ("earliest", Ambiguous::Earliest), ("latest", Ambiguous::Latest)];
    line.ambiguous = choice(fields.get("ambiguous"), &ambiguous, problems);
    line.unit = choice(fields.get("unit"), &[("pounds", Unit::Pounds), ("pence", Unit::Pence)], problems);
    line.places = fields.get("places").and_then(|node| node.count(problems));
    line.empty = spanned(fields.get("empty"), problems);
    line.default = spanned(fields.get("default"), problems);
    let on_fault = [("reject", OnFault::Reject), ("omit", OnFault::Omit)];
    line.on_fault = choice(fields.get("on_fault"), &on_fault, problems).unwrap_or_default();
    line.when = fields.get("when").map_or_else(Vec::new, |node| conditions(node, problems));
    if matches!(line.source, Source::Joined(_)) {
        // It is the join's: the column of the other table.
        line.take = None;
    }
    if line.take.is_some() && line.lookup.is_none() {
        problems.add(&node.span(), "`take` needs a `lookup` or a `join`", None);
    }
    if line.unit.is_some() && line.read_as != Some(ReadAs::Money) {
        problems.add(&node.span(), "`unit` needs `as = \"money\"`", None);
    }
    if line.read_as == Some(ReadAs::Money) && line.unit.is_none() {
        problems.add(&node.span(), "money needs its `unit`: \"pounds\" or \"pence\"", None);
    }
    fields.finish(problems);
    Some(line)
}

pub(super) fn plain_line(source: Source, span: Span) -> Line {
    Line {
        source,
        read_as: None,
        cuts: Vec::new(),
        style: StyleKeys::default(),
        lookup: None,
        take: None,
        format: None,
        zone: None,
        ambiguous: None,
        unit: None,
        places: None,
        empty: None,
        default: None,
        on_fault: OnFault::Reject,
        when: Vec::new(),
        span,
    }
}

pub(super) fn conditions(node: Node<'_>, problems: &mut Problems) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (column, span, node) in node.entries(problems) {
        let (texts, negated) = if node.is_str() || node.is_array() {
            (node.strings(problems), false)
        } else {
            let Some(mut fields) = node.table(problems) else { continue };
            let texts = fields.require("not", problems).map_or_else(Vec::new, |node| node.strings(problems));
            fields.finish(problems);
            (texts, true)
        };
        let texts = texts.into_iter().map(str::to_owned).collect();
        conditions.push(Condition { column: column.to_owned(), texts, negated, span });
    }
    conditions
}

/// Where a value comes from, as often as the line says it.
fn read_sources(fields: &mut Fields<'_>, declares: bool, problems: &mut Problems) -> Vec<Source> {
    let mut sources = Vec::new();
    sources.extend(fields.get("column").and_then(|node| Some(Source::Column(node.str(problems)?.to_owned()))));
    sources.extend(fields.get("value").and_then(|node| Some(Source::Constant(node.scalar(problems)?))));
    sources.extend(fields.get("expr").and_then(|node| Some(Source::Template(node.str(problems)?.to_owned()))));
    let (debit, credit) = (fields.get("debit"), fields.get("credit"));
    if let Some(node) = debit.or(credit) {
        match (debit.and_then(|node| node.str(problems)), credit.and_then(|node| node.str(problems))) {
            (Some(debit), Some(credit)) => {
                sources.push(Source::Sides { debit: debit.to_owned(), credit: credit.to_owned() });
            }
            _ => problems.add(&node.span(), "`debit` and `credit` go together: a column each", None),
        }
    }
    if declares && let Some(node) = fields.get("join") {
        sources.extend(read_join(node, fields, problems).map(|join| Source::Joined(Box::new(join))));
    }
    sources
}

fn read_join(node: Node<'_>, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Join> {
    let mut by = Vec::new();
    if let Some(node) = fields.require("by", problems) {
        if node.is_str() || node.is_array() {
            by.extend(names(node, problems).into_iter().map(|(name, _)| (name.clone(), name)));
        } else {
            for (theirs, _, node) in node.entries(problems) {
                by.extend(node.str(problems).map(|own| (theirs.to_owned(), own.to_owned())));
            }
        }
    }
    let filter = fields.get("where").map_or_else(Vec::new, |node| conditions(node, problems));
    let valid = fields.get("valid").and_then(|node| read_valid(node, problems));
    let take = spanned(fields.require("take", problems), problems);
    let may_miss = choice(fields.get("missing"), &[("finding", false), ("blank", true)], problems).unwrap_or_default();
    Some(Join { table: spanned(Some(node), problems)?, by, filter, valid, may_miss, take: take?, span: node.span() })
}

/// Which of several records of one key is meant.
pub(super) fn read_valid(node: Node<'_>, problems: &mut Problems) -> Option<Valid> {
    let mut fields = node.table(problems)?;
    let on = spanned(fields.require("on", problems), problems);
    let from = spanned(fields.require("from", problems), problems);
    let to = spanned(fields.require("to", problems), problems);
    let ends = [("inclusive", false), ("exclusive", true)];
    let exclusive = choice(fields.get("end"), &ends, problems).unwrap_or_default();
    fields.finish(problems);
    Some(Valid { on: on?, from: from?, to: to?, exclusive })
}

/// What is cut out of a text: first by `split`, then by `part`, then by `strip`.
fn read_cuts(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Cut> {
    let mut cuts = Vec::new();
    if let Some(node) = fields.get("split")
        && let Some(mut split) = node.table(problems)
    {
        let by = spanned(split.require("by", problems), problems);
        let take = split.require("take", problems).and_then(|node| position(node, problems));
        match (by, take) {
            (Some((by, span)), _) if by.is_empty() => problems.add(&span, "expected what stands between pieces", None),
            (Some((by, _)), Some(take)) => cuts.push(Cut::Split { by, take }),
            _ => {}
        }
        split.finish(problems);
    }
    if let Some(node) = fields.get("part")
        && let Some(mut part) = node.table(problems)
    {
        let from = part.require("from", problems).and_then(|node| position(node, problems));
        let to = part.get("to").and_then(|node| position(node, problems));
        if let Some(from) = from {
            if to.is_some_and(|to| to < from) {
                problems.add(&node.span(), "a part ends no sooner than it begins", None);
            }
            cuts.push(Cut::Part { from, to });
        }
        part.finish(problems);
    }
    if let Some(node) = fields.get("strip") {
        cuts.extend(ascii(node, problems).map(|byte| Cut::Strip(char::from(byte))));
    }
    cuts
}

/// How numbers are written.
pub(super) fn read_style(fields: &mut Fields<'_>, problems: &mut Problems) -> StyleKeys {
    let signs = [("leading", Sign::Leading), ("trailing", Sign::Trailing)];
    let style = StyleKeys {
        decimal: fields.get("decimal").and_then(|node| ascii(node, problems)),
        thousands: fields.get("thousands").and_then(|node| ascii(node, problems)),
        sign: choice(fields.get("sign"), &signs, problems),
        implied: fields.get("implied").and_then(|node| node.count(problems)),
        negate: fields.get("negate").and_then(|node| node.bool(problems)),
    };
    if style.decimal.is_some() && style.decimal == style.thousands {
        problems.add(&fields.span(), "`decimal` and `thousands` are two different characters", None);
    }
    style
}
