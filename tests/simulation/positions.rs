//! How far tasks say that their outputs are, compared with where those lie.

use std::collections::BTreeMap;

use super::application::{PARTITIONS, Running};
use super::model::Model;
use super::outputs::{grouped, line};
use super::rules::{Judge, Kept, Rule};
use crate::record::{Offset, Position, TopicPartition};
use crate::state::Marker;
use crate::task::POSITION_HEADER;
use crate::testkit::cluster::{Look, StoredRecord};

/// Who wrote a record: the task by its partition, and the producer.
type Writer = (i32, Option<i64>);

/// One partition of a topic whose positions markers keep.
#[derive(Default)]
struct Log {
    read_to: Offset,
    /// With the offset of the input that each record was made of.
    records: BTreeMap<Offset, (Writer, i64)>,
    /// The last record of each task, and its producer.
    last: BTreeMap<i32, (Offset, Option<i64>)>,
}

/// The topics whose positions markers keep.
pub(super) struct Positions {
    logs: BTreeMap<TopicPartition, Log>,
    told_to: Vec<Offset>,
}

impl Positions {
    pub(super) fn new(by_group: &str) -> Self {
        let partitions = |topic: &str| (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)).collect::<Vec<_>>();
        let all = partitions("running").into_iter().chain(partitions(by_group));
        Positions { logs: all.map(|at| (at, Log::default())).collect(), told_to: vec![Offset(0); PARTITIONS as usize] }
    }

    /// What is new, and whether held records tell the truth.
    pub(super) fn read(&mut self, judge: Judge, look: &mut Look<'_>) -> Kept {
        for (at, log) in &mut self.logs {
            let Log { read_to, records, last } = log;
            *read_to = look.read(&at.topic, at.partition, *read_to, |record| {
                let (task, input) = match &*at.topic {
                    "running" => (at.partition, running(record)),
                    _ => (grouped(&line(record)).0, grouped(&line(record)).1),
                };
                records.insert(record.offset, ((task, record.producer_id), input));
                last.insert(task, (record.offset, record.producer_id));
            });
        }
        for partition in 0..PARTITIONS {
            let mut new = Vec::new();
            let told_to = &mut self.told_to[partition as usize];
            // Commits reach their partitions one after the other: what a record tells of may not be readable yet.
            let whole = (0..PARTITIONS).all(|at| look.is_stable("running", at));
            if whole {
                *told_to = look.read("told", partition, *told_to, |record| new.push(record.clone()));
            }
            new.iter().try_for_each(|record| self.check_told(judge, partition, record))?;
        }
        Ok(())
    }

    /// A held record names the end of its task's partition of `running`, behind the records that were made beside it.
    fn check_told(&self, judge: Judge, partition: i32, record: &StoredRecord) -> Kept {
        let position = String::from_utf8_lossy(record.headers.last(POSITION_HEADER).unwrap_or_default()).into_owned();
        let own = TopicPartition::new("running", partition);
        let next = Position::parse(&position).and_then(|position| position.0.get(&own).copied());
        let log = &self.logs[&own];
        let named = next.and_then(|next| log.records.get(&Offset(next.0 - 1)));
        let holds = named.is_some_and(|((_, producer), input)| *producer == record.producer_id && *input >= running(record));
        judge.check(holds, Rule::Positions, || format!("told:{partition} has {record:?}, which tells {position:?}: {named:?}"))
    }

    /// Every output of the records before a marker lies before what it names; and it names a record of who wrote those.
    pub(super) fn check_marker(&self, judge: Judge, model: &Model, marker: &Marker) -> Kept {
        let task = model.task.partition;
        for (at, log) in &self.logs {
            let last = log.last.get(&task);
            let named = marker.outputs.get(at).map(|next| log.records.get(&Offset(next.0 - 1)).map(|((_, by), _)| (*next, *by)));
            let holds = match (last, named) {
                (None, None) => true,
                (Some((last, producer)), Some(Some((next, by)))) => next > *last && by == *producer,
                // How many partitions it has is not known to who only writes it: those of the thread's other tasks are named too, and
                // whether their records can be read yet is not looked at here.
                (None, Some(_)) => &*at.topic == "running",
                _ => false,
            };
            judge.check(holds, Rule::Positions, || format!("{}: {marker:?} tells of {at}; its last record is {last:?}", model.task))?;
        }
        let known = marker.outputs.keys().all(|at| self.logs.contains_key(at));
        judge.check(known, Rule::Positions, || format!("{}: {marker:?} tells of topics that it does not write", model.task))
    }
}

/// The offset of the input.
fn running(record: &StoredRecord) -> i64 {
    let (offset, _, _): Running = serde_json::from_str(&line(record).1).expect("outputs are written by a processor");
    offset
}
