//! Scripted fetches: what comes of each partition in which step, and what is processed then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::ports::Wake;
use crate::record::Headers;

const NO_IDLE: Duration = Duration::ZERO;

/// A record of a time at an offset.
#[derive(Debug)]
struct At(i64, i64);

impl InputMessage for At {
    fn offset(&self) -> Offset {
        Offset(self.1)
    }
    fn timestamp(&self) -> Timestamp {
        Timestamp(self.0)
    }
    fn key(&self) -> Option<&[u8]> {
        None
    }
    fn value(&self) -> Option<&[u8]> {
        None
    }
    fn headers(&self) -> Headers {
        Headers::default()
    }
}

/// Gives what the test puts in.
#[derive(Default)]
struct Script {
    fetched: BTreeMap<TopicPartition, VecDeque<Fetched<At>>>,
    ends: BTreeMap<TopicPartition, Offset>,
}

impl DataConsumer for Script {
    type Message = At;
    fn assign(&mut self, _: &[(TopicPartition, Offset)]) -> Result<(), PortError> {
        Ok(())
    }
    fn unassign(&mut self, _: &[TopicPartition]) -> Result<(), PortError> {
        Ok(())
    }
    fn fetch(&mut self, partition: &TopicPartition, max: usize, into: &mut VecDeque<Fetched<At>>) -> Result<usize, PortError> {
        let waiting = self.fetched.entry(partition.clone()).or_default();
        let count = max.min(waiting.len());
        into.extend(waiting.drain(..count));
        Ok(count)
    }
    fn wait(&mut self, _: Duration) -> Result<(), PortError> {
        Ok(())
    }
    fn wake(&self) -> Wake {
        Arc::new(|| ())
    }
    fn cached_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.ends.get(partition).copied()
    }

    fn cached_start(&self, _partition: &TopicPartition) -> Option<Offset> {
        None
    }
}

/// Sources named by a letter, in this order.
struct Bench {
    names: Vec<&'static str>,
    group: PartitionGroup<At>,
    script: Script,
    given_up: Vec<String>,
}

fn partition(name: &str) -> TopicPartition {
    TopicPartition::new(name, 0)
}

impl Bench {
    fn new(names: &[&'static str]) -> Self {
        let partitions: Vec<_> = names.iter().map(|name| partition(name)).collect();
        let group = PartitionGroup::new(partitions.iter());
        Bench { names: names.to_vec(), group, script: Script::default(), given_up: Vec::new() }
    }

    /// Records of these times and offsets come, and the end as last seen in a fetch is told.
    fn comes(&mut self, name: &str, records: &[(i64, i64)], end: i64) {
        let waiting = self.script.fetched.entry(partition(name)).or_default();
        waiting.extend(records.iter().map(|(time, offset)| Fetched::Message(At(*time, *offset))));
        self.script.ends.insert(partition(name), Offset(end));
    }

    fn end_comes(&mut self, name: &str, end: i64) {
        self.script.fetched.entry(partition(name)).or_default().push_back(Fetched::End(Offset(end)));
        self.script.ends.insert(partition(name), Offset(end));
    }

    /// What steps at this time process until they must wait, as source and offset.
    fn run(&mut self, at_ms: u64, max_task_idle: Duration) -> Vec<String> {
        let mut order = Vec::new();
        loop {
            self.group.fill(&mut self.script).expect("a script does not fail");
            if let Some(partition) = self.group.settle(&self.script, Duration::from_millis(at_ms), max_task_idle) {
                self.given_up.push(partition.to_string());
            }
            let before = order.len();
            while let Some((source, message)) = self.group.pop() {
                order.push(format!("{}{}", self.names[source], message.offset()));
            }
            assert_eq!(before < order.len(), self.group.readiness == Readiness::Ready, "ready says that something can be processed");
            if before == order.len() {
                return order;
            }
        }
    }
}

#[test]
fn the_smallest_time_goes_first_and_equal_times_go_by_source_and_offset() {
    let mut bench = Bench::new(&["a", "b", "c"]);
    bench.comes("c", &[(1, 0), (5, 1), (5, 2)], 3);
    bench.comes("b", &[(5, 0), (9, 1)], 2);
    bench.comes("a", &[(5, 7), (9, 8), (8, 9)], 10);
    assert_eq!(bench.run(0, NO_IDLE), ["c0", "a7", "b0", "c1", "c2", "a8", "a9", "b1"]);
    assert_eq!(bench.group.readiness(), Readiness::Empty);
}

#[test]
fn a_partition_with_more_on_the_broker_is_waited_for() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.comes("a", &[(1, 0), (2, 1), (30, 2)], 3);
    assert_eq!(bench.run(0, NO_IDLE), [""; 0], "nothing is known of b yet");
    assert_eq!(bench.group.readiness(), Readiness::Waits(MAX_FETCH_WAIT));
    bench.comes("b", &[(10, 0)], 2);
    assert_eq!(bench.run(5, NO_IDLE), ["a0", "a1", "b0"], "b has one more, which may be older than a's next");
    bench.comes("b", &[(20, 1)], 2);
    assert_eq!(bench.run(10, NO_IDLE), ["b1", "a2"], "b is at its end as last seen");
    assert!(bench.given_up.is_empty());
}

#[test]
fn a_partition_at_its_end_is_not_waited_for() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.end_comes("b", 4);
    bench.comes("a", &[(1, 0), (2, 1)], 2);
    assert_eq!(bench.run(0, NO_IDLE), ["a0", "a1"]);
    // The consumer has seen a new end, and what is before it has not come yet.
    bench.comes("b", &[], 6);
    bench.comes("a", &[(7, 2)], 3);
    assert_eq!(bench.run(1, NO_IDLE), [""; 0]);
    // Only aborted records and markers were before it.
    bench.end_comes("b", 6);
    assert_eq!(bench.run(2, NO_IDLE), ["a2"]);
}

#[test]
fn markers_up_to_the_end_hold_up_nobody_once_the_end_is_told() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.comes("b", &[(1, 0)], 3);
    bench.comes("a", &[(2, 0), (3, 1)], 2);
    assert_eq!(bench.run(0, NO_IDLE), ["b0"], "offsets 1 and 2 of b may be records");
    bench.end_comes("b", 3);
    assert_eq!(bench.run(20, NO_IDLE), ["a0", "a1"]);
}

#[test]
fn a_fetch_that_never_comes_holds_up_the_others_for_a_bounded_time() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.comes("a", &[(1, 0)], 1);
    assert_eq!(bench.run(100, NO_IDLE), [""; 0]);
    let limit = MAX_FETCH_WAIT.as_millis() as u64 + 100;
    assert_eq!(bench.run(limit - 1, NO_IDLE), [""; 0]);
    assert_eq!(bench.run(limit, NO_IDLE), ["a0"]);
    bench.comes("a", &[(2, 1)], 2);
    assert_eq!(bench.run(limit + 1, NO_IDLE), ["a1"], "not waited for again");
    assert_eq!(bench.given_up, ["b:0"], "told once");
    bench.comes("b", &[(0, 0), (9, 1)], 2);
    bench.comes("a", &[(5, 2)], 3);
    assert_eq!(bench.run(limit + 2, NO_IDLE), ["b0", "a2", "b1"]);
    bench.comes("b", &[], 9);
    bench.comes("a", &[(6, 3)], 4);
    assert_eq!(bench.run(limit + 3, NO_IDLE), [""; 0], "it had brought something");
}

#[test]
fn partitions_at_their_end_are_given_the_idle_time_from_when_the_group_became_incomplete() {
    let idle = Duration::from_millis(100);
    let mut bench = Bench::new(&["a", "b", "c"]);
    ["a", "b", "c"].iter().for_each(|name| bench.end_comes(name, 0));
    assert_eq!(bench.run(0, idle), [""; 0]);
    assert_eq!(bench.group.readiness(), Readiness::Empty, "with nothing to process no time runs");
    bench.comes("a", &[(5, 0), (6, 1)], 2);
    assert_eq!(bench.run(50, idle), [""; 0]);
    assert_eq!(bench.group.readiness(), Readiness::Waits(Duration::from_millis(150)));
    bench.comes("b", &[(4, 0)], 1);
    assert_eq!(bench.run(149, idle), [""; 0], "the time does not begin anew with b's record");
    assert_eq!(bench.run(150, idle), ["b0", "a0", "a1"]);
    bench.comes("c", &[(7, 0)], 1);
    assert_eq!(bench.run(200, idle), [""; 0]);
    bench.comes("b", &[(8, 1)], 2);
    bench.comes("a", &[(9, 2)], 3);
    assert_eq!(bench.run(201, idle), ["c0"], "complete: at once, and then c may bring more");
    assert_eq!(bench.group.readiness(), Readiness::Waits(Duration::from_millis(301)));
}

#[test]
fn after_going_back_nothing_is_known() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.end_comes("b", 0);
    bench.comes("a", &[(1, 0), (2, 1)], 2);
    bench.group.fill(&mut bench.script).expect("a script does not fail");
    bench.group.clear();
    assert_eq!(bench.group.heads().collect::<Vec<_>>(), [(None, None), (None, None)]);
    bench.comes("a", &[(1, 0), (2, 1)], 2);
    assert_eq!(bench.run(0, NO_IDLE), [""; 0], "b's end is asked for again");
    bench.end_comes("b", 0);
    assert_eq!(bench.run(0, NO_IDLE), ["a0", "a1"]);
}

#[test]
fn a_full_queue_is_left_alone() {
    let mut bench = Bench::new(&["a", "b"]);
    let records: Vec<_> = (0..3_000).map(|n| (n, n)).collect();
    bench.comes("a", &records, 3_000);
    for _ in 0..5 {
        bench.group.fill(&mut bench.script).expect("a script does not fail");
    }
    assert_eq!(bench.script.fetched[&partition("a")].len(), 2_000, "the rest stays with the consumer");
    bench.end_comes("b", 0);
    assert_eq!(bench.run(0, NO_IDLE).len(), 3_000);
}
