#!/usr/bin/env python3
"""Prints the committed events of one order, one JSON object a line: topic, partition, offset, time of the record in ms, value as text.

Shares no code with Viewmill. Each partition in the order in which it stands.
"""

import argparse
import json

from fold import TOPICS, read_log


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--order", required=True)
    arguments = parser.parse_args()
    for (topic, partition), messages in read_log(arguments.bootstrap, arguments.prefix, TOPICS).items():
        for message in messages:
            if message.key() == arguments.order.encode():
                print(json.dumps({
                    "topic": arguments.prefix + topic, "partition": partition, "offset": message.offset(),
                    "time": message.timestamp()[1], "value": message.value().decode(),
                }))


if __name__ == "__main__":
    main()
