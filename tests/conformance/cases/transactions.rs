//! Transactions, as the engine commits.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{Message, Offset};

use super::{Case, case};
use crate::kit::{Kit, PATIENCE, TestProducer, at, code, eventually, poll, send, texts, transact};

pub const CASES: &[Case] = &[
    case("librdkafka/transactions/committed_and_aborted_by_both_kinds_of_readers", both_readers),
    case("librdkafka/transactions/open_one_holds_read_committed_back", holds_back),
    case("librdkafka/transactions/interleaved_producers_keep_their_own_ends", interleaved),
    case("librdkafka/transactions/empty_ones_end_well", empty),
    case("librdkafka/transactions/offsets_are_committed_with_it", offsets),
    case("librdkafka/transactions/older_producer_of_the_same_id_is_fenced", same_id),
    case("librdkafka/transactions/offsets_of_an_older_generation_are_refused", generation),
    case("librdkafka/transactions/open_one_is_aborted_after_its_timeout", timeout),
    case("librdkafka/transactions/id_that_returns_ends_what_it_left_open", returns),
];

fn both_readers(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.transactional(&kit.name("tx"), &[]);
    transact(&producer, &topic, &["1", "2"], true);
    transact(&producer, &topic, &["bad"], false);
    transact(&producer, &topic, &["3"], true);
    assert_eq!(kit.values(&topic), ["1", "2", "3"]);
    let all = kit.read_now(&topic, 0, "read_uncommitted");
    assert_eq!(texts(&all), ["1", "2", "bad", "3"]);
    assert_eq!(all.iter().map(Message::offset).collect::<Vec<_>>(), [0, 1, 3, 5]);
}

fn holds_back(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let (plain, producer) = (kit.producer(&[]), kit.transactional(&kit.name("tx"), &[]));
    send(&plain, &topic, 0, &["before"]).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["open"]).unwrap();
    send(&plain, &topic, 0, &["after"]).unwrap();
    assert_eq!(texts(&kit.read_now(&topic, 0, "read_committed")), ["before"]);
    assert_eq!(texts(&kit.read_now(&topic, 0, "read_uncommitted")), ["before", "open", "after"]);
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kit.values(&topic), ["before", "open", "after"]);
}

fn interleaved(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let (one, two) = (kit.transactional(&kit.name("tx"), &[]), kit.transactional(&kit.name("tx"), &[]));
    one.begin_transaction().unwrap();
    two.begin_transaction().unwrap();
    for _ in 0..3 {
        send(&one, &topic, 0, &["one"]).unwrap();
        send(&two, &topic, 0, &["two"]).unwrap();
    }
    one.abort_transaction(PATIENCE).unwrap();
    two.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kit.values(&topic), ["two"; 3]);
}

fn empty(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.transactional(&kit.name("tx"), &[]);
    transact(&producer, &topic, &[], true);
    transact(&producer, &topic, &[], false);
    transact(&producer, &topic, &["1"], true);
    assert_eq!(kit.values(&topic), ["1"]);
}

fn member(kit: &Kit, group: &str, topic: &str) -> BaseConsumer {
    let consumer = kit.consumer(&[("group.id", group)]);
    consumer.subscribe(&[topic]).unwrap();
    poll(&consumer, 1);
    consumer
}

fn commit_offset(producer: &TestProducer, consumer: &BaseConsumer, topic: &str, offset: i64) -> Result<(), KafkaError> {
    let metadata = consumer.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&at(topic, 0, Offset::Offset(offset)), &metadata, PATIENCE)
}

fn offsets(kit: &Kit) {
    let (topic, group) = (kit.topic(1, &[]), kit.name("g"));
    send(&kit.producer(&[]), &topic, 0, &["1"]).unwrap();
    let consumer = member(kit, &group, &topic);
    let producer = kit.transactional(&kit.name("tx"), &[]);
    producer.begin_transaction().unwrap();
    commit_offset(&producer, &consumer, &topic, 7).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!(kit.committed(&group, &topic), Offset::Invalid);
    producer.begin_transaction().unwrap();
    commit_offset(&producer, &consumer, &topic, 1).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kit.committed(&group, &topic), Offset::Offset(1));
}

fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch)
}

fn same_id(kit: &Kit) {
    let (topic, id) = (kit.topic(1, &[]), kit.name("tx"));
    let old = kit.transactional(&id, &[]);
    old.begin_transaction().unwrap();
    send(&old, &topic, 0, &["old"]).unwrap();
    let new = kit.transactional(&id, &[]);
    assert!(is_fenced(code(old.commit_transaction(PATIENCE))));
    transact(&new, &topic, &["new"], true);
    assert_eq!(kit.values(&topic), ["new"]);
}

fn generation(kit: &Kit) {
    let (topic, group) = (kit.topic(1, &[]), kit.name("g"));
    send(&kit.producer(&[]), &topic, 0, &["1"]).unwrap();
    let first = member(kit, &group, &topic);
    let stale = first.group_metadata().unwrap();
    drop(first);
    let second = member(kit, &group, &topic);
    let producer = kit.transactional(&kit.name("tx"), &[]);
    producer.begin_transaction().unwrap();
    let refused = code(producer.send_offsets_to_transaction(&at(&topic, 0, Offset::Offset(9)), &stale, PATIENCE));
    assert!(matches!(refused, RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::UnknownMemberId), "{refused}");
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!(kit.committed(&group, &topic), Offset::Invalid);
    producer.begin_transaction().unwrap();
    commit_offset(&producer, &second, &topic, 1).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kit.committed(&group, &topic), Offset::Offset(1));
}

fn timeout(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.transactional(&kit.name("tx"), &[("transaction.timeout.ms", "1500"), ("message.timeout.ms", "1500")]);
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["late"]).unwrap();
    send(&kit.producer(&[]), &topic, 0, &["plain"]).unwrap();
    assert!(kit.read_now(&topic, 0, "read_committed").is_empty());
    eventually("the reader goes on", || texts(&kit.read_now(&topic, 0, "read_committed")) == ["plain"]);
    assert!(producer.commit_transaction(PATIENCE).is_err());
    assert_eq!(kit.values(&topic), ["plain"]);
}

fn returns(kit: &Kit) {
    let (topic, id) = (kit.topic(1, &[]), kit.name("tx"));
    let old = kit.transactional(&id, &[]);
    old.begin_transaction().unwrap();
    send(&old, &topic, 0, &["left open"]).unwrap();
    send(&kit.producer(&[]), &topic, 0, &["plain"]).unwrap();
    let _new = kit.transactional(&id, &[]);
    assert_eq!(kit.values(&topic), ["plain"]);
}
