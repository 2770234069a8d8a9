//! Task tokens: which partition of the task log stands for which task.
//!
//! The first record of each partition of the task log says so, under the key `token`. A token never changes its meaning; a
//! new task gets a new partition. So meanings survive a change of the topology, and instances of different versions agree.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::codec::{self, CodecError, StoreValue};
use crate::ports::{Admin, ChangelogReader, PortError, PortErrorClass, TransactionalProducer};
use crate::record::{Offset, OutputRecord, TopicPartition};
use crate::topology::TaskId;

/// The key of a token's meaning in the task log.
const KEY: &[u8] = b"token";

/// How often a read that brought nothing is tried again before the start is given up (and tried as a whole again).
const READS: usize = 40;

impl StoreValue for TaskId {}

/// Tokens could not be read or given.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Kafka failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A record of the task log is not ours.
    #[error("task log {partition} does not begin with the meaning of a token: {detail}; is another program using this topic?")]
    Foreign {
        /// The partition.
        partition: TopicPartition,
        /// What is wrong.
        detail: String,
    },
    /// It could not be read to the end in time.
    #[error("task log {partition} cannot be read yet: a transaction is open on it")]
    Unstable {
        /// The partition.
        partition: TopicPartition,
    },
}

/// So many partitions of the task log are read at the same time.
const READ_AT_ONCE: usize = 16;

/// Which token stands for which task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenTable {
    tasks: BTreeMap<i32, TaskId>,
    has_grown: bool,
}

impl TokenTable {
    /// A table made by hand: token n stands for the n-th task.
    pub fn of(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        TokenTable { tasks: (0..).zip(tasks).collect(), has_grown: false }
    }

    /// The task of a token, if this program's topology gave it one or another version did.
    pub fn task(&self, token: i32) -> Option<&TaskId> {
        self.tasks.get(&token)
    }

    /// All tasks that have a token.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskId> {
        self.tasks.values()
    }

    /// Whether partitions were added to the task log for it. The group does not look for them: somebody must join for their sake.
    pub fn has_grown(&self) -> bool {
        self.has_grown
    }

    /// Reads all meanings from the task log, which must be there, and gives tokens to the tasks in `wanted` that have none: read, check, append, under one transactional
    /// id, so that two instances that start at once do not both append. `producer` must have been made ready by `replace`.
    pub fn read_or_extend(
        task_log: &str,
        wanted: &[TaskId],
        admin: &mut dyn Admin,
        reader: &mut dyn ChangelogReader,
        producer: &mut dyn TransactionalProducer,
    ) -> Result<Self, TokenError> {
        let partitions = admin.topics(&[task_log])?.pop().flatten().map(|topic| topic.partitions);
        let partitions =
            partitions.ok_or_else(|| PortError::new(PortErrorClass::Retriable, "look the task log up", task_log.to_string()))?;
        let mut table = Self::read(task_log, partitions, reader)?;
        let missing: Vec<&TaskId> = wanted.iter().filter(|task| !table.tasks.values().any(|known| known == *task)).collect();
        if missing.is_empty() {
            return Ok(table);
        }
        // From here on we are the only one: an instance that was faster has been fenced, or its tokens are read now.
        producer.replace(Duration::from_secs(30))?;
        table = Self::read(task_log, partitions, reader)?;
        let missing: Vec<TaskId> = wanted.iter().filter(|task| !table.tasks.values().any(|known| known == *task)).cloned().collect();
        let mut free: Vec<i32> = (0..partitions).filter(|token| !table.tasks.contains_key(token)).collect();
        if free.len() < missing.len() {
            let total = partitions + (missing.len() - free.len()) as i32;
            admin.grow_topic(task_log, total)?;
            table.has_grown = true;
            free.extend(partitions..total);
        }
        producer.begin()?;
        for (token, task) in free.iter().zip(&missing) {
            let value = encode(task)
                .map_err(|e| TokenError::Foreign { partition: TopicPartition::new(task_log, *token), detail: e.to_string() })?;
            let record = OutputRecord {
                topic: task_log,
                partition: Some(*token),
                key: Some(KEY),
                value: Some(&value),
                timestamp: None,
                headers: Default::default(),
            };
            producer.send(&record)?;
            table.tasks.insert(*token, task.clone());
        }
        producer.flush(Duration::from_secs(10))?;
        producer.commit(Duration::from_secs(15))?;
        Ok(table)
    }

    fn read(task_log: &str, partitions: i32, reader: &mut dyn ChangelogReader) -> Result<Self, TokenError> {
        let mut tasks = BTreeMap::new();
        let tokens: Vec<i32> = (0..partitions).collect();
        for some in tokens.chunks(READ_AT_ONCE) {
            let partitions: Vec<TopicPartition> = some.iter().map(|token| TopicPartition::new(task_log, *token)).collect();
            // All are on their way before the first is waited for.
            let opened = partitions.iter().try_for_each(|partition| reader.open(partition, Offset(0)).map(drop));
            let first = opened.map_err(TokenError::from).and_then(|()| partitions.iter().map(|at| first_record(at, reader)).collect());
            partitions.iter().for_each(|partition| reader.close(partition));
            let first: Vec<Option<TaskId>> = first?;
            tasks.extend(some.iter().zip(first).filter_map(|(token, task)| Some((*token, task?))));
        }
        Ok(TokenTable { tasks, has_grown: false })
    }
}

/// The meaning that a partition begins with; `None` when the partition is empty.
fn first_record(partition: &TopicPartition, reader: &mut dyn ChangelogReader) -> Result<Option<TaskId>, TokenError> {
    let foreign = |detail: String| TokenError::Foreign { partition: partition.clone(), detail };
    for _ in 0..READS {
        let chunk = match reader.read(partition, Duration::from_millis(500)) {
            Err(error) if error.is_retriable() => continue,
            chunk => chunk?,
        };
        if let Some(record) = chunk.records.first() {
            if record.key.as_deref() != Some(KEY) {
                let found = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
                return Err(foreign(format!("its first key is {found:?}")));
            }
            let value = record.value.as_deref().ok_or_else(|| foreign("its first value is null".to_string()))?;
            return codec::decode_row(value).map(Some).map_err(|e| foreign(e.to_string()));
        }
        let bounds = reader.bounds(partition)?;
        if chunk.at_end && chunk.position >= bounds.end {
            return Ok(None);
        }
    }
    Err(TokenError::Unstable { partition: partition.clone() })
}

fn encode(task: &TaskId) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    codec::encode_row(task, &mut out)?;
    Ok(out)
}
