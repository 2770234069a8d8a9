//! What a running processor reaches of its task. Declared here and implemented by `task/`, so that there is no cycle.

use std::any::Any;

use super::{ProcessResult, RecordContext};
use crate::faults::Sabotaged;
use crate::record::{Header, Headers, Timestamp, TopicName};
use crate::state::{ErasedStore, KeyRange, StoreError};

/// A stream of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EdgeId(pub(crate) usize);

/// A store of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StoreId(pub(crate) usize);

/// A record for Kafka that waits for the end of the current input record.
#[derive(Clone, Debug)]
pub(crate) struct Emitted {
    /// Where to.
    pub topic: TopicName,
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Timestamp,
    pub headers: Headers,
    /// It waits for the commit.
    pub is_held: bool,
}

impl Emitted {
    /// Sets a header; one of that name which it brought along goes.
    pub(crate) fn tell(&mut self, header: &Header) {
        let others = self.headers.iter().filter(|other| other.name != header.name);
        self.headers = Headers::new(others.chain([header]).cloned().collect());
    }
}

/// The task as a processor sees it.
pub(crate) trait TaskScope {
    /// How many nodes read a stream.
    fn children(&self, edge: EdgeId) -> usize;
    /// Gives the `Option<Record<K, V>>` behind `record` to one of them, which takes it.
    fn deliver(&mut self, edge: EdgeId, child: usize, record: &mut dyn Any) -> ProcessResult;
    /// The store of this task.
    fn store(&mut self, store: StoreId) -> &mut dyn ErasedStore;
    /// The source record being processed; `None` while punctuating.
    fn record(&self) -> Option<&RecordContext>;
    /// The keys of a store's index rows within a range, as of the last commit.
    fn committed(&self, store: StoreId, index: usize, range: &KeyRange, visit: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), StoreError>;
    /// Whether records are processed once more, for stores that are new.
    fn is_replay(&self) -> bool;
    /// The largest record time seen.
    fn stream_time(&self) -> Timestamp;
    /// Which rule is broken on purpose.
    fn sabotaged(&self) -> Sabotaged;
    /// Adds one to a count of the application.
    fn count(&mut self, what: &'static str);
    /// Holds a record for Kafka until the current one is done.
    fn emit(&mut self, output: Emitted);
}
