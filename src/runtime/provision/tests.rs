//! What is needed, found wrong and planned, without a broker.

use std::collections::BTreeMap;

use super::*;
use crate::codec::Text;
use crate::ports::{NewTopic, TopicInfo};
use crate::processor::ProcessorContext;
use crate::record::Record;
use crate::topology::TopologyBuilder;

/// Words are counted; the counts are read again by a second sub-topology.
fn topology() -> Topology {
    let mut b = TopologyBuilder::new();
    let pass = |_: &mut ProcessorContext<'_>, _: Record<String, String>| Ok(());
    let words = b.source::<String, String>("words", &["words", "more"], Text, Text);
    let counts = b.store::<String, u64>("counts", words);
    let changed = b.stream::<String, String>("changed");
    b.each("count", words, move |w| {
        w.store(counts);
        w.output(changed);
        pass
    });
    b.keep_records_for("totals", std::time::Duration::from_secs(60));
    b.sink("totals", changed, "totals", Text, Text);
    let totals = b.source::<String, String>("read", &["totals"], Text, Text);
    b.each("print", totals, move |_| pass);
    b.build().unwrap()
}

fn needed(create: bool) -> TopicsNeeded {
    let settings = TopicSettings { create, partitions: 4, replication_factor: Some(1), dead_letters: true };
    TopicsNeeded::of(&topology(), &Names::new("app", "p."), &settings)
}

fn found(topics: &[(&str, i32, Option<&str>)]) -> BTreeMap<String, TopicInfo> {
    let info = |(name, partitions, policy): &(&str, i32, Option<&str>)| {
        (
            name.to_string(),
            TopicInfo {
                name: name.to_string(),
                partitions: *partitions,
                cleanup_policy: policy.map(str::to_string),
                ..TopicInfo::default()
            },
        )
    };
    topics.iter().map(info).collect()
}

/// Name and partitions.
fn planned(topics: &[NewTopic]) -> Vec<(&str, i32)> {
    topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect()
}

#[test]
fn in_an_empty_cluster_every_topic_is_planned_once() {
    let inspection = needed(true).inspect(&BTreeMap::new());
    assert_eq!(inspection.faults, []);
    let expected = [
        ("p.words", 4),
        ("p.more", 4),
        ("p.totals", 4),
        ("p.words-dlq", 4),
        ("p.more-dlq", 4),
        ("p.app-counts-changelog", 4),
        ("p.totals-dlq", 4),
        ("p.app-tasks", 8),
        ("p.app-members", 1),
    ];
    assert_eq!(planned(&inspection.missing), expected);
    assert_eq!(inspection.partitions, [("words".to_string(), 4), ("read".to_string(), 4)].into());
    let setting = |at: usize, name: &str| inspection.missing[at].settings.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str());
    assert_eq!((setting(0, "cleanup.policy"), setting(0, "retention.ms")), (Some("delete"), Some("-1")));
    assert_eq!(setting(2, "retention.ms"), Some("60000"), "as was declared");
    let any_time = "message.timestamp.after.max.ms";
    assert_eq!((setting(0, any_time), setting(2, any_time)), (None, Some("9223372036854775807")), "that of a topic which is written too");
    assert_eq!((setting(3, "retention.bytes"), setting(5, "cleanup.policy")), (Some("1073741824"), Some("compact")));
    assert_eq!(inspection.missing[0].replication_factor, Some(1));
}

#[test]
fn what_is_made_gets_the_count_of_what_is_read_beside_it() {
    let inspection = needed(true).inspect(&found(&[("p.more", 3, None), ("p.words-dlq", 9, None)]));
    assert_eq!(inspection.faults, []);
    let expected = [
        ("p.words", 3),
        ("p.totals", 4),
        ("p.more-dlq", 3),
        ("p.app-counts-changelog", 3),
        ("p.totals-dlq", 4),
        ("p.app-tasks", 7),
        ("p.app-members", 1),
    ];
    assert_eq!(planned(&inspection.missing), expected);
}

#[test]
fn all_faults_are_told_at_once_each_with_what_to_do() {
    let topics = [
        ("p.words", 4, Some("delete")),
        ("p.more", 3, Some("delete")),
        ("p.app-counts-changelog", 2, Some("delete")),
        ("p.app-tasks", 1, Some("compact,delete")),
        ("p.app-members", 3, Some("delete")),
        ("p.words-dlq", 4, None),
        ("p.more-dlq", 3, None),
    ];
    let inspection = needed(false).inspect(&found(&topics));
    assert_eq!(inspection.missing, []);
    let told: Vec<String> = inspection.faults.iter().map(ToString::to_string).collect();
    let expected = [
        "source topics of sub-topology words are read together and need the same number of partitions: p.words has 4, p.more has 3; make \
         those anew that differ",
        "topic p.totals does not exist, and topics.create is off: make it with 4 partitions and cleanup.policy=delete, or set topics.create \
         = true",
        "changelog p.app-counts-changelog has 2 partitions, its sources have 4: run `viewmill reset --application` to build all state anew, or \
         give the sources their former number",
        "changelog p.app-counts-changelog has cleanup.policy=delete, it must be compact only: set it so if no record was deleted from it \
         yet, else set another application.id",
        "topic p.totals-dlq does not exist, and topics.create is off: make it with 4 partitions and cleanup.policy=delete, or set \
         topics.create = true",
        "task log p.app-tasks has cleanup.policy=compact,delete, it must be compact only: set it so if no record was deleted from it yet, \
         else set another application.id",
        "members topic p.app-members has 3 partitions, it must have 1: stop all instances and delete it, it is made anew",
        "members topic p.app-members has cleanup.policy=delete, it must include compact: set compact,delete",
    ];
    assert_eq!(told, expected);
}

#[test]
fn internal_topics_whose_settings_may_not_be_read_are_refused() {
    let inspection = needed(true).inspect(&found(&[("p.words", 4, None), ("p.app-counts-changelog", 4, None)]));
    let told: Vec<String> = inspection.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["the settings of changelog p.app-counts-changelog may not be read: allow DescribeConfigs on this topic"],
        "those of a source are nobody's concern"
    );
}

#[test]
fn a_members_topic_may_be_compacted_with_or_without_a_limit_of_age() {
    for policy in ["compact", "compact,delete", "delete,compact"] {
        let inspection = needed(true).inspect(&found(&[("p.app-members", 1, Some(policy))]));
        assert_eq!(inspection.faults, [], "{policy}");
    }
}

/// Words are placed anew by their values before they are counted.
fn repartitioned(create: bool) -> TopicsNeeded {
    let mut b = TopologyBuilder::new();
    let pass = |_: &mut ProcessorContext<'_>, _: Record<String, String>| Ok(());
    let lines = b.source::<String, String>("lines", &["lines"], Text, Text);
    let by_word = b.repartition("by-word", lines, Text, Text);
    b.each("count", by_word, move |_| pass);
    let settings = TopicSettings { create, partitions: 4, replication_factor: None, dead_letters: false };
    TopicsNeeded::of(&b.build().unwrap(), &Names::new("app", ""), &settings)
}

#[test]
fn a_repartition_topic_gets_the_count_of_those_who_write_it() {
    let inspection = repartitioned(true).inspect(&found(&[("lines", 6, None)]));
    assert_eq!(inspection.faults, []);
    assert_eq!(planned(&inspection.missing), [("app-by-word-repartition", 6), ("app-tasks", 12), ("app-members", 1)]);
    assert!(inspection.missing[0].settings.contains(&("segment.bytes".to_string(), "52428800".to_string())));
    // One that is there keeps its own.
    let inspection = repartitioned(true).inspect(&found(&[("lines", 6, None), ("app-by-word-repartition", 5, None)]));
    assert_eq!((planned(&inspection.missing), inspection.faults), (vec![("app-tasks", 11), ("app-members", 1)], vec![]));
    let inspection = repartitioned(true).inspect(&BTreeMap::new());
    assert_eq!(planned(&inspection.missing), [("lines", 4), ("app-by-word-repartition", 4), ("app-tasks", 8), ("app-members", 1)]);
}
