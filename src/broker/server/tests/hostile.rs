//! Clients that misbehave lose their connection, and harm nobody else.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Running;
use super::client::{Client, one_record};
use crate::broker::wire::metadata::{MetadataRequest, MetadataResponse};
use crate::broker::wire::produce::ProduceResponse;
use crate::broker::wire::{ApiKey, ErrorCode};
use crate::clock::Stopwatch;

/// Another client is served as ever.
fn serves(client: &mut Client) {
    let response: MetadataResponse = client.ask(ApiKey::Metadata, 9, MetadataRequest::default());
    assert_eq!(response.brokers.len(), 1);
}

#[test]
fn what_is_no_request_closes_its_connection_alone() {
    let running = Running::start(|settings| settings.limits.request_bytes = 1 << 20);
    let mut other = running.client();
    let began = Stopwatch::start();
    let huge = (2u32 << 20).to_be_bytes();
    let negative = (-5i32).to_be_bytes();
    let unknown_api = [0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let unknown_version = [0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 7, 0xff, 0xff];
    let header_cut = [0, 0, 0, 3, 0, 3, 0];
    // Metadata 1 with an array of 2 billion topics.
    let count = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    for bytes in [&huge[..], &negative, &unknown_api, &unknown_version, &header_cut, &count, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut client = running.client();
        client.send(bytes);
        assert!(client.is_closed(), "{bytes:?}");
        serves(&mut other);
    }
    assert!(began.elapsed() < Duration::from_secs(9), "none of them was waited for");
}

#[test]
fn a_request_that_stalls_closes_its_connection_and_gives_its_memory_back() {
    let running = Running::start(|settings| {
        settings.limits.stall = Duration::from_millis(300);
        settings.limits.requests_bytes = 4 << 20;
    });
    let mut stalled = running.client();
    stalled.send(&(40u32 << 20).to_be_bytes());
    stalled.send(&vec![0; 300 << 10]);
    assert!(stalled.is_closed());

    // As much as large ones may have together: there only if the stalled one gave its part back.
    let mut client = running.client();
    let refused: ProduceResponse = client.ask(ApiKey::Produce, 9, one_record("missing", 0, 1, &"x".repeat(5 << 20)));
    assert_eq!(refused.responses[0].partition_responses[0].error_code, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn large_requests_that_hang_do_not_keep_small_ones_waiting() {
    let running = Running::start(|settings| settings.limits.requests_bytes = 8 << 20);
    let began = Stopwatch::start();
    let hanging: Vec<_> = (0..4)
        .map(|_| {
            let mut client = running.client();
            client.send(&(40u32 << 20).to_be_bytes());
            client.send(&vec![0; 100 << 10]);
            client
        })
        .collect();
    let mut client = running.client();
    for _ in 0..10 {
        let refused: ProduceResponse = client.ask(ApiKey::Produce, 9, one_record("missing", 0, 1, &"x".repeat(900 << 10)));
        assert_eq!(refused.responses[0].partition_responses[0].error_code, ErrorCode::UnknownTopicOrPartition);
    }
    assert!(began.elapsed() < Duration::from_secs(8), "before any of them was given up");
    drop(hanging);
}

#[test]
fn a_connection_too_many_is_closed_and_there_is_room_again_when_one_goes() {
    let running = Running::start(|settings| settings.limits.connections = 2);
    let (mut first, mut second) = (running.client(), running.client());
    serves(&mut first);
    serves(&mut second);
    assert!(running.client().is_closed());
    drop(first);
    // The broker learns of it in its own time.
    let room = (0..1000).any(|_| {
        let mut third = running.client();
        third.try_send(&Client::frame(ApiKey::Metadata, 9, &mut MetadataRequest::default()));
        !third.is_closed()
    });
    assert!(room);
    serves(&mut second);
}

#[test]
fn an_idle_connection_is_closed() {
    let running = Running::start(|settings| settings.limits.idle = Duration::from_millis(100));
    assert!(running.client().is_closed());
}

#[test]
fn a_mutated_request_never_harms_another_client() {
    let running = Running::start(|settings| settings.limits.transfer = Duration::from_millis(20));
    let other = std::cell::RefCell::new(running.client());
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let mutation = ("[a-z]{0,40}", any::<u16>(), any::<u8>());
    let checked = TestRunner::new(config).run(&mutation, |(value, place, byte)| {
        let mut bytes = Client::frame(ApiKey::Produce, 9, &mut one_record("t", 0, 1, &value)).to_vec();
        let place = usize::from(place) % bytes.len();
        bytes[place] = byte;
        running.client().try_send(&bytes);
        serves(&mut other.borrow_mut());
        Ok(())
    });
    checked.expect("the other client is served");
}
