//! The text of a document as a tree in which every value knows its line.
//!
//! YAML 1.2 holds JSON, so one parser reads both. Numbers, flags and nulls stay the texts they are written as: whoever
//! reads a node knows what it should be. Depth and size are bounded, so that no document can exhaust the stack.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::Fault;

/// The most nodes that lie one within the other; real documents have some twenty.
const DEPTH_MAX: usize = 100;

/// A value of the document.
#[derive(Debug)]
pub(super) struct Node {
    /// The physical line on which it starts, counted from 1.
    pub line: usize,
    pub value: Value,
    /// How many nodes lie one within the other, itself included.
    height: usize,
}

#[derive(Debug)]
pub(super) enum Value {
    /// A text, and whether it stands without quotes and so may be a number, a flag or null.
    Scalar(String, bool),
    List(Vec<Rc<Node>>),
    /// In the order of the document.
    Map(Vec<(String, Rc<Node>)>),
}

impl Node {
    /// The member `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The members of a map; none of anything else.
    pub(super) fn members(&self) -> &[(String, Rc<Self>)] {
        match &self.value {
            Value::Map(members) => members,
            Value::Scalar(..) | Value::List(_) => &[],
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&[Rc<Self>]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Scalar(..) | Value::Map(_) => None,
        }
    }

    /// The text of a scalar, quoted or not.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether this is `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value as JSON text.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Scalar(..) if self.is_null() => Json::Null,
            Value::Scalar(text, true) => match serde_json::from_str(text) {
                Ok(json @ (Json::Bool(_) | Json::Number(_))) => json,
                _ => Json::String(text.clone()),
            },
            Value::Scalar(text, false) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(|item| item.to_json()).collect(),
            Value::Map(members) => Json::Object(members.iter().map(|(k, node)| (k.clone(), node.to_json())).collect()),
        }
    }
}

/// A list or map that is not at its end yet.
struct Open {
    line: usize,
    anchor: usize,
    value: Value,
    key: Option<String>,
    keys: HashSet<String>,
    height: usize,
}

impl Open {
    fn new(line: usize, anchor: usize, value: Value) -> Self {
        Self { line, anchor, value, key: None, keys: HashSet::new(), height: 0 }
    }
}

/// Reads the one document of `text`.
pub(super) fn parse(text: &str) -> Result<Rc<Node>, Fault> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut root: Option<Rc<Node>> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Fault::at(error.marker().line(), error.info()))?;
        let line = span.start.line();
        let (node, anchor) = match event {
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Fault::at(line, "a second document starts here; expected one"));
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                continue;
            }
            Event::SequenceStart(anchor, _) => {
                start(&mut open, Open::new(line, anchor, Value::List(Vec::new())))?;
                continue;
            }
            Event::MappingStart(anchor, _) => {
                start(&mut open, Open::new(line, anchor, Value::Map(Vec::new())))?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { line, anchor, value, height, .. }) = open.pop() else { continue };
                (Rc::new(Node { line, value, height: height + 1 }), anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (Rc::clone(node), 0),
                None => return Err(Fault::at(line, "this alias stands within what it names")),
            },
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                (Rc::new(Node { line, value: Value::Scalar(text.into_owned(), plain), height: 1 }), anchor)
            }
        };
        if anchor > 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match open.last_mut() {
            Some(parent) => parent.put(line, node)?,
            None => root = Some(node),
        }
    }
    root.ok_or_else(|| Fault::at(1, "it is empty; expected an OpenAPI 3.0 document"))
}

fn start(open: &mut Vec<Open>, node: Open) -> Result<(), Fault> {
    if open.len() >= DEPTH_MAX {
        return Err(too_deep(node.line));
    }
    open.push(node);
    Ok(())
}

fn too_deep(line: usize) -> Fault {
    Fault::at(line, format!("values nest deeper than {DEPTH_MAX} here"))
}

impl Open {
    /// Takes `node` in: as an item, a key or the value of the key before.
    fn put(&mut self, line: usize, node: Rc<Node>) -> Result<(), Fault> {
        // An alias may stand for a tall node, so the depth of the text alone is no bound.
        self.height = self.height.max(node.height);
        if self.height >= DEPTH_MAX {
            return Err(too_deep(line));
        }
        match (&mut self.value, self.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(members), Some(key)) => members.push((key, node)),
            (Value::Map(_), None) => {
                let key = node.text().ok_or_else(|| Fault::at(line, "a key is a text"))?;
                if !self.keys.insert(key.to_owned()) {
                    return Err(Fault::at(line, format!("`{key}` stands here twice")));
                }
                self.key = Some(key.to_owned());
            }
            (Value::Scalar(..), _) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_give_the_same_tree_with_the_lines_of_each() {
        let yaml = parse("# a comment\na:\n  b: [1, '1', null]\n  c: >-\n    two\n    lines\n").unwrap();
        let json = parse("{\n\t\"a\": {\n\t\t\"b\": [1, \"1\", null],\n\t\t\"c\": \"two lines\"}}").unwrap();
        assert_eq!(yaml.to_json(), json.to_json());
        assert_eq!(yaml.to_json().to_string(), r#"{"a":{"b":[1,"1",null],"c":"two lines"}}"#);
        let line = |tree: &Node| tree.get("a").unwrap().get("b").unwrap().line;
        assert_eq!((line(&yaml), line(&json)), (3, 3));
    }

    #[test]
    fn an_alias_stands_for_what_it_names() {
        let tree = parse("a: &list [1]\nb: *list\n").unwrap();
        assert_eq!(tree.to_json().to_string(), r#"{"a":[1],"b":[1]}"#);
    }

    #[test]
    fn what_can_not_be_read_is_told_with_its_line() {
        let fault = |text: &str| {
            let fault = parse(text).unwrap_err();
            (fault.line, fault.problem)
        };
        assert_eq!(fault("").0, 1);
        assert_eq!(fault("a: 1\nb: 2\na: 3\n"), (3, "`a` stands here twice".to_owned()));
        assert_eq!(fault("a:\n  - b\n - c\n").0, 3);
        assert_eq!(fault("? [a]\n: b\n"), (1, "a key is a text".to_owned()));
        assert!(fault("a: 1\n---\nb: 2\n").1.contains("second document"));
        assert!(fault("a: &a [*a]\n").1.contains("alias"));
    }

    #[test]
    fn deep_nesting_is_refused_before_it_can_hurt() {
        let problem = |text: &str| parse(text).unwrap_err().problem;
        assert!(problem(&"[".repeat(100_000)).contains("recursion limit"));
        assert!(problem(&"{\"a\":".repeat(100_000)).contains("recursion limit"));
        let stairs: Vec<String> = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(problem(&stairs.concat()).contains("nest deeper"));
        // Each line is one deeper than the one before, though the text itself nests two deep.
        let ladder: Vec<String> = (1..100_000).map(|n| format!("n{n}: &n{n} [*n{}]\n", n - 1)).collect();
        assert!(problem(&format!("n0: &n0 []\n{}", ladder.concat())).contains("nest deeper"));
    }
}
