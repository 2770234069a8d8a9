//! Reading what was written: a read that carries a token waits until the tasks that it reads have come as far as the token says.
//!
//! ```text
//!  token: order-events:2=118                       the task reads order-events: it must have come to 118
//!
//!  token: lines:0=7 ─► task lines_0 has come to 7  the task reads by-word: lines_0's marker says how far its outputs were then,
//!                      └ outputs: by-word:3=12 ──► so task by-word_3 must have come to 12
//! ```
//! A task elsewhere that lies before the one that is read is asked for its outputs once. Waiting holds no thread: commits wake it, and
//! it ends at its deadline whatever a token says.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::parts::Part;
use super::peers::{PeerFault, PeerQuestion};
use super::{ConsistencyToken, QueryError, Read, TaskOwner, TaskView, Views};
use crate::record::{Offset, Position, TopicPartition};
use crate::state::TaskPosition;
use crate::topology::TaskId;

/// What a read waits for, and for how long.
#[derive(Clone, Debug)]
pub struct After {
    token: Arc<ConsistencyToken>,
    until: Option<Instant>,
    takes_stale: bool,
}

impl After {
    /// Waits for as long as the instance lets a read wait (`http.max_wait_ms`).
    pub fn new(token: ConsistencyToken) -> Self {
        After { token: Arc::new(token), until: None, takes_stale: false }
    }

    /// Waits until so long from now, over all reads that carry it; and not longer than the instance lets it.
    pub fn at_most(self, wait: Duration) -> Self {
        After { until: Instant::now().checked_add(wait), ..self }
    }

    /// In the end takes an answer that does not show all of it, and says so ([`super::Answer::stale`]).
    pub fn or_stale(self) -> Self {
        After { takes_stale: true, ..self }
    }
}

/// What keeps a read from its answer.
enum Lack {
    /// Commits will tell.
    Behind { partition: TopicPartition, at: Offset, wanted: Offset },
    /// Tasks elsewhere must be asked.
    Unasked(Vec<(TaskId, Arc<str>)>),
    /// Waiting will not help.
    Fault(QueryError),
}

/// One read that waits.
struct Waiting<'a> {
    views: &'a Views,
    subtopology: &'a str,
    after: &'a After,
    deadline: Instant,
    /// The outputs of tasks that have come as far as the token says, as they were when that was first seen: so what must be waited for
    /// does not run ahead.
    outputs: HashMap<TaskId, BTreeMap<TopicPartition, Offset>>,
}

impl Views {
    /// The partitions that `look` finds, once they have come as far as the read asks; and whether they have not, and the reader takes
    /// that.
    pub(super) async fn caught_up(
        &self,
        subtopology: &str,
        read: &Read,
        mut look: impl FnMut() -> Result<Vec<Part>, QueryError>,
    ) -> Result<(Vec<Part>, bool), QueryError> {
        let Some(after) = &read.after else { return Ok((look()?, false)) };
        let longest = Instant::now() + self.max_wait();
        let deadline = after.until.map_or(longest, |until| until.min(longest));
        let mut waiting = Waiting { views: self, subtopology, after, deadline, outputs: HashMap::new() };
        let mut permit = None;
        loop {
            // Before the look: what is committed from here on is not missed.
            let mut moved = pin!(self.registry().moved());
            moved.as_mut().enable();
            let parts = look()?;
            let Some(lack) = waiting.lack(&parts) else { return Ok((parts, false)) };
            let fault = match lack {
                Lack::Behind { partition, at, wanted } if Instant::now() >= deadline => QueryError::NotCaughtUp { partition, at, wanted },
                Lack::Behind { .. } => {
                    self.hold_room(&mut permit)?;
                    // Over: the next look is the last.
                    let _ = timeout_at(deadline, moved).await;
                    continue;
                }
                Lack::Unasked(tasks) => {
                    self.hold_room(&mut permit)?;
                    match waiting.ask(tasks).await {
                        Ok(()) => continue,
                        Err(fault) => fault,
                    }
                }
                Lack::Fault(fault) => fault,
            };
            return if after.takes_stale { Ok((parts, true)) } else { Err(fault) };
        }
    }

    /// How far the outputs of a task that is here are, once it has come as far as the read asks: by partition of the topics that its
    /// markers follow, the offset after its last record. The task is named as in `/v1/tasks`.
    pub async fn outputs(&self, task: &str, read: &Read) -> Result<Position, QueryError> {
        let unknown = || QueryError::NoTask { task: task.to_string() };
        let (subtopology, partition) = task.rsplit_once('_').ok_or_else(unknown)?;
        let (subtopology, _) = self.upstreams().get_key_value(subtopology).ok_or_else(unknown)?;
        let partitions = self.registry().partitions(subtopology).ok_or(QueryError::NotJoined)?;
        let partition = partition.parse().ok().filter(|partition| (0..partitions).contains(partition)).ok_or_else(unknown)?;
        let task = TaskId { subtopology: subtopology.clone(), partition };
        let (parts, _) = self.caught_up(subtopology, read, || Ok(vec![self.part(&task)?])).await?;
        let position = parts.first().and_then(|part| part.database.visible_position());
        Ok(Position(position.map(|position| position.marker.outputs.clone()).unwrap_or_default()))
    }

    /// One that waits has a place among those that may, until it is done.
    fn hold_room(&self, held: &mut Option<OwnedSemaphorePermit>) -> Result<(), QueryError> {
        if held.is_none() {
            *held = Some(self.waiters().try_acquire_owned().map_err(|_| QueryError::Overloaded)?);
        }
        Ok(())
    }

    /// The task as a part that can be read here.
    pub(super) fn part(&self, task: &TaskId) -> Result<Part, QueryError> {
        match self.registry().get(task) {
            Some(TaskView::Active(database)) => Ok(Part { task: task.clone(), database }),
            Some(TaskView::Restoring) => Err(QueryError::Restoring { task: task.clone() }),
            None => Err(self.owners().not_here(task.clone())),
        }
    }
}

impl Waiting<'_> {
    /// Why these partitions have no answer yet, if they have none.
    fn lack(&mut self, parts: &[Part]) -> Option<Lack> {
        let views = self.views;
        let reads = views.upstreams().get(self.subtopology)?;
        let mut wanted = self.after.token.position().0.clone();
        for before in &reads.before {
            if let Some(lack) = self.pass_on(before, &mut wanted) {
                return Some(lack);
            }
        }
        parts.iter().find_map(|part| behind(reads.reads(part.task.partition, &wanted), part.database.visible_position().as_deref()))
    }

    /// What is wanted of a sub-topology's tasks makes what is wanted of those behind it.
    fn pass_on(&mut self, subtopology: &Arc<str>, wanted: &mut BTreeMap<TopicPartition, Offset>) -> Option<Lack> {
        let views = self.views;
        let reads = views.upstreams().get(subtopology)?;
        let Some(partitions) = views.registry().partitions(subtopology) else { return Some(Lack::Fault(QueryError::NotJoined)) };
        let (mut unasked, mut waits_for) = (Vec::new(), None);
        for partition in 0..partitions {
            let task = TaskId { subtopology: subtopology.clone(), partition };
            // One that is fed may have to do with the token through what feeds it, which its owner knows.
            if !self.outputs.contains_key(&task) && (reads.is_fed || reads.reads(partition, wanted).next().is_some()) {
                match views.registry().get(&task) {
                    Some(TaskView::Active(database)) => {
                        let position = database.visible_position();
                        match behind(reads.reads(partition, wanted), position.as_deref()) {
                            None => {
                                let outputs = position.map(|position| position.marker.outputs.clone()).unwrap_or_default();
                                self.outputs.insert(task.clone(), outputs);
                            }
                            lack => waits_for = waits_for.or(lack),
                        }
                    }
                    Some(TaskView::Restoring) => return Some(Lack::Fault(QueryError::Restoring { task })),
                    None => match views.owners().of(&task) {
                        TaskOwner::Active { url, .. } => unasked.push((task.clone(), url)),
                        TaskOwner::Restoring { instance, .. } => {
                            return Some(Lack::Fault(QueryError::RestoringElsewhere { task, instance }));
                        }
                        TaskOwner::Unknown => return Some(Lack::Fault(QueryError::NotHere { task })),
                    },
                }
            }
            for (at, next) in self.outputs.get(&task).into_iter().flatten() {
                let own = wanted.entry(at.clone()).or_insert(*next);
                *own = (*own).max(*next);
            }
        }
        if unasked.is_empty() { waits_for } else { Some(Lack::Unasked(unasked)) }
    }

    /// Asks the owners of tasks, all at once, for the rest of the time.
    async fn ask(&mut self, tasks: Vec<(TaskId, Arc<str>)>) -> Result<(), QueryError> {
        let wait = self.deadline.saturating_duration_since(Instant::now());
        let mut asked = JoinSet::new();
        for (task, url) in tasks {
            let question = PeerQuestion { url, task: task.clone(), token: self.after.token.to_string(), wait };
            let answer = self.views.peers().ask(question);
            asked.spawn(async move { (task, answer.await) });
        }
        while let Some(joined) = asked.join_next().await {
            let (task, answer) = joined.map_err(|e| QueryError::BrokenOff(e.to_string()))?;
            match answer {
                Ok(outputs) => _ = self.outputs.insert(task, outputs.0),
                Err(PeerFault::Behind) => return Err(QueryError::PeerBehind { task }),
                Err(PeerFault::Failed(detail)) => return Err(QueryError::PeerFailed { task, detail }),
            }
        }
        Ok(())
    }
}

/// The first position that is wanted and not reached.
fn behind(mut wanted: impl Iterator<Item = (TopicPartition, Offset)>, reached: Option<&TaskPosition>) -> Option<Lack> {
    wanted.find_map(|(partition, wanted)| {
        let at = reached.and_then(|position| position.marker.sources.get(&partition).copied()).unwrap_or_default();
        (at < wanted).then_some(Lack::Behind { partition, at, wanted })
    })
}
