//! AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, time-outs.

use super::*;

#[test]
fn a_transaction_opens_with_its_first_partition_or_group() {
    let mut scene = Scene::new();
    let producer = scene.init("a").expect("a producer");
    assert_eq!(scene.add("a", producer, 3), Ok(true));
    assert_eq!(scene.state("a"), State::Ongoing);
    let producer = scene.init("b").expect("a producer");
    assert_eq!(scene.add_group("b", producer, "g"), Ok(true));
    assert_eq!(scene.state("b"), State::Ongoing);
}

#[test]
fn the_same_partition_again_is_nothing_new() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    let before = scene.journal.records.len();
    assert_eq!(scene.add("a", producer, 0), Ok(false));
    assert_eq!(scene.journal.records.len(), before);
    assert_eq!(scene.add("a", producer, 1), Ok(true));
}

#[test]
fn an_unknown_id_or_producer_is_refused() {
    let mut scene = Scene::new();
    let producer = scene.init("a").expect("a producer");
    let stranger = Producer { id: producer.id + 1, epoch: 0 };
    assert_eq!(scene.add("nobody", producer, 0), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(scene.add("a", stranger, 0), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(scene.end("a", stranger, Outcome::Commit), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(scene.add("", producer, 0), Err(ErrorCode::InvalidRequest));
}

#[test]
fn while_an_end_is_written_nothing_is_added() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    assert_eq!(scene.add("a", producer, 1), Err(ErrorCode::ConcurrentTransactions));
    scene.complete("a");
    assert_eq!(scene.add("a", producer, 1), Ok(true));
    assert_eq!(scene.get("a").partitions, [orders(1)].into());
}

#[test]
fn commit_and_abort_go_through_their_states() {
    for (outcome, prepared, complete) in
        [(Outcome::Commit, State::PrepareCommit, State::CompleteCommit), (Outcome::Abort, State::PrepareAbort, State::CompleteAbort)]
    {
        let mut scene = Scene::new();
        let producer = scene.open("a");
        assert_eq!(scene.end("a", producer, outcome), Ok(End::Prepared));
        assert_eq!(scene.state("a"), prepared);
        assert_eq!(scene.transactions.unfinished().count(), 1);
        scene.complete("a");
        assert_eq!(scene.state("a"), complete);
        assert_eq!(scene.transactions.unfinished().count(), 0);
    }
}

#[test]
fn the_same_end_again_is_answered_like_the_first() {
    for outcome in [Outcome::Commit, Outcome::Abort] {
        let mut scene = Scene::new();
        let producer = scene.open("a");
        scene.end("a", producer, outcome).expect("prepared");
        assert_eq!(scene.end("a", producer, outcome), Err(ErrorCode::ConcurrentTransactions), "not before it is written");
        scene.complete("a");
        let before = scene.journal.records.len();
        assert_eq!(scene.end("a", producer, outcome), Ok(End::Repeated));
        assert_eq!(scene.journal.records.len(), before);
    }
}

#[test]
fn the_other_end_is_refused() {
    for (outcome, other) in [(Outcome::Commit, Outcome::Abort), (Outcome::Abort, Outcome::Commit)] {
        let mut scene = Scene::new();
        let producer = scene.open("a");
        scene.end("a", producer, outcome).expect("prepared");
        assert_eq!(scene.end("a", producer, other), Err(ErrorCode::InvalidTxnState));
        scene.complete("a");
        assert_eq!(scene.end("a", producer, other), Err(ErrorCode::InvalidTxnState));
    }
}

#[test]
fn what_was_never_begun_cannot_end() {
    let mut scene = Scene::new();
    let producer = scene.init("a").expect("a producer");
    assert_eq!(scene.end("a", producer, Outcome::Commit), Err(ErrorCode::InvalidTxnState));
    assert_eq!(scene.end("a", producer, Outcome::Abort), Err(ErrorCode::InvalidTxnState));
}

#[test]
fn an_end_that_cannot_be_journaled_is_not_decided() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.journal.refuses = true;
    assert_eq!(scene.end("a", producer, Outcome::Commit), Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(scene.state("a"), State::Ongoing);
    scene.journal.refuses = false;
    assert_eq!(scene.end("a", producer, Outcome::Abort), Ok(End::Prepared));
}

#[test]
fn offsets_need_their_group_in_an_open_transaction() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    assert_eq!(scene.transactions.check_offsets("a", producer, "g"), Err(ErrorCode::InvalidTxnState));
    scene.add_group("a", producer, "g").expect("added");
    assert_eq!(scene.transactions.check_offsets("a", producer, "g"), Ok(()));
    assert_eq!(scene.transactions.check_offsets("a", producer, "other"), Err(ErrorCode::InvalidTxnState));
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    assert_eq!(scene.transactions.check_offsets("a", producer, "g"), Err(ErrorCode::ConcurrentTransactions));
    scene.complete("a");
    assert_eq!(scene.transactions.check_offsets("a", producer, "g"), Err(ErrorCode::InvalidTxnState));
}

#[test]
fn a_fenced_producer_commits_no_offsets() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.add_group("a", producer, "g").expect("added");
    let _ = scene.init("a");
    assert_eq!(scene.transactions.check_offsets("a", producer, "g"), Err(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn a_transaction_open_beyond_its_time_out_is_aborted_and_its_producer_fenced() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.pass(Duration::from_secs(60));
    assert!(scene.abort_overdue().is_empty());
    scene.pass(Duration::from_millis(1));
    assert_eq!(scene.abort_overdue(), ["a"]);
    assert_eq!(scene.state("a"), State::PrepareAbort);
    assert_eq!(scene.get("a").producer, Producer { id: producer.id, epoch: producer.epoch + 1 });
    assert_eq!(scene.end("a", producer, Outcome::Commit), Err(ErrorCode::ProducerFenced));
    scene.complete("a");
    assert_eq!(scene.add("a", producer, 0), Err(ErrorCode::ProducerFenced));
    assert!(scene.abort_overdue().is_empty(), "once");
}

#[test]
fn the_time_out_counts_from_the_first_partition_and_also_over_a_restart() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.pass(Duration::from_secs(40));
    scene.add("a", producer, 1).expect("added");
    scene.pass(Duration::from_secs(21));
    let mut next = scene.restarted();
    assert_eq!(next.abort_overdue(&mut scene.journal, scene.now), ["a"]);
}

#[test]
fn a_transaction_that_ended_in_time_does_not_time_out() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    scene.pass(Duration::from_secs(3600));
    assert!(scene.abort_overdue().is_empty());
    scene.complete("a");
    assert!(scene.abort_overdue().is_empty());
    assert_eq!(scene.state("a"), State::CompleteCommit);
}

#[test]
fn describing_tells_of_partitions_and_of_groups_as_kafka_shows_them() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.add_group("a", producer, "test-group").expect("added");
    let described = scene.transactions.describe("a").expect("there");
    assert_eq!(described.transaction.state, State::Ongoing);
    // Java: ("test-group".hashCode() & 0x7fffffff) % 50
    assert_eq!(described.partitions, [TopicPartition { topic: "__consumer_offsets".to_owned(), partition: 12 }, orders(0)]);
    assert_eq!(scene.transactions.describe("nobody").map(|_| ()), Err(ErrorCode::TransactionalIdNotFound));
}

#[test]
fn listing_passes_by_state_producer_and_age() {
    let mut scene = Scene::new();
    let open = scene.open("open");
    scene.init("empty").expect("a producer");
    let ids = |filter: super::super::Filter| -> Vec<String> {
        scene.transactions.list(scene.now.after(Duration::from_secs(10)), &filter).0.into_iter().map(|listed| listed.id).collect()
    };
    let all = super::super::Filter { longer_than_ms: -1, ..Default::default() };
    assert_eq!(ids(all.clone()), ["empty", "open"]);
    assert_eq!(ids(super::super::Filter { states: vec!["Ongoing".to_owned()], ..all.clone() }), ["open"]);
    assert_eq!(ids(super::super::Filter { producer_ids: vec![open.id], ..all.clone() }), ["open"]);
    assert!(!ids(super::super::Filter { longer_than_ms: 20_000, ..all.clone() }).contains(&"open".to_owned()));
    assert!(ids(super::super::Filter { longer_than_ms: 5_000, ..all.clone() }).contains(&"open".to_owned()));
    let unknown = scene.transactions.list(scene.now, &super::super::Filter { states: vec!["Odd".to_owned()], ..all });
    assert_eq!(unknown, (Vec::new(), vec!["Odd".to_owned()]));
}
