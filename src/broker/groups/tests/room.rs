//! No client takes all memory.

use super::*;

fn of_bytes(name: &str, bytes: usize) -> Join {
    let metadata = bytes::Bytes::from(vec![0; bytes]);
    Join { protocols: vec![Protocol { name: "range".to_owned(), metadata }], ..member(name) }
}

fn small() -> Scene {
    Scene::with(GroupSettings { max_group_bytes: 10_000, max_bytes: 25_000, ..GroupSettings::default() })
}

fn join_refused(scene: &mut Scene, join: Join) -> ErrorCode {
    let waiter = scene.join(join);
    scene.joined(waiter).expect("answered at once").error
}

#[test]
fn a_group_takes_no_more_than_its_record_may_hold() {
    let mut scene = small();
    scene.join(of_bytes("a", 6000));
    assert_eq!(join_refused(&mut scene, of_bytes("b", 6000)), ErrorCode::GroupMaxSizeReached);
    scene.join(of_bytes("c", 1000));
    scene.pass(DELAY * 3);
    assert_eq!(scene.state(), GroupState::CompletingRebalance);
}

#[test]
fn an_assignment_that_is_too_long_is_refused_before_it_is_kept() {
    let mut scene = small();
    let joined = scene.form(&[member("a")]);
    let assignments = vec![(joined[0].member_id.clone(), bytes::Bytes::from(vec![0; 10_001]))];
    let waiter = scene.sync(Sync { assignments, ..sync_of(&joined[0]) });
    assert_eq!(scene.synced(waiter).expect("answered").error, ErrorCode::UnknownServerError);
    assert_eq!(scene.state(), GroupState::CompletingRebalance);
    let waiter = scene.sync(sync_of(&joined[0]));
    assert_eq!(scene.synced(waiter).expect("answered").error, ErrorCode::None);
}

#[test]
fn all_groups_together_take_no_more_than_they_may() {
    let mut scene = small();
    for group in ["one", "two"] {
        scene.join(Join { group: group.to_owned(), ..of_bytes("a", 9000) });
    }
    assert_eq!(join_refused(&mut scene, of_bytes("a", 9000)), ErrorCode::CoordinatorNotAvailable);
    assert!(scene.groups.get("g").is_none());
}

#[test]
fn offsets_take_room_and_who_commits_again_is_not_refused() {
    let mut scene = small();
    let of_group = |number: usize| {
        let mut commit = Commit { group: format!("g{number}"), ..commit(nobody(), 7) };
        commit.offsets[0].metadata = Some("m".repeat(4000));
        commit
    };
    let mut taken = 0;
    while scene.groups.commit(&mut scene.journal, scene.now, &of_group(taken)).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 5);
    assert_eq!(scene.groups.commit(&mut scene.journal, scene.now, &of_group(0)), Ok(vec![ErrorCode::None]));
    scene.groups.delete(&mut scene.journal, "g0").expect("deleted");
    scene.now = scene.now.after(Duration::from_secs(1));
    assert_eq!(scene.groups.commit(&mut scene.journal, scene.now, &of_group(9)), Ok(vec![ErrorCode::None]));
}
