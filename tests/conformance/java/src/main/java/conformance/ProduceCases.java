package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Kit.refused;
import static conformance.Kit.send;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;

/** Records as the Java client writes and reads them. */
final class ProduceCases {
    private ProduceCases() {}

    static void register(Main.Cases cases) {
        for (String acks : List.of("0", "1", "all")) cases.add("produce/acks_" + acks, kit -> acks(kit, acks));
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) cases.add("produce/compressed_with_" + codec, kit -> compressed(kit, codec));
        cases.add("produce/headers_and_nulls_come_back", ProduceCases::headersAndNulls);
        cases.add("produce/too_large_record_is_refused", ProduceCases::tooLarge);
        cases.add("produce/timestamps_of_producer_and_broker", ProduceCases::timestamps);
        cases.add("produce/timestamp_far_ahead_is_refused", ProduceCases::farAhead);
        cases.add("produce/idempotent_with_five_in_flight_keeps_order", ProduceCases::idempotent);
        cases.add("fetch/out_of_range_without_reset_is_an_error", ProduceCases::outOfRange);
        cases.add("fetch/pause_seek_and_resume", ProduceCases::pauseSeekResume);
        cases.add("fetch/many_partitions_with_small_bounds", ProduceCases::manyPartitions);
        cases.add("fetch/waiting_consumer_gets_a_record_at_once", ProduceCases::longPoll);
        cases.add("fetch/offsets_for_times", ProduceCases::offsetsForTimes);
    }

    private static void acks(Kit kit, String acks) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.producer("acks", acks, "enable.idempotence", acks.equals("all"));
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < 300; number++) {
            producer.send(new ProducerRecord<>(topic, 0, null, "" + number));
            expected.add("" + number);
        }
        producer.flush();
        eventually("all are there", () -> kit.ends(topic, IsolationLevel.READ_UNCOMMITTED).equals(Map.of(0, 300L)));
        equal(expected, kit.values(topic));
    }

    private static void compressed(Kit kit, String codec) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.producer("compression.type", codec, "linger.ms", 50);
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < 1000; number++) {
            expected.add(number + "abc".repeat(number % 40));
            producer.send(new ProducerRecord<>(topic, 0, null, expected.get(number)));
        }
        producer.flush();
        equal(expected, kit.values(topic));
    }

    private static void headersAndNulls(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.producer();
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, 0, null, null);
        record.headers().add("a", new byte[] {1}).add("b", null).add("a", new byte[0]);
        producer.send(record);
        producer.send(new ProducerRecord<>(topic, 0, "", ""));
        producer.flush();
        List<ConsumerRecord<String, String>> found = kit.readNow(topic, "read_committed");
        check(found.get(0).key() == null && found.get(0).value() == null && found.get(1).key().isEmpty() && found.get(1).value().isEmpty(), found);
        Header[] headers = found.get(0).headers().toArray();
        equal(3, headers.length);
        check(headers[0].value()[0] == 1 && headers[1].value() == null && headers[2].value().length == 0, found);
    }

    private static void tooLarge(Kit kit) throws Exception {
        String topic = kit.topic(1, "max.message.bytes", "2000");
        KafkaProducer<String, String> producer = kit.producer();
        refused(() -> send(producer, topic, null, "x".repeat(3000)), RecordTooLargeException.class);
        send(producer, topic, null, "small");
        equal(List.of("small"), kit.values(topic));
    }

    private static void timestamps(Kit kit) throws Exception {
        String given = kit.topic(1);
        String appended = kit.topic(1, "message.timestamp.type", "LogAppendTime");
        KafkaProducer<String, String> producer = kit.producer();
        long before = System.currentTimeMillis();
        for (String topic : List.of(given, appended)) {
            RecordMetadata metadata = producer.send(new ProducerRecord<>(topic, 0, 1_600_000_000_123L, null, "v")).get(20, TimeUnit.SECONDS);
            check(topic.equals(given) == (metadata.timestamp() == 1_600_000_000_123L), metadata.timestamp());
        }
        ConsumerRecord<String, String> one = kit.readNow(given, "read_committed").get(0);
        equal("CreateTime 1600000000123", one.timestampType() + " " + one.timestamp());
        ConsumerRecord<String, String> two = kit.readNow(appended, "read_committed").get(0);
        check(two.timestampType() == TimestampType.LOG_APPEND_TIME && two.timestamp() >= before - 5, two);
    }

    private static void farAhead(Kit kit) throws Exception {
        String topic = kit.topic(1);
        long stamp = System.currentTimeMillis() + 2 * 86_400_000L;
        KafkaProducer<String, String> producer = kit.producer();
        refused(() -> producer.send(new ProducerRecord<>(topic, 0, stamp, null, "v")).get(20, TimeUnit.SECONDS), InvalidTimestampException.class);
    }

    private static void idempotent(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.producer("batch.size", 500, "linger.ms", 0, "max.in.flight.requests.per.connection", 5);
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < 5000; number++) {
            producer.send(new ProducerRecord<>(topic, 0, null, "" + number));
            expected.add("" + number);
        }
        producer.flush();
        equal(expected, kit.values(topic));
    }

    private static void outOfRange(Kit kit) throws Exception {
        String topic = kit.topic(1);
        send(kit.producer(), topic, null, "1");
        KafkaConsumer<String, String> consumer = kit.consumer(null, "auto.offset.reset", "none");
        TopicPartition part = new TopicPartition(topic, 0);
        consumer.assign(List.of(part));
        consumer.seek(part, 77);
        refused(() -> kit.poll(consumer, 1), OffsetOutOfRangeException.class);
        KafkaConsumer<String, String> other = kit.consumer(null);
        other.assign(List.of(part));
        other.seek(part, 77);
        equal(0L, kit.poll(other, 1).get(0).offset());
    }

    private static void pauseSeekResume(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        send(kit.producer(), topic, null, "0", "1", "2", "3");
        KafkaConsumer<String, String> consumer = kit.consumer(null, "max.poll.records", 1);
        consumer.assign(List.of(part));
        consumer.seekToBeginning(List.of(part));
        equal("0", kit.poll(consumer, 1).get(0).value());
        consumer.pause(List.of(part));
        check(consumer.poll(Duration.ofMillis(500)).isEmpty(), "records of a paused partition");
        consumer.seek(part, 3);
        consumer.resume(List.of(part));
        equal("3", kit.poll(consumer, 1).get(0).value());
        consumer.seekToEnd(List.of(part));
        equal(4L, consumer.position(part));
    }

    private static void manyPartitions(Kit kit) throws Exception {
        String topic = kit.topic(40);
        KafkaProducer<String, String> producer = kit.producer();
        List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
        for (int number = 0; number < 800; number++) sent.add(producer.send(new ProducerRecord<>(topic, number % 40, null, number + "x".repeat(300))));
        for (java.util.concurrent.Future<?> each : sent) each.get();
        List<ConsumerRecord<String, String>> found = kit.readNow(topic, "read_committed", "fetch.max.bytes", 3000, "max.partition.fetch.bytes", 1000);
        equal(800, found.size());
        equal(800L, found.stream().map(record -> record.partition() + ":" + record.offset()).distinct().count());
    }

    private static void longPoll(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaConsumer<String, String> consumer = kit.consumer(null, "fetch.max.wait.ms", 5000);
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        check(consumer.poll(Duration.ofMillis(700)).isEmpty(), "records of an empty topic");
        KafkaProducer<String, String> producer = kit.producer("linger.ms", 0);
        long best = Long.MAX_VALUE;
        for (int round = 0; round < 3; round++) {
            long began = System.nanoTime();
            send(producer, topic, null, "1");
            kit.poll(consumer, 1);
            best = Math.min(best, System.nanoTime() - began);
        }
        check(best < 1_000_000_000L, best / 1_000_000 + " ms");
    }

    private static void offsetsForTimes(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        KafkaProducer<String, String> producer = kit.producer("linger.ms", 50);
        for (long stamp : new long[] {1000, 3000, 2000}) producer.send(new ProducerRecord<>(topic, 0, stamp, null, "v"));
        producer.flush();
        KafkaConsumer<String, String> consumer = kit.consumer(null);
        OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(part, 1500L)).get(part);
        equal("1 3000", found.offset() + " " + found.timestamp());
        equal(null, consumer.offsetsForTimes(Map.of(part, 3001L)).get(part));
    }
}
