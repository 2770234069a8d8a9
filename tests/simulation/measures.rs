//! What the engine's metrics say of one thread on a fake cluster, and that the number of their series is a matter of the topology alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::bounded;

use crate::clock::{Clock, ManualClock};
use crate::metrics::{Metrics, Versions};
use crate::query::ViewRegistry;
use crate::record::{Record, Timestamp, TopicPartition};
use crate::runtime::step::{StateRestorer, Step, StepSettings, StreamThread, ThreadParts};
use crate::runtime::{InstanceStatus, TokenTable, known_labels};
use crate::state::{MemoryDisk, StateDirectory};
use crate::testkit::cluster::{FakeChangelogReader, FakeCluster, FakePorts, MemberConfig};
use crate::topology::{Names, TaskId, Topology, TopologyBuilder};
use crate::{Json, Text};

const GROUP: &str = "app";

/// One process with one thread, and its metrics.
struct Bench {
    cluster: FakeCluster,
    clock: ManualClock,
    metrics: Metrics,
    status: InstanceStatus,
    process: Process,
}

struct Process {
    thread: StreamThread<FakePorts>,
    restorer: StateRestorer<FakeChangelogReader>,
    stop: Arc<AtomicBool>,
}

fn sums() -> Topology {
    let mut b = TopologyBuilder::new();
    let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
    let sums = b.store::<String, i64>("sums", numbers);
    b.each("sum", numbers, move |w| {
        let sums = w.store(sums);
        move |context, number: Record<String, i64>| {
            context.store(sums).change(&number.key, |sum| *sum = Some(sum.unwrap_or(0) + number.value))?;
            Ok(())
        }
    });
    b.build().unwrap()
}

impl Bench {
    fn start() -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(1, clock.clone());
        let names = Names::new(GROUP, "");
        ["numbers", "numbers-dlq"].iter().for_each(|topic| cluster.create_topic(topic, 1, &[]));
        cluster.create_compacted_topic(&names.task_log(), 1);
        cluster.create_compacted_topic(&names.changelog("sums"), 1);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let metrics = Metrics::new(Versions { librdkafka: "none", rocksdb: "none" }, shared.clone());
        metrics.begin_at_zero(&known_labels(&sums(), &names));
        let status = InstanceStatus::new(shared.clone());
        metrics.watch(Arc::new(status.clone()));
        let process = Process::start(&cluster, shared, &metrics, status.clone());
        Bench { cluster, clock, metrics, status, process }
    }

    /// The process ends without a word, and another begins with an empty disk.
    fn crash(&mut self) {
        self.process = Process::start(&self.cluster, Arc::new(self.clock.clone()), &self.metrics, self.status.clone());
    }

    fn append(&self, key: &str, value: &str) {
        let time = self.clock.now();
        self.cluster.append("numbers", Some(0), Some(key.as_bytes()), Some(value.as_bytes()), time).unwrap();
    }

    /// Steps until a step commits nothing and processes nothing for a while.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..100_000 {
            let before = self.metrics.consumer.records.get();
            self.step(Duration::from_millis(5));
            quiet = if self.metrics.consumer.records.get() == before { quiet + 1 } else { 0 };
            if quiet > 20 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn step(&mut self, passes: Duration) {
        self.process.restorer.step();
        self.process.thread.step().unwrap();
        self.clock.advance(passes);
        self.cluster.tick();
    }

    fn series(&self) -> BTreeSet<String> {
        let text = self.metrics.render();
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_string())).collect()
    }

    /// The sum of all series of a name.
    fn counter(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let series = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }
}

impl Process {
    fn start(cluster: &FakeCluster, clock: Arc<dyn Clock>, metrics: &Metrics, status: InstanceStatus) -> Self {
        let (requests, served) = bounded(64);
        let (names, views, stop) = (Names::new(GROUP, ""), ViewRegistry::default(), Arc::new(AtomicBool::new(false)));
        views.set_partitions("numbers".into(), 1);
        let thread = StreamThread::new(ThreadParts {
            name: "stream-1".into(),
            membership: cluster.membership(GROUP, MemberConfig::fixed("a", "a"), &names.task_log()),
            data: cluster.data_consumer(),
            producer: cluster.producer("a"),
            settings: StepSettings::default(),
            topology: sums(),
            names: names.clone(),
            tokens: Arc::new(TokenTable::of([TaskId { subtopology: "numbers".into(), partition: 0 }])),
            restorer: requests,
            views,
            status,
            metrics: metrics.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
        });
        let directory = StateDirectory::unlocked(Box::new(MemoryDisk::default()));
        let restorer = StateRestorer::new(cluster.changelog_reader(GROUP), directory, names.task_log(), served, clock, metrics.clone());
        Process { thread, restorer, stop }
    }
}

#[test]
fn a_million_keys_make_no_series() {
    const KEYS: usize = 1_000_000;
    const AT_ONCE: usize = 20_000;
    let mut bench = Bench::start();
    bench.append("first", "1");
    bench.append("bad", "not a number");
    bench.settle();
    let (before, changelog) = (bench.series(), TopicPartition::new(Names::new(GROUP, "").changelog("sums"), 0));
    for from in (0..KEYS).step_by(AT_ONCE) {
        (from..from + AT_ONCE).for_each(|key| bench.append(&format!("key-{key}"), "1"));
        bench.settle();
        // Only to keep the fake cluster small.
        for topic in ["numbers", &*changelog.topic] {
            let end = bench.cluster.end_offsets(topic)[0];
            bench.cluster.delete_records(topic, 0, end);
        }
    }
    assert_eq!(bench.counter("viewmill_consumer_records_total") as usize, KEYS + 2);
    assert_eq!(bench.series(), before);
}

#[test]
fn what_is_known_at_the_start_begins_at_zero() {
    let bench = Bench::start();
    let text = bench.metrics.render();
    for series in [
        r#"viewmill_consumer_records_total"#,
        r#"viewmill_consumer_rebalances_total{kind="lost"}"#,
        r#"viewmill_consumer_commits_total{result="failed"}"#,
        r#"viewmill_consumer_offsets_lost_total"#,
        r#"viewmill_transactions_total{result="indefinite"}"#,
        r#"viewmill_records_dropped_total{reason="misplaced"}"#,
        r#"viewmill_process_duration_seconds_count{subtopology="numbers"}"#,
        r#"viewmill_record_e2e_latency_seconds_count{topic="numbers"}"#,
        r#"viewmill_thread_activity_seconds_total{activity="blocked",thread="stream-1"}"#,
        r#"viewmill_store_operations_total{op="delete",store="sums"}"#,
        r#"viewmill_store_cache_requests_total{result="miss",store="sums"}"#,
        r#"viewmill_store_keys{store="sums"}"#,
        r#"viewmill_store_disk_bytes{store="sums"}"#,
        r#"viewmill_restore_duration_seconds_count"#,
        r#"viewmill_queries_total{result="refused",source="local",view="sums"}"#,
        r#"viewmill_query_duration_seconds_count{type="page",view="sums"}"#,
        r#"viewmill_tasks{role="active",state="restoring"}"#,
        r#"viewmill_state{state="error"}"#,
    ] {
        assert!(text.lines().any(|line| line == format!("{series} 0")), "{series} is not at zero");
    }
}

#[test]
fn each_group_counts_what_happened() {
    let mut bench = Bench::start();
    bench.settle();
    let began = bench.clock.monotonic();
    let activity = bench.counter("viewmill_thread_activity_seconds_total");
    for key in ["a", "b", "a"] {
        bench.append(key, "1");
    }
    bench.append("a", "not a number");
    bench.settle();
    for (name, expected) in [
        ("viewmill_consumer_records_total", 4.0),
        ("viewmill_consumer_bytes_total", 19.0),
        ("viewmill_deserialization_errors_total", 1.0),
        ("viewmill_records_dropped_total", 1.0),
        ("viewmill_dead_letter_records_total", 1.0),
        ("viewmill_consumer_log_start_offset", 0.0),
        ("viewmill_consumer_position_offset", 4.0),
        ("viewmill_consumer_committed_offset", 4.0),
        ("viewmill_consumer_lag_records", 0.0),
        ("viewmill_consumer_lag_seconds", 0.0),
        ("viewmill_view_lag_seconds", 0.0),
        ("viewmill_store_operations_total", 3.0),
        ("viewmill_store_cache_requests_total", 3.0),
        ("viewmill_store_operation_duration_seconds_count", 1.0),
    ] {
        assert_eq!(bench.counter(name), expected, "{name}");
    }
    assert!(bench.counter("viewmill_record_e2e_latency_seconds_count") >= 2.0);
    assert!(bench.counter("viewmill_process_duration_seconds_count") >= 1.0);
    let spent = bench.counter("viewmill_thread_activity_seconds_total") - activity;
    let passed = (bench.clock.monotonic() - began).as_secs_f64();
    assert!((spent - passed).abs() < 1e-6, "{spent} s of {passed} s are accounted for");
}

#[test]
fn a_restore_is_measured_and_its_rows_and_those_of_a_lost_partition_go() {
    let mut bench = Bench::start();
    (0..3_000).for_each(|key| bench.append(&format!("key-{key}"), "1"));
    bench.settle();
    assert!(bench.series().iter().any(|series| series.starts_with("viewmill_consumer_lag_records{")));
    bench.crash();
    let mut left = Vec::new();
    for _ in 0..2_000 {
        bench.step(Duration::from_millis(10));
        left.push(bench.counter("viewmill_restore_remaining_records"));
    }
    let most = left.iter().copied().fold(0.0, f64::max);
    assert!(most > 0.0, "what is left was told while it was restored");
    assert_eq!(left.last(), Some(&0.0));
    assert!(!bench.series().iter().any(|series| series.starts_with("viewmill_restore_remaining_records")), "and then it is gone");
    assert_eq!(bench.counter("viewmill_restore_records_total"), 3_000.0);
    assert_eq!(bench.counter("viewmill_restore_duration_seconds_count"), 1.0);

    let rows = |bench: &Bench| bench.series().iter().filter(|series| series.starts_with("viewmill_consumer_")).count();
    let with_partition = rows(&bench);
    bench.process.stop.store(true, Ordering::Release);
    while bench.process.thread.step().unwrap() != Step::Left {
        bench.clock.advance(Duration::from_millis(5));
        bench.cluster.tick();
    }
    assert_eq!(rows(&bench), with_partition - 6, "the six of the partition that it gave up");
}
