//! What is counted of one column, in any order of its cells and in parts that are put together afterwards.
//!
//! As long as a column has few different values, these are counted and nothing else is looked at; so a column of codes
//! costs one look-up a cell. With one value too many, everything is worked out for each value, and the values are let
//! go. Which of the two a column is depends on its values alone.

use hashbrown::HashTable;
use rust_decimal::Decimal;

use super::distinct::{self, Sketch};
use super::kinds::{self, FORMATS, Written};
use super::shapes::Shapes;

/// Up to so many different values of a column are counted one by one.
pub const FEW: usize = 1000;
/// And so many bytes of them.
const FEW_BYTES: usize = 64 * 1024;

/// A column's counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) blank: u64,
    /// Cells with blanks around their text.
    pub(super) padded: u64,
    values: Values,
}

/// A text and how often it came.
pub(super) type Counted = (Box<[u8]>, u64);

#[derive(Debug)]
enum Values {
    Few(Few),
    Many(Box<Many>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

/// Different values, each with its hash and how often it came.
#[derive(Debug, Default)]
struct Few {
    values: HashTable<(u64, Box<[u8]>, u64)>,
    bytes: usize,
}

impl Few {
    /// Counts `cell`; false if that would be one too many.
    fn add(&mut self, hash: u64, cell: &[u8], count: u64) -> bool {
        if let Some(known) = self.values.find_mut(hash, |known| *known.1 == *cell) {
            known.2 += count;
            return true;
        }
        self.bytes += cell.len();
        if self.values.len() >= FEW || self.bytes > FEW_BYTES {
            return false;
        }
        self.values.insert_unique(hash, (hash, cell.into(), count), |known| known.0);
        true
    }
}

impl Counts {
    pub(super) fn add(&mut self, cell: &[u8]) {
        let text = cell.trim_ascii();
        if text.is_empty() {
            self.blank += 1;
            return;
        }
        self.padded += u64::from(text.len() != cell.len());
        self.put(distinct::hash(text), text, 1);
    }

    fn put(&mut self, hash: u64, text: &[u8], count: u64) {
        if let Values::Few(few) = &mut self.values {
            if few.add(hash, text, count) {
                return;
            }
            self.spread();
        }
        if let Values::Many(many) = &mut self.values {
            many.add(hash, text, count);
        }
    }

    /// From few to many.
    fn spread(&mut self) {
        if let Values::Few(few) = std::mem::take(&mut self.values) {
            self.values = Values::Many(Box::new(Many::of(few)));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.blank += other.blank;
        self.padded += other.padded;
        match other.values {
            Values::Few(few) => {
                for (hash, text, count) in few.values {
                    self.put(hash, &text, count);
                }
            }
            Values::Many(theirs) => {
                if matches!(self.values, Values::Few(_)) {
                    self.spread();
                }
                if let Values::Many(ours) = &mut self.values {
                    ours.merge(*theirs);
                }
            }
        }
    }

    /// Everything about the values, and the values themselves if they are few.
    pub(super) fn into_parts(self) -> (u64, u64, Many, Option<Vec<Counted>>) {
        let (many, few) = match self.values {
            Values::Many(many) => (*many, None),
            Values::Few(few) => {
                let mut values: Vec<Counted> =
                    few.values.iter().map(|(_, text, count)| (text.clone(), *count)).collect();
                values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                (Many::of(few), Some(values))
            }
        };
        (self.blank, self.padded, many, few)
    }

    /// What keys are told by.
    pub(super) fn look(&self) -> Look {
        let of_few;
        let many = match &self.values {
            Values::Many(many) => many,
            Values::Few(few) => {
                let mut many = Many::default();
                for (hash, text, count) in &few.values {
                    many.add(*hash, text, *count);
                }
                of_few = many;
                &of_few
            }
        };
        let most_of = |count: u64| count > 0 && count * 20 >= many.filled * 19;
        Look {
            filled: many.filled,
            distinct: many.sketch.distinct().0,
            longest: many.lengths.map_or(0, |(_, longest)| longest),
            is_date: many.best_format().is_some_and(|(_, fit)| most_of(fit.count)),
            is_decimal: most_of(many.numbers) && many.with_point + many.with_comma > 0,
            is_dense: most_of(many.numbers) && many.is_dense(),
            sketch: many.sketch.clone(),
        }
    }
}

/// What keys and references are told by.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) filled: u64,
    pub(super) distinct: u64,
    /// In characters.
    pub(super) longest: usize,
    pub(super) is_date: bool,
    pub(super) is_decimal: bool,
    /// Numbers that follow one another closely, as running numbers do: what lies among them says little.
    pub(super) is_dense: bool,
    pub(super) sketch: Sketch,
}

/// How often a way of writing dates fits, and the first and the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) count: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// The first and the last of some texts.
type Texts = (Box<[u8]>, Box<[u8]>);

/// What is known of the values that are not blank.
#[derive(Debug)]
pub(super) struct Many {
    pub(super) filled: u64,
    pub(super) sketch: Sketch,
    pub(super) shapes: Shapes,
    /// The shortest and the longest, in characters.
    pub(super) lengths: Option<(usize, usize)>,
    /// The first and the last in the order of their bytes.
    pub(super) texts: Option<Texts>,
    pub(super) fits: [Fit; FORMATS.len()],
    pub(super) numbers: u64,
    pub(super) range: Option<(Decimal, Decimal)>,
    /// The most digits after a point.
    pub(super) places: u32,
    pub(super) with_point: u64,
    pub(super) with_comma: u64,
    pub(super) sign_behind: u64,
    pub(super) negative: u64,
    pub(super) zeros: u64,
    pub(super) line_breaks: u64,
}

impl Default for Many {
    fn default() -> Self {
        Self {
            filled: 0,
            sketch: Sketch::default(),
            shapes: Shapes::default(),
            lengths: None,
            texts: None,
            fits: [Fit { count: 0, first: i64::MAX, last: i64::MIN }; FORMATS.len()],
            numbers: 0,
            range: None,
            places: 0,
            with_point: 0,
            with_comma: 0,
            sign_behind: 0,
            negative: 0,
            zeros: 0,
            line_breaks: 0,
        }
    }
}

impl Many {
    fn of(few: Few) -> Self {
        let mut many = Self::default();
        for (hash, text, count) in few.values {
            many.add(hash, &text, count);
        }
        many
    }

    fn add(&mut self, hash: u64, text: &[u8], count: u64) {
        self.filled += count;
        self.sketch.add(hash);
        let string = String::from_utf8_lossy(text);
        self.shapes.add(&string, count);
        let length = if text.is_ascii() { text.len() } else { string.chars().count() };
        let (shortest, longest) = self.lengths.unwrap_or((length, length));
        self.lengths = Some((shortest.min(length), longest.max(length)));
        match &mut self.texts {
            None => self.texts = Some((text.into(), text.into())),
            Some((first, _)) if text < &**first => *first = text.into(),
            Some((_, last)) if text > &**last => *last = text.into(),
            Some(_) => {}
        }
        self.line_breaks += if text.contains(&b'\n') { count } else { 0 };
        if matches!(text[0], b'0'..=b'9' | b'-' | b'+') {
            self.add_number(text, count);
            self.add_date(text, count);
        }
    }

    fn add_number(&mut self, text: &[u8], count: u64) {
        let Some((value, written)) = kinds::number(text) else { return };
        let Written { point, comma, sign_behind, negative, zeros } = written;
        self.numbers += count;
        self.with_point += if point { count } else { 0 };
        self.with_comma += if comma { count } else { 0 };
        self.sign_behind += if sign_behind { count } else { 0 };
        self.negative += if negative { count } else { 0 };
        self.zeros += if zeros { count } else { 0 };
        self.places = self.places.max(value.scale());
        self.widen(value, value);
    }

    fn widen(&mut self, least: Decimal, most: Decimal) {
        let (low, high) = self.range.unwrap_or((least, most));
        self.range = Some((low.min(least), high.max(most)));
    }

    fn add_date(&mut self, text: &[u8], count: u64) {
        for (format, fit) in self.fits.iter_mut().enumerate() {
            if let Some(instant) = kinds::instant(text, format) {
                fit.count += count;
                fit.first = fit.first.min(instant);
                fit.last = fit.last.max(instant);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.filled += other.filled;
        self.sketch.merge(&other.sketch);
        self.shapes.merge(other.shapes);
        if let Some((shortest, longest)) = other.lengths {
            let (low, high) = self.lengths.unwrap_or((shortest, longest));
            self.lengths = Some((low.min(shortest), high.max(longest)));
        }
        self.texts = match (self.texts.take(), other.texts) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (ours, theirs) => ours.or(theirs),
        };
        for (ours, theirs) in self.fits.iter_mut().zip(other.fits) {
            ours.count += theirs.count;
            ours.first = ours.first.min(theirs.first);
            ours.last = ours.last.max(theirs.last);
        }
        if let Some((least, most)) = other.range {
            self.widen(least, most);
        }
        self.places = self.places.max(other.places);
        self.numbers += other.numbers;
        self.with_point += other.with_point;
        self.with_comma += other.with_comma;
        self.sign_behind += other.sign_behind;
        self.negative += other.negative;
        self.zeros += other.zeros;
        self.line_breaks += other.line_breaks;
    }

    /// Whether of the numbers between the least and the greatest one in fifty is there.
    fn is_dense(&self) -> bool {
        let distinct = Decimal::from(self.sketch.distinct().0);
        self.range.is_some_and(|(least, most)| most - least < distinct * Decimal::from(50))
    }

    /// The way of writing dates that fits most cells.
    pub(super) fn best_format(&self) -> Option<(usize, Fit)> {
        let fits = self.fits.iter().copied().enumerate().filter(|(_, fit)| fit.count > 0);
        fits.max_by_key(|(at, fit)| (fit.count, std::cmp::Reverse(*at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cells: impl Iterator<Item = String>) -> Counts {
        let mut counts = Counts::default();
        for cell in cells {
            counts.add(cell.as_bytes());
        }
        counts
    }

    fn told(counts: Counts) -> String {
        let (blank, padded, many, few) = counts.into_parts();
        let Many { filled, sketch, shapes, lengths, texts, fits, numbers, range, places, .. } = many;
        let few = few.map(|few| few.len());
        let distinct = sketch.distinct();
        let shapes = shapes.most();
        format!(
            "{blank} {padded} {filled} {distinct:?} {shapes:?} {lengths:?} {texts:?} {fits:?} {numbers} {range:?} {places} {few:?}"
        )
    }

    #[test]
    fn parts_put_together_in_any_order_are_the_whole() {
        for many in [50, 5000] {
            let cells =
                || (0..many).map(|n| if n % 7 == 0 { " ".into() } else { format!("{}.{:02} ", n % 1900, n % 60) });
            let whole = told(counts(cells()));
            let parts = || (counts(cells().take(30)), counts(cells().skip(30)));
            let (mut one, other) = parts();
            one.merge(other);
            assert_eq!(told(one), whole);
            let (one, mut other) = parts();
            other.merge(one);
            assert_eq!(told(other), whole);
        }
    }

    #[test]
    fn few_values_are_kept_with_their_counts_and_many_are_not() {
        let (_, _, many, few) = counts(["E", "G", "E"].iter().map(|text| (*text).to_owned())).into_parts();
        assert_eq!(few.unwrap(), [(b"E".as_slice().into(), 2), (b"G".as_slice().into(), 1)]);
        assert_eq!(many.filled, 3);
        let (_, _, many, few) = counts((0..=FEW).map(|n| n.to_string())).into_parts();
        assert!(few.is_none() && many.numbers == FEW as u64 + 1);
    }
}
