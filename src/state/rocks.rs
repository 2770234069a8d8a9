//! RocksDB behind [`Database`]: one database a task, a column family a store.
//!
//! The write-ahead log is on and not synced: it survives a killed process. All column families flush together. Where databases lie:
//! `generations.rs`; which failures mean that one is damaged: `damage.rs`.

mod ingest;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, ErrorKind, FlushOptions, Options, ReadOptions,
    ReadTier, SnapshotWithThreadMode, WriteBatch, WriteBufferManager, properties,
};

use super::damage::{damage_of, is_orphaned, torn_manifest};
use super::figures::{DatabaseFigures, cumulative_stall};
use super::generations::Generations;
use super::{Batch, Column, Database, DatabaseProvider, Direction, KeyRange, LoadRow, Snapshot, StoreError};
use crate::metrics::StoreSample;

/// The RocksDB that is linked in; its C interface does not tell, but each database does.
pub const ROCKSDB_VERSION: &str = "11.8.1";

/// The column family of column 0.
const META_FAMILY: &str = "default";

/// So much memory a memtable takes at a time.
const ARENA_BLOCK_BYTES: usize = 32 << 10;

/// What all databases of the process share: one block cache, one budget for memtables.
#[derive(Clone)]
pub struct MemoryBudget {
    cache: Cache,
    memtables: WriteBufferManager,
    memtable_bytes: usize,
}

impl MemoryBudget {
    /// Divides `total_mib` between blocks that are read and rows that are not yet in files.
    pub fn new(total_mib: usize) -> Self {
        let total_bytes = total_mib.max(16) << 20;
        let memtables_bytes = total_bytes / 3;
        MemoryBudget {
            cache: Cache::new_lru_cache(total_bytes - memtables_bytes),
            // Without stalls: at the limit RocksDB flushes the largest memtable early.
            memtables: WriteBufferManager::new_write_buffer_manager(memtables_bytes, false),
            memtable_bytes: (memtables_bytes / 10).clamp(1 << 20, 16 << 20),
        }
    }

    /// Bytes of memtables now.
    pub fn memtable_usage_bytes(&self) -> usize {
        self.memtables.get_usage()
    }

    /// Bytes of cached blocks now.
    pub fn cache_usage_bytes(&self) -> usize {
        self.cache.get_usage()
    }
}

/// The RocksDB databases of one directory.
pub struct RocksDisk {
    directory: PathBuf,
    budget: MemoryBudget,
}

impl RocksDisk {
    /// Uses (and makes) a directory.
    pub fn new(directory: impl Into<PathBuf>, budget: MemoryBudget) -> Result<Self, StoreError> {
        let directory = directory.into();
        fs::create_dir_all(&directory).map_err(|e| failed(&directory, "make the directory", e))?;
        Ok(RocksDisk { directory, budget })
    }

    fn generations(&self, task: &str) -> Generations {
        Generations::new(self.directory.join(task))
    }

    fn open_at(&self, path: PathBuf, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        let is_there = path.join("CURRENT").exists();
        let orphaned = || (!is_there && is_orphaned(&path)).then(|| "CURRENT is missing".to_string());
        if let Some(detail) = orphaned().or_else(|| torn_manifest(&path)) {
            return Err(StoreError::Damaged { path: path.display().to_string(), detail });
        }
        let options = self.database_options();
        // RocksDB opens a database only with all families that it has, also those of stores that are gone.
        let mut families: BTreeSet<String> = match is_there {
            true => DB::list_cf(&options, &path).map_err(|e| native(&path, "list the stores", &e))?.into_iter().collect(),
            false => BTreeSet::new(),
        };
        families.insert(META_FAMILY.to_string());
        families.extend(columns.iter().cloned());
        let descriptors = families.into_iter().map(|name| ColumnFamilyDescriptor::new(name, self.family_options()));
        let db = DB::open_cf_descriptors(&options, &path, descriptors).map_err(|e| native(&path, "open", &e))?;
        let names = std::iter::once(META_FAMILY.to_string()).chain(columns.iter().cloned()).collect();
        ingest::remove_leftovers(&path)?;
        Ok(Arc::new(RocksDatabase { db, names, path, damage: OnceLock::new(), file_options: self.family_options() }))
    }

    fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_write_buffer_manager(&self.budget.memtables);
        options.set_max_background_jobs(2);
        options.set_max_open_files(512);
        options.set_max_total_wal_size(128 << 20);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_bytes_per_sync(1 << 20);
        options
    }

    fn family_options(&self) -> Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.budget.cache);
        blocks.set_bloom_filter(10.0, false);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks.set_block_size(4 << 10);
        blocks.set_format_version(6);
        let mut options = Options::default();
        options.set_block_based_table_factory(&blocks);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_write_buffer_size(self.budget.memtable_bytes);
        options.set_max_write_buffer_number(3);
        // There is a memtable for each store and index of each task, most of them nearly empty, and what each takes counts in the budget: with
        // the default of up to a megabyte at a time the budget was spent on room for nothing, and RocksDB flushed a few kilobytes at a time.
        options.set_arena_block_size(ARENA_BLOCK_BYTES);
        // A get of a key that is new finds so without searching the memtable's skip list. Each memtable begins with it.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.01);
        options
    }
}

impl DatabaseProvider for RocksDisk {
    fn open(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        self.open_at(self.generations(task).current()?, columns)
    }

    fn open_beside(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        self.open_at(self.generations(task).beside()?, columns)
    }

    fn switch(&self, task: &str) -> Result<(), StoreError> {
        self.generations(task).switch()
    }

    fn tasks(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().join("current").exists()).filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError> {
        self.generations(task).set_aside(keep)
    }

    fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.generations(task).remove_all()
    }
}

struct RocksDatabase {
    db: DB,
    /// Family names by column.
    names: Vec<String>,
    path: PathBuf,
    /// What was first found damaged.
    damage: OnceLock<String>,
    /// Those of files that are made outside of the database and then taken in.
    file_options: Options,
}

impl RocksDatabase {
    /// A failure; damage is remembered, whoever found it.
    fn failed(&self, operation: &'static str, error: &rocksdb::Error) -> StoreError {
        let failure = native(&self.path, operation, error);
        if let StoreError::Damaged { detail, .. } = &failure {
            self.damage.get_or_init(|| detail.clone());
        }
        failure
    }

    fn family(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        self.names
            .get(usize::from(column.0))
            .and_then(|name| self.db.cf_handle(name))
            .ok_or_else(|| failed(&self.path, "find the store", format!("column {}", column.0)))
    }

    /// A property of a column; 0 when RocksDB does not know it.
    fn number(&self, column: Column, property: &properties::PropName) -> u64 {
        let value = self.family(column).ok().and_then(|family| self.db.property_int_value_cf(family, property).ok());
        value.flatten().unwrap_or_default()
    }
}

impl Database for RocksDatabase {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        let row = self.db.get_pinned_cf(self.family(column)?, key).map_err(|e| self.failed("get", &e))?;
        if let Some(row) = &row {
            read(row);
        }
        Ok(row.is_some())
    }

    fn get_in_memory(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<Option<bool>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::BlockCache);
        match self.db.get_pinned_cf_opt(self.family(column)?, key, &options) {
            Ok(row) => {
                if let Some(row) = &row {
                    read(row);
                }
                Ok(Some(row.is_some()))
            }
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(None),
            Err(error) => Err(self.failed("get", &error)),
        }
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut writes = WriteBatch::with_capacity_bytes(batch.size_bytes() + batch.len() * 16);
        let families = (0..self.names.len()).map(|at| self.family(Column(at as u16))).collect::<Result<Vec<_>, _>>()?;
        for entry in batch.iter() {
            let family = families[usize::from(entry.column.0)];
            match entry.value {
                Some(value) => writes.put_cf(family, entry.key, value),
                None => writes.delete_cf(family, entry.key),
            }
        }
        self.db.write(writes).map_err(|e| self.failed("write a batch", &e))
    }

    fn ingest(&self, column: Column, rows: &[LoadRow<'_>]) -> Result<(), StoreError> {
        ingest::ingest(self, column, rows)
    }

    fn clear(&self, column: Column) -> Result<(), StoreError> {
        let family = self.family(column)?;
        let failed = |e: rocksdb::Error| self.failed("clear a column", &e);
        // A range ends before its end, and a key has no largest value: the last one is deleted by itself.
        let mut rows = self.db.raw_iterator_cf(family);
        rows.seek_to_last();
        rows.status().map_err(failed)?;
        let Some(last) = rows.key().map(<[u8]>::to_vec) else { return Ok(()) };
        self.db.delete_range_cf(family, &[][..], &last).map_err(failed)?;
        self.db.delete_cf(family, last).map_err(failed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        let families: Vec<_> = self.names.iter().filter_map(|name| self.db.cf_handle(name)).collect();
        self.db.flush_cfs_opt(&families, &FlushOptions::default()).map_err(|e| self.failed("flush", &e))
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(RocksSnapshot { database: self, snapshot: self.db.snapshot() })
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }

    fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    fn figures(&self) -> DatabaseFigures {
        let columns = || (0..self.names.len()).map(|at| Column(at as u16));
        let store = |column| StoreSample {
            keys: self.number(column, properties::ESTIMATE_NUM_KEYS),
            disk_bytes: self.number(column, properties::LIVE_SST_FILES_SIZE),
        };
        let statistics = self.db.property_value(properties::DBSTATS).ok().flatten();
        DatabaseFigures {
            columns: columns().skip(1).map(store).collect(),
            pending_compaction_bytes: columns().map(|column| self.number(column, properties::ESTIMATE_PENDING_COMPACTION_BYTES)).sum(),
            stalled: statistics.as_deref().and_then(cumulative_stall).unwrap_or_default(),
            background_errors: self.number(Column::META, properties::BACKGROUND_ERRORS),
        }
    }
}

struct RocksSnapshot<'a> {
    database: &'a RocksDatabase,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl Snapshot for RocksSnapshot<'_> {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        let row = self.snapshot.get_pinned_cf(self.database.family(column)?, key).map_err(|e| self.database.failed("get", &e))?;
        if let Some(row) = &row {
            read(row);
        }
        Ok(row.is_some())
    }

    fn scan(
        &self,
        column: Column,
        range: &KeyRange,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        options.set_iterate_lower_bound(range.from.clone());
        if let Some(to) = &range.to {
            options.set_iterate_upper_bound(to.clone());
        }
        let mut rows = self.database.db.raw_iterator_cf_opt(self.database.family(column)?, options);
        match direction {
            Direction::Forward => rows.seek_to_first(),
            Direction::Reverse => rows.seek_to_last(),
        }
        while let Some((key, row)) = rows.item() {
            if !visit(key, row) {
                break;
            }
            match direction {
                Direction::Forward => rows.next(),
                Direction::Reverse => rows.prev(),
            }
        }
        rows.status().map_err(|e| self.database.failed("scan", &e))
    }
}

/// A failure of RocksDB.
fn native(path: &Path, operation: &'static str, error: &rocksdb::Error) -> StoreError {
    match damage_of(error) {
        Some(detail) => StoreError::Damaged { path: path.display().to_string(), detail },
        None => failed(path, operation, error),
    }
}

fn failed(path: &Path, operation: &'static str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Database { path: path.display().to_string(), operation, detail: cause.to_string() }
}

#[cfg(test)]
mod tests;
