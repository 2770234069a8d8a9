//! JoinGroup and SyncGroup.

use super::*;

#[test]
fn members_that_join_within_the_initial_delay_are_one_generation() {
    let mut scene = Scene::new();
    let (a, b) = (scene.join(member("a")), scene.join(member("b")));
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
    assert!(scene.joined(a).is_none());
    scene.pass(DELAY * 2);
    let (a, b) = (scene.joined(a).expect("joined"), scene.joined(b).expect("joined"));
    assert_eq!((a.generation, b.generation), (1, 1));
    assert_eq!((a.leader.as_str(), b.leader.as_str()), ("client-a", "client-a"), "the first leads");
    assert_eq!(a.members.len(), 2, "the leader sees all");
    assert!(b.members.is_empty(), "the others see none");
    assert_eq!(scene.state(), GroupState::CompletingRebalance);
}

#[test]
fn each_newcomer_puts_the_initial_rebalance_off_up_to_the_rebalance_timeout() {
    let mut scene = Scene::new();
    let short = |name: &str| Join { rebalance_timeout: Duration::from_millis(500), ..member(name) };
    let first = scene.join(short("a"));
    for name in ["b", "c"] {
        scene.pass(Duration::from_millis(150));
        scene.join(short(name));
        assert!(scene.joined(first).is_none(), "{name} came in time");
    }
    scene.pass(Duration::from_millis(250));
    assert_eq!(scene.joined(first).expect("joined").members.len(), 3);
}

#[test]
fn the_group_is_stable_when_the_leader_assigned() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    let follower = scene.sync(sync_of(&joined[1]));
    assert!(scene.synced(follower).is_none(), "it waits for the leader");
    let leader = scene.sync(sync_of(&joined[0]));
    assert_eq!(scene.synced(leader).expect("assigned").assignment, "client-a");
    assert_eq!(scene.synced(follower).expect("assigned").assignment, "client-b");
    assert_eq!(scene.state(), GroupState::Stable);
    let again = scene.sync(sync_of(&joined[1]));
    assert_eq!(scene.synced(again).expect("assigned").assignment, "client-b", "asked again it is told again");
}

#[test]
fn a_member_that_the_leader_forgot_gets_an_empty_assignment() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    scene.sync(Sync { assignments: Vec::new(), ..sync_of(&joined[0]) });
    let follower = scene.sync(sync_of(&joined[1]));
    let synced = scene.synced(follower).expect("answered");
    assert_eq!((synced.error, synced.assignment.len()), (ErrorCode::None, 0));
}

#[test]
fn a_member_of_a_new_client_is_told_its_id_first() {
    let mut scene = Scene::new();
    let new = Join { id_first: true, ..member("a") };
    let first = scene.join(new.clone());
    let told = scene.joined(first).expect("told at once");
    assert_eq!((told.error, told.member_id.as_str()), (ErrorCode::MemberIdRequired, "client-a"));
    assert_eq!(scene.state(), GroupState::Empty, "it is no member yet");
    let second = scene.join(again(new, &told));
    scene.pass(DELAY * 2);
    assert_eq!(scene.joined(second).expect("joined").error, ErrorCode::None);
}

#[test]
fn an_id_that_was_told_and_not_used_holds_up_others_only_until_its_session_ends() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.join(Join { id_first: true, ..member("b") });
    let rejoined = scene.join(again(member("a"), &joined[0]));
    scene.pass(SESSION - Duration::from_secs(1));
    assert!(scene.joined(rejoined).is_none());
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.joined(rejoined).expect("joined").generation, 2);
}

#[test]
fn an_id_that_nobody_was_told_is_unknown() {
    let mut scene = Scene::new();
    let stranger = Join { member_id: "stranger".to_owned(), ..member("x") };
    let to_no_group = scene.join(stranger.clone());
    assert_eq!(scene.joined(to_no_group).expect("refused").error, ErrorCode::UnknownMemberId);
    assert!(scene.groups.get("g").is_none(), "no group comes to be by it");
    scene.stable(&[member("a")]);
    let to_a_group = scene.join(stranger);
    assert_eq!(scene.joined(to_a_group).expect("refused").error, ErrorCode::UnknownMemberId);
}

#[test]
fn a_newcomer_calls_all_to_join_again() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    let newcomer = scene.join(member("b"));
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
    assert_eq!(scene.heartbeat(&joined[0]), Err(ErrorCode::RebalanceInProgress));
    let rejoined = scene.join(again(member("a"), &joined[0]));
    assert_eq!(scene.joined(rejoined).expect("at once: all are there").generation, 2);
    assert_eq!(scene.joined(newcomer).expect("joined").leader, "client-a");
}

#[test]
fn who_does_not_join_within_the_rebalance_timeout_is_out() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    let newcomer = scene.join(member("c"));
    for _ in 0..12 {
        scene.pass(Duration::from_secs(5));
        let _ = scene.heartbeat(&joined[0]);
        let _ = scene.heartbeat(&joined[1]);
    }
    let new = scene.joined(newcomer).expect("the time is over");
    assert_eq!((new.generation, new.leader.as_str(), new.members.len()), (2, "client-c", 1));
    assert_eq!(scene.heartbeat(&joined[0]), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_follower_that_joins_again_unchanged_disturbs_nobody() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    let rejoined = scene.join(again(member("b"), &joined[1]));
    assert_eq!(scene.joined(rejoined).expect("at once").generation, 1);
    assert_eq!(scene.state(), GroupState::Stable);
}

#[test]
fn a_leader_that_joins_again_wants_a_rebalance() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.join(again(member("a"), &joined[0]));
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_member_that_joins_again_with_another_subscription_wants_a_rebalance() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.join(Join { protocols: vec![protocol("range", "payments")], ..again(member("b"), &joined[1]) });
    assert_eq!(scene.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_member_that_missed_its_answer_gets_it_again_while_the_leader_assigns() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    let missed = scene.join(again(member("a"), &joined[0]));
    assert_eq!(scene.joined(missed).expect("at once"), joined[0]);
    assert_eq!(scene.state(), GroupState::CompletingRebalance);
}

#[test]
fn the_protocol_is_the_one_that_most_prefer_among_those_that_all_know() {
    let mut scene = Scene::new();
    let with = |name: &str, protocols: &[&str]| Join {
        protocols: protocols.iter().map(|protocol_name| protocol(protocol_name, "orders")).collect(),
        ..member(name)
    };
    let joined = scene.form(&[
        with("a", &["sticky", "range", "roundrobin"]),
        with("b", &["roundrobin", "range"]),
        with("c", &["roundrobin", "range"]),
    ]);
    assert_eq!(joined[0].protocol.as_deref(), Some("roundrobin"));
}

#[test]
fn who_shares_no_protocol_or_type_with_the_others_is_refused() {
    let mut scene = Scene::new();
    scene.stable(&[member("a")]);
    let other_protocol = scene.join(Join { protocols: vec![protocol("sticky", "orders")], ..member("b") });
    assert_eq!(scene.joined(other_protocol).expect("refused").error, ErrorCode::InconsistentGroupProtocol);
    let other_type = scene.join(Join { protocol_type: "connect".to_owned(), ..member("c") });
    assert_eq!(scene.joined(other_type).expect("refused").error, ErrorCode::InconsistentGroupProtocol);
    assert_eq!(scene.state(), GroupState::Stable);
}

#[test]
fn a_first_member_without_protocols_is_refused() {
    let mut scene = Scene::new();
    let without = scene.join(Join { protocols: Vec::new(), ..member("a") });
    assert_eq!(scene.joined(without).expect("refused").error, ErrorCode::InconsistentGroupProtocol);
}

#[test]
fn sessions_have_bounds() {
    let mut scene = Scene::new();
    for millis in [999, 1_800_001] {
        let outside = scene.join(Join { session_timeout: Duration::from_millis(millis), ..member("a") });
        assert_eq!(scene.joined(outside).expect("refused").error, ErrorCode::InvalidSessionTimeout);
    }
}

#[test]
fn a_group_needs_a_name() {
    let mut scene = Scene::new();
    let nameless = scene.join(Join { group: String::new(), ..member("a") });
    assert_eq!(scene.joined(nameless).expect("refused").error, ErrorCode::InvalidGroupId);
}

#[test]
fn a_full_group_takes_nobody_in() {
    let mut scene = Scene::with(GroupSettings { max_size: 2, ..GroupSettings::default() });
    let joined = scene.stable(&[member("a"), member("b")]);
    let third = scene.join(member("c"));
    assert_eq!(scene.joined(third).expect("refused").error, ErrorCode::GroupMaxSizeReached);
    assert_eq!(scene.heartbeat(&joined[0]), Ok(()));
}

#[test]
fn there_are_at_most_so_many_groups() {
    let mut scene = Scene::with(GroupSettings { max_groups: 1, ..GroupSettings::default() });
    scene.stable(&[member("a")]);
    let other = scene.join(Join { group: "other".to_owned(), ..member("a") });
    assert_eq!(scene.joined(other).expect("refused").error, ErrorCode::CoordinatorNotAvailable);
}

#[test]
fn a_sync_of_another_generation_or_protocol_is_refused() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a")]);
    let old = scene.sync(Sync { generation: 0, ..sync_of(&joined[0]) });
    assert_eq!(scene.synced(old).expect("refused").error, ErrorCode::IllegalGeneration);
    let other = scene.sync(Sync { protocol: Some("sticky".to_owned()), ..sync_of(&joined[0]) });
    assert_eq!(scene.synced(other).expect("refused").error, ErrorCode::InconsistentGroupProtocol);
    let stranger = scene.sync(Sync { member_id: "stranger".to_owned(), ..sync_of(&joined[0]) });
    assert_eq!(scene.synced(stranger).expect("refused").error, ErrorCode::UnknownMemberId);
}

#[test]
fn a_sync_while_members_join_is_told_to_join() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a")]);
    scene.join(member("b"));
    let sync = scene.sync(sync_of(&joined[0]));
    assert_eq!(scene.synced(sync).expect("refused").error, ErrorCode::RebalanceInProgress);
}

#[test]
fn a_newcomer_while_the_leader_assigns_sends_those_who_wait_back_to_join() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    let follower = scene.sync(sync_of(&joined[1]));
    scene.join(member("c"));
    assert_eq!(scene.synced(follower).expect("answered").error, ErrorCode::RebalanceInProgress);
}

#[test]
fn an_assignment_that_cannot_be_journaled_is_not_given_out() {
    let mut scene = Scene::new();
    let joined = scene.form(&[member("a"), member("b")]);
    let follower = scene.sync(sync_of(&joined[1]));
    scene.journal.refuses = true;
    let leader = scene.sync(sync_of(&joined[0]));
    assert_eq!(scene.synced(leader).expect("refused").error, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(scene.synced(follower).expect("refused").error, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(scene.state(), GroupState::PreparingRebalance, "they join again");
}

#[test]
fn of_two_requests_of_a_member_the_earlier_is_answered_too() {
    let mut scene = Scene::new();
    let joined = scene.stable(&[member("a"), member("b")]);
    scene.join(member("c"));
    let earlier = scene.join(again(member("a"), &joined[0]));
    let later = scene.join(again(member("a"), &joined[0]));
    assert_eq!(scene.joined(earlier).expect("answered").error, ErrorCode::RebalanceInProgress);
    assert!(scene.joined(later).is_none());
}
