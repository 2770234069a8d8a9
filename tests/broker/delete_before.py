"""Deletes the records of one partition before an offset, as retention does."""

import argparse

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", help="ignored: the topic is a full name")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partition", type=int, required=True)
    parser.add_argument("--offset", type=int, required=True)
    args = parser.parse_args()
    admin = AdminClient({"bootstrap.servers": args.bootstrap})
    for future in admin.delete_records([TopicPartition(args.topic, args.partition, args.offset)]).values():
        future.result(timeout=20)


if __name__ == "__main__":
    main()
