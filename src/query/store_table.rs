//! What readers must know of each store, found once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::codec::CodecError;
use crate::state::{Column, IndexDef};
use crate::topology::Topology;

/// A store as readers see it.
pub(super) struct StoreEntry {
    /// Its place among the topology's stores.
    pub at: usize,
    pub name: Arc<str>,
    pub subtopology: Arc<str>,
    pub column: Column,
    /// One row a key, in the partition of the key.
    pub keyed: bool,
    pub indexes: Vec<IndexEntry>,
    stale_entries: AtomicBool,
}

/// An index as readers see it.
pub(super) struct IndexEntry {
    pub name: Arc<str>,
    pub column: Column,
    /// How many bytes of an index row stand before the key of its row.
    pub key_starts: fn(&[u8]) -> Result<usize, CodecError>,
}

impl StoreEntry {
    /// Tells once that an index names rows that do not want it.
    pub(super) fn note_stale_entry(&self, entry: &[u8]) {
        if !self.stale_entries.swap(true, Ordering::Relaxed) {
            let entry = entry.escape_ascii().to_string();
            tracing::error!(store = %self.name, entry, "an index row has no row that gives it; it is left out of answers. Was the index changed without a new name?");
        }
    }
}

/// All stores, in the order of their ids.
pub(super) fn store_table(topology: &Topology) -> Vec<Arc<StoreEntry>> {
    let parts = topology.parts();
    let mut table: Vec<Option<Arc<StoreEntry>>> = parts.stores.iter().map(|_| None).collect();
    for subtopology in topology.subtopologies() {
        for (id, column, index_columns) in topology.columns(subtopology) {
            let definition = topology.store(id);
            let index = |(index, column): (&IndexDef, Column)| IndexEntry {
                name: index.name.as_str().into(),
                column,
                key_starts: index.key_starts,
            };
            table[id.0] = Some(Arc::new(StoreEntry {
                at: id.0,
                name: definition.name.as_str().into(),
                subtopology: subtopology.name.clone(),
                column,
                keyed: definition.by.is_some(),
                indexes: definition.indexes.iter().zip(index_columns).map(index).collect(),
                stale_entries: AtomicBool::new(false),
            }));
        }
    }
    table.into_iter().map(|entry| entry.expect("build() gives each store to a sub-topology")).collect()
}
