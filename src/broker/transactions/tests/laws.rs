//! Whatever producers, restarts and time do: a transaction ends once, and none is committed by a producer that another one replaced.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A producer begins, replacing the one before.
    Init,
    /// One of the producers so far bumps its own epoch.
    Bump(usize),
    Add(usize, i32),
    End(usize, bool),
    /// The markers of a prepared end are written.
    Complete,
    Pass(u32),
    /// The process is killed; the next reads the journal.
    Restart,
    /// The disk is full, or not any more.
    Full(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Init),
        1 => (0usize..4).prop_map(Step::Bump),
        6 => (0usize..4, 0i32..3).prop_map(|(who, partition)| Step::Add(who, partition)),
        6 => (0usize..4, any::<bool>()).prop_map(|(who, commit)| Step::End(who, commit)),
        4 => Just(Step::Complete),
        1 => (0u32..90).prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(Step::Full),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_transaction_ends_once_and_never_by_a_replaced_producer(steps in proptest::collection::vec(step(), 1..80)) {
        let mut scene = Scene::new();
        // The newest last: all others are replaced.
        let mut producers: Vec<Producer> = Vec::new();
        // The decided ends of the open transaction, which must become its end.
        let mut decided: Option<Outcome> = None;
        for step in steps {
            let before = scene.transactions.get("a").cloned();
            match step {
                Step::Init => {
                    if let Ok(producer) = scene.init("a") {
                        prop_assert!(!producers.contains(&producer), "no two producers are the same");
                        producers.push(producer);
                    }
                }
                Step::Bump(back) => {
                    let Some(at) = producers.len().checked_sub(back + 1) else { continue };
                    if let Ok(producer) = scene.init_as("a", Some(producers[at])) {
                        // It, or its repetition, is the only one that goes on.
                        prop_assert!(at + 2 >= producers.len() || producers.last() == Some(&producer));
                        if !producers.contains(&producer) {
                            producers.push(producer);
                        }
                    }
                }
                Step::Add(back, partition) => {
                    let Some(at) = producers.len().checked_sub(back + 1) else { continue };
                    let result = scene.add("a", producers[at], partition);
                    prop_assert!(result.is_err() || back == 0, "a replaced producer added a partition");
                }
                Step::End(back, commit) => {
                    let Some(at) = producers.len().checked_sub(back + 1) else { continue };
                    let outcome = if commit { Outcome::Commit } else { Outcome::Abort };
                    let result = scene.end("a", producers[at], outcome);
                    prop_assert!(result.is_err() || back == 0, "a replaced producer ended a transaction");
                    match result {
                        Ok(End::Prepared) => {
                            prop_assert_eq!(before.map(|before| before.state), Some(State::Ongoing));
                            prop_assert_eq!(decided.replace(outcome), None, "decided twice");
                        }
                        Ok(End::Repeated) => prop_assert_eq!(before.and_then(|before| before.state.outcome()), Some(outcome)),
                        Err(_) => {}
                    }
                }
                Step::Complete => {
                    let unfinished = scene.transactions.unfinished().count();
                    let _ = scene.transactions.completed(&mut scene.journal, scene.now, "a", Vec::new(), &[]);
                    if unfinished == 1 && !scene.journal.refuses {
                        let is = scene.state("a").outcome();
                        prop_assert!(decided.is_none() || decided == is);
                        decided = None;
                    }
                }
                Step::Pass(seconds) => {
                    scene.pass(Duration::from_secs(u64::from(seconds)));
                    scene.abort_overdue();
                }
                Step::Restart => scene.transactions = scene.restarted(),
                Step::Full(full) => scene.journal.refuses = full,
            }
            if let Some(decided) = decided {
                prop_assert_eq!(scene.state("a").outcome(), Some(decided), "a decided end changed");
            }
            let journaled = scene.restarted();
            prop_assert_eq!(journaled.get("a"), scene.transactions.get("a"), "the journal tells another story");
        }
    }
}
