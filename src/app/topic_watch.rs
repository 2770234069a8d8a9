//! While an instance runs: topics that are deleted, made again or grown under it end it by name. Asked every few seconds on a thread of its
//! own, because nothing in the stream of records tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::ports::{Admin, ClusterFacts, TopicInfo};
use crate::runtime::InstanceStatus;
use crate::topology::{Names, Topology};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(10);

/// Until a change is believed: when it is found twice.
const AGAIN: Duration = Duration::from_secs(1);

/// A topic is gone when so many looks in a row, over so long, do not find it: a broker that lags behind the others may not know it for a while.
const GONE_AFTER: (usize, Duration) = (4, Duration::from_secs(30));

/// How often it is looked whether the instance stops.
const SLICE: Duration = Duration::from_millis(100);

/// What must not change while an instance runs.
pub(super) struct TopicWatch {
    facts: Arc<ClusterFacts>,
    /// Topics whose number of partitions decides where rows lie.
    keyed: BTreeSet<String>,
}

/// What the last looks have found and is not believed yet.
#[derive(Default)]
struct Doubts {
    /// The last look found a change.
    changed: bool,
    /// Topics that were not found since: by how many looks, and when first.
    missing: BTreeMap<String, (usize, Duration)>,
}

/// The sources of those sub-topologies that have stores.
pub(super) fn keyed_sources(topology: &Topology, names: &Names) -> BTreeSet<String> {
    let with_stores = topology.subtopologies().iter().filter(|subtopology| !subtopology.stores.is_empty());
    with_stores.flat_map(|subtopology| &subtopology.topics).map(|(topic, _)| names.full(topic)).collect()
}

impl TopicWatch {
    pub(super) fn new(facts: Arc<ClusterFacts>, keyed: BTreeSet<String>) -> Self {
        TopicWatch { facts, keyed }
    }

    /// Looks until the instance stops; a change puts it into ERROR and stops its threads.
    pub(super) fn start(self, mut admin: impl Admin + 'static, status: InstanceStatus, stop: Arc<AtomicBool>) -> std::io::Result<()> {
        let work = move || {
            let names: Vec<&str> = self.facts.topics.keys().map(String::as_str).collect();
            let (mut doubts, mut now, mut pause) = (Doubts::default(), Duration::ZERO, INTERVAL);
            while sleep_unless(pause, &stop) {
                now += pause;
                pause = INTERVAL;
                // Kafka that does not answer is for others to tell.
                let Ok(found) = admin.topics(&names) else { continue };
                if let Some(cause) = self.weigh(&mut doubts, &found, now) {
                    tracing::error!(cause, "stopping");
                    status.set_error(cause);
                    stop.store(true, Ordering::Release);
                }
                if doubts.changed {
                    pause = AGAIN;
                }
            }
        };
        // It ends by itself, soon after the instance is told to stop.
        thread::Builder::new().name("watch-topics".into()).spawn(work).map(drop)
    }

    /// What is believed after one look more, which found this for each topic.
    fn weigh(&self, doubts: &mut Doubts, found: &[Option<TopicInfo>], now: Duration) -> Option<String> {
        // A broker that has just started may know none.
        if found.iter().all(Option::is_none) {
            return None;
        }
        let topics = || self.facts.topics.values().zip(found);
        let change = topics().find_map(|(was, is)| self.fault(was, is.as_ref()?));
        let before = std::mem::take(&mut doubts.missing);
        for (was, _) in topics().filter(|(_, is)| is.is_none()) {
            let (looks, first) = before.get(&was.name).copied().unwrap_or((0, now));
            doubts.missing.insert(was.name.clone(), (looks + 1, first));
        }
        let is_gone = |(looks, first): (usize, Duration)| looks >= GONE_AFTER.0 && now >= first + GONE_AFTER.1;
        let gone = doubts.missing.iter().find(|(_, missed)| is_gone(**missed)).map(|(name, _)| {
            format!(
                "topic {name} was deleted while this instance read or wrote it. Bring it back, or run `viewmill reset --application` to build \
                 all state anew"
            )
        });
        let changed_before = std::mem::replace(&mut doubts.changed, change.is_some());
        change.filter(|_| changed_before).or(gone)
    }

    fn fault(&self, was: &TopicInfo, is: &TopicInfo) -> Option<String> {
        let name = &was.name;
        if let (Some(was), Some(is)) = (&was.id, &is.id)
            && was != is
        {
            return Some(format!(
                "topic {name} was deleted and made again while this instance read or wrote it (its id was {was} and is {is}): an old offset is \
                 never used on a new topic. Run `viewmill reset --application` to build all state anew"
            ));
        }
        (self.keyed.contains(name) && was.partitions != is.partitions).then(|| {
            let (was, is) = (was.partitions, is.partitions);
            format!(
                "topic {name} had {was} partitions and has {is} now: keys lie elsewhere, and rows would be found no more. Run `viewmill reset \
                 --application` to build all state anew"
            )
        })
    }
}

/// Sleeps; false when it is over.
fn sleep_unless(pause: Duration, stop: &AtomicBool) -> bool {
    let mut left = pause;
    while !left.is_zero() && !stop.load(Ordering::Acquire) {
        thread::sleep(SLICE.min(left));
        left = left.saturating_sub(SLICE);
    }
    !stop.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, partitions: i32, id: Option<&str>) -> TopicInfo {
        TopicInfo { name: name.into(), partitions, id: id.map(str::to_string), ..TopicInfo::default() }
    }

    #[test]
    fn what_becomes_of_topics_is_told_by_name_and_growth_only_where_keys_decide() {
        let watch = TopicWatch::new(Arc::default(), ["keyed".to_string()].into());
        let fault = |was: &TopicInfo, is: TopicInfo| watch.fault(was, &is).unwrap_or_default();
        let was = info("keyed", 4, Some("a"));
        assert_eq!(fault(&was, was.clone()), "");
        assert_eq!(fault(&was, info("keyed", 4, None)), "", "not known is no change");
        assert!(fault(&was, info("keyed", 4, Some("b"))).contains("topic keyed was deleted and made again"));
        assert!(fault(&was, info("keyed", 5, Some("a"))).contains("had 4 partitions and has 5 now"));
        let other = info("other", 4, Some("a"));
        assert_eq!(fault(&other, info("other", 5, Some("a"))), "");
    }

    #[test]
    fn a_change_is_believed_when_found_twice_and_a_missing_topic_only_after_long() {
        let was = ["a", "b"].map(|name| info(name, 4, Some("1")));
        let topics = was.iter().map(|topic| (topic.name.clone(), topic.clone())).collect();
        let watch = TopicWatch::new(Arc::new(ClusterFacts { topics, ..ClusterFacts::default() }), BTreeSet::new());
        // Seconds of the looks, and what they find; answers when which topic is told.
        let told = |looks: &[(u64, [Option<&TopicInfo>; 2])]| {
            let mut doubts = Doubts::default();
            looks.iter().find_map(|(at, found)| {
                let cause = watch.weigh(&mut doubts, &found.map(Option::<&TopicInfo>::cloned), Duration::from_secs(*at))?;
                Some((*at, cause.split(' ').take(4).collect::<Vec<_>>().join(" ")))
            })
        };
        let (a, b, again) = (Some(&was[0]), Some(&was[1]), info("b", 4, Some("2")));
        let deleted = Some((40, "topic b was deleted".to_string()));
        assert_eq!(told(&[(10, [a, b]), (20, [a, Some(&again)]), (21, [a, Some(&again)])]), Some((21, "topic b was deleted".into())));
        assert_eq!(told(&[(10, [a, Some(&again)]), (11, [a, b]), (21, [a, Some(&again)])]), None, "twice in a row");
        assert_eq!(told(&[(10, [a, None]), (20, [a, None]), (30, [a, None]), (40, [a, None])]), deleted);
        assert_eq!(told(&[(10, [a, None]), (20, [a, None]), (40, [a, None])]), None, "three looks are too few");
        assert_eq!(told(&[(10, [a, None]), (11, [a, None]), (12, [a, None]), (39, [a, None])]), None, "29 s are too short");
        assert_eq!(told(&[(10, [a, None]), (20, [a, None]), (30, [a, b]), (40, [a, None]), (50, [a, None])]), None, "it was there");
        assert_eq!(told(&[0, 10, 20, 30, 40, 50].map(|at| (at, [None, None]))), None, "a broker without metadata");
    }
}
