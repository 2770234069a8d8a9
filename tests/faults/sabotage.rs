//! The rules break when they are broken on purpose: what is checked here would find it.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use crate::workload::{Kind, Workload};

/// Time for several commits of each thread. It begins when the instance is ready: one that starts slowly must not miss it.
const LOAD_LASTS: Duration = Duration::from_secs(10);

#[test]
fn rows_that_were_applied_before_the_commit_are_found() {
    let mut workload = Workload::new("apply-before-commit", Kind::Functions);
    // The second commit of a thread, so that there is a position to begin from.
    let settings = [("VIEWMILL_SABOTAGE", "apply-before-commit"), ("FAILPOINTS", "commit-markers-sent=2*off->return(kill)")];
    let mut instance = workload.start("a", &settings);
    instance.wait_ready();
    workload.produce(3_000, LOAD_LASTS);
    let status = instance.ended_within(Duration::from_secs(60));
    assert_eq!(status.signal(), Some(9), "{status}");
    let mut instance = workload.start("a", &[]);
    instance.wait_ready();
    workload.finish_producing();
    found(&workload.violations_with(&mut [&mut instance], &["--patience", "15"]), &["output sums", "store sums"]);
}

#[test]
fn rows_that_are_kept_over_an_abort_are_found() {
    let mut workload = Workload::new("keep-rows-on-abort", Kind::Functions);
    // The third commit is answered with no.
    let settings = [("VIEWMILL_SABOTAGE", "keep-rows-on-abort"), ("FAILPOINTS", "commit-refused=2*off->1*return(refuse)")];
    let mut instance = workload.start("a", &settings);
    instance.wait_ready();
    workload.produce(3_000, LOAD_LASTS);
    crate::pausing::wait_for_commits(&mut instance, 4.0);
    workload.finish_producing();
    found(&workload.violations_with(&mut [&mut instance], &["--patience", "15"]), &["output sums"]);
}

/// Each of these rules must be named.
fn found(violations: &[String], rules: &[&str]) {
    println!("{} violations, the first: {}", violations.len(), violations.first().map_or("", String::as_str));
    for rule in rules {
        assert!(violations.iter().any(|violation| violation.starts_with(rule)), "{rule} was broken and not found: {violations:?}");
    }
}
