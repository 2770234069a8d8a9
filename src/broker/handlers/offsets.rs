//! Requests to the group coordinator about committed offsets.

use crate::broker::coordinator::Coordinator;
use crate::broker::groups::{Commit, Committer, FetchedOffset, OffsetToCommit};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::broker::wire::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::broker::wire::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

/// Answers OffsetCommit. Partitions that do not exist are refused, each for itself.
pub async fn offset_commit(coordinator: &Coordinator, version: i16, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let by = Committer {
        generation: request.generation_id_or_member_epoch,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
    };
    let all = partitions(request.topics.into_iter().map(|topic| (topic.name, topic.partitions)));
    let to_commit = all.map(|(topic, partition)| OffsetToCommit {
        topic,
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata,
    });
    let retention_ms = (request.retention_time_ms >= 0).then_some(request.retention_time_ms);
    let known = |offset: &OffsetToCommit| coordinator.has_partition(&offset.topic, offset.partition);
    let answers = OnlyKnown::of(to_commit, known)
        .answer(async |offsets| {
            let commit = Commit { group: request.group_id, by, offsets, retention_ms, knows_missing_group: version >= 9 };
            coordinator.commit_offsets(&commit).await
        })
        .await;
    let topics = by_topic(answers)
        .into_iter()
        .map(|(name, errors)| OffsetCommitResponseTopic {
            name,
            partitions: errors
                .into_iter()
                .map(|(partition_index, error_code)| OffsetCommitResponsePartition { partition_index, error_code })
                .collect(),
        })
        .collect();
    OffsetCommitResponse { throttle_time_ms: 0, topics }
}

/// Answers OffsetFetch: of one group (until version 7), or of several.
pub fn offset_fetch(coordinator: &Coordinator, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let mut response = OffsetFetchResponse::default();
    let fetch = |group: &str, asked: Option<Vec<(String, i32)>>| {
        let fetched = coordinator.fetch_offsets(group, asked.as_deref(), request.require_stable);
        by_topic(fetched.into_iter().map(|offset| (offset.topic.clone(), offset.partition, offset)).collect())
    };
    if version <= 7 {
        let asked =
            request.topics.map(|topics| partitions(topics.into_iter().map(|topic| (topic.name, topic.partition_indexes))).collect());
        for (name, offsets) in fetch(&request.group_id, asked) {
            let partitions = offsets.into_iter().map(|(partition_index, offset)| {
                let (error_code, committed_offset, committed_leader_epoch, metadata) = tell(offset);
                OffsetFetchResponsePartition { partition_index, committed_offset, committed_leader_epoch, metadata, error_code }
            });
            response.topics.push(OffsetFetchResponseTopic { name, partitions: partitions.collect() });
        }
        return response;
    }
    for group in request.groups {
        let asked = group.topics.map(|topics| partitions(topics.into_iter().map(|topic| (topic.name, topic.partition_indexes))).collect());
        let mut told = OffsetFetchResponseGroup { group_id: group.group_id, ..OffsetFetchResponseGroup::default() };
        for (name, offsets) in fetch(&told.group_id, asked) {
            let partitions = offsets.into_iter().map(|(partition_index, offset)| {
                let (error_code, committed_offset, committed_leader_epoch, metadata) = tell(offset);
                OffsetFetchResponsePartitions { partition_index, committed_offset, committed_leader_epoch, metadata, error_code }
            });
            told.topics.push(OffsetFetchResponseTopics { name, partitions: partitions.collect() });
        }
        response.groups.push(told);
    }
    response
}

/// Answers OffsetDelete.
pub async fn offset_delete(coordinator: &Coordinator, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let asked = partitions(request.topics.into_iter().map(|topic| (topic.name, topic.partitions)));
    let asked = asked.map(|(topic, partition)| (topic, partition.partition_index));
    let mut failed = None;
    let answers = OnlyKnown::of(asked, |(topic, partition)| coordinator.has_partition(topic, *partition))
        .answer(async |partitions| {
            let result = coordinator.delete_offsets(&request.group_id, &partitions).await;
            failed = result.as_ref().err().copied();
            result
        })
        .await;
    if let Some(error_code) = failed {
        return OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
    }
    let topics = by_topic(answers)
        .into_iter()
        .map(|(name, errors)| OffsetDeleteResponseTopic {
            name,
            partitions: errors
                .into_iter()
                .map(|(partition_index, error_code)| OffsetDeleteResponsePartition { partition_index, error_code })
                .collect(),
        })
        .collect();
    OffsetDeleteResponse { error_code: ErrorCode::None, throttle_time_ms: 0, topics }
}

/// What names a partition.
pub(super) trait OfPartition {
    fn of(&self) -> (String, i32);
}

impl OfPartition for OffsetToCommit {
    fn of(&self) -> (String, i32) {
        (self.topic.clone(), self.partition)
    }
}

impl OfPartition for (String, i32) {
    fn of(&self) -> (String, i32) {
        self.clone()
    }
}

/// A request about partitions, some of which may not exist: the coordinator is asked about the others alone.
pub(super) struct OnlyKnown<T> {
    known: Vec<T>,
    /// In the request's order; of the known ones the error comes later.
    all: Vec<(String, i32, Option<ErrorCode>)>,
}

impl<T: OfPartition> OnlyKnown<T> {
    pub(super) fn of(asked: impl Iterator<Item = T>, is_known: impl Fn(&T) -> bool) -> Self {
        let mut sorted = OnlyKnown { known: Vec::new(), all: Vec::new() };
        for one in asked {
            let (topic, partition) = one.of();
            let is_known = is_known(&one);
            sorted.all.push((topic, partition, (!is_known).then_some(ErrorCode::UnknownTopicOrPartition)));
            if is_known {
                sorted.known.push(one);
            }
        }
        sorted
    }

    /// With an error for each known one, or one for all of them.
    pub(super) async fn answer(self, ask: impl AsyncFnOnce(Vec<T>) -> Result<Vec<ErrorCode>, ErrorCode>) -> Vec<(String, i32, ErrorCode)> {
        // Kafka does not ask either when nothing is left; a group is checked only for offsets that could be its.
        let answered = if self.known.is_empty() { Ok(Vec::new()) } else { ask(self.known).await };
        let for_all = answered.as_ref().err().copied();
        let mut each = answered.unwrap_or_default().into_iter();
        let error = |error: Option<ErrorCode>| error.or(for_all).or_else(|| each.next()).unwrap_or_default();
        let mut error = error;
        self.all.into_iter().map(|(topic, partition, known)| (topic, partition, error(known))).collect()
    }
}

/// Groups what follows each other by topic, as responses have it.
pub(super) fn by_topic<T>(answers: Vec<(String, i32, T)>) -> Vec<(String, Vec<(i32, T)>)> {
    let mut topics: Vec<(String, Vec<(i32, T)>)> = Vec::new();
    for (topic, partition, answer) in answers {
        match topics.last_mut().filter(|(last, _)| *last == topic) {
            Some((_, partitions)) => partitions.push((partition, answer)),
            None => topics.push((topic, vec![(partition, answer)])),
        }
    }
    topics
}

/// What requests have by topic, each partition with its topic.
pub(super) fn partitions<P>(topics: impl Iterator<Item = (String, Vec<P>)>) -> impl Iterator<Item = (String, P)> {
    topics.flat_map(|(topic, partitions)| partitions.into_iter().map(move |partition| (topic.clone(), partition)))
}

fn tell(fetched: FetchedOffset) -> (ErrorCode, i64, i32, Option<String>) {
    let error = if fetched.unstable { ErrorCode::UnstableOffsetCommit } else { ErrorCode::None };
    match fetched.offset {
        Some(committed) => (error, committed.offset, committed.leader_epoch, Some(committed.metadata)),
        None => (error, -1, -1, Some(String::new())),
    }
}
