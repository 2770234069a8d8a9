//! LeaveGroup.

use super::*;

#[test]
fn when_one_leaves_the_others_join_again() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    assert_eq!(scene.leave(&joined[1].member_id, None), ErrorCode::None);
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
    let rejoined = scene.join(again(member("a"), &joined[0]));
    assert_eq!(scene.joined(rejoined).expect("at once").generation, 2);
}

#[test]
fn when_the_last_one_leaves_the_group_is_empty_at_once() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.leave(&joined[0].member_id, None);
    assert_eq!(scene.state(), GroupState::Empty);
}

#[test]
fn a_stranger_cannot_leave() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    assert_eq!(scene.leave("stranger", None), ErrorCode::UnknownMemberId);
    assert_eq!(scene.leave("", None), ErrorCode::UnknownMemberId);
    assert_eq!(scene.state(), GroupState::Stable);
}

#[test]
fn from_a_group_that_does_not_exist_nobody_can_leave() {
    let mut scene = Scene::new();
    assert_eq!(scene.leave("anybody", None), ErrorCode::UnknownMemberId);
}

#[test]
fn one_that_was_only_told_its_id_can_leave() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.join(Join { id_first: true, ..member("b") });
    let rejoined = scene.join(again(member("a"), &joined[0]));
    assert!(scene.joined(rejoined).is_none(), "it waits for the other");
    assert_eq!(scene.leave("client-b", None), ErrorCode::None);
    assert_eq!(scene.joined(rejoined).expect("joined").generation, 2);
}

#[test]
fn one_that_waits_to_join_is_told_when_it_is_made_to_leave() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    let waits = scene.join(again(member("a"), &joined[0]));
    scene.leave(&joined[0].member_id, None);
    assert_eq!(scene.joined(waits).expect("answered").error, ErrorCode::UnknownMemberId);
}

#[test]
fn several_leave_at_once_and_each_is_answered() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[static_member("i1", "a"), member("b"), member("c")]);
    let leaving = vec![
        Leaving { member_id: String::new(), instance_id: Some("i1".to_owned()) },
        Leaving { member_id: joined[1].member_id.clone(), instance_id: None },
        Leaving { member_id: String::new(), instance_id: Some("nobody".to_owned()) },
    ];
    let left = scene.groups.leave(&mut scene.journal, scene.now, "g", leaving).expect("answered");
    let errors: Vec<ErrorCode> = left.into_iter().map(|left| left.error).collect();
    assert_eq!(errors, [ErrorCode::None, ErrorCode::None, ErrorCode::UnknownMemberId]);
    let rejoined = scene.join(again(member("c"), &joined[2]));
    assert_eq!(scene.joined(rejoined).expect("alone").members.len(), 1);
}
