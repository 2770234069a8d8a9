"""Deletes all records of a compacted topic. Kafka refuses that as long as it is `compact` only: a person who does it changes the policy first.

Prints how many offsets that were.
"""

import argparse
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", help="ignored: the topic is a full name")
    parser.add_argument("--topic", required=True)
    args = parser.parse_args()
    consumer = Consumer({"bootstrap.servers": args.bootstrap, "group.id": "delete-records"})
    partitions = consumer.list_topics(args.topic, timeout=20).topics[args.topic].partitions
    ends = []
    for partition in partitions:
        _, end = consumer.get_watermark_offsets(TopicPartition(args.topic, partition), timeout=20)
        ends.append(TopicPartition(args.topic, partition, end))
    consumer.close()
    admin = AdminClient({"bootstrap.servers": args.bootstrap})

    def set_policy(policy: str) -> None:
        entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, args.topic, incremental_configs=[entry])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(timeout=20)

    set_policy("compact,delete")
    # The controller has answered; the broker that holds the partitions learns of the policy a little later.
    deadline = time.monotonic() + 20
    for end in ends:
        while True:
            try:
                for future in admin.delete_records([end]).values():
                    future.result(timeout=20)
                break
            except KafkaException as error:
                if error.args[0].code() != KafkaError.POLICY_VIOLATION or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
    set_policy("compact")
    print(sum(end.offset for end in ends))


if __name__ == "__main__":
    main()
