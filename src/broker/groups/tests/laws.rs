//! Whatever members and time do: nobody commits for a partition that the present generation gave to another, and every request is answered.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// A consumer as clients are: it joins, asks for its assignment, shows signs of life, commits what it has, and may crash at any moment.
#[derive(Debug, Default)]
struct Client {
    joining: Option<Waiter>,
    syncing: Option<Waiter>,
    joined: Option<Joined>,
    /// What it believes to have.
    owns: Option<i32>,
}

#[derive(Debug, Clone)]
enum Step {
    /// The client does the next thing; one that has partitions joins again.
    Go(usize),
    /// All clients do, for a while, with their heartbeats: mostly until the group is stable.
    Settle(usize),
    Heartbeat(usize),
    Commit(usize),
    /// It sends a commit that arrives later, perhaps after it joined again.
    Delay(usize),
    Arrive(usize),
    CommitInTransaction(usize),
    Leave(usize),
    /// It is gone without a word, and another takes its name.
    Crash(usize),
    Pass(u32),
    Restart,
    Full(bool),
}

const CLIENTS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CLIENTS;
    prop_oneof![
        8 => who().prop_map(Step::Go),
        6 => (1usize..30).prop_map(Step::Settle),
        3 => who().prop_map(Step::Heartbeat),
        6 => who().prop_map(Step::Commit),
        6 => who().prop_map(Step::Delay),
        6 => (0usize..4).prop_map(Step::Arrive),
        3 => who().prop_map(Step::CommitInTransaction),
        1 => who().prop_map(Step::Leave),
        1 => who().prop_map(Step::Crash),
        3 => (1u32..2500).prop_map(Step::Pass),
        1 => (1u32..12_000).prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => prop::bool::weighted(0.2).prop_map(Step::Full),
    ]
}

fn name(who: usize, statics: usize) -> Join {
    let join = member(&format!("{who}"));
    let join = Join {
        session_timeout: Duration::from_secs(6),
        rebalance_timeout: Duration::from_secs(10),
        id_first: who.is_multiple_of(2),
        ..join
    };
    if who < statics { Join { instance_id: Some(format!("i{who}")), ..join } } else { join }
}

struct World {
    scene: Scene,
    clients: Vec<Client>,
    statics: usize,
    lives: u32,
    delayed: Vec<Committer>,
}

impl World {
    fn go(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if let Some(waiter) = client.joining {
            let Some(joined) = self.scene.joined(waiter) else { return };
            client.joining = None;
            let goes_on = matches!(joined.error, ErrorCode::None | ErrorCode::MemberIdRequired);
            let keeps_id = goes_on || matches!(joined.error, ErrorCode::RebalanceInProgress | ErrorCode::CoordinatorNotAvailable);
            if keeps_id && !joined.member_id.is_empty() {
                client.joined = Some(joined);
            } else {
                *client = Client::default();
            }
            return;
        }
        if let Some(waiter) = client.syncing {
            let Some(synced) = self.scene.synced(waiter) else { return };
            client.syncing = None;
            client.owns = (synced.error == ErrorCode::None && synced.assignment.len() == 4)
                .then(|| i32::from_be_bytes(synced.assignment[..].try_into().expect("four bytes")));
            if synced.error != ErrorCode::None && synced.error != ErrorCode::RebalanceInProgress {
                *client = Client::default();
            } else if client.owns.is_none() {
                client.joined.as_mut().expect("it had joined").error = ErrorCode::RebalanceInProgress;
            }
            return;
        }
        match client.joined.clone() {
            Some(joined) if joined.error == ErrorCode::None && client.owns.is_none() && !joined.skip_assignment => {
                let partitions = joined.members.iter().zip(0..).map(|(member, partition)| (member.id.clone(), partition));
                let assignments =
                    partitions.map(|(id, partition): (String, i32)| (id, Bytes::copy_from_slice(&partition.to_be_bytes()))).collect();
                client.syncing =
                    Some(self.scene.sync(Sync { assignments, instance_id: name(who, self.statics).instance_id, ..sync_of(&joined) }));
            }
            joined => {
                client.owns = None;
                let join = Join {
                    member_id: joined.map(|joined| joined.member_id).unwrap_or_default(),
                    unique: format!("{who}-{}", self.lives),
                    ..name(who, self.statics)
                };
                self.lives += 1;
                client.joining = Some(self.scene.join(join));
            }
        }
    }

    fn heartbeat(&mut self, who: usize) {
        let client = &self.clients[who];
        let Some(joined) = client.joined.clone().filter(|_| client.joining.is_none() && client.syncing.is_none()) else { return };
        match self.scene.groups.heartbeat(self.scene.now, "g", joined.generation, &joined.member_id, None) {
            Ok(()) => {}
            Err(ErrorCode::RebalanceInProgress) => {
                let client = &mut self.clients[who];
                client.owns = None;
                client.joined.as_mut().expect("there").error = ErrorCode::RebalanceInProgress;
            }
            Err(_) => self.clients[who] = Client::default(),
        }
    }

    fn commits(&mut self, who: usize, in_transaction: bool) -> Result<(), TestCaseError> {
        let client = &self.clients[who];
        let (Some(joined), Some(partition)) = (&client.joined, client.owns) else { return Ok(()) };
        let by = Committer { instance_id: name(who, self.statics).instance_id, ..by(joined) };
        let mut commit = commit(by, 1);
        commit.offsets[0].partition = partition;
        let group = self.scene.groups.get("g").map(|group| group.generation);
        let Scene { groups, journal, now, .. } = &mut self.scene;
        let result = if in_transaction {
            groups.commit_in_transaction(journal, *now, who as i64, &commit)
        } else {
            groups.commit(journal, *now, &commit)
        };
        if result.is_ok() {
            prop_assert_eq!(group, Some(joined.generation), "a commit of an old generation");
            let others = self.clients.iter().enumerate().filter(|(other, _)| *other != who);
            for (other, client) in others {
                let same =
                    client.owns == Some(partition) && client.joined.as_ref().is_some_and(|other| other.generation == joined.generation);
                prop_assert!(!same, "clients {} and {} both have partition {} of generation {}", who, other, partition, joined.generation);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_partition_of_a_generation_belongs_to_one(statics in 0..3usize, steps in proptest::collection::vec(step(), 1..150)) {
        let clients = (0..CLIENTS).map(|_| Client::default()).collect();
        let mut world = World { scene: Scene::new(), clients, statics, lives: 0, delayed: Vec::new() };
        for step in steps {
            match step {
                Step::Go(who) => world.go(who),
                Step::Settle(rounds) => {
                    for _ in 0..rounds {
                        let restless: Vec<usize> = (0..CLIENTS).filter(|who| world.clients[*who].owns.is_none()).collect();
                        restless.into_iter().for_each(|who| world.go(who));
                        (0..CLIENTS).for_each(|who| world.heartbeat(who));
                        world.scene.pass(Duration::from_millis(100));
                    }
                }
                Step::Heartbeat(who) => world.heartbeat(who),
                Step::Commit(who) => world.commits(who, false)?,
                Step::Delay(who) => {
                    let client = &world.clients[who];
                    if let (Some(joined), Some(_)) = (&client.joined, client.owns) {
                        world.delayed.push(Committer { instance_id: name(who, statics).instance_id, ..by(joined) });
                    }
                }
                Step::Arrive(which) => {
                    if which < world.delayed.len() {
                        let by = world.delayed.swap_remove(which);
                        let present = world.scene.groups.get("g").map(|group| group.generation);
                        let generation = by.generation;
                        let at_once = which.is_multiple_of(2);
                        let result = if at_once { world.scene.commit(by, 1) } else { world.scene.commit_in_transaction(1, by, 1) };
                        prop_assert!(result.is_err() || present == Some(generation), "a commit of an old generation");
                    }
                }
                Step::CommitInTransaction(who) => world.commits(who, true)?,
                Step::Leave(who) => {
                    if let Some(joined) = &world.clients[who].joined {
                        let id = joined.member_id.clone();
                        let who_leaves = Leaving { member_id: id, instance_id: name(who, statics).instance_id };
                        let _ = world.scene.groups.leave(&mut world.scene.journal, world.scene.now, "g", vec![who_leaves]);
                        world.scene.collect();
                    }
                    world.clients[who] = Client::default();
                }
                Step::Crash(who) => world.clients[who] = Client::default(),
                Step::Pass(millis) => world.scene.pass(Duration::from_millis(u64::from(millis))),
                Step::Restart => {
                    world.scene.groups = world.scene.restarted();
                    for client in &mut world.clients {
                        // Their connections broke: what they had asked they ask again.
                        client.joining = None;
                        client.syncing = None;
                    }
                }
                Step::Full(full) => world.scene.journal.refuses = full,
            }
            if let Some(group) = world.scene.groups.get("g") {
                let leader_is_there = group.leader.as_ref().is_none_or(|leader| group.members.contains_key(leader));
                prop_assert!(leader_is_there, "the leader is not a member");
                prop_assert!(group.members.is_empty() || group.state != GroupState::Empty, "an empty group with members");
                let instances: HashSet<&String> = group.members.values().filter_map(|member| member.instance_id.as_ref()).collect();
                let statics = group.members.values().filter(|member| member.instance_id.is_some()).count();
                prop_assert_eq!(instances.len(), statics, "two members with one instance id");
            }
        }
        // Nobody waits for ever: with time, all is answered.
        world.scene.journal.refuses = false;
        for _ in 0..200 {
            world.scene.now = world.scene.now.after(Duration::from_secs(2));
            world.scene.groups.tick(&mut world.scene.journal, world.scene.now);
        }
        world.scene.collect();
        for client in &world.clients {
            let waits = client.joining.or(client.syncing);
            prop_assert!(waits.is_none_or(|waiter| world.scene.answers.contains_key(&waiter)), "a request was never answered");
        }
    }
}
