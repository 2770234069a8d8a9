package conformance;

import static conformance.Kit.check;
import static conformance.Kit.done;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Kit.numbers;
import static conformance.Kit.refused;
import static conformance.Kit.send;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.ClassicGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Groups of Java consumers, and what the administrator sees and does. */
final class GroupCases {
    private GroupCases() {}

    static void register(Main.Cases cases) {
        for (Class<?> assignor : List.of(RangeAssignor.class, RoundRobinAssignor.class, StickyAssignor.class)) {
            cases.add("groups/two_members_share_by_" + assignor.getSimpleName(), kit -> shared(kit, assignor));
        }
        cases.add("groups/cooperative_member_keeps_what_it_need_not_give", GroupCases::cooperative);
        cases.add("groups/static_member_returns_without_rebalance", GroupCases::staticMember);
        cases.add("groups/described_and_listed", GroupCases::described);
        cases.add("groups/deleted_when_empty", GroupCases::deleted);
        cases.add("groups/offsets_altered_and_deleted", GroupCases::offsets);
        cases.add("groups/static_members_are_removed_by_the_administrator", GroupCases::removed);
        cases.add("groups/lag_follows_the_position", GroupCases::lag);
        cases.add("groups/regular_expression_finds_later_topics", GroupCases::pattern);
    }

    private static void settled(String what, List<KafkaConsumer<String, String>> consumers, java.util.function.Predicate<List<List<Integer>>> check)
            throws Exception {
        eventually(what, () -> {
            consumers.forEach(consumer -> consumer.poll(Kit.TICK));
            return check.test(consumers.stream().map(consumer -> numbers(consumer.assignment())).toList());
        });
    }

    private static List<Integer> sizes(List<List<Integer>> found) {
        return found.stream().map(List::size).toList();
    }

    private static void shared(Kit kit, Class<?> assignor) throws Exception {
        String topic = kit.topic(4);
        String group = kit.name("g");
        List<KafkaConsumer<String, String>> consumers = new ArrayList<>();
        for (int index = 0; index < 2; index++) {
            consumers.add(kit.consumer(group, "partition.assignment.strategy", assignor.getName()));
            consumers.get(index).subscribe(List.of(topic));
        }
        settled("two each", consumers, found -> sizes(found).equals(List.of(2, 2)));
        Set<TopicPartition> all = new HashSet<>(consumers.get(0).assignment());
        all.addAll(consumers.get(1).assignment());
        equal(4, all.size());
        kit.end(consumers.remove(1));
        settled("all four", consumers, found -> sizes(found).equals(List.of(4)));
    }

    private static void cooperative(Kit kit) throws Exception {
        String topic = kit.topic(4);
        String group = kit.name("g");
        List<TopicPartition> revoked = new ArrayList<>();
        KafkaConsumer<String, String> first = kit.consumer(group, "partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        first.subscribe(List.of(topic), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> parts) {
                revoked.addAll(parts);
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> parts) {}
        });
        settled("all four", List.of(first), found -> sizes(found).equals(List.of(4)));
        KafkaConsumer<String, String> second = kit.consumer(group, "partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        second.subscribe(List.of(topic));
        settled("two each", List.of(first, second), found -> sizes(found).equals(List.of(2, 2)));
        equal(numbers(second.assignment()), numbers(revoked));
    }

    private static void staticMember(Kit kit) throws Exception {
        String topic = kit.topic(2);
        String group = kit.name("g");
        KafkaConsumer<String, String> first = kit.consumer(group, "group.instance.id", "a", "session.timeout.ms", 20000);
        KafkaConsumer<String, String> second = kit.consumer(group, "group.instance.id", "b", "session.timeout.ms", 20000);
        first.subscribe(List.of(topic));
        second.subscribe(List.of(topic));
        settled("one each", List.of(first, second), found -> sizes(found).equals(List.of(1, 1)));
        List<Integer> before = numbers(second.assignment());
        int generation = first.groupMetadata().generationId();
        kit.end(second);
        KafkaConsumer<String, String> again = kit.consumer(group, "group.instance.id", "b", "session.timeout.ms", 20000);
        again.subscribe(List.of(topic));
        settled("the same", List.of(first, again), found -> found.get(1).equals(before));
        equal(generation, first.groupMetadata().generationId());
        equal(generation, again.groupMetadata().generationId());
    }

    private static void described(Kit kit) throws Exception {
        String topic = kit.topic(3);
        String group = kit.name("g");
        KafkaConsumer<String, String> consumer = kit.consumer(group, "client.id", "me");
        consumer.subscribe(List.of(topic));
        settled("assigned", List.of(consumer), found -> sizes(found).equals(List.of(3)));
        ConsumerGroupDescription found = done(kit.admin().describeConsumerGroups(List.of(group)).describedGroups().get(group));
        equal("Stable range 1", found.groupState() + " " + found.partitionAssignor() + " " + found.members().size());
        var member = found.members().iterator().next();
        equal("me /127.0.0.1", member.clientId() + " " + member.host());
        equal(List.of(0, 1, 2), numbers(member.assignment().topicPartitions()));
        ClassicGroupDescription classic = done(kit.admin().describeClassicGroups(List.of(group)).describedGroups().get(group));
        equal("consumer range", classic.protocol() + " " + classic.protocolData());
        check(ids(kit, new ListGroupsOptions()).contains(group), "not among all");
        check(ids(kit, new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))).contains(group), "not among the stable");
        check(!ids(kit, new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).contains(group), "among the empty");
        kit.end(consumer);
        eventually("empty", () -> ids(kit, new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).contains(group));
        refused(() -> done(kit.admin().describeConsumerGroups(List.of("none-" + group)).all()), GroupIdNotFoundException.class);
    }

    private static List<String> ids(Kit kit, ListGroupsOptions options) throws Exception {
        return done(kit.admin().listGroups(options).all()).stream().map(GroupListing::groupId).toList();
    }

    private static void deleted(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String group = kit.name("g");
        KafkaConsumer<String, String> consumer = kit.consumer(group);
        consumer.subscribe(List.of(topic));
        settled("assigned", List.of(consumer), found -> sizes(found).equals(List.of(1)));
        consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(3)));
        refused(() -> done(kit.admin().deleteConsumerGroups(List.of(group)).all()), GroupNotEmptyException.class);
        kit.end(consumer);
        eventually("deleted", () -> {
            done(kit.admin().deleteConsumerGroups(List.of(group)).all());
            return true;
        });
        equal(null, kit.committed(group, topic, 0));
        refused(() -> done(kit.admin().deleteConsumerGroups(List.of(group)).all()), GroupIdNotFoundException.class);
    }

    private static void offsets(Kit kit) throws Exception {
        String topic = kit.topic(2);
        String group = kit.name("g");
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        done(kit.admin().alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(3, "m"), one, new OffsetAndMetadata(4))).all());
        Map<TopicPartition, OffsetAndMetadata> found = done(kit.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        equal("3 m 4", found.get(zero).offset() + " " + found.get(zero).metadata() + " " + found.get(one).offset());
        done(kit.admin().deleteConsumerGroupOffsets(group, Set.of(zero)).all());
        equal(Set.of(one), done(kit.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).keySet());
        KafkaConsumer<String, String> consumer = kit.consumer(group);
        consumer.subscribe(List.of(topic));
        settled("assigned", List.of(consumer), each -> sizes(each).equals(List.of(2)));
        refused(() -> done(kit.admin().deleteConsumerGroupOffsets(group, Set.of(one)).all()), GroupSubscribedToTopicException.class);
        refused(() -> done(kit.admin().alterConsumerGroupOffsets(group, Map.of(one, new OffsetAndMetadata(1))).all()), UnknownMemberIdException.class);
    }

    private static void removed(Kit kit) throws Exception {
        String topic = kit.topic(1);
        String group = kit.name("g");
        KafkaConsumer<String, String> consumer = kit.consumer(group, "group.instance.id", "a", "session.timeout.ms", 30000);
        consumer.subscribe(List.of(topic));
        settled("assigned", List.of(consumer), found -> sizes(found).equals(List.of(1)));
        kit.end(consumer);
        equal(1, done(kit.admin().describeConsumerGroups(List.of(group)).all()).get(group).members().size());
        var options = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("a")));
        done(kit.admin().removeMembersFromConsumerGroup(group, options).all());
        equal(0, done(kit.admin().describeConsumerGroups(List.of(group)).all()).get(group).members().size());
        refused(() -> done(kit.admin().removeMembersFromConsumerGroup(group, options).all()), UnknownMemberIdException.class);
    }

    private static void lag(Kit kit) throws Exception {
        String topic = kit.topic(1);
        TopicPartition part = new TopicPartition(topic, 0);
        send(kit.producer(), topic, null, "0", "1", "2", "3", "4");
        KafkaConsumer<String, String> consumer = kit.consumer(kit.name("g"), "max.poll.records", 2);
        consumer.assign(List.of(part));
        kit.poll(consumer, 2);
        equal(3L, consumer.currentLag(part).orElse(-1));
        consumer.commitSync();
        equal(2L, consumer.committed(Set.of(part)).get(part).offset());
    }

    private static void pattern(Kit kit) throws Exception {
        KafkaConsumer<String, String> consumer = kit.consumer(kit.name("g"), "metadata.max.age.ms", 500);
        consumer.subscribe(java.util.regex.Pattern.compile(kit.id + "-t.*"));
        kit.topic(1);
        settled("the first", List.of(consumer), found -> sizes(found).equals(List.of(1)));
        kit.topic(2);
        settled("all three", List.of(consumer), found -> sizes(found).equals(List.of(3)));
    }
}
