"""Fencing: producers and members that others have replaced change nothing any more."""

import time

from confluent_kafka import OFFSET_INVALID, KafkaError, TopicPartition

from kit import PATIENCE_S, case, eventually, poll, refused, send, write
from offsets import committed

FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


@case
def older_producer_of_the_same_id_is_fenced_at_its_commit(kit):
    topic, id = kit.topic(), kit.name("tx")
    old = kit.transactional(id)
    old.begin_transaction()
    write(old, topic, ["old"])
    new = kit.transactional(id)
    refused(lambda: old.commit_transaction(PATIENCE_S), *FENCED)
    new.begin_transaction()
    write(new, topic, ["new"])
    new.commit_transaction(PATIENCE_S)
    assert kit.values(topic) == ["new"]
    assert kit.values(topic, "read_uncommitted") == ["old", "new"]


@case
def older_producer_of_the_same_id_is_fenced_when_it_writes(kit):
    topic, id = kit.topic(), kit.name("tx")
    old = kit.transactional(id)
    old.begin_transaction()
    write(old, topic, ["old"])
    new = kit.transactional(id)
    found = []
    try:
        old.produce(topic, "zombie", partition=0, on_delivery=lambda error, _: found.append(error))
        old.flush(PATIENCE_S)
    except Exception as error:
        found.append(error.args[0])
    assert found and found[0] is not None and found[0].code() in FENCED + (KafkaError._STATE, KafkaError._PURGE_QUEUE), found
    refused(lambda: old.commit_transaction(PATIENCE_S), *FENCED)
    new.begin_transaction()
    write(new, topic, ["new"])
    new.commit_transaction(PATIENCE_S)
    assert kit.values(topic) == ["new"]
    assert "zombie" not in kit.values(topic, "read_uncommitted")


@case
def older_producer_of_the_same_id_cannot_begin(kit):
    topic, id = kit.topic(), kit.name("tx")
    old, new = kit.transactional(id), kit.transactional(id)

    def again():
        old.begin_transaction()
        write(old, topic, ["zombie"])
        old.commit_transaction(PATIENCE_S)

    refused(again, *FENCED)
    new.begin_transaction()
    write(new, topic, ["new"])
    new.commit_transaction(PATIENCE_S)
    assert kit.values(topic, "read_uncommitted") == ["new"]


@case
def open_transaction_of_a_dead_producer_ends_when_its_id_returns(kit):
    topic, id = kit.topic(), kit.name("tx")
    old = kit.transactional(id)
    old.begin_transaction()
    write(old, topic, ["left open"])
    send(kit.producer(), topic, ["plain"])
    assert kit.values(topic, is_open=True) == []
    kit.transactional(id)
    eventually("the reader goes on", lambda: kit.values(topic, is_open=True) == ["plain"])


@case
def open_transaction_is_aborted_after_its_timeout(kit):
    topic = kit.topic()
    producer = kit.transactional(transaction_timeout_ms=1500)
    producer.begin_transaction()
    write(producer, topic, ["late"])
    send(kit.producer(), topic, ["plain"])
    assert kit.values(topic, is_open=True) == []
    eventually("the reader goes on", lambda: kit.values(topic, is_open=True) == ["plain"], 30)
    refused(
        lambda: producer.commit_transaction(PATIENCE_S),
        *FENCED,
        KafkaError.INVALID_TXN_STATE,
        KafkaError._STATE,
        KafkaError.TRANSACTION_ABORTABLE,
    )
    assert kit.values(topic) == ["plain"]


@case
def offsets_of_an_older_generation_are_refused_in_a_transaction(kit):
    topic, group = kit.topic(2), kit.name("g")
    send(kit.producer(), topic, ["1", "2"])
    consumer = kit.consumer(group, session_timeout_ms=6000)
    consumer.subscribe([topic])
    poll(consumer, 2)
    stale = consumer.consumer_group_metadata()
    kit.end(consumer)
    other = kit.consumer(group)
    other.subscribe([topic])
    poll(other, 2)
    producer = kit.transactional()
    producer.begin_transaction()

    def late():
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 2)], stale, PATIENCE_S)
        producer.commit_transaction(PATIENCE_S)

    refused(late, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID)
    producer.abort_transaction(PATIENCE_S)
    assert committed(kit, group, topic).offset == OFFSET_INVALID


@case
def current_generation_may_commit_in_a_transaction_after_a_rebalance(kit):
    topic, group = kit.topic(2), kit.name("g")
    send(kit.producer(), topic, ["1"])
    first = kit.consumer(group)
    first.subscribe([topic])
    poll(first, 1)
    second = kit.consumer(group)
    second.subscribe([topic])

    def both():
        first.poll(0.1)
        second.poll(0.1)
        return len(first.assignment()) == 1 and len(second.assignment()) == 1

    eventually("both have a partition", both, 30, 0)
    producer = kit.transactional()
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], first.consumer_group_metadata(), PATIENCE_S)
    producer.send_offsets_to_transaction([TopicPartition(topic, 1, 9)], second.consumer_group_metadata(), PATIENCE_S)
    producer.commit_transaction(PATIENCE_S)
    assert (committed(kit, group, topic, 0).offset, committed(kit, group, topic, 1).offset) == (1, 9)


@case
def commit_of_a_member_that_left_is_refused(kit):
    topic, group = kit.topic(), kit.name("g")
    consumer = kit.consumer(group)
    consumer.subscribe([topic])
    eventually("assigned", lambda: consumer.poll(0.1) or consumer.assignment())
    # Without a member id, while the group has members.
    refused(
        lambda: kit.consumer(group).commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False),
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
    )
    assert committed(kit, group, topic).offset == OFFSET_INVALID


@case
def second_static_member_of_a_name_fences_the_first(kit):
    topic, group = kit.topic(), kit.name("g")

    def member():
        consumer = kit.consumer(group, group_instance_id="one", session_timeout_ms=6000, heartbeat_interval_ms=300)
        consumer.subscribe([topic])
        return consumer

    first = member()
    eventually("assigned", lambda: first.poll(0.1) or first.assignment())
    second = member()
    began = time.monotonic()

    def fenced():
        second.poll(0.05)
        record = first.poll(0.05)
        return record is not None and record.error() and record.error().code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)

    eventually("the first is fenced", fenced, 20, 0)
    eventually("the second has the partition", lambda: second.poll(0.1) or second.assignment())
    assert time.monotonic() - began < 20
