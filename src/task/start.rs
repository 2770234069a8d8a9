//! The start decision: from the position in the local database and the one in the task log to what must be done.
//!
//! Pure: a table in code, without Kafka and without disk. M_l is the local position, M_k the last committed marker.

use crate::ports::LogBounds;
use crate::record::Offset;
use crate::state::{Marker, TaskPosition};

/// What the task log says of a task.
#[derive(Clone, Debug)]
pub struct LogView {
    /// The group's committed offset of the token: one after its marker.
    pub committed: Option<Offset>,
    /// The last committed marker, at or after the committed one, and where it stands.
    pub marker: Option<(Offset, Marker)>,
    /// The partition's log.
    pub bounds: LogBounds,
}

/// What must be done before the task can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartDecision {
    /// M_l = M_k: nothing.
    UseAsIs,
    /// M_l < M_k: the changelogs are read from the local position on.
    CatchUp,
    /// No local state: the changelogs are read from their beginning.
    RestoreAll,
    /// The local state belongs to another history: it is put aside, and all is restored.
    SetAside,
    /// Nothing is known of the task: it begins at the sources' beginning.
    FirstStart,
    /// Going on would give wrong data.
    Refuse(StartRefusal),
}

/// Why a task must not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    /// M_l > M_k.
    #[error(
        "local state is ahead of the task log (sequence {local} against {log}): it belongs to another cluster, or offsets were reset. \
         Point kafka.bootstrap_servers at the right cluster, or move the task's directory away to restore from the changelog"
    )]
    LocalAhead {
        /// The local sequence.
        local: u64,
        /// The log's sequence.
        log: u64,
    },
    /// Local state, but no trace of the task in Kafka.
    #[error(
        "local state is at sequence {local}, but the task log knows nothing of it: the task log or the group's offsets were deleted, or this \
         is another cluster. It is never read as zero; move the task's directory away to begin at the sources' beginning"
    )]
    LocalWithoutLog {
        /// The local sequence.
        local: u64,
    },
    /// The committed offset points outside of the task log.
    #[error(
        "task log truncated: the committed offset is {committed}, the log holds {start} to {end} and no later marker; restore the topic, or \
         start with another application.id"
    )]
    LogTruncated {
        /// The committed offset.
        committed: i64,
        /// First offset.
        start: i64,
        /// End of the log.
        end: i64,
    },
}

/// Decides.
pub fn decide_start(local: Option<&TaskPosition>, log: &LogView) -> StartDecision {
    let Some((offset, marker)) = &log.marker else {
        return match (log.committed, local) {
            (Some(committed), _) => StartDecision::Refuse(StartRefusal::LogTruncated {
                committed: committed.0,
                start: log.bounds.start.0,
                end: log.bounds.end.0,
            }),
            (None, Some(local)) => StartDecision::Refuse(StartRefusal::LocalWithoutLog { local: local.marker.sequence }),
            (None, None) => StartDecision::FirstStart,
        };
    };
    let Some(local) = local else { return StartDecision::RestoreAll };
    if local.marker.lineage != marker.lineage {
        return StartDecision::SetAside;
    }
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (local.marker.sequence.cmp(&marker.sequence), local.marker_offset.cmp(offset)) {
        (Equal, Equal) => StartDecision::UseAsIs,
        (Less, Less) => StartDecision::CatchUp,
        (Greater, Greater) => StartDecision::Refuse(StartRefusal::LocalAhead { local: local.marker.sequence, log: marker.sequence }),
        // Sequence and offset disagree in order: two histories.
        _ => StartDecision::SetAside,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::Timestamp;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn marker(lineage: Uuid, sequence: u64) -> Marker {
        Marker { lineage, sequence, sources: Default::default(), stream_time: None, changelogs: Default::default() }
    }

    fn local(lineage: Uuid, sequence: u64, offset: i64) -> Option<TaskPosition> {
        Some(TaskPosition { marker: marker(lineage, sequence), marker_offset: Offset(offset), applied_at: Timestamp(0) })
    }

    fn log(committed: Option<i64>, last: Option<(i64, Marker)>) -> LogView {
        LogView {
            committed: committed.map(Offset),
            marker: last.map(|(offset, marker)| (Offset(offset), marker)),
            bounds: LogBounds { start: Offset(3), stable_end: Offset(9), end: Offset(9) },
        }
    }

    #[test]
    fn each_row_of_the_table_is_decided() {
        let at_7 = || log(Some(7), Some((6, marker(ONE, 4))));
        for (name, position, log, expected) in [
            ("equal", local(ONE, 4, 6), at_7(), StartDecision::UseAsIs),
            ("behind", local(ONE, 2, 3), at_7(), StartDecision::CatchUp),
            ("no database", None, at_7(), StartDecision::RestoreAll),
            ("first start", None, log(None, None), StartDecision::FirstStart),
            ("foreign lineage", local(TWO, 4, 6), at_7(), StartDecision::SetAside),
            ("order disagrees", local(ONE, 5, 3), at_7(), StartDecision::SetAside),
            ("ahead", local(ONE, 5, 8), at_7(), StartDecision::Refuse(StartRefusal::LocalAhead { local: 5, log: 4 })),
            ("offsets expired", local(ONE, 4, 6), log(None, Some((6, marker(ONE, 4)))), StartDecision::UseAsIs),
            ("local without log", local(ONE, 5, 8), log(None, None), StartDecision::Refuse(StartRefusal::LocalWithoutLog { local: 5 })),
            ("truncated", None, log(Some(2), None), StartDecision::Refuse(StartRefusal::LogTruncated { committed: 2, start: 3, end: 9 })),
        ] {
            assert_eq!(decide_start(position.as_ref(), &log), expected, "{name}");
        }
    }
}
