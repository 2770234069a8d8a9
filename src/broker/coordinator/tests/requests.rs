//! What is answered.

use super::*;
use crate::broker::groups::{Join, Joined, Protocol};
use crate::clock::SystemClock;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_makes_records_and_offsets_visible_before_it_is_answered() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    assert!(!bench.is_stable(0));
    assert_eq!(bench.offset(), None);
    assert_eq!(bench.end("a", producer, Outcome::Commit).await, Ok(()));
    assert!(bench.is_stable(0));
    assert_eq!((bench.offset(), bench.aborted(0), bench.state("a")), (Some(7), 0, State::CompleteCommit));
    assert_eq!(bench.end("a", producer, Outcome::Commit).await, Ok(()), "answered again alike");
    assert_eq!(bench.end("a", producer, Outcome::Abort).await, Err(ErrorCode::InvalidTxnState));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_takes_records_and_offsets_back() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    assert_eq!(bench.end("a", producer, Outcome::Abort).await, Ok(()));
    assert!(bench.is_stable(0));
    assert_eq!((bench.offset(), bench.aborted(0), bench.state("a")), (None, 1, State::CompleteAbort));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_transaction_after_the_other_in_several_partitions() {
    let bench = Bench::new();
    let producer = bench.init("a").await;
    for round in 0..20 {
        for partition in 0..3 {
            bench.add("a", producer, partition).await.expect("added");
            bench.send(producer, partition, round).expect("appended");
        }
        bench.end("a", producer, Outcome::Commit).await.expect("committed");
    }
    for partition in 0..3 {
        assert_eq!(bench.log(partition).progress().high_watermark, 40, "twenty records and their markers");
        assert!(bench.is_stable(partition));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_not_announced_takes_nothing() {
    let bench = Bench::new();
    let producer = bench.init("a").await;
    assert!(matches!(bench.send(producer, 0, 0), Err(AppendError::InvalidTxnState { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_producer_aborts_the_former_ones_transaction_and_its_late_records_are_refused() {
    let bench = Bench::new();
    let former = bench.open("a").await;
    let first = bench.coordinator.init_producer("a", MINUTE, None).await;
    assert_eq!(first, Err(ErrorCode::ConcurrentTransactions));
    bench.until_state("a", State::CompleteAbort).await;
    let new = bench.init("a").await;
    assert_eq!(new, Producer { id: former.id, epoch: former.epoch + 2 });
    assert!(matches!(bench.send(former, 0, 1), Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(bench.add("a", former, 1).await, Err(ErrorCode::ProducerFenced));
    assert_eq!(bench.end("a", former, Outcome::Commit).await, Err(ErrorCode::ProducerFenced));
    assert_eq!((bench.offset(), bench.aborted(0)), (None, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_open_too_long_is_aborted_everywhere() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.clock.advance(Duration::from_secs(59));
    bench.coordinator.tend_transactions();
    assert_eq!(bench.state("a"), State::Ongoing);
    bench.clock.advance(Duration::from_secs(2));
    bench.coordinator.tend_transactions();
    bench.until_state("a", State::CompleteAbort).await;
    assert!(bench.is_stable(0));
    assert_eq!((bench.offset(), bench.aborted(0)), (None, 1));
    assert!(matches!(bench.send(producer, 0, 1), Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(bench.end("a", producer, Outcome::Commit).await, Err(ErrorCode::ProducerFenced));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_deleted_meanwhile_does_not_hold_up_the_end() {
    let bench = Bench::new();
    bench.logs.create_topic("doomed", 1, BTreeMap::new()).expect("is made");
    let producer = bench.open("a").await;
    let doomed = TopicPartition { topic: "doomed".to_owned(), partition: 0 };
    bench.coordinator.add_partitions("a", producer, vec![doomed]).await.expect("added");
    bench.logs.delete_topic("doomed").expect("is deleted");
    bench.coordinator.topic_deleted("doomed").await.expect("is told");
    assert_eq!(bench.end("a", producer, Outcome::Commit).await, Ok(()));
    assert_eq!(bench.offset(), Some(7));
}

fn member(name: &str) -> Join {
    Join {
        group: "g".to_owned(),
        member_id: String::new(),
        instance_id: None,
        client_id: name.to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".to_owned(),
        protocols: vec![Protocol { name: "range".to_owned(), metadata: Bytes::new() }],
        id_first: false,
        may_skip_assignment: true,
        unique: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_join_together_are_answered_together() {
    let place = Place::new();
    let logs = Arc::new(Logs::open(&place.0.join("logs"), LogSettings::default()).expect("opens"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let coordinator = Coordinator::open(&place.0.join("journal"), CoordinatorSettings::default(), logs, clock).expect("opens");
    let running = tokio::spawn(coordinator.clone().run());
    let (a, b) = tokio::join!(coordinator.join_group(member("a")), coordinator.join_group(member("b")));
    assert_eq!((a.error, a.generation, b.error, b.generation), (ErrorCode::None, 1, ErrorCode::None, 1));
    assert_eq!(a.leader, b.leader);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_answered_when_the_broker_stops() {
    let bench = Bench::new();
    let coordinator = bench.coordinator.clone();
    let waits = tokio::spawn(async move { coordinator.join_group(member("a")).await });
    for _ in 0..2000 {
        if bench.coordinator.describe_group("g").is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.coordinator.close().await;
    assert_eq!(waits.await.expect("answered"), Joined::failed(ErrorCode::CoordinatorNotAvailable, ""));
}
