//! Records written and read.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseRecord, Producer};

use super::{Case, case};
use crate::kit::{Kit, PATIENCE, at, code, poll, send, texts};

pub const CASES: &[Case] = &[
    case("librdkafka/records/acks_0", |kit| with_acks(kit, "0")),
    case("librdkafka/records/acks_1", |kit| with_acks(kit, "1")),
    case("librdkafka/records/acks_all", |kit| with_acks(kit, "all")),
    case("librdkafka/records/compressed_with_gzip", |kit| compressed(kit, "gzip")),
    case("librdkafka/records/compressed_with_snappy", |kit| compressed(kit, "snappy")),
    case("librdkafka/records/compressed_with_lz4", |kit| compressed(kit, "lz4")),
    case("librdkafka/records/compressed_with_zstd", |kit| compressed(kit, "zstd")),
    case("librdkafka/records/keys_headers_and_timestamps_come_back", come_back),
    case("librdkafka/records/too_large_is_refused", too_large),
    case("librdkafka/records/idempotent_producer_keeps_order", idempotent),
    case("librdkafka/records/offsets_by_time_and_watermarks", by_time),
    case("librdkafka/records/out_of_range_is_an_error_without_reset", out_of_range),
    case("librdkafka/records/seek_pause_and_resume", seek_pause_and_resume),
];

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn borrowed(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

fn with_acks(kit: &Kit, acks: &str) {
    let topic = kit.topic(1, &[]);
    let values = numbers(300);
    send(&kit.producer(&[("acks", acks)]), &topic, 0, &borrowed(&values)).unwrap();
    // Without acknowledgement nothing says when they are there.
    crate::kit::eventually("all are there", || texts(&kit.read_now(&topic, 0, "read_committed")) == values);
}

fn compressed(kit: &Kit, codec: &str) {
    let topic = kit.topic(1, &[]);
    let values: Vec<String> = (0..1000).map(|number| format!("{number} {}", "abc".repeat(number % 40))).collect();
    send(&kit.producer(&[("compression.type", codec), ("linger.ms", "50")]), &topic, 0, &borrowed(&values)).unwrap();
    assert_eq!(kit.values(&topic), values);
}

fn come_back(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.producer(&[]);
    let headers = OwnedHeaders::new().insert(Header { key: "a", value: Some("1") }).insert(Header::<&str> { key: "b", value: None });
    let record = BaseRecord::to(&topic).partition(0).key("k").payload("v").timestamp(1_600_000_000_123).headers(headers);
    producer.send::<str, str>(record).unwrap();
    producer.send::<str, str>(BaseRecord::to(&topic).partition(0)).unwrap();
    producer.flush(PATIENCE).unwrap();
    let found = kit.read_now(&topic, 0, "read_committed");
    assert_eq!((found[0].key(), found[0].payload()), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!(found[0].timestamp(), Timestamp::CreateTime(1_600_000_000_123));
    let headers = found[0].headers().unwrap();
    assert_eq!((headers.get(0).value, headers.get(1).key, headers.get(1).value), (Some(&b"1"[..]), "b", None));
    assert_eq!((found[1].key(), found[1].payload()), (None, None));
}

fn too_large(kit: &Kit) {
    let topic = kit.topic(1, &[("max.message.bytes", "2000")]);
    let producer = kit.producer(&[]);
    assert_eq!(code(send(&producer, &topic, 0, &["x".repeat(3000).as_str()])), RDKafkaErrorCode::MessageSizeTooLarge);
    assert_eq!(send(&producer, &topic, 0, &["small"]).unwrap(), [0]);
}

fn idempotent(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.producer(&[("enable.idempotence", "true"), ("linger.ms", "0"), ("batch.num.messages", "10")]);
    let values = numbers(3000);
    assert_eq!(send(&producer, &topic, 0, &borrowed(&values)).unwrap(), (0..3000).collect::<Vec<i64>>());
    assert_eq!(kit.values(&topic), values);
}

fn by_time(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    let producer = kit.producer(&[]);
    for stamp in [1000, 3000, 2000] {
        producer.send::<str, str>(BaseRecord::to(&topic).partition(0).payload("v").timestamp(stamp)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let consumer = kit.consumer(&[]);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 3));
    for (stamp, expected) in [(0, Offset::Offset(0)), (1001, Offset::Offset(1)), (3000, Offset::Offset(1)), (3001, Offset::End)] {
        let found = consumer.offsets_for_times(at(&topic, 0, Offset::Offset(stamp)), PATIENCE).unwrap();
        assert_eq!(found.find_partition(&topic, 0).unwrap().offset(), expected, "at {stamp}");
    }
}

fn out_of_range(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    send(&kit.producer(&[]), &topic, 0, &["0"]).unwrap();
    let consumer = kit.consumer(&[("auto.offset.reset", "error")]);
    consumer.assign(&at(&topic, 0, Offset::Offset(50))).unwrap();
    let error = (0..100).find_map(|_| consumer.poll(Duration::from_millis(100))).unwrap().err().unwrap();
    assert!(matches!(error, KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)), "{error}");
}

fn seek_pause_and_resume(kit: &Kit) {
    let topic = kit.topic(1, &[]);
    send(&kit.producer(&[]), &topic, 0, &["0", "1", "2", "3"]).unwrap();
    let consumer = kit.consumer(&[]);
    let part = at(&topic, 0, Offset::Beginning);
    consumer.assign(&part).unwrap();
    assert_eq!(poll(&consumer, 1)[0].offset(), 0);
    consumer.pause(&part).unwrap();
    assert!(consumer.poll(Duration::from_millis(400)).is_none());
    consumer.seek(&topic, 0, Offset::Offset(3), PATIENCE).unwrap();
    consumer.resume(&part).unwrap();
    assert_eq!(poll(&consumer, 1)[0].offset(), 3);
}
