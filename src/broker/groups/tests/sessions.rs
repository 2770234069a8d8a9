//! Heartbeats, and members that fall silent.

use super::*;

#[test]
fn a_member_that_falls_silent_is_out_after_its_session_and_the_others_join_again() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.pass(SESSION - Duration::from_secs(1));
    assert_eq!(scene.heartbeat(&joined[0]), Ok(()));
    scene.pass(Duration::from_secs(2));
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
    assert_eq!(scene.heartbeat(&joined[0]), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(scene.heartbeat(&joined[1]), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_silent_leader_is_followed_by_another() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.pass(SESSION - Duration::from_secs(1));
    scene.heartbeat(&joined[1]).expect("alive");
    scene.pass(Duration::from_secs(2));
    let rejoined = scene.join(again(member("b"), &joined[1]));
    assert_eq!(scene.joined(rejoined).expect("joined").leader, "client-b");
}

#[test]
fn when_all_are_silent_the_group_is_empty_in_another_generation() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    scene.pass(SESSION * 2);
    assert_eq!(scene.state(), GroupState::Empty);
    assert_eq!(scene.groups.get("g").expect("there").generation, 2);
}

#[test]
fn heartbeats_of_another_generation_or_of_strangers_are_refused() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    let heartbeat =
        |scene: &mut Scene, group: &str, generation, member: &str| scene.groups.heartbeat(scene.now, group, generation, member, None);
    assert_eq!(heartbeat(&mut scene, "g", 0, &joined[0].member_id), Err(ErrorCode::IllegalGeneration));
    assert_eq!(heartbeat(&mut scene, "g", 1, "stranger"), Err(ErrorCode::UnknownMemberId));
    assert_eq!(heartbeat(&mut scene, "other", 1, &joined[0].member_id), Err(ErrorCode::UnknownMemberId));
    assert_eq!(heartbeat(&mut scene, "", 1, &joined[0].member_id), Err(ErrorCode::InvalidGroupId));
}

#[test]
fn heartbeats_count_while_the_leader_assigns() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    assert_eq!(scene.heartbeat(&joined[1]), Ok(()));
}

#[test]
fn who_waits_for_a_rebalance_needs_no_heartbeat() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    let rejoined = scene.join(again(member("a"), &joined[0]));
    for _ in 0..5 {
        scene.pass(SESSION - Duration::from_secs(1));
        let _ = scene.heartbeat(&joined[1]);
    }
    assert!(scene.joined(rejoined).is_none());
    let other = scene.join(again(member("b"), &joined[1]));
    assert_eq!(scene.joined(other).expect("joined").generation, 2);
    assert_eq!(scene.joined(rejoined).expect("joined").generation, 2, "it was not put out meanwhile");
}

#[test]
fn a_new_member_whose_join_waits_for_ever_is_given_up() {
    let mut scene = Scene::with(GroupSettings { new_member_join_timeout: Duration::from_secs(20), ..GroupSettings::default() });
    let joined = scene.stable(&[member("a")]);
    let newcomer = scene.join(member("b"));
    for _ in 0..5 {
        scene.pass(Duration::from_secs(4));
        let _ = scene.heartbeat(&joined[0]);
    }
    assert_eq!(scene.joined(newcomer).expect("answered").error, ErrorCode::UnknownMemberId);
}

#[test]
fn who_does_not_ask_for_its_assignment_within_the_rebalance_timeout_is_out() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    scene.sync(sync_of(&joined[0]));
    for _ in 0..13 {
        scene.pass(Duration::from_secs(5));
        let _ = scene.heartbeat(&joined[0]);
        let _ = scene.heartbeat(&joined[1]);
    }
    assert_eq!(scene.heartbeat(&joined[1]), Err(ErrorCode::UnknownMemberId));
    assert_eq!(scene.heartbeat(&joined[0]), Err(ErrorCode::RebalanceInProgress));
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    for offset in 0..5 {
        scene.pass(SESSION - Duration::from_secs(1));
        assert_eq!(scene.commit(by(&joined[0]), offset), Ok(vec![ErrorCode::None]));
    }
}
