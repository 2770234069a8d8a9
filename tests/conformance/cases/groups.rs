//! Groups, as the engine's instances form them.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::{Case, case};
use crate::kit::{Kit, PATIENCE, at, code, eventually, options, send, wait};

pub const CASES: &[Case] = &[
    case("librdkafka/groups/two_members_share_by_range", |kit| shared(kit, "range")),
    case("librdkafka/groups/two_members_share_by_cooperative_sticky", |kit| shared(kit, "cooperative-sticky")),
    case("librdkafka/groups/static_member_returns_to_its_partitions", static_member),
    case("librdkafka/groups/are_listed_and_deleted", listed_and_deleted),
    case("librdkafka/groups/commit_without_membership_is_refused_while_there_are_members", foreign_commit),
];

fn member(kit: &Kit, group: &str, topic: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let consumer = kit.consumer(&[&[("group.id", group)], settings].concat());
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

fn partitions(consumer: &BaseConsumer) -> Vec<i32> {
    let mut found: Vec<i32> = consumer.assignment().unwrap().elements().iter().map(|part| part.partition()).collect();
    found.sort_unstable();
    found
}

fn settled(what: &str, consumers: &[&BaseConsumer], check: impl Fn(&[Vec<i32>]) -> bool) {
    eventually(what, || {
        for consumer in consumers {
            if let Some(Err(error)) = consumer.poll(Duration::from_millis(50)) {
                panic!("{error}");
            }
        }
        check(&consumers.iter().map(|consumer| partitions(consumer)).collect::<Vec<_>>())
    });
}

fn shared(kit: &Kit, strategy: &str) {
    let (topic, group) = (kit.topic(4, &[]), kit.name("g"));
    let settings = [("partition.assignment.strategy", strategy)];
    let first = member(kit, &group, &topic, &settings);
    let second = member(kit, &group, &topic, &settings);
    settled("two each", &[&first, &second], |found| found[0].len() == 2 && found[1].len() == 2);
    let mut all = [partitions(&first), partitions(&second)].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    drop(second);
    settled("all four", &[&first], |found| found[0].len() == 4);
}

fn static_member(kit: &Kit) {
    let (topic, group) = (kit.topic(2, &[]), kit.name("g"));
    let named = |name| member(kit, &group, &topic, &[("group.instance.id", name), ("session.timeout.ms", "20000")]);
    let (first, second) = (named("a"), named("b"));
    settled("one each", &[&first, &second], |found| found[0].len() == 1 && found[1].len() == 1);
    let before = partitions(&second);
    drop(second);
    let again = named("b");
    settled("the same", &[&first, &again], |found| found[1] == before);
}

fn listed_and_deleted(kit: &Kit) {
    let (topic, group) = (kit.topic(1, &[]), kit.name("g"));
    let consumer = member(kit, &group, &topic, &[]);
    settled("assigned", &[&consumer], |found| found[0].len() == 1);
    consumer.commit(&at(&topic, 0, Offset::Offset(1)), CommitMode::Sync).unwrap();
    let listed = consumer.fetch_group_list(Some(&group), PATIENCE).unwrap();
    let found = &listed.groups()[0];
    assert_eq!((found.name(), found.state(), found.protocol_type(), found.members().len()), (group.as_str(), "Stable", "consumer", 1));
    assert_eq!(wait(kit.admin().delete_groups(&[&group], &options())).unwrap(), [Err((group.clone(), RDKafkaErrorCode::NonEmptyGroup))]);
    drop(consumer);
    eventually("deleted", || wait(kit.admin().delete_groups(&[&group], &options())).unwrap() == [Ok(group.clone())]);
    assert_eq!(kit.committed(&group, &topic), Offset::Invalid);
}

fn foreign_commit(kit: &Kit) {
    let (topic, group) = (kit.topic(1, &[]), kit.name("g"));
    send(&kit.producer(&[]), &topic, 0, &["1"]).unwrap();
    let consumer = member(kit, &group, &topic, &[]);
    settled("assigned", &[&consumer], |found| found[0].len() == 1);
    let stranger = kit.consumer(&[("group.id", &group)]);
    let refused = code(stranger.commit(&at(&topic, 0, Offset::Offset(1)), CommitMode::Sync));
    assert!(matches!(refused, RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration), "{refused}");
    consumer.commit(&at(&topic, 0, Offset::Offset(1)), CommitMode::Sync).unwrap();
    assert_eq!(kit.committed(&group, &topic), Offset::Offset(1));
}
