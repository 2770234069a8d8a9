"""Groups as members see them: who gets which partitions, when some come, go or fall silent."""

import os
import signal
import subprocess
import sys
import time

from confluent_kafka import KafkaError, TopicPartition  # noqa: F401
from confluent_kafka.admin import NewPartitions

from groups import describe, join
from kit import PATIENCE_S, case, eventually, poll, send


def parts(consumer):
    return sorted((part.topic, part.partition) for part in consumer.assignment())


def settled(what, consumers, check, patience=40):
    """Polls all of them until the check of their assignments is true."""

    def look():
        for consumer in consumers:
            consumer.poll(0.05)
        return check([parts(consumer) for consumer in consumers])

    eventually(what, look, patience, 0)


def shared(kit, strategy, topics, expected):
    group = kit.name("g")
    consumers = []
    for _ in range(2):
        consumer = kit.consumer(group, partition_assignment_strategy=strategy, heartbeat_interval_ms=300)
        consumer.subscribe(topics)
        consumers.append(consumer)
    settled(f"each has its share by {strategy}", consumers, lambda found: sorted(found) == sorted(expected))
    assert describe(kit, group).partition_assignor == strategy.split(",")[0]


@case
def range_gives_neighbours(kit):
    one, two = sorted([kit.topic(3), kit.topic(3)])
    shared(kit, "range", [one, two], [[(one, 0), (one, 1), (two, 0), (two, 1)], [(one, 2), (two, 2)]])


@case
def roundrobin_takes_turns(kit):
    one, two = sorted([kit.topic(3), kit.topic(3)])
    shared(kit, "roundrobin", [one, two], [[(one, 0), (one, 2), (two, 1)], [(one, 1), (two, 0), (two, 2)]])


@case
def cooperative_member_keeps_what_it_need_not_give(kit):
    topic, group = kit.topic(4), kit.name("g")
    revoked = []
    settings = dict(partition_assignment_strategy="cooperative-sticky", heartbeat_interval_ms=300)
    first = kit.consumer(group, **settings)
    first.subscribe([topic], on_revoke=lambda _, given: revoked.extend(given))
    settled("all four", [first], lambda found: len(found[0]) == 4)
    second = kit.consumer(group, **settings)
    second.subscribe([topic])
    settled("two each", [first, second], lambda found: [len(each) for each in found] == [2, 2])
    assert len(revoked) == 2, revoked
    assert {part.partition for part in revoked} == {partition for _, partition in parts(second)}
    kit.end(second)
    settled("all four again", [first], lambda found: len(found[0]) == 4)
    assert len(revoked) == 2, revoked


@case
def member_that_leaves_is_replaced_at_once(kit):
    topic, group = kit.topic(2), kit.name("g")
    first = join(kit, group, topic, session_timeout_ms=30000, heartbeat_interval_ms=300)
    second = kit.consumer(group, session_timeout_ms=30000, heartbeat_interval_ms=300)
    second.subscribe([topic])
    settled("one each", [first, second], lambda found: [len(each) for each in found] == [1, 1])
    kit.end(second)
    began = time.monotonic()
    settled("both", [first], lambda found: len(found[0]) == 2)
    assert time.monotonic() - began < 15, "as late as if it had expired"


SILENT = """
import sys
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2], "session.timeout.ms": 2000, "heartbeat.interval.ms": 300})
consumer.subscribe([sys.argv[3]])
while not consumer.assignment():
    consumer.poll(0.1)
print("assigned", flush=True)
while True:
    consumer.poll(0.1)
"""


@case
def killed_member_expires_and_another_takes_over(kit):
    topic, group = kit.topic(), kit.name("g")
    program = subprocess.Popen([sys.executable, "-c", SILENT, kit.bootstrap, group, topic], stdout=subprocess.PIPE)
    try:
        assert program.stdout.readline() == b"assigned\n"
        os.kill(program.pid, signal.SIGKILL)
        program.wait(10)
        assert len(describe(kit, group).members) == 1
        next_ = kit.consumer(group, session_timeout_ms=6000)
        next_.subscribe([topic])
        settled("taken over", [next_], lambda found: len(found[0]) == 1)
        eventually("one member", lambda: len(describe(kit, group).members) == 1)
    finally:
        program.kill()
        program.stdout.close()
        program.wait(10)


@case
def static_member_returns_to_its_partitions_without_rebalance(kit):
    topic, group = kit.topic(4), kit.name("g")
    settings = dict(session_timeout_ms=20000, heartbeat_interval_ms=300, partition_assignment_strategy="range")
    rebalances = []
    first = kit.consumer(group, group_instance_id="a", **settings)
    first.subscribe([topic], on_revoke=lambda *_: rebalances.append(1))
    second = kit.consumer(group, group_instance_id="b", **settings)
    second.subscribe([topic])
    settled("two each", [first, second], lambda found: [len(each) for each in found] == [2, 2])
    # The first was alone for a moment, maybe.
    rebalances.clear()
    before = parts(second)
    kit.end(second)
    second = kit.consumer(group, group_instance_id="b", **settings)
    second.subscribe([topic])
    settled("the same again", [first, second], lambda found: found[1] == before)
    assert rebalances == []
    assert sorted(member.group_instance_id for member in describe(kit, group).members) == ["a", "b"]


@case
def added_partitions_are_given_out(kit):
    topic, group = kit.topic(1), kit.name("g")
    consumer = kit.consumer(group, topic_metadata_refresh_interval_ms=500, heartbeat_interval_ms=300)
    consumer.subscribe([topic])
    settled("one", [consumer], lambda found: len(found[0]) == 1)
    kit.admin.create_partitions([NewPartitions(topic, 3)])[topic].result(PATIENCE_S)
    settled("three", [consumer], lambda found: len(found[0]) == 3)


@case
def pattern_finds_topics_made_later(kit):
    group = kit.name("g")
    consumer = kit.consumer(group, topic_metadata_refresh_interval_ms=500, heartbeat_interval_ms=300)
    consumer.subscribe([f"^{kit.id}-t.*"])
    one = kit.topic()
    settled("the first", [consumer], lambda found: found[0] == [(one, 0)])
    two = kit.topic()
    settled("both", [consumer], lambda found: found[0] == sorted([(one, 0), (two, 0)]))
    send(kit.producer(), two, ["1"])
    assert poll(consumer, 1)[0].topic() == two


@case
def five_members_share_ten_partitions(kit):
    topic, group = kit.topic(10), kit.name("g")
    consumers = []
    for _ in range(5):
        consumer = kit.consumer(group, heartbeat_interval_ms=300, partition_assignment_strategy="roundrobin")
        consumer.subscribe([topic])
        consumers.append(consumer)
    settled("two each", consumers, lambda found: [len(each) for each in found] == [2] * 5)
    assert sorted(sum((parts(consumer) for consumer in consumers), [])) == [(topic, partition) for partition in range(10)]


@case
def no_record_is_lost_when_members_come_and_go(kit):
    topic, group = kit.topic(4), kit.name("g")
    producer = kit.producer()
    for number in range(400):
        producer.produce(topic, str(number), partition=number % 4)
    producer.flush(PATIENCE_S)
    seen = set()

    def take(consumers, until):
        deadline = time.monotonic() + 40
        while len(seen) < until:
            assert time.monotonic() < deadline, f"{len(seen)} of {until}"
            for consumer in consumers:
                for record in consumer.consume(10, 0.1):
                    if not record.error():
                        seen.add(int(record.value()))
                        consumer.store_offsets(record)

    settings = dict(enable_auto_commit=True, enable_auto_offset_store=False, heartbeat_interval_ms=300)
    first = kit.consumer(group, **settings)
    first.subscribe([topic])
    take([first], 100)
    second = kit.consumer(group, **settings)
    second.subscribe([topic])
    take([first, second], 250)
    kit.end(first)
    take([second], 400)
