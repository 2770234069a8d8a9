package conformance;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The clients and names of one case; they are closed at its end. */
final class Kit implements AutoCloseable {
    static final Duration TICK = Duration.ofMillis(100);
    static final int PATIENCE_S = 20;

    final String bootstrap;
    final String id;
    private final List<AutoCloseable> closing = new ArrayList<>();
    private Admin admin;
    private int count;

    Kit(String bootstrap, String name) {
        this.bootstrap = bootstrap;
        String last = name.substring(name.lastIndexOf('/') + 1).replace('_', '-');
        this.id = "conf-" + last.substring(0, Math.min(40, last.length())) + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    String name(String kind) {
        return id + "-" + kind + ++count;
    }

    Admin admin() {
        if (admin == null) admin = kept(Admin.create(Map.of("bootstrap.servers", bootstrap)));
        return admin;
    }

    <T extends AutoCloseable> T kept(T client) {
        closing.add(client);
        return client;
    }

    /** A topic of its own; the configs are pairs of name and value. */
    String topic(int partitions, String... configs) throws Exception {
        String name = name("t");
        done(admin().createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(pairs(configs)))).all());
        appeared(name);
        return name;
    }

    /** Waits until a created topic is known and led: real Kafka answers before its brokers have heard of it. */
    void appeared(String topic) throws Exception {
        eventually("topic " + topic + " has appeared", () -> !ends(topic, IsolationLevel.READ_UNCOMMITTED).isEmpty());
    }

    KafkaProducer<String, String> producer(Object... configs) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 5, "delivery.timeout.ms", 20000));
        settings.put("request.timeout.ms", 10000);
        settings.put("max.block.ms", 20000);
        putAll(settings, configs);
        return kept(new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer()));
    }

    KafkaProducer<String, String> transactional(String id, Object... configs) {
        List<Object> all = new ArrayList<>(Arrays.asList("transactional.id", id));
        all.addAll(Arrays.asList(configs));
        KafkaProducer<String, String> producer = producer(all.toArray());
        producer.initTransactions();
        return producer;
    }

    KafkaConsumer<String, String> consumer(String group, Object... configs) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest"));
        settings.put("enable.auto.commit", false);
        settings.put("fetch.max.wait.ms", 200);
        settings.put("default.api.timeout.ms", 20000);
        settings.put("heartbeat.interval.ms", 300);
        settings.put("session.timeout.ms", 6000);
        if (group != null) settings.put("group.id", group);
        putAll(settings, configs);
        return kept(new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer()));
    }

    void end(AutoCloseable client) throws Exception {
        closing.remove(client);
        client.close();
    }

    /** Waits until no transaction is open: real Kafka answers a commit before the markers are in the log. */
    void settle(String topic) throws Exception {
        eventually("no open transaction", () -> ends(topic, IsolationLevel.READ_COMMITTED).equals(ends(topic, IsolationLevel.READ_UNCOMMITTED)));
    }

    Map<Integer, Long> ends(String topic, IsolationLevel isolation) throws Exception {
        int partitions = done(admin().describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions().size();
        Map<TopicPartition, OffsetSpec> request = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) request.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        Map<Integer, Long> ends = new HashMap<>();
        done(admin().listOffsets(request, new ListOffsetsOptions(isolation)).all()).forEach((part, info) -> ends.put(part.partition(), info.offset()));
        return ends;
    }

    /** The values that are there for a reader when no transaction is open. */
    List<String> values(String topic, String isolation) throws Exception {
        settle(topic);
        return readNow(topic, isolation).stream().map(ConsumerRecord::value).toList();
    }

    List<String> values(String topic) throws Exception {
        return values(topic, "read_committed");
    }

    /** All records up to what is the end for this isolation now, in order within a partition. */
    List<ConsumerRecord<String, String>> readNow(String topic, String isolation, Object... configs) throws Exception {
        List<Object> all = new ArrayList<>(Arrays.asList("isolation.level", isolation));
        all.addAll(Arrays.asList(configs));
        KafkaConsumer<String, String> consumer = consumer(null, all.toArray());
        List<TopicPartition> parts = consumer.partitionsFor(topic).stream().map(part -> new TopicPartition(topic, part.partition())).toList();
        consumer.assign(parts);
        consumer.seekToBeginning(parts);
        Map<TopicPartition, Long> ends = consumer.endOffsets(parts);
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = deadline(PATIENCE_S);
        while (parts.stream().anyMatch(part -> consumer.position(part) < ends.get(part))) {
            if (System.nanoTime() > deadline) throw new AssertionError("no end of " + topic + " after " + records.size() + " records");
            consumer.poll(TICK).forEach(records::add);
        }
        end(consumer);
        return records;
    }

    /** Sends and waits for each acknowledgement. */
    static void send(KafkaProducer<String, String> producer, String topic, String key, String... values) throws Exception {
        List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
        for (String value : values) sent.add(producer.send(new ProducerRecord<>(topic, 0, key, value)));
        for (java.util.concurrent.Future<?> each : sent) each.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    void transact(KafkaProducer<String, String> producer, boolean commit, String topic, String... values) throws Exception {
        producer.beginTransaction();
        send(producer, topic, null, values);
        if (commit) producer.commitTransaction();
        else producer.abortTransaction();
    }

    List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = deadline(PATIENCE_S);
        while (records.size() < count) {
            if (System.nanoTime() > deadline) throw new AssertionError(records.size() + " of " + count + " records came");
            consumer.poll(TICK).forEach(records::add);
        }
        return records;
    }

    OffsetAndMetadata committed(String group, String topic, int partition) {
        TopicPartition part = new TopicPartition(topic, partition);
        try (KafkaConsumer<String, String> consumer = consumer(group, "isolation.level", "read_committed")) {
            closing.remove(consumer);
            return consumer.committed(java.util.Set.of(part)).get(part);
        }
    }

    static <T> T done(KafkaFuture<T> future) throws Exception {
        return future.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    static void eventually(String what, Callable<Boolean> check) throws Exception {
        long deadline = deadline(30);
        Object last = null;
        while (true) {
            try {
                if (check.call()) return;
            } catch (ExecutionException error) {
                last = error.getCause();
            }
            if (System.nanoTime() > deadline) throw new AssertionError("not within 30 s: " + what + (last == null ? "" : "; " + last));
            Thread.sleep(50);
        }
    }

    interface Action {
        void run() throws Exception;
    }

    /** Runs what must be refused by one of these exceptions; gives it. */
    @SafeVarargs
    static Throwable refused(Action action, Class<? extends Throwable>... expected) {
        try {
            action.run();
        } catch (Throwable error) {
            for (Throwable each = error; each != null; each = each.getCause()) {
                for (Class<? extends Throwable> kind : expected) if (kind.isInstance(each)) return each;
            }
            throw new AssertionError("refused otherwise: " + error, error);
        }
        throw new AssertionError("not refused; expected " + Arrays.toString(expected));
    }

    static void equal(Object expected, Object found) {
        if (!Objects.equals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
    }

    static void check(boolean holds, Object found) {
        if (!holds) throw new AssertionError("found " + found);
    }

    static long deadline(int seconds) {
        return System.nanoTime() + seconds * 1_000_000_000L;
    }

    static Map<String, String> pairs(String... pairs) {
        Map<String, String> map = new HashMap<>();
        for (int index = 0; index < pairs.length; index += 2) map.put(pairs[index], pairs[index + 1]);
        return map;
    }

    private static void putAll(Map<String, Object> settings, Object... configs) {
        for (int index = 0; index < configs.length; index += 2) settings.put((String) configs[index], configs[index + 1]);
    }

    static List<Integer> numbers(Collection<TopicPartition> parts) {
        return parts.stream().map(TopicPartition::partition).sorted().toList();
    }

    @Override
    public void close() {
        for (AutoCloseable client : closing) {
            try {
                if (client instanceof KafkaProducer<?, ?> producer) producer.close(Duration.ZERO);
                else if (client instanceof Admin open) open.close(Duration.ZERO);
                else client.close();
            } catch (Exception ignored) {
                // What closing says is not what the case is about.
            }
        }
    }
}
