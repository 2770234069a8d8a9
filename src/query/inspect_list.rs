//! Lists of any store as JSON: in key order within bounds, or in the order of an index.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::inspect::listed;
use super::pages::PageOf;
use super::store_table::StoreEntry;
use super::walk::Found;
use super::{Answer, Page, QueryError, Read, Views};
use crate::codec::{self, CodecError};
use crate::state::{Batch, Column, KeyRange, StoreError};

/// A row of a list, as it writes itself: exact numbers keep their digits.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// The key.
    pub key: Box<RawValue>,
    /// The row.
    pub value: Box<RawValue>,
    /// Where it lies.
    pub partition: i32,
}

/// Which rows a list has. Keys are texts: JSON where that is a key of the store, else the text is the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRange {
    /// In the order of this index instead of the keys; then without bounds.
    pub index: Option<String>,
    /// What the keys begin with; for keys that are texts.
    pub prefix: Option<String>,
    /// The first key.
    pub from: Option<String>,
    /// The key after the last.
    pub to: Option<String>,
}

/// A checked [`ItemRange`] of a store.
pub struct ItemList {
    store: Arc<StoreEntry>,
    index: Option<usize>,
    range: KeyRange,
}

impl ItemList {
    /// Whether each partition has rows of its own for a key.
    pub fn is_partial(&self) -> bool {
        !self.store.keyed
    }
}

/// What is wrong with an [`ItemRange`]: the member and why.
pub type RangeFaults = Vec<(&'static str, String)>;

impl Views {
    /// Checks which rows are asked for.
    ///
    /// # Errors
    /// [`QueryError::NoStore`], [`QueryError::NoIndex`] and, inside, all faults of the bounds.
    pub fn item_list(&self, store: &str, asked: &ItemRange) -> Result<Result<ItemList, RangeFaults>, QueryError> {
        let store = self.store_named(store)?;
        let index = asked.index.as_deref().map(|name| index_named(store, name)).transpose()?;
        let (mut range, mut faults) = (KeyRange::all(), RangeFaults::new());
        let given = [("prefix", &asked.prefix), ("from", &asked.from), ("to", &asked.to)];
        for (name, text) in given.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))) {
            if index.is_some() {
                faults.push((name, "a list in the order of an index has no bounds".to_string()));
                continue;
            }
            let bound = match name {
                "prefix" => self.text_prefix(store, text).map(KeyRange::starting_with),
                "from" => self.locate(store, text).map(|key| KeyRange { from: key.bytes, to: None }),
                _ => self.locate(store, text).map(|key| KeyRange { from: Vec::new(), to: Some(key.bytes) }),
            };
            match bound {
                Ok(bound) => range = intersection(range, bound),
                Err(fault) => faults.push((name, fault)),
            }
        }
        Ok(if faults.is_empty() { Ok(ItemList { store: store.clone(), index, range }) } else { Err(faults) })
    }

    /// A page of rows with the cursor of the next, in the order of the keys or of the index.
    pub async fn items(&self, list: ItemList, page: &Page, read: &Read) -> Result<Answer<PageOf<ItemRow>>, QueryError> {
        let definition = &self.topology().parts().stores[list.store.at];
        let types = definition.types.clone();
        let mut entries_of = list.index.map(|at| types.indexer(&list.store.name, &[(Column::META, &definition.indexes[at])]));
        let decode = move |found: Found<'_>| {
            if let Some(entries_of) = &mut entries_of {
                let mut entries = Batch::default();
                entries_of.delta(found.key, None, Some(found.row), &mut entries).map_err(cause)?;
                if entries.iter().all(|entry| entry.key != found.entry) {
                    return Ok(None);
                }
            }
            let (key, value) = types.row_json(found.key, found.row)?;
            Ok(Some(ItemRow { key, value, partition: found.partition }))
        };
        self.slice(&list.store, list.index, list.range, page, read, decode).await
    }

    /// The bytes that keys begin with which begin with a text.
    fn text_prefix(&self, store: &StoreEntry, prefix: &str) -> Result<Vec<u8>, String> {
        let mut whole = Vec::new();
        codec::encode_str_key(prefix, &mut whole);
        let types = &self.topology().parts().stores[store.at].types;
        match types.key_from_json(Value::String(prefix.to_string())) {
            // Without the end of the text.
            Ok((_, bytes)) if bytes == whole => Ok(whole[..whole.len() - 2].to_vec()),
            _ => Err("is for stores whose keys are texts; give from and to as whole keys in JSON".to_string()),
        }
    }
}

fn index_named(store: &StoreEntry, name: &str) -> Result<usize, QueryError> {
    store.indexes.iter().position(|index| &*index.name == name).ok_or_else(|| QueryError::NoIndex {
        store: store.name.to_string(),
        index: name.to_string(),
        known: listed(store.indexes.iter().map(|index| &index.name)),
    })
}

fn intersection(a: KeyRange, b: KeyRange) -> KeyRange {
    let to = match (a.to, b.to) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    KeyRange { from: a.from.max(b.from), to }
}

fn cause(error: StoreError) -> CodecError {
    match error {
        StoreError::Codec { source, .. } => source,
        other => CodecError::new(other.to_string()),
    }
}
