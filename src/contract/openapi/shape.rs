//! One schema of the document as it is meant: references followed, the parts of an `allOf` laid together.
//!
//! Documents are not trusted: a reference may lead nowhere or back to itself, and few lines may stand for more fields
//! than a machine holds. [`Reader`] bounds all of it and says on which line it gave up.

use std::collections::HashMap;
use std::rc::Rc;

use rust_decimal::Decimal;

use super::tree::Node;
use super::{Fault, nearest};

/// The most schemas that lie one within the other.
const DEPTH_MAX: usize = 64;
/// The most schemas read, each as often as it is referred to; the largest known tenant needs some 3,000.
const READS_MAX: usize = 200_000;
const SCHEMAS: &str = "#/components/schemas/";
const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];

/// The names of the schemas that lead to where one is read, to tell a circle.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(Option<Rc<Step>>);

#[derive(Debug)]
struct Step {
    name: String,
    up: Trail,
}

impl Trail {
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut at = self;
        while let Some(step) = &at.0 {
            names.push(step.name.as_str());
            at = &step.up;
        }
        names.reverse();
        names
    }

    fn with(&self, name: &str) -> Self {
        Self(Some(Rc::new(Step { name: name.to_owned(), up: self.clone() })))
    }
}

/// A schema that is yet to be read: a node and how it was reached.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    pub node: Rc<Node>,
    pub trail: Trail,
}

/// A property of an object.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub name: String,
    pub schema: Unread,
}

/// One alternative of a `oneOf`.
#[derive(Clone, Debug)]
pub(super) struct Alternative {
    /// The values of the discriminator that pick it; empty without a discriminator.
    pub values: Vec<String>,
    pub schema: Unread,
}

/// What a schema says.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub line: usize,
    /// One of [`TYPES`].
    pub kind: Option<String>,
    pub format: Option<String>,
    pub nullable: bool,
    pub deprecated: bool,
    /// Only replies hold it.
    pub read_only: bool,
    pub use_instead: Option<String>,
    pub default: Option<String>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub min_items: Option<usize>,
    pub pattern: Option<(usize, String)>,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    pub values: Option<Vec<String>>,
    pub properties: Vec<Property>,
    pub required: Vec<String>,
    pub items: Option<Unread>,
    pub discriminator: Option<String>,
    pub alternatives: Vec<Alternative>,
}

/// Reads schemas, and counts how much it was asked to read.
pub(super) struct Reader {
    schemas: HashMap<String, Rc<Node>>,
    reads: usize,
}

impl Reader {
    pub(super) fn new(document: &Node) -> Self {
        let schemas = document.get("components").and_then(|components| components.get("schemas"));
        let schemas = schemas.map(|schemas| schemas.members().to_vec()).unwrap_or_default();
        Self { schemas: schemas.into_iter().collect(), reads: 0 }
    }

    /// What `schema` says, `depth` schemas below the account.
    pub(super) fn read(&mut self, schema: &Unread, depth: usize) -> Result<Shape, Fault> {
        let Unread { node, trail } = schema;
        self.reads += 1;
        if self.reads > READS_MAX {
            let problem = format!("the schemas stand for more than {READS_MAX} fields; this one is past that");
            return Err(Fault::at(node.line, problem));
        }
        if depth > DEPTH_MAX {
            return Err(Fault::at(node.line, format!("schemas nest deeper than {DEPTH_MAX} here")));
        }
        if let Some(reference) = node.get("$ref") {
            return self.read(&self.follow(reference, trail)?, depth + 1);
        }
        if node.members().is_empty() && node.items().is_none() && node.text().is_some() {
            return Err(Fault::at(node.line, "a schema is a map of keywords such as `type` and `properties`"));
        }
        let mut shape = own(node, trail)?;
        for part in list(node, "allOf")? {
            let part = self.read(&Unread { node: Rc::clone(part), trail: trail.clone() }, depth + 1)?;
            shape.lay_over(part)?;
        }
        self.read_alternatives(&mut shape, node, trail)?;
        Ok(shape)
    }

    fn read_alternatives(&self, shape: &mut Shape, node: &Node, trail: &Trail) -> Result<(), Fault> {
        let one_of = list(node, "oneOf")?;
        let choices = if one_of.is_empty() { list(node, "anyOf")? } else { one_of };
        if choices.is_empty() {
            return Ok(());
        }
        if !shape.alternatives.is_empty() {
            return Err(Fault::at(node.line, "two `oneOf` in one `allOf` can't be told apart; expected one"));
        }
        let mut mapping: Vec<(&str, String, usize)> = Vec::new();
        if let Some(discriminator) = node.get("discriminator") {
            let property = discriminator.get("propertyName").and_then(|name| name.text());
            let property = property
                .ok_or_else(|| Fault::at(discriminator.line, "a discriminator names its field by `propertyName`"))?;
            shape.discriminator = Some(property.to_owned());
            for (value, target) in discriminator.get("mapping").map_or(&[][..], |mapping| mapping.members()) {
                mapping.push((value, self.schema_name(target)?, target.line));
            }
        }
        let mut names = Vec::new();
        for choice in choices {
            let name = choice.get("$ref").map(|reference| self.schema_name(reference)).transpose()?;
            let mut values = Vec::new();
            if let (Some(name), true) = (&name, shape.discriminator.is_some()) {
                values.extend(mapping.iter().filter(|(_, target, _)| target == name).map(|(v, ..)| (*v).to_owned()));
                if values.is_empty() {
                    values.push(name.clone());
                }
            }
            names.extend(name);
            let schema = Unread { node: Rc::clone(choice), trail: trail.clone() };
            shape.alternatives.push(Alternative { values, schema });
        }
        match mapping.iter().find(|(_, target, _)| !names.contains(target)) {
            Some((value, target, line)) => {
                let problem = format!("the discriminator maps `{value}` to {target}, which is not among the `oneOf`");
                Err(Fault { nearest: nearest(target, &names), ..Fault::at(*line, problem) })
            }
            None => Ok(()),
        }
    }

    /// Where `reference` leads to.
    fn follow(&self, reference: &Node, trail: &Trail) -> Result<Unread, Fault> {
        let name = self.schema_name(reference)?;
        let names = trail.names();
        if let Some(at) = names.iter().position(|known| *known == name) {
            let circle = [&names[at..], &[name.as_str()]].concat().join(" → ");
            return Err(Fault::at(reference.line, format!("a schema that holds itself has no end: {circle}")));
        }
        let node = self.schemas.get(&name).map(Rc::clone);
        let node = node.ok_or_else(|| Fault::at(reference.line, format!("there is no schema {name}")))?;
        Ok(Unread { node, trail: trail.with(&name) })
    }

    /// The name of the schema that `reference` names, which must be one of the document's.
    fn schema_name(&self, reference: &Node) -> Result<String, Fault> {
        let text = reference.text().ok_or_else(|| Fault::at(reference.line, "a reference is a text"))?;
        let name = text.strip_prefix(SCHEMAS).unwrap_or(text);
        if name.contains('/') || name.contains('#') {
            let problem = format!("expected a reference into this document, {SCHEMAS}NAME, not `{text}`");
            return Err(Fault::at(reference.line, problem));
        }
        if !self.schemas.contains_key(name) {
            let problem = format!("there is no schema {name}");
            return Err(Fault { nearest: nearest(name, self.schemas.keys()), ..Fault::at(reference.line, problem) });
        }
        Ok(name.to_owned())
    }
}

impl Shape {
    /// Adds what another part of the same `allOf` says.
    fn lay_over(&mut self, part: Self) -> Result<(), Fault> {
        if let (Some(kind), Some(other)) = (&self.kind, &part.kind)
            && kind != other
        {
            return Err(Fault::at(part.line, format!("one part of an `allOf` says {kind}, another {other}")));
        }
        if !self.alternatives.is_empty() && !part.alternatives.is_empty() {
            return Err(Fault::at(part.line, "two `oneOf` in one `allOf` can't be told apart; expected one"));
        }
        self.kind = self.kind.take().or(part.kind);
        self.format = self.format.take().or(part.format);
        self.nullable |= part.nullable;
        self.deprecated |= part.deprecated;
        self.read_only |= part.read_only;
        self.use_instead = self.use_instead.take().or(part.use_instead);
        self.default = self.default.take().or(part.default);
        self.min_length = self.min_length.max(part.min_length);
        self.max_length = least(self.max_length, part.max_length);
        self.min_items = self.min_items.max(part.min_items);
        self.pattern = self.pattern.take().or(part.pattern);
        self.min = self.min.max(part.min);
        self.max = least(self.max, part.max);
        self.values = match (self.values.take(), part.values) {
            (Some(own), Some(other)) => Some(own.into_iter().filter(|value| other.contains(value)).collect()),
            (own, other) => own.or(other),
        };
        // The outermost says it last: a property that both have is the outer one's.
        let own: Vec<String> = self.properties.iter().map(|property| property.name.clone()).collect();
        self.properties.extend(part.properties.into_iter().filter(|property| !own.contains(&property.name)));
        self.required.extend(part.required);
        self.items = self.items.take().or(part.items);
        if self.alternatives.is_empty() {
            self.alternatives = part.alternatives;
            self.discriminator = part.discriminator;
        }
        Ok(())
    }
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What a schema says itself, apart from its parts and alternatives.
fn own(node: &Rc<Node>, trail: &Trail) -> Result<Shape, Fault> {
    let mut shape = Shape { line: node.line, ..Shape::default() };
    let unread = |node: &Rc<Node>| Unread { node: Rc::clone(node), trail: trail.clone() };
    for (keyword, value) in node.members() {
        match keyword.as_str() {
            "type" => shape.kind = Some(type_name(value)?),
            "format" => shape.format = value.text().map(str::to_owned),
            "nullable" => shape.nullable = flag(keyword, value)?,
            "deprecated" => shape.deprecated = flag(keyword, value)?,
            "readOnly" => shape.read_only = flag(keyword, value)?,
            "x-use-instead" => shape.use_instead = value.text().map(str::to_owned),
            "default" => shape.default = Some(value.to_json().to_string()),
            "minLength" => shape.min_length = Some(number(keyword, value)?),
            "maxLength" => shape.max_length = Some(number(keyword, value)?),
            "minItems" => shape.min_items = Some(number(keyword, value)?),
            "minimum" => shape.min = Some(number(keyword, value)?),
            "maximum" => shape.max = Some(number(keyword, value)?),
            "pattern" => shape.pattern = value.text().map(|text| (value.line, text.to_owned())),
            "enum" => {
                let values = value.items().ok_or_else(|| Fault::at(value.line, "expected a list of values"))?;
                shape.nullable |= values.iter().any(|value| value.is_null());
                let values: Vec<String> =
                    values.iter().filter(|v| !v.is_null()).filter_map(|v| v.text()).map(str::to_owned).collect();
                shape.values = Some(values);
            }
            "properties" => {
                shape.properties = value
                    .members()
                    .iter()
                    .map(|(name, node)| Property { name: name.clone(), schema: unread(node) })
                    .collect();
            }
            "required" => {
                let names = value.items().ok_or_else(|| Fault::at(value.line, "expected a list of fields"))?;
                shape.required = names.iter().filter_map(|name| name.text()).map(str::to_owned).collect();
            }
            "items" => shape.items = Some(unread(value)),
            _ => {}
        }
    }
    Ok(shape)
}

fn type_name(value: &Node) -> Result<String, Fault> {
    let name = value.text().ok_or_else(|| {
        Fault::at(value.line, "a type is one text, as OpenAPI 3.0 has it; null is said by `nullable: true`")
    })?;
    if TYPES.contains(&name) {
        return Ok(name.to_owned());
    }
    let problem = format!("there is no type `{name}`; expected one of {}", TYPES.join(", "));
    Err(Fault { nearest: nearest(name, TYPES), ..Fault::at(value.line, problem) })
}

fn flag(keyword: &str, value: &Node) -> Result<bool, Fault> {
    match value.text() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(Fault::at(value.line, format!("`{keyword}`: expected true or false"))),
    }
}

fn number<T: std::str::FromStr>(keyword: &str, value: &Node) -> Result<T, Fault> {
    let parsed = value.text().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Fault::at(value.line, format!("`{keyword}`: expected a number")))
}

/// The schemas of a list keyword.
fn list<'n>(node: &'n Node, keyword: &str) -> Result<&'n [Rc<Node>], Fault> {
    match node.get(keyword) {
        None => Ok(&[]),
        Some(value) => value.items().ok_or_else(|| Fault::at(value.line, format!("`{keyword}`: expected a list"))),
    }
}
