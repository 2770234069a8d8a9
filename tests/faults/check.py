#!/usr/bin/env python3
"""Compares what the fault topologies made with what their input demands, and says each difference.

Shares no code with Viewmill. Reads the input, computes the running functions and ids from it, then compares

- the outputs, as readers of committed data see them: none lost, none double, in order (running functions); each key of a partition has
  one id, and a partition's ids are 0, 1, 2, … in the order in which the keys came (unique ids);
- the changelogs, folded: the last value of each key;
- the stores, dumped over HTTP from the instances;
- the last stable offset of every topic with its end: a transaction that was left open holds it back.

With --so-far the processing may be under way: outputs must be what the beginning of the input demands, and the rest is not looked at.
Prints one JSON object: {"violations": [text, …], "records": …, "outputs": …, "open_s": …}.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

OUTPUTS = ("minima", "sums", "counts")
STORES = OUTPUTS + ("ids", "next")
SHOWN = 8


class Violations:
    def __init__(self):
        self.found = []

    def add(self, text):
        self.found.append(text)

    def compare(self, what, expected, found):
        """Two dictionaries, key by key."""
        if expected == found:
            return
        differing = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
        for key in sorted(differing, key=str)[:SHOWN]:
            self.add(f"{what}: {key}: expected {short(expected.get(key))}, found {short(found.get(key))}")
        if len(differing) > SHOWN:
            self.add(f"{what}: {len(differing)} keys differ")


def short(value):
    text = str(value)
    return text if len(text) < 200 else f"{text[:120]} … {text[-60:]}"


class Topics:
    """Reads topics from their beginnings, and goes on from where it was."""

    def __init__(self, bootstrap, names):
        def consumer(isolation):
            return Consumer({
                "bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False, "auto.offset.reset": "error",
                "isolation.level": isolation, "enable.partition.eof": True,
            })

        # Who fetches gets other answers late: a broker answers the requests of a connection in turn.
        self.committed, self.stable, self.all = consumer("read_committed"), consumer("read_committed"), consumer("read_uncommitted")
        known = self.committed.list_topics(timeout=30).topics
        absent = [name for name in names if name not in known]
        if absent:
            sys.exit(f"no such topics: {', '.join(absent)}")
        self.partitions = [(name, number) for name in names for number in known[name].partitions]
        self.records, self.ends = defaultdict(list), {}
        self.committed.assign([TopicPartition(name, number, 0) for name, number in self.partitions])

    def read(self, enough, patience):
        """Reads until `enough` says so; false when nothing came for so many seconds."""
        deadline = time.monotonic() + patience
        while not enough():
            for message in self.committed.consume(10_000, timeout=0.3):
                place = (message.topic(), message.partition())
                if message.error() is None:
                    self.records[place].append((message.offset(), message.key(), message.value()))
                    deadline = time.monotonic() + patience
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self.ends[place] = message.offset()
                elif not message.error().retriable():
                    sys.exit(f"reading {message.topic()}: {message.error()}")
            if time.monotonic() > deadline:
                return False
        return True

    def read_to_end(self):
        """Reads all that is stable now."""
        ends = {place: self.bounds(self.stable, place)[1] for place in self.partitions}
        if not self.read(lambda: all(self.ends.get(place, 0) >= end for place, end in ends.items()), 30):
            sys.exit(f"the ends were not reached within 30 s: {ends}, but {self.ends}")

    @staticmethod
    def bounds(consumer, place):
        # A broker that has just come back does not lead its partitions yet.
        coming_back = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError._TRANSPORT)
        deadline = time.monotonic() + 60
        while True:
            try:
                return consumer.get_watermark_offsets(TopicPartition(*place), timeout=20)
            except KafkaException as error:
                if error.args[0].code() not in coming_back or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def open_partitions(self):
        """Where the last stable offset is not the end."""
        found = []
        for place in self.partitions:
            # The stable one first: the end can only have grown since.
            stable, end = self.bounds(self.stable, place)[1], self.bounds(self.all, place)[1]
            if stable != end:
                found.append(f"{place[0]}-{place[1]}: stable {stable}, end {end}")
        return found

    def wait_until_closed(self, seconds, violations):
        """Answers how long it took."""
        began = time.monotonic()
        while (still_open := self.open_partitions()) and time.monotonic() < began + seconds:
            time.sleep(0.5)
        for place in still_open[:SHOWN]:
            violations.add(f"left open: {place}")
        return round(time.monotonic() - began, 1)

    def of(self, name):
        return {number: self.records[topic, number] for topic, number in self.partitions if topic == name}

    def close(self):
        for consumer in (self.committed, self.stable, self.all):
            consumer.close()


def expectation(topics, prefix):
    """What the input demands: running functions by topic and key; ids by key, and by partition in order."""
    functions = {name: defaultdict(list) for name in OUTPUTS}
    for records in topics.of(prefix + "numbers").values():
        for _, key, value in records:
            key, value = key.decode(), int(value)
            minima, sums, counts = (functions[name][key] for name in OUTPUTS)
            minima.append(min(minima[-1], value) if minima else value)
            sums.append((sums[-1] if sums else 0) + value)
            counts.append(len(counts) + 1)
    ids, by_partition = {}, {}
    for partition, records in topics.of(prefix + "visits").items():
        given = by_partition.setdefault(partition, [])
        for _, key, _ in records:
            key = key.decode()
            if key not in ids:
                ids[key] = len(given)
                given.append(key)
    return functions, ids, by_partition


def outputs_of(topics, name):
    """The values of each key in their order."""
    found = defaultdict(list)
    for records in topics.of(name).values():
        for _, key, value in records:
            found[key.decode()].append(int(value))
    return found


def check_outputs(topics, prefix, expected, violations, so_far):
    functions, ids, by_partition = expected
    for name in OUTPUTS:
        found = outputs_of(topics, prefix + name)
        demanded = functions[name]
        if so_far:
            demanded = {key: demanded.get(key, [])[:len(values)] for key, values in found.items()}
        violations.compare(f"output {name}", demanded, found)
    found = outputs_of(topics, prefix + "ids")
    for key, values in found.items():
        if len(values) > 1:
            violations.add(f"ids: key {key} was given {short(values)}")
    for partition, keys in by_partition.items():
        given = [value for key in keys for value in found.get(key, [])]
        if len(set(given)) != len(given):
            violations.add(f"ids: partition {partition} gave {len(given) - len(set(given))} ids twice")
        if sorted(set(given)) != list(range(len(set(given)))):
            violations.add(f"ids: partition {partition} left ids out")
    demanded = {key: [ids.get(key)] for key in found} if so_far else {key: [id] for key, id in ids.items()}
    violations.compare("output ids", demanded, found)


def rows_demanded(expected):
    functions, ids, by_partition = expected
    rows = {name: {key: values[-1] for key, values in functions[name].items()} for name in OUTPUTS}
    # Numbers came, so the changes between two sums are the values.
    rows["maxima"] = {key: max(now - before for before, now in zip([0] + sums, sums)) for key, sums in functions["sums"].items()}
    rows["ids"] = ids
    rows["next"] = {("id", partition): len(keys) for partition, keys in by_partition.items() if keys}
    return rows


def integer(row):
    """A row that is one signed integer: codec 1, schema version, then a zigzag number of variable length (bincode 2)."""
    if row[0] != 1:
        raise ValueError(f"row of codec {row[0]}")
    body = row[3:]
    size = {251: 2, 252: 4, 253: 8}.get(body[0])
    number = body[0] if size is None else int.from_bytes(body[1:1 + size], "little")
    return number >> 1 if number % 2 == 0 else -(number + 1 >> 1)


def check_changelogs(topics, app, stores, rows, violations):
    for name in stores:
        folded = {}
        for partition, records in topics.of(f"{app}-{name}-changelog").items():
            for _, key, value in records:
                key = key.rstrip(b"\0").decode()
                key = (key, partition) if name == "next" else key
                if value is None:
                    folded.pop(key, None)
                else:
                    folded[key] = integer(value)
        violations.compare(f"changelog {name}", rows[name], folded)


def get(url):
    """An answer as JSON; a store that is being handed over is asked again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                sys.exit(f"{url}: {error.code} {error.read().decode()}")
            time.sleep(0.2)


def check_stores(instances, stores, rows, violations):
    for name in stores:
        dumped = {}
        for instance in instances:
            cursor = ""
            while cursor is not None:
                page = get(f"{instance}/v1/stores/{name}/items?scope=local&limit=500" + (f"&cursor={cursor}" if cursor else ""))
                for row in page["items"]:
                    key = (row["key"], row["partition"]) if name == "next" else row["key"]
                    if key in dumped:
                        violations.add(f"store {name}: {key} is in two places")
                    dumped[key] = row["value"]
                cursor = page.get("nextCursor")
        violations.compare(f"store {name}", rows[name], dumped)


def check_open(args):
    """Every topic whose name begins with the prefix."""
    names = Consumer({"bootstrap.servers": args.bootstrap, "group.id": "check"}).list_topics(timeout=30).topics
    violations = Violations()
    topics = Topics(args.bootstrap, sorted(name for name in names if name.startswith(args.prefix)))
    return {"open_s": topics.wait_until_closed(args.open_within, violations), "violations": violations.found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="host:port of Kafka")
    parser.add_argument("--prefix", default="", help="before every topic")
    parser.add_argument("--application", required=True, help="the application id")
    parser.add_argument("--instances", default="", help="URLs of the running instances, with commas between; none: stores are not looked at")
    parser.add_argument("--so-far", action="store_true", help="processing is under way")
    parser.add_argument("--open-only", action="store_true", help="of any program: only whether a transaction was left open")
    parser.add_argument("--patience", type=float, default=90, help="seconds without progress after which what is missing counts as lost")
    parser.add_argument("--open-within", type=float, default=14, help="seconds after which nothing may be open any more")
    args = parser.parse_args()

    if args.open_only:
        print(json.dumps(check_open(args)))
        return
    prefix, app, violations = args.prefix, args.prefix + args.application, Violations()
    inputs = Topics(args.bootstrap, [prefix + name for name in ("numbers", "visits")])
    instances = [url for url in args.instances.split(",") if url]
    # A later version of the program has one more.
    has_maxima = any(store["name"] == "maxima" for url in instances[:1] for store in get(f"{url}/v1/stores")["stores"])
    stores = STORES + ("maxima",) * has_maxima
    changelogs = [f"{app}-{name}-changelog" for name in stores]
    outputs = Topics(args.bootstrap, [prefix + name for name in OUTPUTS + ("ids",)] + changelogs + [f"{app}-tasks"])
    names = [prefix + name for name in OUTPUTS + ("ids",)]
    if args.so_far:
        # What was made is read first: its input is older.
        outputs.read_to_end()
        inputs.read_to_end()
        expected = expectation(inputs, prefix)
        check_outputs(outputs, prefix, expected, violations, so_far=True)
        made = sum(len(records) for name in names for records in outputs.of(name).values())
        print(json.dumps({"violations": violations.found, "outputs": made}))
        return
    inputs.read_to_end()
    expected = expectation(inputs, prefix)
    functions, ids, _ = expected
    count = sum(len(values) for values in functions["sums"].values())
    demanded = 3 * count + len(ids)

    def made():
        return sum(len(outputs.records[name, number]) for topic, number in outputs.partitions for name in [topic] if topic in names)

    if not outputs.read(lambda: made() >= demanded, args.patience):
        violations.add(f"lost: {demanded - made()} of {demanded} outputs have not come")
    open_s = outputs.wait_until_closed(args.open_within, violations)
    outputs.read_to_end()
    check_outputs(outputs, prefix, expected, violations, so_far=False)
    rows = rows_demanded(expected)
    check_changelogs(outputs, app, stores, rows, violations)
    if instances:
        check_stores(instances, stores, rows, violations)
    inputs.close()
    outputs.close()
    print(json.dumps({"violations": violations.found, "records": count * 2, "outputs": made(), "open_s": open_s}))


if __name__ == "__main__":
    main()
