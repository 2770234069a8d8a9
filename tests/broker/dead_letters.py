#!/usr/bin/env python3
"""Compares the dead-letter topics as they stand in Kafka with the manifest of what produce.py wrote as poison.

Prints one JSON object: {"counts": {kind: dead letters}, "faults": [what is not as it must be]}. A dead letter must have key, value,
headers and time of its record unchanged, and behind them the headers that tell where, why and when. Shares no code with Viewmill.
"""

import argparse
import base64
import json
from collections import Counter

from fold import TOPICS, read_log

OWN = ("topic", "partition", "offset", "error", "detail", "time")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="host:port of Kafka")
    parser.add_argument("--prefix", default="", help="before every topic")
    parser.add_argument("--manifest", required=True, help="what was written as poison")
    parser.add_argument("--without", action="append", default=[], metavar="TOPIC", help="a topic whose poison goes nowhere; may repeat")
    args = parser.parse_args()

    with open(args.manifest, encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    awaited = {(entry["topic"], entry["partition"], entry["offset"]): entry for entry in entries if entry["topic"] not in args.without}
    counts, faults = Counter(), []
    log = read_log(args.bootstrap, args.prefix, [f"{topic}-dlq" for topic in TOPICS if topic not in args.without])
    for (topic, partition), letters in log.items():
        for letter in letters:
            at = f"{topic}:{partition}@{letter.offset()}"
            headers = letter.headers() or []
            own = {name.removeprefix("viewmill-dlq-"): value.decode() for name, value in headers[-len(OWN):] if value}
            if tuple(own) != OWN:
                faults.append(f"{at}: ends with the headers {headers[-len(OWN):]}")
                continue
            source = own["topic"].removeprefix(args.prefix), int(own["partition"]), int(own["offset"])
            entry = awaited.pop(source, None)
            if entry is None:
                faults.append(f"{at}: {source} is not poison, or came before: {own}")
                continue
            counts[entry["kind"]] += 1
            faults.extend(f"{at} ({entry['kind']}): {fault}" for fault in differences(entry, letter, headers[:-len(OWN)], own))
            if (topic, partition) != (f"{source[0]}-dlq", source[1]):
                faults.append(f"{at}: the letter of {source} lies there")
    faults.extend(f"no dead letter of {entry['kind']} at {place}" for place, entry in awaited.items())
    print(json.dumps({"counts": counts, "faults": faults}))


def differences(entry, letter, headers, own):
    """What of a dead letter is not as in its record."""
    def text(data):
        return None if data is None else base64.b64encode(data).decode()

    # A record too large to stand beside the headers is left where it is.
    value = None if entry["kind"] == "too-large" else entry["value"]
    for name, expected, found in [
        ("key", entry["key"], text(letter.key())),
        ("value", value, text(letter.value())),
        ("headers", entry["headers"], [[name, text(value)] for name, value in headers]),
        ("time", entry["time"], letter.timestamp()[1]),
        ("error", entry["word"], own["error"]),
    ]:
        if expected != found:
            yield f"{name}: expected {str(expected)[:200]}, found {str(found)[:200]}"
    if entry["fault"] not in own["detail"]:
        yield f"detail: expected {entry['fault']!r}, found {own['detail']!r}"
    if not own["time"].isdigit():
        yield f"time: {own['time']} is no number of milliseconds"


if __name__ == "__main__":
    main()
