//! Opening the databases of the last time while Kafka is asked its first questions: both take their time.

use std::thread;

use crate::state::StateDirectory;
use crate::task::TaskPlan;
use crate::topology::{Names, TaskId, Topology};

/// Opens them on a thread of its own, which ends by itself. Which tasks this instance will be given is not known yet: most likely
/// those that it had.
pub(super) fn open_ahead(directory: &StateDirectory, topology: &Topology, names: &Names) -> std::io::Result<()> {
    let (directory, topology, names) = (directory.clone(), topology.clone(), names.clone());
    let open = move || directory.open_ahead(|task| columns(&topology, &names, task));
    thread::Builder::new().name("open-ahead".into()).spawn(open).map(drop)
}

/// The columns of a task, by its name; `None` when the topology has no such task.
fn columns(topology: &Topology, names: &Names, task: &str) -> Option<Vec<String>> {
    let (subtopology, partition) = task.rsplit_once('_')?;
    let partition: i32 = partition.parse().ok()?;
    let id = TaskId { subtopology: subtopology.into(), partition };
    TaskPlan::new(topology, names, &id, partition.checked_add(1)?).map(|plan| plan.columns())
}
