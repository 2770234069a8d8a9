//! Reads that wait until a view has come as far as a token says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{Fixture, task};
use crate::clock::SystemClock;
use crate::codec::{Json, Text};
use crate::metrics::{Metrics, Versions};
use crate::query::{After, InstanceId, Owners, Page, PeerFault, PeerQuestion, Peers, QueryError, Read, Scope, TaskOwner};
use crate::query::{ConsistencyToken, TaskView, ViewRegistry, Views};
use crate::record::{Offset, Position, Record, Timestamp, TopicPartition};
use crate::state::{DatabaseProvider as _, Marker, MemoryDisk, TaskDatabase, TaskPosition};
use crate::topology::{Names, Store, TaskId, TopologyBuilder};

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(20);

fn position(list: &[(&str, i32, i64)]) -> Position {
    Position(list.iter().map(|(topic, partition, next)| (TopicPartition::new(*topic, *partition), Offset(*next))).collect())
}

fn token(views: &Views, list: &[(&str, i32, i64)]) -> ConsistencyToken {
    views.token(&views.token_of(&position(list)).to_string()).unwrap()
}

fn after(token: ConsistencyToken, wait: Duration) -> Read {
    Read { scope: Scope::All, after: Some(After::new(token).at_most(wait)) }
}

/// One that has no commits of its own to wait for.
fn of_fixture(partitions: i32, wait: Duration) -> Fixture {
    let mut fixture = Fixture::new(partitions);
    fixture.views = fixture.new_views().waiting(wait, Peers::default());
    fixture
}

#[tokio::test]
async fn a_read_waits_for_the_commit_that_its_token_names() {
    let fixture = of_fixture(2, LONG);
    let (partition, key) = (fixture.partition_of("kim"), "kim".to_string());
    let read = after(token(&fixture.views, &[("p.events", partition, 120)]), LONG);
    let (views, parcels) = (fixture.views.clone(), fixture.handles.parcels);
    let waiting = tokio::spawn(async move { views.get(parcels, &key, &read).await });
    for next in [110, 119] {
        tokio::time::sleep(Duration::from_millis(5)).await;
        fixture.come_to(partition, next);
        assert!(!waiting.is_finished(), "{next} is not enough");
    }
    fixture.put("kim", 1, 7);
    fixture.come_to(partition, 121);
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!((answer.value.map(|parcel| parcel.at), answer.stale), (Some(7), false));
}

#[tokio::test]
async fn what_is_reached_or_does_not_concern_the_task_is_not_waited_for() {
    let fixture = of_fixture(2, LONG);
    let partition = fixture.partition_of("kim");
    let (own, other) = (100 + i64::from(partition), 1 - partition);
    let read = after(token(&fixture.views, &[("p.events", partition, own), ("p.events", other, 999)]), LONG);
    let began = Instant::now();
    fixture.views.get(fixture.handles.parcels, &"kim".to_string(), &read).await.unwrap();
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn reads_of_all_partitions_wait_for_each() {
    let fixture = of_fixture(2, SHORT);
    let views = &fixture.views;
    let read = || after(token(views, &[("p.events", 0, 105), ("p.events", 1, 105)]), SHORT);
    let lacks = |result: Result<(), QueryError>, partition| {
        let Err(QueryError::NotCaughtUp { partition: named, wanted, .. }) = result else { panic!("{result:?}") };
        assert_eq!((named, wanted), (TopicPartition::new("p.events", partition), Offset(105)));
    };
    lacks(views.page(fixture.handles.by_status, (), &Page::first(5), &read()).await.map(drop), 0);
    fixture.come_to(0, 105);
    lacks(views.page(fixture.handles.by_status, (), &Page::first(5), &read()).await.map(drop), 1);
    lacks(views.rows_each(fixture.handles.sums, 5, &read()).await.map(drop), 1);
    lacks(views.get_each(fixture.handles.sums, &"EUR".to_string(), &read()).await.map(drop), 1);
    lacks(views.item("sums", "EUR", &read()).await.map(drop), 1);
    fixture.come_to(1, 106);
    views.page(fixture.handles.by_status, (), &Page::first(5), &read()).await.unwrap();
    views.rows_each(fixture.handles.sums, 5, &read()).await.unwrap();
}

#[tokio::test]
async fn a_token_ahead_of_all_that_is_known_waits_to_the_bound_and_no_longer() {
    let fixture = of_fixture(1, SHORT);
    let get = async |read: Read| fixture.views.get(fixture.handles.parcels, &"kim".to_string(), &read).await;
    let far = || token(&fixture.views, &[("p.events", 0, i64::MAX)]);
    for after in [After::new(far()), After::new(far()).at_most(LONG), After::new(far()).at_most(Duration::MAX)] {
        let began = Instant::now();
        let error = get(Read { after: Some(after), ..Read::default() }).await.unwrap_err();
        assert!(matches!(error, QueryError::NotCaughtUp { at: Offset(100), .. }), "{error}");
        assert!((SHORT..LONG / 2).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
    let stale = get(Read { after: Some(After::new(far()).or_stale()), ..Read::default() }).await.unwrap();
    assert!(stale.stale);
    assert_eq!(stale.position, position(&[("p.events", 0, 100)]));
}

#[tokio::test]
async fn a_task_that_leaves_while_a_read_waits_ends_the_wait() {
    let fixture = of_fixture(1, LONG);
    let (views, parcels) = (fixture.views.clone(), fixture.handles.parcels);
    let read = after(token(&views, &[("p.events", 0, 200)]), LONG);
    let waiting = tokio::spawn(async move { views.get(parcels, &"kim".to_string(), &read).await });
    tokio::time::sleep(Duration::from_millis(5)).await;
    fixture.registry.withdraw(&task(0));
    assert!(matches!(waiting.await.unwrap().unwrap_err(), QueryError::NotHere { .. }));
}

#[tokio::test]
async fn strange_tokens_are_told_from_each_other() {
    let fixture = of_fixture(2, SHORT);
    let of = |application: &str, list: &[(&str, i32, i64)]| ConsistencyToken::new(application, &position(list)).to_string();
    for (text, expected) in [
        ("x".to_string(), "is not one that this application gave"),
        (of("other", &[("p.events", 0, 1)]), "is not one that this application gave"),
        (of("app", &[("p.others", 0, 1)]), "names the topic p.others, which is not read here"),
        (of("app", &[("p.events", 2, 1)]), "names p.events:2, which is not there"),
    ] {
        let error = fixture.views.token(&text).unwrap_err();
        assert_eq!(error.to_string(), format!("the consistency token {expected}"));
    }
    fixture.views.token(&of("app", &[("p.events", 1, i64::MAX)])).unwrap();
    assert_eq!(fixture.views.token_of(&position(&[("p.outcomes", 0, 1)])).position(), &Position::default(), "no source");
}

#[test]
fn reads_that_wait_can_be_sent_between_threads() {
    fn sendable(_: &impl Send) {}
    let fixture = of_fixture(1, SHORT);
    let read = Read::default();
    sendable(&fixture.views.get(fixture.handles.parcels, &String::new(), &read));
    sendable(&fixture.views.outputs("events_0", &read));
}

/// Two tasks that split lines into words, two that count them; a word's task is elsewhere or here.
struct Words {
    registry: ViewRegistry,
    views: Views,
    counts: Store<String, u64>,
    databases: BTreeMap<TaskId, Arc<TaskDatabase>>,
    asked: Arc<Mutex<Vec<PeerQuestion>>>,
}

fn words_task(subtopology: &str, partition: i32) -> TaskId {
    TaskId { subtopology: subtopology.into(), partition }
}

impl Words {
    /// Those of `elsewhere` run at another instance, which says that its outputs are `answer`.
    fn new(elsewhere: &[i32], answer: Result<Position, PeerFault>) -> Self {
        let mut b = TopologyBuilder::new();
        let lines = b.source::<String, String>("lines", &["lines"], Text, Text);
        let words = b.stream::<String, u64>("words");
        b.each("split", lines, move |w| {
            let _ = w.output(words);
            |_, _: Record<String, String>| Ok(())
        });
        let by_word = b.repartition("by-word", words, Text, Json);
        let counts = b.store::<String, u64>("counts", by_word);
        b.each("count", by_word, move |w| {
            let _ = w.store(counts);
            |_, _: Record<String, u64>| Ok(())
        });
        let registry = ViewRegistry::default();
        let metrics = Metrics::new(Versions { librdkafka: "0", rocksdb: "0" }, Arc::new(SystemClock::default()));
        let away = elsewhere.to_vec();
        let owners = Owners::new(move |task| match &*task.subtopology == "lines" && away.contains(&task.partition) {
            true => TaskOwner::Active { instance: InstanceId("b".into()), url: "http://b:1".into() },
            false => TaskOwner::Unknown,
        });
        let asked: Arc<Mutex<Vec<PeerQuestion>>> = Arc::default();
        let questions = asked.clone();
        let peers = Peers::new(move |question| {
            questions.lock().unwrap().push(question);
            let answer = answer.clone();
            Box::pin(async move { answer })
        });
        let (topology, names, id) = (b.build().unwrap(), Names::new("app", ""), InstanceId("a".into()));
        let views = Views::new(topology, names, registry.clone(), Arc::new(|_| None), owners, id, &metrics).waiting(SHORT, peers);
        let mut words = Words { registry, views, counts, databases: BTreeMap::new(), asked };
        for subtopology in ["lines", "by-word"] {
            words.registry.set_partitions(subtopology.into(), 2);
            let here = (0..2).filter(|partition| subtopology != "lines" || !elsewhere.contains(partition));
            here.for_each(|partition| words.open(words_task(subtopology, partition)));
        }
        words
    }

    fn open(&mut self, task: TaskId) {
        let columns: &[String] = if &*task.subtopology == "lines" { &[] } else { &["counts@1".to_string()] };
        let database = TaskDatabase::new(MemoryDisk::default().open(&task.to_string(), columns).unwrap()).unwrap();
        let database = Arc::new(database);
        self.registry.publish(task.clone(), TaskView::Active(database.clone()));
        self.databases.insert(task, database);
    }

    /// A task has come to `next` of its source; its outputs reach to `outputs` of the repartition topic.
    fn come_to(&self, subtopology: &str, partition: i32, next: i64, outputs: &[(i32, i64)]) {
        let topic = if subtopology == "lines" { "lines" } else { "app-by-word-repartition" };
        let outputs: Vec<_> = outputs.iter().map(|(partition, next)| ("app-by-word-repartition", *partition, *next)).collect();
        let marker = Marker {
            lineage: Uuid::nil(),
            sequence: 1,
            sources: position(&[(topic, partition, next)]).0,
            stream_time: None,
            changelogs: [("counts".to_string(), None)].into(),
            outputs: position(&outputs).0,
        };
        let position = TaskPosition { marker, marker_offset: Offset(0), applied_at: Timestamp(0) };
        self.databases[&words_task(subtopology, partition)].finish_restore(position).unwrap();
        self.registry.note_moved();
    }

    async fn count(&self, word: &str, lines: &[(i32, i64)]) -> Result<(), QueryError> {
        let list: Vec<_> = lines.iter().map(|(partition, next)| ("lines", *partition, *next)).collect();
        self.views.get(self.counts, &word.to_string(), &after(token(&self.views, &list), SHORT)).await.map(drop)
    }
}

/// In partition 0 or 1 of two.
fn word_of(partition: i32) -> String {
    let words = (0..).map(|n| format!("w{n}"));
    words.into_iter().find(|word| crate::record::partition_for(word.as_bytes(), 2) == partition).unwrap()
}

fn lacks(result: Result<(), QueryError>, topic: &str, partition: i32, wanted: i64) {
    let Err(QueryError::NotCaughtUp { partition: named, wanted: found, .. }) = result else { panic!("{result:?}") };
    assert_eq!((named, found), (TopicPartition::new(topic, partition), Offset(wanted)));
}

#[tokio::test]
async fn behind_a_repartition_topic_the_outputs_of_the_task_before_are_waited_for() {
    let words = Words::new(&[], Err(PeerFault::Behind));
    let (zero, one) = (word_of(0), word_of(1));
    words.come_to("lines", 0, 5, &[(0, 30), (1, 40)]);
    words.come_to("lines", 1, 9, &[(1, 50)]);
    lacks(words.count(&zero, &[(0, 6)]).await, "lines", 0, 6);
    words.come_to("lines", 0, 6, &[(0, 31), (1, 40)]);
    lacks(words.count(&zero, &[(0, 6)]).await, "app-by-word-repartition", 0, 31);
    words.come_to("by-word", 0, 31, &[]);
    words.count(&zero, &[(0, 6)]).await.unwrap();
    lacks(words.count(&one, &[(0, 6)]).await, "app-by-word-repartition", 1, 40);
    words.come_to("by-word", 1, 45, &[]);
    words.count(&one, &[(0, 6)]).await.unwrap();
    // Both tasks before it have to do with this token.
    lacks(words.count(&one, &[(0, 6), (1, 9)]).await, "app-by-word-repartition", 1, 50);
    words.come_to("by-word", 1, 50, &[]);
    words.count(&one, &[(0, 6), (1, 9)]).await.unwrap();
    assert!(words.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_the_task_before_dropped_is_not_waited_for_behind_it() {
    let words = Words::new(&[], Err(PeerFault::Behind));
    words.come_to("lines", 0, 6, &[]);
    words.count(&word_of(0), &[(0, 6)]).await.unwrap();
}

#[tokio::test]
async fn a_task_before_that_runs_elsewhere_is_asked_once() {
    let words = Words::new(&[0], Ok(position(&[("app-by-word-repartition", 0, 31)])));
    words.come_to("lines", 1, 9, &[(0, 20)]);
    let zero = word_of(0);
    words.count(&zero, &[(1, 4)]).await.unwrap_err();
    assert!(words.asked.lock().unwrap().is_empty(), "the token has nothing to do with it");
    lacks(words.count(&zero, &[(0, 6)]).await, "app-by-word-repartition", 0, 31);
    let asked = std::mem::take(&mut *words.asked.lock().unwrap());
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((&*asked[0].url, &asked[0].task), ("http://b:1", &words_task("lines", 0)));
    assert_eq!(words.views.token(&asked[0].token).unwrap(), token(&words.views, &[("lines", 0, 6)]));
    assert!(asked[0].wait <= SHORT);
    words.come_to("by-word", 0, 31, &[]);
    words.count(&zero, &[(0, 6)]).await.unwrap();
}

#[tokio::test]
async fn what_an_instance_elsewhere_does_not_say_leaves_no_answer() {
    for (fault, stays_behind) in [(PeerFault::Behind, true), (PeerFault::Failed("refused".into()), false)] {
        let words = Words::new(&[0], Err(fault));
        let error = words.count(&word_of(0), &[(0, 6)]).await.unwrap_err();
        assert_eq!(matches!(error, QueryError::PeerBehind { .. }), stays_behind, "{error}");
        assert_eq!(matches!(error, QueryError::PeerFailed { .. }), !stays_behind, "{error}");
    }
    let words = Words::new(&[], Err(PeerFault::Behind));
    words.registry.withdraw(&words_task("lines", 0));
    assert!(matches!(words.count(&word_of(0), &[(0, 6)]).await, Err(QueryError::NotHere { .. })));
}

#[tokio::test]
async fn outputs_are_told_once_the_task_has_come_so_far() {
    let words = Words::new(&[1], Err(PeerFault::Behind));
    words.come_to("lines", 0, 6, &[(0, 31)]);
    let read = |next| after(token(&words.views, &[("lines", 0, next)]), SHORT);
    let outputs = words.views.outputs("lines_0", &read(6)).await.unwrap();
    assert_eq!(outputs, position(&[("app-by-word-repartition", 0, 31)]));
    assert!(matches!(words.views.outputs("lines_0", &read(7)).await, Err(QueryError::NotCaughtUp { .. })));
    assert!(matches!(words.views.outputs("lines_1", &read(6)).await, Err(QueryError::Elsewhere { .. })));
    for strange in ["lines_2", "lines_-1", "lines_", "lines", "x_0", ""] {
        assert!(matches!(words.views.outputs(strange, &read(6)).await, Err(QueryError::NoTask { .. })), "{strange:?}");
    }
}
