//! Pieces of a cell: packed codes, fixed widths, leading zeros.

use std::str::from_utf8;

/// How a piece is cut out of a text. Blanks around a piece are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// The characters from `from` to `to`, both counted from 1 and both included; without `to`, to the end.
    Part {
        /// The first.
        from: usize,
        /// The last.
        to: Option<usize>,
    },
    /// The piece number `take`, counted from 1, of those that `by` stands between.
    Split {
        /// What stands between pieces.
        by: String,
        /// Which piece.
        take: usize,
    },
    /// Without this character at its beginning, however often it stands there.
    Strip(char),
}

impl Cut {
    /// The piece of `text`; nothing, where the text has no such piece.
    #[must_use]
    pub fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        // Cells are UTF-8: the reader of records sees to it.
        let Ok(text) = from_utf8(text) else { return b"" };
        let piece = match self {
            Self::Part { from, to } => part(text, *from, *to),
            Self::Split { by, take } => text.split(by.as_str()).nth(take - 1).unwrap_or_default(),
            Self::Strip(character) => return text.trim_start_matches(*character).as_bytes(),
        };
        piece.trim_ascii().as_bytes()
    }
}

fn part(text: &str, from: usize, to: Option<usize>) -> &str {
    let place = |count: usize| text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    let (start, end) = (place(from - 1), to.map_or(text.len(), place));
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(cut: &Cut, text: &str) -> String {
        String::from_utf8(cut.of(text.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn parts_are_counted_in_characters() {
        let part = |from, to| Cut::Part { from, to };
        assert_eq!(cut(&part(1, Some(2)), "E01R"), "E0");
        assert_eq!(cut(&part(4, None), "E01R"), "R");
        assert_eq!(cut(&part(2, Some(3)), "É£5"), "£5");
        assert_eq!(cut(&part(3, Some(9)), "E "), "", "a text that is too short has no such part");
        assert_eq!(cut(&part(1, Some(4)), "E   01"), "E", "blanks around it are not its own");
    }

    #[test]
    fn pieces_stand_between_what_splits_them() {
        let split = |take| Cut::Split { by: "-".into(), take };
        assert_eq!(cut(&split(2), "DOM-E7-01"), "E7");
        assert_eq!(cut(&split(4), "DOM-E7-01"), "");
        assert_eq!(cut(&split(1), "DOM"), "DOM");
    }

    #[test]
    fn zeros_are_stripped_from_the_beginning_alone() {
        assert_eq!(cut(&Cut::Strip('0'), "0001020"), "1020");
        assert_eq!(cut(&Cut::Strip('0'), "0000"), "", "nothing but zeros is no number");
    }
}
