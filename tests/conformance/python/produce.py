"""Records: acknowledged, compressed, refused, and read back as they were."""

import time

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError

from kit import case, eventually, refused, send


def numbers(count):
    return [str(number) for number in range(count)]


def with_acks(kit, acks):
    topic = kit.topic()
    send(kit.producer(acks=acks), topic, numbers(500))
    # Without acknowledgement nothing says when they are there.
    eventually("all records", lambda: kit.ends(topic) == (0, 500))
    assert kit.values(topic) == numbers(500)


@case
def acks_0(kit):
    with_acks(kit, 0)


@case
def acks_1(kit):
    with_acks(kit, 1)


@case
def acks_all(kit):
    with_acks(kit, -1)


def compressed(kit, codec):
    topic = kit.topic()
    values = [f"value {number} " + "abc" * (number % 50) for number in range(1000)]
    send(kit.producer(compression_type=codec, linger_ms=50), topic, values)
    assert kit.values(topic) == values
    # From the midst of a batch: those before are skipped by the client.
    assert kit.values(topic, start=777) == values[777:]


@case
def compressed_with_gzip(kit):
    compressed(kit, "gzip")


@case
def compressed_with_snappy(kit):
    compressed(kit, "snappy")


@case
def compressed_with_lz4(kit):
    compressed(kit, "lz4")


@case
def compressed_with_zstd(kit):
    compressed(kit, "zstd")


@case
def headers_come_back_in_order(kit):
    topic = kit.topic()
    headers = [("a", b"1"), ("b", None), ("a", b"2"), ("", b""), ("ü", bytes(range(256)))]
    producer = kit.producer()
    producer.produce(topic, b"v", b"k", headers=headers)
    producer.flush(10)
    assert kit.read(topic)[0].headers() == headers


@case
def null_keys_and_values_are_not_empty_ones(kit):
    topic = kit.topic()
    pairs = [(None, None), (b"", b""), (None, b"v"), (b"k", None), (b"", None)]
    producer = kit.producer()
    for key, value in pairs:
        producer.produce(topic, value, key)
    producer.flush(10)
    assert [(record.key(), record.value()) for record in kit.read(topic)] == pairs


@case
def too_large_record_is_refused_and_the_next_one_taken(kit):
    topic = kit.topic(max_message_bytes=2000)
    producer = kit.producer()
    refused(lambda: send(producer, topic, ["x" * 3000]), KafkaError.MSG_SIZE_TOO_LARGE)
    send(producer, topic, ["small"])
    assert kit.values(topic) == ["small"]


@case
def megabyte_is_taken_where_the_topic_allows(kit):
    topic = kit.topic(max_message_bytes=4000000)
    value = "0123456789" * 300000
    send(kit.producer(message_max_bytes=5000000), topic, [value])
    assert kit.values(topic) == [value]


@case
def unknown_partition_is_refused(kit):
    topic = kit.topic(2)
    refused(lambda: send(kit.producer(), topic, ["1"], 2), KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def timestamps_are_the_producers(kit):
    topic = kit.topic()
    producer = kit.producer()
    stamps = [1_600_000_000_000, 1_500_000_000_000, 1_700_000_000_123]
    for stamp in stamps:
        producer.produce(topic, b"v", timestamp=stamp)
    producer.flush(10)
    assert [record.timestamp() for record in kit.read(topic)] == [(TIMESTAMP_CREATE_TIME, stamp) for stamp in stamps]


@case
def timestamps_are_the_brokers_where_the_topic_says(kit):
    topic = kit.topic(message_timestamp_type="LogAppendTime")
    producer = kit.producer(compression_type="lz4")
    before = time.time() * 1000
    for number in range(10):
        producer.produce(topic, b"v" * 100, timestamp=1_600_000_000_000 + number)
    producer.flush(10)
    after = time.time() * 1000
    for record in kit.read(topic):
        kind, stamp = record.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME and before - 5 <= stamp <= after + 5, (kind, stamp, before, after)


@case
def timestamp_far_ahead_is_refused(kit):
    topic = kit.topic()
    producer = kit.producer()
    found = []
    producer.produce(topic, b"v", timestamp=int((time.time() + 2 * 86400) * 1000), on_delivery=lambda error, _: found.append(error))
    producer.flush(10)
    assert found[0] is not None and found[0].code() == KafkaError.INVALID_TIMESTAMP, found


@case
def record_without_key_is_refused_where_the_topic_is_compacted(kit):
    topic = kit.topic(cleanup_policy="compact")
    producer = kit.producer()
    refused(lambda: send(producer, topic, ["1"]), KafkaError.INVALID_RECORD)
    send(producer, topic, ["2"], key="k")
    assert kit.values(topic) == ["2"]


@case
def idempotent_producer_writes_each_record_once_in_order(kit):
    topic = kit.topic(3)
    producer = kit.producer(enable_idempotence=True, linger_ms=0, batch_num_messages=10)
    for number in range(3000):
        producer.produce(topic, str(number), partition=number % 3)
        producer.poll(0)
    assert producer.flush(20) == 0
    for partition in range(3):
        assert kit.values(topic, partitions=[partition]) == [str(number) for number in range(partition, 3000, 3)]


@case
def offsets_are_acknowledged_without_gaps(kit):
    topic = kit.topic()
    producer = kit.producer(linger_ms=0, batch_num_messages=7)
    seen = []
    for number in range(100):
        producer.produce(topic, str(number), on_delivery=lambda _, record: seen.append(record.offset()))
    producer.flush(10)
    assert seen == list(range(100)), seen


@case
def many_producers_share_a_partition(kit):
    topic = kit.topic()
    producers = [kit.producer(enable_idempotence=number % 2 == 0, linger_ms=1) for number in range(5)]
    for number in range(400):
        for index, producer in enumerate(producers):
            producer.produce(topic, f"{index}:{number}", partition=0)
            producer.poll(0)
    assert all(producer.flush(20) == 0 for producer in producers)
    values = kit.values(topic)
    for index in range(5):
        assert [value for value in values if value.startswith(f"{index}:")] == [f"{index}:{number}" for number in range(400)]
