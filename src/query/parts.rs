//! The partitions that a read over all partitions reads, each from one snapshot.

use std::sync::Arc;

use super::store_table::StoreEntry;
use super::{Owners, QueryError, Scope, TaskView, ViewRegistry};
use crate::record::Position;
use crate::state::{Snapshot, TaskDatabase, TaskPosition};
use crate::topology::TaskId;

/// A partition's database.
pub(super) struct Part {
    pub task: TaskId,
    pub database: Arc<TaskDatabase>,
}

/// A partition's database at one moment.
pub(super) struct OpenPart<'a> {
    pub partition: i32,
    pub snapshot: Box<dyn Snapshot + 'a>,
}

/// The partitions of a store, in order: all of them, or those that are here.
pub(super) fn parts_of(store: &StoreEntry, registry: &ViewRegistry, owners: &Owners, scope: Scope) -> Result<Vec<Part>, QueryError> {
    let partitions = registry.partitions(&store.subtopology).ok_or(QueryError::NotJoined)?;
    let (mut here, mut missing, mut restoring) = (Vec::new(), Vec::new(), None);
    for partition in 0..partitions {
        let task = TaskId { subtopology: store.subtopology.clone(), partition };
        match registry.get(&task) {
            Some(TaskView::Active(database)) => here.push(Part { task, database }),
            Some(TaskView::Restoring) => {
                restoring.get_or_insert(task.clone());
                missing.push(task);
            }
            None => missing.push(task),
        }
    }
    match (scope, restoring) {
        (Scope::All, _) if !missing.is_empty() => Err(owners.partial(missing)),
        // An empty list would say that there are no rows.
        (Scope::Local, Some(task)) if here.is_empty() => Err(QueryError::Restoring { task }),
        _ => Ok(here),
    }
}

/// Takes a snapshot of each partition; the position is of all of them.
pub(super) fn open<'a>(store: &StoreEntry, parts: &'a [Part], scope: Scope) -> Result<(Vec<OpenPart<'a>>, Position), QueryError> {
    let (mut open, mut position, mut filling) = (Vec::with_capacity(parts.len()), Position::default(), None);
    for part in parts {
        let Some((snapshot, state)) = part.database.snapshot()?.filter(|(_, state)| !is_being_filled(state.as_deref(), store)) else {
            filling.get_or_insert(&part.task);
            continue;
        };
        position.0.extend(state.iter().flat_map(|state| state.marker.sources.clone()));
        open.push(OpenPart { partition: part.task.partition, snapshot });
    }
    match filling {
        Some(task) if scope == Scope::All || open.is_empty() => Err(QueryError::Restoring { task: task.clone() }),
        _ => Ok((open, position)),
    }
}

/// A store that came after the task's first commit is no answer until it is filled: then markers name it.
pub(super) fn is_being_filled(state: Option<&TaskPosition>, store: &StoreEntry) -> bool {
    state.is_some_and(|state| !state.marker.changelogs.contains_key(&*store.name))
}
