//! The task log grows while members are in the group.

use std::thread;
use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaAdmin, KafkaSettings};
use viewmill::ports::{Admin, MembershipEvent};

use super::{Member, application, settle, topic};

/// A static and a dynamic application, at the same time.
fn both_kinds(test: fn(KafkaSettings)) {
    thread::scope(|scope| {
        for is_static in [true, false] {
            let mut app = application();
            app.static_membership = is_static;
            scope.spawn(move || test(app));
        }
    });
}

/// A member that holds both tokens of a task log and has not heard yet that it shall give one up, the member that is to get it, and
/// the log, which has grown to four.
fn grown_under_a_pending_revoke(app: &KafkaSettings) -> (Member, Member, String) {
    let log = topic(app, "tasks", 2);
    let mut holds = Member::join(&app.for_thread("1"), &log);
    settle(&mut [&mut holds], |all| all[0].tokens == [0, 1]);
    let mut joins = Member::join(&app.for_thread("2"), &log);
    settle(&mut [&mut joins], |all| all[0].generation_id() >= 0);
    KafkaAdmin::new(app).unwrap().grow_topic(&log, 4).unwrap();
    (holds, joins, log)
}

/// Whether the members have all four tokens, each one of them, within the time.
fn share_out(members: &mut [&mut Member], within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        members.iter_mut().for_each(|member| member.poll().unwrap());
        let mut tokens: Vec<i32> = members.iter().flat_map(|member| member.tokens.clone()).collect();
        tokens.sort_unstable();
        if tokens == [0, 1, 2, 3] && members.iter().all(|member| !member.tokens.is_empty()) {
            return true;
        }
    }
    false
}

#[test]
fn a_log_that_grows_under_a_pending_revoke_gives_no_token_twice() {
    both_kinds(|app| {
        let (mut holds, mut joins, log) = grown_under_a_pending_revoke(&app);
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline {
            joins.poll().unwrap();
            assert_eq!(joins.tokens, [0; 0], "its holder has not given it up");
        }
        // Who adds partitions joins afterwards, which shares them out.
        let mut grew = Member::join(&app.for_thread("3"), &log);
        assert!(share_out(&mut [&mut holds, &mut joins, &mut grew], Duration::from_secs(20)));
        let mut fourth = Member::join(&app.for_thread("4"), &log);
        assert!(share_out(&mut [&mut holds, &mut joins, &mut grew, &mut fourth], Duration::from_secs(20)), "all are still in the group");
        assert!(!holds.events.iter().any(|event| matches!(event, MembershipEvent::Lost { .. })));
    });
}

#[test]
fn a_member_that_looks_for_growth_by_itself_gives_a_token_to_two_and_leaves_the_group_hanging() {
    both_kinds(|mut app| {
        app.group_metadata_refresh_ms = Some(500);
        let (mut holds, mut joins, log) = grown_under_a_pending_revoke(&app);
        // It has not been polled: as far as it knows it has both.
        settle(&mut [&mut joins], |all| all[0].tokens.iter().any(|token| *token < 2));
        assert_eq!(holds.tokens, [0, 1]);
        let mut third = Member::join(&app.for_thread("3"), &log);
        assert!(!share_out(&mut [&mut holds, &mut joins, &mut third], Duration::from_secs(7)), "the first one does not rejoin");
    });
}
