//! SIGSTOP beyond the session time-out, in the middle of a transaction.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Instance, LOOK_INTERVAL, PATIENCE};
use crate::workload::{Kind, Workload, records};

/// The session time-out is 10 s, and so is the transaction's.
const PAUSE: Duration = Duration::from_secs(14);

#[test]
fn functions_and_ids_are_right_after_a_pause_beyond_the_session() {
    paused_beyond_the_session(Workload::new("pause-functions", Kind::Functions));
}

#[test]
fn orders_are_right_after_a_pause_beyond_the_session() {
    paused_beyond_the_session(Workload::new("pause-orders", Kind::Orders));
}

fn paused_beyond_the_session(mut workload: Workload) {
    workload.produce(records(), Duration::from_secs(30));
    let (mut first, mut second) = (workload.start("a", &[]), workload.start("b", &[]));
    first.wait_ready();
    second.wait_ready();
    // Both commit, and with 5 s between commits and records coming all the time a transaction is open nearly always.
    wait_for_commits(&mut first, 1.0);
    thread::sleep(Duration::from_millis(fastrand::Rng::with_seed(workload.seed).u64(500..3_000)));
    assert!(workload.is_producing(), "it must be stopped while records come");
    first.pause();
    thread::sleep(PAUSE);
    workload.assert_right_so_far();
    first.resume();
    assert_eq!(first.try_get("/livez").unwrap().status, 200, "it lives on after the pause");
    first.wait_ready();
    workload.finish_producing();
    workload.assert_right(&mut [&mut first, &mut second]);
}

/// Waits until an instance has committed so many transactions.
pub fn wait_for_commits(instance: &mut Instance, count: f64) {
    let deadline = Instant::now() + PATIENCE;
    while instance.metric("viewmill_transactions_total", &["result=\"committed\""]) < count {
        assert!(Instant::now() < deadline, "it does not commit");
        thread::sleep(LOOK_INTERVAL);
    }
}
