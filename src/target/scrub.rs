//! Remote messages without the customer's data.
//!
//! The target likes to quote what it refuses ("abcde is not a valid phone number"). Messages are stored, clustered,
//! logged and reported, so every value of the payload is masked in them first; and, since a target may quote a value
//! in its own spelling (a phone number with its country code), so are e-mail addresses and long runs of digits.

use std::collections::BTreeSet;

use serde_json::Value;

/// What stands in a message where a value was.
pub const MASK: &str = "‹…›";

/// Values shorter than this, in characters, tell nobody and would mask half of the text.
const MIN_VALUE: usize = 3;

/// Digits in a row that no length limit or list position reaches.
const MIN_DIGITS: usize = 6;

/// A longer message is cut, in characters.
const MAX_MESSAGE: usize = 1_000;

/// The values of one payload, ready to be masked in any number of messages.
#[derive(Debug, Default)]
pub struct Scrubber {
    /// Case-folded, so that the target's own capitals don't matter.
    values: BTreeSet<Vec<char>>,
}

/// `message` without the text values of `payload`. For several messages of one payload, make a [`Scrubber`].
#[must_use]
pub fn scrub(message: &str, payload: &[u8]) -> String {
    Scrubber::of(payload).scrub(message)
}

impl Scrubber {
    /// The scrubber for `payload`, an account's JSON. What is no JSON has no values to mask.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut values = BTreeSet::new();
        if let Ok(payload) = serde_json::from_slice(payload) {
            collect(&payload, &mut values);
        }
        Self { values }
    }

    /// `message`, with each value masked wherever it stands, and cut if very long.
    #[must_use]
    pub fn scrub(&self, message: &str) -> String {
        let text: Vec<char> = message.chars().take(MAX_MESSAGE).collect();
        let folded: Vec<char> = text.iter().copied().map(fold).collect();
        let mut masked = vec![false; text.len()];
        for value in &self.values {
            let mut from = 0;
            while let Some(at) = find(&folded[from..], value) {
                masked[from + at..from + at + value.len()].fill(true);
                from += at + 1;
            }
        }
        mask_runs(&text, &mut masked, char::is_numeric, |run| run.len() >= MIN_DIGITS);
        mask_runs(&text, &mut masked, |c| !c.is_whitespace(), |run| run.contains(&'@'));

        let mut scrubbed = String::with_capacity(message.len());
        for (position, &c) in text.iter().enumerate() {
            if !masked[position] {
                scrubbed.push(if c.is_control() { ' ' } else { c });
            } else if position == 0 || !masked[position - 1] {
                scrubbed.push_str(MASK);
            }
        }
        if message.chars().nth(MAX_MESSAGE).is_some() {
            scrubbed.push('…');
        }
        scrubbed
    }
}

fn collect(value: &Value, values: &mut BTreeSet<Vec<char>>) {
    match value {
        Value::String(text) => {
            let folded: Vec<char> = text.trim().chars().map(fold).collect();
            if folded.len() >= MIN_VALUE {
                values.insert(folded);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Object(object) => object.values().for_each(|value| collect(value, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One character in lower case; the few that would become several stay, so that positions hold.
fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

fn find(text: &[char], value: &[char]) -> Option<usize> {
    text.windows(value.len()).position(|window| window == value)
}

/// Masks each longest run of characters that are `of` a kind, if the run is `worth` it.
fn mask_runs(text: &[char], masked: &mut [bool], of: impl Fn(char) -> bool, worth: impl Fn(&[char]) -> bool) {
    let mut start = 0;
    for run in text.chunk_by(|a, b| of(*a) == of(*b)) {
        if of(run[0]) && worth(run) {
            masked[start..start + run.len()].fill(true);
        }
        start += run.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAYLOAD: &[u8] = r#"{"customers":[{"given_name":"Bob","family_name":"Jabłoński","landline":"abcde",
        "title":"Mr","email":" bob@jablonski.com "}],"account_type":"DOMESTIC","name":"Bob Jabłoński","n":123}"#
        .as_bytes();

    #[test]
    fn values_are_masked_and_the_rest_stays() {
        for (message, expected) in [
            ("abcde is not a valid phone number", "‹…› is not a valid phone number"),
            ("Mr Bob Jabłoński is too old", "Mr ‹…› is too old"),
            ("\"domestic\" is no choice", "\"‹…›\" is no choice"),
            ("JABŁOŃSKI,BOB", "‹…›,‹…›"),
            ("bobobob", "‹…›"),
            ("at most 255 characters", "at most 255 characters"),
            ("number +447123456789 is in use", "number +‹…› is in use"),
            ("ask <bill@example.com> about 12345", "ask ‹…› about 12345"),
            ("two\nlines\u{7}", "two lines "),
            ("", ""),
        ] {
            assert_eq!(scrub(message, PAYLOAD), expected, "{message}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let scrubbed = scrub(&"x ".repeat(MAX_MESSAGE), b"{}");
        assert_eq!(scrubbed.chars().count(), MAX_MESSAGE + 1);
    }

    proptest! {
        #[test]
        fn no_value_survives(value in "[a-z]{3,12}", before in "[A-Z .]{0,20}", after in "[A-Z .]{0,20}") {
            let payload = serde_json::json!({ "a": [{ "b": value }] }).to_string();
            let scrubbed = scrub(&format!("{before}{value}{after}"), payload.as_bytes());
            prop_assert!(!scrubbed.to_lowercase().contains(&value), "{scrubbed}");
        }
    }
}
