//! What clients may take of the memory, and that they give it back.

use std::time::Duration;

use tokio::sync::watch;

use super::Running;
use super::client::{Client, one_record};
use super::requests::{fetch, make_topic};
use crate::broker::handlers::{self, Answer};
use crate::broker::wire::fetch::{FetchRequest, FetchResponse};
use crate::broker::wire::produce::ProduceResponse;
use crate::broker::wire::{ApiKey, ErrorCode, Reader, RequestHeader};
use crate::clock::Stopwatch;

const KIB: usize = 1 << 10;
const RECORD: usize = 100 * KIB;

/// Topic t with so many records of [`RECORD`] bytes, each a batch.
fn fill(client: &mut Client, records: usize) {
    make_topic(client, "t");
    for _ in 0..records {
        let _: ProduceResponse = client.ask(ApiKey::Produce, 9, one_record("t", 0, 1, &"x".repeat(RECORD)));
    }
}

/// A fetch of everything, as a client sends it.
fn all(wait: Duration) -> FetchRequest {
    let mut request = fetch("t", 0, 1, wait);
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    request
}

/// What the broker answers, before it is written to a socket.
fn answer(running: &Running, mut request: FetchRequest) -> Answer {
    let broker = running.broker.as_ref().expect("it runs");
    let frame = Client::frame(ApiKey::Fetch, 12, &mut request);
    let mut reader = Reader::new(frame.slice(4..));
    let header = RequestHeader::read(&mut reader).expect("a header");
    let client = handlers::Client { id: String::new(), host: String::new(), broker: broker.address().into() };
    let (_stopping, mut told) = watch::channel(false);
    let answered = broker.runtime.as_ref().expect("it runs").block_on(handlers::answer(&broker.node, &client, &header, reader, &mut told));
    answered.ok().flatten().expect("is answered")
}

fn bytes(answer: &Answer) -> usize {
    answer.parts.iter().map(bytes::Bytes::len).sum()
}

#[test]
fn answers_get_smaller_when_memory_is_short_and_one_that_has_none_waits_for_it() {
    let running = Running::start(|settings| settings.limits.answers_bytes = 1 << 20);
    fill(&mut running.client(), 20);
    let left = || running.broker.as_ref().expect("it runs").node.answers.left_kib();
    let first = answer(&running, all(Duration::ZERO));
    assert!((5 * RECORD..6 * RECORD).contains(&bytes(&first)), "half of what there is: {}", bytes(&first));
    let mut held = vec![first];
    // One batch takes so many KiB, but for what is free.
    while left() > RECORD / KIB - 63 {
        let next = answer(&running, all(Duration::ZERO));
        assert!(bytes(&next) > RECORD && bytes(&next) <= bytes(&held[held.len() - 1]), "each gets on, and none gets more");
        held.push(next);
    }
    assert!(held.iter().map(bytes).sum::<usize>() < (1 << 20) + held.len() * 70 * KIB);

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| answer(&running, all(Duration::ZERO)));
        while left() > 0 {
            std::thread::yield_now();
        }
        assert!(!waiting.is_finished());
        held.remove(0);
        assert!(bytes(&waiting.join().expect("is answered")) > RECORD);
    });
    held.clear();
    assert_eq!(left(), KIB, "all was given back");
    assert!(bytes(&answer(&running, all(Duration::ZERO))) > 5 * RECORD);
}

#[test]
fn when_no_memory_comes_a_fetch_is_answered_without_records() {
    let running = Running::start(|settings| {
        (settings.limits.answers_bytes, settings.limits.memory) = (RECORD, Duration::from_millis(50));
    });
    fill(&mut running.client(), 2);
    let held = [answer(&running, all(Duration::ZERO)), answer(&running, all(Duration::ZERO))];
    assert!(held.iter().all(|held| bytes(held) > RECORD));
    let empty = answer(&running, all(Duration::from_secs(100)));
    assert!(bytes(&empty) < KIB);
    drop(held);
    assert!(bytes(&answer(&running, all(Duration::ZERO))) > RECORD);
}

#[test]
fn a_client_that_reads_nothing_holds_memory_until_it_goes_and_who_waits_for_records_holds_none() {
    let running = Running::start(|_| {});
    let node = &running.broker.as_ref().expect("it runs").node;
    let whole = node.answers.left_kib();
    fill(&mut running.client(), 300);
    let eventually = |what: &str, is: &dyn Fn() -> bool| {
        let began = Stopwatch::start();
        while !is() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {} of {whole} KiB are left", node.answers.left_kib());
            std::thread::yield_now();
        }
    };
    let mut waiting = running.client();
    let mut request = all(Duration::from_secs(100));
    request.topics[0].partitions[0].fetch_offset = 300;
    waiting.send(&Client::frame(ApiKey::Fetch, 12, &mut request));

    // More than the system takes for it.
    let mut silent = running.client();
    silent.send(&Client::frame(ApiKey::Fetch, 12, &mut all(Duration::ZERO)));
    eventually("it is answered", &|| node.answers.left_kib() < whole - 20_000);
    drop(silent);
    eventually("it is gone", &|| node.answers.left_kib() == whole);

    let mut reading = running.client();
    for _ in 0..3 {
        let response: FetchResponse = reading.ask(ApiKey::Fetch, 12, all(Duration::ZERO));
        assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::None);
        eventually("it is written", &|| node.answers.left_kib() == whole);
    }
}
