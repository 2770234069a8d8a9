//! Beginning anew without deciding commands again.
//!
//! A reset of the application leaves no marker, but the group's offsets of command topics: what lies before them was decided, and its events
//! stand in the log. So a task without a marker that finds such an offset begins as one does whose stores are all new: they are filled by a
//! replay, which decides nothing, up to these offsets and to what the other sources hold now. Only then the next command is decided, on all
//! events that there were.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Failure, Job, StateRestorer};
use crate::faults::Sabotage;
use crate::ports::ChangelogReader;
use crate::state::Marker;

impl<R: ChangelogReader> StateRestorer<R> {
    /// Where a task that never committed begins, if commands were decided before; `None`: at its sources' beginning.
    pub(super) fn kept_place(&mut self, job: &Job) -> Result<Option<Marker>, Failure> {
        let (plan, sabotaged) = (&*job.request.plan, job.request.sabotaged);
        let mut sources = BTreeMap::new();
        for at in plan.command_partitions() {
            let Some(kept) = self.reader.committed(at)? else { continue };
            let bounds = self.reader.bounds(at)?;
            if kept > bounds.end {
                tracing::warn!(task = plan.name(), partition = %at, %kept, end = %bounds.end, "the kept place lies behind the end: it is another log, and read from its beginning");
                continue;
            }
            sources.insert(at.clone(), kept.max(bounds.start));
        }
        if sources.is_empty() || sabotaged.is(Sabotage::ForgetPlaceInCommands) {
            return Ok(None);
        }
        for partition in plan.source_partitions() {
            if plan.command_partitions().all(|commands| commands != partition) {
                // The true end, so that events of a transaction that is not decided yet are waited for.
                let bounds = self.reader.bounds(partition)?;
                let at_once = sabotaged.is(Sabotage::DecideBeforeTheReplay);
                sources.insert(partition.clone(), if at_once { bounds.start } else { bounds.end });
            }
        }
        let place = sources.iter().map(|(at, next)| format!("{at}={next}")).collect::<Vec<_>>().join(", ");
        tracing::info!(task = plan.name(), place, "commands go on where they were before the reset, once all that lies before is read");
        let (changelogs, outputs) = Default::default();
        Ok(Some(Marker { lineage: Uuid::nil(), sequence: 0, sources, stream_time: None, changelogs, outputs }))
    }
}
