//! The queues of a task's source partitions, and whose record goes first.

use std::collections::VecDeque;

use crate::ports::{DataConsumer, Fetched, InputMessage, PortError};
use crate::record::{Offset, Timestamp, TopicPartition};

/// How many records a queue is filled up to.
const QUEUE_RECORDS: usize = 1_000;

struct Queue<M> {
    partition: TopicPartition,
    entries: VecDeque<Fetched<M>>,
    /// The time of the first record; `None` when there is none.
    head: Option<Timestamp>,
    /// The end of the log, while nothing has come after it.
    end: Option<Offset>,
}

/// The fetched records of a task. The one with the smallest time goes first, so that a replay sees much the same order as the
/// first run did, however the partitions came in.
pub struct PartitionGroup<M> {
    queues: Vec<Queue<M>>,
}

impl<M: InputMessage> PartitionGroup<M> {
    /// Empty queues for these partitions.
    pub fn new<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> Self {
        let queue = |partition: &TopicPartition| Queue { partition: partition.clone(), entries: VecDeque::new(), head: None, end: None };
        PartitionGroup { queues: partitions.map(queue).collect() }
    }

    /// Takes over what the consumer has, up to the bound of each queue. A full queue is left alone: what was fetched stays with
    /// the consumer. Answers how many entries came.
    pub fn fill<D: DataConsumer<Message = M>>(&mut self, consumer: &mut D) -> Result<usize, PortError> {
        let mut came = 0;
        for queue in &mut self.queues {
            if queue.entries.len() < QUEUE_RECORDS / 2 {
                let room = QUEUE_RECORDS - queue.entries.len();
                came += consumer.fetch(&queue.partition, room, &mut queue.entries)?;
                queue.settle_head();
            }
        }
        Ok(came)
    }

    /// The record to process next, with the index of its source partition.
    pub fn pop(&mut self) -> Option<(usize, M)> {
        let (_, at) = self.queues.iter().enumerate().filter_map(|(at, queue)| queue.head.map(|time| (time, at))).min()?;
        let queue = &mut self.queues[at];
        let Some(Fetched::Message(message)) = queue.entries.pop_front() else { return None };
        queue.settle_head();
        Some((at, message))
    }

    /// True when no record waits.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.head.is_none())
    }

    /// Forgets everything: the partitions will be read again from another offset.
    pub fn clear(&mut self) {
        for queue in &mut self.queues {
            queue.entries.clear();
            queue.head = None;
            queue.end = None;
        }
    }

    /// For each partition: the time of the next record if it is here, and the end of the log if nothing is known after it.
    pub fn heads(&self) -> impl Iterator<Item = (Option<Timestamp>, Option<Offset>)> + '_ {
        self.queues.iter().map(|queue| (queue.head, queue.end))
    }
}

impl<M: InputMessage> Queue<M> {
    /// Takes notes of ends off the front, so that the front is a record.
    fn settle_head(&mut self) {
        loop {
            match self.entries.front() {
                Some(Fetched::Message(message)) => {
                    self.head = Some(message.timestamp());
                    self.end = None;
                    return;
                }
                Some(Fetched::End(offset)) => {
                    self.end = Some(*offset);
                    self.entries.pop_front();
                }
                None => {
                    self.head = None;
                    return;
                }
            }
        }
    }
}
