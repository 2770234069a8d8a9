//! Reading many rows at once: the database's, with those of the working set that wait for a commit laid over them.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::TypedStore;
use crate::codec::{self, Prefix, StoreKey, StoreValue};
use crate::state::{Direction, KeyRange, StoreError};

/// Rows of a range, in its order.
pub(in crate::state) type Rows<K, V> = Vec<(K, Arc<V>)>;

impl<K: StoreKey, V: StoreValue> TypedStore<K, V> {
    pub(in crate::state) fn between(
        &self,
        bounds: impl RangeBounds<K>,
        direction: Direction,
        limit: usize,
    ) -> Result<Rows<K, V>, StoreError> {
        self.range(&KeyRange::between(&bounds), direction, limit)
    }

    pub(in crate::state) fn prefixed(&self, prefix: impl Prefix<K>, direction: Direction, limit: usize) -> Result<Rows<K, V>, StoreError> {
        self.range(&KeyRange::prefix(&prefix), direction, limit)
    }

    fn range(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Rows<K, V>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let waiting = self.waiting_rows(range);
        let mut rows = BTreeMap::new();
        let mut failed = None;
        let mut visit = |key: &[u8], row: &[u8]| {
            if !waiting.contains_key(key) {
                match codec::decode_row::<V>(row) {
                    Ok(row) => drop(rows.insert(key.to_vec(), Arc::new(row))),
                    Err(error) => failed = Some(error),
                }
            }
            failed.is_none() && rows.len() < limit
        };
        self.database.database().snapshot().scan(self.column, range, direction, &mut visit)?;
        if let Some(error) = failed {
            return Err(self.codec_error(error));
        }
        let changed = waiting.into_iter().filter_map(|(key, row)| Some((key.to_vec(), row?.clone())));
        rows.extend(changed);
        let typed = |(key, row): (Vec<u8>, Arc<V>)| {
            let key = codec::decode_whole_key::<K>(&key).map_err(|e| self.codec_error(e))?;
            Ok((key, row))
        };
        match direction {
            Direction::Forward => rows.into_iter().take(limit).map(typed).collect(),
            Direction::Reverse => rows.into_iter().rev().take(limit).map(typed).collect(),
        }
    }

    /// The rows of a range that differ from the database.
    fn waiting_rows(&self, range: &KeyRange) -> BTreeMap<&[u8], Option<&Arc<V>>> {
        let dirty = self.dirty.iter().filter_map(|at| self.rows.get_index(*at));
        dirty.filter(|(key, _)| range.contains(key)).map(|(key, row)| (&**key, row.value.as_ref())).collect()
    }
}
