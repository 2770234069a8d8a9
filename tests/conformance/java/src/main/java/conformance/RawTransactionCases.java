package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Raw.addOffsets;
import static conformance.Raw.addPartitions;
import static conformance.Raw.endTransaction;
import static conformance.Raw.initProducer;
import static conformance.Raw.produce;
import static conformance.Raw.produced;
import static conformance.Raw.transactional;
import static conformance.Wire.answered;

import java.util.List;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.OffsetFetchResponseData;
import org.apache.kafka.common.message.TxnOffsetCommitRequestData;
import org.apache.kafka.common.message.TxnOffsetCommitResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** The steps of a transaction, also in orders that no client takes. */
final class RawTransactionCases {
    private RawTransactionCases() {}

    static void register(Main.Cases cases) {
        cases.add("raw/transactions/producer_ids_differ_and_epochs_grow", RawTransactionCases::ids);
        cases.add("raw/transactions/epoch_is_bumped_for_its_owner_alone", RawTransactionCases::bump);
        cases.add("raw/transactions/records_outside_a_transaction_are_refused", RawTransactionCases::outside);
        cases.add("raw/transactions/repeated_end_is_answered_alike", RawTransactionCases::repeatedEnd);
        cases.add("raw/transactions/other_end_after_the_end_is_refused", RawTransactionCases::otherEnd);
        cases.add("raw/transactions/foreign_producer_ids_are_refused", RawTransactionCases::foreign);
        cases.add("raw/transactions/older_epoch_is_fenced_everywhere", RawTransactionCases::olderEpoch);
        cases.add("raw/transactions/unknown_partition_spoils_its_request", RawTransactionCases::unknownPartition);
        cases.add("raw/transactions/pending_offsets_are_unstable", RawTransactionCases::pending);
        cases.add("raw/transactions/offsets_of_older_generations_and_strangers_are_refused", RawTransactionCases::generations);
        cases.add("raw/transactions/sequences_go_on_over_transactions", RawTransactionCases::sequences);
    }

    private static void ids(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        InitProducerIdResponseData one = initProducer(wire, null);
        InitProducerIdResponseData two = initProducer(wire, null);
        check(one.producerId() != two.producerId() && one.producerEpoch() == 0 && two.producerEpoch() == 0, one + " " + two);
        String id = kit.name("tx");
        InitProducerIdResponseData first = initProducer(wire, id);
        InitProducerIdResponseData second = initProducer(wire, id);
        equal(first.producerId(), second.producerId());
        equal(first.producerEpoch() + 1, (int) second.producerEpoch());
        InitProducerIdResponseData empty = Raw.initProducer(wire, "", -1, -1);
        answered(Errors.INVALID_REQUEST, empty.errorCode());
    }

    private static void bump(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String id = kit.name("tx");
        InitProducerIdResponseData first = initProducer(wire, id);
        InitProducerIdResponseData second = Raw.initProducer(wire, id, first.producerId(), first.producerEpoch());
        answered(Errors.NONE, second.errorCode());
        equal(first.producerEpoch() + 1, (int) second.producerEpoch());
        // The answer may have been lost: the owner of the epoch before asks again and gets the same.
        InitProducerIdResponseData again = Raw.initProducer(wire, id, first.producerId(), first.producerEpoch());
        answered(Errors.NONE, again.errorCode());
        equal(second.producerEpoch(), again.producerEpoch());
        InitProducerIdResponseData third = initProducer(wire, id);
        check(third.producerEpoch() > second.producerEpoch(), third);
        answered(Errors.PRODUCER_FENCED, Raw.initProducer(wire, id, first.producerId(), first.producerEpoch()).errorCode());
        answered(Errors.PRODUCER_FENCED, Raw.initProducer(wire, id, first.producerId() + 12345, 0).errorCode());
    }

    private static void outside(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        produced(Errors.INVALID_TXN_STATE, produce(wire, topic, 0, -1, id, transactional(producer, 0, "never")));
        answered(Errors.NONE, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), topic));
        produced(Errors.NONE, produce(wire, topic, 0, -1, id, transactional(producer, 0, "1")));
        answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        kit.settle(topic);
        produced(Errors.INVALID_TXN_STATE, produce(wire, topic, 0, -1, id, transactional(producer, 1, "late")));
        equal(List.of("1"), kit.values(topic, "read_uncommitted"));
    }

    private static void repeatedEnd(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        for (boolean commit : new boolean[] {true, false}) {
            answered(Errors.NONE, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), topic));
            for (int time = 0; time < 3; time++) {
                answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), commit));
            }
        }
        kit.settle(topic);
        // One marker each.
        equal(2L, kit.ends(topic, org.apache.kafka.common.IsolationLevel.READ_UNCOMMITTED).get(0));
    }

    private static void otherEnd(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        answered(Errors.INVALID_TXN_STATE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        answered(Errors.NONE, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), topic));
        answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        answered(Errors.INVALID_TXN_STATE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), false));
    }

    private static void foreign(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        long other = producer.producerId() + 1_000_000;
        answered(Errors.INVALID_PRODUCER_ID_MAPPING, addPartitions(wire, id, other, (short) 0, topic));
        answered(Errors.INVALID_PRODUCER_ID_MAPPING, addPartitions(wire, kit.name("none"), producer.producerId(), (short) 0, topic));
        answered(Errors.INVALID_PRODUCER_ID_MAPPING, endTransaction(wire, id, other, (short) 0, true));
        answered(Errors.INVALID_PRODUCER_ID_MAPPING, endTransaction(wire, kit.name("none"), other, (short) 0, true));
    }

    private static void olderEpoch(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData old = initProducer(wire, id);
        answered(Errors.NONE, addPartitions(wire, id, old.producerId(), old.producerEpoch(), topic));
        produced(Errors.NONE, produce(wire, topic, 0, -1, id, transactional(old, 0, "old")));
        InitProducerIdResponseData fresh = initProducer(wire, id);
        equal(old.producerId(), fresh.producerId());
        kit.settle(topic);
        answered(Errors.PRODUCER_FENCED, addPartitions(wire, id, old.producerId(), old.producerEpoch(), topic));
        answered(Errors.PRODUCER_FENCED, addOffsets(wire, id, old, kit.name("g")));
        answered(Errors.PRODUCER_FENCED, endTransaction(wire, id, old.producerId(), old.producerEpoch(), true));
        produced(Errors.INVALID_PRODUCER_EPOCH, produce(wire, topic, 0, -1, id, transactional(old, 1, "zombie")));
        equal(List.of(), kit.values(topic));
    }

    private static void unknownPartition(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        answered(Errors.UNKNOWN_TOPIC_OR_PARTITION, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), kit.name("none")));
        // Nothing was begun.
        answered(Errors.INVALID_TXN_STATE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
    }

    private static TxnOffsetCommitRequestData offsets(String id, InitProducerIdResponseData producer, String group, String topic, long offset) {
        var part = new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(0).setCommittedOffset(offset);
        TxnOffsetCommitRequestData request = new TxnOffsetCommitRequestData().setTransactionalId(id).setGroupId(group);
        request.setProducerId(producer.producerId()).setProducerEpoch(producer.producerEpoch());
        request.setTopics(List.of(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic().setName(topic).setPartitions(List.of(part))));
        return request;
    }

    private static short commitOffsets(Wire wire, TxnOffsetCommitRequestData request) throws Exception {
        int version = wire.version(ApiKeys.TXN_OFFSET_COMMIT, 4);
        return wire.ask(ApiKeys.TXN_OFFSET_COMMIT, version, request, TxnOffsetCommitResponseData::new).topics().get(0).partitions().get(0).errorCode();
    }

    private static OffsetFetchResponseData.OffsetFetchResponsePartitions fetchOffset(Wire wire, String group, String topic, boolean stable) throws Exception {
        var one = new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(topic).setPartitionIndexes(List.of(0));
        OffsetFetchRequestData request = new OffsetFetchRequestData().setRequireStable(stable);
        request.setGroups(List.of(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group).setTopics(List.of(one))));
        return wire.ask(ApiKeys.OFFSET_FETCH, 8, request, OffsetFetchResponseData::new).groups().get(0).topics().get(0).partitions().get(0);
    }

    private static void pending(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String group = kit.name("g");
        String id = kit.name("tx");
        Raw.coordinator(wire, group, (byte) 0);
        answered(Errors.NONE, RawGroupCases.commit(wire, group, "", -1, topic, 5));
        InitProducerIdResponseData producer = initProducer(wire, id);
        answered(Errors.NONE, addOffsets(wire, id, producer, group));
        answered(Errors.NONE, commitOffsets(wire, offsets(id, producer, group, topic, 9)));
        answered(Errors.UNSTABLE_OFFSET_COMMIT, fetchOffset(wire, group, topic, true).errorCode());
        equal(5L, fetchOffset(wire, group, topic, false).committedOffset());
        answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        Kit.eventually("stable", () -> fetchOffset(wire, group, topic, true).errorCode() == 0);
        equal(9L, fetchOffset(wire, group, topic, true).committedOffset());
    }

    private static void generations(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String group = kit.name("g");
        String id = kit.name("tx");
        JoinGroupResponseData me = RawGroupCases.joined(wire, RawGroupCases.joinRequest(group, "", null, "range"));
        RawGroupCases.sync(wire, RawGroupCases.syncRequest(group, me, me.memberId()));
        InitProducerIdResponseData producer = initProducer(wire, id);
        answered(Errors.NONE, addOffsets(wire, id, producer, group));
        TxnOffsetCommitRequestData request = offsets(id, producer, group, topic, 1);
        answered(Errors.ILLEGAL_GENERATION, commitOffsets(wire, request.duplicate().setMemberId(me.memberId()).setGenerationId(0)));
        answered(Errors.UNKNOWN_MEMBER_ID, commitOffsets(wire, request.duplicate().setMemberId("nobody").setGenerationId(1)));
        answered(Errors.NONE, commitOffsets(wire, request.duplicate().setMemberId(me.memberId()).setGenerationId(1)));
        // Without a generation there is no such check.
        answered(Errors.NONE, commitOffsets(wire, request.duplicate()));
        answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        equal(1L, kit.committed(group, topic, 0).offset());
    }

    private static void sequences(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String id = kit.name("tx");
        InitProducerIdResponseData producer = initProducer(wire, id);
        for (int number = 0; number < 3; number++) {
            answered(Errors.NONE, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), topic));
            produced(Errors.NONE, produce(wire, topic, 0, -1, id, transactional(producer, number, "" + number)));
            answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), true));
        }
        answered(Errors.NONE, addPartitions(wire, id, producer.producerId(), producer.producerEpoch(), topic));
        produced(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(wire, topic, 0, -1, id, transactional(producer, 7, "gap")));
        answered(Errors.NONE, endTransaction(wire, id, producer.producerId(), producer.producerEpoch(), false));
        equal(List.of("0", "1", "2"), kit.values(topic));
    }
}
