package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Wire.answered;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** What the broker offers, and what becomes of a connection that asks for something else. */
final class RawVersionCases {
    private RawVersionCases() {}

    static void register(Main.Cases cases) {
        cases.add("raw/versions/what_clients_need_is_offered", RawVersionCases::offered);
        cases.add("raw/versions/unknown_version_of_the_question_is_answered", RawVersionCases::unknownVersion);
        cases.add("raw/versions/metadata_is_answered_in_every_version", RawVersionCases::metadata);
        cases.add("raw/versions/garbage_closes_its_connection_alone", RawVersionCases::garbage);
    }

    private static final List<ApiKeys> NEEDED = List.of(
            ApiKeys.PRODUCE, ApiKeys.FETCH, ApiKeys.LIST_OFFSETS, ApiKeys.METADATA, ApiKeys.OFFSET_COMMIT, ApiKeys.OFFSET_FETCH,
            ApiKeys.FIND_COORDINATOR, ApiKeys.JOIN_GROUP, ApiKeys.HEARTBEAT, ApiKeys.LEAVE_GROUP, ApiKeys.SYNC_GROUP, ApiKeys.DESCRIBE_GROUPS,
            ApiKeys.LIST_GROUPS, ApiKeys.API_VERSIONS, ApiKeys.CREATE_TOPICS, ApiKeys.DELETE_TOPICS, ApiKeys.DELETE_RECORDS,
            ApiKeys.INIT_PRODUCER_ID, ApiKeys.ADD_PARTITIONS_TO_TXN, ApiKeys.ADD_OFFSETS_TO_TXN, ApiKeys.END_TXN, ApiKeys.TXN_OFFSET_COMMIT,
            ApiKeys.DESCRIBE_CONFIGS, ApiKeys.INCREMENTAL_ALTER_CONFIGS, ApiKeys.CREATE_PARTITIONS, ApiKeys.DELETE_GROUPS, ApiKeys.OFFSET_DELETE,
            ApiKeys.DESCRIBE_CLUSTER, ApiKeys.DESCRIBE_PRODUCERS, ApiKeys.DESCRIBE_TRANSACTIONS, ApiKeys.LIST_TRANSACTIONS, ApiKeys.DESCRIBE_LOG_DIRS);

    private static ApiVersionsRequestData question() {
        return new ApiVersionsRequestData().setClientSoftwareName("conformance").setClientSoftwareVersion("1");
    }

    private static void offered(Kit kit) throws Exception {
        for (int version = 0; version <= 3; version++) {
            ApiVersionsResponseData found = new Wire(kit).ask(ApiKeys.API_VERSIONS, version, question(), ApiVersionsResponseData::new);
            answered(Errors.NONE, found.errorCode());
            Set<String> missing = new TreeSet<>();
            for (ApiKeys key : NEEDED) if (found.apiKeys().find(key.id) == null) missing.add(key.name());
            check(missing.isEmpty(), missing + " are not offered");
            found.apiKeys().forEach(each -> {
                if (!ApiKeys.hasId(each.apiKey())) throw new AssertionError("no such API: " + each);
                ApiKeys key = ApiKeys.forId(each.apiKey());
                check(each.minVersion() <= each.maxVersion() && each.maxVersion() <= key.messageType.highestSupportedVersion(true), each);
            });
        }
    }

    private static void unknownVersion(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        // Key 18 in version 99, with a header as of version 3.
        byte[] request = {0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0};
        wire.sendBytes(request);
        var header = new org.apache.kafka.common.requests.RequestHeader(ApiKeys.API_VERSIONS, (short) 0, "x", 7);
        ApiVersionsResponseData found = wire.receive(header, ApiVersionsResponseData::new);
        answered(Errors.UNSUPPORTED_VERSION, found.errorCode());
        check(found.apiKeys().find(ApiKeys.API_VERSIONS.id) != null, found);
        // The connection goes on with a version that both know.
        answered(Errors.NONE, wire.ask(ApiKeys.API_VERSIONS, 3, question(), ApiVersionsResponseData::new).errorCode());
    }

    private static void metadata(Kit kit) throws Exception {
        String topic = kit.topic(3);
        Wire wire = new Wire(kit);
        Uuid id = Raw.topicId(wire, topic);
        for (int version = 0; version <= wire.version(ApiKeys.METADATA, 13); version++) {
            MetadataRequestData request = new MetadataRequestData().setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName(topic)));
            if (version > 3) request.setAllowAutoTopicCreation(false);
            MetadataResponseData found = wire.ask(ApiKeys.METADATA, version, request, MetadataResponseData::new);
            equal(3, found.topics().find(topic).partitions().size());
            equal(1, found.brokers().size());
            if (version >= 10) equal(id, found.topics().iterator().next().topicId());
            if (version >= 1) check(found.controllerId() >= 0, found);
        }
        MetadataRequestData none = new MetadataRequestData().setAllowAutoTopicCreation(false);
        String missing = kit.name("none");
        none.setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName(missing)));
        int version = wire.version(ApiKeys.METADATA, 12);
        answered(Errors.UNKNOWN_TOPIC_OR_PARTITION, wire.ask(ApiKeys.METADATA, version, none, MetadataResponseData::new).topics().iterator().next().errorCode());
        none.setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName("a/b")));
        answered(Errors.INVALID_TOPIC_EXCEPTION, wire.ask(ApiKeys.METADATA, version, none, MetadataResponseData::new).topics().iterator().next().errorCode());
        none.setTopics(List.of());
        equal(0, wire.ask(ApiKeys.METADATA, version, none, MetadataResponseData::new).topics().size());
        none.setTopics(null);
        check(wire.ask(ApiKeys.METADATA, version, none, MetadataResponseData::new).topics().find(topic) != null, "not among all");
    }

    private static void garbage(Kit kit) throws Exception {
        String topic = kit.topic(1);
        Wire bystander = new Wire(kit);
        byte[][] all = {
            {(byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0, 0},
            {0x7f, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0, 18, 0, 0},
            {0, 0, 0, 2, 0, 18},
            {0, 0, 0, 10, 3, 33, 0, 0, 0, 0, 0, 1, (byte) 0xff, (byte) 0xff},
            {0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, (byte) 0xff, (byte) 0xff, 0x7f, (byte) 0xff, (byte) 0xff, (byte) 0xff},
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(),
            ByteBuffer.allocate(8).putInt(4).putInt(-1).array(),
        };
        for (byte[] bytes : all) {
            Wire wire = new Wire(kit);
            wire.sendBytes(bytes);
            check(wire.isClosed(), "answered " + java.util.Arrays.toString(bytes));
        }
        check(!Raw.topicId(bystander, topic).equals(Uuid.ZERO_UUID), "the bystander's connection is gone");
    }
}
