//! A stop while the fate of the last transaction is unknown, and what can be read of an instance that failed.

use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use super::running_sums::running_sums;
use crate::clock::ManualClock;
use crate::record::Timestamp;
use crate::runtime::step::{StepSettings, ThreadError};
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, FaultKind, Faults};
use crate::topology::{Names, TopologyBuilder};

/// Sums on one partition.
fn program() -> Program {
    let clock = ManualClock::at(Timestamp(1_000_000));
    let (cluster, names) = (FakeCluster::new(1, clock.clone()), Names::new("stop", ""));
    let mut builder = TopologyBuilder::new();
    running_sums(&mut builder);
    ["numbers", "running"].iter().for_each(|topic| cluster.create_topic(topic, 1, &[]));
    [names.task_log(), names.changelog("sums"), names.changelog("counts")]
        .iter()
        .for_each(|topic| cluster.create_compacted_topic(topic, 1));
    Program {
        topology: builder.build().expect("the topology is whole"),
        settings: StepSettings::default(),
        metrics: no_metrics(&clock),
        cluster,
        clock,
        partitions: 1,
        names,
    }
}

/// Stops in the middle of a commit that is never answered, while the brokers do not let a new producer in for so many steps of 100 ms;
/// answers whether a transaction was open when the process had left the group.
fn leaves_something_open(steps_without_producer: usize) -> bool {
    let program = program();
    let (cluster, clock) = (program.cluster.clone(), program.clock.clone());
    let mut running = program.start("p", &MemoryDisk::default(), 1, false);
    let step = |running: &mut Running, faults: Faults| {
        cluster.set_faults(faults);
        clock.advance(Duration::from_millis(100));
        cluster.tick();
        running.step().expect("nothing fails for good")
    };
    for n in 0..40 {
        cluster.append("numbers", 0, Some(b"key"), Some(n.to_string().as_bytes()), Timestamp(n)).expect("input is not refused");
        step(&mut running, Faults::none());
    }
    let unanswered = Faults::none().with(FaultKind::EndNeverArrives, 1.0).with(FaultKind::CallDelayed, 1.0);
    while cluster.open_transactions().is_empty() {
        cluster.append("numbers", 0, Some(b"key"), Some(b"1"), Timestamp(100)).expect("input is not refused");
        step(&mut running, unanswered.clone());
    }
    running.stop();
    for n in 0..400 {
        let faults = if n < steps_without_producer { unanswered.clone() } else { Faults::none() };
        if !step(&mut running, faults) {
            return !cluster.open_transactions().is_empty();
        }
    }
    panic!("it does not leave");
}

#[test]
fn a_stop_waits_a_little_for_the_end_of_a_transaction_whose_fate_is_unknown() {
    assert!(!leaves_something_open(0) && !leaves_something_open(20), "a new producer ends it before the group is left");
    assert!(leaves_something_open(400), "without one it stops all the same: the brokers end it after its time-out");
}

/// Steps a process for so many times 100 ms.
fn go_on(program: &Program, running: &mut Running, times: usize) -> Result<(), ThreadError> {
    for _ in 0..times {
        program.clock.advance(Duration::from_millis(100));
        program.cluster.tick();
        running.step()?;
    }
    Ok(())
}

#[test]
fn a_task_of_an_instance_that_failed_is_read_with_its_age() {
    let program = program();
    let mut running = program.start("p", &MemoryDisk::default(), 1, false);
    go_on(&program, &mut running, 100).expect("nothing fails");
    let task = program.tasks().next().expect("there is a task");
    assert_eq!(running.status.task_lag(&task), Some(Duration::ZERO), "it is at its end");
    running.status.set_error("another thread failed");
    running.stop();
    go_on(&program, &mut running, 300).expect("it leaves in order");
    assert!(running.views.get(&task).is_some());
    assert_eq!(running.status.task_lag(&task), Some(Duration::from_secs(30)));
}

#[test]
fn what_was_lost_is_read_no_more_when_another_has_the_same_id() {
    let program = program();
    let task = program.tasks().next().expect("there is a task");
    let mut old = program.start("p", &MemoryDisk::default(), 1, true);
    go_on(&program, &mut old, 100).expect("nothing fails");
    program.cluster.set_reachable(false);
    go_on(&program, &mut old, 600).expect("it waits for Kafka");
    assert!(old.views.tasks().contains(&(task.clone(), false)), "lost, and read as it was last");
    program.cluster.set_reachable(true);
    // It has joined again and was not told yet when another takes its place.
    for _ in 0..50 {
        program.clock.advance(Duration::from_millis(100));
        program.cluster.tick();
    }
    let mut new = program.start("p", &MemoryDisk::default(), 1, true);
    go_on(&program, &mut new, 100).expect("nothing fails");
    assert!(new.views.tasks().contains(&(task.clone(), true)));
    go_on(&program, &mut old, 1).expect("it looks first whether another process is there");
    assert!(old.views.get(&task).is_none());
    old.status.set_rival(true);
    assert!(matches!(go_on(&program, &mut old, 1), Err(ThreadError::FencedInstance(_))));
}
