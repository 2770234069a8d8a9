//! Reads RocksDB's figures every few seconds into the metrics, so that a scrape asks no store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{DatabaseSample, KnownLabels, Metrics, StoreSample};
use crate::query::ViewRegistry;
use crate::state::MemoryBudget;
use crate::topology::{Names, SubTopology, TaskId, Topology};

/// Between two samples.
pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// What a column holds.
struct Kept {
    store: String,
    /// Rows of one of the store's indexes.
    index: bool,
}

/// Reads the figures of the databases whose tasks run here.
pub struct StoreSampler {
    registry: ViewRegistry,
    budget: MemoryBudget,
    /// By sub-topology, in the order of their columns.
    columns: HashMap<Arc<str>, Vec<Kept>>,
    /// What a database had told before: it counts from when it was opened.
    told: HashMap<TaskId, (Duration, u64)>,
    metrics: Metrics,
}

impl StoreSampler {
    /// A sampler of these tasks' stores.
    pub fn new(topology: &Topology, registry: ViewRegistry, budget: MemoryBudget, metrics: Metrics) -> Self {
        let columns = topology.subtopologies().iter().map(|of| (of.name.clone(), columns_of(topology, of)));
        StoreSampler { columns: columns.collect(), registry, budget, told: HashMap::new(), metrics }
    }

    /// Takes one sample.
    pub fn sample(&mut self) {
        let mut sums: BTreeMap<&str, StoreSample> =
            self.columns.values().flatten().map(|kept| (kept.store.as_str(), StoreSample::default())).collect();
        let mut all = DatabaseSample {
            block_cache_bytes: self.budget.cache_usage_bytes() as u64,
            memtable_bytes: self.budget.memtable_usage_bytes() as u64,
            ..DatabaseSample::default()
        };
        let active = self.registry.active();
        self.told.retain(|task, _| active.iter().any(|(known, _)| known == task));
        for (task, database) in active {
            let figures = database.database().figures();
            for (kept, sample) in self.columns.get(&task.subtopology).into_iter().flatten().zip(figures.columns) {
                let sum = sums.entry(&kept.store).or_default();
                sum.keys += if kept.index { 0 } else { sample.keys };
                sum.disk_bytes += sample.disk_bytes;
            }
            all.pending_compaction_bytes += figures.pending_compaction_bytes;
            let (stalled, errors) = self.told.insert(task, (figures.stalled, figures.background_errors)).unwrap_or_default();
            // Less than before: it was opened anew.
            all.stalled += figures.stalled.checked_sub(stalled).unwrap_or(figures.stalled);
            all.background_errors += figures.background_errors.checked_sub(errors).unwrap_or(figures.background_errors);
        }
        sums.into_iter().for_each(|(store, sample)| self.metrics.stores.sampled(store, sample));
        self.metrics.stores.sampled_all(all);
    }
}

/// The stores of a sub-topology, then their indexes: as a task plans its columns.
fn columns_of(topology: &Topology, subtopology: &SubTopology) -> Vec<Kept> {
    let stores = || subtopology.stores.iter().map(|id| topology.store(*id));
    let rows = stores().map(|store| Kept { store: store.name.clone(), index: false });
    let indexes = stores().flat_map(|store| store.indexes.iter().map(|_| Kept { store: store.name.clone(), index: true }));
    rows.chain(indexes).collect()
}

/// What the topology says of labels before anything runs.
pub fn known_labels(topology: &Topology, names: &Names) -> KnownLabels {
    KnownLabels {
        subtopologies: topology.subtopologies().iter().map(|subtopology| subtopology.name.to_string()).collect(),
        topics: topology.subtopologies().iter().flat_map(|s| &s.topics).map(|(topic, _)| names.full(topic)).collect(),
        stores: topology.parts().stores.iter().map(|store| store.name.clone()).collect(),
    }
}
