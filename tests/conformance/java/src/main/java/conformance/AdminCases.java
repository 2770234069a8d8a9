package conformance;

import static conformance.Kit.check;
import static conformance.Kit.done;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Kit.refused;
import static conformance.Kit.send;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What an administrator asks and orders through the Java client. */
final class AdminCases {
    private AdminCases() {}

    static void register(Main.Cases cases) {
        cases.add("admin/creation_tells_what_was_made", AdminCases::creation);
        cases.add("admin/invalid_topics_are_refused", AdminCases::invalid);
        cases.add("admin/topics_are_deleted_by_name_and_by_id", AdminCases::deletion);
        cases.add("admin/partitions_are_added", AdminCases::partitions);
        cases.add("admin/settings_with_synonyms_and_documentation", AdminCases::settings);
        cases.add("admin/settings_are_altered", AdminCases::altered);
        cases.add("admin/records_are_deleted", AdminCases::records);
        cases.add("admin/offsets_are_listed", AdminCases::offsets);
        cases.add("admin/cluster_is_described", AdminCases::cluster);
        cases.add("admin/log_directories_are_described", AdminCases::logDirs);
        cases.add("admin/features_are_described", AdminCases::features);
        cases.add("admin/topics_are_listed_without_internal_ones", AdminCases::listed);
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private static TopicDescription describe(Kit kit, String topic) throws Exception {
        return done(kit.admin().describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    private static void creation(Kit kit) throws Exception {
        String topic = kit.name("t");
        CreateTopicsResult result = kit.admin().createTopics(List.of(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "77"))));
        done(result.all());
        equal(3, done(result.numPartitions(topic)));
        equal(1, done(result.replicationFactor(topic)));
        equal("77", done(result.config(topic)).get("retention.ms").value());
        kit.appeared(topic);
        TopicDescription found = describe(kit, topic);
        equal(done(result.topicId(topic)), found.topicId());
        equal(3, found.partitions().size());
        check(found.partitions().stream().allMatch(part -> part.leader().id() >= 0 && part.isr().size() == 1 && part.replicas().size() == 1), found);
    }

    private static void create(Kit kit, String topic, int partitions, int replicas) throws Exception {
        done(kit.admin().createTopics(List.of(new NewTopic(topic, partitions, (short) replicas))).all());
    }

    private static void invalid(Kit kit) throws Exception {
        String topic = kit.topic(1);
        refused(() -> create(kit, topic, 1, 1), TopicExistsException.class);
        refused(() -> create(kit, "a/b", 1, 1), InvalidTopicException.class);
        refused(() -> create(kit, kit.name("t"), 0, 1), InvalidPartitionsException.class);
        refused(() -> create(kit, kit.name("t"), 1, 2), InvalidReplicationFactorException.class);
        // Minus one asks for the broker's default.
        String usual = kit.name("t");
        create(kit, usual, -1, -1);
        kit.appeared(usual);
        check(!describe(kit, usual).partitions().isEmpty(), usual);
        refused(() -> describe(kit, kit.name("none")), UnknownTopicOrPartitionException.class);
    }

    private static void deletion(Kit kit) throws Exception {
        String one = kit.topic(1);
        String two = kit.topic(1);
        Uuid id = describe(kit, two).topicId();
        done(kit.admin().deleteTopics(List.of(one)).all());
        done(kit.admin().deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        eventually("both are gone", () -> {
            Set<String> names = done(kit.admin().listTopics().names());
            return !names.contains(one) && !names.contains(two);
        });
        refused(() -> done(kit.admin().deleteTopics(List.of(one)).all()), UnknownTopicOrPartitionException.class);
        refused(() -> done(kit.admin().deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all()), UnknownTopicIdException.class);
        refused(
                () -> done(kit.admin().describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds()),
                UnknownTopicIdException.class,
                UnknownTopicOrPartitionException.class);
    }

    private static void partitions(Kit kit) throws Exception {
        String topic = kit.topic(1);
        done(kit.admin().createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
        eventually("four partitions", () -> describe(kit, topic).partitions().size() == 4);
        refused(() -> done(kit.admin().createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all()), InvalidPartitionsException.class);
        refused(
                () -> done(kit.admin().createPartitions(Map.of(kit.name("none"), NewPartitions.increaseTo(2))).all()),
                UnknownTopicOrPartitionException.class);
    }

    private static void settings(Kit kit) throws Exception {
        String topic = kit.topic(1, "segment.ms", "12345");
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Config found = done(kit.admin().describeConfigs(List.of(resource(topic)), options).all()).get(resource(topic));
        ConfigEntry own = found.get("segment.ms");
        equal("12345 DYNAMIC_TOPIC_CONFIG LONG", own.value() + " " + own.source() + " " + own.type());
        equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, own.synonyms().get(0).source());
        check(own.documentation() != null && !own.isReadOnly() && !own.isSensitive() && !own.isDefault(), own);
        ConfigEntry usual = found.get("cleanup.policy");
        equal("delete DEFAULT_CONFIG LIST", usual.value() + " " + usual.source() + " " + usual.type());
        refused(() -> done(kit.admin().describeConfigs(List.of(resource(kit.name("none")))).all()), UnknownTopicOrPartitionException.class);
    }

    private static void alter(Kit kit, String topic, String name, String value, AlterConfigOp.OpType operation) throws Exception {
        AlterConfigOp each = new AlterConfigOp(new ConfigEntry(name, value), operation);
        done(kit.admin().incrementalAlterConfigs(Map.of(resource(topic), List.of(each))).all());
    }

    private static String value(Kit kit, String topic, String name) throws Exception {
        return done(kit.admin().describeConfigs(List.of(resource(topic))).all()).get(resource(topic)).get(name).value();
    }

    private static void altered(Kit kit) throws Exception {
        String topic = kit.topic(1);
        alter(kit, topic, "max.message.bytes", "3000", AlterConfigOp.OpType.SET);
        eventually("the new value", () -> value(kit, topic, "max.message.bytes").equals("3000"));
        refused(() -> send(kit.producer(), topic, null, "x".repeat(4000)), org.apache.kafka.common.errors.RecordTooLargeException.class);
        alter(kit, topic, "max.message.bytes", "", AlterConfigOp.OpType.DELETE);
        eventually("the default", () -> value(kit, topic, "max.message.bytes").equals("1048588"));
        send(kit.producer(), topic, null, "x".repeat(4000));
        refused(() -> alter(kit, topic, "no.such.setting", "1", AlterConfigOp.OpType.SET), InvalidConfigurationException.class);
        refused(() -> alter(kit, topic, "segment.ms", "soon", AlterConfigOp.OpType.SET), InvalidConfigurationException.class);
        refused(() -> alter(kit, kit.name("none"), "segment.ms", "1", AlterConfigOp.OpType.SET), UnknownTopicOrPartitionException.class);
    }

    private static void records(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        send(kit.producer(), topic, null, "0", "1", "2");
        equal(2L, done(kit.admin().deleteRecords(Map.of(part, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(part)).lowWatermark());
        equal(List.of("2"), kit.values(topic));
        refused(() -> done(kit.admin().deleteRecords(Map.of(part, RecordsToDelete.beforeOffset(9))).all()), OffsetOutOfRangeException.class);
    }

    private static void offsets(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        var producer = kit.producer();
        for (long stamp : new long[] {1000, 5000, 3000}) {
            producer.send(new org.apache.kafka.clients.producer.ProducerRecord<>(topic, 0, stamp, null, "v")).get();
        }
        for (Map.Entry<OffsetSpec, Long> each : Map.of(
                        OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 3L, OffsetSpec.maxTimestamp(), 1L, OffsetSpec.forTimestamp(2000), 1L, OffsetSpec.forTimestamp(9000), -1L)
                .entrySet()) {
            equal(each.getValue(), done(kit.admin().listOffsets(Map.of(part, each.getKey())).partitionResult(part)).offset());
        }
        TopicPartition none = new TopicPartition(topic, 7);
        try {
            done(kit.admin().listOffsets(Map.of(none, OffsetSpec.latest()), new org.apache.kafka.clients.admin.ListOffsetsOptions().timeoutMs(2000)).all());
            throw new AssertionError("an unknown partition has an end");
        } catch (java.util.concurrent.ExecutionException expected) {
            // By time-out, since a partition may be on its way, or at once.
        }
    }

    private static void cluster(Kit kit) throws Exception {
        var found = kit.admin().describeCluster();
        equal(1, done(found.nodes()).size());
        var node = done(found.nodes()).iterator().next();
        equal(kit.bootstrap, node.host() + ":" + node.port());
        equal(node.id(), done(found.controller()).id());
        check(!done(found.clusterId()).isEmpty(), "no cluster id");
        equal(done(found.clusterId()), done(kit.admin().describeCluster().clusterId()));
    }

    private static void logDirs(Kit kit) throws Exception {
        String topic = kit.topic(2);
        send(kit.producer(), topic, null, "x".repeat(10_000));
        int node = done(kit.admin().describeCluster().nodes()).iterator().next().id();
        Map<String, LogDirDescription> found = done(kit.admin().describeLogDirs(List.of(node)).allDescriptions()).get(node);
        equal(1, found.size());
        LogDirDescription dir = found.values().iterator().next();
        check(dir.error() == null && dir.totalBytes().orElse(0) > 0, dir);
        check(dir.replicaInfos().get(new TopicPartition(topic, 0)).size() >= 10_000, dir.replicaInfos().get(new TopicPartition(topic, 0)));
        check(dir.replicaInfos().get(new TopicPartition(topic, 1)).size() == 0, "an empty partition has a size");
    }

    private static void features(Kit kit) throws Exception {
        check(done(kit.admin().describeFeatures().featureMetadata()) != null, "nothing");
    }

    private static void listed(Kit kit) throws Exception {
        String topic = kit.topic(1);
        var producer = kit.transactional(kit.name("tx"));
        kit.transact(producer, true, topic, "1");
        Set<String> names = done(kit.admin().listTopics().names());
        check(names.contains(topic) && names.stream().noneMatch(name -> name.startsWith("__")), names);
    }
}
