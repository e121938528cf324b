//! Shapes of texts: `9999-99-99`, `AA9 9AA`. They tell what kind of text a column holds without telling any text.
//!
//! A column of few shapes has them all counted. One of many has its shapes counted with runs drawn together
//! (`A+ 9+`), and one of many of those is free text. Which it is depends on the values alone, not on their order.

use std::collections::BTreeMap;

/// The longest shape that is told, in characters.
const LENGTH: usize = 32;
/// Most shapes that are counted one by one.
const MOST: usize = 40;

/// The shapes of a column.
#[derive(Clone, Debug)]
pub(super) enum Shapes {
    /// Each with how often it was seen.
    Fine(BTreeMap<Box<str>, u64>),
    /// The same with runs drawn together.
    Coarse(BTreeMap<Box<str>, u64>),
    /// Too many.
    Free,
}

impl Default for Shapes {
    fn default() -> Self {
        Self::Fine(BTreeMap::new())
    }
}

impl Shapes {
    pub(super) fn add(&mut self, text: &str, count: u64) {
        let shape = match self {
            Self::Free => return,
            Self::Fine(_) => fine(text),
            Self::Coarse(_) => coarse(&fine(text)),
        };
        self.put(&shape, count);
    }

    fn put(&mut self, shape: &str, count: u64) {
        let (Self::Fine(known) | Self::Coarse(known)) = self else { return };
        if let Some(seen) = known.get_mut(shape) {
            *seen += count;
            return;
        }
        if known.len() < MOST {
            known.insert(shape.into(), count);
            return;
        }
        self.widen();
        match self {
            Self::Coarse(_) => self.put(&coarse(shape), count),
            Self::Fine(_) | Self::Free => {}
        }
    }

    /// From one by one to drawn together to none at all.
    fn widen(&mut self) {
        let known = match std::mem::replace(self, Self::Free) {
            Self::Fine(known) => known,
            Self::Coarse(_) | Self::Free => return,
        };
        *self = Self::Coarse(BTreeMap::new());
        for (shape, count) in known {
            self.put(&coarse(&shape), count);
        }
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        while self.width() < other.width() {
            self.widen();
        }
        while other.width() < self.width() {
            other.widen();
        }
        let (Self::Fine(known) | Self::Coarse(known)) = other else { return };
        let was_coarse = matches!(self, Self::Coarse(_));
        for (shape, count) in known {
            if !was_coarse && matches!(self, Self::Coarse(_)) {
                self.put(&coarse(&shape), count);
            } else {
                self.put(&shape, count);
            }
        }
    }

    fn width(&self) -> u8 {
        match self {
            Self::Fine(_) => 0,
            Self::Coarse(_) => 1,
            Self::Free => 2,
        }
    }

    /// The shapes and how often each was seen, the most frequent first; none for free text.
    pub(super) fn most(self) -> Vec<(String, u64)> {
        let (Self::Fine(known) | Self::Coarse(known)) = self else { return Vec::new() };
        let mut shapes: Vec<(String, u64)> = known.into_iter().map(|(shape, count)| (shape.into(), count)).collect();
        shapes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        shapes
    }
}

fn class(c: char) -> char {
    match c {
        _ if c.is_numeric() => '9',
        _ if c.is_uppercase() => 'A',
        _ if c.is_alphabetic() => 'a',
        _ if c.is_control() => '·',
        _ => c,
    }
}

/// Character by character, cut.
pub(super) fn fine(text: &str) -> String {
    let mut shape: String = text.chars().take(LENGTH).map(class).collect();
    if text.len() > LENGTH && text.chars().nth(LENGTH).is_some() {
        shape.push('…');
    }
    shape
}

/// Runs of one class drawn together: `Aaaa 99` is `Aa+ 9+`.
fn coarse(shape: &str) -> String {
    let mut drawn = String::new();
    let mut chars = shape.chars().peekable();
    while let Some(c) = chars.next() {
        drawn.push(c);
        if matches!(c, '9' | 'A' | 'a') && chars.peek() == Some(&c) {
            drawn.push('+');
            while chars.next_if_eq(&c).is_some() {}
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(texts: &[String]) -> Shapes {
        let mut shapes = Shapes::default();
        for text in texts {
            shapes.add(text, 1);
        }
        shapes
    }

    #[test]
    fn a_few_shapes_are_counted_one_by_one() {
        let dates = ["2026-01-02", "2026-11-12", "31/12/2026"].map(str::to_owned);
        assert_eq!(shapes(&dates).most(), [("9999-99-99".to_owned(), 2), ("99/99/9999".to_owned(), 1)]);
        assert_eq!(fine(&"é".repeat(40)), format!("{}…", "a".repeat(32)));
    }

    #[test]
    fn many_are_drawn_together_whatever_their_order() {
        let mut texts: Vec<String> =
            (1..80).map(|n| format!("{} {}", "x".repeat(n % 28 + 1), "7".repeat(n % 3 + 1))).collect();
        let forth = shapes(&texts).most();
        texts.reverse();
        assert_eq!(forth, shapes(&texts).most());
        assert!(forth.len() < 8 && forth[0].0.contains("a+"), "{forth:?}");
        let (one, other) = texts.split_at(30);
        let mut merged = shapes(one);
        merged.merge(shapes(other));
        assert_eq!(merged.most(), forth);
    }

    #[test]
    fn free_text_has_no_shapes() {
        let texts: Vec<String> =
            (0..200_u32).map(|n| (0..8).map(|bit| if n >> bit & 1 == 1 { '-' } else { '/' }).collect()).collect();
        assert_eq!(shapes(&texts).most(), []);
    }
}
