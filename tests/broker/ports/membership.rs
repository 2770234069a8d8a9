//! The group: tokens, generations, fences.

use std::thread;
use std::time::{Duration, Instant};

use viewmill::ports::{Membership, MembershipEvent, PortErrorClass, TransactionalProducer};
use viewmill::record::Offset;

use super::{CALL, Member, application, deliver, done, partition, producer, settle, topic, until};

#[test]
fn two_members_share_the_tokens() {
    let app = application();
    let log = topic(&app, "tasks", 4);
    let mut first = Member::join(&app, &log);
    settle(&mut [&mut first], |all| all[0].tokens == [0, 1, 2, 3]);
    let mut second = Member::join(&app.for_thread("1"), &log);
    settle(&mut [&mut first, &mut second], |all| {
        all[0].tokens.len() == 2 && all[1].tokens.len() == 2 && all[0].generation_id() == all[1].generation_id()
    });
    let mut all = [first.tokens.clone(), second.tokens.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    assert_ne!(first.generation.as_ref().unwrap().member_id, second.generation.as_ref().unwrap().member_id);
    // The first one was asked to give tokens up, it did not lose them.
    assert!(first.events.iter().any(|event| matches!(event, MembershipEvent::Revoked { tokens } if tokens.len() == 2)));
    assert!(!first.events.iter().any(|event| matches!(event, MembershipEvent::Lost { .. })));
}

#[test]
fn an_empty_assignment_still_brings_the_new_generation() {
    let app = application();
    let log = topic(&app, "tasks", 1);
    let mut first = Member::join(&app, &log);
    settle(&mut [&mut first], |all| all[0].tokens == [0]);
    let before = first.generation_id();
    let mut second = Member::join(&app.for_thread("1"), &log);
    settle(&mut [&mut first, &mut second], |all| all[0].generation_id() > before && all[0].generation_id() == all[1].generation_id());
    assert_eq!((first.tokens.as_slice(), second.tokens.as_slice()), ([0].as_slice(), [].as_slice()));
    // The holder was told by an event without tokens.
    assert!(matches!(first.events.last(), Some(MembershipEvent::Assigned { tokens, .. }) if tokens.is_empty()));
}

#[test]
fn offsets_under_a_generation_that_has_passed_are_refused() {
    let app = application();
    let log = topic(&app, "tasks", 2);
    let token = partition(&log, 0);
    let mut first = Member::join(&app, &log);
    settle(&mut [&mut first], |all| all[0].tokens == [0, 1]);
    let captured = first.generation.clone().unwrap();
    let mut producer = producer(&app);

    deliver(&mut producer, &log, 0, 0, 1);
    producer.send_offsets(&[(token.clone(), Offset(1))], &captured, CALL).unwrap();
    until(|| done(producer.commit(CALL)));

    let mut second = Member::join(&app.for_thread("1"), &log);
    settle(&mut [&mut first, &mut second], |all| {
        all[1].tokens.len() == 1 && all[0].tokens.len() == 1 && all[0].generation_id() == all[1].generation_id()
    });

    deliver(&mut producer, &log, 0, 1, 1);
    let refused = producer.send_offsets(&[(token.clone(), Offset(3))], &captured, CALL).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::StaleGeneration, "{refused}");
    producer.abort(CALL).unwrap();

    // Under the generation of the last assignment the same is accepted.
    deliver(&mut producer, &log, 0, 1, 1);
    producer.send_offsets(&[(token, Offset(5))], &first.generation.clone().unwrap(), CALL).unwrap();
    until(|| done(producer.commit(CALL)));
}

#[test]
fn a_static_member_that_is_replaced_is_told_so() {
    let app = application();
    let log = topic(&app, "tasks", 1);
    let mut first = Member::join(&app, &log);
    settle(&mut [&mut first], |all| all[0].tokens == [0]);
    let captured = first.generation.clone().unwrap();
    let mut second = Member::join(&app, &log);
    let fenced = until(|| {
        second.poll().unwrap();
        first.poll().err()
    });
    assert_eq!(fenced.class, PortErrorClass::FencedInstance, "{fenced}");
    settle(&mut [&mut second], |all| all[0].tokens == [0]);
    // It stays told, and what it still tries to commit is refused by name.
    assert_eq!(first.poll().unwrap_err().class, PortErrorClass::FencedInstance);
    let mut producer = producer(&app);
    deliver(&mut producer, &log, 0, 0, 1);
    let refused = producer.send_offsets(&[(partition(&log, 0), Offset(1))], &captured, CALL).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::FencedInstance, "{refused}");
}

#[test]
fn a_static_member_that_comes_back_soon_keeps_its_tokens() {
    let app = application();
    let log = topic(&app, "tasks", 4);
    let mut stays = Member::join(&app.for_thread("stays"), &log);
    let mut leaves = Member::join(&app.for_thread("leaves"), &log);
    settle(&mut [&mut stays, &mut leaves], |all| all[0].tokens.len() == 2 && all[1].tokens.len() == 2);
    let tokens = leaves.tokens.clone();
    let closing = Instant::now();
    drop(leaves);
    println!("dropping a member took {:?}", closing.elapsed());
    stays.events.clear();
    let mut back = Member::join(&app.for_thread("leaves"), &log);
    settle(&mut [&mut stays, &mut back], |all| all[1].tokens.len() == 2);
    assert_eq!(back.tokens, tokens);
    assert!(!stays.events.iter().any(|event| matches!(event, MembershipEvent::Revoked { .. } | MembershipEvent::Lost { .. })));
}

#[test]
fn whoever_leaves_hands_over_at_once() {
    for is_static in [true, false] {
        let mut app = application();
        app.static_membership = is_static;
        let log = topic(&app, "tasks", 2);
        let mut stays = Member::join(&app.for_thread("1"), &log);
        let mut leaves = Member::join(&app.for_thread("2"), &log);
        settle(&mut [&mut stays, &mut leaves], |all| all[0].tokens.len() == 1 && all[1].tokens.len() == 1);
        assert!(!leaves.group.has_left());
        let started = Instant::now();
        leaves.group.leave();
        settle(&mut [&mut leaves], |all| all[0].group.has_left());
        assert!(leaves.tokens.is_empty());
        settle(&mut [&mut stays], |all| all[0].tokens == [0, 1]);
        println!("handing over took {:?} (static: {is_static})", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn tokens_of_a_member_that_did_not_poll_are_lost_not_revoked() {
    let mut app = application();
    app.max_poll_interval_ms = 6_000;
    let log = topic(&app, "tasks", 1);
    let mut member = Member::join(&app, &log);
    settle(&mut [&mut member], |all| all[0].tokens == [0]);
    let before = member.generation.clone().unwrap().member_id;
    thread::sleep(Duration::from_millis(8_000));
    // It comes back as another member. The generation tells nothing: a group that was empty may count from 1 again.
    settle(&mut [&mut member], |all| all[0].generation.as_ref().unwrap().member_id != before && all[0].tokens == [0]);
    assert!(member.events.iter().any(|event| matches!(event, MembershipEvent::Lost { tokens } if tokens == &[0])));
}

#[test]
fn polling_without_kafka_is_not_an_error() {
    let mut app = application();
    app.bootstrap_servers = "127.0.0.1:1".into();
    let mut member = Member::join(&app, "tasks");
    for _ in 0..20 {
        member.poll().unwrap();
    }
    assert!(member.events.is_empty());
}

#[test]
fn offsets_that_could_be_dropped_silently_are_refused() {
    let app = application();
    let log = topic(&app, "tasks", 1);
    let mut member = Member::join(&app, &log);
    settle(&mut [&mut member], |all| all[0].tokens == [0]);
    let generation = member.generation.clone().unwrap();
    let mut producer = producer(&app);
    deliver(&mut producer, &log, 0, 0, 1);
    for wrong in [vec![], vec![(partition(&log, 0), Offset(-1))]] {
        assert_eq!(producer.send_offsets(&wrong, &generation, CALL).unwrap_err().class, PortErrorClass::Fatal);
    }
    producer.abort(CALL).unwrap();
}
