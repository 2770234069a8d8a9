"""Records that a view cannot use, made from good ones: what faulty and hostile writers send.

Each kind is made from the good record that follows it in the log, so that one which were applied, in whole or in part, would take the
good one's version and show in the view. Shares no code with Viewmill.
"""

import base64
import json

WILD_TIMES = ("9999-12-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "2026-03-01T09:30:00.250999+09:00")
# The year 2300, and soon after 1970 began.
WILD_RECORD_TIMES = (10_413_792_000_000, 1)
# As of another writer: they must come through as they are.
HEADERS = [
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("empty", b""), ("null", None), ("twice", b"1"), ("twice", b"\xff"),
]
NEST = 100_000
# As large as a record gets: with Kafka's usual bounds there is no room for a single header more.
LARGEST_VALUE_BYTES = 1_040_000


def wild(count, event, time_ms):
    """Now and then an event with a time that is valid and absurd, or a record with one."""
    if count % 29 == 0:
        event = {**event, "timestamp": WILD_TIMES[count // 29 % len(WILD_TIMES)]}
    if count % 31 == 0:
        time_ms = WILD_RECORD_TIMES[count // 31 % len(WILD_RECORD_TIMES)]
    return event, time_ms


class Poisoner:
    """Makes records of each kind in turn, and notes what was written where, with what Viewmill must say of it."""

    def __init__(self, manifest, names, prefix, partitions):
        self.kinds = kinds(names.split(",") if names else None)
        self.manifest = open(manifest, "a", encoding="utf-8")
        self.prefix, self.partitions = prefix, partitions
        self.made = 0

    def spoilt(self, record):
        """What to write before this good record."""
        kind, word, fault, change = self.kinds[self.made % len(self.kinds)]
        headers = [] if self.made % 3 else HEADERS
        self.made += 1
        bad = {**record, "headers": headers, **change(Good(record["topic"], record["key"], record["value"], self.partitions))}
        return {**bad, "note": lambda message: self.note(kind, word, fault, bad, message)}

    def note(self, kind, word, fault, bad, message):
        self.manifest.write(json.dumps({
            "kind": kind, "word": word, "fault": fault, "topic": bad["topic"], "partition": message.partition(), "offset": message.offset(),
            "key": encoded(bad["key"]), "value": encoded(bad["value"]), "time": message.timestamp()[1],
            "headers": [[name, encoded(value)] for name, value in bad["headers"]],
        }) + "\n")

    def finish(self):
        """How many were made."""
        self.manifest.close()
        return self.made


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


class Good:
    """The good record that a poisoned one is made from."""

    def __init__(self, topic, key, value, partitions):
        self.topic, self.key, self.value, self.partitions = topic, key, value, partitions

    def changed(self, change):
        """Its value after a change of the event."""
        event = json.loads(self.value)
        change(event)
        return json.dumps(event, ensure_ascii=False).encode()

    def with_field(self, name, value):
        return self.changed(lambda event: event.update({name: value}))

    def with_data(self, name, value):
        return self.changed(lambda event: event["data"].update({name: value}))

    def without(self, name):
        return self.changed(lambda event: event.pop(name))


def payment(good, amount):
    event = {
        "type": "PAYMENT_COMPLETED", "aggregateId": good.key.decode(), "version": 1000, "timestamp": "2026-01-05T09:00:00Z",
        "data": {"orderId": good.key.decode(), "paymentId": "pay-x", "method": "CARD", "amount": "\x00"},
    }
    return json.dumps(event).replace('"\\u0000"', amount).encode()


def values():
    """Faults of the value alone, all of which are found when it is read: (kind, fault, value made from a good record)."""
    return [
        # Cut behind a quote: a number that is cut may be no number, which is another fault.
        ("broken-json", "EOF while parsing", lambda good: good.value[: good.value.rindex(b'"', 0, len(good.value) // 2) + 1]),
        ("trailing-bytes", "trailing characters", lambda good: good.value + b" {}"),
        ("no-json", "cannot read the event", lambda good: b"order approved"),
        ("no-object", "cannot read the event", lambda good: b"[" + good.value + b"]"),
        ("empty-value", "EOF while parsing", lambda good: b""),
        ("null-value", "is null", lambda good: None),
        ("not-utf8", "not UTF-8", lambda good: good.value.replace(b'"data"', b'"x":"caf\xe9","data"', 1)),
        ("nested", "cannot read the event", lambda good: b"[" * NEST),
        ("nested-data", "cannot read the event",
         lambda good: good.without("data")[:-1] + b',"data":' + b"[" * NEST + b"]" * NEST + b"}"),
        ("doubled-field", "twice", lambda good: good.value[:-1] + b',"type":"ORDER_CANCELLED"}'),
        ("no-type", "missing field `type`", lambda good: good.without("type")),
        ("null-type", "missing field `type`", lambda good: good.with_field("type", None)),
        ("no-aggregate", "missing field `aggregateId`", lambda good: good.without("aggregateId")),
        ("type-number", "type: invalid type", lambda good: good.with_field("type", 7)),
        ("unknown-type", "unknown type `ORDER_TELEPORTED`", lambda good: good.with_field("type", "ORDER_TELEPORTED")),
        ("foreign-type", "unknown type `USER_REGISTERED`", lambda good: good.with_field("type", "USER_REGISTERED")),
        ("data-array", "data: invalid type", lambda good: good.with_field("data", [])),
        ("version-text", "version: invalid type", lambda good: good.with_field("version", "2")),
        ("version-zero", "versions count from 1", lambda good: good.with_field("version", 0)),
        ("version-negative", "version: invalid", lambda good: good.with_field("version", -1)),
        ("version-fraction", "version: invalid", lambda good: good.with_field("version", 1.5)),
        ("version-too-large", "version: invalid", lambda good: good.with_field("version", 1 << 64)),
        ("time-word", "timestamp: invalid value", lambda good: good.with_field("timestamp", "yesterday")),
        ("time-number", "timestamp: invalid type", lambda good: good.with_field("timestamp", 1767603600000)),
        ("time-no-offset", "timestamp: invalid value", lambda good: good.with_field("timestamp", "2026-01-05T09:00:00")),
        ("time-no-day", "timestamp: invalid value", lambda good: good.with_field("timestamp", "2026-02-30T09:00:00Z")),
        ("time-far-future", "timestamp: invalid value", lambda good: good.with_field("timestamp", "12026-01-05T09:00:00Z")),
        ("time-before-christ", "timestamp: invalid value", lambda good: good.with_field("timestamp", "-000044-03-15T09:00:00Z")),
        ("amount-word", "amount: not an amount", lambda good: payment(good, '"a lot"')),
        ("amount-negative", "amount: is negative", lambda good: payment(good, "-5")),
        ("amount-too-long", "amount: ", lambda good: payment(good, "1e400")),
        ("amount-bool", "amount: not an amount", lambda good: payment(good, "true")),
        ("another-order-in-data", "data.orderId is `someone-else`", lambda good: good.with_data("orderId", "someone-else")),
        ("too-large", "cannot read the event", lambda good: b"x" * LARGEST_VALUE_BYTES),
    ]


def places():
    """Faults of key, place and time: (kind, the word for it, fault, change)."""
    other_topic = {"order-events": "payment-events", "payment-events": "shipping-events", "shipping-events": "order-events"}
    return [
        ("null-key", "misplaced", "the key is null", lambda good: {"key": None}),
        ("key-not-utf8", "deserialization", "key ", lambda good: {"key": b"\xff" + good.key}),
        ("key-of-another-order", "misplaced", "misplaced: the key is", lambda good: {"key": b"ord-another"}),
        ("another-partition", "misplaced", "misplaced: the key belongs to partition",
         lambda good: {"partition": (murmur2_partition(good.key, good.partitions) + 1) % good.partitions}),
        ("another-topic", "rejected", "belongs into", lambda good: {"topic": other_topic[good.topic]}),
        # The year 2300, and soon after 1970 began.
        ("future-record", "deserialization", "cannot read the event", lambda good: {"value": b"{", "timestamp": 10_413_792_000_000}),
        ("ancient-record", "deserialization", "cannot read the event", lambda good: {"value": b"{", "timestamp": 1}),
    ]


def kinds(names):
    """All kinds, or those named: (kind, Viewmill's word for it, what it says of it, what is written instead of the good record's)."""
    def of_value(kind, fault, change):
        topic = {"topic": "payment-events"} if kind.startswith("amount-") else {}
        return kind, "deserialization", fault, lambda good: {"value": change(good), **topic}

    everything = [of_value(*value) for value in values()] + places()
    return [kind for kind in everything if names is None or kind[0] in names]


def murmur2_partition(key, partitions):
    """Where Kafka's own producer puts a key."""
    mask = 0xFFFFFFFF
    m, h = 0x5BD1E995, 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions
