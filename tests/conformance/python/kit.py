"""What the cases share: clients that are closed at the end, names of their own, and reading to the end of a topic."""

import contextlib
import time
import uuid

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

PATIENCE_S = 20


def case(function):
    """Marks a conformance case; the name of the function is the name of the case."""
    function.is_case = True
    return function


class Kit:
    """The clients and names of one case."""

    def __init__(self, bootstrap, name):
        self.bootstrap = bootstrap
        self.id = f"conf-{name.rsplit('/', 1)[-1].replace('_', '-')[:40]}-{uuid.uuid4().hex[:8]}"
        self.count = 0
        self.closing = []
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def name(self, kind="x"):
        self.count += 1
        return f"{self.id}-{kind}{self.count}"

    def topic(self, partitions=1, **configs):
        """Creates a topic; underscores in the names of configs are dots."""
        name = self.name("t")
        configs = {key.replace("_", "."): str(value) for key, value in configs.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=configs)], operation_timeout=PATIENCE_S)[name].result(PATIENCE_S)
        self.appeared(name)
        return name

    def appeared(self, *names):
        """Waits until a created topic is known and led: real Kafka answers before its brokers have heard of it."""
        for name in names:
            eventually(f"topic {name} has appeared", lambda: self.listed(name, IsolationLevel.READ_UNCOMMITTED))

    def listed(self, topic, isolation):
        """The end of each partition, for readers of this isolation."""
        described = self.admin.describe_topics(TopicCollection([topic]))[topic].result(PATIENCE_S)
        request = {TopicPartition(topic, part.id): OffsetSpec.latest() for part in described.partitions}
        found = self.admin.list_offsets(request, isolation_level=isolation)
        return {part.partition: each.result(PATIENCE_S).offset for part, each in found.items()}

    def settle(self, topic):
        """Waits until no transaction is open: real Kafka answers a commit before the markers are in the log."""
        stable, all_ = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
        eventually("no open transaction", lambda: self.listed(topic, stable) == self.listed(topic, all_))

    def producer(self, **configs):
        settings = {"bootstrap.servers": self.bootstrap, "linger.ms": 5}
        settings.update({key.replace("_", "."): value for key, value in configs.items()})
        return Producer(settings)

    def transactional(self, id=None, **configs):
        """A producer whose transactions are initialized."""
        producer = self.producer(transactional_id=id or self.name("tx"), **configs)
        producer.init_transactions(PATIENCE_S)
        return producer

    def consumer(self, group=None, **configs):
        settings = {
            "bootstrap.servers": self.bootstrap,
            "group.id": group or self.name("g"),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "fetch.wait.max.ms": 200,
            "fetch.error.backoff.ms": 50,
        }
        settings.update({key.replace("_", "."): value for key, value in configs.items()})
        consumer = Consumer(settings)
        self.closing.append(consumer)
        return consumer

    def end(self, consumer):
        """Closes it now: it leaves its group, if it is no static member."""
        self.closing.remove(consumer)
        consumer.close()

    def read(self, topic, isolation="read_committed", partitions=None, start=0, is_open=False, **configs):
        """All records from an offset on that a new consumer sees until the end of each partition, in order within a partition.
        Waits first until no transaction is open, unless the case says that one is."""
        if not is_open:
            self.settle(topic)
        consumer = self.consumer(isolation_level=isolation, enable_partition_eof=True, **configs)
        if partitions is None:
            partitions = range(len(consumer.list_topics(topic, PATIENCE_S).topics[topic].partitions))
        open_ = set(partitions)
        consumer.assign([TopicPartition(topic, partition, start) for partition in partitions])
        records = []
        deadline = time.monotonic() + PATIENCE_S
        while open_:
            if time.monotonic() > deadline:
                raise AssertionError(f"no end of {topic} {sorted(open_)} after {len(records)} records")
            record = consumer.poll(0.5)
            if record is None:
                continue
            if record.error() and record.error().code() == KafkaError._PARTITION_EOF:
                open_.discard(record.partition())
            elif record.error():
                raise KafkaException(record.error())
            else:
                records.append(record)
        self.end(consumer)
        return records

    def values(self, topic, isolation="read_committed", **more):
        return [record.value() and record.value().decode() for record in self.read(topic, isolation, **more)]

    def ends(self, topic, partition=0):
        """Low and high watermark."""
        return self.consumer(isolation_level="read_uncommitted").get_watermark_offsets(TopicPartition(topic, partition), PATIENCE_S)

    def close(self):
        for consumer in self.closing:
            with contextlib.suppress(Exception):
                consumer.close()


def send(producer, topic, values, partition=0, key=None):
    """Produces and waits for the acknowledgements."""
    refused = []
    for value in values:
        producer.produce(topic, value, key, partition=partition, on_delivery=lambda error, record: error and refused.append(error))
    assert producer.flush(PATIENCE_S) == 0, "records are not acknowledged"
    if refused:
        raise KafkaException(refused[0])


def write(producer, topic, values, partition=0, key=None):
    """Produces within a transaction and waits until they are written (or refused, which the commit will say)."""
    for value in values:
        producer.produce(topic, value, key, partition=partition)
    assert producer.flush(PATIENCE_S) == 0, "records are not acknowledged"


def poll(consumer, count, patience=PATIENCE_S):
    """This many records, in the order in which they came."""
    records = []
    deadline = time.monotonic() + patience
    while len(records) < count:
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(records)} of {count} records came")
        record = consumer.poll(0.2)
        if record is not None and record.error():
            raise KafkaException(record.error())
        if record is not None:
            records.append(record)
    return records


def eventually(what, check, patience=PATIENCE_S, pause=0.05):
    """Waits until the check gives something true, and gives that."""
    deadline = time.monotonic() + patience
    last = None
    while True:
        try:
            found = check()
            if found:
                return found
            last = found
        except KafkaException as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still {last!r} after {patience} s")
        time.sleep(pause)


def refused(action, *codes):
    """Runs what must be refused with one of these errors; gives the error."""
    try:
        action()
    except KafkaException as raised:
        error = raised.args[0]
        assert error.code() in codes, f"refused with {error.name()} ({error.str()}), not one of {codes}"
        return error
    raise AssertionError(f"not refused; expected one of {codes}")
