#!/usr/bin/env python3
"""Prints the committed events of the order, payment and shipping topics, one a line: topic, key, type, version, event id.

Shares no code with Viewmill. Each partition in the order in which it stands.
"""

import argparse
import json

from fold import TOPICS, read_log


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    arguments = parser.parse_args()
    for (topic, _), messages in read_log(arguments.bootstrap, arguments.prefix, TOPICS).items():
        for message in messages:
            event = json.loads(message.value())
            print(topic, message.key().decode(), event["type"], event.get("version"), event.get("eventId"))


if __name__ == "__main__":
    main()
