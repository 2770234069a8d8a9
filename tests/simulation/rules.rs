//! What must hold at every moment, and at the end.

use std::collections::BTreeMap;

use super::world::{GROUP, PARTITIONS, World};
use crate::codec;
use crate::query::{TaskView, ViewRegistry};
use crate::record::TopicPartition;
use crate::state::{Column, Direction, KeyRange, Marker};
use crate::testkit::cluster::{Isolation, StoredRecord};
use crate::topology::TaskId;

type Sums = BTreeMap<String, i64>;
type Counts = BTreeMap<String, u64>;

/// What a partition's input says, computed without the engine.
#[derive(Default)]
struct Fold {
    sums: Sums,
    counts: Counts,
    /// The running sums, in order.
    outputs: Vec<(String, i64)>,
}

/// For each partition: the last committed marker, and that changelogs and outputs are exactly what the input before it makes.
pub(super) fn check_log(world: &World) -> Result<(), String> {
    let mut outputs: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for record in world.cluster.read_all("running", partition, Isolation::ReadCommitted) {
            outputs.entry(text(record.key)).or_default().push(number(record.value));
        }
    }
    for partition in 0..PARTITIONS {
        let Some((marker, stable)) = last_marker(world, partition) else { continue };
        if !stable {
            // A commit is reaching its partitions one after the other.
            continue;
        }
        let fold = fold_until(world, partition, &marker);
        let sums: Sums = changelog(world, "sums", partition, &marker, codec::decode_row::<i64>)?;
        let counts: Counts = changelog(world, "counts", partition, &marker, codec::decode_row::<u64>)?;
        same("sums by the changelog", partition, &fold.sums, &sums)?;
        same("counts by the changelog", partition, &fold.counts, &counts)?;
        let mut expected: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        fold.outputs.into_iter().for_each(|(key, sum)| expected.entry(key).or_default().push(sum));
        for (key, expected) in expected {
            let found = outputs.get(&key).cloned().unwrap_or_default();
            same(&format!("outputs of {key}"), partition, &expected, &found)?;
        }
    }
    Ok(())
}

/// What readers see is the fold of the input up to the position that the answer carries.
pub(super) fn check_views(world: &World, process: &str, views: &ViewRegistry) -> Result<(), String> {
    for partition in 0..PARTITIONS {
        let task = TaskId { subtopology: "numbers".into(), partition };
        let Some(TaskView::Active(database)) = views.get(&task) else { continue };
        let snapshot = database.database().snapshot();
        let (mut sums, mut counts) = (Sums::new(), Counts::new());
        let key = |bytes: &[u8]| codec::decode_whole_key::<String>(bytes).expect("keys are text");
        snapshot
            .scan(Column(1), &KeyRange::all(), Direction::Forward, &mut |k, row| {
                sums.insert(key(k), codec::decode_row(row).expect("rows are numbers"));
                true
            })
            .map_err(|e| e.to_string())?;
        snapshot
            .scan(Column(2), &KeyRange::all(), Direction::Forward, &mut |k, row| {
                counts.insert(key(k), codec::decode_row(row).expect("rows are numbers"));
                true
            })
            .map_err(|e| e.to_string())?;
        let fold = database.position().map(|position| fold_until(world, partition, &position.marker)).unwrap_or_default();
        same(&format!("sums that {process} serves"), partition, &fold.sums, &sums)?;
        same(&format!("counts that {process} serves"), partition, &fold.counts, &counts)?;
    }
    Ok(())
}

/// True when every partition's marker stands at the end of its input.
pub(super) fn is_done(world: &World) -> bool {
    let ends = world.cluster.end_offsets("numbers");
    (0..PARTITIONS).all(|partition| {
        let end = ends[partition as usize];
        let next = last_marker(world, partition).and_then(|(marker, _)| marker.sources.values().next().copied());
        next.map_or(end.0 == 0, |next| next == end)
    })
}

/// At the end every input record has counted once, and the committed offset points at the last marker.
pub(super) fn check_end(world: &World, appended: usize) -> Result<(), String> {
    let mut counted = 0;
    for partition in 0..PARTITIONS {
        let Some((marker, _)) = last_marker(world, partition) else { continue };
        counted += fold_until(world, partition, &marker).counts.values().sum::<u64>();
        let token = TopicPartition::new(world.names.task_log(), partition);
        let committed = world.cluster.committed(GROUP, &token);
        let log = markers(world, partition);
        let last = log.last().map(|(record, _)| record.offset.next());
        if committed != last && committed.is_none_or(|committed| Some(committed) > last) {
            return Err(format!("partition {partition}: committed offset {committed:?} points past the last marker {last:?}"));
        }
    }
    same("records counted", -1, &(appended as u64), &counted)
}

fn fold_until(world: &World, partition: i32, marker: &Marker) -> Fold {
    let next = marker.sources.values().next().copied().unwrap_or_default();
    let mut fold = Fold::default();
    for record in world.cluster.read_all("numbers", partition, Isolation::ReadCommitted) {
        if record.offset >= next {
            break;
        }
        let (key, value) = (text(record.key), number(record.value));
        let sum = fold.sums.entry(key.clone()).or_default();
        *sum += value;
        fold.outputs.push((key.clone(), *sum));
        *fold.counts.entry(key).or_default() += 1;
    }
    fold
}

fn changelog<T>(
    world: &World,
    store: &str,
    partition: i32,
    marker: &Marker,
    decode: impl Fn(&[u8]) -> Result<T, codec::CodecError>,
) -> Result<BTreeMap<String, T>, String> {
    let mut rows = BTreeMap::new();
    let last = marker.changelogs.get(store).copied().flatten();
    for record in world.cluster.read_all(&world.names.changelog(store), partition, Isolation::ReadCommitted) {
        if last.is_none_or(|last| record.offset > last) {
            return Err(format!("partition {partition}: changelog {store} has a record at {} after the marker's {last:?}", record.offset));
        }
        let key = codec::decode_whole_key::<String>(&record.key.unwrap_or_default()).map_err(|e| e.to_string())?;
        rows.insert(key, decode(&record.value.unwrap_or_default()).map_err(|e| e.to_string())?);
    }
    Ok(rows)
}

fn markers(world: &World, partition: i32) -> Vec<(StoredRecord, Marker)> {
    let log = world.cluster.read_all(&world.names.task_log(), partition, Isolation::ReadCommitted);
    let marker = |record: StoredRecord| {
        let marker = Marker::decode(record.value.as_deref().unwrap_or_default()).expect("markers can be read");
        (record, marker)
    };
    log.into_iter().map(marker).collect()
}

/// The last committed marker, and whether nothing is open on any topic, so that all logs show the same commits.
fn last_marker(world: &World, partition: i32) -> Option<(Marker, bool)> {
    let marker = markers(world, partition).pop()?.1;
    let topics = [world.names.task_log(), world.names.changelog("sums"), world.names.changelog("counts"), "running".to_string()];
    let stable = topics.iter().all(|topic| world.cluster.bounds(topic).iter().all(|bounds| bounds.stable_end == bounds.end));
    Some((marker, stable))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, partition: i32, expected: &T, found: &T) -> Result<(), String> {
    match expected == found {
        true => Ok(()),
        false => Err(format!("partition {partition}: {what} differ\n  expected {expected:?}\n  found    {found:?}")),
    }
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap_or_default()).expect("keys are text")
}

fn number(bytes: Option<Vec<u8>>) -> i64 {
    text(bytes).parse().expect("values are numbers")
}
