package conformance;

import static conformance.Kit.check;
import static conformance.Kit.done;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Kit.send;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/** Transactions as the Java client makes and reads them. */
final class TransactionCases {
    private TransactionCases() {}

    static void register(Main.Cases cases) {
        cases.add("transactions/committed_and_aborted_by_both_kinds_of_readers", TransactionCases::bothReaders);
        cases.add("transactions/open_transaction_holds_read_committed_back", TransactionCases::holdsBack);
        cases.add("transactions/interleaved_producers_keep_their_own_ends", TransactionCases::interleaved);
        cases.add("transactions/empty_transactions_end_well", TransactionCases::empty);
        cases.add("transactions/spans_topics_and_partitions", TransactionCases::spans);
        cases.add("transactions/offsets_are_committed_with_it", TransactionCases::offsets);
        cases.add("transactions/consume_transform_produce_is_exactly_once", TransactionCases::loop);
        cases.add("transactions/described_while_open_and_after", TransactionCases::described);
        cases.add("transactions/listed_with_filters", TransactionCases::listed);
        cases.add("transactions/producers_of_a_partition_are_described", TransactionCases::producers);
        cases.add("transactions/large_aborted_transaction_is_skipped", TransactionCases::large);
        cases.add("transactions/many_in_a_row", TransactionCases::many);
    }

    private static void bothReaders(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        kit.transact(producer, true, topic, "1", "2");
        kit.transact(producer, false, topic, "bad");
        kit.transact(producer, true, topic, "3");
        equal(List.of("1", "2", "3"), kit.values(topic));
        equal(List.of("1", "2", "bad", "3"), kit.values(topic, "read_uncommitted"));
        equal(List.of(0L, 1L, 5L), kit.readNow(topic, "read_committed").stream().map(ConsumerRecord::offset).toList());
    }

    private static void holdsBack(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> plain = kit.producer();
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        send(plain, topic, null, "before");
        producer.beginTransaction();
        send(producer, topic, null, "open");
        send(plain, topic, null, "after");
        equal(Map.of(0, 1L), kit.ends(topic, IsolationLevel.READ_COMMITTED));
        equal(Map.of(0, 3L), kit.ends(topic, IsolationLevel.READ_UNCOMMITTED));
        equal(1, kit.readNow(topic, "read_committed").size());
        equal(3, kit.readNow(topic, "read_uncommitted").size());
        producer.commitTransaction();
        equal(List.of("before", "open", "after"), kit.values(topic));
    }

    private static void interleaved(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> one = kit.transactional(kit.name("tx"));
        KafkaProducer<String, String> two = kit.transactional(kit.name("tx"));
        one.beginTransaction();
        two.beginTransaction();
        for (int number = 0; number < 4; number++) {
            send(one, topic, null, "one" + number);
            send(two, topic, null, "two" + number);
        }
        one.abortTransaction();
        two.commitTransaction();
        equal(List.of("two0", "two1", "two2", "two3"), kit.values(topic));
    }

    private static void empty(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        kit.transact(producer, true, topic);
        kit.transact(producer, false, topic);
        kit.transact(producer, true, topic, "1");
        equal(List.of("1"), kit.values(topic));
    }

    private static void spans(Kit kit) throws Exception {
        List<String> topics = List.of(kit.topic(5), kit.topic(5));
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        for (boolean commit : new boolean[] {false, true, false, true}) {
            producer.beginTransaction();
            for (String topic : topics) {
                for (int partition = 0; partition < 5; partition++) producer.send(new ProducerRecord<>(topic, partition, null, "" + commit));
            }
            if (commit) producer.commitTransaction();
            else producer.abortTransaction();
        }
        for (String topic : topics) {
            List<String> values = kit.values(topic);
            check(values.size() == 10 && Set.of("true").containsAll(values), values);
        }
    }

    private static void offsets(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String group = kit.name("g");
        send(kit.producer(), topic, null, "1", "2", "3");
        KafkaConsumer<String, String> consumer = kit.consumer(group);
        consumer.subscribe(List.of(topic));
        kit.poll(consumer, 3);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        TopicPartition part = new TopicPartition(topic, 0);
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(Map.of(part, new OffsetAndMetadata(2, "aborted")), consumer.groupMetadata());
        producer.abortTransaction();
        equal(null, kit.committed(group, topic, 0));
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(Map.of(part, new OffsetAndMetadata(3, "kept")), consumer.groupMetadata());
        producer.commitTransaction();
        OffsetAndMetadata found = kit.committed(group, topic, 0);
        equal("3 kept", found.offset() + " " + found.metadata());
    }

    /** Two members move records with transactions; one of them leaves in the midst. */
    private static void loop(Kit kit) throws Exception {
        String in = kit.topic(4);
        String out = kit.topic(2);
        String group = kit.name("g");
        KafkaProducer<String, String> feed = kit.producer();
        for (int number = 0; number < 400; number++) feed.send(new ProducerRecord<>(in, number % 4, null, "" + number));
        feed.flush();
        int moved = move(kit, in, out, group, 150);
        move(kit, in, out, group, 400 - moved);
        List<Integer> found = kit.values(out).stream().map(Integer::parseInt).sorted().toList();
        List<Integer> expected = java.util.stream.IntStream.range(0, 400).boxed().toList();
        equal(expected, found);
    }

    private static int move(Kit kit, String in, String out, String group, int atLeast) throws Exception {
        KafkaConsumer<String, String> consumer = kit.consumer(group, "isolation.level", "read_committed", "max.poll.records", 40);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"));
        consumer.subscribe(List.of(in));
        int moved = 0;
        long deadline = Kit.deadline(Kit.PATIENCE_S);
        for (int round = 0; moved < atLeast; round++) {
            check(System.nanoTime() < deadline, moved + " moved");
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            producer.beginTransaction();
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            consumer.poll(Kit.TICK).forEach(records::add);
            for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>(out, record.partition() % 2, null, record.value()));
                offsets.put(new TopicPartition(in, record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            if (round % 3 == 1) {
                producer.abortTransaction();
                // Back to what is committed.
                Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
                consumer.assignment().forEach(part -> consumer.seek(part, committed.get(part) == null ? 0 : committed.get(part).offset()));
            } else {
                producer.commitTransaction();
                moved += records.size();
            }
        }
        kit.end(consumer);
        return moved;
    }

    private static void described(Kit kit) throws Exception {
        String topic = kit.topic(2);
        String id = kit.name("tx");
        KafkaProducer<String, String> producer = kit.transactional(id, "transaction.timeout.ms", 54321);
        TransactionDescription before = done(kit.admin().describeTransactions(List.of(id)).description(id));
        equal(TransactionState.EMPTY, before.state());
        equal(54321L, before.transactionTimeoutMs());
        producer.beginTransaction();
        send(producer, topic, null, "1");
        TransactionDescription open = done(kit.admin().describeTransactions(List.of(id)).description(id));
        equal(TransactionState.ONGOING, open.state());
        equal(Set.of(new TopicPartition(topic, 0)), open.topicPartitions());
        long started = open.transactionStartTimeMs().orElse(0);
        check(Math.abs(System.currentTimeMillis() - started) < 60_000, open);
        producer.abortTransaction();
        eventually("aborted", () -> done(kit.admin().describeTransactions(List.of(id)).description(id)).state() == TransactionState.COMPLETE_ABORT);
        kit.transact(producer, true, topic, "2");
        eventually("committed", () -> done(kit.admin().describeTransactions(List.of(id)).description(id)).state() == TransactionState.COMPLETE_COMMIT);
        Kit.refused(
                () -> done(kit.admin().describeTransactions(List.of("none-" + id)).description("none-" + id)),
                org.apache.kafka.common.errors.TransactionalIdNotFoundException.class);
    }

    private static void listed(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String idle = kit.name("tx");
        String open = kit.name("tx");
        kit.transactional(idle);
        KafkaProducer<String, String> producer = kit.transactional(open);
        producer.beginTransaction();
        send(producer, topic, null, "1");
        Map<String, TransactionState> all = list(kit, new ListTransactionsOptions());
        equal(TransactionState.EMPTY, all.get(idle));
        equal(TransactionState.ONGOING, all.get(open));
        Map<String, TransactionState> ongoing = list(kit, new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING)));
        check(ongoing.containsKey(open) && !ongoing.containsKey(idle), ongoing);
        check(!list(kit, new ListTransactionsOptions().filterOnDuration(3_600_000)).containsKey(open), "listed as older than an hour");
        producer.commitTransaction();
    }

    private static Map<String, TransactionState> list(Kit kit, ListTransactionsOptions options) throws Exception {
        Map<String, TransactionState> found = new HashMap<>();
        done(kit.admin().listTransactions(options).all()).forEach(each -> found.put(each.transactionalId(), each.state()));
        return found;
    }

    private static void producers(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        String id = kit.name("tx");
        send(kit.producer(), topic, null, "1");
        KafkaProducer<String, String> producer = kit.transactional(id);
        producer.beginTransaction();
        send(producer, topic, null, "2", "3");
        TransactionDescription mine = done(kit.admin().describeTransactions(List.of(id)).description(id));
        List<ProducerState> states = done(kit.admin().describeProducers(List.of(part)).partitionResult(part)).activeProducers();
        equal(2, states.size());
        ProducerState open = states.stream().filter(state -> state.producerId() == mine.producerId()).findFirst().orElseThrow();
        equal(1L, open.currentTransactionStartOffset().orElse(-1));
        equal(mine.producerEpoch(), open.producerEpoch());
        equal(1, open.lastSequence());
        producer.commitTransaction();
        kit.settle(topic);
        states = done(kit.admin().describeProducers(List.of(part)).partitionResult(part)).activeProducers();
        check(states.stream().noneMatch(state -> state.currentTransactionStartOffset().isPresent()), states);
    }

    private static void large(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"), "batch.size", 2000);
        producer.beginTransaction();
        for (int number = 0; number < 3000; number++) producer.send(new ProducerRecord<>(topic, 0, null, "x".repeat(200)));
        producer.flush();
        producer.abortTransaction();
        kit.transact(producer, true, topic, "after");
        kit.settle(topic);
        List<ConsumerRecord<String, String>> found = kit.readNow(topic, "read_committed", "fetch.max.bytes", 5000, "max.partition.fetch.bytes", 3000);
        equal(List.of("after"), found.stream().map(ConsumerRecord::value).toList());
    }

    private static void many(Kit kit) throws Exception {
        String topic = kit.topic(1);
        KafkaProducer<String, String> producer = kit.transactional(kit.name("tx"), "linger.ms", 0);
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < 100; number++) {
            kit.transact(producer, number % 7 != 0, topic, "" + number);
            if (number % 7 != 0) expected.add("" + number);
        }
        equal(expected, kit.values(topic));
    }
}
