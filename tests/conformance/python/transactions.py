"""Transactions: what is seen of them, by whom and when."""

import time

from confluent_kafka import OFFSET_INVALID, KafkaError, TopicPartition

from kit import PATIENCE_S, case, poll, refused, send, write
from offsets import committed


def transact(producer, topic, values, commit=True, partition=0):
    producer.begin_transaction()
    write(producer, topic, values, partition)
    (producer.commit_transaction if commit else producer.abort_transaction)(PATIENCE_S)


@case
def committed_records_are_read(kit):
    topic = kit.topic()
    transact(kit.transactional(), topic, ["1", "2", "3"])
    assert kit.values(topic) == ["1", "2", "3"]


@case
def end_of_a_transaction_takes_one_offset(kit):
    topic = kit.topic()
    producer = kit.transactional()
    for number in range(3):
        transact(producer, topic, [str(number)], commit=number != 1)
    assert kit.ends(topic) == (0, 6)
    assert [record.offset() for record in kit.read(topic)] == [0, 4]
    assert [record.offset() for record in kit.read(topic, "read_uncommitted")] == [0, 2, 4]


@case
def aborted_records_are_seen_by_read_uncommitted_alone(kit):
    topic = kit.topic()
    producer = kit.transactional()
    transact(producer, topic, ["good"])
    transact(producer, topic, ["bad", "worse"], commit=False)
    transact(producer, topic, ["better"])
    assert kit.values(topic) == ["good", "better"]
    assert kit.values(topic, "read_uncommitted") == ["good", "bad", "worse", "better"]


@case
def open_transaction_holds_read_committed_back(kit):
    topic = kit.topic()
    plain, producer = kit.producer(), kit.transactional()
    send(plain, topic, ["before"])
    producer.begin_transaction()
    write(producer, topic, ["open"])
    send(plain, topic, ["after"])
    assert kit.values(topic, is_open=True) == ["before"]
    assert kit.values(topic, "read_uncommitted", is_open=True) == ["before", "open", "after"]
    producer.commit_transaction(PATIENCE_S)
    assert kit.values(topic) == ["before", "open", "after"]


@case
def waiting_read_committed_gets_records_at_the_commit(kit):
    topic = kit.topic()
    consumer = kit.consumer(isolation_level="read_committed", fetch_wait_max_ms=5000)
    consumer.assign([TopicPartition(topic, 0, 0)])
    producer = kit.transactional()
    producer.begin_transaction()
    write(producer, topic, ["1"])
    assert consumer.poll(1.0) is None
    began = time.monotonic()
    producer.commit_transaction(PATIENCE_S)
    poll(consumer, 1)
    assert time.monotonic() - began < 3.0


@case
def interleaved_producers_keep_their_own_ends(kit):
    topic = kit.topic()
    one, two, three = kit.transactional(), kit.transactional(), kit.transactional()
    for producer in (one, two, three):
        producer.begin_transaction()
    for number in range(5):
        write(one, topic, [f"one{number}"])
        write(two, topic, [f"two{number}"])
        write(three, topic, [f"three{number}"])
    two.abort_transaction(PATIENCE_S)
    assert kit.values(topic, is_open=True) == []
    one.commit_transaction(PATIENCE_S)
    three.abort_transaction(PATIENCE_S)
    assert kit.values(topic) == [f"one{number}" for number in range(5)]
    assert len(kit.values(topic, "read_uncommitted")) == 15


@case
def transaction_spans_topics_and_partitions(kit):
    topics = [kit.topic(4), kit.topic(4)]
    producer = kit.transactional()
    for commit in (False, True):
        producer.begin_transaction()
        for topic in topics:
            for partition in range(4):
                producer.produce(topic, f"{commit}{partition}", partition=partition)
        producer.flush(PATIENCE_S)
        (producer.commit_transaction if commit else producer.abort_transaction)(PATIENCE_S)
    for topic in topics:
        assert sorted(kit.values(topic)) == [f"True{partition}" for partition in range(4)]


@case
def empty_transactions_end_well(kit):
    topic = kit.topic()
    producer = kit.transactional()
    producer.begin_transaction()
    producer.commit_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.abort_transaction(PATIENCE_S)
    transact(producer, topic, ["1"])
    assert kit.values(topic) == ["1"]
    assert kit.ends(topic) == (0, 2)


@case
def producer_is_used_again_after_an_abort(kit):
    topic = kit.topic(2)
    producer = kit.transactional()
    expected = []
    for number in range(12):
        commit = number % 3 != 0
        transact(producer, topic, [f"{number}a", f"{number}b"], commit, number % 2)
        expected += [f"{number}a", f"{number}b"] if commit else []
    assert sorted(kit.values(topic)) == sorted(expected)


@case
def large_transaction_of_many_batches_is_dropped_as_one(kit):
    topic = kit.topic()
    producer = kit.transactional(linger_ms=0, batch_num_messages=50)
    producer.begin_transaction()
    for number in range(5000):
        producer.produce(topic, f"{number} " + "x" * 100, partition=0)
        producer.poll(0)
    producer.flush(PATIENCE_S)
    producer.abort_transaction(PATIENCE_S)
    transact(producer, topic, ["after"])
    assert kit.values(topic) == ["after"]
    # From the midst of what was aborted, where its first offset lies before the one that is asked for.
    assert kit.values(topic, start=2500) == ["after"]


@case
def small_reads_of_aborted_records_skip_them_all(kit):
    topic = kit.topic()
    producer = kit.transactional(linger_ms=0, batch_num_messages=5)
    other = kit.transactional(linger_ms=0, batch_num_messages=5)
    other.begin_transaction()
    expected = []
    for number in range(20):
        write(other, topic, [f"other{number}" + "y" * 500])
        transact(producer, topic, [f"{number}-{each}" + "x" * 500 for each in range(5)], number % 2 == 0)
        expected += [f"{number}-{each}" for each in range(5)] if number % 2 == 0 else []
    other.abort_transaction(PATIENCE_S)
    values = kit.values(topic, fetch_message_max_bytes=1000, fetch_max_bytes=1000, message_max_bytes=1000)
    assert [value.rstrip("x") for value in values] == expected


@case
def offsets_in_a_transaction_are_committed_with_it(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, ["1", "2"])
    consumer = kit.consumer(group)
    consumer.subscribe([topic])
    poll(consumer, 2)
    producer = kit.transactional()
    out = kit.topic()
    for commit, offset in [(False, 1), (True, 2)]:
        producer.begin_transaction()
        write(producer, out, [str(offset)])
        position = [TopicPartition(topic, 0, offset, f"note {offset}")]
        producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), PATIENCE_S)
        (producer.commit_transaction if commit else producer.abort_transaction)(PATIENCE_S)
        found = committed(kit, group, topic)
        assert found.offset == (2 if commit else OFFSET_INVALID), found
    assert found.metadata == "note 2"
    assert kit.values(out) == ["2"]


@case
def transaction_of_offsets_alone_is_committed(kit):
    topic, group = kit.topic(), kit.name("g")
    producer = kit.transactional()
    consumer = kit.consumer(group)
    for offset in (3, 4):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], consumer.consumer_group_metadata(), PATIENCE_S)
        producer.commit_transaction(PATIENCE_S)
        assert committed(kit, group, topic).offset == offset


@case
def stable_offsets_are_waited_for(kit):
    topic, group = kit.topic(), kit.name("g")
    producer = kit.transactional()
    consumer = kit.consumer(group)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], consumer.consumer_group_metadata(), PATIENCE_S)
    reader = kit.consumer(group, isolation_level="read_committed")
    part = TopicPartition(topic, 0)
    refused(lambda: reader.committed([part], 1.5), KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError._TIMED_OUT_QUEUE)
    producer.commit_transaction(PATIENCE_S)
    assert reader.committed([part], PATIENCE_S)[0].offset == 5


@case
def idempotent_and_transactional_records_share_a_partition(kit):
    topic = kit.topic()
    plain, producer = kit.producer(enable_idempotence=True), kit.transactional()
    expected = []
    for number in range(6):
        send(plain, topic, [f"plain{number}"])
        transact(producer, topic, [f"tx{number}"], number % 2 == 0)
        expected += [f"plain{number}"] + ([f"tx{number}"] if number % 2 == 0 else [])
    assert kit.values(topic) == expected


@case
def compressed_transactions_are_read_or_dropped_alike(kit):
    topic = kit.topic()
    for codec in ["gzip", "snappy", "lz4", "zstd"]:
        producer = kit.transactional(compression_type=codec)
        transact(producer, topic, [codec * 100] * 3)
        transact(producer, topic, ["bad" * 100] * 3, commit=False)
    assert kit.values(topic) == [codec * 100 for codec in ["gzip", "snappy", "lz4", "zstd"] for _ in range(3)]


@case
def overlong_transaction_timeout_is_refused(kit):
    producer = kit.producer(transactional_id=kit.name("tx"), transaction_timeout_ms=2_000_000_000)
    refused(lambda: producer.init_transactions(PATIENCE_S), KafkaError.INVALID_TRANSACTION_TIMEOUT)


@case
def offset_lookup_by_time_sees_committed_records_in_transactions(kit):
    topic = kit.topic()
    producer = kit.transactional()
    producer.begin_transaction()
    for stamp in [1000, 2000, 3000]:
        producer.produce(topic, b"v", partition=0, timestamp=stamp)
    producer.commit_transaction(PATIENCE_S)
    kit.settle(topic)
    found = kit.consumer().offsets_for_times([TopicPartition(topic, 0, 1500)], PATIENCE_S)[0]
    assert found.offset == 1, found
