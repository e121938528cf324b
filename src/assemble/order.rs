//! Which records become which objects, and in which order.
//!
//! An entity's records are put below their parents by counting, so that the objects of an account lie side by side in
//! every entity; only the few below one parent are compared with each other. Sorting whole frames by several columns
//! costs ten times as much.

use rayon::prelude::*;

use crate::mapping::plan::EntityPlan;
use crate::stage::column::{Slice, Texts};
use crate::stage::keys::NO_ROW;

/// The records of an entity in payload order.
#[derive(Debug, Default)]
pub struct Placed {
    /// Rows of the table.
    pub rows: Vec<u32>,
    /// The children of parent `p` are `rows[offsets[p]..offsets[p + 1]]`.
    pub offsets: Vec<u32>,
}

/// For each of `count` rows of a table, its place among `rows`, or [`NO_ROW`].
#[must_use]
pub fn positions(rows: &[u32], count: u32) -> Vec<u32> {
    let mut positions = vec![NO_ROW; count as usize];
    for (position, row) in (0..).zip(rows) {
        positions[*row as usize] = position;
    }
    positions
}

/// Puts the records below their parents: `parents[row]` is the place of a record's parent, or [`NO_ROW`] for a record
/// that is not of this entity.
#[must_use]
pub fn place(parents: &[u32], parent_count: usize) -> Placed {
    let mut offsets = vec![0_u32; parent_count + 1];
    for &parent in parents {
        if parent != NO_ROW {
            offsets[parent as usize + 1] += 1;
        }
    }
    for at in 1..offsets.len() {
        offsets[at] += offsets[at - 1];
    }
    let mut next = offsets.clone();
    let mut rows = vec![0; offsets[parent_count] as usize];
    for (row, &parent) in (0..).zip(parents) {
        if parent != NO_ROW {
            let slot = &mut next[parent as usize];
            rows[*slot as usize] = row;
            *slot += 1;
        }
    }
    Placed { rows, offsets }
}

/// How many parents are sorted by one task.
const PARENTS_A_TASK: usize = 4096;

/// The order of the records below each parent, as the mapping says; ties by whatever else the entity writes.
///
/// `columns` are in the order of `offsets`, so that a task reads stretches of them, not single values here and there.
/// Gives the place of each record before; none if every record is in its place already.
#[must_use]
pub fn sort(offsets: &[u32], plan: &EntityPlan, columns: &[Slice<'_>], texts: &Texts) -> Option<Vec<u32>> {
    let order = SortOrder { keys: &plan.order, columns, texts };
    let mut places: Vec<u32> = (0..offsets.last().copied().unwrap_or_default()).collect();
    let mut rest = places.as_mut_slice();
    let mut tasks = Vec::new();
    for parents in (0..offsets.len().saturating_sub(1)).step_by(PARENTS_A_TASK) {
        let last = (parents + PARENTS_A_TASK).min(offsets.len() - 1);
        let (task, after) = rest.split_at_mut((offsets[last] - offsets[parents]) as usize);
        tasks.push((&offsets[parents..=last], task));
        rest = after;
    }
    let moved: Vec<bool> = tasks
        .into_par_iter()
        .map(|(offsets, places)| {
            let mut keyed = Vec::new();
            let mut moved = false;
            for group in offsets.windows(2) {
                let (start, end) = ((group[0] - offsets[0]) as usize, (group[1] - offsets[0]) as usize);
                if end - start > 1 {
                    moved |= order.sort(&mut places[start..end], &mut keyed);
                }
            }
            moved
        })
        .collect();
    moved.contains(&true).then_some(places)
}

/// The order of an entity's records.
struct SortOrder<'a> {
    /// Column and whether the largest comes first.
    keys: &'a [(usize, bool)],
    columns: &'a [Slice<'a>],
    texts: &'a Texts,
}

impl SortOrder<'_> {
    /// Sorts `rows`; tells whether any moved. `keyed` is scratch space.
    fn sort(&self, rows: &mut [u32], keyed: &mut Vec<(u128, u32)>) -> bool {
        keyed.clear();
        keyed.extend(rows.iter().map(|row| (self.prefix(*row as usize), *row)));
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.compare(a.1 as usize, b.1 as usize)));
        let mut moved = false;
        for (slot, (_, row)) in rows.iter_mut().zip(keyed.iter()) {
            moved |= *slot != *row;
            *slot = *row;
        }
        moved
    }

    /// The first 128 bits of a record's rank: most pairs differ there, and nothing else is looked at.
    fn prefix(&self, row: usize) -> u128 {
        let mut prefix = 0_u128;
        let mut free = 128;
        for (column, descending) in self.keys {
            let (rank, bits, whole) = match &self.columns[*column] {
                // Dates and codes are short: their upper bits say nothing.
                slice @ Slice::Date(_) => (slice.rank(row, self.texts).0, 32, true),
                slice @ Slice::Code(_) => (slice.rank(row, self.texts).0, 16, true),
                slice => {
                    let (rank, whole) = slice.rank(row, self.texts);
                    (rank, 64, whole)
                }
            };
            let rank = if *descending && !self.is_absent(*column, row) { flip(rank, bits) } else { rank };
            if free == 0 {
                return prefix;
            }
            if bits > free {
                prefix |= u128::from(rank >> (bits - free));
                return prefix;
            }
            free -= bits;
            prefix |= u128::from(rank) << free;
            if !whole {
                return prefix;
            }
        }
        prefix
    }

    fn is_absent(&self, column: usize, row: usize) -> bool {
        self.columns[column].rank(row, self.texts).0 == 0
    }

    fn compare(&self, a: usize, b: usize) -> std::cmp::Ordering {
        let by_key = |(column, descending): &(usize, bool)| {
            let order = self.columns[*column].compare(a, b, self.texts);
            let one_absent = self.is_absent(*column, a) != self.is_absent(*column, b);
            if *descending && !one_absent { order.reverse() } else { order }
        };
        let by_order = self.keys.iter().map(by_key).find(|order| order.is_ne());
        let by_rest = || self.columns.iter().map(|column| column.compare(a, b, self.texts)).find(|order| order.is_ne());
        by_order.or_else(by_rest).unwrap_or(std::cmp::Ordering::Equal)
    }
}

/// `rank` of `bits` bits, largest first; 0 stays free for absent.
fn flip(rank: u64, bits: u32) -> u64 {
    if bits == 64 { !rank } else { !rank & ((1 << bits) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::column::DATE_ABSENT;

    #[test]
    fn records_lie_below_their_parents() {
        let placed = place(&[1, NO_ROW, 0, 1, 2], 4);
        assert_eq!(placed.rows, [2, 0, 3, 4]);
        assert_eq!(placed.offsets, [0, 1, 3, 4, 4]);
        assert_eq!(positions(&placed.rows, 5), [1, NO_ROW, 0, 2, 3]);
    }

    fn sorted(dates: &[i32], numbers: &[i64], keys: &[(usize, bool)]) -> Vec<u32> {
        let texts = Texts::default();
        let columns = [Slice::Date(dates), Slice::Number(numbers)];
        let mut rows: Vec<u32> = (0..dates.len() as u32).collect();
        SortOrder { keys, columns: &columns, texts: &texts }.sort(&mut rows, &mut Vec::new());
        rows
    }

    #[test]
    fn blanks_come_first_whichever_way_the_rest_goes() {
        let dates = [3, DATE_ABSENT, -2, 7];
        let numbers = [0; 4];
        assert_eq!(sorted(&dates, &numbers, &[(0, false)]), [1, 2, 0, 3]);
        assert_eq!(sorted(&dates, &numbers, &[(0, true)]), [1, 3, 0, 2]);
    }

    #[test]
    fn ties_go_by_the_next_column() {
        let dates = [1, 1, 0];
        let numbers = [-5, -6, 9];
        assert_eq!(sorted(&dates, &numbers, &[(0, true), (1, false)]), [1, 0, 2]);
        assert_eq!(sorted(&dates, &numbers, &[]), [2, 1, 0], "without an order, by all that is written");
    }

    #[test]
    fn long_texts_that_begin_alike_are_compared_in_full() {
        let mut texts = Texts::default();
        let handles = ["meter 0002", "meter 0001", "meter 00"].map(|text| texts.push(text.as_bytes()));
        let columns = [Slice::Text(&handles)];
        for (descending, expected) in [(false, [2, 1, 0]), (true, [0, 1, 2])] {
            let mut rows = vec![0, 1, 2];
            let order = SortOrder { keys: &[(0, descending)], columns: &columns, texts: &texts };
            order.sort(&mut rows, &mut Vec::new());
            assert_eq!(rows, expected);
        }
    }
}
