#!/usr/bin/env python3
"""Prints the committed events of the order, payment and shipping topics, one a line: topic, key, type, version, event id.

Shares no code with Viewmill. Each partition in the order in which it stands.
"""

import argparse
import json
import sys

from confluent_kafka import Consumer, KafkaError, TopicPartition

TOPICS = ("order-events", "payment-events", "shipping-events")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    arguments = parser.parse_args()
    consumer = Consumer({
        "bootstrap.servers": arguments.bootstrap, "group.id": "log", "enable.auto.commit": False,
        "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
    })
    for topic in TOPICS:
        known = consumer.list_topics(arguments.prefix + topic, timeout=30).topics[arguments.prefix + topic]
        for partition in sorted(known.partitions):
            consumer.assign([TopicPartition(arguments.prefix + topic, partition, 0)])
            while True:
                message = consumer.poll(30)
                if message is None:
                    sys.exit(f"nothing more of {topic} {partition} within 30 s")
                if message.error() is None:
                    event = json.loads(message.value())
                    print(topic, message.key().decode(), event["type"], event.get("version"), event.get("eventId"))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    break
                else:
                    sys.exit(str(message.error()))
    consumer.close()


if __name__ == "__main__":
    main()
