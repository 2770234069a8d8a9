//! Why a task must not start: each with what to do about it.

use crate::codec::shapes_fit;
use crate::state::Origin;

/// Why a task must not start: going on would give wrong data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    /// M_l > M_k.
    #[error(
        "local state is ahead of the task log (sequence {local} against {log}): it belongs to another cluster, or offsets were reset. \
         Point kafka.bootstrap_servers at the right cluster, or run `viewmill reset --local` to restore from the changelog"
    )]
    LocalAhead {
        /// The local sequence.
        local: u64,
        /// The log's sequence.
        log: u64,
    },
    /// Local state, but no trace of the task in Kafka.
    #[error(
        "local state is at sequence {local}, but the task log knows nothing of it: the task log or the group's offsets were deleted, or this \
         is another cluster. It is never read as zero; run `viewmill reset --application` to begin at the sources' beginning, or, where that \
         was done elsewhere already, `viewmill reset --local`"
    )]
    LocalWithoutLog {
        /// The local sequence.
        local: u64,
    },
    /// Local state that cannot be read, and no trace of the task in Kafka.
    #[error(
        "the task's database is damaged, and the task log knows nothing of the task, so it cannot be restored. It is never read as zero; run \
         `viewmill reset --application` to begin at the sources' beginning, or, if the task never committed, `viewmill reset --local`"
    )]
    DamagedWithoutLog,
    /// The committed offset points outside of the task log.
    #[error(
        "task log truncated: the committed offset is {committed}, the log holds {start} to {end} and no later marker. Bring the topic back, or \
         run `viewmill reset --application` to begin at the sources' beginning"
    )]
    LogTruncated {
        /// The committed offset.
        committed: i64,
        /// First offset.
        start: i64,
        /// End of the log.
        end: i64,
    },
    /// State of another cluster.
    #[error(
        "{whose} belongs to cluster {was}, this is cluster {is}: offsets of one mean nothing in another. Point kafka.bootstrap_servers at the \
         right cluster, or run `viewmill reset {reset}`"
    )]
    OtherCluster {
        /// `local state` or `the task log`.
        whose: &'static str,
        /// The cluster that it belongs to.
        was: String,
        /// The cluster that was reached.
        is: String,
        /// What to reset.
        reset: &'static str,
    },
    /// A topic was deleted and made again.
    #[error(
        "topic {topic} was deleted and made again (its id was {was} and is {is}): an old offset is never used on a new topic. Run `viewmill \
         reset --application` to build all state anew from what the sources hold now"
    )]
    TopicRecreated {
        /// The topic.
        topic: String,
        /// Its id when the state was made.
        was: String,
        /// Its id now.
        is: String,
    },
    /// Keys lie in other partitions now.
    #[error(
        "the task's sources had {was} partitions and have {is} now: keys lie elsewhere, and rows would be found no more. Run `viewmill reset \
         --application` to build all state anew, or give the sources their former number"
    )]
    PartitionsChanged {
        /// When the state was made.
        was: i32,
        /// Now.
        is: i32,
    },
    /// A store's rows have keys of another kind.
    #[error(
        "the keys of store {store} were written as {was}, the topology writes them as {is}: give the store another name to have it filled \
         anew, or run `viewmill reset --application` to build all state anew"
    )]
    KeysChanged {
        /// The store.
        store: String,
        /// How they were written.
        was: String,
        /// How they would be.
        is: String,
    },
}

/// Why local state of this origin must not be used, whatever it holds.
pub fn refuse_cluster(local: &Origin, now: &Origin) -> Option<StartRefusal> {
    other_cluster(local, now, "local state", "--local")
}

/// Why state that was made from `was` must not go on; what one of the two does not know is no reason.
pub fn refuse_origin(was: &Origin, now: &Origin) -> Option<StartRefusal> {
    let topic = was.topics.iter().find_map(|(topic, was)| {
        let is = now.topics.get(topic).filter(|is| *is != was)?;
        Some(StartRefusal::TopicRecreated { topic: topic.clone(), was: was.clone(), is: is.clone() })
    });
    let partitions = was.partitions.zip(now.partitions).filter(|(was, is)| was != is);
    let keys = was.keys.iter().find_map(|(store, was)| {
        let is = now.keys.get(store).filter(|is| !shapes_fit(was, is))?;
        Some(StartRefusal::KeysChanged { store: store.clone(), was: was.clone(), is: is.clone() })
    });
    other_cluster(was, now, "the task log", "--application")
        .or(topic)
        .or(partitions.map(|(was, is)| StartRefusal::PartitionsChanged { was, is }))
        .or(keys)
}

fn other_cluster(was: &Origin, now: &Origin, whose: &'static str, reset: &'static str) -> Option<StartRefusal> {
    let (was, is) = was.cluster.as_ref().zip(now.cluster.as_ref()).filter(|(was, is)| was != is)?;
    Some(StartRefusal::OtherCluster { whose, was: was.clone(), is: is.clone(), reset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            cluster: Some("c-1".into()),
            partitions: Some(4),
            topics: [("events".to_string(), "id-1".to_string()), ("app-s-changelog".to_string(), "id-2".to_string())].into(),
            keys: [("s".to_string(), "(string,u64)".to_string())].into(),
        }
    }

    #[test]
    fn state_goes_on_with_what_it_was_made_from_and_with_what_nobody_knows() {
        assert_eq!(refuse_origin(&origin(), &origin()), None);
        // An application that was never asked, an older broker, a store that is gone.
        assert_eq!(refuse_origin(&Origin::default(), &origin()), None);
        assert_eq!(refuse_origin(&origin(), &Origin::default()), None);
        let unknown = Origin { keys: [("s".to_string(), "?".to_string()), ("new".to_string(), "u64".to_string())].into(), ..origin() };
        assert_eq!(refuse_origin(&origin(), &unknown), None);
    }

    #[test]
    fn each_difference_is_refused_by_name_with_what_to_do() {
        let told = |now: Origin| refuse_origin(&origin(), &now).map(|refusal| refusal.to_string()).unwrap_or_default();
        for (now, name) in [
            (Origin { cluster: Some("c-2".into()), ..origin() }, "the task log belongs to cluster c-1, this is cluster c-2"),
            (Origin { partitions: Some(5), ..origin() }, "had 4 partitions and have 5 now"),
            (
                Origin { topics: [("events".to_string(), "id-9".to_string())].into(), ..origin() },
                "topic events was deleted and made again (its id was id-1 and is id-9)",
            ),
            (
                Origin { keys: [("s".to_string(), "string".to_string())].into(), ..origin() },
                "the keys of store s were written as (string,u64), the topology writes them as string",
            ),
        ] {
            let told = told(now);
            assert!(told.contains(name) && told.contains("viewmill reset"), "{told}");
        }
        let local = refuse_cluster(&origin(), &Origin { cluster: Some("c-2".into()), ..origin() }).unwrap();
        assert!(local.to_string().contains("local state belongs to cluster c-1"), "{local}");
        assert_eq!(refuse_cluster(&origin(), &Origin { partitions: Some(9), ..origin() }), None);
    }
}
