#!/usr/bin/env python3
"""Writes the input of the fault topologies: random numbers under some keys, and visits of keys most of which are new.

Shares no code with Viewmill. The same seed gives the same records.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

sys.path.append(str(Path(__file__).parent.parent / "broker"))
import topics  # noqa: E402
from pace import Pace  # noqa: E402

TOPICS = ("numbers", "visits")


def create_topics(bootstrap, prefix, partitions):
    new = [NewTopic(prefix + name, num_partitions=partitions, replication_factor=1) for name in TOPICS]
    topics.create(bootstrap, new)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="host:port of Kafka")
    parser.add_argument("--prefix", default="", help="before every topic")
    parser.add_argument("--records", type=int, required=True, help="how many, in each topic")
    parser.add_argument("--seed", type=int, required=True, help="decides everything")
    parser.add_argument("--rate", type=int, help="records a second, until SIGTERM; without it as fast as Kafka takes them")
    parser.add_argument("--partitions", type=int, default=3, help="of each topic, where they are made here")
    args = parser.parse_args()
    create_topics(args.bootstrap, args.prefix, args.partitions)

    failures = []
    producer = Producer({
        "bootstrap.servers": args.bootstrap,
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 20,
        "queue.buffering.max.messages": 500_000,
        # A broker may be away for minutes.
        "message.timeout.ms": 300_000,
    })

    def delivered(error, _message):
        if error is not None:
            failures.append(error)

    def write(topic, key, value):
        while True:
            try:
                return producer.produce(args.prefix + topic, key=key.encode(), value=str(value).encode(), on_delivery=delivered)
            except BufferError:
                producer.poll(0.1)

    draw = random.Random(args.seed)
    keys = max(args.records // 100, 10)
    pace = Pace(args.rate)
    for count in range(1, args.records + 1):
        write("numbers", f"k{draw.randrange(keys)}", draw.randrange(-1_000_000, 1_000_000))
        write("visits", f"v{draw.randrange(args.records)}", count)
        if count % 50 == 0:
            producer.poll(0)
            pace.keep(2 * count)
    left = producer.flush(300)
    pace.end()
    if left or failures:
        sys.exit(f"{left} records not delivered, {len(failures)} refused: {failures[:3]}")
    print(json.dumps({"records": 2 * args.records, "seed": args.seed}))


if __name__ == "__main__":
    main()
