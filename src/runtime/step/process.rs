//! Processing: each active task some records, in turn.

use std::time::Duration;

use super::active_task::Slot;
use super::poison::DeadLetter;
use super::stream_thread::{Message, Phase, StreamThread};
use super::{PoisonPolicy, ThreadError, ThreadParts};
use crate::faults::Sabotage;
use crate::ports::{InputMessage as _, PortError, ThreadPorts, TransactionalProducer as _};
use crate::processor::{Emitted, ProcessorError};
use crate::record::{Header, OutputRecord};
use crate::task::{Dropped, InputRecord, Output, OutputBuffer, Processed, TaskError};
use crate::topology::{CommitPace, TaskId};

/// What ended a row of records that were done.
enum Pause<M> {
    /// The task has had its turn, or has no record that may be processed.
    Over,
    /// The producer failed.
    NotSent(PortError),
    /// A record is at fault.
    Poisoned { source: usize, message: M, cause: ProcessorError },
    /// The task is.
    Failed { task: TaskId, cause: TaskError },
}

impl<P: ThreadPorts> StreamThread<P> {
    /// Processes what was fetched; answers how many records.
    pub(super) fn process(&mut self) -> Result<usize, ThreadError> {
        if !self.may_work() {
            return Ok(0);
        }
        let tokens: Vec<i32> = self.slots.iter().filter(|(_, slot)| matches!(slot, Slot::Active(_))).map(|(token, _)| *token).collect();
        let (mut processed, mut began) = (0, self.now());
        for token in tokens {
            let records = self.process_task(token)?;
            if records > 0 {
                began = self.turn_done(token, began);
                self.parts.status.note_work(began);
            }
            processed += records;
            if self.phase != Phase::Ready {
                break;
            }
        }
        Ok(processed)
    }

    /// Measures a task's turn; answers when it ended.
    fn turn_done(&mut self, token: i32, began: Duration) -> Duration {
        let now = self.now();
        if let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) {
            active.meter.turn_done(now - began);
        }
        now
    }

    /// Records of one task, until it has had its turn, has none that may be processed, or a failure took the transaction with it.
    fn process_task(&mut self, token: i32) -> Result<usize, ThreadError> {
        let Some(active) = self.slots.get(&token).and_then(Slot::active) else { return Ok(0) };
        if active.task.must_announce() {
            let begun = self.begin_if_needed();
            return self.settle(begun).map(|()| 0);
        }
        if active.task.is_filling() {
            return self.fill(token).map(|()| 0);
        }
        let mut processed = 0;
        loop {
            match self.process_while_good(token, &mut processed) {
                Pause::Over => return Ok(processed),
                Pause::NotSent(error) => {
                    self.recover(error)?;
                    return Ok(processed);
                }
                Pause::Poisoned { source, message, cause } => match self.set_aside(token, source, &message, cause)? {
                    true => processed += 1,
                    false => return Ok(processed),
                },
                Pause::Failed { task, cause } => {
                    // A store failed, not the record: the task starts again from its last commit, with all of this transaction.
                    tracing::error!(%task, error = %cause, "task starts again");
                    self.task_failed(token, task, cause)?;
                    return Ok(processed);
                }
            }
        }
    }

    fn process_while_good(&mut self, token: i32, processed: &mut usize) -> Pause<Message<P>> {
        let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) else { return Pause::Over };
        while *processed < self.parts.settings.records_per_step {
            let Some((source, message)) = active.group.pop() else { return Pause::Over };
            let input = InputRecord {
                offset: message.offset(),
                timestamp: message.timestamp(),
                key: message.key(),
                value: message.value(),
                headers: message.headers(),
            };
            active.meter.took(source, input.timestamp, input.key.map_or(0, <[u8]>::len) + input.value.map_or(0, <[u8]>::len));
            match active.task.process(source, input, &mut self.outputs) {
                Ok(Processed::Done) => {
                    let sent = self.parts.begin(&mut self.transaction).and_then(|()| self.parts.send(&mut self.outputs, &mut self.unheard));
                    if let Err(error) = sent {
                        return Pause::NotSent(error);
                    }
                    self.pace = self.pace.min(active.task.plan().sources[source].pace);
                    *processed += 1;
                }
                Ok(Processed::Poisoned(cause)) => return Pause::Poisoned { source, message, cause },
                Err(cause) => return Pause::Failed { task: active.task.plan().id.clone(), cause },
            }
        }
        Pause::Over
    }

    /// A record is at fault: its source's policy decides. False when a failure took the transaction with it.
    fn set_aside(&mut self, token: i32, source: usize, message: &Message<P>, cause: ProcessorError) -> Result<bool, ThreadError> {
        let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) else { return Ok(false) };
        let task_id = active.task.plan().id.clone();
        let partition = active.task.plan().sources[source].partition.clone();
        let place = format!("{partition}@{}", message.offset());
        let policy = self.parts.settings.poison_policy_of(&partition.topic);
        let sent = match policy {
            PoisonPolicy::Stop => {
                return Err(ThreadError::Task { task: task_id, cause: TaskError::Poison { place, cause } });
            }
            PoisonPolicy::Skip => {
                tracing::warn!(task = %task_id, record = place, error = %cause, "record skipped");
                self.begin_if_needed()
            }
            PoisonPolicy::DeadLetter => {
                tracing::warn!(task = %task_id, record = place, error = %cause, "record goes to the dead-letter topic");
                let letter = DeadLetter { source: &partition, message, error: &cause, now: self.parts.clock.now() };
                self.begin_if_needed().and_then(|()| letter.send(&mut self.parts.producer))
            }
        };
        let ok = sent.is_ok();
        if ok && let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) {
            let dropped = Dropped { reason: cause.kind(), dead_letter: policy == PoisonPolicy::DeadLetter };
            active.task.pass(source, message.offset(), dropped);
        }
        self.settle(sent)?;
        Ok(ok)
    }

    pub(super) fn begin_if_needed(&mut self) -> Result<(), PortError> {
        self.pace = self.pace.min(CommitPace::Soon);
        self.parts.begin(&mut self.transaction)
    }

    /// Takes the next rows of stores that were added into the transaction; the task processes nothing before they are whole.
    fn fill(&mut self, token: i32) -> Result<(), ThreadError> {
        let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) else { return Ok(()) };
        match active.task.fill_some() {
            Ok(()) => {
                crate::faults::point("fill-taken");
                let begun = self.begin_if_needed();
                self.settle(begun)
            }
            Err(cause) => {
                let task_id = active.task.plan().id.clone();
                self.task_failed(token, task_id, cause)
            }
        }
    }

    /// Calls the processors whose time has come.
    pub(super) fn punctuate(&mut self) -> Result<(), ThreadError> {
        if self.phase != Phase::Ready || self.generation_refused {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let mut called = 0;
        let mut outputs = std::mem::take(&mut self.outputs);
        let active = self.slots.iter_mut().filter_map(|(token, slot)| Some((*token, slot.active_mut()?)));
        for (token, active) in active.filter(|(_, active)| !active.task.is_filling() && !active.task.must_announce()) {
            let task_id = active.task.plan().id.clone();
            let (calls, faults) = match active.task.punctuate(now, &mut outputs) {
                Ok(called) => called,
                // What others gave out is undone with it.
                Err(cause) => return self.task_failed(token, task_id, cause),
            };
            faults.iter().for_each(|error| tracing::error!(task = %task_id, %error, "punctuation failed and was undone"));
            called += calls;
        }
        self.outputs = outputs;
        if called > 0 {
            let sent = self.begin_if_needed().and_then(|()| self.send_outputs());
            self.settle(sent)?;
        }
        Ok(())
    }

    /// Hands the outputs of finished records to the producer.
    pub(super) fn send_outputs(&mut self) -> Result<(), PortError> {
        self.parts.send(&mut self.outputs, &mut self.unheard)
    }
}

impl<P: ThreadPorts> ThreadParts<P> {
    fn begin(&mut self, transaction: &mut Option<Duration>) -> Result<(), PortError> {
        if transaction.is_none() {
            self.producer.begin()?;
            crate::faults::point("transaction-begun");
            *transaction = Some(self.clock.monotonic());
        }
        Ok(())
    }

    fn send(&mut self, outputs: &mut OutputBuffer, unheard: &mut Vec<Emitted>) -> Result<(), PortError> {
        if self.settings.sabotaged.is(Sabotage::ReverseOutputs) {
            outputs.reverse();
        }
        outputs.drain(..).try_for_each(|Output(output)| self.send_output(output, unheard))
    }

    fn send_output(&mut self, output: Emitted, unheard: &mut Vec<Emitted>) -> Result<(), PortError> {
        let is_heard = self.settings.listener.as_ref().is_some_and(|listener| listener.is_for(&output));
        let topic = self.names.full(&output.topic);
        self.producer.send(&OutputRecord {
            topic: &topic,
            partition: output.partition,
            key: output.key.as_deref(),
            value: output.value.as_deref(),
            timestamp: Some(output.timestamp),
            headers: output.headers.clone(),
        })?;
        if is_heard {
            unheard.push(output);
        }
        Ok(())
    }

    /// Hands over records that were held until it was known where everything before them lies, which they tell.
    pub(super) fn send_held(&mut self, held: Vec<Emitted>, position: &Header, unheard: &mut Vec<Emitted>) -> Result<(), PortError> {
        held.into_iter().try_for_each(|mut record| {
            record.tell(position);
            self.send_output(record, unheard)
        })
    }
}
