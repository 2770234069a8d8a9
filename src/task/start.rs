//! The start decision: from the position in the local database and the one in the task log to what must be done.
//!
//! Pure: a table in code, without Kafka and without disk. M_l is the local position, M_k the last committed marker. What would give wrong data
//! is refused: `start_refusal.rs`. Row by row, with the test of each: `docs/start-decision.md`.

use super::StartRefusal;
use crate::ports::LogBounds;
use crate::record::{Offset, Timestamp};
use crate::state::{Marker, TaskPosition};

/// What the database of a task says.
#[derive(Clone, Copy, Debug)]
pub enum LocalState<'a> {
    /// There is none, or it never took a commit.
    Absent,
    /// It holds the state of this position.
    At(&'a TaskPosition),
    /// What is on disk is not what was written; it may have held any position.
    Damaged,
}

impl<'a> From<Option<&'a TaskPosition>> for LocalState<'a> {
    fn from(position: Option<&'a TaskPosition>) -> Self {
        position.map_or(LocalState::Absent, LocalState::At)
    }
}

/// Why all rows are read again though there were some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildReason {
    /// The database is damaged.
    Damaged,
    /// The changelog ends before the marker's offset: if it is only a broker that lags behind, reading it from the beginning helps.
    Torn,
    /// The database is so old that tombstones may be gone from the changelog which it has not seen.
    Outdated,
    /// The database belongs to another history.
    Foreign,
}

impl RebuildReason {
    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            RebuildReason::Damaged => "damaged",
            RebuildReason::Torn => "torn",
            RebuildReason::Outdated => "outdated",
            RebuildReason::Foreign => "foreign",
        }
    }

    /// Whether the old database is of use until the new one is whole. If not it is put aside first.
    pub fn keeps_the_old(self) -> bool {
        matches!(self, RebuildReason::Torn | RebuildReason::Outdated)
    }
}

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartDecision {
    /// M_l = M_k: nothing.
    UseAsIs,
    /// M_l < M_k: the changelogs are read from the local position on.
    CatchUp,
    /// No local state: the changelogs are read from their beginning.
    RestoreAll,
    /// The local state is of no use: the changelogs are read from their beginning into another database.
    Rebuild(RebuildReason),
    /// Nothing is known of the task: it begins at the sources' beginning.
    FirstStart,
    /// Going on would give wrong data.
    Refuse(StartRefusal),
}

/// Decides. A database that was last written at `outdated` or before cannot be caught up from a changelog.
pub fn decide_start(local: LocalState<'_>, log: &LogView, outdated: Option<Timestamp>) -> StartDecision {
    let Some((offset, marker)) = &log.marker else {
        return match (log.committed, local) {
            (Some(committed), _) => StartDecision::Refuse(StartRefusal::LogTruncated {
                committed: committed.0,
                start: log.bounds.start.0,
                end: log.bounds.end.0,
            }),
            (None, LocalState::At(local)) => StartDecision::Refuse(StartRefusal::LocalWithoutLog { local: local.marker.sequence }),
            (None, LocalState::Damaged) => StartDecision::Refuse(StartRefusal::DamagedWithoutLog),
            (None, LocalState::Absent) => StartDecision::FirstStart,
        };
    };
    let local = match local {
        LocalState::Absent => return StartDecision::RestoreAll,
        LocalState::Damaged => return StartDecision::Rebuild(RebuildReason::Damaged),
        LocalState::At(local) => local,
    };
    if local.marker.lineage != marker.lineage {
        return StartDecision::Rebuild(RebuildReason::Foreign);
    }
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (local.marker.sequence.cmp(&marker.sequence), local.marker_offset.cmp(offset)) {
        (Equal, Equal) => StartDecision::UseAsIs,
        (Less, Less) if outdated.is_some_and(|outdated| local.applied_at <= outdated) => StartDecision::Rebuild(RebuildReason::Outdated),
        (Less, Less) => StartDecision::CatchUp,
        (Greater, Greater) => StartDecision::Refuse(StartRefusal::LocalAhead { local: local.marker.sequence, log: marker.sequence }),
        // Sequence and offset disagree in order: two histories.
        _ => StartDecision::Rebuild(RebuildReason::Foreign),
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
        let (sources, changelogs, outputs) = Default::default();
        Marker { lineage, sequence, sources, stream_time: None, changelogs, outputs }
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
        use RebuildReason::{Damaged, Foreign, Outdated};
        let refuse = StartDecision::Refuse;
        let at_7 = || log(Some(7), Some((6, marker(ONE, 4))));
        for (name, position, log, expected) in [
            ("equal", local(ONE, 4, 6), at_7(), StartDecision::UseAsIs),
            ("behind", local(ONE, 2, 3), at_7(), StartDecision::CatchUp),
            ("no database", None, at_7(), StartDecision::RestoreAll),
            ("first start", None, log(None, None), StartDecision::FirstStart),
            ("foreign lineage", local(TWO, 4, 6), at_7(), StartDecision::Rebuild(Foreign)),
            ("order disagrees", local(ONE, 5, 3), at_7(), StartDecision::Rebuild(Foreign)),
            ("ahead", local(ONE, 5, 8), at_7(), refuse(StartRefusal::LocalAhead { local: 5, log: 4 })),
            ("offsets expired", local(ONE, 4, 6), log(None, Some((6, marker(ONE, 4)))), StartDecision::UseAsIs),
            ("local without log", local(ONE, 5, 8), log(None, None), refuse(StartRefusal::LocalWithoutLog { local: 5 })),
            ("truncated", None, log(Some(2), None), refuse(StartRefusal::LogTruncated { committed: 2, start: 3, end: 9 })),
        ] {
            assert_eq!(decide_start(position.as_ref().into(), &log, None), expected, "{name}");
        }
        let damaged = |log| decide_start(LocalState::Damaged, &log, None);
        assert_eq!(damaged(at_7()), StartDecision::Rebuild(Damaged));
        assert_eq!(damaged(log(None, None)), refuse(StartRefusal::DamagedWithoutLog), "it may have held anything");
        assert!(matches!(damaged(log(Some(2), None)), StartDecision::Refuse(StartRefusal::LogTruncated { .. })));
        // The database was last written at 0.
        let aged =
            |sequence, offset, outdated| decide_start(local(ONE, sequence, offset).as_ref().into(), &at_7(), Some(Timestamp(outdated)));
        assert_eq!(aged(2, 3, 0), StartDecision::Rebuild(Outdated));
        assert_eq!(aged(2, 3, -1), StartDecision::CatchUp);
        assert_eq!(aged(4, 6, 0), StartDecision::UseAsIs, "nothing is read from a changelog");
    }
}
