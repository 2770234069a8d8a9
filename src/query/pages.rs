//! Lists: pages in the order of an index or of the keys, merged over partitions, and all rows of a partial store.

use std::ops::RangeBounds;
use std::sync::Arc;

use super::store_table::StoreEntry;
use super::views::undecoded;
use super::walk::{Found, Walk, walk};
use super::{Answer, Page, QueryError, Read, Slice, Views, cursor};
use crate::codec::{self, CodecError, KeyCodec, Prefix, StoreKey, StoreValue};
use crate::metrics::QueryType;
use crate::state::{Direction, IndexKeys, KeyRange};
use crate::topology::{Index, Partial, Store};

/// The items of a page, and the cursor of the next.
pub type PageOf<T> = (Vec<T>, Option<String>);

impl Views {
    /// The rows that an index finds by a prefix, in its order.
    pub async fn page<I: KeyCodec, K: StoreKey, V: StoreValue>(
        &self,
        index: Index<I, K, V>,
        prefix: impl Prefix<I>,
        page: &Page,
        read: &Read,
    ) -> Result<Answer<Slice<K, V>>, QueryError> {
        let definition = &self.topology().parts().stores[index.store.0].indexes[index.at];
        let keys = definition.keys.downcast_ref::<IndexKeys<K, V>>().expect("an Index carries the types of its store").clone();
        let decode = move |found: Found<'_>| {
            let (key, row) = decode_pair::<K, V>(found.key, found.row)?;
            let mut wanted = false;
            keys(&key, &row, &mut |index_key| wanted |= found.is_entry_of(index_key));
            Ok(wanted.then_some((key, row)))
        };
        let (store, range) = (self.entry(index.store.0), KeyRange::prefix(&prefix));
        self.slice(store, Some(index.at), range, page, read, decode).await.map(to_slice)
    }

    /// The rows whose keys lie within bounds, in key order.
    pub async fn scan<K: StoreKey, V: StoreValue, Of>(
        &self,
        store: Store<K, V, Of>,
        bounds: impl RangeBounds<K> + Send,
        page: &Page,
        read: &Read,
    ) -> Result<Answer<Slice<K, V>>, QueryError> {
        let range = KeyRange::between(&bounds);
        self.slice(self.entry(store.id.0), None, range, page, read, decode_found::<K, V>).await.map(to_slice)
    }

    /// The rows whose keys begin with a prefix, in key order.
    pub async fn scan_prefix<K: StoreKey, V: StoreValue, Of>(
        &self,
        store: Store<K, V, Of>,
        prefix: impl Prefix<K>,
        page: &Page,
        read: &Read,
    ) -> Result<Answer<Slice<K, V>>, QueryError> {
        let range = KeyRange::prefix(&prefix);
        self.slice(self.entry(store.id.0), None, range, page, read, decode_found::<K, V>).await.map(to_slice)
    }

    /// All rows of a partial store, partition by partition; an error when there are more than `limit`.
    pub async fn rows_each<K: StoreKey, V: StoreValue>(
        &self,
        store: Store<K, V, Partial>,
        limit: usize,
        read: &Read,
    ) -> Result<Answer<Vec<(K, V)>>, QueryError> {
        self.range_each(store, .., limit, read).await
    }

    /// As [`Views::rows_each`], for the keys within bounds.
    pub async fn range_each<K: StoreKey, V: StoreValue>(
        &self,
        store: Store<K, V, Partial>,
        bounds: impl RangeBounds<K> + Send,
        limit: usize,
        read: &Read,
    ) -> Result<Answer<Vec<(K, V)>>, QueryError> {
        let range = KeyRange::between(&bounds);
        let all = move |store: &StoreEntry, parts: &[super::parts::OpenPart<'_>]| {
            let (mut rows, mut failure) = (Vec::new(), None);
            for part in parts {
                let mut visit = |key: &[u8], row: &[u8]| {
                    match decode_pair::<K, V>(key, row) {
                        Ok(_) if rows.len() == limit => failure = Some(QueryError::TooManyRows { store: store.name.to_string(), limit }),
                        Ok(pair) => rows.push(pair),
                        Err(source) => failure = Some(undecoded(store, source)),
                    }
                    failure.is_none()
                };
                part.snapshot.scan(store.column, &range, Direction::Forward, &mut visit)?;
                if let Some(failure) = failure {
                    return Err(failure);
                }
            }
            Ok(rows)
        };
        self.read_parts(self.entry(store.id.0), QueryType::Range, read, all).await
    }

    /// A page of any list; `decode` makes its items.
    pub(super) async fn slice<T: Send + 'static>(
        &self,
        store: &Arc<StoreEntry>,
        index: Option<usize>,
        range: KeyRange,
        page: &Page,
        read: &Read,
        decode: impl FnMut(Found<'_>) -> Result<Option<T>, CodecError> + Send + 'static,
    ) -> Result<Answer<PageOf<T>>, QueryError> {
        if !(1..=Page::MAX_LIMIT).contains(&page.limit) {
            return Err(QueryError::Limit { limit: page.limit, max: Page::MAX_LIMIT });
        }
        let index_name = index.map(|at| &*store.indexes[at].name);
        let list = cursor::fingerprint(&store.name, index_name, &range, page.direction);
        let after = page.cursor.as_deref().map(|text| cursor::decode(text, list, &range)).transpose()?;
        let asked = Walk { index, range, direction: page.direction, limit: page.limit, after };
        self.read_parts(store, QueryType::Page, read, move |store, parts| {
            let (items, end) = walk(store, parts, asked, decode)?;
            Ok((items, end.map(|place| cursor::encode(list, &place))))
        })
        .await
    }
}

fn to_slice<K, V>(answer: Answer<PageOf<(K, V)>>) -> Answer<Slice<K, V>> {
    answer.map(|(rows, next)| Slice { rows, next })
}

fn decode_found<K: StoreKey, V: StoreValue>(found: Found<'_>) -> Result<Option<(K, V)>, CodecError> {
    decode_pair(found.key, found.row).map(Some)
}

fn decode_pair<K: StoreKey, V: StoreValue>(key: &[u8], row: &[u8]) -> Result<(K, V), CodecError> {
    Ok((codec::decode_whole_key(key)?, codec::decode_row(row)?))
}
