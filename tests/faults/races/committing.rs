//! A thread that is stuck in its commit while another instance dies.

use std::thread;
use std::time::{Duration, Instant};

use super::both_kinds;
use super::proxy::Api;
use super::scene::{Members, PARTITIONS, SOON, Scene, Way, await_shared_out};
use crate::support::Instance;

/// How long a take-over may take.
const TAKE_OVER: Duration = Duration::from_secs(30);

/// An instance is stuck in its commit, with a revoke waiting for it, when another dies. Answers those that are left, the partitions of the
/// dead one, to which number 2 was written, and when it died.
fn stuck_while_another_dies(members: Members, settings: &[(&'static str, &'static str)]) -> (Scene, [Instance; 2], Vec<i32>, Instant) {
    let scene = Scene::new("stuck", members, settings);
    let mut stuck = scene.start("a", Way::Proxied, &[]);
    stuck.wait_ready();
    let mut dies = scene.start("b", Way::Direct, &[]);
    let owned = await_shared_out(&mut [&mut stuck, &mut dies]);
    let all: Vec<i32> = (0..PARTITIONS).collect();
    scene.write(&all, 1);
    all.iter().for_each(|partition| scene.await_counts(*partition, 1, SOON));
    let (proxy, client) = (&scene.proxy, scene.client("a"));
    proxy.hold(&client, Api::END_TXN);
    scene.write(&owned[0], 2);
    proxy.await_held(&client, Api::END_TXN, SOON);
    let synced = proxy.answered(&client, Api::SYNC_GROUP);
    let mut joins = scene.start("c", Way::Direct, &[]);
    proxy.await_answered(&client, Api::SYNC_GROUP, synced + 1, SOON);
    dies.kill();
    let died = Instant::now();
    joins.wait_ready();
    scene.write(&owned[1], 2);
    (scene, [stuck, joins], owned[1].clone(), died)
}

/// How many of these partitions have put number 2 out.
fn taken_over(scene: &Scene, partitions: &[i32]) -> usize {
    partitions.iter().filter(|partition| scene.committed("counts", **partition).len() >= 2).count()
}

#[test]
fn naive_version_holds_up_every_take_over() {
    let naive = [("VIEWMILL_SABOTAGE", "commit-without-deadline"), ("VIEWMILL_FAULTS_MAX_POLL_INTERVAL_MS", "300000")];
    let (scene, _instances, partitions, died) = stuck_while_another_dies(Members::Static, &naive);
    while died.elapsed() < TAKE_OVER {
        assert_eq!(taken_over(&scene, &partitions), 0, "after {:?}", died.elapsed());
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_thread_stuck_in_its_commit_does_not_hold_up_a_take_over() {
    both_kinds(|members| {
        let (scene, [mut stuck, mut joins], partitions, died) = stuck_while_another_dies(members, &[]);
        let (proxy, client) = (&scene.proxy, scene.client("a"));
        // Its coordinator does not answer still, but it serves the group. It may be given tokens itself, for which it must then commit.
        proxy.await_answered(&client, Api::SYNC_GROUP, proxy.answered(&client, Api::SYNC_GROUP) + 1, TAKE_OVER);
        println!("{members:?}: the group goes on after {:?}", died.elapsed());
        proxy.release(&client, Api::END_TXN);
        while taken_over(&scene, &partitions) < partitions.len() {
            assert!(died.elapsed() < TAKE_OVER, "not taken over within {TAKE_OVER:?}");
            thread::sleep(Duration::from_millis(200));
        }
        println!("{members:?}: taken over after {:?}", died.elapsed());
        await_shared_out(&mut [&mut stuck, &mut joins]);
        let all: Vec<i32> = (0..PARTITIONS).collect();
        all.iter().for_each(|partition| scene.await_counts(*partition, 2, SOON));
        scene.write(&all, 3);
        all.iter().for_each(|partition| scene.await_counts(*partition, 3, SOON));
        scene.assert_exact(&all, 3);
    });
}
