"""Groups as administrators see them."""

from confluent_kafka import ConsumerGroupState, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient  # noqa: F401

from kit import PATIENCE_S, case, eventually, poll, refused, send
from offsets import commit, committed


def describe(kit, group):
    return kit.admin.describe_consumer_groups([group])[group].result(PATIENCE_S)


def delete(kit, group):
    return kit.admin.delete_consumer_groups([group])[group].result(PATIENCE_S)


def join(kit, group, topic, **configs):
    consumer = kit.consumer(group, **configs)
    consumer.subscribe([topic])
    eventually("assigned", lambda: consumer.poll(0.1) or consumer.assignment())
    return consumer


@case
def group_with_a_member_is_described(kit):
    topic, group = kit.topic(3), kit.name("g")
    join(kit, group, topic, client_id="me", partition_assignment_strategy="range")
    found = eventually("stable", lambda: describe(kit, group).state == ConsumerGroupState.STABLE and describe(kit, group))
    assert found.partition_assignor == "range" and not found.is_simple_consumer_group
    assert len(found.members) == 1
    member = found.members[0]
    assert member.client_id == "me" and member.member_id.startswith("me-") and member.group_instance_id is None
    assert member.host == "/127.0.0.1", member.host
    assert sorted(part.partition for part in member.assignment.topic_partitions) == [0, 1, 2]
    assert found.coordinator.id == kit.admin.describe_cluster().result(PATIENCE_S).nodes[0].id


@case
def group_without_members_is_empty_and_keeps_its_offsets(kit):
    topic, group = kit.topic(), kit.name("g")
    consumer = join(kit, group, topic)
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    kit.end(consumer)
    found = eventually("empty", lambda: describe(kit, group).state == ConsumerGroupState.EMPTY and describe(kit, group))
    assert found.members == []
    assert committed(kit, group, topic).offset == 5


@case
def groups_are_listed_with_their_states(kit):
    topic, full, empty = kit.topic(), kit.name("g"), kit.name("g")
    join(kit, full, topic)
    commit(kit, empty, topic, 1)

    def listed(**filters):
        return {each.group_id: each for each in kit.admin.list_consumer_groups(**filters).result(PATIENCE_S).valid}

    eventually("both", lambda: {full, empty} <= set(listed()))
    stable = eventually("stable", lambda: full in listed(states={ConsumerGroupState.STABLE}) and listed(states={ConsumerGroupState.STABLE}))
    assert stable[full].state == ConsumerGroupState.STABLE and empty not in stable
    idle = listed(states={ConsumerGroupState.EMPTY})
    assert empty in idle and full not in idle and idle[empty].is_simple_consumer_group


@case
def group_with_members_is_not_deleted(kit):
    topic, group = kit.topic(), kit.name("g")
    consumer = join(kit, group, topic)
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    refused(lambda: delete(kit, group), KafkaError.NON_EMPTY_GROUP)
    kit.end(consumer)
    eventually("deleted", lambda: delete(kit, group) is None)
    assert committed(kit, group, topic).offset < 0
    refused(lambda: delete(kit, group), KafkaError.GROUP_ID_NOT_FOUND)


@case
def unknown_group_is_dead(kit):
    try:
        assert describe(kit, kit.name("g")).state == ConsumerGroupState.DEAD
    except Exception as error:
        assert error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND, error


@case
def offsets_of_a_deleted_topic_are_gone(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, ["1"])
    commit(kit, group, topic, 1)
    kit.admin.delete_topics([topic], operation_timeout=PATIENCE_S)[topic].result(PATIENCE_S)
    eventually("no offset", lambda: committed(kit, group, topic).offset < 0)


@case
def group_of_a_plain_assignment_commits_without_members(kit):
    topic, group = kit.topic(), kit.name("g")
    send(kit.producer(), topic, ["1", "2"])
    consumer = kit.consumer(group)
    consumer.assign([TopicPartition(topic, 0, 0)])
    poll(consumer, 2)
    consumer.commit(asynchronous=False)
    assert committed(kit, group, topic).offset == 2
    assert describe(kit, group).members == []
