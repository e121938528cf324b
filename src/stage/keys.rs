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

/// The longest key, in bytes. A longer one is cut: it then finds no parent, and its record is an orphan with a finding.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// The keys of a table's records, in one arena: the length of each, then its bytes.
#[derive(Debug, Default)]
pub struct KeyBytes {
    bytes: Vec<u8>,
}

/// How many bytes of the arena tell a key's length.
const LENGTH_BYTES: usize = 2;

impl KeyBytes {
    /// Appends the key of the next record.
    pub fn push(&mut self, key: &[u8]) {
        let key = &key[..key.len().min(KEY_BYTES_MAX)];
        self.bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(key);
    }

    /// Appends the keys of the records after these.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The key that starts at `at`, and where the next one does.
    fn at(&self, at: usize) -> (&[u8], usize) {
        let (length, rest) = self.bytes[at..].split_at(LENGTH_BYTES);
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        (&rest[..length], at + LENGTH_BYTES + length)
    }
}

/// Finds a parent's record by its key, exactly.
#[derive(Debug)]
pub struct KeyIndex {
    keys: KeyBytes,
    /// Where a key starts in the arena, and its record: a look-up reads the table and the key, and nothing else.
    table: HashTable<(u64, u32)>,
    hasher: RandomState,
}

impl KeyIndex {
    /// Indexes the records of `keys` that are alive, as `alive` tells for each; of several with one key, the first.
    pub fn new(keys: KeyBytes, alive: impl ExactSizeIterator<Item = bool>) -> Self {
        let hasher = RandomState::default();
        let mut table: HashTable<(u64, u32)> = HashTable::with_capacity(alive.len());
        let mut start = 0;
        for (row, alive) in (0..).zip(alive) {
            let (key, next) = keys.at(start);
            if alive {
                let known = |at: &(u64, u32)| keys.at(at.0 as usize).0;
                table
                    .entry(hasher.hash_one(key), |at| known(at) == key, |at| hasher.hash_one(known(at)))
                    .or_insert((start as u64, row));
            }
            start = next;
        }
        Self { keys, table, hasher }
    }

    /// The record with the key `key`, or [`NO_ROW`].
    #[must_use]
    pub fn row(&self, key: &[u8]) -> u32 {
        let found = self.table.find(self.hasher.hash_one(key), |at| self.keys.at(at.0 as usize).0 == key);
        found.map_or(NO_ROW, |(_, row)| *row)
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
        let index = KeyIndex::new(keys, [true; 3].into_iter());
        assert_eq!([index.row(b"one"), index.row(b"two"), index.row(b"tw")], [0, 1, NO_ROW]);
    }
}
