//! Restores that are cut off: at every write that a process makes it may be the last one. Whoever comes after goes on where the
//! progress says, and serves what it would serve had nothing happened; what cannot be continued is begun anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::upgrade::{EVEN, Shop, version_2};
use crossbeam::channel::bounded;

use crate::clock::{Clock, ManualClock};
use crate::query::{TaskView, ViewRegistry};
use crate::record::Timestamp;
use crate::runtime::InstanceStatus;
use crate::runtime::step::{OpenRequest, Opening, StateRestorer, ThreadError};
use crate::state::{
    Batch, Column, Database, DatabaseProvider, Direction, KeyRange, MemoryDisk, RestoreProgress, Snapshot, StateDirectory, StoreError,
    TaskDatabase,
};
use crate::task::TaskPlan;
use crate::testkit::cluster::Tombstones;

/// So many that a load of tests, which is small, holds a part of them.
const KEYS: usize = 90;

/// A disk that takes so many writes and then no more: what a process can have written before it was killed.
#[derive(Clone)]
struct FailingDisk {
    disk: MemoryDisk,
    left: Arc<AtomicI64>,
}

struct FailingDatabase {
    database: Arc<dyn Database>,
    left: Arc<AtomicI64>,
}

impl FailingDatabase {
    fn take_one(&self) -> Result<(), StoreError> {
        let failed = || StoreError::Database { path: self.path(), operation: "write", detail: "the process is dead".into() };
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 { Ok(()) } else { Err(failed()) }
    }
}

impl Database for FailingDatabase {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        self.database.get(column, key, read)
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.take_one().and_then(|()| self.database.write(batch))
    }

    fn clear(&self, column: Column) -> Result<(), StoreError> {
        self.take_one().and_then(|()| self.database.clear(column))
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        self.database.snapshot()
    }

    fn path(&self) -> String {
        self.database.path()
    }
}

impl DatabaseProvider for FailingDisk {
    fn open(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        Ok(Arc::new(FailingDatabase { database: self.disk.open(task, columns)?, left: self.left.clone() }))
    }

    fn open_beside(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        Ok(Arc::new(FailingDatabase { database: self.disk.open_beside(task, columns)?, left: self.left.clone() }))
    }

    fn switch(&self, task: &str) -> Result<(), StoreError> {
        self.disk.switch(task)
    }

    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError> {
        self.disk.set_aside(task, keep)
    }

    fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.disk.remove(task)
    }
}

impl Shop {
    /// An application whose input is processed; its process has ended, and its disk is lost.
    fn processed(seed: u64) -> Shop {
        let mut shop = Shop::new(seed);
        shop.start(2);
        (0..600).for_each(|n| shop.append_to(n % KEYS, n as i64));
        shop.until_done();
        shop.running = None;
        shop.disk = MemoryDisk::default();
        shop
    }

    fn append_to(&self, key: usize, value: i64) {
        let (key, now) = (format!("key-{key}"), self.program.clock.now());
        let value = value.to_string();
        self.program.cluster.append("numbers", None, Some(key.as_bytes()), Some(value.as_bytes()), now).expect("input is not refused");
    }

    /// Until all is processed and committed; rows and index rows are compared with the input at each step.
    fn until_done(&mut self) {
        for _ in 0..3_000 {
            self.step();
            if self.is_done() && (0..2).all(|partition| self.database(partition).position().is_some()) {
                return;
            }
        }
        panic!("not done: {:?}", self.program.cluster.trace());
    }

    /// Runs a process that can write so often; true when it needed no more.
    fn killed_after(&mut self, writes: i64) -> bool {
        let disk = FailingDisk { disk: self.disk.clone(), left: Arc::new(AtomicI64::new(writes)) };
        let mut running = self.program.start_on("p", Box::new(disk.clone()), 1, true);
        for _ in 0..3_000 {
            self.program.clock.advance(Duration::from_millis(20));
            self.program.cluster.tick();
            match running.step() {
                Ok(_) if disk.left.load(Ordering::Relaxed) < 0 => return false,
                Ok(_) => {}
                Err(ThreadError::Start { .. }) => return false,
                Err(error) => panic!("{error}"),
            }
            if self.program.tasks().all(|task| matches!(running.views.get(&task), Some(TaskView::Active(_)))) {
                return true;
            }
        }
        panic!("neither open nor dead: {:?}", self.program.cluster.trace());
    }

    fn restored_records(&self) -> u64 {
        self.program.metrics.restore.records_total()
    }

    fn database(&self, partition: i32) -> TaskDatabase {
        TaskDatabase::new(self.disk.open(&format!("numbers_{partition}"), &[]).expect("memory does not fail")).expect("it can be read")
    }
}

#[test]
fn a_restore_that_is_killed_at_any_write_goes_on_where_it_was() {
    let mut shop = Shop::processed(11);
    shop.program.topology = version_2();
    let (before, all) = (shop.restored_records(), shop.killed_after(i64::MAX));
    assert!(all);
    let whole = shop.restored_records() - before;
    let mut resumed = 0;
    for writes in 0.. {
        assert!(writes < 500, "a restore takes so many writes?");
        shop.disk = MemoryDisk::default();
        let whole_at_once = shop.killed_after(writes);
        let before = shop.restored_records();
        shop.start(2);
        let checked = shop.checked;
        shop.until_done();
        assert!(shop.checked > checked, "rows and index rows were compared");
        let again = shop.restored_records() - before;
        assert!(again <= whole, "{writes} writes: {again} of {whole} records again");
        resumed += usize::from(0 < again && again < whole);
        for partition in 0..2 {
            assert_eq!(shop.database(partition).restore_progress().expect("memory does not fail"), None, "nothing is left of it");
        }
        shop.running = None;
        if whole_at_once {
            break;
        }
    }
    assert!(resumed > 10, "only {resumed} went on in the middle");
}

#[test]
fn killed_again_and_again_a_restore_ends() {
    let mut shop = Shop::processed(12);
    let mut attempts = 0;
    // Each attempt writes a little more than the words that begin it.
    while !shop.killed_after(5) {
        attempts += 1;
        assert!(attempts < 200, "no progress");
    }
    assert!(attempts > 5, "it was killed {attempts} times only");
    shop.start(2);
    shop.until_done();
}

#[test]
fn what_an_old_or_foreign_restore_left_is_removed_and_ghosts_with_it() {
    for foreign in [false, true] {
        let mut shop = Shop::processed(13);
        while shop.database(0).restore_progress().unwrap().is_none_or(|progress| progress.next.len() < 3) {
            assert!(!shop.killed_after(6), "it is killed with rows of each store written");
        }
        // One that no changelog knows any more: as a row whose tombstone was cleaned away.
        let mut ghost = Batch::default();
        ghost.put(EVEN, b"ghost", b"\x01\x00\x01\x02");
        shop.database(0).database().write(&ghost).unwrap();
        if foreign {
            let progress = shop.database(0).restore_progress().unwrap().expect("it was begun");
            let progress = RestoreProgress { lineage: uuid::Uuid::from_u128(1), ..progress };
            shop.database(0).begin_restore(&progress).unwrap();
        } else {
            shop.program.cluster.compact(&shop.program.names.changelog("even"), Tombstones::Drop);
            shop.program.clock.advance(Duration::from_secs(13 * 3_600));
        }
        shop.start(2);
        shop.until_done();
        let mut found = 0;
        let mut visit = |key: &[u8], _: &[u8]| {
            found += usize::from(key == b"ghost");
            true
        };
        shop.database(0).database().snapshot().scan(EVEN, &KeyRange::all(), Direction::Forward, &mut visit).unwrap();
        assert_eq!(found, 0, "foreign: {foreign}");
    }
}

#[test]
fn rows_without_a_position_are_never_taken_for_a_first_start() {
    let shop = Shop::new(14);
    let progress =
        RestoreProgress { lineage: uuid::Uuid::from_u128(1), sequence: 7, next: Default::default(), began_at: shop.program.clock.now() };
    shop.database(0).begin_restore(&progress).unwrap();
    let mut running = shop.program.start("p", &shop.disk, 1, true);
    let refused = (0..300).find_map(|_| {
        shop.program.clock.advance(Duration::from_millis(20));
        shop.program.cluster.tick();
        running.step().err()
    });
    let refused = refused.expect("it is refused").to_string();
    assert!(refused.contains("sequence 7") && refused.contains("never read as zero"), "{refused}");
}

/// A clock by which each piece of work takes a millisecond.
#[derive(Debug)]
struct WorkClock(ManualClock);

impl Clock for WorkClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.advance(Duration::from_millis(1));
        self.0.monotonic()
    }
}

#[test]
fn while_a_task_is_at_work_a_restore_rests_most_of_the_time() {
    let takes = |at_work: bool| {
        let mut shop = Shop::processed(15);
        shop.program.topology = version_2();
        let (names, clock) = (shop.program.names.clone(), shop.program.clock.clone());
        let status = InstanceStatus::new(Arc::new(clock.clone()));
        let (requests, served) = bounded(4);
        let (reply, opened) = bounded(4);
        let reader = shop.program.cluster.changelog_reader(&names.application_id);
        let directory = StateDirectory::unlocked(Box::new(MemoryDisk::default()));
        let work_clock: Arc<dyn Clock> = Arc::new(WorkClock(clock.clone()));
        let metrics = shop.program.metrics.clone();
        let mut restorer = StateRestorer::new(reader, directory, names.task_log(), served, work_clock, metrics).paced_by(status.clone());
        for (token, task) in (0..).zip(shop.program.tasks()) {
            let plan = TaskPlan::new(&shop.program.topology, &names, &task, 2).expect("it is planned");
            let opening = Opening::new(token, 1);
            let request = OpenRequest {
                opening,
                plan: Arc::new(plan),
                facts: Default::default(),
                guarantee: Default::default(),
                reply: reply.clone(),
                wake: Arc::new(|| {}),
                views: ViewRegistry::default(),
                sabotaged: Default::default(),
            };
            requests.send(request).expect("there is room");
        }
        let (began, mut rested) = (clock.monotonic(), Duration::ZERO);
        for _ in 0..5_000 {
            if at_work {
                status.note_work(clock.monotonic());
            }
            let wait = restorer.step().expect("somebody may ask still");
            rested += wait;
            clock.advance(wait);
            if opened.len() == 2 {
                return (clock.monotonic() - began, rested);
            }
        }
        panic!("not restored");
    };
    let ((alone, _), (beside, rested)) = (takes(false), takes(true));
    assert!(beside > alone * 2, "{beside:?} beside a task at work, {alone:?} alone");
    assert!(rested * 3 > beside, "it rested {rested:?} of {beside:?}");
}
