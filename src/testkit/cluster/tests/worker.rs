//! A worker of the small engine: running sums of what each input partition holds, by the rules of the task log and of ownership.
//!
//! It has as little code as possible, so that a violation points at the cluster or at the rule that it breaks on purpose.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::ports::{ChangelogReader, DataConsumer, Fetched, Generation, InputMessage, PortError, PortErrorClass};

pub(super) const IN: &str = "in";

/// Calls that may answer `Retriable` before the worker gives up.
const ATTEMPTS: u32 = 12;

/// Which rule a worker breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    Nothing,
    /// Commits with the metadata of the moment.
    CapturedGeneration,
    /// Goes on with a producer that lost a connection.
    ReplacedProducer,
    /// Takes the marker at the committed offset, though a later one may be the truth.
    LastMarker,
    /// Takes the end of the stable log for the end, though it lies below the committed offset for an instant after a commit.
    AwaitedPosition,
    /// Keeps its tasks when the member id changed or a generation was missed.
    ReopenedTasks,
}

/// What a marker says: the next input offset and the state.
#[derive(Clone, Copy, Debug, Default)]
struct Marker {
    next: i64,
    sum: i64,
}

impl Marker {
    fn parse(value: &[u8]) -> Marker {
        let text = std::str::from_utf8(value).expect("our own text");
        let (next, sum) = text.split_once(' ').expect("two numbers");
        Marker { next: next.parse().expect("a number"), sum: sum.parse().expect("a number") }
    }
}

enum Task {
    /// Its committed offset is to be read.
    New,
    /// Its markers are read from before the committed offset to the end, which is not below it.
    Reading(Marker, Offset),
    Active(Marker),
}

/// Where the commit cycle stands; the markers are those that the open transaction will make true.
enum Cycle {
    Idle,
    Outputs(BTreeMap<i32, Marker>),
    Markers(BTreeMap<i32, Marker>),
    Offsets(BTreeMap<i32, Marker>, Vec<(TopicPartition, Offset)>),
    Commit(BTreeMap<i32, Marker>),
    Abort,
    Replace,
}

pub(super) struct Worker {
    breaks: Breaks,
    membership: FakeMembership,
    producer: FakeProducer,
    consumer: FakeDataConsumer,
    reader: FakeChangelogReader,
    tasks: BTreeMap<i32, Task>,
    generation: Option<Generation>,
    cycle: Cycle,
    attempts: u32,
}

impl Worker {
    pub(super) fn start(cluster: &FakeCluster, n: usize, life: u32, breaks: Breaks) -> Worker {
        let name = format!("w{n}");
        let config = if n == 0 { MemberConfig::dynamic(name) } else { MemberConfig::fixed(name, format!("i{n}")) };
        cluster.note(&format!("w{n} starts its life {life}"));
        Worker {
            breaks,
            membership: cluster.membership(GROUP, config, TASKS),
            producer: cluster.producer(&format!("p{n}")),
            consumer: cluster.data_consumer(),
            reader: cluster.changelog_reader(GROUP),
            tasks: BTreeMap::new(),
            generation: None,
            cycle: Cycle::Replace,
            attempts: 0,
        }
    }

    /// One step; false when the process must end.
    pub(super) fn step(&mut self, rng: &mut fastrand::Rng) -> bool {
        let result = match std::mem::replace(&mut self.cycle, Cycle::Idle) {
            Cycle::Idle => self.idle(rng),
            Cycle::Outputs(made) => match self.producer.flush(NOW) {
                Ok(_) => self.send_markers(made),
                Err(error) => self.retry(error, Cycle::Outputs(made), Cycle::Abort),
            },
            Cycle::Markers(made) => match self.producer.flush(NOW) {
                Ok(delivered) => {
                    let offsets = made.keys().map(|token_of| (token(*token_of), delivered[&token(*token_of)].next())).collect();
                    self.cycle = Cycle::Offsets(made, offsets);
                    Ok(())
                }
                Err(error) => self.retry(error, Cycle::Markers(made), Cycle::Abort),
            },
            Cycle::Offsets(made, offsets) => self.send_offsets(made, offsets),
            Cycle::Commit(made) => match self.producer.commit(NOW) {
                Ok(()) => {
                    self.tasks.extend(made.into_iter().map(|(token, marker)| (token, Task::Active(marker))));
                    Ok(())
                }
                Err(error) => self.retry(error, Cycle::Commit(made), Cycle::Replace),
            },
            Cycle::Abort => {
                self.producer.abort(NOW).map(|()| self.reopen()).or_else(|error| self.retry(error, Cycle::Abort, Cycle::Replace))
            }
            Cycle::Replace => match self.producer.replace(NOW) {
                Ok(()) => {
                    self.reopen();
                    Ok(())
                }
                Err(error) => self.retry(error, Cycle::Replace, Cycle::Replace),
            },
        };
        if matches!(self.cycle, Cycle::Idle) {
            self.attempts = 0;
        }
        result.is_ok()
    }

    /// What follows from an error: the same again, the way out when that takes too long, or what its class says.
    fn retry(&mut self, error: PortError, again: Cycle, give_up: Cycle) -> Result<(), PortError> {
        self.attempts += 1;
        self.cycle = match error.class {
            PortErrorClass::Retriable if self.attempts < ATTEMPTS => again,
            PortErrorClass::Retriable => give_up,
            // Whether the process was replaced, only the group's own poll tells.
            PortErrorClass::RequiresAbort | PortErrorClass::StaleGeneration | PortErrorClass::FencedInstance => Cycle::Abort,
            _ => Cycle::Replace,
        };
        if !matches!((&self.cycle, error.class), (_, PortErrorClass::Retriable)) {
            self.attempts = 0;
        }
        Ok(())
    }

    /// All tasks read their markers again.
    fn reopen(&mut self) {
        let tokens: Vec<i32> = self.tasks.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.open(token));
    }

    fn open(&mut self, of: i32) {
        self.close(of);
        self.tasks.insert(of, Task::New);
    }

    fn close(&mut self, of: i32) {
        self.tasks.remove(&of);
        self.reader.close(&token(of));
        self.consumer.unassign(&[input(of)]).expect("whole");
    }

    /// Between transactions: serve the group, bring tasks up, begin the next transaction.
    fn idle(&mut self, rng: &mut fastrand::Rng) -> Result<(), PortError> {
        for event in self.membership.poll(NOW)? {
            match event {
                MembershipEvent::Assigned { tokens, generation } => self.assigned(&tokens, generation),
                MembershipEvent::Revoked { tokens } | MembershipEvent::Lost { tokens } => tokens.into_iter().for_each(|t| self.close(t)),
            }
        }
        if self.producer.connection_lost() && self.breaks != Breaks::ReplacedProducer {
            self.cycle = Cycle::Replace;
            return Ok(());
        }
        let tokens: Vec<i32> = self.tasks.keys().copied().collect();
        for of in &tokens {
            if let Err(error) = self.bring_up(*of) {
                assert!(error.is_retriable(), "{error}");
            }
        }
        let mut made = BTreeMap::new();
        for of in tokens {
            if let Some(Task::Active(marker)) = self.tasks.get(&of) {
                let mut entries = VecDeque::new();
                self.consumer.fetch(&input(of), 1 + rng.usize(0..4), &mut entries)?;
                let moved = self.process(of, *marker, entries)?;
                made.extend(moved.map(|marker| (of, marker)));
            }
        }
        if !made.is_empty() && matches!(self.cycle, Cycle::Idle) {
            self.cycle = Cycle::Outputs(made);
        }
        Ok(())
    }

    fn assigned(&mut self, tokens: &[i32], generation: Generation) {
        let missed = self
            .generation
            .as_ref()
            .is_some_and(|before| before.member_id != generation.member_id || generation.generation_id > before.generation_id + 1);
        self.generation = Some(generation);
        tokens.iter().for_each(|token| self.open(*token));
        if missed && self.breaks != Breaks::ReopenedTasks {
            self.reopen();
        }
    }

    /// Reads the marker from the committed offset − 1 to the end, then assigns the input.
    fn bring_up(&mut self, of: i32) -> Result<(), PortError> {
        match self.tasks.get(&of) {
            Some(Task::New) => {
                let committed = self.reader.committed(&token(of))?;
                self.reader.open(&token(of), Offset(committed.map_or(0, |offset| offset.0 - 1)))?;
                self.tasks.insert(of, Task::Reading(Marker::default(), committed.unwrap_or_default()));
            }
            Some(Task::Reading(found, committed)) => {
                let (mut found, committed) = (*found, *committed);
                let chunk = self.reader.read(&token(of), NOW)?;
                let markers: Vec<Marker> = chunk.records.iter().filter_map(|record| record.value.as_deref()).map(Marker::parse).collect();
                let first_only = self.breaks == Breaks::LastMarker && found.next == 0;
                found = (if first_only { markers.first() } else { markers.last() }).copied().unwrap_or(found);
                let reached = chunk.position >= committed || self.breaks == Breaks::AwaitedPosition;
                let task = if chunk.at_end && reached {
                    self.reader.close(&token(of));
                    self.consumer.assign(&[(input(of), Offset(found.next))])?;
                    Task::Active(found)
                } else {
                    Task::Reading(found, committed)
                };
                self.tasks.insert(of, task);
            }
            Some(Task::Active(_)) | None => {}
        }
        Ok(())
    }

    fn process(&mut self, of: i32, from: Marker, entries: VecDeque<Fetched<FakeMessage>>) -> Result<Option<Marker>, PortError> {
        let mut marker = from;
        for entry in entries {
            let Fetched::Message(message) = entry else { continue };
            marker.next = message.offset().0 + 1;
            marker.sum += std::str::from_utf8(message.value().expect("no tombstones")).expect("text").parse::<i64>().expect("a number");
            if let Err(error) = self.emit(OUT, of, &marker.sum.to_string()) {
                self.retry(error, Cycle::Abort, Cycle::Abort)?;
                return Ok(None);
            }
        }
        Ok((marker.next > from.next).then_some(marker))
    }

    fn emit(&mut self, topic: &str, partition: i32, value: &str) -> Result<(), PortError> {
        // A transaction begins with its first write.
        match self.producer.begin() {
            Err(error) if error.class == PortErrorClass::FencedProducer => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.producer.send(&OutputRecord { topic, partition: Some(partition), ..output("k", value) })
    }

    fn send_markers(&mut self, made: BTreeMap<i32, Marker>) -> Result<(), PortError> {
        for (of, Marker { next, sum }) in &made {
            if let Err(error) = self.emit(TASKS, *of, &format!("{next} {sum}")) {
                return self.retry(error, Cycle::Abort, Cycle::Abort);
            }
        }
        self.cycle = Cycle::Markers(made);
        Ok(())
    }

    fn send_offsets(&mut self, made: BTreeMap<i32, Marker>, offsets: Vec<(TopicPartition, Offset)>) -> Result<(), PortError> {
        let generation = match &self.generation {
            Some(captured) if self.breaks != Breaks::CapturedGeneration => captured.clone(),
            _ => self.membership.fresh_metadata(),
        };
        match self.producer.send_offsets(&offsets, &generation, NOW) {
            Ok(()) => {
                self.cycle = Cycle::Commit(made);
                Ok(())
            }
            Err(error) => self.retry(error, Cycle::Offsets(made, offsets), Cycle::Replace),
        }
    }
}

fn input(partition: i32) -> TopicPartition {
    TopicPartition::new(IN, partition)
}
