//! kill -9 at random moments, with the state kept or gone.

use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::support::Instance;
use crate::workload::{Kind, Workload, cycles, records, starts, wipes};

/// From one kill to the next, on average: a commit takes place in between, and another is under way.
const CYCLE: Duration = Duration::from_secs(7);

/// Until both instances are ready for the first time.
const STARTING: Duration = Duration::from_secs(15);

#[test]
fn functions_and_ids_are_right_after_kills_at_random() {
    killed_at_random(Workload::new("kill-functions", Kind::Functions));
}

#[test]
fn orders_are_right_after_kills_at_random() {
    killed_at_random(Workload::new("kill-orders", Kind::Orders));
}

fn killed_at_random(mut workload: Workload) {
    let (mut rng, cycles) = (Rng::with_seed(workload.seed), cycles());
    workload.produce(records(), STARTING + CYCLE * cycles as u32);
    let names = ["a", "b"];
    let mut instances = names.map(|name| workload.start(name, &[]));
    instances.iter_mut().for_each(Instance::wait_ready);
    let mut under_load = 0;
    for cycle in 1..=cycles {
        thread::sleep(Duration::from_millis(rng.u64(..7_000)));
        under_load += usize::from(workload.is_producing());
        let at = rng.usize(..names.len());
        instances[at].kill();
        if cycle % 5 == 0 {
            workload.forget_state(&mut instances[at], names[at]);
        } else if cycle % 5 == 2 {
            workload.assert_right_so_far();
        }
        instances[at] = workload.start(names[at], &[]);
        instances[at].wait_ready();
    }
    println!("{under_load} of {cycles} kills while records came");
    assert!(under_load * 2 > cycles, "kills of idle instances show little: produce more, or more slowly");
    workload.finish_producing();
    let [a, b] = &mut instances;
    workload.assert_right(&mut [a, b]);
    let opened: usize = instances.iter().map(|instance| starts(&instance.log())).sum();
    assert!(opened > cycles, "the log tells of {opened} opened tasks only: wipes would not be seen");
}

#[test]
fn a_wipe_would_be_seen() {
    let line = |task: &str, decision: &str| format!("DEBUG viewmill: start decided task=\"{task}\" decision={decision}\n");
    let good = [line("t_0", "RestoreAll"), "INFO viewmill: task restored task=\"t_0\" records=3\n".into(), line("t_0", "CatchUp")].concat();
    assert_eq!(wipes(&good), Vec::<String>::new());
    assert_eq!(wipes(&(good + &line("t_1", "RestoreAll") + &line("t_0", "RestoreAll"))).len(), 1);
}
