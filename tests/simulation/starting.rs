//! The rows of the start decision in which Kafka's side or the disk is not what it was: each made on the fake cluster, and what the engine does.
//!
//! The application keeps the last value of each key; an empty text deletes the key. So what is served is known from the input alone, and a
//! row that should be gone shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use crate::clock::{Clock as _, ManualClock};
use crate::codec::{self, Text};
use crate::ports::{Admin as _, ClusterFacts};
use crate::query::TaskView;
use crate::record::{Offset, Record, Timestamp, TopicPartition};
use crate::runtime::step::StepSettings;
use crate::state::{Column, Direction, KeyRange, MemoryDisk, TaskDatabase};
use crate::testkit::cluster::{FakeCluster, Tombstones};
use crate::topology::{Names, Topology, TopologyBuilder};

const APPLICATION: &str = "start";
const TASK: &str = "words_0";
const CHANGELOG: &str = "start-last-changelog";
const TASK_LOG: &str = "start-tasks";

type Rows = BTreeMap<String, String>;

fn topology() -> Topology {
    let mut b = TopologyBuilder::new();
    let words = b.source::<String, String>("words", &["words"], Text, Text);
    let last = b.store::<String, String>("last", words);
    b.each("keep", words, move |w| {
        let last = w.store(last);
        move |context, word: Record<String, String>| {
            match word.value.is_empty() {
                true => context.store(last).delete(&word.key)?,
                false => context.store(last).put(&word.key, word.value)?,
            }
            Ok(())
        }
    });
    b.build().expect("the topology is whole")
}

struct World {
    program: Program,
    running: Option<Running>,
    disk: MemoryDisk,
    expected: Rows,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(1, clock.clone());
        cluster.create_topic("words", 1, &[]);
        cluster.create_compacted_topic(TASK_LOG, 1);
        cluster.create_compacted_topic(CHANGELOG, 1);
        let program = Program {
            metrics: no_metrics(&clock),
            topology: topology(),
            settings: StepSettings::default(),
            partitions: 1,
            names: Names::new(APPLICATION, ""),
            cluster,
            clock,
        };
        World { program, running: None, disk: MemoryDisk::default(), expected: Rows::new() }
    }

    /// A process that asks the cluster first, as a real one does.
    fn start(&mut self) {
        let mut admin = self.program.cluster.admin();
        let names = ["words", TASK_LOG, CHANGELOG];
        let found = admin.topics(&names).expect("the cluster answers");
        let topics = names.iter().zip(found).filter_map(|(name, topic)| Some((name.to_string(), topic?))).collect();
        let cluster = admin.cluster_id().expect("the cluster answers");
        self.program.settings.facts = Arc::new(ClusterFacts { cluster, topics });
        self.running = Some(self.program.start("p", &self.disk, 1, true));
    }

    fn append(&mut self, key: &str, value: &str) {
        let now = self.program.clock.now();
        self.program.cluster.append("words", 0, Some(key.as_bytes()), Some(value.as_bytes()), now).expect("input is not refused");
        match value.is_empty() {
            true => self.expected.remove(key),
            false => self.expected.insert(key.to_string(), value.to_string()),
        };
    }

    fn step(&mut self) -> Result<(), String> {
        self.program.clock.advance(Duration::from_millis(50));
        self.program.cluster.tick();
        let Some(running) = &mut self.running else { return Ok(()) };
        match running.step() {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.running = None;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Steps until all input is in the database.
    fn settle(&mut self) {
        for _ in 0..400 {
            self.step().expect("nothing fails");
            if self.is_done() {
                return assert_eq!(rows(&self.database().expect("it runs")), self.expected);
            }
        }
        panic!("not settled:\n{}", self.program.cluster.trace().join("\n"));
    }

    fn is_done(&self) -> bool {
        let end = self.program.cluster.end_offsets("words")[0];
        let position = self.database().and_then(|database| database.position());
        position.is_some_and(|position| position.marker.sources.values().next() == Some(&end))
    }

    fn database(&self) -> Option<Arc<TaskDatabase>> {
        let task = self.program.tasks().next().expect("there is one");
        match self.running.as_ref()?.views.get(&task) {
            Some(TaskView::Active(database)) => Some(database),
            _ => None,
        }
    }

    /// Ends the process as a crash would; its member is forgotten.
    fn kill(&mut self) {
        self.running = None;
        self.program.clock.advance(Duration::from_secs(60));
        self.program.cluster.tick();
    }

    fn starts_and_settles(&mut self) {
        self.start();
        self.settle();
    }

    /// Why a start is refused.
    fn refused(&mut self) -> String {
        self.start();
        for _ in 0..400 {
            if let Err(error) = self.step() {
                self.kill();
                return error;
            }
        }
        panic!("the start is not refused: {:?}", self.database().and_then(|database| database.position()));
    }

    fn rebuilds(&self) -> [u64; 4] {
        ["damaged", "torn", "outdated", "foreign"].map(|reason| self.program.metrics.restore.rebuilds.with_label_values(&[reason]).get())
    }

    /// A position of the log that another process brought forward, on a disk of its own.
    fn move_on_elsewhere(&mut self, work: impl FnOnce(&mut World)) {
        let ours = std::mem::take(&mut self.disk);
        work(self);
        self.kill();
        self.disk = ours;
    }
}

fn rows(database: &TaskDatabase) -> Rows {
    let mut rows = Rows::new();
    let mut visit = |key: &[u8], row: &[u8]| {
        rows.insert(codec::decode_whole_key(key).expect("keys are text"), codec::decode_row(row).expect("rows are text"));
        true
    };
    database.database().snapshot().scan(Column(1), &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    rows
}

fn settled() -> World {
    let mut world = World::new();
    world.start();
    (0..20).for_each(|n| world.append(&format!("k{n}"), &format!("v{n}")));
    world.settle();
    world
}

#[test]
fn a_database_found_damaged_while_it_runs_is_put_aside_and_rebuilt() {
    let mut world = settled();
    world.disk.damage(TASK, "block checksum mismatch in 000012.sst");
    world.append("k1", "");
    world.append("k2", "again");
    world.settle();
    assert_eq!(world.rebuilds(), [1, 0, 0, 0]);
    assert_eq!(world.disk.names(), [TASK.to_string(), format!("{TASK}.aside")], "kept for a person to look at");
    // And once more: again one is kept.
    world.disk.damage(TASK, "another");
    world.append("k3", "");
    world.settle();
    assert_eq!((world.rebuilds(), world.disk.names().len()), ([2, 0, 0, 0], 2));
}

#[test]
fn damage_that_only_a_reader_has_seen_leads_to_a_rebuild_without_new_input() {
    let mut world = settled();
    world.disk.damage(TASK, "block checksum mismatch in 000012.sst");
    for _ in 0..100 {
        world.step().unwrap();
    }
    assert_eq!(rows(&world.database().unwrap()), world.expected);
    assert_eq!(world.rebuilds(), [1, 0, 0, 0]);
}

#[test]
fn a_database_found_damaged_at_start_is_put_aside_and_rebuilt() {
    let mut world = settled();
    world.kill();
    world.disk.damage(TASK, "CURRENT is missing");
    world.starts_and_settles();
    assert_eq!(world.rebuilds(), [1, 0, 0, 0]);
}

#[test]
fn a_damaged_database_of_which_the_task_log_knows_nothing_is_never_read_as_zero() {
    let mut world = settled();
    world.kill();
    world.disk.damage(TASK, "CURRENT is missing");
    world.program.cluster.delete_topic(TASK_LOG);
    world.program.cluster.create_compacted_topic(TASK_LOG, 1);
    world.program.cluster.set_committed(APPLICATION, &TopicPartition::new(TASK_LOG, 0), None);
    let told = world.refused();
    assert!(told.contains("damaged") && told.contains("viewmill reset --application"), "{told}");
    assert_eq!(world.disk.names(), [TASK], "it lies where it lay");
}

#[test]
fn an_old_database_is_rebuilt_beside_because_tombstones_may_be_gone() {
    for hours in [11, 13] {
        let mut world = settled();
        world.kill();
        world.move_on_elsewhere(|world| {
            world.starts_and_settles();
            world.append("k1", "");
            world.append("k2", "new");
            world.settle();
        });
        world.program.clock.advance(Duration::from_secs(hours * 3_600));
        if hours == 13 {
            // What has not been seen for so long may be gone.
            world.program.cluster.compact(CHANGELOG, Tombstones::Drop);
        }
        world.starts_and_settles();
        assert_eq!(world.rebuilds(), [0, 0, u64::from(hours == 13), 0], "after {hours} hours");
        assert_eq!(world.disk.names(), [TASK], "the old one is gone, and nothing is beside");
    }
}

#[test]
fn killed_while_it_is_rebuilt_the_old_database_is_still_there() {
    let mut world = settled();
    world.kill();
    let position = |world: &World| world.disk.position(TASK);
    let before = position(&world);
    world.move_on_elsewhere(|world| {
        world.starts_and_settles();
        (0..5).for_each(|n| world.append(&format!("k{n}"), ""));
        world.settle();
    });
    world.program.clock.advance(Duration::from_secs(13 * 3_600));
    world.program.cluster.compact(CHANGELOG, Tombstones::Drop);
    let mut beside = 0;
    for steps in 1..12 {
        world.start();
        (0..steps).for_each(|_| world.step().unwrap());
        if world.disk.names().len() == 2 {
            beside += 1;
            assert_eq!(position(&world), before, "after {steps} steps");
        }
        world.kill();
    }
    assert!(beside > 0, "it was killed in the middle at least once");
    world.starts_and_settles();
}

#[test]
fn a_changelog_that_ends_below_the_marker_is_torn_and_the_local_rows_stay() {
    let mut world = settled();
    world.kill();
    let before = world.disk.position(TASK);
    world.move_on_elsewhere(|world| {
        world.starts_and_settles();
        world.append("k1", "");
        world.settle();
    });
    // Its records are gone, but it is the same topic: nobody tells ids.
    world.program.cluster.delete_topic(CHANGELOG);
    world.program.cluster.create_compacted_topic(CHANGELOG, 1);
    let told = {
        world.running = Some(world.program.start("p", &world.disk, 1, true));
        world.program.settings.facts = Arc::default();
        (0..400).find_map(|_| world.step().err()).expect("it is refused")
    };
    assert!(told.contains("start-last-changelog:0 is torn") && told.contains("viewmill reset --application"), "{told}");
    assert_eq!(world.rebuilds(), [0, 1, 0, 0], "read once more from its beginning");
    assert_eq!(world.disk.position(TASK), before, "what was here is not touched");
}

#[test]
fn a_changelog_without_its_beginning_restores_nothing() {
    let mut world = settled();
    world.kill();
    world.program.cluster.delete_records(CHANGELOG, 0, Offset(3));
    // What is here is whole.
    world.starts_and_settles();
    world.kill();
    world.disk = MemoryDisk::default();
    let told = world.refused();
    assert!(told.contains("start-last-changelog:0 begins at 3") && told.contains("viewmill reset --application"), "{told}");
}

#[test]
fn a_topic_that_was_made_again_is_refused_also_with_a_lost_disk() {
    for topic in ["words", CHANGELOG] {
        for disk_is_lost in [false, true] {
            let mut world = settled();
            world.kill();
            world.program.cluster.delete_topic(topic);
            world.program.cluster.create_topic(topic, 1, if topic == CHANGELOG { &[("cleanup.policy", "compact")] } else { &[] });
            // As long as before: the old offset would fit.
            for n in 0..100 {
                let now = world.program.clock.now();
                world.program.cluster.append(topic, 0, Some(format!("x{n}").as_bytes()), Some(b"y"), now).unwrap();
            }
            if disk_is_lost {
                world.disk = MemoryDisk::default();
            }
            let told = world.refused();
            assert!(told.contains(&format!("topic {topic} was deleted and made again")), "{told}");
            assert!(told.contains("viewmill reset --application"), "{told}");
        }
    }
}

#[test]
fn state_of_another_cluster_is_refused() {
    let mut world = settled();
    world.kill();
    world.program.cluster.set_cluster_id(Some("another"));
    let told = world.refused();
    assert!(told.contains("belongs to cluster fake-cluster-1, this is cluster another"), "{told}");
    // One that does not tell is not another.
    world.program.cluster.set_cluster_id(None);
    world.starts_and_settles();
}

#[test]
fn local_state_of_another_cluster_is_told_from_a_task_log_that_was_deleted() {
    let mut elsewhere = World::new();
    elsewhere.program.cluster.set_cluster_id(Some("another"));
    elsewhere.disk = {
        let mut world = settled();
        world.kill();
        world.disk
    };
    let told = elsewhere.refused();
    assert!(told.contains("local state belongs to cluster fake-cluster-1") && told.contains("viewmill reset --local"), "{told}");
}

#[test]
fn a_task_log_without_the_marker_is_truncated() {
    let mut world = settled();
    world.kill();
    let end = world.program.cluster.end_offsets(TASK_LOG)[0];
    world.program.cluster.delete_records(TASK_LOG, 0, end);
    let told = world.refused();
    assert!(told.contains("task log truncated") && told.contains("viewmill reset --application"), "{told}");
}

#[test]
fn offsets_that_expired_are_made_up_for_by_the_last_marker() {
    let mut world = settled();
    world.kill();
    let token = TopicPartition::new(TASK_LOG, 0);
    world.program.cluster.set_committed(APPLICATION, &token, None);
    world.start();
    world.append("k1", "");
    world.settle();
    assert!(world.program.cluster.committed(APPLICATION, &token).is_some(), "committed again");
}

#[test]
fn a_task_log_that_was_emptied_does_not_begin_local_state_anew() {
    let mut world = settled();
    world.kill();
    world.program.cluster.delete_topic(TASK_LOG);
    world.program.cluster.create_compacted_topic(TASK_LOG, 1);
    world.program.cluster.set_committed(APPLICATION, &TopicPartition::new(TASK_LOG, 0), None);
    // Its id differs, but nothing in Kafka remembers it: the database does.
    let told = world.refused();
    assert!(told.contains("the task log knows nothing of it") && told.contains("viewmill reset"), "{told}");
}

#[test]
fn offsets_that_were_reset_leave_local_state_ahead() {
    let mut world = settled();
    world.append("k1", "");
    world.settle();
    world.kill();
    let before = world.disk.position(TASK).unwrap();
    // The log as it was before the last commit.
    let markers: Vec<_> = world.program.cluster.read_all(TASK_LOG, 0, crate::testkit::cluster::Isolation::ReadCommitted);
    assert!(markers.len() > 1, "two commits at least");
    world.program.cluster.delete_topic(TASK_LOG);
    world.program.cluster.create_compacted_topic(TASK_LOG, 1);
    let first = &markers[0];
    let now = world.program.clock.now();
    let (_, offset) = world.program.cluster.append(TASK_LOG, 0, first.key.as_deref(), first.value.as_deref(), now).unwrap();
    world.program.cluster.set_committed(APPLICATION, &TopicPartition::new(TASK_LOG, 0), Some(offset.next()));
    let told = world.refused();
    assert!(told.contains("local state is ahead of the task log") && told.contains("viewmill reset --local"), "{told}");
    assert_eq!(world.disk.position(TASK), Some(before));
}

#[test]
fn keys_that_are_written_otherwise_and_other_partition_counts_are_refused() {
    let mut world = settled();
    world.kill();
    let mut b = TopologyBuilder::new();
    let words = b.source::<String, String>("words", &["words"], Text, Text);
    let last = b.partial_store::<(String, u64), String>("last");
    b.each("keep", words, move |w| {
        let last = w.store(last);
        move |context, word: Record<String, String>| Ok(context.store(last).put(&(word.key, 1), word.value)?)
    });
    let before = std::mem::replace(&mut world.program.topology, b.build().expect("the topology is whole"));
    for disk_is_lost in [false, true] {
        if disk_is_lost {
            world.disk = MemoryDisk::default();
        }
        let told = world.refused();
        assert!(told.contains("the keys of store last were written as string, the topology writes them as (string,u64)"), "{told}");
    }
    world.program.topology = before;
    world.program.partitions = 2;
    let told = world.refused();
    assert!(told.contains("had 1 partitions and have 2 now") && told.contains("viewmill reset --application"), "{told}");
}
