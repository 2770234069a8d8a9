//! All that the cluster's logs tell, followed from step to step.

use super::application::PARTITIONS;
use super::logs::{TaskHistory, next_of};
use super::model::Model;
use super::outputs::Outputs;
use super::process::Program;
use super::rules::{Judge, Kept, Rule};
use crate::record::{Offset, TopicPartition};
use crate::testkit::cluster::Look;

pub(super) struct History {
    /// By token, as are the tasks.
    pub models: Vec<Model>,
    pub tasks: Vec<TaskHistory>,
    outputs: Outputs,
}

impl History {
    pub(super) fn new(program: &Program) -> Self {
        let models: Vec<Model> = program.tasks().map(|task| Model::new(&program.topology, &program.names, task)).collect();
        let token = |(token, model)| TaskHistory::new(TopicPartition::new(program.names.task_log(), token), model);
        History { tasks: (0..).zip(&models).map(token).collect(), outputs: Outputs::new(&program.names), models }
    }

    /// What is new in all logs.
    pub(super) fn check(&mut self, judge: Judge, look: &mut Look<'_>) -> Kept {
        let stray = look.stray_commits().first();
        judge.check(stray.is_none(), Rule::OneOwner, || format!("{stray:?}"))?;
        self.models.iter_mut().for_each(|model| model.read(look));
        for (model, task) in self.models.iter().zip(&mut self.tasks) {
            task.check(judge, model, look)?;
        }
        self.outputs.check(judge, &self.models[..PARTITIONS as usize], &self.tasks, look)
    }

    /// The same from the beginning.
    pub(super) fn check_again(&self, judge: Judge, look: &mut Look<'_>) -> Kept {
        for (model, task) in self.models.iter().zip(&self.tasks) {
            task.check_again(judge, look)?;
            let mut again = model.anew();
            again.read(look);
            judge.check(again.last().rows == model.last().rows, Rule::Fold, || {
                format!("the input of {} folds to something else", model.task)
            })?;
        }
        Ok(())
    }

    /// True when every marker stands at the end of its input.
    pub(super) fn is_done(&self) -> bool {
        self.models.iter().zip(&self.tasks).all(|(model, task)| model.ends_at(task.last().map_or(Offset(0), |(_, marker)| next_of(marker))))
    }

    /// Every record that was appended has counted once, and no log is held back.
    pub(super) fn check_end(&self, judge: Judge, appended: usize, look: &Look<'_>) -> Kept {
        let numbers = &self.models[..PARTITIONS as usize];
        let read: usize = numbers.iter().map(Model::len).sum();
        judge.check(read == appended, Rule::NoLoss, || format!("{appended} records were appended, {read} are in the input"))?;
        let (routed, grouped): (usize, usize) = (
            numbers.iter().map(|model| model.last().routed.iter().sum::<usize>()).sum(),
            self.models[PARTITIONS as usize..].iter().map(Model::len).sum(),
        );
        judge.check(routed <= grouped, Rule::NoLoss, || format!("{grouped} of {routed} records came through the repartition topic"))?;
        judge.check(routed >= grouped, Rule::NoDouble, || format!("{grouped} records came through the repartition topic for {routed}"))?;
        self.outputs.check_nothing_open(judge, look)?;
        self.tasks.iter().try_for_each(|task| task.check_nothing_open(judge, look))
    }

    /// Where a late copy of a commit that was `by` commits before the last puts a committed offset.
    pub(super) fn move_back(&mut self, token: usize, by: usize, look: &mut Look<'_>) -> Option<(TopicPartition, Offset)> {
        self.tasks[token].move_back(by, look)
    }
}
