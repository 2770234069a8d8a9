//! The commit in a transaction: changelog → markers → offsets → Kafka's yes → one batch a task into its database.
//!
//! ```text
//!  working sets ──► changelog records ──flush──► their offsets ──► markers, held records ──flush──► marker offsets
//!                          │                                              ▲                            │
//!                          └── their offsets are foreseen ────────────────┘                            │
//!      databases ◄── apply (only now) ◄── commit_transaction ◄── send_offsets(marker + 1) ◄────────────┘
//! ```
//! Outputs go out as each record is done, so the first flush is theirs too. Records that are held to tell where those came to lie
//! (positioned sinks) go with the markers: they cost no round trip of their own. Where all these offsets are foreseen
//! ([`super::foresight`]) there is one flush, and what it tells is compared.

use std::collections::BTreeSet;
use std::time::Duration;

use super::active_task::Slot;
use super::foresight::Destinations;
use super::patience::{Answered, Patience};
use super::stream_thread::StreamThread;
use super::{Guarantee, ThreadError};
use crate::faults::{self, Sabotage};
use crate::ports::{Delivered, Generation, PortError, PortErrorClass, ThreadPorts, TransactionalProducer as _};
use crate::record::{Headers, Offset, OutputRecord, TopicPartition};
use crate::state::{Marker, TaskPosition};
use crate::task::{Prepared, TaskError};
use crate::topology::CommitPace;

/// So often in a row a database may refuse a committed batch.
const MAX_APPLY_FAILURES: usize = 3;

/// A task's part of a commit.
pub(super) struct Part {
    pub(super) token: i32,
    pub(super) prepared: Prepared,
    pub(super) marker: Option<Marker>,
}

impl<P: ThreadPorts> StreamThread<P> {
    /// Commits when it is time.
    pub(super) fn maybe_commit(&mut self, processed: usize) -> Result<(), ThreadError> {
        let Some(began) = self.transaction else {
            self.pace = CommitPace::Relaxed;
            return Ok(());
        };
        let (now, settings) = (self.now(), &self.parts.settings);
        let dry = processed == 0 && now >= self.commit_due(began);
        let dirty_rows: usize = self.slots.values_mut().filter_map(Slot::active_mut).map(|active| active.task.dirty_rows()).sum();
        if dry || now >= began + settings.commit_interval || dirty_rows >= settings.max_dirty_rows || self.stopping() {
            self.commit()?;
        }
        Ok(())
    }

    /// When a transaction is committed if nothing more is there to process.
    pub(super) fn commit_due(&self, began: Duration) -> Duration {
        let settings = &self.parts.settings;
        match self.pace {
            CommitPace::AtOnce => Duration::ZERO,
            CommitPace::Soon => self.last_commit + settings.commit_min_interval,
            CommitPace::Relaxed => began + settings.commit_interval,
        }
    }

    fn commit(&mut self) -> Result<(), ThreadError> {
        match self.parts.settings.guarantee {
            Guarantee::ExactlyOnce => self.commit_transaction(),
            Guarantee::AtLeastOnce => self.commit_at_least_once(),
        }
    }

    fn commit_transaction(&mut self) -> Result<(), ThreadError> {
        let began = self.now();
        self.tell_lag();
        let Some(mut parts) = self.prepare_parts()? else { return Ok(()) };
        self.sabotage_before_commit(&parts);
        faults::point("commit-prepared");
        match self.commit_parts(&mut parts) {
            Ok((delivered, at_once)) => {
                self.parts.metrics.processing.transactions.with_label_values(&["committed"]).inc();
                self.committed();
                self.replace_if_late_copies_may_come(at_once);
                faults::point("commit-answered");
                self.apply(parts, &delivered)?;
                faults::point("commit-applied");
                self.parts.metrics.processing.commit_duration.observe((self.now() - began).as_secs_f64());
                Ok(())
            }
            Err(error) => self.commit_failed(error),
        }
    }

    /// What each task that moved puts into the commit; `None` when one failed, which took the transaction with it.
    pub(super) fn prepare_parts(&mut self) -> Result<Option<Vec<Part>>, ThreadError> {
        let mut parts = Vec::new();
        for (token, active) in self.slots.iter_mut().filter_map(|(token, slot)| Some((*token, slot.active_mut()?))) {
            let task = active.task.plan().id.clone();
            match active.task.prepare() {
                Ok(Some(prepared)) => parts.push(Part { token, prepared, marker: None }),
                Ok(None) => {}
                Err(cause) => return self.task_failed(token, task, cause).map(|()| None),
            }
        }
        Ok(Some(parts))
    }

    /// Tells what waited for the commit.
    fn let_hear(&mut self) {
        let unheard = std::mem::take(&mut self.unheard);
        if let Some(listener) = &self.parts.settings.listener {
            unheard.iter().for_each(|record| listener.tell(record));
        }
    }

    /// Nothing of it can be undone any more.
    pub(super) fn committed(&mut self) {
        self.let_hear();
        self.parts.metrics.consumer.commits.with_label_values(&["committed"]).inc();
        self.transaction = None;
        self.last_commit = self.now();
        self.pace = CommitPace::Relaxed;
        self.last_membership_poll = None;
    }

    pub(super) fn commit_failed(&mut self, error: PortError) -> Result<(), ThreadError> {
        self.parts.metrics.consumer.commits.with_label_values(&["failed"]).inc();
        self.recover(error)
    }

    /// The generation to commit under. Offsets of a member without an identity could be taken unchecked.
    pub(super) fn current_generation(&self) -> Result<Generation, PortError> {
        let valid = self.generation.clone().filter(|g| g.generation_id >= 0 && !g.member_id.is_empty());
        valid.ok_or_else(|| PortError::new(PortErrorClass::StaleGeneration, "commit the transaction", "this member has no generation"))
    }

    /// Everything up to Kafka's yes, and whether that came at the first call. An error's class says how sure the no is.
    fn commit_parts(&mut self, parts: &mut [Part]) -> Result<(Delivered, bool), PortError> {
        let generation = self.current_generation()?;
        let clock = self.parts.clock.clone();
        let mut patience = match self.parts.settings.sabotaged.is(Sabotage::CommitWithoutDeadline) {
            true => Patience::without_end(&*clock),
            false => Patience::for_commit(&*clock),
        };
        let rows = self.send_changelogs(parts)?;
        faults::point("commit-changelogs-sent");
        let destinations = self.destinations(parts, rows);
        let delivered = self.deliver(parts, destinations.as_ref(), &mut patience)?;
        faults::point("commit-markers-flushed");
        if self.parts.settings.sabotaged.is(Sabotage::TellBeforeCommit) {
            self.let_hear();
        }
        if faults::refuses("commit-refused") {
            return Err(PortError::new(PortErrorClass::RequiresAbort, "commit the transaction", "refused on purpose"));
        }
        let offsets = self.offsets_to_commit(parts, &delivered)?;
        #[cfg(any(test, feature = "faults"))]
        let generation = self.sabotage_generation(generation);
        // Whether a lost reply to this request hides a yes cannot be known: the port calls that indefinite.
        patience.call(|slice| self.parts.producer.send_offsets(&offsets, &generation, slice), PortErrorClass::Indefinite)?;
        faults::point("commit-offsets-sent");
        match patience.call(|slice| self.parts.producer.commit(slice), PortErrorClass::Indefinite) {
            Ok(Answered { at_once, .. }) => {
                match &destinations {
                    Some(destinations) => self.foresight.committed(destinations, &delivered),
                    // It moved partitions, and nobody counted by how much.
                    None => self.foresight.forget_places(),
                }
                Ok((delivered, at_once))
            }
            Err(_) if self.parts.settings.sabotaged.is(Sabotage::TakeIndefiniteForCommitted) => Ok((delivered, false)),
            Err(error) => Err(error),
        }
    }

    /// Delivers everything, and answers where all of it lies.
    fn deliver(
        &mut self,
        parts: &mut [Part],
        destinations: Option<&Destinations>,
        patience: &mut Patience<'_>,
    ) -> Result<Delivered, PortError> {
        let foreseen = destinations.and_then(|destinations| self.foresight.foresee(destinations));
        let is_foreseen = foreseen.is_some();
        let rows = match foreseen {
            Some(foreseen) => foreseen,
            None => {
                let delivered = self.flush(patience)?;
                faults::point("commit-changelogs-flushed");
                delivered
            }
        };
        self.send_held(parts, &rows)?;
        self.send_markers(parts, &rows)?;
        faults::point("commit-markers-sent");
        let delivered = self.flush(patience)?;
        if is_foreseen {
            self.check_foresight(&rows, &delivered)?;
        }
        Ok(delivered)
    }

    /// Nothing that was foreseen and did not come true is committed.
    fn check_foresight(&mut self, foreseen: &Delivered, delivered: &Delivered) -> Result<(), PortError> {
        let is_right = self.foresight.compare(foreseen, delivered);
        self.parts.metrics.processing.foreseen.with_label_values(&[if is_right { "right" } else { "wrong" }]).inc();
        if is_right || self.parts.settings.sabotaged.is(Sabotage::TrustForesight) {
            return Ok(());
        }
        let detail = "somebody else wrote into a partition whose next offset was foreseen; the records are processed again";
        Err(PortError::new(PortErrorClass::RequiresAbort, "foresee where records lie", detail))
    }

    /// How many records go where, of all that markers and held records tell of; `None` when that cannot be known.
    fn destinations(&self, parts: &[Part], mut rows: Destinations) -> Option<Destinations> {
        for part in parts {
            let active = self.slots.get(&part.token).and_then(Slot::active)?;
            // These read what is delivered by themselves.
            if active.task.is_filling() {
                return None;
            }
            active.task.written()?.for_each(|(partition, records)| *rows.entry(partition).or_default() += records);
        }
        // Their own records would lie behind those that they tell of.
        let held: BTreeSet<_> = parts.iter().flat_map(|part| &part.prepared.held).map(|record| &record.topic).collect();
        let mut held = held.into_iter().map(|topic| self.parts.names.full(topic));
        (!held.any(|topic| rows.keys().any(|partition| *partition.topic == *topic))).then_some(rows)
    }

    /// Answers how many records go to each changelog.
    pub(super) fn send_changelogs(&mut self, parts: &[Part]) -> Result<Destinations, PortError> {
        let mut rows = Destinations::new();
        for part in parts {
            let Some(active) = self.slots.get_mut(&part.token).and_then(Slot::active_mut) else { continue };
            let stores = &active.task.plan().stores;
            let mut sent_of = vec![0; stores.len()];
            let drops_tombstones = self.parts.settings.sabotaged.is(Sabotage::DropTombstones);
            for entry in part.prepared.changelog().filter(|entry| entry.value.is_some() || !drops_tombstones) {
                // Column 0 is the position; the stores follow in the plan's order.
                let store = usize::from(entry.column.0) - 1;
                let changelog = &stores[store].changelog;
                sent_of[store] += 1;
                let sent = self.parts.producer.send(&OutputRecord {
                    topic: &changelog.topic,
                    partition: Some(changelog.partition),
                    key: Some(entry.key),
                    value: entry.value,
                    timestamp: None,
                    headers: Default::default(),
                });
                if let Err(error) = sent {
                    if error.class == PortErrorClass::RecordTooLarge {
                        active.task.measure_rows();
                    }
                    return Err(error);
                }
            }
            let changelogs = stores.iter().map(|store| &store.changelog).zip(sent_of);
            rows.extend(changelogs.filter(|(_, sent)| *sent > 0).map(|(changelog, sent)| (changelog.clone(), sent)));
        }
        Ok(rows)
    }

    pub(super) fn send_markers(&mut self, parts: &mut [Part], delivered: &Delivered) -> Result<(), PortError> {
        let guarantee = self.marker_header();
        for part in parts {
            let Some(active) = self.slots.get_mut(&part.token).and_then(Slot::active_mut) else { continue };
            let marker = active.task.next_marker(delivered);
            let value = marker.encode().map_err(|e| PortError::new(PortErrorClass::Fatal, "write the marker", e.to_string()))?;
            self.parts.producer.send(&OutputRecord {
                topic: &self.task_log,
                partition: Some(part.token),
                key: Some(Marker::KEY),
                value: Some(&value),
                timestamp: None,
                headers: Headers::new(active.marker_headers.iter().chain(guarantee.iter()).cloned().collect()),
            })?;
            part.marker = Some(marker);
        }
        Ok(())
    }

    /// Sends what was held until it was known where everything before it lies; answers whether there was anything.
    pub(super) fn send_held(&mut self, parts: &mut [Part], delivered: &Delivered) -> Result<bool, PortError> {
        let mut any = false;
        for part in parts.iter_mut().filter(|part| !part.prepared.held.is_empty()) {
            let Some(active) = self.slots.get(&part.token).and_then(Slot::active) else { continue };
            let position = active.task.position_header(delivered);
            self.parts.send_held(std::mem::take(&mut part.prepared.held), &position, &mut self.unheard)?;
            any = true;
        }
        Ok(any)
    }

    /// Marker offset + 1 for the token of every task that takes part; beside them the source offsets, which only lag tools read.
    pub(super) fn offsets_to_commit(&mut self, parts: &[Part], delivered: &Delivered) -> Result<Vec<(TopicPartition, Offset)>, PortError> {
        let mut offsets = Vec::new();
        for part in parts.iter().filter(|part| part.marker.is_some()) {
            let token = TopicPartition::new(self.task_log.clone(), part.token);
            let marker = delivered.get(&token).ok_or_else(|| {
                PortError::new(PortErrorClass::RequiresAbort, "find the marker's offset", format!("{token} has no delivery report"))
            })?;
            let sabotaged = self.parts.settings.sabotaged.is(Sabotage::CommitOffsetOfMarker);
            offsets.push((token, if sabotaged { *marker } else { marker.next() }));
            let Some(active) = self.slots.get_mut(&part.token).and_then(Slot::active_mut) else { continue };
            let sources = active.task.plan().sources.iter().zip(active.task.next_offsets());
            offsets.extend(sources.filter(|(s, _)| s.reports_offsets).map(|(s, next)| (s.partition.clone(), *next)));
        }
        Ok(offsets)
    }

    /// Waits for all delivery reports. Nothing is lost when they do not come: an abort undoes it.
    pub(super) fn flush(&mut self, patience: &mut Patience<'_>) -> Result<Delivered, PortError> {
        patience.call(|slice| self.parts.producer.flush(slice), PortErrorClass::RequiresAbort).map(|answered| answered.answer)
    }

    /// Kafka has said yes: now the rows go into the databases. One that refuses is opened again and restored from its changelog.
    pub(super) fn apply(&mut self, parts: Vec<Part>, delivered: &Delivered) -> Result<(), ThreadError> {
        for Part { token, prepared, marker } in parts {
            let Some(active) = self.slots.get_mut(&token).and_then(Slot::active_mut) else { continue };
            let log = TopicPartition::new(self.task_log.clone(), token);
            let (Some(marker), Some(marker_offset)) = (marker, delivered.get(&log).copied()) else { continue };
            let position = TaskPosition { marker, marker_offset, applied_at: self.parts.clock.now() };
            let task = active.task.plan().id.clone();
            match active.task.apply(prepared, position) {
                Ok(()) => {
                    faults::point("commit-task-applied");
                    self.apply_failures = 0;
                    active.now_visible(self.parts.clock.now());
                    let counts = active.task.take_counts();
                    let metrics = &self.parts.metrics.processing;
                    for (event, count) in counts.events {
                        metrics.processor_events.with_label_values(&[event]).inc_by(count);
                    }
                    for (dropped, count) in counts.dropped {
                        metrics.dropped(dropped.reason, dropped.dead_letter, count);
                    }
                }
                Err(cause) => self.apply_failed(token, task, cause)?,
            }
        }
        self.parts.views.note_moved();
        Ok(())
    }

    #[cfg(any(test, feature = "faults"))]
    fn sabotage_generation(&self, captured: crate::ports::Generation) -> crate::ports::Generation {
        use crate::ports::Membership as _;
        let fresh = self.parts.settings.sabotaged.is(Sabotage::TakeFreshGeneration).then(|| self.parts.membership.fresh_generation());
        fresh.flatten().unwrap_or(captured)
    }

    pub(super) fn sabotage_before_commit(&mut self, parts: &[Part]) {
        if self.parts.settings.sabotaged.is(Sabotage::ApplyBeforeCommit) {
            for part in parts {
                if let Some(active) = self.slots.get_mut(&part.token).and_then(Slot::active_mut) {
                    let _ = active.task.database().database().write(&part.prepared.batch);
                }
            }
        }
    }

    fn apply_failed(&mut self, token: i32, task: crate::topology::TaskId, cause: TaskError) -> Result<(), ThreadError> {
        self.apply_failures += 1;
        if self.apply_failures > MAX_APPLY_FAILURES {
            return Err(ThreadError::Task { task, cause });
        }
        tracing::error!(%task, error = %cause, "committed rows could not be written; the task is opened again and restores them");
        self.want(token);
        Ok(())
    }
}
