//! Lists, counts and revenue equal a separate computation exactly: at the end, and at every moment on the way.

use crate::spine::seed;
use crate::support::{Instance, PATIENCE, Run, Watcher, eventually_served};

#[test]
fn orders_lists_counts_and_revenue_equal_a_separate_computation() {
    let run = Run::new("statistics");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let watcher = Watcher::start(instance.client());
    // Slow enough that many commits are seen, fast enough that each holds many events.
    let producing = run.begin_producing(20_000, seed(), Some(8_000));
    producing.finish();
    let fold = run.fold();
    eventually_served(&fold, &mut [&mut instance], PATIENCE);
    let seen = watcher.finish();

    println!(
        "{} dashboards at {} positions, {} refused, {} lists beside them",
        seen.answers,
        seen.dashboards.len(),
        seen.refused,
        seen.comparable_lists
    );
    assert!(seen.faults.is_empty(), "{} faults: {:#?}", seen.faults.len(), &seen.faults[..seen.faults.len().min(5)]);
    assert!(seen.dashboards.len() >= 50 && seen.comparable_lists >= 50, "too little was seen on the way to say anything");
    seen.assert_true_on_the_way(&run, 40);
    fold.views.assert_served(&fold, &mut instance.client(), &[500, 83]);
}

#[test]
fn lists_counts_and_revenue_are_right_after_a_kill_and_after_a_restore() {
    let run = Run::new("statistics-kill");
    let mut producing = run.begin_producing(4_000, seed(), Some(2_000));
    let mut instance = Instance::start(&run, "a", &[]);
    let mut at_work = 0;
    for _ in 0..3 {
        instance.wait_ready();
        at_work += usize::from(producing.runs());
        instance.kill();
        instance = Instance::start(&run, "a", &[]);
    }
    assert!(at_work > 0, "kills of an idle instance show little");
    producing.finish();
    instance.wait_ready();
    let fold = run.fold();
    eventually_served(&fold, &mut [&mut instance], PATIENCE);
    fold.views.assert_served(&fold, &mut instance.client(), &[100]);

    instance.kill();
    instance.forget_state();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    eventually_served(&fold, &mut [&mut instance], PATIENCE);
    fold.views.assert_served(&fold, &mut instance.client(), &[100]);
}
