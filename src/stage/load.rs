//! Reads every table of an extract: regions in parallel, tables in the order of their keys, the accounts first.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::accounts::Accounts;
use super::column::Slice;
use super::duplicates::{self, Same};
use super::faults::FaultKinds;
use super::joined::Reference;
use super::keys::{KeyBytes, KeyIndex, NO_ROW, Place};
use super::money::TableMoney;
use super::partition::StagedTable;
use super::piece::PieceRows;
use super::promised::Wanted;
use super::reading::{Buffers, Joined, Partitions, Piece, ReadRegion, TableReading};
use super::reshape::TableFiles;
use super::rows::{Rows, Stretch};
use super::saved::{self, SavedStage};
use super::spill::Storage;
use super::{Naming, Stage, StageError, Stray, TableStage};
use crate::account::AccountKey;
use crate::extract::{self, ExtractError, SourceFile};
use crate::mapping::Problem;
use crate::mapping::measure::Measures;
use crate::mapping::plan::{Plan, TablePlan};

/// What a table without a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingFiles {
    /// An error: the extract is not whole.
    AreErrors,
    /// A table without records, as in a mapping's own tests.
    AreEmpty,
}

/// The files of every table of `plan` in `directory`, their headers checked against the mapping.
pub fn find_sources(plan: &Plan, directory: &Path, missing: MissingFiles) -> Result<Vec<Vec<SourceFile>>, StageError> {
    let mut sources = Vec::with_capacity(plan.tables.len());
    let mut problems: Vec<Problem> = Vec::new();
    for (number, table) in plan.tables.iter().enumerate() {
        let files = match extract::find_files(directory, &table.name, &table.files, &table.dialect, &table.header) {
            Err(ExtractError::NoFile { .. }) if missing == MissingFiles::AreEmpty => Vec::new(),
            found => found?,
        };
        for file in files.iter().filter(|file| !file.header.is_empty()) {
            problems.extend(plan.check_header(number, &file.name, &file.header));
        }
        sources.push(files);
    }
    // Tables that are made of the same records miss the same columns.
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(sources) } else { Err(StageError::Headers(problems)) }
}

/// Names the accounts of some records of the root's table; none for one that has no name that can be read.
pub type NameAccounts<'n> = dyn Fn(&StagedTable) -> Result<Vec<Option<AccountKey>>, StageError> + Sync + 'n;

/// How an extract is staged.
pub struct Staging<'s> {
    /// Where to.
    pub storage: Storage,
    /// How much memory the build may take, in bytes: partitions are made to fit.
    pub memory: u64,
    /// Names the accounts.
    pub name: &'s NameAccounts<'s>,
    /// What is to be counted beside the records.
    pub wanted: Wanted,
    /// Told how many bytes have been read.
    pub advanced: &'s (dyn Fn(u64) + Sync),
}

impl<'s> Staging<'s> {
    /// A stage in memory, for extracts of a few records.
    #[must_use]
    pub fn in_memory(name: &'s NameAccounts<'s>) -> Self {
        Self { storage: Storage::Memory, memory: 1 << 30, name, wanted: Wanted::default(), advanced: &|_| {} }
    }
}

/// A stage of an earlier build, and which of its tables are used again.
#[derive(Debug)]
pub struct Reuse {
    /// The stage.
    pub saved: SavedStage,
    /// By table.
    pub usable: Vec<bool>,
}

/// Reads `sources`, the files of every table of `plan`, but for the tables that `reuse` gives.
pub fn load(
    plan: &Arc<Plan>,
    sources: Vec<Vec<SourceFile>>,
    staging: &Staging<'_>,
    reuse: Option<Reuse>,
) -> Result<Stage, StageError> {
    let kinds = reuse.as_ref().map(|reuse| FaultKinds::of(&reuse.saved.kinds)).unwrap_or_default();
    let mut loading = Loading {
        plan,
        staging,
        kinds: &kinds,
        bytes: sources.iter().flatten().map(|file| file.bytes).sum(),
        sources,
        indexes: plan.tables.iter().map(|_| None).collect(),
        references: plan.tables.iter().map(|_| Vec::new()).collect(),
        used_again: vec![false; plan.tables.len()],
        staged: plan.tables.iter().map(|_| None).collect(),
        accounts: 0,
    };
    let known = reuse.map(|reuse| loading.use_again(reuse)).transpose()?.flatten();
    if loading.staged.iter().any(Option::is_none) {
        saved::forget(&staging.storage)?;
    }
    let (accounts, partitions) = known.map_or_else(|| loading.read_accounts(), Ok)?;
    loading.accounts = accounts.len();
    let levels = levels(plan);
    for level in 0..=levels.iter().copied().max().unwrap_or(0) {
        let unread = (0..plan.tables.len()).filter(|at| levels[*at] == level && loading.staged[*at].is_none());
        let unread: Vec<usize> = unread.collect();
        loading.open_indexes(&unread)?;
        loading.read_references(&unread)?;
        loading.read_tables(&unread, partitions)?;
        loading.drop_indexes(level, &levels);
    }
    loading.settle_joined();
    loading.introduce();
    let tables = std::mem::take(&mut loading.staged).into_iter().flatten().collect();
    drop(loading);
    Ok(Stage { plan: plan.clone(), tables, accounts, partitions, kinds: kinds.into_list().into() })
}

struct Loading<'l> {
    plan: &'l Arc<Plan>,
    staging: &'l Staging<'l>,
    kinds: &'l FaultKinds,
    /// Of all files.
    bytes: u64,
    sources: Vec<Vec<SourceFile>>,
    indexes: Vec<Option<KeyIndex>>,
    /// By table and join.
    references: Vec<Vec<Arc<Reference>>>,
    /// By table: whether it is one of an earlier build.
    used_again: Vec<bool>,
    staged: Vec<Option<Arc<TableStage>>>,
    /// How many there are, once they are ranked.
    accounts: u32,
}

/// A table that has been read, and the index of its keys if it is a parent.
type Done = (usize, TableStage, Option<KeyIndex>);

impl Loading<'_> {
    /// The table of the accounts.
    fn root(&self) -> usize {
        self.plan.entities[0].table
    }

    /// Takes over the tables that are used again; gives the accounts, if theirs is one of them. Without the accounts
    /// there is none: every table finds its account's table, and is read again if that is.
    fn use_again(&mut self, mut reuse: Reuse) -> Result<Option<(Accounts, Partitions)>, StageError> {
        if !reuse.usable[self.root()] {
            return Ok(None);
        }
        for (number, sources) in self.sources.iter().enumerate().filter(|(number, _)| reuse.usable[*number]) {
            let table = reuse.saved.table((number, &self.plan.tables[number]), sources, &self.staging.storage)?;
            (self.staging.advanced)(sources.iter().map(|file| file.bytes).sum());
            self.staged[number] = Some(Arc::new(table));
            self.used_again[number] = true;
        }
        Ok(Some((reuse.saved.accounts, reuse.saved.partitions)))
    }

    /// Opens the indexes in which the records of `tables` find their parents, where the parents were read earlier.
    fn open_indexes(&mut self, tables: &[usize]) -> Result<(), StageError> {
        for parent in tables.iter().flat_map(|table| &self.plan.tables[*table].links).map(|link| link.parent) {
            if self.indexes[parent].is_none() {
                self.indexes[parent] = Some(saved::open_keys(&self.staging.storage, parent)?);
            }
        }
        Ok(())
    }

    /// Reads the accounts and ranks them by their names.
    fn read_accounts(&mut self) -> Result<(Accounts, Partitions), StageError> {
        let root = self.root();
        self.read_references(&[root])?;
        let reading = self.reading(root)?;
        let (mut regions, kept): (Vec<ReadRegion>, Vec<Vec<RootPiece>>) = reading
            .files
            .regions
            .par_iter()
            .enumerate()
            .map(|(number, (_, region))| {
                let mut kept = Vec::new();
                let read = reading.read(number, &mut Buffers::default(), |stretch, rows| {
                    let (piece, rows) = self.name_rows(&reading, stretch, rows)?;
                    kept.push(rows);
                    Ok(piece)
                })?;
                (self.staging.advanced)(region.end - region.start);
                Ok((read, kept))
            })
            .collect::<Result<Vec<_>, StageError>>()?
            .into_iter()
            .unzip();
        let mut joined = reading.join(&mut regions)?;
        for (number, file) in
            joined.files.iter_mut().enumerate().filter(|(at, _)| reading.files.counting[*at].wants_accounts())
        {
            // The accounts are these records, and not found by them.
            let of_file = reading.files.regions.iter().zip(&kept).filter(|((file, _), _)| *file == number);
            let names = of_file.flat_map(|(_, kept)| kept).flat_map(|kept| kept.names.iter().flatten());
            file.counted.accounts = Some(names.collect::<HashSet<_>>().len() as u64);
        }
        let mut same = duplicates::find(&reading, &regions, &joined.spans)?;
        let dead: HashSet<u32> = same.duplicates.iter().map(|same| same.row).collect();
        let mut named = Vec::with_capacity(joined.rows as usize);
        for ((piece, first), kept) in pieces(&regions).zip(kept.iter().flatten()) {
            debug_assert!(piece.chunks.is_empty());
            let rows = kept.table.records.iter().map(|record| first + record);
            named.extend(kept.names.iter().cloned().zip(rows).filter(|(_, row)| !dead.contains(row)));
        }
        let accounts = Accounts::rank(named);
        let partitions = self.partitions(accounts.len());
        let ranks = accounts.ranks(joined.rows);
        for (region, kept) in regions.iter_mut().zip(kept) {
            for (piece, kept) in region.pieces.iter_mut().zip(kept) {
                let rows = kept.table.records.iter().map(|record| piece.first_row + record);
                let of_piece = rows.map(|row| ranks[row as usize]).collect();
                kept.write(&reading, piece, of_piece, partitions)?;
            }
        }
        for same in same.duplicates.iter_mut().chain(&mut same.conflicts) {
            same.account = ranks[same.row as usize];
            same.first_account = ranks[same.first as usize];
        }
        let done = self.finish(root, reading, regions, joined, same, partitions)?;
        self.keep(done);
        Ok((accounts, partitions))
    }

    /// Names the accounts of some rows of the root's table.
    fn name_rows(
        &self,
        reading: &TableReading<'_>,
        stretch: Stretch,
        rows: &mut Rows,
    ) -> Result<(Piece, RootPiece), StageError> {
        let nobody = vec![NO_ROW; rows.records.len()];
        let key_block = reading.key_block(&rows.fingerprints, &rows.records, &nobody)?;
        let repeated = std::mem::take(&mut rows.repeated);
        let keys = std::mem::take(&mut rows.keys);
        let table = StagedTable::of_rows(std::mem::take(rows))?;
        let names = (self.staging.name)(&table)?;
        Ok((Piece { stretch, key_block, repeated, ..Piece::default() }, RootPiece { table, names, keys }))
    }

    /// Reads `tables`, whose parents have been read.
    fn read_tables(&mut self, tables: &[usize], partitions: Partitions) -> Result<(), StageError> {
        let readings: Vec<TableReading<'_>> =
            tables.iter().map(|table| self.reading(*table)).collect::<Result<_, _>>()?;
        let mut jobs: Vec<(usize, usize)> = readings
            .iter()
            .enumerate()
            .flat_map(|(table, reading)| (0..reading.files.regions.len()).map(move |region| (table, region)))
            .collect();
        // A file that must be read from its start is one region: it goes first, so that nobody waits for it at the end.
        let bytes = |(table, region): (usize, usize)| {
            let (_, region) = readings[table].files.regions[region];
            region.end - region.start
        };
        jobs.sort_by_key(|job| std::cmp::Reverse(bytes(*job)));
        let next = AtomicUsize::new(0);
        let read = |_: usize| {
            let mut read = Vec::new();
            let (mut buffers, mut block) = (Buffers::default(), Vec::new());
            while let Some(&(table, region)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let reading = &readings[table];
                let (file, _) = reading.files.regions[region];
                let done = reading.read(region, &mut buffers, |stretch, rows| {
                    reading.write(file, stretch, rows, partitions, &mut block)
                })?;
                (self.staging.advanced)(bytes((table, region)));
                read.push(((table, region), done));
            }
            Ok(read)
        };
        let read: Vec<Vec<_>> =
            (0..rayon::current_num_threads()).into_par_iter().map(read).collect::<Result<_, StageError>>()?;
        let mut read: Vec<((usize, usize), ReadRegion)> = read.into_iter().flatten().collect();
        read.sort_unstable_by_key(|(job, _)| *job);
        let mut read = read.into_iter().map(|(_, region)| region);
        let read: Vec<(usize, TableReading<'_>, Vec<ReadRegion>)> = tables
            .iter()
            .zip(readings)
            .map(|(table, reading)| {
                let regions = read.by_ref().take(reading.files.regions.len()).collect();
                (*table, reading, regions)
            })
            .collect();
        let done: Vec<Done> = read
            .into_par_iter()
            .map(|(table, reading, mut regions)| {
                let joined = reading.join(&mut regions)?;
                let same = duplicates::find(&reading, &regions, &joined.spans)?;
                self.finish(table, reading, regions, joined, same, partitions)
            })
            .collect::<Result<_, StageError>>()?;
        for done in done {
            self.keep(done);
        }
        Ok(())
    }

    fn reading(&self, table: usize) -> Result<TableReading<'_>, StageError> {
        let plan = (table, &self.plan.tables[table]);
        let wanted = (&self.staging.wanted, self.accounts);
        TableReading::new(plan, self.files(table)?, &self.indexes, &self.staging.storage, wanted, self.kinds)
    }

    /// The files of a table whose references are there.
    fn files(&self, table: usize) -> Result<TableFiles<'_>, StageError> {
        TableFiles::new(&self.plan.tables[table], self.sources[table].clone(), self.references[table].clone())
    }

    /// Reads what the joins of `tables` find, each from the files of its table.
    fn read_references(&mut self, tables: &[usize]) -> Result<(), StageError> {
        for &table in tables {
            let joins = self.plan.tables[table].reshape.iter().flat_map(|reshape| &reshape.joins).count();
            for number in self.references[table].len()..joins {
                let plan = self.plan.clone();
                let Some(join) = plan.tables[table].reshape.as_ref().map(|reshape| &reshape.joins[number]) else {
                    break;
                };
                // The other table comes before this one, so that this ends.
                self.read_references(&[join.table])?;
                let reference = Reference::read(join, &self.files(join.table)?)?;
                self.references[table].push(Arc::new(reference));
            }
        }
        Ok(())
    }

    /// Gives every table those that its records join, so that what was nearly found can be told of.
    fn introduce(&mut self) {
        for number in 0..self.staged.len() {
            let joins = self.plan.tables[number].reshape.iter().flat_map(|reshape| &reshape.joins);
            let joined: Vec<Arc<TableStage>> = joins.filter_map(|join| self.staged[join.table].clone()).collect();
            if let Some(table) = self.staged[number].as_mut().and_then(Arc::get_mut) {
                table.joined = joined;
            }
        }
    }

    /// Tells the records that no join has found, in tables that are there to be joined.
    fn settle_joined(&mut self) {
        for number in 0..self.staged.len() {
            let plan = &self.plan.tables[number];
            let Some(table) = self.staged[number].as_mut().and_then(Arc::get_mut) else { continue };
            if plan.has_entities || self.used_again[number] {
                continue;
            }
            if self.plan.tables.iter().any(|other| other.of == Some(number)) {
                // Rows were made of every record.
                table.strays.clear();
                continue;
            }
            let mut states = vec![NOT_WANTED; table.rows as usize];
            for (joining, references) in self.plan.tables.iter().zip(&self.references) {
                let joins = joining.reshape.iter().flat_map(|reshape| &reshape.joins).zip(references);
                for (_, reference) in joins.filter(|(join, _)| join.table == number) {
                    for (row, found) in reference.rows() {
                        let state = &mut states[row as usize];
                        *state = (*state).max(if found { FOUND } else { WANTED });
                    }
                }
            }
            table.strays.retain_mut(|stray| {
                let state = states[stray.row as usize];
                stray.wanted = state == WANTED;
                state != FOUND
            });
        }
    }

    /// A table all of whose regions have been read.
    fn finish(
        &self,
        number: usize,
        reading: TableReading<'_>,
        regions: Vec<ReadRegion>,
        joined: Joined,
        same: Same,
        partitions: Partitions,
    ) -> Result<Done, StageError> {
        let plan = &self.plan.tables[number];
        let dead: HashSet<u32> = same.duplicates.iter().map(|same| same.row).collect();
        let index = plan.is_parent.then(|| self.index(number, &regions, &dead, partitions)).transpose()?;
        let masks: Vec<u32> =
            self.plan.entities.iter().filter(|entity| entity.table == number).map(|entity| entity.mask).collect();
        let mut table = TableStage {
            files: joined.files,
            rows: joined.rows,
            quarantined: Vec::new(),
            strays: Vec::new(),
            torn: Vec::new(),
            duplicates: same.duplicates,
            conflicts: same.conflicts,
            misses: joined.misses,
            joined: Vec::new(),
            naming: Naming::new(plan),
            firsts: Vec::new(),
            chunks: Vec::new(),
            spill: reading.spill,
            money: TableMoney::default(),
        };
        let slots = Measures::slots(&plan.money);
        for piece in regions.into_iter().flat_map(|region| region.pieces) {
            table.firsts.push(piece.first_row);
            table.chunks.push(piece.chunks);
            table.quarantined.extend(piece.stretch.quarantined);
            table.torn.extend(piece.torn);
            table.money.source.merge(&piece.stretch.money);
            for (row, slot, amount) in piece.stray_money {
                let money = &mut table.money;
                let is_claimed = Measures::field_of_slot(&plan.money, slot).entity.is_some();
                let totals = match is_claimed {
                    _ if dead.contains(&row) => &mut money.duplicate,
                    true => &mut money.orphaned,
                    false => &mut money.filtered,
                };
                totals.add(slots, slot, amount);
            }
            let strays = piece.strays.into_iter().filter(|(row, _)| !dead.contains(row));
            table.strays.extend(strays.map(|(row, mask)| {
                let wanted = masks.iter().any(|wanted| mask & wanted == *wanted);
                Stray { row, wanted }
            }));
        }
        Ok((number, table, index))
    }

    /// The index of a table's keys, which are saved. The place of a row is its number among the rows of its partition,
    /// in the order of the pieces: see [`super::piece`].
    fn index(
        &self,
        number: usize,
        regions: &[ReadRegion],
        dead: &HashSet<u32>,
        partitions: Partitions,
    ) -> Result<KeyIndex, StageError> {
        let mut keys = KeyBytes::default();
        let mut places = Vec::with_capacity(regions.iter().map(|region| region.read.records as usize).sum());
        let mut next = vec![0_u32; partitions.count];
        for (piece, first) in pieces(regions) {
            keys.append(&piece.keys);
            for (account, record) in piece.accounts.iter().zip(&piece.records) {
                let place = (*account != NO_ROW).then(|| {
                    let next = &mut next[(*account >> partitions.shift) as usize];
                    *next += 1;
                    Place { account: *account, place: *next - 1 }
                });
                places.push(place.filter(|_| dead.is_empty() || !dead.contains(&(first + record))));
            }
        }
        saved::save_keys(&self.staging.storage, number, &keys, &places)?;
        Ok(KeyIndex::new(&keys, &places))
    }

    fn keep(&mut self, (number, table, index): Done) {
        self.staged[number] = Some(Arc::new(table));
        self.indexes[number] = index;
    }

    /// Drops the indexes that no table beyond `level` needs.
    fn drop_indexes(&mut self, level: usize, levels: &[usize]) {
        for (table, index) in self.indexes.iter_mut().enumerate() {
            let tables = self.plan.tables.iter().zip(levels);
            let needed =
                |(plan, at): (&TablePlan, &usize)| *at > level && plan.links.iter().any(|link| link.parent == table);
            if !tables.into_iter().any(needed) {
                *index = None;
            }
        }
    }

    /// Partitions for `accounts` accounts: few enough that a region's rows for one are worth a read of their own, and
    /// small enough that those being worked on fit into memory.
    fn partitions(&self, accounts: u32) -> Partitions {
        let wanted = (self.bytes / PARTITIONS).max(PARTITION_BYTES).min(self.staging.memory / MEMORY_SHARE).max(1);
        let each = u64::from(accounts) * wanted / self.bytes.max(1);
        let shift = each.clamp(1, 1 << 20).ilog2();
        Partitions { shift, count: (accounts.div_ceil(1 << shift) as usize).max(1) }
    }
}

/// No join asks for records like it.
const NOT_WANTED: u8 = 0;
/// A join asks for records like it, and no record has found it.
const WANTED: u8 = 1;
/// A record has found it.
const FOUND: u8 = 2;

/// About how many partitions a large extract has.
const PARTITIONS: u64 = 256;
/// How much of an extract a partition has at the least, in bytes, unless the memory is less.
const PARTITION_BYTES: u64 = 6 * 1024 * 1024;
/// How much of the memory a partition's records may take in the extract: what is made of them takes several times as
/// much, and there is a partition for every thread.
const MEMORY_SHARE: u64 = 32;

/// Rows of the root's table, waiting for their ranks.
struct RootPiece {
    table: StagedTable,
    names: Vec<Option<AccountKey>>,
    keys: KeyBytes,
}

impl RootPiece {
    /// Writes the rows away for `piece`; `accounts` are their ranks.
    fn write(
        self,
        reading: &TableReading<'_>,
        piece: &mut Piece,
        accounts: Vec<u32>,
        partitions: Partitions,
    ) -> Result<(), StageError> {
        let columns: Vec<Slice<'_>> = self.table.slices()?;
        let written = reading.write_rows(
            &PieceRows {
                records: &self.table.records,
                accounts: &accounts,
                masks: &self.table.masks,
                parents: &[],
                columns: &columns,
                texts: &self.table.texts,
                faults: &self.table.faults,
            },
            piece.first_row,
            partitions,
            &mut Vec::new(),
        )?;
        piece.chunks = written.chunks;
        piece.strays = written.strays;
        piece.stray_money = written.stray_money;
        piece.keys = self.keys;
        piece.accounts = accounts;
        piece.records = self.table.records;
        Ok(())
    }
}

/// The pieces of `regions`, each with the number of the record before its first.
fn pieces(regions: &[ReadRegion]) -> impl Iterator<Item = (&Piece, u32)> {
    regions.iter().flat_map(|region| &region.pieces).map(|piece| (piece, piece.first_row))
}

/// How far each table is from one without parents.
fn levels(plan: &Plan) -> Vec<usize> {
    let mut levels = vec![0; plan.tables.len()];
    for (number, table) in plan.tables.iter().enumerate() {
        // Parents have lower numbers: see `Plan::tables`.
        levels[number] = table.links.iter().map(|link| levels[link.parent] + 1).max().unwrap_or(0);
    }
    levels
}
