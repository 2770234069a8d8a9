//! The reader's side of stores: typed, read-only, from any thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::parts::{OpenPart, is_being_filled, open, parts_of};
use super::store_table::{StoreEntry, store_table};
use super::upstream::{Upstreams, upstreams};
use super::{
    Answer, ConsistencyToken, FoundRecords, InstanceId, Owners, Peers, QueryError, Read, RecordReader, Role, ViewRegistry, WantedRecords,
};
use crate::clock::Stopwatch;
use crate::codec::{self, CodecError, StoreKey, StoreValue};
use crate::metrics::{Metrics, QueryResult, QueryType, ViewMeter};
use crate::record::{Position, TopicName, partition_for};
use crate::state::{StoreError, TaskDatabase, TaskPosition};
use crate::topology::{Names, Partial, PartitionKey, Store, TaskId, Topology};

/// Reads that may wait for a blocking thread or run on one; more are refused.
const CONCURRENT_READS: usize = 1_024;

/// Reads that may wait for commits; more are refused. Each holds some hundred bytes.
const CONCURRENT_WAITS: usize = 4_096;

/// How long a read waits for commits where nobody says.
const DEFAULT_MAX_WAIT: Duration = Duration::from_secs(5);

/// How far the partitions of a task lag behind, for [`Answer::lag`].
pub type TaskLag = Arc<dyn Fn(&TaskId) -> Option<Duration> + Send + Sync>;

/// The stores of an application, for readers. Cheap to clone.
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    topology: Topology,
    names: Names,
    registry: ViewRegistry,
    lag: TaskLag,
    owners: Owners,
    instance: InstanceId,
    stores: Vec<Arc<StoreEntry>>,
    /// In the order of `stores`.
    meters: Vec<ViewMeter>,
    reads: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    max_wait: Duration,
    peers: Peers,
    upstreams: Upstreams,
    records: RecordReader,
}

impl Views {
    /// Reads the tasks of a registry; `owners` tell who has the others.
    pub fn new(
        topology: Topology,
        names: Names,
        registry: ViewRegistry,
        lag: TaskLag,
        owners: Owners,
        instance: InstanceId,
        metrics: &Metrics,
    ) -> Self {
        let stores = store_table(&topology);
        let inner = Inner {
            meters: stores.iter().map(|store| metrics.queries.view(&store.name)).collect(),
            reads: Arc::new(Semaphore::new(CONCURRENT_READS)),
            waits: Arc::new(Semaphore::new(CONCURRENT_WAITS)),
            max_wait: DEFAULT_MAX_WAIT,
            peers: Peers::default(),
            upstreams: upstreams(&topology, &names),
            records: RecordReader::default(),
            topology,
            names,
            registry,
            lag,
            owners,
            instance,
            stores,
        };
        Views { inner: Arc::new(inner) }
    }

    /// The same, in which a read waits at most so long for commits, and asks other instances by `peers` how far theirs are. Before it is
    /// shared.
    pub fn waiting(mut self, max_wait: Duration, peers: Peers) -> Self {
        let inner = Arc::get_mut(&mut self.inner).expect("views are set up before they are cloned");
        (inner.max_wait, inner.peers) = (max_wait, peers);
        self
    }

    /// The same, in which records of the log are read by this. Before it is shared.
    pub fn reading_records(mut self, records: RecordReader) -> Self {
        Arc::get_mut(&mut self.inner).expect("views are set up before they are cloned").records = records;
        self
    }

    /// Records of source topics (without prefix; what is found has it), at offsets that a row has noted.
    ///
    /// # Errors
    /// As [`RecordReader::read`].
    pub async fn records(&self, mut wanted: Vec<WantedRecords>) -> Result<Vec<FoundRecords>, QueryError> {
        wanted.iter_mut().for_each(|wanted| wanted.partition.topic = self.names().topic(&wanted.partition.topic).into());
        self.inner.records.read(wanted).await
    }

    /// Reads what a writer was given, as its text.
    ///
    /// # Errors
    /// [`QueryError::Token`] when no token of this application says that; [`QueryError::NotJoined`] when it is not known yet.
    pub fn token(&self, text: &str) -> Result<ConsistencyToken, QueryError> {
        let token = ConsistencyToken::parse(text, &self.names().application_id).map_err(|fault| QueryError::Token(fault.to_string()))?;
        for partition in token.position().0.keys() {
            let reader = self.source_reader(&partition.topic);
            let reader = reader.ok_or_else(|| QueryError::Token(format!("names the topic {}, which is not read here", partition.topic)))?;
            if partition.partition >= self.registry().partitions(reader).ok_or(QueryError::NotJoined)? {
                return Err(QueryError::Token(format!("names {partition}, which is not there")));
            }
        }
        Ok(token)
    }

    /// A token for readers who must see all that stands before these offsets. Topics that are no sources of this application are left out.
    pub fn token_of(&self, position: &Position) -> ConsistencyToken {
        let read = position.0.iter().filter(|(partition, _)| self.source_reader(&partition.topic).is_some());
        let read = Position(read.map(|(partition, next)| (partition.clone(), *next)).collect());
        ConsistencyToken::new(&self.names().application_id, &read)
    }

    /// The longest that a read waits for commits.
    pub fn max_wait(&self) -> Duration {
        self.inner.max_wait
    }

    /// A sub-topology that reads a topic which others write.
    fn source_reader(&self, topic: &str) -> Option<&str> {
        let reads = |(read, _): &(TopicName, usize)| matches!(read, TopicName::Declared(_)) && self.names().full(read) == topic;
        let reader = self.topology().subtopologies().iter().find(|subtopology| subtopology.topics.iter().any(reads))?;
        Some(&reader.name)
    }

    /// Who answers.
    pub fn instance(&self) -> &InstanceId {
        &self.inner.instance
    }

    /// The row of a key, from the task that owns it.
    pub async fn get<K: StoreKey, V: StoreValue>(&self, store: Store<K, V>, key: &K, read: &Read) -> Result<Answer<Option<V>>, QueryError> {
        let store = self.entry(store.id.0);
        let partition_key = self.inner.topology.parts().stores[store.at].partition_key.downcast_ref::<PartitionKey<K>>();
        let partition_key = partition_key.expect("a Store carries the types it was declared with")(key);
        let task = self.owner(store, &partition_key.map_err(|e| QueryError::Key(e.to_string()))?.unwrap_or_default())?;
        self.row(store, task, codec::encode_whole_key(key), read, codec::decode_row::<V>).await
    }

    /// The rows of one key in all partitions, in their order; partitions without that key give none.
    pub async fn get_each<K: StoreKey, V: StoreValue>(
        &self,
        store: Store<K, V, Partial>,
        key: &K,
        read: &Read,
    ) -> Result<Answer<Vec<V>>, QueryError> {
        let decode = |_, row: &[u8]| codec::decode_row::<V>(row);
        self.row_each(self.entry(store.id.0), read, codec::encode_whole_key(key), decode).await
    }

    /// The row of a key from its task, decoded where the database holds it.
    pub(super) async fn row<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        task: TaskId,
        key: Vec<u8>,
        read: &Read,
        decode: impl Fn(&[u8]) -> Result<T, CodecError> + Send + 'static,
    ) -> Result<Answer<Option<T>>, QueryError> {
        let watch = Stopwatch::start();
        let answer = self.row_of_task(store, task, key, read, decode).await;
        let result = match &answer {
            Ok(Answer { value: None, .. }) => QueryResult::Absent,
            answer => result_of(answer),
        };
        self.inner.meters[store.at].read(QueryType::Get, watch.elapsed(), result);
        answer
    }

    async fn row_of_task<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        task: TaskId,
        key: Vec<u8>,
        read: &Read,
        decode: impl Fn(&[u8]) -> Result<T, CodecError> + Send + 'static,
    ) -> Result<Answer<Option<T>>, QueryError> {
        let (database, stale) = match read.after {
            None => (self.part(&task)?.database, false),
            Some(_) => {
                let (mut parts, stale) = self.caught_up(&task.subtopology, read, || Ok(vec![self.part(&task)?])).await?;
                (parts.remove(0).database, stale)
            }
        };
        // Handing a read to another thread costs more than the read of a row that is in memory.
        let found = match read_row_in_memory(&database, store, &key, &decode)? {
            Some(found) => found,
            None => {
                let store = store.clone();
                self.blocking(move || read_row(&database, &store, &key, decode)).await?
            }
        };
        let Some((value, position)) = found else { return Err(QueryError::Restoring { task }) };
        Ok(Answer { stale, ..self.answer(value, position, (self.inner.lag)(&task)) })
    }

    /// The rows of a key in all partitions; `decode` is told the partition.
    pub(super) async fn row_each<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        read: &Read,
        key: Vec<u8>,
        decode: impl Fn(i32, &[u8]) -> Result<T, CodecError> + Send + 'static,
    ) -> Result<Answer<Vec<T>>, QueryError> {
        self.read_parts(store, QueryType::GetEach, read, move |store, parts| {
            let mut rows = Vec::new();
            for part in parts {
                let mut row = None;
                part.snapshot.get(store.column, &key, &mut |bytes| row = Some(decode(part.partition, bytes)))?;
                rows.extend(row.transpose().map_err(|source| undecoded(store, source))?);
            }
            Ok(rows)
        })
        .await
    }

    /// Reads all partitions of a store, each from one snapshot.
    pub(super) async fn read_parts<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        kind: QueryType,
        read: &Read,
        work: impl FnOnce(&StoreEntry, &[OpenPart<'_>]) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<Answer<T>, QueryError> {
        let watch = Stopwatch::start();
        let answer = self.work_on_parts(store, read, work).await;
        self.inner.meters[store.at].read(kind, watch.elapsed(), result_of(&answer));
        answer
    }

    async fn work_on_parts<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        read: &Read,
        work: impl FnOnce(&StoreEntry, &[OpenPart<'_>]) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<Answer<T>, QueryError> {
        let (scope, store) = (read.scope, store.clone());
        let look = || parts_of(&store, &self.inner.registry, &self.inner.owners, scope);
        let (parts, stale) = self.caught_up(&store.subtopology, read, look).await?;
        // The largest; not known when one of them is not.
        let lags: Option<Vec<Duration>> = parts.iter().map(|part| (self.inner.lag)(&part.task)).collect();
        let (value, position) = self
            .blocking(move || {
                let (open, position) = open(&store, &parts, scope)?;
                Ok((work(&store, &open)?, position))
            })
            .await?;
        Ok(Answer { stale, ..self.answer(value, position, lags.and_then(|lags| lags.into_iter().max())) })
    }

    /// Does work that may touch the disk, which a tokio worker must not.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.inner.reads.clone().try_acquire_owned().map_err(|_| QueryError::Overloaded)?;
        let done = tokio::task::spawn_blocking(move || {
            // Also when nobody waits any more, the work counts until it has ended.
            let _permit = permit;
            work()
        });
        done.await.map_err(|e| QueryError::BrokenOff(e.to_string()))?
    }

    fn answer<T>(&self, value: T, position: Position, lag: Option<Duration>) -> Answer<T> {
        Answer { value, position, lag, served_by: self.inner.instance.clone(), served_from: Role::Active, stale: false }
    }

    /// The task whose partition a key belongs to.
    pub(super) fn owner(&self, store: &StoreEntry, partition_key: &[u8]) -> Result<TaskId, QueryError> {
        let partitions = self.inner.registry.partitions(&store.subtopology).ok_or(QueryError::NotJoined)?;
        Ok(TaskId { subtopology: store.subtopology.clone(), partition: partition_for(partition_key, partitions) })
    }

    pub(super) fn entry(&self, store: usize) -> &Arc<StoreEntry> {
        &self.inner.stores[store]
    }

    pub(super) fn entries(&self) -> &[Arc<StoreEntry>] {
        &self.inner.stores
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.inner.topology
    }

    pub(super) fn names(&self) -> &Names {
        &self.inner.names
    }

    pub(super) fn registry(&self) -> &ViewRegistry {
        &self.inner.registry
    }

    pub(super) fn owners(&self) -> &Owners {
        &self.inner.owners
    }

    pub(super) fn peers(&self) -> &Peers {
        &self.inner.peers
    }

    pub(super) fn upstreams(&self) -> &Upstreams {
        &self.inner.upstreams
    }

    /// For reads that wait for commits.
    pub(super) fn waiters(&self) -> Arc<Semaphore> {
        self.inner.waits.clone()
    }
}

fn result_of<T>(answer: &Result<T, QueryError>) -> QueryResult {
    match answer {
        Ok(_) => QueryResult::Found,
        Err(QueryError::Elsewhere { .. }) => QueryResult::Redirected,
        Err(QueryError::Restoring { .. } | QueryError::RestoringElsewhere { .. } | QueryError::NotHere { .. }) => QueryResult::Unavailable,
        Err(QueryError::Partial { .. } | QueryError::NotJoined) => QueryResult::Unavailable,
        Err(QueryError::NotCaughtUp { .. } | QueryError::PeerBehind { .. } | QueryError::PeerFailed { .. }) => QueryResult::Unavailable,
        Err(QueryError::Overloaded | QueryError::TooManyRows { .. }) => QueryResult::Refused,
        Err(_) => QueryResult::Failed,
    }
}

/// A row, if there is one, and the position whose state it belongs to; `None` while the store is being filled.
type RowAt<T> = Option<(Option<T>, Position)>;

fn read_row<T>(
    database: &TaskDatabase,
    store: &StoreEntry,
    key: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
) -> Result<RowAt<T>, QueryError> {
    let mut row = None;
    match database.read(store.column, key, &mut |bytes| row = Some(decode(bytes)))? {
        Some(state) => row_at(store, state.as_deref(), row),
        None => Ok(None),
    }
}

/// `None` when it takes more than a look at what is in memory.
fn read_row_in_memory<T>(
    database: &TaskDatabase,
    store: &StoreEntry,
    key: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
) -> Result<Option<RowAt<T>>, QueryError> {
    let mut row = None;
    match database.read_in_memory(store.column, key, &mut |bytes| row = Some(decode(bytes)))? {
        Some(state) => row_at(store, state.as_deref(), row).map(Some),
        None => Ok(None),
    }
}

fn row_at<T>(store: &StoreEntry, state: Option<&TaskPosition>, row: Option<Result<T, CodecError>>) -> Result<RowAt<T>, QueryError> {
    if is_being_filled(state, store) {
        return Ok(None);
    }
    let row = row.transpose().map_err(|source| undecoded(store, source))?;
    Ok(Some((row, state.map(|state| state.marker.position()).unwrap_or_default())))
}

pub(super) fn undecoded(store: &StoreEntry, source: CodecError) -> QueryError {
    QueryError::Store(StoreError::Codec { store: store.name.to_string(), source })
}
