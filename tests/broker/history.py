#!/usr/bin/env python3
"""Prints the committed events of one order, one JSON object a line: topic, partition, offset, time of the record in ms, value as text.

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
    parser.add_argument("--order", required=True)
    arguments = parser.parse_args()
    consumer = Consumer({
        "bootstrap.servers": arguments.bootstrap, "group.id": "history", "enable.auto.commit": False,
        "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
    })
    for topic in (arguments.prefix + topic for topic in TOPICS):
        for partition in sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions):
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(30)
                if message is None:
                    sys.exit(f"nothing more of {topic} {partition} within 30 s")
                if message.error() is None:
                    if message.key() == arguments.order.encode():
                        print(json.dumps({
                            "topic": topic, "partition": partition, "offset": message.offset(), "time": message.timestamp()[1],
                            "value": message.value().decode(),
                        }))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    break
                else:
                    sys.exit(str(message.error()))
    consumer.close()


if __name__ == "__main__":
    main()
