//! What the ports do when connections break or stall.

use std::time::{Duration, Instant};

use viewmill::kafka::KafkaSettings;
use viewmill::ports::{Membership, MembershipEvent, PortErrorClass, TransactionalProducer};
use viewmill::record::Offset;

use super::proxy::Proxy;
use super::{
    CALL, Member, application, bootstrap_servers, commit, consumer, deliver, done, partition, producer, read_to, settle, topic, until,
    values,
};

/// An application that reaches Kafka only through a proxy.
fn behind_proxy() -> (Proxy, KafkaSettings) {
    let proxy = Proxy::before(&bootstrap_servers());
    let mut app = application();
    app.bootstrap_servers = proxy.bootstrap_servers();
    (proxy, app)
}

#[test]
fn a_connection_lost_inside_of_a_transaction_is_told_though_the_commit_succeeds() {
    let (proxy, app) = behind_proxy();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    for round in 0..5 {
        commit(&mut producer, &topic, 0, round, 1);
        assert!(!producer.connection_lost(), "nothing was lost in transaction {round}");
    }
    // Twice within 30 s: librdkafka's log leaves out the second.
    for round in 5..7 {
        deliver(&mut producer, &topic, 0, round, 1);
        assert!(!producer.connection_lost());
        proxy.cut();
        until(|| done(producer.commit(CALL)));
        assert!(producer.connection_lost(), "round {round}");
        producer.replace(CALL).unwrap();
    }
    commit(&mut producer, &topic, 0, 7, 1);
    assert!(!producer.connection_lost());
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 16);
    assert_eq!(values(&records), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_commit_that_stalls_is_retriable_until_it_says_ok() {
    let (proxy, app) = behind_proxy();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    deliver(&mut producer, &topic, 0, 0, 1);
    proxy.hold(true);
    for _ in 0..2 {
        let started = Instant::now();
        let stalled = producer.commit(Duration::from_millis(500)).unwrap_err();
        assert_eq!(stalled.class, PortErrorClass::Retriable, "{stalled}");
        assert!(started.elapsed() < Duration::from_millis(1500));
    }
    proxy.hold(false);
    until(|| done(producer.commit(CALL)));
    let place = partition(&topic, 0);
    assert_eq!(read_to(&mut consumer(&app, &place, 0), &place, 2).0.len(), 1);
}

#[test]
fn offsets_that_nobody_answers_for_leave_the_outcome_open() {
    let (proxy, app) = behind_proxy();
    let log = topic(&app, "tasks", 1);
    let mut member = Member::join(&app, &log);
    settle(&mut [&mut member], |all| all[0].tokens == [0]);
    let mut producer = producer(&app);
    let generation = member.generation.clone().unwrap();
    deliver(&mut producer, &log, 0, 0, 1);
    proxy.hold(true);
    let started = Instant::now();
    let open = producer.send_offsets(&[(partition(&log, 0), Offset(1))], &generation, Duration::from_secs(2)).unwrap_err();
    println!("sending offsets took {:?}: {open}", started.elapsed());
    assert_eq!(open.class, PortErrorClass::Indefinite, "{open}");
    // Half of the longest time between two polls of the group.
    assert!(started.elapsed() < Duration::from_secs(15));
    // Its successor is ready as soon as Kafka can be reached again.
    let started = Instant::now();
    assert!(producer.replace(Duration::from_secs(1)).unwrap_err().is_retriable());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    proxy.hold(false);
    until(|| done(producer.replace(CALL)));
    commit(&mut producer, &log, 0, 1, 1);
}

#[test]
fn records_that_cannot_be_delivered_in_time_end_the_transaction() {
    let (proxy, mut app) = behind_proxy();
    app.transaction_timeout_ms = 3_000;
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 0, 0, 1);
    proxy.hold(true);
    producer.begin().unwrap();
    producer.send(&super::record(&topic, 0, "key", "1")).unwrap();
    let started = Instant::now();
    let error = until(|| producer.flush(Duration::from_millis(500)).err().filter(|error| !error.is_retriable()));
    println!("giving up took {:?}: {:?} {error}", started.elapsed(), error.class);
    assert!(matches!(error.class, PortErrorClass::RequiresAbort | PortErrorClass::Fatal), "{error}");
    proxy.hold(false);
    until(|| done(producer.replace(CALL)));
    commit(&mut producer, &topic, 0, 2, 1);
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 4);
    assert_eq!(values(&records), [0, 2]);
}

#[test]
fn reading_goes_on_where_it_was_cut() {
    let (proxy, app) = behind_proxy();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut direct = app.clone();
    direct.bootstrap_servers = bootstrap_servers();
    let mut producer = producer(&direct);
    let mut consumer = consumer(&app, &place, 0);
    let mut read = Vec::new();
    for round in 0..10 {
        let delivered = commit(&mut producer, &topic, 0, round * 1000, 1000);
        proxy.cut();
        let (records, _) = read_to(&mut consumer, &place, delivered[&place].0 + 2);
        read.extend(values(&records));
    }
    assert_eq!(read, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn a_member_cut_off_for_long_learns_that_its_tokens_are_lost() {
    let (proxy, app) = behind_proxy();
    let log = topic(&app, "tasks", 2);
    let mut cut = Member::join(&app.for_thread("1"), &log);
    settle(&mut [&mut cut], |all| all[0].tokens == [0, 1]);
    let mut direct = app.for_thread("2");
    direct.bootstrap_servers = bootstrap_servers();
    let mut other = Member::join(&direct, &log);
    settle(&mut [&mut cut, &mut other], |all| all[0].tokens.len() == 1 && all[1].tokens.len() == 1);
    proxy.hold(true);
    settle(&mut [&mut cut, &mut other], |all| all[1].tokens == [0, 1]);
    proxy.hold(false);
    settle(&mut [&mut cut, &mut other], |all| all[0].events.iter().any(|event| matches!(event, MembershipEvent::Lost { .. })));
    settle(&mut [&mut cut, &mut other], |all| {
        all[0].tokens.len() == 1 && all[1].tokens.len() == 1 && all[0].generation_id() == all[1].generation_id()
    });
    assert!(!cut.group.has_left());
}
