//! Loading many sorted rows: they become a file outside of the database, which RocksDB then takes in as it is. No write-ahead log, no
//! memtable, no flush; and into an empty store it goes straight to the last level, where nothing compacts it again.

use std::fs;
use std::path::Path;

use rocksdb::{IngestExternalFileOptions, SstFileWriter};

use super::{RocksDatabase, failed};
use crate::state::{Batch, Column, Database as _, LoadRow, StoreError};

/// Fewer bytes are not worth a file, which is synced.
const SMALL_BYTES: usize = 256 << 10;

/// The beginning of the names of such files.
const PREFIX: &str = "load-";

pub(super) fn ingest(database: &RocksDatabase, column: Column, rows: &[LoadRow<'_>]) -> Result<(), StoreError> {
    let size_bytes = |(key, row): &LoadRow<'_>| key.len() + row.map_or(0, <[u8]>::len);
    if rows.iter().map(size_bytes).sum::<usize>() < SMALL_BYTES {
        return database.write(&Batch::of_rows(column, rows));
    }
    let path = database.path.join(format!("{PREFIX}{}.sst", column.0));
    // One of a process that was killed may be a link to a file of the database: it must be removed, not written over.
    remove(&path)?;
    let failed_at = |operation| move |e: rocksdb::Error| failed(&database.path, operation, e);
    let mut file = SstFileWriter::create(&database.file_options);
    file.open(&path).map_err(failed_at("open a file of rows"))?;
    for (key, row) in rows {
        match row {
            Some(row) => file.put(key, row),
            None => file.delete(key),
        }
        .map_err(failed_at("write a file of rows"))?;
    }
    file.finish().map_err(failed_at("finish a file of rows"))?;
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    database
        .db
        .ingest_external_file_cf_opts(database.family(column)?, &options, vec![&path])
        .map_err(failed_at("take a file of rows in"))?;
    // RocksDB has removed it.
    remove(&path)
}

/// Removes files that a killed process was writing.
pub(super) fn remove_leftovers(directory: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(directory).map_err(|e| failed(directory, "list the files", e))?;
    let is_leftover = |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_leftover(path)).try_for_each(|path| remove(&path))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(path, "remove a file of rows", e)),
        _ => Ok(()),
    }
}
