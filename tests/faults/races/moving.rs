//! A task that moves twice while the transaction of an owner that was killed is still open.

use std::time::{Duration, Instant};

use super::both_kinds;
use super::scene::{Members, PARTITIONS, SOON, Scene, Way, await_shared_out, eventually, partitions_of, tokens_of};
use crate::support::Instance;

/// An owner is killed when its second transaction has changelog records and no marker; the next one commits the record and goes. Answers
/// the third and what is left for it to do.
fn moved_twice(members: Members, settings: &[(&'static str, &'static str)]) -> (Scene, Instance, i32) {
    let scene = Scene::new("moved", members, settings);
    let mut killed = scene.start("a", Way::Direct, &[("FAILPOINTS", "commit-changelogs-flushed=1*off->return(kill)")]);
    killed.wait_ready();
    let (mut b, mut c) = (scene.start("b", Way::Direct, &[]), scene.start("c", Way::Direct, &[]));
    let partition = await_shared_out(&mut [&mut killed, &mut b, &mut c])[0][0];
    scene.write(&[partition], 1);
    scene.await_counts(partition, 1, SOON);
    scene.write(&[partition], 2);
    killed.ended_within(SOON);
    let at = Instant::now();
    let is_b = eventually("another to take over", SOON, || {
        let owned = [&mut b, &mut c].map(|instance| partitions_of(instance).contains(&partition));
        owned.contains(&true).then_some(owned[0])
    });
    let (mut second, mut third) = if is_b { (b, c) } else { (c, b) };
    // Readers of committed data cannot see it: the first one's transaction is still open before it.
    let committed = |instance: &mut Instance| instance.metric("viewmill_transactions_total", &["result=\"committed\""]);
    eventually("the second owner to commit", SOON, || (committed(&mut second) > 0.0).then_some(()));
    second.terminate(SOON);
    eventually("the token to move again", SOON, || third_has_or_fails(&mut third).then_some(()));
    assert!(at.elapsed() < Duration::from_secs(9), "the transaction of the first one has timed out: {:?}", at.elapsed());
    scene.write(&[partition], 3);
    (scene, third, partition)
}

/// It has been given all tokens.
fn third_has_or_fails(third: &mut Instance) -> bool {
    tokens_of(third).len() == PARTITIONS as usize + 1 || third.try_get("/readyz?verbose").unwrap().body.contains("changelog")
}

#[test]
fn naive_version_takes_a_held_back_changelog_for_a_torn_one() {
    let (_scene, mut third, _) = moved_twice(Members::Static, &[("VIEWMILL_SABOTAGE", "take-stable-end-for-end")]);
    let body = eventually("a false alarm", SOON, || {
        let body = third.try_get("/readyz?verbose").unwrap().body;
        body.contains("changelog").then_some(body)
    });
    println!("{body}");
}

#[test]
fn a_task_moved_twice_waits_for_the_dead_owners_transaction() {
    both_kinds(|members| {
        let (scene, mut third, partition) = moved_twice(members, &[]);
        scene.await_counts(partition, 3, SOON);
        await_shared_out(&mut [&mut third]);
        scene.assert_exact(&[partition], 3);
    });
}
