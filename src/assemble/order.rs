//! Which records become which objects, and in which order.
//!
//! An entity's records are put below their parents by counting, so that the objects of an account lie side by side in
//! every entity; only the few below one parent are compared with each other. Sorting whole frames by several columns
//! costs ten times as much.

use crate::mapping::plan::EntityPlan;
use crate::stage::column::{CODE_ABSENT, DATE_ABSENT, NUMBER_ABSENT, Slice, TEXT_ABSENT, Texts};
use crate::stage::keys::NO_ROW;

/// The records of an entity in payload order.
#[derive(Debug, Default)]
pub struct Placed {
    /// Rows of the table.
    pub rows: Vec<u32>,
    /// The children of parent `p` are `rows[offsets[p]..offsets[p + 1]]`.
    pub offsets: Vec<u32>,
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

/// Puts the records below each parent in order, as the mapping says; ties by whatever else the entity writes, so that
/// only records of which the payload says the same can change places.
///
/// `columns` are the entity's, by row of the table.
pub fn sort(placed: &mut Placed, plan: &EntityPlan, columns: &[Slice<'_>], texts: &Texts) {
    let order = SortOrder { keys: &plan.order, columns, texts };
    let ranks = order.ranks(&placed.rows);
    let mut workspace = Workspace::default();
    for group in placed.offsets.windows(2).map(|ends| ends[0] as usize..ends[1] as usize) {
        if group.len() > 1 {
            order.sort(&ranks[group.clone()], &mut placed.rows[group], &mut workspace);
        }
    }
}

/// What is used again from group to group.
#[derive(Default)]
struct Workspace {
    places: Vec<u128>,
    rows: Vec<u32>,
}

/// The order of an entity's records.
struct SortOrder<'a> {
    /// Column and whether the largest comes first.
    keys: &'a [(usize, bool)],
    columns: &'a [Slice<'a>],
    texts: &'a Texts,
}

impl SortOrder<'_> {
    /// Sorts `rows`, whose ranks are `ranks`.
    fn sort(&self, ranks: &[u128], rows: &mut [u32], Workspace { places, rows: sorted }: &mut Workspace) {
        // Plain numbers are sorted in a fraction of the time: most of a rank, and a place instead of the rest. Records that
        // are alike so far are sorted again by all they have.
        const PLACE: u128 = u32::MAX as u128;
        let place = |of: u128| (of & PLACE) as usize;
        places.clear();
        places.extend((0_u128..).zip(ranks).map(|(at, rank)| rank & !PLACE | at));
        places.sort_unstable();
        for alike in places.chunk_by_mut(|a, b| a & !PLACE == b & !PLACE).filter(|alike| alike.len() > 1) {
            alike.sort_unstable_by(|a, b| {
                let (a, b) = (place(*a), place(*b));
                let by_rank = ranks[a].cmp(&ranks[b]);
                by_rank.then_with(|| self.compare(rows[a] as usize, rows[b] as usize)).then(rows[a].cmp(&rows[b]))
            });
        }
        sorted.clear();
        sorted.extend(places.iter().map(|at| rows[place(*at)]));
        rows.copy_from_slice(sorted);
    }

    /// The first 128 bits of each record's rank: most pairs differ there, and nothing else is looked at.
    fn ranks(&self, rows: &[u32]) -> Vec<u128> {
        let mut ranks = vec![0; rows.len()];
        let mut free = u128::BITS;
        for (column, descending) in self.keys {
            match &self.columns[*column] {
                // Dates and codes are short: their upper bits say nothing.
                Slice::Code(codes) => {
                    free = add((&mut ranks, rows), free, 16, *descending, |row| {
                        (u64::from(codes[row]), codes[row] == CODE_ABSENT)
                    });
                }
                Slice::Date(days) => {
                    free = add((&mut ranks, rows), free, 32, *descending, |row| {
                        (u64::from(days[row].cast_unsigned() ^ (1 << 31)), days[row] == DATE_ABSENT)
                    });
                }
                Slice::Number(numbers) => {
                    free = add((&mut ranks, rows), free, 64, *descending, |row| {
                        (numbers[row].cast_unsigned() ^ (1 << 63), numbers[row] == NUMBER_ABSENT)
                    });
                }
                Slice::Text(handles) => {
                    add((&mut ranks, rows), free, 64, *descending, |row| {
                        if handles[row] == TEXT_ABSENT {
                            (0, true)
                        } else {
                            (text_rank(self.texts.get(&handles[row])), false)
                        }
                    });
                    // The rank tells only the beginning of a text, so nothing may follow it.
                    return ranks;
                }
            }
            if free == 0 {
                break;
            }
        }
        ranks
    }

    fn is_absent(&self, column: usize, row: usize) -> bool {
        self.columns[column].is_absent(row)
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

/// Adds the ranks of a column of `rows`, of `bits` bits each, to `ranks`, whose lowest `free` bits are free; gives how many
/// are left.
/// Absent ranks first, whichever way the others go.
fn add(
    (ranks, rows): (&mut [u128], &[u32]),
    free: u32,
    bits: u32,
    descending: bool,
    rank: impl Fn(usize) -> (u64, bool),
) -> u32 {
    let ones = u64::MAX >> (64 - bits);
    for (of_all, row) in ranks.iter_mut().zip(rows) {
        let (rank, absent) = rank(*row as usize);
        let rank = u128::from(if descending && !absent { !rank & ones } else { rank });
        *of_all |= if bits > free { rank >> (bits - free) } else { rank << (free - bits) };
    }
    free.saturating_sub(bits)
}

/// The first seven bytes of a text, and how much of it there is, so that "a" ranks before "a\0".
fn text_rank(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(7);
    bytes[..length].copy_from_slice(&text[..length]);
    bytes[7] = text.len().min(8) as u8 + 1;
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lie_below_their_parents() {
        let placed = place(&[1, NO_ROW, 0, 1, 2], 4);
        assert_eq!(placed.rows, [2, 0, 3, 4]);
        assert_eq!(placed.offsets, [0, 1, 3, 4, 4]);
    }

    fn sorted_by(order: &SortOrder<'_>, rows: &[u32]) -> Vec<u32> {
        let mut sorted = rows.to_vec();
        order.sort(&order.ranks(rows), &mut sorted, &mut Workspace::default());
        sorted
    }

    fn sorted(dates: &[i32], numbers: &[i64], keys: &[(usize, bool)]) -> Vec<u32> {
        let texts = Texts::default();
        let columns = [Slice::Date(dates), Slice::Number(numbers)];
        let rows: Vec<u32> = (0..dates.len() as u32).collect();
        sorted_by(&SortOrder { keys, columns: &columns, texts: &texts }, &rows)
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
    fn ranks_follow_the_order_of_bytes() {
        let sorted = ["", "a", "a\0", "ab", "abcdefg", "abcdefgh", "abcdefghi", "b"];
        for pair in sorted.windows(2) {
            assert!(text_rank(pair[0].as_bytes()) <= text_rank(pair[1].as_bytes()), "{pair:?}");
        }
        assert!(text_rank(b"") > 0, "a blank text is not an absent one");
    }

    #[test]
    fn long_texts_that_begin_alike_are_compared_in_full() {
        let mut texts = Texts::default();
        let handles = ["meter 0002", "meter 0001", "meter 00"].map(|text| texts.push(text.as_bytes()));
        let columns = [Slice::Text(&handles)];
        for (descending, expected) in [(false, [2, 1, 0]), (true, [0, 1, 2])] {
            let order = SortOrder { keys: &[(0, descending)], columns: &columns, texts: &texts };
            assert_eq!(sorted_by(&order, &[0, 1, 2]), expected);
        }
    }
}
