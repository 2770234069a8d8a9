//! Records are read, as they are stored; when there are too few, the client waits for more.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::disk::on_disk;
use crate::broker::answer_memory::Share;
use crate::broker::log::{Isolation, PartitionLog, Progress, ReadError, ReadRoom};
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};

/// A client waits at most so long, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(300);
/// When something came but not enough, more is awaited for so long before it is looked at again.
const GATHER: Duration = Duration::from_millis(2);

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
        let mut changes = Changes::of(&topics);
        let (found, mut share) = look(node, &topics, isolation, most).await;
        // With less memory than it could use it cannot wait for more.
        let is_full = found.bytes > 0 && share.bytes() < most;
        if wait.is_zero() || found.settled || is_full || found.bytes >= wanted || changes.is_empty() || deadline.is_elapsed() {
            share.shrink(found.bytes);
            return (FetchResponse { responses: found.topics, ..FetchResponse::default() }, Some(share));
        }
        // Who waits takes no memory.
        drop(share);
        let some = found.bytes > 0;
        tokio::select! {
            () = changes.any() => if some {
                tokio::select! { () = tokio::time::sleep(GATHER) => {}, () = &mut deadline => {} }
            },
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

/// One look at all partitions.
struct Found {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    /// There is something to say that must not wait.
    settled: bool,
    /// Bytes of the first batch, for which there was no memory; nothing else was read then.
    too_large: Option<usize>,
}

impl Found {
    fn look(topics: &[AskedTopic], isolation: Isolation, share: &Share) -> Self {
        let mut found = Found { topics: Vec::with_capacity(topics.len()), bytes: 0, settled: false, too_large: None };
        for topic in topics {
            let mut partitions = Vec::with_capacity(topic.logs.len());
            for (asked, log) in topic.asked.partitions.iter().zip(&topic.logs) {
                let data = match log {
                    Ok(log) => found.read(log, asked, isolation, share),
                    Err(error) => PartitionData { error_code: *error, ..unread(asked.partition, unknown()) },
                };
                found.settled |= data.error_code != ErrorCode::None;
                partitions.push(data);
            }
            found.topics.push(FetchableTopicResponse { topic: topic.asked.topic.clone(), topic_id: topic.asked.topic_id, partitions });
        }
        found
    }

    /// The first batch of an answer is given whatever its size, so that each client gets on.
    fn read(&mut self, log: &PartitionLog, asked: &FetchPartition, isolation: Isolation, share: &Share) -> PartitionData {
        let progress = log.progress();
        let end = progress.upper(isolation);
        let bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(share.bytes().saturating_sub(self.bytes));
        let is_full = self.too_large.is_some() || (bytes == 0 && self.bytes > 0);
        let at_end = (end..=progress.high_watermark).contains(&asked.fetch_offset);
        if at_end || (is_full && (progress.log_start..end).contains(&asked.fetch_offset)) {
            return unread(asked.partition, progress);
        }
        let first_batch = if self.bytes == 0 { share.one_batch() } else { bytes };
        match log.read_within(asked.fetch_offset, ReadRoom { bytes, first_batch }, isolation) {
            Ok(read) if read.too_large.is_some() => {
                if self.bytes == 0 {
                    self.too_large = read.too_large;
                }
                unread(asked.partition, read.progress)
            }
            Ok(read) => {
                self.bytes += read.records.len();
                let aborted = read.aborted.into_iter().map(|(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset });
                PartitionData {
                    aborted_transactions: (isolation == Isolation::ReadCommitted).then(|| aborted.collect()),
                    records: Some(read.records),
                    ..unread(asked.partition, read.progress)
                }
            }
            Err(error) => {
                if let ReadError::Storage { .. } = error {
                    tracing::error!(partition = asked.partition, %error, "records cannot be read");
                }
                PartitionData { error_code: ErrorCode::from(&error), ..unread(asked.partition, unknown()) }
            }
        }
    }
}

fn unread(partition_index: i32, progress: Progress) -> PartitionData {
    PartitionData {
        partition_index,
        high_watermark: progress.high_watermark,
        last_stable_offset: progress.last_stable,
        log_start_offset: progress.log_start,
        records: Some(bytes::Bytes::new()),
        ..PartitionData::default()
    }
}

fn unknown() -> Progress {
    Progress { log_start: -1, high_watermark: -1, last_stable: -1 }
}

/// Waits for any of many partitions.
struct Changes {
    waiting: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Changes {
    fn of(topics: &[AskedTopic]) -> Self {
        let logs = topics.iter().flat_map(|topic| &topic.logs).flatten();
        let waiting = logs.map(|log| {
            let mut changed = log.changed();
            // It cannot be closed: the request holds the log.
            Box::pin(async move { _ = changed.changed().await }) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        Changes { waiting: waiting.collect() }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    async fn any(&mut self) {
        poll_fn(|context| {
            let any = self.waiting.iter_mut().any(|one| one.as_mut().poll(context).is_ready());
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
