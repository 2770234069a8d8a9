//! InitProducerId.

use super::*;

#[test]
fn producers_without_transactions_get_different_ids() {
    let mut scene = Scene::new();
    let ids: Vec<i64> = (0..2500).map(|_| scene.transactions.new_producer_id(&mut scene.journal).expect("an id")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(scene.journal.records.len(), 3, "a record for each thousand");
}

#[test]
fn a_restart_gives_out_no_id_again() {
    let mut scene = Scene::new();
    let last = scene.transactions.new_producer_id(&mut scene.journal).expect("an id");
    let next = scene.restarted().new_producer_id(&mut scene.journal).expect("an id");
    assert!(next > last);
}

#[test]
fn a_new_transactional_id_begins_with_epoch_0() {
    let mut scene = Scene::new();
    let producer = scene.init("a").expect("a producer");
    assert_eq!(producer.epoch, 0);
    assert_eq!(scene.state("a"), State::Empty);
}

#[test]
fn two_transactional_ids_have_different_producers() {
    let mut scene = Scene::new();
    assert_ne!(scene.init("a").expect("a producer").id, scene.init("b").expect("a producer").id);
}

#[test]
fn the_next_producer_of_an_id_has_the_next_epoch_and_fences_the_one_before() {
    let mut scene = Scene::new();
    let first = scene.init("a").expect("a producer");
    let second = scene.init("a").expect("a producer");
    assert_eq!(second, Producer { id: first.id, epoch: 1 });
    assert_eq!(scene.add("a", first, 0), Err(ErrorCode::ProducerFenced));
    assert_eq!(scene.end("a", first, Outcome::Commit), Err(ErrorCode::ProducerFenced));
    assert_eq!(scene.add("a", second, 0), Ok(true));
}

#[test]
fn the_open_transaction_of_the_producer_before_is_aborted_first() {
    let mut scene = Scene::new();
    let first = scene.open("a");
    assert_eq!(scene.init("a"), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(scene.state("a"), State::PrepareAbort);
    assert_eq!(scene.get("a").producer.epoch, 1, "an epoch that nobody has");
    assert_eq!(scene.end("a", first, Outcome::Commit), Err(ErrorCode::ProducerFenced));
    assert_eq!(scene.init("a"), Err(ErrorCode::ConcurrentTransactions), "the markers are not written yet");
    scene.complete("a");
    assert_eq!(scene.init("a"), Ok(Producer { id: first.id, epoch: 2 }));
}

#[test]
fn an_end_that_is_being_written_is_waited_for() {
    for outcome in [Outcome::Commit, Outcome::Abort] {
        let mut scene = Scene::new();
        let producer = scene.open("a");
        scene.end("a", producer, outcome).expect("prepared");
        assert_eq!(scene.init("a"), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!(scene.get("a").producer.epoch, producer.epoch, "nobody is fenced by asking");
    }
}

#[test]
fn a_producer_that_asks_with_its_epoch_gets_the_next() {
    let mut scene = Scene::new();
    let first = scene.init("a").expect("a producer");
    let second = scene.init_as("a", Some(first)).expect("a producer");
    assert_eq!(second, Producer { id: first.id, epoch: 1 });
}

#[test]
fn one_that_did_not_hear_the_answer_gets_the_same_again() {
    let mut scene = Scene::new();
    let first = scene.init("a").expect("a producer");
    let second = scene.init_as("a", Some(first)).expect("a producer");
    assert_eq!(scene.init_as("a", Some(first)), Ok(second));
}

#[test]
fn a_producer_that_another_replaced_is_fenced_when_it_asks_with_its_epoch() {
    let mut scene = Scene::new();
    let first = scene.init("a").expect("a producer");
    scene.init("a").expect("another producer");
    assert_eq!(scene.init_as("a", Some(first)), Err(ErrorCode::ProducerFenced));
}

#[test]
fn a_producer_with_another_id_is_fenced() {
    let mut scene = Scene::new();
    let producer = scene.init("a").expect("a producer");
    let stranger = Producer { id: producer.id + 7, epoch: producer.epoch };
    assert_eq!(scene.init_as("a", Some(stranger)), Err(ErrorCode::ProducerFenced));
}

#[test]
fn an_expired_id_is_given_to_whoever_asks_with_any_epoch() {
    let mut scene = Scene::new();
    let producer = scene.init_as("a", Some(Producer { id: 55, epoch: 3 })).expect("a producer");
    assert_eq!(producer.epoch, 0);
}

#[test]
fn when_the_epochs_run_out_there_is_a_new_producer_id() {
    let mut scene = Scene::new();
    let mut producer = scene.init("a").expect("a producer");
    while producer.epoch < i16::MAX - 1 {
        producer = scene.init("a").expect("a producer");
    }
    let next = scene.init("a").expect("a producer");
    assert_eq!(next.epoch, 0);
    assert_ne!(next.id, producer.id);
    assert_eq!(scene.add("a", producer, 0), Err(ErrorCode::InvalidProducerIdMapping));
}

#[test]
fn one_whose_epochs_ran_out_and_did_not_hear_it_is_not_fenced() {
    let mut scene = Scene::new();
    let mut producer = scene.init("a").expect("a producer");
    while producer.epoch < i16::MAX - 1 {
        producer = scene.init("a").expect("a producer");
    }
    let next = scene.init_as("a", Some(producer)).expect("a producer");
    assert_eq!(next.epoch, 0);
    assert_eq!(scene.init_as("a", Some(producer)), Ok(next));
}

#[test]
fn the_last_epoch_can_still_be_fenced() {
    let mut scene = Scene::new();
    let mut producer = scene.init("a").expect("a producer");
    while producer.epoch < i16::MAX - 1 {
        producer = scene.init("a").expect("a producer");
    }
    scene.add("a", producer, 0).expect("added");
    assert_eq!(scene.init("a"), Err(ErrorCode::ConcurrentTransactions));
    scene.complete("a");
    let next = scene.init("a").expect("a producer");
    assert_ne!(next.id, producer.id);
}

#[test]
fn a_time_out_must_be_positive_and_at_most_the_allowed() {
    let mut scene = Scene::new();
    for timeout in [0, -1, 15 * MINUTE + 1, i32::MAX] {
        let result = scene.transactions.init(&mut scene.journal, scene.now, "a", timeout, None);
        assert_eq!(result, Err(ErrorCode::InvalidTransactionTimeout), "{timeout}");
    }
    assert!(scene.transactions.init(&mut scene.journal, scene.now, "a", 15 * MINUTE, None).is_ok());
}

#[test]
fn an_empty_transactional_id_is_none() {
    let mut scene = Scene::new();
    assert_eq!(scene.init(""), Err(ErrorCode::InvalidRequest));
}

#[test]
fn there_are_at_most_so_many_ids() {
    let mut scene = Scene::with(TransactionSettings { max_ids: 2, ..TransactionSettings::default() });
    scene.init("a").expect("a producer");
    scene.init("b").expect("a producer");
    assert_eq!(scene.init("c"), Err(ErrorCode::CoordinatorNotAvailable));
    assert!(scene.init("a").is_ok());
}

#[test]
fn an_unused_id_is_forgotten_after_its_expiration_and_an_open_one_never() {
    let mut scene = Scene::new();
    scene.init("unused").expect("a producer");
    scene.open("open");
    scene.pass(Duration::from_secs(7 * 24 * 3600 - 1));
    scene.transactions.forget_unused(&mut scene.journal, scene.now);
    assert!(scene.transactions.get("unused").is_some());
    scene.pass(Duration::from_secs(1));
    scene.transactions.forget_unused(&mut scene.journal, scene.now);
    assert!(scene.transactions.get("unused").is_none());
    assert!(scene.transactions.get("open").is_some());
    assert!(scene.restarted().get("unused").is_none());
}

#[test]
fn a_producer_that_cannot_be_journaled_is_not_given_out() {
    let mut scene = Scene::new();
    let first = scene.init("a").expect("a producer");
    scene.journal.refuses = true;
    assert_eq!(scene.init("a"), Err(ErrorCode::CoordinatorNotAvailable));
    scene.journal.refuses = false;
    assert_eq!(scene.add("a", first, 0), Ok(true), "the former is still the one");
}
