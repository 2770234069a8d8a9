package conformance;

import static conformance.Kit.check;
import static conformance.Kit.done;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Kit.refused;
import static conformance.Kit.send;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TransactionAbortableException;

/** Producers and members that others have replaced change nothing any more. */
final class FencingCases {
    private FencingCases() {}

    static void register(Main.Cases cases) {
        cases.add("fencing/older_producer_of_the_same_id", FencingCases::sameId);
        cases.add("fencing/open_transaction_is_aborted_after_its_timeout", FencingCases::timeout);
        cases.add("fencing/offsets_of_an_older_generation", FencingCases::generation);
        cases.add("fencing/administrator_fences_producers", FencingCases::administrator);
        cases.add("fencing/second_static_member_of_a_name", FencingCases::staticMember);
        cases.add("fencing/overlong_transaction_timeout_is_refused", FencingCases::overlong);
    }

    private static void sameId(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String id = kit.name("tx");
        KafkaProducer<String, String> old = kit.transactional(id);
        old.beginTransaction();
        send(old, topic, null, "old");
        KafkaProducer<String, String> fresh = kit.transactional(id);
        refused(() -> send(old, topic, null, "zombie"), ProducerFencedException.class, InvalidProducerEpochException.class);
        refused(old::commitTransaction, ProducerFencedException.class, InvalidProducerEpochException.class);
        kit.transact(fresh, true, topic, "new");
        equal(List.of("new"), kit.values(topic));
        equal(List.of("old", "new"), kit.values(topic, "read_uncommitted"));
    }

    private static void timeout(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"), "transaction.timeout.ms", 1500);
        producer.beginTransaction();
        send(producer, topic, null, "late");
        send(kit.producer(), topic, null, "plain");
        check(kit.readNow(topic, "read_committed").isEmpty(), "read before its end");
        equal(List.of("plain"), kit.values(topic));
        refused(
                producer::commitTransaction,
                ProducerFencedException.class,
                InvalidProducerEpochException.class,
                InvalidTxnStateException.class,
                TransactionAbortableException.class);
        equal(List.of("plain"), kit.values(topic));
    }

    private static void generation(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String group = kit.name("g");
        send(kit.producer(), topic, null, "1");
        KafkaConsumer<String, String> consumer = kit.consumer(group);
        consumer.subscribe(List.of(topic));
        kit.poll(consumer, 1);
        ConsumerGroupMetadata stale = consumer.groupMetadata();
        kit.end(consumer);
        KafkaConsumer<String, String> next = kit.consumer(group);
        next.subscribe(List.of(topic));
        kit.poll(next, 1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        Map<TopicPartition, OffsetAndMetadata> offsets = Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1));
        producer.beginTransaction();
        refused(
                () -> {
                    producer.sendOffsetsToTransaction(offsets, stale);
                    producer.commitTransaction();
                },
                CommitFailedException.class);
        producer.abortTransaction();
        equal(null, kit.committed(group, topic, 0));
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(offsets, next.groupMetadata());
        producer.commitTransaction();
        equal(1L, kit.committed(group, topic, 0).offset());
    }

    private static void administrator(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String id = kit.name("tx");
        KafkaProducer<String, String> producer = kit.transactional(id);
        producer.beginTransaction();
        send(producer, topic, null, "1");
        done(kit.admin().fenceProducers(List.of(id)).all());
        refused(producer::commitTransaction, ProducerFencedException.class, InvalidProducerEpochException.class);
        check(kit.values(topic).isEmpty(), kit.values(topic));
    }

    private static void staticMember(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String group = kit.name("g");
        KafkaConsumer<String, String> first = kit.consumer(group, "group.instance.id", "one");
        first.subscribe(List.of(topic));
        eventually("the first has it", () -> first.poll(Kit.TICK) != null && !first.assignment().isEmpty());
        KafkaConsumer<String, String> second = kit.consumer(group, "group.instance.id", "one");
        second.subscribe(List.of(topic));
        eventually("the second has it", () -> second.poll(Kit.TICK) != null && !second.assignment().isEmpty());
        refused(
                () -> {
                    long deadline = Kit.deadline(Kit.PATIENCE_S);
                    while (System.nanoTime() < deadline) first.poll(Kit.TICK);
                },
                FencedInstanceIdException.class);
    }

    private static void overlong(Kit kit) throws Exception {
        Throwable found = refused(() -> kit.transactional(kit.name("tx"), "transaction.timeout.ms", 2_000_000_000), KafkaException.class);
        check(found.getMessage().contains("transaction.max.timeout.ms"), found);
    }
}
