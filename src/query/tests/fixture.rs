//! Stores over several partitions whose rows a test writes, without tasks that run.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::SystemClock;
use crate::codec::{self, Desc, StoreKey, StoreValue, Text};
use crate::metrics::{Metrics, Versions};
use crate::query::{InstanceId, Owners, TaskView, ViewRegistry, Views};
use crate::record::{Offset, Record, Timestamp, TopicPartition, partition_for};
use crate::state::{Batch, DatabaseProvider, Marker, MemoryDisk, TaskDatabase, TaskPosition};
use crate::topology::{Index, Names, Partial, Store, TaskId, Topology, TopologyBuilder};

/// A row with something to be found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    pub status: u8,
    pub at: i64,
}

impl StoreValue for Parcel {}

/// Not in the index `by-status`.
pub const HIDDEN: u8 = 9;

#[derive(Clone, Copy)]
pub struct Handles {
    pub parcels: Store<String, Parcel>,
    pub by_status: Index<(u8, Desc<i64>), String, Parcel>,
    pub sums: Store<String, u64, Partial>,
    pub by_sum: Index<u64, String, u64>,
    pub pairs: Store<(String, u64), u64, Partial>,
}

fn declare(b: &mut TopologyBuilder) -> Handles {
    let events = b.source::<String, String>("events", &["events"], Text, Text);
    let parcels = b.store::<String, Parcel>("parcels", events);
    let by_status = b.index(parcels, "by-status", |_, row: &Parcel| (row.status != HIDDEN).then_some((row.status, Desc(row.at))));
    let sums = b.partial_store::<String, u64>("sums");
    let by_sum = b.index(sums, "by-sum", |_, sum: &u64| [*sum]);
    let pairs = b.partial_store::<(String, u64), u64>("pairs");
    b.each("keep", events, move |w| {
        let _ = (w.store(parcels), w.store(sums), w.store(pairs));
        |_, _: Record<String, String>| Ok(())
    });
    Handles { parcels, by_status, sums, by_sum, pairs }
}

pub struct Fixture {
    pub topology: Topology,
    pub registry: ViewRegistry,
    pub views: Views,
    pub databases: Vec<Arc<TaskDatabase>>,
    pub handles: Handles,
}

impl Fixture {
    /// So many partitions in memory, all readable and at offset 100 + partition.
    pub fn new(partitions: i32) -> Self {
        Self::on(&MemoryDisk::default(), partitions)
    }

    /// The same in databases of any kind.
    pub fn on(disk: &dyn DatabaseProvider, partitions: i32) -> Self {
        let mut builder = TopologyBuilder::new();
        let handles = declare(&mut builder);
        let topology = builder.build().unwrap();
        let registry = ViewRegistry::default();
        registry.set_partitions("events".into(), partitions);
        let views = views_of(&topology, &registry);
        let columns = ["parcels@1", "sums@1", "pairs@1", "parcels@1#by-status", "sums@1#by-sum"].map(String::from);
        let open = |partition| {
            let database = TaskDatabase::new(disk.open(&format!("events_{partition}"), &columns).unwrap()).unwrap();
            database.finish_restore(position(partition, &["parcels", "sums", "pairs"])).unwrap();
            let database = Arc::new(database);
            registry.publish(task(partition), TaskView::Active(database.clone()));
            database
        };
        let databases = (0..partitions).map(open).collect();
        Fixture { topology, registry, views, databases, handles }
    }

    /// Other views of the same tasks.
    pub fn new_views(&self) -> Views {
        views_of(&self.topology, &self.registry)
    }

    /// Puts or removes a row of a store, with its index rows.
    pub fn write<K: StoreKey, V: StoreValue, Of>(&self, store: Store<K, V, Of>, partition: i32, key: &K, row: Option<&V>) {
        let entry = self.views.entry(store.id.0);
        let (mut key_bytes, mut batch, mut old) = (Vec::new(), Batch::default(), None);
        key.encode_key(&mut key_bytes);
        let database = &self.databases[partition as usize];
        database.read(entry.column, &key_bytes, &mut |bytes| old = Some(bytes.to_vec())).unwrap();
        let new = row.map(|row| {
            let mut bytes = Vec::new();
            codec::encode_row(row, &mut bytes).unwrap();
            bytes
        });
        match &new {
            Some(new) => batch.put(entry.column, &key_bytes, new),
            None => batch.delete(entry.column, &key_bytes),
        }
        let definition = self.topology.store(store.id);
        let indexes: Vec<_> = entry.indexes.iter().zip(&definition.indexes).map(|(index, definition)| (index.column, definition)).collect();
        definition.types.indexer("test", &indexes).delta(&key_bytes, old.as_deref(), new.as_deref(), &mut batch).unwrap();
        database.database().write(&batch).unwrap();
    }

    /// Puts a parcel where its key belongs.
    pub fn put(&self, key: &str, status: u8, at: i64) {
        self.write(self.handles.parcels, self.partition_of(key), &key.to_string(), Some(&Parcel { status, at }));
    }

    pub fn delete(&self, key: &str) {
        self.write(self.handles.parcels, self.partition_of(key), &key.to_string(), None);
    }

    pub fn partition_of(&self, key: &str) -> i32 {
        partition_for(key.as_bytes(), self.databases.len() as i32)
    }

    /// As a commit does that comes so far, with outputs that come just as far.
    pub fn come_to(&self, partition: i32, next: i64) {
        let mut position = position(partition, &["parcels", "sums", "pairs"]);
        position.marker.sources.values_mut().for_each(|at| *at = Offset(next));
        position.marker.outputs = [(TopicPartition::new("p.out", partition), Offset(next))].into();
        self.databases[partition as usize].finish_restore(position).unwrap();
        self.registry.note_moved();
    }

    /// As if the store had been added to the topology and were not filled yet.
    pub fn begin_filling(&self, partition: i32, store: &str) {
        let names: Vec<&str> = ["parcels", "sums", "pairs"].into_iter().filter(|name| *name != store).collect();
        self.databases[partition as usize].finish_restore(position(partition, &names)).unwrap();
    }
}

fn views_of(topology: &Topology, registry: &ViewRegistry) -> Views {
    let lag = Arc::new(|task: &TaskId| Some(Duration::from_secs(task.partition as u64)));
    let metrics = Metrics::new(Versions { librdkafka: "0", rocksdb: "0" }, Arc::new(SystemClock::default()));
    let (names, id) = (Names::new("app", "p."), InstanceId("i-1".into()));
    Views::new(topology.clone(), names, registry.clone(), lag, Owners::default(), id, &metrics)
}

pub fn task(partition: i32) -> TaskId {
    TaskId { subtopology: "events".into(), partition }
}

fn position(partition: i32, stores: &[&str]) -> TaskPosition {
    let marker = Marker {
        lineage: Uuid::nil(),
        sequence: 1,
        sources: [(TopicPartition::new("p.events", partition), Offset(100 + i64::from(partition)))].into(),
        stream_time: None,
        changelogs: stores.iter().map(|name| (name.to_string(), None)).collect(),
        outputs: Default::default(),
    };
    TaskPosition { marker, marker_offset: Offset(0), applied_at: Timestamp(0) }
}
