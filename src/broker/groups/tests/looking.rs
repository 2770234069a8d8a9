//! DescribeGroups, ListGroups, DeleteGroups.

use super::*;

#[test]
fn a_stable_group_is_described_with_its_members_and_their_assignments() {
    let mut scene = Scene::new();
    scene.stable(&[member("a"), static_member("i", "one")]);
    let group = scene.groups.describe("g").expect("there");
    assert_eq!((group.state, group.protocol_type.as_str(), group.protocol.as_str()), (GroupState::Stable, "consumer", "range"));
    let a = group.members.iter().find(|member| member.id == "client-a").expect("there");
    assert_eq!((a.client_id.as_str(), a.client_host.as_str(), a.assignment.as_ref()), ("client", "/127.0.0.1", b"client-a".as_slice()));
    assert_eq!(a.metadata, protocol("range", "orders").metadata);
    assert!(group.members.iter().any(|member| member.instance_id.as_deref() == Some("i")));
}

#[test]
fn a_group_in_a_rebalance_is_described_without_assignments() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    scene.join(member("b"));
    let group = scene.groups.describe("g").expect("there");
    assert_eq!((group.state, group.protocol.as_str(), group.members.len()), (GroupState::PreparingRebalance, "", 2));
    assert!(group.members.iter().all(|member| member.assignment.is_empty() && member.metadata.is_empty()));
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    scene.groups.commit(&mut scene.journal, scene.now, &Commit { group: "simple".to_owned(), ..commit(nobody(), 1) }).expect("committed");
    let ids = |states: &[&str], types: &[&str]| -> Vec<String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        scene.groups.list(&owned(states), &owned(types)).into_iter().map(|group| group.id).collect()
    };
    assert_eq!(ids(&[], &[]), ["g", "simple"]);
    assert_eq!(ids(&["stable"], &[]), ["g"]);
    assert_eq!(ids(&["Empty", "Stable"], &["Classic"]), ["g", "simple"]);
    assert!(ids(&["PreparingRebalance"], &[]).is_empty());
    assert!(ids(&[], &["consumer"]).is_empty());
}

#[test]
fn a_group_is_deleted_when_it_is_empty_and_its_offsets_with_it() {
    let mut scene = Scene::new();
    let delete = |scene: &mut Scene| scene.groups.delete(&mut scene.journal, "g");
    assert_eq!(delete(&mut scene), Err(ErrorCode::GroupIdNotFound));
    let joined = scene.stable(&[member("a")]);
    scene.commit(by(&joined[0]), 7).expect("committed");
    assert_eq!(delete(&mut scene), Err(ErrorCode::NonEmptyGroup));
    scene.leave(&joined[0].member_id, None);
    assert_eq!(delete(&mut scene), Ok(()));
    assert_eq!(scene.offset(), None);
}
