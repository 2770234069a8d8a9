//! What a running processor reaches of its task.

use std::any::Any;

use super::Task;
use crate::faults::Sabotaged;
use crate::processor::{EdgeId, Emitted, ProcessResult, RecordContext, StoreId, TaskScope};
use crate::record::Timestamp;
use crate::state::{Direction, ErasedStore, KeyRange, StoreError};

impl TaskScope for Task {
    fn children(&self, edge: EdgeId) -> usize {
        self.plan.topology.parts().edges[edge.0].children.len()
    }

    fn deliver(&mut self, edge: EdgeId, child: usize, record: &mut dyn Any) -> ProcessResult {
        let at = self.plan.topology.parts().edges[edge.0].children[child];
        // A node is out of its slot while it runs; streams form no circle, so it is never asked for twice.
        let mut node = self.nodes[at].take().expect("streams form no circle");
        let result = node.process(self, record);
        self.nodes[at] = Some(node);
        self.failed |= result.is_err();
        result
    }

    fn store(&mut self, store: StoreId) -> &mut dyn ErasedStore {
        self.stores[store.0].as_deref_mut().expect("a supplier names its stores, and named stores are made with the task")
    }

    fn record(&self) -> Option<&RecordContext> {
        self.record.as_ref()
    }

    fn committed(&self, store: StoreId, index: usize, range: &KeyRange, visit: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), StoreError> {
        let planned = self.plan.stores.iter().find(|planned| planned.id == store).expect("a supplier names its stores");
        let snapshot = self.lease.database().database().snapshot();
        snapshot.scan(planned.indexes[index], range, Direction::Forward, &mut |row, _| visit(row))
    }

    fn is_replay(&self) -> bool {
        self.is_replay
    }

    fn stream_time(&self) -> Timestamp {
        self.stream_time.unwrap_or(Timestamp::MIN)
    }

    fn sabotaged(&self) -> Sabotaged {
        self.sabotaged
    }

    fn count(&mut self, what: &'static str) {
        self.record_counts.push(what);
    }

    fn emit(&mut self, output: Emitted) {
        self.emitted.push(output);
    }
}
