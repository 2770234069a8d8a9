//! What a scrape reads from the threads: their state, tasks and lag.

use std::sync::{Arc, OnceLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::lag::{self, LagRow};
use super::registration::{Registration, fresh_gauges};
use crate::clock::Clock;

/// What a scrape reads from the threads.
pub trait StatusSource: Send + Sync {
    /// A row for each source partition that is active here.
    fn lag(&self) -> Vec<LagRow>;
    /// How many tasks there are of each role and state, also of those that none has.
    fn tasks(&self) -> Vec<TaskCount>;
    /// The instance's state, and all there are.
    fn state(&self) -> (&'static str, &'static [&'static str]);
}

/// Tasks of one role in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskCount {
    /// `active`.
    pub role: &'static str,
    /// `active`, `restoring`, `unknown`.
    pub state: &'static str,
    /// How many.
    pub count: usize,
}

/// Name, help and labels.
pub(super) type Described = (&'static str, &'static str, Vec<&'static str>);

/// Where the threads' figures are, once they are known.
pub(super) type Watched = Arc<OnceLock<Arc<dyn StatusSource>>>;

/// Reads the threads' figures at a scrape.
struct StatusCollector {
    watched: Watched,
    clock: Arc<dyn Clock>,
    descs: Vec<Desc>,
}

const TASKS: (&str, &str) = ("viewmill_tasks", "Tasks of this instance.");
const STATE: (&str, &str) = ("viewmill_state", "The instance's state: one of these is 1.");

pub(super) fn register(on: &Registration<'_>, clock: Arc<dyn Clock>) -> Watched {
    let watched = Watched::default();
    let own = [(TASKS.0, TASKS.1, vec!["role", "state"]), (STATE.0, STATE.1, vec!["state"])];
    let descs = lag::described().chain(own).map(|(name, help, labels)| {
        let labels = labels.into_iter().map(String::from).collect();
        Desc::new(name.into(), help.into(), labels, Default::default()).expect("names and labels are valid")
    });
    on.collector(StatusCollector { watched: watched.clone(), clock, descs: descs.collect() });
    watched
}

impl Collector for StatusCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(status) = self.watched.get() else { return Vec::new() };
        let mut families = lag::collect(&status.lag(), self.clock.now());
        let tasks = fresh_gauges(TASKS.0, TASKS.1, &["role", "state"]);
        for TaskCount { role, state, count } in status.tasks() {
            tasks.with_label_values(&[role, state]).set(count as f64);
        }
        let states = fresh_gauges(STATE.0, STATE.1, &["state"]);
        let (current, all) = status.state();
        all.iter().for_each(|name| states.with_label_values(&[name]).set(f64::from(u8::from(*name == current))));
        families.extend(tasks.collect());
        families.extend(states.collect());
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}
