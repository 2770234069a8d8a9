//! What handlers ask of groups.

use tracing::error;

use super::super::groups::{Answer, Commit, DescribedGroup, FetchedOffset, Join, Joined, Leaving, Left, ListedGroup, Sync, Synced};
use super::super::log::{AppendError, Fsync};
use super::super::wire::ErrorCode;
use super::Coordinator;

impl Coordinator {
    /// JoinGroup; waits for the rebalance.
    pub async fn join_group(&self, join: Join) -> Joined {
        let member_id = join.member_id.clone();
        match self.answered(|state, now, waiter| state.groups.join(&mut state.journal, now, join, waiter)).await {
            Some(Answer::Joined(joined)) => joined,
            _ => Joined::failed(ErrorCode::CoordinatorNotAvailable, &member_id),
        }
    }

    /// SyncGroup; waits for the leader.
    pub async fn sync_group(&self, sync: Sync) -> Synced {
        match self.answered(|state, now, waiter| state.groups.sync(&mut state.journal, now, sync, waiter)).await {
            Some(Answer::Synced(synced)) => synced,
            _ => Synced::failed(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// Heartbeat.
    pub fn heartbeat(&self, group: &str, generation: i32, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        self.with(|state, now| state.groups.heartbeat(now, group, generation, member_id, instance_id))
    }

    /// LeaveGroup.
    pub async fn leave_group(&self, group: &str, leaving: Vec<Leaving>) -> Result<Vec<Left>, ErrorCode> {
        self.with_journal(|state, now| state.groups.leave(&mut state.journal, now, group, leaving)).await
    }

    /// OffsetCommit: an error for each offset, or one for all.
    pub async fn commit_offsets(&self, commit: &Commit) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.read_is_on_disk(commit).await?;
        self.with_journal(|state, now| state.groups.commit(&mut state.journal, now, commit)).await
    }

    /// With [`Fsync::Always`], readers see records before they are on disk; but an offset must not outlive the records before it.
    pub(super) async fn read_is_on_disk(&self, commit: &Commit) -> Result<(), ErrorCode> {
        if self.shared.settings.fsync != Fsync::Always {
            return Ok(());
        }
        let partitions: Vec<_> = commit
            .offsets
            .iter()
            .filter_map(|offset| Some((self.shared.logs.partition(&offset.topic, offset.partition)?, offset.offset)))
            .collect();
        let flushing = tokio::task::spawn_blocking(move || {
            partitions.into_iter().try_for_each(|(log, offset)| match log.flush(offset.min(log.progress().high_watermark)) {
                Ok(()) | Err(AppendError::Deleted) => Ok(()),
                Err(error) => Err(error),
            })
        });
        match flushing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                error!(group = commit.group, %error, "offsets are not committed: the records before them cannot be brought to disk");
                Err(ErrorCode::CoordinatorNotAvailable)
            }
            Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// OffsetFetch.
    pub fn fetch_offsets(&self, group: &str, partitions: Option<&[(String, i32)]>, require_stable: bool) -> Vec<FetchedOffset> {
        self.with(|state, _| state.groups.fetch(group, partitions, require_stable))
    }

    /// OffsetDelete: an error for each partition, or one for all.
    pub async fn delete_offsets(&self, group: &str, partitions: &[(String, i32)]) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.with_journal(|state, _| state.groups.delete_offsets(&mut state.journal, group, partitions)).await
    }

    /// A topic is deleted: its committed offsets are no more. To be called by whoever deletes topics.
    pub async fn topic_deleted(&self, topic: &str) -> Result<(), ErrorCode> {
        let (before, after) = self.with(|state, _| {
            let before = state.journal.position();
            state.groups.topic_deleted(&mut state.journal, topic).map(|()| (before, state.journal.position()))
        })?;
        // A topic of the same name may come at once, and offsets that came back after a power cut would skip its first records.
        if before == after { Ok(()) } else { self.on_disk(after).await }
    }

    /// DescribeGroups.
    pub fn describe_group(&self, id: &str) -> Option<DescribedGroup> {
        self.with(|state, _| state.groups.describe(id))
    }

    /// ListGroups.
    pub fn list_groups(&self, states: &[String], types: &[String]) -> Vec<ListedGroup> {
        self.with(|state, _| state.groups.list(states, types))
    }

    /// DeleteGroups, one of them.
    pub async fn delete_group(&self, id: &str) -> Result<(), ErrorCode> {
        self.with_journal(|state, _| state.groups.delete(&mut state.journal, id)).await
    }
}
