"""Topics: made, refused, deleted, grown, and their settings."""

from confluent_kafka import KafkaError, TopicCollection
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceType

from kit import PATIENCE_S, case, eventually, refused, send


def create(kit, name, partitions=1, replicas=1, validate_only=False, **configs):
    topic = NewTopic(name, partitions, replicas, config={key.replace("_", "."): value for key, value in configs.items()})
    return kit.admin.create_topics([topic], operation_timeout=PATIENCE_S, validate_only=validate_only)[name].result(PATIENCE_S)


def exists(kit, name):
    return name in kit.admin.list_topics(timeout=PATIENCE_S).topics


def delete(kit, name):
    return kit.admin.delete_topics([name], operation_timeout=PATIENCE_S)[name].result(PATIENCE_S)


def configs(kit, name):
    resource = ConfigResource(ResourceType.TOPIC, name)
    return kit.admin.describe_configs([resource])[resource].result(PATIENCE_S)


def alter(kit, topic, name, value, operation=AlterConfigOpType.SET):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=operation))
    return kit.admin.incremental_alter_configs([resource])[resource].result(PATIENCE_S)


def describe(kit, name):
    return kit.admin.describe_topics(TopicCollection([name]))[name].result(PATIENCE_S)


@case
def created_topic_is_listed_with_its_partitions(kit):
    name = kit.name("t")
    create(kit, name, 7)
    kit.appeared(name)
    partitions = kit.admin.list_topics(name, PATIENCE_S).topics[name].partitions
    assert sorted(partitions) == list(range(7)), partitions
    assert all(len(each.replicas) == 1 and each.isrs == each.replicas and each.leader == each.replicas[0] for each in partitions.values())


@case
def existing_topic_is_not_created_again(kit):
    name = kit.topic()
    refused(lambda: create(kit, name), KafkaError.TOPIC_ALREADY_EXISTS)


@case
def invalid_names_are_refused(kit):
    for name in ["a/b", ".", "..", "with space", "x" * 250, "ü"]:
        refused(lambda: create(kit, name), KafkaError.TOPIC_EXCEPTION)


@case
def longest_name_is_taken(kit):
    name = (kit.name("t") + "." + "x" * 249)[:249]
    create(kit, name)
    kit.appeared(name)
    send(kit.producer(), name, ["1"])
    assert kit.values(name) == ["1"]
    delete(kit, name)


@case
def impossible_counts_are_refused(kit):
    refused(lambda: create(kit, kit.name("t"), 0), KafkaError.INVALID_PARTITIONS)
    refused(lambda: create(kit, kit.name("t"), 1, 3), KafkaError.INVALID_REPLICATION_FACTOR)


@case
def invalid_settings_are_refused_at_creation(kit):
    name = kit.name("t")
    refused(lambda: create(kit, name, no_such_setting="1"), KafkaError.INVALID_CONFIG)
    refused(lambda: create(kit, name, retention_ms="soon"), KafkaError.INVALID_CONFIG)
    refused(lambda: create(kit, name, cleanup_policy="burn"), KafkaError.INVALID_CONFIG)
    assert not exists(kit, name)


@case
def validation_alone_creates_nothing(kit):
    name = kit.name("t")
    create(kit, name, 3, validate_only=True)
    assert not exists(kit, name)
    refused(lambda: create(kit, name, 0, validate_only=True), KafkaError.INVALID_PARTITIONS)


@case
def deleted_topic_is_gone(kit):
    name = kit.topic()
    send(kit.producer(), name, ["1"])
    delete(kit, name)
    eventually("the topic is gone", lambda: not exists(kit, name))
    refused(lambda: delete(kit, name), KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def recreated_topic_is_another_and_empty(kit):
    name = kit.topic()
    send(kit.producer(), name, ["1", "2"])
    before = describe(kit, name).topic_id
    delete(kit, name)
    eventually("the topic is gone", lambda: not exists(kit, name))
    create(kit, name)
    kit.appeared(name)
    assert str(describe(kit, name).topic_id) != str(before)
    assert kit.ends(name) == (0, 0)
    send(kit.producer(), name, ["3"])
    assert kit.values(name) == ["3"]


@case
def partitions_are_added_and_never_taken(kit):
    def grow(count):
        return kit.admin.create_partitions([NewPartitions(name, count)])[name].result(PATIENCE_S)

    name = kit.topic(2)
    send(kit.producer(), name, ["old"], 1)
    grow(5)
    eventually("5 partitions", lambda: len(kit.admin.list_topics(name, PATIENCE_S).topics[name].partitions) == 5)
    send(kit.producer(), name, ["new"], 4)
    assert sorted(kit.values(name)) == ["new", "old"]
    refused(lambda: grow(5), KafkaError.INVALID_PARTITIONS)
    refused(lambda: grow(3), KafkaError.INVALID_PARTITIONS)


@case
def partitions_of_an_unknown_topic_are_refused(kit):
    name = kit.name("t")
    refused(lambda: kit.admin.create_partitions([NewPartitions(name, 3)])[name].result(PATIENCE_S), KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def settings_are_described_with_their_source(kit):
    found = configs(kit, kit.topic(cleanup_policy="compact", max_message_bytes=5000))
    assert found["cleanup.policy"].value == "compact"
    assert found["cleanup.policy"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value, found["cleanup.policy"].source
    assert found["max.message.bytes"].value == "5000"
    for name, value in {
        "segment.bytes": "1073741824",
        "message.timestamp.type": "CreateTime",
        "compression.type": "producer",
        "delete.retention.ms": "86400000",
        "retention.bytes": "-1",
        "min.cleanable.dirty.ratio": "0.5",
    }.items():
        assert (found[name].value, found[name].is_default) == (value, True), (name, found[name].value, found[name].source)


@case
def settings_are_altered_one_by_one_and_reset(kit):
    def value(setting):
        return configs(kit, name)[setting].value

    name = kit.topic(retention_ms=1000000)
    alter(kit, name, "retention.ms", "2000000")
    alter(kit, name, "delete.retention.ms", "5")
    eventually("the new value", lambda: (value("retention.ms"), value("delete.retention.ms")) == ("2000000", "5"))
    alter(kit, name, "delete.retention.ms", None, AlterConfigOpType.DELETE)
    eventually("the default", lambda: (value("retention.ms"), value("delete.retention.ms")) == ("2000000", "86400000"))


@case
def lists_among_settings_are_appended_and_subtracted(kit):
    name = kit.topic(cleanup_policy="delete")
    alter(kit, name, "cleanup.policy", "compact", AlterConfigOpType.APPEND)
    eventually("both", lambda: configs(kit, name)["cleanup.policy"].value == "delete,compact")
    alter(kit, name, "cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
    eventually("compact alone", lambda: configs(kit, name)["cleanup.policy"].value == "compact")


@case
def invalid_alterations_are_refused(kit):
    name = kit.topic()
    refused(lambda: alter(kit, name, "no.such.setting", "1"), KafkaError.INVALID_CONFIG)
    refused(lambda: alter(kit, name, "retention.ms", "soon"), KafkaError.INVALID_CONFIG)
    refused(lambda: alter(kit, name, "max.message.bytes", "-5"), KafkaError.INVALID_CONFIG)
    refused(lambda: alter(kit, kit.name("none"), "retention.ms", "5"), KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def settings_of_an_unknown_topic_are_refused(kit):
    refused(lambda: configs(kit, kit.name("none")), KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def settings_of_the_broker_are_described(kit):
    node = kit.admin.describe_cluster().result(PATIENCE_S).nodes[0].id
    resource = ConfigResource(ResourceType.BROKER, str(node))
    found = kit.admin.describe_configs([resource])[resource].result(PATIENCE_S)
    assert "log.retention.ms" in found and "message.max.bytes" in found, sorted(found)[:20]


@case
def topic_is_described(kit):
    name = kit.topic(3)
    found = describe(kit, name)
    assert found.name == name and not found.is_internal and len(found.partitions) == 3
    assert all(each.leader.id == each.replicas[0].id == each.isr[0].id for each in found.partitions)
    refused(lambda: describe(kit, kit.name("none")), KafkaError.UNKNOWN_TOPIC_OR_PART)


@case
def cluster_is_described(kit):
    found = kit.admin.describe_cluster().result(PATIENCE_S)
    assert found.cluster_id and len(found.nodes) == 1 and found.controller.id == found.nodes[0].id
    assert f"{found.nodes[0].host}:{found.nodes[0].port}" == kit.bootstrap, found.nodes
    listed = kit.admin.list_topics(timeout=PATIENCE_S)
    assert listed.cluster_id == found.cluster_id and list(listed.brokers) == [found.nodes[0].id]
