//! The group: two-phase hand-over, time-outs, static members, and two owners at once as the engine sees it.

use super::*;
use crate::ports::{Generation, PortErrorClass, TransactionalProducer};

fn dynamic(cluster: &FakeCluster, name: &str) -> FakeMembership {
    cluster.membership(GROUP, MemberConfig::dynamic(name), TASKS)
}

fn fixed(cluster: &FakeCluster, name: &str, instance_id: &str) -> FakeMembership {
    cluster.membership(GROUP, MemberConfig::fixed(name, instance_id), TASKS)
}

/// Tries to commit an offset for a token; answers the class of the refusal.
fn commit(cluster: &FakeCluster, id: &str, generation: &Generation, next: i64) -> Result<(), PortErrorClass> {
    let mut producer = producer(cluster, id);
    write(&mut producer, id);
    let sent = producer.send_offsets(&[(token(0), offset(next))], generation, NOW).map_err(|error| error.class);
    if sent.is_ok() { producer.commit(NOW) } else { producer.abort(NOW) }.expect("nothing fails");
    sent
}

#[test]
fn a_lone_member_gets_every_token_in_one_poll() {
    let cluster = cluster();
    let mut member = dynamic(&cluster, "a");
    let events = member.poll(NOW).expect("poll");
    assert_eq!(held(&events), [0, 1, 2, 3]);
    assert_eq!(captured(&events).generation_id, 1);
    assert!(member.poll(NOW).expect("poll").is_empty());
}

#[test]
fn a_hand_over_revokes_in_one_generation_and_assigns_in_the_next() {
    let cluster = cluster();
    let mut a = dynamic(&cluster, "a");
    let mut events_a = a.poll(NOW).expect("poll");
    let mut b = dynamic(&cluster, "b");
    let (mut events_b, mut both) = (Vec::new(), false);
    for _ in 0..6 {
        cluster.tick();
        events_a.extend(a.poll(NOW).expect("poll"));
        cluster.tick();
        events_b.extend(b.poll(NOW).expect("poll"));
        both |= held(&events_a).iter().any(|token| held(&events_b).contains(token));
    }
    assert!(!both, "never both");
    assert_eq!((held(&events_a), held(&events_b)), (vec![0, 1], vec![2, 3]));
    let generations = |events: &[MembershipEvent]| -> Vec<(i32, Vec<i32>)> {
        let assigned = events.iter().filter_map(|event| match event {
            MembershipEvent::Assigned { tokens, generation } => Some((generation.generation_id, tokens.clone())),
            _ => None,
        });
        assigned.collect()
    };
    assert_eq!(generations(&events_a), [(1, vec![0, 1, 2, 3]), (2, vec![]), (3, vec![])], "every generation is told");
    assert_eq!(generations(&events_b), [(2, vec![]), (3, vec![2, 3])]);
}

#[test]
fn a_member_that_has_not_polled_holds_up_the_hand_over_only_until_its_time_is_up() {
    let cluster = cluster();
    let mut hung = dynamic(&cluster, "hung");
    let before = captured(&hung.poll(NOW).expect("poll"));
    let mut new = dynamic(&cluster, "new");
    let mut events = Vec::new();
    for second in 0..75 {
        cluster.advance(secs(1));
        events.extend(new.poll(NOW).expect("poll"));
        assert!(second > 25 || held(&events).is_empty(), "second {second}: the revoke was not served yet");
    }
    assert_eq!(held(&events), [0, 1, 2, 3]);
    assert_eq!(commit(&cluster, "hung", &before, 1), Err(PortErrorClass::StaleGeneration));
    let events = hung.poll(NOW).expect("poll");
    assert!(held(&events).is_empty(), "{events:?}");
}

#[test]
fn a_dead_member_is_out_after_its_session() {
    let cluster = cluster();
    let (mut a, mut b) = (dynamic(&cluster, "a"), dynamic(&cluster, "b"));
    settle(&cluster, &mut [&mut a, &mut b]);
    drop(a);
    let mut events = Vec::new();
    for _ in 0..9 {
        cluster.advance(secs(1));
        events.extend(b.poll(NOW).expect("poll"));
    }
    assert!(held(&events).is_empty() && cluster.members(GROUP).len() == 2);
    for _ in 0..3 {
        cluster.advance(secs(1));
        events.extend(b.poll(NOW).expect("poll"));
    }
    assert_eq!(held(&events).len(), 2, "the tokens of the dead");
    assert_eq!(cluster.members(GROUP).len(), 1);
}

#[test]
fn a_member_that_leaves_hands_over_at_once() {
    let cluster = cluster();
    let (mut a, mut b) = (fixed(&cluster, "a", "1"), fixed(&cluster, "b", "2"));
    settle(&cluster, &mut [&mut a, &mut b]);
    a.leave();
    assert!(!a.has_left());
    let events = a.poll(NOW).expect("poll");
    assert!(matches!(&events[..], [MembershipEvent::Revoked { tokens }] if tokens.len() == 2), "{events:?}");
    assert!(a.has_left());
    let heard = settle(&cluster, &mut [&mut b]);
    assert_eq!(held(&heard[0]).len(), 2);
}

#[test]
fn a_restarted_static_member_takes_its_tokens_over_at_once_and_fences_the_old_one() {
    let cluster = cluster();
    let (mut a, mut b) = (fixed(&cluster, "a", "1"), fixed(&cluster, "b", "2"));
    let heard = settle(&cluster, &mut [&mut a, &mut b]);
    let (tokens, old) = (held(&heard[0]), captured(&heard[0]));
    let mut again = fixed(&cluster, "again", "1");
    let events = again.poll(NOW).expect("poll");
    let new = captured(&events);
    assert_eq!((held(&events), new.generation_id), (tokens, old.generation_id), "same tokens, no rebalance");
    assert_ne!(new.member_id, old.member_id);
    assert_eq!(commit(&cluster, "old", &old, 1), Err(PortErrorClass::FencedInstance));
    assert_eq!(commit(&cluster, "new", &new, 1), Ok(()));
    cluster.tick();
    for _ in 0..2 {
        assert_eq!(a.poll(NOW).expect_err("replaced").class, PortErrorClass::FencedInstance);
    }
    assert!(b.poll(NOW).expect("poll").is_empty(), "the others hear nothing");
}

#[test]
fn a_static_restart_between_revoke_and_rejoin_leaves_a_token_to_nobody_until_the_next_rebalance() {
    let cluster = cluster();
    let mut a = fixed(&cluster, "a", "1");
    a.poll(NOW).expect("poll");
    let mut b = fixed(&cluster, "b", "2");
    for _ in 0..3 {
        cluster.tick();
        b.poll(NOW).expect("poll");
    }
    // The generation that takes two tokens from a is complete; a has not polled, and its process is replaced.
    drop(a);
    let mut again = fixed(&cluster, "again", "1");
    let mut heard = settle(&cluster, &mut [&mut again, &mut b]);
    for _ in 0..60 {
        cluster.advance(secs(1));
        heard[0].extend(again.poll(NOW).expect("poll"));
        heard[1].extend(b.poll(NOW).expect("poll"));
    }
    assert_eq!((held(&heard[0]).len(), held(&heard[1]).len()), (2, 0), "the broker keeps the generation as it is");
    cluster.rebalance(GROUP);
    for (all, more) in heard.iter_mut().zip(settle(&cluster, &mut [&mut again, &mut b])) {
        all.extend(more);
    }
    assert_eq!((held(&heard[0]).len(), held(&heard[1]).len()), (2, 2));
}

#[test]
fn a_paused_member_loses_its_tokens_and_hears_of_it_when_it_polls() {
    let cluster = cluster();
    let (mut a, mut b) = (dynamic(&cluster, "a"), dynamic(&cluster, "b"));
    let heard = settle(&cluster, &mut [&mut a, &mut b]);
    let before = captured(&heard[0]);
    cluster.pause("a");
    let mut events = heard[1].clone();
    for _ in 0..12 {
        cluster.advance(secs(1));
        events.extend(b.poll(NOW).expect("poll"));
    }
    assert_eq!(held(&events), [0, 1, 2, 3], "two owners: the paused one has not heard");
    cluster.resume("a");
    assert_eq!(commit(&cluster, "a", &before, 1), Err(PortErrorClass::StaleGeneration));
    cluster.tick();
    let events = a.poll(NOW).expect("poll");
    assert!(matches!(&events[..], [MembershipEvent::Lost { tokens }] if tokens.len() == 2), "{events:?}");
    let heard = settle(&cluster, &mut [&mut a, &mut b]);
    assert_eq!(held(&heard[0]).len(), 2);
}

/// A member that has all tokens, and whose next JoinGroup is stuck while a second member joins; the seed decides for how long.
struct StuckJoin {
    cluster: FakeCluster,
    old: FakeMembership,
    /// What the old member was told when it got the tokens.
    before: Generation,
    new: FakeMembership,
}

impl StuckJoin {
    fn new(seed: u64, tokens: i32, join: impl Fn(&FakeCluster, &str) -> FakeMembership) -> Self {
        let cluster = FakeCluster::new(seed, ManualClock::at(Timestamp(1_000_000)));
        cluster.create_compacted_topic(TASKS, tokens);
        cluster.create_topic(OUT, 1, &[]);
        let mut old = join(&cluster, "old");
        let before = captured(&old.poll(NOW).expect("poll"));
        let mut new = join(&cluster, "new");
        new.poll(NOW).expect("poll");
        cluster.set_faults(Faults::none().with(FaultKind::JoinHeld, 1.0));
        cluster.tick();
        cluster.set_faults(Faults::none());
        StuckJoin { cluster, old, before, new }
    }
}

#[test]
fn a_static_member_rejoins_silently_and_fresh_metadata_would_let_a_stale_owner_commit() {
    // Those runs count in which the JoinGroup came after the session.
    let mut reproduced = 0;
    for seed in 0..20 {
        let StuckJoin { cluster, mut old, before, mut new } = StuckJoin::new(seed, 4, |cluster, name| fixed(cluster, name, name));
        let mut taken = Vec::new();
        for _ in 0..24 {
            cluster.advance(secs(1));
            taken.extend(new.poll(NOW).expect("poll"));
        }
        if !held(&taken).contains(&0) {
            continue;
        }
        reproduced += 1;
        assert_eq!(commit(&cluster, "new", &captured(&taken), 10), Ok(()), "seed {seed}: the new owner works");
        // The old owner was told nothing, holds the token in its own eyes, and commits before it polls.
        let stale = commit(&cluster, "old", &before, 5);
        assert_eq!(stale, Err(PortErrorClass::FencedInstance), "seed {seed}: refused with what was captured");
        let fresh = old.fresh_metadata();
        assert_ne!(fresh.member_id, before.member_id);
        assert_eq!(commit(&cluster, "old", &fresh, 5), Ok(()), "seed {seed}: accepted with fresh metadata");
        assert_eq!(cluster.committed(GROUP, &token(0)), Some(offset(5)), "and the new owner's work is undone");
        let told = old.poll(NOW).expect("poll");
        assert!(matches!(told[0], MembershipEvent::Revoked { .. }), "seed {seed}: {told:?}, and never a loss");
    }
    assert!(reproduced >= 5, "only {reproduced} of 20");
}

#[test]
fn a_static_member_can_keep_its_tokens_over_a_time_in_which_another_had_them() {
    let mut reproduced = 0;
    for seed in 0..40 {
        let StuckJoin { cluster, mut old, before, mut new } = StuckJoin::new(seed, 1, |cluster, name| fixed(cluster, name, name));
        let mut taken = Vec::new();
        for _ in 0..22 {
            cluster.advance(Duration::from_millis(500));
            taken.extend(new.poll(NOW).expect("poll"));
            if held(&taken) == [0] {
                // The other worked, and leaves before the stuck JoinGroup arrives.
                new.leave();
            }
        }
        cluster.advance(secs(12));
        let told = old.poll(NOW).expect("poll");
        let after = captured(&told);
        let other_had_it = taken.iter().any(|event| matches!(event, MembershipEvent::Assigned { tokens, .. } if tokens == &[0]));
        let kept = matches!(&told[..], [MembershipEvent::Assigned { tokens, .. }] if tokens.is_empty());
        if other_had_it && kept {
            reproduced += 1;
            assert_ne!(after.member_id, before.member_id, "seed {seed}: the sign");
            assert!(after.generation_id > before.generation_id + 1, "seed {seed}: the other sign");
        }
    }
    assert!(reproduced >= 5, "only {reproduced} of 40");
}

#[test]
fn a_dynamic_member_whose_join_came_late_is_told_that_all_is_lost() {
    let mut reproduced = 0;
    for seed in 0..20 {
        let StuckJoin { cluster, mut old, mut new, .. } = StuckJoin::new(seed, 2, dynamic);
        let mut taken = Vec::new();
        for _ in 0..24 {
            cluster.advance(secs(1));
            taken.extend(new.poll(NOW).expect("poll"));
        }
        if held(&taken) == [0, 1] {
            reproduced += 1;
            let told = old.poll(NOW).expect("poll");
            assert!(matches!(&told[0], MembershipEvent::Lost { tokens } if tokens == &[0, 1]), "seed {seed}: {told:?}");
        }
    }
    assert!(reproduced >= 5, "only {reproduced} of 20");
}

#[test]
fn no_token_belongs_to_two_members_of_one_generation_whatever_happens() {
    for seed in 0..300 {
        let clock = ManualClock::at(Timestamp(0));
        let cluster = FakeCluster::new(seed, clock.clone());
        cluster.create_compacted_topic(TASKS, 5);
        cluster.set_faults(
            Faults::chaos().with(FaultKind::MemberEvicted, 0.01).with(FaultKind::SpontaneousRebalance, 0.03).with(FaultKind::JoinHeld, 0.1),
        );
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut members: Vec<Option<FakeMembership>> = (0..4).map(|_| None).collect();
        for _ in 0..400 {
            clock.advance(Duration::from_millis(rng.u64(0..2_000)));
            cluster.tick();
            let i = rng.usize(0..members.len());
            match members[i].as_mut().map(|member| member.poll(NOW)) {
                _ if rng.u32(0..60) == 0 => members[i] = None,
                None => {
                    let config =
                        if i < 2 { MemberConfig::fixed(format!("m{i}"), i.to_string()) } else { MemberConfig::dynamic(format!("m{i}")) };
                    members[i] = Some(cluster.membership(GROUP, config, TASKS));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) => members[i] = None,
            }
            let mut given: Vec<i32> = cluster.members(GROUP).into_iter().flat_map(|member| member.tokens).collect();
            given.sort_unstable();
            let all = given.len();
            given.dedup();
            assert_eq!(given.len(), all, "seed {seed}: {:#?}", cluster.trace());
        }
        // Once all is well, every token has one owner that knows it.
        cluster.set_faults(Faults::none());
        let mut members: Vec<FakeMembership> = members.into_iter().flatten().collect();
        for _ in 0..240 {
            cluster.advance(Duration::from_millis(500));
            members.retain_mut(|member| member.poll(NOW).is_ok());
        }
        let given: usize = cluster.members(GROUP).iter().map(|member| member.tokens.len()).sum();
        assert!(members.is_empty() || given == 5, "seed {seed}: {given} tokens have an owner\n{:#?}", cluster.trace());
    }
}

#[test]
fn members_survive_an_outage_and_find_new_partitions() {
    let cluster = cluster();
    let mut member = fixed(&cluster, "a", "1");
    let mut events = member.poll(NOW).expect("poll");
    cluster.set_reachable(false);
    for _ in 0..70 {
        cluster.advance(secs(1));
        events.extend(member.poll(NOW).expect("an outage is no error"));
    }
    assert!(held(&events).is_empty(), "its own clock told it that the session is over");
    cluster.set_reachable(true);
    cluster.advance(secs(1));
    events.extend(member.poll(NOW).expect("poll"));
    assert_eq!(held(&events), [0, 1, 2, 3]);
    crate::ports::Admin::grow_topic(&mut cluster.admin(), TASKS, 6).expect("grow");
    for _ in 0..12 {
        cluster.advance(secs(1));
        events.extend(member.poll(NOW).expect("poll"));
    }
    assert_eq!(held(&events), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn offsets_without_member_and_generation_are_not_checked() {
    let cluster = cluster();
    let nobody = cluster.membership(GROUP, MemberConfig::dynamic("never joins"), TASKS).fresh_metadata();
    let mut member = fixed(&cluster, "a", "1");
    member.poll(NOW).expect("poll");
    assert_eq!((nobody.generation_id, nobody.member_id.as_ref()), (-1, ""));
    assert_eq!(commit(&cluster, "x", &nobody, 1), Ok(()), "as a real broker does: the engine must check the generation itself");
}
