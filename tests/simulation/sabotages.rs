//! For each rule a fault on purpose that breaks it, and that the rule finds by itself.

use super::rules::Rule;
use super::run_seed;
use crate::faults::Sabotage;

/// A rule that is broken on purpose must be found within so many seeds. The rarest need a hundred or two.
pub(super) const SEEDS: u64 = 3_000;

/// Which rule finds which sabotage, judging alone.
const FINDS: &[(Rule, Sabotage)] = &[
    (Rule::NoLoss, Sabotage::ForgetToSeek),
    (Rule::NoDouble, Sabotage::TakeIndefiniteForAborted),
    (Rule::Order, Sabotage::ReverseOutputs),
    (Rule::Fold, Sabotage::DropTombstones),
    (Rule::Fold, Sabotage::NameLastRecord),
    (Rule::Fold, Sabotage::KeepStreamTimeOnAbort),
    (Rule::Fold, Sabotage::KeepRowsOfPoison),
    (Rule::Fold, Sabotage::KeepOutputsOfPoison),
    (Rule::NothingLeftOpen, Sabotage::LeaveOpenTransaction),
    (Rule::Answers, Sabotage::ApplyBeforeCommit),
    (Rule::Answers, Sabotage::KeepRowsOnAbort),
    (Rule::Answers, Sabotage::RestoreNothing),
    (Rule::Answers, Sabotage::ForgetIndexes),
    (Rule::Forward, Sabotage::TakeIndefiniteForCommitted),
    (Rule::Progress, Sabotage::StayRefused),
    (Rule::Whole, Sabotage::TakeIndefiniteForCommitted),
    (Rule::Whole, Sabotage::UseStaleState),
    (Rule::OneOwner, Sabotage::KeepTasksOverMissedGeneration),
    (Rule::OneOwner, Sabotage::KeepLostTokens),
    (Rule::OneOwner, Sabotage::TrustCommittedOffset),
    (Rule::Offsets, Sabotage::CommitOffsetOfMarker),
    (Rule::Offsets, Sabotage::KeepSuspectProducer),
    (Rule::Positions, Sabotage::ForgetOutputs),
    (Rule::NoWipe, Sabotage::WipeOnCatchUp),
    (Rule::StopsByName, Sabotage::StartAnyway),
];

/// Each rule that the table names for a sabotage finds it alone.
fn is_found(sabotage: Sabotage) {
    let rules: Vec<Rule> = FINDS.iter().filter(|(_, found)| *found == sabotage).map(|(rule, _)| *rule).collect();
    assert!(!rules.is_empty(), "{sabotage:?} stands in the table");
    for rule in rules {
        let found = (0..SEEDS).find_map(|seed| run_seed(seed, Some(sabotage), Some(rule)).err().map(|(broken, _)| (seed, broken)));
        let Some((seed, broken)) = found else {
            panic!("{sabotage:?} went unnoticed through {SEEDS} seeds: the rule {rule:?} is blind to it")
        };
        println!("| {rule:?} | {sabotage:?} | {seed} | {broken}");
        assert_eq!(broken.rule, rule);
    }
}

#[test]
fn each_rule_finds_something() {
    let blind: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| FINDS.iter().all(|(finds, _)| finds != rule)).collect();
    assert!(blind.is_empty(), "no sabotage shows that these can find anything: {blind:?}");
}

#[test]
fn sources_that_are_not_read_again_after_an_abort_are_found() {
    is_found(Sabotage::ForgetToSeek);
}

#[test]
fn an_indefinite_commit_taken_for_an_abort_is_found() {
    is_found(Sabotage::TakeIndefiniteForAborted);
}

#[test]
fn outputs_out_of_order_are_found() {
    is_found(Sabotage::ReverseOutputs);
}

#[test]
fn deleted_rows_of_which_the_changelog_does_not_know_are_found() {
    is_found(Sabotage::DropTombstones);
}

#[test]
fn a_marker_that_names_the_last_record_instead_of_the_next_is_found() {
    is_found(Sabotage::NameLastRecord);
}

#[test]
fn a_stream_time_kept_after_an_abort_is_found() {
    is_found(Sabotage::KeepStreamTimeOnAbort);
}

#[test]
fn rows_of_a_record_at_fault_are_found() {
    is_found(Sabotage::KeepRowsOfPoison);
}

#[test]
fn outputs_of_a_record_at_fault_are_found() {
    is_found(Sabotage::KeepOutputsOfPoison);
}

#[test]
fn a_stop_that_leaves_a_transaction_open_is_found() {
    is_found(Sabotage::LeaveOpenTransaction);
}

#[test]
fn rows_applied_before_the_commit_are_found() {
    is_found(Sabotage::ApplyBeforeCommit);
}

#[test]
fn rows_kept_after_an_abort_are_found() {
    is_found(Sabotage::KeepRowsOnAbort);
}

#[test]
fn a_restore_that_reads_nothing_is_found() {
    is_found(Sabotage::RestoreNothing);
}

#[test]
fn index_rows_that_do_not_follow_are_found() {
    is_found(Sabotage::ForgetIndexes);
}

#[test]
fn an_indefinite_commit_taken_for_a_yes_is_found() {
    is_found(Sabotage::TakeIndefiniteForCommitted);
}

#[test]
fn a_member_that_never_begins_again_is_found() {
    is_found(Sabotage::StayRefused);
}

#[test]
fn stale_state_used_as_it_is_is_found() {
    is_found(Sabotage::UseStaleState);
}

#[test]
fn tasks_kept_over_a_missed_generation_are_found() {
    is_found(Sabotage::KeepTasksOverMissedGeneration);
}

#[test]
fn tasks_kept_though_their_tokens_were_lost_are_found() {
    is_found(Sabotage::KeepLostTokens);
}

#[test]
fn a_committed_offset_that_is_trusted_is_found() {
    is_found(Sabotage::TrustCommittedOffset);
}

#[test]
fn a_committed_offset_that_points_at_the_marker_itself_is_found() {
    is_found(Sabotage::CommitOffsetOfMarker);
}

#[test]
fn a_producer_kept_though_late_copies_may_come_is_found() {
    is_found(Sabotage::KeepSuspectProducer);
}

#[test]
fn a_marker_that_forgets_earlier_outputs_is_found() {
    is_found(Sabotage::ForgetOutputs);
}

#[test]
fn state_wiped_though_it_could_catch_up_is_found() {
    is_found(Sabotage::WipeOnCatchUp);
}

#[test]
fn a_start_that_must_be_refused_is_found() {
    is_found(Sabotage::StartAnyway);
}
