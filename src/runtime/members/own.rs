//! What this instance says of itself in the members topic, and what it has read back of that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::record::{FORMAT, MemberRecord, MemberRole, MemberTask, MemberTaskState};
use super::{HEARTBEAT, MemberIdentity};
use crate::topology::TaskId;

/// Records that were published and not read back; older ones no longer date anything.
const UNREAD: usize = 64;

/// This instance as a member.
pub(super) struct OwnMember {
    pub identity: MemberIdentity,
    tasks: BTreeMap<TaskId, Claim>,
    /// Tasks that this process had and has no more.
    releases: BTreeMap<TaskId, Release>,
    next_sequence: u64,
    /// When each record was published, until it is read back.
    published: VecDeque<(u64, Duration)>,
    last_published: Option<Duration>,
    changed: bool,
    /// When the last record that was read back had been published: whatever lies behind it in the log is younger.
    anchor: Option<Duration>,
    /// When a record was last read back.
    pub heard: Option<Duration>,
}

/// A task that is here.
struct Claim {
    state: MemberTaskState,
    /// The first record that says so, and where it lies.
    told_in: u64,
    since: Option<i64>,
}

/// A task that is no longer here.
#[derive(Clone, Copy)]
struct Release {
    /// The first record that says so, and where it lies.
    told_in: u64,
    offset: Option<i64>,
}

/// What claims of others must lie behind in the log to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastWord {
    /// This instance has the task, or what it last said of it is not in the log yet: nobody is believed.
    Outstanding,
    /// It let go of the task in the record at this offset.
    At(i64),
    /// It never had the task.
    None,
}

impl OwnMember {
    pub(super) fn new(identity: MemberIdentity) -> Self {
        OwnMember {
            identity,
            tasks: BTreeMap::new(),
            releases: BTreeMap::new(),
            next_sequence: 0,
            published: VecDeque::new(),
            last_published: None,
            changed: true,
            anchor: None,
            heard: None,
        }
    }

    /// The tasks that are here now.
    pub(super) fn hold(&mut self, now_here: impl IntoIterator<Item = (TaskId, MemberTaskState)>) {
        let mut before = std::mem::take(&mut self.tasks);
        for (task, state) in now_here {
            let mut claim = before.remove(&task).unwrap_or_else(|| {
                self.changed = true;
                Claim { state, told_in: self.next_sequence, since: None }
            });
            self.changed |= claim.state != state;
            claim.state = state;
            self.releases.remove(&task);
            self.tasks.insert(task, claim);
        }
        for task in before.into_keys() {
            self.changed = true;
            self.releases.insert(task, Release { told_in: self.next_sequence, offset: None });
        }
    }

    /// The record to publish now: at once when something changed, else with each heartbeat.
    pub(super) fn due(&mut self, now: Duration) -> Option<MemberRecord> {
        let beat = self.last_published.is_none_or(|last| now.saturating_sub(last) >= HEARTBEAT);
        if !self.changed && !beat {
            return None;
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.changed = false;
        self.last_published = Some(now);
        if self.published.len() == UNREAD {
            self.published.pop_front();
        }
        self.published.push_back((sequence, now));
        Some(MemberRecord {
            format: FORMAT,
            run: self.identity.run.clone(),
            sequence,
            url: self.identity.url.to_string(),
            version: self.identity.version.clone(),
            tasks: self.tasks().collect(),
        })
    }

    /// Its own record came back from the log.
    pub(super) fn read_back(&mut self, sequence: u64, offset: i64, now: Duration) {
        self.heard = Some(now);
        if let Some((_, at)) = self.published.iter().find(|(known, _)| *known == sequence) {
            self.anchor = Some(*at);
        }
        self.published.retain(|(known, _)| *known > sequence);
        for claim in self.tasks.values_mut().filter(|claim| claim.told_in <= sequence) {
            claim.since.get_or_insert(offset);
        }
        for release in self.releases.values_mut().filter(|release| release.told_in <= sequence) {
            release.offset.get_or_insert(offset);
        }
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = MemberTask> {
        let row = |(task, claim): (&TaskId, &Claim)| MemberTask {
            task: task.clone(),
            role: MemberRole::Active,
            state: claim.state,
            since: claim.since,
        };
        self.tasks.iter().map(row)
    }

    pub(super) fn is_restoring(&self, task: &TaskId) -> bool {
        self.tasks.get(task).is_some_and(|claim| claim.state == MemberTaskState::Restoring)
    }

    pub(super) fn anchor(&self) -> Option<Duration> {
        self.anchor
    }

    #[cfg(test)]
    pub(super) fn unread(&self) -> usize {
        self.published.len()
    }

    pub(super) fn last_word(&self, task: &TaskId) -> LastWord {
        match self.releases.get(task) {
            _ if self.tasks.contains_key(task) => LastWord::Outstanding,
            None => LastWord::None,
            Some(Release { offset: None, .. }) => LastWord::Outstanding,
            Some(Release { offset: Some(offset), .. }) => LastWord::At(*offset),
        }
    }
}
