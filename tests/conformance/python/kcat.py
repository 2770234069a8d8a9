"""With the program kcat, which is built on librdkafka of another version."""

import json
import subprocess

from kit import case, send


def kcat(kit, *arguments, given=""):
    command = ["kcat", "-b", kit.bootstrap, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}"
    return done.stdout


@case
def produces_and_consumes(kit):
    topic = kit.topic()
    kcat(kit, "-P", "-t", topic, "-K", ":", "-H", "h=1", given="a:1\nb:2\nc:3\n")
    found = kcat(kit, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %k %s %h\\n")
    assert found == "0 a 1 h=1\n1 b 2 h=1\n2 c 3 h=1\n", found


@case
def produces_compressed(kit):
    topic = kit.topic()
    for codec in ["gzip", "snappy", "lz4", "zstd"]:
        kcat(kit, "-P", "-t", topic, "-z", codec, given="\n".join([codec * 50] * 100) + "\n")
    found = kcat(kit, "-C", "-t", topic, "-o", "beginning", "-e", "-q").split()
    assert found == [codec * 50 for codec in ["gzip", "snappy", "lz4", "zstd"] for _ in range(100)]


@case
def lists_the_cluster(kit):
    topic = kit.topic(4)
    listed = json.loads(kcat(kit, "-L", "-J"))
    assert [broker["name"] for broker in listed["brokers"]] == [kit.bootstrap], listed["brokers"]
    found = next(each for each in listed["topics"] if each["topic"] == topic)
    assert sorted(part["partition"] for part in found["partitions"]) == [0, 1, 2, 3]
    assert f'topic "{topic}" with 4 partitions' in kcat(kit, "-L", "-t", topic)


@case
def asks_for_offsets_by_time(kit):
    topic = kit.topic()
    producer = kit.producer()
    for stamp in [1000, 2000, 3000]:
        producer.produce(topic, b"v", partition=0, timestamp=stamp)
    producer.flush(10)
    assert kcat(kit, "-Q", "-t", f"{topic}:0:1500").strip() == f"{topic} [0] offset 1"


@case
def consumes_as_a_member_of_a_group(kit):
    topic, group = kit.topic(2), kit.name("g")
    for partition in range(2):
        send(kit.producer(), topic, ["1", "2", "3"], partition)
    arguments = ["-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=300", "-c", "6", "-q", "-f", "%p %o\\n", topic]
    found = kcat(kit, "-G", group, *arguments)
    assert sorted(found.split("\n")[:-1]) == ["0 0", "0 1", "0 2", "1 0", "1 1", "1 2"], found


@case
def consumes_from_the_tail(kit):
    topic = kit.topic()
    send(kit.producer(), topic, [str(number) for number in range(10)])
    assert kcat(kit, "-C", "-t", topic, "-p", "0", "-o", "-3", "-e", "-q").split() == ["7", "8", "9"]
    assert kcat(kit, "-C", "-t", topic, "-p", "0", "-o", "4", "-c", "2", "-q").split() == ["4", "5"]


@case
def writes_in_a_transaction(kit):
    topic = kit.topic()
    kcat(kit, "-P", "-t", topic, "-X", f"transactional.id={kit.name('tx')}", given="1\n2\n")
    kit.settle(topic)
    assert kcat(kit, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed").split() == ["1", "2"]
