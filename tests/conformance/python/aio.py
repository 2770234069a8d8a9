"""With aiokafka, which shares no code with librdkafka."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from kit import case


async def read(kit, topic, count, **configs):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kit.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **configs)
    await consumer.start()
    try:
        return [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
    finally:
        await consumer.stop()


def run(coroutine):
    asyncio.run(asyncio.wait_for(coroutine, 60))


@case
def aiokafka_writes_and_reads(kit):
    async def body():
        topic = kit.topic()
        producer = AIOKafkaProducer(bootstrap_servers=kit.bootstrap, compression_type="gzip", enable_idempotence=True)
        await producer.start()
        for number in range(200):
            await producer.send(topic, str(number).encode(), b"k", headers=[("h", b"1")], partition=0)
        await producer.stop()
        records = await read(kit, topic, 200)
        assert [int(record.value) for record in records] == list(range(200))
        assert records[0].headers == (("h", b"1"),) and records[0].key == b"k"

    run(body())


@case
def aiokafka_commits_and_aborts(kit):
    async def body():
        topic, group = kit.topic(), kit.name("g")
        producer = AIOKafkaProducer(bootstrap_servers=kit.bootstrap, transactional_id=kit.name("tx"))
        await producer.start()
        for number in range(4):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, str(number).encode(), partition=0)
            await producer.send_offsets_to_transaction({TopicPartition(topic, 0): OffsetAndMetadata(number, "m")}, group)
            await (producer.commit_transaction() if number % 2 == 0 else producer.abort_transaction())
        await producer.stop()
        records = await read(kit, topic, 2, isolation_level="read_committed")
        assert [record.value for record in records] == [b"0", b"2"]
        records = await read(kit, topic, 4)
        assert [record.value for record in records] == [b"0", b"1", b"2", b"3"]
        consumer = AIOKafkaConsumer(bootstrap_servers=kit.bootstrap, group_id=group)
        await consumer.start()
        assert await consumer.committed(TopicPartition(topic, 0)) == 2
        await consumer.stop()

    run(body())


@case
def aiokafka_producer_is_fenced(kit):
    async def body():
        topic, id = kit.topic(), kit.name("tx")
        old = AIOKafkaProducer(bootstrap_servers=kit.bootstrap, transactional_id=id)
        await old.start()
        await old.begin_transaction()
        await old.send_and_wait(topic, b"old", partition=0)
        new = AIOKafkaProducer(bootstrap_servers=kit.bootstrap, transactional_id=id)
        await new.start()
        try:
            await old.commit_transaction()
            raise AssertionError("not fenced")
        except ProducerFenced:
            pass
        async with new.transaction():
            await new.send_and_wait(topic, b"new", partition=0)
        await new.stop()
        await old.stop()
        assert [record.value for record in await read(kit, topic, 1, isolation_level="read_committed")] == [b"new"]

    run(body())


@case
def aiokafka_members_share_a_topic(kit):
    async def body():
        topic, group = kit.topic(4), kit.name("g")
        members = []
        for _ in range(2):
            members.append(
                AIOKafkaConsumer(topic, bootstrap_servers=kit.bootstrap, group_id=group, heartbeat_interval_ms=300, session_timeout_ms=6000)
            )
            await members[-1].start()
        deadline = asyncio.get_running_loop().time() + 30
        while [len(member.assignment()) for member in members] != [2, 2]:
            assert asyncio.get_running_loop().time() < deadline, [member.assignment() for member in members]
            await asyncio.gather(*(member.getmany(timeout_ms=100) for member in members))
        await members[1].stop()
        while len(members[0].assignment()) != 4:
            assert asyncio.get_running_loop().time() < deadline + 30
            await members[0].getmany(timeout_ms=100)
        await members[0].stop()

    run(body())
