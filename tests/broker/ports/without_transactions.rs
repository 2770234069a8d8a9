//! The producer without transactions, and offsets that a member commits by itself.

use std::thread;
use std::time::Duration;

use viewmill::kafka::{KafkaChangelogReader, KafkaProducer, KafkaSettings};
use viewmill::ports::{ChangelogReader, InputMessage, Membership, PortErrorClass, TransactionalProducer};
use viewmill::record::Offset;

use super::{CALL, Member, application, consumer, deliver, done, partition, read_to, settle, topic, until, values};

fn plain_producer(settings: &KafkaSettings) -> KafkaProducer {
    let mut producer = KafkaProducer::without_transactions(settings);
    producer.replace(CALL).unwrap();
    producer
}

#[test]
fn records_are_visible_at_once_and_stand_without_gaps() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut producer = plain_producer(&app);
    for attempt in 0..3 {
        let delivered = deliver(&mut producer, &topic, 0, attempt * 10, 10);
        assert_eq!(delivered[&place], Offset(attempt as i64 * 10 + 9), "nothing stands between two attempts");
        let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, attempt as i64 * 10 + 10);
        assert_eq!(records.len(), attempt * 10 + 10, "visible before the commit");
        producer.commit(CALL).unwrap();
    }
    // What was delivered before an abort stays, and a new producer goes on behind it.
    deliver(&mut producer, &topic, 0, 30, 5);
    producer.abort(CALL).unwrap();
    producer.replace(CALL).unwrap();
    let delivered = deliver(&mut producer, &topic, 0, 35, 1);
    assert_eq!(delivered[&place], Offset(35));
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 36);
    assert_eq!(values(&records), (0..36).collect::<Vec<_>>());
    assert!(records.iter().enumerate().all(|(at, record)| record.offset() == Offset(at as i64)));
}

#[test]
fn a_member_commits_offsets_under_its_generation_and_no_other() {
    for is_static in [true, false] {
        let mut app = application();
        app.static_membership = is_static;
        let log = topic(&app, "tasks", 2);
        let token = partition(&log, 0);
        let mut reader = KafkaChangelogReader::new(&app).unwrap();
        let mut first = Member::join(&app, &log);
        settle(&mut [&mut first], |all| all[0].tokens == [0, 1]);
        let captured = first.generation.clone().unwrap();
        first.group.commit_offsets(&[(token.clone(), Offset(5))], &captured, CALL).unwrap();
        assert_eq!(until(|| done(reader.committed(&token))), Some(Offset(5)));

        // Another joins, and the first one's client follows in the background, without any poll of the application.
        let mut second = Member::join(&app.for_thread("1"), &log);
        let refused = until(|| {
            second.poll().unwrap();
            thread::sleep(Duration::from_millis(50));
            // The same offset again: as long as the member is in its generation that changes nothing.
            first.group.commit_offsets(&[(token.clone(), Offset(5))], &captured, CALL).err()
        });
        assert_eq!(refused.class, PortErrorClass::StaleGeneration, "{refused} (static: {is_static})");
        let refused = first.group.commit_offsets(&[(token.clone(), Offset(6))], &captured, CALL).unwrap_err();
        assert_eq!(refused.class, PortErrorClass::StaleGeneration, "{refused}");
        assert_eq!(until(|| done(reader.committed(&token))), Some(Offset(5)), "it was refused, not committed under a newer generation");

        settle(&mut [&mut first, &mut second], |all| {
            all[0].tokens.len() == 1 && all[1].tokens.len() == 1 && all[0].generation_id() == all[1].generation_id()
        });
        let current = first.generation.clone().unwrap();
        first.group.commit_offsets(&[(token.clone(), Offset(7))], &current, CALL).unwrap();
        assert_eq!(until(|| done(reader.committed(&token))), Some(Offset(7)));
    }
}

#[test]
fn a_replaced_member_commits_nothing_and_an_impossible_list_is_not_sent() {
    let app = application();
    let log = topic(&app, "tasks", 1);
    let token = partition(&log, 0);
    let mut first = Member::join(&app, &log);
    settle(&mut [&mut first], |all| all[0].tokens == [0]);
    let captured = first.generation.clone().unwrap();
    let refused = first.group.commit_offsets(&[(token.clone(), Offset(-1))], &captured, CALL).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::Fatal, "{refused}");
    let mut second = Member::join(&app, &log);
    settle(&mut [&mut second], |all| all[0].tokens == [0]);
    let refused = first.group.commit_offsets(&[(token.clone(), Offset(9))], &captured, CALL).unwrap_err();
    println!("{:?}: {refused}", refused.class);
    assert_eq!(until(|| done(KafkaChangelogReader::new(&app).unwrap().committed(&token))), None);
}
