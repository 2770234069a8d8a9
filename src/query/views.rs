//! The reader's side of stores: typed, read-only, from any thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{QueryError, TaskView, ViewRegistry};
use crate::codec::{self, StoreKey, StoreValue};
use crate::record::{Position, partition_for};
use crate::state::{Column, StoreError, TaskDatabase};
use crate::topology::{PartitionKey, Store, TaskId, Topology};

/// Reads that may wait for a blocking thread at once; more are refused.
const CONCURRENT_READS: usize = 1_024;

/// Names an instance in answers (`Served-By`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceId(pub Arc<str>);

/// In which role the answering instance held the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It runs the task.
    Active,
}

impl Role {
    /// As in the header `Served-From`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Active => "active",
        }
    }
}

/// What a reader asks of freshness.
#[derive(Clone, Debug, Default)]
pub struct Read {}

/// An answer, and how fresh it is.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// The state that it was read from.
    pub position: Position,
    /// The age of the oldest record that this state has not seen; `None` when unknown.
    pub lag: Option<Duration>,
    /// Who answered.
    pub served_by: InstanceId,
    /// In which role.
    pub served_from: Role,
}

/// How far the partitions of a task lag behind, for [`Answer::lag`].
pub type TaskLag = Arc<dyn Fn(&TaskId) -> Option<Duration> + Send + Sync>;

/// The stores of an application, for readers. Cheap to clone.
#[derive(Clone)]
pub struct Views {
    topology: Topology,
    registry: ViewRegistry,
    lag: TaskLag,
    instance: InstanceId,
    reads: Arc<Semaphore>,
}

impl Views {
    /// Reads the tasks of a registry.
    pub fn new(topology: Topology, registry: ViewRegistry, lag: TaskLag, instance: InstanceId) -> Self {
        Views { topology, registry, lag, instance, reads: Arc::new(Semaphore::new(CONCURRENT_READS)) }
    }

    /// Who answers.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The row of a key, from the task that owns it.
    pub async fn get<K: StoreKey, V: StoreValue>(
        &self,
        store: Store<K, V>,
        key: &K,
        _read: &Read,
    ) -> Result<Answer<Option<V>>, QueryError> {
        let (task, column) = self.locate(store, key)?;
        let database = match self.registry.get(&task) {
            Some(TaskView::Active(database)) => database,
            Some(TaskView::Restoring) => return Err(QueryError::Restoring { task }),
            None => return Err(QueryError::NotHere { task }),
        };
        let mut key_bytes = Vec::new();
        key.encode_key(&mut key_bytes);
        let name = self.topology.parts().stores[store.id.0].name.clone();
        let _permit = self.reads.try_acquire().map_err(|_| QueryError::Overloaded)?;
        // A read may touch the disk, and a tokio worker must not.
        let (value, position) = tokio::task::spawn_blocking(move || read_row::<V>(&database, column, &key_bytes, &name))
            .await
            .map_err(|e| QueryError::Key(format!("read was cancelled: {e}")))??;
        Ok(Answer { value, position, lag: (self.lag)(&task), served_by: self.instance.clone(), served_from: Role::Active })
    }

    fn locate<K: StoreKey, V: StoreValue>(&self, store: Store<K, V>, key: &K) -> Result<(TaskId, Column), QueryError> {
        let definition = &self.topology.parts().stores[store.id.0];
        let partition_key =
            definition.partition_key.downcast_ref::<PartitionKey<K>>().expect("a Store carries the types it was declared with");
        let bytes = partition_key(key).map_err(|e| QueryError::Key(e.to_string()))?.unwrap_or_default();
        let subtopology = self
            .topology
            .subtopologies()
            .iter()
            .find(|subtopology| subtopology.stores.contains(&store.id))
            .expect("build() gives each store to a sub-topology");
        let partitions = self.registry.partitions(&subtopology.name).ok_or(QueryError::NotJoined)?;
        let column = subtopology.stores.iter().position(|id| *id == store.id).expect("found by this id") as u16 + 1;
        let task = TaskId { subtopology: subtopology.name.clone(), partition: partition_for(&bytes, partitions) };
        Ok((task, Column(column)))
    }
}

fn read_row<V: StoreValue>(database: &TaskDatabase, column: Column, key: &[u8], store: &str) -> Result<(Option<V>, Position), QueryError> {
    let mut row = None;
    let position = database.read(column, key, &mut |bytes| row = Some(codec::decode_row::<V>(bytes)))?;
    let value = row.transpose().map_err(|source| StoreError::Codec { store: store.to_string(), source })?;
    Ok((value, position.map(|position| position.marker.position()).unwrap_or_default()))
}
