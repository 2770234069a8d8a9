//! The task log grows while a revoke waits for its member.

use super::both_kinds;
use super::proxy::Api;
use super::scene::{Members, PARTITIONS, SOON, Scene, Way, all_owned, await_shared_out, eventually};
use crate::support::Instance;
use viewmill::ports::Admin;

/// An owner of all tokens has a transaction open for all of them while a second instance joins; before the first hears of what it must
/// give up, the log grows.
fn grown_under_a_pending_revoke(members: Members, settings: &[(&'static str, &'static str)]) -> (Scene, Instance, Instance) {
    // The first one's records are held while the second starts and commits, however long that takes it.
    let patient = [("VIEWMILL_FAULTS_TRANSACTION_TIMEOUT_MS", "40000"), ("VIEWMILL_FAULTS_PRODUCER_REQUEST_TIMEOUT_MS", "20000")];
    let settings = [&patient[..], settings].concat();
    let scene = Scene::new("grown", members, &settings);
    let all: Vec<i32> = (0..PARTITIONS).collect();
    // All records of a moment are in one transaction.
    let at_once = [("VIEWMILL__PROCESSING__COMMIT_INTERVAL_MS", "4000"), ("VIEWMILL__PROCESSING__COMMIT_MIN_INTERVAL_MS", "2000")];
    let mut holds = scene.start("a", Way::Proxied, &at_once);
    await_shared_out(&mut [&mut holds]);
    scene.write(&all, 1);
    all.iter().for_each(|partition| scene.await_counts(*partition, 1, SOON));
    let (proxy, client) = (&scene.proxy, scene.client("a"));
    proxy.hold(&client, Api::PRODUCE);
    scene.write(&all, 2);
    proxy.await_held(&client, Api::PRODUCE, SOON);
    let synced = proxy.answered(&client, Api::SYNC_GROUP);
    let joins = scene.start("b", Way::Direct, &[]);
    proxy.await_answered(&client, Api::SYNC_GROUP, synced + 1, SOON);
    // As an instance does that has not joined yet: six tokens become eight.
    scene.admin().grow_topic(&scene.task_log(), PARTITIONS + 3).unwrap();
    (scene, holds, joins)
}

#[test]
fn naive_version_gives_a_token_to_two_owners_that_both_commit() {
    both_kinds(|members| {
        let naive = [("VIEWMILL_FAULTS_GROUP_METADATA_REFRESH_MS", "500"), ("VIEWMILL_SABOTAGE", "take-fresh-generation")];
        let (scene, _holds, _joins) = grown_under_a_pending_revoke(members, &naive);
        let twice =
            eventually("the other to commit", SOON, || (0..PARTITIONS).find(|partition| scene.committed("counts", *partition).len() == 2));
        scene.proxy.release(&scene.client("a"), Api::PRODUCE);
        scene.await_doubled(twice, 2);
    });
}

#[test]
fn a_log_that_grows_under_a_pending_revoke_gives_no_token_to_two() {
    both_kinds(|members| {
        let (scene, mut holds, mut joins) = grown_under_a_pending_revoke(members, &[]);
        // Who let it grow joins now.
        let mut grew = scene.start("c", Way::Direct, &[]);
        let (client, all) = (scene.client("a"), (0..PARTITIONS).collect::<Vec<i32>>());
        // Time enough to see it, while the member is in the group and says so.
        let beats = scene.proxy.answered(&client, Api::HEARTBEAT);
        scene.proxy.await_answered(&client, Api::HEARTBEAT, beats + 8, SOON);
        for partition in &all {
            assert_eq!(scene.committed("counts", *partition), [1], "its owner has not given it up");
        }
        scene.proxy.release(&client, Api::PRODUCE);
        eventually("all partitions to have an owner", SOON, || all_owned(&mut [&mut holds, &mut joins, &mut grew]));
        scene.write(&all, 3);
        all.iter().for_each(|partition| scene.await_counts(*partition, 3, SOON));
        scene.assert_exact(&all, 3);
    });
}
