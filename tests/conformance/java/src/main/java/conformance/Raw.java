package conformance;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.AddOffsetsToTxnRequestData;
import org.apache.kafka.common.message.AddOffsetsToTxnResponseData;
import org.apache.kafka.common.message.AddPartitionsToTxnRequestData;
import org.apache.kafka.common.message.AddPartitionsToTxnResponseData;
import org.apache.kafka.common.message.EndTxnRequestData;
import org.apache.kafka.common.message.EndTxnResponseData;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;

/** Requests that several raw cases make. */
final class Raw {
    private Raw() {}

    static SimpleRecord[] records(String... values) {
        SimpleRecord[] records = new SimpleRecord[values.length];
        for (int index = 0; index < values.length; index++) records[index] = new SimpleRecord(System.currentTimeMillis(), null, values[index].getBytes());
        return records;
    }

    static MemoryRecords plain(String... values) {
        return MemoryRecords.withRecords(Compression.NONE, records(values));
    }

    static MemoryRecords idempotent(InitProducerIdResponseData producer, int sequence, String... values) {
        return idempotent(producer.producerId(), producer.producerEpoch(), sequence, values);
    }

    static MemoryRecords idempotent(long id, short epoch, int sequence, String... values) {
        return MemoryRecords.withIdempotentRecords(Compression.NONE, id, epoch, sequence, records(values));
    }

    static MemoryRecords transactional(InitProducerIdResponseData producer, int sequence, String... values) {
        return MemoryRecords.withTransactionalRecords(Compression.NONE, producer.producerId(), producer.producerEpoch(), sequence, records(values));
    }

    static ProduceRequestData produceRequest(String topic, int partition, int acks, String transactionalId, MemoryRecords records) {
        ProduceRequestData.TopicProduceDataCollection topics = new ProduceRequestData.TopicProduceDataCollection();
        ProduceRequestData.PartitionProduceData data = new ProduceRequestData.PartitionProduceData().setIndex(partition).setRecords(records);
        topics.add(new ProduceRequestData.TopicProduceData().setName(topic).setPartitionData(List.of(data)));
        return new ProduceRequestData().setAcks((short) acks).setTimeoutMs(10_000).setTransactionalId(transactionalId).setTopicData(topics);
    }

    /** Produces to partition 0, in a version before those that begin transactions implicitly and have errors of their own for what was not begun. */
    static PartitionProduceResponse produce(Wire wire, String topic, MemoryRecords records) throws Exception {
        return produce(wire, topic, 0, -1, null, records);
    }

    static PartitionProduceResponse produce(Wire wire, String topic, int partition, int acks, String transactionalId, MemoryRecords records)
            throws Exception {
        int version = wire.version(ApiKeys.PRODUCE, 10);
        ProduceResponseData found = wire.ask(ApiKeys.PRODUCE, version, produceRequest(topic, partition, acks, transactionalId, records), ProduceResponseData::new);
        return found.responses().iterator().next().partitionResponses().get(0);
    }

    static void produced(Errors expected, PartitionProduceResponse found) {
        Wire.answered(expected, found.errorCode());
    }

    static InitProducerIdResponseData initProducer(Wire wire, String transactionalId, long id, int epoch) throws Exception {
        InitProducerIdRequestData request = new InitProducerIdRequestData().setTransactionalId(transactionalId).setTransactionTimeoutMs(60_000);
        request.setProducerId(id).setProducerEpoch((short) epoch);
        InitProducerIdResponseData[] found = new InitProducerIdResponseData[1];
        // Real Kafka has to load or make its table of transactions first, or is still ending the last one.
        Kit.eventually("a producer id", () -> {
            found[0] = wire.ask(ApiKeys.INIT_PRODUCER_ID, wire.version(ApiKeys.INIT_PRODUCER_ID, 5), request, InitProducerIdResponseData::new);
            return !retriable(found[0].errorCode());
        });
        return found[0];
    }

    static InitProducerIdResponseData initProducer(Wire wire, String transactionalId) throws Exception {
        if (transactionalId != null) coordinator(wire, transactionalId, (byte) 1);
        InitProducerIdResponseData found = initProducer(wire, transactionalId, -1, -1);
        Wire.answered(Errors.NONE, found.errorCode());
        return found;
    }

    /** Waits until the broker coordinates the group (type 0) or transactional id (type 1). */
    static void coordinator(Wire wire, String key, byte type) throws Exception {
        Kit.eventually("a coordinator", () -> RawGroupCases.find(wire, wire.version(ApiKeys.FIND_COORDINATOR, 6), key, type) == Errors.NONE.code());
    }

    static boolean retriable(short code) {
        return switch (Errors.forCode(code)) {
            case COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS -> true;
            default -> false;
        };
    }

    /** Adds partition 0 of the topics; gives the error of the first. */
    static short addPartitions(Wire wire, String transactionalId, long id, short epoch, String... topics) throws Exception {
        AddPartitionsToTxnRequestData request = new AddPartitionsToTxnRequestData().setV3AndBelowTransactionalId(transactionalId);
        request.setV3AndBelowProducerId(id).setV3AndBelowProducerEpoch(epoch);
        AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection all = new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection();
        for (String topic : topics) all.add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName(topic).setPartitions(List.of(0)));
        request.setV3AndBelowTopics(all);
        short[] code = new short[1];
        Kit.eventually("partitions added", () -> {
            AddPartitionsToTxnResponseData found =
                    wire.ask(ApiKeys.ADD_PARTITIONS_TO_TXN, wire.version(ApiKeys.ADD_PARTITIONS_TO_TXN, 3), request, AddPartitionsToTxnResponseData::new);
            code[0] = found.resultsByTopicV3AndBelow().iterator().next().resultsByPartition().iterator().next().partitionErrorCode();
            return !retriable(code[0]);
        });
        return code[0];
    }

    static short addOffsets(Wire wire, String transactionalId, InitProducerIdResponseData producer, String group) throws Exception {
        AddOffsetsToTxnRequestData request = new AddOffsetsToTxnRequestData().setTransactionalId(transactionalId).setGroupId(group);
        request.setProducerId(producer.producerId()).setProducerEpoch(producer.producerEpoch());
        short[] code = new short[1];
        Kit.eventually("a group added", () -> {
            code[0] = wire.ask(ApiKeys.ADD_OFFSETS_TO_TXN, wire.version(ApiKeys.ADD_OFFSETS_TO_TXN, 3), request, AddOffsetsToTxnResponseData::new).errorCode();
            return !retriable(code[0]);
        });
        return code[0];
    }

    static short endTransaction(Wire wire, String transactionalId, long id, short epoch, boolean commit) throws Exception {
        EndTxnRequestData request = new EndTxnRequestData().setTransactionalId(transactionalId).setProducerId(id).setProducerEpoch(epoch);
        request.setCommitted(commit);
        short[] code = new short[1];
        Kit.eventually("an end", () -> {
            code[0] = wire.ask(ApiKeys.END_TXN, wire.version(ApiKeys.END_TXN, 4), request, EndTxnResponseData::new).errorCode();
            return !retriable(code[0]);
        });
        return code[0];
    }

    static FetchRequestData fetchRequest(Map<String, Uuid> topics, long offset, int isolation, int waitMs, int minBytes, int maxBytes) {
        FetchRequestData request = new FetchRequestData().setReplicaId(-1).setMaxWaitMs(waitMs).setMinBytes(minBytes).setMaxBytes(maxBytes);
        request.setIsolationLevel((byte) isolation).setSessionId(0).setSessionEpoch(-1);
        topics.forEach((name, id) -> {
            FetchRequestData.FetchPartition part = new FetchRequestData.FetchPartition().setPartition(0).setFetchOffset(offset);
            part.setPartitionMaxBytes(maxBytes).setLogStartOffset(-1).setCurrentLeaderEpoch(-1);
            request.topics().add(new FetchRequestData.FetchTopic().setTopic(name).setTopicId(id).setPartitions(List.of(part)));
        });
        return request;
    }

    /** Fetches partition 0 of a topic by its name. */
    static FetchResponseData.PartitionData fetch(Wire wire, String topic, long offset, int isolation, int waitMs, int maxBytes) throws Exception {
        FetchRequestData request = fetchRequest(Map.of(topic, Uuid.ZERO_UUID), offset, isolation, waitMs, 1, maxBytes);
        FetchResponseData found = wire.ask(ApiKeys.FETCH, wire.version(ApiKeys.FETCH, 12), request, FetchResponseData::new);
        Wire.answered(Errors.NONE, found.errorCode());
        return found.responses().get(0).partitions().get(0);
    }

    static MemoryRecords recordsOf(FetchResponseData.PartitionData data) {
        return data.records() == null ? MemoryRecords.EMPTY : (MemoryRecords) data.records();
    }

    static Uuid topicId(Wire wire, String topic) throws Exception {
        MetadataRequestData request = new MetadataRequestData().setAllowAutoTopicCreation(false);
        request.setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName(topic)));
        MetadataResponseData found = wire.ask(ApiKeys.METADATA, wire.version(ApiKeys.METADATA, 13), request, MetadataResponseData::new);
        return found.topics().iterator().next().topicId();
    }

    static MemoryRecords corrupted(MemoryRecords records) {
        ByteBuffer copy = ByteBuffer.allocate(records.sizeInBytes());
        copy.put(records.buffer().duplicate()).flip();
        copy.put(copy.limit() - 1, (byte) (copy.get(copy.limit() - 1) ^ 1));
        return MemoryRecords.readableRecords(copy);
    }
}
