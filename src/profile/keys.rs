//! Which columns name a record, which name a record of another file, and how often they fail to.
//!
//! Sketches tell which columns are worth a second look; then the files in question are read again and counted exactly:
//! a key's hashes are gathered and sorted, a reference's are looked up. Where more than [`HASHES`] would have to be held,
//! a part of all hashes is: the same part everywhere, so that counts of it can be scaled, and are told as estimates.

use std::collections::BTreeMap;

use csv::ByteRecord;

use super::column::Look;
use super::distinct::{self, Hashes};
use super::reading::{Counted, Take, stem};
use super::{Step, Watch};
use crate::extract::ExtractError;
use crate::extract::record::Unreadable;

/// Most hashes of keys that are held at once: some 400 MB of them.
const HASHES: u64 = 16_000_000;
/// Keys that are told of one table.
const KEYS: usize = 3;
/// Records from which a key of several columns is guessed.
const SAMPLE: u64 = 20_000;
/// Most columns of a guessed key.
const WIDEST: usize = 4;
/// Most columns that a guessed key may be made of.
const CHOICE: usize = 14;

/// A column: file, table of the file, column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) table: usize,
    pub(super) column: usize,
}

/// Columns that name a record.
#[derive(Clone, Debug)]
pub(super) struct FoundKey {
    pub(super) file: usize,
    pub(super) table: usize,
    pub(super) columns: Vec<usize>,
    /// Records whose key another record had before.
    pub(super) duplicates: u64,
}

/// A column that names a record of another table.
#[derive(Clone, Debug)]
pub(super) struct FoundReference {
    pub(super) child: At,
    pub(super) parent: At,
    /// Records whose cell is filled.
    pub(super) filled: u64,
    /// Those of them whose parent is not there.
    pub(super) orphans: u64,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) keys: Vec<FoundKey>,
    pub(super) references: Vec<FoundReference>,
    /// Different values of columns that were counted exactly.
    pub(super) distinct: BTreeMap<At, u64>,
    /// Whether only a part of the hashes was counted.
    pub(super) sampled: bool,
}

/// Finds the keys and references of `counted`.
pub(super) fn find(counted: &mut [Counted], watch: &impl Watch) -> Result<Found, ExtractError> {
    let counted = &*counted;
    let looks: BTreeMap<At, Look> = columns(counted).map(|(at, counts)| (at, counts.look())).collect();
    let candidates: Vec<At> =
        looks.iter().filter(|(at, look)| may_be_key(counted, **at, look)).map(|(at, _)| *at).collect();
    let screened = screen(counted, &looks, &candidates);
    let held: u64 = candidates.iter().map(|at| looks[at].distinct).sum();
    let part = Part { shift: (0..32).find(|shift| held >> shift <= HASHES).unwrap_or(32) };
    let mut found = Found { sampled: part.shift > 0, ..Found::default() };
    let files = |list: &[At]| list.iter().map(|at| at.file).collect::<std::collections::BTreeSet<_>>();
    let bytes =
        |files: &std::collections::BTreeSet<usize>| files.iter().map(|f| counted[*f].source.bytes()).sum::<u64>();
    let first = files(&candidates);
    watch.begin(Step::Keys { bytes: bytes(&first) });
    let mut parents = BTreeMap::new();
    for file in first {
        let of_file: Vec<At> = candidates.iter().copied().filter(|at| at.file == file).collect();
        let is_parent = |at: &At| screened.iter().any(|(_, parent)| parent == at);
        for (at, hashes, gathered) in gather(counted, &of_file, part, watch)? {
            let duplicates = gathered - hashes.len() as u64;
            if part.shift == 0 {
                found.distinct.insert(at, hashes.len() as u64);
            }
            if is_tolerable(part.scale(duplicates), records(counted, at)) {
                let columns = vec![at.column];
                let duplicates = part.scale(duplicates);
                found.keys.push(FoundKey { file, table: at.table, columns, duplicates });
                if is_parent(&at) {
                    parents.insert(at, hashes.into_iter().collect::<Hashes>());
                }
            }
        }
    }
    prefer(&mut found.keys, &looks);
    // A column that is unique beside the key that its table is known by is a parent only under its own name.
    let is_first = |at: &At| {
        let key = found.keys.iter().find(|key| (key.file, key.table) == (at.file, at.table));
        key.is_some_and(|key| key.columns == [at.column])
    };
    let holds = |(child, parent): &(At, At)| {
        parents.contains_key(parent) && (is_first(parent) || name_fit(counted, *child, *parent) != 2)
    };
    let references: Vec<(At, At)> = screened.into_iter().filter(holds).collect();
    let keyless = keyless(counted, &looks, &references, &found.keys);
    let children: Vec<At> = references.iter().map(|(child, _)| *child).chain(keyless.iter().copied()).collect();
    let second = files(&children);
    watch.begin(Step::Keys { bytes: bytes(&second) });
    for file in second {
        let checks: Vec<(At, At)> = references.iter().copied().filter(|(child, _)| child.file == file).collect();
        let groups: Vec<At> = keyless.iter().copied().filter(|at| at.file == file).collect();
        let (checked, samples) = check(counted, file, &checks, &groups, &parents, part, watch)?;
        found.references.extend(checked);
        for (group, sample) in samples {
            let guesses = guess(counted, &looks, group, &sample);
            found.keys.extend(verify(counted, group, guesses, part, watch)?);
        }
    }
    Ok(found)
}

fn columns(counted: &[Counted]) -> impl Iterator<Item = (At, &super::column::Counts)> {
    counted.iter().enumerate().flat_map(|(file, counted)| {
        counted.tables.iter().enumerate().flat_map(move |(table, found)| {
            found.columns.iter().enumerate().map(move |(column, counts)| (At { file, table, column }, counts))
        })
    })
}

fn records(counted: &[Counted], at: At) -> u64 {
    counted[at.file].tables[at.table].records
}

/// A column without blanks in which nearly every value is another.
fn may_be_key(counted: &[Counted], at: At, look: &Look) -> bool {
    let records = records(counted, at);
    (records > 1 || at.column == 0 && !look.is_date)
        && look.filled == records
        && look.distinct * 10 >= records * 9
        && look.longest <= 64
        && !look.is_decimal
}

/// A key may have a few records twice, as extracts do; more, and it is none.
fn is_tolerable(duplicates: u64, records: u64) -> bool {
    duplicates * 200 <= records
}

/// The best keys of each table first: fewest duplicates, further left; dates only if there is nothing else; at most
/// [`KEYS`].
fn prefer(keys: &mut Vec<FoundKey>, looks: &BTreeMap<At, Look>) {
    let is_date = |key: &FoundKey| looks[&At { file: key.file, table: key.table, column: key.columns[0] }].is_date;
    keys.sort_by_key(|key| (key.file, key.table, is_date(key), key.duplicates, key.columns[0]));
    let mut seen = BTreeMap::<(usize, usize), usize>::new();
    keys.retain(|key| {
        let count = seen.entry((key.file, key.table)).or_default();
        *count += 1;
        *count == 1 || *count <= KEYS && !is_date(key)
    });
}

/// The parts of all hashes that are counted: all, or one in `2^shift`.
#[derive(Clone, Copy, Debug)]
struct Part {
    shift: u32,
}

impl Part {
    fn has(self, hash: u64) -> bool {
        self.shift == 0 || hash >> (64 - self.shift) == 0
    }

    fn scale(self, count: u64) -> u64 {
        count << self.shift
    }
}

/// Pairs of a column and the key that it seems to name: for each column, the best.
fn screen(counted: &[Counted], looks: &BTreeMap<At, Look>, candidates: &[At]) -> Vec<(At, At)> {
    let mut pairs = Vec::new();
    for (child, look) in looks {
        if look.filled == 0 || look.is_decimal || look.is_date || look.longest > 64 {
            continue;
        }
        let others = candidates.iter().filter(|at| (at.file, at.table) != (child.file, child.table));
        let best = others.filter_map(|parent| Some((likeness(counted, looks, *child, *parent)?, *parent)));
        pairs.extend(
            best.max_by_key(|(likeness, parent)| (*likeness, std::cmp::Reverse(*parent))).map(|(_, p)| (*child, p)),
        );
    }
    pairs
}

/// How much `child` seems to name records by `parent`; none if it doesn't.
fn likeness(counted: &[Counted], looks: &BTreeMap<At, Look>, child: At, parent: At) -> Option<(u8, u64, (u64, usize))> {
    let (ours, theirs) = (&looks[&child], &looks[&parent]);
    let (all, both) = ours.sketch.within(&theirs.sketch);
    let named = name_fit(counted, child, parent);
    if ours.distinct < 2 && named < 2 {
        return None;
    }
    let share = if all == 0 { 0 } else { both as u64 * 1000 / all as u64 };
    let telling = ours.distinct >= 20 && all >= 8 && !theirs.is_dense;
    let fits = match named {
        2.. => share >= 500,
        1 => share >= 900 && (all >= 3 || theirs.distinct < 50),
        0 => share >= 950 && telling,
    };
    let home = |at: At| {
        let near = closeness(stem(&counted[at.file].source.file.name), &name(counted, child));
        (near, counted[at.file].tables[at.table].columns.len())
    };
    // Of two keys with the same values, the one in the file that bears its name is the parent.
    let is_key_itself = ours.filled == records(counted, child) && ours.distinct == ours.filled;
    let is_downward = !is_key_itself
        || theirs.distinct > ours.distinct
        || theirs.distinct == ours.distinct && home(parent) > home(child);
    (fits && is_downward).then_some((named, share, home(parent)))
}

fn name(counted: &[Counted], at: At) -> String {
    let counted = &counted[at.file];
    counted.source.names(counted.tables[at.table].columns.len()).swap_remove(at.column)
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn closeness(file: &str, column: &str) -> u64 {
    (strsim::jaro_winkler(&folded(file), &folded(column)) * 1000.0) as u64
}

/// How well the names say that one column names records of the other's table: 0, not at all, to 3, by the same name.
fn name_fit(counted: &[Counted], child: At, parent: At) -> u8 {
    let has_header = |at: At| counted[at.file].source.sniffed.header.is_some();
    if !has_header(child) || !has_header(parent) {
        // Records of several kinds in one file tend to name the same thing at the same place.
        return if child.file == parent.file && child.column == parent.column { 3 } else { 0 };
    }
    let (ours, theirs) = (folded(&name(counted, child)), folded(&name(counted, parent)));
    let table = folded(stem(&counted[parent.file].source.file.name));
    let one = table.strip_suffix('s').unwrap_or(&table);
    // `id` is everybody's name for their own key, and says nothing about whose it is elsewhere.
    let is_plain = matches!(theirs.as_str(), "id" | "no" | "key" | "code" | "number");
    if ours == theirs && !is_plain {
        3
    } else if ours == format!("{one}{theirs}")
        || (is_plain && ours.starts_with(one))
        || (!is_plain && ours.ends_with(&theirs))
    {
        2
    } else {
        u8::from(strsim::jaro_winkler(&ours, &theirs) > 0.92 && !is_plain)
    }
}

/// The different hashes of each column, and how many records have one.
type Gathered = Vec<(At, Vec<u64>, u64)>;

/// Gathers the hashes of `columns`, all of one file.
fn gather(counted: &[Counted], columns: &[At], part: Part, watch: &impl Watch) -> Result<Gathered, ExtractError> {
    let Some(first) = columns.first() else { return Ok(Vec::new()) };
    let file = &counted[first.file];
    let wanted: Vec<(&[u8], Vec<usize>)> =
        columns.iter().map(|at| (&*file.tables[at.table].kind, vec![at.column])).collect();
    let hashes = gather_combined(file, &wanted, part, watch)?;
    Ok(columns.iter().zip(hashes).map(|(at, (hashes, records))| (*at, hashes, records)).collect())
}

/// The different combined hashes of groups of columns, each of a kind of record, and how many records have one.
fn gather_combined(
    file: &Counted,
    wanted: &[(&[u8], Vec<usize>)],
    part: Part,
    watch: &impl Watch,
) -> Result<Vec<(Vec<u64>, u64)>, ExtractError> {
    let make = || Gather { wanted, part, hashes: vec![Vec::new(); wanted.len()] };
    let (taken, _) = file.source.read(make, watch)?;
    let mut all = vec![Vec::new(); wanted.len()];
    for mut taken in taken {
        for (all, part) in all.iter_mut().zip(&mut taken.hashes) {
            all.append(part);
        }
    }
    let deduplicated = all.into_iter().map(|mut hashes| {
        let records = hashes.len() as u64;
        hashes.sort_unstable();
        hashes.dedup();
        (hashes, records)
    });
    Ok(deduplicated.collect())
}

struct Gather<'w> {
    wanted: &'w [(&'w [u8], Vec<usize>)],
    part: Part,
    hashes: Vec<Vec<u64>>,
}

/// The hash of a cell as columns are hashed: blanks around it left out.
fn cell_hash(cells: &ByteRecord, column: usize) -> Option<u64> {
    let text = cells.get(column)?.trim_ascii();
    (!text.is_empty()).then(|| distinct::hash(text))
}

/// One hash of several cells; blank ones count.
fn combined(cells: impl Iterator<Item = u64>) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    for hash in cells {
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
    distinct::hash(&bytes)
}

impl Take for Gather<'_> {
    fn record(&mut self, kind: &[u8], cells: &ByteRecord) {
        for ((of, columns), hashes) in self.wanted.iter().zip(&mut self.hashes) {
            if **of != *kind {
                continue;
            }
            let hash = match columns.as_slice() {
                [column] => cell_hash(cells, *column),
                several => Some(combined(several.iter().map(|column| cell_hash(cells, *column).unwrap_or(0)))),
            };
            hashes.extend(hash.filter(|hash| self.part.has(*hash)));
        }
    }
    fn lost(&mut self, _: usize, _: u64, _: Unreadable) {}
    fn control(&mut self, _: &[u8]) {}
}

/// For each table without a key: the column whose values records are sampled by, so that records of one parent come
/// together.
fn keyless(counted: &[Counted], looks: &BTreeMap<At, Look>, references: &[(At, At)], keys: &[FoundKey]) -> Vec<At> {
    let mut groups = Vec::new();
    for (file, counted) in counted.iter().enumerate() {
        for (table, found) in counted.tables.iter().enumerate() {
            if found.records < 2 || keys.iter().any(|key| (key.file, key.table) == (file, table)) {
                continue;
            }
            let of_table = looks.iter().filter(|(at, _)| (at.file, at.table) == (file, table));
            let usable = of_table.filter(|(_, look)| look.filled == found.records && !look.is_decimal);
            let refers = |at: &At| references.iter().any(|(child, _)| child == at);
            let best = usable
                .max_by_key(|(at, look)| (refers(at), !look.is_date, look.distinct, std::cmp::Reverse(at.column)));
            groups.extend(best.map(|(at, _)| *at));
        }
    }
    groups
}

/// Sampled records: the hashes of their cells.
type Sample = Vec<Box<[u64]>>;

/// References with their orphans, and samples by the column that they were taken by.
type Checked = (Vec<FoundReference>, Vec<(At, Sample)>);

/// Counts the orphans of `checks` and samples records by `groups`, all of `file`.
fn check(
    counted: &[Counted],
    file: usize,
    checks: &[(At, At)],
    groups: &[At],
    parents: &BTreeMap<At, Hashes>,
    part: Part,
    watch: &impl Watch,
) -> Result<Checked, ExtractError> {
    let kind = |at: At| &*counted[file].tables[at.table].kind;
    let wanted: Vec<(&[u8], usize, &Hashes)> =
        checks.iter().map(|(child, parent)| (kind(*child), child.column, &parents[parent])).collect();
    let below: Vec<(&[u8], usize, u64)> = groups
        .iter()
        .map(|at| {
            let records = records(counted, *at).max(1);
            let share = (u128::from(u64::MAX) * u128::from(SAMPLE) / u128::from(records)).min(u128::from(u64::MAX));
            (kind(*at), at.column, share as u64)
        })
        .collect();
    let make = || Check {
        wanted: &wanted,
        below: &below,
        part,
        counts: vec![(0, 0, 0); wanted.len()],
        samples: vec![Vec::new(); below.len()],
    };
    let (taken, _) = counted[file].source.read(make, watch)?;
    let mut counts = vec![(0_u64, 0_u64); checks.len()];
    let mut samples: Vec<Sample> = vec![Vec::new(); groups.len()];
    for mut taken in taken {
        for (sum, (filled, _, orphans)) in counts.iter_mut().zip(&taken.counts) {
            sum.0 += filled;
            sum.1 += orphans;
        }
        for (all, part) in samples.iter_mut().zip(&mut taken.samples) {
            all.append(part);
        }
    }
    let references = checks.iter().zip(counts).map(|((child, parent), (filled, orphans))| FoundReference {
        child: *child,
        parent: *parent,
        filled,
        orphans: part.scale(orphans),
    });
    Ok((references.collect(), groups.iter().copied().zip(samples).collect()))
}

struct Check<'w> {
    wanted: &'w [(&'w [u8], usize, &'w Hashes)],
    /// Which records are sampled: those whose cell has no larger hash.
    below: &'w [(&'w [u8], usize, u64)],
    part: Part,
    /// Filled cells, those of the part that is counted, and orphans among these.
    counts: Vec<(u64, u64, u64)>,
    samples: Vec<Sample>,
}

impl Take for Check<'_> {
    fn record(&mut self, kind: &[u8], cells: &ByteRecord) {
        for ((of, column, parents), (filled, tested, orphans)) in self.wanted.iter().zip(&mut self.counts) {
            if **of == *kind
                && let Some(hash) = cell_hash(cells, *column)
            {
                *filled += 1;
                if self.part.has(hash) {
                    *tested += 1;
                    *orphans += u64::from(!parents.contains(&hash));
                }
            }
        }
        for ((of, column, below), sample) in self.below.iter().zip(&mut self.samples) {
            if **of == *kind && cell_hash(cells, *column).is_some_and(|hash| hash <= *below) {
                sample.push((0..cells.len()).map(|column| cell_hash(cells, column).unwrap_or(0)).collect());
            }
        }
    }
    fn lost(&mut self, _: usize, _: u64, _: Unreadable) {}
    fn control(&mut self, _: &[u8]) {}
}

/// Sets of columns that name the records of `sample`: the smallest there are, those further left first.
fn guess(counted: &[Counted], looks: &BTreeMap<At, Look>, group: At, sample: &Sample) -> Vec<Vec<usize>> {
    let records = records(counted, group);
    let usable = |column: &usize| {
        let look = &looks[&At { column: *column, ..group }];
        *column != group.column && look.filled == records && look.distinct > 1 && !look.is_decimal && look.longest <= 64
    };
    let columns: Vec<usize> =
        (0..counted[group.file].tables[group.table].columns.len()).filter(usable).take(CHOICE).collect();
    let names = |set: &[usize]| {
        let mut keys: Vec<u64> = sample
            .iter()
            .map(|row| combined(set.iter().map(|column| row.get(*column).copied().unwrap_or(0))))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        is_tolerable((sample.len() - keys.len()) as u64, sample.len() as u64)
    };
    for width in 1..WIDEST {
        let sets = subsets(&columns, width).into_iter().map(|mut set| {
            set.push(group.column);
            set.sort_unstable();
            set
        });
        let found: Vec<Vec<usize>> = sets.filter(|set| names(set)).take(KEYS).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The subsets of `width` of `columns`, in order.
fn subsets(columns: &[usize], width: usize) -> Vec<Vec<usize>> {
    if width == 0 {
        return vec![Vec::new()];
    }
    let mut sets = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        for mut rest in subsets(&columns[at + 1..], width - 1) {
            rest.insert(0, *column);
            sets.push(rest);
        }
    }
    sets
}

/// Those of `guesses` that hold for the whole table of `group`.
fn verify(
    counted: &[Counted],
    group: At,
    guesses: Vec<Vec<usize>>,
    part: Part,
    watch: &impl Watch,
) -> Result<Vec<FoundKey>, ExtractError> {
    let file = &counted[group.file];
    let kind = &*file.tables[group.table].kind;
    if guesses.is_empty() {
        return Ok(Vec::new());
    }
    let own = Part { shift: (part.shift..32).find(|shift| records(counted, group) >> shift <= HASHES).unwrap_or(32) };
    watch.begin(Step::Keys { bytes: file.source.bytes() });
    let wanted: Vec<(&[u8], Vec<usize>)> = guesses.into_iter().map(|columns| (kind, columns)).collect();
    let gathered = gather_combined(file, &wanted, own, watch)?;
    let keys = wanted.into_iter().zip(gathered).filter_map(|((_, columns), (hashes, records))| {
        let duplicates = records - hashes.len() as u64;
        is_tolerable(duplicates, records).then(|| FoundKey {
            file: group.file,
            table: group.table,
            columns,
            duplicates: own.scale(duplicates),
        })
    });
    Ok(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_in_order() {
        assert_eq!(subsets(&[0, 2, 5], 2), [vec![0, 2], vec![0, 5], vec![2, 5]]);
        assert_eq!(subsets(&[1], 2), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_part_of_the_hashes_stands_for_all() {
        let part = Part { shift: 3 };
        let counted = (0..80_000_u32).filter(|n| part.has(distinct::hash(&n.to_le_bytes()))).count() as u64;
        assert!(part.scale(counted).abs_diff(80_000) < 4_000, "{counted}");
        assert!(Part { shift: 0 }.has(u64::MAX));
    }
}
