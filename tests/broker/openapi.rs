//! The description of the API is true: tests/broker/openapi.py holds a running instance to it.

use crate::support::{Instance, Run};

/// Runs the script; what it prints is shown when it finds anything.
fn hold_to_it(name: &str, settings: &[(&str, &str)], what: &[&str]) {
    let run = Run::new(name);
    let mut instance = Instance::start(&run, "a", settings);
    instance.wait_ready();
    let output = run.python("broker/openapi.py", &["--url", &instance.url()]).args(what).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    println!("{said}");
}

#[test]
fn the_examples_of_the_description_are_answered_as_it_says() {
    hold_to_it("openapi-examples", &[], &["examples"]);
}

#[test]
fn requests_of_all_kinds_are_answered_as_the_description_says() {
    hold_to_it("openapi-fuzz", &[], &["fuzz"]);
}

#[test]
fn where_actors_are_required_the_description_says_so_and_is_true_too() {
    hold_to_it("openapi-required", &[("VIEWMILL__HTTP__ACTOR_REQUIRED", "true")], &["required"]);
}
