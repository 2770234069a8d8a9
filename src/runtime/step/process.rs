//! Processing: each active task some records, in turn.

use super::active_task::Slot;
use super::poison::DeadLetter;
use super::stream_thread::{Phase, StreamThread};
use super::{PoisonPolicy, ThreadError};
use crate::ports::{InputMessage as _, PortError, ThreadPorts, TransactionalProducer as _};
use crate::record::OutputRecord;
use crate::task::{InputRecord, Output, Processed, TaskError};

impl<P: ThreadPorts> StreamThread<P> {
    /// Processes what was fetched; answers how many records.
    pub(super) fn process(&mut self) -> Result<usize, ThreadError> {
        if self.phase != Phase::Ready || self.generation.is_none() || self.generation_refused {
            return Ok(0);
        }
        let tokens: Vec<i32> = self.slots.iter().filter(|(_, slot)| matches!(slot, Slot::Active(_))).map(|(token, _)| *token).collect();
        let mut processed = 0;
        for token in tokens {
            for _ in 0..self.parts.settings.records_per_step {
                match self.process_one(token)? {
                    true => processed += 1,
                    false => break,
                }
            }
            if self.phase != Phase::Ready {
                break;
            }
        }
        Ok(processed)
    }

    /// One record of one task; false when there is none, or a failure took the transaction with it.
    fn process_one(&mut self, token: i32) -> Result<bool, ThreadError> {
        let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) else { return Ok(false) };
        let Some((source, message)) = active.group.pop() else { return Ok(false) };
        let input = InputRecord {
            offset: message.offset(),
            timestamp: message.timestamp(),
            key: message.key(),
            value: message.value(),
            headers: message.headers(),
        };
        let task_id = active.task.plan().id.clone();
        let processed = active.task.process(source, input, &mut self.outputs);
        match processed {
            Ok(Processed::Done) if self.outputs.is_empty() && self.transaction.is_some() => return Ok(true),
            Ok(Processed::Done) => {
                let sent = self.begin_if_needed().and_then(|()| self.send_outputs());
                let ok = sent.is_ok();
                self.settle(sent)?;
                return Ok(ok);
            }
            Ok(Processed::Poisoned(cause)) => {
                let partition = active.task.plan().sources[source].partition.clone();
                let place = format!("{partition}@{}", message.offset());
                let dropped = |reason| self.parts.metrics.records_dropped.with_label_values(&[reason]).inc();
                let sent = match self.parts.settings.poison_policy_of(&partition.topic) {
                    PoisonPolicy::Stop => {
                        return Err(ThreadError::Task { task: task_id, cause: TaskError::Poison { place, cause } });
                    }
                    PoisonPolicy::Skip => {
                        dropped("skip");
                        tracing::warn!(task = %task_id, record = place, error = %cause, "record skipped");
                        self.begin_if_needed()
                    }
                    PoisonPolicy::DeadLetter => {
                        dropped("dead-letter");
                        self.parts.metrics.dead_letters.inc();
                        tracing::warn!(task = %task_id, record = place, error = %cause, "record goes to the dead-letter topic");
                        let letter = DeadLetter::new(&partition, &message, &cause, self.parts.clock.now());
                        self.begin_if_needed().and_then(|()| self.parts.producer.send(&letter.record(&message)))
                    }
                };
                let ok = sent.is_ok();
                if ok && let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) {
                    active.task.pass(source, message.offset());
                }
                self.settle(sent)?;
                return Ok(ok);
            }
            Err(cause) => {
                // A store failed, not the record: the task starts again from its last commit, with all of this transaction.
                tracing::error!(task = %task_id, error = %cause, "task starts again");
                self.task_failed(token, task_id, cause)?;
            }
        }
        Ok(false)
    }

    /// Hands the outputs of finished records to the producer.
    pub(super) fn send_outputs(&mut self) -> Result<(), PortError> {
        for Output(output) in self.outputs.drain(..) {
            let topic = self.parts.names.topic(&output.topic);
            self.parts.producer.send(&OutputRecord {
                topic: &topic,
                partition: output.partition,
                key: output.key.as_deref(),
                value: output.value.as_deref(),
                timestamp: Some(output.timestamp),
                headers: output.headers,
            })?;
        }
        Ok(())
    }
}
