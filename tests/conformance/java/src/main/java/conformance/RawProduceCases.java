package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Raw.idempotent;
import static conformance.Raw.initProducer;
import static conformance.Raw.plain;
import static conformance.Raw.produce;
import static conformance.Raw.produced;

import java.nio.ByteBuffer;
import java.util.List;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.MemoryRecords;

/** Produce requests that no client would send unless something went wrong. */
final class RawProduceCases {
    private RawProduceCases() {}

    static void register(Main.Cases cases) {
        cases.add("raw/produce/repeated_batch_is_acknowledged_and_stored_once", RawProduceCases::repeated);
        cases.add("raw/produce/repeated_batch_before_the_last_five_is_refused", RawProduceCases::tooOld);
        cases.add("raw/produce/gap_in_sequence_is_refused", RawProduceCases::gap);
        cases.add("raw/produce/older_epoch_is_refused", RawProduceCases::olderEpoch);
        cases.add("raw/produce/newer_epoch_begins_at_sequence_zero", RawProduceCases::newerEpoch);
        cases.add("raw/produce/unknown_producer_may_begin_anywhere", RawProduceCases::unknownProducer);
        cases.add("raw/produce/wrong_checksum_is_refused", RawProduceCases::corrupt);
        cases.add("raw/produce/truncated_batch_is_refused", RawProduceCases::truncated);
        cases.add("raw/produce/two_batches_for_one_partition_are_refused", RawProduceCases::twoBatches);
        cases.add("raw/produce/impossible_acks_are_refused", RawProduceCases::impossibleAcks);
        cases.add("raw/produce/unknown_topic_and_partition_are_refused", RawProduceCases::unknown);
        cases.add("raw/produce/every_version_is_answered", RawProduceCases::versions);
        cases.add("raw/produce/requests_in_flight_are_answered_in_order", RawProduceCases::inOrder);
        cases.add("raw/produce/without_acks_there_is_no_answer", RawProduceCases::noAnswer);
    }

    private static void repeated(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        for (int batch = 0; batch < 5; batch++) {
            PartitionProduceResponse first = produce(wire, topic, idempotent(producer, batch * 2, batch + "a", batch + "b"));
            produced(Errors.NONE, first);
            equal(batch * 2L, first.baseOffset());
        }
        for (int batch = 4; batch >= 0; batch--) {
            PartitionProduceResponse again = produce(wire, topic, idempotent(producer, batch * 2, batch + "a", batch + "b"));
            produced(Errors.NONE, again);
            equal(batch * 2L, again.baseOffset());
        }
        equal(10, kit.values(topic).size());
    }

    private static void tooOld(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        for (int batch = 0; batch < 6; batch++) produced(Errors.NONE, produce(wire, topic, idempotent(producer, batch, "" + batch)));
        produced(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(wire, topic, idempotent(producer, 0, "0")));
        equal(6, kit.values(topic).size());
    }

    private static void gap(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        produced(Errors.NONE, produce(wire, topic, idempotent(producer, 0, "0", "1")));
        produced(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(wire, topic, idempotent(producer, 3, "3")));
        produced(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(wire, topic, idempotent(producer, 1, "1")));
        produced(Errors.NONE, produce(wire, topic, idempotent(producer, 2, "2")));
        equal(List.of("0", "1", "2"), kit.values(topic));
    }

    private static void olderEpoch(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        produced(Errors.NONE, produce(wire, topic, idempotent(producer.producerId(), (short) 3, 0, "0")));
        produced(Errors.INVALID_PRODUCER_EPOCH, produce(wire, topic, idempotent(producer.producerId(), (short) 2, 1, "1")));
        equal(List.of("0"), kit.values(topic));
    }

    private static void newerEpoch(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        produced(Errors.NONE, produce(wire, topic, idempotent(producer.producerId(), (short) 0, 0, "0")));
        produced(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(wire, topic, idempotent(producer.producerId(), (short) 1, 1, "1")));
        produced(Errors.NONE, produce(wire, topic, idempotent(producer.producerId(), (short) 1, 0, "2")));
        equal(List.of("0", "2"), kit.values(topic));
    }

    private static void unknownProducer(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        // As after the deletion of all that it had written.
        produced(Errors.NONE, produce(wire, topic, idempotent(producer, 17, "17")));
        produced(Errors.NONE, produce(wire, topic, idempotent(producer, 18, "18")));
        equal(List.of("17", "18"), kit.values(topic));
    }

    private static void corrupt(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produced(Errors.CORRUPT_MESSAGE, produce(wire, topic, Raw.corrupted(plain("1"))));
        produced(Errors.NONE, produce(wire, topic, plain("2")));
        equal(List.of("2"), kit.values(topic));
    }

    private static void truncated(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        MemoryRecords whole = plain("some value", "and another");
        ByteBuffer part = whole.buffer().duplicate();
        part.limit(part.limit() - 5);
        PartitionProduceResponse found = null;
        try {
            found = produce(wire, topic, MemoryRecords.readableRecords(part.slice()));
        } catch (java.io.IOException closed) {
            // The connection may be closed instead.
        }
        check(found == null || found.errorCode() != 0, found);
        check(kit.values(topic).isEmpty(), kit.values(topic));
        produced(Errors.NONE, produce(new Wire(kit), topic, plain("1")));
    }

    private static void twoBatches(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        InitProducerIdResponseData producer = initProducer(wire, null);
        ByteBuffer one = idempotent(producer, 0, "1").buffer();
        ByteBuffer two = idempotent(producer, 1, "2").buffer();
        ByteBuffer both = ByteBuffer.allocate(one.remaining() + two.remaining()).put(one).put(two).flip();
        PartitionProduceResponse found = null;
        try {
            found = produce(wire, topic, MemoryRecords.readableRecords(both));
        } catch (java.io.IOException closed) {
            // The connection may be closed instead.
        }
        check(found == null || found.errorCode() != 0, found);
        check(kit.values(topic).isEmpty(), kit.values(topic));
    }

    private static void impossibleAcks(Kit kit) throws Exception {
        String topic = kit.topic(1);
        produced(Errors.INVALID_REQUIRED_ACKS, produce(new Wire(kit), topic, 0, 5, null, plain("1")));
        check(kit.values(topic).isEmpty(), kit.values(topic));
    }

    private static void unknown(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produced(Errors.UNKNOWN_TOPIC_OR_PARTITION, produce(wire, kit.name("none"), plain("1")));
        produced(Errors.UNKNOWN_TOPIC_OR_PARTITION, produce(wire, topic, 1, -1, null, plain("1")));
        produced(Errors.UNKNOWN_TOPIC_OR_PARTITION, produce(wire, topic, -1, -1, null, plain("1")));
    }

    private static void versions(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        int highest = wire.version(ApiKeys.PRODUCE, 12);
        for (int version = 3; version <= highest; version++) {
            int each = version;
            PartitionProduceResponse found = wire.ask(
                            ApiKeys.PRODUCE, each, Raw.produceRequest(topic, 0, -1, null, plain("" + each)), org.apache.kafka.common.message.ProduceResponseData::new)
                    .responses().iterator().next().partitionResponses().get(0);
            produced(Errors.NONE, found);
            equal(version - 3L, found.baseOffset());
        }
        equal(highest - 2, kit.values(topic).size());
    }

    private static void inOrder(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        int version = wire.version(ApiKeys.PRODUCE, 11);
        java.util.ArrayDeque<org.apache.kafka.common.requests.RequestHeader> sent = new java.util.ArrayDeque<>();
        for (int number = 0; number < 50; number++) {
            sent.add(wire.sendOnly(ApiKeys.PRODUCE, version, Raw.produceRequest(topic, 0, -1, null, plain("" + number))));
        }
        for (long offset = 0; !sent.isEmpty(); offset++) {
            PartitionProduceResponse found = wire.receive(sent.remove(), org.apache.kafka.common.message.ProduceResponseData::new)
                    .responses().iterator().next().partitionResponses().get(0);
            produced(Errors.NONE, found);
            equal(offset, found.baseOffset());
        }
    }

    private static void noAnswer(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        wire.sendOnly(ApiKeys.PRODUCE, wire.version(ApiKeys.PRODUCE, 11), Raw.produceRequest(topic, 0, 0, null, plain("1")));
        // The next answer on the connection is that of the next request.
        check(!Raw.topicId(wire, topic).equals(org.apache.kafka.common.Uuid.ZERO_UUID), "no id");
        Kit.eventually("it is stored", () -> kit.values(topic).equals(List.of("1")));
    }
}
