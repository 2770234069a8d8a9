//! Transactions: all or nothing, fenced, timed out, and what late requests do.

use super::*;
use crate::ports::{Generation, PortErrorClass};

/// A member that holds all tokens, its captured generation beside it.
fn member(cluster: &FakeCluster) -> (FakeMembership, Generation) {
    let mut member = cluster.membership(GROUP, MemberConfig::fixed("m", "i"), TASKS);
    let generation = captured(&member.poll(NOW).expect("alone in the group"));
    (member, generation)
}

fn class<T>(result: Result<T, crate::ports::PortError>) -> PortErrorClass {
    result.err().expect("must be refused").class
}

#[test]
fn what_is_aborted_is_never_seen() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "1");
    producer.abort(NOW).expect("abort");
    write(&mut producer, "2");
    assert!(values(&cluster, Isolation::ReadCommitted).is_empty(), "not before the commit");
    producer.commit(NOW).expect("commit");
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["2"]);
    assert_eq!(values(&cluster, Isolation::ReadUncommitted), ["1", "2"]);
    assert!(cluster.open_transactions().is_empty());
}

#[test]
fn flush_tells_the_last_offset_of_each_partition() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    ["1", "2"].iter().for_each(|value| producer.send(&output("k", value)).expect("send"));
    assert_eq!(cluster.end_offsets(OUT), [offset(0)], "nothing is written before the flush");
    assert_eq!(producer.flush(NOW).expect("flush")[&TopicPartition::new(OUT, 0)], offset(1));
}

#[test]
fn offsets_commit_with_the_transaction_or_not_at_all() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut producer = producer(&cluster, "a");
    let mut reader = cluster.changelog_reader(GROUP);
    for (round, commit) in [(0, false), (1, true)] {
        write(&mut producer, "x");
        producer.send_offsets(&[(token(0), offset(7 + round))], &generation, NOW).expect("the generation is of now");
        let unstable = crate::ports::ChangelogReader::committed(&mut reader, &token(0));
        assert_eq!(class(unstable), PortErrorClass::Retriable, "pending offsets are never none");
        if commit { producer.commit(NOW) } else { producer.abort(NOW) }.expect("end");
        let expected = commit.then_some(offset(7 + round));
        assert_eq!(crate::ports::ChangelogReader::committed(&mut reader, &token(0)).expect("stable"), expected);
    }
}

#[test]
fn an_empty_list_of_offsets_is_a_success_that_commits_none() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "x");
    producer.send_offsets(&[(token(0), offset(-1001))], &generation, NOW).expect("dropped without asking");
    producer.commit(NOW).expect("commit");
    assert_eq!(cluster.committed(GROUP, &token(0)), None);
}

#[test]
fn a_fenced_producer_cannot_commit() {
    let cluster = cluster();
    let mut old = producer(&cluster, "a");
    write(&mut old, "old");
    let mut new = producer(&cluster, "a");
    assert!(cluster.open_transactions().is_empty(), "the new one aborted what was open");
    assert_eq!(class(old.commit(NOW)), PortErrorClass::FencedProducer);
    assert_eq!(class(old.begin()), PortErrorClass::FencedProducer, "and stays so");
    write(&mut new, "new");
    new.commit(NOW).expect("commit");
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["new"]);
    old.replace(NOW).expect("whoever comes last has the id");
    assert_eq!(class(new.begin().and_then(|()| new.send(&output("k", "x"))).and_then(|()| new.flush(NOW))), PortErrorClass::FencedProducer);
}

#[test]
fn a_crash_leaves_the_transaction_open_until_somebody_takes_the_id() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut dying = producer(&cluster, "a");
    write(&mut dying, "lost");
    dying.send_offsets(&[(token(0), offset(5))], &generation, NOW).expect("offsets");
    drop(dying);
    assert_eq!(cluster.open_transactions().len(), 1);
    assert_eq!(cluster.bounds(OUT)[0].stable_end, offset(0));
    producer(&cluster, "a");
    assert!(cluster.open_transactions().is_empty());
    assert_eq!(cluster.bounds(OUT)[0].stable_end, cluster.bounds(OUT)[0].end);
    assert_eq!(cluster.committed(GROUP, &token(0)), None);
}

#[test]
fn a_time_out_aborts_fences_and_unblocks() {
    let cluster = cluster();
    let mut slow = producer(&cluster, "a");
    write(&mut slow, "slow");
    cluster.append(OUT, None, Some(b"k"), Some(b"behind"), Timestamp(0)).expect("append");
    assert!(values(&cluster, Isolation::ReadCommitted).is_empty(), "held back");
    cluster.advance(secs(9));
    assert_eq!(cluster.open_transactions().len(), 1);
    cluster.advance(Duration::from_millis(1_000 + TRANSACTION_SWEEP_MS as u64));
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["behind"]);
    assert_eq!(class(slow.commit(NOW)), PortErrorClass::FencedProducer);
}

#[test]
fn a_stale_generation_is_refused_and_the_transaction_must_be_aborted() {
    let cluster = cluster();
    let (mut member, old) = member(&cluster);
    cluster.rebalance(GROUP);
    let new = captured(&member.poll(NOW).expect("rejoined"));
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "x");
    assert_eq!(class(producer.send_offsets(&[(token(0), offset(1))], &old, NOW)), PortErrorClass::StaleGeneration);
    assert_eq!(class(producer.commit(NOW)), PortErrorClass::RequiresAbort);
    producer.abort(NOW).expect("abort");
    write(&mut producer, "y");
    producer.send_offsets(&[(token(0), offset(1))], &new, NOW).expect("captured after the rebalance");
    producer.commit(NOW).expect("commit");
}

#[test]
fn a_commit_without_an_answer_was_applied_or_was_not() {
    for (kind, seen) in [(FaultKind::EndAppliedUnanswered, vec!["1"]), (FaultKind::EndNeverArrives, vec![])] {
        let cluster = cluster();
        let mut producer = producer(&cluster, "a");
        write(&mut producer, "1");
        cluster.set_faults(Faults::none().with(kind, 1.0));
        for _ in 0..5 {
            assert_eq!(class(producer.commit(NOW)), PortErrorClass::Retriable, "{kind:?}");
        }
        cluster.set_faults(Faults::none());
        assert_eq!(class(producer.commit(NOW)), PortErrorClass::Retriable, "{kind:?}: the answer never comes");
        assert!(producer.connection_lost());
        assert_eq!(class(producer.abort(NOW)), PortErrorClass::Fatal, "a commit that may be applied cannot be aborted");
        producer.replace(NOW).expect("replace");
        assert!(cluster.open_transactions().is_empty());
        assert_eq!(values(&cluster, Isolation::ReadCommitted), seen, "{kind:?}");
    }
}

#[test]
fn a_late_commit_is_applied_when_it_arrives_unless_the_producer_was_replaced() {
    for (replace, seen) in [(false, vec!["1"]), (true, vec![])] {
        let cluster = cluster();
        let mut producer = producer(&cluster, "a");
        write(&mut producer, "1");
        cluster.set_faults(Faults::none().with(FaultKind::EndLate, 1.0));
        assert_eq!(class(producer.commit(NOW)), PortErrorClass::Retriable);
        cluster.set_faults(Faults::none());
        if replace {
            producer.replace(NOW).expect("replace");
        }
        cluster.deliver_late();
        if !replace {
            producer.commit(NOW).expect("it has arrived");
        }
        assert_eq!(values(&cluster, Isolation::ReadCommitted), seen);
    }
}

#[test]
fn a_late_copy_of_end_hits_the_next_transaction_of_the_same_epoch_only() {
    for replace in [false, true] {
        let cluster = cluster();
        let mut producer = producer(&cluster, "a");
        write(&mut producer, "1");
        cluster.set_faults(Faults::none().with(FaultKind::LateEndCopy, 1.0));
        producer.commit(NOW).expect("it says so");
        assert!(producer.connection_lost(), "the only sign");
        cluster.set_faults(Faults::none());
        if replace {
            producer.replace(NOW).expect("replace");
        }
        write(&mut producer, "2");
        cluster.deliver_late();
        let hit = values(&cluster, Isolation::ReadCommitted) == ["1", "2"];
        assert_eq!(hit, !replace, "committed without having been asked");
        if hit {
            producer.send(&output("k", "3")).expect("buffered");
            assert_eq!(class(producer.flush(NOW)), PortErrorClass::RequiresAbort, "the partition is in no transaction");
            assert_eq!(class(producer.abort(NOW)), PortErrorClass::Fatal, "what is committed cannot be aborted");
        }
    }
}

#[test]
fn a_late_copy_of_offsets_can_move_the_committed_offset_back() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut producer = producer(&cluster, "a");
    cluster.set_faults(Faults::none().with(FaultKind::LateOffsetsCopy, 1.0));
    write(&mut producer, "1");
    producer.send_offsets(&[(token(0), offset(1))], &generation, NOW).expect("offsets");
    cluster.set_faults(Faults::none());
    producer.commit(NOW).expect("commit");
    write(&mut producer, "2");
    producer.send_offsets(&[(token(0), offset(3))], &generation, NOW).expect("offsets");
    cluster.deliver_late();
    producer.commit(NOW).expect("commit");
    assert_eq!(cluster.committed(GROUP, &token(0)), Some(offset(1)));
}

#[test]
fn a_late_copy_of_offsets_of_an_aborted_transaction_points_at_no_committed_marker() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    producer.send(&OutputRecord { topic: TASKS, partition: Some(0), ..output("k", "marker") }).expect("send");
    let marker = producer.flush(NOW).expect("flush")[&token(0)];
    cluster.set_faults(Faults::none().with(FaultKind::LateOffsetsCopy, 1.0));
    producer.send_offsets(&[(token(0), marker.next())], &generation, NOW).expect("offsets");
    cluster.set_faults(Faults::none());
    producer.abort(NOW).expect("abort");
    assert!(producer.connection_lost(), "the sign that the producer must be replaced, after an abort too");
    write(&mut producer, "another task");
    producer.send_offsets(&[(token(1), offset(1))], &generation, NOW).expect("offsets");
    cluster.deliver_late();
    producer.commit(NOW).expect("commit");
    assert_eq!(cluster.committed(GROUP, &token(0)), Some(marker.next()), "moved forward by a task that takes no part");
    assert!(cluster.read_all(TASKS, 0, Isolation::ReadCommitted).is_empty());
}

#[test]
fn late_markers_hold_the_stable_end_and_the_offsets_for_a_while() {
    let cluster = cluster();
    let (_member, generation) = member(&cluster);
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "1");
    producer.send_offsets(&[(token(0), offset(1))], &generation, NOW).expect("offsets");
    cluster.set_faults(Faults::none().with(FaultKind::LateMarkers, 1.0));
    producer.commit(NOW).expect("the decision is made");
    assert!(values(&cluster, Isolation::ReadCommitted).is_empty(), "an instant after the commit");
    assert_eq!(cluster.open_transactions()[0].since_ms, None);
    let mut reader = cluster.changelog_reader(GROUP);
    assert_eq!(class(crate::ports::ChangelogReader::committed(&mut reader, &token(0))), PortErrorClass::Retriable);
    producer.begin().expect("a client's own matter");
    producer.send(&output("k", "2")).expect("send");
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::Retriable, "concurrent transactions");
    assert_eq!(class(cluster.producer("a").replace(NOW)), PortErrorClass::Retriable);
    cluster.deliver_late();
    producer.flush(NOW).expect("flush");
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["1"]);
    assert_eq!(cluster.committed(GROUP, &token(0)), Some(offset(1)));
}

#[test]
fn a_failed_delivery_requires_an_abort_and_leaves_nothing() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    ["1", "2", "3"].iter().for_each(|value| producer.send(&output("k", value)).expect("send"));
    cluster.set_faults(Faults::none().with(FaultKind::DeliveryFailed, 1.0));
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::RequiresAbort);
    cluster.set_faults(Faults::none());
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::RequiresAbort);
    assert_eq!(class(producer.commit(NOW)), PortErrorClass::RequiresAbort);
    producer.abort(NOW).expect("abort");
    assert!(values(&cluster, Isolation::ReadCommitted).is_empty() && cluster.open_transactions().is_empty());
}

#[test]
fn a_flush_that_was_too_short_goes_on() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    (0..9).for_each(|i| producer.send(&output("k", &i.to_string())).expect("send"));
    cluster.set_faults(Faults::none().with(FaultKind::FlushTooShort, 1.0));
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::Retriable);
    cluster.set_faults(Faults::none());
    producer.flush(NOW).expect("flush");
    producer.commit(NOW).expect("commit");
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[test]
fn a_record_that_cannot_be_sent_is_refused_by_its_kind() {
    let cluster = cluster();
    cluster.set_max_record_bytes(10);
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    assert_eq!(class(producer.send(&output("k", "0123456789"))), PortErrorClass::RecordTooLarge);
    producer.send(&output("k", "012345678")).expect("the transaction lives on");
    assert_eq!(class(producer.send(&OutputRecord { topic: "none", ..output("k", "v") })), PortErrorClass::UnknownTopic);
    producer.abort(NOW).expect("abort");
    producer.begin().expect("ready");
    producer.send(&OutputRecord { topic: TASKS, key: None, partition: Some(0), ..output("k", "v") }).expect("buffered");
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::RequiresAbort, "no null key in a compacted topic");
    producer.abort(NOW).expect("abort");
    cluster.set_forbidden(OUT, true);
    producer.begin().expect("ready");
    assert_eq!(class(producer.send(&output("k", "v"))), PortErrorClass::Unauthorized);
}

#[test]
fn every_step_answers_retriable_while_the_brokers_are_gone() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    producer.begin().expect("ready");
    producer.send(&output("k", "v")).expect("send");
    cluster.set_reachable(false);
    assert_eq!(class(producer.flush(NOW)), PortErrorClass::Retriable);
    assert_eq!(class(producer.commit(NOW)), PortErrorClass::Retriable);
    cluster.set_reachable(true);
    producer.commit(NOW).expect("commit delivers what waits");
    assert_eq!(values(&cluster, Isolation::ReadCommitted), ["v"]);
}
