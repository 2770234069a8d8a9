//! What a member publishes of itself: JSON under its instance id, in the members topic.

use serde::{Deserialize, Serialize};

use crate::topology::TaskId;

/// The format that this program writes, and the only one that it reads.
pub(super) const FORMAT: u32 = 1;

/// A member's last word: what it is and which tasks it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRecord {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// The process: a restarted instance has another one.
    pub(super) run: String,
    /// Counts the records of the process.
    pub(super) sequence: u64,
    /// How others reach it, without a slash at the end.
    pub(super) url: String,
    /// Its program's version.
    pub(super) version: String,
    /// Its tasks.
    pub(super) tasks: Vec<MemberTask>,
}

/// A task that a member has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberTask {
    /// The task.
    pub task: TaskId,
    /// In which role.
    pub role: MemberRole,
    /// Whether it can be read there.
    pub state: MemberTaskState,
    /// The offset of the record in which the member first claimed it; `None` until the member knows it.
    pub(super) since: Option<i64>,
}

/// In which role a member has a task. Words of later versions are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It runs the task.
    Active,
    /// A role that this version does not know.
    #[serde(other)]
    Other,
}

impl MemberRole {
    /// As in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            MemberRole::Active => "active",
            MemberRole::Other => "other",
        }
    }
}

/// Whether a member's task can be read. Words of later versions are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberTaskState {
    /// It runs.
    Active,
    /// It is being opened or restored.
    Restoring,
    /// A state that this version does not know.
    #[serde(other)]
    Other,
}

impl MemberTaskState {
    /// As in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            MemberTaskState::Active => "active",
            MemberTaskState::Restoring => "restoring",
            MemberTaskState::Other => "other",
        }
    }
}

impl MemberRecord {
    /// The record's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written")
    }

    /// `None` when it is of another format, or nothing that we wrote: readers are sent to the URL.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice::<MemberRecord>(value).ok().filter(|record| record.format == FORMAT && is_url(&record.url))
    }
}

fn is_url(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_this_shape() {
        let task = TaskId { subtopology: "events".into(), partition: 3 };
        let record = MemberRecord {
            format: FORMAT,
            run: "r".into(),
            sequence: 7,
            url: "http://a:1".into(),
            version: "0.1.0".into(),
            tasks: vec![MemberTask { task, role: MemberRole::Active, state: MemberTaskState::Restoring, since: Some(12) }],
        };
        let json = concat!(
            r#"{"format":1,"run":"r","sequence":7,"url":"http://a:1","version":"0.1.0","#,
            r#""tasks":[{"task":{"subtopology":"events","partition":3},"role":"active","state":"restoring","since":12}]}"#
        );
        assert_eq!(String::from_utf8(record.encode()).unwrap(), json);
        assert_eq!(MemberRecord::decode(json.as_bytes()), Some(record));
    }

    #[test]
    fn what_later_versions_add_is_read_past_and_other_formats_are_not_guessed_at() {
        let later = r#"{"format":1,"run":"r","sequence":7,"url":"http://u","version":"9","zone":"x",
            "tasks":[{"task":{"subtopology":"e","partition":0},"role":"standby","state":"lagging","since":null,"lag":3}]}"#;
        let record = MemberRecord::decode(later.as_bytes()).unwrap();
        assert_eq!((record.tasks[0].role, record.tasks[0].state), (MemberRole::Other, MemberTaskState::Other));
        assert_eq!(MemberRecord::decode(later.replace("\"format\":1", "\"format\":2").as_bytes()), None);
        assert_eq!(MemberRecord::decode(b"not ours"), None);
        for odd in ["u", "ftp://u", "http://u/\u{e9}", "http://u v"] {
            assert_eq!(MemberRecord::decode(later.replace("http://u", odd).as_bytes()), None, "{odd}");
        }
    }
}
