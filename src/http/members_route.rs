//! `GET /v1/members`: the living members of the application, as this instance knows them.

use std::sync::Arc;

use serde::Serialize;

use crate::runtime::{MemberRow, MemberTask};

/// The answer.
#[derive(Serialize)]
pub(super) struct MembersJson {
    members: Vec<MemberJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberJson {
    instance: Arc<str>,
    url: Arc<str>,
    version: String,
    tasks: Vec<MemberTaskJson>,
    /// `null` while this instance has read none of its own records.
    last_seen_seconds: Option<f64>,
    #[serde(rename = "self")]
    is_self: bool,
}

#[derive(Serialize)]
struct MemberTaskJson {
    id: String,
    role: &'static str,
    state: &'static str,
}

impl MembersJson {
    pub(super) fn new(rows: Vec<MemberRow>) -> Self {
        let task = |task: &MemberTask| MemberTaskJson { id: task.task.to_string(), role: task.role.as_str(), state: task.state.as_str() };
        let member = |row: MemberRow| MemberJson {
            tasks: row.tasks.iter().map(task).collect(),
            instance: row.instance.0,
            url: row.url,
            version: row.version,
            last_seen_seconds: row.last_seen.map(|age| age.as_secs_f64()),
            is_self: row.is_self,
        };
        MembersJson { members: rows.into_iter().map(member).collect() }
    }
}
