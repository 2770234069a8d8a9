//! What a task's state was made from: which cluster, which incarnation of each topic, how many partitions, how keys are written.
//!
//! It stands beside each marker in the task log, as a header, and in the task's database. So it is there though the disk is lost, is
//! never older than the marker, and outlives compaction with it. What one side does not know (an older version of this program, an older
//! broker, a key type without a shape) fits everything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a task's state was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The cluster's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many partitions its sources have; `None` when it has no store, and keys decide nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// The id of each source topic and changelog, by full name. A topic that is made anew has another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, String>,
    /// How the keys of each store are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

impl Origin {
    /// The header of markers, and the key in the meta column.
    pub const KEY: &'static str = "viewmill-origin";

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are always JSON")
    }

    /// From bytes; those that this version does not understand say nothing.
    pub fn decode(bytes: &[u8]) -> Origin {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_these_bytes_and_what_is_not_known_is_left_out() {
        let origin = Origin {
            cluster: Some("c".into()),
            partitions: Some(4),
            topics: [("t".to_string(), "id".to_string())].into(),
            keys: [("s".to_string(), "string".to_string())].into(),
        };
        let bytes = origin.encode();
        assert_eq!(String::from_utf8_lossy(&bytes), r#"{"cluster":"c","partitions":4,"topics":{"t":"id"},"keys":{"s":"string"}}"#);
        assert_eq!(Origin::decode(&bytes), origin);
        assert_eq!(Origin::default().encode(), b"{}");
        assert_eq!(Origin::decode(br#"{"cluster":"c","later":1}"#), Origin { cluster: Some("c".into()), ..Origin::default() });
        assert_eq!(Origin::decode(b"\xff"), Origin::default());
    }
}
