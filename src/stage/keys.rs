//! Keys: how a record is named, and how its children find it.
//!
//! The key of one column is its bytes. The key of several is each column's length and bytes, so that no two different
//! keys have the same bytes. Children look their parents up while they are read, so that no child ever stores its
//! parent's key: that is most of the text of a readings file.

use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

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

/// The keys of some records, in order, in one arena.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct KeyBytes {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyBytes {
    /// Appends the key made of `parts`.
    pub fn push<'a>(&mut self, parts: impl ExactSizeIterator<Item = &'a [u8]>) {
        let single = parts.len() == 1;
        for part in parts {
            self.push_part(single, part.len(), |bytes| bytes.extend_from_slice(part));
        }
        self.end();
    }

    /// Appends a part of a key, the only one or one of several, of `length` bytes, which `push` appends.
    #[inline]
    pub(super) fn push_part(&mut self, single: bool, length: usize, push: impl FnOnce(&mut Vec<u8>)) {
        if !single {
            // Nearly every part is short; a long one takes five bytes to say so.
            if length < 255 {
                self.bytes.push(length as u8);
            } else {
                self.bytes.push(255);
                self.bytes.extend_from_slice(&(length as u32).to_le_bytes());
            }
        }
        push(&mut self.bytes);
    }

    /// Ends a key, all of whose parts have been pushed.
    #[inline]
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends the keys of the records after these.
    pub fn append(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + base));
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }

    /// A fingerprint of each key: equal keys have equal ones; unequal keys with equal ones are told apart by reading
    /// them again.
    pub fn fingerprints(&self) -> impl Iterator<Item = u64> {
        let hasher = FixedState::default();
        self.iter().map(move |key| hasher.hash_one(key).max(1))
    }
}

/// Where a record of a parent table is found: its account's rank, and its place among the records of its table that
/// are of the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Finds a parent's record by its key, exactly.
///
/// Keys of up to 15 bytes, and those of up to 31 if the table has any, lie in a table of slots beside what is found by
/// them, so that a look-up touches one place in memory; longer ones are in a map. The hasher is seeded anew for every
/// index, so that nobody can prepare keys that all hash alike; if they did all the same, look-ups would be slow and
/// still exact.
#[derive(Debug)]
pub struct KeyIndex {
    slots: Slots,
    long: HashMap<Box<[u8]>, Place, RandomState>,
}

#[derive(Debug)]
enum Slots {
    Narrow(SlotTable<2>),
    Wide(SlotTable<4>),
}

impl KeyIndex {
    /// Indexes `keys`; `places` tells where each record is, and none for one that cannot be found. Of several records
    /// with one key, the first is found.
    #[must_use]
    pub fn new(keys: &KeyBytes, places: &[Option<Place>]) -> Self {
        let widest = keys.iter().map(<[u8]>::len).filter(|length| *length < 32).max().unwrap_or_default();
        let mut index = if widest < 16 {
            Self { slots: Slots::Narrow(SlotTable::new(keys.len())), long: HashMap::default() }
        } else {
            Self { slots: Slots::Wide(SlotTable::new(keys.len())), long: HashMap::default() }
        };
        for (key, place) in keys.iter().zip(places) {
            let Some(place) = place else { continue };
            let kept = match &mut index.slots {
                Slots::Narrow(slots) => slots.insert(key, *place),
                Slots::Wide(slots) => slots.insert(key, *place),
            };
            if !kept {
                index.long.entry(key.into()).or_insert(*place);
            }
        }
        index
    }

    /// Where the record with each of `keys` is, appended to `found`.
    pub fn find(&self, keys: &KeyBytes, found: &mut Vec<Place>) {
        match &self.slots {
            Slots::Narrow(slots) => slots.find(keys, &self.long, found),
            Slots::Wide(slots) => slots.find(keys, &self.long, found),
        }
    }
}

/// A key of less than `8 * W` bytes, and how many there are in the last of them.
type Words<const W: usize> = [u64; W];

/// An open table of keys, looked through from a key's own slot on.
#[derive(Debug)]
struct SlotTable<const W: usize, S = RandomState> {
    slots: Vec<Slot<W>>,
    hasher: S,
}

#[derive(Clone, Copy, Debug)]
struct Slot<const W: usize> {
    key: Words<W>,
    place: Place,
}

/// What no key is: it would have 255 bytes.
const FREE: u64 = u64::MAX;

/// How many look-ups are under way at once: enough to wait for many cache lines together.
const LOOKUPS: usize = 64;

impl<const W: usize, S: BuildHasher + Default> SlotTable<W, S> {
    fn new(keys: usize) -> Self {
        let slots = keys + keys / 2 + 1;
        Self { slots: vec![Slot { key: [FREE; W], place: Place::NONE }; slots], hasher: S::default() }
    }

    /// The words of a key, unless it is too long.
    fn words(key: &[u8]) -> Option<Words<W>> {
        if key.len() >= 8 * W {
            return None;
        }
        let mut words = [0; W];
        let (whole, rest) = key.as_chunks::<8>();
        for (word, bytes) in words.iter_mut().zip(whole) {
            *word = u64::from_le_bytes(*bytes);
        }
        words[whole.len()] = match key.last_chunk::<8>() {
            // The last eight bytes without those that are in a word already.
            Some(last) if !rest.is_empty() => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
            _ => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        words[W - 1] |= (key.len() as u64) << 56;
        Some(words)
    }

    fn home(&self, key: &Words<W>) -> usize {
        ((u128::from(self.hasher.hash_one(key)) * self.slots.len() as u128) >> 64) as usize
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }

    /// Tells whether the key is one for the table.
    fn insert(&mut self, key: &[u8], place: Place) -> bool {
        let Some(key) = Self::words(key) else { return false };
        let mut at = self.home(&key);
        while self.slots[at].key[W - 1] != FREE {
            if self.slots[at].key == key {
                return true;
            }
            at = self.after(at);
        }
        self.slots[at] = Slot { key, place };
        true
    }

    fn find(&self, keys: &KeyBytes, long: &HashMap<Box<[u8]>, Place, RandomState>, found: &mut Vec<Place>) {
        let mut wanted = [([0; W], 0); LOOKUPS];
        let mut keys = keys.iter();
        while keys.len() > 0 {
            let count = keys.len().min(LOOKUPS);
            let first = found.len();
            for (at, key) in keys.by_ref().take(count).enumerate() {
                if let Some(words) = Self::words(key) {
                    wanted[at] = (words, self.home(&words));
                    found.push(Place::NONE);
                } else {
                    wanted[at] = ([FREE; W], 0);
                    found.push(long.get(key).copied().unwrap_or(Place::NONE));
                }
            }
            // Asks for all slots before the first is looked at, at both ends: with nothing else to do, the processor waits
            // for many cache lines at once.
            let ends = |slot: &Slot<W>| slot.key[0] ^ u64::from(slot.place.place);
            let touched = wanted[..count].iter().fold(0, |touched, (_, home)| touched ^ ends(&self.slots[*home]));
            std::hint::black_box(touched);
            for ((key, home), place) in wanted[..count].iter().zip(&mut found[first..]) {
                let mut at = *home;
                while key[W - 1] != FREE && self.slots[at].key[W - 1] != FREE {
                    if self.slots[at].key == *key {
                        *place = self.slots[at].place;
                        break;
                    }
                    at = self.after(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> KeyBytes {
        let mut keys = KeyBytes::default();
        for text in texts {
            keys.push(std::iter::once(text.as_bytes()));
        }
        keys
    }

    fn index(keys: &KeyBytes) -> KeyIndex {
        let places: Vec<Option<Place>> =
            (0..keys.len() as u32).map(|place| Some(Place { account: 7, place })).collect();
        KeyIndex::new(keys, &places)
    }

    fn found(index: &KeyIndex, texts: &[&str]) -> Vec<u32> {
        let mut found = Vec::new();
        index.find(&keys(texts), &mut found);
        found.into_iter().map(|place| place.place).collect()
    }

    #[test]
    fn keys_of_several_columns_do_not_run_into_each_other() {
        let key = |parts: &[&str]| {
            let mut keys = KeyBytes::default();
            keys.push(parts.iter().map(|part| part.as_bytes()));
            keys.bytes
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab"]), b"ab");
        let long = "x".repeat(300);
        assert_ne!(key(&[&long, "c"]), key(&[&long[1..], "xc"]));
    }

    #[test]
    fn a_parent_is_found_by_its_whole_key_short_or_long() {
        let of = |length: usize, last: char| "k".repeat(length - 1) + &last.to_string();
        let lengths = [1, 2, 7, 8, 9, 15, 16, 17, 30, 31, 32, 40];
        let texts: Vec<String> = lengths.iter().flat_map(|length| [of(*length, 'a'), of(*length, 'b')]).collect();
        for count in [12, texts.len()] {
            let mut known: Vec<&str> = texts[..count].iter().map(String::as_str).collect();
            known.extend(["", "\0", "ka\0"]);
            let index = index(&keys(&known));
            assert_eq!(found(&index, &known), (0..known.len() as u32).collect::<Vec<_>>());
            for length in lengths {
                assert_eq!(found(&index, &[&of(length, 'c'), "\0\0", "kb\0"]), [NO_ROW; 3], "{length}");
            }
        }
    }

    #[test]
    fn of_records_with_one_key_the_first_that_lives_is_found() {
        let live = [None, Some(1), Some(2)].map(|place| place.map(|place| Place { account: 0, place }));
        assert_eq!(found(&KeyIndex::new(&keys(&["one"; 3]), &live), &["one"]), [1]);
    }

    #[test]
    fn keys_of_regions_are_put_together() {
        let mut all = keys(&["first", "the first long key of all"]);
        all.append(&keys(&["the second long key of all", "second"]));
        let texts = ["second", "the second long key of all", "the first long key of all"];
        assert_eq!(found(&index(&all), &texts), [3, 2, 1]);
    }

    /// Gives every key the same hash.
    #[derive(Default)]
    struct Alike;

    impl BuildHasher for Alike {
        type Hasher = Same;

        fn build_hasher(&self) -> Same {
            Same
        }
    }

    struct Same;

    impl std::hash::Hasher for Same {
        fn write(&mut self, _: &[u8]) {}

        fn finish(&self) -> u64 {
            u64::MAX
        }
    }

    #[test]
    fn keys_that_all_hash_alike_are_told_apart() {
        let texts: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        let mut table = SlotTable::<2, Alike>::new(texts.len());
        for (place, text) in (0..).zip(&texts) {
            assert!(table.insert(text.as_bytes(), Place { account: 0, place }));
        }
        let mut found = Vec::new();
        let wanted: Vec<&str> = texts.iter().map(String::as_str).chain(["500", ""]).collect();
        table.find(&keys(&wanted), &HashMap::default(), &mut found);
        let expected = (0..500).chain([NO_ROW; 2]);
        assert_eq!(found.into_iter().map(|place| place.place).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn many_keys_are_all_found() {
        let texts: Vec<String> = (0..1000).map(|number| format!("{number:05}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let index = index(&keys(&texts));
        assert_eq!(found(&index, &texts), (0..1000).collect::<Vec<_>>());
    }
}
