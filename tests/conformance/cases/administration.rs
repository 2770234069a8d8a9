//! Topics and their settings, as the engine makes and checks them.

use rdkafka::Offset;
use rdkafka::admin::{AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::{Case, case};
use crate::kit::{Kit, PATIENCE, at, eventually, options, send, wait};

pub const CASES: &[Case] = &[
    case("librdkafka/topics/are_created_once_and_deleted", created_once),
    case("librdkafka/topics/invalid_ones_are_refused", invalid),
    case("librdkafka/topics/partitions_are_added", partitions_added),
    case("librdkafka/topics/settings_are_described_and_replaced", settings),
    case("librdkafka/topics/records_are_deleted", records_deleted),
];

fn create(kit: &Kit, name: &str, partitions: i32, replicas: i32, settings: &[(&str, &str)]) -> Result<(), RDKafkaErrorCode> {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    wait(kit.admin().create_topics(&[topic], &options())).unwrap().remove(0).map(drop).map_err(|(_, code)| code)
}

fn count(kit: &Kit, topic: &str) -> usize {
    let metadata = kit.consumer(&[]).fetch_metadata(None, PATIENCE).unwrap();
    metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len())
}

fn created_once(kit: &Kit) {
    let name = kit.topic(3, &[]);
    assert_eq!(count(kit, &name), 3);
    assert_eq!(create(kit, &name, 3, 1, &[]), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(wait(kit.admin().delete_topics(&[&name], &options())).unwrap(), [Ok(name.clone())]);
    eventually("gone", || count(kit, &name) == 0);
    let again = wait(kit.admin().delete_topics(&[&name], &options())).unwrap();
    assert_eq!(again, [Err((name.clone(), RDKafkaErrorCode::UnknownTopicOrPartition))]);
}

fn invalid(kit: &Kit) {
    assert_eq!(create(kit, "a/b", 1, 1, &[]), Err(RDKafkaErrorCode::InvalidTopic));
    assert_eq!(create(kit, &kit.name("t"), 0, 1, &[]), Err(RDKafkaErrorCode::InvalidPartitions));
    assert_eq!(create(kit, &kit.name("t"), 1, 5, &[]), Err(RDKafkaErrorCode::InvalidReplicationFactor));
    assert_eq!(create(kit, &kit.name("t"), 1, 1, &[("no.such", "1")]), Err(RDKafkaErrorCode::InvalidConfig));
}

fn partitions_added(kit: &Kit) {
    let name = kit.topic(1, &[]);
    let grow = |to| wait(kit.admin().create_partitions(&[NewPartitions::new(&name, to)], &options())).unwrap().remove(0);
    assert_eq!(grow(4), Ok(name.clone()));
    eventually("four", || count(kit, &name) == 4);
    assert_eq!(grow(2), Err((name.clone(), RDKafkaErrorCode::InvalidPartitions)));
}

fn value(kit: &Kit, topic: &str, setting: &str) -> Option<String> {
    let described = wait(kit.admin().describe_configs(&[ResourceSpecifier::Topic(topic)], &options())).unwrap().remove(0).unwrap();
    described.get(setting).and_then(|entry| entry.value.clone())
}

fn settings(kit: &Kit) {
    let name = kit.topic(1, &[("cleanup.policy", "compact"), ("retention.ms", "1234567")]);
    assert_eq!(value(kit, &name, "cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(value(kit, &name, "retention.ms").as_deref(), Some("1234567"));
    // All that is not named goes back to its default.
    let replace = AlterConfig::new(ResourceSpecifier::Topic(&name)).set("cleanup.policy", "compact").set("segment.ms", "77777");
    assert!(wait(kit.admin().alter_configs(&[replace], &options())).unwrap()[0].is_ok());
    eventually("replaced", || value(kit, &name, "segment.ms").as_deref() == Some("77777"));
    assert_ne!(value(kit, &name, "retention.ms").as_deref(), Some("1234567"));
}

fn records_deleted(kit: &Kit) {
    let name = kit.topic(1, &[]);
    send(&kit.producer(&[]), &name, 0, &["0", "1", "2"]).unwrap();
    let found = wait(kit.admin().delete_records(&at(&name, 0, Offset::Offset(2)), &options())).unwrap();
    assert_eq!(found.find_partition(&name, 0).unwrap().offset(), Offset::Offset(2));
    assert_eq!(kit.consumer(&[]).fetch_watermarks(&name, 0, PATIENCE).unwrap(), (2, 3));
    assert_eq!(kit.values(&name), ["2"]);
}
