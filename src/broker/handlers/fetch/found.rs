//! What a fetch finds in its partitions.

use super::AskedTopic;
use crate::broker::answer_memory::Share;
use crate::broker::log::{Isolation, PartitionLog, Progress, ReadError, ReadRoom};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::fetch::{AbortedTransaction, FetchPartition, FetchableTopicResponse, PartitionData};

/// One look at all partitions.
pub struct Found {
    /// As they are answered.
    pub topics: Vec<FetchableTopicResponse>,
    /// Of records, in all partitions.
    pub bytes: usize,
    /// In each that exists, in their order.
    pub bytes_each: Vec<usize>,
    /// There is something to say that must not wait.
    pub settled: bool,
    /// Bytes of the first batch, for which there was no memory; nothing else was read then.
    pub too_large: Option<usize>,
}

impl Found {
    /// Reads what there is, within a share of the memory.
    pub fn look(topics: &[AskedTopic], isolation: Isolation, share: &Share) -> Self {
        let mut found =
            Found { topics: Vec::with_capacity(topics.len()), bytes: 0, bytes_each: Vec::new(), settled: false, too_large: None };
        for topic in topics {
            let mut partitions = Vec::with_capacity(topic.logs.len());
            for (asked, log) in topic.asked.partitions.iter().zip(&topic.logs) {
                let data = match log {
                    Ok(log) => {
                        let before = found.bytes;
                        let data = found.read(log, asked, isolation, share);
                        found.bytes_each.push(found.bytes - before);
                        data
                    }
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
        if log.is_deleted() {
            return PartitionData { error_code: ErrorCode::from(&ReadError::Deleted), ..unread(asked.partition, unknown()) };
        }
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
