//! Output topics, followed from step to step: what stands in them is what the input makes, once and in order.

use super::application::{Grouped, PARTITIONS, Running, by_group};
use super::logs::{TaskHistory, next_of};
use super::model::{Line, Model, data_topics, text};
use super::positions::Positions;
use super::rules::{Judge, Kept, Rule};
use crate::record::Offset;
use crate::testkit::cluster::{Look, StoredRecord};
use crate::topology::Names;

/// Reads one partition of an output topic.
#[derive(Default)]
struct Tail {
    read_to: Offset,
    /// How many records came from each task.
    seen: [usize; PARTITIONS as usize],
}

/// What the tasks of the first sub-topology wrote.
pub(super) struct Outputs {
    topics: [String; 5],
    by_group: String,
    running: Vec<Tail>,
    /// What is held until the commit: the same records.
    told: Vec<Tail>,
    positions: Positions,
    letters: Vec<Tail>,
    routed: Vec<Tail>,
}

impl Outputs {
    pub(super) fn new(names: &Names) -> Self {
        let tails = || (0..PARTITIONS).map(|_| Tail::default()).collect();
        let (topics, by_group, positions) = (data_topics(names), by_group(names), Positions::new(&by_group(names)));
        Outputs { topics, by_group, running: tails(), told: tails(), positions, letters: tails(), routed: tails() }
    }

    /// `models` and `histories` are those of the first sub-topology.
    pub(super) fn check(&mut self, judge: Judge, models: &[Model], histories: &[TaskHistory], look: &mut Look<'_>) -> Kept {
        let group_topic = self.by_group.clone();
        for (partition, model) in (0..PARTITIONS).zip(models) {
            let at = partition as usize;
            let lines = read(&mut self.running[at], look, "running", partition, |record| (at, line(record)));
            self.running[at].follow(judge, "running", lines, |_| &model.running, running_of)?;
            let lines = read(&mut self.told[at], look, "told", partition, |record| (at, line(record)));
            self.told[at].follow(judge, "told", lines, |_| &model.running, running_of)?;
            let lines = read(&mut self.letters[at], look, "numbers-dlq", partition, |record| (at, letter(record)));
            self.letters[at].follow(judge, "numbers-dlq", lines, |_| &model.letters, |line| line.1.clone())?;
            let lines = read(&mut self.routed[at], look, &group_topic, partition, |record| {
                let line = line(record);
                (grouped(&line).0 as usize, line)
            });
            self.routed[at].follow(judge, &group_topic, lines, |task| &models[task].routed[at], |line| grouped(line).1.to_string())?;
        }
        self.positions.read(judge, look)?;
        models.iter().zip(histories).try_for_each(|(model, history)| self.check_complete(judge, model, history, look))
    }

    /// When nothing is under way, the outputs are those of the records before the last marker.
    fn check_complete(&self, judge: Judge, model: &Model, history: &TaskHistory, look: &Look<'_>) -> Kept {
        let at = model.task.partition as usize;
        let touched = [("running", at), ("told", at), ("numbers-dlq", at), (&*history.token.topic, history.token.partition as usize)];
        let routed = (0..PARTITIONS as usize).map(|partition| (&*self.by_group, partition));
        if !touched.into_iter().chain(routed).all(|(topic, partition)| look.is_stable(topic, partition as i32)) {
            return Ok(());
        }
        let state = history.last().map(|(_, marker)| model.at(next_of(marker)));
        let (running, letters) = state.map_or((0, 0), |state| (state.running, state.letters));
        let told = ("told", running, self.told[at].seen[at]);
        let counts = [("running", running, self.running[at].seen[at]), told, ("numbers-dlq", letters, self.letters[at].seen[at])];
        let routed = (0..PARTITIONS as usize).map(|to| ("by-group", state.map_or(0, |state| state.routed[to]), self.routed[to].seen[at]));
        for (topic, expected, found) in counts.into_iter().chain(routed) {
            let rule = if found < expected { Rule::NoLoss } else { Rule::NoDouble };
            judge.check(found == expected, rule, || {
                format!("{}: {topic} has {found} records of it, its last marker says {expected}", model.task)
            })?;
        }
        history.last().map_or(Ok(()), |(_, marker)| self.positions.check_marker(judge, model, marker))
    }

    /// All logs end at their last stable offset.
    pub(super) fn check_nothing_open(&self, judge: Judge, look: &Look<'_>) -> Kept {
        for topic in &self.topics {
            let open = (0..PARTITIONS).find(|partition| !look.is_stable(topic, *partition));
            judge.check(open.is_none(), Rule::NothingLeftOpen, || format!("{topic}:{open:?} is held back by a transaction"))?;
        }
        Ok(())
    }
}

fn read(
    tail: &mut Tail,
    look: &mut Look<'_>,
    topic: &str,
    partition: i32,
    of: impl Fn(&StoredRecord) -> (usize, Line),
) -> Vec<(usize, Line)> {
    let mut lines = Vec::new();
    tail.read_to = look.read(topic, partition, tail.read_to, |record| lines.push(of(record)));
    lines
}

impl Tail {
    /// Each new record must be the next that its task makes.
    fn follow<'a>(
        &mut self,
        judge: Judge,
        topic: &str,
        lines: Vec<(usize, Line)>,
        expected: impl Fn(usize) -> &'a [Line],
        identity: impl Fn(&Line) -> String,
    ) -> Kept {
        for (n, (task, line)) in lines.iter().enumerate() {
            let (expected, seen) = (expected(*task), &mut self.seen[*task]);
            if expected.get(*seen) == Some(line) {
                *seen += 1;
                continue;
            }
            let (id, due) = (identity(line), expected.get(*seen).map(&identity));
            let comes_later = lines[n..].iter().any(|(other, line)| other == task && Some(identity(line)) == due);
            let rule = match expected.iter().position(|line| identity(line) == id) {
                Some(at) if at < *seen => Rule::NoDouble,
                Some(at) if at > *seen && comes_later => Rule::Order,
                Some(at) if at > *seen => Rule::NoLoss,
                _ => Rule::Fold,
            };
            judge.broken(rule, || format!("{topic}: {line:?} stands where {:?} is due", expected.get(*seen)))?;
            // Another rule than the one that is judged: goes on from here.
            *seen = expected.iter().position(|line| identity(line) == id).map_or(*seen, |at| at + 1);
        }
        Ok(())
    }
}

pub(super) fn line(record: &StoredRecord) -> Line {
    (text(&record.key), text(&record.value))
}

fn letter(record: &StoredRecord) -> Line {
    let offset = record.headers.last("viewmill-dlq-offset").map(|offset| String::from_utf8_lossy(offset).into_owned());
    (String::new(), offset.unwrap_or_default())
}

fn running_of(line: &Line) -> String {
    let (offset, what, _): Running = serde_json::from_str(&line.1).expect("outputs are written by a processor");
    format!("{offset} {what}")
}

pub(super) fn grouped(line: &Line) -> Grouped {
    serde_json::from_str(&line.1).expect("what was grouped is written by a processor")
}
