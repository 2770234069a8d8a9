//! Where a task stands: the marker in the task log, and its copy in the task's database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec::{self, CodecError, StoreValue};
use crate::record::{Offset, Position, Timestamp, TopicPartition};

/// The position of a task after one commit. Each transaction that moves a task appends one to the task's partition of the
/// task log; so the log and the database can be compared, and nothing else decides where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Made at random with the task's first marker; a database of another lineage is foreign.
    pub lineage: Uuid,
    /// 1, 2, 3 …: one a commit.
    pub sequence: u64,
    /// The next offset of every source partition.
    pub sources: BTreeMap<TopicPartition, Offset>,
    /// The largest record time that the task has seen; `None` before the first record.
    pub stream_time: Option<Timestamp>,
    /// For each store the offset of the last record in its changelog partition; `None` while it has none.
    pub changelogs: BTreeMap<String, Option<Offset>>,
}

impl StoreValue for Marker {}

impl Marker {
    /// The key of markers in the task log.
    pub const KEY: &'static [u8] = b"marker";

    /// Writes it as a record's value.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        codec::encode_row(self, &mut out)?;
        Ok(out)
    }

    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<Marker, CodecError> {
        codec::decode_row(bytes)
    }

    /// The position of a read that sees this state.
    pub fn position(&self) -> Position {
        Position(self.sources.clone())
    }
}

/// What a task's database says of itself, written in the same batch as the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPosition {
    /// The last marker whose rows are in the database.
    pub marker: Marker,
    /// Where that marker stands in the task log.
    pub marker_offset: Offset,
    /// When the batch was applied, by the wall clock.
    pub applied_at: Timestamp,
}

impl StoreValue for TaskPosition {}

impl TaskPosition {
    /// The key in the meta column.
    pub const KEY: &'static [u8] = b"position";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_have_these_bytes() {
        // In the task log of every application: a change here needs a new schema version with an upgrade.
        let marker = Marker {
            lineage: Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            sequence: 7,
            sources: [(TopicPartition::new("t", 1), Offset(300))].into(),
            stream_time: Some(Timestamp(-2)),
            changelogs: [("a".to_string(), Some(Offset(5))), ("b".to_string(), None)].into(),
        };
        let bytes = marker.encode().unwrap();
        let expected = [
            &[1, 0, 1][..],
            &[16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
            &[7],
            &[1, 1, b't', 2, 251, 88, 2],
            &[1, 3],
            &[2, 1, b'a', 1, 10, 1, b'b', 0],
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(Marker::decode(&bytes).unwrap(), marker);
    }
}
