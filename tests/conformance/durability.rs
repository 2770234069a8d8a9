//! What a broker has acknowledged before `kill -9` is there afterwards, and clients go on where they were.

use rdkafka::admin::ResourceSpecifier;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::Producer;
use rdkafka::{Message, Offset};

use crate::kit::{Kit, PATIENCE, at, eventually, options, poll, send, texts, transact, wait};
use crate::target::Target;

/// Writes of every kind, kills, starts again, and looks.
pub fn keeps_what_it_acknowledged(mut target: Target) {
    let kit = Kit::new(target.address(), "durability");
    let topic = kit.topic(2, &[("max.message.bytes", "123456")]);
    let shortened = kit.topic(1, &[]);
    let (group, id, abandoned) = (kit.name("g"), kit.name("tx"), kit.name("tx"));
    let plain = kit.producer(&[("enable.idempotence", "true")]);
    send(&plain, &topic, 0, &["plain"]).unwrap();
    let producer = kit.transactional(&id, &[]);
    transact(&producer, &topic, &["committed"], true);
    transact(&producer, &topic, &["aborted"], false);
    let open = kit.transactional(&abandoned, &[]);
    send(&plain, &shortened, 0, &["0", "1", "2"]).unwrap();
    wait(kit.admin().delete_records(&at(&shortened, 0, Offset::Offset(2)), &options())).unwrap();
    // A member that goes on, and its committed offset.
    let member = kit.consumer(&[("group.id", &group), ("session.timeout.ms", "45000")]);
    member.subscribe(&[&topic]).unwrap();
    assert_eq!(texts(&poll(&member, 2)), ["plain", "committed"]);
    member.commit(&at(&topic, 0, Offset::Offset(2)), CommitMode::Sync).unwrap();
    kit.settle(&topic);
    open.begin_transaction().unwrap();
    send(&open, &topic, 0, &["left open"]).unwrap();

    target.kill();
    target.start_again();

    assert_eq!(texts(&kit.read_now(&topic, 0, "read_committed")), ["plain", "committed"], "under read_committed, with a transaction open");
    assert_eq!(texts(&kit.read_now(&topic, 0, "read_uncommitted")), ["plain", "committed", "aborted", "left open"]);
    let described = wait(kit.admin().describe_configs(&[ResourceSpecifier::Topic(&topic)], &options())).unwrap().remove(0).unwrap();
    assert_eq!(described.get("max.message.bytes").unwrap().value.as_deref(), Some("123456"));
    // Real Kafka notes once a minute what was deleted.
    assert_eq!(kit.consumer(&[]).fetch_watermarks(&shortened, 0, PATIENCE).unwrap().1, 3);
    assert_eq!(kit.committed(&group, &topic), Offset::Offset(2));

    // Producers from before go on: the sequence is known, and so are the epoch and the open transaction.
    send(&plain, &topic, 1, &["plain again"]).unwrap();
    assert_eq!(texts(&kit.read_now(&topic, 1, "read_committed")), ["plain again"]);
    open.commit_transaction(PATIENCE).unwrap();
    transact(&producer, &topic, &["committed again"], true);
    kit.settle(&topic);
    assert_eq!(kit.values(&topic), ["plain", "committed", "left open", "committed again"]);
    let fresh = kit.transactional(&id, &[]);
    producer.begin_transaction().unwrap();
    assert!(
        send(&producer, &topic, 0, &["zombie"]).and_then(|_| producer.commit_transaction(PATIENCE)).is_err(),
        "the older epoch is taken"
    );
    transact(&fresh, &topic, &["fresh"], true);
    let expected = ["plain", "committed", "left open", "committed again", "fresh"];
    assert_eq!(kit.values(&topic), expected);

    // The member goes on without a gap and without seeing anything twice.
    let rest = poll(&member, 4);
    let mut values: Vec<(i32, String)> = rest.iter().map(Message::partition).zip(texts(&rest)).collect();
    values.sort();
    let expected = [(0, "committed again"), (0, "fresh"), (0, "left open"), (1, "plain again")];
    assert_eq!(values, expected.map(|(partition, value)| (partition, value.to_owned())));
    eventually("it may commit", || member.commit(&at(&topic, 0, Offset::Offset(9)), CommitMode::Sync).is_ok());
    assert_eq!(kit.committed(&group, &topic), Offset::Offset(9));
}
