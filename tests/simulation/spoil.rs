//! A last scene: Kafka loses what a task stands on. Whoever is given the task must stop with its name, and never serve it.

use super::application::{GROUP, PARTITIONS};
use super::rules::{Kept, Rule};
use super::world::World;
use crate::query::TaskView;
use crate::runtime::step::ThreadError;
use crate::testkit::cluster::Faults;

/// So many steps until somebody is given the task.
const SCENE_STEPS: usize = 400;

impl World {
    /// Everything was processed before; all processes are started anew.
    pub(super) fn spoil(&mut self) -> Kept {
        self.cluster.set_faults(Faults::none());
        (0..self.processes.len()).for_each(|at| self.crash(at, false));
        let victim = self.rng.usize(0..self.tasks.len());
        let Some(what) = self.take_away(victim) else { return Ok(()) };
        let task = self.tasks[victim].clone();
        self.cluster.note(&format!("{task}: {what}"));
        for _ in 0..SCENE_STEPS {
            self.pass_time();
            self.watch_orphans();
            for at in 0..self.processes.len() {
                let Some(result) = self.step_alone(at) else { continue };
                match result {
                    Ok(views) => self.judge.check(!matches!(views.get(&task), Some(TaskView::Active(_))), Rule::StopsByName, || {
                        format!("{what}, and {task} is served all the same")
                    })?,
                    // Of the tasks that stand on the same, any may be the first.
                    Err(ThreadError::Start { task: refused, .. }) if refused.subtopology == task.subtopology => return Ok(()),
                    Err(error) => return self.judge.broken(Rule::StopsByName, || format!("{what}, and the process stops with: {error}")),
                }
            }
        }
        self.judge.broken(Rule::StopsByName, || format!("{what}, and nobody stops"))
    }

    /// Takes away what a task needs; `None` when it has nothing yet.
    fn take_away(&mut self, victim: usize) -> Option<&'static str> {
        let history = &self.history.tasks[victim];
        let (_, last) = history.last()?;
        let (token, end) = (history.token.clone(), self.cluster.bounds(&history.token.topic)[history.token.partition as usize].end);
        match self.rng.usize(0..3) {
            0 => {
                self.cluster.delete_records(&token.topic, token.partition, end);
                Some("the task log is gone, the committed offset is not")
            }
            1 => {
                self.cluster.delete_records(&token.topic, token.partition, end);
                self.cluster.set_committed(GROUP, &token, None);
                // Without any state left anywhere it would be a first start.
                let known = self.processes.iter().all(|process| process.disk.has(&self.tasks[victim]));
                known.then_some("the task log and the committed offset are gone, local state is not")
            }
            _ => {
                last.changelogs.values().any(Option::is_some).then_some(())?;
                for (store, _) in last.changelogs.iter().filter(|(_, end)| end.is_some()) {
                    let changelog = self.names.changelog(store);
                    self.cluster.delete_topic(&changelog);
                    self.cluster.create_compacted_topic(&changelog, PARTITIONS);
                }
                self.processes.iter_mut().for_each(|process| process.disk.lose());
                Some("the changelogs ended before what the marker names")
            }
        }
    }
}
