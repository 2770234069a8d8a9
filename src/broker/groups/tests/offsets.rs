//! Committed offsets.

use super::*;

fn partition(scene: &Scene, require_stable: bool) -> super::super::FetchedOffset {
    scene.groups.fetch("g", Some(&[("orders".to_owned(), 0)]), require_stable).remove(0)
}

#[test]
fn a_consumer_without_a_group_commits_and_fetches() {
    let mut scene = Scene::new();
    assert_eq!(scene.commit(nobody(), 7), Ok(vec![ErrorCode::None]));
    let committed = partition(&scene, false).offset.expect("committed");
    assert_eq!((committed.offset, committed.leader_epoch, committed.metadata.as_str()), (7, 0, "m"));
    assert_eq!(scene.state(), GroupState::Empty);
}

#[test]
fn what_was_never_committed_is_none() {
    let scene = Scene::new();
    assert_eq!(partition(&scene, true).offset, None);
    assert!(scene.groups.fetch("g", None, true).is_empty());
}

#[test]
fn a_member_commits_in_its_generation() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    assert_eq!(scene.commit(by(&joined[0]), 7), Ok(vec![ErrorCode::None]));
    let old = Committer { generation: 0, ..by(&joined[0]) };
    assert_eq!(scene.commit(old, 8), Err(ErrorCode::IllegalGeneration));
    let stranger = Committer { member_id: "stranger".to_owned(), ..by(&joined[0]) };
    assert_eq!(scene.commit(stranger, 8), Err(ErrorCode::UnknownMemberId));
    assert_eq!(scene.offset(), Some(7));
}

#[test]
fn nobody_commits_past_the_members_of_a_group() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    assert_eq!(scene.commit(nobody(), 8), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_member_may_commit_while_others_join_but_not_while_the_leader_assigns() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.join(member("b"));
    assert_eq!(scene.commit(by(&joined[0]), 7), Ok(vec![ErrorCode::None]), "what it did before it lost its partitions");
    let rejoined = scene.join(again(member("a"), &joined[0]));
    let rejoined = scene.joined(rejoined).expect("joined");
    assert_eq!(scene.state(), GroupState::CompletingRebalance);
    assert_eq!(scene.commit(by(&rejoined), 8), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(scene.commit(by(&joined[0]), 8), Err(ErrorCode::IllegalGeneration));
}

#[test]
fn a_commit_to_a_group_that_does_not_exist_says_so_to_those_who_know_the_word() {
    let mut scene = Scene::new();
    let as_member = Committer { generation: 3, member_id: "a".to_owned(), instance_id: None };
    assert_eq!(scene.commit(as_member.clone(), 7), Err(ErrorCode::GroupIdNotFound));
    let old = Commit { knows_missing_group: false, ..commit(as_member, 7) };
    assert_eq!(scene.groups.commit(&mut scene.journal, scene.now, &old), Err(ErrorCode::IllegalGeneration));
}

#[test]
fn metadata_has_a_limit_and_only_that_partition_is_refused() {
    let mut scene = Scene::new();
    let mut two = commit(nobody(), 7);
    let long = OffsetToCommit { partition: 1, metadata: Some("x".repeat(4097)), ..two.offsets[0].clone() };
    two.offsets.insert(0, long);
    assert_eq!(scene.groups.commit(&mut scene.journal, scene.now, &two), Ok(vec![ErrorCode::OffsetMetadataTooLarge, ErrorCode::None]));
    assert_eq!(scene.groups.fetch("g", None, false).len(), 1);
}

#[test]
fn an_offset_that_cannot_be_journaled_is_not_committed() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.journal.refuses = true;
    assert_eq!(scene.commit(nobody(), 8), Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(scene.offset(), Some(7));
}

#[test]
fn offsets_of_a_transaction_count_when_it_is_committed() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    scene.commit_in_transaction(42, by(&joined[0]), 8).expect("pending");
    assert_eq!(scene.offset(), Some(7));
    scene.groups.end_transaction(41, true);
    assert_eq!(scene.offset(), Some(7), "another's transaction");
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), Some(8));
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), Some(8));
}

#[test]
fn offsets_of_an_aborted_transaction_never_were() {
    let mut scene = Scene::new();
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    scene.groups.end_transaction(42, false);
    assert_eq!(scene.offset(), None);
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), None);
}

#[test]
fn who_wants_stable_offsets_is_told_to_wait_while_a_transaction_is_open() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    assert!(partition(&scene, true).unstable && partition(&scene, true).offset.is_none());
    assert_eq!(partition(&scene, false).offset.expect("the old one").offset, 7);
    assert!(scene.groups.fetch("g", None, true)[0].unstable);
    scene.groups.end_transaction(42, true);
    assert_eq!(partition(&scene, true).offset.expect("stable").offset, 8);
}

#[test]
fn an_offset_committed_at_once_after_a_transactions_is_the_later_one() {
    let mut scene = Scene::new();
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    scene.commit(nobody(), 9).expect("committed");
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), Some(9));
}

#[test]
fn a_transaction_commits_offsets_only_for_a_member_of_the_present_generation() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    let old = by(&joined[1]);
    scene.leave(&joined[1].member_id, None);
    assert_eq!(scene.commit_in_transaction(42, old, 8), Err(ErrorCode::UnknownMemberId));
    let rejoined = scene.join(again(member("a"), &joined[0]));
    let rejoined = scene.joined(rejoined).expect("joined");
    assert_eq!(scene.commit_in_transaction(42, by(&joined[0]), 8), Err(ErrorCode::IllegalGeneration));
    assert_eq!(scene.commit_in_transaction(42, by(&rejoined), 8), Ok(vec![ErrorCode::None]), "also while the leader assigns");
    let elsewhere = Commit { group: "other".to_owned(), ..commit(by(&rejoined), 8) };
    let refused = scene.groups.commit_in_transaction(&mut scene.journal, scene.now, 42, &elsewhere);
    assert_eq!(refused, Err(ErrorCode::IllegalGeneration));
}

#[test]
fn an_old_producer_commits_without_saying_for_whom() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    assert_eq!(scene.commit_in_transaction(42, nobody(), 8), Ok(vec![ErrorCode::None]));
}

#[test]
fn offsets_are_deleted_unless_a_member_consumes_the_topic() {
    let mut scene = Scene::new();
    let orders = [("orders".to_owned(), 0)];
    let delete = |scene: &mut Scene| scene.groups.delete_offsets(&mut scene.journal, "g", &orders);
    assert_eq!(delete(&mut scene), Err(ErrorCode::GroupIdNotFound));
    let joined = scene.stable(&[member("a")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    assert_eq!(delete(&mut scene), Ok(vec![ErrorCode::GroupSubscribedToTopic]));
    assert_eq!(scene.offset(), Some(7));
    scene.leave(&joined[0].member_id, None);
    assert_eq!(delete(&mut scene), Ok(vec![ErrorCode::None]));
    assert_eq!(scene.offset(), None);
}

#[test]
fn offsets_of_a_group_that_is_not_of_consumers_are_deleted_only_when_it_is_empty() {
    let mut scene = Scene::new();
    scene.stable(&[Join { protocol_type: "connect".to_owned(), ..member("a") }]);
    let result = scene.groups.delete_offsets(&mut scene.journal, "g", &[("orders".to_owned(), 0)]);
    assert_eq!(result, Err(ErrorCode::NonEmptyGroup));
}

#[test]
fn a_deleted_topic_leaves_no_offsets_not_even_pending_ones() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    scene.groups.topic_deleted(&mut scene.journal, "orders").expect("journaled");
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), None);
    assert!(scene.restarted().fetch("g", None, false).is_empty());
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Without ticks, as weeks are long.
fn jump(scene: &mut Scene, time: Duration) {
    scene.now = scene.now.after(time);
    scene.groups.expire_offsets(&mut scene.journal, scene.now);
}

#[test]
fn offsets_of_one_who_only_commits_expire_a_week_after_the_commit() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    jump(&mut scene, WEEK - Duration::from_secs(1));
    assert_eq!(scene.offset(), Some(7));
    jump(&mut scene, Duration::from_secs(1));
    assert!(scene.groups.get("g").is_none(), "and the group with them");
    assert!(scene.restarted().get("g").is_none());
}

#[test]
fn offsets_of_a_group_expire_a_week_after_its_last_member_left() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    jump(&mut scene, WEEK * 3);
    assert_eq!(scene.offset(), Some(7), "it is consumed");
    scene.leave(&joined[0].member_id, None);
    jump(&mut scene, WEEK - Duration::from_secs(1));
    assert_eq!(scene.offset(), Some(7));
    jump(&mut scene, Duration::from_secs(1));
    assert_eq!(scene.groups.get("g").map(|group| &group.id), None);
}

#[test]
fn offsets_of_topics_that_no_member_consumes_any_more_expire() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    let mut two = commit(by(&joined[0]), 7);
    two.offsets.push(OffsetToCommit { topic: "abandoned".to_owned(), ..two.offsets[0].clone() });
    scene.groups.commit(&mut scene.journal, scene.now, &two).expect("committed");
    jump(&mut scene, WEEK);
    let left: Vec<String> = scene.groups.fetch("g", None, false).into_iter().map(|offset| offset.topic).collect();
    assert_eq!(left, ["orders"]);
}

#[test]
fn an_old_client_says_how_long_to_keep_its_offsets() {
    let mut scene = Scene::new();
    let short = Commit { retention_ms: Some(1000), ..commit(nobody(), 7) };
    scene.groups.commit(&mut scene.journal, scene.now, &short).expect("committed");
    jump(&mut scene, Duration::from_millis(999));
    assert_eq!(scene.offset(), Some(7));
    jump(&mut scene, Duration::from_millis(1));
    assert_eq!(scene.offset(), None);
}

#[test]
fn offsets_do_not_expire_under_an_open_transaction() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    jump(&mut scene, WEEK * 2);
    assert_eq!(scene.offset(), Some(7));
}
