//! The coordinators with real logs and a real journal: what is answered, and what the next process makes of it.

mod power_cuts;
mod requests;
mod restarts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::super::groups::{Commit, Committer, OffsetToCommit};
use super::super::log::{AppendError, Appended, Isolation, LogSettings, Logs, PartitionLog};
use super::super::transactions::{Outcome, Producer, State, TopicPartition};
use super::super::wire::ErrorCode;
use super::{Coordinator, CoordinatorSettings};
use crate::clock::{Clock, ManualClock};
use crate::record::Timestamp;

const NOW: i64 = 1_790_000_000_000;
const MINUTE: i32 = 60_000;

/// A directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        Place(std::env::temp_dir().join(format!("viewmill-coordinator-{}", uuid::Uuid::new_v4())))
    }

    /// What a kill at this moment leaves.
    fn copied(&self) -> Place {
        let copy = Place::new();
        copy_all(&self.0, &copy.0);
        copy
    }

    /// All files below, whose names end so.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("can be listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("can be made");
    for entry in fs::read_dir(from).expect("can be listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(|_| ()).expect("can be copied")
        }
    }
}

/// A broker's inside, whose time the test moves.
struct Bench {
    coordinator: Coordinator,
    logs: Arc<Logs>,
    clock: ManualClock,
    place: Place,
}

impl Bench {
    /// With a topic "orders" of three partitions.
    fn new() -> Self {
        Bench::with(CoordinatorSettings::default())
    }

    fn with(settings: CoordinatorSettings) -> Self {
        let bench = Bench::at(Place::new(), settings, ManualClock::at(Timestamp(NOW)));
        bench.logs.create_topic("orders", 3, BTreeMap::new()).expect("is made");
        bench
    }

    fn at(place: Place, settings: CoordinatorSettings, clock: ManualClock) -> Self {
        let of_logs = LogSettings { background: false, fsync: settings.fsync, clock: Arc::new(clock.clone()), ..LogSettings::default() };
        let logs = Arc::new(Logs::open(&place.0.join("logs"), of_logs).expect("opens"));
        let for_coordinator: Arc<dyn Clock> = Arc::new(clock.clone());
        let coordinator = Coordinator::open(&place.0.join("journal"), settings, Arc::clone(&logs), for_coordinator).expect("opens");
        Bench { coordinator, logs, clock, place }
    }

    /// The next process, after a kill of this one at this moment, or after worse.
    fn killed_and(&self, meanwhile: impl FnOnce(&Place)) -> Bench {
        let place = self.place.copied();
        meanwhile(&place);
        Bench::at(place, self.coordinator.shared.settings.clone(), self.clock.clone())
    }

    /// The next process, after the machine stopped.
    fn powerless_and(&self, meanwhile: impl FnOnce(&Place)) -> Bench {
        let place = self.place.copied();
        meanwhile(&place);
        let settings = CoordinatorSettings { boot: "the next".to_owned(), ..self.coordinator.shared.settings.clone() };
        Bench::at(place, settings, self.clock.clone())
    }

    fn killed(&self) -> Bench {
        self.killed_and(|_| {})
    }

    fn log(&self, partition: i32) -> Arc<PartitionLog> {
        self.logs.partition("orders", partition).expect("is there")
    }

    async fn init(&self, id: &str) -> Producer {
        self.coordinator.init_producer(id, MINUTE, None).await.expect("a producer")
    }

    async fn add(&self, id: &str, producer: Producer, partition: i32) -> Result<(), ErrorCode> {
        self.coordinator.add_partitions(id, producer, vec![orders(partition)]).await
    }

    fn send(&self, producer: Producer, partition: i32, sequence: i32) -> Result<Appended, AppendError> {
        self.log(partition).append(batch(producer, sequence))
    }

    /// A producer with an open transaction: a record in partition 0, and offset 7 of group "g".
    async fn open(&self, id: &str) -> Producer {
        let producer = self.init(id).await;
        self.add(id, producer, 0).await.expect("added");
        self.send(producer, 0, 0).expect("appended");
        self.coordinator.add_offsets(id, producer, "g").await.expect("added");
        let committed = self.coordinator.commit_offsets_in_transaction(id, producer, &commit(7)).await;
        assert_eq!(committed, Ok(vec![ErrorCode::None]));
        producer
    }

    async fn end(&self, id: &str, producer: Producer, outcome: Outcome) -> Result<(), ErrorCode> {
        self.coordinator.end_transaction(id, producer, outcome).await
    }

    /// Decides the end and goes no further, like a process that is killed then.
    fn only_decide(&self, id: &str, producer: Producer, outcome: Outcome) {
        let end_of = |partition: &TopicPartition| {
            self.logs.partition(&partition.topic, partition.partition).map(|log| log.progress().high_watermark)
        };
        self.coordinator
            .with(|state, now| state.transactions.end(&mut state.journal, now, id, producer, outcome, end_of))
            .expect("is decided");
    }

    fn state(&self, id: &str) -> State {
        self.coordinator.describe_transaction(id).expect("is known").transaction.state
    }

    /// The committed offset of group "g", if it is stable.
    fn offset(&self) -> Option<i64> {
        let fetched = self.coordinator.fetch_offsets("g", Some(&[("orders".to_owned(), 0)]), true);
        fetched[0].offset.as_ref().map(|committed| committed.offset)
    }

    /// Whether a partition's records are all decided.
    fn is_stable(&self, partition: i32) -> bool {
        let progress = self.log(partition).progress();
        progress.last_stable == progress.high_watermark
    }

    /// How many transactions of a partition are aborted.
    fn aborted(&self, partition: i32) -> usize {
        self.log(partition).read(0, 1 << 20, Isolation::ReadCommitted).expect("is readable").aborted.len()
    }

    /// Waits, with a deadline, until the background has done its work.
    async fn until_state(&self, id: &str, state: State) {
        for _ in 0..2000 {
            if self.state(id) == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{id} is {:?} and should have become {state:?}", self.state(id));
    }
}

fn orders(partition: i32) -> TopicPartition {
    TopicPartition { topic: "orders".to_owned(), partition }
}

fn commit(offset: i64) -> Commit {
    let offset = OffsetToCommit { topic: "orders".to_owned(), partition: 0, offset, leader_epoch: -1, metadata: None };
    let by = Committer { generation: -1, member_id: String::new(), instance_id: None };
    Commit { group: "g".to_owned(), by, offsets: vec![offset], retention_ms: None, knows_missing_group: true }
}

/// A transactional batch of one record without key, as a client sends it.
fn batch(producer: Producer, sequence: i32) -> Bytes {
    const RECORD: &[u8] = &[16, 0, 0, 0, 1, 4, b'h', b'i', 0];
    let mut body = BytesMut::new();
    body.put_i16(1 << 4);
    body.put_i32(0);
    body.put_i64(NOW);
    body.put_i64(NOW);
    body.put_i64(producer.id);
    body.put_i16(producer.epoch);
    body.put_i32(sequence);
    body.put_i32(1);
    body.put_slice(RECORD);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(i32::try_from(body.len()).expect("is short") + 9);
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&body));
    batch.put_slice(&body);
    batch.freeze()
}
