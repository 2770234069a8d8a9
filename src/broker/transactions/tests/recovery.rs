//! What the next process finds.

use super::*;

struct Ends(HashMap<TopicPartition, i64>);

impl LogEnds for Ends {
    fn end_of(&self, partition: &TopicPartition) -> Option<i64> {
        self.0.get(partition).copied()
    }
}

fn ends(of: &[(i32, i64)]) -> Ends {
    Ends(of.iter().map(|(partition, end)| (orders(*partition), *end)).collect())
}

fn marker(partition: i32, offset: i64, producer: Producer, outcome: Outcome) -> OwedMarker {
    OwedMarker { partition: orders(partition), offset, producer, outcome }
}

#[test]
fn an_end_that_was_decided_is_found_unfinished() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    let next = scene.restarted();
    let (id, transaction) = next.unfinished().next().expect("one");
    assert_eq!((id, transaction.state, &transaction.partitions), ("a", State::PrepareCommit, &[orders(0)].into()));
}

#[test]
fn an_open_transaction_is_open_again() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    let next = scene.restarted();
    assert_eq!(next.open().map(|(id, _)| id).collect::<Vec<_>>(), ["a"]);
    assert!(next.knows_open(producer.id, &orders(0)));
    assert!(!next.knows_open(producer.id, &orders(1)));
    assert!(!next.knows_open(producer.id + 1, &orders(0)));
}

#[test]
fn a_commit_whose_records_are_not_all_on_disk_becomes_an_abort() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    let mut next = scene.restarted();
    assert_eq!(next.abort_uncovered(&mut scene.journal, scene.now, &ends(&[(0, 99)])), Ok(vec!["a".to_owned()]));
    assert_eq!(next.get("a").expect("there").state, State::PrepareAbort);
    assert_eq!(scene.restarted().get("a").expect("there").state, State::PrepareAbort);
}

#[test]
fn a_commit_whose_records_are_there_or_whose_topic_is_deleted_stays_one() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    for logs in [ends(&[(0, 100)]), ends(&[(0, 101)]), ends(&[])] {
        let mut next = scene.restarted();
        assert_eq!(next.abort_uncovered(&mut scene.journal, scene.now, &logs), Ok(vec![]));
        assert_eq!(next.get("a").expect("there").state, State::PrepareCommit);
    }
}

#[test]
fn markers_that_a_power_cut_took_are_owed() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    scene.end("a", producer, Outcome::Commit).expect("prepared");
    let written = marker(0, 100, producer, Outcome::Commit);
    scene.transactions.completed(&mut scene.journal, scene.now, "a", vec![written.clone()], &[(orders(0), 100)]).expect("journaled");
    let next = scene.restarted();
    assert_eq!(next.lost_markers(&ends(&[(0, 100)])), [written]);
    assert!(next.lost_markers(&ends(&[(0, 101)])).is_empty(), "it is there");
    assert!(next.lost_markers(&ends(&[])).is_empty(), "the topic is deleted");
}

#[test]
fn markers_known_to_be_on_disk_are_not_owed_any_more() {
    let mut scene = Scene::new();
    let producer = scene.open("a");
    for offset in [100, 200, 300] {
        scene.add("a", producer, 0).expect("added");
        scene.end("a", producer, Outcome::Commit).expect("prepared");
        let written = vec![marker(0, offset, producer, Outcome::Commit)];
        scene.transactions.completed(&mut scene.journal, scene.now, "a", written, &[(orders(0), offset)]).expect("journaled");
        assert_eq!(scene.transactions.owed().len(), 1, "the flush before a commit covers the marker before it");
    }
    let owed = scene.transactions.owed();
    scene.transactions.on_disk(&owed);
    assert!(scene.transactions.owed().is_empty());
}

#[test]
fn a_snapshot_leads_to_the_same_state() {
    let mut scene = Scene::new();
    let producer = scene.open("open");
    scene.add_group("open", producer, "g").expect("added");
    let ended = scene.open("ended");
    scene.end("ended", ended, Outcome::Commit).expect("prepared");
    scene
        .transactions
        .completed(&mut scene.journal, scene.now, "ended", vec![marker(0, 5, ended, Outcome::Commit)], &[])
        .expect("journaled");
    let prepared = scene.open("prepared");
    scene.end("prepared", prepared, Outcome::Abort).expect("prepared");
    let snapshot = Scene { journal: Remembered { records: scene.transactions.snapshot(), refuses: false }, ..Scene::new() };
    let again = snapshot.restarted();
    for id in ["open", "ended", "prepared"] {
        assert_eq!(again.get(id), scene.transactions.get(id), "{id}");
    }
}
