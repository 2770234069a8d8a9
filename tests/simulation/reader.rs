//! A reader of one process, from its start to its end: looks at every task after each step, and asks through the query layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::application::{Handles, KEYS, partition_of};
use super::logs::{TaskHistory, next_of};
use super::model::{Model, Rows, State};
use super::process::Program;
use super::rules::{Judge, Kept, Rule};
use crate::metrics::Metrics;
use crate::query::{Answer, InstanceId, Owners, Page, QueryError, Read, Scope, Slice, TaskView, ViewRegistry, Views};
use crate::record::Position;
use crate::state::{Direction, KeyRange, Snapshot, TaskPosition};
use crate::testkit::cluster::Look;

/// What a reader remembers of a task.
#[derive(Default)]
struct Seen {
    position: Option<TaskPosition>,
    /// The position is known to be committed.
    committed: bool,
    view: Shown,
}

#[derive(Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Nothing,
    /// It is being opened: the last marker before that.
    Opening {
        floor: u64,
    },
    Active,
}

/// Readers of one run of a process.
pub(super) struct Reader {
    process: String,
    registry: ViewRegistry,
    views: Views,
    handles: Handles,
    seen: Vec<Seen>,
}

impl Reader {
    /// `metrics` are the readers' own.
    pub(super) fn new(program: &Program, handles: Handles, process: &str, registry: &ViewRegistry, metrics: &Metrics) -> Self {
        let instance = InstanceId(process.into());
        let (topology, names, lag) = (program.topology.clone(), program.names.clone(), Arc::new(|_: &_| None));
        Reader {
            process: process.to_string(),
            registry: registry.clone(),
            views: Views::new(topology, names, registry.clone(), lag, Owners::default(), instance, metrics),
            handles,
            seen: program.tasks().map(|_| Seen::default()).collect(),
        }
    }

    /// Everything that is served, row by row.
    pub(super) fn check(&mut self, judge: Judge, models: &[Model], histories: &[TaskHistory], look: &Look<'_>) -> Kept {
        for ((model, history), seen) in models.iter().zip(histories).zip(&mut self.seen) {
            match self.registry.get(&model.task) {
                None => seen.view = Shown::Nothing,
                Some(TaskView::Restoring) => {
                    if !matches!(seen.view, Shown::Opening { .. }) {
                        seen.view = Shown::Opening { floor: history.known_before() };
                    }
                }
                Some(TaskView::Active(database)) => {
                    let Some((snapshot, position)) = database.snapshot().expect("memory does not fail") else {
                        judge.broken(Rule::Whole, || format!("{} serves {} while rows are restored into it", self.process, model.task))?;
                        continue;
                    };
                    let position = position.as_deref().cloned();
                    let what = || format!("{} serves {} at {position:?}", self.process, model.task);
                    let expected = position.as_ref().map_or_else(|| model.at(Default::default()), |p| model.at(next_of(&p.marker)));
                    judge.check(holds(&*snapshot, model, &expected.rows), Rule::Answers, || {
                        format!("{}\n  expected {:?}\n  found    {:?}", what(), expected.rows, rows_of(&*snapshot, model))
                    })?;
                    let sequence = |position: &Option<TaskPosition>| position.as_ref().map_or(0, |position| position.marker.sequence);
                    let before = sequence(&seen.position);
                    judge.check(sequence(&position) >= before, Rule::Forward, || format!("{}, before it was at {before}", what()))?;
                    if let Shown::Opening { floor } = seen.view {
                        judge.check(sequence(&position) >= floor, Rule::Whole, || {
                            format!("{}; when it was opened the last marker was {floor}", what())
                        })?;
                    }
                    if position != seen.position || !seen.committed {
                        seen.committed = position.as_ref().is_none_or(|position| history.is_committed(position, look));
                        judge.check(seen.committed, Rule::Whole, || format!("{}, which is not committed", what()))?;
                    }
                    (seen.view, seen.position) = (Shown::Active, position);
                }
            }
        }
        Ok(())
    }

    /// Asks for a row, and now and then for a page of an index over all tasks that are here.
    pub(super) fn ask(&self, judge: Judge, models: &[Model], rng: &mut fastrand::Rng, runtime: &tokio::runtime::Runtime) -> Kept {
        let key = format!("key-{}", rng.usize(0..KEYS));
        let answer = runtime.block_on(self.views.get(self.handles.sums, &key, &Read::default()));
        let model = &models[partition_of(&key) as usize];
        self.judge_answer(judge, &format!("the sum of {key}"), answer, |position| state(model, position).sums.get(&key).copied())?;
        if rng.usize(0..20) > 0 {
            return Ok(());
        }
        let read = Read { scope: Scope::Local, ..Read::default() };
        let page = runtime.block_on(self.views.page(self.handles.by_sum, (), &Page::first(Page::MAX_LIMIT), &read));
        self.judge_answer(judge, "the page of all sums", page.map(rows), |position| {
            let numbers = models.iter().filter(|model| *model.task.subtopology == *"numbers");
            let sums = numbers.flat_map(|model| state(model, position).sums.iter().map(|(key, sum)| (*sum, key.clone())));
            let mut sums: Vec<(i64, String)> = sums.collect();
            sums.sort();
            sums
        })?;
        let page = runtime.block_on(self.views.scan(self.handles.totals, .., &Page::first(Page::MAX_LIMIT), &read));
        self.judge_answer(judge, "the page of all totals", page.map(rows), |position| {
            let groups = models.iter().filter(|model| *model.task.subtopology != *"numbers");
            let totals: BTreeMap<String, i64> = groups.flat_map(|model| state(model, position).totals.clone()).collect();
            totals.into_iter().map(|(group, total)| (total, group)).collect::<Vec<_>>()
        })
    }

    fn judge_answer<T: PartialEq + std::fmt::Debug>(
        &self,
        judge: Judge,
        what: &str,
        answer: Result<Answer<T>, QueryError>,
        expected: impl FnOnce(&Position) -> T,
    ) -> Kept {
        match answer {
            Ok(Answer { value, position, .. }) => {
                let expected = expected(&position);
                judge.check(value == expected, Rule::Answers, || {
                    format!("{} answers {what} at {position}: {value:?}, expected {expected:?}", self.process)
                })
            }
            // Not here, or being restored: that is an answer of its own.
            Err(QueryError::NotHere { .. } | QueryError::Restoring { .. } | QueryError::Partial { .. }) => Ok(()),
            Err(error) => judge.broken(Rule::Answers, || format!("{} answers {what}: {error}", self.process)),
        }
    }
}

/// Keys beside their values, as both lists are compared.
fn rows(answer: Answer<Slice<String, i64>>) -> Answer<Vec<(i64, String)>> {
    answer.map(|slice| slice.rows.into_iter().map(|(key, value)| (value, key)).collect())
}

/// The state of a task as of a position; none of it when the position does not name its input.
fn state<'a>(model: &'a Model, position: &Position) -> &'a State {
    model.at(position.0.get(&model.input).copied().unwrap_or_default())
}

/// Whether a database holds exactly these rows.
fn holds(snapshot: &dyn Snapshot, model: &Model, rows: &Rows) -> bool {
    let columns = model.plan.stores.iter().flat_map(|store| std::iter::once(store.column).chain(store.indexes.iter().copied()));
    let (mut found, mut same) = (0, true);
    for column in columns {
        let mut expected = rows.range((column.0, Vec::new())..(column.0 + 1, Vec::new()));
        let mut visit = |key: &[u8], row: &[u8]| {
            found += 1;
            same &= expected.next().is_some_and(|((_, k), r)| k == key && r == row);
            same
        };
        snapshot.scan(column, &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    }
    same && found == rows.len()
}

fn rows_of(snapshot: &dyn Snapshot, model: &Model) -> Rows {
    let mut rows = Rows::new();
    for column in model.plan.stores.iter().flat_map(|store| std::iter::once(store.column).chain(store.indexes.iter().copied())) {
        let mut visit = |key: &[u8], row: &[u8]| rows.insert((column.0, key.to_vec()), row.to_vec()).is_none();
        snapshot.scan(column, &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    }
    rows
}
