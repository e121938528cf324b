//! Keys: how a record is named, and how its children find it.
//!
//! The key of one column is its bytes. The key of several is each column's length and bytes, so that no two different
//! keys have the same bytes. Children look their parents up while they are read, so that no child ever stores its
//! parent's key: that is most of the text of a readings file.

use std::hash::BuildHasher as _;

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashTable;

/// No parent record has the key.
pub const NO_ROW: u32 = u32::MAX;

/// Writes the key made of `parts` into `key`.
pub fn write_key<'a>(parts: impl ExactSizeIterator<Item = &'a [u8]>, key: &mut Vec<u8>) {
    key.clear();
    let single = parts.len() == 1;
    for part in parts {
        if !single {
            key.extend_from_slice(&(part.len() as u32).to_le_bytes());
        }
        key.extend_from_slice(part);
    }
}

/// A fingerprint of a key: equal keys have equal ones; unequal keys with equal ones are told apart by reading them.
#[must_use]
pub fn fingerprint(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// The keys of a table's records, in one arena.
#[derive(Debug, Default)]
pub struct KeyBytes {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl KeyBytes {
    /// Appends the key of the next record.
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u64);
    }

    /// Appends the keys of the records after these.
    pub fn append(&mut self, other: &Self) {
        let base = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }

    /// The key of record `row`.
    #[must_use]
    pub fn get(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }
}

/// Finds a parent's record by its key, exactly.
#[derive(Debug)]
pub struct KeyIndex {
    keys: KeyBytes,
    rows: HashTable<u32>,
    hasher: RandomState,
}

impl KeyIndex {
    /// Indexes the records `rows`; of several with one key, the first.
    pub fn new(keys: KeyBytes, rows: impl Iterator<Item = u32>) -> Self {
        let hasher = RandomState::default();
        let mut table: HashTable<u32> = HashTable::with_capacity(rows.size_hint().1.unwrap_or(0));
        for row in rows {
            let key = keys.get(row);
            table
                .entry(hasher.hash_one(key), |known| keys.get(*known) == key, |known| hasher.hash_one(keys.get(*known)))
                .or_insert(row);
        }
        Self { keys, rows: table, hasher }
    }

    /// The record with the key `key`, or [`NO_ROW`].
    #[must_use]
    pub fn row(&self, key: &[u8]) -> u32 {
        self.rows.find(self.hasher.hash_one(key), |row| self.keys.get(*row) == key).copied().unwrap_or(NO_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_columns_do_not_run_into_each_other() {
        let key = |parts: &[&str]| {
            let mut key = Vec::new();
            write_key(parts.iter().map(|part| part.as_bytes()), &mut key);
            key
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab"]), b"ab");
    }

    #[test]
    fn a_parent_is_found_by_its_whole_key() {
        let mut keys = KeyBytes::default();
        for key in ["one", "two", "one"] {
            keys.push(key.as_bytes());
        }
        let index = KeyIndex::new(keys, 0..3);
        assert_eq!([index.row(b"one"), index.row(b"two"), index.row(b"tw")], [0, 1, NO_ROW]);
    }
}
