//! Fetches that wait.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Running;
use super::client::{Client, one_record};
use super::requests::{fetch, make_topic};
use crate::broker::wire::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::broker::wire::fetch::FetchResponse;
use crate::broker::wire::produce::ProduceResponse;
use crate::broker::wire::{ApiKey, ErrorCode};
use crate::clock::Stopwatch;

/// Longer than any of these tests may take.
const LONG: Duration = Duration::from_secs(100);

#[test]
fn a_fetch_that_wants_much_reads_once_it_is_there() {
    let running = Running::start(|_| {});
    let (mut reader, mut writer) = (running.client(), running.client());
    make_topic(&mut writer, "t");
    reader.send(&Client::frame(ApiKey::Fetch, 12, &mut fetch("t", 0, 100_000, LONG)));
    for _ in 0..100 {
        let _: ProduceResponse = writer.ask(ApiKey::Produce, 9, one_record("t", 0, 1, &"x".repeat(1000)));
    }
    let response: FetchResponse = reader.receive(ApiKey::Fetch, 12);
    assert!(response.responses[0].partitions[0].records.as_ref().is_some_and(|records| records.len() >= 100_000));
    let reads = running.logs().partition("t", 0).expect("is there").files().reads.load(Ordering::SeqCst);
    // More than one where the first look met the first records.
    assert!((1..=3).contains(&reads), "{reads} reads");
}

#[test]
fn a_fetch_that_wants_more_than_it_asks_of_a_partition_waits_its_time() {
    let running = Running::start(|_| {});
    let (mut reader, mut writer) = (running.client(), running.client());
    make_topic(&mut writer, "t");
    let mut request = fetch("t", 0, 1000, Duration::from_millis(300));
    request.topics[0].partitions[0].partition_max_bytes = 900;
    let began = Stopwatch::start();
    reader.send(&Client::frame(ApiKey::Fetch, 12, &mut request));
    let mut written = 0;
    while began.elapsed() < Duration::from_millis(200) {
        let _: ProduceResponse = writer.ask(ApiKey::Produce, 9, one_record("t", 0, 1, "x"));
        written += 1;
    }
    let response: FetchResponse = reader.receive(ApiKey::Fetch, 12);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(written < 10 || response.responses[0].partitions[0].records.as_ref().is_some_and(|records| records.len() > 600));
    let reads = running.logs().partition("t", 0).expect("is there").files().reads.load(Ordering::SeqCst);
    assert!(reads <= 2, "{reads} reads");
}

#[test]
fn a_fetch_that_waits_on_a_topic_is_answered_when_the_topic_goes() {
    let running = Running::start(|_| {});
    let mut admin = running.client();
    for version in [12, 16] {
        make_topic(&mut admin, "t");
        let mut request = fetch("t", 0, 1, LONG);
        request.topics[0].topic_id = running.logs().topic("t").expect("is there").id;
        let mut reader = running.client();
        let began = Stopwatch::start();
        reader.send(&Client::frame(ApiKey::Fetch, version, &mut request));
        // Until it waits; else the topic is not there when it comes.
        let log = running.logs().partition("t", 0).expect("is there");
        while log.waiting() == 0 {
            std::thread::yield_now();
        }
        let delete = DeleteTopicsRequest { topic_names: vec!["t".to_owned()], ..DeleteTopicsRequest::default() };
        let deleted: DeleteTopicsResponse = admin.ask(ApiKey::DeleteTopics, 5, delete);
        assert_eq!(deleted.responses[0].error_code, ErrorCode::None);
        let response: FetchResponse = reader.receive(ApiKey::Fetch, version);
        assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UnknownTopicOrPartition, "version {version}");
        assert!(began.elapsed() < Duration::from_secs(15));
    }
}
