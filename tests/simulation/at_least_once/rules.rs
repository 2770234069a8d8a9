//! What must hold between any two steps, computed from the input alone.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{GROUP, PARTITIONS, World};
use crate::codec;
use crate::query::{TaskView, ViewRegistry};
use crate::record::{Offset, TopicPartition};
use crate::state::{Column, DatabaseProvider as _, Direction, KeyRange, Marker, MemoryDisk, TaskDatabase};
use crate::testkit::cluster::{Isolation, StoredRecord};
use crate::topology::TaskId;

/// What a partition's input makes: how many records of each key, and the last that is kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct State {
    counts: BTreeMap<String, u64>,
    last: BTreeMap<String, i64>,
}

/// A record with such a number deletes the row of its key.
pub(super) fn deletes(number: i64) -> bool {
    number % 5 == 0
}

/// For each partition: what a restore up to the last marker makes, and that the outputs of all before it are there.
pub(super) fn check_logs(world: &World) -> Result<(), String> {
    let outputs = ["seen", "told"].map(|topic| {
        let records = (0..PARTITIONS).flat_map(|partition| world.cluster.read_all(topic, partition, Isolation::ReadCommitted));
        records.map(|record| number(record.value)).collect::<BTreeSet<_>>()
    });
    for partition in 0..PARTITIONS {
        let Some(marker) = last_marker(world, partition) else { continue };
        if !is_stable(world) {
            // Under transactions a commit reaches its partitions one after the other.
            return Ok(());
        }
        let input = world.cluster.read_all("numbers", partition, Isolation::ReadCommitted);
        let lost = input.iter().filter(|record| record.offset < next(&marker)).find(|record| {
            let number = number(record.value.clone());
            !outputs.iter().all(|topic| topic.contains(&number))
        });
        if let Some(lost) = lost {
            return Err(format!("partition {partition}: the marker is past {} whose output is nowhere", lost.offset));
        }
        let state = State {
            counts: changelog(world, "counts", partition, &marker, codec::decode_row::<u64>)?,
            last: changelog(world, "last", partition, &marker, codec::decode_row::<i64>)?,
        };
        compare(world, &format!("partition {partition}, what a restore makes"), &fold(&input, &marker), &state)?;
    }
    Ok(())
}

/// What readers see is the state at the position that the answer carries.
pub(super) fn check_views(world: &World, process: &str, views: &ViewRegistry) -> Result<(), String> {
    for partition in 0..PARTITIONS {
        let task = TaskId { subtopology: "numbers".into(), partition };
        let Some(TaskView::Active(database)) = views.get(&task) else { continue };
        let Some(position) = database.position() else { continue };
        let state = State {
            counts: rows(&database, Column(1), codec::decode_row::<u64>)?,
            last: rows(&database, Column(2), codec::decode_row::<i64>)?,
        };
        let input = world.cluster.read_all("numbers", partition, Isolation::ReadCommitted);
        compare(world, &format!("partition {partition}, what {process} serves"), &fold(&input, &position.marker), &state)?;
    }
    Ok(())
}

/// The group never believes a task to be further than some disk has it.
pub(super) fn check_offsets<'a>(world: &World, disks: impl Iterator<Item = &'a MemoryDisk> + Clone) -> Result<(), String> {
    for partition in 0..PARTITIONS {
        let token = TopicPartition::new(world.names.task_log(), partition);
        let Some(committed) = world.cluster.committed(GROUP, &token) else { continue };
        let task = TaskId { subtopology: "numbers".into(), partition }.to_string();
        let position = |disk: &MemoryDisk| {
            let database = TaskDatabase::new(disk.open(&task, &[]).ok()?).ok()?;
            database.position().map(|position| position.marker_offset.next())
        };
        let furthest = disks.clone().filter_map(position).max();
        if furthest.is_none_or(|furthest| furthest < committed) {
            return Err(format!("partition {partition}: the group's offset is {committed}, the furthest disk is at {furthest:?}"));
        }
    }
    Ok(())
}

/// True when every partition's marker stands at the end of its input.
pub(super) fn is_done(world: &World) -> bool {
    let ends = world.cluster.end_offsets("numbers");
    (0..PARTITIONS).all(|partition| {
        let end = ends[partition as usize];
        last_marker(world, partition).map_or(end.0 == 0, |marker| next(&marker) == end)
    })
}

/// Whether no changelog has rows behind the marker. Kafka compacts nothing that it wrote of late; the fake one would.
pub(super) fn may_compact(world: &World) -> bool {
    (0..PARTITIONS).all(|partition| {
        let marker = last_marker(world, partition);
        ["counts", "last"].iter().all(|store| {
            let end = world.cluster.end_offsets(&world.names.changelog(store))[partition as usize];
            let named = marker.as_ref().and_then(|marker| marker.changelogs.get(*store).copied().flatten());
            named.map_or(Offset(0), Offset::next) >= end
        })
    })
}

/// Equal, or where it may be so, at least as much.
fn compare(world: &World, what: &str, expected: &State, found: &State) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let is_more = expected.counts.iter().all(|(key, count)| found.counts.get(key).is_some_and(|found| found >= count));
    if !world.is_exact() && is_more {
        world.counted_twice.set(world.counted_twice.get() + 1);
        return Ok(());
    }
    Err(format!("{what} differs\n  expected {expected:?}\n  found    {found:?}"))
}

fn fold(input: &[StoredRecord], marker: &Marker) -> State {
    let mut state = State::default();
    for record in input.iter().filter(|record| record.offset < next(marker)) {
        let (key, number) = (text(record.key.clone()), number(record.value.clone()));
        *state.counts.entry(key.clone()).or_default() += 1;
        match deletes(number) {
            true => _ = state.last.remove(&key),
            false => _ = state.last.insert(key, number),
        }
    }
    state
}

fn next(marker: &Marker) -> Offset {
    marker.sources.values().next().copied().unwrap_or_default()
}

fn changelog<T>(
    world: &World,
    store: &str,
    partition: i32,
    marker: &Marker,
    decode: impl Fn(&[u8]) -> Result<T, codec::CodecError>,
) -> Result<BTreeMap<String, T>, String> {
    let mut rows = BTreeMap::new();
    let last = marker.changelogs.get(store).copied().flatten().unwrap_or(Offset(-1));
    let log = world.cluster.read_all(&world.names.changelog(store), partition, Isolation::ReadCommitted);
    for record in log.into_iter().filter(|record| record.offset <= last) {
        let key = key(&record.key.unwrap_or_default());
        match record.value {
            Some(row) => _ = rows.insert(key, decode(&row).map_err(|e| e.to_string())?),
            None => _ = rows.remove(&key),
        }
    }
    Ok(rows)
}

fn rows<T>(
    database: &TaskDatabase,
    column: Column,
    decode: impl Fn(&[u8]) -> Result<T, codec::CodecError>,
) -> Result<BTreeMap<String, T>, String> {
    let mut rows = BTreeMap::new();
    let mut visit = |bytes: &[u8], row: &[u8]| {
        rows.insert(key(bytes), decode(row).expect("rows are numbers"));
        true
    };
    database.database().snapshot().scan(column, &KeyRange::all(), Direction::Forward, &mut visit).map_err(|e| e.to_string())?;
    Ok(rows)
}

fn last_marker(world: &World, partition: i32) -> Option<Marker> {
    let log = world.cluster.read_all(&world.names.task_log(), partition, Isolation::ReadCommitted);
    log.last().map(|record| Marker::decode(record.value.as_deref().unwrap_or_default()).expect("markers can be read"))
}

/// Nothing is open on any topic, so that all logs show the same commits.
fn is_stable(world: &World) -> bool {
    let outputs = ["seen", "told"].map(String::from);
    let mut topics = [world.names.task_log(), world.names.changelog("counts"), world.names.changelog("last")].into_iter().chain(outputs);
    topics.all(|topic| world.cluster.bounds(&topic).iter().all(|bounds| bounds.stable_end == bounds.end))
}

fn key(bytes: &[u8]) -> String {
    codec::decode_whole_key::<String>(bytes).expect("keys are text")
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap_or_default()).expect("keys are text")
}

fn number(bytes: Option<Vec<u8>>) -> i64 {
    text(bytes).parse().expect("values are numbers")
}
