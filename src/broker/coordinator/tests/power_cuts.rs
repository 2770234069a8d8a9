//! A power cut takes what was not brought to disk, from any file: what was answered is there, and nothing is half there.

use super::*;

/// Bytes of a marker in a log.
const MARKER: u64 = 78;

/// Cuts the last bytes off the only partition's log that has any.
fn cut_log(place: &Place, bytes: u64) {
    let logs = place.files(".log");
    let written: Vec<&PathBuf> = logs.iter().filter(|log| fs::metadata(log).expect("is there").len() > 0).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    let file = fs::OpenOptions::new().write(true).open(written[0]).expect("opens");
    let length = file.metadata().expect("is there").len();
    file.set_len(length - bytes).expect("is cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_that_did_not_reach_the_disk_is_written_again() {
    for (outcome, aborted) in [(Outcome::Commit, 0), (Outcome::Abort, 1)] {
        let bench = Bench::new();
        let producer = bench.open("a").await;
        bench.end("a", producer, outcome).await.expect("ended");
        let next = bench.killed_and(|place| cut_log(place, MARKER));
        assert!(next.is_stable(0), "{outcome:?}");
        assert_eq!((next.log(0).progress().high_watermark, next.aborted(0)), (2, aborted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_marker_of_the_transaction_before_is_written_again_too() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    bench.add("a", producer, 1).await.expect("added");
    bench.end("a", producer, Outcome::Abort).await.expect("aborted");
    // Partition 1 has a marker alone.
    let next = bench.killed_and(|place| {
        for log in place.files(".log") {
            let file = fs::OpenOptions::new().write(true).open(log).expect("opens");
            let length = file.metadata().expect("is there").len();
            file.set_len(length.saturating_sub(MARKER)).expect("is cut");
        }
    });
    assert!(next.is_stable(0));
    assert_eq!((next.aborted(0), next.offset()), (0, Some(7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_records_did_not_reach_the_disk_was_not_answered_and_is_aborted_whole() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.only_decide("a", producer, Outcome::Commit);
    let next = bench.killed_and(|place| cut_log(place, 1));
    assert_eq!((next.state("a"), next.offset(), next.is_stable(0)), (State::CompleteAbort, None, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_that_the_journal_lost_is_aborted() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    let next = bench.killed_and(|place| {
        for journal in place.files(".journal") {
            fs::remove_file(journal).expect("is removed");
        }
    });
    assert!(next.is_stable(0), "it would hold up readers for ever");
    assert_eq!(next.aborted(0), 1);
    assert_eq!(next.end("a", producer, Outcome::Commit).await, Err(ErrorCode::InvalidProducerIdMapping));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offset_that_names_records_a_power_cut_took_goes_back_to_where_the_next_ones_come() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    assert_eq!(bench.killed().offset(), Some(7), "a kill takes nothing");
    let next = bench.powerless_and(|place| cut_log(place, MARKER));
    assert_eq!(next.offset(), Some(1), "before the marker is written again");
    assert_eq!(next.killed().offset(), Some(1));

    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.only_decide("a", producer, Outcome::Commit);
    let next = bench.powerless_and(|_| {});
    assert_eq!((next.state("a"), next.offset()), (State::CompleteCommit, Some(1)), "an offset that waited for its transaction too");
    assert_eq!(next.killed().offset(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_outlives_the_machine_is_fenced_because_what_it_was_told_of_may_be_gone() {
    for last in [Outcome::Commit, Outcome::Abort] {
        let bench = Bench::new();
        let producer = bench.open("a").await;
        bench.end("a", producer, last).await.expect("ended");
        let opened = bench.open("open").await;
        let next = bench.powerless_and(|_| {});
        assert_eq!(next.end("a", producer, last).await, Err(ErrorCode::ProducerFenced), "{last:?} of a transaction that is gone");
        assert_eq!(next.add("a", producer, 0).await, Err(ErrorCode::ProducerFenced));
        assert_eq!(next.coordinator.init_producer("a", MINUTE, Some(producer)).await, Err(ErrorCode::ProducerFenced));
        assert_eq!((next.state("open"), next.is_stable(0)), (State::CompleteAbort, true));
        assert_eq!(next.end("open", opened, Outcome::Commit).await, Err(ErrorCode::ProducerFenced));
        // The next one goes on, also over a mere kill.
        let fresh = next.init("a").await;
        next.add("a", fresh, 0).await.expect("added");
        let again = next.killed();
        assert_eq!(again.send(fresh, 0, 0).map(|_| ()).map_err(|error| error.to_string()), Ok(()));
        assert_eq!(again.end("a", fresh, Outcome::Commit).await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_which_the_journal_lost_a_part_is_aborted_whole() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.log(1).begin_transaction(producer.id, producer.epoch);
    bench.send(producer, 1, 0).expect("appended");
    let next = bench.killed();
    assert_eq!((next.state("a"), next.aborted(0), next.aborted(1)), (State::CompleteAbort, 1, 1));
    assert_eq!(next.end("a", producer, Outcome::Commit).await, Err(ErrorCode::ProducerFenced));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_cut_at_any_byte_is_a_former_state_and_nobody_is_left_waiting() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    let whole = fs::metadata(&bench.place.files(".journal")[0]).expect("is there").len();
    for cut in (1..whole).step_by(37) {
        let next = bench.killed_and(|place| {
            let file = fs::OpenOptions::new().write(true).open(&place.files(".journal")[0]).expect("opens");
            file.set_len(whole - cut).expect("is cut");
        });
        assert!(next.is_stable(0), "{cut} bytes less");
        assert!(next.offset().is_none_or(|offset| offset == 7));
    }
}
