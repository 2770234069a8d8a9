#!/usr/bin/env python3
"""Writes the life cycles of made-up orders to Kafka, as services of other teams would: an independent producer.

Shares no code with Viewmill. Keys are order ids, partitioned by Kafka's murmur2. What it makes is decided by the seed alone, record
times included: two runs with one seed write the same records in the same order.

What it mixes in, because other writers do: full envelopes and plain ones, events without versions or without a timestamp, amounts as
bare numbers and as strings, times in several RFC 3339 forms, payments before their order, payments without an order, records sent
twice, the same version under another event id, missing versions, and versions that come late. With --poison it also writes records that
no view can use (poison.py), notes each of them in a manifest, and gives some good ones wild times.
"""

import argparse
import json
import random
import re
import sys
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

import topics
from pace import Pace
from poison import Poisoner, wild

TOPICS = ("order-events", "payment-events", "shipping-events")
BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=timezone.utc)
# Orders whose events are in flight at the same time: neighbours in the log belong to different orders.
OPEN_ORDERS = 400
DIGITS = {"KRW": 0, "JPY": 0, "USD": 2, "EUR": 2}
PRODUCTS = [
    ("tea-green", "녹차 100 g", "7.90"), ("tea-black", "Assam, loose", "11.25"), ("kettle", "Kettle \"Classic\"", "129.5"),
    ("cup", "Cup, stoneware", "0.70"), ("set", "Tea set for six", "349.00"), ("scale", "Scale ±0.1 g", "19.99"),
    ("press", "Cast-iron press", "1234567.89"), ("sample", "Sample bag", "0.10"),
    # More digits than a binary float holds.
    ("estate", "Tea estate", "90071992547409.93"),
]
PRODUCT_WEIGHTS = (20, 20, 20, 20, 20, 20, 20, 20, 1)
CARRIERS = ("DHL", "CJ대한통운", "UPS")
PEOPLE = (("김하늘", "서울", "KR"), ("Ada Byron", "London", "GB"), ("José Núñez", "Madrid", "ES"), ("Mia Wong", "Seattle", "US"))


class Order:
    """One order's whole life, as a list of (topic, event, record time in ms)."""

    def __init__(self, rng, number):
        self.rng = rng
        self.id = f"ord-{number:06d}-{rng.getrandbits(32):08x}"
        self.time = BEGIN + timedelta(seconds=7 * number)
        self.currency = rng.choices(("KRW", "USD", "EUR", "JPY"), (4, 3, 2, 1))[0]
        # A writer has its habits: it sends the envelope in one form, and versions always or never.
        self.full = rng.random() < 0.5
        self.versioned = rng.random() < 0.88
        self.versions = dict.fromkeys(TOPICS, 0)
        self.last_event_id = None
        self.payment = None
        self.records = []
        self.live()
        self.repeat_some()

    def live(self):
        rng = self.rng
        if rng.random() < 0.01:
            # A payment whose order never comes.
            self.pay(self.amount(Decimal("12.00")))
            return
        items = self.items()
        total = sum((price * quantity for _, _, price, quantity in items), Decimal(0))
        early = rng.random() < 0.06
        if early:
            self.payment_attempts(total)
        self.create(items, total)
        if rng.random() < 0.05:
            self.emit("order-events", "ORDER_ADDRESS_CHANGED", {"shippingAddress": self.address()})
        fate = rng.random()
        if fate < 0.06:
            self.emit("order-events", "ORDER_REJECTED", {"reason": "address not served"})
            return
        if fate < 0.12:
            self.emit("order-events", "ORDER_CANCELLED", {"reason": "changed my mind"})
            if early:
                self.refund(total, whole=True)
            return
        if fate < 0.15:
            return
        paid = early or (rng.random() < 0.9 and self.payment_attempts(total))
        self.approve()
        if fate < 0.22:
            self.emit("order-events", "ORDER_CANCELLED", {"reason": "out of stock"})
            if paid:
                self.refund(total, whole=True)
            return
        if fate < 0.30:
            return
        self.ship()
        if paid and rng.random() < 0.1:
            self.refund(total, whole=rng.random() < 0.4)

    # What happens to an order.

    def create(self, items, total):
        address = self.address()
        days = 2 if address["express"] else 5
        self.emit("order-events", "ORDER_CREATED", {
            "orderId": self.id,
            "userId": f"user-{self.rng.randrange(500)}",
            "items": [
                {"productId": product, "name": name, "price": self.written(price), "quantity": quantity}
                for product, name, price, quantity in items
            ],
            "totalAmount": self.written(total),
            "currency": self.currency,
            "shippingAddress": address,
            "estimatedDelivery": millis_form(self.time + timedelta(days=days)),
        })

    def approve(self):
        late = self.versioned and self.rng.random() < 0.04
        if late:
            # The address change was written first and comes after the approval: the gap that it left is filled.
            self.versions["order-events"] += 1
            version = self.versions["order-events"]
        self.emit("order-events", "ORDER_APPROVED", {"note": "ok"} if self.rng.random() < 0.3 else {})
        if late:
            self.emit("order-events", "ORDER_ADDRESS_CHANGED", {"shippingAddress": self.address()}, version=version)

    def payment_attempts(self, total):
        if self.rng.random() < 0.15:
            self.emit("payment-events", "PAYMENT_FAILED", {
                "orderId": self.id, "paymentId": self.identifier("pay"), "code": "card-declined",
            })
            if self.rng.random() < 0.2:
                return False
        self.pay(total)
        return True

    def pay(self, total):
        self.payment = self.identifier("pay")
        self.emit("payment-events", "PAYMENT_COMPLETED", {
            "orderId": self.id, "paymentId": self.payment, "method": self.rng.choice(("CARD", "TRANSFER", "KAKAO_PAY")),
            "amount": self.written(total),
        })

    def refund(self, total, whole):
        if self.payment is None:
            return
        parts = [total]
        if not whole:
            smallest = Decimal(1).scaleb(-DIGITS[self.currency])
            part = self.amount(total / 3)
            parts = [part, smallest] if 0 < part and part + smallest < total else [smallest] if smallest < total else [total]
        for part in parts:
            self.emit("payment-events", "PAYMENT_REFUNDED", {
                "orderId": self.id, "paymentId": self.payment, "refundId": self.identifier("ref"),
                "amount": self.written(part), "reason": "returned",
            })

    def ship(self):
        carrier, tracking = self.rng.choice(CARRIERS), f"T{self.rng.randrange(10**9):09d}"
        both = {"carrier": carrier, "trackingNumber": tracking}
        self.shipment("SHIPMENT_CREATED", both)
        self.emit("order-events", "ORDER_SHIPPED", {
            **both, **({"shippedAt": millis_form(self.time + timedelta(minutes=5))} if self.rng.random() < 0.5 else {}),
        })
        steps = self.rng.randrange(4)
        if steps > 0:
            for place in ("Incheon", "Leipzig")[: self.rng.randint(1, 2)]:
                self.shipment("SHIPMENT_IN_TRANSIT", {"location": place})
        if steps > 1:
            self.shipment("SHIPMENT_OUT_FOR_DELIVERY", both if self.rng.random() < 0.5 else {})
        if steps > 2:
            if self.rng.random() < 0.1:
                self.shipment("SHIPMENT_DELIVERY_FAILED", {})
                return
            self.shipment("SHIPMENT_DELIVERED", {})
            self.emit("order-events", "ORDER_DELIVERED", {
                "deliveredAt": millis_form(self.time + timedelta(minutes=2)),
            } if self.rng.random() < 0.5 else {})

    def shipment(self, kind, data):
        self.emit("shipping-events", kind, {"orderId": self.id, **data})

    # How it is written.

    def emit(self, topic, kind, data, version=None):
        """Adds an event, and now and then what a faulty writer adds to it."""
        rng = self.rng
        self.time += timedelta(milliseconds=rng.randrange(1000, 40_000_000))
        if self.versioned and version is None:
            # A version that nobody ever sends.
            if self.versions[topic] and rng.random() < 0.01:
                self.versions[topic] += 1
            self.versions[topic] += 1
            version = self.versions[topic]
        event = self.envelope(topic, kind, data, version)
        time_ms = round(self.time.timestamp() * 1000)
        if rng.random() < 0.03:
            # The record's own time is the event's.
            del event["timestamp"]
        self.records.append((topic, event, time_ms))

    def repeat_some(self):
        """Sends some records twice, at once or after what follows. Without a version nobody could tell, so those are left alone."""
        for at in reversed(range(len(self.records))):
            if not self.versioned or self.rng.random() >= 0.04:
                continue
            topic, event, time_ms = self.records[at]
            again = dict(event)
            if "eventId" in again and self.rng.random() < 0.3:
                again["eventId"] = self.event_id()
            self.records.insert(self.rng.randint(at + 1, len(self.records)), (topic, again, time_ms + self.rng.randrange(5000)))

    def envelope(self, topic, kind, data, version):
        event = {"type": kind, "aggregateId": self.id}
        if version is not None:
            event["version"] = version
        event["timestamp"] = self.time_form()
        event["data"] = data
        if not self.full:
            return event
        event_id = self.event_id()
        cause, self.last_event_id = self.last_event_id, event_id
        return {
            "eventId": event_id, "schemaVersion": 1, "aggregateType": topic.removesuffix("-events").capitalize(),
            "correlationId": self.id, "causationId": cause, "actor": {"kind": "service", "id": "producer"}, **event,
        }

    def event_id(self):
        """A UUID v7 of the event's time."""
        millis = round(self.time.timestamp() * 1000)
        bits = millis << 80 | 7 << 76 | self.rng.getrandbits(12) << 64 | 2 << 62 | self.rng.getrandbits(62)
        return str(uuid.UUID(int=bits))

    def identifier(self, prefix):
        return f"{prefix}-{self.rng.getrandbits(48):012x}"

    def time_form(self):
        """The time in one of the forms that RFC 3339 allows."""
        form = self.rng.randrange(4)
        if form == 0:
            self.time = self.time.replace(microsecond=0)
            return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.time = self.time.replace(microsecond=self.time.microsecond // 1000 * 1000)
        if form == 1:
            return self.time.astimezone(timezone(timedelta(hours=9))).isoformat(timespec="milliseconds")
        return millis_form(self.time)

    def address(self):
        recipient, city, country = self.rng.choice(PEOPLE)
        return {
            "recipient": recipient, "street": f"{self.rng.randrange(1, 200)} Main St", "city": city,
            "postalCode": f"{self.rng.randrange(100000):05d}", "country": country, "express": self.rng.random() < 0.3,
        }

    def items(self):
        lines = self.rng.choices((1, 2, 3, 12), (50, 30, 19, 1))[0]
        return [
            (product, name, self.amount(Decimal(price) * (1000 if DIGITS[self.currency] == 0 else 1)), self.rng.randint(1, 5))
            for product, name, price in self.rng.choices(PRODUCTS, PRODUCT_WEIGHTS, k=lines)
        ]

    def amount(self, value):
        """Cut to what the currency has."""
        return value.quantize(Decimal(1).scaleb(-DIGITS[self.currency]))

    def written(self, value):
        """An amount as a bare number or a string, with all, no or some of its trailing zeros."""
        text = str(value)
        if "." in text and self.rng.random() < 0.5:
            text = text.rstrip("0").rstrip(".")
        return text if self.rng.random() < 0.3 else f"\x00{text}\x00"


def millis_form(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def to_json(event):
    """JSON whose marked strings are bare numbers, digit for digit: a float would not keep them."""
    return re.sub(r'"\\u0000([^"\\]*)\\u0000"', r"\1", json.dumps(event, ensure_ascii=False, separators=(",", ":")))


def interleaved(rng, count):
    """The records of all orders: each order's in its order, neighbours from different ones."""
    open_orders = []
    number = 0
    while number < count or open_orders:
        while number < count and len(open_orders) < OPEN_ORDERS:
            order = Order(rng, number)
            number += 1
            open_orders.append((order.id, iter(order.records)))
        at = rng.randrange(len(open_orders))
        order_id, records = open_orders[at]
        record = next(records, None)
        if record is None:
            open_orders[at] = open_orders[-1]
            open_orders.pop()
        else:
            yield order_id, *record


def headers_of(event):
    names = ("eventId", "type", "schemaVersion", "aggregateId", "version", "correlationId", "causationId")
    return [(name, str(event[name]).encode()) for name in names if event.get(name) is not None] if "eventId" in event else []


def create_topics(bootstrap, prefix, partitions):
    new = [
        # Older brokers take records from the future, and so there are some.
        NewTopic(prefix + name, num_partitions=partitions, replication_factor=1, config={
            "retention.ms": "-1", "message.timestamp.after.max.ms": str((1 << 63) - 1),
        })
        for name in TOPICS
    ]
    topics.create(bootstrap, new)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="host:port of Kafka")
    parser.add_argument("--prefix", default="", help="before every topic")
    parser.add_argument("--orders", type=int, required=True, help="how many orders")
    parser.add_argument("--seed", type=int, required=True, help="decides everything")
    parser.add_argument("--rate", type=int, help="records a second, until SIGTERM; without it as fast as Kafka takes them")
    parser.add_argument("--create-topics", type=int, metavar="PARTITIONS", help="makes the three topics first, those that are absent")
    parser.add_argument("--poison", type=int, metavar="EVERY", help="writes a record that no view can use before every so many good ones")
    parser.add_argument("--kinds", help="only these kinds of poison, with commas between")
    parser.add_argument("--manifest", help="the file in which each of those is noted; added to when it is there")
    args = parser.parse_args()
    if args.create_topics:
        create_topics(args.bootstrap, args.prefix, args.create_topics)

    failures = []
    poisoner = Poisoner(args.manifest, args.kinds, args.prefix, args.create_topics or 4) if args.poison else None
    producer = Producer({
        "bootstrap.servers": args.bootstrap,
        # Kafka's own partitioner; librdkafka's default is another.
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 20,
        "queue.buffering.max.messages": 200_000,
        # A broker may be away for minutes.
        "message.timeout.ms": 300_000,
        "message.max.bytes": 1_048_000,
    })

    def write(topic, note=None, **record):
        def delivered(error, message):
            if error is not None:
                failures.append(error)
            elif note:
                note(message)

        while True:
            try:
                return producer.produce(args.prefix + topic, on_delivery=delivered, **record)
            except BufferError:
                producer.poll(0.1)

    count = 0
    pace = Pace(args.rate)
    for order_id, topic, event, time_ms in interleaved(random.Random(args.seed), args.orders):
        if poisoner:
            event, time_ms = wild(count, event, time_ms)
        record = {"topic": topic, "key": order_id.encode(), "value": to_json(event).encode(), "timestamp": time_ms}
        if poisoner and count % args.poison == 0:
            write(**poisoner.spoilt(record))
        write(**record, headers=headers_of(event))
        count += 1
        if count % 100 == 0:
            producer.poll(0)
            pace.keep(count)
    left = producer.flush(300)
    pace.end()
    if left or failures:
        sys.exit(f"{left} records not delivered, {len(failures)} refused: {failures[:3]}")
    poisoned = poisoner.finish() if poisoner else 0
    print(json.dumps({"orders": args.orders, "records": count, "poisoned": poisoned, "seed": args.seed}))


if __name__ == "__main__":
    main()
