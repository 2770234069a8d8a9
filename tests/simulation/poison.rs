//! Records that no processor can use, through the whole commit cycle: each policy, with panics, through aborts.

use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use crate::clock::ManualClock;
use crate::processor::ProcessorError;
use crate::record::{Header, Headers, OutputRecord, Record, Timestamp};
use crate::runtime::step::{PoisonPolicy, StepSettings, ThreadError};
use crate::state::MemoryDisk;
use crate::task::TaskError;
use crate::testkit::cluster::{FakeCluster, FaultKind, Faults, Isolation, StoredRecord};
use crate::topology::{Names, Topology, TopologyBuilder};
use crate::{Json, Text};

const GROUP: &str = "poison";

/// One process on one partition.
struct Instance {
    program: Program,
    running: Running,
}

/// Doubles numbers; it panics on 13, and negative ones it rejects.
fn doubles() -> Topology {
    let mut b = TopologyBuilder::new();
    let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
    let doubled = b.stream::<String, i64>("doubled");
    let seen = b.store::<String, i64>("seen", numbers);
    b.each("double", numbers, move |w| {
        let (seen, doubled) = (w.store(seen), w.output(doubled));
        move |context, number: Record<String, i64>| {
            context.store(seen).put(&number.key, number.value)?;
            context.forward(doubled, number.clone().with_value(number.value * 2))?;
            match number.value {
                13 => panic!("unlucky"),
                ..0 => Err(ProcessorError::rejected("is negative")),
                _ => Ok(()),
            }
        }
    });
    b.sink("doubles", doubled, "doubles", Text, Json);
    b.build().expect("the topology is whole")
}

impl Instance {
    fn start(seed: u64, policy: PoisonPolicy) -> Instance {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let (cluster, names) = (FakeCluster::new(seed, clock.clone()), Names::new(GROUP, ""));
        for topic in ["numbers", "numbers-dlq", "doubles"] {
            cluster.create_topic(topic, 1, &[]);
        }
        for topic in [names.task_log(), names.changelog("seen")] {
            cluster.create_compacted_topic(&topic, 1);
        }
        let settings = StepSettings { poison_policy: policy, records_per_step: 7, ..StepSettings::default() };
        let metrics = no_metrics(&clock);
        let program = Program { cluster, clock, topology: doubles(), names, partitions: 1, settings, metrics };
        let running = program.start("a", &MemoryDisk::default(), 1, false);
        Instance { program, running }
    }

    fn append(&self, value: &[u8]) {
        let trace = Headers::new(vec![Header { name: "traceparent".into(), value: Some(b"00-1".to_vec()) }]);
        let record = OutputRecord {
            topic: "numbers",
            partition: Some(0),
            key: Some(b"k"),
            value: Some(value),
            timestamp: Some(Timestamp(7)),
            headers: trace,
        };
        self.program.cluster.append_record(&record).expect("input is not refused");
    }

    /// Steps for so long.
    fn run(&mut self, steps: usize) -> Result<(), ThreadError> {
        for _ in 0..steps {
            self.program.clock.advance(Duration::from_millis(15));
            self.program.cluster.tick();
            self.running.step()?;
        }
        Ok(())
    }

    fn committed(&self, topic: &str) -> Vec<StoredRecord> {
        self.program.cluster.read_all(topic, 0, Isolation::ReadCommitted)
    }

    fn dropped_by_reason(&self) -> [(&'static str, u64); 3] {
        let dropped = &self.program.metrics.processing.records_dropped;
        DROPPED.map(|(reason, _)| (reason, dropped.with_label_values(&[reason]).get()))
    }

    fn dead_letters(&self) -> u64 {
        self.program.metrics.processing.dead_letters.get()
    }
}

fn header<'a>(record: &'a StoredRecord, name: &str) -> &'a str {
    record.headers.last(name).map(|value| std::str::from_utf8(value).unwrap()).unwrap_or("(none)")
}

/// What of [`input`] is not processed, by why.
const DROPPED: [(&str, u64); 3] = [("panicked", 17), ("rejected", 17), ("deserialization", 32)];

/// Numbers from 0 on, with something unusable after every third.
fn input() -> Vec<String> {
    let poison = ["13", "-5", "{", "\"4\""];
    (0..200)
        .flat_map(|n: usize| [Some((n + 100).to_string()), (n % 3 == 2).then(|| poison[n / 3 % poison.len()].to_string())])
        .flatten()
        .collect()
}

#[test]
fn panics_and_rejections_become_dead_letters_that_count_once_through_aborts() {
    let mut aborted = 0;
    for seed in 0..20 {
        let mut instance = Instance::start(seed, PoisonPolicy::DeadLetter);
        let faults = [FaultKind::SendRequiresAbort, FaultKind::FlushRequiresAbort, FaultKind::OffsetsRequireAbort];
        instance.program.cluster.set_faults(faults.iter().fold(Faults::none(), |faults, kind| faults.with(*kind, 0.03)));
        let input = input();
        input.iter().for_each(|value| instance.append(value.as_bytes()));
        instance.run(2_000).unwrap();

        let (good, bad): (Vec<&String>, Vec<&String>) = input.iter().partition(|value| value.len() == 3 && value.parse::<i64>().is_ok());
        let values = |topic| {
            instance.committed(topic).into_iter().map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect::<Vec<_>>()
        };
        let doubled: Vec<String> = good.iter().map(|value| (value.parse::<i64>().unwrap() * 2).to_string()).collect();
        assert_eq!(values("doubles"), doubled, "seed {seed}: nothing of a record at fault is left, and every other is there once");
        assert_eq!(values("numbers-dlq"), bad.into_iter().cloned().collect::<Vec<_>>(), "seed {seed}");
        for letter in instance.committed("numbers-dlq") {
            let kind = match letter.value.as_deref() {
                Some(b"13") => "panicked",
                Some(b"-5") => "rejected",
                _ => "deserialization",
            };
            let offset: usize = header(&letter, "viewmill-dlq-offset").parse().unwrap();
            assert_eq!(Some(input[offset].as_bytes()), letter.value.as_deref());
            assert_eq!((header(&letter, "viewmill-dlq-error"), header(&letter, "viewmill-dlq-topic")), (kind, "numbers"));
            assert_eq!((header(&letter, "traceparent"), header(&letter, "viewmill-dlq-partition")), ("00-1", "0"));
            assert_eq!((letter.key.as_deref(), letter.timestamp), (Some(&b"k"[..]), Timestamp(7)));
        }
        assert_eq!((instance.dropped_by_reason(), instance.dead_letters()), (DROPPED, 66), "seed {seed}");
        aborted += instance.program.metrics.processing.transactions.with_label_values(&["aborted"]).get();
    }
    assert!(aborted >= 20, "{aborted} aborts are too few to show anything");
}

#[test]
fn skipped_records_leave_nothing_but_a_count() {
    let mut instance = Instance::start(1, PoisonPolicy::Skip);
    input().iter().for_each(|value| instance.append(value.as_bytes()));
    instance.run(500).unwrap();
    assert_eq!((instance.committed("doubles").len(), instance.committed("numbers-dlq").len()), (200, 0));
    assert_eq!((instance.dropped_by_reason(), instance.dead_letters()), (DROPPED, 0));
}

#[test]
fn the_policy_stop_names_the_record() {
    let mut instance = Instance::start(1, PoisonPolicy::Stop);
    ["1", "2", "13", "4"].iter().for_each(|value| instance.append(value.as_bytes()));
    match instance.run(500) {
        Err(ThreadError::Task { cause: TaskError::Poison { place, cause }, .. }) => {
            assert_eq!((place.as_str(), cause.to_string().as_str()), ("numbers:0@2", "processor panicked: unlucky"));
        }
        other => panic!("it must stop at the record: {other:?}"),
    }
}

#[test]
fn a_record_with_no_room_for_headers_stops_nothing() {
    let mut instance = Instance::start(1, PoisonPolicy::DeadLetter);
    let large = "x".repeat(900);
    ["1", &large, "3"].iter().for_each(|value| instance.append(value.as_bytes()));
    instance.program.cluster.set_max_record_bytes(1_000);
    instance.run(500).unwrap();
    assert_eq!(instance.committed("doubles").len(), 2);
    let letters = instance.committed("numbers-dlq");
    let [letter] = &letters[..] else { panic!("one dead letter: {letters:?}") };
    assert_eq!((letter.key.as_deref(), &letter.value, header(letter, "viewmill-dlq-offset")), (Some(&b"k"[..]), &None, "1"));
    assert!(header(letter, "viewmill-dlq-detail").contains("too large"), "{}", header(letter, "viewmill-dlq-detail"));
}
