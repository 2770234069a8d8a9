//! Stores whose partition does not simply follow from their whole key, or from one source alone.

use std::sync::Arc;

use super::TopologyBuilder;
use super::error::TopologyFault;
use super::handles::{Store, Stream};
use super::parts::PartitionKey;
use crate::codec::{Codec, StoreKey, StoreValue};
use crate::record::Data;

impl TopologyBuilder {
    /// A store whose keys say more than those of its source: `part` is the source's key in them.
    pub fn store_by<K: StoreKey + Data, V: StoreValue, P: Data>(
        &mut self,
        name: &str,
        by: Stream<P, impl Data>,
        part: impl Fn(&K) -> P + Send + Sync + 'static,
    ) -> Store<K, V> {
        let source = self.parts.source_of(by.edge);
        let codec = source.and_then(|source| self.parts.sources[source].key_codec.downcast_ref::<Arc<dyn Codec<P>>>().cloned());
        let key: PartitionKey<K> = Arc::new(move |key| codec.as_ref().map_or(Ok(None), |codec| codec.encode(&part(key))));
        Store::new(self.add_store::<K, V>(name, Some(by.edge), key))
    }

    /// Processors that read another source may use the store too: its topics have as many partitions as those of the store's source, and
    /// the same keys, written in the same way. Records whose key lies elsewhere are refused there as well.
    pub fn co_partition<K: StoreKey, V: StoreValue>(&mut self, store: Store<K, V>, with: Stream<K, impl Data>) {
        match self.parts.stores.get_mut(store.id.0) {
            Some(definition) => definition.also_by.push(with.edge),
            None => self.faults.push(TopologyFault::ForeignHandle { node: "co_partition".to_string() }),
        }
    }
}
