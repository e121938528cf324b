//! JSON Schemas for editors, as far as they are the same for every file.

use serde_json::Value;

/// Takes out of `schema` what TOML has no word for: a key is left out or has a value, but none is null; and defaults that
/// stand for "not said".
pub(crate) fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                // Names of keys, of which one may be called as a word of JSON Schema.
                if matches!(key.as_str(), "properties" | "definitions" | "patternProperties") {
                    value.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut).for_each(tidy);
                } else {
                    tidy(value);
                }
            }
            object.remove("default");
            object.remove("format");
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|one| one["type"] != "null");
                if let [only] = any.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.insert("allOf".into(), Value::Array(vec![only]));
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}
