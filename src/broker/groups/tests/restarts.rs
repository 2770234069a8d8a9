//! What the next process knows.

use super::*;

#[test]
fn members_go_on_with_their_generation_and_assignment() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.groups = scene.restarted();
    assert_eq!(scene.heartbeat(&joined[0]), Ok(()));
    assert_eq!(scene.heartbeat(&joined[1]), Ok(()));
    let sync = scene.sync(sync_of(&joined[1]));
    assert_eq!(scene.synced(sync).expect("assigned").assignment, "client-b");
    assert_eq!(scene.commit(by(&joined[1]), 5), Ok(vec![ErrorCode::None]));
}

#[test]
fn members_that_did_not_survive_it_are_out_after_their_session() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    scene.groups = scene.restarted();
    scene.pass(SESSION - Duration::from_secs(1));
    assert_eq!(scene.state(), GroupState::Stable);
    scene.pass(Duration::from_secs(2));
    assert_eq!(scene.state(), GroupState::Empty);
}

#[test]
fn a_generation_that_was_not_assigned_yet_is_joined_again() {
    let mut scene = Scene::new();
    let first = scene.stable(&[member("a")]);
    let newcomer = scene.join(member("b"));
    let rejoined = scene.join(again(member("a"), &first[0]));
    let (second, newcomer) = (scene.joined(rejoined).expect("joined"), scene.joined(newcomer).expect("joined"));
    scene.groups = scene.restarted();
    assert_eq!(scene.heartbeat(&second), Err(ErrorCode::IllegalGeneration));
    assert_eq!(scene.heartbeat(&newcomer), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn static_members_are_known_by_their_instance_id_again() {
    let mut scene = Scene::new();
    scene.stable(&[member("a"), static_member("i", "one")]);
    scene.groups = scene.restarted();
    let again = scene.join(static_member("i", "two"));
    assert_eq!(scene.joined(again).expect("in place").generation, 1);
}

#[test]
fn offsets_and_pending_offsets_are_there_again() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.commit_in_transaction(42, nobody(), 8).expect("pending");
    scene.groups = scene.restarted();
    assert_eq!(scene.offset(), Some(7));
    scene.groups.end_transaction(42, true);
    assert_eq!(scene.offset(), Some(8));
}

#[test]
fn an_empty_groups_generation_goes_on_where_it_was() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.leave(&joined[0].member_id, None);
    scene.groups = scene.restarted();
    assert_eq!(scene.form(&[member("b")])[0].generation, 3);
}

#[test]
fn a_deleted_group_stays_deleted() {
    let mut scene = Scene::new();
    scene.commit(nobody(), 7).expect("committed");
    scene.groups.delete(&mut scene.journal, "g").expect("deleted");
    assert!(scene.restarted().get("g").is_none());
}

#[test]
fn a_snapshot_leads_to_the_same_groups() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), static_member("i", "one")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    scene.commit_in_transaction(42, by(&joined[0]), 8).expect("pending");
    let simple = Commit { group: "simple".to_owned(), ..commit(nobody(), 3) };
    scene.groups.commit(&mut scene.journal, scene.now, &simple).expect("committed");
    scene.journal.records = scene.groups.snapshot();
    let again = scene.restarted();
    for group in ["g", "simple"] {
        assert_eq!(again.describe(group), scene.groups.describe(group), "{group}");
        assert_eq!(again.fetch(group, None, false), scene.groups.fetch(group, None, false), "{group}");
        assert_eq!(again.fetch(group, None, true), scene.groups.fetch(group, None, true), "{group}");
    }
}

#[test]
fn a_snapshot_of_many_offsets_is_made_of_records_that_the_journal_takes() {
    let mut scene = Scene::new();
    let offsets = |metadata: &str| {
        let one = |partition| OffsetToCommit { partition, metadata: Some(metadata.to_owned()), ..commit(nobody(), 7).offsets[0].clone() };
        Commit { offsets: (0..2500).map(one).collect(), ..commit(nobody(), 7) }
    };
    scene.groups.commit(&mut scene.journal, scene.now, &offsets("committed")).expect("committed");
    scene.groups.commit_in_transaction(&mut scene.journal, scene.now, 42, &offsets("pending")).expect("pending");
    scene.journal.records = scene.groups.snapshot();
    assert_eq!(scene.journal.records.len(), 6);
    let mut again = scene.restarted();
    assert_eq!(again.fetch("g", None, true), scene.groups.fetch("g", None, true));
    for groups in [&mut again, &mut scene.groups] {
        groups.end_transaction(42, true);
    }
    assert_eq!(again.fetch("g", None, true), scene.groups.fetch("g", None, true));
}

#[test]
fn a_snapshot_in_the_middle_of_a_rebalance_keeps_the_generation_and_the_offsets() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    scene.join(member("b"));
    scene.journal.records = scene.groups.snapshot();
    scene.groups = scene.restarted();
    assert_eq!((scene.state(), scene.offset()), (GroupState::Empty, Some(7)));
    assert!(scene.form(&[member("c")])[0].generation > joined[0].generation, "no generation is given out twice");
}
