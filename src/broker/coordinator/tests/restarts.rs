//! A kill at any moment: what was answered is there, what was begun is finished.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_commit_is_there() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    let next = bench.killed();
    assert!(next.is_stable(0));
    assert_eq!((next.offset(), next.aborted(0), next.state("a")), (Some(7), 0, State::CompleteCommit));
    assert_eq!(next.end("a", producer, Outcome::Commit).await, Ok(()), "to one that did not hear the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_end_is_finished_by_the_next_process() {
    for (outcome, state, offset, aborted) in
        [(Outcome::Commit, State::CompleteCommit, Some(7), 0), (Outcome::Abort, State::CompleteAbort, None, 1)]
    {
        let bench = Bench::new();
        let producer = bench.open("a").await;
        bench.only_decide("a", producer, outcome);
        let next = bench.killed();
        assert!(next.is_stable(0));
        assert_eq!((next.offset(), next.aborted(0), next.state("a")), (offset, aborted, state));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_written_twice_change_nothing() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.only_decide("a", producer, Outcome::Abort);
    // Killed after the markers, before that was journaled.
    let transaction = bench.coordinator.describe_transaction("a").expect("is known").transaction;
    bench.coordinator.write_markers("a", &transaction, Outcome::Abort).expect("are written");
    let next = bench.killed();
    assert!(next.is_stable(0));
    assert_eq!((next.aborted(0), next.state("a")), (1, State::CompleteAbort));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_goes_on() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.add("a", producer, 1).await.expect("added, and nothing written yet");
    let next = bench.killed();
    assert_eq!((next.state("a"), next.is_stable(0), next.offset()), (State::Ongoing, false, None));
    next.send(producer, 0, 1).expect("the transaction is open in the log");
    next.send(producer, 1, 0).expect("and where nothing was written before");
    assert_eq!(next.end("a", producer, Outcome::Commit).await, Ok(()));
    assert!(next.is_stable(0) && next.is_stable(1));
    assert_eq!(next.offset(), Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_producer_stays_fenced() {
    let bench = Bench::new();
    let former = bench.init("a").await;
    let new = bench.init("a").await;
    let next = bench.killed();
    assert_eq!(next.add("a", former, 0).await, Err(ErrorCode::ProducerFenced));
    assert_eq!(next.add("a", new, 0).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_a_topic_that_is_gone_do_not_wait_for_the_next_of_its_name() {
    let bench = Bench::new();
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    let _open = bench.open("b").await;
    // Killed before the coordinator heard of it.
    bench.logs.delete_topic("orders").expect("is deleted");
    let next = bench.killed();
    assert!(next.coordinator.fetch_offsets("g", None, false).is_empty());
    next.logs.create_topic("orders", 1, BTreeMap::new()).expect("is made");
    assert_eq!(next.killed().offset(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_producer_id_is_given_out_twice() {
    let bench = Bench::new();
    let before = bench.coordinator.new_producer().await.expect("a producer");
    let after = bench.killed().coordinator.new_producer().await.expect("a producer");
    assert!(after.id > before.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_stays_bounded_and_tells_the_same() {
    let bench = Bench::with(CoordinatorSettings { journal_bytes: 20_000, ..CoordinatorSettings::default() });
    let producer = bench.open("a").await;
    bench.end("a", producer, Outcome::Commit).await.expect("committed");
    let open = bench.open("open").await;
    for offset in 0..2000 {
        assert_eq!(bench.coordinator.commit_offsets(&Commit { group: "h".to_owned(), ..commit(offset) }).await, Ok(vec![ErrorCode::None]));
        if offset % 100 == 0 {
            bench.coordinator.tend_journal().await;
        }
    }
    let files = bench.place.files(".journal");
    assert_eq!(files.len(), 1);
    assert!(fs::metadata(&files[0]).expect("is there").len() < 40_000);
    let next = bench.killed();
    let offsets = next.coordinator.fetch_offsets("h", None, true);
    assert_eq!(offsets[0].offset.as_ref().map(|committed| committed.offset), Some(1999));
    assert_eq!((next.state("a"), next.state("open")), (State::CompleteCommit, State::Ongoing));
    assert_eq!(next.end("open", open, Outcome::Commit).await, Ok(()));
    assert_eq!(next.offset(), Some(7));
}
