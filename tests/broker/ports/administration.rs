//! Topics and the cluster's id.

use std::time::{Duration, Instant};

use viewmill::kafka::KafkaAdmin;
use viewmill::ports::{Admin, NewTopic, PortErrorClass, TopicInfo};

use super::application;

fn new_topic(name: &str, partitions: i32, policy: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions, replication_factor: Some(1), settings: vec![("cleanup.policy".into(), policy.into())] }
}

#[test]
fn topics_are_made_once_described_and_grown() {
    let app = application();
    let mut admin = KafkaAdmin::new(&app).unwrap();
    let (log, source) = (format!("{}-tasks", app.application_id), format!("{}.orders", app.application_id));
    // Asking does not make it, though the broker may make topics by itself.
    for _ in 0..2 {
        assert_eq!(admin.topics(&[&log, &source]).unwrap(), [None, None]);
    }
    admin.create_topic(&new_topic(&log, 2, "compact")).unwrap();
    admin.create_topic(&new_topic(&source, 1, "delete")).unwrap();
    let info = |name: &String, partitions, policy: &str| {
        let delete_retention_ms = Some(86_400_000);
        Some(TopicInfo { name: name.clone(), partitions, cleanup_policy: Some(policy.into()), id: None, delete_retention_ms })
    };
    // Ids are made by Kafka.
    let known = |topics: Vec<Option<TopicInfo>>| {
        topics.into_iter().map(|topic| topic.map(|topic| TopicInfo { id: None, ..topic })).collect::<Vec<_>>()
    };
    let missing = format!("{log}.missing");
    assert_eq!(known(admin.topics(&[&source, &missing, &log]).unwrap()), [info(&source, 1, "delete"), None, info(&log, 2, "compact")]);
    // Made meanwhile by somebody else: not an error, and nothing changes.
    admin.create_topic(&new_topic(&log, 9, "delete")).unwrap();
    admin.grow_topic(&log, 5).unwrap();
    admin.grow_topic(&log, 5).unwrap();
    admin.grow_topic(&log, 3).unwrap();
    assert_eq!(known(admin.topics(&[&log]).unwrap()), [info(&log, 5, "compact")]);
    assert!(admin.topics(&[]).unwrap().is_empty());
}

#[test]
fn what_kafka_refuses_is_named() {
    let app = application();
    let mut admin = KafkaAdmin::new(&app).unwrap();
    let mut wrong = new_topic(&format!("{}-tasks", app.application_id), 1, "compact");
    wrong.replication_factor = Some(7);
    let refused = admin.create_topic(&wrong).unwrap_err();
    assert!(refused.class == PortErrorClass::Fatal && refused.detail.contains(&wrong.name), "{refused}");
    let refused = admin.grow_topic(&wrong.name, 2).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::UnknownTopic, "{refused}");
}

#[test]
fn the_cluster_has_an_id() {
    let id = KafkaAdmin::new(&application()).unwrap().cluster_id().unwrap();
    assert!(id.is_some_and(|id| id.len() >= 10));
}

#[test]
fn asking_without_kafka_ends_in_time_and_says_why() {
    let mut app = application();
    app.bootstrap_servers = "127.0.0.1:1".into();
    let mut admin = KafkaAdmin::new(&app).unwrap();
    let started = Instant::now();
    for error in [admin.cluster_id().unwrap_err(), admin.topics(&["t"]).unwrap_err()] {
        assert!(error.is_retriable(), "{:?}: {error}", error.class);
        assert!(error.detail.contains("127.0.0.1"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[test]
fn a_topic_that_is_made_again_has_another_id_and_what_is_removed_twice_is_no_error() {
    let app = application();
    let mut admin = KafkaAdmin::new(&app).unwrap();
    let name = format!("{}.orders", app.application_id);
    let id = |admin: &mut KafkaAdmin| admin.topics(&[&name]).unwrap().pop().flatten().and_then(|topic| topic.id);
    admin.create_topic(&new_topic(&name, 2, "delete")).unwrap();
    let first = id(&mut admin).unwrap();
    assert_eq!(id(&mut admin).as_ref(), Some(&first));
    assert_eq!(admin.delete_topics(&[&name]).unwrap(), [name.as_str()]);
    assert!(admin.delete_topics(&[&name]).unwrap().is_empty());
    admin.create_topic(&new_topic(&name, 2, "delete")).unwrap();
    let second = id(&mut admin).unwrap();
    assert!(first != second && second.len() == 22, "{first} {second}");
    assert_eq!(admin.group_members(&app.application_id).unwrap(), []);
    assert!(!admin.delete_group(&app.application_id).unwrap());
}
