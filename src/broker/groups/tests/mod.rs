//! Kafka's rules for groups, one by one, and then all at once by chance.

mod joining;
mod laws;
mod leaving;
mod looking;
mod offsets;
mod restarts;
mod room;
mod sessions;
mod static_members;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::super::journal::remembered::Remembered;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{
    Answer, Commit, Committer, GroupEntry, GroupSettings, GroupState, Groups, Join, Joined, Leaving, OffsetToCommit, Protocol, Sync,
    Synced, Waiter,
};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_millis(200);

/// A coordinator whose clock and journal the test holds, and who collects the answers.
struct Scene {
    groups: Groups,
    journal: Remembered,
    now: Moment,
    waiters: u64,
    answers: HashMap<Waiter, Answer>,
}

impl Scene {
    fn new() -> Self {
        Scene::with(GroupSettings::default())
    }

    fn with(settings: GroupSettings) -> Self {
        let now = Moment { monotonic: Duration::ZERO, wall_ms: 1_000_000_000_000 };
        Scene { groups: Groups::new(settings), journal: Remembered::default(), now, waiters: 0, answers: HashMap::new() }
    }

    /// Time passes in small steps, as the ticker has it.
    fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while self.now.monotonic < end {
            let step = Duration::from_millis(50).min(end - self.now.monotonic);
            self.now = self.now.after(step);
            self.groups.tick(&mut self.journal, self.now);
        }
        self.collect();
    }

    fn collect(&mut self) {
        self.answers.extend(self.groups.take_answers());
    }

    fn waiter(&mut self) -> Waiter {
        self.waiters += 1;
        Waiter(self.waiters)
    }

    fn join(&mut self, join: Join) -> Waiter {
        let waiter = self.waiter();
        self.groups.join(&mut self.journal, self.now, join, waiter);
        self.collect();
        waiter
    }

    fn sync(&mut self, sync: Sync) -> Waiter {
        let waiter = self.waiter();
        self.groups.sync(&mut self.journal, self.now, sync, waiter);
        self.collect();
        waiter
    }

    fn joined(&mut self, waiter: Waiter) -> Option<Joined> {
        match self.answers.get(&waiter) {
            Some(Answer::Joined(joined)) => Some(joined.clone()),
            Some(Answer::Synced(_)) => panic!("another answer was expected"),
            None => None,
        }
    }

    fn synced(&mut self, waiter: Waiter) -> Option<Synced> {
        match self.answers.get(&waiter) {
            Some(Answer::Synced(synced)) => Some(synced.clone()),
            Some(Answer::Joined(_)) => panic!("another answer was expected"),
            None => None,
        }
    }

    /// Has these join a new group; returns what each is told.
    fn form(&mut self, joins: &[Join]) -> Vec<Joined> {
        let waiters: Vec<Waiter> = joins.iter().map(|join| self.join(join.clone())).collect();
        self.pass(DELAY * 3);
        waiters.into_iter().map(|waiter| self.joined(waiter).expect("the generation began")).collect()
    }

    /// Has these form a group whose leader assigns to each its own id.
    fn stable(&mut self, joins: &[Join]) -> Vec<Joined> {
        let joined = self.form(joins);
        self.assign(&joined);
        joined
    }

    fn assign(&mut self, joined: &[Joined]) {
        let waiters: Vec<Waiter> = joined.iter().map(|joined| self.sync(sync_of(joined))).collect();
        for (waiter, joined) in waiters.into_iter().zip(joined) {
            let synced = self.synced(waiter).expect("assigned");
            assert_eq!((synced.error, synced.assignment.as_ref()), (ErrorCode::None, joined.member_id.as_bytes()));
        }
        assert_eq!(self.state(), GroupState::Stable);
    }

    fn heartbeat(&mut self, joined: &Joined) -> Result<(), ErrorCode> {
        self.groups.heartbeat(self.now, "g", joined.generation, &joined.member_id, None)
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> ErrorCode {
        let who = Leaving { member_id: member_id.to_owned(), instance_id: instance_id.map(str::to_owned) };
        let left = self.groups.leave(&mut self.journal, self.now, "g", vec![who]).expect("answered");
        self.collect();
        left[0].error
    }

    fn state(&self) -> GroupState {
        self.groups.get("g").expect("the group exists").state
    }

    fn commit(&mut self, by: Committer, offset: i64) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.groups.commit(&mut self.journal, self.now, &commit(by, offset))
    }

    fn commit_in_transaction(&mut self, producer_id: i64, by: Committer, offset: i64) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.groups.commit_in_transaction(&mut self.journal, self.now, producer_id, &commit(by, offset))
    }

    /// The committed offset of partition 0.
    fn offset(&self) -> Option<i64> {
        let fetched = self.groups.fetch("g", Some(&[("orders".to_owned(), 0)]), false);
        fetched[0].offset.as_ref().map(|committed| committed.offset)
    }

    /// What the next process knows.
    fn restarted(&self) -> Groups {
        let mut groups = Groups::new(self.groups.settings.clone());
        for record in &self.journal.records {
            groups.replay(GroupEntry::read(record).expect("readable").expect("of groups"));
        }
        groups.started(self.now);
        groups
    }
}

/// A member of an old client, which joins without being told an id first. Its name makes its id: "a" becomes "client-a".
fn member(name: &str) -> Join {
    Join {
        group: "g".to_owned(),
        member_id: String::new(),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", "orders")],
        id_first: false,
        may_skip_assignment: true,
        unique: name.to_owned(),
    }
}

fn again(join: Join, joined: &Joined) -> Join {
    Join { member_id: joined.member_id.clone(), ..join }
}

fn static_member(instance: &str, unique: &str) -> Join {
    Join { instance_id: Some(instance.to_owned()), ..member(unique) }
}

/// A protocol of a consumer that subscribes to one topic.
fn protocol(name: &str, topic: &str) -> Protocol {
    let mut metadata = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    metadata.extend_from_slice(topic.as_bytes());
    Protocol { name: name.to_owned(), metadata: Bytes::from(metadata) }
}

/// The leader's, with each member's id as its assignment; the others' without any.
fn sync_of(joined: &Joined) -> Sync {
    Sync {
        group: "g".to_owned(),
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: None,
        protocol_type: joined.protocol_type.clone(),
        protocol: joined.protocol.clone(),
        assignments: joined.members.iter().map(|member| (member.id.clone(), Bytes::from(member.id.clone()))).collect(),
    }
}

fn by(joined: &Joined) -> Committer {
    Committer { generation: joined.generation, member_id: joined.member_id.clone(), instance_id: None }
}

fn nobody() -> Committer {
    Committer { generation: -1, member_id: String::new(), instance_id: None }
}

fn commit(by: Committer, offset: i64) -> Commit {
    let offset = OffsetToCommit { topic: "orders".to_owned(), partition: 0, offset, leader_epoch: 0, metadata: Some("m".to_owned()) };
    Commit { group: "g".to_owned(), by, offsets: vec![offset], retention_ms: None, knows_missing_group: true }
}
