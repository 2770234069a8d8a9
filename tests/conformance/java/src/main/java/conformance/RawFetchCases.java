package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Raw.fetch;
import static conformance.Raw.plain;
import static conformance.Raw.produce;
import static conformance.Raw.recordsOf;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.ListOffsetsRequestData;
import org.apache.kafka.common.message.ListOffsetsResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.RecordBatch;

/** Fetch and ListOffsets, request by request. */
final class RawFetchCases {
    private static final int MUCH = 1 << 20;

    private RawFetchCases() {}

    static void register(Main.Cases cases) {
        cases.add("raw/fetch/every_version_gives_the_records", RawFetchCases::versions);
        cases.add("raw/fetch/empty_one_waits_as_long_as_asked", RawFetchCases::waits);
        cases.add("raw/fetch/waits_for_the_bytes_that_are_asked_for", RawFetchCases::minBytes);
        cases.add("raw/fetch/first_batch_is_given_whatever_the_bounds", RawFetchCases::bounds);
        cases.add("raw/fetch/out_of_range_is_answered_at_once", RawFetchCases::outOfRange);
        cases.add("raw/fetch/unknown_topic_and_id", RawFetchCases::unknown);
        cases.add("raw/fetch/aborted_transactions_are_named", RawFetchCases::aborted);
        cases.add("raw/fetch/stops_at_the_last_stable_offset", RawFetchCases::lastStable);
        cases.add("raw/fetch/other_leader_epochs_are_refused", RawFetchCases::leaderEpoch);
        cases.add("raw/offsets/every_version_lists_both_ends", RawFetchCases::listOffsets);
    }

    private static void versions(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produce(wire, topic, plain("1", "2"));
        Uuid id = Raw.topicId(wire, topic);
        for (int version = 4; version <= wire.version(ApiKeys.FETCH, 17); version++) {
            FetchRequestData request = Raw.fetchRequest(Map.of(topic, version > 12 ? id : Uuid.ZERO_UUID), 0, 1, 1000, 1, MUCH);
            FetchResponseData found = wire.ask(ApiKeys.FETCH, version, request, FetchResponseData::new);
            FetchResponseData.PartitionData data = found.responses().get(0).partitions().get(0);
            Wire.answered(Errors.NONE, data.errorCode());
            equal("2 2", data.highWatermark() + " " + data.lastStableOffset());
            int count = 0;
            for (var ignored : recordsOf(data).records()) count++;
            equal(2, count);
        }
    }

    private static void waits(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        fetch(wire, topic, 0, 0, 0, MUCH);
        long began = System.nanoTime();
        equal(0, recordsOf(fetch(wire, topic, 0, 0, 700, MUCH)).sizeInBytes());
        long tookMs = (System.nanoTime() - began) / 1_000_000;
        check(tookMs >= 650 && tookMs < 5000, tookMs + " ms");
    }

    private static void minBytes(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        Wire other = new Wire(kit);
        produce(other, topic, plain("first"));
        FetchRequestData request = Raw.fetchRequest(Map.of(topic, Uuid.ZERO_UUID), 0, 0, 15_000, 500, MUCH);
        long began = System.nanoTime();
        var header = wire.sendOnly(ApiKeys.FETCH, wire.version(ApiKeys.FETCH, 12), request);
        produce(other, topic, plain("x".repeat(1000)));
        FetchResponseData found = wire.receive(header, FetchResponseData::new);
        check(recordsOf(found.responses().get(0).partitions().get(0)).sizeInBytes() > 1000, found);
        check(System.nanoTime() - began < 10_000_000_000L, "waited to the end");
    }

    private static void bounds(Kit kit) throws Exception {
        String one = kit.topic(1);
        String two = kit.topic(1);
        Wire wire = new Wire(kit);
        for (String topic : List.of(one, two)) for (int batch = 0; batch < 3; batch++) produce(wire, topic, plain("x".repeat(5000)));
        Map<String, Uuid> topics = new LinkedHashMap<>();
        topics.put(one, Uuid.ZERO_UUID);
        topics.put(two, Uuid.ZERO_UUID);
        FetchRequestData request = Raw.fetchRequest(topics, 0, 0, 1000, 1, 100);
        FetchResponseData found = wire.ask(ApiKeys.FETCH, wire.version(ApiKeys.FETCH, 12), request, FetchResponseData::new);
        int[] sizes = found.responses().stream().mapToInt(each -> recordsOf(each.partitions().get(0)).sizeInBytes()).toArray();
        int batches = 0;
        for (var topic : found.responses()) for (var ignored : recordsOf(topic.partitions().get(0)).batches()) batches++;
        check(batches == 1, batches + " batches, sizes " + java.util.Arrays.toString(sizes));
        // From the midst of a batch the whole batch comes.
        produce(wire, one, plain("3", "4", "5"));
        equal(3L, recordsOf(fetch(wire, one, 4, 0, 1000, MUCH)).batches().iterator().next().baseOffset());
    }

    private static void outOfRange(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produce(wire, topic, plain("1"));
        long began = System.nanoTime();
        Wire.answered(Errors.OFFSET_OUT_OF_RANGE, fetch(wire, topic, 2, 0, 5000, MUCH).errorCode());
        Wire.answered(Errors.OFFSET_OUT_OF_RANGE, fetch(wire, topic, -3, 0, 5000, MUCH).errorCode());
        check(System.nanoTime() - began < 4_000_000_000L, "waited");
        Wire.answered(Errors.NONE, fetch(wire, topic, 1, 0, 10, MUCH).errorCode());
    }

    private static void unknown(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        Wire.answered(Errors.UNKNOWN_TOPIC_OR_PARTITION, fetch(wire, kit.name("none"), 0, 0, 100, MUCH).errorCode());
        int version = wire.version(ApiKeys.FETCH, 17);
        if (version > 12) {
            FetchRequestData request = Raw.fetchRequest(Map.of("", Uuid.randomUuid()), 0, 0, 100, 1, MUCH);
            FetchResponseData found = wire.ask(ApiKeys.FETCH, version, request, FetchResponseData::new);
            Wire.answered(Errors.UNKNOWN_TOPIC_ID, found.responses().get(0).partitions().get(0).errorCode());
        }
    }

    private static void aborted(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> one = kit.transactional(kit.name("tx"));
        KafkaProducer<String, String> two = kit.transactional(kit.name("tx"));
        one.beginTransaction();
        two.beginTransaction();
        Kit.send(one, topic, null, "0");
        Kit.send(two, topic, null, "1");
        Kit.send(one, topic, null, "2");
        one.abortTransaction();
        two.abortTransaction();
        kit.transact(one, true, topic, "5");
        kit.settle(topic);
        Wire wire = new Wire(kit);
        FetchResponseData.PartitionData data = fetch(wire, topic, 0, 1, 100, MUCH);
        equal(List.of(0L, 1L), data.abortedTransactions().stream().map(FetchResponseData.AbortedTransaction::firstOffset).sorted().toList());
        equal("7 7", data.highWatermark() + " " + data.lastStableOffset());
        int controls = 0;
        for (RecordBatch batch : recordsOf(data).batches()) if (batch.isControlBatch()) controls++;
        equal(3, controls);
        // Whoever begins in the midst of an aborted transaction must hear of it too, whoever comes later need not.
        check(fetch(wire, topic, 2, 1, 100, MUCH).abortedTransactions().size() == 2, "in the midst");
        check(fetch(wire, topic, 5, 1, 100, MUCH).abortedTransactions().isEmpty(), "after");
        List<?> uncommitted = fetch(wire, topic, 0, 0, 100, MUCH).abortedTransactions();
        check(uncommitted == null || uncommitted.isEmpty(), uncommitted);
    }

    private static void lastStable(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produce(wire, topic, plain("before"));
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        producer.beginTransaction();
        Kit.send(producer, topic, null, "open");
        produce(wire, topic, plain("after"));
        FetchResponseData.PartitionData committed = fetch(wire, topic, 0, 1, 100, MUCH);
        equal("3 1", committed.highWatermark() + " " + committed.lastStableOffset());
        int batches = 0;
        for (RecordBatch batch : recordsOf(committed).batches()) batches += batch.baseOffset() < 1 ? 1 : 100;
        equal(1, batches);
        equal(0, recordsOf(fetch(wire, topic, 1, 1, 100, MUCH)).sizeInBytes());
        producer.commitTransaction();
    }

    private static void leaderEpoch(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        FetchRequestData request = Raw.fetchRequest(Map.of(topic, Uuid.ZERO_UUID), 0, 0, 100, 1, MUCH);
        request.topics().get(0).partitions().get(0).setCurrentLeaderEpoch(1000);
        FetchResponseData found = wire.ask(ApiKeys.FETCH, wire.version(ApiKeys.FETCH, 12), request, FetchResponseData::new);
        Wire.answered(Errors.UNKNOWN_LEADER_EPOCH, found.responses().get(0).partitions().get(0).errorCode());
    }

    private static void listOffsets(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire wire = new Wire(kit);
        produce(wire, topic, plain("1", "2", "3"));
        for (int version = 1; version <= wire.version(ApiKeys.LIST_OFFSETS, 9); version++) {
            for (long[] expected : new long[][] {{-2, 0}, {-1, 3}}) {
                var part = new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(0).setTimestamp(expected[0]);
                ListOffsetsRequestData request = new ListOffsetsRequestData().setReplicaId(-1);
                request.setTopics(List.of(new ListOffsetsRequestData.ListOffsetsTopic().setName(topic).setPartitions(List.of(part))));
                ListOffsetsResponseData found = wire.ask(ApiKeys.LIST_OFFSETS, version, request, ListOffsetsResponseData::new);
                equal(expected[1], found.topics().get(0).partitions().get(0).offset());
            }
        }
    }
}
