//! Keys: how a record is named, and how its children find it.
//!
//! The key of one column is its bytes. The key of several is each column's length and bytes, so that no two different
//! keys have the same bytes. Children look their parents up while they are read, so that no child ever stores its
//! parent's key: that is most of the text of a readings file.

use std::hash::BuildHasher as _;

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashTable;

/// No parent record has the key; no account; no place.
pub const NO_ROW: u32 = u32::MAX;

/// For each of `count` rows, its place among `rows`, or [`NO_ROW`].
#[must_use]
pub fn inverse(rows: &[u32], count: u32) -> Vec<u32> {
    let mut places = vec![NO_ROW; count as usize];
    for (place, row) in (0..).zip(rows) {
        places[*row as usize] = place;
    }
    places
}

/// Writes the key made of `parts` into `key`.
pub fn write_key<'a>(parts: impl ExactSizeIterator<Item = &'a [u8]>, key: &mut Vec<u8>) {
    let single = parts.len() == 1;
    for part in parts {
        if !single {
            // Nearly every part is short; a long one takes five bytes to say so.
            if part.len() < 255 {
                key.push(part.len() as u8);
            } else {
                key.push(255);
                key.extend_from_slice(&(part.len() as u32).to_le_bytes());
            }
        }
        key.extend_from_slice(part);
    }
}

/// A fingerprint of a key: equal keys have equal ones; unequal keys with equal ones are told apart by reading them.
#[must_use]
pub fn fingerprint(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key).max(1)
}

/// The most bytes of a key that stand in the key's own place.
const SHORT_BYTES_MAX: usize = 15;

/// A key as it is compared: up to fifteen bytes and their number, or the place of a longer one in an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key([u64; 2]);

/// Marks the place of a long key, where a short one has its length.
const LONG: u64 = 0xff << 56;

impl Key {
    /// The key `bytes`, if they are few enough.
    fn short(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > SHORT_BYTES_MAX {
            return None;
        }
        let mut whole = [0; 16];
        whole[..bytes.len()].copy_from_slice(bytes);
        whole[SHORT_BYTES_MAX] = bytes.len() as u8;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| whole[at + byte]));
        Some(Self([word(0), word(8)]))
    }

    fn is_long(self) -> bool {
        self.0[1] & LONG == LONG
    }
}

/// The keys of some records, in order.
#[derive(Debug, Default)]
pub struct KeyBytes {
    keys: Vec<Key>,
    /// The long ones: the length of each, then its bytes.
    long: Vec<u8>,
}

impl KeyBytes {
    /// Appends the key of the next record.
    pub fn push(&mut self, bytes: &[u8]) {
        let key = Key::short(bytes).unwrap_or_else(|| {
            let at = self.long.len() as u64;
            self.long.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            self.long.extend_from_slice(bytes);
            Key([at, LONG])
        });
        self.keys.push(key);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.long.clear();
    }

    /// Appends the keys of the records after these.
    pub fn append(&mut self, other: &Self) {
        let base = self.long.len() as u64;
        self.long.extend_from_slice(&other.long);
        let moved = other.keys.iter().map(|key| if key.is_long() { Key([key.0[0] + base, LONG]) } else { *key });
        self.keys.extend(moved);
    }

    /// Whether key `a` of these is key `b` of `other`.
    fn same(&self, a: Key, other: &Self, b: Key) -> bool {
        if a.is_long() && b.is_long() { self.long_bytes(a) == other.long_bytes(b) } else { a == b }
    }

    fn long_bytes(&self, key: Key) -> &[u8] {
        let at = key.0[0] as usize;
        let (length, rest) = self.long[at..].split_at(4);
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        &rest[..length as usize]
    }

    fn hash(&self, key: Key, hasher: &RandomState) -> u64 {
        if key.is_long() { hasher.hash_one(self.long_bytes(key)) } else { hasher.hash_one(key.0) }
    }
}

/// Where a record of a parent table is found: its account's rank, and its place among the records of its table that
/// are of the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The account; [`NO_ROW`]: the record belongs to none.
    pub account: u32,
    /// The place.
    pub place: u32,
}

impl Place {
    /// Of a key that no record has.
    pub const NONE: Self = Self { account: NO_ROW, place: NO_ROW };
}

/// One entry: a key and where its record is. Everything a look-up of a short key needs lies together.
#[derive(Clone, Copy, Debug)]
struct Slot {
    key: Key,
    place: Place,
}

/// Finds a parent's record by its key, exactly.
///
/// The hasher is seeded anew for every index, so that nobody can prepare keys that all hash alike; if they did all the
/// same, look-ups would be slow and still exact.
#[derive(Debug)]
pub struct KeyIndex {
    keys: KeyBytes,
    table: HashTable<Slot>,
    hasher: RandomState,
}

/// How many look-ups are under way at once: enough to wait for many cache lines together.
const LOOKUPS: usize = 64;

impl KeyIndex {
    /// Indexes `keys`; `places` tells where each record is, and none for one that cannot be found. Of several records
    /// with one key, the first is found.
    pub fn new(mut keys: KeyBytes, places: impl ExactSizeIterator<Item = Option<Place>>) -> Self {
        let hasher = RandomState::default();
        let mut table: HashTable<Slot> = HashTable::with_capacity(places.len());
        for (row, place) in (0_u32..).zip(places) {
            let Some(place) = place else { continue };
            let key = keys.keys[row as usize];
            let entry = table.entry(
                keys.hash(key, &hasher),
                |slot| keys.same(slot.key, &keys, key),
                |slot| keys.hash(slot.key, &hasher),
            );
            entry.or_insert(Slot { key, place });
        }
        keys.keys = Vec::new();
        Self { keys, table, hasher }
    }

    /// Where the record with each of `keys` is, appended to `found`.
    pub fn find(&self, keys: &KeyBytes, found: &mut Vec<Place>) {
        let mut hashes = [0; LOOKUPS];
        for keys_now in keys.keys.chunks(LOOKUPS) {
            for (hash, key) in hashes.iter_mut().zip(keys_now) {
                *hash = keys.hash(*key, &self.hasher);
            }
            for (hash, key) in hashes.iter().zip(keys_now) {
                let slot = self.table.find(*hash, |slot| self.keys.same(slot.key, keys, *key));
                found.push(slot.map_or(Place::NONE, |slot| slot.place));
            }
        }
    }

    /// The memory it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.allocation_size() + self.keys.long.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&str]) -> Vec<u8> {
        let mut key = Vec::new();
        write_key(parts.iter().map(|part| part.as_bytes()), &mut key);
        key
    }

    fn keys(texts: &[&str]) -> KeyBytes {
        let mut keys = KeyBytes::default();
        for text in texts {
            keys.push(text.as_bytes());
        }
        keys
    }

    fn places(count: u32) -> impl ExactSizeIterator<Item = Option<Place>> {
        (0..count).map(|place| Some(Place { account: 7, place }))
    }

    #[test]
    fn keys_of_several_columns_do_not_run_into_each_other() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab"]), b"ab");
        let long = "x".repeat(300);
        assert_ne!(key(&[&long, "c"]), key(&[&long[1..], "xc"]));
    }

    #[test]
    fn a_parent_is_found_by_its_whole_key_short_or_long() {
        let long = ["a key of sixteen", "a key of sixteem", "a key of sixtee"];
        let texts = ["one", "two", "", long[0], long[1], "a\0", "a"];
        let index = KeyIndex::new(keys(&texts), places(7));
        let mut found = Vec::new();
        index.find(&keys(&["two", "one", "tw", "", "a", "a\0", long[1], long[0], long[2]]), &mut found);
        let found: Vec<u32> = found.iter().map(|place| place.place).collect();
        assert_eq!(found, [1, 0, NO_ROW, 2, 6, 5, 4, 3, NO_ROW]);
    }

    #[test]
    fn of_records_with_one_key_the_first_that_lives_is_found() {
        let live = [None, Some(1), Some(2)];
        let live = live.into_iter().map(|place: Option<u32>| place.map(|place| Place { account: 0, place }));
        let index = KeyIndex::new(keys(&["one", "one", "one"]), live);
        let mut found = Vec::new();
        index.find(&keys(&["one"]), &mut found);
        assert_eq!(found[0].place, 1);
    }

    #[test]
    fn keys_of_regions_are_put_together() {
        let mut all = keys(&["first", "the first long key of all"]);
        all.append(&keys(&["the second long key of all", "second"]));
        let index = KeyIndex::new(all, places(4));
        let mut found = Vec::new();
        index.find(&keys(&["second", "the second long key of all", "the first long key of all"]), &mut found);
        assert_eq!(found.iter().map(|place| place.place).collect::<Vec<_>>(), [3, 2, 1]);
    }
}
