//! Records are read, as they are stored; when there are too few, the client waits for more.

mod awaited;
mod found;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use self::awaited::Awaited;
use self::found::Found;
use super::disk::on_disk;
use crate::broker::answer_memory::Share;
use crate::broker::log::{Isolation, PartitionLog};
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

/// A client waits at most so long, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(300);

/// Answers Fetch, with the memory that the answer takes. There are no sessions: who asks to go on with one is told that there is none, and
/// fetches in full.
pub async fn fetch(node: &Node, version: i16, request: FetchRequest) -> (FetchResponse, Option<Share>) {
    if request.session_id != 0 && request.session_epoch > 0 {
        return (FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound, ..FetchResponse::default() }, None);
    }
    let isolation = if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(node.fetch_bytes);
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(LONGEST);
    let topics: Vec<AskedTopic> = request.topics.into_iter().map(|topic| AskedTopic::of(node, version, topic)).collect();
    let most = topics.iter().map(AskedTopic::most_bytes).fold(0, usize::saturating_add).min(max_bytes);

    let mut deadline = pin!(tokio::time::sleep(wait));
    loop {
        // Before the look, so that what comes during it is not missed.
        let mut awaited = Awaited::of(&topics, isolation);
        let (found, mut share) = look(node, &topics, isolation, most).await;
        // With less memory than it could use it cannot wait for more.
        let is_full = found.bytes > 0 && share.bytes() < most;
        if wait.is_zero() || found.settled || is_full || found.bytes >= wanted || awaited.is_empty() || deadline.is_elapsed() {
            share.shrink(found.bytes);
            return (FetchResponse { responses: found.topics, ..FetchResponse::default() }, Some(share));
        }
        // Who waits takes no memory.
        drop(share);
        tokio::select! {
            () = awaited.enough(&found, wanted) => {}
            () = &mut deadline => {}
        }
    }
}

/// Reads within what memory is left. A batch that is more is waited for, so that each client gets on.
async fn look(node: &Node, topics: &[AskedTopic], isolation: Isolation, most: usize) -> (Found, Share) {
    let share = node.answers.share(most);
    let mut found = on_disk(|| Found::look(topics, isolation, &share));
    let Some(too_large) = found.too_large else { return (found, share) };
    drop(share);
    match node.answers.wait_for(too_large).await {
        Some(share) => (on_disk(|| Found::look(topics, isolation, &share)), share),
        None => {
            // The client asks again.
            found.settled = true;
            (found, node.answers.share(0))
        }
    }
}

/// A topic of the request, looked up once: a fetch reads from the topic that it began with.
struct AskedTopic {
    asked: FetchTopic,
    /// Per partition asked for.
    logs: Vec<Result<Arc<PartitionLog>, ErrorCode>>,
}

impl AskedTopic {
    fn of(node: &Node, version: i16, asked: FetchTopic) -> Self {
        let (topic, missing) = if version >= 13 {
            (node.logs.topic_by_id(asked.topic_id), ErrorCode::UnknownTopicId)
        } else {
            (node.logs.topic(&asked.topic), ErrorCode::UnknownTopicOrPartition)
        };
        let log = |partition: &FetchPartition| {
            let topic = topic.as_ref().ok_or(missing)?;
            let index = usize::try_from(partition.partition).ok();
            let log = index.and_then(|index| topic.partitions.get(index)).ok_or(ErrorCode::UnknownTopicOrPartition)?;
            super::list_offsets::check_epoch(log, partition.current_leader_epoch)?;
            Ok(Arc::clone(log))
        };
        let logs = asked.partitions.iter().map(log).collect();
        AskedTopic { asked, logs }
    }

    /// As the client bounds each partition.
    fn most_bytes(&self) -> usize {
        let most = |asked: &FetchPartition| usize::try_from(asked.partition_max_bytes).unwrap_or(0);
        self.asked.partitions.iter().map(most).fold(0, usize::saturating_add)
    }
}
