//! What a client may rely on.

use std::time::Duration;

use super::Running;
use super::client::{Client, one_record};
use crate::broker::Fsync;
use crate::broker::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::broker::wire::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use crate::broker::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use crate::broker::wire::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::broker::wire::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::broker::wire::produce::ProduceResponse;
use crate::broker::wire::{APIS, ApiKey, ErrorCode};
use crate::clock::Stopwatch;

pub fn make_topic(client: &mut Client, name: &str) {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..MetadataRequest::default() };
    let response: MetadataResponse = client.ask(ApiKey::Metadata, 12, request);
    assert_eq!(response.topics[0].error_code, ErrorCode::None);
}

pub fn fetch(topic: &str, offset: i64, min_bytes: i32, wait: Duration) -> FetchRequest {
    let partition = FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    FetchRequest {
        max_wait_ms: wait.as_millis() as i32,
        min_bytes,
        topics: vec![FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..FetchTopic::default() }],
        ..FetchRequest::default()
    }
}

#[test]
fn a_client_of_a_newer_kind_is_told_the_versions_in_the_oldest_form() {
    let running = Running::start(|_| {});
    let mut client = running.client();
    // Version 99 as a client of the future may write it: what follows the header is not looked at.
    client.send(&[0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 1, 2]);
    let told: ApiVersionsResponse = client.receive(ApiKey::ApiVersions, 0);
    assert_eq!(told.error_code, ErrorCode::UnsupportedVersion);
    assert_eq!((told.api_keys[0].api_key, told.api_keys[0].max_version), (18, 4));

    let named = ApiVersionsRequest { client_software_name: "test".to_owned(), client_software_version: "1.0".to_owned() };
    let told: ApiVersionsResponse = client.ask(ApiKey::ApiVersions, 4, named);
    assert_eq!((told.error_code, told.api_keys.len()), (ErrorCode::None, APIS.len()));
}

#[test]
fn a_produce_without_acks_is_not_answered_but_done() {
    let running = Running::start(|_| {});
    let mut client = running.client();
    make_topic(&mut client, "t");
    client.send(&Client::frame(ApiKey::Produce, 9, &mut one_record("t", 0, 0, "quiet")));
    let loud: ProduceResponse = client.ask(ApiKey::Produce, 9, one_record("t", 0, 1, "loud"));
    assert_eq!(loud.responses[0].partition_responses[0].base_offset, 1);

    client.send(&Client::frame(ApiKey::Produce, 9, &mut one_record("missing", 0, 0, "quiet")));
    assert!(client.is_closed(), "a refusal that nobody hears of must not pass");
}

#[test]
fn with_fsync_always_all_partitions_of_a_request_wait_for_the_disk_at_once() {
    let running = Running::start(|settings| (settings.fsync, settings.default_partitions) = (Fsync::Always, 4));
    let mut client = running.client();
    make_topic(&mut client, "t");
    let request = || {
        let mut request = one_record("t", 0, -1, "a");
        for index in [1, 99, 2, 3] {
            request.topic_data[0].partition_data.extend(one_record("t", index, -1, "a").topic_data.remove(0).partition_data);
        }
        request
    };
    let mut produce = || -> Vec<(i32, ErrorCode)> {
        let mut response: ProduceResponse = client.ask(ApiKey::Produce, 9, request());
        response.responses.remove(0).partition_responses.iter().map(|told| (told.index, told.error_code)).collect()
    };
    let log = running.logs().partition("t", 0).expect("is made");
    log.files().syncs.expect(4);
    let (ok, unknown) = (ErrorCode::None, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(produce(), [(0, ok), (1, ok), (99, unknown), (2, ok), (3, ok)]);

    log.files().sync_faults.store(1, std::sync::atomic::Ordering::SeqCst);
    let mut told: Vec<_> = produce().into_iter().map(|(_, error)| error).collect();
    assert_eq!(told.remove(2), unknown);
    told.sort_unstable_by_key(|error| *error as i16);
    assert_eq!(told, [ok, ok, ok, ErrorCode::KafkaStorageError], "only what did not come to disk is refused");
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let running = Running::start(|_| {});
    let mut client = running.client();
    make_topic(&mut client, "t");
    let wait = Duration::from_millis(200);
    client.send(&Client::frame(ApiKey::Fetch, 12, &mut fetch("t", 0, 1, wait)));
    client.send(&Client::frame(ApiKey::Metadata, 12, &mut MetadataRequest::default()));
    let began = Stopwatch::start();
    let first: FetchResponse = client.receive(ApiKey::Fetch, 12);
    assert!(began.elapsed() >= wait / 2 && first.responses[0].partitions[0].records.as_ref().is_some_and(|records| records.is_empty()));
    let _: MetadataResponse = client.receive(ApiKey::Metadata, 12);
}

#[test]
fn a_waiting_fetch_is_answered_as_soon_as_records_come() {
    let running = Running::start(|_| {});
    let (mut reader, mut writer) = (running.client(), running.client());
    make_topic(&mut writer, "t");
    let began = Stopwatch::start();
    reader.send(&Client::frame(ApiKey::Fetch, 12, &mut fetch("t", 0, 1, Duration::from_secs(15))));
    let _: ProduceResponse = writer.ask(ApiKey::Produce, 9, one_record("t", 0, -1, "here"));
    let response: FetchResponse = reader.receive(ApiKey::Fetch, 12);
    let found = &response.responses[0].partitions[0];
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!((found.error_code, found.high_watermark), (ErrorCode::None, 1));
    assert!(found.records.as_ref().is_some_and(|records| records.ends_with(b"here\0")));
}

#[test]
fn a_stop_does_not_wait_for_clients_that_wait() {
    let mut running = Running::start(|_| {});
    let mut client = running.client();
    make_topic(&mut client, "t");
    client.send(&Client::frame(ApiKey::Fetch, 12, &mut fetch("t", 0, 1, Duration::from_secs(100))));
    let idle = running.client();
    let began = Stopwatch::start();
    running.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
    assert!(client.is_closed());
    drop(idle);
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_the_cluster_is_the_same() {
    let mut running = Running::start(|_| {});
    let mut client = running.client();
    make_topic(&mut client, "t");
    let _: ProduceResponse = client.ask(ApiKey::Produce, 9, one_record("t", 0, 1, "kept"));
    let before: MetadataResponse = client.ask(ApiKey::Metadata, 12, MetadataRequest { topics: None, ..MetadataRequest::default() });
    running.stop();

    let settings = crate::broker::BrokerSettings::new(running.directory.clone());
    running.broker = Some(crate::broker::Broker::start(settings).expect("it starts again"));
    let mut client = running.client();
    let after: MetadataResponse = client.ask(ApiKey::Metadata, 12, MetadataRequest { topics: None, ..MetadataRequest::default() });
    assert_eq!((after.cluster_id, &after.topics), (before.cluster_id, &before.topics));
    let found: FetchResponse = client.ask(ApiKey::Fetch, 12, fetch("t", 0, 1, Duration::ZERO));
    assert!(found.responses[0].partitions[0].records.as_ref().is_some_and(|records| records.ends_with(b"kept\0")));
}

#[test]
fn who_finds_the_broker_by_one_of_many_addresses_is_told_that_one() {
    let running = Running::start(|settings| settings.listen = ([0, 0, 0, 0], 0).into());
    let port = running.broker.as_ref().expect("it runs").address().port();
    for host in ["127.0.0.1", "127.0.0.2"] {
        let mut client = Client::connect((host.parse::<std::net::IpAddr>().expect("an address"), port).into());
        let told = (host.to_owned(), i32::from(port));
        let metadata: MetadataResponse = client.ask(ApiKey::Metadata, 12, MetadataRequest::default());
        assert_eq!((metadata.brokers[0].host.clone(), metadata.brokers[0].port), told);
        let mut request = FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..FindCoordinatorRequest::default() };
        let found: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, 4, request.clone());
        assert_eq!((found.coordinators[0].host.clone(), found.coordinators[0].port), told);
        (request.key, request.coordinator_keys) = ("g".to_owned(), Vec::new());
        let found: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, 3, request);
        assert_eq!((found.host, found.port), told);
        let cluster = DescribeClusterRequest { endpoint_type: 1, ..DescribeClusterRequest::default() };
        let cluster: DescribeClusterResponse = client.ask(ApiKey::DescribeCluster, 1, cluster);
        assert_eq!((cluster.brokers[0].host.clone(), cluster.brokers[0].port), told);
    }
}
