//! While an instance runs: topics that are deleted, made again or grown under it end it by name. Asked every few seconds on a thread of its
//! own, because nothing in the stream of records tells.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::ports::{Admin, ClusterFacts, TopicInfo};
use crate::runtime::InstanceStatus;
use crate::topology::{Names, Topology};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(10);

/// Until a change is believed.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether the instance stops.
const SLICE: Duration = Duration::from_millis(100);

/// What must not change while an instance runs.
pub(super) struct TopicWatch {
    facts: Arc<ClusterFacts>,
    /// Topics whose number of partitions decides where rows lie.
    keyed: BTreeSet<String>,
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
            let mut look = || {
                let names: Vec<&str> = self.facts.topics.keys().map(String::as_str).collect();
                // Kafka that does not answer is for others to tell.
                let found = admin.topics(&names).ok()?;
                self.facts.topics.values().zip(&found).find_map(|(was, is)| self.fault(was, is.as_ref()))
            };
            while sleep_unless(INTERVAL, &stop) {
                // Twice: a broker that has just started may not know all topics yet.
                if look().is_none() || !sleep_unless(AGAIN, &stop) {
                    continue;
                }
                let Some(cause) = look() else { continue };
                tracing::error!(cause, "stopping");
                status.set_error(cause);
                stop.store(true, Ordering::Release);
            }
        };
        // It ends by itself, soon after the instance is told to stop.
        thread::Builder::new().name("watch-topics".into()).spawn(work).map(drop)
    }

    fn fault(&self, was: &TopicInfo, is: Option<&TopicInfo>) -> Option<String> {
        let name = &was.name;
        let Some(is) = is else {
            return Some(format!(
                "topic {name} was deleted while this instance read or wrote it. Bring it back, or run `viewmill reset --application` to build \
                 all state anew"
            ));
        };
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

    #[test]
    fn what_becomes_of_topics_is_told_by_name_and_growth_only_where_keys_decide() {
        let info = |name: &str, partitions, id: Option<&str>| TopicInfo {
            name: name.into(),
            partitions,
            id: id.map(str::to_string),
            ..TopicInfo::default()
        };
        let watch = TopicWatch::new(Arc::default(), ["keyed".to_string()].into());
        let fault = |was: &TopicInfo, is: Option<TopicInfo>| watch.fault(was, is.as_ref()).unwrap_or_default();
        let was = info("keyed", 4, Some("a"));
        assert_eq!(fault(&was, Some(was.clone())), "");
        assert_eq!(fault(&was, Some(info("keyed", 4, None))), "", "not known is no change");
        assert!(fault(&was, None).contains("topic keyed was deleted while"));
        assert!(fault(&was, Some(info("keyed", 4, Some("b")))).contains("topic keyed was deleted and made again"));
        assert!(fault(&was, Some(info("keyed", 5, Some("a")))).contains("had 4 partitions and has 5 now"));
        let other = info("other", 4, Some("a"));
        assert_eq!(fault(&other, Some(info("other", 5, Some("a")))), "");
    }
}
