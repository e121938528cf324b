//! How a file is cut into records and cells, told from its head: delimiter, quote, line breaks inside cells, header or
//! positions, and record types where a file holds several.

use std::collections::BTreeMap;

use csv::ByteRecord;

/// How a file seems to be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sniffed {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    /// Whether a quoted cell goes on over a line end.
    pub(super) breaks: bool,
    /// The names in the first record, if it is a header.
    pub(super) header: Option<Vec<String>>,
    /// Cells of most records.
    pub(super) cells: usize,
    /// Whether the first cell of each record says what kind of record it is.
    pub(super) typed: bool,
    /// Whether the first record is about the file: it is left out of everything.
    pub(super) preamble: bool,
}

/// Between cells, the likelier first.
const DELIMITERS: [u8; 6] = [b',', b';', b'\t', b'|', b'^', b'~'];
/// Most records of the head that are looked at.
const RECORDS: usize = 2000;
/// Most kinds of records that a file may be told to hold.
pub(super) const TYPES: usize = 24;
/// First cells of records that are about their file rather than of it.
const CONTROLS: [&str; 14] =
    ["HDR", "HEAD", "HEADER", "FHDR", "FH", "TRL", "TRAIL", "TRAILER", "FTRL", "FT", "EOF", "END", "FOOTER", "CTL"];

/// Whether `cell`, the first of a record, says that the record is about the file.
pub(super) fn is_control(cell: &[u8]) -> bool {
    CONTROLS.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether `cell` may name a kind of record: short, in capitals and digits.
pub(super) fn may_be_type(cell: &[u8]) -> bool {
    (1..=8).contains(&cell.len())
        && cell.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// Tells how `head`, the start of a file as text, is cut; `whole` says that it is all of the file.
pub(super) fn sniff(head: &[u8], whole: bool) -> Sniffed {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let quote = if has_quoted_cells(head) { Some(b'"') } else { stray_quotes(head) };
    let best = DELIMITERS
        .iter()
        .map(|delimiter| Cut::of(head, *delimiter, quote, whole))
        .reduce(|best, cut| if cut.score() > best.score() { cut } else { best });
    // There is at least one delimiter to try.
    let cut = best.unwrap_or_else(|| Cut::of(head, b',', quote, whole));
    let usual = cut.usual();
    let first = cut.records.first().map_or(&[][..], Vec::as_slice);
    let begins_with_control =
        first.first().is_some_and(|cell| is_control(cell)) && (first.len() != usual || cut.records.len() < 3);
    let typed = cut.is_typed(begins_with_control);
    let preamble = begins_with_control && !typed;
    let at = usize::from(preamble);
    let header = if typed { None } else { cut.header(at) };
    let cells = header.as_ref().map_or(usual, Vec::len);
    Sniffed { delimiter: cut.delimiter, quote, breaks: cut.breaks, header, cells, typed, preamble }
}

/// Whether some cell begins with a quote: after a line end, or after anything that may be a delimiter.
fn has_quoted_cells(head: &[u8]) -> bool {
    memchr::memchr_iter(b'"', head).any(|at| at == 0 || head[at - 1] == b'\n' || DELIMITERS.contains(&head[at - 1]))
}

/// Quotes that stand inside cells alone are text, not quotes.
fn stray_quotes(head: &[u8]) -> Option<u8> {
    if memchr::memchr(b'"', head).is_some() { None } else { Some(b'"') }
}

/// A head cut in one way.
struct Cut {
    delimiter: u8,
    records: Vec<Vec<Box<[u8]>>>,
    breaks: bool,
}

impl Cut {
    fn of(head: &[u8], delimiter: u8, quote: Option<u8>, whole: bool) -> Self {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .quoting(quote.is_some())
            .from_reader(head);
        let mut records = Vec::new();
        let mut breaks = 0;
        let mut record = ByteRecord::new();
        while records.len() < RECORDS && reader.read_byte_record(&mut record).unwrap_or(false) {
            // A quote that opens by mistake swallows line after line; one that closes soon was meant.
            breaks +=
                usize::from(record.iter().any(|cell| (1..=50).contains(&memchr::memchr_iter(b'\n', cell).count())));
            records.push(record.iter().map(Box::from).collect());
        }
        if !whole && records.len() > 1 && records.len() < RECORDS {
            records.pop();
        }
        Self { delimiter, records, breaks: breaks > 0 }
    }

    /// The most frequent number of cells.
    fn usual(&self) -> usize {
        most_frequent(self.records.iter().map(Vec::len)).map_or(1, |(cells, _)| cells)
    }

    /// How well the records agree, in thousandths, and by how many cells: records of a kind have as many.
    fn score(&self) -> (usize, usize) {
        if self.records.is_empty() {
            return (0, 0);
        }
        let agreeing = if self.may_be_typed() {
            let mut kinds: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
            for record in &self.records {
                kinds.entry(first_cell(record)).or_default().push(record.len());
            }
            kinds.into_values().filter_map(most_frequent).filter(|(cells, _)| *cells > 1).map(|(_, n)| n).sum()
        } else {
            most_frequent(self.records.iter().map(Vec::len)).filter(|(cells, _)| *cells > 1).map_or(0, |(_, n)| n)
        };
        // What agrees in nine of ten records agrees; then more cells are better than fewer.
        let share = agreeing * 1000 / self.records.len();
        (if share >= 900 { 1000 } else { share }, self.records.iter().map(Vec::len).sum::<usize>() / self.records.len())
    }

    fn may_be_typed(&self) -> bool {
        let mut kinds: Vec<&[u8]> = Vec::new();
        for record in &self.records {
            let cell = first_cell(record);
            if !kinds.contains(&cell) {
                if !may_be_type(cell) || kinds.len() == TYPES {
                    return false;
                }
                kinds.push(cell);
            }
        }
        let has_control = kinds.iter().any(|kind| is_control(kind));
        kinds.len() > 1 && kinds.len() * if has_control { 1 } else { 2 } < self.records.len().max(3)
    }

    /// Whether the first cells tell kinds apart: they do if the number of cells follows from them and from nothing else.
    fn is_typed(&self, begins_with_control: bool) -> bool {
        if !self.may_be_typed() {
            return false;
        }
        let mut cells: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for record in &self.records {
            cells.entry(first_cell(record)).or_default().push(record.len());
        }
        let usual: Vec<usize> = cells.into_values().filter_map(most_frequent).map(|(cells, _)| cells).collect();
        begins_with_control || usual.iter().any(|cells| *cells != usual[0])
    }

    /// The names in record `at`, if they are names: none blank, none twice, none a number or a date; and either they
    /// stand above figures, or they look unlike what is below.
    fn header(&self, at: usize) -> Option<Vec<String>> {
        let record = self.records.get(at)?;
        let names: Vec<String> = record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let is_name = |name: &String| {
            name.len() <= 64
                && name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '#')
                && name.chars().all(|c| c.is_alphanumeric() || " _-./#()%&'£$:?".contains(c))
                && !name.contains('@')
        };
        let all_names = names.iter().all(is_name) && (1..names.len()).all(|n| !names[..n].contains(&names[n]));
        let below = &self.records[(at + 1).min(self.records.len())..];
        (all_names && (stands_above_figures(&names, below) || !names_look_like(&names, below))).then_some(names)
    }
}

/// Whether below some name nearly all cells begin with a figure.
fn stands_above_figures(names: &[String], below: &[Vec<Box<[u8]>>]) -> bool {
    (0..names.len()).any(|column| {
        let cells = below.iter().filter_map(|record| record.get(column)).map(|cell| cell.trim_ascii());
        let (mut filled, mut figures) = (0, 0);
        for cell in cells.filter(|cell| !cell.is_empty()) {
            filled += 1;
            figures += usize::from(cell[0].is_ascii_digit() || matches!(cell[0], b'-' | b'+'));
        }
        filled > 0 && figures * 5 >= filled * 4
    })
}

/// Whether the records `below` look as `names` do: the same texts, or as much in capitals.
fn names_look_like(names: &[String], below: &[Vec<Box<[u8]>>]) -> bool {
    let seen = &below[..below.len().min(200)];
    let repeats = |column: usize| {
        seen.iter().any(|record| record.get(column).is_some_and(|cell| *cell.trim_ascii() == *names[column].as_bytes()))
    };
    let repeated = (0..names.len()).filter(|column| repeats(*column)).count();
    let is_code = |cell: &[u8]| cell.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    let codes =
        seen.iter().filter(|record| record.len() == names.len() && record.iter().all(|cell| is_code(cell))).count();
    repeated * 2 > names.len()
        || names.iter().all(|name| is_code(name.as_bytes())) && codes * 2 > seen.len() && seen.len() > 1
}

fn first_cell(record: &[Box<[u8]>]) -> &[u8] {
    record.first().map_or(b"", |cell| cell.trim_ascii())
}

/// The most frequent of `numbers`, the larger of two, and how often it comes.
fn most_frequent(numbers: impl IntoIterator<Item = usize>) -> Option<(usize, usize)> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for number in numbers {
        *counts.entry(number).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(number, count)| (*count, *number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> Sniffed {
        sniff(text.as_bytes(), true)
    }

    #[test]
    fn the_delimiter_is_the_one_that_all_records_agree_on() {
        let semicolons = sniffed("id;name;note\n1;Smith, J;a, b\n2;Jones;c, d, e\n");
        assert_eq!((semicolons.delimiter, semicolons.cells), (b';', 3));
        assert_eq!(semicolons.header.unwrap(), ["id", "name", "note"]);
        let tabs = sniffed("A\tB\n1\t2,3\n2\t3,4\n");
        assert_eq!((tabs.delimiter, tabs.cells), (b'\t', 2));
        let one = sniffed("NAME\nSmith\nJones\n");
        assert_eq!((one.cells, one.header.unwrap().len()), (1, 1));
        assert_eq!(sniffed("").cells, 1);
    }

    #[test]
    fn quotes_and_line_breaks_in_cells_are_told() {
        let notes = sniffed("ID,BODY\n1,\"one\ntwo\"\n2,\"three\"\n");
        assert_eq!((notes.quote, notes.breaks, notes.cells), (Some(b'"'), true, 2));
        let inches = sniffed("ID,SIZE\n1,5\" pipe\n2,7\" pipe\n");
        assert_eq!((inches.quote, inches.breaks), (None, false));
    }

    #[test]
    fn records_without_a_header_have_positions() {
        let plain = sniffed("00017|12.03.2019|145,20-\n00018|13.03.2019|9,00\n");
        assert_eq!((plain.delimiter, plain.header, plain.cells), (b'|', None, 3));
        let figures = sniffed("POINT,SERIAL,NO\n1012345678901,E10A,1\n1012345678902,E10B,2\n");
        assert_eq!(figures.header.unwrap(), ["POINT", "SERIAL", "NO"]);
        let codes = sniffed("E|AB|X\nG|CD|X\nE|EF|Y\nE|AB|X\n");
        assert_eq!(codes.header, None);
        let empty = sniffed("E|G|X\n");
        assert_eq!(empty.delimiter, b'|');
    }

    #[test]
    fn kinds_of_records_are_told_by_their_first_cell() {
        let typed =
            sniffed("HDR|20260701|LEGACY\nCU|1|Smith|Ann\nAD|1|High Street\nCU|2|Jones|Bob\nAD|2|Low Road\nTRL|4\n");
        assert!(typed.typed && typed.header.is_none() && !typed.preamble, "{typed:?}");
        let plain = sniffed("TYPE,NO\nCU,1\nAD,2\nCU,3\n");
        assert!(!plain.typed && plain.header.is_some());
    }

    #[test]
    fn a_control_record_before_a_header_is_left_out() {
        let file = sniffed("HDR|20260701\nid|name|town\n1|Ann|York\n2|Bob|Hull\n3|Cy|Bath\n");
        assert!(file.preamble && !file.typed, "{file:?}");
        assert_eq!(file.header.unwrap(), ["id", "name", "town"]);
    }
}
