#!/usr/bin/env python3
"""Folds the order, payment and shipping events as they stand in Kafka into what the views over them must answer.

Shares no code with Viewmill: a naive reading of the log from its beginning to its end, in memory, with exact decimals. Writes

- for GET /api/orders/{id} one JSON line an order, ordered by id: {"orderId", "etag", "order"}; "order" is null where the answer is 404
  (no ORDER_CREATED seen);
- for GET /api/orders?status= and GET /api/dashboard one JSON object: {"lists": {status: [order ids, newest first]}, "dashboard"};
- for dashboards seen on the way, given by their View-Position, what they had to be at exactly that position.

The three topics are folded apart from each other, so that the result does not depend on how they are interleaved.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from confluent_kafka import Consumer, KafkaError, TopicPartition

TOPICS = ("order-events", "payment-events", "shipping-events")
ORDER_STATUS = {
    "ORDER_CREATED": "CREATED", "ORDER_APPROVED": "APPROVED", "ORDER_REJECTED": "REJECTED",
    "ORDER_SHIPPED": "SHIPPED", "ORDER_DELIVERED": "DELIVERED", "ORDER_CANCELLED": "CANCELLED",
}
SHIPPING_STATUS = {
    "SHIPMENT_CREATED": "PREPARING", "SHIPMENT_IN_TRANSIT": "IN_TRANSIT", "SHIPMENT_OUT_FOR_DELIVERY": "OUT_FOR_DELIVERY",
    "SHIPMENT_DELIVERED": "DELIVERED", "SHIPMENT_DELIVERY_FAILED": "DELIVERY_FAILED",
}
# What leaves the revenue.
UNSOLD = ("CANCELLED", "REJECTED")
SYMBOLS = {"KRW": ("₩", 0), "JPY": ("¥", 0), "USD": ("$", 2), "EUR": ("€", 2)}


class Log:
    """The versions of one order in one topic."""

    def __init__(self):
        self.last = 0
        self.missing = set()
        self.unversioned = 0
        self.late = 0

    def takes(self, version):
        """Whether an event with this version is new; remembers it. Events without one are applied as they come."""
        if version is None:
            self.unversioned += 1
        elif version > self.last:
            self.missing.update(range(self.last + 1, version))
            self.last = version
        elif version in self.missing:
            self.missing.remove(version)
            self.late += 1
        else:
            return False
        return True

    def version(self):
        """The last version, or how many events there were when none had one."""
        return self.last or self.unversioned

    def tag(self):
        """The version, and behind a dot how many events changed the order without moving it: a tag never stands for two states."""
        unmoved = self.late + (self.unversioned if self.last else 0)
        return f"{self.version()}.{unmoved}" if unmoved else str(self.version())


class Order:
    def __init__(self):
        self.logs = {topic: Log() for topic in TOPICS}
        self.view = {
            "orderId": None, "userId": None, "status": None, "paymentStatus": "PENDING", "shippingStatus": "NOT_SHIPPED",
            "items": [], "itemCount": 0, "totalAmount": None, "paidAmount": Decimal(0), "refundedAmount": Decimal(0), "currency": None,
            "formattedTotal": None, "shippingAddress": None, "estimatedDelivery": None, "createdAt": None, "updatedAt": None,
            "approvedAt": None, "shippedAt": None, "deliveredAt": None, "paidAt": None, "paymentMethod": None, "carrier": None,
            "trackingNumber": None, "statusHistory": [], "version": 0,
        }
        self.created = False
        self.created_at = None
        self.updated_at = None
        # What shipments say of carrier and tracking number; the order's own event goes before it.
        self.shipment = {}

    def apply(self, topic, event, at):
        version = event.get("version")
        if not self.logs[topic].takes(version):
            return False
        self.updated_at = at if self.updated_at is None else max(self.updated_at, at)
        kind, data = event["type"], event.get("data") or {}
        fold = {"order-events": self.order, "payment-events": self.payment, "shipping-events": self.shipping}[topic]
        fold(kind, data, at, version)
        return True

    def order(self, kind, data, at, version):
        view = self.view
        if kind == "ORDER_CREATED":
            self.created = True
            self.created_at = at
            view["userId"] = data["userId"]
            view["items"] = [
                {"productId": i["productId"], "name": i["name"], "price": Decimal(i["price"]), "quantity": i["quantity"]}
                for i in data["items"]
            ]
            view["itemCount"] = len(view["items"])
            view["totalAmount"] = Decimal(data["totalAmount"])
            view["currency"] = data["currency"]
            view["formattedTotal"] = formatted(view["totalAmount"], view["currency"])
            view["shippingAddress"] = data["shippingAddress"]
            view["estimatedDelivery"] = written(parsed(data["estimatedDelivery"]))
            view["createdAt"] = written(at)
        elif kind == "ORDER_ADDRESS_CHANGED":
            view["shippingAddress"] = data["shippingAddress"]
            return
        elif kind == "ORDER_APPROVED":
            view["approvedAt"] = written(at)
        elif kind == "ORDER_SHIPPED":
            view["shippedAt"] = written(parsed(data["shippedAt"]) if data.get("shippedAt") else at)
            view["carrier"] = data.get("carrier")
            view["trackingNumber"] = data.get("trackingNumber")
        elif kind == "ORDER_DELIVERED":
            view["deliveredAt"] = written(parsed(data["deliveredAt"]) if data.get("deliveredAt") else at)
        view["status"] = ORDER_STATUS[kind]
        view["statusHistory"].append({"status": view["status"], "at": written(at), "version": version})

    def payment(self, kind, data, at, _version):
        view = self.view
        if kind == "PAYMENT_COMPLETED":
            view["paymentStatus"] = "PAID"
            view["paidAmount"] += Decimal(data["amount"])
            view["paidAt"] = written(at)
            view["paymentMethod"] = data["method"]
        elif kind == "PAYMENT_FAILED":
            view["paymentStatus"] = "FAILED"
        elif kind == "PAYMENT_REFUNDED":
            view["refundedAmount"] += Decimal(data["amount"])
            whole = view["refundedAmount"] >= view["paidAmount"]
            view["paymentStatus"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
        else:
            raise KeyError(kind)

    def shipping(self, kind, data, _at, _version):
        self.view["shippingStatus"] = SHIPPING_STATUS[kind]
        for name in ("carrier", "trackingNumber"):
            if data.get(name) is not None:
                self.shipment[name] = data[name]

    def answer(self, order_id):
        if not self.created:
            return None
        view = dict(self.view, orderId=order_id, updatedAt=written(self.updated_at), version=self.logs["order-events"].version())
        for name in ("carrier", "trackingNumber"):
            if view[name] is None:
                view[name] = self.shipment.get(name)
        return view

    def etag(self):
        return '"' + "-".join(self.logs[topic].tag() for topic in TOPICS) + '"'


def parsed(text):
    # Before Python 3.11 the Z was not understood.
    return datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))


def written(moment):
    # Not strftime, which writes the year 1 as 1.
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def formatted(amount, currency):
    symbol, digits = SYMBOLS[currency]
    return f"{symbol}{amount:,.{digits}f}"


def to_json(value):
    """JSON with decimals as bare numbers, digit for digit."""
    text = json.dumps(value, ensure_ascii=False, default=lambda decimal: f"\x00{decimal:f}\x00")
    return re.sub(r'"\\u0000([^"\\]*)\\u0000"', r"\1", text)


def lists(orders):
    """The ids of each status, newest first; of one moment in the order of their ids."""
    by_status = {status: [] for status in ORDER_STATUS.values()}
    for order_id, order in sorted(orders.items()):
        if order.created:
            by_status[order.view["status"]].append((order_id, order.created_at))
    # Sorting keeps the order of equals, also when it is turned round.
    return {status: [id for id, _ in sorted(ids, key=lambda entry: millis(entry[1]), reverse=True)] for status, ids in by_status.items()}


def dashboard(orders):
    """Counts and revenue of all orders; a payment or parcel without an order counts nowhere."""
    by_status = dict.fromkeys(ORDER_STATUS.values(), 0)
    revenue = defaultdict(lambda: {"gross": Decimal(0), "paid": Decimal(0), "refunded": Decimal(0), "net": Decimal(0)})
    for order in orders.values():
        if order.created:
            view = order.view
            by_status[view["status"]] += 1
            sums = revenue[view["currency"]]
            if view["status"] not in UNSOLD:
                sums["gross"] += view["totalAmount"]
            sums["paid"] += view["paidAmount"]
            sums["refunded"] += view["refundedAmount"]
            sums["net"] = sums["paid"] - sums["refunded"]
    return {"total": sum(by_status.values()), "byStatus": by_status, "revenue": revenue}


def millis(moment):
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


class Reader:
    """Applies the log step by step."""

    def __init__(self, log):
        self.log = log
        self.next = dict.fromkeys(log, 0)
        self.orders = {}
        self.counts = Counter()

    def apply_below(self, position):
        """Applies each partition's records up to an offset, by (topic, partition); without a position all of them."""
        for place, messages in self.log.items():
            while self.next[place] < len(messages):
                message = messages[self.next[place]]
                if position is not None and message.offset() >= position.get(place, 0):
                    break
                self.apply(place[0], message)
                self.next[place] += 1

    def apply(self, topic, message):
        event = json.loads(message.value(), parse_float=Decimal)
        time_ms = message.timestamp()[1]
        at = parsed(event["timestamp"]) if event.get("timestamp") else datetime.fromtimestamp(time_ms / 1000, timezone.utc)
        applied = self.orders.setdefault(message.key().decode(), Order()).apply(topic, event, at)
        self.counts["events" if applied else "duplicates"] += 1


def parsed_position(text, prefix):
    """A View-Position: topic:partition=next,…"""
    position = {}
    for part in filter(None, text.strip().split(",")):
        place, offset = part.rsplit("=", 1)
        topic, partition = place.rsplit(":", 1)
        position[topic.removeprefix(prefix), int(partition)] = int(offset)
    return position


def read_log(bootstrap, prefix, topics):
    """Every record of the topics up to their ends of this moment: {(topic without prefix, partition): [message, …]}."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "fold",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })
    log = {}
    try:
        known = consumer.list_topics(timeout=30).topics
        absent = [prefix + topic for topic in topics if prefix + topic not in known]
        if absent:
            sys.exit(f"no such topics: {', '.join(absent)}")
        open_partitions = {(prefix + topic, number) for topic in topics for number in known[prefix + topic].partitions}
        log = {(topic.removeprefix(prefix), number): [] for topic, number in sorted(open_partitions)}
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in sorted(open_partitions)])
        deadline = time.monotonic() + 60
        while open_partitions:
            # It waits until it has as many as it is asked for, so the last ones come when its time is over.
            messages = consumer.consume(10_000, timeout=0.5)
            if messages:
                deadline = time.monotonic() + 60
            elif time.monotonic() > deadline:
                sys.exit(f"nothing more came within a minute of {sorted(open_partitions)}")
            for message in messages:
                error = message.error()
                if error is None:
                    log[message.topic().removeprefix(prefix), message.partition()].append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard((message.topic(), message.partition()))
                else:
                    sys.exit(f"reading {message.topic()}: {error}")
    finally:
        consumer.close()
    return log


def without_poison(log, manifest):
    """The log without the records that their producer wrote as poison."""
    with open(manifest, encoding="utf-8") as lines:
        poison = {(entry["topic"], entry["partition"], entry["offset"]) for entry in map(json.loads, lines)}
    return {place: [message for message in messages if (*place, message.offset()) not in poison] for place, messages in log.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="host:port of Kafka")
    parser.add_argument("--prefix", default="", help="before every topic")
    parser.add_argument("--out", required=True, help="the file for the orders")
    parser.add_argument("--views", required=True, help="the file for lists and dashboard")
    parser.add_argument("--poison", metavar="MANIFEST", help="the records that must change nothing, as produce.py noted them")
    parser.add_argument("--positions", help="a file of View-Positions, a line each, none behind the one before")
    parser.add_argument("--dashboards", help="the file for the dashboards at these positions, a line each")
    args = parser.parse_args()

    log = read_log(args.bootstrap, args.prefix, TOPICS)
    if args.poison:
        log = without_poison(log, args.poison)
    reader = Reader(log)
    if args.positions:
        with open(args.positions, encoding="utf-8") as positions, open(args.dashboards, "w", encoding="utf-8") as out:
            for line in positions:
                reader.apply_below(parsed_position(line, args.prefix))
                out.write(to_json(dashboard(reader.orders)) + "\n")
    reader.apply_below(None)

    counts = reader.counts
    with open(args.out, "w", encoding="utf-8") as out:
        for order_id, order in sorted(reader.orders.items()):
            answer = order.answer(order_id)
            counts["orders" if answer else "shells"] += 1
            out.write(to_json({"orderId": order_id, "etag": order.etag(), "order": answer}) + "\n")
    with open(args.views, "w", encoding="utf-8") as out:
        out.write(to_json({"lists": lists(reader.orders), "dashboard": dashboard(reader.orders)}))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
