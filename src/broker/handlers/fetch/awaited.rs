//! What a fetch waits for: that there may be enough to read, or something else to say. It is found out without reading.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

use super::AskedTopic;
use super::found::Found;
use crate::broker::log::{Isolation, PartitionLog, Progress};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::fetch::FetchPartition;

/// When something came but not enough, more is awaited for so long before it is counted again.
const GATHER: Duration = Duration::from_millis(2);

/// The partitions of a fetch, as they were before a look at them.
pub struct Awaited {
    partitions: Vec<Partition>,
    isolation: Isolation,
}

struct Partition {
    log: Arc<PartitionLog>,
    changed: watch::Receiver<Progress>,
    fetch_offset: i64,
    /// As the client bounds it.
    most: usize,
    appended_bytes: u64,
    readable_to: i64,
}

impl Awaited {
    /// Whatever changes from now on is not missed.
    pub fn of(topics: &[AskedTopic], isolation: Isolation) -> Self {
        let all = topics.iter().flat_map(|topic| topic.asked.partitions.iter().zip(&topic.logs));
        let partition = |(asked, log): (&FetchPartition, &Result<Arc<PartitionLog>, ErrorCode>)| {
            let log = log.as_ref().ok()?;
            Some(Partition {
                changed: log.changed(),
                fetch_offset: asked.fetch_offset,
                most: usize::try_from(asked.partition_max_bytes).unwrap_or(0),
                appended_bytes: log.appended_bytes(),
                readable_to: log.progress().upper(isolation),
                log: Arc::clone(log),
            })
        };
        Awaited { partitions: all.filter_map(partition).collect(), isolation }
    }

    /// Nothing can come.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Waits until so many bytes may be there, with those that were found, or a partition is not what it was. Then it is worth another look.
    pub async fn enough(&mut self, found: &Found, wanted: usize) {
        loop {
            self.any().await;
            if self.may_have(found, wanted) {
                return;
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    fn may_have(&self, found: &Found, wanted: usize) -> bool {
        let mut bytes = 0_usize;
        for (partition, read) in self.partitions.iter().zip(&found.bytes_each) {
            let progress = partition.log.progress();
            let is_there = (progress.log_start..=progress.high_watermark).contains(&partition.fetch_offset);
            if partition.log.is_deleted() || !is_there {
                return true;
            }
            if progress.upper(self.isolation) > partition.readable_to {
                let came = partition.log.appended_bytes() - partition.appended_bytes;
                bytes += read.saturating_add(usize::try_from(came).unwrap_or(usize::MAX)).min(partition.most);
            } else {
                bytes += read;
            }
        }
        bytes >= wanted
    }

    /// Waits for any change of any partition.
    async fn any(&mut self) {
        let mut waiting: Vec<_> = self.partitions.iter_mut().map(Partition::any_change).collect();
        poll_fn(|context| {
            let any = waiting.iter_mut().any(|one| one.as_mut().poll(context).is_ready());
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Partition {
    fn any_change(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // It cannot be closed: the request holds the log.
        Box::pin(async { _ = self.changed.changed().await })
    }
}
