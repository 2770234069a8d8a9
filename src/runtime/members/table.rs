//! Which member has which task: a state machine over the records of the members topic, without Kafka and without a clock.
//!
//! Nothing here compares the clocks of two machines. What is newer is decided by the order of the log, and what is too old by this
//! instance's own records in it:
//!
//! ```text
//!  offset   31    32   33    34    35
//!           b     own  c     own   b        own 32 was published at 10.0 s, own 34 at 12.0 s, by this instance's clock
//!
//!  b at 31  says nothing: it may have lain there for a day
//!  c at 33  lived after 10.0 s
//!  b at 35  lived after 12.0 s, and its claims count for tasks of which this instance said in 34 that it let go
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::own::{LastWord, OwnMember};
use super::record::{MemberRecord, MemberRole, MemberTask, MemberTaskState};
use super::{GONE_AFTER, MemberIdentity, MemberRow};
use crate::query::{InstanceId, TaskOwner};
use crate::topology::TaskId;

/// Members beyond this number are not looked at.
const MAX_MEMBERS: usize = 1_000;

/// This instance and the others.
pub(super) struct MemberTable {
    own: OwnMember,
    /// By instance id.
    others: BTreeMap<String, Member>,
    /// When another process with this instance's id was last heard, behind a record of our own.
    rival_heard: Option<Duration>,
}

/// The last word of another member.
struct Member {
    run: String,
    sequence: u64,
    url: Arc<str>,
    version: String,
    tasks: Vec<MemberTask>,
    offset: i64,
    received: Duration,
    /// It lived after this moment; `None` when nothing tells how old its record is.
    lived_after: Option<Duration>,
}

impl Member {
    fn lives(&self, now: Duration) -> bool {
        self.lived_after.is_some_and(|at| now.saturating_sub(at) <= GONE_AFTER)
    }
}

impl MemberTable {
    pub(super) fn new(identity: MemberIdentity) -> Self {
        MemberTable { own: OwnMember::new(identity), others: BTreeMap::new(), rival_heard: None }
    }

    /// The tasks that are here now.
    pub(super) fn hold(&mut self, now_here: impl IntoIterator<Item = (TaskId, MemberTaskState)>) {
        self.own.hold(now_here);
    }

    /// The record to publish now, if one is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<MemberRecord> {
        self.own.due(now)
    }

    /// The next record of the log.
    pub(super) fn receive(&mut self, offset: i64, key: &[u8], value: Option<&[u8]>, now: Duration) {
        let Ok(instance) = std::str::from_utf8(key) else { return };
        let record = value.and_then(MemberRecord::decode);
        if instance == &*self.own.identity.instance.0 {
            match record {
                Some(record) if record.run == self.own.identity.run => self.own.read_back(record.sequence, offset, now),
                // What an earlier process with this id wrote tells nothing; one that writes behind us lives.
                Some(_) if self.own.heard.is_some() => self.rival_heard = Some(now),
                _ => {}
            }
            return;
        }
        let Some(record) = record else {
            if self.others.remove(instance).is_some() {
                tracing::info!(member = instance, "member left");
            }
            return;
        };
        match self.others.get(instance) {
            // A late copy of an earlier record.
            Some(known) if known.run == record.run && known.sequence >= record.sequence => return,
            Some(_) => {}
            None if self.others.len() >= MAX_MEMBERS => return tracing::warn!(member = instance, "too many members, this one is left out"),
            None => tracing::info!(member = instance, url = record.url, "member seen"),
        }
        let MemberRecord { run, sequence, url, version, mut tasks, .. } = record;
        tasks.iter_mut().for_each(|task| _ = task.since.get_or_insert(offset));
        let member = Member { run, sequence, url: url.into(), version, tasks, offset, received: now, lived_after: self.own.anchor() };
        self.others.insert(instance.to_string(), member);
    }

    /// Whether another living process with this instance's id is heard of.
    pub(super) fn has_rival(&self, now: Duration) -> bool {
        self.rival_heard.is_some_and(|at| now.saturating_sub(at) <= GONE_AFTER)
    }

    /// Forgets members that have been silent.
    pub(super) fn tidy(&mut self, now: Duration) {
        self.others.retain(|instance, member| {
            let is_silent = now.saturating_sub(member.received) > GONE_AFTER;
            if is_silent {
                tracing::info!(member = instance, "member is gone: it has not been heard for {} s", GONE_AFTER.as_secs());
            }
            !is_silent
        });
    }

    /// Who has a task that cannot be read here: of the living members that claim it behind this instance's own last word, the one whose
    /// claim began last.
    pub(super) fn owner(&self, task: &TaskId, now: Duration) -> TaskOwner {
        if self.own.is_restoring(task) {
            let MemberIdentity { instance, url, .. } = &self.own.identity;
            return TaskOwner::Restoring { instance: instance.clone(), url: url.clone() };
        }
        let behind = match self.own.last_word(task) {
            LastWord::Outstanding => return TaskOwner::Unknown,
            LastWord::At(offset) => offset,
            LastWord::None => -1,
        };
        let believed = self.others.iter().filter(|(_, member)| member.lives(now) && member.offset > behind);
        let claims = believed.flat_map(|(instance, member)| {
            let claims = member.tasks.iter().filter(|claim| claim.task == *task && claim.role == MemberRole::Active);
            claims.map(move |claim| (claim.since, claim.state, instance, member))
        });
        let Some((_, state, instance, member)) = claims.max_by_key(|(since, ..)| *since) else { return TaskOwner::Unknown };
        let (instance, url) = (InstanceId(instance.as_str().into()), member.url.clone());
        match state {
            MemberTaskState::Active => TaskOwner::Active { instance, url },
            MemberTaskState::Restoring => TaskOwner::Restoring { instance, url },
            MemberTaskState::Other => TaskOwner::Unknown,
        }
    }

    #[cfg(test)]
    pub(super) fn own_unread(&self) -> usize {
        self.own.unread()
    }

    /// All living members by instance id, this one among them.
    pub(super) fn rows(&self, now: Duration) -> Vec<MemberRow> {
        let MemberIdentity { instance, url, version, .. } = &self.own.identity;
        let own = MemberRow {
            instance: instance.clone(),
            url: url.clone(),
            version: version.clone(),
            tasks: self.own.tasks().collect(),
            last_seen: self.own.heard.map(|at| now.saturating_sub(at)),
            is_self: true,
        };
        let living = self.others.iter().filter(|(_, member)| member.lives(now));
        let others = living.map(|(instance, member)| MemberRow {
            instance: InstanceId(instance.as_str().into()),
            url: member.url.clone(),
            version: member.version.clone(),
            tasks: member.tasks.clone(),
            last_seen: Some(now.saturating_sub(member.received)),
            is_self: false,
        });
        let mut rows: Vec<MemberRow> = others.chain([own]).collect();
        rows.sort_by(|a, b| a.instance.0.cmp(&b.instance.0));
        rows
    }
}
