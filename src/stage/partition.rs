//! A partition read back: the tables of some accounts, as columns in memory.

use std::ops::Range;
use std::sync::Arc;

use polars::frame::DataFrame;
use polars::prelude::PolarsResult;

use super::column::{Slice, Texts, Values, rebase};
use super::faults::FaultKind;
use super::keys::NO_ROW;
use super::money::{self, PassedMoney};
use super::piece::{Chunk, ChunkReader, Pick};
use super::rows::{CellFault, Rows};
use super::{Stage, StageError, TableStage};
use crate::finding::Cell;
use crate::mapping::plan::TablePlan;

/// The records of some accounts, table by table.
#[derive(Debug)]
pub struct Part {
    /// The ranks of the accounts.
    pub accounts: Range<u32>,
    /// The tables.
    pub tables: Vec<StagedTable>,
    /// By table and file: how many records were passed over, because nobody asked for their accounts.
    pub passed_over: Vec<Vec<u64>>,
    /// By table: the money of those records.
    pub passed_money: Vec<PassedMoney>,
}

/// The records of a table that belong to some accounts.
#[derive(Debug)]
pub struct StagedTable {
    /// The table they are of, unless they stand alone.
    whole: Option<Arc<TableStage>>,
    /// The number of each record in the table, ascending.
    pub records: Vec<u32>,
    /// The rank of the account of each.
    pub accounts: Vec<u32>,
    /// One column a leaf, named by its number.
    pub frame: DataFrame,
    /// The long texts of the frame.
    pub texts: Texts,
    /// Outcomes of the table's tests; empty if it has none.
    pub masks: Vec<u32>,
    /// For each link, the place of the parent among the records of its table, or [`NO_ROW`].
    pub parents: Vec<Vec<u32>>,
    /// Rows that stand elsewhere too, to the byte; ascending.
    pub dead: Vec<u32>,
    /// Unreadable cells, by row and leaf.
    pub faults: Vec<CellFault>,
    kinds: Arc<[FaultKind]>,
}

impl StagedTable {
    /// The rows `rows` alone.
    pub(super) fn of_rows(rows: Rows) -> Result<Self, StageError> {
        Ok(Self {
            whole: None,
            accounts: Vec::new(),
            frame: frame(rows.records.len(), rows.columns)?,
            records: rows.records,
            texts: rows.texts,
            masks: rows.masks,
            parents: Vec::new(),
            dead: Vec::new(),
            faults: rows.faults,
            kinds: Arc::default(),
        })
    }

    /// How many records there are.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.records.len() as u32
    }

    /// The outcomes of the tests of `row`.
    #[must_use]
    pub fn mask(&self, row: u32) -> u32 {
        self.masks.get(row as usize).copied().unwrap_or_default()
    }

    /// The columns, borrowed.
    pub fn slices(&self) -> PolarsResult<Vec<Slice<'_>>> {
        self.frame.columns().iter().map(Slice::of).collect()
    }

    /// Whether `row` is one that stands elsewhere too.
    #[must_use]
    pub fn is_dead(&self, row: u32) -> bool {
        !self.dead.is_empty() && self.dead.binary_search(&row).is_ok()
    }

    /// Where record `row` stands.
    ///
    /// # Panics
    ///
    /// If the rows stand alone: nobody tells of them where they stand.
    #[must_use]
    pub fn cell(&self, row: u32, column: Option<Arc<str>>) -> Cell {
        match &self.whole {
            Some(whole) => whole.cell(self.records[row as usize], column),
            None => unreachable!("rows that stand alone are named, and no finding is made of them"),
        }
    }

    /// The records that a join of `row` nearly found, or could not choose between.
    #[must_use]
    pub fn near(&self, row: u32) -> Vec<Cell> {
        let whole = self.whole.iter();
        let near = whole.flat_map(|whole| whole.missed(self.records[row as usize]).flat_map(|miss| whole.near(miss)));
        let mut cells: Vec<Cell> = near.collect();
        cells.sort();
        cells.dedup();
        cells
    }

    /// What is wrong with the cell of `row` for `leaf`.
    #[must_use]
    pub fn fault(&self, row: u32, leaf: usize) -> Option<&FaultKind> {
        let key = |fault: &CellFault| (fault.row, fault.leaf as usize);
        let at = self.faults.binary_search_by_key(&(row, leaf), key).ok()?;
        self.kinds.get(self.faults[at].kind as usize)
    }
}

impl Stage {
    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.partitions.count
    }

    /// The ranks of the accounts of partition `number`.
    #[must_use]
    pub fn accounts_of(&self, number: usize) -> Range<u32> {
        let start = |number: usize| ((number as u32) << self.partitions.shift).min(self.accounts.len());
        start(number)..start(number + 1)
    }

    /// Reads partition `number` back. With `wanted`, only the records of the accounts it holds of, by their place in
    /// the partition.
    pub fn part(&self, number: usize, wanted: Option<&[bool]>) -> Result<Part, StageError> {
        let accounts = self.accounts_of(number);
        let mut places: Vec<Option<Vec<u32>>> = Vec::with_capacity(self.tables.len());
        let mut part = Part {
            accounts: accounts.clone(),
            tables: Vec::with_capacity(self.tables.len()),
            passed_over: Vec::new(),
            passed_money: Vec::new(),
        };
        let mut bytes = Vec::new();
        for (plan, table) in self.plan.tables.iter().zip(&self.tables) {
            let chosen = Chosen { wanted, accounts: &accounts, places: &places };
            let read = table.part((plan, number), &chosen, &self.kinds, &mut bytes)?;
            part.tables.push(read.table);
            part.passed_over.push(read.passed_over);
            part.passed_money.push(read.passed_money);
            places.push(read.places.filter(|_| plan.is_parent));
        }
        Ok(part)
    }
}

/// Which rows are wanted.
struct Chosen<'c> {
    wanted: Option<&'c [bool]>,
    /// The ranks of the partition's accounts.
    accounts: &'c Range<u32>,
    /// By table: where the rows that were kept have gone; none: every row is where it was.
    places: &'c [Option<Vec<u32>>],
}

/// A table of a partition being read, chunk by chunk.
struct ReadTable {
    table: StagedTable,
    columns: Vec<Values>,
    passed_over: Vec<u64>,
    passed_money: PassedMoney,
    /// Where the rows have gone, if not all are wanted.
    places: Option<Vec<u32>>,
    /// The rows of the chunk that are wanted.
    kept: Vec<u32>,
    /// The numbers of a column of the chunk.
    numbers: Vec<u64>,
}

impl TableStage {
    fn part(
        self: &Arc<Self>,
        (plan, number): (&TablePlan, usize),
        chosen: &Chosen<'_>,
        kinds: &Arc<[FaultKind]>,
        bytes: &mut Vec<u8>,
    ) -> Result<ReadTable, StageError> {
        let chunks: Vec<(u32, Chunk)> = self
            .firsts
            .iter()
            .zip(&self.chunks)
            .filter_map(|(first, chunks)| chunks.get(number).map(|chunk| (*first, *chunk)))
            .filter(|(_, chunk)| chunk.rows > 0)
            .collect();
        let all_rows: usize = chunks.iter().map(|(_, chunk)| chunk.rows as usize).sum();
        // Of a few accounts there are few rows: no room is made for all.
        let mut read = ReadTable::new(self, plan, if chosen.wanted.is_some() { 0 } else { all_rows }, kinds);
        read.places = chosen.wanted.map(|_| Vec::with_capacity(all_rows));
        for (first, chunk) in chunks {
            let length = chunk.bytes as usize;
            if bytes.len() < length {
                bytes.resize(length, 0);
            }
            self.spill.read(chunk.offset, &mut bytes[..length])?;
            read.rows(plan, (first, &chunk), chosen, &bytes[..length])?;
        }
        self.mark_dead(&mut read.table, &mut read.passed_over, chosen);
        read.table.frame = frame(read.table.records.len(), std::mem::take(&mut read.columns))?;
        Ok(read)
    }

    /// Marks the rows that stand elsewhere too. One whose account was passed over is a duplicate all the same.
    fn mark_dead(&self, table: &mut StagedTable, passed_over: &mut [u64], chosen: &Chosen<'_>) {
        for same in self.duplicates.iter().filter(|same| chosen.accounts.contains(&same.account)) {
            if let Ok(row) = table.records.binary_search(&same.row) {
                table.dead.push(row as u32);
            } else {
                passed_over[self.file_number(same.row)] -= 1;
            }
        }
    }
}

impl ReadTable {
    /// Nothing read of `whole`, with room for `rows` rows.
    fn new(whole: &Arc<TableStage>, plan: &TablePlan, rows: usize, kinds: &Arc<[FaultKind]>) -> Self {
        let mut columns: Vec<Values> = plan.leaves.iter().map(|leaf| Values::new(&leaf.convert)).collect();
        for column in &mut columns {
            column.reserve(rows);
        }
        let table = StagedTable {
            whole: Some(whole.clone()),
            records: Vec::with_capacity(rows),
            accounts: Vec::with_capacity(rows),
            frame: DataFrame::empty(),
            texts: Texts::default(),
            masks: Vec::with_capacity(if plan.tests.is_empty() { 0 } else { rows }),
            parents: plan.links.iter().map(|_| Vec::with_capacity(rows)).collect(),
            dead: Vec::new(),
            faults: Vec::new(),
            kinds: kinds.clone(),
        };
        Self {
            table,
            columns,
            passed_over: vec![0; whole.files.len()],
            passed_money: PassedMoney::default(),
            places: None,
            kept: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Reads the rows of a chunk, of which `first` is the number of the record before the first of its piece.
    fn rows(
        &mut self,
        plan: &TablePlan,
        (first, chunk): (u32, &Chunk),
        chosen: &Chosen<'_>,
        bytes: &[u8],
    ) -> Result<(), StageError> {
        let (mut reader, mut tail) = ChunkReader::new(bytes, chunk);
        let (table, numbers) = (&mut self.table, &mut self.numbers);
        let base = table.records.len() as u32;
        // The accounts stand behind the records, and tell which of those are read.
        let mut records = reader.clone();
        reader.skip_numbers();
        let pick = match (chosen.wanted, &mut self.places) {
            (Some(wanted), Some(places)) => {
                reader.clone().numbers(Pick::All, numbers);
                self.kept.clear();
                for (at, account) in numbers.iter().enumerate() {
                    let wanted = wanted[(*account as u32 - chosen.accounts.start) as usize];
                    places.push(if wanted { base + self.kept.len() as u32 } else { NO_ROW });
                    if wanted {
                        self.kept.push(at as u32);
                    }
                }
                let file = table.whole.as_ref().map_or(0, |whole| whole.file_number(first));
                self.passed_over[file] += (chunk.rows as usize - self.kept.len()) as u64;
                if self.kept.len() < chunk.rows as usize && !plan.money.is_empty() {
                    let duplicates = table.whole.as_ref().map_or(&[][..], |whole| &whole.duplicates);
                    let is_dead =
                        |record: u32| duplicates.binary_search_by_key(&(first + record), |same| same.row).is_ok();
                    money::pass_over(&mut self.passed_money, plan, (chunk, bytes), &self.kept, is_dead);
                }
                Pick::Some(&self.kept)
            }
            _ => Pick::All,
        };
        records.numbers(pick, numbers);
        table.records.extend(numbers.iter().map(|record| first + *record as u32));
        reader.numbers(pick, numbers);
        table.accounts.extend(numbers.iter().map(|account| *account as u32));
        if !plan.tests.is_empty() {
            reader.numbers(pick, numbers);
            table.masks.extend(numbers.iter().map(|mask| *mask as u32));
        }
        for (link, parents) in plan.links.iter().zip(&mut table.parents) {
            reader.numbers(pick, numbers);
            match &chosen.places[link.parent] {
                None => parents.extend(numbers.iter().map(|place| *place as u32)),
                Some(places) => {
                    let moved = |place: &u64| places.get(*place as usize).copied().unwrap_or(NO_ROW);
                    parents.extend(numbers.iter().map(moved));
                }
            }
        }
        let faults = tail.faults(chunk.faults);
        table.faults.extend(faults.filter_map(|fault| Some(CellFault { row: base + pick.place(fault.row)?, ..fault })));
        let text_base = match chunk.texts {
            0 => 0,
            count => table.texts.append(tail.texts(count).into_iter()).ok_or_else(|| StageError::TooLarge {
                table: plan.name.clone(),
                what: "MiB of text in a partition",
                limit: 16 * 1024,
            })?,
        };
        for column in &mut self.columns {
            reader.numbers(pick, numbers);
            match column {
                Values::Text(all) => all.extend(numbers.iter().map(|handle| rebase(*handle, text_base))),
                Values::Code(all) => all.extend(numbers.iter().map(|code| *code as u16)),
                Values::Date(all) => all.extend(numbers.iter().map(|days| (*days as u32).cast_signed())),
                Values::Number(all) => all.extend(numbers.iter().map(|number| number.cast_signed())),
            }
        }
        Ok(())
    }
}

fn frame(rows: usize, columns: Vec<Values>) -> Result<DataFrame, StageError> {
    let columns = columns.into_iter().enumerate().map(|(number, values)| values.into_polars(number.to_string()));
    Ok(DataFrame::new(rows, columns.collect())?)
}
