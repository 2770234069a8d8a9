//! The queues of a task's source partitions, and whose record goes first.
//!
//! The record with the smallest time goes first, so that a replay sees much the same order as the first run did, however the partitions
//! came in. That is only true while no partition is overtaken, so the task waits for one without records (Kafka Streams'
//! `max.task.idle.ms`, KIP-695), as long as the others have some:
//!
//! | a partition without records | the others wait |
//! |---|---|
//! | has more on the broker than was fetched, or its end is not known yet | for its fetch: until a record comes, or the news that the end was reached without one (aborted records, transaction markers). A fetch that takes longer than [`MAX_FETCH_WAIT`] is not waited for again before it has brought something |
//! | is at its end | `max_task_idle`, counted from when some partitions had records and others had none |
//!
//! Of records with the same time the one whose source stands first goes first, and those of one partition go by their offsets.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ports::{DataConsumer, Fetched, InputMessage, PortError};
use crate::record::{Offset, Timestamp, TopicPartition};

/// How many records a queue is filled up to.
const QUEUE_RECORDS: usize = 1_000;

/// So long a partition that cannot be fetched, say because it has no leader, holds up the others of its task: longer than the restart of a
/// broker, over which the order should hold.
pub const MAX_FETCH_WAIT: Duration = Duration::from_secs(60);

struct Queue<M> {
    partition: TopicPartition,
    entries: VecDeque<Fetched<M>>,
    /// The time of the first record; `None` when there is none.
    head: Option<Timestamp>,
    /// Where to read on, as far as something came.
    position: Option<Offset>,
    /// The end of the log, while nothing has come after it.
    end: Option<Offset>,
    /// Since when the others have waited for its fetch.
    fetching_since: Option<Duration>,
    /// It has no record, and the others need not wait for it.
    passed_over: bool,
}

/// Whether a task can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// No partition has a record.
    Empty,
    /// A record can be processed.
    Ready,
    /// Records wait for other partitions; if nothing comes, until this time of the monotonic clock.
    Waits(Duration),
}

/// The fetched records of a task.
pub struct PartitionGroup<M> {
    queues: Vec<Queue<M>>,
    /// Since when some partitions have records and others have none.
    incomplete_since: Option<Duration>,
    readiness: Readiness,
}

impl<M: InputMessage> PartitionGroup<M> {
    /// Empty queues for these partitions.
    pub fn new<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> Self {
        let queue = |partition: &TopicPartition| Queue {
            partition: partition.clone(),
            entries: VecDeque::new(),
            head: None,
            position: None,
            end: None,
            fetching_since: None,
            passed_over: false,
        };
        PartitionGroup { queues: partitions.map(queue).collect(), incomplete_since: None, readiness: Readiness::Empty }
    }

    /// Takes over what the consumer has, up to the bound of each queue. A full queue is left alone: what was fetched stays with
    /// the consumer. Answers how many entries came, or which partition failed.
    pub fn fill<D: DataConsumer<Message = M>>(&mut self, consumer: &mut D) -> Result<usize, (TopicPartition, PortError)> {
        let mut came = 0;
        for queue in &mut self.queues {
            if queue.entries.len() < QUEUE_RECORDS / 2 {
                let room = QUEUE_RECORDS - queue.entries.len();
                let fetched = consumer.fetch(&queue.partition, room, &mut queue.entries);
                came += fetched.map_err(|error| (queue.partition.clone(), error))?;
                queue.settle_head();
            }
        }
        Ok(came)
    }

    /// Decides, after `fill`, whether records may overtake the partitions that have none. Answers a partition whose fetch is waited for
    /// no longer, once.
    pub fn settle<D: DataConsumer<Message = M>>(
        &mut self,
        consumer: &D,
        now: Duration,
        max_task_idle: Duration,
    ) -> Option<&TopicPartition> {
        let complete = self.queues.iter().all(|queue| queue.head.is_some());
        if complete || self.is_empty() {
            self.incomplete_since = None;
            self.readiness = if complete && !self.queues.is_empty() { Readiness::Ready } else { Readiness::Empty };
            return None;
        }
        let idle_until = self.incomplete_since.get_or_insert(now).saturating_add(max_task_idle);
        let (mut until, mut given_up) = (now, None);
        for queue in self.queues.iter_mut().filter(|queue| queue.head.is_none()) {
            let fetches = !queue.is_at_end(consumer.cached_end(&queue.partition));
            let waits_until = match fetches {
                true => *queue.fetching_since.get_or_insert(now) + MAX_FETCH_WAIT,
                false => idle_until,
            };
            if !fetches {
                queue.fetching_since = None;
            }
            let passed_over = std::mem::replace(&mut queue.passed_over, now >= waits_until);
            if fetches && queue.passed_over && !passed_over {
                given_up = Some(&queue.partition);
            }
            until = until.max(waits_until);
        }
        self.readiness = if until > now { Readiness::Waits(until) } else { Readiness::Ready };
        given_up
    }

    /// The record to process next, with the index of its source partition; `None` when there is none, or another partition is waited
    /// for. Whether a partition that has just run dry is waited for is decided by the next `settle`.
    pub fn pop(&mut self) -> Option<(usize, M)> {
        let mut first: Option<(Timestamp, usize)> = None;
        for (at, queue) in self.queues.iter().enumerate() {
            match queue.head {
                Some(time) if first.is_none_or(|(earliest, _)| time < earliest) => first = Some((time, at)),
                Some(_) => {}
                None if queue.passed_over => {}
                None => return None,
            }
        }
        let (_, at) = first?;
        let queue = &mut self.queues[at];
        let Some(Fetched::Message(message)) = queue.entries.pop_front() else { return None };
        queue.position = Some(message.offset().next());
        queue.settle_head();
        Some((at, message))
    }

    /// Whether it can go on, as of the last `settle`.
    pub fn readiness(&self) -> Readiness {
        self.readiness
    }

    /// Forgets everything: the partitions will be read again from another offset.
    pub fn clear(&mut self) {
        *self = PartitionGroup::new(std::mem::take(&mut self.queues).iter().map(|queue| &queue.partition));
    }

    /// For each partition: the time of the next record if it is here, and the end of the log if nothing is known after it.
    pub fn heads(&self) -> impl Iterator<Item = (Option<Timestamp>, Option<Offset>)> + '_ {
        self.queues.iter().map(|queue| (queue.head, queue.end))
    }

    fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.head.is_none())
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
                    self.passed_over = false;
                    self.fetching_since = None;
                    return;
                }
                Some(Fetched::End(offset)) => {
                    self.end = Some(*offset);
                    self.position = Some(*offset);
                    self.entries.pop_front();
                }
                None => {
                    self.head = None;
                    return;
                }
            }
        }
    }

    /// As far as is known without asking Kafka: nothing lies between what came and the end that the consumer saw last.
    fn is_at_end(&self, cached_end: Option<Offset>) -> bool {
        match (self.position, cached_end) {
            (Some(position), Some(end)) => end <= position,
            (_, None) => self.end.is_some(),
            (None, Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
