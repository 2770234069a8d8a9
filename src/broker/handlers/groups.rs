//! Requests to the group coordinator about members and groups.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::Client;
use crate::broker::coordinator::Coordinator;
use crate::broker::groups::{self, Join, Leaving, Protocol, Sync};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use crate::broker::wire::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember};
use crate::broker::wire::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::broker::wire::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use crate::broker::wire::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse};
use crate::broker::wire::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use crate::broker::wire::sync_group::{SyncGroupRequest, SyncGroupResponse};

/// What may be done with a group, as bits of Kafka's ACL operations: read, delete, describe, describe and alter configs. All of it, to all.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Answers JoinGroup, once the group has come together.
pub async fn join_group(coordinator: &Coordinator, client: &Client, version: i16, request: JoinGroupRequest) -> JoinGroupResponse {
    let session_timeout = millis(request.session_timeout_ms);
    let join = Join {
        group: request.group_id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        client_id: client.id.clone(),
        client_host: client.host.clone(),
        session_timeout,
        rebalance_timeout: if version >= 1 { millis(request.rebalance_timeout_ms) } else { session_timeout },
        protocol_type: request.protocol_type,
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| Protocol { name: protocol.name, metadata: own(&protocol.metadata) })
            .collect(),
        id_first: version >= 4,
        may_skip_assignment: version >= 9,
        unique: Uuid::new_v4().to_string(),
    };
    let joined = coordinator.join_group(join).await;
    JoinGroupResponse {
        throttle_time_ms: 0,
        error_code: joined.error,
        generation_id: joined.generation,
        protocol_type: joined.protocol_type,
        protocol_name: joined.protocol,
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id,
        members: joined
            .members
            .into_iter()
            .map(|member| JoinGroupResponseMember {
                member_id: member.id,
                group_instance_id: member.instance_id,
                metadata: member.metadata,
            })
            .collect(),
    }
}

/// Answers SyncGroup, once the leader has assigned.
pub async fn sync_group(coordinator: &Coordinator, request: SyncGroupRequest) -> SyncGroupResponse {
    let sync = Sync {
        group: request.group_id,
        generation: request.generation_id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: request.assignments.into_iter().map(|assigned| (assigned.member_id, own(&assigned.assignment))).collect(),
    };
    let synced = coordinator.sync_group(sync).await;
    SyncGroupResponse {
        throttle_time_ms: 0,
        error_code: synced.error,
        protocol_type: synced.protocol_type,
        protocol_name: synced.protocol,
        assignment: synced.assignment,
    }
}

/// Answers Heartbeat.
pub fn heartbeat(coordinator: &Coordinator, request: &HeartbeatRequest) -> HeartbeatResponse {
    let instance = request.group_instance_id.as_deref();
    let result = coordinator.heartbeat(&request.group_id, request.generation_id, &request.member_id, instance);
    HeartbeatResponse { throttle_time_ms: 0, error_code: result.err().unwrap_or_default() }
}

/// Answers LeaveGroup: of one member (until version 2), or of several.
pub async fn leave_group(coordinator: &Coordinator, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let members = if version <= 2 {
        vec![MemberIdentity { member_id: request.member_id, group_instance_id: None, reason: None }]
    } else {
        request.members
    };
    let leaving =
        members.into_iter().map(|member| Leaving { member_id: member.member_id, instance_id: member.group_instance_id }).collect();
    let mut response = LeaveGroupResponse::default();
    match coordinator.leave_group(&request.group_id, leaving).await {
        Err(error) => response.error_code = error,
        Ok(left) if version <= 2 => response.error_code = left.first().map(|left| left.error).unwrap_or_default(),
        Ok(left) => {
            let respond = |left: groups::Left| MemberResponse {
                member_id: left.who.member_id,
                group_instance_id: left.who.instance_id,
                error_code: left.error,
            };
            response.members = left.into_iter().map(respond).collect();
        }
    }
    response
}

/// Answers DescribeGroups. A group that does not exist is "Dead", and an error since version 6.
pub fn describe_groups(coordinator: &Coordinator, version: i16, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { i32::MIN };
    let describe = |id: String| {
        let Some(group) = coordinator.describe_group(&id) else {
            let missing = version >= 6;
            return DescribedGroup {
                error_code: if missing { ErrorCode::GroupIdNotFound } else { ErrorCode::None },
                error_message: missing.then(|| format!("Group {id} not found.")),
                group_id: id,
                group_state: "Dead".to_owned(),
                authorized_operations: operations,
                ..DescribedGroup::default()
            };
        };
        let member = |member: groups::DescribedMember| DescribedGroupMember {
            member_id: member.id,
            group_instance_id: member.instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            member_metadata: member.metadata,
            member_assignment: member.assignment,
        };
        DescribedGroup {
            error_code: ErrorCode::None,
            error_message: None,
            group_id: id,
            group_state: group.state.name().to_owned(),
            protocol_type: group.protocol_type,
            protocol_data: group.protocol,
            members: group.members.into_iter().map(member).collect(),
            authorized_operations: operations,
        }
    };
    DescribeGroupsResponse { throttle_time_ms: 0, groups: request.groups.into_iter().map(describe).collect() }
}

/// Answers ListGroups.
pub fn list_groups(coordinator: &Coordinator, request: &ListGroupsRequest) -> ListGroupsResponse {
    let listed = coordinator.list_groups(&request.states_filter, &request.types_filter);
    let respond = |group: groups::ListedGroup| ListedGroup {
        group_id: group.id,
        protocol_type: group.protocol_type,
        group_state: group.state.name().to_owned(),
        group_type: "classic".to_owned(),
    };
    ListGroupsResponse { throttle_time_ms: 0, error_code: ErrorCode::None, groups: listed.into_iter().map(respond).collect() }
}

/// Answers DeleteGroups.
pub async fn delete_groups(coordinator: &Coordinator, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    for group_id in request.groups_names {
        let error_code = coordinator.delete_group(&group_id).await.err().unwrap_or_default();
        response.results.push(DeletableGroupResult { group_id, error_code });
    }
    response
}

/// A negative time-out is none.
fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// What is kept must not hold the whole request that it came in.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
