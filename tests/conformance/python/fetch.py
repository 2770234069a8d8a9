"""Reading: waiting, bounds, positions, resets."""

import threading
import time

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from kit import case, poll, refused, send


@case
def waiting_consumer_gets_a_record_at_once(kit):
    topic = kit.topic()
    consumer = kit.consumer(fetch_wait_max_ms=5000)
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert consumer.poll(1.0) is None
    producer = kit.producer(linger_ms=0)
    producer.list_topics(topic, 10)
    best = 10.0
    for _ in range(3):
        began = time.monotonic()
        send(producer, topic, ["1"])
        poll(consumer, 1, 4.0)
        best = min(best, time.monotonic() - began)
    assert best < 1.0, f"the record came after {best:.1f} s"


@case
def record_larger_than_the_bounds_is_still_given(kit):
    topic = kit.topic()
    values = [str(number) * 50000 for number in range(10)]
    producer = kit.producer(linger_ms=0)
    for value in values:
        send(producer, topic, [value])
    assert kit.values(topic, fetch_message_max_bytes=1000, fetch_max_bytes=10000, message_max_bytes=10000) == values


@case
def reading_begins_at_any_offset(kit):
    topic = kit.topic()
    send(kit.producer(linger_ms=50), topic, [str(number) for number in range(100)])
    for start in [0, 1, 50, 99]:
        records = kit.read(topic, start=start)
        assert [record.offset() for record in records] == list(range(start, 100))
    assert kit.read(topic, start=100) == []


@case
def offset_out_of_range_is_an_error_or_a_reset(kit):
    topic = kit.topic()
    send(kit.producer(), topic, ["0", "1", "2"])

    def first(reset, offset):
        consumer = kit.consumer(auto_offset_reset=reset)
        consumer.assign([TopicPartition(topic, 0, offset)])
        return consumer

    assert poll(first("earliest", 50), 1)[0].offset() == 0
    error = None
    try:
        poll(first("error", 50), 1)
    except KafkaException as raised:
        error = raised.args[0].code()
    assert error in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), error
    late = first("latest", 50)
    stop = threading.Event()

    def feed():
        producer = kit.producer(linger_ms=0)
        while not stop.is_set():
            send(producer, topic, ["late"])
            time.sleep(0.1)

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        assert poll(late, 1)[0].offset() >= 3
    finally:
        stop.set()
        feeding.join()


@case
def many_partitions_are_read_by_one_consumer(kit):
    topic = kit.topic(60)
    producer = kit.producer()
    for number in range(1200):
        producer.produce(topic, str(number), partition=number % 60)
    producer.flush(20)
    records = kit.read(topic)
    assert sorted(int(record.value()) for record in records) == list(range(1200))
    for partition in range(60):
        mine = [int(record.value()) for record in records if record.partition() == partition]
        assert mine == list(range(partition, 1200, 60))


@case
def paused_partition_gives_nothing_until_resumed(kit):
    topic = kit.topic(2)
    consumer = kit.consumer()
    parts = [TopicPartition(topic, partition, 0) for partition in range(2)]
    consumer.assign(parts)
    consumer.pause(parts[:1])
    for partition in range(2):
        send(kit.producer(), topic, ["1", "2"], partition)
    assert [record.partition() for record in poll(consumer, 2)] == [1, 1]
    assert consumer.poll(0.5) is None
    consumer.resume(parts[:1])
    assert [(record.partition(), record.offset()) for record in poll(consumer, 2)] == [(0, 0), (0, 1)]


@case
def consumer_seeks_back_and_forth(kit):
    topic = kit.topic()
    send(kit.producer(), topic, [str(number) for number in range(20)])
    consumer = kit.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert poll(consumer, 5)[-1].offset() == 4
    consumer.seek(TopicPartition(topic, 0, 15))
    assert [record.offset() for record in poll(consumer, 5)] == [15, 16, 17, 18, 19]
    consumer.seek(TopicPartition(topic, 0, 2))
    assert poll(consumer, 1)[0].offset() == 2


@case
def position_from_the_end_is_after_what_is_there(kit):
    from confluent_kafka import OFFSET_END

    topic = kit.topic()
    send(kit.producer(), topic, ["old"])
    consumer = kit.consumer(enable_partition_eof=True)
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    end = None
    deadline = time.monotonic() + 10
    while end is None and time.monotonic() < deadline:
        end = consumer.poll(0.5)
    assert end is not None and end.error().code() == KafkaError._PARTITION_EOF and end.offset() == 1
    send(kit.producer(), topic, ["new"])
    assert [record for record in [consumer.poll(5.0)] if record and not record.error()][0].value() == b"new"


@case
def unknown_topic_is_an_error_to_the_reader(kit):
    consumer = kit.consumer(allow_auto_create_topics=False)
    consumer.subscribe([kit.name("none")])
    error = refused(lambda: poll(consumer, 1, 15), KafkaError.UNKNOWN_TOPIC_OR_PART)
    assert error


@case
def two_readers_do_not_disturb_each_other(kit):
    topic = kit.topic()
    send(kit.producer(), topic, [str(number) for number in range(2000)])
    found = {}
    readers = [threading.Thread(target=lambda index=index: found.update({index: kit.values(topic)})) for index in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found[0] == found[1] == [str(number) for number in range(2000)]
