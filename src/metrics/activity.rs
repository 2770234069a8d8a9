//! What each thread spends its time on. The sums of a thread grow by one second a second, whatever it does: what it does at this
//! moment is counted up to this moment, also when it hangs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::registration::{Registration, fresh_counters};
use crate::clock::Clock;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Serves the group and takes over fetched records.
    Poll,
    /// Processes records.
    Process,
    /// Commits: encodes rows, waits for Kafka, applies.
    Commit,
    /// Calls processors by time.
    Punctuate,
    /// Opens tasks, reads changelogs.
    Restore,
    /// Waits for work.
    Idle,
    /// Must not work: no assignment, a refused generation, or no producer.
    Blocked,
}

const NAMES: [&str; 7] = ["poll", "process", "commit", "punctuate", "restore", "idle", "blocked"];

#[derive(Clone, Copy)]
struct Sums {
    spent: [Duration; NAMES.len()],
    current: Activity,
    since: Duration,
    ended: bool,
}

impl Sums {
    fn count(&mut self, now: Duration) {
        if !self.ended {
            self.spent[self.current as usize] += now.saturating_sub(self.since);
            self.since = now;
        }
    }
}

/// One thread's sums. It is told of each change; time goes to what was told last.
pub struct ThreadActivity {
    sums: Arc<Mutex<Sums>>,
    clock: Arc<dyn Clock>,
}

impl ThreadActivity {
    /// From now on the thread does this. One reading of the clock, which is answered.
    pub fn begin(&self, activity: Activity) -> Duration {
        let now = self.clock.monotonic();
        let mut sums = lock(&self.sums);
        sums.count(now);
        sums.current = activity;
        now
    }
}

impl Drop for ThreadActivity {
    /// The thread ended: its sums stay as they are.
    fn drop(&mut self) {
        let now = self.clock.monotonic();
        let mut sums = lock(&self.sums);
        sums.count(now);
        sums.ended = true;
    }
}

/// All threads.
#[derive(Clone)]
pub struct Activities {
    threads: Arc<Mutex<BTreeMap<String, Arc<Mutex<Sums>>>>>,
    clock: Arc<dyn Clock>,
}

impl Activities {
    pub(super) fn new(registration: &Registration<'_>, clock: Arc<dyn Clock>) -> Self {
        let activities = Activities { threads: Arc::default(), clock };
        let labels = ["thread", "activity"].map(String::from).to_vec();
        let desc = Desc::new(NAME.into(), HELP.into(), labels, Default::default()).expect("names and labels are valid");
        registration.collector(ActivityCollector { activities: activities.clone(), desc });
        activities
    }

    /// A thread that begins to run now. One of the same name before it is forgotten.
    pub fn thread(&self, name: &str) -> ThreadActivity {
        let sums = Sums { spent: Default::default(), current: Activity::Idle, since: self.clock.monotonic(), ended: false };
        let sums = Arc::new(Mutex::new(sums));
        lock(&self.threads).insert(name.to_string(), sums.clone());
        ThreadActivity { sums, clock: self.clock.clone() }
    }
}

const NAME: &str = "viewmill_thread_activity_seconds_total";
const HELP: &str = "What a thread spent its time on; the sum over its activities grows by one second a second.";

struct ActivityCollector {
    activities: Activities,
    desc: Desc,
}

impl Collector for ActivityCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counters = fresh_counters(NAME, HELP, &["thread", "activity"]);
        for (thread, sums) in lock(&self.activities.threads).iter() {
            let sums = {
                let mut sums = lock(sums);
                sums.count(self.activities.clock.monotonic());
                *sums
            };
            for (activity, spent) in NAMES.iter().zip(sums.spent) {
                counters.with_label_values(&[thread.as_str(), activity]).inc_by(spent.as_secs_f64());
            }
        }
        counters.collect()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::clock::ManualClock;

    fn sums(registry: &Registry) -> BTreeMap<String, f64> {
        let families = registry.gather();
        let series = families.iter().flat_map(|family| family.get_metric());
        // Labels are ordered: activity, thread.
        series.map(|metric| (metric.get_label()[0].value().to_string(), metric.get_counter().get_value())).collect()
    }

    #[test]
    fn the_sums_of_a_thread_grow_by_one_second_a_second_also_while_it_hangs() {
        let (registry, clock) = (Registry::new(), ManualClock::default());
        let activities = Activities::new(&Registration(&registry), Arc::new(clock.clone()));
        let thread = activities.thread("stream-1");
        let mut passed = 0.0;
        for (activity, millis) in
            [(Activity::Poll, 20), (Activity::Process, 300), (Activity::Commit, 7_000), (Activity::Idle, 1), (Activity::Process, 40)]
        {
            thread.begin(activity);
            clock.advance(Duration::from_millis(millis));
            passed += millis as f64 / 1_000.0;
            let sum: f64 = sums(&registry).values().sum();
            assert!((sum - passed).abs() < 1e-9, "{sum} of {passed} s while in {activity:?}");
        }
        let of = sums(&registry);
        assert_eq!(of.len(), NAMES.len(), "all activities are there from the start: {of:?}");
        assert!((of["process"] - 0.34).abs() < 1e-9 && (of["commit"] - 7.0).abs() < 1e-9, "{of:?}");
        drop(thread);
        clock.advance(Duration::from_secs(5));
        assert_eq!(sums(&registry), of, "a thread that ended spends no time");
    }
}
