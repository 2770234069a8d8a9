//! Records that are read where somebody noted them, on the fake cluster.

use std::time::Duration;

use proptest::prelude::*;

use crate::clock::ManualClock;
use crate::ports::{ChangelogReader, TransactionalProducer as _};
use crate::query::{FoundRecords, NoMoreRequests, QueryError, RecordReader, RecordRequests, WantedRecords};
use crate::record::{Offset, OutputRecord, Timestamp, TopicPartition};
use crate::testkit::cluster::{FakeChangelogReader, FakeCluster};

const LOG: &str = "events";
const LONG: Duration = Duration::from_secs(20);

fn cluster() -> FakeCluster {
    let cluster = FakeCluster::new(7, ManualClock::default());
    cluster.create_topic(LOG, 2, &[]);
    cluster
}

/// Writes plain records whose values are their offsets.
fn write(cluster: &FakeCluster, partition: i32, records: usize) {
    for _ in 0..records {
        let next = cluster.end_offsets(LOG)[partition as usize];
        cluster.append(LOG, Some(partition), Some(b"k"), Some(next.to_string().as_bytes()), Timestamp(5)).unwrap();
    }
}

fn wanted(partition: i32, offsets: &[i64]) -> WantedRecords {
    WantedRecords { partition: TopicPartition::new(LOG, partition), offsets: offsets.iter().copied().map(Offset).collect() }
}

/// Asks, and serves one request meanwhile.
fn read(
    reader: &RecordReader,
    requests: &RecordRequests,
    log: &mut dyn ChangelogReader,
    wanted: Vec<WantedRecords>,
) -> Result<Vec<FoundRecords>, QueryError> {
    // Its bound needs a timer.
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let asked = tokio::spawn({
            let reader = reader.clone();
            async move { reader.read(wanted).await }
        });
        let request = loop {
            tokio::task::yield_now().await;
            if let Some(request) = requests.next(Duration::ZERO).unwrap() {
                break request;
            }
        };
        let _ = request.serve(log);
        asked.await.unwrap()
    })
}

/// Offsets of what was found, each with its own value, and of what is gone.
fn offsets(found: &FoundRecords) -> (Vec<i64>, Vec<i64>) {
    let records = found.records.iter().map(|record| {
        assert_eq!(record.value.as_deref(), Some(record.offset.to_string().as_bytes()));
        record.offset.0
    });
    (records.collect(), found.gone.iter().map(|offset| offset.0).collect())
}

fn log_of(cluster: &FakeCluster) -> FakeChangelogReader {
    cluster.changelog_reader("app")
}

#[test]
fn records_are_found_where_they_stand_near_and_far() {
    let cluster = cluster();
    write(&cluster, 0, 1_000);
    write(&cluster, 1, 3);
    let (reader, requests) = RecordReader::new(LONG);
    let found = read(&reader, &requests, &mut log_of(&cluster), vec![wanted(0, &[0, 1, 64, 300, 999]), wanted(1, &[2])]).unwrap();
    let found: Vec<_> = found.iter().map(|found| (found.partition.partition, offsets(found))).collect();
    assert_eq!(found, [(0, (vec![0, 1, 64, 300, 999], vec![])), (1, (vec![2], vec![]))]);
}

#[test]
fn what_is_gone_is_told_and_not_waited_for() {
    let cluster = cluster();
    write(&cluster, 0, 100);
    let mut producer = cluster.producer("a");
    producer.replace(Duration::ZERO).unwrap();
    producer.begin().unwrap();
    producer
        .send(&OutputRecord { topic: LOG, partition: Some(0), key: None, value: Some(b"x"), timestamp: None, headers: Default::default() })
        .unwrap();
    producer.flush(Duration::ZERO).unwrap();
    producer.abort(Duration::ZERO).unwrap();
    write(&cluster, 0, 1);
    cluster.delete_records(LOG, 0, Offset(50));
    let (reader, requests) = RecordReader::new(LONG);
    let mut log = log_of(&cluster);
    let mut of = |wanted| read(&reader, &requests, &mut log, vec![wanted]).map(|found| offsets(&found[0])).unwrap();
    assert_eq!(of(wanted(0, &[3, 49, 50, 51])), (vec![50, 51], vec![3, 49]), "deleted");
    assert_eq!(of(wanted(0, &[99, 100, 101, 102])), (vec![99, 102], vec![100, 101]), "aborted");
    assert_eq!(of(wanted(0, &[102, 103, 9_000])), (vec![102], vec![103, 9_000]), "not written yet");
    assert_eq!(of(wanted(0, &[1, 2])), (vec![], vec![1, 2]));
    cluster.delete_records(LOG, 0, Offset(103));
    assert_eq!(of(wanted(0, &[1, 102])), (vec![], vec![1, 102]), "all of it");
}

#[test]
fn a_log_that_cannot_be_read_is_told() {
    let cluster = cluster();
    let (reader, requests) = RecordReader::new(LONG);
    let mut log = log_of(&cluster);
    cluster.set_reachable(false);
    let failed = read(&reader, &requests, &mut log, vec![wanted(0, &[1])]).unwrap_err();
    assert!(matches!(&failed, QueryError::LogUnavailable(_)), "{failed}");
    cluster.set_reachable(true);
    let mut missing = wanted(0, &[1]);
    missing.partition.topic = "other".into();
    let failed = read(&reader, &requests, &mut log, vec![missing]).unwrap_err();
    assert!(matches!(&failed, QueryError::LogUnavailable(_)), "{failed}");
}

#[test]
fn large_records_are_refused_at_a_bound() {
    let cluster = cluster();
    cluster.set_max_record_bytes(4 << 20);
    for _ in 0..9 {
        cluster.append(LOG, Some(0), None, Some(&vec![b' '; 2 << 20]), Timestamp(5)).unwrap();
    }
    let (reader, requests) = RecordReader::new(LONG);
    let mut log = log_of(&cluster);
    let all = read(&reader, &requests, &mut log, vec![wanted(0, &[0, 1, 2, 3, 4, 5, 6, 7, 8])]);
    assert!(matches!(all, Err(QueryError::RecordsTooLarge { .. })), "{all:?}");
    assert_eq!(read(&reader, &requests, &mut log, vec![wanted(0, &[0, 1, 2, 3, 4, 5, 6])]).unwrap()[0].records.len(), 7);
}

#[tokio::test]
async fn nobody_waits_beyond_the_bound_and_what_is_given_up_is_not_read() {
    let (reader, requests) = RecordReader::new(Duration::from_millis(20));
    let waiting: Vec<_> = (0..65)
        .map(|_| {
            tokio::spawn({
                let reader = reader.clone();
                async move { reader.read(vec![wanted(0, &[1])]).await }
            })
        })
        .collect();
    let mut refused = 0;
    for asked in waiting {
        match asked.await.unwrap() {
            Err(QueryError::Overloaded) => refused += 1,
            Err(QueryError::LogUnavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 1, "beyond the bound it is said at once");
    while let Some(request) = requests.next(Duration::ZERO).unwrap() {
        assert!(request.is_abandoned());
        request.serve(&mut log_of(&cluster())).unwrap();
    }
    drop(reader);
    assert!(matches!(requests.next(Duration::ZERO), Err(NoMoreRequests)));
    assert!(matches!(RecordReader::default().read(Vec::new()).await, Err(QueryError::NotJoined)));
    let (reader, requests) = RecordReader::new(LONG);
    drop(requests);
    assert!(matches!(reader.read(Vec::new()).await, Err(QueryError::LogUnavailable(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_offset_is_found_or_gone(offsets_wanted in prop::collection::btree_set(0..1_500_i64, 0..40), begin in 0..700_i64) {
        let cluster = cluster();
        write(&cluster, 0, 1_000);
        cluster.delete_records(LOG, 0, Offset(begin));
        let (reader, requests) = RecordReader::new(LONG);
        let list: Vec<i64> = offsets_wanted.into_iter().collect();
        let found = read(&reader, &requests, &mut log_of(&cluster), vec![wanted(0, &list)]).unwrap();
        let there = |offset: &&i64| (begin..1_000).contains(*offset);
        let (there, gone): (Vec<&i64>, Vec<&i64>) = list.iter().partition(there);
        let (records, absent) = offsets(&found[0]);
        prop_assert_eq!((records.iter().collect::<Vec<_>>(), absent.iter().collect::<Vec<_>>()), (there, gone));
    }
}
