"""Offsets: committed by groups, and looked up by time."""

import time

from confluent_kafka import OFFSET_INVALID, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec

from kit import PATIENCE_S, case, poll, refused, send, write


def committed(kit, group, topic, partition=0, **configs):
    return kit.consumer(group, **configs).committed([TopicPartition(topic, partition)], PATIENCE_S)[0]


def commit(kit, group, topic, offset, metadata=""):
    kit.consumer(group).commit(offsets=[TopicPartition(topic, 0, offset, metadata)], asynchronous=False)


@case
def committed_offset_comes_back_with_its_metadata(kit):
    topic, group = kit.topic(2), kit.name("g")
    commit(kit, group, topic, 42, "note ü")
    found = committed(kit, group, topic)
    assert (found.offset, found.metadata) == (42, "note ü"), found
    assert committed(kit, group, topic, 1).offset == OFFSET_INVALID
    assert committed(kit, kit.name("g"), topic).offset == OFFSET_INVALID


@case
def later_commit_wins_even_when_it_goes_back(kit):
    topic, group = kit.topic(), kit.name("g")
    for offset in [5, 10, 3]:
        commit(kit, group, topic, offset)
    assert committed(kit, group, topic).offset == 3


@case
def next_consumer_of_the_group_goes_on(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, [str(number) for number in range(10)])
    first = kit.consumer(group)
    first.subscribe([topic])
    assert [record.offset() for record in poll(first, 4)] == [0, 1, 2, 3]
    first.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    kit.end(first)
    second = kit.consumer(group)
    second.subscribe([topic])
    assert [record.offset() for record in poll(second, 6)] == [4, 5, 6, 7, 8, 9]


@case
def too_much_metadata_is_refused(kit):
    topic, group = kit.topic(), kit.name("g")
    refused(lambda: commit(kit, group, topic, 1, "m" * 5000), KafkaError.OFFSET_METADATA_TOO_LARGE)
    assert committed(kit, group, topic).offset == OFFSET_INVALID


@case
def administrator_lists_and_alters_offsets_of_an_empty_group(kit):
    topic, group = kit.topic(3), kit.name("g")
    commit(kit, group, topic, 7)
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 2), TopicPartition(topic, 2, 9)])
    kit.admin.alter_consumer_group_offsets([request])[group].result(PATIENCE_S)
    found = kit.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(PATIENCE_S)
    assert sorted((each.partition, each.offset) for each in found.topic_partitions) == [(0, 2), (2, 9)]


@case
def offsets_are_found_by_time(kit):
    topic = kit.topic()
    producer = kit.producer(linger_ms=50)
    for stamp in [1000, 2000, 3000, 3000, 2500, 5000]:
        producer.produce(topic, b"v", timestamp=stamp)
    producer.flush(10)
    consumer = kit.consumer()

    def at(stamp):
        return consumer.offsets_for_times([TopicPartition(topic, 0, stamp)], PATIENCE_S)[0].offset

    assert [at(stamp) for stamp in [0, 1000, 1001, 2000, 2600, 3000, 3001, 5000]] == [0, 0, 1, 1, 2, 2, 5, 5]
    assert at(5001) < 0


@case
def offsets_are_found_by_time_over_many_batches(kit):
    topic = kit.topic()
    producer = kit.producer(linger_ms=0, batch_num_messages=20)
    for number in range(2000):
        producer.produce(topic, b"v" * 100, timestamp=1_000_000 + number * 10)
        producer.poll(0)
    producer.flush(20)
    consumer = kit.consumer()
    for number in [0, 1, 19, 20, 21, 777, 1234, 1999]:
        for stamp in [1_000_000 + number * 10, 1_000_000 + number * 10 - 3]:
            found = consumer.offsets_for_times([TopicPartition(topic, 0, stamp)], PATIENCE_S)[0].offset
            assert found == number, (stamp, number, found)


@case
def earliest_latest_and_largest_timestamp_are_listed(kit):
    topic = kit.topic()
    producer = kit.producer()
    for stamp in [1000, 9000, 2000]:
        producer.produce(topic, b"v", timestamp=stamp)
    producer.flush(10)
    part = TopicPartition(topic, 0)

    def listed(spec):
        found = kit.admin.list_offsets({part: spec})[part].result(PATIENCE_S)
        return found.offset, found.timestamp

    assert listed(OffsetSpec.earliest())[0] == 0
    assert listed(OffsetSpec.latest())[0] == 3
    assert listed(OffsetSpec.max_timestamp()) == (1, 9000)
    assert listed(OffsetSpec.for_timestamp(1500)) == (1, 9000)


@case
def end_under_read_committed_is_the_last_stable_offset(kit):
    topic = kit.topic()
    send(kit.producer(), topic, ["a", "b"])
    producer = kit.transactional()
    producer.begin_transaction()
    write(producer, topic, ["open"])
    part = TopicPartition(topic, 0)

    def end(isolation):
        return kit.admin.list_offsets({part: OffsetSpec.latest()}, isolation_level=isolation)[part].result(PATIENCE_S).offset

    assert end(IsolationLevel.READ_UNCOMMITTED) == 3
    assert end(IsolationLevel.READ_COMMITTED) == 2
    producer.commit_transaction(PATIENCE_S)
    kit.settle(topic)
    assert end(IsolationLevel.READ_COMMITTED) == end(IsolationLevel.READ_UNCOMMITTED) == 4


@case
def lag_follows_from_the_end_and_the_committed_offset(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, [str(number) for number in range(10)])
    commit(kit, group, topic, 6)
    assert kit.ends(topic)[1] - committed(kit, group, topic).offset == 4


@case
def automatic_commits_are_those_of_polled_records(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, ["1", "2", "3"])
    consumer = kit.consumer(group, enable_auto_commit=True, auto_commit_interval_ms=100)
    consumer.subscribe([topic])
    poll(consumer, 3)
    time.sleep(0.3)
    kit.end(consumer)
    assert committed(kit, group, topic).offset == 3
