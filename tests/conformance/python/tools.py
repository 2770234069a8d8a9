"""With the tools that come with Kafka, as its shell scripts start them."""

import json
import os
import subprocess
import tempfile

from confluent_kafka import TopicPartition

from kit import case, eventually, poll, send, write

QUICK = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]


def tool(kit, name, *arguments, given=None, address="--bootstrap-server"):
    jars = os.environ["KAFKA_JARS"]
    command = ["java", *QUICK, "-cp", f"{jars}/*", name, address, kit.bootstrap, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{name} {' '.join(arguments)} ended with {done.returncode}: {done.stdout.strip()} {done.stderr.strip()}"
    return done.stdout


def events(text):
    """The lines that a verifiable client writes."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@case
def kafka_topics_creates_describes_alters_and_deletes(kit):
    command, topic = "org.apache.kafka.tools.TopicCommand", kit.name("t")
    tool(kit, command, "--create", "--topic", topic, "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=7777")
    kit.appeared(topic)
    found = tool(kit, command, "--describe", "--topic", topic)
    assert "PartitionCount: 3" in found and "retention.ms=7777" in found and found.count("Leader:") == 3, found
    tool(kit, command, "--alter", "--topic", topic, "--partitions", "5")
    assert topic in tool(kit, command, "--list").split()
    eventually("five partitions", lambda: len(kit.admin.list_topics(topic, 10).topics[topic].partitions) == 5)
    tool(kit, command, "--delete", "--topic", topic)
    eventually("gone", lambda: topic not in kit.admin.list_topics(timeout=10).topics)


@case
def kafka_consumer_groups_describes_resets_and_deletes(kit):
    command, topic, group = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", kit.topic(2), kit.name("g")
    send(kit.producer(), topic, ["1", "2", "3"])
    consumer = kit.consumer(group, client_id="me", partition_assignment_strategy="range")
    consumer.subscribe([topic])
    poll(consumer, 3)
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    lines = [line.split() for line in tool(kit, command, "--describe", "--group", group).splitlines() if line.startswith(group)]
    by_partition = {line[2]: line for line in lines}
    # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID
    assert by_partition["0"][3:6] == ["2", "3", "1"] and by_partition["0"][7:] == ["/127.0.0.1", "me"], lines
    assert by_partition["1"][3:6] == ["-", "0", "-"], lines
    state = tool(kit, command, "--describe", "--group", group, "--state")
    assert "Stable" in state and "range" in state, state
    assert "me" in tool(kit, command, "--describe", "--group", group, "--members", "--verbose")
    kit.end(consumer)
    eventually("empty", lambda: "Empty" in tool(kit, command, "--describe", "--group", group, "--state"))
    tool(kit, command, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
    assert kit.consumer(group).committed([TopicPartition(topic, 0)], 10)[0].offset == 0
    assert group in tool(kit, command, "--list").split()
    tool(kit, command, "--delete", "--group", group)


@case
def kafka_verifiable_producer_and_consumer_agree(kit):
    topic, group = kit.topic(2), kit.name("g")
    sent = events(tool(kit, "org.apache.kafka.tools.VerifiableProducer", "--topic", topic, "--max-messages", "500", "--acks", "-1"))
    assert sum(event["name"] == "producer_send_success" for event in sent) == 500, sent[-1]
    arguments = ["--topic", topic, "--group-id", group, "--max-messages", "500", "--reset-policy", "earliest", "--verbose"]
    seen = events(tool(kit, "org.apache.kafka.tools.VerifiableConsumer", *arguments))
    values = sorted(int(event["value"]) for event in seen if event["name"] == "record_data")
    assert values == list(range(500)), len(values)
    commits = [event for event in seen if event["name"] == "offsets_committed"]
    assert commits and all(event["success"] for event in commits), commits


@case
def kafka_get_offsets_lists_the_ends(kit):
    topic = kit.topic(2)
    send(kit.producer(), topic, ["1", "2", "3"])
    assert tool(kit, "org.apache.kafka.tools.GetOffsetShell", "--topic", topic).split() == [f"{topic}:0:3", f"{topic}:1:0"]


@case
def kafka_transactions_lists_and_describes(kit):
    command, topic, id = "org.apache.kafka.tools.TransactionsCommand", kit.topic(), kit.name("tx")
    # Java starts three times while it is open.
    producer = kit.transactional(id, transaction_timeout_ms=300_000)
    producer.begin_transaction()
    write(producer, topic, ["1"])
    listed = [line.split() for line in tool(kit, command, "list").splitlines()]
    assert [line[3] for line in listed if line and line[0] == id] == ["Ongoing"], listed
    assert f"{topic}-0" in tool(kit, command, "describe", "--transactional-id", id)
    found = tool(kit, command, "describe-producers", "--topic", topic, "--partition", "0")
    assert len(found.strip().splitlines()) == 2, found
    producer.commit_transaction(10)


@case
def kafka_configs_alters_and_describes(kit):
    command, topic = "kafka.admin.ConfigCommand", kit.topic()
    tool(kit, command, "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "retention.ms=4444")
    eventually("altered", lambda: "retention.ms=4444" in tool(kit, command, "--describe", "--entity-type", "topics", "--entity-name", topic))


@case
def kafka_delete_records_deletes(kit):
    topic = kit.topic()
    send(kit.producer(), topic, ["1", "2", "3"])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"partitions": [{"topic": topic, "partition": 0, "offset": 2}], "version": 1}, file)
        file.flush()
        tool(kit, "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", file.name)
    assert kit.ends(topic) == (2, 3)


@case
def kafka_log_dirs_and_api_versions_are_told(kit):
    topic = kit.topic()
    found = tool(kit, "org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", topic)
    assert f"{topic}-0" in found, found
    assert "ApiVersions(18)" in tool(kit, "org.apache.kafka.tools.BrokerApiVersionsCommand")
