package conformance;

import static conformance.Kit.check;
import static conformance.Kit.equal;
import static conformance.Kit.eventually;
import static conformance.Wire.answered;

import java.util.List;
import org.apache.kafka.common.message.FindCoordinatorRequestData;
import org.apache.kafka.common.message.FindCoordinatorResponseData;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.HeartbeatResponseData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.LeaveGroupResponseData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetCommitResponseData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.OffsetFetchResponseData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.RequestHeader;

/** The steps of a group's life, one request after another. */
final class RawGroupCases {
    private RawGroupCases() {}

    static void register(Main.Cases cases) {
        cases.add("raw/groups/coordinator_is_found_in_every_version", RawGroupCases::coordinators);
        cases.add("raw/groups/first_join_gives_a_member_id", RawGroupCases::memberId);
        cases.add("raw/groups/invalid_joins_are_refused", RawGroupCases::invalidJoins);
        cases.add("raw/groups/heartbeats_tell_of_generation_and_rebalance", RawGroupCases::heartbeats);
        cases.add("raw/groups/leader_alone_sees_the_members_and_assigns", RawGroupCases::leader);
        cases.add("raw/groups/silent_member_expires", RawGroupCases::expiry);
        cases.add("raw/groups/member_that_does_not_rejoin_is_dropped", RawGroupCases::rebalanceTimeout);
        cases.add("raw/groups/offset_commits_of_others_are_refused", RawGroupCases::commits);
        cases.add("raw/groups/static_member_is_replaced_by_its_name", RawGroupCases::staticMember);
        cases.add("raw/groups/leaving_twice_is_told", RawGroupCases::leaving);
        cases.add("raw/groups/offsets_are_fetched_in_every_version", RawGroupCases::offsetFetch);
    }

    static short find(Wire wire, int version, String key, byte type) throws Exception {
        FindCoordinatorRequestData request = new FindCoordinatorRequestData();
        if (version > 0) request.setKeyType(type);
        if (version > 3) request.setCoordinatorKeys(List.of(key));
        else request.setKey(key);
        FindCoordinatorResponseData found = wire.ask(ApiKeys.FIND_COORDINATOR, version, request, FindCoordinatorResponseData::new);
        return version > 3 ? found.coordinators().get(0).errorCode() : found.errorCode();
    }

    private static void coordinators(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        Raw.coordinator(wire, kit.name("g"), (byte) 0);
        Raw.coordinator(wire, kit.name("tx"), (byte) 1);
        for (int version = 0; version <= wire.version(ApiKeys.FIND_COORDINATOR, 6); version++) {
            answered(Errors.NONE, find(wire, version, kit.name("g"), (byte) 0));
            if (version > 0) answered(Errors.NONE, find(wire, version, kit.name("tx"), (byte) 1));
        }
    }

    static JoinGroupRequestData joinRequest(String group, String member, String instance, String... protocols) {
        JoinGroupRequestData request = new JoinGroupRequestData().setGroupId(group).setMemberId(member).setGroupInstanceId(instance);
        request.setProtocolType("consumer").setSessionTimeoutMs(10_000).setRebalanceTimeoutMs(5_000);
        for (String protocol : protocols) {
            request.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol().setName(protocol).setMetadata(new byte[] {1, 2}));
        }
        return request;
    }

    static JoinGroupResponseData join(Wire wire, JoinGroupRequestData request) throws Exception {
        return wire.ask(ApiKeys.JOIN_GROUP, wire.version(ApiKeys.JOIN_GROUP, 9), request, JoinGroupResponseData::new);
    }

    /** Joins as a new member, in both steps. */
    static JoinGroupResponseData joined(Wire wire, JoinGroupRequestData request) throws Exception {
        Raw.coordinator(wire, request.groupId(), (byte) 0);
        JoinGroupResponseData first = join(wire, request);
        if (first.errorCode() == Errors.MEMBER_ID_REQUIRED.code()) first = join(wire, request.duplicate().setMemberId(first.memberId()));
        answered(Errors.NONE, first.errorCode());
        return first;
    }

    static SyncGroupRequestData syncRequest(String group, JoinGroupResponseData me, String... members) {
        SyncGroupRequestData request = new SyncGroupRequestData().setGroupId(group).setMemberId(me.memberId()).setGenerationId(me.generationId());
        request.setProtocolType("consumer").setProtocolName(me.protocolName());
        for (String member : members) {
            request.assignments().add(new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(member).setAssignment(member.getBytes()));
        }
        return request;
    }

    static SyncGroupResponseData sync(Wire wire, SyncGroupRequestData request) throws Exception {
        return wire.ask(ApiKeys.SYNC_GROUP, wire.version(ApiKeys.SYNC_GROUP, 5), request, SyncGroupResponseData::new);
    }

    static short heartbeat(Wire wire, String group, String member, int generation) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData().setGroupId(group).setMemberId(member).setGenerationId(generation);
        return wire.ask(ApiKeys.HEARTBEAT, wire.version(ApiKeys.HEARTBEAT, 4), request, HeartbeatResponseData::new).errorCode();
    }

    static LeaveGroupResponseData leave(Wire wire, String group, String member) throws Exception {
        LeaveGroupRequestData request = new LeaveGroupRequestData().setGroupId(group);
        request.setMembers(List.of(new LeaveGroupRequestData.MemberIdentity().setMemberId(member)));
        return wire.ask(ApiKeys.LEAVE_GROUP, wire.version(ApiKeys.LEAVE_GROUP, 5), request, LeaveGroupResponseData::new);
    }

    private static void memberId(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String group = kit.name("g");
        Raw.coordinator(wire, group, (byte) 0);
        JoinGroupResponseData first = join(wire, joinRequest(group, "", null, "range"));
        answered(Errors.MEMBER_ID_REQUIRED, first.errorCode());
        check(first.memberId().startsWith("conformance-"), first);
        JoinGroupResponseData second = join(wire, joinRequest(group, first.memberId(), null, "range"));
        answered(Errors.NONE, second.errorCode());
        equal(first.memberId(), second.leader());
        equal(1, second.generationId());
        equal("range", second.protocolName());
        // Before version 4 one step was enough.
        JoinGroupResponseData old = wire.ask(ApiKeys.JOIN_GROUP, 3, joinRequest(kit.name("g"), "", null, "range"), JoinGroupResponseData::new);
        answered(Errors.NONE, old.errorCode());
    }

    private static void invalidJoins(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String group = kit.name("g");
        Raw.coordinator(wire, group, (byte) 0);
        answered(Errors.UNKNOWN_MEMBER_ID, join(wire, joinRequest(group, "nobody", null, "range")).errorCode());
        answered(Errors.INVALID_SESSION_TIMEOUT, join(wire, joinRequest(group, "", null, "range").setSessionTimeoutMs(1)).errorCode());
        answered(Errors.INVALID_SESSION_TIMEOUT, join(wire, joinRequest(group, "", null, "range").setSessionTimeoutMs(100_000_000)).errorCode());
        answered(Errors.INVALID_GROUP_ID, join(wire, joinRequest("", "", null, "range")).errorCode());
        joined(wire, joinRequest(group, "", null, "range"));
        answered(Errors.INCONSISTENT_GROUP_PROTOCOL, join(wire, joinRequest(group, "", null, "other")).errorCode());
        answered(Errors.INCONSISTENT_GROUP_PROTOCOL, join(wire, joinRequest(group, "", null, "range").setProtocolType("connect")).errorCode());
    }

    private static void heartbeats(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        Wire other = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData me = joined(wire, joinRequest(group, "", null, "range"));
        SyncGroupResponseData synced = sync(wire, syncRequest(group, me, me.memberId()));
        answered(Errors.NONE, synced.errorCode());
        equal(me.memberId(), new String(synced.assignment()));
        answered(Errors.NONE, heartbeat(wire, group, me.memberId(), 1));
        answered(Errors.ILLEGAL_GENERATION, heartbeat(wire, group, me.memberId(), 0));
        answered(Errors.ILLEGAL_GENERATION, heartbeat(wire, group, me.memberId(), 2));
        answered(Errors.UNKNOWN_MEMBER_ID, heartbeat(wire, group, "nobody", 1));
        answered(Errors.UNKNOWN_MEMBER_ID, heartbeat(wire, kit.name("g"), me.memberId(), 1));
        JoinGroupResponseData id = join(other, joinRequest(group, "", null, "range"));
        RequestHeader waiting = other.sendOnly(ApiKeys.JOIN_GROUP, other.version(ApiKeys.JOIN_GROUP, 9), joinRequest(group, id.memberId(), null, "range"));
        eventually("a rebalance", () -> heartbeat(wire, group, me.memberId(), 1) == Errors.REBALANCE_IN_PROGRESS.code());
        JoinGroupResponseData mine = join(wire, joinRequest(group, me.memberId(), null, "range"));
        JoinGroupResponseData theirs = other.receive(waiting, JoinGroupResponseData::new);
        equal("2 2", mine.generationId() + " " + theirs.generationId());
    }

    private static void leader(Kit kit) throws Exception {
        Wire one = new Wire(kit);
        Wire two = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData first = joined(one, joinRequest(group, "", null, "range", "roundrobin"));
        sync(one, syncRequest(group, first, first.memberId()));
        JoinGroupResponseData id = join(two, joinRequest(group, "", null, "roundrobin"));
        RequestHeader waiting = two.sendOnly(ApiKeys.JOIN_GROUP, two.version(ApiKeys.JOIN_GROUP, 9), joinRequest(group, id.memberId(), null, "roundrobin"));
        eventually("a rebalance", () -> heartbeat(one, group, first.memberId(), 1) == Errors.REBALANCE_IN_PROGRESS.code());
        JoinGroupResponseData leader = join(one, joinRequest(group, first.memberId(), null, "range", "roundrobin"));
        JoinGroupResponseData follower = two.receive(waiting, JoinGroupResponseData::new);
        equal(leader.memberId(), leader.leader());
        equal(leader.memberId(), follower.leader());
        equal("2 0", leader.members().size() + " " + follower.members().size());
        equal("roundrobin roundrobin", leader.protocolName() + " " + follower.protocolName());
        // The follower waits for the leader's word.
        RequestHeader syncing = two.sendOnly(ApiKeys.SYNC_GROUP, two.version(ApiKeys.SYNC_GROUP, 5), syncRequest(group, follower));
        answered(Errors.NONE, sync(one, syncRequest(group, leader, leader.memberId(), follower.memberId())).errorCode());
        equal(follower.memberId(), new String(two.receive(syncing, SyncGroupResponseData::new).assignment()));
        answered(Errors.ILLEGAL_GENERATION, sync(one, syncRequest(group, leader).setGenerationId(1)).errorCode());
        answered(Errors.UNKNOWN_MEMBER_ID, sync(one, syncRequest(group, leader).setMemberId("nobody")).errorCode());
        answered(Errors.INCONSISTENT_GROUP_PROTOCOL, sync(one, syncRequest(group, leader).setProtocolName("range")).errorCode());
    }

    private static void expiry(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData me = joined(wire, joinRequest(group, "", null, "range").setSessionTimeoutMs(1500));
        sync(wire, syncRequest(group, me, me.memberId()));
        for (int beat = 0; beat < 4; beat++) {
            Thread.sleep(500);
            answered(Errors.NONE, heartbeat(wire, group, me.memberId(), 1));
        }
        Thread.sleep(2500);
        answered(Errors.UNKNOWN_MEMBER_ID, heartbeat(wire, group, me.memberId(), 1));
        equal(3, joined(wire, joinRequest(group, "", null, "range")).generationId());
    }

    private static void rebalanceTimeout(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        Wire other = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData me = joined(wire, joinRequest(group, "", null, "range").setRebalanceTimeoutMs(1000));
        sync(wire, syncRequest(group, me, me.memberId()));
        long began = System.nanoTime();
        JoinGroupResponseData next = joined(other, joinRequest(group, "", null, "range").setRebalanceTimeoutMs(1000));
        long tookMs = (System.nanoTime() - began) / 1_000_000;
        check(tookMs >= 900 && tookMs < 8000, tookMs + " ms");
        equal(next.memberId(), next.leader());
        equal(1, next.members().size());
        answered(Errors.UNKNOWN_MEMBER_ID, heartbeat(wire, group, me.memberId(), 1));
    }

    static short commit(Wire wire, String group, String member, int generation, String topic, long offset) throws Exception {
        OffsetCommitRequestData request = new OffsetCommitRequestData().setGroupId(group).setMemberId(member).setGenerationIdOrMemberEpoch(generation);
        var part = new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(0).setCommittedOffset(offset);
        request.setTopics(List.of(new OffsetCommitRequestData.OffsetCommitRequestTopic().setName(topic).setPartitions(List.of(part))));
        OffsetCommitResponseData found = wire.ask(ApiKeys.OFFSET_COMMIT, wire.version(ApiKeys.OFFSET_COMMIT, 9), request, OffsetCommitResponseData::new);
        return found.topics().get(0).partitions().get(0).errorCode();
    }

    private static void commits(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String group = kit.name("g");
        JoinGroupResponseData me = joined(wire, joinRequest(group, "", null, "range"));
        answered(Errors.REBALANCE_IN_PROGRESS, commit(wire, group, me.memberId(), 1, topic, 1));
        sync(wire, syncRequest(group, me, me.memberId()));
        answered(Errors.NONE, commit(wire, group, me.memberId(), 1, topic, 1));
        answered(Errors.ILLEGAL_GENERATION, commit(wire, group, me.memberId(), 0, topic, 2));
        answered(Errors.UNKNOWN_MEMBER_ID, commit(wire, group, "nobody", 1, topic, 2));
        answered(Errors.UNKNOWN_MEMBER_ID, commit(wire, group, "", -1, topic, 2));
        boolean tellsOfGroups = wire.version(ApiKeys.OFFSET_COMMIT, 9) >= 9;
        Errors unknown = tellsOfGroups ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION;
        answered(unknown, commit(wire, kit.name("g"), "nobody", 1, topic, 2));
        equal(1L, kit.committed(group, topic, 0).offset());
    }

    private static void staticMember(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData first = joined(wire, joinRequest(group, "", "name", "range"));
        answered(Errors.NONE, sync(wire, syncRequest(group, first, first.memberId()).setGroupInstanceId("name")).errorCode());
        JoinGroupResponseData second = joined(wire, joinRequest(group, "", "name", "range"));
        check(!second.memberId().equals(first.memberId()), second);
        // The same generation: nobody else has to rejoin.
        equal(first.generationId(), second.generationId());
        SyncGroupResponseData synced = sync(wire, syncRequest(group, second).setGroupInstanceId("name"));
        equal(first.memberId(), new String(synced.assignment()));
        HeartbeatRequestData request = new HeartbeatRequestData().setGroupId(group).setMemberId(first.memberId()).setGenerationId(1).setGroupInstanceId("name");
        answered(Errors.FENCED_INSTANCE_ID, wire.ask(ApiKeys.HEARTBEAT, wire.version(ApiKeys.HEARTBEAT, 4), request, HeartbeatResponseData::new).errorCode());
        answered(Errors.FENCED_INSTANCE_ID, join(wire, joinRequest(group, first.memberId(), "name", "range")).errorCode());
    }

    private static void leaving(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String group = kit.name("g");
        JoinGroupResponseData me = joined(wire, joinRequest(group, "", null, "range"));
        answered(Errors.NONE, leave(wire, group, me.memberId()).members().get(0).errorCode());
        LeaveGroupResponseData again = leave(wire, group, me.memberId());
        answered(Errors.UNKNOWN_MEMBER_ID, again.errorCode() != 0 ? again.errorCode() : again.members().get(0).errorCode());
        answered(Errors.UNKNOWN_MEMBER_ID, heartbeat(wire, group, me.memberId(), 1));
    }

    private static void offsetFetch(Kit kit) throws Exception {
        Wire wire = new Wire(kit);
        String topic = kit.topic(1);
        String group = kit.name("g");
        Raw.coordinator(wire, group, (byte) 0);
        answered(Errors.NONE, commit(wire, group, "", -1, topic, 77));
        for (int version = 1; version <= wire.version(ApiKeys.OFFSET_FETCH, 9); version++) {
            for (boolean all : new boolean[] {false, true}) {
                if (all && version < 2) continue;
                OffsetFetchRequestData request = new OffsetFetchRequestData();
                if (version < 8) {
                    request.setGroupId(group);
                    var one = new OffsetFetchRequestData.OffsetFetchRequestTopic().setName(topic).setPartitionIndexes(List.of(0));
                    request.setTopics(all ? null : List.of(one));
                } else {
                    var one = new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(topic).setPartitionIndexes(List.of(0));
                    request.setGroups(List.of(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group).setTopics(all ? null : List.of(one))));
                }
                OffsetFetchResponseData found = wire.ask(ApiKeys.OFFSET_FETCH, version, request, OffsetFetchResponseData::new);
                long offset = version < 8
                        ? found.topics().get(0).partitions().get(0).committedOffset()
                        : found.groups().get(0).topics().get(0).partitions().get(0).committedOffset();
                equal(77L, offset);
            }
        }
    }
}
