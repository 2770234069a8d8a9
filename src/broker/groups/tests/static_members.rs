//! Members with a `group.instance.id`.

use super::*;

fn restarted(scene: &mut Scene, join: Join) -> Joined {
    let waiter = scene.join(join);
    scene.joined(waiter).expect("answered at once")
}

#[test]
fn a_static_member_that_comes_again_takes_its_place_without_a_rebalance() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), static_member("i", "one")]);
    let again = restarted(&mut scene, static_member("i", "two"));
    assert_eq!((again.error, again.generation, again.member_id.as_str()), (ErrorCode::None, 1, "i-two"));
    assert_eq!(scene.state(), GroupState::Stable);
    let sync = scene.sync(sync_of(&again));
    assert_eq!(scene.synced(sync).expect("assigned").assignment, "i-one", "what its former self had");
    assert_eq!(scene.heartbeat(&joined[0]), Ok(()));
}

#[test]
fn its_former_self_is_fenced() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), static_member("i", "one")]);
    restarted(&mut scene, static_member("i", "two"));
    let old = &joined[1];
    let heartbeat = scene.groups.heartbeat(scene.now, "g", old.generation, &old.member_id, Some("i"));
    assert_eq!(heartbeat, Err(ErrorCode::FencedInstanceId));
    assert_eq!(scene.leave(&old.member_id, Some("i")), ErrorCode::FencedInstanceId);
    let as_old = Committer { instance_id: Some("i".to_owned()), ..by(old) };
    assert_eq!(scene.commit(as_old.clone(), 5), Err(ErrorCode::FencedInstanceId));
    assert_eq!(scene.commit_in_transaction(1, as_old, 5), Err(ErrorCode::FencedInstanceId));
    let sync = scene.sync(Sync { instance_id: Some("i".to_owned()), ..sync_of(old) });
    assert_eq!(scene.synced(sync).expect("refused").error, ErrorCode::FencedInstanceId);
    let join = scene.join(Join { member_id: old.member_id.clone(), ..static_member("i", "one") });
    assert_eq!(scene.joined(join).expect("refused").error, ErrorCode::FencedInstanceId);
}

#[test]
fn a_former_self_that_still_waits_is_told() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), static_member("i", "one")]);
    let waits = scene.sync(sync_of(&joined[1]));
    scene.join(static_member("i", "two"));
    assert_eq!(scene.synced(waits).expect("told").error, ErrorCode::FencedInstanceId);
    assert_eq!(scene.state(), GroupState::PreparingRebalance, "the leader may just be assigning to the old id");
}

#[test]
fn a_static_member_that_comes_again_with_another_protocol_causes_a_rebalance() {
    let mut scene = Scene::new();
    let both = |join: Join| Join { protocols: vec![protocol("range", "orders"), protocol("sticky", "orders")], ..join };
    scene.stable(&[both(static_member("i", "one"))]);
    let sticky = Join { protocols: vec![protocol("sticky", "orders")], ..static_member("i", "two") };
    let waiter = scene.join(sticky);
    assert_eq!(scene.joined(waiter).expect("it is alone").generation, 2);
}

#[test]
fn a_static_leader_that_comes_again_does_not_assign_anew() {
    let mut scene = Scene::new();
    scene.stable(&[static_member("i", "one"), member("b")]);
    let new = restarted(&mut scene, static_member("i", "two"));
    assert!(new.skip_assignment && new.leader == "i-two" && new.members.len() == 2);
    let old_client = Join { may_skip_assignment: false, ..static_member("i", "three") };
    let old = restarted(&mut scene, old_client);
    assert!(!old.skip_assignment && old.leader == "i-two" && old.members.is_empty(), "it must not take itself for the leader");
}

#[test]
fn a_static_member_keeps_its_place_over_a_rebalance_that_it_misses() {
    let mut scene = Scene::new();
    let long = |join: Join| Join { session_timeout: Duration::from_secs(300), rebalance_timeout: Duration::from_secs(20), ..join };
    let joined = scene.stable(&[long(member("a")), long(static_member("i", "one"))]);
    let rejoined = scene.join(again(long(member("a")), &joined[0]));
    scene.pass(Duration::from_secs(21));
    let members = scene.joined(rejoined).expect("the time is over").members;
    assert_eq!(members.len(), 2, "{members:?}");
}

#[test]
fn a_static_member_that_stays_away_is_out_after_its_session() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), static_member("i", "one")]);
    scene.pass(SESSION - Duration::from_secs(1));
    scene.heartbeat(&joined[0]).expect("alive");
    scene.pass(Duration::from_secs(2));
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
    assert_eq!(scene.leave("", Some("i")), ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_is_put_out_by_its_instance_id() {
    let mut scene = Scene::new();
    scene.stable(&[member("a"), static_member("i", "one")]);
    assert_eq!(scene.leave("", Some("i")), ErrorCode::None);
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_replacement_that_cannot_be_journaled_does_not_happen() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), static_member("i", "one")]);
    scene.journal.refuses = true;
    let refused = restarted(&mut scene, static_member("i", "two"));
    assert_eq!(refused.error, ErrorCode::CoordinatorNotAvailable);
    let old = &joined[1];
    assert_eq!(scene.groups.heartbeat(scene.now, "g", old.generation, &old.member_id, Some("i")), Ok(()));
}

#[test]
fn an_unknown_instance_with_a_member_id_is_unknown() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    let heartbeat = scene.groups.heartbeat(scene.now, "g", 1, &joined[0].member_id, Some("nobody"));
    assert_eq!(heartbeat, Err(ErrorCode::UnknownMemberId));
}
