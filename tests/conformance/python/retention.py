"""What is deleted and what is kept: on request, by age, by size, and by key."""

import time

from confluent_kafka import KafkaError, TopicPartition

from kit import PATIENCE_S, case, eventually, poll, refused, send, write

CLEANED_S = 100
COMPACT = {
    "cleanup_policy": "compact",
    "segment_ms": 200,
    "min_cleanable_dirty_ratio": 0.001,
    "min_compaction_lag_ms": 0,
    "delete_retention_ms": 100,
}


def delete_before(kit, topic, offset):
    part = TopicPartition(topic, 0, offset)
    return kit.admin.delete_records([part])[part].result(PATIENCE_S).low_watermark


@case
def deleted_records_are_not_read_any_more(kit):
    topic = kit.topic()
    send(kit.producer(), topic, [str(number) for number in range(10)])
    assert delete_before(kit, topic, 4) == 4
    assert kit.ends(topic) == (4, 10)
    consumer = kit.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert [record.offset() for record in poll(consumer, 6)] == [4, 5, 6, 7, 8, 9]
    # What is deleted stays so.
    assert delete_before(kit, topic, 2) == 4


@case
def all_records_are_deleted(kit):
    topic = kit.topic()
    send(kit.producer(), topic, ["1", "2", "3"])
    assert delete_before(kit, topic, -1) == 3
    assert kit.ends(topic) == (3, 3)
    send(kit.producer(), topic, ["4"])
    assert [(record.offset(), record.value()) for record in kit.read(topic, start=3)] == [(3, b"4")]


@case
def deletion_beyond_the_end_is_refused(kit):
    topic = kit.topic()
    send(kit.producer(), topic, ["1"])
    refused(lambda: delete_before(kit, topic, 5), KafkaError.OFFSET_OUT_OF_RANGE)
    refused(lambda: delete_before(kit, kit.name("none"), 0), KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._NOENT)


@case
def deletion_is_refused_where_the_topic_is_compacted(kit):
    topic = kit.topic(cleanup_policy="compact")
    send(kit.producer(), topic, ["1", "2"], key="k")
    refused(lambda: delete_before(kit, topic, 1), KafkaError.POLICY_VIOLATION)


@case
def old_segments_go_by_age(kit):
    topic = kit.topic(retention_ms=1000, segment_ms=500)
    producer = kit.producer()
    send(producer, topic, ["old"] * 10)
    time.sleep(1.5)
    send(producer, topic, ["new"])
    eventually("the old ones are gone", lambda: kit.ends(topic)[0] >= 10, CLEANED_S, 0.5)


@case
def old_segments_go_by_size(kit):
    topic = kit.topic(retention_bytes=2_000_000, segment_bytes=1_048_576)
    producer = kit.producer(linger_ms=5)
    for _ in range(60):
        send(producer, topic, ["x" * 100_000])
    eventually("the oldest are gone", lambda: kit.ends(topic)[0] > 0, CLEANED_S, 0.5)
    low, high = kit.ends(topic)
    assert high == 60 and high - low >= 19, (low, high)


def compacted(kit, topic, producer, expected, transactional=False):
    """Waits until this and no more is left, apart from the active segment."""
    count = 0

    def look():
        nonlocal count
        count += 1
        if transactional:
            producer.begin_transaction()
        # A segment is rolled by a record that comes later.
        write(producer, topic, [str(count)], key="roll")
        if transactional:
            producer.commit_transaction(PATIENCE_S)
        records = [record for record in kit.read(topic) if record.key() != b"roll"]
        return sorted((record.key().decode(), str(record.value() and record.value().decode()), record.offset()) for record in records) == expected

    eventually("compacted", look, CLEANED_S, 1)


@case
def compaction_keeps_the_last_value_of_each_key_at_its_offset(kit):
    topic = kit.topic(**COMPACT)
    producer = kit.producer(compression_type="lz4", linger_ms=20)
    for number in range(300):
        producer.produce(topic, str(number), f"k{number % 3}", partition=0)
    producer.flush(PATIENCE_S)
    compacted(kit, topic, producer, [("k0", "297", 297), ("k1", "298", 298), ("k2", "299", 299)])
    # Offsets that are gone are read over.
    assert kit.read(topic, start=10)[0].offset() == 297


@case
def tombstones_go_after_their_time(kit):
    topic = kit.topic(**COMPACT)
    producer = kit.producer()
    for key, value in [("gone", "1"), ("kept", "2"), ("gone", None)]:
        send(producer, topic, [value], key=key)
    compacted(kit, topic, producer, [("kept", "2", 1)])


@case
def compaction_drops_what_was_aborted(kit):
    topic = kit.topic(**COMPACT)
    producer = kit.transactional()
    for number in range(6):
        producer.begin_transaction()
        write(producer, topic, [f"{'good' if number % 2 == 0 else 'bad'}{number}"], key="a")
        write(producer, topic, [str(number)], key=f"b{number}")
        (producer.commit_transaction if number % 2 == 0 else producer.abort_transaction)(PATIENCE_S)
    # Each transaction takes three offsets.
    compacted(kit, topic, producer, [("a", "good4", 12), ("b0", "0", 1), ("b2", "2", 7), ("b4", "4", 13)], True)
    uncommitted = {record.value() for record in kit.read(topic, "read_uncommitted")}
    assert not any(value.startswith(b"bad") for value in uncommitted), uncommitted
