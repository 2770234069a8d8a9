//! The link to the group's coordinator held at the moment of JoinGroup, for longer than the session.

use super::both_kinds;
use super::proxy::Api;
use super::scene::{Members, SOON, Scene, Way, await_shared_out, eventually, partitions_of};
use crate::support::Instance;

/// Three instances; the first is to be cut off, the third leaves so that all must join anew. Answers a partition of the first one, of
/// which the number 1 has come out.
fn three(scene: &Scene) -> (Instance, Instance, Instance, i32) {
    let mut cut_off = scene.start("a", Way::Proxied, &[]);
    cut_off.wait_ready();
    let (mut other, mut leaves) = (scene.start("b", Way::Direct, &[]), scene.start("c", Way::Direct, &[]));
    let owned = await_shared_out(&mut [&mut cut_off, &mut other, &mut leaves]);
    let partition = owned[0][0];
    scene.write(&[partition], 1);
    scene.await_counts(partition, 1, SOON);
    (cut_off, other, leaves, partition)
}

/// An owner has a transaction open while its JoinGroup is held for longer than its session; another takes its token and commits the same
/// record; then the first one rejoins, without being polled, and commits.
fn stale_owner_commits(members: Members, settings: &[(&'static str, &'static str)]) -> (Scene, Instance, Instance, i32) {
    // The transaction must outlive the whole of it.
    let settings = [&[("VIEWMILL_FAULTS_TRANSACTION_TIMEOUT_MS", "25000")], settings].concat();
    let scene = Scene::new("join", members, &settings);
    let (cut_off, other, mut leaves, partition) = three(&scene);
    let (proxy, client) = (&scene.proxy, scene.client("a"));
    proxy.hold(&client, Api::PRODUCE);
    scene.write(&[partition], 2);
    proxy.await_held(&client, Api::PRODUCE, SOON);
    proxy.hold(&client, Api::JOIN_GROUP);
    leaves.terminate(SOON);
    proxy.await_held(&client, Api::JOIN_GROUP, SOON);
    scene.await_counts(partition, 2, SOON);
    let (joined, synced) = (proxy.answered(&client, Api::JOIN_GROUP), proxy.answered(&client, Api::SYNC_GROUP));
    proxy.release(&client, Api::JOIN_GROUP);
    match members {
        // librdkafka comes back by itself, as another member.
        Members::Static => proxy.await_answered(&client, Api::SYNC_GROUP, synced + 1, SOON),
        // It is given a new id, and waits for a poll.
        Members::Dynamic => proxy.await_answered(&client, Api::JOIN_GROUP, joined + 2, SOON),
    }
    proxy.release(&client, Api::PRODUCE);
    (scene, cut_off, other, partition)
}

#[test]
fn naive_version_commits_under_the_generation_in_which_its_token_is_anothers() {
    // A dynamic member that is back under another generation has been told of its loss: only a static one comes back silently.
    let (scene, _cut_off, _other, partition) = stale_owner_commits(Members::Static, &[("VIEWMILL_SABOTAGE", "take-fresh-generation")]);
    scene.await_doubled(partition, 2);
}

#[test]
fn a_commit_of_a_stale_owner_is_refused() {
    both_kinds(|members| {
        let (scene, mut cut_off, mut other, partition) = stale_owner_commits(members, &[]);
        eventually("the refusal", SOON, || (cut_off.metric("viewmill_transactions_total", &["result=\"refused\""]) > 0.0).then_some(()));
        await_shared_out(&mut [&mut cut_off, &mut other]);
        scene.write(&[partition], 3);
        scene.await_counts(partition, 3, SOON);
        scene.assert_exact(&[partition], 3);
    });
}

/// An owner's JoinGroup is held for longer than its session; another takes its token, commits a record and goes; then the first one comes
/// back and is told of the tokens that are new to it, but of none that it had.
fn missed_a_generation(members: Members, settings: &[(&'static str, &'static str)]) -> (Scene, Instance, i32) {
    let scene = Scene::new("missed", members, settings);
    let (cut_off, mut other, mut leaves, partition) = three(&scene);
    let (proxy, client) = (&scene.proxy, scene.client("a"));
    proxy.hold(&client, Api::JOIN_GROUP);
    leaves.terminate(SOON);
    proxy.await_held(&client, Api::JOIN_GROUP, SOON);
    eventually("the other to take over", SOON, || partitions_of(&mut other).contains(&partition).then_some(()));
    scene.write(&[partition], 2);
    scene.await_counts(partition, 2, SOON);
    other.terminate(SOON);
    proxy.release(&client, Api::JOIN_GROUP);
    (scene, cut_off, partition)
}

#[test]
fn naive_version_goes_on_from_where_it_was_before_another_worked_on_its_token() {
    let (scene, _cut_off, partition) = missed_a_generation(Members::Static, &[("VIEWMILL_SABOTAGE", "keep-tasks-over-missed-generation")]);
    scene.await_doubled(partition, 2);
}

#[test]
fn an_owner_that_missed_a_generation_reads_its_marker_again() {
    both_kinds(|members| {
        let (scene, mut cut_off, partition) = missed_a_generation(members, &[]);
        await_shared_out(&mut [&mut cut_off]);
        scene.write(&[partition], 3);
        scene.await_counts(partition, 3, SOON);
        scene.assert_exact(&[partition], 3);
    });
}
