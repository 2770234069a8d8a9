//! What is tested here is the build with faults, not another one.

use std::time::Duration;

use crate::support::{Instance, Run};
use crate::{ORDERS, TOPOLOGIES};

#[test]
fn a_failpoint_kills_the_fault_topologies_and_the_next_process_goes_on() {
    a_failpoint_kills_and_the_next_process_goes_on("built", TOPOLOGIES);
}

#[test]
fn a_failpoint_kills_the_order_system_and_the_next_process_goes_on() {
    a_failpoint_kills_and_the_next_process_goes_on("built-orders", ORDERS);
}

fn a_failpoint_kills_and_the_next_process_goes_on(name: &str, program: &'static str) {
    let run = Run::of(name, program);
    let mut instance = Instance::start(&run, "a", &[("FAILPOINTS", "restore-decided=return(kill)")]);
    let status = instance.ended_within(Duration::from_secs(60));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
}
