//! What a task finds on disk when it is opened, and rebuilding it where that is of no use.
//!
//! ```text
//!  damaged, foreign    put aside ──► new, empty database ──► restored from the changelogs' beginnings
//!  torn, outdated      the old one stays ──► another beside it, restored ──► switched at one moment
//! ```
//!
//! A kill at any moment leaves either the old database or none, never a half of the new one.

use std::sync::Arc;

use super::{Failure, Half, Job, StateRestorer};
use crate::ports::{ChangelogReader, ClusterFacts};
use crate::record::Timestamp;
use crate::state::{StoreError, TaskDatabase, TaskLease, TaskPosition};
use crate::task::{LocalState, LogView, RebuildReason, TaskPlan, refuse_cluster, refuse_origin};

/// `delete.retention.ms` where nobody tells, as Kafka has it.
const DELETE_RETENTION_MS: i64 = 86_400_000;

/// A task's database as it was found.
pub(super) enum Found {
    /// It can be read.
    Whole(TaskLease, Option<TaskPosition>),
    /// It is damaged; `None`: so far that it cannot be opened.
    Damaged(Option<TaskLease>),
}

/// The database that a task goes on with.
pub(super) struct OpenedDatabase {
    pub(super) lease: TaskLease,
    /// The one that is rebuilt beside it.
    pub(super) beside: Option<Arc<TaskDatabase>>,
    /// The position that its rows are at.
    pub(super) position: Option<TaskPosition>,
}

impl Found {
    pub(super) fn local(&self) -> LocalState<'_> {
        match self {
            Found::Whole(_, position) => position.as_ref().into(),
            Found::Damaged(_) => LocalState::Damaged,
        }
    }

    /// Goes on with it.
    pub(super) fn use_it(self) -> Result<OpenedDatabase, Failure> {
        match self {
            Found::Whole(lease, position) => Ok(OpenedDatabase { lease, beside: None, position }),
            Found::Damaged(_) => Err(Failure::Rebuild(RebuildReason::Damaged)),
        }
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// Opens a task's database and looks whether its state is of this cluster and topology; `None` while another thread has it.
    pub(super) fn look_at_database(&mut self, job: &Job, log: &LogView) -> Result<Option<Found>, Failure> {
        let plan = &job.request.plan;
        let lease = match self.directory.lease(&plan.name(), &plan.columns()) {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(None),
            Err(error) if error.is_damage() => {
                tracing::error!(task = plan.name(), %error, "state is damaged");
                return Ok(Some(Found::Damaged(None)));
            }
            Err(error) => return Err(error.into()),
        };
        if lease.database().database().damage().is_some() {
            return Ok(Some(Found::Damaged(Some(lease))));
        }
        let position = lease.database().position();
        if let Some(local) = &position {
            let (was, now) = (lease.database().origin()?, plan.origin(&job.request.facts));
            // Of another history it says nothing of this one.
            let is_ours = log.marker.as_ref().is_none_or(|(_, marker)| marker.lineage == local.marker.lineage);
            let refusal = refuse_cluster(&was, &now).or_else(|| refuse_origin(&was, &now).filter(|_| is_ours));
            if let Some(refusal) = refusal {
                return Err(Failure::Final(refusal.into()));
            }
        }
        Ok(Some(Found::Whole(lease, position)))
    }

    /// A database that was last written at this time or before may have missed tombstones that are gone: half of what the changelogs
    /// keep them. `None` when nothing is read from a changelog.
    pub(super) fn outdated_at(&self, plan: &TaskPlan, facts: &ClusterFacts) -> Option<Timestamp> {
        let retention = |topic: &str| facts.topics.get(topic).and_then(|topic| topic.delete_retention_ms).unwrap_or(DELETE_RETENTION_MS);
        let shortest = plan.stores.iter().map(|store| retention(&store.changelog.topic)).min()?;
        Some(Timestamp(self.clock.now().0.saturating_sub(shortest / 2)))
    }

    /// Begins with an empty database; `None` while another thread has it.
    pub(super) fn begin_rebuild(&mut self, job: &Job, found: Found, reason: RebuildReason) -> Result<Option<OpenedDatabase>, Failure> {
        let (name, columns) = (job.request.plan.name(), job.request.plan.columns());
        tracing::error!(task = name, reason = reason.name(), kept = reason.keeps_the_old(), "local state is rebuilt from the changelog");
        let lease = match found {
            Found::Whole(lease, _) if reason.keeps_the_old() => {
                let beside = self.directory.beside(&lease, &name, &columns)?;
                self.count_rebuild(reason);
                return Ok(Some(OpenedDatabase { lease, beside: Some(beside), position: None }));
            }
            Found::Whole(lease, _) | Found::Damaged(Some(lease)) => self.directory.start_over(lease, &name, &columns, true).map(Some),
            Found::Damaged(None) => self.directory.replace(&name, &columns),
        };
        let Some(lease) = lease? else { return Ok(None) };
        self.count_rebuild(reason);
        Ok(Some(OpenedDatabase { lease, beside: None, position: None }))
    }

    fn count_rebuild(&self, reason: RebuildReason) {
        self.metrics.restore.rebuilds.with_label_values(&[reason.name()]).inc();
    }

    /// The rows beside are whole, and say so: they become the task's.
    pub(super) fn switch_to_rebuilt(&mut self, job: &Job, half: Half) -> Result<Half, StoreError> {
        let Half { lease, beside, marker, new_stores, tail } = half;
        let lease = match beside {
            Some(beside) => self.directory.switch(lease, &job.request.plan.name(), beside)?,
            None => lease,
        };
        Ok(Half { lease, beside: None, marker, new_stores, tail })
    }
}
