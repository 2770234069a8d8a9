//! The commit without transactions: outputs and changelogs → markers → one batch a task into its database → the token's offset.
//!
//! ```text
//!  poll the group ─► outputs, changelog records ──flush──► alone? ─► held records ──flush──► poll the group ─► markers ──flush──► alone?
//!                                                                    (if there are any)                                            │
//!  group's offset = marker + 1 ◄── databases: apply ◄───────────────── all acknowledged ◄──────────────────────────────────────────┘
//! ```
//! Each step makes the one before it final, so a process may end between any two. What it leaves is in `docs/commit-cycle.md`. There is
//! no abort: what was sent stays, and opening the task again finds it behind the marker ([`crate::task::LogTail`]).

use super::active_task::Slot;
use super::commit::Part;
use super::consequence::{Consequence, Doing, consequence};
use super::patience::{Patience, SLICE};
use super::stream_thread::StreamThread;
use super::{Guarantee, ThreadError};
use crate::faults::{self, Sabotage};
use crate::ports::{Delivered, Membership as _, PortError, PortErrorClass, ThreadPorts};
use crate::record::{Header, Offset, TopicPartition};
use crate::task::NotAlone;

type Offsets = Vec<(TopicPartition, Offset)>;

impl<P: ThreadPorts> StreamThread<P> {
    pub(super) fn commit_at_least_once(&mut self) -> Result<(), ThreadError> {
        let began = self.now();
        // Who was stopped for long finds out here, before it writes: tasks that it lost are closed and take no part.
        self.poll_membership()?;
        self.tell_lag();
        let Some(mut parts) = self.prepare_parts()? else { return Ok(()) };
        self.sabotage_before_commit(&parts);
        faults::point("commit-prepared");
        let clock = self.parts.clock.clone();
        let mut patience = Patience::for_commit(&*clock);
        let rows = match self.deliver_rows(&mut parts, &mut patience) {
            Ok(rows) => rows,
            Err(error) => return self.commit_failed(error),
        };
        self.poll_membership()?;
        let (delivered, offsets) = match self.deliver_markers(&mut parts, &rows, &mut patience) {
            Ok(done) => done,
            Err(error) => return self.commit_failed(error),
        };
        self.committed();
        faults::point("commit-answered");
        if self.parts.settings.sabotaged.is(Sabotage::CommitOffsetsBeforeRows) {
            self.commit_offsets(&offsets)?;
        }
        self.apply(parts, &delivered)?;
        faults::point("commit-applied");
        self.commit_offsets(&offsets)?;
        faults::point("commit-offsets-sent");
        self.parts.metrics.processing.commit_duration.observe((self.now() - began).as_secs_f64());
        Ok(())
    }

    /// Outputs and changelogs are acknowledged, and nobody else wrote to the changelogs; then what was held to tell of them. A marker that came
    /// before those would leave them out for good.
    fn deliver_rows(&mut self, parts: &mut [Part], patience: &mut Patience<'_>) -> Result<Delivered, PortError> {
        self.current_generation()?;
        self.send_changelogs(parts)?;
        faults::point("commit-changelogs-sent");
        let delivered = self.flush(patience)?;
        faults::point("commit-changelogs-flushed");
        self.check_alone(parts, |task, part, _| task.check_rows_alone(&part.prepared, &delivered))?;
        if self.send_held(parts, &delivered)? { self.flush(patience) } else { Ok(delivered) }
    }

    /// The markers are acknowledged, and nobody else wrote any. Answers also what the group is to remember.
    fn deliver_markers(
        &mut self,
        parts: &mut [Part],
        rows: &Delivered,
        patience: &mut Patience<'_>,
    ) -> Result<(Delivered, Offsets), PortError> {
        // A task that the group took away meanwhile is no longer here, and gets no marker.
        self.send_markers(parts, rows)?;
        faults::point("commit-markers-sent");
        let delivered = self.flush(patience)?;
        faults::point("commit-markers-flushed");
        self.check_alone(parts, |task, part, token| match part.marker {
            Some(_) => task.check_marker_alone(token, &delivered),
            None => Ok(()),
        })?;
        let offsets = self.offsets_to_commit(parts, &delivered)?;
        Ok((delivered, offsets))
    }

    /// Nobody is fenced without transactions. But whoever writes to the logs of a task between two of its commits is found out, and
    /// then the task is opened again, as if its attempt had failed.
    fn check_alone(
        &self,
        parts: &[Part],
        check: impl Fn(&crate::task::Task, &Part, &TopicPartition) -> Result<(), NotAlone>,
    ) -> Result<(), PortError> {
        if self.parts.settings.sabotaged.is(Sabotage::IgnoreOtherWriters) {
            return Ok(());
        }
        for part in parts {
            let Some(active) = self.slots.get(&part.token).and_then(Slot::active) else { continue };
            let token = TopicPartition::new(self.task_log.clone(), part.token);
            check(&active.task, part, &token)
                .map_err(|e| PortError::new(PortErrorClass::RequiresAbort, "write the task's logs alone", e.to_string()))?;
        }
        Ok(())
    }

    /// Tells the group where the tasks are. The databases know it better: when this fails, nothing is lost.
    fn commit_offsets(&mut self, offsets: &[(TopicPartition, Offset)]) -> Result<(), ThreadError> {
        let Ok(generation) = self.current_generation() else { return Ok(()) };
        if offsets.is_empty() {
            return Ok(());
        }
        let Err(error) = self.parts.membership.commit_offsets(offsets, &generation, SLICE) else { return Ok(()) };
        tracing::warn!(thread = self.parts.name, class = ?error.class, %error, "the group was not told; the next commit does it");
        match consequence(Doing::CommittingOffsets, error.class) {
            Consequence::Stop(stop) => return Err(stop.with(error)),
            // What became of the tasks is for the group's poll to say, and nothing is processed until it has.
            Consequence::AbortAndAwaitAssignment => self.generation_refused = true,
            _ => {}
        }
        Ok(())
    }

    /// What says on a marker that it was written without a transaction.
    pub(super) fn marker_header(&self) -> Option<Header> {
        let (name, value) = Guarantee::HEADER;
        let is_plain = self.parts.settings.guarantee == Guarantee::AtLeastOnce;
        is_plain.then(|| Header { name: name.into(), value: Some(value.to_vec()) })
    }
}
