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
    /// How far it has come in the topics that it writes for others: by partition, the offset after its last record. The partition's
    /// transaction may reach further, never less far. Repartition topics are named, and the sinks whose positions held records tell.
    pub outputs: BTreeMap<TopicPartition, Offset>,
}

/// As version 1 has it: it did not tell of outputs.
#[derive(Serialize, Deserialize)]
struct MarkerV1 {
    lineage: Uuid,
    sequence: u64,
    sources: BTreeMap<TopicPartition, Offset>,
    stream_time: Option<Timestamp>,
    changelogs: BTreeMap<String, Option<Offset>>,
}

impl From<MarkerV1> for Marker {
    fn from(MarkerV1 { lineage, sequence, sources, stream_time, changelogs }: MarkerV1) -> Self {
        Marker { lineage, sequence, sources, stream_time, changelogs, outputs: BTreeMap::new() }
    }
}

impl StoreValue for Marker {
    const SCHEMA: u16 = 2;

    fn upgrade(from: u16, body: &[u8]) -> Result<Self, CodecError> {
        match from {
            1 => codec::decode_body::<MarkerV1>(body).map(Marker::from),
            _ => Err(CodecError::schema(from, Self::SCHEMA)),
        }
    }
}

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

/// As version 1 has it.
#[derive(Serialize, Deserialize)]
struct TaskPositionV1 {
    marker: MarkerV1,
    marker_offset: Offset,
    applied_at: Timestamp,
}

impl StoreValue for TaskPosition {
    const SCHEMA: u16 = 2;

    fn upgrade(from: u16, body: &[u8]) -> Result<Self, CodecError> {
        let TaskPositionV1 { marker, marker_offset, applied_at } = match from {
            1 => codec::decode_body(body)?,
            _ => return Err(CodecError::schema(from, Self::SCHEMA)),
        };
        Ok(TaskPosition { marker: marker.into(), marker_offset, applied_at })
    }
}

impl TaskPosition {
    /// The key in the meta column.
    pub const KEY: &'static [u8] = b"position";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        Marker {
            lineage: Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            sequence: 7,
            sources: [(TopicPartition::new("t", 1), Offset(300))].into(),
            stream_time: Some(Timestamp(-2)),
            changelogs: [("a".to_string(), Some(Offset(5))), ("b".to_string(), None)].into(),
            outputs: [(TopicPartition::new("o", 3), Offset(9))].into(),
        }
    }

    /// What follows the header, without the outputs.
    fn body() -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            &[16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
            &[7],
            &[1, 1, b't', 2, 251, 88, 2],
            &[1, 3],
            &[2, 1, b'a', 1, 10, 1, b'b', 0],
        ];
        parts.concat()
    }

    #[test]
    fn markers_have_these_bytes() {
        // In the task log of every application: a change here needs a new schema version with an upgrade.
        let bytes = marker().encode().unwrap();
        assert_eq!(bytes, [&[1, 0, 2], &body()[..], &[1, 1, b'o', 6, 18]].concat());
        assert_eq!(Marker::decode(&bytes).unwrap(), marker());
    }

    #[test]
    fn positions_have_these_bytes() {
        let position = TaskPosition { marker: marker(), marker_offset: Offset(4), applied_at: Timestamp(3) };
        let mut bytes = Vec::new();
        codec::encode_row(&position, &mut bytes).unwrap();
        assert_eq!(bytes, [&[1, 0, 2], &body()[..], &[1, 1, b'o', 6, 18, 8, 6]].concat());
        assert_eq!(codec::decode_row::<TaskPosition>(&bytes).unwrap(), position);
    }

    #[test]
    fn what_the_first_version_wrote_is_read_and_knows_of_no_outputs() {
        let old = Marker { outputs: BTreeMap::new(), ..marker() };
        assert_eq!(Marker::decode(&[&[1, 0, 1], &body()[..]].concat()).unwrap(), old);
        let position = TaskPosition { marker: old, marker_offset: Offset(4), applied_at: Timestamp(3) };
        assert_eq!(codec::decode_row::<TaskPosition>(&[&[1, 0, 1], &body()[..], &[8, 6]].concat()).unwrap(), position);
        assert!(Marker::decode(&[&[1, 0, 0], &body()[..]].concat()).is_err());
    }
}
